/* Tables whose blocks go to a file and come back, against an array: whatever is out, in memory or on its way, rows are the same. */
#include "store/heap.h"
#include "store/spill.h"
#include "store/table.h"

#include "../check.h"
#include "base/check.h"
#include "base/rng.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define KEYS    120000
#define PAYLOAD 192

struct payload {
    int64_t value;
    int64_t rest[PAYLOAD / 8 - 1];
};

static struct mesh_store_spill *open_spill(void)
{
    struct mesh_store_spill *spill = NULL;
    struct mesh_err err = {0};
    const char *dir = getenv("TMPDIR");
    mesh_assert(mesh_store_spill_open(dir == NULL ? "/tmp" : dir, &spill, &err) == 0);
    return spill;
}

static struct payload *at(struct mesh_store_table *table, int64_t key, int64_t bucket, bool *ret_new)
{
    return mesh_store_row_payload(mesh_store_table_make(table, 0, &key, sizeof key, bucket, ret_new));
}

static struct mesh_store_row *find(struct mesh_store_table *table, int64_t key)
{
    return mesh_store_table_find(table, 0, &key, sizeof key);
}

static void set(struct payload *p, int64_t value)
{
    p->value = value;
    for (size_t i = 0; i < MESH_LEN(p->rest); i++)
        p->rest[i] = value + (int64_t)i;
}

static bool holds(const struct payload *p, int64_t value)
{
    bool same = p->value == value;
    for (size_t i = 0; i < MESH_LEN(p->rest); i++)
        same = same && p->rest[i] == value + (int64_t)i;
    return same;
}

/* One block out, the coldest; false: there is none. */
static bool out(struct mesh_store_table *table)
{
    uint32_t block = 0;
    struct mesh_err err = {0};
    if (mesh_store_table_coldest(table, &block) == INT64_MAX)
        return false;
    mesh_assert(mesh_store_table_out(table, block, &err) == 0);
    return true;
}

CASE(random_operations_while_blocks_go_out)
{
    static int64_t values[KEYS], buckets[KEYS];
    static bool live[KEYS];
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct mesh_rng rng;
        mesh_rng_seed(&rng, seed);
        struct mesh_store_spill *spill = open_spill();
        struct mesh_store_table table;
        int64_t clock = 0;
        size_t went = 0;
        memset(live, 0, sizeof live);
        mesh_store_table_init(&table, PAYLOAD, NULL, NULL);
        mesh_store_table_spills(&table, spill, &clock);
        for (int step = 0; step < 300000; step++) {
            int64_t key = (int64_t)mesh_rng_below(&rng, KEYS);
            clock = step / 100;
            uint64_t what = mesh_rng_below(&rng, 16);
            if (what < 10) {
                bool is_new = false;
                struct payload *p = at(&table, key, step / 20000, &is_new);
                CHECK(is_new != live[key]);
                CHECK(is_new ? p->value == 0 : holds(p, values[key]));
                buckets[key] = is_new ? step / 20000 : buckets[key];
                live[key] = true;
                set(p, values[key] = (int64_t)mesh_rng_next(&rng) >> 1);
            } else if (what < 13) {
                struct mesh_store_row *row = find(&table, key);
                CHECK((row != NULL) == live[key]);
                CHECK(row == NULL || holds(mesh_store_row_payload(row), values[key]));
            } else if (what == 13 && live[key]) {
                mesh_store_table_remove(&table, find(&table, key));
                live[key] = false;
            }
            if (step % 3000 == 0)
                went += out(&table) ? 1 : 0;
            if (step % 20000 == 0)
                mesh_store_table_chill(&table);
            if (step % 90000 == 89999) {
                size_t n = 0;
                int64_t below = step / 20000 - 3;
                for (int64_t k = 0; k < KEYS; k++) {
                    n += live[k] && buckets[k] < below;
                    live[k] = live[k] && buckets[k] >= below;
                }
                CHECK_EQ_U64(mesh_store_table_drop_below(&table, below), n);
            }
        }
        CHECK(went >= 5);
        CHECK_EQ_U64(table.out_bytes, went * MESH_STORE_BLOCK_BYTES);
        size_t n = 0;
        for (int64_t k = 0; k < KEYS; k++) {
            struct mesh_store_row *row = find(&table, k);
            n += live[k];
            CHECK((row != NULL) == live[k] && (row == NULL || holds(mesh_store_row_payload(row), values[k])));
        }
        CHECK_EQ_U64(table.count, n);
        mesh_store_table_deinit(&table);
        mesh_store_spill_close(spill);
    }
}

