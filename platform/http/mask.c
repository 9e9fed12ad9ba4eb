#include "http/mask.h"

#include "io/border.h"

static bool holds(const struct mesh_mask *mask, const struct mesh_http_words *roles)
{
    return roles == NULL || !mesh_http_words_any(roles, mask->unless, mask->n_unless);
}

struct mesh_http_shape mesh_http_mask(const struct mesh_http_shape *shape, const struct mesh_port *port,
                                      const struct mesh_http_words *roles, struct mesh_arena *arena)
{
    struct mesh_http_shape masked = *shape;
    if (port->n_masks == 0)
        return masked;
    enum mesh_protect *rules = mesh_arena_alloc(arena, shape->n_out * sizeof *rules);
    for (uint32_t i = 0; i < shape->n_out; i++)
        rules[i] = mesh_border_rule(shape->out, shape->protect, i);
    for (uint32_t i = 0; i < port->n_masks; i++)
        if (holds(&port->masks[i], roles))
            rules[port->masks[i].member] = port->masks[i].rule;
    masked.protect = rules;
    return masked;
}

void mesh_http_mask_purpose(const struct mesh_port *port, const struct mesh_http_words *roles, struct mesh_buf *out)
{
    for (uint32_t i = 0; i < port->n_masks; i++)
        mesh_buf_puts(out, holds(&port->masks[i], roles) ? " masked" : " open");
}
