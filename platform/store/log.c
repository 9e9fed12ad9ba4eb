/* The log in files. Segments are read through mmap: a restart with a gigabyte of state should cost what the disk costs. What looks like
 * a torn tail is only cut off after looking for a whole frame behind it: a crash never leaves one, a damaged disk does. */
#include "store/log.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC              "MESHLOG\n"
#define HEAD_BYTES         12u         /* magic and format */
#define FRAME_HEAD_BYTES   12u         /* length and checksum */
#define FRAME_FIRST        0x80000000u /* in the length: of an append */
#define IDENTITY_FORMAT    1
#define IDENTITY_BYTES_MAX 4096u
#define SEARCH_BYTES_MAX   (1u << 30) /* hashed while looking for a whole frame behind a broken one */

struct segment {
    uint64_t number;
    uint64_t bytes;
};

struct mesh_store_log {
    char *dir;
    int lock_fd, dir_fd, fd; /* fd: of the last segment; -1: none is open */
    bool sync, broken, cut, dir_dirty;
    uint64_t torn;
    uint64_t durable;                  /* bytes of the last segment, when fd is open */
    MESH_VEC(struct segment) segments; /* ascending */
};

/* ---- frames ---- */
size_t mesh_store_frame_begin(struct mesh_buf *out)
{
    size_t begin = out->n;
    memset(mesh_buf_reserve(out, FRAME_HEAD_BYTES), 0, FRAME_HEAD_BYTES);
    out->n += FRAME_HEAD_BYTES;
    return begin;
}

static void put_little(char *to, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(uint8_t)(v >> (8 * i));
}

void mesh_store_frame_end(struct mesh_buf *out, size_t begin)
{
    size_t n = out->n - begin - FRAME_HEAD_BYTES;
    mesh_assert(n > 0 && n <= MESH_LOG_FRAME_BYTES_MAX);
    put_little(out->p + begin, n, 4);
    put_little(out->p + begin + 4, mesh_hash64(out->p + begin + FRAME_HEAD_BYTES, n), 8);
}

/* Length of the payload of a whole, valid frame at `at`; 0 = there is none. */
static size_t frame_at(const char *p, size_t n, size_t at)
{
    if (at > n || n - at < FRAME_HEAD_BYTES)
        return 0;
    struct mesh_cursor in = mesh_cursor_of(p + at, FRAME_HEAD_BYTES);
    size_t length = mesh_get_u32(&in) & ~FRAME_FIRST;
    uint64_t sum = mesh_get_u64(&in);
    if (length == 0 || length > MESH_LOG_FRAME_BYTES_MAX || length > n - at - FRAME_HEAD_BYTES)
        return 0;
    return mesh_hash64(p + at + FRAME_HEAD_BYTES, length) == sum ? length : 0;
}

static bool is_first(const char *p, size_t at)
{
    struct mesh_cursor in = mesh_cursor_of(p + at, 4);
    return (mesh_get_u32(&in) & FRAME_FIRST) != 0;
}

size_t mesh_store_frame_next(struct mesh_str frames, size_t at, struct mesh_str *ret_payload)
{
    size_t n = frame_at(frames.p, frames.n, at);
    mesh_assert(n > 0);
    *ret_payload = (struct mesh_str){frames.p + at + FRAME_HEAD_BYTES, (uint32_t)n};
    return at + FRAME_HEAD_BYTES + n;
}

/* Whether a valid frame that says that everything before it was durable begins anywhere behind `at`, where a broken one does. In the
 * first format all frames said so. */
static bool durable_behind(const char *p, size_t n, size_t at, uint32_t format)
{
    size_t hashed = 0;
    for (size_t i = at + 1; i + FRAME_HEAD_BYTES < n && hashed < SEARCH_BYTES_MAX; i++) {
        if (format > 1 && !is_first(p, i))
            continue;
        struct mesh_cursor in = mesh_cursor_of(p + i, 4);
        size_t length = mesh_get_u32(&in) & ~FRAME_FIRST;
        if (length == 0 || length > n - i - FRAME_HEAD_BYTES)
            continue;
        hashed += length;
        if (frame_at(p, n, i) > 0)
            return true;
    }
    return false;
}

/* ---- segments ---- */
static char *path_of(const struct mesh_store_log *log, uint64_t number)
{
    struct mesh_buf path = MESH_BUF_NULL;
    mesh_buf_printf(&path, "%s/%08llu.log", log->dir, (unsigned long long)number);
    return mesh_buf_take(&path);
}

struct mapped {
    char *p;
    size_t n;
};

