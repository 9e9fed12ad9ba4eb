/* Looking ahead. A record touches some rows by its own key (card, customer, device): cold memory, each a wait of a hundred
 * nanoseconds, one behind the other. The order buffer knows which records come next, so their memory is asked for a few records
 * early, one step of the chain at a time: the record, the slot, the row, what the row points to.
 *
 * Which states are keyed by the record's key is learned from the first rows that are (mesh_flow_learn). All of this is a hint:
 * nothing that is computed depends on it. */
#include "flow/state.h"

/* How many records ahead each step is taken; one record takes longer than one access to memory. */
enum { RECORD = 4, SLOT = 3, ROW = 2, PAYLOAD = 1 };

#define KEY_BYTES_MAX 62 /* longer keys are not looked up early */
#define LINE          64

uint32_t mesh_flow_key_hash(struct mesh_str key)
{
    char text[KEY_BYTES_MAX + 2];
    if (key.n == 0 || key.n > KEY_BYTES_MAX)
        return 0;
    memcpy(text, key.p, key.n);
    text[key.n] = text[key.n + 1] = 0; /* as mesh_key_str() ends it */
    return mesh_store_table_hash(0, text, key.n + 2);
}

void mesh_flow_learn_now(struct mesh_flow_state *state)
{
    struct mesh_task *task = state->task;
    state->ahead = true;
    if (task->n_ahead < MESH_FLOW_AHEAD_STATES)
        task->ahead[task->n_ahead++] = state;
}

static const struct mesh_flow_held *waiting(const struct mesh_flow_lane *lane, uint32_t n)
{
    return n <= lane->fifo_n ? lane->fifo[(lane->fifo_head + n - 1) & (lane->fifo_cap - 1)].held : NULL;
}

void mesh_flow_look_ahead(const struct mesh_task *task, const struct mesh_flow_lane *lane)
{
    const struct mesh_flow_held *record = waiting(lane, RECORD);
    for (size_t at = 0; record != NULL && at < sizeof *record + 2 * LINE; at += LINE)
        __builtin_prefetch((const char *)record + at);
    const struct mesh_flow_held *slot = waiting(lane, SLOT);
    const struct mesh_flow_held *row = waiting(lane, ROW);
    const struct mesh_flow_held *payload = waiting(lane, PAYLOAD);
    for (uint32_t i = 0; i < task->n_ahead; i++) {
        const struct mesh_flow_state *state = task->ahead[i];
        if (slot != NULL)
            mesh_store_table_prefetch(&state->table, slot->key_hash);
        struct mesh_store_row *at = row == NULL ? NULL : mesh_store_table_guess(&state->table, row->key_hash);
        if (at != NULL) {
            __builtin_prefetch(at);
            __builtin_prefetch(mesh_store_row_payload(at));
        }
        const struct mesh_flow_kind *kind = mesh_flow_kind_of(state);
        at = payload == NULL || kind->prefetch == NULL ? NULL : mesh_store_table_guess(&state->table, payload->key_hash);
        if (at != NULL)
            kind->prefetch(state, at);
    }
}
