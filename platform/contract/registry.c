/* What is asked and what the answers mean. Every member of an answer is checked: a registry is another's program. */
#include "contract/registry_int.h"

#include "base/check.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void mesh_registry_free(struct mesh_registry *registry)
{
    if (registry == NULL)
        return;
    for (size_t i = 0; i < registry->n_kept; i++) {
        mesh_arena_deinit(&registry->kept[i]->arena);
        free(registry->kept[i]);
    }
    free(registry->kept);
    for (size_t i = 0; i < registry->n_urls; i++)
        free(registry->urls[i]);
    curl_slist_free_all(registry->headers);
    curl_easy_cleanup(registry->curl);
    free(registry);
}

/* ---- requests ---- */
static void add_escaped(struct mesh_buf *out, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (const char *p = text; *p != '\0'; p++) {
        if (strchr(plain, *p) != NULL)
            mesh_buf_putc(out, *p);
        else
            mesh_buf_printf(out, "%%%02X", (unsigned)(uint8_t)*p);
    }
}

/* "/subjects/" + subject + rest */
static char *path_of(struct mesh_arena *arena, const char *before, const char *subject, const char *rest)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_buf_puts(&path, before);
    add_escaped(&path, subject);
    mesh_buf_puts(&path, rest);
    return mesh_arena_strdup(arena, path.p);
}

static void body_of(const struct mesh_registry_schema *schema, struct mesh_buf *out)
{
    mesh_buf_puts(out, "{\"schemaType\":\"AVRO\",\"schema\":");
    mesh_json_string(out, mesh_str_of(schema->text));
    if (schema->n_refs > 0)
        mesh_buf_puts(out, ",\"references\":[");
    for (size_t i = 0; i < schema->n_refs; i++) {
        mesh_buf_puts(out, i == 0 ? "{\"name\":" : ",{\"name\":");
        mesh_json_string(out, mesh_str_of(schema->refs[i].name));
        mesh_buf_puts(out, ",\"subject\":");
        mesh_json_string(out, mesh_str_of(schema->refs[i].subject));
        mesh_buf_printf(out, ",\"version\":%d}", schema->refs[i].version);
    }
    mesh_buf_puts(out, schema->n_refs > 0 ? "]}" : "}");
}

/* ---- answers ---- */
static int strange(const struct mesh_registry *registry, const char *path, const char *what, struct mesh_err *err)
{
    return mesh_err_set(err, MESH_ERR_RETRY, "registry.answer", "%s answers %s without %s: is it a schema registry?",
                        registry->urls[registry->at], path, what);
}

static bool number_of(const struct mesh_json *object, const char *key, int64_t max, int64_t *ret)
{
    const struct mesh_json *v = mesh_json_get(object, key);
    return v != NULL && v->kind == MESH_JSON_NUMBER && mesh_text_parse_long(mesh_str_of(v->text), ret) == 0 && *ret >= 0 &&
           *ret <= max;
}

static const char *text_of(const struct mesh_json *object, const char *key)
{
    const struct mesh_json *v = mesh_json_get(object, key);
    return v != NULL && v->kind == MESH_JSON_STRING && strlen(v->text) == v->n ? v->text : NULL;
}

static bool read_refs(struct mesh_arena *arena, const struct mesh_json *list, struct mesh_registry_schema *ret)
{
    if (list == NULL || list->kind == MESH_JSON_NULL)
        return true;
    if (list->kind != MESH_JSON_ARRAY || list->n > MESH_REGISTRY_REFS_MAX)
        return false;
    struct mesh_registry_ref *refs = mesh_arena_alloc(arena, (list->n + 1) * sizeof *refs);
    for (uint32_t i = 0; i < list->n; i++) {
        int64_t version = 0;
        refs[i].name = text_of(list->items[i], "name");
        refs[i].subject = text_of(list->items[i], "subject");
        if (refs[i].name == NULL || refs[i].subject == NULL || !number_of(list->items[i], "version", INT32_MAX, &version))
            return false;
        refs[i].version = (int)version;
    }
    ret->refs = refs;
    ret->n_refs = list->n;
    return true;
}

