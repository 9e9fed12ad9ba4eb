/* The fold step: a key's ring of events, and the sliding windows that end with the record at hand. */
#include "codegen/emit_flow.h"

#include <string.h>

static const char *cell_of(const struct mesh_aggregate *a)
{
    return a->arg_type.kind == MESH_GEN_DOUBLE ? "f" : "d";
}

/* Does it look at some of the records only? Then it is counted apart. */
static bool partial(const struct mesh_aggregate *a)
{
    return a->cond != NULL || (a->arg != NULL && mesh_expr_type(a->arg).nullable);
}

size_t mesh_emit_cells(const struct mesh_aggregate *a)
{
    if (a->fn == MESH_AGG_COUNT)
        return a->cond != NULL ? 1 : 0;
    return a->fn == MESH_AGG_AVG && partial(a) ? 2 : 1;
}

static size_t cells_of(const struct mesh_model_step *m)
{
    size_t cells = 0;
    for (size_t i = 0; i < m->aggregates.list.n; i++)
        cells += mesh_emit_cells(&m->aggregates.list.v[i]);
    return cells;
}

/* One window: as much of it as the new record, whose initialisers are `record`, reads. */
static void fold_window(struct flow_emit *f, const struct mesh_plan_step *step, const struct mesh_model_window *window,
                        const char *record)
{
    struct mesh_buf *out = f->code;
    const struct mesh_model_step *m = step->model;
    const char *count = mesh_arena_printf(f->e->arena, "n_in_%s", window->name);
    const char *sums = mesh_arena_printf(f->e->arena, "sums_%s", window->name);
    bool counted = mesh_emit_mentions(record, count);
    bool summed = mesh_emit_mentions(record, sums);
    if (!counted && !summed)
        return;
    size_t cells = cells_of(m);
    if (cells > 0)
        mesh_emit_line(out, 1, "union mesh_cell %s[%zu];", sums, cells);
    mesh_emit_line(out, 1, "%smesh_ring_sum(ring, event->time_us - INT64_C(%lld), %s, %s);",
                   counted ? mesh_arena_printf(f->e->arena, "const int64_t %s = ", count) : "(void)",
                   (long long)(window->delay_us + window->size_us),
                   window->delay_us == 0
                       ? "event->time_us"
                       : mesh_arena_printf(f->e->arena, "event->time_us - INT64_C(%lld)", (long long)window->delay_us),
                   cells > 0 ? sums : "NULL");
}

/* Smallest and largest of the cells that a min or max asks for. */
static void fold_ranges(struct flow_emit *f, const struct mesh_plan_step *step, const struct mesh_model_window *window,
                        const char *record)
{
    struct mesh_buf *out = f->code;
    const struct mesh_aggregates *aggregates = &step->model->aggregates;
    size_t cell = 0;
    for (size_t i = 0; i < aggregates->list.n; i++) {
        const struct mesh_aggregate *a = &aggregates->list.v[i];
        bool asked = mesh_emit_mentions(record, mesh_arena_printf(f->e->arena, "any_%zu_%s", cell, window->name));
        if (asked && (a->fn == MESH_AGG_MIN || a->fn == MESH_AGG_MAX)) {
            mesh_emit_line(out, 1, "union mesh_cell low_%zu_%s = {0}, high_%zu_%s = {0};", cell, window->name, cell, window->name);
            mesh_emit_line(
                out, 1,
                "const bool any_%zu_%s = mesh_ring_range(ring, event->time_us - INT64_C(%lld), event->time_us - INT64_C(%lld), %zu, "
                "&low_%zu_%s, &high_%zu_%s);",
                cell, window->name, (long long)(window->delay_us + window->size_us), (long long)window->delay_us, cell, cell,
                window->name, cell, window->name);
        }
        cell += mesh_emit_cells(a);
    }
}

struct fold_context {
    struct flow_emit *f;
    const struct mesh_plan_step *step;
    const struct mesh_model_window *window;
};

