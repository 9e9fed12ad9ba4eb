/* Aggregates. Argument and condition are checked in the scope of a record, everything around in the scope of the row. An
 * aggregate belongs to the source whose fields it reads; where a view has several, the qualifiers say which. */
#include "codegen/expr_internal.h"

#include "base/check.h"

#include <string.h>

static struct mesh_ex_core *refuse_place(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_ERROR, "ME009", expr->at,
                      checker->aggregate != NULL ? "%s() stands inside %s()" : "%s() folds many records, and %s looks at one",
                      expr->name, checker->aggregate != NULL ? checker->aggregate->name : checker->place);
    if (checker->aggregate != NULL) {
        mesh_diag_fix(checker->diags, diag, "fold twice: one view reads the changes of another");
    } else {
        mesh_diag_why(checker->diags, diag, "aggregates stand in the 'let' of a view or of a fold");
        mesh_diag_fix(checker->diags, diag, "write it in a 'let' and read its name");
    }
    return mesh_ex_check_error(checker, expr);
}

static struct mesh_ex_core *wrong(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_srcref at, const char *what,
                                  const char *fix)
{
    struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME005", at, "%s", what);
    mesh_diag_fix(checker->diags, diag, "%s", fix);
    return mesh_ex_check_error(checker, expr);
}

/* ---- arguments ---- */

/* `count(orders)`: a bare name that is a source and nothing else. */
static const struct mesh_scope_entry *source_argument(const struct mesh_ex_checker *checker, const struct mesh_expr *arg)
{
    if (arg->kind != MESH_EX_NAME)
        return NULL;
    for (const struct mesh_scope *s = checker->scope; s != NULL; s = s->parent) {
        if (mesh_gen_shape_member(s->shape, arg->name) != NULL)
            return NULL;
    }
    const struct mesh_scope_entry *entry = mesh_ex_namespace(checker->scope, arg->name);
    return entry != NULL && entry->is_source ? entry : NULL;
}

static size_t count_sources(const struct mesh_scope *scope, const struct mesh_scope_entry **ret_first)
{
    size_t n = 0;
    for (; scope != NULL; scope = scope->parent) {
        for (size_t i = 0; i < scope->entries.n; i++) {
            const struct mesh_scope_entry *entry = &scope->entries.v[i];
            if (!entry->is_namespace || !entry->is_source)
                continue;
            if (n++ == 0)
                *ret_first = entry;
        }
    }
    return n;
}

/* The condition, a bool; its facts hold for the argument. */
static struct mesh_ex_core *check_condition(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_expr *cond)
{
    struct mesh_ex_core *core = mesh_ex_check_value(checker, cond, cond);
    if (mesh_ex_check_is_error(core))
        return core;
    if (core->type.kind == MESH_GEN_BOOL)
        return core;
    bool is_count = strcmp(expr->name, "count") == 0;
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_ERROR, "ME005", cond->at, "the condition of %s() is a bool, and %s is %s", expr->name,
                      mesh_ex_text(checker, cond), mesh_ex_type_text(checker, &core->type));
    if (is_count)
        mesh_diag_fix(checker->diags, diag, "write count() for all records, or a condition: count(has(x))");
    else
        mesh_diag_fix(checker->diags, diag, "write %s(value, condition)", expr->name);
    return mesh_ex_check_error(checker, expr);
}

/* ---- types ---- */

static bool is_number(enum mesh_gen_kind kind)
{
    return kind == MESH_GEN_INT || kind == MESH_GEN_DOUBLE || kind == MESH_GEN_DECIMAL;
}

static bool has_order(enum mesh_gen_kind kind)
{
    return is_number(kind) || kind == MESH_GEN_STRING || kind == MESH_GEN_TIMESTAMP || kind == MESH_GEN_DURATION ||
           kind == MESH_GEN_DATE;
}

static bool is_single(enum mesh_gen_kind kind)
{
    return kind != MESH_GEN_RECORD && kind != MESH_GEN_LIST && kind != MESH_GEN_NULL;
}

