/* Numbers of errors, and which of them stands for what, are Confluent's: clients look at them. */
#include "ctl/registry_api.h"

#include "base/check.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define LATEST (-1)

struct call {
    struct mesh_registry_store *store;
    const struct mesh_api_request *request;
    struct mesh_buf *out;
    struct mesh_arena arena;
    struct mesh_registry_schema schema; /* of the body */
    struct mesh_schema *parsed;
};

static int refuse(struct call *c, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int refuse(struct call *c, int code, const char *format, ...)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    va_list args;
    va_start(args, format);
    mesh_buf_vprintf(&text, format, args);
    va_end(args);
    mesh_buf_reset(c->out);
    mesh_buf_printf(c->out, "{\"error_code\":%d,\"message\":", code);
    mesh_json_string(c->out, (struct mesh_str){text.p, (uint32_t)text.n});
    mesh_buf_putc(c->out, '}');
    return code >= 1000 ? code / 100 : code;
}

static int broken(struct call *c, const struct mesh_err *err)
{
    return refuse(c, 50001, "%s", err->text);
}

static bool asks(const struct call *c, const char *name)
{
    const char *value = c->request->query(c->request->context, name);
    return value != NULL && strcmp(value, "true") == 0;
}

static bool is(const struct call *c, size_t i, const char *word)
{
    return c->request->n_parts > i && strcmp(c->request->parts[i], word) == 0;
}

static bool method(const struct call *c, const char *name)
{
    return strcmp(c->request->method, name) == 0;
}

static int wrong_method(struct call *c)
{
    return refuse(c, 405, "HTTP 405 Method Not Allowed");
}

static int nowhere(struct call *c)
{
    return refuse(c, 404, "HTTP 404 Not Found");
}

/* ---- bodies ---- */
static const struct mesh_json *read_body(struct call *c)
{
    struct mesh_diags diags = {.arena = &c->arena};
    const char *copy = mesh_arena_str(&c->arena, c->request->body);
    const struct mesh_json *json =
        mesh_json_parse(&c->arena, mesh_source_new(&c->arena, "body", copy, c->request->body.n), &diags, "MC001");
    if (json != NULL && json->kind == MESH_JSON_OBJECT)
        return json;
    refuse(c, 400, "the body is no JSON object: %s", diags.list.n > 0 ? diags.list.v[0]->text : "it is something else");
    return NULL;
}

static const char *text_of(const struct mesh_json *object, const char *key)
{
    const struct mesh_json *v = mesh_json_get(object, key);
    return v != NULL && v->kind == MESH_JSON_STRING ? v->text : NULL;
}

static bool read_refs(struct call *c, const struct mesh_json *list)
{
    if (list == NULL || list->kind == MESH_JSON_NULL)
        return true;
    if (list->kind != MESH_JSON_ARRAY || list->n > MESH_REGISTRY_REFS_MAX)
        return false;
    struct mesh_registry_ref *refs = mesh_arena_alloc(&c->arena, (list->n + 1) * sizeof *refs);
    for (uint32_t i = 0; i < list->n; i++) {
        const struct mesh_json *version = mesh_json_get(list->items[i], "version");
        int64_t v = 0;
        refs[i].name = text_of(list->items[i], "name");
        refs[i].subject = text_of(list->items[i], "subject");
        if (refs[i].name == NULL || refs[i].subject == NULL || version == NULL || version->kind != MESH_JSON_NUMBER ||
            mesh_text_parse_long(mesh_str_of(version->text), &v) != 0 || v < 1 || v > INT32_MAX)
            return false;
        refs[i].version = (int)v;
    }
    c->schema.refs = refs;
    c->schema.n_refs = list->n;
    return true;
}

