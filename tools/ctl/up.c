#include "ctl/up.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/hash.h"
#include "ctl/get.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BROKER_PORT      9092
#define MONGO_PORT       27017
#define PORTS_TRIED_MAX  200
#define READY_TIMEOUT_MS 20000
#define STOP_TIMEOUT_MS  10000
#define SLOW_MS          2000 /* what takes longer says so */

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int number)
{
    (void)number;
    asked_to_stop = 1;
}

static void nap_ms(long ms)
{
    struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&t, NULL);
}

static int free_port(int from)
{
    for (int port = from; port < from + PORTS_TRIED_MAX; port++)
        if (!mesh_port_taken(port))
            return port;
    return 0;
}

static const char *text(struct mesh_up *up, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *text(struct mesh_up *up, const char *format, ...)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf buf = MESH_BUF_NULL;
    va_list args;
    va_start(args, format);
    mesh_buf_vprintf(&buf, format, args);
    va_end(args);
    return mesh_arena_strdup(&up->arena, buf.p);
}

static void prepare_child(struct mesh_up *up, struct mesh_child *child, const char *name)
{
    child->name = name;
    child->log_path = text(up, "%s/log/%s.log", up->options->run, name);
}

/* The last line that a process wrote before it ended: the reason, most of the time. */
static void print_last_lines(const struct mesh_child *child)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf log = MESH_BUF_NULL;
    if (mesh_fs_read(child->log_path, 64u << 20, &log, NULL) != 0 || log.n == 0)
        return;
    const char *p = log.p + log.n - 1;
    int lines = 0;
    while (p > log.p && lines < 4) {
        p--;
        lines += *p == '\n';
    }
    fprintf(stderr, "  %s\n", *p == '\n' ? p + 1 : p);
    fprintf(stderr, "  (%s)\n", child->log_path);
}

/* ---- parts ---- */

static int write_topics(struct mesh_up *up, struct mesh_err *err)
{
    struct mesh_child meshgen;
    prepare_child(up, &meshgen, "meshgen");
    const char *argv[] = {text(up, "%s/meshgen", up->options->bin), "topics", "--mesh", up->options->root, NULL};
    int status = mesh_child_run(&meshgen, argv, text(up, "%s/topics", up->options->run), err);
    if (status == 0)
        return 0;
    if (status > 0)
        mesh_err_set(err, MESH_ERR_FATAL, "up.declarations", "the declarations have errors: run 'meshgen check' to see them");
    print_last_lines(&meshgen);
    return -1;
}

static int wait_for_file(struct mesh_up *up, struct mesh_child *child, const char *path, struct mesh_err *err)
{
    int64_t end_us = mesh_clock_mono_us() + (int64_t)READY_TIMEOUT_MS * 1000;
    while (!mesh_fs_exists(path)) {
        if (asked_to_stop)
            return 1;
        if (mesh_child_ended(child)) {
            print_last_lines(child);
            return mesh_err_set(err, MESH_ERR_FATAL, "up.ended", "%s ended before it was ready", child->name);
        }
        if (mesh_clock_mono_us() > end_us)
            return mesh_err_set(err, MESH_ERR_FATAL, "up.slow", "%s was not ready within %d s; see %s", child->name,
                                READY_TIMEOUT_MS / 1000, child->log_path);
        nap_ms(5);
    }
    (void)up;
    return 0;
}

static int start_embedded(struct mesh_up *up, struct mesh_err *err)
{
    int port = free_port(BROKER_PORT);
    const char *ready = text(up, "%s/broker.ready", up->options->run);
    unlink(ready);
    prepare_child(up, &up->broker, "broker");
    up->brokers = text(up, "127.0.0.1:%d", port);
    const char *argv[] = {text(up, "%s/mesh-broker", up->options->bin), "--listen",     up->brokers, "--topics",
                          text(up, "%s/topics", up->options->run),      "--ready-file", ready,       NULL};
    int r = mesh_child_start(&up->broker, argv, NULL, err);
    return r < 0 ? r : wait_for_file(up, &up->broker, ready, err);
}

