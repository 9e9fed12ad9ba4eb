/* A port's path is matched by segments, the longest first, so that /sales and /sales/daily can both
 * be ports. */
#include "http/exchange.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "io/border.h"

#include <openssl/rand.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const own_paths[] = {"livez",    "startupz",  "readyz",        "metrics", "openapi.json", ".well-known",
                                        "products", "contracts", "asyncapi.json", "schemas", "lineage",      "quality"};

void mesh_http_response_deinit(struct mesh_http_response *response)
{
    mesh_buf_deinit(&response->body);
    for (unsigned i = 0; i < response->n_headers; i++)
        free(response->headers[i].value);
    response->n_headers = 0;
}

void mesh_http_header_add(struct mesh_http_response *response, const char *name, const char *format, ...)
{
    mesh_assert(response->n_headers < MESH_LEN(response->headers));
    struct mesh_http_header *header = &response->headers[response->n_headers++];
    header->name = name;
    va_list args;
    va_start(args, format);
    struct mesh_buf value = MESH_BUF_NULL;
    mesh_buf_vprintf(&value, format, args);
    va_end(args);
    header->value = mesh_buf_take(&value);
}

/* ---- building ---- */
static int add_route(struct mesh_http_site *site, uint32_t product_index, uint32_t port_index, struct mesh_str pseudonym_key,
                     struct mesh_err *err)
{
    const struct mesh_product *product = site->service->products[product_index];
    const struct mesh_port *port = &product->ports[port_index];
    struct mesh_http_route *route = &site->routes[site->n_routes];
    struct mesh_http_problem problem = {0};
    *route = (struct mesh_http_route){.product = product, .product_index = product_index, .port = port};
    if (port->kind == MESH_PORT_HTTP) {
        const struct mesh_view *view = &product->views[port->view];
        route->shape = mesh_http_shape_of(view, port->protect, pseudonym_key);
        route->key_protected = mesh_border_key_protected(view, port->protect);
        if (view->n_key > MESH_HTTP_KEY_MEMBERS_MAX)
            return mesh_err_set(err, MESH_ERR_FATAL, "http.paths", "port '%s': a key of more than %d members is not served",
                                port->name, MESH_HTTP_KEY_MEMBERS_MAX);
    }
    if (port->kind == MESH_PORT_SSE)
        route->shape = mesh_http_events_shape(port, NULL, pseudonym_key);
    if (mesh_http_uri_read(&site->arena, port->path, &route->path, &problem) != 0 || route->path.n_segments == 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "http.paths", "port '%s': '%s' is not a path", port->name, port->path);
    for (size_t i = 0; i < MESH_LEN(own_paths); i++)
        if (mesh_str_eq(route->path.segments[0], mesh_str_of(own_paths[i])))
            return mesh_err_set(err, MESH_ERR_FATAL, "http.paths", "%s:%d: port '%s': the path %s belongs to the platform",
                                port->site.file, port->site.line, port->name, port->path);
    for (size_t i = 0; i < site->n_routes; i++)
        if (strcmp(site->routes[i].port->path, port->path) == 0)
            return mesh_err_set(err, MESH_ERR_FATAL, "http.paths", "%s:%d: port '%s': the path %s is taken by port '%s' of %s",
                                port->site.file, port->site.line, port->name, port->path, site->routes[i].port->name,
                                site->routes[i].product->name);
    site->n_routes++;
    return 0;
}

int mesh_http_site_new(const struct mesh_service *service, const struct mesh_str *pseudonym_keys,
                       const struct mesh_http_backend *backend, struct mesh_http_site **ret, struct mesh_err *err)
{
    struct mesh_http_site *site = mesh_xcalloc(1, sizeof *site);
    site->service = service;
    site->backend = *backend;
    site->audit = mesh_xcalloc(1, sizeof *site->audit);
    mesh_http_audit_init(site->audit);
    site->token_keys = mesh_xcalloc(service->n_products, sizeof *site->token_keys);
    size_t n = 0;
    for (uint32_t i = 0; i < service->n_products; i++)
        n += service->products[i]->n_ports;
    site->routes = mesh_xcalloc(n + 1, sizeof *site->routes);
    for (uint32_t i = 0; i < service->n_products; i++) {
        mesh_http_token_key_init(&site->token_keys[i], pseudonym_keys[i]);
        for (uint32_t p = 0; p < service->products[i]->n_ports; p++) {
            enum mesh_port_kind kind = service->products[i]->ports[p].kind;
            if (kind != MESH_PORT_HTTP && (kind != MESH_PORT_SSE || backend->live == NULL))
                continue;
            if (add_route(site, i, p, pseudonym_keys[i], err) < 0) {
                mesh_http_site_free(site);
                return -1;
            }
        }
    }
    *ret = site;
    return 0;
}

