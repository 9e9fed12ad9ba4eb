/* The protocol of shards: two products whose state is in Kafka, each partition of each a shard with an engine and a log of its own, of which
 * anybody may believe to be the owner. Schedules are drawn by seed (cluster.h); the log is an array that everybody appends to, also who is
 * dead or frozen, if it was on the wire. Which records count, and whether a commit does, is decided by the platform's own functions
 * (io/log_record.h). Nothing else holds a former owner back: it works, commits, sends and writes documents until its log tells it.
 *
 *     chaos_shard_test, SEEDS=1000000, SEED=4711 as in protocol_test.c */
#include "truth.h"

#include "../check.h"
#include "base/clock.h"
#include "io/log_record.h"
#include "store/log.h"

#include <stdlib.h>

#define STEPS     320
#define SEEDS     2000
#define DRAIN_MAX 2000
#define OWNERS    2   /* of a shard at a time, at most: the newest, and one that does not know yet */
#define PART      600 /* bytes of a record; longer frames go in parts */

struct log_record {
    char key[MESH_LOG_HEAD_BYTES];
    struct mesh_buf value;
};

struct log {
    MESH_VEC(struct log_record) records;
    size_t begin; /* trimmed before */
};

struct owner {
    struct cluster_instance i; /* engine and flights; the folder is not used */
    struct mesh_log_writer writer;
    uint64_t generation;
    MESH_VEC(struct log_record) wire; /* of the append under way */
    size_t sent;
    MESH_VEC(int64_t) offsets;
    bool cut, cutting;
    int64_t cut_at;
};

struct shards {
    struct cluster c;
    uint64_t seed;
    int64_t produced[CLUSTER_PARTITIONS];
    struct log logs[CHAIN_N_PRODUCTS][CLUSTER_PARTITIONS];
    struct owner owners[CHAIN_N_PRODUCTS][CLUSTER_PARTITIONS][OWNERS]; /* [0]: the newest */
    uint32_t takeovers, fenced, skipped, looked, trims, repeated;
};

static const uint32_t wire_ids_of[] = {7};
static const uint32_t *const wire_ids[] = {wire_ids_of, wire_ids_of, wire_ids_of};
static const uint32_t port_ids[] = {7, 7, 7};

static void fail(const char *what, const struct mesh_err *err)
{
    printf("# seed %llu: %s: %s\n", (unsigned long long)seed_now, what, err->text);
    wrong = true;
}

/* ---- the log ---- */
static int64_t log_append(struct log *log, const struct mesh_log_head *head, struct mesh_str value)
{
    struct log_record *to = mesh_vec_push(&log->records);
    *to = (struct log_record){.value = MESH_BUF_NULL};
    mesh_log_head_write(head, to->key);
    mesh_buf_str(&to->value, value);
    return (int64_t)log->records.n - 1;
}

static struct mesh_str key_of(const struct log_record *r)
{
    return (struct mesh_str){r->key, MESH_LOG_HEAD_BYTES};
}

static struct mesh_str value_of(const struct log_record *r)
{
    return (struct mesh_str){r->value.p, (uint32_t)r->value.n};
}

static void drop_wire(struct owner *o)
{
    for (size_t k = 0; k < o->wire.n; k++)
        mesh_buf_deinit(&o->wire.v[k].value);
    o->wire.n = o->sent = o->offsets.n = 0;
}

/* ---- an owner's life ---- */
static void end_owner(struct owner *o)
{
    o->i.engine = mesh_engine_free(o->i.engine);
    o->i.flights.n = 0;
    drop_wire(o);
}

