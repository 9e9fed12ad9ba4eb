/* Functions written in front of their arguments. What CEL has and mesh-CEL leaves out is refused by its name, so that nobody
 * searches for a spelling mistake. */
#include "base/text.h"
#include "codegen/expr_internal.h"

#include <string.h>

static struct mesh_gen_type plain(enum mesh_gen_kind kind)
{
    return (struct mesh_gen_type){.kind = kind};
}

static struct mesh_ex_core *wrong_arguments(struct mesh_ex_checker *checker, struct mesh_expr *expr, const char *fix)
{
    size_t n = expr->args.n;
    const char *how = n == 0   ? "without an argument"
                      : n == 1 ? "with one argument"
                               : mesh_arena_printf(checker->arena, "with %zu arguments", n);
    struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME005", expr->at, "%s() is called %s", expr->name, how);
    mesh_diag_fix(checker->diags, diag, "%s", fix);
    return mesh_ex_check_error(checker, expr);
}

static struct mesh_ex_core *wrong_type(struct mesh_ex_checker *checker, struct mesh_expr *expr, const struct mesh_ex_core *arg,
                                       const char *wants, const char *fix)
{
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_ERROR, "ME005", arg->ex->at, "%s() takes %s, and %s is %s", expr->name, wants,
                      mesh_ex_text(checker, arg->ex), mesh_ex_type_text(checker, &arg->type));
    if (fix != NULL)
        mesh_diag_fix(checker->diags, diag, "%s", fix);
    return mesh_ex_check_error(checker, expr);
}

/* ---- has, size ---- */

static struct mesh_ex_core *check_has(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    if (expr->args.n != 1)
        return wrong_arguments(checker, expr, "write has(name)");
    struct mesh_expr *arg = expr->args.v[0];
    if (arg->kind != MESH_EX_NAME && arg->kind != MESH_EX_MEMBER) {
        struct mesh_diag *diag =
            mesh_diag_add(checker->diags, MESH_ERROR, "ME005", arg->at, "has() asks about a name, not about a computed value");
        mesh_diag_fix(checker->diags, diag, "write has(name), or compare the value: %s != null", mesh_ex_text(checker, arg));
        return mesh_ex_check_error(checker, expr);
    }
    struct mesh_ex_core *a = mesh_ex_check_namespace_ref(checker, arg);
    if (a == NULL)
        a = mesh_ex_check_node(checker, arg);
    if (mesh_ex_check_is_error(a))
        return mesh_ex_check_error(checker, expr);
    bool guarded = a->op == MESH_CORE_REF && a->c_present != NULL;
    if (!a->type.nullable && !guarded)
        mesh_ex_warn_always(checker, expr, true,
                            mesh_arena_printf(checker->arena, "%s is %s, which is always there", mesh_ex_text(checker, arg),
                                              mesh_ex_type_text(checker, &a->type)));
    return mesh_ex_core_new(checker, MESH_CORE_PRESENT, plain(MESH_GEN_BOOL), expr, a, NULL, NULL);
}

static struct mesh_ex_core *check_size(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    if (expr->args.n != 1)
        return wrong_arguments(checker, expr, "write size(text)");
    struct mesh_expr *arg = expr->args.v[0];
    if (arg->kind == MESH_EX_LIST)
        return mesh_ex_core_int(checker, expr, (int64_t)arg->args.n);
    struct mesh_ex_core *a = mesh_ex_check_value(checker, arg, expr);
    if (mesh_ex_check_is_error(a))
        return a;
    if (a->type.kind == MESH_GEN_STRING || a->type.kind == MESH_GEN_BYTES)
        return mesh_ex_core_new(checker, MESH_CORE_SIZE, plain(MESH_GEN_INT), expr, a, NULL, NULL);
    return wrong_type(checker, expr, a, "a string or bytes",
                      a->type.kind == MESH_GEN_ENUM ? "write size(string(x))" : "for the number of records write count()");
}

/* ---- times ---- */

