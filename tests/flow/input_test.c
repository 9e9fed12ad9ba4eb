/* What comes in and is not taken: malformed, mismatched, late, ahead; idle sources; upstream repetitions and gaps. */
#include "world.h"

#include "../check.h"
#include "base/check.h"
#include "base/hash.h"
#include "flow/sequence.h"

#include <stdlib.h>

#define AT(seconds) ((int64_t)(1700000000 + (seconds)) * SHOP_SECOND)

static struct shop_record sale(const char *id, const char *card, int64_t amount, int64_t at)
{
    return (struct shop_record){
        .id = mesh_str_of(id), .card = mesh_str_of(card), .store = MESH_STR("s"), .amount = amount, .at = at};
}

static void begin(struct world *w)
{
    world_init(w, 1, 1);
    struct shop_record rate = {.id = MESH_STR("r"), .card = MESH_STR("s"), .store = MESH_STR("s"), .amount = 1, .at = AT(-100000)};
    world_put(w, SHOP_RATES, 0, &rate);
    rate.at = AT(1000000); /* rates are known for a long time to come: nothing has to wait for them */
    world_put(w, SHOP_RATES, 0, &rate);
    world_start(w);
}

static void put(struct world *w, uint32_t input, const char *id, int64_t amount, int64_t at)
{
    struct shop_record r = sale(id, "c", amount, at);
    world_put(w, input, 0, &r);
}

static const char *header(const struct world_message *m, const char *name)
{
    for (uint32_t i = 0; i < m->n_headers; i++)
        if (mesh_str_eq(m->headers[i].name, mesh_str_of(name)))
            return m->headers[i].value.p;
    return NULL;
}

static struct world_topic *dlq(struct world *w)
{
    return &w->dests[mesh_engine_dest_dlq(&shop)][0];
}
static struct world_topic *late(struct world *w)
{
    return &w->dests[mesh_engine_dest_late(&shop)][0];
}

CASE(dead_letters_keep_their_bytes_and_say_why)
{
    struct world w;
    begin(&w);
    struct mesh_buf good = MESH_BUF_NULL;
    struct shop_record r = sale("a", "c", 5, AT(0));
    world_value(&good, &r);
    struct mesh_str key = MESH_STR("c");
    struct mesh_str value = {good.p, (uint32_t)good.n};
    const struct mesh_header original = {MESH_STR("trace"), MESH_STR("abc")};
    static const struct {
        const char *code;
        int change;
    } rows[] = {{"frame.truncated", 0}, {"frame.magic", 1}, {"schema.unknown", 2}, {"avro.truncated", 3}, {"avro.trailing", 4},
                {"key.mismatch", 5},    {"null.value", 6},  {"time.ahead", 7},     {"avro.utf8", 8},      {"key.mismatch", 9}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char bytes[256];
        memcpy(bytes, value.p, value.n);
        struct mesh_str v = {bytes, value.n};
        struct mesh_str k = key;
        int64_t time = AT(0);
        switch (rows[i].change) {
        case 0:
            v.n = 3;
            break;
        case 1:
            bytes[0] = 9;
            break;
        case 2:
            bytes[4] = 8;
            break;
        case 3:
            v.n--;
            break;
        case 4:
            bytes[v.n++] = 0;
            break;
        case 5:
            k = MESH_STR("d");
            break;
        case 6:
            v = (struct mesh_str){0};
            break;
        case 7:
            time = AT(-3601);
            break;
        case 8:
            bytes[6] = (char)0xff;
            break;
        default:
            k = (struct mesh_str){0};
            break;
        }
        world_put_raw(&w, SHOP_SALES, 0, k, v, time, &original, 1);
    }
    world_drain(&w);
    CHECK_EQ_U64(dlq(&w)->messages.n, sizeof rows / sizeof rows[0]);
    for (size_t i = 0; i < dlq(&w)->messages.n; i++) {
        const struct world_message *m = &dlq(&w)->messages.v[i];
        const struct world_message *from = &w.inputs[SHOP_SALES][0].messages.v[i];
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        CHECK_STR(header(m, "__mesh.errors.code"), rows[i].code);
        CHECK_STR(header(m, "__mesh.errors.topic"), "sales");
        CHECK_STR(header(m, "__mesh.errors.partition"), "0");
        CHECK_STR(header(m, "__mesh.errors.offset"), number);
        CHECK_CONTAINS(header(m, "__mesh.errors.site"), "tests/flow/shop.yaml:");
        CHECK_STR(header(m, "trace"), "abc");
        CHECK(m->has_key == from->has_key && m->has_value == from->has_value);
        CHECK(m->value_n == from->value_n && memcmp(m->value, from->value, m->value_n) == 0);
    }
    struct mesh_metric *metric = mesh_metric_find(w.metrics, "mesh_rejected_total", "input", "sales", "code", "key.mismatch", NULL);
    CHECK(metric != NULL && mesh_metric_value(metric) == 2);
    CHECK_EQ_I64((int64_t)world_metric(&w, "mesh_records_total", "input", "sales"), 10);
    mesh_buf_deinit(&good);
    world_deinit(&w);
}

