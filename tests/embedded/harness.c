/* bind() is defined here and wins over libc's: the mock cluster binds to port 0 and has no setting
 * for another, so the port is put in on the way. */
#include "harness.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/vec.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_US INT64_C(1763683200000000) /* 2025-11-21T00:00:00Z */

static int bind_port;

int bind(int fd, __CONST_SOCKADDR_ARG where, socklen_t n)
{
    const struct sockaddr *address = where.__sockaddr__;
    int (*real)(int, const struct sockaddr *, socklen_t) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "bind");
    struct sockaddr_in four;
    if (bind_port != 0 && address->sa_family == AF_INET && n >= sizeof four) {
        memcpy(&four, address, sizeof four);
        four.sin_port = htons((uint16_t)bind_port);
        int on = 1;
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        return real(fd, (const struct sockaddr *)&four, sizeof four);
    }
    return real(fd, address, n);
}

static void pause_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* ---- broker ---- */
struct broker {
    rd_kafka_t *rk; /* a producer, and the cluster's owner */
    rd_kafka_mock_cluster_t *cluster;
    int port, partitions;
};

struct broker *broker_start(int port, int partitions)
{
    struct broker *broker = mesh_xcalloc(1, sizeof *broker);
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", text, sizeof text);
    rd_kafka_conf_set(conf, "linger.ms", "5", text, sizeof text);
    rd_kafka_conf_set(conf, "log_level", "0", text, sizeof text);
    bind_port = port;
    broker->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    mesh_assert(broker->rk != NULL);
    bind_port = 0;
    broker->cluster = rd_kafka_handle_mock_cluster(broker->rk);
    mesh_assert(broker->cluster != NULL);
    broker->partitions = partitions;
    rd_kafka_mock_topic_create(broker->cluster, SHOP_ORDERS, partitions, 1);
    rd_kafka_mock_topic_create(broker->cluster, SHOP_LARGE, 4, 1);
    rd_kafka_mock_topic_create(broker->cluster, "shop.dlq", 1, 1);
    rd_kafka_mock_topic_create(broker->cluster, "shop.late", 1, 1);
    rd_kafka_mock_topic_create(broker->cluster, "mesh.shop.retry", 1, 1);
    const char *colon = strrchr(rd_kafka_mock_cluster_bootstraps(broker->cluster), ':');
    broker->port = atoi(colon + 1);
    return broker;
}

void broker_stop(struct broker *broker)
{
    rd_kafka_destroy(broker->rk);
    free(broker);
}

int broker_port(const struct broker *broker)
{
    return broker->port;
}

void broker_down(struct broker *broker, bool down)
{
    if (down)
        rd_kafka_mock_broker_set_down(broker->cluster, 1);
    else
        rd_kafka_mock_broker_set_up(broker->cluster, 1);
}

static const char *const countries[] = {"DE", "FR", "IT", "ES"};

struct shop_order order_of(int i, char *scratch)
{
    int id_n = snprintf(scratch, 32, "order-%d", i);
    int customer = (int)(i * INT64_C(7919) % 500);
    int customer_n = snprintf(scratch + 32, 32, "customer-%d", customer);
    return (struct shop_order){
        .id = {scratch, (uint32_t)id_n},
        .country = mesh_str_of(countries[customer % 4]),
        .customer = {scratch + 32, (uint32_t)customer_n},
        .amount = (i * 37) % 60000 + 1,
        .at = FIRST_US + (int64_t)i * 10000, /* a hundred a second */
    };
}

