/* Patterns with what must not come, and what did not, against their definition: each asked of the events alone, in the order of event
 * time, without runs. */
#include "mini.h"

#include "../check.h"
#include "base/rng.h"
#include "base/vec.h"

#include <stdlib.h>

#define N    1500
#define KEYS 4

/* What a record is: it may be several. */
#define IS_A(e) ((e)->value % 3 == 0)
#define IS_B(e) ((e)->value % 4 == 0)
#define IS_C(e) ((e)->value % 5 == 0)

enum { UNANSWERED, UNBROKEN, SILENT, FIRST_ONLY, TWICE, N_PATTERNS };

struct done {
    int64_t id, by, at; /* the run's first record, the one that completed it (0: time), and when */
};
static MESH_VEC(struct done) done[N_PATTERNS];

static void capture(struct mesh_task *task, void *run, uint32_t step, const void *record)
{
    (void)task;
    struct mini_event *to = run;
    const struct mini_event *e = record;
    if (step == 0 && to->id == 0)
        *to = (struct mini_event){.id = e->id, .at = e->at};
}

static void note(int pattern, const struct mesh_event *event, const void *run, const void *record)
{
    const struct mini_event *first = run;
    const struct mini_event *by = record;
    *mesh_vec_push(&done[pattern]) = (struct done){first->id, by == NULL ? 0 : by->id, event->time_us};
}

#define COMPLETE(pattern)                                                                                                          \
    static void complete_##pattern(struct mesh_task *task, const struct mesh_event *event, const void *run, const void *record)    \
    {                                                                                                                              \
        (void)task;                                                                                                                \
        note(pattern, event, run, record);                                                                                         \
    }
COMPLETE(UNANSWERED)
COMPLETE(UNBROKEN)
COMPLETE(SILENT)
COMPLETE(FIRST_ONLY)
COMPLETE(TWICE)

#define PATTERN(pattern, how, absent, ...)                                                                                         \
    [pattern] = {.name = #pattern,                                                                                                 \
                 .kind = MESH_STATE_PATTERN,                                                                                       \
                 .within_us = 20 * MINI_SECOND,                                                                                    \
                 .times = (const uint16_t[]){__VA_ARGS__},                                                                         \
                 .n_steps = sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t),                                            \
                 .absent_us = (absent)*MINI_SECOND,                                                                                \
                 .overlap = MESH_OVERLAP_##how,                                                                                    \
                 .capture = capture,                                                                                               \
                 .complete = complete_##pattern,                                                                                   \
                 .fields = mini_fields,                                                                                            \
                 .n_fields = 2,                                                                                                    \
                 .row_size = sizeof(struct mini_event)}

static const struct mesh_state states[N_PATTERNS] = {
    PATTERN(UNANSWERED, ALL, 10, 1, 0),  PATTERN(UNBROKEN, ALL, 0, 1, 0, 1), PATTERN(SILENT, LATEST, 7, 1, 0),
    PATTERN(FIRST_ONLY, SKIP, 10, 1, 0), PATTERN(TWICE, ALL, 5, 2, 0, 1, 0),
};

static void process(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct mini_event *e = record;
    struct mesh_key key;
    mesh_key_begin(&key);
    mesh_key_long(&key, e->key);
    uint64_t a = IS_A(e) ? 1 : 0;
    uint64_t b = IS_B(e) ? 1 : 0;
    uint64_t c = IS_C(e) ? 1 : 0;
    mesh_pattern(task, UNANSWERED, &key, event, a | b << 1, e);        /* a, and no b for 10 s */
    mesh_pattern(task, UNBROKEN, &key, event, a | b << 1 | c << 2, e); /* a, no b, c */
    mesh_pattern(task, SILENT, &key, event, a | a << 1, e);            /* a, and no a for 7 s */
    mesh_pattern(task, FIRST_ONLY, &key, event, a | b << 1, e);
    mesh_pattern(task, TWICE, &key, event, a | b << 1 | c << 2 | a << 3, e); /* a twice, no b, c, and no a for 5 s */
}

