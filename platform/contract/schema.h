/* Avro schemas as a contract: types, logical types, defaults, aliases, labels, and where in the .avsc each thing stands.
 *
 * A schema is parsed once into nodes that live in the caller's arena. Named types are resolved: a reference by name is the same node
 * as its definition, so a recursive schema is a cyclic graph; walk it with care (depth limits below). Errors are diagnostics that
 * point into the .avsc file.
 *
 * Besides Avro's own attributes a contract may carry, on a record (as default for its fields) or on a field:
 *     "label":   "public" | "internal" | "personal" | "special" | "pseudonymous"
 *     "subject": "customer"           whose data a personal field is
 * Unknown attributes are allowed by Avro and kept as JSON (props).
 *
 * Codes: MC001 not JSON; MC002 not a valid schema; MC003 unknown type name; MC004 name or symbol invalid or taken; MC005 default
 * does not fit its type (a warning when it fits a union, but not its first branch); MC006 logical type does not fit, or an attribute
 * looks misspelt (a warning: Avro says it must be ignored); MC007 a limit is passed; MC008 a label is unknown (a warning where it has
 * no effect).
 */
#ifndef MESH_CONTRACT_SCHEMA_H
#define MESH_CONTRACT_SCHEMA_H

#include "base/diag.h"
#include "base/json.h"

#define MESH_SCHEMA_DEPTH_MAX    32
#define MESH_SCHEMA_FIELDS_MAX   1000 /* of one record */
#define MESH_SCHEMA_SYMBOLS_MAX  5000
#define MESH_SCHEMA_BRANCHES_MAX 64
#define MESH_SCHEMA_NODES_MAX    20000
#define MESH_SCHEMA_FIXED_MAX    (1 << 20) /* bytes */

enum mesh_avro_kind {
    MESH_AVRO_NULL,
    MESH_AVRO_BOOLEAN,
    MESH_AVRO_INT,
    MESH_AVRO_LONG,
    MESH_AVRO_FLOAT,
    MESH_AVRO_DOUBLE,
    MESH_AVRO_BYTES,
    MESH_AVRO_STRING,
    MESH_AVRO_RECORD,
    MESH_AVRO_ENUM,
    MESH_AVRO_ARRAY,
    MESH_AVRO_MAP,
    MESH_AVRO_UNION,
    MESH_AVRO_FIXED,
    MESH_AVRO_KIND_COUNT
};

enum mesh_avro_logical {
    MESH_LOGICAL_NONE,
    MESH_LOGICAL_DECIMAL,
    MESH_LOGICAL_UUID,
    MESH_LOGICAL_DATE,
    MESH_LOGICAL_TIME_MILLIS,
    MESH_LOGICAL_TIME_MICROS,
    MESH_LOGICAL_TIMESTAMP_MILLIS,
    MESH_LOGICAL_TIMESTAMP_MICROS,
    MESH_LOGICAL_TIMESTAMP_NANOS,
    MESH_LOGICAL_LOCAL_TIMESTAMP_MILLIS,
    MESH_LOGICAL_LOCAL_TIMESTAMP_MICROS,
    MESH_LOGICAL_LOCAL_TIMESTAMP_NANOS,
    MESH_LOGICAL_DURATION,
    MESH_LOGICAL_COUNT
};

struct mesh_schema_field {
    const char *name;
    const char *doc; /* or NULL */
    struct mesh_schema *type;
    const struct mesh_json *default_; /* NULL: none */
    const char **aliases;
    size_t n_aliases;
    const char *label;   /* its own, else the record's, else NULL */
    const char *subject; /* likewise */
    struct mesh_srcref at, name_at, type_at, label_at;
    const struct mesh_json *json; /* the whole field, for further attributes */
};

struct mesh_schema {
    enum mesh_avro_kind kind;
    enum mesh_avro_logical logical;
    int precision, scale;   /* decimal */
    const char *name;       /* named types: the full name "omnishop.sales.Payment" */
    const char *short_name; /* without namespace */
    const char *doc;
    const char **aliases; /* full names */
    size_t n_aliases;
    struct mesh_schema_field *fields; /* record */
    size_t n_fields;
    const char **symbols; /* enum */
    size_t n_symbols;
    const char *enum_default;      /* or NULL */
    struct mesh_schema *items;     /* array items, map values */
    struct mesh_schema **branches; /* union */
    size_t n_branches;
    uint32_t size;                /* fixed */
    uint32_t id;                  /* 0.. in order of definition, for tables beside the tree */
    const char *label, *subject;  /* record defaults */
    struct mesh_srcref at;        /* of a named type its "name", otherwise the whole */
    const struct mesh_json *json; /* or NULL for plain "string" */
};

/* NULL after at least one error in diags. The result lives in the arena. */
struct mesh_schema *mesh_schema_parse(struct mesh_arena *arena, const struct mesh_source *source, struct mesh_diags *diags);
/* The last of `n` sources, which may use the names that those before it define (the references of a schema registry). */
struct mesh_schema *mesh_schema_parse_all(struct mesh_arena *arena, const struct mesh_source *const *sources, size_t n,
                                          struct mesh_diags *diags);

const struct mesh_schema_field *mesh_schema_field(const struct mesh_schema *record, const char *name); /* or NULL */
/* ["null", T] or [T, "null"]: T and *ret_null_branch; otherwise NULL. */
const struct mesh_schema *mesh_schema_nullable(const struct mesh_schema *schema, int *ret_null_branch);
const char *mesh_avro_kind_name(enum mesh_avro_kind kind);
const char *mesh_avro_logical_name(enum mesh_avro_logical logical); /* "timestamp-millis" */
/* "decimal(9,2)", "timestamp-millis", "array<string>", "null or string", "enum omnishop.Channel" for people. */
void mesh_schema_describe(const struct mesh_schema *schema, struct mesh_buf *out);

/* Parsing canonical form of the specification, and its CRC-64-AVRO fingerprint. They drop defaults, aliases and logical types: never
 * use them to decide whether a contract changed. */
void mesh_schema_canonical(const struct mesh_schema *schema, struct mesh_buf *out);
uint64_t mesh_schema_crc64(const void *bytes, size_t n);
uint64_t mesh_schema_fingerprint(const struct mesh_schema *schema);

/* The whole contract as JSON with keys and white space normalised: logical types, defaults, aliases kept, every field with its label,
 * whether its own or the record's; doc, order and attributes that mesh does not know dropped. */
void mesh_schema_normal(const struct mesh_schema *schema, struct mesh_buf *out);

/* The schema id used on the wire where no registry is configured: the first 31 bits of SHA-256 of the normal form, never 0. The same
 * contract has the same id everywhere without anybody handing out numbers. */
uint32_t mesh_schema_local_id(const struct mesh_schema *schema);

#endif
