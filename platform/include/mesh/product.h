/* A data product as constant tables: what generated code declares and the platform runs.
 *
 * The shape of a service:
 *
 *     input ----> task (topology x partition) ----> ports (Kafka), views (HTTP, MongoDB)
 *       |           |  decode, stream functions, state          ^
 *       |           +-- internal topic (records or partials) ---+--> task of another topology
 *       +-- table (every task of the topology has its own copy)
 *
 * A *topology* is a set of co-partitioned inputs and the steps they feed; a *task* is a topology at one partition: single-threaded,
 * with its own state, offsets and commits. Where the key changes, a record (or, for mergeable views, a partial aggregate) travels
 * through an internal topic to the task that owns the new key.
 *
 * Every table below is written by meshgen in designated initialisers; the indexes between them are enums of the generated code. All
 * pointers are to constants that live as long as the program. Times are microseconds.
 */
#ifndef MESH_PRODUCT_H
#define MESH_PRODUCT_H

#include "mesh/avro.h"
#include "mesh/expr.h"
#include "mesh/value.h"
#include "mesh/version.h"

struct mesh_task;
struct mesh_event;

#define MESH_KEY_BYTES_MAX 1024 /* encoded; a longer key rejects the record with "key.too_long" */

/* Where in the declaration something stands. */
struct mesh_site {
    const char *file; /* "domains/sales_fraud/product.yaml" */
    int line;
    const char *what; /* "streams.clean.steps[2] join" */
};

/* A version of a contract that an input accepts, or that an output is written with. */
struct mesh_contract {
    const char *name;     /* "sales_fraud/payment@1" */
    const char *subject;  /* registry subject, "<topic>-value" */
    uint32_t local_id;    /* contract/schema.h, used when no registry is configured */
    uint64_t fingerprint; /* CRC-64-AVRO */
    const char *json;     /* the .avsc, normalised */
};

enum mesh_input_kind {
    MESH_INPUT_STREAM,   /* a topic of the declaration */
    MESH_INPUT_TABLE,    /* a topic that is kept as a table */
    MESH_INPUT_RECORDS,  /* internal: records under a new key */
    MESH_INPUT_PARTIALS, /* internal: partial aggregates of views */
    MESH_INPUT_RETRY,    /* dead letters that come back; not in generated tables, every product gets it */
    MESH_INPUT_ERASURE,  /* requests to erase a person; not in generated tables either (erasure_topic) */
};

struct mesh_input {
    const char *name;
    const char *topic;
    enum mesh_input_kind kind;
    struct mesh_site site;
    int32_t partitions;                    /* expected; 0 = as many as the topology's first input */
    bool copy_all;                         /* table: every task reads every partition */
    const struct mesh_contract *contracts; /* accepted; [0] is the pinned one. NULL for internal inputs */
    uint32_t n_contracts;
    const char *const *upstreams; /* product input: names "domain/product" that write the topic; NULL: foreign writers */
    uint32_t n_upstreams;
    uint32_t record_size; /* bytes of the decoded struct, at most MESH_RECORD_BYTES_MAX */
    /* Decode one datum written with contracts[version]; borrows from it. Internal record inputs: version is 0. */
    void (*decode)(struct mesh_in *in, uint32_t version, void *record);
    int64_t (*event_time)(const void *record);
    /* The key that the record must have been partitioned by, as UTF-8 text; NULL: not checked. */
    struct mesh_str (*key)(const void *record, char *scratch /* 64 bytes */);
    /* The streams and views that read this input. */
    void (*process)(struct mesh_task *task, const struct mesh_event *event, const void *record);
    /* A hint, given before the record's turn: mesh_ahead() for each row that it will look up by members of its own. NULL: none. */
    void (*ahead)(struct mesh_task *task, const void *record, int64_t time_us);
    /* TABLE: a null value with this key text (event->key): remove the row. NULL: such a record is rejected, "null.value". */
    void (*removed)(struct mesh_task *task, const struct mesh_event *event);
    int64_t delay_us; /* watermark = newest event time - delay */
    int64_t
        idle_us; /* wall clock without records, at the log's end, after which it no longer holds the watermark back; 0 = never */
    int64_t wait_us;                   /* TABLE: that long, if longer, records wait for the first row of an empty one */
    int64_t ahead_us;                  /* an event time further past the record's Kafka timestamp is rejected */
    bool personal;                     /* its records hold personal fields */
    const struct mesh_field *subjects; /* strings of the decoded struct that are of a subject: one of them may be who is erased */
    uint32_t n_subjects;
    /* So many dead letters among 1,000 offsets of a partition stop it (maxErrorRate); 0: none do. */
    uint32_t letters_stop;
};

