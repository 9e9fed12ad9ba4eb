/* A product as the compiler would write it, small enough to read, with every kind of state: what the flow tests run.
 *
 *     sales  --+                                        +-- internal by_store --> totals (view, change port, documents, rises -> alerts)
 *     counts --+--> main: dedupe, as-of join, ring,     |
 *     rates  --+    pattern, cards (view), minute/2, ---+-- internal partials --> minute (tumbling 1m, grace 10s, close port, documents)
 *                   interval joins (sales find counts)
 *     visits --+--> visits (view): what the sign of the card said at that moment
 *     signs  --+
 *
 * Sales, counts, visits and signs are keyed by card; rates is a versioned table that all copy, signs one of newest rows. A record is: id, card, store (strings), amount (long), at (long, microseconds).
 */
#ifndef TESTS_FLOW_SHOP_H
#define TESTS_FLOW_SHOP_H

#include "mesh/mesh.h"

enum { SHOP_SALES, SHOP_COUNTS, SHOP_RATES, SHOP_BY_STORE, SHOP_PARTIALS, SHOP_VISITS, SHOP_SIGNS, SHOP_N_INPUTS };
enum {
    SHOP_SEEN,
    SHOP_RATE,
    SHOP_SPENT,
    SHOP_PROBE,
    SHOP_CARDS,
    SHOP_MINUTE_PART,
    SHOP_TOTALS,
    SHOP_MINUTE,
    SHOP_HIGH,
    SHOP_SIGN,
    SHOP_VISITED,
    SHOP_BEFORE,
    SHOP_AROUND,
    SHOP_QUIET,
    SHOP_N_STATES
};
enum { SHOP_VIEW_CARDS, SHOP_VIEW_TOTALS, SHOP_VIEW_MINUTE, SHOP_VIEW_VISITED, SHOP_N_VIEWS };
enum { SHOP_ALERTS, SHOP_TOTALS_OUT, SHOP_MINUTE_OUT, SHOP_TOTALS_DOCS, SHOP_MINUTE_DOCS, SHOP_CARDS_DOCS, SHOP_N_PORTS };
enum { SHOP_INTERNAL_BY_STORE, SHOP_INTERNAL_PARTIALS, SHOP_N_INTERNALS };

#define SHOP_SECOND INT64_C(1000000)

struct shop_record {
    struct mesh_str id, card, store;
    int64_t amount;
    int64_t at;
};

struct shop_cards_out {
    struct mesh_str card;
    int64_t n, sum, order, spent;
    struct mesh_str last_id;
    int64_t revision;
};

struct shop_totals_out {
    struct mesh_str store;
    int64_t n, sum, order, revision;
};

struct shop_minute_out {
    struct mesh_str store;
    int64_t window_start, window_end;
    bool final;
    int64_t revision;
    int64_t n, sum, largest;
};

extern const struct mesh_product shop;

void shop_write(struct mesh_out *out, const struct shop_record *record); /* the datum */

#endif
