/* What the language converts without a word: only what loses nothing. An int becomes a decimal; a decimal gets more
 * fraction digits; a literal becomes whatever it stands beside, exactly as it was written. An int becomes a double
 * only when it is a literal that a double holds exactly. */
#include "codegen/expr_internal.h"

#include <string.h>

#define DOUBLE_EXACT_MAX (INT64_C(1) << 53)

bool mesh_ex_pow10(int exponent, mesh_dec *ret)
{
    if (exponent < 0 || exponent > MESH_DEC_DIGITS_MAX)
        return false;
    *ret = 1;
    while (exponent-- > 0)
        *ret *= 10;
    return true;
}

bool mesh_ex_is_literal(const struct mesh_ex_core *core)
{
    return core->op == MESH_CORE_CONST && core->type.kind == MESH_GEN_DOUBLE && core->k.literal;
}

bool mesh_ex_is_null(const struct mesh_ex_core *core)
{
    return core->op == MESH_CORE_CONST && core->k.null;
}

bool mesh_ex_same_enum(const struct mesh_gen_type *a, const struct mesh_gen_type *b)
{
    struct mesh_gen_type x = *a;
    struct mesh_gen_type y = *b;
    x.nullable = y.nullable = false;
    return a->kind == MESH_GEN_ENUM && mesh_gen_type_eq(&x, &y);
}

static struct mesh_gen_type decimal_type(int precision, int scale, bool nullable)
{
    int p = precision > MESH_DEC_DIGITS_MAX ? MESH_DEC_DIGITS_MAX : precision < 1 ? 1 : precision;
    return (struct mesh_gen_type){.kind = MESH_GEN_DECIMAL, .precision = p, .scale = scale, .nullable = nullable};
}

/* ---- literals ---- */

/* The literal as an unscaled number of `scale`: 0; 1 when it has more fraction digits; 2 when it is too large. */
static int literal_at(const struct mesh_ex_const *k, int scale, mesh_dec *ret)
{
    mesh_dec power = 0;
    mesh_dec limit = 0;
    mesh_ex_pow10(MESH_DEC_DIGITS_MAX, &limit);
    *ret = k->digits;
    if (k->digits == 0)
        return 0;
    if (k->scale > scale)
        return 1; /* digits has no zeros at its end */
    if (!mesh_ex_pow10(scale - k->scale, &power) || __builtin_mul_overflow(k->digits, power, ret) || *ret >= limit ||
        *ret <= -limit)
        return 2;
    return 0;
}

struct mesh_ex_core *mesh_ex_to_scale(struct mesh_ex_checker *checker, struct mesh_ex_core *core, int scale)
{
    if (mesh_ex_is_null(core)) {
        struct mesh_ex_core *null = mesh_ex_core_const(checker, decimal_type(1, scale, true), core->ex, core->k);
        return null;
    }
    if (mesh_ex_is_literal(core)) {
        struct mesh_ex_const k = {0};
        if (literal_at(&core->k, scale, &k.dec) != 0)
            return NULL;
        return mesh_ex_core_const(checker, decimal_type(1, scale, false), core->ex, k);
    }
    bool nullable = core->type.nullable;
    if (core->op == MESH_CORE_COND) {
        struct mesh_ex_core *b = mesh_ex_to_scale(checker, core->b, scale);
        struct mesh_ex_core *c = mesh_ex_to_scale(checker, core->c, scale);
        if (b == NULL || c == NULL)
            return NULL;
        int precision = b->type.precision > c->type.precision ? b->type.precision : c->type.precision;
        return mesh_ex_core_new(checker, MESH_CORE_COND, decimal_type(precision, scale, nullable), core->ex, core->a, b, c);
    }
    if (core->type.kind == MESH_GEN_INT) {
        struct mesh_gen_type type = decimal_type((core->type.int32 ? 10 : 19) + scale, scale, nullable);
        return mesh_ex_core_new(checker, MESH_CORE_INT_DEC, type, core->ex, core, NULL, NULL);
    }
    if (core->type.kind != MESH_GEN_DECIMAL || core->type.scale > scale)
        return NULL;
    if (core->type.scale == scale)
        return core;
    struct mesh_gen_type type = decimal_type(core->type.precision + scale - core->type.scale, scale, nullable);
    return mesh_ex_core_new(checker, MESH_CORE_DEC_UP, type, core->ex, core, NULL, NULL);
}

/* Smallest scale at which everything literal in it is exact; -1: not literal, -2: too many digits. */
static int literal_scale(const struct mesh_ex_core *core)
{
    mesh_dec ignored = 0;
    if (mesh_ex_is_null(core))
        return 0;
    if (mesh_ex_is_literal(core)) {
        int scale = core->k.scale > 0 ? core->k.scale : 0;
        return scale <= MESH_DEC_DIGITS_MAX && literal_at(&core->k, scale, &ignored) == 0 ? scale : -2;
    }
    if (core->op != MESH_CORE_COND || core->type.kind != MESH_GEN_DOUBLE)
        return -1;
    int b = literal_scale(core->b);
    int c = literal_scale(core->c);
    return b < 0 ? b : c < 0 ? c : b > c ? b : c;
}

