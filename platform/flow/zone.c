/* The days of a time zone, as a division of all time: day D begins when the zone's clock first shows it, and ends when it first shows
 * the next. So days have 23, 24 or 25 hours; what a clock that goes back over midnight shows twice belongs to the day that had begun;
 * and a day that a zone left out has no time. */
#include "flow/task_int.h"

#define SECOND_US INT64_C(1000000)
#define DAY_S     INT64_C(86400)
#define AHEAD_S   (INT64_C(26) * 3600) /* no clock is as far from UTC */

/* The last step at or before this time. */
static uint32_t step_at(const struct mesh_zone *zone, int64_t at_s)
{
    uint32_t low = 0;
    uint32_t high = zone->n_steps;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (zone->steps[mid].at_s <= at_s)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* When the clock first shows the midnight with which this day begins, or a later time. */
static int64_t begin_of(const struct mesh_zone *zone, int64_t day)
{
    int64_t shown = day * DAY_S;
    for (uint32_t i = step_at(zone, shown - AHEAD_S);; i++) {
        int64_t at = shown - zone->steps[i].offset_s;
        if (at < zone->steps[i].at_s)
            at = zone->steps[i].at_s;
        if (i + 1 == zone->n_steps || at < zone->steps[i + 1].at_s)
            return at;
    }
}

void mesh_flow_zone_day(const struct mesh_zone *zone, int64_t time_us, int64_t *ret_from_us, int64_t *ret_to_us)
{
    int64_t at = mesh_flow_floor(time_us, SECOND_US) / SECOND_US;
    int64_t day = mesh_flow_floor(at + zone->steps[step_at(zone, at)].offset_s, DAY_S) / DAY_S;
    int64_t from = begin_of(zone, day);
    int64_t to = begin_of(zone, day + 1);
    for (; to <= at; day++) { /* the clock went back over midnight */
        from = to;
        to = begin_of(zone, day + 2);
    }
    *ret_from_us = from * SECOND_US;
    *ret_to_us = to * SECOND_US;
}