/* The constant text of the only argument; NULL after a diagnostic. */
static struct mesh_ex_core *text_argument(struct mesh_ex_checker *checker, struct mesh_expr *expr, const char *example)
{
    if (expr->args.n != 1) {
        wrong_arguments(checker, expr, mesh_arena_printf(checker->arena, "write %s", example));
        return NULL;
    }
    struct mesh_ex_core *a = mesh_ex_check_value(checker, expr->args.v[0], expr);
    if (mesh_ex_check_is_error(a))
        return NULL;
    if (a->type.kind != MESH_GEN_STRING) {
        wrong_type(checker, expr, a, "a text", mesh_arena_printf(checker->arena, "write %s", example));
        return NULL;
    }
    if (mesh_ex_core_is_const(a))
        return a;
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_ERROR, "ME010", a->ex->at, "%s() takes a text that is written here", expr->name);
    mesh_diag_why(checker->diags, diag, "texts of records are not parsed in expressions");
    mesh_diag_fix(checker->diags, diag, "make the field a timestamp in the contract");
    return NULL;
}

static struct mesh_ex_core *check_timestamp(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    const char *example = "timestamp(\"2026-11-21T02:59:29Z\")";
    if (expr->args.n == 1 && expr->args.v[0]->kind != MESH_EX_STRING) {
        struct mesh_ex_core *a = mesh_ex_check_value(checker, expr->args.v[0], expr);
        if (mesh_ex_check_is_error(a))
            return a;
        if (a->type.kind == MESH_GEN_TIMESTAMP || a->type.kind == MESH_GEN_DATE)
            return mesh_ex_core_new(checker, MESH_CORE_RETYPE, plain(MESH_GEN_TIMESTAMP), expr, a, NULL, NULL);
    }
    struct mesh_ex_core *a = text_argument(checker, expr, example);
    if (a == NULL)
        return mesh_ex_check_error(checker, expr);
    int64_t time_us = 0;
    if (a->k.s.n < 20 || memchr(a->k.s.p, 'T', a->k.s.n) == NULL || mesh_text_parse_time(a->k.s, &time_us) != 0) {
        struct mesh_diag *diag =
            mesh_diag_add(checker->diags, MESH_ERROR, "ME008", a->ex->at, "\"%.*s\" is no moment", (int)a->k.s.n, a->k.s.p);
        mesh_diag_why(checker->diags, diag, "a moment is written as RFC 3339 says: date, T, time, and Z or an offset");
        mesh_diag_fix(checker->diags, diag, "write %s", example);
        return mesh_ex_check_error(checker, expr);
    }
    return mesh_ex_core_const(checker, plain(MESH_GEN_TIMESTAMP), expr, (struct mesh_ex_const){.i = time_us});
}

/* Adds amount (digits with an optional fraction) of a unit, in billionths of it when there is a fraction. */
static bool add_span(const char *digits, uint32_t n, int64_t unit_ns, __int128_t *total_ns)
{
    __int128_t ns = 0;
    __int128_t weight = unit_ns;
    bool point = false;
    uint32_t n_digits = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (digits[i] == '.') {
            if (point)
                return false;
            point = true;
            continue;
        }
        n_digits++;
        int digit = digits[i] - '0';
        if (point) {
            weight /= 10;
            ns += weight * digit;
        } else {
            ns = ns * 10 + (__int128_t)unit_ns * digit;
            if (ns > (__int128_t)INT64_MAX * 1000)
                return false;
        }
    }
    *total_ns += ns;
    return n_digits > 0;
}

