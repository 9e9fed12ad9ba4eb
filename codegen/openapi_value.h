/* What a field is in OpenAPI: its type, and a value that fits it. Behind the port's border: a pseudonym is a text of 32 hex digits. */
#ifndef MESH_CODEGEN_OPENAPI_VALUE_H
#define MESH_CODEGEN_OPENAPI_VALUE_H

#include "codegen/json_out.h"
#include "codegen/port_fields.h"

/* type, format, pattern: the members of a schema, without what it means. */
void mesh_openapi_type(struct mesh_json_out *json, const struct mesh_port_field *field);
/* A plausible value: times and enums by their meaning, texts by their name. `view`: whose row it is; NULL: a stream's record. */
void mesh_openapi_example(struct mesh_json_out *json, struct mesh_arena *arena, const char *key, const struct mesh_model_view *view,
                          const struct mesh_port_field *field);

#endif
