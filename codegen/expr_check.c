/* The walk from syntax to core: constants, conditions, logic, and what the place around the expression wants. */
#include "base/text.h"
#include "codegen/expr_internal.h"

#include <string.h>

#define TEXT_SHOWN_MAX 60

static const struct mesh_gen_type bool_type = {.kind = MESH_GEN_BOOL};

/* ---- words for messages ---- */

const char *mesh_ex_type_text(struct mesh_ex_checker *checker, const struct mesh_gen_type *type)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_gen_type_describe(type, &text);
    return mesh_arena_strdup(checker->arena, text.p);
}

const char *mesh_ex_text(struct mesh_ex_checker *checker, const struct mesh_expr *expr)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_expr_print(expr, &text);
    if (text.n <= TEXT_SHOWN_MAX)
        return mesh_arena_strdup(checker->arena, text.p);
    size_t n = TEXT_SHOWN_MAX - 3;
    while (n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--;
    return mesh_arena_printf(checker->arena, "%.*s...", (int)n, text.p);
}

/* ---- nulls ---- */

static bool is_bool(const struct mesh_ex_core *core)
{
    return core->type.kind == MESH_GEN_BOOL;
}

/* An operator or function that gives a bool, or a bool itself: what && can guard. */
static bool is_test(const struct mesh_expr *use)
{
    switch ((unsigned)use->op) {
    case MESH_TOK_PLUS:
    case MESH_TOK_MINUS:
    case MESH_TOK_STAR:
    case MESH_TOK_SLASH:
    case MESH_TOK_PERCENT:
        return false;
    default:
        return use->kind == MESH_EX_UNARY || use->kind == MESH_EX_BINARY;
    }
}

static void advise_guard(struct mesh_ex_checker *checker, struct mesh_diag *diag, const struct mesh_ex_core *core,
                         const struct mesh_expr *use)
{
    struct mesh_diags *diags = checker->diags;
    const char *name = mesh_ex_text(checker, core->ex);
    const char *shown = mesh_ex_text(checker, use);
    const struct mesh_expr *aggregate = checker->aggregate;
    if (core->op != MESH_CORE_REF)
        mesh_diag_fix(diags, diag, "give it a name on an earlier line, x: %s, and guard the name: has(x) ? x : 0", name);
    else if (is_test(use) || (is_bool(core) && use == core->ex))
        mesh_diag_fix(diags, diag, "write has(%s) && %s", core->path, shown);
    else if (aggregate != NULL && aggregate->args.n == 1)
        mesh_diag_fix(diags, diag, "write %s(%s, has(%s))", aggregate->name, mesh_ex_text(checker, aggregate->args.v[0]),
                      core->path);
    else if (aggregate != NULL)
        mesh_diag_fix(diags, diag, "add has(%s) to the condition of %s()", core->path, aggregate->name);
    else
        mesh_diag_fix(diags, diag, "guard it with a step 'where: has(%s)', or write has(%s) ? %s : null", core->path, core->path,
                      shown);
}

void mesh_ex_check_need_value(struct mesh_ex_checker *checker, struct mesh_ex_core *core, const struct mesh_expr *use)
{
    if (mesh_ex_check_is_error(core) || (!core->type.nullable && core->type.kind != MESH_GEN_NULL))
        return;
    struct mesh_diags *diags = checker->diags;
    if (mesh_ex_is_null(core)) {
        struct mesh_diag *diag = mesh_diag_add(diags, MESH_ERROR, "ME006", core->ex->at, "null has no value to compute with");
        mesh_diag_fix(diags, diag, "null stands beside == and !=, and as a branch of ?:");
    } else {
        const char *name = mesh_ex_text(checker, core->ex);
        struct mesh_diag *diag = mesh_diag_add(diags, MESH_ERROR, "ME006", core->ex->at, "%s may be null here", name);
        mesh_diag_why(diags, diag, "%s is %s", name, mesh_ex_type_text(checker, &core->type));
        advise_guard(checker, diag, core, use);
        if (core->member != NULL && core->member->at.source != NULL)
            mesh_diag_note(diags, diag, core->member->at, "'%s' is declared here", core->member->name);
    }
    core->op = MESH_CORE_ERROR;
}

struct mesh_ex_core *mesh_ex_check_value(struct mesh_ex_checker *checker, struct mesh_expr *expr, const struct mesh_expr *use)
{
    struct mesh_ex_core *core = mesh_ex_check_node(checker, expr);
    mesh_ex_check_need_value(checker, core, use);
    return mesh_ex_check_is_error(core) ? mesh_ex_check_error(checker, expr) : core;
}

