/* Interval joins against their definition: for each asking record, all others of its key in [t + from, t + to], in the order of (time,
 * arrival). Through two inputs, where records go in the order of event time, and through one, where they go as they came: the answer
 * is the same, because it waits until time has passed the interval. */
#include "flow/engine.h"
#include "mesh/mesh.h"

#include "../check.h"
#include "base/check.h"
#include "base/rng.h"
#include "base/vec.h"

#include <stddef.h>
#include <stdlib.h>

#define SECOND   INT64_C(1000000)
#define START_US (1700000000 * SECOND)
#define DELAY_US (5 * SECOND)
#define N        1200
#define KEYS     4

struct event {
    int64_t id, key, at;
    bool asks;
};

struct kept {
    int64_t id;
};

static const struct mesh_field kept_fields[] = {{.name = "id", .type = MESH_LONG, .offset = offsetof(struct kept, id)}};
static const struct mesh_field event_fields[] = {
    {.name = "id", .type = MESH_LONG, .offset = offsetof(struct event, id)},
    {.name = "at", .type = MESH_LONG, .offset = offsetof(struct event, at)},
};

enum { LAST, FIRST, ALL, BEFORE, AROUND, AFTER, MOMENT, N_JOINS };

/* What was found: the asking record, the other one (0: none), in the order in which they went on. */
struct pair {
    int64_t id, other, at;
};
static MESH_VEC(struct pair) found[N_JOINS];

static void note(int join, const struct mesh_event *event, const void *record, const void *other)
{
    *mesh_vec_push(&found[join]) =
        (struct pair){((const struct event *)record)->id, other == NULL ? 0 : ((const struct kept *)other)->id, event->time_us};
}

#define MATCHED(join)                                                                                                              \
    static void matched_##join(struct mesh_task *task, const struct mesh_event *event, const void *record, const void *other)      \
    {                                                                                                                              \
        (void)task;                                                                                                                \
        note(join, event, record, other);                                                                                          \
    }
MATCHED(LAST)
MATCHED(FIRST)
MATCHED(ALL)
MATCHED(BEFORE)
MATCHED(AROUND)
MATCHED(AFTER)
MATCHED(MOMENT)

