/* The order of the checks is that of trust: form, key, signature, and only then what is said. */
#include "http/jwt.h"

#include "base/check.h"
#include "base/fs.h"
#include "base/text.h"
#include "base/vec.h"
#include "http/encode.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <stdlib.h>

#define FILE_BYTES_MAX (256u << 10)
#define RSA_BITS_MIN   2048
#define P256_BYTES     32
#define ED25519_BYTES  32

enum algorithm { RS256, ES256, EDDSA };

static const char *const algorithm_names[] = {[RS256] = "RS256", [ES256] = "ES256", [EDDSA] = "EdDSA"};

struct public_key {
    char *kid;
    enum algorithm algorithm;
    EVP_PKEY *pkey;
};

struct mesh_http_jwks {
    MESH_VEC(struct public_key) keys;
};

static void free_pkey_ctx(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
}

static void free_md_ctx(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

struct mesh_http_jwks *mesh_http_jwks_free(struct mesh_http_jwks *set)
{
    if (set == NULL)
        return NULL;
    for (size_t i = 0; i < set->keys.n; i++) {
        free(set->keys.v[i].kid);
        EVP_PKEY_free(set->keys.v[i].pkey);
    }
    mesh_vec_deinit(&set->keys);
    free(set);
    return NULL;
}

/* ---- the set ---- */
static struct mesh_str text_of(const struct mesh_json *object, const char *key)
{
    const struct mesh_json *value = mesh_json_get(object, key);
    if (value == NULL || value->kind != MESH_JSON_STRING || strlen(value->text) != value->n)
        return (struct mesh_str){0};
    return (struct mesh_str){value->text, value->n};
}

static bool bytes_of(const struct mesh_json *object, const char *key, struct mesh_buf *ret)
{
    struct mesh_str text = text_of(object, key);
    return text.n > 0 && mesh_http_base64url_read(text, ret) == 0 && ret->n > 0;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    mesh_cleanup(free_pkey_ctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    OSSL_PARAM_free(params);
    return pkey;
}

static const char *read_rsa(const struct mesh_json *json, EVP_PKEY **ret)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf n = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf e = MESH_BUF_NULL;
    if (!bytes_of(json, "n", &n) || !bytes_of(json, "e", &e) || n.n > 2048 || e.n > 8)
        return "'n' and 'e' must be base64url numbers";
    BIGNUM *modulus = BN_bin2bn((const uint8_t *)n.p, (int)n.n, NULL);
    BIGNUM *exponent = BN_bin2bn((const uint8_t *)e.p, (int)e.n, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    mesh_assert(modulus != NULL && exponent != NULL && build != NULL);
    if (OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        *ret = from_params("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    BN_free(exponent);
    if (*ret == NULL)
        return "it is no RSA key";
    return EVP_PKEY_get_bits(*ret) < RSA_BITS_MIN ? "an RSA key has at least 2048 bits" : NULL;
}

static const char *read_p256(const struct mesh_json *json, EVP_PKEY **ret)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf point = MESH_BUF_NULL;
    mesh_buf_u8(&point, 4); /* uncompressed */
    if (!mesh_str_eq(text_of(json, "crv"), MESH_STR("P-256")))
        return "of the curves only P-256 is read";
    if (!bytes_of(json, "x", &point) || point.n != 1 + P256_BYTES || !bytes_of(json, "y", &point) || point.n != 1 + 2 * P256_BYTES)
        return "'x' and 'y' must be base64url of 32 bytes each";
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    mesh_assert(build != NULL);
    if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.n) == 1)
        *ret = from_params("EC", build);
    OSSL_PARAM_BLD_free(build);
    return *ret == NULL ? "it is no point of the curve" : NULL;
}

static const char *read_ed25519(const struct mesh_json *json, EVP_PKEY **ret)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf x = MESH_BUF_NULL;
    if (!mesh_str_eq(text_of(json, "crv"), MESH_STR("Ed25519")))
        return "of the curves only Ed25519 is read";
    if (!bytes_of(json, "x", &x) || x.n != ED25519_BYTES)
        return "'x' must be base64url of 32 bytes";
    *ret = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const uint8_t *)x.p, x.n);
    return *ret == NULL ? "it is no Ed25519 key" : NULL;
}

