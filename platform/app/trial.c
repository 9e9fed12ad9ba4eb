/* The same calls in the same order as app/worker.c, everything else made of arrays. A phase is the records up to the next `pass`.
 */
#include "app/trial.h"

#include "base/clock.h"
#include "base/hash.h"
#include "http/live.h"
#include "mesh/trial.h"
#include "store/log.h"

#include <stdlib.h>

#define COMMIT_US            200000
#define GENERATION           1
#define NOW_FIRST_US         (1000000 * INT64_C(1000000)) /* until a record says what time it is */
#define PASS_PARTS           16                           /* a pass is that many ticks */
#define SETTLE_ROUNDS        4 /* idle inputs release records whose effects wait for others, through two internal topics at most */
#define QUIET_ROUNDS         3 /* rounds without news until a drain is over */
#define RESTART_ONE_IN       40
#define RESTART_PLACES       4
#define RESTART_STEPS        6 /* between the commit and the restart */
#define SHOWN_AT_ONCE_MAX    8
#define ROUGH_STEPS          12
#define ROUGH_RESTART_ONE_IN 4
#define FEED_MAX             12
#define ROUND_LOG_BYTES      2048 /* so that a log of a few records is renewed while they come */
#define ROUND_SWEEP_BYTES    128
#define STEPS_PER_RECORD     50
#define STEPS_LEAST          400

/* ---- start and stop ---- */
static int restore(struct mesh_trial *t, struct mesh_err *err)
{
    for (size_t at = 0; at < t->durable;) {
        struct mesh_str frame;
        at = mesh_store_frame_next((struct mesh_str){t->log.p, (uint32_t)t->durable}, at, &frame);
        if (mesh_engine_restore(t->engine, frame, err) < 0)
            return -1;
    }
    return mesh_engine_restored(t->engine, err);
}

/* The key stands in front of the event, so that the newest one of a row can be told. */
static void event_text(void *context, uint32_t port_index, const void *shown, bool removed, struct mesh_buf *out)
{
    const struct mesh_trial *t = context;
    const struct mesh_port *port = &t->product->ports[port_index];
    const struct mesh_view *view = port->emit == MESH_EMIT_EVENT ? NULL : &t->product->views[port->view];
    if (view != NULL)
        mesh_http_live_text(port, view, MESH_STR(MESH_TRIAL_PSEUDONYM_KEY), shown, true, out);
    mesh_buf_putc(out, '\n');
    mesh_http_live_text(port, view, MESH_STR(MESH_TRIAL_PSEUDONYM_KEY), shown, removed, out);
}

static int start(struct mesh_trial *t, struct mesh_err *err)
{
    const struct mesh_product *p = t->product;
    uint32_t n_dests = mesh_engine_n_dests(p);
    int32_t *inputs = mesh_arena_alloc(t->arena, (p->n_inputs + 1) * sizeof *inputs);
    int32_t *dests = mesh_arena_alloc(t->arena, n_dests * sizeof *dests);
    const uint32_t **wire_ids = mesh_arena_alloc(t->arena, (p->n_inputs + 1) * sizeof *wire_ids);
    uint32_t *port_ids = mesh_arena_alloc(t->arena, (p->n_ports + 1) * sizeof *port_ids);
    for (uint32_t i = 0; i < p->n_inputs; i++) {
        uint32_t *ids = mesh_arena_alloc(t->arena, (p->inputs[i].n_contracts + 1) * sizeof *ids);
        for (uint32_t k = 0; k < p->inputs[i].n_contracts; k++)
            ids[k] = p->inputs[i].contracts[k].local_id;
        wire_ids[i] = ids;
        inputs[i] = t->partitions;
    }
    for (uint32_t i = 0; i < n_dests; i++)
        dests[i] = i < p->n_ports && p->ports[i].kind != MESH_PORT_KAFKA ? 0 : t->partitions;
    for (uint32_t i = 0; i < p->n_ports; i++)
        port_ids[i] = p->ports[i].contract == NULL ? 0 : p->ports[i].contract->local_id;
    mesh_metrics_free(t->metrics);
    t->metrics = mesh_metrics_new();
    struct mesh_engine_conf conf = {
        .product = p,
        .input_partitions = inputs,
        .port_partitions = dests,
        .pseudonym_key = MESH_STR(MESH_TRIAL_PSEUDONYM_KEY),
        .wire_ids = wire_ids,
        .port_ids = port_ids,
        .event_text = event_text,
        .event_context = t,
        .mongo = true,
        .generation = GENERATION,
        .commit_interval_us = COMMIT_US,
        .round_log_bytes = t->short_rounds ? ROUND_LOG_BYTES : 0,
        .round_sweep_bytes = t->short_rounds ? ROUND_SWEEP_BYTES : 0,
        .metrics = t->metrics,
    };
    if (mesh_engine_new(&conf, &t->engine, err) < 0 || restore(t, err) < 0)
        return -1;
    mesh_engine_claim(t->engine, &t->log);
    t->durable = t->log.n;
    t->cut = 0;
    return 0;
}

