/* Dead letters that come back: once, at their task, however often they are sent. */
#include "world.h"

#include "../check.h"
#include "base/check.h"
#include "flow/retry.h"

#include <stdio.h>

#define AT(seconds) ((int64_t)(1700000000 + (seconds)) * SHOP_SECOND)

static struct world_topic *dlq(struct world *w)
{
    return &w->dests[mesh_engine_dest_dlq(&shop)][0];
}

static void put(struct world *w, uint32_t input, const char *id, const char *store, int64_t amount, int64_t at)
{
    struct shop_record r = {.id = mesh_str_of(id), .card = MESH_STR("c"), .store = mesh_str_of(store), .amount = amount, .at = at};
    world_put(w, input, 0, &r);
}

static struct mesh_str header(const struct world_message *m, const char *name)
{
    for (uint32_t i = 0; i < m->n_headers; i++)
        if (mesh_str_eq(m->headers[i].name, mesh_str_of(name)))
            return m->headers[i].value;
    return (struct mesh_str){0};
}

/* As meshctl does: what the letter says of itself, under the names of a return. */
static void send_back(struct world *w, const struct world_message *letter, const char *attempt)
{
    static const char *const names[] = {"topic", "partition", "offset", "stage"};
    struct mesh_header headers[6];
    char from[4][48], to[4][48];
    for (int i = 0; i < 4; i++) {
        snprintf(from[i], sizeof from[i], "__mesh.errors.%s", names[i]);
        snprintf(to[i], sizeof to[i], MESH_FLOW_RETRY_PREFIX "%s", names[i]);
        headers[i] = (struct mesh_header){mesh_str_of(to[i]), header(letter, from[i])};
    }
    headers[4] = (struct mesh_header){MESH_STR(MESH_FLOW_RETRY_PREFIX "attempt"), mesh_str_of(attempt)};
    headers[5] = (struct mesh_header){MESH_STR("trace"), MESH_STR("abc")};
    world_put_raw(w, SHOP_N_INPUTS, 0, (struct mesh_str){letter->key, letter->key_n},
                  (struct mesh_str){letter->value, letter->value_n}, letter->time_us, headers, 6);
}

static void close_time(struct world *w, int64_t at)
{
    put(w, SHOP_SALES, "z", "s", 0, at);
    put(w, SHOP_COUNTS, "z", "s", 0, at);
}

static void begin(struct world *w, struct mesh_arena *arena)
{
    world_init(w, 1, 1);
    w->product = mesh_flow_with_retry(arena, &shop);
    put(w, SHOP_RATES, "r", "s", 1, AT(-100));
    put(w, SHOP_RATES, "r", "s", 1, AT(1000000));
    put(w, SHOP_SIGNS, "r", "s", 1, AT(1000000));
    world_start(w);
}

CASE(a_letter_is_processed_once)
{
    struct world w;
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    begin(&w, &arena);
    put(&w, SHOP_SALES, "a", "s", 5, AT(0));
    put(&w, SHOP_SALES, "b", "new", 7, AT(1)); /* no rate */
    close_time(&w, AT(10));
    world_drain(&w);
    REQUIRE(dlq(&w)->messages.n == 1);
    CHECK(world_shows(&w, SHOP_VIEW_CARDS, "cards c n=1 sum=5"));

    struct world_message letter = dlq(&w)->messages.v[0];
    send_back(&w, &letter, "1");
    world_drain(&w);
    REQUIRE(dlq(&w)->messages.n == 2); /* still no rate: the next attempt */
    CHECK(mesh_str_eq(header(&dlq(&w)->messages.v[1], "__mesh.errors.attempt"), MESH_STR("2")));
    CHECK(mesh_str_eq(header(&dlq(&w)->messages.v[1], "__mesh.errors.offset"), MESH_STR("1")));
    CHECK(mesh_str_eq(header(&dlq(&w)->messages.v[1], "trace"), MESH_STR("abc")));
    CHECK(header(&dlq(&w)->messages.v[1], MESH_FLOW_RETRY_PREFIX "attempt").p == NULL);
    world_deinit(&w);
}

CASE(a_mended_cause_lets_it_through_and_repetitions_do_nothing)
{
    struct world w;
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    begin(&w, &arena);
    struct shop_record r = {.id = MESH_STR("a"), .card = MESH_STR("c"), .store = MESH_STR("s"), .amount = 7, .at = AT(0)};
    struct mesh_buf value = MESH_BUF_NULL;
    world_value(&value, &r);
    value.p[4] = 8; /* an unknown schema: what the producer wrote is right, nobody had told us */
    world_put_raw(&w, SHOP_SALES, 0, MESH_STR("c"), (struct mesh_str){value.p, (uint32_t)value.n}, AT(0), NULL, 0);
    close_time(&w, AT(10));
    world_drain(&w);
    REQUIRE(dlq(&w)->messages.n == 1);
    struct world_message letter = dlq(&w)->messages.v[0];
    letter.value[4] = 7;
    send_back(&w, &letter, "1");
    send_back(&w, &letter, "1");
    world_drain(&w);
    CHECK(world_shows(&w, SHOP_VIEW_CARDS, "cards c n=1 sum=7"));
    world_crash(&w);
    send_back(&w, &letter, "1");
    world_drain(&w);
    CHECK(world_shows(&w, SHOP_VIEW_CARDS, "cards c n=1 sum=7"));
    CHECK_EQ_U64(dlq(&w)->messages.n, 1);
    mesh_buf_deinit(&value);
    world_deinit(&w);
}

/* As generated code does with a record of three items, the second of which is refused until its cause is mended. */
static struct {
    int taken[3];
    bool mended;
} items;

