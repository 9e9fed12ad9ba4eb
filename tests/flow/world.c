/* The driver of app/worker.c in small: the same calls in the same order, everything else made of arrays. */
#include "world.h"

#include "again.h"
#include "base/check.h"
#include "base/hash.h"
#include "flow/sequence.h"
#include "store/log.h"

#include <stdio.h>
#include <stdlib.h>

#define INTERVAL_US 200000

static const uint32_t wire[] = {7, 9};
static const uint32_t *const wire_ids[SHOP_N_INPUTS + 1] = {wire, wire, wire, wire, wire, wire, wire, wire};
static const uint32_t port_ids[SHOP_N_PORTS] = {7, 7, 7, 7, 7, 7};

void world_init(struct world *w, int32_t partitions, uint64_t seed)
{
    *w = (struct world){.product = &shop, .partitions = partitions, .now_us = 1000000 * SHOP_SECOND, .mongo = true};
    mesh_rng_seed(&w->rng, seed);
}

static void topic_free(struct world_topic *topic)
{
    for (size_t i = 0; i < topic->messages.n; i++) {
        struct world_message *m = &topic->messages.v[i];
        free(m->key);
        free(m->value);
        for (uint32_t h = 0; h < m->n_headers; h++) {
            free((void *)(uintptr_t)m->headers[h].name.p);
            free((void *)(uintptr_t)m->headers[h].value.p);
        }
        free(m->headers);
    }
    mesh_vec_deinit(&topic->messages);
}

void world_deinit(struct world *w)
{
    mesh_engine_free(w->engine);
    mesh_metrics_free(w->metrics);
    for (int p = 0; p < WORLD_PARTITIONS_MAX; p++) {
        for (int i = 0; i <= SHOP_N_INPUTS; i++)
            topic_free(&w->inputs[i][p]);
        for (int i = 0; i < WORLD_DESTS_MAX; i++)
            topic_free(&w->dests[i][p]);
    }
    for (size_t i = 0; i < w->docs.n; i++) {
        free(w->docs.v[i].id);
        free(w->docs.v[i].text);
    }
    mesh_vec_deinit(&w->docs);
    mesh_vec_deinit(&w->unacked);
    mesh_buf_deinit(&w->log);
}

static void die(const struct mesh_err *err)
{
    fprintf(stderr, "world: %s: %s\n", err->code, err->text);
    abort();
}

void world_start(struct world *w)
{
    int32_t inputs[SHOP_N_INPUTS + 1];
    int32_t dests[WORLD_DESTS_MAX];
    for (int i = 0; i <= SHOP_N_INPUTS; i++)
        inputs[i] = i == SHOP_RATES || i == SHOP_N_INPUTS ? 1 : w->partitions;
    for (int i = 0; i < WORLD_DESTS_MAX; i++)
        dests[i] = w->partitions;
    mesh_metrics_free(w->metrics);
    w->metrics = mesh_metrics_new();
    struct mesh_engine_conf conf = {
        .product = w->product,
        .input_partitions = inputs,
        .port_partitions = dests,
        .wire_ids = wire_ids,
        .port_ids = port_ids,
        .mongo = w->mongo,
        .event_text = w->event_text,
        .seal = w->seal,
        .written = w->written,
        .generation = w->generation == 0 ? 1 : w->generation,
        .voice = w->voice,
        .succeeds = &w->succeeds,
        .n_succeeds = w->succeeds != 0,
        .documents_again = w->documents_again,
        .commit_interval_us = INTERVAL_US,
        .round_log_bytes = w->round_log_bytes,
        .round_sweep_bytes = w->round_sweep_bytes,
        .metrics = w->metrics,
        .accepts = w->accepts,
        .between = w->between,
        .between_context = w->between_context,
    };
    struct mesh_err err = {0};
    if (mesh_engine_new(&conf, &w->engine, &err) < 0)
        die(&err);
    if (engine_again(w->engine, &w->log, w->durable, &err) < 0)
        die(&err);
    w->durable = w->log.n;
    w->cut = 0;
}

void world_crash(struct world *w)
{
    w->engine = mesh_engine_free(w->engine);
    w->log.n = w->durable;
    w->unacked.n = 0;
    w->crashes++;
    world_start(w);
}

