/* Sessions as readers find them: lists by page, points, the latest of each key, open and closed ones; the same behind a restart; and what
 * goes with `keep`. That the sessions themselves are right is a matter of tests/oracle. */
#include "again.h"
#include "flow/engine.h"
#include "mesh/mesh.h"

#include "../check.h"
#include "base/check.h"
#include "base/rng.h"

#include <stddef.h>
#include <stdlib.h>

#define SECOND   INT64_C(1000000)
#define GAP_US   (10 * SECOND)
#define GRACE_US (20 * SECOND)
#define N        2000
#define KEYS     20
#define ROWS_MAX 2000

struct event {
    int64_t key, at;
};

struct row {
    int64_t n;
};

struct out {
    int64_t key, start, end;
    bool final;
    int64_t revision, n;
};

static const struct mesh_field row_fields[] = {{.name = "n", .type = MESH_LONG, .offset = offsetof(struct row, n)}};
static const struct mesh_field out_fields[] = {{.name = "key", .type = MESH_LONG, .offset = offsetof(struct out, key)},
                                               {.name = "n", .type = MESH_LONG, .offset = offsetof(struct out, n)}};

static void finish(const void *row, void *out)
{
    ((struct out *)out)->n = ((const struct row *)row)->n;
}

static void merge(void *into, const void *from)
{
    ((struct row *)into)->n += ((const struct row *)from)->n;
}

static const struct mesh_view view = {.name = "visits",
                                      .out = out_fields,
                                      .n_out = 2,
                                      .n_key = 1,
                                      .out_size = sizeof(struct out),
                                      .window = MESH_WINDOW_SESSION,
                                      .size_us = GAP_US,
                                      .grace_us = GRACE_US,
                                      .window_start = offsetof(struct out, start),
                                      .window_end = offsetof(struct out, end),
                                      .final = offsetof(struct out, final),
                                      .revision = offsetof(struct out, revision),
                                      .merge = merge,
                                      .finish = finish};
static struct mesh_state state = {
    .name = "visits", .kind = MESH_STATE_VIEW, .fields = row_fields, .n_fields = 1, .row_size = sizeof(struct row), .view = &view};

static void process(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    struct mesh_key key;
    mesh_key_begin(&key);
    mesh_key_long(&key, ((const struct event *)record)->key);
    struct row *row = mesh_view_row(task, 0, &key, event);
    if (row != NULL)
        row->n++;
}

static void decode(struct mesh_in *in, uint32_t version, void *record)
{
    (void)version;
    struct event *e = record;
    e->key = mesh_in_long(in);
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
                                        .process = process};
static const uint32_t zero[] = {0};
static const struct mesh_topology topology = {.name = "t", .inputs = zero, .n_inputs = 1, .states = zero, .n_states = 1};
static const struct mesh_product product = {.abi = MESH_ABI,
                                            .domain = "d",
                                            .name = "p",
                                            .state_hash = "x",
                                            .inputs = &input,
                                            .n_inputs = 1,
                                            .states = &state,
                                            .n_states = 1,
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

static struct mesh_engine *restart(struct mesh_engine *engine, struct mesh_buf *log)
{
    struct mesh_err err = {0};
    mesh_engine_commit(engine, 0, log);
    mesh_engine_durable(engine);
    mesh_engine_free(engine);
    engine = start();
    mesh_assert(engine_again(engine, log, log->n, &err) == 0);
    return engine;
}

/* Records with pauses of each key, and some out of order; with a restart behind every `every` (0: never). */
static struct mesh_engine *run(uint64_t seed, int every, struct mesh_buf *log)
{
    struct mesh_engine *engine = start();
    struct mesh_err err = {0};
    struct mesh_rng rng;
    mesh_rng_seed(&rng, seed);
    mesh_engine_claim(engine, log);
    int64_t at = 1700000000 * SECOND;
    for (int i = 0; i < N; i++) {
        at += (int64_t)mesh_rng_below(&rng, (uint64_t)SECOND);
        struct mesh_out value = {0};
        mesh_out_raw(&value, "\0\0\0\0\1", 5);
        mesh_out_long(&value, (int64_t)mesh_rng_below(&rng, KEYS));
        mesh_out_long(&value, at - (int64_t)mesh_rng_below(&rng, (uint64_t)GAP_US));
        struct mesh_record record = {.offset = i, .key = {"k", 1}, .value = {(const char *)value.p, (uint32_t)value.n}};
        CHECK(mesh_engine_feed(engine, 0, 0, &record, 1, i, &err) == 0);
        mesh_out_deinit(&value);
        if (every > 0 && i % every == every - 1)
            engine = restart(engine, log);
    }
    return engine;
}

static size_t list(struct mesh_engine *engine, struct mesh_read read, struct out *ret, uint64_t *ret_count)
{
    size_t n = 0;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf after = MESH_BUF_NULL;
    for (bool more = true; more;) {
        mesh_cleanup(mesh_rows_deinit) struct mesh_rows rows = {0};
        struct mesh_err err = {0};
        read.after = (struct mesh_str){after.p, (uint32_t)after.n};
        mesh_assert((read.key == NULL ? mesh_engine_list : mesh_engine_point)(engine, &read, &rows, &err) == 0);
        mesh_assert(n + rows.n <= ROWS_MAX && rows.n <= read.limit);
        if (rows.n > 0)
            memcpy(ret + n, rows.rows.p, rows.n * sizeof *ret);
        n += rows.n;
        *ret_count = rows.count;
        mesh_buf_reset(&after);
        mesh_buf_add(&after, rows.last.p == NULL ? "" : rows.last.p, rows.last.n);
        more = rows.more;
    }
    return n;
}

static const struct mesh_read everything = {.from_us = INT64_MIN, .to_us = INT64_MAX, .limit = ROWS_MAX};
static struct out all[ROWS_MAX], some[ROWS_MAX];

CASE(pages_are_the_whole_list)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf log = MESH_BUF_NULL;
    struct mesh_engine *engine = run(1, 0, &log);
    uint64_t count = 0;
    size_t n = list(engine, everything, all, &count);
    CHECK(n > 5 * KEYS);
    CHECK_EQ_U64(count, n);
    for (size_t i = 1; i < n; i++)
        CHECK(all[i - 1].start < all[i].start || (all[i - 1].start == all[i].start && all[i - 1].key < all[i].key));
    struct mesh_read read = everything;
    for (read.limit = 1; read.limit < 40; read.limit += 13) {
        CHECK_EQ_U64(list(engine, read, some, &count), n);
        CHECK(memcmp(all, some, n * sizeof *all) == 0);
        CHECK_EQ_U64(count, n);
    }
    read.limit = 0;
    struct mesh_err err = {0};
    mesh_cleanup(mesh_rows_deinit) struct mesh_rows rows = {0};
    CHECK(mesh_engine_list(engine, &read, &rows, &err) == 0);
    CHECK(rows.n == 0 && rows.count == n);
    mesh_engine_free(engine);
}

