#include "sim/pace.h"

#include "base/clock.h"

#define EARLY_US 1000

void sim_pace_init(struct sim_pace *pace, double rate, double speed, int64_t event_ns)
{
    int64_t now_us = mesh_clock_mono_us();
    *pace = (struct sim_pace){.rate = rate, .speed = speed, .wall_us = now_us, .event_ns = event_ns, .known_us = now_us};
}

int64_t sim_pace_wait_us(struct sim_pace *pace, uint64_t n, int64_t event_ns)
{
    double due = 0;
    if (pace->rate > 0) {
        due = (double)n / pace->rate * 1e6;
    }
    if (pace->speed > 0) {
        double by_speed = (double)(event_ns - pace->event_ns) / 1e3 / pace->speed;
        due = by_speed > due ? by_speed : due;
    }
    int64_t due_us = pace->wall_us + (due < 9e17 ? (int64_t)due : INT64_C(900000000000000000));
    if (due_us - EARLY_US < pace->known_us) {
        return 0;
    }
    pace->known_us = mesh_clock_mono_us();
    return due_us - EARLY_US < pace->known_us ? 0 : due_us - pace->known_us;
}
