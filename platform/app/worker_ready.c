/* The thread copies what it knows every tenth of a second; whoever asks reads the copy, so that
 * /readyz answers also when the thread is busy. */
#include "app/worker_int.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SHOW_US  INT64_C(100000)
#define ALIVE_US INT64_C(30000000)

void mesh_worker_set_phase(struct mesh_worker *worker, enum mesh_worker_phase phase)
{
    pthread_mutex_lock(&worker->lock);
    if (worker->status.phase != MESH_WORKER_FAILED)
        worker->status.phase = phase;
    pthread_mutex_unlock(&worker->lock);
}

static void show_sources(struct mesh_worker_status *status, const struct mesh_engine *engine)
{
    status->sources.n = 0;
    for (size_t i = 0; i < mesh_engine_n_sources(engine); i++)
        mesh_engine_source_info(engine, i, mesh_vec_push(&status->sources));
}

static void show_stopped(struct mesh_worker *worker)
{
    struct mesh_worker_status *status = &worker->status;
    uint32_t n = mesh_engine_n_dests(worker->product);
    while (status->dest_stopped.n < n)
        *mesh_vec_push(&status->dest_stopped) = NULL;
    for (uint32_t d = 0; d < n; d++) {
        const char *text = worker->sink == NULL ? NULL : mesh_sink_stopped(worker->sink, d);
        if (text != NULL && status->dest_stopped.v[d] == NULL) {
            status->dest_stopped.v[d] = mesh_xstrdup(text);
            mesh_log(MESH_LOG_ERROR, text, "product", worker->name, NULL);
        }
    }
}

void mesh_worker_show(struct mesh_worker *worker, bool now)
{
    int64_t now_us = mesh_clock_mono_us();
    atomic_store_explicit(&worker->round_us, now_us, memory_order_relaxed);
    if (!now && now_us - worker->status_us < SHOW_US)
        return;
    worker->status_us = now_us;
    pthread_mutex_lock(&worker->lock);
    struct mesh_worker_status *status = &worker->status;
    status->link = worker->link_info;
    status->role = worker->cutover.role.word;
    status->from_us = worker->cutover.role.from_us;
    const char *refused = worker->refused[worker->refused[MESH_KAFKA_SOURCE][0] != '\0' ? MESH_KAFKA_SOURCE : MESH_KAFKA_SINK];
    snprintf(status->refused, sizeof status->refused, "%s", refused);
    status->memory = worker->memory;
    status->has_group = worker->running;
    if (worker->source != NULL)
        status->group = mesh_kafka_source_state(worker->source);
    if (worker->engine != NULL) {
        const char *stopped = mesh_engine_stopped(worker->engine);
        if (stopped != NULL && strncmp(stopped, status->stopped, sizeof status->stopped - 1) != 0)
            mesh_log(MESH_LOG_ERROR, stopped, "product", worker->name, NULL);
        snprintf(status->stopped, sizeof status->stopped, "%s", stopped == NULL ? "" : stopped);
        status->tables_loaded = mesh_engine_tables_loaded(worker->engine);
        status->generation = mesh_engine_generation(worker->engine);
        status->commits = worker->engine == NULL ? 0 : mesh_engine_commits(worker->engine);
        show_sources(status, worker->engine);
        if (worker->sharded && worker->running) {
            status->mark = mesh_worker_mark(worker);
            status->epoch = mesh_kafka_log_epoch(worker->kafka_log);
        }
        show_stopped(worker);
    }
    status->has_mongo = worker->mongo != NULL;
    if (worker->mongo != NULL)
        mesh_mongo_info(worker->mongo, &status->mongo);
    mesh_schemas_waits(worker->schemas, status->schemas);
    status->held_back = worker->n_held_back;
    pthread_mutex_unlock(&worker->lock);
}

void mesh_worker_status_deinit(struct mesh_worker_status *status)
{
    for (size_t i = 0; i < status->dest_stopped.n; i++)
        free(status->dest_stopped.v[i]);
    mesh_vec_deinit(&status->dest_stopped);
    mesh_vec_deinit(&status->sources);
}

enum mesh_worker_phase mesh_worker_phase(struct mesh_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    enum mesh_worker_phase phase = worker->status.phase;
    pthread_mutex_unlock(&worker->lock);
    return phase;
}

void mesh_worker_error(struct mesh_worker *worker, struct mesh_err *ret)
{
    pthread_mutex_lock(&worker->lock);
    *ret = worker->status.err;
    pthread_mutex_unlock(&worker->lock);
}

bool mesh_worker_alive(struct mesh_worker *worker)
{
    int64_t at = atomic_load_explicit(&worker->round_us, memory_order_relaxed);
    return at == 0 || mesh_clock_mono_us() - at < ALIVE_US;
}

/* ---- JSON ---- */
static void member(struct mesh_buf *out, const char *name, const char *value)
{
    mesh_buf_printf(out, ",\"%s\":", name);
    mesh_json_string(out, mesh_str_of(value));
}

