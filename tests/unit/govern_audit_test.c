/* The audit: whatever is done to its files is found, and what a crash leaves is not taken for it. */
#include "govern/audit.h"

#include "../check.h"
#include "base/check.h"
#include "base/fs.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES   20
#define SEGMENT_1 "audit.000001.ndjson"
#define MANY      90000 /* more than one file, and more than the queue holds */

static const struct mesh_str key = {"0123456789abcdef0123456789abcdef", 32};

static char *new_dir(void)
{
    char *dir = mesh_xstrdup("/tmp/mesh-audit-XXXXXX");
    mesh_assert(mkdtemp(dir) != NULL);
    return dir;
}

static void remove_dir(char *dir)
{
    mesh_assert(mesh_fs_remove_tree(dir, NULL) == 0);
    free(dir);
}

static struct mesh_audit_entry entry_of(int i)
{
    return (struct mesh_audit_entry){
        .at_us = INT64_C(1700000000000000) + i,
        .decision = i % 5 == 0 ? "denied" : "allowed",
        .reason = i % 5 == 0 ? "role" : NULL,
        .who = MESH_STR("care \"desk\"\n"),
        .role = MESH_STR("care"),
        .method = "GET",
        .port = "customer/profiles",
        .fields = MESH_STR("email,name"),
        .rows = i,
    };
}

static struct mesh_audit *reopen(const char *dir)
{
    struct mesh_audit *audit = NULL;
    struct mesh_err err = {0};
    int r = mesh_audit_open(dir, key, &audit, &err);
    CHECK_STR(r < 0 ? err.text : "", "");
    return audit;
}

static void add(struct mesh_audit *audit, int n)
{
    for (int i = 0; i < n; i++) {
        struct mesh_audit_entry entry = entry_of(i);
        CHECK(mesh_audit_add(audit, &entry) == 0);
    }
}

static char *filled(void)
{
    char *dir = new_dir();
    struct mesh_audit *audit = reopen(dir);
    add(audit, ENTRIES);
    mesh_audit_close(audit);
    return dir;
}

static struct mesh_audit_report look(const char *dir, uint64_t at_least)
{
    struct mesh_audit_report report;
    struct mesh_err err = {0};
    CHECK(mesh_audit_verify(dir, key, 1, at_least, &report, &err) == 0);
    return report;
}

static void path_of(const char *dir, const char *name, char ret[256])
{
    snprintf(ret, 256, "%s/%s", dir, name);
}

static void load(const char *dir, const char *name, struct mesh_buf *ret)
{
    char path[256];
    path_of(dir, name, path);
    mesh_assert(mesh_fs_read(path, 1u << 20, ret, NULL) == 0);
}

static void save(const char *dir, const char *name, const char *p, size_t n)
{
    char path[256];
    path_of(dir, name, path);
    FILE *file = fopen(path, "wb"); /* not the durable way: there are thousands */
    mesh_assert(file != NULL && fwrite(p, 1, n, file) == n && fclose(file) == 0);
}

CASE(what_was_written_is_sound)
{
    char *dir = filled();
    struct mesh_audit_report report = look(dir, ENTRIES + 1);
    CHECK(report.finding == MESH_AUDIT_SOUND);
    CHECK_EQ_U64(report.last, ENTRIES + 1); /* the file's own entry is the first */
    struct mesh_buf text = {0};
    load(dir, SEGMENT_1, &text);
    CHECK_CONTAINS(
        text.p,
        "\"decision\":\"denied\",\"reason\":\"role\",\"who\":\"care \\\"desk\\\"\\n\",\"role\":\"care\",\"method\":\"GET\"");
    mesh_buf_deinit(&text);
    remove_dir(dir);
}

CASE(a_restart_goes_on_with_the_chain)
{
    char *dir = filled();
    struct mesh_audit *audit = reopen(dir);
    CHECK_EQ_U64(mesh_audit_written(audit), ENTRIES + 1);
    add(audit, 3);
    mesh_audit_close(audit);
    struct mesh_audit_report report = look(dir, 0);
    CHECK(report.finding == MESH_AUDIT_SOUND);
    CHECK_EQ_U64(report.last, ENTRIES + 4);
    remove_dir(dir);
}

