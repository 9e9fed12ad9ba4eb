/* Reading the log back. Chunks are kept until their END proves the commit whole and of the newest claim; then its operations are
 * applied, in order, with the same code that made the rows. What follows from time (expired rows, released records) is not in the log
 * and is done after each commit by its marks. */
#include "flow/state.h"

#include "base/hash.h"
#include "store/image.h"

#include <stdlib.h>

#define CHECKSUM_FACTOR UINT64_C(0x9e3779b97f4a7c15)

struct mesh_flow_pending_commit {
    struct mesh_task *task;
    uint64_t n;
    struct mesh_buf ops;   /* of all chunks */
    MESH_VEC(size_t) ends; /* of each chunk in ops */
    bool *seen;            /* per task: a commit was applied */
};

static int corrupt(struct mesh_err *err, const char *what)
{
    return mesh_err_set(
        err, MESH_ERR_FATAL, "state.corrupt",
        "the commit log holds %s that cannot be read. Nothing was changed. Restore the state directory from a copy, or "
        "move it away and start anew from the topics",
        what);
}

/* Chunks without their END are what a crash left of a commit. */
static void drop_pending(struct mesh_flow_pending_commit *pending)
{
    pending->task = NULL;
    mesh_buf_reset(&pending->ops);
    pending->ends.n = 0;
}

/* ---- CLAIM ---- */
static int read_claim(struct mesh_engine *engine, struct mesh_cursor *in, struct mesh_err *err)
{
    drop_pending(engine->pending); /* the next commit of that task has the number of the one that was torn */
    uint64_t format = mesh_get_varint(in);
    if (format < MESH_FLOW_LOG_OLDEST || format > MESH_FLOW_LOG_FORMAT)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.format", "the commit log has format %llu, this program reads %d to %d",
                            (unsigned long long)format, MESH_FLOW_LOG_OLDEST, MESH_FLOW_LOG_FORMAT);
    engine->log_format = format;
    struct mesh_str product = mesh_get_slice(in);
    struct mesh_str hash = mesh_get_slice(in);
    uint64_t epoch = mesh_get_varint(in);
    uint64_t generation = mesh_get_varint(in);
    struct mesh_str claim = mesh_get_slice(in);
    uint64_t n = mesh_get_varint(in);
    if (in->bad)
        return corrupt(err, "a claim");
    if (!mesh_str_eq(product, mesh_str_of(engine->product_name)) || !mesh_str_eq(hash, mesh_str_of(engine->product->state_hash)) ||
        n != engine->product->n_topologies)
        return mesh_err_set(
            err, MESH_ERR_FATAL, "state.shape",
            "the state was written by %.*s with another shape of state (%.*s, now %s): its states or topologies "
            "changed. Deploy the declaration that wrote it, and run this one beside it from history until it can take over (meshctl replay; "
            "docs/OPERATIONS.md, \"A new version\"), or begin anew with MESH_STATE_RESET=1, which sets the old state aside",
            (int)product.n, product.p, (int)hash.n, hash.p, engine->product->state_hash);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t partitions = mesh_get_varint(in);
        if (!in->bad && partitions != (uint64_t)engine->topology_partitions[i])
            return mesh_err_set(
                err, MESH_ERR_FATAL, "state.partitions",
                "the state of topology %s was written for %llu partitions, its topics have %d now: keys lie elsewhere. "
                "Begin anew with MESH_STATE_RESET=1",
                engine->product->topologies[i].name, (unsigned long long)partitions, (int)engine->topology_partitions[i]);
    }
    engine->logged.n = 0;
    if (in->bad || (format >= 6 && !mesh_flow_dests_read(engine, in)))
        return corrupt(err, "a claim");
    if (epoch >= engine->newest_epoch)
        engine->newest_epoch = epoch;
    engine->epoch = epoch;
    engine->generation = generation;
    mesh_flow_add_claim(engine, claim);
    engine->shape_seen = true;
    return 0;
}

