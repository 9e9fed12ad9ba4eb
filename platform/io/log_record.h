/* The records of a commit log in Kafka, and which of them count. Pure: no broker is asked here (io/kafka_log.c does), so that the same
 * rules run in tests under every order of events.
 *
 * One shard's log is one partition. Anybody may append to it at any time: an owner, one that was the owner and does not know yet that it
 * is not, one that was frozen. So every record says in its key who wrote it:
 *
 *     u8 kind | u64 epoch | u64 generation | u64 serial        big-endian
 *
 *     'C' CLAIM   its own offset is the epoch of who wrote it; value: text for people
 *     'P' PART    of a frame that is longer than MESH_LOG_PART_BYTES; more follow
 *     'F' FRAME   a frame of the engine, or the last part of one
 *     'G'         says a generation, in the log of shard 0; written by other shards
 *
 * The rule (DESIGN 9, rules 3 to 6): a record counts when its epoch is the offset of the newest CLAIM before it. All others are as if they
 * had never been written, for whoever reads, at any time. So who appends a CLAIM and reads up to it has everything that will ever count of
 * what was written before; and who appended something counts it as durable only after making sure that no other CLAIM lies before it.
 *
 * The records of an owner are numbered from its CLAIM on, without a gap. A broker that was killed may hold a batch twice although the
 * producer is idempotent, or not hold one that it acknowledged; both were seen (docs/RELIABILITY.md). What comes twice does not count the
 * second time; a number that is missing is an error.
 *
 * The owner alone trims, to the first record of a round of its own: what the log then begins with is a record of its newest owner, although
 * the CLAIM is gone.
 *
 * The generation of a product is what the first record of shard 0's log says. Each CLAIM there, and each 'G', proposes one; the order of
 * the log decides, and whatever is written behind it carries the one that was agreed on.
 */
#ifndef MESH_IO_LOG_RECORD_H
#define MESH_IO_LOG_RECORD_H

#include "base/buf.h"
#include "mesh/err.h"

#define MESH_LOG_PART_BYTES  (512u << 10) /* of a frame in one record: brokers take 1 MB unless they are told otherwise */
#define MESH_LOG_FRAME_BYTES (64u << 20)  /* of a frame */
#define MESH_LOG_HEAD_BYTES  25

enum mesh_log_kind { MESH_LOG_CLAIM = 'C', MESH_LOG_PART = 'P', MESH_LOG_FRAME = 'F', MESH_LOG_GENERATION = 'G' };

struct mesh_log_head {
    enum mesh_log_kind kind;
    int64_t epoch; /* of a CLAIM and a 'G': -1 */
    uint64_t generation;
    uint64_t serial; /* of a PART and a FRAME: 1, 2, ... behind the own CLAIM; otherwise 0 */
};

void mesh_log_head_write(const struct mesh_log_head *head, char ret[MESH_LOG_HEAD_BYTES]);
/* False: it is not a record of such a log. */
bool mesh_log_head_read(struct mesh_str key, struct mesh_log_head *ret);

/* ---- reading ---- */
struct mesh_log_reader {
    int64_t next;            /* offset that must come now; -1: any, the first one */
    int64_t epoch;           /* of whom the next records count; -1: not known yet */
    uint64_t serial;         /* of the last one that counted */
    bool any;                /* frames counted */
    bool handed;             /* the last one is in `parts`, if it had some */
    uint64_t generation;     /* of the first record */
    uint64_t bytes, skipped; /* of what counted; records that did not */
    struct mesh_buf parts;
};

#define MESH_LOG_READER_NEW ((struct mesh_log_reader){.next = -1, .epoch = -1})

void mesh_log_reader_deinit(struct mesh_log_reader *reader);
/* The next record. 1: *ret is a frame that counts, valid until the next call; 0: there is nothing to hand on. FATAL "state.gap", offsets
 * are missing; "state.corrupt", it is not one of ours. */
int mesh_log_reader_take(struct mesh_log_reader *reader, int64_t offset, struct mesh_str key, struct mesh_str value,
                         struct mesh_str *ret, struct mesh_err *err);

/* ---- writing ---- */
struct mesh_log_writer {
    int64_t epoch, next;    /* of the own claim; where the own next record belongs when nobody else writes */
    int64_t look_at, until; /* what has to be looked at before the append counts */
    uint64_t serial;        /* of the newest record */
    bool fenced;
};

enum mesh_log_verdict { MESH_LOG_COUNTS, MESH_LOG_LOOK, MESH_LOG_UNKNOWN };

void mesh_log_writer_begin(struct mesh_log_writer *writer, int64_t claim);
/* The head of its next record: PART or FRAME. */
struct mesh_log_head mesh_log_writer_head(struct mesh_log_writer *writer, enum mesh_log_kind kind, uint64_t generation);
/* All records of an append are acknowledged, at these offsets (-1: the broker does not say). COUNTS: durable. LOOK: others wrote in between;
 * every record in [look_at, until) has to be shown to mesh_log_writer_look(), and then mesh_log_writer_counts() decides. */
enum mesh_log_verdict mesh_log_writer_acked(struct mesh_log_writer *writer, const int64_t *offsets, size_t n);
void mesh_log_writer_look(struct mesh_log_writer *writer, struct mesh_str key, int64_t offset);
bool mesh_log_writer_counts(struct mesh_log_writer *writer);

#endif
