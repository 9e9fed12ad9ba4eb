/* Topics whose records are never trimmed.
 *
 * The mock cluster drops the oldest records of a partition above 5 MiB or 100,000 message sets, and
 * has no function to change that. A table topic must keep its first record, so the two limits are
 * raised in the cluster's own memory, under rules that make a wrong write impossible:
 *
 *   - nothing is assumed about librdkafka's structures. While a topic is created, calls of calloc()
 *     are watched; the partitions are the one block of exactly that many elements which holds the
 *     two known limits, side by side, once in every element and at the same place;
 *   - where they stand is learnt from a scratch cluster at every start, and proven there: with the
 *     limits raised, more than 5 MiB are read back from offset 0, and in the partition beside it,
 *     not raised, the same records are trimmed (so the proof could have failed);
 *   - each word is compared with the known limit immediately before it is written.
 *
 * If any of it does not hold, nothing is written and the caller is told why.
 */
#ifndef MESH_BROKER_RETENTION_H
#define MESH_BROKER_RETENTION_H

#include "mesh/err.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stddef.h>

/* The mock's own limits for each partition. */
#define MESH_BROKER_BYTES_DEFAULT ((size_t)5 * 1024 * 1024)
#define MESH_BROKER_SETS_DEFAULT  ((size_t)100000)

/* Where the limits stand; filled by mesh_broker_retention_prove. All zero: not proven. */
struct mesh_broker_retention {
    size_t element_bytes; /* of one partition; 0: not proven */
    size_t limits_at;     /* bytes from the start of a partition */
    /* The scratch cluster and its client, owned. librdkafka takes up to a second to end a cluster,
     * which is not worth waiting for before the first client is served. */
    rd_kafka_mock_cluster_t *scratch;
    rd_kafka_t *client;
};

/* Learn and prove on a cluster of its own, about 0.1 s. -1: it does not hold here, `err` says why,
 * and the limits must stay as they are. Deinit in both cases. */
int mesh_broker_retention_prove(struct mesh_broker_retention *ret, struct mesh_err *err);
void mesh_broker_retention_deinit(struct mesh_broker_retention *retention);

/* Create a topic and give each of its partitions this many bytes and message sets. -1 and class
 * FATAL: it was not created; class REJECT: it was, but its limits are the mock's own. */
int mesh_broker_retention_create(const struct mesh_broker_retention *retention, rd_kafka_mock_cluster_t *cluster, const char *topic,
                                 int partitions, size_t bytes_max, size_t sets_max, struct mesh_err *err);

#endif