static struct mesh_engine *new_engine(struct shards *s, int product, int32_t shard, uint64_t generation)
{
    int32_t partitions[8];
    for (int k = 0; k < 8; k++)
        partitions[k] = CLUSTER_PARTITIONS;
    char claim[MESH_ENGINE_CLAIM_TEXT];
    snprintf(claim, sizeof claim, "%032llx", (unsigned long long)mesh_rng_next(&s->c.rng));
    struct mesh_engine_conf conf = {.product = chain_products[product],
                                    .claim = claim,
                                    .input_partitions = partitions,
                                    .port_partitions = partitions,
                                    .wire_ids = wire_ids,
                                    .port_ids = port_ids,
                                    .mongo = true,
                                    .generation = generation,
                                    .commit_interval_us = 200000,
                                    .round_log_bytes = 900,
                                    .round_sweep_bytes = 60,
                                    .sharded = true,
                                    .shard = shard};
    struct mesh_engine *engine = NULL;
    struct mesh_err err = {0};
    mesh_assert(mesh_engine_new(&conf, &engine, &err) == 0);
    return engine;
}

static bool restore(struct shards *s, const struct log *log, int64_t claim, struct mesh_engine *engine)
{
    struct mesh_log_reader reader = MESH_LOG_READER_NEW;
    struct mesh_err err = {0};
    int r = 0;
    for (size_t k = log->begin; k < (size_t)claim && r >= 0; k++) {
        struct mesh_str frame;
        r = mesh_log_reader_take(&reader, (int64_t)k, key_of(&log->records.v[k]), value_of(&log->records.v[k]), &frame, &err);
        if (r > 0)
            r = mesh_engine_restore(engine, frame, &err);
    }
    if (r >= 0)
        r = mesh_engine_restored(engine, &err);
    s->skipped += (uint32_t)reader.skipped;
    mesh_log_reader_deinit(&reader);
    if (r < 0)
        fail("a log cannot be read", &err);
    return r >= 0;
}

static uint64_t agree(struct shards *s, int product)
{
    struct log *log = &s->logs[product][0];
    struct mesh_log_head head = {MESH_LOG_GENERATION, -1, s->c.generation++, 0};
    if (log->begin == log->records.n)
        log_append(log, &head, MESH_STR(""));
    mesh_assert(mesh_log_head_read(key_of(&log->records.v[log->begin]), &head));
    return head.generation;
}

/* What `frames` are on the wire: records, in order. */
static void submit(struct owner *o, struct mesh_str frames)
{
    mesh_assert(o->wire.n == 0);
    for (size_t at = 0; at < frames.n;) {
        struct mesh_str frame;
        at = mesh_store_frame_next(frames, at, &frame);
        while (frame.n > 0) {
            uint32_t n = frame.n > PART ? PART : frame.n;
            struct mesh_log_head head =
                mesh_log_writer_head(&o->writer, frame.n > PART ? MESH_LOG_PART : MESH_LOG_FRAME, o->generation);
            struct log_record *r = mesh_vec_push(&o->wire);
            *r = (struct log_record){.value = MESH_BUF_NULL};
            mesh_log_head_write(&head, r->key);
            mesh_buf_str(&r->value, (struct mesh_str){frame.p, n});
            frame = (struct mesh_str){frame.p + n, frame.n - n};
        }
    }
}

/* A broker that was killed has the last records of an append again, and it is not known which of them it tells of. */
static void arrives_twice(struct shards *s, struct log *log, struct owner *o)
{
    size_t n = 1 + (size_t)mesh_rng_below(&s->c.rng, o->offsets.n);
    bool tells = mesh_rng_below(&s->c.rng, 2) == 0;
    s->repeated++;
    for (size_t i = o->offsets.n - n; i < o->offsets.n; i++) {
        struct log_record again = {.value = MESH_BUF_NULL};
        const struct log_record *first = &log->records.v[o->offsets.v[i]];
        memcpy(again.key, first->key, sizeof again.key);
        mesh_buf_str(&again.value, value_of(first));
        *mesh_vec_push(&log->records) = again;
        if (tells)
            o->offsets.v[i] = (int64_t)log->records.n - 1;
    }
}

