/* Shared by the emitters of constant tables. Not for others. */
#ifndef MESH_CODEGEN_EMIT_TABLE_H
#define MESH_CODEGEN_EMIT_TABLE_H

#include "codegen/emit_int.h"

struct table_emit {
    struct mesh_emitter *e;
    struct mesh_buf *out;
};

/* ".site = {...}," */
void mesh_table_site(struct table_emit *t, struct mesh_srcref at, const char *what);

/* emit_states.c */
void mesh_table_states(struct table_emit *t);

#endif
