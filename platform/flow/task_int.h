/* What the files of the engine share: the task, its sources and states. Private to flow/.
 *
 * Names of time, all microseconds of event time:
 *     lane wm     newest event time of one source - delay; behind an internal topic: what the upstream task said last
 *     task wm     minimum over lanes that are not idle; when all streams are idle the greatest of theirs. Never goes back. A table
 *                 only holds it back: what is valid from tomorrow must not close today's windows
 *     release     where the task stands in the order of its records: what TTLs and closing go by. A function of the input alone, as
 *                 long as no source was taken for idle too early
 *     closed      up to here windows are final
 *     discard     minimum over all lanes that were heard of, idle or not: what may be forgotten
 *
 * Who calls what: input.c (admit a record) -> order.c (hold and release) -> task.c (apply) -> generated code -> step_*.c, view.c,
 * outbox.c, event.c; commit.c and restore.c write and read the log through the table of kinds in state.h.
 */
#ifndef MESH_FLOW_TASK_INT_H
#define MESH_FLOW_TASK_INT_H

#include "base/arena.h"
#include "base/check.h"
#include "base/vec.h"
#include "flow/engine.h"
#include "flow/log_int.h"
#include "flow/sequence.h"
#include "store/chain.h"
#include "store/heap.h"
#include "store/table.h"

#define MESH_FLOW_NEVER INT64_MIN

/* ---- reasons that are not Avro's or an expression's ---- */
enum mesh_flow_code {
    MESH_FLOW_FRAME_TRUNCATED = 1, /* 0: nothing is wrong */
    MESH_FLOW_FRAME_MAGIC,
    MESH_FLOW_SCHEMA_UNKNOWN,
    MESH_FLOW_KEY_MISMATCH,
    MESH_FLOW_KEY_TOO_LONG,
    MESH_FLOW_TIME_AHEAD,
    MESH_FLOW_NULL_VALUE,
    MESH_FLOW_ENVELOPE,
    MESH_FLOW_LATE,
    MESH_FLOW_SEALED,
    MESH_FLOW_SCHEMA_UNFIT,
    MESH_FLOW_SCHEMA_VALUE,
    MESH_FLOW_CODE_AVRO, /* + enum mesh_avro_fault */
    MESH_FLOW_CODE_FAULT = MESH_FLOW_CODE_AVRO + MESH_AVRO_FAULT_COUNT,
    MESH_FLOW_CODE_COUNT = MESH_FLOW_CODE_FAULT + MESH_FAULT_COUNT
};
const char *mesh_flow_code_text(unsigned code);

/* ---- sources ---- */
#define MESH_FLOW_REMOVED UINT32_MAX       /* version of a held record: a null value of a table, to remove a row */
#define MESH_FLOW_ERASED  (UINT32_MAX - 1) /* of one whose person was erased: nothing is left of it but its turn */

/* A record that waits for its turn; key, value and the decoded struct lie behind it. */
struct mesh_flow_held {
    int64_t order_us, place;
    int64_t time_us, source_wm_us, kafka_time_us, offset;
    struct mesh_str key, value;
    uint32_t version, datum_at, datum_n; /* to decode it again */
    /* Of `value`, what came. Behind it stands, of a record that a contract of its own wrote, what a plan made of it (flow/written.c). */
    uint32_t original_n;
    void *record;
};

struct mesh_flow_waiting {
    int64_t order_us, place;
    struct mesh_flow_held *held;
};

/* A stream of records with a watermark of its own: an input partition, or one upstream task within an internal one. */
struct mesh_flow_lane {
    struct mesh_flow_source *source;
    uint32_t input;
    uint32_t rank; /* its place among lanes of the same input: partition, or upstream task */
    int64_t wm_us; /* MESH_FLOW_NEVER: none yet */
    bool heard, idle, table;
    /* Order time of a record is at least the watermark before it + slack. 0, unless this is the only stream of its task: then delay, so
     * that its order times never go back and it is taken in offset order, however late its records are. */
    int64_t slack_us;
    /* internal: the upstream task */
    uint32_t from_topology;
    int32_t from_partition;
    uint64_t sequence; /* L; 0 = no contact */
    bool resync;       /* records were trimmed: the next sequence is taken as it is */
    /* the order buffer */
    struct mesh_store_chain chain;
    struct mesh_flow_waiting *fifo; /* ring of a power of two, ascending */
    uint32_t fifo_head, fifo_n, fifo_cap;
    struct mesh_flow_waiting *heap; /* those that came behind the newest of the fifo */
    uint32_t heap_n, heap_cap;
    uint64_t logged;  /* serials below are in the log, if they were still held then */
    uint64_t drained; /* serials below were released because everything was idle */
};

/* A task of another product that writes to an input of ours. */
struct mesh_flow_upstream {
    uint32_t product; /* index into the input's upstreams */
    uint32_t topology;
    int32_t partition;
    uint64_t generation;
    uint64_t sequence;
    bool resync;
};