/* ---- operations ---- */
static struct mesh_flow_state *state_of(struct mesh_task *task, struct mesh_cursor *in)
{
    uint64_t index = mesh_get_varint(in);
    return in->bad || index >= task->product->n_states ? NULL : task->states[index];
}

static bool op_remove(struct mesh_task *task, struct mesh_cursor *in)
{
    struct mesh_flow_state *state = state_of(task, in);
    int64_t window = mesh_get_zigzag(in);
    struct mesh_str key = mesh_get_slice(in);
    if (state == NULL || in->bad)
        return false;
    struct mesh_store_row *row = mesh_store_table_find(&state->table, window, key.p, key.n);
    if (row != NULL)
        mesh_store_table_remove(&state->table, row);
    for (uint32_t p = 0; state->has_docs && p < task->product->n_ports; p++)
        if (task->docs[p] != NULL && task->product->views[task->product->ports[p].view].state == state->index)
            mesh_flow_docs_put(task->docs[p], window, key.p, key.n, task->n, true, (struct mesh_str){0});
    return true;
}

static bool op_image(struct mesh_task *task, struct mesh_cursor *in)
{
    struct mesh_flow_state *state = state_of(task, in);
    int64_t window = mesh_get_zigzag(in);
    struct mesh_str key = mesh_get_slice(in);
    if (state == NULL || in->bad || key.n > MESH_KEY_BYTES_MAX)
        return false;
    bool is_new = false;
    struct mesh_store_row *row = mesh_store_table_make(&state->table, window, key.p, key.n, window, &is_new);
    if (!is_new)
        mesh_flow_state_reset(state, row);
    const struct mesh_flow_kind *kind = mesh_flow_kind_of(state);
    bool ok = kind->read(state, row, in);
    int64_t newest = ok && kind->newest != NULL ? kind->newest(state, row) : 0;
    mesh_store_table_move(&state->table, row, mesh_flow_state_bucket(state, window, newest));
    return ok;
}

static bool op_delta(struct mesh_task *task, struct mesh_cursor *in)
{
    struct mesh_flow_state *state = state_of(task, in);
    return state != NULL && mesh_flow_kind_of(state)->apply != NULL && mesh_flow_kind_of(state)->apply(state, in);
}

/* The service may have been built with more versions since, in another order. */
static bool version_of_id(const struct mesh_input *decl, uint64_t id, uint32_t *ret)
{
    *ret = (uint32_t)id;
    if (id == MESH_FLOW_REMOVED || id == MESH_FLOW_ERASED)
        return true;
    for (uint32_t i = 0; i == 0 || i < decl->n_contracts; i++) {
        *ret = i;
        if (mesh_flow_contract_id(decl, i) == id)
            return true;
    }
    return false;
}

static bool op_held(struct mesh_task *task, struct mesh_cursor *in)
{
    uint64_t index = mesh_get_varint(in);
    uint64_t serial = mesh_get_varint(in);
    int64_t place = mesh_get_zigzag(in);
    struct mesh_event event = {.offset = mesh_get_zigzag(in)};
    event.time_us = mesh_get_zigzag(in);
    event.source_wm_us = mesh_get_zigzag(in);
    event.kafka_time_us = mesh_get_zigzag(in);
    uint64_t contract_id = mesh_get_varint(in);
    uint64_t datum_at = mesh_get_varint(in);
    uint64_t datum_n = mesh_get_varint(in);
    bool has_key = mesh_get_u8(in) != 0;
    event.key = mesh_get_slice(in);
    if (has_key && event.key.p == NULL)
        event.key.p = "";
    if (!has_key)
        event.key.p = NULL;
    event.value = mesh_get_slice(in);
    if (in->bad || index >= task->n_lanes || datum_at > event.value.n || datum_n > event.value.n - datum_at)
        return false;
    struct mesh_flow_lane *lane = task->lanes[index];
    if (serial < mesh_store_chain_next(&lane->chain))
        return true; /* a round repeats what is already here */
    mesh_store_chain_skip(&lane->chain, serial);
    const struct mesh_input *decl = lane->source->decl;
    uint32_t version = 0;
    if (!version_of_id(decl, contract_id & ~MESH_FLOW_TRANSLATED, &version))
        return false;
    struct mesh_flow_held *held = mesh_flow_hold(task, lane, &event, place, version == MESH_FLOW_REMOVED ? 0 : decl->record_size);
    held->version = version;
    held->datum_at = (uint32_t)datum_at;
    held->datum_n = (uint32_t)datum_n;
    if ((contract_id & MESH_FLOW_TRANSLATED) != 0)
        held->original_n = held->datum_at;
    if (version == MESH_FLOW_REMOVED)
        return lane->table && decl->removed != NULL;
    if (version == MESH_FLOW_ERASED) {
        memset(held->record, 0, decl->record_size);
        return true;
    }
    struct mesh_str datum = {held->value.p + datum_at, (uint32_t)datum_n};
    return mesh_flow_decode(decl, version, datum, held->record) == 0;
}

