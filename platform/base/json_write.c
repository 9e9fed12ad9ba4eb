/* Escaping works on runs: the text is checked for UTF-8 once, and plain bytes between two escapes
 * are copied together. Answers of the API are mostly plain bytes. */
#include "base/json.h"

#include "base/text.h"

#include <math.h>

static bool must_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

static void add_escape(struct mesh_buf *out, unsigned char c)
{
    switch (c) {
    case '"':
        mesh_buf_puts(out, "\\\"");
        break;
    case '\\':
        mesh_buf_puts(out, "\\\\");
        break;
    case '\b':
        mesh_buf_puts(out, "\\b");
        break;
    case '\f':
        mesh_buf_puts(out, "\\f");
        break;
    case '\n':
        mesh_buf_puts(out, "\\n");
        break;
    case '\r':
        mesh_buf_puts(out, "\\r");
        break;
    case '\t':
        mesh_buf_puts(out, "\\t");
        break;
    default:
        mesh_buf_printf(out, "\\u%04x", c);
        break;
    }
}

static void add_valid(struct mesh_buf *out, const char *p, size_t n)
{
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        if (must_escape((unsigned char)p[i])) {
            mesh_buf_add(out, p + from, i - from);
            add_escape(out, (unsigned char)p[i]);
            from = i + 1;
        }
    }
    mesh_buf_add(out, p + from, n - from);
}

void mesh_json_string(struct mesh_buf *out, struct mesh_str text)
{
    mesh_buf_putc(out, '"');
    for (size_t at = 0; at < text.n;) {
        size_t valid = mesh_utf8_valid(text.p + at, text.n - at);
        add_valid(out, text.p + at, valid);
        at += valid;
        if (at < text.n) {
            mesh_buf_puts(out, "\xef\xbf\xbd");
            at++;
        }
    }
    mesh_buf_putc(out, '"');
}

void mesh_json_double(struct mesh_buf *out, double v)
{
    if (isfinite(v))
        mesh_text_double(out, v);
    else
        mesh_buf_puts(out, "null");
}

void mesh_json_long(struct mesh_buf *out, int64_t v)
{
    mesh_buf_printf(out, "%lld", (long long)v);
}
