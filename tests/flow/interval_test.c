/* Interval joins against their definition: for each asking record, all others of its key in [t + from, t + to], in the order of (time,
 * arrival). Through two inputs, where records go in the order of event time, and through one, where they go as they came: the answer
 * is the same, because it waits until time has passed the interval. */
#include "mini.h"

#include "../check.h"
#include "base/rng.h"
#include "base/vec.h"

#include <stddef.h>
#include <stdlib.h>

#define N    1200
#define KEYS 4

enum { ASKS, OTHERS }; /* the sides */

struct kept {
    int64_t id;
};

static const struct mesh_field kept_fields[] = {{.name = "id", .type = MESH_LONG, .offset = offsetof(struct kept, id)}};

enum { LAST, FIRST, ALL, BEFORE, AROUND, AFTER, MOMENT, N_JOINS };

/* What was found: the asking record, the other one (0: none), in the order in which they went on. */
struct pair {
    int64_t id, other, at;
};
static MESH_VEC(struct pair) found[N_JOINS];

static void note(int join, const struct mesh_event *event, const void *record, const void *other)
{
    CHECK((uintptr_t)record % 16 == 0); /* decimals of generated structs want that */
    *mesh_vec_push(&found[join]) = (struct pair){((const struct mini_event *)record)->id,
                                                 other == NULL ? 0 : ((const struct kept *)other)->id, event->time_us};
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
              .from_us = (from)*MINI_SECOND,                                                                                       \
              .to_us = (to)*MINI_SECOND,                                                                                           \
              .pick = MESH_PICK_##how,                                                                                             \
              .waits = mini_fields,                                                                                                \
              .n_waits = 2,                                                                                                        \
              .wait_size = sizeof(struct mini_event),                                                                              \
              .matched = matched_##join}

static const struct mesh_state states[N_JOINS] = {
    JOIN(LAST, -20, 0, LAST),    JOIN(FIRST, -20, 0, FIRST), JOIN(ALL, -20, 0, ALL),  JOIN(BEFORE, -30, -8, LAST),
    JOIN(AROUND, -10, 15, LAST), JOIN(AFTER, 5, 25, FIRST),  JOIN(MOMENT, 0, 0, ALL),
};

static void process(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct mini_event *e = record;
    struct mesh_key key;
    mesh_key_begin(&key);
    mesh_key_long(&key, e->key);
    for (uint32_t j = 0; j < N_JOINS; j++) {
        if (e->value == ASKS)
            mesh_interval_join(task, j, &key, event, e);
        else
            mesh_interval_add(task, j, &key, event, &(const struct kept){e->id});
    }
}

static const struct mesh_input inputs[] = {MINI_INPUT("asks", process), MINI_INPUT("others", process)};
MINI_PRODUCT(sorted, inputs, 2, states);
MINI_PRODUCT(single, inputs, 1, states);

static void forget_found(void)
{
    for (int j = 0; j < N_JOINS; j++)
        mesh_vec_deinit(&found[j]);
}

static void run(const struct mesh_product *product, const struct mini_event *events, uint64_t seed, int crash)
{
    forget_found();
    mini_run(product, events, N, seed, crash);
}

static void make(struct mini_event *events, uint64_t seed)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, seed);
    int64_t at = MINI_START_US;
    for (int i = 0; i < N; i++) {
        at += (int64_t)mesh_rng_below(&rng, 4) * MINI_SECOND / 2; /* times are often equal */
        uint32_t side = mesh_rng_below(&rng, 3) == 0 ? ASKS : OTHERS;
        events[i] = (struct mini_event){.id = i + 1, .key = (int64_t)mesh_rng_below(&rng, KEYS), .value = side, .side = side};
        events[i].at = at - (int64_t)mesh_rng_below(&rng, 10) * MINI_SECOND / 2; /* out of order, not late */
    }
    for (uint32_t side = ASKS; side <= OTHERS; side++) /* time is closed */
        events[N - 1 - (int)side] =
            (struct mini_event){.id = N - side, .key = KEYS, .at = at + 1000 * MINI_SECOND, .value = side, .side = side};
}

static int by_time(const void *a, const void *b)
{
    const struct mini_event *x = *(const struct mini_event *const *)a;
    const struct mini_event *y = *(const struct mini_event *const *)b;
    return x->at != y->at ? (x->at < y->at ? -1 : 1) : x->id < y->id ? -1 : x->id > y->id;
}

