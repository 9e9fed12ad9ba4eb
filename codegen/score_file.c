/* A model is untrusted text: every index is checked here, once, so that the service walks it without looking. */
#include "codegen/score_file.h"

#include "base/diag.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "mesh/expr.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct mesh_arena *arena;
    struct mesh_err *err;
    struct mesh_str rest;
    int line;
    MESH_VEC(const char *) names;
    MESH_VEC(uint32_t) node_at;
    MESH_VEC(uint32_t) leaf_at;
    MESH_VEC(int32_t) feature;
    MESH_VEC(int32_t) left;
    MESH_VEC(int32_t) right;
    MESH_VEC(double) threshold;
    MESH_VEC(uint8_t) decision;
    MESH_VEC(double) leaf;
    MESH_VEC(uint32_t) set_at;
    MESH_VEC(uint32_t) set;
};

typedef MESH_VEC(double) number_list;

static int refuse(struct reader *r, const char *what)
{
    return mesh_err_set(r->err, MESH_ERR_REJECT, "score.model", "line %d: %s", r->line, what);
}

static bool next_line(struct reader *r, struct mesh_str *ret)
{
    if (r->rest.n == 0)
        return false;
    const char *end = memchr(r->rest.p, '\n', r->rest.n);
    uint32_t n = end == NULL ? r->rest.n : (uint32_t)(end - r->rest.p);
    *ret = (struct mesh_str){r->rest.p, n > 0 && r->rest.p[n - 1] == '\r' ? n - 1 : n};
    n = n < r->rest.n ? n + 1 : n;
    r->rest = (struct mesh_str){r->rest.p + n, r->rest.n - n};
    r->line++;
    return true;
}

/* "key=value": the value. */
static bool is_key(struct mesh_str line, const char *key, struct mesh_str *ret)
{
    size_t n = strlen(key);
    if (line.n <= n || memcmp(line.p, key, n) != 0 || line.p[n] != '=')
        return false;
    *ret = (struct mesh_str){line.p + n + 1, line.n - (uint32_t)n - 1};
    return true;
}

static bool next_word(struct mesh_str *rest, struct mesh_str *ret)
{
    uint32_t at = 0;
    while (at < rest->n && rest->p[at] == ' ')
        at++;
    uint32_t end = at;
    while (end < rest->n && rest->p[end] != ' ')
        end++;
    *ret = (struct mesh_str){rest->p + at, end - at};
    *rest = (struct mesh_str){rest->p + end, rest->n - end};
    return ret->n > 0;
}

static int read_numbers(struct reader *r, struct mesh_str text, number_list *ret)
{
    struct mesh_str word;
    ret->n = 0;
    while (next_word(&text, &word)) {
        char copy[64];
        char *end = NULL;
        if (word.n >= sizeof copy)
            return refuse(r, "a number is too long");
        memcpy(copy, word.p, word.n);
        copy[word.n] = '\0';
        double v = strtod(copy, &end);
        if (*end != '\0' || isnan(v))
            return refuse(r, mesh_arena_printf(r->arena, "'%s' is no number", copy));
        *mesh_vec_push_in(r->arena, ret) = v;
    }
    return 0;
}

static int read_names(struct reader *r, struct mesh_str text)
{
    struct mesh_str word;
    while (next_word(&text, &word)) {
        if (r->names.n == MESH_SCORE_FEATURES_MAX)
            return refuse(r, "more than 256 features");
        *mesh_vec_push_in(r->arena, &r->names) = mesh_arena_printf(r->arena, "%.*s", (int)word.n, word.p);
    }
    return 0;
}

