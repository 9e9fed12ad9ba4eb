/* One lock per channel. The thread takes sleepers off the list in slices, so that a worker that wants to put waits for some tens of
 * wake-ups at most. */
#include "http/live.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/vec.h"
#include "io/wake.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define WAKE_SLICE 32

struct entry {
    uint64_t order; /* of all events of the channel, as they came */
    char *text;
    size_t n;
};

/* The events of one task: a ring of a power of two. */
struct lane {
    struct entry *v;
    uint32_t head, n, cap;
    uint64_t next; /* sequence behind the newest */
};

struct channel {
    struct mesh_http_live *live;
    const struct mesh_port *port; /* NULL: not of kind SSE */
    pthread_mutex_t lock;
    uint64_t generation, order;
    struct lane *lanes;
    uint32_t n_lanes;
    bool ready; /* all of the restored state is there */
    bool news;
    struct mesh_http_live_reader *first, *last; /* those that sleep */
    uint32_t n_asleep;
    struct mesh_metric *m_events, *m_readers, *m_cut, *m_resets;
    uint32_t n_readers;
};

struct mesh_http_live_reader {
    struct channel *channel;
    void (*sleep)(void *context);
    void (*wake)(void *context);
    void *context;
    struct mesh_http_live_reader *before, *after;
    bool asleep, beat;
    char *last_id; /* until it has begun; NULL: none */
    bool replay, begun;
    uint64_t generation;
    uint64_t *at; /* per lane: the newest sequence that it has read */
    struct mesh_buf line;
    size_t line_at;
    bool in_event; /* behind the line comes the next event of this lane */
    uint32_t lane;
    size_t text_at;
};

struct mesh_http_live {
    const struct mesh_service *service;
    struct channel **channels; /* per product: per port */
    int64_t beat_us;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool news;
    atomic_bool stop;
    atomic_uint n_readers;
    pthread_t thread;
    bool joined;
};

/* ---- waking ---- */
static struct mesh_http_live_reader *take_sleeper(struct channel *channel)
{
    struct mesh_http_live_reader *reader = channel->first;
    channel->first = reader->after;
    *(reader->after == NULL ? &channel->last : &reader->after->before) = NULL;
    reader->after = NULL;
    reader->asleep = false;
    channel->n_asleep--;
    return reader;
}

static void wake_readers(struct channel *channel, bool beat)
{
    pthread_mutex_lock(&channel->lock);
    bool wanted = channel->news || beat || atomic_load(&channel->live->stop);
    uint32_t n = wanted ? channel->n_asleep : 0;
    channel->news = false;
    for (uint32_t i = 0; i < n && channel->first != NULL; i++) {
        if (i % WAKE_SLICE == WAKE_SLICE - 1) {
            pthread_mutex_unlock(&channel->lock);
            pthread_mutex_lock(&channel->lock);
            if (channel->first == NULL)
                break;
        }
        struct mesh_http_live_reader *reader = take_sleeper(channel);
        reader->beat = beat;
        reader->wake(reader->context);
    }
    pthread_mutex_unlock(&channel->lock);
}

static void *run(void *context)
{
    struct mesh_http_live *live = context;
    int64_t beat_at_us = mesh_clock_mono_us() + live->beat_us;
    pthread_mutex_lock(&live->lock);
    for (bool stop = false; !stop;) {
        struct timespec until = mesh_wake_deadline(beat_at_us - mesh_clock_mono_us());
        if (!live->news && !atomic_load(&live->stop))
            (void)pthread_cond_timedwait(&live->changed, &live->lock, &until);
        stop = atomic_load(&live->stop);
        live->news = false;
        int64_t now_us = mesh_clock_mono_us();
        bool beat = now_us >= beat_at_us;
        if (beat)
            beat_at_us = now_us + live->beat_us;
        pthread_mutex_unlock(&live->lock);
        for (uint32_t p = 0; p < live->service->n_products; p++)
            for (uint32_t i = 0; i < live->service->products[p]->n_ports; i++)
                if (live->channels[p][i].port != NULL)
                    wake_readers(&live->channels[p][i], beat);
        pthread_mutex_lock(&live->lock);
    }
    pthread_mutex_unlock(&live->lock);
    return NULL;
}

