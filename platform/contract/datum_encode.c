/* JSON to Avro binary.
 *
 * A union takes the first branch that the JSON fits. Whether it fits is found out by encoding it:
 * on failure the output is cut back and the next branch is tried. Unions inside unions could make
 * that exponential, so the steps are counted and a failed count ends everything.
 */
#include "base/check.h"
#include "base/text.h"
#include "contract/datum.h"
#include "contract/datum_internal.h"
#include "contract/default.h"

#include <float.h>
#include <math.h>

#define STEPS_MAX (4u * MESH_DATUM_ITEMS_MAX)

struct encoding {
    struct mesh_buf *out;
    size_t out_begin;
    unsigned depth, items, steps;
    bool over; /* a limit is passed: no other branch may be tried */
};

static int value(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json,
                 const struct mesh_datum_step *at, struct mesh_err *err);

static struct mesh_str text_of(const struct mesh_json *json)
{
    return (struct mesh_str){json->text, json->n};
}

static const char *kind_of(const struct mesh_json *json)
{
    static const char *const names[] = {
        [MESH_JSON_NULL] = "null",       [MESH_JSON_BOOL] = "a boolean", [MESH_JSON_NUMBER] = "a number",
        [MESH_JSON_STRING] = "a string", [MESH_JSON_ARRAY] = "a list",   [MESH_JSON_OBJECT] = "an object",
    };
    return names[json->kind];
}

static int limit(struct encoding *e, const struct mesh_datum_step *at, struct mesh_err *err)
{
    char path[MESH_DATUM_PATH_MAX];
    e->over = true;
    return mesh_err_set(err, MESH_ERR_REJECT, "json.limit",
                        "at %s: nested more than %d deep, more than %d values or more than %u bytes", mesh_datum_path(at, path),
                        MESH_DATUM_DEPTH_MAX, MESH_DATUM_ITEMS_MAX, MESH_DATUM_BYTES_MAX);
}

/* `wanted`: what the JSON should have been. */
static int misfit(const struct mesh_schema *schema, const struct mesh_json *json, const char *wanted,
                  const struct mesh_datum_step *at, struct mesh_err *err)
{
    char path[MESH_DATUM_PATH_MAX];
    if (err == NULL)
        return -1; /* only tried */
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf type = MESH_BUF_NULL;
    mesh_schema_describe(schema, &type);
    char shown[MESH_DATUM_SHOWN_MAX];
    bool scalar = json->kind == MESH_JSON_STRING || json->kind == MESH_JSON_NUMBER;
    const char *quote = json->kind == MESH_JSON_STRING ? "\"" : "";
    if (!scalar)
        return mesh_err_set(err, MESH_ERR_REJECT, "json.type", "at %s: %s is no %s; write %s", mesh_datum_path(at, path),
                            kind_of(json), type.p, wanted);
    return mesh_err_set(err, MESH_ERR_REJECT, "json.type", "at %s: %s%s%s is no %s; write %s", mesh_datum_path(at, path), quote,
                        mesh_datum_shown(json->text, shown), quote, type.p, wanted);
}

static int whole(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json,
                 const struct mesh_datum_step *at, struct mesh_err *err)
{
    int64_t v;
    bool is_int = schema->kind == MESH_AVRO_INT;
    bool ok = json->kind == MESH_JSON_STRING ? mesh_datum_scan_time(text_of(json), schema->logical, &v)
                                             : json->kind == MESH_JSON_NUMBER && mesh_text_parse_long(text_of(json), &v) == 0;
    if (ok && (!is_int || (v >= INT32_MIN && v <= INT32_MAX))) {
        mesh_buf_zigzag(e->out, v);
        return 0;
    }
    bool day = schema->logical == MESH_LOGICAL_DATE;
    bool time = schema->logical >= MESH_LOGICAL_TIMESTAMP_MILLIS && schema->logical <= MESH_LOGICAL_LOCAL_TIMESTAMP_NANOS;
    bool local = schema->logical >= MESH_LOGICAL_LOCAL_TIMESTAMP_MILLIS;
    return misfit(schema, json,
                  day             ? "a date like \"2026-11-21\""
                  : time && local ? "a time like \"2026-11-21T02:59:29\", no finer than the type"
                  : time          ? "a time like \"2026-11-21T02:59:29Z\", no finer than the type"
                  : is_int        ? "a whole number of 32 bits"
                                  : "a whole number of 64 bits",
                  at, err);
}

