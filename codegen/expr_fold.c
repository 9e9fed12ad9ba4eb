/* Core is made here, and folded on the way: an operation on constants becomes its result, computed by the same
 * functions that the generated code calls, so that both agree by construction. What faults on constants faults for
 * every record and is an error now (ME012). Results that only a computer would like (an infinity, a decimal of more
 * than 38 digits) are left for the run. */
#include "codegen/expr_internal.h"

#include <string.h>

static const struct mesh_gen_type bool_type = {.kind = MESH_GEN_BOOL};
static const struct mesh_gen_type int_type = {.kind = MESH_GEN_INT};

static struct mesh_ex_core *blank(struct mesh_ex_checker *checker, enum mesh_ex_core_op op, struct mesh_gen_type type,
                                  struct mesh_expr *ex)
{
    struct mesh_ex_core *core = mesh_arena_new(checker->arena, struct mesh_ex_core);
    core->op = op;
    core->type = type;
    core->ex = ex;
    core->weight = 1;
    return core;
}

struct mesh_ex_core *mesh_ex_check_error(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    return blank(checker, MESH_CORE_ERROR, (struct mesh_gen_type){.kind = MESH_GEN_ERROR}, expr);
}

bool mesh_ex_check_is_error(const struct mesh_ex_core *core)
{
    return core != NULL && core->op == MESH_CORE_ERROR;
}

struct mesh_ex_core *mesh_ex_core_const(struct mesh_ex_checker *checker, struct mesh_gen_type type, struct mesh_expr *ex,
                                        struct mesh_ex_const k)
{
    type.nullable = k.null;
    if (type.kind == MESH_GEN_DECIMAL && !k.null) {
        mesh_dec power = 0;
        int digits = 1;
        while (digits < MESH_DEC_DIGITS_MAX && mesh_ex_pow10(digits, &power) && (k.dec >= power || k.dec <= -power))
            digits++;
        type.precision = digits > type.scale ? digits : type.scale > 0 ? type.scale : 1;
    }
    struct mesh_ex_core *core = blank(checker, MESH_CORE_CONST, type, ex);
    core->k = k;
    return core;
}

struct mesh_ex_core *mesh_ex_core_bool(struct mesh_ex_checker *checker, struct mesh_expr *ex, bool value)
{
    return mesh_ex_core_const(checker, bool_type, ex, (struct mesh_ex_const){.b = value});
}

struct mesh_ex_core *mesh_ex_core_int(struct mesh_ex_checker *checker, struct mesh_expr *ex, int64_t value)
{
    return mesh_ex_core_const(checker, int_type, ex, (struct mesh_ex_const){.i = value});
}

bool mesh_ex_core_is_const(const struct mesh_ex_core *core)
{
    return core->op == MESH_CORE_CONST && !core->k.null;
}

void mesh_ex_warn_always(struct mesh_ex_checker *checker, const struct mesh_expr *ex, bool value, const char *why)
{
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_WARNING, "ME012", ex->at, "this is always %s", value ? "true" : "false");
    mesh_diag_why(checker->diags, diag, "%s", why);
}

/* ---- folding ---- */

static bool is_wide(mesh_dec v)
{
    mesh_dec limit = 0;
    mesh_ex_pow10(MESH_DEC_DIGITS_MAX, &limit);
    return v >= limit || v <= -limit;
}

/* false: leave it for the run. */
static bool fold_int(enum mesh_ex_core_op op, int64_t a, int64_t b, enum mesh_fault *fault, int64_t *ret)
{
    switch ((unsigned)op) {
    case MESH_CORE_NEG:
        *ret = mesh_neg(fault, a);
        return true;
    case MESH_CORE_ADD:
        *ret = mesh_add(fault, a, b);
        return true;
    case MESH_CORE_SUB:
        *ret = mesh_sub(fault, a, b);
        return true;
    case MESH_CORE_MUL:
        *ret = mesh_mul(fault, a, b);
        return true;
    case MESH_CORE_MOD:
        *ret = mesh_mod(fault, a, b);
        return true;
    default:
        return false;
    }
}

