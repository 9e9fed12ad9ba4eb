/* One function per declared stream (and one more for each part behind a change of shape or of key), and one per input. */
#include "codegen/emit_flow.h"

#include <string.h>

const char *mesh_flow_struct_of(const struct flow_emit *f, const struct mesh_gen_shape *shape)
{
    return mesh_emit_struct_name(f->e, shape);
}

const char *mesh_flow_expr_text(struct mesh_emitter *e, const struct mesh_expr *expr)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_expr_emit(expr, &text);
    return mesh_arena_strdup(e->arena, text.p);
}

static const char *present_text(struct mesh_emitter *e, const struct mesh_expr *expr)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_expr_emit_present(expr, &text);
    return mesh_arena_strdup(e->arena, text.p);
}

static const char *source_text(struct mesh_emitter *e, const struct mesh_expr *expr)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf safe = MESH_BUF_NULL;
    mesh_expr_print(expr, &text);
    mesh_escape_comment(&safe, text.p == NULL ? "" : text.p);
    return mesh_arena_strdup(e->arena, safe.p == NULL ? "" : safe.p);
}

/* ---- handing a record to its readers ---- */

static void call_reader(struct flow_emit *f, struct mesh_buf *out, int level, const char *function,
                        const struct mesh_gen_shape *want, const struct mesh_gen_shape *have, const char *record)
{
    if (want == NULL || strcmp(mesh_flow_struct_of(f, want), mesh_flow_struct_of(f, have)) == 0) {
        mesh_emit_line(out, level, "%s(task, event, %s);", function, record);
        return;
    }
    mesh_emit_line(out, level, "%s(task, event, &(const struct %s){", function, mesh_flow_struct_of(f, want));
    const char *prefix =
        record[0] == '&' ? mesh_arena_printf(f->e->arena, "%s.", record + 1) : mesh_arena_printf(f->e->arena, "%s->", record);
    mesh_emit_copy(f->e, out, level + 1, want, prefix, NULL, 0);
    mesh_emit_line(out, level, "});");
}

static size_t source_index(const struct mesh_plan_view *view, const struct mesh_plan_flow *flow,
                           const struct mesh_plan_input *input)
{
    for (size_t i = 0; i < view->model->from.n; i++) {
        const struct mesh_model_from *from = &view->model->from.v[i];
        if (input != NULL ? from->kind == MESH_FROM_INPUT && from->input == input->model
                          : from->kind == MESH_FROM_STREAM && from->stream == flow->stream)
            return i;
    }
    return 0; /* regrouped for this view: its single source */
}

static void deliver(struct flow_emit *f, struct mesh_buf *out, int level, const struct mesh_gen_shape *shape, const char *record)
{
    const struct mesh_plan_flow *flow = f->flow;
    struct mesh_emitter *e = f->e;
    if (flow->cut != NULL) {
        mesh_emit_line(out, level, "%s_regroup_%s(task, event, %s);", e->p, flow->cut->cname, record);
        return;
    }
    for (size_t i = 0; i < flow->ports.n; i++)
        mesh_emit_line(out, level, "%s_port_%s(task, event, %s);", e->p, flow->ports.v[i]->name, record);
    for (size_t i = 0; i < flow->views.n; i++) {
        const struct mesh_plan_view *view = flow->views.v[i];
        size_t source = source_index(view, flow, NULL);
        const char *function = view->model->from.n == 1 ? mesh_arena_printf(e->arena, "%s_view_%s", e->p, view->model->name)
                                                        : mesh_arena_printf(e->arena, "%s_view_%s_%s", e->p, view->model->name,
                                                                            view->model->from.v[source].name);
        call_reader(f, out, level, function, view->sources.v[source].shape, shape, record);
    }
    for (size_t i = 0; i < flow->kept.n; i++)
        mesh_emit_line(out, level, "%s_keep_%s(task, event, %s);", e->p, flow->kept.v[i]->cname, record);
    for (size_t i = 0; i < flow->flows.n; i++)
        call_reader(f, out, level, mesh_arena_printf(e->arena, "%s_%s", e->p, flow->flows.v[i]->cname), flow->flows.v[i]->shape_in,
                    shape, record);
}

/* ---- steps ---- */

