/* Ordinary payments.
 *
 * A card has a home country and a terminal it likes; 1 in 25 payments is made abroad. The currency is the country's. Two ordinary
 * payments of one card are at least SIM_CARD_SPACING_MS apart, hence at most three in any minute; their amounts are worth
 * between 2.90 and 465 euro at any rate that can be in force. So no rule about fraud can fire, and no ordinary payment can take
 * part in a pattern that faults.c plants on cards of its own.
 */
#ifndef SIM_PAYMENTS_H
#define SIM_PAYMENTS_H

#include "sim/day.h"
#include "sim/rates.h"

#define SIM_CARD_SPACING_MS 21000
#define SIM_CARDS_MIN       50000

struct sim_payment {
    uint64_t number; /* behind payment_id */
    uint64_t card;   /* behind card_id */
    int64_t amount;  /* cents of its currency */
    int64_t paid_at_ms;
    enum sim_currency currency;
    enum sim_method method;
    enum sim_channel channel;
    uint16_t terminal;
    uint8_t country, category;
    int16_t campaign; /* -1: none */
};

struct sim_payments {
    struct mesh_rng rng;
    const struct sim_world *world;
    struct sim_day *day;
    uint64_t n_drawn; /* numbers handed out */
    uint64_t n_once;  /* cards handed out that are used by one story only */
    int64_t *paid_ms; /* of each card, last; owned */
    uint64_t n_cards;
};

/* `density`: mean payments per second of event time; decides how many cards there are. */
void sim_payments_init(struct sim_payments *payments, uint64_t seed, const struct sim_world *world, struct sim_day *day,
                       double density);
void sim_payments_deinit(struct sim_payments *payments);

/* An ordinary payment, now. */
struct sim_payment sim_payments_draw(struct sim_payments *payments, int64_t now_ms);
/* A card nobody else uses, in this run or another. */
uint64_t sim_payments_card_once(struct sim_payments *payments);
/* A number for one more payment. */
uint64_t sim_payments_number(struct sim_payments *payments);
/* A payment of the given card; says nothing about what else the card does. */
struct sim_payment sim_payments_draw_of(struct sim_payments *payments, uint64_t card, int64_t now_ms);

static inline enum sim_topic sim_payment_topic(const struct sim_payment *payment)
{
    return payment->channel == SIM_WEB ? SIM_CARD_PAYMENTS : SIM_SHOP_PAYMENTS;
}

#endif
