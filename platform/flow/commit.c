/* A commit: what changed in a task since the last one, as frames of the log.
 *
 *     CLAIM   'K' format | product | state hash | epoch | generation | claim | partitions of each topology
 *     CHUNK   'C' topology | partition | n | operations (mesh_flow_op)
 *     END     'E' topology | partition | epoch | n | chunks | checksum | first of a round | marks, sources, sequences
 *
 * Order within a commit: appends and removals, images of dirty rows, what waits (order buffer, messages), what a round repeats. A
 * reader applies them in this order, so an image always has the last word over a delta. */
#include "flow/state.h"

#include "base/hash.h"
#include "store/image.h"
#include "store/log.h"

#define CHECKSUM_FACTOR UINT64_C(0x9e3779b97f4a7c15)

static void task_name(const struct mesh_task *task, struct mesh_buf *out)
{
    mesh_buf_varint(out, task->topology);
    mesh_buf_varint(out, (uint32_t)task->partition);
}

static void write_claim(const struct mesh_engine *engine, const char *claim, struct mesh_buf *frames)
{
    size_t begin = mesh_store_frame_begin(frames);
    mesh_buf_u8(frames, MESH_FLOW_FRAME_CLAIM);
    mesh_buf_varint(frames, MESH_FLOW_LOG_FORMAT);
    mesh_buf_slice(frames, mesh_str_of(engine->product_name));
    mesh_buf_slice(frames, mesh_str_of(engine->product->state_hash));
    mesh_buf_varint(frames, engine->epoch);
    mesh_buf_varint(frames, engine->generation);
    mesh_buf_slice(frames, mesh_str_of(claim));
    mesh_buf_varint(frames, engine->product->n_topologies);
    for (uint32_t i = 0; i < engine->product->n_topologies; i++)
        mesh_buf_varint(frames, (uint32_t)engine->topology_partitions[i]);
    mesh_flow_dests_write(engine, frames);
    mesh_store_frame_end(frames, begin);
}

void mesh_flow_write_claim(struct mesh_engine *engine, struct mesh_buf *frames)
{
    write_claim(engine, engine->claim, frames);
}

/* At the start of a round, before which everything will be deleted: also the claims before the own one. The group may still have heard
 * of none but them. */
static void repeat_claims(const struct mesh_engine *engine, struct mesh_buf *frames)
{
    size_t n = engine->claims.n;
    for (size_t i = n > MESH_FLOW_CLAIMS_KEPT ? n - MESH_FLOW_CLAIMS_KEPT : 0; i < n; i++)
        if (strcmp(engine->claims.v[i].text, engine->claim) != 0)
            write_claim(engine, engine->claims.v[i].text, frames);
    write_claim(engine, engine->claim, frames);
}

struct mesh_buf *mesh_flow_writer_ops(struct mesh_flow_writer *writer)
{
    if (writer->ops_at == 0) {
        writer->frame_at = mesh_store_frame_begin(writer->frames);
        mesh_buf_u8(writer->frames, MESH_FLOW_FRAME_CHUNK);
        task_name(writer->task, writer->frames);
        mesh_buf_varint(writer->frames, writer->n);
        writer->ops_at = writer->frames->n;
    }
    return writer->frames;
}

static uint64_t open_bytes(const struct mesh_flow_writer *writer)
{
    return writer->ops_at == 0 ? 0 : writer->frames->n - writer->ops_at;
}

uint64_t mesh_flow_writer_bytes(const struct mesh_flow_writer *writer)
{
    return writer->bytes + open_bytes(writer);
}

static void cut_chunk(struct mesh_flow_writer *writer)
{
    uint64_t bytes = open_bytes(writer);
    if (bytes > 0) {
        mesh_store_frame_end(writer->frames, writer->frame_at);
        writer->checksum = writer->checksum * CHECKSUM_FACTOR + mesh_hash64(writer->frames->p + writer->ops_at, bytes);
        writer->chunks++;
        writer->bytes += bytes;
    } else if (writer->ops_at != 0) {
        writer->frames->n = writer->frame_at; /* opened, and then there was nothing to say */
        writer->frames->p[writer->frame_at] = '\0';
    }
    writer->ops_at = 0;
}

