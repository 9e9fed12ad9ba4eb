/* Every key of product.yaml, mesh.yaml and tests, once.
 *
 * The table in bind_table.c is the vocabulary: path, kind, whether it must be given, default, unit, help, example. It drives
 * parsing and its errors, `meshgen json-schema` and the key tables of docs/DECLARATION.md, so that these three cannot disagree.
 *
 * A path is the keys from the root, joined by dots; `*` is a name of the author's own, `[]` an item of a list: the key `within` of
 * a dedupe step is "streams.*.steps[].dedupe.within".
 *
 * Codes: MG001 unknown key; MG002 missing key; MG003 wrong kind; MG004 a value that its kind does not allow; MG005 keys that do not
 * go together.
 */
#ifndef MESH_CODEGEN_BIND_H
#define MESH_CODEGEN_BIND_H

#include "codegen/yaml.h"

enum mesh_bind_kind {
    MESH_BIND_TEXT,     /* any text */
    MESH_BIND_NAME,     /* a name that is declared elsewhere, or a field */
    MESH_BIND_TOPIC,    /* a Kafka topic */
    MESH_BIND_CONTRACT, /* domain/subject@N */
    MESH_BIND_PRODUCT,  /* product/port */
    MESH_BIND_VERSION,  /* 1.0.0 */
    MESH_BIND_DURATION, /* 10s, 24h, 7d */
    MESH_BIND_OFFSET,   /* the same, and -7d */
    MESH_BIND_INTEGER,
    MESH_BIND_BOOL,        /* true, false */
    MESH_BIND_PERCENT,     /* 99.9% */
    MESH_BIND_ENUM,        /* one of `values` */
    MESH_BIND_TYPE,        /* long, decimal(12,2), string? */
    MESH_BIND_EXPRESSION,  /* mesh-CEL */
    MESH_BIND_MAP,         /* keys of this table */
    MESH_BIND_NAMES,       /* a map whose keys are names of the author's own; what they hold is "<path>.*" */
    MESH_BIND_CHOICE,      /* a map with exactly one of its keys (and those marked MESH_BIND_BESIDE) */
    MESH_BIND_LIST,        /* of "<path>[]" */
    MESH_BIND_ONE_OR_LIST, /* the same, or one without the list */
    MESH_BIND_FROM,        /* a name, a list of names, or { changes: VIEW } */
    MESH_BIND_VALUE,       /* anything: what it may be is decided by a contract */
    MESH_BIND_KIND_COUNT
};

enum mesh_bind_flag {
    MESH_BIND_REQUIRED = 1,
    MESH_BIND_EMPTY_OK = 2, /* a map without entries, or nothing at all, is fine */
    MESH_BIND_BESIDE = 4,   /* in a CHOICE: may stand beside the chosen key */
};

struct mesh_bind_key {
    const char *path;
    enum mesh_bind_kind kind;
    unsigned flags;
    const char *only;     /* stands only where the sibling `kind` is one of these words; NULL: everywhere */
    const char *values;   /* ENUM: words, separated by spaces */
    const char *fallback; /* default as it would be written; NULL: none */
    int64_t min, max;     /* INTEGER; DURATION: min in microseconds */
    const char *help;     /* one sentence */
    const char *example;  /* of the value, or NULL */
};

struct mesh_bind_table {
    const char *document; /* "DataProduct" */
    const struct mesh_bind_key *keys;
    size_t n;
};

extern const struct mesh_bind_table mesh_bind_product; /* product.yaml */
extern const struct mesh_bind_table mesh_bind_mesh;    /* mesh.yaml */
extern const struct mesh_bind_table mesh_bind_waivers; /* waivers.yaml */
extern const struct mesh_bind_table mesh_bind_test;    /* tests/NAME.yaml */

/* Check a tree against a table; all mistakes are diagnostics. False when the tree's shape is so wrong that it cannot be walked. */
bool mesh_bind_check(const struct mesh_bind_table *table, const struct mesh_yaml *root, const char *file_kind,
                     struct mesh_arena *arena, struct mesh_diags *diags);

/* The entry of a path, or NULL. */
const struct mesh_bind_key *mesh_bind_find(const struct mesh_bind_table *table, const char *path);

/* Values of a checked tree. What was wrong (and reported) reads as absent; what is absent reads as its default. */
int64_t mesh_bind_duration(const struct mesh_bind_table *table, const struct mesh_yaml *map, const char *path);
int64_t mesh_bind_offset(const struct mesh_yaml *node); /* of an OFFSET; 0 when it is not one */
int64_t mesh_bind_integer(const struct mesh_bind_table *table, const struct mesh_yaml *map, const char *path);
bool mesh_bind_bool(const struct mesh_bind_table *table, const struct mesh_yaml *map, const char *path);
/* Index among the words of an ENUM; of the default when absent; -1 without one. */
int mesh_bind_enum(const struct mesh_bind_table *table, const struct mesh_yaml *map, const char *path);
/* Text of a scalar, or NULL when absent or no scalar. */
const char *mesh_bind_text(const struct mesh_yaml *map, const char *key);

bool mesh_bind_word_in(const char *words, const char *word, int *ret_index);
/* What a kind is called in messages and in the documentation: "a duration". */
const char *mesh_bind_kind_text(enum mesh_bind_kind kind);

/* ---- derived documents ---- */
void mesh_bind_json_schema(const struct mesh_bind_table *table, struct mesh_buf *out);
void mesh_bind_markdown(const struct mesh_bind_table *table, struct mesh_buf *out);

#endif
