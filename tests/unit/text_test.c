#include "../check.h"

#include "base/check.h"
#include "base/rng.h"
#include "base/text.h"

#include <float.h>
#include <locale.h>
#include <math.h>

static struct mesh_buf out;

static const char *as_double(double v)
{
    mesh_buf_reset(&out);
    mesh_text_double(&out, v);
    return out.p;
}

static const char *as_dec(mesh_dec v, int scale)
{
    mesh_buf_reset(&out);
    mesh_text_dec(&out, v, scale);
    return out.p;
}

static mesh_dec power_of_ten(int n)
{
    mesh_dec v = 1;
    for (; n > 0; n--)
        v *= 10;
    return v;
}

static int parse_dec(const char *text, int scale, mesh_dec *ret)
{
    return mesh_text_parse_dec(mesh_str_of(text), scale, ret);
}

CASE(decimals_parse)
{
    mesh_dec v = 0;
    CHECK(parse_dec("-12.50", 2, &v) == 0 && v == -1250);
    CHECK(parse_dec("12.5", 2, &v) == 0 && v == 1250);
    CHECK(parse_dec("12", 2, &v) == 0 && v == 1200);
    CHECK(parse_dec("0", 0, &v) == 0 && v == 0);
    CHECK(parse_dec("-0.0", 1, &v) == 0 && v == 0);
    CHECK(parse_dec("0.07", 2, &v) == 0 && v == 7);
    CHECK(parse_dec("000000000000000000000000000000000000000000000000001", 0, &v) == 0 && v == 1);
    static const char *const bad[] = {"",   "-",   ".",  "-.", ".5",  "5.",  "1.234", "1..2", "1.2.3",
                                      "+1", "1e3", " 1", "1 ", "0x1", "1,2", "--1",   "1-"};
    for (size_t i = 0; i < MESH_LEN(bad); i++)
        CHECK(parse_dec(bad[i], 2, &v) == 1);
    CHECK(mesh_text_parse_dec((struct mesh_str){NULL, 0}, 0, &v) == 1);
    CHECK(parse_dec("1.0", 0, &v) == 1);
}

CASE(decimals_at_38_digits)
{
    mesh_dec v = 0;
    mesh_dec most = power_of_ten(38) - 1;
    CHECK(parse_dec("99999999999999999999999999999999999999", 0, &v) == 0 && v == most);
    CHECK(parse_dec("-99999999999999999999999999999999999999", 0, &v) == 0 && v == -most);
    CHECK(parse_dec("100000000000000000000000000000000000000", 0, &v) == 1);
    CHECK(parse_dec("0.99999999999999999999999999999999999999", 38, &v) == 0 && v == most);
    CHECK(parse_dec("1", 38, &v) == 1); /* 39 digits once scaled */
    CHECK(parse_dec("1", 37, &v) == 0 && v == power_of_ten(37));
    CHECK(parse_dec("0", 38, &v) == 0 && v == 0);
    CHECK_STR(as_dec(most, 0), "99999999999999999999999999999999999999");
    CHECK_STR(as_dec(-most, 38), "-0.99999999999999999999999999999999999999");
    CHECK_STR(as_dec(most, 2), "999999999999999999999999999999999999.99");
    mesh_dec lowest = (mesh_dec)((__extension__(unsigned __int128) 1) << 127);
    CHECK_STR(as_dec(lowest, 0), "-170141183460469231731687303715884105728");
}

CASE(decimals_print)
{
    CHECK_STR(as_dec(0, 0), "0");
    CHECK_STR(as_dec(0, 2), "0.00");
    CHECK_STR(as_dec(5, 2), "0.05");
    CHECK_STR(as_dec(-5, 2), "-0.05");
    CHECK_STR(as_dec(-1250, 2), "-12.50");
    CHECK_STR(as_dec(1250, 0), "1250");
    CHECK_STR(as_dec(100, 2), "1.00");
}

CASE(decimals_round_trip)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 1);
    for (int i = 0; i < 2000; i++) {
        mesh_dec v = ((mesh_dec)mesh_rng_next(&rng) << 62) % power_of_ten((int)mesh_rng_below(&rng, 39));
        int scale = (int)mesh_rng_below(&rng, 39);
        mesh_dec back = 0;
        v = mesh_rng_below(&rng, 2) ? v : -v;
        as_dec(v, scale);
        CHECK(mesh_text_parse_dec((struct mesh_str){out.p, (uint32_t)out.n}, scale, &back) == 0);
        CHECK(back == v);
    }
}

CASE(longs)
{
    int64_t v = 0;
    CHECK(mesh_text_parse_long(MESH_STR("9223372036854775807"), &v) == 0 && v == INT64_MAX);
    CHECK(mesh_text_parse_long(MESH_STR("-9223372036854775808"), &v) == 0 && v == INT64_MIN);
    CHECK(mesh_text_parse_long(MESH_STR("007"), &v) == 0 && v == 7);
    CHECK(mesh_text_parse_long(MESH_STR("-0"), &v) == 0 && v == 0);
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      "1.0",
                                      "1e2",
                                      " 1",
                                      "1 ",
                                      "0x10",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999",
                                      "18446744073709551616"};
    for (size_t i = 0; i < MESH_LEN(bad); i++)
        CHECK(mesh_text_parse_long(mesh_str_of(bad[i]), &v) == 1);
}

