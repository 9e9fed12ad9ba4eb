/* A latch has a row only while it is off: armed is what a key is at first. */
#include "flow/state.h"

static size_t payload_bytes(const struct mesh_state *decl)
{
    (void)decl;
    return 0;
}

static void write(const struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_buf *out)
{
    (void)state;
    (void)row;
    (void)out;
}

static bool read(struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_cursor *in)
{
    (void)state;
    (void)row;
    return !in->bad;
}

const struct mesh_flow_kind mesh_flow_kind_latch = {
    .name = "latch",
    .payload_bytes = payload_bytes,
    .write = write,
    .read = read,
};

bool mesh_rises(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, const struct mesh_event *event, bool when,
                bool rearm)
{
    (void)event;
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    if (!mesh_flow_key_ok(task, key, &state->decl->site))
        return false;
    struct mesh_store_row *row = mesh_store_table_find(&state->table, 0, key->bytes, key->n);
    if (row != NULL && rearm) {
        mesh_flow_state_remove(state, row);
        row = NULL;
    }
    if (row != NULL || !when)
        return false;
    bool is_new = false;
    row = mesh_store_table_make(&state->table, 0, key->bytes, key->n, 0, &is_new);
    mesh_flow_state_touch(state, row);
    return true;
}
