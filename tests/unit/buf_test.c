#include "../check.h"

#include "base/buf.h"
#include "base/check.h"

#include <stdlib.h>

CASE(text_is_always_terminated)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf b = MESH_BUF_NULL;
    CHECK(b.p == NULL);
    mesh_buf_puts(&b, "");
    CHECK_STR(b.p, "");
    mesh_buf_puts(&b, "ab");
    mesh_buf_putc(&b, 'c');
    mesh_buf_str(&b, MESH_STR("de"));
    mesh_buf_str(&b, (struct mesh_str){NULL, 0});
    mesh_buf_printf(&b, "%d", 42);
    CHECK_STR(b.p, "abcde42");
    CHECK_EQ_U64(b.n, 7);
    mesh_buf_reset(&b);
    CHECK_STR(b.p, "");
    CHECK_EQ_U64(b.n, 0);
}

CASE(printf_of_every_length_around_the_growth)
{
    for (int n = 0; n < 300; n++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf b = MESH_BUF_NULL;
        mesh_buf_puts(&b, "x");
        mesh_buf_printf(&b, "%*s|", n, "");
        CHECK_EQ_U64(b.n, (uint64_t)n + 2);
        CHECK(b.p[n + 1] == '|' && b.p[n + 2] == '\0');
    }
}

CASE(take_hands_the_memory_over)
{
    struct mesh_buf b = MESH_BUF_NULL;
    char *empty = mesh_buf_take(&b);
    CHECK_STR(empty, "");
    free(empty);
    mesh_buf_puts(&b, "kept");
    char *text = mesh_buf_take(&b);
    CHECK_STR(text, "kept");
    CHECK(b.p == NULL && b.n == 0 && b.cap == 0);
    free(text);
}

CASE(fixed_width_is_little_endian)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf b = MESH_BUF_NULL;
    mesh_buf_u8(&b, 0xab);
    mesh_buf_u32(&b, 0x01020304);
    mesh_buf_u64(&b, UINT64_C(0x1122334455667788));
    CHECK_EQ_U64(b.n, 13);
    CHECK(memcmp(b.p, "\xab\x04\x03\x02\x01\x88\x77\x66\x55\x44\x33\x22\x11", 13) == 0);
    struct mesh_cursor in = mesh_cursor_of(b.p, b.n);
    CHECK_EQ_U64(mesh_get_u8(&in), 0xab);
    CHECK_EQ_U64(mesh_get_u32(&in), 0x01020304);
    CHECK_EQ_U64(mesh_get_u64(&in), UINT64_C(0x1122334455667788));
    CHECK(!in.bad && in.p == in.end);
}

CASE(varint_limits)
{
    static const struct {
        uint64_t v;
        size_t n;
    } cases[] = {{0, 1},          {127, 1},        {128, 2},       {16383, 2},
                 {16384, 3},      {UINT32_MAX, 5}, {INT64_MAX, 9}, {(uint64_t)INT64_MAX + 1, 10},
                 {UINT64_MAX, 10}};
    for (size_t i = 0; i < MESH_LEN(cases); i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf b = MESH_BUF_NULL;
        mesh_buf_varint(&b, cases[i].v);
        CHECK_EQ_U64(b.n, cases[i].n);
        struct mesh_cursor in = mesh_cursor_of(b.p, b.n);
        CHECK_EQ_U64(mesh_get_varint(&in), cases[i].v);
        CHECK(!in.bad && in.p == in.end);
        in = mesh_cursor_of(b.p, b.n - 1); /* cut */
        CHECK_EQ_U64(mesh_get_varint(&in), 0);
        CHECK(in.bad);
    }
}

CASE(varint_beyond_64_bits_is_bad)
{
    struct mesh_cursor in = mesh_cursor_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
    CHECK_EQ_U64(mesh_get_varint(&in), 0);
    CHECK(in.bad);
    in = mesh_cursor_of("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11);
    CHECK_EQ_U64(mesh_get_varint(&in), 0);
    CHECK(in.bad);
    in = mesh_cursor_of("\x80\x00", 2); /* longer than needed is allowed */
    CHECK_EQ_U64(mesh_get_varint(&in), 0);
    CHECK(!in.bad);
}

CASE(zigzag)
{
    static const int64_t cases[] = {0, -1, 1, -2, 63, -64, 64, INT32_MIN, INT64_MAX, INT64_MIN};
    static const size_t lengths[] = {1, 1, 1, 1, 1, 1, 2, 5, 10, 10};
    for (size_t i = 0; i < MESH_LEN(cases); i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf b = MESH_BUF_NULL;
        mesh_buf_zigzag(&b, cases[i]);
        CHECK_EQ_U64(b.n, lengths[i]);
        struct mesh_cursor in = mesh_cursor_of(b.p, b.n);
        CHECK_EQ_I64(mesh_get_zigzag(&in), cases[i]);
        CHECK(!in.bad);
    }
}

CASE(decimals_of_128_bits)
{
    mesh_dec max = (mesh_dec)(((__extension__(unsigned __int128) 1) << 127) - 1);
    const mesh_dec cases[] = {0, 1, -1, (mesh_dec)INT64_MIN, (mesh_dec)UINT64_MAX + 1, max, -max - 1};
    for (size_t i = 0; i < MESH_LEN(cases); i++) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf b = MESH_BUF_NULL;
        mesh_buf_dec(&b, cases[i]);
        CHECK_EQ_U64(b.n, 16);
        struct mesh_cursor in = mesh_cursor_of(b.p, b.n);
        CHECK(mesh_get_dec(&in) == cases[i]);
        CHECK(!in.bad);
        in = mesh_cursor_of(b.p, 15);
        CHECK(mesh_get_dec(&in) == 0 && in.bad);
    }
}

CASE(slices_borrow)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf b = MESH_BUF_NULL;
    mesh_buf_slice(&b, MESH_STR("hello"));
    mesh_buf_slice(&b, MESH_STR(""));
    struct mesh_cursor in = mesh_cursor_of(b.p, b.n);
    struct mesh_str s = mesh_get_slice(&in);
    CHECK(mesh_str_eq(s, MESH_STR("hello")) && s.p == b.p + 1);
    CHECK(mesh_get_slice(&in).n == 0);
    CHECK(!in.bad && in.p == in.end);
    CHECK(mesh_get_slice(&in).n == 0);
    CHECK(in.bad);
}

CASE(a_length_that_lies_is_bad)
{
    struct mesh_cursor in = mesh_cursor_of("\x05"
                                           "abcd",
                                           5);
    CHECK(mesh_get_slice(&in).p == NULL);
    CHECK(in.bad);
    in = mesh_cursor_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                        "ab",
                        12);
    CHECK(mesh_get_slice(&in).p == NULL);
    CHECK(in.bad);
}

CASE(bad_stays_bad)
{
    struct mesh_cursor in = mesh_cursor_of("abc", 3);
    CHECK_EQ_U64(mesh_get_u32(&in), 0);
    CHECK(in.bad);
    CHECK_EQ_U64(mesh_get_u8(&in), 0);
    CHECK(mesh_get_bytes(&in, 0).p == NULL);
    in = mesh_cursor_of(NULL, 0);
    CHECK_EQ_U64(mesh_get_u8(&in), 0);
    CHECK(in.bad);
}