static int run_script(struct mesh_up *up, const char *name, const char *const *argv, const char *out, struct mesh_err *err)
{
    struct mesh_child child;
    prepare_child(up, &child, name);
    int status = mesh_child_run(&child, argv, out, err);
    if (status == 0)
        return 0;
    print_last_lines(&child);
    return mesh_err_set(err, MESH_ERR_FATAL, "up.script", "%s failed (exit %d)", name, status);
}

static const char *first_line(struct mesh_up *up, const char *path)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf file = MESH_BUF_NULL;
    if (mesh_fs_read(path, 65536, &file, NULL) != 0)
        return NULL;
    file.p[strcspn(file.p, "\n")] = 0;
    return mesh_arena_strdup(&up->arena, file.p);
}

static int start_kafka(struct mesh_up *up, struct mesh_err *err)
{
    if (up->options->scripts == NULL)
        return mesh_err_set(err, MESH_ERR_FATAL, "up.scripts",
                            "there is no kafka.sh: neither in share/mesh/scripts of an installation nor in %s/scripts; "
                            "install mesh whole ('make install'), or use --broker embedded",
                            up->options->root);
    const char *script = text(up, "%s/kafka.sh", up->options->scripts);
    const char *dir = text(up, "%s/kafka", up->options->run);
    const char *out = text(up, "%s/kafka.uri", up->options->run);
    const char *start[] = {script, "start", dir, text(up, "%d", free_port(BROKER_PORT)), NULL};
    int r = run_script(up, "kafka", start, out, err);
    if (r < 0)
        return r;
    up->kafka_started = true;
    const char *uri[] = {script, "uri", dir, NULL};
    r = run_script(up, "kafka", uri, out, err);
    if (r < 0)
        return r;
    up->brokers = first_line(up, out);
    const char *topics[] = {text(up, "%s/mesh-topics", up->options->bin), "--brokers", up->brokers, "--file",
                            text(up, "%s/topics", up->options->run),      NULL};
    return run_script(up, "topics", topics, NULL, err);
}

/* MongoDB is an extra: without one the mesh runs, and one line says how to have it. */
static void start_mongo(struct mesh_up *up)
{
    const char *given = getenv("MESH_MONGO_URI");
    if (given != NULL && *given != 0) {
        up->mongo_uri = given;
        return;
    }
    up->mongo_why = "off; set MESH_MONGO_URI";
    if (up->options->scripts == NULL)
        return;
    const char *script = text(up, "%s/mongo.sh", up->options->scripts);
    up->mongo_why = text(up, "off; set MESH_MONGO_URI, put mongod on PATH, or let '%s/setup.sh mongo' build a compatible server",
                         up->options->scripts);
    struct mesh_child child;
    prepare_child(up, &child, "mongo");
    const char *dir = text(up, "%s/mongo", up->options->run);
    const char *out = text(up, "%s/mongo.uri", up->options->run);
    const char *start[] = {script, "start", dir, text(up, "%d", free_port(MONGO_PORT)), NULL};
    struct mesh_err err = {0};
    if (mesh_child_run(&child, start, out, &err) != 0)
        return;
    up->mongo_started = true;
    const char *uri[] = {script, "uri", dir, NULL};
    if (mesh_child_run(&child, uri, out, &err) == 0)
        up->mongo_uri = first_line(up, out);
}

/* Services need a key for pseudonyms. A first run makes one, kept in the run folder and readable by its owner alone. */
static int pseudonym_key(struct mesh_up *up, const char **ret, struct mesh_err *err)
{
    const char *given = getenv("MESH_PSEUDONYM_KEY");
    if (given != NULL && *given != 0) {
        *ret = given;
        return 0;
    }
    const char *path = text(up, "%s/pseudonym.key", up->options->run);
    if (!mesh_fs_exists(path)) {
        uint8_t bytes[32];
        char hex[65];
        if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
            return mesh_err_set(err, MESH_ERR_FATAL, "up.key", "no random numbers for the pseudonym key: %s", strerror(errno));
        mesh_hex(bytes, sizeof bytes, hex);
        mode_t old = umask(0077);
        int r = mesh_fs_write_atomic(path, hex, 64, err);
        umask(old);
        if (r < 0)
            return r;
    }
    *ret = first_line(up, path);
    return *ret == NULL ? mesh_err_set(err, MESH_ERR_FATAL, "up.key", "cannot read %s", path) : 0;
}

