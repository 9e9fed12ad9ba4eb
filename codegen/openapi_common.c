/* Written by hand to say what http/answer.c and http/query.c do; the limits are theirs. */
#include "codegen/openapi_common.h"

#include "base/check.h"

#include <string.h>

#define LIMIT_DEFAULT 100  /* MESH_HTTP_LIMIT_DEFAULT */
#define LIMIT_MAX     1000 /* MESH_HTTP_LIMIT_MAX */

void mesh_openapi_ref(struct mesh_json_out *json, const char *key, const char *kind, const char *name)
{
    mesh_json_out_object_line(json, key);
    mesh_json_out_format(json, "$ref", "#/components/%s/%s", kind, name);
    mesh_json_out_end(json);
}

/* ---- the platform's own paths ---- */

static void own_path(struct mesh_json_out *json, const char *path, const char *name, const char *summary, const char *type,
                     bool fails)
{
    bool text = strncmp(type, "text/", 5) == 0;
    mesh_json_out_object(json, path);
    mesh_json_out_object(json, "get");
    mesh_json_out_text(json, "operationId", name);
    mesh_json_out_text(json, "summary", summary);
    mesh_json_out_array_line(json, "tags");
    mesh_json_out_text(json, NULL, "service");
    mesh_json_out_end(json);
    mesh_json_out_object(json, "responses");
    for (int i = 0; i < (fails ? 2 : 1); i++) {
        mesh_json_out_object(json, i == 0 ? "200" : "503");
        mesh_json_out_text(json, "description", i == 0 ? (fails ? "Yes." : summary) : "No; the body says why.");
        mesh_json_out_object(json, "content");
        mesh_json_out_object(json, type);
        mesh_json_out_object_line(json, "schema");
        mesh_json_out_text(json, "type", text ? "string" : "object");
        mesh_json_out_end(json);
        mesh_json_out_end(json);
        mesh_json_out_end(json);
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

void mesh_openapi_paths(struct mesh_json_out *json)
{
    static const char type[] = "application/json";
    own_path(json, "/livez", "livez", "Does the process make progress?", type, true);
    own_path(json, "/readyz", "readyz", "Does it answer with current state?", type, true);
    own_path(json, "/startupz", "startupz", "Has it loaded its state?", type, true);
    own_path(json, "/metrics", "metrics", "Metrics in the text format of Prometheus.", "text/plain", false);
    own_path(json, "/openapi.json", "openapi",
             "OpenAPI of the domain's first product; /products/{name}/openapi.json has that of each.", type, false);
    own_path(json, "/.well-known/data-product", "data_product",
             "Document of the domain's first product; /products/{name}/data-product has that of each.", type, false);
    own_path(json, "/asyncapi.json", "asyncapi",
             "AsyncAPI of the domain's first product; /products/{name}/asyncapi.json has that of each.", type, false);
    own_path(json, "/lineage", "lineage", "Lineage of the domain's first product; /products/{name}/lineage has that of each.", type,
             false);
    own_path(json, "/contracts", "contracts", "Ids of the contracts of the output ports; each is below /contracts/.", type, false);
    own_path(json, "/schemas", "schemas", "Names of the Avro schemas of the topics; each is below /schemas/.", type, false);
}

/* ---- components ---- */

static void begin_parameter(struct mesh_json_out *json, const char *name, const char *shown, const char *in, const char *text)
{
    mesh_json_out_object(json, name);
    mesh_json_out_text(json, "name", shown);
    mesh_json_out_text(json, "in", in);
    mesh_json_out_text(json, "description", text);
    mesh_json_out_object(json, "schema");
}

static void end_parameter(struct mesh_json_out *json)
{
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void window_parameter(struct mesh_json_out *json, const char *name, const char *text)
{
    static const char *const words[] = {"latest", "open", "closed", "all"};
    begin_parameter(json, name, "window", "query", text);
    mesh_json_out_text(json, "type", "string");
    mesh_json_out_array_line(json, "enum");
    for (size_t i = 0; i < MESH_LEN(words); i++)
        mesh_json_out_text(json, NULL, words[i]);
    mesh_json_out_end(json);
    end_parameter(json);
}

static void plain_parameter(struct mesh_json_out *json, const char *name, const char *shown, const char *in, const char *format,
                            const char *text)
{
    begin_parameter(json, name, shown, in, text);
    mesh_json_out_text(json, "type", "string");
    mesh_json_out_text(json, "format", format);
    end_parameter(json);
}

static void time_parameter(struct mesh_json_out *json, const char *name, const char *text)
{
    begin_parameter(json, name, name, "query", text);
    mesh_json_out_array(json, "anyOf");
    for (int i = 0; i < 2; i++) {
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_text(json, "type", "string");
        mesh_json_out_text(json, "format", i == 0 ? "date-time" : "date");
        mesh_json_out_end(json);
    }
    mesh_json_out_end(json);
    end_parameter(json);
}

static void flag_parameter(struct mesh_json_out *json, const char *name, const char *shown, const char *text)
{
    begin_parameter(json, name, shown, "query", text);
    mesh_json_out_text(json, "type", "integer");
    mesh_json_out_array_line(json, "enum");
    mesh_json_out_long(json, NULL, 0);
    mesh_json_out_long(json, NULL, 1);
    mesh_json_out_end(json);
    mesh_json_out_long(json, "default", 0);
    end_parameter(json);
}

static void parameters(struct mesh_json_out *json)
{
    mesh_json_out_object(json, "parameters");
    begin_parameter(json, "limit", "limit", "query", "How many rows at most.");
    mesh_json_out_text(json, "type", "integer");
    mesh_json_out_long(json, "minimum", 1);
    mesh_json_out_long(json, "maximum", LIMIT_MAX);
    mesh_json_out_long(json, "default", LIMIT_DEFAULT);
    end_parameter(json);
    begin_parameter(json, "after", "after", "query", "The next of the page before; the other parameters must be the same.");
    mesh_json_out_text(json, "type", "string");
    mesh_json_out_text(json, "pattern", "^[A-Za-z0-9_-]*$");
    end_parameter(json);
    flag_parameter(json, "count", "count", "1: only how many rows there are.");
    begin_parameter(json, "partitions", "partitions", "query",
                    "local: where the product has several instances, the part of the list that this one has.");
    mesh_json_out_text(json, "type", "string");
    mesh_json_out_array_line(json, "enum");
    mesh_json_out_text(json, NULL, "all");
    mesh_json_out_text(json, NULL, "local");
    mesh_json_out_end(json);
    mesh_json_out_text(json, "default", "all");
    end_parameter(json);
    flag_parameter(json, "committed", "committed",
                   "1: answer when what is shown is on disk; at most half a second later, as a rule.");
    begin_parameter(json, "minPosition", "min-position", "query",
                    "Answer when this is reached: the Mesh-Position of an earlier answer of the port. 409 when it takes too long.");
    mesh_json_out_text(json, "type", "integer");
    mesh_json_out_text(json, "format", "int64");
    mesh_json_out_long(json, "minimum", 0);
    end_parameter(json);
    window_parameter(json, "windowOfList", "Which windows; the latest of each key, unless from or to is given: then all.");
    window_parameter(json, "windowOfKey", "Which windows; all unless given.");
    time_parameter(json, "from", "Windows that begin at this time or later; of a day, with its beginning.");
    time_parameter(json, "to", "Windows that begin before this time; of a day, before its beginning.");
    plain_parameter(json, "ifNoneMatch", "If-None-Match", "header", NULL,
                    "The ETag of an answer that you have: 304 when it is still the same.");
    mesh_json_out_end(json);
}

static void header(struct mesh_json_out *json, const char *name, const char *text)
{
    mesh_json_out_object(json, name);
    mesh_json_out_text(json, "description", text);
    mesh_json_out_object_line(json, "schema");
    mesh_json_out_text(json, "type", "string");
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void headers(struct mesh_json_out *json)
{
    mesh_json_out_object(json, "headers");
    header(json, "etag", "Of the body; strong.");
    header(json, "product", "name@version of the product that answers.");
    header(json, "asOf", "The time up to which everything is in the answer, RFC 3339; none before the first event.");
    header(json, "position", "Commits processed.");
    header(json, "durable", "Commits on disk; as many as processed when nothing is pending.");
    header(json, "count", "Rows that there are in all; only with CSV and NDJSON, which have no place for it.");
    header(json, "next", "Pass it as after to read on; only with CSV and NDJSON, and not at the end.");
    mesh_json_out_end(json);
}

static void problem_response(struct mesh_json_out *json, const char *name, const char *text)
{
    mesh_json_out_object(json, name);
    mesh_json_out_text(json, "description", text);
    mesh_json_out_object(json, "content");
    mesh_json_out_object(json, "application/problem+json");
    mesh_openapi_ref(json, "schema", "schemas", "mesh.problem");
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

static void problem_responses(struct mesh_json_out *json)
{
    mesh_json_out_object(json, "responses");
    mesh_json_out_object(json, "notModified");
    mesh_json_out_text(json, "description", "It is what you have.");
    mesh_json_out_end(json);
    problem_response(json, "badRequest", "The key or a parameter is not one that this port understands; errors says which.");
    problem_response(json, "unknownCaller", "Where callers are known: no credentials, or none that are accepted.");
    problem_response(json, "forbidden", "The caller has not the role or purpose; or a key that is protected stands in the path.");
    problem_response(json, "notFound", "There is no row of this key.");
    problem_response(json, "notAcceptable", "None of the formats that there are is one that you accept.");
    problem_response(json, "notReached", "The position asked for was not reached in time; try again after Retry-After.");
    problem_response(json, "tooMuch", "More rows than are sorted or filtered at once: name fewer windows.");
    problem_response(json, "unavailable", "The state is not loaded, or the product is busy; try again after Retry-After.");
    mesh_json_out_end(json);
}

static void string_property(struct mesh_json_out *json, const char *name, const char *text)
{
    mesh_json_out_object_line(json, name);
    mesh_json_out_text(json, "type", "string");
    mesh_json_out_text(json, "description", text);
    mesh_json_out_end(json);
}

void mesh_openapi_problem_schema(struct mesh_json_out *json)
{
    static const char *const required[] = {"type", "title", "status", "detail"};
    mesh_json_out_object(json, "mesh.problem");
    mesh_json_out_text(json, "type", "object");
    mesh_json_out_text(json, "description", "What went wrong, as RFC 9457 says it.");
    mesh_json_out_array_line(json, "required");
    for (size_t i = 0; i < MESH_LEN(required); i++)
        mesh_json_out_text(json, NULL, required[i]);
    mesh_json_out_end(json);
    mesh_json_out_object(json, "properties");
    string_property(json, "type", "about:blank: the status says it all.");
    string_property(json, "title", "The status in words.");
    mesh_json_out_object(json, "status");
    mesh_json_out_text(json, "type", "integer");
    mesh_json_out_end(json);
    string_property(json, "detail", "What happened, and what to do about it.");
    string_property(json, "instance", "The path that was asked for.");
    string_property(json, "trace_id", "Under which the service logged it.");
    mesh_json_out_object(json, "errors");
    mesh_json_out_text(json, "type", "array");
    mesh_json_out_object(json, "items");
    mesh_json_out_text(json, "type", "object");
    mesh_json_out_object(json, "properties");
    string_property(json, "detail", "What is wrong there.");
    string_property(json, "pointer", "The part of the request: /query/limit, /path/0, /body/key.");
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

void mesh_openapi_line_formats(struct mesh_json_out *json)
{
    static const char *const types[] = {"text/csv", "application/x-ndjson"};
    for (size_t i = 0; i < MESH_LEN(types); i++) {
        mesh_json_out_object(json, types[i]);
        mesh_json_out_object_line(json, "schema");
        mesh_json_out_text(json, "type", "string");
        mesh_json_out_end(json);
        mesh_json_out_end(json);
    }
}

static void security_schemes(struct mesh_json_out *json)
{
    mesh_json_out_object(json, "securitySchemes");
    mesh_json_out_object_line(json, "bearer");
    mesh_json_out_text(json, "type", "http");
    mesh_json_out_text(json, "scheme", "bearer");
    mesh_json_out_text(json, "bearerFormat", "JWT");
    mesh_json_out_end(json);
    mesh_json_out_object_line(json, "apiKey");
    mesh_json_out_text(json, "type", "apiKey");
    mesh_json_out_text(json, "in", "header");
    mesh_json_out_text(json, "name", "X-API-Key");
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

void mesh_openapi_security(struct mesh_json_out *json, const char *const *roles, size_t n)
{
    static const char *const schemes[] = {"bearer", "apiKey"};
    mesh_json_out_array_line(json, "security");
    for (size_t i = 0; i < MESH_LEN(schemes); i++) {
        mesh_json_out_object_line(json, NULL);
        mesh_json_out_array_line(json, schemes[i]);
        for (size_t k = 0; k < n; k++)
            mesh_json_out_text(json, NULL, roles[k]);
        mesh_json_out_end(json);
        mesh_json_out_end(json);
    }
    mesh_json_out_object_line(json, NULL); /* on loopback nobody need be known */
    mesh_json_out_end(json);
    mesh_json_out_end(json);
}

void mesh_openapi_components(struct mesh_json_out *json)
{
    parameters(json);
    headers(json);
    problem_responses(json);
    security_schemes(json);
}
