# shellcheck shell=bash
# Sourced by all that fetch, build or use what is not in this repository: `mesh_cache` is where it is kept. MESH_CACHE; else .cache of
# the clone; else, when these scripts are installed (nobody's folder, often not writable), the user's own cache.
mesh_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034  # for those who source this
mesh_cache=${MESH_CACHE:-}
if [ -z "$mesh_cache" ]; then
    mesh_cache=$mesh_root/.cache
    [ -f "$mesh_root/meson.build" ] || mesh_cache=${XDG_CACHE_HOME:-${HOME:?HOME or MESH_CACHE must be set}/.cache}/mesh
fi
