/* Steps against naive evaluations: dedupe, sliding windows, patterns, versions, hopping windows. One input, one task, so that the order
 * is the order of the offsets; event times go back and forth within the delay. */
#include "again.h"
#include "flow/engine.h"
#include "mesh/mesh.h"

#include "../check.h"
#include "base/check.h"
#include "base/rng.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#define SECOND    INT64_C(1000000)
#define DELAY_US  (5 * SECOND)
#define WITHIN_US (20 * SECOND)
#define KEEP_US   (60 * SECOND)
#define N         3000
#define KEYS      5

struct event {
    int64_t key, value, at;
    bool first; /* what the step said */
    int64_t n;
    mesh_dec sum;
    double real, low, high;
    bool any;
    int64_t completed; /* value that the completed run began with; 0: none */
    int64_t version;
    int64_t windows;
};

static struct event got[N];
static int n_got;

enum { SEEN, RING, RUNS, VERSIONS, HOPS, N_STATES };

struct captured {
    int64_t first;
};
struct version {
    int64_t value;
};
struct hop_row {
    int64_t n;
};
struct hop_out {
    int64_t key, start, end;
    bool final;
    int64_t revision, n;
};

static const struct mesh_field captured_fields[] = {
    {.name = "first", .type = MESH_LONG, .offset = offsetof(struct captured, first)}};
static const struct mesh_field version_fields[] = {{.name = "value", .type = MESH_LONG, .offset = offsetof(struct version, value)}};
static const struct mesh_field hop_fields[] = {{.name = "n", .type = MESH_LONG, .offset = offsetof(struct hop_row, n)}};
static const struct mesh_field hop_outs[] = {{.name = "key", .type = MESH_LONG, .offset = offsetof(struct hop_out, key)},
                                             {.name = "n", .type = MESH_LONG, .offset = offsetof(struct hop_out, n)}};
static const enum mesh_type cells[] = {MESH_LONG, MESH_DOUBLE};
static const uint16_t times[] = {2, 1};

static void capture(struct mesh_task *task, void *run, uint32_t step, const void *record)
{
    (void)task;
    struct captured *to = run;
    if (step == 0 && to->first == 0)
        to->first = ((const struct event *)record)->value;
}

static void complete(struct mesh_task *task, const struct mesh_event *event, const void *run, const void *record)
{
    (void)task, (void)event, (void)record;
    got[n_got - 1].completed = ((const struct captured *)run)->first;
}

static void finish(const void *row, void *out)
{
    ((struct hop_out *)out)->n = ((const struct hop_row *)row)->n;
}

static const struct mesh_view view = {.name = "hops",
                                      .state = HOPS,
                                      .out = hop_outs,
                                      .n_out = 2,
                                      .n_key = 1,
                                      .out_size = sizeof(struct hop_out),
                                      .window = MESH_WINDOW_HOPPING,
                                      .size_us = 10 * SECOND,
                                      .advance_us = 4 * SECOND,
                                      .window_start = offsetof(struct hop_out, start),
                                      .window_end = offsetof(struct hop_out, end),
                                      .final = offsetof(struct hop_out, final),
                                      .revision = offsetof(struct hop_out, revision),
                                      .finish = finish};

static const struct mesh_state states[N_STATES] = {
    [SEEN] = {.name = "seen", .kind = MESH_STATE_DEDUPE, .within_us = WITHIN_US},
    [RING] = {.name = "ring", .kind = MESH_STATE_RING, .keep_us = KEEP_US, .cells = cells, .n_cells = 2},
    [RUNS] = {.name = "runs",
              .kind = MESH_STATE_PATTERN,
              .within_us = WITHIN_US,
              .times = times,
              .n_steps = 2,
              .capture = capture,
              .complete = complete,
              .fields = captured_fields,
              .n_fields = 1,
              .row_size = sizeof(struct captured)},
    [VERSIONS] = {.name = "versions",
                  .kind = MESH_STATE_VERSIONS,
                  .fields = version_fields,
                  .n_fields = 1,
                  .row_size = sizeof(struct version)},
    [HOPS] = {.name = "hops",
              .kind = MESH_STATE_VIEW,
              .fields = hop_fields,
              .n_fields = 1,
              .row_size = sizeof(struct hop_row),
              .view = &view},
};

