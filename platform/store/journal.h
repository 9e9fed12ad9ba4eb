/* What a commit log can do, wherever it lies: in files (store/log.h) or in a partition of Kafka (io/kafka_log.h). What the frames in it mean
 * is the engine's matter.
 *
 * One owner at a time, one thread at a time: who opens it reads it once, then hands it to the committer, whose thread appends.
 */
#ifndef MESH_STORE_JOURNAL_H
#define MESH_STORE_JOURNAL_H

#include "mesh/err.h"
#include "mesh/value.h"

#include <stdbool.h>
#include <stdint.h>

enum mesh_journal_result {
    MESH_JOURNAL_AGAIN = 1, /* its begin was cut off while it was read: begin with an empty state, and read again */
};

typedef int mesh_journal_each(void *context, struct mesh_str frame, struct mesh_err *err);

struct mesh_journal_ops {
    /* Every frame that counts, in order; `each` returns 0 to go on or a negative result to stop with it. 0, or MESH_JOURNAL_AGAIN. */
    int (*read)(void *log, mesh_journal_each *each, void *context, struct mesh_err *err);
    /* `frames` as mesh_store_frame_begin() and _end() build them. When it returns 0 they are durable, and they count: nobody else has become
     * the owner before them. Negative: nothing after it may be sent, and nothing more can be appended. */
    int (*append)(void *log, struct mesh_str frames, struct mesh_err *err);
    /* A place before the next append; never 0. */
    uint64_t (*cut)(void *log);
    /* What lies before this place is not needed any more. */
    int (*trim)(void *log, uint64_t place, struct mesh_err *err);
    uint64_t (*bytes)(const void *log);
    bool (*empty)(const void *log); /* as it was opened */
    /* Any thread: what is under way and cannot come to an end without the outside gives up, with an error. */
    void (*interrupt)(void *log);
    void (*close)(void *log);
};

struct mesh_journal {
    const struct mesh_journal_ops *ops; /* NULL: none is open */
    void *log;
};

static inline int mesh_journal_read(const struct mesh_journal *j, mesh_journal_each *each, void *context, struct mesh_err *err)
{
    return j->ops->read(j->log, each, context, err);
}

static inline int mesh_journal_append(const struct mesh_journal *j, struct mesh_str frames, struct mesh_err *err)
{
    return j->ops->append(j->log, frames, err);
}

static inline uint64_t mesh_journal_bytes(const struct mesh_journal *j)
{
    return j->ops->bytes(j->log);
}

/* Takes one that is not open. */
static inline void mesh_journal_close(struct mesh_journal *j)
{
    if (j->ops != NULL)
        j->ops->close(j->log);
    *j = (struct mesh_journal){0};
}

#endif