static bool wire_arrives(struct shards *s, int product, int32_t shard, struct owner *o)
{
    if (o->sent == o->wire.n)
        return false;
    struct log *log = &s->logs[product][shard];
    struct log_record *from = &o->wire.v[o->sent++];
    struct log_record *to = mesh_vec_push(&log->records);
    *to = *from;
    *from = (struct log_record){.value = MESH_BUF_NULL};
    *mesh_vec_push(&o->offsets) = (int64_t)log->records.n - 1;
    if (mesh_rng_below(&s->c.rng, 50) == 0)
        arrives_twice(s, log, o);
    return true;
}

/* The acknowledgement of all of it. False: this owner is one no more. */
static bool acknowledged(struct shards *s, int product, int32_t shard, struct owner *o)
{
    struct log *log = &s->logs[product][shard];
    enum mesh_log_verdict verdict = mesh_log_writer_acked(&o->writer, o->offsets.v, o->offsets.n);
    bool counts = verdict == MESH_LOG_COUNTS;
    if (verdict == MESH_LOG_LOOK) {
        s->looked++;
        for (int64_t k = o->writer.look_at; k < o->writer.until; k++)
            mesh_log_writer_look(&o->writer, key_of(&log->records.v[k]), k);
        counts = o->writer.look_at >= (int64_t)log->begin && mesh_log_writer_counts(&o->writer);
    }
    if (o->cut && counts) {
        o->cut_at = o->offsets.v[0];
        o->cut = false;
        o->cutting = true;
    }
    drop_wire(o);
    if (!counts) {
        s->fenced++;
        end_owner(o);
    }
    return counts;
}

static bool take_over(struct shards *s, int product, int32_t shard)
{
    struct owner *o = &s->owners[product][shard][0];
    struct log *log = &s->logs[product][shard];
    end_owner(&s->owners[product][shard][1]);
    if (o->i.engine != NULL) { /* it does not know */
        struct owner swap = s->owners[product][shard][1];
        s->owners[product][shard][1] = *o;
        *o = swap;
        s->takeovers++;
    }
    struct mesh_log_head head = {MESH_LOG_CLAIM, -1, s->c.generation, 0};
    int64_t claim = log_append(log, &head, MESH_STR(""));
    o->generation = agree(s, product);
    mesh_log_writer_begin(&o->writer, claim);
    o->i.product = product;
    o->i.held_until_us = INT64_MAX; /* no lease: the log alone says who counts */
    o->cut = o->cutting = false;
    o->i.engine = new_engine(s, product, shard, o->generation);
    if (!restore(s, log, claim, o->i.engine))
        return false;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf frames = MESH_BUF_NULL;
    mesh_engine_claim(o->i.engine, &frames);
    submit(o, (struct mesh_str){frames.p, (uint32_t)frames.n});
    while (wire_arrives(s, product, shard, o))
        continue;
    return acknowledged(s, product, shard, o);
}

static bool commit(struct shards *s, struct owner *o)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf frames = MESH_BUF_NULL;
    if (o->wire.n > 0)
        return false;
    if (mesh_engine_round_begin(o->i.engine, UINT64_MAX)) {
        o->cut = true;
        s->c.rounds++;
    }
    if (!mesh_engine_commit(o->i.engine, s->c.now_us, &frames))
        return false;
    submit(o, (struct mesh_str){frames.p, (uint32_t)frames.n});
    return true;
}

static bool landed(struct shards *s, int product, int32_t shard, struct owner *o)
{
    if (o->wire.n == 0 || o->sent < o->wire.n || !acknowledged(s, product, shard, o))
        return false;
    mesh_engine_durable(o->i.engine);
    if (mesh_engine_round_done(o->i.engine) && o->cutting) {
        struct log *log = &s->logs[product][shard];
        log->begin = (size_t)o->cut_at > log->begin ? (size_t)o->cut_at : log->begin;
        o->cutting = false;
        s->trims++;
    }
    return true;
}

