/* What the worker's files share. Private to app/.
 *
 *     worker.c         the thread and its loop
 *     worker_state.c   the state's folder: open, restore, set aside, begin anew; the engine
 *     worker_shard.c   the same for a shard, whose state is in Kafka
 *     worker_topics.c  which topics the product has; what the link found
 *     worker_in.c      records from the source into the engine
 *     worker_out.c     commits, messages, documents
 *     worker_live.c    server-sent events
 *     worker_cutover.c its role among the versions of the product
 *     worker_ready.c   what /readyz shows
 *     worker_schemas.c records whose schema is not known yet
 *     worker_refused.c a broker that does not accept us
 */
#ifndef MESH_APP_WORKER_INT_H
#define MESH_APP_WORKER_INT_H

#include "app/committer.h"
#include "app/known.h"
#include "app/mailbox.h"
#include "app/memory.h"
#include "app/schemas.h"
#include "app/worker.h"
#include "base/check.h"
#include "base/vec.h"
#include "flow/role.h"
#include "io/kafka_link.h"
#include "io/kafka_log.h"
#include "io/kafka_sink.h"
#include "io/kafka_source.h"
#include "io/mongo.h"
#include "store/journal.h"
#include "store/log.h"

/* A copy of what the thread knows, for others; under `lock`. */
struct mesh_worker_status {
    enum mesh_worker_phase phase;
    enum mesh_role_word role;
    int64_t from_us; /* its history begins there; INT64_MIN: at the earliest records */
    struct mesh_err err;
    struct mesh_link_info link;
    enum mesh_kafka_source_state group;
    bool has_group;
    bool tables_loaded;
    uint64_t generation;
    uint64_t commits;
    char stopped[512];                    /* the engine's own words */
    char refused[MESH_KAFKA_REFUSAL_MAX]; /* by a broker: why; "": not */
    struct mesh_mongo_info mongo;
    struct mesh_memory memory; /* to show */
    bool has_mongo;
    char schemas[MESH_SCHEMAS_WHY_MAX]; /* why it waits for the registry; "": it does not */
    uint32_t held_back;
    MESH_VEC(struct mesh_source_info) sources;
    MESH_VEC(char *) dest_stopped; /* per destination, NULL or text; owned */
    struct mesh_lease_mark mark;   /* of a shard: what others are told of its state */
    int64_t epoch;
};

/* worker_cutover.c: what it is to other versions, and how far it is with what it was told. */
struct mesh_worker_cutover {
    struct mesh_role role, order; /* order.order == 0: none */
    int stage;
    size_t next_mark;
    bool announcing; /* the last word of its ports is on its way: nothing is read before */
    bool again;      /* start anew, under its new role */
    int64_t looked_us;
    uint64_t order_inode;
    int64_t order_s, order_ns;
};

struct mesh_worker {
    const struct mesh_product *product;
    const struct mesh_config *config;
    struct mesh_str pseudonym_key;
    struct mesh_metrics *metrics, *part; /* part: of a shard, and is freed */
    bool sharded;
    struct mesh_worker_shard shard;
    atomic_bool abandoned, standby;
    char *name;  /* "sales_fraud/sales_fraud" */
    char *group; /* "mesh.sales_fraud.sales_fraud" */
    char *dir;
    pthread_t thread;
    bool started;
    void (*ended)(void *context);
    void *ended_context;
    atomic_bool stop;
    _Atomic(int64_t) round_us;
    struct mesh_arena arena; /* of the product with its own inputs */
    struct mesh_wake wake;
    struct mesh_mailbox mailbox;
    struct mesh_errand *waiting; /* for a commit; the thread's own */
    uint32_t n_waiting;
    int64_t questions_from_us; /* monotonic: before it, work comes first */

    pthread_mutex_t lock;
    struct mesh_worker_status status;
    int64_t status_us;

