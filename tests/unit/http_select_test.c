/* Sorted and filtered lists against a table of rows: which rows, in which order, on how many pages; and what is refused. */
#include "../check.h"

#include "base/check.h"
#include "base/rng.h"
#include "base/text.h"
#include "http/query.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct row {
    struct mesh_str country;
    int64_t start, end, revision;
    bool final;
    int32_t kind;
    int64_t n, at, took;
    bool n_there;
    mesh_dec total;
    double mean;
    struct mesh_str card;
    struct mesh_str secret, blob;
};

static const char *const kinds[] = {"WEB", "SHOP", NULL};
#define FIELD(name_, type_, ...)                                                                                                   \
    {                                                                                                                              \
        .name = #name_, .type = (type_), .offset = offsetof(struct row, name_), __VA_ARGS__                                        \
    }
static const struct mesh_field fields[] = {
    FIELD(country, MESH_STRING),
    FIELD(start, MESH_TIMESTAMP),
    FIELD(end, MESH_TIMESTAMP),
    FIELD(final, MESH_BOOL),
    FIELD(revision, MESH_LONG),
    FIELD(kind, MESH_ENUM, .symbols = kinds),
    FIELD(n, MESH_LONG, .nullable = true, .present = offsetof(struct row, n_there)),
    FIELD(at, MESH_DATE),
    FIELD(took, MESH_DURATION),
    FIELD(total, MESH_DECIMAL, .scale = 2, .precision = 12),
    FIELD(mean, MESH_DOUBLE),
    FIELD(card, MESH_STRING, .protect = MESH_PSEUDONYM, .label = MESH_PERSONAL),
    FIELD(secret, MESH_STRING, .protect = MESH_DROP, .label = MESH_SPECIAL),
    FIELD(blob, MESH_BYTES),
};
static const struct mesh_view view = {.name = "v",
                                      .out = fields,
                                      .n_out = sizeof fields / sizeof fields[0],
                                      .n_key = 1,
                                      .out_size = sizeof(struct row),
                                      .window = MESH_WINDOW_TUMBLING,
                                      .size_us = 60000000};

#define T0 INT64_C(1700000000000000)
static const struct row table[] = {
    {.country = {"AT", 2},
     .start = T0,
     .kind = 0,
     .n = 3,
     .n_there = true,
     .total = 1250,
     .mean = 1.5,
     .took = 60000000,
     .final = true,
     .card = {"c", 1}},
    {.country = {"DE", 2},
     .start = T0,
     .kind = 1,
     .n = 10,
     .n_there = true,
     .total = 99,
     .mean = NAN,
     .took = 1000000,
     .final = true,
     .at = 86400000000},
    {.country = {"FR", 2}, .start = T0, .kind = 0, .n_there = false, .total = -500, .mean = 0.5, .final = true},
    {.country = {"AT", 2}, .start = T0 + 60000000, .kind = 1, .n = 3, .n_there = true, .total = 1250, .mean = 2.5},
    {.country = {"DE", 2}, .start = T0 + 60000000, .kind = 0, .n = -7, .n_there = true, .total = 0, .mean = -1},
    {.country = {"\xc3\x96L", 3}, .start = T0 + 60000000, .kind = 0, .n = 3, .n_there = true, .total = 100000, .mean = 3},
};

static struct mesh_rows rows_of(const struct row *rows, size_t n)
{
    struct mesh_rows ret = {.n = n, .count = n};
    mesh_buf_add(&ret.rows, rows, n * sizeof *rows);
    return ret;
}

static struct mesh_http_shape shape_of(void)
{
    return mesh_http_shape_of(&view, NULL, (struct mesh_str){0});
}

/* "0 3 5": indices of the rows that a query gives, all pages one behind the other, "|" between them; or what is wrong with it. */
static const char *ask(const char *query, uint32_t limit, const struct mesh_rows *rows)
{
    static char text[2048];
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf place = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    struct mesh_http_shape shape = shape_of();
    struct mesh_http_problem problem = {0};
    struct mesh_http_uri uri;
    struct mesh_http_query q;
    char path[512];
    snprintf(path, sizeof path, "/v?window=all&%s", query);
    CHECK_EQ_I64(mesh_http_uri_read(&arena, path, &uri, &problem), 0);
    if (mesh_http_query_read(&shape, true, &uri, &q, &problem) != 0) {
        snprintf(text, sizeof text, "%d %s %s", problem.status, problem.items[0].pointer, problem.items[0].detail);
        return text;
    }
    mesh_buf_puts(&out, "");
    for (int pages = 0; pages < 20; pages++) {
        struct mesh_http_selected selected;
        struct mesh_str after = {place.p, (uint32_t)place.n};
        CHECK(mesh_http_select_rows(&q.select, &view, rows, after, limit, &arena, &selected));
        for (size_t i = 0; i < selected.n; i++)
            mesh_buf_printf(&out, "%s%u", out.n == 0 || out.p[out.n - 1] == '|' ? "" : " ", (unsigned)selected.rows[i]);
        if (!selected.more)
            break;
        mesh_buf_putc(&out, '|');
        mesh_buf_reset(&place);
        mesh_http_select_place(&q.select, &view, rows->rows.p + selected.rows[selected.n - 1] * sizeof(struct row), &place);
    }
    snprintf(text, sizeof text, "%s", out.p);
    return text;
}

