/* Rows that are hidden until enough people are in them: what is counted, and that nothing but a test of a product sees them. */
#include "mini.h"

#include "../check.h"
#include "base/check.h"
#include "base/rng.h"

#include <stddef.h>
#include <stdlib.h>

#define MIN     4
#define GROUPS  5
#define PEOPLE  9
#define SIZE_US (10 * MINI_SECOND)
#define WINDOWS 6
#define EVENTS  400

/* ---- the set ---- */
static void clear(struct mesh_str *set)
{
    free((void *)(uintptr_t)set->p);
    *set = (struct mesh_str){0};
}

static bool same(struct mesh_str a, struct mesh_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ---- a view of sums by group and window, with a port of each kind ---- */
struct row {
    int64_t n;
    struct mesh_str people;
};
struct out {
    int64_t group, window_start, window_end;
    bool final;
    int64_t revision, n;
};
static const struct mesh_field row_fields[] = {
    {.name = "n", .type = MESH_LONG, .offset = offsetof(struct row, n)},
    {.name = "people", .type = MESH_BYTES, .offset = offsetof(struct row, people)},
};
static const struct mesh_field out_fields[] = {
    {.name = "group", .type = MESH_LONG, .offset = offsetof(struct out, group)},
    {.name = "window_start", .type = MESH_TIMESTAMP, .offset = offsetof(struct out, window_start)},
    {.name = "window_end", .type = MESH_TIMESTAMP, .offset = offsetof(struct out, window_end)},
    {.name = "final", .type = MESH_BOOL, .offset = offsetof(struct out, final)},
    {.name = "revision", .type = MESH_LONG, .offset = offsetof(struct out, revision)},
    {.name = "n", .type = MESH_LONG, .offset = offsetof(struct out, n)},
};

static struct mesh_str name_of(struct mesh_task *task, int64_t person)
{
    return mesh_text_of_long(task, person);
}

static void process(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct mini_event *e = record;
    for (uint32_t state = 0; state < 2; state++) {
        struct mesh_key key;
        mesh_key_begin(&key);
        mesh_key_long(&key, e->key);
        struct row *row = mesh_view_row(task, state, &key, event);
        if (row == NULL)
            continue;
        row->n++;
        mesh_people_add(task, &row->people, MIN, "customer", name_of(task, e->value));
    }
}

static void finish(const void *kept, void *shown)
{
    ((struct out *)shown)->n = ((const struct row *)kept)->n;
}

static void merge(void *into, const void *from)
{
    struct row *a = into;
    const struct row *b = from;
    a->n += b->n;
    mesh_people_merge(&a->people, b->people, MIN);
}

static void encode(struct mesh_task *task, const void *shown, struct mesh_out *value, struct mesh_out *key)
{
    const struct out *out = shown;
    (void)task;
    mesh_out_raw(key, &out->group, sizeof out->group);
    mesh_out_raw(value, out, sizeof *out);
}

#define VIEW(state_)                                                                                                               \
    .state = (state_), .out = out_fields, .n_out = 6, .n_key = 1, .out_size = sizeof(struct out), .finish = finish,                \
    .merge = merge, .min_people = MIN, .people = offsetof(struct row, people), .revision = offsetof(struct out, revision)
static const struct mesh_view views[] = {
    {.name = "windows",
     VIEW(0),
     .window = MESH_WINDOW_TUMBLING,
     .size_us = SIZE_US,
     .advance_us = SIZE_US,
     .window_start = offsetof(struct out, window_start),
     .window_end = offsetof(struct out, window_end),
     .final = offsetof(struct out, final)},
    {.name = "all", VIEW(1)},
};
#define STATE(view_)                                                                                                               \
    {                                                                                                                              \
        .name = "s", .kind = MESH_STATE_VIEW, .fields = row_fields, .n_fields = 2, .row_size = sizeof(struct row),                 \
        .keep_us = 1000 * SIZE_US, .view = &views[view_]                                                                           \
    }
static const struct mesh_state states[] = {STATE(0), STATE(1)};
static const struct mesh_input inputs[] = {MINI_INPUT("a", process)};
#define PORT(kind_, ...)                                                                                                           \
    {                                                                                                                              \
        .name = "p", .topic = "t", .kind = MESH_PORT_##kind_, .view = 0, .encode = encode, .path = "/p", .collection = "c",        \
        .out = out_fields, .n_out = 6, .replay = 1000, __VA_ARGS__                                                                 \
    }
static const struct mesh_port ports[] = {PORT(KAFKA, .emit = MESH_EMIT_CHANGE), PORT(KAFKA, .emit = MESH_EMIT_CLOSE),
                                         PORT(SSE, .emit = MESH_EMIT_CHANGE), PORT(MONGO, .emit = MESH_EMIT_CHANGE)};
static const uint32_t zero_one[] = {0, 1};
static const struct mesh_topology topology = {.name = "t", .inputs = zero_one, .n_inputs = 1, .states = zero_one, .n_states = 2};
static const struct mesh_product product = {.abi = MESH_ABI,
                                            .domain = "d",
                                            .name = "p",
                                            .state_hash = "x",
                                            .inputs = inputs,
                                            .n_inputs = 1,
                                            .states = states,
                                            .n_states = 2,
                                            .views = views,
                                            .n_views = 2,
                                            .ports = ports,
                                            .n_ports = 4,
                                            .topologies = &topology,
                                            .n_topologies = 1,
                                            .dlq_topic = "dlq",
                                            .late_topic = "late"};

/* ---- what must be seen: from the events alone ---- */
struct truth {
    int64_t n[WINDOWS + 1][GROUPS];
    bool in[WINDOWS + 1][GROUPS][PEOPLE]; /* the last one: of all windows */
};

static int64_t people(const struct truth *t, int w, int g)
{
    int64_t n = 0;
    for (int p = 0; p < PEOPLE; p++)
        n += t->in[w][g][p];
    return n;
}

static bool visible(const struct truth *t, int w, int g)
{
    return people(t, w, g) >= MIN;
}

static void fold(struct truth *t, const struct mini_event *e)
{
    int w = (int)((e->at - MINI_START_US) / SIZE_US);
    int both[] = {w, WINDOWS};
    for (int i = 0; i < 2; i++) {
        t->n[both[i]][e->key]++;
        t->in[both[i]][e->key][e->value] = true;
    }
}

/* All pages of a list; checks every row against the truth. Returns how many rows. */
static uint64_t check_list(struct mini *m, const struct truth *t, struct mesh_read read, uint64_t wanted)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf after = MESH_BUF_NULL;
    uint64_t n = 0;
    for (bool more = true; more;) {
        mesh_cleanup(mesh_rows_deinit) struct mesh_rows rows = {0};
        struct mesh_err err = {0};
        read.after = (struct mesh_str){after.p, (uint32_t)after.n};
        mesh_assert(mesh_engine_list(m->engine, &read, &rows, &err) == 0);
        CHECK_EQ_U64(rows.count, wanted);
        for (size_t i = 0; i < rows.n; i++) {
            struct out out;
            memcpy(&out, rows.rows.p + i * sizeof out, sizeof out);
            int w = read.view == 1 ? WINDOWS : (int)((out.window_start - MINI_START_US) / SIZE_US);
            CHECK(read.hidden || visible(t, w, (int)out.group));
            CHECK_EQ_I64(out.n, t->n[w][out.group]);
        }
        n += rows.n;
        more = rows.more;
        CHECK(!more || rows.n == read.limit);
        mesh_buf_reset(&after);
        mesh_buf_add(&after, rows.last.p == NULL ? "" : rows.last.p, rows.last.n);
    }
    CHECK_EQ_U64(n, wanted);
    return n;
}

