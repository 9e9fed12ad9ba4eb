/* The topic is read by partition and offset, without a consumer group: looking changes nothing, and needs no right but to read. The
 * end is asked for first, so that reading ends although letters keep coming. */
#include "ctl/dlq.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/kafka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLL_MS          100
#define BATCH            512
#define PROGRESS_EACH_US 1000000

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    struct mesh_dlq_kafka *kafka = opaque;
    (void)mesh_kafka_refusal(&kafka->security, code, reason, kafka->refused);
}

int mesh_dlq_kafka_conf(struct mesh_dlq_kafka *kafka, rd_kafka_conf_t **ret, struct mesh_err *err)
{
    rd_kafka_conf_t *rc = rd_kafka_conf_new();
    struct mesh_kafka_conf common = {.brokers = kafka->options->brokers, .client = "meshctl"};
    if (mesh_kafka_set_common(rc, &common, err) < 0 || mesh_kafka_security_set(rc, &kafka->security, err) < 0) {
        rd_kafka_conf_destroy(rc);
        return -1;
    }
    rd_kafka_conf_set_opaque(rc, kafka);
    rd_kafka_conf_set_error_cb(rc, on_error);
    *ret = rc;
    return 0;
}

int mesh_dlq_kafka_failed(struct mesh_dlq_kafka *kafka, const char *doing, rd_kafka_resp_err_t code, struct mesh_err *err)
{
    const struct mesh_dlq_options *o = kafka->options;
    if (kafka->refused[0] != '\0')
        return mesh_err_set(err, MESH_ERR_RETRY, "kafka.refused", "%s: %s", o->brokers, kafka->refused);
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        return mesh_err_set(
            err, MESH_ERR_RETRY, "kafka.away",
            "no answer from %s within %d ms while %s; is the broker up, and the address right (--brokers, MESH_KAFKA_BROKERS)? "
            "--timeout 60s waits longer",
            o->brokers, o->timeout_ms, doing);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return mesh_err_set(err, MESH_ERR_FATAL, "kafka.denied",
                            "%s does not allow this while %s; it takes READ and WRITE on %s, and WRITE on %s to replay", o->brokers,
                            doing, kafka->topic, kafka->retry);
    default:
        return mesh_err_set(err, MESH_ERR_FATAL, "kafka.says_no", "%s, while %s: %s", o->brokers, doing, rd_kafka_err2str(code));
    }
}

/* The ends of a partition. A topic that was just made has no leader for a moment. */
static rd_kafka_resp_err_t find_ends(struct mesh_dlq_kafka *kafka, int32_t partition, int64_t *low, int64_t *high)
{
    int64_t until_us = mesh_clock_mono_us() + kafka->options->timeout_ms * INT64_C(1000);
    for (;;) {
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(kafka->consumer, kafka->topic, partition, low, high, kafka->options->timeout_ms);
        rd_kafka_poll(kafka->consumer, code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : POLL_MS);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
            kafka->refused[0] != '\0' || mesh_clock_mono_us() >= until_us)
            return code;
    }
}

int32_t mesh_dlq_kafka_partitions(const struct mesh_dlq_kafka *kafka, const char *topic)
{
    for (int i = 0; i < kafka->metadata->topic_cnt; i++)
        if (strcmp(kafka->metadata->topics[i].topic, topic) == 0 && kafka->metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
            return kafka->metadata->topics[i].partition_cnt;
    return 0;
}

/* "sales_fraud, marketing": whose letters there are. */
static void products(const struct mesh_dlq_kafka *kafka, struct mesh_buf *out)
{
    for (int i = 0; i < kafka->metadata->topic_cnt; i++) {
        const char *topic = kafka->metadata->topics[i].topic;
        size_t n = strlen(topic);
        if (n > 9 && strncmp(topic, "mesh.", 5) == 0 && strcmp(topic + n - 4, ".dlq") == 0)
            mesh_buf_printf(out, "%s%.*s", out->n == 0 ? "" : ", ", (int)(n - 9), topic + 5);
    }
}

int mesh_dlq_kafka_open(struct mesh_dlq_kafka *kafka, const struct mesh_dlq_options *options, struct mesh_err *err)
{
    *kafka = (struct mesh_dlq_kafka){.options = options};
    snprintf(kafka->topic, sizeof kafka->topic, "mesh.%s.dlq", options->product);
    snprintf(kafka->retry, sizeof kafka->retry, "mesh.%s.retry", options->product);
    rd_kafka_conf_t *rc = NULL;
    if (mesh_kafka_security_from_environment(&kafka->security, options->brokers, err) < 0 ||
        mesh_dlq_kafka_conf(kafka, &rc, err) < 0)
        return -1;
    mesh_kafka_set(rc, "enable.partition.eof", "true");
    mesh_kafka_set(rc, "auto.offset.reset", "earliest"); /* what expired while we asked is gone */
    mesh_kafka_set(rc, "allow.auto.create.topics", "false");
    mesh_kafka_set(rc, "isolation.level", "read_uncommitted");
    mesh_kafka_set(rc, "fetch.message.max.bytes", "8388608");
    char text[256];
    kafka->consumer = rd_kafka_new(RD_KAFKA_CONSUMER, rc, text, sizeof text);
    if (kafka->consumer == NULL) {
        rd_kafka_conf_destroy(rc);
        return mesh_err_set(err, MESH_ERR_FATAL, "kafka.client", "cannot make a Kafka client: %s", text);
    }
    int64_t until = mesh_clock_mono_us() + options->timeout_ms * INT64_C(1000);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    while (kafka->metadata == NULL && kafka->refused[0] == '\0' && mesh_clock_mono_us() < until) {
        code = rd_kafka_metadata(kafka->consumer, 1, NULL, &kafka->metadata, 500 < options->timeout_ms ? 500 : options->timeout_ms);
        rd_kafka_poll(kafka->consumer, 0);
    }
    if (kafka->metadata == NULL)
        return mesh_dlq_kafka_failed(kafka, "asking for the topics", code, err);
    kafka->n_partitions = mesh_dlq_kafka_partitions(kafka, kafka->topic);
    if (kafka->n_partitions > 0)
        return 0;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf names = MESH_BUF_NULL;
    products(kafka, &names);
    return mesh_err_set(err, MESH_ERR_REJECT, "dlq.no_topic", "there is no topic %s at %s; products with dead letters there: %s",
                        kafka->topic, options->brokers, names.n == 0 ? "none" : names.p);
}

void mesh_dlq_kafka_close(struct mesh_dlq_kafka *kafka)
{
    if (kafka->metadata != NULL)
        rd_kafka_metadata_destroy(kafka->metadata);
    if (kafka->consumer != NULL)
        rd_kafka_destroy(kafka->consumer);
    mesh_kafka_security_deinit(&kafka->security);
}

/* 1: it ends here. */
static int take(const rd_kafka_message_t *message, int64_t to, mesh_dlq_each *each, void *context, int64_t *ret_next,
                struct mesh_err *err)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return message->offset >= to;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return mesh_err_set(err, MESH_ERR_RETRY, "kafka.read", "cannot read %s: %s", rd_kafka_topic_name(message->rkt),
                            rd_kafka_message_errstr(message));
    if (message->offset >= to)
        return 1;
    int rc = each(context, message, err);
    *ret_next = message->offset + 1;
    return rc != 0 ? rc : *ret_next >= to;
}