CASE(doubles_print_shortest)
{
    CHECK_STR(as_double(0.1), "0.1");
    CHECK_STR(as_double(1e300), "1e+300");
    CHECK_STR(as_double(5), "5");
    CHECK_STR(as_double(-0.0), "-0");
    CHECK_STR(as_double(0.1 + 0.2), "0.30000000000000004");
    CHECK_STR(as_double(100000), "100000");
    CHECK_STR(as_double(1.0 / 3), "0.3333333333333333");
    CHECK_STR(as_double(DBL_MAX), "1.7976931348623157e+308");
    CHECK_STR(as_double(DBL_MIN), "2.2250738585072014e-308");
    CHECK_STR(as_double(DBL_TRUE_MIN), "5e-324");
    CHECK_STR(as_double(9007199254740993.0), "9007199254740992");
    CHECK_STR(as_double((double)NAN), "NaN");
    CHECK_STR(as_double((double)-INFINITY), "-Infinity");
}

CASE(doubles_round_trip)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 2);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = mesh_rng_next(&rng);
        double v;
        double back = 0;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        as_double(v);
        CHECK(mesh_text_parse_double((struct mesh_str){out.p, (uint32_t)out.n}, &back) == 0);
        CHECK(memcmp(&back, &v, sizeof v) == 0);
    }
}

CASE(doubles_parse_only_numbers)
{
    double v = 0;
    CHECK(mesh_text_parse_double(MESH_STR("-1.5E+3"), &v) == 0 && v <= -1500 && v >= -1500);
    CHECK(mesh_text_parse_double(MESH_STR("1e-400"), &v) == 0 && v <= 0 && v >= 0);
    static const char *const bad[] = {"",      "-",  ".5", "5.",  "1e",    "1e+", "nan",   "inf", "Infinity",
                                      "0x1p3", " 1", "1 ", "1,5", "1e999", "+1",  "1.5.2", "1f"};
    for (size_t i = 0; i < MESH_LEN(bad); i++)
        CHECK(mesh_text_parse_double(mesh_str_of(bad[i]), &v) == 1);
    /* a slice is not read past its end */
    CHECK(mesh_text_parse_double((struct mesh_str){"12", 1}, &v) == 0 && v <= 1 && v >= 1);
}

CASE(a_locale_changes_nothing)
{
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"};
    for (size_t i = 0; i < MESH_LEN(names); i++) {
        if (setlocale(LC_ALL, names[i]) == NULL)
            continue;
        double v = 0;
        CHECK_STR(as_double(1.5), "1.5");
        CHECK(mesh_text_parse_double(MESH_STR("1.5"), &v) == 0 && v >= 1.5 && v <= 1.5);
    }
    setlocale(LC_ALL, "C");
}

static size_t valid(const char *p, size_t n)
{
    return mesh_utf8_valid(p, n);
}

CASE(utf8_that_is_valid)
{
    static const char *const good[] = {"",
                                       "plain",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "\xef\xbb\xbf"
                                       "bom",
                                       "gr\xc3\xbc\xc3\x9f"
                                       "e \xe2\x82\xac \xf0\x9f\x98\x80"};
    for (size_t i = 0; i < MESH_LEN(good); i++)
        CHECK_EQ_U64(valid(good[i], strlen(good[i])), strlen(good[i]));
    CHECK_EQ_U64(valid("a\0b", 3), 3);
    CHECK_EQ_U64(valid(NULL, 0), 0);
}

CASE(utf8_torture)
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xfe",
        "\xff", /* no such lead */
        "\xc0\x80",
        "\xc0\xaf",
        "\xc1\xbf", /* overlong of two */
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xed\xa0\x80\xed\xb0\x80", /* surrogates */
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80", /* beyond U+10FFFF */
        "\xc3",
        "\xe2\x82",
        "\xf0\x9f\x98", /* cut */
        "\xc3(",
        "\xe2(\xa1",
        "\xe2\x82(",
        "\xf0(\x8c\xbc",
        "\xf0\x90(\xbc",
        "\xf0\x9f\x98(",
    };
    for (size_t i = 0; i < MESH_LEN(bad); i++) {
        for (size_t before = 0; before < 20; before++) { /* at every place of the eight-byte steps */
            char text[64];
            memset(text, 'a', before);
            size_t n = strlen(bad[i]);
            memcpy(text + before, bad[i], n);
            memset(text + before + n, 'b', 20);
            CHECK_EQ_U64(valid(text, before + n + 20), before);
            CHECK_EQ_U64(valid(text, before + n), before);
        }
    }
}

CASE(the_end)
{
    mesh_buf_deinit(&out);
    CHECK(out.p == NULL);
}