static void unmap(struct mapped *map)
{
    if (map->p != NULL)
        munmap(map->p, map->n);
    map->p = NULL;
}

static int map_segment(const char *path, struct mapped *ret, struct mesh_err *err)
{
    *ret = (struct mapped){0};
    mesh_cleanup(mesh_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.unreadable", "cannot read %s: %s", path, strerror(errno));
    ret->n = (size_t)st.st_size;
    if (ret->n == 0)
        return 0;
    void *p = mmap(NULL, ret->n, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.unreadable", "cannot map %s: %s", path, strerror(errno));
    ret->p = p;
    (void)madvise(p, ret->n, MADV_SEQUENTIAL);
    return 0;
}

static int check_head(const char *path, const struct mapped *map, uint32_t *ret_format, struct mesh_err *err)
{
    if (map->n >= HEAD_BYTES && memcmp(map->p, MAGIC, 8) == 0) {
        struct mesh_cursor in = mesh_cursor_of(map->p + 8, 4);
        *ret_format = mesh_get_u32(&in);
        if (*ret_format >= 1 && *ret_format <= MESH_LOG_FORMAT)
            return 0;
        return mesh_err_set(err, MESH_ERR_FATAL, "state.format", "%s has format %u, this program reads up to %d", path,
                            (unsigned)*ret_format, MESH_LOG_FORMAT);
    }
    return mesh_err_set(err, MESH_ERR_FATAL, "state.corrupt", "%s does not begin like a segment of the log, at offset 0", path);
}

static int corrupt(const char *path, size_t at, struct mesh_err *err)
{
    return mesh_err_set(err, MESH_ERR_FATAL, "state.corrupt",
                        "%s is damaged at offset %zu: a frame is broken that was durable once. Nothing was changed. Restore the "
                        "directory from a copy, or move it away and start anew from the topics",
                        path, at);
}

/* Walk the frames of one segment. *ret_end: where the valid ones end. A broken tail is left to the caller when it may be one. */
static int walk(const char *path, const struct mapped *map, uint32_t format, bool last,
                int (*each)(void *, struct mesh_str, struct mesh_err *), void *context, size_t *ret_end, struct mesh_err *err)
{
    size_t at = HEAD_BYTES;
    while (at < map->n) {
        size_t n = frame_at(map->p, map->n, at);
        if (n == 0) {
            if (!last || durable_behind(map->p, map->n, at, format))
                return corrupt(path, at, err);
            break;
        }
        if (each != NULL) {
            int r = each(context, (struct mesh_str){map->p + at + FRAME_HEAD_BYTES, (uint32_t)n}, err);
            if (r < 0)
                return r;
        }
        at += FRAME_HEAD_BYTES + n;
    }
    *ret_end = at;
    return 0;
}

/* ---- opening ---- */
static int take_lock(struct mesh_store_log *log, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_buf_printf(&path, "%s/LOCK", log->dir);
    log->lock_fd = (int)TEMP_FAILURE_RETRY(open(path.p, O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (log->lock_fd < 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.unwritable", "cannot write %s: %s. Check the directory and its owner",
                            path.p, strerror(errno));
    if (flock(log->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        char owner[32] = {0};
        ssize_t n = pread(log->lock_fd, owner, sizeof owner - 1, 0);
        owner[n > 0 ? strcspn(owner, "\n") : 0] = '\0';
        return mesh_err_set(
            err, MESH_ERR_FATAL, "state.locked",
            "%s is in use by process %s. One instance owns a state directory; stop the other one or give this one its own",
            log->dir, owner[0] == '\0' ? "?" : owner);
    }
    char text[32];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (TEMP_FAILURE_RETRY(ftruncate(log->lock_fd, 0)) < 0 || TEMP_FAILURE_RETRY(pwrite(log->lock_fd, text, (size_t)n, 0)) < 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.unwritable", "cannot write %s: %s", path.p, strerror(errno));
    return 0;
}

/* The value behind "name " on its own line, or empty. */
static struct mesh_str line_of(const struct mesh_buf *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = text->p; p != NULL && *p != '\0'; p = strchr(p, '\n'), p = p == NULL ? NULL : p + 1) {
        if (strncmp(p, name, n) == 0 && p[n] == ' ')
            return (struct mesh_str){p + n + 1, (uint32_t)strcspn(p + n + 1, "\n")};
    }
    return (struct mesh_str){0};
}

static int check_identity(struct mesh_store_log *log, const struct mesh_store_identity *identity, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_printf(&path, "%s/IDENTITY", log->dir);
    if (!mesh_fs_exists(path.p)) {
        mesh_buf_printf(&text, "format %d\nproduct %s\ncluster %s\n", IDENTITY_FORMAT, identity->product, identity->cluster_id);
        if (mesh_fs_write_atomic(path.p, text.p, text.n, err) == 0)
            return 0;
        if (err != NULL)
            err->code = "state.unwritable";
        return -1;
    }
    int r = mesh_fs_read(path.p, IDENTITY_BYTES_MAX, &text, err);
    if (r < 0)
        return r;
    struct mesh_str format = line_of(&text, "format");
    struct mesh_str product = line_of(&text, "product");
    struct mesh_str cluster = line_of(&text, "cluster");
    if (!mesh_str_eq(format, MESH_STR("1")))
        return mesh_err_set(err, MESH_ERR_FATAL, "state.format", "%s has format %.*s, this program reads %d", log->dir,
                            (int)format.n, format.p == NULL ? "" : format.p, IDENTITY_FORMAT);
    if (!mesh_str_eq(product, mesh_str_of(identity->product)))
        return mesh_err_set(err, MESH_ERR_FATAL, "state.other_product",
                            "%s holds the state of %.*s, not of %s. Give each product its own", log->dir, (int)product.n,
                            product.p == NULL ? "" : product.p, identity->product);
    if (!mesh_str_eq(cluster, mesh_str_of(identity->cluster_id))) {
        mesh_err_set(err, MESH_ERR_FATAL, "state.other_cluster",
                     "%s holds state of the Kafka cluster %.*s, this one is %s: its offsets mean other records", log->dir,
                     (int)cluster.n, cluster.p == NULL ? "" : cluster.p, identity->cluster_id);
        return MESH_STORE_OTHER_CLUSTER;
    }
    return 0;
}

static int find_segments(struct mesh_store_log *log, struct mesh_err *err)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    char **names = NULL;
    size_t n = 0;
    int r = mesh_fs_list(&arena, log->dir, &names, &n, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        unsigned long long number = 0;
        int used = 0;
        if (sscanf(names[i], "%8llu.log%n", &number, &used) != 1 || used == 0 || names[i][used] != '\0')
            continue;
        mesh_cleanup(mesh_freep) char *path = path_of(log, number);
        struct stat st;
        if (stat(path, &st) < 0)
            return mesh_err_set(err, MESH_ERR_FATAL, "state.unreadable", "cannot read %s: %s", path, strerror(errno));
        *mesh_vec_push(&log->segments) = (struct segment){number, (uint64_t)st.st_size};
    }
    for (size_t i = 1; i < log->segments.n; i++)
        if (log->segments.v[i].number != log->segments.v[i - 1].number + 1)
            return mesh_err_set(err, MESH_ERR_FATAL, "state.corrupt", "segment %llu of the log in %s is missing",
                                (unsigned long long)(log->segments.v[i - 1].number + 1), log->dir);
    return 0;
}

/* Cut off what a crash left at the end. */
static int mend_tail(struct mesh_store_log *log, struct mesh_err *err)
{
    if (log->segments.n == 0)
        return 0;
    struct segment *last = &log->segments.v[log->segments.n - 1];
    mesh_cleanup(mesh_freep) char *path = path_of(log, last->number);
    size_t end = 0;
    {
        mesh_cleanup(unmap) struct mapped map = {0};
        int r = map_segment(path, &map, err);
        if (r < 0)
            return r;
        uint32_t format = 0;
        if (map.n > HEAD_BYTES || check_head(path, &map, &format, NULL) == 0) { /* else it was just being made */
            r = check_head(path, &map, &format, err);
            if (r == 0)
                r = walk(path, &map, format, true, NULL, NULL, &end, err);
            if (r < 0)
                return r;
            log->cut = format != MESH_LOG_FORMAT;
        }
    }
    log->torn = last->bytes - end;
    if (end == 0) {
        if (unlink(path) < 0)
            return mesh_err_set(err, MESH_ERR_FATAL, "state.unwritable", "cannot remove %s: %s", path, strerror(errno));
        log->segments.n--;
        return mend_tail(log, err);
    }
    log->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (log->fd < 0 || (log->torn > 0 && TEMP_FAILURE_RETRY(ftruncate(log->fd, (off_t)end)) < 0) ||
        (log->sync && TEMP_FAILURE_RETRY(fsync(log->fd)) < 0))
        return mesh_err_set(err, MESH_ERR_FATAL, "state.unwritable", "cannot write %s: %s", path, strerror(errno));
    last->bytes = log->durable = end;
    return 0;
}

int mesh_store_log_open(const char *dir, const struct mesh_store_identity *identity, bool sync, struct mesh_store_log **ret,
                        struct mesh_err *err)
{
    *ret = NULL;
    if (mesh_fs_mkdirs(dir, err) < 0) {
        if (err != NULL)
            err->code = "state.unwritable";
        return -1;
    }
    struct mesh_store_log *log = mesh_xcalloc(1, sizeof *log);
    log->dir = mesh_xstrdup(dir);
    log->sync = sync;
    log->dir_dirty = true; /* who was killed may have left names that do not last yet */
    log->fd = log->lock_fd = -1;
    log->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = log->dir_fd < 0 ? mesh_err_set(err, MESH_ERR_FATAL, "state.unreadable", "cannot open %s: %s", dir, strerror(errno))
                            : take_lock(log, err);
    if (r == 0)
        r = check_identity(log, identity, err);
    if (r == 0)
        r = find_segments(log, err);
    if (r == 0)
        r = mend_tail(log, err);
    if (r != 0) {
        mesh_store_log_close(log);
        return r;
    }
    *ret = log;
    return 0;
}

int mesh_store_log_lock(const char *dir, struct mesh_store_log **ret, struct mesh_err *err)
{
    struct mesh_store_log *log = mesh_xcalloc(1, sizeof *log);
    log->dir = mesh_xstrdup(dir);
    log->fd = log->lock_fd = log->dir_fd = -1;
    int r = take_lock(log, err);
    *ret = r == 0 ? log : mesh_store_log_close(log);
    return r;
}

struct mesh_store_log *mesh_store_log_close(struct mesh_store_log *log)
{
    if (log == NULL)
        return NULL;
    mesh_closep(&log->fd);
    mesh_closep(&log->dir_fd);
    mesh_closep(&log->lock_fd); /* lets go of the lock */
    mesh_vec_deinit(&log->segments);
    free(log->dir);
    free(log);
    return NULL;
}

int mesh_store_log_set_aside(const char *dir, char **ret_where, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_buf where = MESH_BUF_NULL;
    mesh_buf_printf(&path, "%s/IDENTITY", dir);
    int r = mesh_fs_read(path.p, IDENTITY_BYTES_MAX, &text, err);
    if (r < 0)
        return r;
    struct mesh_str cluster = line_of(&text, "cluster");
    for (int i = 0; i < 1000; i++) {
        mesh_buf_reset(&where);
        mesh_buf_printf(&where, "%s.", dir);
        for (uint32_t k = 0; k < cluster.n; k++) {
            char c = cluster.p[k];
            bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
            mesh_buf_putc(&where, plain ? c : '_');
        }
        if (i > 0)
            mesh_buf_printf(&where, ".%d", i);
        if (!mesh_fs_exists(where.p))
            break;
    }
    if (rename(dir, where.p) < 0) {
        r = mesh_err_set(err, MESH_ERR_FATAL, "state.unwritable", "cannot move %s to %s: %s", dir, where.p, strerror(errno));
        mesh_buf_deinit(&where);
        return r;
    }
    *ret_where = mesh_buf_take(&where);
    return 0;
}

/* ---- reading ---- */
int mesh_store_log_read(struct mesh_store_log *log, int (*each)(void *context, struct mesh_str frame, struct mesh_err *err),
                        void *context, struct mesh_err *err)
{
    for (size_t i = 0; i < log->segments.n; i++) {
        mesh_cleanup(mesh_freep) char *path = path_of(log, log->segments.v[i].number);
        mesh_cleanup(unmap) struct mapped map = {0};
        size_t end = 0;
        uint32_t format = 0;
        int r = map_segment(path, &map, err);
        if (r == 0)
            r = check_head(path, &map, &format, err);
        if (r == 0)
            r = walk(path, &map, format, false, each, context, &end, err);
        if (r < 0)
            return r;
    }
    return 0;
}

uint64_t mesh_store_log_torn(const struct mesh_store_log *log)
{
    return log->torn;
}

bool mesh_store_log_empty(const struct mesh_store_log *log)
{
    for (size_t i = 0; i < log->segments.n; i++)
        if (log->segments.v[i].bytes > HEAD_BYTES)
            return false;
    return true;
}

/* ---- writing ---- */
static int failed(struct mesh_store_log *log, const char *what, struct mesh_err *err)
{
    int why = errno;
    log->broken = true;
    int mended = log->sync && log->fd >= 0 ? ftruncate(log->fd, (off_t)log->durable) : 0;
    (void)mended; /* the next start cuts off what it can see to be torn */
    return mesh_err_set(
        err, MESH_ERR_FATAL, "state.write",
        "cannot %s the commit log in %s: %s. What was durable before stays; free space or mend the disk and start again", what,
        log->dir, strerror(why));
}

static int sync_dir(struct mesh_store_log *log, struct mesh_err *err)
{
    if (TEMP_FAILURE_RETRY(fsync(log->dir_fd)) < 0)
        return failed(log, "sync", err);
    log->dir_dirty = false;
    return 0;
}

static int begin_segment(struct mesh_store_log *log, struct mesh_err *err)
{
    uint64_t number = log->segments.n == 0 ? 1 : log->segments.v[log->segments.n - 1].number + 1;
    if (mesh_store_log_sync(log, err) < 0)
        return -1;
    mesh_closep(&log->fd);
    log->fd = -1;
    mesh_cleanup(mesh_freep) char *path = path_of(log, number);
    log->fd = (int)TEMP_FAILURE_RETRY(open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644));
    if (log->fd < 0)
        return failed(log, "extend", err);
    char head[HEAD_BYTES];
    memcpy(head, MAGIC, 8);
    put_little(head + 8, MESH_LOG_FORMAT, 4);
    *mesh_vec_push(&log->segments) = (struct segment){number, HEAD_BYTES};
    log->durable = 0;
    log->dir_dirty = true;
    log->cut = false;
    if (mesh_fs_write_all(log->fd, path, head, sizeof head, NULL) < 0)
        return failed(log, "write", err);
    return mesh_store_log_sync(log, err);
}

/* The first frame with its mark. */
static int write_frames(struct mesh_store_log *log, struct mesh_str frames)
{
    if (frames.n == 0)
        return 0;
    mesh_assert(frames.n > FRAME_HEAD_BYTES);
    char length[4];
    memcpy(length, frames.p, sizeof length);
    length[3] = (char)(length[3] | (char)(uint8_t)(FRAME_FIRST >> 24));
    if (mesh_fs_write_all(log->fd, log->dir, length, sizeof length, NULL) < 0)
        return -1;
    return mesh_fs_write_all(log->fd, log->dir, frames.p + sizeof length, frames.n - sizeof length, NULL);
}

int mesh_store_log_append(struct mesh_store_log *log, struct mesh_str frames, struct mesh_err *err)
{
    if (log->broken)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.write", "the commit log in %s failed before; start again", log->dir);
    if (log->fd < 0 || log->cut) {
        int r = begin_segment(log, err);
        if (r < 0)
            return r;
    }
    if (write_frames(log, frames) < 0)
        return failed(log, "write", err);
    log->segments.v[log->segments.n - 1].bytes += frames.n;
    return 0;
}

int mesh_store_log_sync(struct mesh_store_log *log, struct mesh_err *err)
{
    if (log->broken)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.write", "the commit log in %s failed before; start again", log->dir);
    if (!log->sync || log->fd < 0)
        return 0;
    if (TEMP_FAILURE_RETRY(fdatasync(log->fd)) < 0)
        return failed(log, "sync", err);
    if (log->dir_dirty && sync_dir(log, err) < 0)
        return -1;
    log->durable = log->segments.v[log->segments.n - 1].bytes;
    return 0;
}

uint64_t mesh_store_log_bytes(const struct mesh_store_log *log)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < log->segments.n; i++)
        bytes += log->segments.v[i].bytes;
    return bytes;
}

uint64_t mesh_store_log_cut(struct mesh_store_log *log)
{
    if (log->segments.n == 0)
        return 1;
    const struct segment *last = &log->segments.v[log->segments.n - 1];
    if (last->bytes <= HEAD_BYTES)
        return last->number; /* nothing in it yet */
    log->cut = true;
    return last->number + 1;
}

int mesh_store_log_trim(struct mesh_store_log *log, uint64_t segment, struct mesh_err *err)
{
    while (log->segments.n > 1 && log->segments.v[0].number < segment) {
        mesh_cleanup(mesh_freep) char *path = path_of(log, log->segments.v[0].number);
        if (unlink(path) < 0 && errno != ENOENT)
            return failed(log, "trim", err);
        log->segments.n--;
        memmove(log->segments.v, log->segments.v + 1, log->segments.n * sizeof *log->segments.v);
        if (log->sync && sync_dir(log, err) < 0) /* one by one: a gap in the numbers is a damage */
            return -1;
    }
    return 0;
}