CASE(which_rows_in_which_order)
{
    static const struct {
        const char *query;
        uint32_t limit;
        const char *want;
    } attempts[] = {
        {"country=DE", 100, "1 4"},
        {"country.eq=DE&sort=-start", 100, "4 1"},
        {"country=%C3%96L", 100, "5"},
        {"country=d", 100, ""},
        {"country=", 100, ""},
        {"country.ne=DE", 100, "0 2 3 5"},
        {"country.gte=DE&country.lt=FR", 100, "1 4"},
        {"country.gt=FR", 100, "5"},
        {"sort=country", 100, "0 3 1 4 2 5"},
        {"sort=-country", 100, "5 2 1 4 0 3"},
        {"sort=-country,-start", 100, "5 2 4 1 3 0"},
        {"n=3", 100, "0 3 5"},
        {"n.gte=3", 100, "0 1 3 5"},
        {"n.gt=3", 100, "1"},
        {"n.lt=3", 100, "4"},
        {"n.lte=-7", 100, "4"},
        {"n.ne=3", 100, "1 2 4"},       /* a missing value is another one */
        {"sort=n", 100, "4 0 3 5 1 2"}, /* and comes last */
        {"sort=-n", 100, "1 0 3 5 4 2"},
        {"sort=-n,n", 100, "1 0 3 5 4 2"}, /* the second one has nothing left to decide */
        {"total=12.50", 100, "0 3"},
        {"total=12.5", 100, "0 3"},
        {"total.lt=0", 100, "2"},
        {"total.gte=0.99&total.lte=12.5", 100, "0 1 3"},
        {"sort=-total", 100, "5 0 3 1 4 2"},
        {"mean.gt=0", 100, "0 2 3 5"},
        {"mean.gt=-1e9", 100, "0 2 3 4 5"}, /* not a number is shown as null, and is none here */
        {"sort=mean", 100, "4 2 0 3 5 1"},
        {"kind=SHOP", 100, "1 3"},
        {"kind.ne=SHOP&sort=-n", 100, "0 5 4 2"},
        {"sort=kind,-start", 100, "4 5 0 2 3 1"},
        {"final=true", 100, "0 1 2"},
        {"final.ne=true&country=AT", 100, "3"},
        {"start.gte=2023-11-14T22:14:20Z", 100, "3 4 5"},
        {"start=2023-11-14T22:13:20Z", 100, "0 1 2"},
        {"at=1970-01-02", 100, "1"},
        {"took.gte=1s", 100, "0 1"},
        {"took=1m", 100, "0"},
        {"revision=0&sort=country", 2, "0 3|1 4|2 5"},
        {"sort=-n", 1, "1|0|3|5|4|2"},
        {"sort=-n", 2, "1 0|3 5|4 2"},
        {"sort=-n", 6, "1 0 3 5 4 2"},
        {"sort=mean,country", 4, "4 2 0 3|5 1"},
        {"n=3&sort=kind", 1, "0|5|3"},
    };
    mesh_cleanup(mesh_rows_deinit) struct mesh_rows rows = rows_of(table, MESH_LEN(table));
    for (size_t i = 0; i < MESH_LEN(attempts); i++) {
        const char *got = ask(attempts[i].query, attempts[i].limit, &rows);
        if (strcmp(got, attempts[i].want) != 0)
            printf("# %s\n", attempts[i].query);
        CHECK_STR(got, attempts[i].want);
    }
}

