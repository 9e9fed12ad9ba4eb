/* Looking ahead. A record touches rows at random places of large tables: cold memory, each a wait of a hundred nanoseconds, one behind
 * the other. Which records come next is known, from the batch or from the order buffer, and generated code knows which rows they will
 * look up (mesh_input.ahead). So their memory is asked for a few records early, one step of the chain per record: the slot, the row,
 * what the row points to. All of this is a hint: nothing that is computed depends on it. */
#include "flow/state.h"

static struct mesh_store_row *guess(const struct mesh_flow_hints *hints, uint32_t i)
{
    return mesh_store_table_guess(&hints->at[i].state->table, hints->at[i].hash);
}

static void ask_for_rows(const struct mesh_flow_hints *hints)
{
    for (uint32_t i = 0; i < hints->n; i++) {
        const struct mesh_store_row *row = guess(hints, i);
        if (row == NULL)
            continue;
        __builtin_prefetch(row);
        __builtin_prefetch(row + 1);
    }
}

static void ask_for_payloads(const struct mesh_flow_hints *hints)
{
    for (uint32_t i = 0; i < hints->n; i++) {
        const struct mesh_flow_kind *kind = mesh_flow_kind_of(hints->at[i].state);
        struct mesh_store_row *row = kind->prefetch == NULL ? NULL : guess(hints, i);
        if (row != NULL)
            kind->prefetch(hints->at[i].state, row);
    }
}

void mesh_flow_look_ahead(struct mesh_task *task, const struct mesh_input *decl, const void *record, int64_t time_us)
{
    _Static_assert(MESH_FLOW_AHEAD == 3, "one stage of the chain per record");
    task->hints_at = (task->hints_at + 1) % MESH_FLOW_AHEAD;
    struct mesh_flow_hints *hints = &task->hints[task->hints_at];
    hints->n = 0;
    decl->ahead(task, record, time_us);
    ask_for_rows(&task->hints[(task->hints_at + MESH_FLOW_AHEAD - 1) % MESH_FLOW_AHEAD]);
    ask_for_payloads(&task->hints[(task->hints_at + MESH_FLOW_AHEAD - 2) % MESH_FLOW_AHEAD]);
}

void mesh_ahead(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, int64_t time_us)
{
    struct mesh_flow_hints *hints = &task->hints[task->hints_at];
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    if (hints->n == MESH_AHEAD_MAX || key->too_long)
        return;
    int64_t window = !state->windowed            ? 0
                     : state->view->zone != NULL ? state->near_from_us
                                                 : mesh_flow_floor(time_us, state->view->size_us);
    uint32_t hash = mesh_store_table_hash(window, key->bytes, key->n);
    mesh_store_table_prefetch(&state->table, hash);
    hints->at[hints->n].state = state;
    hints->at[hints->n++].hash = hash;
}
