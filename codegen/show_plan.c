/* Facts first, then the page for people. */
#include "codegen/show_plan.h"

#include "codegen/show_lineage.h"

#include "base/text.h"

#include <string.h>

/* ---- words ---- */

const char *mesh_show_duration(struct mesh_arena *arena, int64_t us)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (us < 0)
        return "a commit";
    mesh_text_duration(&text, us);
    return mesh_arena_strdup(arena, text.p);
}

const char *mesh_show_state_kind(const struct mesh_plan_state *state)
{
    static const char *const words[] = {
        [MESH_STATE_VIEW] = "view",         [MESH_STATE_DEDUPE] = "dedupe", [MESH_STATE_TABLE] = "table",
        [MESH_STATE_VERSIONS] = "versions", [MESH_STATE_RING] = "fold",     [MESH_STATE_PATTERN] = "pattern",
        [MESH_STATE_LATCH] = "rises",       [MESH_STATE_INTERVAL] = "join"};
    return state->partial ? "partial" : words[state->kind];
}

static int64_t interval_reach(const struct mesh_model_step *step)
{
    return (step->to_us > 0 ? step->to_us : 0) - (step->from_us < 0 ? step->from_us : 0);
}

const char *mesh_show_kept(struct mesh_arena *arena, const struct mesh_plan_state *state)
{
    if (state->partial)
        return "until the next commit";
    switch (state->kind) {
    case MESH_STATE_VIEW: {
        const struct mesh_model_view *view = state->view->model;
        if (view->keep_us == 0)
            return "for ever";
        return mesh_arena_printf(arena, view->window == MESH_WINDOW_NONE ? "%s behind its newest record" : "%s behind its window",
                                 mesh_show_duration(arena, view->keep_us));
    }
    case MESH_STATE_DEDUPE:
        return mesh_arena_printf(arena, "%s (within)", mesh_show_duration(arena, state->step->within_us));
    case MESH_STATE_TABLE:
        return "for ever: the newest row of a key";
    case MESH_STATE_VERSIONS:
        return "for ever: all rows of a key";
    case MESH_STATE_RING: {
        int64_t longest = 0;
        for (size_t i = 0; i < state->step->windows.n; i++) {
            int64_t reach = state->step->windows.v[i].size_us + state->step->windows.v[i].delay_us;
            longest = reach > longest ? reach : longest;
        }
        return mesh_arena_printf(arena, "%s (longest window)", mesh_show_duration(arena, longest));
    }
    case MESH_STATE_PATTERN:
        return mesh_arena_printf(
            arena, mesh_model_absent(state->flow->stream) > 0 ? "%s (within, and absent)" : "%s (within)",
            mesh_show_duration(arena, state->flow->stream->pattern_within_us + mesh_model_absent(state->flow->stream)));
    case MESH_STATE_LATCH:
        return "until it rearms";
    case MESH_STATE_INTERVAL:
        return mesh_arena_printf(arena,
                                 state->step->pick == MESH_PICK_LAST ? "%s (between): what may still be picked" : "%s (between)",
                                 mesh_show_duration(arena, interval_reach(state->step)));
    }
    return "";
}

const char *mesh_show_topic_use(enum mesh_emit_topic_use use)
{
    static const char *const words[] = {[MESH_TOPIC_INPUT] = "input",
                                        [MESH_TOPIC_UPSTREAM] = "upstream",
                                        [MESH_TOPIC_PORT] = "port",
                                        [MESH_TOPIC_INTERNAL] = "internal",
                                        [MESH_TOPIC_LETTERS] = "letters"};
    return words[use];
}

const char *mesh_show_input_key(const struct mesh_plan_input *input)
{
    if (input->model != NULL)
        return input->model->key.text;
    return input->flow != NULL ? input->flow->key : NULL;
}

static size_t streams_of(const struct mesh_plan_topology *topology)
{
    size_t n = 0;
    for (size_t i = 0; i < topology->inputs.n; i++)
        n += topology->inputs.v[i]->kind == MESH_INPUT_TABLE ? 0 : 1;
    return n;
}

const char *mesh_show_order(const struct mesh_plan_topology *topology)
{
    if (topology->ordered && (streams_of(topology) > 1 || topology->inputs.v[0]->model == NULL))
        return "event time";
    bool one = topology->inputs.n == 1 || topology->ordered;
    return one && topology->inputs.v[0]->kind != MESH_INPUT_PARTIALS ? "partition" : "none";
}

