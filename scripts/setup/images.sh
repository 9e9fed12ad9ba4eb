#!/bin/bash
# The base image debian:12 for container builds, made from packages into .cache/images.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

setup_begin images "debian 12 r1"
setup_say "making debian:12 from packages (half a minute to a minute)"
status=0
MESH_CACHE=$setup_cache "$setup_root/scripts/images.sh" base > "$setup_log" 2>&1 9>&- || status=$?
[ "$status" != 3 ] || {
    sed -n 's/^images: \(cannot .*\)/images: \1/p' "$setup_log" >&2
    exit 3
}
[ "$status" = 0 ] || setup_broke "making the base image failed"
setup_done
