/* Shared by the emitters of stream functions. Not for others. */
#ifndef MESH_CODEGEN_EMIT_FLOW_H
#define MESH_CODEGEN_EMIT_FLOW_H

#include "codegen/emit_int.h"

struct flow_emit {
    struct mesh_emitter *e;
    struct mesh_buf *code, *protos;
    const struct mesh_plan_flow *flow;
    MESH_VEC(const struct mesh_plan_step *) joins; /* whose rows the code at hand can read */
};

const char *mesh_flow_struct_of(const struct flow_emit *f, const struct mesh_gen_shape *shape);
const char *mesh_flow_expr_text(struct mesh_emitter *e, const struct mesh_expr *expr);
/* "struct mesh_key key; ..." of a tuple of expressions */
void mesh_flow_key_of(struct flow_emit *f, struct mesh_buf *out, int level, struct mesh_expr *const *by, size_t n);
bool mesh_flow_any_faulty(const struct mesh_plan_step *step);
/* "streams.clean where" for sites */
const char *mesh_flow_what_of(struct flow_emit *f, const char *word);

/* emit_ahead.c: what records of this input will look up, as a function; false: there is nothing to say, and none was written. */
bool mesh_emit_ahead(struct flow_emit *f, const struct mesh_plan_input *input);

/* emit_join.c */
void mesh_flow_step_join(struct flow_emit *f, const struct mesh_plan_step *step);
void mesh_flow_step_join_stream(struct flow_emit *f, const struct mesh_plan_step *step);
/* What the platform calls with a record and what it found; `next` is the function behind the join. */
void mesh_flow_join_matched(struct flow_emit *f, const struct mesh_plan_step *step, const char *next);
/* Records of this flow are kept for the join. */
void mesh_flow_join_keeps(struct flow_emit *f, const struct mesh_plan_flow *flow, const struct mesh_plan_state *state);

/* emit_flatten.c: the code that reads an item, and the loop that calls `next` with each. */
void mesh_flow_item_reader(struct flow_emit *f, const struct mesh_plan_step *step);
void mesh_flow_step_flatten(struct flow_emit *f, const struct mesh_plan_step *step, const char *next);

/* emit_fold.c */
void mesh_flow_step_fold(struct flow_emit *f, const struct mesh_plan_step *step);

#endif
