# shellcheck shell=bash
# Sourced by end-to-end tests that have nothing but an installation. `inside BUILD` installs BUILD with DESTDIR and starts the calling
# script again where the installation stands at its prefix, the repository is an empty folder, and loopback has all of its ports free:
# namespaces of its own for mounts, network and processes, so that everything ends and disappears with it.
#
#     inside "$@"            in the calling script, before all else; returns only inside, in an empty folder
#     kit=DIR                what was copied there: the calling script's folder of helpers, see KIT
#     KIT=(FILE...)          files of the repository to take along, set before the call
#
# What stays visible of the repository is the private librdkafka of `make setup`, which mesh.pc names when there is one: a library that
# the platform links, as it links those of the system.
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
    local build root prefix file status=0
    build=$(cd "${1:?usage: $0 BUILD}" && pwd)
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    "${isolate[@]}" true 2> /dev/null || isolate+=(--map-root-user)
    "${isolate[@]}" true 2> /dev/null || skip "this machine gives no namespaces, so nothing can hide the repository"
    dir=$(mktemp -d "${TMPDIR:-/tmp}/mesh-installed-XXXXXX")
    trap 'rm -rf "$dir"' EXIT
    DESTDIR=$dir/stage meson install -C "$build" --no-rebuild > "$dir/install.log" 2>&1 || { cat "$dir/install.log"; fail "meson install"; }
    file=$(find "$dir/stage" -name mesh.pc)
    prefix=$(sed -n 's/^prefix=//p' "$file")
    case $prefix in / | /usr) skip "the prefix is $prefix, and an installation there would hide the system" ;; esac
    mkdir "$dir/kit" "$dir/work"
    for file in "$0" "${BASH_SOURCE[0]}" "${KIT[@]}"; do cp "$file" "$dir/kit/"; done
    # mesh-load is the world outside: it sends records. It is no part of the installation unless it is installed.
    [ -x "$dir/stage$prefix/bin/mesh-load" ] || cp "$build/tests/mesh-load" "$dir/stage$prefix/bin/"
    MESH_INSIDE=$dir MESH_PREFIX=$prefix MESH_ROOT=$root "${isolate[@]}" bash "$dir/kit/$(basename "$0")" || status=$?
    exit "$status"
}

enter() {
    local dir=$MESH_INSIDE prefix=$MESH_PREFIX private=$MESH_ROOT/.cache/librdkafka
    # shellcheck disable=SC2034  # for those who source this
    kit=$dir/kit
    mount --make-rprivate /
    ip link set lo up
    mkdir -p "$dir/rdkafka"
    [ ! -d "$private" ] || mount --bind "$private" "$dir/rdkafka"
    mount -t tmpfs -o mode=755 tmpfs "$MESH_ROOT"
    if mountpoint -q "$dir/rdkafka"; then
        mkdir -p "$private"
        mount --move "$dir/rdkafka" "$private"
    fi
    [ -d "$prefix" ] || fail "make the folder $prefix first: the installation is mounted there"
    mount --bind "$dir/stage$prefix" "$prefix"
    PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name mesh.pc)")
    export PKG_CONFIG_PATH PATH=$prefix/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
    unset PREFIX DESTDIR MESH_INSIDE MESH_PREFIX MESH_ROOT "${!MESH_KAFKA_@}" "${!MESH_HTTP_@}" "${!MESH_STATE_@}" "${!MESH_PSEUDONYM_@}"
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
