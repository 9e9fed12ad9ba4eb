#include "../check.h"

#include "contract/framing.h"

static struct mesh_str bytes_of(const char *p, uint32_t n)
{
    return (struct mesh_str){p, n};
}

#define BYTES(literal) bytes_of((literal), (uint32_t)sizeof(literal) - 1)
#define NO_HEADER      ((struct mesh_str){0})

CASE(a_payload_with_an_id)
{
    struct mesh_frame frame;
    CHECK_EQ_I64(mesh_frame_read(BYTES("\x00\x01\x02\x03\x04rest"), NO_HEADER, &frame), MESH_FRAME_OK);
    CHECK_EQ_I64(frame.kind, MESH_FRAME_ID);
    CHECK_EQ_I64(frame.id, 0x01020304);
    CHECK(mesh_str_eq(frame.datum, BYTES("rest")));
    CHECK_EQ_I64(mesh_frame_read(BYTES("\x00\xff\xff\xff\xff"), NO_HEADER, &frame), MESH_FRAME_OK);
    CHECK_EQ_I64(frame.id, 0xffffffff);
    CHECK_EQ_I64(frame.datum.n, 0);
}

CASE(a_single_object)
{
    struct mesh_frame frame;
    CHECK_EQ_I64(mesh_frame_read(BYTES("\xc3\x01\x01\x02\x03\x04\x05\x06\x07\xf8rest"), NO_HEADER, &frame), MESH_FRAME_OK);
    CHECK_EQ_I64(frame.kind, MESH_FRAME_SINGLE);
    CHECK_EQ_U64(frame.fingerprint, UINT64_C(0xf807060504030201));
    CHECK(mesh_str_eq(frame.datum, BYTES("rest")));
}

CASE(the_header_wins)
{
    struct mesh_frame frame;
    struct mesh_str payload = BYTES("\x00\x01\x02\x03\x04");
    CHECK_EQ_I64(mesh_frame_read(payload,
                                 BYTES("\x01"
                                       "0123456789abcdef"),
                                 &frame),
                 MESH_FRAME_OK);
    CHECK_EQ_I64(frame.kind, MESH_FRAME_GUID);
    CHECK(memcmp(frame.guid, "0123456789abcdef", 16) == 0);
    CHECK(mesh_str_eq(frame.datum, payload));
    CHECK_EQ_I64(mesh_frame_read(payload, BYTES("\x00\x00\x00\x00\x07"), &frame), MESH_FRAME_OK);
    CHECK_EQ_I64(frame.kind, MESH_FRAME_ID);
    CHECK_EQ_I64(frame.id, 7);
    CHECK(mesh_str_eq(frame.datum, payload));
}

CASE(what_is_no_frame)
{
    struct mesh_frame frame;
    CHECK_EQ_I64(mesh_frame_read(NO_HEADER, NO_HEADER, &frame), MESH_FRAME_TRUNCATED);
    CHECK_EQ_I64(mesh_frame_read(BYTES("\x00\x01\x02\x03"), NO_HEADER, &frame), MESH_FRAME_TRUNCATED);
    CHECK_EQ_I64(mesh_frame_read(BYTES("\xc3"), NO_HEADER, &frame), MESH_FRAME_TRUNCATED);
    CHECK_EQ_I64(mesh_frame_read(BYTES("\xc3\x01"
                                       "1234567"),
                                 NO_HEADER, &frame),
                 MESH_FRAME_TRUNCATED);
    CHECK_EQ_I64(mesh_frame_read(BYTES("\xc3\x02"
                                       "12345678"),
                                 NO_HEADER, &frame),
                 MESH_FRAME_UNKNOWN_MAGIC);
    CHECK_EQ_I64(mesh_frame_read(BYTES("\x01"
                                       "0123456789abcdef"),
                                 NO_HEADER, &frame),
                 MESH_FRAME_UNKNOWN_MAGIC);
    CHECK_EQ_I64(mesh_frame_read(BYTES("{\"a\":1}"), NO_HEADER, &frame), MESH_FRAME_UNKNOWN_MAGIC);
    CHECK_EQ_I64(mesh_frame_read(BYTES("x"), BYTES(""), &frame), MESH_FRAME_TRUNCATED);
    CHECK_EQ_I64(mesh_frame_read(BYTES("x"), BYTES("\x01short"), &frame), MESH_FRAME_TRUNCATED);
    CHECK_EQ_I64(mesh_frame_read(BYTES("x"),
                                 BYTES("\x00"
                                       "12345"),
                                 &frame),
                 MESH_FRAME_UNKNOWN_MAGIC);
    CHECK_EQ_I64(mesh_frame_read(BYTES("x"),
                                 BYTES("\x02"
                                       "1234"),
                                 &frame),
                 MESH_FRAME_UNKNOWN_MAGIC);
}

CASE(what_is_written_reads_back)
{
    struct mesh_buf out = MESH_BUF_NULL;
    struct mesh_frame frame;
    mesh_frame_write_id(&out, 0x7fabcdef);
    CHECK_EQ_I64((int64_t)out.n, MESH_FRAME_ID_BYTES);
    CHECK_EQ_I64(mesh_frame_read(bytes_of(out.p, (uint32_t)out.n), NO_HEADER, &frame), MESH_FRAME_OK);
    CHECK_EQ_I64(frame.id, 0x7fabcdef);
    mesh_buf_reset(&out);
    mesh_frame_write_single(&out, UINT64_C(0x63dd24e7cc258f8a));
    CHECK_EQ_I64((int64_t)out.n, MESH_FRAME_SINGLE_BYTES);
    CHECK(memcmp(out.p, "\xc3\x01\x8a\x8f\x25\xcc\xe7\x24\xdd\x63", 10) == 0);
    CHECK_EQ_I64(mesh_frame_read(bytes_of(out.p, (uint32_t)out.n), NO_HEADER, &frame), MESH_FRAME_OK);
    CHECK_EQ_U64(frame.fingerprint, UINT64_C(0x63dd24e7cc258f8a));
    mesh_buf_deinit(&out);
}
