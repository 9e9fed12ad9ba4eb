#!/bin/bash
# One Apache Kafka broker (KRaft, controller and broker in one process) on loopback, for tests and
# for development. Everything it has is in DIR: remove DIR and it never was.
#
#   kafka.sh start DIR [PORT]   starts it (PORT 0 or absent: the kernel chooses), prints host:port.
#                               If DIR holds data it goes on with it: topics, records, cluster id.
#   kafka.sh stop DIR           asks it to end and waits until it is gone
#   kafka.sh kill DIR           kill -9, waits until it is gone
#   kafka.sh restart DIR        stop (if it runs) and start on the same port
#   kafka.sh uri DIR [scram|mtls]   prints host:port; of a secure broker that of its listeners too
#   kafka.sh ready DIR          exit 0 if it runs and answers, 1 if not
#   kafka.sh topics DIR FILE    creates the topics of FILE (see tools/topics/README.md), idempotent
#   kafka.sh user DIR FILE      gives the SCRAM user of a secure broker the password in FILE
#
# With KAFKA_SECURE=1 a first start makes a secure broker: beside the plain listener one with TLS and
# SCRAM and one with TLS that demands a client certificate. secure.sh says what is in DIR/secure.
#
# Exit 0 ok, 1 failed, 2 wrong use, 3 Kafka is not set up here (run scripts/setup.sh full).
# KAFKA_HEAP (512m) is the heap; KAFKA_SET holds further server properties, one per line.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=setup/cache.sh
. "$(dirname "${BASH_SOURCE[0]}")/setup/cache.sh"
kafka_home=$mesh_cache/kafka
heap=${KAFKA_HEAP:-512m}
start_deadline_s=90
# shellcheck source-path=SCRIPTDIR source=secure.sh
. "$(dirname "${BASH_SOURCE[0]}")/secure.sh"

