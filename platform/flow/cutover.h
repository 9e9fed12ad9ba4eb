/* One version of a product takes over from another, at exactly the same place (docs/decisions/029-a-version-takes-over-at-positions.md).
 *
 * Both run from the same inputs, each with a state of its own; the new one is muted: what it sends goes elsewhere. Then
 *
 *     new   mesh_engine_hold()                    it reads no further: positions H, marks of time M
 *     old   reads on to H or beyond, then hold(); mesh_engine_reach(M), and then its own marks: time stands where records were let go;
 *           until mesh_engine_quiet(): positions P, marks of time N
 *     new   mesh_engine_stop_at(P), reads on until mesh_engine_reached() and quiet; mesh_engine_reach(N); until quiet
 *
 * What was computed is a function of the positions and of where time stands. Positions are P in both. Time can differ, because the
 * clock takes silent sources for idle; so each is brought to where the other stands, and nothing that one has sent is still to come in
 * the other, or the reverse. What waits in order buffers, windows, timers and joins waits in both.
 *
 * Then the old one is silent for ever, and the new one starts again over its state with a *voice*: the generation that its ports speak
 * with, whose numbers begin at 1. The first message of a task to a partition says whom it succeeds, in the header MESH_FLOW_SUCCEEDS:
 * readers that are products accept another generation of a task they know only from such a message.
 *
 *     mesh.succeeds    varint n, n varints: generations that spoke before
 *
 * A port that sends changes has the last word by key. mesh_engine_announce() is told what stands in the topic, and sends what differs.
 */
#ifndef MESH_FLOW_CUTOVER_H
#define MESH_FLOW_CUTOVER_H

#include "flow/engine.h"

#define MESH_FLOW_SUCCEEDS     "mesh.succeeds"
#define MESH_FLOW_SUCCEEDS_MAX 64 /* versions of one product after each other; of more, the oldest are left out */

/* Where a task stands in time. */
struct mesh_engine_mark {
    const char *topology; /* its first input, by name: topologies have no other name that stays */
    int32_t partition;
    int64_t wm_us;       /* INT64_MIN: none */
    int64_t released_us; /* records up to here have left the order buffer; INT64_MIN: none, or it is not sorted */
    bool idle;           /* everything was taken for idle */
};
uint32_t mesh_engine_n_marks(const struct mesh_engine *engine);
void mesh_engine_mark(const struct mesh_engine *engine, uint32_t i, struct mesh_engine_mark *ret);
/* Bring the task of the same name at least there. False: there is no such task (another declaration). In the order of the marks, and quiet
 * before the next topology: what one lets go is for the tasks behind it, whose windows must not close before it is there. */
bool mesh_engine_reach(struct mesh_engine *engine, const struct mesh_engine_mark *mark);

/* Read nothing more from outside; internal topics go on, and no source becomes idle by the clock. */
void mesh_engine_hold(struct mesh_engine *engine);
/* As before hold() or stop_at(). What stop_at() cut off must be fetched again. */
void mesh_engine_resume(struct mesh_engine *engine);
/* Read this partition up to `offset`, not beyond. False: it is not read. */
bool mesh_engine_stop_at(struct mesh_engine *engine, const char *topic, int32_t partition, int64_t offset);
/* All partitions that were told where to stop stand there. */
bool mesh_engine_reached(const struct mesh_engine *engine);
/* Nothing is on its way: all that was sent to own topics was read again, all messages are acknowledged, all documents stored, all of it
 * committed. What waits for time is no hindrance. */
bool mesh_engine_quiet(const struct mesh_engine *engine);

/* Before the first commit: where to begin instead of at the earliest record. False: it is not read. */
bool mesh_engine_begin_at(struct mesh_engine *engine, const char *topic, int32_t partition, int64_t offset);

/* What stands in the topic of a port that sends changes: the newest record of each key. */
struct mesh_engine_known {
    struct mesh_str key;
    uint64_t value; /* mesh_hash64() of its bytes */
    bool seen;      /* a row of ours has this key; begins as false */
};
/* Send each row that differs from what stands there, and a null value for each key that no row has. `known` is sorted by key bytes. Not
 * of windowed views: their keys do not tell windows apart. Returns how many messages this made. */
uint64_t mesh_engine_announce(struct mesh_engine *engine, uint32_t port, struct mesh_engine_known *known, size_t n);
int mesh_engine_known_order(const void *a, const void *b); /* for qsort() */

#endif
