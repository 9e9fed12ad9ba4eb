/* Reading in the middle of feed and commit: what is shown is what its marks (as of, position, durable) say, and looking changes
 * nothing. */
#include "world.h"

#include "../check.h"
#include "base/check.h"
#include "base/hash.h"

#include <stdlib.h>

#define START_US (1700000000 * SHOP_SECOND)

static void put(struct world *w, uint32_t input, int i, const char *card)
{
    char id[32], store[32];
    snprintf(id, sizeof id, "p%d", i);
    snprintf(store, sizeof store, "store%d", i % 3);
    struct shop_record r = {.id = mesh_str_of(id), .card = mesh_str_of(card), .store = mesh_str_of(store), .amount = i % 10};
    r.at = START_US + i * SHOP_SECOND;
    world_put(w, input, mesh_hash_partition(r.card.p, r.card.n, w->partitions), &r);
}

static void put_rates(struct world *w)
{
    for (int s = 0; s < 3; s++) {
        char store[32];
        snprintf(store, sizeof store, "store%d", s);
        struct shop_record r = {
            .id = MESH_STR("r"), .card = mesh_str_of(store), .store = mesh_str_of(store), .amount = 1, .at = START_US - 1};
        world_put(w, SHOP_RATES, 0, &r);
    }
    struct shop_record last = {
        .id = MESH_STR("r"), .card = MESH_STR("s"), .store = MESH_STR("s"), .at = START_US + 100000 * SHOP_SECOND};
    world_put(w, SHOP_RATES, 0, &last); /* they are known for long: nothing waits for them */
}

/* ---- as of ---- */
struct look {
    struct world w;
    int looks, in_the_middle;
    int64_t last_sum, last_as_of;
};

static void read_cards(struct world *w, struct mesh_rows *ret, int64_t *ret_sum)
{
    struct mesh_read read = {.view = SHOP_VIEW_CARDS, .from_us = INT64_MIN, .to_us = INT64_MAX, .limit = 100};
    struct mesh_err err = {0};
    mesh_assert(mesh_engine_list(w->engine, &read, ret, &err) == 0);
    *ret_sum = 0;
    for (size_t i = 0; i < ret->n; i++)
        *ret_sum += ((const struct shop_cards_out *)(const void *)ret->rows.p)[i].n;
}

/* Every sale before the mark is in the rows. */
static void look_at_mark(void *context)
{
    struct look *look = context;
    mesh_cleanup(mesh_rows_deinit) struct mesh_rows rows = {0};
    int64_t sum = 0;
    read_cards(&look->w, &rows, &sum);
    int64_t promised = rows.as_of_us <= START_US ? 0 : (rows.as_of_us - START_US + SHOP_SECOND - 1) / SHOP_SECOND;
    CHECK(sum >= promised || rows.as_of_us > START_US + 600 * SHOP_SECOND);
    CHECK(rows.as_of_us >= look->last_as_of && sum >= look->last_sum);
    CHECK(sum == 0 || rows.commit > rows.durable); /* nothing is committed here */
    look->looks++;
    look->in_the_middle += sum > look->last_sum;
    look->last_as_of = rows.as_of_us;
    look->last_sum = sum;
}

CASE(what_waits_in_the_order_buffer_is_not_promised)
{
    struct look look = {.last_as_of = INT64_MIN};
    world_init(&look.w, 1, 1);
    look.w.between = look_at_mark;
    look.w.between_context = &look;
    put_rates(&look.w);
    for (int i = 0; i < 600; i++) {
        put(&look.w, SHOP_SALES, i, i % 2 == 0 ? "a" : "b");
        put(&look.w, SHOP_COUNTS, i, i % 2 == 0 ? "a" : "b");
    }
    world_start(&look.w);
    world_feed(&look.w, SHOP_RATES, 0, 10);
    CHECK(world_feed(&look.w, SHOP_SALES, 0, 600)); /* all of it waits for the counts */
    CHECK_EQ_I64(look.last_sum, 0);
    look.in_the_middle = 0;
    CHECK(world_feed(&look.w, SHOP_COUNTS, 0, 600)); /* and is released in one go */
    CHECK(look.in_the_middle > 20);
    world_deinit(&look.w);
}

/* ---- position ---- */
struct settled {
    uint64_t commit;
    char *text;
};

struct watch {
    struct world w;
    MESH_VEC(struct settled) seen[SHOP_N_VIEWS];
    uint64_t last[SHOP_N_VIEWS];
    int looks, settled;
};

/* Positions do not go back, and rows that are all durable at a position are the same whenever they are read. */
static void look_at_position(void *context)
{
    struct watch *watch = context;
    for (uint32_t view = 0; view < SHOP_N_VIEWS; view++) {
        struct mesh_read read = {.view = view, .from_us = INT64_MIN, .to_us = INT64_MAX, .limit = 1};
        mesh_cleanup(mesh_rows_deinit) struct mesh_rows rows = {0};
        struct mesh_err err = {0};
        mesh_assert(mesh_engine_list(watch->w.engine, &read, &rows, &err) == 0);
        CHECK(rows.commit >= rows.durable && rows.commit >= watch->last[view]);
        watch->last[view] = rows.commit;
        watch->looks++;
        if (rows.commit != rows.durable)
            continue;
        struct mesh_buf text = MESH_BUF_NULL;
        world_show_view(&watch->w, view, &text);
        mesh_buf_putc(&text, '\0');
        size_t i = 0;
        while (i < watch->seen[view].n && watch->seen[view].v[i].commit != rows.commit)
            i++;
        if (i == watch->seen[view].n) {
            *mesh_vec_push(&watch->seen[view]) = (struct settled){rows.commit, mesh_buf_take(&text)};
            continue;
        }
        watch->settled++;
        CHECK_STR(text.p, watch->seen[view].v[i].text);
        mesh_buf_deinit(&text);
    }
}

static char *run(int32_t partitions, uint64_t seed, bool looks, uint64_t round)
{
    struct watch watch = {0};
    world_init(&watch.w, partitions, seed);
    watch.w.round_log_bytes = round;
    watch.w.round_sweep_bytes = round == 0 ? 0 : 200;
    if (looks) {
        watch.w.between = look_at_position;
        watch.w.between_context = &watch;
    }
    put_rates(&watch.w);
    for (int i = 0; i < 500; i++) {
        char card[32];
        snprintf(card, sizeof card, "card%d", i * 7 % 20);
        put(&watch.w, i % 4 == 0 ? SHOP_COUNTS : SHOP_SALES, i, card);
    }
    world_start(&watch.w);
    for (int i = 0; i < 600; i++)
        world_step(&watch.w, 0);
    world_drain(&watch.w);
    CHECK(!looks || (watch.looks > 200 && watch.settled > 5));
    struct mesh_buf out = MESH_BUF_NULL;
    world_show(&watch.w, &out);
    for (uint32_t view = 0; view < SHOP_N_VIEWS; view++) {
        for (size_t i = 0; i < watch.seen[view].n; i++)
            free(watch.seen[view].v[i].text);
        mesh_vec_deinit(&watch.seen[view]);
    }
    world_deinit(&watch.w);
    return mesh_buf_take(&out);
}

CASE(a_position_is_what_it_says_and_looking_changes_nothing)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        uint64_t round = seed % 2 == 0 ? 2000 : 0;
        char *alone = run(3, seed, false, round);
        char *watched = run(3, seed, true, round);
        CHECK_STR(watched, alone);
        free(alone);
        free(watched);
    }
}
