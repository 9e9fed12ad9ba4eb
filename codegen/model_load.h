/* Between model.c (files), model_product.c, model_steps.c and contracts.c. */
#ifndef MESH_CODEGEN_MODEL_LOAD_H
#define MESH_CODEGEN_MODEL_LOAD_H

#include "codegen/model.h"
#include "codegen/yaml.h"

/* Fill a product from its bound tree. */
void mesh_load_product(struct mesh_model_product *product, const struct mesh_yaml *root);
/* The steps of a stream (model_steps.c). */
void mesh_load_stream(struct mesh_model *model, struct mesh_model_stream *stream, const struct mesh_yaml *map);

/* Text of a key; absent (NULL) when it is not given or was reported. */
struct mesh_model_text mesh_load_text(const struct mesh_yaml *map, const char *key);
/* An expression; NULL when it is not given, was reported, or is no expression (reported). */
struct mesh_expr *mesh_load_expr(struct mesh_model *model, const struct mesh_yaml *node);
/* One or several sources. */
void mesh_load_from(struct mesh_model *model, const struct mesh_yaml *node, struct mesh_model_from **ret, size_t *ret_n);

/* `name: expression` of a map, in order. */
void mesh_load_assigns(struct mesh_model *model, const struct mesh_yaml *map, struct mesh_model_assign **ret, size_t *ret_n);

/* The contract of "domain/subject@N"; loaded once. NULL after a diagnostic at `at`. A contract that exists but is not a valid
 * record was reported in its own file; it is returned with schema NULL. */
struct mesh_model_contract *mesh_model_contract(struct mesh_model *model, struct mesh_model_text name);

/* Every version that lies in contracts/, whether a port names it or not, and the subjects they are versions of. */
void mesh_load_versions(struct mesh_model *model);

/* The type named by text ("decimal(12,2)?"); false when there is none. */
bool mesh_load_type(const char *text, struct mesh_gen_type *ret);

#endif
