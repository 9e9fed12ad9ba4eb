/* The sort buffer of a task with several sources.
 *
 * Within one source records come nearly in order: those that do go to a queue, where entering and leaving cost a few instructions; one
 * that is behind the newest of the queue goes to a small heap beside it. The next record of the source is the smaller of the two
 * heads, and the next one of the task the smallest over its sources. A run of records from one source is taken without looking at the
 * others again: only the second smallest head matters until it is reached. */
#include "flow/task_int.h"

#include <stdlib.h>

#define QUEUE_MIN 64u

static bool before(const struct mesh_flow_waiting *a, const struct mesh_flow_waiting *b)
{
    return a->order_us != b->order_us ? a->order_us < b->order_us : a->place < b->place;
}

/* ---- one lane ---- */
static struct mesh_flow_waiting *fifo_at(const struct mesh_flow_lane *lane, uint32_t i)
{
    return &lane->fifo[(lane->fifo_head + i) & (lane->fifo_cap - 1)];
}

static void fifo_push(struct mesh_flow_lane *lane, struct mesh_flow_waiting waiting)
{
    if (lane->fifo_n == lane->fifo_cap) {
        uint32_t cap = lane->fifo_cap == 0 ? QUEUE_MIN : lane->fifo_cap * 2;
        struct mesh_flow_waiting *fifo = mesh_xmalloc(cap * sizeof *fifo);
        for (uint32_t i = 0; i < lane->fifo_n; i++)
            fifo[i] = *fifo_at(lane, i);
        free(lane->fifo);
        lane->fifo = fifo;
        lane->fifo_head = 0;
        lane->fifo_cap = cap;
    }
    lane->fifo_n++;
    *fifo_at(lane, lane->fifo_n - 1) = waiting;
}

static void heap_push(struct mesh_flow_lane *lane, struct mesh_flow_waiting waiting)
{
    if (lane->heap_n == lane->heap_cap) {
        lane->heap_cap = lane->heap_cap == 0 ? QUEUE_MIN : lane->heap_cap * 2;
        lane->heap = mesh_xrealloc(lane->heap, lane->heap_cap * sizeof *lane->heap);
    }
    uint32_t at = lane->heap_n++;
    while (at > 0 && before(&waiting, &lane->heap[(at - 1) / 2])) {
        lane->heap[at] = lane->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    lane->heap[at] = waiting;
}

static void heap_pop(struct mesh_flow_lane *lane)
{
    struct mesh_flow_waiting last = lane->heap[--lane->heap_n];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= lane->heap_n)
            break;
        if (child + 1 < lane->heap_n && before(&lane->heap[child + 1], &lane->heap[child]))
            child++;
        if (!before(&lane->heap[child], &last))
            break;
        lane->heap[at] = lane->heap[child];
        at = child;
    }
    lane->heap[at] = last;
}

static const struct mesh_flow_waiting *head(const struct mesh_flow_lane *lane)
{
    const struct mesh_flow_waiting *first = lane->fifo_n > 0 ? fifo_at(lane, 0) : NULL;
    if (lane->heap_n > 0 && (first == NULL || before(&lane->heap[0], first)))
        return &lane->heap[0];
    return first;
}

static struct mesh_flow_held *take(struct mesh_flow_lane *lane)
{
    const struct mesh_flow_waiting *first = head(lane);
    struct mesh_flow_held *held = first->held;
    if (lane->heap_n > 0 && first == &lane->heap[0]) {
        heap_pop(lane);
    } else {
        lane->fifo_head = (lane->fifo_head + 1) & (lane->fifo_cap - 1);
        lane->fifo_n--;
    }
    return held;
}

void mesh_flow_enqueue(struct mesh_flow_lane *lane, struct mesh_flow_held *held)
{
    struct mesh_flow_waiting waiting = {held->order_us, held->place, held};
    if (lane->fifo_n == 0 || before(fifo_at(lane, lane->fifo_n - 1), &waiting))
        fifo_push(lane, waiting);
    else
        heap_push(lane, waiting);
}

static struct mesh_str copy(char **to, struct mesh_str s)
{
    struct mesh_str r = {s.p == NULL ? NULL : *to, s.n};
    if (s.n > 0)
        memcpy(*to, s.p, s.n);
    *to += s.n;
    return r;
}

