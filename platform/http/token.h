/* The `next` token of a list: the place of its last row, sealed.
 *
 * A place holds the bytes of a key, which may be personal, so the token is not only authenticated
 * but encrypted (AES-256-GCM). What it was made for (product, port, window, from, to) is bound in:
 * a token does not open under other parameters. It gives no authority and lives as long as the
 * process, or as the pseudonym key when there is one.
 */
#ifndef MESH_HTTP_TOKEN_H
#define MESH_HTTP_TOKEN_H

#include "base/buf.h"

#define MESH_HTTP_TOKEN_KEY_BYTES 32

struct mesh_http_token_key {
    uint8_t bytes[MESH_HTTP_TOKEN_KEY_BYTES];
};

/* From a secret, or at random when there is none. */
void mesh_http_token_key_init(struct mesh_http_token_key *key, struct mesh_str secret);
void mesh_http_token_seal(const struct mesh_http_token_key *key, struct mesh_str place, struct mesh_str purpose,
                          struct mesh_buf *out);
/* 0, or 1: not one of ours, or for another purpose. */
int mesh_http_token_open(const struct mesh_http_token_key *key, struct mesh_str token, struct mesh_str purpose,
                         struct mesh_buf *ret_place);

#endif
