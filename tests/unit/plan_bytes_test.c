/* The compiler's figures of memory against the platform's own: the sizes it repeats, and tables that are really filled. */
#include "codegen/plan_bytes.h"
#include "flow/task_int.h"
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
