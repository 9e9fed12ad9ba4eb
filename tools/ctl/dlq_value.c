/* A letter's value for people. What could name somebody is hidden unless it is asked for: fields whose label says so, and every
 * byte of a value that cannot be read field by field, since hex is no veil. */
#include "ctl/dlq.h"

#include "base/check.h"
#include "base/fs.h"
#include "base/json.h"
#include "contract/datum.h"
#include "contract/framing.h"
#include "contract/schema.h"

#include <stdlib.h>
#include <string.h>

#define CONTRACT_BYTES_MAX (4u << 20)
#define CONTRACT_DEPTH_MAX 4 /* folders below the one of contracts */
#define HEX_PER_LINE       32

static bool is_hidden(const char *label)
{
    return label != NULL && (strcmp(label, "personal") == 0 || strcmp(label, "special") == 0);
}

struct search {
    struct mesh_arena *arena;
    const struct mesh_frame *frame;
    struct mesh_schema *found;
    const char *path;
};

static void look_at(struct search *search, const char *path)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    if (mesh_fs_read(path, CONTRACT_BYTES_MAX, &text, &err) < 0)
        return;
    struct mesh_diags diags = {.arena = search->arena};
    const char *copy = mesh_arena_str(search->arena, (struct mesh_str){text.p, (uint32_t)text.n});
    struct mesh_schema *schema = mesh_schema_parse(search->arena, mesh_source_new(search->arena, path, copy, text.n), &diags);
    if (schema == NULL)
        return;
    bool same = search->frame->kind == MESH_FRAME_ID ? mesh_schema_local_id(schema) == search->frame->id
                                                     : mesh_schema_fingerprint(schema) == search->frame->fingerprint;
    if (same) {
        search->found = schema;
        search->path = mesh_arena_strdup(search->arena, path);
    }
}

static void look_below(struct search *search, const char *folder, int depth)
{
    char **names = NULL;
    size_t n = 0;
    struct mesh_err err = {0};
    if (mesh_fs_list(search->arena, folder, &names, &n, &err) < 0)
        return;
    for (size_t i = 0; i < n && search->found == NULL; i++) {
        const char *path = mesh_arena_printf(search->arena, "%s/%s", folder, names[i]);
        size_t length = strlen(path);
        if (length > 5 && strcmp(path + length - 5, ".avsc") == 0)
            look_at(search, path);
        else if (depth < CONTRACT_DEPTH_MAX && mesh_fs_is_dir(path))
            look_below(search, path, depth + 1);
    }
}

/* Whether a value of this type may hold what is hidden. Types may be recursive: each node is visited once a question. */
static bool may_hide_in(const struct mesh_schema *s, uint32_t *seen, uint32_t question)
{
    mesh_assert(s->id < MESH_SCHEMA_NODES_MAX);
    if (seen[s->id] == question)
        return false;
    seen[s->id] = question;
    for (size_t i = 0; s->kind == MESH_AVRO_RECORD && i < s->n_fields; i++)
        if (is_hidden(s->fields[i].label) || may_hide_in(s->fields[i].type, seen, question))
            return true;
    for (size_t i = 0; s->kind == MESH_AVRO_UNION && i < s->n_branches; i++)
        if (may_hide_in(s->branches[i], seen, question))
            return true;
    return (s->kind == MESH_AVRO_ARRAY || s->kind == MESH_AVRO_MAP) && may_hide_in(s->items, seen, question);
}

static bool may_hide(const struct mesh_schema *s)
{
    static uint32_t seen[MESH_SCHEMA_NODES_MAX];
    static uint32_t question;
    return may_hide_in(s, seen, ++question);
}

static void raw(struct mesh_buf *out, const struct mesh_json *v)
{
    if (v->kind == MESH_JSON_STRING)
        mesh_json_string(out, (struct mesh_str){v->text, v->n});
    else
        mesh_buf_add(out, v->at.source->text + v->at.begin, v->at.end - v->at.begin);
}

static void hide(struct mesh_buf *out, const struct mesh_json *v, const struct mesh_schema *s, int indent);

static void hide_record(struct mesh_buf *out, const struct mesh_json *v, const struct mesh_schema *s, int indent)
{
    mesh_buf_puts(out, "{\n");
    for (uint32_t i = 0; i < v->n; i++) {
        const struct mesh_schema_field *field = mesh_schema_field(s, v->keys[i]);
        mesh_buf_printf(out, "%*s", indent + 2, "");
        mesh_json_string(out, mesh_str_of(v->keys[i]));
        mesh_buf_puts(out, ": ");
        if (field == NULL || is_hidden(field->label))
            mesh_buf_printf(out, "\"(%s)\"", field == NULL ? "hidden" : field->label);
        else
            hide(out, v->values[i], field->type, indent + 2);
        mesh_buf_puts(out, i + 1 < v->n ? ",\n" : "\n");
    }
    mesh_buf_printf(out, "%*s}", indent, "");
}