static size_t cell_index(const struct mesh_model_step *m, const struct mesh_aggregate *aggregate)
{
    size_t cell = 0;
    for (size_t i = 0; i < m->aggregates.list.n && strcmp(m->aggregates.list.v[i].cname, aggregate->cname) != 0; i++)
        cell += mesh_emit_cells(&m->aggregates.list.v[i]);
    return cell;
}

/* C of how many records an average has seen. */
static const char *seen(const struct fold_context *c, const struct mesh_aggregate *a)
{
    const char *w = c->window->name;
    return partial(a) ? mesh_arena_printf(c->f->e->arena, "sums_%s[%zu].d", w, cell_index(c->step->model, a) + 1)
                      : mesh_arena_printf(c->f->e->arena, "n_in_%s", w);
}

static void fold_value(void *context, const struct mesh_aggregate *a, struct mesh_buf *out)
{
    const struct fold_context *c = context;
    const char *w = c->window->name;
    size_t cell = cell_index(c->step->model, a);
    bool whole = a->arg_type.kind != MESH_GEN_DOUBLE && a->arg_type.kind != MESH_GEN_DECIMAL; /* kept in .d, shown as int64_t */
    if (a->fn == MESH_AGG_MIN || a->fn == MESH_AGG_MAX)
        mesh_buf_printf(out, "%s%s_%zu_%s.%s", whole ? "(int64_t)" : "", a->fn == MESH_AGG_MIN ? "low" : "high", cell, w,
                        cell_of(a));
    else if (a->fn == MESH_AGG_COUNT && a->cond == NULL)
        mesh_buf_printf(out, "n_in_%s", w);
    else if (a->fn == MESH_AGG_COUNT)
        mesh_buf_printf(out, "(int64_t)sums_%s[%zu].d", w, cell);
    else if (a->fn == MESH_AGG_SUM)
        mesh_buf_printf(out, "%ssums_%s[%zu].%s", whole ? "(int64_t)" : "", w, cell, cell_of(a));
    else if (a->arg_type.kind == MESH_GEN_DOUBLE)
        mesh_buf_printf(out, "(%s == 0 ? 0.0 : sums_%s[%zu].f / (double)%s)", seen(c, a), w, cell, seen(c, a));
    else
        mesh_buf_printf(out, "(%s == 0 ? 0.0 : mesh_dec_double(sums_%s[%zu].d, %d) / (double)%s)", seen(c, a), w, cell,
                        a->arg_type.kind == MESH_GEN_DECIMAL ? a->arg_type.scale : 0, seen(c, a));
}

static void fold_present(void *context, const struct mesh_aggregate *a, struct mesh_buf *out)
{
    const struct fold_context *c = context;
    if (a->fn == MESH_AGG_MIN || a->fn == MESH_AGG_MAX)
        mesh_buf_printf(out, "any_%zu_%s", cell_index(c->step->model, a), c->window->name);
    else if (a->type.nullable)
        mesh_buf_printf(out, "(%s > 0)", seen(c, a));
    else
        mesh_buf_puts(out, "true");
}

/* When does this record count for the aggregate? Empty: always. */
static void guard_of(struct flow_emit *f, const struct mesh_aggregate *a, struct mesh_buf *out)
{
    if (a->cond != NULL)
        mesh_buf_printf(out, "(%s)", mesh_flow_expr_text(f->e, a->cond));
    if (a->arg == NULL || !mesh_expr_type(a->arg).nullable)
        return;
    mesh_buf_puts(out, out->n > 0 ? " && " : "");
    mesh_expr_emit_present(a->arg, out);
}

