/* Same input, same answer: whatever the batches, pauses, interleavings of partitions, commits and crashes. */
#include "world.h"

#include "../check.h"
#include "base/check.h"
#include "base/hash.h"
#include "contract/framing.h"
#include "contract/resolve.h"

#include <stdlib.h>

#define START_US (1700000000 * SHOP_SECOND)

/* The same records for every run; partition by the card's murmur2, as producers do. */
static void put_input(struct world *w, uint64_t seed, int n)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, seed);
    char id[32];
    char card[32];
    char store[32];
    for (int s = 0; s < 5; s++) {
        snprintf(store, sizeof store, "store%d", s);
        struct shop_record r = {.id = MESH_STR("r"), .card = mesh_str_of(store), .store = mesh_str_of(store), .amount = s + 1};
        r.at = START_US - (s == 4 ? 0 : 1000 * SHOP_SECOND); /* the first sales in the last store find no rate */
        world_put(w, SHOP_RATES, 0, &r);
    }
    int64_t at = START_US;
    for (int i = 0; i < n; i++) {
        at += (int64_t)mesh_rng_below(&rng, 1500000);
        snprintf(id, sizeof id, "p%d", (int)mesh_rng_below(&rng, 10) == 0 ? i - 1 : i); /* one in ten twice */
        snprintf(card, sizeof card, "card%d", (int)mesh_rng_below(&rng, 20));
        snprintf(store, sizeof store, "store%d", (int)mesh_rng_below(&rng, 5));
        int64_t back = mesh_rng_below(&rng, 4) == 0 ? (int64_t)mesh_rng_below(&rng, 3000000) : 0; /* out of order, some late */
        if (mesh_rng_below(&rng, 60) == 0)
            back = 100 * SHOP_SECOND; /* too late for its window */
        struct shop_record r = {.id = mesh_str_of(id),
                                .card = mesh_str_of(card),
                                .store = mesh_str_of(store),
                                .amount = (int64_t)mesh_rng_below(&rng, 50),
                                .at = at - back};
        static const uint32_t inputs[] = {SHOP_COUNTS, SHOP_SALES, SHOP_SALES, SHOP_VISITS};
        int32_t partition = mesh_hash_partition(r.card.p, r.card.n, w->partitions);
        world_put(w, inputs[mesh_rng_below(&rng, 4)], partition, &r);
        if (mesh_rng_below(&rng, 8) == 0) { /* a new rate: from now on, from a while ago, or announced */
            r.at = at + (int64_t)mesh_rng_below(&rng, 3) * 20 * SHOP_SECOND - 20 * SHOP_SECOND;
            r.amount = (int64_t)mesh_rng_below(&rng, 5) + 1;
            world_put(w, SHOP_RATES, 0, &r);
        }
        if (mesh_rng_below(&rng, 4) == 0) {
            r.at = at - (int64_t)mesh_rng_below(&rng, 1000000);
            world_put(w, SHOP_SIGNS, partition, &r);
        }
        if (mesh_rng_below(&rng, 16) == 0)
            world_put_raw(w, SHOP_SIGNS, partition, r.card, (struct mesh_str){0}, at, NULL, 0);
    }
    struct shop_record gone = {
        .id = MESH_STR("gone"), .card = MESH_STR("card3"), .store = MESH_STR("s"), .amount = 13, .at = at + SHOP_SECOND};
    world_put(w, SHOP_COUNTS, mesh_hash_partition(gone.card.p, gone.card.n, w->partitions), &gone);
    /* Time is closed: a record far behind everything in each partition. */
    for (int32_t p = 0; p < w->partitions; p++) {
        static const uint32_t keyed[] = {SHOP_SALES, SHOP_COUNTS, SHOP_VISITS, SHOP_SIGNS, SHOP_RATES};
        for (size_t i = 0; i < sizeof keyed / sizeof keyed[0]; i++) {
            uint32_t input = keyed[i];
            int k = 0;
            do
                snprintf(card, sizeof card, "end%d", k++);
            while (mesh_hash_partition(card, strlen(card), w->partitions) != p);
            struct shop_record r = {
                .id = mesh_str_of(card), .card = mesh_str_of(card), .store = MESH_STR("end"), .at = at + 600 * SHOP_SECOND};
            r.at += input == SHOP_RATES || input == SHOP_SIGNS ? SHOP_SECOND : 0;
            world_put(w, input, input == SHOP_RATES ? 0 : p, &r);
        }
    }
}