/* NULL, or what is wrong with it. */
static const char *read_key(struct mesh_http_jwks *set, const struct mesh_json *json)
{
    struct mesh_str kty = text_of(json, "kty"), kid = text_of(json, "kid"), alg = text_of(json, "alg"), use = text_of(json, "use");
    struct public_key key = {0};
    const char *wrong = NULL;
    if (kid.n == 0)
        return "it has no 'kid'";
    for (size_t i = 0; i < set->keys.n; i++)
        if (mesh_str_eq(mesh_str_of(set->keys.v[i].kid), kid))
            return "another one has the same 'kid'";
    if (mesh_json_get(json, "d") != NULL || mesh_json_get(json, "k") != NULL || mesh_str_eq(kty, MESH_STR("oct")))
        return "it holds a secret: this file is for public keys";
    if (use.n > 0 && !mesh_str_eq(use, MESH_STR("sig")))
        return "its 'use' is not 'sig'";
    if (mesh_str_eq(kty, MESH_STR("RSA"))) {
        key.algorithm = RS256;
        wrong = read_rsa(json, &key.pkey);
    } else if (mesh_str_eq(kty, MESH_STR("EC"))) {
        key.algorithm = ES256;
        wrong = read_p256(json, &key.pkey);
    } else if (mesh_str_eq(kty, MESH_STR("OKP"))) {
        key.algorithm = EDDSA;
        wrong = read_ed25519(json, &key.pkey);
    } else {
        wrong = "its 'kty' is not RSA, EC or OKP";
    }
    if (wrong == NULL && alg.n > 0 && !mesh_str_eq(alg, mesh_str_of(algorithm_names[key.algorithm])))
        wrong = "its 'alg' is another one than such a key is used with here (RS256, ES256, EdDSA)";
    if (wrong != NULL) {
        EVP_PKEY_free(key.pkey);
        return wrong;
    }
    key.kid = mesh_xstrdup(kid.p);
    *mesh_vec_push(&set->keys) = key;
    return NULL;
}

const struct mesh_json *mesh_http_keys_of(const char *path, const struct mesh_buf *text, struct mesh_arena *arena)
{
    struct mesh_diags diags = {.arena = arena};
    if (text->n == 0 || memchr(text->p, '\0', text->n) != NULL)
        return NULL;
    const struct mesh_json *json = mesh_json_parse(arena, mesh_source_new(arena, path, text->p, text->n), &diags, "http.auth");
    const struct mesh_json *keys = mesh_json_get(json, "keys");
    return keys == NULL || keys->kind != MESH_JSON_ARRAY ? NULL : keys;
}

int mesh_http_jwks_load(const char *path, struct mesh_http_jwks **ret, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    if (mesh_fs_read(path, FILE_BYTES_MAX, &text, err) < 0)
        return -1;
    const struct mesh_json *keys = mesh_http_keys_of(path, &text, &arena);
    if (keys == NULL || keys->n == 0 || keys->n > MESH_HTTP_JWT_KEYS_MAX)
        return mesh_err_set(err, MESH_ERR_FATAL, "http.auth", "%s: is not a set of 1 to %d keys: {\"keys\": [{\"kty\": ...}]}",
                            path, MESH_HTTP_JWT_KEYS_MAX);
    struct mesh_http_jwks *set = mesh_xcalloc(1, sizeof *set);
    for (uint32_t i = 0; i < keys->n; i++) {
        const char *wrong = read_key(set, keys->items[i]);
        if (wrong == NULL)
            continue;
        mesh_http_jwks_free(set);
        return mesh_err_set(err, MESH_ERR_FATAL, "http.auth", "%s: key %u: %s", path, (unsigned)i + 1, wrong);
    }
    *ret = set;
    return 0;
}

/* ---- a token ---- */
struct parts {
    struct mesh_str header, claims, signature, signed_part;
};

static bool take_apart(struct mesh_str token, struct parts *ret)
{
    const char *first = memchr(token.p, '.', token.n);
    const char *second = first == NULL ? NULL : memchr(first + 1, '.', (size_t)(token.p + token.n - first - 1));
    if (second == NULL)
        return false;
    ret->header = (struct mesh_str){token.p, (uint32_t)(first - token.p)};
    ret->claims = (struct mesh_str){first + 1, (uint32_t)(second - first - 1)};
    ret->signature = (struct mesh_str){second + 1, (uint32_t)(token.p + token.n - second - 1)};
    ret->signed_part = (struct mesh_str){token.p, (uint32_t)(second - token.p)};
    return memchr(ret->signature.p, '.', ret->signature.n) == NULL;
}

static const struct mesh_json *read_object(struct mesh_str part, struct mesh_arena *arena)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (part.n == 0 || mesh_http_base64url_read(part, &text) != 0 || text.n == 0 || memchr(text.p, '\0', text.n) != NULL)
        return NULL;
    const char *kept = mesh_arena_str(arena, (struct mesh_str){text.p, (uint32_t)text.n});
    struct mesh_diags diags = {.arena = arena};
    const struct mesh_json *json = mesh_json_parse(arena, mesh_source_new(arena, "token", kept, text.n), &diags, "token");
    return json == NULL || json->kind != MESH_JSON_OBJECT ? NULL : json;
}

