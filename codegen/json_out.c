/* The comma belongs to the member that follows, so that nobody has to know which one is the last. */
#include "codegen/json_out.h"

#include "base/check.h"
#include "base/json.h"

#include <stdarg.h>

static bool in_line(const struct mesh_json_out *json)
{
    return json->line_depth > 0 && json->depth >= json->line_depth;
}

static void new_line(struct mesh_json_out *json)
{
    mesh_buf_printf(json->out, "\n%*s", 2 * json->depth, "");
}

static void begin(struct mesh_json_out *json, const char *key)
{
    if (json->filled)
        mesh_buf_puts(json->out, in_line(json) ? ", " : ",");
    if (json->depth > 0 && !in_line(json))
        new_line(json);
    if (key != NULL) {
        mesh_json_string(json->out, mesh_str_of(key));
        mesh_buf_puts(json->out, ": ");
    }
    json->filled = true;
}

static void descend(struct mesh_json_out *json, const char *key, char opening, char closing)
{
    begin(json, key);
    mesh_assert(json->depth < MESH_JSON_OUT_DEPTH_MAX);
    mesh_buf_putc(json->out, opening);
    json->closing[json->depth++] = closing;
    json->filled = false;
}

void mesh_json_out_object(struct mesh_json_out *json, const char *key)
{
    descend(json, key, '{', '}');
}

void mesh_json_out_array(struct mesh_json_out *json, const char *key)
{
    descend(json, key, '[', ']');
}

static void one_line(struct mesh_json_out *json)
{
    if (json->line_depth == 0)
        json->line_depth = json->depth;
}

void mesh_json_out_object_line(struct mesh_json_out *json, const char *key)
{
    mesh_json_out_object(json, key);
    one_line(json);
}

void mesh_json_out_array_line(struct mesh_json_out *json, const char *key)
{
    mesh_json_out_array(json, key);
    one_line(json);
}

void mesh_json_out_end(struct mesh_json_out *json)
{
    mesh_assert(json->depth > 0);
    bool line = in_line(json);
    if (json->depth == json->line_depth)
        json->line_depth = 0;
    json->depth--;
    if (json->filled && !line)
        new_line(json);
    mesh_buf_putc(json->out, json->closing[json->depth]);
    if (json->depth == 0)
        mesh_buf_putc(json->out, '\n');
    json->filled = true;
}

void mesh_json_out_text(struct mesh_json_out *json, const char *key, const char *value)
{
    if (value == NULL)
        return;
    begin(json, key);
    mesh_json_string(json->out, mesh_str_of(value));
}

void mesh_json_out_format(struct mesh_json_out *json, const char *key, const char *format, ...)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    va_list args;
    va_start(args, format);
    mesh_buf_vprintf(&text, format, args);
    va_end(args);
    mesh_json_out_text(json, key, text.p == NULL ? "" : text.p);
}

void mesh_json_out_long(struct mesh_json_out *json, const char *key, int64_t value)
{
    begin(json, key);
    mesh_json_long(json->out, value);
}

void mesh_json_out_double(struct mesh_json_out *json, const char *key, double value)
{
    begin(json, key);
    mesh_json_double(json->out, value);
}

void mesh_json_out_bool(struct mesh_json_out *json, const char *key, bool value)
{
    begin(json, key);
    mesh_buf_puts(json->out, value ? "true" : "false");
}

void mesh_json_out_raw(struct mesh_json_out *json, const char *key, struct mesh_str value)
{
    begin(json, key);
    mesh_buf_str(json->out, value);
}

void mesh_json_out_null(struct mesh_json_out *json, const char *key)
{
    begin(json, key);
    mesh_buf_puts(json->out, "null");
}
