#include "../check.h"

#include "base/check.h"
#include "base/diag.h"

#include <stdlib.h>

static struct mesh_arena arena;
static char printed[1 << 16];

static struct mesh_diags fresh(void)
{
    mesh_arena_reset(&arena);
    return (struct mesh_diags){.arena = &arena};
}

static const struct mesh_source *source_of(const char *path, const char *text)
{
    return mesh_source_new(&arena, path, text, strlen(text));
}

/* The n-th (from 0) occurrence of `word`. */
static struct mesh_srcref at(const struct mesh_source *source, const char *word, int n)
{
    const char *p = strstr(source->text, word);
    for (; n > 0 && p != NULL; n--)
        p = strstr(p + 1, word);
    uint32_t begin = p == NULL ? 0 : (uint32_t)(p - source->text);
    return (struct mesh_srcref){source, begin, begin + (uint32_t)strlen(word)};
}

static const char *print(const struct mesh_diags *diags, enum mesh_diag_format format, bool colour)
{
    printed[0] = '\0';
    FILE *out = fmemopen(printed, sizeof printed, "w");
    size_t n = mesh_diag_print(diags, out, format, colour);
    fclose(out);
    CHECK_EQ_U64(n, diags->n_errors);
    return printed;
}

/* One error over the range, printed; up to the summary. */
static const char *quoted(const char *text, uint32_t begin, uint32_t end, const char *hint)
{
    struct mesh_diags diags = fresh();
    const struct mesh_source *source = source_of("f", text);
    struct mesh_diag *diag = mesh_diag_add(&diags, MESH_ERROR, "E", (struct mesh_srcref){source, begin, end}, "bad");
    if (hint != NULL)
        mesh_diag_hint(&diags, diag, "%s", hint);
    print(&diags, MESH_DIAG_TEXT, false);
    char *summary = strstr(printed, "1 error, 0 warnings\n");
    if (summary != NULL)
        *summary = '\0';
    return printed;
}

static const char product[] = "product: orders\n"
                              "inputs:\n"
                              "  clicks: {}\n"
                              "\n"
                              "# more\n"
                              "  orders:\n"
                              "    topic: orders\n"
                              "streams:\n"
                              "  fraud:\n"
                              "    where: amount > 100\n"
                              "    # from an input\n"
                              "    key: id\n"
                              "\n"
                              "    from: ordres\n";

static struct mesh_diags example(void)
{
    struct mesh_diags diags = fresh();
    const struct mesh_source *source = source_of("domains/orders/product.yaml", product);
    struct mesh_diag *diag =
        mesh_diag_add(&diags, MESH_ERROR, "MG012", at(source, "ordres", 0), "input '%s' is not declared", "ordres");
    mesh_diag_hint(&diags, diag, "did you mean '%s'?", "orders");
    mesh_diag_why(&diags, diag, "a stream reads an input port, another stream or the changes of a view");
    mesh_diag_fix(&diags, diag, "write 'from: orders'");
    mesh_diag_note(&diags, diag, at(source, "orders", 1), "'orders' is declared here");
    return diags;
}

CASE(the_text_of_the_manual)
{
    struct mesh_diags diags = example();
    CHECK_STR(print(&diags, MESH_DIAG_TEXT, false),
              "domains/orders/product.yaml:14:11: error[MG012]: input 'ordres' is not declared\n"
              "   14 |     from: ordres\n"
              "      |           ^^^^^^ did you mean 'orders'?\n"
              "  why: a stream reads an input port, another stream or the changes of a view\n"
              "  fix: write 'from: orders'\n"
              "domains/orders/product.yaml:6:3: note: 'orders' is declared here\n"
              "    6 |   orders:\n"
              "      |   ^^^^^^\n"
              "1 error, 0 warnings\n");
}

