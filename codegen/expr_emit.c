/* Core as C expressions, with the parentheses that C or a compiler's warnings ask for and no others.
 *
 * C leaves the order of the arguments of a call open. That is harmless here: nothing but `fault` is written, and any of two
 * faults sends the record the same way. */
#include "codegen/expr_internal.h"

#include <string.h>

enum { P_NONE, P_COND, P_OR, P_AND, P_EQUAL, P_SUM, P_PRODUCT, P_UNARY, P_POSTFIX };

struct emitter {
    struct mesh_buf *out;
    const struct mesh_expr_aggregate_c *aggregates;
};

static void emit(struct emitter *e, const struct mesh_ex_core *core, int min);
static void emit_present(struct emitter *e, const struct mesh_ex_core *core, int min);
static int present_precedence(const struct mesh_ex_core *core);

static void put(struct emitter *e, const char *text)
{
    mesh_buf_puts(e->out, text);
}

static bool is_text(const struct mesh_ex_core *core)
{
    return core->type.kind == MESH_GEN_STRING || core->type.kind == MESH_GEN_BYTES;
}

/* ---- what binds how tightly ---- */

static int const_precedence(const struct mesh_ex_core *core)
{
    bool negative = core->type.kind == MESH_GEN_DOUBLE    ? core->k.d < 0 || (core->k.d == 0 && __builtin_signbit(core->k.d))
                    : core->type.kind == MESH_GEN_DECIMAL ? core->k.dec < 0
                                                          : core->k.i < 0 && core->k.i != INT64_MIN;
    return negative && !core->k.null ? P_UNARY : P_POSTFIX;
}

static int conversion_guard(const struct mesh_ex_core *core)
{
    return core->a != NULL && core->a->type.nullable && core->can_fault && core->op >= MESH_CORE_INT_DEC &&
           core->op <= MESH_CORE_RETYPE;
}

static int compare_precedence(const struct mesh_ex_core *core)
{
    if (!is_text(core->a) || (core->op != MESH_CORE_EQ && core->op != MESH_CORE_NE))
        return P_EQUAL;
    return core->op == MESH_CORE_EQ ? P_POSTFIX : P_UNARY;
}

/* 0.0 - x, which is no negation: gcc 12 makes one of it when x comes from an int, and 0 becomes -0. */
static bool is_zero_minus(const struct mesh_ex_core *core)
{
    return core->op == MESH_CORE_SUB && core->type.kind == MESH_GEN_DOUBLE && mesh_ex_core_is_const(core->a) && core->a->k.d == 0 &&
           !__builtin_signbit(core->a->k.d);
}

static int arithmetic_precedence(const struct mesh_ex_core *core)
{
    if (core->type.kind != MESH_GEN_DOUBLE || is_zero_minus(core))
        return P_POSTFIX;
    return core->op == MESH_CORE_NEG ? P_UNARY : core->op == MESH_CORE_ADD || core->op == MESH_CORE_SUB ? P_SUM : P_PRODUCT;
}

static int precedence(const struct mesh_ex_core *core)
{
    if (conversion_guard(core))
        return P_COND;
    switch ((unsigned)core->op) {
    case MESH_CORE_CONST:
        return const_precedence(core);
    case MESH_CORE_REF:
        return core->guarded && core->type.nullable ? P_COND : P_POSTFIX;
    case MESH_CORE_NEG:
    case MESH_CORE_ADD:
    case MESH_CORE_SUB:
    case MESH_CORE_MUL:
    case MESH_CORE_DIV:
        return arithmetic_precedence(core);
    case MESH_CORE_EQ:
    case MESH_CORE_NE:
    case MESH_CORE_LT:
    case MESH_CORE_LE:
    case MESH_CORE_GT:
    case MESH_CORE_GE:
        return compare_precedence(core);
    case MESH_CORE_NOT:
        return P_UNARY;
    case MESH_CORE_PRESENT:
        return present_precedence(core->a);
    case MESH_CORE_AND:
        return P_AND;
    case MESH_CORE_OR:
        return P_OR;
    case MESH_CORE_COND:
        return P_COND;
    case MESH_CORE_INT_DEC:
        return core->type.scale == 0 ? P_UNARY : core->type.scale <= 18 ? P_PRODUCT : P_POSTFIX;
    case MESH_CORE_INT_DOUBLE:
        return P_UNARY;
    case MESH_CORE_DEC_INT:
        return P_COND;
    case MESH_CORE_SECONDS:
        return P_SUM;
    case MESH_CORE_SPAN:
        return P_PRODUCT;
    case MESH_CORE_RETYPE:
        return precedence(core->a);
    default:
        return P_POSTFIX;
    }
}

