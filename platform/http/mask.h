/* What a port shows to one caller: its own rules, and over them the masks of fields that he has no role for.
 *
 * Everything behind asks the shape that comes out of here (http/encode.h): what is masked is no condition, no order and no entry of the
 * audit, as little as what the port protects for everybody.
 */
#ifndef MESH_HTTP_MASK_H
#define MESH_HTTP_MASK_H

#include "base/arena.h"
#include "http/auth.h"
#include "http/encode.h"

/* roles NULL: he has none. The rules live in the arena, or are the port's own. */
struct mesh_http_shape mesh_http_mask(const struct mesh_http_shape *shape, const struct mesh_port *port,
                                      const struct mesh_http_words *roles, struct mesh_arena *arena);
/* Which masks hold, as text: a page's token is bound to it. */
void mesh_http_mask_purpose(const struct mesh_port *port, const struct mesh_http_words *roles, struct mesh_buf *out);

#endif
