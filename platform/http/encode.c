/* Table-driven: generated code brings only the descriptions of its members. */
#include "http/encode.h"

#include "base/check.h"
#include "base/json.h"
#include "base/text.h"
#include "io/border.h"

static const char alphabet_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

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

static void quoted(struct mesh_buf *out, void (*write)(struct mesh_buf *, int64_t), int64_t v)
{
    mesh_buf_putc(out, '"');
    write(out, v);
    mesh_buf_putc(out, '"');
}

static void write_duration(struct mesh_buf *out, int64_t us)
{
    if (us < 0)
        mesh_buf_putc(out, '-');
    mesh_text_duration(out, us < 0 ? -us : us);
}

static void write_value(struct mesh_buf *out, const struct mesh_field *field, const void *row)
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
        mesh_buf_putc(out, '"');
        mesh_text_dec(out, mesh_member_dec(field, row), field->scale);
        mesh_buf_putc(out, '"');
        break;
    case MESH_STRING:
        mesh_json_string(out, mesh_member_str(field, row));
        break;
    case MESH_BYTES: {
        struct mesh_str bytes = mesh_member_str(field, row);
        mesh_buf_putc(out, '"');
        mesh_http_base64(bytes.p, bytes.n, out);
        mesh_buf_putc(out, '"');
        break;
    }
    case MESH_ENUM:
        mesh_json_string(out, mesh_str_of(mesh_member_symbol(field, row)));
        break;
    case MESH_TIMESTAMP:
        quoted(out, mesh_text_time, mesh_member_long(field, row));
        break;
    case MESH_DATE:
        quoted(out, mesh_text_date, mesh_member_long(field, row));
        break;
    case MESH_DURATION:
        quoted(out, write_duration, mesh_member_long(field, row));
        break;
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
    mesh_buf_printf(out, "\"%s\"", pseudonym);
}

void mesh_http_row(const struct mesh_http_shape *shape, const void *row, struct mesh_buf *out)
{
    char before = '{';
    for (uint32_t i = 0; i < shape->view->n_out; i++) {
        const struct mesh_field *field = &shape->view->out[i];
        enum mesh_protect rule = mesh_border_rule(shape->view->out, shape->protect, i);
        if (rule == MESH_DROP)
            continue;
        mesh_buf_printf(out, "%c\"%s\":", before, field->name);
        before = ',';
        if (!mesh_member_present(field, row))
            mesh_buf_puts(out, "null");
        else if (rule == MESH_PSEUDONYM)
            write_pseudonym(out, shape, field, row);
        else
            write_value(out, field, row);
    }
    mesh_buf_puts(out, before == '{' ? "{}" : "}");
}
