#!/bin/bash
# A server that speaks MongoDB's protocol, for tests and development. Debian has no mongod, so this
# is FerretDB (built from its Go module) on PostgreSQL with the DocumentDB extension, which Debian's
# next release has: they live in a small tree of their own, .cache/mongo/rootfs, and are run there
# by chroot. Nothing is installed into this system. scripts/mongo.sh runs it.
# A mongod on PATH wins, and then nothing is built.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

ferretdb=v2.7.0 ferretdb_sum='h1:e68kyioANdGrATjgVINPCJgsSN7H+cOPMDGvJoYxz5E='
suite=forky postgres=18
if command -v mongod > /dev/null; then
    setup_part=mongo
    setup_say "ready (mongod on PATH)"
    exit 0
fi
setup_begin mongo "ferretdb $ferretdb on postgresql $postgres r1"

[ "$(id -u)" = 0 ] || setup_cannot "build the MongoDB-compatible server" \
    "needs root (it runs PostgreSQL in a chroot); or put a mongod on PATH"
for tool in go mmdebstrap chroot; do
    command -v "$tool" > /dev/null || setup_cannot "build the MongoDB-compatible server" \
        "no $tool on PATH; run scripts/setup/packages.sh full"
done
# FerretDB needs a newer Go than Debian 12 has; from 1.21 on Go fetches the version it needs itself.
go_minor=$(go env GOVERSION 2> /dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
[ "${go_minor:-0}" -ge 21 ] || setup_cannot "build FerretDB $ferretdb" \
    "it needs Go 1.21 or newer on PATH, this is $(go env GOVERSION 2> /dev/null || echo unknown)"

home=$setup_cache/mongo
mkdir -p "$home/bin"
if [ ! -x "$home/rootfs/usr/lib/postgresql/$postgres/bin/postgres" ]; then
    mirror=$(setup_mirror)
    [ -n "$mirror" ] || setup_cannot "fetch PostgreSQL $postgres" "apt names no Debian mirror"
    setup_say "fetching PostgreSQL $postgres with DocumentDB (one to three minutes)"
    rm -rf --one-file-system "$home/rootfs.new"
    mmdebstrap --quiet --mode=root --variant=apt \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' \
        --aptopt='Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false"' \
        --aptopt='Apt::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --include="postgresql-$postgres,postgresql-$postgres-documentdb" \
        "$suite" "$home/rootfs.new" "$mirror" >> "$setup_log" 2>&1 9>&- ||
        setup_cannot "fetch PostgreSQL $postgres from Debian $suite" \
            "$(grep -m1 -E '^E:' "$setup_log" | cut -c 1-200 || echo "see $setup_log")"
    rm -rf --one-file-system "$home/rootfs.new/var/cache/apt" "$home/rootfs.new/var/lib/apt/lists"
    mv "$home/rootfs.new" "$home/rootfs"
fi
if [ ! -x "$home/bin/ferretdb" ]; then
    setup_say "building FerretDB $ferretdb (about a minute)"
    work=$(mktemp -d "$home/work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    module=github.com/FerretDB/FerretDB/v2
    (cd "$work" && go mod download -json "$module@$ferretdb") > "$work/module.json" \
        2>> "$setup_log" 9>&- || setup_cannot "fetch FerretDB $ferretdb through Go" \
        "$(sed -n 's/.*"Error": "\(.*\)".*/\1/p' "$work/module.json" | cut -c 1-200)"
    grep -qF "\"Sum\": \"$ferretdb_sum\"" "$work/module.json" ||
        setup_broke "FerretDB $ferretdb has another checksum than expected; not built"
    cp -r "$(sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p' "$work/module.json")" "$work/ferretdb"
    chmod -R u+w "$work/ferretdb"
    # Its own release script writes this file; without it the program panics at start.
    echo "$ferretdb" > "$work/ferretdb/build/version/version.txt"
    (cd "$work/ferretdb" && CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags='-s -w' \
        -o "$home/bin/ferretdb" ./cmd/ferretdb) >> "$setup_log" 2>&1 9>&- ||
        setup_broke "building FerretDB $ferretdb failed"
fi
setup_done
