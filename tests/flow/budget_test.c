/* An input whose records become letters stops, at the same record whatever the batches, and stays stopped until somebody accepts it. */
#include "world.h"

#include "../check.h"
#include "base/check.h"

#include <stdlib.h>

#define LIMIT       51 /* 5 % */
#define RECORDS_MAX 5000

static struct mesh_input inputs[SHOP_N_INPUTS];
static struct mesh_product product;

static void begin(struct world *w)
{
    world_init(w, 1, 1);
    memcpy(inputs, shop.inputs, sizeof inputs);
    inputs[SHOP_VISITS].letters_stop = LIMIT;
    product = shop;
    product.inputs = inputs;
    w->product = &product;
}

static void put(struct world *w, uint32_t input, int i, bool good)
{
    struct shop_record r = {.id = MESH_STR("i"),
                            .card = MESH_STR("card"),
                            .store = MESH_STR("store"),
                            .amount = 1,
                            .at = 1700000000 * SHOP_SECOND + i * SHOP_SECOND};
    if (good)
        world_put(w, input, 0, &r);
    else
        world_put_raw(w, input, 0, r.card, MESH_STR("of another contract"), r.at, NULL, 0);
}

/* Each record once, however often its letter was sent. */
static size_t letters(struct world *w)
{
    const struct world_topic *dlq = &w->dests[mesh_engine_dest_dlq(w->product)][0];
    static bool seen[SHOP_N_INPUTS][RECORDS_MAX];
    memset(seen, 0, sizeof seen);
    size_t n = 0;
    for (size_t i = 0; i < dlq->messages.n; i++) {
        const struct world_message *m = &dlq->messages.v[i];
        const char *topic = "";
        long long offset = 0;
        for (uint32_t h = 0; h < m->n_headers; h++) {
            if (strcmp(m->headers[h].name.p, "__mesh.errors.topic") == 0)
                topic = m->headers[h].value.p;
            if (strcmp(m->headers[h].name.p, "__mesh.errors.offset") == 0)
                offset = strtoll(m->headers[h].value.p, NULL, 10);
        }
        bool *here = &seen[strcmp(topic, "visits") == 0 ? SHOP_VISITS : SHOP_COUNTS][offset];
        n += !*here;
        *here = true;
    }
    return n;
}

static double shown(struct world *w)
{
    return mesh_metric_value(mesh_metric_find(w->metrics, "mesh_error_budget_exceeded", "input", "visits", "partition", "0", NULL));
}

static void all_of(struct world *w, uint32_t input, size_t batch)
{
    while (world_feed(w, input, 0, batch))
        continue;
    world_drain(w);
}

static bool yes(void *context, const char *input)
{
    (void)context;
    return strcmp(input, "visits") == 0;
}

CASE(stops_at_the_same_record_whatever_the_batches)
{
    for (size_t batch = 1; batch <= 300; batch = batch * 3 + 1) {
        struct world w;
        begin(&w);
        for (int i = 0; i < 400; i++)
            put(&w, SHOP_VISITS, i, i < 100 || i % 4 == 0); /* good ones, then a bad deploy: three in four */
        world_start(&w);
        all_of(&w, SHOP_VISITS, batch);
        CHECK_EQ_U64(letters(&w), LIMIT);
        CHECK_EQ_I64(mesh_engine_position(w.engine, SHOP_VISITS, 0), 168); /* behind the 51st */
        CHECK(!mesh_engine_wants(w.engine, SHOP_VISITS, 0));
        CHECK_CONTAINS(mesh_engine_stopped(w.engine), "input visits partition 0: 51 dead letters in 1000 records");
        CHECK_CONTAINS(mesh_engine_stopped(w.engine), "MESH_ACCEPT_ERRORS=visits");
        CHECK_EQ_I64((int64_t)shown(&w), 1);
        world_deinit(&w);
    }
}

CASE(a_restart_does_not_accept_it_and_an_operator_does)
{
    struct world w;
    begin(&w);
    for (int i = 0; i < 400; i++)
        put(&w, SHOP_VISITS, i, i >= 200);
    world_start(&w);
    all_of(&w, SHOP_VISITS, 30);
    CHECK_EQ_U64(letters(&w), LIMIT);
    for (int i = 0; i < 3; i++) { /* a supervisor alone lets nothing more through */
        world_crash(&w);
        CHECK_CONTAINS(mesh_engine_stopped(w.engine), "it stopped at offset 51");
        all_of(&w, SHOP_VISITS, 30);
        CHECK_EQ_U64(letters(&w), LIMIT);
    }
    w.accepts = yes;
    world_crash(&w);
    CHECK(mesh_engine_stopped(w.engine) == NULL);
    all_of(&w, SHOP_VISITS, 30);
    CHECK_EQ_I64((int64_t)shown(&w), 0);
    CHECK_EQ_U64(letters(&w), 200);
    CHECK_EQ_I64(mesh_engine_position(w.engine, SHOP_VISITS, 0), 400);
    w.accepts = NULL;
    world_crash(&w);
    CHECK(mesh_engine_stopped(w.engine) == NULL);
    world_deinit(&w);
}

CASE(what_lies_within_the_budget_goes_on_and_other_inputs_have_their_own)
{
    struct world w;
    begin(&w);
    for (int i = 0; i < 5000; i++)
        put(&w, SHOP_VISITS, i, i % 20 != 0); /* 50 of each 1,000 */
    for (int i = 0; i < 300; i++)
        put(&w, SHOP_COUNTS, i, false); /* no budget was given */
    world_start(&w);
    all_of(&w, SHOP_VISITS, 700);
    CHECK(mesh_engine_stopped(w.engine) == NULL);
    CHECK_EQ_U64(letters(&w), 250 + 300);
    world_deinit(&w);
}

/* What was counted is part of the commit: crashes in between neither forget letters nor count them twice. */
CASE(a_crash_does_not_change_the_count)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world w;
        begin(&w);
        for (int i = 0; i < 400; i++)
            put(&w, SHOP_VISITS, i, i % 3 != 0);
        world_start(&w);
        mesh_rng_seed(&w.rng, seed);
        for (int i = 0; i < 60; i++) {
            world_feed(&w, SHOP_VISITS, 0, (size_t)mesh_rng_below(&w.rng, 12) + 1);
            if (mesh_rng_below(&w.rng, 3) == 0 && world_commit(&w) && mesh_rng_below(&w.rng, 3) > 0)
                world_durable(&w);
            if (mesh_rng_below(&w.rng, 6) == 0)
                world_crash(&w);
        }
        world_durable(&w);
        world_drain(&w);
        CHECK_EQ_I64(mesh_engine_position(w.engine, SHOP_VISITS, 0), 151); /* 50 * 3 + 1 */
        CHECK(mesh_engine_stopped(w.engine) != NULL);
        world_deinit(&w);
    }
}
