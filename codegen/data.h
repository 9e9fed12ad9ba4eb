/* What templates are filled with: a tree of maps, lists, flags and texts, built by plan and emit.
 *
 * A text is either *code* (made by us from checked identifiers and numbers: printed as it is) or *prose* (anything a person wrote:
 * printed only through a filter that escapes it for the place it lands in). Everything lives in the arena.
 */
#ifndef MESH_CODEGEN_DATA_H
#define MESH_CODEGEN_DATA_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"

enum mesh_data_kind { MESH_DATA_CODE, MESH_DATA_PROSE, MESH_DATA_FLAG, MESH_DATA_LIST, MESH_DATA_MAP };

struct mesh_data {
    enum mesh_data_kind kind;
    const char *text;                   /* CODE, PROSE */
    bool flag;                          /* FLAG */
    MESH_VEC(struct mesh_data *) items; /* LIST; MAP: values ... */
    MESH_VEC(const char *) keys;        /* ... and their names */
};

struct mesh_data *mesh_data_map(struct mesh_arena *arena);
struct mesh_data *mesh_data_list(struct mesh_arena *arena);

/* All return the map or list, for chaining nothing: they set and are done. Setting a name twice is a bug of ours (assert). */
void mesh_data_set(struct mesh_arena *arena, struct mesh_data *map, const char *name, struct mesh_data *value);
void mesh_data_code(struct mesh_arena *arena, struct mesh_data *map, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void mesh_data_prose(struct mesh_arena *arena, struct mesh_data *map, const char *name, const char *text); /* NULL: empty */
void mesh_data_flag(struct mesh_arena *arena, struct mesh_data *map, const char *name, bool flag);
/* A list under this name, empty. */
struct mesh_data *mesh_data_sub(struct mesh_arena *arena, struct mesh_data *map, const char *name);
/* A new map at the end of the list. */
struct mesh_data *mesh_data_add(struct mesh_arena *arena, struct mesh_data *list);

const struct mesh_data *mesh_data_get(const struct mesh_data *map, const char *name); /* or NULL */

#endif
