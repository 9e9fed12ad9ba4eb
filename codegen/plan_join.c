/* Joins, and what is lost behind a change of key: records alone travel to the tasks of another key, or wait for another stream. */
#include "codegen/plan_int.h"

#include <string.h>

void mesh_plan_join_table(struct planner *p, struct mesh_plan_flow *flow, const struct mesh_model_step *step,
                          struct mesh_plan_step *planned)
{
    struct mesh_plan_input *table = mesh_plan_input_of(p, step->table);
    planned->state = table->table;
    bool known = false;
    for (size_t i = 0; i < table->table->roots.n; i++)
        known = known || table->table->roots.v[i] == flow->root;
    if (!known)
        *mesh_vec_push_in(p->arena, &table->table->roots) = flow->root;
    if (step->table->copy_all)
        return;
    if (!mesh_plan_by_holds(step->by.v, step->by.n, flow->key_out)) {
        struct mesh_diag *d =
            mesh_diag_add(p->diags, MESH_ERROR, "MP003", mesh_expr_at(step->by.v[0]),
                          "the join's key is not the partition key '%s'", flow->key_out == NULL ? "(none)" : flow->key_out);
        mesh_diag_why(p->diags, d, "the table '%s' is partitioned by its key, so a task holds only the rows of its own partition",
                      step->table->name);
        mesh_diag_fix(p->diags, d, "give every task the whole table: table: { by: %s, copy: all }", step->table->table_by.text);
        p->errors++;
        return;
    }
    mesh_plan_join_roots(p->plan, flow->root, table->root);
}

/* Does what this root's tasks send come to the other one's? */
static bool sends_far(const struct mesh_plan *plan, uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < plan->internals.n; i++) {
        const struct mesh_plan_internal *internal = plan->internals.v[i];
        for (size_t k = 0; k < internal->from_roots.n; k++) {
            uint32_t reader = mesh_plan_root(plan, internal->input->root);
            if (mesh_plan_root(plan, internal->from_roots.v[k]) == mesh_plan_root(plan, from) &&
                (reader == mesh_plan_root(plan, to) || sends_far(plan, reader, to)))
                return true;
        }
    }
    return false;
}

/* A stream whose only step is to change the key. */
struct mesh_plan_flow *mesh_plan_regroup(struct planner *p, const char *name, const char *cname, struct mesh_srcref at,
                                         const struct mesh_plan_source *source, struct mesh_plan_flow **ret_before, const char *key)
{
    struct mesh_model_stream *stream = mesh_arena_new(p->arena, struct mesh_model_stream);
    stream->name = name;
    stream->at = at;
    stream->shape_in = stream->shape = (struct mesh_gen_shape *)source->shape;
    *ret_before = mesh_plan_new_flow(p, stream, cname, source->root, source->key, source->shape);
    struct mesh_plan_flow *behind = mesh_plan_cut(p, *ret_before, key);
    behind->key_out = behind->key;
    return behind;
}

/* The two streams meet in the tasks of the key: each is regrouped unless it comes by it. */
struct mesh_plan_flow *mesh_plan_join_stream(struct planner *p, struct mesh_plan_flow *flow, struct mesh_model_step *step,
                                             struct mesh_plan_state **ret_state)
{
    if (!mesh_plan_by_holds(step->by.v, step->by.n, flow->key_out))
        flow = mesh_plan_cut(p, flow, mesh_plan_by_name(step->by.v));
    for (size_t i = 0; i < flow->steps.n; i++)
        if (mesh_model_brings(flow->steps.v[i].model))
            *mesh_vec_push_in(p->arena, &p->lost) = flow->steps.v[i].model;
    struct mesh_plan_flow *other = mesh_plan_flow_of(p, step->other.stream);
    if (other->key_out == NULL || strcmp(other->key_out, step->other_by) != 0) {
        struct mesh_plan_source source = {other->shape_out, other->root, other->key_out};
        struct mesh_plan_flow *before = NULL;
        const char *name = mesh_arena_printf(p->arena, "%s_%s", flow->stream->name, step->alias);
        struct mesh_plan_flow *behind =
            mesh_plan_regroup(p, name, mesh_arena_printf(p->arena, "%s_records", name), step->at, &source, &before, step->other_by);
        *mesh_vec_push_in(p->arena, &other->flows) = before;
        other = behind;
    }
    if (sends_far(p->plan, flow->root, other->root) || sends_far(p->plan, other->root, flow->root)) {
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MP007", step->at, "'%s' and '%s' cannot meet in one task",
                                            flow->stream->name, step->alias);
        mesh_diag_why(p->diags, d,
                      "records change their key on the way from one of them to the other, so one would wait for itself");
        mesh_diag_fix(p->diags, d, "join before the step that changes the key, or let both read the same side of it");
        p->errors++;
        return flow;
    }
    mesh_plan_join_roots(p->plan, flow->root, other->root);
    *ret_state = mesh_plan_new_state(p, MESH_STATE_INTERVAL, mesh_arena_printf(p->arena, "%s_%s", flow->stream->name, step->alias),
                                     flow->root);
    (*ret_state)->asks = flow->shape_out;
    flow->travelled = true; /* behind the join */
    *mesh_vec_push_in(p->arena, &other->kept) = *ret_state;
    return flow;
}