static bool fold_double(enum mesh_ex_core_op op, double a, double b, double *ret)
{
    switch ((unsigned)op) {
    case MESH_CORE_NEG:
        *ret = -a;
        break;
    case MESH_CORE_ADD:
        *ret = a + b;
        break;
    case MESH_CORE_SUB:
        *ret = a - b;
        break;
    case MESH_CORE_MUL:
        *ret = a * b;
        break;
    case MESH_CORE_DIV:
        *ret = a / b;
        break;
    default:
        return false;
    }
    return __builtin_isfinite(*ret);
}

static bool fold_dec(enum mesh_ex_core_op op, mesh_dec a, mesh_dec b, enum mesh_fault *fault, mesh_dec *ret)
{
    switch ((unsigned)op) {
    case MESH_CORE_NEG:
        *ret = mesh_dec_sub(fault, 0, a);
        break;
    case MESH_CORE_ADD:
        *ret = mesh_dec_add(fault, a, b);
        break;
    case MESH_CORE_SUB:
        *ret = mesh_dec_sub(fault, a, b);
        break;
    case MESH_CORE_MUL:
        *ret = mesh_dec_mul(fault, a, b);
        break;
    default:
        return false;
    }
    return !is_wide(*ret);
}

/* -1, 0, 1; 2 for doubles without an order (NaN never is a constant, but equality needs no order). */
static int compare(const struct mesh_ex_core *a, const struct mesh_ex_core *b)
{
    switch ((unsigned)a->type.kind) {
    case MESH_GEN_BOOL:
        return (a->k.b > b->k.b) - (a->k.b < b->k.b);
    case MESH_GEN_DOUBLE:
        return (a->k.d > b->k.d) - (a->k.d < b->k.d);
    case MESH_GEN_DECIMAL:
        return mesh_dec_cmp(a->k.dec, b->k.dec);
    case MESH_GEN_STRING:
    case MESH_GEN_BYTES:
        return mesh_str_cmp(a->k.s, b->k.s);
    default:
        return (a->k.i > b->k.i) - (a->k.i < b->k.i);
    }
}

static bool fold_compare(enum mesh_ex_core_op op, const struct mesh_ex_core *a, const struct mesh_ex_core *b, bool *ret)
{
    int order = compare(a, b);
    switch ((unsigned)op) {
    case MESH_CORE_EQ:
        *ret = order == 0;
        return true;
    case MESH_CORE_NE:
        *ret = order != 0;
        return true;
    case MESH_CORE_LT:
        *ret = order < 0;
        return true;
    case MESH_CORE_LE:
        *ret = order <= 0;
        return true;
    case MESH_CORE_GT:
        *ret = order > 0;
        return true;
    case MESH_CORE_GE:
        *ret = order >= 0;
        return true;
    default:
        return false;
    }
}

static int64_t floor_seconds(int64_t us)
{
    return us / 1000000 - (us % 1000000 < 0);
}

static int64_t time_part(enum mesh_ex_time_part part, int64_t us)
{
    switch (part) {
    case MESH_PART_YEAR:
        return mesh_time_year(us);
    case MESH_PART_MONTH:
        return mesh_time_month(us);
    case MESH_PART_DATE:
        return mesh_time_date(us);
    case MESH_PART_DAY_OF_MONTH:
        return mesh_time_day_of_month(us);
    case MESH_PART_DAY_OF_WEEK:
        return mesh_time_day_of_week(us);
    case MESH_PART_DAY_OF_YEAR:
        return mesh_time_day_of_year(us);
    case MESH_PART_HOURS:
        return mesh_time_hours(us);
    case MESH_PART_MINUTES:
        return mesh_time_minutes(us);
    case MESH_PART_SECONDS:
        return mesh_time_seconds(us);
    case MESH_PART_MILLIS:
        return mesh_time_millis(us);
    case MESH_PART_COUNT:
        break;
    }
    return 0;
}

