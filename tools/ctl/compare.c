/* `meshctl compare`: what two versions show and send. Rows of lists are compared by key over HTTP, messages of ports by key where the last one
 * counts, and otherwise as they are, each as often as it is there. */
#include "ctl/version.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/map.h"
#include "flow/sequence.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE        "1000"
#define SHOWN_BYTES 120
#define SETTLE_MS   200
#define TRIES       100 /* to find both at the same positions, at rest */
#define CALM        5

static const char usage[] =
    "usage: meshctl compare PRODUCT NAME [--state DIR] [--brokers LIST] [--examples N] [--format text|json]\n"
    "\n"
    "Compares NAME, which was replayed beside the version that counts, with that one: the rows of its lists, and the messages of its\n"
    "ports. Where both stand at the same positions of their inputs, everything is compared; while records keep coming they do not,\n"
    "and then only closed windows and ports of events are, which may lack what one of them has yet to send.\n"
    "Members that only one of the two has are named, and not compared.\n"
    "\n"
    "  --examples N     of each difference (default 5)\n"
    "\n"
    "exit: 0 equal, 1 they differ, 2 usage, or one of them does not answer\n";

struct finding {
    char *kind, *name, *note;
    size_t equal, changed, missing, extra;
    MESH_VEC(char *) examples;
};

struct comparison {
    const struct mesh_version_options *o;
    struct mesh_version old, new;
    struct mesh_version_kafka kafka;
    bool same_place;
    MESH_VEC(struct finding) findings;
};

static struct finding *add_finding(struct comparison *c, const char *kind, const char *name)
{
    struct finding *f = mesh_vec_push(&c->findings);
    *f = (struct finding){.kind = mesh_xstrdup(kind), .name = mesh_xstrdup(name)};
    return f;
}

