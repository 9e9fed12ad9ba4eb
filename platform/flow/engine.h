/* The stream engine: records in, commits, messages, documents and answers out.
 *
 * The engine owns the tasks of one product. It calls no clock, disk, network or thread: whoever drives it (app/worker.c, a flow test,
 * `meshgen test`) feeds records and the time, writes what it wants written and tells it what has become durable or was acknowledged.
 * Everything happens on the driver's thread, so the whole engine runs under a virtual clock, one seed one schedule.
 *
 *     driver                                   engine
 *     ------                                   ------
 *     mesh_engine_new(product, partitions)     tables, tasks
 *     mesh_engine_restore(frames...)           state as of the last valid commit of each task
 *     mesh_engine_position(input, partition)   where to read from
 *     loop:
 *       mesh_engine_wants(...)                 which partitions to fetch now (back-pressure, tables first)
 *       mesh_engine_feed(records)              decode, order, streams, views
 *       mesh_engine_tick(now)                  idle sources
 *       mesh_engine_commit(&log)               what to append; the driver makes it durable, then
 *       mesh_engine_durable()                  ... and only now may anything leave (DESIGN 9, rule 7)
 *       mesh_engine_next_message(), _acked()   Kafka ports, internal topics, dead letters
 *       mesh_engine_next_document(), _stored() MongoDB
 *       mesh_engine_next_event()               server-sent events
 *       mesh_engine_point(), _list()           HTTP; also out of conf.between, in the middle of feed and commit
 *
 * Determinism. What the engine computes is a function of each partition's records in order. A record's place among the inputs of an
 * ordered task is (order time, input, source partition, source offset), where order time = max(event time, watermark of its own
 * source before it came): also a late record has a place that depends on its own source alone (docs/decisions/002). Records are
 * released when the task's watermark (the minimum over its sources that are not idle) has passed their order time. A task with one
 * source runs in offset order.
 *
 * Errors: REJECT never comes out of here (the record went to the dead letters); a negative result is FATAL: broken input contract of
 * the driver, or a gap in an upstream's sequence (the port stops and says so).
 */
#ifndef MESH_FLOW_ENGINE_H
#define MESH_FLOW_ENGINE_H

#include "base/buf.h"
#include "mesh/err.h"
#include "mesh/product.h"
#include "mesh/task.h"
#include "metrics/metrics.h"

#define MESH_FLOW_BATCH_MAX         1024
#define MESH_FLOW_SLICE             16           /* records, or rows of a commit, between two calls of conf.between: 0.1 ms or so */
#define MESH_FLOW_ORDER_BYTES_MAX   (256u << 20) /* sort buffers of all tasks; beyond it the sources that are ahead are not wanted */
#define MESH_FLOW_OUTBOX_BYTES_MAX  (256u << 20) /* unacknowledged messages; beyond it nothing is wanted */
#define MESH_FLOW_DOCUMENTS_MAX     200000       /* rows waiting for MongoDB; beyond it nothing is wanted */
#define MESH_FLOW_UPSTREAMS_MAX     4096         /* tasks that write to one input partition */
#define MESH_FLOW_ROUND_LOG_BYTES   (64u << 20)
#define MESH_FLOW_ROUND_SWEEP_BYTES (64u << 10)
#define MESH_FLOW_CLAIMS_KEPT       32         /* claims that a round repeats: starts without a word to the group, at most */
#define MESH_FLOW_EVENTS_BYTES_MAX  (4u << 20) /* events that one task keeps for one SSE port; of more, the oldest go */
#define MESH_FLOW_BUDGET_OFFSETS    1000       /* of which so many may become letters (mesh_input.letters_stop) */
#define MESH_FLOW_LETTER_BYTES_MAX  (1u << 20) /* original bytes in a dead letter; longer ones are cut and marked */

#define MESH_ENGINE_CLAIM_TEXT 33 /* 32 hex digits */

struct mesh_engine;
struct mesh_frame;
struct mesh_resolve;
struct mesh_seal_hook;