/* The process is gone; what was on the wire may arrive yet, in order. */
static void kill_owner(struct shards *s, int product, int32_t shard, struct owner *o)
{
    while (mesh_rng_below(&s->c.rng, 3) > 0 && wire_arrives(s, product, shard, o))
        continue;
    while (mesh_rng_below(&s->c.rng, 3) > 0 && cluster_append(&s->c, &o->i))
        continue;
    s->c.crashes++;
    end_owner(o);
}

/* ---- a schedule ---- */
static void produce(struct shards *s, int32_t p)
{
    if (s->produced[p] == EVENTS)
        return;
    struct chain_record r = event_at(s->seed, p, s->produced[p]++);
    cluster_produce(&s->c, p, &r);
}

/* Retention takes what is behind the durable position: a state that is lost cannot be made again from the events. */
static void forget_events(struct shards *s, int32_t shard)
{
    struct owner *o = &s->owners[CHAIN_SALES][shard][0];
    for (int k = 0; k < 3 && o->i.engine != NULL; k++) {
        while (wire_arrives(s, CHAIN_SALES, shard, o))
            continue;
        (void)landed(s, CHAIN_SALES, shard, o);
        s->c.now_us += CHAIN_SECOND;
        if (o->i.engine != NULL && k < 2)
            commit(s, o);
    }
    int64_t at = o->i.engine == NULL || o->wire.n > 0 ? -1 : mesh_engine_position(o->i.engine, SALES_EVENTS, shard);
    struct cluster_partition *events = &s->c.topics[TOPIC_EVENTS][shard];
    if (at > (int64_t)events->begin)
        events->begin = (size_t)at;
}

static void step(struct shards *s)
{
    struct cluster *c = &s->c;
    struct mesh_rng *rng = &c->rng;
    int product = (int)mesh_rng_below(rng, CHAIN_N_PRODUCTS);
    int32_t shard = (int32_t)mesh_rng_below(rng, CLUSTER_PARTITIONS);
    uint64_t what = mesh_rng_below(rng, 64);
    struct owner *o = &s->owners[product][shard][mesh_rng_below(rng, 3) == 0]; /* now and then one that is no more */
    if (what < 8) {
        for (uint64_t n = mesh_rng_below(rng, 8); n > 0; n--)
            produce(s, shard);
        return;
    }
    if (what < 11) {
        if (s->owners[product][shard][0].i.engine == NULL || what == 8)
            (void)take_over(s, product, shard);
        return;
    }
    if (o->i.engine == NULL)
        return;
    uint32_t input = (uint32_t)mesh_rng_below(rng, chain_products[product]->n_inputs);
    if (what < 24)
        cluster_feed(c, &o->i, input, shard, (size_t)mesh_rng_below(rng, 8) + 1);
    else if (what < 30)
        commit(s, o);
    else if (what < 36)
        for (uint64_t n = mesh_rng_below(rng, 4); n > 0; n--)
            wire_arrives(s, product, shard, o);
    else if (what < 42)
        landed(s, product, shard, o);
    else if (what < 48)
        cluster_hand_over(c, &o->i, (size_t)mesh_rng_below(rng, 12) + 1);
    else if (what < 53)
        for (uint64_t n = mesh_rng_below(rng, 8); n > 0; n--)
            cluster_append(c, &o->i);
    else if (what < 57)
        for (uint64_t n = mesh_rng_below(rng, 8); n > 0; n--)
            cluster_ack(c, &o->i);
    else if (what < 59)
        cluster_store(c, &o->i, 4);
    else if (what < 61)
        c->now_us += (int64_t)mesh_rng_below(rng, CHAIN_SECOND);
    else if (what == 61)
        cluster_delivery_error(c, &o->i);
    else if (what == 62)
        kill_owner(s, product, shard, o);
    else
        forget_events(s, shard);
}

