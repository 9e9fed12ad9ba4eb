/* The writer of an audit. Entries are composed by whoever adds them, numbered and chained by the audit's own thread, which writes all
 * that waits, syncs it, and replaces the head: a crash in between leaves more entries than the head knows, never fewer. */
#include "govern/audit_int.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mesh_audit {
    char *dir;
    struct mesh_audit_chain chain; /* of the thread, once it runs */
    uint64_t segment;
    uint64_t segment_bytes;
    int fd;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct mesh_buf queue; /* bodies, each behind its length (32 bits) */
    uint64_t written;
    bool stop, failed;
    struct mesh_err err;
};

static void enqueue(struct mesh_audit *audit, const struct mesh_buf *body)
{
    mesh_buf_u32(&audit->queue, (uint32_t)body->n);
    mesh_buf_add(&audit->queue, body->p, body->n);
}

static int open_segment(struct mesh_audit *audit, struct mesh_err *err)
{
    char name[MESH_AUDIT_NAME_CHARS];
    char path[4096];
    mesh_audit_segment_name(audit->segment, name);
    snprintf(path, sizeof path, "%s/%s", audit->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "audit.unwritable", "cannot open '%s': %s", path, strerror(errno));
    if (audit->fd >= 0)
        close(audit->fd);
    audit->fd = fd;
    return 0;
}

/* What a crash left of a line goes, and the next entry says so. */
static int cut(struct mesh_audit *audit, uint64_t whole_bytes, struct mesh_err *err)
{
    if (ftruncate(audit->fd, (off_t)whole_bytes) != 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "audit.unwritable", "cannot cut the torn end of the audit in '%s': %s", audit->dir,
                            strerror(errno));
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf body = {0};
    mesh_buf_puts(&body, "\"at\":\"");
    mesh_text_time(&body, mesh_clock_wall_us());
    mesh_buf_puts(&body, "\",\"event\":\"cut\"");
    enqueue(audit, &body);
    return 0;
}

/* A file in which not even the first line is whole says nothing: it goes, and the one before it is gone on with. */
static int drop_empty(const struct mesh_audit *audit, uint64_t segment, struct mesh_err *err)
{
    char name[MESH_AUDIT_NAME_CHARS];
    char path[4096];
    mesh_audit_segment_name(segment, name);
    snprintf(path, sizeof path, "%s/%s", audit->dir, name);
    if (unlink(path) != 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "audit.unwritable", "cannot remove '%s': %s", path, strerror(errno));
    return 0;
}

static int append(struct mesh_audit *audit, const struct mesh_buf *lines, struct mesh_err *err)
{
    if (mesh_fs_write_all(audit->fd, audit->dir, lines->p, lines->n, err) < 0)
        return -1;
    if (fdatasync(audit->fd) != 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "audit.unwritable", "cannot sync the audit in '%s': %s", audit->dir,
                            strerror(errno));
    audit->segment_bytes += lines->n;
    return 0;
}

static int replace_head(const struct mesh_audit *audit, struct mesh_err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", audit->dir, MESH_AUDIT_HEAD_NAME);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = {0};
    mesh_audit_head_write(&audit->chain, &text);
    return mesh_fs_write_atomic(path, text.p, text.n, err);
}

static int begin_segment(struct mesh_audit *audit, struct mesh_buf *lines, struct mesh_err *err)
{
    audit->segment++;
    audit->segment_bytes = 0;
    mesh_audit_chain_write_first(&audit->chain, mesh_clock_wall_us(), lines);
    return open_segment(audit, err);
}

static int write_batch(struct mesh_audit *audit, const struct mesh_buf *bodies, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf lines = {0};
    if (audit->segment == 0 || audit->segment_bytes >= MESH_AUDIT_SEGMENT_BYTES)
        if (begin_segment(audit, &lines, err) < 0)
            return -1;
    struct mesh_cursor in = mesh_cursor_of(bodies->p, bodies->n);
    while (in.p < in.end) {
        uint32_t n = mesh_get_u32(&in);
        mesh_audit_chain_write(&audit->chain, mesh_get_bytes(&in, n), &lines);
    }
    if (append(audit, &lines, err) < 0)
        return -1;
    return replace_head(audit, err);
}

static void *run(void *context)
{
    struct mesh_audit *audit = context;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf mine = {0};
    pthread_mutex_lock(&audit->lock);
    for (;;) {
        while (audit->queue.n == 0 && !audit->stop)
            pthread_cond_wait(&audit->cond, &audit->lock);
        if (audit->queue.n == 0)
            break;
        struct mesh_buf full = audit->queue;
        audit->queue = mine;
        mine = full;
        pthread_mutex_unlock(&audit->lock);
        struct mesh_err err = {0};
        int result = write_batch(audit, &mine, &err);
        mesh_buf_reset(&mine);
        pthread_mutex_lock(&audit->lock);
        if (result < 0) {
            audit->failed = true;
            audit->err = err;
            break;
        }
        audit->written = audit->chain.n;
    }
    pthread_mutex_unlock(&audit->lock);
    return NULL;
}

