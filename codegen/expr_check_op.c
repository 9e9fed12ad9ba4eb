/* Arithmetic. Numbers of different kinds do not mix by themselves, except where nothing can be lost; every refusal shows
 * the form that says what was meant. */
#include "codegen/expr_internal.h"

#include <string.h>

static struct mesh_gen_type plain(enum mesh_gen_kind kind)
{
    return (struct mesh_gen_type){.kind = kind};
}

static struct mesh_gen_type computed(int scale)
{
    return (struct mesh_gen_type){.kind = MESH_GEN_DECIMAL, .precision = MESH_DEC_DIGITS_MAX, .scale = scale};
}

static bool is_number(enum mesh_gen_kind kind)
{
    return kind == MESH_GEN_INT || kind == MESH_GEN_DOUBLE || kind == MESH_GEN_DECIMAL;
}

/* The operands of `/` side by side, with parentheses where the text would need them. */
static const char *side(struct mesh_ex_checker *checker, const struct mesh_expr *expr)
{
    const char *text = mesh_ex_text(checker, expr);
    bool simple = expr->kind != MESH_EX_BINARY && expr->kind != MESH_EX_COND;
    return simple ? text : mesh_arena_printf(checker->arena, "(%s)", text);
}

static struct mesh_ex_core *do_not_fit(struct mesh_ex_checker *checker, struct mesh_expr *expr, const struct mesh_ex_core *a,
                                       const struct mesh_ex_core *b)
{
    struct mesh_diags *diags = checker->diags;
    const char *op = mesh_ex_token_text(expr->op);
    struct mesh_diag *diag = mesh_diag_add(diags, MESH_ERROR, "ME003", expr->op_at, "'%s' does not fit %s and %s", op,
                                           mesh_ex_type_text(checker, &a->type), mesh_ex_type_text(checker, &b->type));
    mesh_diag_note(diags, diag, expr->a->at, "%s", mesh_ex_type_text(checker, &a->type));
    mesh_diag_note(diags, diag, expr->b->at, "%s", mesh_ex_type_text(checker, &b->type));
    enum mesh_gen_kind x = a->type.kind;
    enum mesh_gen_kind y = b->type.kind;
    if (is_number(x) && is_number(y) && expr->op != MESH_TOK_PERCENT) {
        const struct mesh_expr *other = x == MESH_GEN_DOUBLE ? expr->b : expr->a;
        if (x == MESH_GEN_DECIMAL || y == MESH_GEN_DECIMAL)
            mesh_diag_why(diags, diag, "a decimal is exact and a double is not; one of them must be converted on purpose");
        else
            mesh_diag_why(diags, diag, "an int never becomes a double by itself, because large ones would change");
        mesh_diag_fix(diags, diag, "write double(%s)", mesh_ex_text(checker, other));
    } else if (expr->op == MESH_TOK_PERCENT && is_number(x) && is_number(y)) {
        mesh_diag_why(diags, diag, "%% is the remainder of two ints");
    } else if (x == MESH_GEN_DATE || y == MESH_GEN_DATE) {
        mesh_diag_fix(diags, diag, "write timestamp(%s), which is that day's midnight in UTC",
                      mesh_ex_text(checker, x == MESH_GEN_DATE ? expr->a : expr->b));
    } else if ((x == MESH_GEN_TIMESTAMP || x == MESH_GEN_DURATION) && is_number(y)) {
        mesh_diag_fix(diags, diag, "a length of time is written duration(\"10s\")");
    } else if (x == MESH_GEN_TIMESTAMP && y == MESH_GEN_TIMESTAMP) {
        mesh_diag_fix(diags, diag, "one moment minus another is a duration; a duration can be added to a moment");
    } else if (x == MESH_GEN_ENUM || y == MESH_GEN_ENUM) {
        mesh_diag_why(diags, diag, "the symbols of an enum are names, not numbers");
    }
    return mesh_ex_check_error(checker, expr);
}

/* ---- times ---- */