static bool turn(struct shards *s, int product, int32_t shard)
{
    struct cluster *c = &s->c;
    struct owner *o = &s->owners[product][shard][0];
    bool moved = false;
    if (o->i.engine == NULL)
        return take_over(s, product, shard);
    for (uint32_t input = 0; input < chain_products[product]->n_inputs; input++)
        while (cluster_feed(c, &o->i, input, shard, 32))
            moved = true;
    c->now_us += CHAIN_SECOND;
    moved |= commit(s, o);
    while (wire_arrives(s, product, shard, o))
        continue;
    moved |= landed(s, product, shard, o);
    if (o->i.engine == NULL) {
        say("the newest owner was fenced: shard", shard, 1, 0);
        return false;
    }
    moved |= cluster_hand_over(c, &o->i, 1000);
    while (cluster_append(c, &o->i))
        moved = true;
    while (cluster_ack(c, &o->i))
        moved = true;
    return moved | cluster_store(c, &o->i, 1000);
}

/* A former owner does all that it still can; the first commit that comes back tells it. */
static void wake(struct shards *s, int product, int32_t shard)
{
    struct owner *zombie = &s->owners[product][shard][1];
    for (int k = 0; k < 12 && zombie->i.engine != NULL; k++) {
        uint32_t input = (uint32_t)mesh_rng_below(&s->c.rng, chain_products[product]->n_inputs);
        cluster_feed(&s->c, &zombie->i, input, shard, 5);
        s->c.now_us += CHAIN_SECOND;
        commit(s, zombie);
        while (wire_arrives(s, product, shard, zombie))
            continue;
        (void)landed(s, product, shard, zombie);
        if (zombie->i.engine == NULL)
            return;
        cluster_hand_over(&s->c, &zombie->i, 5);
        cluster_store(&s->c, &zombie->i, 5);
        cluster_append(&s->c, &zombie->i);
    }
}

static void drain(struct shards *s)
{
    for (int product = 0; product < CHAIN_N_PRODUCTS; product++)
        for (int32_t p = 0; p < CLUSTER_PARTITIONS; p++) {
            wake(s, product, p);
            while (s->produced[p] < EVENTS)
                produce(s, p);
        }
    int rounds = 0;
    for (int quiet = 0; quiet < 3 && !wrong; rounds++) {
        bool moved = false;
        for (int product = 0; product < CHAIN_N_PRODUCTS; product++)
            for (int32_t p = 0; p < CLUSTER_PARTITIONS && !wrong; p++)
                moved |= turn(s, product, p);
        quiet = moved ? 0 : quiet + 1;
        if (rounds > DRAIN_MAX)
            say("it does not come to an end: rounds", 0, rounds, DRAIN_MAX);
    }
}

static void see_all(struct shards *s, int product, uint32_t view, struct tally *ret, int n)
{
    memset(ret, 0, (size_t)n * sizeof *ret);
    for (int32_t p = 0; p < CLUSTER_PARTITIONS; p++)
        see_part(s->owners[product][p][0].i.engine, view, ret, n);
}

static void check_all(struct shards *s)
{
    struct truth truth;
    struct tally got[CARDS * CLUSTER_PARTITIONS];
    find_truth(s->seed, &truth);
    for (int product = 0; product < CHAIN_N_PRODUCTS; product++)
        for (int32_t p = 0; p < CLUSTER_PARTITIONS; p++) {
            const char *stopped = mesh_engine_stopped(s->owners[product][p][0].i.engine);
            if (stopped == NULL)
                continue;
            printf("# seed %llu: %s\n", (unsigned long long)s->seed, stopped);
            wrong = true;
        }
    see_all(s, CHAIN_SALES, SALES_VIEW_CARDS, got, CARDS * CLUSTER_PARTITIONS);
    compare("card", got, truth.cards, CARDS * CLUSTER_PARTITIONS);
    see_all(s, CHAIN_SALES, SALES_VIEW_TOTALS, got, STORES);
    compare("store in totals", got, truth.stores, STORES);
    see_docs(&s->c, CHAIN_SALES, got, STORES);
    compare("document of totals", got, truth.stores, STORES);
    see_topic(&s->c, TOPIC_LINES, got);
    compare("store in lines", got, truth.stores, STORES);
    see_all(s, CHAIN_STORES, STORES_VIEW_SEEN, got, STORES);
    compare("store in seen", got, truth.stores, STORES);
    see_docs(&s->c, CHAIN_STORES, got, STORES);
    compare("document of seen", got, truth.stores, STORES);
    see_topic(&s->c, TOPIC_SHOWN, got);
    compare("store in shown", got, truth.stores, STORES);
    check_letters(&s->c, &truth);
}

