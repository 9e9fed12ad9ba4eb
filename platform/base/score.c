/* Models are walked as they lie: a few compares a tree, no memory of its own. */
#include "mesh/score.h"

#include <math.h>
#include <stddef.h>

#define ZERO 1e-35f /* what LightGBM takes for zero */

const struct mesh_score_model *mesh_score_at(const struct mesh_score_model *models, uint32_t n, int64_t time_us)
{
    const struct mesh_score_model *model = &models[0];
    for (uint32_t i = 1; i < n && models[i].from_us <= time_us; i++)
        model = &models[i];
    return model;
}

static bool goes_left(const struct mesh_score_model *m, uint32_t node, double v)
{
    uint8_t decision = m->decision[node];
    uint8_t missing = decision & MESH_SCORE_MISSING;
    if ((decision & MESH_SCORE_CATEGORICAL) != 0) {
        if (isnan(v) || v >= 2147483648.0 || v <= -1.0) /* no category */
            return false;
        uint32_t category = (uint32_t)v;
        uint32_t set = (uint32_t)m->threshold[node];
        uint32_t n = m->set_at[set + 1] - m->set_at[set];
        return category / 32 < n && (m->set[m->set_at[set] + category / 32] >> (category % 32) & 1) != 0;
    }
    if (isnan(v) && missing != 8)
        v = 0.0;
    if ((missing == 4 && v >= -ZERO && v <= ZERO) || (missing == 8 && isnan(v)))
        return (decision & MESH_SCORE_DEFAULT_LEFT) != 0;
    return v <= m->threshold[node];
}

static double tree(const struct mesh_score_model *m, uint32_t t, const double *features)
{
    int32_t at = 0;
    if (m->node_at[t + 1] == m->node_at[t])
        return m->leaf[m->leaf_at[t]]; /* it is all there is */
    do {
        uint32_t node = m->node_at[t] + (uint32_t)at;
        at = goes_left(m, node, features[m->feature[node]]) ? m->left[node] : m->right[node];
    } while (at >= 0);
    return m->leaf[m->leaf_at[t] + (uint32_t)~at];
}

double mesh_score(const struct mesh_score_model *model, const double *features)
{
    double sum = model->start;
    for (uint32_t i = 0; model->weights != NULL && i < model->n_features; i++)
        sum += model->weights[i] * (isnan(features[i]) ? 0.0 : features[i]);
    for (uint32_t t = 0; t < model->n_trees; t++)
        sum += tree(model, t, features);
    sum /= model->divide;
    if (model->output == MESH_SCORE_SIGMOID)
        return 1.0 / (1.0 + exp(-model->sigmoid * sum));
    return model->output == MESH_SCORE_EXP ? exp(sum) : sum;
}
