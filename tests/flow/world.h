/* A world for the engine: topics, a commit log and a document store in memory, one seed one schedule, crashes wherever one likes.
 *
 * Topics are what a broker holds; internal topics are fed back. The log holds frames; what was appended but not synced is lost in a
 * crash. What arrived at a port is shown without the repetitions that a receiver would drop by sequence, and a gap there is an error.
 */
#ifndef TESTS_FLOW_WORLD_H
#define TESTS_FLOW_WORLD_H

#include "flow/engine.h"
#include "shop.h"

#include "base/rng.h"
#include "base/vec.h"

#define WORLD_PARTITIONS_MAX 8
#define WORLD_DESTS_MAX      16

struct world_message {
    int64_t offset, time_us;
    char *key, *value;
    uint32_t key_n, value_n;
    bool has_key, has_value;
    struct mesh_header *headers;
    uint32_t n_headers;
};

struct world_topic {
    MESH_VEC(struct world_message) messages; /* offset = index */
    size_t shown;                            /* so many have been produced, if the world unfolds */
};

struct world_doc {
    char *id;
    char *text;
    uint64_t n;
};

struct world {
    const struct mesh_product *product;
    int32_t partitions;
    struct world_topic inputs[SHOP_N_INPUTS + 1]
                             [WORLD_PARTITIONS_MAX]; /* the last: letters that come back, if the product takes them */
    struct world_topic dests[WORLD_DESTS_MAX][WORLD_PARTITIONS_MAX];
    struct mesh_engine *engine;
    struct mesh_metrics *metrics;
    struct mesh_buf log;        /* frames, concatenated */
    size_t durable;             /* bytes of it */
    size_t cut;                 /* where the running round began */
    MESH_VEC(uint64_t) unacked; /* tickets */
    MESH_VEC(struct world_doc) docs;
    struct mesh_rng rng;
    int64_t now_us;
    bool mongo;
    bool (*accepts)(void *context, const char *input); /* too many letters of it; NULL: no input */
    const struct mesh_seal_hook *seal;                 /* NULL: letters stay readable */
    uint64_t generation, voice, succeeds;              /* of the engine; 0: 1, none, none */
    bool documents_again;
    bool unfolds; /* input topics fill up step by step, each at its own pace; otherwise everything is there from the start */
    void (*between)(void *context); /* for the engine; NULL: none */
    void *between_context;
    void (*event_text)(void *context, uint32_t port, const void *shown, bool removed, struct mesh_buf *out); /* NULL: none */
    /* Every third record of an input is written by another schema, which the hook knows; NULL: none. */
    void (*foreign)(struct mesh_buf *out, const struct shop_record *record);
    const struct mesh_written_hook *written;
    uint64_t round_log_bytes, round_sweep_bytes;
    uint32_t rounds, crashes, commits;
    uint32_t gaps; /* in sequences, as receivers see them */
};

void world_init(struct world *w, int32_t partitions, uint64_t seed);
void world_deinit(struct world *w);
/* A new engine over what is durable. */
void world_start(struct world *w);
/* The process is gone, and with it what was not durable. */
void world_crash(struct world *w);

/* Append to an input topic; returns its offset. */
int64_t world_put(struct world *w, uint32_t input, int32_t partition, const struct shop_record *record);
int64_t world_put_raw(struct world *w, uint32_t input, int32_t partition, struct mesh_str key, struct mesh_str value,
                      int64_t time_us, const struct mesh_header *headers, uint32_t n_headers);
/* A plain value: frame and datum. */
void world_value(struct mesh_buf *out, const struct shop_record *record);

/* One step each. feed: up to n records of a partition, if it wants any; true when something was read. */
bool world_feed(struct world *w, uint32_t input, int32_t partition, size_t n);
bool world_commit(struct world *w); /* append; not yet durable */
void world_durable(struct world *w);
bool world_send(struct world *w, size_t n);
void world_ack(struct world *w, size_t n); /* some, in random order */
bool world_store(struct world *w, size_t n);
/* A random step; `crash`: one in this many is a crash (0: never). */
void world_step(struct world *w, uint32_t crash);
/* Until nothing moves any more; time passes by commit intervals, sources do not become idle. */
void world_drain(struct world *w);

/* Everything that can be seen: views, the newest message per key of change ports, all of close and event ports, documents. */
void world_show(struct world *w, struct mesh_buf *out);
void world_show_view(struct world *w, uint32_t view, struct mesh_buf *out);
bool world_shows(struct world *w, uint32_t view, const char *text); /* says what there is instead */
double world_metric(struct world *w, const char *name, const char *label, const char *value);

#endif
