/* The certificate that the service shows, and its key, from files; checked before anybody connects. */
#ifndef MESH_HTTP_TLS_H
#define MESH_HTTP_TLS_H

#include "mesh/err.h"

struct mesh_http_tls {
    char *cert, *key; /* PEM; owned. NULL: no TLS */
    char *client_ca;  /* PEM; owned: whose certificates clients may show. NULL: none are asked for */
};

/* Both files or none ("" and ""), and with them that of the clients' authorities. FATAL "http.tls": a file is missing, is not PEM, the
 * certificate is over, or the key is another's. */
int mesh_http_tls_load(const char *cert_file, const char *key_file, const char *client_ca_file, struct mesh_http_tls *ret,
                       struct mesh_err *err);
void mesh_http_tls_deinit(struct mesh_http_tls *tls);

/* One request to a service of our own on this socket, over TLS without asking who it is: how many of the answer's first bytes came. */
int mesh_http_tls_ask(int fd, const char *request, char *ret, int ret_n);

#endif
