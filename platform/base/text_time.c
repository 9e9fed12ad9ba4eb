/* Times and durations as text. The calendar is the proleptic Gregorian one, counted in whole days
 * by the algorithm of Howard Hinnant ("chrono-compatible low-level date algorithms"): years begin
 * in March, so that the leap day is the last of its year. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define DAYS_0000_03_01     719468 /* from 0000-03-01 to 1970-01-01 */
#define ERA_DAYS            146097 /* 400 years */
#define DURATION_MAX_US     (36525 * MESH_DAY_US)
#define FRACTION_DIGITS_MAX 9 /* nanoseconds are read and cut to microseconds */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - DAYS_0000_03_01;
}

struct date {
    int64_t year;
    int month, day;
};

static struct date date_of(int64_t days)
{
    days += DAYS_0000_03_01;
    int64_t era = floor_div(days, ERA_DAYS);
    int64_t day_of_era = days - era * ERA_DAYS;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    struct date date = {
        .year = year_of_era + era * 400,
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(day_of_year - (153 * month + 2) / 5 + 1),
    };
    date.year += date.month <= 2;
    return date;
}

/* Adds the date; or, outside the years that have four digits, the number, and returns false. */
static bool add_date(struct mesh_buf *out, int64_t time_us)
{
    struct date date = date_of(floor_div(time_us, MESH_DAY_US));
    bool shown = date.year >= 1 && date.year <= 9999;
    if (shown)
        mesh_buf_printf(out, "%04d-%02d-%02d", (int)date.year, date.month, date.day);
    else
        mesh_buf_printf(out, "%lld", (long long)time_us);
    return shown;
}

void mesh_text_date(struct mesh_buf *out, int64_t time_us)
{
    add_date(out, time_us);
}

