/* What the engine holds in memory, and how its states get less of it: whole blocks of rows go to a file, those first that no record has
 * asked for longest, by event time and over all tasks (store/spill.h). */
#include "flow/state.h"

#include "store/spill.h"

static struct mesh_flow_state *state_of(const struct mesh_engine *engine, uint32_t task, uint32_t state)
{
    return engine->tasks[task]->states[state];
}

void mesh_engine_memory(const struct mesh_engine *engine, struct mesh_engine_memory *ret)
{
    const struct mesh_store_heap *heap = &engine->heap;
    *ret = (struct mesh_engine_memory){.waiting_bytes = engine->held_bytes + engine->outbox_bytes,
                                       .state_bytes = heap->bytes - heap->used, /* states count what they use of it */
                                       .out_bytes = heap->out_bytes};
    for (uint32_t s = 0; s < engine->product->n_states; s++) {
        uint64_t in_memory = 0;
        for (uint32_t t = 0; t < engine->n_tasks; t++) {
            const struct mesh_flow_state *state = state_of(engine, t, s);
            if (state == NULL)
                continue;
            uint64_t bytes = mesh_flow_state_bytes(state);
            ret->state_bytes += bytes;
            ret->out_bytes += state->table.out_bytes;
            in_memory += bytes - state->table.out_bytes;
        }
        if (in_memory > ret->largest_bytes) {
            ret->largest_bytes = in_memory;
            ret->largest = engine->product->states[s].name;
        }
    }
}

/* Where the block is that was not used longest: a state's table, or with NULL the heap. False: nothing more can go. */
static bool coldest(const struct mesh_engine *engine, struct mesh_flow_state **ret, uint32_t *ret_block)
{
    int64_t found_at = mesh_store_heap_coldest(&engine->heap, ret_block);
    *ret = NULL;
    for (uint32_t t = 0; t < engine->n_tasks; t++) {
        for (uint32_t s = 0; s < engine->product->n_states; s++) {
            struct mesh_flow_state *state = state_of(engine, t, s);
            uint32_t block = 0;
            int64_t at = state == NULL ? INT64_MAX : mesh_store_table_coldest(&state->table, &block);
            if (at < found_at) {
                found_at = at;
                *ret = state;
                *ret_block = block;
            }
        }
    }
    return found_at < INT64_MAX;
}

int mesh_engine_spill(struct mesh_engine *engine, uint64_t bytes, uint64_t *ret_moved, struct mesh_err *err)
{
    *ret_moved = 0;
    while (*ret_moved < bytes) {
        uint32_t block = 0;
        struct mesh_flow_state *state = NULL;
        if (!coldest(engine, &state, &block))
            return 0;
        int result =
            state == NULL ? mesh_store_heap_out(&engine->heap, block, err) : mesh_store_table_out(&state->table, block, err);
        if (result < 0)
            return -1;
        *ret_moved += MESH_STORE_BLOCK_BYTES;
    }
    return 0;
}

void mesh_engine_chill(struct mesh_engine *engine)
{
    mesh_store_heap_chill(&engine->heap);
    for (uint32_t t = 0; t < engine->n_tasks; t++)
        for (uint32_t s = 0; s < engine->product->n_states; s++)
            if (state_of(engine, t, s) != NULL)
                mesh_store_table_chill(&state_of(engine, t, s)->table);
}

void mesh_engine_pause(struct mesh_engine *engine, bool paused)
{
    engine->paused = paused;
}
