/* A schema written out again: canonical form, normal form, and for people. A named type is written
 * in full where it comes first and by name afterwards, so recursion ends by itself.
 */
#include "base/check.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/text.h"
#include "contract/default.h"
#include "contract/schema.h"

#define CRC64_EMPTY UINT64_C(0xc15d213aa4d7a795)

struct writer {
    struct mesh_buf *out;
    struct mesh_map seen; /* named types already written */
    bool normal;          /* else canonical */
};

static void deinit(struct writer *w)
{
    mesh_map_deinit(&w->seen);
}

static void quoted(struct writer *w, const char *text)
{
    mesh_json_string(w->out, mesh_str_of(text));
}

static void member(struct writer *w, const char *key, const char *text)
{
    mesh_buf_printf(w->out, ",\"%s\":", key);
    quoted(w, text);
}

static void strings(struct writer *w, const char *key, const char *const *list, size_t n)
{
    mesh_buf_printf(w->out, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            mesh_buf_putc(w->out, ',');
        quoted(w, list[i]);
    }
    mesh_buf_putc(w->out, ']');
}

static bool is_number(const struct mesh_schema *schema)
{
    return schema->kind == MESH_AVRO_FLOAT || schema->kind == MESH_AVRO_DOUBLE;
}

/* A default in one way of writing: numbers by their type, members in the order of the fields, what
 * is not said left out. */
static void write_default(struct writer *w, const struct mesh_schema *schema, const struct mesh_json *json)
{
    if (schema->kind == MESH_AVRO_UNION) {
        int branch = mesh_default_branch(schema, json);
        mesh_assert(branch >= 0);
        write_default(w, schema->branches[branch], json);
        return;
    }
    double number = 0;
    bool first = true;
    switch (json->kind) {
    case MESH_JSON_NULL:
        mesh_buf_puts(w->out, "null");
        break;
    case MESH_JSON_BOOL:
        mesh_buf_puts(w->out, json->boolean ? "true" : "false");
        break;
    case MESH_JSON_STRING:
        mesh_json_string(w->out, (struct mesh_str){json->text, json->n});
        break;
    case MESH_JSON_NUMBER:
        if (is_number(schema) && mesh_text_parse_double((struct mesh_str){json->text, json->n}, &number) == 0)
            mesh_json_double(w->out, number);
        else
            mesh_buf_add(w->out, json->text, json->n);
        break;
    case MESH_JSON_ARRAY:
        mesh_buf_putc(w->out, '[');
        for (uint32_t i = 0; i < json->n; i++) {
            if (i > 0)
                mesh_buf_putc(w->out, ',');
            write_default(w, schema->items, json->items[i]);
        }
        mesh_buf_putc(w->out, ']');
        break;
    case MESH_JSON_OBJECT:
        mesh_buf_putc(w->out, '{');
        for (uint32_t i = 0; i < (schema->kind == MESH_AVRO_RECORD ? schema->n_fields : json->n); i++) {
            bool record = schema->kind == MESH_AVRO_RECORD;
            const char *key = record ? schema->fields[i].name : json->keys[i];
            const struct mesh_json *value = record ? mesh_json_get(json, key) : json->values[i];
            if (value == NULL)
                continue;
            if (!first)
                mesh_buf_putc(w->out, ',');
            first = false;
            quoted(w, key);
            mesh_buf_putc(w->out, ':');
            write_default(w, record ? schema->fields[i].type : schema->items, value);
        }
        mesh_buf_putc(w->out, '}');
        break;
    }
}

static void write_schema(struct writer *w, const struct mesh_schema *schema);

static void write_fields(struct writer *w, const struct mesh_schema *schema)
{
    mesh_buf_puts(w->out, ",\"fields\":[");
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct mesh_schema_field *field = &schema->fields[i];
        mesh_buf_puts(w->out, i > 0 ? ",{\"name\":" : "{\"name\":");
        quoted(w, field->name);
        mesh_buf_puts(w->out, ",\"type\":");
        write_schema(w, field->type);
        if (w->normal && field->default_ != NULL) {
            mesh_buf_puts(w->out, ",\"default\":");
            write_default(w, field->type, field->default_);
        }
        if (w->normal && field->n_aliases > 0)
            strings(w, "aliases", field->aliases, field->n_aliases);
        if (w->normal && field->label != NULL)
            member(w, "label", field->label);
        if (w->normal && field->subject != NULL)
            member(w, "subject", field->subject);
        mesh_buf_putc(w->out, '}');
    }
    mesh_buf_putc(w->out, ']');
}

static void write_logical(struct writer *w, const struct mesh_schema *schema)
{
    if (!w->normal || schema->logical == MESH_LOGICAL_NONE)
        return;
    member(w, "logicalType", mesh_avro_logical_name(schema->logical));
    if (schema->logical == MESH_LOGICAL_DECIMAL)
        mesh_buf_printf(w->out, ",\"precision\":%d,\"scale\":%d", schema->precision, schema->scale);
}

