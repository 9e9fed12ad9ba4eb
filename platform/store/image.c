/* Values are moved with memcpy: members of generated structs have their natural alignment, but nothing here depends on it. */
#include "store/image.h"

#include "base/check.h"

#include <stdlib.h>

#define VALUE_BYTES_MAX 16

static size_t value_bytes(enum mesh_type type)
{
    switch (type) {
    case MESH_BOOL:
        return sizeof(bool);
    case MESH_ENUM:
        return sizeof(int32_t);
    case MESH_DECIMAL:
        return sizeof(mesh_dec);
    case MESH_STRING:
    case MESH_BYTES:
        return sizeof(struct mesh_str);
    case MESH_INT:
    case MESH_LONG:
    case MESH_DOUBLE:
    case MESH_TIMESTAMP:
    case MESH_DURATION:
    case MESH_DATE:
        return 8;
    case MESH_TYPE_COUNT:
        break;
    }
    mesh_assert(false);
    return 0;
}

static bool is_string(const struct mesh_field *field)
{
    return field->type == MESH_STRING || field->type == MESH_BYTES;
}

static struct mesh_str string_at(const struct mesh_field *field, const void *row)
{
    struct mesh_str s;
    memcpy(&s, (const char *)row + field->offset, sizeof s);
    return s;
}

static bool has_value(const struct mesh_field *field, const void *row)
{
    if (field->nullable)
        return *((const bool *)row + field->present);
    if (is_string(field))
        return string_at(field, row).n != 0;
    static const char zeros[VALUE_BYTES_MAX];
    return memcmp((const char *)row + field->offset, zeros, value_bytes(field->type)) != 0;
}

static void write_dec(struct mesh_buf *out, mesh_dec v)
{
    __extension__ unsigned __int128 u = (__extension__(unsigned __int128) v << 1);
    if (v < 0)
        u = ~u;
    while (u >= 0x80) {
        mesh_buf_u8(out, (uint8_t)((u & 0x7f) | 0x80));
        u >>= 7;
    }
    mesh_buf_u8(out, (uint8_t)u);
}

static mesh_dec read_dec(struct mesh_cursor *in)
{
    __extension__ unsigned __int128 u = 0;
    for (unsigned shift = 0; shift < 128; shift += 7) {
        uint8_t b = mesh_get_u8(in);
        u |= (__extension__(unsigned __int128)(b & 0x7f)) << shift;
        if (b < 0x80)
            return (mesh_dec)((u >> 1) ^ (__extension__(unsigned __int128) 0 - (u & 1)));
    }
    in->bad = true;
    return 0;
}

static void write_value(struct mesh_buf *out, const struct mesh_field *field, const void *row)
{
    const char *at = (const char *)row + field->offset;
    int64_t v = 0;
    mesh_dec d = 0;
    int32_t e = 0;
    switch (field->type) {
    case MESH_BOOL:
        if (field->nullable)
            mesh_buf_u8(out, *at != 0 ? 1 : 0);
        return;
    case MESH_ENUM:
        memcpy(&e, at, sizeof e);
        mesh_buf_zigzag(out, e);
        return;
    case MESH_DECIMAL:
        memcpy(&d, at, sizeof d);
        write_dec(out, d);
        return;
    case MESH_STRING:
    case MESH_BYTES:
        mesh_buf_slice(out, string_at(field, row));
        return;
    case MESH_DOUBLE:
        memcpy(&v, at, sizeof v);
        mesh_buf_u64(out, (uint64_t)v);
        return;
    case MESH_INT:
    case MESH_LONG:
    case MESH_TIMESTAMP:
    case MESH_DURATION:
    case MESH_DATE:
        memcpy(&v, at, sizeof v);
        mesh_buf_zigzag(out, v);
        return;
    case MESH_TYPE_COUNT:
        break;
    }
    mesh_assert(false);
}

static void read_value(struct mesh_cursor *in, const struct mesh_field *field, void *row)
{
    char *at = (char *)row + field->offset;
    int64_t v = 0;
    mesh_dec d = 0;
    int32_t e = 0;
    struct mesh_str s = {0};
    switch (field->type) {
    case MESH_BOOL:
        *at = field->nullable ? mesh_get_u8(in) != 0 : 1;
        return;
    case MESH_ENUM:
        e = (int32_t)mesh_get_zigzag(in);
        memcpy(at, &e, sizeof e);
        return;
    case MESH_DECIMAL:
        d = read_dec(in);
        memcpy(at, &d, sizeof d);
        return;
    case MESH_STRING:
    case MESH_BYTES:
        s = mesh_get_slice(in);
        if (s.n > 0) {
            char *copy = mesh_xmalloc(s.n);
            memcpy(copy, s.p, s.n);
            s.p = copy;
        } else {
            s.p = NULL;
        }
        memcpy(at, &s, sizeof s);
        return;
    case MESH_DOUBLE:
        v = (int64_t)mesh_get_u64(in);
        memcpy(at, &v, sizeof v);
        return;
    case MESH_INT:
    case MESH_LONG:
    case MESH_TIMESTAMP:
    case MESH_DURATION:
    case MESH_DATE:
        v = mesh_get_zigzag(in);
        memcpy(at, &v, sizeof v);
        return;
    case MESH_TYPE_COUNT:
        break;
    }
    mesh_assert(false);
}

void mesh_store_image_write(struct mesh_buf *out, const struct mesh_field *fields, uint32_t n, const void *row)
{
    size_t begin = out->n;
    size_t bits = (n + 7) / 8;
    memset(mesh_buf_reserve(out, bits), 0, bits);
    out->n += bits;
    for (uint32_t i = 0; i < n; i++) {
        if (!has_value(&fields[i], row))
            continue;
        out->p[begin + i / 8] = (char)(out->p[begin + i / 8] | (1 << i % 8));
        write_value(out, &fields[i], row);
    }
}

void mesh_store_image_read(struct mesh_cursor *in, const struct mesh_field *fields, uint32_t n, void *row)
{
    struct mesh_str bits = mesh_get_bytes(in, (n + 7) / 8);
    for (uint32_t i = 0; i < n && !in->bad; i++) {
        if ((bits.p[i / 8] >> i % 8 & 1) == 0)
            continue;
        read_value(in, &fields[i], row);
        if (fields[i].nullable)
            *((bool *)row + fields[i].present) = true;
    }
}

void mesh_store_image_free(const struct mesh_field *fields, uint32_t n, void *row)
{
    static const struct mesh_str none;
    for (uint32_t i = 0; i < n; i++) {
        if (is_string(&fields[i])) {
            free((void *)(uintptr_t)string_at(&fields[i], row).p);
            memcpy((char *)row + fields[i].offset, &none, sizeof none);
        }
    }
}

void mesh_store_image_copy(const struct mesh_field *fields, uint32_t n, size_t row_size, const void *from, void *to)
{
    memcpy(to, from, row_size);
    for (uint32_t i = 0; i < n; i++) {
        if (!is_string(&fields[i]))
            continue;
        struct mesh_str s = string_at(&fields[i], from);
        if (s.n > 0) {
            char *copy = mesh_xmalloc(s.n);
            memcpy(copy, s.p, s.n);
            s.p = copy;
        } else {
            s.p = NULL;
        }
        memcpy((char *)to + fields[i].offset, &s, sizeof s);
    }
}
