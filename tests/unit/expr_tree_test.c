/* Random typed expressions: a tree, and the text that means it. expr_eval_test.c evaluates the tree, expr_run_test.c compiles the
 * text. */
#include "../check.h"
#include "base/check.h"
#include "base/rng.h"
#include "codegen/expr.h"

#include <stdlib.h>
#include <time.h>

#define SCALE_MAX 12

enum type { BOOL, INT, DOUBLE, DEC, STR, ENUM, TIME, DUR, TYPES };

enum op {
    LIT,
    MEMBER,
    HAS,
    ADD,
    SUB,
    MUL,
    DIV,
    MOD,
    NEG,
    CMP,
    AND,
    OR,
    NOT,
    COND,
    IN,
    FIT,
    QUOTIENT,
    TO_INT,
    TO_DOUBLE,
    TO_STR,
    RATIO_NULL,
    SIZE,
    STARTS,
    ENDS,
    CONTAINS,
    GETTER,
    SPAN,
    NULL_LIT
};

struct value {
    bool null, b;
    int64_t i; /* INT, ENUM, TIME, DUR */
    double d;
    mesh_dec dec;
    const char *s;
};

struct node {
    enum op op;
    enum type type;
    int scale, precision, part; /* part: comparison, getter, member */
    bool nullable;
    struct value lit;
    struct node *kid[3];
    struct node *items[4];
    int n_items;
    const char *text;
};

static struct mesh_arena arena;
static struct mesh_rng rng;
static uint64_t known; /* nullable members that are known to be there */

static const struct {
    const char *name, *c_type;
    enum type type;
    int precision, scale;
    bool nullable;
} members[] = {
    {"b", "bool", BOOL, 0, 0, false},     {"i", "int64_t", INT, 0, 0, false},         {"j", "int64_t", INT, 0, 0, false},
    {"d", "double", DOUBLE, 0, 0, false}, {"e", "double", DOUBLE, 0, 0, false},       {"m", "mesh_dec", DEC, 12, 2, false},
    {"k", "mesh_dec", DEC, 15, 6, false}, {"s", "struct mesh_str", STR, 0, 0, false}, {"z", "struct mesh_str", STR, 0, 0, false},
    {"c", "int32_t", ENUM, 0, 0, false},  {"t", "int64_t", TIME, 0, 0, false},        {"u", "int64_t", DUR, 0, 0, false},
    {"nb", "bool", BOOL, 0, 0, true},     {"ni", "int64_t", INT, 0, 0, true},         {"nd", "double", DOUBLE, 0, 0, true},
    {"nm", "mesh_dec", DEC, 12, 2, true}, {"ns", "struct mesh_str", STR, 0, 0, true}, {"nc", "int32_t", ENUM, 0, 0, true},
    {"nt", "int64_t", TIME, 0, 0, true},
};
enum { MEMBERS = sizeof members / sizeof members[0] };
static const char *const symbols[] = {"WEB", "SHOP", "PHONE"};
static const char *const texts[] = {"", "a", "ab", "abc", "b", "\303\274ber", "WEB", "x\"y"};
static const char *const signs[] = {"==", "!=", "<", "<=", ">", ">="};
static const char *const getters[] = {"getFullYear",  "getMonth", "getDate",    "getDayOfMonth", "getDayOfWeek",
                                      "getDayOfYear", "getHours", "getMinutes", "getSeconds",    "getMilliseconds"};
static uint64_t below(uint64_t n)
{
    return mesh_rng_below(&rng, n);
}

#define text(...) mesh_arena_printf(&arena, __VA_ARGS__)

/* ---- generator ---- */

static struct node *gen(enum type type, int depth);

static struct node *make(enum op op, enum type type, struct node *a, struct node *b, struct node *c)
{
    struct node *n = mesh_arena_new(&arena, struct node);
    *n = (struct node){.op = op, .type = type, .kid = {a, b, c}, .precision = 38};
    return n;
}

