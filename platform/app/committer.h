/* Makes commits durable, off the worker's thread, one at a time: in files, or in Kafka (store/journal.h).
 *
 * The worker submits frames and goes on; the bell rings when they are durable. A write that fails is
 * fatal: the log is unusable from then on, and nothing after it was sent (DESIGN 9, rule 7).
 */
#ifndef MESH_APP_COMMITTER_H
#define MESH_APP_COMMITTER_H

#include "base/buf.h"
#include "io/wake.h"
#include "store/cipher.h"
#include "store/journal.h"

struct mesh_committer_result {
    uint64_t log_bytes; /* of the log, after it */
    uint64_t segment;   /* the new one, when asked to cut */
    int64_t duration_us;
};

struct mesh_committer;

/* The journal's log is the committer's until it is freed, and so is the cipher that seals what goes into it. */
struct mesh_committer *mesh_committer_new(const struct mesh_journal *journal, struct mesh_store_cipher *cipher,
                                          struct mesh_wake *wake);
bool mesh_committer_busy(struct mesh_committer *committer);
/* Takes the buffer's memory. Not while busy. `cut`: begin a new segment first. */
void mesh_committer_submit(struct mesh_committer *committer, struct mesh_buf *frames, bool cut);
/* Delete the segments before this one, behind the next submit or now. */
void mesh_committer_trim(struct mesh_committer *committer, uint64_t segment);
/* 1: the submitted frames are durable (told once); 0: nothing new; negative: failed. */
int mesh_committer_poll(struct mesh_committer *committer, struct mesh_committer_result *ret, struct mesh_err *err);
/* Takes NULL. Finishes what was submitted. */
struct mesh_committer *mesh_committer_free(struct mesh_committer *committer);

#endif
