#include "../check.h"

#include "base/check.h"
#include "base/json.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>

static struct mesh_arena arena;
static struct mesh_diags diags;

static const struct mesh_json *parse_n(const char *text, size_t n)
{
    mesh_arena_reset(&arena);
    diags = (struct mesh_diags){.arena = &arena};
    const struct mesh_json *made = mesh_json_parse(&arena, mesh_source_new(&arena, "f.avsc", text, n), &diags, "MG200");
    CHECK((made == NULL) == (diags.n_errors > 0));
    return made;
}

static const struct mesh_json *parse(const char *text)
{
    return parse_n(text, strlen(text));
}

/* "begin-end text" of the only diagnostic. */
static const char *complaint(const char *text)
{
    if (parse(text) != NULL)
        return "none";
    if (diags.list.n != 1 || strcmp(diags.list.v[0]->code, "MG200") != 0)
        return "not one";
    const struct mesh_diag *diag = diags.list.v[0];
    return mesh_arena_printf(&arena, "%u-%u %s", diag->at.begin, diag->at.end, diag->text);
}

CASE(scalars)
{
    CHECK(parse("null")->kind == MESH_JSON_NULL);
    CHECK(parse(" true ")->kind == MESH_JSON_BOOL && parse("true")->boolean);
    CHECK(parse("false")->kind == MESH_JSON_BOOL && !parse("false")->boolean);
    static const char *const numbers[] = {"0", "-0", "12", "-1.50", "1e5", "1E+5", "1.5e-10", "123456789012345678901234567890"};
    for (size_t i = 0; i < MESH_LEN(numbers); i++) {
        const struct mesh_json *v = parse(numbers[i]);
        REQUIRE(v != NULL && v->kind == MESH_JSON_NUMBER);
        CHECK_STR(v->text, numbers[i]);
        CHECK_EQ_U64(v->n, strlen(numbers[i]));
    }
}

