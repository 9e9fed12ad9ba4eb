/* The registry that `meshctl registry` serves: what requests mean, by the numbers that Confluent's clients look at, the seven rules with
 * their transitive traps, and a journal that is killed, cut and foreign. Also the settings of the client. No sockets. */
#include "../check.h"

#include "base/check.h"
#include "base/fs.h"
#include "contract/registry.h"
#include "ctl/registry_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/mesh-registry-XXXXXX";
static struct mesh_registry_store store;
static struct mesh_buf answer;

static const char *query_of(void *context, const char *name)
{
    const char *query = context;
    static char value[64];
    size_t n = strlen(name);
    for (const char *at = query; at != NULL; at = strchr(at, '&'), at = at == NULL ? NULL : at + 1) {
        if (strncmp(at, name, n) == 0 && at[n] == '=') {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(at + n + 1, "&"), at + n + 1);
            return value;
        }
    }
    return NULL;
}

/* "POST /subjects/a/versions?normalize=true" */
static int ask(const char *line, const char *body)
{
    char copy[256];
    struct mesh_api_request request = {.body = mesh_str_of(body), .query = query_of};
    snprintf(copy, sizeof copy, "%s", line);
    char *query = strchr(copy, '?');
    if (query != NULL)
        *query++ = '\0';
    request.context = query;
    char *save = NULL;
    request.method = strtok_r(copy, " ", &save);
    for (char *part; (part = strtok_r(NULL, "/", &save)) != NULL;)
        request.parts[request.n_parts++] = part;
    mesh_buf_reset(&answer);
    return mesh_registry_api(&store, &request, &answer);
}

static const char *body_of(const char *schema)
{
    static struct mesh_buf body;
    mesh_buf_reset(&body);
    mesh_buf_puts(&body, "{\"schema\":");
    mesh_json_string(&body, mesh_str_of(schema));
    mesh_buf_puts(&body, "}");
    return body.p;
}

static int add(const char *subject, const char *schema)
{
    char line[128];
    snprintf(line, sizeof line, "POST /subjects/%s/versions", subject);
    return ask(line, body_of(schema));
}

static void begin(void)
{
    struct mesh_err err = {0};
    mesh_registry_store_close(&store);
    if (folder[sizeof folder - 2] == 'X')
        mesh_assert(mkdtemp(folder) != NULL);
    mesh_assert(mesh_fs_remove_tree(folder, &err) == 0);
    mesh_assert(mesh_registry_store_open(folder, &store, &err) == 0);
}

static void reopen(void)
{
    struct mesh_err err = {0};
    mesh_registry_store_close(&store);
    mesh_assert(mesh_registry_store_open(folder, &store, &err) == 0);
}

#define RECORD(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"
#define A              "{\"name\":\"a\",\"type\":\"string\"}"
#define B              ",{\"name\":\"b\",\"type\":\"string\"}"
#define B_DEFAULT      ",{\"name\":\"b\",\"type\":\"string\",\"default\":\"x\"}"
#define C_DEFAULT      ",{\"name\":\"c\",\"type\":\"string\",\"default\":\"x\"}"

static const char one[] = RECORD(A);
static const char two[] = RECORD(A B_DEFAULT);
static const char three[] = RECORD(A B);
static const char four[] = RECORD(A C_DEFAULT);
static const char promoted[] = RECORD("{\"name\":\"a\",\"type\":\"bytes\"}");
static const char other[] = RECORD("{\"name\":\"a\",\"type\":\"int\"}");