/* ---- literals ---- */

/* "-1.50e3" is -15 / 10^-2. False: more than 38 digits. */
static bool exact_decimal(struct mesh_str text, mesh_dec *ret_digits, int *ret_scale)
{
    bool negative = text.n > 0 && text.p[0] == '-';
    bool point = false;
    int exponent = 0;
    uint32_t i = negative;
    *ret_digits = 0;
    *ret_scale = 0;
    for (; i < text.n && (text.p[i] == '.' || (text.p[i] >= '0' && text.p[i] <= '9')); i++) {
        if (text.p[i] == '.') {
            point = true;
            continue;
        }
        if (__builtin_mul_overflow(*ret_digits, (mesh_dec)10, ret_digits) ||
            __builtin_add_overflow(*ret_digits, (mesh_dec)(text.p[i] - '0'), ret_digits))
            return false;
        *ret_scale += point;
    }
    if (i < text.n) {
        int64_t value = 0;
        i++;
        bool plus = i < text.n && text.p[i] == '+';
        i += plus;
        if (mesh_text_parse_long((struct mesh_str){text.p + i, text.n - i}, &value) != 0 || value > 400 || value < -400)
            return false;
        exponent = (int)value;
    }
    *ret_scale -= exponent;
    while (*ret_digits != 0 && *ret_digits % 10 == 0) {
        *ret_digits /= 10;
        --*ret_scale;
    }
    if (*ret_digits == 0)
        *ret_scale = 0;
    if (negative)
        *ret_digits = -*ret_digits;
    return true;
}

static struct mesh_ex_core *check_double(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_ex_const k = {.literal = true};
    if (mesh_text_parse_double(expr->text, &k.d) != 0)
        return mesh_ex_check_error(checker, expr);
    if (!exact_decimal(expr->text, &k.digits, &k.scale)) {
        k.digits = 1; /* no decimal holds it */
        k.scale = 1000;
    }
    return mesh_ex_core_const(checker, (struct mesh_gen_type){.kind = MESH_GEN_DOUBLE}, expr, k);
}

static struct mesh_ex_core *check_text(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    enum mesh_gen_kind kind = expr->kind == MESH_EX_STRING ? MESH_GEN_STRING : MESH_GEN_BYTES;
    return mesh_ex_core_const(checker, (struct mesh_gen_type){.kind = kind}, expr, (struct mesh_ex_const){.s = expr->text});
}

/* ---- logic ---- */

const struct mesh_ex_fact *mesh_ex_facts_of(const struct mesh_ex_core *core, bool truth, const struct mesh_ex_fact *base,
                                            struct mesh_arena *arena)
{
    if (core->op == MESH_CORE_PRESENT && truth && core->a->op == MESH_CORE_REF) {
        struct mesh_ex_fact *fact = mesh_arena_new(arena, struct mesh_ex_fact);
        *fact = (struct mesh_ex_fact){base, core->a->path};
        return fact;
    }
    if (core->op == MESH_CORE_NOT)
        return mesh_ex_facts_of(core->a, !truth, base, arena);
    bool is_and = core->op == MESH_CORE_AND;
    if (!is_and && core->op != MESH_CORE_OR)
        return base;
    if (is_and == truth) /* both operands hold: what either says */
        return mesh_ex_facts_of(core->b, truth, mesh_ex_facts_of(core->a, truth, base, arena), arena);
    /* one of them holds: what both say */
    const struct mesh_ex_fact *a = mesh_ex_facts_of(core->a, truth, NULL, arena);
    const struct mesh_ex_fact *b = mesh_ex_facts_of(core->b, truth, NULL, arena);
    const struct mesh_ex_fact *both = base;
    for (; a != NULL; a = a->next) {
        if (!mesh_ex_fact_known(b, a->path))
            continue;
        struct mesh_ex_fact *fact = mesh_arena_new(arena, struct mesh_ex_fact);
        *fact = (struct mesh_ex_fact){both, a->path};
        both = fact;
    }
    return both;
}

bool mesh_ex_fact_known(const struct mesh_ex_fact *facts, const char *path)
{
    for (; facts != NULL; facts = facts->next) {
        if (strcmp(facts->path, path) == 0)
            return true;
    }
    return false;
}

