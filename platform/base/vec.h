/* Typed growing arrays.
 *
 *     MESH_VEC(struct thing) things = {0};
 *     *mesh_vec_push(&things) = (struct thing){...};
 *     for (size_t i = 0; i < things.n; i++) use(&things.v[i]);
 *     mesh_vec_deinit(&things);
 *
 * Elements may move when the array grows. mesh_vec_push_in() takes the memory from an arena instead of malloc.
 */
#ifndef MESH_BASE_VEC_H
#define MESH_BASE_VEC_H

#include "base/arena.h"
#include "base/check.h"

#include <stddef.h>

#define MESH_VEC(type)                                                                                                             \
    struct {                                                                                                                       \
        type *v;                                                                                                                   \
        size_t n;                                                                                                                  \
        size_t cap;                                                                                                                \
    }

void *mesh_vec_grow(void *v, size_t *cap, size_t n, size_t size);
void *mesh_vec_grow_in(struct mesh_arena *arena, void *v, size_t *cap, size_t n, size_t size);

/* Points to the new last element, which is not initialised (zeroed in an arena). */
#define mesh_vec_push(vec)                                                                                                         \
    ((vec)->n == (vec)->cap ? (void)((vec)->v = mesh_vec_grow((vec)->v, &(vec)->cap, (vec)->n + 1, sizeof *(vec)->v)) : (void)0,   \
     &(vec)->v[(vec)->n++])
#define mesh_vec_push_in(arena, vec)                                                                                               \
    ((vec)->n == (vec)->cap ? (void)((vec)->v = mesh_vec_grow_in((arena), (vec)->v, &(vec)->cap, (vec)->n + 1, sizeof *(vec)->v))  \
                            : (void)0,                                                                                             \
     &(vec)->v[(vec)->n++])
#define mesh_vec_deinit(vec) (mesh_freep(&(vec)->v), (vec)->n = (vec)->cap = 0)

#endif
