/* The broker itself: whether it is there, which cluster it is, which topics it has.
 *
 * The calls of librdkafka that answer these questions block, so they have a thread of their own. It
 * borrows the source's client, goes through the phases below once, then sleeps and wakes only to ask,
 * while brokers are away, whether one is back. It never gives up and never ends the process.
 *
 *     BROKER   nobody answers yet
 *     TOPICS   the cluster is known; topics are missing: those of the product are created (when the
 *              broker can), for those of others it waits
 *     READY    mesh_link_topics() counts hold; whether the group has committed before is known
 */
#ifndef MESH_IO_KAFKA_LINK_H
#define MESH_IO_KAFKA_LINK_H

#include "io/kafka_lease.h"

#define MESH_LINK_CALL_MS  1000 /* longest a single call may take */
#define MESH_LINK_RETRY_MS 250

enum mesh_link_phase { MESH_LINK_BROKER, MESH_LINK_TOPICS, MESH_LINK_READY };

struct mesh_link_topic {
    const char *topic;
    bool ours;          /* may be created; otherwise somebody else makes it */
    bool read;          /* the group's offsets in it are looked at */
    int32_t partitions; /* to create with; 0: as many as topics[like] */
    uint32_t like;
    bool most; /* instead: as many as that one of those that count has most of */
    bool counts;
    bool compact;
    int64_t retention_ms; /* -1: for ever; 0: the broker's default */
    int32_t found;        /* partitions there are; filled when READY */
};

struct mesh_link_info {
    enum mesh_link_phase phase;
    bool away;                   /* no broker can be reached now */
    char cluster_id[128];        /* from TOPICS on */
    bool embedded;               /* the id is a mock cluster's */
    bool group_has_offsets;      /* READY; */
    struct mesh_lease_mark mark; /* what stands in their metadata: who wrote them last */
    char waiting_for[320];       /* TOPICS: which, and why */
};

struct mesh_kafka_link;

/* `topics` is borrowed and written by the thread until READY. */
struct mesh_kafka_link *mesh_link_start(rd_kafka_t *rk, struct mesh_link_topic *topics, uint32_t n_topics, struct mesh_wake *wake);
void mesh_link_info(struct mesh_kafka_link *link, struct mesh_link_info *ret);
/* The source saw all brokers go. */
void mesh_link_away(struct mesh_kafka_link *link);
/* Takes NULL. Waits for the thread: at most MESH_LINK_CALL_MS. */
struct mesh_kafka_link *mesh_link_stop(struct mesh_kafka_link *link);

#endif
