/* Can data that one schema wrote be read with another? Why not, where, and what to do about it.
 *
 * The rules are those of Avro's own SchemaCompatibility, so the verdict is the one of a schema registry, with the same six kinds
 * and the same pointers:
 *
 *   - names are compared without namespace, or an alias of the reader is the writer's full name;
 *   - numbers widen (int, long, float, double), string and bytes are read as each other;
 *   - fields are found by name, else by an alias of the reader's field; a field that only the reader has needs a default, one that
 *     only the writer has is skipped;
 *   - every symbol of the writer's enum is one of the reader's, or the reader's enum has a default;
 *   - every branch of the writer's union can be read; a reader's union reads what one of its branches reads;
 *   - what is being compared already (recursion) counts as compatible.
 *
 * Two things are stricter, because Avro would hand out wrong values without a word: logical types must be the same, with the same
 * precision and scale (uuid and plain string are the same); and a reader's field that is found twice, by name and by alias, is an
 * error. Both are said as TYPE_MISMATCH and NAME_MISMATCH.
 *
 * A pointer leads into the reader's schema as Avro writes it: "/fields/1/type/symbols", "/" for the whole. A number behind the
 * place of a union is a branch of the writer's. Everything found lives in the arena; the schemas must outlive it.
 */
#ifndef MESH_CONTRACT_COMPAT_H
#define MESH_CONTRACT_COMPAT_H

#include "contract/schema.h"

#define MESH_COMPAT_FOUND_MAX 200 /* further ones are counted, not kept */
#define MESH_COMPAT_FIXES_MAX 4
#define MESH_COMPAT_DEPTH_MAX 500 /* types inside types; deeper ones are called incompatible */
#define MESH_COMPAT_PAIRS_MAX 100000

enum mesh_compat_kind {
    MESH_COMPAT_NAME_MISMATCH,
    MESH_COMPAT_FIXED_SIZE_MISMATCH,
    MESH_COMPAT_MISSING_ENUM_SYMBOLS,
    MESH_COMPAT_READER_FIELD_MISSING_DEFAULT_VALUE,
    MESH_COMPAT_TYPE_MISMATCH,
    MESH_COMPAT_MISSING_UNION_BRANCH,
    MESH_COMPAT_KIND_COUNT
};

/* Which of the two somebody is about to change; it decides what can be advised. */
enum mesh_compat_side { MESH_COMPAT_READER_IS_NEW, MESH_COMPAT_WRITER_IS_NEW };

struct mesh_incompat {
    enum mesh_compat_kind kind;
    const char *pointer;
    struct mesh_srcref reader_at, writer_at;  /* the tokens that do not agree */
    const char *reason;                       /* a sentence */
    const char *fixes[MESH_COMPAT_FIXES_MAX]; /* the best first */
    size_t n_fixes;
};

struct mesh_compat {
    const struct mesh_incompat *found; /* in order of the reader's schema; n == 0: compatible */
    size_t n, n_dropped;
};

void mesh_compat_check(struct mesh_arena *arena, const struct mesh_schema *reader, const struct mesh_schema *writer,
                       enum mesh_compat_side side, struct mesh_compat *ret);
/* Only the verdict. */
bool mesh_compat_ok(const struct mesh_schema *reader, const struct mesh_schema *writer);
const char *mesh_compat_kind_name(enum mesh_compat_kind kind); /* "NAME_MISMATCH" */

/* The seven modes of a registry:
 *   BACKWARD  the new schema reads what the last one wrote: upgrade consumers first
 *   FORWARD   the last schema reads what the new one writes: upgrade producers first
 *   FULL      both
 *   ..._TRANSITIVE  against every previous version, not only the last: for topics that keep old records
 */
enum mesh_compat_mode {
    MESH_COMPAT_NONE,
    MESH_COMPAT_BACKWARD,
    MESH_COMPAT_BACKWARD_TRANSITIVE,
    MESH_COMPAT_FORWARD,
    MESH_COMPAT_FORWARD_TRANSITIVE,
    MESH_COMPAT_FULL,
    MESH_COMPAT_FULL_TRANSITIVE,
    MESH_COMPAT_MODE_COUNT
};

const char *mesh_compat_mode_name(enum mesh_compat_mode mode);            /* "BACKWARD_TRANSITIVE" */
int mesh_compat_parse_mode(const char *text, enum mesh_compat_mode *ret); /* 0; 1: none of the names, whatever the case */

struct mesh_compat_verdict {
    size_t version; /* index in `previous` */
    bool forward;   /* the previous schema cannot read new data; else the new one cannot read old data */
    struct mesh_compat compat;
};

/* `previous`: oldest first. Checked newest first; only what is incompatible is returned. */
void mesh_compat_evolve(struct mesh_arena *arena, enum mesh_compat_mode mode, const struct mesh_schema *next,
                        const struct mesh_schema *const *previous, size_t n, struct mesh_compat_verdict **ret, size_t *ret_n);

#endif
