/* Table-driven: generated code brings only the descriptions of its members. */
#include "http/encode.h"

#include "base/check.h"
#include "base/json.h"
#include "base/text.h"
#include "io/border.h"

#include <math.h>

static const char alphabet_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct mesh_http_shape mesh_http_shape_of(const struct mesh_view *view, const enum mesh_protect *protect,
                                          struct mesh_str pseudonym_key)
{
    return (struct mesh_http_shape){view, view->out, view->n_out, protect, pseudonym_key};
}

static void base64(const char *letters, bool pad, const void *bytes, size_t n, struct mesh_buf *out)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i < 3 ? n - i : 3;
        uint32_t v = (uint32_t)p[i] << 16;
        if (have > 1)
            v |= (uint32_t)p[i + 1] << 8;
        if (have > 2)
            v |= p[i + 2];
        for (size_t k = 0; k < 4; k++) {
            if (k <= have)
                mesh_buf_putc(out, letters[v >> (18 - 6 * k) & 63]);
            else if (pad)
                mesh_buf_putc(out, '=');
        }
    }
}

void mesh_http_base64url(const void *bytes, size_t n, struct mesh_buf *out)
{
    base64(alphabet_url, false, bytes, n, out);
}

void mesh_http_base64(const void *bytes, size_t n, struct mesh_buf *out)
{
    base64(alphabet, true, bytes, n, out);
}

int mesh_http_base64url_read(struct mesh_str text, struct mesh_buf *out)
{
    uint32_t v = 0;
    unsigned bits = 0;
    for (uint32_t i = 0; i < text.n; i++) {
        const char *at = text.p[i] == '\0' ? NULL : strchr(alphabet_url, text.p[i]);
        if (at == NULL)
            return 1;
        v = v << 6 | (uint32_t)(at - alphabet_url);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            mesh_buf_u8(out, (uint8_t)(v >> bits));
        }
    }
    return bits == 6 || (v & ((1u << bits) - 1)) != 0 ? 1 : 0;
}

static void write_duration(struct mesh_buf *out, int64_t us)
{
    if (us < 0)
        mesh_buf_putc(out, '-');
    mesh_text_duration(out, us < 0 ? -us : us);
}

/* What a value is in text, where nothing needs escaping. */
static void write_plain(struct mesh_buf *out, const struct mesh_field *field, const void *row)
{
    switch (field->type) {
    case MESH_BOOL:
        mesh_buf_puts(out, mesh_member_bool(field, row) ? "true" : "false");
        break;
    case MESH_INT:
    case MESH_LONG:
        mesh_json_long(out, mesh_member_long(field, row));
        break;
    case MESH_DOUBLE:
        mesh_json_double(out, mesh_member_double(field, row));
        break;
    case MESH_DECIMAL:
        mesh_text_dec(out, mesh_member_dec(field, row), field->scale);
        break;
    case MESH_BYTES: {
        struct mesh_str bytes = mesh_member_str(field, row);
        mesh_http_base64(bytes.p, bytes.n, out);
        break;
    }
    case MESH_TIMESTAMP:
        mesh_text_time(out, mesh_member_long(field, row));
        break;
    case MESH_DATE:
        mesh_text_date(out, mesh_member_long(field, row));
        break;
    case MESH_DURATION:
        write_duration(out, mesh_member_long(field, row));
        break;
    case MESH_STRING:
    case MESH_ENUM:
    case MESH_TYPE_COUNT:
        break;
    }
}

static void write_pseudonym(struct mesh_buf *out, const struct mesh_http_shape *shape, const struct mesh_field *field,
                            const void *row)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_border_text(field, row, &text);
    char pseudonym[MESH_BORDER_PSEUDONYM_CHARS + 1];
    mesh_border_pseudonym(shape->pseudonym_key, field->subject, (struct mesh_str){text.p, (uint32_t)text.n}, pseudonym);
    mesh_buf_puts(out, pseudonym);
}

/* A text that may hold anything; false: the value is of another type. */
static bool text_of(const struct mesh_field *field, const void *row, struct mesh_str *ret)
{
    if (field->type == MESH_STRING)
        *ret = mesh_member_str(field, row);
    else if (field->type == MESH_ENUM)
        *ret = mesh_str_of(mesh_member_symbol(field, row));
    else
        return false;
    return true;
}

/* Empty, or quoted when it must be. */
static void csv_text(struct mesh_buf *out, struct mesh_str text)
{
    bool quote = text.n == 0;
    for (uint32_t i = 0; i < text.n && !quote; i++)
        quote = text.p[i] == '"' || text.p[i] == ',' || text.p[i] == '\r' || text.p[i] == '\n';
    if (!quote) {
        mesh_buf_str(out, text);
        return;
    }
    mesh_buf_putc(out, '"');
    for (uint32_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"')
            mesh_buf_putc(out, '"');
        mesh_buf_putc(out, text.p[i]);
    }
    mesh_buf_putc(out, '"');
}

