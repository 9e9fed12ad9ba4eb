/* The server over real sockets, with a backend that answers when told to: nobody holds a thread while waiting, and every question
 * and every request ends once, however late, early or never its other side comes. Run it under sanitizers, too. */
#include "../check.h"

#include "../embedded/shop.h"
#include "base/check.h"
#include "base/clock.h"
#include "http/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE_US INT64_C(20000000)
#define MANY        64

enum mode { AT_ONCE, BY_THREAD, HOLD };

struct backend {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct mesh_http_question *held[4 * MANY];
    size_t n_held;
    enum mode mode;
    bool stop;
    pthread_t thread;
};

static void answer(struct mesh_http_question *question)
{
    struct shop_totals_out totals = {.country = MESH_STR("DE"), .total = 100, .n = 1};
    struct shop_customers_out customer = {.customer = MESH_STR("ann"), .orders = 2};
    if (!atomic_load(&question->given_up)) {
        if (question->read.view == SHOP_VIEW_TOTALS)
            mesh_buf_add(&question->rows.rows, &totals, sizeof totals);
        else
            mesh_buf_add(&question->rows.rows, &customer, sizeof customer);
        question->rows.n = question->rows.count = 1;
    }
    question->answered(question);
}

static void ask(void *context, struct mesh_http_question *question)
{
    struct backend *backend = context;
    pthread_mutex_lock(&backend->lock);
    bool at_once = backend->mode == AT_ONCE;
    if (!at_once)
        backend->held[backend->n_held++] = question;
    pthread_cond_broadcast(&backend->cond);
    pthread_mutex_unlock(&backend->lock);
    if (at_once)
        answer(question);
}

static bool health(void *context, enum mesh_http_health which, struct mesh_buf *out)
{
    (void)context;
    (void)which;
    mesh_buf_puts(out, "{}");
    return true;
}

static void metrics(void *context, struct mesh_buf *out)
{
    (void)context;
    mesh_buf_puts(out, "m 1\n");
}

static void *answer_all(void *context)
{
    struct backend *backend = context;
    pthread_mutex_lock(&backend->lock);
    for (;;) {
        while (!backend->stop && (backend->mode != BY_THREAD || backend->n_held == 0))
            pthread_cond_wait(&backend->cond, &backend->lock);
        if (backend->mode != BY_THREAD || backend->n_held == 0)
            break;
        struct mesh_http_question *question = backend->held[--backend->n_held];
        pthread_mutex_unlock(&backend->lock);
        answer(question);
        pthread_mutex_lock(&backend->lock);
    }
    pthread_mutex_unlock(&backend->lock);
    return NULL;
}

static void set_mode(struct backend *backend, enum mode mode)
{
    pthread_mutex_lock(&backend->lock);
    backend->mode = mode;
    pthread_cond_broadcast(&backend->cond);
    pthread_mutex_unlock(&backend->lock);
}

/* Until this many questions are held. */
static bool held_until(struct backend *backend, size_t n)
{
    int64_t until_us = mesh_clock_mono_us() + DEADLINE_US;
    for (;;) {
        pthread_mutex_lock(&backend->lock);
        bool there = backend->n_held >= n;
        pthread_mutex_unlock(&backend->lock);
        if (there || mesh_clock_mono_us() > until_us)
            return there;
        (void)poll(NULL, 0, 1);
    }
}

/* ---- world ---- */
struct world {
    struct backend backend;
    struct mesh_metrics *metrics;
    struct mesh_http_site *site;
    struct mesh_http_server *server;
};

