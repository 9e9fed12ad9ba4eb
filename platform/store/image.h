/* Rows as bytes, and back, by their field descriptors: for the commit log, partials and documents.
 *
 * An image is a bit per field (there and, when it cannot be null, not zero), then the values that have their bit: varints, 8 bytes a
 * double, the bytes of a string behind their length. The order of fields is the declaration's; the shape of a log is checked before
 * (state_hash), so an image carries no names. Strings of a row that was read are the row's own.
 */
#ifndef MESH_STORE_IMAGE_H
#define MESH_STORE_IMAGE_H

#include "base/buf.h"

void mesh_store_image_write(struct mesh_buf *out, const struct mesh_field *fields, uint32_t n, const void *row);
/* Into a row that holds nothing yet; fields without their bit are not touched. in->bad after a failure; what was read is then still
 * the row's to free. */
void mesh_store_image_read(struct mesh_cursor *in, const struct mesh_field *fields, uint32_t n, void *row);
/* Free the strings of a row; they are empty afterwards. */
void mesh_store_image_free(const struct mesh_field *fields, uint32_t n, void *row);
/* A copy that owns its strings. `to` holds nothing yet. */
void mesh_store_image_copy(const struct mesh_field *fields, uint32_t n, size_t row_size, const void *from, void *to);

#endif
