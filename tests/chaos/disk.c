/* The model is a list of files, each with what lasts of it and what does not yet, and a list of names, each with the file that it
 * lasts as and those that it had since. Real calls keep the folder as a reader sees it; real syncs are left out, they are slow and the
 * model does not need them. */
#include "disk.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/fs.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FDS_MAX 1024
#define NONE    SIZE_MAX
#define SECTOR  512

struct change { /* of a file's content, not yet lasting */
    bool truncates;
    bool lost; /* a sync that failed: it never lasts */
    uint64_t at;
    struct mesh_buf bytes;
};

struct file {
    bool is_dir;
    struct mesh_buf lasting;
    uint64_t seen_bytes;
    MESH_VEC(struct change) changes;
};

struct name {
    char *path;
    size_t lasting;         /* file, NONE: no such name */
    MESH_VEC(size_t) since; /* what it became, oldest first */
};

static struct {
    char *root;
    MESH_VEC(struct file) files;
    MESH_VEC(struct name) names;
    size_t fd_file[FDS_MAX]; /* + 1; 0: not ours */
    bool fd_append[FDS_MAX];
    enum disk_fault fault;
    uint64_t at, calls;
    int error;
    uint8_t part;
    bool landed, dead;
    char where[400];
} disk;

int __real_open64(const char *path, int flags, ...);
int __real_close(int fd);
ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __real_pwrite64(int fd, const void *bytes, size_t n, off_t at);
int __real_ftruncate64(int fd, off_t n);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_close(int fd);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t at);
int __wrap_ftruncate64(int fd, off_t n);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);
int __wrap_mkdir(const char *path, mode_t mode);