/* ---- the whole ---- */
static void init_channel(struct mesh_http_live *live, struct channel *channel, const struct mesh_port *port,
                         struct mesh_metrics *metrics)
{
    channel->live = live;
    channel->port = port;
    mesh_assert(pthread_mutex_init(&channel->lock, NULL) == 0);
    channel->m_events = mesh_metric_counter(metrics, "mesh_sse_events_total", "Events told to readers", "route", port->path, NULL);
    channel->m_readers = mesh_metric_gauge(metrics, "mesh_sse_readers", "Connections that read", "route", port->path, NULL);
    channel->m_cut = mesh_metric_counter(metrics, "mesh_sse_cut_total", "Readers that were too slow", "route", port->path, NULL);
    channel->m_resets =
        mesh_metric_counter(metrics, "mesh_sse_resets_total", "Readers that had missed events", "route", port->path, NULL);
}

struct mesh_http_live *mesh_http_live_new(const struct mesh_service *service, struct mesh_metrics *metrics, int64_t beat_us)
{
    struct mesh_http_live *live = mesh_xcalloc(1, sizeof *live);
    live->service = service;
    live->beat_us = beat_us;
    mesh_assert(pthread_mutex_init(&live->lock, NULL) == 0);
    mesh_wake_cond_init(&live->changed);
    live->channels = mesh_xcalloc(service->n_products + 1, sizeof(struct channel *));
    bool any = false;
    for (uint32_t p = 0; p < service->n_products; p++) {
        const struct mesh_product *product = service->products[p];
        live->channels[p] = mesh_xcalloc(product->n_ports + 1, sizeof(struct channel));
        for (uint32_t i = 0; i < product->n_ports; i++) {
            if (product->ports[i].kind != MESH_PORT_SSE)
                continue;
            init_channel(live, &live->channels[p][i], &product->ports[i], metrics);
            any = true;
        }
    }
    if (any)
        mesh_assert(pthread_create(&live->thread, NULL, run, live) == 0);
    live->joined = !any;
    return live;
}

void mesh_http_live_stop(struct mesh_http_live *live)
{
    pthread_mutex_lock(&live->lock);
    atomic_store(&live->stop, true);
    pthread_cond_signal(&live->changed);
    pthread_mutex_unlock(&live->lock);
    if (!live->joined)
        pthread_join(live->thread, NULL);
    live->joined = true;
}

static void empty_lane(struct lane *lane)
{
    for (; lane->n > 0; lane->n--, lane->head = (lane->head + 1) % lane->cap)
        free(lane->v[lane->head].text);
}

static void free_lanes(struct channel *channel)
{
    for (uint32_t i = 0; i < channel->n_lanes; i++) {
        empty_lane(&channel->lanes[i]);
        free(channel->lanes[i].v);
    }
    free(channel->lanes);
    channel->lanes = NULL;
    channel->n_lanes = 0;
}

struct mesh_http_live *mesh_http_live_free(struct mesh_http_live *live)
{
    if (live == NULL)
        return NULL;
    mesh_http_live_stop(live);
    mesh_assert(atomic_load(&live->n_readers) == 0);
    for (uint32_t p = 0; p < live->service->n_products; p++) {
        for (uint32_t i = 0; i < live->service->products[p]->n_ports; i++) {
            if (live->channels[p][i].port == NULL)
                continue;
            free_lanes(&live->channels[p][i]);
            pthread_mutex_destroy(&live->channels[p][i].lock);
        }
        free(live->channels[p]);
    }
    free(live->channels);
    pthread_cond_destroy(&live->changed);
    pthread_mutex_destroy(&live->lock);
    free(live);
    return NULL;
}

/* ---- the worker ---- */
void mesh_http_live_text(const struct mesh_port *port, const struct mesh_view *view, struct mesh_str pseudonym_key,
                         const void *shown, bool removed, struct mesh_buf *out)
{
    struct mesh_http_shape shape = mesh_http_events_shape(port, view, pseudonym_key);
    struct mesh_http_fields fields = {.n = 0};
    uint32_t n_key = removed ? view->n_key + (view->window != MESH_WINDOW_NONE ? 1 : 0) : 0; /* and window_start, behind it */
    for (uint32_t i = 0; i < n_key; i++)
        fields.v[fields.n++] = (uint16_t)i;
    mesh_http_row(&shape, &fields, shown, out);
}

