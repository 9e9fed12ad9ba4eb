/* What falls due when time passes, without a record: rows of a state with the time at which each has something to do.
 *
 * A heap, ordered by time alone: a row may be removed, and its place taken by another key's, while its timer still stands here. So all
 * timers of one time are taken out together, and what is then still a row is asked in the order of the keys. */
#include "flow/state.h"

#include <stdlib.h>

#define TIMERS_MIN 16u

static void sink(struct mesh_flow_state *state, struct mesh_flow_timer timer)
{
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= state->n_timers)
            break;
        if (child + 1 < state->n_timers && state->timers[child + 1].due_us < state->timers[child].due_us)
            child++;
        if (state->timers[child].due_us >= timer.due_us)
            break;
        state->timers[at] = state->timers[child];
        at = child;
    }
    state->timers[at] = timer;
}

/* "Passed" is one microsecond later: a record of the same time still comes before. */
static void next_is(struct mesh_flow_state *state)
{
    state->next_close_us = state->n_timers == 0 ? INT64_MAX : state->timers[0].due_us + 1;
    if (state->next_close_us < state->task->next_close_us)
        state->task->next_close_us = state->next_close_us;
}

void mesh_flow_timer_set(struct mesh_flow_state *state, const struct mesh_store_row *row, int64_t due_us)
{
    if (state->n_timers == state->cap_timers) {
        uint32_t cap = state->cap_timers == 0 ? TIMERS_MIN : state->cap_timers * 2;
        state->timers = mesh_xrealloc(state->timers, cap * sizeof *state->timers);
        state->owned_bytes += (cap - state->cap_timers) * sizeof *state->timers;
        state->cap_timers = cap;
    }
    uint32_t at = state->n_timers++;
    while (at > 0 && due_us < state->timers[(at - 1) / 2].due_us) {
        state->timers[at] = state->timers[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    state->timers[at] = (struct mesh_flow_timer){due_us, row->index};
    next_is(state);
}

static int by_row(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int by_key(const void *a, const void *b)
{
    const struct mesh_store_row *x = *(struct mesh_store_row *const *)a;
    const struct mesh_store_row *y = *(struct mesh_store_row *const *)b;
    return mesh_str_cmp((struct mesh_str){(const char *)mesh_store_row_key(x), x->key_n},
                        (struct mesh_str){(const char *)mesh_store_row_key(y), y->key_n});
}

void mesh_flow_timers_pass(struct mesh_flow_state *state)
{
    mesh_assert(state->n_timers > 0);
    int64_t due_us = state->timers[0].due_us;
    MESH_VEC(uint32_t) indexes = {0};
    while (state->n_timers > 0 && state->timers[0].due_us == due_us) {
        *mesh_vec_push(&indexes) = state->timers[0].row;
        if (--state->n_timers > 0)
            sink(state, state->timers[state->n_timers]);
    }
    next_is(state);
    qsort(indexes.v, indexes.n, sizeof indexes.v[0], by_row);
    MESH_VEC(struct mesh_store_row *) rows = {0};
    for (size_t i = 0; i < indexes.n; i++) {
        struct mesh_store_row *row = mesh_store_table_row(&state->table, indexes.v[i]);
        if ((row->flags & MESH_STORE_LIVE) != 0 && (i == 0 || indexes.v[i] != indexes.v[i - 1]))
            *mesh_vec_push(&rows) = row;
    }
    if (rows.n > 1)
        qsort(rows.v, rows.n, sizeof rows.v[0], by_key);
    for (size_t i = 0; i < rows.n; i++) {
        mesh_flow_kind_of(state)->due(state, rows.v[i], due_us);
        mesh_flow_worked(state->task->engine, 1);
    }
    mesh_vec_deinit(&indexes);
    mesh_vec_deinit(&rows);
}
