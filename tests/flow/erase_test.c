/* Erasing a person: what is left is what would be there if the person had never come, whatever the interleaving and wherever it crashed;
 * the log and every state are free of its bytes; receipts say so once. */
#include "world.h"

#include "../check.h"
#include "base/check.h"
#include "base/hash.h"
#include "flow/erase.h"

#include <stdlib.h>

#define START_US (1700000000 * SHOP_SECOND)
#define SEEDS    60
#define RECORDS  250
#define ERASURE  SHOP_N_INPUTS /* its input */
#define WHO      "card3"
#define LABEL(s) .label = MESH_PERSONAL, .subject = (s)

/* The shop, with labels: cards are customers, ids are payments. */
struct people {
    struct mesh_arena arena;
    const struct mesh_product *product;
};

static const struct mesh_field subjects[] = {
    {.name = "card", .type = MESH_STRING, .offset = offsetof(struct shop_record, card), LABEL("customer")},
    {.name = "id", .type = MESH_STRING, .offset = offsetof(struct shop_record, id), LABEL("payment")},
};
static const struct mesh_field card_key[] = {{.name = "card", .type = MESH_STRING, LABEL("customer")}};
static const struct mesh_field id_key[] = {{.name = "id", .type = MESH_STRING, LABEL("payment")}};

static void *copied(struct people *p, const void *from, size_t bytes)
{
    void *to = mesh_arena_alloc(&p->arena, bytes);
    memcpy(to, from, bytes);
    return to;
}

static const struct mesh_field *labelled(struct people *p, const struct mesh_field *fields, uint32_t n)
{
    struct mesh_field *own = copied(p, fields, n * sizeof *own);
    for (uint32_t i = 0; i < n; i++) {
        if (own[i].type != MESH_STRING)
            continue;
        own[i].label = MESH_PERSONAL;
        own[i].subject = strcmp(own[i].name, "card") == 0 ? "customer" : "payment";
    }
    return own;
}

static void people_init(struct people *p)
{
    *p = (struct people){.arena = MESH_ARENA_NULL};
    struct mesh_product *own = copied(p, &shop, sizeof shop);
    struct mesh_input *inputs = copied(p, shop.inputs, shop.n_inputs * sizeof *inputs);
    struct mesh_state *states = copied(p, shop.states, shop.n_states * sizeof *states);
    struct mesh_view *views = copied(p, shop.views, shop.n_views * sizeof *views);
    for (uint32_t i = 0; i < shop.n_inputs; i++) {
        if (i != SHOP_PARTIALS && i != SHOP_RATES) {
            inputs[i].subjects = subjects;
            inputs[i].n_subjects = 2;
        }
    }
    for (uint32_t i = 0; i < shop.n_views; i++)
        if (strcmp(views[i].out[0].name, "card") == 0)
            views[i].out = labelled(p, views[i].out, views[i].n_out);
    for (uint32_t i = 0; i < shop.n_states; i++) {
        if (states[i].view != NULL)
            states[i].view = &views[states[i].view - shop.views];
        if (states[i].n_fields > 0)
            states[i].fields = labelled(p, states[i].fields, states[i].n_fields);
        if (states[i].n_waits > 0)
            states[i].waits = labelled(p, states[i].waits, states[i].n_waits);
        bool by_store = i == SHOP_HIGH || i == SHOP_RATE;
        states[i].key = i == SHOP_SEEN ? id_key : card_key;
        states[i].n_key = by_store || states[i].view != NULL ? 0 : 1;
    }
    own->inputs = inputs;
    own->states = states;
    own->views = views;
    own->erasure_topic = "erasure";
    own->receipts_topic = "receipts";
    p->product = mesh_flow_with_erasure(&p->arena, own);
}

static void people_deinit(struct people *p)
{
    mesh_arena_deinit(&p->arena);
}

