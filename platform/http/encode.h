/* Rows of a view as JSON: the one place where HTTP shows a field, so the one place that protects it.
 *
 *     {"country":"DE","window_start":"2026-11-21T00:00:00Z","total_eur":"12.50","n":3,"mean":null}
 *
 * Members in the order of the view. Decimals are strings with their scale, times RFC 3339, durations
 * "1h30m", bytes base64, enums their symbols, missing values null. What the port drops is left out;
 * what it pseudonymises is 32 hex digits (io/border.h).
 */
#ifndef MESH_HTTP_ENCODE_H
#define MESH_HTTP_ENCODE_H

#include "base/buf.h"
#include "mesh/product.h"

struct mesh_http_shape {
    const struct mesh_view *view;
    const enum mesh_protect *protect; /* of the port */
    struct mesh_str pseudonym_key;
};

void mesh_http_row(const struct mesh_http_shape *shape, const void *row, struct mesh_buf *out);

/* Base64 as in URLs, without padding; and the usual one. */
void mesh_http_base64url(const void *bytes, size_t n, struct mesh_buf *out);
void mesh_http_base64(const void *bytes, size_t n, struct mesh_buf *out);
/* 0 or 1 = not base64url. */
int mesh_http_base64url_read(struct mesh_str text, struct mesh_buf *out);

#endif
