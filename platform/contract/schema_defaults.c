/* Defaults: do they fit, why not, and as bytes.
 *
 * A union takes the first branch that the value fits. Finding it tries branches inside branches,
 * which a malicious schema could make exponential; a budget of steps bounds that.
 */
#include "base/text.h"
#include "contract/default.h"
#include "contract/schema_internal.h"

#include <float.h>

static bool whole(const struct mesh_json *json, int64_t *ret)
{
    return json->kind == MESH_JSON_NUMBER && mesh_text_parse_long((struct mesh_str){json->text, json->n}, ret) == 0;
}

/* 1e400 is no double, and 1e300 no float. */
static bool real(const struct mesh_schema *schema, const struct mesh_json *json, double *ret)
{
    return json->kind == MESH_JSON_NUMBER && mesh_text_parse_double((struct mesh_str){json->text, json->n}, ret) == 0 &&
           (schema->kind == MESH_AVRO_DOUBLE || (*ret >= -FLT_MAX && *ret <= FLT_MAX));
}

/* The code points 0..255 of a JSON string as bytes. -1 when one is greater; `out` may be NULL. */
static int64_t latin1(const struct mesh_json *json, struct mesh_buf *out)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < json->n; i++, n++) {
        uint8_t c = (uint8_t)json->text[i];
        if (c >= 0x80) {
            if (c > 0xC3)
                return -1;
            c = (uint8_t)((c & 3u) << 6 | ((uint8_t)json->text[++i] & 0x3Fu));
        }
        if (out != NULL)
            mesh_buf_u8(out, c);
    }
    return n;
}

static int symbol_index(const struct mesh_schema *schema, const struct mesh_json *json)
{
    for (size_t i = 0; json->kind == MESH_JSON_STRING && i < schema->n_symbols; i++)
        if (strlen(schema->symbols[i]) == json->n && memcmp(schema->symbols[i], json->text, json->n) == 0)
            return (int)i;
    return -1;
}

static bool fits(const struct mesh_schema *schema, const struct mesh_json *json, unsigned *budget)
{
    int64_t v;
    double number;
    if (*budget == 0)
        return false;
    --*budget;
    switch (schema->kind) {
    case MESH_AVRO_NULL:
        return json->kind == MESH_JSON_NULL;
    case MESH_AVRO_BOOLEAN:
        return json->kind == MESH_JSON_BOOL;
    case MESH_AVRO_INT:
        return whole(json, &v) && v >= INT32_MIN && v <= INT32_MAX;
    case MESH_AVRO_LONG:
        return whole(json, &v);
    case MESH_AVRO_FLOAT:
    case MESH_AVRO_DOUBLE:
        return real(schema, json, &number);
    case MESH_AVRO_BYTES:
        return json->kind == MESH_JSON_STRING && latin1(json, NULL) >= 0;
    case MESH_AVRO_STRING:
        return json->kind == MESH_JSON_STRING;
    case MESH_AVRO_FIXED:
        return json->kind == MESH_JSON_STRING && latin1(json, NULL) == schema->size;
    case MESH_AVRO_ENUM:
        return symbol_index(schema, json) >= 0;
    case MESH_AVRO_ARRAY:
        for (uint32_t i = 0; json->kind == MESH_JSON_ARRAY && i < json->n; i++)
            if (!fits(schema->items, json->items[i], budget))
                return false;
        return json->kind == MESH_JSON_ARRAY;
    case MESH_AVRO_MAP:
        for (uint32_t i = 0; json->kind == MESH_JSON_OBJECT && i < json->n; i++)
            if (!fits(schema->items, json->values[i], budget))
                return false;
        return json->kind == MESH_JSON_OBJECT;
    case MESH_AVRO_RECORD:
        for (size_t i = 0; json->kind == MESH_JSON_OBJECT && i < schema->n_fields; i++) {
            const struct mesh_json *value = mesh_json_get(json, schema->fields[i].name);
            if (value == NULL ? schema->fields[i].default_ == NULL : !fits(schema->fields[i].type, value, budget))
                return false;
        }
        return json->kind == MESH_JSON_OBJECT;
    case MESH_AVRO_UNION:
        for (size_t i = 0; i < schema->n_branches; i++)
            if (fits(schema->branches[i], json, budget))
                return true;
        return false;
    case MESH_AVRO_KIND_COUNT:
        break;
    }
    mesh_assert(schema->kind < MESH_AVRO_KIND_COUNT);
    return false;
}

bool mesh_default_fits(const struct mesh_schema *schema, const struct mesh_json *json)
{
    unsigned budget = MESH_DEFAULT_VALUES_MAX;
    return fits(schema, json, &budget);
}

int mesh_default_branch(const struct mesh_schema *union_, const struct mesh_json *json)
{
    for (size_t i = 0; i < union_->n_branches; i++)
        if (mesh_default_fits(union_->branches[i], json))
            return (int)i;
    return -1;
}