#define MESH_RECORD_BYTES_MAX 4096

enum mesh_state_kind {
    MESH_STATE_VIEW,     /* rows by key (and window), served */
    MESH_STATE_DEDUPE,   /* keys seen */
    MESH_STATE_TABLE,    /* newest record by key */
    MESH_STATE_VERSIONS, /* all records by key, ordered by the time they become valid */
    MESH_STATE_RING,     /* a key's events in time order, for sliding windows */
    MESH_STATE_PATTERN,  /* runs by key */
    MESH_STATE_LATCH,    /* a bool by key, for `rises` */
    MESH_STATE_INTERVAL, /* a key's records of another stream, for a join, and records that wait for theirs */
};

enum mesh_overlap { MESH_OVERLAP_SKIP, MESH_OVERLAP_ALL, MESH_OVERLAP_LATEST };
enum mesh_pick { MESH_PICK_LAST, MESH_PICK_FIRST, MESH_PICK_ALL };

enum mesh_window_kind { MESH_WINDOW_NONE, MESH_WINDOW_TUMBLING, MESH_WINDOW_HOPPING, MESH_WINDOW_SESSION };

/* Something a topology's tasks keep. Which members count depends on the kind. */
struct mesh_state {
    const char *name;
    enum mesh_state_kind kind;
    struct mesh_site site;

    /* The row: a C struct of the generated code, described member by member so that it can be checkpointed, freed and shown. Strings
     * in it are owned by the row: set them with mesh_row_set_str(). VIEW, TABLE, VERSIONS, PATTERN (what a run captured), INTERVAL
     * (what is kept of the other stream's records). */
    const struct mesh_field *fields;
    uint32_t n_fields;
    uint32_t row_size;
    const struct mesh_field *key; /* members of its key, in order; their offsets mean nothing. VIEW: see its view */
    uint32_t n_key;

    int64_t within_us; /* DEDUPE, PATTERN */
    int64_t keep_us;   /* VIEW: after the row's last event (no window) or the window's end; 0 = for ever.
                                      RING: the longest window + delay. VERSIONS: 0 */

    const enum mesh_type *cells; /* RING: what each event carries: MESH_LONG or MESH_DECIMAL (exact) or MESH_DOUBLE */
    uint32_t n_cells;

    /* PATTERN: how often each step must match; 0: what must not come before the next step. When the last one is such a step, the run is
     * complete when it has not come for absent_us. `capture` keeps what is read of a step's record (NULL: nothing); `complete` goes on
     * with a run, and with the record that completed it (NULL: that was time). */
    const uint16_t *times;
    uint32_t n_steps;
    int64_t absent_us;
    enum mesh_overlap overlap;
    void (*capture)(struct mesh_task *task, void *run, uint32_t step, const void *record);
    void (*complete)(struct mesh_task *task, const struct mesh_event *event, const void *run, const void *record);

    /* INTERVAL: a record at t finds those of the other stream in [t + from, t + to]. `waits` describes the records that ask, of which
     * copies are kept until all that they may find has come; `matched` goes on with one and what it found; NULL: nothing. */
    int64_t from_us, to_us;
    enum mesh_pick pick;
    const struct mesh_field *waits;
    uint32_t n_waits;
    uint32_t wait_size;
    void (*matched)(struct mesh_task *task, const struct mesh_event *event, const void *record, const void *other);