#define JOIN(join, from, to, how)                                                                                                  \
    [join] = {.name = #join,                                                                                                       \
              .kind = MESH_STATE_INTERVAL,                                                                                         \
              .fields = kept_fields,                                                                                               \
              .n_fields = 1,                                                                                                       \
              .row_size = sizeof(struct kept),                                                                                     \
              .from_us = (from)*SECOND,                                                                                            \
              .to_us = (to)*SECOND,                                                                                                \
              .pick = MESH_PICK_##how,                                                                                             \
              .waits = event_fields,                                                                                               \
              .n_waits = 2,                                                                                                        \
              .wait_size = sizeof(struct event),                                                                                   \
              .matched = matched_##join}

static const struct mesh_state states[N_JOINS] = {
    JOIN(LAST, -20, 0, LAST),    JOIN(FIRST, -20, 0, FIRST), JOIN(ALL, -20, 0, ALL),  JOIN(BEFORE, -30, -8, LAST),
    JOIN(AROUND, -10, 15, LAST), JOIN(AFTER, 5, 25, FIRST),  JOIN(MOMENT, 0, 0, ALL),
};

static void process(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct event *e = record;
    struct mesh_key key;
    mesh_key_begin(&key);
    mesh_key_long(&key, e->key);
    for (uint32_t j = 0; j < N_JOINS; j++) {
        if (e->asks)
            mesh_interval_join(task, j, &key, event, e);
        else
            mesh_interval_add(task, j, &key, event, &(const struct kept){e->id});
    }
}

static void decode(struct mesh_in *in, uint32_t version, void *record)
{
    (void)version;
    struct event *e = record;
    e->id = mesh_in_long(in);
    e->key = mesh_in_long(in);
    e->at = mesh_in_micros(in);
    e->asks = mesh_in_bool(in);
}

static int64_t event_time(const void *record)
{
    return ((const struct event *)record)->at;
}

static const struct mesh_contract contract = {.name = "c", .local_id = 1};
#define INPUT(name_)                                                                                                               \
    {                                                                                                                              \
        .name = (name_), .topic = (name_), .kind = MESH_INPUT_STREAM, .contracts = &contract, .n_contracts = 1,                    \
        .record_size = sizeof(struct event), .decode = decode, .event_time = event_time, .process = process, .delay_us = DELAY_US, \
        .idle_us = 10 * SECOND                                                                                                     \
    }
static const struct mesh_input inputs[] = {INPUT("asks"), INPUT("others")};
static const uint32_t indexes[] = {0, 1, 2, 3, 4, 5, 6};
static const struct mesh_topology two_inputs = {
    .name = "t", .inputs = indexes, .n_inputs = 2, .states = indexes, .n_states = N_JOINS, .ordered = true};
static const struct mesh_topology one_input = {
    .name = "t", .inputs = indexes, .n_inputs = 1, .states = indexes, .n_states = N_JOINS};

#define PRODUCT(name_, topology, inputs_)                                                                                          \
    static const struct mesh_product name_ = {.abi = MESH_ABI,                                                                     \
                                              .domain = "d",                                                                       \
                                              .name = "p",                                                                         \
                                              .state_hash = "x",                                                                   \
                                              .inputs = inputs,                                                                    \
                                              .n_inputs = (inputs_),                                                               \
                                              .states = states,                                                                    \
                                              .n_states = N_JOINS,                                                                 \
                                              .topologies = &(topology),                                                           \
                                              .n_topologies = 1,                                                                   \
                                              .dlq_topic = "dlq",                                                                  \
                                              .late_topic = "late"}
PRODUCT(sorted, two_inputs, 2);
PRODUCT(single, one_input, 1);

static struct mesh_metrics *metrics;

static struct mesh_engine *start(const struct mesh_product *product)
{
    static const int32_t ones[] = {1, 1, 1};
    static const uint32_t ids[] = {1};
    static const uint32_t *const wires[] = {ids, ids, ids};
    struct mesh_engine_conf conf = {.product = product,
                                    .input_partitions = ones,
                                    .port_partitions = ones,
                                    .wire_ids = wires,
                                    .port_ids = ids,
                                    .generation = 1,
                                    .commit_interval_us = 1,
                                    .metrics = metrics};
    struct mesh_engine *engine = NULL;
    struct mesh_err err = {0};
    mesh_assert(mesh_engine_new(&conf, &engine, &err) == 0);
    return engine;
}

static void forget_found(void)
{
    for (int j = 0; j < N_JOINS; j++)
        mesh_vec_deinit(&found[j]);
}

static void feed(struct mesh_engine *engine, uint32_t input, int64_t offset, const struct event *e, int64_t now_us)
{
    struct mesh_out value = {0};
    struct mesh_err err = {0};
    mesh_out_raw(&value, "\0\0\0\0\1", 5);
    mesh_out_long(&value, e->id);
    mesh_out_long(&value, e->key);
    mesh_out_long(&value, e->at);
    mesh_out_bool(&value, e->asks);
    struct mesh_record record = {.offset = offset, .key = {"k", 1}, .value = {(const char *)value.p, (uint32_t)value.n}};
    CHECK(mesh_engine_feed(engine, input, 0, &record, 1, now_us, &err) == 0);
    mesh_out_deinit(&value);
}

/* A crash behind a commit: a new engine from the log. */
static struct mesh_engine *again(const struct mesh_product *product, struct mesh_engine *engine, struct mesh_buf *log)
{
    struct mesh_err err = {0};
    mesh_engine_free(engine);
    engine = start(product);
    for (size_t at = 0; at < log->n;) {
        struct mesh_cursor in = mesh_cursor_of(log->p + at, 4);
        uint32_t n = mesh_get_u32(&in);
        mesh_assert(mesh_engine_restore(engine, (struct mesh_str){log->p + at + 12, n}, &err) == 0);
        at += 12 + n;
    }
    mesh_assert(mesh_engine_restored(engine, &err) == 0);
    mesh_engine_claim(engine, log);
    return engine;
}

/* All events: to one input, or the two sides to one each, in an order that a seed decides. With a crash every `restart` records. */
static void run(const struct mesh_product *product, const struct event *events, uint64_t seed, int restart)
{
    struct mesh_engine *engine = start(product);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf log = MESH_BUF_NULL;
    struct mesh_rng rng;
    int next[2] = {0, 0};
    int64_t offsets[2] = {0, 0};
    forget_found();
    mesh_rng_seed(&rng, seed);
    mesh_engine_claim(engine, &log);
    for (int fed = 0; next[0] < N || next[1] < N;) {
        uint32_t side = product->n_inputs == 1 ? 0 : (uint32_t)mesh_rng_below(&rng, 2);
        while (product->n_inputs == 2 && next[side] < N && events[next[side]].asks != (side == 0))
            next[side]++;
        if (next[side] < N) {
            feed(engine, side, offsets[side]++, &events[next[side]++], fed);
            fed++;
            if (restart > 0 && fed % restart == 0) {
                CHECK(mesh_engine_commit(engine, fed, &log));
                mesh_engine_durable(engine);
                engine = again(product, engine, &log);
            }
        } else if (product->n_inputs == 1) {
            break;
        }
    }
    mesh_engine_free(engine);
}

static void make(struct event *events, uint64_t seed)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, seed);
    int64_t at = START_US;
    for (int i = 0; i < N - 2; i++) {
        at += (int64_t)mesh_rng_below(&rng, 4) * SECOND / 2; /* times are often equal */
        events[i] = (struct event){.id = i + 1, .key = (int64_t)mesh_rng_below(&rng, KEYS), .asks = mesh_rng_below(&rng, 3) == 0};
        events[i].at = at - (int64_t)mesh_rng_below(&rng, 10) * SECOND / 2; /* out of order, not late */
    }
    for (int i = N - 2; i < N; i++) /* time is closed */
        events[i] = (struct event){.id = i + 1, .key = KEYS, .at = at + 1000 * SECOND, .asks = i == N - 1};
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = *(const struct event *const *)a;
    const struct event *y = *(const struct event *const *)b;
    return x->at != y->at ? (x->at < y->at ? -1 : 1) : x->id < y->id ? -1 : x->id > y->id;
}