static int read_objective(struct reader *r, struct mesh_str text, struct mesh_score_model *m)
{
    static const char *const sums[] = {"regression", "regression_l1", "huber", "fair", "quantile", "mape"};
    static const char *const exps[] = {"poisson", "gamma", "tweedie"};
    struct mesh_str word;
    next_word(&text, &word);
    const char *name = mesh_arena_printf(r->arena, "%.*s", (int)word.n, word.p);
    for (size_t i = 0; i < MESH_LEN(sums); i++) {
        if (strcmp(name, sums[i]) != 0)
            continue;
        while (next_word(&text, &word))
            if (mesh_str_eq(word, MESH_STR("sqrt")))
                return refuse(r, "'regression sqrt' is not known here: train on the root yourself");
        m->output = MESH_SCORE_SUM;
        return 0;
    }
    for (size_t i = 0; i < MESH_LEN(exps); i++) {
        if (strcmp(name, exps[i]) != 0)
            continue;
        m->output = MESH_SCORE_EXP;
        return 0;
    }
    bool binary = strcmp(name, "binary") == 0;
    if (!binary && strcmp(name, "cross_entropy") != 0)
        return refuse(r, mesh_arena_printf(r->arena,
                                           "the objective '%s' is not known here: binary, cross_entropy, regression, "
                                           "poisson, gamma and tweedie are",
                                           name));
    m->output = MESH_SCORE_SIGMOID;
    m->sigmoid = 1.0;
    while (binary && next_word(&text, &word)) {
        double v = 0;
        if (mesh_str_starts(word, MESH_STR("sigmoid:")) &&
            mesh_text_parse_double((struct mesh_str){word.p + 8, word.n - 8}, &v) == 0)
            m->sigmoid = v;
    }
    return 0;
}

/* ---- one tree ---- */

struct tree {
    double leaves, sets, linear;
    number_list feature, threshold, decision, left, right, leaf, set_at, set;
};

static int read_tree_line(struct reader *r, struct mesh_str line, struct tree *t)
{
    const struct {
        const char *key;
        number_list *list;
    } lists[] = {{"split_feature", &t->feature}, {"threshold", &t->threshold}, {"decision_type", &t->decision},
                 {"left_child", &t->left},       {"right_child", &t->right},   {"leaf_value", &t->leaf},
                 {"cat_boundaries", &t->set_at}, {"cat_threshold", &t->set}};
    const struct {
        const char *key;
        double *value;
    } values[] = {{"num_leaves", &t->leaves}, {"num_cat", &t->sets}, {"is_linear", &t->linear}};
    struct mesh_str text;
    for (size_t i = 0; i < MESH_LEN(lists); i++)
        if (is_key(line, lists[i].key, &text))
            return read_numbers(r, text, lists[i].list);
    for (size_t i = 0; i < MESH_LEN(values); i++)
        if (is_key(line, values[i].key, &text) && mesh_text_parse_double(text, values[i].value) != 0)
            return refuse(r, "a number is missing");
    return 0;
}

static bool whole(double v, double min, double max)
{
    return v >= min && v <= max && v - floor(v) <= 0;
}

/* A child must lie behind its parent, so that every walk ends. */
static bool is_child(double v, size_t parent, size_t n_nodes, size_t n_leaves)
{
    return v >= 0 ? whole(v, (double)parent + 1, (double)n_nodes - 1) : whole(v, -(double)n_leaves, -1);
}

static int add_sets(struct reader *r, const struct tree *t)
{
    if (t->set_at.n != (size_t)t->sets + 1 || !whole(t->set_at.v[0], 0, 0))
        return refuse(r, "the sets of categories do not fit the tree");
    for (size_t i = 0; i + 1 < t->set_at.n; i++) {
        if (!whole(t->set_at.v[i + 1], t->set_at.v[i], (double)t->set.n))
            return refuse(r, "a set of categories ends before it begins");
        for (size_t k = (size_t)t->set_at.v[i]; k < (size_t)t->set_at.v[i + 1]; k++) {
            if (!whole(t->set.v[k], 0, 4294967295.0))
                return refuse(r, "a category is no number");
            *mesh_vec_push_in(r->arena, &r->set) = (uint32_t)t->set.v[k];
        }
        *mesh_vec_push_in(r->arena, &r->set_at) = (uint32_t)r->set.n;
    }
    return 0;
}