static uint32_t rounds_seen, crashes_seen;

/* ---- a schema that nobody knew when compiling: other order, other types, more than is read ---- */
#define OWN_ID     7
#define FOREIGN_ID 70

static struct mesh_resolve *plan;
static uint64_t translated;

static enum mesh_written_result find(void *context, uint32_t input, const struct mesh_frame *frame, struct mesh_written *ret)
{
    (void)context, (void)input;
    if (frame->id == FOREIGN_ID)
        ret->plan = plan;
    translated += frame->id == FOREIGN_ID;
    return frame->id == FOREIGN_ID || frame->id == OWN_ID ? MESH_WRITTEN_BY : MESH_WRITTEN_UNKNOWN;
}

static const struct mesh_written_hook hook = {find, NULL};

static void write_foreign(struct mesh_buf *out, const struct shop_record *r)
{
    struct mesh_out datum = {0};
    mesh_out_long(&datum, r->at);
    mesh_out_long(&datum, r->amount);
    mesh_out_bytes(&datum, MESH_STR("this text is skipped"));
    mesh_out_bytes(&datum, r->store);
    mesh_out_bytes(&datum, r->card);
    mesh_out_bytes(&datum, r->id);
    mesh_buf_add(out, "\0\0\0\0\106", 5);
    mesh_buf_add(out, datum.p, datum.n);
    mesh_out_deinit(&datum);
}

static void make_plan(void)
{
    static const char own[] = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"},"
                              "{\"name\":\"card\",\"type\":\"string\"},{\"name\":\"store\",\"type\":\"string\"},"
                              "{\"name\":\"amount\",\"type\":\"long\"},{\"name\":\"at\",\"type\":\"long\"}]}";
    static const char other[] = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"at\",\"type\":\"long\"},"
                                "{\"name\":\"amount\",\"type\":\"int\"},{\"name\":\"more\",\"type\":\"string\"},"
                                "{\"name\":\"store\",\"type\":\"bytes\"},{\"name\":\"card\",\"type\":\"string\"},"
                                "{\"name\":\"id\",\"type\":\"bytes\"}]}";
    struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_diags diags = {.arena = &arena};
    struct mesh_err err = {0};
    const struct mesh_schema *reader = mesh_schema_parse(&arena, mesh_source_new(&arena, "own", own, sizeof own - 1), &diags);
    const struct mesh_schema *writer = mesh_schema_parse(&arena, mesh_source_new(&arena, "other", other, sizeof other - 1), &diags);
    mesh_assert(reader != NULL && writer != NULL && mesh_resolve_new(writer, reader, &plan, &err) == 0);
    mesh_arena_deinit(&arena);
}

static bool came(const struct world *w, const struct world_message *m)
{
    for (int i = 0; i < SHOP_N_INPUTS; i++) {
        for (int32_t p = 0; p < w->partitions; p++) {
            const struct world_topic *topic = &w->inputs[i][p];
            for (size_t k = 0; k < topic->messages.n; k++)
                if (topic->messages.v[k].value_n == m->value_n && memcmp(topic->messages.v[k].value, m->value, m->value_n) == 0)
                    return true;
        }
    }
    return false;
}

/* What is put aside is, byte by byte, what came. */
static void check_asides(const struct world *w)
{
    const uint32_t dests[] = {mesh_engine_dest_dlq(&shop), mesh_engine_dest_late(&shop)};
    for (size_t d = 0; d < MESH_LEN(dests); d++)
        for (int32_t p = 0; p < w->partitions; p++)
            for (size_t i = 0; i < w->dests[dests[d]][p].messages.n; i++)
                CHECK(came(w, &w->dests[dests[d]][p].messages.v[i]));
}

