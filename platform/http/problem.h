/* What is wrong with a request, as RFC 9457 says it (application/problem+json).
 *
 * A function that can refuse fills one of these and returns its status; the server adds the trace id
 * and sends it. Texts are for people; `pointer` of an item names the place: "/query/limit",
 * "/path/1", "/body/key".
 */
#ifndef MESH_HTTP_PROBLEM_H
#define MESH_HTTP_PROBLEM_H

#include "base/buf.h"

#define MESH_HTTP_PROBLEM_ITEMS_MAX 8
#define MESH_HTTP_PROBLEM_TYPE      "application/problem+json"

struct mesh_http_problem {
    int status; /* 0: none */
    char detail[512];
    struct {
        char detail[256];
        char pointer[96];
    } items[MESH_HTTP_PROBLEM_ITEMS_MAX];
    unsigned n_items; /* further ones are dropped */
};

/* Set status and detail; returns the status. */
int mesh_http_problem_set(struct mesh_http_problem *problem, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Add an item; makes it a 400 when there is no status yet. */
void mesh_http_problem_add(struct mesh_http_problem *problem, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const char *mesh_http_reason(int status); /* "Not Found" */
void mesh_http_problem_write(const struct mesh_http_problem *problem, const char *instance, const char *trace_id,
                             struct mesh_buf *out);

#endif