struct mesh_http_site *mesh_http_site_free(struct mesh_http_site *site)
{
    if (site == NULL)
        return NULL;
    mesh_arena_deinit(&site->arena);
    mesh_http_audit_deinit(site->audit);
    free(site->audit);
    free(site->token_keys);
    free(site->routes);
    free(site);
    return NULL;
}

/* ---- answering ---- */
static void send_problem(struct mesh_http_exchange *x)
{
    struct mesh_http_response *response = x->response;
    mesh_buf_reset(&response->body);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    size_t n = strcspn(x->request->uri, "?#");
    mesh_buf_add(&path, x->request->uri, n < 512 ? n : 512);
    mesh_buf_putc(&path, '\0');
    response->status = x->problem.status;
    response->type = MESH_HTTP_PROBLEM_TYPE;
    mesh_http_problem_write(&x->problem, path.p, x->trace_id, &response->body);
    if (x->problem.status == 503 || x->problem.status == 409)
        mesh_http_header_add(response, "Retry-After", "1");
}

bool mesh_http_is_get(const struct mesh_http_exchange *x)
{
    return strcmp(x->request->method, "GET") == 0 || strcmp(x->request->method, "HEAD") == 0;
}

void mesh_http_not_allowed(struct mesh_http_exchange *x, const char *allow)
{
    mesh_http_header_add(x->response, "Allow", "%s", allow);
    mesh_http_problem_set(&x->problem, 405, "here is only %s", allow);
}

bool mesh_http_only_get(struct mesh_http_exchange *x)
{
    if (mesh_http_is_get(x))
        return true;
    mesh_http_not_allowed(x, "GET, HEAD");
    return false;
}

static void add_product(struct mesh_http_exchange *x, const struct mesh_product *product)
{
    mesh_http_header_add(x->response, "Mesh-Product", "%s@%s", product->name, product->version);
}

void mesh_http_tag(struct mesh_http_exchange *x)
{
    struct mesh_http_response *response = x->response;
    char tag[24];
    snprintf(tag, sizeof tag, "\"%016" PRIx64 "\"", mesh_hash64(response->body.p, response->body.n));
    mesh_http_header_add(response, "ETag", "%s", tag);
    mesh_http_header_add(response, "Cache-Control", "%s", x->site->backend.auth == NULL ? "no-cache" : "private, no-cache");
    const char *match = x->request->if_none_match;
    if (match == NULL || (strstr(match, tag) == NULL && strcmp(match, "*") != 0))
        return;
    response->status = 304;
    mesh_buf_reset(&response->body);
}

static void health(struct mesh_http_exchange *x, enum mesh_http_health which)
{
    const struct mesh_http_backend *backend = &x->site->backend;
    bool ok = backend->health(backend->context, which, &x->response->body);
    if (backend->auth != NULL && !x->caller.known) { /* a probe needs no more */
        mesh_buf_reset(&x->response->body);
        mesh_buf_printf(&x->response->body, "{\"ok\":%s}\n", ok ? "true" : "false");
    }
    x->response->status = ok ? 200 : 503;
    x->response->type = "application/json";
    mesh_http_header_add(x->response, "Cache-Control", "no-store");
}

static void index_page(struct mesh_http_exchange *x)
{
    struct mesh_buf *out = &x->response->body;
    mesh_buf_puts(out, "{\"domain\":");
    mesh_json_string(out, mesh_str_of(x->site->service->domain));
    mesh_buf_puts(out, ",\"ports\":[");
    for (size_t i = 0; i < x->site->n_routes; i++) {
        mesh_buf_puts(out, i == 0 ? "" : ",");
        mesh_json_string(out, mesh_str_of(x->site->routes[i].port->path));
    }
    mesh_buf_puts(out, "],\"more\":[\"/.well-known/data-product\",\"/openapi.json\",\"/asyncapi.json\",\"/contracts\",\"/schemas\","
                       "\"/lineage\",\"/readyz\",\"/metrics\"]}\n");
    x->response->status = 200;
    x->response->type = "application/json";
}