static void check_points(struct mini *m, const struct truth *t)
{
    for (int g = 0; g < GROUPS; g++) {
        struct mesh_key key;
        mesh_key_begin(&key);
        mesh_key_long(&key, g);
        uint64_t windows = 0;
        int newest = -1;
        for (int w = 0; w < WINDOWS; w++) {
            windows += visible(t, w, g);
            newest = visible(t, w, g) ? w : newest;
        }
        for (int how = 0; how < 3; how++) {
            mesh_cleanup(mesh_rows_deinit) struct mesh_rows rows = {0};
            struct mesh_err err = {0};
            struct mesh_read read = {.view = how == 2 ? 1 : 0,
                                     .key = &key,
                                     .from_us = INT64_MIN,
                                     .to_us = INT64_MAX,
                                     .windows = how == 1 ? MESH_READ_LATEST : MESH_READ_ALL,
                                     .limit = 100};
            mesh_assert(mesh_engine_point(m->engine, &read, &rows, &err) == 0);
            CHECK_EQ_U64(rows.n, how == 0 ? windows : how == 1 ? (uint64_t)(newest >= 0) : (uint64_t)visible(t, WINDOWS, g));
            CHECK_EQ_U64(rows.count, rows.n);
            struct out out = {0};
            if (rows.n > 0)
                memcpy(&out, rows.rows.p, sizeof out);
            CHECK(how != 1 || rows.n == 0 || out.n == t->n[newest][g]);
        }
    }
}