CASE(strings)
{
    CHECK_STR(parse("\"\"")->text, "");
    CHECK_STR(parse("\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\"")->text, "a\"\\/\b\f\n\r\tz");
    CHECK_STR(parse("\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"")->text, "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    CHECK_STR(parse("\"\\uD83D\\uDE00\\uFFFF\"")->text, "\xf0\x9f\x98\x80\xef\xbf\xbf");
    CHECK_STR(parse("\"gr\xc3\xbcn\"")->text, "gr\xc3\xbcn");
    const struct mesh_json *v = parse("\"a\\u0000b\"");
    REQUIRE(v != NULL);
    CHECK(v->n == 3 && memcmp(v->text, "a\0b", 4) == 0);
}

CASE(positions_and_order)
{
    const struct mesh_json *v = parse(" {\"b\": [1, \"two\"], \"a\" : null}\n");
    REQUIRE(v != NULL && v->kind == MESH_JSON_OBJECT && v->n == 2);
    CHECK(v->at.begin == 1 && v->at.end == 30);
    CHECK_STR(v->keys[0], "b");
    CHECK_STR(v->keys[1], "a");
    CHECK(v->key_at[0].begin == 2 && v->key_at[0].end == 5);
    const struct mesh_json *b = mesh_json_get(v, "b");
    REQUIRE(b != NULL && b->kind == MESH_JSON_ARRAY && b->n == 2);
    CHECK(b->at.begin == 7 && b->at.end == 17);
    CHECK(b->items[1]->at.begin == 11 && b->items[1]->at.end == 16);
    CHECK(mesh_json_get(v, "a")->kind == MESH_JSON_NULL);
    CHECK(mesh_json_get(v, "c") == NULL);
    CHECK(mesh_json_get(b, "a") == NULL);
    CHECK(mesh_json_get(NULL, "a") == NULL);
}

CASE(empty_ones)
{
    CHECK(parse("{}")->n == 0 && parse("[ ]")->n == 0 && parse("{ }")->kind == MESH_JSON_OBJECT);
    CHECK(parse("\xef\xbb\xbf{}") != NULL); /* a byte order mark */
}

CASE(duplicate_keys_are_all_reported)
{
    CHECK(parse("{\"a\":1, \"b\":{\"a\":2, \"a\":3}, \"a\":4}") == NULL);
    REQUIRE(diags.list.n == 2);
    CHECK_STR(diags.list.v[0]->text, "key 'a' is given twice in one object");
    CHECK(diags.list.v[0]->at.begin == 20 && diags.list.v[0]->at.end == 23);
    REQUIRE(diags.list.v[0]->n_notes == 1);
    CHECK(diags.list.v[0]->notes[0].at.begin == 13);
    CHECK(diags.list.v[1]->at.begin == 28 && diags.list.v[1]->notes[0].at.begin == 1);
    CHECK(parse("{\"a\":1, \"\\u0061\":2}") == NULL);
}

CASE(depth)
{
    char text[2 * MESH_JSON_DEPTH_MAX + 3] = "";
    memset(text, '[', MESH_JSON_DEPTH_MAX);
    memset(text + MESH_JSON_DEPTH_MAX, ']', MESH_JSON_DEPTH_MAX);
    CHECK(parse(text) != NULL);
    memset(text, '[', MESH_JSON_DEPTH_MAX + 1);
    memset(text + MESH_JSON_DEPTH_MAX + 1, ']', MESH_JSON_DEPTH_MAX + 1);
    CHECK_STR(complaint(text), "64-65 nested deeper than 64 levels");
    mesh_cleanup(mesh_freep) char *deep = mesh_xmalloc(1000001);
    memset(deep, '[', 1000000);
    deep[1000000] = '\0';
    CHECK_STR(complaint(deep), "64-65 nested deeper than 64 levels");
}

CASE(complaints_point)
{
    CHECK_STR(complaint(""), "0-0 expected a value, found the end of the text");
    CHECK_STR(complaint("[1 2]"), "3-4 expected ',' or ']', found '2'");
    CHECK_STR(complaint("[1,]"), "2-3 nothing follows this comma; JSON has no trailing commas");
    CHECK_STR(complaint("{\"a\":1,}"), "6-7 nothing follows this comma; JSON has no trailing commas");
    CHECK_STR(complaint("{a:1}"), "1-2 expected a key in double quotes, found 'a'");
    CHECK_STR(complaint("{\"a\" 1}"), "5-6 expected ':' behind the key, found '1'");
    CHECK_STR(complaint("{\"a\":1"), "6-6 expected ',' or '}', found the end of the text");
    CHECK_STR(complaint("[,1]"), "1-2 expected a value, found ','");
    CHECK_STR(complaint("1 2"), "2-3 expected nothing behind the value, found '2'");
    CHECK_STR(complaint("01"), "0-2 a number has no leading zeros");
    CHECK_STR(complaint("-"), "1-1 expected a digit, found the end of the text");
    CHECK_STR(complaint("1."), "2-2 expected a digit behind the point, found the end of the text");
    CHECK_STR(complaint("1ex"), "2-3 expected a digit in the exponent, found 'x'");
    CHECK_STR(complaint("[nul]"), "1-4 'nul' is not a value of JSON");
    CHECK_STR(complaint("True"), "0-4 'True' is not a value of JSON");
    CHECK_STR(complaint("[\"abc\n]"), "1-5 this string has no closing quote");
    CHECK_STR(complaint("\"abc"), "0-4 this string has no closing quote");
    CHECK_STR(complaint("\"abc\\"), "4-5 this is not an escape that JSON knows");
    CHECK_STR(complaint("\"\\x41\""), "1-3 this is not an escape that JSON knows");
    CHECK_STR(complaint("\"\\ud800\""), "1-7 this is not an escape that JSON knows");
    CHECK_STR(complaint("\"\\ud800\\u0041\""), "1-13 this is not an escape that JSON knows");
    CHECK_STR(complaint("\"\\udc00\""), "1-7 this is not an escape that JSON knows");
    CHECK_STR(complaint("\"\\u12g4\""), "1-5 this is not an escape that JSON knows");
    CHECK_STR(complaint("\"a\tb\""), "2-3 expected no control character in a string (write "
                                     "\\u00XX), found control character 0x09");
    CHECK_STR(complaint("[\"\xff\"]"), "2-3 this byte is not UTF-8");
    CHECK_STR(complaint("{\"a\\u0000\":1}"), "1-10 a key must not hold \\u0000");
    CHECK_STR(complaint("[\xc3\xa9]"), "1-2 expected a value, found '\xc3\xa9'");
    CHECK(parse_n("1\0", 2) == NULL);
    CHECK(parse_n("[1,\0]", 5) == NULL);
    CHECK(parse_n("\"a\0b\"", 5) == NULL);
}

CASE(hints)
{
    CHECK(parse("// comment\n{}") == NULL);
    CHECK_STR(diags.list.v[0]->hint, "JSON has no comments");
    CHECK(parse("{'a': 1}") == NULL);
    CHECK_STR(diags.list.v[0]->hint, "strings are written with double quotes");
}

CASE(every_cut_of_a_text_is_refused)
{
    static const char whole[] = "{\"type\":\"record\",\"f\":[1.5e+3,true,null,{\"\\u00e9\":\"x\\n\"}],\"z\":[]}";
    CHECK(parse(whole) != NULL);
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        mesh_cleanup(mesh_freep) char *cut = mesh_xcalloc(1, n + 1); /* so that ASan sees a read too far */
        memcpy(cut, whole, n);
        CHECK(parse_n(cut, n) == NULL);
    }
}

CASE(the_limit_of_size)
{
    size_t n = MESH_JSON_BYTES_MAX;
    mesh_cleanup(mesh_freep) char *text = mesh_xmalloc(n + 2);
    memset(text, ' ', n + 1);
    text[n + 1] = '\0';
    text[0] = '1';
    CHECK(parse_n(text, n) != NULL);
    CHECK(parse_n(text, n + 1) == NULL);
    CHECK_CONTAINS(diags.list.v[0]->text, "4194304 bytes");
}

static const char *written(const char *text, uint32_t n)
{
    static struct mesh_buf out;
    mesh_buf_deinit(&out);
    mesh_json_string(&out, (struct mesh_str){text, n});
    char *copy = mesh_arena_strdup(&arena, out.p);
    mesh_buf_deinit(&out);
    return copy;
}

CASE(writing_strings)
{
    CHECK_STR(written(NULL, 0), "\"\"");
    CHECK_STR(written("plain", 5), "\"plain\"");
    CHECK_STR(written("a\"\\\b\f\n\r\t/", 9), "\"a\\\"\\\\\\b\\f\\n\\r\\t/\"");
    CHECK_STR(written("\0\x1f\x7f", 3), "\"\\u0000\\u001f\x7f\"");
    CHECK_STR(written("gr\xc3\xbcn \xf0\x9f\x98\x80", 10), "\"gr\xc3\xbcn \xf0\x9f\x98\x80\"");
    CHECK_STR(written("a\xff"
                      "b\xc3",
                      4),
              "\"a\xef\xbf\xbd"
              "b\xef\xbf\xbd\"");
    CHECK_STR(written("\xed\xa0\x80\"", 4), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\\\"\"");
}

CASE(writing_numbers)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_json_double(&out, 0.1);
    mesh_buf_putc(&out, ' ');
    mesh_json_double(&out, (double)NAN);
    mesh_buf_putc(&out, ' ');
    mesh_json_double(&out, (double)INFINITY);
    mesh_buf_putc(&out, ' ');
    mesh_json_long(&out, INT64_MIN);
    CHECK_STR(out.p, "0.1 null null -9223372036854775808");
}

CASE(what_is_written_reads_back)
{
    char bytes[256];
    for (int i = 0; i < 128; i++)
        bytes[i] = (char)i;
    const char *text = written(bytes, 128);
    mesh_cleanup(mesh_freep) char *kept = mesh_xstrdup(text);
    const struct mesh_json *v = parse(kept);
    REQUIRE(v != NULL);
    CHECK(v->n == 128 && memcmp(v->text, bytes, 128) == 0);
}

CASE(the_end)
{
    mesh_arena_deinit(&arena);
    CHECK(arena.block == NULL);
}
