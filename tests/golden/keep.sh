#!/bin/bash
# What `meshgen plan --against` says of changes: which keep the state, which need a replay, and why.
#
#     keep.sh MESHGEN
set -euo pipefail
meshgen=$(realpath "$1")
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0
bad=0

# try NAME SED EXIT TEXT...: the declaration of sales_fraud changed by SED; every TEXT is in what is said, "!TEXT" is not.
try() {
    local name=$1 change=$2 want=$3 code=0
    shift 3
    n=$((n + 1))
    rm -rf "$work/now"
    mkdir "$work/now"
    cp -r mesh.yaml contracts domains "$work/now"
    sed -i "$change" "$work/now/domains/sales_fraud/product.yaml"
    if [ -n "$change" ] && cmp -s domains/sales_fraud/product.yaml "$work/now/domains/sales_fraud/product.yaml"; then
        echo "not ok $n - $name: nothing was changed"
        bad=1
        return
    fi
    "$meshgen" plan --mesh "$work/now" --against . --product sales_fraud > "$work/said" 2> "$work/errors" || code=$?
    local wrong=""
    [ $code = "$want" ] || wrong="exit $code, not $want"
    for text in "$@"; do
        if [ "${text:0:1}" = '!' ]; then
            if grep -qF -- "${text:1}" "$work/said"; then wrong+="; says '${text:1}'"; fi
        else
            grep -qF -- "$text" "$work/said" || wrong+="; does not say '$text'"
        fi
    done
    if [ -z "$wrong" ]; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name: $wrong"
        sed 's/^/# /' "$work/said" "$work/errors"
        bad=1
    fi
}

echo 1..7
try "nothing changed" "" 0 "sales_fraud keeps its state" "!expression"
try "an expression" 's/where: amount > 0.0/where: amount > 5.0/' 0 "keeps its state. Where an expression changed" "meshctl replay sales_fraud"
try "a port more" 's|^  live_alerts: |  more_cards: { kind: http, from: cards, path: /more-cards }\n&|' 0 "keeps its state"
try "an aggregate more" 's/^      largest_eur: max(amount_eur)$/&\n      smallest_eur: min(amount_eur)/' 1 "needs a replay" "state daily_by_country has another shape" "!sales_by_country"
try "another window" '0,/window: { tumbling: 1m, grace: 10m }/s//window: { tumbling: 5m, grace: 10m }/' 1 "needs a replay" "state sales_by_country has another shape"
try "another topic" 's/topic: omnishop.sales.shop-payments/topic: omnishop.sales.shop-payments-2/' 1 "needs a replay" "input shop_payments is another"
try "a pattern that waits longer" "s|within: 10m|within: 20m|" 1 "needs a replay" "state probes"
exit $bad
