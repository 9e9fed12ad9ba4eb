/* Starts a service and watches it from outside: its own HTTP and /proc. Nothing of the service is linked or changed.
 *
 *     watch ready --state DIR --runs N -- BINARY
 *     watch consume --state DIR --input NAME=N ... [--pid FILE] [--log FILE] [--deadline S] -- BINARY
 *
 * ready, N times: remove DIR, exec BINARY, ask GET /readyz (a new connection each time, 0.2 ms apart) until it answers 200, stop
 * it. The time runs from just before fork() to the last byte of that answer. After the last start: the resident memory 2 s later.
 *
 * consume: remove DIR, exec BINARY, ask GET /metrics 20 times a second until mesh_records_total of every input named has reached N
 * (`wall_s`, from fork()), and then until nothing is under way: no record waits in an order buffer, no outgoing message is
 * unacknowledged, and the counts of records and commits have stood still for half a second (`quiet_s` is when they last moved).
 * `cpu_s` is user + system of the whole process from exec to the end of THAT (/proc/PID/stat): start, group, connections, commits
 * and answering these questions included. The service is left running; FILE says its pid and port from the start.
 *
 * The service listens on a free port of loopback, by MESH_HTTP_LISTEN; everything else of its settings is in the environment.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNS_MAX     100
#define INPUTS_MAX   16
#define ANSWER_MAX   (1u << 20)
#define READY_MAX_NS INT64_C(20000000000)
#define QUIET_NS     INT64_C(500000000)
#define ASK_EVERY_US 50000

struct input {
    char name[64];
    double wanted;
};

struct watch {
    const char *state, *pid_file, *log, *binary;
    int runs;
    int64_t deadline_ns;
    struct input inputs[INPUTS_MAX];
    int n_inputs;
    pid_t pid;
    int port;
};

struct seen {
    double records, commits, outbox, held;
    bool all_read;
};

static struct watch watch = {.runs = 10, .deadline_ns = INT64_C(120000000000)};

static void end_child(void)
{
    if (watch.pid > 0) {
        kill(watch.pid, SIGKILL);
        waitpid(watch.pid, NULL, 0);
    }
}

__attribute__((noreturn)) static void fail(const char *what)
{
    end_child();
    bench_die("watch: %s: %s%s%s", watch.binary, what, watch.log == NULL ? "" : "; its log: ", watch.log == NULL ? "" : watch.log);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *at)
{
    (void)stat;
    (void)type;
    (void)at;
    return remove(path);
}

static int free_port(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) != 0 || getsockname(fd, (struct sockaddr *)&any, &n) != 0)
        bench_die("watch: no free port: %s", strerror(errno));
    close(fd);
    return ntohs(any.sin_port);
}

static int64_t start(void)
{
    char listen[32];
    if (nftw(watch.state, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        bench_die("watch: cannot remove %s: %s", watch.state, strerror(errno));
    watch.port = free_port();
    snprintf(listen, sizeof listen, "127.0.0.1:%d", watch.port);
    setenv("MESH_HTTP_LISTEN", listen, 1);
    setenv("MESH_STATE_DIR", watch.state, 1);
    int log = open(watch.log == NULL ? "/dev/null" : watch.log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (log < 0)
        bench_die("watch: cannot write %s", watch.log);
    int64_t begin_ns = bench_now_ns();
    watch.pid = fork();
    if (watch.pid == 0) {
        dup2(log, 1);
        dup2(log, 2);
        execl(watch.binary, watch.binary, (char *)NULL);
        _exit(127);
    }
    close(log);
    return begin_ns;
}

/* One request on a connection of its own. The status, 0 when there was no answer. The answer is at `ret`, NUL-terminated. */
static int get(const char *path, char *ret, size_t max)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)watch.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {5, 0};
    char request[256];
    int status = 0;
    size_t n = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", path);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 && send(fd, request, (size_t)length, MSG_NOSIGNAL) == length) {
        ssize_t got;
        while (n + 1 < max && (got = recv(fd, ret + n, max - 1 - n, 0)) > 0)
            n += (size_t)got;
    }
    close(fd);
    ret[n] = '\0';
    return n > 0 && sscanf(ret, "HTTP/1.%*d %d", &status) == 1 ? status : 0;
}

