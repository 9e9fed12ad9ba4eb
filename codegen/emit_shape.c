/* What shapes state: a checkpoint of another shape is refused, so everything that gives stored bytes their meaning is in this text, and
 * nothing else: not ports, places in the file or prose. */
#include "codegen/emit_int.h"

static void shape_type(struct mesh_buf *out, const char *name, const struct mesh_gen_type *type)
{
    mesh_buf_printf(out, " %s:%s:%d:%d", name, mesh_emit_field_type(type), type->scale, type->nullable);
}

static void shape_members(const struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_gen_shape *shape)
{
    const struct mesh_emit_struct *s = mesh_emit_struct_of(e, shape);
    for (size_t i = 0; i < s->members.n; i++)
        shape_type(out, s->members.v[i]->name, &s->members.v[i]->type);
}

static void shape_view(struct mesh_buf *out, const struct mesh_model_view *m)
{
    mesh_buf_printf(out, " window:%d:%lld:%lld:%lld keep:%lld", (int)m->window, (long long)m->size_us, (long long)m->advance_us,
                    (long long)m->grace_us, (long long)m->keep_us);
    if (m->zone != NULL)
        mesh_buf_printf(out, " zone:%s", m->zone->name);
    for (size_t i = 0; i < m->by.n; i++)
        shape_type(out, m->by.v[i], &mesh_gen_shape_member(m->shape, m->by.v[i])->type);
    for (size_t i = 0; i < m->aggregates.list.n; i++) {
        const struct mesh_aggregate *a = &m->aggregates.list.v[i];
        if (a->shared)
            continue;
        mesh_buf_printf(out, " fn:%d:%u", (int)a->fn, a->source);
        if (a->arg != NULL)
            shape_type(out, a->cname, &a->arg_type);
    }
    for (size_t i = 0; i < m->state.n; i++)
        shape_type(out, m->state.v[i].name, &m->state.v[i].type);
    if (m->min_people > 0)
        mesh_buf_puts(out, " people"); /* of how many, the row says itself */
}

static void shape_state(struct mesh_emitter *e, struct mesh_buf *out, const struct mesh_plan_state *state)
{
    mesh_buf_printf(out, "state %s %d %d", state->cname, (int)state->kind, state->partial);
    if (state->kind == MESH_STATE_VIEW) {
        shape_view(out, state->view->model);
    } else if (state->table != NULL) {
        shape_members(e, out, state->table->model->shape);
    } else if (state->kind == MESH_STATE_PATTERN) {
        const struct mesh_model_stream *s = state->flow->stream;
        mesh_buf_printf(out, " within:%lld absent:%lld overlap:%d", (long long)s->pattern_within_us,
                        (long long)mesh_model_absent(s), (int)s->pattern_overlap);
        for (size_t i = 0; i < s->pattern.n; i++)
            mesh_buf_printf(out, " times:%d", s->pattern.v[i].forbidden ? 0 : s->pattern.v[i].times);
        struct mesh_emit_capture *captures = NULL;
        size_t n = mesh_emit_captures(e, state->flow, &captures);
        for (size_t i = 0; i < n; i++)
            shape_type(out, captures[i].cname, &captures[i].member->type);
    } else if (state->kind == MESH_STATE_INTERVAL) {
        mesh_buf_printf(out, " between:%lld:%lld pick:%d", (long long)state->step->from_us, (long long)state->step->to_us,
                        (int)state->step->pick);
        shape_members(e, out, state->step->shape_joined);
        mesh_buf_puts(out, " asks");
        shape_members(e, out, state->asks);
    } else if (state->kind == MESH_STATE_RING) {
        for (size_t i = 0; i < state->step->windows.n; i++)
            mesh_buf_printf(out, " sliding:%lld:%lld", (long long)state->step->windows.v[i].size_us,
                            (long long)state->step->windows.v[i].delay_us);
        for (size_t i = 0; i < state->step->aggregates.list.n; i++) {
            const struct mesh_aggregate *a = &state->step->aggregates.list.v[i];
            mesh_buf_printf(out, " fn:%d:%d", (int)a->fn, a->cond != NULL);
            if (a->arg != NULL)
                shape_type(out, a->cname, &a->arg_type);
        }
    } else {
        mesh_buf_printf(out, " within:%lld", (long long)state->step->within_us);
    }
    mesh_buf_putc(out, '\n');
}

void mesh_emit_shape(struct mesh_emitter *e, struct mesh_buf *out)
{
    const struct mesh_plan *plan = e->plan;
    for (size_t i = 0; i < plan->states.n; i++)
        shape_state(e, out, plan->states.v[i]);
    for (size_t i = 0; i < plan->inputs.n; i++) {
        const struct mesh_plan_input *input = plan->inputs.v[i];
        mesh_buf_printf(out, "input %s %d %s", input->cname, (int)input->kind, input->topic);
        if (input->kind == MESH_INPUT_RECORDS) /* held back records are kept as they came */
            shape_members(e, out, input->flow->shape_in);
        mesh_buf_putc(out, '\n');
    }
    for (size_t i = 0; i < plan->topologies.n; i++) {
        mesh_buf_printf(out, "topology %d", plan->topologies.v[i]->ordered);
        for (size_t k = 0; k < plan->topologies.v[i]->inputs.n; k++)
            mesh_buf_printf(out, " %s", plan->topologies.v[i]->inputs.v[k]->cname);
        mesh_buf_putc(out, '\n');
    }
}