/* Into c->schema and c->parsed. 0, or the status of a refusal. */
static int read_schema(struct call *c)
{
    const struct mesh_json *body = read_body(c);
    if (body == NULL)
        return 400;
    const char *type = text_of(body, "schemaType");
    struct mesh_diags diags = {.arena = &c->arena};
    c->schema.text = text_of(body, "schema");
    if (type != NULL && strcmp(type, "AVRO") != 0)
        return refuse(c, 42201, "Invalid schema: this registry keeps AVRO, not %.40s", type);
    if (c->schema.text == NULL || c->schema.text[0] == '\0')
        return refuse(c, 42201, "Empty schema");
    if (!read_refs(c, mesh_json_get(body, "references")))
        return refuse(c, 42201, "Invalid schema: its references are not understood");
    c->parsed = mesh_registry_store_parse(c->store, &c->arena, &c->schema, &diags);
    if (c->parsed == NULL)
        return refuse(c, 42201, "Invalid schema: %s", diags.list.n > 0 ? diags.list.v[0]->text : "it is not understood");
    return 0;
}

/* ---- answers ---- */
static void add_refs(struct mesh_buf *out, const struct mesh_registry_schema *schema)
{
    for (size_t i = 0; i < schema->n_refs; i++) {
        mesh_buf_puts(out, i == 0 ? ",\"references\":[{\"name\":" : ",{\"name\":");
        mesh_json_string(out, mesh_str_of(schema->refs[i].name));
        mesh_buf_puts(out, ",\"subject\":");
        mesh_json_string(out, mesh_str_of(schema->refs[i].subject));
        mesh_buf_printf(out, ",\"version\":%d}", schema->refs[i].version);
    }
    mesh_buf_puts(out, schema->n_refs > 0 ? "]" : "");
}

static int answer_version(struct call *c, const char *subject, const struct mesh_stored_version *v)
{
    mesh_buf_puts(c->out, "{\"subject\":");
    mesh_json_string(c->out, mesh_str_of(subject));
    mesh_buf_printf(c->out, ",\"version\":%d,\"id\":%u,\"guid\":\"%s\",\"schemaType\":\"AVRO\"", v->version,
                    (unsigned)v->schema->schema.id, v->schema->guid);
    add_refs(c->out, &v->schema->schema);
    mesh_buf_puts(c->out, ",\"schema\":");
    mesh_json_string(c->out, mesh_str_of(v->schema->schema.text));
    mesh_buf_putc(c->out, '}');
    return 200;
}

static void add_text(struct mesh_buf *out, const char *text)
{
    if (out->n > 0 && out->p[out->n - 1] != '[')
        mesh_buf_putc(out, ',');
    mesh_json_string(out, mesh_str_of(text));
}

static void add_number(struct mesh_buf *out, int64_t n)
{
    if (out->n > 0 && out->p[out->n - 1] != '[')
        mesh_buf_putc(out, ',');
    mesh_json_long(out, n);
}

/* ---- /subjects ---- */
static int list_subjects(struct call *c)
{
    const char *prefix = c->request->query(c->request->context, "subjectPrefix");
    bool deleted = asks(c, "deleted");
    mesh_buf_putc(c->out, '[');
    for (size_t i = 0; i < c->store->subjects.n; i++) {
        const struct mesh_stored_subject *s = c->store->subjects.entries[i].value;
        if (mesh_registry_store_version(s, 0, deleted) != NULL && (prefix == NULL || strncmp(s->name, prefix, strlen(prefix)) == 0))
            add_text(c->out, s->name);
    }
    mesh_buf_putc(c->out, ']');
    return 200;
}

/* "3", "latest", "-1". False: none of them. */
static bool read_version(const char *text, int *ret)
{
    int64_t v = 0;
    if (strcmp(text, "latest") == 0 || strcmp(text, "-1") == 0) {
        *ret = LATEST;
        return true;
    }
    if (mesh_text_parse_long(mesh_str_of(text), &v) != 0 || v < 1 || v > INT32_MAX)
        return false;
    *ret = (int)v;
    return true;
}