usage() {
    sed -n '4,20s/^# \{0,3\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

say() {
    printf 'kafka: %s\n' "$1" >&2
}

fail() {
    say "$1"
    exit 1
}

# gone PID: no such process, or one that has ended and waits for its parent to notice. Its first
# thread may end before the others, which hold files and ports until they have.
gone() {
    local tasks state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2> /dev/null) || return 0
    [ -n "$state" ] || return 0
    [ "$state" = Z ] || return 1
    tasks=("/proc/$1/task/"*)
    [ ${#tasks[@]} -le 1 ]
}

# alive DIR: true if the broker of DIR runs. The pid file alone could name a stranger (pids are
# used again), so the process must also have been started on that very configuration.
alive() {
    local pid
    [ -s "$1/pid" ] || return 1
    pid=$(< "$1/pid")
    ! gone "$pid" || return 1
    tr '\0' '\n' < "/proc/$pid/cmdline" 2> /dev/null | grep -qxF -- "$1/server.properties"
}

# jvm HEAP ARGUMENT...: becomes a Java process with the flags that start quickest. The archive of
# class data (made by the setup) halves the start; without it Java just starts slower.
jvm() {
    local archive=(-Xshare:auto) memory=$1
    shift
    if [ -n "${KAFKA_ARCHIVE_DUMP:-}" ]; then
        archive=("-XX:ArchiveClassesAtExit=$KAFKA_ARCHIVE_DUMP")
    elif [ -s "$kafka_home/kafka.jsa" ]; then
        archive+=("-XX:SharedArchiveFile=$kafka_home/kafka.jsa" -Xlog:cds=off -Xlog:cds+dynamic=off)
    fi
    exec ${detach:+setsid} java "-Xmx$memory" -Xss512k -XX:+UseSerialGC \
        -XX:TieredStopAtLevel=1 "${archive[@]}" "-Dlog4j2.configurationFile=$log4j" -cp "$kafka_home/libs/*" "$@"
}

write_log4j() {
    cat > "$1" <<'PROPERTIES'
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{HH:mm:ss.SSS} %p [%t] %c{1} %m%n
# kafka.sh reads two INFO lines: the ports that were bound, and "started".
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = INFO
logger.acceptor.name = kafka.network.DataPlaneAcceptor
logger.acceptor.level = INFO
PROPERTIES
}

# write_properties DIR BROKER_PORT CONTROLLER_PORT SCRAM_PORT MTLS_PORT
write_properties() {
    local more=''
    [ ! -d "$1/secure" ] || more=$(secure_listeners "$4" "$5")
    cat > "$1/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$3$more
controller.quorum.bootstrap.servers=127.0.0.1:$3
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$1/data
# A topic exists because a file declares it, never because someone misspelt one.
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
# Event time may be years ago: nothing may vanish because its timestamp is old.
log.retention.ms=-1
# One broker, so one replica of the internal topics, and few partitions: they cost start time.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
# Groups form at once, and tests may use short sessions.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.min.heartbeat.interval.ms=100
group.consumer.session.timeout.ms=6000
group.consumer.heartbeat.interval.ms=500
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
# Compaction soon enough for a test, with a small buffer.
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.backoff.ms=200
log.initial.task.delay.ms=500
log.retention.check.interval.ms=1000
log.segment.delete.delay.ms=1000
# Few threads: the clients share these cores.
num.io.threads=2
num.network.threads=2
background.threads=2
group.coordinator.threads=1
group.coordinator.background.threads=1
${KAFKA_SET:-}
PROPERTIES
    [ ! -d "$1/secure" ] || secure_properties "$1" >> "$1/server.properties"
}

# format_storage DIR: gives an empty DIR a cluster id of its own (16 random bytes, URL-safe).
format_storage() {
    local id scram=()
    [ ! -d "$1/secure" ] || mapfile -t scram < <(secure_scram "$1")
    id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')
    # An id that begins with "-" would be read as an option.
    id=m${id:1}
    if ! (KAFKA_ARCHIVE_DUMP='' jvm 128m kafka.tools.StorageTool format --standalone \
        -t "$id" -c "$1/server.properties" "${scram[@]}") > "$1/format.log" 2>&1; then
        rm -rf "${1:?}/data"
        say "formatting $1 failed:"
        tail -n 10 "$1/format.log" >&2
        exit 1
    fi
}

# launch DIR: starts the process and waits for "started". 0 started, 1 a port is taken, 2 broken.
launch() {
    local dir=$1 pid deadline=$((SECONDS + start_deadline_s))
    : > "$dir/out.log"
    (
        # The broker outlives this script: it must hold none of the caller's files or locks open,
        # and a Ctrl-C in the caller's terminal is not for it.
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            [ "$fd" -le 2 ] || eval "exec $fd>&-" 2> /dev/null || true
        done
        cd "$dir"
        detach=1
        jvm "$heap" kafka.Kafka "$dir/server.properties"
    ) > "$dir/out.log" 2>&1 < /dev/null &
    pid=$!
    echo "$pid" > "$dir/pid"
    until grep -q 'Kafka Server started' "$dir/out.log"; do
        if ! kill -0 "$pid" 2> /dev/null; then
            rm -f "$dir/pid"
            grep -q 'Address already in use' "$dir/out.log" && return 1
            return 2
        fi
        if [ "$SECONDS" -ge "$deadline" ]; then
            stop_broker "$dir" KILL
            say "$dir: not ready within $start_deadline_s s"
            return 2
        fi
        sleep 0.03
    done
}

# bound_ports DIR: the ports in the order in which they were bound: controller, then broker.
bound_ports() {
    sed -n 's/.*Awaiting socket connections on 127\.0\.0\.1:\([0-9]*\)\..*/\1/p' "$1/out.log"
}

start_broker() {
    local dir=$1 port=$2 controller_port=0 scram_port=0 mtls_port=0 old_port ports tries=0 status wanted=2
    command -v java > /dev/null || {
        say "no java on PATH; run $mesh_root/scripts/setup.sh packages"
        exit 3
    }
    [ -d "$kafka_home/libs" ] || {
        say "its jars are not in $kafka_home; run $mesh_root/scripts/setup.sh kafka"
        exit 3
    }
    if alive "$dir"; then
        cat "$dir/bootstrap"
        return
    fi
    if [ -s "$dir/ports" ]; then
        # Data is there: the quorum has stored the controller's port, so that one stays. The
        # broker's stays too unless the caller wants another.
        read -r controller_port old_port scram_port mtls_port < "$dir/ports"
        [ "$port" != 0 ] || port=$old_port
    elif [ -n "${KAFKA_SECURE:-}" ] && [ ! -d "$dir/secure" ]; then
        make_credentials "$dir"
    fi
    [ ! -d "$dir/secure" ] || wanted=4
    log4j=$dir/log4j2.properties
    write_log4j "$log4j"
    write_properties "$dir" "$port" "$controller_port" "$scram_port" "$mtls_port"
    [ -s "$dir/data/meta.properties" ] || format_storage "$dir"
    # A port that was ours may for a moment be the local end of someone's connection: try again.
    while :; do
        status=0
        launch "$dir" || status=$?
        tries=$((tries + 1))
        if [ "$status" != 1 ] || [ "$tries" -gt 5 ] || [ "$controller_port" = 0 ]; then break; fi
        sleep 1
    done
    if [ "$status" != 0 ]; then
        [ "$status" != 1 ] || fail "$dir: port $port or $controller_port is taken by another process"
        tail -n 20 "$dir/out.log" >&2
        fail "$dir: the broker did not start (all of it: $dir/out.log)"
    fi
    mapfile -t ports < <(bound_ports "$dir")
    if [ ${#ports[@]} != "$wanted" ]; then
        stop_broker "$dir" TERM
        fail "$dir: cannot read the bound ports from $dir/out.log"
    fi
    echo "${ports[@]}" > "$dir/ports"
    echo "127.0.0.1:${ports[1]}" | tee "$dir/bootstrap"
}

# stop_broker DIR SIGNAL: returns when the process is gone; asks harder after 20 seconds.
stop_broker() {
    local pid i
    if alive "$1"; then
        pid=$(< "$1/pid")
        kill -"$2" "$pid" 2> /dev/null || true
        for ((i = 0; i < 1000; i++)); do
            ! gone "$pid" || break
            [ "$i" != 600 ] || kill -KILL "$pid" 2> /dev/null || true
            sleep 0.03
        done
        gone "$pid" || fail "$1: process $pid does not end"
    fi
    rm -f "$1/pid"
}

# answers DIR: it runs and its port takes a connection.
answers() {
    alive "$1" && [ -s "$1/bootstrap" ] || return 1
    local address
    address=$(< "$1/bootstrap")
    (exec 3<> "/dev/tcp/${address%:*}/${address##*:}") 2> /dev/null
}

# print_uri DIR [scram|mtls]
print_uri() {
    local ports at=1
    case ${2:-} in
        '') ;;
        scram) at=2 ;;
        mtls) at=3 ;;
        *) usage ;;
    esac
    [ -s "$1/ports" ] || fail "$1: no broker was ever started here"
    read -ra ports < "$1/ports"
    [ -n "${ports[at]:-}" ] || fail "$1: not a secure broker (KAFKA_SECURE=1 at its first start)"
    echo "127.0.0.1:${ports[at]}"
}

