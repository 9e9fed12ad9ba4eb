/* librdkafka's own prefetch limits do the bounding: each partition's queue has a share of the bytes.
 * Its queues ring the worker's bell when they become non-empty; `ready` remembers which did, so that
 * a round touches only those, and a full sweep each second is there for nobody but the unexpected. */
#include "io/kafka_source.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/vec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SWEEP_US    INT64_C(1000000)
#define GROUP_BATCH 16

struct partition {
    struct mesh_kafka_source *source;
    rd_kafka_queue_t *queue;
    atomic_bool ready;
    uint32_t topic;
    int32_t number;
    bool lost; /* the broker refused the position `lost_at`; reading from the beginning */
    int64_t lost_at;
};

struct mesh_kafka_source {
    rd_kafka_t *rk;
    rd_kafka_queue_t *group_queue;
    struct mesh_kafka_source_ops ops;
    void *context;
    void (*away)(void *context, const char *why);
    struct mesh_kafka_conf refusal; /* its security and refused() only */
    char heard[256];                /* why connections failed, since all brokers were down last */
    struct mesh_wake *wake;
    char *group, *instance;
    int session_timeout_ms;
    const struct mesh_kafka_source_topic *topics;
    uint32_t n_topics;
    struct partition *partitions;
    size_t n_partitions;
    enum mesh_kafka_source_state state;
    bool assigned; /* all partitions, by hand */
    bool reassign; /* at the end of this round */
    bool closing;
    int64_t shared_since_us;
    int64_t swept_us;
    struct mesh_err fatal;
    bool failed;
};

static void ring(rd_kafka_t *rk, void *opaque)
{
    (void)rk;
    struct mesh_kafka_source *source = opaque;
    mesh_wake_ring(source->wake);
}

static void ring_partition(rd_kafka_t *rk, void *opaque)
{
    (void)rk;
    struct partition *partition = opaque;
    atomic_store_explicit(&partition->ready, true, memory_order_release);
    mesh_wake_ring(partition->source->wake);
}

static void fail(struct mesh_kafka_source *source, const char *code, const char *text)
{
    if (source->failed)
        return;
    source->failed = true;
    mesh_err_set(&source->fatal, MESH_ERR_FATAL, code, "%s", text);
}

static void fail_fenced(struct mesh_kafka_source *source)
{
    char text[MESH_ERR_TEXT_MAX];
    snprintf(text, sizeof text,
             "another instance has joined group '%s' as '%s' and owns the product now; checkpoint: "
             "file: one instance owns all tasks. Stop one of the two; this one stops and sends "
             "nothing more",
             source->group, source->instance);
    fail(source, "group.fenced", text);
}

/* What librdkafka itself calls fatal; for a consumer that is having been fenced. */
static void look_at_fatal(struct mesh_kafka_source *source)
{
    char text[256];
    rd_kafka_resp_err_t err = rd_kafka_fatal_error(source->rk, text, sizeof text);
    if (err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
        fail_fenced(source);
    else if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(source, "kafka.fatal", text);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    struct mesh_kafka_source *source = opaque;
    rd_kafka_resp_err_t err = (rd_kafka_resp_err_t)code;
    if (err == RD_KAFKA_RESP_ERR__FATAL || err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
        look_at_fatal(source);
    else if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        if (!source->closing)
            source->away(source->context, source->heard);
        source->heard[0] = '\0';
    } else if (!mesh_kafka_tell_refused(&source->refusal, MESH_KAFKA_SOURCE, code, reason)) {
        snprintf(source->heard, sizeof source->heard, "%s", reason);
    }
}

/* Assign everything at the positions of the state; lost ones from their beginning. */
static void assign_all(struct mesh_kafka_source *source)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)source->n_partitions);
    for (size_t i = 0; i < source->n_partitions; i++) {
        struct partition *p = &source->partitions[i];
        int64_t at = source->ops.position(source->context, p->topic, p->number);
        rd_kafka_topic_partition_t *to = rd_kafka_topic_partition_list_add(list, source->topics[p->topic].topic, p->number);
        to->offset = p->lost || at < 0 ? RD_KAFKA_OFFSET_BEGINNING : at;
        atomic_store_explicit(&p->ready, true, memory_order_relaxed);
    }
    rd_kafka_resp_err_t err = rd_kafka_assign(source->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fail(source, "kafka.assign", rd_kafka_err2str(err));
        return;
    }
    source->assigned = true;
    source->reassign = false;
}

