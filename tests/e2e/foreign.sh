#!/bin/bash
# From an installation alone, in an empty folder: a mesh, a domain, its service, built and run; its own example records sent and counted.
#
#     foreign.sh BUILD
set -euo pipefail
# shellcheck source=tests/lib/installed.sh
source "$(dirname "$0")/installed.sh" 2> /dev/null || source "$(dirname "$0")/../lib/installed.sh"
inside "$@"

base=http://127.0.0.1:8081
export MESH_PSEUDONYM_KEY="a key for tests that is long enough"

# said WHAT COMMAND...: it succeeds and writes nothing to standard error.
said() {
    local what=$1
    shift
    "$@" > out 2> err || { local status=$?; cat out err; fail "$what: exit $status"; }
    [ ! -s err ] || { cat err; fail "$what: has something to complain about"; }
    ok "$what"
}

said "meshgen init" meshgen init
said "meshgen new-domain" meshgen new-domain orders
said "the scaffold checks" meshgen check
said "the scaffold generates" meshgen generate
said "generating again changes nothing" meshgen generate --check
if meshgen new-domain orders > out 2>&1; then fail "new-domain overwrote a domain"; fi
ok "new-domain overwrites nothing"

gen=build/gen/orders
said "the scaffold's own test" meshgen test
if grep -rlF "$PWD" $gen; then fail "what is emitted names the folder it was emitted in"; fi
said "meson setup" meson setup $gen/out $gen --werror
said "ninja" ninja -C $gen/out

meshgen topics > topics.txt
mesh-broker --topics topics.txt --ready-file broker.ready > broker.log 2>&1 &
wait_for 20 "the broker is ready" test -s broker.ready
MESH_KAFKA_EMBEDDED=1 $gen/out/orders > service.log 2>&1 &
service=$!
trap 'status=$?; if [ $status != 0 ]; then tail -n 20 service.log broker.log; fi' EXIT
wait_for 20 "the service is ready" curl -sf $base/readyz
ok "/readyz"

# has PATH JQ: the answer has this; it is shown when not.
has() {
    curl -sf "$base$1" > answer || fail "$1: $(curl -s "$base$1")"
    jq -e "$2" answer > /dev/null || { cat answer; fail "$1: not $2"; }
    ok "$1: $2"
}
has /.well-known/data-product '.name == "orders"'
has /openapi.json '.openapi | startswith("3.")'
has /openapi.json '.paths | has("/orders/by-kind") and has("/orders/people")'
has /orders/by-kind '.items == []'
curl -sf $base/metrics > metrics.txt || fail "/metrics"
grep -q '^mesh_build_info{' metrics.txt || fail "/metrics: no mesh_build_info"
ok "/metrics"

# The records of tests/first.yaml, by way of the broker: the service comes to what the test says.
cat > events.csv << 'END'
event_id,person_id,kind,value,at
e1,p1,visit,3,2026-01-01 10:00:00
e2,p2,visit,5,2026-01-01 10:00:20
e2,p2,visit,5,2026-01-01 10:00:20
END
mesh-load --brokers "$(cat broker.ready)" --topic "$(awk '/orders.events/ {print $1}' topics.txt)" \
    --contract contracts/orders/event.v1.avsc --key person_id --time at < events.csv > sent
[ "$(cat sent)" = 3 ] || fail "3 records were to be sent, not $(cat sent)"
counted() { curl -sf "$base/orders/by-kind/visit?window=all" | jq -e '.items[0] | .n == 2 and .total == 8 and .mean == 4'; }
wait_for 60 "the records are counted" counted
has /orders/people '[.items[].n] == [1, 1] and ([.items[].person_id | length] == [32, 32])'

kill -TERM $service
wait $service || fail "SIGTERM: exit $?"
ok "stops when asked"