static char *run(int32_t partitions, uint64_t input_seed, int n, uint64_t seed, uint32_t crash, uint64_t round)
{
    struct world w;
    world_init(&w, partitions, seed);
    w.round_log_bytes = round;
    w.round_sweep_bytes = round == 0 ? 0 : 200;
    w.unfolds = seed % 2 == 1;
    w.foreign = plan == NULL ? NULL : write_foreign;
    w.written = plan == NULL ? NULL : &hook;
    put_input(&w, input_seed, n);
    world_start(&w);
    uint64_t steps = seed == 0 ? 0 : 400 + mesh_rng_below(&w.rng, 800);
    for (uint64_t i = 0; i < steps; i++)
        world_step(&w, crash);
    world_drain(&w);
    struct mesh_buf out = MESH_BUF_NULL;
    world_show(&w, &out);
    if (plan != NULL)
        check_asides(&w);
    CHECK_EQ_U64(w.gaps, 0);
    CHECK(mesh_engine_stopped(w.engine) == NULL);
    CHECK_EQ_I64((int64_t)world_metric(&w, "mesh_idle_late_total", NULL, NULL), 0);
    CHECK_EQ_I64((int64_t)world_metric(&w, "mesh_table_late_total", NULL, NULL), 0);
    rounds_seen += w.rounds;
    crashes_seen += w.crashes;
    world_deinit(&w);
    return mesh_buf_take(&out);
}

static void compare(const char *got, const char *wanted, uint64_t seed)
{
    if (strcmp(got, wanted) == 0)
        return;
    check_fail(__FILE__, __LINE__, "another output");
    printf("# seed %llu\n", (unsigned long long)seed);
    const char *a = got;
    const char *b = wanted;
    while (*a != '\0' && *b != '\0') {
        size_t n = strcspn(a, "\n");
        size_t m = strcspn(b, "\n");
        if (n != m || memcmp(a, b, n) != 0) {
            printf("# got    %.*s\n# wanted %.*s\n", (int)n, a, (int)m, b);
            return;
        }
        a += n + (a[n] != '\0');
        b += m + (b[m] != '\0');
    }
}

CASE(one_partition_and_one_commit)
{
    char *out = run(1, 1, 50, 0, 0, 0);
    CHECK_CONTAINS(out, "cards card");
    CHECK_CONTAINS(out, "totals store");
    CHECK_CONTAINS(out, "final");
    free(out);
}

static void many(int32_t partitions, uint32_t crash, uint64_t round, int runs)
{
    rounds_seen = crashes_seen = 0;
    for (uint64_t input = 1; input <= 3; input++) {
        char *wanted = run(partitions, input, 400, 0, 0, 0);
        CHECK_CONTAINS(wanted, "alerts p");
        CHECK_CONTAINS(wanted, "aside p");
        CHECK_CONTAINS(wanted, "minute p");
        CHECK_CONTAINS(wanted, "totals p");
        CHECK_CONTAINS(wanted, "doc 4:");
        CHECK_CONTAINS(wanted, " removed");
        CHECK_CONTAINS(wanted, "visited 17");
        CHECK_CONTAINS(wanted, "2f6e6f6e65"); /* "/none": a sale without a count */
        CHECK_CONTAINS(wanted, "2f70");       /* "/p...": a sale with one */
        for (int i = 0; i < runs; i++) {
            uint64_t seed = input * 1000 + (uint64_t)i + 1;
            char *got = run(partitions, input, 400, seed, crash, round);
            compare(got, wanted, seed);
            free(got);
        }
        free(wanted);
    }
    CHECK(crash == 0 || crashes_seen > 100);
    CHECK(round == 0 || rounds_seen > 20);
}

CASE(any_interleaving_gives_the_same_one_partition)
{
    many(1, 0, 0, 10);
}
CASE(any_interleaving_gives_the_same)
{
    many(3, 0, 0, 20);
}
CASE(crashes_at_any_point_change_nothing)
{
    many(3, 25, 0, 20);
}
CASE(rounds_and_crashes_change_nothing)
{
    many(3, 25, 2000, 20);
}

/* Letters and late records carry what came, which is not the same: of them the key stays. */
static void cut_asides(char *text)
{
    char *to = text;
    for (const char *line = text; *line != '\0';) {
        size_t n = strcspn(line, "\n"), keep = n;
        if (strncmp(line, "aside ", 6) == 0)
            for (int words = 0; keep > 0 && words < 1; keep--)
                words += line[keep - 1] == ' ';
        memmove(to, line, keep);
        to += keep;
        *to++ = '\n';
        line += n + (line[n] != '\0');
    }
    *to = '\0';
}

/* A third of the records is written by a schema that was not known when compiling: the same comes of them, also when they waited in the
 * order buffer over a crash. */