/* What would fit, for people. */
static const char *wanted(const struct mesh_schema *schema)
{
    switch (schema->kind) {
    case MESH_AVRO_NULL:
        return "null";
    case MESH_AVRO_BOOLEAN:
        return "true or false";
    case MESH_AVRO_INT:
        return "a whole number of 32 bits";
    case MESH_AVRO_LONG:
        return "a whole number of 64 bits";
    case MESH_AVRO_FLOAT:
    case MESH_AVRO_DOUBLE:
        return "a number";
    case MESH_AVRO_BYTES:
        return "a string of the code points 0 to 255, one for each byte (\"\\u00FF\")";
    case MESH_AVRO_FIXED:
        return "a string of as many code points 0 to 255 as the fixed has bytes";
    case MESH_AVRO_STRING:
        return "a string";
    case MESH_AVRO_ENUM:
        return "one of its symbols";
    case MESH_AVRO_ARRAY:
        return "a list";
    case MESH_AVRO_MAP:
        return "an object";
    case MESH_AVRO_RECORD:
        return "an object with every field that has no default of its own";
    case MESH_AVRO_UNION:
        return "a value of one of its branches";
    case MESH_AVRO_KIND_COUNT:
        break;
    }
    return "";
}

static bool is_null_text(const struct mesh_json *json)
{
    return json->kind == MESH_JSON_STRING && strcmp(json->text, "null") == 0;
}

/* Says why `json`, which does not fit, does not: at the innermost value that is wrong. */
static void explain(struct mesh_schema_parser *p, const struct mesh_schema *schema, const struct mesh_json *json)
{
    if (schema->kind == MESH_AVRO_ARRAY && json->kind == MESH_JSON_ARRAY) {
        for (uint32_t i = 0; i < json->n; i++)
            if (!mesh_default_fits(schema->items, json->items[i]))
                explain(p, schema->items, json->items[i]);
        return;
    }
    if (schema->kind == MESH_AVRO_MAP && json->kind == MESH_JSON_OBJECT) {
        for (uint32_t i = 0; i < json->n; i++)
            if (!mesh_default_fits(schema->items, json->values[i]))
                explain(p, schema->items, json->values[i]);
        return;
    }
    const char *missing = NULL;
    for (size_t i = 0; schema->kind == MESH_AVRO_RECORD && json->kind == MESH_JSON_OBJECT && i < schema->n_fields; i++) {
        const struct mesh_schema_field *field = &schema->fields[i];
        const struct mesh_json *value = mesh_json_get(json, field->name);
        if (value == NULL && field->default_ == NULL)
            missing = field->name;
        if (value == NULL || mesh_default_fits(field->type, value))
            continue;
        explain(p, field->type, value);
        return;
    }
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf type = MESH_BUF_NULL;
    mesh_schema_describe(schema, &type);
    struct mesh_diag *d;
    if (missing != NULL) {
        d = mesh_diag_add(p->diags, MESH_ERROR, "MC005", json->at, "the default lacks field '%s' of '%s'", missing, schema->name);
    } else if (schema->kind == MESH_AVRO_ENUM && json->kind == MESH_JSON_STRING) {
        d = mesh_diag_add(p->diags, MESH_ERROR, "MC005", json->at, "default '%s' is not a symbol of %s", json->text, type.p);
        const char *near = mesh_did_you_mean(json->text, schema->symbols, schema->n_symbols);
        if (near != NULL)
            mesh_diag_hint(p->diags, d, "did you mean '%s'?", near);
    } else {
        d = mesh_diag_add(p->diags, MESH_ERROR, "MC005", json->at, "this default does not fit type %s", type.p);
    }
    mesh_diag_why(p->diags, d, "a default of this type is %s", wanted(schema));
    if (json->kind == MESH_JSON_NULL && schema->kind != MESH_AVRO_UNION)
        mesh_diag_fix(p->diags, d, "if the field may be null: \"type\": [\"null\", ...], \"default\": null");
    else if (is_null_text(json))
        mesh_diag_fix(p->diags, d, "write null without quotes");
}

static void unknown_members(struct mesh_schema_parser *p, const struct mesh_schema *schema, const struct mesh_json *json)
{
    if (schema->kind != MESH_AVRO_RECORD || json->kind != MESH_JSON_OBJECT)
        return;
    const char **names = mesh_arena_alloc(p->arena, (schema->n_fields + 1) * sizeof *names);
    for (size_t i = 0; i < schema->n_fields; i++)
        names[i] = schema->fields[i].name;
    for (uint32_t i = 0; i < json->n; i++) {
        const struct mesh_schema_field *field = mesh_schema_field(schema, json->keys[i]);
        if (field != NULL) {
            unknown_members(p, field->type, json->values[i]);
            continue;
        }
        struct mesh_diag *d =
            mesh_diag_add(p->diags, MESH_WARNING, "MC005", json->key_at[i], "'%s' has no field '%s'", schema->name, json->keys[i]);
        const char *near = mesh_did_you_mean(json->keys[i], names, schema->n_fields);
        if (near != NULL)
            mesh_diag_hint(p->diags, d, "did you mean '%s'?", near);
    }
}

