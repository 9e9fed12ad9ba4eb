#!/bin/bash
# Container images without a daemon, a registry or systemd: everything is in .cache/images.
#
#   images.sh base                          makes debian:12 from Debian's packages, if not there
#   images.sh build CONTEXT DOCKERFILE TAG  builds it as TAG, e.g. localhost/customer:1
#   images.sh run TAG ARG...                runs it on this host's network, removed at its end
#   images.sh podman ARG...                 podman on this store, for all the rest
#
# `build` takes BUILD_TARGET (a stage) and BUILD_ARGS (more options for buildah, split at blanks);
# `run` takes RUN_ARGS (the same for podman). Builds are reproducible: --timestamp 0.
# Exit 0 ok, 2 wrong use, 3 cannot be done on this machine (the line says why), else the tool's own.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=setup/cache.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup/cache.sh"
store=$mesh_cache/images
base_image=docker.io/library/debian:12
base_suite=bookworm

usage() {
    sed -n '4,7s/^# \{0,3\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

say() {
    printf 'images: %s\n' "$1" >&2
}

cannot() {
    say "cannot $1: $2"
    exit 3
}

# The settings that this kind of machine needs, kept out of /etc: without CAP_SYS_RESOURCE no
# container may raise its limits, so they are set to what is allowed; without systemd the cgroups
# are handled by runc itself; events go to a file.
prepare() {
    local tool driver=overlay
    [ "$(id -u)" = 0 ] || cannot "handle images" "needs root"
    for tool in podman buildah runc; do
        command -v "$tool" > /dev/null ||
            cannot "handle images" "no $tool on PATH; run scripts/setup.sh full"
    done
    mkdir -p "$store"
    # vfs copies every layer and is four times slower, but needs nothing of the file system.
    [ ! -s "$store/driver" ] || driver=$(< "$store/driver")
    write_settings "$driver"
    if [ ! -s "$store/driver" ]; then
        podman info > /dev/null 2>&1 || write_settings vfs
        podman info > /dev/null 2> "$store/info.log" ||
            cannot "use podman" "$(tail -n 1 "$store/info.log")"
        sed -n 's/^driver = "\(.*\)"/\1/p' "$store/storage.conf" > "$store/driver"
    fi
}

write_settings() {
    cat > "$store/storage.conf" <<CONF
[storage]
driver = "$1"
graphroot = "$store/graph"
runroot = "$store/run"
CONF
    cat > "$store/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "host"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
    export CONTAINERS_STORAGE_CONF=$store/storage.conf CONTAINERS_CONF=$store/containers.conf
}

make_base() {
    local mirror began=$SECONDS log=$store/base.log
    exec 9> "$store/base.lock"
    flock 9
    if podman image exists "$base_image"; then
        say "$base_image is there"
        return
    fi
    command -v mmdebstrap > /dev/null ||
        cannot "make $base_image" "no mmdebstrap on PATH; run scripts/setup.sh full"
    # shellcheck disable=SC2016  # apt's own format
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
        grep -m1 '/debian/$') || cannot "make $base_image" "apt names no Debian mirror"
    say "making $base_image from packages (half a minute to a minute)"
    # shellcheck disable=SC2016  # $1 is for the shell that mmdebstrap starts
    mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Languages "none"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/var/log/*' \
        "$base_suite" "$store/base.tar" \
        "deb $mirror $base_suite main" "deb $mirror $base_suite-updates main" \
        > "$log" 2>&1 9>&- ||
        cannot "make $base_image" "$(grep -m1 '^E:' "$log" || tail -n 1 "$log")"
    podman import --change CMD=bash "$store/base.tar" "$base_image" >> "$log" 2>&1 9>&- || {
        tail -n 10 "$log" >&2
        exit 1
    }
    rm -f "$store/base.tar"
    say "$base_image made in $((SECONDS - began)) s"
}

build_image() {
    local context=$1 dockerfile=$2 tag=$3 began=$SECONDS log options=()
    [ -d "$context" ] || { say "$context: no such directory"; exit 2; }
    [ -f "$dockerfile" ] || { say "$dockerfile: no such file"; exit 2; }
    log=$store/build-$(tr -c 'A-Za-z0-9\n' '-' <<< "$tag").log
    [ -z "${BUILD_TARGET:-}" ] || options+=(--target "$BUILD_TARGET")
    # shellcheck disable=SC2206  # split at blanks, as documented
    options+=(${BUILD_ARGS:-})
    make_base
    say "building $tag"
    # chroot isolation needs no namespaces of its own; the docker format keeps HEALTHCHECK.
    buildah bud --isolation chroot --pull-never --format docker --network host --layers --force-rm \
        --timestamp 0 "${options[@]}" -t "$tag" -f "$dockerfile" "$context" > "$log" 2>&1 9>&- || {
        tail -n 20 "$log" >&2
        say "building $tag failed (all of it: $log)"
        exit 1
    }
    say "built $tag in $((SECONDS - began)) s"
}

run_image() {
    local options=()
    # shellcheck disable=SC2206  # split at blanks, as documented
    options=(${RUN_ARGS:-})
    # Health checks would need systemd's timers.
    exec podman --runtime runc run --rm --no-healthcheck --ulimit nofile=1024:1024 \
        --ulimit nproc=1024:1024 --network host "${options[@]}" "$@"
}

command=${1:-}
[ -n "$command" ] || usage
shift
case $command in
    base)
        [ $# -eq 0 ] || usage
        prepare
        make_base
        ;;
    build)
        [ $# -eq 3 ] || usage
        prepare
        build_image "$@"
        ;;
    run)
        [ $# -ge 1 ] || usage
        prepare
        run_image "$@"
        ;;
    podman)
        prepare
        exec podman "$@"
        ;;
    *) usage ;;
esac
