/* Texts are put together with as few parentheses as the grammar of CEL asks for, and sometimes more: the two parsers must agree about
 * what binds tighter. */
#include "random.h"

#include <stdio.h>
#include <string.h>

/* What binds tighter has the larger number (CEL's grammar). */
enum { CONDITIONAL = 1, OR, AND, RELATION, SUM, PRODUCT, UNARY, MEMBER, ATOM };

const struct member members[] = {
    {"b", BOOL, false},   {"i", INT, false},      {"j", INT, false},   {"d", DOUBLE, false}, {"e", DOUBLE, false},
    {"s", STRING, false}, {"z", STRING, false},   {"y", BYTES, false}, {"c", ENUM, false},   {"t", TIME, false},
    {"w", TIME, false},   {"u", DURATION, false}, {"nb", BOOL, true},  {"ni", INT, true},    {"nd", DOUBLE, true},
    {"ns", STRING, true}, {"ny", BYTES, true},    {"nc", ENUM, true},
};
const int n_members = (int)(sizeof members / sizeof members[0]);
const char *const symbols[3] = {"WEB", "SHOP", "PHONE"};

#define say(...)   mesh_arena_printf(random->arena, __VA_ARGS__)
#define below(n)   random_below(random, n)
#define pick(list) (list)[below(sizeof(list) / sizeof(list)[0])]

uint64_t random_below(struct random *random, uint64_t n)
{
    return mesh_rng_below(&random->rng, n);
}

static struct text same(const char *plain, int level)
{
    return (struct text){plain, plain, level};
}

/* As an operand where at least `level` has to stand. */
static struct text operand(struct random *random, struct text a, int level)
{
    if (a.level >= level && (a.level >= MEMBER || below(3) > 0))
        return a;
    return (struct text){say("(%s)", a.plain), say("(%s)", a.strict), ATOM};
}

/* ---- what is no operation ---- */

static const char *int_text(struct random *random)
{
    static const char *const edges[] = {"0",
                                        "1",
                                        "-1",
                                        "7",
                                        "60",
                                        "0x1f",
                                        "-0x10",
                                        "1000000",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "9223372036854775806",
                                        "4294967296"};
    return below(2) == 0 ? pick(edges) : say("%d", (int)below(2001) - 1000);
}

static const char *double_text(struct random *random)
{
    static const char *const edges[] = {"0.0",
                                        "-0.0",
                                        "1.0",
                                        "1.5",
                                        "-2.25",
                                        "0.1",
                                        ".5",
                                        "1e10",
                                        "2.5e-3",
                                        "1E3",
                                        "9223372036854775807.0",
                                        "-9223372036854775808.0",
                                        "9007199254740993.0",
                                        "1e308",
                                        "-1e308",
                                        "5e-324",
                                        "1e-5"};
    return below(2) == 0 ? pick(edges) : say("%d.%03d", (int)below(2001) - 1000, (int)below(1000));
}

static const char *string_text(struct random *random)
{
    static const char *const texts[] = {"\"\"",
                                        "'a'",
                                        "\"ab\"",
                                        "'abc'",
                                        "\"\\u00fcber\"",
                                        "\"WEB\"",
                                        "'x\"y'",
                                        "r'a\\b'",
                                        "\"a\\\\b\"",
                                        "'''a'b'''",
                                        "\"\"\"a\"b\"\"\"",
                                        "\"\\t\\x41\\102\"",
                                        "\"\\U0001F600\"",
                                        "'\303\274'",
                                        "\"\\'\\`\\?\"",
                                        "\"a\" + 'b'"};
    return pick(texts);
}

static const char *bytes_text(struct random *random)
{
    static const char *const texts[] = {"b\"\"",         "b'a'",        "b\"ab\"",  "b\"\\xff\\x00\"",
                                        "b'\\303\\274'", "b'\303\274'", "br'a\\b'", "B\"\\377\""};
    return pick(texts);
}

