#include "codegen/data.h"

#include <stdarg.h>
#include <string.h>

static struct mesh_data *data_new(struct mesh_arena *arena, enum mesh_data_kind kind)
{
    struct mesh_data *data = mesh_arena_new(arena, struct mesh_data);
    data->kind = kind;
    return data;
}

struct mesh_data *mesh_data_map(struct mesh_arena *arena)
{
    return data_new(arena, MESH_DATA_MAP);
}

struct mesh_data *mesh_data_list(struct mesh_arena *arena)
{
    return data_new(arena, MESH_DATA_LIST);
}

void mesh_data_set(struct mesh_arena *arena, struct mesh_data *map, const char *name, struct mesh_data *value)
{
    mesh_assert(map->kind == MESH_DATA_MAP && mesh_data_get(map, name) == NULL);
    *mesh_vec_push_in(arena, &map->keys) = name;
    *mesh_vec_push_in(arena, &map->items) = value;
}

void mesh_data_code(struct mesh_arena *arena, struct mesh_data *map, const char *name, const char *format, ...)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    va_list args;
    va_start(args, format);
    mesh_buf_vprintf(&text, format, args);
    va_end(args);
    struct mesh_data *value = data_new(arena, MESH_DATA_CODE);
    value->text = mesh_arena_strdup(arena, text.p == NULL ? "" : text.p);
    mesh_data_set(arena, map, name, value);
}

void mesh_data_prose(struct mesh_arena *arena, struct mesh_data *map, const char *name, const char *text)
{
    struct mesh_data *value = data_new(arena, MESH_DATA_PROSE);
    value->text = text == NULL ? "" : text;
    mesh_data_set(arena, map, name, value);
}

void mesh_data_flag(struct mesh_arena *arena, struct mesh_data *map, const char *name, bool flag)
{
    struct mesh_data *value = data_new(arena, MESH_DATA_FLAG);
    value->flag = flag;
    mesh_data_set(arena, map, name, value);
}

struct mesh_data *mesh_data_sub(struct mesh_arena *arena, struct mesh_data *map, const char *name)
{
    struct mesh_data *list = mesh_data_list(arena);
    mesh_data_set(arena, map, name, list);
    return list;
}

struct mesh_data *mesh_data_add(struct mesh_arena *arena, struct mesh_data *list)
{
    mesh_assert(list->kind == MESH_DATA_LIST);
    struct mesh_data *map = mesh_data_map(arena);
    *mesh_vec_push_in(arena, &list->items) = map;
    return map;
}

const struct mesh_data *mesh_data_get(const struct mesh_data *map, const char *name)
{
    if (map->kind != MESH_DATA_MAP)
        return NULL;
    for (size_t i = 0; i < map->keys.n; i++)
        if (strcmp(map->keys.v[i], name) == 0)
            return map->items.v[i];
    return NULL;
}
