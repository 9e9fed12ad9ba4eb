/* A service from its start to its end: settings, state, HTTP, workers, signals.
 *
 * The order of the start is the promise of /readyz: state first (milliseconds), then HTTP, and only
 * then the broker, which may be away. Everything a thread tells the main thread comes through one
 * eventfd, everything the operator tells it through one signalfd. */
#include "app/config.h"
#include "app/members.h"
#include "app/trail.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "http/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define EXIT_WRONG 2
#define BEGIN_ANEW (-1)             /* of run(): the same program with the same settings, as what its state now is */
#define STOP_US    INT64_C(9500000) /* a stop takes at most ten seconds, whatever hangs */
#define OPEN_FILES (MESH_HTTP_CONNECTIONS_MAX + MESH_HTTP_LIVE_READERS_MAX + 1024)
#define FREE_S     3 /* and then giving everything back at most these */

struct service {
    const struct mesh_service *declared;
    struct mesh_config config;
    struct mesh_metrics *metrics;
    struct mesh_members **products;
    struct mesh_http_live *live;
    struct mesh_http_auth *auth; /* NULL: callers are not known */
    struct mesh_trail *trail;    /* NULL: no audit */
    struct mesh_http_site *site;
    struct mesh_http_server *server;
    int events;  /* eventfd */
    int signals; /* signalfd */
};

static const char *environment(const char *name)
{
    return getenv(name);
}

/* ---- what HTTP asks ---- */
static void on_ask(void *context, struct mesh_http_question *question)
{
    struct service *s = context;
    mesh_members_ask(s->products[question->product], question);
}

static bool on_health(void *context, enum mesh_http_health which, struct mesh_buf *out)
{
    struct service *s = context;
    if (which == MESH_HTTP_LIVE) {
        bool alive = true;
        for (uint32_t i = 0; i < s->declared->n_products; i++)
            alive = alive && mesh_members_alive(s->products[i]);
        mesh_buf_printf(out, "{\"live\":%s}\n", alive ? "true" : "false");
        return alive;
    }
    bool ready = true, degraded = false;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf products = MESH_BUF_NULL;
    for (uint32_t i = 0; i < s->declared->n_products; i++) {
        if (i > 0)
            mesh_buf_putc(&products, ',');
        bool one = mesh_members_ready(s->products[i], &products, &degraded);
        ready = ready && one;
    }
    if (which == MESH_HTTP_STARTED) {
        mesh_buf_puts(out, "{\"started\":true}\n");
        return true;
    }
    mesh_buf_printf(out, "{\"ready\":%s,\"status\":\"%s\",\"products\":[%s]}\n", ready ? "true" : "false",
                    !ready     ? "unavailable"
                    : degraded ? "degraded"
                               : "ok",
                    products.p == NULL ? "" : products.p);
    return ready;
}

static int on_disclosed(void *context, const struct mesh_http_disclosure *disclosure)
{
    struct service *s = context;
    return mesh_trail_add(s->trail, disclosure);
}

static void on_metrics(void *context, struct mesh_buf *out)
{
    struct service *s = context;
    mesh_trail_measure(s->trail);
    mesh_metrics_render(s->metrics, out);
}

/* ---- start and stop ---- */
static void on_ended(void *context)
{
    struct service *s = context;
    uint64_t one = 1;
    (void)!write(s->events, &one, sizeof one);
}

