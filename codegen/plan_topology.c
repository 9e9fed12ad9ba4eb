/* Which inputs and states run together: what was joined in the union-find of roots is one topology. */
#include "codegen/plan_int.h"

static bool order_sensitive(const struct mesh_plan_state *state)
{
    if (state->kind != MESH_STATE_VIEW)
        return true;
    if (state->partial)
        return false;
    return !state->view->mergeable;
}

/* Of a topology that reads what it writes, time would stand still. */
static void check_circles(const struct mesh_plan *plan)
{
    for (size_t i = 0; i < plan->internals.n; i++)
        for (size_t k = 0; k < plan->internals.v[i]->from_roots.n; k++)
            mesh_assert(mesh_plan_root(plan, plan->internals.v[i]->from_roots.v[k]) !=
                        mesh_plan_root(plan, plan->internals.v[i]->input->root));
}

void mesh_plan_make_topologies(struct mesh_plan *plan, struct mesh_arena *arena)
{
    for (size_t i = 0; i < plan->inputs.n; i++) {
        struct mesh_plan_input *input = plan->inputs.v[i];
        if (input->kind == MESH_INPUT_TABLE)
            continue;
        uint32_t root = mesh_plan_root(plan, input->root);
        struct mesh_plan_topology *topology = NULL;
        for (size_t t = 0; t < plan->topologies.n; t++)
            if (plan->topologies.v[t]->root == root)
                topology = plan->topologies.v[t];
        if (topology == NULL) {
            topology = mesh_arena_new(arena, struct mesh_plan_topology);
            topology->cname = input->cname;
            topology->root = root;
            *mesh_vec_push_in(arena, &plan->topologies) = topology;
        }
        *mesh_vec_push_in(arena, &topology->inputs) = input;
    }
    for (size_t t = 0; t < plan->topologies.n; t++) {
        struct mesh_plan_topology *topology = plan->topologies.v[t];
        size_t sources = 0;
        for (size_t i = 0; i < topology->inputs.n; i++)
            sources += topology->inputs.v[i]->kind == MESH_INPUT_STREAM ? 1 : 2;
        bool sensitive = false;
        for (size_t s = 0; s < plan->states.n; s++) {
            struct mesh_plan_state *state = plan->states.v[s];
            bool here = false;
            for (size_t r = 0; r < state->roots.n; r++)
                here = here || mesh_plan_root(plan, state->roots.v[r]) == topology->root;
            if (!here)
                continue;
            *mesh_vec_push_in(arena, &topology->states) = state;
            sensitive = sensitive || order_sensitive(state);
            if (state->table != NULL) {
                *mesh_vec_push_in(arena, &topology->inputs) = state->table;
                sources++;
            }
        }
        /* Behind a change of key the order of records, and how late they are, is that of this task. */
        for (size_t f = 0; f < plan->flows.n; f++)
            sensitive =
                sensitive || (plan->flows.v[f]->cut != NULL && mesh_plan_root(plan, plan->flows.v[f]->root) == topology->root);
        topology->ordered = sensitive && sources > 1;
    }
    check_circles(plan);
}