/* The domains and their ports, as the mesh declares them; in the order of the ports. */
static int find_services(struct mesh_up *up, struct mesh_err *err)
{
    const char *path = text(up, "%s/services", up->options->run);
    const char *argv[] = {text(up, "%s/meshgen", up->options->bin), "services", "--mesh", up->options->root, NULL};
    int r = run_script(up, "meshgen", argv, path, err);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf list = MESH_BUF_NULL;
    if (r < 0 || mesh_fs_read(path, 1u << 20, &list, err) < 0)
        return -1;
    char *save = NULL;
    for (char *line = strtok_r(list.p, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        char *space = strchr(line, ' ');
        if (space == NULL || up->n_services == MESH_UP_SERVICES_MAX)
            continue;
        *space = 0;
        int port = atoi(space + 1);
        size_t at = up->n_services++;
        for (; at > 0 && up->services[at - 1].port > port; at--)
            up->services[at] = up->services[at - 1];
        up->services[at] = (struct mesh_up_service){.domain = mesh_arena_strdup(&up->arena, line), .port = port};
    }
    int next = 0;
    for (size_t i = 0; i < up->n_services; i++) {
        struct mesh_up_service *s = &up->services[i];
        s->port = free_port(s->port > next ? s->port : next);
        next = s->port + 1;
    }
    return 0;
}

static int start_services(struct mesh_up *up, struct mesh_err *err)
{
    const char *key = NULL;
    int r = pseudonym_key(up, &key, err);
    for (size_t i = 0; i < up->n_services && r == 0; i++) {
        struct mesh_up_service *s = &up->services[i];
        prepare_child(up, &s->child, s->domain);
        const char *env[8] = {
            text(up, "MESH_KAFKA_BROKERS=%s", up->brokers), text(up, "MESH_HTTP_LISTEN=127.0.0.1:%d", s->port),
            text(up, "MESH_STATE_DIR=%s/state-%s/%s", up->options->run, up->options->kafka ? "kafka" : "embedded", s->domain),
            text(up, "MESH_PSEUDONYM_KEY=%s", key)};
        size_t n = 4;
        if (!up->options->kafka)
            env[n++] = "MESH_KAFKA_EMBEDDED=1";
        if (up->mongo_uri != NULL)
            env[n++] = text(up, "MESH_MONGO_URI=%s", up->mongo_uri);
        const char *argv[] = {text(up, "%s/%s/%s", up->options->services, s->domain, s->domain), NULL};
        r = mesh_child_start(&s->child, argv, env, err);
    }
    return r;
}

static int wait_ready(struct mesh_up *up, struct mesh_err *err)
{
    int64_t end_us = mesh_clock_mono_us() + (int64_t)READY_TIMEOUT_MS * 1000;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf body = MESH_BUF_NULL;
    for (size_t i = 0; i < up->n_services; i++) {
        struct mesh_up_service *s = &up->services[i];
        while (mesh_get(s->port, "/readyz", 500, &body, err) != 200) {
            if (asked_to_stop)
                return 1;
            if (mesh_child_ended(&s->child)) {
                print_last_lines(&s->child);
                return mesh_err_set(err, MESH_ERR_FATAL, "up.ended", "the service of %s ended before it was ready", s->domain);
            }
            if (mesh_clock_mono_us() > end_us)
                return mesh_err_set(err, MESH_ERR_FATAL, "up.slow", "the service of %s was not ready within %d s; see %s",
                                    s->domain, READY_TIMEOUT_MS / 1000, s->child.log_path);
            nap_ms(5);
        }
    }
    return 0;
}

/* The last line that a process wrote, or NULL. */
static const char *last_line(struct mesh_up *up, const struct mesh_child *child)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf log = MESH_BUF_NULL;
    if (mesh_fs_read(child->log_path, 1u << 20, &log, NULL) != 0)
        return NULL;
    while (log.n > 0 && log.p[log.n - 1] == '\n')
        log.p[--log.n] = 0;
    const char *line = log.n == 0 ? NULL : strrchr(log.p, '\n');
    return log.n == 0 ? NULL : mesh_arena_strdup(&up->arena, line == NULL ? log.p : line + 1);
}

