/* The engine: its tasks, which of them a record concerns, what may be read now, and what it shows of itself. */
#include "flow/state.h"

#include <stdio.h>
#include <stdlib.h>

#define PUBLISH_INTERVAL_US INT64_C(100000)

uint32_t mesh_engine_dest_internal(const struct mesh_product *product, uint32_t internal)
{
    return product->n_ports + internal;
}

uint32_t mesh_engine_dest_dlq(const struct mesh_product *product)
{
    return product->n_ports + product->n_internals;
}

uint32_t mesh_engine_dest_late(const struct mesh_product *product)
{
    return product->n_ports + product->n_internals + 1;
}

uint32_t mesh_engine_dest_receipts(const struct mesh_product *product)
{
    return product->n_ports + product->n_internals + 2;
}

uint32_t mesh_engine_n_dests(const struct mesh_product *product)
{
    return product->n_ports + product->n_internals + (product->receipts_topic == NULL ? 2 : 3);
}

/* ---- making ---- */
static int set_partitions(struct mesh_engine *engine, struct mesh_err *err)
{
    const struct mesh_product *product = engine->product;
    for (uint32_t t = 0; t < product->n_topologies; t++) {
        const struct mesh_topology *topology = &product->topologies[t];
        uint32_t first = topology->inputs[0];
        int32_t n = engine->input_partitions[first];
        if (n <= 0)
            return mesh_err_set(err, MESH_ERR_FATAL, "partitions.none", "topic %s has no partitions", product->inputs[first].topic);
        for (uint32_t i = 1; i < topology->n_inputs; i++) {
            const struct mesh_input *input = &product->inputs[topology->inputs[i]];
            int32_t other = engine->input_partitions[topology->inputs[i]];
            if (!input->copy_all && other != n)
                return mesh_err_set(
                    err, MESH_ERR_FATAL, "partitions.differ",
                    "topics %s and %s are read together by key, but have %d and %d partitions: the same key would lie in "
                    "different ones. Give them the same number",
                    product->inputs[first].topic, input->topic, (int)n, (int)other);
        }
        bool here = !engine->conf.sharded || engine->conf.shard < n;
        engine->topology_first[t] = engine->n_tasks;
        engine->topology_partitions[t] = n;
        engine->topology_tasks[t] = !here ? 0 : engine->conf.sharded ? 1 : (uint32_t)n;
        engine->n_tasks += engine->topology_tasks[t];
        engine->n_tasks_everywhere += (uint32_t)n;
    }
    return 0;
}