/* r and s, as a token has them, in the form that OpenSSL reads; false: not 64 bytes. */
static bool to_der(const struct mesh_buf *raw, struct mesh_buf *ret)
{
    if (raw->n != 2 * P256_BYTES)
        return false;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn((const uint8_t *)raw->p, P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn((const uint8_t *)raw->p + P256_BYTES, P256_BYTES, NULL);
    mesh_assert(signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1);
    uint8_t *der = NULL;
    int n = i2d_ECDSA_SIG(signature, &der);
    ECDSA_SIG_free(signature);
    if (n > 0)
        mesh_buf_add(ret, der, (size_t)n);
    OPENSSL_free(der);
    return n > 0;
}

static bool signature_fits(const struct public_key *key, const struct parts *parts)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf raw = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf der = MESH_BUF_NULL;
    mesh_cleanup(free_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (parts->signature.n == 0 || mesh_http_base64url_read(parts->signature, &raw) != 0 || raw.n == 0 ||
        (key->algorithm == ES256 && !to_der(&raw, &der)))
        return false;
    const struct mesh_buf *signature = key->algorithm == ES256 ? &der : &raw;
    const EVP_MD *digest = key->algorithm == EDDSA ? NULL : EVP_sha256();
    return ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, digest, NULL, key->pkey) == 1 &&
           EVP_DigestVerify(ctx, (const uint8_t *)signature->p, signature->n, (const uint8_t *)parts->signed_part.p,
                            parts->signed_part.n) == 1;
}

/* NumericDate: seconds, perhaps with a fraction. False: it is there, and no time. */
static bool time_of(const struct mesh_json *claims, const char *name, bool *ret_there, int64_t *ret_us)
{
    const struct mesh_json *value = mesh_json_get(claims, name);
    double seconds = 0;
    *ret_there = value != NULL;
    if (value == NULL)
        return true;
    if (value->kind != MESH_JSON_NUMBER || mesh_text_parse_double((struct mesh_str){value->text, value->n}, &seconds) != 0 ||
        !(seconds >= 0 && seconds < 1e11))
        return false;
    *ret_us = (int64_t)(seconds * 1e6);
    return true;
}

static bool is_for(const struct mesh_json *claims, const char *audience)
{
    const struct mesh_json *aud = mesh_json_get(claims, "aud");
    struct mesh_str want = mesh_str_of(audience);
    if (aud == NULL || aud->kind != MESH_JSON_ARRAY)
        return mesh_str_eq(text_of(claims, "aud"), want);
    for (uint32_t i = 0; i < aud->n; i++)
        if (aud->items[i]->kind == MESH_JSON_STRING && mesh_str_eq((struct mesh_str){aud->items[i]->text, aud->items[i]->n}, want))
            return true;
    return false;
}

static const char *check_claims(const struct mesh_json *claims, const struct mesh_http_jwt_rules *rules, int64_t now_us)
{
    bool has_exp = false, has_nbf = false;
    int64_t exp_us = 0, nbf_us = 0;
    if (!time_of(claims, "exp", &has_exp, &exp_us) || !time_of(claims, "nbf", &has_nbf, &nbf_us) || !has_exp)
        return "token.times";
    if (now_us >= exp_us + MESH_HTTP_JWT_LEEWAY_US)
        return "token.expired";
    if (has_nbf && now_us < nbf_us - MESH_HTTP_JWT_LEEWAY_US)
        return "token.not_yet";
    if (!mesh_str_eq(text_of(claims, "iss"), mesh_str_of(rules->issuer)))
        return "token.issuer";
    return is_for(claims, rules->audience) ? NULL : "token.audience";
}

static const struct public_key *key_of(const struct mesh_http_jwks *set, const struct mesh_json *header)
{
    struct mesh_str kid = text_of(header, "kid");
    for (size_t i = 0; kid.n > 0 && i < set->keys.n; i++)
        if (mesh_str_eq(mesh_str_of(set->keys.v[i].kid), kid))
            return &set->keys.v[i];
    return NULL;
}

static const char *check_header(const struct mesh_json *header, const struct public_key *key)
{
    struct mesh_str typ = text_of(header, "typ");
    if (mesh_json_get(header, "crit") != NULL)
        return "token.crit";
    if (mesh_json_get(header, "typ") != NULL && !mesh_str_eq(typ, MESH_STR("JWT")) && !mesh_str_eq(typ, MESH_STR("at+jwt")))
        return "token.type";
    if (key == NULL)
        return "token.key";
    return mesh_str_eq(text_of(header, "alg"), mesh_str_of(algorithm_names[key->algorithm])) ? NULL : "token.algorithm";
}

const struct mesh_json *mesh_http_jwt_check(const struct mesh_http_jwks *set, const struct mesh_http_jwt_rules *rules,
                                            struct mesh_str token, int64_t now_us, struct mesh_arena *arena, const char **ret_why)
{
    struct parts parts;
    *ret_why = "token.malformed";
    if (token.n > MESH_HTTP_JWT_BYTES_MAX) {
        *ret_why = "token.too_long";
        return NULL;
    }
    const struct mesh_json *header = take_apart(token, &parts) ? read_object(parts.header, arena) : NULL;
    if (header == NULL)
        return NULL;
    const struct public_key *key = key_of(set, header);
    *ret_why = check_header(header, key);
    if (*ret_why != NULL)
        return NULL;
    *ret_why = "token.signature";
    if (!signature_fits(key, &parts))
        return NULL;
    *ret_why = "token.malformed";
    const struct mesh_json *claims = read_object(parts.claims, arena);
    if (claims == NULL)
        return NULL;
    *ret_why = check_claims(claims, rules, now_us);
    return *ret_why == NULL ? claims : NULL;
}