/* MESH_GEN_ERROR: the function does not take such values. */
static struct mesh_gen_type result_of(enum mesh_aggregate_fn fn, const struct mesh_gen_type *arg)
{
    struct mesh_gen_type type = *arg;
    struct mesh_gen_type none = {.kind = MESH_GEN_ERROR};
    switch (fn) {
    case MESH_AGG_COUNT:
        return (struct mesh_gen_type){.kind = MESH_GEN_INT};
    case MESH_AGG_DISTINCT:
        return is_single(arg->kind) ? (struct mesh_gen_type){.kind = MESH_GEN_INT} : none;
    case MESH_AGG_SUM:
        type.schema = NULL;
        type.int32 = false;
        if (arg->kind == MESH_GEN_DECIMAL)
            type.precision = MESH_DEC_DIGITS_MAX;
        return is_number(arg->kind) || arg->kind == MESH_GEN_DURATION ? type : none;
    case MESH_AGG_AVG:
    case MESH_AGG_VARIANCE:
    case MESH_AGG_QUANTILE:
        return is_number(arg->kind) ? (struct mesh_gen_type){.kind = MESH_GEN_DOUBLE, .nullable = true} : none;
    case MESH_AGG_MIN:
    case MESH_AGG_MAX:
        type.nullable = true;
        return has_order(arg->kind) ? type : none;
    case MESH_AGG_FIRST:
    case MESH_AGG_LAST:
    case MESH_AGG_MIN_BY:
    case MESH_AGG_MAX_BY:
        type.nullable = true;
        return is_single(arg->kind) ? type : none;
    case MESH_AGG_TOP:
        type.nullable = true;
        return is_single(arg->kind) && arg->kind != MESH_GEN_DOUBLE && arg->kind != MESH_GEN_DECIMAL ? type : none;
    case MESH_AGG_COLLECT:
        return is_number(arg->kind) || arg->kind == MESH_GEN_STRING || arg->kind == MESH_GEN_BOOL
                   ? (struct mesh_gen_type){.kind = MESH_GEN_STRING, .nullable = true}
                   : none;
    case MESH_AGG_EWMA:
        return is_number(arg->kind) ? (struct mesh_gen_type){.kind = MESH_GEN_DOUBLE, .nullable = true} : none;
    case MESH_AGG_FN_COUNT:
        break;
    }
    return none;
}

static struct mesh_ex_core *wrong_value(struct mesh_ex_checker *checker, struct mesh_expr *expr, const struct mesh_ex_core *arg)
{
    mesh_assert(arg != NULL);
    struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME005", arg->ex->at, "%s() does not take %s, which is %s",
                                           expr->name, mesh_ex_text(checker, arg->ex), mesh_ex_type_text(checker, &arg->type));
    if (arg->type.kind == MESH_GEN_BOOL)
        mesh_diag_fix(checker->diags, diag, "to count how often it is true write count(%s)", mesh_ex_text(checker, arg->ex));
    else if (arg->type.kind == MESH_GEN_ENUM)
        mesh_diag_fix(checker->diags, diag, "write %s(string(%s)) for the order of the names, or last(%s)", expr->name,
                      mesh_ex_text(checker, arg->ex), mesh_ex_text(checker, arg->ex));
    else
        mesh_diag_why(
            checker->diags, diag,
            "sum, avg, variance, quantile and ewma take numbers, min and max what has an order, top anything but doubles and decimals, "
            "collect numbers, texts and bools, first, last, minBy, maxBy and distinct any value");
    return mesh_ex_check_error(checker, expr);
}

/* ---- collecting ---- */

/* A row keeps more beside an aggregate: "avg_x_n", "last_x_set", "variance_x_m2". */
static bool is_beside(const char *cname, const char *of)
{
    static const char *const suffixes[] = {"_n", "_set", "_m2", "_w", "_at", "_by"};
    size_t n = strlen(of);
    for (size_t i = 0; strncmp(cname, of, n) == 0 && i < MESH_LEN(suffixes); i++)
        if (strcmp(cname + n, suffixes[i]) == 0)
            return true;
    return false;
}

static bool is_taken(const struct mesh_aggregates *all, const char *cname)
{
    for (size_t i = 0; i < all->list.n; i++) {
        const char *other = all->list.v[i].cname;
        if (strcmp(other, cname) == 0 || is_beside(cname, other) || is_beside(other, cname))
            return true;
    }
    return false;
}

