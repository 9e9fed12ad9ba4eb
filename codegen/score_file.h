/* Model files of `score` steps, read when the declaration is checked and compiled into the service.
 *
 * LightGBM's text format (`Booster.save_model`, versions 3 and 4) with one output: objectives regression (also l1, huber, fair, quantile,
 * mape), binary, cross_entropy, poisson, gamma, tweedie; numerical and categorical splits, all kinds of missing values. Refused by name:
 * several classes, linear trees, regression sqrt, ranking and custom objectives.
 *
 * Or weights as JSON: { "kind": "linear" | "logistic", "intercept": 0.5, "weights": { "amount": 0.1, ... } }.
 *
 * Limits: MESH_SCORE_BYTES_MAX, MESH_SCORE_FEATURES_MAX, MESH_SCORE_NODES_MAX splits, MESH_SCORE_TREES_MAX trees.
 */
#ifndef MESH_CODEGEN_SCORE_FILE_H
#define MESH_CODEGEN_SCORE_FILE_H

#include "base/arena.h"
#include "base/vec.h"
#include "mesh/err.h"
#include "mesh/score.h"

#define MESH_SCORE_BYTES_MAX    (8u << 20)
#define MESH_SCORE_FEATURES_MAX 256
#define MESH_SCORE_NODES_MAX    50000
#define MESH_SCORE_TREES_MAX    5000

struct mesh_score_file {
    struct mesh_score_model model; /* without version and time; its arrays live in the arena */
    const char *const *features;   /* their names, in the model's order */
    size_t n_nodes, n_leaves, n_sets, n_set_words;
    char hash[13]; /* of the file: 12 hex digits */
};

/* 0, or negative: why it is none. */
int mesh_score_read(struct mesh_arena *arena, const char *text, size_t n, struct mesh_score_file *ret, struct mesh_err *err);

#endif
