/* The protocol of commits, sequences and takeovers between two products, under orders of events that are drawn by seed: real engines,
 * everything around them made of arrays (cluster.h). What must come out is computed here from the events alone, without the engine.
 *
 *     chaos_protocol_test                  the sample of a test run
 *     SEEDS=1000000 chaos_protocol_test    as many schedules
 *     SEED=4711 chaos_protocol_test        that one */
#include "truth.h"

#include "../check.h"
#include "base/clock.h"

#include <stdlib.h>

#define STEPS     260
#define SEEDS     4000
#define DRAIN_MAX 2000

static void see_view(const struct cluster_instance *i, uint32_t view, struct tally *ret, int n)
{
    memset(ret, 0, (size_t)n * sizeof *ret);
    see_part(i->engine, view, ret, n);
}

/* ---- a schedule ---- */
struct schedule {
    struct cluster c;
    uint64_t seed;
    int64_t produced[CLUSTER_PARTITIONS];
    int current
        [CHAIN_N_PRODUCTS]; /* the instance that should go on; the other one of the product is a zombie or was never started */
    struct cluster_folder backup[CHAIN_N_PRODUCTS];
    uint64_t backup_commits[CHAIN_N_PRODUCTS];
};

static struct cluster_instance *current(struct schedule *s, int product)
{
    return &s->c.instances[2 * product + s->current[product]];
}

static struct cluster_instance *other(struct schedule *s, int product)
{
    return &s->c.instances[2 * product + 1 - s->current[product]];
}

static void start(struct schedule *s, struct cluster_instance *i)
{
    if (!cluster_start(&s->c, i))
        say("refused: product", i->product, 1, 0);
}

static void crash(struct schedule *s, struct cluster_instance *i)
{
    while (mesh_rng_below(&s->c.rng, 3) > 0 && cluster_append(&s->c, i)) /* what is on the wire arrives */
        continue;
    cluster_crash(&s->c, i, mesh_rng_below(&s->c.rng, 2) == 0);
}

/* Frozen past its session; its folder is taken elsewhere and goes on there. */
static void take_over(struct schedule *s, int product)
{
    struct cluster_instance *old = current(s, product);
    struct cluster_instance *new = other(s, product);
    if (old->engine == NULL || new->engine != NULL)
        return;
    old->frozen = true;
    s->c.now_us += CLUSTER_SESSION_US + CHAIN_SECOND;
    new->ended = false;
    cluster_copy(&new->folder, &old->folder);
    new->folder.log.n = new->folder.durable;
    s->current[product] = 1 - s->current[product];
    start(s, new);
}

/* It wakes with what it had: works on until it hears that it has been replaced. */
static void wake(struct schedule *s, int product)
{
    struct cluster_instance *zombie = other(s, product);
    if (zombie->engine == NULL || !zombie->frozen)
        return;
    zombie->frozen = false;
    for (int k = 0; k < 12; k++) {
        uint32_t input = (uint32_t)mesh_rng_below(&s->c.rng, chain_products[product]->n_inputs);
        cluster_feed(&s->c, zombie, input, (int32_t)mesh_rng_below(&s->c.rng, CLUSTER_PARTITIONS), 5);
        cluster_commit(&s->c, zombie);
        cluster_sync(&s->c, zombie);
        cluster_hand_over(&s->c, zombie, 5);
        cluster_store(&s->c, zombie, 5);
        cluster_append(&s->c, zombie);
        cluster_ack(&s->c, zombie);
    }
    cluster_renew(&s->c, zombie);
    if (!zombie->ended)
        say("a zombie goes on: product", product, 1, 0);
}

/* The machine burns, and somebody restores a copy of the folder that is older than what the group has heard. */
static void restore_backup(struct schedule *s, int product)
{
    struct cluster_instance *owner = current(s, product);
    struct cluster_instance *stale = other(s, product);
    if (owner->engine == NULL || stale->engine != NULL || s->backup[product].log.n == 0)
        return;
    cluster_renew(&s->c, owner);
    if (mesh_engine_commits(owner->engine) <= s->backup_commits[product])
        return;
    crash(s, owner);
    cluster_copy(&stale->folder, &s->backup[product]);
    stale->ended = false;
    if (cluster_start(&s->c, stale))
        say("an older copy goes on: product", product, 1, 0);
    start(s, owner);
}

static void back_up(struct schedule *s, int product)
{
    struct cluster_instance *i = current(s, product);
    cluster_copy(&s->backup[product], &i->folder);
    s->backup[product].log.n = s->backup[product].durable;
    s->backup_commits[product] = mesh_engine_commits(i->engine);
}

/* Retention takes what is behind the durable position. */
static void trim(struct schedule *s, int product)
{
    struct cluster_instance *i = current(s, product);
    cluster_commit(&s->c, i);
    cluster_sync(&s->c, i);
    cluster_commit(&s->c, i);
    cluster_sync(&s->c, i);
    if (product != CHAIN_SALES) /* what others read is looked at once more in the end */
        return;
    for (int32_t p = 0; p < CLUSTER_PARTITIONS; p++) {
        int64_t at = mesh_engine_position(i->engine, SALES_EVENTS, p);
        if (at > 0)
            s->c.topics[TOPIC_EVENTS][p].begin = (size_t)at;
    }
}

