/* Sketches: within their error, and the same bytes for the same values, in any order and merged in any way. */
#include "mesh/mesh.h"

#include "../check.h"
#include "base/check.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

#define PARTS 7

static void clear(struct mesh_str *sketch)
{
    free((void *)(uintptr_t)sketch->p);
    *sketch = (struct mesh_str){0};
}

static bool same(struct mesh_str a, struct mesh_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ---- different values ---- */
static int64_t count_to(int64_t n, int repeat)
{
    struct mesh_str sketch = {0};
    for (int r = 0; r < repeat; r++)
        for (int64_t i = 0; i < n; i++)
            mesh_distinct_add(&sketch, mesh_hash_of_long(i * 1000003));
    int64_t count = mesh_distinct_count(sketch);
    CHECK(sketch.n <= 4096);
    clear(&sketch);
    return count;
}

CASE(few_different_values_are_counted_exactly)
{
    for (int64_t n = 0; n <= 511; n += n < 500 ? 7 : 1)
        CHECK_EQ_I64(count_to(n, 2), n);
}

CASE(many_are_counted_within_the_error)
{
    double squares = 0;
    int n_counts = 0;
    for (int64_t n = 512; n < 3000000; n += n / 3, n_counts++) {
        double off = (double)count_to(n, 1) / (double)n - 1;
        CHECK(fabs(off) < 4 * 0.01625);
        squares += off * off;
    }
    double rms = sqrt(squares / n_counts);
    CHECK(rms < 1.5 * 0.01625);
    CHECK(rms > 0.0016); /* it is an estimate: with no error at all, something else would be measured */
}

/* Values in PARTS sketches that are merged, one after the other and as a tree, against all in one. */
static void distinct_merges(size_t n, struct mesh_rng *rng)
{
    struct mesh_str whole = {0};
    struct mesh_str parts[PARTS] = {{0}};
    struct mesh_str merged = {0};
    struct mesh_str back = {0};
    uint64_t *values = mesh_xcalloc(n + 1, sizeof *values);
    for (size_t i = 0; i < n; i++) {
        values[i] = mesh_rng_below(rng, 2 * n);
        mesh_distinct_add(&whole, mesh_hash_of_long((int64_t)values[i]));
        mesh_distinct_add(&parts[mesh_rng_below(rng, PARTS)], mesh_hash_of_long((int64_t)values[i]));
    }
    for (size_t i = n; i > 0; i--)
        mesh_distinct_add(&back, mesh_hash_of_long((int64_t)values[i - 1]));
    CHECK(same(whole, back));
    for (int i = 0; i < PARTS; i++)
        mesh_distinct_merge(&merged, parts[i]);
    CHECK(same(whole, merged));
    for (int step = 1; step < PARTS; step *= 2)
        for (int i = 0; i + step < PARTS; i += 2 * step)
            mesh_distinct_merge(&parts[i], parts[i + step]);
    CHECK(same(whole, parts[0]));
    for (int i = 0; i < PARTS; i++)
        clear(&parts[i]);
    clear(&whole);
    clear(&merged);
    clear(&back);
    free(values);
}

CASE(different_values_merge)
{
    static const size_t sizes[] = {0, 1, 50, 400, 600, 1000, 5000, 40000};
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 1);
    for (size_t i = 0; i < MESH_LEN(sizes); i++)
        for (int k = 0; k < 5; k++)
            distinct_merges(sizes[i], &rng);
}

CASE(equal_values_have_equal_hashes)
{
    CHECK(mesh_hash_of_double(0.0) == mesh_hash_of_double(-0.0));
    CHECK(mesh_hash_of_double(NAN) == mesh_hash_of_double(-NAN));
    CHECK(mesh_hash_of_double(1.0) != mesh_hash_of_double(-1.0));
    CHECK(mesh_hash_of_dec(-1) != mesh_hash_of_dec(1));
    CHECK(mesh_hash_of_dec((mesh_dec)1 << 64) != mesh_hash_of_dec(1));
    CHECK(mesh_hash_of_str((struct mesh_str){0}) == mesh_hash_of_str(MESH_STR("")));
    CHECK(mesh_hash_of_str(MESH_STR("a")) != mesh_hash_of_str(MESH_STR("b")));
    /* These are in logs and in messages: they may never be others. */
    CHECK_EQ_U64(mesh_hash_of_long(1), UINT64_C(0x910a2dec89025cc1));
    CHECK_EQ_U64(mesh_hash_of_str(MESH_STR("card")), UINT64_C(0x73f323b182390ba6));
}

