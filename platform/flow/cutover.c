/* See cutover.h. Stopping is a limit of each source: INT64_MAX when there is none. */
#include "flow/cutover.h"

#include "base/hash.h"
#include "flow/cutover_int.h"
#include "flow/state.h"

#include <stdlib.h>

static bool is_external(const struct mesh_flow_source *source)
{
    return source->decl->kind != MESH_INPUT_RECORDS && source->decl->kind != MESH_INPUT_PARTIALS;
}

/* ---- where to stop ---- */
void mesh_engine_hold(struct mesh_engine *engine)
{
    for (uint32_t i = 0; i < engine->n_sources; i++) {
        struct mesh_flow_source *source = engine->sources[i];
        if (is_external(source) && source->limit == INT64_MAX)
            source->limit = source->position < 0 ? 0 : source->position;
    }
}

void mesh_engine_resume(struct mesh_engine *engine)
{
    for (uint32_t i = 0; i < engine->n_sources; i++)
        engine->sources[i]->limit = INT64_MAX;
}

bool mesh_engine_stop_at(struct mesh_engine *engine, const char *topic, int32_t partition, int64_t offset)
{
    bool found = false;
    for (uint32_t i = 0; i < engine->n_sources; i++) {
        struct mesh_flow_source *source = engine->sources[i];
        if (!is_external(source) || source->partition != partition || strcmp(source->decl->topic, topic) != 0)
            continue;
        source->limit = offset;
        found = true;
    }
    return found;
}

bool mesh_engine_reached(const struct mesh_engine *engine)
{
    for (uint32_t i = 0; i < engine->n_sources; i++) {
        const struct mesh_flow_source *source = engine->sources[i];
        if (source->limit != INT64_MAX && source->position < source->limit && source->limit > 0)
            return false;
    }
    return true;
}

bool mesh_engine_begin_at(struct mesh_engine *engine, const char *topic, int32_t partition, int64_t offset)
{
    bool found = false;
    for (uint32_t i = 0; i < engine->n_sources; i++) {
        struct mesh_flow_source *source = engine->sources[i];
        if (!is_external(source) || source->partition != partition || strcmp(source->decl->topic, topic) != 0)
            continue;
        if (source->position < 0)
            source->position = offset;
        found = true;
    }
    return found;
}

/* ---- nothing is on its way ---- */
static const struct mesh_flow_lane *reader_of(const struct mesh_engine *engine, uint32_t internal, int32_t partition,
                                              const struct mesh_task *sender)
{
    uint32_t input = engine->product->internals[internal].input;
    for (uint32_t i = 0; i < engine->n_sources; i++) {
        const struct mesh_flow_source *source = engine->sources[i];
        if (source->input != input || source->partition != partition)
            continue;
        for (uint32_t k = 0; k < source->n_lanes; k++)
            if (source->lanes[k].from_topology == sender->topology && source->lanes[k].from_partition == sender->partition)
                return &source->lanes[k];
    }
    return NULL;
}

/* By the numbers that were given and taken: what the broker says of its ends may be older than what was just sent. */
static bool all_read_again(const struct mesh_engine *engine, const struct mesh_task *task)
{
    for (uint32_t i = 0; i < engine->product->n_internals; i++) {
        uint32_t dest = mesh_engine_dest_internal(engine->product, i);
        for (int32_t p = 0; p < engine->dest_partitions[dest]; p++) {
            uint64_t sent = task->sequences[engine->dest_first[dest] + (uint32_t)p];
            const struct mesh_flow_lane *lane = sent == 0 ? NULL : reader_of(engine, i, p, task);
            if (lane != NULL && lane->sequence < sent)
                return false;
        }
    }
    return true;
}

bool mesh_engine_quiet(const struct mesh_engine *engine)
{
    if (engine->in_flight || engine->unlogged_letters > 0 || engine->dirty_since_us != INT64_MAX || engine->documents > 0)
        return false;
    for (uint32_t i = 0; i < engine->n_tasks; i++) {
        const struct mesh_task *task = engine->tasks[i];
        if (task->dirty || task->outbox.chain.live > 0 || !all_read_again(engine, task))
            return false;
    }
    return true;
}

/* ---- time ---- */
static const char *name_of(const struct mesh_task *task)
{
    return task->product->inputs[task->product->topologies[task->topology].inputs[0]].name;
}

uint32_t mesh_engine_n_marks(const struct mesh_engine *engine)
{
    return engine->n_tasks;
}

void mesh_engine_mark(const struct mesh_engine *engine, uint32_t i, struct mesh_engine_mark *ret)
{
    const struct mesh_task *task = engine->tasks[i];
    *ret = (struct mesh_engine_mark){name_of(task), task->partition, task->wm_us, MESH_FLOW_NEVER, task->all_idle};
    if (task->ordered)
        ret->released_us = task->released_us;
}

