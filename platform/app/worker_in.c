/* Messages of librdkafka become records of the engine without a copy: both borrow. */
#include "app/worker_int.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

#define AHEAD 4 /* messages whose memory is asked for before their turn */

static int64_t position(void *context, uint32_t topic, int32_t partition)
{
    struct mesh_worker *worker = context;
    int64_t least = INT64_MAX;
    for (uint32_t i = 0; i < worker->product->n_inputs; i++) {
        if (worker->topic_of_input[i] != topic)
            continue;
        int64_t at = mesh_engine_position(worker->engine, i, partition);
        least = at < least ? at : least;
    }
    return least;
}

static bool wants(void *context, uint32_t topic, int32_t partition)
{
    struct mesh_worker *worker = context;
    if (mesh_worker_holds_back(worker, topic, partition))
        return false;
    for (uint32_t i = 0; i < worker->product->n_inputs; i++)
        if (worker->topic_of_input[i] == topic && mesh_engine_wants(worker->engine, i, partition))
            return true;
    return false;
}

static void add_headers(struct mesh_worker *worker, const rd_kafka_headers_t *headers)
{
    const char *name = NULL;
    const void *value = NULL;
    size_t n = 0;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &n) == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
        *mesh_vec_push(&worker->headers) = (struct mesh_header){mesh_str_of(name), {value, (uint32_t)n}};
}

/* Another core wrote what is read next. */
static void ask_early(rd_kafka_message_t *const *messages, size_t n, size_t i)
{
    if (i + 2 * AHEAD < n)
        __builtin_prefetch(messages[i + 2 * AHEAD]);
    if (i + AHEAD < n)
        __builtin_prefetch(messages[i + AHEAD]->payload);
}

/* The array of headers may move while it grows: records get their pointers at the end. */
static void convert(struct mesh_worker *worker, rd_kafka_message_t *const *messages, size_t n)
{
    worker->records.n = worker->headers.n = 0;
    for (size_t i = 0; i < n; i++) {
        const rd_kafka_message_t *m = messages[i];
        ask_early(messages, n, i);
        rd_kafka_timestamp_type_t type;
        int64_t ms = rd_kafka_message_timestamp(m, &type);
        size_t before = worker->headers.n;
        rd_kafka_headers_t *headers = NULL;
        if (rd_kafka_message_headers(m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
            add_headers(worker, headers);
        *mesh_vec_push(&worker->records) = (struct mesh_record){.offset = m->offset,
                                                                .kafka_time_us = ms < 0 ? mesh_clock_wall_us() : ms * 1000,
                                                                .key = {m->key, (uint32_t)m->key_len},
                                                                .value = {m->payload, (uint32_t)m->len},
                                                                .n_headers = (uint32_t)(worker->headers.n - before)};
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        struct mesh_record *record = &worker->records.v[i];
        record->headers = record->n_headers == 0 ? NULL : &worker->headers.v[at];
        at += record->n_headers;
    }
}

static int records(void *context, uint32_t topic, int32_t partition, rd_kafka_message_t *const *messages, size_t n,
                   struct mesh_err *err)
{
    struct mesh_worker *worker = context;
    convert(worker, messages, n);
    return mesh_worker_feed(worker, topic, partition, worker->records.v, n, err);
}

static void at_end(void *context, uint32_t topic, int32_t partition, int64_t end)
{
    mesh_worker_at_end(context, topic, partition, end);
}

static void trimmed(void *context, uint32_t topic, int32_t partition, int64_t from, int64_t to)
{
    struct mesh_worker *worker = context;
    for (uint32_t i = 0; i < worker->product->n_inputs; i++)
        if (worker->topic_of_input[i] == topic)
            mesh_engine_trimmed(worker->engine, i, partition, from, to);
    char part[16], lost[32], first[32];
    snprintf(part, sizeof part, "%" PRId32, partition);
    snprintf(lost, sizeof lost, "%" PRId64, to - from);
    snprintf(first, sizeof first, "%" PRId64, from);
    mesh_log(MESH_LOG_WARN,
             "the broker deleted records before they were read; they are counted and "
             "left out",
             "product", worker->name, "topic", worker->topics[topic].topic, "partition", part, "from", first, "records", lost,
             NULL);
}

const struct mesh_kafka_source_ops mesh_worker_source_ops = {
    .position = position,
    .wants = wants,
    .records = records,
    .at_end = at_end,
    .trimmed = trimmed,
};