CASE(the_coldest_goes_first_and_leaves_the_memory)
{
    struct mesh_store_spill *spill = open_spill();
    struct mesh_store_table table;
    int64_t clock = 0;
    bool is_new = false;
    mesh_store_table_init(&table, PAYLOAD, NULL, NULL);
    mesh_store_table_spills(&table, spill, &clock);
    for (int64_t k = 0; k < KEYS; k++, clock = k)
        set(at(&table, k, 0, &is_new), k);
    clock = KEYS; /* the oldest rows but one block's are used again */
    uint32_t in_block = (uint32_t)(MESH_STORE_BLOCK_BYTES / (table.stride * MESH_STORE_SLAB_ROWS)) * MESH_STORE_SLAB_ROWS;
    REQUIRE(table.n_blocks > 8 && table.blocks[5].bytes < MESH_STORE_BLOCK_BYTES);
    uint32_t first = 0;
    while (table.blocks[first].bytes < MESH_STORE_BLOCK_BYTES)
        first++;
    int64_t alone = table.blocks[first].first_slab * MESH_STORE_SLAB_ROWS;
    for (int64_t k = 0; k < KEYS / 2; k++)
        if (k < alone + in_block || k >= alone + 2 * in_block)
            (void)find(&table, k);
    uint32_t block = 0;
    CHECK_EQ_I64(mesh_store_table_coldest(&table, &block), alone + 2 * in_block - 1);
    CHECK_EQ_U64(block, first + 1);
    while (out(&table)) {
    }
    CHECK_EQ_U64(table.out_bytes, (table.n_blocks - first - 1) * MESH_STORE_BLOCK_BYTES);
    struct mesh_store_row *row = find(&table, alone);
    REQUIRE(row != NULL);
    CHECK(holds(mesh_store_row_payload(row), alone));
    mesh_store_table_deinit(&table);
    mesh_store_spill_close(spill);
}

CASE(a_full_disk_changes_nothing)
{
    struct mesh_store_spill *spill = open_spill();
    struct mesh_store_table table;
    struct mesh_err err = {0};
    int64_t clock = 0;
    bool is_new = false;
    uint32_t block = 0;
    mesh_store_table_init(&table, PAYLOAD, NULL, NULL);
    mesh_store_table_spills(&table, spill, &clock);
    for (int64_t k = 0; k < KEYS; k++)
        set(at(&table, k, 0, &is_new), k);
    REQUIRE(out(&table));
    struct rlimit before, small;
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    small = before;
    small.rlim_cur = MESH_STORE_BLOCK_BYTES + 4096;
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    REQUIRE(mesh_store_table_coldest(&table, &block) != INT64_MAX);
    CHECK(mesh_store_table_out(&table, block, &err) < 0);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(err.class == MESH_ERR_RETRY);
    CHECK_STR(err.code, "state.spill");
    CHECK_EQ_U64(table.out_bytes, MESH_STORE_BLOCK_BYTES);
    for (int64_t k = 0; k < KEYS; k += 7)
        CHECK(holds(mesh_store_row_payload(find(&table, k)), k));
    CHECK(out(&table)); /* with room again */
    for (int64_t k = 0; k < KEYS; k += 7)
        CHECK(holds(mesh_store_row_payload(find(&table, k)), k));
    mesh_store_table_deinit(&table);
    mesh_store_spill_close(spill);
}

#define PIECES 3000

struct piece {
    uint8_t *p;
    size_t n;
    uint8_t fill;
};

