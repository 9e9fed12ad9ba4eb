/* Reading an audit to its end: to verify it, and to go on behind it. */
#include "govern/audit_int.h"

#include "base/check.h"
#include "base/fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES_MAX 1024u

int mesh_audit_segments(struct mesh_arena *arena, const char *dir, char ***ret_names, size_t *ret_n, struct mesh_err *err)
{
    *ret_n = 0;
    *ret_names = NULL;
    if (!mesh_fs_is_dir(dir))
        return mesh_err_set(err, MESH_ERR_FATAL, "audit.unreadable", "there is no folder '%s'", dir);
    char **names = NULL;
    size_t n = 0;
    if (mesh_fs_list(arena, dir, &names, &n, err) < 0)
        return -1;
    char **kept = mesh_arena_alloc(arena, (n + 1) * sizeof *kept);
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(names[i], "audit.", 6) == 0 && length > 7 && strcmp(names[i] + length - 7, ".ndjson") == 0)
            kept[(*ret_n)++] = names[i];
    }
    *ret_names = kept;
    return 0;
}

struct reading {
    const struct mesh_audit_ask *ask;
    struct mesh_audit_report *report;
    struct mesh_audit_end *end;
    uint64_t head_n;
    uint8_t head_mac[MESH_AUDIT_MAC_BYTES];
    bool head_met; /* the entry that the head names was read, and has its mac */
};

static void found(struct reading *r, enum mesh_audit_finding finding, const char *file, uint64_t line)
{
    r->report->finding = finding;
    snprintf(r->report->file, sizeof r->report->file, "%s", file);
    r->report->line = line;
}

static enum mesh_audit_finding begin(struct reading *r, struct mesh_str entry)
{
    if (!mesh_audit_chain_begin(&r->end->chain, entry))
        return MESH_AUDIT_UNREADABLE;
    return r->ask->first != 0 && r->end->chain.n + 1 != r->ask->first ? MESH_AUDIT_GAP : MESH_AUDIT_SOUND;
}

static void read_segment(struct reading *r, const char *name, struct mesh_str text)
{
    struct mesh_audit_chain *chain = &r->end->chain;
    const char *p = text.p;
    const char *stop = text.p + text.n;
    for (uint64_t line = 1; p < stop; line++) {
        const char *eol = memchr(p, '\n', (size_t)(stop - p));
        if (eol == NULL) {
            found(r, MESH_AUDIT_TORN, name, line);
            return;
        }
        struct mesh_str entry = {p, (uint32_t)(eol - p)};
        enum mesh_audit_finding finding = r->report->entries == 0 ? begin(r, entry) : MESH_AUDIT_SOUND;
        if (finding == MESH_AUDIT_SOUND)
            finding = mesh_audit_chain_read(chain, entry);
        if (finding != MESH_AUDIT_SOUND) {
            found(r, finding, name, line);
            return;
        }
        if (chain->n == r->head_n)
            r->head_met = memcmp(chain->mac, r->head_mac, sizeof r->head_mac) == 0;
        r->report->entries++;
        r->report->first = r->report->first == 0 ? chain->n : r->report->first;
        r->report->last = chain->n;
        p = eol + 1;
        r->end->whole_bytes = (uint64_t)(p - text.p);
    }
}

static int read_head(struct reading *r, const char *dir, bool any, struct mesh_err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, MESH_AUDIT_HEAD_NAME);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = {0};
    if (!mesh_fs_exists(path)) {
        if (any)
            found(r, MESH_AUDIT_HEAD, MESH_AUDIT_HEAD_NAME, 0);
        return 0;
    }
    if (mesh_fs_read(path, HEAD_BYTES_MAX, &text, err) < 0)
        return -1;
    struct mesh_str head = {text.p, (uint32_t)text.n};
    if (mesh_audit_head_read(&r->end->chain, head, &r->head_n, r->head_mac) != MESH_AUDIT_SOUND)
        found(r, MESH_AUDIT_HEAD, MESH_AUDIT_HEAD_NAME, 0);
    return 0;
}

static bool only_torn(const struct mesh_audit_report *report)
{
    return report->finding == MESH_AUDIT_SOUND || report->finding == MESH_AUDIT_TORN;
}

int mesh_audit_read(const char *dir, struct mesh_str key, const struct mesh_audit_ask *ask, struct mesh_audit_report *ret,
                    struct mesh_audit_end *ret_end, struct mesh_err *err)
{
    struct mesh_arena arena = {0};
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = {0};
    *ret = (struct mesh_audit_report){0};
    *ret_end = (struct mesh_audit_end){0};
    mesh_audit_chain_init(&ret_end->chain, key);
    struct reading r = {.ask = ask, .report = ret, .end = ret_end};
    char **names = NULL;
    size_t n = 0;
    int result = mesh_audit_segments(&arena, dir, &names, &n, err);
    if (result == 0)
        result = read_head(&r, dir, n > 0, err);
    for (size_t i = ask->last_only && n > 0 ? n - 1 : 0; result == 0 && i < n && ret->finding == MESH_AUDIT_SOUND; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        mesh_buf_reset(&text);
        result = mesh_fs_read(path, 2 * (size_t)MESH_AUDIT_SEGMENT_BYTES, &text, err);
        ret_end->segment = strtoull(names[i] + 6, NULL, 10);
        ret_end->whole_bytes = 0;
        if (result == 0)
            read_segment(&r, names[i], (struct mesh_str){text.p, (uint32_t)text.n});
        if (ret->finding == MESH_AUDIT_TORN && i + 1 < n) /* only the last file can have been cut by a crash */
            ret->finding = MESH_AUDIT_UNREADABLE;
    }
    uint64_t wanted = r.head_n > ask->at_least ? r.head_n : ask->at_least;
    if (result == 0 && only_torn(ret) && ret->last < wanted)
        found(&r, MESH_AUDIT_TRUNCATED, n == 0 ? MESH_AUDIT_HEAD_NAME : names[n - 1], 0);
    else if (result == 0 && only_torn(ret) && r.head_n > 0 && !r.head_met)
        found(&r, MESH_AUDIT_HEAD, MESH_AUDIT_HEAD_NAME, 0);
    mesh_arena_deinit(&arena);
    return result;
}

int mesh_audit_verify(const char *dir, struct mesh_str key, uint64_t first, uint64_t at_least, struct mesh_audit_report *ret,
                      struct mesh_err *err)
{
    struct mesh_audit_ask ask = {.first = first, .at_least = at_least};
    struct mesh_audit_end end;
    return mesh_audit_read(dir, key, &ask, ret, &end, err);
}
