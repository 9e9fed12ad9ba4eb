/* Comparisons, and `in`, which is an or of them.
 *
 * A literal with more fraction digits than the number beside it is compared exactly without widening anything: between
 * two neighbours of a grid, x > 2.005 and x >= 2.005 both mean x > 2.00 on a grid of cents. Nothing can overflow then,
 * and an int is never made a double. */
#include "codegen/expr_internal.h"

#include <string.h>

static const struct mesh_gen_type bool_type = {.kind = MESH_GEN_BOOL};

static enum mesh_ex_core_op op_of(enum mesh_ex_token_kind kind)
{
    switch ((unsigned)kind) {
    case MESH_TOK_EQ:
        return MESH_CORE_EQ;
    case MESH_TOK_NE:
        return MESH_CORE_NE;
    case MESH_TOK_LT:
        return MESH_CORE_LT;
    case MESH_TOK_LE:
        return MESH_CORE_LE;
    case MESH_TOK_GT:
        return MESH_CORE_GT;
    default:
        return MESH_CORE_GE;
    }
}

static bool is_equality(enum mesh_ex_core_op op)
{
    return op == MESH_CORE_EQ || op == MESH_CORE_NE;
}

/* ---- null ---- */

/* x == null, x != null; `x` is the other side. */
static struct mesh_ex_core *compare_null(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_expr *x)
{
    bool equal = expr->op == MESH_TOK_EQ;
    if (!equal && expr->op != MESH_TOK_NE) {
        struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME003", expr->op_at, "null has no order");
        mesh_diag_fix(checker->diags, diag, "compare with null by == or !=");
        return mesh_ex_check_error(checker, expr);
    }
    struct mesh_ex_core *a = mesh_ex_check_namespace_ref(checker, x);
    if (a == NULL)
        a = mesh_ex_check_node(checker, x);
    if (mesh_ex_check_is_error(a))
        return mesh_ex_check_error(checker, expr);
    if (a->type.kind == MESH_GEN_NULL)
        return mesh_ex_core_bool(checker, expr, equal);
    bool declared = a->op == MESH_CORE_REF && a->c_present != NULL; /* known to be there by an earlier test */
    if (!a->type.nullable && !declared)
        mesh_ex_warn_always(checker, expr, !equal,
                            mesh_arena_printf(checker->arena, "%s is %s, which is never null", mesh_ex_text(checker, x),
                                              mesh_ex_type_text(checker, &a->type)));
    struct mesh_ex_core *there = mesh_ex_core_new(checker, MESH_CORE_PRESENT, bool_type, expr, a, NULL, NULL);
    return equal ? mesh_ex_core_new(checker, MESH_CORE_NOT, bool_type, expr, there, NULL, NULL) : there;
}

/* ---- literals off the grid ---- */

/* Floor of the literal on a grid of `scale`; false when that is no number of 38 digits. */
static bool grid_floor(const struct mesh_ex_const *k, int scale, mesh_dec *ret, bool *ret_exact)
{
    mesh_dec power = 0;
    mesh_dec limit = 0;
    mesh_ex_pow10(MESH_DEC_DIGITS_MAX, &limit);
    *ret_exact = true;
    *ret = k->digits;
    if (k->digits == 0)
        return true;
    if (k->scale <= scale)
        return mesh_ex_pow10(scale - k->scale, &power) && !__builtin_mul_overflow(k->digits, power, ret) &&
               *ret<limit && * ret> - limit;
    *ret_exact = false;
    if (!mesh_ex_pow10(k->scale - scale, &power)) /* nearer to 0 than any step */
        *ret = k->digits < 0 ? -1 : 0;
    else
        *ret = k->digits / power - (k->digits % power < 0);
    return true;
}

static struct mesh_ex_core *off_grid(struct mesh_ex_checker *checker, struct mesh_expr *expr, enum mesh_ex_core_op op,
                                     const struct mesh_gen_type *type)
{
    mesh_ex_warn_always(
        checker, expr, op == MESH_CORE_NE,
        mesh_arena_printf(checker->arena, "no %s has that many digits behind the point", mesh_ex_type_text(checker, type)));
    return mesh_ex_core_bool(checker, expr, op == MESH_CORE_NE);
}