    /* state */
    struct mesh_known known;
    struct mesh_journal journal;
    struct mesh_store_cipher *cipher; /* of what the journal holds */
    struct mesh_store_log *log;       /* in files; the journal's */
    struct mesh_kafka_log *kafka_log; /* of a shard; the journal's */
    struct mesh_engine *engine, *restoring;
    struct mesh_memory memory;
    bool reset; /* MESH_STATE_RESET set something aside, or asks to start anew */
    bool running;

    /* topics: what the link looks at; the first n_reads are read, in the order of the source */
    struct mesh_link_topic *topics;
    uint32_t n_topics, n_reads;
    struct mesh_kafka_source_topic *reads;
    uint32_t *topic_of_input;

    struct mesh_schemas *schemas; /* NULL: no registry */
    struct mesh_held_back *held_back;
    uint32_t n_held_back; /* partitions */

    /* broker */
    struct mesh_kafka_conf kafka;
    struct mesh_kafka_source *source;
    struct mesh_kafka_link *link;
    struct mesh_link_info link_info;
    struct mesh_lease *lease;
    int64_t lease_asked_us, held_until_us, looked_us; /* monotonic */
    char replaces[MESH_CLAIM_TEXT];                   /* what a reset state takes the place of; "": nothing */
    bool link_done, said_away;
    int64_t back_us; /* wall clock before which an outage still has its effects; 0: there was none */
    char said_waiting[320];
    char refused[MESH_KAFKA_CLIENTS][MESH_KAFKA_REFUSAL_MAX]; /* "": not */
    MESH_VEC(struct mesh_record) records;
    MESH_VEC(struct mesh_header) headers;

    struct mesh_worker_cutover cutover;

    /* out */
    struct mesh_committer *committer;
    struct mesh_buf frames;
    uint64_t log_bytes, segment, frames_read;
    bool commit_in_flight, cut_in_flight;
    struct mesh_kafka_sink *sink;
    struct mesh_message message; /* could not be sent yet */
    bool has_message;
    uint32_t moved; /* messages and documents */
    struct mesh_mongo *mongo;
    bool mongo_said_away;
    struct mesh_http_live *live; /* NULL: nobody reads */
    uint32_t live_product;
    bool told; /* readers know of the engine's state */
    struct mesh_metric *m_commit_seconds, *m_read_wait_seconds, *m_broker_up, *m_mongo_up;
};

/* worker.c: answer questions in the middle of a leg, if there are some; between two records. */
void mesh_worker_breathe(void *worker);

/* worker_lease.c */
/* Whether the restored state may go on from what the group last heard. */
int mesh_worker_may_follow(struct mesh_worker *worker, struct mesh_err *err);
/* Ask for the lease again when it is time; fatal when another state has gone on. */
int mesh_worker_renew(struct mesh_worker *worker, struct mesh_err *err);
bool mesh_worker_holds(const struct mesh_worker *worker);
/* The last word before leaving. */
void mesh_worker_last_mark(struct mesh_worker *worker);

/* worker_state.c */
int mesh_worker_open_state(struct mesh_worker *worker, struct mesh_err *err);
/* The broker is known: the state it belongs to, checked, or a new one; claimed. */
int mesh_worker_bind_state(struct mesh_worker *worker, struct mesh_err *err);
/* The embedded broker is another one: set the state aside. Engine and outputs are gone after it. */
int mesh_worker_set_aside(struct mesh_worker *worker, const char *why, struct mesh_err *err);

