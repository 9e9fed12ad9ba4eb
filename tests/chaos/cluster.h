/* A broker, a document store, a clock and folders in memory, and instances of the products of chain.h that work on them: everything
 * that the protocol of commits and takeovers meets, without threads. One seed, one schedule (protocol_test.c).
 *
 *     broker      partitions that are appended to. A message that was handed over is appended later, then acknowledged later; a crash
 *                 forgets what was not handed over, a delivery error gives up all that is under way and the rest is sent again
 *     folder      the frames of a log: what is durable, what was written and not synced. A killed process leaves what it wrote, a power
 *                 cut leaves any number of whole frames of what was not synced (torn ones: disk_test.c)
 *     group       one member at a time may commit offsets; who joins takes it over. The offsets carry a mark, judged by the lease's own
 *                 function (io/kafka_lease.h)
 */
#ifndef TESTS_CHAOS_CLUSTER_H
#define TESTS_CHAOS_CLUSTER_H

#include "chain.h"
#include "flow/engine.h"
#include "io/kafka_lease.h"

#include "base/rng.h"
#include "base/vec.h"

#define CLUSTER_PARTITIONS     2
#define CLUSTER_INSTANCES      4 /* two of sales, two of stores */
#define CLUSTER_SESSION_US     (6 * CHAIN_SECOND)
#define CLUSTER_HEADER_BYTES   64
#define CLUSTER_VALUE_BYTES    64
#define CLUSTER_LETTER_HEADERS 12

enum { TOPIC_EVENTS, TOPIC_BY_STORE, TOPIC_LINES, TOPIC_SALES_DLQ, TOPIC_SHOWN, TOPIC_STORES_DLQ, CLUSTER_TOPICS };

struct cluster_message {
    uint8_t header_n, value_n, key_n;
    char header[CLUSTER_HEADER_BYTES]; /* of the mesh; none: header_n == 0 */
    char value[CLUSTER_VALUE_BYTES];
    char key[24];
    int64_t time_us;
    int64_t of_partition, of_offset; /* a dead letter's origin; -1 */
};

struct cluster_partition {
    MESH_VEC(struct cluster_message) messages;
    size_t begin; /* retention has deleted what is before */
};

struct cluster_flight { /* handed over, not acknowledged */
    uint64_t ticket;
    int topic;
    int32_t partition;
    bool appended;
    struct cluster_message message;
};

struct cluster_folder {
    struct mesh_buf log;
    size_t durable, cut;
};

struct cluster_instance {
    int product;
    struct mesh_engine *engine; /* NULL: not running */
    struct cluster_folder folder;
    MESH_VEC(struct cluster_flight) flights;
    bool frozen;
    bool ended; /* it found that another state has gone on, and will not start again */
    int64_t held_until_us;
    char replaces[MESH_CLAIM_TEXT];
};

struct cluster_doc {
    int product;
    char id[40];
    uint64_t generation, n;
    struct chain_out row;
};

struct cluster {
    struct mesh_rng rng;
    int64_t now_us;
    struct cluster_partition topics[CLUSTER_TOPICS][CLUSTER_PARTITIONS];
    struct cluster_instance instances[CLUSTER_INSTANCES];
    struct {
        struct mesh_lease_mark mark;
        const struct cluster_instance *member;
    } groups[CHAIN_N_PRODUCTS];
    MESH_VEC(struct cluster_doc) docs;
    uint64_t generation;                                       /* of the next new state */
    uint32_t crashes, cuts, errors, rounds, repeats, refusals; /* what happened */
};

void cluster_init(struct cluster *c, uint64_t seed);
void cluster_deinit(struct cluster *c);
void cluster_produce(struct cluster *c, int32_t partition, const struct chain_record *record);

/* Start over what the folder holds. False: the lease refuses it, and it has ended. */
bool cluster_start(struct cluster *c, struct cluster_instance *i);
/* The process is gone. `power`: and what was not durable with it, in part. */
void cluster_crash(struct cluster *c, struct cluster_instance *i, bool power);
void cluster_copy(struct cluster_folder *to, const struct cluster_folder *from);

/* Steps of one instance; each true when something moved. */
bool cluster_feed(struct cluster *c, struct cluster_instance *i, uint32_t input, int32_t partition, size_t n);
bool cluster_commit(struct cluster *c, struct cluster_instance *i);
bool cluster_sync(struct cluster *c, struct cluster_instance *i);
bool cluster_hand_over(struct cluster *c, struct cluster_instance *i, size_t n);
/* The oldest message of some partition that is under way is appended. Also of a process that is frozen or gone, if it was on the wire. */
bool cluster_append(struct cluster *c, struct cluster_instance *i);
bool cluster_ack(struct cluster *c, struct cluster_instance *i);
void cluster_delivery_error(struct cluster *c, struct cluster_instance *i);
bool cluster_store(struct cluster *c, struct cluster_instance *i, size_t n);
/* The exchange of the lease; the instance may end by it. */
void cluster_renew(struct cluster *c, struct cluster_instance *i);

#endif
