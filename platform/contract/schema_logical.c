/* Logical types.
 *
 * The specification says that a logical type which does not fit its type must be ignored, so that
 * is a warning and never an error: but to the reader of the contract an amount that suddenly is
 * bytes comes as a surprise, therefore we say it.
 */
#include "base/text.h"
#include "contract/schema_internal.h"

static const char *const names[MESH_LOGICAL_COUNT] = {
    [MESH_LOGICAL_NONE] = "none",
    [MESH_LOGICAL_DECIMAL] = "decimal",
    [MESH_LOGICAL_UUID] = "uuid",
    [MESH_LOGICAL_DATE] = "date",
    [MESH_LOGICAL_TIME_MILLIS] = "time-millis",
    [MESH_LOGICAL_TIME_MICROS] = "time-micros",
    [MESH_LOGICAL_TIMESTAMP_MILLIS] = "timestamp-millis",
    [MESH_LOGICAL_TIMESTAMP_MICROS] = "timestamp-micros",
    [MESH_LOGICAL_TIMESTAMP_NANOS] = "timestamp-nanos",
    [MESH_LOGICAL_LOCAL_TIMESTAMP_MILLIS] = "local-timestamp-millis",
    [MESH_LOGICAL_LOCAL_TIMESTAMP_MICROS] = "local-timestamp-micros",
    [MESH_LOGICAL_LOCAL_TIMESTAMP_NANOS] = "local-timestamp-nanos",
    [MESH_LOGICAL_DURATION] = "duration",
};

const char *mesh_avro_logical_name(enum mesh_avro_logical logical)
{
    mesh_assert(logical < MESH_LOGICAL_COUNT);
    return names[logical];
}

/* What a logical type stands on, for people; NULL when `schema` is that. */
static const char *wants(enum mesh_avro_logical logical, const struct mesh_schema *schema)
{
    bool fixed = schema->kind == MESH_AVRO_FIXED;
    switch (logical) {
    case MESH_LOGICAL_DECIMAL:
        return fixed || schema->kind == MESH_AVRO_BYTES ? NULL : "bytes or fixed";
    case MESH_LOGICAL_UUID:
        return schema->kind == MESH_AVRO_STRING || (fixed && schema->size == 16) ? NULL : "string or fixed of size 16";
    case MESH_LOGICAL_DATE:
    case MESH_LOGICAL_TIME_MILLIS:
        return schema->kind == MESH_AVRO_INT ? NULL : "int";
    case MESH_LOGICAL_TIME_MICROS:
    case MESH_LOGICAL_TIMESTAMP_MILLIS:
    case MESH_LOGICAL_TIMESTAMP_MICROS:
    case MESH_LOGICAL_TIMESTAMP_NANOS:
    case MESH_LOGICAL_LOCAL_TIMESTAMP_MILLIS:
    case MESH_LOGICAL_LOCAL_TIMESTAMP_MICROS:
    case MESH_LOGICAL_LOCAL_TIMESTAMP_NANOS:
        return schema->kind == MESH_AVRO_LONG ? NULL : "long";
    case MESH_LOGICAL_DURATION:
        return fixed && schema->size == 12 ? NULL : "fixed of size 12";
    case MESH_LOGICAL_NONE:
    case MESH_LOGICAL_COUNT:
        break;
    }
    return NULL;
}

static struct mesh_diag *ignored(struct mesh_schema_parser *p, struct mesh_srcref at, const char *logical, const char *reason)
{
    struct mesh_diag *d = mesh_diag_add(p->diags, MESH_WARNING, "MC006", at, "logical type '%s' is ignored: %s", logical, reason);
    mesh_diag_why(p->diags, d, "Avro says that a logical type that does not fit must be ignored; the plain type remains");
    return d;
}

/* The largest precision that `size` bytes hold: floor(log10(2^(8 size - 1) - 1)). */
static int64_t digits_of(uint32_t size)
{
    return size == 0 ? 0 : (int64_t)((8.0 * size - 1) * 0.30102999566398120);
}

