/* What the files of bind share, and model.c uses. */
#ifndef MESH_CODEGEN_BIND_INTERNAL_H
#define MESH_CODEGEN_BIND_INTERNAL_H

#include "codegen/bind.h"

#define MESH_BIND_NAME_MAX 64

/* The last part of the key's path when it is a direct child of `path` ("" = the root); else NULL. */
const char *mesh_bind_child(const struct mesh_bind_key *key, const char *path);
/* The one of `names` that other tools call `word` ("filter" is "where"); or NULL. */
const char *mesh_bind_synonym(const char *word, const char *const *names, size_t n);
/* A letter, then letters, digits and _. */
bool mesh_bind_is_name(const char *text);
/* "sales_fraud/payment@1"; false when it is not of that form. */
bool mesh_bind_split_contract(struct mesh_arena *arena, const char *text, const char **ret_domain, const char **ret_subject,
                              int *ret_version);

#endif
