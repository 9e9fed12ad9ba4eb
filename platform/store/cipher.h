/* State at rest that only the holder of a key can read: frames of a log, sealed before they go into a store and opened behind it. What the
 * store is makes no difference, for it does not know what a frame means (store/log.h); torn and damaged are told as before.
 *
 *     sealed frame = 'S', version (1), key id (16 hex digits), salt (16 bytes), sealed (base/seal.h) of whole frames
 *
 * All frames of an append become one, or a few when it is long. They are sealed under a key of their own, HMAC-SHA256 of key and salt,
 * and a new salt is taken at each start and before random nonces could meet; bound to what the state belongs to, so that one product's
 * frames cannot stand in for another's.
 *
 * Keys come from a file, one of 64 hex digits a line: new frames are sealed with the first, all of them open old ones. So a key is
 * changed by writing a new line above the old one, and a round (flow/round.c) writes everything again under it. A cipher belongs to one
 * thread at a time.
 */
#ifndef MESH_STORE_CIPHER_H
#define MESH_STORE_CIPHER_H

#include "base/seal.h"

#define MESH_STORE_KEYS_MAX          16
#define MESH_STORE_SEALED_BYTES_MAX  (16u << 20) /* of frames in one sealed frame, unless one of them is longer */
#define MESH_STORE_SEALED_A_SALT_MAX (1u << 28)

struct mesh_store_keys {
    struct mesh_seal_key keys[MESH_STORE_KEYS_MAX];
    size_t n; /* 0: state is readable */
};

/* Lines of 64 hex digits; empty ones are passed over. FATAL "seal.key"; the text does not show a key. */
int mesh_store_keys_parse(struct mesh_str text, struct mesh_store_keys *ret, struct mesh_err *err);

struct mesh_store_cipher;

/* Copies the keys. n == 0: a cipher that seals nothing, and says what is missing when it meets something sealed. `what` names the state:
 * "sales_fraud/sales_fraud". */
struct mesh_store_cipher *mesh_store_cipher_new(const struct mesh_store_keys *keys, const char *what);
struct mesh_store_cipher *mesh_store_cipher_free(struct mesh_store_cipher *cipher);

/* `frames` as mesh_store_frame_end() built them; the sealed ones, or themselves without a key. Good until the next call. */
struct mesh_str mesh_store_cipher_seal(struct mesh_store_cipher *cipher, struct mesh_str frames);
/* What a store read: `each` gets the payloads that were sealed in it, or the payload itself when it is not sealed. FATAL "state.key": it is
 * under a key that is not there; FATAL "state.corrupt": changed, or another product's. */
int mesh_store_cipher_open(struct mesh_store_cipher *cipher, struct mesh_str payload,
                           int (*each)(void *context, struct mesh_str frame, struct mesh_err *err), void *context,
                           struct mesh_err *err);
/* Something was opened that is not under the first key: write it again. */
bool mesh_store_cipher_is_behind(const struct mesh_store_cipher *cipher);

#endif
