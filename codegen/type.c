/* Types are compared and described by their meaning: where a type came from is kept only for enums, whose
 * symbols are their meaning, and for times of the day, which are plain numbers that a reader should be told
 * about. A recursive record has no finite shape and is refused, like everything else that no C value holds. */
#include "codegen/type.h"

#include "base/check.h"

#include <ctype.h>
#include <string.h>

static bool same_enum(const struct mesh_schema *a, const struct mesh_schema *b)
{
    if (a == b)
        return true;
    if (a == NULL || b == NULL || strcmp(a->name, b->name) != 0 || a->n_symbols != b->n_symbols)
        return false;
    for (size_t i = 0; i < a->n_symbols; i++) {
        if (strcmp(a->symbols[i], b->symbols[i]) != 0)
            return false;
    }
    return true;
}

static bool same_shape(const struct mesh_gen_shape *a, const struct mesh_gen_shape *b)
{
    if (a == b)
        return true;
    if (a == NULL || b == NULL || a->members.n != b->members.n)
        return false;
    for (size_t i = 0; i < a->members.n; i++) {
        const struct mesh_gen_member *x = &a->members.v[i];
        const struct mesh_gen_member *y = &b->members.v[i];
        if (strcmp(x->name, y->name) != 0 || !mesh_gen_type_eq(&x->type, &y->type))
            return false;
    }
    return true;
}

bool mesh_gen_type_eq(const struct mesh_gen_type *a, const struct mesh_gen_type *b)
{
    if (a->kind != b->kind || a->nullable != b->nullable || a->int32 != b->int32)
        return false;
    if (a->kind == MESH_GEN_DECIMAL)
        return a->precision == b->precision && a->scale == b->scale;
    if (a->kind == MESH_GEN_ENUM)
        return same_enum(a->schema, b->schema);
    if (a->kind == MESH_GEN_LIST)
        return a->item == b->item || (a->item != NULL && b->item != NULL && mesh_gen_type_eq(a->item, b->item));
    if (a->kind == MESH_GEN_RECORD)
        return same_shape(a->shape, b->shape);
    return true;
}

static void describe_int(const struct mesh_gen_type *type, struct mesh_buf *out)
{
    enum mesh_avro_logical logical = type->schema == NULL ? MESH_LOGICAL_NONE : type->schema->logical;
    mesh_buf_puts(out, logical == MESH_LOGICAL_TIME_MILLIS   ? "int (milliseconds of the day)"
                       : logical == MESH_LOGICAL_TIME_MICROS ? "int (microseconds of the day)"
                                                             : "int");
}

void mesh_gen_type_describe(const struct mesh_gen_type *type, struct mesh_buf *out)
{
    static const char *const names[] = {
        [MESH_GEN_ERROR] = "an error",      [MESH_GEN_NULL] = "null",         [MESH_GEN_BOOL] = "bool",
        [MESH_GEN_DOUBLE] = "double",       [MESH_GEN_STRING] = "string",     [MESH_GEN_BYTES] = "bytes",
        [MESH_GEN_TIMESTAMP] = "timestamp", [MESH_GEN_DURATION] = "duration", [MESH_GEN_DATE] = "date",
    };
    if (type->kind == MESH_GEN_INT) {
        describe_int(type, out);
    } else if (type->kind == MESH_GEN_DECIMAL) {
        mesh_buf_printf(out, "decimal(%d,%d)", type->precision, type->scale);
    } else if (type->kind == MESH_GEN_ENUM) {
        const struct mesh_schema *schema = type->schema;
        mesh_buf_printf(out, "enum %s", schema == NULL ? "?" : schema->short_name);
    } else if (type->kind == MESH_GEN_LIST) {
        mesh_buf_puts(out, "list");
        if (type->item != NULL) {
            mesh_buf_puts(out, " of ");
            mesh_gen_type_describe(type->item, out);
        }
    } else if (type->kind == MESH_GEN_RECORD) {
        mesh_buf_printf(out, "record %s", type->shape == NULL ? "?" : type->shape->cname);
    } else {
        mesh_buf_puts(out, names[type->kind]);
    }
    if (type->nullable && type->kind != MESH_GEN_NULL)
        mesh_buf_puts(out, " or null");
}

