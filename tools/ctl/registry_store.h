/* The schemas of a small registry: subjects, their versions, their rules, in a folder.
 *
 * The folder holds one file, `journal.ndjson`: a line of JSON for each change, in order. A change is on the disk before it is told to
 * anybody, so a kill at any moment loses nothing that was answered; a last line that was cut is taken away at the next start. Who
 * wants to know what is in there reads the file. Nothing is ever taken out of it: registries are small, and an id once given means
 * its schema for ever.
 *
 * Subjects, versions and schemas live as long as the store. One thread.
 */
#ifndef MESH_CTL_REGISTRY_STORE_H
#define MESH_CTL_REGISTRY_STORE_H

#include "base/map.h"
#include "base/vec.h"
#include "contract/registry.h"

#define MESH_REGISTRY_JOURNAL       "journal.ndjson"
#define MESH_REGISTRY_SUBJECTS_MAX  100000
#define MESH_REGISTRY_JOURNAL_BYTES (1u << 30)
#define MESH_REGISTRY_GUID_TEXT     37

enum mesh_registry_mode { MESH_REGISTRY_READWRITE, MESH_REGISTRY_READONLY, MESH_REGISTRY_MODE_COUNT };

struct mesh_stored_schema {
    struct mesh_registry_schema schema; /* id, text, references */
    const char *compact;                /* the text without white space, and its references: what makes two schemas the same */
    const char *normal;                 /* the normal form, for `normalize` */
    char guid[MESH_REGISTRY_GUID_TEXT];
};

struct mesh_stored_version {
    int version;
    const struct mesh_stored_schema *schema;
    bool deleted, gone; /* by a first and by a second removal */
};

struct mesh_stored_subject {
    const char *name;
    MESH_VEC(struct mesh_stored_version) versions;
    bool has_rule, has_mode;
    enum mesh_compat_mode rule;
    enum mesh_registry_mode mode;
};

struct mesh_registry_store {
    struct mesh_arena arena;
    struct mesh_map subjects;                      /* name -> struct mesh_stored_subject */
    MESH_VEC(struct mesh_stored_schema *) schemas; /* [id - 1] */
    enum mesh_compat_mode rule;                    /* of subjects that have none */
    enum mesh_registry_mode mode;
    char *path;
    int fd;
};

/* FATAL "registry.store" when the folder is another one's, cannot be written, or holds what no registry wrote. */
int mesh_registry_store_open(const char *dir, struct mesh_registry_store *ret, struct mesh_err *err);
void mesh_registry_store_close(struct mesh_registry_store *store);

struct mesh_stored_subject *mesh_registry_store_subject(const struct mesh_registry_store *store, const char *name); /* or NULL */
/* 0: the newest that was not removed; NULL: there is none. `deleted`: removed ones count too. */
struct mesh_stored_version *mesh_registry_store_version(const struct mesh_stored_subject *subject, int version, bool deleted);
/* The schema with its references; what is wrong goes to `diags`. NULL: it is none. */
struct mesh_schema *mesh_registry_store_parse(const struct mesh_registry_store *store, struct mesh_arena *arena,
                                              const struct mesh_registry_schema *schema, struct mesh_diags *diags);
/* The version of the subject that has this schema (parsed), or NULL. */
struct mesh_stored_version *mesh_registry_store_find(const struct mesh_registry_store *store,
                                                     const struct mesh_stored_subject *subject,
                                                     const struct mesh_registry_schema *schema, const struct mesh_schema *parsed,
                                                     bool normalize, bool deleted);

/* Changes: on the disk when they return. RETRY "registry.store" when the disk does not take it; then nothing has changed. */
int mesh_registry_store_add(struct mesh_registry_store *store, const char *subject, const struct mesh_registry_schema *schema,
                            struct mesh_stored_version **ret, struct mesh_err *err);
int mesh_registry_store_remove(struct mesh_registry_store *store, const char *subject, int version, bool for_good,
                               struct mesh_err *err);
/* subject NULL: for all that have none of their own; `set` false: the subject has none any more. */
int mesh_registry_store_rule(struct mesh_registry_store *store, const char *subject, bool set, enum mesh_compat_mode rule,
                             struct mesh_err *err);
int mesh_registry_store_mode(struct mesh_registry_store *store, const char *subject, bool set, enum mesh_registry_mode mode,
                             struct mesh_err *err);
const char *mesh_registry_mode_name(enum mesh_registry_mode mode);
/* JSON without white space, appended. */
void mesh_registry_compact(const struct mesh_json *json, struct mesh_buf *out);

#endif
