/* The URI is taken as it came (MHD_OPTION_URI_LOG_CALLBACK): MHD's own decoding would turn an escaped
 * slash in a key into a separator. The socket is made here, because MHD cannot say why it failed. */
#include "http/server.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"
#include "http/limit.h"
#include "http/peer.h"
#include "http/problem.h"
#include "http/stream.h"
#include "io/wake.h"

#include <microhttpd.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_US      INT64_C(100000)  /* how exactly patience ends */
#define STOP_US      INT64_C(1000000) /* for answers to leave */
#define MEMORY_BYTES (32u << 10)      /* a connection's: request line, headers, a chunk of the body */

/* In the words of GnuTLS: two versions, ciphers that authenticate what they encrypt, and keys that are made for each connection. */
static char tls_versions[] = "SECURE128:+SECURE192:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:"
                             "+AES-128-GCM:-RSA";

struct mesh_http_server {
    struct MHD_Daemon *daemon;
    const struct mesh_http_site *site;
    struct mesh_http_live *live; /* NULL: none */
    struct mesh_metrics *metrics;
    uint16_t port;
    struct mesh_http_limit *limit; /* NULL: none */
    bool asks_peers;               /* clients may show certificates */

    /* requests that wait for rows, the oldest first; all have the same patience */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct incoming *first, *last;
    size_t n_asked; /* questions that are out, given up or not */
    bool sleeps, stop;
    pthread_t patience;
    atomic_uint n_open; /* requests begun and not done */
};

/* A request. While it waits it is in the server's list, and its connection is suspended; who takes it out of the list, under the
 * lock, resumes the connection, and then it is the HTTP thread's again. */
struct incoming {
    char *uri;
    struct mesh_buf body;
    bool begun, too_large;
    char client[INET6_ADDRSTRLEN];
    int64_t begun_us;
    struct mesh_http_request request;
    struct mesh_http_exchange *exchange; /* begun, not finished */
    struct mesh_http_question *question; /* the worker's while it waits, then ours; NULL: given up */
    struct MHD_Connection *connection;
    struct mesh_http_live_reader *live; /* its answer goes on; the response's */
    bool waits;
    int64_t until_us;
    struct incoming *before, *after;
};

int mesh_http_parse_listen(const char *text, char *ret_host, uint16_t *ret_port, struct mesh_err *err)
{
    const char *colon = strrchr(text, ':');
    const char *port = colon == NULL ? text : colon + 1;
    size_t host_n = colon == NULL ? 0 : (size_t)(colon - text);
    int64_t n = 0;
    if (mesh_text_parse_long(mesh_str_of(port), &n) != 0 || n < 0 || n > 65535 || host_n > 63) {
        (void)mesh_err_set(err, MESH_ERR_FATAL, "http.address", "MESH_HTTP_LISTEN '%s' is not host:port, e.g. 127.0.0.1:8083",
                           text);
        return 1;
    }
    if (host_n >= 2 && text[0] == '[' && text[host_n - 1] == ']') {
        text++;
        host_n -= 2;
    }
    if (host_n == 0)
        snprintf(ret_host, 64, "127.0.0.1");
    else
        snprintf(ret_host, 64, "%.*s", (int)host_n, text);
    if (strcmp(ret_host, "localhost") == 0)
        snprintf(ret_host, 64, "127.0.0.1");
    *ret_port = (uint16_t)n;
    return 0;
}

bool mesh_http_is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static int open_socket(const char *host, uint16_t port, uint16_t *ret_port, struct mesh_err *err)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    bool is_six = inet_pton(AF_INET6, host, &six.sin6_addr) == 1;
    if (!is_six && inet_pton(AF_INET, host, &four.sin_addr) != 1)
        return mesh_err_set(err, MESH_ERR_FATAL, "http.address", "MESH_HTTP_LISTEN: '%s' is not an IP address", host);
    int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr *address = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
    socklen_t n = is_six ? sizeof six : sizeof four;
    if (fd < 0 || bind(fd, address, n) != 0 || listen(fd, 512) != 0) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        if (why == EADDRINUSE)
            return mesh_err_set(err, MESH_ERR_FATAL, "http.port_taken",
                                "%s:%u is taken by another process; stop it, or set "
                                "MESH_HTTP_LISTEN to another port",
                                host, port);
        return mesh_err_set(err, MESH_ERR_FATAL, "http.address", "cannot listen on %s:%u: %s", host, port, strerror(why));
    }
    n = is_six ? sizeof six : sizeof four;
    mesh_assert(getsockname(fd, address, &n) == 0);
    *ret_port = ntohs(is_six ? six.sin6_port : four.sin_port);
    return fd;
}