static void time_member(struct mesh_buf *out, const char *name, int64_t us)
{
    mesh_buf_printf(out, ",\"%s\":", name);
    if (us == INT64_MIN) {
        mesh_buf_puts(out, "null");
        return;
    }
    mesh_buf_putc(out, '"');
    mesh_text_time(out, us);
    mesh_buf_putc(out, '"');
}

static const char *const phase_words[] = {"loading", "waiting", "loaded", "running", "draining", "stopped", "failed"};

static void write_broker(const struct mesh_worker_status *status, bool embedded, struct mesh_buf *out, bool *degraded)
{
    const char *word = "ok";
    if (status->refused[0] != '\0')
        word = "refused";
    else if (status->link.phase == MESH_LINK_BROKER)
        word = "waiting for the broker";
    else if (status->link.away)
        word = "away";
    else if (status->link.phase == MESH_LINK_TOPICS)
        word = "waiting for a topic";
    mesh_buf_puts(out, ",\"broker\":{\"status\":");
    mesh_json_string(out, mesh_str_of(word));
    if (status->refused[0] != '\0')
        member(out, "reason", status->refused);
    if (status->link.cluster_id[0] != '\0')
        member(out, "cluster", status->link.cluster_id);
    mesh_buf_printf(out, ",\"embedded\":%s", embedded ? "true" : "false");
    if (status->link.phase == MESH_LINK_TOPICS)
        member(out, "topic", status->link.waiting_for);
    mesh_buf_putc(out, '}');
    *degraded = *degraded || strcmp(word, "ok") != 0;

    static const char *const groups[] = {"joining", "shared with another instance", "owner"};
    member(out, "group", status->has_group ? groups[status->group] : "not joined"); /* of a shard: whether it reads */
    *degraded = *degraded || status->group == MESH_SOURCE_SHARED;
}

static void write_mongo(const struct mesh_worker_status *status, struct mesh_buf *out, bool *degraded)
{
    if (!status->has_mongo) {
        member(out, "mongo", "off");
        return;
    }
    mesh_buf_puts(out, ",\"mongo\":{\"status\":");
    mesh_json_string(out, mesh_str_of(status->mongo.stopped ? "stopped" : status->mongo.away ? "away" : "ok"));
    mesh_buf_printf(out, ",\"queued\":%zu,\"written\":%" PRIu64, status->mongo.queued, status->mongo.written);
    if (status->mongo.why[0] != '\0')
        member(out, "error", status->mongo.why);
    mesh_buf_putc(out, '}');
    *degraded = *degraded || status->mongo.away || status->mongo.stopped;
}

static void write_schemas(const struct mesh_worker *worker, struct mesh_buf *out, bool *degraded)
{
    const struct mesh_worker_status *status = &worker->status;
    if (worker->schemas == NULL) {
        member(out, "schemas", "off");
        return;
    }
    bool waits = status->schemas[0] != '\0' || status->held_back > 0;
    mesh_buf_puts(out, ",\"schemas\":{\"status\":");
    mesh_json_string(out, mesh_str_of(status->schemas[0] != '\0' ? "waiting for the schema registry" : waits ? "asking" : "ok"));
    mesh_buf_printf(out, ",\"partitions_waiting\":%" PRIu32, status->held_back);
    if (status->schemas[0] != '\0')
        member(out, "reason", status->schemas);
    mesh_buf_putc(out, '}');
    *degraded = *degraded || waits;
}

static void write_sources(const struct mesh_worker *worker, struct mesh_buf *out, bool *degraded)
{
    const struct mesh_worker_status *status = &worker->status;
    mesh_buf_puts(out, ",\"sources\":[");
    for (size_t i = 0; i < status->sources.n; i++) {
        const struct mesh_source_info *s = &status->sources.v[i];
        mesh_buf_printf(out, "%s{\"input\":", i == 0 ? "" : ",");
        mesh_json_string(out, mesh_str_of(worker->product->inputs[s->input].name));
        member(out, "topic", worker->product->inputs[s->input].topic);
        mesh_buf_printf(out, ",\"partition\":%" PRId32 ",\"position\":%" PRId64, s->partition, s->position);
        if (s->end >= 0)
            mesh_buf_printf(out, ",\"lag\":%" PRId64, s->end > s->position && s->position >= 0 ? s->end - s->position : 0);
        else
            mesh_buf_puts(out, ",\"lag\":null");
        if (worker->product->inputs[s->input].kind == MESH_INPUT_TABLE)
            mesh_buf_puts(out, ",\"table\":true");
        time_member(out, "watermark", s->watermark_us);
        mesh_buf_printf(out, ",\"idle\":%s,\"at_end\":%s,\"trimmed\":%" PRIu64 "}", s->idle ? "true" : "false",
                        s->at_end ? "true" : "false", s->trimmed);
        *degraded = *degraded || s->trimmed > 0;
    }
    mesh_buf_putc(out, ']');
}

