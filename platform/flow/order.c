/* The sort buffer of a task with several sources, tables among them.
 *
 * Within one source records come nearly in order: those that do go to a queue, where entering and leaving cost a few instructions; one
 * that is behind the newest of the queue goes to a small heap beside it. The next record of the source is the smaller of the two
 * heads, and the next one of the task the smallest over its sources. A run of records from one source is taken without looking at the
 * others again: only the second smallest head matters until it is reached.
 *
 * A task with one stream beside tables is not sorted: its records go in offset order, and what is merged is only when a table's rows
 * come between them. As long as no table is awaited they do not pass through here (mesh_task.direct_us). */
#include "flow/task_int.h"

#include <stdlib.h>

#define QUEUE_MIN  64u
#define CACHE_LINE 64u

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

static bool holds(const struct mesh_flow_lane *lane)
{
    return lane->fifo_n > 0 || lane->heap_n > 0;
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

struct mesh_flow_held *mesh_flow_hold(struct mesh_task *task, struct mesh_flow_lane *lane, const struct mesh_event *event,
                                      int64_t place, size_t record_size)
{
    size_t struct_at = (sizeof(struct mesh_flow_held) + 15) / 16 * 16;
    size_t bytes = struct_at + record_size + event->key.n + event->value.n;
    size_t before_bytes = lane->chain.bytes;
    struct mesh_flow_held *held = mesh_store_chain_add(&lane->chain, bytes);
    *held = (struct mesh_flow_held){
        .order_us = mesh_flow_order_of(lane, event->time_us, event->source_wm_us),
        .place = place,
        .time_us = event->time_us,
        .source_wm_us = event->source_wm_us,
        .kafka_time_us = event->kafka_time_us,
        .offset = event->offset,
        .record = (char *)held + struct_at,
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
        struct mesh_flow_lane *lane = task->lanes[i]; /* in the order of mesh_flow_lane_before() */
        if (!holds(lane))
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
    return a != b ? a < b : mesh_flow_lane_before(lane, next);
}

bool mesh_flow_lane_before(const struct mesh_flow_lane *a, const struct mesh_flow_lane *b)
{
    if (a->table != b->table)
        return a->table;
    return a->input != b->input ? a->input < b->input : a->rank < b->rank;
}

int64_t mesh_flow_first_held(const struct mesh_task *task)
{
    int64_t first = INT64_MAX;
    for (uint32_t i = 0; i < task->n_lanes; i++) {
        const struct mesh_flow_waiting *waiting = head(task->lanes[i]);
        if (waiting != NULL && waiting->order_us < first)
            first = waiting->order_us;
    }
    return first;
}

/* Whether nothing can come before the lane's head, which is the smallest of all heads. */
static bool may_go(const struct mesh_task *task, const struct mesh_flow_lane *lane)
{
    int64_t order_us = head(lane)->order_us;
    if (task->sole == NULL)
        return order_us < task->wm_us;
    return lane->table ? order_us <= mesh_flow_frontier(task->sole) : order_us < task->gate_us;
}

static const struct mesh_flow_held *waiting(const struct mesh_flow_lane *lane, uint32_t n)
{
    return n < lane->fifo_n ? lane->fifo[(lane->fifo_head + n) & (lane->fifo_cap - 1)].held : NULL;
}

static void look_ahead(struct mesh_task *task, const struct mesh_flow_lane *lane)
{
    const struct mesh_input *decl = lane->source->decl;
    if (decl->ahead == NULL)
        return;
    const char *later = (const char *)waiting(lane, MESH_FLOW_AHEAD + 1); /* so long ago that it is cold itself */
    for (size_t at = 0; later != NULL && at < sizeof(struct mesh_flow_held) + 2 * CACHE_LINE; at += CACHE_LINE)
        __builtin_prefetch(later + at);
    const struct mesh_flow_held *soon = waiting(lane, MESH_FLOW_AHEAD - 1);
    if (soon != NULL)
        mesh_flow_look_ahead(task, decl, soon->record, soon->time_us);
}

static void apply_row(struct mesh_task *task, const struct mesh_flow_lane *lane, const struct mesh_flow_held *held,
                      struct mesh_event *event)
{
    if (held->order_us < task->released_us)
        mesh_metric_add(task->engine->m_table_late, 1);
    if (held->version == MESH_FLOW_REMOVED)
        lane->source->decl->removed(task, event);
    else
        mesh_flow_apply(task, NULL, event, held->record, MESH_FLOW_NEVER);
}

static void apply(struct mesh_task *task, struct mesh_flow_lane *lane, bool forced)
{
    struct mesh_flow_held *held = take(lane);
    struct mesh_event event = {
        .time_us = held->time_us,
        .source_wm_us = held->source_wm_us,
        .late = held->time_us < held->source_wm_us,
        .input = lane->input,
        .version = held->version,
        .topic = lane->source->decl->topic,
        .partition = lane->source->partition,
        .offset = held->offset,
        .kafka_time_us = held->kafka_time_us,
        .key = held->key,
        .value = held->value,
    };
    if (lane->table) {
        apply_row(task, lane, held, &event);
        mesh_flow_held_free(task, lane, held);
        return;
    }
    if (held->order_us < task->released_us)
        mesh_metric_add(task->engine->m_idle_late, 1);
    else
        task->released_us = held->order_us;
    int64_t at = lane == task->sole ? held->source_wm_us : forced && held->order_us > task->wm_us ? task->wm_us : held->order_us;
    look_ahead(task, lane);
    mesh_flow_apply(task, lane, &event, held->record, at);
    mesh_flow_held_free(task, lane, held);
}

void mesh_flow_release(struct mesh_task *task)
{
    bool forced = task->all_idle; /* nothing is expected: let everything go */
    bool any = false;
    for (;;) {
        struct mesh_flow_lane *next = NULL;
        struct mesh_flow_lane *lane = smallest(task, &next);
        if (lane == NULL || !(forced || may_go(task, lane)))
            break;
        any = true;
        do {
            apply(task, lane, forced);
            mesh_flow_worked(task->engine, 1);
        } while (holds(lane) && (forced || may_go(task, lane)) && (next == NULL || leads(lane, next)));
    }
    if (task->sole != NULL && any) {
        mesh_flow_watermark(task); /* it stood at the first that waited */
        const struct mesh_flow_held *first = mesh_store_chain_first(&task->sole->chain);
        task->sole->drained = first == NULL ? mesh_store_chain_next(&task->sole->chain) : mesh_store_chain_serial(first);
    }
    for (uint32_t i = 0; forced && i < task->n_lanes; i++)
        task->lanes[i]->drained = mesh_store_chain_next(&task->lanes[i]->chain);
}
