/* What a field is in OpenAPI: its type, and a value that fits it. */
#include "codegen/openapi_value.h"

#include "base/check.h"
#include "base/text.h"

#include <string.h>

#define EXAMPLE_TIME_US   INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z, a Thursday: windows of days and weeks begin there */
#define PSEUDONYM_EXAMPLE "9f86d081884c7d659a2feaa0c55ad015"

static const char *decimal_text(struct mesh_arena *arena, const struct mesh_gen_type *type)
{
    if (type->scale == 0)
        return type->precision > 1 ? "12" : "1";
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_puts(&text, type->precision - type->scale > 1 ? "12." : type->precision > type->scale ? "1." : "0.");
    for (int i = 0; i < type->scale; i++)
        mesh_buf_putc(&text, i == 0 ? '5' : '0');
    return mesh_arena_strdup(arena, text.p);
}

/* A plausible value as text: times and enums by their meaning, strings by their name. */
static const char *example_text(struct mesh_arena *arena, const struct mesh_model_view *view, const struct mesh_port_field *field)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (field->protect == MESH_PSEUDONYM)
        return PSEUDONYM_EXAMPLE;
    switch (field->type.kind) {
    case MESH_GEN_DECIMAL:
        return decimal_text(arena, &field->type);
    case MESH_GEN_ENUM:
        return field->type.schema->symbols[0];
    case MESH_GEN_TIMESTAMP:
        mesh_text_time(&text, EXAMPLE_TIME_US + (view != NULL && strcmp(field->name, "window_end") == 0 ? view->size_us : 0));
        break;
    case MESH_GEN_DATE:
        mesh_text_date(&text, EXAMPLE_TIME_US);
        break;
    case MESH_GEN_DURATION:
        return "1h30m";
    case MESH_GEN_BYTES:
        return "AQID";
    case MESH_GEN_STRING:
    case MESH_GEN_BOOL:
    case MESH_GEN_INT:
    case MESH_GEN_DOUBLE:
    case MESH_GEN_ERROR:
    case MESH_GEN_NULL:
    case MESH_GEN_LIST:
    case MESH_GEN_RECORD:
        mesh_buf_printf(&text, "%s-1", field->name);
        break;
    }
    return mesh_arena_strdup(arena, text.p);
}

void mesh_openapi_example(struct mesh_json_out *json, struct mesh_arena *arena, const char *key, const struct mesh_model_view *view,
                          const struct mesh_port_field *field)
{
    enum mesh_gen_kind kind = field->protect == MESH_PSEUDONYM ? MESH_GEN_STRING : field->type.kind;
    if (kind == MESH_GEN_BOOL)
        mesh_json_out_bool(json, key, true);
    else if (kind == MESH_GEN_INT)
        mesh_json_out_long(json, key, 3);
    else if (kind == MESH_GEN_DOUBLE)
        mesh_json_out_double(json, key, 0.25);
    else
        mesh_json_out_text(json, key, example_text(arena, view, field));
}

static void type_words(struct mesh_json_out *json, const char *word, bool nullable)
{
    if (!nullable) {
        mesh_json_out_text(json, "type", word);
        return;
    }
    mesh_json_out_array_line(json, "type");
    mesh_json_out_text(json, NULL, word);
    mesh_json_out_text(json, NULL, "null");
    mesh_json_out_end(json);
}

static void enum_words(struct mesh_json_out *json, const struct mesh_gen_type *type)
{
    mesh_json_out_array_line(json, "enum");
    for (size_t i = 0; i < type->schema->n_symbols; i++)
        mesh_json_out_text(json, NULL, type->schema->symbols[i]);
    if (type->nullable)
        mesh_json_out_null(json, NULL);
    mesh_json_out_end(json);
}

/* type, format, pattern: the members of a schema, without what it means. */
void mesh_openapi_type(struct mesh_json_out *json, const struct mesh_port_field *field)
{
    const struct mesh_gen_type *type = &field->type;
    if (field->protect == MESH_PSEUDONYM) {
        type_words(json, "string", type->nullable);
        mesh_json_out_text(json, "pattern", "^[0-9a-f]{32}$");
        return;
    }
    switch (type->kind) {
    case MESH_GEN_BOOL:
        type_words(json, "boolean", type->nullable);
        break;
    case MESH_GEN_INT:
        type_words(json, "integer", type->nullable);
        mesh_json_out_text(json, "format", type->int32 ? "int32" : "int64");
        break;
    case MESH_GEN_DOUBLE:
        type_words(json, "number", type->nullable);
        mesh_json_out_text(json, "format", "double");
        break;
    case MESH_GEN_DECIMAL:
        type_words(json, "string", type->nullable);
        mesh_json_out_text(json, "format", "decimal");
        if (type->scale > 0)
            mesh_json_out_format(json, "pattern", "^-?[0-9]+\\.[0-9]{%d}$", type->scale);
        else
            mesh_json_out_text(json, "pattern", "^-?[0-9]+$");
        break;
    case MESH_GEN_BYTES:
        type_words(json, "string", type->nullable);
        mesh_json_out_text(json, "contentEncoding", "base64");
        break;
    case MESH_GEN_ENUM:
        type_words(json, "string", type->nullable);
        enum_words(json, type);
        break;
    case MESH_GEN_TIMESTAMP:
    case MESH_GEN_DATE:
        type_words(json, "string", type->nullable);
        mesh_json_out_text(json, "format", type->kind == MESH_GEN_DATE ? "date" : "date-time");
        break;
    case MESH_GEN_DURATION:
        type_words(json, "string", type->nullable);
        mesh_json_out_text(json, "pattern", "^-?([0-9]+(d|h|m|s|ms|us))+$");
        break;
    case MESH_GEN_STRING:
    case MESH_GEN_ERROR:
    case MESH_GEN_NULL:
    case MESH_GEN_LIST:
    case MESH_GEN_RECORD:
        type_words(json, "string", type->nullable);
        break;
    }
}
