/* Letters as a table or as JSON. */
#include "ctl/dlq.h"

#include "base/check.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 7 /* without the last, which is not padded */

struct code_count {
    const char *code;
    uint64_t n;
};

static int by_count(const void *a, const void *b)
{
    const struct code_count *x = a;
    const struct code_count *y = b;
    return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : strcmp(x->code, y->code);
}

void mesh_dlq_codes(struct mesh_buf *out, const struct mesh_dlq_letter *letters, size_t n, bool json)
{
    MESH_VEC(struct code_count) counts = {0};
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < counts.n && strcmp(counts.v[k].code, letters[i].code) != 0)
            k++;
        if (k == counts.n)
            *mesh_vec_push(&counts) = (struct code_count){letters[i].code, 0};
        counts.v[k].n++;
    }
    if (counts.n > 0)
        qsort(counts.v, counts.n, sizeof *counts.v, by_count);
    for (size_t k = 0; k < counts.n; k++) {
        mesh_buf_puts(out, k == 0 ? "" : json ? "," : ", ");
        if (json)
            mesh_json_string(out, mesh_str_of(counts.v[k].code));
        else
            mesh_buf_puts(out, counts.v[k].code);
        mesh_buf_printf(out, json ? ":%llu" : " %llu", (unsigned long long)counts.v[k].n);
    }
    mesh_vec_deinit(&counts);
}

static void cell(struct mesh_buf *out, const struct mesh_dlq_letter *l, int column)
{
    switch (column) {
    case 0:
        mesh_buf_printf(out, "%d:%lld", (int)l->at.partition, (long long)l->at.offset);
        return;
    case 1:
        mesh_buf_puts(out, mesh_dlq_done_text(l->done));
        return;
    case 2:
        mesh_text_time(out, l->time_us);
        return;
    case 3:
        mesh_buf_printf(out, "%s/%d:%lld", l->topic, (int)l->partition, (long long)l->offset);
        return;
    case 4:
        mesh_buf_puts(out, l->stage);
        return;
    case 5:
        mesh_buf_printf(out, "%s%s", l->code, l->cut > 0 ? " (cut)" : "");
        return;
    case 6:
        mesh_buf_printf(out, "%u", (unsigned)l->attempt);
        return;
    default:
        mesh_buf_puts(out, l->site[0] == '\0' ? "-" : l->site);
    }
}

void mesh_dlq_table(const struct mesh_dlq_letter *letters, size_t n, bool states)
{
    static const char *const titles[COLUMNS + 1] = {"ID", "STATE", "TIME", "RECORD", "STAGE", "CODE", "ATTEMPT", "DECLARED AT"};
    size_t width[COLUMNS];
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf one = MESH_BUF_NULL;
    for (int c = 0; c < COLUMNS; c++) {
        width[c] = strlen(titles[c]);
        for (size_t i = 0; i < n; i++) {
            mesh_buf_reset(&one);
            cell(&one, &letters[i], c);
            width[c] = one.n > width[c] ? one.n : width[c];
        }
    }
    for (size_t i = 0; n > 0 && i <= n; i++) {
        for (int c = 0; c <= COLUMNS; c++) {
            if (c == 1 && !states)
                continue;
            mesh_buf_reset(&one);
            if (i == 0)
                mesh_buf_puts(&one, titles[c]);
            else
                cell(&one, &letters[i - 1], c);
            printf("%-*s%s", c == COLUMNS ? 0 : (int)width[c], one.p, c == COLUMNS ? "\n" : "  ");
        }
    }
}

static void member(struct mesh_buf *out, const char *name, const char *value)
{
    mesh_buf_printf(out, ",\"%s\":", name);
    if (value == NULL || value[0] == '\0')
        mesh_buf_puts(out, "null");
    else
        mesh_json_string(out, mesh_str_of(value));
}

static void letter_json(struct mesh_buf *out, const struct mesh_dlq_letter *l)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf time = MESH_BUF_NULL;
    mesh_text_time(&time, l->time_us);
    mesh_buf_printf(out, "{\"id\":\"%d:%lld\"", (int)l->at.partition, (long long)l->at.offset);
    member(out, "state", mesh_dlq_done_text(l->done));
    member(out, "time", time.p);
    member(out, "topic", l->topic);
    mesh_buf_printf(out, ",\"partition\":%d,\"offset\":%lld", (int)l->partition, (long long)l->offset);
    member(out, "stage", l->stage);
    member(out, "code", l->code);
    member(out, "site", l->site);
    mesh_buf_printf(out, ",\"attempt\":%u,\"bytes\":%u,\"cut\":%s}", (unsigned)l->attempt, (unsigned)l->bytes,
                    l->cut > 0 ? "true" : "false");
}

int mesh_dlq_list(struct mesh_dlq_kafka *kafka, struct mesh_dlq_index *index)
{
    const struct mesh_dlq_options *o = kafka->options;
    const struct mesh_dlq_letter *letters = index->letters.v;
    size_t n = index->letters.n;
    size_t shown = o->limit > 0 && (size_t)o->limit < n ? (size_t)o->limit : n;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    if (o->json) {
        mesh_buf_puts(&out, "{\"topic\":");
        mesh_json_string(&out, mesh_str_of(kafka->topic));
        mesh_buf_puts(&out, ",\"letters\":[");
        for (size_t i = 0; i < shown; i++) {
            mesh_buf_puts(&out, i == 0 ? "" : ",");
            letter_json(&out, &letters[i]);
        }
        mesh_buf_printf(&out, "],\"matched\":%zu,\"expired_records\":%lld,\"codes\":{", n, (long long)kafka->n_expired);
        mesh_dlq_codes(&out, letters, n, true);
        mesh_buf_puts(&out, "}}");
    } else {
        mesh_dlq_table(letters, shown, o->all);
        mesh_buf_printf(&out, "%s: %zu %sletter%s%s", kafka->topic, n, o->all ? "" : "open ", n == 1 ? "" : "s",
                        n == 0 ? "" : ": ");
        mesh_dlq_codes(&out, letters, n, false);
        if (shown < n)
            mesh_buf_printf(&out, "; the first %zu are shown (--limit 0: all)", shown);
        if (kafka->n_expired > 0)
            mesh_buf_printf(&out, "; retention has deleted %lld older records", (long long)kafka->n_expired);
        if (index->n_foreign > 0)
            mesh_buf_printf(&out, "; %llu records there are no letters", (unsigned long long)index->n_foreign);
    }
    puts(out.p);
    return n == 0 ? MESH_DLQ_EXIT_SOME : MESH_DLQ_EXIT_OK;
}