CASE(what_is_refused)
{
    static const struct {
        const char *query, *want;
    } attempts[] = {
        {"card=c", "400 /query/card 'card' is protected here"},
        {"card.gte=c", "400 /query/card.gte 'card' is protected here"},
        {"card.ne=c", "400 /query/card.ne 'card' is protected here"},
        {"sort=card", "400 /query/sort 'card' is protected here"},
        {"sort=-card", "400 /query/sort 'card' is protected here"},
        {"sort=country,card", "400 /query/sort 'card' is protected here"},
        {"secret=x", "400 /query/secret unknown parameter"}, /* as if it was not there */
        {"sort=secret", "400 /query/sort there is no field 'secret' at this port"},
        {"blob=x", "400 /query/blob 'blob' is bytes"},
        {"sort=blob", "400 /query/sort 'blob' is bytes"},
        {"contry=DE", "400 /query/contry unknown parameter 'contry', did you mean 'country'?"},
        {"country.like=D", "400 /query/country.like unknown parameter"},
        {"country.=D", "400 /query/country. unknown parameter"},
        {".eq=D", "400 /query/.eq unknown parameter"},
        {"sort=", "400 /query/sort there is no field ''"},
        {"sort=-", "400 /query/sort there is no field ''"},
        {"sort=--n", "400 /query/sort there is no field '-n'"},
        {"sort=n,", "400 /query/sort there is no field ''"},
        {"sort=n&sort=country", "400 /query/sort must be given once"},
        {"sort=n,country,start,total,mean", "400 /query/sort names more than 4"},
        {"sort=totl", "400 /query/sort there is no field 'totl', did you mean 'total'?"},
        {"n=three", "400 /query/n must be a whole number"},
        {"n=3.5", "400 /query/n must be a whole number"},
        {"n=", "400 /query/n must be a whole number"},
        {"n=99999999999999999999", "400 /query/n must be a whole number"},
        {"total=1.255", "400 /query/total must be a decimal"},
        {"mean=NaN", "400 /query/mean must be a number"},
        {"mean=inf", "400 /query/mean must be a number"},
        {"kind=POST", "400 /query/kind must be one of its symbols"},
        {"kind.lt=SHOP", "400 /query/kind.lt symbols are compared with eq and ne"},
        {"final=1", "400 /query/final must be true or false"},
        {"start=yesterday", "400 /query/start must be a time"},
        {"at=2026-11-21T10:00:00Z", "400 /query/at must be a day"},
        {"took=long", "400 /query/took must be a duration"},
        {"n=1&n=2&n=3&n=4&n=5&n=6&n=7&n=8&n=9", "400 /query/n is one condition more than 8"},
    };
    mesh_cleanup(mesh_rows_deinit) struct mesh_rows rows = rows_of(table, MESH_LEN(table));
    for (size_t i = 0; i < MESH_LEN(attempts); i++)
        CHECK_CONTAINS(ask(attempts[i].query, 100, &rows), attempts[i].want);
}

CASE(a_point_takes_no_conditions)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    static const char *const uris[] = {"/v/DE?n=3", "/v/DE?sort=n"};
    for (size_t i = 0; i < MESH_LEN(uris); i++) {
        struct mesh_http_shape shape = shape_of();
        struct mesh_http_problem problem = {0};
        struct mesh_http_uri uri;
        struct mesh_http_query q;
        CHECK_EQ_I64(mesh_http_uri_read(&arena, uris[i], &uri, &problem), 0);
        CHECK_EQ_I64(mesh_http_query_read(&shape, false, &uri, &q, &problem), 400);
    }
}

/* A place that is not one is refused, whatever it holds. */
CASE(places_are_not_trusted)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    mesh_cleanup(mesh_rows_deinit) struct mesh_rows rows = rows_of(table, MESH_LEN(table));
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf place = MESH_BUF_NULL;
    struct mesh_http_select select = {.n_sort = 1};
    struct mesh_http_selected selected;
    select.sort[0].i = 6;
    mesh_http_select_place(&select, &view, &table[0], &place);
    for (uint32_t n = 1; n < place.n; n++)
        CHECK(!mesh_http_select_rows(&select, &view, &rows, (struct mesh_str){place.p, n}, 10, &arena, &selected));
    CHECK(mesh_http_select_rows(&select, &view, &rows, (struct mesh_str){place.p, (uint32_t)place.n}, 10, &arena, &selected));
    mesh_buf_putc(&place, 'x');
    CHECK(!mesh_http_select_rows(&select, &view, &rows, (struct mesh_str){place.p, (uint32_t)place.n}, 10, &arena, &selected));
}

/* Random rows with many equal values: pages of any length make the same list, and it is sorted. */
CASE(pages_of_any_length_are_the_whole)
{
    enum { N = 120 };
    static struct row many[N];
    static char countries[N][4];
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 7);
    for (int i = 0; i < N; i++) {
        snprintf(countries[i], sizeof countries[i], "%03d", i);
        many[i] = (struct row){.country = {countries[i], 3},
                               .start = T0 + (int64_t)mesh_rng_below(&rng, 3) * 60000000,
                               .n = (int64_t)mesh_rng_below(&rng, 4),
                               .n_there = mesh_rng_below(&rng, 5) != 0,
                               .total = (mesh_dec)mesh_rng_below(&rng, 3)};
    }
    mesh_cleanup(mesh_rows_deinit) struct mesh_rows rows = rows_of(many, N);
    static const char *const sorts[] = {"sort=n", "sort=-n,total", "sort=-total", "n.gte=1&sort=-start,n"};
    for (size_t s = 0; s < MESH_LEN(sorts); s++) {
        char whole[2048];
        snprintf(whole, sizeof whole, "%s", ask(sorts[s], N, &rows));
        for (uint32_t limit = 7; limit < N; limit += 23) {
            char paged[2048];
            snprintf(paged, sizeof paged, "%s", ask(sorts[s], limit, &rows));
            for (char *p = paged; *p != '\0'; p++)
                *p = *p == '|' ? ' ' : *p;
            CHECK_STR(paged, whole);
        }
    }
}
