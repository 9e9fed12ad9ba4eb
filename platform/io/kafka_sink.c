/* A ticket travels through librdkafka as the message's opaque pointer; nothing is looked up. */
#include "io/kafka_sink.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

struct mesh_kafka_sink {
    struct mesh_kafka_conf conf;
    char *brokers, *client;
    rd_kafka_t *rk;
    rd_kafka_queue_t *reports;
    void (*acked)(void *context, uint64_t ticket);
    void *context;
    char **stopped;             /* per destination */
    char **topics;              /* per destination, as first sent to: reports name topics */
    rd_kafka_topic_t **handles; /* per destination, of this producer: by name, librdkafka would search for each message */
    uint32_t n_dests;
    size_t pending;
    bool rebuild;
    bool refused; /* was told */
    int64_t not_before_us;
};

static void ring(rd_kafka_t *rk, void *opaque)
{
    (void)rk;
    mesh_wake_ring(opaque);
}

static void stop(struct mesh_kafka_sink *sink, const rd_kafka_message_t *message)
{
    const char *topic = message->rkt == NULL ? "?" : rd_kafka_topic_name(message->rkt);
    for (uint32_t d = 0; d < sink->n_dests; d++) {
        if (sink->topics[d] == NULL || sink->stopped[d] != NULL || strcmp(sink->topics[d], topic) != 0)
            continue;
        struct mesh_buf text = MESH_BUF_NULL;
        mesh_buf_printf(&text,
                        "%s has stopped: the broker refuses a record (%s). Nothing was lost: it is "
                        "kept and sent again after a restart; mend the topic's settings or its "
                        "access first",
                        topic, rd_kafka_err2str(message->err));
        sink->stopped[d] = mesh_buf_take(&text);
    }
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct mesh_kafka_sink *sink = opaque;
    sink->pending--;
    switch ((int)message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        if (sink->refused)
            sink->conf.refused(sink->conf.refused_context, MESH_KAFKA_SINK, NULL);
        sink->refused = false;
        sink->acked(sink->context, (uint64_t)(uintptr_t)message->_private);
        return;
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
        return; /* by rebuild() */
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__FATAL:
        sink->rebuild = true;
        return;
    default:
        break;
    }
    char text[128];
    if (rd_kafka_fatal_error(rk, text, sizeof text) != RD_KAFKA_RESP_ERR_NO_ERROR)
        sink->rebuild = true;
    else
        stop(sink, message);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    struct mesh_kafka_sink *sink = opaque;
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        sink->rebuild = true;
    else if (mesh_kafka_tell_refused(&sink->conf, MESH_KAFKA_SINK, code, reason))
        sink->refused = sink->conf.refused != NULL;
}

static int build(struct mesh_kafka_sink *sink, struct mesh_err *err)
{
    rd_kafka_conf_t *rc = rd_kafka_conf_new();
    if (mesh_kafka_set_common(rc, &sink->conf, err) < 0) {
        rd_kafka_conf_destroy(rc);
        return -1;
    }
    mesh_kafka_set(rc, "enable.idempotence", "true");
    mesh_kafka_set(rc, "message.timeout.ms", "0");
    mesh_kafka_set_long(rc, "linger.ms", sink->conf.linger_ms);
    mesh_kafka_set_long(rc, "queue.buffering.max.messages", MESH_SINK_QUEUE_MESSAGES);
    mesh_kafka_set(rc, "queue.buffering.max.kbytes", "262144");
    mesh_kafka_set(rc, "compression.codec", "lz4");
    /* What a record may weigh is the topic's business: it answers, and the port then stops. */
    mesh_kafka_set(rc, "message.max.bytes", "67108864");
    rd_kafka_conf_set_opaque(rc, sink);
    rd_kafka_conf_set_dr_msg_cb(rc, on_report);
    rd_kafka_conf_set_error_cb(rc, on_error);
    char text[256];
    sink->rk = rd_kafka_new(RD_KAFKA_PRODUCER, rc, text, sizeof text);
    if (sink->rk == NULL) {
        rd_kafka_conf_destroy(rc);
        return mesh_err_set(err, MESH_ERR_FATAL, "kafka.client", "cannot make a Kafka producer: %s", text);
    }
    sink->reports = rd_kafka_queue_get_main(sink->rk);
    rd_kafka_queue_cb_event_enable(sink->reports, ring, sink->conf.wake);
    return 0;
}