static bool owns_all(const struct mesh_kafka_source *source, const rd_kafka_topic_partition_list_t *given)
{
    for (uint32_t t = 0; t < source->n_topics; t++) {
        if (!source->topics[t].owner)
            continue;
        for (int32_t p = 0; p < source->topics[t].partitions; p++)
            if (rd_kafka_topic_partition_list_find(given, source->topics[t].topic, p) == NULL)
                return false;
    }
    return true;
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *given, void *opaque)
{
    struct mesh_kafka_source *source = opaque;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !source->closing) {
        if (owns_all(source, given)) {
            source->state = MESH_SOURCE_OWNER;
            source->shared_since_us = 0;
            assign_all(source);
            return;
        }
        source->state = MESH_SOURCE_SHARED;
        if (source->shared_since_us == 0)
            source->shared_since_us = mesh_clock_mono_us();
        rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);
        (void)rd_kafka_assign(rk, none);
        rd_kafka_topic_partition_list_destroy(none);
        source->assigned = false;
        return;
    }
    (void)rd_kafka_assign(rk, NULL);
    source->assigned = false;
    if (source->state == MESH_SOURCE_OWNER)
        source->state = MESH_SOURCE_JOINING;
}

int mesh_kafka_source_new(const struct mesh_kafka_conf *conf, const struct mesh_kafka_source_ops *ops, void *context,
                          void (*away)(void *context, const char *why), struct mesh_kafka_source **ret, struct mesh_err *err)
{
    rd_kafka_conf_t *rc = rd_kafka_conf_new();
    if (mesh_kafka_set_common(rc, conf, err) < 0) {
        rd_kafka_conf_destroy(rc);
        return -1;
    }
    struct mesh_kafka_source *source = mesh_xcalloc(1, sizeof *source);
    mesh_kafka_set(rc, "group.id", conf->group);
    if (conf->instance != NULL)
        mesh_kafka_set(rc, "group.instance.id", conf->instance);
    mesh_kafka_set_long(rc, "session.timeout.ms", conf->session_timeout_ms);
    mesh_kafka_set_long(rc, "heartbeat.interval.ms", conf->session_timeout_ms / 10);
    mesh_kafka_set(rc, "max.poll.interval.ms", "300000");
    mesh_kafka_set(rc, "enable.auto.commit", "false");
    mesh_kafka_set(rc, "enable.auto.offset.store", "false");
    mesh_kafka_set(rc, "enable.partition.eof", "true");
    mesh_kafka_set(rc, "auto.offset.reset", "error");
    mesh_kafka_set(rc, "partition.assignment.strategy", "range");
    mesh_kafka_set(rc, "allow.auto.create.topics", "false");
    mesh_kafka_set(rc, "check.crcs", "false");
    mesh_kafka_set_long(rc, "fetch.wait.max.ms", conf->fetch_wait_ms);
    /* A small message costs librdkafka about 300 bytes beside its own, which no limit of bytes counts. More than this costs memory alone. */
    mesh_kafka_set(rc, "queued.min.messages", "20000");
    size_t share = conf->fetch_bytes / (conf->n_partitions == 0 ? 1 : conf->n_partitions);
    if (share < MESH_SOURCE_PARTITION_BYTES_MIN)
        share = MESH_SOURCE_PARTITION_BYTES_MIN;
    mesh_kafka_set_long(rc, "queued.max.messages.kbytes", (long)(share >> 10));
    /* A queue that was full is looked at again soon; the names differ between versions. */
    mesh_kafka_set(rc, "fetch.error.backoff.ms", "20");
    mesh_kafka_set_maybe(rc, "fetch.queue.backoff.ms", "5");
    rd_kafka_conf_set_opaque(rc, source);
    rd_kafka_conf_set_rebalance_cb(rc, on_rebalance);
    rd_kafka_conf_set_error_cb(rc, on_error);

    source->ops = *ops;
    source->context = context;
    source->away = away;
    source->refusal =
        (struct mesh_kafka_conf){.security = conf->security, .refused = conf->refused, .refused_context = conf->refused_context};
    source->wake = conf->wake;
    source->group = mesh_xstrdup(conf->group);
    source->instance = conf->instance == NULL ? NULL : mesh_xstrdup(conf->instance);
    source->session_timeout_ms = conf->session_timeout_ms;
    char text[256];
    source->rk = rd_kafka_new(RD_KAFKA_CONSUMER, rc, text, sizeof text);
    if (source->rk == NULL) {
        rd_kafka_conf_destroy(rc);
        mesh_err_set(err, MESH_ERR_FATAL, "kafka.client", "cannot make a Kafka consumer: %s", text);
        mesh_kafka_source_free(source);
        return -1;
    }
    rd_kafka_poll_set_consumer(source->rk);
    source->group_queue = rd_kafka_queue_get_consumer(source->rk);
    rd_kafka_queue_cb_event_enable(source->group_queue, ring, source);
    *ret = source;
    return 0;
}

