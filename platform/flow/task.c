/* A task: its states and sources, and one record's way through the streams. */
#include "flow/state.h"

#include <stdlib.h>

/* ---- sources ---- */
static void init_source(struct mesh_task *task, struct mesh_flow_source *source, uint32_t input, int32_t partition)
{
    *source = (struct mesh_flow_source){
        .task = task,
        .decl = &task->product->inputs[input],
        .input = input,
        .partition = partition,
        .position = -1,
        .end = -1,
        .limit = INT64_MAX,
        .quiet_since_us = MESH_FLOW_NEVER,
    };
}

static uint32_t internal_of(const struct mesh_product *product, uint32_t input)
{
    for (uint32_t i = 0; i < product->n_internals; i++)
        if (product->internals[i].input == input)
            return i;
    mesh_assert(false); /* an internal input without its topic */
    return 0;
}

bool mesh_flow_sends_to(const struct mesh_product *product, uint32_t internal, uint32_t topology)
{
    const struct mesh_internal *to = &product->internals[internal];
    for (uint32_t i = 0; i < to->n_from; i++)
        if (to->from_topologies[i] == topology)
            return true;
    return false;
}

static void init_lanes(struct mesh_flow_source *source)
{
    struct mesh_task *task = source->task;
    struct mesh_engine *engine = task->engine;
    const struct mesh_product *product = task->product;
    if (source->decl->kind == MESH_INPUT_STREAM || source->decl->kind == MESH_INPUT_TABLE) {
        source->lanes = mesh_xcalloc(1, sizeof *source->lanes);
        source->n_lanes = 1;
        source->lanes[0].rank = (uint32_t)source->partition;
        source->lanes[0].table = source->decl->kind == MESH_INPUT_TABLE;
    } else if (source->decl->kind == MESH_INPUT_RETRY) {
        return; /* it has no say in time */
    } else {
        uint32_t internal = internal_of(product, source->input);
        for (uint32_t t = 0; t < product->n_topologies; t++)
            if (mesh_flow_sends_to(product, internal, t))
                source->n_lanes += (uint32_t)engine->topology_partitions[t];
        source->lanes = mesh_xcalloc(source->n_lanes + 1, sizeof *source->lanes);
        uint32_t n = 0;
        for (uint32_t t = 0; t < product->n_topologies; t++) {
            for (int32_t p = 0; mesh_flow_sends_to(product, internal, t) && p < engine->topology_partitions[t]; p++, n++) {
                source->lanes[n].rank = n;
                source->lanes[n].from_topology = t;
                source->lanes[n].from_partition = p;
            }
        }
    }
    for (uint32_t i = 0; i < source->n_lanes; i++) {
        source->lanes[i].source = source;
        source->lanes[i].input = source->input;
        source->lanes[i].wm_us = MESH_FLOW_NEVER;
        source->lanes[i].logged = 1;
    }
}

static void init_sources(struct mesh_task *task)
{
    struct mesh_engine *engine = task->engine;
    const struct mesh_topology *topology = &task->product->topologies[task->topology];
    for (uint32_t i = 0; i < topology->n_inputs; i++) {
        uint32_t input = topology->inputs[i];
        task->n_sources += task->product->inputs[input].copy_all ? (uint32_t)engine->input_partitions[input] : 1;
    }
    task->sources = mesh_xcalloc(task->n_sources + 1, sizeof *task->sources);
    uint32_t n = 0;
    for (uint32_t i = 0; i < topology->n_inputs; i++) {
        uint32_t input = topology->inputs[i];
        if (!task->product->inputs[input].copy_all) {
            init_source(task, &task->sources[n++], input, task->partition);
            continue;
        }
        for (int32_t p = 0; p < engine->input_partitions[input]; p++)
            init_source(task, &task->sources[n++], input, p);
    }
    for (uint32_t i = 0; i < n; i++) {
        init_lanes(&task->sources[i]);
        task->n_lanes += task->sources[i].n_lanes;
    }
}

static int by_place(const void *a, const void *b)
{
    const struct mesh_flow_lane *x = *(struct mesh_flow_lane *const *)a;
    const struct mesh_flow_lane *y = *(struct mesh_flow_lane *const *)b;
    return mesh_flow_lane_before(x, y) ? -1 : mesh_flow_lane_before(y, x);
}

static void init_order(struct mesh_task *task)
{
    task->lanes = mesh_xcalloc(task->n_lanes + 1, sizeof *task->lanes);
    uint32_t n = 0;
    for (uint32_t i = 0; i < task->n_sources; i++)
        for (uint32_t k = 0; k < task->sources[i].n_lanes; k++)
            task->lanes[n++] = &task->sources[i].lanes[k];
    qsort(task->lanes, n, sizeof *task->lanes, by_place);
    task->ordered = task->product->topologies[task->topology].ordered && n > 1;
    uint32_t tables = 0;
    while (tables < n && task->lanes[tables]->table)
        tables++;
    mesh_assert(tables == 0 || task->ordered || tables == n); /* who looks a row up cares for order */
    if (tables > 0 && tables + 1 == n && task->lanes[tables]->source->decl->kind == MESH_INPUT_STREAM) {
        task->sole = task->lanes[tables];
        task->sole->slack_us = task->sole->source->decl->delay_us;
    }
    task->gate_us = task->direct_us = tables == 0 ? INT64_MAX : MESH_FLOW_NEVER;
}

