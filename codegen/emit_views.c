/* Views: the row that is kept, how records fold into it, what is shown of it. */
#include "codegen/emit_view.h"

#include <string.h>

static void row_struct(struct view_emit *v)
{
    const struct mesh_model_view *m = v->view->model;
    struct mesh_buf *out = v->structs;
    mesh_emit_line(out, 0, "/* views.%s, line %d: what is kept for each key */", m->name, mesh_emit_line_of(m->at));
    mesh_emit_line(out, 0, "struct %s_row {", m->name);
    for (size_t i = 0; i < m->aggregates.list.n; i++) {
        const struct mesh_aggregate *a = &m->aggregates.list.v[i];
        if (a->shared)
            continue;
        mesh_aggregate_members(out, a);
    }
    for (size_t i = 0; i < m->state.n; i++) {
        mesh_emit_line(out, 1, "%s%s;", mesh_emit_c_type(&m->state.v[i].type), m->state.v[i].name);
        if (m->state.v[i].type.nullable)
            mesh_emit_line(out, 1, "bool %s_set;", m->state.v[i].name);
    }
    if (m->min_people > 0)
        mesh_emit_line(out, 1, "struct mesh_str people; /* who is in it, until they are %d */", (int)m->min_people);
    if (m->aggregates.list.n == 0 && m->state.n == 0 && m->min_people == 0)
        mesh_emit_line(out, 1, "char none;");
    mesh_emit_line(out, 0, "};");
    mesh_emit_blank(out);
    mesh_emit_line(out, 0, "/* ... and what consumers see */");
    mesh_emit_line(out, 0, "struct %s_out {", m->name);
    for (size_t i = 0; i < m->by.n; i++)
        mesh_emit_member(out, 1, mesh_gen_shape_member(m->shape, m->by.v[i]));
    if (m->window != MESH_WINDOW_NONE) {
        mesh_emit_line(out, 1, "int64_t window_start;");
        mesh_emit_line(out, 1, "int64_t window_end;");
        mesh_emit_line(out, 1, "bool final;");
    }
    mesh_emit_line(out, 1, "int64_t revision;");
    for (size_t i = m->by.n; i < m->shape->members.n; i++)
        mesh_emit_member(out, 1, &m->shape->members.v[i]);
    mesh_emit_line(out, 0, "};");
    mesh_emit_blank(out);
}

/* ---- folding one record ---- */

/* Locals for what the aggregates of this source read, so that a fault is seen before the row is touched. */
static bool fold_locals(struct view_emit *v, uint32_t source)
{
    const struct mesh_model_view *m = v->view->model;
    struct mesh_buf *out = v->code;
    bool faulty = false;
    for (size_t i = 0; i < m->aggregates.list.n; i++) {
        const struct mesh_aggregate *a = &m->aggregates.list.v[i];
        if (a->source != source || a->shared)
            continue;
        if (a->cond != NULL)
            mesh_emit_line(out, 1, "const bool if_%s = %s;", a->cname, mesh_view_text_of(v->e, a->cond, false));
        if (a->arg != NULL) {
            const char *value = mesh_view_text_of(v->e, a->arg, false);
            if (mesh_emit_faulty(a->arg) && a->cond != NULL)
                mesh_emit_line(out, 1, "const %sof_%s = if_%s ? %s : (%s){0};", mesh_emit_c_type(&a->arg_type), a->cname, a->cname,
                               value, mesh_view_is_text(&a->arg_type) ? "struct mesh_str" : mesh_emit_c_type(&a->arg_type));
            else
                mesh_emit_line(out, 1, "const %sof_%s = %s;", mesh_emit_c_type(&a->arg_type), a->cname, value);
        }
        faulty = faulty || mesh_emit_faulty(a->arg) || mesh_emit_faulty(a->cond);
    }
    return faulty;
}

