/* One stream: its sources, its steps or its pattern. */
#include "codegen/bind.h"
#include "codegen/model_load.h"

#include <string.h>

#define P     (&mesh_bind_product)
#define STEPS "streams.*.steps[]."

static bool is_map(const struct mesh_yaml *node)
{
    return node != NULL && !node->bad && node->kind == MESH_YAML_MAP;
}

/* `by: a` or `by: [a, b]`, as expressions, which are then checked to be plain members. */
static void load_keys(struct mesh_model *model, const struct mesh_yaml *node, struct mesh_expr ***ret, size_t *ret_n)
{
    MESH_VEC(struct mesh_expr *) list = {0};
    size_t n = node == NULL || node->bad ? 0 : node->kind == MESH_YAML_LIST ? node->items.n : 1;
    for (size_t i = 0; i < n; i++) {
        struct mesh_expr *expr = mesh_load_expr(model, node->kind == MESH_YAML_LIST ? node->items.v[i] : node);
        if (expr != NULL)
            *mesh_vec_push_in(model->arena, &list) = expr;
    }
    *ret = list.v;
    *ret_n = list.n;
}

static void load_join(struct mesh_model *model, struct mesh_model_step *step, const struct mesh_yaml *map)
{
    struct mesh_model_text table = mesh_load_text(map, "table");
    struct mesh_model_text stream = mesh_load_text(map, "stream");
    const struct mesh_yaml *between = mesh_yaml_get(map, "between");
    struct mesh_model_text named = stream.text != NULL ? stream : table;
    step->yaml = map;
    step->alias = named.text;
    step->alias_at = named.at;
    if (stream.text != NULL)
        step->other = (struct mesh_model_from){.kind = MESH_FROM_STREAM, .name = stream.text, .at = stream.at};
    step->other_by = mesh_load_text(map, "by").text;
    if (between != NULL && !between->bad && between->items.n == 2) {
        step->from_us = mesh_bind_offset(between->items.v[0]);
        step->to_us = mesh_bind_offset(between->items.v[1]);
    }
    int pick = mesh_bind_enum(P, map, STEPS "join.pick");
    step->pick = pick == 1 ? MESH_PICK_FIRST : pick == 2 ? MESH_PICK_ALL : MESH_PICK_LAST;
    load_keys(model, mesh_yaml_get(map, "key"), &step->by.v, &step->by.n);
    step->as_of = mesh_load_expr(model, mesh_yaml_get(map, "asOf"));
    int missing = mesh_bind_enum(P, map, STEPS "join.missing");
    step->missing = missing == 1 ? MESH_MISSING_SKIP : missing == 2 ? MESH_MISSING_KEEP : MESH_MISSING_DLQ;
}

static void load_fold(struct mesh_model *model, struct mesh_model_step *step, const struct mesh_yaml *map)
{
    load_keys(model, mesh_yaml_get(map, "by"), &step->by.v, &step->by.n);
    const struct mesh_yaml *windows = mesh_yaml_get(map, "windows");
    for (size_t i = 0; is_map(windows) && i < windows->entries.n; i++) {
        const struct mesh_yaml_entry *entry = &windows->entries.v[i];
        if (!is_map(entry->value))
            continue;
        *mesh_vec_push_in(model->arena, &step->windows) = (struct mesh_model_window){
            .name = entry->key,
            .at = entry->key_at,
            .size_us = mesh_bind_duration(P, entry->value, STEPS "fold.windows.*.sliding"),
            .delay_us = mesh_bind_duration(P, entry->value, STEPS "fold.windows.*.delay"),
        };
    }
    mesh_load_assigns(model, mesh_yaml_get(map, "let"), &step->assigns.v, &step->assigns.n);
}

