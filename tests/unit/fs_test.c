#include "../check.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/fs.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static const char *in_folder(const char *name)
{
    static char paths[4][256];
    static size_t next;
    char *path = paths[next++ % MESH_LEN(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

CASE(a_folder_for_the_test)
{
    snprintf(folder, sizeof folder, "/tmp/mesh-fs-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
}

CASE(write_and_read)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf b = MESH_BUF_NULL;
    struct mesh_err err = {0};
    const char *path = in_folder("file");
    CHECK_EQ_I64(mesh_fs_write_atomic(path, "hello\0x", 7, &err), 0);
    CHECK_EQ_I64(mesh_fs_read(path, 7, &b, &err), 0);
    CHECK(b.n == 7 && memcmp(b.p, "hello\0x", 8) == 0);
    CHECK_EQ_I64(mesh_fs_write_atomic(path, NULL, 0, &err), 0);
    CHECK_EQ_I64(mesh_fs_read(path, 0, &b, &err), 0);
    CHECK(b.n == 0 && b.p[0] == '\0');
}

CASE(the_limit_of_reading)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf b = MESH_BUF_NULL;
    struct mesh_err err = {0};
    const char *path = in_folder("large");
    mesh_cleanup(mesh_freep) char *bytes = mesh_xcalloc(1, 200000);
    CHECK_EQ_I64(mesh_fs_write_atomic(path, bytes, 200000, &err), 0);
    CHECK_EQ_I64(mesh_fs_read(path, 200000, &b, &err), 0);
    CHECK_EQ_U64(b.n, 200000);
    CHECK_EQ_I64(mesh_fs_read(path, 199999, &b, &err), -1);
    CHECK_STR(err.code, "fs.too_large");
    CHECK_CONTAINS(err.text, "199999");
    CHECK_EQ_I64(mesh_fs_read("/dev/zero", 100, &b, &err), -1); /* has no size and no end */
    CHECK_STR(err.code, "fs.too_large");
}

static void *writer(void *fd)
{
    for (int i = 0; i < 1000; i++) {
        if (mesh_fs_write_all(*(int *)fd, "pipe", "0123456789", 10, NULL) < 0)
            return fd;
    }
    close(*(int *)fd);
    return NULL;
}

CASE(reading_a_pipe)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf b = MESH_BUF_NULL;
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, writer, &ends[1]) == 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    CHECK_EQ_I64(mesh_fs_read(path, 10000, &b, NULL), 0);
    CHECK_EQ_U64(b.n, 10000);
    void *failed = NULL;
    pthread_join(thread, &failed);
    CHECK(failed == NULL);
    close(ends[0]);
}

CASE(errors_name_the_path_and_the_remedy)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf b = MESH_BUF_NULL;
    struct mesh_err err = {0};
    CHECK_EQ_I64(mesh_fs_read("/no/such/file", 10, &b, &err), -1);
    CHECK_STR(err.code, "fs.absent");
    CHECK_STR(err.text, "cannot open '/no/such/file': No such file or directory; check the path");
    CHECK_EQ_I64(err.class, MESH_ERR_FATAL);
    CHECK_EQ_I64(mesh_fs_read(folder, 10, &b, &err), -1);
    CHECK_STR(err.code, "fs.kind");
    CHECK_EQ_I64(mesh_fs_write_atomic("/no/such/file", "", 0, &err), -1);
    CHECK_CONTAINS(err.text, "/no/such/file");
    CHECK_EQ_I64(mesh_fs_read("/no/such/file", 10, &b, NULL), -1);
    int full = -1;
    if (access("/dev/full", W_OK) == 0 && (full = open("/dev/full", O_WRONLY)) >= 0) {
        CHECK_EQ_I64(mesh_fs_write_all(full, "/dev/full", "x", 1, &err), -1);
        CHECK_STR(err.code, "fs.full");
        CHECK_EQ_I64(err.class, MESH_ERR_RETRY);
        close(full);
    }
}

CASE(only_a_change_is_written)
{
    struct mesh_err err = {0};
    bool written = false;
    struct stat before;
    struct stat after;
    const char *path = in_folder("changed");
    CHECK_EQ_I64(mesh_fs_write_changed(path, "one", 3, &written, &err), 0);
    CHECK(written);
    REQUIRE(stat(path, &before) == 0);
    CHECK_EQ_I64(mesh_fs_write_changed(path, "one", 3, &written, &err), 0);
    CHECK(!written);
    REQUIRE(stat(path, &after) == 0);
    CHECK(before.st_ino == after.st_ino);
    CHECK_EQ_I64(mesh_fs_write_changed(path, "on", 2, &written, &err), 0);
    CHECK(written);
    CHECK_EQ_I64(mesh_fs_write_changed(path, "", 0, &written, &err), 0);
    CHECK(written);
    CHECK_EQ_I64(mesh_fs_write_changed(path, "", 0, &written, &err), 0);
    CHECK(!written);
}

CASE(replacing_keeps_the_permissions)
{
    struct stat info;
    const char *path = in_folder("secret");
    CHECK_EQ_I64(mesh_fs_write_atomic(path, "a", 1, NULL), 0);
    REQUIRE(chmod(path, 0600) == 0);
    CHECK_EQ_I64(mesh_fs_write_atomic(path, "b", 1, NULL), 0);
    REQUIRE(stat(path, &info) == 0);
    CHECK_EQ_U64(info.st_mode & 07777, 0600);
}

CASE(folders)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_err err = {0};
    char **names = NULL;
    size_t n = 99;
    const char *deep = in_folder("x//y/z/");
    CHECK_EQ_I64(mesh_fs_mkdirs(deep, &err), 0);
    CHECK_EQ_I64(mesh_fs_mkdirs(deep, &err), 0);
    CHECK(mesh_fs_is_dir(deep) && mesh_fs_exists(deep));
    CHECK_EQ_I64(mesh_fs_list(&arena, deep, &names, &n, &err), 0);
    CHECK_EQ_U64(n, 0);
    CHECK_EQ_I64(mesh_fs_mkdirs(in_folder("file/below"), &err), -1);
    CHECK_STR(err.code, "fs.kind");
    CHECK_EQ_I64(mesh_fs_mkdirs(in_folder("file"), &err), -1);
    CHECK_EQ_I64(mesh_fs_mkdirs("", &err), -1);
    CHECK(mesh_fs_exists(in_folder("file")) && !mesh_fs_is_dir(in_folder("file")));
    CHECK(!mesh_fs_exists(in_folder("nothing")));
}

/* Also: no temporary file is left behind by any case above. */
CASE(names_are_sorted)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_err err = {0};
    static const char *const wanted[] = {"changed", "file", "large", "secret", "x"};
    char **names;
    size_t n;
    REQUIRE(mesh_fs_list(&arena, folder, &names, &n, &err) == 0);
    REQUIRE(n == MESH_LEN(wanted));
    for (size_t i = 0; i < n; i++)
        CHECK_STR(names[i], wanted[i]);
    CHECK_EQ_I64(mesh_fs_list(&arena, in_folder("none"), &names, &n, &err), -1);
    CHECK_STR(err.code, "fs.absent");
}

CASE(a_tree_is_removed)
{
    struct mesh_err err = {0};
    CHECK(mesh_fs_remove_tree(in_folder("x"), &err) == 0);
    CHECK(!mesh_fs_exists(in_folder("x")) && mesh_fs_exists(in_folder("file")));
    CHECK(mesh_fs_remove_tree(folder, &err) == 0);
    CHECK(!mesh_fs_exists(folder));
    CHECK(mesh_fs_remove_tree(folder, &err) == 0); /* it is not there: fine */
}
