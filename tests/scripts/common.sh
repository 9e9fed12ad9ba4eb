# shellcheck shell=bash
# Sourced by the tests of the scripts and servers. Exit 0 passed, 77 skipped (a line says why),
# anything else failed. Programs come from build/bin, or from MESH_BIN.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034  # for those who source it
bin=${MESH_BIN:-$root/build/bin}
work=$(mktemp -d)

skip() {
    printf 'skipped: %s\n' "$1"
    exit 77
}

fail() {
    printf 'FAILED: %s\n' "$1" >&2
    exit 1
}

ok() {
    printf 'ok: %s\n' "$1"
}

# expect WHAT GOT WANTED
expect() {
    [ "$2" = "$3" ] || fail "$1: got \"$2\", wanted \"$3\""
    ok "$1"
}

# expect_exit WHAT CODE COMMAND...: runs it, its output goes to $work/out.
expect_exit() {
    local what=$1 code=$2 status=0
    shift 2
    "$@" > "$work/out" 2>&1 || status=$?
    [ "$status" = "$code" ] || {
        cat "$work/out" >&2
        fail "$what: exit $status, wanted $code"
    }
    ok "$what"
}

# until_true SECONDS COMMAND...: polls for the condition.
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.02
    done
}

need() {
    local tool
    for tool; do
        command -v "$tool" > /dev/null || skip "no $tool on PATH (scripts/setup.sh full)"
    done
}

# partitions_of BROKERS TOPIC: how many, or nothing.
partitions_of() {
    kcat -b "$1" -L 2> /dev/null | sed -n "s/^ *topic \"$2\" with \([0-9]*\) partitions.*/\1/p"
}

# read_all BROKERS TOPIC: every record of a topic, one a line.
read_all() {
    kcat -b "$1" -C -t "$2" -o beginning -e -q -X fetch.wait.max.ms=10
}
