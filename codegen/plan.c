/* From a checked product to what will run. One pass over the streams in reading order builds flows; then views, then topologies. */
#include "codegen/plan_int.h"

#include <string.h>

/* ---- topologies as a union-find over roots (inputs and internal topics) ---- */

uint32_t mesh_plan_root(const struct mesh_plan *plan, uint32_t root)
{
    while (plan->parents.v[root] != root)
        root = plan->parents.v[root];
    return root;
}

void mesh_plan_join_roots(struct mesh_plan *plan, uint32_t a, uint32_t b)
{
    a = mesh_plan_root(plan, a);
    b = mesh_plan_root(plan, b);
    if (a < b)
        plan->parents.v[b] = a;
    else
        plan->parents.v[a] = b;
}

static uint32_t new_root(struct planner *p)
{
    uint32_t root = (uint32_t)p->plan->parents.n;
    *mesh_vec_push_in(p->arena, &p->plan->parents) = root;
    *mesh_vec_push_in(p->arena, &p->levels) = 0;
    return root;
}

static uint32_t level_of(const struct planner *p, uint32_t root)
{
    uint32_t level = 0;
    for (uint32_t i = 0; i < p->levels.n; i++)
        if (mesh_plan_root(p->plan, i) == mesh_plan_root(p->plan, root) && p->levels.v[i] > level)
            level = p->levels.v[i];
    return level;
}

/* ---- parts ---- */

struct mesh_plan_state *mesh_plan_new_state(struct planner *p, enum mesh_state_kind kind, const char *cname, uint32_t root)
{
    struct mesh_plan_state *state = mesh_arena_new(p->arena, struct mesh_plan_state);
    state->kind = kind;
    state->cname = cname;
    *mesh_vec_push_in(p->arena, &state->roots) = root;
    *mesh_vec_push_in(p->arena, &p->plan->states) = state;
    return state;
}

static struct mesh_plan_input *new_input(struct planner *p, enum mesh_input_kind kind, const char *cname, const char *topic)
{
    struct mesh_plan_input *input = mesh_arena_new(p->arena, struct mesh_plan_input);
    input->kind = kind;
    input->cname = cname;
    input->topic = topic;
    input->root = new_root(p);
    *mesh_vec_push_in(p->arena, &p->plan->inputs) = input;
    return input;
}

static struct mesh_plan_internal *new_internal(struct planner *p, enum mesh_input_kind kind, const char *cname)
{
    struct mesh_plan_internal *internal = mesh_arena_new(p->arena, struct mesh_plan_internal);
    const char *name = p->plan->product->name.text;
    internal->cname = cname;
    internal->topic = mesh_arena_printf(p->arena, "mesh.%s.%s", name, cname);
    internal->input = new_input(p, kind, cname, internal->topic);
    *mesh_vec_push_in(p->arena, &p->plan->internals) = internal;
    return internal;
}

/* A topology that wrote to the topic it reads would wait for its own time. So what stands behind partials has another topic for its own. */
static struct mesh_plan_internal *partials_behind(struct planner *p, uint32_t level)
{
    while (p->partials.n <= level)
        *mesh_vec_push_in(p->arena, &p->partials) = NULL;
    if (p->partials.v[level] == NULL) {
        p->partials.v[level] = new_internal(
            p, MESH_INPUT_PARTIALS, level == 0 ? "partials" : mesh_arena_printf(p->arena, "partials_%u", (unsigned)level + 1));
        p->levels.v[p->partials.v[level]->input->root] = level + 1;
    }
    return p->partials.v[level];
}

static void sends_to(struct planner *p, struct mesh_plan_internal *internal, uint32_t root)
{
    *mesh_vec_push_in(p->arena, &internal->from_roots) = root;
}

struct mesh_plan_input *mesh_plan_input_of(const struct planner *p, const struct mesh_model_input *model)
{
    for (size_t i = 0; i < p->plan->inputs.n; i++)
        if (p->plan->inputs.v[i]->model == model)
            return p->plan->inputs.v[i];
    return NULL;
}