static void set_metrics(struct mesh_engine *engine)
{
    const struct mesh_product *product = engine->product;
    engine->metrics = engine->conf.metrics;
    if (engine->metrics == NULL)
        engine->metrics = engine->own_metrics = mesh_metrics_new();
    struct mesh_metrics *m = engine->metrics;
    engine->m_records = mesh_xcalloc(product->n_inputs + 1, sizeof *engine->m_records);
    engine->m_rejected = mesh_xcalloc((size_t)product->n_inputs * MESH_FLOW_CODE_COUNT + 1, sizeof *engine->m_rejected);
    for (uint32_t i = 0; i < product->n_inputs; i++) {
        bool internal = product->inputs[i].kind != MESH_INPUT_STREAM && product->inputs[i].kind != MESH_INPUT_TABLE;
        engine->m_records[i] =
            internal ? mesh_metric_counter(m, "mesh_internal_records_total", "Messages read from internal topics", "input",
                                           product->inputs[i].name, NULL)
                     : mesh_metric_counter(m, "mesh_records_total", "Records read", "input", product->inputs[i].name, NULL);
    }
    engine->m_state_rows = mesh_xcalloc(product->n_states + 1, sizeof *engine->m_state_rows);
    engine->m_table_bytes = mesh_xcalloc(product->n_states + 1, sizeof *engine->m_table_bytes);
    for (uint32_t i = 0; i < product->n_states; i++) {
        const char *name = product->states[i].name;
        engine->m_state_rows[i] = mesh_metric_gauge(m, "mesh_state_rows", "Rows of a state", "state", name, NULL);
        engine->m_table_bytes[i] =
            mesh_metric_gauge(m, "mesh_state_table_bytes", "Bytes of a state, of all its tasks", "state", name, NULL);
    }
    mesh_flow_consents_metrics(engine);
    engine->m_idle_late = mesh_metric_counter(
        m, "mesh_idle_late_total", "Records behind a close that an idle source allowed: corrections of what was shown", NULL);
    engine->m_table_late = mesh_metric_counter(m, "mesh_table_late_total",
                                               "Rows of a table that came behind records which would have found them", NULL);
    engine->m_commits = mesh_metric_counter(m, "mesh_commits_total", "Commits", NULL);
    engine->m_commit_bytes = mesh_metric_counter(m, "mesh_commit_bytes_total", "Bytes written to the commit log", NULL);
    engine->m_outbox = mesh_metric_gauge(m, "mesh_outbox_messages", "Messages that are not acknowledged yet", NULL);
    engine->m_held = mesh_metric_gauge(m, "mesh_order_buffer_records", "Records that wait for their turn", NULL);
    engine->m_state_bytes = mesh_metric_gauge(m, "mesh_state_bytes", "Bytes of all states", NULL);
    engine->m_out_bytes = mesh_metric_gauge(m, "mesh_state_out_bytes", "Bytes of states that are on the disk, not in memory", NULL);
    engine->m_runs_dropped =
        mesh_metric_counter(m, "mesh_pattern_runs_dropped_total", "Pattern runs dropped at the limit per key", NULL);
    engine->m_interval_dropped =
        mesh_metric_counter(m, "mesh_join_records_dropped_total", "Records of interval joins dropped at the limit per key", NULL);
    engine->m_generation_skipped =
        mesh_metric_counter(m, "mesh_other_generation_total", "Records of another generation on internal topics, skipped", NULL);
    engine->m_upstream_duplicates =
        mesh_metric_counter(m, "mesh_upstream_duplicates_total", "Messages of upstream tasks that were here before", NULL);
    engine->m_succeeded = mesh_metric_counter(m, "mesh_upstream_succeeded_total",
                                              "Upstream tasks that a new version of their product has taken over", NULL);
    engine->m_erased = mesh_metric_counter(m, "mesh_erased_records_total",
                                           "Records of people who were erased, which came afterwards and were dropped", NULL);
    engine->m_orphans = mesh_metric_counter(m, "mesh_orphan_messages_total",
                                            "Messages to a port that is not declared any more, found unsent at the start", NULL);
    engine->m_unsequenced =
        mesh_metric_counter(m, "mesh_unsequenced_total", "Messages on product inputs without the header of a known product", NULL);
}

/* The schema ids on the wire: the caller's tables need not outlive mesh_engine_new(). */
static void copy_ids(struct mesh_engine *engine, const struct mesh_engine_conf *conf)
{
    const struct mesh_product *product = conf->product;
    const uint32_t **wire = mesh_arena_alloc(&engine->conf_memory, (product->n_inputs + 1) * sizeof(const uint32_t *));
    for (uint32_t i = 0; i < product->n_inputs; i++) {
        size_t bytes = product->inputs[i].n_contracts * sizeof(uint32_t);
        uint32_t *ids = mesh_arena_alloc(&engine->conf_memory, bytes + 1);
        if (bytes > 0)
            memcpy(ids, conf->wire_ids[i], bytes);
        wire[i] = ids;
    }
    uint32_t *ports = mesh_arena_alloc(&engine->conf_memory, product->n_ports * sizeof *ports + 1);
    if (product->n_ports > 0)
        memcpy(ports, conf->port_ids, product->n_ports * sizeof *ports);
    engine->conf.wire_ids = wire;
    engine->conf.port_ids = engine->port_ids = ports;
}

void mesh_engine_set_port_id(struct mesh_engine *engine, uint32_t port, uint32_t id)
{
    mesh_assert(port < engine->product->n_ports);
    engine->port_ids[port] = id;
}

