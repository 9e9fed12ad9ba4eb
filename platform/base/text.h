/* Numbers and times as text. All functions are locale-free. */
#ifndef MESH_BASE_TEXT_H
#define MESH_BASE_TEXT_H

#include "base/buf.h"

#define MESH_SECOND_US INT64_C(1000000)
#define MESH_DAY_US    (INT64_C(86400) * MESH_SECOND_US)

/* RFC 3339 in UTC: "2026-11-21T02:59:29Z", with .mmm or .uuuuuu only when not zero. Years 0001..9999; outside, the number. */
void mesh_text_time(struct mesh_buf *out, int64_t time_us);
void mesh_text_date(struct mesh_buf *out, int64_t time_us); /* "2026-11-21" */
/* RFC 3339 with offset, "2026-11-21", or integer milliseconds since 1970. 0 or 1 = not a time. */
int mesh_text_parse_time(struct mesh_str text, int64_t *ret_us);

/* "1500ms", "10s", "5m", "24h", "7d", "90m", "1h30m"; "0s". Positive, at most 100 years. 0 or 1 = not a duration. */
int mesh_text_parse_duration(struct mesh_str text, int64_t *ret_us);
void mesh_text_duration(struct mesh_buf *out, int64_t us); /* "24h", "1m30s", "200ms" */

/* Decimals: "-12.50" with scale 2 is -1250. Parsing refuses more fraction digits than the scale and more than 38 digits. */
int mesh_text_parse_dec(struct mesh_str text, int scale, mesh_dec *ret);
void mesh_text_dec(struct mesh_buf *out, mesh_dec v, int scale);

/* Whole-string parses. 0 or 1 = not one. */
int mesh_text_parse_long(struct mesh_str text, int64_t *ret);
int mesh_text_parse_double(struct mesh_str text, double *ret);

/* Shortest text that reads back as the same double ("0.1", "1e+300"); integers without a point are given ".0" never. */
void mesh_text_double(struct mesh_buf *out, double v);

/* Offset of the first byte that is not valid UTF-8 (RFC 3629), or n. */
size_t mesh_utf8_valid(const char *p, size_t n);

#endif