/* The last flow of a stream: what its readers read. */
struct mesh_plan_flow *mesh_plan_flow_of(const struct planner *p, const struct mesh_model_stream *stream)
{
    struct mesh_plan_flow *found = NULL;
    for (size_t i = 0; i < p->plan->flows.n; i++)
        if (p->plan->flows.v[i]->stream == stream)
            found = p->plan->flows.v[i];
    return found;
}

static struct mesh_plan_view *view_of(const struct planner *p, const struct mesh_model_view *model)
{
    for (size_t i = 0; i < p->plan->views.n; i++)
        if (p->plan->views.v[i]->model == model)
            return p->plan->views.v[i];
    return NULL;
}

/* ---- keys ---- */

/* The name under which `key` goes on behind assignments: x: key, or a member kept by `set`. */
static const char *key_through(const struct mesh_model_assign *assigns, size_t n, const char *key)
{
    for (size_t i = 0; i < n && key != NULL; i++) {
        const struct mesh_gen_member *member = mesh_expr_member(assigns[i].expr);
        if (member != NULL && strcmp(member->name, key) == 0)
            return assigns[i].name;
    }
    return NULL;
}

bool mesh_plan_by_holds(struct mesh_expr *const *by, size_t n, const char *key)
{
    for (size_t i = 0; i < n && key != NULL; i++) {
        const struct mesh_gen_member *member = mesh_expr_member(by[i]);
        if (member != NULL && strcmp(member->name, key) == 0)
            return true;
    }
    return false;
}

const char *mesh_plan_by_name(struct mesh_expr *const *by)
{
    const struct mesh_gen_member *member = mesh_expr_member(by[0]);
    return member == NULL ? NULL : member->name;
}

/* ---- flows ---- */

struct mesh_plan_flow *mesh_plan_new_flow(struct planner *p, struct mesh_model_stream *stream, const char *cname, uint32_t root,
                                          const char *key, const struct mesh_gen_shape *shape)
{
    struct mesh_plan_flow *flow = mesh_arena_new(p->arena, struct mesh_plan_flow);
    flow->stream = stream;
    flow->cname = cname;
    flow->root = root;
    flow->key = flow->key_out = key;
    flow->shape_in = flow->shape_out = shape;
    *mesh_vec_push_in(p->arena, &p->plan->flows) = flow;
    return flow;
}

/* End this flow with an internal topic keyed by `key`; the flow behind it. */
struct mesh_plan_flow *mesh_plan_cut(struct planner *p, struct mesh_plan_flow *flow, const char *key)
{
    const char *cname = mesh_arena_printf(p->arena, "%s_by_%s", flow->cname, key);
    struct mesh_plan_internal *internal = new_internal(p, MESH_INPUT_RECORDS, cname);
    sends_to(p, internal, flow->root);
    p->levels.v[internal->input->root] = level_of(p, flow->root);
    flow->cut = internal;
    flow->cut_key = key;
    for (size_t i = 0; i < flow->steps.n; i++)
        if (mesh_model_brings(flow->steps.v[i].model))
            *mesh_vec_push_in(p->arena, &p->lost) = flow->steps.v[i].model;
    struct mesh_plan_flow *next = mesh_plan_new_flow(p, flow->stream, cname, internal->input->root, key, flow->shape_out);
    next->travelled = true;
    internal->input->flow = next;
    *mesh_vec_push_in(p->arena, &internal->input->flows) = next;
    return next;
}

static void error_dedupe(struct planner *p, const struct mesh_plan_flow *flow, const struct mesh_model_step *step)
{
    struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MP001", mesh_expr_at(step->by.v[0]),
                                        "dedupe by '%s' does not hold the partition key '%s'", mesh_plan_by_name(step->by.v),
                                        flow->key_out == NULL ? "(none)" : flow->key_out);
    mesh_diag_why(
        p->diags, d, "two copies of a record find each other only in the same task, and the records come partitioned by %s",
        flow->key_out == NULL ? "what is no member of them any more" : mesh_arena_printf(p->arena, "'%s'", flow->key_out));
    if (flow->key_out != NULL)
        mesh_diag_fix(p->diags, d, "dedupe: { by: [%s, %s], ... }", flow->key_out, mesh_plan_by_name(step->by.v));
    else
        mesh_diag_fix(p->diags, d, "dedupe before the step that replaces the key, or under another name than the key's there");
    p->errors++;
}

