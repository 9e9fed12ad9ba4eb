/* How many requests a second one client may make: by its address, of IPv6 by the /64 network, as one client has a whole one.
 *
 * Up to a second's worth may come at once. Memory is bounded (MESH_HTTP_LIMIT_CLIENTS): when more clients come at the same time,
 * the one that was heard from least recently is forgotten, which lets it begin anew. Any thread.
 */
#ifndef MESH_HTTP_LIMIT_H
#define MESH_HTTP_LIMIT_H

#include <stdint.h>
#include <sys/socket.h>

#define MESH_HTTP_LIMIT_CLIENTS 4096

struct mesh_http_limit;

struct mesh_http_limit *mesh_http_limit_new(int64_t requests_per_s);         /* 1 to 1,000,000 */
struct mesh_http_limit *mesh_http_limit_free(struct mesh_http_limit *limit); /* takes NULL */
/* 0: it may; else after how many seconds it may again, at least 1. */
int mesh_http_limit_take(struct mesh_http_limit *limit, const struct sockaddr *client, int64_t now_us);

#endif
