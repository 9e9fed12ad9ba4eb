/* What `meshgen lineage` prints: the way of every field of the output ports, back to the fields that come from outside the mesh.
 *
 * The way inside a product is that of lineage.h; an input that is another product's port goes on in that port. Products that read
 * each other in a circle are followed once around. The order is that of the declarations: the same mesh gives the same bytes.
 */
#ifndef MESH_CODEGEN_SHOW_LINEAGE_H
#define MESH_CODEGEN_SHOW_LINEAGE_H

#include "codegen/lineage.h"
#include "codegen/port_fields.h"

/* What is shown: everything, one product, or one field of one port. */
struct mesh_show_lineage {
    struct mesh_arena *arena;
    const struct mesh_model *model;
    const struct mesh_model_product *product; /* NULL: all */
    const struct mesh_model_port *port;       /* NULL: all; else of `product`, with ... */
    const char *field;                        /* ... this field */
};

void mesh_show_lineage_text(const struct mesh_show_lineage *show, struct mesh_buf *out);
void mesh_show_lineage_json(const struct mesh_show_lineage *show, struct mesh_buf *out); /* docs/DECLARATION.md has its members */
void mesh_show_lineage_mermaid(const struct mesh_show_lineage *show, struct mesh_buf *out);
void mesh_show_lineage_dot(const struct mesh_show_lineage *show, struct mesh_buf *out);
/* One OpenLineage JobEvent per product and line. `time` is its eventTime, RFC 3339. */
void mesh_show_openlineage(const struct mesh_show_lineage *show, const char *time, struct mesh_buf *out);

/* ---- shared by the formats ---- */

/* A field that comes from outside the mesh, and whether its value goes all the way. */
struct mesh_show_origin {
    const struct mesh_model_product *product;
    const struct mesh_model_input *input;
    const char *field;
    bool direct;
};
struct mesh_show_origins {
    MESH_VEC(struct mesh_show_origin) list;
};

/* `field` NULL: of what decides for every field of the port. */
void mesh_show_lineage_of(const struct mesh_show_lineage *show, const struct mesh_model_port *port, const char *field,
                          struct mesh_lineage *ret);
void mesh_show_origins_of(const struct mesh_show_lineage *show, const struct mesh_lineage *lineage,
                          const struct mesh_model_product *product, struct mesh_show_origins *ret);
bool mesh_show_has_source(const struct mesh_lineage *lineage, const struct mesh_lineage_source *source);

/* Whether the product, port or field is to be shown. */
bool mesh_show_product(const struct mesh_show_lineage *show, const struct mesh_model_product *product);
bool mesh_show_port(const struct mesh_show_lineage *show, const struct mesh_model_port *port);
bool mesh_show_field(const struct mesh_show_lineage *show, const char *field);

const char *mesh_show_product_name(struct mesh_arena *arena, const struct mesh_model_product *product); /* "sales/orders" */
const char *mesh_show_port_kind(const struct mesh_model_port *port);                                    /* "kafka" */
const char *mesh_show_port_target(const struct mesh_model_port *port);     /* topic, path or collection */
const char *mesh_show_at(struct mesh_arena *arena, struct mesh_srcref at); /* "domains/x/product.yaml:12"; "" for no place */
/* Label inside the product, in front of the border. */
enum mesh_label mesh_show_label(const struct mesh_model_port *port, const struct mesh_port_field *field);
enum mesh_label mesh_show_input_label(const struct mesh_model_input *input, const char *field);
/* What the border does: "none", "pseudonym", "drop", "release", or "aggregate" (adds up what a pseudonym did). */
const char *mesh_show_border(const struct mesh_model_port *port, const struct mesh_port_field *field);
/* A text that a person wrote, without what would move the cursor of a terminal. */
const char *mesh_show_plain(struct mesh_arena *arena, const char *text);

#endif