static void load_step(struct mesh_model *model, struct mesh_model_stream *stream, const struct mesh_yaml_entry *entry)
{
    struct mesh_model_step step = {.at = entry->key_at};
    const struct mesh_yaml *value = entry->value;
    if (value->bad)
        return;
    if (strcmp(entry->key, "where") == 0) {
        step.kind = MESH_STEP_WHERE;
        step.where = mesh_load_expr(model, value);
    } else if (strcmp(entry->key, "set") == 0 || strcmp(entry->key, "select") == 0) {
        step.kind = strcmp(entry->key, "set") == 0 ? MESH_STEP_SET : MESH_STEP_SELECT;
        mesh_load_assigns(model, value, &step.assigns.v, &step.assigns.n);
    } else if (strcmp(entry->key, "dedupe") == 0) {
        step.kind = MESH_STEP_DEDUPE;
        load_keys(model, mesh_yaml_get(value, "by"), &step.by.v, &step.by.n);
        step.within_us = mesh_bind_duration(P, value, STEPS "dedupe.within");
    } else if (strcmp(entry->key, "join") == 0) {
        step.kind = MESH_STEP_JOIN;
        load_join(model, &step, value);
    } else if (strcmp(entry->key, "fold") == 0) {
        step.kind = MESH_STEP_FOLD;
        load_fold(model, &step, value);
    } else if (strcmp(entry->key, "flatten") == 0) {
        struct mesh_model_text as = mesh_load_text(value, "as");
        step.kind = MESH_STEP_FLATTEN;
        step.array = mesh_load_text(value, "array");
        step.alias = as.text;
        step.alias_at = as.at;
        step.missing = mesh_bind_enum(P, value, STEPS "flatten.empty") == 1 ? MESH_MISSING_KEEP : MESH_MISSING_SKIP;
    } else if (strcmp(entry->key, "rises") == 0) {
        step.kind = MESH_STEP_RISES;
        step.where = mesh_load_expr(model, mesh_yaml_get(value, "when"));
        step.rearm = mesh_load_expr(model, mesh_yaml_get(value, "rearm"));
    } else {
        return; /* unknown, reported */
    }
    *mesh_vec_push_in(model->arena, &stream->steps) = step;
}

static void load_pattern_step(struct mesh_model *model, struct mesh_model_stream *stream, const struct mesh_yaml *item)
{
    for (size_t i = 0; is_map(item) && i < item->entries.n; i++) {
        const struct mesh_yaml_entry *entry = &item->entries.v[i];
        if (strcmp(entry->key, "where") == 0 || entry->value->bad)
            continue;
        int64_t absent_us = mesh_yaml_get(entry->value, "absent") == NULL
                                ? 0
                                : mesh_bind_duration(P, entry->value, "streams.*.pattern.steps[].*.absent");
        *mesh_vec_push_in(model->arena, &stream->pattern) = (struct mesh_model_pattern_step){
            .name = entry->key,
            .at = entry->key_at,
            .yaml = entry->value,
            .forbidden = absent_us > 0 || mesh_bind_bool(P, entry->value, "streams.*.pattern.steps[].*.not"),
            .absent_us = absent_us,
            .times = (int)mesh_bind_integer(P, entry->value, "streams.*.pattern.steps[].*.times"),
            .where = mesh_load_expr(model, mesh_yaml_get(item, "where")),
        };
        return;
    }
}

void mesh_load_stream(struct mesh_model *model, struct mesh_model_stream *stream, const struct mesh_yaml *map)
{
    stream->yaml = map;
    mesh_load_from(model, mesh_yaml_get(map, "from"), &stream->from.v, &stream->from.n);
    const struct mesh_yaml *steps = mesh_yaml_get(map, "steps");
    for (size_t i = 0; steps != NULL && !steps->bad && i < steps->items.n; i++) {
        const struct mesh_yaml *item = steps->items.v[i];
        if (is_map(item) && item->entries.n > 0)
            load_step(model, stream, &item->entries.v[0]);
    }
    const struct mesh_yaml *pattern = mesh_yaml_get(map, "pattern");
    stream->has_pattern = pattern != NULL;
    if (is_map(pattern)) {
        load_keys(model, mesh_yaml_get(pattern, "by"), &stream->pattern_by.v, &stream->pattern_by.n);
        stream->pattern_within_us = mesh_bind_duration(P, pattern, "streams.*.pattern.within");
        int overlap = mesh_bind_enum(P, pattern, "streams.*.pattern.overlap");
        stream->pattern_overlap = overlap == 1 ? MESH_OVERLAP_ALL : overlap == 2 ? MESH_OVERLAP_LATEST : MESH_OVERLAP_SKIP;
        const struct mesh_yaml *items = mesh_yaml_get(pattern, "steps");
        for (size_t i = 0; items != NULL && !items->bad && i < items->items.n; i++)
            load_pattern_step(model, stream, items->items.v[i]);
    }
    mesh_load_assigns(model, mesh_yaml_get(map, "emit"), &stream->emit.v, &stream->emit.n);
}
