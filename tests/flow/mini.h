/* The smallest product a step can be tested with: one key, one task, one or two inputs of the same records, no ports. The order of records
 * is that of the input, or, with two, of their event times; so a test can say what must come out from the events alone. */
#ifndef TESTS_FLOW_MINI_H
#define TESTS_FLOW_MINI_H

#include "flow/engine.h"
#include "mesh/mesh.h"

#define MINI_SECOND   INT64_C(1000000)
#define MINI_START_US (1700000000 * MINI_SECOND)
#define MINI_DELAY_US (5 * MINI_SECOND)
#define MINI_STATES   8 /* at most */

struct mini_event {
    int64_t id, key, value, at;
    uint32_t side; /* the input that it comes through, when there are two */
};

extern const struct mesh_field mini_fields[2]; /* id and at: what may be kept of an event */

void mini_decode(struct mesh_in *in, uint32_t version, void *record);
int64_t mini_time(const void *record);
extern const struct mesh_contract mini_contract;
extern const uint32_t mini_indexes[MINI_STATES];

#define MINI_INPUT(name_, process_)                                                                                                \
    {                                                                                                                              \
        .name = (name_), .topic = (name_), .kind = MESH_INPUT_STREAM, .contracts = &mini_contract, .n_contracts = 1,               \
        .record_size = sizeof(struct mini_event), .decode = mini_decode, .event_time = mini_time, .process = (process_),           \
        .delay_us = MINI_DELAY_US, .idle_us = 10 * MINI_SECOND                                                                     \
    }
/* A product over `n` inputs of a table and all of a table of states. */
#define MINI_PRODUCT(product_, inputs_, n, states_)                                                                                \
    static const struct mesh_topology topology_of_##product_ = {.name = "t",                                                       \
                                                                .inputs = mini_indexes,                                            \
                                                                .n_inputs = (n),                                                   \
                                                                .states = mini_indexes,                                            \
                                                                .n_states = sizeof(states_) / sizeof(states_)[0],                  \
                                                                .ordered = (n) > 1};                                               \
    static const struct mesh_product product_ = {.abi = MESH_ABI,                                                                  \
                                                 .domain = "d",                                                                    \
                                                 .name = "p",                                                                      \
                                                 .state_hash = "x",                                                                \
                                                 .inputs = (inputs_),                                                              \
                                                 .n_inputs = (n),                                                                  \
                                                 .states = (states_),                                                              \
                                                 .n_states = sizeof(states_) / sizeof(states_)[0],                                 \
                                                 .topologies = &topology_of_##product_,                                            \
                                                 .n_topologies = 1,                                                                \
                                                 .dlq_topic = "dlq",                                                               \
                                                 .late_topic = "late"}

struct mini {
    const struct mesh_product *product;
    struct mesh_engine *engine;
    struct mesh_metrics *metrics;
    struct mesh_buf log;
    int64_t offsets[2];
    struct mesh_store_spill *spill;
    void (*event_text)(void *context, uint32_t port, const void *shown, bool removed, struct mesh_buf *out);
};

void mini_start(struct mini *m, const struct mesh_product *product);
/* With what stands in `m`: spill (borrowed), event_text. */
void mini_start_with(struct mini *m, const struct mesh_product *product);
void mini_stop(struct mini *m);
void mini_feed(struct mini *m, uint32_t input, const struct mini_event *event);
/* A commit, and a crash behind it: a new engine from the log. */
void mini_crash(struct mini *m);
/* Start, feed all events, each side in its own order, interleaved by a seed, with a crash every `crash` records (0: never), and stop. */
void mini_run(const struct mesh_product *product, const struct mini_event *events, size_t n, uint64_t seed, int crash);

#endif
