/* What SSE ports say: after the commit, under numbers without a gap, and after any crash the same events under the same numbers. */
#include "again.h"
#include "world.h"

#include "../check.h"
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

#define PARTITIONS 2
#define REPLAY     5

struct record {
    int64_t id, at;
    struct mesh_str text;
};

static void decode(struct mesh_in *in, uint32_t version, void *to)
{
    struct record *r = to;
    (void)version;
    r->id = mesh_in_long(in);
    r->at = mesh_in_long(in);
    r->text = mesh_in_bytes(in);
}

static int64_t event_time(const void *record)
{
    return ((const struct record *)record)->at;
}

static void process(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    mesh_tell(task, 0, event, record);
}

static const struct mesh_contract contract = {.name = "c", .local_id = 7};
static const struct mesh_input input = {.name = "a",
                                        .topic = "a",
                                        .kind = MESH_INPUT_STREAM,
                                        .contracts = &contract,
                                        .n_contracts = 1,
                                        .record_size = sizeof(struct record),
                                        .decode = decode,
                                        .event_time = event_time,
                                        .process = process};
static const struct mesh_field fields[] = {{.name = "id", .type = MESH_LONG, .offset = 0}};
static const struct mesh_field other_fields[] = {{.name = "number", .type = MESH_LONG, .offset = 0}};
static const uint32_t zero[] = {0};
static const struct mesh_topology topology = {.name = "t", .inputs = zero, .n_inputs = 1};

struct teller {
    struct mesh_port port[2];
    struct mesh_product product;
    struct mesh_engine *engine;
    struct mesh_buf log;
    size_t durable, cut;
    int64_t offsets[PARTITIONS];
    uint64_t next[PARTITIONS]; /* that must come */
    uint32_t rounds;
    struct mesh_buf heard[PARTITIONS];
    uint64_t round_bytes;
};

static void event_text(void *context, uint32_t port, const void *shown, bool removed, struct mesh_buf *out)
{
    const struct record *r = shown;
    (void)context;
    CHECK(port == 0 && !removed);
    mesh_buf_printf(out, "%lld %.*s", (long long)r->id, (int)r->text.n, r->text.p);
}

static void start(struct teller *t)
{
    static const uint32_t ids[] = {7, 7};
    static const uint32_t *const wires[] = {ids};
    static const int32_t numbers[] = {PARTITIONS, PARTITIONS, PARTITIONS, PARTITIONS, PARTITIONS, PARTITIONS};
    t->product = (struct mesh_product){.abi = MESH_ABI,
                                       .domain = "d",
                                       .name = "p",
                                       .state_hash = "x",
                                       .inputs = &input,
                                       .n_inputs = 1,
                                       .ports = t->port,
                                       .n_ports = 1,
                                       .topologies = &topology,
                                       .n_topologies = 1,
                                       .dlq_topic = "dlq",
                                       .late_topic = "late"};
    struct mesh_engine_conf conf = {.product = &t->product,
                                    .input_partitions = numbers,
                                    .port_partitions = numbers,
                                    .wire_ids = wires,
                                    .port_ids = ids,
                                    .event_text = event_text,
                                    .generation = 1,
                                    .commit_interval_us = 200000,
                                    .round_log_bytes = t->round_bytes};
    struct mesh_err err = {0};
    CHECK(mesh_engine_new(&conf, &t->engine, &err) == 0);
    CHECK(engine_again(t->engine, &t->log, t->durable, &err) == 0);
    t->durable = t->log.n;
    t->cut = 0;
}

static void begin(struct teller *t, uint32_t replay, uint64_t round_bytes)
{
    *t = (struct teller){.round_bytes = round_bytes};
    t->port[0] =
        (struct mesh_port){.name = "live", .kind = MESH_PORT_SSE, .path = "/live", .out = fields, .n_out = 1, .replay = replay};
    start(t);
}

static void end(struct teller *t)
{
    mesh_engine_free(t->engine);
    mesh_buf_deinit(&t->log);
    for (int i = 0; i < PARTITIONS; i++)
        mesh_buf_deinit(&t->heard[i]);
}

