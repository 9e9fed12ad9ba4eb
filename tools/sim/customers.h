/* Customers, what they agree to, and their orders.
 *
 * The first customers are sent before the start; more join later, up to SIM_CUSTOMERS_MAX. A few close their account; nothing is
 * heard of them afterwards, and only those are picked who have been quiet for SIM_CUSTOMER_QUIET_MS, so that an order and the
 * deletion can never change places on two topics. Two events of one customer never have the same time.
 *
 * The totals of a customer are kept here and written into the truth at the end.
 */
#ifndef SIM_CUSTOMERS_H
#define SIM_CUSTOMERS_H

#include "sim/world.h"

#define SIM_CUSTOMERS_FIRST   2000
#define SIM_CUSTOMERS_MAX     50000
#define SIM_CUSTOMER_QUIET_MS (10 * SIM_MINUTE_MS)

enum sim_segment { SIM_SEGMENT_NEW, SIM_SEGMENT_REGULAR, SIM_SEGMENT_LOYAL, SIM_SEGMENT_BUSINESS, SIM_SEGMENT_COUNT };
enum sim_purpose { SIM_PURPOSE_MARKETING, SIM_PURPOSE_ANALYTICS, SIM_PURPOSE_SERVICE, SIM_PURPOSE_COUNT };
enum sim_consent { SIM_CONSENT_NEVER_ASKED, SIM_CONSENT_GIVEN, SIM_CONSENT_WITHDRAWN };

extern const char *const sim_segments[SIM_SEGMENT_COUNT];
extern const char *const sim_purposes[SIM_PURPOSE_COUNT];

struct sim_customer {
    int64_t last_ms;
    int64_t last_order_ms;
    int64_t spend_cents;
    uint32_t n_orders, n_web_orders;
    uint8_t country;
    uint8_t consents[SIM_PURPOSE_COUNT]; /* enum sim_consent */
    uint8_t segment;
    bool deleted;
};

struct sim_customers {
    struct mesh_rng rng;
    const struct sim_world *world;
    struct sim_customer *all; /* SIM_CUSTOMERS_MAX; owned */
    uint32_t n;               /* known so far */
    uint32_t n_deleted;
    uint64_t n_orders;
};

/* What happened, to be encoded. */
struct sim_customer_event {
    uint32_t customer;
    const struct sim_customer *state; /* afterwards */
    int64_t at_ms;
};

struct sim_consent_event {
    uint32_t customer;
    enum sim_purpose purpose;
    bool granted;
    int64_t at_ms;
};

#define SIM_LINES_MAX 4

struct sim_order_line {
    uint32_t product;
    int64_t pieces, amount_cents;
};

struct sim_order {
    uint64_t number;
    uint32_t customer;
    enum sim_channel channel;
    int64_t amount_cents; /* euro */
    int64_t at_ms;
    struct sim_order_line lines[SIM_LINES_MAX]; /* which add up to it */
    uint32_t n_lines;
};

void sim_customers_init(struct sim_customers *customers, uint64_t seed, const struct sim_world *world);
void sim_customers_deinit(struct sim_customers *customers);

struct sim_customer_event sim_customers_join(struct sim_customers *customers, int64_t at_ms);
/* A record changes: somebody joins, moves, gets another segment or closes the account. */
struct sim_customer_event sim_customers_change(struct sim_customers *customers, int64_t now_ms);
struct sim_consent_event sim_customers_decide(struct sim_customers *customers, int64_t now_ms);
struct sim_order sim_customers_order(struct sim_customers *customers, int64_t now_ms);

#endif