static void example(struct comparison *c, struct finding *f, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void example(struct comparison *c, struct finding *f, const char *format, ...)
{
    if (f->examples.n >= (size_t)c->o->examples)
        return;
    struct mesh_buf text = MESH_BUF_NULL;
    va_list args;
    va_start(args, format);
    mesh_buf_vprintf(&text, format, args);
    va_end(args);
    *mesh_vec_push(&f->examples) = mesh_buf_take(&text);
}

static struct mesh_str source_of(const struct mesh_json *node)
{
    return (struct mesh_str){node->at.source->text + node->at.begin, node->at.end - node->at.begin};
}

/* ---- where they stand ---- */
static bool same_positions(const struct comparison *c)
{
    const struct mesh_json *a = mesh_json_get(c->old.ready, "sources");
    const struct mesh_json *b = mesh_json_get(c->new.ready, "sources");
    size_t found = 0;
    for (uint32_t i = 0; a != NULL && i < a->n; i++) {
        const char *topic = mesh_json_get(a->items[i], "topic")->text;
        if (strncmp(topic, "mesh.", 5) == 0)
            continue;
        for (uint32_t k = 0; b != NULL && k < b->n; k++) {
            if (strcmp(mesh_json_get(b->items[k], "topic")->text, topic) != 0 ||
                strcmp(mesh_json_get(b->items[k], "partition")->text, mesh_json_get(a->items[i], "partition")->text) != 0)
                continue;
            found++;
            if (strcmp(mesh_json_get(b->items[k], "position")->text, mesh_json_get(a->items[i], "position")->text) != 0)
                return false;
        }
    }
    return found > 0;
}

static int ask_both(struct comparison *c, struct mesh_err *err)
{
    if (mesh_version_ask(&c->old, c->o, err) < 0)
        return mesh_err_prefix(err, "%s", c->old.name);
    if (mesh_version_ask(&c->new, c->o, err) < 0)
        return mesh_err_prefix(err, "%s", c->new.name);
    return 0;
}

static long long commits_of(const struct mesh_version *version)
{
    const struct mesh_json *commits = mesh_json_get(version->ready, "commits");
    return commits == NULL ? -1 : atoll(commits->text);
}

/* What was read may still be on its way inside, through internal topics: then there are commits. */
static int find_place(struct comparison *c, struct mesh_err *err)
{
    int calm = 0;
    long long old = -1, new = -1;
    for (int i = 0; i < TRIES && calm < CALM; i++) {
        if (ask_both(c, err) < 0)
            return -1;
        bool quiet = commits_of(&c->old) == old && commits_of(&c->new) == new;
        old = commits_of(&c->old);
        new = commits_of(&c->new);
        calm = quiet && same_positions(c) ? calm + 1 : 0;
        mesh_version_nap(SETTLE_MS);
    }
    c->same_place = calm >= CALM;
    return 0;
}

/* ---- lists ---- */
struct row {
    struct mesh_str text;
    const struct mesh_json *json;
    bool seen;
};

/* Names in braces behind the list's path are its key; without such a path, the first member is. */
static void key_names(const struct mesh_json *paths, const char *list, const char **ret, size_t max, struct mesh_arena *arena)
{
    size_t n = strlen(list), found = 0;
    for (uint32_t i = 0; i < paths->n; i++) {
        if (strncmp(paths->keys[i], list, n) != 0 || strncmp(paths->keys[i] + n, "/{", 2) != 0)
            continue;
        for (const char *p = strchr(paths->keys[i] + n, '{'); p != NULL && found + 1 < max; p = strchr(p + 1, '{'))
            ret[found++] = mesh_arena_str(arena, (struct mesh_str){p + 1, (uint32_t)strcspn(p + 1, "}")});
        break;
    }
    ret[found] = NULL;
}

static void key_of(const struct mesh_json *row, const char *const *names, struct mesh_buf *out)
{
    if (names[0] == NULL && row->n > 0)
        mesh_buf_printf(out, "%s=%.*s", row->keys[0], (int)source_of(row->values[0]).n, source_of(row->values[0]).p);
    for (size_t i = 0; names[i] != NULL; i++) {
        const struct mesh_json *v = mesh_json_get(row, names[i]);
        struct mesh_str text = v == NULL ? MESH_STR("-") : source_of(v);
        mesh_buf_printf(out, "%s%s=%.*s", i == 0 ? "" : " ", names[i], (int)text.n, text.p);
    }
    const struct mesh_json *window = mesh_json_get(row, "window_start");
    if (window != NULL)
        mesh_buf_printf(out, " %s", window->text);
}

static int read_list(struct mesh_version *version, const char *list, const char *window, const char *const *names,
                     struct mesh_arena *arena, struct mesh_map *rows, struct mesh_err *err)
{
    const char *after = NULL;
    do {
        char *path = mesh_arena_printf(arena, "%s?limit=" PAGE "%s%s%s", list, window,
                                       after == NULL ? "" : "&after=", after == NULL ? "" : after);
        const struct mesh_json *page = NULL;
        int status = mesh_version_get(version, path, arena, &page, err);
        if (status < 0)
            return -1;
        const struct mesh_json *items = mesh_json_get(page, "items");
        if (status != 200 || items == NULL)
            return mesh_err_set(err, MESH_ERR_REJECT, "compare.list", "%s: GET %s: status %d", version->name, path, status);
        for (uint32_t i = 0; i < items->n; i++) {
            struct mesh_buf key = MESH_BUF_NULL;
            key_of(items->items[i], names, &key);
            struct row *row = mesh_arena_new(arena, struct row);
            *row = (struct row){source_of(items->items[i]), items->items[i], false};
            mesh_map_set(rows, key.p == NULL ? "" : key.p, row);
            mesh_buf_deinit(&key);
        }
        const struct mesh_json *next = mesh_json_get(page, "next");
        after = next == NULL ? NULL : next->text;
    } while (after != NULL);
    return 0;
}

/* Common members with another value: "n 5 -> 6"; empty: none. */
static void changes(const struct mesh_json *a, const struct mesh_json *b, struct mesh_buf *out)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const struct mesh_json *other = mesh_json_get(b, a->keys[i]);
        if (other == NULL)
            continue;
        struct mesh_str x = source_of(a->values[i]);
        struct mesh_str y = source_of(other);
        if (!mesh_str_eq(x, y))
            mesh_buf_printf(out, "%s%s %.*s -> %.*s", out->n == 0 ? "" : ", ", a->keys[i], (int)x.n, x.p, (int)y.n, y.p);
    }
}

