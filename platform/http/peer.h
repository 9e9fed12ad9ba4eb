/* What the client's certificate says, once for each connection.
 *
 * GnuTLS asks for a certificate when the server has authorities of clients, and takes any or none: what it is worth is decided here. It
 * counts when its chain leads to one of the authorities, today, and it may be used by clients (extended key usage). Its names are those
 * of the file of keys: "URI:...", "DNS:..." and "EMAIL:..." of the subject's alternative names, and "SUBJECT:..." with the subject as RFC
 * 4514 writes it. Names with zeros in them are none.
 */
#ifndef MESH_HTTP_PEER_H
#define MESH_HTTP_PEER_H

#include "base/arena.h"

struct MHD_Connection;

#define MESH_HTTP_PEER_NAMES_MAX 32 /* further ones are not there */

enum mesh_http_peer_state { MESH_HTTP_PEER_NONE, MESH_HTTP_PEER_GOOD, MESH_HTTP_PEER_BAD };

struct mesh_http_peer {
    enum mesh_http_peer_state state;
    struct mesh_arena arena;
    const char *names[MESH_HTTP_PEER_NAMES_MAX];
    uint32_t n_names;
};

/* Looks at the session of a connection; a plain one has no certificate. */
struct mesh_http_peer *mesh_http_peer_new(struct MHD_Connection *connection);
struct mesh_http_peer *mesh_http_peer_free(struct mesh_http_peer *peer); /* takes NULL */

#endif