static mesh_dec power(int n)
{
    mesh_dec v = 1;
    while (n-- > 0)
        v *= 10;
    return v;
}

/* A decimal literal with at most `digits` fraction digits, the last not 0; its scale is that number. */
static struct node *decimal_literal(int digits)
{
    struct node *n = make(LIT, DEC, NULL, NULL, NULL);
    n->scale = (int)below((uint64_t)digits + 1);
    int64_t v = (int64_t)below(100000);
    if (n->scale > 0 && v % 10 == 0)
        v++;
    bool negative = below(3) == 0 && v != 0;
    int64_t p = (int64_t)power(n->scale);
    n->lit.dec = negative ? -v : v;
    n->text = n->scale == 0 ? text("%s%lld.0", negative ? "-" : "", (long long)v)
                            : text("%s%lld.%0*lld", negative ? "-" : "", (long long)(v / p), n->scale, (long long)(v % p));
    n->precision = 5 + n->scale;
    return n;
}

static struct node *literal(enum type type)
{
    static const int64_t edges[] = {0, 1, -1, 7, 1000, INT64_MAX, INT64_MIN, -3000000000};
    static const double doubles[] = {0.0, 1.5, -2.25, 0.1, 1e10, 3.0};
    struct node *n = make(LIT, type, NULL, NULL, NULL);
    if (type == BOOL) {
        n->lit.b = below(2) == 0;
        n->text = n->lit.b ? "true" : "false";
    } else if (type == INT) {
        n->lit.i = edges[below(8)];
        n->text = text("%lld", (long long)n->lit.i);
    } else if (type == DOUBLE) {
        n->lit.d = doubles[below(6)];
        n->text = text("%.17g%s", n->lit.d, strpbrk(text("%.17g", n->lit.d), ".e") == NULL ? ".0" : "");
    } else if (type == STR) {
        n->lit.s = texts[below(8)];
        n->text = strchr(n->lit.s, '"') != NULL ? text("'%s'", n->lit.s) : text("\"%s\"", n->lit.s);
    } else if (type == TIME) {
        n->lit.i = (int64_t)below(4000000000) * 1000000 + 500000;
        time_t seconds = (time_t)(n->lit.i / 1000000);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        char date[40];
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
        n->text = text("timestamp(\"%s.5Z\")", date);
    } else {
        n->lit.i = (int64_t)below(200000) * (below(4) == 0 ? -1000 : 1000);
        n->text = text("duration(\"%lldms\")", (long long)(n->lit.i / 1000));
    }
    return n;
}

static struct node *member(enum type type)
{
    int at = 0;
    do {
        at = (int)below(MEMBERS);
    } while (members[at].type != type || (members[at].nullable && (known >> at & 1) == 0));
    struct node *n = make(MEMBER, type, NULL, NULL, NULL);
    n->part = at;
    n->scale = members[at].scale;
    n->precision = members[at].precision;
    n->text = members[at].name;
    return n;
}

static struct node *leaf(enum type type)
{
    return type != DEC && type != ENUM && below(3) == 0 ? literal(type) : member(type);
}

/* Decimal, or what becomes one beside a decimal. */
static struct node *beside_decimal(int depth)
{
    uint64_t which = below(4);
    return which == 0 ? decimal_literal(3) : which == 1 ? gen(INT, depth) : gen(DEC, depth);
}

static int scale_of(const struct node *n)
{
    return n->type == DEC ? n->scale : 0;
}

static struct node *decimal_binary(int depth)
{
    struct node *a = gen(DEC, depth - 1);
    struct node *b = beside_decimal(depth - 1);
    enum op op = (enum op)(ADD + below(3));
    int sum = scale_of(a) + scale_of(b);
    if (op == MUL && sum > SCALE_MAX)
        op = ADD;
    struct node *n = make(op, DEC, a, b, NULL);
    n->scale = op == MUL ? sum : scale_of(a) > scale_of(b) ? scale_of(a) : scale_of(b);
    n->text = text("(%s %s %s)", a->text, op == ADD ? "+" : op == SUB ? "-" : "*", b->text);
    return n;
}

