/* The table as JSON Schema, for editors, and as Markdown, for docs/DECLARATION.md. */
#include "base/json.h"
#include "codegen/bind_internal.h"

#include <string.h>

struct writer {
    const struct mesh_bind_table *table;
    struct mesh_buf *out;
};

static void value(struct writer *w, const struct mesh_bind_key *key, int level);

static void line(struct writer *w, int level)
{
    mesh_buf_printf(w->out, "\n%*s", 2 * level, "");
}

static void string(struct writer *w, const char *text)
{
    mesh_json_string(w->out, mesh_str_of(text));
}

static void words(struct writer *w, const char *list)
{
    mesh_buf_puts(w->out, "\"enum\": [");
    for (const char *p = list; *p != '\0';) {
        size_t n = strcspn(p, " ");
        mesh_buf_puts(w->out, p == list ? "" : ", ");
        mesh_json_string(w->out, (struct mesh_str){p, (uint32_t)n});
        p += n;
        p += *p == ' ';
    }
    mesh_buf_puts(w->out, "]");
}

/* The keys of a map, with `*` as pattern of names. */
static void object(struct writer *w, const char *path, int level)
{
    const struct mesh_bind_key *named = NULL;
    size_t n = 0;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf required = MESH_BUF_NULL;
    mesh_buf_puts(w->out, "\"type\": \"object\",");
    line(w, level);
    mesh_buf_puts(w->out, "\"properties\": {");
    for (size_t i = 0; i < w->table->n; i++) {
        const struct mesh_bind_key *key = &w->table->keys[i];
        const char *name = mesh_bind_child(key, path);
        if (name == NULL)
            continue;
        if (strcmp(name, "*") == 0) {
            named = key;
            continue;
        }
        mesh_buf_puts(w->out, n++ == 0 ? "" : ",");
        line(w, level + 1);
        string(w, name);
        mesh_buf_puts(w->out, ": {");
        value(w, key, level + 2);
        mesh_buf_puts(w->out, "}");
        if ((key->flags & MESH_BIND_REQUIRED) != 0 && key->only == NULL)
            mesh_buf_printf(&required, "%s\"%s\"", required.n == 0 ? "" : ", ", name);
    }
    mesh_buf_puts(w->out, "},");
    line(w, level);
    if (required.n > 0) {
        mesh_buf_printf(w->out, "\"required\": [%s],", required.p);
        line(w, level);
    }
    if (named != NULL) {
        mesh_buf_printf(w->out, "\"patternProperties\": {\"^[A-Za-z][A-Za-z0-9_]{0,%d}$\": {", MESH_BIND_NAME_MAX - 1);
        value(w, named, level + 1);
        mesh_buf_puts(w->out, "}},");
        line(w, level);
    }
    mesh_buf_puts(w->out, "\"additionalProperties\": false");
}

static void item(struct writer *w, const struct mesh_bind_key *key, int level)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_buf_printf(&path, "%s[]", key->path);
    value(w, mesh_bind_find(w->table, path.p), level);
}

static void scalar(struct writer *w, const struct mesh_bind_key *key)
{
    static const char *const patterns[MESH_BIND_KIND_COUNT] = {
        [MESH_BIND_NAME] = "^[A-Za-z][A-Za-z0-9_]*$",
        [MESH_BIND_TOPIC] = "^[A-Za-z0-9._-]{1,249}$",
        [MESH_BIND_CONTRACT] = "^[A-Za-z][A-Za-z0-9_]*/[A-Za-z][A-Za-z0-9_]*@[1-9][0-9]*$",
        [MESH_BIND_PRODUCT] = "^[A-Za-z][A-Za-z0-9_]*/[A-Za-z][A-Za-z0-9_]*$",
        [MESH_BIND_VERSION] = "^[0-9]+\\.[0-9]+\\.[0-9]+$",
        [MESH_BIND_DURATION] = "^([0-9]+(ms|s|m|h|d))+$",
        [MESH_BIND_OFFSET] = "^-?([0-9]+(ms|s|m|h|d))+$",
        [MESH_BIND_PERCENT] = "^[0-9]+(\\.[0-9]+)?%$",
    };
    if (key->kind == MESH_BIND_ENUM) {
        words(w, key->values);
    } else if (key->kind == MESH_BIND_INTEGER) {
        mesh_buf_printf(w->out, "\"type\": \"integer\", \"minimum\": %lld, \"maximum\": %lld", (long long)key->min,
                        (long long)key->max);
    } else if (key->kind == MESH_BIND_BOOL) {
        mesh_buf_puts(w->out, "\"type\": \"boolean\"");
    } else if (patterns[key->kind] != NULL) {
        mesh_buf_puts(w->out, "\"type\": \"string\", \"pattern\": ");
        string(w, patterns[key->kind]);
    } else if (key->kind == MESH_BIND_EXPRESSION) {
        mesh_buf_puts(w->out, "\"type\": [\"string\", \"number\", \"boolean\"]"); /* what an editor takes a literal for */
    } else {
        mesh_buf_puts(w->out, "\"type\": \"string\"");
    }
}