/* ---- pieces ---- */

static void call1(struct emitter *e, const char *function, const struct mesh_ex_core *a)
{
    mesh_buf_printf(e->out, "%s(", function);
    emit(e, a, P_COND);
    put(e, ")");
}

static void call2(struct emitter *e, const char *function, const struct mesh_ex_core *a, const struct mesh_ex_core *b)
{
    mesh_buf_printf(e->out, "%s(", function);
    emit(e, a, P_COND);
    put(e, ", ");
    emit(e, b, P_COND);
    put(e, ")");
}

static void infix(struct emitter *e, const struct mesh_ex_core *core, const char *op, int left, int right)
{
    emit(e, core->a, left);
    mesh_buf_printf(e->out, " %s ", op);
    emit(e, core->b, right);
}

static void power(struct emitter *e, int exponent)
{
    mesh_dec value = 1;
    mesh_ex_pow10(exponent, &value);
    struct mesh_ex_core constant = {.op = MESH_CORE_CONST, .type = {.kind = MESH_GEN_DECIMAL}, .k = {.dec = value}};
    mesh_ex_emit_const(&constant, e->out);
}

/* ---- operators ---- */

static void emit_arithmetic(struct emitter *e, const struct mesh_ex_core *core)
{
    static const char *const signs[] = {"-", "+", "-", "*", "/", "%"};
    static const char *const ints[] = {"mesh_neg(&fault, ", "mesh_add(&fault, ", "mesh_sub(&fault, ",
                                       "mesh_mul(&fault, ", "mesh_div(&fault, ", "mesh_mod(&fault, "};
    static const char *const decimals[] = {"mesh_dec_sub(&fault, 0, ", "mesh_dec_add(&fault, ", "mesh_dec_sub(&fault, ",
                                           "mesh_dec_mul(&fault, "};
    size_t i = (size_t)(core->op - MESH_CORE_NEG);
    if (is_zero_minus(core)) {
        call1(e, "mesh_zero_minus", core->b);
        return;
    }
    if (core->type.kind == MESH_GEN_DOUBLE) {
        int level = precedence(core);
        if (core->op == MESH_CORE_NEG) {
            put(e, "-");
            emit(e, core->a, P_POSTFIX);
        } else {
            infix(e, core, signs[i], level, level + 1);
        }
        return;
    }
    put(e, core->type.kind == MESH_GEN_DECIMAL ? decimals[i] : ints[i]);
    emit(e, core->a, P_COND);
    if (core->b != NULL) {
        put(e, ", ");
        emit(e, core->b, P_COND);
    }
    put(e, ")");
}

/* `!a == b` looks like a slip, to people and to compilers. */
static void emit_compared(struct emitter *e, const struct mesh_ex_core *core)
{
    bool negated = core->op == MESH_CORE_NOT || (core->op == MESH_CORE_NE && is_text(core->a));
    emit(e, core, negated ? P_POSTFIX : P_SUM);
}

static void emit_compare(struct emitter *e, const struct mesh_ex_core *core)
{
    static const char *const signs[] = {" == ", " != ", " < ", " <= ", " > ", " >= "};
    const char *sign = signs[core->op - MESH_CORE_EQ];
    if (!is_text(core->a)) {
        emit_compared(e, core->a);
        put(e, sign);
        emit_compared(e, core->b);
    } else if (core->op == MESH_CORE_EQ || core->op == MESH_CORE_NE) {
        call2(e, core->op == MESH_CORE_EQ ? "mesh_str_eq" : "!mesh_str_eq", core->a, core->b);
    } else {
        call2(e, "mesh_str_cmp", core->a, core->b);
        mesh_buf_printf(e->out, "%s0", sign);
    }
}

