/* Every write leaves room for a NUL and sets it, binary or text: one rule is cheaper to trust than
 * two. The binary format is little-endian whatever the machine, byte by byte; compilers make single
 * moves of it. */
#include "base/buf.h"

#include "base/check.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN          64u
#define VARINT_BYTES_MAX 10

void mesh_buf_deinit(struct mesh_buf *buf)
{
    free(buf->p);
    *buf = MESH_BUF_NULL;
}

void mesh_buf_reset(struct mesh_buf *buf)
{
    buf->n = 0;
    if (buf->p != NULL)
        buf->p[0] = '\0';
}

char *mesh_buf_take(struct mesh_buf *buf)
{
    mesh_buf_add(buf, NULL, 0);
    char *p = buf->p;
    *buf = MESH_BUF_NULL;
    return p;
}

char *mesh_buf_grow(struct mesh_buf *buf, size_t bytes)
{
    mesh_assert(bytes < SIZE_MAX / 4 && buf->n < SIZE_MAX / 4);
    size_t need = buf->n + bytes + 1;
    if (need > buf->cap) {
        size_t cap = buf->cap < CAP_MIN ? CAP_MIN : buf->cap * 2;
        if (cap < need)
            cap = need;
        buf->p = mesh_xrealloc(buf->p, cap);
        buf->cap = cap;
    }
    return buf->p + buf->n;
}

void mesh_buf_puts(struct mesh_buf *buf, const char *text)
{
    mesh_buf_add(buf, text, strlen(text));
}

void mesh_buf_str(struct mesh_buf *buf, struct mesh_str text)
{
    mesh_buf_add(buf, text.p, text.n);
}

void mesh_buf_putc(struct mesh_buf *buf, char c)
{
    mesh_buf_add(buf, &c, 1);
}

void mesh_buf_printf(struct mesh_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    mesh_buf_vprintf(buf, format, args);
    va_end(args);
}

void mesh_buf_vprintf(struct mesh_buf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    char *to = mesh_buf_reserve(buf, CAP_MIN);
    size_t room = buf->cap - buf->n;
    int n = vsnprintf(to, room, format, args);
    mesh_assert(n >= 0);
    if ((size_t)n >= room) {
        to = mesh_buf_reserve(buf, (size_t)n);
        vsnprintf(to, (size_t)n + 1, format, again);
    }
    va_end(again);
    buf->n += (size_t)n;
}

/* Little-endian; always eight bytes are written where `n` count, which is why there is room for eight. */
static void add_little(struct mesh_buf *buf, uint64_t v, size_t n)
{
    char *to = mesh_buf_reserve(buf, 8);
    for (size_t i = 0; i < 8; i++)
        to[i] = (char)(uint8_t)(v >> (8 * i));
    to[n] = '\0';
    buf->n += n;
}

void mesh_buf_u32(struct mesh_buf *buf, uint32_t v)
{
    add_little(buf, v, 4);
}

void mesh_buf_u64(struct mesh_buf *buf, uint64_t v)
{
    add_little(buf, v, 8);
}

void mesh_buf_varint_long(struct mesh_buf *buf, uint64_t v)
{
    char *to = mesh_buf_reserve(buf, VARINT_BYTES_MAX);
    size_t n = 0;
    while (v >= 0x80) {
        to[n++] = (char)(uint8_t)(v | 0x80);
        v >>= 7;
    }
    to[n++] = (char)(uint8_t)v;
    to[n] = '\0';
    buf->n += n;
}

void mesh_buf_dec(struct mesh_buf *buf, mesh_dec v)
{
    mesh_buf_u64(buf, (uint64_t)v);
    mesh_buf_u64(buf, (uint64_t)(v >> 64));
}

void mesh_buf_slice(struct mesh_buf *buf, struct mesh_str v)
{
    mesh_buf_varint(buf, v.n);
    mesh_buf_str(buf, v);
}

/* The next n bytes, or NULL and `bad`. */
static const unsigned char *take(struct mesh_cursor *in, size_t n)
{
    if (in->bad || n > (size_t)(in->end - in->p)) {
        in->bad = true;
        return NULL;
    }
    const unsigned char *p = (const unsigned char *)in->p;
    in->p += n;
    return p;
}

static uint64_t get_little(struct mesh_cursor *in, size_t n)
{
    const unsigned char *p = take(in, n);
    uint64_t v = 0;
    for (size_t i = 0; p != NULL && i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint8_t mesh_get_u8(struct mesh_cursor *in)
{
    return (uint8_t)get_little(in, 1);
}

uint32_t mesh_get_u32(struct mesh_cursor *in)
{
    return (uint32_t)get_little(in, 4);
}

uint64_t mesh_get_u64(struct mesh_cursor *in)
{
    return get_little(in, 8);
}

uint64_t mesh_get_varint(struct mesh_cursor *in)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX; i++) {
        const unsigned char *p = take(in, 1);
        if (p == NULL)
            return 0;
        if (i == VARINT_BYTES_MAX - 1 && *p > 1)
            break; /* more than 64 bits */
        v |= (uint64_t)(*p & 0x7f) << (7 * i);
        if (*p < 0x80)
            return v;
    }
    in->bad = true;
    return 0;
}

int64_t mesh_get_zigzag(struct mesh_cursor *in)
{
    uint64_t v = mesh_get_varint(in);
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

mesh_dec mesh_get_dec(struct mesh_cursor *in)
{
    const unsigned char *p = take(in, 16);
    if (p == NULL)
        return 0;
    struct mesh_cursor both = mesh_cursor_of(p, 16);
    __extension__ unsigned __int128 v = get_little(&both, 8);
    __extension__ unsigned __int128 high = get_little(&both, 8);
    return (mesh_dec)(v | high << 64);
}

struct mesh_str mesh_get_bytes(struct mesh_cursor *in, size_t n)
{
    if (n > UINT32_MAX)
        in->bad = true;
    const unsigned char *p = take(in, n);
    return p == NULL ? (struct mesh_str){0} : (struct mesh_str){(const char *)p, (uint32_t)n};
}

struct mesh_str mesh_get_slice(struct mesh_cursor *in)
{
    uint64_t n = mesh_get_varint(in);
    return mesh_get_bytes(in, n);
}