static void write_ports(const struct mesh_worker *worker, bool embedded, struct mesh_buf *out, bool *degraded)
{
    const struct mesh_product *product = worker->product;
    bool first = true;
    mesh_buf_puts(out, ",\"ports\":[");
    for (uint32_t d = 0; d < worker->status.dest_stopped.n || d < product->n_ports; d++) {
        const char *topic = mesh_worker_dest_topic(product, d);
        const char *stopped = d < worker->status.dest_stopped.n ? worker->status.dest_stopped.v[d] : NULL;
        bool is_port = d < product->n_ports && topic != NULL;
        if (!is_port && stopped == NULL)
            continue;
        mesh_buf_printf(out, "%s{\"topic\":", first ? "" : ",");
        first = false;
        mesh_json_string(out, mesh_str_of(topic));
        if (is_port) {
            const struct mesh_port *port = &product->ports[d];
            member(out, "port", port->name);
            static const char *const emits[] = {"event", "change", "close"};
            member(out, "emit", emits[port->emit]);
            bool exactly = port->delivery == MESH_EXACTLY_ONCE;
            member(out, "delivery", !exactly ? "at_least_once" : embedded ? "at_least_once (embedded)" : "exactly_once");
            if (exactly && !embedded)
                member(out, "delivery_note", "to mesh products, which drop repeats; others see repeats after a crash");
        }
        if (stopped != NULL)
            member(out, "stopped", stopped);
        *degraded = *degraded || stopped != NULL;
        mesh_buf_putc(out, '}');
    }
    mesh_buf_putc(out, ']');
}

/* Topologies that read several streams in the order in which they happen to come. */
static void write_arrival(const struct mesh_product *product, struct mesh_buf *out)
{
    bool first = true;
    mesh_buf_puts(out, ",\"order_arrival\":[");
    for (uint32_t t = 0; t < product->n_topologies; t++) {
        const struct mesh_topology *topology = &product->topologies[t];
        uint32_t streams = 0;
        for (uint32_t i = 0; i < topology->n_inputs; i++)
            streams += product->inputs[topology->inputs[i]].kind != MESH_INPUT_TABLE;
        if (topology->ordered || streams < 2)
            continue;
        mesh_buf_puts(out, first ? "" : ",");
        first = false;
        mesh_json_string(out, mesh_str_of(topology->name));
    }
    mesh_buf_putc(out, ']');
}

bool mesh_worker_ready(struct mesh_worker *worker, struct mesh_buf *out, bool *degraded)
{
    const struct mesh_product *product = worker->product;
    pthread_mutex_lock(&worker->lock);
    const struct mesh_worker_status *status = &worker->status;
    bool embedded = worker->config->kafka_embedded || status->link.embedded;
    bool ready = (status->phase == MESH_WORKER_WAITING && !worker->sharded) || status->phase == MESH_WORKER_LOADED ||
                 status->phase == MESH_WORKER_RUNNING;
    bool bad = false;
    if (worker->sharded) {
        mesh_buf_printf(out, "{\"shard\":%" PRId32 ",\"epoch\":%" PRId64, worker->shard.shard, status->epoch);
    } else {
        mesh_buf_puts(out, "{\"product\":");
        mesh_json_string(out, mesh_str_of(worker->name));
        member(out, "version", product->version);
    }
    mesh_buf_printf(out, ",\"ready\":%s", ready ? "true" : "false");
    member(out, "phase", phase_words[status->phase]);
    member(out, "role", mesh_role_word_text(status->role));
    if (worker->config->variant[0] != '\0')
        member(out, "variant", worker->config->variant);
    if (status->from_us != INT64_MIN)
        time_member(out, "history_from", status->from_us);
    write_broker(status, embedded, out, &bad);
    mesh_buf_printf(out, ",\"tables\":\"%s\",\"generation\":%" PRIu64 ",\"commits\":%" PRIu64,
                    status->tables_loaded ? "loaded" : "loading", status->generation, status->commits);
    write_mongo(status, out, &bad);
    write_schemas(worker, out, &bad);
    bad = mesh_memory_show(&status->memory, out) || bad;
    write_sources(worker, out, &bad);
    write_ports(worker, embedded, out, &bad);
    if (!worker->sharded)
        write_arrival(product, out);
    if (status->stopped[0] != '\0')
        member(out, "stopped", status->stopped);
    if (status->phase == MESH_WORKER_FAILED)
        member(out, "error", status->err.text);
    bad = bad || status->stopped[0] != '\0' || status->phase == MESH_WORKER_FAILED;
    mesh_buf_printf(out, ",\"degraded\":%s}", bad ? "true" : "false");
    *degraded = *degraded || bad;
    pthread_mutex_unlock(&worker->lock);
    return ready;
}