/* One partition of one input, as one task reads it. */
struct mesh_flow_source {
    struct mesh_task *task;
    const struct mesh_input *decl;
    uint32_t input;
    int32_t partition;
    int64_t position; /* next offset; -1: from the earliest */
    int64_t end;      /* -1: unknown */
    int64_t limit;    /* read up to here; INT64_MAX: as far as there is (cutover.h) */
    bool at_end;
    bool loaded; /* table: was once read to its end */
    bool stopped;
    int64_t quiet_since_us; /* wall clock; MESH_FLOW_NEVER: not at the end, or no record yet */
    uint64_t trimmed;
    int64_t letters_block; /* the 1,000 offsets that `letters` were counted in */
    uint32_t letters;
    bool over_budget;
    bool was_idle;                /* before a restart: idle again as soon as nothing is found behind it */
    struct mesh_flow_lane *lanes; /* one; internal: one per upstream task */
    uint32_t n_lanes;
    MESH_VEC(struct mesh_flow_upstream) upstreams;
    size_t held_bytes;
};

/* ---- outbox ---- */
struct mesh_flow_letter {
    struct mesh_task *task;
    uint32_t dest;
    int32_t partition;
    uint64_t sequence;
    int64_t time_us;
    uint64_t n; /* commit that holds it */
    uint32_t bytes;
    uint32_t n_headers; /* the first one is "mesh", except on internal topics */
    struct mesh_str key, value;
    struct mesh_header headers[];
};

struct mesh_flow_outbox {
    struct mesh_store_chain chain;
    struct mesh_flow_letter *unlogged; /* first one that is in no commit */
    struct mesh_flow_letter *unsent;   /* first one that was not handed out */
};

/* ---- MongoDB ---- */
struct mesh_flow_docs; /* document.c: rows of one port that wait for MongoDB */

/* ---- server-sent events ---- */
struct mesh_flow_ring; /* event.c: the newest events of one port */

/* ---- states ---- */
struct mesh_flow_timer {
    int64_t due_us;
    uint32_t row;
};

struct mesh_flow_state {
    const struct mesh_state *decl;
    uint32_t index;
    struct mesh_task *task;
    struct mesh_store_table table;
    size_t owned_bytes;       /* what payloads own besides their row */
    MESH_VEC(uint32_t) dirty; /* row indexes; a row that is not flagged dirty was removed since */
    MESH_VEC(size_t) cuts;    /* places between operations of `deltas` where a chunk may end */
    struct mesh_buf deltas;   /* log operations in order: appends, removals. They go before the images of the commit */
    int64_t slice_us;         /* expiry buckets of rows without a window; 0: never */
    int64_t ttl_us;
    /* VIEW */
    const struct mesh_view *view;
    bool windowed;
    struct mesh_flow_sessions *sessions; /* NULL: its windows are no sessions */
    int64_t near_from_us, near_to_us;    /* the tumbling window asked for last: no division for its neighbours in time */
    bool has_change, has_close, has_docs;
    int64_t next_close_us, next_window; /* which window closes next, and when; of sessions only when */
    void *old;                          /* out struct before the change, for view->changed; its strings are scratch */
    bool has_old;
    uint32_t changed_row;      /* MESH_STORE_NONE: no change pending */
    uint32_t partial_internal; /* where partials go */
    int64_t answered_us;       /* INTERVAL: records up to here were answered because everything was idle */
    /* timer.c; next_close_us is then when the first one is due */
    struct mesh_flow_timer *timers;
    uint32_t n_timers, cap_timers;
    /* round */
    uint32_t sweep, sweep_end;
    struct mesh_metric *late, *duplicates;
};

#define MESH_FLOW_AHEAD 3 /* so many records early their rows are asked for; one record takes longer than one access to memory */

struct mesh_flow_hints {
    uint32_t n;
    struct {
        struct mesh_flow_state *state;
        uint32_t hash;
    } at[MESH_AHEAD_MAX];
};

