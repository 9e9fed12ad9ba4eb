/* Between policy.c and policy_model.c. */
#ifndef MESH_CODEGEN_POLICY_INT_H
#define MESH_CODEGEN_POLICY_INT_H

#include "codegen/policy.h"

#define MESH_POLICY_ATTRIBUTES_MAX 24

/* One thing that a policy can be about: its values, in the order of its table. */
struct mesh_policy_part {
    enum mesh_policy_over over;
    const char *part; /* what a waiver calls it: "shop/views.by_country" */
    struct mesh_srcref at;
    struct mesh_expr_value values[MESH_POLICY_ATTRIBUTES_MAX];
    bool there[MESH_POLICY_ATTRIBUTES_MAX];
};

const char *mesh_policy_over_name(enum mesh_policy_over over); /* "outputPort" */
/* The names that an expression over this kind may use. */
void mesh_policy_scope(struct mesh_arena *arena, enum mesh_policy_over over, struct mesh_scope *ret);
/* Every part of the kind that the product has, the product itself first; a field of a contract for each product that names it. */
void mesh_policy_parts(const struct mesh_model_product *product, enum mesh_policy_over over, struct mesh_policy_part **ret,
                       size_t *ret_n);
/* The mesh, as a part that no policy is over. */
void mesh_policy_part_of_mesh(const struct mesh_model *mesh, struct mesh_policy_part *ret);
/* The value of "view.keep"; false when the part is no view. */
bool mesh_policy_value(const struct mesh_policy_part *part, const char *path, struct mesh_expr_value *ret, bool *ret_there);

#endif
