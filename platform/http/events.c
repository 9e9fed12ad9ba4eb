/* SSE ports: the request for a stream of events. What then comes is http/live.h's. */
#include "http/exchange.h"

#include "base/check.h"
#include "base/text.h"

static const char *const names[] = {"last-event-id", "replay"};

static void read_params(struct mesh_http_exchange *x, const char **ret_id, bool *ret_replay)
{
    for (uint32_t i = 0; i < x->uri.n_params; i++) {
        const struct mesh_http_param *param = &x->uri.params[i];
        if (mesh_str_eq(param->name, mesh_str_of(names[0])))
            *ret_id = mesh_arena_str(&x->arena, param->value);
        else if (mesh_str_eq(param->name, mesh_str_of(names[1])))
            mesh_http_read_flag("/query/replay", param->value, ret_replay, &x->problem);
        else
            mesh_http_unknown_param(param->name, names, MESH_LEN(names), MESH_LEN(names), &x->problem);
    }
}

void mesh_http_events_begin(struct mesh_http_exchange *x)
{
    const struct mesh_http_route *route = x->route;
    const char *id = x->request->last_event_id;
    bool replay = false;
    if (!mesh_http_only_get(x))
        return;
    if (x->uri.n_segments > route->path.n_segments) {
        mesh_http_problem_set(&x->problem, 404, "events have no key; GET %s", route->port->path);
        return;
    }
    read_params(x, &id, &replay);
    if (x->problem.status != 0)
        return;
    struct mesh_http_live *live = x->site->backend.live;
    bool head = strcmp(x->request->method, "HEAD") == 0;
    uint32_t port = (uint32_t)(route->port - route->product->ports);
    if (!head && !mesh_http_disclose(x, 0)) /* how many there will be nobody knows */
        return;
    if (!head) {
        x->response->live = mesh_http_live_join(live, route->product_index, port, id, replay);
        if (x->response->live == NULL) {
            mesh_http_problem_set(&x->problem, 503, "there are %d readers already; come back later", MESH_HTTP_LIVE_READERS_MAX);
            return;
        }
    }
    x->response->status = 200;
    x->response->type = MESH_HTTP_LIVE_TYPE;
    mesh_http_header_add(x->response, "Cache-Control", "no-store");
    mesh_http_header_add(x->response, "X-Accel-Buffering", "no"); /* what stands in front must not collect events */
}
