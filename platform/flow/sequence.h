/* What messages of the mesh say about themselves, so that a receiver can tell a repetition from a gap.
 *
 * On topics of ports, dead letters and late records: one header "mesh" (MESH_FLOW_HEADER), its value
 *
 *     u8 1 | slice product "domain/name" | varint generation | varint topology | varint task partition | varint sequence
 *
 * On internal topics no header, but an envelope at the start of the value:
 *
 *     u8 kind | varint topology | varint task partition | varint generation | varint sequence | zigzag watermark | u8 idle | payload
 *
 *     MESH_FLOW_RECORD     payload: the datum; watermark: of the upstream task before this record, what "late" is judged by downstream
 *     MESH_FLOW_PARTIAL    payload: varint state | zigzag window | slice key | varint revision | zigzag newest time | row image
 *     MESH_FLOW_HEARTBEAT  no payload; idle: the upstream task has nothing to come, leave it out of the minimum
 *
 * slice = varint length and bytes; varints as base/buf.h writes them. A sequence is dense per (task, destination, partition), from 1.
 */
#ifndef MESH_FLOW_SEQUENCE_H
#define MESH_FLOW_SEQUENCE_H

#include "base/buf.h"

#define MESH_FLOW_SEQUENCE_FORMAT 1

enum mesh_flow_envelope_kind { MESH_FLOW_RECORD = 'R', MESH_FLOW_PARTIAL = 'P', MESH_FLOW_HEARTBEAT = 'H' };

struct mesh_flow_origin {
    struct mesh_str product; /* header only */
    uint64_t generation;
    uint32_t topology;
    int32_t partition;
    uint64_t sequence;
};

struct mesh_flow_envelope {
    enum mesh_flow_envelope_kind kind;
    struct mesh_flow_origin origin;
    int64_t watermark_us;
    bool idle;
    struct mesh_str payload; /* borrowed */
};

/* Everything but the sequence, which is appended as a varint. */
void mesh_flow_origin_begin(struct mesh_buf *out, const struct mesh_flow_origin *origin);
void mesh_flow_origin_write(struct mesh_buf *out, const struct mesh_flow_origin *origin);
bool mesh_flow_origin_read(struct mesh_str value, struct mesh_flow_origin *ret);
/* "domain/name task 0/3", for messages to people; without the product when it is not known. */
#define MESH_FLOW_ORIGIN_TEXT 160
void mesh_flow_origin_text(const struct mesh_flow_origin *origin, char ret[MESH_FLOW_ORIGIN_TEXT]);
/* Everything but the payload. */
void mesh_flow_envelope_write(struct mesh_buf *out, const struct mesh_flow_envelope *envelope);
bool mesh_flow_envelope_read(struct mesh_str value, struct mesh_flow_envelope *ret);

#endif
