#!/bin/bash
# Measures. run.sh BUILD_DIR [quick]
#
# Writes BUILD_DIR/bench/results.json and prints the tables of the README. Everything is a ratio inside this one run: the ceiling (what a
# bare librdkafka consumer needs for the same topics, ceiling.c) and the services take turns on the same Kafka, in the same minutes.
# How each number is come by stands at the head of the program that makes it: decode.c, ceiling.c, watch.c (CPU, memory, start),
# openloop.c (latency), fill.c and mesh-sim (events and right answers), check.py (comparison), report.py (medians, tables).
#
# What the rows mean:
#   events      4 M events of 12 fields, 59 bytes, 10,000 keys, 10 % repeated, one topic of 4 partitions, lz4.
#   filter      where + select, 1 in 100 passes to a Kafka port. Nearly all of the work is reading, decoding and dropping.
#   copy        the same, but all pass. Its ceiling is a bare consumer that also produces, else producing would count against us alone.
#   fold        one view by the partition key: no repartition, no partials.      dedupe   1 h of ids, then a count by another key.
#   sales_fraud the real product, from a topic full of payments of mesh-sim, malformed and late ones among them.
# A service starts with an empty state directory, on topics that nobody has read before, and with the settings it is delivered with:
# commits every 200 ms with fdatasync. It is charged for its start, its group, its commits, its HTTP server, and for being watched.
# Everything runs on this machine and loopback; the broker shares the cores, which costs wall time but no CPU-seconds of the service.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source-path=SCRIPTDIR source=../../scripts/setup/cache.sh
. "$root/scripts/setup/cache.sh"
[ $# -ge 1 ] || {
    echo "usage: run.sh BUILD_DIR [quick]" >&2
    exit 2
}
build=$(cd "$1" && pwd)
mode=${2:-full}
case $mode in
    full) events=4000000 payments=2000000 repeats=3 starts=10 decodes=9 seconds=8 ;;
    quick) events=1000000 payments=300000 repeats=1 starts=5 decodes=5 seconds=3 ;;
    *)
        echo "run.sh: what is '$mode'? quick, or nothing" >&2
        exit 2
        ;;
esac
bench=$build/bench
raw=$bench/raw
programs=$bench/programs
contract=$here/mesh/contracts/bench/event.v1.avsc
sales=$build/svc/sales_fraud/sales_fraud
sources=(omnishop.sales.card-payments omnishop.sales.shop-payments omnishop.finance.rates)
started=$SECONDS

say() { printf '%4d s  %s\n' $((SECONDS - started)) "$1" >&2; }
fail() {
    echo "bench: $1" >&2
    exit 1
}

for needed in bin/meshgen bin/mesh-sim bin/mesh-topics svc/sales_fraud/sales_fraud; do
    [ -x "$build/$needed" ] || fail "$build/$needed is not there; run make build"
done

stop_service() {
    local pid
    [ -s "$bench/service.pid" ] || return 0
    read -r pid _ < "$bench/service.pid"
    rm -f "$bench/service.pid"
    kill -TERM "$pid" 2> /dev/null || return 0
    for ((i = 0; i < 1000; i++)); do
        kill -0 "$pid" 2> /dev/null || return 0
        sleep 0.02
    done
    kill -KILL "$pid" 2> /dev/null || true
}

# shellcheck disable=SC2317  # called by the trap
clean_up() {
    local status=$?
    trap - EXIT
    stop_service
    "$root/scripts/kafka.sh" stop "$bench/kafka" > /dev/null 2>&1 || true
    rm -rf "$bench/kafka" "$bench/state" "$bench/datums" "$bench/sent"
    exit "$status"
}

rm -rf "$raw" "$bench/kafka" "$bench/state"
mkdir -p "$raw"
trap clean_up EXIT
trap 'exit 130' INT TERM

