/* A change is a line; the same function applies it when it is made and when the journal is read again. */
#include "ctl/registry_store.h"

#include "base/check.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static const char *const modes[] = {"READWRITE", "READONLY"};

const char *mesh_registry_mode_name(enum mesh_registry_mode mode)
{
    return modes[mode];
}

void mesh_registry_compact(const struct mesh_json *json, struct mesh_buf *out)
{
    switch (json->kind) {
    case MESH_JSON_NULL:
        mesh_buf_puts(out, "null");
        break;
    case MESH_JSON_BOOL:
        mesh_buf_puts(out, json->boolean ? "true" : "false");
        break;
    case MESH_JSON_NUMBER:
        mesh_buf_puts(out, json->text);
        break;
    case MESH_JSON_STRING:
        mesh_json_string(out, (struct mesh_str){json->text, json->n});
        break;
    case MESH_JSON_ARRAY:
        mesh_buf_putc(out, '[');
        for (uint32_t i = 0; i < json->n; i++) {
            if (i > 0)
                mesh_buf_putc(out, ',');
            mesh_registry_compact(json->items[i], out);
        }
        mesh_buf_putc(out, ']');
        break;
    case MESH_JSON_OBJECT:
        mesh_buf_putc(out, '{');
        for (uint32_t i = 0; i < json->n; i++) {
            if (i > 0)
                mesh_buf_putc(out, ',');
            mesh_json_string(out, mesh_str_of(json->keys[i]));
            mesh_buf_putc(out, ':');
            mesh_registry_compact(json->values[i], out);
        }
        mesh_buf_putc(out, '}');
        break;
    }
}

/* ---- looking ---- */
struct mesh_stored_subject *mesh_registry_store_subject(const struct mesh_registry_store *store, const char *name)
{
    return mesh_map_get(&store->subjects, name);
}

struct mesh_stored_version *mesh_registry_store_version(const struct mesh_stored_subject *subject, int version, bool deleted)
{
    for (size_t i = subject == NULL ? 0 : subject->versions.n; i > 0; i--) {
        struct mesh_stored_version *v = &subject->versions.v[i - 1];
        if (!v->gone && (deleted || !v->deleted) && (version == 0 || v->version == version))
            return v;
    }
    return NULL;
}

/* What makes two schemas the same: the text, whatever its white space, and what its references mean. */
static const char *identity(struct mesh_arena *arena, const struct mesh_registry_schema *schema)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_diags diags = {.arena = arena};
    const struct mesh_json *json =
        mesh_json_parse(arena, mesh_source_new(arena, "schema", schema->text, strlen(schema->text)), &diags, "MC001");
    if (json != NULL)
        mesh_registry_compact(json, &text);
    else
        mesh_buf_puts(&text, schema->text);
    for (size_t i = 0; i < schema->n_refs; i++)
        mesh_buf_printf(&text, "\n%s %s %d", schema->refs[i].name, schema->refs[i].subject, schema->refs[i].version);
    return mesh_arena_strdup(arena, text.p == NULL ? "" : text.p);
}

static const char *normal_of(struct mesh_arena *arena, const struct mesh_schema *schema)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_schema_normal(schema, &text);
    return mesh_arena_strdup(arena, text.p);
}

struct gathering {
    const struct mesh_source *sources[MESH_REGISTRY_REFS_MAX];
    const struct mesh_stored_schema *seen[MESH_REGISTRY_REFS_MAX];
    size_t n, n_seen;
};

static void missing(struct mesh_arena *arena, struct mesh_diags *diags, const struct mesh_registry_schema *schema,
                    const char *format, const struct mesh_registry_ref *ref)
{
    const struct mesh_source *source = mesh_source_new(arena, "schema", schema->text, strlen(schema->text));
    mesh_diag_add(diags, MESH_ERROR, "MC003", (struct mesh_srcref){source, 0, 0}, "%s '%s': version %d of subject '%s'", format,
                  ref->name, ref->version, ref->subject);
}

static bool gather(const struct mesh_registry_store *store, struct mesh_arena *arena, const struct mesh_registry_schema *schema,
                   struct mesh_diags *diags, struct gathering *g)
{
    for (size_t i = 0; i < schema->n_refs; i++) {
        const struct mesh_registry_ref *ref = &schema->refs[i];
        const struct mesh_stored_version *v =
            mesh_registry_store_version(mesh_registry_store_subject(store, ref->subject), ref->version, true);
        bool seen = false;
        if (v == NULL) {
            missing(arena, diags, schema, "there is no schema for the reference", ref);
            return false;
        }
        for (size_t k = 0; k < g->n_seen; k++)
            seen = seen || g->seen[k] == v->schema;
        if (seen)
            continue;
        if (g->n_seen == MESH_REGISTRY_REFS_MAX - 1) {
            missing(arena, diags, schema, "too many schemas with the reference", ref);
            return false;
        }
        g->seen[g->n_seen++] = v->schema;
        if (!gather(store, arena, &v->schema->schema, diags, g))
            return false;
    }
    g->sources[g->n++] = mesh_source_new(arena, "schema", schema->text, strlen(schema->text));
    return true;
}

