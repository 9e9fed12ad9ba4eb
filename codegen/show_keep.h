/* What a changed declaration does to the state of a service that runs: whether it goes on with it, or has to be replayed, and why. */
#ifndef MESH_CODEGEN_SHOW_KEEP_H
#define MESH_CODEGEN_SHOW_KEEP_H

#include "codegen/model.h"

/* A paragraph for each product of `now` (or for `only`; NULL: all). Returns how many of them need a replay. Both models were checked. */
size_t mesh_show_keep(const struct mesh_model *before, struct mesh_model *now, const struct mesh_model_product *only,
                      struct mesh_buf *out);

#endif
