/* A small HTTP/1.1 GET against a service on this machine. */
#ifndef MESH_CTL_GET_H
#define MESH_CTL_GET_H

#include "base/buf.h"
#include "mesh/err.h"

#define MESH_GET_BYTES_MAX (8u << 20)

/* The status (200, 503, ...) and the body; negative when nobody answers within timeout_ms. */
int mesh_get(int port, const char *path, int timeout_ms, struct mesh_buf *ret_body, struct mesh_err *err);
/* Is something listening on this loopback port? */
bool mesh_port_taken(int port);

#endif