static void note_members(struct finding *f, const struct mesh_json *a, const struct mesh_json *b, const char *old, const char *new)
{
    struct mesh_buf text = MESH_BUF_NULL;
    for (int side = 0; side < 2; side++) {
        const struct mesh_json *from = side == 0 ? a : b;
        for (uint32_t i = 0; i < from->n; i++)
            if (mesh_json_get(side == 0 ? b : a, from->keys[i]) == NULL)
                mesh_buf_printf(&text, "%s%s only in %s", text.n == 0 ? "" : ", ", from->keys[i], side == 0 ? old : new);
    }
    if (f->note == NULL && text.n > 0)
        f->note = mesh_buf_take(&text);
    mesh_buf_deinit(&text);
}

static void compare_rows(struct comparison *c, struct finding *f, struct mesh_map *a, struct mesh_map *b)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct row *x = a->entries[i].value;
        struct row *y = mesh_map_get(b, a->entries[i].key);
        if (y == NULL) {
            f->missing++;
            example(c, f, "missing %s", a->entries[i].key);
            continue;
        }
        y->seen = true;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        changes(x->json, y->json, &text);
        note_members(f, x->json, y->json, c->old.name, c->new.name);
        f->equal += text.n == 0;
        f->changed += text.n != 0;
        if (text.n != 0)
            example(c, f, "changed %s: %s", a->entries[i].key, text.p);
    }
    for (size_t i = 0; i < b->n; i++) {
        if (((const struct row *)b->entries[i].value)->seen)
            continue;
        f->extra++;
        example(c, f, "extra %s", b->entries[i].key);
    }
}

/* 0 not windowed, 1 windowed, 2 no rows; negative: it has no such list. */
static int looks_windowed(struct mesh_version *version, const char *list, struct mesh_arena *arena)
{
    struct mesh_err err;
    const struct mesh_json *page = NULL;
    if (mesh_version_get(version, mesh_arena_printf(arena, "%s?limit=1", list), arena, &page, &err) != 200)
        return -1;
    const struct mesh_json *items = mesh_json_get(page, "items");
    if (items == NULL || items->n == 0)
        return items == NULL ? -1 : 2;
    return mesh_json_get(items->items[0], "window_start") != NULL;
}

static int compare_list(struct comparison *c, const struct mesh_json *paths, const char *list, struct mesh_err *err)
{
    struct mesh_arena arena = MESH_ARENA_NULL;
    struct finding *f = add_finding(c, "list", list);
    int windowed = looks_windowed(&c->old, list, &arena);
    int also = looks_windowed(&c->new, list, &arena);
    int result = 0;
    if (windowed < 0 || also < 0) {
        f->note = mesh_xstrdup(windowed < 0 ? "cannot be asked" : "the new version does not have it");
        f->missing += windowed >= 0;
    } else if (!c->same_place && windowed != 1 && also != 1) {
        f->note = mesh_xstrdup("not compared: the two stand at different positions");
    } else {
        const char *names[16];
        struct mesh_map rows[2] = {MESH_MAP_NULL, MESH_MAP_NULL};
        const char *window = windowed != 1 && also != 1 ? "" : c->same_place ? "&window=all" : "&window=closed";
        key_names(paths, list, names, MESH_LEN(names), &arena);
        result = read_list(&c->old, list, window, names, &arena, &rows[0], err);
        if (result == 0)
            result = read_list(&c->new, list, window, names, &arena, &rows[1], err);
        if (result == 0)
            compare_rows(c, f, &rows[0], &rows[1]);
        mesh_map_deinit(&rows[0]);
        mesh_map_deinit(&rows[1]);
    }
    mesh_arena_deinit(&arena);
    return result;
}