static void crash(struct teller *t)
{
    mesh_engine_free(t->engine);
    t->log.n = t->durable;
    start(t);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        int64_t position = mesh_engine_position(t->engine, 0, p);
        t->offsets[p] = position < 0 ? 0 : position;
    }
}

/* The record at an offset is the same whenever it is read. */
static void feed(struct teller *t, int32_t partition, size_t n, uint32_t text_n)
{
    struct mesh_err err = {0};
    char *text = calloc(1, (size_t)text_n + 1);
    memset(text, 'x', text_n);
    for (size_t i = 0; i < n; i++) {
        int64_t offset = t->offsets[partition]++;
        struct mesh_out value = {0};
        mesh_out_raw(&value, "\0\0\0\0\7", 5);
        mesh_out_long(&value, offset);
        mesh_out_long(&value, 1700000000 * SHOP_SECOND + offset);
        mesh_out_bytes(&value, (struct mesh_str){text, text_n});
        struct mesh_record record = {.offset = offset,
                                     .kafka_time_us = 1700000000 * SHOP_SECOND,
                                     .key = {"k", 1},
                                     .value = {(const char *)value.p, (uint32_t)value.n}};
        CHECK(mesh_engine_feed(t->engine, 0, partition, &record, 1, 1, &err) == 0);
        mesh_out_deinit(&value);
    }
    free(text);
}

static void commit(struct teller *t)
{
    if (mesh_engine_round_begin(t->engine, t->durable)) {
        t->cut = t->durable;
        t->rounds++;
    }
    (void)mesh_engine_commit(t->engine, 1, &t->log);
}

static void land(struct teller *t)
{
    if (t->log.n == t->durable)
        return;
    t->durable = t->log.n;
    mesh_engine_durable(t->engine);
    if (!mesh_engine_round_done(t->engine))
        return;
    memmove(t->log.p, t->log.p + t->cut, t->log.n - t->cut);
    t->log.n -= t->cut;
    t->durable = t->log.n;
}

/* "1:0 2:1 ": sequence and id of what is told now, of one partition; text is left out. */
static const char *told(struct teller *t, uint32_t partition)
{
    static struct mesh_buf out[PARTITIONS];
    struct mesh_live_event e;
    for (int i = 0; i < PARTITIONS; i++) {
        mesh_buf_reset(&out[i]);
        mesh_buf_puts(&out[i], "");
    }
    while (mesh_engine_next_event(t->engine, &e))
        mesh_buf_printf(&out[e.task], "%llu:%lld ", (unsigned long long)e.sequence, strtoll(e.text.p, NULL, 10));
    mesh_buf_putc(&out[partition], '\0');
    return out[partition].p;
}

CASE(an_event_is_told_when_its_commit_is_durable)
{
    struct teller t;
    begin(&t, REPLAY, 0);
    feed(&t, 0, 3, 1);
    CHECK_STR(told(&t, 0), "");
    CHECK(mesh_engine_commit_due(t.engine, 0)); /* readers wait for it: at once */
    commit(&t);
    CHECK_STR(told(&t, 0), "");
    land(&t);
    CHECK_STR(told(&t, 0), "1:0 2:1 3:2 ");
    CHECK_STR(told(&t, 0), "");
    end(&t);
}

CASE(a_restart_tells_the_same_again_and_goes_on_behind_it)
{
    struct teller t;
    begin(&t, REPLAY, 0);
    feed(&t, 0, 3, 1);
    commit(&t);
    land(&t);
    CHECK_STR(told(&t, 0), "1:0 2:1 3:2 ");
    feed(&t, 0, 1, 1); /* lost: not committed */
    crash(&t);
    CHECK_STR(told(&t, 0), "1:0 2:1 3:2 ");
    feed(&t, 0, 1, 1);
    commit(&t);
    land(&t);
    CHECK_STR(told(&t, 0), "4:3 ");
    end(&t);
}

