/* Time zones from TZif: the rule behind the last change in all its forms, and files that are no files. */
#include "codegen/zone.h"

#include "../check.h"
#include "base/buf.h"
#include "base/rng.h"

#include <stdlib.h>

static struct mesh_arena arena;

static void put(struct mesh_buf *out, int64_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        mesh_buf_u8(out, (uint8_t)((uint64_t)v >> (8 * i)));
}

static void header(struct mesh_buf *out, uint32_t times, uint32_t types)
{
    mesh_buf_add(out, "TZif2", 5);
    for (int i = 0; i < 15; i++)
        mesh_buf_u8(out, 0);
    const uint32_t counts[] = {0, 0, 0, times, types, 4};
    for (int i = 0; i < 6; i++)
        put(out, counts[i], 4);
}

/* Local time is offsets[0] ahead of UTC, then from each time on the next one, and then as the rule says. */
static void file(struct mesh_buf *out, const int64_t *times, const int32_t *offsets, uint32_t n_times, const char *rule)
{
    for (int part = 0; part < 2; part++) {
        uint32_t n = part == 0 ? 0 : n_times;
        header(out, n, n + 1);
        for (uint32_t i = 0; i < n; i++)
            put(out, times[i], 8);
        for (uint32_t i = 0; i < n; i++)
            mesh_buf_u8(out, (uint8_t)(i + 1));
        for (uint32_t i = 0; i <= n; i++) {
            put(out, offsets[i], 4);
            mesh_buf_u8(out, 0);
            mesh_buf_u8(out, 0);
        }
        mesh_buf_add(out, "LMT\0", 4);
    }
    mesh_buf_printf(out, "\n%s\n", rule);
}

static const struct mesh_zone_table *zone_of(const char *rule)
{
    static const int64_t times[] = {-2000000000, 1000000000};
    static const int32_t offsets[] = {100, 3600, 7200};
    const char *why = NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    file(&out, times, offsets, 2, rule);
    return mesh_zone_parse(&arena, "t", out.p, out.n, &why);
}

static int32_t offset_at(const struct mesh_zone_table *zone, int64_t at_s)
{
    int32_t offset = zone->steps.v[0].offset_s;
    for (size_t i = 1; i < zone->steps.n; i++) {
        CHECK(zone->steps.v[i].at_s > zone->steps.v[i - 1].at_s);
        if (zone->steps.v[i].at_s <= at_s)
            offset = zone->steps.v[i].offset_s;
    }
    return offset;
}

CASE(rules)
{
    static const struct {
        const char *rule;
        int64_t at_s; /* of a change */
        int32_t before, after;
    } table[] = {
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1774746000, 3600, 7200},             /* 2026-03-29 01:00 */
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1792890000, 7200, 3600},             /* 2026-10-25 01:00 */
        {"EST5EDT,M3.2.0,M11.1.0", 1772953200, -18000, -14400},             /* 2026-03-08 07:00 */
        {"EST5EDT,M3.2.0,M11.1.0", 1793512800, -14400, -18000},             /* 2026-11-01 06:00 */
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", 1775318400, 39600, 36000},         /* 2026-04-05 03:00 there, in the south */
        {"IST-1GMT0,M10.5.0,M3.5.0/1", 1792890000, 3600, 0},                /* Ireland's summer time is its standard */
        {"<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1775314800, 39600, 37800}, /* half an hour */
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1774746000, -7200, -3600},      /* before midnight */
        {"X0Y,J60/0,J300/0", 1772323200, 0, 3600},                          /* 2026-03-01 */
        {"X0Y,J60/0,J300/0", 1709251200, 0, 3600},                          /* 2024-03-01, a leap year */
        {"X0Y,59/0,300/0", 1709164800, 0, 3600},                            /* 2024-02-29 */
        {"X0Y,M2.5.4/0,M6.1.1/0", 1709164800, 0, 3600},                     /* the last Thursday */
        {"<+02>-2", 1000000000, 3600, 7200},                                /* no rule: for ever */
    };
    for (size_t i = 0; i < MESH_LEN(table); i++) {
        const struct mesh_zone_table *zone = zone_of(table[i].rule);
        CHECK(zone != NULL);
        if (zone == NULL)
            continue;
        CHECK_EQ_I64(offset_at(zone, table[i].at_s - 1), table[i].before);
        CHECK_EQ_I64(offset_at(zone, table[i].at_s), table[i].after);
        CHECK_EQ_I64(offset_at(zone, -3000000000), 100);
        CHECK(zone->steps.v[0].at_s == INT64_MIN);
    }
    CHECK(zone_of("CET-1CEST,M3.5.0,M10.5.0/3")->steps.v[zone_of("CET-1CEST,M3.5.0,M10.5.0/3")->steps.n - 1].at_s > 6300000000);
    CHECK_EQ_U64(zone_of("")->steps.n, 3);
}

CASE(rules_that_are_none)
{
    static const char *const wrong[] = {"CET",
                                        "CET-1CEST",
                                        "CET-1CEST,M3.5.0",
                                        "CET-1CEST,M13.5.0,M10.5.0",
                                        "CET-1CEST,M3.6.0,M10.5.0",
                                        "CET-1CEST,M3.5.7,M10.5.0",
                                        "CET-1CEST,M3.5,M10.5.0",
                                        "1",
                                        "<CET-1",
                                        "CET-1CEST,M3.5.0,M10.5.0x"};
    for (size_t i = 0; i < MESH_LEN(wrong); i++)
        CHECK(zone_of(wrong[i]) == NULL);
}

/* Cut anywhere, and with any bytes changed: a zone or none, and never a crash. */
CASE(files_that_are_none)
{
    static const int64_t times[] = {-2000000000, 0, 1000000000};
    static const int32_t offsets[] = {100, 3600, 7200, 3600};
    const char *why = NULL;
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 1);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    file(&out, times, offsets, 3, "CET-1CEST,M3.5.0,M10.5.0/3");
    CHECK(mesh_zone_parse(&arena, "t", out.p, out.n, &why) != NULL && why == NULL);
    for (size_t n = 0; n < out.n; n++) {
        char *copy = malloc(n + 1);
        memcpy(copy, out.p, n);
        CHECK(mesh_zone_parse(&arena, "t", copy, n, &why) == NULL && why != NULL);
        free(copy);
    }
    for (int i = 0; i < 20000; i++) {
        char *copy = malloc(out.n);
        memcpy(copy, out.p, out.n);
        for (int k = 0; k < 3; k++)
            copy[mesh_rng_below(&rng, out.n)] = (char)mesh_rng_below(&rng, 256);
        struct mesh_zone_table *zone = mesh_zone_parse(&arena, "t", copy, out.n, &why);
        CHECK((zone == NULL) == (why != NULL));
        free(copy);
        mesh_arena_reset(&arena);
    }
}

CASE(names)
{
    static const char *const wrong[] = {"", "/etc/passwd", "../Berlin", "Europe/../UTC", "Europe/Berlyn", "a b", "Europe"};
    const char *why = NULL;
    for (size_t i = 0; i < MESH_LEN(wrong); i++) {
        CHECK(mesh_zone_load(&arena, wrong[i], &why) == NULL && why != NULL);
    }
    mesh_arena_deinit(&arena);
}
