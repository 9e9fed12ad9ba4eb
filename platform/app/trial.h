/* The world of a trial (mesh/trial.h): topics, a commit log and a document store in memory, driven by a seed.
 *
 * It is a driver of the engine like app/worker.c, with the same calls in the same order; what is different is that everything
 * outside of the engine is an array, and that time passes only when it is told to. What was not durable is lost in a restart, as
 * in a crash. All memory is the arena's, but the engine's own.
 */
#ifndef MESH_APP_TRIAL_H
#define MESH_APP_TRIAL_H

#include "base/rng.h"
#include "base/vec.h"
#include "flow/engine.h"

struct mesh_trial_step {
    bool pass; /* time_us: for how long; otherwise a record */
    uint32_t input;
    int64_t time_us;
    struct mesh_str key, value;
};

struct mesh_trial_message {
    int64_t time_us;
    struct mesh_str key, value; /* p == NULL: null */
    const struct mesh_header *headers;
    uint32_t n_headers;
};

struct mesh_trial_topic {
    MESH_VEC(struct mesh_trial_message) messages; /* offset = index */
    size_t shown;                                 /* so many may be read already */
};

struct mesh_trial_document {
    uint32_t port;
    struct mesh_str id;
    bool removed;
    uint64_t n;
    struct mesh_str row; /* JSON */
};

/* An event of an SSE port, as it was told first; it may be told again after a restart, and must then be the same. */
struct mesh_trial_event {
    uint32_t port, task;
    uint64_t sequence;
    int64_t time_us;
    bool removed;
    struct mesh_str text; /* JSON of the key, a line feed, JSON of the whole */
};

struct mesh_trial {
    const struct mesh_product *product;
    int32_t partitions;
    struct mesh_arena *arena;
    struct mesh_trial_topic *inputs; /* [input * partitions + partition] */
    struct mesh_trial_topic *dests;  /* [dest * partitions + partition] */
    struct mesh_engine *engine;
    struct mesh_metrics *metrics;
    struct mesh_buf log;        /* frames */
    size_t durable, cut;        /* bytes of it; where the running round began */
    MESH_VEC(uint64_t) unacked; /* tickets */
    MESH_VEC(struct mesh_trial_document) documents;
    MESH_VEC(struct mesh_trial_event) events;
    struct mesh_rng rng;
    int64_t now_us;     /* the author's clock: idle sources */
    int64_t commit_us;  /* the commits', an interval further each time: heartbeats need not wait for the author */
    uint64_t idle_late; /* of the engines before this one */
    uint32_t restarts;
    int64_t began_us;  /* by the real clock, to say how long it took */
    bool unfolds;      /* records show up bit by bit */
    bool short_rounds; /* of the commit log */
};

/* Run the steps in a new world. Seed 0: read all that is there, in big batches, without a restart; otherwise the seed decides, and
 * between `pass` there is at least one restart, later or earlier by its remainder. -1: err, which is also set when an input of the
 * product stopped. */
int mesh_trial_run(struct mesh_trial *trial, const struct mesh_product *product, int32_t partitions,
                   const struct mesh_trial_step *steps, size_t n, uint64_t seed, struct mesh_arena *arena, struct mesh_err *err);
void mesh_trial_deinit(struct mesh_trial *trial);
double mesh_trial_idle_late(const struct mesh_trial *trial);

/* The line of JSON that answers a run; `err` of a run that failed, or NULL. */
int mesh_trial_show(struct mesh_trial *trial, const char *error, struct mesh_buf *out, struct mesh_err *err);

#endif
