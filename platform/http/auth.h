/* Who asks: API keys and tokens, each with roles and purposes.
 *
 * Keys lie in a file, hashed; whoever reads it can ask for nothing:
 *
 *     {"keys": [{"name": "fraud-desk", "sha256": "<64 hex digits>", "roles": ["fraud-desk"], "purposes": ["service"],
 *                "until": "2027-01-01T00:00:00Z"}]}
 *
 * A key is random (at least MESH_HTTP_KEY_BYTES_MIN characters, `openssl rand -hex 32`), so its plain SHA-256 cannot be guessed back.
 * Which of the keys it is, takes as long to find out as that it is none of them. A client sends it as `X-API-Key`, or as
 * `Authorization: Bearer`; what has two dots there is a token (http/jwt.h), whose roles stand in `roles` and `scope`, purposes in
 * `purposes`: a list, or words in one text.
 *
 * Instead of `sha256` an entry may have `certificate`: a name of the client's certificate (http/peer.h), with which it says who it is when it
 * sends no other credentials. One whose certificate is not accepted is nobody, whatever else it sends; and where certificates are required,
 * so is one without.
 *
 * A caller may ask a port when it has one of the port's roles (a port without roles is for everybody who is known), and all purposes
 * that the port releases personal fields for.
 *
 * Threads: check from any; reload from any, while others check. What was loaded stays when a reload fails.
 */
#ifndef MESH_HTTP_AUTH_H
#define MESH_HTTP_AUTH_H

#include "base/arena.h"
#include "http/peer.h"
#include "mesh/err.h"
#include "mesh/product.h"

#define MESH_HTTP_KEYS_MAX      1024
#define MESH_HTTP_KEY_BYTES_MIN 32
#define MESH_HTTP_WORDS_MAX     64 /* roles, or purposes, of one caller */

struct mesh_http_auth_conf {
    const char *keys_file;         /* "": no keys */
    const char *jwks_file;         /* "": no tokens */
    const char *issuer, *audience; /* of tokens; must be given with jwks_file */
    bool certificates;             /* required of everybody, beside health */
};

struct mesh_http_auth;

/* *ret is NULL when neither file is set: then nobody is asked who he is. FATAL "http.auth": what is wrong with which file. */
int mesh_http_auth_new(const struct mesh_http_auth_conf *conf, struct mesh_http_auth **ret, struct mesh_err *err);
struct mesh_http_auth *mesh_http_auth_free(struct mesh_http_auth *auth); /* takes NULL */
int mesh_http_auth_reload(struct mesh_http_auth *auth, struct mesh_err *err);

struct mesh_http_words {
    const char *v[MESH_HTTP_WORDS_MAX];
    uint32_t n; /* further ones are not there */
};

bool mesh_http_words_any(const struct mesh_http_words *words, const char *const *of, uint32_t n_of);

struct mesh_http_caller {
    bool known;
    const char *name; /* of the key, or the subject of the token; "" when not known */
    struct mesh_http_words roles, purposes;
};

/* The headers as they came; NULL: absent. What is returned lives in the arena. NULL: he is who he says, or says nothing (not known);
 * else why not, a word: "key.unknown", "token.expired", ... */
const char *mesh_http_auth_check(struct mesh_http_auth *auth, const char *authorization, const char *api_key, int64_t now_us,
                                 struct mesh_arena *arena, struct mesh_http_caller *ret);

/* The same for a connection's certificate, beside the two headers. `peer` NULL: no certificates are asked for. */
const char *mesh_http_auth_check_peer(struct mesh_http_auth *auth, const struct mesh_http_peer *peer, const char *authorization,
                                      const char *api_key, int64_t now_us, struct mesh_arena *arena, struct mesh_http_caller *ret);

/* NULL: he may; else the word "role" or "purpose". */
const char *mesh_http_auth_may(const struct mesh_http_caller *caller, const struct mesh_port *port);

#endif
