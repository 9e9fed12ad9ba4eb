/* The table of states: what each keeps, for how long, and the functions that its kind calls. */
#include "codegen/emit_tables.h"

static void ring_cells(struct table_emit *t, const struct mesh_plan_state *state)
{
    const struct mesh_aggregates *aggregates = &state->step->aggregates;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf cells = MESH_BUF_NULL;
    for (size_t i = 0; i < aggregates->list.n; i++) {
        const struct mesh_aggregate *a = &aggregates->list.v[i];
        if (mesh_emit_cells(a) == 0)
            continue;
        const char *type = a->fn == MESH_AGG_COUNT || a->arg_type.kind == MESH_GEN_INT ? "MESH_LONG"
                           : a->arg_type.kind == MESH_GEN_DOUBLE                       ? "MESH_DOUBLE"
                                                                                       : "MESH_DECIMAL";
        mesh_buf_printf(&cells, "%s%s%s", cells.n > 0 ? ", " : "", type, mesh_emit_cells(a) == 2 ? ", MESH_LONG" : "");
    }
    if (cells.n > 0) {
        mesh_emit_line(t->out, 0, "static const enum mesh_type cells_of_%s[] = {%s};", state->cname, cells.p);
        mesh_emit_blank(t->out);
    }
}

static void pattern_times(struct table_emit *t, const struct mesh_plan_state *state)
{
    const struct mesh_model_stream *s = state->flow->stream;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf times = MESH_BUF_NULL;
    for (size_t i = 0; i < s->pattern.n; i++)
        mesh_buf_printf(&times, "%s%d", i > 0 ? ", " : "", s->pattern.v[i].forbidden ? 0 : s->pattern.v[i].times);
    mesh_emit_line(t->out, 0, "static const uint16_t times_of_%s[] = {%s};", state->cname, times.p);
    mesh_emit_blank(t->out);
}

static void fields_line(struct table_emit *t, const char *fields, const char *row)
{
    mesh_emit_line(t->out, 2, ".fields = %s,", fields);
    mesh_emit_line(t->out, 2, ".n_fields = sizeof %s / sizeof %s[0],", fields, fields);
    mesh_emit_line(t->out, 2, ".row_size = sizeof(struct %s),", row);
}

static void state_view(struct table_emit *t, const struct mesh_plan_state *state)
{
    struct mesh_emitter *e = t->e;
    const struct mesh_model_view *m = state->view->model;
    mesh_emit_line(t->out, 2, ".kind = MESH_STATE_VIEW,");
    mesh_table_site(t, m->at, mesh_arena_printf(e->arena, "views.%s", m->name));
    if (m->aggregates.list.n > 0 || m->state.n > 0 || m->min_people > 0)
        fields_line(t, mesh_arena_printf(e->arena, "fields_of_%s_row", m->name), mesh_arena_printf(e->arena, "%s_row", m->name));
    else
        mesh_emit_line(t->out, 2, ".row_size = sizeof(struct %s_row),", m->name);
    mesh_emit_line(t->out, 2, ".keep_us = INT64_C(%lld),", (long long)m->keep_us);
    size_t index = 0;
    for (size_t i = 0; i < e->plan->views.n; i++)
        if (e->plan->views.v[i] == state->view)
            index = i;
    mesh_emit_line(t->out, 2, ".view = &views[%zu],", index);
    if (state->partial) {
        mesh_emit_line(t->out, 2, ".partial = true,");
        mesh_emit_line(t->out, 2, ".partial_of = %s_STATE_%s,", e->p, state->view->state->cname);
    }
}