void mesh_http_live_begin(struct mesh_http_live *live, uint32_t product, uint64_t generation, uint32_t n_tasks)
{
    for (uint32_t i = 0; i < live->service->products[product]->n_ports; i++) {
        struct channel *channel = &live->channels[product][i];
        if (channel->port == NULL)
            continue;
        pthread_mutex_lock(&channel->lock);
        if (channel->generation != generation || channel->n_lanes != n_tasks) {
            free_lanes(channel);
            channel->lanes = mesh_xcalloc(n_tasks + 1, sizeof *channel->lanes);
            channel->n_lanes = n_tasks;
            for (uint32_t k = 0; k < n_tasks; k++)
                channel->lanes[k].next = 1;
            channel->generation = generation;
            channel->ready = false;
        }
        pthread_mutex_unlock(&channel->lock);
    }
}

static void push(struct lane *lane, struct entry entry)
{
    if (lane->n == lane->cap) {
        uint32_t cap = lane->cap == 0 ? 16 : 2 * lane->cap;
        struct entry *v = mesh_xmalloc(cap * sizeof *v);
        for (uint32_t i = 0; i < lane->n; i++)
            v[i] = lane->v[(lane->head + i) % lane->cap];
        free(lane->v);
        lane->v = v;
        lane->head = 0;
        lane->cap = cap;
    }
    lane->v[(lane->head + lane->n) % lane->cap] = entry;
    lane->n++;
    lane->next++;
}

void mesh_http_live_put(struct mesh_http_live *live, uint32_t product, const struct mesh_live_event *event)
{
    struct channel *channel = &live->channels[product][event->port];
    struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_puts(&text, event->removed ? "event: removed\ndata: " : "data: ");
    mesh_buf_str(&text, event->text);
    mesh_buf_puts(&text, "\n\n");
    size_t n = text.n;
    char *bytes = mesh_buf_take(&text);
    pthread_mutex_lock(&channel->lock);
    mesh_assert(channel->port != NULL && event->task < channel->n_lanes);
    struct lane *lane = &channel->lanes[event->task];
    if (event->sequence < lane->next) {
        free(bytes);
    } else {
        if (event->sequence > lane->next)
            empty_lane(lane);
        lane->next = event->sequence;
        push(lane, (struct entry){++channel->order, bytes, n});
        channel->news = true;
        mesh_metric_add(channel->m_events, 1);
    }
    for (; lane->n > 0 && lane->next - lane->n < event->oldest; lane->n--, lane->head = (lane->head + 1) % lane->cap)
        free(lane->v[lane->head].text);
    pthread_mutex_unlock(&channel->lock);
}

void mesh_http_live_flush(struct mesh_http_live *live, uint32_t product)
{
    bool news = false;
    for (uint32_t i = 0; i < live->service->products[product]->n_ports; i++) {
        struct channel *channel = &live->channels[product][i];
        if (channel->port == NULL)
            continue;
        pthread_mutex_lock(&channel->lock);
        channel->news = channel->news || !channel->ready;
        channel->ready = true;
        news = news || channel->news;
        pthread_mutex_unlock(&channel->lock);
    }
    if (!news)
        return;
    pthread_mutex_lock(&live->lock);
    live->news = true;
    pthread_cond_signal(&live->changed);
    pthread_mutex_unlock(&live->lock);
}

/* ---- readers ---- */
struct mesh_http_live_reader *mesh_http_live_join(struct mesh_http_live *live, uint32_t product, uint32_t port, const char *last_id,
                                                  bool replay)
{
    if (atomic_fetch_add(&live->n_readers, 1) >= MESH_HTTP_LIVE_READERS_MAX) {
        atomic_fetch_sub(&live->n_readers, 1);
        return NULL;
    }
    struct mesh_http_live_reader *reader = mesh_xcalloc(1, sizeof *reader);
    reader->channel = &live->channels[product][port];
    mesh_assert(reader->channel->port != NULL);
    reader->last_id = last_id == NULL ? NULL : mesh_xstrdup(last_id);
    reader->replay = replay;
    mesh_buf_printf(&reader->line, "retry: %d\n\n", MESH_HTTP_LIVE_RETRY_MS);
    pthread_mutex_lock(&reader->channel->lock);
    mesh_metric_set(reader->channel->m_readers, ++reader->channel->n_readers);
    pthread_mutex_unlock(&reader->channel->lock);
    return reader;
}

