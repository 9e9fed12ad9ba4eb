#include "sim/rates.h"

#include "base/check.h"

#define CHANGE_MIN_MS (5 * SIM_MINUTE_MS)
#define CHANGE_MAX_MS (40 * SIM_MINUTE_MS)

static struct sim_rate *keep(struct sim_rate_ring *ring, struct sim_rate rate)
{
    struct sim_rate *slot = &ring->kept[ring->n++ % SIM_RATES_KEPT];
    *slot = rate;
    return slot;
}

void sim_rates_init(struct sim_rates *rates, uint64_t seed, int64_t start_ms)
{
    *rates = (struct sim_rates){0};
    sim_rng_init(&rates->rng, seed, "rates");
    for (enum sim_currency c = SIM_EUR; c < SIM_CURRENCY_COUNT; c++) {
        keep(&rates->of[c], (struct sim_rate){c, start_ms - SIM_RATES_BEFORE_MS, sim_currency_eur_e6[c]});
        rates->of[c].next_ms = c == SIM_EUR ? INT64_MAX : start_ms + sim_between(&rates->rng, 0, CHANGE_MAX_MS);
    }
}

const struct sim_rate *sim_rates_first(struct sim_rates *rates, enum sim_currency currency)
{
    mesh_assert(rates->of[currency].n == 1);
    return &rates->of[currency].kept[0];
}

int64_t sim_rates_next_ms(const struct sim_rates *rates, enum sim_currency *ret_currency)
{
    *ret_currency = SIM_GBP;
    for (enum sim_currency c = SIM_GBP; c < SIM_CURRENCY_COUNT; c++) {
        if (rates->of[c].next_ms < rates->of[*ret_currency].next_ms) {
            *ret_currency = c;
        }
    }
    return rates->of[*ret_currency].next_ms;
}

const struct sim_rate *sim_rates_change(struct sim_rates *rates, enum sim_currency currency)
{
    struct sim_rate_ring *ring = &rates->of[currency];
    int32_t base = sim_currency_eur_e6[currency];
    int32_t old = ring->kept[(ring->n - 1) % SIM_RATES_KEPT].eur_e6;
    int32_t step = base / 250;
    int32_t wander = (int32_t)(base / 1000 * (int32_t)(SIM_RATES_WANDER_PERCENT * 10));
    int32_t eur = old + (int32_t)sim_between(&rates->rng, -step, step);
    eur = eur > base + wander ? base + wander : eur < base - wander ? base - wander : eur;
    int64_t from_ms = ring->next_ms;
    ring->next_ms += sim_between(&rates->rng, CHANGE_MIN_MS, CHANGE_MAX_MS);
    return keep(ring, (struct sim_rate){currency, from_ms, eur});
}

int64_t sim_rates_to_eur(const struct sim_rates *rates, int64_t cents, enum sim_currency currency, int64_t at_ms)
{
    const struct sim_rate_ring *ring = &rates->of[currency];
    uint32_t i = ring->n;
    uint32_t oldest = ring->n > SIM_RATES_KEPT ? ring->n - SIM_RATES_KEPT : 0;
    do {
        mesh_assert(i > oldest);
        i--;
    } while (ring->kept[i % SIM_RATES_KEPT].valid_from_ms > at_ms);
    mesh_dec product = (mesh_dec)cents * ring->kept[i % SIM_RATES_KEPT].eur_e6;
    int64_t whole = (int64_t)(product / 1000000);
    int64_t rest = (int64_t)(product % 1000000);
    return whole + (rest > 500000 || (rest == 500000 && whole % 2 != 0));
}

int64_t sim_rates_from_eur(int64_t eur_cents, enum sim_currency currency)
{
    return eur_cents * 1000000 / sim_currency_eur_e6[currency];
}
