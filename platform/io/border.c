/* Members are read with memcpy: a row may lie anywhere in a buffer, and a 128-bit number read at a
 * wrong address is a crash. */
#include "io/border.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/text.h"

static void load(const struct mesh_field *field, const void *row, void *ret, size_t n)
{
    memcpy(ret, (const char *)row + field->offset, n);
}

bool mesh_member_bool(const struct mesh_field *field, const void *row)
{
    bool v = false;
    load(field, row, &v, sizeof v);
    return v;
}

int64_t mesh_member_long(const struct mesh_field *field, const void *row)
{
    int64_t v = 0;
    load(field, row, &v, sizeof v);
    return v;
}

double mesh_member_double(const struct mesh_field *field, const void *row)
{
    double v = 0;
    load(field, row, &v, sizeof v);
    return v;
}

mesh_dec mesh_member_dec(const struct mesh_field *field, const void *row)
{
    mesh_dec v = 0;
    load(field, row, &v, sizeof v);
    return v;
}

struct mesh_str mesh_member_str(const struct mesh_field *field, const void *row)
{
    struct mesh_str v = {0};
    load(field, row, &v, sizeof v);
    return v;
}

const char *mesh_member_symbol(const struct mesh_field *field, const void *row)
{
    int32_t v = 0;
    load(field, row, &v, sizeof v);
    for (int32_t i = 0; field->symbols != NULL && field->symbols[i] != NULL; i++)
        if (i == v)
            return field->symbols[i];
    return "?";
}

enum mesh_protect mesh_border_rule(const struct mesh_field *out, const enum mesh_protect *protect, uint32_t i)
{
    return protect != NULL ? protect[i] : out[i].protect;
}

bool mesh_border_key_protected(const struct mesh_view *view, const enum mesh_protect *protect)
{
    for (uint32_t i = 0; i < view->n_key; i++)
        if (mesh_border_rule(view->out, protect, i) != MESH_AS_IS)
            return true;
    return false;
}

bool mesh_border_needs_key(const struct mesh_product *product)
{
    for (uint32_t v = 0; v < product->n_views; v++)
        if (product->views[v].min_people > 0)
            return true; /* who is in a row is told by hashes of pseudonyms */
    for (uint32_t p = 0; p < product->n_ports; p++) {
        const struct mesh_port *port = &product->ports[p];
        if (port->kind == MESH_PORT_KAFKA && port->emit == MESH_EMIT_EVENT)
            continue; /* its fields were protected by generated code, if at all */
        bool events = port->kind == MESH_PORT_SSE;
        if (!events && port->view >= product->n_views)
            continue;
        const struct mesh_field *out = events ? port->out : product->views[port->view].out;
        uint32_t n_out = events ? port->n_out : product->views[port->view].n_out;
        for (uint32_t i = 0; i < n_out; i++)
            if (mesh_border_rule(out, port->protect, i) == MESH_PSEUDONYM)
                return true;
    }
    return false;
}

void mesh_border_pseudonym(struct mesh_str key, const char *subject, struct mesh_str text,
                           char ret[MESH_BORDER_PSEUDONYM_CHARS + 1])
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf bytes = MESH_BUF_NULL;
    if (subject != NULL)
        mesh_buf_puts(&bytes, subject);
    mesh_buf_putc(&bytes, '\0');
    mesh_buf_str(&bytes, text);
    uint8_t mac[32];
    mesh_hmac_sha256(key.p, key.n, bytes.p, bytes.n, mac);
    mesh_hex(mac, MESH_BORDER_PSEUDONYM_CHARS / 2, ret);
}

void mesh_border_text(const struct mesh_field *field, const void *row, struct mesh_buf *out)
{
    if (!mesh_member_present(field, row))
        return;
    switch (field->type) {
    case MESH_BOOL:
        mesh_buf_puts(out, mesh_member_bool(field, row) ? "true" : "false");
        break;
    case MESH_INT:
    case MESH_LONG:
    case MESH_DURATION:
        mesh_buf_printf(out, "%lld", (long long)mesh_member_long(field, row));
        break;
    case MESH_DOUBLE:
        mesh_text_double(out, mesh_member_double(field, row));
        break;
    case MESH_DECIMAL:
        mesh_text_dec(out, mesh_member_dec(field, row), field->scale);
        break;
    case MESH_STRING:
        mesh_buf_str(out, mesh_member_str(field, row));
        break;
    case MESH_BYTES: {
        struct mesh_str bytes = mesh_member_str(field, row);
        char *hex = mesh_buf_reserve(out, 2 * (size_t)bytes.n + 1);
        mesh_hex((const uint8_t *)bytes.p, bytes.n, hex);
        out->n += 2 * (size_t)bytes.n;
        break;
    }
    case MESH_ENUM:
        mesh_buf_puts(out, mesh_member_symbol(field, row));
        break;
    case MESH_TIMESTAMP:
        mesh_text_time(out, mesh_member_long(field, row));
        break;
    case MESH_DATE:
        mesh_text_date(out, mesh_member_long(field, row));
        break;
    case MESH_TYPE_COUNT:
        break;
    }
}
