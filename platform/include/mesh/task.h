/* What generated stream functions call: the state and the borders of the task that runs them.
 *
 * All of it belongs to one thread, the task's. Everything handed out is borrowed: rows until the next call on the same state, scratch
 * memory and records until the stream function of this input record returns. Nothing here blocks.
 */
#ifndef MESH_TASK_H
#define MESH_TASK_H

#include "mesh/product.h"

/* The record at hand, while it runs through the stream functions. */
struct mesh_event {
    int64_t time_us;      /* event time */
    int64_t source_wm_us; /* watermark of its own source before it came: what "late" is judged by */
    bool late;            /* time_us < source_wm_us */
    bool again;           /* it failed in a stream before and comes back: steps that it had passed let it pass */
    uint32_t input;       /* index of the input */
    uint32_t version;     /* index of the contract that it was written with */
    uint32_t item;        /* of an array of the record, from 1; 0: the record as a whole */
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t kafka_time_us;
    struct mesh_str key, value; /* original bytes */
    const void *headers;        /* opaque to generated code */
};

/* ---- keys: a tuple of values as bytes that sort as the values do ---- */
struct mesh_key {
    uint32_t n;
    bool too_long;
    uint8_t bytes[MESH_KEY_BYTES_MAX];
};

static inline void mesh_key_begin(struct mesh_key *key)
{
    key->n = 0;
    key->too_long = false;
}
void mesh_key_str(struct mesh_key *key, struct mesh_str v); /* 00 escaped, 00 00 behind it */
void mesh_key_long(struct mesh_key *key, int64_t v);        /* 8 bytes, sign flipped, big-endian: ints, enums, times */
void mesh_key_bool(struct mesh_key *key, bool v);
void mesh_key_dec(struct mesh_key *key, mesh_dec v); /* 16 bytes */

/* ---- hints ---- */
#define MESH_AHEAD_MAX 8 /* for one record; further ones do nothing */
/* A record to come will look up this row (of the window at time_us): its memory is asked for. Only in an input's `ahead`. */
void mesh_ahead(struct mesh_task *task, uint32_t state, const struct mesh_key *key, int64_t time_us);

/* ---- steps ---- */
/* True for the first event of this key within `within` (|difference of event times|); false: a duplicate, counted here. */
bool mesh_dedupe(struct mesh_task *task, uint32_t state, const struct mesh_key *key, const struct mesh_event *event);

/* The newest row of a table, or the version in force at time_us; NULL when there is none. The row is the generated struct. */
const void *mesh_lookup(struct mesh_task *task, uint32_t state, const struct mesh_key *key);
const void *mesh_lookup_as_of(struct mesh_task *task, uint32_t state, const struct mesh_key *key, int64_t time_us);
/* For the process() of a table input: put a row (the struct's strings are copied), or remove it. */
void mesh_table_put(struct mesh_task *task, uint32_t state, const struct mesh_key *key, const struct mesh_event *event,
                    int64_t valid_from_us, const void *row);
void mesh_table_remove(struct mesh_task *task, uint32_t state, const struct mesh_key *key, const struct mesh_event *event);

/* Sliding windows: add the event to the key's ring, then ask for windows (t - delay - size, t - delay]. Cells are as declared. */
union mesh_cell {
    mesh_dec d;
    double f;
};
struct mesh_ring;
struct mesh_ring *mesh_ring_add(struct mesh_task *task, uint32_t state, const struct mesh_key *key, const struct mesh_event *event,
                                const union mesh_cell *cells);
/* Number of events in (from_us, to_us]; sums of each cell to ret_sums (n_cells), exact for d, in time order for f. */
int64_t mesh_ring_sum(const struct mesh_ring *ring, int64_t from_us, int64_t to_us, union mesh_cell *ret_sums);
/* Smallest and largest of one cell; false when the window is empty. */
bool mesh_ring_range(const struct mesh_ring *ring, int64_t from_us, int64_t to_us, uint32_t cell, union mesh_cell *ret_min,
                     union mesh_cell *ret_max);

/* Patterns: `hits` says which steps the record satisfies (bit i = step i). A record that satisfies the first step starts a run; a run
 * moves on at the first later record that satisfies its next step, and ends at one that satisfies a step that must not come before
 * that. Runs older than `within` (first to last event time) end. When a run completes, `complete` is called, and what else becomes of the
 * key's runs is its `overlap`: all of them end (SKIP); they go on (ALL); there is only one, which began last (LATEST).
 * When a pattern ends with an absence, the event is the last record's, at the time at which the absence was complete. */
void mesh_pattern(struct mesh_task *task, uint32_t state, const struct mesh_key *key, const struct mesh_event *event, uint64_t hits,
                  const void *record);

/* Interval join: keep a record of the other stream, by the key that it is looked up with. The struct's strings are copied. */
void mesh_interval_add(struct mesh_task *task, uint32_t state, const struct mesh_key *key, const struct mesh_event *event,
                       const void *row);
/* Find what belongs to this record, and call the state's `matched` for each (MESH_PICK_ALL) or for the one that is picked, or once with
 * NULL: at once when time has passed the interval's end, otherwise as soon as it has. Records at the same time are taken in the order
 * in which they came. What `matched` is given as event is this one, at time t + to when that is later than t: nothing that belongs
 * to the record is known before. */
void mesh_interval_join(struct mesh_task *task, uint32_t state, const struct mesh_key *key, const struct mesh_event *event,
                        const void *record);

