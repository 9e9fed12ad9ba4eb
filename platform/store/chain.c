/* Each record has a small head that leads back to its chunk. Walking skips what was freed; the chunks that are left are mostly live, so
 * that stays cheap. */
#include "store/chain.h"

#include "base/check.h"

#include <stdlib.h>

struct mesh_store_chunk {
    struct mesh_store_chunk *prev, *next;
    uint64_t first_serial;
    size_t used, cap;
    size_t live;
    _Alignas(16) uint8_t bytes[];
};

struct head {
    uint64_t serial;
    struct mesh_store_chunk *chunk;
    uint32_t bytes; /* with the head */
    uint32_t live;
    uint64_t spare;
};

_Static_assert(sizeof(struct head) % 16 == 0, "records are aligned");

static struct head *head_of(const void *record)
{
    return (struct head *)(uintptr_t)record - 1;
}

static struct mesh_store_chunk *new_chunk(struct mesh_store_chain *chain, size_t bytes)
{
    struct mesh_store_chunk *chunk = chain->spare;
    if (chunk != NULL && chunk->cap >= bytes) {
        chain->spare = NULL;
    } else {
        size_t cap = bytes > MESH_STORE_CHUNK_BYTES ? bytes : MESH_STORE_CHUNK_BYTES;
        chunk = mesh_xmalloc(sizeof *chunk + cap);
        chunk->cap = cap;
        chain->bytes += cap;
    }
    chunk->used = chunk->live = 0;
    chunk->first_serial = chain->next_serial;
    chunk->next = NULL;
    chunk->prev = chain->last;
    if (chain->last != NULL)
        chain->last->next = chunk;
    else
        chain->first = chunk;
    chain->last = chunk;
    return chunk;
}

void *mesh_store_chain_add(struct mesh_store_chain *chain, size_t bytes)
{
    if (chain->next_serial == 0)
        chain->next_serial = 1;
    size_t need = (sizeof(struct head) + bytes + 15) / 16 * 16;
    mesh_assert(need <= UINT32_MAX);
    struct mesh_store_chunk *chunk = chain->last;
    if (chunk == NULL || chunk->cap - chunk->used < need)
        chunk = new_chunk(chain, need);
    struct head *head = (struct head *)(void *)(chunk->bytes + chunk->used);
    *head = (struct head){.serial = chain->next_serial++, .chunk = chunk, .bytes = (uint32_t)need, .live = 1};
    chunk->used += need;
    chunk->live++;
    chain->live++;
    return head + 1;
}

static void free_chunk(struct mesh_store_chain *chain, struct mesh_store_chunk *chunk)
{
    if (chunk->prev != NULL)
        chunk->prev->next = chunk->next;
    else
        chain->first = chunk->next;
    if (chunk->next != NULL)
        chunk->next->prev = chunk->prev;
    else
        chain->last = chunk->prev;
    if (chain->spare == NULL && chunk->cap == MESH_STORE_CHUNK_BYTES) {
        chain->spare = chunk;
        return;
    }
    chain->bytes -= chunk->cap;
    free(chunk);
}

void mesh_store_chain_free(struct mesh_store_chain *chain, void *record)
{
    struct head *head = head_of(record);
    mesh_assert(head->live == 1);
    head->live = 0;
    chain->live--;
    struct mesh_store_chunk *chunk = head->chunk;
    if (--chunk->live == 0) {
        if (chunk == chain->last && chunk->cap == MESH_STORE_CHUNK_BYTES) {
            chunk->used = 0;
            chunk->first_serial = chain->next_serial;
        } else {
            free_chunk(chain, chunk);
        }
    }
}

void mesh_store_chain_cancel(struct mesh_store_chain *chain, void *record)
{
    struct head *head = head_of(record);
    struct mesh_store_chunk *chunk = head->chunk;
    mesh_assert(chunk == chain->last && chunk->bytes + chunk->used == (uint8_t *)head + head->bytes);
    uint32_t bytes = head->bytes;
    bool others = chunk->live > 1; /* without any the chunk is emptied, or gone */
    mesh_store_chain_free(chain, record);
    if (others)
        chunk->used -= bytes;
}

void mesh_store_chain_deinit(struct mesh_store_chain *chain)
{
    while (chain->first != NULL) {
        struct mesh_store_chunk *next = chain->first->next;
        free(chain->first);
        chain->first = next;
    }
    free(chain->spare);
    *chain = (struct mesh_store_chain){0};
}

uint64_t mesh_store_chain_serial(const void *record)
{
    return head_of(record)->serial;
}

uint64_t mesh_store_chain_next(const struct mesh_store_chain *chain)
{
    return chain->next_serial == 0 ? 1 : chain->next_serial;
}

void mesh_store_chain_skip(struct mesh_store_chain *chain, uint64_t serial)
{
    if (serial > chain->next_serial)
        chain->next_serial = serial;
}

/* The first live record of this chunk, or of a later one, at or behind `at` and not below `serial`. */
static void *live_from(const struct mesh_store_chunk *chunk, size_t at, uint64_t serial)
{
    for (; chunk != NULL; chunk = chunk->next, at = 0) {
        while (at < chunk->used) {
            const struct head *head = (const struct head *)(const void *)(chunk->bytes + at);
            if (head->live != 0 && head->serial >= serial)
                return (void *)(uintptr_t)(head + 1);
            at += head->bytes;
        }
    }
    return NULL;
}

void *mesh_store_chain_first(const struct mesh_store_chain *chain)
{
    return live_from(chain->first, 0, 0);
}

void *mesh_store_chain_from(const struct mesh_store_chain *chain, uint64_t serial)
{
    const struct mesh_store_chunk *chunk = chain->last; /* callers mostly ask for what is new */
    while (chunk != NULL && chunk->prev != NULL && chunk->first_serial > serial)
        chunk = chunk->prev;
    return live_from(chunk, 0, serial);
}

void *mesh_store_chain_after(const struct mesh_store_chain *chain, const void *record)
{
    (void)chain;
    const struct head *head = head_of(record);
    return live_from(head->chunk, (size_t)((const uint8_t *)head - head->chunk->bytes) + head->bytes, 0);
}
