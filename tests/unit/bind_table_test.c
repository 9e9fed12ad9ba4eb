/* The table of keys: that it is whole, that its examples and defaults are what it allows, and what is derived from it. */
#include "../check.h"

#include "base/json.h"
#include "base/text.h"
#include "codegen/bind_internal.h"

#include <stdlib.h>

static const struct mesh_bind_table *const tables[] = {&mesh_bind_product, &mesh_bind_mesh, &mesh_bind_waivers};

static bool holds_keys(enum mesh_bind_kind kind)
{
    return kind == MESH_BIND_MAP || kind == MESH_BIND_NAMES || kind == MESH_BIND_CHOICE;
}

static bool holds_items(enum mesh_bind_kind kind)
{
    return kind == MESH_BIND_LIST || kind == MESH_BIND_ONE_OR_LIST;
}

/* "a.b.c" -> "a.b"; "a[]" -> "a"; NULL for the root. */
static char *parent_of(const char *path)
{
    char *text = strdup(path);
    size_t n = strlen(text);
    if (n > 2 && strcmp(text + n - 2, "[]") == 0) {
        text[n - 2] = '\0';
        return text;
    }
    char *dot = strrchr(text, '.');
    if (dot == NULL) {
        free(text);
        return NULL;
    }
    *dot = '\0';
    return text;
}

CASE(every_key_has_a_place)
{
    for (size_t t = 0; t < MESH_LEN(tables); t++) {
        for (size_t i = 0; i < tables[t]->n; i++) {
            const struct mesh_bind_key *key = &tables[t]->keys[i];
            char *parent = parent_of(key->path);
            const struct mesh_bind_key *above = parent == NULL ? NULL : mesh_bind_find(tables[t], parent);
            bool item = strstr(key->path + strlen(key->path) - 2, "[]") != NULL;
            if (parent != NULL && (above == NULL || (item ? !holds_items(above->kind) : !holds_keys(above->kind))))
                check_fail(__FILE__, __LINE__, key->path);
            for (size_t k = 0; k < i; k++)
                CHECK(strcmp(tables[t]->keys[k].path, key->path) != 0);
            free(parent);
        }
    }
}

CASE(every_container_says_what_it_holds)
{
    for (size_t t = 0; t < MESH_LEN(tables); t++) {
        for (size_t i = 0; i < tables[t]->n; i++) {
            const struct mesh_bind_key *key = &tables[t]->keys[i];
            char inner[256];
            size_t children = 0;
            snprintf(inner, sizeof inner, "%s[]", key->path);
            if (holds_items(key->kind) && mesh_bind_find(tables[t], inner) == NULL)
                check_fail(__FILE__, __LINE__, key->path);
            for (size_t k = 0; k < tables[t]->n; k++)
                children += mesh_bind_child(&tables[t]->keys[k], key->path) != NULL;
            if (holds_keys(key->kind) != (children > 0))
                check_fail(__FILE__, __LINE__, key->path);
        }
    }
}

CASE(every_key_is_explained)
{
    for (size_t t = 0; t < MESH_LEN(tables); t++) {
        for (size_t i = 0; i < tables[t]->n; i++) {
            const struct mesh_bind_key *key = &tables[t]->keys[i];
            size_t n = strlen(key->help);
            if (n < 5 || key->help[n - 1] != '.')
                check_fail(__FILE__, __LINE__, key->path);
            if ((key->kind == MESH_BIND_ENUM) != (key->values != NULL))
                check_fail(__FILE__, __LINE__, key->path);
            if (key->kind == MESH_BIND_INTEGER && key->min >= key->max)
                check_fail(__FILE__, __LINE__, key->path);
            if ((key->flags & MESH_BIND_REQUIRED) != 0 && key->fallback != NULL)
                check_fail(__FILE__, __LINE__, key->path);
            CHECK(mesh_bind_kind_text(key->kind) != NULL);
        }
    }
}

/* "a.*.b[].c" with one value, as a document. */
static void write_path(struct mesh_buf *out, const char *path, const char *value)
{
    int level = 0;
    bool item = false;
    while (*path != '\0') {
        size_t n = strcspn(path, ".[");
        bool named = path[0] == '*';
        mesh_buf_printf(out, "%*s%s%.*s:", item ? 0 : 2 * level, "", item ? "- " : "", named ? 4 : (int)n, named ? "name" : path);
        path += n;
        item = false;
        if (strncmp(path, "[]", 2) == 0) {
            path += 2;
            if (*path == '\0') {
                mesh_buf_printf(out, " [%s]\n", value);
                return;
            }
            mesh_buf_printf(out, "\n%*s", 2 * level + 2, "");
            item = true;
            level += 1;
        } else if (*path != '\0') {
            mesh_buf_puts(out, "\n");
        }
        path += *path == '.';
        level++;
    }
    mesh_buf_printf(out, " %s\n", value);
}