CASE(the_seven_rules_and_their_transitive_traps)
{
    /* The traps: the newest version alone would let it pass, an older one does not. */
    static const struct {
        const char *rule;
        const char *before[2];
        const char *next;
        int status;
    } all[] = {
        {"NONE", {one, NULL}, other, 200},
        {"BACKWARD", {one, NULL}, two, 200},
        {"BACKWARD", {one, NULL}, three, 409},
        {"BACKWARD", {one, two}, three, 200},
        {"BACKWARD_TRANSITIVE", {one, two}, three, 409},
        {"BACKWARD_TRANSITIVE", {one, two}, four, 200},
        {"BACKWARD", {two, NULL}, one, 200},
        {"BACKWARD", {one, NULL}, other, 409},
        {"BACKWARD", {one, NULL}, promoted, 200},
        {"FORWARD", {one, NULL}, three, 200},
        {"FORWARD", {three, NULL}, one, 409},
        {"FORWARD", {three, two}, one, 200},
        {"FORWARD_TRANSITIVE", {three, two}, one, 409},
        {"FORWARD_TRANSITIVE", {one, two}, three, 200},
        {"FULL", {one, NULL}, two, 200},
        {"FULL", {one, NULL}, three, 409},
        {"FULL", {three, NULL}, one, 409},
        {"FULL", {one, two}, three, 200},
        {"FULL_TRANSITIVE", {one, two}, three, 409},
        {"FULL_TRANSITIVE", {one, two}, four, 200},
    };
    begin();
    for (size_t i = 0; i < MESH_LEN(all); i++) {
        char subject[32], line[96], body[64];
        snprintf(subject, sizeof subject, "s%zu", i);
        snprintf(line, sizeof line, "PUT /config/%s", subject);
        CHECK_EQ_I64(ask(line, "{\"compatibility\":\"NONE\"}"), 200);
        for (int k = 0; k < 2 && all[i].before[k] != NULL; k++)
            CHECK_EQ_I64(add(subject, all[i].before[k]), 200);
        snprintf(body, sizeof body, "{\"compatibility\":\"%s\"}", all[i].rule);
        CHECK_EQ_I64(ask(line, body), 200);
        snprintf(line, sizeof line, "POST /compatibility/subjects/%s/versions?verbose=true", subject);
        CHECK_EQ_I64(ask(line, body_of(all[i].next)), 200);
        CHECK_CONTAINS(answer.p, all[i].status == 200 ? "{\"is_compatible\":true,\"messages\":[]}"
                                                      : "{\"is_compatible\":false,\"messages\":[\"");
        CHECK_EQ_I64(add(subject, all[i].next), all[i].status);
        if (all[i].status == 409) {
            CHECK_CONTAINS(answer.p, "{\"error_code\":409,");
            CHECK_CONTAINS(answer.p, all[i].rule);
        }
    }
}

CASE(a_schema_has_one_id_everywhere)
{
    begin();
    CHECK_EQ_I64(add("a-value", one), 200);
    CHECK_CONTAINS(answer.p, "{\"id\":1,\"version\":1,");
    CHECK_EQ_I64(add("a-value", "{ \"type\": \"record\", \"name\": \"R\",\n \"fields\": [" A "] }"), 200);
    CHECK_CONTAINS(answer.p, "{\"id\":1,\"version\":1,");
    CHECK_EQ_I64(add("b-value", one), 200);
    CHECK_CONTAINS(answer.p, "{\"id\":1,\"version\":1,");
    CHECK_EQ_I64(add("a-value", two), 200);
    CHECK_CONTAINS(answer.p, "{\"id\":2,\"version\":2,");
    CHECK_EQ_I64(ask("GET /subjects", ""), 200);
    CHECK_STR(answer.p, "[\"a-value\",\"b-value\"]");
    CHECK_EQ_I64(ask("GET /subjects?subjectPrefix=b", ""), 200);
    CHECK_STR(answer.p, "[\"b-value\"]");
    CHECK_EQ_I64(ask("GET /subjects/a-value/versions", ""), 200);
    CHECK_STR(answer.p, "[1,2]");
    CHECK_EQ_I64(ask("GET /subjects/a-value/versions/latest", ""), 200);
    CHECK_CONTAINS(answer.p, "{\"subject\":\"a-value\",\"version\":2,\"id\":2,");
    CHECK_EQ_I64(ask("GET /schemas/ids/1/versions", ""), 200);
    CHECK_STR(answer.p, "[{\"subject\":\"a-value\",\"version\":1},{\"subject\":\"b-value\",\"version\":1}]");
    CHECK_EQ_I64(ask("GET /schemas/ids/1/schema", ""), 200);
    CHECK_STR(answer.p, one);
    const char *guid = strstr((ask("GET /schemas/ids/2", ""), answer.p), "\"guid\":\"");
    REQUIRE(guid != NULL);
    char line[80];
    snprintf(line, sizeof line, "GET /schemas/guids/%.36s", guid + 8);
    CHECK_EQ_I64(ask(line, ""), 200);
    CHECK_CONTAINS(answer.p, "{\"id\":2,");
    /* documentation makes it another schema, unless it is asked for what it means */
    static const char said[] = "{\"type\":\"record\",\"name\":\"R\",\"doc\":\"Of mine.\",\"fields\":[" A "]}";
    CHECK_EQ_I64(ask("POST /subjects/b-value", body_of(said)), 404);
    CHECK_CONTAINS(answer.p, "40403");
    CHECK_EQ_I64(ask("POST /subjects/b-value?normalize=true", body_of(said)), 200);
    CHECK_CONTAINS(answer.p, "\"version\":1,\"id\":1,");
}

