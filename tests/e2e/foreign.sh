#!/bin/bash
# From an installation alone, in an empty folder: a mesh, a domain, its service, built and run; its own example records sent and counted.
#
#     foreign.sh BUILD
set -euo pipefail
# shellcheck source=tests/lib/installed.sh
source "$(dirname "$0")/installed.sh" 2> /dev/null || source "$(dirname "$0")/../lib/installed.sh"
KIT=("$(dirname "$0")/../lib/example.py")
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
curl -sf $base/metrics | grep -q '^mesh_build_info{' || fail "/metrics"
ok "/metrics"

# The scaffold's own test: the records of tests/first.yaml, and the rows that they must give.
test=domains/orders/tests/first.yaml
python3 "$kit/example.py" send $test events | mesh-load --brokers "$(cat broker.ready)" --topic "$(awk '/orders.events/ {print $1}' topics.txt)" \
    --contract contracts/orders/event.v1.avsc --key person_id --time at > sent
[ "$(cat sent)" = 3 ] || fail "3 records were to be sent, not $(cat sent)"
wait_for 60 "the example records are counted" python3 "$kit/example.py" expect $test $base by_kind=/orders/by-kind people=/orders/people
ok "the scaffold's own test: $answer"

kill -TERM $service
wait $service || fail "SIGTERM: exit $?"
ok "stops when asked"
