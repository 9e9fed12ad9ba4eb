/* Avro binary, one value at a time, for generated codecs.
 *
 * Reading: a `struct mesh_in` walks over one datum. Every read is bounds-checked; strings are borrowed from the message. The first
 * failure is remembered in `fault` and moves `p` to `end`, so that a decoder reads a whole record and asks once, at the end.
 * Writing: a `struct mesh_out` grows.
 */
#ifndef MESH_AVRO_H
#define MESH_AVRO_H

#include "mesh/value.h"

#include <stddef.h>

/* Why a record is not what its contract says. The words are the codes of dead letters ("avro.truncated"). */
enum mesh_avro_fault {
    MESH_AVRO_OK = 0,
    MESH_AVRO_TRUNCATED, /* the datum ends inside a value */
    MESH_AVRO_TRAILING,  /* bytes behind the last field */
    MESH_AVRO_VARINT,    /* longer than 10 bytes, or outside the type's range */
    MESH_AVRO_LENGTH,    /* negative or longer than what is there */
    MESH_AVRO_UTF8,
    MESH_AVRO_ENUM_RANGE, /* index outside the symbols */
    MESH_AVRO_UNION_RANGE,
    MESH_AVRO_NOT_BOOLEAN, /* neither 0 nor 1 */
    MESH_AVRO_DECIMAL,     /* more digits than the precision */
    MESH_AVRO_NUMBER,      /* NaN or infinite */
    MESH_AVRO_TIME,        /* more than 100 years from 1970..2070, or does not fit */
    MESH_AVRO_DEPTH,       /* nested too deep, or too many items */
    MESH_AVRO_FAULT_COUNT
};

const char *mesh_avro_fault_code(enum mesh_avro_fault fault); /* "avro.truncated" */

/* Event times and other timestamps must lie within +-100 years of 1970..2070: 1870-01-01 to 2170-01-01. */
#define MESH_TIME_MIN_US INT64_C(-3155760000000000)
#define MESH_TIME_MAX_US INT64_C(6311520000000000)

struct mesh_in {
    const uint8_t *p;
    const uint8_t *end;
    enum mesh_avro_fault fault;
};

static inline void mesh_in_fail(struct mesh_in *in, enum mesh_avro_fault fault)
{
    if (in->fault == MESH_AVRO_OK)
        in->fault = fault;
    in->p = in->end;
}

struct mesh_in_rest {
    const uint8_t *p;
    int64_t v;
    enum mesh_avro_fault fault;
};
__attribute__((cold)) struct mesh_in_rest mesh_in_long_slow(const uint8_t *p, const uint8_t *end);

static inline int64_t mesh_in_zigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static inline int64_t mesh_in_long(struct mesh_in *in)
{
    const uint8_t *p = in->p;
    if (__builtin_expect(p < in->end && *p < 0x80, 1)) {
        in->p = p + 1;
        return mesh_in_zigzag(*p);
    }
    if (__builtin_expect(in->end - p >= 10, 1)) {
        uint64_t v = p[0] & 0x7f;
#pragma GCC unroll 10
        for (unsigned i = 1; i < 9; i++) {
            uint64_t b = p[i];
            v |= (b & 0x7f) << (7 * i);
            if (b < 0x80) {
                in->p = p + i + 1;
                return mesh_in_zigzag(v);
            }
        }
    }
    struct mesh_in_rest rest = mesh_in_long_slow(p, in->end);
    if (rest.fault != MESH_AVRO_OK) {
        mesh_in_fail(in, rest.fault);
        return 0;
    }
    in->p = rest.p;
    return rest.v;
}

static inline int64_t mesh_in_int(struct mesh_in *in)
{
    int64_t v = mesh_in_long(in);
    if (v < INT32_MIN || v > INT32_MAX) {
        mesh_in_fail(in, MESH_AVRO_VARINT);
        return 0;
    }
    return v;
}

static inline bool mesh_in_bool(struct mesh_in *in)
{
    if (in->p >= in->end) {
        mesh_in_fail(in, MESH_AVRO_TRUNCATED);
        return false;
    }
    uint8_t b = *in->p++;
    if (b > 1)
        mesh_in_fail(in, MESH_AVRO_NOT_BOOLEAN);
    return b == 1;
}

static inline const uint8_t *mesh_in_fixed(struct mesh_in *in, size_t n)
{
    const uint8_t *p = in->p;
    if ((size_t)(in->end - p) < n) {
        mesh_in_fail(in, MESH_AVRO_TRUNCATED);
        return NULL;
    }
    in->p = p + n;
    return p;
}

static inline struct mesh_str mesh_in_bytes(struct mesh_in *in)
{
    int64_t n = mesh_in_long(in);
    if (n < 0 || n > in->end - in->p) {
        mesh_in_fail(in, n < 0 ? MESH_AVRO_LENGTH : MESH_AVRO_TRUNCATED);
        return (struct mesh_str){0};
    }
    struct mesh_str s = {(const char *)in->p, (uint32_t)n};
    in->p += n;
    return s;
}

/* Bytes that must be UTF-8. Nearly all text is ASCII: eight bytes at a time say so, the rest is looked at in full. */
bool mesh_utf8_slow(const char *p, size_t n);

static inline bool mesh_utf8_ok(const char *p, size_t n)
{
    uint64_t seen = 0;
    if (__builtin_expect(n >= 8, 1)) {
        uint64_t word = 0;
        for (size_t i = 0; i + 8 <= n; i += 8) {
            memcpy(&word, p + i, 8);
            seen |= word;
        }
        memcpy(&word, p + n - 8, 8); /* the tail, overlapping */
        seen |= word;
    } else if (n >= 4) {
        uint32_t first = 0;
        uint32_t last = 0;
        memcpy(&first, p, 4);
        memcpy(&last, p + n - 4, 4);
        seen = first | last;
    } else if (n > 0) {
        seen = (uint64_t)((uint8_t)p[0] | (uint8_t)p[n / 2] | (uint8_t)p[n - 1]);
    }
    return __builtin_expect((seen & UINT64_C(0x8080808080808080)) == 0, 1) || mesh_utf8_slow(p, n);
}