CASE(another_writer_changes_nothing)
{
    for (uint64_t input = 1; input <= 2; input++) {
        char *wanted = run(3, input, 400, 0, 0, 0);
        cut_asides(wanted);
        make_plan();
        translated = 0;
        for (uint64_t seed = 0; seed < 8; seed++) {
            char *out = run(3, input, 400, seed, seed == 0 ? 0 : 25, seed % 2 == 0 ? 0 : 2000);
            cut_asides(out);
            compare(out, wanted, seed);
            free(out);
        }
        CHECK(translated > 1000 && crashes_seen > 0);
        mesh_resolve_free(plan);
        plan = NULL;
        free(wanted);
    }
}

/* What is refused behind the order buffer keeps the bytes that came, not what was made of them. */
CASE(a_letter_has_what_the_other_writer_wrote)
{
    struct world w;
    make_plan();
    world_init(&w, 1, 1);
    w.written = &hook;
    world_start(&w);
    struct mesh_buf value = MESH_BUF_NULL;
    struct shop_record r = {
        .id = MESH_STR("a"), .card = MESH_STR("card"), .store = MESH_STR("nowhere"), .amount = 1, .at = START_US};
    write_foreign(&value, &r);
    for (int i = 0; i < 2; i++) { /* the second one, with its datum cut, before the buffer */
        struct mesh_str bytes = {value.p, (uint32_t)value.n - (uint32_t)i};
        world_put_raw(&w, SHOP_SALES, 0, r.card, bytes, r.at, NULL, 0);
    }
    r.at += 100 * SHOP_SECOND;
    world_put(&w, SHOP_RATES, 0, &r);
    world_put(&w, SHOP_COUNTS, 0, &r);
    r.store = MESH_STR("other");
    r.at += 100 * SHOP_SECOND;
    world_put(&w, SHOP_SALES, 0, &r);
    world_drain(&w);
    struct world_topic *letters = &w.dests[mesh_engine_dest_dlq(&shop)][0];
    REQUIRE(letters->messages.n >= 2);
    int found = 0;
    for (size_t i = 0; i < letters->messages.n; i++) {
        const struct world_message *m = &letters->messages.v[i];
        found += m->value_n == value.n && memcmp(m->value, value.p, value.n) == 0 ? 1 : 0;
        found += m->value_n == value.n - 1 && memcmp(m->value, value.p, value.n - 1) == 0 ? 10 : 0;
    }
    CHECK_EQ_I64(found, 11);
    mesh_buf_deinit(&value);
    world_deinit(&w);
    mesh_resolve_free(plan);
    plan = NULL;
}

/* An input that was idle when the process ended may have got records meanwhile: the others wait for them. */
CASE(an_idle_input_is_waited_for_after_a_restart)
{
    for (int doubts = 0; doubts < 2; doubts++) { /* after a restart; after the broker was away */
        struct world w;
        world_init(&w, 1, 1);
        struct shop_record r = {
            .id = MESH_STR("a"), .card = MESH_STR("card"), .store = MESH_STR("store"), .amount = 1, .at = START_US};
        world_put(&w, SHOP_RATES, 0, &r);
        world_put(&w, SHOP_SALES, 0, &r);
        world_put(&w, SHOP_COUNTS, 0, &r);
        world_start(&w);
        world_drain(&w);
        w.now_us += 60 * SHOP_SECOND;
        mesh_engine_tick(w.engine, w.now_us);
        world_drain(&w);
        CHECK(world_shows(&w, SHOP_VIEW_CARDS, "cards card n=1"));
        if (doubts == 0)
            world_crash(&w);
        else
            mesh_engine_was_away(w.engine, w.now_us, true);
        r.id = MESH_STR("b");
        r.at = START_US + 100 * SHOP_SECOND;
        world_put(&w, SHOP_SALES, 0, &r);
        r.id = MESH_STR("c");
        r.at = START_US + 200 * SHOP_SECOND;
        world_put(&w, SHOP_SALES, 0, &r);
        r.at = START_US + 50 * SHOP_SECOND;
        world_put(&w, SHOP_COUNTS, 0, &r);
        world_feed(&w, SHOP_SALES, 0, 10);
        world_feed(&w, SHOP_COUNTS, 0, 10);
        world_drain(&w);
        w.now_us += 60 * SHOP_SECOND;
        mesh_engine_tick(w.engine, w.now_us);
        world_drain(&w);
        CHECK(world_shows(&w, SHOP_VIEW_CARDS, "cards card n=3"));
        CHECK_EQ_I64((int64_t)world_metric(&w, "mesh_idle_late_total", NULL, NULL), 0);
        world_deinit(&w);
    }
}
