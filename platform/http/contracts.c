/* The Avro schemas behind the Kafka ports of a service, by the names that its documents call them: /contracts lists them,
 * /contracts/sales_fraud/payment@1 is one. */
#include "http/exchange.h"

#include "base/check.h"
#include "base/json.h"

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

static void list(struct mesh_http_exchange *x)
{
    const struct mesh_service *service = x->site->service;
    struct mesh_buf *out = &x->response->body;
    const struct mesh_contract *contract;
    mesh_buf_puts(out, "{\"contracts\":[");
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
    mesh_buf_puts(out, "]}\n");
    x->response->status = 200;
    x->response->type = "application/json";
    mesh_http_tag(x);
}

static void one(struct mesh_http_exchange *x)
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
        mesh_http_problem_set(&x->problem, 404, "no port of this service has this contract; GET /contracts lists what there is");
        return;
    }
    mesh_buf_puts(&x->response->body, contract->json);
    mesh_buf_putc(&x->response->body, '\n');
    x->response->status = 200;
    x->response->type = "application/vnd.apache.avro+json";
    mesh_http_tag(x);
}

bool mesh_http_contracts_serve(struct mesh_http_exchange *x)
{
    uint32_t n = x->uri.n_segments;
    if ((n != 1 && n != 3) || !mesh_str_eq(x->uri.segments[0], MESH_STR("contracts")))
        return false;
    x->response->route = "/contracts";
    if (!mesh_http_only_get(x))
        return true;
    if (n == 1)
        list(x);
    else
        one(x);
    return true;
}