/* MESH_GEN_ERROR: no such operation. */
static enum mesh_gen_kind time_result(enum mesh_ex_token_kind op, enum mesh_gen_kind a, enum mesh_gen_kind b)
{
    bool plus = op == MESH_TOK_PLUS;
    if (!plus && op != MESH_TOK_MINUS)
        return MESH_GEN_ERROR;
    if (a == MESH_GEN_TIMESTAMP && b == MESH_GEN_DURATION)
        return MESH_GEN_TIMESTAMP;
    if (plus && a == MESH_GEN_DURATION && b == MESH_GEN_TIMESTAMP)
        return MESH_GEN_TIMESTAMP;
    if (a == MESH_GEN_DURATION && b == MESH_GEN_DURATION)
        return MESH_GEN_DURATION;
    bool difference = !plus && a == b && (a == MESH_GEN_TIMESTAMP || a == MESH_GEN_DATE);
    return difference ? MESH_GEN_DURATION : MESH_GEN_ERROR;
}

/* ---- texts ---- */

static struct mesh_ex_core *join_texts(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_ex_core *a,
                                       struct mesh_ex_core *b)
{
    if (!mesh_ex_core_is_const(a) || !mesh_ex_core_is_const(b)) {
        struct mesh_diag *diag =
            mesh_diag_add(checker->diags, MESH_ERROR, "ME010", expr->at, "texts are not joined in expressions");
        mesh_diag_why(checker->diags, diag, "this part of CEL is left out on purpose: a joined text needs memory per record");
        mesh_diag_fix(checker->diags, diag, "keep the parts as fields of their own");
        return mesh_ex_check_error(checker, expr);
    }
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_str(&text, a->k.s);
    mesh_buf_str(&text, b->k.s);
    struct mesh_str joined = {mesh_arena_str(checker->arena, (struct mesh_str){text.p, (uint32_t)text.n}), (uint32_t)text.n};
    return mesh_ex_core_const(checker, plain(a->type.kind), expr, (struct mesh_ex_const){.s = joined});
}

/* ---- division ---- */

static bool is_zero(const struct mesh_ex_core *core)
{
    if (!mesh_ex_core_is_const(core))
        return false;
    return core->type.kind == MESH_GEN_INT       ? core->k.i == 0
           : core->type.kind == MESH_GEN_DECIMAL ? core->k.dec == 0
                                                 : mesh_ex_is_literal(core) && core->k.digits == 0;
}

static struct mesh_ex_core *by_zero(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME012", expr->at, "this always divides by zero");
    mesh_diag_note(checker->diags, diag, expr->b->at, "this is 0");
    return mesh_ex_check_error(checker, expr);
}

static struct mesh_ex_core *refuse_int_division(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    const char *a = mesh_ex_text(checker, expr->a);
    const char *b = mesh_ex_text(checker, expr->b);
    struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME007", expr->at, "int / int would drop the fraction");
    mesh_diag_why(checker->diags, diag, "3 / 2 would be 1, which is seldom meant");
    mesh_diag_fix(checker->diags, diag, "write ratio(%s, %s) for a double, or decimal(%s / %s, 14, 2) for a rounded decimal", a, b,
                  side(checker, expr->a), side(checker, expr->b));
    return mesh_ex_check_error(checker, expr);
}

static struct mesh_ex_core *refuse_decimal_division(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_ERROR, "ME003", expr->at, "a decimal division must say how it is rounded");
    mesh_diag_why(checker->diags, diag, "1.00 / 3 has no end; the digits to keep are a decision");
    mesh_diag_fix(checker->diags, diag, "write decimal(%s / %s, 14, 2): 14 digits, 2 of them behind the point",
                  side(checker, expr->a), side(checker, expr->b));
    return mesh_ex_check_error(checker, expr);
}