static void *on_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct mesh_http_server *server = context;
    (void)connection;
    atomic_fetch_add_explicit(&server->n_open, 1, memory_order_relaxed);
    struct incoming *in = mesh_xcalloc(1, sizeof *in);
    in->uri = mesh_xstrdup(uri);
    return in;
}

static void on_done(void *context, struct MHD_Connection *connection, void **per_request, enum MHD_RequestTerminationCode code)
{
    struct mesh_http_server *server = context;
    (void)connection;
    struct incoming *in = *per_request;
    if (in == NULL)
        return;
    if (in->live != NULL && code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED)
        mesh_http_live_count_cut(in->live);
    mesh_assert(!in->waits); /* a suspended connection does not end */
    mesh_http_exchange_free(in->exchange);
    mesh_http_question_free(in->question);
    mesh_buf_deinit(&in->body);
    free(in->uri);
    free(in);
    *per_request = NULL;
    atomic_fetch_sub_explicit(&server->n_open, 1, memory_order_relaxed);
}

static struct MHD_Response *whole_response(struct mesh_http_response *answer)
{
    size_t n = answer->body.n;
    char *bytes = n == 0 ? mesh_xstrdup("") : mesh_buf_take(&answer->body);
    struct MHD_Response *response = MHD_create_response_from_buffer(n, bytes, MHD_RESPMEM_MUST_FREE);
    if (response == NULL)
        free(bytes);
    return response;
}

static enum MHD_Result reply(struct MHD_Connection *connection, struct mesh_http_response *answer)
{
    struct MHD_Response *response =
        answer->live != NULL ? mesh_http_stream_response(connection, answer->live) : whole_response(answer);
    if (response == NULL)
        return MHD_NO;
    if (answer->type != NULL && answer->status != 304)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    for (unsigned i = 0; i < answer->n_headers; i++)
        MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static void count(struct mesh_http_server *server, const char *method, const struct mesh_http_response *answer, int64_t us)
{
    char code[16];
    snprintf(code, sizeof code, "%d", answer->status);
    bool known = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "POST") == 0;
    mesh_metric_add_shared(mesh_metric_counter(server->metrics, "mesh_http_requests_total", "Requests answered", "route",
                                               answer->route, "method", known ? method : "other", "code", code, NULL),
                           1);
    mesh_metric_observe_shared(mesh_metric_histogram(server->metrics, "mesh_http_request_duration_seconds",
                                                     "From a request's last byte to its answer", mesh_metric_seconds, "route",
                                                     answer->route, NULL),
                               (double)us / 1e6);
}

/* ---- waiting for rows ---- */
/* With the lock: it waits no more. The lock also covers the resuming, so that the daemon is not stopped in between. */
static void let_go(struct mesh_http_server *server, struct incoming *in)
{
    *(in->before == NULL ? &server->first : &in->before->after) = in->after;
    *(in->after == NULL ? &server->last : &in->after->before) = in->before;
    in->waits = false;
    MHD_resume_connection(in->connection);
}

static void give_up(struct mesh_http_server *server, struct incoming *in)
{
    atomic_store(&in->question->given_up, true);
    in->question = NULL; /* answered() frees it */
    let_go(server, in);
}

/* Any thread. The request is gone when the question was given up. */
static void on_answered(struct mesh_http_question *question)
{
    struct mesh_http_server *server = question->asker;
    pthread_mutex_lock(&server->lock);
    bool wanted = !atomic_load(&question->given_up);
    if (wanted)
        let_go(server, question->asked_for);
    if (--server->n_asked == 0 && server->stop)
        pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    if (!wanted)
        mesh_http_question_free(question);
}

/* False: the server stops, nothing was asked. */
static bool wait_for_rows(struct mesh_http_server *server, struct incoming *in)
{
    pthread_mutex_lock(&server->lock);
    if (server->stop) {
        pthread_mutex_unlock(&server->lock);
        return false;
    }
    struct mesh_http_question *question = mesh_http_take_question(in->exchange);
    question->answered = on_answered;
    question->asker = server;
    question->asked_for = in;
    in->question = question;
    in->until_us = in->begun_us + MESH_HTTP_PATIENCE_US;
    MHD_suspend_connection(in->connection);
    server->n_asked++;
    in->waits = true;
    in->before = server->last;
    in->after = NULL;
    *(server->last == NULL ? &server->first : &server->last->after) = in;
    server->last = in;
    if (server->sleeps) {
        server->sleeps = false;
        pthread_cond_signal(&server->changed);
    }
    pthread_mutex_unlock(&server->lock);
    mesh_http_ask(server->site, question); /* who may answer at once */
    return true;
}

