/* Advertisements: impressions and clicks of SIM_CAMPAIGNS campaigns, each with its own price and click rate. Totals are kept here.
 */
#ifndef SIM_ADS_H
#define SIM_ADS_H

#include "sim/world.h"

enum sim_ad_kind { SIM_IMPRESSION, SIM_CLICK };

struct sim_ad {
    uint64_t number;
    uint16_t campaign;
    enum sim_ad_kind kind;
    int64_t cost_e4; /* ten-thousandths of a euro */
    int64_t at_ms;
};

struct sim_campaign {
    uint32_t click_threshold; /* probability in 1/2^32 */
    int64_t impression_e4, click_e4;
    int64_t n_impressions, n_clicks, spend_e4;
};

struct sim_ads {
    struct mesh_rng rng;
    const struct sim_world *world;
    struct sim_campaign campaigns[SIM_CAMPAIGNS];
    uint64_t n;
};

void sim_ads_init(struct sim_ads *ads, uint64_t seed, const struct sim_world *world);
struct sim_ad sim_ads_draw(struct sim_ads *ads, int64_t now_ms);

#endif
