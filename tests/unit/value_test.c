/* The values of generated code: Avro's, one at a time (mesh/avro.h), and the arithmetic of expressions (mesh/expr.h). */
#include "mesh/mesh.h"

#include "../check.h"

#include <stdlib.h>

static struct mesh_in in_of(const struct mesh_out *out)
{
    return (struct mesh_in){.p = out->p, .end = out->p + out->n};
}

static struct mesh_in in_bytes(const char *p, size_t n)
{
    return (struct mesh_in){.p = (const uint8_t *)p, .end = (const uint8_t *)p + n};
}

CASE(decimals_come_back_in_the_shortest_bytes)
{
    mesh_dec max = 1;
    for (int i = 0; i < 38; i++)
        max *= 10;
    max -= 1;
    const mesh_dec values[] = {0,     1,     -1,     127,    128,       -128,      -129, 255, 256,
                               32767, 32768, -32768, -32769, INT64_MAX, INT64_MIN, max,  -max};
    const size_t lengths[] = {1, 1, 1, 1, 2, 1, 2, 2, 2, 2, 3, 2, 3, 8, 8, 16, 16};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct mesh_out out = {0};
        mesh_out_decimal(&out, values[i]);
        CHECK_EQ_U64(out.n, 1 + lengths[i]);
        struct mesh_in in = in_of(&out);
        CHECK(mesh_in_decimal(&in, 38) == values[i] && in.fault == MESH_AVRO_OK && in.p == in.end);
        out.n = 0;
        mesh_out_decimal_fixed(&out, values[i], 20);
        in = in_of(&out);
        CHECK(mesh_in_decimal_fixed(&in, 20, 38) == values[i] && in.fault == MESH_AVRO_OK && out.n == 20);
        mesh_out_deinit(&out);
    }
    struct mesh_in in = in_bytes("\x02\x64", 2); /* 100 */
    CHECK(mesh_in_decimal(&in, 2) == 0 && in.fault == MESH_AVRO_DECIMAL);
    in = in_bytes("\x02\x63", 2);
    CHECK(mesh_in_decimal(&in, 2) == 99 && in.fault == MESH_AVRO_OK);
    in = in_bytes("\x00", 1);
    CHECK(mesh_in_decimal(&in, 2) == 0 && in.fault == MESH_AVRO_DECIMAL);
}

CASE(hostile_values_are_refused)
{
    struct mesh_in in = in_bytes("\0\0\xc0\x7f", 4); /* NaN */
    CHECK(mesh_in_float(&in) == 0 && in.fault == MESH_AVRO_NUMBER);
    in = in_bytes("\0\0\0\0\0\0\xf0\x7f", 8); /* infinity */
    CHECK(mesh_in_double(&in) == 0 && in.fault == MESH_AVRO_NUMBER);
    in = in_bytes("\x04", 1);
    CHECK(mesh_in_enum(&in, 2) == 0 && in.fault == MESH_AVRO_ENUM_RANGE);
    in = in_bytes("\x01", 1);
    CHECK(mesh_in_union(&in, 2) == 0 && in.fault == MESH_AVRO_UNION_RANGE);
    in = in_bytes("", 0);
    CHECK(mesh_in_enum(&in, 2) == 0 && in.fault == MESH_AVRO_TRUNCATED); /* the first fault stays */
    in = in_bytes("\x06"
                  "ab",
                  3);
    CHECK(mesh_in_string(&in).n == 0 && in.fault == MESH_AVRO_TRUNCATED);
    in = in_bytes("\x01", 1);
    CHECK(mesh_in_bytes(&in).n == 0 && in.fault == MESH_AVRO_LENGTH);
    in = in_bytes("\x04\xc3\x28", 3);
    (void)mesh_in_string(&in);
    CHECK(in.fault == MESH_AVRO_UTF8);
    struct mesh_out out = {0};
    mesh_out_long(&out, INT64_C(1) << 41);
    in = in_of(&out);
    CHECK(mesh_in_block(&in) == 0 && in.fault == MESH_AVRO_DEPTH);
    out.n = 0;
    mesh_out_long(&out, INT64_MIN);
    in = in_of(&out);
    CHECK(mesh_in_block(&in) == 0 && in.fault == MESH_AVRO_LENGTH);
    out.n = 0;
    mesh_out_long(&out, INT64_MAX / 10);
    in = in_of(&out);
    CHECK(mesh_in_millis(&in) == 0 && in.fault == MESH_AVRO_TIME);
    out.n = 0;
    mesh_out_long(&out, -1500);
    in = in_of(&out);
    CHECK_EQ_I64(mesh_in_nanos(&in), -2); /* towards minus infinity */
    out.n = 0;
    mesh_out_millis(&out, -1);
    in = in_of(&out);
    CHECK_EQ_I64(mesh_in_millis(&in), -1000);
    out.n = 0;
    mesh_out_date(&out, -1);
    in = in_of(&out);
    CHECK_EQ_I64(mesh_in_date(&in), INT64_C(-86400000000));
    mesh_out_deinit(&out);
    for (int i = 1; i < MESH_AVRO_FAULT_COUNT; i++)
        CHECK_CONTAINS(mesh_avro_fault_code((enum mesh_avro_fault)i), "avro.");
}

