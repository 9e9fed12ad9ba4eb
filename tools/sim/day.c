/* The levels of the hours stand for the middle of a straight line to the next hour and add up to 24 000; minutes between are
 * interpolated, which keeps the sum. */
#include "sim/day.h"

__extension__ typedef unsigned __int128 u128;

static const int16_t hour_level[24] = {
    200,  120,  80,   80,   120,  260,  500,  890,  1300, 1400, 1450, 1500,
    1800, 1600, 1400, 1400, 1600, 1900, 2000, 1600, 1200, 800,  500,  300,
};

/* Monday first; seven days add up to 7 000. */
static const int16_t weekday_level[7] = {1010, 1010, 1010, 1010, 1010, 1250, 700};

int sim_day_level(int64_t at_ms)
{
    int64_t minutes = at_ms / SIM_MINUTE_MS;
    int64_t hour = minutes / 60 % 24;
    int64_t minute = minutes % 60;
    int64_t level = (hour_level[hour] * (60 - minute) + hour_level[(hour + 1) % 24] * minute) / 60;
    int64_t weekday = (at_ms / SIM_DAY_MS + 3) % 7; /* 1970-01-01 was a Thursday */
    return (int)(level * weekday_level[weekday] / 1000);
}

static void set_gap(struct sim_day *day)
{
    int64_t at_ms = day->next_ns / SIM_MS_NS;
    day->minute = at_ms / SIM_MINUTE_MS;
    uint64_t level = day->flat ? 1000 : (uint64_t)sim_day_level(at_ms);
    /* density_milli * level is in events per 10^6 s */
    u128 mean = (u128)SIM_SECOND_NS * 1000000 / (day->density_milli * level);
    day->gap_max_ns = (uint64_t)mean * 2;
}

void sim_day_init(struct sim_day *day, uint64_t seed, int64_t start_ns, double density, bool flat)
{
    *day = (struct sim_day){.seed = sim_mix(seed ^ UINT64_C(0x5261696e)), .flat = flat, .next_ns = start_ns};
    sim_rng_init(&day->rng, seed, "day");
    day->density_milli = (uint64_t)(density * 1000 + 0.5);
    day->weather_hour = -1;
    set_gap(day);
}

void sim_day_advance(struct sim_day *day)
{
    if (day->next_ns / (SIM_MINUTE_MS * SIM_MS_NS) != day->minute) {
        set_gap(day);
    }
    u128 gap = (u128)mesh_rng_next(&day->rng) * (day->gap_max_ns + 1);
    day->next_ns += (int64_t)(gap >> 64);
}

bool sim_day_rainy(struct sim_day *day, int64_t at_ms, uint32_t country)
{
    int64_t hour = at_ms / SIM_HOUR_MS;
    if (hour != day->weather_hour) {
        day->weather_hour = hour;
        for (uint32_t i = 0; i < SIM_COUNTRIES; i++) {
            day->rain[i] = sim_mix(day->seed + (uint64_t)hour * 64 + i) % 100 < 28;
        }
    }
    return day->rain[country];
}
