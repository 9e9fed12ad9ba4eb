/* From a file to a test whose names are known to be right. */
#include "codegen/trial.h"

#include "base/fs.h"
#include "base/hash.h"
#include "base/text.h"
#include "codegen/bind.h"
#include "codegen/port_fields.h"
#include "mesh/trial.h"

#include <string.h>

#define CANDIDATES_MAX  256
#define PSEUDONYM_BYTES 16

/* ---- reporting ---- */
static struct mesh_diag *report(struct mesh_test *test, const char *code, struct mesh_srcref at, const char *text)
{
    return mesh_diag_add(&test->diags, MESH_ERROR, code, at, "%s", text);
}

/* "there is no view 'x'": with the nearest of the names, or all of them. */
static void not_there(struct mesh_test *test, struct mesh_srcref at, const char *what, const char *name, const char *const *names,
                      size_t n)
{
    struct mesh_diag *diag = mesh_diag_add(&test->diags, MESH_ERROR, "MT001", at, "there is no %s '%s'", what, name);
    const char *near = mesh_did_you_mean(name, names, n);
    if (near != NULL)
        mesh_diag_hint(&test->diags, diag, "did you mean '%s'?", near);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf list = MESH_BUF_NULL;
    for (size_t i = 0; i < n; i++)
        mesh_buf_printf(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
    mesh_diag_why(&test->diags, diag, "there %s: %s", n == 1 ? "is" : "are", n == 0 ? "none" : list.p);
    if (near != NULL)
        mesh_diag_fix(&test->diags, diag, "write '%s'", near);
}

static void makes_no_sense(struct mesh_test *test, struct mesh_srcref at, const char *text, const char *fix)
{
    mesh_diag_fix(&test->diags, report(test, "MT004", at, text), "%s", fix);
}

/* ---- members and their values ---- */
static enum mesh_test_type type_of(const struct mesh_gen_type *type)
{
    switch (type->kind) {
    case MESH_GEN_BOOL:
        return MESH_TEST_BOOL;
    case MESH_GEN_INT:
        return MESH_TEST_INT;
    case MESH_GEN_DOUBLE:
        return MESH_TEST_DOUBLE;
    case MESH_GEN_DECIMAL:
        return MESH_TEST_DECIMAL;
    case MESH_GEN_TIMESTAMP:
    case MESH_GEN_DATE:
        return MESH_TEST_TIME;
    case MESH_GEN_STRING:
    case MESH_GEN_BYTES:
    case MESH_GEN_ENUM:
    case MESH_GEN_DURATION:
        return MESH_TEST_TEXT;
    case MESH_GEN_ERROR:
    case MESH_GEN_NULL:
    case MESH_GEN_LIST:
    case MESH_GEN_RECORD:
        break;
    }
    return MESH_TEST_OTHER;
}

static void add_member(struct mesh_test *test, struct mesh_test_expect *expect, const char *name, enum mesh_test_type type,
                       const char *subject)
{
    if (mesh_test_member(expect, name) == NULL)
        *mesh_vec_push_in(test->diags.arena, &expect->members) = (struct mesh_test_member){name, type, subject};
}

const struct mesh_test_member *mesh_test_member(const struct mesh_test_expect *expect, const char *name)
{
    for (size_t i = 0; i < expect->members.n; i++)
        if (strcmp(expect->members.v[i].name, name) == 0)
            return &expect->members.v[i];
    return NULL;
}

static void members_of_view(struct mesh_test *test, struct mesh_test_expect *expect, const struct mesh_model_view *view)
{
    for (size_t i = 0; i < view->shape->members.n; i++) {
        const struct mesh_gen_member *member = &view->shape->members.v[i];
        add_member(test, expect, member->name, type_of(&member->type), member->subject);
    }
    if (view->window != MESH_WINDOW_NONE) {
        add_member(test, expect, "window_start", MESH_TEST_TIME, NULL);
        add_member(test, expect, "window_end", MESH_TEST_TIME, NULL);
        add_member(test, expect, "final", MESH_TEST_BOOL, NULL);
    }
    add_member(test, expect, "revision", MESH_TEST_INT, NULL);
}

static void members_of_port(struct mesh_test *test, struct mesh_test_expect *expect)
{
    struct mesh_port_fields fields = {0};
    const char *key_subject = NULL;
    mesh_port_fields_of(test->diags.arena, expect->port, &fields);
    for (size_t i = 0; i < fields.list.n; i++) {
        const struct mesh_port_field *field = &fields.list.v[i];
        bool message = expect->port->kind == MESH_MODEL_KAFKA;
        if (field->protect == MESH_DROP && !message)
            continue;
        add_member(test, expect, field->name, field->protect == MESH_PSEUDONYM ? MESH_TEST_TEXT : type_of(&field->type),
                   field->subject);
        if (expect->port->key.text != NULL && strcmp(field->name, expect->port->key.text) == 0)
            key_subject = field->subject;
    }
    if (expect->port->kind == MESH_MODEL_SSE)
        add_member(test, expect, "removed", MESH_TEST_BOOL, NULL);
    if (expect->port->kind != MESH_MODEL_KAFKA)
        return;
    add_member(test, expect, "key", MESH_TEST_TEXT, key_subject);
    add_member(test, expect, "removed", MESH_TEST_BOOL, NULL);
}

bool mesh_test_is_null(const struct mesh_yaml *node)
{
    return node->kind == MESH_YAML_SCALAR && node->style == MESH_YAML_PLAIN &&
           (node->text[0] == '\0' || strcmp(node->text, "null") == 0 || strcmp(node->text, "~") == 0);
}

static const struct mesh_yaml *pseudonym_of(const struct mesh_yaml *node)
{
    if (node->kind != MESH_YAML_MAP || node->entries.n != 1 || strcmp(node->entries.v[0].key, "pseudonym") != 0)
        return NULL;
    return node->entries.v[0].value->kind == MESH_YAML_SCALAR ? node->entries.v[0].value : NULL;
}

const char *mesh_test_pseudonym(struct mesh_arena *arena, const struct mesh_test_member *member, const struct mesh_yaml *node)
{
    const struct mesh_yaml *of = pseudonym_of(node);
    if (of == NULL)
        return NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf message = MESH_BUF_NULL;
    uint8_t digest[32];
    mesh_buf_puts(&message, member->subject == NULL ? "" : member->subject);
    mesh_buf_u8(&message, 0);
    mesh_buf_puts(&message, of->text);
    mesh_hmac_sha256(MESH_TRIAL_PSEUDONYM_KEY, sizeof MESH_TRIAL_PSEUDONYM_KEY - 1, message.p, message.n, digest);
    char *text = mesh_arena_alloc(arena, 2 * PSEUDONYM_BYTES + 1);
    mesh_hex(digest, PSEUDONYM_BYTES, text);
    return text;
}

/* A value that can never be equal is a mistake of the test, not of the product. */
static void check_value(struct mesh_test *test, const struct mesh_test_member *member, const struct mesh_yaml *node)
{
    static const char *const wanted[] = {
        [MESH_TEST_TEXT] = "text",       [MESH_TEST_BOOL] = "true or false", [MESH_TEST_INT] = "a whole number",
        [MESH_TEST_DOUBLE] = "a number", [MESH_TEST_DECIMAL] = "a number",   [MESH_TEST_TIME] = "a time like 2026-11-21T10:00:00Z",
        [MESH_TEST_OTHER] = "",
    };
    if (member->type == MESH_TEST_OTHER || mesh_test_is_null(node))
        return;
    if (pseudonym_of(node) != NULL && member->type == MESH_TEST_TEXT)
        return;
    bool fine = node->kind == MESH_YAML_SCALAR;
    struct mesh_str text = mesh_str_of(fine ? node->text : "");
    int64_t number = 0;
    double real = 0;
    if (fine && member->type == MESH_TEST_BOOL)
        fine = mesh_bind_word_in("true false", node->text, NULL);
    else if (fine && member->type == MESH_TEST_INT)
        fine = mesh_text_parse_long(text, &number) == 0;
    else if (fine && (member->type == MESH_TEST_DOUBLE || member->type == MESH_TEST_DECIMAL))
        fine = mesh_text_parse_double(text, &real) == 0;
    else if (fine && member->type == MESH_TEST_TIME)
        fine = mesh_text_parse_time(text, &number) == 0;
    if (!fine)
        mesh_diag_fix(&test->diags,
                      mesh_diag_add(&test->diags, MESH_ERROR, "MT004", node->at, "'%s' can never be this", member->name),
                      "write %s%s", wanted[member->type], member->type == MESH_TEST_TEXT ? ", or { pseudonym: of this }" : "");
}

static void check_item(struct mesh_test *test, const struct mesh_test_expect *expect, const struct mesh_yaml *item)
{
    if (item->kind != MESH_YAML_MAP || item->entries.n == 0) {
        makes_no_sense(test, item->at, "this must be a map of members", "write { member: value }");
        return;
    }
    const char *names[CANDIDATES_MAX];
    size_t n = 0;
    for (; n < expect->members.n && n < CANDIDATES_MAX; n++)
        names[n] = expect->members.v[n].name;
    for (size_t i = 0; i < item->entries.n; i++) {
        const struct mesh_test_member *member = mesh_test_member(expect, item->entries.v[i].key);
        if (member == NULL)
            not_there(test, item->entries.v[i].key_at, "member", item->entries.v[i].key, names, n);
        else
            check_value(test, member, item->entries.v[i].value);
    }
}

/* ---- expectations ---- */
static void find_view(struct mesh_test *test, struct mesh_test_expect *expect, const struct mesh_yaml *name)
{
    const char *names[CANDIDATES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < test->product->views.n; i++) {
        const struct mesh_model_view *view = test->product->views.v[i];
        if (strcmp(view->name, name->text) == 0)
            members_of_view(test, expect, view);
        if (n < CANDIDATES_MAX)
            names[n++] = view->name;
    }
    if (expect->members.n == 0)
        not_there(test, name->at, "view", name->text, names, n);
}

static void find_port(struct mesh_test *test, struct mesh_test_expect *expect, const struct mesh_yaml *name)
{
    const char *names[CANDIDATES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < test->product->ports.n; i++) {
        const struct mesh_model_port *port = test->product->ports.v[i];
        if (strcmp(port->name, name->text) == 0) {
            expect->port = port;
            members_of_port(test, expect);
        }
        if (n < CANDIDATES_MAX)
            names[n++] = port->name;
    }
    if (expect->port == NULL)
        not_there(test, name->at, "output port", name->text, names, n);
}

static void members_of_letter(struct mesh_test *test, struct mesh_test_expect *expect)
{
    static const char *const names[] = {"code", "input", "stage", "site", "key"};
    for (size_t i = 0; i < MESH_LEN(names); i++)
        add_member(test, expect, names[i], MESH_TEST_TEXT, NULL);
    add_member(test, expect, "record", MESH_TEST_OTHER, NULL);
}

/* Exactly one of these keys; NULL after a diagnostic. */
static const struct mesh_yaml_entry *one_of(struct mesh_test *test, const struct mesh_yaml *map, const char *words, const char *fix)
{
    const struct mesh_yaml_entry *found = NULL;
    for (size_t i = 0; i < map->entries.n; i++) {
        if (!mesh_bind_word_in(words, map->entries.v[i].key, NULL))
            continue;
        if (found != NULL) {
            makes_no_sense(
                test, map->entries.v[i].key_at,
                mesh_arena_printf(test->diags.arena, "'%s' and '%s' do not go together", found->key, map->entries.v[i].key), fix);
            return NULL;
        }
        found = &map->entries.v[i];
    }
    if (found == NULL)
        makes_no_sense(test, map->at, "something is missing here", fix);
    return found;
}

static void add_items(struct mesh_test *test, struct mesh_test_expect *expect, const struct mesh_yaml *map)
{
    const struct mesh_yaml_entry *list = one_of(test, map,
                                                expect->about == MESH_TEST_DEAD   ? "deadLetters"
                                                : expect->about == MESH_TEST_LATE ? "late"
                                                                                  : "rows messages events absent",
                                                "write one of rows, messages, events or 'absent: true'");
    if (list == NULL)
        return;
    if (strcmp(list->key, "absent") == 0) {
        if (strcmp(list->value->text, "true") != 0)
            makes_no_sense(test, list->value->at, "'absent' is true, or not written", "expect rows, messages or events");
        return;
    }
    bool kafka = expect->port != NULL && expect->port->kind == MESH_MODEL_KAFKA;
    bool sse = expect->port != NULL && expect->port->kind == MESH_MODEL_SSE;
    const char *word = kafka ? "messages" : sse ? "events" : "rows";
    if (expect->about == MESH_TEST_PORT && strcmp(list->key, word) != 0)
        makes_no_sense(test, list->key_at,
                       kafka ? "a kafka port sends messages"
                       : sse ? "an sse port tells events"
                             : "this port has rows",
                       mesh_arena_printf(test->diags.arena, "write '%s:'", word));
    if (expect->about == MESH_TEST_VIEW && strcmp(list->key, "rows") != 0)
        makes_no_sense(test, list->key_at, "a view has rows", "write 'rows:', or name a port");
    for (size_t i = 0; i < list->value->items.n; i++) {
        check_item(test, expect, list->value->items.v[i]);
        *mesh_vec_push_in(test->diags.arena, &expect->items) = list->value->items.v[i];
    }
}

static void add_expect(struct mesh_test *test, const struct mesh_yaml *map)
{
    struct mesh_test_expect expect = {.at = map->at};
    const struct mesh_yaml_entry *about =
        one_of(test, map, "view port deadLetters late", "write one of view, port, deadLetters or late");
    if (about == NULL)
        return;
    expect.at = about->key_at;
    expect.name = about->value->text;
    expect.more = mesh_bind_bool(&mesh_bind_test, map, "expect[].more");
    expect.ordered = mesh_bind_bool(&mesh_bind_test, map, "expect[].ordered");
    const struct mesh_yaml *tolerance = mesh_yaml_get(map, "tolerance");
    if (tolerance != NULL &&
        (mesh_text_parse_double(mesh_str_of(tolerance->text), &expect.tolerance) != 0 || !(expect.tolerance >= 0)))
        makes_no_sense(test, tolerance->at, "a tolerance is a number, not below 0", "write 0.001");
    if (strcmp(about->key, "view") == 0) {
        expect.about = MESH_TEST_VIEW;
        find_view(test, &expect, about->value);
    } else if (strcmp(about->key, "port") == 0) {
        expect.about = MESH_TEST_PORT;
        find_port(test, &expect, about->value);
    } else {
        expect.about = strcmp(about->key, "late") == 0 ? MESH_TEST_LATE : MESH_TEST_DEAD;
        members_of_letter(test, &expect);
    }
    if (expect.members.n == 0)
        return; /* reported */
    expect.key = mesh_yaml_get(map, "key");
    if (expect.key != NULL)
        check_item(test, &expect, expect.key);
    add_items(test, &expect, map);
    *mesh_vec_push_in(test->diags.arena, &test->expects) = expect;
}

/* ---- steps ---- */
static const struct mesh_model_input *find_input(struct mesh_test *test, const char *name, struct mesh_srcref at)
{
    const char *names[CANDIDATES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < test->product->inputs.n; i++) {
        if (strcmp(test->product->inputs.v[i]->name, name) == 0)
            return test->product->inputs.v[i];
        if (n < CANDIDATES_MAX)
            names[n++] = test->product->inputs.v[i]->name;
    }
    not_there(test, at, "input", name, names, n);
    return NULL;
}

/* When a message without an event time was written: with the record before it. */
static int64_t last_time(const struct mesh_test *test)
{
    int64_t last_us = 0;
    for (size_t i = 0; i < test->steps.n; i++)
        if (!test->steps.v[i].pass)
            last_us = test->steps.v[i].time_us;
    return last_us;
}

/* A null value, or bytes that no contract would make. */
static void add_raw(const struct mesh_test_records *records, const struct mesh_yaml *bytes)
{
    struct mesh_test *test = records->test;
    struct mesh_test_step step = {.input = records->input,
                                  .time_us = records->at_us != INT64_MIN ? records->at_us : last_time(test)};
    if (records->key != NULL)
        step.key = mesh_str_of(records->key);
    if (bytes != NULL) {
        size_t n = strlen(bytes->text) / 2;
        char *to = mesh_arena_alloc(test->diags.arena, n + 1);
        bool fine = strlen(bytes->text) % 2 == 0;
        for (size_t i = 0; i < n && fine; i++) {
            int high = mesh_hex_digit(bytes->text[2 * i]), low = mesh_hex_digit(bytes->text[2 * i + 1]);
            fine = high >= 0 && low >= 0;
            to[i] = (char)((high & 15) << 4 | (low & 15));
        }
        if (!fine)
            makes_no_sense(test, bytes->at, "these are not hexadecimal digits, two for a byte", "write \"00ff\"");
        step.value = (struct mesh_str){to, (uint32_t)n};
    }
    *mesh_vec_push_in(test->diags.arena, &test->steps) = step;
}

/* The version that writes the records; NULL after a diagnostic. */
static const struct mesh_model_contract *find_version(struct mesh_test *test, const struct mesh_model_input *input,
                                                      const struct mesh_yaml *map)
{
    const struct mesh_yaml *version = mesh_yaml_get(map, "version");
    const struct mesh_model_contract *named = input->contract;
    const char *names[CANDIDATES_MAX];
    size_t n = 0;
    if (version == NULL)
        return named;
    for (size_t i = 0; i < named->reads.n; i++) {
        if (named->reads.v[i]->version == (int)mesh_bind_integer(&mesh_bind_test, map, "given[].version"))
            return named->reads.v[i];
        if (n < CANDIDATES_MAX)
            names[n++] = mesh_arena_printf(test->diags.arena, "%d", named->reads.v[i]->version);
    }
    not_there(test, version->at, "version", version->text, names, n);
    return NULL;
}

static void add_given(struct mesh_test *test, const struct mesh_yaml *map, const struct mesh_yaml *defaults)
{
    static const char ways[] = "record records csv jsonl removed bytes";
    const struct mesh_yaml_entry *what = one_of(test, map, "input pass", "write 'input:' with records, or 'pass:'");
    if (what == NULL)
        return;
    if (strcmp(what->key, "pass") == 0) {
        if (map->entries.n > 1)
            makes_no_sense(test, what->key_at, "time passes as a step of its own", "write it on a line of its own");
        *mesh_vec_push_in(test->diags.arena, &test->steps) =
            (struct mesh_test_step){.pass = true, .time_us = mesh_bind_duration(&mesh_bind_test, map, "given[].pass")};
        return;
    }
    struct mesh_test_records records = {.test = test, .at_us = INT64_MIN, .key = mesh_bind_text(map, "key")};
    records.input = find_input(test, what->value->text, what->value->at);
    const struct mesh_yaml_entry *way = one_of(test, map, ways, "write one of record, records, csv, jsonl, removed or bytes");
    const struct mesh_yaml *at = mesh_yaml_get(map, "at");
    if (at != NULL && mesh_text_parse_time(mesh_str_of(at->text), &records.at_us) != 0)
        makes_no_sense(test, at->at, "this is no time", "write 2026-11-21T10:00:00Z");
    records.contract = records.input == NULL ? NULL : find_version(test, records.input, map);
    if (records.contract == NULL || way == NULL)
        return;
    records.defaults = mesh_yaml_get(defaults, records.input->name);
    if (strcmp(way->key, "record") == 0)
        mesh_test_record(&records, way->value);
    else if (strcmp(way->key, "csv") == 0)
        mesh_test_csv(&records, way->value->text, way->value->at);
    else if (strcmp(way->key, "jsonl") == 0)
        mesh_test_jsonl(&records, way->value->text, way->value->at);
    else if (strcmp(way->key, "records") != 0)
        add_raw(&records, strcmp(way->key, "bytes") == 0 ? way->value : NULL);
    for (size_t i = 0; strcmp(way->key, "records") == 0 && i < way->value->items.n; i++)
        mesh_test_record(&records, way->value->items.v[i]);
}

/* ---- files ---- */
static void find_product(struct mesh_test *test, const struct mesh_yaml *root)
{
    const struct mesh_yaml *name = mesh_yaml_get(root, "product");
    const char *names[CANDIDATES_MAX];
    size_t n = 0;
    struct mesh_model_product *last = NULL;
    for (size_t i = 0; i < test->model->products.n; i++) {
        struct mesh_model_product *product = test->model->products.v[i];
        if (strcmp(product->domain.text, test->domain) != 0)
            continue;
        last = product;
        if (n < CANDIDATES_MAX)
            names[n++] = product->name.text;
        if (name != NULL && strcmp(product->name.text, name->text) == 0)
            test->product = product;
    }
    if (name == NULL && n == 1)
        test->product = last;
    else if (name == NULL)
        makes_no_sense(test, (struct mesh_srcref){root->at.source, 0, 0}, "this domain has several products",
                       "write 'product: NAME'");
    else if (test->product == NULL)
        not_there(test, name->at, "product", name->text, names, n);
}

static void read_test(struct mesh_test *test, const struct mesh_source *source)
{
    struct mesh_arena *arena = test->diags.arena;
    const struct mesh_yaml *root = mesh_yaml_parse(arena, source, &test->diags);
    if (root == NULL || !mesh_bind_check(&mesh_bind_test, root, "the test", arena, &test->diags))
        return;
    const char *describe = mesh_bind_text(root, "describe");
    test->at = (struct mesh_srcref){source, 0, 0};
    if (describe != NULL) {
        test->describe = describe;
        test->at = mesh_yaml_get(root, "describe")->at;
    }
    test->partitions = (int32_t)mesh_bind_integer(&mesh_bind_test, root, "partitions");
    if (test->diags.n_errors > 0)
        return;
    find_product(test, root);
    if (test->product == NULL)
        return;
    const struct mesh_yaml *defaults = mesh_yaml_get(root, "defaults");
    for (size_t i = 0; defaults != NULL && defaults->kind == MESH_YAML_MAP && i < defaults->entries.n; i++) {
        const struct mesh_yaml_entry *entry = &defaults->entries.v[i];
        if (find_input(test, entry->key, entry->key_at) != NULL && entry->value->kind != MESH_YAML_MAP)
            makes_no_sense(test, entry->value->at, "this must be a map of fields", "write { field: value }");
    }
    bool bad_defaults = test->diags.n_errors > 0; /* then the records would miss fields that somebody meant to give */
    const struct mesh_yaml *given = mesh_yaml_get(root, "given");
    for (size_t i = 0; !bad_defaults && i < given->items.n; i++)
        add_given(test, given->items.v[i], defaults);
    const struct mesh_yaml *expect = mesh_yaml_get(root, "expect");
    for (size_t i = 0; i < expect->items.n; i++)
        add_expect(test, expect->items.v[i]);
}

static int load_file(struct mesh_model *model, const char *domain, const char *file, struct mesh_tests *ret, struct mesh_err *err)
{
    struct mesh_arena *arena = model->arena;
    struct mesh_test *test = mesh_arena_new(arena, struct mesh_test);
    test->model = model;
    test->diags.arena = arena;
    test->domain = domain;
    test->name = mesh_arena_printf(arena, "%.*s", (int)(strlen(file) - strlen(".yaml")), file);
    test->path = mesh_arena_printf(arena, "domains/%s/tests/%s", domain, file);
    test->describe = test->name;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (mesh_fs_read(mesh_arena_printf(arena, "%s/%s", model->root, test->path), MESH_YAML_BYTES_MAX + 1, &text, err) != 0)
        return -1;
    const char *copy = mesh_arena_str(arena, (struct mesh_str){text.p == NULL ? "" : text.p, (uint32_t)text.n});
    read_test(test, mesh_source_new(arena, test->path, copy, text.n));
    *mesh_vec_push_in(arena, &ret->list) = test;
    return 0;
}

static bool is_test(const char *file, const char *name)
{
    size_t n = strlen(file);
    static const char end[] = ".yaml";
    if (n < sizeof end || strcmp(file + n - (sizeof end - 1), end) != 0)
        return false;
    return name == NULL || (strlen(name) == n - (sizeof end - 1) && strncmp(file, name, strlen(name)) == 0);
}

int mesh_tests_load(struct mesh_model *model, const char *domain, const char *name, struct mesh_tests *ret, struct mesh_err *err)
{
    const char *last = NULL;
    for (size_t i = 0; i < model->products.n; i++) {
        const char *at = model->products.v[i]->domain.text;
        bool again = last != NULL && strcmp(last, at) == 0;
        last = at;
        const char *folder = mesh_arena_printf(model->arena, "%s/domains/%s/tests", model->root, at);
        if (again || (domain != NULL && strcmp(domain, at) != 0) || !mesh_fs_is_dir(folder))
            continue;
        char **files = NULL;
        size_t n = 0;
        if (mesh_fs_list(model->arena, folder, &files, &n, err) != 0)
            return -1;
        for (size_t k = 0; k < n; k++)
            if (is_test(files[k], name) && load_file(model, at, files[k], ret, err) != 0)
                return -1;
    }
    return 0;
}
