/* What the documents of a product have in common: the words for its ports, its people and its promises, and the custom properties that
 * the standards (ODPS, ODCS) have for what they do not name: {"property": "topic", "value": "shop.sales"}.
 */
#ifndef MESH_CODEGEN_DOCUMENT_COMMON_H
#define MESH_CODEGEN_DOCUMENT_COMMON_H

#include "codegen/json_out.h"
#include "codegen/model.h"

/* ---- custom properties: between begin and end ---- */
void mesh_custom_begin(struct mesh_json_out *json); /* the member `customProperties` of the object at hand */
void mesh_custom_text(struct mesh_json_out *json, const char *property, const char *value); /* NULL: nothing */
void mesh_custom_long(struct mesh_json_out *json, const char *property, int64_t value);
void mesh_custom_bool(struct mesh_json_out *json, const char *property, bool value);
/* A value of any kind: the caller writes the member "value" in between. */
void mesh_custom_open(struct mesh_json_out *json, const char *property);
void mesh_custom_close(struct mesh_json_out *json);
void mesh_custom_end(struct mesh_json_out *json);

const char *mesh_document_kind(enum mesh_model_port_kind kind); /* "kafka" */
/* "omnishop.sales_fraud.sales_fraud.sales": under this name the port's contract is at /contracts/. */
const char *mesh_document_port_id(struct mesh_arena *arena, const struct mesh_model_port *port);
void mesh_document_contract_id(struct mesh_json_out *json, const char *key, const struct mesh_model_port *port);
/* The members `team` and `support`. `url_needed`: channels without a URL are left out. */
void mesh_document_people(struct mesh_json_out *json, const struct mesh_model_product *product, bool url_needed);
/* latency, availability and retention as a list {property, value, unit}. */
void mesh_document_promises(struct mesh_json_out *json, const char *key, const struct mesh_model_product *product);
/* Custom properties of an output port: where it is and how it behaves. */
void mesh_document_port_custom(struct mesh_json_out *json, const struct mesh_model_port *port);

#endif
