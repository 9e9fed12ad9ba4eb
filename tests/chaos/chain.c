/* The two products, by hand. */
#include "chain.h"

#include <stddef.h>
#include <stdio.h>

#define SITE(text)                                                                                                                 \
    {                                                                                                                              \
        "tests/chaos/chain.yaml", __LINE__, text                                                                                   \
    }

static const struct mesh_site refuse = SITE("streams.sold.steps[0] require");

void chain_write(struct mesh_out *out, const struct chain_record *r)
{
    mesh_out_long(out, r->id);
    mesh_out_long(out, r->card);
    mesh_out_long(out, r->store);
    mesh_out_long(out, r->amount);
    mesh_out_long(out, r->at);
}

void chain_read(struct mesh_in *in, struct chain_record *ret)
{
    ret->id = mesh_in_long(in);
    ret->card = mesh_in_long(in);
    ret->store = mesh_in_long(in);
    ret->amount = mesh_in_long(in);
    ret->at = mesh_in_micros(in);
}

static void decode(struct mesh_in *in, uint32_t version, void *record)
{
    (void)version;
    chain_read(in, record);
}

static int64_t event_time(const void *record)
{
    return ((const struct chain_record *)record)->at;
}

static void key_of(struct mesh_key *key, int64_t v)
{
    mesh_key_begin(key);
    mesh_key_long(key, v);
}

/* ---- rows ---- */
struct row {
    int64_t n, sum;
};
static const struct mesh_field row_fields[] = {{.name = "n", .type = MESH_LONG, .offset = offsetof(struct row, n)},
                                               {.name = "sum", .type = MESH_LONG, .offset = offsetof(struct row, sum)}};
static const struct mesh_field out_fields[] = {{.name = "key", .type = MESH_LONG, .offset = offsetof(struct chain_out, key)},
                                               {.name = "n", .type = MESH_LONG, .offset = offsetof(struct chain_out, n)},
                                               {.name = "sum", .type = MESH_LONG, .offset = offsetof(struct chain_out, sum)}};

static void finish(const void *row, void *out)
{
    ((struct chain_out *)out)->n = ((const struct row *)row)->n;
    ((struct chain_out *)out)->sum = ((const struct row *)row)->sum;
}

#define VIEW(text, index)                                                                                                          \
    {                                                                                                                              \
        .name = text, .site = SITE("views." text), .state = index, .out = out_fields, .n_out = 3, .n_key = 1,                      \
        .out_size = sizeof(struct chain_out), .revision = offsetof(struct chain_out, revision), .finish = finish                   \
    }
#define ROWS(text, of)                                                                                                             \
    {                                                                                                                              \
        .name = text, .kind = MESH_STATE_VIEW, .site = SITE("views." text), .fields = row_fields, .n_fields = 2,                   \
        .row_size = sizeof(struct row), .view = of                                                                                 \
    }

static void add(struct mesh_task *task, uint32_t state, int64_t key, const struct mesh_event *event, int64_t amount)
{
    struct mesh_key k;
    key_of(&k, key);
    struct row *row = mesh_view_row(task, state, &k, event);
    row->n++;
    row->sum += amount;
}

static struct mesh_str text_of(int64_t v, char text[24])
{
    return (struct mesh_str){text, (uint32_t)snprintf(text, 24, "%lld", (long long)v)};
}

/* ---- sales ---- */
enum { SEEN, CARDS, TOTALS, SALES_N_STATES };

static void process_events(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct chain_record *r = record;
    struct mesh_key id;
    key_of(&id, r->id);
    if (!mesh_dedupe(task, SEEN, &id, event))
        return;
    if (r->amount == 0) {
        mesh_reject(task, event, &refuse, MESH_FAULT_MISSING);
        return;
    }
    add(task, CARDS, r->card, event, r->amount);
    char store[24];
    chain_write(mesh_value(task), r);
    mesh_send(task, SALES_LINES, text_of(r->store, store), event);
    chain_write(mesh_value(task), r);
    mesh_send_internal(task, 0, text_of(r->store, store), event);
}

static void process_by_store(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct chain_record *r = record;
    add(task, TOTALS, r->store, event, r->amount);
}

static const struct mesh_contract contract = {
    .name = "chain/record@1", .subject = "record-value", .local_id = 7, .fingerprint = 77};

