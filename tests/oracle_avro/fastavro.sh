#!/bin/bash
# Random pairs of Avro schemas and data: canonical forms, fingerprints and resolution, against fastavro.
#   fastavro.sh GENERATOR [PAIRS [SEED]]
# 4,000 pairs take some seconds. Exit 77: fastavro cannot be had here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
generator=$(realpath "$1")
n=${2:-4000} seed=${3:-20261121}
# shellcheck source-path=SCRIPTDIR source=../../scripts/setup/cache.sh
. "$root/scripts/setup/cache.sh"
"$root/scripts/setup/registry.sh" > /dev/null 2>&1 || true
# shellcheck disable=SC2154 # set by cache.sh
python=$mesh_cache/registry/python/bin/python
[ -x "$python" ] || { echo "skip: no fastavro here (scripts/setup.sh registry says why)"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$generator" "$seed" "$n" "$work/pairs.tsv"
"$python" "$here/judge_fastavro.py" "$work/pairs.tsv"