CASE(a_rejection_in_a_stream_names_the_line)
{
    struct world w;
    begin(&w);
    struct shop_record r = sale("a", "c", 5, AT(0));
    r.store = MESH_STR("nowhere");
    world_put(&w, SHOP_SALES, 0, &r);
    put(&w, SHOP_SALES, "z", 1, AT(100));
    put(&w, SHOP_COUNTS, "z", 1, AT(100));
    world_drain(&w);
    REQUIRE(dlq(&w)->messages.n == 1);
    CHECK_STR(header(&dlq(&w)->messages.v[0], "__mesh.errors.code"), "join.missing");
    CHECK_CONTAINS(header(&dlq(&w)->messages.v[0], "__mesh.errors.stage"), "join");
    world_deinit(&w);
}

CASE(an_event_time_ahead_does_not_move_time)
{
    struct world w;
    begin(&w);
    struct mesh_buf value = MESH_BUF_NULL;
    struct shop_record r = sale("far", "c", 5, AT(100000));
    world_value(&value, &r);
    world_put_raw(&w, SHOP_SALES, 0, MESH_STR("c"), (struct mesh_str){value.p, (uint32_t)value.n}, AT(0), NULL, 0);
    put(&w, SHOP_SALES, "a", 5, AT(0));
    world_drain(&w);
    struct mesh_source_info info;
    for (size_t i = 0; i < mesh_engine_n_sources(w.engine); i++) {
        mesh_engine_source_info(w.engine, i, &info);
        if (info.input == SHOP_SALES)
            CHECK_EQ_I64(info.watermark_us, AT(-2));
    }
    mesh_buf_deinit(&value);
    world_deinit(&w);
}

CASE(late_goes_aside_once_and_within_grace_is_a_correction)
{
    struct world w;
    begin(&w);
    put(&w, SHOP_SALES, "a", 5, AT(0));
    put(&w, SHOP_SALES, "b", 5, AT(100));
    put(&w, SHOP_SALES, "too late", 5, AT(1));  /* window [.., 40): closed at 98, with its grace */
    put(&w, SHOP_SALES, "in grace", 5, AT(75)); /* late, its window is open */
    put(&w, SHOP_SALES, "z", 0, AT(1000));
    put(&w, SHOP_COUNTS, "z", 0, AT(1000));
    world_drain(&w);
    REQUIRE(late(&w)->messages.n == 1);
    const struct world_message *m = &late(&w)->messages.v[0];
    CHECK_STR(header(m, "__mesh.errors.offset"), "2");
    CHECK_STR(header(m, "__mesh.errors.code"), "late");
    CHECK(m->value_n == w.inputs[SHOP_SALES][0].messages.v[2].value_n);
    CHECK_EQ_I64((int64_t)world_metric(&w, "mesh_late_total", "step", "views.minute"), 1);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    world_show_view(&w, SHOP_VIEW_CARDS, &out); /* without windows nothing is too late */
    CHECK_CONTAINS(out.p, "cards c n=4 sum=20");
    world_deinit(&w);
}

static void advance(struct world *w, int64_t us)
{
    for (int64_t i = 0; i < us; i += 500000) {
        w->now_us += 500000;
        for (uint32_t input = 0; input < SHOP_N_INPUTS; input++)
            world_feed(w, input, 0, 100);
        mesh_engine_tick(w->engine, w->now_us);
        world_commit(w);
        world_durable(w);
        world_send(w, 100);
        world_ack(w, 100);
    }
}

