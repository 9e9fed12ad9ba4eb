#!/bin/bash
# mesh-broker: topics from the file, fixed port, a taken port, two groups, many clients at once,
# table topics that keep everything, and a clean end.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

broker=$bin/mesh-broker
need kcat
[ -x "$broker" ] || skip "mesh-broker is not built"
pid=''
trap '[ -z "$pid" ] || kill -KILL "$pid" 2> /dev/null || true; rm -rf "$work"' EXIT

# start ADDRESS: starts it with the topics of this test, sets pid and uri.
start() {
    "$broker" --listen "$1" --topics "$work/topics" --ready-file "$work/ready" \
        > "$work/log" 2>&1 &
    pid=$!
    until_true 20 test -s "$work/ready" || {
        cat "$work/log" >&2
        fail "not ready within 20 s"
    }
    uri=$(< "$work/ready")
}

# stop SIGNAL: ends it and checks how it ended.
stop() {
    local status=0
    kill -"$1" "$pid"
    wait "$pid" || status=$?
    pid=''
    expect "SIG$1 ends it" "$status" 0
    [ ! -e "$work/ready" ] || fail "the ready file is still there"
}

printf '%s\n' '# topics of this test' 't.events 3 delete' 't.table 2 compact' 't.one 1 compact' \
    > "$work/topics"
start 127.0.0.1:0
grep -q "ready on $uri with 3 topics" "$work/log" || fail "no line that says ready"
expect "partitions of t.events" "$(partitions_of "$uri" t.events)" 3
expect "partitions of t.table" "$(partitions_of "$uri" t.table)" 2
expect_exit "a taken port" 2 "$broker" --listen "$uri"
grep -q 'another broker runs there' "$work/out" || fail "the error does not say what to do"
expect_exit "an address for all the world" 2 "$broker" --listen 0.0.0.0:0
printf 't.bad zero delete\n' > "$work/bad"
expect_exit "a wrong topic file" 2 "$broker" --listen 127.0.0.1:0 --topics "$work/bad"
grep -q '/bad:1: partitions "zero"' "$work/out" || fail "the error does not name the line"
stop INT
start "$uri"
ok "started again on the same fixed port"

seq 1 3000 | kcat -b "$uri" -P -t t.events -X linger.ms=5
expect "records" "$(read_all "$uri" t.events | sort -n | tail -n 1)" 3000

group=(-X session.timeout.ms=3000 -X heartbeat.interval.ms=300 -X auto.offset.reset=earliest
    -X fetch.wait.max.ms=10 -q)
clients=()
for name in a b; do
    timeout 60 kcat -b "$uri" "${group[@]}" -c 3000 -G "group.$name" t.events \
        > "$work/group.$name" 2> "$work/group.$name.err" &
    clients+=($!)
done
# Meanwhile 20 further clients at once.
for i in $(seq 20); do
    read_all "$uri" t.events > "$work/many.$i" &
    clients+=($!)
done
for client in "${clients[@]}"; do
    wait "$client" || fail "a client failed: $(cat "$work"/group.*.err)"
done
for name in a b; do
    expect "group $name" "$(sort -n "$work/group.$name" | uniq | wc -l)" 3000
done
expect "20 clients at once" "$(cat "$work"/many.* | wc -l)" 60000

# 700 records of 16 kB are 11 MB: twice what the mock keeps of a partition.
head -c 12000 /dev/urandom | base64 -w 0 > "$work/record"
for i in $(seq 700); do
    printf '%s %s\n' "$i" "$(< "$work/record")"
done > "$work/records"
for topic in t.table t.one t.events; do
    kcat -b "$uri" -P -t "$topic" -p 0 -X linger.ms=5 < "$work/records"
    kcat -b "$uri" -C -t "$topic" -p 0 -o beginning -e -q -f '%o\n' -X fetch.wait.max.ms=10 \
        > "$work/offsets"
    if [ "$topic" = t.events ]; then
        [ "$(head -n 1 "$work/offsets")" -gt 0 ] || fail "t.events was not trimmed: no contrast"
        ok "t.events is trimmed"
    elif grep -q 'limits kept' "$work/log"; then
        printf 'skipped: %s over 5 MB: %s\n' "$topic" "$(grep 'limits kept' "$work/log")"
    else
        expect "$topic keeps its first record" "$(head -n 1 "$work/offsets")" 0
        expect "$topic keeps all" "$(wc -l < "$work/offsets")" 700
    fi
done

if [ -x "$bin/mesh-topics" ]; then
    expect_exit "mesh-topics finds its topics" 0 \
        "$bin/mesh-topics" --brokers "$uri" --file "$work/topics"
    printf 't.missing 1 delete\n' > "$work/missing"
    expect_exit "and says what it cannot do" 1 \
        "$bin/mesh-topics" --brokers "$uri" --file "$work/missing"
    grep -q 'cannot create topics' "$work/out" || fail "the reason is not said"
fi
stop TERM
