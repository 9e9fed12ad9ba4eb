/* Memory of varying length that rows own, in blocks that can go to a file (store/spill.h).
 *
 * Pieces are of 26 sizes, each at most half as large again as what was asked for; pieces that were given back are used again for their size.
 * Longer ones than MESH_STORE_PIECE_MAX come from malloc and stay in memory. The caller remembers how long a piece is. Without a file
 * everything comes from malloc.
 *
 * A block is cold when none of its pieces was touched for long: mesh_store_heap_touch() says that one was, at a time of the caller's.
 *
 * Not thread-safe; one heap for an engine.
 */
#ifndef MESH_STORE_HEAP_H
#define MESH_STORE_HEAP_H

#include "base/vec.h"
#include "mesh/err.h"
#include "store/spill.h"

#define MESH_STORE_PIECE_MIN   16u
#define MESH_STORE_PIECE_MAX   (128u << 10)
#define MESH_STORE_PIECE_SIZES 26

struct mesh_store_heap_block {
    void *p;
    int64_t place; /* in the file, or MESH_STORE_IN_MEMORY */
};

struct mesh_store_heap {
    struct mesh_store_spill *spill; /* borrowed; NULL: malloc */
    MESH_VEC(struct mesh_store_heap_block) blocks;
    void *free[MESH_STORE_PIECE_SIZES];
    uint8_t *at, *end;    /* what is left of the newest block */
    uint64_t bytes, used; /* of blocks; of pieces in them, as they were asked for */
    uint64_t out_bytes;   /* of blocks that are in the file */
};

void mesh_store_heap_init(struct mesh_store_heap *heap, struct mesh_store_spill *spill);
/* Pieces that are still there go, too, but those from malloc. */
void mesh_store_heap_deinit(struct mesh_store_heap *heap);

/* A piece of n bytes that begins with what p, a piece of old_n bytes, began with; p has gone. old_n == 0: p is NULL. n == 0: returns
 * NULL. From 16 bytes on aligned to 16. Aborts when there is no memory. */
void *mesh_store_heap_resize(struct mesh_store_heap *heap, void *p, size_t old_n, size_t n, int64_t now);
void mesh_store_heap_touch(struct mesh_store_heap *heap, void *p, size_t n, int64_t now);

/* As for tables: store/table.h. */
int64_t mesh_store_heap_coldest(const struct mesh_store_heap *heap, uint32_t *ret_block);
int mesh_store_heap_out(struct mesh_store_heap *heap, uint32_t block, struct mesh_err *err);
void mesh_store_heap_chill(const struct mesh_store_heap *heap);

#endif
