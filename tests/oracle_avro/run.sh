#!/bin/bash
# Random pairs of Avro schemas and data: canonical forms, fingerprints, compatibility and resolution, against Java Avro.
#   run.sh GENERATOR [PAIRS [SEED]]
# 10,000 pairs take some seconds. Exit 77: Java Avro cannot be had here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
generator=$(realpath "$1")
n=${2:-10000} seed=${3:-20261121}
# shellcheck source-path=SCRIPTDIR source=../../scripts/setup/cache.sh
. "$root/scripts/setup/cache.sh"
"$root/scripts/setup/oracles.sh" > /dev/null 2>&1 || true
# shellcheck disable=SC2154 # set by cache.sh
home=$mesh_cache/oracles/avro
[ -f "$home/classes/Judge.class" ] || { echo "skip: no Java Avro here (scripts/setup.sh oracles says why)"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$generator" "$seed" "$n" "$work/pairs.tsv"
java -Xshare:auto -XX:TieredStopAtLevel=1 -cp "$home/classes:$home/libs/*" Judge "$work/pairs.tsv"