double mesh_trial_idle_late(const struct mesh_trial *t)
{
    static const char *const names[] = {"mesh_idle_late_total", "mesh_table_late_total"};
    double sum = (double)t->idle_late;
    for (size_t i = 0; i < MESH_LEN(names); i++) {
        struct mesh_metric *metric = t->metrics == NULL ? NULL : mesh_metric_find(t->metrics, names[i], NULL);
        sum += metric == NULL ? 0 : mesh_metric_value(metric);
    }
    return sum;
}

static int restart(struct mesh_trial *t, struct mesh_err *err)
{
    t->idle_late = (uint64_t)mesh_trial_idle_late(t);
    t->engine = mesh_engine_free(t->engine);
    t->log.n = t->durable;
    t->unacked.n = 0;
    t->restarts++;
    return start(t, err);
}

void mesh_trial_deinit(struct mesh_trial *t)
{
    t->engine = mesh_engine_free(t->engine);
    mesh_metrics_free(t->metrics);
    t->metrics = NULL;
    mesh_buf_deinit(&t->log);
}

/* ---- topics ---- */
static struct mesh_str copy(struct mesh_trial *t, struct mesh_str s)
{
    return (struct mesh_str){s.p == NULL ? NULL : mesh_arena_str(t->arena, s), s.n};
}

static void append(struct mesh_trial *t, struct mesh_trial_topic *topic, const struct mesh_message *m)
{
    struct mesh_header *headers = mesh_arena_alloc(t->arena, ((size_t)m->n_headers + 1) * sizeof *headers);
    for (uint32_t i = 0; i < m->n_headers; i++)
        headers[i] = (struct mesh_header){copy(t, m->headers[i].name), copy(t, m->headers[i].value)};
    *mesh_vec_push_in(t->arena, &topic->messages) =
        (struct mesh_trial_message){m->time_us, copy(t, m->key), copy(t, m->value), headers, m->n_headers};
}

static bool external(const struct mesh_trial *t, uint32_t input)
{
    enum mesh_input_kind kind = t->product->inputs[input].kind;
    return kind == MESH_INPUT_STREAM || kind == MESH_INPUT_TABLE;
}

static void put(struct mesh_trial *t, const struct mesh_trial_step *step)
{
    int32_t partition = mesh_hash_partition(step->key.n == 0 ? "" : step->key.p, step->key.n, t->partitions);
    struct mesh_trial_topic *topic = &t->inputs[step->input * (uint32_t)t->partitions + (uint32_t)partition];
    *mesh_vec_push_in(t->arena, &topic->messages) =
        (struct mesh_trial_message){.time_us = step->time_us, .key = step->key, .value = step->value};
    if (step->time_us > t->now_us || t->now_us == NOW_FIRST_US)
        t->now_us = step->time_us;
}