/* A ring has no place for "this record does not count" in a smallest or largest. */
static void check_fold(struct planner *p, const struct mesh_model_step *step)
{
    for (size_t i = 0; i < step->aggregates.list.n; i++) {
        const struct mesh_aggregate *a = &step->aggregates.list.v[i];
        bool ranged = a->fn == MESH_AGG_MIN || a->fn == MESH_AGG_MAX;
        if (!ranged || (a->cond == NULL && !mesh_expr_type(a->arg).nullable))
            continue;
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MP006", a->at, "min and max of a fold look at every record");
        mesh_diag_why(p->diags, d, "a sliding window keeps one value of each event; here some have none");
        mesh_diag_fix(p->diags, d, "leave the records out before: a stream of its own with 'where:'");
        p->errors++;
    }
}

static struct mesh_plan_flow *plan_step(struct planner *p, struct mesh_plan_flow *flow, struct mesh_model_step *step, size_t index)
{
    if (step->kind == MESH_STEP_FOLD && !mesh_plan_by_holds(step->by.v, step->by.n, flow->key_out))
        flow = mesh_plan_cut(p, flow, mesh_plan_by_name(step->by.v));
    struct mesh_plan_state *joined = NULL;
    if (mesh_model_joins_stream(step))
        flow = mesh_plan_join_stream(p, flow, step, &joined);
    mesh_plan_check_step_lost(p, step);
    struct mesh_plan_step *planned = mesh_vec_push_in(p->arena, &flow->steps);
    planned->model = step;
    planned->before = flow->shape_out;
    planned->after = step->shape_after == NULL ? flow->shape_out : step->shape_after;
    const char *cname = mesh_arena_printf(p->arena, "%s_%zu", flow->stream->name, index);
    switch (step->kind) {
    case MESH_STEP_WHERE:
        break;
    case MESH_STEP_FLATTEN:
        mesh_plan_check_array(p, flow, step);
        break;
    case MESH_STEP_DEDUPE:
        if (!mesh_plan_by_holds(step->by.v, step->by.n, flow->key_out))
            error_dedupe(p, flow, step);
        planned->state = mesh_plan_new_state(p, MESH_STATE_DEDUPE, mesh_arena_printf(p->arena, "%s_dedupe", cname), flow->root);
        break;
    case MESH_STEP_JOIN:
        planned->state = joined;
        if (!mesh_model_joins_stream(step))
            mesh_plan_join_table(p, flow, step, planned);
        break;
    case MESH_STEP_SET:
        for (size_t i = 0; i < step->assigns.n && flow->key_out != NULL; i++)
            if (strcmp(step->assigns.v[i].name, flow->key_out) == 0)
                flow->key_out = NULL;
        break;
    case MESH_STEP_SELECT:
        flow->key_out = key_through(step->assigns.v, step->assigns.n, flow->key_out);
        break;
    case MESH_STEP_FOLD:
        check_fold(p, step);
        planned->state = mesh_plan_new_state(p, MESH_STATE_RING, mesh_arena_printf(p->arena, "%s_fold", cname), flow->root);
        break;
    case MESH_STEP_RISES:
        planned->state = mesh_plan_new_state(p, MESH_STATE_LATCH, mesh_arena_printf(p->arena, "%s_rises", cname), flow->root);
        break;
    }
    if (planned->state != NULL && planned->state->table == NULL) {
        planned->state->flow = flow;
        planned->state->step = step;
    }
    flow->shape_out = planned->after;
    return flow;
}

