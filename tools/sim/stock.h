/* Products and what lies on the shelf of each store.
 *
 * A shelf (product and store) is first heard of by a delivery that fills it well above the reorder point. Goods leave in ones to
 * fours, never below zero; a delivery follows when little is left; now and then somebody counts and finds what was stolen. Two
 * events of one shelf never have the same time, and a count stands at least SIM_SHELF_APART_MS from the movements around it:
 * movements and counts are two topics, and their order matters.
 *
 * Low-stock signals are counted as the product declares them: on a movement or count after which no more than the reorder point is
 * left, armed again by more than five above it.
 */
#ifndef SIM_STOCK_H
#define SIM_STOCK_H

#include "sim/world.h"

#define SIM_SHELF_APART_MS 5000

struct sim_product {
    uint8_t category;
    uint8_t name; /* index of the adjective */
    int64_t reorder_point;
};

struct sim_shelf {
    int64_t last_ms;
    int64_t on_hand;
    bool known;   /* had its first delivery */
    bool counted; /* the last event was a count */
    bool low;     /* signalled and not armed again */
};

struct sim_stock {
    struct mesh_rng rng;
    const struct sim_world *world;
    struct sim_product products[SIM_PRODUCTS];
    struct sim_shelf shelves[SIM_PRODUCTS][SIM_STORES];
    uint64_t n_movements;
    uint64_t n_low;
};

struct sim_stock_event {
    uint64_t number; /* of a movement */
    uint32_t product, store;
    bool count;     /* a count, otherwise a movement */
    int64_t pieces; /* counted, or moved */
    int64_t at_ms;
};

void sim_stock_init(struct sim_stock *stock, uint64_t seed, const struct sim_world *world);
/* Counts or movements are chosen together, as the shelf allows. */
struct sim_stock_event sim_stock_draw(struct sim_stock *stock, int64_t now_ms);
/* Name of a product, without a NUL; at most 40 bytes. */
char *sim_stock_put_name(char *to, const struct sim_stock *stock, uint32_t product);

#endif
