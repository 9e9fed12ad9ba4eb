#!/bin/bash
# A server that speaks MongoDB's protocol, on loopback, for tests and for development: mongod if it
# is on PATH, else the compatible server that scripts/setup/mongo.sh made.
#
#   mongo.sh start DIR [PORT]   starts it (PORT 0 or absent: the kernel chooses), prints its URI.
#                               If DIR was used before it goes on with that data.
#   mongo.sh stop DIR           asks it to end and waits until it is gone
#   mongo.sh kill DIR           kill -9, waits until it is gone
#   mongo.sh uri DIR            prints mongodb://host:port/
#
# With MONGO_SECURE=1 a first start makes a compatible server that demands TLS and SCRAM, also when
# mongod is there. secure.sh says what is in DIR/secure.
#
# Exit 0 ok, 1 failed, 2 wrong use, 3 there is no server here (the line says why).
#
# The compatible server is FerretDB before PostgreSQL. PostgreSQL runs in a chroot and can see
# nothing outside it, so its data stands there, under a random name that DIR holds; data whose DIR
# is gone is removed at the next start.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=setup/cache.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup/cache.sh"
home=$mesh_cache/mongo
rootfs=$home/rootfs
pg_bin=/usr/lib/postgresql/18/bin
start_deadline_s=60
# shellcheck source-path=SCRIPTDIR source=secure.sh
. "$(dirname "${BASH_SOURCE[0]}")/secure.sh"

