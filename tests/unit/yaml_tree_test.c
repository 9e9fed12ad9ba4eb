/* The tree that YAML becomes: what it holds and where, and everything that is refused. */
#include "../check.h"

#include "base/check.h"
#include "codegen/yaml.h"

#include <stdlib.h>

struct parsed {
    struct mesh_arena arena;
    struct mesh_diags diags;
    const struct mesh_source *source;
    struct mesh_yaml *root;
};

static void parse_bytes(struct parsed *p, const char *text, size_t n)
{
    *p = (struct parsed){0};
    p->diags.arena = &p->arena;
    p->source = mesh_source_new(&p->arena, "t.yaml", text, n);
    p->root = mesh_yaml_parse(&p->arena, p->source, &p->diags);
}

static void parse(struct parsed *p, const char *text)
{
    parse_bytes(p, text, strlen(text));
}

static void done(struct parsed *p)
{
    mesh_arena_deinit(&p->arena);
}

/* The bytes of the file that a place covers. */
static const char *bytes(struct parsed *p, struct mesh_srcref at)
{
    return mesh_arena_printf(&p->arena, "%.*s", (int)(at.end - at.begin), p->source->text + at.begin);
}

/* Refused, with this code, pointing at these bytes. */
static void refused(const char *text, const char *code, const char *at)
{
    struct parsed p;
    parse(&p, text);
    CHECK(p.root == NULL);
    CHECK(p.diags.list.n > 0);
    if (p.diags.list.n > 0) {
        CHECK_STR(p.diags.list.v[0]->code, code);
        CHECK_STR(bytes(&p, p.diags.list.v[0]->at), at);
        CHECK(p.diags.list.v[0]->fix != NULL);
    }
    done(&p);
}

CASE(maps_lists_and_scalars)
{
    struct parsed p;
    parse(&p, "a: 1\nb:\n  - x\n  - { c: y, d: [p, q] }\ne:\n");
    REQUIRE(p.root != NULL && p.root->kind == MESH_YAML_MAP);
    CHECK_EQ_U64(p.root->entries.n, 3);
    CHECK_STR(mesh_yaml_get(p.root, "a")->text, "1");
    const struct mesh_yaml *b = mesh_yaml_get(p.root, "b");
    CHECK(b->kind == MESH_YAML_LIST && !b->flow);
    CHECK_EQ_U64(b->items.n, 2);
    CHECK(b->items.v[1]->flow);
    CHECK_STR(mesh_yaml_get(b->items.v[1], "d")->items.v[1]->text, "q");
    CHECK(mesh_yaml_is_empty(mesh_yaml_get(p.root, "e")));
    CHECK(!mesh_yaml_is_empty(mesh_yaml_get(p.root, "a")));
    CHECK(mesh_yaml_get(p.root, "nothing") == NULL);
    CHECK(mesh_yaml_get(NULL, "a") == NULL);
    CHECK(mesh_yaml_get(mesh_yaml_get(p.root, "a"), "a") == NULL);
    done(&p);
}

CASE(all_scalars_are_text)
{
    struct parsed p;
    parse(&p, "a: no\nb: 1.10\nc: 0x1F\nd: ~\ne: null\nf: 2026-01-01\n");
    REQUIRE(p.root != NULL);
    CHECK_STR(mesh_yaml_get(p.root, "a")->text, "no");
    CHECK_STR(mesh_yaml_get(p.root, "b")->text, "1.10");
    CHECK_STR(mesh_yaml_get(p.root, "c")->text, "0x1F");
    CHECK_STR(mesh_yaml_get(p.root, "d")->text, "~");
    CHECK_STR(mesh_yaml_get(p.root, "e")->text, "null");
    CHECK_STR(mesh_yaml_get(p.root, "f")->text, "2026-01-01");
    done(&p);
}