struct mesh_flow_held *mesh_flow_hold(struct mesh_task *task, struct mesh_flow_lane *lane, const struct mesh_event *event, int64_t place,
                                      size_t record_size)
{
    size_t struct_at = (sizeof(struct mesh_flow_held) + 15) / 16 * 16;
    size_t bytes = struct_at + record_size + event->key.n + event->value.n;
    size_t before_bytes = lane->chain.bytes;
    struct mesh_flow_held *held = mesh_store_chain_add(&lane->chain, bytes);
    *held = (struct mesh_flow_held){
        .order_us = event->time_us > event->source_wm_us ? event->time_us : event->source_wm_us,
        .place = place,
        .time_us = event->time_us,
        .source_wm_us = event->source_wm_us,
        .kafka_time_us = event->kafka_time_us,
        .offset = event->offset,
        .record = (char *)held + struct_at,
        .key_hash = mesh_flow_key_hash(event->key),
    };
    char *to = (char *)held + struct_at + record_size;
    held->key = copy(&to, event->key);
    held->value = copy(&to, event->value);
    task->engine->held_bytes += lane->chain.bytes - before_bytes;
    return held;
}

void mesh_flow_held_free(struct mesh_task *task, struct mesh_flow_lane *lane, struct mesh_flow_held *held)
{
    size_t before_bytes = lane->chain.bytes;
    mesh_store_chain_free(&lane->chain, held);
    task->engine->held_bytes -= before_bytes - lane->chain.bytes;
}

void mesh_flow_held_cancel(struct mesh_task *task, struct mesh_flow_lane *lane, struct mesh_flow_held *held)
{
    size_t before_bytes = lane->chain.bytes;
    mesh_store_chain_cancel(&lane->chain, held);
    task->engine->held_bytes -= before_bytes - lane->chain.bytes;
}

void mesh_flow_lane_deinit(struct mesh_flow_lane *lane)
{
    mesh_store_chain_deinit(&lane->chain);
    free(lane->fifo);
    free(lane->heap);
}

/* ---- the task ---- */
/* The lane with the smallest head; *ret_next is the one that comes after it (or NULL). */
static struct mesh_flow_lane *smallest(struct mesh_task *task, struct mesh_flow_lane **ret_next)
{
    struct mesh_flow_lane *best = NULL;
    struct mesh_flow_lane *next = NULL;
    for (uint32_t i = 0; i < task->n_lanes; i++) {
        struct mesh_flow_lane *lane = task->lanes[i]; /* in the order of (input, rank) */
        if (lane->fifo_n == 0 && lane->heap_n == 0)
            continue;
        if (best == NULL || head(lane)->order_us < head(best)->order_us) {
            next = best;
            best = lane;
        } else if (next == NULL || head(lane)->order_us < head(next)->order_us) {
            next = lane;
        }
    }
    *ret_next = next;
    return best;
}

/* Whether the lane's head still comes before that of `next`; lanes at the same time go by their own order. */
static bool leads(const struct mesh_flow_lane *lane, const struct mesh_flow_lane *next)
{
    int64_t a = head(lane)->order_us;
    int64_t b = head(next)->order_us;
    if (a != b)
        return a < b;
    return lane->input != next->input ? lane->input < next->input : lane->rank < next->rank;
}

static void apply(struct mesh_task *task, struct mesh_flow_lane *lane, bool forced)
{
    struct mesh_flow_held *held = take(lane);
    struct mesh_event event = {
        .time_us = held->time_us,
        .source_wm_us = held->source_wm_us,
        .late = held->time_us < held->source_wm_us,
        .input = lane->input,
        .topic = lane->source->decl->topic,
        .partition = lane->source->partition,
        .offset = held->offset,
        .kafka_time_us = held->kafka_time_us,
        .key = held->key,
        .value = held->value,
    };
    if (held->order_us < task->released_us)
        mesh_metric_add(task->engine->m_idle_late, 1);
    else
        task->released_us = held->order_us;
    int64_t at = forced && held->order_us > task->wm_us ? task->wm_us : held->order_us;
    mesh_flow_look_ahead(task, lane);
    task->key_hash = held->key_hash;
    mesh_flow_apply(task, lane, &event, held->record, at);
    task->key_hash = 0;
    mesh_flow_held_free(task, lane, held);
}

void mesh_flow_release(struct mesh_task *task)
{
    bool forced = task->all_idle; /* nothing is expected: let everything go */
    for (;;) {
        struct mesh_flow_lane *next = NULL;
        struct mesh_flow_lane *lane = smallest(task, &next);
        if (lane == NULL || (!forced && head(lane)->order_us >= task->wm_us))
            break;
        do {
            apply(task, lane, forced);
            mesh_flow_worked(task->engine, 1);
        } while ((lane->fifo_n > 0 || lane->heap_n > 0) && (forced || head(lane)->order_us < task->wm_us) &&
                 (next == NULL || leads(lane, next)));
    }
    for (uint32_t i = 0; forced && i < task->n_lanes; i++)
        task->lanes[i]->drained = mesh_store_chain_next(&task->lanes[i]->chain);
}
