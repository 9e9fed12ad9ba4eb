/* Score: the models as constants in front of the stream's functions, and the step that asks the one in force. */
#include "codegen/emit_flow.h"

#include <string.h>

#define NUMBERS_A_LINE 100

static void list(struct mesh_buf *out, const char *type, const char *name, const char *array, size_t n)
{
    if (n > 0)
        mesh_emit_line(out, 0, "static const %s %s_%s[%zu] = {", type, name, array, n);
}

static void separate(struct mesh_buf *out, size_t i, size_t n)
{
    mesh_buf_puts(out, i + 1 == n ? "};\n" : (i + 1) % NUMBERS_A_LINE == 0 ? ",\n" : ", ");
}

static void doubles(struct mesh_buf *out, const char *name, const char *array, const double *v, size_t n)
{
    list(out, "double", name, array, n);
    for (size_t i = 0; i < n; i++) {
        mesh_buf_printf(out, "%.17g", v[i]);
        separate(out, i, n);
    }
}

static void ints(struct mesh_buf *out, const char *name, const char *array, const int32_t *v, size_t n)
{
    list(out, "int32_t", name, array, n);
    for (size_t i = 0; i < n; i++) {
        mesh_buf_printf(out, "%d", (int)v[i]);
        separate(out, i, n);
    }
}

static void uints(struct mesh_buf *out, const char *name, const char *array, const uint32_t *v, size_t n)
{
    list(out, "uint32_t", name, array, n);
    for (size_t i = 0; i < n; i++) {
        mesh_buf_printf(out, "%uU", (unsigned)v[i]);
        separate(out, i, n);
    }
}

static void bytes(struct mesh_buf *out, const char *name, const char *array, const uint8_t *v, size_t n)
{
    list(out, "uint8_t", name, array, n);
    for (size_t i = 0; i < n; i++) {
        mesh_buf_printf(out, "%u", (unsigned)v[i]);
        separate(out, i, n);
    }
}

/* The features of this model, as places in the step's list. */
static void arrays(struct mesh_emitter *e, struct mesh_buf *out, const char *name, const struct mesh_model_step *step,
                   const struct mesh_score_file *file)
{
    const struct mesh_score_model *m = &file->model;
    int32_t *place = mesh_arena_alloc(e->arena, (m->n_features + 1) * sizeof *place);
    double *weights = mesh_arena_alloc(e->arena, (step->features.n + 1) * sizeof *weights);
    memset(weights, 0, (step->features.n + 1) * sizeof *weights);
    for (size_t i = 0; i < m->n_features; i++)
        for (size_t k = 0; k < step->features.n; k++)
            if (strcmp(step->features.v[k].name, file->features[i]) == 0) {
                place[i] = (int32_t)k;
                weights[k] = m->weights == NULL ? 0.0 : m->weights[i];
            }
    int32_t *feature = mesh_arena_alloc(e->arena, (file->n_nodes + 1) * sizeof *feature);
    for (size_t i = 0; i < file->n_nodes; i++)
        feature[i] = place[m->feature[i]];
    if (m->weights != NULL)
        doubles(out, name, "weights", weights, step->features.n);
    uints(out, name, "node_at", m->node_at, m->n_trees == 0 ? 0 : m->n_trees + 1);
    uints(out, name, "leaf_at", m->leaf_at, m->n_trees == 0 ? 0 : m->n_trees + 1);
    ints(out, name, "feature", feature, file->n_nodes);
    ints(out, name, "left", m->left, file->n_nodes);
    ints(out, name, "right", m->right, file->n_nodes);
    doubles(out, name, "threshold", m->threshold, file->n_nodes);
    bytes(out, name, "decision", m->decision, file->n_nodes);
    doubles(out, name, "leaf", m->leaf, file->n_leaves);
    uints(out, name, "set_at", m->set_at, file->n_sets == 0 ? 0 : file->n_sets + 1);
    uints(out, name, "set", m->set, file->n_set_words);
}

static const char *models_of(struct flow_emit *f, const struct mesh_model_step *step)
{
    return mesh_arena_printf(f->e->arena, "%s_%s_models", f->flow->stream->name, step->alias);
}