# ---- build: as a user would, with meshgen, meson and the mesh.pc of this build ----
build_all() {
    local name log=$bench/build.log
    export PKG_CONFIG_PATH=$build/meson-uninstalled${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
    "$build/bin/meshgen" generate --mesh "$here/mesh" -o "$bench/gen" > "$log" 2>&1 || fail "meshgen refuses $here/mesh; see $log"
    [ -f "$programs/build.ninja" ] || meson setup "$programs" "$here" "-Dgen=$bench/gen" >> "$log" 2>&1 || fail "see $log"
    ninja -C "$programs" >> "$log" 2>&1 || fail "the programs do not build; see $log"
    for name in filter copy fold dedupe; do
        [ -f "$bench/svc/$name/build.ninja" ] || meson setup "$bench/svc/$name" "$bench/gen/bench_$name" >> "$log" 2>&1 || fail "see $log"
        ninja -C "$bench/svc/$name" >> "$log" 2>&1 || fail "bench_$name does not build; see $log"
    done
}
say "building the programs and the small products"
build_all

load=$(cut -d' ' -f1 /proc/loadavg)
{
    printf '%s, ' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
    printf '%s cores, load before: %s' "$(nproc)" "$load"
} > "$bench/machine"
awk -v load="$load" 'BEGIN { exit !(load > 0.7) }' && say "careful: this machine is busy (load $load); walls and latencies will be worse"

# ---- the broker and its records ----
"$root/scripts/kafka.sh" start "$bench/kafka" > /dev/null || exit $?
brokers=$("$root/scripts/kafka.sh" uri "$bench/kafka")
{
    for topic in bench.events omnishop.sales.card-payments omnishop.sales.shop-payments; do echo "$topic 4 delete -1"; done
    echo "omnishop.finance.rates 1 delete -1"
} > "$bench/topics"
"$build/bin/mesh-topics" --quiet --brokers "$brokers" --file "$bench/topics"
export MESH_KAFKA_BROKERS=$brokers
export MESH_PSEUDONYM_KEY=of-no-use-outside-this-benchmark
export MESH_STATE_RESET=1 # an empty state, although the group of the run before has told its offsets

forget() { "$programs/wipe" --brokers "$brokers" bench.events "${sources[@]}"; }

field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }

# ---- start, while the topics are empty: nothing but the start is measured, and idle is idle ----
"$programs/watch" ready --state "$bench/state" --runs "$starts" -- "$sales" > "$raw/ready.mesh.1.json"
say "start: median $(field "$raw/ready.mesh.1.json" median_ms) ms"

say "filling: $events events, $payments payments"
"$programs/fill" --brokers "$brokers" --contract "$contract" --topic bench.events --partitions 4 --events "$events" \
    --datums "$bench/datums" > "$bench/events.truth"
(cd "$root" && "$build/bin/mesh-sim" --brokers "$brokers" --domain sales_fraud --rate 0 --start 2024-01-08T06:00:00Z --seed 7 \
    --events "$payments" --truth "$bench/payments.truth" 2> "$bench/sim.log") || fail "mesh-sim failed; see $bench/sim.log"
in_topic() { # how many records mesh-sim put into a topic
    python3 -c 'import json, sys; print(json.loads(open(sys.argv[1]).readlines()[-1])["topics"][sys.argv[2]])' "$bench/payments.truth" "$1"
}
cards=$(in_topic "${sources[0]}")
shops=$(in_topic "${sources[1]}")

# mark FILE WORD: adds "correct": true or false, from check.py
mark() {
    python3 - "$1" "$2" <<'PYTHON'
import json, sys
raw = json.load(open(sys.argv[1]))
raw["correct"] = sys.argv[2] == "true"
json.dump(raw, open(sys.argv[1], "w"))
PYTHON
}

# service JOB REPETITION BINARY INPUT=N...: from an empty state to everything consumed; leaves it running
service() {
    local job=$1 repetition=$2 binary=$3 out=$raw/$1.mesh.$2.json
    shift 3
    forget
    "$programs/watch" consume --deadline 300 --state "$bench/state" --pid "$bench/service.pid" --log "$bench/$job.log" \
        "${@/#/--input=}" -- "$binary" > "$out" || fail "$job, repetition $repetition: see $bench/$job.log"
    say "$job: $(field "$out" cpu_s) CPU-s, $(field "$out" wall_s) s"
}