struct mesh_schema *mesh_registry_store_parse(const struct mesh_registry_store *store, struct mesh_arena *arena,
                                              const struct mesh_registry_schema *schema, struct mesh_diags *diags)
{
    struct gathering g = {0};
    if (!gather(store, arena, schema, diags, &g))
        return NULL;
    return mesh_schema_parse_all(arena, g.sources, g.n, diags);
}

struct mesh_stored_version *mesh_registry_store_find(const struct mesh_registry_store *store,
                                                     const struct mesh_stored_subject *subject,
                                                     const struct mesh_registry_schema *schema, const struct mesh_schema *parsed,
                                                     bool normalize, bool deleted)
{
    (void)store;
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    const char *compact = identity(&arena, schema);
    const char *normal = normal_of(&arena, parsed);
    for (size_t i = subject == NULL ? 0 : subject->versions.n; i > 0; i--) {
        struct mesh_stored_version *v = &subject->versions.v[i - 1];
        bool same = strcmp(v->schema->compact, compact) == 0 || (normalize && strcmp(v->schema->normal, normal) == 0);
        if (same && !v->gone && (deleted || !v->deleted))
            return v;
    }
    return NULL;
}

/* ---- applying ---- */
static struct mesh_stored_subject *make_subject(struct mesh_registry_store *store, const char *name)
{
    struct mesh_stored_subject *subject = mesh_map_get(&store->subjects, name);
    if (subject != NULL)
        return subject;
    subject = mesh_arena_new(&store->arena, struct mesh_stored_subject);
    subject->name = mesh_arena_strdup(&store->arena, name);
    mesh_map_set(&store->subjects, name, subject);
    return subject;
}

static const char *text_of(const struct mesh_json *line, const char *key)
{
    const struct mesh_json *v = mesh_json_get(line, key);
    return v != NULL && v->kind == MESH_JSON_STRING ? v->text : NULL;
}

static int64_t number_of(const struct mesh_json *line, const char *key)
{
    const struct mesh_json *v = mesh_json_get(line, key);
    int64_t n = -1;
    return v != NULL && v->kind == MESH_JSON_NUMBER && mesh_text_parse_long(mesh_str_of(v->text), &n) == 0 ? n : -1;
}

static void set_guid(struct mesh_stored_schema *schema)
{
    uint8_t sum[32];
    mesh_sha256(schema->compact, strlen(schema->compact), sum);
    sum[6] = (uint8_t)((sum[6] & 0x0f) | 0x80); /* version 8: made by a rule of our own */
    sum[8] = (uint8_t)((sum[8] & 0x3f) | 0x80);
    char digits[33];
    mesh_hex(sum, 16, digits);
    snprintf(schema->guid, sizeof schema->guid, "%.8s-%.4s-%.4s-%.4s-%.12s", digits, digits + 8, digits + 12, digits + 16,
             digits + 20);
}

static bool apply_schema(struct mesh_registry_store *store, const struct mesh_json *line)
{
    const char *name = text_of(line, "subject"), *text = text_of(line, "schema");
    int64_t id = number_of(line, "id"), version = number_of(line, "version");
    const struct mesh_json *list = mesh_json_get(line, "references");
    if (name == NULL || id < 1 || version < 1 || (size_t)id > store->schemas.n + 1)
        return false;
    if ((size_t)id == store->schemas.n + 1) {
        struct mesh_stored_schema *s = mesh_arena_new(&store->arena, struct mesh_stored_schema);
        uint32_t n = list == NULL ? 0 : list->n;
        struct mesh_registry_ref *refs = mesh_arena_alloc(&store->arena, (n + 1) * sizeof *refs);
        for (uint32_t i = 0; i < n; i++) {
            const char *ref_name = text_of(list->items[i], "name"), *ref_subject = text_of(list->items[i], "subject");
            if (ref_name == NULL || ref_subject == NULL)
                return false;
            refs[i] = (struct mesh_registry_ref){mesh_arena_strdup(&store->arena, ref_name),
                                                 mesh_arena_strdup(&store->arena, ref_subject),
                                                 (int)number_of(list->items[i], "version")};
        }
        if (text == NULL)
            return false;
        s->schema = (struct mesh_registry_schema){
            .id = (uint32_t)id, .text = mesh_arena_strdup(&store->arena, text), .refs = refs, .n_refs = n};
        struct mesh_arena work = MESH_ARENA_NULL;
        struct mesh_diags diags = {.arena = &work};
        const struct mesh_schema *parsed = mesh_registry_store_parse(store, &work, &s->schema, &diags);
        s->normal = parsed == NULL ? "" : normal_of(&store->arena, parsed);
        mesh_arena_deinit(&work);
        s->compact = identity(&store->arena, &s->schema);
        set_guid(s);
        *mesh_vec_push(&store->schemas) = s;
    }
    *mesh_vec_push(&make_subject(store, name)->versions) =
        (struct mesh_stored_version){.version = (int)version, .schema = store->schemas.v[id - 1]};
    return true;
}

