/* The commit log of one shard of a product: a partition of the topic mesh.<domain>.<product>.state (which records count: io/log_record.h).
 *
 *     open     makes the clients; nothing is written
 *     follow   reads what is there, without owning it (a standby); as often as one likes
 *     claim    appends a CLAIM: from then on nobody else's records count. Its offset is the epoch. Agrees on the generation
 *     read     (the journal's) what is left up to the claim
 *     append   (the journal's) returns when all brokers in sync have the records, their offsets follow the last own one, or what lies
 *              between was looked at and is no CLAIM. A newer CLAIM: FATAL "state.fenced"
 *     trim     (the journal's) DeleteRecords. A broker that refuses is told of once, and the log grows
 *
 * All calls block: open, follow, claim and read on the thread that opens the shard, and they give up (MESH_LOG_STOPPED) when *stop is set;
 * append and trim on the committer's, which mesh_journal's interrupt() ends. The producer never gives a record up by itself; when it says
 * that one was not written, nobody knows, and the log is not appended to any more: FATAL "state.write". Who wants to go on claims anew.
 */
#ifndef MESH_IO_KAFKA_LOG_H
#define MESH_IO_KAFKA_LOG_H

#include "io/kafka.h"
#include "store/journal.h"

#include <stdatomic.h>

struct mesh_kafka_log_conf {
    const struct mesh_kafka_conf *kafka; /* copied; its texts are borrowed */
    const char *topic;
    int32_t partition;
    const char *owner;       /* who claims, for people */
    uint64_t generation;     /* proposed, should the product begin anew */
    const atomic_bool *stop; /* gives up */
};

enum mesh_kafka_log_result {
    MESH_LOG_STOPPED = 2, /* *stop was set */
};

struct mesh_kafka_log;

int mesh_kafka_log_open(const struct mesh_kafka_log_conf *conf, struct mesh_kafka_log **ret, struct mesh_err *err);
/* Frames up to the end of the log as it is now. 0, MESH_JOURNAL_AGAIN, MESH_LOG_STOPPED, negative. */
int mesh_kafka_log_follow(struct mesh_kafka_log *log, mesh_journal_each *each, void *context, struct mesh_err *err);
/* 0, MESH_LOG_STOPPED, negative. */
int mesh_kafka_log_claim(struct mesh_kafka_log *log, struct mesh_err *err);
uint64_t mesh_kafka_log_generation(const struct mesh_kafka_log *log); /* of the product, when claimed */
int64_t mesh_kafka_log_epoch(const struct mesh_kafka_log *log);
uint64_t mesh_kafka_log_skipped(const struct mesh_kafka_log *log); /* records read that do not count */
struct mesh_journal mesh_kafka_log_journal(struct mesh_kafka_log *log);
struct mesh_kafka_log *mesh_kafka_log_close(struct mesh_kafka_log *log); /* takes NULL */

#endif
