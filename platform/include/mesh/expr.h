/* What compiled expressions are made of: CEL's arithmetic, checked.
 *
 * Overflow, division by zero and a decimal with too many digits do not give a number: they set the `fault` of the statement, which the
 * generated code looks at once, at its end, and sends the record to the dead letters under that code. The value returned is then 0.
 */
#ifndef MESH_EXPR_H
#define MESH_EXPR_H

#include "mesh/value.h"

#include <math.h>

enum mesh_fault {
    MESH_FAULT_NONE = 0,
    MESH_FAULT_OVERFLOW,       /* "expr.overflow" */
    MESH_FAULT_DIVIDE_BY_ZERO, /* "expr.divide_by_zero" */
    MESH_FAULT_RANGE,          /* "expr.range": a conversion, an index, an enum symbol, a time */
    MESH_FAULT_NULL,           /* "expr.null": a null where the contract wants a value */
    MESH_FAULT_MISSING,        /* "join.missing": no row of a table, and the join says dlq */
    MESH_FAULT_COUNT
};

const char *mesh_fault_code(enum mesh_fault fault);

static inline void mesh_fail(enum mesh_fault *fault, enum mesh_fault why)
{
    if (*fault == MESH_FAULT_NONE)
        *fault = why;
}

static inline int64_t mesh_add(enum mesh_fault *fault, int64_t a, int64_t b)
{
    int64_t r = 0;
    if (__builtin_add_overflow(a, b, &r)) {
        mesh_fail(fault, MESH_FAULT_OVERFLOW);
        return 0;
    }
    return r;
}

static inline int64_t mesh_sub(enum mesh_fault *fault, int64_t a, int64_t b)
{
    int64_t r = 0;
    if (__builtin_sub_overflow(a, b, &r)) {
        mesh_fail(fault, MESH_FAULT_OVERFLOW);
        return 0;
    }
    return r;
}

static inline int64_t mesh_mul(enum mesh_fault *fault, int64_t a, int64_t b)
{
    int64_t r = 0;
    if (__builtin_mul_overflow(a, b, &r)) {
        mesh_fail(fault, MESH_FAULT_OVERFLOW);
        return 0;
    }
    return r;
}

static inline int64_t mesh_neg(enum mesh_fault *fault, int64_t a)
{
    return mesh_sub(fault, 0, a);
}

/* Truncated towards zero, as CEL says. */
static inline int64_t mesh_div(enum mesh_fault *fault, int64_t a, int64_t b)
{
    if (b == 0 || (a == INT64_MIN && b == -1)) {
        mesh_fail(fault, b == 0 ? MESH_FAULT_DIVIDE_BY_ZERO : MESH_FAULT_OVERFLOW);
        return 0;
    }
    return a / b;
}

static inline int64_t mesh_mod(enum mesh_fault *fault, int64_t a, int64_t b)
{
    if (b == 0 || (a == INT64_MIN && b == -1)) {
        mesh_fail(fault, b == 0 ? MESH_FAULT_DIVIDE_BY_ZERO : MESH_FAULT_OVERFLOW);
        return 0;
    }
    return a % b;
}

/* Decimals: the unscaled numbers. Scales were aligned when the code was generated. */
static inline mesh_dec mesh_dec_add(enum mesh_fault *fault, mesh_dec a, mesh_dec b)
{
    mesh_dec r = 0;
    if (__builtin_add_overflow(a, b, &r)) {
        mesh_fail(fault, MESH_FAULT_OVERFLOW);
        return 0;
    }
    return r;
}

static inline mesh_dec mesh_dec_sub(enum mesh_fault *fault, mesh_dec a, mesh_dec b)
{
    mesh_dec r = 0;
    if (__builtin_sub_overflow(a, b, &r)) {
        mesh_fail(fault, MESH_FAULT_OVERFLOW);
        return 0;
    }
    return r;
}

static inline mesh_dec mesh_dec_mul(enum mesh_fault *fault, mesh_dec a, mesh_dec b)
{
    mesh_dec r = 0;
    if (__builtin_mul_overflow(a, b, &r)) {
        mesh_fail(fault, MESH_FAULT_OVERFLOW);
        return 0;
    }
    return r;
}

/* From scale to scale; fewer digits round half to even. The result must have at most `precision` digits. */
mesh_dec mesh_dec_rescale(enum mesh_fault *fault, mesh_dec v, int from_scale, int to_scale, int precision);
/* a / b with both at their scales, the result at `scale`, rounded half to even. */
mesh_dec mesh_dec_div(enum mesh_fault *fault, mesh_dec a, int a_scale, mesh_dec b, int b_scale, int scale, int precision);
double mesh_dec_double(mesh_dec v, int scale); /* correctly rounded for up to 2^63, else within 1 ulp */
/* The nearest decimal; half to even. */
mesh_dec mesh_double_dec(enum mesh_fault *fault, double v, int scale, int precision);
/* A sum of longs as a long: it would take 2^64 records to pass the range; then it stays at its end. */
static inline int64_t mesh_dec_clamp(mesh_dec v)
{
    return v > INT64_MAX ? INT64_MAX : v < INT64_MIN ? INT64_MIN : (int64_t)v;
}
static inline int mesh_dec_cmp(mesh_dec a, mesh_dec b)
{
    return (a > b) - (a < b);
}

int64_t mesh_double_long(enum mesh_fault *fault, double v); /* truncates; RANGE outside of (-2^63, 2^63) */

/* 0.0 - v, also for v = 0 (codegen/expr_emit.c says why this is a function). */
static inline double mesh_zero_minus(double v)
{
    return v == 0.0 ? 0.0 : -v;
}

/* ratio(a, b): *ret_present is false when b is 0. */
static inline double mesh_ratio(double a, double b, bool *ret_present)
{
    *ret_present = b != 0.0;
    return b != 0.0 ? a / b : 0.0;
}

/* CEL's strings. size() counts code points; of bytes it is a call too, because compilers warn about what a cast can never be. */
int64_t mesh_str_size(struct mesh_str s);
static inline int64_t mesh_bytes_size(struct mesh_str s)
{
    return s.n;
}
static inline bool mesh_str_starts(struct mesh_str s, struct mesh_str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}
static inline bool mesh_str_ends(struct mesh_str s, struct mesh_str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}
bool mesh_str_contains(struct mesh_str s, struct mesh_str part);

/* CEL's timestamp getters, in UTC; month and day of month count from 0 as CEL says, getDate from 1. */
int64_t mesh_time_year(int64_t us);
int64_t mesh_time_month(int64_t us);
int64_t mesh_time_date(int64_t us);
int64_t mesh_time_day_of_month(int64_t us);
int64_t mesh_time_day_of_week(int64_t us); /* 0 = Sunday */
int64_t mesh_time_day_of_year(int64_t us);
int64_t mesh_time_hours(int64_t us);
int64_t mesh_time_minutes(int64_t us);
int64_t mesh_time_seconds(int64_t us);
int64_t mesh_time_millis(int64_t us);

#endif