static void fold_cells(struct flow_emit *f, const struct mesh_model_step *m)
{
    struct mesh_buf *out = f->code;
    if (cells_of(m) == 0)
        return;
    mesh_emit_line(out, 1, "const union mesh_cell cells[] = {");
    for (size_t i = 0; i < m->aggregates.list.n; i++) {
        const struct mesh_aggregate *a = &m->aggregates.list.v[i];
        size_t n = mesh_emit_cells(a);
        if (n == 0)
            continue;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf guard = MESH_BUF_NULL;
        guard_of(f, a, &guard);
        const char *value = a->fn == MESH_AGG_COUNT ? "1" : mesh_flow_expr_text(f->e, a->arg);
        if (guard.n > 0)
            mesh_emit_line(out, 2, "{.%s = %s ? %s : 0},", cell_of(a), guard.p, value);
        else
            mesh_emit_line(out, 2, "{.%s = %s},", cell_of(a), value);
        if (n == 2)
            mesh_emit_line(out, 2, "{.d = %s ? 1 : 0},", guard.p);
    }
    mesh_emit_line(out, 1, "};");
}

/* The record that flows on: everything that came, and the windows' members. */
static void fold_record(struct flow_emit *f, const struct mesh_plan_step *step, struct mesh_buf *out)
{
    const struct mesh_model_step *m = step->model;
    const struct mesh_emit_struct *s = mesh_emit_struct_of(f->e, step->after);
    mesh_emit_line(out, 1, "const struct %s record = {", mesh_flow_struct_of(f, step->after));
    for (size_t i = 0; i < s->members.n; i++) {
        const struct mesh_gen_member *member = s->members.v[i];
        if (mesh_gen_shape_member(step->before, member->name) == NULL)
            continue;
        mesh_emit_line(out, 2, ".%s = r->%s,", member->cname, member->cname);
        if (member->type.nullable)
            mesh_emit_line(out, 2, ".%s_set = r->%s_set,", member->cname, member->cname);
    }
    for (size_t w = 0; w < m->windows.n; w++) {
        struct fold_context context = {f, step, &m->windows.v[w]};
        struct mesh_expr_aggregate_c c = {fold_value, fold_present, &context};
        for (size_t i = 0; i < m->assigns.n; i++) {
            const char *name = mesh_arena_printf(f->e->arena, "%s_%s", m->assigns.v[i].name, m->windows.v[w].name);
            const struct mesh_gen_member *member = mesh_gen_shape_member(step->after, name);
            if (!member->used)
                continue;
            mesh_cleanup(mesh_buf_deinit) struct mesh_buf value = MESH_BUF_NULL;
            mesh_expr_emit_let(m->assigns.v[i].expr, &c, &value);
            mesh_emit_line(out, 2, ".%s = %s,", member->cname, value.p);
            if (member->type.nullable) {
                mesh_cleanup(mesh_buf_deinit) struct mesh_buf present = MESH_BUF_NULL;
                mesh_expr_emit_let_present(m->assigns.v[i].expr, &c, &present);
                mesh_emit_line(out, 2, ".%s_set = %s,", member->cname, present.p);
            }
        }
    }
    mesh_emit_line(out, 1, "};");
}

void mesh_flow_step_fold(struct flow_emit *f, const struct mesh_plan_step *step)
{
    struct mesh_buf *out = f->code;
    const struct mesh_model_step *m = step->model;
    bool cells = cells_of(m) > 0;
    mesh_emit_line(out, 1, "/* fold, line %d: the windows that end with this record */", mesh_emit_line_of(m->at));
    fold_cells(f, m);
    if (mesh_flow_any_faulty(step))
        mesh_emit_fault_check(f->e, out, 1, m->at, mesh_flow_what_of(f, "fold"));
    mesh_flow_key_of(f, out, 1, m->by.v, m->by.n);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf record = MESH_BUF_NULL;
    fold_record(f, step, &record);
    bool read = strstr(record.p, "n_in_") != NULL || strstr(record.p, "sums_") != NULL || strstr(record.p, "any_") != NULL;
    mesh_emit_line(out, 1, "%smesh_ring_add(task, %s_STATE_%s, &key, event, %s);", read ? "const struct mesh_ring *ring = " : "",
                   f->e->p, step->state->cname, cells ? "cells" : "NULL");
    for (size_t w = 0; w < m->windows.n; w++) {
        fold_window(f, step, &m->windows.v[w], record.p);
        fold_ranges(f, step, &m->windows.v[w], record.p);
    }
    mesh_buf_puts(out, record.p);
}
