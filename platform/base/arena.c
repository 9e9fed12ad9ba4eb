/* A list of blocks, newest first; only the newest is filled. Memory is zeroed when it is handed
 * out, not when a block is made, so that a reset costs nothing. A request too large for a block of
 * its turn gets one of its own size, put behind the newest so that the newest's room is not lost.
 */
#include "base/arena.h"

#include "base/check.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN     16u
#define BLOCK_MIN 4096u

struct mesh_arena_block {
    struct mesh_arena_block *older;
    size_t cap;
    alignas(ALIGN) char bytes[];
};

static struct mesh_arena_block *block_new(size_t cap, struct mesh_arena_block *older)
{
    struct mesh_arena_block *block = mesh_xmalloc(sizeof *block + cap);
    block->older = older;
    block->cap = cap;
    return block;
}

void *mesh_arena_alloc(struct mesh_arena *arena, size_t bytes)
{
    mesh_assert(bytes <= SIZE_MAX / 4);
    size_t room = bytes == 0 ? ALIGN : (bytes + ALIGN - 1) / ALIGN * ALIGN;
    arena->bytes_total += room;
    struct mesh_arena_block *block = arena->block;
    if (block != NULL && room > block->cap - arena->used && room >= MESH_ARENA_BLOCK_MAX / 2) {
        block->older = block_new(room, block->older);
        return memset(block->older->bytes, 0, room);
    }
    if (block == NULL || room > block->cap - arena->used) {
        size_t cap = block == NULL ? BLOCK_MIN : block->cap * 2;
        if (cap > MESH_ARENA_BLOCK_MAX)
            cap = MESH_ARENA_BLOCK_MAX;
        if (cap < room)
            cap = room;
        arena->block = block = block_new(cap, block);
        arena->used = 0;
    }
    void *p = block->bytes + arena->used;
    arena->used += room;
    return memset(p, 0, room);
}

char *mesh_arena_strdup(struct mesh_arena *arena, const char *text)
{
    size_t n = strlen(text);
    return memcpy(mesh_arena_alloc(arena, n + 1), text, n);
}

char *mesh_arena_str(struct mesh_arena *arena, struct mesh_str text)
{
    char *copy = mesh_arena_alloc(arena, (size_t)text.n + 1);
    if (text.n != 0)
        memcpy(copy, text.p, text.n);
    return copy;
}

char *mesh_arena_printf(struct mesh_arena *arena, const char *format, ...)
{
    va_list args;
    va_list again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    mesh_assert(n >= 0);
    char *text = mesh_arena_alloc(arena, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}

void mesh_arena_reset(struct mesh_arena *arena)
{
    struct mesh_arena_block *kept = arena->block;
    for (struct mesh_arena_block *block = kept; block != NULL; block = block->older) {
        if (block->cap > kept->cap)
            kept = block;
    }
    for (struct mesh_arena_block *block = arena->block, *older; block != NULL; block = older) {
        older = block->older;
        if (block != kept)
            free(block);
    }
    if (kept != NULL)
        kept->older = NULL;
    *arena = (struct mesh_arena){.block = kept};
}

void mesh_arena_deinit(struct mesh_arena *arena)
{
    for (struct mesh_arena_block *block = arena->block, *older; block != NULL; block = older) {
        older = block->older;
        free(block);
    }
    *arena = MESH_ARENA_NULL;
}
