#!/bin/bash
# Other people's validators and clients, which say whether what mesh emits is what the standards ask for: for OpenAPI, AsyncAPI, ODPS,
# ODCS, SARIF and JUnit, and schemathesis, pymongo and puppeteer. Into .cache/validators: py/ (a Python environment), node/
# (node_modules) and schemas/. What cannot be had is named, and the tests that would ask it are skipped.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

wanted=$setup_root/tests/documents
setup_begin validators "validators $(cat "$wanted"/{requirements.txt,package.json,Cargo.toml} "${BASH_SOURCE[0]}" | sha256sum | cut -c 1-16)"
home=$setup_cache/validators
missing=()
said() { # the first line of the log that begins like an error
    grep -m1 -iE '^(error|npm (err|error)|warning: spurious)' "$setup_log" | cut -c 1-120 || true
}

setup_say "fetching validators for Python"
if python3 -m venv "$home/py" >> "$setup_log" 2>&1 9>&- &&
    "$home/py/bin/pip" install -q --disable-pip-version-check -r "$wanted/requirements.txt" >> "$setup_log" 2>&1 9>&-; then
    :
else
    missing+=("Python packages ($(said))")
fi

if command -v npm > /dev/null; then
    setup_say "fetching validators for Node"
    mkdir -p "$home/node"
    cp "$wanted/package.json" "$home/node/"
    (cd "$home/node" && npm install --no-audit --no-fund --ignore-scripts) >> "$setup_log" 2>&1 9>&- || missing+=("Node packages ($(said))")
else
    missing+=("Node packages (no npm on PATH)")
fi

if command -v cargo > /dev/null; then
    setup_say "fetching schemas"
    work=$(mktemp -d "$home/work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    cp "$wanted/Cargo.toml" "$work/"
    : > "$work/none.rs"
    # crate NAME: the folder that cargo keeps its source in
    crate() {
        python3 -c 'import json, os, sys
for p in json.load(open(sys.argv[1]))["packages"]:
    if p["name"] == sys.argv[2]:
        print(os.path.dirname(p["manifest_path"]))' "$work/metadata.json" "$1"
    }
    mkdir -p "$home/schemas"
    if (cd "$work" && cargo metadata --format-version 1 > metadata.json) 2>> "$setup_log" 9>&- &&
        cp "$(crate data-modelling-sdk)/schemas/odps-json-schema-latest.json" "$home/schemas/odps.json" 2>> "$setup_log" &&
        cp "$(crate serde-sarif)/src/schema.json" "$home/schemas/sarif.json" 2>> "$setup_log"; then
        :
    else
        missing+=("JSON schemas ($(said))")
    fi
else
    missing+=("JSON schemas (no cargo on PATH)")
fi

((${#missing[@]} == 0)) || setup_cannot "fetch" "$(IFS=,; echo "${missing[*]}")"
setup_done
