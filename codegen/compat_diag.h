/* An incompatibility as a diagnostic, the same wherever two versions of a schema are compared: `schema compat`, `check`,
 * `breaking`.
 *
 * It stands where the newer schema says it, with a note where the older one does.
 */
#ifndef MESH_CODEGEN_COMPAT_DIAG_H
#define MESH_CODEGEN_COMPAT_DIAG_H

#include "contract/compat.h"

/* How good a fix is: the first of a list is recommended, the last of three or more a workaround. */
const char *mesh_compat_fix_rank(const struct mesh_incompat *found, size_t i); /* "recommended", "acceptable", "workaround" */

/* "payment.v3.avsc" and "contracts/shop/payment.v3.avsc": 3; 0: not the name of a version. */
int mesh_compat_file_version(const char *path);

struct mesh_compat_names {
    const char *next, *previous; /* how the two versions are called: "shop/payment@2", or paths */
    const char *rule;            /* what asks for it: "BACKWARD_TRANSITIVE, as mesh.yaml says" */
};

/* `code` NULL: the public name of the kind. Returns the diagnostic, so that notes can be added. */
struct mesh_diag *mesh_compat_diag(struct mesh_diags *diags, enum mesh_severity severity, const char *code,
                                   const struct mesh_compat_verdict *verdict, const struct mesh_incompat *found,
                                   const struct mesh_compat_names *names);

#endif
