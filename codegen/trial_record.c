/* Records as people write them become the bytes that a producer would have sent: plain JSON by the contract, encoded by
 * contract/datum.h, framed, keyed. The schema decides what a scalar is, not the way it looks: a text field may be 007.
 *
 * CSV and JSON lines become the same tree as YAML, with the places of their own file, so that everything behind is one way. */
#include "codegen/trial.h"

#include "base/fs.h"
#include "base/text.h"
#include "contract/datum.h"
#include "contract/framing.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (1u << 20)
#define WHOLE          "at the datum: " /* not worth saying */
#define FIELDS_MAX     MESH_SCHEMA_FIELDS_MAX

/* ---- YAML to JSON ---- */
static bool is_json_number(const char *text)
{
    const char *p = text + (*text == '-');
    if (!isdigit((unsigned char)*p) || (p[0] == '0' && isdigit((unsigned char)p[1])))
        return false;
    double v = 0;
    return strspn(p, "0123456789.eE+-") == strlen(p) && p[strlen(p) - 1] != '.' &&
           mesh_text_parse_double(mesh_str_of(text), &v) == 0;
}

static bool is_number_kind(enum mesh_avro_kind kind)
{
    return kind == MESH_AVRO_INT || kind == MESH_AVRO_LONG || kind == MESH_AVRO_FLOAT || kind == MESH_AVRO_DOUBLE;
}

