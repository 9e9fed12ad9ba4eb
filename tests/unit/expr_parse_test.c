/* Text to syntax and back: normal forms, mistakes, limits, and what YAML does to an expression. */
#include "../check.h"
#include "base/rng.h"
#include "codegen/expr.h"

#include <stdlib.h>

static struct mesh_arena arena;
static struct mesh_diags diags;

static void fresh(void)
{
    mesh_arena_reset(&arena);
    diags = (struct mesh_diags){.arena = &arena};
}

static struct mesh_expr *parse_at(const char *text, struct mesh_srcref at)
{
    return mesh_expr_parse(&arena, &diags, text, at);
}

/* The text as a plain scalar that is a whole file. */
static struct mesh_expr *parse(const char *text)
{
    const struct mesh_source *source = mesh_source_new(&arena, "t.yaml", text, strlen(text));
    return parse_at(text, (struct mesh_srcref){source, 0, (uint32_t)strlen(text)});
}

static const char *print(const struct mesh_expr *expr)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_expr_print(expr, &text);
    return mesh_arena_strdup(&arena, text.p);
}

/* "code begin-end text [hint] {why} <fix>" of every diagnostic, one per line; places are bytes of the file. */
static const char *said(void)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_buf_puts(&out, "");
    for (size_t i = 0; i < diags.list.n; i++) {
        const struct mesh_diag *d = diags.list.v[i];
        mesh_buf_printf(&out, "%s%s %u-%u %s", i == 0 ? "" : "\n", d->code, d->at.begin, d->at.end, d->text);
        if (d->hint != NULL)
            mesh_buf_printf(&out, " [%s]", d->hint);
        if (d->why != NULL)
            mesh_buf_printf(&out, " {%s}", d->why);
        if (d->fix != NULL)
            mesh_buf_printf(&out, " <%s>", d->fix);
    }
    return mesh_arena_strdup(&arena, out.p);
}

/* ---- normal forms ---- */

static const char *normal(const char *text)
{
    fresh();
    struct mesh_expr *expr = parse(text);
    if (expr == NULL)
        return said();
    const char *printed = print(expr);
    struct mesh_expr *again = parse(printed);
    if (again == NULL)
        return "the normal form does not parse";
    const char *second = print(again);
    return strcmp(printed, second) == 0 ? printed : "the normal form has another normal form";
}