static void world_init_limited(struct world *w, enum mode mode, int64_t rate)
{
    *w = (struct world){.backend = {.mode = mode}};
    struct mesh_http_backend backend = {&w->backend, ask, health, metrics, NULL, NULL, NULL};
    static const struct mesh_str key = {"a key of the tests only", 23};
    struct mesh_err err = {0};
    pthread_mutex_init(&w->backend.lock, NULL);
    pthread_cond_init(&w->backend.cond, NULL);
    pthread_create(&w->backend.thread, NULL, answer_all, &w->backend);
    w->metrics = mesh_metrics_new();
    mesh_assert(mesh_http_site_new(&shop_service, &key, &backend, &w->site, &err) == 0);
    mesh_assert(mesh_http_server_start(&(struct mesh_http_conf){.listen = "127.0.0.1:0", .client_rate = rate}, w->site, w->metrics,
                                       &w->server, &err) == 0);
}

static void world_init(struct world *w, enum mode mode)
{
    world_init_limited(w, mode, 0);
}

static void world_deinit(struct world *w)
{
    w->server = mesh_http_server_stop(w->server);
    pthread_mutex_lock(&w->backend.lock);
    w->backend.stop = true;
    pthread_cond_broadcast(&w->backend.cond);
    pthread_mutex_unlock(&w->backend.lock);
    pthread_join(w->backend.thread, NULL);
    pthread_cond_destroy(&w->backend.cond);
    pthread_mutex_destroy(&w->backend.lock);
    mesh_http_site_free(w->site);
    mesh_metrics_free(w->metrics);
}