static void state_step(struct table_emit *t, const struct mesh_plan_state *state)
{
    struct mesh_emitter *e = t->e;
    const char *stream = state->flow->stream->name;
    if (state->kind == MESH_STATE_DEDUPE) {
        mesh_emit_line(t->out, 2, ".kind = MESH_STATE_DEDUPE,");
        mesh_table_site(t, state->step->at, mesh_arena_printf(e->arena, "streams.%s dedupe", stream));
        mesh_emit_line(t->out, 2, ".within_us = INT64_C(%lld),", (long long)state->step->within_us);
    } else if (state->kind == MESH_STATE_LATCH) {
        mesh_emit_line(t->out, 2, ".kind = MESH_STATE_LATCH,");
        mesh_table_site(t, state->step->at, mesh_arena_printf(e->arena, "streams.%s rises", stream));
    } else if (state->kind == MESH_STATE_INTERVAL) {
        static const char *const picks[] = {
            [MESH_PICK_LAST] = "MESH_PICK_LAST", [MESH_PICK_FIRST] = "MESH_PICK_FIRST", [MESH_PICK_ALL] = "MESH_PICK_ALL"};
        mesh_emit_line(t->out, 2, ".kind = MESH_STATE_INTERVAL,");
        mesh_table_site(t, state->step->at, mesh_arena_printf(e->arena, "streams.%s join %s", stream, state->step->alias));
        fields_line(t, mesh_arena_printf(e->arena, "fields_of_%s", state->cname),
                    mesh_emit_struct_name(e, state->step->shape_joined));
        mesh_emit_line(t->out, 2, ".from_us = INT64_C(%lld),", (long long)state->step->from_us);
        mesh_emit_line(t->out, 2, ".to_us = INT64_C(%lld),", (long long)state->step->to_us);
        mesh_emit_line(t->out, 2, ".pick = %s,", picks[state->step->pick]);
        const char *waits = mesh_arena_printf(e->arena, "fields_of_%s_asks", state->cname);
        mesh_emit_line(t->out, 2, ".waits = %s,", waits);
        mesh_emit_line(t->out, 2, ".n_waits = sizeof %s / sizeof %s[0],", waits, waits);
        mesh_emit_line(t->out, 2, ".wait_size = sizeof(struct %s),", mesh_emit_struct_name(e, state->asks));
        mesh_emit_line(t->out, 2, ".matched = %s_matched_%s,", e->p, state->cname);
    } else if (state->kind == MESH_STATE_RING) {
        int64_t longest = 0;
        size_t cells = 0;
        for (size_t i = 0; i < state->step->windows.n; i++) {
            int64_t reach = state->step->windows.v[i].size_us + state->step->windows.v[i].delay_us;
            longest = reach > longest ? reach : longest;
        }
        for (size_t i = 0; i < state->step->aggregates.list.n; i++)
            cells += mesh_emit_cells(&state->step->aggregates.list.v[i]);
        mesh_emit_line(t->out, 2, ".kind = MESH_STATE_RING,");
        mesh_table_site(t, state->step->at, mesh_arena_printf(e->arena, "streams.%s fold", stream));
        mesh_emit_line(t->out, 2, ".keep_us = INT64_C(%lld),", (long long)longest);
        if (cells > 0)
            mesh_emit_line(t->out, 2, ".cells = cells_of_%s,", state->cname);
        mesh_emit_line(t->out, 2, ".n_cells = %zu,", cells);
    } else {
        struct mesh_emit_capture *captures = NULL;
        size_t n = mesh_emit_captures(e, state->flow, &captures);
        mesh_emit_line(t->out, 2, ".kind = MESH_STATE_PATTERN,");
        mesh_table_site(t, state->flow->stream->at, mesh_arena_printf(e->arena, "streams.%s pattern", stream));
        if (n > 0) {
            fields_line(t, mesh_arena_printf(e->arena, "fields_of_%s_run", stream), mesh_arena_printf(e->arena, "%s_run", stream));
            mesh_emit_line(t->out, 2, ".capture = %s_capture_%s,", e->p, stream);
        }
        mesh_emit_line(t->out, 2, ".within_us = INT64_C(%lld),", (long long)state->flow->stream->pattern_within_us);
        mesh_emit_line(t->out, 2, ".times = times_of_%s,", state->cname);
        mesh_emit_line(t->out, 2, ".n_steps = %zu,", state->flow->stream->pattern.n);
        if (mesh_model_absent(state->flow->stream) > 0)
            mesh_emit_line(t->out, 2, ".absent_us = INT64_C(%lld),", (long long)mesh_model_absent(state->flow->stream));
        static const char *const overlaps[] = {[MESH_OVERLAP_SKIP] = "MESH_OVERLAP_SKIP",
                                               [MESH_OVERLAP_ALL] = "MESH_OVERLAP_ALL",
                                               [MESH_OVERLAP_LATEST] = "MESH_OVERLAP_LATEST"};
        mesh_emit_line(t->out, 2, ".overlap = %s,", overlaps[state->flow->stream->pattern_overlap]);
        mesh_emit_line(t->out, 2, ".complete = %s_complete_%s,", e->p, stream);
    }
}

void mesh_table_states(struct table_emit *t)
{
    struct mesh_emitter *e = t->e;
    for (size_t i = 0; i < e->plan->states.n; i++) {
        const struct mesh_plan_state *state = e->plan->states.v[i];
        if (state->kind == MESH_STATE_RING)
            ring_cells(t, state);
        else if (state->kind == MESH_STATE_PATTERN)
            pattern_times(t, state);
    }
    if (e->plan->views.n > 0)
        mesh_emit_line(t->out, 0, "static const struct mesh_view views[%zu];", e->plan->views.n);
    mesh_emit_blank(t->out);
    mesh_emit_line(t->out, 0, "static const struct mesh_state states[] = {");
    for (size_t i = 0; i < e->plan->states.n; i++) {
        const struct mesh_plan_state *state = e->plan->states.v[i];
        mesh_emit_line(t->out, 1, "[%s_STATE_%s] = {", e->p, state->cname);
        mesh_emit_line(t->out, 2, ".name = \"%s\",", state->cname);
        if (state->kind == MESH_STATE_VIEW) {
            state_view(t, state);
        } else if (state->table != NULL) {
            const char *row = mesh_emit_struct_name(e, state->table->model->shape);
            mesh_emit_line(t->out, 2,
                           state->kind == MESH_STATE_VERSIONS ? ".kind = MESH_STATE_VERSIONS," : ".kind = MESH_STATE_TABLE,");
            mesh_table_site(t, state->table->model->at, mesh_arena_printf(e->arena, "inputPorts.%s", state->cname));
            fields_line(t, mesh_arena_printf(e->arena, "fields_of_%s", state->cname), row);
        } else {
            state_step(t, state);
        }
        mesh_emit_line(t->out, 1, "},");
    }
    mesh_emit_line(t->out, 0, "};");
    mesh_emit_blank(t->out);
}