static bool path_is(const struct mesh_http_exchange *x, const char *first)
{
    return x->uri.n_segments == 1 && mesh_str_eq(x->uri.segments[0], mesh_str_of(first));
}

/* True: the path is one of the platform's. */
static bool serve_own(struct mesh_http_exchange *x)
{
    const struct mesh_http_backend *backend = &x->site->backend;
    static const struct {
        const char *first, *route;
    } own[] = {{"livez", "/livez"}, {"startupz", "/startupz"}, {"readyz", "/readyz"}, {"metrics", "/metrics"}};
    size_t i = 0;
    while (i < MESH_LEN(own) && !path_is(x, own[i].first))
        i++;
    bool root = x->uri.n_segments == 0;
    if (i == MESH_LEN(own) && !root)
        return mesh_http_documents_serve(x);
    x->response->route = root ? "/" : own[i].route;
    if (!mesh_http_only_get(x))
        return true;
    if (root)
        index_page(x);
    else if (i <= MESH_HTTP_READY)
        health(x, (enum mesh_http_health)i);
    else {
        backend->metrics(backend->context, &x->response->body);
        x->response->status = 200;
        x->response->type = MESH_METRICS_CONTENT_TYPE;
    }
    return true;
}

static const struct mesh_http_route *find_route(const struct mesh_http_exchange *x)
{
    const struct mesh_http_route *best = NULL;
    for (size_t i = 0; i < x->site->n_routes; i++) {
        const struct mesh_http_route *route = &x->site->routes[i];
        uint32_t n = route->path.n_segments, same = 0;
        if (n > x->uri.n_segments || (best != NULL && n <= best->path.n_segments))
            continue;
        while (same < n && mesh_str_eq(route->path.segments[same], x->uri.segments[same]))
            same++;
        if (same == n)
            best = route;
    }
    return best;
}

static void no_such_path(struct mesh_http_exchange *x)
{
    char path[256];
    uint32_t n = x->uri.path.n;
    snprintf(path, sizeof path, "%.*s", (int)(n < 200 ? n : 200), x->uri.path.p);
    const char **paths = mesh_arena_alloc(&x->arena, (x->site->n_routes + 1) * sizeof(const char *));
    for (size_t i = 0; i < x->site->n_routes; i++)
        paths[i] = x->site->routes[i].port->path;
    const char *meant = mesh_did_you_mean(path, paths, x->site->n_routes);
    if (meant != NULL)
        mesh_http_problem_set(&x->problem, 404, "nothing is here, did you mean %s?", meant);
    else
        mesh_http_problem_set(&x->problem, 404, "nothing is here; GET / lists what there is");
}

static void start_port(struct mesh_http_exchange *x)
{
    x->response->route = x->route->port->path;
    add_product(x, x->route->product);
}

/* ---- who asks ---- */
static bool is_health(const struct mesh_http_exchange *x)
{
    return path_is(x, "livez") || path_is(x, "startupz") || path_is(x, "readyz");
}

static void deny(struct mesh_http_exchange *x, int status, const char *why)
{
    const struct mesh_http_request *request = x->request;
    mesh_http_audit_denied(x->site->audit,
                           &(struct mesh_http_denial){status, why, x->caller.known ? x->caller.name : "",
                                                      request->client == NULL ? "" : request->client,
                                                      x->route == NULL ? "" : x->route->port->path, x->trace_id},
                           mesh_clock_mono_us());
    mesh_http_denied(x, why);
    if (status == 401) {
        mesh_http_header_add(x->response, "WWW-Authenticate", "Bearer realm=\"mesh\"%s",
                             strcmp(why, "missing") == 0 ? "" : ", error=\"invalid_token\"");
        if (strcmp(why, "missing") == 0)
            mesh_http_problem_set(&x->problem, 401, "who asks? Send 'Authorization: Bearer ...' or 'X-API-Key: ...'");
        else
            mesh_http_problem_set(&x->problem, 401, "these credentials are not accepted: %s", why);
        return;
    }
    mesh_http_header_add(x->response, "WWW-Authenticate", "Bearer realm=\"mesh\", error=\"insufficient_scope\"");
    mesh_http_problem_set(&x->problem, 403, "'%s' may not ask this port: it has not the %s", x->caller.name, why);
}