# set_password DIR FILE: for both mechanisms of the user; the broker takes one in a request.
set_password() {
    local password mechanism pids=() pid
    password=$(< "$2")
    [ -s "$1/secure/user" ] || fail "$1: not a secure broker (KAFKA_SECURE=1 at its first start)"
    alive "$1" || fail "$1: no broker runs here; kafka.sh start $1"
    log4j=$1/log4j2.properties
    for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
        (
            umask 077
            echo "$mechanism=password=$password" > "$1/secure/$mechanism"
            jvm 128m kafka.admin.ConfigCommand --bootstrap-server "$(< "$1/bootstrap")" --alter \
                --entity-type users --entity-name "$(< "$1/secure/user")" --add-config-file "$1/secure/$mechanism"
        ) > "$1/$mechanism.log" 2>&1 &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || fail "setting the password failed, see $1/SCRAM-*.log"; done
}

create_topics() {
    local tool=${MESH_TOPICS:-$mesh_root/build/bin/mesh-topics}
    [ -x "$tool" ] || tool=$(command -v mesh-topics) ||
        fail "mesh-topics is not built: run make build, or set MESH_TOPICS"
    alive "$1" || fail "$1: no broker runs here; kafka.sh start $1"
    exec "$tool" --brokers "$(< "$1/bootstrap")" --file "$2"
}

command=${1:-} dir=${2:-}
if [ -z "$command" ] || [ -z "$dir" ]; then usage; fi
case $command in
    start)
        if [[ ! ${3:-0} =~ ^[0-9]{1,5}$ ]] || [ "${3:-0}" -gt 65535 ]; then usage; fi
        mkdir -p "$dir"
        dir=$(cd "$dir" && pwd)
        start_broker "$dir" "${3:-0}"
        exit 0
        ;;
    stop | kill | restart | uri | ready | topics | user) ;;
    *) usage ;;
esac
dir=$(cd "$dir" 2> /dev/null && pwd) || fail "$2: no such directory"
case $command in
    stop) stop_broker "$dir" TERM ;;
    kill) stop_broker "$dir" KILL ;;
    restart)
        stop_broker "$dir" TERM
        start_broker "$dir" 0
        ;;
    uri) print_uri "$dir" "${3:-}" ;;
    ready) answers "$dir" ;;
    topics)
        [ -n "${3:-}" ] || usage
        create_topics "$dir" "$3"
        ;;
    user)
        [ -n "${3:-}" ] || usage
        set_password "$dir" "$3"
        ;;
esac