static bool apply_removal(struct mesh_registry_store *store, const struct mesh_json *line)
{
    const char *name = text_of(line, "subject");
    const struct mesh_json *good = mesh_json_get(line, "for_good");
    struct mesh_stored_version *v = mesh_registry_store_version(name == NULL ? NULL : mesh_registry_store_subject(store, name),
                                                                (int)number_of(line, "version"), true);
    if (v == NULL || good == NULL || good->kind != MESH_JSON_BOOL)
        return false;
    v->deleted = true;
    v->gone = good->boolean;
    return true;
}

static bool apply_rule(struct mesh_registry_store *store, const struct mesh_json *line)
{
    const char *name = text_of(line, "subject"), *level = text_of(line, "rule");
    enum mesh_compat_mode rule = MESH_COMPAT_BACKWARD;
    if (level != NULL && mesh_compat_parse_mode(level, &rule) != 0)
        return false;
    if (name == NULL) {
        store->rule = rule;
        return true;
    }
    struct mesh_stored_subject *subject = make_subject(store, name);
    subject->has_rule = level != NULL;
    subject->rule = rule;
    return true;
}

static bool apply_mode(struct mesh_registry_store *store, const struct mesh_json *line)
{
    const char *name = text_of(line, "subject"), *word = text_of(line, "mode");
    enum mesh_registry_mode mode = word != NULL && strcmp(word, modes[1]) == 0 ? MESH_REGISTRY_READONLY : MESH_REGISTRY_READWRITE;
    if (name == NULL) {
        store->mode = mode;
        return true;
    }
    struct mesh_stored_subject *subject = make_subject(store, name);
    subject->has_mode = word != NULL;
    subject->mode = mode;
    return true;
}

static bool apply(struct mesh_registry_store *store, const struct mesh_json *line)
{
    const char *what = text_of(line, "change");
    if (what == NULL)
        return false;
    if (strcmp(what, "schema") == 0)
        return apply_schema(store, line);
    if (strcmp(what, "removal") == 0)
        return apply_removal(store, line);
    if (strcmp(what, "rule") == 0)
        return apply_rule(store, line);
    return strcmp(what, "mode") == 0 && apply_mode(store, line);
}

/* ---- the journal ---- */
static bool apply_line(struct mesh_registry_store *store, const char *line, size_t n)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_diags diags = {.arena = &arena};
    const char *copy = mesh_arena_str(&arena, (struct mesh_str){line, (uint32_t)n});
    const struct mesh_json *json = mesh_json_parse(&arena, mesh_source_new(&arena, store->path, copy, n), &diags, "MC001");
    return json != NULL && apply(store, json);
}

static int replay(struct mesh_registry_store *store, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (mesh_fs_read(store->path, MESH_REGISTRY_JOURNAL_BYTES, &text, err) < 0)
        return -1;
    size_t at = 0;
    for (int line = 1; at < text.n; line++) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        if (end == NULL)
            break; /* cut by a crash, and never answered */
        size_t n = (size_t)(end - text.p) - at;
        if (!apply_line(store, text.p + at, n))
            return mesh_err_set(err, MESH_ERR_FATAL, "registry.store",
                                "%s:%d: this is no change that a registry wrote; restore the file, or give another folder",
                                store->path, line);
        at += n + 1;
    }
    if (at < text.n && ftruncate(store->fd, (off_t)at) != 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "registry.store", "%s: cannot take its cut last line away: %s", store->path,
                            strerror(errno));
    return 0;
}

