# shellcheck shell=bash
# Sourced by end-to-end tests that have nothing but an installation. `inside BUILD` installs BUILD and starts the calling script again
# where the repository is an empty folder and loopback has all of its ports free: namespaces of its own for mounts, network and
# processes, so that everything ends and disappears with it.
#
#     inside "$@"            in the calling script, before all else; returns only inside, in an empty folder
#     kit=DIR                what was copied there: the calling script's folder of helpers, see KIT
#     KIT=(FILE...)          files of the repository to take along, set before the call
#     prefix=DIR             where it was installed; first on PATH
#     cache=DIR              what `make setup` fetched, for those who ask for it with MESH_CACHE; empty when there is nothing
set -euo pipefail

skip() {
    printf 'skip: %s\n' "$1"
    exit 77
}

fail() {
    printf 'FAILED: %s\n' "$1" >&2
    exit 1
}

ok() {
    printf 'ok: %s\n' "$1"
}

isolate=(unshare --mount --net --pid --fork --kill-child --mount-proc)

inside() {
    if [ "${MESH_INSIDE:-}" != "" ]; then
        enter
        return
    fi
    local build root file status=0
    build=$(cd "${1:?usage: $0 BUILD}" && pwd)
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    "${isolate[@]}" true 2> /dev/null || isolate+=(--map-root-user)
    "${isolate[@]}" true 2> /dev/null || skip "this machine gives no namespaces, so nothing can hide the repository"
    dir=$(mktemp -d "${TMPDIR:-/tmp}/mesh-installed-XXXXXX")
    trap 'rm -rf "$dir"' EXIT
    PREFIX=$dir/installed "$root/scripts/install.sh" "$build" > "$dir/install.log" 2>&1 || { cat "$dir/install.log"; fail "install.sh"; }
    mkdir "$dir/kit" "$dir/work" "$dir/cache" "$dir/home"
    for file in "$0" "${BASH_SOURCE[0]}" "${KIT[@]}"; do cp "$file" "$dir/kit/"; done
    MESH_INSIDE=$dir MESH_ROOT=$root "${isolate[@]}" bash "$dir/kit/$(basename "$0")" || status=$?
    exit "$status"
}

# shellcheck disable=SC2034  # the variables are for those who source this
enter() {
    local dir=$MESH_INSIDE
    kit=$dir/kit prefix=$dir/installed cache=''
    mount --make-rprivate /
    ip link set lo up
    if [ -d "$MESH_ROOT/.cache" ]; then
        mount --bind "$(realpath "$MESH_ROOT/.cache")" "$dir/cache"
        cache=$dir/cache
    fi
    mount -t tmpfs -o mode=755 tmpfs "$MESH_ROOT"
    export PKG_CONFIG_PATH=$prefix/lib/pkgconfig PATH=$prefix/bin:$PATH LC_ALL=C.UTF-8 HOME=$dir/home
    unset PREFIX DESTDIR MESH_INSIDE MESH_ROOT MESH_CACHE XDG_CACHE_HOME "${!MESH_KAFKA_@}" "${!MESH_HTTP_@}" "${!MESH_STATE_@}" \
        "${!MESH_PSEUDONYM_@}" "${!MESH_MONGO_@}"
    cd "$dir/work"
}

# wait_for SECONDS WHAT COMMAND...: until it succeeds; its last output stays in $answer.
wait_for() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until answer=$("$@" 2> /dev/null); do
        ((SECONDS < end)) || fail "timed out: $what (last answer: $answer)"
        sleep 0.05
    done
}

# send_events BROKERS: the records of the scaffold's tests/first.yaml, to the domain `orders`.   counted: $base answers as that test says.
send_events() {
    cat > events.csv << 'END'
event_id,person_id,kind,value,at
e1,p1,visit,3,2026-01-01 10:00:00
e2,p2,visit,5,2026-01-01 10:00:20
e2,p2,visit,5,2026-01-01 10:00:20
END
    mesh-load --brokers "$1" --topic "$(awk '/orders.events/ {print $1}' topics.txt)" --contract contracts/orders/event.v1.avsc \
        --key person_id --time at < events.csv > sent
    [ "$(cat sent)" = 3 ] || fail "3 records were to be sent, not $(cat sent)"
}

# shellcheck disable=SC2154  # base is the caller's
counted() { curl -sf "$base/orders/by-kind/visit?window=all" | jq -e '.items[0] | .n == 2 and .total == 8 and .mean == 4'; }
