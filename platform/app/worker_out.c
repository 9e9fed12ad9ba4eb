/* Nothing leaves before its commit is durable: the engine hands out a message only after
 * mesh_engine_durable(), which is called here alone. */
#include "app/worker_int.h"

#include "base/clock.h"

#include <stdio.h>

#define STORED_BATCH 1024

/* Room for the frames of a large commit, taken at once: growing step by step would copy tens of megabytes in the middle of a commit,
 * tens of milliseconds in which nobody is answered. Until it is written to it costs address space only. */
#define FRAMES_BYTES (128u << 20)

static void begin_commit(struct mesh_worker *worker, int64_t now_us)
{
    bool cut = mesh_engine_round_begin(worker->engine, worker->log_bytes);
    mesh_buf_reset(&worker->frames);
    (void)mesh_buf_reserve(&worker->frames, FRAMES_BYTES);
    bool any = mesh_engine_commit(worker->engine, now_us, &worker->frames);
    if (!any && !cut)
        return;
    worker->commit_in_flight = any;
    worker->cut_in_flight = cut;
    mesh_committer_submit(worker->committer, &worker->frames, cut);
}

static void landed(struct mesh_worker *worker, const struct mesh_committer_result *result)
{
    worker->log_bytes = result->log_bytes;
    if (worker->cut_in_flight)
        worker->segment = result->segment;
    worker->cut_in_flight = false;
    mesh_metric_observe(worker->m_commit_seconds, (double)result->duration_us / 1e6);
    if (worker->commit_in_flight) {
        mesh_engine_durable(worker->engine);
    }
    if (mesh_engine_round_done(worker->engine) && worker->segment != 0)
        mesh_committer_trim(worker->committer, worker->segment);
}

int mesh_worker_commit(struct mesh_worker *worker, int64_t now_us, struct mesh_err *err)
{
    struct mesh_committer_result result;
    int news = mesh_committer_poll(worker->committer, &result, err);
    if (news < 0)
        return -1;
    if (news > 0)
        landed(worker, &result);
    if (!mesh_committer_busy(worker->committer) && mesh_engine_commit_due(worker->engine, now_us)) {
        begin_commit(worker, now_us);
        news = 1;
    }
    return news;
}

/* A message or a document costs about what a record does. */
static void breathe_now_and_then(struct mesh_worker *worker)
{
    if (++worker->moved % MESH_FLOW_SLICE == 0)
        mesh_worker_breathe(worker);
}

static void acked(void *context, uint64_t ticket)
{
    struct mesh_worker *worker = context;
    mesh_engine_acked(worker->engine, ticket);
    breathe_now_and_then(worker);
}

static int send_one(struct mesh_worker *worker, struct mesh_err *err)
{
    const struct mesh_message *m = &worker->message;
    rd_kafka_headers_t *headers = m->n_headers == 0 ? NULL : rd_kafka_headers_new(m->n_headers);
    for (uint32_t i = 0; i < m->n_headers; i++)
        rd_kafka_header_add(headers, m->headers[i].name.p, (ssize_t)m->headers[i].name.n, m->headers[i].value.p,
                            (ssize_t)m->headers[i].value.n);
    struct mesh_sink_message out = {.dest = m->dest,
                                    .topic = m->topic,
                                    .partition = m->partition,
                                    .key = m->key,
                                    .value = m->value,
                                    .headers = headers,
                                    .time_us = m->time_us,
                                    .ticket = m->ticket};
    int result = mesh_sink_send(worker->sink, &out, err);
    if (result != 0 && headers != NULL)
        rd_kafka_headers_destroy(headers);
    return result;
}

static int send_messages(struct mesh_worker *worker, bool holds, struct mesh_err *err)
{
    if (worker->sink == NULL)
        worker->sink = mesh_sink_new(&worker->kafka, mesh_engine_n_dests(worker->product), acked, worker);
    if (mesh_sink_poll(worker->sink) == MESH_SINK_RESEND) {
        worker->has_message = false;
        mesh_engine_resend(worker->engine);
        mesh_log(MESH_LOG_WARN, "the producer was made anew; sends what was not acknowledged", "product", worker->name, NULL);
    }
    int sent = 0;
    while (holds && (worker->has_message || mesh_engine_next_message(worker->engine, &worker->message))) {
        worker->has_message = true;
        int result = send_one(worker, err);
        if (result < 0)
            return -1;
        if (result == MESH_SINK_FULL)
            break;
        worker->has_message = false;
        sent = 1;
        breathe_now_and_then(worker);
    }
    return sent;
}

static void look_at_mongo(struct mesh_worker *worker)
{
    struct mesh_mongo_info info;
    mesh_mongo_info(worker->mongo, &info);
    mesh_metric_set(worker->m_mongo_up, info.away ? 0 : 1);
    if (info.away == worker->mongo_said_away)
        return;
    worker->mongo_said_away = info.away;
    if (info.away)
        mesh_log(MESH_LOG_WARN, "MongoDB is away; keeps what it has to write and tries again", "product", worker->name, "error",
                 info.why, NULL);
    else
        mesh_log(MESH_LOG_INFO, "MongoDB is back", "product", worker->name, NULL);
}

static int send_documents(struct mesh_worker *worker, bool holds)
{
    uint64_t tickets[STORED_BATCH];
    int moved = 0;
    for (size_t n; (n = mesh_mongo_stored(worker->mongo, tickets, STORED_BATCH)) > 0; moved = 1)
        for (size_t i = 0; i < n; i++) {
            mesh_engine_stored(worker->engine, tickets[i]);
            breathe_now_and_then(worker);
        }
    struct mesh_document d;
    while (holds && mesh_mongo_room(worker->mongo) && mesh_engine_next_document(worker->engine, &d)) {
        struct mesh_mongo_document out = {d.port, d.id, d.removed, d.generation, d.n, d.out, d.ticket};
        mesh_mongo_put(worker->mongo, &out);
        moved = 1;
        breathe_now_and_then(worker);
    }
    look_at_mongo(worker);
    return moved;
}

int mesh_worker_send(struct mesh_worker *worker, struct mesh_err *err)
{
    /* Once is enough: all that leaves here was durable before, so a copy of this state sends the same, should it go on meanwhile. */
    bool holds = mesh_worker_holds(worker);
    int moved = send_messages(worker, holds, err);
    if (moved < 0)
        return -1;
    if (worker->mongo != NULL)
        moved |= send_documents(worker, holds);
    return moved;
}

bool mesh_worker_is_drained(struct mesh_worker *worker, int64_t now_us)
{
    if (worker->engine == NULL || worker->committer == NULL)
        return true;
    struct mesh_mongo_info info = {0};
    if (worker->mongo != NULL)
        mesh_mongo_info(worker->mongo, &info);
    return !mesh_committer_busy(worker->committer) && !mesh_engine_commit_due(worker->engine, now_us) && !worker->has_message &&
           (worker->sink == NULL || mesh_sink_pending(worker->sink) == 0) && (info.queued == 0 || info.away || info.stopped);
}

void mesh_worker_drop_outputs(struct mesh_worker *worker)
{
    worker->has_message = false;
    worker->sink = mesh_sink_free(worker->sink);
    bool had = worker->mongo != NULL;
    worker->mongo = mesh_mongo_free(worker->mongo);
    struct mesh_err err;
    struct mesh_mongo_conf conf = {worker->config->mongo_uri, worker->config->mongo_database, worker->product,
                                   worker->pseudonym_key, &worker->wake};
    if (had && !atomic_load(&worker->stop))
        (void)mesh_mongo_new(&conf, &worker->mongo, &err); /* the same settings worked before */
}
