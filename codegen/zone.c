/* TZif: a header and data with 32-bit times, which are skipped; the same with 64-bit times; and a line of text with the rule that holds
 * behind the last of them (POSIX TZ: "CET-1CEST,M3.5.0,M10.5.0/3"), which is written out here year by year. */
#include "codegen/zone.h"

#include "base/fs.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 44
#define DAY_S        86400
#define YEAR_LAST    2170 /* records have times up to here */
#define NAME_MAX_Z   64
#define FILE_MAX     (1 << 20)

struct reader {
    const unsigned char *p, *end;
    bool bad;
};

static const unsigned char *take(struct reader *in, size_t n)
{
    if ((size_t)(in->end - in->p) < n)
        in->bad = true;
    if (in->bad)
        return NULL;
    in->p += n;
    return in->p - n;
}

static int64_t number(const unsigned char *p, size_t n)
{
    uint64_t v = (p[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

struct counts {
    uint32_t utc, std, leaps, times, types, chars;
};

static bool read_header(struct reader *in, struct counts *ret, char *ret_version)
{
    const unsigned char *p = take(in, HEADER_BYTES);
    if (p == NULL || memcmp(p, "TZif", 4) != 0)
        return false;
    uint32_t *const all[] = {&ret->utc, &ret->std, &ret->leaps, &ret->times, &ret->types, &ret->chars};
    *ret_version = (char)p[4];
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int64_t n = number(p + 20 + 4 * i, 4);
        if (n < 0 || n > FILE_MAX)
            return false;
        *all[i] = (uint32_t)n;
    }
    return ret->types > 0;
}

static size_t data_bytes(const struct counts *n, size_t time_bytes)
{
    return n->times * (time_bytes + 1) + n->types * 6 + n->chars + n->leaps * (time_bytes + 4) + n->std + n->utc;
}

static void add_step(struct mesh_arena *arena, struct mesh_zone_table *zone, int64_t at_s, int64_t offset_s)
{
    size_t n = zone->steps.n;
    if (n > 0 && zone->steps.v[n - 1].offset_s == offset_s)
        return; /* only its name changed, or whether it is summer */
    *mesh_vec_push_in(arena, &zone->steps) = (struct mesh_zone_step){n == 0 ? INT64_MIN : at_s, (int32_t)offset_s};
}

/* ---- the rule behind the last time ---- */
static bool skip_name(const char **p)
{
    const char *from = *p;
    if (**p == '<') {
        while (**p != '\0' && **p != '>')
            (*p)++;
        if (*(*p)++ != '>')
            return false;
        return true;
    }
    while (isalpha((unsigned char)**p))
        (*p)++;
    return *p > from;
}

/* "3", "-1:30", "26:00:00", in seconds. */
static bool read_clock(const char **p, int64_t *ret_s)
{
    int sign = **p == '-' ? -1 : 1;
    if (**p == '-' || **p == '+')
        (*p)++;
    int64_t total = 0;
    int64_t unit = 3600;
    if (!isdigit((unsigned char)**p))
        return false;
    for (int i = 0; i < 3; i++, unit /= 60) {
        char *end = NULL;
        total += strtol(*p, &end, 10) * unit;
        *p = end;
        if (**p != ':')
            break;
        (*p)++;
    }
    *ret_s = sign * total;
    return true;
}

struct rule {
    char kind; /* M: month, week and day; J: day 1 to 365, never 29 February; 0: day 0 to 365 */
    long month, week, day;
    int64_t time_s;
};

static bool read_rule(const char **p, struct rule *ret)
{
    char *end = NULL;
    *ret = (struct rule){.kind = '0', .time_s = 2 * 3600};
    if (*(*p)++ != ',')
        return false;
    if (**p == 'M' || **p == 'J')
        ret->kind = *(*p)++;
    if (!isdigit((unsigned char)**p))
        return false;
    long first = strtol(*p, &end, 10);
    *p = end;
    ret->day = first;
    if (ret->kind == 'M') {
        ret->month = first;
        if (**p != '.')
            return false;
        ret->week = strtol(*p + 1, &end, 10);
        *p = end;
        if (**p != '.')
            return false;
        ret->day = strtol(*p + 1, &end, 10);
        *p = end;
        if (ret->month < 1 || ret->month > 12 || ret->week < 1 || ret->week > 5 || ret->day < 0 || ret->day > 6)
            return false;
    }
    if (**p != '/')
        return true;
    (*p)++;
    return read_clock(p, &ret->time_s);
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days since 1970 of 1 January. */
static int64_t year_start(int64_t year)
{
    int64_t y = year - 1;
    return year * 365 + y / 4 - y / 100 + y / 400 - 719527;
}

/* The local time of the change, in seconds since 1970 as if that were UTC. */
static int64_t rule_time(const struct rule *rule, int64_t year)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int64_t day = year_start(year);
    if (rule->kind == 'J') {
        day += rule->day - 1 + (is_leap(year) && rule->day > 59 ? 1 : 0);
    } else if (rule->kind == '0') {
        day += rule->day;
    } else {
        int64_t leap = is_leap(year) && rule->month > 2 ? 1 : 0;
        int64_t first = day + before[rule->month - 1] + leap;
        int64_t next = day + before[rule->month] + (is_leap(year) && rule->month > 1 ? 1 : 0);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1 January 1970 was a Thursday */
        day = first + (rule->day - weekday + 7) % 7 + (rule->week - 1) * 7;
        while (day >= next)
            day -= 7; /* week 5 is the last one */
    }
    return day * DAY_S + rule->time_s;
}

static bool add_rule(struct mesh_arena *arena, struct mesh_zone_table *zone, const char *text, int64_t behind_s)
{
    int64_t standard = 0;
    int64_t summer = 0;
    struct rule begin, end;
    const char *p = text;
    if (*p == '\0')
        return true; /* nothing is known: the last offset stays */
    if (!skip_name(&p) || !read_clock(&p, &standard))
        return false;
    standard = -standard; /* POSIX counts westward */
    if (*p == '\0') {
        add_step(arena, zone, behind_s, standard);
        return true;
    }
    summer = standard + 3600;
    if (!skip_name(&p))
        return false;
    if (*p != ',' && *p != '\0') {
        if (!read_clock(&p, &summer))
            return false;
        summer = -summer;
    }
    if (!read_rule(&p, &begin) || !read_rule(&p, &end) || *p != '\0')
        return false;
    for (int64_t year = 1970; year <= YEAR_LAST; year++) {
        struct mesh_zone_step to_summer = {rule_time(&begin, year) - standard, (int32_t)summer};
        struct mesh_zone_step to_standard = {rule_time(&end, year) - summer, (int32_t)standard};
        bool south = to_standard.at_s < to_summer.at_s;
        struct mesh_zone_step both[] = {south ? to_standard : to_summer, south ? to_summer : to_standard};
        for (int i = 0; i < 2; i++)
            if (both[i].at_s > behind_s)
                add_step(arena, zone, both[i].at_s, both[i].offset_s);
    }
    return true;
}

/* ---- the file ---- */
struct mesh_zone_table *mesh_zone_parse(struct mesh_arena *arena, const char *name, const void *bytes, size_t n,
                                        const char **ret_why)
{
    struct reader in = {bytes, (const unsigned char *)bytes + n, false};
    struct counts first, counts;
    char version = 0;
    struct mesh_zone_table *zone = mesh_arena_new(arena, struct mesh_zone_table);
    zone->name = name;
    *ret_why = "its file in the tzdata of this machine cannot be read";
    if (!read_header(&in, &first, &version) || version < '2')
        return NULL;
    take(&in, data_bytes(&first, 4));
    if (in.bad || !read_header(&in, &counts, &version))
        return NULL;
    const unsigned char *times = take(&in, (size_t)counts.times * 8);
    const unsigned char *indexes = take(&in, counts.times);
    const unsigned char *types = take(&in, (size_t)counts.types * 6);
    take(&in, data_bytes(&counts, 8) - (size_t)counts.times * 9 - (size_t)counts.types * 6);
    const unsigned char *rule = in.p;
    if (in.bad || in.end - rule < 2 || rule[0] != '\n' || memchr(rule + 1, '\n', (size_t)(in.end - rule) - 1) == NULL)
        return NULL;
    add_step(arena, zone, INT64_MIN, number(types, 4));
    int64_t last = INT64_MIN;
    for (uint32_t i = 0; i < counts.times; i++) {
        if (indexes[i] >= counts.types || number(times + 8 * (size_t)i, 8) <= last)
            return NULL;
        last = number(times + 8 * (size_t)i, 8);
        add_step(arena, zone, last, number(types + 6 * (size_t)indexes[i], 4));
    }
    const unsigned char *end = memchr(rule + 1, '\n', (size_t)(in.end - rule) - 1);
    const char *text = mesh_arena_printf(arena, "%.*s", (int)(end - rule - 1), (const char *)rule + 1);
    if (!add_rule(arena, zone, text, last))
        return NULL;
    *ret_why = NULL;
    return zone;
}

static bool is_name(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n > NAME_MAX_Z || name[0] == '/' || strstr(name, "..") != NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && strchr("/_+-", name[i]) == NULL)
            return false;
    return true;
}

struct mesh_zone_table *mesh_zone_load(struct mesh_arena *arena, const char *name, const char **ret_why)
{
    const char *folder = getenv("TZDIR");
    struct mesh_err err = {0};
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf bytes = MESH_BUF_NULL;
    *ret_why = "zones have names as Europe/Berlin";
    if (!is_name(name))
        return NULL;
    if (folder == NULL || folder[0] == '\0')
        folder = "/usr/share/zoneinfo";
    *ret_why = "the tzdata of this machine has no such zone (below TZDIR, or /usr/share/zoneinfo)";
    if (mesh_fs_read(mesh_arena_printf(arena, "%s/%s", folder, name), FILE_MAX, &bytes, &err) != 0)
        return NULL;
    return mesh_zone_parse(arena, name, bytes.p, bytes.n, ret_why);
}
