#!/bin/bash
# Gets what building and testing need. Running it again costs a fraction of a second.
#
#   setup.sh minimal       the Debian packages for building and `make run`
#   setup.sh full [PART..] everything `make test` needs; PART adds what is not in it
#   setup.sh PART...       these only: packages librdkafka kafka mongo images oracles registry validators browser
#
# Installed beside libmesh it knows packages, kafka and mongo, for `meshctl up`.
# What cannot be had on this machine is said in one line, and the others are done all the same.
# Exit 0 all is ready, 1 something broke, 2 wrong use, 3 something cannot be had here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/setup" && pwd)
parts_full=(packages librdkafka kafka mongo images oracles registry validators browser)
[ -f "$here/librdkafka.sh" ] || parts_full=(packages kafka mongo)

usage() {
    sed -n '4,6s/^# \{0,3\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

# command_of PART: the script and its arguments, in `part_command`.
command_of() {
    case $1 in
        packages) part_command=("$here/packages.sh" full) ;;
        browser) part_command=("$here/packages.sh" browser) ;;
        librdkafka | kafka | mongo | images | oracles | registry | validators)
            part_command=("$here/$1.sh")
            [ -f "${part_command[0]}" ] || usage
            ;;
        *) usage ;;
    esac
}

level=${1:-}
[ -n "$level" ] || usage
if [ "$level" = minimal ]; then
    [ $# -eq 1 ] || usage
    exec "$here/packages.sh" minimal
fi
parts=("$@")
if [ "$level" = full ]; then parts=("${parts_full[@]}" "${@:2}"); fi
for part in "${parts[@]}"; do command_of "$part"; done

worst=0
summary=()
began=$SECONDS
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
for part in "${parts[@]}"; do
    command_of "$part"
    # Standard error goes through a pipe, to be shown and kept; standard output passes by.
    set +e
    { "${part_command[@]}" 2>&1 >&3 | tee "$errors" >&2; status=${PIPESTATUS[0]}; } 3>&1
    set -e
    case $status in
        0) summary+=("$part: ready") ;;
        3) summary+=("$part: cannot: $(sed -n '1s/^[^:]*: cannot //p' "$errors")") ;;
        *) summary+=("$part: failed (exit $status), see the lines above") ;;
    esac
    # Broken is worse than not to be had: the first is ours to mend.
    if [ "$status" = 3 ] && [ "$worst" = 0 ]; then worst=3; fi
    if [ "$status" != 0 ] && [ "$status" != 3 ]; then worst=1; fi
done
printf -- '--\n'
printf '%s\n' "${summary[@]}"
printf 'setup: %s in %d s\n' "$([ "$worst" = 0 ] && echo 'all ready' || echo 'not all ready')" \
    $((SECONDS - began))
exit "$worst"