ceiling() { # JOB REPETITION ARGUMENT...
    local out=$raw/$1.ceiling.$2.json job=$1
    shift 2
    "$programs/ceiling" --brokers "$brokers" "$@" > "$out"
    say "ceiling $job: $(field "$out" cpu_s) CPU-s, $(field "$out" wall_s) s"
}

make_topic() {
    echo "$1 4 delete -1" > "$bench/topics"
    "$build/bin/mesh-topics" --quiet --brokers "$brokers" --file "$bench/topics"
}

# ---- decoding ----
"$programs/decode" "$bench/datums" "$contract" "$decodes" > "$raw/decode.all.1.json"
# Others on the same bytes; they are what `make setup` fetched for the oracles, and left out where they are not there.
python=$mesh_cache/registry/python/bin/python jars=$mesh_cache/oracles/avro/libs
if [ -x "$python" ]; then
    "$python" "$here/peers/decode_fastavro.py" "$bench/datums" "$contract" "$decodes" > "$raw/decode.fastavro.1.json"
fi
if [ -d "$jars" ] && command -v javac > /dev/null; then
    javac -cp "$jars/*" -d "$bench/peers" "$here/peers/DecodeAvro.java"
    java -Xmx2g -cp "$bench/peers:$jars/*" DecodeAvro "$bench/datums" "$contract" "$decodes" > "$raw/decode.java.1.json"
fi
say "decoders done"

# ---- small products, in turn with their ceilings ----
for ((repetition = 1; repetition <= repeats; repetition++)); do
    ceiling events "$repetition" bench.events
    service filter "$repetition" "$bench/svc/filter/bench_filter" "events=$events"
    kcat -C -b "$brokers" -t bench.filtered -o beginning -e -q -u -f '%R%s' > "$bench/sent" 2> /dev/null
    mark "$raw/filter.mesh.$repetition.json" "$("$here/check.py" filter "$bench/sent" "$bench/events.truth")"
    stop_service
    service fold "$repetition" "$bench/svc/fold/bench_fold" "events=$events"
    mark "$raw/fold.mesh.$repetition.json" \
        "$("$here/check.py" fold "$(field "$raw/fold.mesh.$repetition.json" port)" "$bench/events.truth")"
    stop_service
    service dedupe "$repetition" "$bench/svc/dedupe/bench_dedupe" "events=$events"
    mark "$raw/dedupe.mesh.$repetition.json" \
        "$("$here/check.py" dedupe "$(field "$raw/dedupe.mesh.$repetition.json" port)" "$bench/events.truth")"
    stop_service
done
forget
make_topic bench.plain
ceiling events-copied 1 --to bench.plain bench.events
service copy 1 "$bench/svc/copy/bench_copy" "events=$events"
stop_service
"$programs/ceiling" --brokers "$brokers" bench.copied > "$bench/copied.json" # only to count them
[ "$(field "$bench/copied.json" events)" = "$events" ] && all=true || all=false
mark "$raw/copy.mesh.1.json" "$all"

# ---- the real product ----
for ((repetition = 1; repetition <= repeats; repetition++)); do ceiling payments "$repetition" "${sources[@]}"; done
service sales_fraud 1 "$sales" "card_payments=$cards" "shop_payments=$shops"
port=$(field "$raw/sales_fraud.mesh.1.json" port)
mark "$raw/sales_fraud.mesh.1.json" "$("$here/check.py" sales "$port" "$bench/payments.truth")"

say_p99() { # idle or saturated
    say "point queries, $1: $(sed -n 's/.*"latency": *{[^}]*"p99_ms": *\([0-9.]*\).*/p99 \1 ms/p' "$raw/http.$1.1.json")"
}

# ---- point queries: first of the service that has read everything, then of one that is reading ----
python3 - "$bench/payments.truth" > "$bench/paths" << 'PYTHON'
import json, sys
for country in json.loads(open(sys.argv[1]).readlines()[-1])["sales"]["by_country"]:
    for n in range(4):
        print(f"/terminals/T-{country}-{n:04}")
        print(f"/sales/daily/by-country/{country}?window=latest")
