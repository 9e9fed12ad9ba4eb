/* At the highest density many customers act in the same millisecond: a pick that would give one customer the same time twice moves
 * on to the next. There are always more customers than events in a millisecond. */
#include "sim/customers.h"

#include "base/check.h"

#define DELETED_SHARE_MAX 20 /* one in so many, at most */

const char *const sim_segments[SIM_SEGMENT_COUNT] = {"new", "regular", "loyal", "business"};
const char *const sim_purposes[SIM_PURPOSE_COUNT] = {"marketing", "analytics", "service"};

void sim_customers_init(struct sim_customers *customers, uint64_t seed, const struct sim_world *world)
{
    *customers = (struct sim_customers){.world = world};
    sim_rng_init(&customers->rng, seed, "customers");
    customers->all = mesh_xcalloc(SIM_CUSTOMERS_MAX, sizeof *customers->all);
}

void sim_customers_deinit(struct sim_customers *customers)
{
    mesh_freep(&customers->all);
}

struct sim_customer_event sim_customers_join(struct sim_customers *customers, int64_t at_ms)
{
    mesh_assert(customers->n < SIM_CUSTOMERS_MAX);
    uint32_t i = customers->n++;
    struct sim_customer *customer = &customers->all[i];
    uint64_t bits = mesh_rng_next(&customers->rng);
    *customer = (struct sim_customer){
        .last_ms = at_ms,
        .country = customers->world->country_of[bits & 1023],
        .segment = (uint8_t)((bits >> 10 & 0xffff) % SIM_SEGMENT_COUNT),
    };
    return (struct sim_customer_event){i, customer, at_ms};
}

static uint32_t pick(struct sim_customers *customers, int64_t now_ms)
{
    uint32_t i = (uint32_t)mesh_rng_below(&customers->rng, customers->n);
    for (uint32_t tried = 0; customers->all[i].deleted || customers->all[i].last_ms >= now_ms; tried++) {
        mesh_assert(tried < customers->n);
        i = i + 1 == customers->n ? 0 : i + 1;
    }
    return i;
}

struct sim_customer_event sim_customers_change(struct sim_customers *customers, int64_t now_ms)
{
    uint64_t bits = mesh_rng_next(&customers->rng);
    if ((bits & 1023) < 50 && customers->n < SIM_CUSTOMERS_MAX) {
        return sim_customers_join(customers, now_ms);
    }
    uint32_t i = pick(customers, now_ms);
    struct sim_customer *customer = &customers->all[i];
    bool quiet = customer->last_ms + SIM_CUSTOMER_QUIET_MS < now_ms;
    customer->last_ms = now_ms;
    if ((bits >> 10 & 1023) < 20 && quiet && customers->n_deleted < customers->n / DELETED_SHARE_MAX) {
        customer->deleted = true;
        customers->n_deleted++;
    } else if ((bits >> 20 & 7) == 0) {
        customer->country = customers->world->country_of[bits >> 23 & 1023];
    } else {
        customer->segment = (uint8_t)((bits >> 33 & 0xffff) % SIM_SEGMENT_COUNT);
    }
    return (struct sim_customer_event){i, customer, now_ms};
}

struct sim_consent_event sim_customers_decide(struct sim_customers *customers, int64_t now_ms)
{
    uint64_t bits = mesh_rng_next(&customers->rng);
    uint32_t i = pick(customers, now_ms);
    struct sim_customer *customer = &customers->all[i];
    enum sim_purpose purpose = (bits & 3) < 2    ? SIM_PURPOSE_MARKETING
                               : (bits & 3) == 2 ? SIM_PURPOSE_ANALYTICS
                                                 : SIM_PURPOSE_SERVICE;
    bool granted = customer->consents[purpose] == SIM_CONSENT_NEVER_ASKED ? (bits >> 2 & 3) != 0
                                                                          : customer->consents[purpose] == SIM_CONSENT_WITHDRAWN;
    customer->consents[purpose] = granted ? SIM_CONSENT_GIVEN : SIM_CONSENT_WITHDRAWN;
    customer->last_ms = now_ms;
    return (struct sim_consent_event){i, purpose, granted, now_ms};
}

/* Equal parts, and what is left over with the last. */
static void fill_lines(struct sim_order *order, uint64_t bits)
{
    order->n_lines = 1 + (uint32_t)(bits & (SIM_LINES_MAX - 1));
    bits >>= 2;
    for (uint32_t i = 0; i < order->n_lines; i++) {
        order->lines[i] = (struct sim_order_line){.product = (uint32_t)(bits % SIM_PRODUCTS),
                                                  .pieces = 1 + (int64_t)(bits >> 8 & 1),
                                                  .amount_cents = order->amount_cents / order->n_lines};
        bits = bits >> 11 | bits << 53;
    }
    order->lines[order->n_lines - 1].amount_cents += order->amount_cents % order->n_lines;
}

struct sim_order sim_customers_order(struct sim_customers *customers, int64_t now_ms)
{
    uint64_t bits = mesh_rng_next(&customers->rng);
    uint32_t i = pick(customers, now_ms);
    struct sim_customer *customer = &customers->all[i];
    int64_t u = (int64_t)(bits & 4095);
    struct sim_order order = {
        .number = customers->world->run + customers->n_orders++,
        .customer = i,
        .channel = (bits >> 12 & 1) != 0 ? SIM_WEB : SIM_SHOP,
        .amount_cents = 500 + 39500 * (u * u) / (4095 * 4095),
        .at_ms = now_ms,
    };
    fill_lines(&order, bits >> 13);
    customer->last_ms = customer->last_order_ms = now_ms;
    customer->spend_cents += order.amount_cents;
    customer->n_orders++;
    customer->n_web_orders += order.channel == SIM_WEB;
    return order;
}
