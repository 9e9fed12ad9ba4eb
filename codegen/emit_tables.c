/* The constant tables of a product: inputs, states, views, ports, topologies, in designated initialisers. */
#include "codegen/emit_tables.h"

#include <string.h>

const char *mesh_emit_cstr(struct mesh_emitter *e, const char *text)
{
    if (text == NULL)
        return "NULL";
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf escaped = MESH_BUF_NULL;
    mesh_escape_cstr(&escaped, text);
    return mesh_arena_printf(e->arena, "\"%s\"", escaped.p == NULL ? "" : escaped.p);
}

void mesh_table_site(struct table_emit *t, struct mesh_srcref at, const char *what)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_emit_site(t->e, &text, at, "%s", what);
    mesh_emit_line(t->out, 2, ".site = %s,", text.p);
}

/* ---- contracts ---- */

static void contract_initialiser(struct table_emit *t, const struct mesh_model_contract *contract, const char *topic, int level)
{
    struct mesh_emitter *e = t->e;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf json = MESH_BUF_NULL;
    mesh_schema_normal(contract->schema, &json);
    mesh_emit_line(t->out, level, ".name = %s,", mesh_emit_cstr(e, contract->name));
    mesh_emit_line(t->out, level, ".subject = %s,", mesh_emit_cstr(e, mesh_arena_printf(e->arena, "%s-value", topic)));
    mesh_emit_line(t->out, level, ".local_id = %uu,", contract->local_id);
    mesh_emit_line(t->out, level, ".fingerprint = UINT64_C(0x%016llx),", (unsigned long long)contract->fingerprint);
    mesh_emit_line(t->out, level, ".json = %s,", mesh_emit_cstr(e, json.p));
}

static void contracts(struct table_emit *t)
{
    struct mesh_emitter *e = t->e;
    for (size_t i = 0; i < e->plan->inputs.n; i++) {
        const struct mesh_model_input *input = e->plan->inputs.v[i]->model;
        if (input == NULL)
            continue;
        mesh_emit_line(t->out, 0, "static const struct mesh_contract contracts_of_%s[] = {{", input->name);
        for (size_t k = 0; k < input->contract->reads.n; k++) { /* the order is that of the decoder's `version` */
            if (k > 0)
                mesh_emit_line(t->out, 0, "}, {");
            contract_initialiser(t, input->contract->reads.v[k], input->topic.text, 1);
        }
        mesh_emit_line(t->out, 0, "}};");
        if (input->product != NULL)
            mesh_emit_line(t->out, 0, "static const char *const upstreams_of_%s[] = {%s};", input->name,
                           mesh_emit_cstr(e, input->product));
        mesh_emit_blank(t->out);
    }
    for (size_t i = 0; i < e->product->ports.n; i++) {
        const struct mesh_model_port *port = e->product->ports.v[i];
        if (port->kind != MESH_MODEL_KAFKA)
            continue;
        mesh_emit_line(t->out, 0, "static const struct mesh_contract contract_of_%s = {", port->name);
        contract_initialiser(t, port->contract, port->topic.text, 1);
        mesh_emit_line(t->out, 0, "};");
        mesh_emit_blank(t->out);
    }
}

/* ---- inputs ---- */