CASE(places_are_bytes)
{
    struct parsed p;
    parse(&p, "k\xc3\xa4se: \xe2\x82\xac 5\nz: { \xf0\x9f\x98\x80: 'q\xc3\xa4' }\nlast: end\n");
    REQUIRE(p.root != NULL);
    CHECK_STR(bytes(&p, p.root->entries.v[0].key_at), "k\xc3\xa4se");
    CHECK_STR(bytes(&p, p.root->entries.v[0].value->at), "\xe2\x82\xac 5");
    const struct mesh_yaml *z = mesh_yaml_get(p.root, "z");
    CHECK_STR(bytes(&p, z->at), "{ \xf0\x9f\x98\x80: 'q\xc3\xa4' }");
    CHECK_STR(bytes(&p, z->entries.v[0].key_at), "\xf0\x9f\x98\x80");
    CHECK_STR(bytes(&p, z->entries.v[0].value->at), "q\xc3\xa4");
    CHECK_STR(bytes(&p, p.root->entries.v[2].value->at), "end");
    done(&p);
}

CASE(places_behind_a_byte_order_mark_and_carriage_returns)
{
    struct parsed p;
    parse(&p, "\xef\xbb\xbf"
              "a: b\r\nc:\r\n  - d\r\n");
    REQUIRE(p.root != NULL);
    CHECK_STR(bytes(&p, p.root->entries.v[0].key_at), "a");
    CHECK_STR(bytes(&p, p.root->entries.v[0].value->at), "b");
    CHECK_STR(bytes(&p, mesh_yaml_get(p.root, "c")->items.v[0]->at), "d");
    done(&p);
}

CASE(a_place_leaves_out_the_quotes)
{
    struct parsed p;
    parse(&p, "a: 'it''s'\nb: \"x\\ty\"\nc: ''\nd: |\n  one\n  two\ne: >-\n  fold\n  ed\nf: plain\n");
    REQUIRE(p.root != NULL);
    CHECK_STR(mesh_yaml_get(p.root, "a")->text, "it's");
    CHECK(mesh_yaml_get(p.root, "a")->style == MESH_YAML_SINGLE);
    CHECK_STR(bytes(&p, mesh_yaml_get(p.root, "a")->at), "it''s");
    CHECK_STR(mesh_yaml_get(p.root, "b")->text, "x\ty");
    CHECK(mesh_yaml_get(p.root, "b")->style == MESH_YAML_DOUBLE);
    CHECK_STR(bytes(&p, mesh_yaml_get(p.root, "b")->at), "x\\ty");
    CHECK_STR(bytes(&p, mesh_yaml_get(p.root, "c")->at), "");
    CHECK(!mesh_yaml_is_empty(mesh_yaml_get(p.root, "c")));
    CHECK_STR(mesh_yaml_get(p.root, "d")->text, "one\ntwo\n");
    CHECK_STR(bytes(&p, mesh_yaml_get(p.root, "d")->at), "one\n  two");
    CHECK_STR(mesh_yaml_get(p.root, "e")->text, "fold ed");
    CHECK(mesh_yaml_get(p.root, "e")->style == MESH_YAML_BLOCK);
    CHECK_STR(bytes(&p, mesh_yaml_get(p.root, "f")->at), "plain");
    done(&p);
}

CASE(a_block_collection_ends_with_its_last_value)
{
    struct parsed p;
    parse(&p, "a:\n  b: 1\n  c: 'x'\n\n# comment\nd: 2\n");
    REQUIRE(p.root != NULL);
    CHECK_STR(bytes(&p, mesh_yaml_get(p.root, "a")->at), "b: 1\n  c: 'x'");
    done(&p);
}

CASE(an_empty_file_is_an_empty_map)
{
    struct parsed p;
    parse(&p, "");
    REQUIRE(p.root != NULL);
    CHECK(p.root->kind == MESH_YAML_MAP && p.root->entries.n == 0);
    done(&p);
    parse(&p, "# only a comment\n");
    REQUIRE(p.root != NULL);
    CHECK_EQ_U64(p.root->entries.n, 0);
    done(&p);
    parse(&p, "---\na: b\n...\n");
    REQUIRE(p.root != NULL);
    CHECK_STR(mesh_yaml_get(p.root, "a")->text, "b");
    done(&p);
}

