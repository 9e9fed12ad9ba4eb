/* JSON that people read: members one by one, two spaces a level, always valid.
 *
 * `key` is the member's name inside an object and NULL inside an array or at the top. A text that is NULL writes nothing, so that
 * what a declaration leaves out is left out here too. Texts and keys may hold anything; they are escaped.
 */
#ifndef MESH_CODEGEN_JSON_OUT_H
#define MESH_CODEGEN_JSON_OUT_H

#include "base/buf.h"

#define MESH_JSON_OUT_DEPTH_MAX 32

struct mesh_json_out {
    struct mesh_buf *out;
    int depth;
    int line_depth;                        /* everything deeper stands on one line; 0: nothing does */
    bool filled;                           /* the object or array at hand has a member */
    char closing[MESH_JSON_OUT_DEPTH_MAX]; /* '}' or ']' per level */
};

void mesh_json_out_object(struct mesh_json_out *json, const char *key);
void mesh_json_out_array(struct mesh_json_out *json, const char *key);
/* The same on one line, with all that is in it. */
void mesh_json_out_object_line(struct mesh_json_out *json, const char *key);
void mesh_json_out_array_line(struct mesh_json_out *json, const char *key);
/* Close the innermost; at the top a newline follows. */
void mesh_json_out_end(struct mesh_json_out *json);

void mesh_json_out_text(struct mesh_json_out *json, const char *key, const char *value);
void mesh_json_out_format(struct mesh_json_out *json, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void mesh_json_out_long(struct mesh_json_out *json, const char *key, int64_t value);
void mesh_json_out_double(struct mesh_json_out *json, const char *key, double value);
void mesh_json_out_bool(struct mesh_json_out *json, const char *key, bool value);
/* A value that is JSON already. */
void mesh_json_out_raw(struct mesh_json_out *json, const char *key, struct mesh_str value);
void mesh_json_out_null(struct mesh_json_out *json, const char *key);

#endif