CASE(the_newest_are_kept_and_a_restart_keeps_the_same)
{
    struct teller t;
    begin(&t, REPLAY, 0);
    for (int i = 0; i < 4; i++) {
        feed(&t, 0, 2, 1);
        commit(&t);
        land(&t);
        (void)told(&t, 0);
    }
    crash(&t);
    CHECK_STR(told(&t, 0), "4:3 5:4 6:5 7:6 8:7 ");
    feed(&t, 0, 9, 1); /* more than are kept, in one commit: a jump, which is seen */
    commit(&t);
    land(&t);
    CHECK_STR(told(&t, 0), "13:12 14:13 15:14 16:15 17:16 ");
    crash(&t);
    CHECK_STR(told(&t, 0), "13:12 14:13 15:14 16:15 17:16 ");
    end(&t);
}

CASE(bytes_are_bounded_too_but_the_newest_stays)
{
    struct teller t;
    begin(&t, 1000, 0);
    feed(&t, 0, 5, MESH_FLOW_EVENTS_BYTES_MAX / 4);
    commit(&t);
    land(&t);
    CHECK_STR(told(&t, 0), "3:2 4:3 5:4 ");
    feed(&t, 0, 1, MESH_FLOW_EVENTS_BYTES_MAX + 1);
    commit(&t);
    land(&t);
    CHECK_STR(told(&t, 0), "6:5 ");
    crash(&t);
    CHECK_STR(told(&t, 0), "6:5 ");
    end(&t);
}

/* A task that is silent from its first event on must keep it through all rounds of the log. */
CASE(rounds_of_the_log_carry_what_is_kept)
{
    struct teller t;
    begin(&t, REPLAY, 2000);
    feed(&t, 1, 2, 1);
    for (int i = 0; i < 60; i++) {
        feed(&t, 0, 3, 40);
        commit(&t);
        land(&t);
        if (i % 7 == 0)
            crash(&t);
    }
    CHECK(t.rounds > 2);
    crash(&t);
    CHECK_STR(told(&t, 1), "1:0 2:1 ");
    crash(&t);
    CHECK_STR(told(&t, 0), "176:175 177:176 178:177 179:178 180:179 ");
    end(&t);
}

/* Under a changed declaration: what was said is not shown in a shape that is no more, and numbers do not begin anew. */
CASE(a_port_that_shows_something_else_forgets_what_it_said)
{
    struct teller t;
    begin(&t, REPLAY, 2000);
    feed(&t, 0, 3, 1);
    commit(&t);
    land(&t);
    t.port[0].out = other_fields;
    crash(&t);
    CHECK_STR(told(&t, 0), "");
    for (int i = 0; i < 60; i++) { /* rounds, and nothing is said */
        feed(&t, 1, 3, 40);
        commit(&t);
        land(&t);
    }
    CHECK(t.rounds > 2);
    crash(&t);
    feed(&t, 0, 1, 1);
    commit(&t);
    land(&t);
    CHECK_STR(told(&t, 0), "4:3 ");
    end(&t);
}

CASE(ports_may_come_to_stand_in_another_order)
{
    struct teller t;
    begin(&t, REPLAY, 0);
    feed(&t, 0, 2, 1);
    commit(&t);
    land(&t);
    t.port[0].name = "gone";
    crash(&t);
    CHECK_STR(told(&t, 0), "");
    end(&t);
}

/* ---- rows of views ---- */
enum { CARDS_LIVE = SHOP_TOTALS_DOCS, MINUTE_LIVE = SHOP_MINUTE_DOCS };

static void row_text(void *context, uint32_t port, const void *shown, bool removed, struct mesh_buf *out)
{
    const struct shop_cards_out *card = shown;
    const struct shop_minute_out *minute = shown;
    (void)context;
    if (port == CARDS_LIVE)
        mesh_buf_printf(out, "%.*s n=%lld%s", (int)card->card.n, card->card.p, (long long)card->n, removed ? " gone" : "");
    else
        mesh_buf_printf(out, "%.*s n=%lld %s%s", (int)minute->store.n, minute->store.p, (long long)minute->n,
                        minute->final ? "final" : "open", removed ? " gone" : "");
}