void broker_order(struct broker *broker, int i, size_t note_bytes)
{
    char scratch[64];
    struct shop_order order = order_of(i, scratch);
    char *note = mesh_xcalloc(1, note_bytes + 1);
    memset(note, 'x', note_bytes);
    order.note = (struct mesh_str){note, (uint32_t)note_bytes};
    struct mesh_out out = {0};
    shop_encode(&order, &out);
    /* by country, which a customer has one of: both views find their key in one partition */
    int32_t partition = mesh_hash_partition(order.country.p, order.country.n, broker->partitions);
    rd_kafka_vu_t vus[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = SHOP_ORDERS},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)order.country.p, order.country.n}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {out.p, out.n}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = order.at / 1000},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    };
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_produceva(broker->rk, vus, MESH_LEN(vus));
        rd_kafka_resp_err_t err = error == NULL ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error);
        if (error != NULL)
            rd_kafka_error_destroy(error);
        if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            break;
        rd_kafka_poll(broker->rk, 20);
    }
    rd_kafka_poll(broker->rk, 0);
    mesh_out_deinit(&out);
    free(note);
}

void broker_flush(struct broker *broker)
{
    rd_kafka_flush(broker->rk, 20000);
}

void broker_count_large(struct broker *broker, int *ret_distinct, int *ret_all)
{
    char text[256], brokers[64];
    snprintf(brokers, sizeof brokers, "127.0.0.1:%d", broker->port);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text);
    rd_kafka_conf_set(conf, "group.id", "count", text, sizeof text);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", text, sizeof text);
    rd_kafka_conf_set(conf, "fetch.wait.max.ms", "10", text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(4);
    for (int p = 0; p < 4; p++)
        rd_kafka_topic_partition_list_add(all, SHOP_LARGE, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(rk, all);
    static bool seen[1 << 20];
    memset(seen, 0, sizeof seen);
    *ret_distinct = *ret_all = 0;
    for (int ended = 0; ended < 4;) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 5000);
        if (m == NULL)
            break;
        const char *value = m->payload;
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            ended++;
        else if (m->err == 0 && m->len > 12 && memcmp(value + 6, "order-", 6) == 0) {
            char number[16] = "";
            memcpy(number, value + 12, m->len - 12 < 15 ? m->len - 12 : 15);
            int i = atoi(number);
            (*ret_all)++;
            *ret_distinct += !seen[i];
            seen[i] = true;
        }
        rd_kafka_message_destroy(m);
    }
    rd_kafka_topic_partition_list_destroy(all);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

/* ---- lines "country window total n", sorted ---- */
static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(struct mesh_buf *text)
{
    MESH_VEC(char *) lines = {0};
    char *rest = NULL;
    char *copy = text->p == NULL ? mesh_xstrdup("") : mesh_buf_take(text);
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        *mesh_vec_push(&lines) = line;
    if (lines.n > 0)
        qsort(lines.v, lines.n, sizeof *lines.v, compare_lines);
    for (size_t i = 0; i < lines.n; i++)
        mesh_buf_printf(text, "%s\n", lines.v[i]);
    mesh_vec_deinit(&lines);
    free(copy);
}

void expect_totals(int n, struct mesh_buf *out)
{
    int minutes = n / 6000 + 1;
    int64_t *sums = mesh_xcalloc((size_t)minutes * 8, sizeof *sums);
    char scratch[64];
    for (int i = 0; i < n; i++) {
        struct shop_order order = order_of(i, scratch);
        int64_t *cell = &sums[(i / 6000) * 8 + (int)(i * INT64_C(7919) % 500) % 4 * 2];
        cell[0] += (int64_t)order.amount;
        cell[1]++;
    }
    for (int m = 0; m < minutes; m++)
        for (int c = 0; c < 4; c++) {
            if (sums[m * 8 + c * 2 + 1] == 0)
                continue;
            mesh_buf_printf(out, "%s ", countries[c]);
            mesh_text_time(out, FIRST_US + (int64_t)m * 60000000);
            mesh_buf_putc(out, ' ');
            mesh_text_dec(out, sums[m * 8 + c * 2], 2);
            mesh_buf_printf(out, " %lld\n", (long long)sums[m * 8 + c * 2 + 1]);
        }
    free(sums);
    sort_lines(out);
}

/* ---- service ---- */
void child_init(struct child *child, const char *name)
{
    *child = (struct child){.pid = -1};
    const char *tmp = getenv("TMPDIR");
    snprintf(child->dir, sizeof child->dir, "%s/mesh-%s-XXXXXX", tmp == NULL ? "/tmp" : tmp, name);
    mesh_assert(mkdtemp(child->dir) != NULL);
}