static void emit_or(struct emitter *e, const struct mesh_ex_core *core)
{
    emit(e, core->a, core->a->op == MESH_CORE_AND ? P_EQUAL : P_OR);
    put(e, " || ");
    emit(e, core->b, core->b->op == MESH_CORE_AND ? P_EQUAL : P_OR);
}

static void emit_cond(struct emitter *e, const struct mesh_ex_core *core)
{
    emit(e, core->a, P_EQUAL);
    put(e, " ? ");
    emit(e, core->b, P_OR);
    put(e, " : ");
    emit(e, core->c, P_COND);
}

/* ---- conversions ---- */

static void emit_int_dec(struct emitter *e, const struct mesh_ex_core *core)
{
    if (core->type.scale > 18) {
        put(e, "mesh_dec_mul(&fault, ");
        emit(e, core->a, P_COND);
        put(e, ", ");
        power(e, core->type.scale);
        put(e, ")");
        return;
    }
    put(e, "(mesh_dec)");
    emit(e, core->a, P_POSTFIX);
    if (core->type.scale > 0) {
        put(e, " * ");
        power(e, core->type.scale);
    }
}

static void whole_part(struct emitter *e, const struct mesh_ex_core *core)
{
    emit(e, core->a, core->a->type.scale > 0 ? P_PRODUCT : P_POSTFIX);
    if (core->a->type.scale > 0) {
        put(e, " / ");
        power(e, core->a->type.scale);
    }
}

static void emit_dec_int(struct emitter *e, const struct mesh_ex_core *core)
{
    put(e, "(");
    whole_part(e, core);
    put(e, " >= INT64_MIN && ");
    whole_part(e, core);
    put(e, " <= INT64_MAX) ? (int64_t)(");
    whole_part(e, core);
    put(e, ") : (mesh_fail(&fault, MESH_FAULT_RANGE), (int64_t)0)");
}

static void emit_seconds(struct emitter *e, const struct mesh_ex_core *core)
{
    emit(e, core->a, P_PRODUCT);
    put(e, " / 1000000 - (");
    emit(e, core->a, P_PRODUCT);
    put(e, " % 1000000 < 0)");
}

static void emit_symbols(struct emitter *e, const struct mesh_ex_core *core)
{
    const struct mesh_schema *schema = core->a->type.schema;
    put(e, "((const struct mesh_str[]){");
    for (size_t i = 0; i < schema->n_symbols; i++)
        mesh_buf_printf(e->out, "%s{\"%s\", %zu}", i == 0 ? "" : ", ", schema->symbols[i], strlen(schema->symbols[i]));
    put(e, "})[(uint32_t)"); /* no symbol has a larger index, and a compiler that doubts it is quiet */
    emit(e, core->a, P_POSTFIX);
    mesh_buf_printf(e->out, " %% %zu]", schema->n_symbols);
}

static void emit_conversion(struct emitter *e, const struct mesh_ex_core *core)
{
    const struct mesh_ex_core *a = core->a;
    switch ((unsigned)core->op) {
    case MESH_CORE_INT_DEC:
        emit_int_dec(e, core);
        return;
    case MESH_CORE_DEC_UP:
        put(e, "mesh_dec_mul(&fault, ");
        emit(e, a, P_COND);
        put(e, ", ");
        power(e, core->type.scale - a->type.scale);
        put(e, ")");
        return;
    case MESH_CORE_DEC_FIT:
        put(e, "mesh_dec_rescale(&fault, ");
        emit(e, a, P_COND);
        mesh_buf_printf(e->out, ", %d, %d, %d)", a->type.scale, core->type.scale, core->type.precision);
        return;
    case MESH_CORE_INT_DOUBLE:
        put(e, "(double)");
        emit(e, a, P_POSTFIX);
        return;
    case MESH_CORE_DEC_DOUBLE:
        put(e, "mesh_dec_double(");
        emit(e, a, P_COND);
        mesh_buf_printf(e->out, ", %d)", a->type.scale);
        return;
    case MESH_CORE_DOUBLE_INT:
        put(e, "mesh_double_long(&fault, ");
        emit(e, a, P_COND);
        put(e, ")");
        return;
    case MESH_CORE_DOUBLE_DEC:
        put(e, "mesh_double_dec(&fault, ");
        emit(e, a, P_COND);
        mesh_buf_printf(e->out, ", %d, %d)", core->type.scale, core->type.precision);
        return;
    case MESH_CORE_DEC_INT:
        emit_dec_int(e, core);
        return;
    case MESH_CORE_SECONDS:
        emit_seconds(e, core);
        return;
    case MESH_CORE_ENUM_STRING:
        emit_symbols(e, core);
        return;
    default:
        emit(e, a, P_NONE);
        return;
    }
}

