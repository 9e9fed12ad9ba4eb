/* Messages out: one idempotent producer per product.
 *
 * The producer never gives a message up (message.timeout.ms=0): while brokers are away it keeps them.
 * What it cannot put right itself is one of three things:
 *   - idempotence is lost (fatal in librdkafka), or a topic is not there (yet): the producer is
 *     thrown away and made anew, and mesh_sink_poll() returns MESH_SINK_RESEND: the caller hands out
 *     everything that was not acknowledged, in order;
 *   - the broker refuses this very record (too large, timestamp, not allowed): trying again would
 *     not help and skipping would lose it. Its destination stops: nothing more is sent there, and
 *     mesh_sink_stopped() has the sentence for /readyz. The record stays with the caller,
 *     unacknowledged, and is sent again after the next start;
 *   - the local queue is full: MESH_SINK_FULL; poll and try again.
 *
 * Key and value are borrowed until acknowledged, or until a resend or free().
 * Threads: the worker's only; rings its bell when there are reports. The producer is made with the
 * first message.
 */
#ifndef MESH_IO_KAFKA_SINK_H
#define MESH_IO_KAFKA_SINK_H

#include "io/kafka.h"

#define MESH_SINK_QUEUE_MESSAGES 100000
#define MESH_SINK_REBUILD_US     INT64_C(1000000) /* pause between two producers */

enum mesh_sink_result {
    MESH_SINK_FULL = 1,
    MESH_SINK_RESEND = 2,
    MESH_SINK_SKIPPED = 3, /* its destination has stopped; the message stays unacknowledged */
};

struct mesh_sink_message {
    uint32_t dest;
    const char *topic;
    int32_t partition;
    struct mesh_str key, value;  /* p == NULL: null */
    rd_kafka_headers_t *headers; /* NULL: none; taken when 0 is returned */
    int64_t time_us;
    uint64_t ticket;
};

struct mesh_kafka_sink;

struct mesh_kafka_sink *mesh_sink_new(const struct mesh_kafka_conf *conf, uint32_t n_dests,
                                      void (*acked)(void *context, uint64_t ticket), void *context);
/* 0 or a mesh_sink_result. Negative: the settings are wrong. */
int mesh_sink_send(struct mesh_kafka_sink *sink, const struct mesh_sink_message *message, struct mesh_err *err);
/* Serve delivery reports: calls acked(). 0 or MESH_SINK_RESEND. */
int mesh_sink_poll(struct mesh_kafka_sink *sink);
/* Messages that are not reported yet. */
size_t mesh_sink_pending(const struct mesh_kafka_sink *sink);
/* Why this destination has stopped; NULL: it has not. */
const char *mesh_sink_stopped(const struct mesh_kafka_sink *sink, uint32_t dest);
/* Takes NULL. What is pending is forgotten. */
struct mesh_kafka_sink *mesh_sink_free(struct mesh_kafka_sink *sink);

#endif
