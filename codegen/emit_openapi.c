/* OpenAPI 3.1 of the HTTP ports: what http/answer.c does, said for clients. Rows become schemas from the same list of fields as the
 * product's document; every example is made from the field's type, so that it fits its schema. Where the key of a port is protected
 * there is no path for one row, as paths end in logs: its rows are looked up by POST. */
#include "codegen/emit_int.h"

#include "base/text.h"
#include "codegen/json_out.h"
#include "codegen/openapi_common.h"
#include "codegen/openapi_value.h"
#include "codegen/port_fields.h"

#include <string.h>

#define CONDITIONS_MAX 8 /* as platform/http/select.h has it */

struct openapi {
    struct mesh_json_out json;
    struct mesh_arena *arena;
    const struct mesh_model_product *product;
};

struct rows {
    const struct mesh_model_port *port;
    const struct mesh_model_view *view; /* NULL: events of a stream */
    struct mesh_port_fields fields;
    bool windowed, key_protected;
};

static struct rows rows_of(struct mesh_arena *arena, const struct mesh_model_port *port)
{
    struct rows rows = {.port = port, .view = port->view, .windowed = port->view != NULL && port->view->window != MESH_WINDOW_NONE};
    mesh_port_fields_of(arena, port, &rows.fields);
    for (size_t i = 0; i < rows.fields.list.n; i++)
        rows.key_protected = rows.key_protected || (rows.fields.list.v[i].key && rows.fields.list.v[i].protect != MESH_AS_IS);
    return rows;
}

static void description(struct openapi *o, const struct mesh_port_field *field)
{
    struct mesh_json_out *json = &o->json;
    const char *mask = mesh_port_mask_text(o->arena, field);
    if (mask != NULL)
        mesh_json_out_format(json, "description", "%s%s(%s%s)", field->doc == NULL ? "" : field->doc, field->doc == NULL ? "" : " ",
                             mask, field->mask == NULL ? "" : "; they may not filter or sort by it");
    else if (field->protect != MESH_PSEUDONYM)
        mesh_json_out_text(json, "description", field->doc);
    else if (field->doc == NULL)
        mesh_json_out_text(json, "description", "A pseudonym.");
    else
        mesh_json_out_format(json, "description", "%s (as a pseudonym)", field->doc);
}

