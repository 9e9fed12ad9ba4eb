#!/bin/bash
# The command line: exit codes and messages.  usage: test_options.sh PATH/mesh-sim
set -u
sim=$(realpath "$1")
cd "$(dirname "$0")/../.." || exit 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0

# expect CODE TEXT ARGUMENT...: the exit code, and TEXT somewhere in what is printed.
expect()
{
    local code=$1 text=$2 printed got
    shift 2
    printed=$(timeout 20 "$sim" "$@" 2>&1 >"$folder/stdout")
    got=$?
    printed+=$(head -c 20000 "$folder/stdout" | tr -d '\0')
    if [[ $got != "$code" || $printed != *"$text"* ]]; then
        echo "not ok: mesh-sim $*: exit $got, expected $code with '$text': ${printed:0:300}"
        failures=$((failures + 1))
    else
        echo "ok: mesh-sim $* -> $code"
    fi
}

out=(--out "$folder/out" --start 2026-11-21T08:00:00Z --events 10)

expect 0 '--truth FILE' --help
expect 0 '' "${out[@]}"
expect 0 '' --out=- --start=2026-11-21 --events=10
expect 0 '' "${out[@]}" --start 2026-11-21T09:00:00+01:00 --format binary --partitions 1024 --domain marketing
expect 2 'give either --brokers or --out'
expect 2 'give either --brokers or --out' --out x --brokers localhost:9092
expect 2 '--brokers: a value is missing' --brokers
expect 2 '--rates=3: no such option' --rates=3
expect 2 '-x: no such option' -x
expect 2 'extra: not an option' "${out[@]}" extra
expect 2 '--seed x: must be a whole number' "${out[@]}" --seed x
expect 2 '--seed -1: must be a whole number' "${out[@]}" --seed -1
expect 2 '--events 1.5: must be a whole number' "${out[@]}" --events 1.5
expect 2 '--rate -1: must be' "${out[@]}" --rate -1
expect 2 '--rate nan: must be' "${out[@]}" --rate nan
expect 2 '--rate fast: must be' "${out[@]}" --rate fast
expect 2 '--speed 0: must be' "${out[@]}" --speed 0
expect 2 '--density 0: must be' "${out[@]}" --density 0
expect 2 '--density 100001: must be' "${out[@]}" --density 100001
expect 2 'events per event second' --out "$folder/out" --rate 200000
expect 2 '--start noon: must be a time' "${out[@]}" --start noon
expect 2 '--start 1969-12-31: must be a time' "${out[@]}" --start 1969-12-31
expect 2 '--start 2101-01-01: must be a time' "${out[@]}" --start 2101-01-01
expect 2 '--domain sales: must be all' "${out[@]}" --domain sales
expect 2 '--format csv: must be' "${out[@]}" --format csv
expect 2 '--partitions 0: must be' "${out[@]}" --partitions 0
expect 2 '--partitions 1025: must be' "${out[@]}" --partitions 1025
expect 2 '--partitions and --format are for --out' --brokers localhost:1 --partitions 3
expect 2 '--fraud 0.3: must be' "${out[@]}" --fraud 0.3
expect 2 '--duplicates -0.1: must be' "${out[@]}" --duplicates -0.1
expect 2 '--late x: must be' "${out[@]}" --late x
expect 2 '--malformed 1: must be' "${out[@]}" --malformed 1
expect 2 'at most 0.5' "${out[@]}" --fraud 0.2 --late 0.2 --malformed 0.2
expect 2 'no/such' "${out[@]}" --contracts no/such
expect 2 'cannot be written' "${out[@]}" --out "$folder/no/such"
expect 2 'cannot be written' "${out[@]}" --truth "$folder/no/such"
expect 3 '/dev/full' "${out[@]}" --out /dev/full
expect 3 '/dev/full' "${out[@]}" --truth /dev/full

cp -r contracts "$folder/contracts"
sed -i 's/"WEB", "SHOP"/"SHOP", "WEB"/' "$folder/contracts/sales_fraud/payment.v1.avsc"
expect 2 'the contract says' "${out[@]}" --contracts "$folder/contracts"
echo '{' >"$folder/contracts/sales_fraud/payment.v1.avsc"
expect 2 'not a valid contract' "${out[@]}" --contracts "$folder/contracts"

exit $((failures > 0))
