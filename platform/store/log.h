/* The commit log of one instance: an append-only sequence of frames in segment files.
 *
 *     <dir>/LOCK          held with flock() while the process lives; its text names the owner's pid
 *     <dir>/IDENTITY      product, cluster id, format: another product's or cluster's directory is refused
 *     <dir>/00000001.log  segments; each begins with a magic and the format's number
 *
 * A frame is length(4) crc(8, XXH3 of the payload) payload; the length of the first frame of an append has its top bit set. An append
 * that was not synced may be lost in any part of it when the power goes, so a broken frame without a first one behind it is a torn tail:
 * it is cut off and counted. With a whole first frame behind it, it was durable once, and the disk has damaged it: FATAL
 * "state.corrupt", naming file and offset; nothing is deleted. Nothing here knows what a frame means.
 *
 * Durability: mesh_store_log_append() writes, mesh_store_log_sync() makes durable (fdatasync), and has to be called before the next append.
 * A segment's head and name are durable before anything is written to it. A failed write or sync leaves the log unusable: FATAL
 * "state.write", with the reason (disk full, read-only); what was not durable is cut off again, because after a failed sync it may be
 * seen and yet never reach the disk. The caller stops; the next start goes on from what was durable.
 */
#ifndef MESH_STORE_LOG_H
#define MESH_STORE_LOG_H

#include "base/buf.h"
#include "mesh/err.h"
#include "store/journal.h"

#define MESH_LOG_FRAME_BYTES_MAX (64u << 20)
#define MESH_LOG_FORMAT          2 /* of a segment; 1 had no first frames, and is read and not written to */

struct mesh_store_log;

struct mesh_store_identity {
    const char *product;    /* "sales_fraud/sales_fraud" */
    const char *cluster_id; /* of the broker */
};

enum mesh_store_log_result {
    MESH_STORE_OTHER_CLUSTER = 1, /* the directory belongs to another cluster: text in err; the caller decides */
};

/* Open or create. `sync` false = never fdatasync (fsync: off, at-least-once). Codes: state.locked, state.unwritable, state.other_product,
 * state.format. */
int mesh_store_log_open(const char *dir, const struct mesh_store_identity *identity, bool sync, struct mesh_store_log **ret,
                        struct mesh_err *err);
struct mesh_store_log *mesh_store_log_close(struct mesh_store_log *log);
/* Only the lock of an existing directory, for who moves it: held until closed. state.locked while a running instance has it. */
int mesh_store_log_lock(const char *dir, struct mesh_store_log **ret, struct mesh_err *err);
/* Move everything in a directory of another cluster aside (to <dir>.<old cluster id>), so that open starts anew. Used for the embedded
 * broker, which lives in memory; never for a real one. */
int mesh_store_log_set_aside(const char *dir, char **ret_where, struct mesh_err *err);

/* Closing the journal closes the log. */
struct mesh_journal mesh_store_log_journal(struct mesh_store_log *log);

/* Every frame in order; `each` returns 0 to go on or a negative result to stop with it. */
int mesh_store_log_read(struct mesh_store_log *log, int (*each)(void *context, struct mesh_str frame, struct mesh_err *err),
                        void *context, struct mesh_err *err);
/* Bytes of a torn tail that opening cut off; 0 = none. */
uint64_t mesh_store_log_torn(const struct mesh_store_log *log);
bool mesh_store_log_empty(const struct mesh_store_log *log); /* no frames at all: a fresh start */

/* `frames` is a sequence of complete frames as mesh_store_frame() built them. */
int mesh_store_log_append(struct mesh_store_log *log, struct mesh_str frames, struct mesh_err *err);
int mesh_store_log_sync(struct mesh_store_log *log, struct mesh_err *err);
uint64_t mesh_store_log_bytes(const struct mesh_store_log *log);
/* The next append starts a new segment; returns its number. */
uint64_t mesh_store_log_cut(struct mesh_store_log *log);
/* Delete segments before this number. */
int mesh_store_log_trim(struct mesh_store_log *log, uint64_t segment, struct mesh_err *err);

/* Frame a payload: begin returns where it starts; end patches length and checksum. */
size_t mesh_store_frame_begin(struct mesh_buf *out);
void mesh_store_frame_end(struct mesh_buf *out, size_t begin);
/* The payload of the frame at `at` in frames built by these two, for who keeps a log elsewhere; returns where the next one begins. */
size_t mesh_store_frame_next(struct mesh_str frames, size_t at, struct mesh_str *ret_payload);

#endif