/* parts[at] is a subject and parts[at + 2] a version. 0, or the status of a refusal. */
static int find_version(struct call *c, size_t at, bool deleted, struct mesh_stored_subject **ret_subject,
                        struct mesh_stored_version **ret)
{
    const char *name = c->request->parts[at];
    int version = 0;
    *ret_subject = mesh_registry_store_subject(c->store, name);
    if (!read_version(c->request->parts[at + 2], &version))
        return refuse(c, 42202, "The specified version '%.40s' is not a valid version id", c->request->parts[at + 2]);
    if (mesh_registry_store_version(*ret_subject, 0, deleted) == NULL)
        return mesh_registry_store_version(*ret_subject, 0, true) == NULL
                   ? refuse(c, 40401, "Subject '%s' not found.", name)
                   : refuse(c, 40404, "Subject '%s' was soft deleted. Set permanent=true to delete permanently", name);
    *ret = mesh_registry_store_version(*ret_subject, version == LATEST ? 0 : version, deleted);
    return *ret != NULL ? 0 : refuse(c, 40402, "Version %s not found.", c->request->parts[at + 2]);
}

static enum mesh_compat_mode rule_of(const struct call *c, const struct mesh_stored_subject *subject)
{
    return subject != NULL && subject->has_rule ? subject->rule : c->store->rule;
}

static void add_reasons(struct mesh_buf *out, const struct mesh_compat_verdict *verdicts, size_t n, const int *versions)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    for (size_t v = 0; v < n; v++) {
        for (size_t i = 0; i < verdicts[v].compat.n; i++) {
            const struct mesh_incompat *found = &verdicts[v].compat.found[i];
            mesh_buf_reset(&text);
            mesh_buf_printf(
                &text, "%s at %s: %s (%s version %d)", mesh_compat_kind_name(found->kind), found->pointer, found->reason,
                verdicts[v].forward ? "data of the new schema cannot be read with" : "the new schema cannot read data of",
                versions[verdicts[v].version]);
            add_text(out, text.p);
        }
    }
}

/* Against the versions that count; the reasons go to `reasons`. */
static bool evolves(struct call *c, const struct mesh_stored_subject *subject, enum mesh_compat_mode rule,
                    const struct mesh_stored_version *only, struct mesh_buf *reasons)
{
    size_t n = 0, n_verdicts = 0, max = subject == NULL ? 0 : subject->versions.n;
    const struct mesh_schema **previous = mesh_arena_alloc(&c->arena, (max + 1) * sizeof *previous);
    int *versions = mesh_arena_alloc(&c->arena, (max + 1) * sizeof *versions);
    for (size_t i = 0; i < max; i++) {
        const struct mesh_stored_version *v = &subject->versions.v[i];
        struct mesh_diags diags = {.arena = &c->arena};
        if (v->deleted || v->gone || (only != NULL && v != only))
            continue;
        previous[n] = mesh_registry_store_parse(c->store, &c->arena, &v->schema->schema, &diags);
        versions[n] = v->version;
        n += previous[n] != NULL;
    }
    struct mesh_compat_verdict *verdicts = NULL;
    mesh_compat_evolve(&c->arena, rule, c->parsed, previous, n, &verdicts, &n_verdicts);
    add_reasons(reasons, verdicts, n_verdicts, versions);
    return n_verdicts == 0;
}

static int answer_added(struct call *c, const struct mesh_stored_version *v)
{
    mesh_buf_printf(c->out, "{\"id\":%u,\"version\":%d,\"guid\":\"%s\",\"schemaType\":\"AVRO\"", (unsigned)v->schema->schema.id,
                    v->version, v->schema->guid);
    add_refs(c->out, &v->schema->schema);
    mesh_buf_puts(c->out, ",\"schema\":");
    mesh_json_string(c->out, mesh_str_of(v->schema->schema.text));
    mesh_buf_putc(c->out, '}');
    return 200;
}