static void check_alive(void)
{
    int status;
    if (waitpid(watch.pid, &status, WNOHANG) == watch.pid) {
        watch.pid = 0;
        fail("ended by itself");
    }
}

static void stop(void)
{
    kill(watch.pid, SIGTERM);
    int64_t until_ns = bench_now_ns() + READY_MAX_NS;
    while (waitpid(watch.pid, NULL, WNOHANG) == 0) {
        if (bench_now_ns() > until_ns)
            fail("does not stop");
        usleep(1000);
    }
    watch.pid = 0;
}

/* Number behind `name` in a file of /proc/PID, in kB. */
static double status_mb(const char *name)
{
    char path[64], line[256];
    double kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)watch.pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kb = strtod(line + strlen(name), NULL);
    if (file != NULL)
        fclose(file);
    return kb / 1024;
}

/* utime and stime are fields 14 and 15; the name in field 2 may hold anything but ends with the last parenthesis. */
static double cpu_of_child_s(void)
{
    char path[64], text[2048];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)watch.pid);
    FILE *file = fopen(path, "r");
    size_t n = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
    if (file != NULL)
        fclose(file);
    text[n] = '\0';
    const char *behind = strrchr(text, ')');
    if (behind == NULL || sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        fail("is not in /proc");
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void ready(char *answer)
{
    static double ms[RUNS_MAX];
    double rss_mb = 0, rss_ready_mb = 0;
    for (int run = 0; run < watch.runs; run++) {
        int64_t begin_ns = start();
        while (get("/readyz", answer, ANSWER_MAX) != 200) {
            check_alive();
            if (bench_now_ns() - begin_ns > READY_MAX_NS)
                fail("is not ready within 20 s");
            usleep(200);
        }
        ms[run] = (double)(bench_now_ns() - begin_ns) / 1e6;
        if (run == watch.runs - 1) {
            rss_ready_mb = status_mb("VmRSS:");
            sleep(2);
            rss_mb = status_mb("VmRSS:");
        }
        stop();
    }
    qsort(ms, (size_t)watch.runs, sizeof ms[0], ascending);
    printf("{\"runs\":%d,\"min_ms\":%.2f,\"median_ms\":%.2f,\"max_ms\":%.2f,\"rss_ready_mb\":%.1f,\"rss_mb\":%.1f}\n", watch.runs,
           ms[0], ms[watch.runs / 2], ms[watch.runs - 1], rss_ready_mb, rss_mb);
}

/* The sum of a family's series; with `label` only of those that hold it. */
static double metric(const char *text, const char *family, const char *label)
{
    double sum = 0;
    size_t n = strlen(family);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n' ? 1 : 0;
        if (strncmp(line, family, n) != 0 || (line[n] != '{' && line[n] != ' '))
            continue;
        const char *end = strchrnul(line, '\n');
        const char *value = memrchr(line, ' ', (size_t)(end - line));
        const char *found = label == NULL ? line : strstr(line, label);
        if (value != NULL && found != NULL && found < end)
            sum += strtod(value, NULL);
    }
    return sum;
}

static struct seen look(char *answer)
{
    if (get("/metrics", answer, ANSWER_MAX) != 200)
        return (struct seen){0};
    struct seen seen = {
        .records = metric(answer, "mesh_records_total", NULL),
        .commits = metric(answer, "mesh_commits_total", NULL),
        .outbox = metric(answer, "mesh_outbox_messages", NULL),
        .held = metric(answer, "mesh_order_buffer_records", NULL),
        .all_read = true,
    };
    for (int i = 0; i < watch.n_inputs; i++) {
        char label[96];
        snprintf(label, sizeof label, "input=\"%s\"", watch.inputs[i].name);
        seen.all_read = seen.all_read && metric(answer, "mesh_records_total", label) >= watch.inputs[i].wanted;
    }
    return seen;
}

