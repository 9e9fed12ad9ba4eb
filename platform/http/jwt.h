/* JSON web tokens, signed by somebody whose public keys lie in a file (RFC 7515, 7517, 7519; RFC 8725 says what to watch for).
 *
 * A key decides how a token must be signed, never the token: RSA keys of at least 2,048 bits RS256, P-256 keys ES256, Ed25519 keys EdDSA.
 * There is no other algorithm, so `none` and signatures made with a public key as an HMAC secret are not refused by a list: nothing
 * checks them. A token must name its key (`kid`), be of the issuer and for the audience that are set, and not be over (`exp`, which must
 * be there) or not begun (`nbf`); clocks may differ by MESH_HTTP_JWT_LEEWAY_US. A header with `crit` is refused.
 */
#ifndef MESH_HTTP_JWT_H
#define MESH_HTTP_JWT_H

#include "base/arena.h"
#include "base/json.h"
#include "mesh/err.h"

#define MESH_HTTP_JWT_BYTES_MAX (8u << 10)
#define MESH_HTTP_JWT_KEYS_MAX  64
#define MESH_HTTP_JWT_LEEWAY_US INT64_C(30000000)

struct mesh_http_jwks; /* a set of public keys; immutable */

/* The list `keys` of the JSON object in the text of a file, in the arena. NULL: it is not one. */
const struct mesh_json *mesh_http_keys_of(const char *path, const struct mesh_buf *text, struct mesh_arena *arena);

/* FATAL "http.auth": the file, the key and what is wrong with it. A private or symmetric key is refused: it does not belong there. */
int mesh_http_jwks_load(const char *path, struct mesh_http_jwks **ret, struct mesh_err *err);
struct mesh_http_jwks *mesh_http_jwks_free(struct mesh_http_jwks *set); /* takes NULL */

struct mesh_http_jwt_rules {
    const char *issuer, *audience;
};

/* The claims of a good token, in the arena; or NULL, and why: a word like "token.expired". */
const struct mesh_json *mesh_http_jwt_check(const struct mesh_http_jwks *set, const struct mesh_http_jwt_rules *rules,
                                            struct mesh_str token, int64_t now_us, struct mesh_arena *arena, const char **ret_why);

#endif