/* `but`: none of this card's. */
static void put_input(struct world *w, uint64_t seed, const char *but)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, seed);
    char id[32], card[32], store[32];
    for (int s = 0; s < 3; s++) {
        snprintf(store, sizeof store, "store%d", s);
        struct shop_record r = {.id = MESH_STR("r"), .card = mesh_str_of(store), .store = mesh_str_of(store), .amount = s + 1};
        r.at = START_US - 1000 * SHOP_SECOND;
        world_put(w, SHOP_RATES, 0, &r);
    }
    int64_t at = START_US;
    for (int i = 0; i < RECORDS; i++) {
        at += (int64_t)mesh_rng_below(&rng, 1500000);
        snprintf(id, sizeof id, "p%d", i);
        snprintf(card, sizeof card, "card%d", (int)mesh_rng_below(&rng, 6));
        snprintf(store, sizeof store, "store%d", (int)mesh_rng_below(&rng, 3));
        struct shop_record r = {.id = mesh_str_of(id),
                                .card = mesh_str_of(card),
                                .store = mesh_str_of(store),
                                .amount = (int64_t)mesh_rng_below(&rng, 50),
                                .at = at - (int64_t)mesh_rng_below(&rng, 2000000)};
        static const uint32_t inputs[] = {SHOP_COUNTS, SHOP_SALES, SHOP_SALES, SHOP_VISITS, SHOP_SIGNS};
        uint32_t input = inputs[mesh_rng_below(&rng, 5)];
        if (but == NULL || strcmp(card, but) != 0)
            world_put(w, input, mesh_hash_partition(r.card.p, r.card.n, w->partitions), &r);
    }
    for (int32_t p = 0; p < w->partitions; p++) { /* time is closed */
        static const uint32_t keyed[] = {SHOP_SALES, SHOP_COUNTS, SHOP_VISITS, SHOP_SIGNS, SHOP_RATES};
        for (size_t i = 0; i < MESH_LEN(keyed); i++) {
            int k = 0;
            do
                snprintf(card, sizeof card, "end%d", k++);
            while (mesh_hash_partition(card, strlen(card), w->partitions) != p);
            struct shop_record r = {.id = mesh_str_of(card), .card = mesh_str_of(card), .store = MESH_STR("store0"), .at = at};
            r.at += (keyed[i] == SHOP_RATES || keyed[i] == SHOP_SIGNS ? 301 : 300) * SHOP_SECOND;
            world_put(w, keyed[i], keyed[i] == SHOP_RATES ? 0 : p, &r);
        }
    }
}

static void ask(struct world *w, const char *subject, const char *id, int64_t at)
{
    char text[160];
    snprintf(text, sizeof text, "{\"request\":\"r1\",\"subject\":\"%s\",\"id\":\"%s\"}", subject, id);
    world_put_raw(w, ERASURE, 0, MESH_STR("r1"), mesh_str_of(text), at, NULL, 0);
    w->inputs[ERASURE][0].shown++;
}

static bool holds(const void *bytes, size_t n, const char *text)
{
    return n > 0 && memmem(bytes, n, text, strlen(text)) != NULL;
}

/* Receipts of one stage, without the repetitions that a receiver drops. */
static uint32_t receipts(const struct world *w, const char *stage, struct mesh_buf *ret_all)
{
    const struct world_topic *topic = &w->dests[mesh_engine_dest_receipts(w->product)][0];
    uint32_t n = 0;
    for (size_t i = 0; i < topic->messages.n; i++) {
        const struct world_message *m = &topic->messages.v[i];
        bool again = !holds(m->value, m->value_n, stage);
        for (size_t k = 0; k < i && !again; k++)
            again = topic->messages.v[k].headers[0].value.n == m->headers[0].value.n &&
                    memcmp(topic->messages.v[k].headers[0].value.p, m->headers[0].value.p, m->headers[0].value.n) == 0;
        if (again)
            continue;
        n++;
        mesh_buf_printf(ret_all, "%.*s\n", (int)m->value_n, m->value);
    }
    return n;
}

/* How far time has come is what the person's records have shown, too: it is left out. */
static void show_people(struct world *w, struct mesh_buf *out)
{
    world_show_view(w, SHOP_VIEW_CARDS, out);
    world_show_view(w, SHOP_VIEW_VISITED, out);
    for (char *at = out->p; at != NULL && (at = strstr(at, "final")) != NULL;) {
        memcpy(at, "open", 4);
        memmove(at + 4, at + 5, strlen(at + 5) + 1);
    }
}

static void run_without(const struct people *p, uint64_t seed, struct mesh_buf *out)
{
    struct world w;
    world_init(&w, 3, seed);
    w.product = p->product;
    put_input(&w, seed, WHO);
    world_start(&w);
    world_drain(&w);
    show_people(&w, out);
    world_deinit(&w);
}

