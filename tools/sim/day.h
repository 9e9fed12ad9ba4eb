/* The retail day: how many events happen when, and where it rains.
 *
 * The simulator's clock runs in nanoseconds since 1970, and only because events happen: each arrival is a random gap after the one
 * before, between nothing and twice the mean. The mean follows the hour (night 8 %, evening 200 % of the daily mean) and the day
 * of the week (Saturday 125 %, Sunday 70 %), unless the day is flat. No floating point is involved, so that every machine gives the
 * same times.
 *
 * Weather is a property of a country and an hour, drawn from the run's seed: in a rainy hour people stay at home and buy on the
 * web.
 */
#ifndef SIM_DAY_H
#define SIM_DAY_H

#include "sim/world.h"

#define SIM_DENSITY_MAX        100000.0 /* events per second of event time */
#define SIM_DENSITY_MIN        0.001
#define SIM_LEVEL_MAX_PERMILLE 2500 /* of the mean, in the busiest minute of a week */

struct sim_day {
    struct mesh_rng rng;
    uint64_t seed;
    uint64_t density_milli; /* mean events per 1000 s */
    bool flat;
    int64_t next_ns; /* of the next arrival */
    int64_t minute;  /* for which gap_max_ns holds */
    uint64_t gap_max_ns;
    int64_t weather_hour; /* for which rain holds */
    bool rain[SIM_COUNTRIES];
};

void sim_day_init(struct sim_day *day, uint64_t seed, int64_t start_ns, double density, bool flat);
/* Draws the gap to the arrival after next_ns. */
void sim_day_advance(struct sim_day *day);
/* Thousandths of the mean intensity. */
int sim_day_level(int64_t at_ms);
bool sim_day_rainy(struct sim_day *day, int64_t at_ms, uint32_t country);

#endif