static int block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    mesh_assert(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static int start(struct service *s, struct mesh_err *err)
{
    const struct mesh_service *declared = s->declared;
    s->products = mesh_xcalloc(declared->n_products, sizeof(struct mesh_members *));
    for (uint32_t i = 0; i < declared->n_products; i++)
        if (mesh_members_new(declared->products[i], i, &s->config, s->config.pseudonym_keys[i], s->metrics, &s->products[i], err) <
            0)
            return mesh_err_prefix(err, "%s", declared->products[i]->name);
    s->live = mesh_http_live_new(declared, s->metrics, MESH_HTTP_LIVE_BEAT_US);
    const struct mesh_config *config = &s->config;
    const struct mesh_http_auth_conf callers = {config->http_keys_file, config->http_jwks_file, config->http_issuer,
                                                config->http_audience, config->http_client_cert_required};
    if (config->http_tls.client_ca != NULL && config->http_keys_file[0] == '\0')
        return mesh_err_set(err, MESH_ERR_FATAL, "http.auth",
                            "MESH_HTTP_CLIENT_CA_FILE needs MESH_HTTP_API_KEYS_FILE, which says who each certificate is");
    if (config->http_tls.client_ca == NULL && config->http_client_cert_required)
        return mesh_err_set(err, MESH_ERR_FATAL, "http.auth",
                            "MESH_HTTP_CLIENT_CERT_REQUIRED needs MESH_HTTP_CLIENT_CA_FILE: without it no certificate is accepted");
    if (mesh_http_auth_new(&callers, &s->auth, err) < 0)
        return -1;
    if (mesh_trail_open(config->audit_dir, config->audit_key_file, s->metrics, &s->trail, err) < 0)
        return -1;
    struct mesh_http_conf http = {.listen = config->http_listen,
                                  .insecure = config->http_insecure,
                                  .tls = &config->http_tls,
                                  .authenticated = s->auth != NULL,
                                  .client_rate = config->http_client_rate,
                                  .live = s->live};
    struct mesh_http_backend backend = {s, on_ask, on_health, on_metrics, s->live, s->auth, s->trail == NULL ? NULL : on_disclosed};
    if (mesh_http_site_new(declared, s->config.pseudonym_keys, &backend, &s->site, err) < 0 ||
        mesh_http_server_start(&http, s->site, s->metrics, &s->server, err) < 0)
        return -1;
    for (uint32_t i = 0; i < declared->n_products; i++)
        mesh_members_start(s->products[i], s->live, on_ended, s);
    return 0;
}

/* For meshctl, which knows folders: where each product is served. */
static void tell_address(const struct service *s)
{
    char host[64];
    uint16_t ignored = 0;
    if (mesh_http_parse_listen(s->config.http_listen, host, &ignored, NULL) != 0)
        return;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_printf(&text, strchr(host, ':') != NULL ? "[%s]:%u\n" : "%s:%u\n", host, mesh_http_server_port(s->server));
    for (uint32_t i = 0; i < s->declared->n_products; i++)
        mesh_members_tell_address(s->products[i], (struct mesh_str){text.p, (uint32_t)text.n});
}

static bool all_ended(const struct service *s)
{
    for (uint32_t i = 0; i < s->declared->n_products; i++)
        if (mesh_members_phase(s->products[i]) < MESH_WORKER_STOPPED)
            return false;
    return true;
}

static bool any_again(const struct service *s)
{
    for (uint32_t i = 0; i < s->declared->n_products; i++)
        if (mesh_members_again(s->products[i]))
            return true;
    return false;
}

static bool any_failed(const struct service *s)
{
    for (uint32_t i = 0; i < s->declared->n_products; i++)
        if (mesh_members_phase(s->products[i]) == MESH_WORKER_FAILED)
            return true;
    return false;
}

static void reload(const struct service *s)
{
    struct mesh_err err = {0};
    if (s->auth == NULL)
        mesh_log(MESH_LOG_INFO, "SIGHUP: there are no credentials to load", NULL);
    else if (mesh_http_auth_reload(s->auth, &err) < 0)
        mesh_log_err(MESH_LOG_ERROR, "the credentials cannot be loaded; keeps those it had", &err);
    else
        mesh_log(MESH_LOG_INFO, "the credentials were loaded again", NULL);
}

/* Waits for a signal or for the products; true when it is told to end. */
static bool wait_event(const struct service *s, int64_t timeout_us)
{
    struct pollfd fds[] = {{s->events, POLLIN, 0}, {s->signals, POLLIN, 0}};
    (void)poll(fds, MESH_LEN(fds), timeout_us < 0 ? -1 : (int)(timeout_us / 1000) + 1);
    uint64_t count = 0;
    struct signalfd_siginfo info;
    if ((fds[0].revents & POLLIN) != 0)
        (void)!read(s->events, &count, sizeof count);
    if ((fds[1].revents & POLLIN) == 0 || read(s->signals, &info, sizeof info) <= 0)
        return false;
    if (info.ssi_signo == SIGHUP)
        reload(s);
    return info.ssi_signo != SIGHUP;
}

static void stop_products(const struct service *s)
{
    for (uint32_t i = 0; i < s->declared->n_products; i++)
        mesh_members_stop(s->products[i]);
    int64_t until_us = mesh_clock_mono_us() + STOP_US;
    while (!all_ended(s)) {
        int64_t left_us = until_us - mesh_clock_mono_us();
        if (left_us <= 0)
            return;
        (void)wait_event(s, left_us);
    }
}

/* All is committed and sent by now; a library that does not let go of its threads (seen once in librdkafka) is left behind. */
static volatile sig_atomic_t leave_with;

static void leave_now(int number)
{
    (void)number;
    _exit(leave_with);
}

static void free_service(struct service *s)
{
    s->server = mesh_http_server_stop(s->server);
    for (uint32_t i = 0; s->products != NULL && i < s->declared->n_products; i++)
        mesh_members_free(s->products[i]);
    free(s->products);
    mesh_http_site_free(s->site);
    mesh_trail_close(s->trail);
    mesh_http_live_free(s->live);
    mesh_http_auth_free(s->auth);
    mesh_metrics_free(s->metrics);
    mesh_config_deinit(&s->config);
    close(s->events);
    close(s->signals);
}

static void warn(void *context, const char *text)
{
    (void)context;
    mesh_log(MESH_LOG_WARN, text, NULL);
}

/* A connection each; the usual soft limit is about as many. What the hard limit does not allow, HTTP refuses. */
static void allow_connections(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= OPEN_FILES)
        return;
    limit.rlim_cur = limit.rlim_max < OPEN_FILES ? limit.rlim_max : OPEN_FILES;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(struct service *s)
{
    struct mesh_err err = {0};
    int64_t begun_us = mesh_clock_mono_us();
    allow_connections();
    mesh_log_set_level(s->config.log_level);
    mesh_log_set_context("service", s->declared->domain);
    mesh_kafka_security_warn(&s->config.kafka_security, s->config.kafka_brokers, warn, NULL);
    for (uint32_t i = 0; i < s->declared->n_products; i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        if (mesh_letters_warning(&s->config.letters, s->declared->products[i], MESH_LETTER_KEY_FILE_NAME, &text))
            warn(NULL, text.p);
    }
    s->metrics = mesh_metrics_new();
    mesh_metric_set(mesh_metric_gauge(s->metrics, "mesh_build_info", "Version of the platform", "version", MESH_VERSION, "service",
                                      s->declared->domain, NULL),
                    1);
    s->events = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->signals = block_signals();
    mesh_assert(s->events >= 0 && s->signals >= 0);
    if (start(s, &err) < 0) {
        mesh_log_err(MESH_LOG_ERROR, "cannot start", &err);
        free_service(s);
        return EXIT_WRONG;
    }
    char port[16], ms[32];
    snprintf(port, sizeof port, "%u", mesh_http_server_port(s->server));
    snprintf(ms, sizeof ms, "%.1f", (double)(mesh_clock_mono_us() - begun_us) / 1000);
    mesh_log(MESH_LOG_INFO, "ready", "port", port, "listen", s->config.http_listen, "ms", ms, NULL);

    tell_address(s);
    bool told = false;
    while (!(told = wait_event(s, -1)) && !any_failed(s) && !any_again(s))
        ;
    bool failed = any_failed(s);
    bool again = !told && !failed;
    mesh_log(MESH_LOG_INFO, failed ? "stops" : again ? "begins anew, under its new role" : "stops: drains and commits", NULL);
    stop_products(s);
    failed = failed || any_failed(s);
    if (!all_ended(s)) {
        mesh_log(MESH_LOG_WARN,
                 "something hangs; ends without waiting for it (what was durable "
                 "stays so)",
                 NULL);
        _exit(failed ? EXIT_WRONG : 0);
    }
    leave_with = failed ? EXIT_WRONG : 0;
    (void)signal(SIGALRM, leave_now);
    (void)alarm(FREE_S);
    free_service(s);
    (void)alarm(0);
    mesh_log(MESH_LOG_INFO, "stopped", NULL);
    return failed ? EXIT_WRONG : again ? BEGIN_ANEW : 0;
}

/* ---- --health ---- */
static int ask_health(const char *listen_text, bool tls)
{
    char host[64];
    uint16_t port = 0;
    if (mesh_http_parse_listen(listen_text, host, &port, NULL) != 0)
        return EXIT_WRONG;
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        snprintf(host, sizeof host, host[0] == ':' ? "::1" : "127.0.0.1");
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    bool is_six = inet_pton(AF_INET6, host, &six.sin6_addr) == 1;
    if (!is_six && inet_pton(AF_INET, host, &four.sin_addr) != 1)
        return EXIT_WRONG;
    mesh_cleanup(mesh_closep) int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = 3};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const struct sockaddr *to = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
    static const char request[] = "GET /readyz HTTP/1.0\r\n\r\n";
    char answer[64] = "";
    if (connect(fd, to, is_six ? sizeof six : sizeof four) != 0)
        return 1;
    ssize_t n = 0;
    if (tls)
        n = mesh_http_tls_ask(fd, request, answer, sizeof answer - 1);
    else if (write(fd, request, sizeof request - 1) == (ssize_t)sizeof request - 1)
        n = recv(fd, answer, sizeof answer - 1, MSG_WAITALL);
    return n > 12 && strncmp(answer, "HTTP/1.", 7) == 0 && strncmp(answer + 8, " 200", 4) == 0 ? 0 : 1;
}

