/* A small seeded generator (xoshiro256**, Blackman and Vigna 2018), the same on every machine. Not for secrets. */
#ifndef MESH_BASE_RNG_H
#define MESH_BASE_RNG_H

#include <stdint.h>

struct mesh_rng {
    uint64_t s[4];
};

void mesh_rng_seed(struct mesh_rng *rng, uint64_t seed); /* through splitmix64 */
uint64_t mesh_rng_next(struct mesh_rng *rng);
uint64_t mesh_rng_below(struct mesh_rng *rng, uint64_t n); /* 0..n-1, unbiased; n > 0 */
double mesh_rng_unit(struct mesh_rng *rng);                /* [0, 1) */

#endif