static void inputs(struct table_emit *t)
{
    struct mesh_emitter *e = t->e;
    for (size_t i = 0; i < e->plan->inputs.n; i++) {
        const struct mesh_plan_input *input = e->plan->inputs.v[i];
        if (input->kind == MESH_INPUT_PARTIALS)
            continue;
        const char *record = input->model == NULL ? mesh_arena_printf(e->arena, "%s_regrouped", input->cname)
                                                  : mesh_emit_struct_name(e, input->model->shape);
        mesh_emit_line(t->out, 0, "_Static_assert(sizeof(struct %s) <= MESH_RECORD_BYTES_MAX, \"%s: too many used fields\");",
                       record, input->cname);
    }
    mesh_emit_line(t->out, 0, "static const struct mesh_input inputs[] = {");
    for (size_t i = 0; i < e->plan->inputs.n; i++) {
        const struct mesh_plan_input *input = e->plan->inputs.v[i];
        const struct mesh_model_input *m = input->model;
        static const char *const kinds[] = {[MESH_INPUT_STREAM] = "MESH_INPUT_STREAM",
                                            [MESH_INPUT_TABLE] = "MESH_INPUT_TABLE",
                                            [MESH_INPUT_RECORDS] = "MESH_INPUT_RECORDS",
                                            [MESH_INPUT_PARTIALS] = "MESH_INPUT_PARTIALS"};
        mesh_emit_line(t->out, 1, "{");
        mesh_emit_line(t->out, 2, ".name = \"%s\",", input->cname);
        mesh_emit_line(t->out, 2, ".topic = %s,", mesh_emit_cstr(e, input->topic));
        mesh_emit_line(t->out, 2, ".kind = %s,", kinds[input->kind]);
        if (m == NULL) {
            mesh_table_site(t, input->flow == NULL ? (struct mesh_srcref){0} : input->flow->stream->at,
                            mesh_arena_printf(e->arena, "internal topic %s", input->cname));
            mesh_emit_line(t->out, 2, ".partitions = %d,", e->product->mesh->default_partitions);
            if (input->kind == MESH_INPUT_RECORDS) {
                mesh_emit_line(t->out, 2, ".record_size = sizeof(struct %s_regrouped),", input->cname);
                mesh_emit_line(t->out, 2, ".decode = %s_decode_%s,", e->p, input->cname);
                mesh_emit_line(t->out, 2, ".event_time = %s_time_of_%s,", e->p, input->cname);
                mesh_emit_line(t->out, 2, ".process = %s_input_%s,", e->p, input->cname);
                if (input->ahead)
                    mesh_emit_line(t->out, 2, ".ahead = %s_ahead_%s,", e->p, input->cname);
                mesh_table_input_subjects(t, input);
            }
            mesh_emit_line(t->out, 1, "},");
            continue;
        }
        mesh_table_site(t, m->at, mesh_arena_printf(e->arena, "inputPorts.%s", m->name));
        if (m->partitions > 0)
            mesh_emit_line(t->out, 2, ".partitions = %d,", m->partitions);
        if (m->copy_all)
            mesh_emit_line(t->out, 2, ".copy_all = true,");
        mesh_emit_line(t->out, 2, ".contracts = contracts_of_%s,", m->name);
        mesh_emit_line(t->out, 2, ".n_contracts = %zu,", m->contract->reads.n);
        if (m->product != NULL) {
            mesh_emit_line(t->out, 2, ".upstreams = upstreams_of_%s,", m->name);
            mesh_emit_line(t->out, 2, ".n_upstreams = 1,");
        }
        const char *record = mesh_emit_struct_name(e, m->shape);
        mesh_emit_line(t->out, 2, ".record_size = sizeof(struct %s),", record);
        mesh_emit_line(t->out, 2, ".decode = %s_decode_%s,", e->p, record);
        mesh_emit_line(t->out, 2, ".event_time = %s_time_of_%s,", e->p, input->cname);
        if (m->key.text != NULL && m->product_port == NULL)
            mesh_emit_line(t->out, 2, ".key = %s_key_of_%s,", e->p, input->cname);
        mesh_emit_line(t->out, 2, ".process = %s_input_%s,", e->p, input->cname);
        if (input->ahead)
            mesh_emit_line(t->out, 2, ".ahead = %s_ahead_%s,", e->p, input->cname);
        if (mesh_emit_removes(input))
            mesh_emit_line(t->out, 2, ".removed = %s_removed_%s,", e->p, input->cname);
        mesh_emit_line(t->out, 2, ".delay_us = INT64_C(%lld),", (long long)m->delay_us);
        mesh_emit_line(t->out, 2, ".idle_us = INT64_C(%lld),", (long long)m->idle_us);
        if (m->is_table)
            mesh_emit_line(t->out, 2, ".wait_us = INT64_C(%lld),", (long long)m->wait_us);
        mesh_emit_line(t->out, 2, ".ahead_us = INT64_C(%lld),", (long long)m->ahead_us);
        bool personal = false;
        for (size_t k = 0; k < m->shape->members.n; k++)
            personal = personal || m->shape->members.v[k].label == MESH_PERSONAL || m->shape->members.v[k].label == MESH_SPECIAL;
        if (personal)
            mesh_emit_line(t->out, 2, ".personal = true,");
        mesh_table_input_subjects(t, input);
        if (m->letters_stop > 0)
            mesh_emit_line(t->out, 2, ".letters_stop = %u,", (unsigned)m->letters_stop);
        mesh_emit_line(t->out, 1, "},");
    }
    mesh_emit_line(t->out, 0, "};");
    mesh_emit_blank(t->out);
}

