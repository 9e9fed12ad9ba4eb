#!/bin/bash
# The documents say what is there: the generated part of DECLARATION.md, the declarations that are shown as examples, the files and make
# targets that are named.   docs.sh MESHGEN
set -euo pipefail
meshgen=$(realpath "$1")
cd "${2:-$(dirname "$0")/../..}"
bad=0
complain() {
    echo "$1"
    bad=$((bad + 1))
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pages=(README.md CONTRIBUTING.md docs/*.md docs/decisions/*.md domains/*/README.md tools/*/README.md)

# ---- what `meshgen docs` prints ----
sed -n '/^<!-- Written by `meshgen docs`/,/^<!-- End of what `meshgen docs` writes/p' docs/DECLARATION.md |
    sed '$d' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' > "$work/written"
"$meshgen" docs > "$work/printed"
if ! diff -u "$work/written" "$work/printed" > "$work/diff"; then
    complain "docs/DECLARATION.md: its tables are not what 'meshgen docs' prints; put its output between the two comments:"
    head -n 20 "$work/diff"
fi

# ---- declarations that stand in a yaml block ----
blocks=0
for page in README.md docs/DECLARATION.md; do
    awk -v dir="$work" -v page="$(basename "$page" .md)" '
        /^```/ && open { close(file); open = 0; next }
        /^```yaml$/ { at = NR; open = 1; file = ""; next }
        open && NR == at + 1 && /^apiVersion:/ { file = dir "/" page "." NR ".yaml" }
        open && file != "" { print > file }
    ' "$page"
done
for block in "$work"/*.yaml; do
    [ -e "$block" ] || break
    blocks=$((blocks + 1))
    mesh=$work/mesh
    rm -rf "$mesh"
    mkdir -p "$mesh"
    cp -r mesh.yaml contracts "$mesh"
    if grep -q '^kind: Mesh$' "$block"; then
        cp "$block" "$mesh/mesh.yaml"
    else
        domain=$(sed -n 's/^domain: *//p' "$block")
        mkdir -p "$mesh/domains/$domain"
        cp "$block" "$mesh/domains/$domain/product.yaml"
    fi
    if ! "$meshgen" check --mesh "$mesh" > "$work/said" 2>&1; then
        place=$(basename "$block" .yaml)
        complain "${place%.*}.md, the yaml block at line ${place##*.} does not compile:"
        cat "$work/said"
    fi
done
((blocks > 0)) || complain "no declaration found in README.md and docs/DECLARATION.md"

# ---- tests that stand in a yaml block: each is a file that the test 'declared' runs ----
tests=0
awk -v dir="$work" '
    /^```/ && open { close(file); open = 0; next }
    /^```yaml$/ { open = 1; file = dir "/TESTING." NR ".test"; next }
    open { print > file }
' docs/TESTING.md
for block in "$work"/TESTING.*.test; do
    [ -e "$block" ] || break
    tests=$((tests + 1))
    same=0
    for file in domains/*/tests/*.yaml; do if cmp -s "$block" "$file"; then same=1; fi; done
    ((same)) || complain "docs/TESTING.md: a test that is shown is none of domains/*/tests/*.yaml"
done
((tests > 0)) || complain "no test found in docs/TESTING.md"

# ---- files that are named ----
files=0
while IFS=: read -r page line path; do
    path=${path%[.-]}
    files=$((files + 1))
    compgen -G "$path" > /dev/null || complain "$page:$line: there is no $path"
done < <(grep -noP '(?<![\w/.-])(platform|codegen|tools|tests|scripts|templates|docs|contracts|domains)/[\w./*-]++(?!:\d)' "${pages[@]}" |
    grep -vE '^docs/TUTORIAL.md:[0-9]+:(contracts|domains|tests)/' || true)

# ---- make targets that are named: in backquotes, or as a line of shell ----
targets=$(grep -oE '^[a-z][a-z-]*:' Makefile | tr -d :)
makes=0
while IFS=: read -r page line text; do
    target=${text##* }
    makes=$((makes + 1))
    grep -qx "$target" <<< "$targets" || complain "$page:$line: the Makefile has no target '$target'"
done < <(grep -noP '(`|^    (\$ )?|^\$ )make [a-z][a-z-]*' "${pages[@]}" || true)

echo "${#pages[@]} pages, $blocks declarations, $files files, $makes targets, $bad complaints"
((bad == 0))
