/* The commit log on a real disk: what a crash leaves is cut off, what a broken disk does is refused. */
#include "store/log.h"

#include "../check.h"
#include "base/check.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct mesh_store_identity me = {"shop/shop", "cluster-a"};

static char *new_dir(void)
{
    char *dir = mesh_xstrdup("/tmp/mesh-store-log-XXXXXX");
    mesh_assert(mkdtemp(dir) != NULL);
    return dir;
}

static void remove_dir(char *dir)
{
    struct mesh_buf command = MESH_BUF_NULL;
    mesh_buf_printf(&command, "rm -rf '%s'*", dir);
    mesh_assert(system(command.p) == 0);
    mesh_buf_deinit(&command);
    free(dir);
}

static int put(struct mesh_store_log *log, const char *text, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf frames = MESH_BUF_NULL;
    size_t begin = mesh_store_frame_begin(&frames);
    mesh_buf_puts(&frames, text);
    mesh_store_frame_end(&frames, begin);
    int r = mesh_store_log_append(log, (struct mesh_str){frames.p, (uint32_t)frames.n}, err);
    return r < 0 ? r : mesh_store_log_sync(log, err);
}

static int add(void *context, struct mesh_str frame, struct mesh_err *err)
{
    (void)err;
    mesh_buf_str(context, frame);
    mesh_buf_putc(context, ' ');
    return 0;
}

static char *all(struct mesh_store_log *log)
{
    struct mesh_buf out = MESH_BUF_NULL;
    struct mesh_err err = {0};
    CHECK(mesh_store_log_read(log, add, &out, &err) == 0);
    return mesh_buf_take(&out);
}

static void check_all(struct mesh_store_log *log, const char *wanted)
{
    char *text = all(log);
    CHECK_STR(text, wanted);
    free(text);
}

static struct mesh_store_log *open_log(const char *dir, struct mesh_err *err)
{
    struct mesh_store_log *log = NULL;
    return mesh_store_log_open(dir, &me, true, &log, err) == 0 ? log : NULL;
}

static void segment_path(const char *dir, int number, char path[256])
{
    snprintf(path, 256, "%s/%08d.log", dir, number);
}

CASE(what_was_written_is_read_and_segments_are_trimmed)
{
    char *dir = new_dir();
    struct mesh_err err = {0};
    struct mesh_store_log *log = open_log(dir, &err);
    REQUIRE(log != NULL);
    CHECK(mesh_store_log_empty(log));
    CHECK(put(log, "one", &err) == 0 && put(log, "two", &err) == 0);
    uint64_t segment = mesh_store_log_cut(log);
    CHECK_EQ_U64(segment, 2);
    CHECK(put(log, "three", &err) == 0);
    check_all(log, "one two three ");
    uint64_t before = mesh_store_log_bytes(log);
    CHECK(mesh_store_log_trim(log, segment, &err) == 0);
    CHECK(mesh_store_log_bytes(log) < before);
    check_all(log, "three ");
    mesh_store_log_close(log);
    log = open_log(dir, &err);
    REQUIRE(log != NULL);
    CHECK(!mesh_store_log_empty(log));
    CHECK_EQ_U64(mesh_store_log_torn(log), 0);
    CHECK(put(log, "four", &err) == 0);
    check_all(log, "three four ");
    mesh_store_log_close(log);
    remove_dir(dir);
}

CASE(a_torn_tail_is_cut_off_wherever_it_is_torn)
{
    char *dir = new_dir();
    char path[256];
    struct mesh_err err = {0};
    struct mesh_store_log *log = open_log(dir, &err);
    REQUIRE(log != NULL);
    CHECK(put(log, "whole", &err) == 0);
    uint64_t whole = mesh_store_log_bytes(log);
    CHECK(put(log, "torn by a crash", &err) == 0);
    uint64_t end = mesh_store_log_bytes(log);
    mesh_store_log_close(log);
    segment_path(dir, 1, path);
    for (uint64_t cut = end - 1; cut >= whole; cut--) {
        CHECK(truncate(path, (off_t)cut) == 0);
        log = open_log(dir, &err);
        REQUIRE(log != NULL);
        CHECK_EQ_U64(mesh_store_log_torn(log), cut - whole);
        check_all(log, "whole ");
        mesh_store_log_close(log);
        /* What open cut off is grown again by zeros: blocks that never reached the disk. */
        CHECK(truncate(path, (off_t)cut) == 0);
    }
    for (uint64_t cut = whole - 1; cut > 0; cut--) { /* down to a segment without its head */
        CHECK(truncate(path, (off_t)cut) == 0);
        log = open_log(dir, &err);
        REQUIRE(log != NULL);
        CHECK(mesh_store_log_empty(log));
        mesh_store_log_close(log);
        if (!mesh_fs_exists(path))
            break;
    }
    remove_dir(dir);
}