static int read_on(struct mesh_dlq_kafka *kafka, rd_kafka_queue_t *queue, int64_t from, int64_t to, mesh_dlq_each *each,
                   void *context, struct mesh_err *err)
{
    struct mesh_dlq_progress progress = mesh_dlq_progress_begin("reading letters", to - from);
    int64_t next = from;
    int64_t heard_us = mesh_clock_mono_us();
    int rc = 0;
    while (rc == 0) {
        rd_kafka_message_t *batch[BATCH];
        ssize_t n = rd_kafka_consume_batch_queue(queue, POLL_MS, batch, BATCH);
        rd_kafka_poll(kafka->consumer, 0);
        for (ssize_t i = 0; i < n; i++) {
            if (rc == 0)
                rc = take(batch[i], to, each, context, &next, err);
            rd_kafka_message_destroy(batch[i]);
        }
        int64_t now_us = mesh_clock_mono_us();
        if (n > 0)
            heard_us = now_us;
        else if (rc == 0 && (now_us - heard_us > kafka->options->timeout_ms * INT64_C(1000) || kafka->refused[0] != '\0'))
            rc = mesh_dlq_kafka_failed(kafka, "reading letters", RD_KAFKA_RESP_ERR__TIMED_OUT, err);
        if (kafka->sending == NULL) /* else sending says how far it is */
            mesh_dlq_progress_at(&progress, next - from);
    }
    mesh_dlq_progress_end(&progress);
    return rc < 0 ? -1 : 0;
}

int mesh_dlq_kafka_read(struct mesh_dlq_kafka *kafka, int32_t partition, int64_t from, int64_t to, mesh_dlq_each *each,
                        void *context, struct mesh_err *err)
{
    int64_t low = 0;
    int64_t high = 0;
    rd_kafka_resp_err_t code = find_ends(kafka, partition, &low, &high);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return mesh_dlq_kafka_failed(kafka, "asking for the end of the letters", code, err);
    kafka->n_expired += from < 0 ? low : 0;
    from = from < low ? low : from;
    to = to < 0 || to > high ? high : to;
    if (from >= to)
        return 0;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka->consumer, kafka->topic, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->consumer);
    int rc = 0;
    if (topic == NULL || rd_kafka_consume_start_queue(topic, partition, from, queue) != 0)
        rc = mesh_err_set(err, MESH_ERR_FATAL, "kafka.read", "cannot read %s: %s", kafka->topic,
                          rd_kafka_err2str(rd_kafka_last_error()));
    else {
        rc = read_on(kafka, queue, from, to, each, context, err);
        (void)rd_kafka_consume_stop(topic, partition);
    }
    rd_kafka_queue_destroy(queue);
    if (topic != NULL)
        rd_kafka_topic_destroy(topic);
    return rc;
}

/* ---- progress ---- */
struct mesh_dlq_progress mesh_dlq_progress_begin(const char *what, int64_t total)
{
    return (struct mesh_dlq_progress){.what = what, .total = total, .begun_us = mesh_clock_mono_us()};
}

void mesh_dlq_progress_at(struct mesh_dlq_progress *p, int64_t n)
{
    int64_t now_us = mesh_clock_mono_us();
    if (now_us - p->begun_us < MESH_DLQ_PROGRESS_US || now_us - p->said_us < PROGRESS_EACH_US)
        return;
    p->said_us = now_us;
    fprintf(stderr, isatty(STDERR_FILENO) ? "\rmeshctl: %s: %lld of %lld\033[K" : "meshctl: %s: %lld of %lld\n", p->what,
            (long long)n, (long long)p->total);
}

void mesh_dlq_progress_end(struct mesh_dlq_progress *p)
{
    if (p->said_us != 0 && isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    p->said_us = 0;
}
