/* What a run came to, as one line of JSON. Everything is put in an order that no schedule decides. */
#include "app/trial.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "flow/sequence.h"
#include "http/live.h"
#include "mesh/trial.h"

#include <stdlib.h>

#define ROWS_AT_ONCE 1000

/* A message or letter as its receiver takes it. */
struct arrival {
    const struct mesh_trial_message *message;
    struct mesh_flow_origin origin;
    int32_t partition;
    bool inside; /* a letter: its record travelled through an internal topic, whose offsets are those of a schedule */
};

struct arrivals {
    MESH_VEC(struct arrival) list;
};

static void arrivals_deinit(struct arrivals *arrivals)
{
    mesh_vec_deinit(&arrivals->list);
}

static int compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_time(const void *va, const void *vb)
{
    const struct arrival *a = va, *b = vb;
    int c = compare(a->message->time_us, b->message->time_us);
    c = c != 0 ? c : compare(a->origin.topology, b->origin.topology);
    c = c != 0 ? c : compare(a->origin.partition, b->origin.partition);
    c = c != 0 ? c : compare(a->partition, b->partition);
    return c != 0 ? c : compare((int64_t)a->origin.sequence, (int64_t)b->origin.sequence);
}

static struct mesh_str header_of(const struct mesh_trial_message *m, const char *name)
{
    for (uint32_t i = 0; i < m->n_headers; i++)
        if (mesh_str_eq(m->headers[i].name, mesh_str_of(name)))
            return m->headers[i].value;
    return (struct mesh_str){0};
}

static int64_t header_number(const struct mesh_trial_message *m, const char *name)
{
    struct mesh_str text = header_of(m, name);
    return text.p == NULL ? 0 : strtoll(text.p, NULL, 10); /* copies end with NUL */
}

static int by_record(const void *va, const void *vb)
{
    const struct arrival *a = va, *b = vb;
    int c = mesh_str_cmp(header_of(a->message, "__mesh.errors.topic"), header_of(b->message, "__mesh.errors.topic"));
    static const char *const numbers[] = {"__mesh.errors.partition", "__mesh.errors.offset"};
    for (size_t i = 0; c == 0 && !a->inside && i < MESH_LEN(numbers); i++)
        c = compare(header_number(a->message, numbers[i]), header_number(b->message, numbers[i]));
    if (c == 0)
        c = mesh_str_cmp(header_of(a->message, "__mesh.errors.stage"), header_of(b->message, "__mesh.errors.stage"));
    return c != 0 ? c : mesh_str_cmp(a->message->value, b->message->value);
}

static bool is_inside(const struct mesh_product *product, struct mesh_str topic)
{
    for (uint32_t i = 0; i < product->n_internals; i++)
        if (mesh_str_eq(mesh_str_of(product->internals[i].topic), topic))
            return true;
    return false;
}

/* Drops what a receiver drops: numbers of a sender that it had. A number too far ahead is a lost message. */
static int receive(const struct mesh_trial_topic *topic, int32_t partition, struct arrivals *out, struct mesh_err *err)
{
    size_t first = out->list.n;
    for (size_t i = 0; i < topic->messages.n; i++) {
        struct arrival new = {.message = &topic->messages.v[i], .partition = partition};
        if (!mesh_flow_origin_read(header_of(new.message, MESH_FLOW_HEADER), &new.origin))
            return mesh_err_set(err, MESH_ERR_FATAL, "trial.origin", "a message left without saying who sent it");
        uint64_t last = 0;
        for (size_t k = first; k < out->list.n; k++) {
            const struct mesh_flow_origin *origin = &out->list.v[k].origin;
            if (origin->topology == new.origin.topology && origin->partition == new.origin.partition)
                last = origin->sequence;
        }
        if (new.origin.sequence <= last)
            continue;
        if (new.origin.sequence != last + 1)
            return mesh_err_set(err, MESH_ERR_FATAL, "trial.gap", "messages %llu to %llu of a task were lost",
                                (unsigned long long)last + 1, (unsigned long long)new.origin.sequence - 1);
        *mesh_vec_push(&out->list) = new;
    }
    return 0;
}

static int receive_all(struct mesh_trial *t, uint32_t dest, struct arrivals *out, struct mesh_err *err)
{
    for (int32_t p = 0; p < t->partitions; p++)
        if (receive(&t->dests[dest * (uint32_t)t->partitions + (uint32_t)p], p, out, err) < 0)
            return -1;
    return 0;
}

/* Only the newest message of each key stays; all of a key lie in one partition, in order. */
static void newest_of_keys(struct arrivals *arrivals)
{
    size_t n = 0;
    for (size_t i = 0; i < arrivals->list.n; i++) {
        bool newer = false;
        for (size_t k = i + 1; k < arrivals->list.n && !newer; k++)
            newer = mesh_str_eq(arrivals->list.v[i].message->key, arrivals->list.v[k].message->key);
        if (!newer)
            arrivals->list.v[n++] = arrivals->list.v[i];
    }
    arrivals->list.n = n;
}