/* ---- views ---- */

static void views(struct table_emit *t)
{
    static const char *const windows[] = {[MESH_WINDOW_TUMBLING] = "MESH_WINDOW_TUMBLING",
                                          [MESH_WINDOW_HOPPING] = "MESH_WINDOW_HOPPING",
                                          [MESH_WINDOW_SESSION] = "MESH_WINDOW_SESSION"};
    struct mesh_emitter *e = t->e;
    mesh_emit_zones(e, t->out);
    mesh_emit_line(t->out, 0, "static const struct mesh_view views[] = {");
    for (size_t i = 0; i < e->plan->views.n; i++) {
        const struct mesh_plan_view *view = e->plan->views.v[i];
        const struct mesh_model_view *m = view->model;
        const char *out_name = mesh_arena_printf(e->arena, "%s_out", m->name);
        mesh_emit_line(t->out, 1, "[%s_VIEW_%s] = {", e->p, m->name);
        mesh_emit_line(t->out, 2, ".name = \"%s\",", m->name);
        mesh_emit_line(t->out, 2, ".doc = %s,", mesh_emit_cstr(e, m->doc == NULL ? "" : m->doc));
        mesh_table_site(t, m->at, mesh_arena_printf(e->arena, "views.%s", m->name));
        mesh_emit_line(t->out, 2, ".state = %s_STATE_%s,", e->p, view->state->cname);
        mesh_emit_line(t->out, 2, ".out = fields_of_%s,", out_name);
        mesh_emit_line(t->out, 2, ".n_out = sizeof fields_of_%s / sizeof fields_of_%s[0],", out_name, out_name);
        mesh_emit_line(t->out, 2, ".n_key = %zu,", m->by.n);
        for (size_t k = 0; k < m->by.n && view->key != NULL; k++)
            if (strcmp(m->by.v[k], view->key) == 0)
                mesh_emit_line(t->out, 2, ".placed_by = %zu,", k + 1);
        mesh_emit_line(t->out, 2, ".out_size = sizeof(struct %s),", out_name);
        if (m->window != MESH_WINDOW_NONE) {
            mesh_emit_line(t->out, 2, ".window = %s,", windows[m->window]);
            mesh_emit_line(t->out, 2, ".size_us = INT64_C(%lld),", (long long)m->size_us);
            mesh_emit_line(t->out, 2, ".advance_us = INT64_C(%lld),", (long long)(m->advance_us > 0 ? m->advance_us : m->size_us));
            if (m->zone != NULL)
                mesh_emit_line(t->out, 2, ".zone = &%s,", mesh_emit_zone_name(e, m->zone));
            mesh_emit_line(t->out, 2, ".grace_us = INT64_C(%lld),", (long long)m->grace_us);
            mesh_emit_line(t->out, 2, ".window_start = offsetof(struct %s, window_start),", out_name);
            mesh_emit_line(t->out, 2, ".window_end = offsetof(struct %s, window_end),", out_name);
            mesh_emit_line(t->out, 2, ".final = offsetof(struct %s, final),", out_name);
        }
        mesh_emit_line(t->out, 2, ".revision = offsetof(struct %s, revision),", out_name);
        if (m->min_people > 0) {
            mesh_emit_line(t->out, 2, ".min_people = %d,", (int)m->min_people);
            mesh_emit_line(t->out, 2, ".people = offsetof(struct %s_row, people),", m->name);
        }
        if (m->state.n > 0)
            mesh_emit_line(t->out, 2, ".init = %s_init_%s,", e->p, m->name);
        mesh_emit_line(t->out, 2, ".finish = %s_finish_%s,", e->p, m->name);
        if (mesh_emit_merges(view))
            mesh_emit_line(t->out, 2, ".merge = %s_merge_%s,", e->p, m->name);
        if (view->changes.n > 0)
            mesh_emit_line(t->out, 2, ".changed = %s_changed_%s,", e->p, m->name);
        mesh_emit_line(t->out, 1, "},");
    }
    mesh_emit_line(t->out, 0, "};");
    mesh_emit_blank(t->out);
}