int mesh_registry_store_open(const char *dir, struct mesh_registry_store *ret, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    *ret = (struct mesh_registry_store){.rule = MESH_COMPAT_BACKWARD, .fd = -1};
    mesh_buf_printf(&path, "%s/%s", dir, MESH_REGISTRY_JOURNAL);
    ret->path = mesh_buf_take(&path);
    if (mesh_fs_mkdirs(dir, err) < 0)
        return -1;
    ret->fd = open(ret->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (ret->fd < 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "registry.store", "cannot write to %s: %s", ret->path, strerror(errno));
    if (flock(ret->fd, LOCK_EX | LOCK_NB) != 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "registry.store",
                            "%s belongs to a registry that runs; end it, or give another folder", dir);
    return replay(ret, err);
}

void mesh_registry_store_close(struct mesh_registry_store *store)
{
    for (size_t i = 0; i < store->subjects.n; i++) {
        struct mesh_stored_subject *subject = store->subjects.entries[i].value;
        mesh_vec_deinit(&subject->versions);
    }
    mesh_map_deinit(&store->subjects);
    mesh_vec_deinit(&store->schemas);
    mesh_arena_deinit(&store->arena);
    mesh_freep(&store->path);
    mesh_closep(&store->fd);
}

/* On the disk, then in memory. A line that was written only in part is cut off again. */
static int commit(struct mesh_registry_store *store, struct mesh_buf *line, struct mesh_err *err)
{
    off_t before = lseek(store->fd, 0, SEEK_END);
    mesh_buf_putc(line, '\n');
    if (mesh_fs_write_all(store->fd, store->path, line->p, line->n, err) < 0 || fdatasync(store->fd) != 0) {
        (void)!ftruncate(store->fd, before);
        return mesh_err_set(err, MESH_ERR_RETRY, "registry.store", "%s does not take a change: %s", store->path, strerror(errno));
    }
    mesh_assert(apply_line(store, line->p, line->n - 1));
    return 0;
}

int mesh_registry_store_add(struct mesh_registry_store *store, const char *subject, const struct mesh_registry_schema *schema,
                            struct mesh_stored_version **ret, struct mesh_err *err)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf line = MESH_BUF_NULL;
    const struct mesh_stored_subject *s = mesh_registry_store_subject(store, subject);
    const char *compact = identity(&arena, schema);
    size_t id = store->schemas.n + 1;
    int version = s == NULL || s->versions.n == 0 ? 1 : s->versions.v[s->versions.n - 1].version + 1;
    for (size_t i = 0; i < store->schemas.n && id > store->schemas.n; i++)
        if (strcmp(store->schemas.v[i]->compact, compact) == 0)
            id = i + 1;
    mesh_buf_puts(&line, "{\"change\":\"schema\",\"subject\":");
    mesh_json_string(&line, mesh_str_of(subject));
    mesh_buf_printf(&line, ",\"version\":%d,\"id\":%zu", version, id);
    if (id == store->schemas.n + 1) {
        mesh_buf_puts(&line, ",\"schema\":");
        mesh_json_string(&line, mesh_str_of(schema->text));
        for (size_t i = 0; i < schema->n_refs; i++) {
            mesh_buf_puts(&line, i == 0 ? ",\"references\":[{\"name\":" : ",{\"name\":");
            mesh_json_string(&line, mesh_str_of(schema->refs[i].name));
            mesh_buf_puts(&line, ",\"subject\":");
            mesh_json_string(&line, mesh_str_of(schema->refs[i].subject));
            mesh_buf_printf(&line, ",\"version\":%d}", schema->refs[i].version);
        }
        mesh_buf_puts(&line, schema->n_refs > 0 ? "]" : "");
    }
    mesh_buf_putc(&line, '}');
    if (commit(store, &line, err) < 0)
        return -1;
    *ret = mesh_registry_store_version(mesh_registry_store_subject(store, subject), version, false);
    return 0;
}

static void begin_change(struct mesh_buf *line, const char *change, const char *subject)
{
    mesh_buf_printf(line, "{\"change\":\"%s\"", change);
    if (subject == NULL)
        return;
    mesh_buf_puts(line, ",\"subject\":");
    mesh_json_string(line, mesh_str_of(subject));
}

int mesh_registry_store_remove(struct mesh_registry_store *store, const char *subject, int version, bool for_good,
                               struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf line = MESH_BUF_NULL;
    begin_change(&line, "removal", subject);
    mesh_buf_printf(&line, ",\"version\":%d,\"for_good\":%s}", version, for_good ? "true" : "false");
    return commit(store, &line, err);
}

int mesh_registry_store_rule(struct mesh_registry_store *store, const char *subject, bool set, enum mesh_compat_mode rule,
                             struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf line = MESH_BUF_NULL;
    begin_change(&line, "rule", subject);
    if (set)
        mesh_buf_printf(&line, ",\"rule\":\"%s\"", mesh_compat_mode_name(rule));
    mesh_buf_putc(&line, '}');
    return commit(store, &line, err);
}

int mesh_registry_store_mode(struct mesh_registry_store *store, const char *subject, bool set, enum mesh_registry_mode mode,
                             struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf line = MESH_BUF_NULL;
    begin_change(&line, "mode", subject);
    if (set)
        mesh_buf_printf(&line, ",\"mode\":\"%s\"", modes[mode]);
    mesh_buf_putc(&line, '}');
    return commit(store, &line, err);
}
