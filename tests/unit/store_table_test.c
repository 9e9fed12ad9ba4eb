/* The keyed table against a naive list: random making, moving, removing and dropping. Images and chains beside it. */
#include "store/chain.h"
#include "store/image.h"
#include "store/table.h"

#include "../check.h"
#include "base/check.h"
#include "base/rng.h"
#include "base/vec.h"

#include <stddef.h>
#include <stdlib.h>

struct naive {
    int64_t window, bucket, value;
    char key[48];
    bool live;
};

static int n_dropped;

static void drop(void *context, void *payload)
{
    (void)context;
    (void)payload;
    n_dropped++;
}

static struct naive *find_naive(struct naive *all, size_t n, int64_t window, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (all[i].live && all[i].window == window && strcmp(all[i].key, key) == 0)
            return &all[i];
    return NULL;
}

static void check_same(struct mesh_store_table *table, struct naive *all, size_t n)
{
    size_t live = 0;
    for (size_t i = 0; i < n; i++) {
        if (!all[i].live)
            continue;
        live++;
        struct mesh_store_row *row = mesh_store_table_find(table, all[i].window, all[i].key, strlen(all[i].key));
        REQUIRE(row != NULL);
        CHECK_EQ_I64(*(int64_t *)mesh_store_row_payload(row), all[i].value);
        CHECK_EQ_I64(row->bucket, all[i].bucket);
        struct mesh_store_row *guess = mesh_store_table_guess(table, row->hash);
        CHECK(guess == NULL || (guess->hash == row->hash && (guess->flags & MESH_STORE_LIVE) != 0));
    }
    CHECK_EQ_U64(table->count, live);
    /* Every row stands in exactly one bucket, buckets ascend. */
    size_t chained = 0;
    for (size_t b = table->first_bucket; b < table->n_buckets; b++) {
        CHECK(b == table->first_bucket || table->buckets[b - 1].id < table->buckets[b].id);
        uint32_t in_bucket = 0;
        for (uint32_t i = table->buckets[b].head; i != MESH_STORE_NONE; i = mesh_store_table_row(table, i)->next) {
            CHECK_EQ_I64(mesh_store_table_row(table, i)->bucket, table->buckets[b].id);
            in_bucket++;
        }
        CHECK_EQ_U64(in_bucket, table->buckets[b].n);
        chained += in_bucket;
    }
    CHECK_EQ_U64(chained, live);
}

CASE(random_operations_as_a_naive_list)
{
    enum { N = 400, STEPS = 6000 };
    static struct naive all[N];
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct mesh_rng rng;
        mesh_rng_seed(&rng, seed);
        struct mesh_store_table table;
        mesh_store_table_init(&table, sizeof(int64_t), drop, NULL);
        memset(all, 0, sizeof all);
        int removed = 0;
        n_dropped = 0;
        for (int step = 0; step < STEPS; step++) {
            size_t i = (size_t)mesh_rng_below(&rng, N);
            char key[48];
            snprintf(key, sizeof key, i % 3 == 0 ? "a key that is too long to be kept in the row %zu" : "k%zu", i);
            int64_t window = (int64_t)(i % 5) - 2;
            struct naive *known = find_naive(all, N, window, key);
            switch (mesh_rng_below(&rng, 8)) {
            default: {
                bool is_new = false;
                int64_t bucket = (int64_t)mesh_rng_below(&rng, 30) - 10;
                struct mesh_store_row *row = mesh_store_table_make(&table, window, key, strlen(key), bucket, &is_new);
                CHECK(is_new == (known == NULL));
                if (known == NULL) {
                    known = &all[i];
                    *known = (struct naive){.window = window, .bucket = bucket, .live = true};
                    memcpy(known->key, key, sizeof key);
                    CHECK_EQ_I64(*(int64_t *)mesh_store_row_payload(row), 0);
                }
                known->value = (int64_t)mesh_rng_next(&rng);
                *(int64_t *)mesh_store_row_payload(row) = known->value;
                break;
            }
            case 0:
            case 1:
                if (known != NULL) {
                    mesh_store_table_remove(&table, mesh_store_table_find(&table, window, key, strlen(key)));
                    known->live = false;
                    removed++;
                }
                CHECK(mesh_store_table_find(&table, window, key, strlen(key)) == NULL);
                break;
            case 2:
                if (known != NULL) {
                    known->bucket = (int64_t)mesh_rng_below(&rng, 30) - 10;
                    mesh_store_table_move(&table, mesh_store_table_find(&table, window, key, strlen(key)), known->bucket);
                }
                break;
            case 3:
                if (mesh_rng_below(&rng, 20) == 0) {
                    int64_t below = (int64_t)mesh_rng_below(&rng, 20) - 10;
                    size_t expected = 0;
                    for (size_t k = 0; k < N; k++) {
                        if (all[k].live && all[k].bucket < below) {
                            all[k].live = false;
                            expected++;
                        }
                    }
                    CHECK_EQ_U64(mesh_store_table_drop_below(&table, below), expected);
                    removed += (int)expected;
                }
                break;
            }
            if (step % 500 == 0)
                check_same(&table, all, N);
        }
        check_same(&table, all, N);
        CHECK_EQ_I64(n_dropped, removed);
        mesh_store_table_deinit(&table);
    }
}

