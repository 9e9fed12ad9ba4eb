/* What app/schemas*.c share. Private to them.
 *
 *     schemas.c       the worker's side: which id means what
 *     schemas_link.c  the thread that asks
 *     schemas_file.c  the ids of the ports, kept over restarts
 */
#ifndef MESH_APP_SCHEMAS_INT_H
#define MESH_APP_SCHEMAS_INT_H

#include "app/schemas.h"
#include "base/vec.h"
#include "contract/framing.h"
#include "contract/resolve.h"

#include <pthread.h>

/* What a frame says, as a key. */
struct mesh_schemas_key {
    uint32_t input;
    enum mesh_frame_kind kind; /* ID or GUID */
    uint32_t id;
    uint8_t guid[16];
};

enum mesh_schemas_verdict {
    MESH_SCHEMAS_ASKED, /* no answer yet */
    MESH_SCHEMAS_VERSION,
    MESH_SCHEMAS_PLAN,
    MESH_SCHEMAS_UNFIT,
    MESH_SCHEMAS_MISSING,
};

/* A question, and with it what became of it. */
struct mesh_schemas_entry {
    struct mesh_schemas_key key;
    enum mesh_schemas_verdict verdict;
    uint64_t used;
    /* the answer */
    enum mesh_schemas_verdict answer;
    uint32_t version;          /* VERSION; of PLAN the one it makes */
    struct mesh_resolve *plan; /* PLAN; owned */
    char *why;                 /* UNFIT; owned */
    int misses;
    int64_t not_before_us;           /* when to ask again; monotonic */
    struct mesh_schemas_entry *next; /* in a queue */
};

struct mesh_schemas {
    struct mesh_schemas_conf conf;
    struct mesh_registry *registry; /* the thread's */
    struct mesh_registry_conf registry_conf;
    struct mesh_arena arena;                    /* of ... */
    MESH_VEC(struct mesh_registry_schema) seen; /* ... what is in the file; the thread's */
    size_t seen_bytes;
    int64_t unknown_from_us; /* the thread's: so many ids were unknown since */
    int n_unknown;
    atomic_bool stop;
    pthread_t thread;
    bool started;

    /* the worker's */
    struct mesh_schemas_entry *entries[MESH_SCHEMAS_MAX];
    size_t n_entries;
    struct mesh_schemas_entry **last; /* per input: the one that was found last */
    uint64_t uses;
    struct mesh_written_hook hook;
    struct mesh_metric *m_up, *m_plans, *m_asked;

    /* both; under lock */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct mesh_schemas_entry *questions, *answers;
    uint32_t *port_ids; /* 0: none yet, or no Kafka port */
    bool ready, ids_changed;
    bool waits; /* a question or the ports' ids wait for ... */
    char why[MESH_SCHEMAS_WHY_MAX];
};

/* schemas_link.c */
void *mesh_schemas_run(void *schemas);

/* schemas_file.c: before the thread, and by it. */
void mesh_schemas_file_read(struct mesh_schemas *schemas);
/* A schema that was met, for the next write. False: it is there, or there is no room. */
bool mesh_schemas_file_add(struct mesh_schemas *schemas, const struct mesh_registry_schema *schema);
int mesh_schemas_file_write(struct mesh_schemas *schemas, struct mesh_err *err);

#endif