static void produce(struct schedule *s, int32_t p)
{
    if (s->produced[p] == EVENTS)
        return;
    struct chain_record r = event_at(s->seed, p, s->produced[p]++);
    cluster_produce(&s->c, p, &r);
}

static void step(struct schedule *s)
{
    struct cluster *c = &s->c;
    struct mesh_rng *rng = &c->rng;
    int product = (int)mesh_rng_below(rng, CHAIN_N_PRODUCTS);
    int32_t partition = (int32_t)mesh_rng_below(rng, CLUSTER_PARTITIONS);
    struct cluster_instance *i = current(s, product);
    uint64_t what = mesh_rng_below(rng, 64);
    if (i->engine == NULL) { /* a supervisor starts it again */
        if (what < 16)
            start(s, i);
        return;
    }
    uint32_t input = (uint32_t)mesh_rng_below(rng, chain_products[product]->n_inputs);
    if (what < 8)
        for (uint64_t n = mesh_rng_below(rng, 8); n > 0; n--)
            produce(s, partition);
    else if (what < 24)
        cluster_feed(c, i, input, partition, (size_t)mesh_rng_below(rng, 8) + 1);
    else if (what < 29)
        cluster_commit(c, i);
    else if (what < 34)
        cluster_sync(c, i);
    else if (what < 40)
        cluster_hand_over(c, i, (size_t)mesh_rng_below(rng, 12) + 1);
    else if (what < 46)
        for (uint64_t n = mesh_rng_below(rng, 8); n > 0; n--)
            cluster_append(c, i);
    else if (what < 50)
        for (uint64_t n = mesh_rng_below(rng, 8); n > 0; n--)
            cluster_ack(c, i);
    else if (what < 52)
        cluster_store(c, i, 4);
    else if (what < 55)
        cluster_renew(c, i);
    else if (what < 57)
        c->now_us += (int64_t)mesh_rng_below(rng, CHAIN_SECOND);
    else if (what < 59)
        crash(s, i);
    else if (what == 59)
        cluster_delivery_error(c, i);
    else if (what == 60)
        take_over(s, product);
    else if (what == 61)
        wake(s, product);
    else if (what == 62)
        mesh_rng_below(rng, 2) == 0 ? back_up(s, product) : restore_backup(s, product);
    else
        trim(s, product);
}

static bool turn(struct schedule *s, struct cluster_instance *i)
{
    struct cluster *c = &s->c;
    bool moved = false;
    for (uint32_t input = 0; input < chain_products[i->product]->n_inputs; input++)
        for (int32_t p = 0; p < CLUSTER_PARTITIONS; p++)
            while (cluster_feed(c, i, input, p, 32))
                moved = true;
    c->now_us += CHAIN_SECOND;
    moved |= cluster_commit(c, i);
    moved |= cluster_sync(c, i);
    cluster_renew(c, i);
    if (i->ended) {
        say("the rightful one ended: product", i->product, 1, 0);
        return false;
    }
    moved |= cluster_hand_over(c, i, 1000);
    while (cluster_append(c, i))
        moved = true;
    while (cluster_ack(c, i))
        moved = true;
    return moved | cluster_store(c, i, 1000);
}

static void drain(struct schedule *s)
{
    for (int product = 0; product < CHAIN_N_PRODUCTS; product++) {
        wake(s, product);
        if (current(s, product)->engine == NULL)
            start(s, current(s, product));
        for (int32_t p = 0; p < CLUSTER_PARTITIONS; p++)
            while (s->produced[p] < EVENTS)
                produce(s, p);
    }
    int rounds = 0;
    for (int quiet = 0; quiet < 3 && !wrong; rounds++) {
        bool moved = false;
        for (int product = 0; product < CHAIN_N_PRODUCTS && !wrong; product++)
            moved |= turn(s, current(s, product));
        quiet = moved ? 0 : quiet + 1;
        if (rounds > DRAIN_MAX)
            say("it does not come to an end: rounds", 0, rounds, DRAIN_MAX);
    }
}

static void check_all(struct schedule *s)
{
    struct truth truth;
    struct tally got[CARDS * CLUSTER_PARTITIONS];
    find_truth(s->seed, &truth);
    for (int product = 0; product < CHAIN_N_PRODUCTS; product++)
        if (mesh_engine_stopped(current(s, product)->engine) != NULL) {
            printf("# seed %llu: %s\n", (unsigned long long)s->seed, mesh_engine_stopped(current(s, product)->engine));
            wrong = true;
        }
    see_view(current(s, CHAIN_SALES), SALES_VIEW_CARDS, got, CARDS * CLUSTER_PARTITIONS);
    compare("card", got, truth.cards, CARDS * CLUSTER_PARTITIONS);
    see_view(current(s, CHAIN_SALES), SALES_VIEW_TOTALS, got, STORES);
    compare("store in totals", got, truth.stores, STORES);
    see_docs(&s->c, CHAIN_SALES, got, STORES);
    compare("document of totals", got, truth.stores, STORES);
    see_topic(&s->c, TOPIC_LINES, got);
    compare("store in lines", got, truth.stores, STORES);
    see_view(current(s, CHAIN_STORES), STORES_VIEW_SEEN, got, STORES);
    compare("store in seen", got, truth.stores, STORES);
    see_docs(&s->c, CHAIN_STORES, got, STORES);
    compare("document of seen", got, truth.stores, STORES);
    see_topic(&s->c, TOPIC_SHOWN, got);
    compare("store in shown", got, truth.stores, STORES);
    check_letters(&s->c, &truth);
}

