/* Partial aggregates on their way to the task that owns the key, and the heartbeats that carry time along.
 *
 * A partial says what the upstream task folded since its last commit; the watermark it carries is the one of the commit before, because
 * what it holds lies behind that. The heartbeat behind all partials of the commit then carries the new one: so downstream no window
 * closes before everything that belongs in it is there. */
#include "flow/state.h"

#include "base/hash.h"
#include "store/image.h"

void mesh_flow_partials_emit(struct mesh_flow_state *state)
{
    struct mesh_task *task = state->task;
    struct mesh_store_table *table = &state->table;
    uint32_t internal = state->partial_internal;
    int32_t partitions = task->engine->dest_partitions[mesh_engine_dest_internal(task->product, internal)];
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf payload = MESH_BUF_NULL;
    for (uint32_t i = 0; i < table->n_rows; i++) {
        struct mesh_store_row *row = mesh_store_table_row(table, i);
        if ((row->flags & MESH_STORE_LIVE) == 0)
            continue;
        const struct mesh_flow_view_row *head = mesh_store_row_payload(row);
        struct mesh_str key = {(const char *)mesh_store_row_key(row), row->key_n};
        mesh_buf_reset(&payload);
        mesh_buf_varint(&payload, state->decl->partial_of);
        mesh_buf_zigzag(&payload, row->window);
        mesh_buf_slice(&payload, key);
        mesh_buf_varint(&payload, (uint64_t)head->revision);
        mesh_buf_zigzag(&payload, head->time_us);
        mesh_store_image_write(&payload, state->decl->fields, state->decl->n_fields, mesh_flow_view_data(row));
        mesh_flow_outbox_internal(task, internal, mesh_hash_partition(key.p, key.n, partitions), key, MESH_FLOW_PARTIAL,
                                  task->beat_wm_us, false, (struct mesh_str){payload.p, (uint32_t)payload.n}, head->time_us);
        mesh_flow_worked(task->engine, 1);
    }
    mesh_store_table_clear(table);
    state->dirty.n = 0;
    state->cuts.n = 0;
    mesh_buf_reset(&state->deltas);
}

bool mesh_flow_partial_apply(struct mesh_task *task, struct mesh_flow_lane *lane, const struct mesh_event *event,
                             struct mesh_str payload)
{
    (void)lane;
    struct mesh_cursor in = mesh_cursor_of(payload.p, payload.n);
    uint64_t index = mesh_get_varint(&in);
    int64_t window = mesh_get_zigzag(&in);
    struct mesh_str key = mesh_get_slice(&in);
    uint64_t folded = mesh_get_varint(&in);
    int64_t time = mesh_get_zigzag(&in);
    if (in.bad || index >= task->product->n_states || task->states[index] == NULL || key.n > MESH_KEY_BYTES_MAX)
        return false;
    struct mesh_flow_state *state = task->states[index];
    if (state->view == NULL || state->view->merge == NULL || (!state->windowed && window != 0))
        return false;
    void *from = mesh_arena_alloc(&task->scratch, state->decl->row_size + 1);
    mesh_store_image_read(&in, state->decl->fields, state->decl->n_fields, from);
    bool ok = !in.bad && in.p == in.end;
    if (ok && mesh_flow_key_erased(state, key, time)) {
        mesh_metric_add(task->engine->m_erased, 1);
    } else if (ok) {
        struct mesh_event at = *event;
        at.time_us = time;
        if (state->windowed && mesh_flow_window_closed(state, window, 0, task->closed_us))
            mesh_metric_add(task->engine->m_idle_late, 1);
        task->event = &at;
        struct mesh_store_row *row = mesh_flow_view_touch(state, window, key.p, key.n, time, folded);
        state->view->merge(mesh_flow_view_data(row), from);
        mesh_flow_view_notify(state, &at);
        task->event = NULL;
    }
    mesh_store_image_free(state->decl->fields, state->decl->n_fields, from);
    mesh_arena_reset(&task->scratch);
    return ok;
}

/* Idle and without any time: still worth saying, so that nobody waits for this task. */
static bool has_news(const struct mesh_task *task)
{
    if (!task->sends_internal)
        return false;
    bool idle = task->all_idle && task->n_lanes > 0;
    if (!task->beaten)
        return task->wm_us != MESH_FLOW_NEVER || idle;
    return task->wm_us > task->beat_wm_us || idle != task->beat_idle || (idle && task->beat_undone);
}

bool mesh_flow_heartbeat_owed(const struct mesh_task *task)
{
    return has_news(task);
}

void mesh_flow_heartbeats(struct mesh_task *task, int64_t now_us)
{
    struct mesh_engine *engine = task->engine;
    if (!has_news(task))
        return;
    if (task->beat_at_us != MESH_FLOW_NEVER && now_us >= task->beat_at_us &&
        now_us - task->beat_at_us < engine->conf.commit_interval_us)
        return;
    bool idle = task->all_idle && task->n_lanes > 0;
    for (uint32_t i = 0; i < task->product->n_internals; i++) {
        if (!mesh_flow_sends_to(task->product, i, task->topology))
            continue;
        int32_t partitions = engine->dest_partitions[mesh_engine_dest_internal(task->product, i)];
        for (int32_t p = 0; p < partitions; p++)
            mesh_flow_outbox_internal(task, i, p, (struct mesh_str){0}, MESH_FLOW_HEARTBEAT, task->wm_us, idle,
                                      (struct mesh_str){0}, engine->now_us);
    }
    task->beaten = true;
    task->beat_idle = idle;
    task->beat_undone = false;
    task->beat_wm_us = task->wm_us;
    task->beat_at_us = now_us;
}