/* ---- client ---- */
static int dial(const struct world *w)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(mesh_http_server_port(w->server)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = DEADLINE_US / 1000000};
    mesh_assert(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    mesh_assert(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    return fd;
}

static void request(int fd, const char *text)
{
    mesh_assert(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

#define GET_POINT "GET /totals/DE HTTP/1.1\r\nHost: x\r\n\r\n"
#define GET_LIVE  "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
#define LOOKUP    "POST /customers/lookup HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{\"key\":\"ann\"}"

/* Reads one whole answer; its status, 0 when the connection ended. */
static int status(int fd)
{
    char text[8192];
    size_t n = 0;
    for (;;) {
        char *end = n == 0 ? NULL : memmem(text, n, "\r\n\r\n", 4);
        if (end != NULL) {
            text[n] = '\0';
            const char *length = strstr(text, "Content-Length: ");
            size_t body = length == NULL ? 0 : (size_t)atol(length + 16);
            if (n >= (size_t)(end + 4 - text) + body)
                return atoi(text + 9);
        }
        ssize_t got = recv(fd, text + n, sizeof text - 1 - n, 0);
        if (got <= 0)
            return 0;
        n += (size_t)got;
    }
}

CASE(answers_come_at_once_or_later_on_one_connection)
{
    struct world w;
    world_init(&w, AT_ONCE);
    int fd = dial(&w);
    for (int i = 0; i < 50; i++) {
        set_mode(&w.backend, i % 2 == 0 ? AT_ONCE : BY_THREAD);
        request(fd, i % 5 == 0 ? LOOKUP : GET_POINT);
        CHECK_EQ_I64(status(fd), 200);
    }
    static const char head[] = "HEAD /totals/DE HTTP/1.1\r\nHost: x\r\n\r\n";
    request(fd, head); /* the head of the answer and no body: so the next one's head follows at once */
    char text[4096];
    size_t n = 0;
    while (n < sizeof text - 1 && memmem(text, n, "\r\n\r\n", 4) == NULL) {
        ssize_t got = recv(fd, text + n, sizeof text - 1 - n, 0);
        REQUIRE(got > 0);
        n += (size_t)got;
    }
    text[n] = '\0';
    CHECK_CONTAINS(text, "HTTP/1.1 200");
    CHECK_CONTAINS(text, "ETag: ");
    CHECK(n == (size_t)(strstr(text, "\r\n\r\n") + 4 - text));
    request(fd, "GET /totals?nothing=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK_EQ_I64(status(fd), 400);
    close(fd);
    world_deinit(&w);
}

CASE(a_client_that_asks_too_often)
{
    struct world w;
    world_init_limited(&w, AT_ONCE, 1); /* one a second, so all but the first, whatever the clock does within one */
    int fd = dial(&w), refused = 0;
    for (int i = 0; i < 20; i++) {
        request(fd, GET_POINT);
        refused += status(fd) == 429;
    }
    CHECK(refused > 0);
    request(fd, GET_LIVE);
    CHECK_EQ_I64(status(fd), 200);
    close(fd);
    world_deinit(&w);
}

CASE(those_who_wait_hold_no_thread)
{
    struct world w;
    int fds[MANY];
    world_init(&w, HOLD);
    for (size_t i = 0; i < MANY; i++) {
        fds[i] = dial(&w);
        request(fds[i], GET_POINT);
    }
    CHECK(held_until(&w.backend, MANY));
    int other = dial(&w);
    request(other, GET_LIVE);
    CHECK_EQ_I64(status(other), 200); /* while 64 wait for 4 threads */
    set_mode(&w.backend, BY_THREAD);
    for (size_t i = 0; i < MANY; i++) {
        CHECK_EQ_I64(status(fds[i]), 200);
        close(fds[i]);
    }
    close(other);
    world_deinit(&w);
}

CASE(patience_ends_and_the_late_answer_finds_nobody)
{
    struct world w;
    world_init(&w, HOLD);
    int fd = dial(&w);
    request(fd, GET_POINT);
    CHECK_EQ_I64(status(fd), 503);
    set_mode(&w.backend, BY_THREAD); /* now the answer comes */
    request(fd, GET_POINT);
    CHECK_EQ_I64(status(fd), 200);
    close(fd);
    world_deinit(&w);
}

CASE(clients_that_went_away)
{
    struct world w;
    world_init(&w, HOLD);
    for (size_t i = 0; i < MANY; i++) {
        int fd = dial(&w);
        request(fd, i % 3 == 0 ? LOOKUP : GET_POINT);
        if (i % 2 == 0) {
            struct linger now = {1, 0}; /* a reset instead of an end */
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        CHECK(held_until(&w.backend, i + 1));
        close(fd);
    }
    set_mode(&w.backend, BY_THREAD);
    int fd = dial(&w);
    request(fd, GET_POINT);
    CHECK_EQ_I64(status(fd), 200);
    close(fd);
    world_deinit(&w);
}

static void *stop_server(void *context)
{
    struct world *w = context;
    w->server = mesh_http_server_stop(w->server);
    return NULL;
}

CASE(stops_while_questions_are_out)
{
    struct world w;
    int fds[MANY];
    pthread_t stopper;
    world_init(&w, HOLD);
    for (size_t i = 0; i < MANY; i++) {
        fds[i] = dial(&w);
        request(fds[i], GET_POINT);
    }
    CHECK(held_until(&w.backend, MANY));
    pthread_create(&stopper, NULL, stop_server, &w);
    for (size_t i = 0; i < MANY; i++)
        CHECK_EQ_I64(status(fds[i]), 503); /* told, not cut off */
    set_mode(&w.backend, BY_THREAD);       /* the server waits for these */
    pthread_join(stopper, NULL);
    for (size_t i = 0; i < MANY; i++)
        close(fds[i]);
    world_deinit(&w);
}

/* Many clients, some of whom leave, while the server stops under them. */
static void *client(void *context)
{
    const struct world *w = context;
    for (int i = 0; i < 40; i++) {
        struct sockaddr_in to = {
            .sin_family = AF_INET, .sin_port = htons(mesh_http_server_port(w->server)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
            (void)send(fd, GET_POINT, strlen(GET_POINT), MSG_NOSIGNAL);
            if (i % 4 != 0) {
                int got = status(fd);
                CHECK(got == 200 || got == 503 || got == 0);
            }
        }
        close(fd);
    }
    return NULL;
}

CASE(many_clients_at_once)
{
    struct world w;
    pthread_t clients[8];
    world_init(&w, BY_THREAD);
    for (size_t i = 0; i < MESH_LEN(clients); i++)
        pthread_create(&clients[i], NULL, client, &w);
    for (size_t i = 0; i < MESH_LEN(clients); i++)
        pthread_join(clients[i], NULL);
    world_deinit(&w);
}
