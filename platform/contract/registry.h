/* A client of a schema registry that speaks Confluent's REST API (Confluent, Apicurio under /apis/ccompat/v7, Karapace, Redpanda,
 * `meshctl registry`).
 *
 * Calls block, up to MESH_REGISTRY_CALL_MS for each attempt: a worker has a thread for them (app/schemas.h), a tool just waits. One
 * client is used by one thread at a time. An id means the same schema for ever, so what an id stands for is asked for once and kept
 * (MESH_REGISTRY_KEPT_*); that an id is not there is never kept.
 *
 *     struct mesh_registry_conf c = {.url = "https://registry:8081", .user = "ann", .password_file = "/run/secrets/registry"};
 *     mesh_registry_load(&c, say, context)       every contradiction is said; secrets are read from their files (base/secret.h)
 *     mesh_registry_new(&c, &registry, err)
 *
 * Several addresses with commas between them are tried in turn. Redirects are not followed: they could carry the password away. A
 * password or token goes over plain HTTP to loopback alone.
 *
 * Errors (negative), all of which name the address and the request:
 *     RETRY  registry.away     nobody answers, or only with 5xx, 429
 *     RETRY  registry.denied   401, 403; a certificate is not accepted by one of the sides: mend it there or here
 *     RETRY  registry.answer   what came is not a schema registry's answer, or longer than MESH_REGISTRY_ANSWER_MAX
 *     REJECT registry.refused  another 4xx: registry.incompatible for 409, with what the registry said
 * They are RETRY although somebody must do something, because it may be mended on the other side while the caller waits.
 */
#ifndef MESH_CONTRACT_REGISTRY_H
#define MESH_CONTRACT_REGISTRY_H

#include "contract/compat.h"
#include "contract/schema.h"
#include "mesh/err.h"

#include <stdatomic.h>

#define MESH_REGISTRY_CONNECT_MS   2000
#define MESH_REGISTRY_CALL_MS      5000
#define MESH_REGISTRY_BACKOFF_MS   100  /* before the second attempt; doubles */
#define MESH_REGISTRY_BACKOFF_MAX  2000 /* ms */
#define MESH_REGISTRY_ANSWER_MAX   (4u << 20)
#define MESH_REGISTRY_KEPT_MAX     1000 /* ids */
#define MESH_REGISTRY_KEPT_BYTES   (16u << 20)
#define MESH_REGISTRY_REFS_MAX     100 /* schemas that one schema needs, and they */
#define MESH_REGISTRY_URLS_MAX     8
#define MESH_REGISTRY_VERSIONS_MAX 100 /* of a subject that are looked at */

#define MESH_REGISTRY_URL_NAME               "MESH_SCHEMA_REGISTRY_URL"
#define MESH_REGISTRY_USER_NAME              "MESH_SCHEMA_REGISTRY_USER"
#define MESH_REGISTRY_PASSWORD_FILE_NAME     "MESH_SCHEMA_REGISTRY_PASSWORD_FILE"
#define MESH_REGISTRY_TOKEN_FILE_NAME        "MESH_SCHEMA_REGISTRY_TOKEN_FILE"
#define MESH_REGISTRY_CA_FILE_NAME           "MESH_SCHEMA_REGISTRY_CA_FILE"
#define MESH_REGISTRY_CERT_FILE_NAME         "MESH_SCHEMA_REGISTRY_CERT_FILE"
#define MESH_REGISTRY_KEY_FILE_NAME          "MESH_SCHEMA_REGISTRY_KEY_FILE"
#define MESH_REGISTRY_KEY_PASSWORD_FILE_NAME "MESH_SCHEMA_REGISTRY_KEY_PASSWORD_FILE"

struct mesh_registry_conf {
    const char *url;                  /* NULL, "": no registry */
    const char *user, *password_file; /* basic authentication, or ... */
    const char *token_file;           /* ... a bearer token */
    const char *ca_file;              /* PEM; not set: the CAs of the system */
    const char *cert_file, *key_file, *key_password_file;
    int attempts;                   /* of each call; 0: 4 */
    const atomic_bool *interrupted; /* a call under way ends when this becomes true; NULL: none does */

    char *password, *token, *key_password; /* these by load() */
};

typedef void mesh_registry_say(void *context, const char *text);
/* Checks, and reads the secrets. Says every problem; returns how many there were. */
int mesh_registry_load(struct mesh_registry_conf *conf, mesh_registry_say *say, void *context);
/* The same from the environment, for tools; `url` wins over the variable unless it is NULL. Negative: FATAL "config.registry". */
int mesh_registry_from_environment(struct mesh_registry_conf *ret, const char *url, struct mesh_err *err);
void mesh_registry_conf_deinit(struct mesh_registry_conf *conf);

