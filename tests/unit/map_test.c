#include "../check.h"

#include "base/check.h"
#include "base/map.h"
#include "base/vec.h"

CASE(an_empty_map)
{
    mesh_cleanup(mesh_map_deinit) struct mesh_map map = MESH_MAP_NULL;
    CHECK(mesh_map_get(&map, "x") == NULL);
    CHECK(!mesh_map_has(&map, ""));
}

CASE(order_of_insertion_over_growth)
{
    mesh_cleanup(mesh_map_deinit) struct mesh_map map = MESH_MAP_NULL;
    static int values[5000];
    char key[32];
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "key-%d", i * 7919 % 5000);
        mesh_map_set(&map, key, &values[i]);
    }
    CHECK_EQ_U64(map.n, 5000);
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "key-%d", i * 7919 % 5000);
        CHECK_STR(map.entries[i].key, key);
        CHECK(mesh_map_get(&map, key) == &values[i]);
    }
    CHECK(!mesh_map_has(&map, "key-5000"));
}

CASE(setting_again_replaces_in_place)
{
    mesh_cleanup(mesh_map_deinit) struct mesh_map map = MESH_MAP_NULL;
    int a;
    int b;
    mesh_map_set(&map, "", &a);
    mesh_map_set(&map, "x", &a);
    mesh_map_set(&map, "", &b);
    CHECK_EQ_U64(map.n, 2);
    CHECK(mesh_map_get(&map, "") == &b && map.entries[0].value == &b);
    mesh_map_set(&map, "x", NULL);
    CHECK(mesh_map_has(&map, "x") && mesh_map_get(&map, "x") == NULL);
}

CASE(keys_are_copied)
{
    mesh_cleanup(mesh_map_deinit) struct mesh_map map = MESH_MAP_NULL;
    char key[] = "abc";
    mesh_map_set(&map, key, key);
    key[0] = 'X';
    CHECK(mesh_map_has(&map, "abc") && !mesh_map_has(&map, "Xbc"));
}

CASE(a_vector_grows)
{
    MESH_VEC(int) v = {0};
    for (int i = 0; i < 1000; i++)
        *mesh_vec_push(&v) = i;
    CHECK_EQ_U64(v.n, 1000);
    for (int i = 0; i < 1000; i++)
        CHECK(v.v[i] == i);
    mesh_vec_deinit(&v);
    CHECK(v.v == NULL && v.n == 0 && v.cap == 0);
}

CASE(a_vector_in_an_arena_grows_zeroed)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    MESH_VEC(int64_t) v = {0};
    for (int i = 0; i < 1000; i++) {
        int64_t *slot = mesh_vec_push_in(&arena, &v);
        CHECK_EQ_I64(*slot, 0);
        *slot = i;
    }
    for (int i = 0; i < 1000; i++)
        CHECK(v.v[i] == i);
}
