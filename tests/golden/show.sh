#!/bin/bash
# Golden tests of the commands that show a mesh: lineage and plan.
#
#     tests/golden/show.sh MESHGEN [CASE...]     compare;  BLESS=1: write what is there now
#
# A case is tests/golden/show/cases/<name>.<mesh>: its first line, "meshgen ...", is the command, the rest what it prints (standard
# error behind standard output) and "exit N". <mesh> is `hostile`, the folder here whose texts want to be code, `circle`, where
# two products read each other, or `omnishop`, the repository's own. Behind the goldens show_formats.py reads dot, mermaid, OpenLineage and JSON
# as strictly as their readers would, and compiles the sizes that the plan states.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
meshgen=$(realpath "${1:?usage: show.sh MESHGEN [CASE...]}")
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 passed=0
unset NO_COLOR TERM
export LC_ALL=C SOURCE_DATE_EPOCH=0

run_case() {
    local file=$here/show/cases/$1 mesh=$here/show/${1##*.} args
    if [ "${1##*.}" = omnishop ]; then mesh=$root; fi
    read -r _ args < "$file"
    {
        echo "meshgen $args"
        # shellcheck disable=SC2086
        (cd "$mesh" && timeout 20 "$meshgen" $args 2> "$work/stderr")
        local code=$?
        cat "$work/stderr"
        echo "exit $code"
    } > "$work/got"
    if [ "${BLESS:-}" = 1 ]; then
        cp "$work/got" "$file"
    elif diff -u --label "$1" --label got "$file" "$work/got"; then
        passed=$((passed + 1))
    else
        echo "FAIL $1"
        failed=$((failed + 1))
    fi
}

if [ $# -gt 0 ]; then
    for name in "$@"; do run_case "$name"; done
else
    for file in "$here"/show/cases/*; do run_case "$(basename "$file")"; done
fi
if [ "${BLESS:-}" = 1 ]; then
    echo "blessed; look at: git diff --stat tests/golden"
    exit 0
fi
echo "golden show: $passed passed, $failed failed"
for mesh in "$here/show/hostile" "$root"; do
    python3 "$here/show_formats.py" "$meshgen" "$mesh" || failed=$((failed + 1))
done
[ $failed = 0 ]