static bool wanted(const struct mesh_read *read, size_t i, size_t n)
{
    if (all[i].start < read->from_us || all[i].start >= read->to_us)
        return false;
    if (read->windows == MESH_READ_OPEN || read->windows == MESH_READ_CLOSED)
        return all[i].final == (read->windows == MESH_READ_CLOSED);
    for (size_t k = 0; k < n && read->windows == MESH_READ_LATEST; k++)
        if (all[k].key == all[i].key && all[k].start > all[i].start && all[k].start < read->to_us)
            return false;
    return true;
}

CASE(each_question_finds_its_rows)
{
    static const enum mesh_read_windows windows[] = {MESH_READ_ALL, MESH_READ_LATEST, MESH_READ_OPEN, MESH_READ_CLOSED};
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf log = MESH_BUF_NULL;
    struct mesh_engine *engine = run(2, 0, &log);
    uint64_t count = 0;
    size_t n = list(engine, everything, all, &count);
    for (size_t w = 0; w < 8; w++) {
        struct mesh_read read = everything;
        read.windows = windows[w % 4];
        if (w >= 4) {
            read.from_us = all[n / 4].start;
            read.to_us = all[n / 2].start;
        }
        size_t expected = 0;
        for (size_t i = 0; i < n; i++)
            expected += wanted(&read, i, n) ? 1 : 0;
        CHECK(expected > 0 || (w >= 4 && read.windows == MESH_READ_OPEN));
        CHECK_EQ_U64(list(engine, read, some, &count), expected);
        CHECK_EQ_U64(count, expected);
        for (int64_t k = 0; k <= KEYS; k++) { /* the last one is nobody's */
            struct mesh_key key;
            mesh_key_begin(&key);
            mesh_key_long(&key, k);
            read.key = &key;
            size_t found = list(engine, read, some, &count);
            size_t of_key = 0;
            for (size_t i = 0; i < n; i++) {
                if (all[i].key != k || !wanted(&read, i, n))
                    continue;
                CHECK(of_key < found && memcmp(&all[i], &some[of_key], sizeof all[i]) == 0);
                of_key++;
            }
            CHECK_EQ_U64(found, of_key);
        }
    }
    mesh_engine_free(engine);
}

CASE(a_restart_changes_nothing)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf log = MESH_BUF_NULL;
    uint64_t count = 0;
    struct mesh_engine *engine = run(3, 0, &log);
    size_t n = list(engine, everything, all, &count);
    mesh_engine_free(engine);
    for (int every = 7; every < 400; every *= 5) {
        mesh_buf_reset(&log);
        engine = run(3, every, &log);
        CHECK_EQ_U64(list(engine, everything, some, &count), n);
        CHECK(memcmp(all, some, n * sizeof *all) == 0);
        mesh_engine_free(engine);
    }
}

CASE(what_is_kept_is_what_is_young)
{
    uint64_t count = 0;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf log = MESH_BUF_NULL;
    struct mesh_engine *engine = run(4, 0, &log);
    size_t n = list(engine, everything, all, &count);
    mesh_engine_free(engine);
    int64_t newest = 0;
    for (size_t i = 0; i < n; i++)
        newest = all[i].end - GAP_US > newest ? all[i].end - GAP_US : newest;
    state.keep_us = 120 * SECOND;
    for (int every = 0; every < 200; every += 99) {
        mesh_buf_reset(&log);
        engine = run(4, every, &log);
        size_t kept = list(engine, everything, some, &count);
        size_t k = 0;
        for (size_t i = 0; i < n; i++) {
            if (all[i].end + state.keep_us < newest)
                continue;
            CHECK(k < kept && memcmp(&all[i], &some[k], sizeof all[i]) == 0);
            k++;
        }
        CHECK_EQ_U64(kept, k);
        CHECK(k > 0 && k < n);
        mesh_engine_free(engine);
    }
    state.keep_us = 0;
}