struct mesh_ex_core *mesh_ex_literal_decimal(struct mesh_ex_checker *checker, struct mesh_ex_core *core)
{
    int scale = literal_scale(core);
    return scale < 0 ? NULL : mesh_ex_to_scale(checker, core, scale);
}

static enum mesh_ex_adapt too_large(struct mesh_ex_checker *checker, const struct mesh_ex_core *core,
                                    const struct mesh_gen_type *to)
{
    mesh_diag_add(checker->diags, MESH_ERROR, "ME008", core->ex->at, "%s does not fit a %s", mesh_ex_text(checker, core->ex),
                  mesh_ex_type_text(checker, to));
    return MESH_ADAPT_SAID;
}

static enum mesh_ex_adapt adapt_symbol(struct mesh_ex_checker *checker, struct mesh_ex_core **core, const struct mesh_gen_type *to)
{
    const struct mesh_schema *schema = to->schema;
    struct mesh_ex_core *literal = *core;
    for (size_t i = 0; i < schema->n_symbols; i++) {
        if (!mesh_str_eq(literal->k.s, mesh_str_of(schema->symbols[i])))
            continue;
        *core = mesh_ex_core_const(checker, *to, literal->ex, (struct mesh_ex_const){.i = (int64_t)i});
        return MESH_ADAPT_OK;
    }
    const char *word = mesh_arena_str(checker->arena, literal->k.s);
    struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME008", literal->ex->at, "'%s' is no symbol of enum %s",
                                           word, schema->short_name);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf list = MESH_BUF_NULL;
    for (size_t i = 0; i < schema->n_symbols && i < 20; i++)
        mesh_buf_printf(&list, "%s%s", i == 0 ? "" : ", ", schema->symbols[i]);
    if (schema->n_symbols > 20)
        mesh_buf_puts(&list, ", ...");
    mesh_diag_why(checker->diags, diag, "its symbols are %s", list.p);
    const char *meant = mesh_did_you_mean(word, schema->symbols, schema->n_symbols);
    for (size_t i = 0; meant == NULL && i < schema->n_symbols; i++) {
        if (strcasecmp(word, schema->symbols[i]) == 0)
            meant = schema->symbols[i];
    }
    if (meant != NULL)
        mesh_diag_hint(checker->diags, diag, "did you mean \"%s\"?", meant);
    mesh_diag_note(checker->diags, diag, schema->at, "enum %s is declared here", schema->short_name);
    return MESH_ADAPT_SAID;
}

static enum mesh_ex_adapt adapt_decimal(struct mesh_ex_checker *checker, struct mesh_ex_core **core, const struct mesh_gen_type *to)
{
    struct mesh_ex_core *from = *core;
    if (mesh_ex_is_literal(from)) {
        mesh_dec ignored = 0;
        int why = literal_at(&from->k, to->scale, &ignored);
        if (why == 1) {
            struct mesh_diag *diag =
                mesh_diag_add(checker->diags, MESH_ERROR, "ME008", from->ex->at,
                              "%s has more fraction digits than a decimal of scale %d", mesh_ex_text(checker, from->ex), to->scale);
            mesh_diag_fix(checker->diags, diag, "write at most %d digits behind the point", to->scale);
            return MESH_ADAPT_SAID;
        }
        if (why == 2)
            return too_large(checker, from, to);
    }
    mesh_dec power = 0;
    mesh_dec ignored = 0;
    bool wide = mesh_ex_core_is_const(from) && from->type.kind == MESH_GEN_INT &&
                (!mesh_ex_pow10(to->scale, &power) || __builtin_mul_overflow((mesh_dec)from->k.i, power, &ignored));
    if (wide)
        return too_large(checker, from, to);
    struct mesh_ex_core *scaled = mesh_ex_to_scale(checker, from, to->scale);
    if (scaled == NULL)
        return MESH_ADAPT_NO;
    *core = scaled;
    return mesh_ex_check_is_error(scaled) ? MESH_ADAPT_SAID : MESH_ADAPT_OK;
}

static enum mesh_ex_adapt adapt_branches(struct mesh_ex_checker *checker, struct mesh_ex_core **core,
                                         const struct mesh_gen_type *to)
{
    struct mesh_ex_core *from = *core;
    struct mesh_ex_core *b = from->b;
    struct mesh_ex_core *c = from->c;
    enum mesh_ex_adapt first = mesh_ex_adapt(checker, &b, to);
    enum mesh_ex_adapt second = first == MESH_ADAPT_OK ? mesh_ex_adapt(checker, &c, to) : first;
    if (second != MESH_ADAPT_OK)
        return second;
    struct mesh_gen_type type = b->type;
    if (mesh_ex_is_null(b))
        type = c->type;
    if (type.kind == MESH_GEN_DECIMAL && !mesh_ex_is_null(c) && c->type.precision > type.precision)
        type.precision = c->type.precision;
    type.nullable = from->type.nullable;
    *core = mesh_ex_core_new(checker, MESH_CORE_COND, type, from->ex, from->a, b, c);
    return MESH_ADAPT_OK;
}

