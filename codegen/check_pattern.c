/* Patterns. Which steps a record satisfies is decided from that record alone, before any run is looked at; `emit` then reads the
 * last record of each step: the run keeps what the earlier ones captured, the newest record is at hand. */
#include "codegen/check.h"

#include <string.h>

#define PATTERN_STEPS_MAX 64 /* bits of what a record satisfies */

static void check_shape_of_pattern(struct mesh_checker *c, const struct mesh_model_stream *stream)
{
    struct mesh_srcref at = mesh_check_key_at(stream->yaml, "pattern", stream->at);
    if (stream->emit.n == 0 && mesh_check_key_at(stream->yaml, "emit", (struct mesh_srcref){0}).source == NULL) {
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG002", at, "'streams.%s' has a pattern but no 'emit'", stream->name);
        mesh_diag_why(c->diags, diag, "a complete pattern gives one record, and 'emit' says what is in it");
        mesh_diag_fix(c->diags, diag, "add 'emit:' with one line per member, beside 'pattern:'");
    }
    if (stream->pattern.n > PATTERN_STEPS_MAX) {
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG034", at, "a pattern has at most %d steps", PATTERN_STEPS_MAX);
        mesh_diag_why(c->diags, diag, "this one has %zu", stream->pattern.n);
        mesh_diag_fix(c->diags, diag, "use 'times' for records that are alike, or cut the pattern in two streams");
    }
}

void mesh_check_pattern(struct mesh_checker *c, struct mesh_model_stream *stream, const struct mesh_scope *scope)
{
    check_shape_of_pattern(c, stream);
    mesh_check_keys(c, stream->pattern_by.v, stream->pattern_by.n, scope,
                    mesh_arena_printf(c->arena, "streams.%s.pattern.by", stream->name));
    struct mesh_scope base;
    mesh_scope_base(c, &base);
    struct mesh_scope emit = {.parent = &base};
    for (size_t i = 0; i < stream->pattern.n; i++) {
        struct mesh_model_pattern_step *step = &stream->pattern.v[i];
        if (step->where != NULL)
            mesh_check_expr(c, step->where, scope, MESH_GEN_BOOL,
                            mesh_arena_printf(c->arena, "streams.%s.pattern.%s.where", stream->name, step->name));
        bool last = i + 1 == stream->pattern.n;
        mesh_scope_namespace(c, &emit, step->name, scope->shape, last ? "r->" : mesh_arena_printf(c->arena, "run->%s_", step->name),
                             step->at);
        struct mesh_scope known = {.narrowed = {0}};
        for (size_t k = 0; k < scope->narrowed.n; k++) {
            if (strchr(scope->narrowed.v[k], '.') == NULL)
                *mesh_vec_push_in(c->arena, &known.narrowed) = scope->narrowed.v[k];
        }
        if (step->where != NULL && mesh_expr_type(step->where).kind == MESH_GEN_BOOL)
            mesh_expr_narrows(step->where, c->arena, &known);
        mesh_scope_narrow(c, &emit, step->name, known.narrowed.v, known.narrowed.n);
    }
    struct mesh_gen_shape *shape = mesh_shape_new(c, stream->name);
    mesh_check_assigns(c, stream->emit.v, stream->emit.n, &emit, mesh_arena_printf(c->arena, "streams.%s.emit", stream->name),
                       mesh_arena_printf(c->arena, "streams.%s", stream->name), shape);
    mesh_names_check_shape(c, shape);
    stream->shape = shape->members.n == 0 ? NULL : shape;
}