int32_t mesh_show_tasks(const struct mesh_plan *plan, const struct mesh_plan_topology *topology)
{
    const struct mesh_model_input *first = topology->inputs.v[0]->model;
    return first != NULL && first->partitions > 0 ? first->partitions : plan->product->mesh->default_partitions;
}

/* ---- facts ---- */

static const struct mesh_plan_topology *topology_of(const struct mesh_plan *plan, uint32_t root)
{
    for (size_t i = 0; i < plan->topologies.n; i++)
        if (plan->topologies.v[i]->root == mesh_plan_root(plan, root))
            return plan->topologies.v[i];
    return NULL;
}

/* What reads behind the cut: the first step of the next flow, the pattern, or the view that the records were regrouped for. */
static struct mesh_srcref cut_by(const struct mesh_plan_flow *behind)
{
    if (behind->steps.n > 0)
        return behind->steps.v[0].model->at;
    if (behind->kept.n > 0)
        return behind->kept.v[0]->step->at;
    return behind->pattern && behind->stream->pattern_by.n > 0 ? mesh_expr_at(behind->stream->pattern_by.v[0]) : behind->stream->at;
}

static void add_regroups(struct mesh_show_plan *show)
{
    const struct mesh_plan *plan = show->plan;
    for (size_t i = 0; i < plan->flows.n; i++) {
        const struct mesh_plan_flow *flow = plan->flows.v[i];
        if (flow->cut == NULL)
            continue;
        const struct mesh_plan_flow *behind = flow->cut->input->flow;
        bool for_view = behind->steps.n == 0 && !behind->pattern && behind->kept.n == 0;
        *mesh_vec_push_in(show->arena, &show->regroups) = (struct mesh_show_regroup){
            .topology = topology_of(plan, flow->root),
            .what = mesh_arena_printf(show->arena, "%s.%s", for_view ? "views" : "streams", flow->stream->name),
            .from = flow->key,
            .by = flow->cut_key,
            .through = flow->cut,
            .at = cut_by(behind),
        };
    }
    for (size_t i = 0; i < plan->views.n; i++) {
        const struct mesh_plan_view *view = plan->views.v[i];
        for (size_t k = 0; view->partial != NULL && k < view->sources.n; k++) {
            *mesh_vec_push_in(show->arena, &show->regroups) = (struct mesh_show_regroup){
                .topology = topology_of(plan, view->sources.v[k].root),
                .what = mesh_arena_printf(show->arena, "views.%s", view->model->name),
                .from = view->sources.v[k].key,
                .by = view->model->by.v[0],
                .through = plan->internals.v[0],
                .partials = true,
                .at = view->model->by_at.v[0],
            };
            struct mesh_show_regroup *last = &show->regroups.v[show->regroups.n - 1];
            for (size_t t = 0; t < plan->internals.n; t++)
                if (plan->internals.v[t]->input->kind == MESH_INPUT_PARTIALS)
                    last->through = plan->internals.v[t];
        }
    }
}

static struct mesh_srcref state_at(const struct mesh_plan_state *state)
{
    if (state->view != NULL)
        return state->view->model->at;
    if (state->table != NULL)
        return state->table->model->at;
    return state->step != NULL ? state->step->at : state->flow->stream->at;
}

static void add_states(struct mesh_show_plan *show)
{
    struct mesh_plan_bytes *bytes = NULL;
    mesh_plan_bytes_of(show->plan, &bytes);
    for (size_t t = 0; t < show->plan->topologies.n; t++) {
        const struct mesh_plan_topology *topology = show->plan->topologies.v[t];
        for (size_t i = 0; i < topology->states.n; i++) {
            const struct mesh_plan_state *state = topology->states.v[i];
            const struct mesh_plan_bytes *of = &bytes[mesh_plan_index_state(show->plan, state)];
            struct mesh_show_state one = {.state = state,
                                          .bytes = of,
                                          .topology = topology,
                                          .tasks = mesh_show_tasks(show->plan, topology),
                                          .everywhere = state->partial || (state->table != NULL && state->table->model->copy_all),
                                          .keys = of->keys_max > 0 && of->keys_max < show->keys ? of->keys_max : show->keys,
                                          .rows_per_key = mesh_plan_rows_per_key(state),
                                          .at = state_at(state)};
            uint64_t tasks = (uint64_t)one.tasks;
            uint64_t rows =
                (one.everywhere ? one.keys : (one.keys + tasks - 1) / tasks) * (one.rows_per_key == 0 ? 1 : one.rows_per_key);
            one.per_row = mesh_plan_row_bytes(of);
            one.total = tasks * (mesh_plan_table_bytes(rows, of) + mesh_plan_owned_bytes(rows, of));
            if (one.rows_per_key == 1)
                show->total += state->partial ? 0 : one.total;
            else
                show->windows_max += one.total;
            *mesh_vec_push_in(show->arena, &show->states) = one;
        }
    }
}

