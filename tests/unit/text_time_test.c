#include "../check.h"

#include "base/check.h"
#include "base/rng.h"
#include "base/text.h"

static struct mesh_buf out;

static const char *as_time(int64_t us)
{
    mesh_buf_reset(&out);
    mesh_text_time(&out, us);
    return out.p;
}

static const char *as_date(int64_t us)
{
    mesh_buf_reset(&out);
    mesh_text_date(&out, us);
    return out.p;
}

static const char *as_duration(int64_t us)
{
    mesh_buf_reset(&out);
    mesh_text_duration(&out, us);
    return out.p;
}

/* INT64_MIN: not a time. */
static int64_t time_of(const char *text)
{
    int64_t us;
    return mesh_text_parse_time(mesh_str_of(text), &us) == 0 ? us : INT64_MIN;
}

static int64_t duration_of(const char *text)
{
    int64_t us;
    return mesh_text_parse_duration(mesh_str_of(text), &us) == 0 ? us : -1;
}

CASE(times_print)
{
    CHECK_STR(as_time(0), "1970-01-01T00:00:00Z");
    CHECK_STR(as_time(INT64_C(1795229969000000)), "2026-11-21T02:59:29Z");
    CHECK_STR(as_time(INT64_C(1795229969123000)), "2026-11-21T02:59:29.123Z");
    CHECK_STR(as_time(INT64_C(1795229969000001)), "2026-11-21T02:59:29.000001Z");
    CHECK_STR(as_time(INT64_C(1795229969120000)), "2026-11-21T02:59:29.120Z");
    CHECK_STR(as_time(-1), "1969-12-31T23:59:59.999999Z");
    CHECK_STR(as_time(INT64_C(-62135596800000000)), "0001-01-01T00:00:00Z");
    CHECK_STR(as_time(INT64_C(-62135596800000001)), "-62135596800000001");
    CHECK_STR(as_time(INT64_C(253402300799999999)), "9999-12-31T23:59:59.999999Z");
    CHECK_STR(as_time(INT64_C(253402300800000000)), "253402300800000000");
    CHECK_STR(as_time(INT64_MAX), "9223372036854775807");
    CHECK_STR(as_time(INT64_MIN), "-9223372036854775808");
    CHECK_STR(as_date(INT64_C(951782400000000)), "2000-02-29");
    CHECK_STR(as_date(-1), "1969-12-31");
    CHECK_STR(as_date(INT64_MAX), "9223372036854775807");
}

CASE(times_parse)
{
    CHECK_EQ_I64(time_of("1970-01-01T00:00:00Z"), 0);
    CHECK_EQ_I64(time_of("2026-11-21T02:59:29.123Z"), INT64_C(1795229969123000));
    CHECK_EQ_I64(time_of("2026-11-21t02:59:29.123z"), INT64_C(1795229969123000));
    CHECK_EQ_I64(time_of("2026-11-21 02:59:29Z"), INT64_C(1795229969000000));
    CHECK_EQ_I64(time_of("2026-11-21"), INT64_C(1795219200000000));
    CHECK_EQ_I64(time_of("1970-01-01T00:00:00.1Z"), 100000);
    CHECK_EQ_I64(time_of("1970-01-01T00:00:00.123456789Z"), 123456);
    CHECK_EQ_I64(time_of("1795229969123"), INT64_C(1795229969123000));
    CHECK_EQ_I64(time_of("-1"), -1000);
    CHECK_EQ_I64(time_of("0"), 0);
    CHECK_EQ_I64(time_of("9223372036854775"), INT64_C(9223372036854775000));
    CHECK_EQ_I64(time_of("9223372036854776"), INT64_MIN);
}

CASE(offsets)
{
    CHECK_EQ_I64(time_of("1970-01-01T01:00:00+01:00"), 0);
    CHECK_EQ_I64(time_of("1969-12-31T18:30:00-05:30"), 0);
    CHECK_EQ_I64(time_of("1970-01-01T00:00:00-00:00"), 0);
    CHECK_EQ_I64(time_of("1996-12-19T16:39:57-08:00"), time_of("1996-12-20T00:39:57Z"));
    CHECK_EQ_I64(time_of("1937-01-01T12:00:27.87+00:20"), time_of("1937-01-01T11:40:27.870Z"));
    CHECK_EQ_I64(time_of("1970-01-01T23:59:00+23:59"), 0);
    CHECK_EQ_I64(time_of("0001-01-01T00:00:00+00:01"), INT64_MIN);
    CHECK_EQ_I64(time_of("9999-12-31T23:59:59-00:01"), INT64_MIN);
}

CASE(leap_years_and_seconds)
{
    CHECK(time_of("2024-02-29") != INT64_MIN);
    CHECK(time_of("2000-02-29") != INT64_MIN);
    CHECK(time_of("2023-02-29") == INT64_MIN);
    CHECK(time_of("1900-02-29") == INT64_MIN);
    CHECK(time_of("2100-02-29") == INT64_MIN);
    CHECK_EQ_I64(time_of("2024-03-01") - time_of("2024-02-28"), 2 * MESH_DAY_US);
    CHECK_EQ_I64(time_of("1990-12-31T23:59:60Z"), time_of("1991-01-01T00:00:00Z"));
    CHECK_EQ_I64(time_of("1990-12-31T15:59:60-08:00"), time_of("1991-01-01T00:00:00Z"));
    CHECK_EQ_I64(time_of("1990-12-31T23:59:60.5Z"), time_of("1991-01-01T00:00:00.5Z"));
    CHECK_EQ_I64(time_of("1990-12-31T12:00:60Z"), INT64_MIN);
}

