/* The values of Avro that are too long to be inlined into generated decoders. Everything here reads within bounds and says what it
 * refuses; what generated code trusts afterwards (time range, precision, no NaN) is established here once. */
#include "mesh/avro.h"

#include "base/check.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>

#define BLOCK_ITEMS_MAX 1000000
#define OUT_BYTES_MIN   256u

static const char *const FAULT_CODES[MESH_AVRO_FAULT_COUNT] = {
    [MESH_AVRO_OK] = "",
    [MESH_AVRO_TRUNCATED] = "avro.truncated",
    [MESH_AVRO_TRAILING] = "avro.trailing",
    [MESH_AVRO_VARINT] = "avro.varint",
    [MESH_AVRO_LENGTH] = "avro.length",
    [MESH_AVRO_UTF8] = "avro.utf8",
    [MESH_AVRO_ENUM_RANGE] = "avro.enum",
    [MESH_AVRO_UNION_RANGE] = "avro.union",
    [MESH_AVRO_NOT_BOOLEAN] = "avro.boolean",
    [MESH_AVRO_DECIMAL] = "avro.decimal",
    [MESH_AVRO_NUMBER] = "avro.number",
    [MESH_AVRO_TIME] = "avro.time",
    [MESH_AVRO_DEPTH] = "avro.depth",
};

const char *mesh_avro_fault_code(enum mesh_avro_fault fault)
{
    return (unsigned)fault < MESH_AVRO_FAULT_COUNT ? FAULT_CODES[fault] : "avro.unknown";
}

struct mesh_in_rest mesh_in_long_slow(const uint8_t *p, const uint8_t *end)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (p >= end)
            return (struct mesh_in_rest){p, 0, MESH_AVRO_TRUNCATED};
        uint8_t b = *p++;
        if (shift == 63 && b > 1)
            break;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return (struct mesh_in_rest){p, mesh_in_zigzag(v), MESH_AVRO_OK};
    }
    return (struct mesh_in_rest){p, 0, MESH_AVRO_VARINT};
}

bool mesh_utf8_slow(const char *p, size_t n)
{
    return mesh_utf8_valid(p, n) == n;
}