/* Which schema wrote a record, where a schema registry says it (app/schemas.h). Asked for each record of an input that has contracts. */
struct mesh_written {
    uint32_t version; /* index into the input's contracts */
    const struct mesh_resolve
        *plan;       /* turns the datum into one of contracts[version]; NULL: it is one. Borrowed until the next record */
    const char *why; /* MESH_WRITTEN_UNFIT: a sentence without values of records */
};
enum mesh_written_result { MESH_WRITTEN_BY = 0, MESH_WRITTEN_UNKNOWN, MESH_WRITTEN_UNFIT };
struct mesh_written_hook {
    enum mesh_written_result (*find)(void *context, uint32_t input, const struct mesh_frame *frame, struct mesh_written *ret);
    void *context;
};

struct mesh_engine_conf {
    const struct mesh_product *product;
    const int32_t *input_partitions; /* per input of the product: what the topic has */
    const int32_t
        *port_partitions; /* per port (0 for ports that are not Kafka), then per internal topic, then DLQ, late, receipts */
    struct mesh_str pseudonym_key;
    const struct mesh_seal_hook *seal;       /* letters of personal inputs (flow/sealed.h); borrowed; NULL: they stay readable */
    const uint32_t *const *wire_ids;         /* per input: per contract: the schema id on the wire (registry or local id) */
    const struct mesh_written_hook *written; /* borrowed; NULL: wire_ids say it alone */
    const uint32_t *port_ids;                /* per port: schema id to write */
    /* Appends the text of an event of an SSE port, protected as its border says; of a removed row only its key. NULL: those ports say
     * nothing. */
    void (*event_text)(void *context, uint32_t port, const void *shown, bool removed, struct mesh_buf *out);
    void *event_context;
    bool mongo;          /* whether documents are wanted; false: none are queued */
    uint64_t generation; /* of this state (DESIGN 9, rule 1); a restored one wins */
    /* The generation that messages of Kafka ports speak with, numbered from 1 on, when this version took over from others
     * (flow/cutover.h), and the generations that spoke before. 0: that of the state. */
    uint64_t voice;
    const uint64_t *succeeds; /* borrowed */
    uint32_t n_succeeds;
    bool documents_again; /* hand out the documents of all rows of the restored state: another version wrote to the collections */
    const char *claim;    /* of this run, random; written with its CLAIM. NULL: none */
    int64_t commit_interval_us; /* bound for state-only commits, 200 ms */
    uint64_t round_log_bytes;   /* a round of the log starts beyond max(this, 2 x state); 0 = MESH_FLOW_ROUND_LOG_BYTES */
    uint64_t round_sweep_bytes; /* least bytes that one commit re-emits in a round; 0 = MESH_FLOW_ROUND_SWEEP_BYTES */
    /* Whether an operator lets this input go on although too many of its records became dead letters; NULL: none. */
    bool (*accepts)(void *context, const char *input);
    void *accepts_context;
    /* A shard: only the tasks of this partition, over all topologies, with a log of their own. What is numbered over tasks counts those
     * of all shards. */
    bool sharded;
    int32_t shard;
    struct mesh_metrics *metrics;   /* counters are registered here; NULL: none */
    struct mesh_store_spill *spill; /* where blocks of states may go (store/spill.h); borrowed; NULL: nowhere */
    /* Called within feed, tick and commit, about every MESH_FLOW_SLICE records or rows: between two of them. It may read (point, list,
     * source_info), nothing else. An answer sees every record whole, and what a commit holds or all of it or nothing. NULL: none. */
    void (*between)(void *context);
    void *between_context;
};

/* What a dead letter, port or internal topic is called in port_partitions order. */
uint32_t mesh_engine_dest_internal(const struct mesh_product *product, uint32_t internal);
uint32_t mesh_engine_dest_dlq(const struct mesh_product *product);
uint32_t mesh_engine_dest_late(const struct mesh_product *product);
uint32_t mesh_engine_dest_receipts(const struct mesh_product *product); /* only with a receipts_topic */
uint32_t mesh_engine_n_dests(const struct mesh_product *product);

