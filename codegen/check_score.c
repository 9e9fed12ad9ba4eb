/* Score steps: the model files, and a number for each of their features. */
#include "base/fs.h"
#include "base/text.h"
#include "codegen/check.h"

#include <string.h>

static struct mesh_diag *bad_model(struct mesh_checker *c, struct mesh_srcref at, const char *what)
{
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG068", at, "%s", what);
    return diag;
}

static bool read_model(struct mesh_checker *c, struct mesh_model_score *m)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    const char *path = mesh_arena_printf(c->arena, "domains/%s/%s", c->product->domain.text, m->file.text);
    bool inside = m->file.text[0] != '/' && strstr(m->file.text, "..") == NULL;
    if (!inside ||
        mesh_fs_read(mesh_arena_printf(c->arena, "%s/%s", c->model->root, path), MESH_SCORE_BYTES_MAX, &text, &err) != 0) {
        struct mesh_diag *diag =
            bad_model(c, m->file.at,
                      mesh_arena_printf(c->arena, inside ? "the model %s cannot be read" : "'%s' is no place for a model",
                                        inside ? path : m->file.text));
        mesh_diag_why(c->diags, diag, "%s",
                      inside ? "the file is compiled into the service" : "the files of a domain lie in its folder");
        mesh_diag_fix(c->diags, diag, "name a file in domains/%s, for example 'models/risk.v1.txt'", c->product->domain.text);
        return false;
    }
    const char *kept = mesh_arena_strdup(c->arena, text.p == NULL ? "" : text.p);
    if (mesh_score_read(c->arena, kept, text.n, &m->read, &err) == 0)
        return true;
    struct mesh_diag *diag = bad_model(c, m->file.at, mesh_arena_printf(c->arena, "%s is no model that can be used", path));
    mesh_diag_why(c->diags, diag, "%s", err.text);
    mesh_diag_fix(c->diags, diag,
                  "save it with LightGBM's save_model(), or write weights as JSON; docs/DECLARATION.md, \"Scores\"");
    return false;
}

static bool check_times(struct mesh_checker *c, struct mesh_model_step *step)
{
    for (size_t i = 0; i < step->models.n; i++) {
        struct mesh_model_score *m = &step->models.v[i];
        struct mesh_diag *diag = NULL;
        m->read.model.from_us = INT64_MIN;
        if (i == 0 && m->from.text != NULL)
            diag = bad_model(c, m->from.at, "the first model holds from the beginning");
        else if (i > 0 && m->from.text == NULL)
            diag = bad_model(c, m->file.at, "the model does not say from when it holds");
        else if (i > 0 && mesh_text_parse_time(mesh_str_of(m->from.text), &m->read.model.from_us) != 0)
            diag = bad_model(c, m->from.at, mesh_arena_printf(c->arena, "'%s' is no time", m->from.text));
        else if (i > 1 && m->read.model.from_us <= step->models.v[i - 1].read.model.from_us)
            diag = bad_model(c, m->from.at, "the models are not in the order of their times");
        if (diag == NULL)
            continue;
        mesh_diag_why(c->diags, diag,
                      "each event is scored by the model that was in force at its time, also when it is read again");
        mesh_diag_fix(c->diags, diag,
                      i == 0 ? "remove 'from'" : "write 'from: 2026-12-01T00:00:00Z', later than that of the model before");
        return false;
    }
    return true;
}

/* Every feature of the model is declared; what is declared and no model has is a mistake. */
static bool check_names(struct mesh_checker *c, const struct mesh_model_step *step, const struct mesh_model_score *m)
{
    bool fine = true;
    const char **names = mesh_arena_alloc(c->arena, (step->features.n + 1) * sizeof *names);
    for (size_t i = 0; i < step->features.n; i++)
        names[i] = step->features.v[i].name;
    for (size_t i = 0; i < m->read.model.n_features; i++) {
        bool known = false;
        for (size_t k = 0; k < step->features.n; k++)
            known = known || strcmp(names[k], m->read.features[i]) == 0;
        if (known)
            continue;
        fine = false;
        struct mesh_diag *diag = bad_model(
            c, m->file.at, mesh_arena_printf(c->arena, "the model reads '%s', which is no feature here", m->read.features[i]));
        const char *near = mesh_did_you_mean(m->read.features[i], names, step->features.n);
        if (near != NULL)
            mesh_diag_hint(c->diags, diag, "did you mean '%s'?", near);
        mesh_diag_fix(c->diags, diag, "add '%s: EXPRESSION' to 'features'", m->read.features[i]);
    }
    return fine;
}