static bool is_mask(enum mesh_protect rule)
{
    return rule == MESH_REDACT || rule == MESH_FIRST4 || rule == MESH_LAST4 || rule == MESH_YEAR;
}

/* It may be missing in the row, or be so at this border. */
static bool is_there(const struct mesh_field *field, enum mesh_protect rule, const void *row)
{
    return rule != MESH_NULLIFY && mesh_member_present(field, row);
}

static void json_value(const struct mesh_http_shape *shape, uint32_t i, const void *row, struct mesh_buf *out)
{
    const struct mesh_field *field = &shape->out[i];
    struct mesh_str text;
    enum mesh_protect rule = mesh_border_rule(shape->out, shape->protect, i);
    bool pseudonym = rule == MESH_PSEUDONYM;
    bool bare = !pseudonym &&
                (field->type == MESH_BOOL || field->type == MESH_INT || field->type == MESH_LONG || field->type == MESH_DOUBLE);
    if (!is_there(field, rule, row)) {
        mesh_buf_puts(out, "null");
        return;
    }
    if (is_mask(rule)) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf masked = MESH_BUF_NULL;
        mesh_border_mask(rule, field, row, &masked);
        mesh_json_string(out, (struct mesh_str){masked.p, (uint32_t)masked.n});
        return;
    }
    if (!pseudonym && text_of(field, row, &text)) {
        mesh_json_string(out, text);
        return;
    }
    if (!bare)
        mesh_buf_putc(out, '"');
    if (pseudonym)
        write_pseudonym(out, shape, field, row);
    else
        write_plain(out, field, row);
    if (!bare)
        mesh_buf_putc(out, '"');
}

static void csv_value(const struct mesh_http_shape *shape, uint32_t i, const void *row, struct mesh_buf *out)
{
    const struct mesh_field *field = &shape->out[i];
    struct mesh_str text;
    enum mesh_protect rule = mesh_border_rule(shape->out, shape->protect, i);
    if (!is_there(field, rule, row) || (field->type == MESH_DOUBLE && !isfinite(mesh_member_double(field, row))))
        return;
    if (is_mask(rule)) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf masked = MESH_BUF_NULL;
        mesh_border_mask(rule, field, row, &masked);
        csv_text(out, (struct mesh_str){masked.p, (uint32_t)masked.n});
    } else if (rule == MESH_PSEUDONYM)
        write_pseudonym(out, shape, field, row);
    else if (text_of(field, row, &text))
        csv_text(out, text);
    else
        write_plain(out, field, row);
}

/* ---- rows ---- */
bool mesh_http_shows(const struct mesh_http_shape *shape, uint32_t i)
{
    return mesh_border_rule(shape->out, shape->protect, i) != MESH_DROP;
}

/* The at-th member to show; false: there are no more. */
static bool next_field(const struct mesh_http_shape *shape, const struct mesh_http_fields *fields, uint32_t *at, uint32_t *ret)
{
    uint32_t n = fields->n > 0 ? fields->n : shape->n_out;
    while (*at < n) {
        *ret = fields->n > 0 ? fields->v[*at] : *at;
        ++*at;
        if (mesh_http_shows(shape, *ret))
            return true;
    }
    return false;
}

void mesh_http_row(const struct mesh_http_shape *shape, const struct mesh_http_fields *fields, const void *row,
                   struct mesh_buf *out)
{
    char before = '{';
    for (uint32_t at = 0, i = 0; next_field(shape, fields, &at, &i);) {
        mesh_buf_printf(out, "%c\"%s\":", before, shape->out[i].name);
        before = ',';
        json_value(shape, i, row, out);
    }
    mesh_buf_puts(out, before == '{' ? "{}" : "}");
}

void mesh_http_csv_names(const struct mesh_http_shape *shape, const struct mesh_http_fields *fields, struct mesh_buf *out)
{
    const char *before = "";
    for (uint32_t at = 0, i = 0; next_field(shape, fields, &at, &i); before = ",")
        mesh_buf_printf(out, "%s%s", before, shape->out[i].name);
    mesh_buf_puts(out, "\r\n");
}

void mesh_http_csv_row(const struct mesh_http_shape *shape, const struct mesh_http_fields *fields, const void *row,
                       struct mesh_buf *out)
{
    const char *before = "";
    for (uint32_t at = 0, i = 0; next_field(shape, fields, &at, &i); before = ",") {
        mesh_buf_puts(out, before);
        csv_value(shape, i, row, out);
    }
    mesh_buf_puts(out, "\r\n");
}