/* FATAL when inputs of one topology have different numbers of partitions ("partitions.differ", naming both topics and numbers). */
int mesh_engine_new(const struct mesh_engine_conf *conf, struct mesh_engine **ret, struct mesh_err *err);
struct mesh_engine *mesh_engine_free(struct mesh_engine *engine); /* takes NULL, returns NULL */

/* ---- recovery ---- */
/* Feed every frame of the log in order (store/log.h), then finish. Frames that are not part of a valid commit are ignored. FATAL
 * "state.shape" when the log was written by another declaration shape (state_hash). */
int mesh_engine_restore(struct mesh_engine *engine, struct mesh_str frame, struct mesh_err *err);
int mesh_engine_restored(struct mesh_engine *engine, struct mesh_err *err);
/* Append the CLAIM of this run: an epoch above all seen. Call once, before the first commit; make it durable. */
void mesh_engine_claim(struct mesh_engine *engine, struct mesh_buf *ret_frames);
/* The claims that stand in the log, oldest first: who wrote this state. Valid until the next call that restores or claims. */
const char (*mesh_engine_claims(const struct mesh_engine *engine, size_t *ret_n))[MESH_ENGINE_CLAIM_TEXT];
/* Durable commits of all tasks: grows with the state, and is the same in every copy of it. */
uint64_t mesh_engine_commits(const struct mesh_engine *engine);

/* ---- input ---- */
struct mesh_header {
    struct mesh_str name, value;
};

struct mesh_record {
    int64_t offset;
    int64_t kafka_time_us;
    struct mesh_str key, value; /* p == NULL: null */
    const struct mesh_header *headers;
    uint32_t n_headers;
};

/* The header that messages of a mesh product carry: which task sent it and its dense number (DESIGN 9, rule 11). */
#define MESH_FLOW_HEADER "mesh"

/* Next offset to read; -1 = from the earliest. */
int64_t mesh_engine_position(const struct mesh_engine *engine, uint32_t input, int32_t partition);
/* Whether records of this partition are welcome now. */
bool mesh_engine_wants(const struct mesh_engine *engine, uint32_t input, int32_t partition);
/* Records of one partition in offset order. Offsets below the position are skipped (a table that several tasks read). Borrowed for
 * the call. now_us: wall clock. */
int mesh_engine_feed(struct mesh_engine *engine, uint32_t input, int32_t partition, const struct mesh_record *records, size_t n,
                     int64_t now_us, struct mesh_err *err);
/* The log of this partition ends at `end` (everything below it was fed). */
void mesh_engine_at_end(struct mesh_engine *engine, uint32_t input, int32_t partition, int64_t end, int64_t now_us);
/* There are records from `next` on that cannot be fed yet, because nobody knows their schema: it is not at its end, and not idle. */
void mesh_engine_waits(struct mesh_engine *engine, uint32_t input, int32_t partition, int64_t next);
/* Records from..to-1 were deleted by the broker before they were read: counted, shown, and the position moves to `to`. */
void mesh_engine_trimmed(struct mesh_engine *engine, uint32_t input, int32_t partition, int64_t from, int64_t to);
/* Nothing could be read until now_us (the broker was away): silence before it does not make a source idle. now_us may lie ahead, to leave
 * the connections time to come back. `missed`: records may have come meanwhile that all inputs have yet to read, so a source that was
 * idle holds the others back again until it has been silent anew. */
void mesh_engine_was_away(struct mesh_engine *engine, int64_t now_us, bool missed);
/* Let idle sources go, close windows that this lets close. Not while the broker is away. */
void mesh_engine_tick(struct mesh_engine *engine, int64_t now_us);

/* ---- commit ---- */
/* Whether a commit is due: something left to send, or state older than the interval. False while one is in flight. */
bool mesh_engine_commit_due(const struct mesh_engine *engine, int64_t now_us);
/* Append the frames of one commit of all tasks that have something to say. Returns false when there was nothing. The driver makes
 * them durable and then calls mesh_engine_durable(). */