CASE(what_is_refused_has_its_number)
{
    static const struct {
        const char *line, *body;
        int status;
        const char *says;
    } all[] = {
        {"GET /subjects/nope/versions", "", 404, "40401"},
        {"GET /subjects/a/versions/7", "", 404, "40402"},
        {"GET /subjects/a/versions/x", "", 422, "42202"},
        {"GET /subjects/a/versions/0", "", 422, "42202"},
        {"GET /schemas/ids/99", "", 404, "40403"},
        {"GET /schemas/guids/none", "", 404, "40403"},
        {"POST /subjects/nope", "{\"schema\":\"\\\"string\\\"\"}", 404, "40401"},
        {"POST /subjects/a", "{\"schema\":\"\\\"string\\\"\"}", 404, "40403"},
        {"POST /subjects/a/versions", "{\"schema\":\"{\"}", 422, "42201"},
        {"POST /subjects/a/versions", "{\"schema\":\"\"}", 422, "42201"},
        {"POST /subjects/a/versions", "{\"schema\":\"\\\"string\\\"\",\"schemaType\":\"JSON\"}", 422, "42201"},
        {"POST /subjects/a/versions", "{", 400, "\"error_code\":400"},
        {"POST /subjects/a/versions", "[]", 400, "\"error_code\":400"},
        {"POST /subjects/b/versions",
         "{\"schema\":\"\\\"string\\\"\",\"references\":[{\"name\":\"X\",\"subject\":\"nope\",\"version\":1}]}", 422, "42201"},
        {"PUT /config", "{\"compatibility\":\"SOMETIMES\"}", 422, "42203"},
        {"PUT /mode", "{\"mode\":\"SLEEPY\"}", 422, "42204"},
        {"GET /config/a", "", 404, "40408"},
        {"GET /config/a?defaultToGlobal=true", "", 200, "BACKWARD"},
        {"GET /mode/a", "", 404, "40409"},
        {"DELETE /subjects/a?permanent=true", "", 404, "40405"},
        {"DELETE /subjects/a/versions/1?permanent=true", "", 404, "40407"},
        {"PATCH /subjects", "", 405, "405"},
        {"GET /nothing/like/it", "", 404, "\"error_code\":404,"},
        {"GET /schemas/types", "", 200, "[\"AVRO\"]"},
        {"GET /", "", 200, "{}"},
    };
    begin();
    CHECK_EQ_I64(add("a", one), 200);
    for (size_t i = 0; i < MESH_LEN(all); i++) {
        CHECK_EQ_I64(ask(all[i].line, all[i].body), all[i].status);
        CHECK_CONTAINS(answer.p, all[i].says);
    }
    CHECK_EQ_I64(ask("PUT /mode/a", "{\"mode\":\"READONLY\"}"), 200);
    CHECK_EQ_I64(add("a", two), 422);
    CHECK_CONTAINS(answer.p, "42205");
    CHECK_EQ_I64(add("a", one), 200); /* it is there */
}