void mesh_schema_check_default(struct mesh_schema_parser *p, const struct mesh_schema_field *field)
{
    if (!mesh_default_fits(field->type, field->default_)) {
        explain(p, field->type, field->default_);
        return;
    }
    unknown_members(p, field->type, field->default_);
    if (field->type->kind != MESH_AVRO_UNION)
        return;
    int branch = mesh_default_branch(field->type, field->default_);
    if (branch <= 0)
        return;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf type = MESH_BUF_NULL;
    mesh_schema_describe(field->type->branches[branch], &type);
    struct mesh_diag *d = mesh_diag_add(p->diags, MESH_WARNING, "MC005", field->default_->at,
                                        "this default fits branch %d of the union (%s), not its first", branch + 1, type.p);
    mesh_diag_why(p->diags, d,
                  "until Avro 1.12 a default had to be of the first branch, and many readers still "
                  "refuse others");
    if (is_null_text(field->default_))
        mesh_diag_fix(p->diags, d, "write null without quotes");
    else
        mesh_diag_fix(p->diags, d, "put %s first in the union", type.p);
}

struct encoding {
    struct mesh_buf *out;
    size_t out_begin;
    unsigned depth, values;
};

static int encode(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json, struct mesh_err *err);

static int encode_record(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json, struct mesh_err *err)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct mesh_json *value = mesh_json_get(json, schema->fields[i].name);
        int r = encode(e, schema->fields[i].type, value != NULL ? value : schema->fields[i].default_, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int encode_items(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json, struct mesh_err *err)
{
    if (json->n > 0)
        mesh_buf_zigzag(e->out, json->n);
    for (uint32_t i = 0; i < json->n; i++) {
        if (schema->kind == MESH_AVRO_MAP) {
            size_t n = strlen(json->keys[i]);
            mesh_buf_zigzag(e->out, (int64_t)n);
            mesh_buf_add(e->out, json->keys[i], n);
        }
        int r = encode(e, schema->items, schema->kind == MESH_AVRO_MAP ? json->values[i] : json->items[i], err);
        if (r < 0)
            return r;
    }
    mesh_buf_zigzag(e->out, 0);
    return 0;
}

/* `json` fits, the caller made sure. */
static void encode_plain(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json)
{
    int64_t v = 0;
    double number = 0;
    if (schema->kind == MESH_AVRO_BOOLEAN) {
        mesh_buf_u8(e->out, json->boolean);
    } else if (schema->kind == MESH_AVRO_INT || schema->kind == MESH_AVRO_LONG) {
        whole(json, &v);
        mesh_buf_zigzag(e->out, v);
    } else if (schema->kind == MESH_AVRO_FLOAT || schema->kind == MESH_AVRO_DOUBLE) {
        real(schema, json, &number);
        float single = (float)number;
        if (schema->kind == MESH_AVRO_FLOAT)
            mesh_buf_add(e->out, &single, sizeof single);
        else
            mesh_buf_add(e->out, &number, sizeof number);
    } else if (schema->kind == MESH_AVRO_STRING) {
        mesh_buf_zigzag(e->out, json->n);
        mesh_buf_add(e->out, json->text, json->n);
    } else if (schema->kind == MESH_AVRO_BYTES) {
        mesh_buf_zigzag(e->out, latin1(json, NULL));
        latin1(json, e->out);
    } else if (schema->kind == MESH_AVRO_FIXED) {
        latin1(json, e->out);
    } else if (schema->kind == MESH_AVRO_ENUM) {
        mesh_buf_zigzag(e->out, symbol_index(schema, json));
    }
}

static int encode(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json, struct mesh_err *err)
{
    if (e->depth == MESH_DEFAULT_DEPTH_MAX || e->values == MESH_DEFAULT_VALUES_MAX ||
        e->out->n - e->out_begin > MESH_DEFAULT_BYTES_MAX)
        return mesh_err_set(err, MESH_ERR_REJECT, "schema.default",
                            "the default has no end: it pulls in defaults of fields more than %d deep, more than %d in all or more "
                            "than %u bytes",
                            MESH_DEFAULT_DEPTH_MAX, MESH_DEFAULT_VALUES_MAX, MESH_DEFAULT_BYTES_MAX);
    e->depth++;
    e->values++;
    int r = 0;
    if (schema->kind == MESH_AVRO_UNION) {
        int branch = mesh_default_branch(schema, json);
        mesh_assert(branch >= 0);
        mesh_buf_zigzag(e->out, branch);
        r = encode(e, schema->branches[branch], json, err);
    } else if (schema->kind == MESH_AVRO_RECORD) {
        r = encode_record(e, schema, json, err);
    } else if (schema->kind == MESH_AVRO_ARRAY || schema->kind == MESH_AVRO_MAP) {
        r = encode_items(e, schema, json, err);
    } else {
        encode_plain(e, schema, json);
    }
    e->depth--;
    return r;
}

int mesh_default_encode(const struct mesh_schema *schema, const struct mesh_json *json, struct mesh_buf *out, struct mesh_err *err)
{
    if (!mesh_default_fits(schema, json))
        return mesh_err_set(err, MESH_ERR_REJECT, "schema.default", "the default does not fit its type");
    struct encoding e = {.out = out, .out_begin = out->n};
    return encode(&e, schema, json, err);
}