static void view_key(struct view_emit *v, const struct mesh_gen_shape *shape)
{
    const struct mesh_model_view *m = v->view->model;
    struct mesh_buf *out = v->code;
    mesh_emit_line(out, 1, "struct mesh_key key;");
    mesh_emit_line(out, 1, "mesh_key_begin(&key);");
    for (size_t i = 0; i < m->by.n; i++) {
        const struct mesh_gen_member *member = mesh_gen_shape_member(shape, m->by.v[i]);
        const struct mesh_gen_member *in_view = mesh_gen_shape_member(m->shape, m->by.v[i]);
        if (member->type.nullable && !in_view->type.nullable) {
            mesh_cleanup(mesh_buf_deinit) struct mesh_buf site = MESH_BUF_NULL;
            mesh_emit_site(v->e, &site, m->at, "views.%s by %s", m->name, member->name);
            mesh_emit_line(out, 1, "if (!r->%s_set) {", member->cname);
            mesh_emit_line(out, 2, "static const struct mesh_site site = %s;", site.p);
            mesh_emit_line(out, 2, "mesh_reject(task, event, &site, MESH_FAULT_NULL);");
            mesh_emit_line(out, 2, "return;");
            mesh_emit_line(out, 1, "}");
        }
        mesh_emit_key_part(out, 1, "&key", &member->type, mesh_arena_printf(v->e->arena, "r->%s", member->cname));
    }
}

static void fold_update(struct view_emit *v, const struct mesh_model_update *update, const char *state)
{
    const struct mesh_model_view *m = v->view->model;
    struct mesh_buf *out = v->code;
    bool faulty = false;
    mesh_emit_line(out, 1, "struct %s_row fresh;", m->name);
    mesh_emit_line(out, 1, "const struct %s_row *row = mesh_view_peek(task, %s, &key, event);", m->name, state);
    mesh_emit_line(out, 1, "if (row == NULL) {");
    mesh_emit_line(out, 2, "%s_init_%s(&fresh);", v->e->p, m->name);
    mesh_emit_line(out, 2, "row = &fresh;");
    mesh_emit_line(out, 1, "}");
    for (size_t i = 0; i < update->assigns.n; i++) {
        const struct mesh_model_assign *assign = &update->assigns.v[i];
        const struct mesh_gen_member *member = mesh_gen_shape_member(m->shape, assign->name);
        struct mesh_gen_type from = mesh_expr_type(assign->expr);
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf value = MESH_BUF_NULL;
        mesh_emit_value_as(&value, mesh_view_text_of(v->e, assign->expr, false), &from, &member->type);
        mesh_emit_line(out, 1, "const %snew_%s = %s;", mesh_emit_c_type(&member->type), assign->name, value.p);
        if (member->type.nullable)
            mesh_emit_line(out, 1, "const bool new_%s_set = %s;", assign->name, mesh_view_text_of(v->e, assign->expr, true));
        faulty = faulty || mesh_emit_faulty(assign->expr);
    }
    mesh_emit_line(out, 1, "(void)row;");
    if (faulty)
        mesh_emit_fault_check(v->e, out, 1, update->at, mesh_arena_printf(v->e->arena, "views.%s update", m->name));
    mesh_emit_line(out, 1, "struct %s_row *to = mesh_view_row(task, %s, &key, event);", m->name, state);
    mesh_emit_line(out, 1, "if (to == NULL)");
    mesh_emit_line(out, 2, "return;");
    for (size_t i = 0; i < update->assigns.n; i++) {
        const char *name = update->assigns.v[i].name;
        const struct mesh_gen_member *member = mesh_gen_shape_member(m->shape, name);
        if (mesh_view_is_text(&member->type))
            mesh_emit_line(out, 1, "mesh_row_set_str(&to->%s, new_%s);", name, name);
        else
            mesh_emit_line(out, 1, "to->%s = new_%s;", name, name);
        if (member->type.nullable)
            mesh_emit_line(out, 1, "to->%s_set = new_%s_set;", name, name);
    }
}