/* What must be found, in the order of the asking records' ids. */
static void check_naive(const struct mini_event *events, const char *what)
{
    for (int j = 0; j < N_JOINS; j++) {
        const struct mesh_state *join = &states[j];
        MESH_VEC(struct pair) wanted = {0};
        for (int i = 0; i < N - 2; i++) {
            const struct mini_event *e = &events[i];
            const struct mini_event *others[N];
            size_t n = 0;
            for (int k = 0; k < N - 2 && e->value == ASKS; k++)
                if (events[k].value == OTHERS && events[k].key == e->key && events[k].at >= e->at + join->from_us &&
                    events[k].at <= e->at + join->to_us)
                    others[n++] = &events[k];
            qsort(others, n, sizeof others[0], by_time);
            int64_t at = e->at + (join->to_us > 0 ? join->to_us : 0);
            for (size_t k = 0; k < n; k++)
                if (join->pick == MESH_PICK_ALL || k == (join->pick == MESH_PICK_FIRST ? 0 : n - 1))
                    *mesh_vec_push(&wanted) = (struct pair){e->id, others[k]->id, at};
            if (e->value == ASKS && n == 0)
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
    static struct mini_event events[N];
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
    static struct mini_event events[N];
    make(events, 9);
    run(&sorted, events, 9, 7);
    check_naive(events, "two inputs, restarts");
    run(&single, events, 9, 5);
    check_naive(events, "one input, restarts");
}

static void ask(struct mini *m, int64_t id, int64_t at)
{
    mini_feed(m, ASKS, &(const struct mini_event){.id = id, .at = MINI_START_US + at * MINI_SECOND, .value = ASKS});
}

static void other(struct mini *m, int64_t id, int64_t at)
{
    mini_feed(m, OTHERS, &(const struct mini_event){.id = id, .at = MINI_START_US + at * MINI_SECOND, .value = OTHERS});
}

CASE(nobody_waits_for_what_is_silent)
{
    struct mini m = {0};
    forget_found();
    mini_start(&m, &sorted);
    other(&m, 1, 10);
    ask(&m, 2, 20);
    CHECK_EQ_U64(found[LAST].n, 0);
    for (uint32_t input = 0; input < 2; input++)
        mesh_engine_at_end(m.engine, input, 0, 1, MINI_SECOND);
    mesh_engine_tick(m.engine, 60 * MINI_SECOND);
    CHECK_EQ_U64(found[LAST].n, 1);
    CHECK_EQ_I64(found[LAST].v[0].other, 1);
    CHECK_EQ_U64(found[BEFORE].n, 1);
    CHECK_EQ_U64(found[AROUND].n, 0); /* what may still come is not known, however long it is silent */
    other(&m, 3, 19);                 /* it was answered too early: counted */
    ask(&m, 4, 100);
    other(&m, 5, 100);
    const struct mesh_metric *late = mesh_metric_find(m.metrics, "mesh_idle_late_total", NULL);
    CHECK(late != NULL && mesh_metric_value(late) >= 1);
    CHECK_EQ_U64(found[AROUND].n, 1);
    mini_stop(&m);
}

CASE(one_input_counts_what_came_too_late_for_an_answer)
{
    struct mini m = {0};
    forget_found();
    mini_start(&m, &single);
    mini_feed(&m, 0, &(const struct mini_event){.id = 1, .at = MINI_START_US + 10 * MINI_SECOND, .value = ASKS});
    mesh_engine_at_end(m.engine, 0, 0, 1, MINI_SECOND);
    mesh_engine_tick(m.engine, 60 * MINI_SECOND);
    CHECK_EQ_U64(found[LAST].n, 1);
    const struct mesh_metric *late = mesh_metric_find(m.metrics, "mesh_idle_late_total", NULL);
    CHECK_EQ_I64((int64_t)mesh_metric_value(late), 0);
    mini_feed(&m, 0, &(const struct mini_event){.id = 2, .at = MINI_START_US + 9 * MINI_SECOND, .value = OTHERS});
    CHECK(mesh_metric_value(late) >= 1);
    mini_stop(&m);
}

/* A late record is answered at once, by what is still kept: of the last ones, those that an on-time record could pick. */
CASE(late_records_find_what_is_kept)
{
    struct mini m = {0};
    forget_found();
    mini_start(&m, &sorted);
    other(&m, 1, 100);
    other(&m, 2, 110);
    ask(&m, 3, 112);
    ask(&m, 4, 130);
    other(&m, 5, 130); /* time is 125 */
    CHECK_EQ_U64(found[LAST].n, 1);
    CHECK_EQ_I64(found[LAST].v[0].other, 2);
    ask(&m, 6, 105); /* the first was within reach, and is not kept for `last` any more */
    other(&m, 7, 131);
    ask(&m, 8, 131);
    CHECK_EQ_U64(found[LAST].n, 2);
    CHECK_EQ_I64(found[LAST].v[1].id, 6);
    CHECK_EQ_I64(found[LAST].v[1].other, 0);
    CHECK_EQ_I64(found[ALL].v[found[ALL].n - 1].id, 6);
    mini_stop(&m);
    forget_found();
}