/* ---- topologies and internal topics ---- */

static size_t topology_of_root(const struct mesh_plan *plan, uint32_t root)
{
    for (size_t i = 0; i < plan->topologies.n; i++)
        if (plan->topologies.v[i]->root == mesh_plan_root(plan, root))
            return i;
    mesh_assert(!"planned");
    return 0;
}

static void internals(struct table_emit *t)
{
    struct mesh_emitter *e = t->e;
    const struct mesh_plan *plan = e->plan;
    if (plan->internals.n == 0)
        return;
    for (size_t i = 0; i < plan->internals.n; i++) {
        const struct mesh_plan_internal *internal = plan->internals.v[i];
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf list = MESH_BUF_NULL;
        MESH_VEC(size_t) seen = {0};
        for (size_t k = 0; k < internal->from_roots.n; k++) {
            size_t topology = topology_of_root(plan, internal->from_roots.v[k]);
            bool known = false;
            for (size_t s = 0; s < seen.n; s++)
                known = known || seen.v[s] == topology;
            if (known)
                continue;
            *mesh_vec_push_in(e->arena, &seen) = topology;
            mesh_buf_printf(&list, "%s%zu", list.n > 0 ? ", " : "", topology);
        }
        mesh_emit_line(t->out, 0, "static const uint32_t writers_of_%s[] = {%s};", internal->cname, list.p);
    }
    mesh_emit_blank(t->out);
    mesh_emit_line(t->out, 0, "static const struct mesh_internal internals[] = {");
    for (size_t i = 0; i < plan->internals.n; i++) {
        const struct mesh_plan_internal *internal = plan->internals.v[i];
        mesh_emit_line(t->out, 1, "[%s_INTERNAL_%s] = {", e->p, internal->cname);
        mesh_emit_line(t->out, 2, ".name = \"%s\",", internal->cname);
        mesh_emit_line(t->out, 2, ".topic = %s,", mesh_emit_cstr(e, internal->topic));
        mesh_emit_line(t->out, 2, ".partitions = %d,", e->product->mesh->default_partitions);
        mesh_emit_line(t->out, 2, ".input = %zu,", mesh_plan_index_input(plan, internal->input));
        mesh_emit_line(t->out, 2, ".from_topologies = writers_of_%s,", internal->cname);
        mesh_emit_line(t->out, 2, ".n_from = sizeof writers_of_%s / sizeof writers_of_%s[0],", internal->cname, internal->cname);
        mesh_emit_line(t->out, 1, "},");
    }
    mesh_emit_line(t->out, 0, "};");
    mesh_emit_blank(t->out);
}

static void topologies(struct table_emit *t)
{
    struct mesh_emitter *e = t->e;
    const struct mesh_plan *plan = e->plan;
    for (size_t i = 0; i < plan->topologies.n; i++) {
        const struct mesh_plan_topology *topology = plan->topologies.v[i];
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf in = MESH_BUF_NULL;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf kept = MESH_BUF_NULL;
        for (size_t k = 0; k < topology->inputs.n; k++)
            mesh_buf_printf(&in, "%s%zu", k > 0 ? ", " : "", mesh_plan_index_input(plan, topology->inputs.v[k]));
        for (size_t k = 0; k < topology->states.n; k++)
            mesh_buf_printf(&kept, "%s%s_STATE_%s", k > 0 ? ", " : "", e->p, topology->states.v[k]->cname);
        mesh_emit_line(t->out, 0, "static const uint32_t inputs_of_%s[] = {%s};", topology->cname, in.p);
        if (kept.n > 0)
            mesh_emit_line(t->out, 0, "static const uint32_t states_of_%s[] = {%s};", topology->cname, kept.p);
    }
    mesh_emit_blank(t->out);
    mesh_emit_line(t->out, 0, "static const struct mesh_topology topologies[] = {");
    for (size_t i = 0; i < plan->topologies.n; i++) {
        const struct mesh_plan_topology *topology = plan->topologies.v[i];
        mesh_emit_line(t->out, 1, "{");
        mesh_emit_line(t->out, 2, ".name = \"%s\",", topology->cname);
        mesh_emit_line(t->out, 2, ".inputs = inputs_of_%s,", topology->cname);
        mesh_emit_line(t->out, 2, ".n_inputs = %zu,", topology->inputs.n);
        if (topology->states.n > 0)
            mesh_emit_line(t->out, 2, ".states = states_of_%s,", topology->cname);
        mesh_emit_line(t->out, 2, ".n_states = %zu,", topology->states.n);
        mesh_emit_line(t->out, 2, ".ordered = %s,", topology->ordered ? "true" : "false");
        mesh_emit_line(t->out, 1, "},");
    }
    mesh_emit_line(t->out, 0, "};");
    mesh_emit_blank(t->out);
}