static int add_tree(struct reader *r, const struct tree *t)
{
    size_t n = t->feature.n;
    if (t->linear > 0)
        return refuse(r, "trees with linear leaves are not known here");
    if (!whole(t->leaves, 1, MESH_SCORE_NODES_MAX) || t->leaf.n != (size_t)t->leaves || n + 1 != (size_t)t->leaves ||
        t->threshold.n != n || t->decision.n != n || t->left.n != n || t->right.n != n)
        return refuse(r, "the lists of the tree are not of one length");
    if (r->feature.n + n > MESH_SCORE_NODES_MAX || r->leaf_at.n > MESH_SCORE_TREES_MAX)
        return refuse(r, "the model has more than 50000 splits or 5000 trees");
    size_t first_set = r->set_at.n - 1;
    if (t->sets > 0 && add_sets(r, t) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        bool categorical = whole(t->decision.v[i], 0, 15) && ((int)t->decision.v[i] & MESH_SCORE_CATEGORICAL) != 0;
        if (!whole(t->feature.v[i], 0, (double)r->names.n - 1) || !whole(t->decision.v[i], 0, 15) ||
            !is_child(t->left.v[i], i, n, t->leaf.n) || !is_child(t->right.v[i], i, n, t->leaf.n) ||
            (categorical && !whole(t->threshold.v[i], 0, t->sets - 1)))
            return refuse(r, "a split names what is not there");
        *mesh_vec_push_in(r->arena, &r->feature) = (int32_t)t->feature.v[i];
        *mesh_vec_push_in(r->arena, &r->threshold) = t->threshold.v[i] + (categorical ? (double)first_set : 0.0);
        *mesh_vec_push_in(r->arena, &r->decision) = (uint8_t)t->decision.v[i];
        *mesh_vec_push_in(r->arena, &r->left) = (int32_t)t->left.v[i];
        *mesh_vec_push_in(r->arena, &r->right) = (int32_t)t->right.v[i];
    }
    for (size_t i = 0; i < t->leaf.n; i++)
        *mesh_vec_push_in(r->arena, &r->leaf) = t->leaf.v[i];
    *mesh_vec_push_in(r->arena, &r->node_at) = (uint32_t)r->feature.n;
    *mesh_vec_push_in(r->arena, &r->leaf_at) = (uint32_t)r->leaf.n;
    return 0;
}

static int read_head_line(struct reader *r, struct mesh_str line, struct mesh_score_model *m, bool *ret_average,
                          bool *ret_objective)
{
    struct mesh_str text;
    if (mesh_str_eq(line, MESH_STR("average_output"))) {
        *ret_average = true;
    } else if (is_key(line, "num_class", &text) || is_key(line, "num_tree_per_iteration", &text)) {
        if (!mesh_str_eq(text, MESH_STR("1")))
            return refuse(r, "models of several classes are not known here");
    } else if (is_key(line, "feature_names", &text)) {
        return read_names(r, text);
    } else if (is_key(line, "objective", &text)) {
        *ret_objective = true;
        return read_objective(r, text, m);
    }
    return 0;
}

static int read_trees(struct reader *r, struct mesh_score_model *m)
{
    struct mesh_str line;
    struct mesh_str text;
    struct tree t = {0};
    bool average = false;
    bool objective = false;
    bool in_tree = false;
    bool done = false;
    *mesh_vec_push_in(r->arena, &r->node_at) = 0;
    *mesh_vec_push_in(r->arena, &r->leaf_at) = 0;
    *mesh_vec_push_in(r->arena, &r->set_at) = 0;
    while (!done && next_line(r, &line)) {
        done = mesh_str_eq(line, MESH_STR("end of trees"));
        if (done || is_key(line, "Tree", &text)) {
            if (in_tree && add_tree(r, &t) < 0)
                return -1;
            t = (struct tree){0};
            in_tree = true;
        } else if (in_tree ? read_tree_line(r, line, &t) < 0 : read_head_line(r, line, m, &average, &objective) < 0) {
            return -1;
        }
    }
    if (!done || !objective || r->leaf_at.n < 2 || r->names.n == 0)
        return refuse(r, !done ? "the file ends before its trees do" : "the file has no objective, no features or no trees");
    m->n_trees = (uint32_t)r->leaf_at.n - 1;
    m->divide = average ? (double)m->n_trees : 1.0;
    return 0;
}

