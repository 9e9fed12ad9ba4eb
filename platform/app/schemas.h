/* What a product knows from the schema registry: the ids of what it writes, and the schemas of what it reads.
 *
 * A thread of its own asks (contract/registry.h); the worker never waits for it. Only with MESH_SCHEMA_REGISTRY_URL; without, all
 * functions take NULL and the ids are those that were computed when compiling (docs/decisions/001).
 *
 * Out: at the start each Kafka port's contract is registered under its subject, or, with MESH_SCHEMA_REGISTRY_REGISTER=0, looked up.
 * Until all have an id nothing is read (mesh_schemas_ready()), because what is read would be written on. What was learned, out and in,
 * stays in the state's folder (`schemas.json`), so that a restart needs no registry: an id means the same for ever.
 *
 * In: an id that is met for the first time is asked for, once; its partition waits, others go on. It then is
 *   - a version of the contract that the service was built with (the same normal form), or
 *   - a schema that the contract can read: a plan is made (contract/resolve.h), at most MESH_SCHEMAS_MAX at a time; the one that was not
 *     used for longest makes room, or
 *   - one that it cannot read: its records become dead letters, `schema.incompatible`, with the reason in a header, or
 *   - unknown to the registry, asked MESH_SCHEMAS_MISSES times (once, when more than MESH_SCHEMAS_PATIENCE were unknown within a minute): an id that was computed when compiling is taken as that (topics that
 *     were written before there was a registry), all others become dead letters, `schema.unknown`, and are asked again after
 *     MESH_SCHEMAS_MISS_S.
 * A registry that is away, refuses us or answers nonsense is none of these: the partition waits, and /readyz says why.
 */
#ifndef MESH_APP_SCHEMAS_H
#define MESH_APP_SCHEMAS_H

#include "contract/registry.h"
#include "flow/engine.h"
#include "io/wake.h"
#include "mesh/product.h"
#include "metrics/metrics.h"

#define MESH_SCHEMAS_MAX        256        /* schemas seen at run time that are kept ready */
#define MESH_SCHEMAS_BYTES_MAX  (1u << 20) /* of one schema's text */
#define MESH_SCHEMAS_MISSES     3
#define MESH_SCHEMAS_PATIENCE   8
#define MESH_SCHEMAS_MISS_MS    1000 /* between them */
#define MESH_SCHEMAS_MISS_S     60
#define MESH_SCHEMAS_RETRY_MS   500   /* after a registry that was away; doubles */
#define MESH_SCHEMAS_RETRY_MAX  10000 /* ms */
#define MESH_SCHEMAS_WHY_MAX    700
#define MESH_SCHEMAS_FILE       "schemas.json"
#define MESH_SCHEMAS_FILE_BYTES (2u << 20) /* of texts, in it */

enum mesh_schemas_subjects { MESH_SUBJECTS_TOPIC, MESH_SUBJECTS_RECORD, MESH_SUBJECTS_TOPIC_RECORD };

struct mesh_schemas_conf {
    const struct mesh_product *product;
    const struct mesh_registry_conf *registry; /* loaded; url "" : none is made */
    bool registers;                            /* else ids are only looked up */
    enum mesh_schemas_subjects subjects;
    const char *dir;  /* where schemas.json goes; borrowed */
    const char *name; /* of the product, for logs and metrics */
    struct mesh_metrics *metrics;
    struct mesh_wake *wake;
};

struct mesh_schemas;

/* *ret stays NULL when there is no registry. */
int mesh_schemas_new(const struct mesh_schemas_conf *conf, struct mesh_schemas **ret, struct mesh_err *err);
struct mesh_schemas *mesh_schemas_free(struct mesh_schemas *schemas);

/* ---- the worker's thread ---- */
/* Takes what the thread has learned. True: something is new, so what waited may be tried again. */
bool mesh_schemas_take(struct mesh_schemas *schemas);
/* Whether all ports have an id; they are in `ret_ids` (per port). NULL: true, and nothing is written. */
bool mesh_schemas_ready(const struct mesh_schemas *schemas, uint32_t *ret_ids);
/* Whether the schema of a record of this input is settled, one way or the other; if not it is being asked for. `letters`: the record
 * is a dead letter that comes back, of one of the product's inputs. */
bool mesh_schemas_settled(struct mesh_schemas *schemas, uint32_t input, const struct mesh_record *record);
/* For conf.written of the engine; NULL: none. */
const struct mesh_written_hook *mesh_schemas_hook(struct mesh_schemas *schemas);

/* ---- any thread ---- */
/* Why it waits for the registry, "" when it does not. */
void mesh_schemas_waits(struct mesh_schemas *schemas, char ret[MESH_SCHEMAS_WHY_MAX]);

#endif