void mesh_flow_key_of(struct flow_emit *f, struct mesh_buf *out, int level, struct mesh_expr *const *by, size_t n)
{
    mesh_emit_line(out, level, "struct mesh_key key;");
    mesh_emit_line(out, level, "mesh_key_begin(&key);");
    for (size_t i = 0; i < n; i++) {
        struct mesh_gen_type type = mesh_expr_type(by[i]);
        mesh_emit_key_part(out, level, "&key", &type, mesh_flow_expr_text(f->e, by[i]));
    }
}

bool mesh_flow_any_faulty(const struct mesh_plan_step *step)
{
    bool faulty =
        mesh_emit_faulty(step->model->where) || mesh_emit_faulty(step->model->rearm) || mesh_emit_faulty(step->model->as_of);
    for (size_t i = 0; i < step->model->assigns.n; i++)
        faulty = faulty || mesh_emit_faulty(step->model->assigns.v[i].expr);
    for (size_t i = 0; i < step->model->by.n; i++)
        faulty = faulty || mesh_emit_faulty(step->model->by.v[i]);
    for (size_t i = 0; i < step->model->aggregates.list.n; i++)
        faulty = faulty || mesh_emit_faulty(step->model->aggregates.list.v[i].arg) ||
                 mesh_emit_faulty(step->model->aggregates.list.v[i].cond);
    return faulty;
}

const char *mesh_flow_what_of(struct flow_emit *f, const char *word)
{
    return mesh_arena_printf(f->e->arena, "streams.%s %s", f->flow->stream->name, word);
}

static void step_where(struct flow_emit *f, const struct mesh_plan_step *step, size_t n)
{
    struct mesh_buf *out = f->code;
    mesh_emit_line(out, 1, "/* where, line %d: %s */", mesh_emit_line_of(step->model->at), source_text(f->e, step->model->where));
    if (!mesh_emit_faulty(step->model->where)) {
        mesh_emit_line(out, 1, "if (!(%s))", mesh_flow_expr_text(f->e, step->model->where));
        mesh_emit_line(out, 2, "return;");
        return;
    }
    mesh_emit_line(out, 1, "bool where_%zu = %s;", n, mesh_flow_expr_text(f->e, step->model->where));
    mesh_emit_fault_check(f->e, out, 1, step->model->at, mesh_flow_what_of(f, "where"));
    mesh_emit_line(out, 1, "if (!where_%zu)", n);
    mesh_emit_line(out, 2, "return;");
}

static void step_dedupe(struct flow_emit *f, const struct mesh_plan_step *step)
{
    struct mesh_buf *out = f->code;
    mesh_emit_line(out, 1, "/* dedupe, line %d */", mesh_emit_line_of(step->model->at));
    mesh_emit_line(out, 1, "{");
    mesh_flow_key_of(f, out, 2, step->model->by.v, step->model->by.n);
    mesh_emit_line(out, 2, "if (!mesh_dedupe(task, %s_STATE_%s, &key, event))", f->e->p, step->state->cname);
    mesh_emit_line(out, 3, "return;");
    mesh_emit_line(out, 1, "}");
}

/* "x = value" as locals, so that a fault is seen before anything is made of them. */
static void assigns_to_locals(struct flow_emit *f, const struct mesh_model_assign *assigns, size_t n,
                              const struct mesh_gen_shape *shape, struct mesh_srcref at, const char *what)
{
    struct mesh_buf *out = f->code;
    bool faulty = false;
    for (size_t i = 0; i < n; i++) {
        const struct mesh_gen_member *member = mesh_gen_shape_member(shape, assigns[i].name);
        if (!member->used)
            continue;
        struct mesh_gen_type from = mesh_expr_type(assigns[i].expr);
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf value = MESH_BUF_NULL;
        mesh_emit_value_as(&value, mesh_flow_expr_text(f->e, assigns[i].expr), &from, &member->type);
        mesh_emit_line(out, 1, "const %snew_%s = %s;", mesh_emit_c_type(&member->type), member->cname, value.p);
        if (member->type.nullable)
            mesh_emit_line(out, 1, "const bool new_%s_set = %s;", member->cname, present_text(f->e, assigns[i].expr));
        faulty = faulty || mesh_emit_faulty(assigns[i].expr);
    }
    if (faulty)
        mesh_emit_fault_check(f->e, out, 1, at, what);
}

