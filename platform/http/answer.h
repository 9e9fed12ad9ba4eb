/* From a request to its answer, without a socket: routes, handlers, headers.
 *
 *   GET  /livez /startupz /readyz    health, as JSON
 *   GET  /metrics                    Prometheus text
 *   GET  /openapi.json               of the first product; /products/{name}/openapi.json of each
 *   GET  /.well-known/data-product   likewise; /products/{name}/data-product
 *   GET  /                           what there is
 *   and for every HTTP port of every product:
 *   GET  {path}?limit=&after=&window=&from=&to=
 *                                    {"items":[...],"count":N,"next":"token"}; no next: the end.
 *                                    Windows: latest unless told otherwise
 *   GET  {path}/{key...}             one segment per member of the key. Without windows: the row or
 *                                    404; with windows: a list of the key's windows, newest last
 *   POST {path}/lookup               {"key": ...}: a point by the raw key, for ports that protect a
 *                                    member of it: their path refuses (403), as paths end in logs
 *
 * Every answer of a port carries Mesh-Product: name@version; rows also Mesh-As-Of (the watermark they
 * hold for), Mesh-Position and Mesh-Durable (commits processed, and durable), a strong ETag of the body
 * and Cache-Control: no-cache. If-None-Match gives 304. Errors are problems (http/problem.h).
 *
 * Where the rows come from, and the health, is the backend's matter (app/): its functions are called
 * on HTTP threads, several at once.
 */
#ifndef MESH_HTTP_ANSWER_H
#define MESH_HTTP_ANSWER_H

#include "base/vec.h"
#include "flow/engine.h"
#include "http/token.h"

#define MESH_HTTP_BODY_BYTES_MAX (64u << 10)
#define MESH_HTTP_LOOKUP         "lookup"

enum mesh_http_health { MESH_HTTP_LIVE, MESH_HTTP_STARTED, MESH_HTTP_READY };
enum mesh_http_read_result { MESH_HTTP_BUSY = 1, MESH_HTTP_NOT_LOADED = 2 };

struct mesh_http_backend {
    void *context;
    /* Copies `read`. 0, MESH_HTTP_BUSY (waited long enough), MESH_HTTP_NOT_LOADED, or negative. */
    int (*read)(void *context, uint32_t product, const struct mesh_read *read, struct mesh_rows *ret, struct mesh_err *err);
    /* Append JSON; true: 200, false: 503. */
    bool (*health)(void *context, enum mesh_http_health which, struct mesh_buf *out);
    void (*metrics)(void *context, struct mesh_buf *out);
};

struct mesh_http_request {
    const char *method;
    const char *uri;           /* raw */
    const char *if_none_match; /* NULL: absent; also below */
    const char *traceparent;
    struct mesh_str body;
};

struct mesh_http_header {
    const char *name; /* static */
    char value[256];
};

struct mesh_http_response {
    int status;
    const char *type;
    struct mesh_buf body;
    struct mesh_http_header headers[12];
    unsigned n_headers;
    const char *route; /* for metrics: a path of ours, never what was sent */
};
void mesh_http_response_deinit(struct mesh_http_response *response);

struct mesh_http_site;

/* `pseudonym_keys`: per product. Everything is borrowed. FATAL "http.paths" when two ports have the same path, or
 * one takes a path of the platform. */
int mesh_http_site_new(const struct mesh_service *service, const struct mesh_str *pseudonym_keys,
                       const struct mesh_http_backend *backend, struct mesh_http_site **ret, struct mesh_err *err);
struct mesh_http_site *mesh_http_site_free(struct mesh_http_site *site);
/* Any thread. `ret` is zeroed by the caller. */
void mesh_http_answer(const struct mesh_http_site *site, const struct mesh_http_request *request, struct mesh_http_response *ret);

#endif