/* ---- the task ---- */
struct mesh_task {
    struct mesh_engine *engine;
    const struct mesh_product *product;
    uint32_t index; /* among the tasks here */
    uint32_t place; /* among those of all shards */
    uint32_t topology;
    int32_t partition;
    struct mesh_flow_state **states; /* by the product's index; NULL: another topology's */
    struct mesh_flow_source *sources;
    uint32_t n_sources;
    struct mesh_flow_lane **lanes; /* tables first: at the same time, a row is there before the record that looks for it */
    uint32_t n_lanes;
    bool ordered;                /* and has more than one lane */
    struct mesh_flow_lane *sole; /* the only stream beside tables; NULL: there are more, or no tables */
    int64_t gate_us;             /* sole: the minimum over tables that are not idle: records from there on wait for them */
    int64_t direct_us;           /* sole: below it nothing waits and no table is awaited: no need for the buffer */
    int64_t floor_us;            /* sole: below it records wait for no table: another version let them go (cutover.h) */
    bool dirty;
    bool committing; /* commit n is being written: it holds everything that was processed */
    bool carry;      /* a round began: write all that waits, again */
    bool all_idle;
    int64_t wm_us, release_us, released_us, closed_us, discard_us;
    int64_t next_close_us; /* smallest of its states */
    uint64_t n, durable_n; /* commits */
    bool in_flight;        /* n is not durable */
    struct mesh_flow_outbox outbox;
    struct mesh_buf origin;        /* everything of the mesh header of a port but the sequence; empty: to be made */
    uint64_t *sequences;           /* per engine->dest_first[dest] + partition */
    MESH_VEC(uint64_t) orphans;    /* while restoring: serials of unacknowledged messages whose destination is gone */
    struct mesh_flow_docs **docs;  /* per port; NULL: none */
    uint64_t docs_acked;           /* commits up to here are in MongoDB */
    struct mesh_flow_ring **rings; /* per port; NULL: it has said nothing */
    /* heartbeats */
    bool sends_internal;
    int64_t beat_wm_us, beat_at_us;
    bool beat_idle, beaten;
    bool beat_undone; /* since beat_idle was said, a message followed: who got it takes this task for awake */
    /* the record at hand */
    const struct mesh_event *event;
    struct mesh_arena scratch;
    struct mesh_out value, key;
    bool late_sent, too_long_sent;
    struct mesh_flow_hints hints[MESH_FLOW_AHEAD]; /* of the records to come, newest at hints_at */
    uint32_t hints_at;
    uint8_t *records; /* MESH_FLOW_AHEAD + 1 of MESH_RECORD_BYTES_MAX, for decoding */
    struct mesh_flow_pseudonyms *pseudonyms;
    uint64_t erased_serial, erased_n; /* messages below, and documents of commits up to it, may show somebody who was erased */
    int64_t erased_until_us;          /* records of a later event time are of nobody who was erased; MESH_FLOW_NEVER: nobody was */
};

struct mesh_flow_pending_commit;

struct mesh_flow_claim {
    char text[MESH_ENGINE_CLAIM_TEXT];
};

struct mesh_flow_gone { /* a destination that was declared before */
    char *name;
    uint32_t partitions, first; /* its sequences in a task's */
};

struct mesh_flow_logged_dest { /* what a number stands for in the frames behind a claim */
    uint32_t now;              /* number today; from n_dests on: gone */
    uint32_t first, partitions;
};

struct mesh_flow_skip {
    const struct mesh_site *site;
    struct mesh_metric *metric;
};

struct mesh_engine {
    struct mesh_engine_conf conf; /* its id tables are copies, in conf_memory */
    struct mesh_arena conf_memory;
    int64_t published_us; /* gauges were brought up to date */
    const struct mesh_product *product;
    uint64_t generation, epoch;
    struct mesh_task **tasks;
    uint32_t n_tasks;
    uint32_t *topology_first; /* its first task here ... */
    uint32_t *topology_tasks; /* ... and how many there are: all partitions, or the shard's one, if it has so many */
    int32_t *topology_partitions;
    uint32_t n_tasks_everywhere;
    int32_t *input_partitions; /* copied from conf */
    uint32_t n_dests;
    int32_t *dest_partitions;
    uint32_t *dest_first; /* into a task's sequences */
    uint32_t n_sequences;
    MESH_VEC(struct mesh_flow_gone) gone;          /* destinations of before */
    MESH_VEC(struct mesh_flow_logged_dest) logged; /* of the claim that was read last; none: it has no table */
    char *product_name;                            /* "domain/name" */
    char *pseudonym_key;
    uint32_t pseudonym_key_n;
    struct mesh_flow_source **sources; /* all, in the order of source_info */
    uint32_t n_sources;
    struct mesh_flow_source **by_place; /* by (input, partition) */
    uint32_t *place_first;              /* per input: its partition 0 in place_sources */
    uint32_t *place_sources;            /* per (input, partition): where in by_place; one more at the end */
    char *stopped;
    uint32_t *port_ids;         /* conf.port_ids, to be changed */
    const char *reason;         /* of the letter that is being written, beside its code; NULL: none */
    struct mesh_buf translated; /* a value, and behind it what a plan made of it */
    int64_t now_us;

    bool in_flight;
    int64_t dirty_since_us;                    /* INT64_MAX: nothing to commit */
    uint64_t unlogged_letters, unsent_letters; /* waiting for a commit; durable or not, not handed out */
    uint32_t worked;                           /* since conf.between was called */
    uint32_t send_task;
    size_t outbox_bytes, held_bytes;
    struct mesh_store_heap heap; /* what rows own */
    bool paused;
    size_t documents; /* waiting */
    uint64_t unsent_events;
    uint32_t document_task, document_port;
    struct mesh_buf out, envelope; /* scratch of messages */

