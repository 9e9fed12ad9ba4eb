/* Shared by the emitters of views. Not for others. */
#ifndef MESH_CODEGEN_EMIT_VIEW_H
#define MESH_CODEGEN_EMIT_VIEW_H

#include "codegen/emit_int.h"

struct view_emit {
    struct mesh_emitter *e;
    const struct mesh_plan_view *view;
    struct mesh_buf *code, *protos, *structs;
};

/* C of the value, or of whether it is there. */
const char *mesh_view_text_of(struct mesh_emitter *e, const struct mesh_expr *expr, bool present);
bool mesh_view_is_text(const struct mesh_gen_type *type);

/* emit_aggregate.c. An aggregate's accumulators are members of the row: <cname>, and for some <cname>_n, <cname>_m2, <cname>_set. */
void mesh_aggregate_members(struct mesh_buf *out, const struct mesh_aggregate *a);
/* One record into `row`; its values are locals: of_<cname>, by_<cname>, if_<cname>. */
void mesh_aggregate_fold(struct view_emit *v, const struct mesh_aggregate *a, int level);
/* What `b` holds goes into `a`; where it makes a difference `b` lies behind `a`. */
void mesh_aggregate_merge(struct view_emit *v, const struct mesh_aggregate *a);
/* For mesh_expr_emit_let(). */
void mesh_aggregate_value(void *context, const struct mesh_aggregate *a, struct mesh_buf *out);
void mesh_aggregate_present(void *context, const struct mesh_aggregate *a, struct mesh_buf *out);

#endif