static void three_items(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    static const struct mesh_site site = {"p.yaml", 7, "streams.items set"};
    (void)record;
    struct mesh_event of;
    for (uint32_t i = 0; i < 3 && event->offset == 0; i++) { /* the others only let time pass */
        if (!mesh_item_begin(task, event, i, &of))
            continue;
        if (i == 1 && !items.mended)
            mesh_reject(task, &of, &site, MESH_FAULT_RANGE);
        else
            items.taken[i]++;
    }
    mesh_items_end(task, event);
}

CASE(of_a_flattened_record_only_the_item_that_failed_comes_back)
{
    struct world w;
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_product product = shop;
    struct mesh_input *inputs = mesh_arena_alloc(&arena, SHOP_N_INPUTS * sizeof *inputs);
    memcpy(inputs, shop.inputs, SHOP_N_INPUTS * sizeof *inputs);
    inputs[SHOP_SALES].process = three_items;
    product.inputs = inputs;
    memset(&items, 0, sizeof items);
    world_init(&w, 1, 1);
    w.product = mesh_flow_with_retry(&arena, &product);
    put(&w, SHOP_RATES, "r", "s", 1, AT(1000000));
    put(&w, SHOP_SIGNS, "r", "s", 1, AT(1000000));
    world_start(&w);
    put(&w, SHOP_SALES, "a", "s", 5, AT(0));
    close_time(&w, AT(10));
    world_drain(&w);
    REQUIRE(dlq(&w)->messages.n == 1);
    struct world_message letter = dlq(&w)->messages.v[0];
    CHECK(mesh_str_eq(header(&letter, "__mesh.errors.stage"), MESH_STR("streams.items set #2")));
    send_back(&w, &letter, "1"); /* too early */
    world_drain(&w);
    REQUIRE(dlq(&w)->messages.n == 2);
    CHECK(mesh_str_eq(header(&dlq(&w)->messages.v[1], "__mesh.errors.stage"), MESH_STR("streams.items set #2")));
    items.mended = true;
    send_back(&w, &dlq(&w)->messages.v[1], "2");
    world_drain(&w);
    CHECK_EQ_U64(dlq(&w)->messages.n, 2);
    CHECK_EQ_I64(items.taken[0], 1);
    CHECK_EQ_I64(items.taken[1], 1);
    CHECK_EQ_I64(items.taken[2], 1);
    world_deinit(&w);
}

CASE(letters_of_others_are_passed_by)
{
    struct world w;
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    begin(&w, &arena);
    struct mesh_header headers[] = {{MESH_STR(MESH_FLOW_RETRY_PREFIX "topic"), MESH_STR("nobody's")},
                                    {MESH_STR(MESH_FLOW_RETRY_PREFIX "partition"), MESH_STR("0")},
                                    {MESH_STR(MESH_FLOW_RETRY_PREFIX "offset"), MESH_STR("x")}};
    world_put_raw(&w, SHOP_N_INPUTS, 0, MESH_STR("c"), MESH_STR("?"), AT(0), headers, 3);
    world_put_raw(&w, SHOP_N_INPUTS, 0, MESH_STR("c"), (struct mesh_str){0}, AT(0), NULL, 0);
    world_drain(&w);
    CHECK_EQ_U64(dlq(&w)->messages.n, 0);
    CHECK_EQ_I64(mesh_engine_position(w.engine, SHOP_N_INPUTS, 0), 2);
    world_deinit(&w);
}

static void advance(struct world *w, int64_t seconds)
{
    for (int64_t i = 0; i < 2 * seconds; i++) {
        w->now_us += SHOP_SECOND / 2;
        for (uint32_t input = 0; input <= SHOP_N_INPUTS; input++)
            for (int32_t p = 0; p < (input == SHOP_N_INPUTS ? 1 : w->partitions); p++)
                world_feed(w, input, p, 100);
        mesh_engine_tick(w->engine, w->now_us);
        world_commit(w);
        world_durable(w);
        world_send(w, 100);
        world_ack(w, 100);
    }
}

/* Tasks downstream have been told that there is nothing to come. What the letter sends there must not make them wait for more. */
CASE(a_letter_behind_the_end_of_everything_goes_all_the_way)
{
    struct world w;
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    world_init(&w, 2, 1);
    w.product = mesh_flow_with_retry(&arena, &shop);
    put(&w, SHOP_RATES, "r", "s", 1, AT(-100));
    world_start(&w);
    put(&w, SHOP_SALES, "a", "s", 5, AT(0));
    put(&w, SHOP_SALES, "b", "new", 7, AT(10)); /* no rate, and the newest record */
    advance(&w, 40);
    REQUIRE(dlq(&w)->messages.n + w.dests[mesh_engine_dest_dlq(&shop)][1].messages.n == 1);
    CHECK_EQ_I64((int64_t)world_metric(&w, "mesh_order_buffer_records", NULL, NULL), 0);

    struct world_message letter =
        dlq(&w)->messages.n == 1 ? dlq(&w)->messages.v[0] : w.dests[mesh_engine_dest_dlq(&shop)][1].messages.v[0];
    put(&w, SHOP_RATES, "r", "new", 1, AT(-100));
    advance(&w, 10);
    send_back(&w, &letter, "1");
    advance(&w, 10);
    CHECK_EQ_I64((int64_t)world_metric(&w, "mesh_order_buffer_records", NULL, NULL), 0);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    world_show_view(&w, SHOP_VIEW_TOTALS, &out);
    CHECK_CONTAINS(out.p == NULL ? "" : out.p, "totals new n=1 sum=7");
    world_deinit(&w);
}