    const struct mesh_view *view; /* VIEW */
    bool partial;                 /* VIEW: this is the upstream half; emptied into the PARTIALS topic at every commit */
    uint32_t partial_of;          /* index of the state that the partials go to */
};

/* What the clocks of a time zone show, for as long as records can be about. */
struct mesh_zone_shift {
    int64_t at_s;     /* since 1970; from then on ... */
    int32_t offset_s; /* ... they are that far ahead of UTC */
};
struct mesh_zone {
    const char *name;                    /* "Europe/Berlin" */
    const struct mesh_zone_shift *steps; /* ascending; the first one holds always before the second */
    uint32_t n_steps;
};

/* The served side of a VIEW state. The `out` struct is what consumers see: key members, then window members, then `let` members. */
struct mesh_view {
    const char *name;
    const char *doc;
    struct mesh_site site;
    uint32_t state; /* index of its (final) state */
    const struct mesh_field *out;
    uint32_t n_out;
    uint32_t n_key; /* out[0..n_key) are the key, in order */
    uint32_t placed_by; /* the text of out[placed_by - 1] says in which partition a key's rows are; 0: the key's bytes do */
    uint32_t out_size;
    enum mesh_window_kind window;
    int64_t size_us, advance_us, grace_us;              /* SESSION: size_us is the gap */
    const struct mesh_zone *zone;                       /* TUMBLING: windows are its days, and size_us is 24 h; NULL: UTC */
    uint32_t min_people;                                /* hidden at borders until so many different people are in it; 0: never */
    uint16_t people;                                    /* with min_people: offset in the row, of mesh_people_add() */
    uint16_t window_start, window_end, final, revision; /* offsets in out: int64_t, int64_t, bool, int64_t; all views have revision,
                                                           only windowed ones the others */
    void (*init)(void *row);                            /* NULL: zeroes */
    void (*finish)(const void *row, void *out);         /* fills the let members; strings are borrowed from the row */
    /* `from` lies behind `into` in time, or their order makes no difference. NULL: not mergeable, and not SESSION */
    void (*merge)(void *into, const void *from);
    /* Called behind each change when a stream reads `changes` of this view; old is NULL for a new row. Both are out structs. A session
     * that became part of another has a last change, to an empty row: revision 0. */
    void (*changed)(struct mesh_task *task, const struct mesh_event *event, const void *old, const void *now);
};

enum mesh_port_kind { MESH_PORT_KAFKA, MESH_PORT_HTTP, MESH_PORT_MONGO, MESH_PORT_SSE };
enum mesh_emit { MESH_EMIT_EVENT, MESH_EMIT_CHANGE, MESH_EMIT_CLOSE };
enum mesh_delivery { MESH_AT_LEAST_ONCE, MESH_EXACTLY_ONCE };

/* A member that only some may see as the port shows it. */
struct mesh_mask {
    uint32_t member;        /* of what is shown */
    enum mesh_protect rule; /* what holds for who has none of these roles */
    const char *const *unless;
    uint32_t n_unless;
};

/* What a port shows of a row only with consent to a purpose. Numbers are places in the view's out. */
struct mesh_port_consent {
    const char *purpose;
    uint32_t granted; /* a bool: whether it is given */
    uint32_t given;   /* a time that may be null: when it was given last */
    const uint32_t *members;
    uint32_t n_members;
    bool row; /* without consent not the members are null: the row does not leave, and one that may have left is taken back */
};

