/* Doubling, from eight elements on. The arena's version leaves the old copy behind; the sum of all
 * copies is less than twice the last one. */
#include "base/vec.h"

#include <stdint.h>
#include <string.h>

#define CAP_MIN 8u

static size_t next_cap(size_t cap, size_t n, size_t size)
{
    size_t next = cap < CAP_MIN ? CAP_MIN : cap * 2;
    if (next < n)
        next = n;
    mesh_assert(next >= cap && next <= SIZE_MAX / 4 / size);
    return next;
}

void *mesh_vec_grow(void *v, size_t *cap, size_t n, size_t size)
{
    *cap = next_cap(*cap, n, size);
    return mesh_xrealloc(v, *cap * size);
}

void *mesh_vec_grow_in(struct mesh_arena *arena, void *v, size_t *cap, size_t n, size_t size)
{
    size_t next = next_cap(*cap, n, size);
    void *moved = mesh_arena_alloc(arena, next * size);
    if (*cap != 0)
        memcpy(moved, v, *cap * size);
    *cap = next;
    return moved;
}