static void demolish(struct mesh_kafka_sink *sink)
{
    if (sink->rk == NULL)
        return;
    rd_kafka_purge(sink->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(sink->rk, 0); /* what was acknowledged all the same */
    for (uint32_t d = 0; d < sink->n_dests; d++) {
        if (sink->handles[d] != NULL)
            rd_kafka_topic_destroy(sink->handles[d]);
        sink->handles[d] = NULL;
    }
    rd_kafka_queue_cb_event_enable(sink->reports, NULL, NULL);
    rd_kafka_queue_destroy(sink->reports);
    rd_kafka_destroy(sink->rk);
    sink->rk = NULL;
    sink->reports = NULL;
    sink->pending = 0;
}

struct mesh_kafka_sink *mesh_sink_new(const struct mesh_kafka_conf *conf, uint32_t n_dests,
                                      void (*acked)(void *context, uint64_t ticket), void *context)
{
    struct mesh_kafka_sink *sink = mesh_xcalloc(1, sizeof *sink);
    sink->conf = *conf;
    sink->conf.brokers = sink->brokers = mesh_xstrdup(conf->brokers);
    sink->conf.client = sink->client = mesh_xstrdup(conf->client);
    sink->acked = acked;
    sink->context = context;
    sink->n_dests = n_dests;
    sink->stopped = mesh_xcalloc(n_dests + 1, sizeof *sink->stopped);
    sink->topics = mesh_xcalloc(n_dests + 1, sizeof *sink->topics);
    sink->handles = mesh_xcalloc(n_dests + 1, sizeof(rd_kafka_topic_t *));
    return sink;
}

/* produceva() rather than producev(): the arguments are an array, checked by the compiler. */
static rd_kafka_resp_err_t produce(struct mesh_kafka_sink *sink, const struct mesh_sink_message *m)
{
    rd_kafka_topic_t **handle = &sink->handles[m->dest];
    if (*handle == NULL)
        *handle = rd_kafka_topic_new(sink->rk, m->topic, NULL);
    if (*handle == NULL)
        return rd_kafka_last_error();
    rd_kafka_vu_t vus[8];
    size_t n = 0;
    vus[n].vtype = RD_KAFKA_VTYPE_RKT;
    vus[n++].u.rkt = *handle;
    vus[n].vtype = RD_KAFKA_VTYPE_PARTITION;
    vus[n++].u.i32 = m->partition;
    vus[n].vtype = RD_KAFKA_VTYPE_VALUE;
    vus[n].u.mem.ptr = (void *)(uintptr_t)m->value.p;
    vus[n++].u.mem.size = m->value.n;
    vus[n].vtype = RD_KAFKA_VTYPE_KEY;
    vus[n].u.mem.ptr = (void *)(uintptr_t)m->key.p;
    vus[n++].u.mem.size = m->key.n;
    vus[n].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    vus[n++].u.i64 = m->time_us > 0 ? m->time_us / 1000 : 0;
    vus[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vus[n++].u.ptr = (void *)(uintptr_t)m->ticket;
    if (m->headers != NULL) {
        vus[n].vtype = RD_KAFKA_VTYPE_HEADERS;
        vus[n++].u.headers = m->headers;
    }
    rd_kafka_error_t *error = rd_kafka_produceva(sink->rk, vus, n);
    if (error == NULL)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return code;
}

int mesh_sink_send(struct mesh_kafka_sink *sink, const struct mesh_sink_message *message, struct mesh_err *err)
{
    mesh_assert(message->dest < sink->n_dests);
    if (sink->stopped[message->dest] != NULL)
        return MESH_SINK_SKIPPED;
    if (sink->rebuild || (sink->rk == NULL && mesh_clock_mono_us() < sink->not_before_us))
        return MESH_SINK_FULL;
    if (sink->rk == NULL && build(sink, err) < 0)
        return -1;
    if (sink->topics[message->dest] == NULL)
        sink->topics[message->dest] = mesh_xstrdup(message->topic);
    rd_kafka_resp_err_t code = produce(sink, message);
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        sink->pending++;
        return 0;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return MESH_SINK_FULL;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        sink->rebuild = true;
        return MESH_SINK_FULL;
    default: {
        struct mesh_buf text = MESH_BUF_NULL;
        mesh_buf_printf(&text,
                        "%s has stopped: a record cannot be sent (%s). Nothing was lost: it is kept "
                        "and sent again after a restart",
                        message->topic, rd_kafka_err2str(code));
        sink->stopped[message->dest] = mesh_buf_take(&text);
        return MESH_SINK_SKIPPED;
    }
    }
}

int mesh_sink_poll(struct mesh_kafka_sink *sink)
{
    if (sink->rk == NULL)
        return 0;
    rd_kafka_poll(sink->rk, 0);
    if (!sink->rebuild)
        return 0;
    demolish(sink);
    sink->rebuild = false;
    sink->not_before_us = mesh_clock_mono_us() + MESH_SINK_REBUILD_US;
    return MESH_SINK_RESEND;
}

size_t mesh_sink_pending(const struct mesh_kafka_sink *sink)
{
    return sink->pending;
}

const char *mesh_sink_stopped(const struct mesh_kafka_sink *sink, uint32_t dest)
{
    return dest < sink->n_dests ? sink->stopped[dest] : NULL;
}

struct mesh_kafka_sink *mesh_sink_free(struct mesh_kafka_sink *sink)
{
    if (sink == NULL)
        return NULL;
    demolish(sink);
    for (uint32_t d = 0; d < sink->n_dests; d++) {
        free(sink->stopped[d]);
        free(sink->topics[d]);
    }
    free(sink->stopped);
    free(sink->topics);
    free(sink->handles);
    free(sink->brokers);
    free(sink->client);
    free(sink);
    return NULL;
}