static char *copy(struct mesh_str s)
{
    char *p = malloc((size_t)s.n + 1);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

static void append(struct world_topic *topic, struct mesh_str key, struct mesh_str value, int64_t time_us,
                   const struct mesh_header *headers, uint32_t n_headers)
{
    struct world_message *m = mesh_vec_push(&topic->messages);
    *m = (struct world_message){.offset = (int64_t)topic->messages.n - 1,
                                .time_us = time_us,
                                .key = copy(key),
                                .value = copy(value),
                                .key_n = key.n,
                                .value_n = value.n,
                                .has_key = key.p != NULL,
                                .has_value = value.p != NULL,
                                .n_headers = n_headers};
    m->headers = calloc((size_t)n_headers + 1, sizeof *m->headers);
    for (uint32_t i = 0; i < n_headers; i++) {
        m->headers[i].name = (struct mesh_str){copy(headers[i].name), headers[i].name.n};
        m->headers[i].value = (struct mesh_str){copy(headers[i].value), headers[i].value.n};
    }
}

int64_t world_put_raw(struct world *w, uint32_t input, int32_t partition, struct mesh_str key, struct mesh_str value,
                      int64_t time_us, const struct mesh_header *headers, uint32_t n_headers)
{
    struct world_topic *topic = &w->inputs[input][partition];
    append(topic, key, value, time_us, headers, n_headers);
    return (int64_t)topic->messages.n - 1;
}

void world_value(struct mesh_buf *out, const struct shop_record *record)
{
    struct mesh_out datum = {0};
    shop_write(&datum, record);
    mesh_buf_add(out, "\0\0\0\0\7", 5);
    mesh_buf_add(out, datum.p, datum.n);
    mesh_out_deinit(&datum);
}

int64_t world_put(struct world *w, uint32_t input, int32_t partition, const struct shop_record *record)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf value = MESH_BUF_NULL;
    if (w->foreign != NULL && w->inputs[input][partition].messages.n % 3 == 0)
        w->foreign(&value, record);
    else
        world_value(&value, record);
    return world_put_raw(w, input, partition, record->card, (struct mesh_str){value.p, (uint32_t)value.n}, record->at, NULL, 0);
}

bool world_feed(struct world *w, uint32_t input, int32_t partition, size_t n)
{
    struct world_topic *topic = &w->inputs[input][partition];
    if (!mesh_engine_wants(w->engine, input, partition))
        return false;
    int64_t from = mesh_engine_position(w->engine, input, partition);
    if (from < 0)
        from = 0;
    struct mesh_record records[MESH_FLOW_BATCH_MAX];
    size_t have = 0;
    bool external = input != SHOP_BY_STORE && input != SHOP_PARTIALS;
    size_t there = w->unfolds && external && topic->shown < topic->messages.n ? topic->shown : topic->messages.n;
    for (size_t i = (size_t)from; i < there && have < n && have < MESH_FLOW_BATCH_MAX; i++) {
        const struct world_message *m = &topic->messages.v[i];
        records[have++] = (struct mesh_record){
            .offset = m->offset,
            .kafka_time_us = m->time_us,
            .key = {m->has_key ? m->key : NULL, m->key_n},
            .value = {m->has_value ? m->value : NULL, m->value_n},
            .headers = m->headers,
            .n_headers = m->n_headers,
        };
    }
    struct mesh_err err = {0};
    if (have > 0 && mesh_engine_feed(w->engine, input, partition, records, have, w->now_us, &err) < 0)
        die(&err);
    if ((size_t)from + have == there)
        mesh_engine_at_end(w->engine, input, partition, (int64_t)there, w->now_us);
    return have > 0;
}

bool world_commit(struct world *w)
{
    if (w->log.n != w->durable)
        return false;
    if (mesh_engine_round_begin(w->engine, w->durable)) {
        w->cut = w->durable;
        w->rounds++;
    }
    if (!mesh_engine_commit(w->engine, w->now_us, &w->log))
        return false;
    w->commits++;
    return true;
}

void world_durable(struct world *w)
{
    if (w->log.n == w->durable)
        return;
    w->durable = w->log.n;
    mesh_engine_durable(w->engine);
    if (mesh_engine_round_done(w->engine)) {
        memmove(w->log.p, w->log.p + w->cut, w->log.n - w->cut);
        w->log.n -= w->cut;
        w->durable = w->log.n;
    }
}