static const struct mesh_view sales_views[] = {VIEW("cards", CARDS), VIEW("totals", TOTALS)};
static const struct mesh_state sales_states[SALES_N_STATES] = {
    {.name = "seen", .kind = MESH_STATE_DEDUPE, .site = SITE("sold.dedupe"), .within_us = 86400 * CHAIN_SECOND},
    ROWS("cards", &sales_views[SALES_VIEW_CARDS]),
    ROWS("totals", &sales_views[SALES_VIEW_TOTALS]),
};
static const struct mesh_input sales_inputs[SALES_N_INPUTS] = {
    [SALES_EVENTS] = {.name = "events",
                      .topic = "events",
                      .kind = MESH_INPUT_STREAM,
                      .site = SITE("inputPorts.events"),
                      .contracts = &contract,
                      .n_contracts = 1,
                      .record_size = sizeof(struct chain_record),
                      .decode = decode,
                      .event_time = event_time,
                      .process = process_events,
                      .delay_us = 2 * CHAIN_SECOND},
    [SALES_BY_STORE] = {.name = "by_store",
                        .topic = "mesh.sales.by_store",
                        .kind = MESH_INPUT_RECORDS,
                        .site = SITE("streams.sold"),
                        .record_size = sizeof(struct chain_record),
                        .decode = decode,
                        .event_time = event_time,
                        .process = process_by_store},
};
static const struct mesh_port sales_ports[SALES_N_PORTS] = {
    {.name = "lines", .kind = MESH_PORT_KAFKA, .topic = "lines", .contract = &contract, .emit = MESH_EMIT_EVENT},
    {.name = "docs", .kind = MESH_PORT_MONGO, .collection = "totals", .view = SALES_VIEW_TOTALS},
};
static const uint32_t first[] = {0};
static const struct mesh_internal sales_internals[] = {
    {.name = "by_store", .topic = "mesh.sales.by_store", .input = SALES_BY_STORE, .from_topologies = first, .n_from = 1}};
static const uint32_t main_inputs[] = {SALES_EVENTS}, main_states[] = {SEEN, CARDS};
static const uint32_t store_inputs[] = {SALES_BY_STORE}, store_states[] = {TOTALS};
static const struct mesh_topology sales_topologies[] = {
    {.name = "main", .inputs = main_inputs, .n_inputs = 1, .states = main_states, .n_states = 2},
    {.name = "stores", .inputs = store_inputs, .n_inputs = 1, .states = store_states, .n_states = 1},
};

static const struct mesh_product sales = {
    .abi = MESH_ABI,
    .domain = "chain",
    .name = "sales",
    .version = "1.0.0",
    .state_hash = "5a1e5",
    .dlq_topic = "sales.dlq",
    .late_topic = "sales.late",
    .inputs = sales_inputs,
    .n_inputs = SALES_N_INPUTS,
    .states = sales_states,
    .n_states = SALES_N_STATES,
    .views = sales_views,
    .n_views = 2,
    .ports = sales_ports,
    .n_ports = SALES_N_PORTS,
    .internals = sales_internals,
    .n_internals = 1,
    .topologies = sales_topologies,
    .n_topologies = 2,
};

/* ---- stores ---- */
static void process_lines(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct chain_record *r = record;
    add(task, 0, r->store, event, r->amount);
    char store[24];
    chain_write(mesh_value(task), r);
    mesh_send(task, STORES_SHOWN, text_of(r->store, store), event);
}

static const char *const upstreams[] = {"chain/sales"};
static const struct mesh_view stores_views[] = {VIEW("seen", 0)};
static const struct mesh_state stores_states[] = {ROWS("seen", &stores_views[STORES_VIEW_SEEN])};
static const struct mesh_input stores_inputs[] = {
    {.name = "lines",
     .topic = "lines",
     .kind = MESH_INPUT_STREAM,
     .site = SITE("inputPorts.lines"),
     .contracts = &contract,
     .n_contracts = 1,
     .upstreams = upstreams,
     .n_upstreams = 1,
     .record_size = sizeof(struct chain_record),
     .decode = decode,
     .event_time = event_time,
     .process = process_lines,
     .delay_us = 2 * CHAIN_SECOND},
};
static const struct mesh_port stores_ports[STORES_N_PORTS] = {
    {.name = "shown", .kind = MESH_PORT_KAFKA, .topic = "shown", .contract = &contract, .emit = MESH_EMIT_EVENT},
    {.name = "docs", .kind = MESH_PORT_MONGO, .collection = "seen", .view = STORES_VIEW_SEEN},
};
static const struct mesh_topology stores_topologies[] = {
    {.name = "main", .inputs = first, .n_inputs = 1, .states = first, .n_states = 1}};

static const struct mesh_product stores = {
    .abi = MESH_ABI,
    .domain = "chain",
    .name = "stores",
    .version = "1.0.0",
    .state_hash = "57075e5",
    .dlq_topic = "stores.dlq",
    .late_topic = "stores.late",
    .inputs = stores_inputs,
    .n_inputs = 1,
    .states = stores_states,
    .n_states = 1,
    .views = stores_views,
    .n_views = 1,
    .ports = stores_ports,
    .n_ports = STORES_N_PORTS,
    .topologies = stores_topologies,
    .n_topologies = 1,
};

const struct mesh_product *const chain_products[CHAIN_N_PRODUCTS] = {&sales, &stores};
