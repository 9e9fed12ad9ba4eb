#!/bin/bash
# Fuzzing with libFuzzer and the address and undefined-behaviour sanitizers.   run.sh [SECONDS [TARGET...]]
# Each target runs for SECONDS (60). What it learns stays in build-fuzz/corpus and is used again; what it finds is in build-fuzz/found,
# and the exit code is 1. `run.sh 0` makes the committed corpus anew: the smallest set of inputs that reaches what
# all known ones do, or a part of it.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || targets=(yaml schema cel datum decoder http)
build=$PWD/build-fuzz
command -v clang > /dev/null || { echo "cannot fuzz: no clang here"; exit 3; }
if [ ! -f "$build/build.ninja" ]; then
    CC=clang meson setup "$build" -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link \
        "-Dlibrdkafka=$(cat build/.librdkafka 2> /dev/null || true)" > build/fuzz.log 2>&1 || { tail -n 20 build/fuzz.log; exit 1; }
fi
ninja -C "$build" "${targets[@]/#/tests/fuzz/fuzz_}" > "$build/fuzz.log" 2>&1 || { tail -n 20 "$build/fuzz.log"; exit 1; }
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
failed=0 total=0
for target in "${targets[@]}"; do
    known=$build/corpus/$target
    found=$build/found/$target
    committed=tests/fuzz/corpus/$target
    mkdir -p "$known" "$found"
    program=$build/tests/fuzz/fuzz_$target
    if [ "$seconds" = 0 ]; then
        work=$(mktemp -d)
        "$program" -merge=1 -max_len=2048 "$work" "$committed" "$known" > "$build/fuzz-$target.log" 2>&1
        find "$committed" -type f -delete
        # of many as many as a test needs, of every size
        every=$((($(find "$work" -type f | wc -l) + 119) / 120))
        find "$work" -type f -printf '%s %f\n' | sort -n | awk -v k="$every" 'NR % k == 0 {print $2}' |
            while read -r name; do cp "$work/$name" "$committed/${name:0:12}"; done
        rm -r "$work"
        echo "$target: $(find "$committed" -type f | wc -l) inputs"
        continue
    fi
    words=()
    if [ -f "tests/fuzz/$target.dict" ]; then words=("-dict=tests/fuzz/$target.dict"); fi
    if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 "${words[@]}" \
        -artifact_prefix="$found/" "$known" "$committed" > "$build/fuzz-$target.log" 2>&1; then
        outcome="nothing found"
    else
        outcome="FOUND: $found"
        failed=1
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/fuzz-$target.log")
    total=$((total + ${runs:-0}))
    printf '%-8s %12s executions, %s\n' "$target" "${runs:-?}" "$outcome"
done
[ "$seconds" = 0 ] || echo "$total executions"
exit $failed
