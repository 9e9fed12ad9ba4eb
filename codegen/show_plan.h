/* What `meshgen plan` prints: what will run, what it keeps, what it waits for. The facts are those of plan.h and plan_bytes.h; here
 * they are put into the order in which somebody asks, with the line that causes each. */
#ifndef MESH_CODEGEN_SHOW_PLAN_H
#define MESH_CODEGEN_SHOW_PLAN_H

#include "codegen/emit.h"
#include "codegen/plan_bytes.h"

#define MESH_SHOW_KEYS_DEFAULT 10000

/* Why and where records change their task. */
struct mesh_show_regroup {
    const struct mesh_plan_topology *topology; /* whose tasks send */
    const char *what;                          /* "streams.terminal_profile", "views.by_country" */
    const char *from, *by;                     /* key that places the records (or NULL), and the first one that is needed */
    const struct mesh_plan_internal *through;
    bool partials;         /* one row per key and commit, not the records */
    struct mesh_srcref at; /* what needs the other key */
};

struct mesh_show_state {
    const struct mesh_plan_state *state;
    const struct mesh_plan_bytes *bytes;
    const struct mesh_plan_topology *topology;
    int32_t tasks;
    bool everywhere;       /* each task has all keys */
    uint64_t keys;         /* in all tasks together; each task's when `everywhere` */
    uint64_t rows_per_key; /* at most: windows that are kept; 0: without end */
    uint64_t per_row;      /* bytes of one row with all that it owns at first, and its share of the slots */
    uint64_t total;        /* bytes of all tasks, with rows_per_key rows of each key */
    struct mesh_srcref at;
};

/* A wait that the declaration asks for. */
struct mesh_show_wait {
    const struct mesh_plan_topology *topology;
    const char *why;
    int64_t us; /* < 0: as long as a commit and a way through Kafka */
    struct mesh_srcref at;
};

struct mesh_show_plan {
    struct mesh_arena *arena;
    struct mesh_plan *plan;
    uint64_t keys;
    MESH_VEC(struct mesh_show_regroup) regroups;
    MESH_VEC(struct mesh_show_state) states; /* one for each topology that keeps it */
    MESH_VEC(struct mesh_show_wait) waits;
    struct mesh_emit_topics topics;
    uint64_t total;       /* bytes of states with a row per key */
    uint64_t windows_max; /* bytes of views with windows, when each key has a record in every window that is kept */
};

/* NULL after a diagnostic. */
struct mesh_show_plan *mesh_show_plan_make(struct mesh_model_product *product, uint64_t keys);

void mesh_show_plan_text(const struct mesh_show_plan *show, struct mesh_buf *out);
/* {"mesh": ..., "keys": ..., "products": [...]}; docs/DECLARATION.md has the members. */
void mesh_show_plan_json(const struct mesh_model *model, struct mesh_show_plan *const *shows, size_t n, uint64_t keys,
                         struct mesh_buf *out);

/* ---- shared by the formats ---- */
int32_t mesh_show_tasks(const struct mesh_plan *plan, const struct mesh_plan_topology *topology);
/* "event time", "partition", "none": what puts the records of a task in order. */
const char *mesh_show_order(const struct mesh_plan_topology *topology);
const char *mesh_show_state_kind(const struct mesh_plan_state *state);
const char *mesh_show_kept(struct mesh_arena *arena, const struct mesh_plan_state *state);
const char *mesh_show_input_key(const struct mesh_plan_input *input);
const char *mesh_show_topic_use(enum mesh_emit_topic_use use);
/* What of the results depends on when records arrive: a sentence each, with its place. */
struct mesh_show_arrival {
    const char *text;
    struct mesh_srcref at;
};
size_t mesh_show_arrivals(const struct mesh_show_plan *show, struct mesh_show_arrival **ret);
const char *mesh_show_duration(struct mesh_arena *arena, int64_t us); /* "a commit" for negative ones */

#endif