static const char *cname_of(struct mesh_ex_checker *checker, const struct mesh_expr *expr, const struct mesh_ex_core *arg)
{
    const char *base = expr->name;
    if (arg != NULL && arg->op == MESH_CORE_REF)
        base = mesh_arena_printf(checker->arena, "%s_%s", expr->name, arg->member != NULL ? arg->member->name : arg->path);
    char *cname = mesh_arena_strdup(checker->arena, base);
    for (char *c = cname; *c != '\0'; c++) {
        if (*c == '.')
            *c = '_';
    }
    const char *unique = cname;
    for (int i = 2; is_taken(checker->aggregates, unique); i++)
        unique = mesh_arena_printf(checker->arena, "%s_%d", cname, i);
    return unique;
}

static bool same_expr(const struct mesh_expr *a, const struct mesh_expr *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return mesh_ex_core_same(a->core, b->core);
}

const struct mesh_aggregate *mesh_ex_aggregate(const struct mesh_ex_core *core)
{
    return &core->aggregates->list.v[core->aggregate];
}

/* The equal one that is there already, or a new one: its index. */
static size_t collect(struct mesh_ex_checker *checker, const struct mesh_expr *expr, struct mesh_aggregate found)
{
    struct mesh_aggregates *all = checker->aggregates;
    for (size_t i = 0; i < all->list.n; i++) {
        const struct mesh_aggregate *old = &all->list.v[i];
        if (old->fn != found.fn || old->source != found.source || !same_expr(old->arg, found.arg) ||
            !same_expr(old->cond, found.cond) || !same_expr(old->by, found.by))
            continue;
        if (old->q <= found.q && old->q >= found.q)
            return i;
        if (found.fn == MESH_AGG_COLLECT || found.fn == MESH_AGG_EWMA)
            continue; /* what is kept is another thing */
        found.shared = true;
        found.cname = old->cname;
    }
    if (!found.shared)
        found.cname = cname_of(checker, expr, found.arg == NULL ? NULL : found.arg->core);
    *mesh_vec_push_in(checker->arena, &all->list) = found;
    return all->list.n - 1;
}

/* Which source; false after a diagnostic. */
static bool find_source(struct mesh_ex_checker *checker, const struct mesh_expr *expr, uint32_t *ret)
{
    const struct mesh_scope_entry *first = NULL;
    size_t n = count_sources(checker->scope, &first);
    *ret = checker->has_source ? checker->source : n == 1 ? first->source : 0;
    if (checker->has_source || n <= 1)
        return true;
    bool is_count = strcmp(expr->name, "count") == 0;
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_ERROR, "ME009", expr->at, "%s() does not say which source it folds", expr->name);
    mesh_diag_why(checker->diags, diag, "the view reads several sources");
    if (is_count && expr->args.n > 0)
        mesh_diag_fix(checker->diags, diag, "write count(%s, %s)", first->name, mesh_ex_text(checker, expr->args.v[0]));
    else if (is_count)
        mesh_diag_fix(checker->diags, diag, "write count(%s)", first->name);
    else
        mesh_diag_fix(checker->diags, diag, "read a field of the source, as in %s(%s.name)", expr->name, first->name);
    return false;
}

static bool quantile_argument(struct mesh_ex_checker *checker, struct mesh_expr *arg, double *ret)
{
    if (arg->kind != MESH_EX_DOUBLE)
        return false;
    const struct mesh_ex_core *core = mesh_ex_check_node(checker, arg);
    *ret = core->k.d;
    return !mesh_ex_check_is_error(core) && *ret >= 0.0 && *ret <= 1.0;
}

/* ---- aggregates with a second argument ---- */

static bool whole_argument(struct mesh_ex_checker *checker, struct mesh_expr *arg, int64_t max, double *ret)
{
    if (arg->kind != MESH_EX_INT)
        return false;
    const struct mesh_ex_core *core = mesh_ex_check_node(checker, arg);
    *ret = (double)core->k.i;
    return !mesh_ex_check_is_error(core) && core->k.i >= 1 && core->k.i <= max;
}

static bool halflife_argument(struct mesh_ex_checker *checker, struct mesh_expr *arg, double *ret)
{
    const struct mesh_ex_core *core = mesh_ex_check_node(checker, arg);
    if (mesh_ex_check_is_error(core) || !mesh_ex_core_is_const(core) || core->type.kind != MESH_GEN_DURATION)
        return false;
    *ret = (double)core->k.i;
    return core->k.i > 0;
}

