/* Keeps a product's state within its memory (MESH_STATE_MB).
 *
 * Above 15/16 of it, rows that were not used longest go to a nameless file in the state's folder, some megabytes at a time between two
 * records (store/spill.h). When nothing more can go, because it is in use, belongs to rows of varying length, or the disk is full, the
 * inputs pause: nothing is read, questions are still answered, and /readyz says which state is the largest. It goes on by itself when there
 * is room again: time that passes in other inputs, a disk with space, a larger budget at the next start.
 *
 * Counted are states, records held back and unsent messages; not the fetch queues (MESH_KAFKA_FETCH_MB) nor the program itself. */
#ifndef MESH_APP_MEMORY_H
#define MESH_APP_MEMORY_H

#include "flow/engine.h"

struct mesh_store_spill;

struct mesh_memory {
    uint64_t budget; /* bytes; 0: no limit, and then nothing else is set */
    struct mesh_store_spill *spill;
    uint64_t shared_before;                 /* pages of files that the process had in memory at first */
    int64_t looked_us, chilled_us, said_us; /* monotonic */
    struct mesh_engine_memory seen;         /* when it was looked at last */
    bool paused, said_full;
};

/* What MESH_STATE_MB means for each of so many products. 0: half of what the container may have is for all of them, and without such a
 * limit there is none. `limit_file`: where the kernel says it, MESH_MEMORY_LIMIT_FILE. */
#define MESH_MEMORY_LIMIT_FILE "/sys/fs/cgroup/memory.max"
uint64_t mesh_memory_budget(int64_t state_mb, uint32_t n_products, const char *limit_file);

/* With a budget: makes the file in `dir`; NULL: nothing may go to the disk, because it would be readable there. FATAL "state.spill". */
int mesh_memory_init(struct mesh_memory *memory, uint64_t budget, const char *dir, struct mesh_err *err);
void mesh_memory_deinit(struct mesh_memory *memory); /* behind the engine's end */
/* Between two legs, as often as one likes. `product`: whose, for the log. */
void mesh_memory_mind(struct mesh_memory *memory, struct mesh_engine *engine, const char *product);
/* The same while the log is read: nothing pauses. */
void mesh_memory_loading(struct mesh_memory *memory, struct mesh_engine *engine, const char *product);
/* For /readyz: `,"memory":{...}`; nothing without a budget. Returns whether the inputs pause. */
bool mesh_memory_show(const struct mesh_memory *memory, struct mesh_buf *out);

#endif