/* ---- the model ---- */
static bool below(const char *path)
{
    size_t n = disk.root == NULL ? 0 : strlen(disk.root);
    return n > 0 && strncmp(path, disk.root, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static struct name *name_of(const char *path)
{
    for (size_t i = 0; i < disk.names.n; i++)
        if (strcmp(disk.names.v[i].path, path) == 0)
            return &disk.names.v[i];
    struct name *name = mesh_vec_push(&disk.names);
    *name = (struct name){.path = mesh_xstrdup(path), .lasting = NONE};
    return name;
}

static size_t seen(const struct name *name)
{
    return name->since.n > 0 ? name->since.v[name->since.n - 1] : name->lasting;
}

static size_t new_file(bool is_dir)
{
    *mesh_vec_push(&disk.files) = (struct file){.is_dir = is_dir};
    return disk.files.n - 1;
}

static struct change *change(size_t file)
{
    struct change *c = mesh_vec_push(&disk.files.v[file].changes);
    *c = (struct change){0};
    return c;
}

static void apply_change(struct mesh_buf *to, const struct change *c)
{
    if (c->truncates) {
        if (to->n > c->at)
            to->n = c->at;
        return;
    }
    uint64_t end = c->at + c->bytes.n;
    if (end > to->n) {
        memset(mesh_buf_reserve(to, end - to->n), 0, end - to->n);
        to->n = end;
    }
    memcpy(to->p + c->at, c->bytes.p, c->bytes.n);
}

static void make_content_last(size_t file)
{
    struct file *f = &disk.files.v[file];
    size_t kept = 0;
    for (size_t i = 0; i < f->changes.n; i++) {
        struct change *c = &f->changes.v[i];
        if (c->lost) {
            f->changes.v[kept++] = *c;
            continue;
        }
        apply_change(&f->lasting, c);
        mesh_buf_deinit(&c->bytes);
    }
    f->changes.n = kept;
}

static bool directly_in(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && path[n] == '/' && strchr(path + n + 1, '/') == NULL;
}

static void make_names_last(size_t dir_file)
{
    const char *dir = NULL;
    for (size_t i = 0; i < disk.names.n; i++)
        if (seen(&disk.names.v[i]) == dir_file)
            dir = disk.names.v[i].path;
    for (size_t i = 0; dir != NULL && i < disk.names.n; i++) {
        struct name *name = &disk.names.v[i];
        if (!directly_in(name->path, dir))
            continue;
        name->lasting = seen(name);
        name->since.n = 0;
    }
}

/* ---- faults ---- */
enum verdict { GO, PART, FAIL };

/* Calls on names are never interrupted. */
static bool interruptible(const char *call)
{
    return strcmp(call, "rename") != 0 && strcmp(call, "unlink") != 0 && strcmp(call, "mkdir") != 0;
}

static enum verdict ask(const char *call, const char *what)
{
    if (disk.dead) {
        errno = EIO;
        return FAIL;
    }
    disk.calls++;
    if (disk.fault == DISK_FINE || disk.calls != disk.at)
        return GO;
    disk.landed = true;
    snprintf(disk.where, sizeof disk.where, "%s of %s", call, what);
    if (disk.fault == DISK_ERROR && disk.error == EINTR && !interruptible(call))
        return GO;
    switch (disk.fault) {
    case DISK_KILL_BEFORE:
        disk.dead = true;
        errno = EIO;
        return FAIL;
    case DISK_KILL_AMID:
    case DISK_SHORT:
        return PART;
    case DISK_KILL_AFTER:
        return PART; /* a part that is all of it */
    case DISK_ERROR:
        errno = disk.error;
        return disk.part > 0 ? PART : FAIL;
    case DISK_FINE:
        break;
    }
    return GO;
}

/* Behind a call that was made although a fault had come; its result. */
static int after(int result)
{
    if (disk.fault == DISK_KILL_AMID || disk.fault == DISK_KILL_AFTER) {
        disk.dead = true;
        errno = EIO;
        return -1;
    }
    if (disk.fault == DISK_ERROR) {
        errno = disk.error;
        return -1;
    }
    return result;
}

static const char *text_of(size_t file)
{
    for (size_t i = 0; i < disk.names.n; i++)
        if (seen(&disk.names.v[i]) == file)
            return disk.names.v[i].path;
    return "a file without a name";
}

static size_t file_of(int fd)
{
    return fd < 0 || fd >= FDS_MAX || disk.fd_file[fd] == 0 ? NONE : disk.fd_file[fd] - 1;
}

/* ---- calls ---- */
static int opened(const char *path, int flags, int fd, bool created)
{
    mesh_assert(fd < FDS_MAX);
    if (fd < 0)
        return fd;
    struct name *name = name_of(path);
    if (created)
        *mesh_vec_push(&name->since) = new_file(false);
    mesh_assert(seen(name) != NONE);
    disk.fd_file[fd] = seen(name) + 1;
    disk.fd_append[fd] = (flags & O_APPEND) != 0;
    return fd;
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (!below(path))
        return __real_open64(path, flags, mode);
    bool creates = (flags & O_CREAT) != 0 && seen(name_of(path)) == NONE;
    if (!creates) {
        if (disk.dead) {
            errno = EIO;
            return -1;
        }
        return seen(name_of(path)) == NONE ? (errno = ENOENT, -1) : opened(path, flags, __real_open64(path, flags, mode), false);
    }
    enum verdict verdict = ask("open", path);
    if (verdict == FAIL)
        return -1;
    int fd = opened(path, flags, __real_open64(path, flags, mode), true);
    if (verdict == GO || fd < 0)
        return fd;
    int result = after(fd);
    if (result < 0)
        __wrap_close(fd);
    errno = result < 0 && disk.fault == DISK_ERROR ? disk.error : errno;
    return result;
}

int __wrap_close(int fd)
{
    if (fd >= 0 && fd < FDS_MAX)
        disk.fd_file[fd] = 0;
    return __real_close(fd);
}

static void note_write(size_t file, uint64_t at, const void *bytes, size_t n)
{
    struct change *c = change(file);
    c->at = at;
    mesh_buf_add(&c->bytes, bytes, n);
    struct file *f = &disk.files.v[file];
    f->seen_bytes = at + n > f->seen_bytes ? at + n : f->seen_bytes;
}

static ssize_t write_at(int fd, size_t file, const void *bytes, size_t n, uint64_t at)
{
    enum verdict verdict = ask("write", text_of(file));
    if (verdict == FAIL)
        return -1;
    size_t part = verdict == GO || disk.fault == DISK_KILL_AFTER ? n : n * disk.part / 256;
    ssize_t put = part == 0 ? 0 : __real_pwrite64(fd, bytes, part, (off_t)at);
    mesh_assert(put == (ssize_t)part);
    if (part > 0)
        note_write(file, at, bytes, part);
    if (verdict == GO)
        return put;
    if (disk.fault == DISK_SHORT && part == 0) {
        errno = EINTR;
        return -1;
    }
    return after((int)put);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
    size_t file = file_of(fd);
    if (file == NONE)
        return __real_write(fd, bytes, n);
    off_t at = disk.fd_append[fd] ? (off_t)disk.files.v[file].seen_bytes : lseek(fd, 0, SEEK_CUR);
    /* pwrite() on a descriptor with O_APPEND appends, on Linux; the place is the same */
    ssize_t put = write_at(fd, file, bytes, n, (uint64_t)at);
    if (put > 0 && !disk.fd_append[fd])
        lseek(fd, at + put, SEEK_SET);
    return put;
}

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t at)
{
    size_t file = file_of(fd);
    return file == NONE ? __real_pwrite64(fd, bytes, n, at) : write_at(fd, file, bytes, n, (uint64_t)at);
}

int __wrap_ftruncate64(int fd, off_t n)
{
    size_t file = file_of(fd);
    if (file == NONE)
        return __real_ftruncate64(fd, n);
    enum verdict verdict = ask("ftruncate", text_of(file));
    if (verdict == FAIL)
        return -1;
    int result = __real_ftruncate64(fd, n);
    struct change *c = change(file);
    *c = (struct change){.truncates = true, .at = (uint64_t)n};
    disk.files.v[file].seen_bytes = (uint64_t)n;
    return verdict == GO ? result : after(result);
}

static int sync_file(int fd, const char *call)
{
    size_t file = file_of(fd);
    enum verdict verdict = ask(call, text_of(file));
    bool refused = verdict != GO && disk.fault == DISK_ERROR && !disk.dead;
    if (verdict == FAIL || refused) {
        struct file *f = &disk.files.v[file];
        for (size_t i = 0; refused && disk.error == EIO && i < f->changes.n; i++)
            f->changes.v[i].lost = !f->changes.v[i].truncates;
        return -1;
    }
    if (disk.files.v[file].is_dir)
        make_names_last(file);
    else
        make_content_last(file);
    return verdict == GO ? 0 : after(0);
}

int __wrap_fdatasync(int fd)
{
    return file_of(fd) == NONE ? __real_fdatasync(fd) : sync_file(fd, "fdatasync");
}

int __wrap_fsync(int fd)
{
    return file_of(fd) == NONE ? __real_fsync(fd) : sync_file(fd, "fsync");
}

int __wrap_rename(const char *from, const char *to)
{
    if (!below(from))
        return __real_rename(from, to);
    enum verdict verdict = ask("rename", to);
    if (verdict == FAIL)
        return -1;
    int result = __real_rename(from, to);
    if (result == 0) {
        size_t file = seen(name_of(from));
        *mesh_vec_push(&name_of(to)->since) = file;
        *mesh_vec_push(&name_of(from)->since) = NONE;
    }
    return verdict == GO ? result : after(result);
}

int __wrap_unlink(const char *path)
{
    if (!below(path))
        return __real_unlink(path);
    enum verdict verdict = ask("unlink", path);
    if (verdict == FAIL)
        return -1;
    int result = __real_unlink(path);
    if (result == 0)
        *mesh_vec_push(&name_of(path)->since) = NONE;
    return verdict == GO ? result : after(result);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    if (!below(path) || seen(name_of(path)) != NONE)
        return __real_mkdir(path, mode);
    enum verdict verdict = ask("mkdir", path);
    if (verdict == FAIL)
        return -1;
    int result = __real_mkdir(path, mode);
    if (result == 0)
        *mesh_vec_push(&name_of(path)->since) = new_file(true);
    return verdict == GO ? result : after(result);
}

/* ---- the test's side ---- */
static void forget(void)
{
    for (size_t i = 0; i < disk.files.n; i++) {
        struct file *f = &disk.files.v[i];
        mesh_buf_deinit(&f->lasting);
        for (size_t k = 0; k < f->changes.n; k++)
            mesh_buf_deinit(&f->changes.v[k].bytes);
        mesh_vec_deinit(&f->changes);
    }
    for (size_t i = 0; i < disk.names.n; i++) {
        free(disk.names.v[i].path);
        mesh_vec_deinit(&disk.names.v[i].since);
    }
    mesh_vec_deinit(&disk.files);
    mesh_vec_deinit(&disk.names);
    free(disk.root);
    memset(&disk, 0, sizeof disk);
}

void disk_init(const char *root)
{
    mesh_assert(disk.root == NULL && __real_mkdir(root, 0700) == 0);
    disk.root = mesh_xstrdup(root);
    name_of(root)->lasting = new_file(true);
}

void disk_deinit(void)
{
    mesh_cleanup(mesh_freep) char *root = mesh_xstrdup(disk.root);
    forget();
    mesh_assert(mesh_fs_remove_tree(root, NULL) == 0);
}

void disk_plan(enum disk_fault fault, uint64_t at, int error, uint8_t part)
{
    disk.fault = at == 0 ? DISK_FINE : fault;
    disk.at = at;
    disk.error = error;
    disk.part = part;
    disk.calls = 0;
    disk.landed = false;
    disk.where[0] = '\0';
}

uint64_t disk_calls(void)
{
    return disk.calls;
}

bool disk_landed(void)
{
    return disk.landed;
}

const char *disk_where(void)
{
    return disk.where;
}

bool disk_dead(void)
{
    return disk.dead;
}

void disk_revive(void)
{
    disk.dead = false;
}

/* What may be left of a write: all, nothing, a part from the start, or some of its sectors, the others never written. */
static void keep_some(struct mesh_buf *to, const struct change *c, struct mesh_rng *rng)
{
    uint64_t how = c->lost ? 0 : mesh_rng_below(rng, 4);
    if (how == 0)
        return;
    if (how == 1 || c->truncates) {
        apply_change(to, c);
        return;
    }
    struct change part = *c;
    if (how == 2) {
        part.bytes.n = (size_t)mesh_rng_below(rng, c->bytes.n + 1);
        if (part.bytes.n > 0)
            apply_change(to, &part);
        return;
    }
    for (size_t at = 0; at < c->bytes.n;) {
        size_t n = SECTOR - (size_t)((c->at + at) % SECTOR);
        n = n > c->bytes.n - at ? c->bytes.n - at : n;
        part = (struct change){.at = c->at + at, .bytes = {.p = c->bytes.p + at, .n = n}};
        if (mesh_rng_below(rng, 2) == 0)
            apply_change(to, &part);
        at += n;
    }
}

static int longest_first(const void *a, const void *b)
{
    size_t n = strlen(((const struct name *)a)->path);
    size_t m = strlen(((const struct name *)b)->path);
    return n < m ? 1 : n > m ? -1 : 0;
}

void disk_power_cut(struct mesh_rng *rng)
{
    for (int fd = 0; fd < FDS_MAX; fd++)
        mesh_assert(disk.fd_file[fd] == 0);
    for (size_t i = 0; i < disk.files.n; i++) {
        struct file *f = &disk.files.v[i];
        for (size_t k = 0; k < f->changes.n; k++) {
            keep_some(&f->lasting, &f->changes.v[k], rng);
            mesh_buf_deinit(&f->changes.v[k].bytes);
        }
        f->changes.n = 0;
        f->seen_bytes = f->lasting.n;
    }
    for (size_t i = 0; i < disk.names.n; i++) {
        struct name *name = &disk.names.v[i];
        size_t kept = (size_t)mesh_rng_below(rng, name->since.n + 1);
        if (kept > 0)
            name->lasting = name->since.v[kept - 1];
        name->since.n = 0;
    }
    mesh_assert(mesh_fs_remove_tree(disk.root, NULL) == 0);
    qsort(disk.names.v, disk.names.n, sizeof *disk.names.v, longest_first);
    for (size_t i = disk.names.n; i-- > 0;) { /* folders before what is in them; without its folder nothing is found */
        struct name *name = &disk.names.v[i];
        if (name->lasting == NONE)
            continue;
        const struct file *f = &disk.files.v[name->lasting];
        int fd = f->is_dir ? -1 : __real_open64(name->path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (f->is_dir ? __real_mkdir(name->path, 0700) != 0 : fd < 0) {
            mesh_assert(errno == ENOENT);
            name->lasting = NONE;
            continue;
        }
        if (fd < 0)
            continue;
        mesh_assert(f->lasting.n == 0 || __real_write(fd, f->lasting.p, f->lasting.n) == (ssize_t)f->lasting.n);
        __real_close(fd);
    }
}