/* Gives up what has waited too long. It looks every TICK_US and not at each request: a wake-up per request would cost more than the
 * request; and it sleeps for good when there is nothing to look at. */
static void *patience(void *context)
{
    struct mesh_http_server *server = context;
    pthread_mutex_lock(&server->lock);
    while (!server->stop) {
        int64_t now_us = mesh_clock_mono_us();
        while (server->first != NULL && server->first->until_us <= now_us)
            give_up(server, server->first);
        server->sleeps = server->first == NULL;
        struct timespec at = mesh_wake_deadline(TICK_US);
        if (server->sleeps)
            pthread_cond_wait(&server->changed, &server->lock);
        else
            (void)pthread_cond_timedwait(&server->changed, &server->lock, &at);
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* ---- requests ---- */
static enum MHD_Result send_answer(struct mesh_http_server *server, struct incoming *in, struct mesh_http_response *answer)
{
    in->live = answer->live;
    enum MHD_Result result = reply(in->connection, answer);
    count(server, in->request.method, answer, mesh_clock_mono_us() - in->begun_us);
    mesh_http_response_deinit(answer);
    return result;
}

static enum MHD_Result refuse_body(struct mesh_http_server *server, struct incoming *in)
{
    struct mesh_http_response answer = {.status = 413, .type = MESH_HTTP_PROBLEM_TYPE, .route = "other"};
    struct mesh_http_problem problem = {0};
    mesh_http_problem_set(&problem, 413, "a body has at most %u bytes", MESH_HTTP_BODY_BYTES_MAX);
    mesh_http_problem_write(&problem, "", "", &answer.body);
    return send_answer(server, in, &answer);
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* Called again after the connection was resumed; without an answer it is a 503. */
static enum MHD_Result on_rows(struct mesh_http_server *server, struct incoming *in)
{
    struct mesh_http_response answer = {0};
    mesh_http_finish(in->exchange, in->question, &answer);
    in->exchange = NULL;
    mesh_http_question_free(in->question);
    in->question = NULL;
    return send_answer(server, in, &answer);
}

static void write_address(const struct sockaddr *address, char ret[INET6_ADDRSTRLEN])
{
    const void *at = address->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
                                                    : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    if (inet_ntop(address->sa_family, at, ret, INET6_ADDRSTRLEN) == NULL)
        ret[0] = '\0';
}

/* A connection shows its certificate when it begins, and what it is worth is known from its first request on. */
static const struct mesh_http_peer *peer_of(struct MHD_Connection *connection)
{
    struct mesh_http_peer **peer = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    if (*peer == NULL)
        *peer = mesh_http_peer_new(connection);
    return *peer;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **per_connection,
                          enum MHD_ConnectionNotificationCode code)
{
    (void)context;
    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *per_connection = mesh_xcalloc(1, sizeof(struct mesh_http_peer *));
    } else if (*per_connection != NULL) {
        mesh_http_peer_free(*(struct mesh_http_peer **)*per_connection);
        free(*per_connection);
        *per_connection = NULL;
    }
}

/* All of it is here. */
static enum MHD_Result on_whole(struct mesh_http_server *server, struct incoming *in, const char *method)
{
    struct mesh_http_response answer = {0};
    in->begun_us = mesh_clock_mono_us();
    in->request = (struct mesh_http_request){.method = method,
                                             .uri = in->uri,
                                             .if_none_match = header(in->connection, "If-None-Match"),
                                             .accept = header(in->connection, "Accept"),
                                             .traceparent = header(in->connection, "traceparent"),
                                             .last_event_id = header(in->connection, "Last-Event-ID"),
                                             .authorization = header(in->connection, "Authorization"),
                                             .api_key = header(in->connection, "X-API-Key"),
                                             .client = in->client,
                                             .peer = server->asks_peers ? peer_of(in->connection) : NULL,
                                             .body = {in->body.p, (uint32_t)in->body.n}};
    if (in->too_large)
        return refuse_body(server, in);
    const struct sockaddr *client = MHD_get_connection_info(in->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    write_address(client, in->client);
    if (server->limit != NULL)
        in->request.wait_s = mesh_http_limit_take(server->limit, client, in->begun_us);
    in->exchange = mesh_http_begin(server->site, &in->request, &answer);
    if (in->exchange == NULL)
        return send_answer(server, in, &answer);
    return wait_for_rows(server, in) ? MHD_YES : on_rows(server, in);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_n, void **per_request)
{
    (void)url;
    (void)version;
    struct mesh_http_server *server = context;
    struct incoming *in = *per_request;
    if (!in->begun) {
        in->begun = true;
        in->connection = connection;
        return MHD_YES;
    }
    if (*upload_n > 0) {
        if (in->body.n + *upload_n > MESH_HTTP_BODY_BYTES_MAX)
            in->too_large = true;
        else
            mesh_buf_add(&in->body, upload, *upload_n);
        *upload_n = 0;
        return MHD_YES;
    }
    return in->exchange == NULL ? on_whole(server, in, method) : on_rows(server, in);
}

static void silent(void *context, const char *format, va_list args)
{
    (void)context;
    (void)format;
    (void)args;
}

static void free_server(struct mesh_http_server *server)
{
    mesh_http_limit_free(server->limit);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int mesh_http_server_start(const struct mesh_http_conf *conf, const struct mesh_http_site *site, struct mesh_metrics *metrics,
                           struct mesh_http_server **ret, struct mesh_err *err)
{
    char host[64];
    uint16_t port = 0;
    if (mesh_http_parse_listen(conf->listen, host, &port, err) != 0)
        return -1;
    bool tls = conf->tls != NULL && conf->tls->cert != NULL;
    if (!conf->insecure && !mesh_http_is_loopback(host) && (!tls || !conf->authenticated))
        return mesh_err_set(
            err, MESH_ERR_FATAL, "http.insecure",
            "refusing to listen on %s: others than this machine are served over TLS (MESH_HTTP_CERT_FILE, "
            "MESH_HTTP_KEY_FILE) and must say who they are (MESH_HTTP_API_KEYS_FILE or MESH_HTTP_JWKS_FILE); here %s. "
            "If something in front of it sees to both, say so with MESH_HTTP_INSECURE=1",
            host,
            tls                   ? "are no credentials"
            : conf->authenticated ? "is no TLS"
                                  : "is neither");
    int fd = open_socket(host, port, &port, err);
    if (fd < 0)
        return -1;
    struct mesh_http_server *server = mesh_xcalloc(1, sizeof *server);
    server->site = site;
    server->live = conf->live;
    server->metrics = metrics;
    server->port = port;
    server->asks_peers = tls && conf->tls->client_ca != NULL;
    if (conf->client_rate > 0)
        server->limit = mesh_http_limit_new(conf->client_rate);
    mesh_assert(pthread_mutex_init(&server->lock, NULL) == 0);
    mesh_wake_cond_init(&server->changed);
    struct MHD_OptionItem secure[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, tls ? conf->tls->cert : NULL},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, tls ? conf->tls->key : NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, tls_versions},
        {server->asks_peers ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, server->asks_peers ? conf->tls->client_ca : NULL},
        {MHD_OPTION_END, 0, NULL}};
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL,
        on_request, server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)MESH_HTTP_THREADS,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)(MESH_HTTP_CONNECTIONS_MAX + MESH_HTTP_LIVE_READERS_MAX),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)MESH_HTTP_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_NOTIFY_COMPLETED,
        on_done, server, MHD_OPTION_EXTERNAL_LOGGER, silent, NULL, MHD_OPTION_ARRAY, tls ? secure : &secure[4], MHD_OPTION_END);
    if (server->daemon == NULL) {
        close(fd);
        free_server(server);
        return mesh_err_set(err, MESH_ERR_FATAL, "http.start", "the HTTP server does not start: %s", strerror(errno));
    }
    mesh_assert(pthread_create(&server->patience, NULL, patience, server) == 0);
    *ret = server;
    return 0;
}

uint16_t mesh_http_server_port(const struct mesh_http_server *server)
{
    return server->port;
}

struct mesh_http_server *mesh_http_server_stop(struct mesh_http_server *server)
{
    if (server == NULL)
        return NULL;
    pthread_mutex_lock(&server->lock);
    server->stop = true;
    while (server->first != NULL)
        give_up(server, server->first);
    pthread_cond_broadcast(&server->changed);
    while (server->n_asked > 0)
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->patience, NULL);
    if (server->live != NULL)
        mesh_http_live_stop(server->live);
    int64_t until_us = mesh_clock_mono_us() + STOP_US;
    while (atomic_load(&server->n_open) > 0 && mesh_clock_mono_us() < until_us)
        (void)usleep(1000);
    MHD_stop_daemon(server->daemon);
    free_server(server);
    return NULL;
}
