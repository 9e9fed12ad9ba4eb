#!/bin/bash
# scripts/mongo.sh: a document survives a stop and a kill -9, at the same address.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

mongo=$root/scripts/mongo.sh
need gcc pkg-config
pkg-config --exists libmongoc-1.0 || skip "no libmongoc-dev (scripts/setup.sh minimal)"
dir=$work/server
trap '"$mongo" kill "$dir" > /dev/null 2>&1 || true; rm -rf "$work"' EXIT

read -ra flags < <(pkg-config --cflags --libs libmongoc-1.0)
gcc -std=gnu17 -O1 -o "$work/roundtrip" "$root/tests/scripts/mongo_roundtrip.c" "${flags[@]}"
status=0
uri=$("$mongo" start "$dir" 2> "$work/err") || status=$?
[ "$status" != 3 ] || skip "$(cat "$work/err")"
[ "$status" = 0 ] || { cat "$work/err" >&2; fail "start: exit $status"; }
expect "uri" "$("$mongo" uri "$dir")" "$uri"
expect "a second start changes nothing" "$("$mongo" start "$dir")" "$uri"
expect "insert and find" "$("$work/roundtrip" "$uri" insert 1)" 1
"$mongo" stop "$dir"
expect_exit "stopped" 1 "$work/roundtrip" "$uri" count
expect "started at the same address" "$("$mongo" start "$dir")" "$uri"
expect "after a stop" "$("$work/roundtrip" "$uri" count)" 1
expect "insert another" "$("$work/roundtrip" "$uri" insert 2)" 2
"$mongo" kill "$dir"
expect "started after kill -9" "$("$mongo" start "$dir")" "$uri"
expect "after kill -9" "$("$work/roundtrip" "$uri" count)" 2
"$mongo" stop "$dir"
