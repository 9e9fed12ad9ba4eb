/* Voices: what ports speak with, and whom a voice succeeds (flow/cutover.h). Private to flow/. */
#ifndef MESH_FLOW_CUTOVER_INT_H
#define MESH_FLOW_CUTOVER_INT_H

#include "flow/cutover.h"
#include "flow/task_int.h"

/* The generation that ports speak with. */
static inline uint64_t mesh_flow_voice(const struct mesh_engine *engine)
{
    return engine->conf.voice != 0 ? engine->conf.voice : engine->generation;
}
/* The value of MESH_FLOW_SUCCEEDS; and whether one names this generation. */
void mesh_flow_succeeds_write(const struct mesh_engine *engine, struct mesh_buf *out);
bool mesh_flow_succeeds(struct mesh_str header, uint64_t generation);

#endif
