/* Which fields of the input ports feed a field of an output port.
 *
 * Derived from the checked model alone, by walking back from the port: assignments through what their expressions read, folds and
 * `let` through the arguments of their aggregates, unions into each of their sources, joins into their table. *direct* means that
 * the value goes into the result; *indirect* that it decides whether, where or when there is a result: conditions, keys, joins'
 * keys, event times. What is indirect for all that a port sends is asked once, for the port; for a field remains what is its own.
 *
 * window_start and window_end come from the event times; `final` and `revision` count and close, so they have nothing but what
 * decides for the port. meta.time is the event time of the record.
 *
 * Beside the sources stands the way: a graph of places. A *place* is a field of an input, a field of a stream (computed there, or
 * handed on), a column of a view, or a condition; it knows its line. An edge goes from what is read to what reads it, in the end to
 * MESH_LINEAGE_RESULT, the field (or port) that was asked for. Places and edges stand in the order in which the walk back met them.
 */
#ifndef MESH_CODEGEN_LINEAGE_H
#define MESH_CODEGEN_LINEAGE_H

#include "codegen/model.h"

enum mesh_lineage_kind {
    MESH_LINEAGE_INPUT,   /* "inputPorts.payments.amount" */
    MESH_LINEAGE_STREAM,  /* "streams.clean.amount_eur" */
    MESH_LINEAGE_VIEW,    /* "views.cards.n_7d" */
    MESH_LINEAGE_DECIDES, /* "streams.clean where": whether, where or when there is a result */
};

struct mesh_lineage_place {
    enum mesh_lineage_kind kind;
    const char *name;
    const char *text;                     /* what computes it, as CEL; NULL: it is handed on as it is */
    struct mesh_srcref at;                /* in the declaration */
    const struct mesh_model_input *input; /* INPUT: of this one ... */
    const char *field;                    /* ... this field */
    const void *owner;                    /* what makes it this place: input, assignment, stream, view, step */
    bool direct;                          /* its value goes into the result */
    bool aggregate;                       /* it is made of many records: a column's `let` or `update`, a fold */
};

#define MESH_LINEAGE_RESULT SIZE_MAX

struct mesh_lineage_edge {
    size_t from, to; /* of places; `to` may be MESH_LINEAGE_RESULT */
    bool direct;
};

struct mesh_lineage_source {
    const struct mesh_model_input *input;
    const char *field;
    bool direct;
};

struct mesh_lineage {
    MESH_VEC(struct mesh_lineage_source) sources; /* in order of declaration, each field once; direct wins */
    MESH_VEC(struct mesh_lineage_place) places;
    MESH_VEC(struct mesh_lineage_edge) edges; /* each pair once; direct wins */
};

/* `field` is a member of the shape that the port sends, or one of the window's; anything else has no sources. */
void mesh_lineage_of_field(struct mesh_arena *arena, const struct mesh_model_product *product, const struct mesh_model_port *port,
                           const char *field, struct mesh_lineage *ret);
/* What decides about every field of the port: all of it indirect. */
void mesh_lineage_of_port(struct mesh_arena *arena, const struct mesh_model_product *product, const struct mesh_model_port *port,
                          struct mesh_lineage *ret);

#endif