/* ---- functions ---- */

static void emit_quotient(struct emitter *e, const struct mesh_ex_core *core)
{
    put(e, "mesh_dec_div(&fault, ");
    emit(e, core->a, P_COND);
    mesh_buf_printf(e->out, ", %d, ", core->a->type.scale);
    emit(e, core->b, P_COND);
    mesh_buf_printf(e->out, ", %d, %d, %d)", core->b->type.scale, core->type.scale, core->type.precision);
}

static void emit_function(struct emitter *e, const struct mesh_ex_core *core)
{
    static const char *const getters[MESH_PART_COUNT] = {
        [MESH_PART_YEAR] = "mesh_time_year",
        [MESH_PART_MONTH] = "mesh_time_month",
        [MESH_PART_DATE] = "mesh_time_date",
        [MESH_PART_DAY_OF_MONTH] = "mesh_time_day_of_month",
        [MESH_PART_DAY_OF_WEEK] = "mesh_time_day_of_week",
        [MESH_PART_DAY_OF_YEAR] = "mesh_time_day_of_year",
        [MESH_PART_HOURS] = "mesh_time_hours",
        [MESH_PART_MINUTES] = "mesh_time_minutes",
        [MESH_PART_SECONDS] = "mesh_time_seconds",
        [MESH_PART_MILLIS] = "mesh_time_millis",
    };
    switch ((unsigned)core->op) {
    case MESH_CORE_RATIO:
        put(e, "mesh_ratio(");
        emit(e, core->a, P_COND);
        put(e, ", ");
        emit(e, core->b, P_COND);
        put(e, ", &(bool){false})");
        return;
    case MESH_CORE_SIZE:
        call1(e, core->a->type.kind == MESH_GEN_STRING ? "mesh_str_size" : "mesh_bytes_size", core->a);
        return;
    case MESH_CORE_STARTS:
        call2(e, "mesh_str_starts", core->a, core->b);
        return;
    case MESH_CORE_ENDS:
        call2(e, "mesh_str_ends", core->a, core->b);
        return;
    case MESH_CORE_CONTAINS:
        call2(e, "mesh_str_contains", core->a, core->b);
        return;
    case MESH_CORE_TIME:
        call1(e, getters[core->part], core->a);
        return;
    case MESH_CORE_SPAN:
        emit(e, core->a, P_PRODUCT);
        mesh_buf_printf(e->out, core->unit_us > INT32_MAX ? " / INT64_C(%lld)" : " / %lld", (long long)core->unit_us);
        return;
    case MESH_CORE_DEC_DIV:
        emit_quotient(e, core);
        return;
    default:
        break;
    }
    mesh_assert(core->op == MESH_CORE_OP_COUNT); /* no C for it */
}

/* ---- values ---- */

static void emit_guarded(struct emitter *e, const struct mesh_ex_core *core, const struct mesh_ex_core *there)
{
    emit_present(e, there, P_EQUAL);
    put(e, " ? ");
    if (core->op == MESH_CORE_REF)
        put(e, core->c_value);
    else
        emit_conversion(e, core);
    put(e, " : ");
    mesh_ex_emit_null(core->type.kind, e->out);
}