void mesh_http_live_bind(struct mesh_http_live_reader *reader, void (*sleep)(void *context), void (*wake)(void *context),
                         void *context)
{
    reader->sleep = sleep;
    reader->wake = wake;
    reader->context = context;
}

void mesh_http_live_leave(struct mesh_http_live_reader *reader)
{
    if (reader == NULL)
        return;
    struct channel *channel = reader->channel;
    pthread_mutex_lock(&channel->lock);
    mesh_assert(!reader->asleep);
    mesh_metric_set(channel->m_readers, --channel->n_readers);
    pthread_mutex_unlock(&channel->lock);
    atomic_fetch_sub(&channel->live->n_readers, 1);
    mesh_buf_deinit(&reader->line);
    free(reader->last_id);
    free(reader->at);
    free(reader);
}

void mesh_http_live_count_cut(struct mesh_http_live_reader *reader)
{
    mesh_metric_add_shared(reader->channel->m_cut, 1);
}

static void write_id(const struct mesh_http_live_reader *reader, uint32_t lane, struct mesh_buf *out)
{
    mesh_buf_printf(out, "id: %" PRIx64, reader->generation);
    for (uint32_t i = 0; i < reader->channel->n_lanes; i++) {
        uint64_t at = reader->at[i] + (i == lane ? 1 : 0);
        if (at > 0)
            mesh_buf_printf(out, ".%x:%" PRIx64, i, at);
    }
    mesh_buf_putc(out, '\n');
}

static bool read_hex(const char **p, uint64_t *ret)
{
    char *end = NULL;
    bool digit = (**p >= '0' && **p <= '9') || (**p >= 'a' && **p <= 'f');
    if (!digit || strspn(*p, "0123456789abcdef") > 16)
        return false;
    *ret = strtoull(*p, &end, 16);
    *p = end;
    return true;
}

/* The places that an id names; false: it is not one of this state. */
static bool read_id(const struct mesh_http_live_reader *reader, const char *id)
{
    uint64_t v = 0;
    if (!read_hex(&id, &v) || v != reader->generation)
        return false;
    while (*id == '.') {
        uint64_t lane = 0;
        id++;
        if (!read_hex(&id, &lane) || lane >= reader->channel->n_lanes || *id++ != ':' || !read_hex(&id, &reader->at[lane]))
            return false;
    }
    return *id == '\0';
}

/* Everything behind its place is there. */
static bool can_go_on(const struct mesh_http_live_reader *reader)
{
    for (uint32_t i = 0; i < reader->channel->n_lanes; i++) {
        const struct lane *lane = &reader->channel->lanes[i];
        if (reader->at[i] >= lane->next || reader->at[i] + 1 < lane->next - lane->n)
            return false;
    }
    return true;
}

/* Find its place, and say where that is, so that a client that is cut off before the first event comes back to it. */
static void begin_reader(struct mesh_http_live_reader *reader)
{
    const struct channel *channel = reader->channel;
    bool first = !reader->begun;
    reader->generation = channel->generation;
    free(reader->at);
    reader->at = mesh_xcalloc(channel->n_lanes + 1, sizeof *reader->at);
    bool goes_on = first && reader->last_id != NULL && read_id(reader, reader->last_id) && can_go_on(reader);
    bool reset = !goes_on && (!first || reader->last_id != NULL);
    for (uint32_t i = 0; i < channel->n_lanes && !goes_on; i++) {
        const struct lane *lane = &channel->lanes[i];
        reader->at[i] = lane->next - 1 - (reset || reader->replay ? lane->n : 0);
    }
    reader->begun = true;
    mesh_buf_reset(&reader->line);
    reader->line_at = 0;
    write_id(reader, UINT32_MAX, &reader->line);
    mesh_buf_puts(&reader->line, reset ? "event: reset\ndata: {\"reason\":\"events were missed\"}\n\n" : "\n");
    if (reset)
        mesh_metric_add_shared(channel->m_resets, 1);
}