static void enumeration(struct mesh_emitter *e, struct mesh_buf *out, const char *what,
                        const char *(*name)(const struct mesh_emitter *, size_t), size_t n)
{
    if (n == 0)
        return;
    mesh_emit_line(out, 0, "enum %s_%s {", e->p, what);
    for (size_t i = 0; i < n; i++)
        mesh_emit_line(out, 1, "%s_%s_%s,", e->p, what, name(e, i));
    mesh_emit_line(out, 0, "};");
    mesh_emit_blank(out);
}

static const char *state_name(const struct mesh_emitter *e, size_t i)
{
    return e->plan->states.v[i]->cname;
}
static const char *view_name(const struct mesh_emitter *e, size_t i)
{
    return e->plan->views.v[i]->model->name;
}
static const char *port_name(const struct mesh_emitter *e, size_t i)
{
    return e->product->ports.v[i]->name;
}
static const char *internal_name(const struct mesh_emitter *e, size_t i)
{
    return e->plan->internals.v[i]->cname;
}

void mesh_emit_tables(struct mesh_emitter *e, struct mesh_data *data)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf tables = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf enums = MESH_BUF_NULL;
    struct table_emit t = {e, &tables};
    enumeration(e, &enums, "STATE", state_name, e->plan->states.n);
    enumeration(e, &enums, "VIEW", view_name, e->plan->views.n);
    enumeration(e, &enums, "PORT", port_name, e->product->ports.n);
    enumeration(e, &enums, "INTERNAL", internal_name, e->plan->internals.n);
    contracts(&t);
    for (size_t i = 0; i < e->plan->states.n; i++) {
        const struct mesh_plan_state *state = e->plan->states.v[i];
        if (state->table != NULL)
            mesh_table_struct_fields(&t, mesh_arena_printf(e->arena, "fields_of_%s", state->cname),
                                     mesh_emit_struct_of(e, state->table->model->shape));
        else if (state->kind == MESH_STATE_PATTERN)
            mesh_table_run_fields(&t, state->flow);
        if (state->kind == MESH_STATE_INTERVAL) {
            mesh_table_struct_fields(&t, mesh_arena_printf(e->arena, "fields_of_%s", state->cname),
                                     mesh_emit_struct_of(e, state->step->shape_joined));
            mesh_table_struct_fields(&t, mesh_arena_printf(e->arena, "fields_of_%s_asks", state->cname),
                                     mesh_emit_struct_of(e, state->asks));
        }
    }
    for (size_t i = 0; i < e->plan->views.n; i++) {
        mesh_table_row_fields(&t, e->plan->views.v[i]->model);
        mesh_table_out_fields(&t, e->plan->views.v[i]->model);
    }
    mesh_table_subjects(&t);
    inputs(&t);
    if (e->plan->states.n > 0)
        mesh_table_states(&t);
    if (e->plan->views.n > 0)
        views(&t);
    if (e->product->ports.n > 0)
        mesh_emit_port_table(e, t.out);
    internals(&t);
    topologies(&t);
    mesh_data_code(e->arena, data, "tables", "%s", tables.p);
    mesh_data_code(e->arena, data, "enums", "%s", enums.p == NULL ? "" : enums.p);
    mesh_data_flag(e->arena, data, "has_views", e->plan->views.n > 0);
    mesh_data_flag(e->arena, data, "has_states", e->plan->states.n > 0);
    mesh_data_flag(e->arena, data, "has_ports", e->product->ports.n > 0);
    mesh_data_flag(e->arena, data, "has_internals", e->plan->internals.n > 0);
}
