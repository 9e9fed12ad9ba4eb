#include "sim/ads.h"

void sim_ads_init(struct sim_ads *ads, uint64_t seed, const struct sim_world *world)
{
    *ads = (struct sim_ads){.world = world};
    struct mesh_rng rng; /* campaigns are the same in every run */
    sim_rng_init(&rng, 0, "campaigns");
    sim_rng_init(&ads->rng, seed, "ads");
    for (uint32_t i = 0; i < SIM_CAMPAIGNS; i++) {
        ads->campaigns[i].click_threshold = (uint32_t)sim_between(&rng, 40000000, 300000000); /* 1 % to 7 % */
        ads->campaigns[i].impression_e4 = sim_between(&rng, 8, 90);
        ads->campaigns[i].click_e4 = sim_between(&rng, 600, 9000);
    }
}

struct sim_ad sim_ads_draw(struct sim_ads *ads, int64_t now_ms)
{
    uint64_t bits = mesh_rng_next(&ads->rng);
    uint32_t a = (uint32_t)(bits & 0xffff) % SIM_CAMPAIGNS;
    uint32_t b = (uint32_t)(bits >> 16 & 0xffff) % SIM_CAMPAIGNS;
    uint32_t which = a < b ? a : b;
    struct sim_campaign *campaign = &ads->campaigns[which];
    struct sim_ad ad = {
        .number = ads->world->run + ads->n++,
        .campaign = (uint16_t)which,
        .kind = (bits >> 32) < campaign->click_threshold ? SIM_CLICK : SIM_IMPRESSION,
        .at_ms = now_ms,
    };
    if (ad.kind == SIM_CLICK) {
        ad.cost_e4 = campaign->click_e4;
        campaign->n_clicks++;
    } else {
        ad.cost_e4 = campaign->impression_e4;
        campaign->n_impressions++;
    }
    campaign->spend_e4 += ad.cost_e4;
    return ad;
}
