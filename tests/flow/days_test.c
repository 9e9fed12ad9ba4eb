/* Days of a time zone: every moment is in one day, days follow each other without a gap, and begin where their definition says. */
#include "flow/task_int.h"

#include "../check.h"
#include "base/rng.h"

#define SECOND INT64_C(1000000)
#define HOUR_S 3600
#define DAY_S  INT64_C(86400)

/* Clocks that go back and forth by minutes, hours and a day, around midnight most of all. */
static size_t make(struct mesh_zone_shift *steps, size_t n, struct mesh_rng *rng)
{
    int64_t at = 20000 * DAY_S;
    int32_t offset = (int32_t)mesh_rng_below(rng, 20) * HOUR_S / 2 - 5 * HOUR_S;
    steps[0] = (struct mesh_zone_shift){INT64_MIN, offset};
    for (size_t i = 1; i < n; i++) {
        int64_t days = 3 + (int64_t)mesh_rng_below(rng, 5);
        int64_t midnight = mesh_flow_floor(at, DAY_S) + days * DAY_S - offset;
        int64_t near = ((int64_t)mesh_rng_below(rng, 9) - 4) * 1800;
        at = midnight + near;
        static const int32_t shifts[] = {1, -1, 1, -1, 2, -2, 48, -48};
        int32_t next = offset + shifts[mesh_rng_below(rng, MESH_LEN(shifts))] * 1800;
        offset = next > 14 * HOUR_S ? next - 24 * HOUR_S : next < -12 * HOUR_S ? next + 24 * HOUR_S : next;
        steps[i] = (struct mesh_zone_shift){at, offset};
    }
    return n;
}

static int64_t shown(const struct mesh_zone *zone, int64_t at_s)
{
    int32_t offset = zone->steps[0].offset_s;
    for (uint32_t i = 1; i < zone->n_steps && zone->steps[i].at_s <= at_s; i++)
        offset = zone->steps[i].offset_s;
    return mesh_flow_floor(at_s + offset, DAY_S) / DAY_S;
}

static void check_zone(const struct mesh_zone *zone, int64_t from_s, int64_t to_s)
{
    int64_t newest = INT64_MIN; /* the latest day that was shown so far */
    int64_t begin = INT64_MIN;
    for (int64_t at = from_s; at < to_s; at += 300) {
        int64_t from = 0;
        int64_t to = 0;
        if (shown(zone, at) > newest) {
            newest = shown(zone, at);
            begin = at;
        }
        mesh_flow_zone_day(zone, at * SECOND + 7, &from, &to);
        CHECK(from <= at * SECOND && at * SECOND < to);
        if (at - from_s > 3 * DAY_S)
            CHECK_EQ_I64(from, begin * SECOND);
        int64_t before = 0;
        int64_t end = 0;
        mesh_flow_zone_day(zone, from - 1, &before, &end);
        CHECK_EQ_I64(end, from);
        mesh_flow_zone_day(zone, to, &before, &end);
        CHECK_EQ_I64(before, to);
    }
}

CASE(any_clock_divides_time)
{
    struct mesh_rng rng;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct mesh_zone_shift steps[12];
        mesh_rng_seed(&rng, seed);
        struct mesh_zone zone = {"t", steps, (uint32_t)make(steps, 1 + seed % MESH_LEN(steps), &rng)};
        check_zone(&zone, 19998 * DAY_S, 20090 * DAY_S);
    }
}

CASE(days_that_one_knows)
{
    static const struct mesh_zone_shift berlin[] = {{INT64_MIN, 3600}, {1774746000, 7200}, {1792890000, 3600}};
    const struct mesh_zone zone = {"Europe/Berlin", berlin, 3};
    int64_t from = 0;
    int64_t to = 0;
    mesh_flow_zone_day(&zone, 1774746000 * SECOND, &from, &to); /* 29 March 2026 */
    CHECK_EQ_I64((to - from) / SECOND, 23 * HOUR_S);
    mesh_flow_zone_day(&zone, 1792890000 * SECOND, &from, &to); /* 25 October */
    CHECK_EQ_I64((to - from) / SECOND, 25 * HOUR_S);
    CHECK_EQ_I64(from, INT64_C(1792879200) * SECOND);
    mesh_flow_zone_day(&zone, INT64_C(-3155673600) * SECOND, &from, &to); /* long ago */
    CHECK_EQ_I64((to - from) / SECOND, 24 * HOUR_S);
}
