/* murmur2 is written out here, bit for bit as in Kafka's org.apache.kafka.common.utils.Utils: where
 * a key lies must not depend on a library's version. The rest is xxHash and OpenSSL: of the latter
 * SHA256_*, which newer versions advise against, because fetching an algorithm and allocating a
 * context for each message costs ten times what hashing a short one does. */
#define OPENSSL_API_COMPAT 0x10101000L
#include "base/hash.h"

#include "base/check.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define MURMUR2_SEED 0x9747b28cu
#define MURMUR2_M    0x5bd1e995u

uint64_t mesh_hash64(const void *bytes, size_t n)
{
    return XXH3_64bits(bytes, n);
}

static uint32_t murmur2(const unsigned char *p, size_t n)
{
    uint32_t h = MURMUR2_SEED ^ (uint32_t)n;
    for (; n >= 4; p += 4, n -= 4) {
        uint32_t k = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        k *= MURMUR2_M;
        k ^= k >> 24;
        k *= MURMUR2_M;
        h *= MURMUR2_M;
        h ^= k;
    }
    if (n >= 3)
        h ^= (uint32_t)p[2] << 16;
    if (n >= 2)
        h ^= (uint32_t)p[1] << 8;
    if (n >= 1) {
        h ^= p[0];
        h *= MURMUR2_M;
    }
    h ^= h >> 13;
    h *= MURMUR2_M;
    h ^= h >> 15;
    return h;
}

int32_t mesh_hash_partition(const void *key, size_t n, int32_t n_partitions)
{
    mesh_assert(n_partitions > 0);
    return (int32_t)(murmur2(key, n) & INT32_MAX) % n_partitions;
}

void mesh_sha256(const void *bytes, size_t n, uint8_t ret[32])
{
    unsigned got = 0;
    int ok = EVP_Digest(bytes, n, ret, &got, EVP_sha256(), NULL);
    mesh_assert(ok == 1 && got == 32);
}

_Static_assert(sizeof(SHA256_CTX) <= sizeof((struct mesh_hmac *)0)->inner, "a state fits");

static void sha256_begin(uint64_t to[16], const uint8_t block[SHA256_CBLOCK], uint8_t pad)
{
    uint8_t padded[SHA256_CBLOCK];
    for (size_t i = 0; i < sizeof padded; i++)
        padded[i] = block[i] ^ pad;
    SHA256_CTX state;
    mesh_assert(SHA256_Init(&state) == 1 && SHA256_Update(&state, padded, sizeof padded) == 1);
    memcpy(to, &state, sizeof state);
    OPENSSL_cleanse(padded, sizeof padded);
}

void mesh_hmac_init(struct mesh_hmac *ret, const void *key, size_t key_n)
{
    uint8_t block[SHA256_CBLOCK] = {0};
    if (key_n > sizeof block)
        mesh_sha256(key, key_n, block);
    else if (key_n > 0)
        memcpy(block, key, key_n);
    *ret = (struct mesh_hmac){0};
    sha256_begin(ret->inner, block, 0x36);
    sha256_begin(ret->outer, block, 0x5c);
    OPENSSL_cleanse(block, sizeof block);
}

static void sha256_end(const uint64_t from[16], const void *bytes, size_t n, uint8_t ret[32])
{
    SHA256_CTX state;
    memcpy(&state, from, sizeof state);
    mesh_assert((n == 0 || SHA256_Update(&state, bytes, n) == 1) && SHA256_Final(ret, &state) == 1);
}

void mesh_hmac_of(const struct mesh_hmac *hmac, const void *bytes, size_t n, uint8_t ret[32])
{
    uint8_t digest[32];
    sha256_end(hmac->inner, bytes, n, digest);
    sha256_end(hmac->outer, digest, sizeof digest, ret);
}

void mesh_hmac_sha256(const void *key, size_t key_n, const void *bytes, size_t n, uint8_t ret[32])
{
    struct mesh_hmac hmac;
    mesh_hmac_init(&hmac, key, key_n);
    mesh_hmac_of(&hmac, bytes, n, ret);
    OPENSSL_cleanse(&hmac, sizeof hmac);
}

void mesh_hex(const uint8_t *bytes, size_t n, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *ret++ = digits[bytes[i] >> 4];
        *ret++ = digits[bytes[i] & 15];
    }
    *ret = '\0';
}

bool mesh_hex_read(const char *digits, size_t n, uint8_t *ret)
{
    for (size_t i = 0; i < n; i++) {
        int high = mesh_hex_digit(digits[2 * i]);
        int low = mesh_hex_digit(digits[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