/* ---- weights ---- */

static int number_of(struct reader *r, const struct mesh_json *json, double *ret)
{
    if (json == NULL || json->kind != MESH_JSON_NUMBER || mesh_text_parse_double((struct mesh_str){json->text, json->n}, ret) != 0)
        return refuse(r, "'intercept' and every one of 'weights' is a number");
    return 0;
}

static int read_weights(struct reader *r, const char *text, size_t n, struct mesh_score_model *m)
{
    struct mesh_diags diags = {.arena = r->arena};
    const struct mesh_json *json = mesh_json_parse(r->arena, mesh_source_new(r->arena, "model", text, n), &diags, "MG068");
    const struct mesh_json *kind = json == NULL ? NULL : mesh_json_get(json, "kind");
    const struct mesh_json *weights = json == NULL ? NULL : mesh_json_get(json, "weights");
    bool logistic = kind != NULL && kind->kind == MESH_JSON_STRING && strcmp(kind->text, "logistic") == 0;
    if (kind == NULL || kind->kind != MESH_JSON_STRING || (!logistic && strcmp(kind->text, "linear") != 0) || weights == NULL ||
        weights->kind != MESH_JSON_OBJECT || weights->n == 0 || weights->n > MESH_SCORE_FEATURES_MAX)
        return refuse(
            r,
            "neither a model of LightGBM nor { \"kind\": \"linear\" or \"logistic\", \"intercept\": ..., \"weights\": { ... } }");
    if (number_of(r, mesh_json_get(json, "intercept"), &m->start) < 0)
        return -1;
    double *all = mesh_arena_alloc(r->arena, weights->n * sizeof *all);
    for (uint32_t i = 0; i < weights->n; i++) {
        if (number_of(r, weights->values[i], &all[i]) < 0)
            return -1;
        *mesh_vec_push_in(r->arena, &r->names) = weights->keys[i];
    }
    m->weights = all;
    m->output = logistic ? MESH_SCORE_SIGMOID : MESH_SCORE_SUM;
    m->sigmoid = 1.0;
    return 0;
}

int mesh_score_read(struct mesh_arena *arena, const char *text, size_t n, struct mesh_score_file *ret, struct mesh_err *err)
{
    struct reader r = {.arena = arena, .err = err, .rest = {text, (uint32_t)n}};
    struct mesh_score_model *m = &ret->model;
    uint8_t hash[32];
    *ret = (struct mesh_score_file){.model = {.divide = 1.0}};
    bool trees = n >= 5 && memcmp(text, "tree\n", 5) == 0;
    if ((trees ? read_trees(&r, m) : read_weights(&r, text, n, m)) < 0)
        return -1;
    m->n_features = (uint32_t)r.names.n;
    m->node_at = r.node_at.v;
    m->leaf_at = r.leaf_at.v;
    m->feature = r.feature.v;
    m->left = r.left.v;
    m->right = r.right.v;
    m->threshold = r.threshold.v;
    m->decision = r.decision.v;
    m->leaf = r.leaf.v;
    m->set_at = r.set_at.v;
    m->set = r.set.v;
    ret->features = r.names.v;
    ret->n_nodes = r.feature.n;
    ret->n_leaves = r.leaf.n;
    ret->n_sets = r.set_at.n == 0 ? 0 : r.set_at.n - 1;
    ret->n_set_words = r.set.n;
    mesh_sha256(text, n, hash);
    for (size_t i = 0; i < 6; i++)
        snprintf(ret->hash + 2 * i, 3, "%02x", hash[i]);
    return 0;
}
