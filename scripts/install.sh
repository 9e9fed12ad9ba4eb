#!/bin/bash
# Install what BUILD_DIR holds: install.sh BUILD_DIR       with PREFIX (default /usr/local) and DESTDIR from the environment
# Nothing that is installed names its prefix: mesh.pc goes by its own place, programs find their data beside themselves, librdkafka is
# linked statically. So the prefix is chosen here and not when configuring, and the tree may be moved afterwards.
set -euo pipefail
build=${1:?usage: install.sh BUILD_DIR}
prefix=${PREFIX:-/usr/local}
case $prefix in
    /*) ;;
    *)
        echo "install: PREFIX must begin with /, and is '$prefix'" >&2
        exit 2
        ;;
esac
to=${DESTDIR:-}$prefix
umask 022
if ! mkdir -p "$to" || [ ! -w "$to" ]; then
    echo "install: cannot write to $to: choose a PREFIX, or be root" >&2
    exit 1
fi
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
DESTDIR=$stage meson install -C "$build" --no-rebuild --quiet > "$stage/log" 2>&1 || {
    cat "$stage/log" >&2
    exit 1
}
pc=$(cd "$stage" && find . -path '*/lib/pkgconfig/mesh.pc')
[ -n "$pc" ] || { echo "install: $build was configured without libdir=lib; run 'make build'" >&2; exit 1; }
# Programs that run keep their old file.
cp -R --remove-destination --preserve=mode,links "$stage/${pc%/lib/pkgconfig/mesh.pc}/." "$to/"
echo "installed in $to; pkg-config finds it with PKG_CONFIG_PATH=$prefix/lib/pkgconfig"