static void new_record(struct flow_emit *f, const struct mesh_gen_shape *shape, const struct mesh_model_assign *assigns, size_t n,
                       bool copy)
{
    struct mesh_buf *out = f->code;
    mesh_emit_line(out, 1, "const struct %s record = {", mesh_flow_struct_of(f, shape));
    if (copy)
        mesh_emit_copy(f->e, out, 2, shape, "r->", assigns, n);
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        const struct mesh_gen_member *member = mesh_gen_shape_member(shape, assigns[i].name);
        if (!member->used)
            continue;
        any = true;
        mesh_emit_line(out, 2, ".%s = new_%s,", member->cname, member->cname);
        if (member->type.nullable)
            mesh_emit_line(out, 2, ".%s_set = new_%s_set,", member->cname, member->cname);
    }
    if (!any && !copy)
        mesh_emit_line(out, 2, "0");
    mesh_emit_line(out, 1, "};");
}

static void step_rises(struct flow_emit *f, const struct mesh_plan_step *step)
{
    struct mesh_buf *out = f->code;
    const struct mesh_model_step *m = step->model;
    mesh_emit_line(out, 1, "/* rises, line %d: %s */", mesh_emit_line_of(m->at), source_text(f->e, m->where));
    mesh_emit_line(out, 1, "{");
    mesh_emit_line(out, 2, "const bool when = %s;", mesh_flow_expr_text(f->e, m->where));
    mesh_emit_line(out, 2, "const bool rearm = %s;", m->rearm == NULL ? "!when" : mesh_flow_expr_text(f->e, m->rearm));
    if (mesh_flow_any_faulty(step))
        mesh_emit_fault_check(f->e, out, 2, m->at, mesh_flow_what_of(f, "rises"));
    mesh_emit_line(out, 2, "struct mesh_key key;");
    mesh_emit_line(out, 2, "mesh_key_begin(&key);");
    if (f->flow->from_changes) {
        const struct mesh_model_view *view = f->flow->changes_of;
        for (size_t i = 0; i < view->by.n; i++) {
            const struct mesh_gen_member *member = mesh_gen_shape_member(view->shape, view->by.v[i]);
            mesh_emit_key_part(out, 2, "&key", &member->type, mesh_arena_printf(f->e->arena, "now->%s", member->cname));
        }
    } else if (f->flow->key_out != NULL) {
        const struct mesh_gen_member *member = mesh_gen_shape_member(step->before, f->flow->key_out);
        mesh_emit_key_part(out, 2, "&key", &member->type, mesh_arena_printf(f->e->arena, "r->%s", member->cname));
    }
    mesh_emit_line(out, 2, "if (!mesh_rises(task, %s_STATE_%s, &key, event, when, rearm))", f->e->p, step->state->cname);
    mesh_emit_line(out, 3, "return;");
    mesh_emit_line(out, 1, "}");
}

/* ---- the pattern at a flow's end ---- */