/* worker_cutover.c */
int mesh_worker_open_role(struct mesh_worker *worker, struct mesh_err *err);  /* before topics are named */
int mesh_worker_begin_role(struct mesh_worker *worker, struct mesh_err *err); /* the engine is bound, nothing was read yet */
bool mesh_worker_has_to_announce(const struct mesh_worker *worker);           /* it has just taken over */
bool mesh_worker_is_muted(const struct mesh_worker *worker);
bool mesh_worker_is_retired(const struct mesh_worker *worker);
/* Returns whether something moved; negative: fatal. */
int mesh_worker_follow_orders(struct mesh_worker *worker, int64_t now_us, struct mesh_err *err);
void mesh_worker_cutover_deinit(struct mesh_worker *worker);
int mesh_worker_build_engine(struct mesh_worker *worker, uint64_t generation, struct mesh_engine **ret, struct mesh_err *err);
/* Everything that the journal holds, into a new engine; says how long it took. 0, or what the journal's read returns. */
int mesh_worker_restore(struct mesh_worker *worker, uint64_t generation, struct mesh_err *err);
mesh_journal_each mesh_worker_restore_frame;
/* Claim the engine's log, and begin to commit. */
int mesh_worker_begin_log(struct mesh_worker *worker, struct mesh_err *err);

/* worker_shard.c */
/* Makes its clients, which take a while to find out where they are. */
int mesh_worker_open_shard(struct mesh_worker *worker, struct mesh_err *err);
/* A standby: what was written since the last time. 0, negative. */
int mesh_worker_follow(struct mesh_worker *worker, struct mesh_err *err);
/* Claims the shard's log and restores it. 0, MESH_LOG_STOPPED, negative. */
int mesh_worker_take_over(struct mesh_worker *worker, struct mesh_err *err);
struct mesh_lease_mark mesh_worker_mark(const struct mesh_worker *worker);

/* worker_topics.c */
void mesh_worker_list_topics(struct mesh_worker *worker);
bool mesh_worker_embedded(const struct mesh_worker *worker);
const char *mesh_worker_dest_topic(const struct mesh_product *product, uint32_t dest);
/* Per input, and per destination, from what is known; false: not all of it is known. */
bool mesh_worker_partitions(const struct mesh_worker *worker, int32_t *inputs, int32_t *dests);

/* worker_in.c */
extern const struct mesh_kafka_source_ops mesh_worker_source_ops;

/* worker_out.c */
int mesh_worker_commit(struct mesh_worker *worker, int64_t now_us, struct mesh_err *err);
/* Returns whether something moved; negative: fatal. */
int mesh_worker_send(struct mesh_worker *worker, struct mesh_err *err);
/* Everything is durable, sent, acknowledged and stored; what a MongoDB that is away cannot take stays in the log. */
bool mesh_worker_is_drained(struct mesh_worker *worker, int64_t now_us);
void mesh_worker_drop_outputs(struct mesh_worker *worker);

/* worker_schemas.c */
int mesh_worker_open_schemas(struct mesh_worker *worker, struct mesh_err *err);
/* To all inputs of the topic; what cannot be fed yet is held back. */
int mesh_worker_feed(struct mesh_worker *worker, uint32_t topic, int32_t partition, const struct mesh_record *records, size_t n,
                     struct mesh_err *err);
void mesh_worker_at_end(struct mesh_worker *worker, uint32_t topic, int32_t partition, int64_t end);
bool mesh_worker_holds_back(const struct mesh_worker *worker, uint32_t topic, int32_t partition);
/* Takes what the registry said: 1: something moved. */
int mesh_worker_look_at_schemas(struct mesh_worker *worker, struct mesh_err *err);
void mesh_worker_drop_held_back(struct mesh_worker *worker);

/* worker_refused.c: a client was refused (why), or no more (NULL) */
void mesh_worker_broker_refused(void *context, enum mesh_kafka_client client, const char *why);

/* worker_live.c: what conf.event_text calls; and hand on what is durable: whether something moved. */
void mesh_worker_event_text(void *worker, uint32_t port, const void *shown, bool removed, struct mesh_buf *out);
bool mesh_worker_send_events(struct mesh_worker *worker);

/* worker_ready.c */
void mesh_worker_set_phase(struct mesh_worker *worker, enum mesh_worker_phase phase);
void mesh_worker_show(struct mesh_worker *worker, bool now);
void mesh_worker_status_deinit(struct mesh_worker_status *status);

#endif