CASE(decimals_round_half_to_even)
{
    enum mesh_fault fault = MESH_FAULT_NONE;
    static const int64_t rescaled[][2] = {{25, 2}, {35, 4}, {-25, -2}, {-35, -4}, {26, 3}, {24, 2}, {-26, -3}};
    for (size_t i = 0; i < sizeof rescaled / sizeof rescaled[0]; i++)
        CHECK_EQ_I64((int64_t)mesh_dec_rescale(&fault, rescaled[i][0], 1, 0, 10), rescaled[i][1]);
    CHECK_EQ_I64((int64_t)mesh_dec_rescale(&fault, 12, 0, 3, 10), 12000);
    CHECK_EQ_I64((int64_t)mesh_dec_div(&fault, 1, 0, 3, 0, 4, 10), 3333);
    CHECK_EQ_I64((int64_t)mesh_dec_div(&fault, 2, 0, 3, 0, 4, 10), 6667);
    CHECK_EQ_I64((int64_t)mesh_dec_div(&fault, -1, 0, 8, 0, 2, 10), -12); /* 0.125 */
    CHECK_EQ_I64((int64_t)mesh_dec_div(&fault, 1050, 2, 5, 1, 0, 10), 21);
    CHECK_EQ_I64((int64_t)mesh_double_dec(&fault, 0.125, 2, 10), 12);
    CHECK_EQ_I64((int64_t)mesh_double_dec(&fault, 2.675, 2, 10), 267); /* it is a little less */
    CHECK_EQ_I64((int64_t)mesh_double_dec(&fault, -1e15, 2, 38), -100000000000000000);
    CHECK(fault == MESH_FAULT_NONE);
    mesh_dec big = 1;
    for (int i = 0; i < 37; i++)
        big *= 10;
    CHECK(mesh_dec_div(&fault, big, 0, big, 0, 5, 38) == 100000 && fault == MESH_FAULT_NONE);
    CHECK(mesh_dec_div(&fault, 1, 0, 0, 0, 2, 10) == 0 && fault == MESH_FAULT_DIVIDE_BY_ZERO);
    fault = MESH_FAULT_NONE;
    CHECK(mesh_dec_rescale(&fault, 1000, 0, 0, 3) == 0 && fault == MESH_FAULT_OVERFLOW);
    fault = MESH_FAULT_NONE;
    CHECK(mesh_dec_rescale(&fault, big, 0, 5, 38) == 0 && fault == MESH_FAULT_OVERFLOW);
    fault = MESH_FAULT_NONE;
    CHECK(mesh_double_dec(&fault, 1e300, 2, 38) == 0 && fault == MESH_FAULT_OVERFLOW);
    fault = MESH_FAULT_NONE;
    CHECK(mesh_double_long(&fault, 0x1p63) == 0 && fault == MESH_FAULT_RANGE);
    fault = MESH_FAULT_NONE;
    CHECK(mesh_double_long(&fault, -0x1p63) == 0 && fault == MESH_FAULT_RANGE); /* CEL leaves it out */
    fault = MESH_FAULT_NONE;
    const mesh_dec e16 = 10000000000000000;
    CHECK(mesh_double_dec(&fault, 0.1, 33, 38) == e16 * e16 + (mesh_dec)555111512312578 * 10 + 3 && fault == MESH_FAULT_NONE);
    CHECK(mesh_double_dec(&fault, -0.1, 38, 38) == -(e16 * e16 * 100000 + (mesh_dec)5551115123125 * 100000000 + 78270212) &&
          fault == MESH_FAULT_NONE);
    CHECK(mesh_double_dec(&fault, 0.5, 38, 38) == e16 * e16 * 500000 && fault == MESH_FAULT_NONE);
    CHECK(mesh_double_dec(&fault, 5e-324, 38, 38) == 0 && mesh_double_dec(&fault, 1e-37, 38, 38) == 10 && fault == MESH_FAULT_NONE);
    CHECK(mesh_double_dec(&fault, 2.675, 2, 10) == 267 && mesh_double_dec(&fault, 0.125, 2, 10) == 12 && fault == MESH_FAULT_NONE);
    CHECK(mesh_double_dec(&fault, 0.9375, 38, 38) == e16 * e16 * 937500 &&
          fault == MESH_FAULT_NONE); /* 38 digits are more than 2^126 */
    CHECK(mesh_double_dec(&fault, 12.1, 38, 38) == 0 && fault == MESH_FAULT_OVERFLOW);
    CHECK(!signbit(mesh_zero_minus(0.0)) && !signbit(mesh_zero_minus(-0.0)) && mesh_zero_minus(2.5) == -2.5);
    CHECK(mesh_dec_double(12345, 2) == 123.45 && mesh_dec_double(-1, 0) == -1.0);
    CHECK_STR(mesh_fault_code(MESH_FAULT_MISSING), "join.missing");
}