/* Where a stream's records come from: root and key, the same for all of a union. */
static struct mesh_plan_flow *start_flow(struct planner *p, struct mesh_model_stream *stream)
{
    struct mesh_plan_flow *flow = mesh_plan_new_flow(p, stream, stream->name, 0, NULL, stream->shape_in);
    for (size_t i = 0; i < stream->from.n; i++) {
        const struct mesh_model_from *from = &stream->from.v[i];
        uint32_t root = 0;
        const char *key = NULL;
        if (from->kind == MESH_FROM_INPUT) {
            struct mesh_plan_input *input = mesh_plan_input_of(p, from->input);
            *mesh_vec_push_in(p->arena, &input->flows) = flow;
            root = input->root;
            key = from->input->key.text;
        } else if (from->kind == MESH_FROM_STREAM) {
            struct mesh_plan_flow *source = mesh_plan_flow_of(p, from->stream);
            *mesh_vec_push_in(p->arena, &source->flows) = flow;
            root = source->root;
            key = source->key_out;
            flow->travelled = flow->travelled || source->travelled;
        } else {
            struct mesh_plan_view *view = view_of(p, from->view);
            *mesh_vec_push_in(p->arena, &view->changes) = flow;
            flow->from_changes = true;
            flow->changes_of = from->view;
            root = view->root;
            key = view->key;
        }
        if (i == 0) {
            flow->root = root;
            flow->key = key;
            continue;
        }
        if (key == NULL || flow->key == NULL || strcmp(key, flow->key) != 0) {
            struct mesh_diag *d =
                mesh_diag_add(p->diags, MESH_ERROR, "MP002", from->at, "'%s' is partitioned by '%s', but '%s' by '%s'", from->name,
                              key == NULL ? "(nothing)" : key, stream->from.v[0].name, flow->key == NULL ? "(nothing)" : flow->key);
            mesh_diag_why(p->diags, d, "the streams of a union meet in one task, so they must be partitioned by the same field");
            mesh_diag_fix(p->diags, d, "make two streams, and let the view read both");
            p->errors++;
            continue;
        }
        mesh_plan_join_roots(p->plan, flow->root, root);
    }
    flow->key_out = flow->key;
    return flow;
}

static void plan_stream(struct planner *p, struct mesh_model_stream *stream)
{
    struct mesh_plan_flow *flow = start_flow(p, stream);
    p->lost.n = 0;
    for (size_t i = 0; i < stream->steps.n; i++) {
        struct mesh_plan_flow *next = plan_step(p, flow, &stream->steps.v[i], i);
        if (next != flow)
            next->key_out = next->key;
        flow = next;
    }
    if (!stream->has_pattern)
        return;
    if (!mesh_plan_by_holds(stream->pattern_by.v, stream->pattern_by.n, flow->key_out)) {
        flow = mesh_plan_cut(p, flow, mesh_plan_by_name(stream->pattern_by.v));
        flow->key_out = flow->key;
    }
    for (size_t i = 0; i < stream->pattern.n; i++)
        mesh_plan_check_lost(p, stream->pattern.v[i].where);
    for (size_t i = 0; i < stream->emit.n; i++)
        mesh_plan_check_lost(p, stream->emit.v[i].expr);
    flow->pattern = true;
    flow->pattern_state =
        mesh_plan_new_state(p, MESH_STATE_PATTERN, mesh_arena_printf(p->arena, "%s_pattern", stream->name), flow->root);
    flow->pattern_state->flow = flow;
    flow->key_out = key_through(stream->emit.v, stream->emit.n, flow->key_out);
    flow->shape_out = stream->shape;
}

/* ---- views ---- */

static bool mergeable(const struct mesh_model_view *view)
{
    if (view->state.n > 0 || view->remove != NULL || view->window == MESH_WINDOW_SESSION)
        return false;
    for (size_t i = 0; i < view->aggregates.list.n; i++) {
        const struct mesh_aggregate *a = &view->aggregates.list.v[i];
        if (a->fn == MESH_AGG_FIRST || a->fn == MESH_AGG_LAST)
            return false;
        /* sums of doubles depend on their order */
        bool adds = a->fn == MESH_AGG_SUM || a->fn == MESH_AGG_AVG || a->fn == MESH_AGG_VARIANCE;
        if (adds && (a->arg_type.kind == MESH_GEN_DOUBLE || a->fn == MESH_AGG_VARIANCE))
            return false;
    }
    return true;
}

static bool view_by_holds(const struct mesh_model_view *view, const char *key)
{
    for (size_t i = 0; i < view->by.n && key != NULL; i++)
        if (strcmp(view->by.v[i], key) == 0)
            return true;
    return false;
}

