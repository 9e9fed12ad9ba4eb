/* Hashes. XXH3 for tables and checksums of our own files, murmur2 because Kafka's Java clients place keys with it. */
#ifndef MESH_BASE_HASH_H
#define MESH_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint64_t mesh_hash64(const void *bytes, size_t n); /* XXH3, seed 0: stable, may be stored */
/* Kafka's Utils.murmur2, then toPositive() % n, exactly as the Java producer's default partitioner. */
int32_t mesh_hash_partition(const void *key, size_t n, int32_t n_partitions);
void mesh_sha256(const void *bytes, size_t n, uint8_t ret[32]);
/* HMAC-SHA256. */
void mesh_hmac_sha256(const void *key, size_t key_n, const void *bytes, size_t n, uint8_t ret[32]);
/* The same with a key that is used often: what only depends on the key is done once. Plain data, may be copied; as secret as the key. */
struct mesh_hmac {
    uint64_t inner[16], outer[16]; /* states of SHA-256 behind the padded key */
};
void mesh_hmac_init(struct mesh_hmac *ret, const void *key, size_t key_n);
void mesh_hmac_of(const struct mesh_hmac *hmac, const void *bytes, size_t n, uint8_t ret[32]);
void mesh_hex(const uint8_t *bytes, size_t n, char *ret /* 2n + 1 */);
/* Of a hexadecimal digit in either case; -1: it is none. */
static inline int mesh_hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
/* 2n digits as n bytes; false: they are none. */
bool mesh_hex_read(const char *digits, size_t n, uint8_t *ret);

#endif