/* The simulator knows one world. In a mesh with other contracts it is off, which one line says; whether it can speak to this one is
 * known to itself alone, so it is asked for a single event first. */
static int start_sim(struct mesh_up *up, struct mesh_err *err)
{
    up->sim_why = "off (--rate 0)";
    if (up->options->rate == 0)
        return 0;
    prepare_child(up, &up->sim, "sim");
    const char *sim = text(up, "%s/mesh-sim", up->options->bin);
    const char *contracts = text(up, "%s/contracts", up->options->root);
    const char *probe[] = {sim,       "--contracts",          contracts,  "--out", "/dev/null",
                           "--start", "2026-01-01T00:00:00Z", "--events", "1",     NULL};
    int status = mesh_child_run(&up->sim, probe, NULL, err);
    if (status < 0)
        return -1;
    if (status > 0) {
        const char *why = last_line(up, &up->sim);
        up->sim_why = text(up, "off, it sends OmniShop's events and finds them not declared here (%s)",
                           why == NULL ? "no reason given" : why);
        return 0;
    }
    up->sim_why = NULL;
    const char *argv[] = {sim,
                          "--brokers",
                          up->brokers,
                          "--contracts",
                          contracts,
                          "--rate",
                          text(up, "%ld", up->options->rate),
                          "--seed",
                          text(up, "%ld", up->options->seed),
                          "--truth",
                          text(up, "%s/truth.ndjson", up->options->run),
                          NULL};
    return mesh_child_start(&up->sim, argv, NULL, err);
}

static void stop_all(struct mesh_up *up)
{
    mesh_child_stop(&up->sim, STOP_TIMEOUT_MS);
    for (size_t i = up->n_services; i > 0; i--) /* ask all, then wait */
        if (up->services[i - 1].child.pid > 0)
            kill(up->services[i - 1].child.pid, SIGTERM);
    for (size_t i = up->n_services; i > 0; i--)
        mesh_child_stop(&up->services[i - 1].child, STOP_TIMEOUT_MS);
    mesh_child_stop(&up->broker, STOP_TIMEOUT_MS);
    struct mesh_err err = {0};
    if (up->kafka_started) {
        const char *argv[] = {text(up, "%s/kafka.sh", up->options->scripts), "stop", text(up, "%s/kafka", up->options->run), NULL};
        run_script(up, "kafka", argv, NULL, &err);
    }
    if (up->mongo_started) {
        const char *argv[] = {text(up, "%s/mongo.sh", up->options->scripts), "stop", text(up, "%s/mongo", up->options->run), NULL};
        run_script(up, "mongo", argv, NULL, &err);
    }
}

static void print_where(const struct mesh_up *up)
{
    printf("broker      %s (%s)\n", up->brokers,
           up->options->kafka ? "Apache Kafka; state is kept in the run folder, and the next run goes on"
                              : "embedded, in memory: every run starts a new mesh; a real Kafka ('--broker kafka') keeps it");
    printf("mongodb     %s\n", up->mongo_uri != NULL ? up->mongo_uri : up->mongo_why);
    for (size_t i = 0; i < up->n_services; i++)
        printf("%-11s http://127.0.0.1:%d  (/.well-known/data-product, /openapi.json, /readyz, /metrics)\n", up->services[i].domain,
               up->services[i].port);
    printf("logs        %s/log\n", up->options->run);
    if (up->sim_why != NULL)
        printf("simulator   %s\n", up->sim_why);
    else
        printf("simulator   %ld events/s; what it injected: %s/truth.ndjson\n", up->options->rate, up->options->run);
    for (size_t i = 0; i < up->options->n_shows; i++)
        for (size_t k = 0; k < up->n_services; k++)
            if (strcmp(up->services[k].domain, up->options->shows[i].domain) == 0)
                printf("try         curl -s 'http://127.0.0.1:%d%s'\n", up->services[k].port, up->options->shows[i].path);
    fflush(stdout);
}