/* What must be found, in the order of the asking records' ids. */
static void check_naive(const struct event *events, const char *what)
{
    for (int j = 0; j < N_JOINS; j++) {
        const struct mesh_state *join = &states[j];
        MESH_VEC(struct pair) wanted = {0};
        for (int i = 0; i < N - 2; i++) {
            const struct event *e = &events[i];
            const struct event *others[N];
            size_t n = 0;
            for (int k = 0; k < N - 2 && e->asks; k++)
                if (!events[k].asks && events[k].key == e->key && events[k].at >= e->at + join->from_us &&
                    events[k].at <= e->at + join->to_us)
                    others[n++] = &events[k];
            qsort(others, n, sizeof others[0], by_time);
            int64_t at = e->at + (join->to_us > 0 ? join->to_us : 0);
            for (size_t k = 0; k < n; k++)
                if (join->pick == MESH_PICK_ALL || k == (join->pick == MESH_PICK_FIRST ? 0 : n - 1))
                    *mesh_vec_push(&wanted) = (struct pair){e->id, others[k]->id, at};
            if (e->asks && n == 0)
                *mesh_vec_push(&wanted) = (struct pair){e->id, 0, at};
        }
        /* They go on in the order of their time, and several of one record in the order of theirs. */
        for (size_t i = 1; i < found[j].n; i++)
            CHECK(found[j].v[i].at >= found[j].v[i - 1].at || join->to_us < 0);
        struct pair *got = found[j].v;
        size_t n = found[j].n;
        while (n > 0 && got[n - 1].id > N - 2)
            n--;
        struct pair *sorted_pairs = malloc((n + 1) * sizeof *sorted_pairs);
        size_t at = 0;
        for (int id = 1; id <= N; id++) /* stable: several of one record keep their order */
            for (size_t i = 0; i < n; i++)
                if (got[i].id == id)
                    sorted_pairs[at++] = got[i];
        CHECK_EQ_U64(n, wanted.n);
        if (n != wanted.n || (n > 0 && memcmp(sorted_pairs, wanted.v, n * sizeof *wanted.v) != 0)) {
            check_fail(__FILE__, __LINE__, "another answer");
            printf("# %s, join %s\n", what, join->name);
        }
        free(sorted_pairs);
        mesh_vec_deinit(&wanted);
    }
}