static bool op_gone_doc(struct mesh_task *task, struct mesh_cursor *in)
{
    uint32_t port = mesh_flow_dest_now(task->engine, (uint32_t)mesh_get_varint(in));
    int64_t window = mesh_get_zigzag(in);
    struct mesh_str key = mesh_get_slice(in);
    uint64_t n = mesh_get_varint(in);
    if (in->bad || port == UINT32_MAX)
        return false;
    if (port < task->product->n_ports && task->docs[port] != NULL) /* otherwise it is no mongo port any more */
        mesh_flow_docs_put(task->docs[port], window, key.p, key.n, n, true, (struct mesh_str){0});
    return true;
}

static bool apply_ops(struct mesh_task *task, struct mesh_str ops)
{
    struct mesh_cursor in = mesh_cursor_of(ops.p, ops.n);
    while (in.p < in.end) {
        bool ok = false;
        switch (mesh_get_u8(&in)) {
        case MESH_FLOW_OP_REMOVE:
            ok = op_remove(task, &in);
            break;
        case MESH_FLOW_OP_IMAGE:
            ok = op_image(task, &in);
            break;
        case MESH_FLOW_OP_DELTA:
            ok = op_delta(task, &in);
            break;
        case MESH_FLOW_OP_HELD:
            ok = op_held(task, &in);
            break;
        case MESH_FLOW_OP_LETTER:
            ok = mesh_flow_outbox_restore(task, &in);
            break;
        case MESH_FLOW_OP_GONE_DOC:
            ok = op_gone_doc(task, &in);
            break;
        case MESH_FLOW_OP_TOLD:
            ok = mesh_flow_ring_restore(task, &in);
            break;
        case MESH_FLOW_OP_TOLD_NEXT:
            ok = mesh_flow_ring_restore_next(task, &in);
            break;
        case MESH_FLOW_OP_TOLD_GONE:
            ok = mesh_flow_ring_restore_gone(task, &in);
            break;
        default:
            break;
        }
        if (!ok || in.bad)
            return false;
    }
    return true;
}