static struct mesh_ex_core *divide(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_ex_core *a,
                                   struct mesh_ex_core *b)
{
    bool has_decimal = a->type.kind == MESH_GEN_DECIMAL || b->type.kind == MESH_GEN_DECIMAL;
    bool has_int = a->type.kind == MESH_GEN_INT && b->type.kind == MESH_GEN_INT;
    if ((has_decimal || has_int) && is_zero(b))
        return by_zero(checker, expr);
    if (has_int)
        return refuse_int_division(checker, expr);
    struct mesh_ex_core *x = a;
    struct mesh_ex_core *y = b;
    if (has_decimal) {
        enum mesh_ex_adapt how = mesh_ex_unify(checker, &x, &y);
        return how == MESH_ADAPT_OK   ? refuse_decimal_division(checker, expr)
               : how == MESH_ADAPT_NO ? do_not_fit(checker, expr, a, b)
                                      : mesh_ex_check_error(checker, expr);
    }
    enum mesh_ex_adapt how = mesh_ex_unify(checker, &x, &y);
    if (how == MESH_ADAPT_NO || (how == MESH_ADAPT_OK && x->type.kind != MESH_GEN_DOUBLE))
        return do_not_fit(checker, expr, a, b);
    return how == MESH_ADAPT_SAID ? mesh_ex_check_error(checker, expr)
                                  : mesh_ex_core_new(checker, MESH_CORE_DIV, plain(MESH_GEN_DOUBLE), expr, x, y, NULL);
}

static struct mesh_ex_core *remainder_of(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_ex_core *a,
                                         struct mesh_ex_core *b)
{
    if (a->type.kind != MESH_GEN_INT || b->type.kind != MESH_GEN_INT)
        return do_not_fit(checker, expr, a, b);
    if (is_zero(b))
        return by_zero(checker, expr);
    return mesh_ex_core_new(checker, MESH_CORE_MOD, plain(MESH_GEN_INT), expr, a, b, NULL);
}

/* ---- the rest ---- */

/* As decimal at its own scale, for factors: NULL when it is none. */
static struct mesh_ex_core *factor(struct mesh_ex_checker *checker, struct mesh_ex_core *core)
{
    if (core->type.kind == MESH_GEN_DECIMAL)
        return core;
    return core->type.kind == MESH_GEN_INT ? mesh_ex_to_scale(checker, core, 0) : mesh_ex_literal_decimal(checker, core);
}

static struct mesh_ex_core *multiply_decimals(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_ex_core *a,
                                              struct mesh_ex_core *b)
{
    struct mesh_ex_core *x = factor(checker, a);
    struct mesh_ex_core *y = factor(checker, b);
    if (x == NULL || y == NULL)
        return do_not_fit(checker, expr, a, b);
    int scale = x->type.scale + y->type.scale;
    if (scale <= MESH_DEC_DIGITS_MAX)
        return mesh_ex_core_new(checker, MESH_CORE_MUL, computed(scale), expr, x, y, NULL);
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_ERROR, "ME003", expr->at,
                      "the product has %d digits behind the point; a decimal has at most %d digits", scale, MESH_DEC_DIGITS_MAX);
    mesh_diag_fix(checker->diags, diag, "round a factor first: decimal(%s, 20, 6)", mesh_ex_text(checker, expr->a));
    return mesh_ex_check_error(checker, expr);
}

static enum mesh_ex_core_op op_of(enum mesh_ex_token_kind kind)
{
    return kind == MESH_TOK_PLUS ? MESH_CORE_ADD : kind == MESH_TOK_MINUS ? MESH_CORE_SUB : MESH_CORE_MUL;
}

static bool is_text(const struct mesh_ex_core *core)
{
    return core->type.kind == MESH_GEN_STRING || core->type.kind == MESH_GEN_BYTES;
}