int mesh_ex_parse_duration(struct mesh_str text, int64_t *ret_us)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"ms", 1000000},      {"us", 1000},       {"ns", 1},        {"d", 86400000000000},
                 {"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000}};
    uint32_t i = text.n > 0 && text.p[0] == '-';
    bool negative = i == 1;
    __int128_t ns = 0;
    uint32_t parts = 0;
    while (i < text.n) {
        uint32_t begin = i;
        while (i < text.n && (text.p[i] == '.' || (text.p[i] >= '0' && text.p[i] <= '9')))
            i++;
        uint32_t n = i - begin;
        size_t u = 0;
        for (; u < MESH_LEN(units); u++) {
            size_t length = strlen(units[u].name);
            if (text.n - i >= length && memcmp(text.p + i, units[u].name, length) == 0)
                break;
        }
        if (u == MESH_LEN(units) || !add_span(text.p + begin, n, units[u].ns, &ns) || ns > (__int128_t)INT64_MAX * 1000)
            return 1;
        i += (uint32_t)strlen(units[u].name);
        parts++;
    }
    if (parts == 0)
        return 1;
    int64_t us = (int64_t)(ns / 1000);
    *ret_us = negative ? -us : us;
    return 0;
}

static struct mesh_ex_core *check_duration(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_ex_core *a = text_argument(checker, expr, "duration(\"10s\")");
    int64_t us = 0;
    if (a == NULL)
        return mesh_ex_check_error(checker, expr);
    if (mesh_ex_parse_duration(a->k.s, &us) == 0)
        return mesh_ex_core_const(checker, plain(MESH_GEN_DURATION), expr, (struct mesh_ex_const){.i = us});
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_ERROR, "ME008", a->ex->at, "\"%.*s\" is no length of time", (int)a->k.s.n, a->k.s.p);
    mesh_diag_why(checker->diags, diag, "a length is numbers with units: d h m s ms us, as in 1h30m or 1.5s");
    return mesh_ex_check_error(checker, expr);
}

/* ---- conversions ---- */

static struct mesh_ex_core *convert(struct mesh_ex_checker *checker, struct mesh_expr *expr, enum mesh_ex_core_op op,
                                    enum mesh_gen_kind to, struct mesh_ex_core *a)
{
    return mesh_ex_core_new(checker, op, plain(to), expr, a, NULL, NULL);
}

static struct mesh_ex_core *one_argument(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    if (expr->args.n != 1)
        return wrong_arguments(checker, expr, mesh_arena_printf(checker->arena, "write %s(x)", expr->name));
    return mesh_ex_check_value(checker, expr->args.v[0], expr);
}

static struct mesh_ex_core *check_int(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_ex_core *a = one_argument(checker, expr);
    if (mesh_ex_check_is_error(a))
        return a;
    switch ((unsigned)a->type.kind) {
    case MESH_GEN_INT:
        return a;
    case MESH_GEN_DOUBLE:
        return convert(checker, expr, MESH_CORE_DOUBLE_INT, MESH_GEN_INT, a);
    case MESH_GEN_DECIMAL:
        return convert(checker, expr, MESH_CORE_DEC_INT, MESH_GEN_INT, a);
    case MESH_GEN_TIMESTAMP:
        return convert(checker, expr, MESH_CORE_SECONDS, MESH_GEN_INT, a);
    default:
        break;
    }
    const char *fix = a->type.kind == MESH_GEN_DURATION ? "write d.getSeconds()"
                      : a->type.kind == MESH_GEN_BOOL   ? "write b ? 1 : 0"
                      : a->type.kind == MESH_GEN_STRING
                          ? "texts are not parsed in expressions; make the field a long in the contract"
                          : NULL;
    return wrong_type(checker, expr, a, "a number or a timestamp", fix);
}

static struct mesh_ex_core *check_double(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_ex_core *a = one_argument(checker, expr);
    if (mesh_ex_check_is_error(a))
        return a;
    if (a->type.kind == MESH_GEN_DOUBLE)
        return a;
    if (a->type.kind == MESH_GEN_INT)
        return convert(checker, expr, MESH_CORE_INT_DOUBLE, MESH_GEN_DOUBLE, a);
    if (a->type.kind == MESH_GEN_DECIMAL)
        return convert(checker, expr, MESH_CORE_DEC_DOUBLE, MESH_GEN_DOUBLE, a);
    return wrong_type(
        checker, expr, a, "a number",
        a->type.kind == MESH_GEN_STRING ? "texts are not parsed in expressions; make the field a double in the contract" : NULL);
}