/* Messages about the value at the place, which is the only thing that is there. */
static size_t complaints(const struct mesh_bind_table *table, const char *path, const char *value, bool show)
{
    struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_diags diags = {.arena = &arena};
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    write_path(&text, path, value);
    const struct mesh_source *source = mesh_source_new(&arena, "t.yaml", text.p, text.n);
    const struct mesh_yaml *root = mesh_yaml_parse(&arena, source, &diags);
    size_t n = diags.n_errors;
    if (root != NULL) {
        mesh_bind_check(table, root, "t.yaml", &arena, &diags);
        for (size_t i = 0; i < diags.list.n; i++)
            n += strcmp(diags.list.v[i]->code, "MG003") == 0 || strcmp(diags.list.v[i]->code, "MG004") == 0 ||
                 strcmp(diags.list.v[i]->code, "MG001") == 0;
    }
    if (show && n > 0)
        printf("# %s%s\n", text.p, diags.list.n > 0 ? diags.list.v[0]->text : "");
    mesh_arena_deinit(&arena);
    return n;
}

CASE(every_example_and_default_is_allowed)
{
    for (size_t t = 0; t < MESH_LEN(tables); t++) {
        for (size_t i = 0; i < tables[t]->n; i++) {
            const struct mesh_bind_key *key = &tables[t]->keys[i];
            bool cut = key->example != NULL && strstr(key->example, "...") != NULL;
            if (key->example != NULL && !cut && complaints(tables[t], key->path, key->example, true) > 0)
                check_fail(__FILE__, __LINE__, key->path);
            if (key->fallback != NULL && complaints(tables[t], key->path, key->fallback, true) > 0)
                check_fail(__FILE__, __LINE__, key->path);
        }
    }
}

CASE(every_word_of_an_enum_is_allowed)
{
    for (size_t t = 0; t < MESH_LEN(tables); t++) {
        for (size_t i = 0; i < tables[t]->n; i++) {
            const struct mesh_bind_key *key = &tables[t]->keys[i];
            for (const char *p = key->values; p != NULL && *p != '\0';) {
                char word[64];
                size_t n = strcspn(p, " ");
                snprintf(word, sizeof word, "%.*s", (int)n, p);
                CHECK_EQ_U64(complaints(tables[t], key->path, word, true), 0);
                p += n;
                p += *p == ' ';
            }
            if (key->values != NULL)
                CHECK_EQ_U64(complaints(tables[t], key->path, "surely_not", false), 1);
        }
    }
}

CASE(values_of_each_kind)
{
    const struct mesh_bind_table *t = &mesh_bind_product;
    static const struct {
        const char *path, *value;
        bool fine;
    } values[] = {
        {"version", "1.2.3", true},
        {"version", "1.2", false},
        {"version", "1.2.3.4", false},
        {"version", "v1.2.3", false},
        {"name", "a_B9", true},
        {"name", "9a", false},
        {"name", "a-b", false},
        {"name", "_a", false},
        {"slaProperties.latency", "1h30m", true},
        {"slaProperties.latency", "0s", false},
        {"slaProperties.latency", "5", false},
        {"slaProperties.latency", "-5s", false},
        {"slaProperties.availability", "100%", true},
        {"slaProperties.availability", "100.1%", false},
        {"slaProperties.availability", "x%", false},
        {"inputPorts.*.topic", "a.b-c_D9", true},
        {"inputPorts.*.topic", "..", false},
        {"inputPorts.*.topic", "a/b", false},
        {"inputPorts.*.contract", "a/b@1", true},
        {"inputPorts.*.contract", "a/b@0", false},
        {"inputPorts.*.contract", "a/b@01", false},
        {"inputPorts.*.contract", "a/b/c@1", false},
        {"inputPorts.*.contract", "a@1", false},
        {"inputPorts.*.contract", "../b@1", false},
        {"inputPorts.*.contract", "a/b@1x", false},
        {"inputPorts.*.contract", "a/b@999999", false},
        {"inputPorts.*.product", "a/b", true},
        {"inputPorts.*.product", "a", false},
        {"inputPorts.*.partitions", "1", true},
        {"inputPorts.*.partitions", "0", false},
        {"inputPorts.*.partitions", "1001", false},
        {"inputPorts.*.partitions", "4.0", false},
        {"inputPorts.*.delay", "0s", true},
        {"streams.*.from", "a", true},
        {"streams.*.from", "[a, b]", true},
        {"streams.*.from", "{ changes: a }", true},
        {"streams.*.from", "{ changes: a, b: c }", false},
        {"streams.*.from", "[]", false},
        {"streams.*.from", "[[a]]", false},
        {"streams.*.steps", "[]", true},
        {"streams.*.steps[].dedupe.by", "[a, b]", true},
        {"streams.*.steps[].dedupe.by", "[]", false},
        {"streams.*.steps[].where", "[a]", false},
        {"streams.*.steps[].where", "true", true},
        {"views.*.let", "{}", false},
        {"description.purpose", "\" \"", false},
    };
    for (size_t i = 0; i < MESH_LEN(values); i++) {
        if ((complaints(t, values[i].path, values[i].value, false) == 0) != values[i].fine) {
            printf("# %s: %s\n", values[i].path, values[i].value);
            check_fail(__FILE__, __LINE__, values[i].fine ? "was refused" : "was allowed");
        }
    }
}

