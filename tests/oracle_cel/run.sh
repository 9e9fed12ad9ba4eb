#!/bin/bash
# Random expressions: the compiler's C, folding included, against cel-go.
#   run.sh GENERATOR [EXPRESSIONS [SEED]]
# 2,400 expressions take some seconds; a long run takes a minute for 20,000. Exit 77: cel-go cannot be had here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
generator=$(realpath "$1")
n=${2:-2400} seed=${3:-20261121}
# shellcheck source-path=SCRIPTDIR source=../../scripts/setup/cache.sh
. "$root/scripts/setup/cache.sh"
"$root/scripts/setup/oracles.sh" > /dev/null 2>&1 || true
# shellcheck disable=SC2154 # set by cache.sh
judge=$mesh_cache/oracles/oracle-cel
[ -x "$judge" ] || { echo "skip: no cel-go here (scripts/setup.sh oracles says why)"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$generator" "$seed" "$n" "$work"
# (a comparison with a constant that cannot be met is what random expressions are made of: no type-limits)
flags=(-std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Wno-type-limits -Wconversion -Werror -ffp-contract=off -I "$root/platform/include" -I "$root/platform")
gcc "${flags[@]}" -c "$root/platform/base/expr.c" -o "$work/expr.o"
gcc "${flags[@]}" -c "$root/platform/base/check.c" -o "$work/check.o"
export CCACHE_DISABLE=1 # every batch is compiled once in its life
one() {
    gcc "${flags[@]}" "$1" "$work/expr.o" "$work/check.o" -lm -o "${1%.c}" && "${1%.c}" > "${1%.c}.out" && rm "$1" "${1%.c}"
}
for batch in "$work"/batch*.c; do
    one "$batch" &
    while (($(jobs -rp | wc -l) >= 2)); do wait -n; done
done
while (($(jobs -rp | wc -l) > 0)); do wait -n; done
"$judge" "$work"