void mesh_text_time(struct mesh_buf *out, int64_t time_us)
{
    if (!add_date(out, time_us))
        return;
    int64_t of_day = time_us - floor_div(time_us, MESH_DAY_US) * MESH_DAY_US;
    int second = (int)(of_day / MESH_SECOND_US);
    int fraction = (int)(of_day % MESH_SECOND_US);
    mesh_buf_printf(out, "T%02d:%02d:%02d", second / 3600, second / 60 % 60, second % 60);
    if (fraction % 1000 != 0)
        mesh_buf_printf(out, ".%06d", fraction);
    else if (fraction != 0)
        mesh_buf_printf(out, ".%03d", fraction / 1000);
    mesh_buf_putc(out, 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What is left of the text; readers take from its front. */
struct rest {
    const char *p;
    const char *end;
};

static bool take(struct rest *in, const char *any_of)
{
    if (in->p == in->end || *in->p == '\0' || strchr(any_of, *in->p) == NULL)
        return false;
    in->p++;
    return true;
}

static bool take_number(struct rest *in, int digits, int min, int max, int *ret)
{
    int v = 0;
    for (int i = 0; i < digits; i++, in->p++) {
        if (in->p == in->end || !is_digit(*in->p))
            return false;
        v = v * 10 + (*in->p - '0');
    }
    *ret = v;
    return v >= min && v <= max;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_date(struct rest *in, int64_t *ret_us)
{
    int year;
    int month;
    int day;
    if (!take_number(in, 4, 1, 9999, &year) || !take(in, "-") || !take_number(in, 2, 1, 12, &month) || !take(in, "-") ||
        !take_number(in, 2, 1, month_days(year, month), &day))
        return false;
    *ret_us = days_of(year, month, day) * MESH_DAY_US;
    return true;
}

static bool take_fraction(struct rest *in, int64_t *ret_us)
{
    int64_t v = 0;
    int digits = 0;
    for (; in->p != in->end && is_digit(*in->p); in->p++, digits++) {
        if (digits < 6)
            v = v * 10 + (*in->p - '0');
    }
    for (int i = digits; i < 6; i++)
        v *= 10;
    *ret_us = v;
    return digits >= 1 && digits <= FRACTION_DIGITS_MAX;
}

static bool take_offset(struct rest *in, int64_t *ret_us)
{
    *ret_us = 0;
    if (take(in, "Zz"))
        return true;
    bool west = in->p != in->end && *in->p == '-';
    int hour;
    int minute;
    if (!take(in, "+-") || !take_number(in, 2, 0, 23, &hour) || !take(in, ":") || !take_number(in, 2, 0, 59, &minute))
        return false;
    *ret_us = (hour * 60 + minute) * 60 * MESH_SECOND_US * (west ? -1 : 1);
    return true;
}

static bool take_clock(struct rest *in, int64_t *us)
{
    int hour;
    int minute;
    int second;
    int64_t fraction = 0;
    int64_t offset;
    if (!take_number(in, 2, 0, 23, &hour) || !take(in, ":") || !take_number(in, 2, 0, 59, &minute) || !take(in, ":") ||
        !take_number(in, 2, 0, 60, &second))
        return false;
    if (take(in, ".") && !take_fraction(in, &fraction))
        return false;
    if (!take_offset(in, &offset))
        return false;
    *us += ((hour * 60 + minute) * 60 + second) * MESH_SECOND_US + fraction - offset;
    /* A leap second ends a day of UTC; as everywhere on POSIX it is the first of the next day. */
    return second < 60 || floor_div(*us - fraction, MESH_DAY_US) * MESH_DAY_US == *us - fraction;
}

int mesh_text_parse_time(struct mesh_str text, int64_t *ret_us)
{
    int64_t ms;
    if (mesh_text_parse_long(text, &ms) == 0) {
        if (ms > INT64_MAX / 1000 || ms < INT64_MIN / 1000)
            return 1;
        *ret_us = ms * 1000;
        return 0;
    }
    if (text.n == 0)
        return 1;
    struct rest in = {text.p, text.p + text.n};
    int64_t us;
    if (!take_date(&in, &us))
        return 1;
    if (in.p != in.end && (!take(&in, "Tt ") || !take_clock(&in, &us) || in.p != in.end))
        return 1;
    if (us < days_of(1, 1, 1) * MESH_DAY_US || us >= days_of(10000, 1, 1) * MESH_DAY_US)
        return 1; /* an offset led out of the years that can be written */
    *ret_us = us;
    return 0;
}

static const struct unit {
    const char *name;
    int64_t us;
} units[] = {
    {"d", MESH_DAY_US}, {"h", 3600 * MESH_SECOND_US}, {"m", 60 * MESH_SECOND_US}, {"s", MESH_SECOND_US}, {"ms", 1000}, {"us", 1},
};
#define N_UNITS (sizeof units / sizeof units[0])

static size_t unit_of(const char *name, size_t n)
{
    size_t i = 0;
    while (i < N_UNITS && (strlen(units[i].name) != n || memcmp(units[i].name, name, n) != 0))
        i++;
    return i;
}

int mesh_text_parse_duration(struct mesh_str text, int64_t *ret_us)
{
    if (text.n == 0)
        return 1;
    const char *p = text.p;
    const char *end = p + text.n;
    int64_t total = 0;
    size_t next_unit = 0; /* units only get smaller: "1h30m", never "30m1h" */
    while (p != end) {
        int64_t v = 0;
        const char *digits = p;
        for (; p != end && is_digit(*p); p++) {
            v = v * 10 + (*p - '0');
            if (v > DURATION_MAX_US)
                return 1;
        }
        const char *name = p;
        while (p != end && *p >= 'a' && *p <= 'z')
            p++;
        size_t unit = unit_of(name, (size_t)(p - name));
        if (digits == name || unit >= N_UNITS || unit < next_unit || v > (DURATION_MAX_US - total) / units[unit].us)
            return 1;
        total += v * units[unit].us;
        next_unit = unit + 1;
    }
    *ret_us = total;
    return 0;
}

void mesh_text_duration(struct mesh_buf *out, int64_t us)
{
    if (us == 0) {
        mesh_buf_puts(out, "0s");
        return;
    }
    if (us < 0)
        mesh_buf_putc(out, '-');
    uint64_t rest = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
    /* Up to two days in hours: people say 24h and 36h, and 7d. */
    for (size_t i = rest >= 2 * (uint64_t)MESH_DAY_US ? 0 : 1; i < N_UNITS; i++) {
        uint64_t unit = (uint64_t)units[i].us;
        if (rest >= unit)
            mesh_buf_printf(out, "%llu%s", (unsigned long long)(rest / unit), units[i].name);
        rest %= unit;
    }
}
