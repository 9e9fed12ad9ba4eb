#!/bin/bash
# The engine calls no clock, disk, network or thread: everything it needs is handed in (platform/flow/engine.h). Reads the undefined
# symbols of the archive.   flow_symbols.sh LIBMESH_FLOW.a
set -euo pipefail
bad=$(nm --undefined-only --no-sort "$1" | awk 'NF == 2 {print $2}' | sort -u |
    grep -E '^(clock_gettime|gettimeofday|time|nanosleep|sleep|usleep|open|openat|fopen|read|write|pread|pwrite|fsync|fdatasync|close|unlink|rename|mkdir|socket|connect|send|recv|poll|select|epoll_.*|pthread_.*|mtx_.*|cnd_.*|thrd_.*|rd_kafka_.*|mongoc_.*|bson_.*|MHD_.*|mesh_clock_.*|mesh_fs_.*|mesh_log|mesh_log_.*|getenv|random|rand|getrandom)$' || true)
total=$(nm --undefined-only --no-sort "$1" | awk 'NF == 2' | wc -l)
if [ -n "$bad" ]; then
    echo "platform/flow calls what only its driver may:"
    echo "$bad"
    exit 1
fi
echo "$total symbols looked at"
((total > 20))