static uint64_t little(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static double number_of(struct mesh_in *in, double v)
{
    if (isfinite(v))
        return v;
    mesh_in_fail(in, MESH_AVRO_NUMBER);
    return 0;
}

double mesh_in_float(struct mesh_in *in)
{
    const uint8_t *p = mesh_in_fixed(in, 4);
    if (p == NULL)
        return 0;
    uint32_t bits = (uint32_t)little(p, 4);
    float v;
    memcpy(&v, &bits, 4);
    return number_of(in, (double)v);
}

static mesh_dec power_of_ten(int n)
{
    mesh_dec v = 1;
    while (n-- > 0)
        v *= 10;
    return v;
}

/* Big-endian two's complement. Longer than 16 bytes is fine when the further ones only repeat the sign. */
static mesh_dec decimal_of(struct mesh_in *in, const uint8_t *p, size_t n, int precision)
{
    if (n == 0) {
        mesh_in_fail(in, MESH_AVRO_DECIMAL);
        return 0;
    }
    uint8_t sign = (p[0] & 0x80) != 0 ? 0xff : 0;
    for (; n > 16; p++, n--) {
        if (*p != sign || ((p[1] & 0x80) != 0) != (sign != 0)) {
            mesh_in_fail(in, MESH_AVRO_DECIMAL);
            return 0;
        }
    }
    __extension__ unsigned __int128 v = sign != 0 ? ~(__extension__(unsigned __int128) 0) : 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    mesh_dec d = (mesh_dec)v;
    mesh_dec limit = power_of_ten(precision < MESH_DEC_DIGITS_MAX ? precision : MESH_DEC_DIGITS_MAX);
    if (d >= limit || d <= -limit) {
        mesh_in_fail(in, MESH_AVRO_DECIMAL);
        return 0;
    }
    return d;
}

mesh_dec mesh_in_decimal(struct mesh_in *in, int precision)
{
    struct mesh_str s = mesh_in_bytes(in);
    return in->fault != MESH_AVRO_OK ? 0 : decimal_of(in, (const uint8_t *)s.p, s.n, precision);
}

mesh_dec mesh_in_decimal_fixed(struct mesh_in *in, size_t n, int precision)
{
    const uint8_t *p = mesh_in_fixed(in, n);
    return p == NULL ? 0 : decimal_of(in, p, n, precision);
}

static int64_t time_ok(struct mesh_in *in, int64_t us)
{
    if (us >= MESH_TIME_MIN_US && us <= MESH_TIME_MAX_US)
        return us;
    mesh_in_fail(in, MESH_AVRO_TIME);
    return 0;
}

static int64_t time_scaled(struct mesh_in *in, int64_t v, int64_t unit_us)
{
    int64_t us = 0;
    if (__builtin_mul_overflow(v, unit_us, &us))
        us = INT64_MAX;
    return time_ok(in, us);
}

int64_t mesh_in_micros(struct mesh_in *in)
{
    return time_ok(in, mesh_in_long(in));
}

int64_t mesh_in_nanos(struct mesh_in *in)
{
    int64_t v = mesh_in_long(in);
    return time_ok(in, v / 1000 - (v % 1000 < 0 ? 1 : 0));
}

int64_t mesh_in_date(struct mesh_in *in)
{
    return time_scaled(in, mesh_in_int(in), MESH_DAY_US);
}

int64_t mesh_in_block(struct mesh_in *in)
{
    int64_t n = mesh_in_long(in);
    if (n < 0) {
        if (n == INT64_MIN) {
            mesh_in_fail(in, MESH_AVRO_LENGTH);
            return 0;
        }
        n = -n;
        int64_t bytes = mesh_in_long(in);
        if (bytes < 0 || bytes > in->end - in->p) {
            mesh_in_fail(in, MESH_AVRO_LENGTH);
            return 0;
        }
    }
    /* Items of no bytes (null, an empty record) are bounded by number alone. */
    if (n > BLOCK_ITEMS_MAX) {
        mesh_in_fail(in, MESH_AVRO_DEPTH);
        return 0;
    }
    return n;
}

void mesh_out_grow(struct mesh_out *out, size_t bytes)
{
    size_t cap = out->cap < OUT_BYTES_MIN ? OUT_BYTES_MIN : out->cap;
    while (cap - out->n < bytes)
        cap *= 2;
    out->p = mesh_xrealloc(out->p, cap);
    out->cap = cap;
}

void mesh_out_deinit(struct mesh_out *out)
{
    free(out->p);
    *out = (struct mesh_out){0};
}

static void out_little(struct mesh_out *out, uint64_t v, size_t n)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    mesh_out_raw(out, bytes, n);
}

void mesh_out_float(struct mesh_out *out, double v)
{
    float f = (float)v;
    uint32_t bits;
    memcpy(&bits, &f, 4);
    out_little(out, bits, 4);
}

void mesh_out_double(struct mesh_out *out, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, 8);
    out_little(out, bits, 8);
}

static void big_endian(mesh_dec v, uint8_t bytes[16])
{
    for (int i = 15; i >= 0; i--, v >>= 8)
        bytes[i] = (uint8_t)(v & 0xff);
}

void mesh_out_decimal(struct mesh_out *out, mesh_dec v)
{
    uint8_t bytes[16];
    big_endian(v, bytes);
    size_t at = 0;
    uint8_t sign = v < 0 ? 0xff : 0;
    while (at < 15 && bytes[at] == sign && ((bytes[at + 1] & 0x80) != 0) == (v < 0))
        at++;
    mesh_out_long(out, (int64_t)(16 - at));
    mesh_out_raw(out, bytes + at, 16 - at);
}

void mesh_out_decimal_fixed(struct mesh_out *out, mesh_dec v, size_t n)
{
    uint8_t bytes[16];
    big_endian(v, bytes);
    uint8_t sign = v < 0 ? 0xff : 0;
    for (; n > 16; n--)
        mesh_out_raw(out, &sign, 1);
    mesh_out_raw(out, bytes + (16 - n), n);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

void mesh_out_millis(struct mesh_out *out, int64_t us)
{
    mesh_out_long(out, floor_div(us, 1000));
}

void mesh_out_date(struct mesh_out *out, int64_t us)
{
    mesh_out_long(out, floor_div(us, MESH_DAY_US));
}
