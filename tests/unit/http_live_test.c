/* Readers of server-sent events: what they get, byte for byte; and when they are let go, woken, cut and reset. */
#include "../check.h"

#include "base/check.h"
#include "base/clock.h"
#include "http/live.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define DEADLINE_US INT64_C(20000000)
#define NO_BEAT     INT64_C(3600000000)

static const struct mesh_field fields[] = {{.name = "id", .type = MESH_LONG}};
static const struct mesh_port ports[] = {{.name = "rows", .kind = MESH_PORT_HTTP, .path = "/rows"},
                                         {.name = "live", .kind = MESH_PORT_SSE, .path = "/live", .out = fields, .n_out = 1}};
static const struct mesh_product product = {.domain = "d", .name = "p", .ports = ports, .n_ports = 2};
static const struct mesh_product *const products[] = {&product};
static const struct mesh_service service = {"d", products, 1, 0};

struct world {
    struct mesh_metrics *metrics;
    struct mesh_http_live *live;
    uint64_t n[4]; /* told, per task */
};

static void begin(struct world *w, int64_t beat_us)
{
    *w = (struct world){.metrics = mesh_metrics_new()};
    w->live = mesh_http_live_new(&service, w->metrics, beat_us);
    mesh_http_live_begin(w->live, 0, 0xab, 4);
}

static void end(struct world *w)
{
    mesh_http_live_free(w->live);
    mesh_metrics_free(w->metrics);
}

static void tell(struct world *w, uint32_t task, const char *text, uint64_t oldest)
{
    struct mesh_live_event e = {.port = 1, .task = task, .sequence = ++w->n[task], .oldest = oldest, .text = mesh_str_of(text)};
    mesh_http_live_put(w->live, 0, &e);
    mesh_http_live_flush(w->live, 0);
}

struct reader {
    struct mesh_http_live_reader *reader;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    unsigned asleep, woken;
    char text[4096];
};

static void on_sleep(void *context)
{
    ((struct reader *)context)->asleep++;
}

static void on_wake(void *context)
{
    struct reader *r = context;
    pthread_mutex_lock(&r->lock);
    r->woken++;
    pthread_cond_signal(&r->cond);
    pthread_mutex_unlock(&r->lock);
}

static void join(struct world *w, struct reader *r, const char *last_id, bool replay)
{
    *r = (struct reader){.reader = mesh_http_live_join(w->live, 0, 1, last_id, replay)};
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->cond, NULL);
    mesh_assert(r->reader != NULL);
    mesh_http_live_bind(r->reader, on_sleep, on_wake, r);
}

static void leave(struct reader *r)
{
    mesh_http_live_leave(r->reader);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->cond);
}

/* All that there is, read in pieces of `piece` bytes, until it sleeps or ends; the last result. */
static ssize_t take(struct reader *r, size_t piece)
{
    size_t n = 0;
    ssize_t got = 0;
    while ((got = mesh_http_live_read(r->reader, r->text + n, piece)) > 0)
        n += (size_t)got;
    r->text[n] = '\0';
    return got;
}