static void add_wait(struct mesh_show_plan *show, const struct mesh_plan_topology *topology, int64_t us, struct mesh_srcref at,
                     const char *why)
{
    *mesh_vec_push_in(show->arena, &show->waits) = (struct mesh_show_wait){topology, why, us, at};
}

static void add_waits(struct mesh_show_plan *show)
{
    for (size_t t = 0; t < show->plan->topologies.n; t++) {
        const struct mesh_plan_topology *topology = show->plan->topologies.v[t];
        bool sorted = topology->ordered && streams_of(topology) > 1;
        for (size_t i = 0; i < topology->inputs.n; i++) {
            const struct mesh_model_input *input = topology->inputs.v[i]->model;
            if (input == NULL)
                add_wait(show, topology, -1, (struct mesh_srcref){0},
                         mesh_arena_printf(show->arena, "and a way through Kafka, for what comes through %s",
                                           topology->inputs.v[i]->topic));
            if (input == NULL || !topology->ordered)
                continue;
            if (input->is_table) {
                add_wait(show, topology, input->idle_us, input->at,
                         mesh_arena_printf(show->arena, "records behind a new row of '%s', until it is idle", input->name));
                add_wait(show, topology, input->wait_us, input->at,
                         mesh_arena_printf(show->arena, "all records while '%s' is empty, at most, then 'missing' decides",
                                           input->name));
            } else if (sorted) {
                add_wait(show, topology, input->delay_us, input->at,
                         mesh_arena_printf(show->arena, "every record: order among the inputs ('delay' of '%s')", input->name));
            }
        }
        for (size_t i = 0; i < topology->states.n; i++) {
            const struct mesh_plan_state *state = topology->states.v[i];
            if (state->kind == MESH_STATE_INTERVAL && state->step->to_us > 0)
                add_wait(show, topology, state->step->to_us, state->step->at,
                         mesh_arena_printf(show->arena, "records of '%s' wait for what the join may still find ('between')",
                                           state->flow->stream->name));
            if (state->kind == MESH_STATE_PATTERN && mesh_model_absent(state->flow->stream) > 0)
                add_wait(show, topology, mesh_model_absent(state->flow->stream), state->flow->stream->at,
                         mesh_arena_printf(show->arena, "what is absent in '%s' is known when its time is over ('absent')",
                                           state->flow->stream->name));
            const struct mesh_plan_view *view = state->view;
            if (view == NULL || state->partial || view->model->window == MESH_WINDOW_NONE)
                continue;
            add_wait(show, topology, view->model->size_us + view->model->grace_us, view->model->at,
                     mesh_arena_printf(show->arena, "a row of '%s' is final: %s", view->model->name,
                                       view->model->window == MESH_WINDOW_SESSION
                                           ? "gap and 'grace' behind its last record"
                                           : "window and 'grace' behind the window's begin"));
        }
    }
}

struct mesh_show_plan *mesh_show_plan_make(struct mesh_model_product *product, uint64_t keys)
{
    struct mesh_plan *plan = mesh_plan_make(product);
    if (plan == NULL)
        return NULL;
    struct mesh_show_plan *show = mesh_arena_new(product->mesh->arena, struct mesh_show_plan);
    show->arena = product->mesh->arena;
    show->plan = plan;
    show->keys = keys;
    add_regroups(show);
    add_states(show);
    add_waits(show);
    mesh_emit_topics_of(plan, &show->topics);
    return show;
}

