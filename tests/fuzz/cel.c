/* Expressions: what is accepted prints as a text that is accepted, with the same type, the same C, and the same print. */
#include "fuzz.h"

#include "codegen/expr.h"

#include <string.h>

static const struct mesh_gen_member members[] = {
    {.name = "b", .cname = "b", .type = {.kind = MESH_GEN_BOOL}},
    {.name = "i", .cname = "i", .type = {.kind = MESH_GEN_INT}},
    {.name = "d", .cname = "d", .type = {.kind = MESH_GEN_DOUBLE}},
    {.name = "m", .cname = "m", .type = {.kind = MESH_GEN_DECIMAL, .precision = 12, .scale = 2}},
    {.name = "s", .cname = "s", .type = {.kind = MESH_GEN_STRING}},
    {.name = "y", .cname = "y", .type = {.kind = MESH_GEN_BYTES}},
    {.name = "t", .cname = "t", .type = {.kind = MESH_GEN_TIMESTAMP}},
    {.name = "u", .cname = "u", .type = {.kind = MESH_GEN_DURATION}},
    {.name = "a", .cname = "a", .type = {.kind = MESH_GEN_DATE}},
    {.name = "ni", .cname = "ni", .type = {.kind = MESH_GEN_INT, .nullable = true}},
    {.name = "ns", .cname = "ns", .type = {.kind = MESH_GEN_STRING, .nullable = true}},
};

struct compiled {
    bool ok;
    struct mesh_gen_type type;
    struct mesh_buf print, c;
};

static void compile(struct mesh_arena *arena, const char *text, const struct mesh_scope *scope, struct compiled *ret)
{
    struct mesh_diags diags = {.arena = arena};
    *ret = (struct compiled){0};
    struct mesh_expr *expr = mesh_expr_parse(arena, &diags, text, (struct mesh_srcref){0});
    FUZZ_HOLDS(expr != NULL || diags.n_errors > 0);
    if (expr == NULL)
        return;
    ret->type = mesh_expr_check(expr, arena, &diags, scope, NULL, NULL, NULL, NULL);
    FUZZ_HOLDS((ret->type.kind == MESH_GEN_ERROR) == (diags.n_errors > 0));
    ret->ok = diags.n_errors == 0;
    if (!ret->ok)
        return;
    mesh_expr_print(expr, &ret->print);
    mesh_expr_emit(expr, &ret->c);
    mesh_expr_emit_present(expr, &ret->c);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct mesh_arena arena = {0};
    struct mesh_gen_shape shape = {.cname = "rec"};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        *mesh_vec_push_in(&arena, &shape.members) = members[i];
    const struct mesh_scope scope = {.shape = &shape, .c_prefix = "r->"};
    const char *text = mesh_arena_str(&arena, (struct mesh_str){(const char *)bytes, (uint32_t)n});
    struct compiled first, second;
    compile(&arena, text, &scope, &first);
    if (first.ok && first.print.n <= MESH_EXPR_BYTES_MAX) {
        compile(&arena, first.print.p, &scope, &second);
        FUZZ_HOLDS(second.ok);
        FUZZ_HOLDS(mesh_gen_type_eq(&first.type, &second.type));
        FUZZ_HOLDS(strcmp(first.print.p, second.print.p) == 0);
        FUZZ_HOLDS(strcmp(first.c.p, second.c.p) == 0);
        mesh_buf_deinit(&second.print);
        mesh_buf_deinit(&second.c);
    }
    mesh_buf_deinit(&first.print);
    mesh_buf_deinit(&first.c);
    mesh_arena_deinit(&arena);
    return 0;
}
