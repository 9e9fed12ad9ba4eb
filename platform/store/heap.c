/* A block begins with when it was used last; blocks are aligned to their size, so a piece finds its block by its address. */
#include "store/heap.h"

#include <stdlib.h>
#include <string.h>

struct head {
    _Alignas(16) int64_t used_at;
};

void mesh_store_heap_init(struct mesh_store_heap *heap, struct mesh_store_spill *spill)
{
    *heap = (struct mesh_store_heap){.spill = spill};
}

void mesh_store_heap_deinit(struct mesh_store_heap *heap)
{
    for (size_t i = 0; i < heap->blocks.n; i++)
        mesh_store_block_free(heap->blocks.v[i].p, heap->spill, heap->blocks.v[i].place);
    mesh_vec_deinit(&heap->blocks);
    *heap = (struct mesh_store_heap){0};
}

/* 16, 32, 48, 64, 96, 128, 192, ...: powers of two and what lies in the middle between them. */
static uint32_t size_class(size_t n, size_t *ret_bytes)
{
    uint32_t class = 0;
    size_t power = 32;
    for (*ret_bytes = MESH_STORE_PIECE_MIN; *ret_bytes < n; class ++) {
        *ret_bytes = class % 2 == 0 ? power : power / 2 * 3;
        power = class % 2 == 0 ? power : power * 2;
    }
    mesh_assert(class < MESH_STORE_PIECE_SIZES);
    return class;
}

static bool in_blocks(const struct mesh_store_heap *heap, size_t n)
{
    return heap->spill != NULL && n > 0 && n <= MESH_STORE_PIECE_MAX;
}

static struct head *head_of(void *p)
{
    return (struct head *)((uintptr_t)p & ~(uintptr_t)(MESH_STORE_BLOCK_BYTES - 1));
}

static void *take(struct mesh_store_heap *heap, size_t n, int64_t now)
{
    size_t bytes;
    uint32_t class = size_class(n, &bytes);
    void *piece = heap->free[class];
    heap->used += n;
    if (piece != NULL) {
        memcpy(&heap->free[class], piece, sizeof(void *));
    } else {
        if ((size_t)(heap->end - heap->at) < bytes) {
            heap->at = mesh_store_block_new();
            heap->end = heap->at + MESH_STORE_BLOCK_BYTES;
            heap->bytes += MESH_STORE_BLOCK_BYTES;
            *mesh_vec_push(&heap->blocks) = (struct mesh_store_heap_block){heap->at, MESH_STORE_IN_MEMORY};
            heap->at += sizeof(struct head);
        }
        piece = heap->at;
        heap->at += bytes;
    }
    head_of(piece)->used_at = now;
    return piece;
}

static void give_back(struct mesh_store_heap *heap, void *p, size_t n)
{
    size_t bytes;
    uint32_t class = size_class(n, &bytes);
    heap->used -= n;
    memcpy(p, &heap->free[class], sizeof(void *));
    heap->free[class] = p;
}

void *mesh_store_heap_resize(struct mesh_store_heap *heap, void *p, size_t old_n, size_t n, int64_t now)
{
    bool was = in_blocks(heap, old_n);
    bool is = in_blocks(heap, n);
    if (!was && !is) {
        if (n > 0)
            return mesh_xrealloc(p, n);
        free(p);
        return NULL;
    }
    size_t old_bytes = 0, bytes = 0;
    if (was && is && size_class(old_n, &old_bytes) == size_class(n, &bytes)) {
        heap->used += n - old_n;
        head_of(p)->used_at = now;
        return p;
    }
    void *piece = n == 0 ? NULL : is ? take(heap, n, now) : mesh_xmalloc(n);
    if (old_n > 0 && n > 0)
        memcpy(piece, p, old_n < n ? old_n : n);
    if (was)
        give_back(heap, p, old_n);
    else
        free(p);
    return piece;
}

void mesh_store_heap_touch(struct mesh_store_heap *heap, void *p, size_t n, int64_t now)
{
    if (in_blocks(heap, n))
        head_of(p)->used_at = now;
}

int64_t mesh_store_heap_coldest(const struct mesh_store_heap *heap, uint32_t *ret_block)
{
    int64_t coldest = INT64_MAX;
    for (size_t i = 0; i + 1 < heap->blocks.n; i++) { /* the newest is being filled */
        const struct mesh_store_heap_block *block = &heap->blocks.v[i];
        if (block->place != MESH_STORE_IN_MEMORY || head_of(block->p)->used_at >= coldest)
            continue;
        coldest = head_of(block->p)->used_at;
        *ret_block = (uint32_t)i;
    }
    return coldest;
}

int mesh_store_heap_out(struct mesh_store_heap *heap, uint32_t block, struct mesh_err *err)
{
    struct mesh_store_heap_block *of = &heap->blocks.v[block];
    mesh_assert(of->place == MESH_STORE_IN_MEMORY);
    int result = mesh_store_block_out(heap->spill, of->p, &of->place, err);
    if (result == 0)
        heap->out_bytes += MESH_STORE_BLOCK_BYTES;
    return result;
}

void mesh_store_heap_chill(const struct mesh_store_heap *heap)
{
    for (size_t i = 0; i < heap->blocks.n; i++)
        if (heap->blocks.v[i].place != MESH_STORE_IN_MEMORY)
            mesh_store_block_chill(heap->blocks.v[i].p);
}