static int add_version(struct call *c)
{
    const char *name = c->request->parts[1];
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf reasons = MESH_BUF_NULL;
    struct mesh_err err = {0};
    int status = read_schema(c);
    if (status != 0)
        return status;
    const struct mesh_stored_subject *subject = mesh_registry_store_subject(c->store, name);
    struct mesh_stored_version *v = mesh_registry_store_find(c->store, subject, &c->schema, c->parsed, asks(c, "normalize"), false);
    if (v != NULL)
        return answer_added(c, v);
    enum mesh_registry_mode mode = subject != NULL && subject->has_mode ? subject->mode : c->store->mode;
    if (mode == MESH_REGISTRY_READONLY)
        return refuse(c, 42205, "Subject %s is in read-only mode", name);
    if (!evolves(c, subject, rule_of(c, subject), NULL, &reasons))
        return refuse(c, 409,
                      "Schema being registered is incompatible with an earlier schema for subject \"%s\", its rule is %s: %s", name,
                      mesh_compat_mode_name(rule_of(c, subject)), reasons.p);
    if (subject == NULL && c->store->subjects.n >= MESH_REGISTRY_SUBJECTS_MAX)
        return refuse(c, 422, "this registry keeps at most %d subjects", MESH_REGISTRY_SUBJECTS_MAX);
    return mesh_registry_store_add(c->store, name, &c->schema, &v, &err) < 0 ? broken(c, &err) : answer_added(c, v);
}

static int look_up(struct call *c)
{
    const char *name = c->request->parts[1];
    const struct mesh_stored_subject *subject = mesh_registry_store_subject(c->store, name);
    if (mesh_registry_store_version(subject, 0, asks(c, "deleted")) == NULL)
        return refuse(c, 40401, "Subject '%s' not found.", name);
    int status = read_schema(c);
    if (status != 0)
        return status;
    struct mesh_stored_version *v =
        mesh_registry_store_find(c->store, subject, &c->schema, c->parsed, asks(c, "normalize"), asks(c, "deleted"));
    return v == NULL ? refuse(c, 40403, "Schema not found") : answer_version(c, name, v);
}

static int list_versions(struct call *c)
{
    const struct mesh_stored_subject *subject = mesh_registry_store_subject(c->store, c->request->parts[1]);
    bool deleted = asks(c, "deleted");
    if (mesh_registry_store_version(subject, 0, deleted) == NULL)
        return refuse(c, 40401, "Subject '%s' not found.", c->request->parts[1]);
    mesh_buf_putc(c->out, '[');
    for (size_t i = 0; i < subject->versions.n; i++)
        if (!subject->versions.v[i].gone && (deleted || !subject->versions.v[i].deleted))
            add_number(c->out, subject->versions.v[i].version);
    mesh_buf_putc(c->out, ']');
    return 200;
}

/* Ids of the schemas that refer to this version. */
static size_t add_referrers(const struct call *c, const char *subject, int version, struct mesh_buf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < c->store->schemas.n; i++) {
        const struct mesh_registry_schema *s = &c->store->schemas.v[i]->schema;
        bool refers = false;
        for (size_t k = 0; k < s->n_refs; k++)
            refers = refers || (strcmp(s->refs[k].subject, subject) == 0 && s->refs[k].version == version);
        bool lives = false;
        for (size_t k = 0; refers && k < c->store->subjects.n; k++) {
            const struct mesh_stored_subject *other = c->store->subjects.entries[k].value;
            for (size_t j = 0; j < other->versions.n; j++)
                lives = lives || (&other->versions.v[j].schema->schema == s && !other->versions.v[j].deleted);
        }
        if (lives) {
            add_number(out, s->id);
            n++;
        }
    }
    return n;
}

static int remove_version(struct call *c)
{
    const char *name = c->request->parts[1];
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf referrers = MESH_BUF_NULL;
    struct mesh_stored_subject *subject = NULL;
    struct mesh_stored_version *v = NULL;
    struct mesh_err err = {0};
    bool for_good = asks(c, "permanent");
    int status = find_version(c, 1, for_good, &subject, &v);
    if (status != 0)
        return status;
    int version = v->version;
    if (for_good && !v->deleted)
        return refuse(c, 40407, "Subject '%s' Version %d was not deleted first before being permanently deleted", name, version);
    if (add_referrers(c, name, version, &referrers) > 0)
        return refuse(c, 42206, "One or more references exist to the schema {%s, %d}: ids %s", name, version, referrers.p);
    if (mesh_registry_store_remove(c->store, name, version, for_good, &err) < 0)
        return broken(c, &err);
    mesh_json_long(c->out, version);
    return 200;
}

