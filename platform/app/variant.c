/* Generated products are constants: what is renamed is copied. */
#include "app/variant.h"

#include "flow/role.h"

#include <string.h>

/* "mesh.p.partials" -> "mesh.p.v2.partials"; a topic that is named otherwise gets it behind. */
static const char *own(struct mesh_arena *arena, const struct mesh_product *product, const char *topic, const char *variant)
{
    if (topic == NULL || variant[0] == '\0')
        return topic;
    const char *begin = mesh_arena_printf(arena, "mesh.%s.", product->name);
    size_t n = strlen(begin);
    if (strncmp(topic, begin, n) == 0)
        return mesh_arena_printf(arena, "%s%s.%s", begin, variant, topic + n);
    return mesh_arena_printf(arena, "%s.%s", topic, variant);
}

const struct mesh_product *mesh_variant_product(struct mesh_arena *arena, const struct mesh_product *product, const char *variant,
                                                bool muted)
{
    if (variant[0] == '\0' && !muted)
        return product;
    struct mesh_product *copy = mesh_arena_new(arena, struct mesh_product);
    *copy = *product;
    copy->dlq_topic = own(arena, product, product->dlq_topic, variant);
    copy->late_topic = own(arena, product, product->late_topic, variant);

    struct mesh_input *inputs = mesh_arena_alloc(arena, (product->n_inputs + 1) * sizeof *inputs);
    for (uint32_t i = 0; i < product->n_inputs; i++) {
        inputs[i] = product->inputs[i];
        if (inputs[i].kind != MESH_INPUT_STREAM && inputs[i].kind != MESH_INPUT_TABLE)
            inputs[i].topic = own(arena, product, inputs[i].topic, variant);
    }
    copy->inputs = inputs;

    struct mesh_internal *internals = mesh_arena_alloc(arena, (product->n_internals + 1) * sizeof *internals);
    for (uint32_t i = 0; i < product->n_internals; i++) {
        internals[i] = product->internals[i];
        internals[i].topic = own(arena, product, internals[i].topic, variant);
    }
    copy->internals = internals;

    struct mesh_port *ports = mesh_arena_alloc(arena, (product->n_ports + 1) * sizeof *ports);
    const char *aside = variant[0] == '\0' ? MESH_VARIANT_BASE : variant;
    for (uint32_t i = 0; i < product->n_ports; i++) {
        ports[i] = product->ports[i];
        if (muted && ports[i].topic != NULL)
            ports[i].topic = mesh_arena_printf(arena, "%s.%s", ports[i].topic, aside);
        if (muted && ports[i].collection != NULL)
            ports[i].collection = mesh_arena_printf(arena, "%s_%s", ports[i].collection, aside);
    }
    copy->ports = ports;
    return copy;
}