usage() {
    sed -n '5,9s/^# \{0,3\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

say() {
    printf 'mongo: %s\n' "$1" >&2
}

fail() {
    say "$1"
    exit 1
}

# is_running PIDFILE NAME: the process of that file is alive and is what it should be (pids are used
# again). One that has ended and waits for its parent to notice is not alive, unless it has threads
# left: they hold files and ports until they end.
is_running() {
    local pid state tasks
    [ -s "$1" ] || return 1
    read -r pid < "$1"
    [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = "$2" ] || return 1
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$pid/status" 2> /dev/null) || return 1
    [ -n "$state" ] || return 1
    [ "$state" = Z ] || return 0
    tasks=("/proc/$pid/task/"*)
    [ ${#tasks[@]} -gt 1 ]
}

# await_end PIDFILE NAME: waits until it is gone, asks harder after 20 seconds.
await_end() {
    local i
    for ((i = 0; i < 1000; i++)); do
        is_running "$1" "$2" || return 0
        [ "$i" != 660 ] || kill -KILL "$(head -n 1 "$1")" 2> /dev/null || true
        sleep 0.03
    done
    fail "process $(head -n 1 "$1") ($2) does not end"
}

# listening_port PID: the port of the socket on which it listens, from /proc (so the kernel may
# choose it and no log has to be read). Nothing if there is none yet.
listening_port() {
    local inodes
    inodes=$(find "/proc/$1/fd" -lname 'socket:*' -printf '%l\n' 2> /dev/null |
        sed 's/socket:\[\(.*\)\]/\1/' | tr '\n' ' ')
    awk -v inodes="$inodes" '
        BEGIN { n = split(inodes, list, " "); for (i = 1; i <= n; i++) mine[list[i]] = 1 }
        $4 == "0A" && ($10 in mine) { split($2, at, ":"); print at[2]; exit }
    ' "/proc/$1/net/tcp" 2> /dev/null | { read -r hex && printf '%d\n' "$((16#$hex))"; }
}

# launch DIR COMMAND...: a process of its own that outlives us and holds no file of ours open.
launch() {
    local dir=$1 fd
    shift
    (
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            [ "$fd" -le 2 ] || eval "exec $fd>&-" 2> /dev/null || true
        done
        exec setsid "$@"
    ) > "$dir/server.log" 2>&1 < /dev/null &
    echo $! > "$dir/server.pid"
}

# await_port DIR NAME: waits until the server listens, and writes its URI.
await_port() {
    local dir=$1 port='' deadline=$((SECONDS + start_deadline_s)) pid
    pid=$(< "$dir/server.pid")
    until port=$(listening_port "$pid") && [ -n "$port" ]; do
        if ! kill -0 "$pid" 2> /dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            kill -KILL "$pid" 2> /dev/null || true
            rm -f "$dir/server.pid"
            tail -n 10 "$dir/server.log" >&2
            stop_postgres "$dir"
            grep -q 'address already in use' "$dir/server.log" &&
                fail "$dir: the port is taken by another process"
            fail "$dir: $2 did not start (all of it: $dir/server.log)"
        fi
        sleep 0.02
    done
    echo "mongodb://127.0.0.1:$port/" | tee "$dir/uri"
}

# in_rootfs COMMAND...: as the user postgres, inside the chroot, with nothing of our environment.
in_rootfs() {
    chroot --userspec=postgres:postgres "$rootfs" \
        env -i PATH="$pg_bin:/usr/bin:/bin" HOME=/var/lib/postgresql LC_ALL=C "$@" 9>&-
}

# Where PostgreSQL's things of a DIR are, as seen inside the chroot.
data_of() { echo "/var/lib/postgresql/mesh/$(< "$1/instance")"; }
socket_of() { echo "/run/mesh-$(< "$1/instance")"; }

# Data of directories that are gone, unless it is in use.
remove_orphans() {
    local data owner
    for data in "$rootfs"/var/lib/postgresql/mesh/*/; do
        [ -s "$data/mesh-owner" ] || continue
        owner=$(< "$data/mesh-owner")
        [ "$(cat "$owner/instance" 2> /dev/null)" = "$(basename "$data")" ] && continue
        is_running "$data/postmaster.pid" postgres && continue
        rm -rf --one-file-system "$data" "$rootfs/run/mesh-$(basename "$data")"
    done
}

make_postgres() {
    local dir=$1 data socket
    data=$(data_of "$dir") socket=$(socket_of "$dir")
    install -d -o "$(stat -c %u "$rootfs/var/lib/postgresql")" \
        -g "$(stat -c %g "$rootfs/var/lib/postgresql")" "$rootfs/var/lib/postgresql/mesh"
    in_rootfs initdb -D "$data" -A trust -U postgres --no-instructions -E UTF8 \
        > "$dir/postgres.log" 2>&1 || fail "$dir: PostgreSQL's initdb failed, see $dir/postgres.log"
    # DocumentDB makes collections over a connection of its own, hence the socket's path; mmap
    # because a chroot has no /dev/shm.
    cat >> "$rootfs$data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$socket'
dynamic_shared_memory_type = mmap
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
documentdb.localhost_connection_string = 'host=$socket'
cron.database_name = 'postgres'
cron.use_background_workers = on
cron.log_statement = off
cron.log_run = off
max_worker_processes = 24
max_connections = 120
jit = off
io_method = sync
log_min_messages = warning
CONF
    echo "$dir" > "$rootfs$data/mesh-owner"
}

start_postgres() {
    local dir=$1 data socket deadline=$((SECONDS + start_deadline_s))
    [ -s "$dir/instance" ] || head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n' > "$dir/instance"
    data=$(data_of "$dir") socket=$(socket_of "$dir")
    # The owner's name is written last: without it a first start was cut off, and is done again.
    if [ ! -s "$rootfs$data/mesh-owner" ]; then
        rm -rf --one-file-system "${rootfs:?}$data" "$dir/extension"
        make_postgres "$dir"
    fi
    is_running "$rootfs$data/postmaster.pid" postgres && return
    install -d -m 0700 -o "$(stat -c %u "$rootfs$data")" -g "$(stat -c %g "$rootfs$data")" \
        "$rootfs$socket"
    # After a kill -9 the old process may stand in the way for a moment, so it is tried again.
    until in_rootfs pg_ctl -D "$data" -l "$data/server.log" -w -s start > "$dir/postgres.log" 2>&1
    do
        if [ "$SECONDS" -ge "$deadline" ]; then
            tail -n 5 "$dir/postgres.log" "$rootfs$data/server.log" >&2
            fail "$dir: PostgreSQL did not start"
        fi
        sleep 0.2
    done
    [ -e "$dir/extension" ] && return
    in_rootfs psql -qAt -h "$socket" -U postgres -d postgres -c \
        'set client_min_messages = error; create extension if not exists documentdb cascade' \
        >> "$dir/postgres.log" 2>&1 || fail "$dir: no DocumentDB extension, see $dir/postgres.log"
    : > "$dir/extension"
}

# make_user DIR: the user of DIR/secure, who may do what a service does.
make_user() {
    local dir=$1 socket user
    socket=$(socket_of "$dir")
    [ ! -e "$dir/secure/made" ] || return 0
    user=$(printf '{"createUser":"%s","pwd":"%s","roles":[{"role":"readWriteAnyDatabase","db":"admin"},{"role":"clusterAdmin","db":"admin"}]}' \
        "$(< "$dir/secure/user")" "$(< "$dir/secure/password")")
    in_rootfs psql -qAt -h "$socket" -U postgres -d postgres <<< "select documentdb_api.create_user('$user')" \
        >> "$dir/postgres.log" 2>&1 || fail "$dir: cannot make the user, see $dir/postgres.log"
    : > "$dir/secure/made"
}

stop_postgres() {
    [ -s "$1/instance" ] || return 0
    local pidfile
    pidfile=$rootfs$(data_of "$1")/postmaster.pid
    is_running "$pidfile" postgres || return 0
    # SIGINT is PostgreSQL's fast shutdown: it ends its sessions and writes a checkpoint.
    kill -INT "$(head -n 1 "$pidfile")" 2> /dev/null || true
    await_end "$pidfile" postgres
}

start_compatible() {
    local dir=$1 how=(--no-auth "--listen-addr=127.0.0.1:$2")
    if [ ! -x "$home/bin/ferretdb" ] || [ ! -d "$rootfs" ]; then
        say "no mongod on PATH and no compatible server in $home; run $mesh_root/scripts/setup.sh mongo"
        exit 3
    fi
    [ "$(id -u)" = 0 ] || {
        say "the compatible server needs root, for a chroot; or put a mongod on PATH"
        exit 3
    }
    (
        flock 9 # two first starts must not remove each other's data
        remove_orphans
    ) 9> "$home/instances.lock"
    [ -z "${MONGO_SECURE:-}" ] || [ -s "$dir/instance" ] || make_credentials "$dir"
    start_postgres "$dir"
    if [ -d "$dir/secure" ]; then
        make_user "$dir"
        how=(--auth --listen-addr= "--listen-tls=127.0.0.1:$2" "--listen-tls-cert-file=$dir/secure/server.pem"
            "--listen-tls-key-file=$dir/secure/server.key" --listen-tls-ca-file=)
    fi
    launch "$dir" "$home/bin/ferretdb" "${how[@]}" --debug-addr=- \
        --state-dir=- --telemetry=disable --log-level="${MONGO_LOG:-ERROR}" \
        --postgresql-url="postgres:///postgres?user=postgres&host=$rootfs$(socket_of "$dir")"
    echo ferretdb > "$dir/server.name"
    await_port "$dir" ferretdb
}

start_mongod() {
    local dir=$1
    mkdir -p "$dir/data"
    launch "$dir" mongod --dbpath "$dir/data" --bind_ip 127.0.0.1 --port "$2"
    echo mongod > "$dir/server.name"
    await_port "$dir" mongod
}

start_server() {
    local dir=$1 port=$2
    # Resumed data keeps its address unless another is wanted: clients were told it.
    [ "$port" != 0 ] || [ ! -s "$dir/uri" ] || port=$(sed 's#.*:\([0-9]*\)/$#\1#' "$dir/uri")
    if is_running "$dir/server.pid" "$(cat "$dir/server.name" 2> /dev/null)"; then
        cat "$dir/uri"
    elif command -v mongod > /dev/null && [ ! -s "$dir/instance" ] && [ -z "${MONGO_SECURE:-}" ]; then
        start_mongod "$dir" "$port"
    else
        start_compatible "$dir" "$port"
    fi
}

stop_server() {
    local name
    name=$(cat "$1/server.name" 2> /dev/null || true)
    if [ -n "$name" ] && is_running "$1/server.pid" "$name"; then
        kill -TERM "$(< "$1/server.pid")" 2> /dev/null || true
        await_end "$1/server.pid" "$name"
    fi
    rm -f "$1/server.pid"
    stop_postgres "$1"
}

# As if the machine had lost power: every process at once, PostgreSQL's children too.
kill_server() {
    local name pidfile pid children=() victims=()
    name=$(cat "$1/server.name" 2> /dev/null || true)
    if [ -n "$name" ] && is_running "$1/server.pid" "$name"; then
        victims+=("$(< "$1/server.pid")")
    fi
    if [ -s "$1/instance" ]; then
        pidfile=$rootfs$(data_of "$1")/postmaster.pid
        if is_running "$pidfile" postgres; then
            pid=$(head -n 1 "$pidfile")
            victims+=("$pid")
            read -ra children < "/proc/$pid/task/$pid/children" || true
            victims+=("${children[@]}")
        fi
    fi
    [ ${#victims[@]} -eq 0 ] || kill -KILL "${victims[@]}" 2> /dev/null || true
    [ -z "$name" ] || await_end "$1/server.pid" "$name"
    [ -z "${pidfile:-}" ] || await_end "$pidfile" postgres
    rm -f "$1/server.pid"
}

command=${1:-} dir=${2:-}
if [ -z "$command" ] || [ -z "$dir" ]; then usage; fi
case $command in
    start)
        if [[ ! ${3:-0} =~ ^[0-9]{1,5}$ ]] || [ "${3:-0}" -gt 65535 ]; then usage; fi
        mkdir -p "$dir"
        dir=$(cd "$dir" && pwd)
        start_server "$dir" "${3:-0}"
        exit 0
        ;;
    stop | kill | uri) ;;
    *) usage ;;
esac
dir=$(cd "$dir" 2> /dev/null && pwd) || fail "$2: no such directory"
case $command in
    stop) stop_server "$dir" ;;
    kill) kill_server "$dir" ;;
    uri) cat "$dir/uri" 2> /dev/null || fail "$dir: no server was ever started here" ;;
esac