static void log_path(const struct child *child, char path[320])
{
    snprintf(path, 320, "%s/log", child->dir);
}

static void shop_path(char path[512])
{
    const char *given = getenv("MESH_TEST_SHOP");
    if (given != NULL) {
        snprintf(path, 512, "%s", given);
        return;
    }
    ssize_t n = readlink("/proc/self/exe", path, 400);
    mesh_assert(n > 0);
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    snprintf(slash, 16, "/shop");
}

bool child_start(struct child *child, int port, const char *const *settings)
{
    char log[320], path[512], brokers[64], state[320];
    log_path(child, log);
    shop_path(path);
    snprintf(brokers, sizeof brokers, "127.0.0.1:%d", port);
    snprintf(state, sizeof state, "%s/state", child->dir);
    struct stat before = {0};
    (void)stat(log, &before);
    child->port = 0;
    child->started_us = mesh_clock_mono_us();
    child->pid = fork();
    mesh_assert(child->pid >= 0);
    if (child->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that dies leaves nobody behind */
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        setenv("MESH_KAFKA_BROKERS", brokers, 1);
        setenv("MESH_KAFKA_SESSION_TIMEOUT_MS", "3000", 1);
        setenv("MESH_STATE_DIR", state, 1);
        setenv("MESH_HTTP_LISTEN", "127.0.0.1:0", 1);
        setenv("MESH_PSEUDONYM_KEY", "a key of the tests only", 1);
        for (size_t i = 0; settings != NULL && settings[i] != NULL; i++)
            putenv((char *)(uintptr_t)settings[i]);
        execl(path, "shop", (char *)NULL);
        _exit(127);
    }
    int64_t until_us = child->started_us + 20000000;
    while (mesh_clock_mono_us() < until_us) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        if (mesh_fs_read(log, 1u << 24, &text, NULL) == 0 && text.n > (size_t)before.st_size) {
            const char *ready = strstr(text.p + before.st_size, " ready  ");
            const char *at = ready == NULL ? NULL : strstr(ready, " port=");
            if (at != NULL) {
                child->ready_us = mesh_clock_mono_us();
                child->port = atoi(at + 6);
                return true;
            }
        }
        siginfo_t info = {0};
        if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child->pid)
            return false;
        pause_ms(1);
    }
    return false;
}

int child_wait(struct child *child)
{
    int status = 0;
    for (int i = 0; i < 2500; i++) {
        if (waitpid(child->pid, &status, WNOHANG) == child->pid) {
            child->pid = -1;
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        pause_ms(10);
    }
    return -1;
}

int child_end(struct child *child, int signal)
{
    kill(child->pid, signal);
    int result = child_wait(child);
    if (result < 0) {
        kill(child->pid, SIGKILL);
        (void)child_wait(child);
    }
    return result;
}

int child_log_count(const struct child *child, const char *text)
{
    char path[320];
    log_path(child, path);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf log = MESH_BUF_NULL;
    if (mesh_fs_read(path, 1u << 24, &log, NULL) != 0 || log.p == NULL)
        return 0;
    int n = 0;
    for (const char *p = log.p; (p = strstr(p, text)) != NULL; p++)
        n++;
    return n;
}

bool child_log_has(const struct child *child, const char *text)
{
    return child_log_count(child, text) > 0;
}

long child_rss_kb(const struct child *child)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)child->pid);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (mesh_fs_read(path, 1u << 16, &text, NULL) != 0)
        return -1;
    const char *at = strstr(text.p, "VmRSS:");
    return at == NULL ? -1 : atol(at + 6);
}

/* ---- HTTP ---- */
void answer_deinit(struct answer *answer)
{
    mesh_buf_deinit(&answer->head);
    mesh_buf_deinit(&answer->body);
}

