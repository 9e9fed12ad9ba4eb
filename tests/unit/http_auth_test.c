/* Attempts, each with the refusal it must meet: keys, tokens, files. The keys are made here; tokens are signed as an attacker, or a
 * careless issuer, would sign them. */
#include "../check.h"

#include "base/check.h"
#include "base/fs.h"
#include "base/hash.h"
#include "http/auth.h"
#include "http/encode.h"
#include "http/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW_US  (INT64_C(1800000000) * 1000000)
#define GOOD    "\"iss\":\"https://id.example\",\"aud\":\"mesh\",\"sub\":\"ana\",\"exp\":1800000600"
#define KEY_ONE "0123456789abcdef0123456789abcdef-one"
#define KEY_OLD "0123456789abcdef0123456789abcdef-old"

static struct {
    EVP_PKEY *rsa, *ec, *ed, *other_rsa, *small_rsa;
    char dir[64], keys[96], jwks[96];
    struct mesh_http_auth *auth;
} it;

static void write_file(const char *path, const char *text)
{
    struct mesh_err err = {0};
    mesh_assert(mesh_fs_write_atomic(path, text, strlen(text), &err) == 0);
}

static void add_number(struct mesh_buf *out, const EVP_PKEY *key, const char *param)
{
    BIGNUM *n = NULL;
    uint8_t bytes[1024];
    mesh_assert(EVP_PKEY_get_bn_param(key, param, &n) == 1);
    mesh_http_base64url(bytes, (size_t)BN_bn2bin(n, bytes), out);
    BN_free(n);
}

static void add_rsa(struct mesh_buf *out, const EVP_PKEY *key, const char *kid, const char *more)
{
    mesh_buf_printf(out, "{\"kty\":\"RSA\",\"kid\":\"%s\"%s,\"n\":\"", kid, more);
    add_number(out, key, OSSL_PKEY_PARAM_RSA_N);
    mesh_buf_puts(out, "\",\"e\":\"");
    add_number(out, key, OSSL_PKEY_PARAM_RSA_E);
    mesh_buf_puts(out, "\"}");
}

static void add_ec(struct mesh_buf *out, const EVP_PKEY *key, const char *kid)
{
    uint8_t point[65];
    size_t n = 0;
    mesh_assert(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &n) == 1 && n == 65);
    mesh_buf_printf(out, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"%s\",\"x\":\"", kid);
    mesh_http_base64url(point + 1, 32, out);
    mesh_buf_puts(out, "\",\"y\":\"");
    mesh_http_base64url(point + 33, 32, out);
    mesh_buf_puts(out, "\"}");
}

static void add_ed(struct mesh_buf *out, const EVP_PKEY *key, const char *kid)
{
    uint8_t raw[32];
    size_t n = sizeof raw;
    mesh_assert(EVP_PKEY_get_raw_public_key(key, raw, &n) == 1);
    mesh_buf_printf(out, "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\",\"x\":\"", kid);
    mesh_http_base64url(raw, n, out);
    mesh_buf_puts(out, "\"}");
}

static void hash_hex(const char *key, char ret[65])
{
    uint8_t hash[32];
    mesh_sha256(key, strlen(key), hash);
    mesh_hex(hash, sizeof hash, ret);
}

static void write_keys(const char *roles_of_one)
{
    char one[65], old[65];
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    hash_hex(KEY_ONE, one);
    hash_hex(KEY_OLD, old);
    mesh_buf_printf(&text,
                    "{\"keys\":[{\"name\":\"desk\",\"sha256\":\"%s\",\"roles\":[%s],\"purposes\":[\"service\"],"
                    "\"until\":\"2028-01-01T00:00:00Z\"},{\"name\":\"old\",\"sha256\":\"%s\",\"until\":\"2026-01-01T00:00:00Z\"}]}",
                    one, roles_of_one, old);
    write_file(it.keys, text.p);
}