static void reach(struct mesh_task *task, const struct mesh_engine_mark *mark)
{
    int64_t wm_us = mark->wm_us;
    if (task->ordered && task->sole == NULL && mark->released_us != MESH_FLOW_NEVER && mark->released_us + 1 > wm_us)
        wm_us = mark->released_us + 1; /* idle sources let go what lay ahead of time: a log says what was let go by time alone */
    if (task->sole != NULL && mark->released_us != MESH_FLOW_NEVER)
        task->floor_us = mark->released_us + 1;
    bool moves = wm_us > task->wm_us;
    if (moves)
        task->wm_us = wm_us;
    if (moves || (task->ordered && mesh_flow_first_held(task) < task->floor_us) || mark->idle)
        mesh_flow_mark_dirty(task);
    bool was_idle = task->all_idle;
    mesh_flow_settle(task);
    if (mark->idle && !was_idle)
        mesh_flow_intervals_idle(task);
}

bool mesh_engine_reach(struct mesh_engine *engine, const struct mesh_engine_mark *mark)
{
    for (uint32_t i = 0; i < engine->n_tasks; i++) {
        if (engine->tasks[i]->partition != mark->partition || strcmp(name_of(engine->tasks[i]), mark->topology) != 0)
            continue;
        reach(engine->tasks[i], mark);
        return true;
    }
    return false;
}

/* ---- voices ---- */
void mesh_flow_succeeds_write(const struct mesh_engine *engine, struct mesh_buf *out)
{
    mesh_buf_varint(out, engine->conf.n_succeeds);
    for (uint32_t i = 0; i < engine->conf.n_succeeds; i++)
        mesh_buf_varint(out, engine->conf.succeeds[i]);
}

bool mesh_flow_succeeds(struct mesh_str header, uint64_t generation)
{
    struct mesh_cursor in = mesh_cursor_of(header.p, header.n);
    uint64_t n = mesh_get_varint(&in);
    bool found = false;
    for (uint64_t i = 0; i < n && !in.bad; i++)
        found |= mesh_get_varint(&in) == generation && !in.bad;
    return found;
}

/* ---- ports that send changes ---- */
int mesh_engine_known_order(const void *a, const void *b)
{
    const struct mesh_engine_known *x = a;
    const struct mesh_engine_known *y = b;
    uint32_t n = x->key.n < y->key.n ? x->key.n : y->key.n;
    int order = n == 0 ? 0 : memcmp(x->key.p, y->key.p, n);
    return order != 0 ? order : (x->key.n > y->key.n) - (x->key.n < y->key.n);
}

static uint64_t announce_rows(struct mesh_flow_state *state, uint32_t port, struct mesh_engine_known *known, size_t n)
{
    struct mesh_buf value = MESH_BUF_NULL;
    uint64_t sent = 0;
    void *out = mesh_xcalloc(1, state->view->out_size);
    for (size_t b = state->table.first_bucket; b < state->table.n_buckets; b++) {
        uint32_t i = state->table.buckets[b].head;
        while (i != MESH_STORE_NONE) {
            struct mesh_store_row *row = mesh_store_table_row(&state->table, i);
            i = row->next;
            mesh_arena_reset(&state->task->scratch);
            struct mesh_engine_known own = {0};
            if (!mesh_flow_view_message(state, port, row, out, &own.key, &value))
                continue; /* withheld: nothing of it may stand there */
            own.value = mesh_hash64(value.p, value.n);
            struct mesh_engine_known *found = n == 0 ? NULL : bsearch(&own, known, n, sizeof own, mesh_engine_known_order);
            if (found != NULL)
                found->seen = true;
            if (found == NULL || found->value != own.value) {
                mesh_flow_view_send(state, port, row, out);
                sent++;
            }
        }
    }
    mesh_arena_reset(&state->task->scratch);
    free(out);
    mesh_buf_deinit(&value);
    return sent;
}

uint64_t mesh_engine_announce(struct mesh_engine *engine, uint32_t port, struct mesh_engine_known *known, size_t n)
{
    const struct mesh_port *decl = &engine->product->ports[port];
    if (decl->kind != MESH_PORT_KAFKA || decl->emit != MESH_EMIT_CHANGE ||
        engine->product->views[decl->view].window != MESH_WINDOW_NONE)
        return 0;
    uint64_t sent = 0;
    struct mesh_task *owner = NULL;
    for (uint32_t t = 0; t < engine->n_tasks; t++) {
        struct mesh_flow_state *state = engine->tasks[t]->states[engine->product->views[decl->view].state];
        if (state == NULL)
            continue;
        owner = owner == NULL ? engine->tasks[t] : owner;
        sent += announce_rows(state, port, known, n);
    }
    for (size_t i = 0; owner != NULL && i < n; i++) {
        if (known[i].seen)
            continue;
        int32_t partition = mesh_hash_partition(known[i].key.p, known[i].key.n, engine->dest_partitions[port]);
        int64_t time_us = owner->release_us == MESH_FLOW_NEVER ? engine->now_us : owner->release_us;
        mesh_flow_outbox_add(owner, port, partition, known[i].key, (struct mesh_str){0}, (struct mesh_str){0}, NULL, 0, time_us);
        sent++;
    }
    return sent;
}