size_t mesh_show_arrivals(const struct mesh_show_plan *show, struct mesh_show_arrival **ret)
{
    MESH_VEC(struct mesh_show_arrival) list = {0};
    const struct mesh_model_product *product = show->plan->product;
    for (size_t i = 0; i < product->ports.n; i++) {
        const struct mesh_model_port *port = product->ports.v[i];
        if ((port->kind == MESH_MODEL_KAFKA || port->kind == MESH_MODEL_SSE) && port->view != NULL &&
            port->emit == MESH_EMIT_CHANGE)
            *mesh_vec_push_in(show->arena, &list) = (struct mesh_show_arrival){
                mesh_arena_printf(show->arena,
                                  "'%s' sends one row per key and commit: which ones in between is not fixed, the last is",
                                  port->name),
                port->at};
    }
    for (size_t t = 0; t < show->plan->topologies.n; t++) {
        const struct mesh_plan_topology *topology = show->plan->topologies.v[t];
        for (size_t i = 0; i < topology->inputs.n && topology->ordered; i++) {
            const struct mesh_model_input *input = topology->inputs.v[i]->model;
            if (input == NULL || input->idle_us == 0)
                continue;
            const char *text =
                input->is_table
                    ? "records do not wait for a row of '%s' that comes more than its 'idle' late (mesh_table_late_total counts it)"
                    : "'%s' no longer holds the others back when it is silent for its 'idle' (mesh_idle_late_total counts what "
                      "comes then)";
            mesh_cleanup(mesh_buf_deinit) struct mesh_buf line = MESH_BUF_NULL;
            const char *hole = strstr(text, "%s");
            mesh_buf_add(&line, text, (size_t)(hole - text));
            mesh_buf_puts(&line, input->name);
            mesh_buf_puts(&line, hole + 2);
            *mesh_vec_push_in(show->arena, &list) = (struct mesh_show_arrival){mesh_arena_strdup(show->arena, line.p), input->at};
        }
    }
    *ret = list.v;
    return list.n;
}

/* ---- the page ---- */

