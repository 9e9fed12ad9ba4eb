/* Slots hold 32 bits of hash, so probing touches a row only when it is most likely the right one, and growing rehashes without
 * touching rows at all. Removal shifts later slots back instead of leaving tombstones: a table that lives for months stays as fast as
 * a new one. */
#include "store/table.h"

#include "base/check.h"
#include "base/hash.h"
#include "store/spill.h"

#include <stdlib.h>
#include <sys/mman.h>

#define SLOTS_MIN     64u
#define HUGE_BYTES    ((size_t)2 << 20) /* large arrays are aligned to huge pages: random access is mostly TLB misses otherwise */
#define SLABS_ALONE   64u /* so many slabs are allocated one by one, further ones in blocks of MESH_STORE_BLOCK_BYTES */
#define ROW_ALIGN     64u
#define KEY_BYTES_MAX 4096u

void mesh_store_table_init(struct mesh_store_table *table, size_t payload_bytes, void (*drop)(void *context, void *payload),
                           void *context)
{
    *table = (struct mesh_store_table){
        .payload_bytes = payload_bytes,
        .stride = (sizeof(struct mesh_store_row) + payload_bytes + 15) / 16 * 16,
        .free_row = MESH_STORE_NONE,
        .drop = drop,
        .context = context,
    };
}

static void free_owned(struct mesh_store_table *table, struct mesh_store_row *row)
{
    if (table->drop != NULL)
        table->drop(table->context, mesh_store_row_payload(row));
    if (row->key_n > MESH_STORE_KEY_INLINE) {
        free(row->key.p);
        table->bytes -= row->key_n;
    }
}

void mesh_store_table_clear(struct mesh_store_table *table)
{
    for (uint32_t i = 0; i < table->n_rows; i++) {
        struct mesh_store_row *row = mesh_store_table_row(table, i);
        if ((row->flags & MESH_STORE_LIVE) != 0) {
            free_owned(table, row);
            row->flags = 0;
        }
    }
    if (table->slots != NULL)
        memset(table->slots, 0, ((size_t)table->mask + 1) * sizeof *table->slots);
    table->n_rows = 0;
    table->free_row = MESH_STORE_NONE;
    table->count = 0;
    table->first_bucket = table->n_buckets = table->last_bucket = 0;
}

void mesh_store_table_deinit(struct mesh_store_table *table)
{
    mesh_store_table_clear(table);
    for (uint32_t i = 0; i < table->n_blocks; i++) {
        if (table->blocks[i].bytes == MESH_STORE_BLOCK_BYTES)
            mesh_store_block_free(table->blocks[i].p, table->spill, table->blocks[i].place);
        else
            free(table->blocks[i].p);
    }
    free(table->blocks);
    free(table->slabs);
    free(table->used_at);
    free(table->slots);
    free(table->buckets);
    *table = (struct mesh_store_table){0};
}

uint32_t mesh_store_table_hash(int64_t window, const void *key, size_t n)
{
    uint64_t h = mesh_hash64(key, n);
    if (window != 0) {
        h ^= (uint64_t)window;
        h *= UINT64_C(0x9e3779b97f4a7c15);
    }
    return (uint32_t)(h ^ (h >> 32));
}

static bool same_key(const struct mesh_store_row *row, int64_t window, const void *key, size_t n)
{
    return row->window == window && row->key_n == n && (n == 0 || memcmp(mesh_store_row_key(row), key, n) == 0);
}

/* The slot that holds the key, or the empty one where it would go. */
static uint32_t probe(const struct mesh_store_table *table, uint32_t hash, int64_t window, const void *key, size_t n)
{
    uint32_t at = hash & table->mask;
    for (; table->slots[at].row != 0; at = (at + 1) & table->mask) {
        if (table->slots[at].hash == hash && same_key(mesh_store_table_row(table, table->slots[at].row - 1), window, key, n))
            break;
    }
    return at;
}

