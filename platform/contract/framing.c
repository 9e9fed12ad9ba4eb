/* The first byte of a payload tells the framings apart; nothing here allocates or remembers. */
#include "contract/framing.h"

#define MAGIC_ID       0x00
#define MAGIC_GUID     0x01
#define MAGIC_SINGLE_0 0xC3
#define MAGIC_SINGLE_1 0x01

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int read_header(struct mesh_str payload, struct mesh_str header, struct mesh_frame *ret)
{
    const uint8_t *p = (const uint8_t *)header.p;
    if (header.n == 0)
        return MESH_FRAME_TRUNCATED;
    if (p[0] != MAGIC_ID && p[0] != MAGIC_GUID)
        return MESH_FRAME_UNKNOWN_MAGIC;
    uint32_t n = p[0] == MAGIC_ID ? MESH_FRAME_ID_BYTES : 1 + sizeof ret->guid;
    if (header.n < n)
        return MESH_FRAME_TRUNCATED;
    if (header.n > n)
        return MESH_FRAME_UNKNOWN_MAGIC;
    *ret = (struct mesh_frame){.kind = p[0] == MAGIC_ID ? MESH_FRAME_ID : MESH_FRAME_GUID, .datum = payload};
    if (p[0] == MAGIC_ID)
        ret->id = big_endian(p + 1);
    else
        memcpy(ret->guid, p + 1, sizeof ret->guid);
    return MESH_FRAME_OK;
}

int mesh_frame_read(struct mesh_str payload, struct mesh_str header, struct mesh_frame *ret)
{
    if (header.p != NULL)
        return read_header(payload, header, ret);
    const uint8_t *p = (const uint8_t *)payload.p;
    if (payload.n == 0)
        return MESH_FRAME_TRUNCATED;
    bool single = p[0] == MAGIC_SINGLE_0;
    if ((!single && p[0] != MAGIC_ID) || (single && payload.n > 1 && p[1] != MAGIC_SINGLE_1))
        return MESH_FRAME_UNKNOWN_MAGIC;
    uint32_t n = single ? MESH_FRAME_SINGLE_BYTES : MESH_FRAME_ID_BYTES;
    if (payload.n < n)
        return MESH_FRAME_TRUNCATED;
    *ret = (struct mesh_frame){.kind = single ? MESH_FRAME_SINGLE : MESH_FRAME_ID, .datum = {payload.p + n, payload.n - n}};
    if (!single)
        ret->id = big_endian(p + 1);
    for (uint32_t i = 0; single && i < 8; i++)
        ret->fingerprint |= (uint64_t)p[2 + i] << (8 * i);
    return MESH_FRAME_OK;
}

void mesh_frame_write_id(struct mesh_buf *out, uint32_t id)
{
    mesh_buf_u8(out, MAGIC_ID);
    for (int shift = 24; shift >= 0; shift -= 8)
        mesh_buf_u8(out, (uint8_t)(id >> shift));
}

void mesh_frame_write_single(struct mesh_buf *out, uint64_t fingerprint)
{
    mesh_buf_u8(out, MAGIC_SINGLE_0);
    mesh_buf_u8(out, MAGIC_SINGLE_1);
    mesh_buf_u64(out, fingerprint);
}