/* An append of several frames whose first blocks never reached the disk, while later ones did. */
CASE(an_append_that_lost_its_beginning_is_cut_off)
{
    char *dir = new_dir();
    char path[256];
    struct mesh_err err = {0};
    struct mesh_store_log *log = open_log(dir, &err);
    REQUIRE(log != NULL);
    CHECK(put(log, "whole", &err) == 0);
    uint64_t whole = mesh_store_log_bytes(log);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf frames = MESH_BUF_NULL;
    for (int i = 0; i < 3; i++) {
        size_t begin = mesh_store_frame_begin(&frames);
        mesh_buf_printf(&frames, "part %d", i);
        mesh_store_frame_end(&frames, begin);
    }
    CHECK(mesh_store_log_append(log, (struct mesh_str){frames.p, (uint32_t)frames.n}, &err) == 0);
    mesh_store_log_close(log);
    segment_path(dir, 1, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(pwrite(fd, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 14, (off_t)whole) == 14);
    close(fd);
    log = open_log(dir, &err);
    REQUIRE(log != NULL);
    CHECK_EQ_U64(mesh_store_log_torn(log), frames.n);
    CHECK(put(log, "next", &err) == 0);
    check_all(log, "whole next ");
    mesh_store_log_close(log);
    remove_dir(dir);
}

CASE(a_log_of_the_first_format_goes_on)
{
    static const char old[] = "MESHLOG\n\1\0\0";
    char *dir = new_dir();
    char path[256];
    struct mesh_err err = {0};
    segment_path(dir, 1, path);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf segment = MESH_BUF_NULL;
    mesh_buf_add(&segment, old, sizeof old);
    for (int i = 0; i < 2; i++) {
        size_t begin = mesh_store_frame_begin(&segment);
        mesh_buf_printf(&segment, "old %d", i);
        mesh_store_frame_end(&segment, begin);
    }
    CHECK(mesh_fs_write_atomic(path, segment.p, segment.n, &err) == 0);
    struct mesh_store_log *log = open_log(dir, &err);
    REQUIRE(log != NULL);
    CHECK(put(log, "new", &err) == 0);
    mesh_store_log_close(log);
    segment_path(dir, 2, path); /* what an older program could not read is in a segment that it refuses */
    CHECK(mesh_fs_exists(path));
    log = open_log(dir, &err);
    REQUIRE(log != NULL);
    check_all(log, "old 0 old 1 new ");
    mesh_store_log_close(log);
    remove_dir(dir);
}

CASE(damage_in_the_middle_is_refused_and_left_alone)
{
    char *dir = new_dir();
    char path[256];
    struct mesh_err err = {0};
    struct mesh_store_log *log = open_log(dir, &err);
    REQUIRE(log != NULL);
    CHECK(put(log, "first frame", &err) == 0 && put(log, "second frame", &err) == 0);
    mesh_store_log_close(log);
    segment_path(dir, 1, path);
    struct stat before;
    CHECK(stat(path, &before) == 0);
    for (off_t at = 12; at < 12 + 12 + 11; at++) { /* every byte of the first frame */
        int fd = open(path, O_RDWR | O_CLOEXEC);
        char c = 0;
        CHECK(pread(fd, &c, 1, at) == 1);
        c = (char)(c ^ 1);
        CHECK(pwrite(fd, &c, 1, at) == 1);
        log = open_log(dir, &err);
        CHECK(log == NULL);
        CHECK_STR(err.code, "state.corrupt");
        CHECK_CONTAINS(err.text, "00000001.log");
        mesh_store_log_close(log);
        c = (char)(c ^ 1);
        CHECK(pwrite(fd, &c, 1, at) == 1);
        close(fd);
    }
    struct stat after;
    CHECK(stat(path, &after) == 0 && after.st_size == before.st_size);
    log = open_log(dir, &err);
    REQUIRE(log != NULL);
    check_all(log, "first frame second frame ");
    (void)mesh_store_log_cut(log);
    CHECK(put(log, "third", &err) == 0);
    mesh_store_log_close(log);
    /* A segment that is not the last one must be whole. */
    CHECK(truncate(path, before.st_size - 1) == 0);
    log = open_log(dir, &err);
    REQUIRE(log != NULL);
    struct mesh_buf out = MESH_BUF_NULL;
    CHECK(mesh_store_log_read(log, add, &out, &err) < 0);
    CHECK_STR(err.code, "state.corrupt");
    mesh_buf_deinit(&out);
    mesh_store_log_close(log);
    CHECK(unlink(path) == 0); /* the oldest gone is what trimming does; one in the middle is not */
    segment_path(dir, 4, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    CHECK(open_log(dir, &err) == NULL);
    CHECK_CONTAINS(err.text, "missing");
    remove_dir(dir);
}

CASE(one_owner_one_product_one_cluster)
{
    char *dir = new_dir();
    struct mesh_err err = {0};
    struct mesh_store_log *log = open_log(dir, &err);
    REQUIRE(log != NULL);
    CHECK(put(log, "mine", &err) == 0);
    struct mesh_store_log *second = NULL;
    CHECK(mesh_store_log_open(dir, &me, true, &second, &err) < 0);
    CHECK_STR(err.code, "state.locked");
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    CHECK_CONTAINS(err.text, pid);
    mesh_store_log_close(log);

    const struct mesh_store_identity other_product = {"shop/other", "cluster-a"};
    CHECK(mesh_store_log_open(dir, &other_product, true, &second, &err) < 0);
    CHECK_STR(err.code, "state.other_product");
    const struct mesh_store_identity other_cluster = {"shop/shop", "cluster-b"};
    CHECK(mesh_store_log_open(dir, &other_cluster, true, &second, &err) == MESH_STORE_OTHER_CLUSTER);
    CHECK_CONTAINS(err.text, "cluster-a");
    char *where = NULL;
    CHECK(mesh_store_log_set_aside(dir, &where, &err) == 0);
    CHECK_CONTAINS(where, "cluster-a");
    CHECK(mesh_store_log_open(dir, &other_cluster, true, &second, &err) == 0);
    CHECK(second != NULL && mesh_store_log_empty(second));
    mesh_store_log_close(second);
    log = open_log(where, &err);
    REQUIRE(log != NULL);
    check_all(log, "mine ");
    mesh_store_log_close(log);
    free(where);
    remove_dir(dir);
}

CASE(a_full_disk_stops_and_keeps_what_was_durable)
{
    char *dir = new_dir();
    pid_t child = fork();
    if (child == 0) { /* the limit is for a whole process */
        struct mesh_err err = {0};
        signal(SIGXFSZ, SIG_IGN);
        struct mesh_store_log *log = open_log(dir, &err);
        int r = log == NULL ? 1 : put(log, "durable", &err);
        struct rlimit limit = {300, 300};
        char big[1000];
        memset(big, 'x', sizeof big - 1);
        big[sizeof big - 1] = '\0';
        if (r == 0 && setrlimit(RLIMIT_FSIZE, &limit) == 0)
            r = put(log, big, &err) < 0 && strcmp(err.code, "state.write") == 0 && put(log, "after", &err) < 0 ? 0 : 2;
        _exit(r);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    CHECK_EQ_I64(WEXITSTATUS(status), 0);
    struct mesh_err err = {0};
    struct mesh_store_log *log = open_log(dir, &err);
    REQUIRE(log != NULL);
    CHECK_EQ_U64(mesh_store_log_torn(log), 0); /* what could not be written was taken back at once */
    check_all(log, "durable ");
    mesh_store_log_close(log);
    remove_dir(dir);
}