CASE(what_is_no_time)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "now",
                                      "2026",
                                      "x2026-11-21",
                                      "2026-11",
                                      "2026-11-21T",
                                      "2026-11-21T02:59",
                                      "2026-11-21T02:59:29",
                                      "2026-11-21T02:59:29+0100",
                                      "2026-11-21T02:59:29+1:00",
                                      "2026-11-21T02:59:29+24:00",
                                      "2026-11-21T02:59:29+01:60",
                                      "2026-11-21T24:00:00Z",
                                      "2026-11-21T02:60:00Z",
                                      "2026-11-21T02:59:61Z",
                                      "2026-13-01",
                                      "2026-00-01",
                                      "2026-01-00",
                                      "2026-04-31",
                                      "0000-01-01",
                                      "2026-11-21T02:59:29.Z",
                                      "2026-11-21T02:59:29.1234567890Z",
                                      "2026-11-21T02:59:29Z ",
                                      " 2026-11-21",
                                      "2026-11-21Z",
                                      "2026-11-21T02:59:29ZZ",
                                      "12026-11-21",
                                      "2026/11/21",
                                      "+5",
                                      "1.5",
                                      "2026-1-1"};
    for (size_t i = 0; i < MESH_LEN(bad); i++) {
        if (strcmp(bad[i], "2026") != 0) /* which is a number of milliseconds */
            CHECK_EQ_I64(time_of(bad[i]), INT64_MIN);
    }
    int64_t us;
    CHECK(mesh_text_parse_time((struct mesh_str){NULL, 0}, &us) == 1);
    CHECK(mesh_text_parse_time((struct mesh_str){"2026-11-21\0", 11}, &us) == 1);
}

CASE(times_round_trip)
{
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 3);
    for (int i = 0; i < 20000; i++) {
        int64_t us = (int64_t)mesh_rng_below(&rng, UINT64_C(315537897600000000)) - INT64_C(62135596800000000);
        us = i % 3 == 0 ? us - us % 1000 : us;
        CHECK_EQ_I64(time_of(as_time(us)), us);
    }
    for (int64_t day = -719162; day <= 2932896; day += 97)
        CHECK_EQ_I64(time_of(as_date(day * MESH_DAY_US)), day * MESH_DAY_US);
}

CASE(durations_parse)
{
    CHECK_EQ_I64(duration_of("0s"), 0);
    CHECK_EQ_I64(duration_of("1500ms"), 1500000);
    CHECK_EQ_I64(duration_of("10s"), 10000000);
    CHECK_EQ_I64(duration_of("5m"), INT64_C(300000000));
    CHECK_EQ_I64(duration_of("90m"), INT64_C(5400000000));
    CHECK_EQ_I64(duration_of("1h30m"), INT64_C(5400000000));
    CHECK_EQ_I64(duration_of("24h"), MESH_DAY_US);
    CHECK_EQ_I64(duration_of("7d"), 7 * MESH_DAY_US);
    CHECK_EQ_I64(duration_of("1d2h3m4s5ms6us"), INT64_C(93784005006));
    CHECK_EQ_I64(duration_of("36525d"), 36525 * MESH_DAY_US);
    static const char *const bad[] = {"",      "s",    "10", "-1s", "+1s",  "1.5h",   "1 h",       "1h ",
                                      "30m1h", "1h1h", "1x", "1S",  "1mss", "36526d", "36525d1us", "9999999999999999999999s",
                                      "0",     "h1"};
    for (size_t i = 0; i < MESH_LEN(bad); i++)
        CHECK_EQ_I64(duration_of(bad[i]), -1);
}

CASE(durations_print)
{
    CHECK_STR(as_duration(0), "0s");
    CHECK_STR(as_duration(200000), "200ms");
    CHECK_STR(as_duration(90 * MESH_SECOND_US), "1m30s");
    CHECK_STR(as_duration(MESH_DAY_US), "24h");
    CHECK_STR(as_duration(36 * 3600 * MESH_SECOND_US), "36h");
    CHECK_STR(as_duration(7 * MESH_DAY_US), "7d");
    CHECK_STR(as_duration(1500000), "1s500ms");
    CHECK_STR(as_duration(1), "1us");
    CHECK_STR(as_duration(-90 * MESH_SECOND_US), "-1m30s");
    CHECK_STR(as_duration(INT64_MIN), "-106751991d4h54s775ms808us");
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 4);
    for (int i = 0; i < 2000; i++) {
        int64_t us = (int64_t)mesh_rng_below(&rng, (uint64_t)(36525 * MESH_DAY_US));
        CHECK_EQ_I64(duration_of(as_duration(us)), us);
    }
}

CASE(the_end)
{
    mesh_buf_deinit(&out);
    CHECK(out.p == NULL);
}
