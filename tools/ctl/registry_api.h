/* Confluent's REST API over a store: what a request means and what is answered. No sockets: tools/ctl/registry.c has them. */
#ifndef MESH_CTL_REGISTRY_API_H
#define MESH_CTL_REGISTRY_API_H

#include "ctl/registry_store.h"

#define MESH_REGISTRY_BODY_MAX  (2u << 20)
#define MESH_REGISTRY_PARTS_MAX 8 /* of a path */

struct mesh_api_request {
    const char *method;
    const char *parts[MESH_REGISTRY_PARTS_MAX]; /* of the path, unescaped: {"subjects", "a-value", "versions"} */
    size_t n_parts;
    struct mesh_str body;
    const char *(*query)(void *context, const char *name); /* NULL: not there */
    void *context;
};

/* The answer's JSON is appended; returns the status. */
int mesh_registry_api(struct mesh_registry_store *store, const struct mesh_api_request *request, struct mesh_buf *out);

#endif