/* ---- what a driver does, one thing at a time ---- */
static int feed(struct mesh_trial *t, uint32_t input, int32_t partition, size_t n, bool *ret_moved, struct mesh_err *err)
{
    struct mesh_trial_topic *topic = &t->inputs[input * (uint32_t)t->partitions + (uint32_t)partition];
    if (!mesh_engine_wants(t->engine, input, partition))
        return 0;
    int64_t position = mesh_engine_position(t->engine, input, partition);
    size_t from = position < 0 ? 0 : (size_t)position;
    size_t there = t->unfolds && external(t, input) && topic->shown < topic->messages.n ? topic->shown : topic->messages.n;
    struct mesh_record records[MESH_FLOW_BATCH_MAX];
    size_t have = 0;
    for (size_t i = from; i < there && have < n && have < MESH_FLOW_BATCH_MAX; i++) {
        const struct mesh_trial_message *m = &topic->messages.v[i];
        records[have++] = (struct mesh_record){(int64_t)i, m->time_us, m->key, m->value, m->headers, m->n_headers};
    }
    if (have > 0 && mesh_engine_feed(t->engine, input, partition, records, have, t->now_us, err) < 0)
        return -1;
    if (from + have == there)
        mesh_engine_at_end(t->engine, input, partition, (int64_t)there, t->now_us);
    *ret_moved = *ret_moved || have > 0;
    return 0;
}

static bool commit(struct mesh_trial *t)
{
    if (t->log.n != t->durable)
        return false; /* one is in flight */
    if (mesh_engine_round_begin(t->engine, t->durable))
        t->cut = t->durable;
    t->commit_us += COMMIT_US;
    return mesh_engine_commit(t->engine, t->commit_us, &t->log);
}

static void make_durable(struct mesh_trial *t)
{
    if (t->log.n == t->durable)
        return;
    t->durable = t->log.n;
    mesh_engine_durable(t->engine);
    if (mesh_engine_round_done(t->engine)) {
        memmove(t->log.p, t->log.p + t->cut, t->log.n - t->cut);
        t->log.n -= t->cut;
        t->durable = t->log.n;
    }
}

static bool send_out(struct mesh_trial *t, size_t n)
{
    struct mesh_message m;
    bool moved = false;
    for (; n > 0 && mesh_engine_next_message(t->engine, &m); n--) {
        moved = true;
        struct mesh_trial_topic *topics = &t->dests[m.dest * (uint32_t)t->partitions];
        for (uint32_t i = 0; i < t->product->n_internals; i++)
            if (m.dest == mesh_engine_dest_internal(t->product, i))
                topics = &t->inputs[t->product->internals[i].input * (uint32_t)t->partitions];
        append(t, &topics[m.partition], &m);
        *mesh_vec_push_in(t->arena, &t->unacked) = m.ticket;
    }
    return moved;
}

static void acknowledge(struct mesh_trial *t, size_t n)
{
    for (; n > 0 && t->unacked.n > 0; n--) {
        size_t i = (size_t)mesh_rng_below(&t->rng, t->unacked.n);
        uint64_t ticket = t->unacked.v[i];
        t->unacked.v[i] = t->unacked.v[--t->unacked.n];
        mesh_engine_acked(t->engine, ticket);
    }
}

static void put_document(struct mesh_trial *t, const struct mesh_document *d)
{
    struct mesh_trial_document *to = NULL;
    for (size_t i = 0; i < t->documents.n; i++)
        if (t->documents.v[i].port == d->port && mesh_str_eq(t->documents.v[i].id, d->id))
            to = &t->documents.v[i];
    if (to == NULL) {
        to = mesh_vec_push_in(t->arena, &t->documents);
        *to = (struct mesh_trial_document){.port = d->port, .id = copy(t, d->id)};
    } else if (d->n < to->n) {
        return; /* only forward, as the writer to MongoDB does it */
    }
    to->removed = d->removed;
    to->n = d->n;
    if (d->removed)
        return;
    const struct mesh_port *port = &t->product->ports[d->port];
    struct mesh_http_shape shape =
        mesh_http_shape_of(&t->product->views[port->view], port->protect, MESH_STR(MESH_TRIAL_PSEUDONYM_KEY));
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf row = MESH_BUF_NULL;
    mesh_http_row(&shape, &(const struct mesh_http_fields){0}, d->out, &row);
    to->row = copy(t, (struct mesh_str){row.p, (uint32_t)row.n});
}

static bool store(struct mesh_trial *t, size_t n)
{
    struct mesh_document d;
    bool moved = false;
    for (; n > 0 && mesh_engine_next_document(t->engine, &d); n--) {
        moved = true;
        put_document(t, &d);
        mesh_engine_stored(t->engine, d.ticket);
    }
    return moved;
}