static const struct mesh_input inputs[] = {MINI_INPUT("one", process), MINI_INPUT("two", process)};
MINI_PRODUCT(sorted, inputs, 2, states);
MINI_PRODUCT(single, inputs, 1, states);

/* Out of order within what `delay` allows, if asked; in the order of the inputs at the same time. */
static void make(struct mini_event *events, uint64_t seed, bool shuffled)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, seed);
    int64_t at = MINI_START_US;
    for (int i = 0; i < N; i++) {
        at += (int64_t)mesh_rng_below(&rng, 4) * MINI_SECOND / 2;
        events[i] = (struct mini_event){.id = i + 1,
                                        .key = (int64_t)mesh_rng_below(&rng, KEYS),
                                        .value = 1 + (int64_t)mesh_rng_below(&rng, 59),
                                        .side = (uint32_t)mesh_rng_below(&rng, 2)};
        events[i].at = at - (shuffled ? (int64_t)mesh_rng_below(&rng, 10) * MINI_SECOND / 2 : 0);
    }
    for (uint32_t side = 0; side < 2; side++) /* time is closed */
        events[N - 2 + (int)side] =
            (struct mini_event){.id = N - 1 + side, .key = KEYS, .at = at + 1000 * MINI_SECOND, .value = 1, .side = side};
}

