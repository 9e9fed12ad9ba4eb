/* nonce(12) sealed tag(16), base64url. Nonces are random: a key seals far fewer than 2^32 of them. */
#include "http/token.h"

#include "base/check.h"
#include "base/hash.h"
#include "http/encode.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#define NONCE 12
#define TAG   16

void mesh_http_token_key_init(struct mesh_http_token_key *key, struct mesh_str secret)
{
    static const char purpose[] = "mesh http paging token";
    if (secret.n > 0)
        mesh_hmac_sha256(secret.p, secret.n, purpose, sizeof purpose - 1, key->bytes);
    else
        mesh_assert(RAND_bytes(key->bytes, sizeof key->bytes) == 1);
}

void mesh_http_token_seal(const struct mesh_http_token_key *key, struct mesh_str place, struct mesh_str purpose,
                          struct mesh_buf *out)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf raw = MESH_BUF_NULL;
    uint8_t *p = (uint8_t *)mesh_buf_reserve(&raw, NONCE + (size_t)place.n + TAG);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    static const uint8_t none[1] = {0};
    mesh_assert(ctx != NULL && RAND_bytes(p, NONCE) == 1);
    mesh_assert(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes, p) == 1);
    mesh_assert(EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *)purpose.p, (int)purpose.n) == 1);
    mesh_assert(EVP_EncryptUpdate(ctx, p + NONCE, &n, place.n == 0 ? none : (const uint8_t *)place.p, (int)place.n) == 1);
    mesh_assert(EVP_EncryptFinal_ex(ctx, p + NONCE + place.n, &n) == 1);
    mesh_assert(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, p + NONCE + place.n) == 1);
    EVP_CIPHER_CTX_free(ctx);
    mesh_http_base64url(p, NONCE + (size_t)place.n + TAG, out);
}

int mesh_http_token_open(const struct mesh_http_token_key *key, struct mesh_str token, struct mesh_str purpose,
                         struct mesh_buf *ret_place)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf raw = MESH_BUF_NULL;
    if (mesh_http_base64url_read(token, &raw) != 0 || raw.n < NONCE + TAG)
        return 1;
    uint8_t *p = (uint8_t *)raw.p;
    int sealed = (int)(raw.n - NONCE - TAG), n = 0;
    uint8_t *place = (uint8_t *)mesh_buf_reserve(ret_place, (size_t)sealed + TAG);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    mesh_assert(ctx != NULL);
    bool ok = EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->bytes, p) == 1 &&
              EVP_DecryptUpdate(ctx, NULL, &n, (const uint8_t *)purpose.p, (int)purpose.n) == 1 &&
              EVP_DecryptUpdate(ctx, place, &n, p + NONCE, sealed) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, p + NONCE + sealed) == 1 &&
              EVP_DecryptFinal_ex(ctx, place + sealed, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok)
        return 1;
    ret_place->n += (size_t)sealed;
    return 0;
}
