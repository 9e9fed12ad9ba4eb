/* What the products of a service say of themselves.
 *
 *   /.well-known/data-product, /openapi.json, /asyncapi.json, /lineage   of the first product
 *   /products/NAME/data-product, /products/NAME/openapi.json, ...        of one of several
 *   /contracts, /contracts/omnishop.sales_fraud.sales_fraud.alerts       the contracts of the output ports, by id
 *   /schemas, /schemas/sales_fraud/payment@1                             the Avro schemas behind the Kafka ports, by name
 */
#include "http/exchange.h"

#include "base/check.h"
#include "base/json.h"

#define CONTRACTS "contracts/"

/* ---- schemas ---- */

/* The at-th contract of all products, ports first; NULL: there are no more. The same one may come several times. */
static const struct mesh_contract *contract_at(const struct mesh_service *service, size_t at)
{
    for (uint32_t p = 0; p < service->n_products; p++) {
        const struct mesh_product *product = service->products[p];
        for (uint32_t i = 0; i < product->n_ports; i++)
            if (product->ports[i].contract != NULL && at-- == 0)
                return product->ports[i].contract;
        for (uint32_t i = 0; i < product->n_inputs; i++) {
            if (at < product->inputs[i].n_contracts)
                return &product->inputs[i].contracts[at];
            at -= product->inputs[i].n_contracts;
        }
    }
    return NULL;
}

static void send_list(struct mesh_http_exchange *x)
{
    mesh_buf_puts(&x->response->body, "]}\n");
    x->response->status = 200;
    x->response->type = "application/json";
    mesh_http_tag(x);
}

static void list_schemas(struct mesh_http_exchange *x)
{
    const struct mesh_service *service = x->site->service;
    struct mesh_buf *out = &x->response->body;
    const struct mesh_contract *contract;
    mesh_buf_puts(out, "{\"schemas\":[");
    bool any = false;
    for (size_t i = 0; (contract = contract_at(service, i)) != NULL; i++) {
        bool before = false;
        for (size_t k = 0; k < i && !before; k++)
            before = strcmp(contract_at(service, k)->name, contract->name) == 0;
        if (before)
            continue;
        mesh_buf_puts(out, any ? "," : "");
        mesh_json_string(out, mesh_str_of(contract->name));
        any = true;
    }
    send_list(x);
}

static void one_schema(struct mesh_http_exchange *x)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf name = MESH_BUF_NULL;
    const struct mesh_contract *contract = NULL;
    mesh_buf_str(&name, x->uri.segments[1]);
    mesh_buf_putc(&name, '/');
    mesh_buf_str(&name, x->uri.segments[2]);
    for (size_t i = 0; (contract = contract_at(x->site->service, i)) != NULL; i++)
        if (mesh_str_eq(mesh_str_of(contract->name), (struct mesh_str){name.p, (uint32_t)name.n}))
            break;
    if (contract == NULL) {
        mesh_http_problem_set(&x->problem, 404, "no port of this service has this schema; GET /schemas lists what there is");
        return;
    }
    mesh_buf_puts(&x->response->body, contract->json);
    mesh_buf_putc(&x->response->body, '\n');
    x->response->status = 200;
    x->response->type = "application/vnd.apache.avro+json";
    mesh_http_tag(x);
}

/* ---- documents ---- */

static void add_product(struct mesh_http_exchange *x, const struct mesh_product *product)
{
    mesh_http_header_add(x->response, "Mesh-Product", "%s@%s", product->name, product->version);
}

static void send_document(struct mesh_http_exchange *x, const struct mesh_product *product, const char *text)
{
    add_product(x, product);
    mesh_buf_puts(&x->response->body, text);
    x->response->status = 200;
    x->response->type = "application/json";
    mesh_http_tag(x);
}

/* The document of the product that the path's segments from `first` on name; NULL: it has none of this name. */
static const char *document_at(const struct mesh_http_exchange *x, const struct mesh_product *product, uint32_t first)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    for (uint32_t i = first; i < x->uri.n_segments; i++) {
        mesh_buf_puts(&path, i == first ? "" : "/");
        mesh_buf_str(&path, x->uri.segments[i]);
    }
    struct mesh_str wanted = {path.p, (uint32_t)path.n};
    if (mesh_str_eq(wanted, MESH_STR("openapi.json")))
        return product->openapi;
    if (mesh_str_eq(wanted, first == 0 ? MESH_STR(".well-known/data-product") : MESH_STR("data-product")))
        return product->document;
    for (const struct mesh_about *d = product->documents; d != NULL && d->path != NULL; d++)
        if (mesh_str_eq(wanted, mesh_str_of(d->path)))
            return d->text;
    return NULL;
}

static bool serve_document(struct mesh_http_exchange *x)
{
    const struct mesh_service *service = x->site->service;
    bool named = x->uri.n_segments >= 3 && mesh_str_eq(x->uri.segments[0], MESH_STR("products"));
    for (uint32_t i = 0; i < service->n_products; i++) {
        const struct mesh_product *product = service->products[i];
        if (named && !mesh_str_eq(x->uri.segments[1], mesh_str_of(product->name)))
            continue;
        const char *text = document_at(x, product, named ? 2 : 0);
        if (text == NULL)
            continue;
        x->response->route = named ? "/products" : "/documents";
        if (mesh_http_only_get(x))
            send_document(x, product, text);
        return true;
    }
    return false;
}

static void list_contracts(struct mesh_http_exchange *x)
{
    const struct mesh_service *service = x->site->service;
    struct mesh_buf *out = &x->response->body;
    bool any = false;
    mesh_buf_puts(out, "{\"contracts\":[");
    for (uint32_t i = 0; i < service->n_products; i++)
        for (const struct mesh_about *d = service->products[i]->documents; d != NULL && d->path != NULL; d++) {
            if (strncmp(d->path, CONTRACTS, strlen(CONTRACTS)) != 0)
                continue;
            mesh_buf_puts(out, any ? "," : "");
            mesh_json_string(out, mesh_str_of(d->path + strlen(CONTRACTS)));
            any = true;
        }
    send_list(x);
}

bool mesh_http_documents_serve(struct mesh_http_exchange *x)
{
    uint32_t n = x->uri.n_segments;
    if (serve_document(x))
        return true;
    bool contracts = mesh_str_eq(x->uri.segments[0], MESH_STR("contracts"));
    bool schemas = mesh_str_eq(x->uri.segments[0], MESH_STR("schemas"));
    if (!(contracts && n <= 2) && !(schemas && (n == 1 || n == 3)))
        return false;
    x->response->route = contracts ? "/contracts" : "/schemas";
    if (!mesh_http_only_get(x))
        return true;
    if (n > 1 && contracts)
        mesh_http_problem_set(&x->problem, 404, "no port of this service has this contract; GET /contracts lists what there is");
    else if (n > 1)
        one_schema(x);
    else if (contracts)
        list_contracts(x);
    else
        list_schemas(x);
    return true;
}