CASE(an_idle_source_lets_go_and_what_comes_back_is_a_correction)
{
    struct world w;
    begin(&w);
    put(&w, SHOP_SALES, "a", 5, AT(0));
    put(&w, SHOP_SALES, "b", 7, AT(200));
    world_drain(&w);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    world_show_view(&w, SHOP_VIEW_TOTALS, &out);
    CHECK_EQ_U64(out.n, 0); /* counts were never heard of: they hold everything back */
    advance(&w, 4 * SHOP_SECOND);
    CHECK_EQ_U64(w.dests[SHOP_MINUTE_OUT][0].messages.n, 0);
    advance(&w, 4 * SHOP_SECOND);
    world_show_view(&w, SHOP_VIEW_TOTALS, &out);
    CHECK_CONTAINS(out.p, "totals s n=2 sum=12");
    CHECK_EQ_U64(w.dests[SHOP_MINUTE_OUT][0].messages.n, 1); /* [.., 40) */
    /* Idle is in the commit: the same after a crash. */
    world_crash(&w);
    world_feed(&w, SHOP_RATES, 0, 10);
    put(&w, SHOP_COUNTS, "count", 1, AT(10));
    put(&w, SHOP_SALES, "c", 9, AT(230));
    advance(&w, 8 * SHOP_SECOND);
    mesh_buf_reset(&out);
    world_show_view(&w, SHOP_VIEW_CARDS, &out);
    CHECK_CONTAINS(out.p, "cards c n=3 sum=21");
    CHECK((int64_t)world_metric(&w, "mesh_idle_late_total", NULL, NULL) > 0);
    world_deinit(&w);
}

/* ---- product inputs ---- */
static const char *const upstreams[] = {"up/one", "up/two"};
static struct mesh_input their_inputs[SHOP_N_INPUTS];
static struct mesh_product theirs;

static void begin_upstream(struct world *w)
{
    begin(w);
    memcpy(their_inputs, shop.inputs, sizeof their_inputs);
    their_inputs[SHOP_SALES].upstreams = upstreams;
    their_inputs[SHOP_SALES].n_upstreams = 2;
    theirs = shop;
    theirs.inputs = their_inputs;
    w->product = &theirs;
    world_crash(w);
}

static void put_from(struct world *w, const char *product, uint64_t generation, uint64_t sequence, const char *id)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf value = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf origin = MESH_BUF_NULL;
    struct shop_record r = sale(id, "c", 1, AT(0));
    world_value(&value, &r);
    struct mesh_flow_origin from = {mesh_str_of(product), generation, 0, 3, sequence};
    mesh_flow_origin_write(&origin, &from);
    struct mesh_header header = {MESH_STR(MESH_FLOW_HEADER), {origin.p, (uint32_t)origin.n}};
    world_put_raw(w, SHOP_SALES, 0, MESH_STR("c"), (struct mesh_str){value.p, (uint32_t)value.n}, AT(0), &header, 1);
}

static int64_t taken(struct world *w) /* positions tell */
{
    return mesh_engine_position(w->engine, SHOP_SALES, 0);
}

CASE(repetitions_of_an_upstream_are_dropped_also_after_a_crash)
{
    struct world w;
    begin_upstream(&w);
    put_from(&w, "up/one", 1, 41, "a"); /* first contact: whatever it is */
    put_from(&w, "up/one", 1, 42, "b");
    put_from(&w, "up/two", 9, 1, "c");
    put_from(&w, "up/one", 1, 42, "b again");
    world_drain(&w);
    CHECK_EQ_I64(taken(&w), 4);
    CHECK_EQ_I64((int64_t)world_metric(&w, "mesh_upstream_duplicates_total", NULL, NULL), 1);
    world_crash(&w);
    put_from(&w, "up/one", 1, 41, "a again");
    put_from(&w, "up/one", 1, 43, "d");
    put_from(&w, "up/two", 9, 2, "e");
    world_drain(&w);
    CHECK(mesh_engine_stopped(w.engine) == NULL);
    CHECK_EQ_I64((int64_t)world_metric(&w, "mesh_upstream_duplicates_total", NULL, NULL), 1);
    world_deinit(&w);
}