/* A bool without null, or a diagnostic and the error. */
static struct mesh_ex_core *check_condition(struct mesh_ex_checker *checker, struct mesh_expr *expr, const char *what)
{
    struct mesh_ex_core *core = mesh_ex_check_value(checker, expr, expr);
    if (mesh_ex_check_is_error(core) || is_bool(core))
        return core;
    struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME003", expr->at, "%s needs a bool, and %s is %s", what,
                                           mesh_ex_text(checker, expr), mesh_ex_type_text(checker, &core->type));
    if (core->type.kind == MESH_GEN_INT || core->type.kind == MESH_GEN_DECIMAL || core->type.kind == MESH_GEN_DOUBLE)
        mesh_diag_fix(checker->diags, diag, "compare it: %s != 0", mesh_ex_text(checker, expr));
    else if (core->type.kind == MESH_GEN_STRING)
        mesh_diag_fix(checker->diags, diag, "compare it: %s != \"\"", mesh_ex_text(checker, expr));
    else
        mesh_diag_fix(checker->diags, diag, "compare it with something");
    return mesh_ex_check_error(checker, expr);
}

static struct mesh_ex_core *check_logic(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    bool is_and = expr->op == MESH_TOK_AND;
    const char *what = is_and ? "&&" : "||";
    const struct mesh_ex_fact *outer = checker->facts;
    struct mesh_ex_core *a = check_condition(checker, expr->a, what);
    checker->facts = mesh_ex_facts_of(a, is_and, outer, checker->arena);
    struct mesh_ex_core *b = check_condition(checker, expr->b, what);
    checker->facts = outer;
    return mesh_ex_core_new(checker, is_and ? MESH_CORE_AND : MESH_CORE_OR, bool_type, expr, a, b, NULL);
}

static struct mesh_ex_core *check_not(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_ex_core *a = check_condition(checker, expr->a, "!");
    return mesh_ex_core_new(checker, MESH_CORE_NOT, bool_type, expr, a, NULL, NULL);
}

static struct mesh_ex_core *check_cond(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    const struct mesh_ex_fact *outer = checker->facts;
    struct mesh_ex_core *test = check_condition(checker, expr->a, "the '?'");
    checker->facts = mesh_ex_facts_of(test, true, outer, checker->arena);
    struct mesh_ex_core *then = mesh_ex_check_node(checker, expr->b);
    checker->facts = mesh_ex_facts_of(test, false, outer, checker->arena);
    struct mesh_ex_core *otherwise = mesh_ex_check_node(checker, expr->c);
    checker->facts = outer;
    if (mesh_ex_check_is_error(test) || mesh_ex_check_is_error(then) || mesh_ex_check_is_error(otherwise))
        return mesh_ex_check_error(checker, expr);
    enum mesh_ex_adapt how = mesh_ex_unify(checker, &then, &otherwise);
    if (how == MESH_ADAPT_OK) {
        struct mesh_gen_type type = then->type;
        if (type.kind == MESH_GEN_DECIMAL && !mesh_ex_is_null(otherwise) &&
            (otherwise->type.precision > type.precision || mesh_ex_is_null(then)))
            type.precision = otherwise->type.precision;
        type.int32 = type.int32 && otherwise->type.int32;
        type.nullable = then->type.nullable || otherwise->type.nullable;
        if (type.kind != MESH_GEN_ENUM)
            type.schema = NULL; /* of neither branch alone */
        return mesh_ex_core_new(checker, MESH_CORE_COND, type, expr, test, then, otherwise);
    }
    if (how == MESH_ADAPT_NO) {
        struct mesh_diag *diag =
            mesh_diag_add(checker->diags, MESH_ERROR, "ME003", expr->at, "the branches of '?' have different types: %s and %s",
                          mesh_ex_type_text(checker, &then->type), mesh_ex_type_text(checker, &otherwise->type));
        mesh_diag_note(checker->diags, diag, expr->b->at, "%s", mesh_ex_type_text(checker, &then->type));
        mesh_diag_note(checker->diags, diag, expr->c->at, "%s", mesh_ex_type_text(checker, &otherwise->type));
        mesh_diag_fix(checker->diags, diag, "convert one: double(x), decimal(x, 14, 2) or string(x)");
    }
    return mesh_ex_check_error(checker, expr);
}

/* ---- nodes ---- */

static struct mesh_ex_core *check_list(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME010", expr->at, "a list stands only behind 'in'");
    mesh_diag_fix(checker->diags, diag, "write x in [a, b]");
    return mesh_ex_check_error(checker, expr);
}

static struct mesh_ex_core *check_index(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_ERROR, "ME010", expr->at, "there is no indexing: expressions read single values");
    if (expr->b->kind == MESH_EX_STRING && (expr->a->kind == MESH_EX_NAME || expr->a->kind == MESH_EX_MEMBER))
        mesh_diag_fix(checker->diags, diag, "write %s.%.*s", mesh_ex_text(checker, expr->a), (int)expr->b->text.n, expr->b->text.p);
    else
        mesh_diag_fix(checker->diags, diag, "put the value into a field of its own in the contract");
    return mesh_ex_check_error(checker, expr);
}