static struct mesh_store_row *used(const struct mesh_store_table *table, uint32_t index)
{
    if (table->used_at != NULL)
        table->used_at[index / MESH_STORE_SLAB_ROWS] = *table->clock;
    return mesh_store_table_row(table, index);
}

struct mesh_store_row *mesh_store_table_find(const struct mesh_store_table *table, int64_t window, const void *key, size_t n)
{
    if (table->count == 0)
        return NULL;
    uint32_t at = probe(table, mesh_store_table_hash(window, key, n), window, key, n);
    return table->slots[at].row == 0 ? NULL : used(table, table->slots[at].row - 1);
}

static void *allocate(size_t bytes)
{
    void *p = NULL;
    bool huge = bytes >= HUGE_BYTES;
    if (posix_memalign(&p, huge ? HUGE_BYTES : ROW_ALIGN, bytes) != 0)
        return mesh_xmalloc(bytes); /* aborts with its message */
    if (huge)
        (void)madvise(p, bytes, MADV_HUGEPAGE);
    return p;
}

static void grow_slots(struct mesh_store_table *table)
{
    size_t old_n = table->slots == NULL ? 0 : (size_t)table->mask + 1;
    size_t n = old_n == 0 ? SLOTS_MIN : old_n * 2;
    mesh_assert(n <= (size_t)1 << 31);
    struct mesh_store_slot *slots = allocate(n * sizeof *slots);
    memset(slots, 0, n * sizeof *slots);
    uint32_t mask = (uint32_t)(n - 1);
    for (size_t i = 0; i < old_n; i++) {
        struct mesh_store_slot slot = table->slots[i];
        if (slot.row == 0)
            continue;
        uint32_t at = slot.hash & mask;
        while (slots[at].row != 0)
            at = (at + 1) & mask;
        slots[at] = slot;
    }
    free(table->slots);
    table->slots = slots;
    table->mask = mask;
    table->bytes += (n - old_n) * sizeof *slots;
}

static void add_slab(struct mesh_store_table *table)
{
    size_t bytes = table->stride * MESH_STORE_SLAB_ROWS;
    if ((size_t)(table->block_end - table->block_at) < bytes) {
        size_t block = table->n_slabs < SLABS_ALONE || bytes > MESH_STORE_BLOCK_BYTES ? bytes : MESH_STORE_BLOCK_BYTES;
        if (table->n_blocks == table->cap_blocks) {
            table->cap_blocks = table->cap_blocks == 0 ? 4 : table->cap_blocks * 2;
            table->blocks = mesh_xrealloc(table->blocks, table->cap_blocks * sizeof *table->blocks);
        }
        table->block_at = block == MESH_STORE_BLOCK_BYTES ? mesh_store_block_new() : allocate(block);
        table->block_end = table->block_at + block;
        table->blocks[table->n_blocks++] = (struct mesh_store_block){table->block_at, block, MESH_STORE_IN_MEMORY, table->n_slabs};
        table->bytes += block;
    }
    table->slabs[table->n_slabs++] = table->block_at;
    table->block_at += bytes;
}

static void grow_slabs(struct mesh_store_table *table)
{
    uint32_t cap = table->cap_slabs == 0 ? 4 : table->cap_slabs * 2;
    table->slabs = mesh_xrealloc(table->slabs, cap * sizeof *table->slabs);
    table->bytes += (cap - table->cap_slabs) * sizeof *table->slabs;
    table->cap_slabs = cap;
    if (table->spill != NULL)
        table->used_at = mesh_xrealloc(table->used_at, cap * sizeof *table->used_at);
}

static struct mesh_store_row *new_row(struct mesh_store_table *table)
{
    uint32_t index = table->free_row;
    if (index != MESH_STORE_NONE) {
        struct mesh_store_row *row = mesh_store_table_row(table, index);
        table->free_row = row->next;
        memset(row, 0, table->stride);
        row->index = index;
        return row;
    }
    index = table->n_rows;
    mesh_assert(index < MESH_STORE_NONE - 1);
    if (index / MESH_STORE_SLAB_ROWS == table->n_slabs) {
        if (table->n_slabs == table->cap_slabs)
            grow_slabs(table);
        add_slab(table);
    }
    table->n_rows++;
    struct mesh_store_row *row = mesh_store_table_row(table, index);
    memset(row, 0, table->stride);
    row->index = index;
    return row;
}