/* ---- writing ---- */
static void put_hex(struct mesh_buf *out, const char *name, struct mesh_str bytes)
{
    if (bytes.p == NULL) {
        mesh_buf_printf(out, ",\"%s\":null", name);
        return;
    }
    mesh_buf_printf(out, ",\"%s\":\"", name);
    char *to = mesh_buf_reserve(out, 2 * (size_t)bytes.n + 1);
    mesh_hex((const uint8_t *)bytes.p, bytes.n, to);
    out->n += 2 * (size_t)bytes.n;
    mesh_buf_putc(out, '"');
}

static void put_text(struct mesh_buf *out, const char *name, struct mesh_str text)
{
    mesh_buf_printf(out, "\"%s\":", name);
    if (text.p == NULL)
        mesh_buf_puts(out, "null");
    else
        mesh_json_string(out, text);
}

static int show_messages(struct mesh_trial *t, uint32_t port, struct mesh_buf *out, struct mesh_err *err)
{
    mesh_cleanup(arrivals_deinit) struct arrivals arrivals = {0};
    if (receive_all(t, port, &arrivals, err) < 0)
        return -1;
    if (t->product->ports[port].emit == MESH_EMIT_CHANGE)
        newest_of_keys(&arrivals);
    if (arrivals.list.n > 0)
        qsort(arrivals.list.v, arrivals.list.n, sizeof *arrivals.list.v, by_time);
    for (size_t i = 0; i < arrivals.list.n; i++) {
        mesh_buf_puts(out, i == 0 ? "{" : ",{");
        put_text(out, "key", arrivals.list.v[i].message->key);
        put_hex(out, "value", arrivals.list.v[i].message->value);
        mesh_buf_putc(out, '}');
    }
    return 0;
}

static struct mesh_str input_name(const struct mesh_trial *t, struct mesh_str topic)
{
    for (uint32_t i = 0; i < t->product->n_inputs; i++)
        if (mesh_str_eq(mesh_str_of(t->product->inputs[i].topic), topic))
            return mesh_str_of(t->product->inputs[i].name);
    return topic;
}

static int show_letters(struct mesh_trial *t, uint32_t dest, struct mesh_buf *out, struct mesh_err *err)
{
    mesh_cleanup(arrivals_deinit) struct arrivals arrivals = {0};
    if (receive_all(t, dest, &arrivals, err) < 0)
        return -1;
    for (size_t i = 0; i < arrivals.list.n; i++)
        arrivals.list.v[i].inside = is_inside(t->product, header_of(arrivals.list.v[i].message, "__mesh.errors.topic"));
    if (arrivals.list.n > 0)
        qsort(arrivals.list.v, arrivals.list.n, sizeof *arrivals.list.v, by_record);
    for (size_t i = 0; i < arrivals.list.n; i++) {
        const struct mesh_trial_message *m = arrivals.list.v[i].message;
        mesh_buf_puts(out, i == 0 ? "{" : ",{");
        put_text(out, "code", header_of(m, "__mesh.errors.code"));
        mesh_buf_putc(out, ',');
        put_text(out, "input", input_name(t, header_of(m, "__mesh.errors.topic")));
        mesh_buf_putc(out, ',');
        put_text(out, "stage", header_of(m, "__mesh.errors.stage"));
        mesh_buf_putc(out, ',');
        put_text(out, "site", header_of(m, "__mesh.errors.site"));
        mesh_buf_putc(out, ',');
        put_text(out, "key", m->key);
        put_hex(out, "value", m->value);
        mesh_buf_putc(out, '}');
    }
    return 0;
}

/* `port` NULL: the view as the product knows it, also rows that ports do not show, as they have too few people in them. */
static int show_rows(struct mesh_trial *t, uint32_t view, const struct mesh_port *port, const enum mesh_protect *protect,
                     struct mesh_buf *out, struct mesh_err *err)
{
    const struct mesh_view *decl = &t->product->views[view];
    struct mesh_http_shape shape = mesh_http_shape_of(decl, protect, MESH_STR(MESH_TRIAL_PSEUDONYM_KEY));
    struct mesh_read read = {.view = view,
                             .withhold = port != NULL && port->n_consents > 0,
                             .port = port == NULL ? 0 : (uint32_t)(port - t->product->ports),
                             .from_us = INT64_MIN,
                             .to_us = INT64_MAX,
                             .limit = ROWS_AT_ONCE,
                             .hidden = port == NULL};
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf after = MESH_BUF_NULL;
    for (bool more = true, any = false; more;) {
        mesh_cleanup(mesh_rows_deinit) struct mesh_rows rows = {0};
        read.after = (struct mesh_str){after.p, (uint32_t)after.n};
        if (mesh_engine_list(t->engine, &read, &rows, err) < 0)
            return -1;
        for (size_t i = 0; i < rows.n; i++, any = true) {
            mesh_buf_puts(out, any ? "," : "");
            mesh_http_row(&shape, &(const struct mesh_http_fields){0}, rows.rows.p + i * decl->out_size, out);
        }
        mesh_buf_reset(&after);
        mesh_buf_add(&after, rows.last.p == NULL ? "" : rows.last.p, rows.last.n);
        more = rows.more;
    }
    return 0;
}

