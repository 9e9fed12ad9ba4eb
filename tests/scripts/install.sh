#!/bin/bash
# `make install`: to a prefix that is chosen after configuring; what stands there names neither the prefix nor the repository, so both may
# move.   install.sh BUILD
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
build=$(cd "${1:?usage: install.sh BUILD}" && pwd)
trap 'rm -rf "$work"' EXIT
need pkg-config readelf
unset PREFIX DESTDIR

pc() { # PREFIX ARG...: pkg-config on the mesh.pc that stands there
    local prefix=$1
    shift
    PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config "$@" mesh
}

install_to() {
    PREFIX=$1 "$root/scripts/install.sh" "$build" > "$work/out" 2>&1 || { cat "$work/out"; fail "install to $1"; }
}

install_to "$work/a"
for file in bin/{meshgen,meshctl,mesh-broker,mesh-sim,mesh-topics,mesh-load} lib/libmesh.a include/mesh/mesh.h \
    share/mesh/scripts/{kafka,mongo,setup}.sh; do
    [ -s "$work/a/$file" ] || fail "no $file"
done
ok "all is there"
expect "mesh.pc names that prefix" "$(realpath "$(pc "$work/a" --variable=includedir)")" "$work/a/include"

named=$(grep -rlF -e "$root" -e "$build" "$work/a/lib/pkgconfig" "$work/a/share" "$work/a/include" || true)
expect "nothing names the repository" "$named" ""
expect "no program looks for libraries in a folder of its own" "$(readelf -d "$work"/a/bin/* | grep -E 'RPATH|RUNPATH' || true)" ""

mv "$work/a" "$work/b"
libs=$(pc "$work/b" --cflags --libs)
case $libs in *"$work/a"*) fail "moved, mesh.pc still names the old place: $libs" ;; esac
printf '#include <mesh/mesh.h>\nint main(void) { return MESH_ABI == 0; }\n' > "$work/use.c"
# shellcheck disable=SC2086  # they are options
gcc -std=gnu17 "$work/use.c" $libs -o "$work/use" && "$work/use" || fail "a program with libmesh"
ok "moved, it still compiles and links"

"$work/b/bin/mesh-broker" --listen 127.0.0.1:0 --topics <(echo "t 1 delete") --ready-file "$work/ready" > "$work/broker.log" 2>&1 &
broker=$!
until_true 20 test -s "$work/ready" || { cat "$work/broker.log"; fail "the installed broker starts"; }
install_to "$work/b"
kill -0 $broker || fail "installing again ended a running program"
kill $broker
wait $broker || true
ok "installing again while a program runs"

DESTDIR=$work/stage PREFIX=/opt/mesh "$root/scripts/install.sh" "$build" > "$work/out"
expect "DESTDIR goes before PREFIX" "$(cd "$work/stage" && find . -name meshgen)" ./opt/mesh/bin/meshgen
expect_exit "a PREFIX that is no full path" 2 env PREFIX=here "$root/scripts/install.sh" "$build"
: > "$work/file"
expect_exit "a PREFIX that cannot be" 1 env PREFIX="$work/file/x" "$root/scripts/install.sh" "$build"