static void check_reads(struct mini *m, const struct truth *t)
{
    uint64_t shown = 0;
    uint64_t kept = 0;
    uint64_t latest = 0;
    uint64_t all = 0;
    int newest = -1;
    for (int w = 0; w < WINDOWS; w++)
        for (int g = 0; g < GROUPS; g++) {
            shown += visible(t, w, g);
            kept += t->n[w][g] > 0;
            newest = visible(t, w, g) ? w : newest;
        }
    for (int g = 0; g < GROUPS; g++) {
        latest += newest >= 0 && visible(t, newest, g);
        all += visible(t, WINDOWS, g);
    }
    struct mesh_read read = {.from_us = INT64_MIN, .to_us = INT64_MAX, .limit = 2};
    check_list(m, t, read, shown);
    read.windows = MESH_READ_LATEST;
    check_list(m, t, read, latest);
    read.windows = MESH_READ_ALL;
    read.hidden = true;
    check_list(m, t, read, kept);
    read = (struct mesh_read){.view = 1, .from_us = INT64_MIN, .to_us = INT64_MAX, .limit = 2};
    check_list(m, t, read, all);
    check_points(m, t);
}

/* ---- what leaves ---- */
static const struct truth *now; /* what is visible at this commit */
static uint64_t told, sent, closed, stored;

static void leaves(const struct out *out)
{
    CHECK(visible(now, (int)((out->window_start - MINI_START_US) / SIZE_US), (int)out->group));
}

static void event_text(void *context, uint32_t port, const void *shown, bool removed, struct mesh_buf *out)
{
    (void)context;
    CHECK(port == 2 && !removed);
    leaves(shown);
    told++;
    mesh_buf_puts(out, "x");
}

static void check_leaving(struct mini *m)
{
    struct mesh_message message;
    struct mesh_document document;
    while (mesh_engine_next_message(m->engine, &message)) {
        struct out out;
        if (message.dest > 1)
            continue; /* late: none of a port's */
        CHECK_EQ_U64(message.value.n, 5 + sizeof out);
        memcpy(&out, message.value.p + 5, sizeof out);
        leaves(&out);
        sent += message.dest == 0;
        closed += message.dest == 1;
        mesh_engine_acked(m->engine, message.ticket);
    }
    while (mesh_engine_next_document(m->engine, &document)) {
        CHECK(!document.removed);
        leaves(document.out);
        stored++;
        if (stored % 3 != 0)
            mesh_engine_stored(m->engine, document.ticket);
    }
}

static void run(uint64_t seed, int crash)
{
    struct mini m = {.event_text = event_text};
    struct mesh_rng rng;
    struct truth *t = calloc(1, sizeof *t);
    mesh_rng_seed(&rng, seed);
    mini_start_with(&m, &product);
    now = t;
    for (int i = 0; i < EVENTS; i++) {
        int64_t at = MINI_START_US + (int64_t)i * (WINDOWS * SIZE_US - 1) / EVENTS;
        int64_t group = (int64_t)mesh_rng_below(&rng, GROUPS);
        /* Small groups never have enough people. */
        struct mini_event e = {i, group, (int64_t)mesh_rng_below(&rng, group == 0 ? MIN - 1 : PEOPLE), at, 0};
        fold(t, &e);
        mini_feed(&m, 0, &e);
        if (i % 7 == 0)
            check_reads(&m, t);
        if (crash > 0 && i % crash == crash - 1)
            mini_crash(&m);
        else if (i % 5 == 0 && mesh_engine_commit(m.engine, 0, &m.log))
            mesh_engine_durable(m.engine);
        check_leaving(&m);
    }
    check_reads(&m, t);
    for (int w = 0; w <= WINDOWS; w++)
        CHECK(!visible(t, w, 0));
    mini_stop(&m);
    free(t);
}

