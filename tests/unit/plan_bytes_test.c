/* The compiler's figures of memory against the platform's own: the sizes it repeats, and tables that are really filled. */
#include "codegen/plan_bytes.h"
#include "flow/state.h"
#include "store/table.h"

#include "../check.h"

#include <stdio.h>

CASE(sizes_are_those_of_the_platform)
{
    CHECK_EQ_U64(sizeof(struct mesh_store_row), MESH_PLAN_ROW_HEAD);
    CHECK_EQ_U64(MESH_STORE_KEY_INLINE, MESH_PLAN_KEY_INLINE);
    CHECK_EQ_U64(sizeof(struct mesh_flow_view_row), MESH_PLAN_VIEW_HEAD);
    CHECK_EQ_U64(sizeof(union mesh_cell), MESH_PLAN_CELL_BYTES);
}

/* Bytes of a table with so many rows, without its buckets: one bucket here, and how many there are no declaration says. */
static uint64_t filled(uint32_t rows, size_t payload, size_t key_n)
{
    struct mesh_store_table table;
    char key[64] = {0};
    mesh_store_table_init(&table, payload, NULL, NULL);
    for (uint32_t i = 0; i < rows; i++) {
        bool is_new = false;
        snprintf(key, sizeof key, "%0*u", (int)key_n, i);
        mesh_store_table_make(&table, 0, key, key_n, 0, &is_new);
    }
    uint64_t bytes = table.bytes - table.cap_buckets * sizeof(struct mesh_store_bucket);
    mesh_store_table_deinit(&table);
    return bytes;
}

CASE(tables_take_what_is_said)
{
    static const uint32_t rows[] = {1, 39, 40, 128, 129, 5000, 8192, 8193, 100000, 200001};
    static const size_t payloads[] = {0, 8, 24, 40, 33, 112, 500};
    static const size_t keys[] = {18, 24, 36};
    for (size_t r = 0; r < MESH_LEN(rows); r++) {
        for (size_t p = 0; p < MESH_LEN(payloads); p++) {
            struct mesh_plan_bytes bytes = {.payload = payloads[p], .key = keys[(r + p) % MESH_LEN(keys)]};
            bytes.stride = (MESH_PLAN_ROW_HEAD + bytes.payload + 15) / 16 * 16;
            CHECK_EQ_U64(filled(rows[r], bytes.payload, bytes.key), mesh_plan_table_bytes(rows[r], &bytes));
        }
    }
}

/* One row of the kind, read from the image of so many items: what it owns then. The image is the kind's own; nothing is captured.
 */
static uint64_t owned(const struct mesh_flow_kind *kind, const struct mesh_state *decl, uint64_t n)
{
    struct mesh_engine engine = {0};
    struct mesh_task task = {.engine = &engine};
    struct mesh_flow_state state = {.decl = decl, .task = &task};
    _Alignas(16) char memory[sizeof(struct mesh_store_row) + 64] = {0};
    struct mesh_store_row *row = (struct mesh_store_row *)(void *)memory;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf image = MESH_BUF_NULL;
    mesh_buf_varint(&image, n);
    for (uint64_t i = 0; i < n; i++) {
        mesh_buf_zigzag(&image, (int64_t)i + 1); /* time of an event, a version, a run's first record */
        for (int k = 0; k < 3 && kind == &mesh_flow_kind_pattern; k++)
            mesh_buf_varint(&image, 0); /* its step and hits, and no last record */
    }
    struct mesh_cursor in = mesh_cursor_of(image.p, image.n);
    CHECK(kind->read(&state, row, &in));
    CHECK(in.p == in.end);
    uint64_t bytes = state.owned_bytes;
    kind->drop(&state, mesh_store_row_payload(row));
    CHECK_EQ_U64(state.owned_bytes, 0);
    return bytes;
}

CASE(kinds_keep_and_own_what_is_said)
{
    const struct mesh_state decl = {.name = "s", .row_size = 40};
    const struct mesh_state bare = {.name = "s"};
    CHECK_EQ_U64(mesh_flow_kind_view.payload_bytes(&decl), MESH_PLAN_VIEW_HEAD + 40);
    CHECK_EQ_U64(mesh_flow_kind_table.payload_bytes(&decl), 40);
    CHECK_EQ_U64(mesh_flow_kind_dedupe.payload_bytes(&decl), sizeof(int64_t));
    CHECK_EQ_U64(mesh_flow_kind_latch.payload_bytes(&decl), 0);
    CHECK_EQ_U64(mesh_flow_kind_ring.payload_bytes(&decl), MESH_PLAN_RING_BYTES);
    CHECK_EQ_U64(mesh_flow_kind_versions.payload_bytes(&decl), MESH_PLAN_VERSIONS_BYTES);
    CHECK_EQ_U64(mesh_flow_kind_pattern.payload_bytes(&decl), MESH_PLAN_RUNS_BYTES);
    CHECK_EQ_U64(mesh_flow_kind_interval.payload_bytes(&decl), MESH_PLAN_INTERVAL_BYTES);
    for (uint64_t n = 1; n <= 2; n++) { /* there is room for more at once, and doubled when it is used up */
        CHECK_EQ_U64(owned(&mesh_flow_kind_ring, &bare, n * MESH_PLAN_RING_FIRST),
                     n * MESH_PLAN_RING_FIRST * MESH_PLAN_EVENT_BYTES);
        CHECK_EQ_U64(owned(&mesh_flow_kind_versions, &decl, n * MESH_PLAN_VERSIONS_FIRST),
                     n * MESH_PLAN_VERSIONS_FIRST * (MESH_PLAN_EVENT_BYTES + 40));
        CHECK_EQ_U64(owned(&mesh_flow_kind_interval, &decl, n * MESH_PLAN_INTERVAL_FIRST),
                     n * MESH_PLAN_INTERVAL_FIRST * (MESH_PLAN_EVENT_BYTES + 40));
        CHECK_EQ_U64(owned(&mesh_flow_kind_pattern, &decl, n * MESH_PLAN_RUNS_FIRST),
                     n * MESH_PLAN_RUNS_FIRST * (MESH_PLAN_RUN_BYTES + 40));
    }
    CHECK_EQ_U64(owned(&mesh_flow_kind_ring, &bare, 1), MESH_PLAN_RING_FIRST * MESH_PLAN_EVENT_BYTES);
    CHECK_EQ_U64(owned(&mesh_flow_kind_versions, &decl, 1), MESH_PLAN_VERSIONS_FIRST * (MESH_PLAN_EVENT_BYTES + 40));
    CHECK_EQ_U64(owned(&mesh_flow_kind_pattern, &decl, 1), MESH_PLAN_RUNS_FIRST * (MESH_PLAN_RUN_BYTES + 40));
}
