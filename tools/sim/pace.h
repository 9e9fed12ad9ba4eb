/* Holding events back to a rate of the wall clock, a speed of the event clock, or both. It decides when, never what. */
#ifndef SIM_PACE_H
#define SIM_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct sim_pace {
    double rate;               /* events per second; 0: no limit */
    double speed;              /* event seconds per second; 0: no limit */
    int64_t wall_us, event_ns; /* both clocks at the beginning */
    int64_t known_us;          /* the wall clock was at least here when last read */
};

void sim_pace_init(struct sim_pace *pace, double rate, double speed, int64_t event_ns);
/* Microseconds until the n-th event (from 0) with this event time may go; 0: now. Less than a millisecond counts as now. */
int64_t sim_pace_wait_us(struct sim_pace *pace, uint64_t n, int64_t event_ns);

#endif