static struct mesh_ex_core *check_binary(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    switch ((unsigned)expr->op) {
    case MESH_TOK_AND:
    case MESH_TOK_OR:
        return check_logic(checker, expr);
    case MESH_TOK_IN:
        return mesh_ex_check_in(checker, expr);
    case MESH_TOK_EQ:
    case MESH_TOK_NE:
    case MESH_TOK_LT:
    case MESH_TOK_LE:
    case MESH_TOK_GT:
    case MESH_TOK_GE:
        return mesh_ex_check_compare(checker, expr);
    default:
        return mesh_ex_check_binary(checker, expr);
    }
}

static struct mesh_ex_core *lower(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    switch (expr->kind) {
    case MESH_EX_NULL:
        return mesh_ex_core_const(checker, (struct mesh_gen_type){.kind = MESH_GEN_NULL}, expr,
                                  (struct mesh_ex_const){.null = true});
    case MESH_EX_BOOL:
        return mesh_ex_core_bool(checker, expr, expr->boolean);
    case MESH_EX_INT:
        return mesh_ex_core_int(checker, expr, expr->number);
    case MESH_EX_DOUBLE:
        return check_double(checker, expr);
    case MESH_EX_STRING:
    case MESH_EX_BYTES:
        return check_text(checker, expr);
    case MESH_EX_LIST:
        return check_list(checker, expr);
    case MESH_EX_NAME:
        return mesh_ex_check_name(checker, expr);
    case MESH_EX_MEMBER:
        return mesh_ex_check_member(checker, expr);
    case MESH_EX_INDEX:
        return check_index(checker, expr);
    case MESH_EX_CALL:
        return expr->a == NULL ? mesh_ex_check_call(checker, expr) : mesh_ex_check_method(checker, expr);
    case MESH_EX_UNARY:
        return expr->op == MESH_TOK_NOT ? check_not(checker, expr) : mesh_ex_check_unary(checker, expr);
    case MESH_EX_BINARY:
        return check_binary(checker, expr);
    case MESH_EX_COND:
        return check_cond(checker, expr);
    }
    return mesh_ex_check_error(checker, expr);
}

struct mesh_ex_core *mesh_ex_check_node(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    expr->core = lower(checker, expr);
    return expr->core;
}

/* ---- the place ---- */

static void say_mismatch(struct mesh_ex_checker *checker, const struct mesh_ex_core *core, const struct mesh_gen_type *want)
{
    struct mesh_diags *diags = checker->diags;
    const char *shown = mesh_ex_text(checker, core->ex);
    struct mesh_gen_type plain = *want;
    plain.nullable = false;
    struct mesh_diag *diag = mesh_diag_add(diags, MESH_ERROR, "ME003", core->ex->at, "%s needs %s, and this is %s", checker->place,
                                           mesh_ex_type_text(checker, &plain), mesh_ex_type_text(checker, &core->type));
    enum mesh_gen_kind from = core->type.kind;
    bool is_number = from == MESH_GEN_INT || from == MESH_GEN_DOUBLE || from == MESH_GEN_DECIMAL;
    if (want->kind == MESH_GEN_DECIMAL && is_number)
        mesh_diag_fix(diags, diag, "say how it is rounded: decimal(%s, %d, %d)", shown, want->precision, want->scale);
    else if (want->kind == MESH_GEN_DOUBLE && is_number)
        mesh_diag_fix(diags, diag, "write double(%s)", shown);
    else if (want->kind == MESH_GEN_INT && is_number)
        mesh_diag_fix(diags, diag, "write int(%s), which drops the fraction", shown);
    else if (want->kind == MESH_GEN_STRING && from == MESH_GEN_ENUM)
        mesh_diag_fix(diags, diag, "write string(%s)", shown);
    else if (want->kind == MESH_GEN_BOOL && is_number)
        mesh_diag_fix(diags, diag, "compare it: %s != 0", shown);
    else if (want->kind == MESH_GEN_TIMESTAMP && from == MESH_GEN_DATE)
        mesh_diag_fix(diags, diag, "write timestamp(%s)", shown);
    else if (want->kind == MESH_GEN_TIMESTAMP && from == MESH_GEN_STRING)
        mesh_diag_fix(diags, diag, "write timestamp(\"2026-11-21T02:59:29Z\")");
    else if (want->kind == MESH_GEN_DURATION && from == MESH_GEN_STRING)
        mesh_diag_fix(diags, diag, "write duration(\"10s\")");
}

