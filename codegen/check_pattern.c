/* Patterns. Which steps a record satisfies is decided from that record alone, before any run is looked at; `emit` then reads the
 * last record of each step: the run keeps what the earlier ones captured, the newest record is at hand. Of what must not come there is
 * no record, and behind an absence there is none at hand. */
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

static struct mesh_diag *bad_step(struct mesh_checker *c, const struct mesh_model_pattern_step *step, const char *key,
                                  const char *code, const char *text)
{
    return mesh_diag_add(c->diags, MESH_ERROR, code, mesh_check_key_at(step->yaml, key, step->at), "%s", text);
}

/* Where a step that must not come may stand, and what it may say. */
static void check_forbidden(struct mesh_checker *c, const struct mesh_model_stream *stream, size_t i)
{
    const struct mesh_model_pattern_step *step = &stream->pattern.v[i];
    const struct mesh_srcref none = {0};
    bool last = i + 1 == stream->pattern.n;
    if (!step->forbidden)
        return;
    if (i == 0) {
        struct mesh_diag *diag =
            bad_step(c, step, step->absent_us > 0 ? "absent" : "not", "MG022", "a pattern cannot begin with what must not come");
        mesh_diag_why(c->diags, diag, "a run begins at a record; before it, there is no run that could end");
        mesh_diag_fix(c->diags, diag, "put the step that begins it in front of '%s'", step->name);
    } else if (step->absent_us > 0 && !last) {
        struct mesh_diag *diag = bad_step(c, step, "absent", "MG022", "'absent' belongs to the last step");
        mesh_diag_why(c->diags, diag, "the pattern is complete when the time is over; nothing comes behind that");
        mesh_diag_fix(c->diags, diag, "between two steps write '%s: { not: true }'", step->name);
    } else if (step->absent_us == 0 && last) {
        struct mesh_diag *diag = bad_step(c, step, "not", "MG022", "nothing says how long this must not come");
        mesh_diag_why(c->diags, diag, "behind the last step, no other record ends the time in which it counts");
        mesh_diag_fix(c->diags, diag, "write '%s: { absent: 2h }'", step->name);
    }
    if (mesh_check_key_at(step->yaml, "times", none).source != NULL) {
        struct mesh_diag *diag = bad_step(c, step, "times", "MG005", "'times' does not go with what must not come");
        mesh_diag_why(c->diags, diag, "the first such record ends the run");
        mesh_diag_fix(c->diags, diag, "remove 'times'");
    }
    if (step->absent_us > 0 && mesh_check_key_at(step->yaml, "not", none).source != NULL) {
        struct mesh_diag *diag = bad_step(c, step, "not", "MG005", "'not' does not go with 'absent'");
        mesh_diag_why(c->diags, diag, "'absent' says already that it must not come, and for how long");
        mesh_diag_fix(c->diags, diag, "remove 'not'");
    }
}

static void check_overlap(struct mesh_checker *c, const struct mesh_model_stream *stream)
{
    if (stream->pattern_overlap != MESH_OVERLAP_LATEST || stream->pattern.n == 0 || stream->pattern.v[0].times <= 1)
        return;
    struct mesh_diag *diag =
        bad_step(c, &stream->pattern.v[0], "times", "MG005", "'times' of the first step does not go with 'overlap: latest'");
    mesh_diag_why(c->diags, diag,
                  "each of its records begins a run and replaces the one before, which so never gets to the second");
    mesh_diag_fix(c->diags, diag, "write 'overlap: skip' or 'overlap: all'");
}

void mesh_check_pattern(struct mesh_checker *c, struct mesh_model_stream *stream, const struct mesh_scope *scope)
{
    check_shape_of_pattern(c, stream);
    check_overlap(c, stream);
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
        check_forbidden(c, stream, i);
        if (step->forbidden)
            continue;
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
