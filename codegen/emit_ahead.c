/* What a record will look up by members of its own: asked for in memory a few records early (platform/flow/ahead.c). A hint, nothing is
 * computed from it, so whatever is not plain is left out: keys of members that a step made, tables of versions (small, and hot), states
 * that only a few records reach. */
#include "codegen/emit_flow.h"
#include "mesh/task.h"

#include <string.h>

struct ahead_emit {
    struct flow_emit *f;
    struct mesh_buf *out;
    const struct mesh_gen_shape *shape; /* of the input's record */
    MESH_VEC(const char *) made;        /* names that steps so far gave another value */
    const char *key;                    /* the code that made the key at hand */
    size_t n;
};

/* The member of the input's record that this name still means. */
static const struct mesh_gen_member *own_member(const struct ahead_emit *a, const char *cname)
{
    for (size_t i = 0; i < a->made.n; i++)
        if (strcmp(a->made.v[i], cname) == 0)
            return NULL;
    for (size_t i = 0; i < a->shape->members.n; i++) {
        const struct mesh_gen_member *member = &a->shape->members.v[i];
        if (strcmp(member->cname, cname) == 0)
            return member->used && !member->type.nullable ? member : NULL;
    }
    return NULL;
}

static void look_up(struct ahead_emit *a, const struct mesh_plan_state *state, const char *const *names, size_t n)
{
    if (a->n == MESH_AHEAD_MAX)
        return;
    for (size_t i = 0; i < n; i++)
        if (own_member(a, names[i]) == NULL)
            return;
    a->n++;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf key = MESH_BUF_NULL;
    mesh_emit_line(&key, 1, "mesh_key_begin(&key);");
    for (size_t i = 0; i < n; i++)
        mesh_emit_key_part(&key, 1, "&key", &own_member(a, names[i])->type, mesh_arena_printf(a->f->e->arena, "r->%s", names[i]));
    if (a->key == NULL || strcmp(a->key, key.p) != 0)
        mesh_buf_puts(a->out, key.p);
    a->key = mesh_arena_strdup(a->f->e->arena, key.p);
    mesh_emit_line(a->out, 1, "mesh_ahead(task, %s_STATE_%s, &key, time_us);", a->f->e->p, state->cname);
}

static void look_up_by(struct ahead_emit *a, const struct mesh_plan_state *state, struct mesh_expr *const *by, size_t n)
{
    MESH_VEC(const char *) names = {0};
    for (size_t i = 0; i < n; i++) {
        const char *text = mesh_flow_expr_text(a->f->e, by[i]);
        if (strncmp(text, "r->", 3) != 0)
            return;
        *mesh_vec_push_in(a->f->e->arena, &names) = text + 3;
    }
    look_up(a, state, names.v, names.n);
}

static void make(struct ahead_emit *a, const struct mesh_gen_shape *after, const struct mesh_model_assign *assigns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct mesh_gen_member *member = mesh_gen_shape_member(after, assigns[i].name);
        if (member != NULL)
            *mesh_vec_push_in(a->f->e->arena, &a->made) = member->cname;
    }
}

static void view_ahead(struct ahead_emit *a, const struct mesh_plan_view *view)
{
    if (view->partial != NULL || view->model->window == MESH_WINDOW_HOPPING || view->model->window == MESH_WINDOW_SESSION)
        return; /* which rows, or by what key they are found, is known only then */
    MESH_VEC(const char *) names = {0};
    for (size_t i = 0; i < view->model->by.n; i++) {
        const struct mesh_gen_member *member = mesh_gen_shape_member(view->model->shape, view->model->by.v[i]);
        *mesh_vec_push_in(a->f->e->arena, &names) = member->cname;
    }
    look_up(a, view->state, names.v, names.n);
}

/* False: behind this step nothing of the record is known any more. */
static bool step_ahead(struct ahead_emit *a, const struct mesh_plan_step *step)
{
    const struct mesh_model_step *m = step->model;
    switch (m->kind) {
    case MESH_STEP_WHERE:
    case MESH_STEP_RISES:
    case MESH_STEP_FLATTEN:
        return true;
    case MESH_STEP_DEDUPE:
        look_up_by(a, step->state, m->by.v, m->by.n);
        return true;
    case MESH_STEP_JOIN:
        if (m->as_of == NULL)
            look_up_by(a, step->state, m->by.v, m->by.n);
        return true;
    case MESH_STEP_SET:
        make(a, step->after, m->assigns.v, m->assigns.n);
        return true;
    case MESH_STEP_FOLD:
        look_up_by(a, step->state, m->by.v, m->by.n);
        return true; /* what it adds has names of its own */
    case MESH_STEP_SELECT:
        break;
    }
    return false;
}

static void flow_ahead(struct ahead_emit *a, const struct mesh_plan_flow *flow)
{
    const size_t made = a->made.n;
    bool known = !flow->from_changes;
    for (size_t i = 0; known && i < flow->steps.n; i++)
        known = step_ahead(a, &flow->steps.v[i]);
    if (known && flow->pattern)
        look_up_by(a, flow->pattern_state, flow->stream->pattern_by.v, flow->stream->pattern_by.n);
    else if (known && flow->cut == NULL) {
        for (size_t i = 0; i < flow->views.n; i++)
            view_ahead(a, flow->views.v[i]);
        for (size_t i = 0; i < flow->flows.n; i++)
            flow_ahead(a, flow->flows.v[i]);
    }
    a->made.n = made;
}

bool mesh_emit_ahead(struct flow_emit *f, const struct mesh_plan_input *input)
{
    if (input->kind != MESH_INPUT_STREAM && input->kind != MESH_INPUT_RECORDS)
        return false;
    struct mesh_emitter *e = f->e;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf body = MESH_BUF_NULL;
    struct ahead_emit a = {
        .f = f, .out = &body, .shape = input->kind == MESH_INPUT_RECORDS ? input->flow->shape_in : input->model->shape};
    for (size_t i = 0; i < input->views.n; i++)
        view_ahead(&a, input->views.v[i]);
    for (size_t i = 0; i < input->flows.n; i++)
        flow_ahead(&a, input->flows.v[i]);
    if (a.n == 0)
        return false;
    mesh_emit_line(f->protos, 0, "void %s_ahead_%s(struct mesh_task *task, const void *record, int64_t time_us);", e->p,
                   input->cname);
    struct mesh_buf *out = f->code;
    mesh_emit_line(out, 0, "/* what a record of %s will look up: a hint, given a few records early */", input->cname);
    mesh_emit_line(out, 0, "void %s_ahead_%s(struct mesh_task *task, const void *record, int64_t time_us)", e->p, input->cname);
    mesh_emit_line(out, 0, "{");
    if (input->kind == MESH_INPUT_RECORDS)
        mesh_emit_line(out, 1, "const struct %s *r = &((const struct %s_regrouped *)record)->record;",
                       mesh_flow_struct_of(f, a.shape), input->cname);
    else
        mesh_emit_line(out, 1, "const struct %s *r = record;", mesh_flow_struct_of(f, a.shape));
    mesh_emit_line(out, 1, "struct mesh_key key;");
    mesh_buf_puts(out, body.p);
    mesh_emit_line(out, 0, "}");
    mesh_emit_blank(out);
    return true;
}