/* What is told: numbers without a gap, and the same event under the same number, however often a restart repeats it. */
static int tell(struct mesh_trial *t, bool *ret_moved, struct mesh_err *err)
{
    for (struct mesh_live_event e; mesh_engine_next_event(t->engine, &e); *ret_moved = true) {
        const struct mesh_trial_event *same = NULL;
        uint64_t last = 0;
        for (size_t i = 0; i < t->events.n; i++) {
            const struct mesh_trial_event *old = &t->events.v[i];
            if (old->port != e.port || old->task != e.task)
                continue;
            last = old->sequence;
            same = old->sequence == e.sequence ? old : same;
        }
        if (same != NULL ? !mesh_str_eq(same->text, e.text) || same->removed != e.removed : e.sequence != last + 1)
            return mesh_err_set(err, MESH_ERR_FATAL, "trial.event", "port '%s': event %llu of a task %s",
                                t->product->ports[e.port].name, (unsigned long long)e.sequence,
                                same != NULL ? "was another one before a restart" : "came out of turn");
        if (same == NULL)
            *mesh_vec_push_in(t->arena, &t->events) =
                (struct mesh_trial_event){e.port, e.task, e.sequence, e.time_us, e.removed, copy(t, e.text)};
    }
    return 0;
}

/* ---- schedules ---- */
/* Until nothing moves any more. The clock stands still and nobody ticks: no source becomes idle. */
static int drain(struct mesh_trial *t, struct mesh_err *err)
{
    t->unfolds = false;
    for (int quiet = 0; quiet < QUIET_ROUNDS;) {
        bool moved = false;
        for (uint32_t i = 0; i < t->product->n_inputs; i++)
            for (int32_t p = 0; p < t->partitions; p++)
                for (bool more = true; more;) {
                    more = false;
                    if (feed(t, i, p, MESH_FLOW_BATCH_MAX, &more, err) < 0)
                        return -1;
                    moved = moved || more;
                }
        bool committed = commit(t);
        make_durable(t);
        bool sent = send_out(t, SIZE_MAX);
        acknowledge(t, SIZE_MAX);
        bool stored = store(t, SIZE_MAX);
        if (tell(t, &moved, err) < 0)
            return -1;
        quiet = moved || committed || sent || stored ? 0 : quiet + 1;
    }
    return 0;
}

static int random_step(struct mesh_trial *t, struct mesh_err *err)
{
    bool moved = false;
    switch (mesh_rng_below(&t->rng, 9)) {
    case 0:
        commit(t);
        return 0;
    case 1:
        make_durable(t);
        return 0;
    case 2:
        send_out(t, (size_t)mesh_rng_below(&t->rng, FEED_MAX) + 1);
        return tell(t, &moved, err);
    case 3:
        acknowledge(t, (size_t)mesh_rng_below(&t->rng, FEED_MAX) + 1);
        store(t, (size_t)mesh_rng_below(&t->rng, FEED_MAX) + 1);
        return 0;
    default: {
        uint32_t input = (uint32_t)mesh_rng_below(&t->rng, t->product->n_inputs);
        int32_t partition = (int32_t)mesh_rng_below(&t->rng, (uint64_t)t->partitions);
        struct mesh_trial_topic *topic = &t->inputs[input * (uint32_t)t->partitions + (uint32_t)partition];
        topic->shown += (size_t)mesh_rng_below(&t->rng, SHOWN_AT_ONCE_MAX);
        return feed(t, input, partition, (size_t)mesh_rng_below(&t->rng, FEED_MAX) + 1, &moved, err);
    }
    }
}

static size_t unread(const struct mesh_trial *t)
{
    size_t n = 0;
    for (uint32_t i = 0; i < t->product->n_inputs; i++)
        for (int32_t p = 0; external(t, i) && p < t->partitions; p++) {
            int64_t position = mesh_engine_position(t->engine, i, p);
            n += t->inputs[i * (uint32_t)t->partitions + (uint32_t)p].messages.n - (size_t)(position < 0 ? 0 : position);
        }
    return n;
}