struct sums {
    uint64_t crashes, errors, rounds, repeats, takeovers, fenced, skipped, looked, trims, repeated;
};

static void deinit(struct shards *s)
{
    for (int product = 0; product < CHAIN_N_PRODUCTS; product++) {
        for (int32_t p = 0; p < CLUSTER_PARTITIONS; p++) {
            for (int k = 0; k < OWNERS; k++) {
                struct owner *o = &s->owners[product][p][k];
                end_owner(o);
                mesh_vec_deinit(&o->i.flights);
                mesh_vec_deinit(&o->wire);
                mesh_vec_deinit(&o->offsets);
            }
            struct log *log = &s->logs[product][p];
            for (size_t k = 0; k < log->records.n; k++)
                mesh_buf_deinit(&log->records.v[k].value);
            mesh_vec_deinit(&log->records);
        }
    }
    cluster_deinit(&s->c);
}

static void run(uint64_t seed, struct sums *sums)
{
    seed_now = seed;
    wrong = false;
    struct shards *s = mesh_xcalloc(1, sizeof *s);
    s->seed = seed;
    cluster_init(&s->c, seed);
    for (int product = 0; product < CHAIN_N_PRODUCTS; product++)
        for (int32_t p = CLUSTER_PARTITIONS - 1; p >= 0; p--)
            (void)take_over(s, product, p);
    for (int k = 0; k < STEPS && !wrong; k++)
        step(s);
    if (!wrong)
        drain(s);
    if (!wrong)
        check_all(s);
    sums->crashes += s->c.crashes;
    sums->errors += s->c.errors;
    sums->rounds += s->c.rounds;
    sums->repeats += s->c.repeats;
    sums->takeovers += s->takeovers;
    sums->fenced += s->fenced;
    sums->skipped += s->skipped;
    sums->looked += s->looked;
    sums->trims += s->trims;
    sums->repeated += s->repeated;
    deinit(s);
    free(s);
}

CASE(shards_of_several_instances_give_what_the_events_say)
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
        "# %llu schedules: %llu crashes, %llu takeovers from who did not know, %llu fenced, %llu records of former owners passed over, %llu "
        "gaps looked at, %llu rounds, %llu logs trimmed, %llu delivery errors, %llu messages repeated; %.0f schedules/s\n",
        (unsigned long long)n, (unsigned long long)sums.crashes, (unsigned long long)sums.takeovers,
        (unsigned long long)sums.fenced, (unsigned long long)sums.skipped, (unsigned long long)sums.looked,
        (unsigned long long)sums.rounds, (unsigned long long)sums.trims, (unsigned long long)sums.errors,
        (unsigned long long)sums.repeats, (double)n * 1e6 / (double)(mesh_clock_mono_us() - begun_us + 1));
    if (one != NULL)
        return;
    CHECK(sums.crashes > n / 2 && sums.takeovers > n && sums.fenced > n / 2 && sums.looked > n / 2);
    CHECK(sums.skipped > n / 4 && sums.trims > n / 4 && sums.repeats > n / 8 && sums.repeated > n / 8);
}
