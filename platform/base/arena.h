/* Memory that is freed all at once.
 *
 * The compiler allocates everything from one arena; the engine keeps one per batch and resets it. Blocks double in size up to
 * MESH_ARENA_BLOCK_MAX. Returned memory is aligned to 16 bytes and zeroed.
 */
#ifndef MESH_BASE_ARENA_H
#define MESH_BASE_ARENA_H

#include "mesh/value.h"

#include <stdarg.h>
#include <stddef.h>

#define MESH_ARENA_BLOCK_MAX (1u << 20)

struct mesh_arena {
    struct mesh_arena_block *block; /* newest */
    size_t used;                    /* of the newest block */
    size_t bytes_total;             /* handed out since the last reset */
};

#define MESH_ARENA_NULL ((struct mesh_arena){0})

void *mesh_arena_alloc(struct mesh_arena *arena, size_t bytes) __attribute__((returns_nonnull));
char *mesh_arena_strdup(struct mesh_arena *arena, const char *text);
/* A NUL-terminated copy of a slice. */
char *mesh_arena_str(struct mesh_arena *arena, struct mesh_str text);
char *mesh_arena_printf(struct mesh_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Keeps the largest block for reuse. */
void mesh_arena_reset(struct mesh_arena *arena);
void mesh_arena_deinit(struct mesh_arena *arena);

#define mesh_arena_new(arena, type) ((type *)mesh_arena_alloc((arena), sizeof(type)))

#endif
