/* What a unit of each currency is worth in euro, over time.
 *
 * The first rates hold from SIM_RATES_BEFORE_MS before the start. Then each currency but the euro changes every 5 to 40 minutes, by
 * a step of at most 0.4 %, never further than 2.5 % from its base. A change is announced SIM_RATES_LEAD_MS before it holds (the
 * port allows 30 days), so that a service that reads its tables to their end knows every rate in time; what holds within the lead
 * after the start is announced before the first event. All announcements come in the order of valid_from.
 */
#ifndef SIM_RATES_H
#define SIM_RATES_H

#include "sim/world.h"

#define SIM_RATES_BEFORE_MS (2 * SIM_DAY_MS)
#define SIM_RATES_LEAD_MS   (6 * SIM_HOUR_MS)
#define SIM_RATES_KEPT                                                                                                             \
    256 /* newest changes of a currency: 5 minutes apart, far more than lead and the oldest late payment need \
                                 */
#define SIM_RATES_WANDER_PERCENT 2.5

struct sim_rate {
    enum sim_currency currency;
    int64_t valid_from_ms;
    int32_t eur_e6;
};

struct sim_rate_ring {
    struct sim_rate kept[SIM_RATES_KEPT];
    uint32_t n; /* ever announced */
    int64_t next_ms;
};

struct sim_rates {
    struct mesh_rng rng;
    struct sim_rate_ring of[SIM_CURRENCY_COUNT];
};

void sim_rates_init(struct sim_rates *rates, uint64_t seed, int64_t start_ms);
/* The rate that holds from the beginning. */
const struct sim_rate *sim_rates_first(struct sim_rates *rates, enum sim_currency currency);
/* valid_from of the next change of any currency. */
int64_t sim_rates_next_ms(const struct sim_rates *rates, enum sim_currency *ret_currency);
/* Make that change. */
const struct sim_rate *sim_rates_change(struct sim_rates *rates, enum sim_currency currency);

/* Cents of euro for an amount in cents, at the rate in force: product rounded half to even, as decimal(amount * eur, 14, 2) does.
 */
int64_t sim_rates_to_eur(const struct sim_rates *rates, int64_t cents, enum sim_currency currency, int64_t at_ms);
/* About how many cents of the currency `eur_cents` are, by the base rate. */
int64_t sim_rates_from_eur(int64_t eur_cents, enum sim_currency currency);

#endif