struct mesh_port {
    const char *name;
    const char *doc;
    enum mesh_port_kind kind;
    struct mesh_site site;
    /* KAFKA */
    const char *topic;
    int32_t partitions;
    bool compact;
    const struct mesh_contract *contract;
    enum mesh_delivery delivery;
    enum mesh_emit emit; /* also SSE. EVENT: a stream sends with mesh_send(), mesh_tell(); CHANGE, CLOSE: rows of the view */
    /* Of a view's row (out struct): append the framed-later datum, and the key's text. CHANGE and CLOSE only. */
    void (*encode)(struct mesh_task *task, const void *out, struct mesh_out *value, struct mesh_out *key);
    /* HTTP, SSE: path; MONGO: collection. Of a view, unless emit is EVENT. */
    const char *path;
    const char *collection;
    uint32_t view;
    const enum mesh_protect *protect; /* per member of what is shown: what this border does with it; NULL: as the field says */
    /* SSE: what an event shows: members of the stream's record, or the view's out. */
    const struct mesh_field *out;
    uint32_t n_out;
    uint32_t replay; /* SSE: so many events each task keeps for readers that come back */
    /* HTTP, SSE: who may ask, where callers are known: one of these roles (none: everybody), and all of these purposes. */
    const char *const *roles, *const *purposes;
    uint32_t n_roles, n_purposes;
    const struct mesh_mask *masks; /* HTTP */
    uint32_t n_masks;
    const char *const
        *lookup; /* HTTP: who may ask for a row by a key that is protected: one of these roles (none: whoever may ask) */
    uint32_t n_lookup;
    const struct mesh_port_consent *consents;
    uint32_t n_consents;
};

/* An internal topic of the product. */
struct mesh_internal {
    const char *name;  /* "partials", "clean-by-terminal_id" */
    const char *topic; /* "mesh.sales_fraud.partials" */
    int32_t partitions;
    uint32_t input;                  /* the input that reads it */
    const uint32_t *from_topologies; /* whose tasks write it: until all of them were heard of, the reader's time stands still */
    uint32_t n_from;
};

struct mesh_topology {
    const char *name;
    const uint32_t *inputs; /* indexes; the first one names the partitions */
    uint32_t n_inputs;
    const uint32_t *states;
    uint32_t n_states;
    bool ordered; /* records of several inputs are released in event-time order through a buffer */
};

struct mesh_member {
    const char *username, *role;
};

/* What else the product says of itself, as JSON: {"asyncapi.json", "..."}. */
struct mesh_about {
    const char *path; /* below / or /products/NAME/; without the slash */
    const char *text; /* complete */
};

struct mesh_product {
    int abi; /* MESH_ABI */
    const char *domain, *name, *version, *status, *type;
    const char *purpose, *limitations, *usage;
    const char *team;
    const struct mesh_member *members;
    uint32_t n_members;
    const char *sla_latency, *sla_availability, *sla_retention;
    const char *declaration;               /* path of the YAML */
    const char *declaration_hash;          /* SHA-256, hex: checkpoints of another shape are refused */
    const char *state_hash;                /* of everything that shapes state and topology */
    const char *document;                  /* JSON for /.well-known/data-product, complete */
    const char *openapi;                   /* JSON for /openapi.json, complete */
    const struct mesh_about *documents; /* the others, up to one without a path; NULL: none */
    const char *pseudonym_key_env;         /* name of the variable that holds the pseudonym key */
    const char *dlq_topic, *late_topic;
    const char *erasure_topic, *receipts_topic; /* requests to erase a person, and what was done; NULL: there are none */
    const struct mesh_input *inputs;
    uint32_t n_inputs;
    const struct mesh_state *states;
    uint32_t n_states;
    const struct mesh_view *views;
    uint32_t n_views;
    const struct mesh_port *ports;
    uint32_t n_ports;
    const struct mesh_internal *internals;
    uint32_t n_internals;
    const struct mesh_topology *topologies;
    uint32_t n_topologies;
};

/* A service serves the products of one domain; its main() is one call. */
struct mesh_service {
    const char *domain;
    const struct mesh_product *const *products;
    uint32_t n_products;
    int http_port; /* default listen port */
};

int mesh_main(int argc, char **argv, const struct mesh_service *service);

#endif
