/* Dedupe keeps, by key, the event time of the event it let pass last. A key that was seen more than `within` before the task's place in
 * the order counts as never seen, whether or not its bucket is already gone. */
#include "flow/state.h"

struct seen {
    int64_t time_us;
};

static size_t payload_bytes(const struct mesh_state *decl)
{
    (void)decl;
    return sizeof(struct seen);
}

static void write(const struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_buf *out)
{
    (void)state;
    mesh_buf_zigzag(out, ((const struct seen *)mesh_store_row_payload(row))->time_us);
}

static bool read(struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_cursor *in)
{
    (void)state;
    ((struct seen *)mesh_store_row_payload(row))->time_us = mesh_get_zigzag(in);
    return !in->bad;
}

static int64_t newest(const struct mesh_flow_state *state, struct mesh_store_row *row)
{
    (void)state;
    return ((const struct seen *)mesh_store_row_payload(row))->time_us;
}

const struct mesh_flow_kind mesh_flow_kind_dedupe = {
    .name = "dedupe",
    .payload_bytes = payload_bytes,
    .write = write,
    .read = read,
    .newest = newest,
};

static bool within(int64_t a, int64_t b, int64_t within_us)
{
    return a > b ? a - b <= within_us : b - a <= within_us;
}

bool mesh_dedupe(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, const struct mesh_event *event)
{
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    if (!mesh_flow_key_ok(task, key, &state->decl->site))
        return false;
    bool is_new = false;
    struct mesh_store_row *row =
        mesh_store_table_make(&state->table, 0, key->bytes, key->n, mesh_flow_state_bucket(state, 0, event->time_us), &is_new);
    struct seen *seen = mesh_store_row_payload(row);
    if (!is_new && event->again && seen->time_us == event->time_us)
        return true; /* it was this record that was let pass */
    if (!is_new && !mesh_flow_state_expired(state, seen->time_us)) {
        if (within(seen->time_us, event->time_us, state->decl->within_us)) {
            mesh_metric_add(state->duplicates, 1);
            return false;
        }
        if (event->time_us < seen->time_us)
            return true; /* first of its own time; the newer one stays remembered */
    }
    seen->time_us = event->time_us;
    if (!is_new)
        mesh_store_table_move(&state->table, row, mesh_flow_state_bucket(state, 0, event->time_us));
    mesh_flow_state_touch(state, row);
    return true;
}