/* 1: an event is next; 0: there is none; -1: it is gone. */
static int next_event(struct mesh_http_live_reader *reader)
{
    const struct channel *channel = reader->channel;
    uint64_t order = UINT64_MAX;
    for (uint32_t i = 0; i < channel->n_lanes; i++) {
        const struct lane *lane = &channel->lanes[i];
        uint64_t behind = lane->next - 1 - reader->at[i];
        if (behind == 0)
            continue;
        if (behind > lane->n)
            return -1;
        const struct entry *entry = &lane->v[(lane->head + lane->n - (uint32_t)behind) % lane->cap];
        if (entry->order < order) {
            order = entry->order;
            reader->lane = i;
        }
    }
    if (order == UINT64_MAX)
        return 0;
    mesh_buf_reset(&reader->line);
    reader->line_at = 0;
    write_id(reader, reader->lane, &reader->line);
    reader->in_event = true;
    reader->text_at = 0;
    return 1;
}

static size_t copy(char *to, size_t n, const char *from, size_t have, size_t *at)
{
    size_t part = have - *at < n ? have - *at : n;
    memcpy(to, from + *at, part);
    *at += part;
    return part;
}

/* A part of the event at hand; -1: it is gone. */
static ssize_t copy_event(struct mesh_http_live_reader *reader, char *to, size_t n)
{
    const struct channel *channel = reader->channel;
    if (reader->generation != channel->generation)
        return -1;
    const struct lane *lane = &channel->lanes[reader->lane];
    uint64_t behind = lane->next - 1 - reader->at[reader->lane];
    if (behind > lane->n)
        return -1;
    const struct entry *entry = &lane->v[(lane->head + lane->n - (uint32_t)behind) % lane->cap];
    size_t part = copy(to, n, entry->text, entry->n, &reader->text_at);
    if (reader->text_at == entry->n) {
        reader->at[reader->lane]++;
        reader->in_event = false;
    }
    return (ssize_t)part;
}

/* With the lock: fill `to`; -1: cut. */
static ssize_t fill(struct mesh_http_live_reader *reader, char *to, size_t n)
{
    size_t done = 0;
    while (done < n) {
        if (reader->line_at < reader->line.n) {
            done += copy(to + done, n - done, reader->line.p, reader->line.n, &reader->line_at);
        } else if (reader->in_event) {
            ssize_t part = copy_event(reader, to + done, n - done);
            if (part < 0)
                return done > 0 ? (ssize_t)done : -1;
            done += (size_t)part;
        } else if (!reader->channel->ready) {
            break;
        } else if (!reader->begun || reader->generation != reader->channel->generation) {
            begin_reader(reader);
        } else {
            int next = next_event(reader);
            if (next < 0)
                return done > 0 ? (ssize_t)done : -1;
            if (next == 0)
                break;
        }
    }
    return (ssize_t)done;
}

static void fall_asleep(struct mesh_http_live_reader *reader)
{
    struct channel *channel = reader->channel;
    reader->before = channel->last;
    reader->after = NULL;
    *(channel->last == NULL ? &channel->first : &channel->last->after) = reader;
    channel->last = reader;
    channel->n_asleep++;
    reader->asleep = true;
    reader->sleep(reader->context);
}

ssize_t mesh_http_live_read(struct mesh_http_live_reader *reader, char *to, size_t n)
{
    struct channel *channel = reader->channel;
    ssize_t result = MESH_HTTP_LIVE_END;
    pthread_mutex_lock(&channel->lock);
    if (!atomic_load(&channel->live->stop)) {
        result = fill(reader, to, n);
        if (result < 0) {
            mesh_http_live_count_cut(reader);
            result = MESH_HTTP_LIVE_CUT;
        } else if (result == 0 && reader->beat) {
            mesh_buf_reset(&reader->line);
            mesh_buf_puts(&reader->line, ":\n\n");
            reader->line_at = 0;
            result = (ssize_t)copy(to, n, reader->line.p, reader->line.n, &reader->line_at);
        } else if (result == 0) {
            fall_asleep(reader);
        }
        reader->beat = false;
    }
    pthread_mutex_unlock(&channel->lock);
    return result;
}