static const char *time_text(struct random *random)
{
    static const char *const edges[] = {"1970-01-01T00:00:00Z",          "2000-02-29T23:59:59.999999Z", "1969-12-31T23:59:59.5Z",
                                        "0001-01-01T00:00:00Z",          "9999-12-31T23:59:59.999999Z", "2026-11-21T02:59:29+05:30",
                                        "2026-03-01T00:00:00.001-08:00", "1900-02-28T12:00:00Z"};
    if (below(4) == 0)
        return say("timestamp(\"%s\")", pick(edges));
    return say("timestamp('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ')", below(20) == 0 ? (int)below(9998) + 1 : 1890 + (int)below(250),
               (int)below(12) + 1, (int)below(28) + 1, (int)below(24), (int)below(60), (int)below(60), (int)below(1000000));
}

static const char *duration_text(struct random *random)
{
    static const char *const edges[] = {"0s",    "1s",       "-1s",       "1h30m", "1.5s", "-1.5h",
                                        "100us", "2562047h", "-2562047h", "999ms", "24h",  "1h1m1s1ms1us"};
    return below(4) == 0 ? say("duration(\"%s\")", pick(edges))
                         : say("duration('%lldms')", (long long)below(4000000000) - 2000000000);
}

static struct text literal(struct random *random, enum kind kind)
{
    switch (kind) {
    case BOOL:
        return same(below(2) == 0 ? "true" : "false", ATOM);
    case INT:
    case DOUBLE: {
        const char *text = kind == INT ? int_text(random) : double_text(random);
        return same(text, text[0] == '-' ? UNARY : ATOM);
    }
    case STRING: {
        const char *text = string_text(random);
        return same(text, strchr(text, '+') != NULL ? SUM : ATOM);
    }
    case BYTES:
        return same(bytes_text(random), ATOM);
    case ENUM:
        return same(say("\"%s\"", pick(symbols)), ATOM);
    case TIME:
        return same(time_text(random), MEMBER);
    case DURATION:
    case KINDS:
        break;
    }
    return same(duration_text(random), MEMBER);
}

static struct text a_member(struct random *random, enum kind kind)
{
    int at = 0;
    do
        at = (int)below((uint64_t)n_members);
    while (members[at].kind != kind || (members[at].nullable && (random->known >> at & 1) == 0));
    return same(say("r.%s", members[at].name), MEMBER);
}

static struct text leaf(struct random *random, enum kind kind)
{
    return random->closed || (kind != ENUM && below(3) == 0) ? literal(random, kind) : a_member(random, kind);
}

/* ---- operations ---- */

static struct text binary(struct random *random, struct text a, const char *op, struct text b, int level)
{
    /* one relation beside another is legal and means (a == b) == c; right operands bind tighter */
    struct text x = operand(random, a, level);
    struct text y = operand(random, b, level + 1);
    const char *space = below(8) == 0 ? "" : " ";
    return (struct text){say("%s%s%s%s%s", x.plain, space, op, space, y.plain), say("%s %s %s", x.strict, op, y.strict), level};
}

static struct text call(struct random *random, const char *name, struct text a)
{
    return (struct text){say("%s(%s)", name, a.plain), say("%s(%s)", name, a.strict), MEMBER};
}

static struct text method(struct random *random, struct text a, const char *name, struct text b)
{
    struct text x = operand(random, a, MEMBER);
    return (struct text){say("%s.%s(%s)", x.plain, name, b.plain), say("%s.%s(%s)", x.strict, name, b.strict), MEMBER};
}

static struct text unary(struct random *random, const char *op, struct text a)
{
    struct text x = operand(random, a, MEMBER);
    return (struct text){say("%s%s", op, x.plain), say("%s%s", op, x.strict), UNARY};
}

static struct text conditional(struct random *random, struct text test, struct text then, struct text otherwise)
{
    struct text a = operand(random, test, OR);
    struct text b = operand(random, then, OR);
    struct text c = operand(random, otherwise, CONDITIONAL);
    return (struct text){say("%s ? %s : %s", a.plain, b.plain, c.plain), say("%s ? %s : %s", a.strict, b.strict, c.strict),
                         CONDITIONAL};
}

static struct text logic(struct random *random, bool is_and, struct text a, struct text b)
{
    struct text x = operand(random, a, is_and ? AND : OR);
    struct text y = operand(random, b, is_and ? RELATION : AND);
    const char *strict =
        is_and ? say("((%s) ? (%s) : false)", x.strict, y.strict) : say("((%s) ? true : (%s))", x.strict, y.strict);
    return (struct text){say("%s %s %s", x.plain, is_and ? "&&" : "||", y.plain), strict, is_and ? AND : OR};
}