static int remove_subject(struct call *c)
{
    const char *name = c->request->parts[1];
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf referrers = MESH_BUF_NULL;
    struct mesh_stored_subject *subject = mesh_registry_store_subject(c->store, name);
    bool for_good = asks(c, "permanent");
    bool lives = mesh_registry_store_version(subject, 0, false) != NULL;
    struct mesh_err err = {0};
    if (mesh_registry_store_version(subject, 0, true) == NULL)
        return refuse(c, 40401, "Subject '%s' not found.", name);
    if (for_good && lives)
        return refuse(c, 40405, "Subject '%s' was not deleted first before being permanently deleted", name);
    if (!for_good && !lives)
        return refuse(c, 40404, "Subject '%s' was soft deleted. Set permanent=true to delete permanently", name);
    for (size_t i = 0; i < subject->versions.n; i++)
        if (!subject->versions.v[i].gone && add_referrers(c, name, subject->versions.v[i].version, &referrers) > 0)
            return refuse(c, 42206, "One or more references exist to the schema {%s, %d}: ids %s", name,
                          subject->versions.v[i].version, referrers.p);
    mesh_buf_putc(c->out, '[');
    for (size_t i = 0; i < subject->versions.n; i++) {
        const struct mesh_stored_version *v = &subject->versions.v[i];
        if (v->gone || (!for_good && v->deleted))
            continue;
        if (mesh_registry_store_remove(c->store, name, v->version, for_good, &err) < 0)
            return broken(c, &err);
        add_number(c->out, v->version);
    }
    mesh_buf_putc(c->out, ']');
    return 200;
}

static int one_version(struct call *c)
{
    struct mesh_stored_subject *subject = NULL;
    struct mesh_stored_version *v = NULL;
    if (c->request->n_parts == 4 && method(c, "DELETE"))
        return remove_version(c);
    if (!method(c, "GET"))
        return wrong_method(c);
    int status = find_version(c, 1, asks(c, "deleted"), &subject, &v);
    if (status != 0)
        return status;
    if (c->request->n_parts == 4)
        return answer_version(c, subject->name, v);
    if (is(c, 4, "schema")) {
        mesh_buf_puts(c->out, v->schema->schema.text);
        return 200;
    }
    if (!is(c, 4, "referencedby"))
        return nowhere(c);
    mesh_buf_putc(c->out, '[');
    (void)add_referrers(c, subject->name, v->version, c->out);
    mesh_buf_putc(c->out, ']');
    return 200;
}

static int subjects(struct call *c)
{
    size_t n = c->request->n_parts;
    if (n == 1)
        return method(c, "GET") ? list_subjects(c) : wrong_method(c);
    if (n == 2)
        return method(c, "POST") ? look_up(c) : method(c, "DELETE") ? remove_subject(c) : wrong_method(c);
    if (!is(c, 2, "versions"))
        return nowhere(c);
    if (n == 3)
        return method(c, "GET") ? list_versions(c) : method(c, "POST") ? add_version(c) : wrong_method(c);
    return n <= 5 ? one_version(c) : nowhere(c);
}

/* ---- /schemas ---- */
static void add_uses(struct call *c, const struct mesh_stored_schema *schema, bool with_version)
{
    mesh_buf_putc(c->out, '[');
    for (size_t i = 0; i < c->store->subjects.n; i++) {
        const struct mesh_stored_subject *s = c->store->subjects.entries[i].value;
        for (size_t k = 0; k < s->versions.n; k++) {
            if (s->versions.v[k].schema != schema || s->versions.v[k].deleted)
                continue;
            if (!with_version) {
                add_text(c->out, s->name);
                break;
            }
            mesh_buf_puts(c->out, c->out->p[c->out->n - 1] == '[' ? "{\"subject\":" : ",{\"subject\":");
            mesh_json_string(c->out, mesh_str_of(s->name));
            mesh_buf_printf(c->out, ",\"version\":%d}", s->versions.v[k].version);
        }
    }
    mesh_buf_putc(c->out, ']');
}

