/* Where a person is found again: strings of records and keys that are labelled with a subject. */
#include "codegen/emit_tables.h"

static bool is_subject(const struct mesh_gen_member *member)
{
    return member->subject != NULL && member->type.kind == MESH_GEN_STRING &&
           (member->label == MESH_PERSONAL || member->label == MESH_SPECIAL || member->label == MESH_PSEUDONYMOUS);
}

static const struct mesh_gen_shape *shape_of(const struct mesh_plan_input *input)
{
    return input->kind == MESH_INPUT_RECORDS ? input->flow->shape_in : input->model == NULL ? NULL : input->model->shape;
}

static size_t n_subjects(const struct table_emit *t, const struct mesh_plan_input *input)
{
    const struct mesh_gen_shape *shape = shape_of(input);
    size_t n = 0;
    if (shape == NULL)
        return 0;
    const struct mesh_emit_struct *s = mesh_emit_struct_of(t->e, shape);
    for (size_t i = 0; i < s->members.n; i++)
        n += is_subject(s->members.v[i]);
    return n;
}

static void input_subjects(struct table_emit *t, const struct mesh_plan_input *input)
{
    if (n_subjects(t, input) == 0)
        return;
    const struct mesh_emit_struct *s = mesh_emit_struct_of(t->e, shape_of(input));
    bool carried = input->kind == MESH_INPUT_RECORDS;
    mesh_emit_line(t->out, 0, "static const struct mesh_field subjects_of_%s[] = {", input->cname);
    for (size_t i = 0; i < s->members.n; i++) {
        struct mesh_gen_member member = *s->members.v[i];
        if (!is_subject(&member))
            continue;
        if (carried)
            member.cname = mesh_arena_printf(t->e->arena, "record.%s", member.cname);
        mesh_emit_field(t->e, t->out, carried ? mesh_arena_printf(t->e->arena, "%s_regrouped", input->cname) : s->name, &member,
                        MESH_AS_IS);
    }
    mesh_emit_line(t->out, 0, "};");
    mesh_emit_blank(t->out);
}

void mesh_table_input_subjects(struct table_emit *t, const struct mesh_plan_input *input)
{
    size_t n = n_subjects(t, input);
    if (n == 0)
        return;
    mesh_emit_line(t->out, 2, ".subjects = subjects_of_%s,", input->cname);
    mesh_emit_line(t->out, 2, ".n_subjects = %zu,", n);
}

/* ---- keys ---- */

static void key_field(struct table_emit *t, const char *name, const struct mesh_gen_type *type, enum mesh_label label,
                      const char *subject)
{
    mesh_buf_printf(t->out, "    {.name = \"%s\", .doc = \"\", .type = %s, .label = %s", name, mesh_emit_field_type(type),
                    mesh_emit_label(label));
    if (subject != NULL)
        mesh_buf_printf(t->out, ", .subject = %s", mesh_emit_cstr(t->e, subject));
    mesh_buf_puts(t->out, "},\n");
}

static void key_member(struct table_emit *t, const struct mesh_gen_member *member)
{
    key_field(t, member->name, &member->type, member->label, member->subject);
}

static void key_expr(struct table_emit *t, const struct mesh_expr *expr, size_t i)
{
    const char *subject = NULL;
    enum mesh_label label = mesh_expr_label(expr, &subject, NULL, NULL);
    struct mesh_gen_type type = mesh_expr_type(expr);
    key_field(t, mesh_arena_printf(t->e->arena, "%zu", i + 1), &type, label, subject);
}

static void latch_key(struct table_emit *t, const struct mesh_plan_state *state)
{
    const struct mesh_plan_flow *flow = state->flow;
    if (flow->from_changes) {
        for (size_t i = 0; i < flow->changes_of->by.n; i++)
            key_member(t, mesh_gen_shape_member(flow->changes_of->shape, flow->changes_of->by.v[i]));
        return;
    }
    for (size_t i = 0; flow->key_out != NULL && i < flow->steps.n; i++)
        if (flow->steps.v[i].state == state)
            key_member(t, mesh_gen_shape_member(flow->steps.v[i].before, flow->key_out));
}

static bool has_key(const struct mesh_plan_state *state)
{
    return state->kind != MESH_STATE_VIEW &&
           !(state->kind == MESH_STATE_LATCH && !state->flow->from_changes && state->flow->key_out == NULL);
}

static void state_key(struct table_emit *t, const struct mesh_plan_state *state)
{
    mesh_emit_line(t->out, 0, "static const struct mesh_field key_of_%s[] = {", state->cname);
    if (state->table != NULL)
        key_member(t, mesh_gen_shape_member(state->table->model->shape, state->table->model->table_by.text));
    else if (state->kind == MESH_STATE_LATCH)
        latch_key(t, state);
    else if (state->kind == MESH_STATE_PATTERN)
        for (size_t i = 0; i < state->flow->stream->pattern_by.n; i++)
            key_expr(t, state->flow->stream->pattern_by.v[i], i);
    else
        for (size_t i = 0; i < state->step->by.n; i++)
            key_expr(t, state->step->by.v[i], i);
    mesh_emit_line(t->out, 0, "};");
    mesh_emit_blank(t->out);
}

void mesh_table_state_key(struct table_emit *t, const struct mesh_plan_state *state)
{
    if (!has_key(state))
        return;
    mesh_emit_line(t->out, 2, ".key = key_of_%s,", state->cname);
    mesh_emit_line(t->out, 2, ".n_key = sizeof key_of_%s / sizeof key_of_%s[0],", state->cname, state->cname);
}

void mesh_table_subjects(struct table_emit *t)
{
    for (size_t i = 0; i < t->e->plan->inputs.n; i++)
        input_subjects(t, t->e->plan->inputs.v[i]);
    for (size_t i = 0; i < t->e->plan->states.n; i++)
        if (has_key(t->e->plan->states.v[i]))
            state_key(t, t->e->plan->states.v[i]);
}