static void consume(char *answer)
{
    int64_t begin_ns = start(), read_ns = 0, moved_ns = bench_now_ns();
    struct seen last = {0};
    double wanted = 0;
    for (int i = 0; i < watch.n_inputs; i++)
        wanted += watch.inputs[i].wanted;
    if (watch.pid_file != NULL) {
        FILE *file = fopen(watch.pid_file, "w");
        if (file == NULL || fprintf(file, "%d %d\n", (int)watch.pid, watch.port) < 0 || fclose(file) != 0)
            fail("its pid cannot be written");
    }
    for (;;) {
        struct seen now = look(answer);
        int64_t now_ns = bench_now_ns();
        if (now.records > last.records || now.commits > last.commits)
            moved_ns = now_ns;
        last = now;
        if (now.all_read && read_ns == 0)
            read_ns = now_ns;
        if (now.all_read && now.outbox <= 0 && now.held <= 0 && now_ns - moved_ns >= QUIET_NS)
            break;
        check_alive();
        if (now_ns - begin_ns > watch.deadline_ns) {
            fprintf(stderr, "watch: %.0f records, outbox %.0f, order buffer %.0f\n", now.records, now.outbox, now.held);
            fail("has not read everything in time");
        }
        usleep(ASK_EVERY_US);
    }
    printf("{\"events\":%.0f,\"wall_s\":%.3f,\"quiet_s\":%.3f,\"cpu_s\":%.2f,\"rss_mb\":%.1f,\"rss_peak_mb\":%.1f,\"records\":%.0f,"
           "\"commits\":%.0f,\"port\":%d,\"pid\":%d}\n",
           wanted, (double)(read_ns - begin_ns) / 1e9, (double)(moved_ns - begin_ns) / 1e9, cpu_of_child_s(), status_mb("VmRSS:"),
           status_mb("VmHWM:"), last.records, last.commits, watch.port, (int)watch.pid);
    watch.pid = 0;
}

static void add_input(const char *text)
{
    struct input *input = &watch.inputs[watch.n_inputs];
    if (watch.n_inputs == INPUTS_MAX || sscanf(text, "%63[^=]=%lf", input->name, &input->wanted) != 2)
        bench_die("watch: --input NAME=N, not %s", text);
    watch.n_inputs++;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"state", 1, NULL, 's'}, {"runs", 1, NULL, 'r'}, {"input", 1, NULL, 'i'},
                                          {"pid", 1, NULL, 'p'},   {"log", 1, NULL, 'l'},  {"deadline", 1, NULL, 'd'},
                                          {NULL, 0, NULL, 0}};
    const char *mode = argc > 1 ? argv[1] : "";
    for (int o = getopt_long(argc, argv, "", longs, NULL); o != -1; o = getopt_long(argc, argv, "", longs, NULL)) {
        switch (o) {
        case 's':
            watch.state = optarg;
            break;
        case 'r':
            watch.runs = atoi(optarg);
            break;
        case 'i':
            add_input(optarg);
            break;
        case 'p':
            watch.pid_file = optarg;
            break;
        case 'l':
            watch.log = optarg;
            break;
        case 'd':
            watch.deadline_ns = (int64_t)(atof(optarg) * 1e9);
            break;
        default:
            return 2;
        }
    }
    bool is_ready = strcmp(mode, "ready") == 0;
    if ((!is_ready && strcmp(mode, "consume") != 0) || watch.state == NULL || argc - optind != 2 || watch.runs < 1 ||
        watch.runs > RUNS_MAX || (!is_ready && watch.n_inputs == 0)) {
        fprintf(stderr, "usage: watch ready --state DIR [--runs N] -- BINARY\n"
                        "       watch consume --state DIR --input NAME=N ... [--pid FILE] [--log FILE] [--deadline S] -- BINARY\n");
        return 2;
    }
    watch.binary = argv[optind + 1];
    char *answer = malloc(ANSWER_MAX);
    if (answer == NULL)
        bench_die("watch: out of memory");
    if (is_ready)
        ready(answer);
    else
        consume(answer);
    free(answer);
    return 0;
}
