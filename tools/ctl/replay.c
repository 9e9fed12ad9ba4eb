/* `meshctl replay`: a version beside the one that counts, from history. It goes on by itself when meshctl ends. */
#include "ctl/version.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 30000
#define LOOK_MS  200
#define SAY_US   1000000

static const char usage[] =
    "usage: meshctl replay PRODUCT --as NAME --service BINARY [--from earliest|TIME] [--state DIR] [--listen ADDRESS] [--wait]\n"
    "\n"
    "Runs BINARY, the service of another declaration of PRODUCT (or of the same one), beside the service that runs, from history. It\n"
    "shares nothing with that one but the inputs: its own consumer group, state, internal topics and dead letters. What it would\n"
    "send goes to topics PORT.NAME and collections PORT_NAME. It keeps running when meshctl has ended; when it runs already, this\n"
    "shows how far it is. Then: meshctl compare PRODUCT NAME, meshctl cutover PRODUCT NAME.\n"
    "\n"
    "  --as NAME        name of the version: v2\n"
    "  --service FILE   its binary; its settings come from the environment, as for every service\n"
    "  --from TIME      records from there on: 2026-11-21T03:00:00Z, or 30d for thirty days ago (tables are read from their begin);\n"
    "                   default: from the earliest that the broker has\n"
    "  --state DIR      MESH_STATE_DIR, the same as of the service that runs\n"
    "  --listen A:P     where it answers HTTP (default 127.0.0.1:0, a free port)\n"
    "  --wait           show how far it is, end when it has caught up\n"
    "  --timeout TIME   how long to wait for a broker's answer (default 1m)\n"
    "\n"
    "exit: 0 it runs (--wait: it has caught up), 1 it has ended, 2 usage, or the broker is away\n";

/* ---- where it begins ---- */
/* What the version that counts reads says what this one will: their inputs are known when they answer, and only --from needs them. */
static int begin_at_time(struct mesh_version *version, struct mesh_version *old, const struct mesh_version_options *o,
                         struct mesh_version_kafka *kafka, struct mesh_err *err)
{
    version->role.from_us = o->from_us;
    const struct mesh_json *sources = mesh_json_get(old->ready, "sources");
    for (uint32_t i = 0; sources != NULL && i < sources->n; i++) {
        const struct mesh_json *table = mesh_json_get(sources->items[i], "table");
        const char *topic = mesh_json_get(sources->items[i], "topic")->text;
        int32_t partition = atoi(mesh_json_get(sources->items[i], "partition")->text);
        int64_t at = 0;
        if ((table != NULL && table->boolean) || strncmp(topic, "mesh.", 5) == 0 ||
            mesh_role_at(&version->role, topic, partition) >= 0)
            continue;
        if (mesh_version_kafka_at_time(kafka, topic, partition, o->from_us, &at, err) < 0)
            return -1;
        mesh_role_add_at(&version->role, topic, partition, at);
    }
    return 0;
}

static int prepare(struct mesh_version *version, const struct mesh_version_options *o, struct mesh_version_kafka *kafka,
                   struct mesh_err *err)
{
    if (version->exists)
        return 0;
    struct mesh_arena arena = MESH_ARENA_NULL;
    const char *active = NULL;
    int result = mesh_version_active(&arena, o, &active, err);
    if (result == 0 && active == NULL)
        result = mesh_err_set(err, MESH_ERR_REJECT, "replay.alone",
                              "%s holds no running version of %s; a version is replayed beside one (is --state right?)", o->state,
                              o->product);
    struct mesh_version old = {0};
    if (result == 0 && o->from_us != INT64_MIN) {
        result = mesh_version_open(&old, o, active, err);
        if (result == 0)
            result = mesh_version_ask(&old, o, err);
        if (result == 0)
            result = begin_at_time(version, &old, o, kafka, err);
    }
    mesh_version_close(&old);
    mesh_arena_deinit(&arena);
    if (result < 0)
        return -1;
    version->role.word = MESH_ROLE_MUTED;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_printf(&path, "%s/%s", version->dir, MESH_ROLE_FILE);
    mesh_role_write(&version->role, &text);
    return mesh_fs_mkdirs(version->dir, err) < 0 ? -1 : mesh_fs_write_atomic(path.p, text.p, text.n, err);
}