CASE(normal_forms)
{
    static const char *const table[][2] = {
        /* literals */
        {"1", "1"},
        {"-1", "-1"},
        {"- 1", "-1"},
        {"0x1F", "0x1F"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"9223372036854775807", "9223372036854775807"},
        {"-0x8000000000000000", "-0x8000000000000000"},
        {"1.50", "1.50"},
        {".5", "0.5"},
        {"-1e3", "-1e3"},
        {"1.5E-3", "1.5E-3"},
        {"true", "true"},
        {"false && null", "false && null"},
        {"'a'", "\"a\""},
        {"\"it's\"", "\"it's\""},
        {"'say \"x\"'", "\"say \\\"x\\\"\""},
        {"'\\x41\\u00e9\\U0001F600\\101\\n'", "\"A\303\251\360\237\230\200A\\n\""},
        {"'\\a\\b\\f\\r\\t\\v\\\\\\?\\`'", "\"\\a\\b\\f\\r\\t\\v\\\\?`\""},
        {"'\\x01'", "\"\\x01\""},
        {"r'a\\n'", "\"a\\\\n\""},
        {"R\"\\\"", "\"\\\\\""},
        {"'''a'b\nc'''", "\"a'b\\nc\""},
        {"\"\"\"x\"y\"\"\"", "\"x\\\"y\""},
        {"''", "\"\""},
        {"b'\\xff\\001a'", "b\"\\xff\\x01a\""},
        {"Br'\\x'", "b\"\\\\x\""},
        {"Br\"q\"", "b\"q\""},
        {"[1,2 , 3]", "[1, 2, 3]"},
        {"[]", "[]"},
        {"[1,]", "[1]"},
        /* names */
        {"a", "a"},
        {"_a1", "_a1"},
        {"a . b.c", "a.b.c"},
        {"rb", "rb"},
        {"a.in", "a.in"},
        {"index", "index"},
        {"a[0]", "a[0]"},
        /* calls */
        {"f()", "f()"},
        {"f(a,b)", "f(a, b)"},
        {"a.f(b).g()", "a.f(b).g()"},
        {"(a+b).f()", "(a + b).f()"},
        {"has(a.b)", "has(a.b)"},
        {"-1.f()", "-1.f()"},
        /* precedence */
        {"a+b*c", "a + b * c"},
        {"(a+b)*c", "(a + b) * c"},
        {"a+(b*c)", "a + b * c"},
        {"a-b-c", "a - b - c"},
        {"a-(b-c)", "a - (b - c)"},
        {"(a-b)-c", "a - b - c"},
        {"a*b/c%d", "a * b / c % d"},
        {"a*(b/c)", "a * (b / c)"},
        {"a<b==c", "a < b == c"},
        {"a<(b==c)", "a < (b == c)"},
        {"a+1>b&&c||d", "a + 1 > b && c || d"},
        {"a&&(b||c)", "a && (b || c)"},
        {"(a&&b)||c", "a && b || c"},
        {"a||(b||c)", "a || (b || c)"},
        {"a in [1]&&b", "a in [1] && b"},
        {"!a.b", "!a.b"},
        {"!(a&&b)", "!(a && b)"},
        {"!!a", "!!a"},
        {"--a", "--a"},
        {"-(-5)", "--5"},
        {"-a*b", "-a * b"},
        {"-(a*b)", "-(a * b)"},
        {"a- -1", "a - -1"},
        {"a-1", "a - 1"},
        {"a?b:c", "a ? b : c"},
        {"a?b:c?d:e", "a ? b : c ? d : e"},
        {"(a?b:c)?d:e", "(a ? b : c) ? d : e"},
        {"a?(b?c:d):e", "a ? (b ? c : d) : e"},
        {"a||b?c:d", "a || b ? c : d"},
        {"(a?b:c)+1", "(a ? b : c) + 1"},
        {"(((a)))", "a"},
        /* white space and comments */
        {" \t a\n+\r\nb ", "a + b"},
        {"a // the first\n + b // the second", "a + b"},
        {"a +\n// alone\nb", "a + b"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        CHECK_STR(normal(table[i][0]), table[i][1]);
}

/* ---- mistakes ---- */

CASE(mistakes)
{
    static const char *const table[][2] = {
        {"rb'a'", "ME001 0-2 a text has no prefix 'rb' <raw bytes begin with br>"},
        {"", "ME001 0-0 an expression is missing here <write a value, for instance a field's name or a text in quotes inside "
             "quotes: '\"a\"'>"},
        {"  ", "ME001 0-2 an expression is missing here <write a value, for instance a field's name or a text in quotes inside "
               "quotes: '\"a\"'>"},
        {"a >", "ME001 2-3 the expression ends too early: a value is missing behind '>'"},
        {"a &&", "ME001 3-4 the expression ends too early: a value is missing behind '&&'"},
        {"-", "ME001 0-1 the expression ends too early: a value is missing behind '-'"},
        {"(a", "ME001 1-2 the expression ends too early: a ')' is missing"},
        {"f(a, b", "ME001 5-6 the expression ends too early: a ')' is missing"},
        {"[1, 2", "ME001 4-5 the expression ends too early: a ']' is missing"},
        {"a[1", "ME001 2-3 the expression ends too early: a ']' is missing"},
        {"a.", "ME001 1-2 the expression ends too early: a name is missing behind '.'"},
        {"a ? b", "ME001 4-5 the expression ends too early: a ':' and what holds otherwise are missing"},
        {"a ? b :", "ME001 6-7 the expression ends too early: a value is missing behind ':'"},
        {"a ? b c", "ME001 6-7 a ':' is missing in front of this"},
        {"f(a,)", "ME001 4-5 a value is missing in front of ')'"},
        {"f(a b)", "ME001 4-5 ',' or ')' is missing in front of this"},
        {"(a b)", "ME001 3-4 ')' or an operator is missing in front of this"},
        {"a[1 2]", "ME001 4-5 ']' is missing in front of this"},
        {"()", "ME001 0-2 there is nothing between the parentheses"},
        {"a)", "ME001 1-2 this ')' closes nothing"},
        {"a]", "ME001 1-2 this ']' closes nothing"},
        {"a b", "ME001 2-3 an operator is missing in front of 'b'"},
        {"a 1", "ME001 2-3 an operator is missing in front of '1'"},
        {"a and b", "ME001 2-5 an operator is missing in front of 'and' <write &&>"},
        {"a OR b", "ME001 2-4 an operator is missing in front of 'OR' <write ||>"},
        {"not a", "ME001 4-5 an operator is missing in front of 'a' <write ! for 'not'>"},
        {"a is null", "ME001 2-4 an operator is missing in front of 'is' <write == or !=, as in campaign_id != null>"},
        {"a like 'x'",
         "ME001 2-6 an operator is missing in front of 'like' <write name.startsWith(\"a\"), .endsWith or .contains>"},
        {"a, b", "ME001 1-2 an operator is missing in front of ',' <a comma stands only between the arguments of a function and in "
                 "a list>"},
        {"a : b", "ME001 2-3 an operator is missing in front of ':' <a ':' belongs to a '?': condition ? a : b>"},
        {"== a", "ME001 0-2 a value is missing in front of '==' <a comparison has a value on both sides: amount == 2>"},
        {"a <> b", "ME001 3-4 a value is missing in front of '>' <write != for 'is not'>"},
        {"a + * b", "ME001 4-5 a value is missing in front of '*'"},
        {"a.1", "ME001 1-3 an operator is missing in front of '.1'"},
        {"a.'b'", "ME001 1-5 a name is missing behind '.'"},
        {"a = b", "ME001 2-3 '=' has no meaning here <write == to compare; an expression never assigns>"},
        {"a === b", "ME001 4-5 '=' has no meaning here <write == or !=, with one sign less>"},
        {"a & b", "ME001 2-3 '&' has no meaning here <write && for 'and'>"},
        {"a | b", "ME001 2-3 '|' has no meaning here <write || for 'or'>"},
        {"a; b", "ME001 1-2 ';' has no meaning here <one expression stands here; take the ';' away>"},
        {"$a", "ME001 0-1 '$' has no meaning here <a field is named without a sign in front: amount>"},
        {"`a`", "ME001 0-1 '`' has no meaning here <names are written without quotes, texts in ' or \">"},
        {"\342\200\234a\342\200\235", "ME001 0-3 '\342\200\234' has no meaning here <outside of quotes only ASCII is written; look "
                                      "for a typographic quote or dash>"},
        {"a \001 b", "ME001 2-3 a control character (byte 1) stands here"},
        {"\"abc", "ME001 0-4 the string is not closed <put \" behind it>"},
        {"'abc\ndef'", "ME001 0-4 the string is not closed <put ' behind it>"},
        {"'''abc'", "ME001 0-7 the string is not closed <put ''' behind it>"},
        {"'a\\q'", "ME001 2-4 this escape means nothing {CEL knows \\n \\r \\t \\a \\b \\f \\v \\\\ \\\" \\' \\? \\` \\xHH \\ooo, "
                   "and in strings "
                   "\\uHHHH \\UHHHHHHHH} <write \\\\ for a backslash, or a raw string: r'...'>"},
        {"'\\xg1'", "ME001 1-3 this escape means nothing {CEL knows \\n \\r \\t \\a \\b \\f \\v \\\\ \\\" \\' \\? \\` \\xHH \\ooo, "
                    "and in strings "
                    "\\uHHHH \\UHHHHHHHH} <write \\\\ for a backslash, or a raw string: r'...'>"},
        {"'\377'", "ME001 1-2 the string is not valid UTF-8"},
        {"12ab", "ME001 0-4 '12ab' is neither a number nor a name <a name does not begin with a digit; a text stands in quotes>"},
        {"9223372036854775808", "ME008 0-19 9223372036854775808 does not fit an int {an int has 64 bits: -9223372036854775808 to "
                                "9223372036854775807} <a decimal may have 38 digits: write 9223372036854775808.0 beside one>"},
        {"1e999", "ME008 0-5 1e999 does not fit a double {a double reaches to about 1.8e308}"},
        {"2u", "ME010 0-2 there are no unsigned numbers {this part of CEL is left out on purpose} <take the 'u' away: an int has "
               "64 bits with "
               "a sign>"},
        {"{'a': 1}",
         "ME010 0-1 there are no maps in expressions {this part of CEL is left out on purpose} <compare with ==, or write x in [a, "
         "b]>"},
        {"T{a: 1}", "ME010 0-2 messages are not made in expressions {this part of CEL is left out on purpose} <name the single "
                    "values, each on "
                    "its own line>"},
        {"a.T{}", "ME010 0-4 messages are not made in expressions {this part of CEL is left out on purpose} <name the single "
                  "values, each on "
                  "its own line>"},
        {"a.?b", "ME010 2-3 there are no optional values {this part of CEL is left out on purpose} <write has(x) ? x : other>"},
        {"a[?0]", "ME010 2-3 there are no optional values {this part of CEL is left out on purpose} <write has(x) ? x : other>"},
        {"[?a]",
         "ME010 1-2 optional list items are not part of the language {this part of CEL is left out on purpose} <write the items "
         "themselves>"},
        {"a ?? b", "ME010 2-4 there are no optional values {this part of CEL is left out on purpose} <write has(x) ? x : other>"},
        {".a", "ME010 0-1 names do not begin with a dot {this part of CEL is left out on purpose} <take the '.' away>"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        fresh();
        CHECK(parse(table[i][0]) == NULL);
        CHECK_STR(said(), table[i][1]);
    }
}

/* ---- limits ---- */

static const char *repeated(const char *before, const char *part, size_t n, const char *behind)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_puts(&text, before);
    for (size_t i = 0; i < n; i++)
        mesh_buf_puts(&text, part);
    mesh_buf_puts(&text, behind);
    return mesh_arena_strdup(&arena, text.p);
}

static bool parses(const char *text)
{
    bool ok = parse(text) != NULL;
    CHECK_EQ_I64(ok, diags.n_errors == 0);
    if (!ok)
        CHECK_CONTAINS(said(), strlen(text) > MESH_EXPR_BYTES_MAX ? "longer than 4096 bytes" : "nested more than 64 levels deep");
    fresh();
    return ok;
}

CASE(limits)
{
    fresh();
    CHECK(parses(repeated("", "(", 60, repeated("a", ")", 60, ""))));
    CHECK(!parses(repeated("", "(", 70, repeated("a", ")", 70, ""))));
    CHECK(parses(repeated("a", " + a", 60, "")));
    CHECK(!parses(repeated("a", " + a", 70, "")));
    CHECK(parses(repeated("", "!", 60, "a")));
    CHECK(!parses(repeated("", "!", 2000, "a")));
    CHECK(!parses(repeated("", "[", 2000, "")));
    CHECK(!parses(repeated("", "f(", 2000, "")));
    CHECK(!parses(repeated("a", ".a", 2000, "")));
    CHECK(!parses(repeated("a", "?a:a", 1000, "")));
    CHECK(parses(repeated("a", " && a", 600, ""))); /* a flat row */
    CHECK(parses(repeated("a", " || a", 600, "")));
    CHECK(parses(repeated("a in [1", ",1", 1500, "]")));
    CHECK(parses(repeated("'", "x", 4094, "'")));
    CHECK(!parses(repeated("'", "x", 4095, "'")));
}

/* ---- YAML ---- */

/* `yaml` with the scalar between « and »; `text` as YAML gives it, NULL: as it stands there. */
static const char *in_yaml(const char *yaml, const char *text)
{
    fresh();
    const char *open = strstr(yaml, "\302\253");
    const char *close = strstr(yaml, "\302\273");
    char *file = mesh_arena_printf(&arena, "%.*s%.*s%s", (int)(open - yaml), yaml, (int)(close - open - 2), open + 2, close + 2);
    const struct mesh_source *source = mesh_source_new(&arena, "t.yaml", file, strlen(file));
    struct mesh_srcref at = {source, (uint32_t)(open - yaml), (uint32_t)(close - yaml - 2)};
    if (text == NULL)
        text = mesh_arena_str(&arena, (struct mesh_str){file + at.begin, at.end - at.begin});
    struct mesh_expr *expr = parse_at(text, at);
    return expr == NULL ? said() : print(expr);
}

#define BLOCK "<write it on its own line behind 'name: >-', where YAML leaves it alone>"

CASE(what_yaml_cut)
{
    static const char *const table[][2] = {
        {"{ when: \302\253f(a\302\273, b) }",
         "ME011 8-12 YAML cut the expression at the comma {inside { } and [ ] a comma ends a value} " BLOCK},
        {"{ when: \302\253(a\302\273, b: 1 }",
         "ME011 8-11 YAML cut the expression at the comma {inside { } and [ ] a comma ends a value} " BLOCK},
        {"{ when: \302\253x in\302\273 [1, 2] }",
         "ME011 8-14 YAML cut the expression at a bracket {inside { } and [ ] a bracket ends a value} " BLOCK},
        {"{ when: \302\253a ? b\302\273 : c }",
         "ME011 8-15 YAML cut the expression at the colon {': ' ends a key, so 'a ? b : c' is no plain value} " BLOCK},
        {"- where: \302\253name == \"a\302\273 #b\"",
         "ME011 9-21 YAML cut the expression at ' #' {' #' begins a YAML comment} " BLOCK},
        {"- where: \302\253(a\302\273 # comment", "ME011 9-13 YAML cut the expression at ' #' {' #' begins a YAML comment} " BLOCK},
        {"- where: \302\253a > 0\302\273 # comment", "a > 0"},
        {"- where: !has(x) \302\253y\302\273\n", "ME011 9-18 YAML took the beginning of the expression for a tag {a value that "
                                                 "begins with '!' names its YAML type} " BLOCK},
        {"- where: !has(x)\302\253\302\273\n", "ME011 9-16 YAML took the beginning of the expression for a tag {a value that "
                                               "begins with '!' names its YAML type} " BLOCK},
        {"- where: &a \302\253b\302\273\n", "ME011 9-13 YAML took the beginning of the expression for an anchor {a value that "
                                            "begins with '&' or '*' names or repeats a YAML node} " BLOCK},
        {"rule: \"\302\253hello world\302\273\"\n",
         "ME011 6-19 YAML took the quotes away: the expression reads hello world {quotes around a whole value are YAML's own; a "
         "text in an expression needs its own "
         "inside} <for the text write '\"hello world\"'>"},
        {"rule: '\302\253a > 0\302\273'\n", "a > 0"},
        {"rule: '\302\253\"velocity\"\302\273'\n", "\"velocity\""},
        {"{ a: \302\253x\302\273, b: 1 }", "x"},
        {"{ a: \302\253(x\302\273 }", "ME001 6-7 the expression ends too early: a ')' is missing"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        CHECK_STR(in_yaml(table[i][0], NULL), table[i][1]);
}

CASE(places_behind_what_yaml_changed)
{
    /* folded, with indentation: the '=' of the second line */
    CHECK_STR(in_yaml("w: >-\n    \302\253a > 0 &&\n    b = 1\302\273\n", "a > 0 && b = 1"),
              "ME001 25-26 '=' has no meaning here <write == to compare; an expression never assigns>");
    /* a deeper line stays a line of its own */
    CHECK_STR(in_yaml("w: >-\n    \302\253a > 0 &&\n      b = 1\302\273\n", "a > 0 &&\n  b = 1"),
              "ME001 27-28 '=' has no meaning here <write == to compare; an expression never assigns>");
    CHECK_STR(in_yaml("w: |\n  \302\253a > 0 &&\n  b = 1\302\273\n", "a > 0 &&\nb = 1\n"),
              "ME001 20-21 '=' has no meaning here <write == to compare; an expression never assigns>");
    /* doubled quotes */
    CHECK_STR(in_yaml("w: '\302\253a == ''x'' = 1\302\273'\n", "a == 'x' = 1"),
              "ME001 15-16 '=' has no meaning here <write == to compare; an expression never assigns>");
    /* escapes */
    CHECK_STR(in_yaml("w: \"\302\253a == \\\"x\\\" = 1\302\273\"\n", "a == \"x\" = 1"),
              "ME001 15-16 '=' has no meaning here <write == to compare; an expression never assigns>");
    /* a range that holds the quotes */
    CHECK_STR(in_yaml("w: \302\253'a = 1'\302\273\n", "a = 1"),
              "ME001 6-7 '=' has no meaning here <write == to compare; an expression never assigns>");
    /* no explanation: the whole scalar */
    CHECK_STR(in_yaml("w: \302\253something else\302\273\n", "a = 1"),
              "ME001 3-17 '=' has no meaning here <write == to compare; an expression never assigns>");
    /* no file */
    fresh();
    CHECK(parse_at("a = 1", (struct mesh_srcref){0}) == NULL);
    CHECK_EQ_I64((int64_t)diags.n_errors, 1);
}

CASE(the_place_of_a_node)
{
    fresh();
    CHECK_EQ_I64(mesh_expr_at(parse("  a + (b * c)  ")).begin, 2);
    CHECK_EQ_I64(mesh_expr_at(parse("  a + (b * c)  ")).end, 13);
    CHECK_EQ_I64(mesh_expr_at(parse(" f(a, b) ")).end, 8);
}

/* ---- anything at all ---- */

CASE(any_bytes)
{
    static const char *const seeds[] = {
        "has(campaign_id) && campaign_id == \"x\" || amount > 1.50", "decimal(a / b, 14, 2) + ratio(a, -0x1F) * 1e3",
        "a in ['x', r'\\', b\"\\x00\"] ? t.getHours() : timestamp(\"2026-01-01T00:00:00Z\") - duration('10s')",
        "count(orders, orders.channel == \"WEB\") // n\n + sum(x.y.z[0])", "!(((a)))%-b.c(d)[e]?f:g"};
    static const char alphabet[] = " \n\t()[]{}.,?:!-*/%+=<>&|'\"\\`#$abrRB019ex_\303\251\377";
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 20261121);
    size_t n = getenv("MESH_FUZZ") != NULL ? (size_t)atoll(getenv("MESH_FUZZ")) : 20000;
    size_t parsed = 0;
    for (size_t i = 0; i < n; i++) {
        fresh();
        char text[512];
        snprintf(text, sizeof text, "%s", seeds[mesh_rng_below(&rng, sizeof seeds / sizeof seeds[0])]);
        for (uint64_t edits = mesh_rng_below(&rng, 6); edits > 0; edits--) {
            size_t length = strlen(text);
            size_t at = mesh_rng_below(&rng, length + 1);
            char c = alphabet[mesh_rng_below(&rng, sizeof alphabet - 1)];
            if (mesh_rng_below(&rng, 3) == 0 && at < length) {
                memmove(text + at, text + at + 1, length - at);
            } else if (length + 2 < sizeof text) {
                memmove(text + at + 1, text + at, length - at + 1);
                text[at] = c;
            }
        }
        struct mesh_expr *expr = parse(text);
        CHECK_EQ_I64(expr == NULL, diags.n_errors > 0);
        if (expr == NULL)
            continue;
        parsed++;
        const char *printed = print(expr);
        struct mesh_expr *again = parse(printed);
        REQUIRE(again != NULL);
        CHECK_STR(print(again), printed);
    }
    CHECK(parsed > n / 10 && parsed < n);
}