/* ---- END ---- */
static bool read_source(struct mesh_flow_source *source, struct mesh_cursor *in)
{
    if (mesh_get_varint(in) != source->input || mesh_get_varint(in) != (uint32_t)source->partition)
        return false;
    source->position = mesh_get_zigzag(in);
    source->trimmed = mesh_get_varint(in);
    if (mesh_get_varint(in) != source->n_lanes)
        return false;
    for (uint32_t i = 0; i < source->n_lanes; i++) {
        struct mesh_flow_lane *lane = &source->lanes[i];
        lane->wm_us = mesh_get_zigzag(in);
        uint8_t flags = mesh_get_u8(in);
        lane->heard = (flags & 1) != 0;
        lane->idle = (flags & 2) != 0;
        lane->resync = (flags & 4) != 0;
        lane->sequence = mesh_get_varint(in);
        lane->drained = mesh_get_varint(in);
        mesh_store_chain_skip(&lane->chain, mesh_get_varint(in));
        lane->logged = mesh_store_chain_next(&lane->chain);
    }
    uint64_t n = mesh_get_varint(in);
    if (in->bad || n > MESH_FLOW_UPSTREAMS_MAX)
        return false;
    source->upstreams.n = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct mesh_flow_upstream *up = mesh_vec_push(&source->upstreams);
        up->product = (uint32_t)mesh_get_varint(in);
        up->topology = (uint32_t)mesh_get_varint(in);
        up->partition = (int32_t)mesh_get_varint(in);
        up->generation = mesh_get_varint(in);
        up->sequence = mesh_get_varint(in);
        up->resync = mesh_get_u8(in) != 0;
    }
    if (source->task->engine->log_format >= 5)
        mesh_flow_budget_read(source, in);
    return !in->bad;
}

static void let_held_go(struct mesh_task *task, struct mesh_flow_lane *lane, int64_t below_us)
{
    for (struct mesh_flow_held *held = mesh_store_chain_first(&lane->chain); held != NULL;) {
        struct mesh_flow_held *next = mesh_store_chain_after(&lane->chain, held);
        if (held->order_us < below_us || mesh_store_chain_serial(held) < lane->drained)
            mesh_flow_held_free(task, lane, held);
        held = next;
    }
}

/* What the live task had let go by then. */
static void let_go(struct mesh_task *task, uint64_t lowest)
{
    int64_t below_us = task->wm_us;
    if (task->sole != NULL) { /* rows up to where the stream stands, itself included */
        let_held_go(task, task->sole, MESH_FLOW_NEVER);
        const struct mesh_flow_held *first = mesh_store_chain_first(&task->sole->chain);
        int64_t stands_us = first != NULL ? first->order_us : mesh_flow_frontier(task->sole);
        below_us = stands_us == MESH_FLOW_NEVER ? stands_us : stands_us + 1;
    }
    for (uint32_t i = 0; i < task->n_lanes; i++)
        if (task->lanes[i] != task->sole)
            let_held_go(task, task->lanes[i], below_us);
    struct mesh_flow_outbox *outbox = &task->outbox;
    for (struct mesh_flow_letter *letter = mesh_store_chain_first(&outbox->chain);
         letter != NULL && mesh_store_chain_serial(letter) < lowest;) {
        struct mesh_flow_letter *next = mesh_store_chain_after(&outbox->chain, letter);
        task->engine->outbox_bytes -= letter->bytes;
        mesh_store_chain_free(&outbox->chain, letter);
        letter = next;
    }
    size_t kept = 0;
    for (size_t i = 0; i < task->orphans.n; i++)
        if (task->orphans.v[i] >= lowest)
            task->orphans.v[kept++] = task->orphans.v[i];
    task->orphans.n = kept;
    mesh_flow_drop_expired(task);
}

static bool read_marks(struct mesh_task *task, struct mesh_cursor *in)
{
    task->wm_us = mesh_get_zigzag(in);
    task->release_us = mesh_get_zigzag(in);
    task->released_us = mesh_get_zigzag(in);
    task->closed_us = mesh_get_zigzag(in);
    task->discard_us = mesh_get_zigzag(in);
    uint8_t flags = mesh_get_u8(in);
    task->all_idle = (flags & 1) != 0;
    task->beaten = (flags & 2) != 0;
    task->beat_idle = (flags & 4) != 0;
    task->beat_undone = (flags & 8) != 0;
    task->beat_wm_us = mesh_get_zigzag(in);
    uint64_t lowest = mesh_get_varint(in);
    mesh_store_chain_skip(&task->outbox.chain, mesh_get_varint(in));
    task->docs_acked = mesh_get_varint(in);
    uint64_t n_sources = mesh_get_varint(in);
    bool begins_to_erase = n_sources + 1 == task->n_sources && mesh_flow_erases(task->product);
    if (n_sources != task->n_sources && !begins_to_erase)
        return false;
    for (uint32_t i = 0; i < n_sources; i++)
        if (!read_source(&task->sources[i], in))
            return false;
    uint64_t used = mesh_get_varint(in);
    for (uint64_t i = 0; i < used && !in->bad; i++) {
        uint64_t at = mesh_get_varint(in);
        uint64_t sequence = mesh_get_varint(in);
        bool ok = false;
        uint64_t *to = mesh_flow_dest_sequence(task, at, &ok);
        if (!ok)
            return false;
        if (to != NULL)
            *to = sequence;
    }
    if (in->bad || in->p != in->end)
        return false;
    let_go(task, lowest);
    return true;
}

