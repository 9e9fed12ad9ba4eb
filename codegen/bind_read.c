/* Reading values out of a tree that mesh_bind_check() has seen. */
#include "codegen/bind.h"

#include "base/check.h"
#include "base/text.h"

#include <string.h>

/* Text of the value, its default when absent, or NULL. */
static const char *text_or_default(const struct mesh_bind_table *table, const struct mesh_yaml *map, const char *path,
                                   const struct mesh_bind_key **ret_key)
{
    const struct mesh_bind_key *key = mesh_bind_find(table, path);
    mesh_assert(key != NULL);
    const char *dot = strrchr(path, '.');
    const char *text = mesh_bind_text(map, dot == NULL ? path : dot + 1);
    *ret_key = key;
    return text == NULL ? key->fallback : text;
}

int64_t mesh_bind_duration(const struct mesh_bind_table *table, const struct mesh_yaml *map, const char *path)
{
    const struct mesh_bind_key *key;
    const char *text = text_or_default(table, map, path, &key);
    int64_t us = 0;
    if (text != NULL && mesh_text_parse_duration(mesh_str_of(text), &us) != 0)
        return 0;
    return us;
}

int64_t mesh_bind_offset(const struct mesh_yaml *node)
{
    int64_t us = 0;
    if (node->bad || node->kind != MESH_YAML_SCALAR || node->text == NULL)
        return 0;
    bool back = node->text[0] == '-';
    if (mesh_text_parse_duration(mesh_str_of(node->text + back), &us) != 0)
        return 0;
    return back ? -us : us;
}

int64_t mesh_bind_integer(const struct mesh_bind_table *table, const struct mesh_yaml *map, const char *path)
{
    const struct mesh_bind_key *key;
    const char *text = text_or_default(table, map, path, &key);
    int64_t v = 0;
    if (text != NULL && mesh_text_parse_long(mesh_str_of(text), &v) != 0)
        return 0;
    return v;
}

bool mesh_bind_bool(const struct mesh_bind_table *table, const struct mesh_yaml *map, const char *path)
{
    const struct mesh_bind_key *key;
    const char *text = text_or_default(table, map, path, &key);
    return text != NULL && strcmp(text, "true") == 0;
}

int mesh_bind_enum(const struct mesh_bind_table *table, const struct mesh_yaml *map, const char *path)
{
    const struct mesh_bind_key *key;
    const char *text = text_or_default(table, map, path, &key);
    int index = -1;
    if (text != NULL && !mesh_bind_word_in(key->values, text, &index))
        return -1;
    return index;
}

const char *mesh_bind_text(const struct mesh_yaml *map, const char *key)
{
    const struct mesh_yaml *node = mesh_yaml_get(map, key);
    return node == NULL || node->bad || node->kind != MESH_YAML_SCALAR || mesh_yaml_is_empty(node) ? NULL : node->text;
}