struct lost_search {
    const struct planner *planner;
    const struct mesh_model_step *found;
};

static void is_lost(void *context, const struct mesh_gen_member *member)
{
    struct lost_search *search = context;
    for (size_t i = 0; i < search->planner->lost.n; i++) {
        const struct mesh_gen_shape *shape = search->planner->lost.v[i]->shape_joined;
        if (member >= shape->members.v && member < shape->members.v + shape->members.n)
            search->found = search->planner->lost.v[i];
    }
}

/* Only the record itself travels to the task of another key, or waits: what a join before found does not. */
void mesh_plan_check_lost(struct planner *p, const struct mesh_expr *expr)
{
    struct lost_search search = {p, NULL};
    const char *subject = NULL;
    if (expr == NULL || p->lost.n == 0)
        return;
    mesh_expr_label(expr, &subject, is_lost, &search);
    if (search.found == NULL)
        return;
    struct mesh_diag *d =
        mesh_diag_add(p->diags, MESH_ERROR, "MP005", mesh_expr_at(expr),
                      "a field of '%s' is read behind a change of key, or behind a join of streams", search.found->alias);
    mesh_diag_why(
        p->diags, d,
        "the records travel to the tasks of the new key, or wait for what a join may still find, without the rows they were "
        "joined with");
    bool item = search.found->kind == MESH_STEP_FLATTEN;
    mesh_diag_fix(p->diags, d, "put what is needed into the record before: a 'set:' step behind the %s", item ? "flatten" : "join");
    mesh_diag_note(p->diags, d, search.found->at, item ? "flattened here" : "joined here");
    p->errors++;
}

void mesh_plan_check_step_lost(struct planner *p, const struct mesh_model_step *step)
{
    mesh_plan_check_lost(p, step->where);
    mesh_plan_check_lost(p, step->rearm);
    mesh_plan_check_lost(p, step->as_of);
    for (size_t i = 0; i < step->by.n; i++)
        mesh_plan_check_lost(p, step->by.v[i]);
    for (size_t i = 0; i < step->assigns.n && step->kind != MESH_STEP_FOLD; i++)
        mesh_plan_check_lost(p, step->assigns.v[i].expr);
    for (size_t i = 0; i < step->aggregates.list.n; i++) {
        mesh_plan_check_lost(p, step->aggregates.list.v[i].arg);
        mesh_plan_check_lost(p, step->aggregates.list.v[i].cond);
    }
}

/* Plan one step; returns the flow that goes on (another one behind a change of key). */

void mesh_plan_check_array(struct planner *p, const struct mesh_plan_flow *flow, const struct mesh_model_step *step)
{
    if (!flow->travelled)
        return;
    struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MP005", step->at,
                                        "'%s' is flattened behind a change of key, or behind a join of streams", step->array.text);
    mesh_diag_why(p->diags, d,
                  "an array is read from the record as it came in; it neither travels to the tasks of another key, nor waits");
    mesh_diag_fix(p->diags, d, "flatten first, in this stream or in one that it reads");
    p->errors++;
}