static struct node *gen_decimal(int depth)
{
    switch (below(6)) {
    case 0:
    case 1:
        return decimal_binary(depth);
    case 2: {
        struct node *a = gen(DEC, depth - 1);
        struct node *n = make(NEG, DEC, a, NULL, NULL);
        n->scale = a->scale;
        n->text = text("(-%s)", a->text);
        return n;
    }
    case 3: {
        struct node *a = gen(below(2) == 0 ? DEC : below(2) == 0 ? INT : DOUBLE, depth - 1);
        struct node *n = make(FIT, DEC, a, NULL, NULL);
        n->scale = (int)below(5);
        n->precision = n->scale + 1 + (int)below(14);
        n->text = text("decimal(%s, %d, %d)", a->text, n->precision, n->scale);
        return n;
    }
    case 4: {
        struct node *a = member(below(2) == 0 ? DEC : INT);
        struct node *b = below(2) == 0 ? member(DEC) : decimal_literal(2);
        struct node *n = make(QUOTIENT, DEC, a, b, NULL);
        n->scale = (int)below(5);
        n->precision = n->scale + 1 + (int)below(14);
        n->text = text("decimal(%s / %s, %d, %d)", a->text, b->text, n->precision, n->scale);
        return n;
    }
    default:
        return member(DEC);
    }
}

static struct node *binary(enum op op, enum type type, struct node *a, const char *sign, struct node *b)
{
    struct node *n = make(op, type, a, b, NULL);
    n->text = text("(%s %s %s)", a->text, sign, b->text);
    return n;
}

static struct node *call(enum op op, enum type type, const char *name, struct node *a)
{
    struct node *n = make(op, type, a, NULL, NULL);
    n->text = text("%s(%s)", name, a->text);
    return n;
}

static struct node *method(enum op op, enum type type, struct node *a, const char *name, struct node *b)
{
    struct node *n = make(op, type, a, b, NULL);
    n->text = text("%s.%s(%s)", a->text, name, b == NULL ? "" : b->text);
    return n;
}

static struct node *gen_int(int depth)
{
    switch (below(9)) {
    case 0:
        return binary(ADD, INT, gen(INT, depth - 1), "+", gen(INT, depth - 1));
    case 1:
        return binary(SUB, INT, gen(INT, depth - 1), "-", gen(INT, depth - 1));
    case 2:
        return binary(MUL, INT, gen(INT, depth - 1), "*", gen(INT, depth - 1));
    case 3:
        return binary(MOD, INT, gen(INT, depth - 1), "%", member(INT));
    case 4: {
        struct node *n = call(NEG, INT, "-", member(INT));
        return n;
    }
    case 5:
        return call(TO_INT, INT, "int", gen(below(3) == 0 ? TIME : below(2) == 0 ? DEC : DOUBLE, depth - 1));
    case 6:
        return call(SIZE, INT, "size", gen(STR, depth - 1));
    case 7: {
        int part = (int)below(10);
        struct node *n = method(GETTER, INT, gen(TIME, depth - 1), getters[part], NULL);
        n->part = part;
        return n;
    }
    default: {
        int part = 6 + (int)below(3);
        struct node *n = method(SPAN, INT, gen(DUR, depth - 1), getters[part], NULL);
        n->part = part;
        return n;
    }
    }
}

static struct node *gen_double(int depth)
{
    static const char *const names[] = {"+", "-", "*", "/"};
    uint64_t which = below(6);
    if (which < 4)
        return binary((enum op)(ADD + which), DOUBLE, gen(DOUBLE, depth - 1), names[which],
                      below(4) == 0 ? literal(DOUBLE) : gen(DOUBLE, depth - 1));
    return which == 4 ? call(TO_DOUBLE, DOUBLE, "double", below(2) == 0 ? gen(INT, depth - 1) : member(DEC))
                      : call(NEG, DOUBLE, "-", gen(DOUBLE, depth - 1));
}