struct mesh_gen_member *mesh_gen_shape_member(const struct mesh_gen_shape *shape, const char *name)
{
    for (size_t i = 0; shape != NULL && i < shape->members.n; i++) {
        if (strcmp(shape->members.v[i].name, name) == 0)
            return &shape->members.v[i];
    }
    return NULL;
}

/* ---- from Avro ---- */

enum mesh_label mesh_gen_label(const char *name)
{
    static const char *const names[MESH_LABEL_COUNT] = {
        [MESH_PUBLIC] = "public",   [MESH_INTERNAL] = "internal",         [MESH_PERSONAL] = "personal",
        [MESH_SPECIAL] = "special", [MESH_PSEUDONYMOUS] = "pseudonymous",
    };
    for (int i = 0; name != NULL && i < MESH_LABEL_COUNT; i++) {
        if (strcmp(names[i], name) == 0)
            return (enum mesh_label)i;
    }
    return MESH_INTERNAL;
}

static bool is_c_keyword(const char *name)
{
    static const char *const words[] = {
        "auto",  "bool",     "break",    "case",     "char",   "const",    "continue", "default", "do",     "double",
        "else",  "enum",     "extern",   "false",    "float",  "for",      "goto",     "if",      "inline", "int",
        "long",  "register", "restrict", "return",   "short",  "signed",   "sizeof",   "static",  "struct", "switch",
        "true",  "typedef",  "union",    "unsigned", "void",   "volatile", "while",    "asm",     "typeof", "NULL",
        "linux", "unix",     "errno",    "stdin",    "stdout", "stderr",   "INFINITY", "NAN",
    };
    for (size_t i = 0; i < MESH_LEN(words); i++) {
        if (strcmp(words[i], name) == 0)
            return true;
    }
    return false;
}

static const char *c_name(struct mesh_arena *arena, const char *name)
{
    return is_c_keyword(name) ? mesh_arena_printf(arena, "%s_", name) : name;
}

/* "CustomerRecord" as "customer_record". */
static const char *snake(struct mesh_arena *arena, const char *name)
{
    char *out = mesh_arena_alloc(arena, 2 * strlen(name) + 1);
    size_t n = 0;
    for (size_t i = 0; name[i] != '\0'; i++) {
        unsigned char c = (unsigned char)name[i];
        bool starts = isupper(c) && i > 0 && name[i - 1] != '_' &&
                      (!isupper((unsigned char)name[i - 1]) || islower((unsigned char)name[i + 1]));
        if (starts)
            out[n++] = '_';
        out[n++] = (char)tolower(c);
    }
    return c_name(arena, out);
}

/* The records around the one at hand. */
struct nest {
    const struct nest *outer;
    const struct mesh_schema *record;
};

static bool type_of(const struct mesh_schema *schema, struct mesh_arena *arena, const struct nest *outer,
                    struct mesh_gen_type *ret);

static bool record_of(const struct mesh_schema *schema, struct mesh_arena *arena, const struct nest *outer,
                      struct mesh_gen_type *ret)
{
    for (const struct nest *n = outer; n != NULL; n = n->outer) {
        if (n->record == schema)
            return false;
    }
    struct nest here = {outer, schema};
    struct mesh_gen_shape *shape = mesh_arena_new(arena, struct mesh_gen_shape);
    shape->cname = snake(arena, schema->short_name);
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct mesh_schema_field *field = &schema->fields[i];
        struct mesh_gen_type type;
        if (!type_of(field->type, arena, &here, &type))
            continue;
        *mesh_vec_push_in(arena, &shape->members) = (struct mesh_gen_member){
            .name = field->name,
            .cname = c_name(arena, field->name),
            .type = type,
            .label = mesh_gen_label(field->label),
            .subject = field->subject,
            .doc = field->doc,
            .at = field->name_at,
            .origin = mesh_arena_printf(arena, "%s.%s", schema->short_name, field->name),
        };
    }
    *ret = (struct mesh_gen_type){.kind = MESH_GEN_RECORD, .schema = schema, .shape = shape};
    return true;
}