static bool fold_conversion(const struct mesh_ex_core *core, enum mesh_fault *fault, struct mesh_ex_const *k)
{
    const struct mesh_ex_core *a = core->a;
    const struct mesh_gen_type *to = &core->type;
    switch ((unsigned)core->op) {
    case MESH_CORE_INT_DEC:
        k->dec = mesh_dec_rescale(fault, a->k.i, 0, to->scale, MESH_DEC_DIGITS_MAX);
        return true;
    case MESH_CORE_DEC_UP:
        k->dec = mesh_dec_rescale(fault, a->k.dec, a->type.scale, to->scale, MESH_DEC_DIGITS_MAX);
        return true;
    case MESH_CORE_DEC_FIT:
        k->dec = mesh_dec_rescale(fault, a->k.dec, a->type.scale, to->scale, to->precision);
        return true;
    case MESH_CORE_INT_DOUBLE:
        k->d = (double)a->k.i;
        return true;
    case MESH_CORE_DEC_DOUBLE:
        k->d = mesh_dec_double(a->k.dec, a->type.scale);
        return true;
    case MESH_CORE_DOUBLE_INT:
        k->i = mesh_double_long(fault, a->k.d);
        return true;
    case MESH_CORE_DEC_INT: {
        mesh_dec power = 1;
        mesh_ex_pow10(a->type.scale, &power);
        mesh_dec whole = a->k.dec / power;
        k->i = whole > INT64_MAX || whole < INT64_MIN ? 0 : (int64_t)whole;
        if (whole != k->i)
            mesh_fail(fault, MESH_FAULT_RANGE);
        return true;
    }
    case MESH_CORE_DOUBLE_DEC:
        k->dec = mesh_double_dec(fault, a->k.d, to->scale, to->precision);
        return true;
    case MESH_CORE_SECONDS:
        k->i = floor_seconds(a->k.i);
        return true;
    case MESH_CORE_ENUM_STRING:
        k->s = mesh_str_of(a->type.schema->symbols[a->k.i]);
        return true;
    case MESH_CORE_RETYPE:
        *k = a->k;
        return true;
    case MESH_CORE_SIZE:
        k->i = a->type.kind == MESH_GEN_BYTES ? (int64_t)a->k.s.n : mesh_str_size(a->k.s);
        return true;
    case MESH_CORE_TIME:
        k->i = time_part(core->part, a->k.i);
        return true;
    case MESH_CORE_SPAN:
        k->i = a->k.i / core->unit_us;
        return true;
    default:
        return false;
    }
}

static bool fold_strings(const struct mesh_ex_core *core, struct mesh_ex_const *k)
{
    const struct mesh_ex_core *a = core->a;
    const struct mesh_ex_core *b = core->b;
    if (core->op == MESH_CORE_STARTS)
        k->b = mesh_str_starts(a->k.s, b->k.s);
    else if (core->op == MESH_CORE_ENDS)
        k->b = mesh_str_ends(a->k.s, b->k.s);
    else if (core->op == MESH_CORE_CONTAINS)
        k->b = mesh_str_contains(a->k.s, b->k.s);
    else
        return false;
    return true;
}

bool mesh_ex_fold_value(const struct mesh_ex_core *core, enum mesh_fault *fault, struct mesh_ex_const *k)
{
    const struct mesh_ex_core *a = core->a;
    const struct mesh_ex_core *b = core->b;
    if (core->op == MESH_CORE_NOT) {
        k->b = !a->k.b;
        return true;
    }
    if (core->op == MESH_CORE_DEC_DIV) {
        k->dec = mesh_dec_div(fault, a->k.dec, a->type.scale, b->k.dec, b->type.scale, core->type.scale, core->type.precision);
        return true;
    }
    if (core->op >= MESH_CORE_EQ && core->op <= MESH_CORE_GE)
        return fold_compare(core->op, a, b, &k->b);
    if (core->op >= MESH_CORE_NEG && core->op <= MESH_CORE_MOD) {
        if (core->type.kind == MESH_GEN_DOUBLE)
            return fold_double(core->op, a->k.d, b == NULL ? 0 : b->k.d, &k->d);
        if (core->type.kind == MESH_GEN_DECIMAL)
            return fold_dec(core->op, a->k.dec, b == NULL ? 0 : b->k.dec, fault, &k->dec);
        return fold_int(core->op, a->k.i, b == NULL ? 0 : b->k.i, fault, &k->i);
    }
    return b == NULL ? fold_conversion(core, fault, k) : fold_strings(core, k);
}

