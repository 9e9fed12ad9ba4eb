/* What the OpenAPI documents of all products have in common: the platform's own paths, parameters, headers and problems. */
#ifndef MESH_CODEGEN_OPENAPI_COMMON_H
#define MESH_CODEGEN_OPENAPI_COMMON_H

#include "codegen/json_out.h"

/* {"$ref": "#/components/<kind>/<name>"} */
void mesh_openapi_ref(struct mesh_json_out *json, const char *key, const char *kind, const char *name);

/* Members of `paths`. */
void mesh_openapi_paths(struct mesh_json_out *json);
/* Members of `content`: the formats with a row a line. */
void mesh_openapi_line_formats(struct mesh_json_out *json);
/* Members of `components`: parameters limit, after, count, committed, minPosition, windowOfList, windowOfKey, from, to,
 * ifNoneMatch; headers etag, product, asOf, position, durable, count, next; responses notModified, badRequest, unknownCaller, forbidden, notFound,
 * notAcceptable, notReached,
 * tooMuch, unavailable; securitySchemes bearer and apiKey. */
void mesh_openapi_components(struct mesh_json_out *json);
/* The member `security` of an operation: one of these roles, where callers are known. */
void mesh_openapi_security(struct mesh_json_out *json, const char *const *roles, size_t n);
/* A member of `components.schemas`: mesh.problem. No port can have a name with a dot. */
void mesh_openapi_problem_schema(struct mesh_json_out *json);

#endif