static int read_schema(const struct mesh_registry *registry, struct mesh_arena *arena, const char *path,
                       const struct mesh_json *json, struct mesh_registry_schema *ret, struct mesh_err *err)
{
    int64_t id = ret->id;
    int64_t version = 0;
    const char *type = text_of(json, "schemaType");
    ret->text = text_of(json, "schema");
    ret->subject = text_of(json, "subject");
    if (mesh_json_get(json, "id") != NULL && !number_of(json, "id", UINT32_MAX, &id))
        return strange(registry, path, "a number as its id", err);
    if (mesh_json_get(json, "version") != NULL && !number_of(json, "version", INT32_MAX, &version))
        return strange(registry, path, "a number as its version", err);
    if (ret->text == NULL || !read_refs(arena, mesh_json_get(json, "references"), ret))
        return strange(registry, path, "a schema", err);
    if (type != NULL && strcmp(type, "AVRO") != 0)
        return mesh_err_set(err, MESH_ERR_REJECT, "registry.schema", "schema %" PRId64 " at %s is %.20s; mesh reads Avro", id,
                            registry->urls[registry->at], type);
    ret->id = (uint32_t)id;
    ret->version = (int)version;
    return 0;
}

/* ---- schemas ---- */
int mesh_registry_register(struct mesh_registry *registry, const char *subject, const struct mesh_registry_schema *schema,
                           uint32_t *ret_id, struct mesh_err *err)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf body = MESH_BUF_NULL;
    const char *path = path_of(&arena, "/subjects/", subject, "/versions");
    struct mesh_registry_answer answer;
    int64_t id = 0;
    body_of(schema, &body);
    if (mesh_registry_ask(registry, &arena, MESH_REGISTRY_POST, path, &body, &answer, err) < 0)
        return -1;
    if (answer.status == 404)
        return mesh_err_set(err, MESH_ERR_REJECT, "registry.refused", "the schema registry %s refuses POST %s: %.400s",
                            registry->urls[registry->at], path, answer.why);
    if (!number_of(answer.json, "id", UINT32_MAX, &id))
        return strange(registry, path, "an id", err);
    *ret_id = (uint32_t)id;
    return 0;
}

int mesh_registry_lookup(struct mesh_registry *registry, const char *subject, const struct mesh_registry_schema *schema,
                         uint32_t *ret_id, int *ret_version, struct mesh_err *err)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf body = MESH_BUF_NULL;
    const char *path = path_of(&arena, "/subjects/", subject, "");
    struct mesh_registry_answer answer;
    int64_t id = 0, version = 0;
    body_of(schema, &body);
    if (mesh_registry_ask(registry, &arena, MESH_REGISTRY_POST, path, &body, &answer, err) < 0)
        return -1;
    if (answer.status == 404)
        return 1;
    if (!number_of(answer.json, "id", UINT32_MAX, &id) || !number_of(answer.json, "version", INT32_MAX, &version))
        return strange(registry, path, "id and version", err);
    *ret_id = (uint32_t)id;
    if (ret_version != NULL)
        *ret_version = (int)version;
    return 0;
}

static int get_schema(struct mesh_registry *registry, struct mesh_arena *arena, const char *path, struct mesh_registry_schema *ret,
                      struct mesh_err *err)
{
    struct mesh_registry_answer answer;
    if (mesh_registry_ask(registry, arena, MESH_REGISTRY_GET, path, NULL, &answer, err) < 0)
        return -1;
    return answer.status == 404 ? 1 : read_schema(registry, arena, path, answer.json, ret, err);
}