size_t mesh_store_table_bucket_from(const struct mesh_store_table *table, int64_t id)
{
    size_t low = table->first_bucket;
    size_t high = table->n_buckets;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (table->buckets[mid].id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The bucket of this id, made when it is new. */
static struct mesh_store_bucket *bucket_of(struct mesh_store_table *table, int64_t id)
{
    size_t last = table->last_bucket;
    if (last >= table->first_bucket && last < table->n_buckets && table->buckets[last].id == id)
        return &table->buckets[last];
    size_t at = mesh_store_table_bucket_from(table, id);
    if (at == table->n_buckets || table->buckets[at].id != id) {
        if (table->n_buckets == table->cap_buckets) {
            size_t used = table->n_buckets - table->first_bucket;
            if (table->first_bucket > used) { /* mostly dropped ones in front */
                memmove(table->buckets, table->buckets + table->first_bucket, used * sizeof *table->buckets);
                at -= table->first_bucket;
                table->first_bucket = 0;
                table->n_buckets = used;
            } else {
                size_t cap = table->cap_buckets == 0 ? 8 : table->cap_buckets * 2;
                table->buckets = mesh_xrealloc(table->buckets, cap * sizeof *table->buckets);
                table->bytes += (cap - table->cap_buckets) * sizeof *table->buckets;
                table->cap_buckets = cap;
            }
        }
        memmove(table->buckets + at + 1, table->buckets + at, (table->n_buckets - at) * sizeof *table->buckets);
        table->buckets[at] = (struct mesh_store_bucket){.id = id, .head = MESH_STORE_NONE};
        table->n_buckets++;
    }
    table->last_bucket = at;
    return &table->buckets[at];
}

static void enter(struct mesh_store_table *table, struct mesh_store_row *row, int64_t id)
{
    struct mesh_store_bucket *bucket = bucket_of(table, id);
    row->bucket = id;
    row->prev = MESH_STORE_NONE;
    row->next = bucket->head;
    if (bucket->head != MESH_STORE_NONE)
        mesh_store_table_row(table, bucket->head)->prev = row->index;
    bucket->head = row->index;
    bucket->n++;
}

static void leave(struct mesh_store_table *table, struct mesh_store_row *row)
{
    struct mesh_store_bucket *bucket = bucket_of(table, row->bucket);
    if (row->prev != MESH_STORE_NONE)
        mesh_store_table_row(table, row->prev)->next = row->next;
    else
        bucket->head = row->next;
    if (row->next != MESH_STORE_NONE)
        mesh_store_table_row(table, row->next)->prev = row->prev;
    bucket->n--;
}

struct mesh_store_row *mesh_store_table_make(struct mesh_store_table *table, int64_t window, const void *key, size_t n,
                                             int64_t bucket, bool *ret_new)
{
    mesh_assert(n <= KEY_BYTES_MAX);
    if (table->slots == NULL || table->count >= (table->mask >> 1) + (table->mask >> 3)) /* 62 % full */
        grow_slots(table);
    uint32_t hash = mesh_store_table_hash(window, key, n);
    uint32_t at = probe(table, hash, window, key, n);
    *ret_new = table->slots[at].row == 0;
    if (!*ret_new)
        return used(table, table->slots[at].row - 1);
    struct mesh_store_row *row = new_row(table);
    (void)used(table, row->index);
    row->window = window;
    row->hash = hash;
    row->key_n = (uint16_t)n;
    row->flags = MESH_STORE_LIVE;
    uint8_t *to = row->key.in;
    if (n > MESH_STORE_KEY_INLINE) {
        to = row->key.p = mesh_xmalloc(n);
        table->bytes += n;
    }
    if (n > 0)
        memcpy(to, key, n);
    table->slots[at] = (struct mesh_store_slot){hash, row->index + 1};
    table->count++;
    enter(table, row, bucket);
    return row;
}

/* Take the row's slot out and move back every later one of the run that may stand nearer to its home. */
static void free_slot(struct mesh_store_table *table, const struct mesh_store_row *row)
{
    uint32_t hole = row->hash & table->mask;
    while (table->slots[hole].row != row->index + 1)
        hole = (hole + 1) & table->mask;
    for (uint32_t at = (hole + 1) & table->mask; table->slots[at].row != 0; at = (at + 1) & table->mask) {
        uint32_t home = table->slots[at].hash & table->mask;
        if (((at - home) & table->mask) >= ((at - hole) & table->mask)) {
            table->slots[hole] = table->slots[at];
            hole = at;
        }
    }
    table->slots[hole].row = 0;
}

/* Everything but the bucket's chain. */
static void discard(struct mesh_store_table *table, struct mesh_store_row *row)
{
    free_slot(table, row);
    free_owned(table, row);
    row->flags = 0;
    row->next = table->free_row;
    table->free_row = row->index;
    table->count--;
}

void mesh_store_table_remove(struct mesh_store_table *table, struct mesh_store_row *row)
{
    mesh_assert((row->flags & MESH_STORE_LIVE) != 0);
    leave(table, row);
    discard(table, row);
}

void mesh_store_table_move(struct mesh_store_table *table, struct mesh_store_row *row, int64_t bucket)
{
    if (row->bucket == bucket)
        return;
    leave(table, row);
    enter(table, row, bucket);
}

size_t mesh_store_table_drop_below(struct mesh_store_table *table, int64_t id)
{
    size_t dropped = 0;
    while (table->first_bucket < table->n_buckets && table->buckets[table->first_bucket].id < id) {
        uint32_t index = table->buckets[table->first_bucket].head;
        while (index != MESH_STORE_NONE) {
            struct mesh_store_row *row = mesh_store_table_row(table, index);
            index = row->next;
            discard(table, row);
            dropped++;
        }
        table->first_bucket++;
    }
    if (table->first_bucket == table->n_buckets)
        table->first_bucket = table->n_buckets = table->last_bucket = 0;
    return dropped;
}

/* ---- what can go to a file ---- */
void mesh_store_table_spills(struct mesh_store_table *table, struct mesh_store_spill *spill, const int64_t *clock)
{
    mesh_assert(table->n_slabs == 0);
    table->spill = spill;
    table->clock = clock;
}

int64_t mesh_store_table_coldest(const struct mesh_store_table *table, uint32_t *ret_block)
{
    int64_t coldest = INT64_MAX;
    for (uint32_t i = 0; table->spill != NULL && i + 1 < table->n_blocks; i++) { /* the newest is being filled */
        const struct mesh_store_block *block = &table->blocks[i];
        if (block->bytes != MESH_STORE_BLOCK_BYTES || block->place != MESH_STORE_IN_MEMORY)
            continue;
        int64_t at = INT64_MIN;
        for (uint32_t slab = block->first_slab; slab < table->blocks[i + 1].first_slab; slab++)
            at = table->used_at[slab] > at ? table->used_at[slab] : at;
        if (at < coldest) {
            coldest = at;
            *ret_block = i;
        }
    }
    return coldest;
}

int mesh_store_table_out(struct mesh_store_table *table, uint32_t block, struct mesh_err *err)
{
    struct mesh_store_block *of = &table->blocks[block];
    mesh_assert(table->spill != NULL && of->bytes == MESH_STORE_BLOCK_BYTES && of->place == MESH_STORE_IN_MEMORY);
    int result = mesh_store_block_out(table->spill, of->p, &of->place, err);
    if (result == 0)
        table->out_bytes += of->bytes;
    return result;
}

void mesh_store_table_chill(const struct mesh_store_table *table)
{
    for (uint32_t i = 0; i < table->n_blocks; i++)
        if (table->blocks[i].place != MESH_STORE_IN_MEMORY)
            mesh_store_block_chill(table->blocks[i].p);
}
