/* Bytes that only the holder of a key can read, and that nobody can change unseen: AES-256-GCM.
 *
 *     sealed = nonce (12 random bytes), ciphertext, tag (16)
 *
 * What it belongs to is `bound`: it is not in the result, but opening with another one fails, so that a sealed text cannot be moved
 * to another place. A key is 64 hex digits (openssl rand -hex 32); its id, the first 16 hex digits of its SHA-256, says which one
 * is needed and nothing about it. With random nonces a key is good for 2^32 texts.
 */
#ifndef MESH_BASE_SEAL_H
#define MESH_BASE_SEAL_H

#include "base/buf.h"
#include "mesh/err.h"

#define MESH_SEAL_KEY_BYTES 32
#define MESH_SEAL_ID_CHARS  16
#define MESH_SEAL_MORE      28 /* so many bytes longer than the text */

struct mesh_seal_key {
    uint8_t bytes[MESH_SEAL_KEY_BYTES];
    char id[MESH_SEAL_ID_CHARS + 1];
};

/* FATAL "seal.key" when it is not 64 hex digits; the text does not show it. */
int mesh_seal_key_parse(struct mesh_str hex, struct mesh_seal_key *ret, struct mesh_err *err);
/* Appends. */
void mesh_seal(const struct mesh_seal_key *key, struct mesh_str bound, struct mesh_str plain, struct mesh_buf *ret);
/* Appends. REJECT "seal.broken": another key, another place, or changed; nothing is appended then. */
int mesh_seal_open(const struct mesh_seal_key *key, struct mesh_str bound, struct mesh_str sealed, struct mesh_buf *ret,
                   struct mesh_err *err);

#endif