static size_t kept_at(const struct mesh_registry *registry, uint32_t id)
{
    size_t low = 0, high = registry->n_kept;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (registry->kept[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void copy_schema(struct mesh_arena *arena, const struct mesh_registry_schema *from, struct mesh_registry_schema *to)
{
    struct mesh_registry_ref *refs = mesh_arena_alloc(arena, (from->n_refs + 1) * sizeof *refs);
    *to = *from;
    to->text = mesh_arena_strdup(arena, from->text);
    to->subject = from->subject == NULL ? NULL : mesh_arena_strdup(arena, from->subject);
    for (size_t i = 0; i < from->n_refs; i++)
        refs[i] = (struct mesh_registry_ref){mesh_arena_strdup(arena, from->refs[i].name),
                                             mesh_arena_strdup(arena, from->refs[i].subject), from->refs[i].version};
    to->refs = refs;
}

void mesh_registry_keep(struct mesh_registry *registry, const struct mesh_registry_schema *schema)
{
    size_t at = kept_at(registry, schema->id), bytes = strlen(schema->text);
    if (at < registry->n_kept && registry->kept[at]->id == schema->id)
        return;
    if (registry->n_kept == MESH_REGISTRY_KEPT_MAX || registry->kept_bytes + bytes > MESH_REGISTRY_KEPT_BYTES)
        return;
    if (registry->kept == NULL)
        registry->kept = mesh_xcalloc(MESH_REGISTRY_KEPT_MAX, sizeof(struct mesh_registry_kept *));
    struct mesh_registry_kept *kept = mesh_xcalloc(1, sizeof *kept);
    kept->id = schema->id;
    copy_schema(&kept->arena, schema, &kept->schema);
    memmove(&registry->kept[at + 1], &registry->kept[at], (registry->n_kept - at) * sizeof(struct mesh_registry_kept *));
    registry->kept[at] = kept;
    registry->n_kept++;
    registry->kept_bytes += bytes;
}

int mesh_registry_by_id(struct mesh_registry *registry, struct mesh_arena *arena, uint32_t id, struct mesh_registry_schema *ret,
                        struct mesh_err *err)
{
    size_t at = kept_at(registry, id);
    if (at < registry->n_kept && registry->kept[at]->id == id) {
        copy_schema(arena, &registry->kept[at]->schema, ret);
        return 0;
    }
    *ret = (struct mesh_registry_schema){.id = id};
    int result = get_schema(registry, arena, mesh_arena_printf(arena, "/schemas/ids/%" PRIu32, id), ret, err);
    ret->id = id;
    if (result == 0)
        mesh_registry_keep(registry, ret);
    return result;
}

int mesh_registry_by_guid(struct mesh_registry *registry, struct mesh_arena *arena, const uint8_t guid[16],
                          struct mesh_registry_schema *ret, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_buf_puts(&path, "/schemas/guids/");
    for (int i = 0; i < 16; i++)
        mesh_buf_printf(&path, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", guid[i]);
    *ret = (struct mesh_registry_schema){0};
    return get_schema(registry, arena, mesh_arena_strdup(arena, path.p), ret, err);
}

int mesh_registry_version(struct mesh_registry *registry, struct mesh_arena *arena, const char *subject, int version,
                          struct mesh_registry_schema *ret, struct mesh_err *err)
{
    const char *rest = version == 0 ? "/versions/latest" : mesh_arena_printf(arena, "/versions/%d", version);
    *ret = (struct mesh_registry_schema){0};
    return get_schema(registry, arena, path_of(arena, "/subjects/", subject, rest), ret, err);
}

int mesh_registry_versions(struct mesh_registry *registry, struct mesh_arena *arena, const char *subject, int **ret, size_t *ret_n,
                           struct mesh_err *err)
{
    struct mesh_registry_answer answer;
    const char *path = path_of(arena, "/subjects/", subject, "/versions");
    if (mesh_registry_ask(registry, arena, MESH_REGISTRY_GET, path, NULL, &answer, err) < 0)
        return -1;
    if (answer.status == 404)
        return 1;
    if (answer.json->kind != MESH_JSON_ARRAY)
        return strange(registry, path, "a list of versions", err);
    *ret = mesh_arena_alloc(arena, (answer.json->n + 1) * sizeof **ret);
    *ret_n = 0;
    for (uint32_t i = 0; i < answer.json->n; i++) {
        int64_t v = 0;
        const struct mesh_json *item = answer.json->items[i];
        if (item->kind != MESH_JSON_NUMBER || mesh_text_parse_long(mesh_str_of(item->text), &v) != 0 || v < 1 || v > INT32_MAX)
            return strange(registry, path, "a list of versions", err);
        (*ret)[(*ret_n)++] = (int)v;
    }
    return 0;
}

int mesh_registry_subjects(struct mesh_registry *registry, struct mesh_arena *arena, const char ***ret, size_t *ret_n,
                           struct mesh_err *err)
{
    struct mesh_registry_answer answer;
    if (mesh_registry_ask(registry, arena, MESH_REGISTRY_GET, "/subjects", NULL, &answer, err) < 0)
        return -1;
    if (answer.status == 404 || answer.json->kind != MESH_JSON_ARRAY)
        return strange(registry, "/subjects", "a list of subjects", err);
    *ret = mesh_arena_alloc(arena, (answer.json->n + 1) * sizeof **ret);
    *ret_n = 0;
    for (uint32_t i = 0; i < answer.json->n; i++)
        if (answer.json->items[i]->kind == MESH_JSON_STRING)
            (*ret)[(*ret_n)++] = answer.json->items[i]->text;
    return 0;
}

/* ---- rules ---- */
int mesh_registry_compatible(struct mesh_registry *registry, struct mesh_arena *arena, const char *subject,
                             const struct mesh_registry_schema *schema, bool *ret, const char **ret_why, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf body = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf why = MESH_BUF_NULL;
    /* Without a version the registry looks at as many as its rule for the subject says. */
    const char *path = path_of(arena, "/compatibility/subjects/", subject, "/versions?verbose=true");
    struct mesh_registry_answer answer;
    body_of(schema, &body);
    *ret_why = "";
    if (mesh_registry_ask(registry, arena, MESH_REGISTRY_POST, path, &body, &answer, err) < 0)
        return -1;
    const struct mesh_json *good = mesh_json_get(answer.json, "is_compatible");
    if (answer.status == 404) {
        *ret = true;
        return 0;
    }
    if (good == NULL || good->kind != MESH_JSON_BOOL)
        return strange(registry, path, "is_compatible", err);
    *ret = good->boolean;
    const struct mesh_json *list = mesh_json_get(answer.json, "messages");
    for (uint32_t i = 0; list != NULL && list->kind == MESH_JSON_ARRAY && i < list->n; i++)
        if (list->items[i]->kind == MESH_JSON_STRING)
            mesh_buf_printf(&why, "%s%s", why.n == 0 ? "" : "; ", list->items[i]->text);
    if (why.n > 0)
        *ret_why = mesh_arena_strdup(arena, why.p);
    return 0;
}

int mesh_registry_rule(struct mesh_registry *registry, const char *subject, enum mesh_compat_mode *ret, struct mesh_err *err)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_registry_answer answer;
    const char *path = subject == NULL ? "/config" : path_of(&arena, "/config/", subject, "");
    if (mesh_registry_ask(registry, &arena, MESH_REGISTRY_GET, path, NULL, &answer, err) < 0)
        return -1;
    if (answer.status == 404)
        return 1;
    const char *level = text_of(answer.json, "compatibilityLevel");
    if (level == NULL || mesh_compat_parse_mode(level, ret) != 0)
        return strange(registry, path, "a compatibilityLevel", err);
    return 0;
}

int mesh_registry_set_rule(struct mesh_registry *registry, const char *subject, enum mesh_compat_mode mode, struct mesh_err *err)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf body = MESH_BUF_NULL;
    struct mesh_registry_answer answer;
    const char *path = subject == NULL ? "/config" : path_of(&arena, "/config/", subject, "");
    mesh_buf_printf(&body, "{\"compatibility\":\"%s\"}", mesh_compat_mode_name(mode));
    if (mesh_registry_ask(registry, &arena, MESH_REGISTRY_PUT, path, &body, &answer, err) < 0)
        return -1;
    return answer.status == 404 ? strange(registry, path, "having the rule set", err) : 0;
}

/* ---- a schema and what it refers to ---- */
struct gathering {
    struct mesh_registry *registry;
    struct mesh_arena *arena;
    const struct mesh_source *sources[MESH_REGISTRY_REFS_MAX + 1];
    const char *seen[MESH_REGISTRY_REFS_MAX + 1];
    size_t n, n_seen;
};

static bool seen_before(struct gathering *g, const struct mesh_registry_ref *ref)
{
    const char *key = mesh_arena_printf(g->arena, "%s/%d", ref->subject, ref->version);
    for (size_t i = 0; i < g->n_seen; i++)
        if (strcmp(g->seen[i], key) == 0)
            return true;
    if (g->n_seen < MESH_REGISTRY_REFS_MAX)
        g->seen[g->n_seen++] = key;
    return false;
}

/* What it refers to goes before it. A cycle cannot be registered; if there is one all the same, each is taken once. */
static int gather(struct gathering *g, const char *name, const struct mesh_registry_schema *schema, struct mesh_err *err)
{
    for (size_t i = 0; i < schema->n_refs; i++) {
        const struct mesh_registry_ref *ref = &schema->refs[i];
        struct mesh_registry_schema found;
        if (seen_before(g, ref))
            continue;
        if (g->n_seen == MESH_REGISTRY_REFS_MAX)
            return mesh_err_set(err, MESH_ERR_REJECT, "registry.schema", "a schema needs more than %d others",
                                MESH_REGISTRY_REFS_MAX - 1);
        int result = mesh_registry_version(g->registry, g->arena, ref->subject, ref->version, &found, err);
        if (result > 0)
            return mesh_err_set(err, MESH_ERR_REJECT, "registry.schema",
                                "a schema refers to '%.100s' as version %d of subject '%.100s', which the registry does not have",
                                ref->name, ref->version, ref->subject);
        if (result < 0 || gather(g, ref->subject, &found, err) < 0)
            return -1;
    }
    g->sources[g->n++] = mesh_source_new(g->arena, name, schema->text, strlen(schema->text));
    return 0;
}

int mesh_registry_parse(struct mesh_registry *registry, struct mesh_arena *arena, const struct mesh_registry_schema *schema,
                        struct mesh_schema **ret, struct mesh_err *err)
{
    return mesh_registry_parse_as(registry, arena, "schema", schema, ret, err);
}

int mesh_registry_parse_as(struct mesh_registry *registry, struct mesh_arena *arena, const char *name,
                           const struct mesh_registry_schema *schema, struct mesh_schema **ret, struct mesh_err *err)
{
    struct gathering g = {.registry = registry, .arena = arena};
    struct mesh_diags diags = {.arena = arena};
    if (gather(&g, name, schema, err) < 0)
        return -1;
    *ret = mesh_schema_parse_all(arena, g.sources, g.n, &diags);
    if (*ret != NULL)
        return 0;
    const char *why = diags.list.n > 0 ? diags.list.v[0]->text : "it is empty";
    return mesh_err_set(err, MESH_ERR_REJECT, "registry.schema", "schema %" PRIu32 " of the registry cannot be read: %.400s",
                        schema->id, why);
}

int mesh_registry_find(struct mesh_registry *registry, struct mesh_arena *arena, const char *subject,
                       const struct mesh_schema *schema, uint32_t *ret_id, int *ret_version, struct mesh_err *err)
{
    uint32_t wanted = mesh_schema_local_id(schema);
    int *versions = NULL;
    size_t n = 0;
    int result = mesh_registry_versions(registry, arena, subject, &versions, &n, err);
    for (size_t i = n; result == 0 && i > 0 && n - i < MESH_REGISTRY_VERSIONS_MAX; i--) {
        struct mesh_registry_schema found;
        struct mesh_schema *parsed = NULL;
        int got = mesh_registry_version(registry, arena, subject, versions[i - 1], &found, err);
        if (got == 0)
            got = mesh_registry_parse(registry, arena, &found, &parsed, err);
        if (got < 0 && err->class == MESH_ERR_RETRY)
            return -1;
        if (got != 0 || mesh_schema_local_id(parsed) != wanted)
            continue;
        *ret_id = found.id;
        if (ret_version != NULL)
            *ret_version = versions[i - 1];
        return 0;
    }
    return result < 0 ? -1 : 1;
}