static void add_source(struct planner *p, struct mesh_plan_view *view, const struct mesh_model_from *from)
{
    struct mesh_plan_source *source = mesh_vec_push_in(p->arena, &view->sources);
    if (from->kind == MESH_FROM_INPUT) {
        struct mesh_plan_input *input = mesh_plan_input_of(p, from->input);
        *source = (struct mesh_plan_source){from->input->shape, input->root, from->input->key.text};
    } else {
        struct mesh_plan_flow *flow = mesh_plan_flow_of(p, from->stream);
        *source = (struct mesh_plan_source){flow->shape_out, flow->root, flow->key_out};
    }
}

/* A view that must see the records themselves, under a key they do not have: regroup its single source. */
static void regroup_source(struct planner *p, struct mesh_plan_view *view)
{
    const struct mesh_model_from *from = &view->model->from.v[0];
    if (view->model->from.n > 1) {
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MP004", from->at,
                                            "view '%s' cannot be merged, and '%s' is not partitioned by '%s'", view->model->name,
                                            from->name, view->model->by.v[0]);
        if (view->model->window == MESH_WINDOW_SESSION) {
            mesh_diag_why(p->diags, d, "where a session begins and ends only the task sees that has all records of a key");
            mesh_diag_fix(p->diags, d, "partition every source by '%s', or use another window", view->model->by.v[0]);
        } else {
            mesh_diag_why(p->diags, d,
                          "first, last, state, remove and sums of doubles depend on the order of all records of a key");
            mesh_diag_fix(p->diags, d, "partition every source by '%s', or use count, sum of decimals, min and max only",
                          view->model->by.v[0]);
        }
        p->errors++;
        return;
    }
    struct mesh_plan_source *source = &view->sources.v[0];
    struct mesh_plan_flow *flow = NULL;
    struct mesh_plan_flow *behind =
        mesh_plan_regroup(p, view->model->name, mesh_arena_printf(p->arena, "%s_records", view->model->name), view->model->at,
                          source, &flow, view->model->by.v[0]);
    if (from->kind == MESH_FROM_INPUT)
        *mesh_vec_push_in(p->arena, &mesh_plan_input_of(p, from->input)->flows) = flow;
    else
        *mesh_vec_push_in(p->arena, &mesh_plan_flow_of(p, from->stream)->flows) = flow;
    *source = (struct mesh_plan_source){behind->shape_out, behind->root, behind->key_out};
    *mesh_vec_push_in(p->arena, &behind->views) = view;
}

static void plan_view(struct planner *p, struct mesh_model_view *model)
{
    struct mesh_plan_view *view = mesh_arena_new(p->arena, struct mesh_plan_view);
    view->model = model;
    view->mergeable = mergeable(model);
    *mesh_vec_push_in(p->arena, &p->plan->views) = view;
    bool local = true;
    for (size_t i = 0; i < model->from.n; i++) {
        add_source(p, view, &model->from.v[i]);
        const struct mesh_plan_source *source = &view->sources.v[i];
        local = local && view_by_holds(model, source->key) && strcmp(source->key, view->sources.v[0].key) == 0;
    }
    bool attached = false;
    if (local) {
        view->root = view->sources.v[0].root;
        view->key = view->sources.v[0].key;
        for (size_t i = 1; i < view->sources.n; i++)
            mesh_plan_join_roots(p->plan, view->root, view->sources.v[i].root);
    } else if (view->mergeable) {
        uint32_t level = 0;
        for (size_t i = 0; i < view->sources.n; i++)
            level = level_of(p, view->sources.v[i].root) > level ? level_of(p, view->sources.v[i].root) : level;
        struct mesh_plan_internal *partials = partials_behind(p, level);
        view->root = partials->input->root;
        view->partial = mesh_plan_new_state(p, MESH_STATE_VIEW, mesh_arena_printf(p->arena, "%s_partial", model->name),
                                            view->sources.v[0].root);
        view->partial->partial = true;
        view->partial->view = view;
        for (size_t i = 1; i < view->sources.n; i++)
            *mesh_vec_push_in(p->arena, &view->partial->roots) = view->sources.v[i].root;
        for (size_t i = 0; i < view->sources.n; i++)
            sends_to(p, partials, view->sources.v[i].root);
    } else {
        regroup_source(p, view);
        attached = true;
        view->root = view->sources.v[0].root;
        view->key = view->sources.v[0].key;
    }
    view->state = mesh_plan_new_state(p, MESH_STATE_VIEW, model->name, view->root);
    view->state->view = view;
    for (size_t i = 0; i < model->from.n && !attached; i++) {
        const struct mesh_model_from *from = &model->from.v[i];
        if (from->kind == MESH_FROM_INPUT)
            *mesh_vec_push_in(p->arena, &mesh_plan_input_of(p, from->input)->views) = view;
        else
            *mesh_vec_push_in(p->arena, &mesh_plan_flow_of(p, from->stream)->views) = view;
    }
}

