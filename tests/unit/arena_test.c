#include "../check.h"

#include "base/arena.h"
#include "base/check.h"

static bool is_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != 0)
            return false;
    }
    return true;
}

CASE(aligned_zeroed_and_apart)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    char *before = NULL;
    for (size_t bytes = 0; bytes < 5000; bytes += 7) {
        char *p = mesh_arena_alloc(&arena, bytes);
        CHECK((uintptr_t)p % 16 == 0);
        CHECK(p != before);
        CHECK(is_zero(p, bytes));
        memset(p, 0xff, bytes);
        before = p;
    }
}

CASE(zeroed_again_behind_a_reset)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    memset(mesh_arena_alloc(&arena, 4000), 0xff, 4000);
    CHECK_EQ_U64(arena.bytes_total, 4000);
    mesh_arena_reset(&arena);
    CHECK_EQ_U64(arena.bytes_total, 0);
    CHECK(is_zero(mesh_arena_alloc(&arena, 4000), 4000));
}

CASE(a_large_request_does_not_waste_the_block)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    char *first = mesh_arena_alloc(&arena, 16);
    char *large = mesh_arena_alloc(&arena, 3 * MESH_ARENA_BLOCK_MAX);
    memset(large, 1, 3 * MESH_ARENA_BLOCK_MAX);
    char *second = mesh_arena_alloc(&arena, 16);
    CHECK(second == first + 16);
    mesh_arena_reset(&arena); /* keeps the largest */
    CHECK(mesh_arena_alloc(&arena, 16) == large);
}

CASE(texts)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    CHECK_STR(mesh_arena_strdup(&arena, "abc"), "abc");
    CHECK_STR(mesh_arena_str(&arena, (struct mesh_str){"abcdef", 3}), "abc");
    CHECK_STR(mesh_arena_str(&arena, (struct mesh_str){NULL, 0}), "");
    CHECK_STR(mesh_arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
    char *wide = mesh_arena_printf(&arena, "%9000d", 1);
    CHECK_EQ_U64(strlen(wide), 9000);
}

CASE(reset_and_deinit_of_an_empty_one)
{
    struct mesh_arena arena = MESH_ARENA_NULL;
    mesh_arena_reset(&arena);
    mesh_arena_deinit(&arena);
    CHECK(arena.block == NULL);
}
