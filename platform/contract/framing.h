/* How a Kafka value says which schema wrote it.
 *
 *   Confluent, payload:  00 id(4, big-endian) datum            "magic 0"
 *   Confluent, header:   header __value_schema_id = 01 uuid(16) or 00 id(4); the payload is the bare datum
 *   Avro single object:  C3 01 fingerprint(8, little-endian CRC-64-AVRO) datum
 *
 * Pure functions over bytes; who knows which id means what is the caller.
 */
#ifndef MESH_CONTRACT_FRAMING_H
#define MESH_CONTRACT_FRAMING_H

#include "base/buf.h"

#define MESH_FRAME_ID_BYTES     5
#define MESH_FRAME_SINGLE_BYTES 10
#define MESH_FRAME_HEADER_NAME  "__value_schema_id"

enum mesh_frame_kind { MESH_FRAME_ID, MESH_FRAME_GUID, MESH_FRAME_SINGLE };

struct mesh_frame {
    enum mesh_frame_kind kind;
    uint32_t id;           /* MESH_FRAME_ID */
    uint64_t fingerprint;  /* MESH_FRAME_SINGLE */
    uint8_t guid[16];      /* MESH_FRAME_GUID */
    struct mesh_str datum; /* borrowed */
};

enum mesh_frame_result { MESH_FRAME_OK = 0, MESH_FRAME_TRUNCATED = 1, MESH_FRAME_UNKNOWN_MAGIC = 2 };

/* `header` is the value of the last header named __value_schema_id, p == NULL when there is none; it wins over the payload. */
int mesh_frame_read(struct mesh_str payload, struct mesh_str header, struct mesh_frame *ret);
void mesh_frame_write_id(struct mesh_buf *out, uint32_t id);
void mesh_frame_write_single(struct mesh_buf *out, uint64_t fingerprint);

#endif