static void write_named(struct writer *w, const struct mesh_schema *schema)
{
    if (mesh_map_has(&w->seen, schema->name)) {
        quoted(w, schema->name);
        return;
    }
    mesh_map_set(&w->seen, schema->name, w);
    mesh_buf_puts(w->out, "{\"name\":");
    quoted(w, schema->name);
    member(w, "type", mesh_avro_kind_name(schema->kind));
    if (w->normal && schema->n_aliases > 0)
        strings(w, "aliases", schema->aliases, schema->n_aliases);
    if (schema->kind == MESH_AVRO_RECORD)
        write_fields(w, schema);
    if (schema->kind == MESH_AVRO_ENUM)
        strings(w, "symbols", schema->symbols, schema->n_symbols);
    if (w->normal && schema->enum_default != NULL)
        member(w, "default", schema->enum_default);
    if (schema->kind == MESH_AVRO_FIXED)
        mesh_buf_printf(w->out, ",\"size\":%u", schema->size);
    write_logical(w, schema);
    mesh_buf_putc(w->out, '}');
}

static void write_schema(struct writer *w, const struct mesh_schema *schema)
{
    if (schema->name != NULL) {
        write_named(w, schema);
    } else if (schema->kind == MESH_AVRO_UNION) {
        mesh_buf_putc(w->out, '[');
        for (size_t i = 0; i < schema->n_branches; i++) {
            if (i > 0)
                mesh_buf_putc(w->out, ',');
            write_schema(w, schema->branches[i]);
        }
        mesh_buf_putc(w->out, ']');
    } else if (schema->items != NULL) {
        mesh_buf_printf(w->out, "{\"type\":\"%s\",\"%s\":", mesh_avro_kind_name(schema->kind),
                        schema->kind == MESH_AVRO_ARRAY ? "items" : "values");
        write_schema(w, schema->items);
        mesh_buf_putc(w->out, '}');
    } else if (w->normal && schema->logical != MESH_LOGICAL_NONE) {
        mesh_buf_printf(w->out, "{\"type\":\"%s\"", mesh_avro_kind_name(schema->kind));
        write_logical(w, schema);
        mesh_buf_putc(w->out, '}');
    } else {
        quoted(w, mesh_avro_kind_name(schema->kind));
    }
}

void mesh_schema_canonical(const struct mesh_schema *schema, struct mesh_buf *out)
{
    mesh_cleanup(deinit) struct writer w = {.out = out};
    write_schema(&w, schema);
}

void mesh_schema_normal(const struct mesh_schema *schema, struct mesh_buf *out)
{
    mesh_cleanup(deinit) struct writer w = {.out = out, .normal = true};
    write_schema(&w, schema);
}

uint64_t mesh_schema_crc64(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t crc = CRC64_EMPTY;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (CRC64_EMPTY & (0 - (crc & 1)));
    }
    return crc;
}

uint64_t mesh_schema_fingerprint(const struct mesh_schema *schema)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_schema_canonical(schema, &text);
    return mesh_schema_crc64(text.p, text.n);
}

uint32_t mesh_schema_local_id(const struct mesh_schema *schema)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    uint8_t sha[32];
    mesh_schema_normal(schema, &text);
    mesh_sha256(text.p, text.n, sha);
    uint32_t id = ((uint32_t)sha[0] << 24 | (uint32_t)sha[1] << 16 | (uint32_t)sha[2] << 8 | sha[3]) >> 1;
    return id == 0 ? 1 : id;
}

void mesh_schema_describe(const struct mesh_schema *schema, struct mesh_buf *out)
{
    if (schema->logical == MESH_LOGICAL_DECIMAL) {
        mesh_buf_printf(out, "decimal(%d,%d)", schema->precision, schema->scale);
    } else if (schema->logical != MESH_LOGICAL_NONE) {
        mesh_buf_puts(out, mesh_avro_logical_name(schema->logical));
    } else if (schema->name != NULL) {
        mesh_buf_printf(out, "%s %s", mesh_avro_kind_name(schema->kind), schema->name);
        if (schema->kind == MESH_AVRO_FIXED)
            mesh_buf_printf(out, "(%u)", schema->size);
    } else if (schema->items != NULL) {
        mesh_buf_printf(out, "%s<", mesh_avro_kind_name(schema->kind));
        mesh_schema_describe(schema->items, out);
        mesh_buf_putc(out, '>');
    } else if (schema->kind == MESH_AVRO_UNION) {
        for (size_t i = 0; i < schema->n_branches; i++) {
            if (i > 0)
                mesh_buf_puts(out, " or ");
            mesh_schema_describe(schema->branches[i], out);
        }
        if (schema->n_branches == 0)
            mesh_buf_puts(out, "empty union");
    } else {
        mesh_buf_puts(out, mesh_avro_kind_name(schema->kind));
    }
}
