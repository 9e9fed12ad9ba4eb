/* Kafka, as a product's worker uses it: what its three parts have in common.
 *
 *     kafka_source.h   records in: group membership, partitions assigned by hand, trimming
 *     kafka_sink.h     messages out: idempotent producer, delivery reports, resend
 *     kafka_link.h     the broker itself: is it there, which cluster, which topics; creates topics
 *
 * The source and the sink belong to the worker's thread and never block; the link has a thread of
 * its own for the calls of librdkafka that do.
 */
#ifndef MESH_IO_KAFKA_H
#define MESH_IO_KAFKA_H

#include "io/kafka_security.h"
#include "io/wake.h"
#include "mesh/err.h"
#include "mesh/value.h"

#include <librdkafka/rdkafka.h>

#include <stddef.h>

/* The in-memory broker of `make run` and of tests names its clusters like this. */
#define MESH_KAFKA_MOCK_PREFIX "mockCluster"

enum mesh_kafka_client { MESH_KAFKA_SOURCE, MESH_KAFKA_SINK, MESH_KAFKA_CLIENTS };

struct mesh_kafka_conf {
    const char *brokers;
    const struct mesh_kafka_security *security; /* loaded; borrowed for the life of the clients; NULL: plaintext */
    const char *group;                          /* "mesh.sales_fraud.sales_fraud" */
    const char *instance;                       /* static member: one instance owns all tasks; NULL: joins no group */
    const char *client;                         /* client.id */
    int session_timeout_ms;                     /* the heartbeat is a tenth of it */
    int fetch_wait_ms;
    int linger_ms;
    size_t fetch_bytes;     /* prefetched, all partitions together ... */
    uint32_t n_partitions;  /* ... of which there are about so many */
    struct mesh_wake *wake; /* rung when there is something to serve */
    /* Worker's thread; may be NULL. A broker does not accept us, or we not it: `why` is a sentence for the operator. The sink tells
     * also when it is over (NULL); of the source it is over when the link finds the broker again. The clients try on. */
    void (*refused)(void *context, enum mesh_kafka_client client, const char *why);
    void *refused_context;
};

/* Set a librdkafka setting that we know to be right; aborts when librdkafka refuses. */
void mesh_kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value);
void mesh_kafka_set_long(rd_kafka_conf_t *conf, const char *name, long value);
/* A setting that only newer versions have. */
void mesh_kafka_set_maybe(rd_kafka_conf_t *conf, const char *name, const char *value);
/* Settings of every client: brokers, client id, reconnection, log lines at debug level only. A bad
 * value of the user's (brokers, what security asks for) is an error. */
int mesh_kafka_set_common(rd_kafka_conf_t *conf, const struct mesh_kafka_conf *from, struct mesh_err *err);
/* For error callbacks: tells refused() when this is a refusal; returns whether it is. */
bool mesh_kafka_tell_refused(const struct mesh_kafka_conf *conf, enum mesh_kafka_client client, int code, const char *reason);

#endif
