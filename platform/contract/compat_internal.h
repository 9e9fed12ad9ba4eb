/* What compat.c finds and compat_advice.c says about it. Private to contract/compat*.c. */
#ifndef MESH_CONTRACT_COMPAT_INTERNAL_H
#define MESH_CONTRACT_COMPAT_INTERNAL_H

#include "contract/compat.h"

/* Everything that a sentence may need to name. */
struct mesh_compat_case {
    struct mesh_arena *arena;
    enum mesh_compat_side side;
    const struct mesh_schema *reader, *writer;      /* the two types; of a missing field: the two records */
    const struct mesh_schema_field *field;          /* of the reader: missing, or the one whose type it is; or NULL */
    const struct mesh_schema_field *first, *second; /* fields of the writer that `field` names at once */
    const char *symbols;                            /* "A, B": unknown to the reader */
};

/* Fill reason and fixes of a found incompatibility, whose kind is set. */
void mesh_compat_advise(const struct mesh_compat_case *at, struct mesh_incompat *found);

#endif
