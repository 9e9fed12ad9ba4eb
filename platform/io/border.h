/* What a border does with a field: shown as it is, as a pseudonym, or not at all.
 *
 * Every encoder of rows for the outside (http/encode.h, io/mongo.h) asks here, so that a rule cannot
 * be kept at one border and forgotten at another. The pseudonym is the one that generated code gets
 * from mesh_pseudonym(): hex of the first 16 bytes of HMAC-SHA256(key, subject 00 text), where text
 * is the value as keys on Kafka are written.
 */
#ifndef MESH_IO_BORDER_H
#define MESH_IO_BORDER_H

#include "base/buf.h"
#include "mesh/product.h"

#define MESH_BORDER_PSEUDONYM_CHARS 32

/* What holds for out[i] at a port whose own rules are `protect` (NULL: as the field says). */
enum mesh_protect mesh_border_rule(const struct mesh_field *out, const enum mesh_protect *protect, uint32_t i);
/* Whether a member of the key leaves as something else than itself. */
bool mesh_border_key_protected(const struct mesh_view *view, const enum mesh_protect *protect);
/* Whether the product makes pseudonyms, for a port or for counting people, so that the key must be there. */
bool mesh_border_needs_key(const struct mesh_product *product);

/* NUL-terminated hex. `subject` NULL is the empty one. */
void mesh_border_pseudonym(struct mesh_str key, const char *subject, struct mesh_str text,
                           char ret[MESH_BORDER_PSEUDONYM_CHARS + 1]);
/* Append the text of a member: strings as they are, numbers in decimal, enums by symbol, times
 * RFC 3339, bytes in hex. Nothing for a null. */
void mesh_border_text(const struct mesh_field *field, const void *row, struct mesh_buf *out);

/* ---- members of a described struct ---- */
static inline bool mesh_member_present(const struct mesh_field *field, const void *row)
{
    return !field->nullable || *((const bool *)row + field->present);
}
bool mesh_member_bool(const struct mesh_field *field, const void *row);
int64_t mesh_member_long(const struct mesh_field *field, const void *row); /* also times */
double mesh_member_double(const struct mesh_field *field, const void *row);
mesh_dec mesh_member_dec(const struct mesh_field *field, const void *row);
struct mesh_str mesh_member_str(const struct mesh_field *field, const void *row);
/* The symbol; "?" for an index outside of them, which generated code cannot make. */
const char *mesh_member_symbol(const struct mesh_field *field, const void *row);

#endif
