/* A small product as meshgen would write it, by hand: orders in; totals by country and minute, and
 * customers, out over HTTP and MongoDB; large orders out to a topic. Used by the embedded tests. */
#ifndef MESH_TESTS_EMBEDDED_SHOP_H
#define MESH_TESTS_EMBEDDED_SHOP_H

#include "mesh/mesh.h"

#define SHOP_ORDERS      "shop.orders"
#define SHOP_LARGE       "shop.large"
#define SHOP_ORDER_ID    7001u
#define SHOP_LARGE_CENTS 50000

enum { SHOP_IN_ORDERS, SHOP_N_INPUTS };
enum { SHOP_STATE_TOTALS, SHOP_STATE_CUSTOMERS, SHOP_N_STATES };
enum { SHOP_VIEW_TOTALS, SHOP_VIEW_CUSTOMERS, SHOP_N_VIEWS };
enum { SHOP_PORT_LARGE, SHOP_PORT_TOTALS, SHOP_PORT_CUSTOMERS, SHOP_PORT_DOCS, SHOP_N_PORTS };

struct shop_order {
    struct mesh_str id, country, customer, note;
    mesh_dec amount; /* scale 2 */
    int64_t at;
};

struct shop_totals_out {
    struct mesh_str country;
    int64_t window_start, window_end;
    bool final;
    int64_t revision;
    mesh_dec total;
    int64_t n;
};

struct shop_customers_out {
    struct mesh_str customer;
    int64_t revision;
    int64_t orders;
    mesh_dec largest;
    bool largest_set;
};

extern const struct mesh_product shop_product;
extern const struct mesh_service shop_service;

/* What a producer sends: framing and datum. */
void shop_encode(const struct shop_order *order, struct mesh_out *out);

#endif
