/* Files that an author begins from. They are created once and never overwritten: afterwards they belong to the author. */
#ifndef MESH_CODEGEN_SCAFFOLD_H
#define MESH_CODEGEN_SCAFFOLD_H

#include "base/vec.h"
#include "contract/schema.h"
#include "mesh/err.h"

#define MESH_SCAFFOLD_CONTRACT_BYTES_MAX (1u << 20)

struct mesh_scaffold_file {
    const char *path; /* below the root */
    const char *text;
};

struct mesh_scaffold {
    MESH_VEC(struct mesh_scaffold_file) files;
};

void mesh_scaffold_mesh(struct mesh_arena *arena, const char *name, struct mesh_scaffold *ret);
/* A domain with one product that checks clean: an input, a stream, a view, a port. `mesh` names the topic. */
void mesh_scaffold_domain(struct mesh_arena *arena, const char *mesh, const char *name, const char *type,
                          struct mesh_scaffold *ret);
/* scaffold_from.c: the same for the records of a contract: `text` is the file that `schema` was read from. Negative: the contract lacks
 * what a product needs, and err says what. */
int mesh_scaffold_from(struct mesh_arena *arena, const char *mesh, const char *name, const char *type,
                       const struct mesh_schema *schema, struct mesh_str text, struct mesh_scaffold *ret, struct mesh_err *err);
/* 0; 1 = a file is there already (*ret_path), and nothing was written; negative = err. */
int mesh_scaffold_write(struct mesh_arena *arena, const char *root, const struct mesh_scaffold *scaffold, const char **ret_path,
                        struct mesh_err *err);

#endif
