/* Records in: one consumer per product.
 *
 * The group is asked only who owns the product (docs/OPERATIONS.md, "One instance"): the consumer
 * subscribes to the owner topics (the product's first stream input) as a static member, and when it
 * was given every partition of them it assigns, by hand, ALL partitions the product reads, at the
 * positions of the state. A member that was given only a part for longer than two session timeouts
 * fails ("group.shared"), one whose static id was taken over fails ("group.fenced").
 *
 * Every partition keeps its own queue of prefetched messages, so that holding one back (wants() ==
 * false) is simply not looking at it: librdkafka's pause would throw away what was fetched, and 2.0.2
 * has bugs there. Positions live in the state only; the group's offsets are for dashboards, and carry the lease
 * (io/kafka_lease.h) in their metadata.
 *
 * Trimming. auto.offset.reset is `error`: a position that the broker no longer has is reported, the
 * partition goes on from its beginning, and the first offset that comes then tells how many records
 * were lost: trimmed(from, to). When what comes lies before the position, the log was cut at its end
 * (or is another log): FATAL "log.truncated", and nothing of it is used.
 *
 * Without a group (conf.instance == NULL): the owner is known otherwise (app/members.h). What the topics say is assigned when it is opened, and
 * is owned until it is closed.
 *
 * Threads: everything here on the worker's thread. Nothing blocks, except free().
 */
#ifndef MESH_IO_KAFKA_SOURCE_H
#define MESH_IO_KAFKA_SOURCE_H

#include "io/kafka.h"

#define MESH_SOURCE_BATCH_MAX  1024
#define MESH_SOURCE_TOPICS_MAX 256
#define MESH_SOURCE_CLOSE_US   INT64_C(1000000) /* how long free() waits for a close() that was not waited for */
/* What a partition's prefetch may be at least, however many there are. */
#define MESH_SOURCE_PARTITION_BYTES_MIN (1u << 20)

struct mesh_kafka_source_topic {
    const char *topic; /* borrowed for the life of the source */
    int32_t partitions;
    bool owner; /* of those that the group distributes */
    bool one;   /* only partition `only` of it, if it has that; for who is in no group */
    int32_t only;
};

/* What the source asks and tells. Called from mesh_kafka_source_poll() and _open() only. */
struct mesh_kafka_source_ops {
    /* Next offset to read; -1: from the earliest. */
    int64_t (*position)(void *context, uint32_t topic, int32_t partition);
    bool (*wants)(void *context, uint32_t topic, int32_t partition);
    /* In offset order, all of one partition, none with an error; borrowed. Negative: fatal. */
    int (*records)(void *context, uint32_t topic, int32_t partition, rd_kafka_message_t *const *messages, size_t n,
                   struct mesh_err *err);
    void (*at_end)(void *context, uint32_t topic, int32_t partition, int64_t end);
    void (*trimmed)(void *context, uint32_t topic, int32_t partition, int64_t from, int64_t to);
};

enum mesh_kafka_source_state {
    MESH_SOURCE_JOINING, /* not a member yet, or between two assignments */
    MESH_SOURCE_SHARED,  /* somebody else has some of the partitions */
    MESH_SOURCE_OWNER,   /* reads */
};

struct mesh_kafka_source;

/* Makes the client; connects in the background. `away` is called (worker's thread) when no broker
 * can be reached any more; `why` is what was heard of it, "" when connections were just closed. */
int mesh_kafka_source_new(const struct mesh_kafka_conf *conf, const struct mesh_kafka_source_ops *ops, void *context,
                          void (*away)(void *context, const char *why), struct mesh_kafka_source **ret, struct mesh_err *err);
/* The client, for the link. */
rd_kafka_t *mesh_kafka_source_client(struct mesh_kafka_source *source);
/* Join the group, when the topics and their partitions are known. `topics` is borrowed. */
int mesh_kafka_source_open(struct mesh_kafka_source *source, const struct mesh_kafka_source_topic *topics, uint32_t n_topics,
                           struct mesh_err *err);
/* One round over the queues: at most a batch of each partition. `between` (may be NULL) is called
 * after each batch. Returns how many batches there were, or negative. */
int mesh_kafka_source_poll(struct mesh_kafka_source *source, void (*between)(void *context), struct mesh_err *err);
/* Positions changed under it (a new state): assign again. */
void mesh_kafka_source_reassign(struct mesh_kafka_source *source);
enum mesh_kafka_source_state mesh_kafka_source_state(const struct mesh_kafka_source *source);
/* Where it is in each partition, to be committed; `text` becomes the metadata of each. Empty when nothing is assigned. The caller's. */
rd_kafka_topic_partition_list_t *mesh_kafka_source_positions(struct mesh_kafka_source *source, const char *text);

/* Leave: starts it; then poll until closed() or until you have had enough. */
void mesh_kafka_source_close(struct mesh_kafka_source *source);
bool mesh_kafka_source_closed(const struct mesh_kafka_source *source);
/* Takes NULL. With a broker that does not answer, and no close(), this may take seconds. */
struct mesh_kafka_source *mesh_kafka_source_free(struct mesh_kafka_source *source);

#endif
