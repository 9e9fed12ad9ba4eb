/* Which fields of the input ports feed a field of an output port.
 *
 * Derived from the checked model alone, by walking back from the port: assignments through what their expressions read, folds and
 * `let` through the arguments of their aggregates, unions into each of their sources, joins into their table. *direct* means that
 * the value goes into the result; *indirect* that it decides whether, where or when there is a result: conditions, keys, joins'
 * keys, event times. What is indirect for all that a port sends is asked once, for the port; for a field remains what is its own.
 *
 * window_start and window_end come from the event times; `final` and `revision` count and close, so they have nothing but what
 * decides for the port. meta.time is the event time of the record.
 */
#ifndef MESH_CODEGEN_LINEAGE_H
#define MESH_CODEGEN_LINEAGE_H

#include "codegen/model.h"

struct mesh_lineage_source {
    const struct mesh_model_input *input;
    const char *field;
    bool direct;
};

struct mesh_lineage {
    MESH_VEC(struct mesh_lineage_source) sources; /* in order of declaration, each field once; direct wins */
};

/* `field` is a member of the shape that the port sends, or one of the window's; anything else has no sources. */
void mesh_lineage_of_field(struct mesh_arena *arena, const struct mesh_model_product *product, const struct mesh_model_port *port,
                           const char *field, struct mesh_lineage *ret);
/* What decides about every field of the port: all of it indirect. */
void mesh_lineage_of_port(struct mesh_arena *arena, const struct mesh_model_product *product, const struct mesh_model_port *port,
                          struct mesh_lineage *ret);

#endif