CASE(reading_values)
{
    struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_diags diags = {.arena = &arena};
    const char *text = "delay: 90s\npartitions: 12\nmissing: keep\nempty:\nlist: [a]\n";
    const struct mesh_yaml *map = mesh_yaml_parse(&arena, mesh_source_new(&arena, "t.yaml", text, strlen(text)), &diags);
    REQUIRE(map != NULL);
    const struct mesh_bind_table *t = &mesh_bind_product;
    CHECK_EQ_I64(mesh_bind_duration(t, map, "inputPorts.*.delay"), 90 * MESH_SECOND_US);
    CHECK_EQ_I64(mesh_bind_duration(t, map, "inputPorts.*.idle"), 2 * MESH_SECOND_US); /* default */
    CHECK_EQ_I64(mesh_bind_duration(t, map, "views.*.keep"), 0);                       /* none */
    CHECK_EQ_I64(mesh_bind_integer(t, map, "inputPorts.*.partitions"), 12);
    CHECK_EQ_I64(mesh_bind_integer(&mesh_bind_mesh, NULL, "topics.partitions"), 4);
    CHECK_EQ_I64(mesh_bind_enum(t, map, "streams.*.steps[].join.missing"), 2);
    CHECK_EQ_I64(mesh_bind_enum(t, NULL, "streams.*.steps[].join.missing"), 0);
    CHECK_EQ_I64(mesh_bind_enum(t, NULL, "outputPorts.*.emit"), -1);
    CHECK_STR(mesh_bind_text(map, "delay"), "90s");
    CHECK_STR(mesh_bind_text(map, "empty"), NULL);
    CHECK_STR(mesh_bind_text(map, "list"), NULL);
    mesh_yaml_get(map, "delay")->bad = true; /* what was reported reads as absent */
    CHECK_EQ_I64(mesh_bind_duration(t, map, "inputPorts.*.delay"), 0);
    mesh_arena_deinit(&arena);
}

CASE(the_json_schema_is_json_and_knows_every_key)
{
    for (size_t t = 0; t < MESH_LEN(tables); t++) {
        struct mesh_arena arena = MESH_ARENA_NULL;
        struct mesh_diags diags = {.arena = &arena};
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
        mesh_bind_json_schema(tables[t], &out);
        const struct mesh_json *root = mesh_json_parse(&arena, mesh_source_new(&arena, "schema", out.p, out.n), &diags, "X");
        REQUIRE(root != NULL);
        CHECK_STR(mesh_json_get(root, "type")->text, "object");
        CHECK(!mesh_json_get(root, "additionalProperties")->boolean);
        for (size_t i = 0; i < tables[t]->n; i++) {
            const char *last = strrchr(tables[t]->keys[i].path, '.');
            last = last == NULL ? tables[t]->keys[i].path : last + 1;
            char quoted[128];
            snprintf(quoted, sizeof quoted, "\"%s\": {", last);
            if (strpbrk(last, "*[") == NULL)
                CHECK_CONTAINS(out.p, quoted);
            CHECK_CONTAINS(out.p, tables[t]->keys[i].help[0] == '`' ? "" : "\"description\"");
        }
        mesh_arena_deinit(&arena);
    }
}

CASE(the_documentation_has_a_row_for_every_key)
{
    for (size_t t = 0; t < MESH_LEN(tables); t++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
        size_t lines = 0;
        mesh_bind_markdown(tables[t], &out);
        for (size_t i = 0; i < out.n; i++)
            lines += out.p[i] == '\n';
        CHECK(lines > tables[t]->n);
        for (size_t i = 0; i < tables[t]->n; i++)
            CHECK_CONTAINS(out.p, tables[t]->keys[i].help[0] == '`' ? "|" : strtok(strdupa(tables[t]->keys[i].help), "|"));
    }
}

CASE(contracts_are_split)
{
    struct mesh_arena arena = MESH_ARENA_NULL;
    const char *domain = NULL;
    const char *subject = NULL;
    int version = 0;
    CHECK(mesh_bind_split_contract(&arena, "sales_fraud/payment@12", &domain, &subject, &version));
    CHECK_STR(domain, "sales_fraud");
    CHECK_STR(subject, "payment");
    CHECK_EQ_I64(version, 12);
    CHECK(!mesh_bind_split_contract(&arena, "payment@1", &domain, &subject, &version));
    CHECK(!mesh_bind_split_contract(&arena, "a/b@", &domain, &subject, &version));
    CHECK(!mesh_bind_split_contract(&arena, "a@1/b", &domain, &subject, &version));
    mesh_arena_deinit(&arena);
}
