/* The table of kinds, and what every state needs around its rows. Expiry has two halves: a row that is too old at the task's place in
 * the order counts as gone (exact, a function of the input), and whole buckets are dropped some time later (memory only). */
#include "flow/state.h"

#include <stdlib.h>

#define SLICES       32 /* a row outlives its time by at most 1/32 of it */
#define SLICE_US_MIN INT64_C(1000000)

const struct mesh_flow_kind *mesh_flow_kind_of(const struct mesh_flow_state *state)
{
    switch (state->decl->kind) {
    case MESH_STATE_VIEW:
        return &mesh_flow_kind_view;
    case MESH_STATE_DEDUPE:
        return &mesh_flow_kind_dedupe;
    case MESH_STATE_TABLE:
        return &mesh_flow_kind_table;
    case MESH_STATE_VERSIONS:
        return &mesh_flow_kind_versions;
    case MESH_STATE_RING:
        return &mesh_flow_kind_ring;
    case MESH_STATE_PATTERN:
        return &mesh_flow_kind_pattern;
    case MESH_STATE_LATCH:
        return &mesh_flow_kind_latch;
    case MESH_STATE_INTERVAL:
        return &mesh_flow_kind_interval;
    }
    mesh_assert(false);
    return NULL;
}

static void set_expiry(struct mesh_flow_state *state)
{
    const struct mesh_state *decl = state->decl;
    if (decl->kind == MESH_STATE_DEDUPE || decl->kind == MESH_STATE_PATTERN)
        state->ttl_us = decl->within_us + decl->absent_us;
    else if (decl->kind == MESH_STATE_RING || decl->kind == MESH_STATE_VIEW)
        state->ttl_us = decl->keep_us;
    else if (decl->kind == MESH_STATE_INTERVAL)
        state->ttl_us = mesh_flow_interval_reach(decl);
    if (state->ttl_us > 0 && state->sessions != NULL) { /* behind its newest event, and never while it is open */
        int64_t grace_us = state->view->grace_us;
        state->ttl_us = state->view->size_us + (state->ttl_us > grace_us ? state->ttl_us : grace_us);
    }
    if (state->ttl_us > 0 && (!state->windowed || state->sessions != NULL))
        state->slice_us = state->ttl_us / SLICES > SLICE_US_MIN ? state->ttl_us / SLICES : SLICE_US_MIN;
}

static void set_view(struct mesh_flow_state *state)
{
    const struct mesh_product *product = state->task->product;
    state->view = state->decl->view;
    mesh_assert(state->view != NULL);
    state->windowed = state->view->window != MESH_WINDOW_NONE;
    if (state->view->window == MESH_WINDOW_SESSION)
        state->sessions = mesh_flow_sessions_new();
    if (state->view->changed != NULL && !state->decl->partial)
        state->old = mesh_xcalloc(2, state->view->out_size); /* old and now */
    if (state->decl->partial)
        return;
    for (uint32_t i = 0; i < product->n_ports; i++) {
        const struct mesh_port *port = &product->ports[i];
        bool sends = port->kind == MESH_PORT_KAFKA || port->kind == MESH_PORT_SSE;
        if (sends && port->emit == MESH_EMIT_EVENT)
            continue;
        if (product->views[port->view].state != state->index)
            continue;
        if (sends) {
            state->has_change |= port->emit == MESH_EMIT_CHANGE;
            state->has_close |= port->emit == MESH_EMIT_CLOSE;
        } else if (port->kind == MESH_PORT_MONGO && state->task->engine->conf.mongo) {
            state->has_docs = true;
            state->task->docs[i] = mesh_flow_docs_new(state, i);
        }
    }
}

static uint32_t partials_internal(const struct mesh_flow_state *state)
{
    const struct mesh_product *product = state->task->product;
    for (uint32_t t = 0; t < product->n_topologies; t++) {
        const struct mesh_topology *topology = &product->topologies[t];
        bool keeps = false;
        for (uint32_t i = 0; i < topology->n_states; i++)
            keeps |= topology->states[i] == state->decl->partial_of;
        for (uint32_t i = 0; keeps && i < topology->n_inputs; i++) {
            for (uint32_t k = 0; k < product->n_internals; k++) {
                if (product->internals[k].input == topology->inputs[i] &&
                    product->inputs[topology->inputs[i]].kind == MESH_INPUT_PARTIALS)
                    return k;
            }
        }
    }
    mesh_assert(false); /* a partial state without a topic that leads to its final one */
    return 0;
}

