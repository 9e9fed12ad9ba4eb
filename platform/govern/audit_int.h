/* Between the writer and the reader of audits: the form of lines and of the head. */
#ifndef MESH_GOVERN_AUDIT_INT_H
#define MESH_GOVERN_AUDIT_INT_H

#include "base/arena.h"
#include "base/hash.h"
#include "govern/audit.h"

#define MESH_AUDIT_HEAD_NAME  "audit.head"
#define MESH_AUDIT_LINE_MAX   (64u << 10)
#define MESH_AUDIT_NAME_CHARS 64

/* Where a chain stands. */
struct mesh_audit_chain {
    struct mesh_hmac hmac;
    uint8_t mac[MESH_AUDIT_MAC_BYTES]; /* of the last entry */
    uint64_t n;                        /* its number; 0: none yet */
};

void mesh_audit_chain_init(struct mesh_audit_chain *ret, struct mesh_str key);
/* Appends `{"n":N,BODY,"mac":"..."}` and a line end, and moves the chain on. */
void mesh_audit_chain_write(struct mesh_audit_chain *chain, struct mesh_str body, struct mesh_buf *out);
/* The same for the entry that a file begins with. */
void mesh_audit_chain_write_first(struct mesh_audit_chain *chain, int64_t at_us, struct mesh_buf *out);
/* Stand where the chain stood before this line, which a file begins with; false: it is not such a line. What it says of itself is
 * believed only once mesh_audit_chain_read() has found it sound. */
bool mesh_audit_chain_begin(struct mesh_audit_chain *chain, struct mesh_str line);
/* The next line, without its line end. Moves the chain on when it is sound. */
enum mesh_audit_finding mesh_audit_chain_read(struct mesh_audit_chain *chain, struct mesh_str line);

void mesh_audit_head_write(const struct mesh_audit_chain *chain, struct mesh_buf *out);
/* SOUND, and what the head says; or HEAD. */
enum mesh_audit_finding mesh_audit_head_read(const struct mesh_audit_chain *chain, struct mesh_str text, uint64_t *ret_n,
                                             uint8_t ret_mac[MESH_AUDIT_MAC_BYTES]);

/* Names of the segments of a folder, in order. */
int mesh_audit_segments(struct mesh_arena *arena, const char *dir, char ***ret_names, size_t *ret_n, struct mesh_err *err);
void mesh_audit_segment_name(uint64_t number, char ret[MESH_AUDIT_NAME_CHARS]);

struct mesh_audit_ask {
    uint64_t first, at_least; /* as mesh_audit_verify() has them; first 0: whatever there is */
    bool last_only;           /* the last segment only: where to go on */
};

/* Where reading ended: the chain, and how many bytes of the last segment are whole lines. */
struct mesh_audit_end {
    struct mesh_audit_chain chain;
    uint64_t segment, whole_bytes;
};

int mesh_audit_read(const char *dir, struct mesh_str key, const struct mesh_audit_ask *ask, struct mesh_audit_report *ret,
                    struct mesh_audit_end *ret_end, struct mesh_err *err);

#endif