static bool whole(const struct mesh_json *json, int64_t *ret)
{
    return json->kind == MESH_JSON_NUMBER && mesh_text_parse_long((struct mesh_str){json->text, json->n}, ret) == 0;
}

static void decimal(struct mesh_schema_parser *p, struct mesh_schema *schema, const struct mesh_json *object,
                    const struct mesh_json *logical)
{
    const struct mesh_json *precision_json = mesh_json_get(object, "precision"), *scale_json = mesh_json_get(object, "scale");
    int64_t precision, scale = 0;
    if (precision_json == NULL) {
        struct mesh_diag *d = ignored(p, logical->at, "decimal", "'precision' is missing");
        mesh_diag_fix(p->diags, d, "add \"precision\": 12 (all digits) and \"scale\": 2 (those behind the point)");
        return;
    }
    if (!whole(precision_json, &precision) || precision < 1) {
        ignored(p, precision_json->at, "decimal", "'precision' must be a whole number above 0");
        return;
    }
    if (scale_json != NULL && (!whole(scale_json, &scale) || scale < 0)) {
        ignored(p, scale_json->at, "decimal", "'scale' must be a whole number, 0 or more");
        return;
    }
    if (scale > precision) {
        ignored(p, scale_json->at, "decimal", "'scale' is greater than 'precision'");
        return;
    }
    if (schema->kind == MESH_AVRO_FIXED && precision > digits_of(schema->size)) {
        struct mesh_diag *d = ignored(p, precision_json->at, "decimal", "so many digits do not fit into the fixed");
        mesh_diag_fix(p->diags, d, "%u bytes hold %lld digits: use a larger \"size\"", schema->size,
                      (long long)digits_of(schema->size));
        return;
    }
    if (precision > MESH_DEC_DIGITS_MAX) {
        struct mesh_diag *d = mesh_diag_add(p->diags, MESH_ERROR, "MC007", precision_json->at,
                                            "a decimal may have at most %d digits here", MESH_DEC_DIGITS_MAX);
        mesh_diag_why(p->diags, d, "mesh computes with 128-bit numbers");
        return;
    }
    schema->logical = MESH_LOGICAL_DECIMAL;
    schema->precision = (int)precision;
    schema->scale = (int)scale;
}

void mesh_schema_logical(struct mesh_schema_parser *p, struct mesh_schema *schema, const struct mesh_json *object)
{
    const struct mesh_json *json = mesh_json_get(object, "logicalType");
    if (json == NULL)
        return;
    if (json->kind != MESH_JSON_STRING) {
        ignored(p, json->at, mesh_schema_json_kind(json), "it must be a string");
        return;
    }
    enum mesh_avro_logical logical = MESH_LOGICAL_NONE;
    for (int i = MESH_LOGICAL_NONE + 1; i < MESH_LOGICAL_COUNT; i++)
        if (strcmp(json->text, names[i]) == 0)
            logical = (enum mesh_avro_logical)i;
    if (logical == MESH_LOGICAL_NONE) {
        struct mesh_diag *d = ignored(p, json->at, json->text, "mesh does not know it");
        const char *near = mesh_did_you_mean(json->text, names + 1, MESH_LEN(names) - 1);
        if (near != NULL) {
            mesh_diag_hint(p->diags, d, "did you mean '%s'?", near);
            mesh_diag_fix(p->diags, d, "write \"%s\"", near);
        }
        return;
    }
    const char *base = wants(logical, schema);
    if (base != NULL) {
        const char *reason = mesh_arena_printf(p->arena, "it belongs to %s, not to %s", base, mesh_avro_kind_name(schema->kind));
        ignored(p, json->at, json->text, reason);
        return;
    }
    if (logical == MESH_LOGICAL_DECIMAL)
        decimal(p, schema, object, json);
    else
        schema->logical = logical;
}
