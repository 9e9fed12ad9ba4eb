/* Between the emitters of constant tables: states, descriptors of structs, and the rest. Not for others. */
#ifndef MESH_CODEGEN_EMIT_TABLES_H
#define MESH_CODEGEN_EMIT_TABLES_H

#include "codegen/emit_int.h"

struct table_emit {
    struct mesh_emitter *e;
    struct mesh_buf *out;
};

/* ".site = {...}," */
void mesh_table_site(struct table_emit *t, struct mesh_srcref at, const char *what);

/* ---- emit_tables_subjects.c ---- */
/* Descriptors of members by which a person is found: of the records of inputs, and of the keys of states. The tables themselves, and the
 * lines that name them in the tables of inputs and states. */
void mesh_table_subjects(struct table_emit *t);
void mesh_table_input_subjects(struct table_emit *t, const struct mesh_plan_input *input);
void mesh_table_state_key(struct table_emit *t, const struct mesh_plan_state *state);

/* ---- emit_tables_states.c ---- */
void mesh_table_states(struct table_emit *t);

/* ---- emit_tables_fields.c ---- */
/* Arrays of descriptors `fields_of_<struct>`: of a shape's members, of the accumulators of a view's row as checkpoints store them, of
 * what a view shows, of what a pattern's run has captured. */
void mesh_table_struct_fields(struct table_emit *t, const char *name, const struct mesh_emit_struct *s);
void mesh_table_row_fields(struct table_emit *t, const struct mesh_model_view *m);
void mesh_table_out_fields(struct table_emit *t, const struct mesh_model_view *m);
void mesh_table_run_fields(struct table_emit *t, const struct mesh_plan_flow *flow);

#endif