void mesh_flow_writer_op(struct mesh_flow_writer *writer)
{
    if (open_bytes(writer) >= MESH_FLOW_CHUNK_BYTES)
        cut_chunk(writer);
    mesh_flow_worked(writer->task->engine, 1);
}

void mesh_flow_write_row(struct mesh_flow_writer *writer, struct mesh_flow_state *state, struct mesh_store_row *row)
{
    struct mesh_buf *ops = mesh_flow_writer_ops(writer);
    mesh_buf_u8(ops, MESH_FLOW_OP_IMAGE);
    mesh_buf_varint(ops, state->index);
    mesh_buf_zigzag(ops, row->window);
    mesh_buf_slice(ops, (struct mesh_str){(const char *)mesh_store_row_key(row), row->key_n});
    mesh_flow_kind_of(state)->write(state, row, ops);
    row->round = state->task->engine->round;
    mesh_flow_writer_op(writer);
}

static void write_state(struct mesh_flow_writer *writer, struct mesh_flow_state *state)
{
    size_t at = 0;
    for (size_t i = 0; i <= state->cuts.n; i++) {
        size_t end = i < state->cuts.n ? state->cuts.v[i] : state->deltas.n;
        if (end > at) {
            mesh_buf_add(mesh_flow_writer_ops(writer), state->deltas.p + at, end - at);
            mesh_flow_writer_op(writer);
        }
        at = end;
    }
    mesh_buf_reset(&state->deltas);
    state->cuts.n = 0;
    for (size_t i = 0; i < state->dirty.n; i++) {
        struct mesh_store_row *row = mesh_store_table_row(&state->table, state->dirty.v[i]);
        if ((row->flags & MESH_STORE_DIRTY) == 0)
            continue;
        row->flags &= (uint8_t)~MESH_STORE_DIRTY;
        mesh_flow_write_row(writer, state, row);
    }
    state->dirty.n = 0;
}

static void write_held(struct mesh_flow_writer *writer, uint32_t lane, const struct mesh_flow_held *held)
{
    const struct mesh_task *task = writer->task;
    struct mesh_buf *ops = mesh_flow_writer_ops(writer);
    mesh_buf_u8(ops, MESH_FLOW_OP_HELD);
    mesh_buf_varint(ops, lane);
    mesh_buf_varint(ops, mesh_store_chain_serial(held));
    mesh_buf_zigzag(ops, held->place);
    mesh_buf_zigzag(ops, held->offset);
    mesh_buf_zigzag(ops, held->time_us);
    mesh_buf_zigzag(ops, held->source_wm_us);
    mesh_buf_zigzag(ops, held->kafka_time_us);
    mesh_buf_varint(ops, mesh_flow_contract_id(task->lanes[lane]->source->decl, held->version));
    mesh_buf_varint(ops, held->datum_at);
    mesh_buf_varint(ops, held->datum_n);
    mesh_buf_u8(ops, held->key.p != NULL);
    mesh_buf_slice(ops, held->key);
    mesh_buf_slice(ops, held->value);
    mesh_flow_writer_op(writer);
}

static void write_waiting(struct mesh_flow_writer *writer)
{
    struct mesh_task *task = writer->task;
    for (uint32_t i = 0; i < task->n_lanes; i++) {
        struct mesh_flow_lane *lane = task->lanes[i];
        uint64_t from = task->carry ? 1 : lane->logged;
        for (const void *held = mesh_store_chain_from(&lane->chain, from); held != NULL;
             held = mesh_store_chain_after(&lane->chain, held))
            write_held(writer, i, held);
        lane->logged = mesh_store_chain_next(&lane->chain);
    }
    struct mesh_flow_letter *letter = task->carry ? mesh_store_chain_first(&task->outbox.chain) : task->outbox.unlogged;
    for (; letter != NULL; letter = mesh_store_chain_after(&task->outbox.chain, letter)) {
        if (letter->n == 0)
            letter->n = task->n;
        struct mesh_buf *ops = mesh_flow_writer_ops(writer);
        mesh_buf_u8(ops, MESH_FLOW_OP_LETTER);
        mesh_flow_outbox_log(task, letter, ops);
        mesh_flow_writer_op(writer);
    }
    task->outbox.unlogged = NULL;
    for (uint32_t p = 0; task->carry && p < task->product->n_ports; p++)
        if (task->docs[p] != NULL)
            mesh_flow_docs_log_removed(task->docs[p], mesh_flow_writer_ops(writer));
    mesh_flow_rings_write(writer);
}