static void fold_people(struct view_emit *v, uint32_t source, int level)
{
    const struct mesh_model_view *m = v->view->model;
    const struct mesh_gen_member *who = m->who.v[source];
    struct mesh_buf *out = v->code;
    if (who->type.nullable)
        mesh_emit_line(out, level++, "if (r->%s_set)", who->cname);
    mesh_emit_line(
        out, level, "mesh_people_add(task, &row->people, %d, %s, %s);", (int)m->min_people,
        mesh_emit_cstr(v->e, who->subject == NULL ? "" : who->subject),
        mesh_arena_printf(v->e->arena, who->type.kind == MESH_GEN_INT ? "mesh_text_of_long(task, r->%s)" : "r->%s", who->cname));
}

static void fold_aggregates(struct view_emit *v, uint32_t source, const char *state)
{
    const struct mesh_model_view *m = v->view->model;
    struct mesh_buf *out = v->code;
    bool hop = m->window == MESH_WINDOW_HOPPING;
    int level = hop ? 2 : 1;
    if (hop) {
        mesh_emit_line(out, 1, "bool done = false;");
        mesh_emit_line(out, 1, "for (uint32_t window = 0; !done; window++) {");
        mesh_emit_line(out, 2, "struct %s_row *row = mesh_view_row_hop(task, %s, &key, event, window, &done);", m->name, state);
        mesh_emit_line(out, 2, "if (row == NULL)");
        mesh_emit_line(out, 3, "continue;");
    } else {
        mesh_emit_line(out, 1, "struct %s_row *row = mesh_view_row(task, %s, &key, event);", m->name, state);
        mesh_emit_line(out, 1, "if (row == NULL)");
        mesh_emit_line(out, 2, "return;");
    }
    for (size_t i = 0; i < m->aggregates.list.n; i++)
        if (m->aggregates.list.v[i].source == source && !m->aggregates.list.v[i].shared)
            mesh_aggregate_fold(v, &m->aggregates.list.v[i], level);
    if (m->min_people > 0)
        fold_people(v, source, level);
    if (hop)
        mesh_emit_line(out, 1, "}");
}

static bool update_faulty(const struct mesh_model_update *update)
{
    bool faulty = false;
    for (size_t i = 0; update != NULL && i < update->assigns.n; i++)
        faulty = faulty || mesh_emit_faulty(update->assigns.v[i].expr);
    return faulty;
}