static void init_engine(struct mesh_engine *engine, const struct mesh_engine_conf *conf)
{
    const struct mesh_product *product = conf->product;
    engine->conf = *conf;
    copy_ids(engine, conf);
    mesh_store_heap_init(&engine->heap, conf->spill);
    if (engine->conf.round_log_bytes == 0)
        engine->conf.round_log_bytes = MESH_FLOW_ROUND_LOG_BYTES;
    if (engine->conf.round_sweep_bytes == 0)
        engine->conf.round_sweep_bytes = MESH_FLOW_ROUND_SWEEP_BYTES;
    engine->product = product;
    engine->generation = conf->generation;
    snprintf(engine->claim, sizeof engine->claim, "%s", conf->claim == NULL ? "" : conf->claim);
    engine->dirty_since_us = INT64_MAX;
    engine->topology_first = mesh_xcalloc(product->n_topologies + 1, sizeof *engine->topology_first);
    engine->topology_tasks = mesh_xcalloc(product->n_topologies + 1, sizeof *engine->topology_tasks);
    engine->topology_partitions = mesh_xcalloc(product->n_topologies + 1, sizeof *engine->topology_partitions);
    engine->input_partitions = mesh_xcalloc(product->n_inputs + 1, sizeof *engine->input_partitions);
    memcpy(engine->input_partitions, conf->input_partitions, product->n_inputs * sizeof *engine->input_partitions);
    struct mesh_buf name = MESH_BUF_NULL;
    mesh_buf_printf(&name, "%s/%s", product->domain, product->name);
    engine->product_name = mesh_buf_take(&name);
    engine->pseudonym_key = mesh_xmalloc((size_t)conf->pseudonym_key.n + 1);
    engine->pseudonym_key_n = conf->pseudonym_key.n;
    if (conf->pseudonym_key.n > 0)
        memcpy(engine->pseudonym_key, conf->pseudonym_key.p, conf->pseudonym_key.n);
}

static int by_place(const void *a, const void *b)
{
    const struct mesh_flow_source *x = *(struct mesh_flow_source *const *)a;
    const struct mesh_flow_source *y = *(struct mesh_flow_source *const *)b;
    if (x->input != y->input)
        return x->input < y->input ? -1 : 1;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    return x->task->index < y->task->index ? -1 : x->task->index > y->task->index;
}

/* Which sources read a partition, without looking at all of them. */
static void index_sources(struct mesh_engine *engine)
{
    uint32_t n_inputs = engine->product->n_inputs;
    engine->place_first = mesh_xcalloc(n_inputs + 1, sizeof *engine->place_first);
    uint32_t n_places = 0;
    for (uint32_t i = 0; i < n_inputs; i++) {
        engine->place_first[i] = n_places;
        n_places += engine->input_partitions[i] > 0 ? (uint32_t)engine->input_partitions[i] : 0;
    }
    engine->by_place = mesh_xcalloc(engine->n_sources + 1, sizeof *engine->by_place);
    memcpy(engine->by_place, engine->sources, engine->n_sources * sizeof *engine->by_place);
    qsort(engine->by_place, engine->n_sources, sizeof *engine->by_place, by_place);
    engine->place_sources = mesh_xcalloc(n_places + 1, sizeof *engine->place_sources);
    uint32_t at = 0;
    for (uint32_t i = 0; i < n_inputs; i++) {
        for (int32_t p = 0; p < engine->input_partitions[i]; p++) {
            engine->place_sources[engine->place_first[i] + (uint32_t)p] = at;
            while (at < engine->n_sources && engine->by_place[at]->input == i && engine->by_place[at]->partition == p)
                at++;
        }
    }
    engine->place_sources[n_places] = at;
}

static void watch_sources(struct mesh_engine *engine)
{
    engine->m_watermarks = mesh_xcalloc(engine->n_sources + 1, sizeof *engine->m_watermarks);
    for (uint32_t i = 0; i < engine->n_sources; i++) {
        if (engine->sources[i]->n_lanes == 0)
            continue;
        char partition[16];
        snprintf(partition, sizeof partition, "%d", (int)engine->sources[i]->partition);
        engine->m_watermarks[i] =
            mesh_metric_gauge(engine->metrics, "mesh_watermark_seconds", "Event time up to which a source is complete", "input",
                              engine->sources[i]->decl->name, "partition", partition, NULL);
    }
}

