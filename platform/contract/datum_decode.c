/* Avro binary to JSON. The bytes may come from anybody: depth, items and size of the result are
 * bounded, so that a message of ten bytes cannot ask for a gigabyte of nulls. */
#include "base/check.h"
#include "base/text.h"
#include "contract/datum.h"
#include "contract/datum_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct decoding {
    struct mesh_in in;
    struct mesh_buf *out;
    size_t out_begin;
    unsigned depth, items;
    struct mesh_err *err;
};

static int value(struct decoding *d, const struct mesh_schema *schema, const struct mesh_datum_step *at);

static int failed(struct decoding *d, enum mesh_avro_fault fault, const struct mesh_datum_step *at)
{
    return mesh_datum_fault(fault, at, d->err);
}

/* NaN and the infinities have no number in JSON; as text they survive the way back. */
static void real(struct mesh_buf *out, double v)
{
    if (isfinite(v))
        mesh_json_double(out, v);
    else
        mesh_buf_puts(out, isnan(v) ? "\"NaN\"" : v < 0 ? "\"-Infinity\"" : "\"Infinity\"");
}

/* The shortest decimal that reads back as the same float: 0.1, not 0.10000000149011612. */
static double widened(float v)
{
    char text[32];
    double shortest = (double)v;
    for (int digits = 6; digits <= 9 && isfinite(v); digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, (double)v);
        char *comma = strchr(text, ',');
        if (comma != NULL)
            *comma = '.'; /* the locale's */
        if (mesh_text_parse_double(mesh_str_of(text), &shortest) == 0 && (float)shortest == v)
            return shortest;
    }
    return (double)v;
}

static void decimal(struct decoding *d, const struct mesh_schema *schema)
{
    mesh_dec v = schema->kind == MESH_AVRO_FIXED ? mesh_in_decimal_fixed(&d->in, schema->size, schema->precision)
                                                 : mesh_in_decimal(&d->in, schema->precision);
    mesh_buf_putc(d->out, '"');
    mesh_text_dec(d->out, v, schema->scale);
    mesh_buf_putc(d->out, '"');
}

static void bytes(struct decoding *d, const struct mesh_schema *schema)
{
    if (schema->logical == MESH_LOGICAL_DECIMAL) {
        decimal(d, schema);
        return;
    }
    struct mesh_str s = {0};
    if (schema->kind == MESH_AVRO_BYTES)
        s = mesh_in_bytes(&d->in);
    else
        s = (struct mesh_str){(const char *)mesh_in_fixed(&d->in, schema->size), schema->size};
    if (d->in.fault != MESH_AVRO_OK)
        return;
    mesh_buf_putc(d->out, '"');
    if (schema->logical == MESH_LOGICAL_UUID)
        mesh_datum_print_uuid(d->out, (const uint8_t *)s.p);
    else
        mesh_datum_print_base64(d->out, (const uint8_t *)s.p, s.n);
    mesh_buf_putc(d->out, '"');
}

static void whole(struct decoding *d, const struct mesh_schema *schema)
{
    int64_t v = schema->kind == MESH_AVRO_INT ? mesh_in_int(&d->in) : mesh_in_long(&d->in);
    size_t begin = d->out->n;
    mesh_buf_putc(d->out, '"');
    if (mesh_datum_print_time(d->out, schema->logical, v)) {
        mesh_buf_putc(d->out, '"');
        return;
    }
    d->out->n = begin;
    mesh_json_long(d->out, v);
}

static void plain(struct decoding *d, const struct mesh_schema *schema)
{
    struct mesh_in *in = &d->in;
    struct mesh_str s;
    const uint8_t *p;
    float single = 0;
    double number = 0;
    int64_t index;
    switch (schema->kind) {
    case MESH_AVRO_NULL:
        mesh_buf_puts(d->out, "null");
        break;
    case MESH_AVRO_BOOLEAN:
        mesh_buf_puts(d->out, mesh_in_bool(in) ? "true" : "false");
        break;
    case MESH_AVRO_INT:
    case MESH_AVRO_LONG:
        whole(d, schema);
        break;
    case MESH_AVRO_FLOAT:
        if ((p = mesh_in_fixed(in, sizeof single)) != NULL)
            memcpy(&single, p, sizeof single);
        real(d->out, widened(single));
        break;
    case MESH_AVRO_DOUBLE:
        if ((p = mesh_in_fixed(in, sizeof number)) != NULL)
            memcpy(&number, p, sizeof number);
        real(d->out, number);
        break;
    case MESH_AVRO_BYTES:
    case MESH_AVRO_FIXED:
        bytes(d, schema);
        break;
    case MESH_AVRO_STRING:
        s = mesh_in_string(in);
        if (in->fault == MESH_AVRO_OK)
            mesh_json_string(d->out, s);
        break;
    case MESH_AVRO_ENUM:
        index = mesh_in_long(in);
        if (index < 0 || index >= (int64_t)schema->n_symbols)
            mesh_in_fail(in, MESH_AVRO_ENUM_RANGE);
        else
            mesh_json_string(d->out, mesh_str_of(schema->symbols[index]));
        break;
    case MESH_AVRO_RECORD:
    case MESH_AVRO_ARRAY:
    case MESH_AVRO_MAP:
    case MESH_AVRO_UNION:
    case MESH_AVRO_KIND_COUNT:
        mesh_assert(schema->kind < MESH_AVRO_RECORD);
        break;
    }
}