enum mesh_ex_adapt mesh_ex_adapt(struct mesh_ex_checker *checker, struct mesh_ex_core **core, const struct mesh_gen_type *to)
{
    struct mesh_ex_core *from = *core;
    if (mesh_ex_check_is_error(from) || to->kind == MESH_GEN_ERROR)
        return MESH_ADAPT_SAID;
    if (mesh_ex_is_null(from)) {
        *core = mesh_ex_core_const(checker, *to, from->ex, from->k);
        return MESH_ADAPT_OK;
    }
    if (from->type.kind == to->kind && to->kind != MESH_GEN_DECIMAL && to->kind != MESH_GEN_ENUM)
        return MESH_ADAPT_OK;
    if (to->kind == MESH_GEN_ENUM && from->type.kind == MESH_GEN_ENUM)
        return mesh_ex_same_enum(&from->type, to) ? MESH_ADAPT_OK : MESH_ADAPT_NO;
    if (from->op == MESH_CORE_COND && from->type.kind != to->kind)
        return adapt_branches(checker, core, to);
    if (to->kind == MESH_GEN_ENUM && mesh_ex_core_is_const(from) && from->type.kind == MESH_GEN_STRING)
        return adapt_symbol(checker, core, to);
    if (to->kind == MESH_GEN_DECIMAL)
        return adapt_decimal(checker, core, to);
    if (to->kind == MESH_GEN_DOUBLE && mesh_ex_core_is_const(from) && from->type.kind == MESH_GEN_INT) {
        if (from->k.i > DOUBLE_EXACT_MAX || from->k.i < -DOUBLE_EXACT_MAX)
            return too_large(checker, from, to);
        struct mesh_ex_const k = {.d = (double)from->k.i, .literal = true, .digits = from->k.i};
        while (k.digits != 0 && k.digits % 10 == 0) {
            k.digits /= 10;
            k.scale--;
        }
        *core = mesh_ex_core_const(checker, *to, from->ex, k);
        return MESH_ADAPT_OK;
    }
    return MESH_ADAPT_NO;
}

static bool may_be_decimal(const struct mesh_ex_core *core)
{
    return core->type.kind == MESH_GEN_DECIMAL || core->type.kind == MESH_GEN_INT || literal_scale(core) >= 0;
}

/* Both decimals of the larger scale; literals at the scale they were written with. */
static enum mesh_ex_adapt unify_decimals(struct mesh_ex_checker *checker, struct mesh_ex_core **a, struct mesh_ex_core **b)
{
    if (literal_scale(*a) == -2)
        return too_large(checker, *a, &(*b)->type);
    if (literal_scale(*b) == -2)
        return too_large(checker, *b, &(*a)->type);
    if (!may_be_decimal(*a) || !may_be_decimal(*b))
        return MESH_ADAPT_NO;
    int scale_a = (*a)->type.kind == MESH_GEN_DECIMAL ? (*a)->type.scale : literal_scale(*a);
    int scale_b = (*b)->type.kind == MESH_GEN_DECIMAL ? (*b)->type.scale : literal_scale(*b);
    struct mesh_gen_type to = decimal_type(MESH_DEC_DIGITS_MAX, scale_a > scale_b ? scale_a : scale_b, false);
    enum mesh_ex_adapt first = adapt_decimal(checker, a, &to);
    return first == MESH_ADAPT_OK ? adapt_decimal(checker, b, &to) : first;
}

enum mesh_ex_adapt mesh_ex_unify(struct mesh_ex_checker *checker, struct mesh_ex_core **a, struct mesh_ex_core **b)
{
    if (mesh_ex_check_is_error(*a) || mesh_ex_check_is_error(*b))
        return MESH_ADAPT_SAID;
    if (mesh_ex_is_null(*a))
        return mesh_ex_adapt(checker, a, &(*b)->type);
    if (mesh_ex_is_null(*b))
        return mesh_ex_adapt(checker, b, &(*a)->type);
    if ((*a)->type.kind == MESH_GEN_DECIMAL || (*b)->type.kind == MESH_GEN_DECIMAL)
        return unify_decimals(checker, a, b);
    enum mesh_ex_adapt first = mesh_ex_adapt(checker, b, &(*a)->type);
    return first == MESH_ADAPT_NO ? mesh_ex_adapt(checker, a, &(*b)->type) : first;
}