static int real(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json,
                const struct mesh_datum_step *at, struct mesh_err *err)
{
    static const struct {
        const char *text;
        double v;
    } words[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    double v = 0;
    bool ok = json->kind == MESH_JSON_NUMBER && mesh_text_parse_double(text_of(json), &v) == 0 &&
              (schema->kind == MESH_AVRO_DOUBLE || isfinite((float)v));
    for (size_t i = 0; json->kind == MESH_JSON_STRING && i < MESH_LEN(words); i++) {
        if (mesh_str_eq(text_of(json), mesh_str_of(words[i].text))) {
            v = words[i].v;
            ok = true;
        }
    }
    if (!ok)
        return misfit(schema, json, "a number", at, err);
    float single = (float)v;
    if (schema->kind == MESH_AVRO_FLOAT)
        mesh_buf_add(e->out, &single, sizeof single);
    else
        mesh_buf_add(e->out, &v, sizeof v);
    return 0;
}

static int decimal(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json,
                   const struct mesh_datum_step *at, struct mesh_err *err)
{
    mesh_dec v;
    bool ok = (json->kind == MESH_JSON_STRING || json->kind == MESH_JSON_NUMBER) &&
              mesh_text_parse_dec(text_of(json), schema->scale, &v) == 0 && mesh_datum_digits_ok(v, schema->precision) &&
              mesh_datum_decimal_bytes(v, schema->size, e->out);
    return ok ? 0 : misfit(schema, json, "a number of no more digits, like \"12.50\"", at, err);
}

static int bytes(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json,
                 const struct mesh_datum_step *at, struct mesh_err *err)
{
    uint8_t uuid[16];
    if (schema->logical == MESH_LOGICAL_DECIMAL)
        return decimal(e, schema, json, at, err);
    if (schema->logical == MESH_LOGICAL_UUID) {
        if (json->kind != MESH_JSON_STRING || !mesh_datum_scan_uuid(text_of(json), uuid))
            return misfit(schema, json, "32 hexadecimal digits as 8-4-4-4-12", at, err);
        mesh_buf_add(e->out, uuid, sizeof uuid);
        return 0;
    }
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf raw = MESH_BUF_NULL;
    bool fixed = schema->kind == MESH_AVRO_FIXED;
    if (json->kind != MESH_JSON_STRING || !mesh_datum_scan_base64(text_of(json), &raw) || (fixed && raw.n != schema->size))
        return misfit(schema, json, fixed ? "its bytes in Base64, neither more nor less" : "bytes in Base64", at, err);
    if (!fixed)
        mesh_buf_zigzag(e->out, (int64_t)raw.n);
    mesh_buf_add(e->out, raw.p, raw.n);
    return 0;
}

static int symbol(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json,
                  const struct mesh_datum_step *at, struct mesh_err *err)
{
    char path[MESH_DATUM_PATH_MAX], shown[MESH_DATUM_SHOWN_MAX];
    if (json->kind != MESH_JSON_STRING)
        return misfit(schema, json, "one of its symbols", at, err);
    for (size_t i = 0; i < schema->n_symbols; i++) {
        if (mesh_str_eq(text_of(json), mesh_str_of(schema->symbols[i]))) {
            mesh_buf_zigzag(e->out, (int64_t)i);
            return 0;
        }
    }
    const char *near = err == NULL ? NULL : mesh_did_you_mean(json->text, schema->symbols, schema->n_symbols);
    if (near == NULL)
        return misfit(schema, json, "one of its symbols", at, err);
    return mesh_err_set(err, MESH_ERR_REJECT, "json.type", "at %s: \"%s\" is no symbol of %s; did you mean \"%s\"?",
                        mesh_datum_path(at, path), mesh_datum_shown(json->text, shown), schema->name, near);
}

static int plain(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json,
                 const struct mesh_datum_step *at, struct mesh_err *err)
{
    switch (schema->kind) {
    case MESH_AVRO_NULL:
        return json->kind == MESH_JSON_NULL ? 0 : misfit(schema, json, "null", at, err);
    case MESH_AVRO_BOOLEAN:
        if (json->kind != MESH_JSON_BOOL)
            return misfit(schema, json, "true or false", at, err);
        mesh_buf_u8(e->out, json->boolean);
        return 0;
    case MESH_AVRO_INT:
    case MESH_AVRO_LONG:
        return whole(e, schema, json, at, err);
    case MESH_AVRO_FLOAT:
    case MESH_AVRO_DOUBLE:
        return real(e, schema, json, at, err);
    case MESH_AVRO_BYTES:
    case MESH_AVRO_FIXED:
        return bytes(e, schema, json, at, err);
    case MESH_AVRO_STRING:
        if (json->kind != MESH_JSON_STRING)
            return misfit(schema, json, "a string", at, err);
        mesh_buf_zigzag(e->out, json->n);
        mesh_buf_add(e->out, json->text, json->n);
        return 0;
    case MESH_AVRO_ENUM:
        return symbol(e, schema, json, at, err);
    case MESH_AVRO_RECORD:
    case MESH_AVRO_ARRAY:
    case MESH_AVRO_MAP:
    case MESH_AVRO_UNION:
    case MESH_AVRO_KIND_COUNT:
        break;
    }
    mesh_assert(schema->kind < MESH_AVRO_RECORD);
    return -1;
}

static int unknown_field(const struct mesh_schema *schema, const char *key, const struct mesh_datum_step *at, struct mesh_err *err)
{
    char path[MESH_DATUM_PATH_MAX], shown[MESH_DATUM_SHOWN_MAX];
    if (err == NULL)
        return -1;
    const char **names = mesh_xcalloc(schema->n_fields + 1, sizeof *names);
    for (size_t i = 0; i < schema->n_fields; i++)
        names[i] = schema->fields[i].name;
    const char *near = mesh_did_you_mean(key, names, schema->n_fields);
    mesh_freep(&names);
    return mesh_err_set(err, MESH_ERR_REJECT, "json.unknown", "at %s: %s has no field '%s'%s%s%s", mesh_datum_path(at, path),
                        schema->name, mesh_datum_shown(key, shown), near ? "; did you mean '" : "", near ? near : "",
                        near ? "'?" : "");
}

static int record(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json,
                  const struct mesh_datum_step *at, struct mesh_err *err)
{
    char path[MESH_DATUM_PATH_MAX];
    if (json->kind != MESH_JSON_OBJECT)
        return misfit(schema, json, "an object with its fields", at, err);
    for (uint32_t i = 0; i < json->n; i++)
        if (mesh_schema_field(schema, json->keys[i]) == NULL)
            return unknown_field(schema, json->keys[i], at, err);
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct mesh_schema_field *field = &schema->fields[i];
        const struct mesh_json *member = mesh_json_get(json, field->name);
        int r;
        if (member != NULL)
            r = value(e, field->type, member, &(struct mesh_datum_step){.up = at, .name = field->name}, err);
        else if (field->default_ != NULL)
            r = mesh_default_encode(field->type, field->default_, e->out, err);
        else
            r = mesh_err_set(err, MESH_ERR_REJECT, "json.missing", "at %s: field '%s' is missing and has no default",
                             mesh_datum_path(at, path), field->name);
        if (r < 0)
            return r;
        if (e->out->n - e->out_begin > MESH_DATUM_BYTES_MAX)
            return limit(e, at, err); /* defaults can be long */
    }
    return 0;
}