static int compare_lists(struct comparison *c, struct mesh_err *err)
{
    struct mesh_arena arena = MESH_ARENA_NULL;
    const struct mesh_json *api = NULL;
    int result = mesh_version_get(&c->old, "/openapi.json", &arena, &api, err) < 0 ? -1 : 0;
    const struct mesh_json *paths = mesh_json_get(api, "paths");
    for (uint32_t i = 0; result == 0 && paths != NULL && i < paths->n; i++) {
        const struct mesh_json *get = mesh_json_get(paths->values[i], "get");
        const struct mesh_json *parameters = mesh_json_get(get, "parameters");
        bool is_list = false; /* those can be sorted */
        for (uint32_t k = 0; parameters != NULL && k < parameters->n; k++) {
            const struct mesh_json *name = mesh_json_get(parameters->items[k], "name");
            is_list = is_list || (name != NULL && strcmp(name->text, "sort") == 0);
        }
        if (is_list)
            result = compare_list(c, paths, paths->keys[i], err);
    }
    mesh_arena_deinit(&arena);
    return result;
}

/* ---- ports ---- */
struct message {
    int64_t times[2]; /* how often each has it; or, by key, the hash of its newest value */
    bool there[2];
};

struct reading {
    struct mesh_map *messages;
    int side;
    bool by_key;
    struct mesh_map last; /* of each task and partition: the number of its newest message; NULL: it was never heard of */
};

/* A crash, and a start, may send again what was not acknowledged: the same numbers (flow/sequence.h). */
static bool is_repetition(struct reading *r, const rd_kafka_message_t *m)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t n = 0;
    struct mesh_flow_origin origin;
    if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get(headers, 0, MESH_FLOW_HEADER, &value, &n) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        !mesh_flow_origin_read((struct mesh_str){value, (uint32_t)n}, &origin))
        return false;
    char who[96];
    snprintf(who, sizeof who, "%d %llu %u %d", (int)m->partition, (unsigned long long)origin.generation, origin.topology,
             (int)origin.partition);
    uint64_t *last = mesh_map_get(&r->last, who);
    if (last == NULL) {
        last = mesh_xcalloc(1, sizeof *last);
        mesh_map_set(&r->last, who, last);
    }
    if (origin.sequence <= *last)
        return true;
    *last = origin.sequence;
    return false;
}

static void take(void *context, const rd_kafka_message_t *m)
{
    struct reading *r = context;
    if (is_repetition(r, m))
        return;
    struct mesh_buf name = MESH_BUF_NULL;
    size_t shown = m->key_len < SHOWN_BYTES ? m->key_len : SHOWN_BYTES;
    mesh_buf_printf(&name, "%.*s", (int)shown, m->key == NULL ? "" : (const char *)m->key);
    if (!r->by_key || m->key_len > SHOWN_BYTES || memchr(m->key == NULL ? "" : m->key, '\0', m->key_len) != NULL)
        mesh_buf_printf(
            &name, " #%016llx",
            (unsigned long long)(mesh_hash64(m->key, m->key_len) * 31 + (r->by_key ? 0 : mesh_hash64(m->payload, m->len))));
    struct message *message = mesh_map_get(r->messages, name.p);
    if (message == NULL) {
        message = mesh_xcalloc(1, sizeof *message);
        mesh_map_set(r->messages, name.p, message);
    }
    mesh_buf_deinit(&name);
    if (!r->by_key) {
        message->times[r->side]++;
        return;
    }
    message->there[r->side] = m->payload != NULL;
    message->times[r->side] = m->payload == NULL ? 0 : (int64_t)mesh_hash64(m->payload, m->len);
}