static struct answer exchange(int port, const struct mesh_buf *request)
{
    struct answer answer = {0};
    mesh_cleanup(mesh_closep) int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = 5};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        return answer;
    if (send(fd, request->p, request->n, MSG_NOSIGNAL) != (ssize_t)request->n)
        return answer;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf all = MESH_BUF_NULL;
    for (ssize_t n; (n = recv(fd, mesh_buf_reserve(&all, 65536), 65535, 0)) > 0;)
        all.n += (size_t)n;
    mesh_buf_putc(&all, '\0');
    char *body = strstr(all.p, "\r\n\r\n");
    if (body == NULL)
        return answer;
    answer.status = atoi(all.p + 9);
    mesh_buf_add(&answer.head, all.p, (size_t)(body - all.p));
    mesh_buf_putc(&answer.head, '\0');
    mesh_buf_puts(&answer.body, body + 4);
    return answer;
}

struct answer http_get(int port, const char *path, const char *headers)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf request = MESH_BUF_NULL;
    mesh_buf_printf(&request, "GET %s HTTP/1.0\r\nHost: x\r\n%s\r\n", path, headers == NULL ? "" : headers);
    return exchange(port, &request);
}

struct answer http_post(int port, const char *path, const char *body)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf request = MESH_BUF_NULL;
    mesh_buf_printf(&request, "POST %s HTTP/1.0\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s", path, strlen(body), body);
    return exchange(port, &request);
}

bool http_until(int port, const char *path, const char *text, int seconds)
{
    int64_t until_us = mesh_clock_mono_us() + seconds * INT64_C(1000000);
    for (;;) {
        mesh_cleanup(answer_deinit) struct answer answer = http_get(port, path, NULL);
        if (answer.status != 0 && strstr(answer.body.p == NULL ? "" : answer.body.p, text) != NULL)
            return true;
        if (mesh_clock_mono_us() > until_us) {
            printf("# %s was %d %.3000s\n", path, answer.status, answer.body.p);
            return false;
        }
        pause_ms(10);
    }
}

/* The text between `name":` and the next , or }, without quotes. */
static const char *cut(const char *item, const char *name, char *ret, size_t max)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"%s\":", name);
    const char *p = strstr(item, wanted);
    if (p == NULL) {
        ret[0] = '\0';
        return item;
    }
    p += strlen(wanted);
    if (*p == '"')
        p++;
    size_t n = strcspn(p, "\",}");
    snprintf(ret, max, "%.*s", (int)n, p);
    return p + n;
}

void http_totals(int port, struct mesh_buf *out)
{
    char path[2048] = "/totals?window=all&limit=7", token[1024];
    for (int page = 0; page < 1000; page++) {
        mesh_cleanup(answer_deinit) struct answer answer = http_get(port, path, NULL);
        if (answer.status != 200)
            return;
        const char *item = answer.body.p;
        while ((item = strstr(item, "{\"country\"")) != NULL) {
            char country[16], window[64], total[64], n[32];
            cut(item, "country", country, sizeof country);
            cut(item, "window_start", window, sizeof window);
            cut(item, "total", total, sizeof total);
            item = cut(item, "n", n, sizeof n);
            mesh_buf_printf(out, "%s %s %s %s\n", country, window, total, n);
        }
        cut(answer.body.p, "next", token, sizeof token);
        if (token[0] == '\0')
            break;
        snprintf(path, sizeof path, "/totals?window=all&limit=7&after=%s", token);
    }
    sort_lines(out);
}

bool totals_until(int port, int n, int seconds)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf wanted = MESH_BUF_NULL;
    expect_totals(n, &wanted);
    int64_t until_us = mesh_clock_mono_us() + seconds * INT64_C(1000000);
    for (;;) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf have = MESH_BUF_NULL;
        http_totals(port, &have);
        if (have.p != NULL && strcmp(have.p, wanted.p) == 0)
            return true;
        if (mesh_clock_mono_us() > until_us) {
            printf("# wanted\n%.800s# have\n%.800s", wanted.p, have.p == NULL ? "" : have.p);
            return false;
        }
        pause_ms(20);
    }
}
