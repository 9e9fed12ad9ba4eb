/* Shared by the files of the planner. */
#ifndef MESH_CODEGEN_PLAN_INT_H
#define MESH_CODEGEN_PLAN_INT_H

#include "codegen/plan.h"

/* The topologies: inputs and states of each root, and whether order matters there. */
void mesh_plan_make_topologies(struct mesh_plan *plan, struct mesh_arena *arena);
/* Mark what views, ports, keys and expressions read, back to the inputs, until nothing changes. */
void mesh_plan_mark_used(struct mesh_plan *plan);

#endif