static void fold_function(struct view_emit *v, uint32_t source)
{
    struct mesh_emitter *e = v->e;
    const struct mesh_model_view *m = v->view->model;
    const struct mesh_model_from *from = &m->from.v[source];
    const struct mesh_gen_shape *shape = v->view->sources.v[source].shape;
    struct mesh_buf *out = v->code;
    const struct mesh_model_update *update = NULL;
    for (size_t i = 0; i < m->updates.n; i++)
        if (m->updates.v[i].source == source)
            update = &m->updates.v[i];
    const char *name = m->from.n == 1 ? mesh_arena_printf(e->arena, "%s_view_%s", e->p, m->name)
                                      : mesh_arena_printf(e->arena, "%s_view_%s_%s", e->p, m->name, from->name);
    const char *head =
        mesh_arena_printf(e->arena, "void %s(struct mesh_task *task, const struct mesh_event *event, const struct %s *r)", name,
                          mesh_emit_struct_name(e, shape));
    mesh_emit_line(v->protos, 0, "%s;", head);
    mesh_emit_line(out, 0, "/* views.%s, line %d, from %s */", m->name, mesh_emit_line_of(m->at), from->name);
    mesh_emit_line(out, 0, "%s", head);
    mesh_emit_line(out, 0, "{");
    bool remove = m->remove != NULL && m->remove_source == source;
    bool faulty = update_faulty(update) || (remove && mesh_emit_faulty(m->remove));
    for (size_t i = 0; i < m->aggregates.list.n; i++)
        if (m->aggregates.list.v[i].source == source)
            faulty = faulty || mesh_emit_faulty(m->aggregates.list.v[i].arg) || mesh_emit_faulty(m->aggregates.list.v[i].cond);
    if (faulty)
        mesh_emit_line(out, 1, "enum mesh_fault fault = MESH_FAULT_NONE;");
    const char *state = v->view->partial != NULL ? mesh_arena_printf(e->arena, "%s_STATE_%s", e->p, v->view->partial->cname)
                                                 : mesh_arena_printf(e->arena, "%s_STATE_%s", e->p, v->view->state->cname);
    view_key(v, shape);
    if (remove) {
        mesh_emit_line(out, 1, "/* remove, line %d */", mesh_emit_line_of(mesh_expr_at(m->remove)));
        mesh_emit_line(out, 1, "if (%s) {", mesh_view_text_of(e, m->remove, false));
        mesh_emit_line(out, 2, "mesh_view_remove(task, %s, &key, event);", state);
        mesh_emit_line(out, 2, "return;");
        mesh_emit_line(out, 1, "}");
    }
    if (update != NULL) {
        fold_update(v, update, state);
    } else {
        if (fold_locals(v, source))
            mesh_emit_fault_check(e, out, 1, m->at, mesh_arena_printf(e->arena, "views.%s let", m->name));
        fold_aggregates(v, source, state);
    }
    if (v->view->changes.n > 0 && v->view->partial == NULL)
        mesh_emit_line(out, 1, "mesh_view_changed(task, %s, event);", state);
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

/* ---- init, merge, finish, changed ---- */

static void init_function(struct view_emit *v)
{
    const struct mesh_model_view *m = v->view->model;
    if (m->state.n == 0)
        return;
    struct mesh_buf *out = v->code;
    mesh_emit_line(v->protos, 0, "void %s_init_%s(void *row);", v->e->p, m->name);
    mesh_emit_line(out, 0, "void %s_init_%s(void *row)", v->e->p, m->name);
    mesh_emit_line(out, 0, "{");
    mesh_emit_line(out, 1, "*(struct %s_row *)row = (struct %s_row){", m->name, m->name);
    for (size_t i = 0; i < m->state.n; i++) {
        const struct mesh_model_state *s = &m->state.v[i];
        if (s->init != NULL && !mesh_view_is_text(&s->type))
            mesh_emit_line(out, 2, ".%s = %s,", s->name, mesh_view_text_of(v->e, s->init, false));
        if (s->init != NULL && s->type.nullable)
            mesh_emit_line(out, 2, ".%s_set = %s,", s->name, mesh_view_text_of(v->e, s->init, true));
    }
    mesh_emit_line(out, 1, "};");
    for (size_t i = 0; i < m->state.n; i++)
        if (m->state.v[i].init != NULL && mesh_view_is_text(&m->state.v[i].type))
            mesh_emit_line(out, 1, "mesh_row_set_str(&((struct %s_row *)row)->%s, %s);", m->name, m->state.v[i].name,
                           mesh_view_text_of(v->e, m->state.v[i].init, false));
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

bool mesh_emit_merges(const struct mesh_plan_view *view)
{
    return view->partial != NULL || view->model->window == MESH_WINDOW_SESSION;
}

static void merge_function(struct view_emit *v)
{
    const struct mesh_model_view *m = v->view->model;
    if (!mesh_emit_merges(v->view))
        return;
    struct mesh_buf *out = v->code;
    mesh_emit_line(v->protos, 0, "void %s_merge_%s(void *into, const void *from);", v->e->p, m->name);
    mesh_emit_line(out, 0, "void %s_merge_%s(void *into, const void *from)", v->e->p, m->name);
    mesh_emit_line(out, 0, "{");
    mesh_emit_line(out, 1, "struct %s_row *a = into;", m->name);
    mesh_emit_line(out, 1, "const struct %s_row *b = from;", m->name);
    for (size_t i = 0; i < m->aggregates.list.n; i++)
        if (!m->aggregates.list.v[i].shared)
            mesh_aggregate_merge(v, &m->aggregates.list.v[i]);
    if (m->min_people > 0)
        mesh_emit_line(out, 1, "mesh_people_merge(&a->people, b->people, %d);", (int)m->min_people);
    if (m->aggregates.list.n == 0 && m->min_people == 0) {
        mesh_emit_line(out, 1, "(void)a;");
        mesh_emit_line(out, 1, "(void)b;");
    }
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

static void finish_function(struct view_emit *v)
{
    const struct mesh_model_view *m = v->view->model;
    struct mesh_buf *out = v->code;
    struct mesh_expr_aggregate_c c = {mesh_aggregate_value, mesh_aggregate_present, NULL};
    bool faulty = false;
    for (size_t i = 0; i < m->let.n; i++)
        faulty = faulty || mesh_emit_faulty(m->let.v[i].expr);
    mesh_emit_line(v->protos, 0, "void %s_finish_%s(const void *kept, void *shown);", v->e->p, m->name);
    mesh_emit_line(out, 0, "void %s_finish_%s(const void *kept, void *shown)", v->e->p, m->name);
    mesh_emit_line(out, 0, "{");
    mesh_emit_line(out, 1, "const struct %s_row *row = kept;", m->name);
    mesh_emit_line(out, 1, "struct %s_out *out = shown;", m->name);
    if (faulty)
        mesh_emit_line(out, 1, "enum mesh_fault fault = MESH_FAULT_NONE; /* an overflow shows as 0 or null */");
    for (size_t i = 0; i < m->let.n; i++) {
        const struct mesh_gen_member *member = mesh_gen_shape_member(m->shape, m->let.v[i].name);
        struct mesh_gen_type from = mesh_expr_type(m->let.v[i].expr);
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf raw = MESH_BUF_NULL;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf value = MESH_BUF_NULL;
        mesh_expr_emit_let(m->let.v[i].expr, &c, &raw);
        mesh_emit_value_as(&value, raw.p, &from, &member->type);
        mesh_emit_line(out, 1, "out->%s = %s;", member->cname, value.p);
        if (member->type.nullable) {
            mesh_cleanup(mesh_buf_deinit) struct mesh_buf present = MESH_BUF_NULL;
            mesh_expr_emit_let_present(m->let.v[i].expr, &c, &present);
            mesh_emit_line(out, 1, "out->%s_set = %s;", member->cname, present.p);
        }
    }
    for (size_t i = 0; i < m->state.n; i++) {
        const char *shown = mesh_gen_shape_member(m->shape, m->state.v[i].name)->cname;
        mesh_emit_line(out, 1, "out->%s = row->%s;", shown, m->state.v[i].name);
        if (m->state.v[i].type.nullable)
            mesh_emit_line(out, 1, "out->%s_set = row->%s_set;", shown, m->state.v[i].name);
    }
    if (faulty)
        mesh_emit_line(out, 1, "(void)fault;");
    mesh_emit_line(out, 1, "(void)row;");
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

static void changed_function(struct view_emit *v)
{
    const struct mesh_model_view *m = v->view->model;
    if (v->view->changes.n == 0)
        return;
    struct mesh_buf *out = v->code;
    const char *head = mesh_arena_printf(
        v->e->arena, "void %s_changed_%s(struct mesh_task *task, const struct mesh_event *event, const void *old, const void *now)",
        v->e->p, m->name);
    mesh_emit_line(v->protos, 0, "%s;", head);
    mesh_emit_line(out, 0, "%s", head);
    mesh_emit_line(out, 0, "{");
    for (size_t i = 0; i < v->view->changes.n; i++)
        mesh_emit_line(out, 1, "%s_%s(task, event, old, now);", v->e->p, v->view->changes.v[i]->cname);
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

void mesh_emit_views(struct mesh_emitter *e, struct mesh_data *data)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf code = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf protos = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf structs = MESH_BUF_NULL;
    for (size_t i = 0; i < e->plan->views.n; i++) {
        struct view_emit v = {e, e->plan->views.v[i], &code, &protos, &structs};
        row_struct(&v);
        init_function(&v);
        for (uint32_t source = 0; source < v.view->model->from.n; source++)
            fold_function(&v, source);
        merge_function(&v);
        finish_function(&v);
        changed_function(&v);
    }
    mesh_data_code(e->arena, data, "view_functions", "%s", code.p == NULL ? "" : code.p);
    mesh_data_code(e->arena, data, "view_prototypes", "%s", protos.p == NULL ? "" : protos.p);
    mesh_data_code(e->arena, data, "view_structs", "%s", structs.p == NULL ? "" : structs.p);
}
