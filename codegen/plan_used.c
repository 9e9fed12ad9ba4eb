/* Which members anybody uses. */
#include "codegen/plan_int.h"

#include <string.h>

/* Decoders read, structs carry and topics transport only what somebody uses: walk back from what is used. */
static bool pass_used(const struct mesh_gen_shape *from, const struct mesh_gen_shape *to, const struct mesh_model_assign *assigns,
                      size_t n)
{
    bool changed = false;
    for (size_t i = 0; i < to->members.n; i++) {
        if (!to->members.v[i].used)
            continue;
        bool assigned = false;
        for (size_t a = 0; a < n; a++)
            assigned = assigned || strcmp(assigns[a].name, to->members.v[i].name) == 0;
        struct mesh_gen_member *source = assigned ? NULL : mesh_gen_shape_member(from, to->members.v[i].name);
        if (source != NULL && !source->used)
            changed = source->used = true;
    }
    return changed;
}

static bool use(const struct mesh_gen_shape *shape, const char *name)
{
    struct mesh_gen_member *member = shape == NULL || name == NULL ? NULL : mesh_gen_shape_member(shape, name);
    if (member == NULL || member->used)
        return false;
    member->used = true;
    return true;
}

static bool any_used(const struct mesh_gen_shape *shape)
{
    for (size_t i = 0; i < shape->members.n; i++)
        if (shape->members.v[i].used)
            return true;
    return false;
}

static bool use_of_port(const struct mesh_model_port *port, const struct mesh_gen_shape *shape)
{
    bool changed = use(shape, port->key.text);
    for (size_t i = 0; port->contract != NULL && i < port->contract->schema->n_fields; i++)
        changed = use(shape, port->contract->schema->fields[i].name) || changed;
    return changed;
}

static bool propagate_once(struct mesh_plan *plan)
{
    bool changed = false;
    for (size_t f = plan->flows.n; f > 0; f--) {
        struct mesh_plan_flow *flow = plan->flows.v[f - 1];
        for (size_t i = 0; i < flow->ports.n; i++)
            changed = use_of_port(flow->ports.v[i], flow->shape_out) || changed;
        for (size_t i = 0; i < flow->views.n; i++)
            for (size_t b = 0; b < flow->views.v[i]->model->by.n; b++)
                changed = use(flow->shape_out, flow->views.v[i]->model->by.v[b]) || changed;
        for (size_t i = 0; i < flow->flows.n; i++)
            if (flow->flows.v[i]->shape_in != flow->shape_out)
                changed = pass_used(flow->flows.v[i]->shape_in, flow->shape_out, NULL, 0) || /* a union: what one reads, all give */
                          pass_used(flow->shape_out, flow->flows.v[i]->shape_in, NULL, 0) || changed;
        if (flow->cut != NULL)
            changed = use(flow->shape_out, flow->cut_key) || changed;
        for (size_t s = flow->steps.n; s > 0; s--) {
            const struct mesh_plan_step *step = &flow->steps.v[s - 1];
            const struct mesh_model_step *join = step->model;
            if (mesh_model_joins_stream(join)) {
                if (!any_used(join->shape_joined)) /* what is kept has at least one member */
                    changed = use(join->shape_joined, join->other_by);
                changed = use(join->other.stream->shape, join->other_by) || changed;
                changed = pass_used(join->other.stream->shape, join->shape_joined, NULL, 0) || changed;
            } else if (join->kind == MESH_STEP_JOIN && join->shape_joined != join->table->shape) {
                changed = pass_used(join->table->shape, join->shape_joined, NULL, 0) || changed;
            }
            if (step->before != step->after && step->model->kind != MESH_STEP_SELECT)
                changed = pass_used(step->before, step->after, step->model->assigns.v, step->model->assigns.n) || changed;
        }
    }
    for (size_t i = 0; i < plan->inputs.n; i++) {
        struct mesh_plan_input *input = plan->inputs.v[i];
        const struct mesh_model_input *model = input->model;
        if (model == NULL)
            continue;
        changed = use(model->shape, model->event_time.text) || changed;
        changed = use(model->shape, model->key.text) || changed;
        changed = use(model->shape, model->table_by.text) || changed;
        changed = use(model->shape, model->versioned.text) || changed;
        for (size_t v = 0; v < input->views.n; v++)
            for (size_t b = 0; b < input->views.v[v]->model->by.n; b++)
                changed = use(model->shape, input->views.v[v]->model->by.v[b]) || changed;
        for (size_t f = 0; f < input->flows.n; f++) /* a union reads its inputs through the shape of the first */
            if (input->flows.v[f]->shape_in != model->shape)
                changed = pass_used(model->shape, input->flows.v[f]->shape_in, NULL, 0) ||
                          pass_used(input->flows.v[f]->shape_in, model->shape, NULL, 0) || changed;
    }
    return changed;
}

void mesh_plan_mark_used(struct mesh_plan *plan)
{
    while (propagate_once(plan)) {
    }
}