static uint64_t hits_of(const struct event *e)
{
    return (e->value % 3 == 0 ? 1u : 0u) | (e->value % 5 == 0 ? 2u : 0u);
}

static void process(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    struct event *e = &got[n_got++];
    *e = *(const struct event *)record;
    struct mesh_key key;
    mesh_key_begin(&key);
    mesh_key_long(&key, e->key);
    struct mesh_key value = key;
    mesh_key_long(&value, e->value);
    e->first = mesh_dedupe(task, SEEN, &value, event);
    union mesh_cell cell[2] = {{.d = e->value}, {.f = (double)e->value / 3}};
    struct mesh_ring *ring = mesh_ring_add(task, RING, &key, event, cell);
    union mesh_cell sums[2];
    union mesh_cell low;
    union mesh_cell high;
    int64_t to = event->time_us - 2 * SECOND;
    e->n = mesh_ring_sum(ring, to - 30 * SECOND, to, sums);
    e->sum = sums[0].d;
    e->real = sums[1].f;
    e->any = mesh_ring_range(ring, to - 30 * SECOND, to, 1, &low, &high);
    e->low = e->any ? low.f : 0;
    e->high = e->any ? high.f : 0;
    mesh_pattern(task, RUNS, &key, event, hits_of(e), record);
    const struct version *found = mesh_lookup_as_of(task, VERSIONS, &key, event->time_us - 3 * SECOND);
    e->version = found == NULL ? -1 : found->value;
    struct version v = {e->value};
    mesh_table_put(task, VERSIONS, &key, event, event->time_us, &v);
    bool done = false;
    for (uint32_t window = 0; !done; window++) {
        struct hop_row *row = mesh_view_row_hop(task, HOPS, &key, event, window, &done);
        if (row != NULL) {
            row->n++;
            e->windows++;
        }
    }
}

static void decode(struct mesh_in *in, uint32_t version, void *record)
{
    (void)version;
    struct event *e = record;
    e->key = mesh_in_long(in);
    e->value = mesh_in_long(in);
    e->at = mesh_in_micros(in);
}

static int64_t event_time(const void *record)
{
    return ((const struct event *)record)->at;
}

static const struct mesh_contract contract = {.name = "c", .local_id = 1};
static const struct mesh_input input = {.name = "in",
                                        .topic = "in",
                                        .kind = MESH_INPUT_STREAM,
                                        .contracts = &contract,
                                        .n_contracts = 1,
                                        .record_size = sizeof(struct event),
                                        .decode = decode,
                                        .event_time = event_time,
                                        .process = process,
                                        .delay_us = DELAY_US};
static const uint32_t zero[] = {0};
static const uint32_t all_states[] = {0, 1, 2, 3, 4};
static const struct mesh_topology topology = {
    .name = "t", .inputs = zero, .n_inputs = 1, .states = all_states, .n_states = N_STATES, .ordered = true};
static const struct mesh_product product = {.abi = MESH_ABI,
                                            .domain = "d",
                                            .name = "p",
                                            .state_hash = "x",
                                            .inputs = &input,
                                            .n_inputs = 1,
                                            .states = states,
                                            .n_states = N_STATES,
                                            .views = &view,
                                            .n_views = 1,
                                            .topologies = &topology,
                                            .n_topologies = 1,
                                            .dlq_topic = "dlq",
                                            .late_topic = "late"};

static struct mesh_engine *start(void)
{
    static const int32_t ones[] = {1, 1, 1};
    static const uint32_t ids[] = {1};
    static const uint32_t *const wires[] = {ids};
    struct mesh_engine_conf conf = {.product = &product,
                                    .input_partitions = ones,
                                    .port_partitions = ones,
                                    .wire_ids = wires,
                                    .port_ids = ids,
                                    .generation = 1,
                                    .commit_interval_us = 1};
    struct mesh_engine *engine = NULL;
    struct mesh_err err = {0};
    mesh_assert(mesh_engine_new(&conf, &engine, &err) == 0);
    return engine;
}