PYTHON
"$programs/openloop" --port "$port" --rate 1000 --seconds "$seconds" --paths "$bench/paths" > "$raw/http.idle.1.json"
say_p99 idle
stop_service

records() { # PORT: how many payments the service has read
    curl -s "http://127.0.0.1:$1/metrics" |
        awk -F'} ' '/^mesh_records_total\{input="(card|shop)_payments"/ { n += $2 } END { printf "%d", n }'
}

forget
"$programs/watch" consume --state "$bench/state" --pid "$bench/service.pid" --log "$bench/saturated.log" \
    --input "card_payments=$cards" --input "shop_payments=$shops" -- "$sales" > /dev/null 2>&1 &
watcher=$!
before=0 deadline=$((SECONDS + 30))
while [ "$before" -lt $((payments / 20)) ]; do # until there are rows to ask for
    [ "$SECONDS" -lt "$deadline" ] || fail "the service does not read; see $bench/saturated.log"
    sleep 0.1
    [ -s "$bench/service.pid" ] && read -r _ port < "$bench/service.pid" && before=$(records "$port")
done
kill "$watcher"
wait "$watcher" 2> /dev/null || true
begin=$EPOCHREALTIME
"$programs/openloop" --port "$port" --rate 1000 --seconds "$seconds" --paths "$bench/paths" > "$raw/http.saturated.1.json" &
asker=$!
sleep "$seconds" # when the last request is due the service must still have something to read
after=$(records "$port")
end=$EPOCHREALTIME
wait "$asker"
stop_service
python3 - "$raw/http.saturated.1.json" $((after - before)) "$begin" "$end" $((after < cards + shops)) << 'PYTHON'
import json, sys
raw = json.load(open(sys.argv[1]))
raw |= {"ingested": int(sys.argv[2]), "seconds": float(sys.argv[4]) - float(sys.argv[3]), "lasted": sys.argv[5] == "1"}
json.dump(raw, open(sys.argv[1], "w"))
PYTHON
say_p99 saturated

# ---- the compiler: the mesh of this repository; the middle one of five runs, of cc the only one ----
middle_of_five() {
    local times=() begin
    for _ in 1 2 3 4 5; do
        begin=$EPOCHREALTIME
        "$@" > /dev/null 2>&1 || fail "$* fails"
        times+=("$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.6f", b - a }')")
    done
    printf '%s\n' "${times[@]}" | sort -n | sed -n 3p
}
generate_anew() {
    rm -rf "$bench/compiled"
    "$build/bin/meshgen" generate --mesh "$root" -o "$bench/compiled"
}
check_s=$(middle_of_five "$build/bin/meshgen" check --mesh "$root")
generate_s=$(middle_of_five generate_anew)
rm -rf "$bench/compiled-build"
meson setup "$bench/compiled-build" "$bench/compiled/sales_fraud" >> "$bench/build.log" 2>&1
begin=$EPOCHREALTIME
CCACHE_DISABLE=1 ninja -j1 -C "$bench/compiled-build" >> "$bench/build.log" 2>&1 || fail "sales_fraud does not compile; see $bench/build.log"
python3 - "$check_s" "$generate_s" "$begin" "$EPOCHREALTIME" > "$raw/compiler.mesh.1.json" << 'PYTHON'
import json, sys
check, generate, begin, end = map(float, sys.argv[1:])
jobs = {"check_s": "meshgen check, four domains", "generate_s": "meshgen generate, four domains",
        "cc_s": "cc -O2 -g and link of sales_fraud, one core"}
print(json.dumps({"check_s": check, "generate_s": generate, "cc_s": end - begin, "jobs": jobs}))
PYTHON
rm -rf "$bench/compiled" "$bench/compiled-build"

command="make bench"
[ "$mode" = full ] || command="tests/bench/run.sh BUILD $mode"
"$here/report.py" "$bench" "$command" | tee "$bench/results.md"
say "done; $bench/results.json"