static int answer_schema(struct call *c, const struct mesh_stored_schema *schema)
{
    mesh_buf_printf(c->out, "{\"id\":%u,\"guid\":\"%s\",\"schemaType\":\"AVRO\"", (unsigned)schema->schema.id, schema->guid);
    add_refs(c->out, &schema->schema);
    mesh_buf_puts(c->out, ",\"schema\":");
    mesh_json_string(c->out, mesh_str_of(schema->schema.text));
    mesh_buf_putc(c->out, '}');
    return 200;
}

static int schemas(struct call *c)
{
    const struct mesh_api_request *r = c->request;
    const struct mesh_stored_schema *found = NULL;
    int64_t id = 0;
    if (!method(c, "GET"))
        return wrong_method(c);
    if (is(c, 1, "types") && r->n_parts == 2) {
        mesh_buf_puts(c->out, "[\"AVRO\"]");
        return 200;
    }
    if (r->n_parts < 3 || r->n_parts > 4 || (!is(c, 1, "ids") && !is(c, 1, "guids")))
        return nowhere(c);
    if (is(c, 1, "guids")) {
        for (size_t i = 0; i < c->store->schemas.n; i++)
            if (strcmp(c->store->schemas.v[i]->guid, r->parts[2]) == 0)
                found = c->store->schemas.v[i];
    } else if (mesh_text_parse_long(mesh_str_of(r->parts[2]), &id) == 0 && id >= 1 && (size_t)id <= c->store->schemas.n) {
        found = c->store->schemas.v[id - 1];
    }
    if (found == NULL)
        return refuse(c, 40403, "Schema %s not found", r->parts[2]);
    if (r->n_parts == 3)
        return answer_schema(c, found);
    if (is(c, 3, "schema"))
        mesh_buf_puts(c->out, found->schema.text);
    else if (is(c, 3, "subjects") || is(c, 3, "versions"))
        add_uses(c, found, is(c, 3, "versions"));
    else
        return nowhere(c);
    return 200;
}

/* ---- /compatibility ---- */
/* compatibility/subjects/S/versions[/V] */
static int compatibility(struct call *c)
{
    size_t n = c->request->n_parts;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf reasons = MESH_BUF_NULL;
    struct mesh_stored_version *only = NULL;
    if (!is(c, 1, "subjects") || !is(c, 3, "versions") || n > 5)
        return nowhere(c);
    if (!method(c, "POST"))
        return wrong_method(c);
    struct mesh_stored_subject *subject = mesh_registry_store_subject(c->store, c->request->parts[2]);
    if (n == 5) {
        int status = find_version(c, 2, false, &subject, &only);
        if (status != 0)
            return status;
    }
    int status = read_schema(c);
    if (status != 0)
        return status;
    bool good = evolves(c, subject, rule_of(c, subject), only, &reasons);
    mesh_buf_printf(c->out, "{\"is_compatible\":%s", good ? "true" : "false");
    if (asks(c, "verbose"))
        mesh_buf_printf(c->out, ",\"messages\":[%s]", reasons.p == NULL ? "" : reasons.p);
    mesh_buf_putc(c->out, '}');
    return 200;
}

/* ---- /config, /mode ---- */
static int answer_rule(struct call *c, const char *key, enum mesh_compat_mode rule)
{
    mesh_buf_printf(c->out, "{\"%s\":\"%s\"}", key, mesh_compat_mode_name(rule));
    return 200;
}

