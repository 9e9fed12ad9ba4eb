/* A commit log in memory, as tests of the engine keep it: starting again from it. */
#ifndef TESTS_FLOW_AGAIN_H
#define TESTS_FLOW_AGAIN_H

#include "flow/engine.h"
#include "store/log.h"

/* A new engine takes the first `n` bytes of the log, and writes its claim behind what is there. Negative: it does not take it. */
static inline int engine_again(struct mesh_engine *engine, struct mesh_buf *log, size_t n, struct mesh_err *err)
{
    for (size_t at = 0; at < n;) {
        struct mesh_str frame;
        at = mesh_store_frame_next((struct mesh_str){log->p, (uint32_t)n}, at, &frame);
        if (mesh_engine_restore(engine, frame, err) < 0)
            return -1;
    }
    if (mesh_engine_restored(engine, err) < 0)
        return -1;
    mesh_engine_claim(engine, log);
    return 0;
}

#endif