CASE(references)
{
    static const char uses[] =
        "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"U\\\",\\\"fields\\\":[{\\\"name\\\":\\\"r\\\",\\\"type\\\":\\\"R\\\"}]}\","
        "\"references\":[{\"name\":\"R\",\"subject\":\"r\",\"version\":1}]}";
    begin();
    CHECK_EQ_I64(ask("POST /subjects/u/versions", uses), 422);
    CHECK_EQ_I64(add("r", one), 200);
    CHECK_EQ_I64(ask("POST /subjects/u/versions", uses), 200);
    CHECK_CONTAINS(answer.p, "\"references\":[{\"name\":\"R\",\"subject\":\"r\",\"version\":1}]");
    CHECK_EQ_I64(ask("GET /subjects/r/versions/1/referencedby", ""), 200);
    CHECK_STR(answer.p, "[2]");
    CHECK_EQ_I64(ask("DELETE /subjects/r/versions/1", ""), 422);
    CHECK_CONTAINS(answer.p, "42206");
    CHECK_EQ_I64(ask("DELETE /subjects/r", ""), 422);
    CHECK_EQ_I64(ask("DELETE /subjects/u", ""), 200);
    CHECK_EQ_I64(ask("DELETE /subjects/r/versions/1", ""), 200);
    reopen();
    CHECK_EQ_I64(ask("GET /schemas/ids/2", ""), 200); /* an id means its schema for ever */
    CHECK_CONTAINS(answer.p, "\"references\":[{\"name\":\"R\"");
}

CASE(removed_is_hidden_then_gone)
{
    begin();
    CHECK_EQ_I64(add("a", one), 200);
    CHECK_EQ_I64(add("a", two), 200);
    CHECK_EQ_I64(ask("DELETE /subjects/a/versions/2", ""), 200);
    CHECK_STR(answer.p, "2");
    CHECK_EQ_I64(ask("GET /subjects/a/versions/latest", ""), 200);
    CHECK_CONTAINS(answer.p, "\"version\":1,");
    CHECK_EQ_I64(ask("GET /subjects/a/versions?deleted=true", ""), 200);
    CHECK_STR(answer.p, "[1,2]");
    CHECK_EQ_I64(add("a", two), 200);
    CHECK_CONTAINS(answer.p, "{\"id\":2,\"version\":3,");
    CHECK_EQ_I64(ask("DELETE /subjects/a", ""), 200);
    CHECK_STR(answer.p, "[1,3]");
    CHECK_EQ_I64(ask("GET /subjects/a/versions/1", ""), 404);
    CHECK_CONTAINS(answer.p, "40404");
    reopen();
    CHECK_EQ_I64(ask("GET /subjects?deleted=true", ""), 200);
    CHECK_STR(answer.p, "[\"a\"]");
    CHECK_EQ_I64(ask("DELETE /subjects/a?permanent=true", ""), 200);
    CHECK_STR(answer.p, "[1,2,3]");
    CHECK_EQ_I64(ask("GET /subjects?deleted=true", ""), 200);
    CHECK_STR(answer.p, "[]");
    CHECK_EQ_I64(ask("GET /schemas/ids/2", ""), 200);
}

