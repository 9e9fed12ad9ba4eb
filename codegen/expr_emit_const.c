/* Constants as C. Every number reads back as itself under any compiler; every byte of a text that C, a terminal or a reviewer
 * could take for something else is written as an octal escape. */
#include "base/text.h"
#include "codegen/expr_internal.h"

#include <inttypes.h>
#include <string.h>

static void emit_int(int64_t v, struct mesh_buf *out)
{
    if (v == INT64_MIN)
        mesh_buf_puts(out, "INT64_MIN");
    else if (v >= -INT32_MAX && v <= INT32_MAX)
        mesh_buf_printf(out, "%" PRId64, v);
    else
        mesh_buf_printf(out, "%sINT64_C(%" PRId64 ")", v < 0 ? "-" : "", v < 0 ? -v : v);
}

static void emit_dec(mesh_dec v, struct mesh_buf *out)
{
    if (v >= INT64_MIN && v <= INT64_MAX) {
        emit_int((int64_t)v, out);
        return;
    }
    mesh_dec magnitude = v < 0 ? -v : v;
    uint64_t low = (uint64_t)magnitude;
    mesh_buf_printf(out, "%s(((mesh_dec)INT64_C(%" PRId64 ") << 64) | (mesh_dec)UINT64_C(%" PRIu64 "))", v < 0 ? "-" : "",
                    (int64_t)(magnitude >> 64), low);
}

static void emit_double(double v, struct mesh_buf *out)
{
    size_t begin = out->n;
    mesh_text_double(out, v);
    if (strpbrk(out->p + begin, ".einf") == NULL)
        mesh_buf_puts(out, ".0");
}

/* Bytes of the UTF-8 sequence at p that may stand in a source as they are; 0: escape one byte. */
static uint32_t plain_bytes(const char *p, uint32_t n)
{
    unsigned char c = (unsigned char)*p;
    if (c < 0x80)
        return c >= ' ' && c != 0x7f && c != '"' && c != '\\';
    uint32_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || length > n || mesh_utf8_valid(p, length) != length)
        return 0;
    bool latin = c >= 0xc3 && c <= 0xcf; /* letters of Latin, Greek and Cyrillic */
    bool han = c >= 0xe3 && c <= 0xe9;   /* kana and Han */
    bool sign = c == 0xe2 && ((unsigned char)p[1] == 0x82 || (unsigned char)p[1] == 0x84); /* currencies, letterlike */
    return latin || han || sign ? length : 0;
}

void mesh_ex_emit_bytes(struct mesh_str s, struct mesh_buf *out)
{
    mesh_buf_putc(out, '"');
    for (uint32_t i = 0; i < s.n;) {
        uint32_t n = plain_bytes(s.p + i, s.n - i);
        char c = s.p[i];
        if (c == '?' && i > 0 && s.p[i - 1] == '?')
            mesh_buf_puts(out, "\\?"); /* no trigraph */
        else if (n > 0)
            mesh_buf_add(out, s.p + i, n);
        else if (c == '"' || c == '\\')
            mesh_buf_printf(out, "\\%c", c);
        else if (c == '\n')
            mesh_buf_puts(out, "\\n");
        else if (c == '\t')
            mesh_buf_puts(out, "\\t");
        else
            mesh_buf_printf(out, "\\%03o", (unsigned)(unsigned char)c);
        i += n > 0 ? n : 1;
    }
    mesh_buf_putc(out, '"');
}

void mesh_ex_emit_string(struct mesh_str s, struct mesh_buf *out)
{
    mesh_buf_puts(out, "MESH_STR(");
    mesh_ex_emit_bytes(s, out);
    mesh_buf_putc(out, ')');
}

void mesh_ex_emit_null(enum mesh_gen_kind kind, struct mesh_buf *out)
{
    mesh_buf_puts(out, kind == MESH_GEN_BOOL                               ? "false"
                       : kind == MESH_GEN_DOUBLE                           ? "0.0"
                       : kind == MESH_GEN_STRING || kind == MESH_GEN_BYTES ? "(struct mesh_str){0}"
                                                                           : "0");
}

void mesh_ex_emit_const(const struct mesh_ex_core *core, struct mesh_buf *out)
{
    const struct mesh_ex_const *k = &core->k;
    if (k->null) {
        mesh_ex_emit_null(core->type.kind, out);
        return;
    }
    switch ((unsigned)core->type.kind) {
    case MESH_GEN_BOOL:
        mesh_buf_puts(out, k->b ? "true" : "false");
        return;
    case MESH_GEN_DOUBLE:
        emit_double(k->d, out);
        return;
    case MESH_GEN_DECIMAL:
        emit_dec(k->dec, out);
        return;
    case MESH_GEN_STRING:
    case MESH_GEN_BYTES:
        mesh_ex_emit_string(k->s, out);
        return;
    default:
        break;
    }
    emit_int(k->i, out);
    if (core->type.kind == MESH_GEN_ENUM) {
        mesh_buf_printf(out, " /* %s */", core->type.schema->symbols[k->i]);
    } else if (core->type.kind == MESH_GEN_TIMESTAMP) {
        mesh_buf_puts(out, " /* ");
        mesh_text_time(out, k->i);
        mesh_buf_puts(out, " */");
    } else if (core->type.kind == MESH_GEN_DURATION && k->i > 0) {
        mesh_buf_puts(out, " /* ");
        mesh_text_duration(out, k->i);
        mesh_buf_puts(out, " */");
    }
}

void mesh_expr_emit_value(const struct mesh_gen_type *type, const struct mesh_expr_value *value, struct mesh_buf *out)
{
    struct mesh_ex_core core = {.type = *type,
                                .k = {.b = value->b, .i = value->i, .d = value->d, .dec = value->dec, .s = value->s}};
    mesh_ex_emit_const(&core, out);
}