static void put_sale(struct world *w, uint32_t in, const char *card, int64_t amount, int64_t at_s)
{
    static int n;
    char id[16];
    snprintf(id, sizeof id, "%d", n++);
    struct shop_record r = {.id = mesh_str_of(id),
                            .card = mesh_str_of(card),
                            .store = MESH_STR("s"),
                            .amount = amount,
                            .at = (1700000040 + at_s) * SHOP_SECOND}; /* a full minute */
    world_put(w, in, 0, &r);
}

/* What one port tells when nothing moves any more, joined by "; ". */
static const char *rows_told(struct world *w, uint32_t port, int64_t at_s)
{
    static struct mesh_buf out;
    struct mesh_live_event e;
    put_sale(w, SHOP_SALES, "z", 0, at_s);
    put_sale(w, SHOP_COUNTS, "z", 0, at_s);
    world_drain(w);
    mesh_buf_reset(&out);
    mesh_buf_puts(&out, "");
    while (mesh_engine_next_event(w->engine, &e)) {
        CHECK(strstr(e.text.p, "gone") == NULL || e.removed);
        if (e.port == port && e.text.p[0] != 'z')
            mesh_buf_printf(&out, "%s%.*s", out.n == 0 ? "" : "; ", (int)e.text.n, e.text.p);
    }
    mesh_buf_putc(&out, '\0');
    return out.p;
}

static void world_of(struct world *w, struct mesh_product *product, struct mesh_port *live_ports)
{
    world_init(w, 1, 1);
    memcpy(live_ports, shop.ports, SHOP_N_PORTS * sizeof *live_ports);
    live_ports[CARDS_LIVE] = (struct mesh_port){
        .name = "cards_live", .kind = MESH_PORT_SSE, .view = SHOP_VIEW_CARDS, .emit = MESH_EMIT_CHANGE, .replay = 100};
    live_ports[MINUTE_LIVE] = (struct mesh_port){
        .name = "minute_live", .kind = MESH_PORT_SSE, .view = SHOP_VIEW_MINUTE, .emit = MESH_EMIT_CLOSE, .replay = 100};
    *product = shop;
    product->ports = live_ports;
    w->product = product;
    w->event_text = row_text;
    for (int i = 0; i < 2; i++) { /* rates and signs are known for long */
        struct shop_record r = {.id = MESH_STR("r"), .card = MESH_STR("s"), .store = MESH_STR("s"), .amount = 1};
        r.at = i == 0 ? 1 : 1800000000 * SHOP_SECOND;
        world_put(w, SHOP_RATES, 0, &r);
        world_put(w, SHOP_SIGNS, 0, &r);
    }
    world_start(w);
}

CASE(each_change_of_a_row_is_told_and_that_it_is_gone)
{
    struct world w;
    struct mesh_product product;
    struct mesh_port live_ports[SHOP_N_PORTS];
    world_of(&w, &product, live_ports);
    put_sale(&w, SHOP_SALES, "c", 5, 0);
    CHECK_STR(rows_told(&w, CARDS_LIVE, 10), "c n=1");
    put_sale(&w, SHOP_SALES, "c", 5, 11);
    put_sale(&w, SHOP_SALES, "c", 5, 12);
    CHECK_STR(rows_told(&w, CARDS_LIVE, 20), "c n=3");
    put_sale(&w, SHOP_COUNTS, "c", 13, 21);
    CHECK_STR(rows_told(&w, CARDS_LIVE, 30), "c n=0 gone");
    world_crash(&w);
    CHECK_STR(rows_told(&w, CARDS_LIVE, 31), "c n=1; c n=3; c n=0 gone");
    world_deinit(&w);
}

CASE(a_row_is_told_when_its_window_has_closed)
{
    struct world w;
    struct mesh_product product;
    struct mesh_port live_ports[SHOP_N_PORTS];
    world_of(&w, &product, live_ports);
    put_sale(&w, SHOP_SALES, "c", 5, 0);
    CHECK_STR(rows_told(&w, MINUTE_LIVE, 30), "");
    CHECK_CONTAINS(rows_told(&w, MINUTE_LIVE, 500), "s n=2 final");
    world_deinit(&w);
}
