#!/bin/bash
# The images of the emitted Dockerfiles, built and run: run.sh BUILD [DOMAIN...]; without names, of all domains
#
# The domains share all layers but their own: the first one pays for the packages and the platform, the others for their folder.
# An image must run as nobody in particular, on a read-only root with a volume for its state; become healthy; serve; and stop when asked.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
build=$(cd "${1:?usage: run.sh BUILD [DOMAIN...]}" && pwd)
shift
images=$root/scripts/images.sh
work=$(mktemp -d "${TMPDIR:-/tmp}/mesh-images-XXXXXX")
broker='' container=''

skip() {
    printf 'skip: %s\n' "$1"
    exit 77
}

fail() {
    printf 'FAILED: %s\n' "$1" >&2
    [ -z "$container" ] || podman logs "$container" 2>&1 | tail -n 20 >&2
    exit 1
}

ok() {
    printf 'ok: %s\n' "$1"
}

podman() {
    "$images" podman "$@"
}

# shellcheck disable=SC2329  # called by the trap
clean() {
    [ -z "$container" ] || podman rm -f -t 0 "$container" > /dev/null 2>&1 || true
    [ -z "$broker" ] || { kill "$broker" && wait "$broker"; } 2> /dev/null || true
    rm -rf "$work"
}
trap clean EXIT

expect() { # WHAT GOT WANTED
    [ "$2" = "$3" ] || fail "$1: got \"$2\", wanted \"$3\""
    ok "$1: $2"
}

wait_for() { # SECONDS WHAT COMMAND...
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" > /dev/null 2>&1; do
        ((SECONDS < end)) || fail "timed out: $what"
        sleep 0.1
    done
    ok "$what"
}

build_image() { # DOMAIN
    local status=0
    "$images" build "$root" "$build/gen/$1/Dockerfile" "localhost/mesh-$1:test" || status=$?
    [ "$status" = 0 ] || fail "building the image of $1"
    ok "$1: $(podman image inspect --format '{{.Size}}' "localhost/mesh-$1:test" | awk '{printf "image of %.1f MB", $1 / 1e6}')"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

run_image() { # DOMAIN: all that a careful operator would forbid is forbidden
    local domain=$1 image=localhost/mesh-$1:test port began status
    port=$(free_port)
    expect "$domain: user" "$(podman image inspect --format '{{.Config.User}}' "$image")" 65532:65532
    expect "$domain: health check" "$(podman image inspect --format '{{index .Config.Healthcheck.Test 2}}' "$image")" --health
    mkdir "$work/state-$domain"
    chown 65532:65532 "$work/state-$domain"
    container=mesh-test-$domain-$$
    podman --runtime runc run -d --name "$container" --no-healthcheck --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --network host \
        --read-only --read-only-tmpfs=false --cap-drop=all --security-opt no-new-privileges --memory 256m \
        -v "$work/state-$domain:/var/lib/mesh" -e MESH_KAFKA_BROKERS="$brokers" -e MESH_KAFKA_EMBEDDED=1 \
        -e MESH_HTTP_LISTEN="127.0.0.1:$port" -e MESH_PSEUDONYM_KEY="a key for tests that is long enough" "$image" > /dev/null
    wait_for 30 "$domain: healthy by --health" podman exec "$container" "/usr/bin/$domain" --health
    wait_for 30 "$domain: has found the broker" grep -qs cluster "$work/state-$domain/$domain/TOPOLOGY"
    curl -sf -o "$work/answer" "http://127.0.0.1:$port/.well-known/data-product" || fail "$domain: /.well-known/data-product"
    grep -qF "\"$domain\"" "$work/answer" || fail "$domain: /.well-known/data-product is of another"
    ok "$domain: serves"
    expect "$domain: runs as" "$(podman exec "$container" sh -c 'id -u; touch /x 2> /dev/null || echo read-only' | xargs)" "65532 read-only"
    expect "$domain: state belongs to" "$(stat -c %u "$work/state-$domain/$domain/IDENTITY")" 65532
    began=$SECONDS
    podman kill --signal TERM "$container" > /dev/null
    status=$(podman wait "$container")
    expect "$domain: exit code after SIGTERM" "$status" 0
    ((SECONDS - began <= 10)) || fail "$domain: took $((SECONDS - began)) s to stop"
    podman logs "$container" > "$work/log" 2>&1
    grep -q stopped "$work/log" || fail "$domain: does not say that it stopped"
    podman rm "$container" > /dev/null
    container=''
}

status=0
"$images" base 2> "$work/base.log" || status=$?
if [ "$status" = 3 ]; then skip "$(sed -n 's/^images: \(cannot .*\)/\1/p' "$work/base.log")"; fi
cat "$work/base.log" >&2
[ "$status" = 0 ] || fail "making the base image"
"$build/bin/meshgen" topics > "$work/topics"
"$build/bin/mesh-broker" --listen 127.0.0.1:0 --topics "$work/topics" --ready-file "$work/broker" > "$work/broker.log" 2>&1 &
broker=$!
wait_for 20 "the broker is ready" test -s "$work/broker"
brokers=$(< "$work/broker")

domains=("$@")
if [ $# = 0 ]; then mapfile -t domains < <(cd "$build/gen" && printf '%s\n' */ | tr -d /); fi
for domain in "${domains[@]}"; do
    build_image "$domain"
    run_image "$domain"
done
