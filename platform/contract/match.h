/* The rules by which two types or fields find each other, shared by compat.c, resolve.c and the compiler, which emits
 * decoders by them. */
#ifndef MESH_CONTRACT_MATCH_H
#define MESH_CONTRACT_MATCH_H

#include "contract/schema.h"

/* Named types: the same name without namespace, or an alias of the reader is the writer's full name. */
bool mesh_match_names(const struct mesh_schema *reader, const struct mesh_schema *writer);
/* A value of the writer's kind can be read as the reader's, though they differ. */
bool mesh_match_promotes(const struct mesh_schema *reader, const struct mesh_schema *writer);
/* The values mean the same: no logical type, or the same with the same digits. */
bool mesh_match_logical(const struct mesh_schema *reader, const struct mesh_schema *writer);
/* The writer's field for a reader's, or NULL. `*ret_second`, when set to non-NULL, is another one that the field also names. No two
 * fields of a record name the same one: the parser refuses that. */
const struct mesh_schema_field *mesh_match_field(const struct mesh_schema_field *field, const struct mesh_schema *writer,
                                                 const struct mesh_schema_field **ret_second);
int mesh_match_symbol(const struct mesh_schema *enum_, const char *symbol); /* its index, or -1 */

#endif