static bool logical_of(const struct mesh_schema *schema, struct mesh_gen_type *ret)
{
    switch (schema->logical) {
    case MESH_LOGICAL_DECIMAL:
        *ret = (struct mesh_gen_type){
            .kind = MESH_GEN_DECIMAL, .precision = schema->precision, .scale = schema->scale, .schema = schema};
        return schema->precision <= MESH_DEC_DIGITS_MAX;
    case MESH_LOGICAL_DATE:
        *ret = (struct mesh_gen_type){.kind = MESH_GEN_DATE, .schema = schema};
        return true;
    case MESH_LOGICAL_TIMESTAMP_MILLIS:
    case MESH_LOGICAL_TIMESTAMP_MICROS:
    case MESH_LOGICAL_TIMESTAMP_NANOS:
    case MESH_LOGICAL_LOCAL_TIMESTAMP_MILLIS:
    case MESH_LOGICAL_LOCAL_TIMESTAMP_MICROS:
    case MESH_LOGICAL_LOCAL_TIMESTAMP_NANOS:
        *ret = (struct mesh_gen_type){.kind = MESH_GEN_TIMESTAMP, .schema = schema};
        return true;
    case MESH_LOGICAL_NONE:
    case MESH_LOGICAL_UUID:
    case MESH_LOGICAL_TIME_MILLIS:
    case MESH_LOGICAL_TIME_MICROS:
    case MESH_LOGICAL_DURATION:
    case MESH_LOGICAL_COUNT:
        break;
    }
    return false;
}

/* Those whose logical type makes them something else than their kind. */
static bool is_other(const struct mesh_schema *schema)
{
    return schema->logical != MESH_LOGICAL_NONE && schema->logical != MESH_LOGICAL_UUID &&
           schema->logical != MESH_LOGICAL_TIME_MILLIS && schema->logical != MESH_LOGICAL_TIME_MICROS;
}

static bool type_of(const struct mesh_schema *schema, struct mesh_arena *arena, const struct nest *outer, struct mesh_gen_type *ret)
{
    if (is_other(schema))
        return logical_of(schema, ret);
    *ret = (struct mesh_gen_type){.schema = schema};
    switch (schema->kind) {
    case MESH_AVRO_BOOLEAN:
        ret->kind = MESH_GEN_BOOL;
        return true;
    case MESH_AVRO_INT:
    case MESH_AVRO_LONG:
        ret->kind = MESH_GEN_INT;
        ret->int32 = schema->kind == MESH_AVRO_INT;
        return true;
    case MESH_AVRO_FLOAT:
    case MESH_AVRO_DOUBLE:
        ret->kind = MESH_GEN_DOUBLE;
        return true;
    case MESH_AVRO_STRING:
        ret->kind = MESH_GEN_STRING;
        return true;
    case MESH_AVRO_BYTES:
    case MESH_AVRO_FIXED:
        ret->kind = MESH_GEN_BYTES;
        return true;
    case MESH_AVRO_ENUM:
        ret->kind = MESH_GEN_ENUM;
        return true;
    case MESH_AVRO_RECORD:
        return record_of(schema, arena, outer, ret);
    case MESH_AVRO_ARRAY: {
        struct mesh_gen_type *item = mesh_arena_new(arena, struct mesh_gen_type);
        ret->kind = MESH_GEN_LIST;
        ret->item = item;
        return type_of(schema->items, arena, outer, item);
    }
    case MESH_AVRO_UNION: {
        int null_branch = 0;
        const struct mesh_schema *other = mesh_schema_nullable(schema, &null_branch);
        if (other == NULL || !type_of(other, arena, outer, ret))
            return false;
        ret->nullable = true;
        return true;
    }
    case MESH_AVRO_NULL:
    case MESH_AVRO_MAP:
    case MESH_AVRO_KIND_COUNT:
        break;
    }
    return false;
}

bool mesh_gen_type_of_schema(const struct mesh_schema *schema, struct mesh_arena *arena, struct mesh_gen_type *ret)
{
    if (type_of(schema, arena, NULL, ret))
        return true;
    *ret = (struct mesh_gen_type){.kind = MESH_GEN_ERROR};
    return false;
}