static void make_tasks(struct mesh_engine *engine)
{
    uint32_t n = 0;
    uint32_t place = 0;
    for (uint32_t t = 0; t < engine->product->n_topologies; t++) {
        for (int32_t p = 0; p < engine->topology_partitions[t]; p++, place++) {
            if (engine->conf.sharded && p != engine->conf.shard)
                continue;
            engine->tasks[n] = mesh_flow_task_new(engine, t, p, n);
            engine->tasks[n++]->place = place;
        }
    }
    mesh_assert(n == engine->n_tasks);
}

struct mesh_task *mesh_flow_task_at(const struct mesh_engine *engine, uint64_t topology, uint64_t partition)
{
    if (topology >= engine->product->n_topologies || partition >= (uint64_t)engine->topology_partitions[topology])
        return NULL;
    uint64_t at = engine->conf.sharded ? partition - (uint64_t)engine->conf.shard : partition; /* wraps: another shard's */
    return at < engine->topology_tasks[topology] ? engine->tasks[engine->topology_first[topology] + at] : NULL;
}

int32_t mesh_engine_n_shards(const struct mesh_product *product, const int32_t *input_partitions)
{
    int32_t most = 0;
    for (uint32_t t = 0; t < product->n_topologies; t++) {
        int32_t n = input_partitions[product->topologies[t].inputs[0]];
        most = n > most ? n : most;
    }
    return most;
}

int mesh_engine_new(const struct mesh_engine_conf *conf, struct mesh_engine **ret, struct mesh_err *err)
{
    struct mesh_engine *engine = mesh_xcalloc(1, sizeof *engine);
    init_engine(engine, conf);
    int r = set_partitions(engine, err);
    if (r < 0) {
        mesh_engine_free(engine);
        return r;
    }
    mesh_flow_dests_init(engine);
    set_metrics(engine);
    engine->tasks = mesh_xcalloc(engine->n_tasks + 1, sizeof *engine->tasks);
    make_tasks(engine);
    for (uint32_t i = 0; i < engine->n_tasks; i++)
        engine->n_sources += engine->tasks[i]->n_sources;
    engine->sources = mesh_xcalloc(engine->n_sources + 1, sizeof *engine->sources);
    uint32_t n = 0;
    for (uint32_t i = 0; i < engine->n_tasks; i++)
        for (uint32_t k = 0; k < engine->tasks[i]->n_sources; k++)
            engine->sources[n++] = &engine->tasks[i]->sources[k];
    index_sources(engine);
    watch_sources(engine);
    *ret = engine;
    return 0;
}

struct mesh_engine *mesh_engine_free(struct mesh_engine *engine)
{
    if (engine == NULL)
        return NULL;
    for (uint32_t i = 0; engine->tasks != NULL && i < engine->n_tasks; i++)
        mesh_flow_task_free(engine->tasks[i]);
    mesh_flow_pending_free(engine);
    free(engine->tasks);
    free(engine->topology_first);
    free(engine->topology_tasks);
    free(engine->topology_partitions);
    free(engine->input_partitions);
    mesh_flow_dests_deinit(engine);
    free(engine->product_name);
    free(engine->pseudonym_key);
    free(engine->sources);
    free(engine->by_place);
    free(engine->place_first);
    free(engine->place_sources);
    free(engine->m_watermarks);
    free(engine->stopped);
    mesh_buf_deinit(&engine->translated);
    free(engine->m_records);
    free(engine->m_rejected);
    free(engine->m_state_rows);
    free(engine->m_table_bytes);
    mesh_vec_deinit(&engine->m_denied);
    mesh_vec_deinit(&engine->skips);
    mesh_vec_deinit(&engine->claims);
    mesh_store_heap_deinit(&engine->heap);
    mesh_arena_deinit(&engine->conf_memory);
    mesh_buf_deinit(&engine->out);
    mesh_buf_deinit(&engine->envelope);
    mesh_metrics_free(engine->own_metrics);
    free(engine);
    return NULL;
}