CASE(a_changed_byte_is_found_wherever_it_is)
{
    char *dir = filled();
    struct mesh_buf text = {0};
    load(dir, SEGMENT_1, &text);
    size_t missed = 0;
    for (size_t i = 0; i < text.n; i++) {
        char was = text.p[i];
        text.p[i] = (char)(was ^ 1);
        save(dir, SEGMENT_1, text.p, text.n);
        enum mesh_audit_finding finding = look(dir, 0).finding;
        missed += finding == MESH_AUDIT_SOUND || finding == MESH_AUDIT_TORN;
        text.p[i] = was;
    }
    CHECK_EQ_U64(missed, 0);
    mesh_buf_deinit(&text);
    remove_dir(dir);
}

/* Lines of the text: where each begins; n + 1 places. */
static size_t lines_of(const struct mesh_buf *text, size_t ret[ENTRIES + 2])
{
    size_t n = 0;
    ret[0] = 0;
    for (size_t i = 0; i < text->n; i++)
        if (text->p[i] == '\n')
            ret[++n] = i + 1;
    return n;
}

CASE(a_line_that_is_gone_or_came_twice_or_moved_is_found)
{
    char *dir = filled();
    struct mesh_buf text = {0};
    load(dir, SEGMENT_1, &text);
    size_t at[ENTRIES + 2];
    size_t n = lines_of(&text, at);
    CHECK_EQ_U64(n, ENTRIES + 1);
    size_t missed = 0;
    for (size_t i = 0; i < n; i++) {
        struct mesh_buf gone = {0}, twice = {0}, moved = {0};
        mesh_buf_add(&gone, text.p, at[i]);
        mesh_buf_add(&gone, text.p + at[i + 1], text.n - at[i + 1]);
        save(dir, SEGMENT_1, gone.p == NULL ? "" : gone.p, gone.n);
        missed += look(dir, 0).finding == MESH_AUDIT_SOUND;
        mesh_buf_add(&twice, text.p, at[i + 1]);
        mesh_buf_add(&twice, text.p + at[i], text.n - at[i]);
        save(dir, SEGMENT_1, twice.p, twice.n);
        missed += look(dir, 0).finding == MESH_AUDIT_SOUND;
        if (i + 1 < n) {
            mesh_buf_add(&moved, text.p, at[i]);
            mesh_buf_add(&moved, text.p + at[i + 1], at[i + 2] - at[i + 1]);
            mesh_buf_add(&moved, text.p + at[i], at[i + 1] - at[i]);
            mesh_buf_add(&moved, text.p + at[i + 2], text.n - at[i + 2]);
            save(dir, SEGMENT_1, moved.p, moved.n);
            missed += look(dir, 0).finding == MESH_AUDIT_SOUND;
        }
        mesh_buf_deinit(&gone);
        mesh_buf_deinit(&twice);
        mesh_buf_deinit(&moved);
    }
    CHECK_EQ_U64(missed, 0);
    mesh_buf_deinit(&text);
    remove_dir(dir);
}

CASE(an_end_that_is_missing_is_found_by_the_head)
{
    char *dir = filled();
    struct mesh_buf text = {0};
    load(dir, SEGMENT_1, &text);
    size_t missed = 0;
    for (size_t n = 0; n < text.n; n++) {
        save(dir, SEGMENT_1, text.p, n);
        missed += look(dir, 0).finding != MESH_AUDIT_TRUNCATED;
    }
    CHECK_EQ_U64(missed, 0);
    mesh_buf_deinit(&text);
    remove_dir(dir);
}

CASE(an_older_folder_as_a_whole_is_found_by_the_number_that_somebody_noted)
{
    char *dir = filled();
    struct mesh_buf text = {0}, head = {0};
    load(dir, SEGMENT_1, &text);
    load(dir, "audit.head", &head);
    struct mesh_audit *audit = reopen(dir);
    add(audit, 5);
    mesh_audit_close(audit);
    CHECK(look(dir, ENTRIES + 6).finding == MESH_AUDIT_SOUND);
    save(dir, SEGMENT_1, text.p, text.n);
    CHECK(look(dir, 0).finding == MESH_AUDIT_TRUNCATED);
    save(dir, "audit.head", head.p, head.n);
    CHECK(look(dir, 0).finding == MESH_AUDIT_SOUND); /* as the header says */
    CHECK(look(dir, ENTRIES + 6).finding == MESH_AUDIT_TRUNCATED);
    mesh_buf_deinit(&text);
    mesh_buf_deinit(&head);
    remove_dir(dir);
}