/* A part that ended by itself ends the mesh, with its reason; a bounded simulator may. */
static int something_ended(struct mesh_up *up)
{
    if (!up->options->kafka && mesh_child_ended(&up->broker)) {
        fprintf(stderr, "meshctl: the embedded broker ended\n");
        print_last_lines(&up->broker);
        return 1;
    }
    for (size_t i = 0; i < up->n_services; i++)
        if (mesh_child_ended(&up->services[i].child)) {
            fprintf(stderr, "meshctl: the service of %s ended\n", up->services[i].domain);
            print_last_lines(&up->services[i].child);
            return 1;
        }
    return 0;
}

static int watch(struct mesh_up *up)
{
    bool terminal = isatty(STDOUT_FILENO);
    int64_t start_us = mesh_clock_mono_us();
    int64_t last_us = start_us;
    bool first = true;
    while (!asked_to_stop) {
        for (int i = 0; i < 20 && !asked_to_stop; i++)
            nap_ms(50);
        if (asked_to_stop || something_ended(up))
            break;
        int64_t now_us = mesh_clock_mono_us();
        if (up->options->seconds > 0 && now_us - start_us > (int64_t)up->options->seconds * 1000000)
            return 0;
        if (!terminal)
            continue;
        mesh_screen_update(up, (double)(now_us - last_us) / 1e6);
        mesh_screen_draw(up, first);
        first = false;
        last_us = now_us;
    }
    return asked_to_stop ? 0 : 1;
}

static int step(const char *what, int r, int64_t since_us)
{
    int64_t ms = (mesh_clock_mono_us() - since_us) / 1000;
    if (r == 0 && ms > SLOW_MS)
        printf("%s took %.1f s\n", what, (double)ms / 1000);
    fflush(stdout);
    return r;
}

static int start_all(struct mesh_up *up, struct mesh_err *err)
{
    int64_t t = mesh_clock_mono_us();
    int r = step("topics", write_topics(up, err), t);
    t = mesh_clock_mono_us();
    if (r == 0 && up->options->kafka)
        printf("starting Apache Kafka ...\n"), fflush(stdout);
    if (r == 0)
        r = step("broker", up->options->kafka ? start_kafka(up, err) : start_embedded(up, err), t);
    t = mesh_clock_mono_us();
    if (r == 0) {
        start_mongo(up);
        step("mongodb", 0, t);
        r = find_services(up, err);
    }
    t = mesh_clock_mono_us();
    if (r == 0)
        r = start_services(up, err);
    if (r == 0)
        r = step("services", wait_ready(up, err), t);
    if (r == 0)
        r = start_sim(up, err);
    return r;
}

/* Logs are of this run. The embedded broker begins empty, so what services knew of an earlier one has no meaning any more. */
static int clean_run(struct mesh_up *up, struct mesh_err *err)
{
    int r = mesh_fs_remove_tree(text(up, "%s/log", up->options->run), err);
    if (r == 0 && !up->options->kafka)
        r = mesh_fs_remove_tree(text(up, "%s/state-embedded", up->options->run), err);
    return r < 0 ? r : mesh_fs_mkdirs(text(up, "%s/log", up->options->run), err);
}

int mesh_up_run(const struct mesh_up_options *options)
{
    struct mesh_up up = {.options = options};
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct mesh_err err = {0};
    int64_t start_us = mesh_clock_mono_us();
    int code = 1;
    if (clean_run(&up, &err) == 0) {
        int r = start_all(&up, &err);
        if (r < 0)
            fprintf(stderr, "meshctl: %s\n", err.text);
        if (r == 0) {
            printf("the mesh is up after %.1f s\n\n", (double)(mesh_clock_mono_us() - start_us) / 1e6);
            print_where(&up);
            code = watch(&up);
        } else if (r > 0) {
            code = 0; /* asked to stop while starting */
        }
    } else {
        fprintf(stderr, "meshctl: %s\n", err.text);
    }
    stop_all(&up);
    printf("\nthe mesh is stopped\n");
    mesh_arena_deinit(&up.arena);
    return code;
}
