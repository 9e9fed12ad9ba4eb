/* What the kinds of states have in common: rows in a table, images and deltas in the log, an expiry.
 *
 * An *image* is the whole row; a *delta* is one append (ring, versions) that is cheaper than the image. Reading an image replaces the
 * row, applying a delta adds to it: a log may hold deltas behind an image that already has them only in this order.
 */
#ifndef MESH_FLOW_STATE_H
#define MESH_FLOW_STATE_H

#include "flow/task_int.h"

struct mesh_flow_kind {
    const char *name;
    size_t (*payload_bytes)(const struct mesh_state *decl);
    void (*drop)(void *state, void *payload);
    void (*write)(const struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_buf *out);
    /* Into a zeroed payload; false: not an image. */
    bool (*read)(struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_cursor *in);
    bool (*apply)(struct mesh_flow_state *state, struct mesh_cursor *in);                  /* NULL: no deltas */
    int64_t (*newest)(const struct mesh_flow_state *state, struct mesh_store_row *row);    /* NULL: does not expire */
    void (*restored)(struct mesh_flow_state *state);                                       /* the whole log was read; NULL */
    void (*due)(struct mesh_flow_state *state, struct mesh_store_row *row, int64_t at_us); /* its timer; NULL: it sets none */
    void (*prefetch)(const struct mesh_flow_state *state,
                     struct mesh_store_row *row); /* what the payload points to; NULL: nothing */
};

extern const struct mesh_flow_kind mesh_flow_kind_view, mesh_flow_kind_dedupe, mesh_flow_kind_table, mesh_flow_kind_versions,
    mesh_flow_kind_ring, mesh_flow_kind_pattern, mesh_flow_kind_latch, mesh_flow_kind_interval;

const struct mesh_flow_kind *mesh_flow_kind_of(const struct mesh_flow_state *state);

struct mesh_flow_state *mesh_flow_state_new(struct mesh_task *task, uint32_t index);
void mesh_flow_state_free(struct mesh_flow_state *state);
struct mesh_flow_state *mesh_flow_state_at(struct mesh_task *task, uint32_t index); /* asserts that it is this task's */

/* The bucket where a row of this time stands. */
int64_t mesh_flow_state_bucket(const struct mesh_flow_state *state, int64_t window, int64_t newest_us);
/* Whether a row whose newest event is this old counts as gone at the task's place in the order. */
bool mesh_flow_state_expired(const struct mesh_flow_state *state, int64_t newest_us);
/* What a payload owns: as mesh_store_heap_resize(), which see. */
static inline void *mesh_flow_own(struct mesh_flow_state *state, void *p, size_t old_n, size_t n)
{
    return mesh_store_heap_resize(&state->task->engine->heap, p, old_n, n, state->task->release_us);
}
static inline void mesh_flow_use(struct mesh_flow_state *state, void *p, size_t n)
{
    mesh_store_heap_touch(&state->task->engine->heap, p, n, state->task->release_us);
}
/* To be written with the next commit. */
void mesh_flow_state_touch(struct mesh_flow_state *state, struct mesh_store_row *row);
/* Begin an operation in state->deltas. */
void mesh_flow_state_delta(struct mesh_flow_state *state, enum mesh_flow_op op);
/* Remove a row and note it for the log. */
void mesh_flow_state_remove(struct mesh_flow_state *state, struct mesh_store_row *row);
/* Remove what went by time; not noted. */
void mesh_flow_state_drop_expired(struct mesh_flow_state *state);
size_t mesh_flow_state_bytes(const struct mesh_flow_state *state);
/* Of ascending times, places `low` to `high`: the place behind the last one at or before `time_us`. What comes in order asks for an end, and
 * a window that holds everything for the other: neither is searched for, which is mostly waiting for memory. */
static inline uint32_t mesh_flow_times_until(const int64_t *times, uint32_t low, uint32_t high, int64_t time_us)
{
    if (low == high || times[high - 1] <= time_us)
        return high;
    if (times[low] > time_us)
        return low;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (times[mid] <= time_us)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}
/* Empty a payload for reuse: frees what it owns, zeroes it. */
void mesh_flow_state_reset(struct mesh_flow_state *state, struct mesh_store_row *row);

#endif
