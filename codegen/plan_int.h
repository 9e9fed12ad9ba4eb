/* Shared by the files of the planner. */
#ifndef MESH_CODEGEN_PLAN_INT_H
#define MESH_CODEGEN_PLAN_INT_H

#include "codegen/plan.h"

struct planner {
    struct mesh_plan *plan;
    MESH_VEC(const struct mesh_model_step *) lost; /* joins of the stream at hand whose rows a change of key left behind */
    struct mesh_arena *arena;
    struct mesh_diags *diags;
    MESH_VEC(struct mesh_plan_internal *) partials; /* by level; NULL: not needed */
    MESH_VEC(uint32_t) levels;                      /* by root: behind how many topics of partials it stands */
    size_t errors;
};

/* plan.c */
void mesh_plan_join_roots(struct mesh_plan *plan, uint32_t a, uint32_t b);
struct mesh_plan_state *mesh_plan_new_state(struct planner *p, enum mesh_state_kind kind, const char *cname, uint32_t root);
struct mesh_plan_input *mesh_plan_input_of(const struct planner *p, const struct mesh_model_input *model);
struct mesh_plan_flow *mesh_plan_flow_of(const struct planner *p, const struct mesh_model_stream *stream);
/* Whether a key tuple has the member; the name of its first. */
bool mesh_plan_by_holds(struct mesh_expr *const *by, size_t n, const char *key);
const char *mesh_plan_by_name(struct mesh_expr *const *by);
struct mesh_plan_flow *mesh_plan_new_flow(struct planner *p, struct mesh_model_stream *stream, const char *cname, uint32_t root,
                                          const char *key, const struct mesh_gen_shape *shape);
/* End this flow with an internal topic keyed by `key`; the flow behind it. */
struct mesh_plan_flow *mesh_plan_cut(struct planner *p, struct mesh_plan_flow *flow, const char *key);

/* plan_join.c */
void mesh_plan_join_table(struct planner *p, struct mesh_plan_flow *flow, const struct mesh_model_step *step,
                          struct mesh_plan_step *planned);
struct mesh_plan_flow *mesh_plan_join_stream(struct planner *p, struct mesh_plan_flow *flow, struct mesh_model_step *step,
                                             struct mesh_plan_state **ret_state);
/* A stream whose only step is to change the key. */
struct mesh_plan_flow *mesh_plan_regroup(struct planner *p, const char *name, const char *cname, struct mesh_srcref at,
                                         const struct mesh_plan_source *source, struct mesh_plan_flow **ret_before,
                                         const char *key);
/* Only the record itself travels to the task of another key, or waits: what a join before found does not (MP005). */
void mesh_plan_check_lost(struct planner *p, const struct mesh_expr *expr);
void mesh_plan_check_step_lost(struct planner *p, const struct mesh_model_step *step);
void mesh_plan_check_array(struct planner *p, const struct mesh_plan_flow *flow, const struct mesh_model_step *step);

/* The topologies: inputs and states of each root, and whether order matters there. */
void mesh_plan_make_topologies(struct mesh_plan *plan, struct mesh_arena *arena);
/* Mark what views, ports, keys and expressions read, back to the inputs, until nothing changes. */
void mesh_plan_mark_used(struct mesh_plan *plan);

#endif