/* The state of sales begins anew. The second product must not take its numbers, which begin anew too; it stops there, and what it shows is
 * what the first generation said. */
static void reset(struct schedule *s)
{
    struct cluster_instance *i = current(s, CHAIN_SALES);
    for (int32_t p = 0; p < CLUSTER_PARTITIONS; p++)
        s->c.topics[TOPIC_EVENTS][p].begin = 0;
    crash(s, i);
    memcpy(i->replaces, s->c.groups[CHAIN_SALES].mark.claim, sizeof i->replaces);
    i->folder.log.n = i->folder.durable = 0;
    start(s, i);
    for (int quiet = 0; quiet < 3 && !wrong;) {
        bool moved = false;
        for (int product = 0; product < CHAIN_N_PRODUCTS && !wrong; product++)
            moved |= turn(s, current(s, product));
        quiet = moved ? 0 : quiet + 1;
    }
    struct truth truth;
    struct tally got[CARDS * CLUSTER_PARTITIONS];
    find_truth(s->seed, &truth);
    see_view(i, SALES_VIEW_CARDS, got, CARDS * CLUSTER_PARTITIONS);
    compare("card after a reset", got, truth.cards, CARDS * CLUSTER_PARTITIONS);
    see_view(i, SALES_VIEW_TOTALS, got, STORES);
    compare("total after a reset", got, truth.stores, STORES);
    const char *said = mesh_engine_stopped(current(s, CHAIN_STORES)->engine);
    if (said == NULL || strstr(said, "started anew") == NULL)
        say("the reader of a reset product goes on", 0, 1, 0);
    struct tally lines[STORES];
    see_topic(&s->c, TOPIC_LINES, lines);
    see_view(current(s, CHAIN_STORES), STORES_VIEW_SEEN, got, STORES);
    compare("seen after a reset", got, lines, STORES);
}

struct sums {
    uint64_t crashes, cuts, errors, rounds, repeats, refusals;
};

static void run(uint64_t seed, struct sums *sums)
{
    seed_now = seed;
    wrong = false;
    struct schedule s = {.seed = seed};
    cluster_init(&s.c, seed);
    start(&s, current(&s, CHAIN_SALES));
    start(&s, current(&s, CHAIN_STORES));
    for (int i = 0; i < STEPS && !wrong; i++)
        step(&s);
    if (!wrong)
        drain(&s);
    if (!wrong)
        check_all(&s);
    if (!wrong && seed % 8 == 0)
        reset(&s);
    sums->crashes += s.c.crashes;
    sums->cuts += s.c.cuts;
    sums->errors += s.c.errors;
    sums->rounds += s.c.rounds;
    sums->repeats += s.c.repeats;
    sums->refusals += s.c.refusals;
    cluster_deinit(&s.c);
    for (int product = 0; product < CHAIN_N_PRODUCTS; product++)
        mesh_buf_deinit(&s.backup[product].log);
}

CASE(what_comes_out_follows_from_the_events_alone)
{
    (void)signal(SIGABRT, on_abort);
    const char *one = getenv("SEED");
    const char *many = getenv("SEEDS");
    uint64_t from = one != NULL ? strtoull(one, NULL, 10) : 1;
    uint64_t n = one != NULL ? 1 : many != NULL ? strtoull(many, NULL, 10) : SEEDS;
    struct sums sums = {0};
    uint64_t failed = 0;
    int64_t begun_us = mesh_clock_mono_us();
    for (uint64_t seed = from; seed < from + n && failed < 5; seed++) {
        run(seed, &sums);
        failed += wrong;
    }
    CHECK_EQ_U64(failed, 0);
    printf(
        "# %llu schedules: %llu crashes, %llu of them with the power, %llu delivery errors, %llu rounds of the log, %llu messages "
        "repeated, %llu instances refused; %.0f schedules/s\n",
        (unsigned long long)n, (unsigned long long)sums.crashes, (unsigned long long)sums.cuts, (unsigned long long)sums.errors,
        (unsigned long long)sums.rounds, (unsigned long long)sums.repeats, (unsigned long long)sums.refusals,
        (double)n * 1e6 / (double)(mesh_clock_mono_us() - begun_us + 1));
    if (one != NULL)
        return;
    CHECK(sums.crashes > n && sums.cuts > n / 4 && sums.errors > n / 4 && sums.rounds > n && sums.repeats > n);
    CHECK(sums.refusals > n / 8);
}
