/* Tables among the inputs: what waits for a row, for how long, and what a row finds when it comes. */
#include "world.h"

#include "../check.h"
#include "base/check.h"

#include <stdio.h>

#define AT(seconds) ((int64_t)(1700000000 + (seconds)) * SHOP_SECOND)

static void put(struct world *w, uint32_t input, const char *card, int64_t amount, int64_t at)
{
    static int ids;
    char id[16];
    snprintf(id, sizeof id, "i%d", ids++);
    struct shop_record r = {.id = mesh_str_of(id), .card = mesh_str_of(card), .store = MESH_STR("s"), .amount = amount, .at = at};
    world_put(w, input, 0, &r);
}

static void advance(struct world *w, int64_t seconds)
{
    for (int64_t i = 0; i < 2 * seconds; i++) {
        w->now_us += SHOP_SECOND / 2;
        for (uint32_t input = 0; input < SHOP_N_INPUTS; input++)
            world_feed(w, input, 0, 100);
        mesh_engine_tick(w->engine, w->now_us);
        world_commit(w);
        world_durable(w);
        world_send(w, 100);
        world_ack(w, 100);
    }
}

static uint64_t letters(struct world *w)
{
    return w->dests[mesh_engine_dest_dlq(&shop)][0].messages.n;
}

CASE(a_record_waits_for_the_first_row_of_an_empty_table)
{
    struct world w;
    world_init(&w, 1, 1);
    world_start(&w);
    advance(&w, 60); /* nobody waits: no time is lost for those who will */
    put(&w, SHOP_SALES, "c", 5, AT(0));
    advance(&w, 10);
    CHECK_EQ_U64(letters(&w), 0);
    put(&w, SHOP_RATES, "s", 3, AT(-50));
    advance(&w, 10);
    CHECK_EQ_U64(letters(&w), 0);
    CHECK(world_shows(&w, SHOP_VIEW_CARDS, "cards c n=1 sum=15"));
    world_deinit(&w);
}

CASE(who_waits_too_long_becomes_a_dead_letter)
{
    struct world w;
    world_init(&w, 1, 1);
    world_start(&w);
    put(&w, SHOP_SALES, "c", 5, AT(0));
    advance(&w, 18);
    CHECK_EQ_U64(letters(&w), 0);
    advance(&w, 6);
    CHECK_EQ_U64(letters(&w), 1);
    put(&w, SHOP_SALES, "c", 6, AT(1)); /* once known to be empty, it is not waited for again; also not after a crash */
    advance(&w, 7);
    CHECK_EQ_U64(letters(&w), 2);
    world_crash(&w);
    advance(&w, 1); /* letters that were not acknowledged come again */
    uint64_t before = letters(&w);
    put(&w, SHOP_SALES, "c", 6, AT(2));
    advance(&w, 7);
    CHECK_EQ_U64(letters(&w), before + 1);
    world_deinit(&w);
}

CASE(a_row_is_there_for_a_record_of_the_same_time)
{
    struct world w;
    world_init(&w, 1, 1);
    world_start(&w);
    put(&w, SHOP_VISITS, "c", 1, AT(10));
    put(&w, SHOP_VISITS, "c", 1, AT(11));
    advance(&w, 1);
    put(&w, SHOP_SIGNS, "c", 7, AT(11));
    advance(&w, 10);
    CHECK(world_shows(&w, SHOP_VIEW_VISITED, "c n=2 sum=7"));
    CHECK_EQ_I64((int64_t)world_metric(&w, "mesh_table_late_total", NULL, NULL), 0);
    world_deinit(&w);
}

CASE(a_row_goes_at_its_time)
{
    struct world w;
    world_init(&w, 1, 1);
    world_start(&w);
    put(&w, SHOP_SIGNS, "c", 7, AT(0));
    world_put_raw(&w, SHOP_SIGNS, 0, MESH_STR("c"), (struct mesh_str){0}, AT(20), NULL, 0);
    put(&w, SHOP_SIGNS, "d", 9, AT(1000));
    advance(&w, 1);
    put(&w, SHOP_VISITS, "c", 1, AT(10));
    put(&w, SHOP_VISITS, "c", 1, AT(15));
    put(&w, SHOP_VISITS, "c", 1, AT(25));
    advance(&w, 1);
    CHECK(world_shows(&w, SHOP_VIEW_VISITED, "c n=2 sum=14"));
    CHECK(world_shows(&w, SHOP_VIEW_VISITED, "c n=1 sum=0"));
    world_deinit(&w);
}

CASE(what_is_announced_does_not_move_time)
{
    struct world w;
    world_init(&w, 1, 1);
    world_start(&w);
    put(&w, SHOP_RATES, "s", 2, AT(-100));
    put(&w, SHOP_RATES, "s", 5, AT(100000));
    put(&w, SHOP_SIGNS, "c", 7, AT(100000));
    put(&w, SHOP_SALES, "c", 5, AT(0));
    put(&w, SHOP_COUNTS, "c", 5, AT(0));
    put(&w, SHOP_VISITS, "c", 1, AT(0));
    advance(&w, 12); /* all are idle now */
    put(&w, SHOP_SALES, "c", 5, AT(10));
    put(&w, SHOP_COUNTS, "c", 5, AT(10));
    put(&w, SHOP_VISITS, "c", 1, AT(10));
    advance(&w, 12);
    CHECK(world_shows(&w, SHOP_VIEW_CARDS, "cards c n=2 sum=20"));
    CHECK(world_shows(&w, SHOP_VIEW_VISITED, "c n=2 sum="));
    CHECK_EQ_I64((int64_t)world_metric(&w, "mesh_idle_late_total", NULL, NULL), 0);
    CHECK_EQ_U64(w.dests[mesh_engine_dest_late(&shop)][0].messages.n, 0);
    world_deinit(&w);
}

CASE(a_row_behind_those_who_looked_for_it_is_counted)
{
    struct world w;
    world_init(&w, 1, 1);
    world_start(&w);
    put(&w, SHOP_SIGNS, "c", 7, AT(0));
    put(&w, SHOP_VISITS, "c", 1, AT(10));
    advance(&w, 10);
    put(&w, SHOP_SIGNS, "c", 8, AT(5));
    advance(&w, 10);
    CHECK_EQ_I64((int64_t)world_metric(&w, "mesh_table_late_total", NULL, NULL), 1);
    put(&w, SHOP_VISITS, "c", 1, AT(11));
    advance(&w, 10);
    CHECK(world_shows(&w, SHOP_VIEW_VISITED, "c n=2 sum=15"));
    world_deinit(&w);
}