static const char *usage_of(enum mesh_aggregate_fn fn)
{
    static const char *const usages[MESH_AGG_FN_COUNT] = {
        [MESH_AGG_QUANTILE] = "quantile(amount, 0.95)",
        [MESH_AGG_TOP] = "top(product, 1), or top(product, 1, amount) by the sum of amounts",
        [MESH_AGG_COLLECT] = "collect(product, 10)",
        [MESH_AGG_EWMA] = "ewma(amount, duration(\"1h\"))",
        [MESH_AGG_MIN_BY] = "minBy(product, amount)",
        [MESH_AGG_MAX_BY] = "maxBy(product, amount)",
    };
    return usages[fn];
}

static bool has_second(enum mesh_aggregate_fn fn)
{
    return fn == MESH_AGG_QUANTILE || fn >= MESH_AGG_TOP;
}

/* What stands behind the value: *ret_q, or *ret_by; and the condition. False: reported. */
static bool second_arguments(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_aggregate *found)
{
    size_t n = expr->args.n;
    const char *usage = mesh_arena_printf(checker->arena, "for example %s", usage_of(found->fn));
    size_t most = found->fn == MESH_AGG_TOP ? 4 : 3;
    if (n < 2 || n > most) {
        wrong(checker, expr, expr->at,
              mesh_arena_printf(checker->arena, "%s() takes %s, and perhaps a condition", expr->name,
                                found->fn == MESH_AGG_QUANTILE  ? "a value and which quantile"
                                : found->fn == MESH_AGG_TOP     ? "a value, which rank, perhaps a weight"
                                : found->fn == MESH_AGG_COLLECT ? "a value and how many of them"
                                : found->fn == MESH_AGG_EWMA    ? "a value and a half-life"
                                                                : "a value and what decides"),
              usage);
        return false;
    }
    struct mesh_expr *second = expr->args.v[1];
    bool fine = true;
    const char *what = "";
    if (found->fn == MESH_AGG_QUANTILE) {
        fine = quantile_argument(checker, second, &found->q);
        what = "which quantile is a number from 0.0 to 1.0, written there";
    } else if (found->fn == MESH_AGG_TOP) {
        fine = whole_argument(checker, second, 100, &found->q);
        what = "which rank is a whole number from 1 to 100, written there";
    } else if (found->fn == MESH_AGG_COLLECT) {
        fine = whole_argument(checker, second, 1000, &found->q);
        what = "how many is a whole number from 1 to 1000, written there";
    } else if (found->fn == MESH_AGG_EWMA) {
        fine = halflife_argument(checker, second, &found->q);
        what = "a half-life is a duration, written there";
    } else {
        found->by = second;
    }
    if (!fine) {
        wrong(checker, expr, second->at, what, usage);
        return false;
    }
    size_t next = 2;
    if (found->fn == MESH_AGG_TOP && n > 2) {
        const struct mesh_ex_core *third = mesh_ex_check_node(checker, expr->args.v[2]);
        if (n == 4 || third->type.kind != MESH_GEN_BOOL)
            found->by = expr->args.v[next++];
    }
    if (found->fn == MESH_AGG_TOP && strcmp(expr->name, "topWeight") == 0)
        found->q = -found->q;
    found->cond = n > next ? expr->args.v[next] : NULL;
    return true;
}

/* What decides, or weighs. */
static bool check_by(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_aggregate *found)
{
    const struct mesh_ex_core *by = mesh_ex_check_node(checker, (struct mesh_expr *)(uintptr_t)found->by);
    if (mesh_ex_check_is_error(by))
        return false;
    found->by_type = by->type;
    found->by_type.nullable = false;
    bool fine =
        found->fn == MESH_AGG_TOP ? by->type.kind == MESH_GEN_INT || by->type.kind == MESH_GEN_DECIMAL : has_order(by->type.kind);
    if (!fine)
        wrong(checker, expr, found->by->at,
              found->fn == MESH_AGG_TOP ? "a weight is an int or a decimal, so that sums are exact"
                                        : "what decides must have an order",
              mesh_arena_printf(checker->arena, "for example %s", usage_of(found->fn)));
    return fine;
}

static struct mesh_gen_type weight_type(const struct mesh_aggregate *found)
{
    struct mesh_gen_type type = {.kind = MESH_GEN_INT, .nullable = true};
    if (found->by != NULL && found->by_type.kind == MESH_GEN_DECIMAL)
        type = (struct mesh_gen_type){
            .kind = MESH_GEN_DECIMAL, .precision = MESH_DEC_DIGITS_MAX, .scale = found->by_type.scale, .nullable = true};
    return type;
}