void mesh_flow_stop(struct mesh_engine *engine, struct mesh_flow_source *source, const char *format, ...)
{
    source->stopped = true;
    if (engine->stopped != NULL)
        return; /* the first reason is the one to mend */
    struct mesh_buf text = MESH_BUF_NULL;
    va_list args;
    va_start(args, format);
    mesh_buf_vprintf(&text, format, args);
    va_end(args);
    engine->stopped = mesh_buf_take(&text);
}

void mesh_flow_mark_dirty(struct mesh_task *task)
{
    struct mesh_engine *engine = task->engine;
    task->dirty = true;
    if (engine->dirty_since_us == INT64_MAX)
        engine->dirty_since_us = engine->now_us;
}

/* ---- claims ---- */
void mesh_flow_add_claim(struct mesh_engine *engine, struct mesh_str claim)
{
    for (size_t i = 0; i < engine->claims.n; i++)
        if (mesh_str_eq(mesh_str_of(engine->claims.v[i].text), claim))
            return;
    if (claim.n == 0 || claim.n >= MESH_ENGINE_CLAIM_TEXT)
        return;
    struct mesh_flow_claim *own = mesh_vec_push(&engine->claims);
    *own = (struct mesh_flow_claim){0};
    memcpy(own->text, claim.p, claim.n);
}

const char (*mesh_engine_claims(const struct mesh_engine *engine, size_t *ret_n))[MESH_ENGINE_CLAIM_TEXT]
{
    *ret_n = engine->claims.n;
    return (const char(*)[MESH_ENGINE_CLAIM_TEXT])(const void *)engine->claims.v;
}

uint64_t mesh_engine_commits(const struct mesh_engine *engine)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < engine->n_tasks; i++)
        n += engine->tasks[i]->durable_n;
    return n;
}

/* ---- input ---- */
/* Sources of this partition, one per task that reads it: calls of next_source() go over them; *at begins as 0. */
static struct mesh_flow_source *next_source(const struct mesh_engine *engine, uint32_t input, int32_t partition, uint32_t *at)
{
    mesh_assert(input < engine->product->n_inputs);
    if (partition < 0 || partition >= engine->input_partitions[input])
        return NULL;
    uint32_t place = engine->place_first[input] + (uint32_t)partition;
    uint32_t i = engine->place_sources[place] + *at;
    if (i >= engine->place_sources[place + 1])
        return NULL;
    (*at)++;
    return engine->by_place[i];
}

bool mesh_flow_reads_first(const struct mesh_task *task, uint32_t input, int32_t partition)
{
    uint32_t at = 0;
    const struct mesh_engine *engine = task->engine;
    if (engine->conf.sharded && engine->conf.shard != 0 && engine->product->inputs[input].copy_all)
        return false; /* every shard reads it, and every topology has a partition 0 */
    const struct mesh_flow_source *first = next_source(engine, input, partition, &at);
    return first == NULL || first->task == task;
}

int64_t mesh_engine_position(const struct mesh_engine *engine, uint32_t input, int32_t partition)
{
    int64_t position = INT64_MAX;
    uint32_t at = 0;
    for (struct mesh_flow_source *s; (s = next_source(engine, input, partition, &at)) != NULL;)
        position = s->position < position ? s->position : position;
    return position == INT64_MAX ? -1 : position;
}

static bool below_limit(const struct mesh_flow_source *source)
{
    return (source->position > 0 ? source->position : 0) < source->limit;
}

static bool tables_loaded(const struct mesh_task *task)
{
    for (uint32_t i = 0; i < task->n_sources; i++)
        if (task->sources[i].decl->kind == MESH_INPUT_TABLE && !task->sources[i].loaded && below_limit(&task->sources[i]))
            return false;
    return true;
}

bool mesh_engine_tables_loaded(const struct mesh_engine *engine)
{
    for (uint32_t i = 0; i < engine->n_tasks; i++)
        if (!tables_loaded(engine->tasks[i]))
            return false;
    return true;
}

/* Whether what waits in the order buffer may be waiting for this source. */
static bool behind(const struct mesh_flow_source *source)
{
    int64_t first_us = mesh_flow_first_held(source->task);
    for (uint32_t i = 0; i < source->n_lanes; i++)
        if (mesh_flow_frontier(&source->lanes[i]) <= first_us)
            return true;
    return false;
}

