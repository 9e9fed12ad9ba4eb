/* What the states of a product take in memory.
 *
 * A state is a table of rows (platform/store/table.h): a head with the key in it when that is short, then what the kind keeps, and
 * slots to find it by. Rows of some kinds own more: the events of a ring, the versions of a table, the runs of a pattern. Texts are
 * allocated one by one. How long texts and keys are, and how many events a key has, no declaration says: they are taken as the
 * constants below, and one more of each is told beside.
 *
 * The sizes are those of the platform, which this layer cannot include; tests/unit/plan_bytes_test.c holds them against it.
 */
#ifndef MESH_CODEGEN_PLAN_BYTES_H
#define MESH_CODEGEN_PLAN_BYTES_H

#include "codegen/plan.h"

#define MESH_PLAN_TEXT_BYTES    16  /* a text, in a key or a row */
#define MESH_PLAN_ROW_HEAD      64  /* struct mesh_store_row */
#define MESH_PLAN_KEY_INLINE    24  /* longer keys are allocated */
#define MESH_PLAN_VIEW_HEAD     32  /* struct mesh_flow_view_row */
#define MESH_PLAN_CELL_BYTES    16  /* union mesh_cell */
#define MESH_PLAN_SESSION_BYTES 112 /* a session's timer, and the list of its key, as if no other session shared it */
/* Sketches: of 511 different values or more; and of values that lie within two factors of two. */
#define MESH_PLAN_DISTINCT_BYTES 4096
#define MESH_PLAN_PEOPLE_HEAD    8 /* and so much for all but one of min_people, as long as a row is hidden */
#define MESH_PLAN_PERSON_BYTES   8
#define MESH_PLAN_QUANTILE_BYTES 2048
/* What a fold, a versioned table, a pattern and a join of streams keep in their row, ... */
#define MESH_PLAN_RING_BYTES     40
#define MESH_PLAN_VERSIONS_BYTES 24
#define MESH_PLAN_RUNS_BYTES     40
#define MESH_PLAN_INTERVAL_BYTES 32
/* ... how many events, rows and runs there is room for at first, ... */
#define MESH_PLAN_RING_FIRST     4
#define MESH_PLAN_VERSIONS_FIRST 2
#define MESH_PLAN_RUNS_FIRST     2
#define MESH_PLAN_INTERVAL_FIRST 2
/* ... an event without its cells, a version or a joined record without its row, and a run without what it captured. */
#define MESH_PLAN_EVENT_BYTES 8
#define MESH_PLAN_RUN_BYTES   24

struct mesh_plan_bytes {
    size_t payload;     /* behind the head of a row */
    size_t stride;      /* a row: head, payload, rounded up */
    size_t key;         /* of the key, as the table keeps it */
    size_t texts;       /* that a row (or item) owns */
    size_t item;        /* one more event, version or run; 0: the kind has none */
    size_t items_first; /* there is room for so many from the start */
    size_t items_fixed; /* bytes beside them */
    uint64_t keys_max;  /* a key of enums and bools has no more values; 0: no such limit */
};

/* The plan is one of mesh_plan_make(). `ret` has one for each state, in the order of plan->states, from the arena of the mesh. */
void mesh_plan_bytes_of(struct mesh_plan *plan, struct mesh_plan_bytes **ret);

/* Of a table with so many rows, as mesh_store_table.bytes counts it: slots, slabs, long keys. */
uint64_t mesh_plan_table_bytes(uint64_t rows, const struct mesh_plan_bytes *bytes);
/* What rows own beside: items there is room for at first, and texts. */
uint64_t mesh_plan_owned_bytes(uint64_t rows, const struct mesh_plan_bytes *bytes);
/* One row with what it owns, and its share of the slots (13 to 26 bytes, 16 here). */
uint64_t mesh_plan_row_bytes(const struct mesh_plan_bytes *bytes);
/* Rows that a key has at most at one time: the windows that are kept; 0: they are kept for ever. */
uint64_t mesh_plan_rows_per_key(const struct mesh_plan_state *state);

#endif