CASE(what_is_left_is_as_if_the_person_had_never_come)
{
    struct people p;
    people_init(&p);
    uint32_t crashes = 0;
    uint32_t early = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf wanted = MESH_BUF_NULL;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf got = MESH_BUF_NULL;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf all = MESH_BUF_NULL;
        run_without(&p, seed, &wanted);
        struct world w;
        world_init(&w, 3, seed);
        w.product = p.product;
        w.unfolds = seed % 2 == 0;
        w.round_sweep_bytes = seed % 3 == 0 ? 200 : 0; /* rounds take several commits, with crashes between them */
        put_input(&w, seed, NULL);
        world_start(&w);
        uint64_t asked = mesh_rng_below(&w.rng, 600); /* somewhere while the records come */
        for (uint64_t step = 0; step < 900; step++) {
            if (step == asked)
                ask(&w, "customer", WHO, START_US + 100000 * SHOP_SECOND);
            if (step >= asked && mesh_rng_below(&w.rng, 10) == 0)
                world_feed(&w, ERASURE, 0, 1);
            world_step(&w, 40);
            if (step == asked + 20)
                world_feed(&w, ERASURE, 0, 1);
        }
        early += mesh_engine_position(w.engine, ERASURE, 0) == 1;
        world_drain(&w);
        for (int i = 0; i < 40; i++) { /* rounds that were wanted */
            world_commit(&w);
            world_durable(&w);
            world_send(&w, 1000);
            world_ack(&w, SIZE_MAX);
            world_store(&w, SIZE_MAX);
        }
        show_people(&w, &got);
        CHECK_STR(got.p == NULL ? "" : got.p, wanted.p == NULL ? "" : wanted.p);
        CHECK_EQ_U64(receipts(&w, "\"stage\":\"state\"", &all), (uint64_t)3 * 3);
        CHECK_EQ_U64(receipts(&w, "\"stage\":\"log\"", &all), (uint64_t)3 * 3);
        CHECK(!holds(all.p, all.n, WHO));
        CHECK(!holds(all.p, all.n, "\"left\":1"));
        CHECK(!holds(w.log.p, w.durable, WHO)); /* no segment has it any more */
        for (size_t i = 0; i < w.docs.n; i++)
            CHECK(!holds(w.docs.v[i].text, strlen(w.docs.v[i].text), WHO));
        CHECK_EQ_U64(w.gaps, 0);
        crashes += w.crashes;
        world_crash(&w); /* and a start finds the same */
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf again = MESH_BUF_NULL;
        show_people(&w, &again);
        CHECK_STR(again.p == NULL ? "" : again.p, wanted.p == NULL ? "" : wanted.p);
        world_deinit(&w);
    }
    CHECK(crashes > SEEDS);
    printf("# %u of %d were taken while records came, %u crashes\n", early, SEEDS, crashes);
    CHECK(early > SEEDS / 2);
    people_deinit(&p);
}

static void begin(struct world *w, const struct people *p)
{
    world_init(w, 1, 7);
    w->product = p->product;
    struct shop_record r = {.id = MESH_STR("r"), .card = MESH_STR("s"), .store = MESH_STR("s"), .amount = 1};
    r.at = START_US - 1000 * SHOP_SECOND;
    world_put(w, SHOP_RATES, 0, &r);
    r.at = START_US + 100000 * SHOP_SECOND;
    world_put(w, SHOP_RATES, 0, &r);
    world_put(w, SHOP_SIGNS, 0, &r);
    world_start(w);
}

static void put(struct world *w, uint32_t input, const char *id, const char *card, int64_t amount, int64_t second)
{
    struct shop_record r = {.id = mesh_str_of(id),
                            .card = mesh_str_of(card),
                            .store = MESH_STR("s"),
                            .amount = amount,
                            .at = START_US + second * SHOP_SECOND};
    world_put(w, input, 0, &r);
}

static void settle(struct world *w)
{
    world_drain(w);
    for (int i = 0; i < 10; i++) {
        world_commit(w);
        world_durable(w);
        world_send(w, 1000);
        world_ack(w, SIZE_MAX);
        world_store(w, SIZE_MAX);
    }
}

