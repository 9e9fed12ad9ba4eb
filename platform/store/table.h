/* One keyed table for everything that a task keeps: view rows, keys seen, newest records, rings, pattern runs, latches.
 *
 * A row is found by (window, key bytes); it has a fixed payload, which the owner lays out, and stands in one *bucket*, a number that the
 * owner chooses: the window's start, or the slice of time after which the row may go. Dropping everything up to a time is then dropping
 * whole buckets, and costs nothing per event.
 *
 *     slots   open addressing, 8 bytes each: 32 bits of hash, 32 bits of row index; linear probing, removal shifts back
 *     rows    in slabs, addressed by index: a row never moves, its index is stable until it is removed, and a sweep can walk 0..n_rows
 *     buckets an ordered array of chains
 *
 * Large tables stand in blocks that can go to a file (store/spill.h), the one first that was not asked for longest: for that a table is
 * given a clock, and keeps for each slab when a row of it was last found or made. Rows that are reached by index or by their bucket do not
 * count. What rows own besides, and the slots, stay in memory.
 *
 * A row's payload is zeroed when it is made, and what it owns is freed by the table's `drop`. Payloads are aligned to 16 bytes. The
 * table is not thread-safe. It never shrinks its slots; slabs are kept for reuse.
 */
#ifndef MESH_STORE_TABLE_H
#define MESH_STORE_TABLE_H

#include "mesh/err.h"
#include "mesh/value.h"

#include <stddef.h>

#define MESH_STORE_NONE       UINT32_MAX
#define MESH_STORE_KEY_INLINE 24
#define MESH_STORE_SLAB_ROWS  128

enum {
    MESH_STORE_LIVE = 1,  /* the row is in use */
    MESH_STORE_DIRTY = 2, /* the owner's: to be written with the next commit */
    MESH_STORE_FLAG4 = 4, /* the owner's */
    MESH_STORE_FLAG8 = 8,
};

struct mesh_store_row {
    int64_t window;
    int64_t bucket;
    uint32_t prev, next; /* in the bucket; of a free row: next free */
    uint32_t hash;
    uint32_t index;
    uint16_t key_n;
    uint8_t flags;
    uint8_t round;  /* the owner's: the last round of the log that holds it */
    uint32_t owner; /* the owner's: 0 in a new row */
    union {
        uint8_t in[MESH_STORE_KEY_INLINE];
        uint8_t *p; /* longer keys */
    } key;
};

_Static_assert(sizeof(struct mesh_store_row) == 64, "payloads stand right behind the head, aligned");

struct mesh_store_bucket {
    int64_t id;
    uint32_t head;
    uint32_t n;
};

struct mesh_store_slot {
    uint32_t hash;
    uint32_t row; /* index + 1; 0 = empty */
};

struct mesh_store_spill;

struct mesh_store_block {
    uint8_t *p;
    size_t bytes;
    int64_t place; /* in the file, or MESH_STORE_IN_MEMORY */
    uint32_t first_slab;
};

struct mesh_store_table {
    struct mesh_store_slot *slots;
    uint32_t mask; /* number of slots - 1 */
    uint8_t **slabs;
    uint32_t n_slabs, cap_slabs;
    struct mesh_store_block *blocks; /* memory of slabs: one each at first, many in one block when the table is large */
    uint32_t n_blocks, cap_blocks;
    uint8_t *block_at, *block_end; /* what is left of the newest one */
    uint32_t n_rows;               /* indexes given out so far, free ones included */
    uint32_t free_row;
    uint32_t count; /* live rows */
    size_t payload_bytes, stride;
    struct mesh_store_bucket *buckets; /* [first_bucket, n_buckets), ascending by id; may hold empty ones */
    size_t first_bucket, n_buckets, cap_buckets;
    size_t last_bucket; /* where the newest lookup ended */
    size_t bytes;       /* of slots, slabs, long keys and buckets, also of what is out; the owner adds what payloads own */
    void (*drop)(void *context, void *payload);
    void *context;
    struct mesh_store_spill *spill; /* borrowed; NULL: nothing of it goes to a file */
    const int64_t *clock;           /* borrowed */
    int64_t *used_at;               /* per slab, by `clock` */
    size_t out_bytes;               /* of `bytes`: in the file */
};