int mesh_main(int argc, char **argv, const struct mesh_service *service)
{
    struct service s = {.declared = service, .events = -1, .signals = -1};
    for (uint32_t i = 0; i < service->n_products; i++) {
        if (service->products[i]->abi == MESH_ABI)
            continue;
        fprintf(stderr, "%s: generated for abi %d, this platform has %d: run meshgen generate and build\n",
                service->products[i]->name, service->products[i]->abi, MESH_ABI);
        return EXIT_WRONG;
    }
    switch (mesh_config_load(service, argc, argv, environment, stdout, stderr, &s.config)) {
    case MESH_CONFIG_DONE:
        mesh_config_deinit(&s.config);
        return 0;
    case MESH_CONFIG_WRONG:
        mesh_config_deinit(&s.config);
        return EXIT_WRONG;
    case MESH_CONFIG_HEALTH: {
        int result = ask_health(s.config.http_listen, s.config.http_cert_file[0] != '\0');
        mesh_config_deinit(&s.config);
        return result;
    }
    case MESH_CONFIG_RUN:
        break;
    }
    int result = run(&s);
    if (result == BEGIN_ANEW) { /* the same process to whoever watches it; what is blocked stays so */
        (void)execv("/proc/self/exe", argv);
        result = EXIT_WRONG;
    }
    return result;
}