static int read_end(struct mesh_engine *engine, struct mesh_cursor *in, struct mesh_err *err)
{
    struct mesh_flow_pending_commit *pending = engine->pending;
    uint64_t topology = mesh_get_varint(in);
    uint64_t partition = mesh_get_varint(in);
    uint64_t epoch = mesh_get_varint(in);
    uint64_t n = mesh_get_varint(in);
    uint64_t chunks = mesh_get_varint(in);
    uint64_t checksum = mesh_get_u64(in);
    bool round_first = mesh_get_u8(in) != 0;
    struct mesh_task *task = in->bad ? NULL : mesh_flow_task_at(engine, topology, partition);
    if (task == NULL)
        return corrupt(err, "the end of a commit");
    bool has_chunks = pending->task == task && pending->n == n;
    uint64_t have = has_chunks ? pending->ends.n : 0;
    uint64_t sum = 0;
    size_t at = 0;
    for (size_t i = 0; i < have; i++) {
        sum = sum * CHECKSUM_FACTOR + mesh_hash64(pending->ops.p + at, pending->ends.v[i] - at);
        at = pending->ends.v[i];
    }
    if (epoch != engine->epoch)
        return 0; /* of a writer that was no longer the owner */
    if (have != chunks || sum != checksum)
        return corrupt(err, "a commit whose parts do not fit its end");
    bool first = !pending->seen[task->index];
    if (first ? (n != 1 && !round_first) : n <= task->n)
        return mesh_err_set(
            err, MESH_ERR_FATAL, "state.gap",
            "the commit log of task %s/%d goes from commit %llu to %llu: a part of the log is missing. Nothing was changed. "
            "Restore the state directory from a copy, or move it away and start anew from the topics",
            engine->product->topologies[topology].name, (int)partition, (unsigned long long)task->n, (unsigned long long)n);
    if (!first && n != task->n + 1)
        return mesh_err_set(
            err, MESH_ERR_FATAL, "state.gap",
            "commit %llu of task %s/%d is missing in the commit log. Nothing was changed. Restore the state directory "
            "from a copy, or move it away and start anew from the topics",
            (unsigned long long)(task->n + 1), engine->product->topologies[topology].name, (int)partition);
    pending->seen[task->index] = true;
    task->n = n;
    if ((have > 0 && !apply_ops(task, (struct mesh_str){pending->ops.p, (uint32_t)pending->ops.n})) || !read_marks(task, in))
        return corrupt(err, "a commit");
    return 0;
}

/* ---- frames ---- */
static int read_chunk(struct mesh_engine *engine, struct mesh_cursor *in, struct mesh_err *err)
{
    struct mesh_flow_pending_commit *pending = engine->pending;
    uint64_t topology = mesh_get_varint(in);
    uint64_t partition = mesh_get_varint(in);
    uint64_t n = mesh_get_varint(in);
    struct mesh_task *task = in->bad ? NULL : mesh_flow_task_at(engine, topology, partition);
    if (task == NULL)
        return corrupt(err, "a chunk");
    if (pending->task != task || pending->n != n) {
        drop_pending(pending);
        pending->task = task;
        pending->n = n;
    }
    mesh_buf_add(&pending->ops, in->p, (size_t)(in->end - in->p));
    *mesh_vec_push(&pending->ends) = pending->ops.n;
    return 0;
}