/* A commit and, a few steps later, a restart: where a part of the phase was read that depends on the seed; and further restarts
 * where it has them. */
static int shuffle(struct mesh_trial *t, uint64_t seed, struct mesh_err *err)
{
    size_t begin = unread(t);
    size_t steps = STEPS_LEAST + STEPS_PER_RECORD * begin;
    size_t left = begin * (seed % RESTART_PLACES) / RESTART_PLACES; /* unread when the commit is made */
    size_t until = begin > 0 ? SIZE_MAX : 0; /* the step of the restart; SIZE_MAX: not known yet, 0: it was */
    t->unfolds = true;
    for (size_t i = 1; i < steps && (unread(t) > 0 || until != 0); i++) {
        if (until == SIZE_MAX && unread(t) <= left) {
            commit(t);
            make_durable(t);
            until = i + (size_t)mesh_rng_below(&t->rng, RESTART_STEPS);
        }
        if (i == until || mesh_rng_below(&t->rng, RESTART_ONE_IN) == 0) {
            until = i == until ? 0 : until;
            if (restart(t, err) < 0)
                return -1;
        }
        if (random_step(t, err) < 0)
            return -1;
    }
    return until != 0 ? restart(t, err) : 0;
}

/* `rough`: some of what time lets go is still on its way when the next tick comes, or a restart. */
static int pass(struct mesh_trial *t, int64_t us, bool rough, struct mesh_err *err)
{
    for (int i = 1; i <= PASS_PARTS; i++) {
        t->now_us += us / PASS_PARTS + (i == PASS_PARTS ? us % PASS_PARTS : 0);
        mesh_engine_tick(t->engine, t->now_us);
        for (int k = 0; rough && k < ROUGH_STEPS; k++)
            if (random_step(t, err) < 0)
                return -1;
        bool again = rough && mesh_rng_below(&t->rng, ROUGH_RESTART_ONE_IN) == 0;
        if ((again && restart(t, err) < 0) || (!rough && drain(t, err) < 0))
            return -1;
    }
    return 0;
}

/* Restarts take the silence of inputs with them, so there are none while the author's time passes, and in the last rounds here. */
static int settle(struct mesh_trial *t, bool rough, struct mesh_err *err)
{
    int64_t longest = COMMIT_US;
    for (uint32_t i = 0; i < t->product->n_inputs; i++) {
        const struct mesh_input *input = &t->product->inputs[i];
        longest = input->idle_us > longest ? input->idle_us : longest;
        longest = input->idle_us > 0 && input->wait_us > longest ? input->wait_us : longest;
    }
    for (int i = 0; i < SETTLE_ROUNDS; i++)
        if (pass(t, longest + COMMIT_US, rough && i == 0, err) < 0)
            return -1;
    const char *stopped = mesh_engine_stopped(t->engine);
    return stopped == NULL ? 0 : mesh_err_set(err, MESH_ERR_FATAL, "trial.stopped", "%s", stopped);
}

int mesh_trial_run(struct mesh_trial *t, const struct mesh_product *product, int32_t partitions,
                   const struct mesh_trial_step *steps, size_t n, uint64_t seed, struct mesh_arena *arena, struct mesh_err *err)
{
    *t = (struct mesh_trial){.product = product,
                             .partitions = partitions,
                             .arena = arena,
                             .now_us = NOW_FIRST_US,
                             .commit_us = NOW_FIRST_US,
                             .began_us = mesh_clock_mono_us(),
                             .short_rounds = seed != 0};
    t->inputs = mesh_arena_alloc(arena, (product->n_inputs + 1) * (size_t)partitions * sizeof *t->inputs);
    t->dests = mesh_arena_alloc(arena, mesh_engine_n_dests(product) * (size_t)partitions * sizeof *t->dests);
    mesh_rng_seed(&t->rng, seed);
    if (start(t, err) < 0)
        return -1;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && !steps[i].pass) {
            put(t, &steps[i]);
            continue;
        }
        if (seed != 0 && shuffle(t, seed, err) < 0)
            return -1;
        if (drain(t, err) < 0 || (i < n && pass(t, steps[i].time_us, false, err) < 0))
            return -1;
    }
    return settle(t, seed != 0, err);
}
