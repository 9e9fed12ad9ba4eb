/* Reading data of another version: bytes that schema W wrote become bytes as schema R would have written them.
 *
 * A plan is made once for a pair of schemas and then run for every datum, so that a generated decoder for R reads what any
 * compatible W wrote. All of Avro's resolution: numbers widen, string and bytes become each other, fields are found by name or
 * alias, skipped or filled with defaults, enums go by symbol (or the reader's default), unions by the type of the branch,
 * recursion.
 *
 * For a union of the reader that has several fitting branches, the one of the same type and full name wins, then one of the same
 * type and a matching name, then one that a number widens to; of several, the first that is compatible as a whole
 * (contract/compat.h).
 *
 * What does not fit everywhere need not fail everywhere: a symbol or branch that R lacks is refused only in the datum that has it.
 * A pair that no datum can pass is refused when the plan is made.
 *
 * A plan keeps nothing of the schemas, is never changed by running, and may be run by many threads at once.
 */
#ifndef MESH_CONTRACT_RESOLVE_H
#define MESH_CONTRACT_RESOLVE_H

#include "base/buf.h"
#include "contract/schema.h"
#include "mesh/err.h"

#define MESH_RESOLVE_STEPS_MAX  100000      /* of a plan */
#define MESH_RESOLVE_DEPTH_MAX  64          /* records, arrays and maps of a datum inside each other */
#define MESH_RESOLVE_VALUES_MAX 1000000     /* of a datum, zero-size ones included */
#define MESH_RESOLVE_BYTES_MAX  (64u << 20) /* of the result: defaults can be longer than what they stand for */

struct mesh_resolve;

/* REJECT "resolve.incompatible" with the reason, "schema.default" (a default has no end), "resolve.limit". */
int mesh_resolve_new(const struct mesh_schema *writer, const struct mesh_schema *reader, struct mesh_resolve **ret,
                     struct mesh_err *err);
void mesh_resolve_free(struct mesh_resolve *resolve);

/* One datum, all n bytes of it, appended to `out`; on failure `out` is as before. REJECT with a code of mesh/avro.h when the bytes
 * are not what W says, "resolve.mismatch" or "resolve.symbol" when R cannot hold this value, "resolve.limit". Any bytes are safe.
 */
int mesh_resolve_run(const struct mesh_resolve *resolve, const void *bytes, size_t n, struct mesh_buf *out, struct mesh_err *err);

#endif
