/* What the two directions of datum.h and the resolver share. Private to contract/. */
#ifndef MESH_CONTRACT_DATUM_INTERNAL_H
#define MESH_CONTRACT_DATUM_INTERNAL_H

#include "contract/datum.h"
#include "mesh/avro.h"
#include "mesh/err.h"

/* Where a walk is, as a chain on the stack; written out only when something is wrong. */
struct mesh_datum_step {
    const struct mesh_datum_step *up; /* NULL: the datum itself */
    const char *name;                 /* a field; or NULL */
    struct mesh_str key;              /* of a map, when p != NULL */
    size_t index;                     /* otherwise, of an array */
};

/* "/items/2/price"; "the datum" for the whole. In a static-size text, cut from the left. */
#define MESH_DATUM_PATH_MAX 200
const char *mesh_datum_path(const struct mesh_datum_step *step, char text[MESH_DATUM_PATH_MAX]);

/* A text of the datum for a message: cut, without controls. */
#define MESH_DATUM_SHOWN_MAX 64
const char *mesh_datum_shown(const char *text, char ret[MESH_DATUM_SHOWN_MAX]);

/* A fault of mesh/avro.h as an error: its code, and at `step`. */
int mesh_datum_fault(enum mesh_avro_fault fault, const struct mesh_datum_step *step, struct mesh_err *err);

/* The next block of an array or map: the number of items, 0 at the end. `*ret_end`, when not NULL,
 * is where the writer said that the block ends: check it with mesh_datum_block_done(). */
int64_t mesh_datum_block(struct mesh_in *in, const uint8_t **ret_end);
void mesh_datum_block_done(struct mesh_in *in, const uint8_t *end);

/* Logical types as text. Each returns false when the text cannot say the value (then the plain
 * value is written), or when the text is not one. */
bool mesh_datum_print_time(struct mesh_buf *out, enum mesh_avro_logical logical, int64_t v);
bool mesh_datum_scan_time(struct mesh_str text, enum mesh_avro_logical logical, int64_t *ret);
void mesh_datum_print_uuid(struct mesh_buf *out, const uint8_t bytes[16]);
bool mesh_datum_scan_uuid(struct mesh_str text, uint8_t ret[16]);
/* Big-endian two's complement: the shortest with its length, or `size` bytes when size > 0; false
 * when they do not suffice. */
bool mesh_datum_decimal_bytes(mesh_dec v, size_t size, struct mesh_buf *out);
bool mesh_datum_digits_ok(mesh_dec v, int precision);

#endif