/* False, with a 401: he is not known, and must be. A path that is not there is nobody's business either. */
static bool knows_caller(struct mesh_http_exchange *x)
{
    struct mesh_http_auth *auth = x->site->backend.auth;
    if (auth == NULL)
        return true;
    const char *why =
        mesh_http_auth_check(auth, x->request->authorization, x->request->api_key, mesh_clock_wall_us(), &x->arena, &x->caller);
    if (x->caller.known || is_health(x))
        return true;
    deny(x, 401, why == NULL ? "missing" : why);
    return false;
}

static void serve_port(struct mesh_http_exchange *x)
{
    const char *why = x->site->backend.auth == NULL ? NULL : mesh_http_auth_may(&x->caller, x->route->port);
    start_port(x);
    if (why != NULL)
        deny(x, 403, why);
    else if (x->route->port->kind == MESH_PORT_SSE)
        mesh_http_events_begin(x);
    else
        mesh_http_rows_begin(x);
}

static void too_often(struct mesh_http_exchange *x)
{
    mesh_http_header_add(x->response, "Retry-After", "%d", x->request->wait_s);
    mesh_http_problem_set(&x->problem, 429, "these are more requests a second than one client may make; go on after Retry-After");
}

static void serve(struct mesh_http_exchange *x)
{
    bool limited = x->request->wait_s > 0;
    if (limited && x->site->backend.auth != NULL && !is_health(x)) { /* before his credentials are looked at */
        too_often(x);
        return;
    }
    if (!knows_caller(x) || serve_own(x))
        return;
    x->route = find_route(x);
    if (limited)
        too_often(x);
    else if (x->route == NULL)
        no_such_path(x);
    else
        serve_port(x);
}

/* The trace id of the caller's traceparent ("00-<32 hex>-<16 hex>-01"), or a new one. */
static void set_trace(struct mesh_http_exchange *x)
{
    const char *parent = x->request->traceparent;
    if (parent != NULL && strlen(parent) >= 55 && parent[2] == '-' && parent[35] == '-' &&
        strspn(parent + 3, "0123456789abcdef") == 32) {
        snprintf(x->trace_id, sizeof x->trace_id, "%.32s", parent + 3);
        return;
    }
    uint8_t bytes[16];
    mesh_assert(RAND_bytes(bytes, sizeof bytes) == 1);
    mesh_hex(bytes, sizeof bytes, x->trace_id);
}

struct mesh_http_exchange *mesh_http_begin(const struct mesh_http_site *site, const struct mesh_http_request *request,
                                           struct mesh_http_response *ret)
{
    struct mesh_http_exchange *x = mesh_xcalloc(1, sizeof *x);
    *x = (struct mesh_http_exchange){.site = site, .request = request, .response = ret};
    ret->route = "other";
    set_trace(x);
    if (mesh_http_uri_read(&x->arena, request->uri, &x->uri, &x->problem) == 0)
        serve(x);
    if (x->problem.status != 0)
        send_problem(x);
    if (x->question == NULL) {
        mesh_http_exchange_free(x);
        return NULL;
    }
    mesh_http_response_deinit(ret); /* the other half begins anew */
    return x;
}

struct mesh_http_question *mesh_http_take_question(struct mesh_http_exchange *exchange)
{
    struct mesh_http_question *question = exchange->question;
    mesh_assert(question != NULL);
    exchange->question = NULL;
    return question;
}

void mesh_http_ask(const struct mesh_http_site *site, struct mesh_http_question *question)
{
    site->backend.ask(site->backend.context, question);
}

void mesh_http_finish(struct mesh_http_exchange *exchange, const struct mesh_http_question *answered,
                      struct mesh_http_response *ret)
{
    exchange->response = ret;
    start_port(exchange);
    mesh_http_rows_finish(exchange, answered);
    if (exchange->problem.status != 0)
        send_problem(exchange);
    mesh_http_exchange_free(exchange);
}

void mesh_http_exchange_free(struct mesh_http_exchange *exchange)
{
    if (exchange == NULL)
        return;
    mesh_http_question_free(exchange->question);
    mesh_arena_deinit(&exchange->arena);
    free(exchange);
}
