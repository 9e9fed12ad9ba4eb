/* Arithmetic of expressions that is more than an instruction. Decimals round half to even, as money is rounded; a product that does
 * not fit 128 bits is an overflow, never a wrong number. Calendar fields come from days by Howard Hinnant's civil_from_days. */
#include "mesh/expr.h"

#include "base/check.h"
#include "base/text.h"

#include <math.h>

__extension__ typedef unsigned __int128 u128;

static const char *const FAULT_CODES[MESH_FAULT_COUNT] = {
    [MESH_FAULT_NONE] = "",
    [MESH_FAULT_OVERFLOW] = "expr.overflow",
    [MESH_FAULT_DIVIDE_BY_ZERO] = "expr.divide_by_zero",
    [MESH_FAULT_RANGE] = "expr.range",
    [MESH_FAULT_NULL] = "expr.null",
    [MESH_FAULT_MISSING] = "join.missing",
};

const char *mesh_fault_code(enum mesh_fault fault)
{
    return (unsigned)fault < MESH_FAULT_COUNT ? FAULT_CODES[fault] : "expr.unknown";
}

/* 10^n for 0 <= n <= 38. */
static mesh_dec power_of_ten(int n)
{
    mesh_dec v = 1;
    while (n-- > 0)
        v *= 10;
    return v;
}

static mesh_dec within(enum mesh_fault *fault, mesh_dec v, int precision)
{
    mesh_dec limit = power_of_ten(precision < MESH_DEC_DIGITS_MAX ? precision : MESH_DEC_DIGITS_MAX);
    if (v < limit && v > -limit)
        return v;
    mesh_fail(fault, MESH_FAULT_OVERFLOW);
    return 0;
}

static u128 magnitude(mesh_dec v)
{
    return v < 0 ? (u128)0 - (u128)v : (u128)v;
}

/* n / d rounded half to even. */
static u128 divide_even(u128 n, u128 d)
{
    u128 q = n / d;
    u128 r = n % d;
    u128 rest = d - r;
    if (r > rest || (r == rest && (q & 1) != 0))
        q++;
    return q;
}

static mesh_dec with_sign(enum mesh_fault *fault, u128 v, bool negative)
{
    if (v >> 127 != 0) {
        mesh_fail(fault, MESH_FAULT_OVERFLOW);
        return 0;
    }
    return negative ? -(mesh_dec)v : (mesh_dec)v;
}

mesh_dec mesh_dec_rescale(enum mesh_fault *fault, mesh_dec v, int from_scale, int to_scale, int precision)
{
    if (to_scale > from_scale) {
        mesh_dec r = 0;
        int up = to_scale - from_scale;
        if (v == 0)
            return 0;
        if (up > MESH_DEC_DIGITS_MAX || __builtin_mul_overflow(v, power_of_ten(up), &r)) {
            mesh_fail(fault, MESH_FAULT_OVERFLOW);
            return 0;
        }
        return within(fault, r, precision);
    }
    int down = from_scale - to_scale;
    if (down == 0)
        return within(fault, v, precision);
    if (down > MESH_DEC_DIGITS_MAX)
        return 0;
    u128 q = divide_even(magnitude(v), (u128)power_of_ten(down));
    return within(fault, with_sign(fault, q, v < 0), precision);
}

mesh_dec mesh_dec_div(enum mesh_fault *fault, mesh_dec a, int a_scale, mesh_dec b, int b_scale, int scale, int precision)
{
    if (b == 0) {
        mesh_fail(fault, MESH_FAULT_DIVIDE_BY_ZERO);
        return 0;
    }
    /* a / 10^as / (b / 10^bs) * 10^scale = a * 10^(scale + bs - as) / b, digit by digit: the remainder carries over, so the numerator
     * never has to fit at once. */
    int shift = scale + b_scale - a_scale;
    u128 n = magnitude(a);
    u128 d = magnitude(b);
    bool negative = (a < 0) != (b < 0);
    if (shift < 0) {
        if (-shift > MESH_DEC_DIGITS_MAX || __builtin_mul_overflow(d, (u128)power_of_ten(-shift), &d))
            return 0; /* the divisor is beyond 2^128: the quotient rounds to 0 */
        shift = 0;
    }
    u128 q = n / d;
    u128 r = n % d;
    for (; shift > 0; shift--) {
        u128 digit = 0;
        u128 r10 = 0;
        if (__builtin_mul_overflow(q, (u128)10, &q)) {
            mesh_fail(fault, MESH_FAULT_OVERFLOW);
            return 0;
        }
        /* r < d <= 2^127, so r * 10 may overflow: add ten times, reducing. */
        for (int i = 0; i < 10; i++) {
            if (r10 >= d - r) {
                r10 -= d - r;
                digit++;
            } else {
                r10 += r;
            }
        }
        q += digit;
        r = r10;
    }
    u128 rest = d - r;
    if (r > rest || (r == rest && (q & 1) != 0))
        q++;
    return within(fault, with_sign(fault, q, negative), precision);
}

double mesh_dec_double(mesh_dec v, int scale)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const mesh_dec two53 = (mesh_dec)1 << 53;
    if (v > -two53 && v < two53 && scale >= 0 && scale < (int)MESH_LEN(exact))
        return (double)(int64_t)v / exact[scale]; /* both exact: one rounding */
    /* x87's 64-bit mantissa holds any 64-bit number; the power of ten is exact up to 10^27. */
    return (double)((long double)v / powl(10.0L, (long double)scale));
}

/* What 53 bits times a power of five need: up to 142 bits. */
struct wide {
    u128 high, low;
};