rd_kafka_t *mesh_kafka_source_client(struct mesh_kafka_source *source)
{
    return source->rk;
}

int mesh_kafka_source_open(struct mesh_kafka_source *source, const struct mesh_kafka_source_topic *topics, uint32_t n_topics,
                           struct mesh_err *err)
{
    mesh_assert(source->partitions == NULL && n_topics <= MESH_SOURCE_TOPICS_MAX);
    source->topics = topics;
    source->n_topics = n_topics;
    size_t n = 0;
    for (uint32_t t = 0; t < n_topics; t++)
        n += (size_t)topics[t].partitions;
    source->partitions = mesh_xcalloc(n + 1, sizeof *source->partitions);
    rd_kafka_topic_partition_list_t *owned = rd_kafka_topic_partition_list_new(4);
    for (uint32_t t = 0; t < n_topics; t++) {
        if (topics[t].owner)
            rd_kafka_topic_partition_list_add(owned, topics[t].topic, RD_KAFKA_PARTITION_UA);
        for (int32_t i = 0; i < topics[t].partitions; i++) {
            if (topics[t].one && i != topics[t].only)
                continue;
            struct partition *p = &source->partitions[source->n_partitions++];
            p->source = source;
            p->topic = t;
            p->number = i;
            p->queue = rd_kafka_queue_get_partition(source->rk, topics[t].topic, i);
            mesh_assert(p->queue != NULL);
            rd_kafka_queue_forward(p->queue, NULL);
            rd_kafka_queue_cb_event_enable(p->queue, ring_partition, p);
        }
    }
    if (source->instance == NULL) {
        rd_kafka_topic_partition_list_destroy(owned);
        source->state = MESH_SOURCE_OWNER;
        assign_all(source);
        return 0;
    }
    rd_kafka_resp_err_t code = rd_kafka_subscribe(source->rk, owned);
    rd_kafka_topic_partition_list_destroy(owned);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return mesh_err_set(err, MESH_ERR_FATAL, "kafka.subscribe", "cannot join the group '%s': %s", source->group,
                            rd_kafka_err2str(code));
    return 0;
}

/* The first sign of life from the beginning of a partition whose position was refused. */
static void found(struct mesh_kafka_source *source, struct partition *p, int64_t offset)
{
    p->lost = false;
    if (offset > p->lost_at) {
        source->ops.trimmed(source->context, p->topic, p->number, p->lost_at, offset);
        return;
    }
    char text[MESH_ERR_TEXT_MAX];
    snprintf(text, sizeof text,
             "%s partition %" PRId32 ": the state stands at offset %" PRId64 ", the log begins at %" PRId64
             " and ends before it: the log was truncated, or the topic was made anew under the same "
             "name. Restore the state that belongs to this log, or start anew with "
             "MESH_STATE_RESET=1 (the old state is kept beside)",
             source->topics[p->topic].topic, p->number, p->lost_at, offset);
    fail(source, "log.truncated", text);
}