static struct node *gen_in(int depth)
{
    enum type type = below(2) == 0 ? ENUM : STR;
    struct node *n = make(IN, BOOL, gen(type, depth - 1), NULL, NULL);
    n->n_items = 1 + (int)below(4);
    const char *list = "";
    for (int i = 0; i < n->n_items; i++) {
        if (type == STR) {
            n->items[i] = gen(STR, 1);
        } else {
            n->items[i] = make(LIT, ENUM, NULL, NULL, NULL);
            n->items[i]->lit.i = (int64_t)below(3);
            n->items[i]->text = text("\"%s\"", symbols[n->items[i]->lit.i]);
        }
        list = text("%s%s%s", list, i == 0 ? "" : ", ", n->items[i]->text);
    }
    n->text = text("(%s in [%s])", n->kid[0]->text, list);
    return n;
}

static struct node *gen_compare(int depth)
{
    enum type type = (enum type)below(TYPES);
    int sign = (int)below(type == BOOL || type == ENUM ? 2 : 6);
    struct node *a = gen(type, depth - 1);
    struct node *b = NULL;
    if (type == DEC)
        b = below(3) == 0 ? decimal_literal(8) : beside_decimal(depth - 1);
    else if (type == INT && below(3) == 0)
        b = decimal_literal(3);
    else if (type == ENUM && below(2) == 0) {
        b = make(LIT, ENUM, NULL, NULL, NULL);
        b->lit.i = (int64_t)below(3);
        b->text = text("\"%s\"", symbols[b->lit.i]);
    } else
        b = gen(type, depth - 1);
    if (below(4) == 0 && !(type == INT && b->type == DEC && a->op == LIT)) {
        struct node *swap = a;
        a = b;
        b = swap;
    }
    if (type == INT && b->type == DEC && a->op == LIT) /* two literals: doubles */
        b = member(INT);
    struct node *n = binary(CMP, BOOL, a, signs[sign], b);
    n->part = sign;
    return n;
}

static struct node *gen_has(int *ret_member)
{
    struct node *n = make(HAS, BOOL, NULL, NULL, NULL);
    n->part = 12 + (int)below(MEMBERS - 12);
    static const char *const forms[] = {"has(%s)", "(%s != null)", "(null != %s)"};
    const char *form = forms[below(3)];
    const char *name = members[n->part].name;
    n->text = form == forms[0] ? text("has(%s)", name) : form == forms[1] ? text("(%s != null)", name) : text("(null != %s)", name);
    *ret_member = n->part;
    return n;
}

/* Conditions that narrow. */
static struct node *gen_narrowing(enum type type, int depth)
{
    int at = 0;
    uint64_t before = known;
    struct node *test = gen_has(&at);
    if (type == BOOL && below(2) == 0) {
        known |= UINT64_C(1) << at;
        bool is_and = below(2) == 0;
        if (!is_and) {
            struct node *absent = make(NOT, BOOL, test, NULL, NULL);
            absent->text = below(2) == 0 ? text("!%s", test->text) : text("(%s == null)", members[at].name);
            test = absent;
        }
        struct node *rest = gen(BOOL, depth - 1);
        known = before;
        return binary(is_and ? AND : OR, BOOL, test, is_and ? "&&" : "||", rest);
    }
    known |= UINT64_C(1) << at;
    struct node *then = gen(type, depth - 1);
    known = before;
    struct node *otherwise = type == DEC && below(2) == 0 ? decimal_literal(2) : gen(type, depth - 1);
    struct node *n = make(COND, type, test, then, otherwise);
    n->scale = then->scale > otherwise->scale ? then->scale : otherwise->scale;
    n->text = text("(%s ? %s : %s)", test->text, then->text, otherwise->text);
    return n;
}

