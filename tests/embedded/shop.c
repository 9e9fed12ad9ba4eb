/* See shop.h. */
#include "shop.h"

#include <stddef.h>

struct totals_row {
    mesh_dec total;
    int64_t n;
};

struct customers_row {
    int64_t orders;
    mesh_dec largest;
};

#define SITE(at)                                                                                                                   \
    {                                                                                                                              \
        "tests/embedded/shop.c", __LINE__, at                                                                                      \
    }

static void decode_order(struct mesh_in *in, uint32_t version, void *record)
{
    (void)version;
    struct shop_order *r = record;
    r->id = mesh_in_string(in);
    r->country = mesh_in_string(in);
    r->customer = mesh_in_string(in);
    r->note = mesh_in_string(in);
    r->amount = mesh_in_decimal(in, 12);
    r->at = mesh_in_millis(in);
}

void shop_encode(const struct shop_order *order, struct mesh_out *out)
{
    const uint8_t frame[5] = {0, SHOP_ORDER_ID >> 24 & 255, SHOP_ORDER_ID >> 16 & 255, SHOP_ORDER_ID >> 8 & 255,
                              SHOP_ORDER_ID & 255};
    mesh_out_raw(out, frame, sizeof frame);
    mesh_out_bytes(out, order->id);
    mesh_out_bytes(out, order->country);
    mesh_out_bytes(out, order->customer);
    mesh_out_bytes(out, order->note);
    mesh_out_decimal(out, order->amount);
    mesh_out_millis(out, order->at);
}

static int64_t order_time(const void *record)
{
    return ((const struct shop_order *)record)->at;
}

static void process_order(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct shop_order *r = record;
    struct mesh_key key;
    mesh_key_begin(&key);
    mesh_key_str(&key, r->country);
    struct totals_row *totals = mesh_view_row(task, SHOP_STATE_TOTALS, &key, event);
    if (totals != NULL) {
        totals->total += r->amount;
        totals->n++;
    }
    mesh_key_begin(&key);
    mesh_key_str(&key, r->customer);
    struct customers_row *customer = mesh_view_row(task, SHOP_STATE_CUSTOMERS, &key, event);
    if (customer != NULL) {
        customer->orders++;
        if (r->amount > customer->largest)
            customer->largest = r->amount;
    }
    if (r->amount < SHOP_LARGE_CENTS)
        return;
    mesh_out_bytes(mesh_value(task), r->id);
    mesh_send(task, SHOP_PORT_LARGE, r->customer, event);
}

static void finish_totals(const void *row, void *out)
{
    const struct totals_row *r = row;
    struct shop_totals_out *o = out;
    o->total = r->total;
    o->n = r->n;
}

static void finish_customers(const void *row, void *out)
{
    const struct customers_row *r = row;
    struct shop_customers_out *o = out;
    o->orders = r->orders;
    o->largest = r->largest;
    o->largest_set = r->largest > 0;
}

static const struct mesh_contract contracts[] = {
    {.name = "shop/order@1", .subject = "shop.orders-value", .local_id = SHOP_ORDER_ID, .json = "{}"}};
static const struct mesh_contract large_contract = {
    .name = "shop/large@1", .subject = "shop.large-value", .local_id = 7002, .json = "{}"};

static const struct mesh_input inputs[] = {
    {.name = "orders",
     .topic = SHOP_ORDERS,
     .kind = MESH_INPUT_STREAM,
     .site = SITE("inputPorts.orders"),
     .contracts = contracts,
     .n_contracts = 1,
     .record_size = sizeof(struct shop_order),
     .decode = decode_order,
     .event_time = order_time,
     .process = process_order,
     .delay_us = 1000000,
     .idle_us = 500000,
     .ahead_us = INT64_C(86400000000)},
};

static const struct mesh_field totals_fields[] = {
    {.name = "total", .type = MESH_DECIMAL, .scale = 2, .precision = 38, .offset = offsetof(struct totals_row, total)},
    {.name = "n", .type = MESH_LONG, .offset = offsetof(struct totals_row, n)},
};
static const struct mesh_field customers_fields[] = {
    {.name = "orders", .type = MESH_LONG, .offset = offsetof(struct customers_row, orders)},
    {.name = "largest", .type = MESH_DECIMAL, .scale = 2, .precision = 12, .offset = offsetof(struct customers_row, largest)},
};

#define TOTALS(member)    offsetof(struct shop_totals_out, member)
#define CUSTOMERS(member) offsetof(struct shop_customers_out, member)
static const struct mesh_field totals_out[] = {
    {.name = "country", .type = MESH_STRING, .offset = TOTALS(country)},
    {.name = "window_start", .type = MESH_TIMESTAMP, .offset = TOTALS(window_start)},
    {.name = "window_end", .type = MESH_TIMESTAMP, .offset = TOTALS(window_end)},
    {.name = "final", .type = MESH_BOOL, .offset = TOTALS(final)},
    {.name = "revision", .type = MESH_LONG, .offset = TOTALS(revision)},
    {.name = "total", .type = MESH_DECIMAL, .scale = 2, .precision = 38, .offset = TOTALS(total)},
    {.name = "n", .type = MESH_LONG, .offset = TOTALS(n)},
};
static const struct mesh_field customers_out[] = {
    {.name = "customer",
     .type = MESH_STRING,
     .offset = CUSTOMERS(customer),
     .label = MESH_PERSONAL,
     .protect = MESH_PSEUDONYM,
     .subject = "customer"},
    {.name = "revision", .type = MESH_LONG, .offset = CUSTOMERS(revision)},
    {.name = "orders", .type = MESH_LONG, .offset = CUSTOMERS(orders)},
    {.name = "largest",
     .type = MESH_DECIMAL,
     .scale = 2,
     .precision = 12,
     .nullable = true,
     .offset = CUSTOMERS(largest),
     .present = CUSTOMERS(largest_set)},
};