static void write_source(const struct mesh_flow_source *source, struct mesh_buf *out)
{
    mesh_buf_varint(out, source->input);
    mesh_buf_varint(out, (uint32_t)source->partition);
    mesh_buf_zigzag(out, source->position);
    mesh_buf_varint(out, source->trimmed);
    mesh_buf_varint(out, source->n_lanes);
    for (uint32_t i = 0; i < source->n_lanes; i++) {
        const struct mesh_flow_lane *lane = &source->lanes[i];
        mesh_buf_zigzag(out, lane->wm_us);
        mesh_buf_u8(out, (uint8_t)((lane->heard ? 1 : 0) | (lane->idle || source->was_idle ? 2 : 0) | (lane->resync ? 4 : 0)));
        mesh_buf_varint(out, lane->sequence);
        mesh_buf_varint(out, lane->drained);
        mesh_buf_varint(out, mesh_store_chain_next(&lane->chain));
    }
    mesh_buf_varint(out, source->upstreams.n);
    for (size_t i = 0; i < source->upstreams.n; i++) {
        const struct mesh_flow_upstream *up = &source->upstreams.v[i];
        mesh_buf_varint(out, up->product);
        mesh_buf_varint(out, up->topology);
        mesh_buf_varint(out, (uint32_t)up->partition);
        mesh_buf_varint(out, up->generation);
        mesh_buf_varint(out, up->sequence);
        mesh_buf_u8(out, up->resync ? 1 : 0);
    }
    mesh_flow_budget_write(source, out);
}

static void write_end(struct mesh_flow_writer *writer)
{
    struct mesh_task *task = writer->task;
    const struct mesh_engine *engine = task->engine;
    struct mesh_buf *out = writer->frames;
    size_t begin = mesh_store_frame_begin(out);
    mesh_buf_u8(out, MESH_FLOW_FRAME_END);
    task_name(task, out);
    mesh_buf_varint(out, engine->epoch);
    mesh_buf_varint(out, writer->n);
    mesh_buf_varint(out, writer->chunks);
    mesh_buf_u64(out, writer->checksum);
    mesh_buf_u8(out, task->carry ? 1 : 0);

    mesh_buf_zigzag(out, task->wm_us);
    mesh_buf_zigzag(out, task->release_us);
    mesh_buf_zigzag(out, task->released_us);
    mesh_buf_zigzag(out, task->closed_us);
    mesh_buf_zigzag(out, task->discard_us);
    mesh_buf_u8(out, (uint8_t)((task->all_idle ? 1 : 0) | (task->beaten ? 2 : 0) | (task->beat_idle ? 4 : 0) |
                               (task->beat_undone ? 8 : 0)));
    mesh_buf_zigzag(out, task->beat_wm_us);
    mesh_buf_varint(out, mesh_flow_outbox_lowest(task));
    mesh_buf_varint(out, mesh_store_chain_next(&task->outbox.chain));
    mesh_buf_varint(out, task->docs_acked);
    mesh_buf_varint(out, task->n_sources);
    for (uint32_t i = 0; i < task->n_sources; i++)
        write_source(&task->sources[i], out);
    uint32_t used = 0;
    for (uint32_t i = 0; i < engine->n_sequences; i++)
        used += task->sequences[i] != 0;
    mesh_buf_varint(out, used);
    for (uint32_t i = 0; i < engine->n_sequences; i++) {
        if (task->sequences[i] != 0) {
            mesh_buf_varint(out, i);
            mesh_buf_varint(out, task->sequences[i]);
        }
    }
    mesh_store_frame_end(out, begin);
}

