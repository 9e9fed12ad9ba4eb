# shellcheck shell=bash
# Sourced by every part of the setup: where things go, one lock per part, one stamp per part,
# one progress line, and the two ways to end without success.
#
#   exit 0  the part is ready    exit 1  it broke (the log says where)
#   exit 2  wrong use            exit 3  it cannot be had on this machine (one line says why)
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=cache.sh
. "$(dirname "${BASH_SOURCE[0]}")/cache.sh"
# shellcheck disable=SC2034  # for those who source this
setup_root=$mesh_root setup_cache=$mesh_cache
setup_part='' setup_version='' setup_log='' setup_began=$SECONDS

# setup_say TEXT: one line that begins with the name of the part.
setup_say() {
    printf '%s: %s\n' "$setup_part" "$1"
}

# setup_cannot WHAT WHY: the part cannot be had here. Not an error of ours, hence its own exit code.
setup_cannot() {
    printf '%s: cannot %s: %s\n' "$setup_part" "$1" "$2" >&2
    exit 3
}

# setup_broke WHAT: something that should have worked did not; show the end of the log.
setup_broke() {
    printf '%s: %s\n' "$setup_part" "$1" >&2
    if [ -s "$setup_log" ]; then
        tail -n 15 "$setup_log" | sed 's/^/    /' >&2
        printf '    (all of it: %s)\n' "$setup_log" >&2
    fi
    exit 1
}

# setup_is_ready: true if the stamp of this very version is there. Reads one small file.
setup_is_ready() {
    local stamp=$setup_cache/$setup_part/.ready
    [ -s "$stamp" ] && [ "$(< "$stamp")" = "$setup_version" ]
}

# setup_begin PART VERSION: leaves at once with 0 if that version is ready; else takes the lock,
# looks again (another run may have just finished the work), and opens a fresh log.
setup_begin() {
    setup_part=$1 setup_version=$2
    if setup_is_ready; then
        setup_say "ready ($setup_version)"
        exit 0
    fi
    mkdir -p "$setup_cache/$setup_part" "$setup_cache/log"
    setup_log=$setup_cache/log/$setup_part.log
    exec 9> "$setup_cache/log/$setup_part.lock"
    if ! flock -n 9; then
        setup_say 'another run is at it, waiting'
        flock 9
    fi
    if setup_is_ready; then
        setup_say "ready ($setup_version)"
        exit 0
    fi
    setup_began=$SECONDS
    : > "$setup_log"
}

# setup_done: the last line of a part that worked.
setup_done() {
    printf '%s\n' "$setup_version" > "$setup_cache/$setup_part/.ready.new"
    mv "$setup_cache/$setup_part/.ready.new" "$setup_cache/$setup_part/.ready"
    setup_say "ready ($setup_version) in $((SECONDS - setup_began)) s"
}

# setup_mirror: the Debian mirror that this machine's own apt uses.
setup_mirror() {
    # shellcheck disable=SC2016  # $(REPO_URI) is apt's own format, not ours
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2> /dev/null |
        grep -m1 '/debian/$' || true
}