/* All records, one by one; with a restart from the log every `restart` records (0: never). */
static void run(const struct event *events, int restart)
{
    struct mesh_engine *engine = start();
    struct mesh_buf log = MESH_BUF_NULL;
    struct mesh_err err = {0};
    n_got = 0;
    mesh_engine_claim(engine, &log);
    for (int i = 0; i < N; i++) {
        struct mesh_out value = {0};
        mesh_out_raw(&value, "\0\0\0\0\1", 5);
        mesh_out_long(&value, events[i].key);
        mesh_out_long(&value, events[i].value);
        mesh_out_long(&value, events[i].at);
        struct mesh_record record = {.offset = i, .key = {"k", 1}, .value = {(const char *)value.p, (uint32_t)value.n}};
        CHECK(mesh_engine_feed(engine, 0, 0, &record, 1, i, &err) == 0);
        mesh_out_deinit(&value);
        if (restart == 0 || i % restart != restart - 1)
            continue;
        CHECK(mesh_engine_commit(engine, i, &log));
        mesh_engine_durable(engine);
        mesh_engine_free(engine);
        engine = start();
        mesh_assert(engine_again(engine, &log, log.n, &err) == 0);
        CHECK_EQ_I64(mesh_engine_position(engine, 0, 0), i + 1);
    }
    mesh_engine_free(engine);
    mesh_buf_deinit(&log);
}

static void make(struct event *events, uint64_t seed)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, seed);
    int64_t at = 1700000000 * SECOND;
    for (int i = 0; i < N; i++) {
        at += (int64_t)mesh_rng_below(&rng, 2 * (uint64_t)SECOND);
        events[i] = (struct event){.key = (int64_t)mesh_rng_below(&rng, KEYS), .value = 1 + (int64_t)mesh_rng_below(&rng, 40)};
        events[i].at = at - (int64_t)mesh_rng_below(&rng, (uint64_t)DELAY_US);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = *(struct event *const *)a;
    const struct event *y = *(struct event *const *)b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x < y ? -1 : x > y; /* arrival */
}

/* What each step should have said, straight from its definition. */
static void check_naive(struct event *events)
{
    int64_t wm = INT64_MIN;
    for (int i = 0; i < N; i++) {
        struct event *e = &got[i];
        /* dedupe: the newest accepted one of the same key */
        static bool accepted[N];
        bool first = true;
        int64_t newest = INT64_MIN;
        for (int k = 0; k < i; k++)
            if (accepted[k] && events[k].key == e->key && events[k].value == e->value && events[k].at > newest)
                newest = events[k].at;
        if (newest != INT64_MIN && llabs(newest - e->at) <= WITHIN_US && newest >= wm - WITHIN_US)
            first = false;
        accepted[i] = first;
        CHECK(e->first == first);
        /* the window (t - 32 s, t - 2 s] */
        struct event *window[N];
        size_t n = 0;
        for (int k = 0; k <= i; k++) {
            int64_t to = e->at - 2 * SECOND;
            if (events[k].key == e->key && events[k].at > to - 30 * SECOND && events[k].at <= to)
                window[n++] = &events[k];
        }
        if (n > 0)
            qsort(window, n, sizeof window[0], by_time);
        mesh_dec sum = 0;
        double real = 0;
        double low = INFINITY;
        double high = -INFINITY;
        for (size_t k = 0; k < n; k++) {
            double v = (double)window[k]->value / 3;
            sum += window[k]->value;
            real += v;
            low = v < low ? v : low;
            high = v > high ? v : high;
        }
        CHECK_EQ_I64(e->n, (int64_t)n);
        CHECK(e->sum == sum);
        CHECK(memcmp(&e->real, &real, sizeof real) == 0);
        CHECK(e->any == (n > 0) && (n == 0 || (e->low >= low && e->low <= low && e->high >= high && e->high <= high)));
        /* the version in force */
        int64_t version = -1;
        int64_t since = INT64_MIN;
        for (int k = 0; k < i; k++) {
            if (events[k].key == e->key && events[k].at <= e->at - 3 * SECOND && events[k].at >= since) {
                since = events[k].at;
                version = events[k].value;
            }
        }
        CHECK_EQ_I64(e->version, version);
        /* hopping windows of 10 s every 4 s that had not closed for the source */
        int64_t windows = 0;
        for (int64_t start = e->at / SECOND / 4 * 4 * SECOND; start + 10 * SECOND > e->at; start -= 4 * SECOND)
            windows += start + 10 * SECOND > wm;
        CHECK_EQ_I64(e->windows, windows);
        if (e->at - DELAY_US > wm)
            wm = e->at - DELAY_US;
    }
}