/* Takes the aggregate apart, inside the scope of a record. */
static struct mesh_ex_core *fold_records(struct mesh_ex_checker *checker, struct mesh_expr *expr, enum mesh_aggregate_fn fn)
{
    size_t n = expr->args.n;
    struct mesh_expr *arg = NULL;
    struct mesh_expr *cond = NULL;
    struct mesh_aggregate found = {.fn = fn, .at = expr->at};
    if (fn == MESH_AGG_COUNT) {
        const struct mesh_scope_entry *source = n > 0 ? source_argument(checker, expr->args.v[0]) : NULL;
        if (source != NULL) {
            checker->has_source = true;
            checker->source = source->source;
            checker->source_at = expr->args.v[0]->at;
            checker->source_name = source->name;
        }
        if (n > (source != NULL ? 2u : 1u))
            return wrong(checker, expr, expr->at, "count() takes a source, a condition, or both",
                         "write count(), count(condition), count(source) or count(source, condition)");
        cond = n > (source != NULL) ? expr->args.v[n - 1] : NULL;
    } else {
        if (has_second(fn) && !second_arguments(checker, expr, &found))
            return mesh_ex_check_error(checker, expr);
        if (!has_second(fn) && (n < 1 || n > 2))
            return wrong(checker, expr, expr->at,
                         mesh_arena_printf(checker->arena, "%s() takes a value, and perhaps a condition", expr->name),
                         mesh_arena_printf(checker->arena, "write %s(value) or %s(value, condition)", expr->name, expr->name));
        arg = expr->args.v[0];
        cond = has_second(fn) ? (struct mesh_expr *)(uintptr_t)found.cond : n > 1 ? expr->args.v[1] : NULL;
        if (fn == MESH_AGG_VARIANCE && strcmp(expr->name, "stddev") == 0)
            found.q = 1;
        const struct mesh_scope_entry *source = source_argument(checker, arg);
        if (source != NULL) {
            const char *name = source->shape != NULL && source->shape->members.n > 0 ? source->shape->members.v[0].name : "name";
            return wrong(checker, expr, arg->at,
                         mesh_arena_printf(checker->arena, "%s() takes a value, and '%s' is a source", expr->name, source->name),
                         mesh_arena_printf(checker->arena, "name a field: %s(%s.%s)", expr->name, source->name, name));
        }
    }
    const struct mesh_ex_fact *outer = checker->facts;
    struct mesh_ex_core *test = cond == NULL ? NULL : check_condition(checker, expr, cond);
    if (test != NULL && !mesh_ex_check_is_error(test))
        checker->facts = mesh_ex_facts_of(test, true, outer, checker->arena);
    struct mesh_ex_core *value = arg == NULL ? NULL : mesh_ex_check_node(checker, arg);
    bool by_fine = found.by == NULL || check_by(checker, expr, &found);
    checker->facts = outer;
    if (!by_fine)
        return mesh_ex_check_error(checker, expr);
    if ((test != NULL && mesh_ex_check_is_error(test)) || (value != NULL && mesh_ex_check_is_error(value)))
        return mesh_ex_check_error(checker, expr);
    found.arg = arg;
    found.cond = cond;
    if (!find_source(checker, expr, &found.source))
        return mesh_ex_check_error(checker, expr);
    if (value != NULL) {
        found.arg_type = value->type;
        found.arg_type.nullable = false;
    }
    found.type = result_of(fn, &found.arg_type);
    if (found.type.kind == MESH_GEN_ERROR)
        return wrong_value(checker, expr, value);
    if (fn == MESH_AGG_TOP && found.q < 0)
        found.type = weight_type(&found);
    struct mesh_ex_core *core = mesh_ex_core_new(checker, MESH_CORE_AGGREGATE, found.type, expr, NULL, NULL, NULL);
    core->aggregates = checker->aggregates;
    core->aggregate = collect(checker, expr, found);
    return core;
}

struct mesh_ex_core *mesh_ex_check_aggregate(struct mesh_ex_checker *checker, struct mesh_expr *expr, enum mesh_aggregate_fn fn)
{
    if (checker->aggregates == NULL || checker->aggregate != NULL)
        return refuse_place(checker, expr);
    struct mesh_ex_checker inner = *checker;
    inner.scope = checker->record_scope != NULL ? checker->record_scope : checker->scope;
    inner.facts = NULL;
    inner.aggregate = expr;
    inner.has_source = false;
    return fold_records(&inner, expr, fn);
}