bool mesh_engine_commit(struct mesh_engine *engine, int64_t now_us, struct mesh_buf *ret_frames);
void mesh_engine_durable(struct mesh_engine *engine);
/* Write everything again, however short the log is: what was removed is then in no segment any more. A round that has begun already does
 * not count. Commits are due until it is through. */
void mesh_engine_round_want(struct mesh_engine *engine);
/* The log may be trimmed: true when a new round starts, so that the driver cuts to a new segment before the next append ... */
bool mesh_engine_round_begin(struct mesh_engine *engine, uint64_t log_bytes);
/* ... and true, once, when all segments before that cut hold nothing that is needed. */
bool mesh_engine_round_done(struct mesh_engine *engine);

/* ---- output ---- */
struct mesh_message {
    uint32_t dest; /* port, internal, DLQ or late */
    const char *topic;
    int32_t partition;
    struct mesh_str key, value;
    const struct mesh_header *headers;
    uint32_t n_headers;
    int64_t time_us; /* Kafka timestamp: the event time */
    uint64_t ticket; /* for mesh_engine_acked() */
};

/* The schema id that this port writes from now on. */
void mesh_engine_set_port_id(struct mesh_engine *engine, uint32_t port, uint32_t id);
/* The next durable message to send, in order; false when there is none. Borrowed until it is acknowledged. */
bool mesh_engine_next_message(struct mesh_engine *engine, struct mesh_message *ret);
/* In any order; each once. */
void mesh_engine_acked(struct mesh_engine *engine, uint64_t ticket);
/* After the producer was rebuilt: hand out again everything that was not acknowledged. */
void mesh_engine_resend(struct mesh_engine *engine);

struct mesh_document {
    uint32_t port;
    struct mesh_str id; /* hex of window start and key: the _id */
    bool removed;
    uint64_t generation, n; /* the row's commit: only forward (DESIGN 9, rule 15) */
    const void *out;        /* the view's out struct, strings included; not when removed */
    uint64_t ticket;
};
bool mesh_engine_next_document(struct mesh_engine *engine, struct mesh_document *ret); /* borrowed until stored */
void mesh_engine_stored(struct mesh_engine *engine, uint64_t ticket);

/* An event of an SSE port. Each task numbers those of a port from 1 on, without a gap, and keeps the newest `replay` of them in its
 * state: what was handed out is handed out again after a restart, under the same numbers and with the same text. */
struct mesh_live_event {
    uint32_t port, task;
    uint64_t sequence;
    uint64_t oldest; /* the first one that is still kept; a jump of `sequence` beyond its predecessor: what lay between is not */
    int64_t time_us;
    bool removed;
    struct mesh_str text; /* until the engine is called again */
};
/* The next durable one that was not handed out in this run; in order for each task and port. */
bool mesh_engine_next_event(struct mesh_engine *engine, struct mesh_live_event *ret);
uint32_t mesh_engine_n_tasks(const struct mesh_engine *engine); /* also those of other shards */
/* How many shards there are: the most partitions that a topology has. */
int32_t mesh_engine_n_shards(const struct mesh_product *product, const int32_t *input_partitions);

/* ---- reading ---- */
enum mesh_read_windows { MESH_READ_ALL, MESH_READ_LATEST, MESH_READ_OPEN, MESH_READ_CLOSED };

struct mesh_read {
    uint32_t view;
    bool withhold; /* what `port` shows with consent alone; otherwise rows come as they are */
    uint32_t port;
    const struct mesh_key *key; /* point: the whole key; list: NULL */
    int64_t from_us, to_us;     /* windows that start in [from, to); INT64_MIN, INT64_MAX: all */
    enum mesh_read_windows windows;
    uint32_t limit;        /* at most this many rows */
    struct mesh_str after; /* list: rows whose place (window start, key bytes) is greater; empty: from the start */
    bool hidden;           /* also rows that have too few people in them: for tests of a product, no border sets it */
};

