/* Records as JSON and back, for tools and tests, by walking the schema. Services use generated codecs.
 *
 * The JSON is plain: a union is the value itself (null, or the first branch that the JSON fits), decimals are strings ("12.50"),
 * timestamps RFC 3339 strings (local ones without "Z"), dates "2026-11-21", bytes and fixed Base64, a fixed uuid as usual, enums
 * their symbol, NaN and the infinities "NaN", "Infinity", "-Infinity". The other logical types are their plain value. A JSON number
 * for a timestamp or date is the plain value too; that is how a time beyond the year 9999 is written. A decimal may be a JSON
 * number too; it is read digit by digit.
 *
 * Both directions are bounded: depth of records, arrays and maps, lengths against the bytes that are there, at most
 * MESH_DATUM_ITEMS_MAX values (fields, items and zero-size items included), and the size of the result. On failure `out` is as
 * before.
 */
#ifndef MESH_CONTRACT_DATUM_H
#define MESH_CONTRACT_DATUM_H

#include "contract/schema.h"
#include "mesh/err.h"

#define MESH_DATUM_DEPTH_MAX 64
#define MESH_DATUM_ITEMS_MAX 1000000
#define MESH_DATUM_BYTES_MAX (64u << 20)

/* Avro binary -> JSON appended to out. All n bytes must be used. REJECT with a code of mesh/avro.h ("avro.truncated", ...) */
int mesh_datum_to_json(const struct mesh_schema *schema, const void *bytes, size_t n, struct mesh_buf *out, struct mesh_err *err);
/* JSON -> Avro binary appended to out. Missing record fields take their default; unknown ones are refused. The error names the path
 * ("/items/2/price"). REJECT with "json.syntax", "json.type" (a value does not fit), "json.missing", "json.unknown" (field),
 * "json.limit". */
int mesh_datum_from_json(const struct mesh_schema *schema, struct mesh_str json, struct mesh_buf *out, struct mesh_err *err);

/* Bytes as the JSON above has them. scan: false when the text is no Base64; `out` may then hold a part. */
void mesh_datum_print_base64(struct mesh_buf *out, const uint8_t *p, size_t n);
bool mesh_datum_scan_base64(struct mesh_str text, struct mesh_buf *out);

#endif