static void property(struct openapi *o, const struct rows *rows, const struct mesh_port_field *field)
{
    struct mesh_json_out *json = &o->json;
    mesh_json_out_object(json, field->name);
    mesh_openapi_type(json, field);
    description(o, field);
    mesh_json_out_array_line(json, "examples");
    mesh_openapi_example(&o->json, o->arena, NULL, rows->view, field);
    mesh_json_out_end(json);
    mesh_json_out_text(json, "x-mesh-classification", mesh_port_label_word(field->label));
    if (field->mask != NULL) {
        mesh_json_out_object(json, "x-mesh-mask");
        mesh_json_out_text(json, "mask", field->mask->rule == MESH_PSEUDONYM ? "hash" : mesh_port_protect_word(field->mask->rule));
        mesh_json_out_array_line(json, "unless");
        for (size_t i = 0; i < field->mask->unless.n; i++)
            mesh_json_out_text(json, NULL, field->mask->unless.v[i]);
        mesh_json_out_end(json);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
}

/* ---- rows: schemas and their examples ---- */

static void row_schema(struct openapi *o, const struct rows *rows)
{
    struct mesh_json_out *json = &o->json;
    const struct mesh_port_fields *fields = &rows->fields;
    mesh_json_out_object(json, rows->port->name);
    mesh_json_out_text(json, "type", "object");
    const char *doc = mesh_port_doc(rows->port);
    if (doc != NULL)
        mesh_json_out_text(json, "description", doc);
    else if (rows->view == NULL)
        mesh_json_out_format(json, "description", "One record of the stream %s.", rows->port->from.name);
    else
        mesh_json_out_format(json, "description", "One row of the view %s.", rows->view->name);
    mesh_json_out_long(json, "minProperties", 1); /* all of them, unless the parameter fields says which: so none is required */
    mesh_json_out_object(json, "properties");
    for (size_t i = 0; i < fields->list.n; i++)
        if (fields->list.v[i].protect != MESH_DROP)
            property(o, rows, &fields->list.v[i]);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void list_schema(struct openapi *o, const struct rows *rows)
{
    struct mesh_json_out *json = &o->json;
    mesh_json_out_object(json, mesh_arena_printf(o->arena, "%s.list", rows->port->name));
    mesh_json_out_text(json, "type", "object");
    mesh_json_out_array_line(json, "required");
    mesh_json_out_text(json, NULL, "count");
    mesh_json_out_end(json);
    mesh_json_out_object(json, "properties");
    mesh_json_out_object(json, "items");
    mesh_json_out_text(json, "type", "array");
    mesh_json_out_text(json, "description", "The rows. It is absent when only the count was asked for.");
    mesh_openapi_ref(json, "items", "schemas", rows->port->name);
    mesh_json_out_end(json);
    mesh_json_out_object(json, "count");
    mesh_json_out_text(json, "type", "integer");
    mesh_json_out_long(json, "minimum", 0);
    mesh_json_out_text(json, "description", "Rows that there are in all, on this page and others.");
    mesh_json_out_end(json);
    mesh_json_out_object(json, "next");
    mesh_json_out_text(json, "type", "string");
    mesh_json_out_text(json, "description", "Pass it as after to read on. It is absent at the end.");
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void row_example(struct openapi *o, const char *key, const struct rows *rows)
{
    mesh_json_out_object(&o->json, key);
    for (size_t i = 0; i < rows->fields.list.n; i++)
        if (rows->fields.list.v[i].protect != MESH_DROP)
            mesh_openapi_example(&o->json, o->arena, rows->fields.list.v[i].name, rows->view, &rows->fields.list.v[i]);
    mesh_json_out_end(&o->json);
}

static void list_example(struct openapi *o, const char *key, const struct rows *rows)
{
    mesh_json_out_object(&o->json, key);
    mesh_json_out_array(&o->json, "items");
    row_example(o, NULL, rows);
    mesh_json_out_end(&o->json);
    mesh_json_out_long(&o->json, "count", 1);
    mesh_json_out_end(&o->json);
}

/* ---- operations ---- */

static void ok_response(struct openapi *o, const struct rows *rows, bool list)
{
    static const char *const headers[][2] = {{"ETag", "etag"},
                                             {"Mesh-Product", "product"},
                                             {"Mesh-As-Of", "asOf"},
                                             {"Mesh-Position", "position"},
                                             {"Mesh-Durable", "durable"},
                                             {"Mesh-Count", "count"},
                                             {"Mesh-Next", "next"}};
    struct mesh_json_out *json = &o->json;
    const char *name = rows->port->name;
    mesh_json_out_object(json, "200");
    mesh_json_out_text(json, "description", list ? "Rows." : "The row.");
    mesh_json_out_object(json, "headers");
    for (size_t i = 0; i < MESH_LEN(headers); i++)
        mesh_openapi_ref(json, headers[i][0], "headers", headers[i][1]);
    mesh_json_out_end(json);
    mesh_json_out_object(json, "content");
    mesh_json_out_object(json, "application/json");
    mesh_openapi_ref(json, "schema", "schemas", list ? mesh_arena_printf(o->arena, "%s.list", name) : name);
    if (list)
        list_example(o, "example", rows);
    else
        row_example(o, "example", rows);
    mesh_json_out_end(json);
    mesh_openapi_line_formats(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void responses(struct openapi *o, const struct rows *rows, bool list, bool cached, bool missing)
{
    struct mesh_json_out *json = &o->json;
    mesh_json_out_object(json, "responses");
    ok_response(o, rows, list);
    if (cached)
        mesh_openapi_ref(json, "304", "responses", "notModified");
    mesh_openapi_ref(json, "400", "responses", "badRequest");
    mesh_openapi_ref(json, "401", "responses", "unknownCaller");
    mesh_openapi_ref(json, "403", "responses", "forbidden");
    if (missing)
        mesh_openapi_ref(json, "404", "responses", "notFound");
    mesh_openapi_ref(json, "406", "responses", "notAcceptable");
    mesh_openapi_ref(json, "409", "responses", "notReached");
    if (list)
        mesh_openapi_ref(json, "413", "responses", "tooMuch");
    mesh_openapi_ref(json, "503", "responses", "unavailable");
    mesh_json_out_end(json);
}

static void begin_operation(struct openapi *o, const char *method, const char *verb, const struct rows *rows, const char *summary)
{
    struct mesh_json_out *json = &o->json;
    mesh_json_out_object(json, method);
    mesh_json_out_format(json, "operationId", "%s_%s", verb, rows->port->name);
    mesh_json_out_text(json, "summary", summary);
    mesh_json_out_text(json, "description", mesh_port_doc(rows->port));
    mesh_json_out_array_line(json, "tags");
    mesh_json_out_text(json, NULL, "rows");
    mesh_json_out_end(json);
    mesh_openapi_security(json, rows->port->roles.v, rows->port->roles.n);
}

static void window_parameters(struct openapi *o, const struct rows *rows, const char *window)
{
    if (!rows->windowed)
        return;
    mesh_openapi_ref(&o->json, NULL, "parameters", window);
    mesh_openapi_ref(&o->json, NULL, "parameters", "from");
    mesh_openapi_ref(&o->json, NULL, "parameters", "to");
}

/* What every operation takes: which fields, and when to answer. */
static void common_parameters(struct openapi *o, const struct rows *rows)
{
    struct mesh_json_out *json = &o->json;
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "name", "fields");
    mesh_json_out_text(json, "in", "query");
    mesh_json_out_text(json, "description", "Show these, in this order; all unless given.");
    mesh_json_out_bool(json, "explode", false);
    mesh_json_out_object(json, "schema");
    mesh_json_out_text(json, "type", "array");
    mesh_json_out_long(json, "minItems", 1);
    mesh_json_out_bool(json, "uniqueItems", true);
    mesh_json_out_object(json, "items");
    mesh_json_out_text(json, "type", "string");
    mesh_json_out_array_line(json, "enum");
    for (size_t i = 0; i < rows->fields.list.n; i++)
        if (rows->fields.list.v[i].protect != MESH_DROP)
            mesh_json_out_text(json, NULL, rows->fields.list.v[i].name);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_openapi_ref(json, NULL, "parameters", "committed");
    mesh_openapi_ref(json, NULL, "parameters", "minPosition");
}

/* What may decide which rows there are: platform/http/select.h. */
static bool may_decide(const struct mesh_port_field *field)
{
    return field->protect == MESH_AS_IS && field->type.kind != MESH_GEN_BYTES;
}

/* A text in a URI: percent-encoded UTF-8, in which the platform takes no NUL. */
static void type_in_uri(struct mesh_json_out *json, const struct mesh_port_field *field)
{
    mesh_openapi_type(json, field);
    if (field->type.kind == MESH_GEN_STRING && field->protect == MESH_AS_IS)
        mesh_json_out_text(json, "pattern", "^[^\\x00]*$");
}

static void condition(struct openapi *o, const struct mesh_port_field *field, const char *op)
{
    struct mesh_port_field plain = *field;
    plain.type.nullable = false;
    mesh_json_out_object_line(&o->json, mesh_arena_printf(o->arena, "%s%s", field->name, op));
    type_in_uri(&o->json, &plain);
    mesh_json_out_end(&o->json);
}

/* NAME=, NAME.gte= and their kin as the members of one exploded object: so OpenAPI says it. */
static void condition_parameters(struct openapi *o, const struct rows *rows)
{
    static const char *const ops[] = {"", ".ne", ".lt", ".lte", ".gt", ".gte"};
    struct mesh_json_out *json = &o->json;
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "name", "conditions");
    mesh_json_out_text(json, "in", "query");
    mesh_json_out_text(
        json, "description",
        "Only rows for which all of these hold: country=DE&n.gte=10. A missing value holds .ne alone. A field that is called "
        "like another parameter is written with .eq.");
    mesh_json_out_text(json, "style", "form");
    mesh_json_out_bool(json, "explode", true);
    mesh_json_out_object(json, "schema");
    mesh_json_out_text(json, "type", "object");
    mesh_json_out_object(json, "properties");
    for (size_t i = 0; i < rows->fields.list.n; i++) {
        const struct mesh_port_field *field = &rows->fields.list.v[i];
        size_t n = field->type.kind == MESH_GEN_ENUM || field->type.kind == MESH_GEN_BOOL ? 2 : MESH_LEN(ops);
        for (size_t k = 0; may_decide(field) && k < n; k++)
            condition(o, field, ops[k]);
    }
    mesh_json_out_end(json);
    mesh_json_out_bool(json, "additionalProperties", false);
    mesh_json_out_long(json, "maxProperties", CONDITIONS_MAX);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void sort_parameter(struct openapi *o, const struct rows *rows)
{
    struct mesh_json_out *json = &o->json;
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "name", "sort");
    mesh_json_out_text(json, "in", "query");
    mesh_json_out_text(json, "description",
                       "By these, one after the other; - is from the largest down. Otherwise by window and key.");
    mesh_json_out_bool(json, "explode", false);
    mesh_json_out_object(json, "schema");
    mesh_json_out_text(json, "type", "array");
    mesh_json_out_long(json, "minItems", 1);
    mesh_json_out_long(json, "maxItems", 4);
    mesh_json_out_bool(json, "uniqueItems", true);
    mesh_json_out_object(json, "items");
    mesh_json_out_text(json, "type", "string");
    mesh_json_out_array_line(json, "enum");
    for (size_t i = 0; i < rows->fields.list.n; i++) {
        const struct mesh_port_field *field = &rows->fields.list.v[i];
        if (!may_decide(field))
            continue;
        mesh_json_out_text(json, NULL, field->name);
        mesh_json_out_text(json, NULL, mesh_arena_printf(o->arena, "-%s", field->name));
    }
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void list_operation(struct openapi *o, const struct rows *rows)
{
    struct mesh_json_out *json = &o->json;
    begin_operation(o, "get", "list", rows,
                    rows->windowed ? mesh_arena_printf(o->arena, "Rows of %s by window and key", rows->port->name)
                                   : mesh_arena_printf(o->arena, "Rows of %s by key", rows->port->name));
    mesh_json_out_array(json, "parameters");
    sort_parameter(o, rows);
    condition_parameters(o, rows);
    mesh_openapi_ref(json, NULL, "parameters", "limit");
    mesh_openapi_ref(json, NULL, "parameters", "after");
    mesh_openapi_ref(json, NULL, "parameters", "count");
    mesh_openapi_ref(json, NULL, "parameters", "partitions");
    window_parameters(o, rows, "windowOfList");
    common_parameters(o, rows);
    mesh_openapi_ref(json, NULL, "parameters", "ifNoneMatch");
    mesh_json_out_end(json);
    responses(o, rows, true, true, false);
    mesh_json_out_end(json);
}

static void key_parameter(struct openapi *o, const struct rows *rows, const struct mesh_port_field *field)
{
    struct mesh_json_out *json = &o->json;
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "name", field->name);
    mesh_json_out_text(json, "in", "path");
    mesh_json_out_bool(json, "required", true);
    mesh_json_out_text(json, "description", field->doc);
    mesh_json_out_object(json, "schema");
    type_in_uri(json, field);
    mesh_json_out_end(json);
    mesh_openapi_example(&o->json, o->arena, "example", rows->view, field);
    mesh_json_out_end(json);
}

static void point_operation(struct openapi *o, const struct rows *rows)
{
    struct mesh_json_out *json = &o->json;
    begin_operation(o, "get", "get", rows,
                    rows->windowed ? mesh_arena_printf(o->arena, "The windows of one key of %s, the newest last", rows->port->name)
                                   : mesh_arena_printf(o->arena, "One row of %s", rows->port->name));
    mesh_json_out_array(json, "parameters");
    for (size_t i = 0; i < rows->fields.list.n; i++)
        if (rows->fields.list.v[i].key)
            key_parameter(o, rows, &rows->fields.list.v[i]);
    window_parameters(o, rows, "windowOfKey");
    common_parameters(o, rows);
    mesh_openapi_ref(json, NULL, "parameters", "ifNoneMatch");
    mesh_json_out_end(json);
    responses(o, rows, rows->windowed, true, true);
    mesh_json_out_end(json);
}

/* {"key": {"customer_id": "..."}}: the raw values. */
static void lookup_body(struct openapi *o, const struct rows *rows)
{
    struct mesh_json_out *json = &o->json;
    mesh_json_out_object(json, "requestBody");
    mesh_json_out_bool(json, "required", true);
    mesh_json_out_object(json, "content");
    mesh_json_out_object(json, "application/json");
    mesh_json_out_object(json, "schema");
    mesh_json_out_text(json, "type", "object");
    mesh_json_out_array_line(json, "required");
    mesh_json_out_text(json, NULL, "key");
    mesh_json_out_end(json);
    mesh_json_out_bool(json, "additionalProperties", false);
    mesh_json_out_object(json, "properties");
    mesh_json_out_object(json, "key");
    mesh_json_out_text(json, "type", "object");
    mesh_json_out_array_line(json, "required");
    for (size_t i = 0; i < rows->view->by.n; i++)
        mesh_json_out_text(json, NULL, rows->view->by.v[i]);
    mesh_json_out_end(json);
    mesh_json_out_bool(json, "additionalProperties", false);
    mesh_json_out_object(json, "properties");
    for (size_t i = 0; i < rows->fields.list.n; i++) {
        struct mesh_port_field raw = rows->fields.list.v[i];
        raw.protect = MESH_AS_IS;
        if (!raw.key)
            continue;
        mesh_json_out_object(json, raw.name);
        mesh_openapi_type(json, &raw);
        mesh_json_out_text(json, "description", raw.doc);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_object(json, "example");
    mesh_json_out_object(json, "key");
    for (size_t i = 0; i < rows->fields.list.n; i++) {
        struct mesh_port_field raw = rows->fields.list.v[i];
        raw.protect = MESH_AS_IS;
        if (raw.key)
            mesh_openapi_example(&o->json, o->arena, raw.name, rows->view, &raw);
    }
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void lookup_operation(struct openapi *o, const struct rows *rows)
{
    struct mesh_json_out *json = &o->json;
    begin_operation(
        o, "post", "lookup", rows,
        mesh_arena_printf(o->arena, "Look %s up by the key itself, which is protected and stands in no path", rows->port->name));
    mesh_json_out_array(json, "parameters");
    window_parameters(o, rows, "windowOfKey");
    common_parameters(o, rows);
    mesh_json_out_end(json);
    lookup_body(o, rows);
    responses(o, rows, rows->windowed, false, true);
    mesh_json_out_end(json);
}

static void port_paths(struct openapi *o, const struct mesh_model_port *port)
{
    struct mesh_json_out *json = &o->json;
    struct rows rows = rows_of(o->arena, port);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_buf_puts(&path, port->path.text);
    mesh_json_out_object(json, path.p);
    list_operation(o, &rows);
    mesh_json_out_end(json);
    if (rows.key_protected) {
        mesh_buf_puts(&path, "/lookup");
        mesh_json_out_object(json, path.p);
        lookup_operation(o, &rows);
    } else {
        for (size_t i = 0; i < rows.view->by.n; i++)
            mesh_buf_printf(&path, "/{%s}", rows.view->by.v[i]);
        mesh_json_out_object(json, path.p);
        point_operation(o, &rows);
    }
    mesh_json_out_end(json);
}

/* ---- events ---- */

static void event_parameter(struct mesh_json_out *json, const char *in, const char *name, const char *doc, const char *type)
{
    mesh_json_out_object(json, NULL);
    mesh_json_out_text(json, "name", name);
    mesh_json_out_text(json, "in", in);
    mesh_json_out_text(json, "description", doc);
    mesh_json_out_object(json, "schema");
    mesh_json_out_text(json, "type", type);
    if (strcmp(type, "integer") == 0) {
        mesh_json_out_long(json, "minimum", 0);
        mesh_json_out_long(json, "maximum", 1);
    }
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void event_path(struct openapi *o, const struct mesh_model_port *port)
{
    struct mesh_json_out *json = &o->json;
    struct rows rows = rows_of(o->arena, port);
    mesh_json_out_object(json, port->path.text);
    begin_operation(o, "get", "follow", &rows,
                    mesh_arena_printf(o->arena, "Events of %s as they are told, without an end", port->name));
    mesh_json_out_array(json, "parameters");
    event_parameter(json, "header", "Last-Event-ID", "The id of the last event that was read: go on behind it.", "string");
    event_parameter(json, "query", "last-event-id", "The same, for a client that cannot set the header.", "string");
    event_parameter(json, "query", "replay", "1: without an id, begin with the oldest event that is kept, and not from now on.",
                    "integer");
    mesh_json_out_end(json);
    mesh_json_out_object(json, "responses");
    mesh_json_out_object(json, "200");
    mesh_json_out_text(
        json, "description",
        "Server-sent events. The data of each is a JSON object; the event 'removed' has the key of a row that is gone; "
        "the event 'reset' says that events were missed, and what is kept follows from the oldest on.");
    mesh_json_out_object(json, "headers");
    mesh_openapi_ref(json, "Mesh-Product", "headers", "product");
    mesh_json_out_end(json);
    mesh_json_out_object(json, "content");
    mesh_json_out_object(json, "text/event-stream");
    mesh_json_out_object(json, "schema");
    mesh_json_out_text(json, "type", "string");
    mesh_json_out_end(json);
    mesh_openapi_ref(json, "x-mesh-event", "schemas", port->name);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_openapi_ref(json, "400", "responses", "badRequest");
    mesh_openapi_ref(json, "401", "responses", "unknownCaller");
    mesh_openapi_ref(json, "403", "responses", "forbidden");
    mesh_openapi_ref(json, "503", "responses", "unavailable");
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

/* ---- components ---- */

static void components(struct openapi *o)
{
    mesh_json_out_object(&o->json, "components");
    mesh_json_out_object(&o->json, "schemas");
    for (size_t i = 0; i < o->product->ports.n; i++) {
        const struct mesh_model_port *port = o->product->ports.v[i];
        if (port->kind != MESH_MODEL_HTTP && port->kind != MESH_MODEL_SSE)
            continue;
        struct rows rows = rows_of(o->arena, port);
        row_schema(o, &rows);
        if (port->kind == MESH_MODEL_HTTP)
            list_schema(o, &rows);
    }
    mesh_openapi_problem_schema(&o->json);
    mesh_json_out_end(&o->json);
    mesh_openapi_components(&o->json);
    mesh_json_out_end(&o->json);
}

/* ---- the document ---- */

static void info(struct openapi *o)
{
    const struct mesh_model_product *m = o->product;
    const char *const texts[] = {m->purpose.text, m->limitations.text, m->usage.text};
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf all = MESH_BUF_NULL;
    for (size_t i = 0; i < MESH_LEN(texts); i++)
        if (texts[i] != NULL)
            mesh_buf_printf(&all, "%s%s", all.n > 0 ? "\n\n" : "", texts[i]);
    mesh_json_out_object(&o->json, "info");
    mesh_json_out_text(&o->json, "title", m->name.text);
    mesh_json_out_text(&o->json, "version", m->version.text);
    mesh_json_out_text(&o->json, "description", all.p);
    mesh_json_out_object_line(&o->json, "contact");
    mesh_json_out_text(&o->json, "name", m->team.text);
    mesh_json_out_end(&o->json);
    mesh_json_out_end(&o->json);
}

static void tag(struct openapi *o, const char *name, const char *text)
{
    mesh_json_out_object_line(&o->json, NULL);
    mesh_json_out_text(&o->json, "name", name);
    mesh_json_out_text(&o->json, "description", text);
    mesh_json_out_end(&o->json);
}

void mesh_emit_openapi(struct mesh_emitter *e, struct mesh_buf *out)
{
    struct openapi o = {.json = {.out = out}, .arena = e->arena, .product = e->product};
    mesh_json_out_object(&o.json, NULL);
    mesh_json_out_text(&o.json, "openapi", "3.1.0");
    info(&o);
    mesh_json_out_array_line(&o.json, "servers");
    mesh_json_out_object(&o.json, NULL);
    mesh_json_out_text(&o.json, "url", "/");
    mesh_json_out_end(&o.json);
    mesh_json_out_end(&o.json);
    mesh_json_out_array(&o.json, "tags");
    tag(&o, "rows", "The output ports.");
    tag(&o, "service", "The service itself.");
    mesh_json_out_end(&o.json);
    mesh_json_out_object(&o.json, "paths");
    for (size_t i = 0; i < e->product->ports.n; i++)
        if (e->product->ports.v[i]->kind == MESH_MODEL_HTTP)
            port_paths(&o, e->product->ports.v[i]);
        else if (e->product->ports.v[i]->kind == MESH_MODEL_SSE)
            event_path(&o, e->product->ports.v[i]);
    mesh_openapi_paths(&o.json);
    mesh_json_out_end(&o.json);
    components(&o);
    mesh_json_out_end(&o.json);
}
