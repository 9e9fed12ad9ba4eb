/* Cards are picked with two speeds: an eighth of them makes more than half of the payments. Each card's last time stands in one
 * array; a card that has just paid is passed over. The array is large enough that in the busiest minute of the week half of it is
 * free. */
#include "sim/payments.h"

#include "base/check.h"

#include <stdlib.h>

__extension__ typedef unsigned __int128 u128;

#define NEVER_MS  INT64_MIN
#define ONCE_BASE (UINT64_C(1) << 40) /* card numbers of one story lie above, ordinary ones below; world.run has the top bit */

void sim_payments_init(struct sim_payments *payments, uint64_t seed, const struct sim_world *world, struct sim_day *day,
                       double density)
{
    double busy = density * SIM_LEVEL_MAX_PERMILLE / 1000 * SIM_CARD_SPACING_MS / 1000;
    *payments = (struct sim_payments){.world = world, .day = day, .n_cards = (uint64_t)(busy * 2)};
    if (payments->n_cards < SIM_CARDS_MIN) {
        payments->n_cards = SIM_CARDS_MIN;
    }
    sim_rng_init(&payments->rng, seed, "payments");
    payments->paid_ms = mesh_xmalloc(payments->n_cards * sizeof *payments->paid_ms);
    for (uint64_t i = 0; i < payments->n_cards; i++) {
        payments->paid_ms[i] = NEVER_MS;
    }
}

void sim_payments_deinit(struct sim_payments *payments)
{
    mesh_freep(&payments->paid_ms);
}

static bool rested(const struct sim_payments *payments, uint64_t card, int64_t now_ms)
{
    return payments->paid_ms[card] == NEVER_MS || payments->paid_ms[card] + SIM_CARD_SPACING_MS <= now_ms;
}

static uint64_t pick_card(struct sim_payments *payments, int64_t now_ms)
{
    uint64_t bits = mesh_rng_next(&payments->rng);
    uint64_t among = (bits & 1) != 0 ? payments->n_cards / 8 : payments->n_cards;
    uint64_t card = (uint64_t)(((u128)bits * among) >> 64);
    if (!rested(payments, card, now_ms)) {
        card = mesh_rng_below(&payments->rng, payments->n_cards);
    }
    for (uint64_t tried = 0; !rested(payments, card, now_ms); tried++) {
        mesh_assert(tried < payments->n_cards);
        card = card + 1 == payments->n_cards ? 0 : card + 1;
    }
    payments->paid_ms[card] = now_ms;
    return card;
}

uint64_t sim_payments_card_once(struct sim_payments *payments)
{
    return payments->world->run + ONCE_BASE + payments->n_once++;
}

uint64_t sim_payments_number(struct sim_payments *payments)
{
    return payments->world->run + payments->n_drawn++;
}

/* Low prices are common: the square of a uniform number. Most prices end in 99. */
static int64_t draw_amount(struct mesh_rng *rng, const struct sim_category *category, enum sim_currency currency)
{
    uint64_t bits = mesh_rng_next(rng);
    int64_t u = (int64_t)(bits & 4095);
    int64_t eur = category->price_min + (category->price_max - category->price_min) * (u * u) / (4095 * 4095);
    int64_t cents = sim_rates_from_eur(eur, currency);
    if ((bits >> 12 & 7) < 5) {
        cents += 99 - cents % 100;
    }
    return cents;
}

static enum sim_method draw_method(uint64_t bits, enum sim_channel channel)
{
    uint64_t r = bits % 100;
    if (channel == SIM_WEB) {
        return r < 48 ? SIM_CREDIT : r < 62 ? SIM_DEBIT : r < 96 ? SIM_WALLET : SIM_GIFT_CARD;
    }
    return r < 25 ? SIM_CREDIT : r < 76 ? SIM_DEBIT : r < 94 ? SIM_WALLET : SIM_GIFT_CARD;
}

struct sim_payment sim_payments_draw_of(struct sim_payments *payments, uint64_t card, int64_t now_ms)
{
    struct mesh_rng *rng = &payments->rng;
    uint64_t habits = sim_mix(card ^ UINT64_C(0x6861626974)); /* the same for each payment of the card */
    uint64_t bits = mesh_rng_next(rng);
    bool abroad = (bits & 1023) < 41;
    uint8_t country = payments->world->country_of[abroad ? bits >> 10 & 1023 : habits & 1023];
    const struct sim_country *in = &sim_countries[country];

    struct sim_payment payment = {
        .number = sim_payments_number(payments),
        .card = card,
        .paid_at_ms = now_ms,
        .currency = in->currency,
        .country = country,
        .category = payments->world->category_of[bits >> 20 & 1023],
        .campaign = -1,
    };
    uint64_t web_percent = sim_day_rainy(payments->day, now_ms, country) ? 68 : 46;
    payment.channel = (bits >> 30 & 1023) * 100 / 1024 < web_percent ? SIM_WEB : SIM_SHOP;
    payment.method = draw_method(bits >> 40 & 0xffff, payment.channel);

    uint64_t terminals = payment.channel == SIM_WEB ? 1 + in->terminals / 20 : in->terminals;
    bool usual = (bits >> 56 & 3) != 0;
    uint64_t which = usual ? habits >> 10 : (bits >> 58) ^ (habits >> 30);
    payment.terminal = (uint16_t)(which % terminals);

    uint64_t led = mesh_rng_next(rng);
    if ((led & 1023) < (payment.channel == SIM_WEB ? 184 : 51)) {
        uint64_t a = (led >> 10 & 0xffff) % SIM_CAMPAIGNS;
        uint64_t b = (led >> 26 & 0xffff) % SIM_CAMPAIGNS;
        payment.campaign = (int16_t)(a < b ? a : b); /* early campaigns are the larger ones */
    }
    payment.amount = draw_amount(rng, &sim_categories[payment.category], payment.currency);
    return payment;
}

struct sim_payment sim_payments_draw(struct sim_payments *payments, int64_t now_ms)
{
    uint64_t card = pick_card(payments, now_ms) + 1;
    return sim_payments_draw_of(payments, card, now_ms);
}