CASE(a_key_twice)
{
    struct parsed p;
    parse(&p, "a: 1\nb: 2\na: 3\nb: 4\n");
    CHECK(p.root == NULL);
    CHECK_EQ_U64(p.diags.list.n, 2); /* all of them are reported */
    CHECK_STR(p.diags.list.v[0]->code, "MY003");
    CHECK_EQ_U64(p.diags.list.v[0]->n_notes, 1);
    CHECK_EQ_U64(p.diags.list.v[0]->notes[0].at.begin, 0);
    done(&p);
    refused("x: { a: 1, a: 2 }\n", "MY003", "a");
}

CASE(what_a_declaration_does_not_need_is_refused)
{
    refused("a: &x b\n", "MY004", "&x b");
    refused("a: *x\n", "MY004", "*x");
    refused("a: &x [b]\n", "MY004", "&x [");
    refused("&k a: b\n", "MY004", "&k a");
    refused("a: !!int 5\n", "MY005", "!!int 5");
    refused("a: !!map {}\n", "MY005", "!!map {");
    refused("a: b\n---\nc: d\n", "MY006", "---");
    refused("a: b\n...\n---\nc: d\n", "MY006", "---");
    refused("a:\n\tb: c\n", "MY007", "\t");
    refused("a:\n  \t  b: c\n", "MY007", "\t  ");
    refused("a: b\n\t\nc: d\n", "MY007", "\t");
    refused("[a]: b\n", "MY010", "[a]");
    refused("{ { a: b }: c }\n", "MY010", "{ a: b }");
    refused("? [a]\n: b\n", "MY010", "[a]");
    refused("a: \"x\\0y\"\n", "MY002", "x\\0y");
}

CASE(a_tab_in_a_blank_line_or_comment_is_fine)
{
    struct parsed p;
    parse(&p, "a: b\n \t\n \t# comment\nc:\td\n");
    REQUIRE(p.root != NULL);
    CHECK_STR(mesh_yaml_get(p.root, "c")->text, "d");
    done(&p);
}

CASE(text_that_is_not_yaml)
{
    refused("a: [b\nc: d\n", "MY001", ":"); /* noticed behind the line that lacks the bracket */
    refused("a: b\n c: d\n", "MY001", ":");
    refused("a: {b\n", "MY001", "\n");
    refused("{\n", "MY001", "\n");
}

CASE(text_that_is_not_utf8)
{
    struct parsed p;
    parse_bytes(&p, "a: b\xff\n", 6);
    CHECK(p.root == NULL);
    CHECK_STR(p.diags.list.v[0]->code, "MY002");
    CHECK_EQ_U64(p.diags.list.v[0]->at.begin, 4);
    done(&p);
    parse_bytes(&p, "a: \xed\xa0\x80\n", 7); /* half of a pair */
    CHECK(p.root == NULL);
    CHECK_STR(p.diags.list.v[0]->code, "MY002");
    done(&p);
    parse_bytes(&p, "a: b\0c\n", 7);
    CHECK(p.root == NULL);
    CHECK_STR(p.diags.list.v[0]->code, "MY002");
    done(&p);
    parse(&p, "a: \x01\n");
    CHECK(p.root == NULL);
    CHECK_STR(p.diags.list.v[0]->code, "MY002");
    CHECK_EQ_U64(p.diags.list.v[0]->at.begin, 3);
    done(&p);
}

