#!/bin/bash
# scripts/kafka.sh and mesh-topics on a real broker: records and the cluster id survive a stop and a
# kill -9, topics are created once and a wrong partition count is refused.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

kafka=$root/scripts/kafka.sh
export MESH_TOPICS=$bin/mesh-topics
need kcat java
[ -x "$MESH_TOPICS" ] || skip "mesh-topics is not built"
dir=$work/broker
trap '"$kafka" kill "$dir" > /dev/null 2>&1 || true; rm -rf "$work"' EXIT

status=0
uri=$("$kafka" start "$dir") || status=$?
[ "$status" != 3 ] || skip "Kafka is not set up (scripts/setup.sh full)"
[ "$status" = 0 ] || fail "start: exit $status"
expect "uri" "$("$kafka" uri "$dir")" "$uri"
expect_exit "ready" 0 "$kafka" ready "$dir"
expect "a second start changes nothing" "$("$kafka" start "$dir")" "$uri"

printf '%s\n' '# topics of this test' 't.events 3 delete 86400000' 't.table 2 compact  # kept' \
    > "$work/topics"
expect_exit "topics are created" 0 "$kafka" topics "$dir" "$work/topics"
grep -q '^created *t.events' "$work/out" || fail "t.events is not reported as created"
expect "partitions of t.events" "$(partitions_of "$uri" t.events)" 3
expect_exit "and again" 0 "$kafka" topics "$dir" "$work/topics"
grep -q '^exists *t.table' "$work/out" || fail "t.table is not reported as existing"
printf '%s\n' 't.events 4 delete' 't.other 1 delete' > "$work/wrong"
expect_exit "another partition count is refused" 1 "$kafka" topics "$dir" "$work/wrong"
grep -q 'exists with 3 partitions, the file says 4' "$work/out" || fail "the refusal does not say why"
expect "and then nothing is created" "$(partitions_of "$uri" t.other)" ""
printf '%s\n' 't.events 3 compact 1000' > "$work/differs"
expect_exit "other settings are left alone" 0 "$kafka" topics "$dir" "$work/differs"
grep -q 'has cleanup.policy=delete, the file says compact' "$work/out" || fail "no note on the policy"
expect_exit "a file that cannot be read" 2 "$MESH_TOPICS" --brokers "$uri" --file "$work/absent"

cluster=$(grep '^cluster.id=' "$dir/data/meta.properties")
seq 1 1000 | kcat -b "$uri" -P -t t.events
expect "records" "$(read_all "$uri" t.events | sort -n | tail -n 1)" 1000
# No topic may appear because someone misspelt one.
echo x | timeout 5 kcat -b "$uri" -P -t t.misspelt -X topic.metadata.propagation.max.ms=500 \
    -X message.timeout.ms=1500 > /dev/null 2>&1 || true
expect "no topic by itself" "$(partitions_of "$uri" t.misspelt)" ""

"$kafka" stop "$dir"
expect_exit "stopped" 1 "$kafka" ready "$dir"
expect "started on the same port" "$("$kafka" start "$dir")" "$uri"
expect "records after a stop" "$(read_all "$uri" t.events | wc -l)" 1000
seq 1001 2000 | kcat -b "$uri" -P -t t.events -X acks=all
"$kafka" kill "$dir"
expect_exit "killed" 1 "$kafka" ready "$dir"
expect "restarted" "$("$kafka" restart "$dir")" "$uri"
expect "records after kill -9" "$(read_all "$uri" t.events | sort -n | uniq | wc -l)" 2000
expect "cluster id" "$(grep '^cluster.id=' "$dir/data/meta.properties")" "$cluster"
pid=$(< "$dir/pid")
"$kafka" stop "$dir"
[ ! -r "/proc/$pid/status" ] || grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" ||
    fail "process $pid runs on"
ok "its process is gone"
