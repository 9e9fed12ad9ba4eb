/* Entries lie in an array in insertion order; `slots` is an open-addressed table of their indexes
 * plus one, at most half full. Nothing is ever removed, so there are no tombstones. */
#include "base/map.h"

#include "base/check.h"
#include "base/hash.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 16u

/* The slot that holds the key, or the empty one where it belongs. The table is never full. */
static size_t find(const struct mesh_map *map, const char *key)
{
    size_t mask = map->n_slots - 1;
    size_t at = (size_t)mesh_hash64(key, strlen(key)) & mask;
    while (map->slots[at] != 0 && strcmp(map->entries[map->slots[at] - 1].key, key) != 0)
        at = (at + 1) & mask;
    return at;
}

static struct mesh_map_entry *entry(const struct mesh_map *map, const char *key)
{
    if (map->n_slots == 0)
        return NULL;
    uint32_t slot = map->slots[find(map, key)];
    return slot == 0 ? NULL : &map->entries[slot - 1];
}

void *mesh_map_get(const struct mesh_map *map, const char *key)
{
    const struct mesh_map_entry *found = entry(map, key);
    return found == NULL ? NULL : found->value;
}

bool mesh_map_has(const struct mesh_map *map, const char *key)
{
    return entry(map, key) != NULL;
}

static void grow(struct mesh_map *map)
{
    size_t n_slots = map->n_slots == 0 ? SLOTS_MIN : map->n_slots * 2;
    mesh_assert(n_slots <= UINT32_MAX);
    free(map->slots);
    map->slots = mesh_xcalloc(n_slots, sizeof *map->slots);
    map->n_slots = n_slots;
    map->cap = n_slots / 2;
    map->entries = mesh_xrealloc(map->entries, map->cap * sizeof *map->entries);
    for (size_t i = 0; i < map->n; i++)
        map->slots[find(map, map->entries[i].key)] = (uint32_t)i + 1;
}

void mesh_map_set(struct mesh_map *map, const char *key, void *value)
{
    struct mesh_map_entry *found = entry(map, key);
    if (found != NULL) {
        found->value = value;
        return;
    }
    if (map->n == map->cap)
        grow(map);
    mesh_assert(map->entries != NULL);
    map->entries[map->n++] = (struct mesh_map_entry){mesh_xstrdup(key), value};
    map->slots[find(map, key)] = (uint32_t)map->n;
}

void mesh_map_deinit(struct mesh_map *map)
{
    for (size_t i = 0; i < map->n; i++)
        free(map->entries[i].key);
    free(map->entries);
    free(map->slots);
    *map = MESH_MAP_NULL;
}
