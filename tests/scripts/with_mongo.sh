#!/bin/bash
# Run a program with a MongoDB of its own: MESH_TEST_MONGO_URI names it.   with_mongo.sh PROGRAM ARGS...
set -euo pipefail
scripts=$(cd "$(dirname "$0")/../../scripts" && pwd)
dir=$(mktemp -d)
trap '"$scripts/mongo.sh" stop "$dir/mongo" > /dev/null 2>&1 || true; rm -rf "$dir"' EXIT
code=0
"$scripts/mongo.sh" start "$dir/mongo" > "$dir/out" 2>&1 || code=$?
if [ "$code" = 3 ]; then
    echo "skip: $(tail -n 1 "$dir/out")"
    exit 77
elif [ "$code" != 0 ]; then
    cat "$dir/out"
    exit 1
fi
MESH_TEST_MONGO_URI=$("$scripts/mongo.sh" uri "$dir/mongo") "$@"