static struct text in_list(struct random *random, int depth)
{
    static const enum kind kinds[] = {INT, STRING, ENUM, TIME, DOUBLE};
    enum kind kind = pick(kinds);
    struct text x =
        operand(random, random->closed && kind == ENUM ? literal(random, STRING) : random_expression(random, kind, depth - 1), SUM);
    int n = 1 + (int)below(3);
    const char *list = "";
    const char *strict = NULL;
    for (int i = 0; i < n; i++) {
        struct text item = kind == ENUM ? literal(random, ENUM) : random_expression(random, kind, below(4) == 0 ? depth - 1 : 0);
        list = say("%s%s%s", list, i == 0 ? "" : ", ", item.plain);
        const char *is = say("((%s) == (%s))", x.strict, item.strict);
        strict = strict == NULL ? is : say("(%s ? true : %s)", strict, is);
    }
    return (struct text){say("%s in [%s]", x.plain, list), strict, RELATION};
}

static struct text compare(struct random *random, int depth)
{
    static const char *const signs[] = {"==", "!=", "<", "<=", ">", ">="};
    enum kind kind = (enum kind)below(KINDS);
    if (kind == ENUM && random->closed)
        kind = STRING;
    struct text a = random_expression(random, kind, depth - 1);
    const char *sign = signs[below(kind == BOOL || kind == ENUM ? 2 : 6)];
    if (kind == INT && !random->closed &&
        below(3) == 0) { /* CEL orders ints and doubles; mesh-CEL with a literal that an int may be near */
        struct text bound = same(say("%d.%03d", (int)below(2000), (int)below(1000)), ATOM);
        return binary(random, a_member(random, INT), signs[2 + below(4)], bound, RELATION);
    }
    struct text b = kind == ENUM && below(2) == 0 ? literal(random, ENUM) : random_expression(random, kind, depth - 1);
    return binary(random, a, sign, b, RELATION);
}

static int a_nullable(struct random *random)
{
    int at = 0;
    do
        at = (int)below((uint64_t)n_members);
    while (!members[at].nullable);
    return at;
}

static struct text is_there(struct random *random, int at)
{
    const char *name = members[at].name;
    switch (below(3)) {
    case 0:
        return same(say("r.%s != null", name), RELATION);
    case 1:
        return same(say("null != r.%s", name), RELATION);
    default:
        return same(say("has(r.%s)", name), MEMBER);
    }
}

static struct text guarded(struct random *random, enum kind kind, int depth)
{
    int at = a_nullable(random);
    uint64_t before = random->known;
    struct text test = is_there(random, at);
    if (kind == BOOL && below(3) == 0) { /* absent || it is known */
        struct text absent = same(say("!has(r.%s)", members[at].name), UNARY);
        random->known |= UINT64_C(1) << at;
        struct text rest = random_expression(random, BOOL, depth - 1);
        random->known = before;
        return logic(random, false, absent, rest);
    }
    random->known |= UINT64_C(1) << at;
    struct text then = random_expression(random, kind, depth - 1);
    random->known = before;
    if (kind == BOOL && below(2) == 0)
        return logic(random, true, test, then);
    return conditional(random, test, then, random_expression(random, kind, depth - 1));
}

static struct text of_bool(struct random *random, int depth)
{
    static const char *const methods[] = {"startsWith", "endsWith", "contains"};
    switch (below(8)) {
    case 0:
    case 1:
        return logic(random, below(2) == 0, random_expression(random, BOOL, depth - 1), random_expression(random, BOOL, depth - 1));
    case 2:
        return unary(random, below(6) == 0 ? "!!" : "!", random_expression(random, BOOL, depth - 1));
    case 3:
        return in_list(random, depth);
    case 4: {
        struct text a = random_expression(random, STRING, depth - 1);
        return method(random, a, pick(methods), random_expression(random, STRING, depth - 1));
    }
    default:
        return compare(random, depth);
    }
}

