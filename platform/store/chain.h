/* A queue of variable-sized records whose memory does not move: order buffers and outboxes live in it.
 *
 * Records are numbered from 1 on (serial) and lie in chunks in that order; they may be freed in any order, and a chunk goes when all
 * of its records did. Nearly-first-in-first-out use, which is ours, costs no malloc per record. Payloads are aligned to 16 bytes.
 */
#ifndef MESH_STORE_CHAIN_H
#define MESH_STORE_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESH_STORE_CHUNK_BYTES (64u << 10)

struct mesh_store_chunk;

struct mesh_store_chain {
    struct mesh_store_chunk *first, *last, *spare;
    uint64_t next_serial; /* of the next record; 0 counts as 1 */
    uint64_t live;        /* records */
    size_t bytes;         /* of all chunks */
};

/* Not zeroed. */
void *mesh_store_chain_add(struct mesh_store_chain *chain, size_t bytes);
/* Take back the newest record, right after it was added; its number is not used again. */
void mesh_store_chain_cancel(struct mesh_store_chain *chain, void *record);
void mesh_store_chain_free(struct mesh_store_chain *chain, void *record);
void mesh_store_chain_deinit(struct mesh_store_chain *chain);

uint64_t mesh_store_chain_serial(const void *record);
uint64_t mesh_store_chain_next(const struct mesh_store_chain *chain); /* serial of the next record */
/* Let the next record have this number; only upwards. */
void mesh_store_chain_skip(struct mesh_store_chain *chain, uint64_t serial);
/* The oldest live record; NULL: none. */
void *mesh_store_chain_first(const struct mesh_store_chain *chain);
/* The first live record with a serial >= `serial`; NULL: none. */
void *mesh_store_chain_from(const struct mesh_store_chain *chain, uint64_t serial);
/* The live record behind this one (which must be live); NULL: none. */
void *mesh_store_chain_after(const struct mesh_store_chain *chain, const void *record);

#endif
