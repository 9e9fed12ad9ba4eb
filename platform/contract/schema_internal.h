/* What the files of the schema parser share. Private to contract/schema*.c. */
#ifndef MESH_CONTRACT_SCHEMA_INTERNAL_H
#define MESH_CONTRACT_SCHEMA_INTERNAL_H

#include "base/map.h"
#include "base/vec.h"
#include "contract/schema.h"

/* A name that stood for no type when it was read. Reported at the end, when all names are known. */
struct mesh_schema_unknown {
    const struct mesh_json *json;
    const char *space;
};

struct mesh_schema_parser {
    struct mesh_arena *arena;
    struct mesh_diags *diags;
    struct mesh_map names; /* full name -> struct mesh_schema */
    MESH_VEC(struct mesh_schema_unknown) unknown;
    MESH_VEC(const struct mesh_schema_field *) defaults; /* to check when every type is complete */
    uint32_t n_nodes;
    unsigned depth;
};

/* A list of attribute names that mean something at one place. */
struct mesh_schema_attrs {
    const char *const *names;
    size_t n;
};

/* schema_names.c */
bool mesh_schema_name_ok(const char *name);      /* Payment */
bool mesh_schema_full_name_ok(const char *name); /* omnishop.sales.Payment */
const char *mesh_schema_full_name(struct mesh_arena *arena, const char *name, const char *space);
const char *mesh_schema_space_of(struct mesh_arena *arena, const char *full_name); /* "" for none */
const char *mesh_schema_short_of(const char *full_name);
bool mesh_schema_primitive(const char *name, enum mesh_avro_kind *ret);
void mesh_schema_define(struct mesh_schema_parser *p, struct mesh_schema *schema, const struct mesh_json *name);
void mesh_schema_report_unknown(struct mesh_schema_parser *p);
/* The aliases of a type (space != NULL: made full) or of a field. */
void mesh_schema_aliases(struct mesh_schema_parser *p, const struct mesh_json *object, const char *space, const char ***ret,
                         size_t *ret_n);
/* A field's alias is no other field's name or alias. */
void mesh_schema_unique_aliases(struct mesh_schema_parser *p, const struct mesh_schema *record);

/* schema_attrs.c: reading one attribute of a JSON object, with a diagnostic when it is not what it must be. */
struct mesh_srcref mesh_schema_key_at(const struct mesh_json *object, const char *key); /* the key, else the value */
const struct mesh_json *mesh_schema_need(struct mesh_schema_parser *p, const struct mesh_json *object, const char *key,
                                         enum mesh_json_kind kind, const char *what);
bool mesh_schema_no_nul(struct mesh_schema_parser *p, const struct mesh_json *string);
const char *mesh_schema_text(struct mesh_schema_parser *p, const struct mesh_json *object, const char *key);
void mesh_schema_label(struct mesh_schema_parser *p, const struct mesh_json *object, const char **ret, struct mesh_srcref *ret_at);
void mesh_schema_no_label(struct mesh_schema_parser *p, const struct mesh_json *object);
void mesh_schema_spelling(struct mesh_schema_parser *p, const struct mesh_json *object, struct mesh_schema_attrs attrs);
const char *mesh_schema_json_kind(const struct mesh_json *json); /* "a string" */

/* schema_logical.c */
void mesh_schema_logical(struct mesh_schema_parser *p, struct mesh_schema *schema, const struct mesh_json *object);

/* schema_defaults.c */
void mesh_schema_check_default(struct mesh_schema_parser *p, const struct mesh_schema_field *field);

#endif