static int go_on(struct mesh_audit *audit, struct mesh_str key, struct mesh_err *err)
{
    struct mesh_audit_ask ask = {.last_only = true};
    struct mesh_audit_report report;
    struct mesh_audit_end end;
    for (;;) {
        if (mesh_audit_read(audit->dir, key, &ask, &report, &end, err) < 0)
            return -1;
        bool nothing = report.entries == 0 && (report.finding == MESH_AUDIT_SOUND || report.finding == MESH_AUDIT_TORN ||
                                               report.finding == MESH_AUDIT_TRUNCATED);
        if (end.segment == 0 || !nothing)
            break;
        if (drop_empty(audit, end.segment, err) < 0)
            return -1;
    }
    if (report.finding != MESH_AUDIT_SOUND && report.finding != MESH_AUDIT_TORN)
        return mesh_err_set(
            err, MESH_ERR_FATAL, "audit.broken",
            "the audit in '%s' cannot be gone on with: %s, line %llu: %s. Run meshctl audit verify; to begin another "
            "one, put the folder away and keep it",
            audit->dir, report.file, (unsigned long long)report.line, mesh_audit_finding_text(report.finding));
    audit->chain = end.chain;
    audit->written = end.chain.n;
    audit->segment = end.segment;
    audit->segment_bytes = end.whole_bytes;
    if (audit->segment == 0)
        return 0;
    if (open_segment(audit, err) < 0)
        return -1;
    return report.finding == MESH_AUDIT_TORN ? cut(audit, end.whole_bytes, err) : 0;
}

int mesh_audit_open(const char *dir, struct mesh_str key, struct mesh_audit **ret, struct mesh_err *err)
{
    if (mesh_fs_mkdirs(dir, err) < 0)
        return -1;
    struct mesh_audit *audit = mesh_xcalloc(1, sizeof *audit);
    audit->dir = mesh_xstrdup(dir);
    audit->fd = -1;
    mesh_assert(pthread_mutex_init(&audit->lock, NULL) == 0);
    mesh_assert(pthread_cond_init(&audit->cond, NULL) == 0);
    if (go_on(audit, key, err) < 0) {
        audit->failed = true;
        mesh_audit_close(audit);
        return -1;
    }
    mesh_assert(pthread_create(&audit->thread, NULL, run, audit) == 0);
    *ret = audit;
    return 0;
}

static void member(struct mesh_buf *out, const char *name, struct mesh_str text)
{
    if (text.n == 0)
        return;
    mesh_buf_printf(out, ",\"%s\":", name);
    mesh_json_string(out, text);
}

static void compose(const struct mesh_audit_entry *entry, struct mesh_buf *out)
{
    mesh_buf_puts(out, "\"at\":\"");
    mesh_text_time(out, entry->at_us);
    mesh_buf_putc(out, '"');
    member(out, "decision", mesh_str_of(entry->decision));
    if (entry->reason != NULL)
        member(out, "reason", mesh_str_of(entry->reason));
    member(out, "who", entry->who);
    member(out, "role", entry->role);
    member(out, "purpose", entry->purpose);
    member(out, "method", mesh_str_of(entry->method));
    member(out, "port", mesh_str_of(entry->port));
    member(out, "fields", entry->fields);
    mesh_buf_printf(out, ",\"rows\":%lld", (long long)entry->rows);
}

int mesh_audit_add(struct mesh_audit *audit, const struct mesh_audit_entry *entry)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf body = {0};
    compose(entry, &body);
    pthread_mutex_lock(&audit->lock);
    int result = audit->failed || audit->stop || audit->queue.n + body.n + sizeof(uint32_t) > MESH_AUDIT_QUEUE_BYTES_MAX ? 1 : 0;
    if (result == 0) {
        enqueue(audit, &body);
        pthread_cond_signal(&audit->cond);
    }
    pthread_mutex_unlock(&audit->lock);
    return result;
}

uint64_t mesh_audit_written(struct mesh_audit *audit)
{
    pthread_mutex_lock(&audit->lock);
    uint64_t n = audit->written;
    pthread_mutex_unlock(&audit->lock);
    return n;
}

bool mesh_audit_failed(struct mesh_audit *audit, struct mesh_err *err)
{
    pthread_mutex_lock(&audit->lock);
    bool failed = audit->failed;
    if (failed)
        *err = audit->err;
    pthread_mutex_unlock(&audit->lock);
    return failed;
}

struct mesh_audit *mesh_audit_close(struct mesh_audit *audit)
{
    if (audit == NULL)
        return NULL;
    if (audit->thread != 0) {
        pthread_mutex_lock(&audit->lock);
        audit->stop = true;
        pthread_cond_signal(&audit->cond);
        pthread_mutex_unlock(&audit->lock);
        pthread_join(audit->thread, NULL);
    }
    if (audit->fd >= 0)
        close(audit->fd);
    mesh_buf_deinit(&audit->queue);
    pthread_cond_destroy(&audit->cond);
    pthread_mutex_destroy(&audit->lock);
    free(audit->dir);
    free(audit);
    return NULL;
}