CASE(what_is_found_is_what_the_interval_says)
{
    static struct event events[N];
    for (uint64_t seed = 1; seed <= 4; seed++) {
        make(events, seed);
        run(&sorted, events, seed, 0);
        check_naive(events, "two inputs");
        run(&single, events, seed, 0);
        check_naive(events, "one input");
    }
}

CASE(a_restart_changes_nothing)
{
    static struct event events[N];
    make(events, 9);
    run(&sorted, events, 9, 7);
    check_naive(events, "two inputs, restarts");
    run(&single, events, 9, 5);
    check_naive(events, "one input, restarts");
}

static void ask(struct mesh_engine *engine, int64_t offset, int64_t id, int64_t at)
{
    feed(engine, 0, offset, &(const struct event){.id = id, .key = 1, .at = START_US + at * SECOND, .asks = true}, 0);
}

static void other(struct mesh_engine *engine, int64_t offset, int64_t id, int64_t at)
{
    feed(engine, 1, offset, &(const struct event){.id = id, .key = 1, .at = START_US + at * SECOND}, 0);
}

CASE(nobody_waits_for_what_is_silent)
{
    metrics = mesh_metrics_new();
    struct mesh_engine *engine = start(&sorted);
    struct mesh_buf log = MESH_BUF_NULL;
    forget_found();
    mesh_engine_claim(engine, &log);
    other(engine, 0, 1, 10);
    ask(engine, 0, 2, 20);
    CHECK_EQ_U64(found[LAST].n, 0);
    for (uint32_t input = 0; input < 2; input++)
        mesh_engine_at_end(engine, input, 0, 1, SECOND);
    mesh_engine_tick(engine, 60 * SECOND);
    CHECK_EQ_U64(found[LAST].n, 1);
    CHECK_EQ_I64(found[LAST].v[0].other, 1);
    CHECK_EQ_U64(found[BEFORE].n, 1);
    CHECK_EQ_U64(found[AROUND].n, 0); /* what may still come is not known, however long it is silent */
    /* It was answered too early: counted. */
    other(engine, 1, 3, 19);
    ask(engine, 1, 4, 100);
    other(engine, 2, 5, 100);
    struct mesh_metric *late = mesh_metric_find(metrics, "mesh_idle_late_total", NULL);
    CHECK(late != NULL && mesh_metric_value(late) >= 1);
    CHECK_EQ_U64(found[AROUND].n, 1);
    mesh_engine_free(engine);
    mesh_buf_deinit(&log);
    mesh_metrics_free(metrics);
    metrics = NULL;
}

/* A late record is answered at once, by what is still kept: of the last ones, those that an on-time record could pick. */
CASE(late_records_find_what_is_kept)
{
    struct mesh_engine *engine = start(&sorted);
    struct mesh_buf log = MESH_BUF_NULL;
    forget_found();
    mesh_engine_claim(engine, &log);
    other(engine, 0, 1, 100);
    other(engine, 1, 2, 110);
    ask(engine, 0, 3, 112);
    ask(engine, 1, 4, 130);
    other(engine, 2, 5, 130); /* time is 125 */
    CHECK_EQ_U64(found[LAST].n, 1);
    CHECK_EQ_I64(found[LAST].v[0].other, 2);
    ask(engine, 2, 6, 105); /* both were within; the first is not kept for `last`, nor needed */
    other(engine, 3, 7, 131);
    ask(engine, 3, 8, 131);
    CHECK_EQ_U64(found[LAST].n, 2);
    CHECK_EQ_I64(found[LAST].v[1].id, 6);
    CHECK_EQ_I64(found[LAST].v[1].other, 0);
    CHECK_EQ_I64(found[ALL].v[found[ALL].n - 1].id, 6);
    mesh_engine_free(engine);
    mesh_buf_deinit(&log);
    forget_found();
}
