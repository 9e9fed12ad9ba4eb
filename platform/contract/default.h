/* Defaults of fields, as the specification writes them in JSON: bytes and fixed as a string of the code points 0..255, an enum as
 * its symbol, a union as the value of the first branch that it fits, decimals as the bytes of the number, times as numbers.
 */
#ifndef MESH_CONTRACT_DEFAULT_H
#define MESH_CONTRACT_DEFAULT_H

#include "contract/schema.h"
#include "mesh/err.h"

#define MESH_DEFAULT_DEPTH_MAX  64
#define MESH_DEFAULT_BYTES_MAX  (4u << 20)
#define MESH_DEFAULT_VALUES_MAX 100000 /* a default may pull in the defaults of its fields, and they theirs */

/* Whether `json` may be the default of a field of this type. */
bool mesh_default_fits(const struct mesh_schema *schema, const struct mesh_json *json);
/* The first branch that it fits, or -1. */
int mesh_default_branch(const struct mesh_schema *union_, const struct mesh_json *json);
/* As Avro binary, appended. REJECT "schema.default" when it does not fit or passes a limit. */
int mesh_default_encode(const struct mesh_schema *schema, const struct mesh_json *json, struct mesh_buf *out, struct mesh_err *err);

#endif