/* ---- where they lie ---- */
static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double draw(struct mesh_rng *rng, int kind)
{
    double u = (double)mesh_rng_below(rng, 1000001) / 1000000;
    switch (kind) {
    case 0:
        return u;
    case 1: /* from thousandths to millions */
        return exp((u - 0.3) * 20);
    case 2: /* of both signs, with zeroes */
        return mesh_rng_below(rng, 5) == 0 ? 0 : (u - 0.5) * 1000;
    default:
        return (double)mesh_rng_below(rng, 300) - 150; /* whole */
    }
}

static void quantiles(size_t n, int kind, struct mesh_rng *rng)
{
    static const double qs[] = {0, 0.01, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1};
    struct mesh_str whole = {0};
    struct mesh_str parts[PARTS] = {{0}};
    struct mesh_str merged = {0};
    double *values = mesh_xcalloc(n + 1, sizeof *values);
    for (size_t i = 0; i < n; i++) {
        values[i] = draw(rng, kind);
        mesh_quantile_add(&whole, values[i]);
        mesh_quantile_add(&parts[mesh_rng_below(rng, PARTS)], values[i]);
    }
    for (int i = PARTS - 1; i >= 0; i--)
        mesh_quantile_merge(&merged, parts[i]);
    CHECK(same(whole, merged));
    qsort(values, n, sizeof *values, by_value);
    for (size_t i = 0; i < MESH_LEN(qs); i++) {
        double exact = values[(size_t)(qs[i] * (double)(n - 1))];
        double found = mesh_quantile_of(whole, qs[i], kind == 3);
        CHECK(fabs(found - exact) <= fabs(exact) / 128.999);
        if (kind == 3 && fabs(exact) < 128)
            CHECK(found >= exact && found <= exact);
    }
    for (int i = 0; i < PARTS; i++)
        clear(&parts[i]);
    clear(&whole);
    clear(&merged);
    free(values);
}

CASE(quantiles_are_within_the_error_and_merge)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 2);
    for (int kind = 0; kind < 4; kind++)
        for (size_t n = 1; n < 100000; n = n * 7 + 3)
            quantiles(n, kind, &rng);
}

CASE(values_without_end)
{
    struct mesh_str sketch = {0};
    CHECK(fabs(mesh_quantile_of(sketch, 0.5, false)) <= 0);
    mesh_quantile_add(&sketch, NAN);
    CHECK_EQ_U64(sketch.n, 0);
    static const double odd[] = {0.0, -0.0, 5e-324, 1.7976931348623157e308, -1.7976931348623157e308, INFINITY, -INFINITY};
    for (size_t i = 0; i < MESH_LEN(odd); i++) {
        mesh_quantile_add(&sketch, odd[i]);
        double found = mesh_quantile_of(sketch, 0.5, false);
        CHECK(!isnan(found));
    }
    CHECK(isinf(mesh_quantile_of(sketch, 1, false)) && isinf(mesh_quantile_of(sketch, 0, false)));
    CHECK(mesh_quantile_of(sketch, 0, false) < 0);
    CHECK(fabs(mesh_quantile_of(sketch, 0.5, false)) <= 0);
    clear(&sketch);
}

/* More buckets than there is room for: the lowest become one, whatever came first, and the others stay exact. */
CASE(the_lowest_give_way)
{
    struct mesh_str up = {0};
    struct mesh_str down = {0};
    struct mesh_str both = {0};
    int n = 0;
    for (double v = 1e-9; v < 1e9; v *= 1.009, n++)
        mesh_quantile_add(&up, v);
    for (int i = n - 1; i >= 0; i--)
        mesh_quantile_add(&down, 1e-9 * pow(1.009, i));
    CHECK_EQ_U64(up.n, 2048 * 16);
    CHECK_EQ_U64(down.n, 2048 * 16);
    mesh_quantile_merge(&both, up);
    mesh_quantile_merge(&both, down);
    CHECK_EQ_U64(both.n, 2048 * 16);
    for (double q = 0.5; q <= 1; q += 0.05) {
        double exact = 1e-9 * pow(1.009, floor(q * (n - 1)));
        CHECK(fabs(mesh_quantile_of(up, q, false) - exact) <= exact / 100);
        CHECK(fabs(mesh_quantile_of(down, q, false) - exact) <= exact / 100);
        CHECK(fabs(mesh_quantile_of(both, q, false) - exact) <= exact / 50); /* each twice: a rank may be one further */
    }
    clear(&up);
    clear(&down);
    clear(&both);
}
