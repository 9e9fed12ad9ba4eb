/* What will run: topologies, states, internal topics, and which part of which stream runs where.
 *
 * Every record flows through *flows*: a flow is a run of steps of one stream inside one topology. A stream is one flow until a step needs
 * its records under another key (a fold or a pattern `by` something that does not hold the partition key); there it is cut: the records
 * travel through an internal topic, and a second flow goes on in the topology that owns the new key. Views whose folds can be merged
 * do not need the records: the tasks upstream fold partial rows, which travel at every commit through one topic, `partials`.
 *
 * The partition key of a flow is the member whose text placed the record in its partition. A key tuple that contains it is local.
 *
 * Codes: MP001 dedupe is not local; MP002 streams of a union are partitioned differently; MP003 a join with a co-partitioned table does
 * not use the partition key; MP004 a view that cannot be merged reads sources that are partitioned differently; MP005 a joined field
 * is read behind a change of key, or behind a join whose records wait (or an array flattened there); MP006 min or max of a fold with a condition or of something
 * nullable; MP007 the two sides of a join of streams read each other through a change of key.
 */
#ifndef MESH_CODEGEN_PLAN_H
#define MESH_CODEGEN_PLAN_H

#include "codegen/model.h"

struct mesh_plan_flow;
struct mesh_plan_view;

struct mesh_plan_input {
    enum mesh_input_kind kind;
    const char *cname;              /* "card_payments", "clean_by_terminal_id", "partials" */
    struct mesh_model_input *model; /* STREAM, TABLE */
    struct mesh_plan_flow *flow;    /* RECORDS: the flow that goes on behind the topic */
    const char *topic;
    uint32_t root;                           /* of the union-find of topologies */
    struct mesh_plan_state *table;           /* TABLE */
    bool ahead;                              /* (emitted) there is a function that says what its records will look up */
    MESH_VEC(struct mesh_plan_flow *) flows; /* that read it, in order of declaration */
    MESH_VEC(struct mesh_plan_view *) views;
};

struct mesh_plan_internal {
    const char *cname;
    const char *topic;
    struct mesh_plan_input *input;
    MESH_VEC(uint32_t) from_roots; /* topologies that write to it */
};

struct mesh_plan_state {
    const char *cname; /* "clean_dedupe", "rates", "card_profile_fold", "sales_by_country", "..._partial" */
    enum mesh_state_kind kind;
    MESH_VEC(uint32_t) roots;    /* topologies that keep it */
    struct mesh_plan_view *view; /* VIEW */
    bool partial;
    struct mesh_plan_input *table;     /* TABLE, VERSIONS */
    struct mesh_plan_flow *flow;       /* DEDUPE, RING, PATTERN, LATCH; INTERVAL: whose records ask */
    struct mesh_model_step *step;      /* DEDUPE, RING, LATCH, INTERVAL */
    const struct mesh_gen_shape *asks; /* INTERVAL: the records that ask */
};

struct mesh_plan_step {
    struct mesh_model_step *model;
    struct mesh_plan_state *state; /* DEDUPE, FOLD, RISES, JOIN of a stream; JOIN: of the table */
    const struct mesh_gen_shape *before, *after;
};

struct mesh_plan_flow {
    struct mesh_model_stream *stream;
    const char *cname;                                 /* function: "clean", "terminal_profile", "terminal_profile_regrouped" */
    const struct mesh_gen_shape *shape_in, *shape_out; /* in: what it is handed; out: what its readers get (stream's, unless cut) */
    bool from_changes;
    bool travelled; /* its records are not as they came in: they changed their key, or waited; arrays were left behind */
    struct mesh_model_view *changes_of;
    uint32_t root;
    const char *key; /* member of shape_in that is the partition key, or NULL */
    MESH_VEC(struct mesh_plan_step) steps;
    bool pattern; /* it runs the stream's pattern */
    struct mesh_plan_state *pattern_state;
    struct mesh_plan_internal *cut; /* at its end the records leave through this topic under the member ... */
    const char *cut_key;
    /* readers of what comes out, unless cut */
    const char *key_out;
    MESH_VEC(struct mesh_plan_flow *) flows;
    MESH_VEC(struct mesh_plan_view *) views;
    MESH_VEC(struct mesh_model_port *) ports;
    MESH_VEC(struct mesh_plan_state *) kept; /* INTERVAL: joins that find its records */
};

struct mesh_plan_source { /* one source of a view */
    const struct mesh_gen_shape *shape;
    uint32_t root;
    const char *key;
};

struct mesh_plan_view {
    struct mesh_model_view *model;
    struct mesh_plan_state *state;   /* final */
    struct mesh_plan_state *partial; /* or NULL: folded where the records are */
    bool mergeable;
    MESH_VEC(struct mesh_plan_source) sources; /* as model->from */
    MESH_VEC(struct mesh_plan_flow *) changes; /* flows that read its changes */
    const char *key;                           /* partition key, when local */
    uint32_t root;                             /* topology of the final state */
};

struct mesh_plan_topology {
    const char *cname; /* of its first input */
    uint32_t root;
    MESH_VEC(struct mesh_plan_input *) inputs;
    MESH_VEC(struct mesh_plan_state *) states;
    bool ordered;
};

struct mesh_plan {
    struct mesh_model_product *product;
    MESH_VEC(struct mesh_plan_input *) inputs;
    MESH_VEC(struct mesh_plan_internal *) internals;
    MESH_VEC(struct mesh_plan_state *) states;
    MESH_VEC(struct mesh_plan_flow *) flows;
    MESH_VEC(struct mesh_plan_view *) views;
    MESH_VEC(struct mesh_plan_topology *) topologies;
    MESH_VEC(uint32_t) parents; /* union-find */
};

/* NULL after a diagnostic. The product was checked without errors. */
struct mesh_plan *mesh_plan_make(struct mesh_model_product *product);

uint32_t mesh_plan_root(const struct mesh_plan *plan, uint32_t root);
size_t mesh_plan_index_input(const struct mesh_plan *plan, const struct mesh_plan_input *input);
size_t mesh_plan_index_state(const struct mesh_plan *plan, const struct mesh_plan_state *state);
size_t mesh_plan_index_internal(const struct mesh_plan *plan, const struct mesh_plan_internal *internal);

#endif