static void refused(struct mesh_kafka_source *source, struct partition *p)
{
    int64_t at = source->ops.position(source->context, p->topic, p->number);
    if (at >= 0) {
        p->lost = true;
        p->lost_at = at;
    }
    source->reassign = true;
}

/* An error message in a partition's queue. */
static void trouble(struct mesh_kafka_source *source, struct partition *p, const rd_kafka_message_t *message)
{
    switch ((int)message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (p->lost)
            found(source, p, message->offset);
        source->ops.at_end(source->context, p->topic, p->number, message->offset);
        break;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        refused(source, p);
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: {
        char text[MESH_ERR_TEXT_MAX];
        snprintf(text, sizeof text, "reading %s is not allowed (%s); grant READ to this client", source->topics[p->topic].topic,
                 rd_kafka_message_errstr(message));
        fail(source, "kafka.denied", text);
        break;
    }
    default:
        break; /* transient: librdkafka goes on by itself */
    }
}

/* Hand over runs of records between errors. Returns negative on a fatal error of the receiver. */
static int hand_over(struct mesh_kafka_source *source, struct partition *p, rd_kafka_message_t **messages, size_t n,
                     struct mesh_err *err)
{
    for (size_t i = 0; i < n && !source->failed && !source->reassign;) {
        if (messages[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            trouble(source, p, messages[i++]);
            continue;
        }
        size_t end = i + 1;
        while (end < n && messages[end]->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            end++;
        if (p->lost)
            found(source, p, messages[i]->offset);
        if (source->failed)
            break;
        if (source->ops.records(source->context, p->topic, p->number, messages + i, end - i, err) < 0)
            return -1;
        i = end;
    }
    return 0;
}

static int poll_partition(struct mesh_kafka_source *source, struct partition *p, struct mesh_err *err)
{
    rd_kafka_message_t *messages[MESH_SOURCE_BATCH_MAX];
    atomic_store_explicit(&p->ready, false, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    ssize_t n = rd_kafka_consume_batch_queue(p->queue, 0, messages, MESH_SOURCE_BATCH_MAX);
    if (n <= 0)
        return 0;
    if (n == MESH_SOURCE_BATCH_MAX)
        atomic_store_explicit(&p->ready, true, memory_order_relaxed);
    int result = hand_over(source, p, messages, (size_t)n, err);
    for (ssize_t i = 0; i < n; i++)
        rd_kafka_message_destroy(messages[i]);
    return result < 0 ? -1 : 1;
}

/* Rebalances, errors and statistics; no records come here. */
static void poll_group(struct mesh_kafka_source *source)
{
    rd_kafka_message_t *messages[GROUP_BATCH];
    ssize_t n = rd_kafka_consume_batch_queue(source->group_queue, 0, messages, GROUP_BATCH);
    for (ssize_t i = 0; i < n; i++) {
        if (messages[i]->err == RD_KAFKA_RESP_ERR__FATAL)
            look_at_fatal(source);
        else if (messages[i]->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
            fail(source, "kafka.denied", rd_kafka_message_errstr(messages[i]));
        else if (messages[i]->err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED)
            source->state = MESH_SOURCE_JOINING; /* it joins again by being polled */
        rd_kafka_message_destroy(messages[i]);
    }
}

static void look_at_sharing(struct mesh_kafka_source *source, int64_t now_us)
{
    if (source->shared_since_us == 0 || source->closing)
        return;
    if (now_us - source->shared_since_us < INT64_C(2000) * source->session_timeout_ms)
        return;
    char text[MESH_ERR_TEXT_MAX];
    snprintf(text, sizeof text,
             "group '%s' gives some partitions to another member; checkpoint: file: one instance "
             "owns all tasks. Stop the other member of the group, then start this one again",
             source->group);
    fail(source, "group.shared", text);
}

int mesh_kafka_source_poll(struct mesh_kafka_source *source, void (*between)(void *context), struct mesh_err *err)
{
    poll_group(source);
    int64_t now_us = mesh_clock_mono_us();
    look_at_sharing(source, now_us);
    bool sweep = now_us - source->swept_us > SWEEP_US;
    if (sweep) {
        source->swept_us = now_us;
        look_at_fatal(source);
    }
    int batches = 0;
    for (size_t i = 0; source->assigned && i < source->n_partitions; i++) {
        struct partition *p = &source->partitions[i];
        if (!sweep && !atomic_load_explicit(&p->ready, memory_order_acquire))
            continue;
        if (source->failed || source->reassign || !source->ops.wants(source->context, p->topic, p->number))
            continue;
        int result = poll_partition(source, p, err);
        if (result < 0)
            return -1;
        batches += result;
        if (between != NULL && result > 0)
            between(source->context);
    }
    if (source->failed) {
        *err = source->fatal;
        return -1;
    }
    if (source->reassign && source->assigned) {
        assign_all(source);
        batches++;
    }
    return batches;
}

void mesh_kafka_source_reassign(struct mesh_kafka_source *source)
{
    for (size_t i = 0; i < source->n_partitions; i++)
        source->partitions[i].lost = false;
    source->failed = false;
    source->reassign = true;
}

enum mesh_kafka_source_state mesh_kafka_source_state(const struct mesh_kafka_source *source)
{
    return source->state;
}

rd_kafka_topic_partition_list_t *mesh_kafka_source_positions(struct mesh_kafka_source *source, const char *text)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)source->n_partitions);
    for (size_t i = 0; source->assigned && i < source->n_partitions; i++) {
        const struct partition *p = &source->partitions[i];
        int64_t at = source->ops.position(source->context, p->topic, p->number);
        rd_kafka_topic_partition_t *to = rd_kafka_topic_partition_list_add(list, source->topics[p->topic].topic, p->number);
        to->offset = at < 0 ? 0 : at; /* nothing was read yet, and the text must stand somewhere */
        size_t n = strlen(text);
        to->metadata = malloc(n + 1); /* librdkafka frees it */
        if (to->metadata != NULL) {
            memcpy(to->metadata, text, n + 1);
            to->metadata_size = n;
        }
    }
    return list;
}

void mesh_kafka_source_close(struct mesh_kafka_source *source)
{
    if (source->closing)
        return;
    source->closing = true;
    if (source->instance == NULL) {
        (void)rd_kafka_assign(source->rk, NULL);
        source->assigned = false;
        return;
    }
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(source->rk, source->group_queue);
    if (error != NULL)
        rd_kafka_error_destroy(error);
}

bool mesh_kafka_source_closed(const struct mesh_kafka_source *source)
{
    return source->instance == NULL || rd_kafka_consumer_closed(source->rk) != 0;
}

/* A close that was begun and not waited for: librdkafka's destroy would wait for it for ever, because nobody serves the queue any more
 * through which it gives the partitions back. */
static void finish_close(struct mesh_kafka_source *source)
{
    rd_kafka_message_t *messages[GROUP_BATCH];
    int64_t until_us = mesh_clock_mono_us() + MESH_SOURCE_CLOSE_US;
    while (!mesh_kafka_source_closed(source) && mesh_clock_mono_us() < until_us) {
        ssize_t n = rd_kafka_consume_batch_queue(source->group_queue, 10, messages, GROUP_BATCH);
        for (ssize_t i = 0; i < n; i++)
            rd_kafka_message_destroy(messages[i]);
    }
}

struct mesh_kafka_source *mesh_kafka_source_free(struct mesh_kafka_source *source)
{
    if (source == NULL)
        return NULL;
    if (source->closing)
        finish_close(source);
    for (size_t i = 0; i < source->n_partitions; i++) {
        rd_kafka_queue_cb_event_enable(source->partitions[i].queue, NULL, NULL);
        rd_kafka_queue_destroy(source->partitions[i].queue);
    }
    if (source->group_queue != NULL) {
        rd_kafka_queue_cb_event_enable(source->group_queue, NULL, NULL);
        rd_kafka_queue_destroy(source->group_queue);
    }
    if (source->rk != NULL)
        rd_kafka_destroy_flags(source->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    free(source->partitions);
    free(source->group);
    free(source->instance);
    free(source);
    return NULL;
}