CASE(positions)
{
    fresh();
    const struct mesh_source *s = source_of("f", "a\ngr\xc3\xbc\xc3\x9f"
                                                 "e\r\n\xf0\x9f\x98\x80x\n");
    int line;
    int column;
    static const struct {
        uint32_t offset;
        int line, column;
    } cases[] = {{0, 1, 1}, {1, 1, 2}, {2, 2, 1}, {6, 2, 4}, {8, 2, 5}, {11, 3, 1}, {15, 3, 2}, {17, 4, 1}, {999, 4, 1}};
    for (size_t i = 0; i < MESH_LEN(cases); i++) {
        mesh_source_position(s, cases[i].offset, &line, &column);
        CHECK_EQ_I64(line, cases[i].line);
        CHECK_EQ_I64(column, cases[i].column);
    }
    s = source_of("f", "");
    mesh_source_position(s, 0, &line, &column);
    CHECK(line == 1 && column == 1 && s->n_lines == 1);
}

CASE(tabs_stay_and_align)
{
    CHECK_STR(quoted("\tkey:\tvalue\n", 6, 11, "here"), "f:1:7: error[E]: bad\n"
                                                        "    1 | \tkey:\tvalue\n"
                                                        "      | \t    \t^^^^^ here\n");
    CHECK_STR(quoted("\tkey", 0, 1, "a tab"), "f:1:1: error[E]: bad\n"
                                              "    1 | \tkey\n"
                                              "      | ^ a tab\n");
    CHECK_STR(quoted("a\t\tb", 0, 4, NULL), "f:1:1: error[E]: bad\n"
                                            "    1 | a\t\tb\n"
                                            "      | ^\t\t^\n");
}

CASE(carets_align_under_utf8)
{
    CHECK_STR(quoted("gr\xc3\xbcn: x\xcc\x81y\n", 7, 8, NULL), "f:1:7: error[E]: bad\n"
                                                               "    1 | gr\xc3\xbcn: x\xcc\x81y\n"
                                                               "      |       ^\n");
    /* wide characters take two cells */
    CHECK_STR(quoted("\xe6\x97\xa5\xe6\x9c\xac x", 3, 6, NULL), "f:1:2: error[E]: bad\n"
                                                                "    1 | \xe6\x97\xa5\xe6\x9c\xac x\n"
                                                                "      |   ^^\n");
}

CASE(what_would_disguise_is_replaced)
{
    CHECK_STR(quoted("a\x1b[2J\xff\xe2\x80\xae"
                     "b",
                     9, 10, NULL),
              "f:1:8: error[E]: bad\n"
              "    1 | a\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd"
              "b\n"
              "      |        ^\n");
}

CASE(empty_ranges_and_ends)
{
    CHECK_STR(quoted("ab\r\ncd\n", 2, 2, NULL), "f:1:3: error[E]: bad\n"
                                                "    1 | ab\n"
                                                "      |   ^\n");
    CHECK_STR(quoted("ab\ncd\n", 6, 6, NULL), "f:3:1: error[E]: bad\n"
                                              "    3 | \n"
                                              "      | ^\n");
    CHECK_STR(quoted("", 0, 0, NULL), "f:1:1: error[E]: bad\n"
                                      "    1 | \n"
                                      "      | ^\n");
    CHECK_STR(quoted("ab", 77, 99, NULL), "f:1:3: error[E]: bad\n"
                                          "    1 | ab\n"
                                          "      |   ^\n");
    CHECK_STR(quoted("ab\ncd\n", 0, 3, NULL), "f:1:1: error[E]: bad\n"
                                              "    1 | ab\n"
                                              "      | ^^\n");
}

CASE(ranges_over_several_lines)
{
    CHECK_STR(quoted("x: {a,\n    b}\n", 3, 13, "closed here"), "f:1:4: error[E]: bad\n"
                                                                "    1 | x: {a,\n"
                                                                "      |    ^^^\n"
                                                                "    2 |     b}\n"
                                                                "      |     ^^ closed here\n");
    CHECK_STR(quoted("x:\n  a: 1\n  b: 2\n  c: 3\n\ny: 1\n", 0, 25, NULL), "f:1:1: error[E]: bad\n"
                                                                           "    1 | x:\n"
                                                                           "      | ^^\n"
                                                                           "  ... |\n"
                                                                           "    4 |   c: 3\n"
                                                                           "      |   ^^^^\n");
}