/* Flatten: the event of the next item of the record's array, counted from 0. False: a dead letter comes back for another of its items,
 * and this one has been through. Behind the last one mesh_items_end(). */
bool mesh_item_begin(struct mesh_task *task, const struct mesh_event *event, uint32_t index, struct mesh_event *ret);
void mesh_items_end(struct mesh_task *task, const struct mesh_event *event);
/* An item is not what the contract says: the record goes to the dead letters as a whole, none of its items having been processed. */
void mesh_reject_items(struct mesh_task *task, const struct mesh_event *event, const struct mesh_site *site,
                       enum mesh_avro_fault fault);

/* True when `when` holds and the latch of this key was armed; then it is off until `rearm` holds. Armed at first. */
bool mesh_rises(struct mesh_task *task, uint32_t state, const struct mesh_key *key, const struct mesh_event *event, bool when,
                bool rearm);

/* ---- views ---- */
/* The row of the key (and the window of time_us) to fold into, made if new; its revision is raised and it is marked for the commit.
 * NULL: the window has closed: counted as late and routed here. Tumbling: one row. For hopping windows call with window = 0, 1, ...
 * until it returns NULL with *ret_done. */
void *mesh_view_row(struct mesh_task *task, uint32_t state, const struct mesh_key *key, const struct mesh_event *event);
void *mesh_view_row_hop(struct mesh_task *task, uint32_t state, const struct mesh_key *key, const struct mesh_event *event,
                        uint32_t window, bool *ret_done);
/* After the fold, when the view has `changed`: calls it with the row as it was before mesh_view_row and as it is now. */
void mesh_view_changed(struct mesh_task *task, uint32_t state, const struct mesh_event *event);
void mesh_view_remove(struct mesh_task *task, uint32_t state, const struct mesh_key *key, const struct mesh_event *event);
/* The row as it is, without making or marking it: for reads of the own state (`self`). NULL: none. */
const void *mesh_view_peek(struct mesh_task *task, uint32_t state, const struct mesh_key *key, const struct mesh_event *event);

/* Strings that rows own. */
void mesh_row_set_str(struct mesh_str *member, struct mesh_str v); /* copies, frees the old */

/* Sketches, which rows own: members of type bytes. The same values give the same bytes, in any order and by any way of merging. */
uint64_t mesh_hash_of_long(int64_t v);
uint64_t mesh_hash_of_dec(mesh_dec v);
uint64_t mesh_hash_of_double(double v);
uint64_t mesh_hash_of_str(struct mesh_str v);
/* How many different ones: exact up to 511, then with a standard error of 1.6 %; at most 4,096 bytes. */
void mesh_distinct_add(struct mesh_str *sketch, uint64_t hash);
void mesh_distinct_merge(struct mesh_str *into, struct mesh_str from);
int64_t mesh_distinct_count(struct mesh_str sketch);
/* The value at rank floor(q * (n - 1)), q in [0, 1], off by at most 1/129 of it; `whole`: of whole numbers, exact below 128. 0 without
 * values. NaN is left out. At most 2,048 buckets of 16 bytes, 64 for each factor of two: further ones, the lowest, become one. */
void mesh_quantile_add(struct mesh_str *sketch, double v);
void mesh_quantile_merge(struct mesh_str *into, struct mesh_str from);
double mesh_quantile_of(struct mesh_str sketch, double q, bool whole);

/* Who is in a row, until they are `min`: a member of type bytes, which the row owns. They are told apart by keyed hashes, which are
 * forgotten when there are enough. The same people give the same bytes, in any order and by any way of merging. After a change of the
 * pseudonym key, rows that are still hidden begin to count anew. */
void mesh_people_add(struct mesh_task *task, struct mesh_str *people, uint32_t min, const char *subject, struct mesh_str who);
void mesh_people_merge(struct mesh_str *into, struct mesh_str from, uint32_t min);

/* ---- borders ---- */
/* Send a record to a Kafka port, or to an internal topic under a new key. `value` is what the generated encoder wrote into
 * mesh_value(task); framing is added here. The partition is murmur2(key text). */
struct mesh_out *mesh_value(struct mesh_task *task); /* scratch, emptied */
void mesh_send(struct mesh_task *task, uint32_t port, struct mesh_str key_text, const struct mesh_event *event);
void mesh_send_internal(struct mesh_task *task, uint32_t internal, struct mesh_str key_text, const struct mesh_event *event);

/* Tell the readers of an SSE port of this record, once it is durable. `record` is described by the port's out. */
void mesh_tell(struct mesh_task *task, uint32_t port, const struct mesh_event *event, const void *record);

/* Pseudonym of a personal value: hex of the first 16 bytes of HMAC-SHA256(key of the mesh, subject, 0, value). Scratch memory. */
struct mesh_str mesh_pseudonym(struct mesh_task *task, const char *subject, struct mesh_str v);

/* The record cannot be processed at this step: dead letter with its original bytes; counted under the code. */
void mesh_reject(struct mesh_task *task, const struct mesh_event *event, const struct mesh_site *site, enum mesh_fault fault);
/* A step dropped the record as declared (join missing: skip, where: false is not counted): counted under the site. */
void mesh_skipped(struct mesh_task *task, const struct mesh_site *site);

/* Scratch memory until the stream function of this input record returns. */
void *mesh_scratch(struct mesh_task *task, uint32_t bytes);
/* Text of a value in scratch memory, as keys on Kafka are written: numbers in decimal, enums by symbol, times RFC 3339. */
struct mesh_str mesh_text_of_long(struct mesh_task *task, int64_t v);

#endif
