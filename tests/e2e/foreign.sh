#!/bin/bash
# From an installation alone, in an empty folder: a mesh, a domain, its service, built and run; its own example records sent and counted.
# Then the same with `meshctl up`.
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

gen=build/gen/orders svc=build/svc/orders
said "the scaffold's own test" meshgen test
if grep -rlF "$PWD" $gen; then fail "what is emitted names the folder it was emitted in"; fi
said "meson setup" meson setup $svc $gen --werror
said "ninja" ninja -C $svc

meshgen topics > topics.txt
mesh-broker --topics topics.txt --ready-file broker.ready > broker.log 2>&1 &
broker=$!
wait_for 20 "the broker is ready" test -s broker.ready
MESH_KAFKA_EMBEDDED=1 $svc/orders > service.log 2>&1 &
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

send_events "$(cat broker.ready)"
wait_for 60 "the records are counted" counted
has /orders/people '[.items[].n] == [1, 1] and ([.items[].person_id | length] == [32, 32])'

kill -TERM $service
wait $service || fail "SIGTERM: exit $?"
ok "stops when asked"
kill $broker
wait $broker || true

# All of it with one command, in a mesh whose events are not OmniShop's.
meshctl up > up.log 2>&1 &
up=$!
wait_for 30 "meshctl up" grep -q '^the mesh is up' up.log
grep -q "^simulator   off, .*contracts/" up.log || { cat up.log; fail "meshctl up does not say why there is no simulator"; }
grep -q "^mongodb     off; .*share/mesh/scripts/setup.sh mongo" up.log || { cat up.log; fail "meshctl up does not say how to have MongoDB"; }
brokers=$(awk '$1 == "broker" && $2 ~ /:/ {print $2}' up.log)
send_events "$brokers"
wait_for 60 "meshctl up: the records are counted" counted
kill -INT $up
wait $up || { cat up.log; fail "meshctl up, SIGINT: exit $?"; }
left=$(ps -e -o comm= | grep -E '^(orders|mesh-)' || true)
[ -z "$left" ] || fail "meshctl up leaves behind: $left"
ok "meshctl up stops all of it"

if meshctl up --broker kafka > up.log 2>&1; then fail "meshctl up --broker kafka: there is no Kafka here"; fi
grep -qF "$HOME/.cache/mesh/kafka; run $prefix/" up.log || { cat up.log; fail "it does not say what to run"; }
"$(sed -n 's/.*; run \(.*\) kafka$/\1/p' up.log | head -n 1)" nonsense > out 2>&1 && fail "setup.sh takes nonsense"
grep -q "setup.sh PART" out || { cat out; fail "what it says to run is not there"; }
ok "meshctl up --broker kafka without a Kafka: says what to run"
