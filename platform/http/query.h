/* What a request for rows asks: its path's key, its parameters. Pure functions over text.
 *
 * The URI comes as it was sent; segments and parameters are percent-decoded here, once, so that a
 * key may hold a slash (%2F). Everything wrong is collected in the problem, not only the first.
 */
#ifndef MESH_HTTP_QUERY_H
#define MESH_HTTP_QUERY_H

#include "base/arena.h"
#include "flow/engine.h"
#include "http/encode.h"
#include "http/problem.h"
#include "http/select.h"

#define MESH_HTTP_URI_BYTES_MAX 8192
#define MESH_HTTP_LIMIT_DEFAULT 100
#define MESH_HTTP_LIMIT_MAX     1000
#define MESH_HTTP_SEGMENTS_MAX  32
#define MESH_HTTP_PARAMS_MAX    32

struct mesh_http_param {
    struct mesh_str name, value;
};

/* A URI, taken apart; texts live in the arena. */
struct mesh_http_uri {
    struct mesh_str path; /* raw, without the query */
    struct mesh_str segments[MESH_HTTP_SEGMENTS_MAX];
    uint32_t n_segments;
    struct mesh_http_param params[MESH_HTTP_PARAMS_MAX];
    uint32_t n_params;
};

/* 0, or the problem's status: too long, too many parts, a broken % escape, not UTF-8, a NUL. */
int mesh_http_uri_read(struct mesh_arena *arena, const char *text, struct mesh_http_uri *ret, struct mesh_http_problem *problem);

struct mesh_http_query {
    enum mesh_read_windows windows;
    int64_t from_us, to_us;
    uint32_t limit;
    struct mesh_str after; /* the token; empty: none */
    struct mesh_http_fields fields;
    struct mesh_http_select select; /* of a list */
    bool count_only;
    bool local;            /* of the partitions that this instance has, if it has not all */
    bool committed;        /* answer when what is shown is durable */
    uint64_t min_position; /* answer when it is reached */
};

/* Parameters of a list, or of a point, which has no limit, after and count. 0, or the problem's status. */
int mesh_http_query_read(const struct mesh_http_shape *shape, bool list, const struct mesh_http_uri *uri,
                         struct mesh_http_query *ret, struct mesh_http_problem *problem);

/* The parts that other requests need: a flag of 1 or 0, and a parameter that is none of `names`, of which the first n_listed are told. */
void mesh_http_read_flag(const char *pointer, struct mesh_str text, bool *ret, struct mesh_http_problem *problem);
void mesh_http_unknown_param(struct mesh_str name, const char *const *names, size_t n, size_t n_listed,
                             struct mesh_http_problem *problem);

enum mesh_http_format { MESH_HTTP_JSON, MESH_HTTP_CSV, MESH_HTTP_NDJSON };

/* What the client likes best of what there is; none, or anything, is JSON. 0, or 406. */
int mesh_http_format_read(const char *accept, enum mesh_http_format *ret, struct mesh_http_problem *problem);
const char *mesh_http_format_type(enum mesh_http_format format);

/* One value of a key, as text, appended to the key. `pointer` is for the problem. */
int mesh_http_key_add(const struct mesh_field *field, struct mesh_str text, const char *pointer, struct mesh_key *key,
                      struct mesh_http_problem *problem);
/* The key from path segments; their number must be the view's n_key. */
int mesh_http_key_read(const struct mesh_view *view, const struct mesh_str *segments, uint32_t n, struct mesh_key *ret,
                       struct mesh_http_problem *problem);
/* The key from the body of a lookup: {"key": "x"}, {"key": ["x", 7]} or {"key": {"name": "x"}}. */
int mesh_http_key_read_body(struct mesh_arena *arena, const struct mesh_view *view, struct mesh_str body, struct mesh_key *ret,
                            struct mesh_http_problem *problem);

#endif
