/* Sketches: how many different values, and where they lie, in little room. Each is a function of the set (or bag) of values alone, not of
 * their order or of how they were put together, so that partial rows can carry it, a log can hold it, and a replay gives the same bytes.
 *
 * Different values: their 64-bit hashes, sorted, as long as there are few: exact. With more of them a HyperLogLog (Flajolet and others
 * 2007) of 4,096 registers, standard error 1.04 / sqrt(4096) = 1.6 %, estimated as Ertl 2017 ("New cardinality estimation algorithms for
 * HyperLogLog sketches"), which needs no corrections for small and large counts.
 *
 * Where they lie: a DDSketch (Masson, Rim, Lee 2019) with the logarithm interpolated linearly: a bucket is what shares sign, exponent
 * and the first 6 bits of the fraction of a double, so its index is a shift, and no library's logarithm decides it. What is told of a
 * bucket is off by at most 1 / 129 of it. Beyond so many buckets the lowest become one. */
#include "mesh/task.h"

#include "base/check.h"
#include "base/hash.h"

#include <math.h>
#include <stdlib.h>

#define REGISTERS      4096u
#define REGISTER_BITS  12
#define HASHES_MAX     511u /* 8 bytes each: one less than what the registers take, so the size tells which it is */
#define BUCKETS_MAX    2048u
#define FRACTION_SHIFT 46 /* 52 bits of a double's fraction, less the 6 that count */

/* ---- hashes ---- */
uint64_t mesh_hash_of_long(int64_t v)
{
    uint64_t h = (uint64_t)v + UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
    return h ^ (h >> 31);
}

uint64_t mesh_hash_of_dec(mesh_dec v)
{
    return mesh_hash_of_long((int64_t)(mesh_hash_of_long((int64_t)(v >> 64)) ^ (uint64_t)v));
}

uint64_t mesh_hash_of_double(double v)
{
    int64_t bits = 0;
    if (v < 0 || v > 0) /* zeroes are equal, and so is all that is no number */
        memcpy(&bits, &v, sizeof bits);
    else if (isnan(v))
        bits = INT64_MIN;
    return mesh_hash_of_long(bits);
}

uint64_t mesh_hash_of_str(struct mesh_str v)
{
    return mesh_hash64(v.n == 0 ? "" : v.p, v.n);
}

/* ---- memory ---- */
static uint8_t *bytes_of(const struct mesh_str *sketch)
{
    return (uint8_t *)(uintptr_t)sketch->p;
}

static uint8_t *resize(struct mesh_str *sketch, size_t n)
{
    sketch->p = mesh_xrealloc(bytes_of(sketch), n);
    sketch->n = (uint32_t)n;
    return bytes_of(sketch);
}

/* Room for `size` bytes at `at`; what stood there moves back. */
static uint8_t *insert(struct mesh_str *sketch, size_t at, size_t size)
{
    size_t behind = sketch->n - at;
    uint8_t *p = resize(sketch, sketch->n + size);
    memmove(p + at + size, p + at, behind);
    return p + at;
}

/* ---- different values ---- */
static uint64_t hash_at(const uint8_t *p, size_t i)
{
    uint64_t hash = 0;
    memcpy(&hash, p + i * sizeof hash, sizeof hash);
    return hash;
}

static void raise_register(uint8_t *registers, uint64_t hash)
{
    uint64_t rest = hash << REGISTER_BITS | UINT64_C(1) << (REGISTER_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    uint8_t *at = &registers[hash >> (64 - REGISTER_BITS)];
    *at = rank > *at ? rank : *at;
}

static void to_registers(struct mesh_str *sketch)
{
    uint8_t registers[REGISTERS] = {0};
    for (size_t i = 0; i < sketch->n / sizeof(uint64_t); i++)
        raise_register(registers, hash_at(bytes_of(sketch), i));
    memcpy(resize(sketch, REGISTERS), registers, REGISTERS);
}

void mesh_distinct_add(struct mesh_str *sketch, uint64_t hash)
{
    if (sketch->n == REGISTERS) {
        raise_register(bytes_of(sketch), hash);
        return;
    }
    size_t low = 0;
    size_t high = sketch->n / sizeof hash;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (hash_at(bytes_of(sketch), mid) < hash)
            low = mid + 1;
        else
            high = mid;
    }
    if (low < sketch->n / sizeof hash && hash_at(bytes_of(sketch), low) == hash)
        return;
    if (sketch->n / sizeof hash == HASHES_MAX) {
        to_registers(sketch);
        raise_register(bytes_of(sketch), hash);
        return;
    }
    memcpy(insert(sketch, low * sizeof hash, sizeof hash), &hash, sizeof hash);
}

void mesh_distinct_merge(struct mesh_str *into, struct mesh_str from)
{
    if (from.n == REGISTERS) {
        if (into->n != REGISTERS)
            to_registers(into);
        uint8_t *p = bytes_of(into);
        for (size_t i = 0; i < REGISTERS; i++)
            p[i] = bytes_of(&from)[i] > p[i] ? bytes_of(&from)[i] : p[i];
        return;
    }
    for (size_t i = 0; i < from.n / sizeof(uint64_t); i++)
        mesh_distinct_add(into, hash_at(bytes_of(&from), i));
}

