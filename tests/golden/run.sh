#!/usr/bin/env bash
# Golden tests of the compiler's messages.
#
#   tests/golden/run.sh MESHGEN [CASE...]     compare;  BLESS=1: write what is there now
#
# A case is tests/golden/diag/<code>-<slug>/ with
#   in/     files of a mesh, laid over tests/golden/diag/base
#   cmd     arguments of meshgen (absent: check)
#   setup   shell commands run in the mesh first (absent: none); $here is this folder, $meshgen the compiler
#   stderr, exit, and, when the command prints something, stdout
# Every code MY, MG and MB of codegen/codes.def has a case of its name whose output holds it.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
meshgen=$(realpath "${1:?usage: run.sh MESHGEN [CASE...]}")
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
passed=0
unset NO_COLOR TERM MESHGEN_FLAGS
export LC_ALL=C

fail() {
    echo "FAIL $1"
    failed=$((failed + 1))
}

run_case() {
    local dir=$1 name
    name=$(basename "$dir")
    local mesh=$work/$name
    mkdir -p "$mesh"
    cp -R "$here/diag/base/." "$mesh/"
    if [ -d "$dir/in" ]; then cp -R "$dir/in/." "$mesh/"; fi
    local args=check
    if [ -f "$dir/cmd" ]; then args=$(cat "$dir/cmd"); fi
    (
        cd "$mesh" || exit 99
        if [ -f "$dir/setup" ]; then meshgen=$meshgen here=$here bash -eu "$dir/setup" || exit 99; fi
        eval "timeout 20 \"$meshgen\" $args" >"$work/stdout" 2>"$work/stderr"
        echo $? >"$work/exit"
    ) || { fail "$name (setup)"; return; }
    chmod -R u+rwX "$mesh"
    if [ "${BLESS:-}" = 1 ]; then
        cp "$work/stderr" "$work/exit" "$dir/"
        if [ -s "$work/stdout" ] && [ -f "$dir/cmd" ]; then cp "$work/stdout" "$dir/stdout"; else rm -f "$dir/stdout"; fi
        return
    fi
    local good=1 file
    for file in stderr exit stdout; do
        [ "$file" = stdout ] && [ ! -f "$dir/stdout" ] && continue
        diff -u --label "$name/$file" --label got "$dir/$file" "$work/$file" || good=0
    done
    if [ $good = 1 ]; then passed=$((passed + 1)); else fail "$name"; fi
}

if [ $# -gt 0 ]; then
    for name in "$@"; do run_case "$here/diag/$name"; done
else
    for dir in "$here"/diag/*-*/; do run_case "${dir%/}"; done
    while read -r code; do
        if ! grep -qs "\[$code\]" "$here"/diag/"$code"-*/stderr; then fail "no golden shows $code"; fi
    done < <(sed -n 's/^MESH_CODE("\(M[YGB][0-9]*\)".*/\1/p' "$here/../../codegen/codes.def")
fi
if [ "${BLESS:-}" = 1 ]; then
    echo "blessed; look at: git diff --stat tests/golden"
    exit 0
fi
echo "golden diag: $passed passed, $failed failed"
[ $failed = 0 ]