struct mesh_registry_ref {
    const char *name, *subject;
    int version;
};

/* Lives in the arena that was given with the question. */
struct mesh_registry_schema {
    uint32_t id;
    int version;         /* 0: the question was not about one */
    const char *subject; /* NULL: likewise */
    const char *text;    /* the .avsc */
    const struct mesh_registry_ref *refs;
    size_t n_refs;
};

struct mesh_registry;

/* `conf` is loaded and borrowed. */
int mesh_registry_new(const struct mesh_registry_conf *conf, struct mesh_registry **ret, struct mesh_err *err);
void mesh_registry_free(struct mesh_registry *registry); /* takes NULL */

/* The schema becomes the subject's newest version, unless it is one of its versions already. REJECT "registry.incompatible" when the
 * subject's rule does not allow it. */
int mesh_registry_register(struct mesh_registry *registry, const char *subject, const struct mesh_registry_schema *schema,
                           uint32_t *ret_id, struct mesh_err *err);
/* 0; 1: the subject has no such schema. */
int mesh_registry_lookup(struct mesh_registry *registry, const char *subject, const struct mesh_registry_schema *schema,
                         uint32_t *ret_id, int *ret_version, struct mesh_err *err);
/* What an id, or a GUID of 16 bytes, stands for. 0; 1: nothing. */
int mesh_registry_by_id(struct mesh_registry *registry, struct mesh_arena *arena, uint32_t id, struct mesh_registry_schema *ret,
                        struct mesh_err *err);
/* As if it had been asked for: from a file of an earlier run. Copied. */
void mesh_registry_keep(struct mesh_registry *registry, const struct mesh_registry_schema *schema);
int mesh_registry_by_guid(struct mesh_registry *registry, struct mesh_arena *arena, const uint8_t guid[16],
                          struct mesh_registry_schema *ret, struct mesh_err *err);
/* Of a subject: its version, 0: the newest. 0; 1: there is no such subject or version. */
int mesh_registry_version(struct mesh_registry *registry, struct mesh_arena *arena, const char *subject, int version,
                          struct mesh_registry_schema *ret, struct mesh_err *err);
/* Oldest first. 0; 1: there is no such subject. */
int mesh_registry_versions(struct mesh_registry *registry, struct mesh_arena *arena, const char *subject, int **ret, size_t *ret_n,
                           struct mesh_err *err);
/* The newest version that is this schema, whatever its white space and documentation: by the normal form. Looks at the newest
 * MESH_REGISTRY_VERSIONS_MAX. 0; 1: none. */
int mesh_registry_find(struct mesh_registry *registry, struct mesh_arena *arena, const char *subject,
                       const struct mesh_schema *schema, uint32_t *ret_id, int *ret_version, struct mesh_err *err);
int mesh_registry_subjects(struct mesh_registry *registry, struct mesh_arena *arena, const char ***ret, size_t *ret_n,
                           struct mesh_err *err);
/* Whether the registry would take it as the next version, by the subject's rule; why not stands in `ret_why` when it says so, else "".
 * A subject that is not there takes everything. */
int mesh_registry_compatible(struct mesh_registry *registry, struct mesh_arena *arena, const char *subject,
                             const struct mesh_registry_schema *schema, bool *ret, const char **ret_why, struct mesh_err *err);
/* The rule of a subject; NULL: the one for all that have none. get: 0; 1: it has none of its own. */
int mesh_registry_rule(struct mesh_registry *registry, const char *subject, enum mesh_compat_mode *ret, struct mesh_err *err);
int mesh_registry_set_rule(struct mesh_registry *registry, const char *subject, enum mesh_compat_mode mode, struct mesh_err *err);

/* The schema with all that it refers to, which is asked for as well; `name` is what its places are called in messages. REJECT "registry.schema" when it is none that mesh can read. */
int mesh_registry_parse_as(struct mesh_registry *registry, struct mesh_arena *arena, const char *name,
                           const struct mesh_registry_schema *schema, struct mesh_schema **ret, struct mesh_err *err);
int mesh_registry_parse(struct mesh_registry *registry, struct mesh_arena *arena, const struct mesh_registry_schema *schema,
                        struct mesh_schema **ret, struct mesh_err *err);

#endif
