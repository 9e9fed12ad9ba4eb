/* What an expression is for one set of values, now: for what the compiler judges itself (codegen/policy.h). Single operations are those
 * of folding, so that they are those of the generated code. */
#include "codegen/expr_internal.h"

struct evaluation {
    mesh_expr_lookup *lookup;
    void *context;
    enum mesh_fault fault;
};

static struct mesh_ex_const evaluate(struct evaluation *e, const struct mesh_ex_core *core);

static struct mesh_ex_const of_name(struct evaluation *e, const struct mesh_ex_core *core)
{
    struct mesh_expr_value value = {0};
    bool there = e->lookup(e->context, core->path, &value);
    return (struct mesh_ex_const){.null = !there, .b = value.b, .i = value.i, .d = value.d, .dec = value.dec, .s = value.s};
}

static struct mesh_ex_const truth(bool b)
{
    return (struct mesh_ex_const){.b = b};
}

/* One that computes: its operands become constants. */
static struct mesh_ex_const of_operation(struct evaluation *e, const struct mesh_ex_core *core)
{
    struct mesh_ex_core a = {.op = MESH_CORE_CONST, .type = core->a->type};
    struct mesh_ex_core b = {.op = MESH_CORE_CONST};
    struct mesh_ex_core operation = *core;
    struct mesh_ex_const k = {0};
    a.k = evaluate(e, core->a);
    operation.a = &a;
    if (core->b != NULL) {
        b.type = core->b->type;
        b.k = evaluate(e, core->b);
        operation.b = &b;
    }
    if (e->fault != MESH_FAULT_NONE)
        return k;
    if (core->op == MESH_CORE_RATIO) {
        bool there = false;
        k.d = mesh_ratio(a.k.d, b.k.d, &there);
        k.null = !there;
    } else if (!mesh_ex_fold_value(&operation, &e->fault, &k)) {
        mesh_fail(&e->fault, MESH_FAULT_RANGE); /* an infinity, or 39 digits */
    }
    return k;
}

static struct mesh_ex_const evaluate(struct evaluation *e, const struct mesh_ex_core *core)
{
    switch ((unsigned)core->op) {
    case MESH_CORE_CONST:
        return core->k;
    case MESH_CORE_REF:
        return of_name(e, core);
    case MESH_CORE_PRESENT:
        return truth(!evaluate(e, core->a).null);
    case MESH_CORE_AND:
        return truth(evaluate(e, core->a).b && evaluate(e, core->b).b);
    case MESH_CORE_OR:
        return truth(evaluate(e, core->a).b || evaluate(e, core->b).b);
    case MESH_CORE_COND:
        return evaluate(e, evaluate(e, core->a).b ? core->b : core->c);
    default:
        return of_operation(e, core);
    }
}

enum mesh_fault mesh_expr_evaluate(const struct mesh_expr *expr, mesh_expr_lookup *lookup, void *context,
                                   struct mesh_expr_value *ret, bool *ret_there)
{
    struct evaluation e = {lookup, context, MESH_FAULT_NONE};
    struct mesh_ex_const k = evaluate(&e, expr->core);
    *ret = (struct mesh_expr_value){.b = k.b, .i = k.i, .d = k.d, .dec = k.dec, .s = k.s};
    *ret_there = !k.null;
    return e.fault;
}
