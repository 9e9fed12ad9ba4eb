/* A question for a key goes to the shard that has it, here, or is answered with who has it. One for a list goes to all shards that are here;
 * their lists become one. */
#include "app/members_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void answer(struct mesh_http_question *question, int result)
{
    question->result = result;
    question->answered(question);
}

static bool works(const struct mesh_members_shard *shard)
{
    return shard->worker != NULL && !shard->leaving && !shard->standby;
}

/* ---- a key ---- */
static void ask_point(struct mesh_members *members, struct mesh_http_question *question, int32_t partitions)
{
    int32_t p = mesh_engine_place_of(members->product, question->read.view, question->read.key, partitions);
    if (p < 0) { /* a type of key whose text nobody partitions by */
        answer(question, MESH_HTTP_NOT_LOADED);
        return;
    }
    struct mesh_members_shard *shard = &members->shards[p];
    if (works(shard)) {
        mesh_worker_ask(shard->worker, question);
        return;
    }
    bool known = !shard->given && strcmp(shard->url, members->config->http_url) != 0;
    snprintf(question->where, sizeof question->where, "%s", known ? shard->url : "");
    answer(question, shard->given ? MESH_HTTP_NOT_LOADED : MESH_HTTP_ELSEWHERE);
}

/* ---- a list ---- */
struct gathering {
    struct mesh_http_question *whole;
    const struct mesh_view *view;
    pthread_mutex_t lock;
    uint32_t n, open;
    struct mesh_http_question *parts[];
};

static void finish(struct gathering *g)
{
    struct mesh_http_question *whole = g->whole;
    struct mesh_rows *rows = mesh_xcalloc((size_t)g->n + 1, sizeof *rows);
    whole->result = 0;
    for (uint32_t i = 0; i < g->n; i++) {
        struct mesh_http_question *part = g->parts[i];
        rows[i] = part->rows;
        part->rows = (struct mesh_rows){0};
        if (part->result != 0) {
            whole->result = part->result;
            whole->err = part->err;
        }
        mesh_http_question_free(part);
    }
    mesh_rows_merge(g->view, rows, g->n, whole->read.limit, &whole->rows);
    if (whole->result == 0 && whole->rows.commit < whole->min_position)
        whole->result = MESH_HTTP_BUSY;
    pthread_mutex_destroy(&g->lock);
    free(rows);
    free(g);
    whole->answered(whole);
}

static void on_part(struct mesh_http_question *part)
{
    struct gathering *g = part->asker;
    pthread_mutex_lock(&g->lock);
    bool last = --g->open == 0;
    pthread_mutex_unlock(&g->lock);
    if (last)
        finish(g);
}

/* "0,2/4" */
static void write_partitions(const struct mesh_members *members, int32_t partitions, char ret[MESH_HTTP_WHERE_MAX])
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_puts(&text, "");
    for (int32_t p = 0; p < partitions; p++)
        if (works(&members->shards[p]))
            mesh_buf_printf(&text, "%s%" PRId32, text.n == 0 ? "" : ",", p);
    mesh_buf_printf(&text, "%s/%" PRId32, text.n == 0 ? "none" : "", partitions);
    snprintf(ret, MESH_HTTP_WHERE_MAX, "%s", text.p);
}

/* Who has the other parts; each once. */
static void write_owners(const struct mesh_members *members, int32_t partitions, char ret[MESH_HTTP_WHERE_MAX])
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_puts(&text, "");
    for (int32_t p = 0; p < partitions; p++) {
        const char *url = members->shards[p].given ? members->config->http_url : members->shards[p].url;
        bool first = url[0] != '\0';
        for (int32_t q = 0; q < p && first; q++)
            first = strcmp(url, members->shards[q].given ? members->config->http_url : members->shards[q].url) != 0;
        if (first)
            mesh_buf_printf(&text, "%s%s", text.n == 0 ? "" : ", ", url);
    }
    snprintf(ret, MESH_HTTP_WHERE_MAX, "%s", text.n == 0 ? "nobody yet" : text.p);
}

static void ask_list(struct mesh_members *members, struct mesh_http_question *question, int32_t partitions)
{
    uint32_t n = 0;
    for (int32_t p = 0; p < partitions; p++)
        n += works(&members->shards[p]);
    if ((int32_t)n < partitions) {
        write_partitions(members, partitions, question->partitions);
        write_owners(members, partitions, question->where);
        if (!question->local) {
            answer(question, MESH_HTTP_PARTIAL);
            return;
        }
    }
    const struct mesh_view *view = &members->product->views[question->read.view];
    struct gathering *g = mesh_xcalloc(1, sizeof *g + (n + 1) * sizeof(struct mesh_http_question *));
    *g = (struct gathering){.whole = question, .view = view, .n = n, .open = n + 1};
    mesh_assert(pthread_mutex_init(&g->lock, NULL) == 0);
    uint32_t at = 0;
    for (int32_t p = 0; p < partitions && at < n; p++) {
        if (!works(&members->shards[p]))
            continue;
        struct mesh_http_question *part = mesh_http_question_new(question->product, &question->read);
        part->committed = question->committed;
        part->answered = on_part;
        part->asker = g;
        g->parts[at++] = part;
        mesh_worker_ask(members->shards[p].worker, part);
    }
    pthread_mutex_lock(&g->lock);
    bool last = --g->open == 0; /* all have answered already, or there was none */
    pthread_mutex_unlock(&g->lock);
    if (last)
        finish(g);
}

void mesh_members_ask(struct mesh_members *members, struct mesh_http_question *question)
{
    if (members->whole != NULL) {
        mesh_worker_ask(members->whole, question);
        return;
    }
    pthread_mutex_lock(&members->lock); /* while it is held, no worker goes */
    if (members->n_shards == 0 || members->phase != MESH_WORKER_RUNNING) {
        pthread_mutex_unlock(&members->lock);
        answer(question, members->phase >= MESH_WORKER_DRAINING ? MESH_HTTP_ENDING : MESH_HTTP_NOT_LOADED);
        return;
    }
    int32_t partitions = mesh_engine_view_partitions(members->product, question->read.view, members->inputs);
    if (question->read.key != NULL)
        ask_point(members, question, partitions);
    else
        ask_list(members, question, partitions);
    pthread_mutex_unlock(&members->lock);
}