static void append(const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, MESH_REGISTRY_JOURNAL);
    FILE *f = fopen(path, "ae");
    mesh_assert(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

CASE(a_journal_outlives_its_registry)
{
    struct mesh_err err = {0};
    struct mesh_registry_store second;
    begin();
    CHECK_EQ_I64(add("a", one), 200);
    CHECK_EQ_I64(ask("PUT /config/a", "{\"compatibility\":\"FULL\"}"), 200);
    CHECK(mesh_registry_store_open(folder, &second, &err) < 0);
    CHECK_CONTAINS(err.text, "belongs to a registry that runs");
    mesh_registry_store_close(&second);
    mesh_registry_store_close(&store);
    append("{\"change\":\"schema\",\"subject\":\"b\",\"ver"); /* cut: it was never answered */
    CHECK_EQ_I64(mesh_registry_store_open(folder, &store, &err), 0);
    CHECK_EQ_I64(add("b", two), 200);
    CHECK_CONTAINS(answer.p, "{\"id\":2,");
    reopen();
    CHECK_EQ_I64(ask("GET /subjects", ""), 200);
    CHECK_STR(answer.p, "[\"a\",\"b\"]");
    CHECK_EQ_I64(ask("GET /config/a", ""), 200);
    CHECK_STR(answer.p, "{\"compatibilityLevel\":\"FULL\"}");
    CHECK_EQ_I64(add("a", one), 200);
    CHECK_CONTAINS(answer.p, "{\"id\":1,\"version\":1,");
    mesh_registry_store_close(&store);
    append("{\"change\":\"schema\",\"subject\":\"c\",\"version\":1,\"id\":9}\n");
    CHECK(mesh_registry_store_open(folder, &store, &err) < 0);
    CHECK_CONTAINS(err.text, ":4: this is no change that a registry wrote");
    mesh_registry_store_close(&store);
    store = (struct mesh_registry_store){.fd = -1};
    CHECK_EQ_I64(mesh_fs_remove_tree(folder, &err), 0);
}

static void collect(void *context, const char *text)
{
    mesh_buf_puts(context, text);
    mesh_buf_putc(context, '\n');
}

CASE(settings_that_cannot_be_meant)
{
    static const struct {
        struct mesh_registry_conf conf;
        const char *says; /* NULL: nothing */
    } all[] = {
        {{.url = ""}, NULL},
        {{.url = "http://registry:8081,https://other:8081/"}, NULL},
        {{.url = "registry:8081"}, "must begin with http:// or https://"},
        {{.url = "http://ann:geheim@registry:8081"}, "set MESH_SCHEMA_REGISTRY_USER and MESH_SCHEMA_REGISTRY_PASSWORD_FILE"},
        {{.url = "", .user = "ann"}, "MESH_SCHEMA_REGISTRY_USER is set, but MESH_SCHEMA_REGISTRY_URL is not"},
        {{.url = "https://r", .user = "ann"}, "MESH_SCHEMA_REGISTRY_USER is set without MESH_SCHEMA_REGISTRY_PASSWORD_FILE"},
        {{.url = "http://registry:8081", .token_file = "/nowhere"},
         "would be sent readable to http://registry:8081: write https://"},
        {{.url = "http://localhost.example:8081", .token_file = "/nowhere"}, "would be sent readable"},
        {{.url = "http://localhost:8081", .token_file = "/nowhere"}, "MESH_SCHEMA_REGISTRY_TOKEN_FILE"},
        {{.url = "http://r", .ca_file = "/etc/ca.pem"}, "MESH_SCHEMA_REGISTRY_CA_FILE is set, but no address"},
        {{.url = "https://r", .cert_file = "/nowhere"}, "is set without MESH_SCHEMA_REGISTRY_KEY_FILE"},
        {{.url = "https://r", .ca_file = "/nowhere/ca.pem"}, "MESH_SCHEMA_REGISTRY_CA_FILE: cannot read /nowhere/ca.pem"},
        {{.url = "https://r", .user = "a", .password_file = "/nowhere", .token_file = "/nowhere"}, "are both set"},
    };
    for (size_t i = 0; i < MESH_LEN(all); i++) {
        struct mesh_registry_conf conf = all[i].conf;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        int n = mesh_registry_load(&conf, collect, &text);
        CHECK(n == 0 ? all[i].says == NULL : all[i].says != NULL);
        if (all[i].says != NULL)
            CHECK_CONTAINS(text.p == NULL ? "" : text.p, all[i].says);
        CHECK(text.p == NULL || strstr(text.p, "geheim") == NULL || i == 3);
        mesh_registry_conf_deinit(&conf);
    }
}
