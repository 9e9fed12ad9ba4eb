#include "sim/stock.h"

#include "base/check.h"

#define COUNT_PERCENT 6

static const char *const adjectives[16] = {"Alpine", "Amber",  "Classic", "Copper", "Coral", "Cotton", "Garden", "Harbour",
                                           "Linen",  "Meadow", "Nordic",  "Oak",    "Polar", "River",  "Silver", "Velvet"};
static const char *const nouns[SIM_CATEGORIES] = {"muesli", "scarf", "lamp", "soap", "headphones",
                                                  "atlas",  "train", "ball", "rake", "collar"};

void sim_stock_init(struct sim_stock *stock, uint64_t seed, const struct sim_world *world)
{
    *stock = (struct sim_stock){.world = world};
    struct mesh_rng rng; /* products are the same in every run */
    sim_rng_init(&rng, 0, "products");
    sim_rng_init(&stock->rng, seed, "stock");
    for (uint32_t i = 0; i < SIM_PRODUCTS; i++) {
        uint64_t bits = mesh_rng_next(&rng);
        stock->products[i] = (struct sim_product){
            .category = world->category_of[bits & 1023],
            .name = (uint8_t)(bits >> 10 & 15),
            .reorder_point = 5 + (int64_t)(bits >> 14 & 15),
        };
    }
}

char *sim_stock_put_name(char *to, const struct sim_stock *stock, uint32_t product)
{
    const struct sim_product *p = &stock->products[product];
    to = sim_put_text(to, adjectives[p->name]);
    *to++ = ' ';
    to = sim_put_text(to, nouns[p->category]);
    *to++ = ' ';
    return sim_put_digits(to, product, 3);
}

/* A movement right after a count could be taken for one before it. */
static bool too_soon(const struct sim_shelf *shelf, int64_t now_ms)
{
    int64_t apart_ms = shelf->counted ? SIM_SHELF_APART_MS : 1;
    return shelf->known && shelf->last_ms + apart_ms > now_ms;
}

static struct sim_shelf *pick(struct sim_stock *stock, int64_t now_ms, struct sim_stock_event *event)
{
    uint64_t bits = mesh_rng_next(&stock->rng);
    uint32_t a = (uint32_t)(bits & 0xffffffff) % SIM_PRODUCTS;
    uint32_t b = (uint32_t)(bits >> 32 & 0xffffff) % SIM_PRODUCTS;
    event->product = a < b ? a : b; /* some sell better */
    event->store = (uint32_t)(bits >> 56) % SIM_STORES;
    struct sim_shelf *shelf = &stock->shelves[event->product][event->store];
    for (uint32_t tried = 0; too_soon(shelf, now_ms); tried++) {
        mesh_assert(tried < SIM_PRODUCTS);
        event->product = (event->product + 1) % SIM_PRODUCTS;
        shelf = &stock->shelves[event->product][event->store];
    }
    return shelf;
}

struct sim_stock_event sim_stock_draw(struct sim_stock *stock, int64_t now_ms)
{
    struct sim_stock_event event = {.at_ms = now_ms};
    struct sim_shelf *shelf = pick(stock, now_ms, &event);
    int64_t reorder_point = stock->products[event.product].reorder_point;
    uint64_t bits = mesh_rng_next(&stock->rng);
    bool apart = shelf->known && shelf->last_ms + SIM_SHELF_APART_MS <= now_ms;
    int64_t sold = 1 + (int64_t)(bits >> 8 & 3);

    if (apart && (bits & 0xff) * 100 / 256 < COUNT_PERCENT) {
        event.count = true;
        int64_t lost = (int64_t)(bits >> 10 & 3);
        event.pieces = shelf->on_hand > lost ? shelf->on_hand - lost : 0;
    } else if (!shelf->known || shelf->on_hand < sold || (shelf->on_hand <= reorder_point && (bits >> 12 & 3) == 0)) {
        event.pieces = reorder_point + 20 + (int64_t)(bits >> 16 & 63);
    } else {
        event.pieces = -sold;
    }
    if (!event.count) {
        event.number = stock->world->run + stock->n_movements++;
    }
    shelf->on_hand = event.count ? event.pieces : shelf->on_hand + event.pieces;
    shelf->last_ms = now_ms;
    shelf->known = true;
    shelf->counted = event.count;
    if (!shelf->low && shelf->on_hand <= reorder_point) {
        shelf->low = true;
        stock->n_low++;
    } else if (shelf->low && shelf->on_hand > reorder_point + 5) {
        shelf->low = false;
    }
    return event;
}