static void emit_node(struct emitter *e, const struct mesh_ex_core *core)
{
    if (conversion_guard(core)) {
        emit_guarded(e, core, core->a);
        return;
    }
    switch ((unsigned)core->op) {
    case MESH_CORE_CONST:
        mesh_ex_emit_const(core, e->out);
        return;
    case MESH_CORE_REF:
        if (core->guarded && core->type.nullable)
            emit_guarded(e, core, core);
        else
            put(e, core->c_value);
        return;
    case MESH_CORE_AGGREGATE:
        mesh_assert(e->aggregates != NULL);
        e->aggregates->value(e->aggregates->context, mesh_ex_aggregate(core), e->out);
        return;
    case MESH_CORE_NEG:
    case MESH_CORE_ADD:
    case MESH_CORE_SUB:
    case MESH_CORE_MUL:
    case MESH_CORE_DIV:
    case MESH_CORE_MOD:
        emit_arithmetic(e, core);
        return;
    case MESH_CORE_EQ:
    case MESH_CORE_NE:
    case MESH_CORE_LT:
    case MESH_CORE_LE:
    case MESH_CORE_GT:
    case MESH_CORE_GE:
        emit_compare(e, core);
        return;
    case MESH_CORE_NOT:
        put(e, "!");
        emit(e, core->a, P_POSTFIX);
        return;
    case MESH_CORE_AND:
        infix(e, core, "&&", P_AND, P_AND);
        return;
    case MESH_CORE_OR:
        emit_or(e, core);
        return;
    case MESH_CORE_COND:
        emit_cond(e, core);
        return;
    case MESH_CORE_PRESENT:
        emit_present(e, core->a, P_NONE);
        return;
    case MESH_CORE_INT_DEC:
    case MESH_CORE_DEC_UP:
    case MESH_CORE_DEC_FIT:
    case MESH_CORE_INT_DOUBLE:
    case MESH_CORE_DEC_DOUBLE:
    case MESH_CORE_DOUBLE_INT:
    case MESH_CORE_DEC_INT:
    case MESH_CORE_DOUBLE_DEC:
    case MESH_CORE_SECONDS:
    case MESH_CORE_ENUM_STRING:
    case MESH_CORE_RETYPE:
        emit_conversion(e, core);
        return;
    default:
        emit_function(e, core);
        return;
    }
}

static void emit(struct emitter *e, const struct mesh_ex_core *core, int min)
{
    bool wrapped = precedence(core) < min;
    if (wrapped)
        put(e, "(");
    emit_node(e, core);
    if (wrapped)
        put(e, ")");
}

/* ---- presence ---- */

enum known { UNKNOWN, ALWAYS, NEVER };

static enum known presence(const struct mesh_ex_core *core)
{
    if (core->op == MESH_CORE_CONST)
        return core->k.null ? NEVER : ALWAYS;
    if (core->op == MESH_CORE_RATIO && mesh_ex_core_is_const(core->b))
        return core->b->k.d != 0 ? ALWAYS : NEVER;
    if (!core->type.nullable)
        return ALWAYS;
    if (core->op == MESH_CORE_COND) {
        enum known b = presence(core->b);
        return b == presence(core->c) ? b : UNKNOWN;
    }
    return UNKNOWN;
}

/* `not` a side of a condition: (!)test joined by `op` with the presence of the other branch. */
static void emit_branch(struct emitter *e, const struct mesh_ex_core *test, bool negate, const char *op,
                        const struct mesh_ex_core *branch)
{
    if (negate) {
        put(e, "!");
        emit(e, test, P_POSTFIX);
    } else {
        emit(e, test, branch == NULL ? P_NONE : P_EQUAL);
    }
    if (branch == NULL)
        return;
    put(e, op);
    emit_present(e, branch, P_EQUAL);
}

