/* A version beside another of the same product: everything that a running service owns outside its process bears the name of its variant,
 * so that two share nothing but what they read (docs/decisions/029-a-version-takes-over-at-positions.md).
 *
 *                                     without a variant           variant v2
 *     consumer group                  mesh.d.p                    mesh.d.p.v2
 *     folder of the state             <state>/p                   <state>/p.v2
 *     internal topics, dlq, late      mesh.p.partials             mesh.p.v2.partials
 *     retry topic                     mesh.p.retry                mesh.p.v2.retry
 *
 * These stay when the variant takes over: `meshctl dlq list p.v2`. While it is muted, also
 *
 *     topic of a port                 omnishop.sales.sales        omnishop.sales.sales.v2
 *     collection of a port            campaigns                   campaigns_v2
 */
#ifndef MESH_APP_VARIANT_H
#define MESH_APP_VARIANT_H

#include "base/arena.h"
#include "mesh/product.h"

/* `variant`: "" for none. The product with these names, in the arena. */
const struct mesh_product *mesh_variant_product(struct mesh_arena *arena, const struct mesh_product *product, const char *variant,
                                                bool muted);

#endif
