/* The texts may hold what a client sent: they are cut to the struct, and escaped when written. */
#include "http/problem.h"

#include "base/json.h"

#include <stdio.h>

int mesh_http_problem_set(struct mesh_http_problem *problem, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(problem->detail, sizeof problem->detail, format, args);
    va_end(args);
    problem->status = status;
    return status;
}

void mesh_http_problem_add(struct mesh_http_problem *problem, const char *pointer, const char *format, ...)
{
    if (problem->status == 0)
        mesh_http_problem_set(problem, 400, "the request is not one that this port understands");
    if (problem->n_items == MESH_HTTP_PROBLEM_ITEMS_MAX)
        return;
    unsigned i = problem->n_items++;
    snprintf(problem->items[i].pointer, sizeof problem->items[i].pointer, "%s", pointer);
    va_list args;
    va_start(args, format);
    vsnprintf(problem->items[i].detail, sizeof problem->items[i].detail, format, args);
    va_end(args);
}

const char *mesh_http_reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 307:
        return "Temporary Redirect";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 406:
        return "Not Acceptable";
    case 409:
        return "Conflict";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 429:
        return "Too Many Requests";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    default:
        return "Error";
    }
}

static void add_member(struct mesh_buf *out, const char *name, const char *value)
{
    mesh_buf_printf(out, ",\"%s\":", name);
    mesh_json_string(out, mesh_str_of(value));
}

void mesh_http_problem_write(const struct mesh_http_problem *problem, const char *instance, const char *trace_id,
                             struct mesh_buf *out)
{
    mesh_buf_puts(out, "{\"type\":\"about:blank\"");
    add_member(out, "title", mesh_http_reason(problem->status));
    mesh_buf_printf(out, ",\"status\":%d", problem->status);
    add_member(out, "detail", problem->detail);
    add_member(out, "instance", instance);
    add_member(out, "trace_id", trace_id);
    for (unsigned i = 0; i < problem->n_items; i++) {
        mesh_buf_puts(out, i == 0 ? ",\"errors\":[{\"detail\":" : ",{\"detail\":");
        mesh_json_string(out, mesh_str_of(problem->items[i].detail));
        add_member(out, "pointer", problem->items[i].pointer);
        mesh_buf_puts(out, i + 1 == problem->n_items ? "}]" : "}");
    }
    mesh_buf_puts(out, "}\n");
}