struct mesh_flow_state *mesh_flow_state_new(struct mesh_task *task, uint32_t index)
{
    struct mesh_flow_state *state = mesh_xcalloc(1, sizeof *state);
    state->task = task;
    state->index = index;
    state->decl = &task->product->states[index];
    state->next_close_us = INT64_MAX;
    state->answered_us = MESH_FLOW_NEVER;
    state->changed_row = MESH_STORE_NONE;
    if (state->decl->kind == MESH_STATE_VIEW)
        set_view(state);
    if (state->decl->partial)
        state->partial_internal = partials_internal(state);
    set_expiry(state);
    const struct mesh_flow_kind *kind = mesh_flow_kind_of(state);
    mesh_store_table_init(&state->table, kind->payload_bytes(state->decl), kind->drop, state);
    if (task->engine->conf.spill != NULL)
        mesh_store_table_spills(&state->table, task->engine->conf.spill, &task->release_us);
    struct mesh_metrics *metrics = task->engine->metrics;
    const char *what = state->decl->site.what != NULL ? state->decl->site.what : state->decl->name;
    if (state->decl->kind == MESH_STATE_VIEW)
        state->late =
            mesh_metric_counter(metrics, "mesh_late_total", "Records refused because their window had closed", "step", what, NULL);
    if (state->decl->kind == MESH_STATE_DEDUPE)
        state->duplicates =
            mesh_metric_counter(metrics, "mesh_duplicates_total", "Records dropped by a dedupe step", "step", what, NULL);
    return state;
}

void mesh_flow_state_free(struct mesh_flow_state *state)
{
    if (state == NULL)
        return;
    mesh_flow_sessions_free(state->sessions);
    state->sessions = NULL;
    mesh_store_table_deinit(&state->table);
    mesh_vec_deinit(&state->dirty);
    mesh_vec_deinit(&state->cuts);
    mesh_buf_deinit(&state->deltas);
    free(state->old);
    free(state->timers);
    free(state);
}

struct mesh_flow_state *mesh_flow_state_at(struct mesh_task *task, uint32_t index)
{
    mesh_assert(index < task->product->n_states && task->states[index] != NULL);
    return task->states[index];
}

int64_t mesh_flow_state_bucket(const struct mesh_flow_state *state, int64_t window, int64_t newest_us)
{
    if (state->windowed && state->sessions == NULL)
        return window;
    return state->slice_us == 0 ? 0 : mesh_flow_floor(newest_us, state->slice_us);
}

/* newest + ttl < at, without overflow */
static bool older(int64_t newest_us, int64_t ttl_us, int64_t at_us)
{
    return at_us > INT64_MIN + ttl_us && newest_us < at_us - ttl_us;
}

bool mesh_flow_state_expired(const struct mesh_flow_state *state, int64_t newest_us)
{
    return state->slice_us != 0 && !state->windowed && older(newest_us, state->ttl_us, state->task->release_us);
}

void mesh_flow_state_touch(struct mesh_flow_state *state, struct mesh_store_row *row)
{
    if ((row->flags & MESH_STORE_DIRTY) != 0)
        return;
    row->flags |= MESH_STORE_DIRTY;
    *mesh_vec_push(&state->dirty) = row->index;
}

void mesh_flow_state_delta(struct mesh_flow_state *state, enum mesh_flow_op op)
{
    size_t last = state->cuts.n == 0 ? 0 : state->cuts.v[state->cuts.n - 1];
    if (state->deltas.n - last >= MESH_FLOW_CHUNK_BYTES)
        *mesh_vec_push(&state->cuts) = state->deltas.n;
    mesh_buf_u8(&state->deltas, (uint8_t)op);
    mesh_buf_varint(&state->deltas, state->index);
}

void mesh_flow_state_remove(struct mesh_flow_state *state, struct mesh_store_row *row)
{
    mesh_flow_state_delta(state, MESH_FLOW_OP_REMOVE);
    mesh_buf_zigzag(&state->deltas, row->window);
    mesh_buf_slice(&state->deltas, (struct mesh_str){(const char *)mesh_store_row_key(row), row->key_n});
    mesh_store_table_remove(&state->table, row);
}

void mesh_flow_state_drop_expired(struct mesh_flow_state *state)
{
    if (state->ttl_us <= 0 || state->table.count == 0 || state->decl->partial)
        return;
    int64_t at = state->task->discard_us;
    /* A whole bucket is over when its newest possible row is. */
    bool by_window = state->slice_us == 0;
    int64_t span = by_window ? mesh_flow_window_longest(state->view) : state->slice_us;
    if (at <= INT64_MIN + state->ttl_us + span)
        return;
    mesh_store_table_drop_below(&state->table, at - state->ttl_us - span + (by_window ? 1 : 0));
}

size_t mesh_flow_state_bytes(const struct mesh_flow_state *state)
{
    return state->table.bytes + state->owned_bytes + (state->sessions == NULL ? 0 : mesh_flow_sessions_bytes(state->sessions));
}

void mesh_flow_state_reset(struct mesh_flow_state *state, struct mesh_store_row *row)
{
    void *payload = mesh_store_row_payload(row);
    if (state->table.drop != NULL)
        state->table.drop(state, payload);
    memset(payload, 0, state->table.payload_bytes);
}
