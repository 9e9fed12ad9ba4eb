/* The types that the compiler reasons about, and the shapes (record types) that flow through streams.
 *
 * A type is a small value; equal types compare equal with mesh_gen_type_eq(). Everything lives in the compiler's arena.
 */
#ifndef MESH_CODEGEN_TYPE_H
#define MESH_CODEGEN_TYPE_H

#include "base/diag.h"
#include "contract/schema.h"
#include "mesh/value.h"

enum mesh_gen_kind {
    MESH_GEN_ERROR, /* a diagnostic was given already: anything goes, nothing more is said */
    MESH_GEN_NULL,  /* the literal null */
    MESH_GEN_BOOL,
    MESH_GEN_INT, /* int64_t; Avro int and long */
    MESH_GEN_DOUBLE,
    MESH_GEN_DECIMAL,
    MESH_GEN_STRING,
    MESH_GEN_BYTES,
    MESH_GEN_ENUM,
    MESH_GEN_TIMESTAMP,
    MESH_GEN_DURATION,
    MESH_GEN_DATE,
    MESH_GEN_LIST,
    MESH_GEN_RECORD,
};

struct mesh_gen_type {
    enum mesh_gen_kind kind;
    bool nullable;
    bool int32;                         /* INT that must fit 32 bits at a border */
    int precision, scale;               /* DECIMAL; precision 38 when computed */
    const struct mesh_schema *schema;   /* ENUM: its symbols; others: where it came from, or NULL */
    const struct mesh_gen_type *item;   /* LIST */
    const struct mesh_gen_shape *shape; /* RECORD */
};

/* One member of a shape. */
struct mesh_gen_member {
    const char *name;  /* as declared */
    const char *cname; /* C identifier */
    struct mesh_gen_type type;
    enum mesh_label label;
    const char *subject;   /* or NULL */
    const char *doc;       /* or NULL */
    struct mesh_srcref at; /* where it comes from: field of a contract, or line of the declaration */
    const char *origin;    /* for lineage and messages: "inputPorts.payments.card_id" or "streams.clean.amount_eur" */
    bool used;             /* something reads it: decoders skip the others */
};

struct mesh_gen_shape {
    const char *cname; /* of the struct: "clean", "payment" */
    MESH_VEC(struct mesh_gen_member) members;
};

bool mesh_gen_type_eq(const struct mesh_gen_type *a, const struct mesh_gen_type *b);                 /* nullability included */
void mesh_gen_type_describe(const struct mesh_gen_type *type, struct mesh_buf *out);                 /* "decimal(12,2) or null" */
struct mesh_gen_member *mesh_gen_shape_member(const struct mesh_gen_shape *shape, const char *name); /* or NULL */
/* Type of an Avro schema; false when the language has no such type (map, union of several, duration). */
bool mesh_gen_type_of_schema(const struct mesh_schema *schema, struct mesh_arena *arena, struct mesh_gen_type *ret);
/* The label of that name in a contract; internal for none. */
enum mesh_label mesh_gen_label(const char *name);

#endif