static int by_order(const void *a, const void *b)
{
    const struct mini_event *x = a;
    const struct mini_event *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    if (x->side != y->side)
        return x->side < y->side ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_done(const void *a, const void *b)
{
    const struct done *x = a;
    const struct done *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->by < y->by ? -1 : x->by > y->by;
}

typedef MESH_VEC(struct done) done_list;

/* Does such a record come behind events[i], up to this time? */
static bool comes(const struct mini_event *events, int i, int64_t until_us, int divisor)
{
    for (int k = i + 1; k < N; k++)
        if (events[k].key == events[i].key && events[k].at <= until_us && events[k].value % divisor == 0)
            return true;
    return false;
}

static void want(const struct mini_event *events, int pattern, done_list *wanted)
{
    int64_t free_from[KEYS + 1]; /* FIRST_ONLY: what began before ended with the run that completed then */
    for (int k = 0; k <= KEYS; k++)
        free_from[k] = INT64_MIN;
    for (int i = 0; i < N - 2; i++) {
        const struct mini_event *e = &events[i];
        int64_t due = e->at + states[pattern].absent_us;
        if (!IS_A(e))
            continue;
        if (pattern == UNANSWERED || pattern == FIRST_ONLY) {
            if (comes(events, i, due, 4) || (pattern == FIRST_ONLY && e->at <= free_from[e->key]))
                continue;
            free_from[e->key] = due;
            *mesh_vec_push(wanted) = (struct done){e->id, 0, due};
        } else if (pattern == SILENT) {
            if (!comes(events, i, due, 3))
                *mesh_vec_push(wanted) = (struct done){e->id, 0, due};
        } else {
            int need = pattern == TWICE ? 1 : 0; /* further ones of a */
            for (int k = i + 1; k < N; k++) {
                const struct mini_event *next = &events[k];
                if (next->key != e->key)
                    continue;
                if (next->at > e->at + 20 * MINI_SECOND)
                    break;
                if (need > 0) {
                    need -= IS_A(next) ? 1 : 0;
                    continue;
                }
                if (IS_B(next))
                    break;
                if (!IS_C(next))
                    continue;
                int64_t over = next->at + 5 * MINI_SECOND;
                if (pattern == UNBROKEN)
                    *mesh_vec_push(wanted) = (struct done){e->id, next->id, next->at};
                else if (!comes(events, k, over, 3))
                    *mesh_vec_push(wanted) = (struct done){e->id, 0, over};
                break;
            }
        }
    }
}

static void check_defined(struct mini_event *events, const char *what)
{
    qsort(events, N, sizeof events[0], by_order);
    for (int p = 0; p < N_PATTERNS; p++) {
        done_list wanted = {0};
        want(events, p, &wanted);
        CHECK(wanted.n > 20);
        for (size_t i = 1; i < done[p].n; i++)
            CHECK(done[p].v[i].at >= done[p].v[i - 1].at);
        qsort(wanted.v, wanted.n, sizeof wanted.v[0], by_done);
        qsort(done[p].v, done[p].n, sizeof done[p].v[0], by_done);
        CHECK_EQ_U64(done[p].n, wanted.n);
        for (size_t i = 0; i < done[p].n && i < wanted.n; i++) {
            if (memcmp(&done[p].v[i], &wanted.v[i], sizeof wanted.v[i]) == 0)
                continue;
            check_fail(__FILE__, __LINE__, "another run");
            printf("# %s, %s: %lld by %lld at %lld, not %lld by %lld at %lld\n", what, states[p].name, (long long)done[p].v[i].id,
                   (long long)done[p].v[i].by, (long long)done[p].v[i].at, (long long)wanted.v[i].id, (long long)wanted.v[i].by,
                   (long long)wanted.v[i].at);
            break;
        }
        mesh_vec_deinit(&wanted);
        mesh_vec_deinit(&done[p]);
    }
}

CASE(patterns_are_what_they_say)
{
    static struct mini_event events[N];
    for (uint64_t seed = 1; seed <= 4; seed++) {
        make(events, seed, true);
        mini_run(&sorted, events, N, seed, 0);
        check_defined(events, "two inputs");
        make(events, seed, false);
        for (int i = 0; i < N; i++)
            events[i].side = 0;
        mini_run(&single, events, N, seed, 0);
        check_defined(events, "one input");
    }
}

CASE(a_restart_changes_nothing)
{
    static struct mini_event events[N];
    for (int crash = 3; crash <= 13; crash += 5) {
        make(events, 7, true);
        mini_run(&sorted, events, N, 7, crash);
        check_defined(events, "two inputs, restarts");
    }
}

/* Nothing further comes of the key: time alone completes the run, also behind a restart; and only the watermark is time. */
CASE(an_absence_needs_no_record)
{
    struct mini m = {0};
    mini_start(&m, &single);
    mini_feed(&m, 0, &(const struct mini_event){.id = 1, .key = 1, .value = 3, .at = MINI_START_US});
    mesh_engine_at_end(m.engine, 0, 0, 1, 0);
    mesh_engine_tick(m.engine, 3600 * MINI_SECOND);
    CHECK_EQ_U64(done[UNANSWERED].n, 0); /* silence is not time */
    mini_crash(&m);
    mini_feed(&m, 0, &(const struct mini_event){.id = 2, .key = 2, .value = 1, .at = MINI_START_US + 15 * MINI_SECOND});
    CHECK_EQ_U64(done[UNANSWERED].n, 0); /* the watermark is at 10 s, and a record of that time may still come */
    mini_feed(&m, 0, &(const struct mini_event){.id = 3, .key = 1, .value = 4, .at = MINI_START_US + 10 * MINI_SECOND + 1});
    mini_feed(&m, 0, &(const struct mini_event){.id = 4, .key = 2, .value = 1, .at = MINI_START_US + 16 * MINI_SECOND});
    CHECK_EQ_U64(done[UNANSWERED].n, 1); /* the third came in time for the watermark, and too late for the pattern */
    CHECK_EQ_I64(done[UNANSWERED].v[0].at, MINI_START_US + 10 * MINI_SECOND);
    mini_crash(&m);
    mini_feed(&m, 0, &(const struct mini_event){.id = 5, .key = 2, .value = 1, .at = MINI_START_US + 60 * MINI_SECOND});
    CHECK_EQ_U64(done[UNANSWERED].n, 1);
    mini_stop(&m);
    for (int p = 0; p < N_PATTERNS; p++)
        mesh_vec_deinit(&done[p]);
}
