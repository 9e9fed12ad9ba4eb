/* What a port withholds of a row: the one place, for everything that leaves a view. */
#include "flow/state.h"

void mesh_flow_consents_metrics(struct mesh_engine *engine)
{
    const struct mesh_product *product = engine->product;
    for (uint32_t p = 0; p < product->n_ports; p++)
        for (uint32_t i = 0; i < product->ports[p].n_consents; i++)
            *mesh_vec_push(&engine->m_denied) = mesh_metric_counter(
                engine->metrics, "mesh_denied_total", "Rows that were shown without what consent is missing for", "port",
                product->ports[p].name, "purpose", product->ports[p].consents[i].purpose, NULL);
}

static struct mesh_metric *denied(const struct mesh_engine *engine, uint32_t port, uint32_t i)
{
    for (uint32_t p = 0; p < port; p++)
        i += engine->product->ports[p].n_consents;
    return engine->m_denied.v[i];
}

static void blank(const struct mesh_field *field, void *out)
{
    static const size_t sizes[MESH_TYPE_COUNT] = {
        [MESH_BOOL] = sizeof(bool),
        [MESH_INT] = sizeof(int64_t),
        [MESH_LONG] = sizeof(int64_t),
        [MESH_DOUBLE] = sizeof(double),
        [MESH_DECIMAL] = sizeof(mesh_dec),
        [MESH_STRING] = sizeof(struct mesh_str),
        [MESH_BYTES] = sizeof(struct mesh_str),
        [MESH_ENUM] = sizeof(int32_t),
        [MESH_TIMESTAMP] = sizeof(int64_t),
        [MESH_DATE] = sizeof(int64_t),
        [MESH_DURATION] = sizeof(int64_t),
    };
    mesh_assert(field->nullable); /* MG082 */
    *((bool *)out + field->present) = false;
    memset((char *)out + field->offset, 0, sizes[field->type]);
}

enum mesh_flow_withheld mesh_flow_withhold(const struct mesh_engine *engine, uint32_t port_index, void *out)
{
    const struct mesh_port *port = &engine->product->ports[port_index];
    const struct mesh_field *fields = port->n_consents == 0 ? NULL : engine->product->views[port->view].out;
    enum mesh_flow_withheld all = MESH_FLOW_SHOWN;
    for (uint32_t i = 0; i < port->n_consents; i++) {
        const struct mesh_port_consent *consent = &port->consents[i];
        if (*((const bool *)out + fields[consent->granted].offset))
            continue;
        mesh_metric_add(denied(engine, port_index, i), 1);
        for (uint32_t m = 0; m < consent->n_members; m++)
            blank(&fields[consent->members[m]], out);
        bool was_given = *((const bool *)out + fields[consent->given].present);
        if (consent->row && all != MESH_FLOW_ROW_UNSENT)
            all = was_given ? MESH_FLOW_ROW_WITHDRAWN : MESH_FLOW_ROW_UNSENT;
    }
    return all;
}
