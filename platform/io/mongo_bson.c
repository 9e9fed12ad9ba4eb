/* Every new value is wrapped in $literal: in a pipeline a string that begins with a dollar sign would
 * be read as a path. All of it is one $set stage, so that each condition sees the old `seq`. */
#include "io/mongo.h"

#include "base/check.h"
#include "base/text.h"
#include "io/border.h"

#include <inttypes.h>
#include <stdio.h>

static void append_decimal(bson_t *to, const char *name, int n, const struct mesh_field *field, const void *row)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_text_dec(&text, mesh_member_dec(field, row), field->scale);
    bson_decimal128_t v;
    /* 34 digits fit; a decimal with more stays readable as text rather than be rounded. */
    if (bson_decimal128_from_string(text.p, &v))
        bson_append_decimal128(to, name, n, &v);
    else
        bson_append_utf8(to, name, n, text.p, (int)text.n);
}

static int64_t floor_ms(int64_t us)
{
    return us / 1000 - (us % 1000 < 0 ? 1 : 0);
}

static void append_value(bson_t *to, const struct mesh_field *field, const void *row)
{
    const char *name = field->name;
    int n = (int)strlen(name);
    switch (field->type) {
    case MESH_BOOL:
        bson_append_bool(to, name, n, mesh_member_bool(field, row));
        break;
    case MESH_INT:
        bson_append_int32(to, name, n, (int32_t)mesh_member_long(field, row));
        break;
    case MESH_LONG:
    case MESH_DURATION:
        bson_append_int64(to, name, n, mesh_member_long(field, row));
        break;
    case MESH_DOUBLE:
        bson_append_double(to, name, n, mesh_member_double(field, row));
        break;
    case MESH_DECIMAL:
        append_decimal(to, name, n, field, row);
        break;
    case MESH_STRING: {
        struct mesh_str v = mesh_member_str(field, row);
        bson_append_utf8(to, name, n, v.p == NULL ? "" : v.p, (int)v.n);
        break;
    }
    case MESH_BYTES: {
        struct mesh_str v = mesh_member_str(field, row);
        bson_append_binary(to, name, n, BSON_SUBTYPE_BINARY, (const uint8_t *)(v.p == NULL ? "" : v.p), v.n);
        break;
    }
    case MESH_ENUM:
        bson_append_utf8(to, name, n, mesh_member_symbol(field, row), -1);
        break;
    case MESH_TIMESTAMP:
    case MESH_DATE:
        bson_append_date_time(to, name, n, floor_ms(mesh_member_long(field, row)));
        break;
    case MESH_TYPE_COUNT:
        break;
    }
}

void mesh_mongo_encode(const struct mesh_product *product, uint32_t port, struct mesh_str pseudonym_key, const void *out,
                       bson_t *ret)
{
    const struct mesh_port *p = &product->ports[port];
    const struct mesh_view *view = &product->views[p->view];
    for (uint32_t i = 0; i < view->n_out; i++) {
        const struct mesh_field *field = &view->out[i];
        enum mesh_protect rule = mesh_border_rule(view->out, p->protect, i);
        if (rule == MESH_DROP)
            continue;
        if (out == NULL || !mesh_member_present(field, out)) {
            bson_append_null(ret, field->name, -1);
            continue;
        }
        if (rule == MESH_PSEUDONYM) {
            mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
            mesh_border_text(field, out, &text);
            char pseudonym[MESH_BORDER_PSEUDONYM_CHARS + 1];
            mesh_border_pseudonym(pseudonym_key, field->subject, (struct mesh_str){text.p, (uint32_t)text.n}, pseudonym);
            bson_append_utf8(ret, field->name, -1, pseudonym, -1);
            continue;
        }
        append_value(ret, field, out);
    }
}

void mesh_mongo_id(const struct mesh_product *product, uint32_t port, struct mesh_str pseudonym_key, struct mesh_str id,
                   struct mesh_buf *ret)
{
    const struct mesh_port *p = &product->ports[port];
    if (!mesh_border_key_protected(&product->views[p->view], p->protect)) {
        mesh_buf_str(ret, id);
        return;
    }
    char pseudonym[MESH_BORDER_PSEUDONYM_CHARS + 1];
    mesh_border_pseudonym(pseudonym_key, "_id", id, pseudonym);
    mesh_buf_puts(ret, pseudonym);
}

/* {$lt: ["$seq", {$literal: {g, n}}]}; a document without seq is before everything. */
static void append_is_newer(bson_t *to, const char *key, uint64_t generation, uint64_t n)
{
    bson_t lt, both, literal, seq;
    bson_append_document_begin(to, key, -1, &lt);
    bson_append_array_begin(&lt, "$lt", -1, &both);
    bson_append_utf8(&both, "0", 1, "$seq", -1);
    bson_append_document_begin(&both, "1", 1, &literal);
    bson_append_document_begin(&literal, "$literal", -1, &seq);
    bson_append_int64(&seq, "g", 1, (int64_t)generation);
    bson_append_int64(&seq, "n", 1, (int64_t)n);
    bson_append_document_end(&literal, &seq);
    bson_append_document_end(&both, &literal);
    bson_append_array_end(&lt, &both);
    bson_append_document_end(to, &lt);
}

/* name: {$cond: [newer, {$literal: value}, "$name"]} */
static void append_forward(bson_t *set, const char *name, const bson_value_t *value, uint64_t generation, uint64_t n)
{
    char path[256];
    snprintf(path, sizeof path, "$%s", name);
    bson_t cond, three, literal;
    bson_append_document_begin(set, name, -1, &cond);
    bson_append_array_begin(&cond, "$cond", -1, &three);
    append_is_newer(&three, "0", generation, n);
    bson_append_document_begin(&three, "1", 1, &literal);
    bson_append_value(&literal, "$literal", -1, value);
    bson_append_document_end(&three, &literal);
    bson_append_utf8(&three, "2", 1, path, -1);
    bson_append_array_end(&cond, &three);
    bson_append_document_end(set, &cond);
}

void mesh_mongo_pipeline(const bson_t *row, bool removed, int64_t expires_at_ms, uint64_t generation, uint64_t n, bson_t *ret)
{
    bson_t stage, set;
    bson_append_document_begin(ret, "0", 1, &stage);
    bson_append_document_begin(&stage, "$set", -1, &set);
    bson_iter_t it;
    mesh_assert(bson_iter_init(&it, row));
    while (bson_iter_next(&it))
        append_forward(&set, bson_iter_key(&it), bson_iter_value(&it), generation, n);
    bson_value_t value = {.value_type = BSON_TYPE_BOOL, .value.v_bool = removed};
    append_forward(&set, "deleted", &value, generation, n);
    value = (bson_value_t){.value_type = BSON_TYPE_NULL};
    if (expires_at_ms != 0)
        value = (bson_value_t){.value_type = BSON_TYPE_DATE_TIME, .value.v_datetime = expires_at_ms};
    append_forward(&set, "expires_at", &value, generation, n);

    bson_t seq = BSON_INITIALIZER;
    bson_append_int64(&seq, "g", 1, (int64_t)generation);
    bson_append_int64(&seq, "n", 1, (int64_t)n);
    value = (bson_value_t){.value_type = BSON_TYPE_DOCUMENT};
    value.value.v_doc.data = (uint8_t *)(uintptr_t)bson_get_data(&seq);
    value.value.v_doc.data_len = seq.len;
    append_forward(&set, "seq", &value, generation, n);
    bson_destroy(&seq);
    bson_append_document_end(&stage, &set);
    bson_append_document_end(ret, &stage);
}