CASE(a_gap_stops_the_input_unless_records_were_trimmed)
{
    struct world w;
    begin_upstream(&w);
    put_from(&w, "up/one", 1, 1, "a");
    put_from(&w, "up/one", 1, 3, "b");
    world_drain(&w);
    CHECK_CONTAINS(mesh_engine_stopped(w.engine), "messages 2 to 2");
    CHECK(!mesh_engine_wants(w.engine, SHOP_SALES, 0));
    CHECK(mesh_engine_wants(w.engine, SHOP_COUNTS, 0));
    CHECK_EQ_I64(taken(&w), 1); /* the one behind the gap was not taken */
    world_crash(&w);
    mesh_engine_trimmed(w.engine, SHOP_SALES, 0, 0, 1); /* already read: nothing was lost */
    world_drain(&w);
    CHECK(mesh_engine_stopped(w.engine) != NULL);
    world_crash(&w);
    put_from(&w, "up/one", 1, 4, "c");
    mesh_engine_trimmed(w.engine, SHOP_SALES, 0, 1, 2);
    world_drain(&w);
    CHECK(mesh_engine_stopped(w.engine) == NULL);
    CHECK_EQ_I64(taken(&w), 3);
    struct mesh_metric *metric =
        mesh_metric_find(w.metrics, "mesh_trimmed_records_total", "input", "sales", "partition", "0", NULL);
    CHECK(metric != NULL && mesh_metric_value(metric) == 1);
    world_deinit(&w);
}

CASE(a_new_generation_of_an_upstream_stops_the_input)
{
    struct world w;
    begin_upstream(&w);
    put_from(&w, "up/one", 1, 1, "a");
    put_from(&w, "up/one", 2, 1, "b");
    world_drain(&w);
    CHECK_CONTAINS(mesh_engine_stopped(w.engine), "generation 2 after 1");
    CHECK_EQ_I64(taken(&w), 1);
    world_deinit(&w);
}

static uint32_t decoded_with;

static void decode_seen(struct mesh_in *in, uint32_t version, void *record)
{
    decoded_with = version;
    shop.inputs[SHOP_SALES].decode(in, version, record);
}

CASE(a_held_record_is_decoded_by_its_own_contract_after_an_upgrade)
{
    static const struct mesh_contract newer[] = {{.name = "shop/record@2", .local_id = 9},
                                                 {.name = "shop/record@1", .local_id = 7}};
    struct mesh_input inputs[SHOP_N_INPUTS];
    struct mesh_product upgraded = shop;
    struct world w;
    memcpy(inputs, shop.inputs, sizeof inputs);
    upgraded.inputs = inputs;
    inputs[SHOP_SALES].contracts = newer;
    inputs[SHOP_SALES].n_contracts = 2;
    inputs[SHOP_SALES].decode = decode_seen;
    begin(&w);
    put(&w, SHOP_SALES, "a", 1, AT(0));
    world_feed(&w, SHOP_RATES, 0, 10);
    CHECK(world_feed(&w, SHOP_SALES, 0, 1)); /* waits for the other input */
    CHECK(world_commit(&w));
    world_durable(&w);
    decoded_with = UINT32_MAX;
    w.product = &upgraded;
    world_crash(&w);
    CHECK_EQ_U64(decoded_with, 1);
    world_drain(&w);
    CHECK_EQ_I64(taken(&w), 1);
    world_deinit(&w);
}

CASE(a_log_of_another_shape_is_refused)
{
    struct world w;
    begin(&w);
    put(&w, SHOP_SALES, "a", 1, AT(0));
    world_drain(&w);
    struct mesh_product other = shop;
    other.state_hash = "another";
    int32_t ones[WORLD_DESTS_MAX];
    for (int i = 0; i < WORLD_DESTS_MAX; i++)
        ones[i] = 1;
    static const uint32_t ids[SHOP_N_PORTS];
    static const uint32_t *const wires[SHOP_N_INPUTS] = {ids, ids, ids, ids, ids, ids, ids};
    struct mesh_engine_conf conf = {
        .product = &other, .input_partitions = ones, .port_partitions = ones, .wire_ids = wires, .port_ids = ids};
    struct mesh_engine *engine = NULL;
    struct mesh_err err = {0};
    REQUIRE(mesh_engine_new(&conf, &engine, &err) == 0);
    struct mesh_cursor in = mesh_cursor_of(w.log.p, w.log.n);
    uint32_t n = mesh_get_u32(&in);
    CHECK(mesh_engine_restore(engine, (struct mesh_str){w.log.p + 12, n}, &err) < 0);
    CHECK_STR(err.code, "state.shape");
    mesh_engine_free(engine);
    ones[SHOP_COUNTS] = 2;
    CHECK(mesh_engine_new(&conf, &engine, &err) < 0);
    CHECK_STR(err.code, "partitions.differ");
    CHECK_CONTAINS(err.text, "topics sales and counts");
    world_deinit(&w);
}