CASE(long_lines_are_windowed)
{
    char text[2001];
    for (size_t i = 0; i < 2000; i++)
        text[i] = (char)('a' + i % 26);
    text[2000] = '\0';
    quoted(text, 1000, 1003, "here");
    CHECK_CONTAINS(printed, "f:1:1001: error[E]: bad\n    1 | ...yz");
    CHECK_CONTAINS(printed, "...\n      |                                            ^^^ here\n");
    const char *line = strstr(printed, "1 | ...") + 7;
    CHECK(memcmp(line + 40, text + 1000, 3) == 0);
    CHECK_EQ_I64(strstr(line, "...\n") - line, 120);
    /* at the beginning there is nothing to cut in front, at the end nothing behind */
    quoted(text, 3, 4, NULL);
    CHECK_CONTAINS(printed, "    1 | abcdef");
    CHECK_CONTAINS(printed, "      |    ^\n");
    quoted(text, 1999, 2000, NULL);
    CHECK_CONTAINS(printed, "xyzabcdefghijklmnopqrstuvwx\n");
    /* a range longer than the window is underlined as far as it is shown */
    quoted(text, 0, 2000, NULL);
    const char *carets = strstr(printed, "^");
    CHECK_EQ_U64(strspn(carets, "^"), 120);
    /* of two-byte characters none is halved */
    for (size_t i = 0; i < 2000; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    quoted(text, 1000, 1002, NULL);
    CHECK(strstr(printed, "\xef\xbf\xbd") == NULL);
    CHECK_CONTAINS(printed, "f:1:501:");
}

CASE(in_order_of_file_place_code_and_stable)
{
    struct mesh_diags diags = fresh();
    const struct mesh_source *b = source_of("b.yaml", "one two three\n");
    const struct mesh_source *a = source_of("a.yaml", "one two three\n");
    mesh_diag_add(&diags, MESH_WARNING, "W2", at(b, "two", 0), "fourth");
    mesh_diag_add(&diags, MESH_ERROR, "E9", at(b, "one", 0), "third");
    mesh_diag_add(&diags, MESH_ERROR, "E1", at(b, "one", 0), "second");
    mesh_diag_add(&diags, MESH_ERROR, "E5", at(a, "three", 0), "first");
    mesh_diag_add(&diags, MESH_ERROR, "E0", (struct mesh_srcref){0}, "whole B");
    mesh_diag_add(&diags, MESH_ERROR, "E0", (struct mesh_srcref){0}, "whole A");
    print(&diags, MESH_DIAG_TEXT, false);
    static const char *const wanted[] = {"whole B", "whole A", "first", "second", "third", "fourth"};
    const char *before = printed;
    for (size_t i = 0; i < MESH_LEN(wanted); i++) {
        const char *here = strstr(printed, wanted[i]);
        REQUIRE(here != NULL);
        CHECK(here > before);
        before = here;
    }
    CHECK_CONTAINS(printed, "error[E0]: whole B\nerror[E0]: whole A\na.yaml:1:9: ");
    CHECK_CONTAINS(printed, "5 errors, 1 warning\n");
}

CASE(the_same_twice_is_one)
{
    struct mesh_diags diags = fresh();
    const struct mesh_source *s = source_of("f", "one two\n");
    mesh_diag_fix(&diags, mesh_diag_add(&diags, MESH_ERROR, "E1", at(s, "one", 0), "a"), "first fix");
    struct mesh_diag *again = mesh_diag_add(&diags, MESH_ERROR, "E1", at(s, "one", 0), "b");
    mesh_diag_fix(&diags, again, "second fix");
    mesh_diag_add(&diags, MESH_ERROR, "E2", at(s, "one", 0), "c");
    mesh_diag_add(&diags, MESH_ERROR, "E1", at(s, "two", 0), "d");
    mesh_diag_add(&diags, MESH_ERROR, "E3", (struct mesh_srcref){0}, "e");
    mesh_diag_add(&diags, MESH_ERROR, "E3", (struct mesh_srcref){0}, "e");
    CHECK_EQ_U64(diags.list.n, 4);
    CHECK_EQ_U64(diags.n_errors, 4);
    print(&diags, MESH_DIAG_TEXT, false);
    CHECK_CONTAINS(printed, "first fix");
    CHECK(strstr(printed, "second fix") == NULL);
}

CASE(too_many_are_counted)
{
    struct mesh_diags diags = fresh();
    char text[301];
    memset(text, 'x', 300);
    text[300] = '\0';
    const struct mesh_source *s = source_of("f", text);
    for (uint32_t i = 0; i < 300; i++) {
        struct mesh_diag *diag = mesh_diag_add(&diags, MESH_ERROR, "E", (struct mesh_srcref){s, i, i + 1}, "bad");
        for (int j = 0; j < MESH_DIAG_NOTES_MAX + 5; j++)
            mesh_diag_note(&diags, diag, diag->at, "note %d", j);
        CHECK_EQ_U64(diag->n_notes, MESH_DIAG_NOTES_MAX);
        diag->n_notes = 0;
    }
    CHECK_EQ_U64(diags.list.n, MESH_DIAG_MAX);
    CHECK_EQ_U64(diags.n_errors, 300);
    CHECK_CONTAINS(print(&diags, MESH_DIAG_TEXT, false), "300 errors, 0 warnings (100 of these not shown)\n");
}

CASE(colour_only_when_asked)
{
    struct mesh_diags diags = example();
    CHECK(strchr(print(&diags, MESH_DIAG_TEXT, false), '\033') == NULL);
    print(&diags, MESH_DIAG_TEXT, true);
    CHECK_CONTAINS(printed, "\033[1mdomains/orders/product.yaml:14:11:\033[0m \033[1;31merror[MG012]:\033[0m ");
    CHECK_CONTAINS(printed, "\033[1;31m          ^^^^^^ did you mean 'orders'?\033[0m\n");
}

CASE(nothing_found)
{
    struct mesh_diags diags = fresh();
    CHECK_STR(print(&diags, MESH_DIAG_TEXT, true), "0 errors, 0 warnings\n");
    CHECK_STR(print(&diags, MESH_DIAG_JSON, true), "{\"diagnostics\":[\n],\"errors\":0,\"warnings\":0,\"notShown\":0}\n");
    CHECK_CONTAINS(print(&diags, MESH_DIAG_JUNIT, true), "tests=\"1\" failures=\"0\"");
    CHECK_STR(print(&diags, MESH_DIAG_GITHUB, true), "");
    CHECK_CONTAINS(print(&diags, MESH_DIAG_SARIF, true), "\"results\":[\n]");
}

CASE(json)
{
    struct mesh_diags diags = example();
    CHECK_STR(print(&diags, MESH_DIAG_JSON, false),
              "{\"diagnostics\":[\n"
              "{\"severity\":\"error\",\"code\":\"MG012\",\"path\":\"domains/orders/"
              "product.yaml\",\"line\":14,"
              "\"column\":11,\"endLine\":14,\"endColumn\":17,\"message\":\"input 'ordres' is not "
              "declared\","
              "\"hint\":\"did you mean 'orders'?\",\"why\":\"a stream reads an input port, another "
              "stream or the "
              "changes of a view\",\"fix\":\"write 'from: orders'\",\"notes\":[{\"message\":\"'orders' "
              "is declared "
              "here\",\"path\":\"domains/orders/product.yaml\",\"line\":6,\"column\":3,\"endLine\":6,"
              "\"endColumn\":9}]}\n"
              "],\"errors\":1,\"warnings\":0,\"notShown\":0}\n");
}

static struct mesh_diags nasty(void)
{
    struct mesh_diags diags = fresh();
    const struct mesh_source *s = source_of("a b,c:%.yaml", "x\n");
    mesh_diag_add(&diags, MESH_ERROR, "E1", at(s, "x", 0), "<&\"%s>\n100%%, done: \x01\xff", "ok");
    mesh_diag_add(&diags, MESH_WARNING, "W1", (struct mesh_srcref){0}, "careful");
    mesh_diag_add(&diags, MESH_NOTE, "N1", (struct mesh_srcref){0}, "by the way");
    return diags;
}

CASE(junit)
{
    struct mesh_diags diags = nasty();
    CHECK_STR(print(&diags, MESH_DIAG_JUNIT, false),
              "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
              " <testsuite name=\"mesh\" tests=\"3\" failures=\"1\" errors=\"0\">\n"
              "  <testcase classname=\"mesh\" name=\"N1\"><system-out>by the "
              "way</system-out></testcase>\n"
              "  <testcase classname=\"mesh\" name=\"W1\"><system-out>careful</system-out></testcase>\n"
              "  <testcase classname=\"a b,c:%.yaml\" name=\"1:1 E1\"><failure type=\"E1\" "
              "message=\"&lt;&amp;&quot;ok&gt;&#10;100%, done: \xef\xbf\xbd\xef\xbf\xbd\">"
              "a b,c:%.yaml:1:1: &lt;&amp;&quot;ok&gt;&#10;100%, done: "
              "\xef\xbf\xbd\xef\xbf\xbd</failure></testcase>\n"
              " </testsuite>\n</testsuites>\n");
}

CASE(github)
{
    struct mesh_diags diags = example();
    CHECK_STR(print(&diags, MESH_DIAG_GITHUB, false),
              "::error "
              "file=domains/orders/product.yaml,line=14,endLine=14,col=11,endColumn=17,title=MG012::"
              "input 'ordres' is not declared; did you mean 'orders'?%0Awhy: a stream reads an input "
              "port, another "
              "stream or the changes of a view%0Afix: write 'from: orders'\n");
    diags = nasty();
    print(&diags, MESH_DIAG_GITHUB, false);
    CHECK_CONTAINS(printed, "::notice title=N1::by the way\n::warning title=W1::careful\n");
    CHECK_CONTAINS(printed, "file=a b%2Cc%3A%25.yaml,line=1,");
    CHECK_CONTAINS(printed, "<&\"ok>%0A100%25, done: ");
}

CASE(sarif)
{
    struct mesh_diags diags = example();
    print(&diags, MESH_DIAG_SARIF, false);
    CHECK_CONTAINS(printed, "\"version\":\"2.1.0\"");
    CHECK_CONTAINS(printed, "\"rules\":[{\"id\":\"MG012\"}]");
    CHECK_CONTAINS(printed, "{\"ruleId\":\"MG012\",\"level\":\"error\",\"message\":{\"text\":\"input 'ordres'");
    CHECK_CONTAINS(printed, "\"locations\":[{\"physicalLocation\":{\"artifactLocation\":{\"uri\":"
                            "\"domains/orders/product.yaml\"},\"region\":{\"startLine\":14,\"startColumn\":11,"
                            "\"endLine\":14,\"endColumn\":17}}}]");
    CHECK_CONTAINS(printed, "\"relatedLocations\":[{\"physicalLocation\":");
    diags = nasty();
    CHECK_CONTAINS(print(&diags, MESH_DIAG_SARIF, false), "\"uri\":\"a%20b%2Cc%3A%25.yaml\"");
}

CASE(did_you_mean)
{
    static const char *const words[] = {"orders", "order_id", "customers", "products", "id", "orders"};
    size_t n = MESH_LEN(words);
    CHECK(mesh_did_you_mean("ordres", words, n) == words[0]); /* swapped; the first of equals */
    CHECK_STR(mesh_did_you_mean("order", words, n), "orders");
    CHECK_STR(mesh_did_you_mean("custmoers", words, n), "customers");
    CHECK_STR(mesh_did_you_mean("product", words, n), "products");
    CHECK_STR(mesh_did_you_mean("di", words, n), "id");
    CHECK_STR(mesh_did_you_mean("orders", words, n), "orders");
    CHECK_STR(mesh_did_you_mean("shipments", words, n), NULL);
    CHECK_STR(mesh_did_you_mean("ab", words, n), NULL);
    CHECK_STR(mesh_did_you_mean("orders", words, 0), NULL);
    CHECK_STR(mesh_did_you_mean("", words, n), NULL);
    char large[300];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    CHECK_STR(mesh_did_you_mean(large, words, n), NULL);
    const char *one[] = {large};
    CHECK_STR(mesh_did_you_mean("xxxx", one, 1), NULL);
}

CASE(the_end)
{
    mesh_arena_deinit(&arena);
    CHECK(arena.block == NULL);
}