static int record(struct decoding *d, const struct mesh_schema *schema, const struct mesh_datum_step *at)
{
    mesh_buf_putc(d->out, '{');
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct mesh_schema_field *field = &schema->fields[i];
        if (i > 0)
            mesh_buf_putc(d->out, ',');
        mesh_json_string(d->out, mesh_str_of(field->name));
        mesh_buf_putc(d->out, ':');
        int r = value(d, field->type, &(struct mesh_datum_step){.up = at, .name = field->name});
        if (r < 0)
            return r;
    }
    mesh_buf_putc(d->out, '}');
    return 0;
}

static int item(struct decoding *d, const struct mesh_schema *schema, size_t index, const struct mesh_datum_step *at)
{
    struct mesh_datum_step step = {.up = at, .index = index};
    if (index > 0)
        mesh_buf_putc(d->out, ',');
    if (schema->kind == MESH_AVRO_MAP) {
        step.key = mesh_in_string(&d->in);
        if (d->in.fault != MESH_AVRO_OK)
            return failed(d, d->in.fault, at);
        mesh_json_string(d->out, step.key);
        mesh_buf_putc(d->out, ':');
    }
    return value(d, schema->items, &step);
}

static int items(struct decoding *d, const struct mesh_schema *schema, const struct mesh_datum_step *at)
{
    size_t index = 0;
    mesh_buf_putc(d->out, schema->kind == MESH_AVRO_MAP ? '{' : '[');
    for (;;) {
        const uint8_t *end;
        int64_t n = mesh_datum_block(&d->in, &end);
        for (int64_t i = 0; i < n; i++) {
            int r = item(d, schema, index++, at);
            if (r < 0)
                return r;
        }
        mesh_datum_block_done(&d->in, end);
        if (d->in.fault != MESH_AVRO_OK)
            return failed(d, d->in.fault, at);
        if (n == 0 && end == NULL)
            break;
    }
    mesh_buf_putc(d->out, schema->kind == MESH_AVRO_MAP ? '}' : ']');
    return 0;
}

static int value(struct decoding *d, const struct mesh_schema *schema, const struct mesh_datum_step *at)
{
    if (schema->kind == MESH_AVRO_UNION) {
        int64_t branch = mesh_in_long(&d->in);
        if (d->in.fault == MESH_AVRO_OK && (branch < 0 || branch >= (int64_t)schema->n_branches))
            mesh_in_fail(&d->in, MESH_AVRO_UNION_RANGE);
        if (d->in.fault != MESH_AVRO_OK)
            return failed(d, d->in.fault, at);
        schema = schema->branches[branch];
    }
    if (++d->items > MESH_DATUM_ITEMS_MAX || d->out->n - d->out_begin > MESH_DATUM_BYTES_MAX)
        return failed(d, MESH_AVRO_DEPTH, at);
    bool record_ = schema->kind == MESH_AVRO_RECORD, items_ = schema->items != NULL;
    if (!record_ && !items_) {
        plain(d, schema);
        return d->in.fault == MESH_AVRO_OK ? 0 : failed(d, d->in.fault, at);
    }
    if (d->depth == MESH_DATUM_DEPTH_MAX)
        return failed(d, MESH_AVRO_DEPTH, at);
    d->depth++;
    int r = record_ ? record(d, schema, at) : items(d, schema, at);
    d->depth--;
    return r;
}

int mesh_datum_to_json(const struct mesh_schema *schema, const void *bytes_, size_t n, struct mesh_buf *out, struct mesh_err *err)
{
    const uint8_t *p = bytes_ == NULL ? (const uint8_t *)"" : bytes_;
    struct mesh_datum_step top = {0};
    size_t begin = out->n;
    if (n > UINT32_MAX)
        return mesh_datum_fault(MESH_AVRO_DEPTH, &top, err);
    struct decoding d = {.in = {p, p + n, MESH_AVRO_OK}, .out = out, .out_begin = begin, .err = err};
    int r = value(&d, schema, &top);
    if (r == 0 && d.in.p != d.in.end)
        r = failed(&d, MESH_AVRO_TRAILING, &top);
    if (r < 0 && out->n > begin)
        out->p[out->n = begin] = '\0'; /* all or nothing */
    return r;
}
