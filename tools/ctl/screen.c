/* What a mesh is doing, on one screen. */
#include "ctl/up.h"

#include "base/diag.h"
#include "base/json.h"
#include "ctl/get.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GET_TIMEOUT_MS 1000
#define SHOW_ROWS      5

/* Sum of all series of a metric in Prometheus text. */
static double metric(const char *text, const char *name)
{
    double sum = 0;
    size_t n = strlen(name);
    for (const char *line = text; line != NULL && *line != 0; line = strchr(line, '\n')) {
        if (*line == '\n')
            line++;
        if (strncmp(line, name, n) != 0 || (line[n] != ' ' && line[n] != '{'))
            continue;
        const char *end = strchr(line, '\n');
        const char *space = NULL;
        for (const char *p = line; *p != 0 && p != end; p++)
            space = *p == ' ' ? p : space;
        if (space != NULL)
            sum += strtod(space + 1, NULL);
    }
    return sum;
}

static int64_t lag_of(const struct mesh_json *ready)
{
    const struct mesh_json *products = mesh_json_get(ready, "products");
    int64_t lag = 0;
    for (uint32_t p = 0; products != NULL && products->kind == MESH_JSON_ARRAY && p < products->n; p++) {
        const struct mesh_json *sources = mesh_json_get(products->items[p], "sources");
        for (uint32_t i = 0; sources != NULL && sources->kind == MESH_JSON_ARRAY && i < sources->n; i++) {
            const struct mesh_json *item = mesh_json_get(sources->items[i], "lag");
            if (item != NULL && item->kind == MESH_JSON_NUMBER)
                lag += strtoll(item->text, NULL, 10);
        }
    }
    return lag;
}

static const struct mesh_json *get_json(struct mesh_arena *arena, int port, const char *path)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf body = MESH_BUF_NULL;
    struct mesh_err err = {0};
    int status = mesh_get(port, path, GET_TIMEOUT_MS, &body, &err);
    if (status != 200 && status != 503)
        return NULL;
    struct mesh_diags diags = {.arena = arena};
    char *copy = mesh_arena_str(arena, (struct mesh_str){body.p, (uint32_t)body.n});
    return mesh_json_parse(arena, mesh_source_new(arena, path, copy, body.n), &diags, "MC001");
}

void mesh_screen_update(struct mesh_up *up, double seconds)
{
    struct mesh_arena arena = MESH_ARENA_NULL;
    for (size_t i = 0; i < up->n_services; i++) {
        struct mesh_up_service *s = &up->services[i];
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        struct mesh_err err = {0};
        s->ready = false;
        if (mesh_get(s->port, "/metrics", GET_TIMEOUT_MS, &text, &err) != 200)
            continue;
        uint64_t events = (uint64_t)metric(text.p, "mesh_records_total");
        s->events_per_s = seconds > 0 && events >= s->events ? (double)(events - s->events) / seconds : 0;
        s->events = events;
        s->rejected = (uint64_t)metric(text.p, "mesh_rejected_total");
        s->late = (uint64_t)metric(text.p, "mesh_late_total");
        s->duplicates = (uint64_t)metric(text.p, "mesh_duplicates_total");
        const struct mesh_json *ready = get_json(&arena, s->port, "/readyz");
        s->ready = ready != NULL;
        s->lag = ready == NULL ? 0 : lag_of(ready);
    }
    mesh_arena_deinit(&arena);
}

struct shown {
    const char *key;
    double value;
};

static int by_value(const void *a, const void *b)
{
    double x = ((const struct shown *)a)->value;
    double y = ((const struct shown *)b)->value;
    return (x < y) - (x > y);
}

static void draw_show(struct mesh_up *up, const struct mesh_up_show *show)
{
    struct mesh_arena arena = MESH_ARENA_NULL;
    int port = 0;
    for (size_t i = 0; i < up->n_services; i++)
        if (strcmp(up->services[i].domain, show->domain) == 0)
            port = up->services[i].port;
    const struct mesh_json *answer = port == 0 ? NULL : get_json(&arena, port, show->path);
    const struct mesh_json *items = answer == NULL ? NULL : mesh_json_get(answer, "items");
    MESH_VEC(struct shown) rows = {0};
    for (uint32_t i = 0; items != NULL && items->kind == MESH_JSON_ARRAY && i < items->n; i++) {
        const struct mesh_json *key = mesh_json_get(items->items[i], show->key);
        const struct mesh_json *value = mesh_json_get(items->items[i], show->value);
        if (key == NULL || value == NULL || key->text == NULL || value->text == NULL)
            continue;
        double number = strtod(value->text, NULL);
        bool merged = false; /* several windows of one key */
        for (size_t k = 0; k < rows.n; k++)
            if (strcmp(rows.v[k].key, key->text) == 0) {
                rows.v[k].value += number;
                merged = true;
            }
        if (!merged)
            *mesh_vec_push_in(&arena, &rows) = (struct shown){key->text, number};
    }
    if (rows.n > 0)
        qsort(rows.v, rows.n, sizeof *rows.v, by_value);
    printf("  %-16s", show->title);
    for (size_t i = 0; i < rows.n && i < SHOW_ROWS; i++)
        printf(" %s %.0f%s", rows.v[i].key, rows.v[i].value, i + 1 < rows.n && i + 1 < SHOW_ROWS ? "," : "");
    printf("%s\033[K\n", rows.n == 0 ? " none yet" : "");
    mesh_arena_deinit(&arena);
}

void mesh_screen_draw(struct mesh_up *up, bool first)
{
    size_t lines = up->n_services + up->options->n_shows + 3;
    if (!first)
        printf("\033[%zuA", lines);
    printf("\033[K\n  %-16s %12s %10s %12s %10s %8s %10s\033[K\n", "service", "events/s", "lag", "events", "rejected", "late",
           "duplicates");
    for (size_t i = 0; i < up->n_services; i++) {
        const struct mesh_up_service *s = &up->services[i];
        if (s->ready)
            printf("  %-16s %12.0f %10lld %12llu %10llu %8llu %10llu\033[K\n", s->domain, s->events_per_s, (long long)s->lag,
                   (unsigned long long)s->events, (unsigned long long)s->rejected, (unsigned long long)s->late,
                   (unsigned long long)s->duplicates);
        else
            printf("  %-16s does not answer\033[K\n", s->domain);
    }
    printf("\033[K\n");
    for (size_t i = 0; i < up->options->n_shows; i++)
        draw_show(up, &up->options->shows[i]);
    fflush(stdout);
}
