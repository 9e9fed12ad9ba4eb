/* Joins: a row of a table is at hand at once; records of another stream may have to be waited for. */
#include "codegen/emit_flow.h"

static void not_found(struct flow_emit *f, const struct mesh_model_step *m, const char *row)
{
    struct mesh_buf *out = f->code;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf site = MESH_BUF_NULL;
    mesh_emit_site(f->e, &site, m->at, "streams.%s join %s", f->flow->stream->name, m->alias);
    mesh_emit_line(out, 1, "if (%s == NULL) {", row);
    mesh_emit_line(out, 2, "static const struct mesh_site site = %s;", site.p);
    mesh_emit_line(out, 2,
                   m->missing == MESH_MISSING_DLQ ? "mesh_reject(task, event, &site, MESH_FAULT_MISSING);"
                                                  : "mesh_skipped(task, &site);");
    mesh_emit_line(out, 2, "return;");
    mesh_emit_line(out, 1, "}");
}

void mesh_flow_step_join(struct flow_emit *f, const struct mesh_plan_step *step)
{
    struct mesh_buf *out = f->code;
    const struct mesh_model_step *m = step->model;
    const char *row = mesh_flow_struct_of(f, m->table->shape);
    bool keep = m->missing == MESH_MISSING_KEEP;
    const char *found = keep ? mesh_arena_printf(f->e->arena, "found_%s", m->alias) : m->alias;
    mesh_emit_line(out, 1, "/* join %s, line %d */", m->table->name, mesh_emit_line_of(m->at));
    mesh_emit_line(out, 1, "const struct %s *%s = NULL;", row, found);
    mesh_emit_line(out, 1, "{");
    mesh_flow_key_of(f, out, 2, m->by.v, m->by.n);
    if (m->as_of != NULL)
        mesh_emit_line(out, 2, "%s = mesh_lookup_as_of(task, %s_STATE_%s, &key, %s);", found, f->e->p, step->state->cname,
                       mesh_flow_expr_text(f->e, m->as_of));
    else
        mesh_emit_line(out, 2, "%s = mesh_lookup(task, %s_STATE_%s, &key);", found, f->e->p, step->state->cname);
    mesh_emit_line(out, 1, "}");
    if (keep) {
        const char *kept = mesh_flow_struct_of(f, m->shape_joined);
        mesh_emit_line(out, 1, "struct %s kept_%s = {0}; /* all missing */", kept, m->alias);
        mesh_emit_line(out, 1, "if (%s != NULL)", found);
        mesh_emit_line(out, 2, "kept_%s = (struct %s){", m->alias, kept);
        mesh_emit_copy_nullable(f->e, out, 3, m->shape_joined, m->table->shape, found);
        mesh_emit_line(out, 2, "};");
        mesh_emit_line(out, 1, "const struct %s *%s = &kept_%s;", kept, m->alias, m->alias);
    } else {
        not_found(f, m, m->alias);
    }
    *mesh_vec_push_in(f->e->arena, &f->joins) = step;
}

/* The record may have to wait for what it finds, so the code behind the join is another function, which the platform calls. */
void mesh_flow_step_join_stream(struct flow_emit *f, const struct mesh_plan_step *step)
{
    const struct mesh_model_step *m = step->model;
    mesh_emit_line(f->code, 1, "/* join %s, line %d */", m->alias, mesh_emit_line_of(m->at));
    mesh_flow_key_of(f, f->code, 1, m->by.v, m->by.n);
    mesh_emit_line(f->code, 1, "mesh_interval_join(task, %s_STATE_%s, &key, event, r);", f->e->p, step->state->cname);
}

void mesh_flow_join_matched(struct flow_emit *f, const struct mesh_plan_step *step, const char *next)
{
    const struct mesh_model_step *m = step->model;
    const char *proto = mesh_arena_printf(
        f->e->arena,
        "void %s_matched_%s(struct mesh_task *task, const struct mesh_event *event, const void *record, const void *other)",
        f->e->p, step->state->cname);
    const char *row = mesh_flow_struct_of(f, m->shape_joined);
    mesh_emit_line(f->protos, 0, "%s;", proto);
    mesh_emit_line(f->code, 0, "/* streams.%s, line %d: what a record finds in %s */", f->flow->stream->name,
                   mesh_emit_line_of(m->at), m->alias);
    mesh_emit_line(f->code, 0, "%s", proto);
    mesh_emit_line(f->code, 0, "{");
    if (m->missing == MESH_MISSING_KEEP) {
        mesh_emit_line(f->code, 1, "static const struct %s none; /* all missing */", row);
        mesh_emit_line(f->code, 1, "%s(task, event, record, other == NULL ? &none : other);", next);
    } else {
        not_found(f, m, "other");
        mesh_emit_line(f->code, 1, "%s(task, event, record, other);", next);
    }
    mesh_emit_line(f->code, 0, "}");
    mesh_emit_blank(f->code);
}

/* What a join of streams keeps of the records that it may find: the members that somebody reads behind it. */
void mesh_flow_join_keeps(struct flow_emit *f, const struct mesh_plan_flow *flow, const struct mesh_plan_state *state)
{
    struct mesh_emitter *e = f->e;
    const struct mesh_model_step *m = state->step;
    const char *proto =
        mesh_arena_printf(e->arena, "void %s_keep_%s(struct mesh_task *task, const struct mesh_event *event, const struct %s *r)",
                          e->p, state->cname, mesh_flow_struct_of(f, flow->shape_out));
    const struct mesh_gen_member *by = mesh_gen_shape_member(flow->shape_out, m->other_by);
    struct mesh_gen_type type = by->type;
    type.nullable = false; /* checked */
    mesh_emit_line(f->protos, 0, "%s;", proto);
    mesh_emit_line(f->code, 0, "/* streams.%s, line %d: kept for the join */", state->flow->stream->name, mesh_emit_line_of(m->at));
    mesh_emit_line(f->code, 0, "%s", proto);
    mesh_emit_line(f->code, 0, "{");
    mesh_emit_line(f->code, 1, "struct mesh_key key;");
    mesh_emit_line(f->code, 1, "mesh_key_begin(&key);");
    mesh_emit_key_part(f->code, 1, "&key", &type, mesh_arena_printf(e->arena, "r->%s", by->cname));
    mesh_emit_line(f->code, 1, "mesh_interval_add(task, %s_STATE_%s, &key, event, &(const struct %s){", e->p, state->cname,
                   mesh_flow_struct_of(f, m->shape_joined));
    if (m->missing == MESH_MISSING_KEEP)
        mesh_emit_copy_nullable(e, f->code, 2, m->shape_joined, flow->shape_out, "r");
    else
        mesh_emit_copy(e, f->code, 2, m->shape_joined, "r->", NULL, 0);
    mesh_emit_line(f->code, 1, "});");
    mesh_emit_line(f->code, 0, "}");
    mesh_emit_blank(f->code);
}