bool world_send(struct world *w, size_t n)
{
    struct mesh_message m;
    bool any = false;
    for (; n > 0 && mesh_engine_next_message(w->engine, &m); n--) {
        any = true;
        struct world_topic *topic = &w->dests[m.dest][m.partition];
        for (uint32_t i = 0; i < w->product->n_internals; i++)
            if (m.dest == mesh_engine_dest_internal(w->product, i))
                topic = &w->inputs[w->product->internals[i].input][m.partition];
        append(topic, m.key, m.value, m.time_us, m.headers, m.n_headers);
        *mesh_vec_push(&w->unacked) = m.ticket;
    }
    return any;
}

void world_ack(struct world *w, size_t n)
{
    for (; n > 0 && w->unacked.n > 0; n--) {
        size_t i = (size_t)mesh_rng_below(&w->rng, w->unacked.n);
        uint64_t ticket = w->unacked.v[i];
        w->unacked.v[i] = w->unacked.v[--w->unacked.n];
        mesh_engine_acked(w->engine, ticket);
    }
}

static void put_doc(struct world *w, const struct mesh_document *d)
{
    struct mesh_buf text = MESH_BUF_NULL;
    if (d->removed) {
        mesh_buf_puts(&text, "removed");
    } else if (d->port == SHOP_TOTALS_DOCS) {
        const struct shop_totals_out *o = d->out;
        mesh_buf_printf(&text, "%.*s n=%lld sum=%lld order=%lld rev=%lld", (int)o->store.n, o->store.p, (long long)o->n,
                        (long long)o->sum, (long long)o->order, (long long)o->revision);
    } else if (d->port == SHOP_CARDS_DOCS) {
        const struct shop_cards_out *o = d->out;
        mesh_buf_printf(&text, "%.*s n=%lld order=%lld last=%.*s rev=%lld", (int)o->card.n, o->card.p, (long long)o->n,
                        (long long)o->order, (int)o->last_id.n, o->last_id.p == NULL ? "" : o->last_id.p, (long long)o->revision);
    } else {
        const struct shop_minute_out *o = d->out;
        mesh_buf_printf(&text, "%.*s@%lld n=%lld sum=%lld max=%lld rev=%lld %s", (int)o->store.n, o->store.p,
                        (long long)(o->window_start / SHOP_SECOND), (long long)o->n, (long long)o->sum, (long long)o->largest,
                        (long long)o->revision, o->final ? "final" : "open");
    }
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf id = MESH_BUF_NULL;
    mesh_buf_printf(&id, "%u:%.*s", (unsigned)d->port, (int)d->id.n, d->id.p);
    for (size_t i = 0; i < w->docs.n; i++) {
        if (strcmp(w->docs.v[i].id, id.p) == 0) {
            if (d->n >= w->docs.v[i].n) { /* forward only */
                free(w->docs.v[i].text);
                w->docs.v[i].text = mesh_buf_take(&text);
                w->docs.v[i].n = d->n;
            }
            mesh_buf_deinit(&text);
            return;
        }
    }
    *mesh_vec_push(&w->docs) = (struct world_doc){mesh_buf_take(&id), mesh_buf_take(&text), d->n};
}

bool world_store(struct world *w, size_t n)
{
    bool any = false;
    struct mesh_document d;
    for (; n > 0 && mesh_engine_next_document(w->engine, &d); n--) {
        any = true;
        put_doc(w, &d);
        mesh_engine_stored(w->engine, d.ticket);
    }
    return any;
}