static void judge(struct comparison *c, struct finding *f, const char *name, const struct message *m, bool by_key)
{
    if (by_key) {
        f->equal += m->there[0] && m->there[1] && m->times[0] == m->times[1];
        f->changed += m->there[0] && m->there[1] && m->times[0] != m->times[1];
        f->missing += m->there[0] && !m->there[1];
        f->extra += !m->there[0] && m->there[1];
        if (m->there[0] != m->there[1] || m->times[0] != m->times[1])
            example(c, f, "%s %s", m->there[0] && m->there[1] ? "changed" : m->there[0] ? "missing" : "extra", name);
        return;
    }
    int64_t both = m->times[0] < m->times[1] ? m->times[0] : m->times[1];
    f->equal += (size_t)both;
    f->missing += (size_t)(m->times[0] - both);
    f->extra += (size_t)(m->times[1] - both);
    if (m->times[0] != m->times[1])
        example(c, f, "%s %s", m->times[0] > both ? "missing" : "extra", name);
}

static int compare_port(struct comparison *c, const char *shadow, bool by_key, struct mesh_err *err)
{
    char real[MESH_ROLE_NAME_MAX];
    snprintf(real, sizeof real, "%s", shadow);
    size_t n = strlen(real), suffix = strlen(c->new.name) + 1;
    if (n > suffix && strcmp(real + n - suffix + 1, c->new.name) == 0)
        real[n - suffix] = '\0';
    struct finding *f = add_finding(c, "port", real);
    if (by_key && !c->same_place) {
        f->note = mesh_xstrdup("not compared: the two stand at different positions");
        return 0;
    }
    if (mesh_version_kafka_partitions(&c->kafka, real) == 0) {
        f->note = mesh_xstrdup("only the new version has it");
        return 0;
    }
    struct mesh_map messages = MESH_MAP_NULL;
    int result = 0;
    for (int side = 0; result == 0 && side < 2; side++) {
        struct reading reading = {&messages, side, by_key, MESH_MAP_NULL};
        result = mesh_version_kafka_read(&c->kafka, side == 0 ? real : shadow, take, &reading, err);
        for (size_t i = 0; i < reading.last.n; i++)
            free(reading.last.entries[i].value);
        mesh_map_deinit(&reading.last);
    }
    for (size_t i = 0; i < messages.n; i++) {
        if (result == 0)
            judge(c, f, messages.entries[i].key, messages.entries[i].value, by_key);
        free(messages.entries[i].value);
    }
    mesh_map_deinit(&messages);
    return result;
}

static int compare_ports(struct comparison *c, struct mesh_err *err)
{
    const struct mesh_json *ports = mesh_json_get(c->new.ready, "ports");
    int result = 0;
    for (uint32_t i = 0; result == 0 && ports != NULL && i < ports->n; i++) {
        const struct mesh_json *emit = mesh_json_get(ports->items[i], "emit");
        if (emit != NULL)
            result = compare_port(c, mesh_json_get(ports->items[i], "topic")->text, strcmp(emit->text, "change") == 0, err);
    }
    return result;
}

/* ---- the report ---- */
static bool differs(const struct finding *f)
{
    return f->changed + f->missing + f->extra > 0;
}

static void show_text(const struct comparison *c)
{
    for (size_t i = 0; i < c->findings.n; i++) {
        const struct finding *f = &c->findings.v[i];
        printf("%-5s %-40s %9zu equal %7zu changed %7zu missing %7zu extra%s%s\n", f->kind, f->name, f->equal, f->changed,
               f->missing, f->extra, f->note == NULL ? "" : "   ", f->note == NULL ? "" : f->note);
        for (size_t k = 0; k < f->examples.n; k++)
            printf("        %s\n", f->examples.v[k]);
    }
}