    /* rounds */
    uint8_t round; /* 0: none yet */
    /* Requests of no commit yet, of one that is not durable, and durable ones whose round has to wait for what is on its way out. */
    bool erased_unlogged, erased_in_flight, erased_waits;
    bool round_wanted, round_hurry, round_active, round_swept, round_done, round_claim;
    uint64_t log_bytes; /* appended since the last round */

    /* recovery */
    bool restoring, restored, claimed;
    struct mesh_flow_pending_commit *pending;
    uint64_t newest_epoch, log_format; /* of the claim that was read last */
    char claim[MESH_ENGINE_CLAIM_TEXT];
    MESH_VEC(struct mesh_flow_claim) claims;
    bool shape_seen;

    struct mesh_metrics *metrics, *own_metrics;
    struct mesh_metric **m_records;  /* per input */
    struct mesh_metric **m_rejected; /* per input x code */
    struct mesh_metric *m_idle_late, *m_table_late, *m_commits, *m_commit_bytes, *m_outbox, *m_held, *m_state_bytes, *m_out_bytes,
        *m_runs_dropped, *m_interval_dropped, *m_generation_skipped, *m_upstream_duplicates, *m_unsequenced, *m_orphans,
        *m_succeeded, *m_erased;
    struct mesh_metric **m_state_rows, **m_table_bytes, **m_watermarks;
    MESH_VEC(struct mesh_metric *) m_denied; /* of each port's consents, one behind the other */
    MESH_VEC(struct mesh_flow_skip) skips;
};