static int items(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json,
                 const struct mesh_datum_step *at, struct mesh_err *err)
{
    bool map = schema->kind == MESH_AVRO_MAP;
    if (json->kind != (map ? MESH_JSON_OBJECT : MESH_JSON_ARRAY))
        return misfit(schema, json, map ? "an object" : "a list", at, err);
    if (json->n > 0)
        mesh_buf_zigzag(e->out, json->n);
    for (uint32_t i = 0; i < json->n; i++) {
        struct mesh_datum_step step = {.up = at, .index = i};
        if (map) {
            step.key = mesh_str_of(json->keys[i]);
            mesh_buf_zigzag(e->out, step.key.n);
            mesh_buf_add(e->out, step.key.p, step.key.n);
        }
        int r = value(e, schema->items, map ? json->values[i] : json->items[i], &step, err);
        if (r < 0)
            return r;
    }
    mesh_buf_zigzag(e->out, 0);
    return 0;
}

/* With one branch besides null, or one alone, its own error says more than that nothing fits. */
static const struct mesh_schema *only_branch(const struct mesh_schema *schema, const struct mesh_json *json)
{
    const struct mesh_schema *only = NULL;
    for (size_t i = 0; i < schema->n_branches; i++) {
        if (schema->branches[i]->kind == MESH_AVRO_NULL && json->kind != MESH_JSON_NULL)
            continue;
        if (only != NULL)
            return NULL;
        only = schema->branches[i];
    }
    return only;
}

