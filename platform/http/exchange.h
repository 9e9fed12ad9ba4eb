/* One request on its way through answer.c (which path is it) and rows.c (the ports). Private to http/. */
#ifndef MESH_HTTP_EXCHANGE_H
#define MESH_HTTP_EXCHANGE_H

#include "http/answer.h"
#include "http/audit.h"
#include "http/encode.h"
#include "http/query.h"

struct mesh_http_route {
    const struct mesh_product *product;
    uint32_t product_index;
    const struct mesh_port *port;
    struct mesh_http_shape shape;
    bool key_protected;
    struct mesh_http_uri path; /* its segments */
};

struct mesh_http_site {
    const struct mesh_service *service;
    struct mesh_http_backend backend;
    struct mesh_http_token_key *token_keys; /* per product */
    struct mesh_arena arena;
    struct mesh_http_route *routes;
    size_t n_routes;
    struct mesh_http_audit *audit;
};

struct mesh_http_exchange {
    const struct mesh_http_site *site;
    const struct mesh_http_request *request;
    struct mesh_http_response *response; /* of the half that runs */
    struct mesh_arena arena;
    struct mesh_http_uri uri;
    struct mesh_http_problem problem;
    char trace_id[33];
    struct mesh_http_caller caller;
    /* of a port */
    const struct mesh_http_route *route;
    struct mesh_http_query query;
    enum mesh_http_format format;
    bool is_list;
    struct mesh_str select_after;        /* where a sorted or filtered list goes on */
    struct mesh_http_selected selected;  /* of what was answered; when the query selects */
    struct mesh_http_question *question; /* NULL: none, or it was taken */
};

/* answer.c */
void mesh_http_header_add(struct mesh_http_response *response, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool mesh_http_is_get(const struct mesh_http_exchange *x); /* or HEAD */
/* A 405 that says what there is instead. */
void mesh_http_not_allowed(struct mesh_http_exchange *x, const char *allow);
/* False, with a 405, when the method is another than GET and HEAD. */
bool mesh_http_only_get(struct mesh_http_exchange *x);
/* The strong ETag of the body; 304 when the client has it. */
void mesh_http_tag(struct mesh_http_exchange *x);

/* trail.c: to be called before rows are shown. False, with a problem: they must not be. */
bool mesh_http_disclose(struct mesh_http_exchange *x, int64_t rows);
void mesh_http_denied(const struct mesh_http_exchange *x, const char *why);

/* documents.c: true: the path is one of its own, and was answered. There is at least one segment. */
bool mesh_http_documents_serve(struct mesh_http_exchange *x);

/* events.c: leaves a problem, or an answer that goes on. */
void mesh_http_events_begin(struct mesh_http_exchange *x);

/* rows.c: leaves a problem, or a question; then the answer to it. */
void mesh_http_rows_begin(struct mesh_http_exchange *x);
void mesh_http_rows_finish(struct mesh_http_exchange *x, const struct mesh_http_question *answered);

#endif
