#!/bin/bash
# From an installation alone: `meshctl up --broker kafka` on a real Apache Kafka, which the installed scripts start; twice, and the second
# run goes on where the first one stopped.
#
#     foreign_kafka.sh BUILD
set -euo pipefail
# shellcheck source=tests/lib/installed.sh
source "$(dirname "$0")/installed.sh" 2> /dev/null || source "$(dirname "$0")/../lib/installed.sh"
KIT=("$(dirname "$0")/../lib/example.py")
inside "$@"

if [ -z "$cache" ] || [ ! -s "$cache/kafka/.ready" ]; then skip "Apache Kafka is not set up (make setup)"; fi
export MESH_CACHE=$cache MESH_PSEUDONYM_KEY="a key for tests that is long enough"
{
    meshgen init
    meshgen new-domain orders
    meshgen generate
    meson setup build/svc/orders build/gen/orders
    ninja -C build/svc/orders
    meshgen topics > topics.txt
} > build.log 2>&1 || { cat build.log; fail "building a domain"; }
test=domains/orders/tests/first.yaml

up=''
trap 'status=$?; if [ $status != 0 ]; then tail -n 20 up.log run/log/*; fi; [ -z "$up" ] || { kill -INT $up; wait $up; } 2> /dev/null' EXIT

# start: a mesh on Kafka; sets `brokers` and `base`.
start() {
    meshctl up --broker kafka > up.log 2>&1 &
    up=$!
    wait_for 120 "meshctl up --broker kafka" grep -q '^the mesh is up' up.log
    brokers=$(awk '$1 == "broker" && $2 ~ /:/ {print $2}' up.log)
    base=$(awk '$1 == "orders" {print $2}' up.log)
}

stop() {
    kill -INT $up
    wait $up || fail "SIGINT: exit $?"
    up=''
    left=$(ps -e -o comm= | grep -E '^(orders|mesh-|java|postgres|ferretdb)' || true)
    [ -z "$left" ] || fail "left behind: $left"
}

expected() {
    python3 "$kit/example.py" expect $test "$base" by_kind=/orders/by-kind people=/orders/people
}

start
python3 "$kit/example.py" send $test events | mesh-load --brokers "$brokers" --topic "$(awk '/orders.events/ {print $1}' topics.txt)" \
    --contract contracts/orders/event.v1.avsc --key person_id --time at > sent
[ "$(cat sent)" = 3 ] || fail "3 records were to be sent, not $(cat sent)"
wait_for 60 "the example records are counted" expected
ok "on Apache Kafka at $brokers: $answer"
stop
ok "stops all of it"
start
wait_for 60 "the second run goes on" expected
ok "the second run goes on: $answer"
stop
