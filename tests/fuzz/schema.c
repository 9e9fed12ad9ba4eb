/* Contracts: what is accepted has a canonical form that is accepted, means the same, and is its own canonical form. */
#include "fuzz.h"

#include "contract/compat.h"
#include "contract/resolve.h"

#include <string.h>

static struct mesh_schema *parse(struct mesh_arena *arena, const char *text, size_t n)
{
    struct mesh_diags diags = {.arena = arena};
    struct mesh_schema *schema = mesh_schema_parse(arena, mesh_source_new(arena, "any.avsc", text, n), &diags);
    FUZZ_HOLDS((schema == NULL) == (diags.n_errors > 0));
    return schema;
}

static void check(struct mesh_arena *arena, const struct mesh_schema *schema)
{
    struct mesh_buf canonical = MESH_BUF_NULL, again = MESH_BUF_NULL, normal = MESH_BUF_NULL;
    mesh_schema_canonical(schema, &canonical);
    const struct mesh_schema *second = parse(arena, canonical.p, canonical.n);
    FUZZ_HOLDS(second != NULL);
    mesh_schema_canonical(second, &again);
    FUZZ_HOLDS(strcmp(canonical.p, again.p) == 0);
    FUZZ_HOLDS(mesh_schema_fingerprint(schema) == mesh_schema_fingerprint(second));
    mesh_schema_normal(schema, &normal);
    FUZZ_HOLDS(parse(arena, normal.p, normal.n) != NULL);
    FUZZ_HOLDS(mesh_compat_ok(schema, schema));
    struct mesh_resolve *resolve = NULL;
    struct mesh_err err = {0};
    if (mesh_resolve_new(schema, schema, &resolve, &err) == 0)
        mesh_resolve_free(resolve);
    mesh_buf_deinit(&canonical);
    mesh_buf_deinit(&again);
    mesh_buf_deinit(&normal);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct mesh_arena arena = {0};
    const char *text = mesh_arena_str(&arena, (struct mesh_str){(const char *)bytes, (uint32_t)n});
    const struct mesh_schema *schema = parse(&arena, text, n);
    if (schema != NULL)
        check(&arena, schema);
    mesh_arena_deinit(&arena);
    return 0;
}
