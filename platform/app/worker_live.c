/* Server-sent events: text for the engine, and what is durable to those who read.
 *
 * What a restored state holds was told before, or may have been: it goes out at once, as rows of it are shown at once. What is new
 * goes only while the lease holds, as everything that leaves. */
#include "app/worker_int.h"

void mesh_worker_event_text(void *context, uint32_t port_index, const void *shown, bool removed, struct mesh_buf *out)
{
    const struct mesh_worker *worker = context;
    const struct mesh_port *port = &worker->product->ports[port_index];
    const struct mesh_view *view = port->emit == MESH_EMIT_EVENT ? NULL : &worker->product->views[port->view];
    mesh_http_live_text(port, view, worker->pseudonym_key, shown, removed, out);
}

bool mesh_worker_send_events(struct mesh_worker *worker)
{
    struct mesh_live_event event;
    bool first = !worker->told;
    bool any = false;
    if (worker->live == NULL || worker->engine == NULL)
        return false;
    if (first)
        mesh_http_live_begin(worker->live, worker->live_product, mesh_engine_generation(worker->engine),
                             mesh_engine_n_tasks(worker->engine));
    else if (!mesh_worker_holds(worker))
        return false;
    worker->told = true;
    for (; mesh_engine_next_event(worker->engine, &event); any = true)
        mesh_http_live_put(worker->live, worker->live_product, &event);
    if (any || first)
        mesh_http_live_flush(worker->live, worker->live_product);
    return any;
}