/* What is made of a run that completed. */
static void emit_complete(struct flow_emit *f, const struct mesh_gen_shape *shape)
{
    const struct mesh_model_stream *s = f->flow->stream;
    struct mesh_buf *out = f->code;
    const char *proto = mesh_arena_printf(
        f->e->arena,
        "void %s_complete_%s(struct mesh_task *task, const struct mesh_event *event, const void *captured, const void *record_at_hand)",
        f->e->p, s->name);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf body = MESH_BUF_NULL;
    bool faulty = false;
    for (size_t i = 0; i < s->emit.n; i++)
        faulty = faulty || mesh_emit_faulty(s->emit.v[i].expr);
    f->code = &body;
    if (faulty)
        mesh_emit_line(&body, 1, "enum mesh_fault fault = MESH_FAULT_NONE;");
    assigns_to_locals(f, s->emit.v, s->emit.n, s->shape, s->at, mesh_flow_what_of(f, "emit"));
    new_record(f, s->shape, s->emit.v, s->emit.n, false);
    deliver(f, &body, 1, s->shape, "&record");
    f->code = out;
    mesh_emit_line(f->protos, 0, "%s;", proto);
    mesh_emit_line(out, 0, "/* streams.%s, line %d: a run is complete */", s->name, mesh_emit_line_of(s->at));
    mesh_emit_line(out, 0, "%s", proto);
    mesh_emit_line(out, 0, "{");
    if (mesh_emit_mentions(body.p, "run"))
        mesh_emit_line(out, 1, "const struct %s_run *run = captured;", s->name);
    else
        mesh_emit_line(out, 1, "(void)captured;");
    if (mesh_emit_mentions(body.p, "r"))
        mesh_emit_line(out, 1, "const struct %s *r = record_at_hand;", mesh_flow_struct_of(f, shape));
    else
        mesh_emit_line(out, 1, "(void)record_at_hand;");
    mesh_buf_puts(out, body.p);
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

static void emit_pattern(struct flow_emit *f)
{
    struct mesh_buf *out = f->code;
    const struct mesh_model_stream *s = f->flow->stream;
    mesh_emit_line(out, 1, "uint64_t hits = 0;");
    bool faulty = false;
    bool always = false;
    for (size_t i = 0; i < s->pattern.n; i++) {
        const struct mesh_model_pattern_step *step = &s->pattern.v[i];
        if (step->where == NULL) {
            always = true;
            mesh_emit_line(out, 1, "hits |= UINT64_C(1) << %zu; /* %s, line %d: every record */", i, step->name,
                           mesh_emit_line_of(step->at));
            continue;
        }
        mesh_emit_line(out, 1, "if (%s) /* %s, line %d */", mesh_flow_expr_text(f->e, step->where), step->name,
                       mesh_emit_line_of(step->at));
        mesh_emit_line(out, 2, "hits |= UINT64_C(1) << %zu;", i);
        faulty = faulty || mesh_emit_faulty(step->where);
    }
    if (faulty)
        mesh_emit_fault_check(f->e, out, 1, s->at, mesh_flow_what_of(f, "pattern"));
    if (!always) {
        mesh_emit_line(out, 1, "if (hits == 0)");
        mesh_emit_line(out, 2, "return;");
    }
    mesh_flow_key_of(f, out, 1, s->pattern_by.v, s->pattern_by.n);
    mesh_emit_line(out, 1, "mesh_pattern(task, %s_STATE_%s, &key, event, hits, r);", f->e->p, f->flow->pattern_state->cname);
}

/* ---- a flow as functions: a step that makes a new record ends one, and the next goes on with it ---- */

static void head(struct flow_emit *f, size_t part, const struct mesh_gen_shape *shape, bool is_static)
{
    struct mesh_emitter *e = f->e;
    const struct mesh_plan_flow *flow = f->flow;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_printf(&text, "%svoid %s_%s", is_static ? "static " : "", e->p, flow->cname);
    if (part > 0)
        mesh_buf_printf(&text, "_%zu", part + 1);
    mesh_buf_puts(&text, "(struct mesh_task *task, const struct mesh_event *event, ");
    if (flow->from_changes && part == 0)
        mesh_buf_printf(&text, "const struct %s_out *before, const struct %s_out *now", flow->changes_of->name,
                        flow->changes_of->name);
    else
        mesh_buf_printf(&text, "const struct %s *r", mesh_flow_struct_of(f, shape));
    if (part > 0)
        for (size_t i = 0; i < f->joins.n; i++)
            mesh_buf_printf(&text, ", const struct %s *%s", mesh_flow_struct_of(f, f->joins.v[i]->model->shape_joined),
                            f->joins.v[i]->model->alias);
    mesh_buf_puts(&text, ")");
    if (!is_static)
        mesh_emit_line(f->protos, 0, "%s;", text.p);
    mesh_emit_line(f->code, 0, "%s", text.p);
    mesh_emit_line(f->code, 0, "{");
}

/* Parameters that the body does not mention are said to be unused. */
static void unused(struct flow_emit *f, size_t part, const char *body)
{
    if (f->flow->from_changes && part == 0) {
        const struct mesh_model_stream *s = f->flow->stream;
        if (!mesh_emit_mentions(body, "old")) {
            mesh_emit_line(f->code, 1, "(void)before;");
            return;
        }
        mesh_emit_line(f->code, 1, "struct %s first = {0}; /* a new row: nothing was there */",
                       mesh_flow_struct_of(f, s->shape_old));
        mesh_emit_line(f->code, 1, "if (before != NULL)");
        mesh_emit_line(f->code, 2, "first = (struct %s){", mesh_flow_struct_of(f, s->shape_old));
        mesh_emit_copy_nullable(f->e, f->code, 3, s->shape_old, f->flow->changes_of->shape, "before");
        mesh_emit_line(f->code, 2, "};");
        mesh_emit_line(f->code, 1, "const struct %s *old = &first;", mesh_flow_struct_of(f, s->shape_old));
        return;
    }
    if (!mesh_emit_mentions(body, "r"))
        mesh_emit_line(f->code, 1, "(void)r;");
    for (size_t i = 0; part > 0 && i < f->joins.n; i++)
        if (!mesh_emit_mentions(body, f->joins.v[i]->model->alias))
            mesh_emit_line(f->code, 1, "(void)%s;", f->joins.v[i]->model->alias);
}

static bool ends_part(const struct mesh_plan_step *step)
{
    return step->model->kind == MESH_STEP_SET || step->model->kind == MESH_STEP_SELECT || step->model->kind == MESH_STEP_FOLD ||
           step->model->kind == MESH_STEP_FLATTEN || mesh_model_joins_stream(step->model);
}

/* Steps from..to-1 are one function; does it need the fault variable? */
static bool part_faulty(const struct mesh_plan_flow *flow, size_t from, size_t to, bool with_pattern)
{
    bool faulty = false;
    for (size_t i = from; i < to; i++)
        faulty = faulty || mesh_flow_any_faulty(&flow->steps.v[i]);
    if (with_pattern && flow->pattern) {
        for (size_t i = 0; i < flow->stream->pattern.n; i++)
            faulty = faulty || mesh_emit_faulty(flow->stream->pattern.v[i].where);
    }
    return faulty;
}

static size_t part_end(const struct mesh_plan_flow *flow, size_t from)
{
    size_t to = from;
    while (to < flow->steps.n && !ends_part(&flow->steps.v[to]))
        to++;
    return to < flow->steps.n ? to + 1 : to;
}

static void emit_step(struct flow_emit *f, size_t index)
{
    const struct mesh_plan_step *step = &f->flow->steps.v[index];
    switch (step->model->kind) {
    case MESH_STEP_WHERE:
        step_where(f, step, index);
        break;
    case MESH_STEP_DEDUPE:
        step_dedupe(f, step);
        break;
    case MESH_STEP_JOIN:
        if (mesh_model_joins_stream(step->model))
            mesh_flow_step_join_stream(f, step);
        else
            mesh_flow_step_join(f, step);
        break;
    case MESH_STEP_SET:
    case MESH_STEP_SELECT:
        mesh_emit_line(f->code, 1, "/* %s, line %d */", step->model->kind == MESH_STEP_SET ? "set" : "select",
                       mesh_emit_line_of(step->model->at));
        assigns_to_locals(f, step->model->assigns.v, step->model->assigns.n, step->after, step->model->at,
                          mesh_flow_what_of(f, step->model->kind == MESH_STEP_SET ? "set" : "select"));
        new_record(f, step->after, step->model->assigns.v, step->model->assigns.n, step->model->kind == MESH_STEP_SET);
        break;
    case MESH_STEP_FOLD:
        mesh_flow_step_fold(f, step);
        break;
    case MESH_STEP_RISES:
        step_rises(f, step);
        break;
    case MESH_STEP_FLATTEN: /* the last one of its part, which calls the next */
        break;
    }
}

/* Parts call the next one, so they are written last part first. */
static void emit_part(struct flow_emit *f, size_t part, size_t from, const struct mesh_gen_shape *shape)
{
    const struct mesh_plan_flow *flow = f->flow;
    struct mesh_arena *arena = f->e->arena;
    size_t to = part_end(flow, from);
    bool ended = to > from && ends_part(&flow->steps.v[to - 1]);
    bool waits = ended && mesh_model_joins_stream(flow->steps.v[to - 1].model);
    bool flat = ended && flow->steps.v[to - 1].model->kind == MESH_STEP_FLATTEN;
    bool made = ended && !waits && !flat;
    bool more = waits || flat || to < flow->steps.n || (flow->pattern && ended);
    const char *next = mesh_arena_printf(arena, "%s_%s_%zu", f->e->p, flow->cname, part + 2);
    size_t joins = f->joins.n;
    if (waits) { /* what earlier joins found does not wait with the record (MP005) */
        struct flow_emit behind = *f;
        memset(&behind.joins, 0, sizeof behind.joins);
        *mesh_vec_push_in(arena, &behind.joins) = &flow->steps.v[to - 1];
        emit_part(&behind, part + 1, to, flow->steps.v[to - 1].after);
        mesh_flow_join_matched(f, &flow->steps.v[to - 1], next);
    } else if (more) { /* the functions behind this one see the joins of this part too */
        for (size_t i = from; i < to; i++)
            if (mesh_model_brings(flow->steps.v[i].model))
                *mesh_vec_push_in(arena, &f->joins) = &flow->steps.v[i];
        emit_part(f, part + 1, to, flow->steps.v[to - 1].after);
        f->joins.n = joins;
        if (flat)
            mesh_flow_item_reader(f, &flow->steps.v[to - 1]);
    }
    if (!more && flow->pattern)
        emit_complete(f, to > from ? flow->steps.v[to - 1].after : shape);
    struct mesh_buf *out = f->code;
    if (part == 0) {
        mesh_emit_line(out, 0, "/* streams.%s, line %d%s%s */", flow->stream->name, mesh_emit_line_of(flow->stream->at),
                       flow->key == NULL ? "" : "; partitioned by ", flow->key == NULL ? "" : flow->key);
    }
    head(f, part, shape, part > 0);
    const size_t n_joins = f->joins.n; /* that are parameters */
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf body = MESH_BUF_NULL;
    f->code = &body;
    if (part_faulty(flow, from, to, !more))
        mesh_emit_line(&body, 1, "enum mesh_fault fault = MESH_FAULT_NONE;");
    for (size_t i = from; i < to; i++)
        emit_step(f, i);
    const struct mesh_gen_shape *after = to > from ? flow->steps.v[to - 1].after : shape;
    if (flat) {
        mesh_flow_step_flatten(f, &flow->steps.v[to - 1], next);
    } else if (more && !waits) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf call = MESH_BUF_NULL;
        mesh_buf_printf(&call, "%s(task, event, &record", next);
        for (size_t i = 0; i < f->joins.n; i++)
            mesh_buf_printf(&call, ", %s", f->joins.v[i]->model->alias);
        mesh_emit_line(&body, 1, "%s);", call.p);
    } else if (!more && flow->pattern) {
        emit_pattern(f);
    } else if (!more) {
        deliver(f, &body, 1, after, made ? "&record" : "r");
    }
    f->code = out;
    const size_t joined = f->joins.n;
    f->joins.n = n_joins;
    unused(f, part, body.p == NULL ? "" : body.p);
    f->joins.n = joined;
    mesh_buf_puts(out, body.p == NULL ? "" : body.p);
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

/* ---- what a pattern keeps of its earlier steps ---- */

size_t mesh_emit_captures(struct mesh_emitter *e, const struct mesh_plan_flow *flow, struct mesh_emit_capture **ret)
{
    MESH_VEC(struct mesh_emit_capture) captures = {0};
    const struct mesh_model_stream *s = flow->stream;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    for (size_t i = 0; i < s->emit.n; i++) {
        mesh_expr_emit(s->emit.v[i].expr, &text);
        mesh_buf_putc(&text, ' ');
    }
    const struct mesh_gen_shape *shape = flow->steps.n == 0 ? flow->shape_in : flow->steps.v[flow->steps.n - 1].after;
    for (size_t step = 0; step + 1 < s->pattern.n; step++) /* the last one is at hand, or absent */
        for (size_t m = 0; !s->pattern.v[step].forbidden && m < shape->members.n; m++) {
            const char *cname = mesh_arena_printf(e->arena, "%s_%s", s->pattern.v[step].name, shape->members.v[m].cname);
            if (mesh_emit_mentions(text.p == NULL ? "" : text.p, cname))
                *mesh_vec_push_in(e->arena, &captures) = (struct mesh_emit_capture){step, cname, &shape->members.v[m]};
        }
    *ret = captures.v;
    return captures.n;
}

static void emit_capture(struct flow_emit *f, struct mesh_buf *structs)
{
    struct mesh_emitter *e = f->e;
    const struct mesh_model_stream *s = f->flow->stream;
    struct mesh_emit_capture *captures = NULL;
    size_t n = mesh_emit_captures(e, f->flow, &captures);
    mesh_emit_line(structs, 0, "/* what a run of streams.%s keeps of its earlier steps */", s->name);
    mesh_emit_line(structs, 0, "struct %s_run {", s->name);
    for (size_t i = 0; i < n; i++) {
        mesh_emit_line(structs, 1, "%s%s;", mesh_emit_c_type(&captures[i].member->type), captures[i].cname);
        if (captures[i].member->type.nullable)
            mesh_emit_line(structs, 1, "bool %s_set;", captures[i].cname);
    }
    if (n == 0)
        mesh_emit_line(structs, 1, "char none; /* nothing is read of them */");
    mesh_emit_line(structs, 0, "};");
    mesh_emit_blank(structs);
    if (n == 0)
        return;
    const struct mesh_gen_shape *shape = f->flow->steps.n == 0 ? f->flow->shape_in : f->flow->steps.v[f->flow->steps.n - 1].after;
    struct mesh_buf *out = f->code;
    mesh_emit_line(f->protos, 0, "void %s_capture_%s(struct mesh_task *task, void *run, uint32_t step, const void *record);", e->p,
                   s->name);
    mesh_emit_line(out, 0, "void %s_capture_%s(struct mesh_task *task, void *run, uint32_t step, const void *record)", e->p,
                   s->name);
    mesh_emit_line(out, 0, "{");
    mesh_emit_line(out, 1, "struct %s_run *kept = run;", s->name);
    mesh_emit_line(out, 1, "const struct %s *r = record;", mesh_flow_struct_of(f, shape));
    mesh_emit_line(out, 1, "(void)task;");
    for (size_t step = 0; step + 1 < s->pattern.n; step++) {
        bool any = false;
        for (size_t i = 0; i < n; i++)
            any = any || captures[i].step == step;
        if (!any)
            continue;
        mesh_emit_line(out, 1, "if (step == %zu) { /* %s */", step, s->pattern.v[step].name);
        for (size_t i = 0; i < n; i++) {
            const struct mesh_gen_member *m = captures[i].member;
            if (captures[i].step != step)
                continue;
            if (m->type.kind == MESH_GEN_STRING || m->type.kind == MESH_GEN_BYTES)
                mesh_emit_line(out, 2, "mesh_row_set_str(&kept->%s, r->%s);", captures[i].cname, m->cname);
            else
                mesh_emit_line(out, 2, "kept->%s = r->%s;", captures[i].cname, m->cname);
            if (m->type.nullable)
                mesh_emit_line(out, 2, "kept->%s_set = r->%s_set;", captures[i].cname, m->cname);
        }
        mesh_emit_line(out, 1, "}");
    }
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

bool mesh_emit_removes(const struct mesh_plan_input *input)
{
    const struct mesh_model_input *m = input->model;
    if (input->kind != MESH_INPUT_TABLE || m->versioned.text != NULL || m->key.text == NULL ||
        strcmp(m->key.text, m->table_by.text) != 0)
        return false;
    return mesh_gen_shape_member(m->shape, m->key.text)->type.kind == MESH_GEN_STRING;
}

static void emit_removed(struct flow_emit *f, const struct mesh_plan_input *input)
{
    struct mesh_emitter *e = f->e;
    struct mesh_buf *out = f->code;
    mesh_emit_line(f->protos, 0, "void %s_removed_%s(struct mesh_task *task, const struct mesh_event *event);", e->p, input->cname);
    mesh_emit_line(out, 0, "/* a tombstone of inputPorts.%s, line %d: the row of this message key goes */", input->cname,
                   mesh_emit_line_of(input->model->at));
    mesh_emit_line(out, 0, "void %s_removed_%s(struct mesh_task *task, const struct mesh_event *event)", e->p, input->cname);
    mesh_emit_line(out, 0, "{");
    mesh_emit_line(out, 1, "struct mesh_key key;");
    mesh_emit_line(out, 1, "mesh_key_begin(&key);");
    mesh_emit_line(out, 1, "mesh_key_str(&key, event->key);");
    mesh_emit_line(out, 1, "mesh_table_remove(task, %s_STATE_%s, &key, event);", e->p, input->table->cname);
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

static void emit_input(struct flow_emit *f, const struct mesh_plan_input *input)
{
    struct mesh_emitter *e = f->e;
    struct mesh_buf *out = f->code;
    mesh_emit_line(f->protos, 0, "void %s_input_%s(struct mesh_task *task, const struct mesh_event *event, const void *record);",
                   e->p, input->cname);
    if (input->kind == MESH_INPUT_RECORDS)
        mesh_emit_line(out, 0, "/* %s, under the key %s */", input->flow->stream->name, input->flow->key);
    else
        mesh_emit_line(out, 0, "/* inputPorts.%s, line %d */", input->cname, mesh_emit_line_of(input->model->at));
    mesh_emit_line(out, 0, "void %s_input_%s(struct mesh_task *task, const struct mesh_event *event, const void *record)", e->p,
                   input->cname);
    mesh_emit_line(out, 0, "{");
    const struct mesh_gen_shape *shape = input->kind == MESH_INPUT_RECORDS ? input->flow->shape_in : input->model->shape;
    if (input->kind == MESH_INPUT_RECORDS)
        mesh_emit_line(out, 1, "const struct %s *r = &((const struct %s_regrouped *)record)->record;",
                       mesh_flow_struct_of(f, shape), input->cname);
    else
        mesh_emit_line(out, 1, "const struct %s *r = record;", mesh_flow_struct_of(f, shape));
    if (input->kind == MESH_INPUT_TABLE) {
        const struct mesh_gen_member *by = mesh_gen_shape_member(shape, input->model->table_by.text);
        mesh_emit_line(out, 1, "struct mesh_key key;");
        mesh_emit_line(out, 1, "mesh_key_begin(&key);");
        mesh_emit_key_part(out, 1, "&key", &by->type, mesh_arena_printf(e->arena, "r->%s", by->cname));
        const char *from =
            input->model->versioned.text == NULL
                ? "event->time_us"
                : mesh_arena_printf(e->arena, "r->%s", mesh_gen_shape_member(shape, input->model->versioned.text)->cname);
        mesh_emit_line(out, 1, "mesh_table_put(task, %s_STATE_%s, &key, event, %s, r);", e->p, input->table->cname, from);
    }
    f->flow = NULL;
    for (size_t i = 0; i < input->views.n; i++) {
        const struct mesh_plan_view *view = input->views.v[i];
        size_t source = source_index(view, NULL, input);
        mesh_emit_line(out, 1, view->model->from.n == 1 ? "%s_view_%s(task, event, r);" : "%s_view_%s_%s(task, event, r);", e->p,
                       view->model->name, view->model->from.v[source].name);
    }
    for (size_t i = 0; i < input->flows.n; i++)
        call_reader(f, out, 1, mesh_arena_printf(e->arena, "%s_%s", e->p, input->flows.v[i]->cname), input->flows.v[i]->shape_in,
                    shape, "r");
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
}

void mesh_emit_flows(struct mesh_emitter *e, struct mesh_data *data)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf code = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf protos = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf runs = MESH_BUF_NULL;
    struct flow_emit f = {.e = e, .code = &code, .protos = &protos};
    for (size_t i = 0; i < e->plan->flows.n; i++) {
        f.flow = e->plan->flows.v[i];
        f.joins.n = 0;
        if (f.flow->pattern)
            emit_capture(&f, &runs);
        emit_part(&f, 0, 0, f.flow->shape_in);
        for (size_t k = 0; k < f.flow->kept.n; k++)
            mesh_flow_join_keeps(&f, f.flow, f.flow->kept.v[k]);
    }
    for (size_t i = 0; i < e->plan->inputs.n; i++) {
        if (e->plan->inputs.v[i]->kind != MESH_INPUT_PARTIALS)
            emit_input(&f, e->plan->inputs.v[i]);
        e->plan->inputs.v[i]->ahead = mesh_emit_ahead(&f, e->plan->inputs.v[i]);
    }
    for (size_t i = 0; i < e->plan->inputs.n; i++)
        if (mesh_emit_removes(e->plan->inputs.v[i]))
            emit_removed(&f, e->plan->inputs.v[i]);
    mesh_data_code(e->arena, data, "flow_functions", "%s", code.p == NULL ? "" : code.p);
    mesh_data_code(e->arena, data, "flow_prototypes", "%s", protos.p == NULL ? "" : protos.p);
    mesh_data_code(e->arena, data, "run_structs", "%s", runs.p == NULL ? "" : runs.p);
}