struct mesh_task *mesh_flow_task_new(struct mesh_engine *engine, uint32_t topology, int32_t partition, uint32_t index)
{
    const struct mesh_product *product = engine->product;
    struct mesh_task *task = mesh_xcalloc(1, sizeof *task);
    task->engine = engine;
    task->product = product;
    task->index = index;
    task->topology = topology;
    task->partition = partition;
    task->wm_us = task->release_us = task->released_us = task->closed_us = task->discard_us = task->floor_us = MESH_FLOW_NEVER;
    task->beat_wm_us = MESH_FLOW_NEVER;
    task->beat_at_us = MESH_FLOW_NEVER;
    task->next_close_us = INT64_MAX;
    task->sequences = mesh_xcalloc(engine->n_sequences + 1, sizeof *task->sequences);
    task->docs = mesh_xcalloc(product->n_ports + 1, sizeof(struct mesh_flow_docs *));
    task->rings = mesh_xcalloc(product->n_ports + 1, sizeof(struct mesh_flow_ring *));
    task->records = mesh_xmalloc((size_t)(MESH_FLOW_AHEAD + 1) * MESH_RECORD_BYTES_MAX);
    task->states = mesh_xcalloc(product->n_states + 1, sizeof *task->states);
    init_sources(task);
    init_order(task);
    const struct mesh_topology *decl = &product->topologies[topology];
    for (uint32_t i = 0; i < decl->n_states; i++)
        task->states[decl->states[i]] = mesh_flow_state_new(task, decl->states[i]);
    for (uint32_t i = 0; i < product->n_internals; i++)
        task->sends_internal |= mesh_flow_sends_to(product, i, topology);
    return task;
}

void mesh_flow_task_free(struct mesh_task *task)
{
    if (task == NULL)
        return;
    for (uint32_t i = 0; i < task->product->n_ports; i++)
        mesh_flow_docs_free(task->docs[i]);
    free(task->docs);
    mesh_flow_rings_free(task);
    for (uint32_t i = 0; i < task->product->n_states; i++)
        mesh_flow_state_free(task->states[i]);
    free(task->states);
    for (uint32_t i = 0; i < task->n_sources; i++) {
        for (uint32_t k = 0; k < task->sources[i].n_lanes; k++)
            mesh_flow_lane_deinit(&task->sources[i].lanes[k]);
        free(task->sources[i].lanes);
        mesh_vec_deinit(&task->sources[i].upstreams);
    }
    free(task->sources);
    free(task->lanes);
    free(task->sequences);
    mesh_vec_deinit(&task->orphans);
    mesh_buf_deinit(&task->origin);
    free(task->records);
    mesh_store_chain_deinit(&task->outbox.chain);
    mesh_arena_deinit(&task->scratch);
    mesh_out_deinit(&task->value);
    mesh_out_deinit(&task->key);
    mesh_flow_pseudonyms_free(task->pseudonyms);
    free(task);
}

/* ---- a record ---- */
void mesh_flow_begin(struct mesh_task *task, const struct mesh_event *event)
{
    task->event = event;
    task->late_sent = task->too_long_sent = false;
}

void mesh_flow_end(struct mesh_task *task)
{
    task->event = NULL;
    if (task->scratch.bytes_total != 0)
        mesh_arena_reset(&task->scratch);
}

void mesh_flow_apply(struct mesh_task *task, const struct mesh_flow_lane *lane, struct mesh_event *event, const void *record,
                     int64_t release_us)
{
    if (lane != NULL && release_us > task->release_us) {
        if (release_us >= task->next_close_us)
            mesh_flow_close_windows(task, release_us);
        task->release_us = release_us;
        if (release_us > task->closed_us)
            task->closed_us = release_us;
    }
    mesh_flow_begin(task, event);
    task->product->inputs[event->input].process(task, event, record);
    mesh_flow_end(task);
}

void mesh_flow_drop_expired(struct mesh_task *task)
{
    const struct mesh_topology *topology = &task->product->topologies[task->topology];
    for (uint32_t i = 0; i < topology->n_states; i++)
        mesh_flow_state_drop_expired(task->states[topology->states[i]]);
}

void mesh_flow_settle(struct mesh_task *task)
{
    if (task->ordered)
        mesh_flow_release(task);
    if (task->wm_us >= task->next_close_us)
        mesh_flow_close_windows(task, task->wm_us);
    if (task->wm_us > task->closed_us)
        task->closed_us = task->wm_us;
    if (task->all_idle)
        mesh_flow_intervals_idle(task);
    mesh_flow_drop_expired(task);
}

/* ---- scratch, for generated code ---- */
void *mesh_scratch(struct mesh_task *task, uint32_t bytes)
{
    return mesh_arena_alloc(&task->scratch, bytes);
}

struct mesh_str mesh_text_of_long(struct mesh_task *task, int64_t v)
{
    return mesh_text_long(mesh_arena_alloc(&task->scratch, 24), v);
}