static struct mesh_ex_core *check_string(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_ex_core *a = one_argument(checker, expr);
    if (mesh_ex_check_is_error(a) || a->type.kind == MESH_GEN_STRING)
        return a;
    if (a->type.kind == MESH_GEN_ENUM)
        return convert(checker, expr, MESH_CORE_ENUM_STRING, MESH_GEN_STRING, a);
    struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME010", a->ex->at, "string() takes an enum, and %s is %s",
                                           mesh_ex_text(checker, a->ex), mesh_ex_type_text(checker, &a->type));
    mesh_diag_why(checker->diags, diag, "numbers and times are not written as text in expressions; ports write them");
    mesh_diag_fix(checker->diags, diag, "keep the value as it is");
    return mesh_ex_check_error(checker, expr);
}

/* The constant int of an argument in bounds; -1 after a diagnostic. */
static int small_argument(struct mesh_ex_checker *checker, struct mesh_expr *expr, size_t i, int low, int high, const char *what)
{
    struct mesh_expr *arg = expr->args.v[i];
    if (arg->kind == MESH_EX_INT && arg->number >= low && arg->number <= high) {
        mesh_ex_check_node(checker, arg);
        return (int)arg->number;
    }
    struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME005", arg->at,
                                           "the %s of decimal() is a number from %d to %d written here", what, low, high);
    mesh_diag_fix(checker->diags, diag, "write decimal(x, 14, 2): 14 digits, 2 of them behind the point");
    return -1;
}

static struct mesh_ex_core *check_decimal(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    if (expr->args.n != 3)
        return wrong_arguments(checker, expr, "write decimal(x, 14, 2): 14 digits, 2 of them behind the point");
    int precision = small_argument(checker, expr, 1, 1, MESH_DEC_DIGITS_MAX, "precision");
    int scale = precision < 0 ? -1 : small_argument(checker, expr, 2, 0, precision, "scale");
    if (scale < 0)
        return mesh_ex_check_error(checker, expr);
    struct mesh_expr *arg = expr->args.v[0];
    if (arg->kind == MESH_EX_BINARY && arg->op == MESH_TOK_SLASH) {
        struct mesh_ex_core *quotient = mesh_ex_check_quotient(checker, expr, arg, precision, scale);
        if (quotient != NULL)
            return quotient;
    }
    struct mesh_ex_core *a = mesh_ex_check_value(checker, arg, expr);
    if (mesh_ex_check_is_error(a))
        return a;
    struct mesh_gen_type type = {.kind = MESH_GEN_DECIMAL, .precision = precision, .scale = scale};
    struct mesh_ex_core *exact = a->type.kind == MESH_GEN_DOUBLE ? mesh_ex_literal_decimal(checker, a) : a;
    if (exact != NULL && exact->type.kind == MESH_GEN_INT)
        exact = mesh_ex_to_scale(checker, exact, 0);
    if (exact != NULL && exact->type.kind == MESH_GEN_DECIMAL) {
        bool same = exact->type.scale == scale && exact->type.precision <= precision && !mesh_ex_core_is_const(exact);
        struct mesh_ex_core *fitted = same ? exact : mesh_ex_core_new(checker, MESH_CORE_DEC_FIT, type, expr, exact, NULL, NULL);
        return fitted;
    }
    if (a->type.kind == MESH_GEN_DOUBLE)
        return mesh_ex_core_new(checker, MESH_CORE_DOUBLE_DEC, type, expr, a, NULL, NULL);
    return wrong_type(checker, expr, a, "a number", NULL);
}

/* ---- ratio ---- */

static struct mesh_ex_core *as_double(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_ex_core *a)
{
    if (mesh_ex_check_is_error(a) || a->type.kind == MESH_GEN_DOUBLE)
        return a;
    if (a->type.kind == MESH_GEN_INT)
        return mesh_ex_core_new(checker, MESH_CORE_INT_DOUBLE, plain(MESH_GEN_DOUBLE), a->ex, a, NULL, NULL);
    if (a->type.kind == MESH_GEN_DECIMAL)
        return mesh_ex_core_new(checker, MESH_CORE_DEC_DOUBLE, plain(MESH_GEN_DOUBLE), a->ex, a, NULL, NULL);
    return wrong_type(checker, expr, a, "two numbers", NULL);
}