static void begin(void)
{
    if (it.auth != NULL)
        return;
    struct mesh_err err = {0};
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf set = MESH_BUF_NULL;
    snprintf(it.dir, sizeof it.dir, "/tmp/mesh-auth-XXXXXX");
    mesh_assert(mkdtemp(it.dir) != NULL);
    snprintf(it.keys, sizeof it.keys, "%s/keys.json", it.dir);
    snprintf(it.jwks, sizeof it.jwks, "%s/jwks.json", it.dir);
    it.rsa = EVP_RSA_gen(2048);
    it.other_rsa = EVP_RSA_gen(2048);
    it.small_rsa = EVP_RSA_gen(1024);
    it.ec = EVP_EC_gen("P-256");
    it.ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    mesh_buf_puts(&set, "{\"keys\":[");
    add_rsa(&set, it.rsa, "rsa", ",\"alg\":\"RS256\",\"use\":\"sig\"");
    mesh_buf_putc(&set, ',');
    add_ec(&set, it.ec, "ec");
    mesh_buf_putc(&set, ',');
    add_ed(&set, it.ed, "ed");
    mesh_buf_puts(&set, "]}");
    write_file(it.jwks, set.p);
    write_keys("\"fraud-desk\",\"audit\"");
    const struct mesh_http_auth_conf conf = {it.keys, it.jwks, "https://id.example", "mesh", false};
    if (mesh_http_auth_new(&conf, &it.auth, &err) < 0)
        printf("# %s\n", err.text);
    mesh_assert(it.auth != NULL);
}

__attribute__((destructor)) static void end(void)
{
    struct mesh_err err = {0};
    EVP_PKEY *const all[] = {it.rsa, it.ec, it.ed, it.other_rsa, it.small_rsa};
    mesh_http_auth_free(it.auth);
    for (size_t i = 0; i < MESH_LEN(all); i++)
        EVP_PKEY_free(all[i]);
    if (it.dir[0] != '\0')
        (void)mesh_fs_remove_tree(it.dir, &err);
}

/* ---- tokens ---- */
enum how { PLAIN, EC_DER, NOTHING, HMAC_WITH_N, FLIPPED, EC_ZERO, EMPTY };

static void sign(EVP_PKEY *key, enum how how, const struct mesh_buf *text, struct mesh_buf *out)
{
    uint8_t bytes[1024] = {0};
    size_t n = sizeof bytes;
    bool is_ed = EVP_PKEY_is_a(key, "ED25519"), is_ec = EVP_PKEY_is_a(key, "EC");
    if (how == NOTHING || how == EMPTY)
        return;
    if (how == HMAC_WITH_N) { /* the public key as a secret that everybody knows */
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf secret = MESH_BUF_NULL;
        add_number(&secret, key, OSSL_PKEY_PARAM_RSA_N);
        mesh_hmac_sha256(secret.p, secret.n, text->p, text->n, bytes);
        n = 32;
    } else {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        mesh_assert(EVP_DigestSignInit(ctx, NULL, is_ed ? NULL : EVP_sha256(), NULL, key) == 1);
        mesh_assert(EVP_DigestSign(ctx, bytes, &n, (const uint8_t *)text->p, text->n) == 1);
        EVP_MD_CTX_free(ctx);
    }
    if (is_ec && how != EC_DER) {
        const uint8_t *der = bytes;
        ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
        uint8_t raw[64];
        mesh_assert(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32) == 32 && BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32) == 32);
        ECDSA_SIG_free(sig);
        n = sizeof raw;
        memcpy(bytes, raw, n);
        if (how == EC_ZERO)
            memset(bytes, 0, n);
    }
    if (how == FLIPPED)
        bytes[n / 2] ^= 1;
    mesh_http_base64url(bytes, n, out);
}

static void make_token(const char *header, const char *claims, EVP_PKEY *key, enum how how, struct mesh_buf *out)
{
    mesh_buf_reset(out);
    mesh_http_base64url(header, strlen(header), out);
    mesh_buf_putc(out, '.');
    mesh_http_base64url(claims, strlen(claims), out);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_add(&text, out->p, out->n);
    mesh_buf_putc(out, '.');
    sign(key, how, &text, out);
}

/* Why "Authorization: <authorization>" is refused; "ok:NAME" when it is not; "unknown" when nothing was said. */
static const char *ask(const char *authorization, const char *api_key)
{
    static char result[160];
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_http_caller caller;
    const char *why = mesh_http_auth_check(it.auth, authorization, api_key, NOW_US, &arena, &caller);
    CHECK((why == NULL) == (caller.known || (authorization == NULL && api_key == NULL)));
    CHECK(caller.known || (caller.name[0] == '\0' && caller.roles.n == 0 && caller.purposes.n == 0));
    if (why != NULL)
        snprintf(result, sizeof result, "%s", why);
    else
        snprintf(result, sizeof result, caller.known ? "ok:%s" : "unknown%s", caller.name);
    return result;
}

