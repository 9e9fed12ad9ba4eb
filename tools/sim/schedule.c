#include "sim/schedule.h"

#include "base/check.h"

void sim_schedule_init(struct sim_schedule *schedule)
{
    *schedule = (struct sim_schedule){0};
    schedule->pool = mesh_xmalloc(SIM_PENDING_MAX * sizeof *schedule->pool);
    schedule->free_slots = mesh_xmalloc(SIM_PENDING_MAX * sizeof *schedule->free_slots);
    schedule->heap = mesh_xmalloc(SIM_PENDING_MAX * sizeof *schedule->heap);
    for (uint32_t i = 0; i < SIM_PENDING_MAX; i++) {
        schedule->free_slots[i] = i; /* those from n on are free */
    }
}

void sim_schedule_deinit(struct sim_schedule *schedule)
{
    mesh_freep(&schedule->pool);
    mesh_freep(&schedule->free_slots);
    mesh_freep(&schedule->heap);
}

static bool before(const struct sim_due *a, const struct sim_due *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

struct sim_pending *sim_schedule_put(struct sim_schedule *schedule, int64_t at_ns)
{
    mesh_assert(schedule->n < SIM_PENDING_MAX);
    uint32_t slot = schedule->free_slots[schedule->n];
    struct sim_due due = {at_ns, schedule->order++, slot};
    uint32_t i = schedule->n++;
    while (i > 0 && before(&due, &schedule->heap[(i - 1) / 2])) {
        schedule->heap[i] = schedule->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    schedule->heap[i] = due;
    return &schedule->pool[slot];
}

struct sim_pending sim_schedule_take(struct sim_schedule *schedule)
{
    mesh_assert(schedule->n > 0);
    uint32_t slot = schedule->heap[0].slot;
    struct sim_due last = schedule->heap[--schedule->n];
    uint32_t i = 0;
    for (uint32_t child = 1; child < schedule->n; child = 2 * i + 1) {
        if (child + 1 < schedule->n && before(&schedule->heap[child + 1], &schedule->heap[child])) {
            child++;
        }
        if (!before(&schedule->heap[child], &last)) {
            break;
        }
        schedule->heap[i] = schedule->heap[child];
        i = child;
    }
    schedule->heap[i] = last;
    schedule->free_slots[schedule->n] = slot;
    return schedule->pool[slot];
}
