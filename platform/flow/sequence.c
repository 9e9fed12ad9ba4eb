/* Both forms are short on purpose: they travel with every message. */
#include "flow/sequence.h"

#include <stdio.h>

void mesh_flow_origin_begin(struct mesh_buf *out, const struct mesh_flow_origin *origin)
{
    mesh_buf_u8(out, MESH_FLOW_SEQUENCE_FORMAT);
    mesh_buf_slice(out, origin->product);
    mesh_buf_varint(out, origin->generation);
    mesh_buf_varint(out, origin->topology);
    mesh_buf_varint(out, (uint32_t)origin->partition);
}

void mesh_flow_origin_write(struct mesh_buf *out, const struct mesh_flow_origin *origin)
{
    mesh_flow_origin_begin(out, origin);
    mesh_buf_varint(out, origin->sequence);
}

bool mesh_flow_origin_read(struct mesh_str value, struct mesh_flow_origin *ret)
{
    struct mesh_cursor in = mesh_cursor_of(value.p, value.n);
    uint8_t format = mesh_get_u8(&in);
    ret->product = mesh_get_slice(&in);
    ret->generation = mesh_get_varint(&in);
    ret->topology = (uint32_t)mesh_get_varint(&in);
    ret->partition = (int32_t)mesh_get_varint(&in);
    ret->sequence = mesh_get_varint(&in);
    return !in.bad && format == MESH_FLOW_SEQUENCE_FORMAT && in.p == in.end && ret->partition >= 0;
}

void mesh_flow_origin_text(const struct mesh_flow_origin *origin, char ret[MESH_FLOW_ORIGIN_TEXT])
{
    int product_n = (int)(origin->product.n < 100 ? origin->product.n : 100);
    snprintf(ret, MESH_FLOW_ORIGIN_TEXT, "%.*s%stask %u/%d", product_n, product_n == 0 ? "" : origin->product.p,
             product_n == 0 ? "" : " ", (unsigned)origin->topology, (int)origin->partition);
}

void mesh_flow_envelope_write(struct mesh_buf *out, const struct mesh_flow_envelope *envelope)
{
    mesh_buf_u8(out, (uint8_t)envelope->kind);
    mesh_buf_varint(out, envelope->origin.topology);
    mesh_buf_varint(out, (uint32_t)envelope->origin.partition);
    mesh_buf_varint(out, envelope->origin.generation);
    mesh_buf_varint(out, envelope->origin.sequence);
    mesh_buf_zigzag(out, envelope->watermark_us);
    mesh_buf_u8(out, envelope->idle ? 1 : 0);
}

bool mesh_flow_envelope_read(struct mesh_str value, struct mesh_flow_envelope *ret)
{
    struct mesh_cursor in = mesh_cursor_of(value.p, value.n);
    uint8_t kind = mesh_get_u8(&in);
    ret->kind = (enum mesh_flow_envelope_kind)kind;
    ret->origin.product = (struct mesh_str){0};
    ret->origin.topology = (uint32_t)mesh_get_varint(&in);
    ret->origin.partition = (int32_t)mesh_get_varint(&in);
    ret->origin.generation = mesh_get_varint(&in);
    ret->origin.sequence = mesh_get_varint(&in);
    ret->watermark_us = mesh_get_zigzag(&in);
    ret->idle = mesh_get_u8(&in) != 0;
    ret->payload = (struct mesh_str){in.p, (uint32_t)(in.end - in.p)};
    return !in.bad && ret->origin.partition >= 0 &&
           (kind == MESH_FLOW_RECORD || kind == MESH_FLOW_PARTIAL || kind == MESH_FLOW_HEARTBEAT);
}