/* x on the left or on the right of a double literal. x is a decimal, or an int. */
static struct mesh_ex_core *compare_literal(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_ex_core *x,
                                            struct mesh_ex_core *literal, bool x_left)
{
    enum mesh_ex_core_op op = op_of(expr->op);
    bool is_int = x->type.kind == MESH_GEN_INT;
    int scale = is_int ? 0 : x->type.scale;
    mesh_dec bound = 0;
    bool exact = false;
    bool fits = grid_floor(&literal->k, scale, &bound, &exact);
    if (!fits || (is_int && (bound > INT64_MAX || bound < INT64_MIN))) {
        struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME008", literal->ex->at, "%s does not fit %s",
                                               mesh_ex_text(checker, literal->ex), mesh_ex_type_text(checker, &x->type));
        mesh_diag_why(checker->diags, diag, "the other side of '%s' is %s", mesh_ex_token_text(expr->op),
                      mesh_ex_type_text(checker, &x->type));
        return mesh_ex_check_error(checker, expr);
    }
    if (!exact && is_equality(op))
        return off_grid(checker, expr, op, &x->type);
    if (!exact) {
        bool x_below = (op == MESH_CORE_LT || op == MESH_CORE_LE) == x_left;
        op = x_left ? (x_below ? MESH_CORE_LE : MESH_CORE_GT) : (x_below ? MESH_CORE_GE : MESH_CORE_LT);
    }
    struct mesh_gen_type type = {.kind = x->type.kind, .scale = scale, .precision = MESH_DEC_DIGITS_MAX};
    struct mesh_ex_const k = {.i = is_int ? (int64_t)bound : 0, .dec = is_int ? 0 : bound};
    struct mesh_ex_core *constant = mesh_ex_core_const(checker, type, literal->ex, k);
    return x_left ? mesh_ex_core_new(checker, op, bool_type, expr, x, constant, NULL)
                  : mesh_ex_core_new(checker, op, bool_type, expr, constant, x, NULL);
}

/* ---- types ---- */

static bool is_number(const struct mesh_ex_core *core)
{
    return core->type.kind == MESH_GEN_INT || core->type.kind == MESH_GEN_DOUBLE || core->type.kind == MESH_GEN_DECIMAL;
}

static void advise(struct mesh_ex_checker *checker, struct mesh_diag *diag, const struct mesh_ex_core *a,
                   const struct mesh_ex_core *b)
{
    struct mesh_diags *diags = checker->diags;
    enum mesh_gen_kind x = a->type.kind;
    enum mesh_gen_kind y = b->type.kind;
    const char *left = mesh_ex_text(checker, a->ex);
    const char *right = mesh_ex_text(checker, b->ex);
    if (is_number(a) && is_number(b)) {
        mesh_diag_why(diags, diag, "%s",
                      x == MESH_GEN_DECIMAL || y == MESH_GEN_DECIMAL
                          ? "a decimal is exact and a double is not; one of them must be converted on purpose"
                          : "an int never becomes a double by itself, because large ones would change");
        mesh_diag_fix(diags, diag, "write double(%s)", x == MESH_GEN_DOUBLE ? right : left);
    } else if (x == MESH_GEN_ENUM && y == MESH_GEN_ENUM) {
        mesh_diag_why(diags, diag, "symbols are compared as numbers, which mean the same only within one enum");
        mesh_diag_fix(diags, diag, "compare their names: string(%s) == string(%s)", left, right);
    } else if ((x == MESH_GEN_ENUM && y == MESH_GEN_STRING) || (y == MESH_GEN_ENUM && x == MESH_GEN_STRING)) {
        mesh_diag_fix(diags, diag, "compare the name: string(%s)", x == MESH_GEN_ENUM ? left : right);
    } else if ((x == MESH_GEN_TIMESTAMP && y == MESH_GEN_DATE) || (y == MESH_GEN_TIMESTAMP && x == MESH_GEN_DATE)) {
        mesh_diag_fix(diags, diag, "write timestamp(%s), which is that day's midnight in UTC", x == MESH_GEN_DATE ? left : right);
    } else if (x == MESH_GEN_TIMESTAMP || y == MESH_GEN_TIMESTAMP || x == MESH_GEN_DATE || y == MESH_GEN_DATE) {
        const struct mesh_ex_core *other = x == MESH_GEN_TIMESTAMP || x == MESH_GEN_DATE ? b : a;
        bool text = other->type.kind == MESH_GEN_STRING && mesh_ex_core_is_const(other);
        mesh_diag_fix(diags, diag, "a moment is written timestamp(%s)",
                      text ? mesh_ex_text(checker, other->ex) : "\"2026-11-21T02:59:29Z\"");
    } else if (x == MESH_GEN_DURATION || y == MESH_GEN_DURATION) {
        mesh_diag_fix(diags, diag, "a length of time is written duration(\"10s\")");
    } else if (x == MESH_GEN_STRING || y == MESH_GEN_STRING) {
        const struct mesh_ex_core *text = x == MESH_GEN_STRING ? a : b;
        if (mesh_ex_core_is_const(text) && is_number(text == a ? b : a))
            mesh_diag_fix(diags, diag, "a number stands without quotes: %.*s", (int)text->k.s.n, text->k.s.p);
    }
}

