/* A map from text to pointers that remembers the order of insertion. Keys are copied. */
#ifndef MESH_BASE_MAP_H
#define MESH_BASE_MAP_H

#include "mesh/value.h"

#include <stddef.h>

struct mesh_map_entry {
    char *key;
    void *value;
};

struct mesh_map {
    struct mesh_map_entry *entries; /* in insertion order; iterate 0..n-1 */
    size_t n, cap;
    uint32_t *slots;
    size_t n_slots;
};

#define MESH_MAP_NULL ((struct mesh_map){0})

void *mesh_map_get(const struct mesh_map *map, const char *key); /* NULL when absent */
bool mesh_map_has(const struct mesh_map *map, const char *key);
void mesh_map_set(struct mesh_map *map, const char *key, void *value); /* replaces */
void mesh_map_deinit(struct mesh_map *map);                            /* frees keys and the map, not the values */

#endif
