#!/bin/bash
# Build everything: build.sh BUILD_DIR [LIBRDKAFKA_PREFIX]
# The platform and the tools first; then the declarations are compiled and each domain's service is built from its emitted folder, by the
# same route as a user's: meson, with nothing but mesh.pc. Quiet, unless something takes long or fails.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
rdkafka=${2:-}
# Where it will be installed is of no concern here (scripts/install.sh).
options=(--prefix /usr/local -Dlibdir=lib -Dpkgconfig.relocatable=true "-Dlibrdkafka=$rdkafka")
log=$build/build.log

quietly() { # what command...: output to the log; the end of it when the command fails
    local what=$1 t0=$SECONDS
    shift
    if ! "$@" >> "$log" 2>&1; then
        echo "$what failed:" >&2
        tail -n 30 "$log" >&2
        exit 1
    fi
    if ((SECONDS - t0 > 2)); then echo "$what: $((SECONDS - t0)) s"; fi
}

mkdir -p "$build"
: > "$log"
if [ ! -f "$build/build.ninja" ]; then
    echo "building the platform and the compiler ..."
    quietly "configure" meson setup "$build" "${options[@]}"
elif [ "$(cat "$build/.options" 2> /dev/null || true)" != "${options[*]}" ]; then
    quietly "configure" meson configure "$build" "${options[@]}"
fi
printf '%s' "${options[*]}" > "$build/.options"
printf '%s' "$rdkafka" > "$build/.librdkafka"
quietly "compile" ninja -C "$build"

mkdir -p "$build/bin"
ln -f "$build/codegen/meshgen" "$build"/tools/{meshctl,mesh-broker,mesh-topics,mesh-sim} "$build/bin/"

"$build/bin/meshgen" generate --mesh . -o "$build/gen" >> "$log" 2>&1 || { "$build/bin/meshgen" check --mesh . || exit 1; }

export PKG_CONFIG_PATH=$PWD/$build/meson-uninstalled
service() { # domain: one service, only when something it is made of changed
    local domain=$1 out=$build/svc/$1 pc=$build/meson-uninstalled/mesh-uninstalled.pc t0=$SECONDS
    # meson remembers what mesh.pc said; when it says something else, only a new folder helps.
    cmp -s "$pc" "$out/.mesh.pc" || rm -rf "$out"
    [ -f "$out/build.ninja" ] || quietly "configure $domain" meson setup "$out" "$build/gen/$domain"
    cp "$pc" "$out/.mesh.pc"
    quietly "compile $domain" ninja -C "$out"
    if ((SECONDS - t0 > 2)); then echo "service $domain: $((SECONDS - t0)) s"; fi
}
pids=()
for dir in "$build"/gen/*/; do
    service "$(basename "$dir")" &
    pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done