static bool is_bool_text(const char *text)
{
    return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

static bool fits(const struct mesh_schema *schema, const struct mesh_yaml *node)
{
    if (node->kind == MESH_YAML_MAP)
        return schema->kind == MESH_AVRO_RECORD || schema->kind == MESH_AVRO_MAP;
    if (node->kind == MESH_YAML_LIST)
        return schema->kind == MESH_AVRO_ARRAY;
    if (mesh_test_is_null(node))
        return schema->kind == MESH_AVRO_NULL;
    if (is_number_kind(schema->kind))
        return is_json_number(node->text) || schema->logical != MESH_LOGICAL_NONE;
    if (schema->kind == MESH_AVRO_BOOLEAN)
        return is_bool_text(node->text);
    return schema->kind != MESH_AVRO_NULL && schema->items == NULL && schema->kind != MESH_AVRO_RECORD;
}

/* The branch that this is most likely meant for; what does not fit it is an error about that branch. */
static const struct mesh_schema *branch_of(const struct mesh_schema *schema, const struct mesh_yaml *node)
{
    for (size_t i = 0; i < schema->n_branches; i++)
        if (fits(schema->branches[i], node))
            return schema->branches[i];
    for (size_t i = 0; i < schema->n_branches; i++)
        if (schema->branches[i]->kind != MESH_AVRO_NULL)
            return schema->branches[i];
    return schema;
}

static void unknown_field(struct mesh_test *test, const struct mesh_schema *schema, const struct mesh_yaml_entry *entry)
{
    const char *names[FIELDS_MAX];
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf list = MESH_BUF_NULL;
    for (size_t i = 0; i < schema->n_fields; i++) {
        names[i] = schema->fields[i].name;
        mesh_buf_printf(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
    struct mesh_diag *diag =
        mesh_diag_add(&test->diags, MESH_ERROR, "MT002", entry->key_at, "%s has no field '%s'", schema->name, entry->key);
    const char *near = mesh_did_you_mean(entry->key, names, schema->n_fields);
    if (near != NULL)
        mesh_diag_hint(&test->diags, diag, "did you mean '%s'?", near);
    mesh_diag_why(&test->diags, diag, "its fields are: %s", list.p == NULL ? "none" : list.p);
}

/* False after a diagnostic. */
static bool put_json(struct mesh_test *test, const struct mesh_schema *schema, const struct mesh_yaml *node, struct mesh_buf *out)
{
    bool fine = true;
    if (schema->kind == MESH_AVRO_UNION)
        schema = branch_of(schema, node);
    if (node->kind == MESH_YAML_MAP) {
        bool record = schema->kind == MESH_AVRO_RECORD;
        mesh_buf_putc(out, '{');
        bool any = false;
        for (size_t i = 0; (record || schema->kind == MESH_AVRO_MAP) && i < node->entries.n; i++) {
            const struct mesh_yaml_entry *entry = &node->entries.v[i];
            const struct mesh_schema_field *field = record ? mesh_schema_field(schema, entry->key) : NULL;
            if (record && field == NULL) {
                unknown_field(test, schema, entry);
                fine = false;
                continue;
            }
            mesh_buf_puts(out, any ? "," : "");
            any = true;
            mesh_json_string(out, mesh_str_of(entry->key));
            mesh_buf_putc(out, ':');
            fine = put_json(test, record ? field->type : schema->items, entry->value, out) && fine;
        }
        mesh_buf_putc(out, '}');
    } else if (node->kind == MESH_YAML_LIST) {
        mesh_buf_putc(out, '[');
        for (size_t i = 0; schema->kind == MESH_AVRO_ARRAY && i < node->items.n; i++) {
            mesh_buf_puts(out, i == 0 ? "" : ",");
            fine = put_json(test, schema->items, node->items.v[i], out) && fine;
        }
        mesh_buf_putc(out, ']');
    } else if (mesh_test_is_null(node)) {
        mesh_buf_puts(out, "null");
    } else if ((is_number_kind(schema->kind) && is_json_number(node->text)) ||
               (schema->kind == MESH_AVRO_BOOLEAN && is_bool_text(node->text))) {
        mesh_buf_puts(out, node->text);
    } else {
        mesh_json_string(out, mesh_str_of(node->text));
    }
    return fine;
}

/* The place of "at /items/2/price: ..." in the record; the record itself when it cannot be found. */
static struct mesh_srcref place_of(const struct mesh_yaml *record, const char *text)
{
    const struct mesh_yaml *node = record;
    const char *p = strncmp(text, "at /", 4) == 0 ? text + 3 : "";
    while (*p == '/') {
        size_t n = strcspn(p + 1, "/:");
        const struct mesh_yaml *next = NULL;
        if (node->kind == MESH_YAML_LIST && isdigit((unsigned char)p[1])) {
            size_t index = (size_t)strtoul(p + 1, NULL, 10);
            next = index < node->items.n ? node->items.v[index] : NULL;
        }
        for (size_t i = 0; node->kind == MESH_YAML_MAP && i < node->entries.n; i++)
            if (strlen(node->entries.v[i].key) == n && strncmp(node->entries.v[i].key, p + 1, n) == 0)
                next = node->entries.v[i].value;
        if (next == NULL)
            break;
        node = next;
        p += 1 + n;
    }
    return node->at;
}

/* ---- key and time ---- */
/* A whole number as it stands in a key: also of times, which JSON shows as text. */
static const char *key_text(struct mesh_arena *arena, const struct mesh_json *value)
{
    return value == NULL || value->text == NULL ? "" : mesh_arena_strdup(arena, value->text);
}

static int64_t time_of(const struct mesh_json *value)
{
    int64_t us = 0;
    if (value == NULL || value->text == NULL)
        return 0;
    return mesh_text_parse_time(mesh_str_of(value->text), &us) == 0 ? us : 0;
}

static const struct mesh_json *decoded(struct mesh_arena *arena, const struct mesh_schema *schema, const struct mesh_buf *datum)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf json = MESH_BUF_NULL;
    struct mesh_diags none = {.arena = arena};
    if (mesh_datum_to_json(schema, datum->p == NULL ? "" : datum->p, datum->n, &json, NULL) < 0)
        return NULL;
    const char *copy = mesh_arena_str(arena, (struct mesh_str){json.p, (uint32_t)json.n});
    return mesh_json_parse(arena, mesh_source_new(arena, "record", copy, json.n), &none, "MT002");
}

/* Another version need not have all fields that there are defaults for. */
static const struct mesh_yaml *with_defaults(struct mesh_arena *arena, const struct mesh_test_records *records,
                                             const struct mesh_yaml *record)
{
    const struct mesh_yaml *defaults = records->defaults;
    bool other = records->contract != records->input->contract;
    if (defaults == NULL || defaults->kind != MESH_YAML_MAP)
        return record;
    struct mesh_yaml *all = mesh_arena_new(arena, struct mesh_yaml);
    all->kind = MESH_YAML_MAP;
    all->at = record->at;
    for (size_t i = 0; i < defaults->entries.n; i++)
        if (mesh_yaml_entry(record, defaults->entries.v[i].key) == NULL &&
            (!other || mesh_schema_field(records->contract->schema, defaults->entries.v[i].key) != NULL))
            *mesh_vec_push_in(arena, &all->entries) = defaults->entries.v[i];
    for (size_t i = 0; i < record->entries.n; i++)
        *mesh_vec_push_in(arena, &all->entries) = record->entries.v[i];
    return all;
}

void mesh_test_record(const struct mesh_test_records *records, struct mesh_yaml *record)
{
    struct mesh_test *test = records->test;
    struct mesh_arena *arena = test->diags.arena;
    const struct mesh_model_input *input = records->input;
    const struct mesh_schema *schema = records->contract->schema;
    if (record->kind != MESH_YAML_MAP) {
        mesh_diag_fix(&test->diags, mesh_diag_add(&test->diags, MESH_ERROR, "MT002", record->at, "a record is a map of its fields"),
                      "write { field: value }");
        return;
    }
    const struct mesh_yaml *all = with_defaults(arena, records, record);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf json = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf datum = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf value = MESH_BUF_NULL;
    struct mesh_err err = {0};
    if (!put_json(test, schema, all, &json))
        return;
    if (mesh_datum_from_json(schema, (struct mesh_str){json.p, (uint32_t)json.n}, &datum, &err) < 0) {
        struct mesh_diag *diag =
            mesh_diag_add(&test->diags, MESH_ERROR, "MT002", place_of(all, err.text), "%s: %s", records->contract->name,
                          strncmp(err.text, WHOLE, sizeof WHOLE - 1) == 0 ? err.text + sizeof WHOLE - 1 : err.text);
        if (strcmp(err.code, "json.missing") == 0)
            mesh_diag_fix(&test->diags, diag, "give it here, or for all records under 'defaults: { %s: { ... } }'", input->name);
        return;
    }
    mesh_frame_write_id(&value, records->contract->local_id);
    mesh_buf_add(&value, datum.p == NULL ? "" : datum.p, datum.n);
    const struct mesh_json *fields = decoded(arena, schema, &datum);
    const char *key_field = input->key.text != NULL       ? input->key.text
                            : input->product_port != NULL ? input->product_port->key.text
                                                          : NULL;
    struct mesh_test_step step = {.input = input};
    if (records->key != NULL || key_field != NULL)
        step.key = mesh_str_of(records->key != NULL ? records->key : key_text(arena, mesh_json_get(fields, key_field)));
    step.time_us = records->at_us != INT64_MIN ? records->at_us : time_of(mesh_json_get(fields, input->event_time.text));
    step.value = (struct mesh_str){mesh_arena_str(arena, (struct mesh_str){value.p, (uint32_t)value.n}), (uint32_t)value.n};
    *mesh_vec_push_in(arena, &test->steps) = step;
}

/* ---- files ---- */
/* The file beside the test; NULL after a diagnostic. */
static const struct mesh_source *read_file(const struct mesh_test_records *records, const char *file, struct mesh_srcref at)
{
    struct mesh_test *test = records->test;
    struct mesh_arena *arena = test->diags.arena;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    const char *path = mesh_arena_printf(arena, "domains/%s/tests/%s", test->domain, file);
    bool outside = file[0] == '/' || strcmp(file, "..") == 0 || strncmp(file, "../", 3) == 0 || strstr(file, "/../") != NULL;
    int r = outside ? mesh_err_set(&err, MESH_ERR_FATAL, "test.outside", "'%s' is not in the folder of the test", file)
                    : mesh_fs_read(mesh_arena_printf(arena, "%s/%s", test->model->root, path), FILE_BYTES_MAX, &text, &err);
    const char *bytes = text.p == NULL ? "" : text.p;
    if (r == 0 && (mesh_utf8_valid(bytes, text.n) < text.n || memchr(bytes, 0, text.n) != NULL))
        r = mesh_err_set(&err, MESH_ERR_FATAL, "test.utf8", "'%s' is not text in UTF-8", file);
    if (r < 0) {
        mesh_diag_add(&test->diags, MESH_ERROR, "MT003", at, "%s", err.text);
        return NULL;
    }
    const char *copy = mesh_arena_str(arena, (struct mesh_str){bytes, (uint32_t)text.n});
    return mesh_source_new(arena, path, copy, text.n);
}

static struct mesh_yaml *new_scalar(struct mesh_arena *arena, const char *text, enum mesh_yaml_style style, struct mesh_srcref at)
{
    struct mesh_yaml *node = mesh_arena_new(arena, struct mesh_yaml);
    *node = (struct mesh_yaml){.kind = MESH_YAML_SCALAR, .at = at, .text = text, .style = style};
    return node;
}

struct csv {
    struct mesh_arena *arena;
    const struct mesh_source *source;
    size_t at;
};

/* A cell as RFC 4180 has it; *ret_last: the line ends behind it. */
static struct mesh_yaml *csv_cell(struct csv *csv, bool *ret_last)
{
    const char *text = csv->source->text;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf cell = MESH_BUF_NULL;
    uint32_t begin = (uint32_t)csv->at;
    bool quoted = text[csv->at] == '"';
    csv->at += quoted;
    while (csv->at < csv->source->n && (quoted || strchr(",\r\n", text[csv->at]) == NULL)) {
        if (quoted && text[csv->at] == '"' && text[csv->at + 1] != '"')
            break;
        csv->at += quoted && text[csv->at] == '"';
        mesh_buf_putc(&cell, text[csv->at++]);
    }
    csv->at += quoted && text[csv->at] == '"';
    uint32_t end = (uint32_t)csv->at;
    *ret_last = text[csv->at] != ',';
    csv->at += !*ret_last;
    if (*ret_last) {
        csv->at += strspn(text + csv->at, "\r");
        csv->at += text[csv->at] == '\n';
    }
    const char *copy = mesh_arena_str(csv->arena, (struct mesh_str){cell.p == NULL ? "" : cell.p, (uint32_t)cell.n});
    return new_scalar(csv->arena, copy, quoted ? MESH_YAML_DOUBLE : MESH_YAML_PLAIN, (struct mesh_srcref){csv->source, begin, end});
}

void mesh_test_csv(const struct mesh_test_records *records, const char *file, struct mesh_srcref at)
{
    struct mesh_test *test = records->test;
    struct csv csv = {test->diags.arena, read_file(records, file, at), 0};
    MESH_VEC(struct mesh_yaml *) head = {0};
    if (csv.source == NULL)
        return;
    for (bool last = false; !last && csv.at < csv.source->n;)
        *mesh_vec_push_in(csv.arena, &head) = csv_cell(&csv, &last);
    while (csv.at < csv.source->n) {
        struct mesh_yaml *row = mesh_arena_new(csv.arena, struct mesh_yaml);
        *row = (struct mesh_yaml){.kind = MESH_YAML_MAP, .at = {csv.source, (uint32_t)csv.at, (uint32_t)csv.at}};
        size_t n = 0;
        for (bool last = false; !last; n++) {
            struct mesh_yaml *cell = csv_cell(&csv, &last);
            row->at.end = cell->at.end;
            bool left_out = cell->text[0] == '\0' && cell->style == MESH_YAML_PLAIN;
            if (n < head.n && !left_out)
                *mesh_vec_push_in(csv.arena, &row->entries) = (struct mesh_yaml_entry){head.v[n]->text, head.v[n]->at, cell};
        }
        if (n == 1 && row->entries.n == 0)
            continue; /* an empty line */
        if (n != head.n) {
            mesh_diag_fix(&test->diags,
                          mesh_diag_add(&test->diags, MESH_ERROR, "MT003", row->at,
                                        "this line has %zu cell%s, the first line has %zu", n, n == 1 ? "" : "s", head.n),
                          "a cell with a comma stands in double quotes");
            return;
        }
        mesh_test_record(records, row);
    }
}

/* JSON as the tree that YAML would give; places move by the line's offset. */
static struct mesh_yaml *tree_of(struct mesh_arena *arena, const struct mesh_json *json, const struct mesh_source *file,
                                 uint32_t offset)
{
    struct mesh_srcref at = {file, json->at.begin + offset, json->at.end + offset};
    static const char *const bools[] = {"false", "true"};
    if (json->kind == MESH_JSON_NULL || json->kind == MESH_JSON_BOOL)
        return new_scalar(arena, json->kind == MESH_JSON_NULL ? "null" : bools[json->boolean], MESH_YAML_PLAIN, at);
    if (json->kind == MESH_JSON_NUMBER || json->kind == MESH_JSON_STRING)
        return new_scalar(arena, json->text, json->kind == MESH_JSON_NUMBER ? MESH_YAML_PLAIN : MESH_YAML_DOUBLE, at);
    struct mesh_yaml *node = mesh_arena_new(arena, struct mesh_yaml);
    *node = (struct mesh_yaml){.kind = json->kind == MESH_JSON_ARRAY ? MESH_YAML_LIST : MESH_YAML_MAP, .at = at};
    for (uint32_t i = 0; i < json->n; i++) {
        if (json->kind == MESH_JSON_ARRAY) {
            *mesh_vec_push_in(arena, &node->items) = tree_of(arena, json->items[i], file, offset);
            continue;
        }
        struct mesh_srcref key_at = {file, json->key_at[i].begin + offset, json->key_at[i].end + offset};
        *mesh_vec_push_in(arena, &node->entries) =
            (struct mesh_yaml_entry){json->keys[i], key_at, tree_of(arena, json->values[i], file, offset)};
    }
    return node;
}

void mesh_test_jsonl(const struct mesh_test_records *records, const char *file, struct mesh_srcref at)
{
    struct mesh_test *test = records->test;
    struct mesh_arena *arena = test->diags.arena;
    const struct mesh_source *source = read_file(records, file, at);
    for (size_t i = 0; source != NULL && i < source->n_lines; i++) {
        uint32_t begin = source->line_starts[i];
        uint32_t n = (uint32_t)strcspn(source->text + begin, "\n");
        const char *line = mesh_arena_str(arena, (struct mesh_str){source->text + begin, n});
        if (line[strspn(line, " \t\r")] == '\0')
            continue;
        struct mesh_diags own = {.arena = arena};
        const struct mesh_json *json = mesh_json_parse(arena, mesh_source_new(arena, source->path, line, n), &own, "MT003");
        if (json == NULL) {
            const struct mesh_diag *first = own.list.v[0];
            mesh_diag_add(&test->diags, MESH_ERROR, "MT003",
                          (struct mesh_srcref){source, first->at.begin + begin, first->at.end + begin}, "%s", first->text);
            return;
        }
        mesh_test_record(records, tree_of(arena, json, source, begin));
    }
}