int mesh_engine_restore(struct mesh_engine *engine, struct mesh_str frame, struct mesh_err *err)
{
    mesh_assert(!engine->restored && !engine->claimed);
    if (engine->pending == NULL) {
        engine->pending = mesh_xcalloc(1, sizeof *engine->pending);
        engine->pending->seen = mesh_xcalloc(engine->n_tasks + 1, sizeof(bool));
        engine->restoring = true;
    }
    engine->log_bytes += frame.n;
    struct mesh_cursor in = mesh_cursor_of(frame.p, frame.n);
    uint8_t kind = mesh_get_u8(&in);
    if (kind == MESH_FLOW_FRAME_CLAIM)
        return read_claim(engine, &in, err);
    if (!engine->shape_seen)
        return corrupt(err, "a commit before any claim");
    if (kind == MESH_FLOW_FRAME_CHUNK)
        return read_chunk(engine, &in, err);
    if (kind != MESH_FLOW_FRAME_END)
        return corrupt(err, "a frame of an unknown kind");
    int r = read_end(engine, &in, err);
    drop_pending(engine->pending);
    return r;
}

void mesh_flow_pending_free(struct mesh_engine *engine)
{
    if (engine->pending == NULL)
        return;
    mesh_buf_deinit(&engine->pending->ops);
    mesh_vec_deinit(&engine->pending->ends);
    free(engine->pending->seen);
    free(engine->pending);
    engine->pending = NULL;
}

int mesh_engine_restored(struct mesh_engine *engine, struct mesh_err *err)
{
    (void)err;
    mesh_flow_pending_free(engine);
    for (uint32_t i = 0; i < engine->n_tasks; i++) {
        struct mesh_task *task = engine->tasks[i];
        task->durable_n = task->n;
        mesh_buf_reset(&task->origin); /* the generation may be another */
        for (uint32_t k = 0; k < task->n_lanes; k++) {
            struct mesh_flow_lane *lane = task->lanes[k];
            for (struct mesh_flow_held *held = mesh_store_chain_first(&lane->chain); held != NULL;
                 held = mesh_store_chain_after(&lane->chain, held))
                mesh_flow_enqueue(lane, held);
        }
        for (uint32_t k = 0; k < task->n_sources; k++)
            mesh_flow_budget_restored(&task->sources[k]);
        bool all_idle = task->all_idle;
        for (uint32_t k = 0; k < task->n_sources; k++)
            mesh_flow_source_doubt(&task->sources[k]);
        if (task->sole != NULL || all_idle)
            mesh_flow_watermark(task);
        for (uint32_t s = 0; s < engine->product->n_states; s++)
            if (task->states[s] != NULL && mesh_flow_kind_of(task->states[s])->restored != NULL)
                mesh_flow_kind_of(task->states[s])->restored(task->states[s]);
        task->docs_acked = engine->conf.documents_again ? 0 : task->docs_acked;
        mesh_flow_docs_restored(task);
        mesh_metric_add(engine->m_orphans, task->orphans.n);
        task->orphans.n = 0;
    }
    mesh_flow_erasures_restored(engine);
    engine->restoring = false;
    engine->restored = true;
    mesh_engine_resend(engine);
    mesh_flow_publish(engine);
    return 0;
}

void mesh_engine_claim(struct mesh_engine *engine, struct mesh_buf *ret_frames)
{
    mesh_assert(!engine->claimed);
    engine->epoch = engine->newest_epoch + 1;
    mesh_flow_add_claim(engine, mesh_str_of(engine->claim));
    engine->claimed = true;
    engine->restored = true;
    size_t before = ret_frames->n;
    mesh_flow_write_claim(engine, ret_frames);
    engine->log_bytes += ret_frames->n - before;
}
