/* JSON: a reader that keeps positions, and a writer.
 *
 * The reader is for text that people write (.avsc files): every node knows its bytes, so that an error points at them. It refuses
 * duplicate keys, invalid UTF-8, trailing text and more than MESH_JSON_DEPTH_MAX levels. Numbers keep their text.
 */
#ifndef MESH_BASE_JSON_H
#define MESH_BASE_JSON_H

#include "base/diag.h"

#define MESH_JSON_DEPTH_MAX 64
#define MESH_JSON_BYTES_MAX (4u << 20)

enum mesh_json_kind { MESH_JSON_NULL, MESH_JSON_BOOL, MESH_JSON_NUMBER, MESH_JSON_STRING, MESH_JSON_ARRAY, MESH_JSON_OBJECT };

struct mesh_json {
    enum mesh_json_kind kind;
    struct mesh_srcref at; /* the whole value */
    bool boolean;
    const char *text;                 /* string: unescaped, NUL-terminated; number: as written */
    uint32_t n;                       /* bytes of text, or number of items or members */
    const struct mesh_json **items;   /* array */
    const char **keys;                /* object, in order */
    const struct mesh_srcref *key_at; /* object */
    const struct mesh_json **values;  /* object */
};

/* NULL after a diagnostic with `code`. Nodes live in the arena. */
const struct mesh_json *mesh_json_parse(struct mesh_arena *arena, const struct mesh_source *source, struct mesh_diags *diags,
                                        const char *code);
const struct mesh_json *mesh_json_get(const struct mesh_json *object, const char *key); /* NULL: absent, or no object */

/* Writing: the caller puts the punctuation, these escape and format. Invalid UTF-8 becomes U+FFFD. */
void mesh_json_string(struct mesh_buf *out, struct mesh_str text); /* with quotes */
void mesh_json_double(struct mesh_buf *out, double v);             /* shortest that reads back the same; NaN and infinities: null */
void mesh_json_long(struct mesh_buf *out, int64_t v);

#endif
