/* The fields of an output port as its readers see them: after protection, with the members that the platform adds to rows.
 *
 * An event (sse) has those of the stream's record, or of a row. A message (kafka) has the fields of its contract in their order; one that is dropped is always null. A row (http, mongo) has its
 * key, window_start, window_end and final when the view is windowed, revision, and the columns; one that is dropped is not there,
 * but stays in this list with what happens to it.
 */
#ifndef MESH_CODEGEN_PORT_FIELDS_H
#define MESH_CODEGEN_PORT_FIELDS_H

#include "codegen/model.h"

struct mesh_port_field {
    const char *name;
    const char *doc;           /* of the field; else the expression that computes it; or NULL */
    const char *subject;       /* whose it is, or NULL */
    struct mesh_gen_type type; /* before protection */
    enum mesh_label label;     /* behind the border: what is pseudonymised is pseudonymous */
    enum mesh_protect protect;
    bool key;                                 /* a row's key */
    const struct mesh_model_release *release; /* why it leaves as it is, or NULL */
    const struct mesh_model_mask *mask;       /* what holds for who has none of its roles, or NULL */
};

struct mesh_port_fields {
    MESH_VEC(struct mesh_port_field) list;
};

void mesh_port_fields_of(struct mesh_arena *arena, const struct mesh_model_port *port, struct mesh_port_fields *ret);

const char *mesh_port_label_word(enum mesh_label label);       /* "pseudonymous" */
const char *mesh_port_protect_word(enum mesh_protect protect); /* "none", "pseudonym", "drop", "redact", ... */
/* "*** for callers without the role care"; NULL: it is not masked. */
const char *mesh_port_mask_text(struct mesh_arena *arena, const struct mesh_port_field *field);
/* What the port is for: its own text, else that of its view or contract, or NULL. */
const char *mesh_port_doc(const struct mesh_model_port *port);

#endif
