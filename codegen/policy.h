/* The platform team's rules over all products: `policies` in mesh.yaml, CEL over what products declare.
 *
 * A policy has a code of its own, ranges over one kind of part (`over`), and requires something of each part of that kind, where `where`
 * holds. What it sees is in the tables of policy_model.c, which are also its documentation: the part under the name of its kind, the
 * product it belongs to, and the mesh. Expressions are typed even when there is no product yet.
 *
 * A part that does not keep to a policy is reported under the policy's code at the part's place, with a note at the policy. A waiver
 * (codegen/waivers.h) makes it a warning until its day. Policies are judged when all else is in order, because half a product would
 * break rules that the whole one keeps.
 *
 * Codes: MG070 a policy that cannot be one; MG071 a policy that has no answer for a part; MG072 a waiver of nothing.
 */
#ifndef MESH_CODEGEN_POLICY_H
#define MESH_CODEGEN_POLICY_H

#include "codegen/model.h"

enum mesh_policy_over {
    MESH_POLICY_PRODUCT,
    MESH_POLICY_INPUT_PORT,
    MESH_POLICY_STREAM,
    MESH_POLICY_VIEW,
    MESH_POLICY_OUTPUT_PORT,
    MESH_POLICY_FIELD,
    MESH_POLICY_OVER_COUNT
};

struct mesh_policy {
    const char *code, *text, *why, *fix; /* why, fix: or NULL */
    enum mesh_policy_over over;
    enum mesh_severity severity;
    struct mesh_expr *where; /* or NULL */
    struct mesh_expr *require;
    struct mesh_srcref at; /* of the code */
};

/* From the bound tree of mesh.yaml into model->policies. */
void mesh_policy_load(struct mesh_model *model, const struct mesh_yaml *mesh);
/* Behind mesh_check(). `today_us`: the time by which waivers end. */
void mesh_policy_check(struct mesh_model *model, int64_t today_us);
/* What policies see, as tables for the documentation. */
void mesh_policy_markdown(struct mesh_buf *out);

#endif