static void hide(struct mesh_buf *out, const struct mesh_json *v, const struct mesh_schema *s, int indent)
{
    int null_branch = 0;
    const struct mesh_schema *inner = s->kind == MESH_AVRO_UNION ? mesh_schema_nullable(s, &null_branch) : s;
    if (v->kind == MESH_JSON_NULL || !may_hide(s))
        raw(out, v);
    else if (inner != NULL && inner->kind == MESH_AVRO_RECORD && v->kind == MESH_JSON_OBJECT)
        hide_record(out, v, inner, indent);
    else if (inner != NULL && inner->kind == MESH_AVRO_ARRAY && v->kind == MESH_JSON_ARRAY) {
        mesh_buf_putc(out, '[');
        for (uint32_t i = 0; i < v->n; i++) {
            mesh_buf_puts(out, i == 0 ? "" : ", ");
            hide(out, v->items[i], inner->items, indent);
        }
        mesh_buf_putc(out, ']');
    } else {
        mesh_buf_puts(out, "\"(hidden)\""); /* a map, or a union that may hold such a record: not told apart here */
    }
}

static int decoded(struct mesh_buf *out, struct mesh_arena *arena, const struct mesh_schema *schema, struct mesh_str datum,
                   bool clear, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf json = MESH_BUF_NULL;
    if (mesh_datum_to_json(schema, datum.p, datum.n, &json, err) < 0)
        return -1;
    struct mesh_diags diags = {.arena = arena};
    const struct mesh_json *v =
        clear ? NULL : mesh_json_parse(arena, mesh_source_new(arena, "value", json.p, json.n), &diags, "MC001");
    if (clear)
        mesh_buf_add(out, json.p, json.n);
    else if (v == NULL)
        mesh_buf_puts(out, "(hidden)");
    else
        hide(out, v, schema, 0);
    mesh_buf_putc(out, '\n');
    return 0;
}

static void hex(struct mesh_buf *out, struct mesh_str bytes)
{
    for (uint32_t i = 0; i < bytes.n; i++) {
        if (i % HEX_PER_LINE == 0)
            mesh_buf_printf(out, "  %08x ", i);
        mesh_buf_printf(out, " %02x", (uint8_t)bytes.p[i]);
        if (i % HEX_PER_LINE == HEX_PER_LINE - 1 || i + 1 == bytes.n)
            mesh_buf_putc(out, '\n');
    }
}

static struct mesh_str framing_header(const struct mesh_dlq_record *record)
{
    struct mesh_str found = {0};
    for (uint32_t i = 0; i < record->n_headers; i++)
        if (mesh_str_eq(record->headers[i].name, MESH_STR(MESH_FRAME_HEADER_NAME)))
            found = record->headers[i].value;
    return found;
}

/* The schema, or NULL and why not. */
static const struct mesh_schema *schema_of(struct mesh_buf *out, struct mesh_arena *arena, const struct mesh_dlq_options *o,
                                           const struct mesh_dlq_record *record, struct mesh_frame *frame)
{
    int rc = mesh_frame_read(record->value, framing_header(record), frame);
    if (rc != MESH_FRAME_OK) {
        mesh_buf_printf(out, "decoded: no, %s\n",
                        rc == MESH_FRAME_TRUNCATED ? "the value ends within its framing"
                                                   : "it has no framing that says which contract wrote it");
        return NULL;
    }
    if (frame->kind == MESH_FRAME_GUID) {
        mesh_buf_puts(out, "decoded: no, its contract is named by a registry's GUID\n");
        return NULL;
    }
    struct search search = {.arena = arena, .frame = frame};
    look_below(&search, o->contracts, 0);
    if (search.found != NULL) {
        mesh_buf_printf(out, "contract: %s\n", search.path);
        return search.found;
    }
    if (frame->kind == MESH_FRAME_ID)
        mesh_buf_printf(out, "decoded: no, no contract below %s has id %u (--contracts DIR)\n", o->contracts, (unsigned)frame->id);
    else
        mesh_buf_printf(out, "decoded: no, no contract below %s has fingerprint %016llx (--contracts DIR)\n", o->contracts,
                        (unsigned long long)frame->fingerprint);
    return NULL;
}

void mesh_dlq_show_value(struct mesh_buf *out, const struct mesh_dlq_options *o, const struct mesh_dlq_record *record)
{
    if (record->value.p == NULL) {
        mesh_buf_puts(out, "value: none\n");
        return;
    }
    struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_frame frame;
    const struct mesh_schema *schema = schema_of(out, &arena, o, record, &frame);
    struct mesh_err err = {0};
    bool open = o->clear;
    if (schema != NULL) {
        open = open || !may_hide(schema);
        if (decoded(out, &arena, schema, frame.datum, open, &err) < 0)
            mesh_buf_printf(out, "decoded: no, %s: %s\n", err.code, open ? err.text : "--clear says more");
    }
    mesh_buf_printf(out, "key: %u bytes%s", record->key.n, open && record->key.n > 0 ? ", " : "\n");
    if (open && record->key.n > 0) {
        mesh_dlq_clean(out, record->key);
        mesh_buf_putc(out, '\n');
    }
    mesh_buf_printf(out, "value: %u bytes%s\n", record->value.n,
                    open ? "" : "; key and bytes may hold personal data: --clear shows them");
    if (open)
        hex(out, record->value);
    mesh_arena_deinit(&arena);
}