static bool is_read(const struct mesh_model_step *step, const char *name)
{
    for (size_t i = 0; i < step->models.n; i++)
        for (size_t k = 0; k < step->models.v[i].read.model.n_features; k++)
            if (strcmp(step->models.v[i].read.features[k], name) == 0)
                return true;
    return false;
}

static bool check_features(struct mesh_checker *c, struct mesh_model_step *step, const struct mesh_scope *scope, const char *place)
{
    bool fine = true;
    for (size_t i = 0; i < step->features.n; i++) {
        struct mesh_model_assign *feature = &step->features.v[i];
        feature->type = mesh_check_expr(c, feature->expr, scope, MESH_GEN_ERROR, place);
        enum mesh_gen_kind kind = feature->type.kind;
        struct mesh_diag *diag = NULL;
        if (kind == MESH_GEN_ERROR) {
            fine = false;
        } else if (kind != MESH_GEN_INT && kind != MESH_GEN_DOUBLE && kind != MESH_GEN_DECIMAL && kind != MESH_GEN_BOOL) {
            diag = bad_model(
                c, mesh_expr_at(feature->expr),
                mesh_arena_printf(c->arena, "a feature is a number or a bool, and this is %s", mesh_type_a(c, &feature->type)));
            mesh_diag_fix(c->diags, diag, "write the number that the model was trained with, as in 'country == \"DE\" ? 1 : 0'");
        } else if (!is_read(step, feature->name)) {
            diag = bad_model(c, feature->at, mesh_arena_printf(c->arena, "no model reads the feature '%s'", feature->name));
            const char *near =
                mesh_did_you_mean(feature->name, step->models.v[0].read.features, step->models.v[0].read.model.n_features);
            if (near != NULL)
                mesh_diag_hint(c->diags, diag, "did you mean '%s'?", near);
            mesh_diag_fix(c->diags, diag, "remove it, or name it as the model does");
        }
        fine = fine && diag == NULL;
    }
    return fine;
}

struct mesh_gen_shape *mesh_check_score(struct mesh_checker *c, struct mesh_model_stream *stream, struct mesh_model_step *step,
                                        struct mesh_gen_shape *after, const struct mesh_scope *scope, const char *place)
{
    bool fine = step->alias != NULL && step->models.n > 0;
    for (size_t i = 0; i < step->models.n; i++)
        fine = step->models.v[i].file.text != NULL && step->models.v[i].version.text != NULL && read_model(c, &step->models.v[i]) &&
               fine;
    if (!fine || !check_times(c, step))
        return NULL;
    for (size_t i = 0; i < step->models.n; i++)
        fine = check_names(c, step, &step->models.v[i]) && fine;
    if (!check_features(c, step, scope, place) || !fine)
        return NULL;
    struct mesh_gen_member score = {.name = step->alias,
                                    .cname = mesh_names_c(c->arena, step->alias),
                                    .type = {.kind = MESH_GEN_DOUBLE},
                                    .label = MESH_PUBLIC,
                                    .at = step->at,
                                    .origin = mesh_arena_printf(c->arena, "streams.%s.%s", stream->name, step->alias)};
    for (size_t i = 0; i < step->features.n; i++) {
        struct mesh_gen_member one =
            mesh_shape_assigned(c, &step->features.v[i], mesh_arena_printf(c->arena, "streams.%s", stream->name));
        if (mesh_label_join(one.label, score.label) == score.label)
            continue;
        score.label = one.label;
        score.subject = one.subject;
    }
    struct mesh_gen_member model = score;
    model.name = mesh_arena_printf(c->arena, "%s_model", step->alias);
    model.cname = mesh_names_c(c->arena, model.name);
    model.type = (struct mesh_gen_type){.kind = MESH_GEN_STRING};
    model.label = MESH_PUBLIC;
    model.subject = NULL;
    model.origin = mesh_arena_printf(c->arena, "streams.%s.%s", stream->name, model.name);
    mesh_shape_put(c, after, score);
    mesh_shape_put(c, after, model);
    return after;
}