/* ---- engine.c ---- */
void mesh_flow_add_claim(struct mesh_engine *engine, struct mesh_str claim);
void mesh_flow_stop(struct mesh_engine *engine, struct mesh_flow_source *source, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void mesh_flow_mark_dirty(struct mesh_task *task);
/* NULL: there is none, or it belongs to another shard. */
struct mesh_task *mesh_flow_task_at(const struct mesh_engine *engine, uint64_t topology, uint64_t partition);
/* Of the tasks that read a partition, in whatever shard, this one is the first. */
bool mesh_flow_reads_first(const struct mesh_task *task, uint32_t input, int32_t partition);
void mesh_flow_publish(struct mesh_engine *engine); /* gauges */
/* Work like that of n records was done, and the tasks are whole: perhaps it is time to let the driver in. */
static inline void mesh_flow_worked(struct mesh_engine *engine, uint32_t n)
{
    engine->worked += n;
    if (engine->worked < MESH_FLOW_SLICE)
        return;
    engine->worked = 0;
    if (engine->conf.between != NULL && engine->restored)
        engine->conf.between(engine->conf.between_context);
}

/* ---- task.c ---- */
struct mesh_task *mesh_flow_task_new(struct mesh_engine *engine, uint32_t topology, int32_t partition, uint32_t index);
void mesh_flow_task_free(struct mesh_task *task);
/* Run the streams over one record at this place of the order. */
void mesh_flow_apply(struct mesh_task *task, const struct mesh_flow_lane *lane, struct mesh_event *event, const void *record,
                     int64_t release_us);
/* Around all that runs for one record. */
void mesh_flow_begin(struct mesh_task *task, const struct mesh_event *event);
void mesh_flow_end(struct mesh_task *task);
/* Behind a batch or a tick: what time allows now. */
void mesh_flow_settle(struct mesh_task *task);
void mesh_flow_drop_expired(struct mesh_task *task);
bool mesh_flow_key_ok(struct mesh_task *task, const struct mesh_key *key, const struct mesh_site *site);

/* ---- input.c ---- */
int mesh_flow_feed_task(struct mesh_flow_source *source, const struct mesh_record *records, size_t n);

/* A record that comes again: processed at once, where the task stands. `event` is of its first coming. */
void mesh_flow_feed_again(struct mesh_flow_source *source, const struct mesh_record *record, const struct mesh_event *event);

/* ---- budget.c ---- */
/* This record became a dead letter. */
void mesh_flow_budget_letter(struct mesh_task *task, const struct mesh_event *event);
void mesh_flow_budget_write(const struct mesh_flow_source *source, struct mesh_buf *out);
void mesh_flow_budget_read(struct mesh_flow_source *source, struct mesh_cursor *in);
void mesh_flow_budget_restored(struct mesh_flow_source *source);

/* ---- retry.c ---- */
void mesh_flow_feed_letter(struct mesh_flow_source *retry, const struct mesh_record *record);
/* How often a record with these headers was tried again; 0: it is the first time. */
uint64_t mesh_flow_attempts(const struct mesh_header *headers, uint32_t n);

/* ---- source.c ---- */
void mesh_flow_lane_advance(struct mesh_task *task, struct mesh_flow_lane *lane, int64_t wm_us);
void mesh_flow_watermark(struct mesh_task *task); /* recompute the minimum */
bool mesh_flow_source_at_end(struct mesh_flow_source *source, int64_t end, int64_t now_us);
/* Nothing could be read for a while, and records may have come meanwhile: not idle until the end is seen again, or silence. */
void mesh_flow_source_doubt(struct mesh_flow_source *source);
bool mesh_flow_source_tick(struct mesh_flow_source *source, int64_t now_us); /* true: idle changed */
/* 1: process; 0: skip it (counted); -1: the source stopped. */
int mesh_flow_sequence_check(struct mesh_flow_source *source, const struct mesh_flow_origin *origin, uint64_t *last, bool *resync);

/* ---- order.c ---- */
static inline int64_t mesh_flow_order_of(const struct mesh_flow_lane *lane, int64_t time_us, int64_t source_wm_us)
{
    if (source_wm_us == MESH_FLOW_NEVER ||
        lane->table) /* tables are often loaded in the order of their keys: each row has its own time */
        return time_us;
    int64_t least = source_wm_us + lane->slack_us;
    return time_us > least ? time_us : least;
}
/* No record of this lane will come with a smaller order time. */
static inline int64_t mesh_flow_frontier(const struct mesh_flow_lane *lane)
{
    return lane->wm_us == MESH_FLOW_NEVER ? MESH_FLOW_NEVER : lane->wm_us + lane->slack_us;
}
bool mesh_flow_lane_before(const struct mesh_flow_lane *a, const struct mesh_flow_lane *b); /* at the same order time */
/* The smallest order time that is held; INT64_MAX: none. */
int64_t mesh_flow_first_held(const struct mesh_task *task);
/* Room in the order buffer for a record and its struct; key and value are copied. Its order time follows from event->time_us, which may
 * still be unknown. */
struct mesh_flow_held *mesh_flow_hold(struct mesh_task *task, struct mesh_flow_lane *lane, const struct mesh_event *event,
                                      int64_t place, size_t record_size);
/* Take back the one that was held last. */
void mesh_flow_held_cancel(struct mesh_task *task, struct mesh_flow_lane *lane, struct mesh_flow_held *held);
void mesh_flow_release(struct mesh_task *task);
void mesh_flow_held_free(struct mesh_task *task, struct mesh_flow_lane *lane, struct mesh_flow_held *held);
void mesh_flow_lane_deinit(struct mesh_flow_lane *lane);
/* Put a held record (of a restored log) into the queue. */
void mesh_flow_enqueue(struct mesh_flow_lane *lane, struct mesh_flow_held *held);

/* ---- ahead.c ---- */
/* Ask for what this record will touch, and one step further for the two that were named before it. */
void mesh_flow_look_ahead(struct mesh_task *task, const struct mesh_input *decl, const void *record, int64_t time_us);

/* What a held record is logged with, so that it is decoded by the contract that wrote it, whatever its index is by then; 0: internal. */
static inline uint32_t mesh_flow_contract_id(const struct mesh_input *decl, uint32_t version)
{
    if (version >= MESH_FLOW_ERASED) /* or REMOVED */
        return version;
    return version < decl->n_contracts ? decl->contracts[version].local_id : 0;
}
/* 0 or the code of what is wrong. */
/* The last one of that name, or NULL. */
const struct mesh_header *mesh_flow_find_header(const struct mesh_record *record, struct mesh_str name);
/* written.c: which schema wrote a record, and what a plan makes of it. */
struct mesh_flow_written {
    uint32_t version;                /* what to decode `datum` with */
    const struct mesh_resolve *plan; /* NULL: `datum` was written with that version */
    const char *why;                 /* MESH_FLOW_SCHEMA_UNFIT: the reason; or NULL */
    struct mesh_str datum;
};
/* 0 or the code of what is wrong. */
unsigned mesh_flow_written_by(const struct mesh_flow_source *source, const struct mesh_record *record,
                              struct mesh_flow_written *ret);
/* By the plan: *ret_both is the value that came and the new datum behind it, which `written` then points at. Until the next call. */
unsigned mesh_flow_translate(struct mesh_engine *engine, struct mesh_str value, struct mesh_flow_written *written,
                             struct mesh_str *ret_both);

unsigned mesh_flow_decode(const struct mesh_input *decl, uint32_t version, struct mesh_str datum, void *to);

/* ---- dest.c ---- */
void mesh_flow_dests_init(struct mesh_engine *engine);
void mesh_flow_dests_deinit(struct mesh_engine *engine);
/* The table of a claim. */
void mesh_flow_dests_write(const struct mesh_engine *engine, struct mesh_buf *out);
bool mesh_flow_dests_read(struct mesh_engine *engine, struct mesh_cursor *in);
/* Of a number in the log: today's, engine->n_dests or more when the destination is gone, UINT32_MAX when it never was one. */
uint32_t mesh_flow_dest_now(const struct mesh_engine *engine, uint32_t logged);
/* Where the sequence with this number in the log belongs; NULL: nowhere any more, or (not *ret_ok) it never was one. */
uint64_t *mesh_flow_dest_sequence(const struct mesh_task *task, uint64_t logged, bool *ret_ok);

/* ---- outbox.c ---- */
const char *mesh_flow_dest_topic(const struct mesh_product *product, uint32_t dest); /* NULL: not a Kafka port */
/* value = head + body. Headers are copied; "mesh" is added. key.p == NULL: null; body.p == NULL and no head: null. */
void mesh_flow_outbox_add(struct mesh_task *task, uint32_t dest, int32_t partition, struct mesh_str key, struct mesh_str head,
                          struct mesh_str body, const struct mesh_header *headers, uint32_t n_headers, int64_t time_us);
/* On an internal topic; the envelope's origin is filled in. */
void mesh_flow_outbox_internal(struct mesh_task *task, uint32_t internal, int32_t partition, struct mesh_str key,
                               enum mesh_flow_envelope_kind kind, int64_t watermark_us, bool idle, struct mesh_str payload,
                               int64_t time_us);
void mesh_flow_outbox_log(struct mesh_task *task, const struct mesh_flow_letter *letter, struct mesh_buf *out);
bool mesh_flow_outbox_restore(struct mesh_task *task, struct mesh_cursor *in);
uint64_t mesh_flow_outbox_lowest(const struct mesh_task *task); /* serial of the first unacknowledged */

/* ---- letter.c ---- */
/* `headers` are the original ones of the record, or NULL. */
void mesh_flow_reject(struct mesh_task *task, const struct mesh_event *event, const struct mesh_site *site, unsigned code,
                      const struct mesh_header *headers, uint32_t n_headers);
void mesh_flow_late(struct mesh_task *task, struct mesh_flow_state *state, const struct mesh_event *event);

/* ---- view.c, view_out.c ---- */
struct mesh_flow_view_row { /* in front of the generated row */
    int64_t revision;
    int64_t time_us;       /* newest event */
    uint64_t n;            /* commit of the last change */
    uint32_t older, newer; /* SESSION: the key's neighbours, row index + 1; 0: none */
};
_Static_assert(sizeof(struct mesh_flow_view_row) % 16 == 0, "the generated row is aligned");

static inline void *mesh_flow_view_data(struct mesh_store_row *row)
{
    return (struct mesh_flow_view_row *)mesh_store_row_payload(row) + 1;
}
/* The final row of a window (or key), made when new. Not of sessions. */
struct mesh_store_row *mesh_flow_view_touch(struct mesh_flow_state *state, int64_t window, const void *key, size_t key_n,
                                            int64_t time_us, uint64_t folded);
void mesh_flow_view_notify(struct mesh_flow_state *state, const struct mesh_event *event);
void mesh_flow_close_windows(struct mesh_task *task, int64_t until_us);
void mesh_flow_view_restored(struct mesh_flow_state *state); /* finds its next window to close */
void mesh_flow_view_emit(struct mesh_flow_state *state);     /* CHANGE and CLOSE ports and documents, at commit */
/* No window of the view is longer; sessions apart. */
static inline int64_t mesh_flow_window_longest(const struct mesh_view *view)
{
    return view->zone == NULL ? view->size_us : 2 * view->size_us; /* a day on which the clocks go back */
}
/* Of the window that begins there; of a session also its newest event counts. */
int64_t mesh_flow_window_end(const struct mesh_flow_state *state, int64_t window, int64_t newest_us);
static inline bool mesh_flow_window_closed(const struct mesh_flow_state *state, int64_t window, int64_t newest_us, int64_t wm_us)
{
    return mesh_flow_window_end(state, window, newest_us) + state->view->grace_us <= wm_us;
}
/* Keep what the row shows, before it changes, for view->changed. */
void mesh_flow_view_remember(struct mesh_flow_state *state, struct mesh_store_row *row, bool is_new);
/* Fill the out struct; borrows from row, key and scratch. The generated row lies behind `head`. */
void mesh_flow_view_out(const struct mesh_flow_state *state, int64_t window, const uint8_t *key, size_t key_n,
                        const struct mesh_flow_view_row *head, struct mesh_arena *scratch, void *out);
/* What is shown of a session that became part of another: an empty row of an empty window. */
void mesh_flow_view_out_gone(const struct mesh_flow_state *state, int64_t window, const uint8_t *key, size_t key_n,
                             struct mesh_arena *scratch, void *out);
/* Its window closes: messages of CLOSE ports, and `final` changed. `out` is room for an out struct. */
void mesh_flow_view_close(struct mesh_flow_state *state, struct mesh_store_row *row, void *out);
/* A session goes into another: readers of changes and of closed windows are told. It is still there. */
void mesh_flow_view_gone(struct mesh_flow_state *state, struct mesh_store_row *row, const struct mesh_event *event);

/* ---- erase.c ---- */
struct mesh_flow_subject { /* who is erased; NUL-terminated, too */
    struct mesh_str kind, id, pseudonym;
};
bool mesh_flow_is_subject(const struct mesh_flow_subject *subject, const struct mesh_field *field, const void *row);
bool mesh_flow_holds_subject(const struct mesh_flow_subject *subject, const struct mesh_field *fields, uint32_t n, const void *row);
bool mesh_flow_erases(const struct mesh_product *product);
void mesh_flow_feed_erasure(struct mesh_flow_source *source, const struct mesh_record *record);
/* Whether a record of this event time is of somebody who was erased since. */
bool mesh_flow_erased(struct mesh_task *task, const struct mesh_input *decl, const void *record, int64_t time_us);
bool mesh_flow_key_erased(const struct mesh_flow_state *state, struct mesh_str key, int64_t time_us);
/* The bytes of a record that waits: its turn comes, and nothing happens. */
void mesh_flow_empty_held(const struct mesh_input *decl, struct mesh_flow_held *held);
/* A round begins, or what lay before one is gone. */
void mesh_flow_erasures_round(struct mesh_engine *engine, bool done);
/* Whether everything that was on its way out when somebody was erased has arrived: a round would write it again. */
bool mesh_flow_erasures_are_out(const struct mesh_engine *engine);
void mesh_flow_erasures_restored(struct mesh_engine *engine);

/* ---- consent.c ---- */
void mesh_flow_consents_metrics(struct mesh_engine *engine);
enum mesh_flow_withheld {
    MESH_FLOW_SHOWN,         /* as `out` is now */
    MESH_FLOW_ROW_UNSENT,    /* the row does not leave here, and never did */
    MESH_FLOW_ROW_WITHDRAWN, /* nor any more: what was sent of it is to be taken back */
};
/* Make null what this port must not show of a view's row for want of consent, counted. `out` is the caller's own. */
enum mesh_flow_withheld mesh_flow_withhold(const struct mesh_engine *engine, uint32_t port, void *out);
/* For the row as it is now: key (in task->key) and value of its message at this port; false: this port does not show it. And send it, if it
 * is shown. `out` is room for an out struct. */
bool mesh_flow_view_message(struct mesh_flow_state *state, uint32_t port, struct mesh_store_row *row, void *out,
                            struct mesh_str *ret_key, struct mesh_buf *ret_value);
void mesh_flow_view_send(struct mesh_flow_state *state, uint32_t port, struct mesh_store_row *row, void *out);

/* ---- zone.c ---- */
/* The zone's day that holds this time. */
void mesh_flow_zone_day(const struct mesh_zone *zone, int64_t time_us, int64_t *ret_from_us, int64_t *ret_to_us);

/* ---- view_session.c ---- */
struct mesh_flow_sessions; /* the sessions of each key: derived from the rows */
struct mesh_flow_sessions *mesh_flow_sessions_new(void);
void mesh_flow_sessions_free(struct mesh_flow_sessions *sessions);
void mesh_flow_sessions_restored(struct mesh_flow_state *state);
size_t mesh_flow_sessions_bytes(const struct mesh_flow_sessions *sessions);
/* The row to fold the record into; those that it joins have become one. NULL: late. */
struct mesh_store_row *mesh_flow_session_row(struct mesh_flow_state *state, const struct mesh_key *key,
                                             const struct mesh_event *event);
void mesh_flow_session_drop(struct mesh_flow_state *state, struct mesh_store_row *row); /* before its memory goes */
/* Its timer: it closes, unless it went on. */
void mesh_flow_session_due(struct mesh_flow_state *state, struct mesh_store_row *row, int64_t at_us);
/* The key's newest session; NULL: none. */
struct mesh_store_row *mesh_flow_session_newest(const struct mesh_flow_state *state, const void *key, size_t key_n);
struct mesh_store_row *mesh_flow_session_older(const struct mesh_flow_state *state, struct mesh_store_row *row);
struct mesh_store_row *mesh_flow_session_newer(const struct mesh_flow_state *state, struct mesh_store_row *row);

/* ---- partial.c ---- */
void mesh_flow_partials_emit(struct mesh_flow_state *state);
bool mesh_flow_partial_apply(struct mesh_task *task, struct mesh_flow_lane *lane, const struct mesh_event *event,
                             struct mesh_str payload);
void mesh_flow_heartbeats(struct mesh_task *task, int64_t now_us);
bool mesh_flow_heartbeat_owed(const struct mesh_task *task);
bool mesh_flow_sends_to(const struct mesh_product *product, uint32_t internal, uint32_t topology);

/* ---- timer.c ---- */
/* When time has passed due_us, the kind's `due` is called for this row: before any record or window with a later time, in the order of
 * (time, key bytes). The row may be gone by then, or have nothing due: timers are not taken back. They are not in the log either:
 * `restored` sets them anew. */
void mesh_flow_timer_set(struct mesh_flow_state *state, const struct mesh_store_row *row, int64_t due_us);
/* All rows of the earliest time. */
void mesh_flow_timers_pass(struct mesh_flow_state *state);

/* ---- kept.c ---- */
struct mesh_flow_kept { /* behind it: room, aligned for what generated structs hold (decimals), key and value */
    _Alignas(16) struct mesh_event event;
    size_t room_n;
};
_Static_assert(sizeof(struct mesh_flow_kept) % 16 == 0, "the generated struct behind it is aligned");
/* A copy, and `room` zeroed bytes beside it; freed with free(). */
struct mesh_flow_kept *mesh_flow_keep(const struct mesh_event *event, size_t room);
void *mesh_flow_kept_room(struct mesh_flow_kept *kept);
size_t mesh_flow_kept_bytes(const struct mesh_flow_kept *kept);
/* Without its room, which is the caller's to write and read. NULL: not one. */
void mesh_flow_kept_write(const struct mesh_flow_kept *kept, struct mesh_buf *out);
struct mesh_flow_kept *mesh_flow_kept_read(const struct mesh_product *product, size_t room, struct mesh_cursor *in);

/* ---- step_interval.c ---- */
#define MESH_FLOW_INTERVAL_MAX 65536 /* records of the other stream that a key keeps; one more lets the oldest go, counted */
/* How long before the task's place in the order a record of the other stream can still be found. */
int64_t mesh_flow_interval_reach(const struct mesh_state *decl);
/* Everything is idle: what waits only for records of its own time waits no longer. */
void mesh_flow_intervals_idle(struct mesh_task *task);

/* ---- document.c ---- */
struct mesh_flow_docs *mesh_flow_docs_new(struct mesh_flow_state *state, uint32_t port);
void mesh_flow_docs_free(struct mesh_flow_docs *docs);
void mesh_flow_docs_put(struct mesh_flow_docs *docs, int64_t window, const void *key, size_t key_n, uint64_t n, bool removed,
                        struct mesh_str image);
uint64_t mesh_flow_docs_lowest(const struct mesh_flow_docs *docs); /* first commit with an unstored document; UINT64_MAX: none */
/* Removed rows whose documents wait, as log operations. */
void mesh_flow_docs_log_removed(const struct mesh_flow_docs *docs, struct mesh_buf *out);
void mesh_flow_docs_restored(struct mesh_task *task);

/* ---- event.c ---- */
void mesh_flow_rings_free(struct mesh_task *task);
uint64_t mesh_flow_rings_bytes(const struct mesh_task *task); /* of texts, about what a round writes */
/* A row of a view, as an out struct, at a port of kind SSE. */
void mesh_flow_tell(struct mesh_task *task, uint32_t port, const void *out, int64_t time_us, bool removed);
struct mesh_flow_writer;
/* Events that show the person, or a pseudonym; how many. */
uint64_t mesh_flow_rings_forget(struct mesh_task *task, const struct mesh_flow_subject *subject);
bool mesh_flow_ring_restore_gone(struct mesh_task *task, struct mesh_cursor *in);
void mesh_flow_rings_write(struct mesh_flow_writer *writer); /* with a commit */
bool mesh_flow_ring_restore(struct mesh_task *task, struct mesh_cursor *in);
bool mesh_flow_ring_restore_next(struct mesh_task *task, struct mesh_cursor *in);

void mesh_flow_pending_free(struct mesh_engine *engine);

/* ---- people.c ---- */
bool mesh_flow_people_enough(const struct mesh_str *set, uint32_t min);
/* Who is erased is no more among those that are counted; false: was not, or they are not known any more. */
bool mesh_flow_people_forget(struct mesh_str *set, struct mesh_str pseudonym);
/* Too few people are in it: no border shows that it is there. */
static inline bool mesh_flow_view_hidden(const struct mesh_view *view, const struct mesh_flow_view_row *head)
{
    return view->min_people > 0 &&
           !mesh_flow_people_enough((const struct mesh_str *)((const char *)(head + 1) + view->people), view->min_people);
}

/* ---- pseudonym.c ---- */
void mesh_flow_pseudonyms_forget(struct mesh_task *task); /* all that is cached */
/* Tells keys apart, and says nothing of them. */
uint32_t mesh_flow_pseudonym_key_id(struct mesh_task *task);
void mesh_flow_pseudonyms_free(struct mesh_flow_pseudonyms *cache);

/* ---- key.c ---- */
/* Decode one member of a key into an out struct; strings with zeros in them go to scratch. Returns what is left. */
bool mesh_flow_key_member(const uint8_t **p, const uint8_t *end, const struct mesh_field *field, struct mesh_arena *scratch,
                          void *out);

static inline int64_t mesh_flow_floor(int64_t v, int64_t unit)
{
    int64_t r = v % unit;
    return v - (r < 0 ? r + unit : r);
}

#endif