CASE(rows_do_not_move_and_slots_survive_growth)
{
    struct mesh_store_table table;
    mesh_store_table_init(&table, 16, NULL, NULL);
    enum { N = 50000 };
    struct mesh_store_row *first = NULL;
    for (int64_t i = 0; i < N; i++) {
        bool is_new = false;
        struct mesh_store_row *row = mesh_store_table_make(&table, 0, &i, sizeof i, i / 100, &is_new);
        CHECK(is_new);
        first = i == 0 ? row : first;
        CHECK(((uintptr_t)mesh_store_row_payload(row) & 15) == 0);
    }
    int64_t zero = 0;
    CHECK(mesh_store_table_find(&table, 0, &zero, sizeof zero) == first);
    CHECK_EQ_U64(mesh_store_table_drop_below(&table, 250), 25000);
    CHECK_EQ_U64(table.count, N - 25000);
    size_t bytes = table.bytes;
    for (int64_t i = N; i < N + 25000; i++) {
        bool is_new = false;
        mesh_store_table_make(&table, 0, &i, sizeof i, i / 100, &is_new);
    }
    CHECK(table.bytes < bytes + bytes / 10); /* freed rows are used again */
    CHECK_EQ_U64(table.n_rows, N);
    mesh_store_table_clear(&table);
    CHECK_EQ_U64(table.count, 0);
    mesh_store_table_deinit(&table);
}

struct sample {
    bool flag;
    int64_t number;
    double real;
    mesh_dec money;
    struct mesh_str text;
    int32_t kind;
    int64_t maybe;
    bool has_maybe;
    bool maybe_flag, has_flag;
};

static const struct mesh_field sample_fields[] = {
    {.name = "flag", .type = MESH_BOOL, .offset = offsetof(struct sample, flag)},
    {.name = "number", .type = MESH_LONG, .offset = offsetof(struct sample, number)},
    {.name = "real", .type = MESH_DOUBLE, .offset = offsetof(struct sample, real)},
    {.name = "money", .type = MESH_DECIMAL, .offset = offsetof(struct sample, money)},
    {.name = "text", .type = MESH_STRING, .offset = offsetof(struct sample, text)},
    {.name = "kind", .type = MESH_ENUM, .offset = offsetof(struct sample, kind)},
    {.name = "maybe",
     .type = MESH_TIMESTAMP,
     .nullable = true,
     .offset = offsetof(struct sample, maybe),
     .present = offsetof(struct sample, has_maybe)},
    {.name = "maybe_flag",
     .type = MESH_BOOL,
     .nullable = true,
     .offset = offsetof(struct sample, maybe_flag),
     .present = offsetof(struct sample, has_flag)},
};

CASE(images_come_back)
{
    struct sample samples[] = {
        {0},
        {.flag = true,
         .number = INT64_MIN,
         .real = -0.0,
         .money = -((mesh_dec)1 << 126),
         .text = MESH_STR("caf\xc3\xa9"),
         .kind = -3},
        {.number = INT64_MAX, .real = 1e300, .money = (mesh_dec)1 << 126, .has_maybe = true, .maybe = 0, .has_flag = true},
        {.has_flag = true, .maybe_flag = true, .has_maybe = true, .maybe = -5, .money = -1},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf image = MESH_BUF_NULL;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf again = MESH_BUF_NULL;
        mesh_store_image_write(&image, sample_fields, 8, &samples[i]);
        for (size_t cut = 0; cut <= image.n; cut++) {
            struct sample back = {0};
            char *exact = mesh_xmalloc(cut + 1); /* so that a sanitizer sees a read too far */
            memcpy(exact, image.p, cut);
            struct mesh_cursor in = mesh_cursor_of(exact, cut);
            mesh_store_image_read(&in, sample_fields, 8, &back);
            CHECK(in.bad == (cut < image.n));
            if (cut == image.n) {
                struct sample copy = {0};
                mesh_store_image_copy(sample_fields, 8, sizeof copy, &back, &copy);
                mesh_store_image_write(&again, sample_fields, 8, &copy);
                CHECK(again.n == image.n && memcmp(again.p, image.p, image.n) == 0);
                mesh_store_image_free(sample_fields, 8, &copy);
            }
            mesh_store_image_free(sample_fields, 8, &back);
            free(exact);
        }
    }
}

CASE(chains_free_in_any_order)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 5);
    struct mesh_store_chain chain = {0};
    MESH_VEC(uint64_t *) live = {0};
    for (int i = 0; i < 20000; i++) {
        if (live.n < 500 || mesh_rng_below(&rng, 2) == 0) {
            size_t bytes = 8 + (size_t)mesh_rng_below(&rng, mesh_rng_below(&rng, 100) == 0 ? 200000 : 400);
            uint64_t *record = mesh_store_chain_add(&chain, bytes);
            CHECK(((uintptr_t)record & 15) == 0);
            *record = mesh_store_chain_serial(record);
            if (mesh_rng_below(&rng, 10) == 0)
                mesh_store_chain_cancel(&chain, record);
            else
                *mesh_vec_push(&live) = record;
        } else {
            size_t at = (size_t)mesh_rng_below(&rng, live.n);
            CHECK_EQ_U64(*live.v[at], mesh_store_chain_serial(live.v[at]));
            mesh_store_chain_free(&chain, live.v[at]);
            live.v[at] = live.v[--live.n];
        }
    }
    CHECK_EQ_U64(chain.live, live.n);
    uint64_t last = 0;
    size_t n = 0;
    for (void *r = mesh_store_chain_first(&chain); r != NULL; r = mesh_store_chain_after(&chain, r), n++) {
        CHECK(mesh_store_chain_serial(r) > last);
        last = mesh_store_chain_serial(r);
    }
    CHECK_EQ_U64(n, live.n);
    CHECK(mesh_store_chain_from(&chain, last + 1) == NULL);
    CHECK(mesh_store_chain_from(&chain, last) != NULL);
    for (size_t i = 0; i < live.n; i++)
        mesh_store_chain_free(&chain, live.v[i]);
    CHECK(chain.bytes <= 2 * MESH_STORE_CHUNK_BYTES);
    mesh_store_chain_deinit(&chain);
    mesh_vec_deinit(&live);
}