void world_step(struct world *w, uint32_t crash)
{
    if (crash != 0 && mesh_rng_below(&w->rng, crash) == 0) {
        world_crash(w);
        return;
    }
    size_t n = (size_t)mesh_rng_below(&w->rng, 40) + 1;
    switch (mesh_rng_below(&w->rng, 10)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: {
        uint32_t input = (uint32_t)mesh_rng_below(&w->rng, SHOP_N_INPUTS);
        int32_t partition = input == SHOP_RATES ? 0 : (int32_t)mesh_rng_below(&w->rng, (uint64_t)w->partitions);
        w->inputs[input][partition].shown += (size_t)mesh_rng_below(&w->rng, 20);
        world_feed(w, input, partition, n);
        break;
    }
    case 5:
        world_commit(w);
        break;
    case 6:
        world_durable(w);
        break;
    case 7:
        world_send(w, n);
        break;
    case 8:
        world_ack(w, n);
        world_store(w, n);
        break;
    default:
        w->now_us += (int64_t)mesh_rng_below(&w->rng, 300000);
        break;
    }
}

void world_drain(struct world *w)
{
    w->unfolds = false;
    for (int quiet = 0; quiet < 3;) {
        bool moved = false;
        for (uint32_t i = 0; i < w->product->n_inputs; i++)
            for (int32_t p = 0; p < (i == SHOP_RATES || i == SHOP_N_INPUTS ? 1 : w->partitions); p++)
                while (world_feed(w, i, p, 1000))
                    moved = true;
        w->now_us += INTERVAL_US;
        moved |= world_commit(w);
        world_durable(w);
        while (world_send(w, 1000))
            moved = true;
        world_ack(w, SIZE_MAX);
        moved |= world_store(w, SIZE_MAX);
        quiet = moved ? 0 : quiet + 1;
    }
}

/* ---- showing ---- */
static void show_row(uint32_t view, const void *row, struct mesh_buf *out)
{
    if (view == SHOP_VIEW_CARDS) {
        const struct shop_cards_out *o = row;
        mesh_buf_printf(out, "cards %.*s n=%lld sum=%lld order=%lld spent=%lld last=%.*s rev=%lld\n", (int)o->card.n, o->card.p,
                        (long long)o->n, (long long)o->sum, (long long)o->order, (long long)o->spent, (int)o->last_id.n,
                        o->last_id.p == NULL ? "" : o->last_id.p, (long long)o->revision);
    } else if (view == SHOP_VIEW_TOTALS) {
        const struct shop_totals_out *o = row;
        mesh_buf_printf(out, "totals %.*s n=%lld sum=%lld order=%lld rev=%lld\n", (int)o->store.n, o->store.p, (long long)o->n,
                        (long long)o->sum, (long long)o->order, (long long)o->revision);
    } else {
        const struct shop_minute_out *o = row;
        mesh_buf_printf(out, "%s %lld %.*s n=%lld sum=%lld max=%lld rev=%lld %s\n", view == SHOP_VIEW_MINUTE ? "minute" : "visited",
                        (long long)(o->window_start / SHOP_SECOND), (int)o->store.n, o->store.p, (long long)o->n, (long long)o->sum,
                        (long long)o->largest, (long long)o->revision, o->final ? "final" : "open");
    }
}

void world_show_view(struct world *w, uint32_t view, struct mesh_buf *out)
{
    struct mesh_read read = {.view = view, .from_us = INT64_MIN, .to_us = INT64_MAX, .limit = 7};
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf after = MESH_BUF_NULL;
    struct mesh_err err = {0};
    for (;;) {
        mesh_cleanup(mesh_rows_deinit) struct mesh_rows rows = {0};
        read.after = (struct mesh_str){after.p, (uint32_t)after.n};
        if (mesh_engine_list(w->engine, &read, &rows, &err) < 0)
            die(&err);
        for (size_t i = 0; i < rows.n; i++)
            show_row(view, rows.rows.p + i * w->product->views[view].out_size, out);
        mesh_buf_reset(&after);
        mesh_buf_add(&after, rows.last.p == NULL ? "" : rows.last.p, rows.last.n);
        if (!rows.more)
            return;
    }
}

struct line {
    struct mesh_str sender;
    uint64_t last;
};

