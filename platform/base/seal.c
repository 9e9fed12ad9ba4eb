/* One context per text: letters are rare, and a context that is kept would have to be one per thread. */
#include "base/seal.h"

#include "base/check.h"
#include "base/hash.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define NONCE_BYTES 12
#define TAG_BYTES   16

int mesh_seal_key_parse(struct mesh_str hex, struct mesh_seal_key *ret, struct mesh_err *err)
{
    if (hex.n != 2 * MESH_SEAL_KEY_BYTES || !mesh_hex_read(hex.p, MESH_SEAL_KEY_BYTES, ret->bytes))
        return mesh_err_set(err, MESH_ERR_FATAL, "seal.key", "a key is 64 hex digits, in one line; openssl rand -hex 32 makes one");
    uint8_t hash[32];
    mesh_sha256(ret->bytes, sizeof ret->bytes, hash);
    mesh_hex(hash, MESH_SEAL_ID_CHARS / 2, ret->id);
    return 0;
}

static void context_free(EVP_CIPHER_CTX **context)
{
    EVP_CIPHER_CTX_free(*context);
}

static const unsigned char *bytes_of(struct mesh_str s)
{
    return (const unsigned char *)(s.n == 0 ? "" : s.p);
}

void mesh_seal(const struct mesh_seal_key *key, struct mesh_str bound, struct mesh_str plain, struct mesh_buf *ret)
{
    mesh_assert(plain.n < INT_MAX - MESH_SEAL_MORE && bound.n < INT_MAX);
    unsigned char *nonce = (unsigned char *)mesh_buf_reserve(ret, (size_t)plain.n + MESH_SEAL_MORE);
    unsigned char *to = nonce + NONCE_BYTES;
    mesh_cleanup(context_free) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;
    bool ok = context != NULL && RAND_bytes(nonce, NONCE_BYTES) == 1 &&
              EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key->bytes, nonce) == 1 &&
              EVP_EncryptUpdate(context, NULL, &n, bytes_of(bound), (int)bound.n) == 1 &&
              EVP_EncryptUpdate(context, to, &n, bytes_of(plain), (int)plain.n) == 1 &&
              EVP_EncryptFinal_ex(context, to + n, &last) == 1 &&
              EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, to + plain.n) == 1;
    mesh_assert(ok && n + last == (int)plain.n); /* no memory or no randomness: going on would write it readable */
    ret->n += (size_t)plain.n + MESH_SEAL_MORE;
    ret->p[ret->n] = '\0';
}

int mesh_seal_open(const struct mesh_seal_key *key, struct mesh_str bound, struct mesh_str sealed, struct mesh_buf *ret,
                   struct mesh_err *err)
{
    bool ok = sealed.n >= MESH_SEAL_MORE && sealed.n < INT_MAX && bound.n < INT_MAX;
    int length = ok ? (int)sealed.n - MESH_SEAL_MORE : 0;
    const unsigned char *nonce = bytes_of(sealed);
    unsigned char *to = (unsigned char *)mesh_buf_reserve(ret, (size_t)length);
    unsigned char tag[TAG_BYTES];
    if (ok)
        memcpy(tag, nonce + NONCE_BYTES + length, TAG_BYTES);
    mesh_cleanup(context_free) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;
    ok = ok && context != NULL && EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key->bytes, nonce) == 1 &&
         EVP_DecryptUpdate(context, NULL, &n, bytes_of(bound), (int)bound.n) == 1 &&
         EVP_DecryptUpdate(context, to, &n, nonce + NONCE_BYTES, length) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
         EVP_DecryptFinal_ex(context, to + n, &last) == 1;
    if (!ok) {
        explicit_bzero(to, (size_t)length);
        return mesh_err_set(err, MESH_ERR_REJECT, "seal.broken",
                            "it was sealed with another key, for another place, or changed since");
    }
    ret->n += (size_t)length;
    ret->p[ret->n] = '\0';
    return 0;
}
