/* The plan that resolve.c makes and resolve_run.c follows. Private to contract/resolve*.c. */
#ifndef MESH_CONTRACT_RESOLVE_INTERNAL_H
#define MESH_CONTRACT_RESOLVE_INTERNAL_H

#include "base/arena.h"
#include "contract/resolve.h"

/* What to read and what to write. A step that is run to be skipped writes nothing. */
enum mesh_resolve_op {
    MESH_RESOLVE_FAIL, /* the reader cannot hold this: `text` says why */
    MESH_RESOLVE_NULL,
    MESH_RESOLVE_BOOLEAN,
    MESH_RESOLVE_INT, /* written the same as a long */
    MESH_RESOLVE_LONG,
    MESH_RESOLVE_FLOAT,
    MESH_RESOLVE_DOUBLE,
    MESH_RESOLVE_BYTES,
    MESH_RESOLVE_STRING, /* checked for UTF-8, also when bytes become a string */
    MESH_RESOLVE_FIXED,
    MESH_RESOLVE_INT_TO_FLOAT,
    MESH_RESOLVE_INT_TO_DOUBLE,
    MESH_RESOLVE_LONG_TO_FLOAT,
    MESH_RESOLVE_LONG_TO_DOUBLE,
    MESH_RESOLVE_FLOAT_TO_DOUBLE,
    MESH_RESOLVE_ENUM,
    MESH_RESOLVE_ARRAY,
    MESH_RESOLVE_MAP,
    MESH_RESOLVE_RECORD,
    MESH_RESOLVE_BY_BRANCH, /* the writer's union: the branch says how to go on */
    MESH_RESOLVE_AS_BRANCH, /* the reader's union: write its branch, go on */
};

/* A field of the writer. */
struct mesh_resolve_part {
    const struct mesh_resolve_step *step;
    const char *name;
    int32_t to; /* the reader's field, or -1: skip */
};

struct mesh_resolve_step {
    enum mesh_resolve_op op;
    uint32_t n;                            /* bytes, symbols, branches, parts; of AS_BRANCH the branch */
    const struct mesh_resolve_step *inner; /* items, AS_BRANCH */
    const struct mesh_resolve_step **branches;
    const char *text;
    const int32_t *symbols;    /* enum: the writer's -> the reader's, -1: unknown to it */
    const char **symbol_names; /* enum: the writer's */
    struct mesh_resolve_part *parts;
    const struct mesh_str *defaults; /* record: of the reader's fields, encoded; empty where a part gives the value */
    uint32_t n_to;                   /* record: the reader's fields */
    bool in_order;                   /* record: the parts come in the order of the reader */
    bool judged, hopeless;           /* while the plan is judged */
};

struct mesh_resolve {
    struct mesh_arena arena;
    const struct mesh_resolve_step *first;
};

#endif