static void value(struct writer *w, const struct mesh_bind_key *key, int level)
{
    mesh_buf_puts(w->out, "\"description\": ");
    string(w, key->help);
    mesh_buf_puts(w->out, ", ");
    if (key->fallback != NULL) {
        mesh_buf_puts(w->out, "\"default\": ");
        if (key->kind == MESH_BIND_INTEGER)
            mesh_buf_puts(w->out, key->fallback);
        else
            string(w, key->fallback);
        mesh_buf_puts(w->out, ", ");
    }
    switch (key->kind) {
    case MESH_BIND_MAP:
    case MESH_BIND_NAMES:
    case MESH_BIND_CHOICE:
        if ((key->flags & MESH_BIND_EMPTY_OK) == 0) {
            object(w, key->path, level);
            return;
        }
        mesh_buf_puts(w->out, "\"anyOf\": [{\"type\": \"null\"}, {");
        object(w, key->path, level);
        mesh_buf_puts(w->out, "}]");
        return;
    case MESH_BIND_LIST:
        mesh_buf_puts(w->out, "\"type\": \"array\", \"items\": {");
        item(w, key, level);
        mesh_buf_puts(w->out, "}");
        return;
    case MESH_BIND_ONE_OR_LIST:
        mesh_buf_puts(w->out, "\"anyOf\": [{");
        item(w, key, level);
        mesh_buf_puts(w->out, "}, {\"type\": \"array\", \"items\": {");
        item(w, key, level);
        mesh_buf_puts(w->out, "}}]");
        return;
    case MESH_BIND_FROM:
        mesh_buf_puts(w->out,
                      "\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"array\", \"items\": {\"type\": \"string\"}}, "
                      "{\"type\": \"object\", \"properties\": {\"changes\": {\"type\": \"string\"}}, \"required\": [\"changes\"], "
                      "\"additionalProperties\": false}]");
        return;
    case MESH_BIND_VALUE:
        mesh_buf_puts(w->out, "\"type\": [\"object\", \"array\", \"string\", \"number\", \"boolean\", \"null\"]");
        return;
    case MESH_BIND_TEXT:
    case MESH_BIND_NAME:
    case MESH_BIND_TOPIC:
    case MESH_BIND_CONTRACT:
    case MESH_BIND_PRODUCT:
    case MESH_BIND_VERSION:
    case MESH_BIND_DURATION:
    case MESH_BIND_OFFSET:
    case MESH_BIND_INTEGER:
    case MESH_BIND_BOOL:
    case MESH_BIND_PERCENT:
    case MESH_BIND_ENUM:
    case MESH_BIND_TYPE:
    case MESH_BIND_EXPRESSION:
        scalar(w, key);
        return;
    case MESH_BIND_KIND_COUNT:
        mesh_assert_failed("a kind", __FILE__, __LINE__, __func__);
    }
}

void mesh_bind_json_schema(const struct mesh_bind_table *table, struct mesh_buf *out)
{
    struct writer w = {table, out};
    mesh_buf_printf(out, "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \"title\": \"%s of mesh/v1\",\n  ",
                    table->document);
    object(&w, "", 1);
    mesh_buf_puts(out, "\n}\n");
}

/* ---- Markdown ---- */

/* In a cell of a table. */
static void cell(struct mesh_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            mesh_buf_putc(out, '\\');
        mesh_buf_putc(out, *text);
    }
}

static const char *kind_words(const struct mesh_bind_key *key, struct mesh_buf *scratch)
{
    mesh_buf_reset(scratch);
    if (key->kind == MESH_BIND_ENUM) {
        for (const char *p = key->values; *p != '\0';) {
            size_t n = strcspn(p, " ");
            mesh_buf_printf(scratch, "%s`%.*s`", p == key->values ? "" : ", ", (int)n, p);
            p += n;
            p += *p == ' ';
        }
    } else if (key->kind == MESH_BIND_INTEGER) {
        mesh_buf_printf(scratch, "%lld to %lld", (long long)key->min, (long long)key->max);
    } else {
        mesh_buf_puts(scratch, mesh_bind_kind_text(key->kind));
    }
    return scratch->p;
}

void mesh_bind_markdown(const struct mesh_bind_table *table, struct mesh_buf *out)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf scratch = MESH_BUF_NULL;
    const char *section = NULL;
    for (size_t i = 0; i < table->n; i++) {
        const struct mesh_bind_key *key = &table->keys[i];
        size_t n = strcspn(key->path, ".[");
        bool nested = key->path[n] != '\0';
        /* A section for each key of the root that holds others; the plain ones stand together. */
        bool begins = !nested && (key->kind == MESH_BIND_MAP || key->kind == MESH_BIND_NAMES || key->kind == MESH_BIND_LIST);
        if (begins || section == NULL) {
            section = key->path;
            mesh_buf_printf(out, "%s### `%s`\n\n", i == 0 ? "" : "\n", begins ? key->path : table->document);
            if (begins)
                mesh_buf_printf(out, "%s%s\n\n", key->help, (key->flags & MESH_BIND_REQUIRED) != 0 ? " Required." : "");
            mesh_buf_puts(out, "| Key | Value | Default | Meaning | Example |\n| --- | --- | --- | --- | --- |\n");
            if (begins)
                continue;
        }
        const char *shown = nested ? key->path + strlen(section) : key->path;
        shown += nested && *shown == '.';
        if (*shown == '\0')
            continue;
        mesh_buf_printf(out, "| `%s` | ", shown);
        cell(out, kind_words(key, &scratch));
        mesh_buf_printf(out, " | %s%s%s | ", key->fallback == NULL ? "" : "`",
                        key->fallback != NULL                    ? key->fallback
                        : (key->flags & MESH_BIND_REQUIRED) != 0 ? "required"
                                                                 : "",
                        key->fallback == NULL ? "" : "`");
        if (key->only != NULL)
            mesh_buf_printf(out, "(`kind: %s`) ", key->only);
        cell(out, key->help);
        mesh_buf_puts(out, " | ");
        if (key->example != NULL) {
            mesh_buf_putc(out, '`');
            cell(out, key->example);
            mesh_buf_putc(out, '`');
        }
        mesh_buf_puts(out, " |\n");
    }
}