/* Rows about somebody else, in which the erased one only turns up: emptied, or let go one by one. */
CASE(what_is_about_something_else_stays)
{
    struct people p;
    struct world w;
    people_init(&p);
    begin(&w, &p);
    put(&w, SHOP_COUNTS, "k0", "a", 3, 0);
    put(&w, SHOP_COUNTS, "k1", "a", 4, 5);
    put(&w, SHOP_SALES, "p1", "a", 5, 6);  /* waits for what is up to 20 s later; first small one of a pattern */
    put(&w, SHOP_SALES, "p2", "a", 40, 7); /* the row's last id */
    put(&w, SHOP_COUNTS, "z", "z", 0, 10); /* time */
    put(&w, SHOP_SALES, "z1", "z", 0, 10);
    world_drain(&w);
    CHECK(world_shows(&w, SHOP_VIEW_CARDS, "cards a n=2 sum=45"));
    ask(&w, "payment", "p2", START_US + 9 * SHOP_SECOND);
    ask(&w, "payment", "k1", START_US + 9 * SHOP_SECOND);
    ask(&w, "payment", "p1", START_US + 9 * SHOP_SECOND);
    settle(&w);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf all = MESH_BUF_NULL;
    CHECK_EQ_U64(receipts(&w, "\"stage\":\"state\"", &all), 9);
    CHECK_CONTAINS(all.p, "{\"state\":\"seen\",\"removed\":1,\"emptied\":0,\"left\":0}");
    CHECK_CONTAINS(all.p, "{\"state\":\"cards\",\"removed\":0,\"emptied\":1,\"left\":0}"); /* p2 was the last id */
    CHECK_CONTAINS(all.p,
                   "{\"state\":\"around\",\"removed\":0,\"emptied\":1,\"left\":0}"); /* of two that were kept, or that wait */
    CHECK(!holds(all.p, all.n, "\"left\":1"));
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf rows = MESH_BUF_NULL;
    show_people(&w, &rows);
    CHECK_CONTAINS(rows.p, "cards a n=2 sum=45"); /* the sums of the card stay */
    CHECK_CONTAINS(rows.p, "last= ");
    CHECK(!holds(w.log.p, w.durable, "p2") && !holds(w.log.p, w.durable, "k1") && !holds(w.log.p, w.durable, "p1"));
    CHECK(holds(w.log.p, w.durable, "k0"));
    world_deinit(&w);
    people_deinit(&p);
}

/* What comes again from before the request is dropped, what is new is a new beginning. */
CASE(old_records_do_not_come_back_and_new_ones_may)
{
    struct people p;
    struct world w;
    people_init(&p);
    begin(&w, &p);
    put(&w, SHOP_SALES, "p1", "a", 5, 0);
    put(&w, SHOP_SALES, "p2", "b", 5, 1);
    ask(&w, "customer", "a", START_US + 50 * SHOP_SECOND);
    put(&w, SHOP_COUNTS, "z", "z", 0, 10);
    put(&w, SHOP_SALES, "z1", "z", 0, 10);
    settle(&w);
    put(&w, SHOP_SALES, "p3", "a", 6, 40); /* from before the request */
    put(&w, SHOP_SALES, "p4", "a", 7, 60);
    put(&w, SHOP_COUNTS, "z", "z", 0, 90);
    put(&w, SHOP_SALES, "z2", "z", 0, 90);
    settle(&w);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf rows = MESH_BUF_NULL;
    show_people(&w, &rows);
    CHECK_CONTAINS(rows.p, "cards a n=1 sum=7");
    CHECK_CONTAINS(rows.p, "cards b n=1 sum=5");
    CHECK(world_metric(&w, "mesh_erased_records_total", NULL, NULL) >= 1);
    world_deinit(&w);
    people_deinit(&p);
}

CASE(what_is_no_request_is_a_dead_letter)
{
    struct people p;
    struct world w;
    people_init(&p);
    begin(&w, &p);
    static const char *const wrong[] = {"", "erase me", "{\"request\":\"r\",\"subject\":\"customer\"}",
                                        "{\"request\":\"r\",\"subject\":\"customer\",\"id\":\"\"}",
                                        "{\"request\":1,\"subject\":2,\"id\":3}"};
    for (size_t i = 0; i < MESH_LEN(wrong); i++)
        world_put_raw(&w, ERASURE, 0, MESH_STR("r"), mesh_str_of(wrong[i]), START_US, NULL, 0);
    world_put_raw(&w, ERASURE, 0, MESH_STR("r"), (struct mesh_str){0}, START_US, NULL, 0);
    settle(&w);
    CHECK_EQ_U64(w.dests[mesh_engine_dest_dlq(w.product)][0].messages.n, MESH_LEN(wrong) + 1);
    CHECK_EQ_U64(w.dests[mesh_engine_dest_receipts(w.product)][0].messages.n, 0);
    world_deinit(&w);
    people_deinit(&p);
}