static int union_(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json,
                  const struct mesh_datum_step *at, struct mesh_err *err)
{
    const struct mesh_schema *only = only_branch(schema, json);
    for (size_t i = 0; i < schema->n_branches; i++) {
        if (only != NULL && schema->branches[i] != only)
            continue;
        size_t n_before = e->out->n;
        unsigned items_before = e->items, depth_before = e->depth;
        mesh_buf_zigzag(e->out, (int64_t)i);
        int r = value(e, schema->branches[i], json, at, only != NULL ? err : NULL);
        if (r == 0 || only != NULL)
            return r;
        if (e->over)
            return limit(e, at, err);
        e->out->n = n_before;
        e->items = items_before;
        e->depth = depth_before;
    }
    return misfit(schema, json, "what one of its branches takes", at, err);
}

static int value(struct encoding *e, const struct mesh_schema *schema, const struct mesh_json *json,
                 const struct mesh_datum_step *at, struct mesh_err *err)
{
    if (schema->kind == MESH_AVRO_UNION)
        return union_(e, schema, json, at, err);
    bool nests = schema->kind == MESH_AVRO_RECORD || schema->items != NULL;
    if (++e->items > MESH_DATUM_ITEMS_MAX || ++e->steps > STEPS_MAX || e->out->n - e->out_begin > MESH_DATUM_BYTES_MAX ||
        (nests && e->depth == MESH_DATUM_DEPTH_MAX))
        return limit(e, at, err);
    if (!nests)
        return plain(e, schema, json, at, err);
    e->depth++;
    int r = schema->kind == MESH_AVRO_RECORD ? record(e, schema, json, at, err) : items(e, schema, json, at, err);
    e->depth--;
    return r;
}

/* The text as JSON, or an error with its first diagnostic. */
static const struct mesh_json *read_json(struct mesh_arena *arena, struct mesh_str json, struct mesh_err *err)
{
    struct mesh_diags diags = {.arena = arena};
    const struct mesh_source *source = mesh_source_new(arena, "datum", mesh_arena_str(arena, json), json.n);
    const struct mesh_json *top = mesh_json_parse(arena, source, &diags, "json.syntax");
    if (top != NULL)
        return top;
    int line = 1, column = 1;
    const struct mesh_diag *first = diags.list.v[0];
    mesh_source_position(source, first->at.begin, &line, &column);
    mesh_err_set(err, MESH_ERR_REJECT, "json.syntax", "line %d, column %d: %s%s%s", line, column, first->text,
                 first->hint ? "; " : "", first->hint ? first->hint : "");
    return NULL;
}

int mesh_datum_from_json(const struct mesh_schema *schema, struct mesh_str json, struct mesh_buf *out, struct mesh_err *err)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_datum_step top = {0};
    if (json.n > MESH_JSON_BYTES_MAX)
        return mesh_err_set(err, MESH_ERR_REJECT, "json.limit", "the JSON has more than %u bytes", MESH_JSON_BYTES_MAX);
    const struct mesh_json *parsed = read_json(&arena, json, err);
    if (parsed == NULL)
        return -1;
    struct encoding e = {.out = out, .out_begin = out->n};
    int r = value(&e, schema, parsed, &top, err);
    if (r < 0)
        out->n = e.out_begin;
    return r;
}