static struct node *gen_bool(int depth)
{
    switch (below(9)) {
    case 0:
        return binary(AND, BOOL, gen(BOOL, depth - 1), "&&", gen(BOOL, depth - 1));
    case 1:
        return binary(OR, BOOL, gen(BOOL, depth - 1), "||", gen(BOOL, depth - 1));
    case 2:
        return call(NOT, BOOL, "!", gen(BOOL, depth - 1));
    case 3:
        return gen_in(depth);
    case 4: {
        static const char *const names[] = {"startsWith", "endsWith", "contains"};
        uint64_t which = below(3);
        return method((enum op)(STARTS + which), BOOL, gen(STR, depth - 1), names[which], gen(STR, depth - 1));
    }
    case 5: {
        struct node *n = make(RATIO_NULL, BOOL, gen(INT, depth - 1), below(2) == 0 ? gen(DOUBLE, depth - 1) : member(DEC), NULL);
        n->text = text("(ratio(%s, %s) == null)", n->kid[0]->text, n->kid[1]->text);
        return n;
    }
    default:
        return gen_compare(depth);
    }
}

static struct node *gen_other(enum type type, int depth)
{
    if (type == TIME)
        return below(2) == 0 ? binary(ADD, TIME, gen(TIME, depth - 1), "+", gen(DUR, depth - 1))
                             : binary(SUB, TIME, gen(TIME, depth - 1), "-", gen(DUR, depth - 1));
    if (type == DUR)
        return below(3) == 0   ? binary(SUB, DUR, gen(TIME, depth - 1), "-", gen(TIME, depth - 1))
               : below(2) == 0 ? binary(ADD, DUR, gen(DUR, depth - 1), "+", gen(DUR, depth - 1))
                               : call(NEG, DUR, "-", gen(DUR, depth - 1));
    return type == STR && below(3) == 0 ? call(TO_STR, STR, "string", gen(ENUM, depth - 1)) : leaf(type);
}

static struct node *gen(enum type type, int depth)
{
    if (depth <= 0 || below(12) == 0)
        return leaf(type);
    if (below(4) == 0)
        return gen_narrowing(type, depth);
    switch (type) {
    case BOOL:
        return gen_bool(depth);
    case INT:
        return gen_int(depth);
    case DOUBLE:
        return gen_double(depth);
    case DEC:
        return gen_decimal(depth);
    case STR:
    case ENUM:
    case TIME:
    case DUR:
    case TYPES:
        break;
    }
    return gen_other(type, depth);
}

/* What stands at the top: sometimes nullable. */
static struct node *gen_top(void)
{
    static const enum type often[] = {BOOL, BOOL, BOOL, INT, INT, INT, DEC, DEC, DEC, DEC, DOUBLE, DOUBLE, STR, ENUM, TIME, DUR};
    enum type type = often[below(16)];
    known = 0;
    struct node *n = gen(type, 4);
    if (below(4) != 0)
        return n;
    struct node *null = make(NULL_LIT, type, NULL, NULL, NULL);
    null->lit.null = true;
    null->text = "null";
    struct node *test = gen(BOOL, 2);
    bool first = below(2) == 0;
    struct node *cond = make(COND, type, test, first ? null : n, first ? n : null);
    cond->nullable = true;
    cond->scale = n->scale;
    cond->text = text("%s ? %s : %s", test->text, cond->kid[1]->text, cond->kid[2]->text);
    return cond;
}

/* ---- the generator itself ---- */

CASE(generated_texts_parse)
{
    mesh_rng_seed(&rng, 1);
    size_t deep = 0;
    for (int i = 0; i < 300; i++) {
        struct mesh_diags diags = {.arena = &arena};
        const struct node *n = gen_top();
        CHECK(mesh_expr_parse(&arena, &diags, n->text, (struct mesh_srcref){0}) != NULL);
        deep += strlen(n->text) > 60;
    }
    CHECK(deep > 100);
    mesh_arena_reset(&arena);
}