/* A negated literal stays a literal. */
static void keep_literal(const struct mesh_ex_core *core, struct mesh_ex_const *k)
{
    if (core->op == MESH_CORE_NEG && core->type.kind == MESH_GEN_DOUBLE && core->a->k.literal) {
        k->literal = true;
        k->digits = -core->a->k.digits;
        k->scale = core->a->k.scale;
    }
}

static struct mesh_ex_core *faulted(struct mesh_ex_checker *checker, struct mesh_expr *ex, const struct mesh_gen_type *type,
                                    enum mesh_fault fault)
{
    struct mesh_diag *diag = NULL;
    if (fault == MESH_FAULT_DIVIDE_BY_ZERO)
        diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME012", ex->at, "this always divides by zero");
    else if (fault == MESH_FAULT_OVERFLOW)
        diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME012", ex->at, "this always overflows: no %s holds the result",
                             mesh_ex_type_text(checker, type));
    else
        diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME012", ex->at, "this always fails: the value is out of range");
    mesh_diag_why(checker->diags, diag, "both sides are constants, so every record would go to the dead letters");
    return mesh_ex_check_error(checker, ex);
}

/* What constants of one side decide. NULL: nothing. */
static struct mesh_ex_core *short_circuit(struct mesh_ex_checker *checker, const struct mesh_ex_core *core)
{
    struct mesh_ex_core *a = core->a;
    if (core->op == MESH_CORE_COND && mesh_ex_core_is_const(a))
        return a->k.b ? core->b : core->c;
    if (core->op != MESH_CORE_AND && core->op != MESH_CORE_OR)
        return NULL;
    bool stops = core->op == MESH_CORE_OR; /* the value of an operand that decides */
    if (mesh_ex_core_is_const(a))
        return a->k.b == stops ? mesh_ex_core_bool(checker, core->ex, stops) : core->b;
    if (mesh_ex_core_is_const(core->b)) {
        if (core->b->k.b != stops)
            return a;
        return a->can_fault ? NULL : mesh_ex_core_bool(checker, core->ex, stops);
    }
    return NULL;
}

static bool is_unit(const struct mesh_ex_core *core)
{
    return core == NULL || mesh_ex_core_is_const(core);
}

static struct mesh_ex_core *fold(struct mesh_ex_checker *checker, struct mesh_ex_core *core)
{
    if (core->op == MESH_CORE_PRESENT) {
        if (!core->a->type.nullable && core->a->type.kind != MESH_GEN_NULL)
            return mesh_ex_core_bool(checker, core->ex, true);
        return core->a->op == MESH_CORE_CONST ? mesh_ex_core_bool(checker, core->ex, !core->a->k.null) : core;
    }
    struct mesh_ex_core *shortened = short_circuit(checker, core);
    if (shortened != NULL)
        return shortened;
    if (core->op == MESH_CORE_NOT && core->a->op == MESH_CORE_NOT)
        return core->a->a;
    if (core->op == MESH_CORE_NOT && (core->a->op == MESH_CORE_EQ || core->a->op == MESH_CORE_NE)) {
        enum mesh_ex_core_op other = core->a->op == MESH_CORE_EQ ? MESH_CORE_NE : MESH_CORE_EQ;
        return mesh_ex_core_new(checker, other, core->type, core->ex, core->a->a, core->a->b, NULL);
    }
    bool foldable = core->op != MESH_CORE_COND && core->op != MESH_CORE_RATIO;
    if (!foldable || !is_unit(core->a) || !is_unit(core->b))
        return core;
    struct mesh_ex_const k = {0};
    enum mesh_fault fault = MESH_FAULT_NONE;
    bool folded = mesh_ex_fold_value(core, &fault, &k);
    if (fault != MESH_FAULT_NONE)
        return faulted(checker, core->ex, &core->type, fault);
    if (!folded)
        return core;
    keep_literal(core, &k);
    struct mesh_ex_core *constant = mesh_ex_core_const(checker, core->type, core->ex, k);
    if (core->op == MESH_CORE_DEC_FIT || core->op == MESH_CORE_DEC_DIV || core->op == MESH_CORE_DOUBLE_DEC)
        constant->type.precision = core->type.precision; /* was asked for */
    return constant;
}

/* ---- making ---- */

