/* The descriptors of structs: what a row, what is shown of it, and what a run of a pattern consist of. */
#include "codegen/check.h"
#include "codegen/emit_tables.h"

#include <string.h>

/* A shape's members as descriptors of `struct <owner>`. */
void mesh_table_struct_fields(struct table_emit *t, const char *name, const struct mesh_emit_struct *s)
{
    mesh_emit_line(t->out, 0, "static const struct mesh_field %s[] = {", name);
    for (size_t i = 0; i < s->members.n; i++)
        mesh_emit_field(t->e, t->out, s->name, s->members.v[i], MESH_AS_IS);
    mesh_emit_line(t->out, 0, "};");
    mesh_emit_blank(t->out);
}

static void plain_field(struct table_emit *t, const char *name, const char *type, const char *owner, const char *extra)
{
    mesh_emit_line(t->out, 1,
                   "{.name = \"%s\", .doc = \"\", .type = %s, .offset = offsetof(struct %s, %s), .label = MESH_INTERNAL%s},", name,
                   type, owner, name, extra);
}

/* The accumulators of a view's row, as checkpoints store them. */
void mesh_table_row_fields(struct table_emit *t, const struct mesh_model_view *m)
{
    struct mesh_emitter *e = t->e;
    const char *owner = mesh_arena_printf(e->arena, "%s_row", m->name);
    if (m->aggregates.list.n == 0 && m->state.n == 0 && m->min_people == 0)
        return;
    mesh_emit_line(t->out, 0, "static const struct mesh_field fields_of_%s[] = {", owner);
    for (size_t i = 0; i < m->aggregates.list.n; i++) {
        const struct mesh_aggregate *a = &m->aggregates.list.v[i];
        const char *extra_n = mesh_arena_printf(e->arena, "%s_n", a->cname);
        if (a->shared)
            continue;
        switch (a->fn) {
        case MESH_AGG_DISTINCT:
        case MESH_AGG_QUANTILE:
            plain_field(t, a->cname, "MESH_BYTES", owner, "");
            break;
        case MESH_AGG_COUNT:
            plain_field(t, a->cname, "MESH_LONG", owner, "");
            break;
        case MESH_AGG_SUM:
        case MESH_AGG_AVG:
            if (a->arg_type.kind == MESH_GEN_DOUBLE)
                plain_field(t, a->cname, "MESH_DOUBLE", owner, "");
            else
                plain_field(t, a->cname, "MESH_DECIMAL", owner,
                            mesh_arena_printf(e->arena, ", .precision = MESH_DEC_DIGITS_MAX, .scale = %d", a->arg_type.scale));
            if (a->fn == MESH_AGG_AVG)
                plain_field(t, extra_n, "MESH_LONG", owner, "");
            break;
        case MESH_AGG_VARIANCE:
            plain_field(t, a->cname, "MESH_DOUBLE", owner, "");
            plain_field(t, mesh_arena_printf(e->arena, "%s_m2", a->cname), "MESH_DOUBLE", owner, "");
            plain_field(t, extra_n, "MESH_LONG", owner, "");
            break;
        case MESH_AGG_MIN:
        case MESH_AGG_MAX:
        case MESH_AGG_FIRST:
        case MESH_AGG_LAST: {
            const char *symbols = a->arg_type.kind == MESH_GEN_ENUM
                                      ? mesh_arena_printf(e->arena, ", .symbols = %s", mesh_emit_symbols(e, a->arg_type.schema))
                                      : "";
            const char *digits =
                a->arg_type.kind == MESH_GEN_DECIMAL
                    ? mesh_arena_printf(e->arena, ", .precision = %d, .scale = %d", a->arg_type.precision, a->arg_type.scale)
                    : "";
            plain_field(t, a->cname, mesh_emit_field_type(&a->arg_type), owner,
                        mesh_arena_printf(e->arena, "%s%s, .nullable = true, .present = offsetof(struct %s, %s_set)", symbols,
                                          digits, owner, a->cname));
            break;
        }
        case MESH_AGG_FN_COUNT:
            break;
        }
    }
    for (size_t i = 0; i < m->state.n; i++) {
        const struct mesh_model_state *s = &m->state.v[i];
        const char *digits = s->type.kind == MESH_GEN_DECIMAL
                                 ? mesh_arena_printf(e->arena, ", .precision = %d, .scale = %d", s->type.precision, s->type.scale)
                                 : "";
        const char *there =
            s->type.nullable
                ? mesh_arena_printf(e->arena, ", .nullable = true, .present = offsetof(struct %s, %s_set)", owner, s->name)
                : "";
        const char *symbols = s->type.kind == MESH_GEN_ENUM
                                  ? mesh_arena_printf(e->arena, ", .symbols = %s", mesh_emit_symbols(e, s->type.schema))
                                  : "";
        plain_field(t, s->name, mesh_emit_field_type(&s->type), owner,
                    mesh_arena_printf(e->arena, "%s%s%s", digits, symbols, there));
    }
    if (m->min_people > 0)
        plain_field(t, "people", "MESH_BYTES", owner, "");
    mesh_emit_line(t->out, 0, "};");
    mesh_emit_blank(t->out);
}

void mesh_table_out_fields(struct table_emit *t, const struct mesh_model_view *m)
{
    const char *owner = mesh_arena_printf(t->e->arena, "%s_out", m->name);
    mesh_emit_line(t->out, 0, "static const struct mesh_field fields_of_%s[] = {", owner);
    for (size_t i = 0; i < m->by.n; i++)
        mesh_emit_field(t->e, t->out, owner, &m->shape->members.v[i], MESH_AS_IS);
    if (m->window != MESH_WINDOW_NONE) {
        plain_field(t, "window_start", "MESH_TIMESTAMP", owner, "");
        plain_field(t, "window_end", "MESH_TIMESTAMP", owner, "");
        plain_field(t, "final", "MESH_BOOL", owner, "");
    }
    plain_field(t, "revision", "MESH_LONG", owner, "");
    for (size_t i = m->by.n; i < m->shape->members.n; i++) {
        struct mesh_gen_member member = m->shape->members.v[i];
        if (mesh_privacy_many(m, &member))
            member.label = MESH_INTERNAL; /* as it is shown of many */
        mesh_emit_field(t->e, t->out, owner, &member, MESH_AS_IS);
    }
    mesh_emit_line(t->out, 0, "};");
    mesh_emit_blank(t->out);
}

void mesh_table_run_fields(struct table_emit *t, const struct mesh_plan_flow *flow)
{
    struct mesh_emitter *e = t->e;
    struct mesh_emit_capture *captures = NULL;
    size_t n = mesh_emit_captures(e, flow, &captures);
    if (n == 0)
        return;
    const char *owner = mesh_arena_printf(e->arena, "%s_run", flow->stream->name);
    mesh_emit_line(t->out, 0, "static const struct mesh_field fields_of_%s[] = {", owner);
    for (size_t i = 0; i < n; i++) {
        struct mesh_gen_member member = *captures[i].member;
        member.name = member.cname = captures[i].cname;
        mesh_emit_field(e, t->out, owner, &member, MESH_AS_IS);
    }
    mesh_emit_line(t->out, 0, "};");
    mesh_emit_blank(t->out);
}
