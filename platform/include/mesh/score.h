/* Scores: a model (an ensemble of decision trees, or weights) over the numbers of one record. What generated code declares as constants.
 *
 * A tree's nodes and leaves lie in arrays of the whole model; a child >= 0 is a node, otherwise ~leaf, both counted from the tree's first.
 * A feature that is missing is NaN. The decisions are those of LightGBM's text format (version 4), bit by bit.
 */
#ifndef MESH_SCORE_H
#define MESH_SCORE_H

#include <stdbool.h>
#include <stdint.h>

enum mesh_score_output {
    MESH_SCORE_SUM,     /* regression */
    MESH_SCORE_SIGMOID, /* 1 / (1 + exp(-sigmoid * sum)): binary, cross_entropy, logistic */
    MESH_SCORE_EXP,     /* poisson, gamma, tweedie */
};

/* Of a node: what is done with a value that is missing. */
#define MESH_SCORE_CATEGORICAL  1
#define MESH_SCORE_DEFAULT_LEFT 2
#define MESH_SCORE_MISSING      12 /* 0: none, 4: zero, 8: NaN */

struct mesh_score_model {
    const char *version; /* "v2-0a1b2c3d4e5f": as declared, and of the file */
    int64_t from_us;     /* in force for events from then on */
    enum mesh_score_output output;
    double sigmoid;
    double start; /* of the sum */
    double divide;
    uint32_t n_features;
    const double *weights; /* of features, NULL: none */
    uint32_t n_trees;
    const uint32_t *node_at, *leaf_at; /* one more than trees */
    const int32_t *feature, *left, *right;
    const double *threshold; /* categorical: which set */
    const uint8_t *decision;
    const double *leaf;
    const uint32_t *set_at; /* of the sets of categories, one more than there are */
    const uint32_t *set;    /* 32 categories a number */
};

/* The model in force at that time; models are in the order of their times, and the first one holds before all others. */
const struct mesh_score_model *mesh_score_at(const struct mesh_score_model *models, uint32_t n, int64_t time_us);
double mesh_score(const struct mesh_score_model *model, const double *features);

#endif
