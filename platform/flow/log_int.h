/* The commit log: its operations, its frames, who writes and who sweeps them. Private to flow/. */
#ifndef MESH_FLOW_LOG_INT_H
#define MESH_FLOW_LOG_INT_H

#include "base/buf.h"

struct mesh_engine;
struct mesh_flow_state;
struct mesh_store_row;
struct mesh_task;

enum mesh_flow_op {
    MESH_FLOW_OP_REMOVE = 1, /* state, window, key */
    MESH_FLOW_OP_IMAGE,      /* state, window, key, the kind's image */
    MESH_FLOW_OP_DELTA,      /* state, the kind's delta */
    MESH_FLOW_OP_HELD,       /* lane, serial, record */
    MESH_FLOW_OP_LETTER,     /* serial, message */
    MESH_FLOW_OP_GONE_DOC,   /* port, window, key, n */
    MESH_FLOW_OP_TOLD = 32,  /* port, shape, sequence, event */
    MESH_FLOW_OP_TOLD_NEXT,  /* port, the sequence of its next event */
    MESH_FLOW_OP_TOLD_GONE,  /* port, the sequence of an event that is forgotten */
};
enum { MESH_FLOW_FRAME_CLAIM = 'K', MESH_FLOW_FRAME_CHUNK = 'C', MESH_FLOW_FRAME_END = 'E' };
#define MESH_FLOW_CHUNK_BYTES (1u << 20)
#define MESH_FLOW_LOG_FORMAT  8
#define MESH_FLOW_LOG_OLDEST                                                                                                       \
    4 /* that can be read; 5: error budgets, 6: names of destinations, 7: records of schemas seen at run time, 8: erased records and
         events */
/* Beside the contract's id of a held record: what it is decoded from was made by a plan and stands behind what came. */
#define MESH_FLOW_TRANSLATED (UINT64_C(1) << 32)

struct mesh_flow_writer { /* the chunks of one task's commit */
    struct mesh_task *task;
    struct mesh_buf *frames; /* operations are appended to it, between mesh_flow_writer_ops() and mesh_flow_writer_op() */
    size_t frame_at, ops_at; /* the open chunk: its frame and its first operation; ops_at == 0: none is open */
    uint64_t n;
    uint32_t chunks;
    uint64_t checksum;
    uint64_t bytes;
};
/* Where an operation goes: opens a chunk when none is. */
struct mesh_buf *mesh_flow_writer_ops(struct mesh_flow_writer *writer);
/* Bytes of operations so far. */
uint64_t mesh_flow_writer_bytes(const struct mesh_flow_writer *writer);
/* Behind each operation: cuts a chunk when it is long enough. */
void mesh_flow_writer_op(struct mesh_flow_writer *writer);
void mesh_flow_write_claim(struct mesh_engine *engine, struct mesh_buf *frames);
void mesh_flow_write_row(struct mesh_flow_writer *writer, struct mesh_flow_state *state, struct mesh_store_row *row);
void mesh_flow_sweep(struct mesh_flow_writer *writer, uint64_t bytes_min);
bool mesh_flow_swept(const struct mesh_task *task);
/* The round is complete when this commit is durable. */
void mesh_flow_round_check(struct mesh_engine *engine);
uint64_t mesh_flow_state_bytes_all(const struct mesh_engine *engine);

#endif