static struct mesh_ex_core *fit_decimal(struct mesh_ex_checker *checker, struct mesh_ex_core *core,
                                        const struct mesh_gen_type *want)
{
    if (mesh_ex_is_null(core) || core->type.precision <= want->precision)
        return core;
    if (mesh_ex_core_is_const(core)) {
        mesh_diag_add(checker->diags, MESH_ERROR, "ME008", core->ex->at, "%s does not fit %s, which %s needs",
                      mesh_ex_text(checker, core->ex), mesh_ex_type_text(checker, want), checker->place);
        return mesh_ex_check_error(checker, core->ex);
    }
    struct mesh_gen_type type = core->type;
    type.precision = want->precision;
    return mesh_ex_core_new(checker, MESH_CORE_DEC_FIT, type, core->ex, core, NULL, NULL);
}

static struct mesh_ex_core *fit(struct mesh_ex_checker *checker, struct mesh_ex_core *core, const struct mesh_gen_type *want)
{
    struct mesh_expr *ex = core->ex;
    if (!want->nullable && (core->type.nullable || mesh_ex_is_null(core))) {
        mesh_ex_check_need_value(checker, core, ex);
        return mesh_ex_check_error(checker, ex);
    }
    switch (mesh_ex_adapt(checker, &core, want)) {
    case MESH_ADAPT_OK:
        break;
    case MESH_ADAPT_NO:
        say_mismatch(checker, core, want);
        return mesh_ex_check_error(checker, ex);
    case MESH_ADAPT_SAID:
        return mesh_ex_check_error(checker, ex);
    }
    if (want->kind == MESH_GEN_DECIMAL)
        return fit_decimal(checker, core, want);
    bool wide = want->kind == MESH_GEN_INT && want->int32 && mesh_ex_core_is_const(core) &&
                (core->k.i > INT32_MAX || core->k.i < INT32_MIN);
    if (wide) {
        struct mesh_diag *diag =
            mesh_diag_add(checker->diags, MESH_ERROR, "ME008", ex->at, "%s does not fit 32 bits", mesh_ex_text(checker, ex));
        mesh_diag_why(checker->diags, diag, "%s is an Avro int: -2147483648 to 2147483647", checker->place);
        mesh_diag_fix(checker->diags, diag, "make it a long in the contract");
        return mesh_ex_check_error(checker, ex);
    }
    return core;
}

/* Nothing is wanted; but null and lists are no values by themselves. */
static struct mesh_ex_core *fit_free(struct mesh_ex_checker *checker, struct mesh_ex_core *core)
{
    const char *why = NULL;
    if (core->type.kind == MESH_GEN_NULL)
        why = "null alone has no type";
    else if (core->type.kind == MESH_GEN_RECORD || core->type.kind == MESH_GEN_LIST)
        why = core->type.kind == MESH_GEN_RECORD ? "a record as a whole is no value" : "a list is no value";
    if (why == NULL)
        return core;
    struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME003", core->ex->at, "%s", why);
    if (core->type.kind == MESH_GEN_NULL)
        mesh_diag_fix(checker->diags, diag, "write it as a branch: has(x) ? x : null");
    else if (core->type.kind == MESH_GEN_RECORD)
        mesh_diag_fix(checker->diags, diag, "name one of its fields");
    return mesh_ex_check_error(checker, core->ex);
}

struct mesh_gen_type mesh_expr_check(struct mesh_expr *expr, struct mesh_arena *arena, struct mesh_diags *diags,
                                     const struct mesh_scope *scope, const struct mesh_scope *record_scope,
                                     const struct mesh_gen_type *want, const char *place, struct mesh_aggregates *aggregates)
{
    const struct mesh_ex_fact *told = NULL;
    struct mesh_ex_checker checker = {
        .told = &told,
        .arena = arena,
        .diags = diags,
        .scope = scope,
        .record_scope = record_scope,
        .place = place == NULL ? "this place" : place,
        .aggregates = aggregates,
    };
    struct mesh_ex_core *core = mesh_ex_check_node(&checker, expr);
    if (!mesh_ex_check_is_error(core) && want != NULL && want->kind != MESH_GEN_ERROR)
        core = fit(&checker, core, want);
    else if (!mesh_ex_check_is_error(core))
        core = fit_free(&checker, core);
    expr->core = core;
    if (mesh_ex_check_is_error(core))
        return (struct mesh_gen_type){.kind = MESH_GEN_ERROR};
    return core->type;
}
