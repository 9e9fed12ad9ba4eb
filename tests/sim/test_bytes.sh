#!/bin/bash
# Same seed, start and events: the same bytes, whatever the rate. Anything else: other bytes.  usage: test_bytes.sh PATH/mesh-sim
set -u
sim=$(realpath "$1")
cd "$(dirname "$0")/../.." || exit 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0

check()
{
    local what=$1
    shift
    if "$@"; then
        echo "ok: $what"
    else
        echo "not ok: $what"
        failures=$((failures + 1))
    fi
}

# run NAME OPTION...: records in NAME, truth in NAME.truth
run()
{
    local name=$folder/$1
    shift
    "$sim" --out "$name" --truth "$name.truth" --events 20000 --start 2026-11-21T08:00:00Z "$@" || failures=$((failures + 1))
}

same()
{
    cmp -s "$folder/$1" "$folder/$2" && cmp -s "$folder/$1.truth" "$folder/$2.truth"
}

differ()
{
    ! cmp -s "$folder/$1" "$folder/$2"
}

# The prefix of ordinary payments is not asked to be the same with other faults; only that options about time do not change bytes.
run once
run again
run rate --rate 80000
run speed --speed 1000
run both --rate 100000 --speed 500
run zone --start 2026-11-21T10:00:00+02:00
run seed --seed 2
run start --start 2026-11-21T08:00:00.001Z
run fewer --events 15000
run binary --format binary
run binary_rate --format binary --rate 100000
"$sim" --out - --events 20000 --start 2026-11-21T08:00:00Z >"$folder/pipe"
cp "$folder/once.truth" "$folder/pipe.truth"

check 'two runs write the same bytes' same once again
check 'a rate changes nothing' same once rate
check 'a speed changes nothing' same once speed
check 'rate and speed change nothing' same once both
check 'the same moment in another zone' same once zone
check 'standard output is the same as a file' same once pipe
check 'binary, two runs' same binary binary_rate
check 'the truth does not depend on the format' cmp -s "$folder/once.truth" "$folder/binary.truth"
check 'another seed' differ once seed
check 'another start' differ once start
check 'fewer events are a prefix' cmp -s -n "$(stat -c %s "$folder/fewer")" "$folder/once" "$folder/fewer"
check 'and there is something in it' test "$(stat -c %s "$folder/fewer")" -gt 1000000
exit $((failures > 0))