static struct mesh_ex_core *do_not_fit(struct mesh_ex_checker *checker, struct mesh_expr *expr, const struct mesh_ex_core *a,
                                       const struct mesh_ex_core *b)
{
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_ERROR, "ME003", expr->op_at, "'%s' cannot compare %s with %s",
                      mesh_ex_token_text(expr->op), mesh_ex_type_text(checker, &a->type), mesh_ex_type_text(checker, &b->type));
    mesh_diag_note(checker->diags, diag, a->ex->at, "%s", mesh_ex_type_text(checker, &a->type));
    mesh_diag_note(checker->diags, diag, b->ex->at, "%s", mesh_ex_type_text(checker, &b->type));
    advise(checker, diag, a, b);
    return mesh_ex_check_error(checker, expr);
}

static bool has_order(enum mesh_gen_kind kind)
{
    switch (kind) {
    case MESH_GEN_INT:
    case MESH_GEN_DOUBLE:
    case MESH_GEN_DECIMAL:
    case MESH_GEN_STRING:
    case MESH_GEN_BYTES:
    case MESH_GEN_TIMESTAMP:
    case MESH_GEN_DURATION:
    case MESH_GEN_DATE:
        return true;
    case MESH_GEN_ERROR:
    case MESH_GEN_NULL:
    case MESH_GEN_BOOL:
    case MESH_GEN_ENUM:
    case MESH_GEN_LIST:
    case MESH_GEN_RECORD:
        break;
    }
    return false;
}

static struct mesh_ex_core *no_order(struct mesh_ex_checker *checker, struct mesh_expr *expr, const struct mesh_ex_core *a)
{
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_ERROR, "ME003", expr->op_at, "%s has no order", mesh_ex_type_text(checker, &a->type));
    if (a->type.kind == MESH_GEN_ENUM)
        mesh_diag_fix(checker->diags, diag, "compare with == or in; for the order of the names: string(%s)",
                      mesh_ex_text(checker, a->ex));
    else
        mesh_diag_fix(checker->diags, diag, "compare with == or !=");
    return mesh_ex_check_error(checker, expr);
}

/* ---- comparing two values ---- */

/* a and b of one type, or a diagnostic and false. */
static bool align(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_ex_core **a, struct mesh_ex_core **b)
{
    struct mesh_ex_core *x = *a;
    struct mesh_ex_core *y = *b;
    enum mesh_ex_adapt how = mesh_ex_unify(checker, &x, &y);
    if (how == MESH_ADAPT_NO)
        do_not_fit(checker, expr, *a, *b);
    *a = x;
    *b = y;
    return how == MESH_ADAPT_OK && !mesh_ex_check_is_error(x) && !mesh_ex_check_is_error(y);
}

static bool is_plain_number(const struct mesh_ex_core *core)
{
    return core->type.kind == MESH_GEN_DECIMAL || core->type.kind == MESH_GEN_INT;
}

