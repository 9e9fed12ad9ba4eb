/* Rounds keep the log short without ever stopping: once it is long compared with the state, everything that was not written since is
 * written again, a slice with each commit, walking rows by index. When the walk is through, the log from the round's first commit on
 * holds the whole state, and what lies before it can go. */
#include "flow/state.h"

uint64_t mesh_flow_state_bytes_all(const struct mesh_engine *engine)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < engine->n_tasks; i++)
        for (uint32_t s = 0; s < engine->product->n_states; s++)
            if (engine->tasks[i]->states[s] != NULL)
                bytes += mesh_flow_state_bytes(engine->tasks[i]->states[s]);
    return bytes;
}

/* About what a round will write: rows that are there, not the memory around them. */
static uint64_t live_bytes(const struct mesh_engine *engine)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < engine->n_tasks; i++) {
        bytes += mesh_flow_rings_bytes(engine->tasks[i]);
        for (uint32_t s = 0; s < engine->product->n_states; s++) {
            const struct mesh_flow_state *state = engine->tasks[i]->states[s];
            if (state != NULL && !state->decl->partial)
                bytes += state->table.count * state->table.payload_bytes + state->owned_bytes;
        }
    }
    return bytes;
}

bool mesh_engine_round_begin(struct mesh_engine *engine, uint64_t log_bytes)
{
    if (engine->round_active || engine->in_flight || engine->round_done || !engine->claimed)
        return false;
    uint64_t since = engine->log_bytes < log_bytes ? engine->log_bytes : log_bytes;
    uint64_t state = 2 * live_bytes(engine);
    if (!engine->round_wanted && since <= (engine->conf.round_log_bytes > state ? engine->conf.round_log_bytes : state))
        return false;
    engine->round_hurry = engine->round_wanted;
    engine->round_wanted = false;
    engine->round = engine->round == UINT8_MAX ? 1 : (uint8_t)(engine->round + 1);
    engine->round_active = engine->round_claim = true;
    engine->round_swept = false;
    for (uint32_t i = 0; i < engine->n_tasks; i++) {
        struct mesh_task *task = engine->tasks[i];
        task->carry = true;
        for (uint32_t s = 0; s < engine->product->n_states; s++) {
            struct mesh_flow_state *state_at = task->states[s];
            if (state_at == NULL)
                continue;
            state_at->sweep = 0;
            state_at->sweep_end = state_at->decl->partial ? 0 : state_at->table.n_rows;
        }
    }
    return true;
}

void mesh_engine_round_want(struct mesh_engine *engine)
{
    engine->round_wanted = true;
}

bool mesh_flow_swept(const struct mesh_task *task)
{
    if (task->carry)
        return false;
    for (uint32_t s = 0; s < task->product->n_states; s++) {
        const struct mesh_flow_state *state = task->states[s];
        if (state != NULL && state->sweep < state->sweep_end && state->sweep < state->table.n_rows)
            return false;
    }
    return true;
}

void mesh_flow_sweep(struct mesh_flow_writer *writer, uint64_t bytes_min)
{
    struct mesh_task *task = writer->task;
    uint64_t until = mesh_flow_writer_bytes(writer) + bytes_min;
    for (uint32_t s = 0; s < task->product->n_states; s++) {
        struct mesh_flow_state *state = task->states[s];
        for (; state != NULL && state->sweep < state->sweep_end && state->sweep < state->table.n_rows; state->sweep++) {
            if (mesh_flow_writer_bytes(writer) >= until)
                return;
            struct mesh_store_row *row = mesh_store_table_row(&state->table, state->sweep);
            if ((row->flags & MESH_STORE_LIVE) != 0 && row->round != task->engine->round)
                mesh_flow_write_row(writer, state, row);
        }
    }
}

void mesh_flow_round_check(struct mesh_engine *engine)
{
    if (!engine->round_active)
        return;
    bool swept = true;
    for (uint32_t i = 0; swept && i < engine->n_tasks; i++)
        swept = mesh_flow_swept(engine->tasks[i]);
    engine->round_swept = swept;
}

bool mesh_engine_round_done(struct mesh_engine *engine)
{
    bool done = engine->round_done;
    engine->round_done = false;
    return done;
}