/* ---- the service ---- */
static pid_t start(const struct mesh_version *version, const struct mesh_version_options *o, struct mesh_err *err)
{
    if (o->service == NULL || access(o->service, X_OK) != 0) {
        mesh_err_set(err, MESH_ERR_REJECT, "replay.service", "%s: no program to run as %s of %s (--service)",
                     o->service == NULL ? "" : o->service, version->name, o->product);
        return -1;
    }
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf log = MESH_BUF_NULL;
    mesh_buf_printf(&log, "%s.log", version->dir);
    fflush(NULL);
    pid_t pid = fork();
    if (pid != 0) {
        if (pid < 0)
            mesh_err_set(err, MESH_ERR_FATAL, "replay.fork", "cannot start %s: %s", o->service, strerror(errno));
        return pid;
    }
    setsid(); /* it outlives meshctl */
    int out = open(log.p, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (out < 0 || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
        _exit(127);
    setenv("MESH_VARIANT", strcmp(version->name, MESH_VARIANT_BASE) == 0 ? "" : version->name, 1);
    setenv("MESH_STATE_DIR", o->state, 1);
    setenv("MESH_HTTP_LISTEN", o->listen, 1);
    setenv("MESH_KAFKA_BROKERS", o->brokers, 1);
    execl(o->service, o->service, (char *)NULL);
    dprintf(2, "cannot run %s: %s\n", o->service, strerror(errno));
    _exit(127);
}

static int wait_for_answer(struct mesh_version *version, const struct mesh_version_options *o, pid_t pid, struct mesh_err *err)
{
    int64_t until_us = mesh_clock_mono_us() + START_MS * INT64_C(1000);
    while (mesh_version_ask(version, o, err) < 0) {
        int status = 0;
        if (pid > 0 && waitpid(pid, &status, WNOHANG) == pid)
            return mesh_err_set(err, MESH_ERR_REJECT, "replay.ended", "%s ended at once; %s.log says why", o->service,
                                version->dir);
        if (mesh_clock_mono_us() > until_us)
            return -1;
        mesh_version_nap(LOOK_MS);
    }
    return 0;
}

/* ---- how far ---- */
struct progress {
    int64_t done, all, trimmed; /* records, of what there was when it was asked */
    bool sure;                  /* every partition was looked at */
};

static int measure(struct mesh_version *version, const struct mesh_version_options *o, struct mesh_version_kafka *kafka,
                   struct progress *ret, struct mesh_err *err)
{
    *ret = (struct progress){0};
    if (mesh_version_ask(version, o, err) < 0)
        return -1;
    const struct mesh_json *sources = mesh_json_get(version->ready, "sources");
    ret->sure = sources != NULL && sources->n > 0;
    for (uint32_t i = 0; sources != NULL && i < sources->n; i++) {
        const struct mesh_json *s = sources->items[i];
        const char *topic = mesh_json_get(s, "topic")->text;
        int32_t partition = atoi(mesh_json_get(s, "partition")->text);
        int64_t position = atoll(mesh_json_get(s, "position")->text);
        int64_t low = 0, end = 0;
        if (strncmp(topic, "mesh.", 5) == 0)
            continue;
        if (mesh_version_kafka_ends(kafka, topic, partition, &low, &end, err) < 0)
            return -1;
        int64_t begin = mesh_role_at(&version->role, topic, partition);
        begin = begin > low ? begin : low;
        ret->all += end > begin ? end - begin : 0;
        ret->done += position > begin ? (position < end ? position : end) - begin : 0;
        ret->trimmed += atoll(mesh_json_get(s, "trimmed")->text);
    }
    return 0;
}

static void say(const struct mesh_version *version, const struct progress *p, double rate)
{
    char left[64] = "";
    if (rate >= 1 && p->done < p->all)
        snprintf(left, sizeof left, ", about %.0f s left", (double)(p->all - p->done) / rate + 0.5);
    fprintf(stderr, "%s: %lld of %lld records (%.0f %%), %.0f/s%s\n", version->name, (long long)p->done, (long long)p->all,
            p->all == 0 ? 100.0 : 100.0 * (double)p->done / (double)p->all, rate, left);
}

static int follow(struct mesh_version *version, const struct mesh_version_options *o, struct mesh_version_kafka *kafka, pid_t pid,
                  struct mesh_err *err)
{
    int64_t said_us = mesh_clock_mono_us();
    int64_t begun_us = said_us;
    int64_t first = -1, before = 0;
    for (;;) {
        int status = 0;
        struct progress p;
        if (pid > 0 && waitpid(pid, &status, WNOHANG) == pid) {
            fprintf(stderr, "meshctl: %s has ended; %s.log says why\n", version->name, version->dir);
            return MESH_VERSION_EXIT_DIFFERS;
        }
        if (measure(version, o, kafka, &p, err) < 0)
            return -1;
        int64_t now_us = mesh_clock_mono_us();
        first = first < 0 ? p.done : first;
        bool done = p.sure && p.done == p.all;
        if (done || now_us - said_us >= SAY_US) {
            int64_t from_us = done ? begun_us : said_us;
            say(version, &p, (double)(p.done - (done ? first : before)) / ((double)(now_us - from_us) / 1e6 + 1e-6));
            said_us = now_us;
            before = p.done;
        }
        if (done) {
            if (p.trimmed > 0)
                fprintf(stderr,
                        "%s: the broker had deleted %lld records before they were read: what they would have added is missing\n",
                        version->name, (long long)p.trimmed);
            return MESH_VERSION_EXIT_OK;
        }
        mesh_version_nap(LOOK_MS);
    }
}

static int run(struct mesh_version *version, const struct mesh_version_options *o, struct mesh_version_kafka *kafka,
               struct mesh_err *err)
{
    pid_t pid = 0;
    struct mesh_err away;
    if (mesh_version_ask(version, o, &away) < 0) {
        if (prepare(version, o, kafka, err) < 0)
            return -1;
        pid = start(version, o, err);
        if (pid < 0 || wait_for_answer(version, o, pid, err) < 0)
            return -1;
        printf("%s of %s runs as process %ld, served at 127.0.0.1:%d, state in %s, log in %s.log\n", version->name, o->product,
               (long)pid, version->port, version->dir, version->dir);
        fflush(stdout);
    }
    if (version->role.from_us != INT64_MIN)
        fprintf(stderr,
                "%s: its history begins at a time: what was counted without a window, and windows that had begun, lack what "
                "came before\n",
                version->name);
    return o->wait ? follow(version, o, kafka, pid, err) : MESH_VERSION_EXIT_OK;
}

int mesh_ctl_replay(int argc, char **argv)
{
    struct mesh_version_options o;
    struct mesh_err err = {0};
    int result = 0;
    if (mesh_version_options(argc, argv, "asvlbftwh", usage, &o, &result) != 0)
        return result;
    struct mesh_version version = {0};
    struct mesh_version_kafka kafka = {0};
    result = mesh_version_open(&version, &o, o.variant, &err);
    if (result == 0 && version.role.word != MESH_ROLE_MUTED && version.role.word != MESH_ROLE_HELD)
        result =
            mesh_err_set(&err, MESH_ERR_REJECT, "replay.role", "%s of %s is %s: only a version that does not count is replayed",
                         o.variant, o.product, mesh_role_word_text(version.role.word));
    if (result == 0)
        result = mesh_version_kafka_open(&kafka, &o, &err);
    if (result == 0)
        result = run(&version, &o, &kafka, &err);
    mesh_version_kafka_close(&kafka);
    mesh_version_close(&version);
    return result < 0 ? mesh_version_fail(&err) : result;
}