static struct mesh_ex_core *compute(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_ex_core *a,
                                    struct mesh_ex_core *b)
{
    enum mesh_ex_core_op op = op_of(expr->op);
    enum mesh_gen_kind time = time_result(expr->op, a->type.kind, b->type.kind);
    if (time != MESH_GEN_ERROR)
        return mesh_ex_core_new(checker, op, plain(time), expr, a, b, NULL);
    if (op == MESH_CORE_ADD && is_text(a) && a->type.kind == b->type.kind)
        return join_texts(checker, expr, a, b);
    bool has_decimal = a->type.kind == MESH_GEN_DECIMAL || b->type.kind == MESH_GEN_DECIMAL;
    if (op == MESH_CORE_MUL && has_decimal)
        return multiply_decimals(checker, expr, a, b);
    struct mesh_ex_core *x = a;
    struct mesh_ex_core *y = b;
    bool numbers = is_number(a->type.kind) && is_number(b->type.kind);
    enum mesh_ex_adapt how = numbers ? mesh_ex_unify(checker, &x, &y) : MESH_ADAPT_NO;
    if (how == MESH_ADAPT_NO)
        return do_not_fit(checker, expr, a, b);
    if (how == MESH_ADAPT_SAID)
        return mesh_ex_check_error(checker, expr);
    struct mesh_gen_type type = has_decimal ? computed(x->type.scale) : plain(x->type.kind);
    return mesh_ex_core_new(checker, op, type, expr, x, y, NULL);
}

struct mesh_ex_core *mesh_ex_check_binary(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_ex_core *a = mesh_ex_check_value(checker, expr->a, expr);
    struct mesh_ex_core *b = mesh_ex_check_value(checker, expr->b, expr);
    if (mesh_ex_check_is_error(a) || mesh_ex_check_is_error(b))
        return mesh_ex_check_error(checker, expr);
    if (expr->op == MESH_TOK_SLASH)
        return divide(checker, expr, a, b);
    if (expr->op == MESH_TOK_PERCENT)
        return remainder_of(checker, expr, a, b);
    return compute(checker, expr, a, b);
}

struct mesh_ex_core *mesh_ex_check_unary(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_ex_core *a = mesh_ex_check_value(checker, expr->a, expr);
    if (mesh_ex_check_is_error(a))
        return mesh_ex_check_error(checker, expr);
    if (!is_number(a->type.kind) && a->type.kind != MESH_GEN_DURATION) {
        mesh_diag_add(checker->diags, MESH_ERROR, "ME003", expr->at, "'-' needs a number, and %s is %s",
                      mesh_ex_text(checker, expr->a), mesh_ex_type_text(checker, &a->type));
        return mesh_ex_check_error(checker, expr);
    }
    struct mesh_gen_type type = a->type.kind == MESH_GEN_DECIMAL ? a->type : plain(a->type.kind);
    type.schema = NULL;
    return mesh_ex_core_new(checker, MESH_CORE_NEG, type, expr, a, NULL, NULL);
}

/* decimal(a / b, p, s): NULL when the operands are not decimals, ints or literals. */
struct mesh_ex_core *mesh_ex_check_quotient(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_expr *quotient,
                                            int precision, int scale)
{
    struct mesh_ex_core *a = mesh_ex_check_value(checker, quotient->a, quotient);
    struct mesh_ex_core *b = mesh_ex_check_value(checker, quotient->b, quotient);
    if (mesh_ex_check_is_error(a) || mesh_ex_check_is_error(b))
        return mesh_ex_check_error(checker, expr);
    bool doubles =
        (a->type.kind == MESH_GEN_DOUBLE && b->type.kind == MESH_GEN_DOUBLE && !(mesh_ex_is_literal(a) && mesh_ex_is_literal(b)));
    struct mesh_ex_core *x = factor(checker, a);
    struct mesh_ex_core *y = factor(checker, b);
    if (doubles || x == NULL || y == NULL)
        return NULL;
    if (is_zero(y))
        return by_zero(checker, quotient);
    struct mesh_gen_type type = {.kind = MESH_GEN_DECIMAL, .precision = precision, .scale = scale};
    return mesh_ex_core_new(checker, MESH_CORE_DEC_DIV, type, expr, x, y, NULL);
}