/* Tables first, so that less has to wait for them. */
bool mesh_engine_wants(const struct mesh_engine *engine, uint32_t input, int32_t partition)
{
    uint32_t at = 0;
    bool any = false;
    if (engine->paused)
        return false;
    bool table = engine->product->inputs[input].kind == MESH_INPUT_TABLE;
    bool full = engine->held_bytes > MESH_FLOW_ORDER_BYTES_MAX; /* perhaps of rows of tables, and then they are not wanted first */
    for (struct mesh_flow_source *s; (s = next_source(engine, input, partition, &at)) != NULL;)
        any |= !s->stopped && below_limit(s) && (full ? behind(s) : table || tables_loaded(s->task));
    return any && (table || (engine->outbox_bytes <= MESH_FLOW_OUTBOX_BYTES_MAX && engine->documents <= MESH_FLOW_DOCUMENTS_MAX));
}

int mesh_engine_feed(struct mesh_engine *engine, uint32_t input, int32_t partition, const struct mesh_record *records, size_t n,
                     int64_t now_us, struct mesh_err *err)
{
    uint32_t at = 0;
    bool any = false;
    engine->now_us = now_us;
    for (struct mesh_flow_source *s; (s = next_source(engine, input, partition, &at)) != NULL;) {
        any = true;
        int r = s->stopped ? 0 : mesh_flow_feed_task(s, records, n);
        if (r < 0)
            return r;
    }
    if (!any)
        return mesh_err_set(err, MESH_ERR_FATAL, "flow.partition",
                            "no task reads partition %d of %s: did the topic get more partitions?", (int)partition,
                            engine->product->inputs[input].topic);
    return 0;
}

void mesh_engine_at_end(struct mesh_engine *engine, uint32_t input, int32_t partition, int64_t end, int64_t now_us)
{
    uint32_t at = 0;
    engine->now_us = now_us;
    for (struct mesh_flow_source *s; (s = next_source(engine, input, partition, &at)) != NULL;)
        if (!s->stopped && mesh_flow_source_at_end(s, end, now_us))
            mesh_flow_mark_dirty(s->task);
}

void mesh_engine_waits(struct mesh_engine *engine, uint32_t input, int32_t partition, int64_t next)
{
    uint32_t at = 0;
    for (struct mesh_flow_source *s; (s = next_source(engine, input, partition, &at)) != NULL;) {
        mesh_flow_source_doubt(s);
        s->at_end = false;
        s->end = next;
        mesh_flow_watermark(s->task);
    }
}

void mesh_engine_trimmed(struct mesh_engine *engine, uint32_t input, int32_t partition, int64_t from, int64_t to)
{
    uint32_t at = 0;
    for (struct mesh_flow_source *s; (s = next_source(engine, input, partition, &at)) != NULL;) {
        int64_t begin = s->position > from ? s->position : from;
        if (to <= begin)
            continue;
        s->trimmed += (uint64_t)(to - begin);
        s->position = to;
        for (uint32_t i = 0; i < s->n_lanes; i++)
            s->lanes[i].resync = true;
        for (size_t i = 0; i < s->upstreams.n; i++)
            s->upstreams.v[i].resync = true;
        char number[16];
        snprintf(number, sizeof number, "%d", (int)partition);
        mesh_metric_add(mesh_metric_counter(engine->metrics, "mesh_trimmed_records_total",
                                            "Records that the broker deleted before they were read", "input", s->decl->name,
                                            "partition", number, NULL),
                        (uint64_t)(to - begin));
        mesh_flow_mark_dirty(s->task);
    }
}

void mesh_engine_was_away(struct mesh_engine *engine, int64_t now_us, bool missed)
{
    for (size_t i = 0; i < engine->n_sources; i++)
        if (engine->sources[i]->quiet_since_us != MESH_FLOW_NEVER)
            engine->sources[i]->quiet_since_us = now_us;
    for (uint32_t i = 0; missed && i < engine->n_tasks; i++) {
        for (uint32_t k = 0; k < engine->tasks[i]->n_sources; k++)
            mesh_flow_source_doubt(&engine->tasks[i]->sources[k]);
        mesh_flow_watermark(engine->tasks[i]);
    }
}