static void note_documents(struct mesh_task *task)
{
    if (!task->engine->conf.mongo)
        return;
    uint64_t lowest = UINT64_MAX;
    for (uint32_t p = 0; p < task->product->n_ports; p++) {
        uint64_t n = task->docs[p] == NULL ? UINT64_MAX : mesh_flow_docs_lowest(task->docs[p]);
        lowest = n < lowest ? n : lowest;
    }
    uint64_t acked = lowest == UINT64_MAX ? task->durable_n : lowest - 1;
    task->docs_acked = acked > task->docs_acked ? acked : task->docs_acked;
}

static void commit_task(struct mesh_task *task, int64_t now_us, struct mesh_buf *frames)
{
    const struct mesh_topology *topology = &task->product->topologies[task->topology];
    struct mesh_flow_writer writer = {.task = task, .frames = frames};
    note_documents(task);
    writer.n = ++task->n;
    task->committing = true;
    for (uint32_t i = 0; i < topology->n_states; i++) {
        struct mesh_flow_state *state = task->states[topology->states[i]];
        if (state->view != NULL && !state->decl->partial)
            mesh_flow_view_emit(state);
        else if (state->decl->partial)
            mesh_flow_partials_emit(state);
    }
    mesh_flow_heartbeats(task, now_us);
    for (uint32_t i = 0; i < topology->n_states; i++)
        write_state(&writer, task->states[topology->states[i]]);
    write_waiting(&writer);
    if (task->engine->round_active && !mesh_flow_swept(task)) {
        uint64_t own = mesh_flow_writer_bytes(&writer);
        mesh_flow_sweep(&writer, own > task->engine->conf.round_sweep_bytes ? own : task->engine->conf.round_sweep_bytes);
    }
    cut_chunk(&writer);
    write_end(&writer);
    task->carry = false;
    task->dirty = task->committing = false;
    task->in_flight = true;
}

bool mesh_engine_commit_due(const struct mesh_engine *engine, int64_t now_us)
{
    if (engine->in_flight || !engine->claimed)
        return false;
    if (engine->unlogged_letters > 0 || engine->round_wanted || engine->round_hurry)
        return true;
    return engine->dirty_since_us != INT64_MAX &&
           (now_us - engine->dirty_since_us >= engine->conf.commit_interval_us || now_us < engine->dirty_since_us);
}

bool mesh_engine_commit(struct mesh_engine *engine, int64_t now_us, struct mesh_buf *ret_frames)
{
    mesh_assert(!engine->in_flight && engine->claimed);
    engine->now_us = now_us;
    bool any = engine->round_active && !engine->round_swept;
    for (uint32_t i = 0; !any && i < engine->n_tasks; i++)
        any = engine->tasks[i]->dirty || mesh_flow_heartbeat_owed(engine->tasks[i]);
    if (!any)
        return false;
    size_t before = ret_frames->n;
    if (engine->round_claim)
        repeat_claims(engine, ret_frames);
    engine->round_claim = false;
    for (uint32_t i = 0; i < engine->n_tasks; i++) {
        struct mesh_task *task = engine->tasks[i];
        if (task->dirty || task->carry || mesh_flow_heartbeat_owed(task) || (engine->round_active && !mesh_flow_swept(task)))
            commit_task(task, now_us, ret_frames);
    }
    engine->in_flight = true;
    engine->unlogged_letters = 0;
    engine->dirty_since_us = INT64_MAX;
    for (uint32_t i = 0; i < engine->n_tasks; i++)
        if (mesh_flow_heartbeat_owed(engine->tasks[i]))
            engine->dirty_since_us = now_us;
    mesh_flow_round_check(engine);
    engine->log_bytes += ret_frames->n - before;
    mesh_metric_add(engine->m_commits, 1);
    mesh_metric_add(engine->m_commit_bytes, ret_frames->n - before);
    return true;
}

void mesh_engine_durable(struct mesh_engine *engine)
{
    mesh_assert(engine->in_flight);
    for (uint32_t i = 0; i < engine->n_tasks; i++) {
        engine->tasks[i]->durable_n = engine->tasks[i]->n;
        engine->tasks[i]->in_flight = false;
    }
    engine->in_flight = false;
    if (engine->round_swept) {
        engine->round_swept = engine->round_active = engine->round_hurry = false;
        engine->round_done = true;
        engine->log_bytes = 0;
    }
    mesh_flow_publish(engine);
}
