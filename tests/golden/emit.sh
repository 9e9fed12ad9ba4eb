#!/bin/bash
# What meshgen emits: it compiles without a warning under both compilers, is the same whoever asks from where, is written only when it
# changes, is not overwritten when edited, and follows a one-line change of the declaration with a small one.   emit.sh MESHGEN
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
meshgen=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
check() { # what condition...
    local what=$1
    shift
    if "$@"; then echo "ok   $what"; else
        echo "FAIL $what"
        failed=$((failed + 1))
    fi
}

strict=(-std=gnu17 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-overlength-strings -Werror
    -fsyntax-only -I "$root/platform/include")
compiles() { # folder of emitted domains
    local cc
    for cc in gcc clang; do
        command -v $cc > /dev/null || continue
        $cc "${strict[@]}" "$1"/*/*.c || return 1
    done
}
lines_of() { find "$1" -name '*.[ch]' -exec wc -l {} + | awk '$2 != "total" && $1 > 1500 {bad = 1; print} END {exit bad}'; }

mesh() { # a copy of the repository's own mesh
    mkdir -p "$1"
    cp -r "$root/mesh.yaml" "$root/domains" "$root/contracts" "$1/"
}

# every construct of the language, and the four domains
mkdir "$work/everything"
cp -r "$here/diag/base/." "$here/diag/ok-everything/in/." "$work/everything/"
"$meshgen" generate --mesh "$work/everything" -o "$work/out-everything" > /dev/null
check "a product with every construct compiles" compiles "$work/out-everything"

# texts that would like to be C, HTML, JSON, a template or a shell's: they compile as texts, and are found again as they were
"$meshgen" generate --mesh "$here/../documents/hostile" -o "$work/out-hostile" > /dev/null
check "hostile texts compile as texts" compiles "$work/out-hostile"
markup() { ! grep -nE '<(script|b|img)|(^|[^\\])`id' "$1"; }
check "no markup of theirs is in the README" markup "$work/out-hostile/shop/README.md"
check "nothing of theirs is in what a shell or meson reads" \
    bash -c '! grep -lE "id\)|alert|system" "$1"/shop/Dockerfile "$1"/shop/meson.build' _ "$work/out-hostile"

# doubles: two roundings where the declaration says two operations, also on a machine that could do with one
sed -i 's/^      total: sum(amount)/&\n      load: sum(weight * weight + 1.5)/' "$work/everything/domains/shop/product.yaml"
"$meshgen" generate --mesh "$work/everything" -o "$work/out-doubles" > /dev/null
read -ra emitted_args < <(sed -n "s/.*c_args: \[\(.*\)\].*/\1/p" "$work/out-doubles/shop/meson.build" | tr -d "',")
fused=()
[ "$(uname -m)" != x86_64 ] || fused=(-mfma)
fused_in() { # compiler option...: how many fused operations
    "$@" -std=gnu17 -O2 "${fused[@]}" -I "$root/platform/include" -S -o - "$work/out-doubles/shop/shop_views.c" |
        grep -cE '^[[:space:]]+v?fn?m(add|sub)' || true
}
for cc in gcc clang; do
    command -v $cc > /dev/null || continue
    check "$cc would fuse a multiplication with an addition" test "$(fused_in $cc -ffp-contract=fast)" -gt 0
    check "$cc does not with the arguments of the emitted meson.build" test "$(fused_in $cc "${emitted_args[@]}")" = 0
done
check "the platform is compiled without it, too" grep -q "^ *'-ffp-contract=off'," "$root/meson.build"

mesh "$work/omni"
"$meshgen" generate --mesh "$work/omni" -o "$work/a" > /dev/null
check "the four domains compile" compiles "$work/a"
check "no file above 1,500 lines" lines_of "$work/a"

(cd / && LC_ALL=C.UTF-8 MALLOC_PERTURB_=7 "$meshgen" generate --mesh "$work/omni" -o "$work/b" > /dev/null)
check "the same bytes from another folder" diff -r "$work/a" "$work/b"
touch -d 2020-01-01 "$work"/a/*/*
"$meshgen" generate --mesh "$work/omni" -o "$work/a" > /dev/null
check "nothing is written twice" test -z "$(find "$work/a" -type f -newermt 2021-01-01)"
up_to_date() { "$meshgen" generate --mesh "$work/omni" -o "$work/a" --check > /dev/null; }
check "--check agrees" up_to_date

# a contract with an older and a newer version: both are read, by straight C
"$meshgen" generate --mesh "$here/versions" -o "$work/versions" > /dev/null
check "decoders of other versions compile" compiles "$work/versions"
sed -n '/^static void payment_v2_from/,/^}/p' "$work/versions/shop/shop_records.c" > "$work/versions.c"
[ "${BLESS:-}" != 1 ] || cp "$work/versions.c" "$here/versions/expected.c"
check "and read as they did" diff "$here/versions/expected.c" "$work/versions.c"

# two contracts of one name and version, of two domains: one struct and decoder each
mkdir -p "$work/namesakes/contracts/other"
cp -r "$here/versions/." "$work/namesakes/"
sed '/"fee"/d; s/{"type": "bytes", "logicalType": "decimal", [^}]*}/"long"/; s/"shop"/"other"/' \
    "$here/versions/contracts/shop/payment.v2.avsc" > "$work/namesakes/contracts/other/payment.v2.avsc"
sed -i 's|^inputPorts:|&\n  others: { topic: other.payments, contract: other/payment@2, key: card_id, eventTime: paid_at }|
    s|^views:|&\n  by_other: { from: others, by: card_id, keep: 1d, let: { total: sum(amount) } }|
    s|^outputPorts:|&\n  by_other: { kind: http, from: by_other, path: /others }|' "$work/namesakes/domains/shop/product.yaml"
"$meshgen" generate --mesh "$work/namesakes" -o "$work/namesakes/out" > /dev/null
check "namesakes of two domains compile" compiles "$work/namesakes/out"
check "and each is read by its own contract" test "$(grep -c 'int64_t amount;\|mesh_dec amount;' <(sed -n '/^struct .*payment_v2 {/,/^}/p' "$work/namesakes/out/shop/shop.h"))" = 2

# a hand-edited file is not overwritten; a file that is no longer made goes
echo '/* mine */' >> "$work/b/customer/customer_views.c"
if "$meshgen" generate --mesh "$work/omni" -o "$work/b" > "$work/out" 2>&1; then code=0; else code=$?; fi
check "an edited file is refused" test "$code" != 0
check "and named" grep -q 'customer_views.c is generated, but was changed by hand' "$work/out"
check "and kept" grep -q mine "$work/b/customer/customer_views.c"
check "and its difference shown" grep -qxF '+/* mine */' "$work/out"

# one line of YAML: 'amount_eur > 500.0' becomes 400.0
sed -i 's/amount_eur > 500.0/amount_eur > 400.0/' "$work/omni/domains/sales_fraud/product.yaml"
cp -r "$work/a" "$work/before"
"$meshgen" generate --dry-run --mesh "$work/omni" -o "$work/a" > "$work/dry" 2> /dev/null && code=0 || code=$?
check "--dry-run names what would be written, and is no finding" test "$code $(grep -c sales_fraud "$work/dry")" = "0 4"
"$meshgen" generate --diff --check --mesh "$work/omni" -o "$work/a" > "$work/diff" 2> /dev/null && code=0 || code=$?
check "--diff with --check is a finding" test "$code" = 1
check "--diff shows the line" grep -q '^+.*40000' "$work/diff"
check "neither writes" diff -rq "$work/before" "$work/a"
cp -r "$work/a" "$work/patched"
sed "s|$work/a/||; s|$work/a/||" "$work/diff" | (cd "$work/patched" && patch -s -p0)
"$meshgen" generate --mesh "$work/omni" -o "$work/a" > /dev/null
check "what --diff shows is what generate does" diff -rq -x manifest "$work/patched" "$work/a"
changed=$(cd "$work" && { diff -rq before a || true; } | sed 's/^Files before\///; s/ and .*//' | sort | tr '\n' ' ')
check "one line changes that stream, the hash of its tables, what lineage says of it, the manifest: $changed" \
    test "$changed" = "sales_fraud/manifest sales_fraud/sales_fraud.lineage.json sales_fraud/sales_fraud_documents.c \
sales_fraud/sales_fraud_streams.c sales_fraud/sales_fraud_tables.c "
new_lines() { { diff "$work/before/$1" "$work/a/$1" || true; } | grep -c '^>' || true; }
lines=$(new_lines sales_fraud/sales_fraud_streams.c)
check "one line of C changes in the stream" test "$lines" = 1
lines=$(new_lines sales_fraud/sales_fraud_tables.c)
check "one line of the tables: the declaration's hash" test "$lines" = 1

# a hostile text cannot leave its literal or comment
sed -i 's|  purpose: What is on the shelf.*|  purpose: "*/ int x = 1; /* \\" ??/ %s {{p}} \\n\\\\"|' "$work/omni/domains/product_stock/product.yaml"
"$meshgen" generate --mesh "$work/omni" -o "$work/hostile" --domain product_stock > /dev/null
check "hostile text in a description compiles" compiles "$work/hostile"

echo "$failed failed"
((failed == 0))