static bool faults(const struct mesh_ex_core *core)
{
    switch ((unsigned)core->op) {
    case MESH_CORE_NEG:
    case MESH_CORE_ADD:
    case MESH_CORE_SUB:
    case MESH_CORE_MUL:
    case MESH_CORE_DIV:
        return core->type.kind != MESH_GEN_DOUBLE;
    case MESH_CORE_MOD:
    case MESH_CORE_DEC_DIV:
    case MESH_CORE_DEC_UP:
    case MESH_CORE_DEC_FIT:
    case MESH_CORE_DOUBLE_INT:
    case MESH_CORE_DEC_INT:
    case MESH_CORE_DOUBLE_DEC:
        return true;
    case MESH_CORE_INT_DEC:
        return core->type.scale > 18;
    default:
        return false;
    }
}

/* How often the operand stands in the C code. */
static uint32_t repeats(enum mesh_ex_core_op op)
{
    return op == MESH_CORE_DEC_INT ? 3 : op == MESH_CORE_SECONDS || op == MESH_CORE_RATIO ? 2 : 1;
}

static uint32_t weigh(const struct mesh_ex_core *core)
{
    uint64_t weight = core->a->weight;
    weight += core->b == NULL ? 0 : core->b->weight;
    weight += core->c == NULL ? 0 : core->c->weight;
    weight = weight * repeats(core->op) + 1;
    return weight > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)weight;
}

struct mesh_ex_core *mesh_ex_core_new(struct mesh_ex_checker *checker, enum mesh_ex_core_op op, struct mesh_gen_type type,
                                      struct mesh_expr *ex, struct mesh_ex_core *a, struct mesh_ex_core *b, struct mesh_ex_core *c)
{
    if (mesh_ex_check_is_error(a) || mesh_ex_check_is_error(b) || mesh_ex_check_is_error(c))
        return mesh_ex_check_error(checker, ex);
    struct mesh_ex_core *core = blank(checker, op, type, ex);
    core->a = a;
    core->b = b;
    core->c = c;
    if (a == NULL)
        return core;
    core->weight = weigh(core);
    core->can_fault = faults(core) || a->can_fault || (b != NULL && b->can_fault) || (c != NULL && c->can_fault);
    if (core->weight > MESH_EXPR_WEIGHT_MAX) {
        struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME001", ex->at,
                                               "the expression is too large: it repeats its parts too often");
        mesh_diag_fix(checker->diags, diag, "give what stands in front of 'in' or inside int() a name, and use the name");
        return mesh_ex_check_error(checker, ex);
    }
    return op == MESH_CORE_TIME || op == MESH_CORE_SPAN ? core : fold(checker, core);
}

struct mesh_ex_core *mesh_ex_core_refold(struct mesh_ex_checker *checker, struct mesh_ex_core *core)
{
    return mesh_ex_check_is_error(core) ? core : fold(checker, core);
}

/* ---- comparing ---- */

static bool same_const(const struct mesh_ex_core *a, const struct mesh_ex_core *b)
{
    if (a->k.null || b->k.null)
        return a->k.null == b->k.null;
    if (a->type.kind == MESH_GEN_DECIMAL && a->type.scale != b->type.scale)
        return false;
    return a->type.kind == MESH_GEN_NULL || compare(a, b) == 0;
}

bool mesh_ex_core_same(const struct mesh_ex_core *a, const struct mesh_ex_core *b)
{
    if (a == b)
        return true;
    if (a == NULL || b == NULL || a->op != b->op || a->type.kind != b->type.kind)
        return false;
    if (a->op == MESH_CORE_CONST)
        return same_const(a, b);
    if (a->op == MESH_CORE_REF)
        return a->c_value != NULL && b->c_value != NULL && strcmp(a->c_value, b->c_value) == 0;
    if (a->op == MESH_CORE_AGGREGATE)
        return a->aggregates == b->aggregates && a->aggregate == b->aggregate;
    bool decimal = a->type.kind == MESH_GEN_DECIMAL;
    if (a->op == MESH_CORE_ERROR || (decimal && (a->type.scale != b->type.scale || a->type.precision != b->type.precision)))
        return false;
    return a->part == b->part && a->unit_us == b->unit_us && mesh_ex_core_same(a->a, b->a) && mesh_ex_core_same(a->b, b->b) &&
           mesh_ex_core_same(a->c, b->c);
}