/* Copies of rows: out structs, whose strings live in `text`. */
struct mesh_rows {
    struct mesh_buf rows; /* n * out_size */
    struct mesh_buf text; /* strings are fixed up when the answer is complete */
    size_t n;
    bool more;                /* there are further rows */
    uint64_t count;           /* list: rows of the view in all windows asked for, filters apart */
    struct mesh_buf last;     /* place of the last row, for `after` */
    struct mesh_buf places;   /* of a shard's list: length (4) and place of each row, for mesh_rows_merge() */
    int64_t as_of_us;         /* smallest time up to which the tasks that answered have processed everything; INT64_MIN: none yet */
    uint64_t commit, durable; /* commits processed and durable, summed over the tasks: the same when nothing is pending */
};
void mesh_rows_deinit(struct mesh_rows *rows);

/* Rows of one key over its windows, newest window last; or of all keys in (window start, key) order across tasks. 0, also when
 * nothing was found (n == 0). */
int mesh_engine_point(struct mesh_engine *engine, const struct mesh_read *read, struct mesh_rows *ret, struct mesh_err *err);
int mesh_engine_list(struct mesh_engine *engine, const struct mesh_read *read, struct mesh_rows *ret, struct mesh_err *err);

/* One list of those that shards gave to the same question, at most `limit` rows; what they held is taken. Its `commit` and `durable` are sums,
 * its time is the earliest. */
void mesh_rows_merge(const struct mesh_view *view, struct mesh_rows *parts, size_t n, uint32_t limit, struct mesh_rows *ret);
/* In which partition the rows of this key are, when the view's topology has so many; -1: only the rows say. */
int32_t mesh_engine_place_of(const struct mesh_product *product, uint32_t view, const struct mesh_key *key, int32_t partitions);
/* How many partitions the tasks of this view have. */
int32_t mesh_engine_view_partitions(const struct mesh_product *product, uint32_t view, const int32_t *input_partitions);

/* `commit` and `durable` of an answer about this view, were it given now. */
void mesh_engine_marks(const struct mesh_engine *engine, uint32_t view, uint64_t *ret_commit, uint64_t *ret_durable);

/* ---- memory ---- */
struct mesh_engine_memory {
    uint64_t state_bytes;   /* of all states */
    uint64_t out_bytes;     /* of them: on the disk */
    uint64_t waiting_bytes; /* records held back, messages that are not acknowledged */
    const char *largest;    /* the state with most in memory; NULL: there is none */
    uint64_t largest_bytes;
};
void mesh_engine_memory(const struct mesh_engine *engine, struct mesh_engine_memory *ret);
/* Move at least so much of what was not used longest to the disk, or all that can be moved. RETRY: the disk does not take it. What was
 * moved until then is moved. Writes 2 MB at a time, so ask for little between two records. */
int mesh_engine_spill(struct mesh_engine *engine, uint64_t bytes, uint64_t *ret_moved, struct mesh_err *err);
/* What is on the disk need not be in memory, too. */
void mesh_engine_chill(struct mesh_engine *engine);
/* Nothing is wanted any more, until it is said again. */
void mesh_engine_pause(struct mesh_engine *engine, bool paused);

/* ---- what it is doing ---- */
struct mesh_source_info {
    uint32_t input;
    int32_t partition;
    int64_t position, end; /* end: -1 unknown */
    int64_t watermark_us;  /* INT64_MIN: none yet */
    bool idle, at_end;
    uint64_t trimmed; /* records lost to the broker's retention */
};
size_t mesh_engine_n_sources(const struct mesh_engine *engine);
void mesh_engine_source_info(const struct mesh_engine *engine, size_t i, struct mesh_source_info *ret);
bool mesh_engine_tables_loaded(const struct mesh_engine *engine); /* table inputs were read to their end */
uint64_t mesh_engine_generation(const struct mesh_engine *engine);
/* Non-NULL when a port or input has stopped: a sentence for /readyz. */
const char *mesh_engine_stopped(const struct mesh_engine *engine);

#endif