static const char *size(struct mesh_arena *arena, uint64_t bytes)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit + 1 < MESH_LEN(units)) {
        value /= 1000.0;
        unit++;
    }
    return mesh_arena_printf(arena, unit == 0 || value >= 99.5 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void put_topology(const struct mesh_show_plan *show, struct mesh_buf *out, const struct mesh_plan_topology *topology)
{
    struct mesh_arena *arena = show->arena;
    const char *order = mesh_show_order(topology);
    mesh_buf_printf(out, "  %s: %d tasks, %s\n", topology->cname, mesh_show_tasks(show->plan, topology),
                    strcmp(order, "event time") == 0  ? "records in the order of their event time"
                    : strcmp(order, "partition") == 0 ? "records in the order of their partition"
                                                      : "order does not matter to any step");
    for (size_t i = 0; i < topology->inputs.n; i++) {
        const struct mesh_plan_input *input = topology->inputs.v[i];
        const char *key = mesh_show_input_key(input);
        mesh_buf_printf(out, "    %-9s%s  %s", i == 0 ? "reads" : "", input->cname, mesh_show_plain(arena, input->topic));
        if (input->kind == MESH_INPUT_PARTIALS)
            mesh_buf_puts(out, ", by the key of the view");
        else
            mesh_buf_printf(out, ", by %s", key == NULL ? "(nothing)" : key);
        if (input->model != NULL && input->model->is_table)
            mesh_buf_puts(out, input->model->copy_all ? ", a table: all of it in each task" : ", a table");
        if (input->model != NULL)
            mesh_buf_printf(out, ", delay %s, idle %s", mesh_show_duration(arena, input->model->delay_us),
                            mesh_show_duration(arena, input->model->idle_us));
        mesh_buf_printf(out, "%s%s\n", input->model == NULL ? "" : "  ",
                        input->model == NULL ? "" : mesh_show_at(arena, input->model->at));
    }
    size_t n = 0;
    for (size_t i = 0; i < show->regroups.n; i++) {
        const struct mesh_show_regroup *r = &show->regroups.v[i];
        if (r->topology != topology)
            continue;
        bool here = r->from != NULL && strcmp(r->from, r->by) == 0; /* another source of the view is not */
        mesh_buf_printf(out, "    %-9s%s needs %s, %s come by %s: %s through %s  %s\n", n++ == 0 ? "regroups" : "", r->what, r->by,
                        here ? "not all its sources" : "records", r->from == NULL ? "(nothing)" : r->from,
                        r->partials ? "a row per key and commit" : "each record", r->through->topic, mesh_show_at(arena, r->at));
    }
    n = 0;
    for (size_t i = 0; i < show->waits.n; i++) {
        const struct mesh_show_wait *w = &show->waits.v[i];
        if (w->topology == topology)
            mesh_buf_printf(out, "    %-9s%s%s%s%s%s\n", n++ == 0 ? "waits" : "", mesh_show_duration(arena, w->us),
                            w->us < 0 ? " " : ": ", w->why, w->at.source == NULL ? "" : "  ", mesh_show_at(arena, w->at));
    }
}

static void put_state(const struct mesh_show_plan *show, struct mesh_buf *out, const struct mesh_show_state *s)
{
    struct mesh_arena *arena = show->arena;
    bool at_most = s->state->partial || s->rows_per_key != 1;
    mesh_buf_printf(out, "    %-34s %-9s %7llu B %9s %11s  %s", s->state->cname, mesh_show_state_kind(s->state),
                    (unsigned long long)s->per_row, s->bytes->item == 0 ? "" : mesh_arena_printf(arena, "%zu B", s->bytes->item),
                    mesh_arena_printf(arena, "%s%s", at_most ? "<= " : "", size(arena, s->total)), mesh_show_kept(arena, s->state));
    if (s->rows_per_key == 0)
        mesh_buf_puts(out, "; a row for each window, without end");
    else if (s->rows_per_key > 1)
        mesh_buf_printf(out, "; up to %llu windows a key", (unsigned long long)s->rows_per_key);
    if (s->bytes->keys_max > 0 && s->bytes->keys_max < show->keys)
        mesh_buf_printf(out, "; %llu keys", (unsigned long long)s->bytes->keys_max);
    if (s->everywhere)
        mesh_buf_printf(out, "; all keys in each of %d tasks", s->tasks);
    mesh_buf_printf(out, "  %s\n", mesh_show_at(arena, s->at));
}

static void put_states(const struct mesh_show_plan *show, struct mesh_buf *out)
{
    struct mesh_arena *arena = show->arena;
    if (show->states.n == 0)
        return;
    mesh_buf_printf(out, "\n  State with %llu keys: %s", (unsigned long long)show->keys, size(arena, show->total));
    if (show->windows_max > 0)
        mesh_buf_printf(out, ", and at most %s in windows, if each key has a record in every one", size(arena, show->windows_max));
    mesh_buf_printf(out, "\n    %-34s %-9s %9s %9s %11s  %s\n", "state", "kind", "a row", "one more", "memory", "kept");
    for (size_t i = 0; i < show->states.n; i++)
        put_state(show, out, &show->states.v[i]);
    mesh_buf_printf(
        out,
        "    A text counts as %d bytes. A key of a fold has room for 4 events at first, of versions or a pattern for 2;\n"
        "    'one more' is what a further one takes, and room doubles. Partials come on top while a commit fills them.\n",
        MESH_PLAN_TEXT_BYTES);
}

static void put_topics(const struct mesh_show_plan *show, struct mesh_buf *out)
{
    mesh_buf_puts(out, "\n  Topics\n");
    for (size_t i = 0; i < show->topics.list.n; i++) {
        const struct mesh_emit_topic *topic = &show->topics.list.v[i];
        mesh_buf_printf(out, "    %-52s %4d  %-8s %s\n", mesh_show_plain(show->arena, topic->name), topic->partitions,
                        topic->compact ? "compact" : "delete", mesh_show_topic_use(topic->use));
    }
}

void mesh_show_plan_text(const struct mesh_show_plan *show, struct mesh_buf *out)
{
    const struct mesh_plan *plan = show->plan;
    int32_t tasks = 0;
    for (size_t i = 0; i < plan->topologies.n; i++)
        tasks += mesh_show_tasks(plan, plan->topologies.v[i]);
    mesh_buf_printf(out, "%s  %s\n  %zu topolog%s, %d tasks\n\n", mesh_show_product_name(show->arena, plan->product),
                    plan->product->path, plan->topologies.n, plan->topologies.n == 1 ? "y" : "ies", tasks);
    for (size_t i = 0; i < plan->topologies.n; i++)
        put_topology(show, out, plan->topologies.v[i]);
    put_states(show, out);
    put_topics(show, out);
    struct mesh_show_arrival *arrivals = NULL;
    size_t n = mesh_show_arrivals(show, &arrivals);
    mesh_buf_puts(out, n == 0 ? "\n  Nothing depends on when records arrive.\n" : "\n  Depends on when records arrive\n");
    for (size_t i = 0; i < n; i++)
        mesh_buf_printf(out, "    %s  %s\n", arrivals[i].text, mesh_show_at(show->arena, arrivals[i].at));
}