static struct mesh_ex_core *compare(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_ex_core *a,
                                    struct mesh_ex_core *b)
{
    if (is_plain_number(a) && mesh_ex_is_literal(b))
        return compare_literal(checker, expr, a, b, true);
    if (is_plain_number(b) && mesh_ex_is_literal(a))
        return compare_literal(checker, expr, b, a, false);
    if (!align(checker, expr, &a, &b))
        return mesh_ex_check_error(checker, expr);
    enum mesh_ex_core_op op = op_of(expr->op);
    if (!is_equality(op) && !has_order(a->type.kind))
        return no_order(checker, expr, a);
    if (a->type.kind == MESH_GEN_RECORD || a->type.kind == MESH_GEN_LIST)
        return do_not_fit(checker, expr, a, b);
    bool equal = op == MESH_CORE_EQ || op == MESH_CORE_LE || op == MESH_CORE_GE;
    if (mesh_ex_core_same(a, b) && a->op != MESH_CORE_CONST && a->type.kind != MESH_GEN_DOUBLE && !a->can_fault) {
        mesh_ex_warn_always(checker, expr, equal, "both sides are the same");
        return mesh_ex_core_bool(checker, expr, equal);
    }
    return mesh_ex_core_new(checker, op, bool_type, expr, a, b, NULL);
}

struct mesh_ex_core *mesh_ex_check_compare(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    if (expr->b->kind == MESH_EX_NULL)
        return compare_null(checker, expr, expr->a);
    if (expr->a->kind == MESH_EX_NULL)
        return compare_null(checker, expr, expr->b);
    struct mesh_ex_core *a = mesh_ex_check_value(checker, expr->a, expr);
    struct mesh_ex_core *b = mesh_ex_check_value(checker, expr->b, expr);
    if (mesh_ex_check_is_error(a) || mesh_ex_check_is_error(b))
        return mesh_ex_check_error(checker, expr);
    struct mesh_ex_core *core = compare(checker, expr, a, b);
    bool folded = mesh_ex_core_is_const(core) && mesh_ex_core_is_const(a) && mesh_ex_core_is_const(b);
    if (folded)
        mesh_ex_warn_always(checker, expr, core->k.b, "both sides are constants");
    return core;
}

/* ---- in ---- */

struct mesh_ex_core *mesh_ex_check_in(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_ex_core *x = mesh_ex_check_value(checker, expr->a, expr);
    if (expr->b->kind != MESH_EX_LIST) {
        struct mesh_diag *diag =
            mesh_diag_add(checker->diags, MESH_ERROR, "ME010", expr->b->at, "behind 'in' stands a list written here");
        mesh_diag_fix(checker->diags, diag, "write %s in [\"a\", \"b\"]; whether a text holds another is text.contains(part)",
                      mesh_ex_text(checker, expr->a));
        return mesh_ex_check_error(checker, expr);
    }
    struct mesh_ex_core *any = mesh_ex_core_bool(checker, expr, false);
    if (expr->b->args.n == 0)
        mesh_ex_warn_always(checker, expr, false, "the list is empty");
    bool failed = mesh_ex_check_is_error(x);
    for (size_t i = 0; i < expr->b->args.n; i++) {
        struct mesh_expr *item = expr->b->args.v[i];
        struct mesh_ex_core *value = mesh_ex_check_value(checker, item, expr);
        failed |= mesh_ex_check_is_error(value);
        if (failed)
            continue;
        /* as if x == item were written, and seen at the item */
        struct mesh_expr *equals = mesh_arena_new(checker->arena, struct mesh_expr);
        *equals = (struct mesh_expr){.kind = MESH_EX_BINARY,
                                     .op = MESH_TOK_EQ,
                                     .a = expr->a,
                                     .b = item,
                                     .at = item->at,
                                     .op_at = item->at,
                                     .unit = expr->unit,
                                     .depth = expr->depth};
        struct mesh_ex_core *is = compare(checker, equals, x, value);
        failed |= mesh_ex_check_is_error(is);
        if (!failed)
            any = mesh_ex_core_new(checker, MESH_CORE_OR, bool_type, expr, any, is, NULL);
        failed |= mesh_ex_check_is_error(any);
    }
    return failed ? mesh_ex_check_error(checker, expr) : any;
}
