/* The two halves of the emitter of constant tables. Not for others. */
#ifndef MESH_CODEGEN_EMIT_TABLES_H
#define MESH_CODEGEN_EMIT_TABLES_H

#include "codegen/emit_int.h"

struct table_emit {
    struct mesh_emitter *e;
    struct mesh_buf *out;
};

/* Arrays of descriptors `fields_of_<struct>`: of a shape's members, of the accumulators of a view's row as checkpoints store them, of
 * what a view shows, of what a pattern's run has captured. */
void mesh_emit_struct_fields(struct table_emit *t, const char *name, const struct mesh_emit_struct *s);
void mesh_emit_row_fields(struct table_emit *t, const struct mesh_model_view *m);
void mesh_emit_out_fields(struct table_emit *t, const struct mesh_model_view *m);
void mesh_emit_run_fields(struct table_emit *t, const struct mesh_plan_flow *flow);

#endif
