/* What top, collect and ewma keep: within what they promise, exactly where they promise it, and the same when rows are merged. */
#include "mesh/mesh.h"

#include "../check.h"
#include "base/check.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

static void clear(struct mesh_str *s)
{
    free((void *)(uintptr_t)s->p);
    *s = (struct mesh_str){0};
}

CASE(few_values_are_ranked_exactly_and_equals_by_value)
{
    struct mesh_str top = {0};
    mesh_top_add(&top, MESH_STR("b"), 2);
    mesh_top_add(&top, MESH_STR("a"), 1);
    mesh_top_add(&top, MESH_STR(""), 1);
    mesh_top_add(&top, MESH_STR("a"), 1);
    CHECK(mesh_str_eq(mesh_top_str(top, 1), MESH_STR("a")));
    CHECK(mesh_str_eq(mesh_top_str(top, 2), MESH_STR("b")));
    CHECK(mesh_str_eq(mesh_top_str(top, 3), MESH_STR("")));
    CHECK(mesh_top_weight(top, 2) == 2);
    CHECK(mesh_top_has(top, 3));
    CHECK(!mesh_top_has(top, 4));
    clear(&top);
    mesh_top_add_long(&top, -5, 3);
    mesh_top_add_long(&top, 7, 3);
    CHECK_EQ_I64(mesh_top_long(top, 1), -5); /* the smaller of equals, as numbers */
    CHECK_EQ_I64(mesh_top_long(top, 2), 7);
    clear(&top);
}

/* Half of the records are of a few heavy values, the rest of thousands of light ones. */
CASE(of_too_many_values_no_weight_is_too_small_and_the_heavy_ones_are_found)
{
    enum { VALUES = 5000, RECORDS = 100000, HEAVY = 8 };
    static int64_t truth[VALUES];
    struct mesh_rng rng;
    struct mesh_str top = {0};
    mesh_rng_seed(&rng, 3);
    for (int i = 0; i < RECORDS; i++) {
        uint64_t r = mesh_rng_next(&rng);
        int64_t value = (r & 1) != 0 ? (int64_t)(r >> 8) & (HEAVY - 1) : (int64_t)(r >> 8) % VALUES;
        value = value < 0 ? -value : value;
        truth[value]++;
        mesh_top_add_long(&top, value, 1);
    }
    for (uint32_t rank = 1; rank <= HEAVY; rank++) {
        int64_t value = mesh_top_long(top, rank);
        int64_t weight = (int64_t)mesh_top_weight(top, rank);
        REQUIRE(value >= 0 && value < VALUES);
        CHECK(value < HEAVY);
        CHECK(weight >= truth[value]);
        CHECK(weight <= truth[value] + RECORDS / MESH_TOP_VALUES);
    }
    CHECK(mesh_top_has(top, MESH_TOP_VALUES));
    CHECK(!mesh_top_has(top, MESH_TOP_VALUES + 1));
    CHECK(top.n <= MESH_TOP_VALUES * (2 + 8 + 16));
    clear(&top);
}

CASE(ranks_of_two_rows_are_those_of_all_their_records)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 4);
    for (int round = 0; round < 50; round++) {
        struct mesh_str all = {0};
        struct mesh_str parts[2] = {{0}};
        for (int i = 0; i < 200; i++) {
            int64_t value = (int64_t)mesh_rng_below(&rng, 100);
            int64_t weight = (int64_t)mesh_rng_below(&rng, 5) - 1;
            mesh_top_add_long(&all, value, weight);
            mesh_top_add_long(&parts[mesh_rng_below(&rng, 2)], value, weight);
        }
        mesh_top_merge(&parts[0], parts[1]);
        for (uint32_t rank = 1; rank <= 100 && mesh_top_has(all, rank); rank++) {
            CHECK_EQ_I64(mesh_top_long(parts[0], rank), mesh_top_long(all, rank));
            CHECK(mesh_top_weight(parts[0], rank) == mesh_top_weight(all, rank));
        }
        clear(&all);
        clear(&parts[0]);
        clear(&parts[1]);
    }
}

CASE(a_collection_is_a_json_array_and_ends_at_its_limit)
{
    struct mesh_str list = {0};
    struct mesh_str later = {0};
    int64_t n = 0;
    int64_t n_later = 0;
    mesh_collect_str(&list, &n, 4, MESH_STR("a,\"]\\"));
    mesh_collect_str(&list, &n, 4, MESH_STR(""));
    CHECK(mesh_str_eq(list, MESH_STR("[\"a,\\\"]\\\\\",\"\"]")));
    mesh_collect_str(&later, &n_later, 4, MESH_STR("\\,["));
    mesh_collect_str(&later, &n_later, 4, MESH_STR("x"));
    mesh_collect_str(&later, &n_later, 4, MESH_STR("y"));
    mesh_collect_merge(&list, &n, 4, later);
    CHECK(mesh_str_eq(list, MESH_STR("[\"a,\\\"]\\\\\",\"\",\"\\\\,[\",\"x\"]")));
    CHECK_EQ_I64(n, 4);
    clear(&list);
    clear(&later);
    n = 0;
    mesh_collect_dec(&list, &n, 9, -105, 2);
    mesh_collect_long(&list, &n, 9, -7);
    mesh_collect_bool(&list, &n, 9, true);
    mesh_collect_double(&list, &n, 9, 0.5);
    CHECK(mesh_str_eq(list, MESH_STR("[\"-1.05\",-7,true,0.5]")));
    clear(&list);
    n = 0;
    for (int i = 0; i < 10000; i++)
        mesh_collect_str(&list, &n, 1000, MESH_STR("sixteen bytes of"));
    CHECK(list.n <= 4096 && n > 200 && n < 1000);
    clear(&list);
}

CASE(an_average_that_forgets_is_the_same_in_any_order)
{
    const double hour = 3600e6;
    static const struct {
        double v;
        int64_t at_us;
    } records[] = {{8, 0}, {2, INT64_C(3600000000)}, {4, INT64_C(7200000000)}};
    static const int orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}};
    for (size_t o = 0; o < 3; o++) {
        double sum = 0;
        double weight = 0;
        int64_t at_us = 0;
        for (int i = 0; i < 3; i++)
            mesh_ewma_add(&sum, &weight, &at_us, records[orders[o][i]].v, 1.0, records[orders[o][i]].at_us, hour);
        CHECK(fabs(sum / weight - (8 * 0.25 + 2 * 0.5 + 4) / 1.75) < 1e-12);
        CHECK_EQ_I64(at_us, INT64_C(7200000000));
    }
    double sum = 0;
    double weight = 0;
    int64_t at_us = 0;
    mesh_ewma_add(&sum, &weight, &at_us, 1, 1.0, -INT64_C(3155760000000000), hour); /* three hundred years: nothing is left of it */
    mesh_ewma_add(&sum, &weight, &at_us, 3, 1.0, INT64_C(6311520000000000), hour);
    CHECK(sum / weight == 3.0);
}
