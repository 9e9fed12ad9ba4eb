/* Declarations: from bytes to a tree, and the tree against each vocabulary. */
#include "fuzz.h"

#include "base/diag.h"
#include "codegen/bind.h"

static void check(struct mesh_arena *arena, const struct mesh_source *source, const struct mesh_bind_table *table)
{
    struct mesh_diags diags = {.arena = arena};
    const struct mesh_yaml *root = mesh_yaml_parse(arena, source, &diags);
    FUZZ_HOLDS(root != NULL || diags.n_errors > 0);
    if (root != NULL)
        mesh_bind_check(table, root, "any.yaml", arena, &diags);
    for (size_t i = 0; i < diags.list.n; i++) {
        const struct mesh_srcref at = diags.list.v[i]->at;
        FUZZ_HOLDS(at.source == NULL || (at.begin <= at.end && at.end <= at.source->n + 1));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct mesh_arena arena = {0};
    const char *text = mesh_arena_str(&arena, (struct mesh_str){(const char *)bytes, (uint32_t)n});
    const struct mesh_source *source = mesh_source_new(&arena, "any.yaml", text, n);
    check(&arena, source, &mesh_bind_product);
    check(&arena, source, &mesh_bind_mesh);
    check(&arena, source, &mesh_bind_test);
    mesh_arena_deinit(&arena);
    return 0;
}