static bool filled(const struct piece *piece, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (piece->p[i] != (uint8_t)(piece->fill + i))
            return false;
    return true;
}

static void resize(struct mesh_store_heap *heap, struct piece *piece, size_t n, uint8_t fill, int64_t now)
{
    size_t kept = piece->n < n ? piece->n : n;
    piece->p = mesh_store_heap_resize(heap, piece->p, piece->n, n, now);
    CHECK((piece->p == NULL) == (n == 0) && (n < 16 || ((uintptr_t)piece->p & 15) == 0));
    CHECK(filled(piece, kept));
    piece->n = n;
    piece->fill = fill;
    for (size_t i = 0; i < n; i++)
        piece->p[i] = (uint8_t)(fill + i);
}

static void pieces_of(struct mesh_store_spill *spill)
{
    static struct piece pieces[PIECES];
    struct mesh_rng rng;
    struct mesh_store_heap heap;
    struct mesh_err err = {0};
    size_t asked = 0;
    memset(pieces, 0, sizeof pieces);
    mesh_rng_seed(&rng, 5);
    mesh_store_heap_init(&heap, spill);
    for (int step = 0; step < 60000; step++) {
        struct piece *piece = &pieces[mesh_rng_below(&rng, PIECES)];
        CHECK(filled(piece, piece->n));
        uint64_t kind = mesh_rng_below(&rng, 100);
        size_t most = kind == 0 ? 2 * MESH_STORE_PIECE_MAX : kind < 10 ? 40000 : 3000;
        size_t n = kind > 80 ? 0 : (size_t)mesh_rng_below(&rng, most);
        bool in_blocks = spill != NULL;
        asked -= in_blocks && piece->n <= MESH_STORE_PIECE_MAX ? piece->n : 0;
        asked += in_blocks && n <= MESH_STORE_PIECE_MAX ? n : 0;
        resize(&heap, piece, n, (uint8_t)mesh_rng_next(&rng), step);
        uint32_t block = 0;
        if (step % 1500 == 0 && mesh_store_heap_coldest(&heap, &block) != INT64_MAX)
            CHECK(mesh_store_heap_out(&heap, block, &err) == 0);
        if (step % 9000 == 0)
            mesh_store_heap_chill(&heap);
    }
    CHECK_EQ_U64(heap.used, asked);
    CHECK(spill == NULL || (heap.out_bytes > 0 && heap.out_bytes < heap.bytes));
    for (size_t i = 0; i < PIECES; i++)
        resize(&heap, &pieces[i], 0, 0, 0);
    CHECK_EQ_U64(heap.used, 0);
    mesh_store_heap_deinit(&heap);
}

CASE(pieces_keep_what_is_in_them)
{
    struct mesh_store_spill *spill = open_spill();
    pieces_of(NULL);
    pieces_of(spill);
    mesh_store_spill_close(spill);
}

CASE(a_touched_block_is_not_the_coldest)
{
    struct mesh_store_spill *spill = open_spill();
    struct mesh_store_heap heap;
    mesh_store_heap_init(&heap, spill);
    static void *pieces[3000]; /* of 4 KB: five blocks and a bit */
    for (int64_t i = 0; i < 3000; i++)
        pieces[i] = mesh_store_heap_resize(&heap, NULL, 0, 4096, i);
    uint32_t block = 7;
    CHECK_EQ_I64(mesh_store_heap_coldest(&heap, &block), 510);
    CHECK_EQ_U64(block, 0);
    mesh_store_heap_touch(&heap, pieces[3], 4096, 5000);
    CHECK_EQ_I64(mesh_store_heap_coldest(&heap, &block), 1021);
    CHECK_EQ_U64(block, 1);
    CHECK(mesh_store_heap_resize(&heap, pieces[600], 4096, 3500, 6000) == pieces[600]); /* of the same size */
    CHECK_EQ_I64(mesh_store_heap_coldest(&heap, &block), 1532);
    CHECK_EQ_U64(block, 2);
    mesh_store_heap_deinit(&heap);
    mesh_store_spill_close(spill);
}
