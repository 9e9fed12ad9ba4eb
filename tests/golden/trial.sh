#!/bin/bash
# Golden tests of `meshgen test`: what it says of tests that are wrong, that fail, and that the product does not survive.
#
#     tests/golden/trial.sh MESHGEN [CASE...]     compare;  BLESS=1: write what is there now
#
# A case is tests/golden/trial/<name>/ with in/ (laid over diag/base, trial/base and the folder that the
# file `also` names), cmd (absent: test), stdout and exit. With a file
# in/program the C compiler is replaced by one whose programs are this file, because the engine does not fail on request.
# PKG_CONFIG_PATH names the folder of mesh.pc.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
meshgen=$(realpath "${1:?usage: trial.sh MESHGEN [CASE...]}")
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 passed=0
unset NO_COLOR TERM
export LC_ALL=C

cat > "$work/cc" << 'END'
#!/bin/sh
while [ $# -gt 0 ]; do
    if [ "$1" = -o ]; then out=$2; fi
    shift
done
[ -s program ] || { echo "error: nothing compiles here"; exit 1; }
cp program "$out" && chmod +x "$out"
END
chmod +x "$work/cc"

run_case() {
    local dir=$here/trial/$1 mesh=$work/$1 args=test good=1 file
    mkdir -p "$mesh"
    cp -R "$here/diag/base/." "$here/trial/base/." "$mesh/"
    if [ -f "$dir/also" ]; then cp -R "$here/$(cat "$dir/also")/." "$mesh/"; fi
    cp -R "$dir/in/." "$mesh/"
    if [ -f "$dir/cmd" ]; then args=$(cat "$dir/cmd"); fi
    (
        cd "$mesh" || exit 99
        if [ -f program ]; then export CC=$work/cc; fi
        # shellcheck disable=SC2086
        timeout 120 "$meshgen" $args > "$work/said" 2>&1
        echo $? > "$work/exit"
        sed -e 's/; [0-9.]* ms in the engine$//' -e 's/time="[0-9.]*"/time="..."/' -e 's/"ms":[0-9.]*/"ms":.../' "$work/said" > "$work/stdout"
    )
    if [ "${BLESS:-}" = 1 ]; then
        cp "$work/stdout" "$work/exit" "$dir/"
        return
    fi
    for file in stdout exit; do diff -u --label "$1/$file" --label got "$dir/$file" "$work/$file" || good=0; done
    if [ $good = 1 ]; then passed=$((passed + 1)); else
        echo "FAIL $1"
        failed=$((failed + 1))
    fi
}

if [ $# -gt 0 ]; then
    for name in "$@"; do run_case "$name"; done
else
    for dir in "$here"/trial/*/; do [ "$(basename "$dir")" = base ] || run_case "$(basename "$dir")"; done
    while read -r code; do
        grep -qs "\[$code\]" "$here"/trial/"$code"-*/stdout || { echo "no golden shows $code"; failed=$((failed + 1)); }
    done < <(sed -n 's/^MESH_CODE("\(MT[0-9]*\)".*/\1/p' "$here/../../codegen/codes.def")
fi
if [ "${BLESS:-}" = 1 ]; then
    echo "blessed; look at: git diff --stat tests/golden"
    exit 0
fi
echo "golden trial: $passed passed, $failed failed"
[ $failed = 0 ]