/* ---- all of it ---- */

static bool streams_ready(const struct planner *p, const struct mesh_model_from *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (from[i].kind == MESH_FROM_STREAM && mesh_plan_flow_of(p, from[i].stream) == NULL)
            return false;
        if (from[i].kind == MESH_FROM_CHANGES && view_of(p, from[i].view) == NULL)
            return false;
    }
    return true;
}

static bool joins_ready(const struct planner *p, const struct mesh_model_stream *stream)
{
    for (size_t i = 0; i < stream->steps.n; i++)
        if (mesh_model_joins_stream(&stream->steps.v[i]) && !streams_ready(p, &stream->steps.v[i].other, 1))
            return false;
    return true;
}

struct mesh_plan *mesh_plan_make(struct mesh_model_product *product)
{
    struct planner p = {.arena = product->mesh->arena, .diags = product->mesh->diags};
    p.plan = mesh_arena_new(p.arena, struct mesh_plan);
    p.plan->product = product;
    for (size_t i = 0; i < product->inputs.n; i++) {
        struct mesh_model_input *model = product->inputs.v[i];
        struct mesh_plan_input *input =
            new_input(&p, model->is_table ? MESH_INPUT_TABLE : MESH_INPUT_STREAM, model->name, model->topic.text);
        input->model = model;
        if (model->is_table) {
            input->table = mesh_plan_new_state(&p, model->versioned.text != NULL ? MESH_STATE_VERSIONS : MESH_STATE_TABLE,
                                               model->name, input->root);
            input->table->table = input;
            input->table->roots.n = 0; /* kept by the topologies that join it */
        }
    }
    /* Streams and views read each other; take whatever has all it reads, in declaration order. */
    for (bool progress = true; progress;) {
        progress = false;
        for (size_t i = 0; i < product->streams.n; i++) {
            struct mesh_model_stream *stream = product->streams.v[i];
            if (mesh_plan_flow_of(&p, stream) == NULL && streams_ready(&p, stream->from.v, stream->from.n) &&
                joins_ready(&p, stream)) {
                plan_stream(&p, stream);
                progress = true;
            }
        }
        for (size_t i = 0; i < product->views.n; i++) {
            struct mesh_model_view *view = product->views.v[i];
            if (view_of(&p, view) == NULL && streams_ready(&p, view->from.v, view->from.n)) {
                plan_view(&p, view);
                progress = true;
            }
        }
    }
    for (size_t i = 0; i < product->ports.n; i++) {
        struct mesh_model_port *port = product->ports.v[i];
        if (port->view == NULL && port->from.stream != NULL)
            *mesh_vec_push_in(p.arena, &mesh_plan_flow_of(&p, port->from.stream)->ports) = port;
    }
    if (p.errors > 0)
        return NULL;
    mesh_plan_mark_used(p.plan);
    mesh_plan_make_topologies(p.plan, p.arena);
    return p.plan;
}

#define INDEX_OF(list, item)                                                                                                       \
    for (size_t i = 0; i < (list).n; i++)                                                                                          \
        if ((list).v[i] == (item))                                                                                                 \
            return i;                                                                                                              \
    mesh_assert(!"planned")

size_t mesh_plan_index_input(const struct mesh_plan *plan, const struct mesh_plan_input *input)
{
    INDEX_OF(plan->inputs, input);
    return 0;
}

size_t mesh_plan_index_state(const struct mesh_plan *plan, const struct mesh_plan_state *state)
{
    INDEX_OF(plan->states, state);
    return 0;
}

size_t mesh_plan_index_internal(const struct mesh_plan *plan, const struct mesh_plan_internal *internal)
{
    INDEX_OF(plan->internals, internal);
    return 0;
}