static inline struct mesh_str mesh_in_string(struct mesh_in *in)
{
    struct mesh_str s = mesh_in_bytes(in);
    if (!mesh_utf8_ok(s.p, s.n))
        mesh_in_fail(in, MESH_AVRO_UTF8);
    return s;
}

double mesh_in_float(struct mesh_in *in); /* refuses NaN and infinities */
static inline double mesh_in_double(struct mesh_in *in)
{
    const uint8_t *p = mesh_in_fixed(in, 8);
    if (p == NULL)
        return 0;
    uint64_t bits = 0;
    memcpy(&bits, p, 8);
    if (__builtin_expect((bits >> 52 & 0x7ff) == 0x7ff, 0)) { /* NaN or infinite */
        mesh_in_fail(in, MESH_AVRO_NUMBER);
        return 0;
    }
    double v = 0;
    memcpy(&v, &bits, 8);
    return v;
}
/* decimal on bytes / on fixed(n): big-endian two's complement; refuses more than `precision` digits. */
mesh_dec mesh_in_decimal(struct mesh_in *in, int precision);
mesh_dec mesh_in_decimal_fixed(struct mesh_in *in, size_t n, int precision);
/* timestamp-millis -> us, range-checked */
static inline int64_t mesh_in_millis(struct mesh_in *in)
{
    int64_t v = mesh_in_long(in);
    if (__builtin_expect(v < MESH_TIME_MIN_US / 1000 || v > MESH_TIME_MAX_US / 1000, 0)) {
        mesh_in_fail(in, MESH_AVRO_TIME);
        return 0;
    }
    return v * 1000;
}
int64_t mesh_in_micros(struct mesh_in *in);
int64_t mesh_in_nanos(struct mesh_in *in); /* rounded towards minus infinity */
int64_t mesh_in_date(struct mesh_in *in);  /* days -> us */
static inline int32_t mesh_in_enum(struct mesh_in *in, int32_t n_symbols)
{
    int64_t v = mesh_in_long(in);
    if (__builtin_expect(v >= 0 && v < n_symbols, 1))
        return (int32_t)v;
    mesh_in_fail(in, MESH_AVRO_ENUM_RANGE);
    return 0;
}
static inline int32_t mesh_in_union(struct mesh_in *in, int32_t n_branches)
{
    int64_t v = mesh_in_long(in);
    if (__builtin_expect(v >= 0 && v < n_branches, 1))
        return (int32_t)v;
    mesh_in_fail(in, MESH_AVRO_UNION_RANGE);
    return 0;
}

/* Skipping what nobody uses, bounded all the same. */
static inline void mesh_skip_bytes(struct mesh_in *in)
{
    (void)mesh_in_bytes(in);
}
static inline void mesh_skip_fixed(struct mesh_in *in, size_t n)
{
    (void)mesh_in_fixed(in, n);
}
/* One block header of an array or map: number of items (0 = end). Bounds items by the bytes that are left and by a limit. */
int64_t mesh_in_block(struct mesh_in *in);

/* Over the items of an array that was kept as it was written; none when there is no array. */
static inline struct mesh_in mesh_in_items(struct mesh_str array)
{
    static const uint8_t none[1] = {0}; /* an array's end */
    const uint8_t *p = array.n == 0 ? none : (const uint8_t *)array.p;
    return (struct mesh_in){p, p + (array.n == 0 ? 1 : array.n), MESH_AVRO_OK};
}
/* What was passed over since `from`. */
static inline struct mesh_str mesh_in_since(const struct mesh_in *in, const uint8_t *from)
{
    return (struct mesh_str){(const char *)from, in->fault == MESH_AVRO_OK ? (uint32_t)(in->p - from) : 0};
}

struct mesh_out {
    uint8_t *p;
    size_t n, cap;
};

void mesh_out_grow(struct mesh_out *out, size_t bytes);
void mesh_out_deinit(struct mesh_out *out);

static inline void mesh_out_long(struct mesh_out *out, int64_t v)
{
    if (out->cap - out->n < 10)
        mesh_out_grow(out, 10);
    uint64_t u = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    while (u >= 0x80) {
        out->p[out->n++] = (uint8_t)(u | 0x80);
        u >>= 7;
    }
    out->p[out->n++] = (uint8_t)u;
}

static inline void mesh_out_raw(struct mesh_out *out, const void *bytes, size_t n)
{
    if (out->cap - out->n < n)
        mesh_out_grow(out, n);
    if (n > 0)
        memcpy(out->p + out->n, bytes, n);
    out->n += n;
}

static inline void mesh_out_bytes(struct mesh_out *out, struct mesh_str s)
{
    mesh_out_long(out, (int64_t)s.n);
    mesh_out_raw(out, s.p, s.n);
}

static inline void mesh_out_bool(struct mesh_out *out, bool v)
{
    uint8_t b = v ? 1 : 0;
    mesh_out_raw(out, &b, 1);
}

void mesh_out_float(struct mesh_out *out, double v);
void mesh_out_double(struct mesh_out *out, double v);
void mesh_out_decimal(struct mesh_out *out, mesh_dec v); /* shortest two's complement */
void mesh_out_decimal_fixed(struct mesh_out *out, mesh_dec v, size_t n);
void mesh_out_millis(struct mesh_out *out, int64_t us); /* rounded towards minus infinity */
void mesh_out_date(struct mesh_out *out, int64_t us);

#endif
