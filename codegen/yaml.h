/* YAML as a tree whose every node knows its bytes.
 *
 * A declaration is untrusted text. What YAML has and a declaration does not need is refused: duplicate keys, anchors and aliases,
 * tags, several documents, tabs as indentation, keys that are not text. All scalars are text: `no` and `1.10` stay what was
 * written; the table in bind.c says what they mean.
 *
 * Codes: MY001 not YAML; MY002 not UTF-8; MY003 a key twice; MY004 anchor or alias; MY005 tag; MY006 several documents; MY007 tab;
 * MY008 too deep; MY009 too large; MY010 a key that is not text; MY011 an expression that YAML cuts.
 */
#ifndef MESH_CODEGEN_YAML_H
#define MESH_CODEGEN_YAML_H

#include "base/diag.h"

#define MESH_YAML_DEPTH_MAX 32
#define MESH_YAML_BYTES_MAX (1u << 20)
#define MESH_YAML_NODES_MAX 20000

enum mesh_yaml_kind { MESH_YAML_SCALAR, MESH_YAML_LIST, MESH_YAML_MAP };

enum mesh_yaml_style { MESH_YAML_PLAIN, MESH_YAML_SINGLE, MESH_YAML_DOUBLE, MESH_YAML_BLOCK /* | and > */ };

struct mesh_yaml;

struct mesh_yaml_entry {
    const char *key;
    struct mesh_srcref key_at;
    struct mesh_yaml *value;
};

struct mesh_yaml {
    enum mesh_yaml_kind kind;
    struct mesh_srcref at;      /* scalar: its content, without quotes; list, map: from the first byte to the last item's end */
    const char *text;           /* scalar; NUL-terminated, never NULL */
    enum mesh_yaml_style style; /* scalar */
    bool flow;                  /* list, map: written with [] or {} */
    bool bad;                   /* bind reported it: reads as absent */
    MESH_VEC(struct mesh_yaml *) items;       /* list */
    MESH_VEC(struct mesh_yaml_entry) entries; /* map, in order */
};

/* NULL after a diagnostic. An empty document is an empty map. Everything lives in the arena. */
struct mesh_yaml *mesh_yaml_parse(struct mesh_arena *arena, const struct mesh_source *source, struct mesh_diags *diags);

/* NULL: absent, or `map` is NULL or no map. */
const struct mesh_yaml_entry *mesh_yaml_entry(const struct mesh_yaml *map, const char *key);
struct mesh_yaml *mesh_yaml_get(const struct mesh_yaml *map, const char *key);
/* `key:` with nothing behind it. */
bool mesh_yaml_is_empty(const struct mesh_yaml *node);

#endif