CASE(without_its_head_or_with_another_key_nothing_is_believed)
{
    char *dir = filled();
    struct mesh_audit_report report;
    struct mesh_err err = {0};
    CHECK(mesh_audit_verify(dir, MESH_STR("another key, of another service"), 1, 0, &report, &err) == 0);
    CHECK(report.finding == MESH_AUDIT_HEAD);
    char path[256];
    path_of(dir, "audit.head", path);
    mesh_assert(unlink(path) == 0);
    CHECK(look(dir, 0).finding == MESH_AUDIT_HEAD);
    struct mesh_audit *audit = NULL;
    CHECK(mesh_audit_open(dir, key, &audit, &err) < 0 && audit == NULL);
    CHECK_STR(err.code, "audit.broken");
    remove_dir(dir);
}

CASE(what_a_crash_leaves_is_gone_on_with)
{
    char *dir = filled();
    struct mesh_buf text = {0}, head = {0};
    load(dir, "audit.head", &head);
    struct mesh_audit *audit = reopen(dir);
    add(audit, 2);
    mesh_audit_close(audit);
    save(dir, "audit.head", head.p, head.n); /* the head was not replaced any more, */
    load(dir, SEGMENT_1, &text);
    save(dir, SEGMENT_1, text.p, text.n - 7); /* and the last line is torn */
    CHECK(look(dir, 0).finding == MESH_AUDIT_TORN);
    audit = reopen(dir);
    add(audit, 1);
    mesh_audit_close(audit);
    struct mesh_audit_report report = look(dir, 0);
    CHECK(report.finding == MESH_AUDIT_SOUND);
    CHECK_EQ_U64(report.last, ENTRIES + 4); /* one that was whole, "cut", and the new one */
    mesh_buf_reset(&text);
    load(dir, SEGMENT_1, &text);
    CHECK_CONTAINS(text.p, "\"event\":\"cut\"");
    mesh_buf_deinit(&text);
    mesh_buf_deinit(&head);
    remove_dir(dir);
}

CASE(a_file_that_ends_in_its_first_line_is_begun_again)
{
    char *dir = filled();
    save(dir, "audit.000002.ndjson", "{\"n\":22,", 8);
    struct mesh_audit *audit = reopen(dir);
    add(audit, 1);
    mesh_audit_close(audit);
    struct mesh_audit_report report = look(dir, 0);
    CHECK(report.finding == MESH_AUDIT_SOUND);
    CHECK_EQ_U64(report.last, ENTRIES + 2);
    remove_dir(dir);
}

CASE(what_the_queue_cannot_hold_is_refused)
{
    char *dir = new_dir();
    struct mesh_audit *audit = reopen(dir);
    char *fields = mesh_xcalloc(1, MESH_AUDIT_QUEUE_BYTES_MAX);
    memset(fields, 'f', MESH_AUDIT_QUEUE_BYTES_MAX);
    struct mesh_audit_entry entry = entry_of(1);
    entry.fields = (struct mesh_str){fields, MESH_AUDIT_QUEUE_BYTES_MAX};
    CHECK(mesh_audit_add(audit, &entry) == 1);
    add(audit, 1);
    mesh_audit_close(audit);
    CHECK_EQ_U64(look(dir, 0).last, 2);
    free(fields);
    remove_dir(dir);
}

CASE(many_entries_make_several_files)
{
    char *dir = new_dir();
    struct mesh_audit *audit = reopen(dir);
    for (int i = 0; i < MANY;) {
        struct mesh_audit_entry entry = entry_of(i);
        i += mesh_audit_add(audit, &entry) == 0; /* the disk may be behind */
    }
    mesh_audit_close(audit);
    struct mesh_audit_report report = look(dir, 0);
    CHECK(report.finding == MESH_AUDIT_SOUND);
    CHECK_EQ_U64(report.entries, MANY + 2); /* two files */
    char path[256];
    path_of(dir, SEGMENT_1, path);
    mesh_assert(unlink(path) == 0); /* put away */
    CHECK(look(dir, 0).finding == MESH_AUDIT_GAP);
    struct mesh_err err = {0};
    uint64_t first = report.last;
    CHECK(mesh_audit_verify(dir, key, 0, 0, &report, &err) == 0);
    CHECK(report.finding == MESH_AUDIT_SOUND && report.first > 1 && report.last == first);
    audit = reopen(dir);
    add(audit, 1);
    mesh_audit_close(audit);
    CHECK(mesh_audit_verify(dir, key, report.first, first + 1, &report, &err) == 0);
    CHECK(report.finding == MESH_AUDIT_SOUND);
    remove_dir(dir);
}

CASE(a_folder_that_cannot_be_written_is_refused)
{
    struct mesh_audit *audit = NULL;
    struct mesh_err err = {0};
    CHECK(mesh_audit_open("/proc/mesh-audit", key, &audit, &err) < 0);
    CHECK(audit == NULL && err.text[0] != 0);
}