void mesh_engine_tick(struct mesh_engine *engine, int64_t now_us)
{
    engine->now_us = now_us;
    for (uint32_t i = 0; i < engine->n_tasks; i++) {
        struct mesh_task *task = engine->tasks[i];
        bool changed = false;
        for (uint32_t k = 0; k < task->n_sources; k++)
            changed |= mesh_flow_source_tick(&task->sources[k], now_us);
        if (!changed)
            continue;
        mesh_flow_mark_dirty(task);
        mesh_flow_watermark(task);
        mesh_flow_settle(task);
    }
    if (now_us - engine->published_us >= PUBLISH_INTERVAL_US) { /* acknowledgements come without a commit behind them */
        engine->published_us = now_us;
        mesh_flow_publish(engine);
    }
}

/* ---- what it shows ---- */
static int64_t source_watermark(const struct mesh_flow_source *source)
{
    int64_t low = source->n_lanes == 0 ? MESH_FLOW_NEVER : INT64_MAX;
    for (uint32_t i = 0; i < source->n_lanes; i++)
        low = source->lanes[i].wm_us < low ? source->lanes[i].wm_us : low;
    return low;
}

void mesh_flow_publish(struct mesh_engine *engine)
{
    uint64_t held = 0;
    uint64_t letters = 0;
    for (uint32_t i = 0; i < engine->n_tasks; i++) {
        letters += engine->tasks[i]->outbox.chain.live;
        for (uint32_t k = 0; k < engine->tasks[i]->n_lanes; k++)
            held += engine->tasks[i]->lanes[k]->chain.live;
    }
    for (uint32_t i = 0; i < engine->n_sources; i++) {
        int64_t wm = source_watermark(engine->sources[i]);
        if (engine->m_watermarks[i] != NULL && wm != MESH_FLOW_NEVER)
            mesh_metric_set(engine->m_watermarks[i], (double)wm / 1e6);
    }
    mesh_metric_set(engine->m_held, (double)held);
    mesh_metric_set(engine->m_outbox, (double)letters);
    mesh_metric_set(engine->m_state_bytes, (double)mesh_flow_state_bytes_all(engine));
    uint64_t out = engine->heap.out_bytes;
    for (uint32_t s = 0; s < engine->product->n_states; s++) {
        uint64_t rows = 0;
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < engine->n_tasks; i++) {
            const struct mesh_flow_state *state = engine->tasks[i]->states[s];
            if (state == NULL)
                continue;
            rows += state->table.count;
            bytes += mesh_flow_state_bytes(state);
            out += state->table.out_bytes;
        }
        mesh_metric_set(engine->m_state_rows[s], (double)rows);
        mesh_metric_set(engine->m_table_bytes[s], (double)bytes);
    }
    mesh_metric_set(engine->m_out_bytes, (double)out);
}

uint32_t mesh_engine_n_tasks(const struct mesh_engine *engine)
{
    return engine->n_tasks_everywhere;
}

size_t mesh_engine_n_sources(const struct mesh_engine *engine)
{
    return engine->n_sources;
}

void mesh_engine_source_info(const struct mesh_engine *engine, size_t i, struct mesh_source_info *ret)
{
    mesh_assert(i < engine->n_sources);
    const struct mesh_flow_source *source = engine->sources[i];
    bool idle = source->n_lanes > 0;
    for (uint32_t k = 0; k < source->n_lanes; k++)
        idle &= source->lanes[k].idle;
    *ret = (struct mesh_source_info){
        .input = source->input,
        .partition = source->partition,
        .position = source->position,
        .end = source->end,
        .watermark_us = source_watermark(source),
        .idle = idle,
        .at_end = source->at_end,
        .trimmed = source->trimmed,
    };
}

uint64_t mesh_engine_generation(const struct mesh_engine *engine)
{
    return engine->generation;
}

const char *mesh_engine_stopped(const struct mesh_engine *engine)
{
    return engine->stopped;
}
