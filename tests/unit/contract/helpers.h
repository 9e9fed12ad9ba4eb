/* Shared by the tests of contract/: parse a schema, read what was diagnosed, read fixtures. */
#ifndef MESH_TESTS_CONTRACT_HELPERS_H
#define MESH_TESTS_CONTRACT_HELPERS_H

#include "../../check.h"

#include "base/check.h"
#include "base/fs.h"
#include "base/json.h"
#include "contract/schema.h"

#include <stdlib.h>

static struct mesh_arena arena;
static struct mesh_diags diags;

/* Schemas are written with ' in place of ". */
static inline const char *quotes(const char *text)
{
    char *copy = mesh_arena_strdup(&arena, text);
    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    return copy;
}

static inline struct mesh_schema *parse(const char *text)
{
    diags = (struct mesh_diags){.arena = &arena};
    text = quotes(text);
    const struct mesh_source *source = mesh_source_new(&arena, "test.avsc", text, strlen(text));
    return mesh_schema_parse(&arena, source, &diags);
}

/* "MC003 strng": the code and the exact bytes that diagnostic i points at; "" when there is none. */
static inline const char *found(size_t i)
{
    if (i >= diags.list.n)
        return "";
    const struct mesh_diag *d = diags.list.v[i];
    return mesh_arena_printf(&arena, "%s %.*s", d->code, (int)(d->at.end - d->at.begin), d->at.source->text + d->at.begin);
}

static inline const char *hex(const void *bytes, size_t n)
{
    char *text = mesh_arena_alloc(&arena, 2 * n + 1);
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", ((const unsigned char *)bytes)[i]);
    return text;
}

static inline const char *unhex(const char *text, size_t *ret_n)
{
    size_t n = strlen(text) / 2;
    char *bytes = mesh_arena_alloc(&arena, n + 1);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)strtoul((char[]){text[2 * i], text[2 * i + 1], '\0'}, NULL, 16);
    *ret_n = n;
    return bytes;
}

/* A fixture beside this file, as JSON. Tests run in the project's folder. */
static inline const struct mesh_json *fixture(const char *name)
{
    struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    const char *path = mesh_arena_printf(&arena, "tests/unit/contract/%s", name);
    if (mesh_fs_read(path, 1 << 20, &text, &err) < 0) {
        printf("# %s\n", err.text);
        return NULL;
    }
    const char *copy = mesh_arena_str(&arena, (struct mesh_str){text.p, (uint32_t)text.n});
    diags = (struct mesh_diags){.arena = &arena};
    const struct mesh_source *source = mesh_source_new(&arena, path, copy, text.n);
    mesh_buf_deinit(&text);
    return mesh_json_parse(&arena, source, &diags, "FIXTURE");
}

/* The text of a part of a fixture, as it stands there. */
static inline const char *raw(const struct mesh_json *json)
{
    return mesh_arena_printf(&arena, "%.*s", (int)(json->at.end - json->at.begin), json->at.source->text + json->at.begin);
}

#endif