/* Messages of a port as a receiver takes them: without repetitions. Lines "partition key hex", sorted when `sort`. */
static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_port(struct world *w, uint32_t dest, bool newest_only, struct mesh_buf *out)
{
    MESH_VEC(char *) lines = {0};
    for (int32_t p = 0; p < w->partitions; p++) {
        MESH_VEC(struct line) senders = {0};
        struct world_topic *topic = &w->dests[dest][p];
        for (size_t i = 0; i < topic->messages.n; i++) {
            struct world_message *m = &topic->messages.v[i];
            struct mesh_flow_origin origin = {0};
            bool known = m->n_headers > 0 && mesh_flow_origin_read(m->headers[0].value, &origin);
            if (!known) {
                w->gaps++;
                continue;
            }
            uint64_t *last = NULL;
            char name[32];
            snprintf(name, sizeof name, "%u/%d", (unsigned)origin.topology, (int)origin.partition);
            for (size_t s = 0; s < senders.n; s++)
                if (strcmp(senders.v[s].sender.p, name) == 0)
                    last = &senders.v[s].last;
            if (last == NULL) {
                struct line *line = mesh_vec_push(&senders);
                *line = (struct line){{strdup(name), 0}, 0};
                last = &line->last;
            }
            if (origin.sequence <= *last)
                continue;
            w->gaps += origin.sequence != *last + 1;
            *last = origin.sequence;
            struct mesh_buf line = MESH_BUF_NULL;
            mesh_buf_printf(&line, "%s p%d %s ", dest < w->product->n_ports ? w->product->ports[dest].name : "aside", (int)p,
                            m->key);
            size_t key_n = line.n;
            if (!newest_only && dest == SHOP_ALERTS)
                mesh_buf_printf(&line, "#%llu ", (unsigned long long)origin.sequence);
            char *hex = malloc(2 * (size_t)m->value_n + 1);
            mesh_hex((uint8_t *)m->value, m->value_n, hex);
            mesh_buf_puts(&line, m->has_value ? hex : "null");
            free(hex);
            size_t at = lines.n;
            for (size_t k = 0; newest_only && k < lines.n; k++)
                if (strncmp(lines.v[k], line.p, key_n) == 0)
                    at = k;
            if (at == lines.n)
                *mesh_vec_push(&lines) = NULL;
            free(lines.v[at]);
            lines.v[at] = mesh_buf_take(&line);
        }
        for (size_t s = 0; s < senders.n; s++)
            free((void *)(uintptr_t)senders.v[s].sender.p);
        mesh_vec_deinit(&senders);
    }
    if (lines.n > 0)
        qsort(lines.v, lines.n, sizeof *lines.v, by_text);
    for (size_t i = 0; i < lines.n; i++) {
        mesh_buf_printf(out, "%s\n", lines.v[i]);
        free(lines.v[i]);
    }
    mesh_vec_deinit(&lines);
}

void world_show(struct world *w, struct mesh_buf *out)
{
    for (uint32_t v = 0; v < SHOP_N_VIEWS; v++)
        world_show_view(w, v, out);
    show_port(w, SHOP_ALERTS, false, out);
    show_port(w, SHOP_TOTALS_OUT, true, out);
    show_port(w, SHOP_MINUTE_OUT, false, out);
    show_port(w, mesh_engine_dest_dlq(w->product), false, out);
    show_port(w, mesh_engine_dest_late(w->product), false, out);
    MESH_VEC(char *) lines = {0};
    for (size_t i = 0; i < w->docs.n; i++) {
        struct mesh_buf line = MESH_BUF_NULL;
        mesh_buf_printf(&line, "doc %s %s", w->docs.v[i].id, w->docs.v[i].text);
        *mesh_vec_push(&lines) = mesh_buf_take(&line);
    }
    if (lines.n > 0)
        qsort(lines.v, lines.n, sizeof *lines.v, by_text);
    for (size_t i = 0; i < lines.n; i++) {
        mesh_buf_printf(out, "%s\n", lines.v[i]);
        free(lines.v[i]);
    }
    mesh_vec_deinit(&lines);
}

bool world_shows(struct world *w, uint32_t view, const char *text)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    world_show_view(w, view, &out);
    bool found = out.p != NULL && strstr(out.p, text) != NULL;
    if (!found)
        printf("# %s is not in\n%s\n", text, out.p == NULL ? "(nothing)" : out.p);
    return found;
}

double world_metric(struct world *w, const char *name, const char *label, const char *value)
{
    struct mesh_metric *m =
        label == NULL ? mesh_metric_find(w->metrics, name, NULL) : mesh_metric_find(w->metrics, name, label, value, NULL);
    return m == NULL ? 0 : mesh_metric_value(m);
}