static void wait_woken(struct reader *r, unsigned times)
{
    pthread_mutex_lock(&r->lock);
    while (r->woken < times)
        pthread_cond_wait(&r->cond, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

CASE(a_reader_gets_what_comes_from_now_on)
{
    struct world w;
    struct reader r;
    begin(&w, NO_BEAT);
    tell(&w, 1, "{\"id\":1}", 1);
    join(&w, &r, NULL, false);
    CHECK_EQ_I64(take(&r, 5), 0);
    CHECK_STR(r.text, "retry: 2000\n\nid: ab.1:1\n\n");
    CHECK_EQ_I64(r.asleep, 1);
    tell(&w, 2, "{\"id\":2}", 1);
    wait_woken(&r, 1);
    CHECK_EQ_I64(take(&r, 3), 0);
    CHECK_STR(r.text, "id: ab.1:1.2:1\ndata: {\"id\":2}\n\n");
    CHECK_EQ_I64((int64_t)mesh_metric_value(mesh_metric_find(w.metrics, "mesh_sse_readers", "route", "/live", NULL)), 1);
    mesh_http_live_stop(w.live);
    leave(&r);
    end(&w);
}

CASE(an_id_goes_on_behind_it_in_the_order_of_each_task)
{
    struct world w;
    struct reader r;
    begin(&w, NO_BEAT);
    tell(&w, 0, "a1", 1);
    tell(&w, 3, "d1", 1);
    tell(&w, 0, "a2", 1);
    join(&w, &r, "ab.3:1", false);
    CHECK_EQ_I64(take(&r, 100), 0);
    CHECK_STR(r.text, "retry: 2000\n\nid: ab.3:1\n\nid: ab.0:1.3:1\ndata: a1\n\nid: ab.0:2.3:1\ndata: a2\n\n");
    mesh_http_live_stop(w.live);
    leave(&r);
    join(&w, &r, NULL, true);
    CHECK_EQ_I64(take(&r, 100), MESH_HTTP_LIVE_END);
    leave(&r);
    end(&w);
}

/* Readers meet only what the restored state holds: before it is all there, nobody can be told that he missed something. */
CASE(a_reader_waits_until_the_state_is_there)
{
    struct world w;
    struct reader r;
    begin(&w, NO_BEAT);
    join(&w, &r, "ab.0:2", false);
    CHECK_EQ_I64(take(&r, 100), 0);
    CHECK_STR(r.text, "retry: 2000\n\n");
    for (uint64_t i = 1; i <= 3; i++) {
        struct mesh_live_event e = {.port = 1, .task = 0, .sequence = i, .oldest = 1, .text = MESH_STR("x")};
        mesh_http_live_put(w.live, 0, &e);
    }
    mesh_http_live_flush(w.live, 0);
    wait_woken(&r, 1);
    CHECK_EQ_I64(take(&r, 100), 0);
    CHECK_STR(r.text, "id: ab.0:2\n\nid: ab.0:3\ndata: x\n\n");
    mesh_http_live_stop(w.live);
    leave(&r);
    end(&w);
}

CASE(what_is_missing_or_strange_is_a_reset_and_then_all_there_is)
{
    static const char *const ids[] = {
        "ab.0:1", "ab", "ab.0:9", "ac.0:3", "", "ab.9:1", "ab.0", "ab.0:3 ", "AB.0:3", "ab.0:00000000000000003", "ab.0:-3", "x"};
    struct world w;
    begin(&w, NO_BEAT);
    for (int i = 0; i < 5; i++)
        tell(&w, 0, i == 3 ? "four" : "five", 4);
    for (size_t i = 0; i < MESH_LEN(ids); i++) {
        struct reader r;
        join(&w, &r, ids[i], i % 2 == 0);
        (void)take(&r, 100);
        CHECK_STR(r.text, "retry: 2000\n\nid: ab.0:3\nevent: reset\ndata: {\"reason\":\"events were missed\"}\n\n"
                          "id: ab.0:4\ndata: four\n\nid: ab.0:5\ndata: five\n\n");
        tell(&w, 1, "on", 1); /* lets it out of its sleep */
        wait_woken(&r, 1);
        leave(&r);
        mesh_http_live_begin(w.live, 0, 0xcd, 4);
        mesh_http_live_begin(w.live, 0, 0xab, 4);
        w.n[0] = 3;
        w.n[1] = 0;
        tell(&w, 0, "four", 4);
        tell(&w, 0, "five", 4);
    }
    end(&w);
}

/* A reset of the product, or a new embedded broker, while a reader is there. */
CASE(another_state_is_a_reset)
{
    struct world w;
    struct reader r;
    begin(&w, NO_BEAT);
    tell(&w, 0, "old", 1);
    join(&w, &r, NULL, false);
    (void)take(&r, 100);
    w.n[0] = 0;
    mesh_http_live_begin(w.live, 0, 0xcd, 2);
    tell(&w, 0, "new", 1);
    wait_woken(&r, 1);
    CHECK_EQ_I64(take(&r, 100), 0);
    CHECK_STR(r.text, "id: cd\nevent: reset\ndata: {\"reason\":\"events were missed\"}\n\nid: cd.0:1\ndata: new\n\n");
    mesh_http_live_stop(w.live);
    leave(&r);
    end(&w);
}

CASE(a_reader_that_is_too_slow_is_cut)
{
    struct world w;
    struct reader r;
    begin(&w, NO_BEAT);
    join(&w, &r, NULL, false);
    mesh_http_live_flush(w.live, 0);
    CHECK_EQ_I64(take(&r, 100), 0);
    for (uint64_t i = 1; i <= 10; i++)
        tell(&w, 0, "event", i < 4 ? 1 : i - 2);
    wait_woken(&r, 1);
    CHECK_EQ_I64(take(&r, 100), MESH_HTTP_LIVE_CUT); /* 1 to 7 are gone */
    CHECK_EQ_I64((int64_t)mesh_metric_value(mesh_metric_find(w.metrics, "mesh_sse_cut_total", "route", "/live", NULL)), 1);
    leave(&r);
    end(&w);
}

CASE(a_reader_in_the_middle_of_an_event_that_goes_is_cut)
{
    struct world w;
    struct reader r;
    begin(&w, NO_BEAT);
    tell(&w, 0, "a long event", 1);
    join(&w, &r, NULL, true);
    CHECK(mesh_http_live_read(r.reader, r.text, 40) == 40);
    tell(&w, 0, "another", 2);
    CHECK_EQ_I64(take(&r, 10), MESH_HTTP_LIVE_CUT);
    leave(&r);
    end(&w);
}

CASE(events_that_were_told_before_are_passed_over)
{
    struct world w;
    struct reader r;
    begin(&w, NO_BEAT);
    tell(&w, 0, "one", 1);
    w.n[0] = 0;
    tell(&w, 0, "one", 1);
    tell(&w, 0, "two", 1);
    join(&w, &r, NULL, true);
    (void)take(&r, 7);
    CHECK_STR(r.text, "retry: 2000\n\nid: ab\n\nid: ab.0:1\ndata: one\n\nid: ab.0:2\ndata: two\n\n");
    mesh_http_live_stop(w.live);
    leave(&r);
    end(&w);
}

CASE(silence_is_broken_by_comments)
{
    struct world w;
    struct reader r;
    begin(&w, 20000);
    join(&w, &r, NULL, false);
    mesh_http_live_flush(w.live, 0);
    CHECK(mesh_http_live_read(r.reader, r.text, 100) > 0);
    for (unsigned i = 1; i < 4; i++) {
        if (mesh_http_live_read(r.reader, r.text, 100) != 0)
            break;
        wait_woken(&r, i);
        ssize_t n = mesh_http_live_read(r.reader, r.text, 100);
        CHECK(n == 0 || (n == 3 && memcmp(r.text, ":\n\n", 3) == 0)); /* 0: it was woken by the flush */
        if (n == 0)
            break;
    }
    mesh_http_live_stop(w.live);
    leave(&r);
    end(&w);
}

CASE(there_is_room_for_so_many_and_no_more)
{
    struct world w;
    static struct mesh_http_live_reader *all[MESH_HTTP_LIVE_READERS_MAX];
    begin(&w, NO_BEAT);
    for (size_t i = 0; i < MESH_LEN(all); i++)
        all[i] = mesh_http_live_join(w.live, 0, 1, NULL, false);
    CHECK(all[MESH_LEN(all) - 1] != NULL);
    CHECK(mesh_http_live_join(w.live, 0, 1, NULL, false) == NULL);
    mesh_http_live_leave(all[0]);
    all[0] = mesh_http_live_join(w.live, 0, 1, NULL, false);
    CHECK(all[0] != NULL);
    for (size_t i = 0; i < MESH_LEN(all); i++)
        mesh_http_live_leave(all[i]);
    end(&w);
}

/* Many readers on threads of their own while one tells: each gets all of it, in order, and none is left asleep. */
#define TOLD 2000

static void *follow(void *context)
{
    struct reader *r = context;
    char text[512];
    size_t have = 0;
    unsigned slept = 0;
    int64_t want = 1;
    while (want <= TOLD) {
        ssize_t n = mesh_http_live_read(r->reader, text + have, sizeof text - 1 - have);
        if (n < 0)
            break;
        if (n == 0)
            wait_woken(r, ++slept);
        have += (size_t)n;
        text[have] = '\0';
        char *from = text;
        for (char *end_at = strstr(from, "\n\n"); end_at != NULL; from = end_at + 2, end_at = strstr(from, "\n\n")) {
            *end_at = '\0';
            const char *data = strstr(from, "data: ");
            if (data != NULL && strtoll(data + 6, NULL, 10) == want)
                want++;
            else if (data != NULL)
                return NULL;
        }
        have = strlen(from);
        memmove(text, from, have + 1);
    }
    return want > TOLD ? r : NULL;
}

CASE(readers_and_the_teller_do_not_lose_each_other)
{
    struct world w;
    static struct reader readers[8];
    pthread_t threads[8];
    begin(&w, 1000);
    for (size_t i = 0; i < MESH_LEN(readers); i++) {
        join(&w, &readers[i], NULL, true);
        mesh_assert(pthread_create(&threads[i], NULL, follow, &readers[i]) == 0);
    }
    for (int i = 1; i <= TOLD; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        tell(&w, 0, text, 1);
    }
    for (size_t i = 0; i < MESH_LEN(readers); i++) {
        void *got = NULL;
        pthread_join(threads[i], &got);
        CHECK(got == &readers[i]);
    }
    mesh_http_live_stop(w.live);
    for (size_t i = 0; i < MESH_LEN(readers); i++)
        leave(&readers[i]);
    end(&w);
}