struct run_of {
    int64_t key, first_us, began;
    int step, hits;
    bool live;
};

static void check_patterns(void)
{
    static struct run_of runs[N + 1];
    int n = 0;
    int completed = 0;
    int64_t wm = INT64_MIN;
    for (int i = 0; i < N; i++) {
        struct event *e = &got[i];
        int64_t now = wm > e->at ? wm : e->at;
        uint64_t hits = hits_of(e);
        int64_t result = 0;
        bool starts = (hits & 1) != 0;
        bool touched = hits != 0;
        for (int k = 0; k < n && touched && result == 0; k++) {
            struct run_of *r = &runs[k];
            if (!r->live || r->key != e->key)
                continue;
            if (now - r->first_us > WITHIN_US) {
                r->live = false;
                continue;
            }
            if ((hits >> r->step & 1) == 0)
                continue;
            if (++r->hits == times[r->step]) {
                r->step++;
                r->hits = 0;
                if (r->step == 2)
                    result = r->began;
            }
        }
        if (result != 0) {
            completed++;
            for (int k = 0; k < n; k++)
                runs[k].live &= runs[k].key != e->key;
        } else if (starts) {
            runs[n++] = (struct run_of){e->key, e->at, e->value, 0, 1, true};
        }
        CHECK_EQ_I64(e->completed, result);
        if (e->at - DELAY_US > wm)
            wm = e->at - DELAY_US;
    }
    CHECK(completed > 20);
}

static void with_restarts(int restart)
{
    static struct event events[N];
    for (uint64_t seed = 1; seed <= 2; seed++) {
        make(events, seed);
        run(events, restart);
        CHECK_EQ_I64(n_got, N);
        check_naive(events);
        check_patterns();
    }
}

CASE(steps_do_what_they_are_defined_as)
{
    with_restarts(0);
}
CASE(steps_do_the_same_over_restarts)
{
    with_restarts(60);
}

CASE(keys_sort_as_their_values)
{
    static const struct mesh_str texts[] = {{"", 0},    {"\0", 1},   {"\0\0", 2}, {"\0a", 2}, {"a", 1},
                                            {"a\0", 2}, {"a\0b", 3}, {"aa", 2},   {"\xff", 1}};
    static const int64_t numbers[] = {INT64_MIN, -5, -1, 0, 1, 255, 256, INT64_MAX};
    enum { T = 9, M = 8 };
    struct mesh_key keys[T * M];
    for (int t = 0; t < T; t++) {
        for (int m = 0; m < M; m++) {
            mesh_key_begin(&keys[t * M + m]);
            mesh_key_str(&keys[t * M + m], texts[t]);
            mesh_key_long(&keys[t * M + m], numbers[m]);
        }
    }
    for (int i = 1; i < T * M; i++)
        CHECK(mesh_str_cmp((struct mesh_str){(const char *)keys[i - 1].bytes, keys[i - 1].n},
                           (struct mesh_str){(const char *)keys[i].bytes, keys[i].n}) < 0);
    char big[MESH_KEY_BYTES_MAX];
    memset(big, 'x', sizeof big);
    mesh_key_begin(&keys[0]);
    mesh_key_str(&keys[0], (struct mesh_str){big, sizeof big - 2});
    CHECK(!keys[0].too_long && keys[0].n == MESH_KEY_BYTES_MAX);
    mesh_key_bool(&keys[0], true);
    CHECK(keys[0].too_long);
}
