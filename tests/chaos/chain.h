/* Two products as the compiler would write them, the second reading what the first sends: what the protocol test runs.
 *
 *     events --> sales: dedupe by id, refuse amount 0, view cards, port lines --------> stores: view seen, port shown, documents
 *                  +-- internal by_store --> view totals, documents
 *
 * events are keyed by card, everything behind by store. A record is: id, card, store, amount, at (all long). No step depends on the
 * order in which partitions are read, so what is right can be computed from the events alone.
 */
#ifndef TESTS_CHAOS_CHAIN_H
#define TESTS_CHAOS_CHAIN_H

#include "mesh/mesh.h"

#define CHAIN_SECOND INT64_C(1000000)

struct chain_record {
    int64_t id, card, store, amount, at;
};

struct chain_out {
    int64_t key, n, sum, revision;
};

enum { CHAIN_SALES, CHAIN_STORES, CHAIN_N_PRODUCTS };
enum { SALES_EVENTS, SALES_BY_STORE, SALES_N_INPUTS };
enum { SALES_LINES, SALES_DOCS, SALES_N_PORTS };
enum { SALES_VIEW_CARDS, SALES_VIEW_TOTALS };
enum { STORES_LINES };
enum { STORES_SHOWN, STORES_DOCS, STORES_N_PORTS };
enum { STORES_VIEW_SEEN };

extern const struct mesh_product *const chain_products[CHAIN_N_PRODUCTS];

void chain_write(struct mesh_out *out, const struct chain_record *record); /* the datum */
void chain_read(struct mesh_in *in, struct chain_record *ret);

#endif
