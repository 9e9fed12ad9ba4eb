/* Shared by breaking*.c. */
#ifndef MESH_CODEGEN_BREAKING_INT_H
#define MESH_CODEGEN_BREAKING_INT_H

#include "codegen/breaking.h"
#include "codegen/waivers.h"

struct mesh_breaking {
    struct mesh_arena *arena;
    struct mesh_diags *diags;
    const struct mesh_model *before, *now;
    const struct mesh_model_product *old, *new; /* the product at hand, in both states; new NULL: it is gone */
    struct mesh_waivers waivers;
    MESH_VEC(const struct mesh_model_view *) seen; /* old views that were compared: several ports may serve one */
};

/* Has no error of its own, so that its expressions and shapes can be walked. */
bool mesh_breaking_sound(const struct mesh_model_product *product);

/* "shop/outputPorts.sales.topic" */
const char *mesh_breaking_part(struct mesh_breaking *b, const char *section, const char *name, const char *key);
bool mesh_breaking_raised(const struct mesh_breaking *b); /* the major version of the product at hand */
/* A finding about the product at hand: error, or warning when it is meant. `fix` is what to do instead of that. */
struct mesh_diag *mesh_breaking_add(struct mesh_breaking *b, const char *code, const char *part, struct mesh_srcref at,
                                    const char *fix, const char *text, ...) __attribute__((format(printf, 6, 7)));

/* Notes: which inputs of other products read `port` (of the older state). `field` NULL: all that they use; else that field alone.
 */
void mesh_breaking_readers(struct mesh_breaking *b, struct mesh_diag *diag, const struct mesh_model_port *port, const char *field);
/* Notes: which inputs read with this version. */
void mesh_breaking_contract_readers(struct mesh_breaking *b, struct mesh_diag *diag, const struct mesh_model_contract *contract);

/* Two states of one port, and of the view behind it. */
void mesh_breaking_port(struct mesh_breaking *b, const struct mesh_model_port *old, const struct mesh_model_port *new);
void mesh_breaking_view(struct mesh_breaking *b, const struct mesh_model_port *port, const struct mesh_model_view *old,
                        const struct mesh_model_view *new);

#endif