static int config(struct call *c)
{
    const char *name = c->request->n_parts == 2 ? c->request->parts[1] : NULL;
    const struct mesh_stored_subject *subject = name == NULL ? NULL : mesh_registry_store_subject(c->store, name);
    enum mesh_compat_mode rule = MESH_COMPAT_BACKWARD;
    struct mesh_err err = {0};
    bool has = name == NULL || (subject != NULL && subject->has_rule);
    if (c->request->n_parts > 2)
        return nowhere(c);
    if (method(c, "PUT")) {
        const struct mesh_json *body = read_body(c);
        if (body == NULL)
            return 400;
        const char *level = text_of(body, "compatibility");
        if (level == NULL || mesh_compat_parse_mode(level, &rule) != 0)
            return refuse(c, 42203,
                          "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, "
                          "forward_transitive, and full_transitive");
        return mesh_registry_store_rule(c->store, name, true, rule, &err) < 0 ? broken(c, &err)
                                                                              : answer_rule(c, "compatibility", rule);
    }
    if (!method(c, "GET") && !method(c, "DELETE"))
        return wrong_method(c);
    if (!has && !(method(c, "GET") && asks(c, "defaultToGlobal")))
        return refuse(c, 40408, "Subject '%s' does not have subject-level compatibility configured", name);
    rule = rule_of(c, subject);
    if (method(c, "DELETE") && mesh_registry_store_rule(c->store, name, false, MESH_COMPAT_BACKWARD, &err) < 0)
        return broken(c, &err);
    return answer_rule(c, "compatibilityLevel", rule);
}

static int mode(struct call *c)
{
    const char *name = c->request->n_parts == 2 ? c->request->parts[1] : NULL;
    const struct mesh_stored_subject *subject = name == NULL ? NULL : mesh_registry_store_subject(c->store, name);
    enum mesh_registry_mode now = subject != NULL && subject->has_mode ? subject->mode : c->store->mode;
    struct mesh_err err = {0};
    if (c->request->n_parts > 2)
        return nowhere(c);
    if (method(c, "PUT")) {
        const struct mesh_json *body = read_body(c);
        if (body == NULL)
            return 400;
        const char *word = text_of(body, "mode");
        bool known = false;
        for (int m = 0; word != NULL && m < MESH_REGISTRY_MODE_COUNT; m++) {
            if (strcmp(word, mesh_registry_mode_name((enum mesh_registry_mode)m)) == 0) {
                now = (enum mesh_registry_mode)m;
                known = true;
            }
        }
        if (!known)
            return refuse(c, 42204, "Invalid mode. Valid values are READWRITE and READONLY");
        if (mesh_registry_store_mode(c->store, name, true, now, &err) < 0)
            return broken(c, &err);
    } else if (!method(c, "GET") && !method(c, "DELETE")) {
        return wrong_method(c);
    } else if (name != NULL && (subject == NULL || !subject->has_mode) && !asks(c, "defaultToGlobal")) {
        return refuse(c, 40409, "Subject '%s' does not have subject-level mode configured", name);
    } else if (method(c, "DELETE") && mesh_registry_store_mode(c->store, name, false, MESH_REGISTRY_READWRITE, &err) < 0) {
        return broken(c, &err);
    }
    mesh_buf_printf(c->out, "{\"mode\":\"%s\"}", mesh_registry_mode_name(now));
    return 200;
}

static void call_deinit(struct call *c)
{
    mesh_arena_deinit(&c->arena);
}

int mesh_registry_api(struct mesh_registry_store *store, const struct mesh_api_request *request, struct mesh_buf *out)
{
    mesh_cleanup(call_deinit) struct call c = {.store = store, .request = request, .out = out};
    if (request->n_parts == 0) {
        mesh_buf_puts(out, "{}");
        return 200;
    }
    if (is(&c, 0, "subjects"))
        return subjects(&c);
    if (is(&c, 0, "schemas"))
        return schemas(&c);
    if (is(&c, 0, "compatibility"))
        return compatibility(&c);
    if (is(&c, 0, "config"))
        return config(&c);
    if (is(&c, 0, "mode"))
        return mode(&c);
    return nowhere(&c);
}
