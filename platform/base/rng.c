/* xoshiro256** as published at https://prng.di.unimi.it, seeded through splitmix64 so that seeds 0
 * and 1 are as good as any. Bounded numbers by Lemire's multiplication with rejection. */
#include "base/rng.h"

#include "base/check.h"

__extension__ typedef unsigned __int128 u128;

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

void mesh_rng_seed(struct mesh_rng *rng, uint64_t seed)
{
    for (size_t i = 0; i < MESH_LEN(rng->s); i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        rng->s[i] = z ^ z >> 31;
    }
}

uint64_t mesh_rng_next(struct mesh_rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t mesh_rng_below(struct mesh_rng *rng, uint64_t n)
{
    mesh_assert(n > 0);
    u128 product = (u128)mesh_rng_next(rng) * n;
    if ((uint64_t)product < n) {
        uint64_t threshold = (0 - n) % n;
        while ((uint64_t)product < threshold)
            product = (u128)mesh_rng_next(rng) * n;
    }
    return (uint64_t)(product >> 64);
}

double mesh_rng_unit(struct mesh_rng *rng)
{
    return (double)(mesh_rng_next(rng) >> 11) * 0x1p-53;
}
