/* Rows of a view as JSON or CSV: the one place where HTTP shows a field, so the one place that protects it.
 *
 *     {"country":"DE","window_start":"2026-11-21T00:00:00Z","total_eur":"12.50","n":3,"mean":null}
 *
 * Members in the order of the view. Decimals are strings with their scale, times RFC 3339, durations
 * "1h30m", bytes base64, enums their symbols, missing values null. What the port drops is left out;
 * what it pseudonymises is 32 hex digits (io/border.h).
 *
 * CSV (RFC 4180) has the same values without the quotes of JSON, a line with the names first, and CRLF. A missing value is empty,
 * an empty text is "".
 */
#ifndef MESH_HTTP_ENCODE_H
#define MESH_HTTP_ENCODE_H

#include "base/buf.h"
#include "mesh/product.h"

struct mesh_http_shape {
    const struct mesh_view *view; /* NULL: events of a stream */
    const struct mesh_field *out; /* what is shown: the view's, or the stream's record */
    uint32_t n_out;
    const enum mesh_protect *protect; /* of the port */
    struct mesh_str pseudonym_key;
};

struct mesh_http_shape mesh_http_shape_of(const struct mesh_view *view, const enum mesh_protect *protect,
                                          struct mesh_str pseudonym_key);

/* Of an SSE port's events; `view` NULL: they are told, not looked up. */
static inline struct mesh_http_shape mesh_http_events_shape(const struct mesh_port *port, const struct mesh_view *view,
                                                            struct mesh_str pseudonym_key)
{
    return (struct mesh_http_shape){view, port->out, port->n_out, port->protect, pseudonym_key};
}

#define MESH_HTTP_FIELDS_MAX 256

/* Which members, in this order: indices of the view's out. n == 0: all that the port shows. */
struct mesh_http_fields {
    uint16_t v[MESH_HTTP_FIELDS_MAX];
    uint32_t n;
};

/* Whether the port shows out[i]. */
bool mesh_http_shows(const struct mesh_http_shape *shape, uint32_t i);

/* `fields` may name what the port does not show: it is left out. */
void mesh_http_row(const struct mesh_http_shape *shape, const struct mesh_http_fields *fields, const void *row,
                   struct mesh_buf *out);
void mesh_http_csv_names(const struct mesh_http_shape *shape, const struct mesh_http_fields *fields, struct mesh_buf *out);
void mesh_http_csv_row(const struct mesh_http_shape *shape, const struct mesh_http_fields *fields, const void *row,
                       struct mesh_buf *out);

/* Base64 as in URLs, without padding; and the usual one. */
void mesh_http_base64url(const void *bytes, size_t n, struct mesh_buf *out);
void mesh_http_base64(const void *bytes, size_t n, struct mesh_buf *out);
/* 0 or 1 = not base64url. */
int mesh_http_base64url_read(struct mesh_str text, struct mesh_buf *out);

#endif