static int by_id(const void *va, const void *vb)
{
    const struct mesh_trial_document *a = va, *b = vb;
    return mesh_str_cmp(a->id, b->id);
}

static void show_documents(struct mesh_trial *t, uint32_t port, struct mesh_buf *out)
{
    if (t->documents.n > 0)
        qsort(t->documents.v, t->documents.n, sizeof *t->documents.v, by_id);
    bool any = false;
    for (size_t i = 0; i < t->documents.n; i++) {
        const struct mesh_trial_document *d = &t->documents.v[i];
        if (d->port != port || d->removed)
            continue;
        mesh_buf_puts(out, any ? "," : "");
        mesh_buf_str(out, d->row);
        any = true;
    }
}

static int by_told(const void *va, const void *vb)
{
    const struct mesh_trial_event *a = va, *b = vb;
    int c = compare(a->time_us, b->time_us);
    c = c != 0 ? c : compare(a->task, b->task);
    return c != 0 ? c : compare((int64_t)a->sequence, (int64_t)b->sequence);
}

static struct mesh_str key_line(const struct mesh_trial_event *e)
{
    const char *end = memchr(e->text.p, '\n', e->text.n);
    return (struct mesh_str){e->text.p, (uint32_t)(end - e->text.p)};
}

/* Of changes the newest of each row, as those of a row come from one task, in order. */
static void show_events(struct mesh_trial *t, uint32_t port, struct mesh_buf *out)
{
    bool changes = t->product->ports[port].emit == MESH_EMIT_CHANGE;
    MESH_VEC(struct mesh_trial_event) list = {0};
    for (size_t i = 0; i < t->events.n; i++) {
        bool newer = t->events.v[i].port != port;
        for (size_t k = i + 1; changes && !newer && k < t->events.n; k++)
            newer = t->events.v[k].port == port && mesh_str_eq(key_line(&t->events.v[i]), key_line(&t->events.v[k]));
        if (!newer)
            *mesh_vec_push_in(t->arena, &list) = t->events.v[i];
    }
    if (list.n > 0)
        qsort(list.v, list.n, sizeof *list.v, by_told);
    for (size_t i = 0; i < list.n; i++) {
        const struct mesh_trial_event *e = &list.v[i];
        uint32_t key_n = key_line(e).n + 1;
        mesh_buf_puts(out, i == 0 ? "" : ",");
        mesh_buf_str(out, (struct mesh_str){e->text.p + key_n, e->text.n - key_n - (e->removed ? 1 : 0)});
        if (e->removed)
            mesh_buf_puts(out, ",\"removed\":true}");
    }
}

static int show_port(struct mesh_trial *t, uint32_t i, struct mesh_buf *out, struct mesh_err *err)
{
    const struct mesh_port *port = &t->product->ports[i];
    switch (port->kind) {
    case MESH_PORT_KAFKA:
        return show_messages(t, i, out, err);
    case MESH_PORT_HTTP:
        return show_rows(t, port->view, port, port->protect, out, err);
    case MESH_PORT_MONGO:
        show_documents(t, i, out);
        return 0;
    case MESH_PORT_SSE:
        show_events(t, i, out);
        return 0;
    }
    return 0;
}

int mesh_trial_show(struct mesh_trial *t, const char *error, struct mesh_buf *out, struct mesh_err *err)
{
    const struct mesh_product *p = t->product;
    mesh_buf_printf(out, "{\"error\":");
    if (error != NULL) {
        mesh_json_string(out, mesh_str_of(error));
        mesh_buf_puts(out, "}\n");
        return 0;
    }
    mesh_buf_puts(out, "null,\"views\":{");
    for (uint32_t v = 0; v < p->n_views; v++) {
        enum mesh_protect *bare = mesh_arena_alloc(t->arena, (p->views[v].n_out + 1) * sizeof *bare); /* MESH_AS_IS */
        mesh_buf_printf(out, "%s\"%s\":[", v == 0 ? "" : ",", p->views[v].name);
        if (show_rows(t, v, NULL, bare, out, err) < 0)
            return -1;
        mesh_buf_putc(out, ']');
    }
    mesh_buf_puts(out, "},\"ports\":{");
    for (uint32_t i = 0; i < p->n_ports; i++) {
        mesh_buf_printf(out, "%s\"%s\":[", i == 0 ? "" : ",", p->ports[i].name);
        if (show_port(t, i, out, err) < 0)
            return -1;
        mesh_buf_putc(out, ']');
    }
    mesh_buf_puts(out, "},\"deadLetters\":[");
    if (show_letters(t, mesh_engine_dest_dlq(p), out, err) < 0)
        return -1;
    mesh_buf_puts(out, "],\"late\":[");
    if (show_letters(t, mesh_engine_dest_late(p), out, err) < 0)
        return -1;
    mesh_buf_printf(out, "],\"idleLate\":%.0f,\"restarts\":%u,\"us\":%lld}\n", mesh_trial_idle_late(t), (unsigned)t->restarts,
                    (long long)(mesh_clock_mono_us() - t->began_us));
    return 0;
}