void mesh_flow_score_models(struct flow_emit *f, const struct mesh_plan_step *step)
{
    static const char *const outputs[] = {
        [MESH_SCORE_SUM] = "MESH_SCORE_SUM", [MESH_SCORE_SIGMOID] = "MESH_SCORE_SIGMOID", [MESH_SCORE_EXP] = "MESH_SCORE_EXP"};
    const struct mesh_model_step *m = step->model;
    struct mesh_buf *out = f->code;
    mesh_emit_line(out, 0, "/* the models of %s, line %d */", m->alias, mesh_emit_line_of(m->at));
    for (size_t i = 0; i < m->models.n; i++)
        arrays(f->e, out, mesh_arena_printf(f->e->arena, "%s_%zu", models_of(f, m), i + 1), m, &m->models.v[i].read);
    mesh_emit_line(out, 0, "static const struct mesh_score_model %s[%zu] = {", models_of(f, m), m->models.n);
    for (size_t i = 0; i < m->models.n; i++) {
        const struct mesh_model_score *one = &m->models.v[i];
        const struct mesh_score_model *model = &one->read.model;
        const char *name = mesh_arena_printf(f->e->arena, "%s_%zu", models_of(f, m), i + 1);
        mesh_emit_line(out, 1, "{");
        mesh_emit_line(out, 2, ".version = \"%s-%s\", /* %s */", one->version.text, one->read.hash, one->file.text);
        if (i > 0)
            mesh_emit_line(out, 2, ".from_us = INT64_C(%lld),", (long long)model->from_us);
        mesh_emit_line(out, 2, ".output = %s,", outputs[model->output]);
        mesh_emit_line(out, 2, ".sigmoid = %.17g,", model->sigmoid);
        mesh_emit_line(out, 2, ".start = %.17g,", model->start);
        mesh_emit_line(out, 2, ".divide = %.17g,", model->divide);
        mesh_emit_line(out, 2, ".n_features = %zu,", m->features.n);
        mesh_emit_line(out, 2, ".n_trees = %u,", (unsigned)model->n_trees);
        if (model->weights != NULL)
            mesh_emit_line(out, 2, ".weights = %s_weights,", name);
        static const char *const of_trees[] = {"node_at", "leaf_at", "leaf"};
        static const char *const of_nodes[] = {"feature", "left", "right", "threshold", "decision"};
        static const char *const of_sets[] = {"set_at", "set"};
        for (size_t k = 0; k < MESH_LEN(of_trees) && model->n_trees > 0; k++)
            mesh_emit_line(out, 2, ".%s = %s_%s,", of_trees[k], name, of_trees[k]);
        for (size_t k = 0; k < MESH_LEN(of_nodes) && one->read.n_nodes > 0; k++)
            mesh_emit_line(out, 2, ".%s = %s_%s,", of_nodes[k], name, of_nodes[k]);
        for (size_t k = 0; k < MESH_LEN(of_sets) && one->read.n_set_words > 0; k++)
            mesh_emit_line(out, 2, ".%s = %s_%s,", of_sets[k], name, of_sets[k]);
        mesh_emit_line(out, 1, "},");
    }
    mesh_emit_line(out, 0, "};");
    mesh_emit_blank(out);
}

static void feature(struct flow_emit *f, const struct mesh_model_assign *a)
{
    struct mesh_gen_type type = mesh_expr_type(a->expr);
    const char *value = mesh_flow_expr_text(f->e, a->expr);
    const char *number = type.kind == MESH_GEN_DECIMAL
                             ? mesh_arena_printf(f->e->arena, "mesh_dec_double(%s, %d)", value, type.scale)
                         : type.kind == MESH_GEN_BOOL ? mesh_arena_printf(f->e->arena, "(%s) ? 1.0 : 0.0", value)
                         : type.kind == MESH_GEN_INT  ? mesh_arena_printf(f->e->arena, "(double)(%s)", value)
                                                      : value;
    if (!type.nullable) {
        mesh_emit_line(f->code, 2, "%s, /* %s */", number, a->name);
        return;
    }
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf present = MESH_BUF_NULL;
    mesh_expr_emit_present(a->expr, &present);
    mesh_emit_line(f->code, 2, "(%s) ? (%s) : (double)NAN, /* %s */", present.p, number, a->name);
}

void mesh_flow_step_score(struct flow_emit *f, const struct mesh_plan_step *step)
{
    const struct mesh_model_step *m = step->model;
    const struct mesh_gen_member *score = mesh_gen_shape_member(step->after, m->alias);
    const struct mesh_gen_member *version =
        mesh_gen_shape_member(step->after, mesh_arena_printf(f->e->arena, "%s_model", m->alias));
    struct mesh_buf *out = f->code;
    const char *models = models_of(f, m);
    const struct mesh_model_assign made[] = {{.name = score->name}, {.name = version->name}};
    mesh_emit_line(out, 1, "/* score, line %d: by the model in force at the event's time */", mesh_emit_line_of(m->at));
    mesh_emit_line(out, 1, "const double features_of_%s[] = {", m->alias);
    for (size_t i = 0; i < m->features.n; i++)
        feature(f, &m->features.v[i]);
    mesh_emit_line(out, 1, "};");
    if (mesh_flow_any_faulty(step))
        mesh_emit_fault_check(f->e, out, 1, m->at, mesh_flow_what_of(f, "score"));
    mesh_emit_line(out, 1, "const struct mesh_score_model *model_of_%s = mesh_score_at(%s, %zu, event->time_us);", m->alias, models,
                   m->models.n);
    if (!score->used)
        mesh_emit_line(out, 1, "(void)features_of_%s;", m->alias);
    if (!score->used && !version->used)
        mesh_emit_line(out, 1, "(void)model_of_%s;", m->alias);
    mesh_emit_line(out, 1, "const struct %s record = {", mesh_flow_struct_of(f, step->after));
    mesh_emit_copy(f->e, out, 2, step->after, "r->", made, 2);
    if (score->used)
        mesh_emit_line(out, 2, ".%s = mesh_score(model_of_%s, features_of_%s),", score->cname, m->alias, m->alias);
    if (version->used)
        mesh_emit_line(out, 2, ".%s = mesh_str_of(model_of_%s->version),", version->cname, m->alias);
    mesh_emit_line(out, 1, "};");
}