/* `drop` frees what a payload owns; NULL: nothing. */
void mesh_store_table_init(struct mesh_store_table *table, size_t payload_bytes, void (*drop)(void *context, void *payload),
                           void *context);
void mesh_store_table_deinit(struct mesh_store_table *table);

/* Blocks may go to this file. Call it before the first row is made; `clock` is read whenever a row is found or made. */
void mesh_store_table_spills(struct mesh_store_table *table, struct mesh_store_spill *spill, const int64_t *clock);
/* Of the blocks that can go, the one whose newest use is longest ago: when that was; INT64_MAX: there is none. */
int64_t mesh_store_table_coldest(const struct mesh_store_table *table, uint32_t *ret_block);
/* Let it go. RETRY: the file could not take it, and nothing changed. */
int mesh_store_table_out(struct mesh_store_table *table, uint32_t block, struct mesh_err *err);
/* Nothing of what is out needs to be in memory. */
void mesh_store_table_chill(const struct mesh_store_table *table);

uint32_t mesh_store_table_hash(int64_t window, const void *key, size_t n);
/* NULL: no such row. */
struct mesh_store_row *mesh_store_table_find(const struct mesh_store_table *table, int64_t window, const void *key, size_t n);
/* The row, made when it is new; it then stands in `bucket`. An existing one stays where it stands. */
struct mesh_store_row *mesh_store_table_make(struct mesh_store_table *table, int64_t window, const void *key, size_t n,
                                             int64_t bucket, bool *ret_new);
void mesh_store_table_remove(struct mesh_store_table *table, struct mesh_store_row *row);
void mesh_store_table_clear(struct mesh_store_table *table);

/* Put the row in another bucket. */
void mesh_store_table_move(struct mesh_store_table *table, struct mesh_store_row *row, int64_t bucket);
/* Remove all rows of buckets below `id`; returns how many. */
size_t mesh_store_table_drop_below(struct mesh_store_table *table, int64_t id);
/* Position of the first bucket with an id >= `id` (n_buckets: none). */
size_t mesh_store_table_bucket_from(const struct mesh_store_table *table, int64_t id);

static inline struct mesh_store_row *mesh_store_table_row(const struct mesh_store_table *table, uint32_t index)
{
    uint8_t *slab = table->slabs[index / MESH_STORE_SLAB_ROWS];
    return (struct mesh_store_row *)(void *)(slab + (size_t)(index % MESH_STORE_SLAB_ROWS) * table->stride);
}

static inline const uint8_t *mesh_store_row_key(const struct mesh_store_row *row)
{
    return row->key_n <= MESH_STORE_KEY_INLINE ? row->key.in : row->key.p;
}

static inline void *mesh_store_row_payload(struct mesh_store_row *row)
{
    return row + 1;
}

static inline void mesh_store_table_prefetch(const struct mesh_store_table *table, uint32_t hash)
{
    if (table->slots != NULL)
        __builtin_prefetch(&table->slots[hash & table->mask]);
}

/* A row with this hash that stands near its place, to prefetch it; its key is not looked at. NULL: none. */
static inline struct mesh_store_row *mesh_store_table_guess(const struct mesh_store_table *table, uint32_t hash)
{
    for (uint32_t i = 0; table->slots != NULL && i < 4; i++) {
        const struct mesh_store_slot *slot = &table->slots[(hash + i) & table->mask];
        if (slot->row == 0)
            break;
        if (slot->hash == hash)
            return mesh_store_table_row(table, slot->row - 1);
    }
    return NULL;
}

#endif
