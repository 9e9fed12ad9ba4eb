/* A growing byte buffer; text when you print into it.
 *
 * `p` is NULL only while nothing was ever written. Text functions keep a NUL behind the last byte, not counted in `n`.
 * mesh_buf_take() hands the memory to the caller and leaves the buffer empty.
 */
#ifndef MESH_BASE_BUF_H
#define MESH_BASE_BUF_H

#include "mesh/value.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct mesh_buf {
    char *p;
    size_t n;
    size_t cap;
};

#define MESH_BUF_NULL ((struct mesh_buf){0})

void mesh_buf_deinit(struct mesh_buf *buf);
void mesh_buf_reset(struct mesh_buf *buf); /* n = 0, memory kept */
char *mesh_buf_take(struct mesh_buf *buf); /* malloc'ed and NUL-terminated; the caller frees */

/* Room for `bytes` more and a NUL; returns where they go. Does not change n. What is below is inline because commits are made of it. */
char *mesh_buf_grow(struct mesh_buf *buf, size_t bytes); /* the part of mesh_buf_reserve() that is not */
static inline char *mesh_buf_reserve(struct mesh_buf *buf, size_t bytes)
{
    return bytes < buf->cap - buf->n ? buf->p + buf->n : mesh_buf_grow(buf, bytes);
}

static inline void mesh_buf_add(struct mesh_buf *buf, const void *bytes, size_t n)
{
    char *to = mesh_buf_reserve(buf, n);
    if (n != 0)
        memcpy(to, bytes, n);
    to[n] = '\0';
    buf->n += n;
}

void mesh_buf_puts(struct mesh_buf *buf, const char *text);
void mesh_buf_str(struct mesh_buf *buf, struct mesh_str text);
void mesh_buf_putc(struct mesh_buf *buf, char c);
void mesh_buf_printf(struct mesh_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void mesh_buf_vprintf(struct mesh_buf *buf, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Binary: little-endian fixed width, LEB128 and zigzag varints, length-prefixed slices. */
static inline void mesh_buf_u8(struct mesh_buf *buf, uint8_t v)
{
    char *to = mesh_buf_reserve(buf, 1);
    to[0] = (char)v;
    to[1] = '\0';
    buf->n++;
}

void mesh_buf_u32(struct mesh_buf *buf, uint32_t v);
void mesh_buf_u64(struct mesh_buf *buf, uint64_t v);
void mesh_buf_varint_long(struct mesh_buf *buf, uint64_t v); /* more than one byte of it */
static inline void mesh_buf_varint(struct mesh_buf *buf, uint64_t v)
{
    if (v < 0x80)
        mesh_buf_u8(buf, (uint8_t)v);
    else
        mesh_buf_varint_long(buf, v);
}

static inline void mesh_buf_zigzag(struct mesh_buf *buf, int64_t v)
{
    mesh_buf_varint(buf, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

void mesh_buf_dec(struct mesh_buf *buf, mesh_dec v);          /* 16 bytes */
void mesh_buf_slice(struct mesh_buf *buf, struct mesh_str v); /* varint length, bytes */

/* The same, read back. A cursor never passes `end`; after the first failure `bad` is set and every further read gives 0 or empty, so
 * a caller reads a whole structure and asks once. */
struct mesh_cursor {
    const char *p;
    const char *end;
    bool bad;
};

static inline struct mesh_cursor mesh_cursor_of(const void *p, size_t n)
{
    return (struct mesh_cursor){p, n == 0 ? p : (const char *)p + n, false};
}

uint8_t mesh_get_u8(struct mesh_cursor *in);
uint32_t mesh_get_u32(struct mesh_cursor *in);
uint64_t mesh_get_u64(struct mesh_cursor *in);
uint64_t mesh_get_varint(struct mesh_cursor *in);
int64_t mesh_get_zigzag(struct mesh_cursor *in);
mesh_dec mesh_get_dec(struct mesh_cursor *in);
struct mesh_str mesh_get_slice(struct mesh_cursor *in); /* borrowed from the input */
struct mesh_str mesh_get_bytes(struct mesh_cursor *in, size_t n);

#endif