static struct mesh_ex_core *check_ratio(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    if (expr->args.n != 2)
        return wrong_arguments(checker, expr, "write ratio(a, b), which is a / b as a double, or null when b is 0");
    struct mesh_ex_core *a = as_double(checker, expr, mesh_ex_check_value(checker, expr->args.v[0], expr));
    struct mesh_ex_core *b = as_double(checker, expr, mesh_ex_check_value(checker, expr->args.v[1], expr));
    struct mesh_gen_type type = {.kind = MESH_GEN_DOUBLE, .nullable = true};
    if (!mesh_ex_check_is_error(a) && !mesh_ex_check_is_error(b) && mesh_ex_core_is_const(b)) {
        if (b->k.d == 0) {
            struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_WARNING, "ME012", expr->at, "this is always null");
            mesh_diag_why(checker->diags, diag, "ratio(a, 0) has no value");
        } else {
            type.nullable = false;
        }
    }
    return mesh_ex_core_new(checker, MESH_CORE_RATIO, type, expr, a, b, NULL);
}

/* ---- the table ---- */

static const struct {
    const char *name;
    struct mesh_ex_core *(*check)(struct mesh_ex_checker *checker, struct mesh_expr *expr);
} functions[] = {
    {"has", check_has},           {"size", check_size},       {"timestamp", check_timestamp},
    {"duration", check_duration}, {"int", check_int},         {"double", check_double},
    {"string", check_string},     {"decimal", check_decimal}, {"ratio", check_ratio},
};

static const char *const aggregate_names[MESH_AGG_FN_COUNT] = {
    [MESH_AGG_COUNT] = "count",       [MESH_AGG_SUM] = "sum",           [MESH_AGG_AVG] = "avg",
    [MESH_AGG_MIN] = "min",           [MESH_AGG_MAX] = "max",           [MESH_AGG_FIRST] = "first",
    [MESH_AGG_LAST] = "last",         [MESH_AGG_VARIANCE] = "variance", [MESH_AGG_DISTINCT] = "distinct",
    [MESH_AGG_QUANTILE] = "quantile", [MESH_AGG_TOP] = "top",           [MESH_AGG_COLLECT] = "collect",
    [MESH_AGG_EWMA] = "ewma",         [MESH_AGG_MIN_BY] = "minBy",      [MESH_AGG_MAX_BY] = "maxBy",
};

/* Another question about what an aggregate keeps. */
static const struct {
    const char *name;
    enum mesh_aggregate_fn fn;
} aggregate_questions[] = {{"stddev", MESH_AGG_VARIANCE}, {"topWeight", MESH_AGG_TOP}};

const char *mesh_expr_aggregate_name(enum mesh_aggregate_fn fn)
{
    return aggregate_names[fn];
}

bool mesh_ex_is_aggregate_name(const char *name, enum mesh_aggregate_fn *ret)
{
    for (int i = 0; i < MESH_AGG_FN_COUNT; i++) {
        if (strcmp(aggregate_names[i], name) == 0) {
            *ret = (enum mesh_aggregate_fn)i;
            return true;
        }
    }
    for (size_t i = 0; i < MESH_LEN(aggregate_questions); i++) {
        if (strcmp(aggregate_questions[i].name, name) == 0) {
            *ret = aggregate_questions[i].fn;
            return true;
        }
    }
    return false;
}