static double sigma(double x)
{
    if (x >= 1.0)
        return INFINITY;
    double y = 1.0;
    double z = x;
    for (double before = -1.0; z > before || z < before; y += y) {
        x *= x;
        before = z;
        z += x * y;
    }
    return z;
}

static double tau(double x)
{
    if (x <= 0.0 || x >= 1.0)
        return 0.0;
    double y = 1.0;
    double z = 1.0 - x;
    for (double before = -1.0; z > before || z < before;) {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
    }
    return z / 3.0;
}

int64_t mesh_distinct_count(struct mesh_str sketch)
{
    enum { RANKS = 64 - REGISTER_BITS };
    if (sketch.n != REGISTERS)
        return (int64_t)(sketch.n / sizeof(uint64_t));
    uint32_t counts[RANKS + 2] = {0};
    for (size_t i = 0; i < REGISTERS; i++)
        counts[bytes_of(&sketch)[i]]++;
    double z = REGISTERS * tau(1.0 - (double)counts[RANKS + 1] / REGISTERS);
    for (int k = RANKS; k >= 1; k--)
        z = 0.5 * (z + counts[k]);
    z += REGISTERS * sigma((double)counts[0] / REGISTERS);
    return (int64_t)((double)REGISTERS * REGISTERS / (2.0 * 0.6931471805599453 * z) + 0.5);
}

/* ---- where they lie ---- */
struct bucket {
    int64_t key; /* grows with the values; 0 is zero */
    uint64_t n;
};

static struct bucket bucket_at(const struct mesh_str *sketch, size_t i)
{
    struct bucket bucket;
    memcpy(&bucket, bytes_of(sketch) + i * sizeof bucket, sizeof bucket);
    return bucket;
}

static size_t n_buckets(const struct mesh_str *sketch)
{
    return sketch->n / sizeof(struct bucket);
}

static int64_t key_of(double v)
{
    int64_t bits = 0;
    double size = fabs(v);
    memcpy(&bits, &size, sizeof bits);
    bits >>= FRACTION_SHIFT;
    return v < 0 ? -bits : bits;
}

/* What lies as far from both ends of the bucket, as shares of them. */
static double value_of(int64_t key)
{
    int64_t size = key < 0 ? -key : key;
    int64_t ends[2] = {size << FRACTION_SHIFT, (size + 1) << FRACTION_SHIFT};
    double low = 0;
    double high = 0;
    memcpy(&low, &ends[0], sizeof low);
    memcpy(&high, &ends[1], sizeof high);
    double v = isfinite(high) ? low * (2.0 / (1.0 + low / high)) : low;
    return key < 0 ? -v : v;
}

static void add_to_bucket(struct mesh_str *sketch, struct bucket add)
{
    size_t low = 0;
    size_t high = n_buckets(sketch);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (bucket_at(sketch, mid).key < add.key)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0 && n_buckets(sketch) == BUCKETS_MAX)
        add.key = bucket_at(sketch, 0).key; /* lower than all that there is room for */
    struct bucket there = low < n_buckets(sketch) ? bucket_at(sketch, low) : (struct bucket){.key = add.key + 1};
    if (there.key == add.key) {
        there.n += add.n;
        memcpy(bytes_of(sketch) + low * sizeof there, &there, sizeof there);
        return;
    }
    memcpy(insert(sketch, low * sizeof add, sizeof add), &add, sizeof add);
    if (n_buckets(sketch) <= BUCKETS_MAX)
        return;
    struct bucket second = bucket_at(sketch, 1);
    second.n += bucket_at(sketch, 0).n;
    memmove(bytes_of(sketch), bytes_of(sketch) + sizeof second, sketch->n - sizeof second);
    memcpy(bytes_of(sketch), &second, sizeof second);
    sketch->n -= (uint32_t)sizeof second;
}

void mesh_quantile_add(struct mesh_str *sketch, double v)
{
    if (!isnan(v))
        add_to_bucket(sketch, (struct bucket){key_of(v), 1});
}

void mesh_quantile_merge(struct mesh_str *into, struct mesh_str from)
{
    for (size_t i = 0; i < n_buckets(&from); i++)
        add_to_bucket(into, bucket_at(&from, i));
}

double mesh_quantile_of(struct mesh_str sketch, double q, bool whole)
{
    uint64_t n = 0;
    for (size_t i = 0; i < n_buckets(&sketch); i++)
        n += bucket_at(&sketch, i).n;
    if (n == 0)
        return 0.0;
    double rank = q * (double)(n - 1);
    uint64_t below = 0;
    size_t i = 0;
    for (; i + 1 < n_buckets(&sketch); i++) {
        below += bucket_at(&sketch, i).n;
        if ((double)below > rank)
            break;
    }
    double v = value_of(bucket_at(&sketch, i).key);
    return whole ? trunc(v) : v;
}
