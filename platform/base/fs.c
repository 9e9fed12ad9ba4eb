/* Plain POSIX with every error told by path and remedy. The class follows errno: a full disk or a
 * lack of descriptors may pass, everything else needs a person. */
#include "base/fs.h"

#include "base/arena.h"
#include "base/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK 65536u
#define TEMP_TRIES 100

static int fail(struct mesh_err *err, int number, const char *doing, const char *path)
{
    enum mesh_err_class class = MESH_ERR_FATAL;
    const char *code = "fs.io";
    const char *remedy = "look at the system's log";
    switch (number) {
    case ENOENT:
        code = "fs.absent";
        remedy = "check the path";
        break;
    case EACCES:
    case EPERM:
    case EROFS:
        code = "fs.denied";
        remedy = "check the permissions";
        break;
    case ENOSPC:
    case EDQUOT:
        class = MESH_ERR_RETRY;
        code = "fs.full";
        remedy = "free some space";
        break;
    case EMFILE:
    case ENFILE:
        class = MESH_ERR_RETRY;
        code = "fs.descriptors";
        remedy = "raise the limit of open files";
        break;
    case EISDIR:
    case ENOTDIR:
    case EEXIST:
        code = "fs.kind";
        remedy = "a file and a folder are mixed up";
        break;
    case ENAMETOOLONG:
    case ELOOP:
        code = "fs.path";
        remedy = "check the path";
        break;
    default:
        break;
    }
    return mesh_err_set(err, class, code, "cannot %s '%s': %s; %s", doing, path, strerror(number), remedy);
}

static ssize_t read_some(int fd, void *to, size_t n)
{
    ssize_t got;
    do {
        got = read(fd, to, n);
    } while (got < 0 && errno == EINTR);
    return got;
}

int mesh_fs_read(const char *path, size_t bytes_max, struct mesh_buf *ret, struct mesh_err *err)
{
    mesh_buf_reset(ret);
    mesh_cleanup(mesh_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail(err, errno, "open", path);
    for (;;) {
        char *to = mesh_buf_reserve(ret, READ_CHUNK);
        ssize_t got = read_some(fd, to, READ_CHUNK);
        if (got < 0)
            return fail(err, errno, "read", path);
        ret->n += (size_t)got;
        ret->p[ret->n] = '\0';
        if (ret->n > bytes_max)
            return mesh_err_set(err, MESH_ERR_REJECT, "fs.too_large", "'%s' is larger than the %zu bytes allowed for it", path,
                                bytes_max);
        if (got == 0)
            return 0;
    }
}

int mesh_fs_write_all(int fd, const char *path, const void *bytes, size_t n, struct mesh_err *err)
{
    const char *p = bytes;
    while (n > 0) {
        ssize_t put = write(fd, p, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return fail(err, errno, "write", path);
        p += put;
        n -= (size_t)put;
    }
    return 0;
}

static int sync_folder(const char *path, struct mesh_err *err)
{
    mesh_cleanup(mesh_freep) char *folder = mesh_xstrdup(path);
    char *slash = strrchr(folder, '/');
    const char *name = slash == NULL ? "." : slash == folder ? "/" : folder;
    if (slash != NULL && slash != folder)
        *slash = '\0';
    mesh_cleanup(mesh_closep) int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail(err, errno, "open the folder", name);
    /* Some file systems have no fsync of folders; they say EINVAL. */
    if (TEMP_FAILURE_RETRY(fsync(fd)) < 0 && errno != EINVAL)
        return fail(err, errno, "sync the folder", name);
    return 0;
}

/* A new file beside `path`. */
static int open_beside(const char *path, struct mesh_buf *ret_name)
{
    static atomic_uint sequence;
    int fd = -1;
    for (int i = 0; i < TEMP_TRIES; i++) {
        mesh_buf_reset(ret_name);
        mesh_buf_printf(ret_name, "%s.tmp.%ld.%u", path, (long)getpid(),
                        atomic_fetch_add_explicit(&sequence, 1, memory_order_relaxed));
        fd = (int)TEMP_FAILURE_RETRY(open(ret_name->p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        if (fd >= 0 || errno != EEXIST)
            break;
    }
    return fd;
}

static int write_and_rename(int fd, const char *name, const char *path, const void *bytes, size_t n, struct mesh_err *err)
{
    struct stat old;
    if (stat(path, &old) == 0 && S_ISREG(old.st_mode) && fchmod(fd, old.st_mode & 07777) < 0)
        return fail(err, errno, "keep the permissions of", path);
    if (mesh_fs_write_all(fd, path, bytes, n, err) < 0)
        return -1;
    if (TEMP_FAILURE_RETRY(fsync(fd)) < 0)
        return fail(err, errno, "sync", path);
    if (rename(name, path) < 0)
        return fail(err, errno, "replace", path);
    return 0;
}

int mesh_fs_write_atomic(const char *path, const void *bytes, size_t n, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf name = MESH_BUF_NULL;
    mesh_cleanup(mesh_closep) int fd = open_beside(path, &name);
    if (fd < 0)
        return fail(err, errno, "create a file beside", path);
    if (write_and_rename(fd, name.p, path, bytes, n, err) < 0) {
        unlink(name.p);
        return -1;
    }
    return sync_folder(path, err);
}

int mesh_fs_write_changed(const char *path, const void *bytes, size_t n, bool *ret_written, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf old = MESH_BUF_NULL;
    *ret_written = false;
    if (mesh_fs_read(path, n, &old, NULL) == 0 && old.n == n && (n == 0 || memcmp(old.p, bytes, n) == 0))
        return 0;
    if (mesh_fs_write_atomic(path, bytes, n, err) < 0)
        return -1;
    *ret_written = true;
    return 0;
}

int mesh_fs_mkdirs(const char *path, struct mesh_err *err)
{
    mesh_cleanup(mesh_freep) char *part = mesh_xstrdup(path);
    for (char *p = part; *p != '\0';) {
        p += strspn(p, "/");
        p += strcspn(p, "/");
        char end = *p;
        *p = '\0';
        int made = mkdir(part, 0777);
        int why = errno;
        if (made < 0 && why != EEXIST && !mesh_fs_is_dir(part))
            return fail(err, why, "make the folder", part);
        if (made == 0 && sync_folder(part, err) < 0)
            return -1;
        *p = end;
    }
    if (!mesh_fs_is_dir(path))
        return fail(err, path[0] == '\0' ? ENOENT : ENOTDIR, "make the folder", path);
    return 0;
}

bool mesh_fs_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool mesh_fs_is_dir(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void closedirp(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}

int mesh_fs_list(struct mesh_arena *arena, const char *path, char ***ret_names, size_t *ret_n, struct mesh_err *err)
{
    mesh_cleanup(closedirp) DIR *dir = opendir(path);
    if (dir == NULL)
        return fail(err, errno, "list the folder", path);
    MESH_VEC(char *) names = {0};
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            *mesh_vec_push_in(arena, &names) = mesh_arena_strdup(arena, entry->d_name);
    }
    if (errno != 0)
        return fail(err, errno, "list the folder", path);
    if (names.n != 0)
        qsort(names.v, names.n, sizeof *names.v, by_name);
    *ret_names = names.v;
    *ret_n = names.n;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

int mesh_fs_remove_tree(const char *path, struct mesh_err *err)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 || errno == ENOENT)
        return 0;
    return mesh_err_set(err, MESH_ERR_FATAL, "fs.io", "cannot remove %s: %s", path, strerror(errno));
}
