#!/bin/bash
# Run the tests: test.sh all | quick.   STRICT=1: nothing may be skipped (CI).
# Suites run one after the other, so that the minutes of each are known; one closing line counts everything.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${BUILD:-build}
level=${1:-all}
suites=(unit golden flow tidy)
if [ "$level" = all ]; then
    t0=$SECONDS
    scripts/setup.sh full
    printf 'setup: %d min %d s\n' $(((SECONDS - t0) / 60)) $(((SECONDS - t0) % 60))
    t0=$SECONDS
    make --no-print-directory build
    printf 'build: %d min %d s\n' $(((SECONDS - t0) / 60)) $(((SECONDS - t0) % 60))
    suites+=(embedded kafka mongo real e2e browser chaos images)
fi
passed=0 failed=0 skipped=0

# The same unit, golden and flow tests under AddressSanitizer and UndefinedBehaviorSanitizer, in a build of their own.
sanitized() {
    local dir=$build-asan t0=$SECONDS
    if [ ! -f "$dir/build.ninja" ]; then
        meson setup "$dir" -Db_sanitize=address,undefined -Db_lundef=false "-Dlibrdkafka=$(cat "$build/.librdkafka" 2> /dev/null || true)" > "$build/asan.log" 2>&1 ||
            { tail -n 20 "$build/asan.log"; return 1; }
    fi
    ninja -C "$dir" > "$build/asan.log" 2>&1 || { grep -E 'error|FAILED' "$build/asan.log" | head; return 1; }
    printf 'sanitizer build: %d min %d s\n' $(((SECONDS - t0) / 60)) $(((SECONDS - t0) % 60))
}

run_suite() { # build_dir suite name_shown
    local dir=$1 suite=$2 shown=$3
    [ -n "$(meson test -C "$dir" --list --suite "$suite" 2> /dev/null)" ] || return 0
    local t0=$SECONDS processes=1
    case $suite in unit | golden | flow | tidy | chaos) processes=2 ;; esac # in chaos the two that plant defects; the rest are alone
    rm -f "$dir/meson-logs/testlog.json"
    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1 \
        meson test -C "$dir" --no-rebuild --suite "$suite" --print-errorlogs --num-processes $processes > "$build/test-$shown.log" 2>&1 || true
    local log=$dir/meson-logs/testlog.json ok skip all bad
    [ -f "$log" ] || return 0 # the suite has no tests
    count() { grep -c "\"result\": \"$1\"" "$log" 2> /dev/null || true; }
    ok=$(count OK)
    skip=$(count SKIP)
    all=$(wc -l < "$log")
    bad=$((all - ok - skip))
    printf '%-12s %4d passed, %d failed, %d skipped  %3d min %2d s\n' "$shown" "$ok" "$bad" "$skip" $(((SECONDS - t0) / 60)) $(((SECONDS - t0) % 60))
    if ((bad > 0)); then grep -v '^ninja' "$build/test-$shown.log" | tail -n 150; fi
    if ((skip > 0)); then # by name, with the reason the test printed
        sed -n 's/.*"name": "\([^"]*\)".*"result": "SKIP".*/  skipped: \1/p' "$log"
        grep -h '^skip: ' "$dir"/meson-logs/testlog.txt 2> /dev/null | sort -u | sed 's/^/  /' || true
    fi
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

for suite in "${suites[@]}"; do run_suite "$build" "$suite" "$suite"; done
if [ "$level" = all ]; then
    if sanitized; then
        for suite in unit flow; do run_suite "$build-asan" "$suite" "asan-$suite"; done
    else
        failed=$((failed + 1))
    fi
fi
echo "$passed passed, $failed failed, $skipped skipped"
if ((failed > 0)) || { [ "${STRICT:-0}" = 1 ] && ((skipped > 0)); } || ((passed == 0)); then exit 1; fi
