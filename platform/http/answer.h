/* From a request to its answer, without a socket: routes, handlers, headers.
 *
 *   GET  /livez /startupz /readyz    health, as JSON
 *   GET  /metrics                    Prometheus text
 *   GET  /openapi.json               of the first product; /products/{name}/openapi.json of each
 *   GET  /.well-known/data-product   likewise; /products/{name}/data-product
 *   GET  /contracts                  names of the Avro contracts; /contracts/{domain}/{subject}@{version} of each the schema
 *   GET  /                           what there is
 *   and for every HTTP port of every product:
 *   GET  {path}?limit=&after=&window=&from=&to=
 *                                    {"items":[...],"count":N,"next":"token"}; no next: the end.
 *                                    Windows: latest unless told otherwise
 *   GET  {path}?count=1              {"count":N}, and no rows
 *   GET  {path}?country=DE&n.gte=10&sort=-n    some of them, in another order (http/select.h)
 *   GET  {path}/{key...}             one segment per member of the key. Without windows: the row or
 *                                    404; with windows: a list of the key's windows, newest last
 *   POST {path}/lookup               {"key": ...}: a point by the raw key, for ports that protect a
 *                                    member of it: their path refuses (403), as paths end in logs
 *
 * and for every SSE port, whose events come as they are told (http/live.h):
 *   GET  {path}?last-event-id=&replay=   text/event-stream. Where to go on: the header Last-Event-ID, or the parameter, as a page
 *                                    cannot set the header; neither: from now on, or with replay=1 from the oldest there is
 *
 * Everywhere there: fields=a,b shows these, in this order; committed=1 answers when what it shows is durable; min-position=N
 * answers when the Mesh-Position of an earlier answer is reached (409 when it takes too long). Accept: text/csv and
 * application/x-ndjson give rows without an envelope; count and next are then in Mesh-Count and Mesh-Next. HEAD is GET without the
 * body.
 *
 * Where callers are known (http/auth.h), only health is answered to others, without details: 401, and 403 to whom has not the role
 * or purpose that a port asks for. Each is a line of the log (http/audit.h).
 *
 * A client that asks ports more often than it may is told so (429, Retry-After); health and metrics are always answered.
 *
 * Every answer of a port carries Mesh-Product: name@version; rows also Mesh-As-Of (the watermark they
 * hold for), Mesh-Position and Mesh-Durable (commits processed, and durable), a strong ETag of the body
 * and Cache-Control: no-cache. If-None-Match gives 304. Errors are problems (http/problem.h).
 *
 * Rows are a product's, and only its worker may read them. So an answer has two halves: mesh_http_begin() reads the request and
 * makes a question of it, mesh_http_finish() writes the rows; in between nobody has to wait. Whatever needs no rows is answered at
 * once.
 *
 *     x = mesh_http_begin(site, &request, &response);
 *     if (x != NULL) {                                    rows are needed
 *         question = mesh_http_take_question(x);          give it to the backend: mesh_http_ask()
 *         ...                                             question->answered() is called, or you lose patience
 *         mesh_http_finish(x, question, &response);       NULL: not answered in time
 *         mesh_http_question_free(question);
 *     }
 */
#ifndef MESH_HTTP_ANSWER_H
#define MESH_HTTP_ANSWER_H

#include "http/auth.h"
#include "http/live.h"
#include "http/peer.h"
#include "http/question.h"
#include "http/token.h"

#define MESH_HTTP_BODY_BYTES_MAX (64u << 10)
#define MESH_HTTP_LOOKUP         "lookup"

enum mesh_http_health { MESH_HTTP_LIVE, MESH_HTTP_STARTED, MESH_HTTP_READY };

/* That personal fields were shown as they are, or that somebody was denied. */
struct mesh_http_disclosure {
    const char *denied; /* why; NULL: it was shown */
    const char *who;    /* "": not known */
    struct mesh_str roles, purposes;
    const char *method;
    const char *product, *port; /* NULL: no port was reached */
    struct mesh_str fields;     /* with commas */
    int64_t rows;
};

/* Where the rows come from, and the health, is the backend's matter (app/): its functions are called on HTTP threads, several at
 * once. */
struct mesh_http_backend {
    void *context;
    /* Take the question; answer it now or later, on any thread (http/question.h). */
    void (*ask)(void *context, struct mesh_http_question *question);
    /* Append JSON; true: 200, false: 503. */
    bool (*health)(void *context, enum mesh_http_health which, struct mesh_buf *out);
    void (*metrics)(void *context, struct mesh_buf *out);
    struct mesh_http_live *live; /* NULL: SSE ports are not served */
    struct mesh_http_auth *auth; /* NULL: nobody is asked who he is */
    /* Told before the answer leaves; not 0: it must not leave. NULL: nobody keeps an audit. */
    int (*disclosed)(void *context, const struct mesh_http_disclosure *disclosure);
};

/* Its texts are borrowed until the answer is complete. */
struct mesh_http_request {
    const char *method;
    const char *uri;           /* raw */
    const char *if_none_match; /* NULL: absent; also below */
    const char *accept;
    const char *traceparent;
    const char *last_event_id;
    const char *authorization, *api_key;
    const char *client;                /* his address, for the log */
    const struct mesh_http_peer *peer; /* his certificate; NULL: nobody is asked for one */
    int wait_s;                        /* the client has asked too often, and may again after so many seconds; 0: go on */
    struct mesh_str body;
};

struct mesh_http_header {
    const char *name; /* static */
    char *value;      /* owned */
};

struct mesh_http_response {
    int status;
    const char *type;
    struct mesh_buf body;
    struct mesh_http_header headers[16];
    unsigned n_headers;
    const char *route;                  /* for metrics: a path of ours, never what was sent */
    struct mesh_http_live_reader *live; /* the body: what it reads; the caller's, to be left. NULL: `body` */
};
void mesh_http_response_deinit(struct mesh_http_response *response);

struct mesh_http_site;
struct mesh_http_exchange;

/* `pseudonym_keys`: per product. Everything is borrowed. FATAL "http.paths" when two ports have the same path, or
 * one takes a path of the platform. */
int mesh_http_site_new(const struct mesh_service *service, const struct mesh_str *pseudonym_keys,
                       const struct mesh_http_backend *backend, struct mesh_http_site **ret, struct mesh_err *err);
struct mesh_http_site *mesh_http_site_free(struct mesh_http_site *site);

/* Any thread. `ret` is zeroed by the caller. NULL: it is the answer. */
struct mesh_http_exchange *mesh_http_begin(const struct mesh_http_site *site, const struct mesh_http_request *request,
                                           struct mesh_http_response *ret);
/* What it asks; the caller's from now on. Once. */
struct mesh_http_question *mesh_http_take_question(struct mesh_http_exchange *exchange);
void mesh_http_ask(const struct mesh_http_site *site, struct mesh_http_question *question);
/* The second half; frees the exchange. */
void mesh_http_finish(struct mesh_http_exchange *exchange, const struct mesh_http_question *answered,
                      struct mesh_http_response *ret);
/* Instead, when nobody wants the answer any more. Takes NULL. */
void mesh_http_exchange_free(struct mesh_http_exchange *exchange);

#endif
