/* States that go to the disk while records come, against the same engine whose states stay: every step says the same of every record,
 * also behind a crash; and what the memory's owner is told. */
#include "mini.h"
#include "store/spill.h"

#include "../check.h"
#include "base/check.h"
#include "base/rng.h"

#include <stddef.h>
#include <stdlib.h>

#define N    260000
#define KEYS 90000

struct row {
    int64_t n, sum, rest[20];
};

struct out {
    int64_t key, n;
};

static int64_t said[2][N];
static int64_t *saying;

static const struct mesh_field row_fields[] = {{.name = "n", .type = MESH_LONG, .offset = offsetof(struct row, n)},
                                               {.name = "sum", .type = MESH_LONG, .offset = offsetof(struct row, sum)}};
static const struct mesh_field out_fields[] = {{.name = "key", .type = MESH_LONG, .offset = offsetof(struct out, key)},
                                               {.name = "n", .type = MESH_LONG, .offset = offsetof(struct out, n)}};

static void finish(const void *row, void *out)
{
    ((struct out *)out)->n = ((const struct row *)row)->n;
}

static const struct mesh_view view = {
    .name = "sums", .out = out_fields, .n_out = 2, .n_key = 1, .out_size = sizeof(struct out), .finish = finish};
static const enum mesh_type cells[] = {MESH_LONG, MESH_DOUBLE};
static const struct mesh_state states[] = {
    {.name = "seen", .kind = MESH_STATE_DEDUPE, .within_us = 1000000 * MINI_SECOND},
    {.name = "sums", .kind = MESH_STATE_VIEW, .fields = row_fields, .n_fields = 2, .row_size = sizeof(struct row), .view = &view},
    {.name = "ring", .kind = MESH_STATE_RING, .keep_us = 60 * MINI_SECOND, .cells = cells, .n_cells = 2},
};

static void process(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct mini_event *e = record;
    struct mesh_key key, pair;
    mesh_key_begin(&key);
    mesh_key_long(&key, e->key);
    mesh_key_begin(&pair);
    mesh_key_long(&pair, e->key);
    mesh_key_long(&pair, e->value);
    bool is_new = mesh_dedupe(task, 0, &pair, event);
    struct row *row = mesh_view_row(task, 1, &key, event);
    row->n++;
    row->sum += e->value;
    const union mesh_cell values[] = {{.d = e->value}, {.f = (double)e->value}};
    struct mesh_ring *ring = mesh_ring_add(task, 2, &key, event, values);
    union mesh_cell sums[2];
    int64_t last = mesh_ring_sum(ring, e->at - 40 * MINI_SECOND, e->at, sums);
    saying[e->id] = row->sum * 100000000 + row->n * 100000 + last * 2000 + (int64_t)sums[0].d * 2 + is_new;
}

static const struct mesh_input inputs[] = {MINI_INPUT("in", process)};
MINI_PRODUCT(product, inputs, 1, states);

static struct mini_event event_at(struct mesh_rng *rng, int64_t i)
{
    uint64_t key =
        mesh_rng_below(rng, 4) == 0 ? mesh_rng_below(rng, KEYS) : (uint64_t)(i * KEYS / N); /* most keys go by, some come back */
    return (struct mini_event){
        .id = i, .key = (int64_t)key, .value = (int64_t)mesh_rng_below(rng, 3), .at = MINI_START_US + i * 1000};
}

static void run(struct mesh_store_spill *spill, int64_t *to, uint64_t *ret_moved)
{
    struct mini m = {0};
    struct mesh_rng events, faults;
    struct mesh_err err = {0};
    mesh_rng_seed(&events, 7);
    mesh_rng_seed(&faults, 8);
    saying = to;
    m.spill = spill;
    mini_start_with(&m, &product);
    for (int64_t i = 0; i < N; i++) {
        struct mini_event event = event_at(&events, i);
        mini_feed(&m, 0, &event);
        if (i == N / 2)
            mini_crash(&m);
        if (spill == NULL || i % 4000 != 0)
            continue;
        uint64_t moved = 0;
        CHECK(mesh_engine_spill(m.engine, mesh_rng_below(&faults, 3) * MESH_STORE_BLOCK_BYTES, &moved, &err) == 0);
        *ret_moved += moved;
        if (mesh_rng_below(&faults, 4) == 0)
            mesh_engine_chill(m.engine);
    }
    struct mesh_engine_memory memory;
    mesh_engine_memory(m.engine, &memory);
    CHECK(spill != NULL || strcmp(memory.largest, "sums") == 0); /* of tables, what is out does not count */
    CHECK(memory.largest_bytes <= memory.state_bytes - memory.out_bytes);
    CHECK((memory.out_bytes > 0) == (spill != NULL));
    uint64_t moved = 0;
    CHECK(mesh_engine_spill(m.engine, UINT64_MAX, &moved, &err) == 0); /* all that can go */
    uint64_t before = memory.out_bytes;
    mesh_engine_memory(m.engine, &memory);
    CHECK_EQ_U64(memory.out_bytes, before + moved);
    CHECK(mesh_engine_spill(m.engine, UINT64_MAX, &moved, &err) == 0);
    CHECK_EQ_U64(moved, 0);
    mini_stop(&m);
}

CASE(steps_say_the_same_wherever_their_rows_are)
{
    struct mesh_store_spill *spill = NULL;
    struct mesh_err err = {0};
    uint64_t moved = 0;
    const char *dir = getenv("TMPDIR");
    REQUIRE(mesh_store_spill_open(dir == NULL ? "/tmp" : dir, &spill, &err) == 0);
    run(NULL, said[0], &moved);
    CHECK_EQ_U64(moved, 0);
    run(spill, said[1], &moved);
    CHECK(moved >= 10 * MESH_STORE_BLOCK_BYTES);
    for (size_t i = 0; i < N; i++)
        if (said[0][i] != said[1][i]) {
            CHECK_EQ_I64(said[1][i], said[0][i]);
            break;
        }
    mesh_store_spill_close(spill);
}

CASE(a_paused_engine_wants_nothing)
{
    struct mini m;
    mini_start(&m, &product);
    CHECK(mesh_engine_wants(m.engine, 0, 0));
    mesh_engine_pause(m.engine, true);
    CHECK(!mesh_engine_wants(m.engine, 0, 0));
    mesh_engine_pause(m.engine, false);
    CHECK(mesh_engine_wants(m.engine, 0, 0));
    mini_stop(&m);
}
