#!/bin/bash
# Every input of a corpus through a target.   replay.sh TARGET FOLDER
set -euo pipefail
inputs=("$2"/*)
[ -f "${inputs[0]}" ] || { echo "no input in $2"; exit 1; }
"$1" "${inputs[@]}" 2> /dev/null || { "$1" "${inputs[@]}" 2>&1 | tail -n 30; exit 1; }