static void show_json(const struct comparison *c, bool any)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_printf(&out, "{\"product\":");
    mesh_json_string(&out, mesh_str_of(c->o->product));
    mesh_buf_printf(&out, ",\"old\":\"%s\",\"new\":\"%s\",\"same_positions\":%s,\"equal\":%s,\"findings\":[", c->old.name,
                    c->new.name, c->same_place ? "true" : "false", any ? "false" : "true");
    for (size_t i = 0; i < c->findings.n; i++) {
        const struct finding *f = &c->findings.v[i];
        mesh_buf_printf(&out, "%s{\"kind\":\"%s\",\"name\":", i == 0 ? "" : ",", f->kind);
        mesh_json_string(&out, mesh_str_of(f->name));
        mesh_buf_printf(&out, ",\"equal\":%zu,\"changed\":%zu,\"missing\":%zu,\"extra\":%zu,\"note\":", f->equal, f->changed,
                        f->missing, f->extra);
        mesh_json_string(&out, mesh_str_of(f->note == NULL ? "" : f->note));
        mesh_buf_puts(&out, ",\"examples\":[");
        for (size_t k = 0; k < f->examples.n; k++) {
            mesh_buf_puts(&out, k == 0 ? "" : ",");
            mesh_json_string(&out, mesh_str_of(f->examples.v[k]));
        }
        mesh_buf_puts(&out, "]}");
    }
    printf("%s]}\n", out.p);
}

static int report(const struct comparison *c)
{
    bool any = false;
    for (size_t i = 0; i < c->findings.n; i++)
        any = any || differs(&c->findings.v[i]);
    if (c->o->json)
        show_json(c, any);
    else
        show_text(c);
    if (!c->same_place)
        fprintf(
            stderr,
            "meshctl: records keep coming, or one of the two has stopped: closed windows and ports of events were compared, and "
            "the newest of them may be on their way\n");
    if (c->new.role.from_us != INT64_MIN)
        fprintf(stderr, "meshctl: the history of %s begins at a time: what came before is missing in it\n", c->new.name);
    return any ? MESH_VERSION_EXIT_DIFFERS : MESH_VERSION_EXIT_OK;
}

static void free_findings(struct comparison *c)
{
    for (size_t i = 0; i < c->findings.n; i++) {
        struct finding *f = &c->findings.v[i];
        for (size_t k = 0; k < f->examples.n; k++)
            free(f->examples.v[k]);
        mesh_vec_deinit(&f->examples);
        free(f->kind);
        free(f->name);
        free(f->note);
    }
    mesh_vec_deinit(&c->findings);
}

int mesh_ctl_compare(int argc, char **argv)
{
    struct mesh_version_options o;
    struct mesh_err err = {0};
    int result = 0;
    if (mesh_version_options(argc, argv, "sbteoh", usage, &o, &result) != 0)
        return result;
    struct comparison c = {.o = &o};
    struct mesh_arena arena = MESH_ARENA_NULL;
    const char *active = NULL;
    result = mesh_version_open(&c.new, &o, o.variant, &err);
    if (result == 0)
        result = mesh_version_active(&arena, &o, &active, &err);
    if (result == 0 && active == NULL)
        result =
            mesh_err_set(&err, MESH_ERR_REJECT, "compare.alone", "%s holds no other version of %s that counts", o.state, o.product);
    if (result == 0 && c.new.role.word != MESH_ROLE_MUTED && c.new.role.word != MESH_ROLE_HELD)
        result =
            mesh_err_set(&err, MESH_ERR_REJECT, "compare.role", "%s is %s: a muted version is compared with the one that counts",
                         o.variant, mesh_role_word_text(c.new.role.word));
    if (result == 0)
        result = mesh_version_open(&c.old, &o, active, &err);
    if (result == 0)
        result = mesh_version_kafka_open(&c.kafka, &o, &err);
    if (result == 0)
        result = find_place(&c, &err);
    if (result == 0)
        result = compare_lists(&c, &err);
    if (result == 0)
        result = compare_ports(&c, &err);
    if (result == 0 && c.same_place) {
        result = ask_both(&c, &err);
        c.same_place = same_positions(&c); /* otherwise records came meanwhile: what differs may be of them */
    }
    result = result < 0 ? mesh_version_fail(&err) : report(&c);
    free_findings(&c);
    mesh_version_kafka_close(&c.kafka);
    mesh_version_close(&c.old);
    mesh_version_close(&c.new);
    mesh_arena_deinit(&arena);
    return result;
}
