/* Point queries at a fixed rate, whether or not the server keeps up.
 *
 *     openloop --port P --rate R --seconds S --paths FILE [--connections N]
 *
 * Open loop: request i is due at start + i / rate, and its latency counts from that moment to the last byte of its answer. A
 * request that finds all connections busy waits for one, and this wait is part of its latency; so is every moment that this program
 * came late because the machine was busy. A slow answer therefore delays no other request's clock (no coordinated omission), and
 * the numbers are upper bounds for the server. Requests take the paths of FILE in turn, over N kept-alive connections on loopback.
 * Prints a JSON object: the percentiles of all requests that were due, and of how late this program was in sending a request that
 * was due and had a free connection (`late`): the client's own share.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define PATHS_MAX       4096
#define ANSWER_MAX      65536
#define SILENCE_NS      INT64_C(10000000000)

struct connection {
    int fd;
    bool busy;
    int64_t due_ns, free_ns; /* free since */
    size_t n;                /* bytes of the answer so far */
    size_t whole_n;          /* 0: the head is not complete yet */
    int status;
    char answer[ANSWER_MAX];
};

struct load {
    int port, n_connections, epoll, timer;
    double rate, seconds;
    char *requests[PATHS_MAX];
    size_t n_requests;
    struct connection *connections;
    int64_t start_ns, *latency_ns, *late_ns;
    int64_t wanted, sent, done, not_found, failed;
};