static void emit_cond_present(struct emitter *e, const struct mesh_ex_core *core)
{
    enum known b = presence(core->b);
    enum known c = presence(core->c);
    if (b == ALWAYS)
        emit_branch(e, core->a, false, " || ", c == NEVER ? NULL : core->c);
    else if (b == NEVER)
        emit_branch(e, core->a, true, " && ", c == ALWAYS ? NULL : core->c);
    else if (c == NEVER)
        emit_branch(e, core->a, false, " && ", core->b);
    else if (c == ALWAYS)
        emit_branch(e, core->a, true, " || ", core->b);
    else {
        emit(e, core->a, P_EQUAL);
        put(e, " ? ");
        emit_present(e, core->b, P_OR);
        put(e, " : ");
        emit_present(e, core->c, P_COND);
    }
}

static void emit_divisor_present(struct emitter *e, const struct mesh_ex_core *core)
{
    const struct mesh_ex_core *b = core->b;
    bool converted = b->op == MESH_CORE_INT_DOUBLE || b->op == MESH_CORE_DEC_DOUBLE;
    emit(e, converted ? b->a : b, P_SUM);
    put(e, converted ? " != 0" : " != 0.0");
}

static void emit_present_node(struct emitter *e, const struct mesh_ex_core *core)
{
    switch ((unsigned)core->op) {
    case MESH_CORE_REF:
        put(e, core->c_present);
        return;
    case MESH_CORE_AGGREGATE:
        mesh_assert(e->aggregates != NULL);
        e->aggregates->present(e->aggregates->context, mesh_ex_aggregate(core), e->out);
        return;
    case MESH_CORE_COND:
        emit_cond_present(e, core);
        return;
    case MESH_CORE_RATIO:
        emit_divisor_present(e, core);
        return;
    default:
        emit_present(e, core->a, P_NONE);
        return;
    }
}

static int cond_present_precedence(const struct mesh_ex_core *core)
{
    enum known b = presence(core->b);
    enum known c = presence(core->c);
    if (b == NEVER)
        return c == ALWAYS ? P_UNARY : P_AND;
    if (c == NEVER)
        return b == ALWAYS ? precedence(core->a) : P_AND;
    return b == ALWAYS || c == ALWAYS ? P_OR : P_COND;
}

static int present_precedence(const struct mesh_ex_core *core)
{
    if (core->op == MESH_CORE_REF)
        return strstr(core->c_present, "&&") != NULL ? P_AND : strchr(core->c_present, ' ') != NULL ? P_EQUAL : P_POSTFIX;
    if (core->op == MESH_CORE_AGGREGATE)
        return P_POSTFIX;
    if (core->op == MESH_CORE_COND)
        return cond_present_precedence(core);
    return core->op == MESH_CORE_RATIO ? P_EQUAL : present_precedence(core->a);
}

static void emit_present(struct emitter *e, const struct mesh_ex_core *core, int min)
{
    enum known known = presence(core);
    if (known != UNKNOWN) {
        put(e, known == ALWAYS ? "true" : "false");
        return;
    }
    bool wrapped = present_precedence(core) < min;
    if (wrapped)
        put(e, "(");
    emit_present_node(e, core);
    if (wrapped)
        put(e, ")");
}

/* ---- for others ---- */

static void check_ready(const struct mesh_expr *expr)
{
    mesh_assert(expr->core != NULL && expr->core->op != MESH_CORE_ERROR);
}

void mesh_expr_emit_let(const struct mesh_expr *expr, const struct mesh_expr_aggregate_c *aggregates, struct mesh_buf *out)
{
    check_ready(expr);
    struct emitter e = {out, aggregates};
    emit(&e, expr->core, P_NONE);
}

void mesh_expr_emit_let_present(const struct mesh_expr *expr, const struct mesh_expr_aggregate_c *aggregates, struct mesh_buf *out)
{
    check_ready(expr);
    struct emitter e = {out, aggregates};
    emit_present(&e, expr->core, P_NONE);
}

void mesh_expr_emit(const struct mesh_expr *expr, struct mesh_buf *out)
{
    mesh_expr_emit_let(expr, NULL, out);
}

void mesh_expr_emit_present(const struct mesh_expr *expr, struct mesh_buf *out)
{
    mesh_expr_emit_let_present(expr, NULL, out);
}