CASE(calendar_and_text)
{
    int64_t leap = INT64_C(1709210096123456); /* 2024-02-29T12:34:56.123456Z, a Thursday */
    CHECK_EQ_I64(mesh_time_year(leap), 2024);
    CHECK_EQ_I64(mesh_time_month(leap), 1);
    CHECK_EQ_I64(mesh_time_date(leap), 29);
    CHECK_EQ_I64(mesh_time_day_of_month(leap), 28);
    CHECK_EQ_I64(mesh_time_day_of_week(leap), 4);
    CHECK_EQ_I64(mesh_time_day_of_year(leap), 59);
    CHECK_EQ_I64(mesh_time_hours(leap), 12);
    CHECK_EQ_I64(mesh_time_minutes(leap), 34);
    CHECK_EQ_I64(mesh_time_seconds(leap), 56);
    CHECK_EQ_I64(mesh_time_millis(leap), 123);
    CHECK_EQ_I64(mesh_time_year(-1), 1969);
    CHECK_EQ_I64(mesh_time_day_of_year(-1), 364);
    CHECK_EQ_I64(mesh_time_hours(-1), 23);
    CHECK_EQ_I64(mesh_time_millis(-1), 999);
    CHECK_EQ_I64(mesh_time_day_of_week(-1), 3);
    CHECK_EQ_I64(mesh_str_size(MESH_STR("h\xc3\xa9llo")), 5);
    CHECK(mesh_str_contains(MESH_STR("hello"), MESH_STR("ell")) && mesh_str_contains(MESH_STR("x"), MESH_STR("")));
    CHECK(!mesh_str_contains(MESH_STR("hell"), MESH_STR("hello")));
}