/* What CEL or its libraries have and this language has not. */
static const struct {
    const char *name, *fix;
} left_out[] = {
    {"uint", "there are no unsigned numbers: write int(x)"},
    {"bool", "a bool comes from a comparison: x == \"true\""},
    {"bytes", "bytes are written b\"...\""},
    {"dyn", "every value has one type, which is known before the service runs"},
    {"type", "every value has one type, which is known before the service runs"},
    {"matches", "compare with ==, in, startsWith(), endsWith() or contains()"},
    {"abs", "write x < 0 ? -x : x"},
    {"now", "there is no clock, so that the same input gives the same answer; use meta.time"},
    {"math", "write it with + - * and ?:"},
    {"min_of", "write a < b ? a : b"},
    {"round", "write decimal(x, 14, 0)"},
    {"floor", "write int(x), which drops the fraction"},
    {"ceil", "write decimal(x, 14, 0), which rounds half to even"},
};

static struct mesh_ex_core *unknown(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_diags *diags = checker->diags;
    for (size_t i = 0; i < MESH_LEN(left_out); i++) {
        if (strcmp(left_out[i].name, expr->name) != 0)
            continue;
        struct mesh_diag *diag =
            mesh_diag_add(diags, MESH_ERROR, "ME010", expr->op_at, "%s() is not part of the language", expr->name);
        mesh_diag_why(diags, diag, "it is left out on purpose");
        mesh_diag_fix(diags, diag, "%s", left_out[i].fix);
        return mesh_ex_check_error(checker, expr);
    }
    static const char *const methods[] = {"startsWith", "endsWith",      "contains",       "getFullYear",  "getMonth",
                                          "getDate",    "getDayOfMonth", "getDayOfWeek",   "getDayOfYear", "getHours",
                                          "getMinutes", "getSeconds",    "getMilliseconds"};
    struct mesh_diag *diag = mesh_diag_add(diags, MESH_ERROR, "ME004", expr->op_at, "there is no function '%s'", expr->name);
    for (size_t i = 0; i < MESH_LEN(methods); i++) {
        if (strcmp(methods[i], expr->name) == 0)
            mesh_diag_fix(diags, diag, "it stands behind a value: %s.%s(...)",
                          expr->args.n > 0 ? mesh_ex_text(checker, expr->args.v[0]) : "x", expr->name);
    }
    const char *names[MESH_LEN(functions) + MESH_AGG_FN_COUNT + MESH_LEN(aggregate_questions)];
    size_t n = 0;
    for (; n < MESH_LEN(functions); n++)
        names[n] = functions[n].name;
    for (size_t i = 0; i < MESH_AGG_FN_COUNT; i++)
        names[n++] = aggregate_names[i];
    for (size_t i = 0; i < MESH_LEN(aggregate_questions); i++)
        names[n++] = aggregate_questions[i].name;
    static const char *const synonyms[][2] = {{"average", "avg"},  {"mean", "avg"},     {"total", "sum"},    {"length", "size"},
                                              {"len", "size"},     {"maximum", "max"},  {"minimum", "min"},  {"latest", "last"},
                                              {"exists", "has"},   {"var", "variance"}, {"argmin", "minBy"}, {"argmax", "maxBy"},
                                              {"stdev", "stddev"}, {"mode", "top"}};
    const char *meant = mesh_did_you_mean(expr->name, names, n);
    for (size_t i = 0; i < MESH_LEN(synonyms); i++) {
        if (strcmp(synonyms[i][0], expr->name) == 0)
            meant = synonyms[i][1];
    }
    if (meant != NULL)
        mesh_diag_hint(diags, diag, "did you mean '%s'?", meant);
    mesh_diag_why(diags, diag, "%s",
                  "functions are has size timestamp duration int double string decimal ratio, and in 'let' count sum avg min "
                  "max first last minBy maxBy variance stddev distinct quantile top topWeight collect ewma");
    return mesh_ex_check_error(checker, expr);
}

struct mesh_ex_core *mesh_ex_check_call(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    enum mesh_aggregate_fn fn;
    if (mesh_ex_is_aggregate_name(expr->name, &fn))
        return mesh_ex_check_aggregate(checker, expr, fn);
    for (size_t i = 0; i < MESH_LEN(functions); i++) {
        if (strcmp(functions[i].name, expr->name) == 0)
            return functions[i].check(checker, expr);
    }
    return unknown(checker, expr);
}