static struct wide multiply(uint64_t a, u128 b)
{
    u128 low = (u128)a * (uint64_t)b;
    u128 high = (u128)a * (uint64_t)(b >> 64);
    struct wide product = {high >> 64, low + (high << 64)};
    product.high += product.low < low; /* carried */
    return product;
}

/* v / 2^down, rounded half to even; false when that has more than 128 bits. */
static bool shift_even(struct wide v, int down, u128 *ret)
{
    if (down <= 0) {
        *ret = down > -128 ? v.low << -down : 0;
        return v.high == 0 && down > -128 && *ret >> -down == v.low;
    }
    u128 rest = 0, half = 0;
    bool below = false; /* bits under those of `rest` */
    if (down > 192) {
        *ret = 0;
        return true;
    }
    if (down > 128) {
        half = (u128)1 << (down - 129);
        rest = v.high & (2 * half - 1);
        below = v.low != 0;
        *ret = v.high >> (down - 128);
    } else {
        half = (u128)1 << (down - 1);
        rest = down == 128 ? v.low : v.low & (2 * half - 1);
        *ret = down == 128 ? v.high : v.low >> down | v.high << (128 - down);
        if (down < 128 && v.high >> down != 0)
            return false;
    }
    *ret += rest > half || (rest == half && (below || (*ret & 1) != 0));
    return true;
}

mesh_dec mesh_double_dec(enum mesh_fault *fault, double v, int scale, int precision)
{
    if (!isfinite(v)) {
        mesh_fail(fault, MESH_FAULT_RANGE);
        return 0;
    }
    /* v = m * 2^e exactly; the decimal nearest to it is computed on integers. */
    int e = 0;
    double f = frexp(v, &e);
    int64_t m = (int64_t)ldexp(f, 53);
    e -= 53;
    bool negative = m < 0;
    u128 n = (u128)(negative ? -m : m);
    if (n == 0)
        return 0;
    if (scale > MESH_DEC_DIGITS_MAX) {
        mesh_fail(fault, MESH_FAULT_OVERFLOW);
        return 0;
    }
    while ((n & 1) == 0) {
        n >>= 1;
        e++;
    }
    if (e >= 0) {
        u128 r = 0;
        if (e > 126 || (n << e) >> e != n || __builtin_mul_overflow(n << e, (u128)power_of_ten(scale), &r)) {
            mesh_fail(fault, MESH_FAULT_OVERFLOW);
            return 0;
        }
        return within(fault, with_sign(fault, r, negative), precision);
    }
    /* n * 10^scale / 2^-e = n * 5^scale / 2^(-e - scale) */
    u128 five = 1;
    for (int i = 0; i < scale; i++)
        five *= 5;
    struct wide product = multiply((uint64_t)n, five);
    u128 q = 0;
    if (!shift_even(product, -e - scale, &q)) {
        mesh_fail(fault, MESH_FAULT_OVERFLOW);
        return 0;
    }
    return within(fault, with_sign(fault, q, negative), precision);
}

int64_t mesh_double_long(enum mesh_fault *fault, double v)
{
    if (v > -0x1p63 && v < 0x1p63) /* CEL leaves the smallest int out */
        return (int64_t)v;
    mesh_fail(fault, MESH_FAULT_RANGE);
    return 0;
}

int64_t mesh_str_size(struct mesh_str s)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

bool mesh_str_contains(struct mesh_str s, struct mesh_str part)
{
    return part.n == 0 || (s.n >= part.n && memmem(s.p, s.n, part.p, part.n) != NULL);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0 ? 1 : 0);
}

struct civil {
    int64_t year, month, day, day_of_year; /* month and day from 1, day of the year from 0 */
};

static struct civil civil_of(int64_t us)
{
    int64_t days = floor_div(us, MESH_DAY_US);
    int64_t z = days + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100); /* from 1 March */
    int64_t mp = (5 * doy + 2) / 153;
    struct civil c = {.day = doy - (153 * mp + 2) / 5 + 1, .month = mp < 10 ? mp + 3 : mp - 9};
    c.year = yoe + era * 400 + (c.month <= 2 ? 1 : 0);
    bool leap = (c.year % 4 == 0 && c.year % 100 != 0) || c.year % 400 == 0;
    c.day_of_year = c.month <= 2 ? doy - 306 : doy + 59 + (leap ? 1 : 0);
    return c;
}

int64_t mesh_time_year(int64_t us)
{
    return civil_of(us).year;
}

int64_t mesh_time_month(int64_t us)
{
    return civil_of(us).month - 1;
}

int64_t mesh_time_date(int64_t us)
{
    return civil_of(us).day;
}

int64_t mesh_time_day_of_month(int64_t us)
{
    return civil_of(us).day - 1;
}

int64_t mesh_time_day_of_week(int64_t us)
{
    int64_t days = floor_div(us, MESH_DAY_US) + 4; /* 1970-01-01 was a Thursday */
    return days - floor_div(days, 7) * 7;
}

int64_t mesh_time_day_of_year(int64_t us)
{
    return civil_of(us).day_of_year;
}

static int64_t part_of_day(int64_t us, int64_t unit_us, int64_t n)
{
    int64_t v = floor_div(us, unit_us);
    return v - floor_div(v, n) * n;
}

int64_t mesh_time_hours(int64_t us)
{
    return part_of_day(us, 3600 * MESH_SECOND_US, 24);
}

int64_t mesh_time_minutes(int64_t us)
{
    return part_of_day(us, 60 * MESH_SECOND_US, 60);
}

int64_t mesh_time_seconds(int64_t us)
{
    return part_of_day(us, MESH_SECOND_US, 60);
}

int64_t mesh_time_millis(int64_t us)
{
    return part_of_day(us, 1000, 1000);
}