CASE(tokens)
{
    begin();
    const struct {
        const char *header, *claims;
        EVP_PKEY *key;
        enum how how;
        const char *want;
    } attempts[] = {
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{" GOOD "}", it.rsa, PLAIN, "ok:ana"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"at+jwt\"}", "{" GOOD "}", it.rsa, PLAIN, "ok:ana"},
        {"{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"JWT\"}", "{" GOOD "}", it.ec, PLAIN, "ok:ana"},
        {"{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", "{" GOOD ",\"aud\":\"mesh\"}", it.ed, PLAIN, "token.malformed"}, /* aud twice */
        {"{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", "{" GOOD "}", it.ed, PLAIN, "ok:ana"},
        /* algorithms */
        {"{\"alg\":\"none\",\"kid\":\"rsa\"}", "{" GOOD "}", it.rsa, NOTHING, "token.algorithm"},
        {"{\"alg\":\"None\",\"kid\":\"rsa\"}", "{" GOOD "}", it.rsa, PLAIN, "token.algorithm"},
        {"{\"alg\":\"\",\"kid\":\"rsa\"}", "{" GOOD "}", it.rsa, PLAIN, "token.algorithm"},
        {"{\"kid\":\"rsa\"}", "{" GOOD "}", it.rsa, PLAIN, "token.algorithm"},
        {"{\"alg\":\"HS256\",\"kid\":\"rsa\"}", "{" GOOD "}", it.rsa, HMAC_WITH_N, "token.algorithm"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{" GOOD "}", it.rsa, HMAC_WITH_N, "token.signature"},
        {"{\"alg\":\"RS512\",\"kid\":\"rsa\"}", "{" GOOD "}", it.rsa, PLAIN, "token.algorithm"},
        {"{\"alg\":\"PS256\",\"kid\":\"rsa\"}", "{" GOOD "}", it.rsa, PLAIN, "token.algorithm"},
        {"{\"alg\":\"ES256\",\"kid\":\"rsa\"}", "{" GOOD "}", it.ec, PLAIN, "token.algorithm"}, /* the key of another type */
        {"{\"alg\":\"RS256\",\"kid\":\"ec\"}", "{" GOOD "}", it.rsa, PLAIN, "token.algorithm"},
        {"{\"alg\":\"RS256\",\"kid\":\"ed\"}", "{" GOOD "}", it.rsa, PLAIN, "token.algorithm"},
        {"{\"alg\":[\"RS256\"],\"kid\":\"rsa\"}", "{" GOOD "}", it.rsa, PLAIN, "token.algorithm"},
        {"{\"alg\":\"RS256\\u0000\",\"kid\":\"rsa\"}", "{" GOOD "}", it.rsa, PLAIN, "token.algorithm"},
        /* keys */
        {"{\"alg\":\"RS256\"}", "{" GOOD "}", it.rsa, PLAIN, "token.key"},
        {"{\"alg\":\"RS256\",\"kid\":\"\"}", "{" GOOD "}", it.rsa, PLAIN, "token.key"},
        {"{\"alg\":\"RS256\",\"kid\":\"nobody\"}", "{" GOOD "}", it.rsa, PLAIN, "token.key"},
        {"{\"alg\":\"RS256\",\"kid\":\"../../rsa\"}", "{" GOOD "}", it.rsa, PLAIN, "token.key"},
        {"{\"alg\":\"RS256\",\"kid\":7}", "{" GOOD "}", it.rsa, PLAIN, "token.key"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\\u0000\"}", "{" GOOD "}", it.rsa, PLAIN, "token.key"},
        {"{\"alg\":\"RS256\",\"jku\":\"https://evil.example/jwks\"}", "{" GOOD "}", it.other_rsa, PLAIN, "token.key"},
        {"{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\"}}", "{" GOOD "}", it.other_rsa, PLAIN, "token.key"},
        /* signatures */
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{" GOOD "}", it.other_rsa, PLAIN, "token.signature"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{" GOOD "}", it.rsa, FLIPPED, "token.signature"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{" GOOD "}", it.rsa, EMPTY, "token.signature"},
        {"{\"alg\":\"ES256\",\"kid\":\"ec\"}", "{" GOOD "}", it.ec, FLIPPED, "token.signature"},
        {"{\"alg\":\"ES256\",\"kid\":\"ec\"}", "{" GOOD "}", it.ec, EC_DER, "token.signature"},
        {"{\"alg\":\"ES256\",\"kid\":\"ec\"}", "{" GOOD "}", it.ec, EC_ZERO, "token.signature"},
        {"{\"alg\":\"ES256\",\"kid\":\"ec\"}", "{" GOOD "}", it.ec, EMPTY, "token.signature"},
        {"{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", "{" GOOD "}", it.ed, FLIPPED, "token.signature"},
        {"{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", "{" GOOD "}", it.rsa, PLAIN, "token.signature"},
        /* header */
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[\"b64\"],\"b64\":false}", "{" GOOD "}", it.rsa, PLAIN, "token.crit"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"dpop+jwt\"}", "{" GOOD "}", it.rsa, PLAIN, "token.type"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":null}", "{" GOOD "}", it.rsa, PLAIN, "token.type"},
        {"{\"alg\":\"none\",\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{" GOOD "}", it.rsa, PLAIN, "token.malformed"},
        {"[\"RS256\"]", "{" GOOD "}", it.rsa, PLAIN, "token.malformed"},
        {"RS256", "{" GOOD "}", it.rsa, PLAIN, "token.malformed"},
        {"", "{" GOOD "}", it.rsa, PLAIN, "token.malformed"},
        /* times */
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{\"iss\":\"https://id.example\",\"aud\":\"mesh\",\"sub\":\"ana\"}", it.rsa, PLAIN,
         "token.times"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
         "{\"iss\":\"https://id.example\",\"aud\":\"mesh\",\"sub\":\"ana\",\"exp\":1799999969}", it.rsa, PLAIN, "token.expired"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
         "{\"iss\":\"https://id.example\",\"aud\":\"mesh\",\"sub\":\"ana\",\"exp\":1799999975}", it.rsa, PLAIN,
         "ok:ana"}, /* leeway */
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
         "{\"iss\":\"https://id.example\",\"aud\":\"mesh\",\"sub\":\"ana\",\"exp\":\"1800000600\"}", it.rsa, PLAIN, "token.times"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{\"iss\":\"https://id.example\",\"aud\":\"mesh\",\"sub\":\"ana\",\"exp\":1e300}",
         it.rsa, PLAIN, "token.times"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{\"iss\":\"https://id.example\",\"aud\":\"mesh\",\"sub\":\"ana\",\"exp\":-1}",
         it.rsa, PLAIN, "token.times"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{\"iss\":\"https://id.example\",\"aud\":\"mesh\",\"sub\":\"ana\",\"exp\":0}",
         it.rsa, PLAIN, "token.expired"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{\"iss\":\"https://id.example\",\"aud\":\"mesh\",\"sub\":\"ana\",\"exp\":null}",
         it.rsa, PLAIN, "token.times"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{" GOOD ",\"nbf\":1800000031}", it.rsa, PLAIN, "token.not_yet"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{" GOOD ",\"nbf\":1800000029}", it.rsa, PLAIN, "ok:ana"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{" GOOD ",\"nbf\":\"soon\"}", it.rsa, PLAIN, "token.times"},
        /* whose, for whom, who */
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{\"aud\":\"mesh\",\"sub\":\"ana\",\"exp\":1800000600}", it.rsa, PLAIN,
         "token.issuer"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
         "{\"iss\":\"https://id.example/\",\"aud\":\"mesh\",\"sub\":\"ana\",\"exp\":1800000600}", it.rsa, PLAIN, "token.issuer"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
         "{\"iss\":[\"https://id.example\"],\"aud\":\"mesh\",\"sub\":\"ana\",\"exp\":1800000600}", it.rsa, PLAIN, "token.issuer"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{\"iss\":\"https://id.example\",\"sub\":\"ana\",\"exp\":1800000600}", it.rsa,
         PLAIN, "token.audience"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
         "{\"iss\":\"https://id.example\",\"aud\":\"shop\",\"sub\":\"ana\",\"exp\":1800000600}", it.rsa, PLAIN, "token.audience"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{\"iss\":\"https://id.example\",\"aud\":[],\"sub\":\"ana\",\"exp\":1800000600}",
         it.rsa, PLAIN, "token.audience"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
         "{\"iss\":\"https://id.example\",\"aud\":[\"shop\",\"mesh\"],\"sub\":\"ana\",\"exp\":1800000600}", it.rsa, PLAIN,
         "ok:ana"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
         "{\"iss\":\"https://id.example\",\"aud\":[\"shop\",7],\"sub\":\"ana\",\"exp\":1800000600}", it.rsa, PLAIN,
         "token.audience"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{\"iss\":\"https://id.example\",\"aud\":\"mesh\",\"exp\":1800000600}", it.rsa,
         PLAIN, "token.claims"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
         "{\"iss\":\"https://id.example\",\"aud\":\"mesh\",\"sub\":\"a\\u0000b\",\"exp\":1800000600}", it.rsa, PLAIN,
         "token.claims"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{" GOOD ",\"roles\":7}", it.rsa, PLAIN, "token.claims"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{" GOOD ",\"roles\":[\"a\",7]}", it.rsa, PLAIN, "token.claims"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{" GOOD ",\"scope\":{}}", it.rsa, PLAIN, "token.claims"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{" GOOD, it.rsa, PLAIN, "token.malformed"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "", it.rsa, PLAIN, "token.malformed"},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{" GOOD "} {}", it.rsa, PLAIN, "token.malformed"},
    };
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf token = MESH_BUF_NULL;
    for (size_t i = 0; i < MESH_LEN(attempts); i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf header = MESH_BUF_NULL;
        make_token(attempts[i].header, attempts[i].claims, attempts[i].key, attempts[i].how, &token);
        mesh_buf_printf(&header, "Bearer %s", token.p);
        const char *got = ask(header.p, NULL);
        if (strcmp(got, attempts[i].want) != 0)
            printf("# attempt %zu: %s %s\n", i, attempts[i].header, attempts[i].claims);
        CHECK_STR(got, attempts[i].want);
    }
}

CASE(tokens_that_were_changed_on_the_way)
{
    begin();
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf token = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf header = MESH_BUF_NULL;
    make_token("{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", "{" GOOD "}", it.ed, PLAIN, &token);
    for (size_t i = 0; i < token.n; i++) { /* each byte of it is signed, or is the signature */
        mesh_buf_reset(&header);
        mesh_buf_printf(&header, "Bearer %s", token.p);
        char *at = &header.p[7 + i];
        *at = *at == 'A' ? 'B' : *at == '.' ? 'x' : 'A';
        if (header.p[7 + i] != token.p[i])
            CHECK(strncmp(ask(header.p, NULL), "ok", 2) != 0);
    }
    static const char *const changed[] = {"Bearer %s.", "Bearer .%s",  "Bearer %s=", "Bearer %s.x",  "Bearer  %s",
                                          "Bearer %s ", "Bearer %s\t", "Basic %s",   "Bearer",       "",
                                          "bearer",     "%s",          "Bearer ..",  "Bearer a.b.c", "Bearer %s, Bearer %s"};
    for (size_t i = 0; i < MESH_LEN(changed); i++) {
        mesh_buf_reset(&header);
        for (const char *p = changed[i]; *p != '\0'; p++) {
            if (*p == '%')
                mesh_buf_puts(&header, token.p);
            else if (p == changed[i] || p[-1] != '%')
                mesh_buf_putc(&header, *p);
        }
        CHECK(strncmp(ask(header.p == NULL ? "" : header.p, NULL), "ok", 2) != 0);
    }
    mesh_buf_reset(&header);
    mesh_buf_printf(&header, "bEaReR %s", token.p);
    CHECK_STR(ask(header.p, NULL), "ok:ana");
    mesh_buf_reset(&header);
    mesh_buf_puts(&header, "Bearer a.");
    for (size_t i = 0; i < MESH_HTTP_JWT_BYTES_MAX; i++)
        mesh_buf_putc(&header, 'a');
    mesh_buf_puts(&header, ".a");
    CHECK_STR(ask(header.p, NULL), "token.too_long");
}

CASE(keys)
{
    begin();
    static const struct {
        const char *authorization, *api_key, *want;
    } attempts[] = {
        {NULL, NULL, "unknown"},
        {NULL, KEY_ONE, "ok:desk"},
        {"Bearer " KEY_ONE, NULL, "ok:desk"},
        {"Bearer " KEY_ONE, KEY_ONE, "two_credentials"},
        {NULL, KEY_OLD, "key.expired"},
        {NULL, "0123456789abcdef0123456789abcdef-two", "key.unknown"},
        {NULL, "", "key.malformed"},
        {NULL, "0123456789abcdef0123456789abcde", "key.malformed"},
        {NULL, KEY_ONE " ", "key.unknown"},
        {NULL, " " KEY_ONE, "key.unknown"},
        {NULL, KEY_ONE "\r\nX-API-Key: x", "key.unknown"},
        {"Basic dXNlcjpwYXNz", NULL, "scheme"},
        {"Digest x", NULL, "scheme"},
        {"Bearer", NULL, "scheme"},
        {"Bearer ", NULL, "key.malformed"},
        {KEY_ONE, NULL, "scheme"},
        {"Bearer  " KEY_ONE, NULL, "key.unknown"},
    };
    for (size_t i = 0; i < MESH_LEN(attempts); i++)
        CHECK_STR(ask(attempts[i].authorization, attempts[i].api_key), attempts[i].want);
    char hash[65];
    hash_hex(KEY_ONE, hash); /* what the file holds opens nothing */
    CHECK_STR(ask(NULL, hash), "key.unknown");
    char huge[2000];
    memset(huge, 'k', sizeof huge);
    huge[sizeof huge - 1] = '\0';
    CHECK_STR(ask(NULL, huge), "key.malformed");
}

CASE(roles_and_purposes)
{
    begin();
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf token = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf header = MESH_BUF_NULL;
    struct mesh_http_caller desk, bare, token_caller;
    CHECK(mesh_http_auth_check(it.auth, NULL, KEY_ONE, NOW_US, &arena, &desk) == NULL);
    make_token("{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", "{" GOOD "}", it.ed, PLAIN, &token);
    mesh_buf_printf(&header, "Bearer %s", token.p);
    CHECK(mesh_http_auth_check(it.auth, header.p, NULL, NOW_US, &arena, &bare) == NULL);
    make_token("{\"alg\":\"EdDSA\",\"kid\":\"ed\"}",
               "{" GOOD ",\"roles\":[\"x\"],\"scope\":\"openid  audit\",\"purposes\":\"billing service\"}", it.ed, PLAIN, &token);
    mesh_buf_reset(&header);
    mesh_buf_printf(&header, "Bearer %s", token.p);
    CHECK(mesh_http_auth_check(it.auth, header.p, NULL, NOW_US, &arena, &token_caller) == NULL);
    static const char *const roles[] = {"boss", "audit"}, *const boss[] = {"boss"}, *const part[] = {"audi"};
    static const char *const service[] = {"service"}, *const both[] = {"service", "billing"};
    const struct {
        const struct mesh_http_caller *caller;
        struct mesh_port port;
        const char *want; /* NULL: he may */
    } attempts[] = {
        {&desk, {0}, NULL},
        {&bare, {0}, NULL},
        {&desk, {.roles = roles, .n_roles = 2}, NULL},
        {&desk, {.roles = boss, .n_roles = 1}, "role"},
        {&desk, {.roles = part, .n_roles = 1}, "role"},
        {&bare, {.roles = roles, .n_roles = 2}, "role"},
        {&token_caller, {.roles = roles, .n_roles = 2}, NULL},
        {&token_caller, {.roles = boss, .n_roles = 1}, "role"},
        {&desk, {.purposes = service, .n_purposes = 1}, NULL},
        {&desk, {.purposes = both, .n_purposes = 2}, "purpose"},
        {&token_caller, {.purposes = both, .n_purposes = 2}, NULL},
        {&bare, {.purposes = service, .n_purposes = 1}, "purpose"},
        {&token_caller, {.roles = boss, .n_roles = 1, .purposes = both, .n_purposes = 2}, "role"},
    };
    for (size_t i = 0; i < MESH_LEN(attempts); i++)
        CHECK_STR(mesh_http_auth_may(attempts[i].caller, &attempts[i].port), attempts[i].want);
}

CASE(certificates)
{
    static const char text[] = "{\"keys\":[{\"name\":\"over\",\"certificate\":\"URI:a\",\"until\":\"2020-01-01T00:00:00Z\"},"
                               "{\"name\":\"machine\",\"certificate\":\"URI:a\",\"roles\":[\"r\"]},"
                               "{\"name\":\"old\",\"certificate\":\"DNS:old\",\"until\":\"2020-01-01T00:00:00Z\"}]}";
    static const struct {
        enum mesh_http_peer_state state;
        const char *name;
        bool required;
        const char *authorization, *want;
    } attempts[] = {
        {MESH_HTTP_PEER_GOOD, "URI:a", false, NULL, "ok:machine"}, /* the entry that is over does not keep the other one out */
        {MESH_HTTP_PEER_GOOD, "URI:a", true, NULL, "ok:machine"},
        {MESH_HTTP_PEER_GOOD, "URI:A", false, NULL, "certificate.unknown"},
        {MESH_HTTP_PEER_GOOD, "URI:a/", false, NULL, "certificate.unknown"},
        {MESH_HTTP_PEER_GOOD, "DNS:a", false, NULL, "certificate.unknown"},
        {MESH_HTTP_PEER_GOOD, "DNS:old", false, NULL, "certificate.expired"},
        {MESH_HTTP_PEER_GOOD, "URI:a", false, "Bearer x", "key.malformed"}, /* other credentials say who he is, or nothing does */
        {MESH_HTTP_PEER_BAD, "URI:a", false, NULL, "certificate.not_accepted"},
        {MESH_HTTP_PEER_BAD, "URI:a", false, "Bearer x", "certificate.not_accepted"},
        {MESH_HTTP_PEER_NONE, "URI:a", false, NULL, "unknown"},
        {MESH_HTTP_PEER_NONE, "URI:a", true, NULL, "certificate.missing"},
        {MESH_HTTP_PEER_NONE, "URI:a", true, "Bearer x", "certificate.missing"},
    };
    begin();
    char path[128];
    snprintf(path, sizeof path, "%s/peers.json", it.dir);
    write_file(path, text);
    for (size_t i = 0; i < MESH_LEN(attempts); i++) {
        mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
        struct mesh_http_auth *auth = NULL;
        struct mesh_err err = {0};
        struct mesh_http_caller caller;
        const struct mesh_http_auth_conf conf = {path, "", "", "", attempts[i].required};
        const struct mesh_http_peer peer = {.state = attempts[i].state, .names = {"SUBJECT:CN=x", attempts[i].name}, .n_names = 2};
        CHECK_EQ_I64(mesh_http_auth_new(&conf, &auth, &err), 0);
        const char *why = mesh_http_auth_check_peer(auth, &peer, attempts[i].authorization, NULL, NOW_US, &arena, &caller);
        char said[64];
        snprintf(said, sizeof said, "%s%s", why != NULL ? why : caller.known ? "ok:" : "unknown", caller.name);
        CHECK_STR(said, attempts[i].want);
        if (attempts[i].required) /* nobody is asked for one: so nobody has one */
            CHECK_STR(mesh_http_auth_check_peer(auth, NULL, NULL, NULL, NOW_US, &arena, &caller), "certificate.missing");
        mesh_http_auth_free(auth);
    }
}

CASE(a_reload_takes_effect_and_a_bad_file_does_not)
{
    begin();
    struct mesh_err err = {0};
    CHECK_STR(ask(NULL, KEY_ONE), "ok:desk");
    write_file(it.keys, "{\"keys\":[]}");
    CHECK_EQ_I64(mesh_http_auth_reload(it.auth, &err), 0);
    CHECK_STR(ask(NULL, KEY_ONE), "key.unknown");
    write_file(it.keys, "{\"keys\":[{\"name\":\"desk\"}]}");
    CHECK_EQ_I64(mesh_http_auth_reload(it.auth, &err), -1);
    CHECK_CONTAINS(err.text, "sha256");
    CHECK_STR(ask(NULL, KEY_ONE), "key.unknown");
    write_keys("\"audit\"");
    CHECK_EQ_I64(mesh_http_auth_reload(it.auth, &err), 0);
    CHECK_STR(ask(NULL, KEY_ONE), "ok:desk");
}

CASE(files_that_are_refused)
{
    begin();
    char path[128];
    snprintf(path, sizeof path, "%s/bad.json", it.dir);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf small = MESH_BUF_NULL;
    mesh_buf_puts(&small, "{\"keys\":[");
    add_rsa(&small, it.small_rsa, "a", "");
    mesh_buf_puts(&small, "]}");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf wrong_alg = MESH_BUF_NULL;
    mesh_buf_puts(&wrong_alg, "{\"keys\":[");
    add_rsa(&wrong_alg, it.rsa, "a", ",\"alg\":\"HS256\"");
    mesh_buf_puts(&wrong_alg, "]}");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf private_key = MESH_BUF_NULL;
    mesh_buf_puts(&private_key, "{\"keys\":[");
    add_rsa(&private_key, it.rsa, "a", ",\"d\":\"AQAB\"");
    mesh_buf_puts(&private_key, "]}");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf twice = MESH_BUF_NULL;
    mesh_buf_puts(&twice, "{\"keys\":[");
    add_ed(&twice, it.ed, "a");
    mesh_buf_putc(&twice, ',');
    add_ec(&twice, it.ec, "a");
    mesh_buf_puts(&twice, "]}");
    const struct {
        bool tokens;
        const char *text, *want;
    } attempts[] = {
        {false, "", "not a list"},
        {false, "{}", "not a list"},
        {false, "[]", "not a list"},
        {false, "{\"keys\":[{}]}", "needs a name"},
        {false, "{\"keys\":[7]}", "needs a name"},
        {false, "{\"keys\":[{\"name\":\"a\",\"sha256\":\"12\"}]}", "64 hex digits"},
        {false, "{\"keys\":[{\"name\":\"a\",\"key\":\"0123456789abcdef0123456789abcdef\"}]}", "other members"},
        {true, "{}", "not a set"},
        {true, "{\"keys\":[]}", "not a set"},
        {true, "{\"keys\":[{}]}", "no 'kid'"},
        {true, "{\"keys\":[{\"kid\":\"a\",\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "public keys"},
        {true, "{\"keys\":[{\"kid\":\"a\",\"kty\":\"oct\"}]}", "public keys"},
        {true, "{\"keys\":[{\"kid\":\"a\",\"kty\":\"EC\",\"crv\":\"P-384\"}]}", "P-256"},
        {true, "{\"keys\":[{\"kid\":\"a\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}]}", "32 bytes"},
        {true,
         "{\"keys\":[{\"kid\":\"a\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\",\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}]}",
         "no point"},
        {true, "{\"keys\":[{\"kid\":\"a\",\"kty\":\"OKP\",\"crv\":\"X25519\"}]}", "Ed25519"},
        {true, "{\"keys\":[{\"kid\":\"a\",\"kty\":\"RSA\"}]}", "base64url"},
        {false, "{\"keys\":[{\"name\":\"a\",\"certificate\":\"CN=a\"}]}", "SUBJECT:"},
        {false, "{\"keys\":[{\"name\":\"a\",\"certificate\":\"URI:\"}]}", "SUBJECT:"},
        {false, "{\"keys\":[{\"name\":\"a\",\"certificate\":7}]}", "SUBJECT:"},
        {false, "{\"keys\":[{\"name\":\"a\",\"certificate\":\"URI:a\",\"sha256\":\"x\"}]}", "two entries"},
        {true, "{\"keys\":[{\"kid\":\"a\",\"kty\":\"ABC\"}]}", "not RSA"},
        {true, "{\"keys\":[{\"kid\":\"a\",\"kty\":\"RSA\",\"use\":\"enc\"}]}", "not 'sig'"},
        {true, small.p, "2048"},
        {true, wrong_alg.p, "'alg'"},
        {true, private_key.p, "public keys"},
        {true, twice.p, "same 'kid'"},
    };
    for (size_t i = 0; i < MESH_LEN(attempts); i++) {
        struct mesh_http_auth *auth = NULL;
        struct mesh_err err = {0};
        write_file(path, attempts[i].text);
        const struct mesh_http_auth_conf conf = {attempts[i].tokens ? "" : path, attempts[i].tokens ? path : "", "i", "a", false};
        CHECK_EQ_I64(mesh_http_auth_new(&conf, &auth, &err), -1);
        CHECK_CONTAINS(err.text, attempts[i].want);
        CHECK(auth == NULL);
    }
    struct mesh_http_auth *auth = NULL;
    struct mesh_err err = {0};
    CHECK_EQ_I64(mesh_http_auth_new(&(struct mesh_http_auth_conf){"", it.jwks, "", "mesh", false}, &auth, &err), -1);
    CHECK_CONTAINS(err.text, "MESH_HTTP_JWT_ISSUER");
    CHECK_EQ_I64(mesh_http_auth_new(&(struct mesh_http_auth_conf){"/nowhere/keys", "", "", "", false}, &auth, &err), -1);
    mesh_assert(chmod(it.keys, 0666) == 0);
    CHECK_EQ_I64(mesh_http_auth_new(&(struct mesh_http_auth_conf){it.keys, "", "", "", false}, &auth, &err), -1);
    CHECK_CONTAINS(err.text, "chmod");
    mesh_assert(chmod(it.keys, 0644) == 0);
    CHECK_EQ_I64(mesh_http_auth_new(&(struct mesh_http_auth_conf){"", "", "", "", false}, &auth, &err), 0);
    CHECK(auth == NULL);
}