static const struct mesh_view views[] = {
    [SHOP_VIEW_TOTALS] = {.name = "totals",
                          .site = SITE("views.totals"),
                          .state = SHOP_STATE_TOTALS,
                          .out = totals_out,
                          .n_out = 7,
                          .n_key = 1,
                          .out_size = sizeof(struct shop_totals_out),
                          .window = MESH_WINDOW_TUMBLING,
                          .size_us = 60000000,
                          .advance_us = 60000000,
                          .grace_us = INT64_C(3600000000),
                          .window_start = TOTALS(window_start),
                          .window_end = TOTALS(window_end),
                          .final = TOTALS(final),
                          .revision = TOTALS(revision),
                          .finish = finish_totals},
    [SHOP_VIEW_CUSTOMERS] = {.name = "customers",
                             .site = SITE("views.customers"),
                             .state = SHOP_STATE_CUSTOMERS,
                             .out = customers_out,
                             .n_out = 4,
                             .n_key = 1,
                             .out_size = sizeof(struct shop_customers_out),
                             .revision = CUSTOMERS(revision),
                             .finish = finish_customers},
};

static const struct mesh_state states[] = {
    [SHOP_STATE_TOTALS] = {.name = "totals",
                           .kind = MESH_STATE_VIEW,
                           .site = SITE("views.totals"),
                           .fields = totals_fields,
                           .n_fields = 2,
                           .row_size = sizeof(struct totals_row),
                           .keep_us = INT64_C(86400000000) * 3650,
                           .view = &views[SHOP_VIEW_TOTALS]},
    [SHOP_STATE_CUSTOMERS] = {.name = "customers",
                              .kind = MESH_STATE_VIEW,
                              .site = SITE("views.customers"),
                              .fields = customers_fields,
                              .n_fields = 2,
                              .row_size = sizeof(struct customers_row),
                              .view = &views[SHOP_VIEW_CUSTOMERS]},
};

static const struct mesh_port ports[] = {
    [SHOP_PORT_LARGE] = {.name = "large",
                         .kind = MESH_PORT_KAFKA,
                         .site = SITE("outputPorts.large"),
                         .topic = SHOP_LARGE,
                         .partitions = 4,
                         .contract = &large_contract,
                         .delivery = MESH_EXACTLY_ONCE,
                         .emit = MESH_EMIT_EVENT},
    [SHOP_PORT_TOTALS] =
        {.name = "totals", .kind = MESH_PORT_HTTP, .site = SITE("outputPorts.totals"), .path = "/totals", .view = SHOP_VIEW_TOTALS},
    [SHOP_PORT_CUSTOMERS] = {.name = "customers",
                             .kind = MESH_PORT_HTTP,
                             .site = SITE("outputPorts.customers"),
                             .path = "/customers",
                             .view = SHOP_VIEW_CUSTOMERS},
    [SHOP_PORT_DOCS] = {.name = "docs",
                        .kind = MESH_PORT_MONGO,
                        .site = SITE("outputPorts.docs"),
                        .collection = "totals",
                        .view = SHOP_VIEW_TOTALS},
};

static const uint32_t topology_inputs[] = {SHOP_IN_ORDERS};
static const uint32_t topology_states[] = {SHOP_STATE_TOTALS, SHOP_STATE_CUSTOMERS};
static const struct mesh_topology topologies[] = {
    {.name = "orders", .inputs = topology_inputs, .n_inputs = 1, .states = topology_states, .n_states = 2}};

static const struct mesh_about documents[] = {
    {"asyncapi.json", "{\"asyncapi\":\"3.0.0\"}"}, {"contracts/mesh.shop.shop.large", "{\"id\":\"large\"}"}, {NULL, NULL}};

const struct mesh_product shop_product = {
    .abi = MESH_ABI,
    .domain = "shop",
    .name = "shop",
    .version = "1.0.0",
    .status = "active",
    .type = "aggregate",
    .purpose = "Tests.",
    .declaration = "tests/embedded/shop.c",
    .declaration_hash = "0000000000000000000000000000000000000000000000000000000000000001",
    .state_hash = "0000000000000000000000000000000000000000000000000000000000000002",
    .documents = documents,
    .document = "{\"kind\":\"DataProduct\",\"name\":\"shop\"}",
    .openapi = "{\"openapi\":\"3.1.0\"}",
    .pseudonym_key_env = "MESH_PSEUDONYM_KEY",
    .dlq_topic = "shop.dlq",
    .late_topic = "shop.late",
    .inputs = inputs,
    .n_inputs = SHOP_N_INPUTS,
    .states = states,
    .n_states = SHOP_N_STATES,
    .views = views,
    .n_views = SHOP_N_VIEWS,
    .ports = ports,
    .n_ports = SHOP_N_PORTS,
    .topologies = topologies,
    .n_topologies = 1,
};

static const struct mesh_product *const products[] = {&shop_product};
const struct mesh_service shop_service = {.domain = "shop", .products = products, .n_products = 1, .http_port = 8099};