CASE(expressions_that_yaml_cuts)
{
    refused("x: a ? b : c\n", "MY011", "a ? b : c");
    refused("x: has(a) ? \"y\" : \"n\"\n", "MY011", "has(a) ? \"y\" : \"n\"");
    refused("x: \"a\" + b\n", "MY011", "\"a\" + b");
    refused("- x: 'a' + b\n", "MY011", "'a' + b");
    refused("x: !(a)\n", "MY011", "!(a)");
    refused("x: !a\n", "MY011", "!a");
    refused("x: !has(a) && b\n", "MY011", "!has(a) && b");
    refused("x: %a\n", "MY011", "%a");
    struct parsed p;
    parse(&p, "x: '!has(a) && \"b\" == c ? d : e'\ny: a && !b\nz: f(a, \"b\")\n");
    REQUIRE(p.root != NULL);
    CHECK_STR(mesh_yaml_get(p.root, "x")->text, "!has(a) && \"b\" == c ? d : e");
    CHECK_STR(mesh_yaml_get(p.root, "z")->text, "f(a, \"b\")");
    done(&p);
}

static char *nested(int depth)
{
    char *text = mesh_xcalloc((size_t)depth * 2 + 8, 1);
    strcpy(text, "a: ");
    for (int i = 0; i < depth; i++)
        text[3 + i] = '[';
    for (int i = 0; i < depth; i++)
        text[3 + depth + i] = ']';
    return text;
}

CASE(depth_has_a_limit)
{
    struct parsed p;
    char *fine = nested(MESH_YAML_DEPTH_MAX - 1); /* and the map around it */
    parse(&p, fine);
    CHECK(p.root != NULL);
    done(&p);
    free(fine);
    char *deep = nested(MESH_YAML_DEPTH_MAX);
    refused(deep, "MY008", "[");
    free(deep);
    char *absurd = nested(100000);
    refused(absurd, "MY008", "[");
    free(absurd);
}

CASE(size_has_a_limit)
{
    char *text = mesh_xmalloc(MESH_YAML_BYTES_MAX + 2);
    memset(text, '#', MESH_YAML_BYTES_MAX);
    text[MESH_YAML_BYTES_MAX] = '\0';
    struct parsed p;
    parse(&p, text);
    CHECK(p.root != NULL);
    done(&p);
    text[MESH_YAML_BYTES_MAX] = '#';
    text[MESH_YAML_BYTES_MAX + 1] = '\0';
    refused(text, "MY009", "");
    free(text);
}

CASE(values_have_a_limit)
{
    size_t n = MESH_YAML_NODES_MAX;
    char *text = mesh_xcalloc(n * 4 + 16, 1);
    for (size_t i = 0; i < n - 1; i++)
        memcpy(text + i * 4, "- a\n", 4);
    struct parsed p;
    parse(&p, text); /* the list itself is one */
    CHECK(p.root != NULL);
    done(&p);
    memcpy(text + (n - 1) * 4, "- a\n", 4);
    parse(&p, text);
    CHECK(p.root == NULL);
    CHECK_STR(p.diags.list.v[0]->code, "MY009");
    CHECK_EQ_U64(p.diags.list.n, 1);
    done(&p);
    free(text);
}

/* Whatever stands in the file: an answer or a message, and places inside the text. */
CASE(any_text_has_an_answer)
{
    static const char *const pieces[] = {"a",   ": ",  "\n", "  ", "- ",       "{",    "}", "[", "]", ",",
                                         "'",   "\"",  "&",  "*",  "!",        "|",    ">", "%", "#", "?",
                                         "---", "...", "\t", "\\", "\xc3\xa9", "\xff", "@", "`", ":"};
    uint64_t state = 42;
    for (int round = 0; round < 20000; round++) {
        char text[128] = "";
        for (int i = 0; i < 14; i++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407U;
            strcat(text, pieces[(state >> 33) % MESH_LEN(pieces)]);
        }
        struct parsed p;
        parse(&p, text);
        CHECK((p.root == NULL) == (p.diags.n_errors > 0));
        for (size_t i = 0; i < p.diags.list.n; i++)
            CHECK(p.diags.list.v[i]->at.begin <= p.diags.list.v[i]->at.end && p.diags.list.v[i]->at.end <= strlen(text) + 1);
        done(&p);
    }
}
