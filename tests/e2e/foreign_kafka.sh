#!/bin/bash
# From an installation alone: `meshctl up --broker kafka` on a real Apache Kafka, which the installed scripts start; twice, and the second
# run goes on where the first one stopped.
#
#     foreign_kafka.sh BUILD
set -euo pipefail
# shellcheck source=tests/lib/installed.sh
source "$(dirname "$0")/installed.sh" 2> /dev/null || source "$(dirname "$0")/../lib/installed.sh"
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

start
send_events "$brokers"
wait_for 60 "on Apache Kafka at $brokers: the records are counted" counted
stop
ok "stops all of it"
start
wait_for 60 "the second run goes on" counted
stop