CASE(no_border_shows_a_row_of_few_people)
{
    told = sent = closed = stored = 0;
    for (uint64_t seed = 1; seed <= 4; seed++)
        run(seed, 0);
    for (uint64_t seed = 5; seed <= 8; seed++)
        run(seed, 37);
    CHECK(told > 100 && sent > 100 && closed > 20 && stored > 100); /* and it does show the others */
}

/* ---- sets: the same people, the same bytes ---- */
static struct mesh_task *some_task; /* keys of a task are the mesh's */
static struct mesh_str whole;
static uint64_t set_seed;

static void fill(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    (void)event;
    (void)record;
    struct mesh_rng rng;
    mesh_rng_seed(&rng, set_seed);
    some_task = task;
    uint32_t min = 2 + (uint32_t)mesh_rng_below(&rng, 12);
    uint32_t n = (uint32_t)mesh_rng_below(&rng, 16);
    struct mesh_str parts[3] = {0};
    bool in[16] = {false};
    uint32_t different = 0;
    for (uint32_t i = 0; i < 2 * n; i++) {
        int64_t person = (int64_t)mesh_rng_below(&rng, n);
        different += !in[person];
        in[person] = true;
        mesh_people_add(task, &whole, min, "customer", name_of(task, person));
        mesh_people_add(task, &parts[mesh_rng_below(&rng, 3)], min, "customer", name_of(task, person));
        CHECK(whole.n <= 8 * (min + 1)); /* no more than is needed is kept */
    }
    for (int a = 0; a < 3; a++) { /* any of them takes in the others */
        struct mesh_str sum = {0};
        for (int i = 0; i < 3; i++)
            mesh_people_merge(&sum, parts[(a + i) % 3], min);
        CHECK(same(sum, whole));
        clear(&sum);
    }
    uint32_t enough = 0;
    memcpy(&enough, whole.n >= 4 ? whole.p : "\0\0\0", 4);
    CHECK_EQ_U64(enough, different >= min ? min : 0);
    for (int i = 0; i < 3; i++)
        clear(&parts[i]);
    clear(&whole);
}

static const struct mesh_input set_input[] = {MINI_INPUT("a", fill)};
static const struct mesh_topology set_topology = {.name = "t", .inputs = zero_one, .n_inputs = 1};
static const struct mesh_product set_product = {.abi = MESH_ABI,
                                                .domain = "d",
                                                .name = "p",
                                                .state_hash = "x",
                                                .inputs = set_input,
                                                .n_inputs = 1,
                                                .topologies = &set_topology,
                                                .n_topologies = 1,
                                                .dlq_topic = "dlq",
                                                .late_topic = "late"};

CASE(the_same_people_are_the_same_bytes)
{
    struct mini m = {0};
    mini_start(&m, &set_product);
    for (set_seed = 1; set_seed <= 300; set_seed++)
        mini_feed(&m, 0, &(struct mini_event){.at = MINI_START_US + (int64_t)set_seed});
    CHECK(some_task != NULL);
    mini_stop(&m);
}

CASE(hashes_of_two_keys_are_not_added_up)
{
    struct mesh_str old = {0};
    struct mesh_str new = {0};
    static const char a[] = "\0\0\0\0key1hash-of-1hash-of-2";
    static const char b[] = "\0\0\0\0key2other--1other--2";
    mesh_people_merge(&old, (struct mesh_str){a, 24}, 4);
    CHECK(same(old, (struct mesh_str){a, 24}));
    mesh_people_merge(&old, (struct mesh_str){b, 24}, 4); /* together they would be four */
    CHECK(same(old, (struct mesh_str){b, 24}));
    mesh_people_merge(&new, (struct mesh_str){a, 24}, 3);
    mesh_people_merge(&new, (struct mesh_str){"\4\0\0\0", 4}, 3); /* enough is enough, whatever the key was */
    CHECK(same(new, (struct mesh_str){"\3\0\0\0", 4}));
    clear(&old);
    clear(&new);
}
