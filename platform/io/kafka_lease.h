/* Who may write. A product's state is a folder, and folders can be copied, restored from a backup or frozen with their process: so
 * two processes may each believe that they go on from the last commit, and both would give their messages the same numbers. Kafka's
 * group says who owns the partitions now; it does not know whose state has gone on. That stands in the metadata of the group's offsets:
 *
 *     mesh 1 <claim> <generation> <n>      claim: 32 hex digits, random, new with every start and in the log of the state
 *                                          n: commits of all tasks, durable when this was written
 *
 * A lease is asked for with the claims of the own log. The thread here reads what stands there, refuses when somebody else's claim or a
 * later commit than one's own does (the state is stale: fatal), and otherwise writes the own claim, as a member of the group, which
 * the broker lets nobody do who was fenced. From the begin of that exchange on the lease holds for a session's time, by the clock
 * that also runs while a process is frozen. Messages and documents leave only while it holds.
 *
 * What this does not see: an older copy of a folder whose owner ended without saying so, by less than a renewal.
 */
#ifndef MESH_IO_KAFKA_LEASE_H
#define MESH_IO_KAFKA_LEASE_H

#include "base/buf.h"
#include "io/kafka.h"

#define MESH_CLAIM_TEXT 33

struct mesh_lease_mark {
    char claim[MESH_CLAIM_TEXT]; /* "": none */
    uint64_t generation, n;
};

/* 0, or 1: not a mark (an older text, another program's). */
int mesh_lease_mark_read(struct mesh_str text, struct mesh_lease_mark *ret);
void mesh_lease_mark_write(const struct mesh_lease_mark *mark, struct mesh_buf *out);

/* Of the commits in the list, the newest mark; no claim when there is none. */
struct mesh_lease_mark mesh_lease_newest(const rd_kafka_topic_partition_list_t *list);

/* The claims of the own log, and what else may stand there: the claim of a state that was reset. */
struct mesh_lease_own {
    struct mesh_lease_mark mark;
    const char (*claims)[MESH_CLAIM_TEXT];
    size_t n_claims;
    char replaces[MESH_CLAIM_TEXT]; /* "": none */
};
/* Whether a state with these claims may go on from this mark. */
bool mesh_lease_may_follow(const struct mesh_lease_own *own, const struct mesh_lease_mark *found);

struct mesh_lease;

struct mesh_lease_info {
    bool busy;
    bool stale;            /* may not follow what was found */
    int64_t held_until_us; /* monotonic; 0: never held */
    struct mesh_lease_mark found;
    char why[160]; /* the last exchange failed: why; it is tried again */
};

struct mesh_lease *mesh_lease_start(rd_kafka_t *rk, int session_timeout_ms, struct mesh_wake *wake);
/* Begin an exchange, unless one is under way. `positions` (taken over): the offsets to commit. */
void mesh_lease_ask(struct mesh_lease *lease, const struct mesh_lease_own *own, rd_kafka_topic_partition_list_t *positions);
void mesh_lease_info(struct mesh_lease *lease, struct mesh_lease_info *ret);
/* Takes NULL. Waits for the thread: at most one call's time. */
struct mesh_lease *mesh_lease_stop(struct mesh_lease *lease);

#endif