static int dial(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        bench_die("openloop: nobody answers on port %d: %s", port, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void read_paths(struct load *l, const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    if (file == NULL)
        bench_die("openloop: cannot read %s", path);
    while (l->n_requests < PATHS_MAX && getline(&line, &cap, file) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (asprintf(&l->requests[l->n_requests++], "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", line, l->port) < 0)
            bench_die("openloop: out of memory");
    }
    free(line);
    fclose(file);
    if (l->n_requests == 0)
        bench_die("openloop: %s is empty", path);
}

static void send_due(struct load *l, struct connection *c)
{
    const char *request = l->requests[(size_t)l->sent % l->n_requests];
    size_t n = strlen(request);
    c->due_ns = l->start_ns + (int64_t)((double)l->sent * 1e9 / l->rate);
    l->late_ns[l->sent] = bench_now_ns() - (c->due_ns > c->free_ns ? c->due_ns : c->free_ns);
    if (send(c->fd, request, n, MSG_NOSIGNAL) != (ssize_t)n)
        bench_die("openloop: cannot send: %s", strerror(errno));
    c->busy = true;
    c->n = 0;
    c->whole_n = 0;
    l->sent++;
}

/* Send everything that is due and finds a free connection. */
static void send_all(struct load *l)
{
    int next = 0;
    while (l->sent < l->wanted && (double)(bench_now_ns() - l->start_ns) >= (double)l->sent * 1e9 / l->rate) {
        while (next < l->n_connections && l->connections[next].busy)
            next++;
        if (next == l->n_connections)
            return;
        send_due(l, &l->connections[next]);
    }
}

static void look_at_head(struct connection *c)
{
    c->answer[c->n] = '\0';
    const char *end = strstr(c->answer, "\r\n\r\n");
    if (end == NULL)
        return;
    const char *length = strcasestr(c->answer, "\r\ncontent-length:");
    if (length == NULL || length > end || sscanf(c->answer, "HTTP/1.%*d %d", &c->status) != 1)
        bench_die("openloop: not an answer with a length: %.200s", c->answer);
    c->whole_n = (size_t)(end + 4 - c->answer) + (size_t)strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
    if (c->whole_n >= ANSWER_MAX)
        bench_die("openloop: an answer of %zu bytes", c->whole_n);
}

static void receive(struct load *l, struct connection *c)
{
    ssize_t n = recv(c->fd, c->answer + c->n, ANSWER_MAX - 1 - c->n, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        bench_die("openloop: the server closed a connection (%s)", n == 0 ? "end" : strerror(errno));
    c->n += (size_t)n;
    if (c->whole_n == 0)
        look_at_head(c);
    if (c->whole_n == 0 || c->n < c->whole_n)
        return;
    c->free_ns = bench_now_ns();
    l->latency_ns[l->done++] = c->free_ns - c->due_ns;
    l->not_found += c->status == 404 ? 1 : 0;
    l->failed += c->status == 200 || c->status == 404 ? 0 : 1;
    c->busy = false;
}

static void open_all(struct load *l)
{
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    l->connections = calloc((size_t)l->n_connections, sizeof *l->connections);
    l->wanted = (int64_t)(l->rate * l->seconds);
    l->latency_ns = calloc((size_t)l->wanted + 1, sizeof *l->latency_ns);
    l->late_ns = calloc((size_t)l->wanted + 1, sizeof *l->late_ns);
    if (l->epoll < 0 || l->timer < 0 || l->connections == NULL || l->latency_ns == NULL || l->late_ns == NULL)
        bench_die("openloop: out of resources");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->timer, &event);
    for (int i = 0; i < l->n_connections; i++) {
        l->connections[i].fd = dial(l->port);
        event.data.ptr = &l->connections[i];
        epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->connections[i].fd, &event);
    }
}

static void run(struct load *l)
{
    int64_t period_ns = (int64_t)(1e9 / l->rate);
    struct itimerspec every = {.it_interval = {period_ns / 1000000000, period_ns % 1000000000}, .it_value = {0, 1}};
    l->start_ns = bench_now_ns();
    timerfd_settime(l->timer, 0, &every, NULL);
    int64_t last_ns = l->start_ns;
    while (l->done < l->wanted) {
        struct epoll_event events[CONNECTIONS_MAX];
        int n = epoll_wait(l->epoll, events, CONNECTIONS_MAX, 1000);
        int64_t done = l->done;
        for (int i = 0; i < n; i++) {
            uint64_t ticks;
            if (events[i].data.ptr != NULL)
                receive(l, events[i].data.ptr);
            else if (read(l->timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN)
                bench_die("openloop: timer: %s", strerror(errno));
        }
        send_all(l);
        if (l->done > done)
            last_ns = bench_now_ns();
        else if (bench_now_ns() - last_ns > SILENCE_NS)
            bench_die("openloop: no answer for 10 s");
    }
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_percentiles(const char *name, int64_t *ns, int64_t n)
{
    static const struct {
        const char *name;
        double at;
    } points[] = {{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1}};
    qsort(ns, (size_t)n, sizeof *ns, ascending);
    printf(",\"%s\":{", name);
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        int64_t rank = (int64_t)((double)n * points[i].at);
        printf("%s\"%s_ms\":%.4f", i == 0 ? "" : ",", points[i].name, (double)ns[rank < n ? rank : n - 1] / 1e6);
    }
    printf("}");
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"port", 1, NULL, 'p'},        {"rate", 1, NULL, 'r'},  {"seconds", 1, NULL, 's'},
                                          {"connections", 1, NULL, 'c'}, {"paths", 1, NULL, 'f'}, {NULL, 0, NULL, 0}};
    struct load l = {.n_connections = 64, .rate = 1000, .seconds = 5};
    const char *paths = NULL;
    for (int o = getopt_long(argc, argv, "", longs, NULL); o != -1; o = getopt_long(argc, argv, "", longs, NULL)) {
        switch (o) {
        case 'p':
            l.port = atoi(optarg);
            break;
        case 'r':
            l.rate = atof(optarg);
            break;
        case 's':
            l.seconds = atof(optarg);
            break;
        case 'c':
            l.n_connections = atoi(optarg);
            break;
        case 'f':
            paths = optarg;
            break;
        default:
            return 2;
        }
    }
    if (l.port <= 0 || paths == NULL || l.rate < 1 || l.rate > 1e6 || l.seconds <= 0 || l.n_connections < 1 ||
        l.n_connections > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: openloop --port P --rate R --seconds S --paths FILE [--connections N]\n");
        return 2;
    }
    /* Stands for a client on another machine: it shall not queue behind the service for a core of this one. */
    (void)setpriority(PRIO_PROCESS, 0, -10);
    read_paths(&l, paths);
    open_all(&l);
    run(&l);
    printf("{\"requests\":%lld,\"rate\":%.0f,\"not_found\":%lld,\"failed\":%lld", (long long)l.done, l.rate, (long long)l.not_found,
           (long long)l.failed);
    print_percentiles("latency", l.latency_ns, l.done);
    print_percentiles("late", l.late_ns, l.sent);
    printf("}\n");
    return 0;
}