static struct text of_int(struct random *random, int depth)
{
    static const char *const getters[] = {"getFullYear",  "getMonth", "getDate",    "getDayOfMonth", "getDayOfWeek",
                                          "getDayOfYear", "getHours", "getMinutes", "getSeconds",    "getMilliseconds"};
    static const char *const ops[] = {"+", "-", "*", "%"};
    uint64_t which = below(9);
    if (which < 4) {
        struct text a = random_expression(random, INT, depth - 1);
        return binary(random, a, ops[which], random_expression(random, INT, depth - 1), which < 2 ? SUM : PRODUCT);
    }
    switch (which) {
    case 4:
        return unary(random, "-", random_expression(random, INT, depth - 1));
    case 5: {
        static const enum kind kinds[] = {DOUBLE, INT, TIME};
        return call(random, "int", random_expression(random, pick(kinds), depth - 1));
    }
    case 6:
        return call(random, "size", random_expression(random, below(3) == 0 ? BYTES : STRING, depth - 1));
    case 7:
        return method(random, random_expression(random, TIME, depth - 1), pick(getters), same("", ATOM));
    default:
        return method(random, random_expression(random, DURATION, depth - 1), getters[6 + below(3)], same("", ATOM));
    }
}

static struct text of_double(struct random *random, int depth)
{
    static const char *const ops[] = {"+", "-", "*", "/"};
    uint64_t which = below(6);
    if (which < 4) {
        struct text a = random_expression(random, DOUBLE, depth - 1);
        return binary(random, a, ops[which], random_expression(random, DOUBLE, depth - 1), which < 2 ? SUM : PRODUCT);
    }
    if (which == 4)
        return unary(random, "-", random_expression(random, DOUBLE, depth - 1));
    return call(random, "double", random_expression(random, below(3) == 0 ? DOUBLE : INT, depth - 1));
}

static struct text of_time(struct random *random, int depth)
{
    struct text t = random_expression(random, TIME, depth - 1);
    struct text d = random_expression(random, DURATION, depth - 1);
    switch (below(3)) {
    case 0:
        return binary(random, t, below(2) == 0 ? "+" : "-", d, SUM);
    case 1:
        return binary(random, d, "+", t, SUM);
    default:
        return call(random, "timestamp", t);
    }
}

static struct text of_duration(struct random *random, int depth)
{
    if (below(2) == 0) {
        struct text a = random_expression(random, TIME, depth - 1);
        return binary(random, a, "-", random_expression(random, TIME, depth - 1), SUM);
    }
    struct text a = random_expression(random, DURATION, depth - 1);
    return binary(random, a, below(2) == 0 ? "+" : "-", random_expression(random, DURATION, depth - 1), SUM);
}

struct text random_expression(struct random *random, enum kind kind, int depth)
{
    if (depth <= 0 || (kind == ENUM && random->closed))
        return leaf(random, kind);
    if (below(7) == 0)
        return conditional(random, random_expression(random, BOOL, depth - 1), random_expression(random, kind, depth - 1),
                           random_expression(random, kind, depth - 1));
    if (!random->closed && below(6) == 0)
        return guarded(random, kind, depth);
    switch (kind) {
    case BOOL:
        return of_bool(random, depth);
    case INT:
        return of_int(random, depth);
    case DOUBLE:
        return of_double(random, depth);
    case TIME:
        return of_time(random, depth);
    case DURATION:
        return of_duration(random, depth);
    case STRING:
        return !random->closed && below(3) == 0 ? call(random, "string", random_expression(random, ENUM, depth - 1))
                                                : leaf(random, kind);
    case BYTES:
    case ENUM:
    case KINDS:
        break;
    }
    return leaf(random, kind);
}

struct text random_top(struct random *random, enum kind kind, const char **ret_cel)
{
    random->known = 0;
    struct text value = random_expression(random, kind, 1 + (int)below(4));
    *ret_cel = value.plain;
    if (random->closed || below(6) != 0)
        return value;
    struct text test = operand(random, random_expression(random, BOOL, 2), OR);
    struct text v = operand(random, value, ATOM);
    if (below(2) == 0) {
        *ret_cel = say("%s ? null : dyn(%s)", test.plain, v.plain);
        return (struct text){say("%s ? null : %s", test.plain, v.plain), say("%s ? null : dyn(%s)", test.strict, v.strict),
                             CONDITIONAL};
    }
    *ret_cel = say("%s ? dyn(%s) : null", test.plain, v.plain);
    return (struct text){say("%s ? %s : null", test.plain, v.plain), say("%s ? dyn(%s) : null", test.strict, v.strict),
                         CONDITIONAL};
}
