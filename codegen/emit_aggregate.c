/* Aggregates: what a row keeps for one, how a record goes into it, how two rows become one, and what is shown of it. */
#include "codegen/emit_view.h"

#include <string.h>

const char *mesh_view_text_of(struct mesh_emitter *e, const struct mesh_expr *expr, bool present)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (present)
        mesh_expr_emit_present(expr, &text);
    else
        mesh_expr_emit(expr, &text);
    return mesh_arena_strdup(e->arena, text.p);
}

bool mesh_view_is_text(const struct mesh_gen_type *type)
{
    return type->kind == MESH_GEN_STRING || type->kind == MESH_GEN_BYTES;
}

static bool keeps_sketch(const struct mesh_aggregate *a)
{
    return a->fn == MESH_AGG_DISTINCT || a->fn == MESH_AGG_QUANTILE;
}

static bool keeps_one(const struct mesh_aggregate *a)
{
    return a->fn == MESH_AGG_MIN || a->fn == MESH_AGG_MAX || a->fn == MESH_AGG_FIRST || a->fn == MESH_AGG_LAST;
}

static const char *sum_type(const struct mesh_aggregate *a)
{
    return a->arg_type.kind == MESH_GEN_DOUBLE ? "double" : "mesh_dec";
}

void mesh_aggregate_members(struct mesh_buf *out, const struct mesh_aggregate *a)
{
    if (keeps_sketch(a)) {
        mesh_emit_line(out, 1, "struct mesh_str %s; /* sketch */", a->cname);
    } else if (a->fn == MESH_AGG_COUNT) {
        mesh_emit_line(out, 1, "int64_t %s;", a->cname);
    } else if (a->fn == MESH_AGG_VARIANCE) {
        mesh_emit_line(out, 1, "double %s; /* mean */", a->cname);
        mesh_emit_line(out, 1, "double %s_m2;", a->cname);
        mesh_emit_line(out, 1, "int64_t %s_n;", a->cname);
    } else if (keeps_one(a)) {
        mesh_emit_line(out, 1, "%s%s;", mesh_emit_c_type(&a->arg_type), a->cname);
        mesh_emit_line(out, 1, "bool %s_set;", a->cname);
    } else {
        mesh_emit_line(out, 1, "%s %s;", sum_type(a), a->cname);
        if (a->fn == MESH_AGG_AVG)
            mesh_emit_line(out, 1, "int64_t %s_n;", a->cname);
    }
}

static void fold_sketch(struct mesh_buf *out, const struct mesh_aggregate *a, int level)
{
    enum mesh_gen_kind kind = a->arg_type.kind;
    const char *c = a->cname;
    if (a->fn == MESH_AGG_DISTINCT)
        mesh_emit_line(out, level, "mesh_distinct_add(&row->%s, mesh_hash_of_%s(of_%s));", c,
                       kind == MESH_GEN_DOUBLE           ? "double"
                       : kind == MESH_GEN_DECIMAL        ? "dec"
                       : mesh_view_is_text(&a->arg_type) ? "str"
                                                         : "long",
                       c);
    else if (kind == MESH_GEN_DECIMAL)
        mesh_emit_line(out, level, "mesh_quantile_add(&row->%s, mesh_dec_double(of_%s, %d));", c, c, a->arg_type.scale);
    else
        mesh_emit_line(out, level, "mesh_quantile_add(&row->%s, (double)of_%s);", c, c);
}

void mesh_aggregate_fold(struct view_emit *v, const struct mesh_aggregate *a, int level)
{
    struct mesh_buf *out = v->code;
    struct mesh_gen_type arg = a->arg == NULL ? (struct mesh_gen_type){0} : mesh_expr_type(a->arg);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf guard = MESH_BUF_NULL;
    if (a->cond != NULL)
        mesh_buf_printf(&guard, "if_%s", a->cname);
    if (a->arg != NULL && arg.nullable)
        mesh_buf_printf(&guard, "%s%s", guard.n > 0 ? " && " : "", mesh_view_text_of(v->e, a->arg, true));
    const char *c = a->cname;
    const char *better = a->fn == MESH_AGG_MIN ? "<" : ">";
    if (a->fn == MESH_AGG_MIN || a->fn == MESH_AGG_MAX) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf test = MESH_BUF_NULL;
        if (mesh_view_is_text(&a->arg_type))
            mesh_buf_printf(&test, "!row->%s_set || mesh_str_cmp(of_%s, row->%s) %s 0", c, c, c, better);
        else
            mesh_buf_printf(&test, "!row->%s_set || of_%s %s row->%s", c, c, better, c);
        if (guard.n > 0)
            mesh_emit_line(out, level, "if ((%s) && (%s)) {", guard.p, test.p);
        else
            mesh_emit_line(out, level, "if (%s) {", test.p);
    } else if (a->fn == MESH_AGG_FIRST) {
        mesh_emit_line(out, level, guard.n > 0 ? "if (!row->%s_set && (%s)) {" : "if (!row->%s_set%s) {", c,
                       guard.n > 0 ? guard.p : "");
    } else if (guard.n > 0) {
        mesh_emit_line(out, level, "if (%s) {", guard.p);
    }
    bool braces = guard.n > 0 || a->fn == MESH_AGG_MIN || a->fn == MESH_AGG_MAX || a->fn == MESH_AGG_FIRST;
    int in = braces ? level + 1 : level;
    switch (a->fn) {
    case MESH_AGG_COUNT:
        mesh_emit_line(out, in, "row->%s++;", c);
        break;
    case MESH_AGG_SUM:
    case MESH_AGG_AVG:
        mesh_emit_line(out, in, "row->%s += of_%s;", c, c);
        if (a->fn == MESH_AGG_AVG)
            mesh_emit_line(out, in, "row->%s_n++;", c);
        break;
    case MESH_AGG_VARIANCE: /* Welford 1962 */
        mesh_emit_line(out, in, "row->%s_n++;", c);
        if (a->arg_type.kind == MESH_GEN_DECIMAL)
            mesh_emit_line(out, in, "const double x_%s = mesh_dec_double(of_%s, %d);", c, c, a->arg_type.scale);
        else
            mesh_emit_line(out, in, "const double x_%s = (double)of_%s;", c, c);
        mesh_emit_line(out, in, "const double d_%s = x_%s - row->%s;", c, c, c);
        mesh_emit_line(out, in, "row->%s += d_%s / (double)row->%s_n;", c, c, c);
        mesh_emit_line(out, in, "row->%s_m2 += d_%s * (x_%s - row->%s);", c, c, c, c);
        break;
    case MESH_AGG_MIN:
    case MESH_AGG_MAX:
    case MESH_AGG_FIRST:
    case MESH_AGG_LAST:
        if (mesh_view_is_text(&a->arg_type))
            mesh_emit_line(out, in, "mesh_row_set_str(&row->%s, of_%s);", c, c);
        else
            mesh_emit_line(out, in, "row->%s = of_%s;", c, c);
        mesh_emit_line(out, in, "row->%s_set = true;", c);
        break;
    case MESH_AGG_DISTINCT:
    case MESH_AGG_QUANTILE:
        fold_sketch(out, a, in);
        break;
    case MESH_AGG_FN_COUNT:
        break;
    }
    if (braces)
        mesh_emit_line(out, level, "}");
}

/* What `b` holds goes into `a`; where it makes a difference `b` lies behind `a`. */
void mesh_aggregate_merge(struct view_emit *v, const struct mesh_aggregate *a)
{
    struct mesh_buf *out = v->code;
    const char *c = a->cname;
    const char *better = a->fn == MESH_AGG_MIN ? "<" : ">";
    bool text = mesh_view_is_text(&a->arg_type);
    switch (a->fn) {
    case MESH_AGG_COUNT:
    case MESH_AGG_SUM:
    case MESH_AGG_AVG:
        mesh_emit_line(out, 1, "a->%s += b->%s;", c, c);
        if (a->fn == MESH_AGG_AVG)
            mesh_emit_line(out, 1, "a->%s_n += b->%s_n;", c, c);
        return;
    case MESH_AGG_VARIANCE: /* Chan, Golub, LeVeque 1979 */
        mesh_emit_line(out, 1, "if (b->%s_n > 0) {", c);
        mesh_emit_line(out, 2, "const double n = (double)a->%s_n + (double)b->%s_n;", c, c);
        mesh_emit_line(out, 2, "const double d = b->%s - a->%s;", c, c);
        mesh_emit_line(out, 2, "a->%s_m2 += b->%s_m2 + d * d * ((double)a->%s_n / n * (double)b->%s_n);", c, c, c, c);
        mesh_emit_line(out, 2, "a->%s += d * ((double)b->%s_n / n);", c, c);
        mesh_emit_line(out, 2, "a->%s_n += b->%s_n;", c, c);
        mesh_emit_line(out, 1, "}");
        return;
    case MESH_AGG_MIN:
    case MESH_AGG_MAX:
        if (text)
            mesh_emit_line(out, 1, "if (b->%s_set && (!a->%s_set || mesh_str_cmp(b->%s, a->%s) %s 0)) {", c, c, c, c, better);
        else
            mesh_emit_line(out, 1, "if (b->%s_set && (!a->%s_set || b->%s %s a->%s)) {", c, c, c, better, c);
        break;
    case MESH_AGG_FIRST:
        mesh_emit_line(out, 1, "if (b->%s_set && !a->%s_set) {", c, c);
        break;
    case MESH_AGG_LAST:
        mesh_emit_line(out, 1, "if (b->%s_set) {", c);
        break;
    case MESH_AGG_DISTINCT:
    case MESH_AGG_QUANTILE:
        mesh_emit_line(out, 1, "mesh_%s_merge(&a->%s, b->%s);", mesh_expr_aggregate_name(a->fn), c, c);
        return;
    case MESH_AGG_FN_COUNT:
        return;
    }
    mesh_emit_line(out, 2, text ? "mesh_row_set_str(&a->%s, b->%s);" : "a->%s = b->%s;", c, c);
    mesh_emit_line(out, 2, "a->%s_set = true;", c);
    mesh_emit_line(out, 1, "}");
}

void mesh_aggregate_value(void *context, const struct mesh_aggregate *a, struct mesh_buf *out)
{
    (void)context;
    const char *c = a->cname;
    if (a->fn == MESH_AGG_AVG) {
        mesh_buf_printf(out, "(row->%s_n == 0 ? 0.0 : ", c);
        if (a->arg_type.kind == MESH_GEN_DECIMAL)
            mesh_buf_printf(out, "mesh_dec_double(row->%s, %d)", c, a->arg_type.scale);
        else if (a->arg_type.kind == MESH_GEN_INT)
            mesh_buf_printf(out, "mesh_dec_double(row->%s, 0)", c);
        else
            mesh_buf_printf(out, "row->%s", c);
        mesh_buf_printf(out, " / (double)row->%s_n)", c);
    } else if (a->fn == MESH_AGG_VARIANCE) {
        mesh_buf_printf(out, "(row->%s_n == 0 ? 0.0 : row->%s_m2 / (double)row->%s_n)", c, c, c);
    } else if (a->fn == MESH_AGG_SUM && a->arg_type.kind == MESH_GEN_INT) {
        mesh_buf_printf(out, "mesh_dec_clamp(row->%s)", c);
    } else if (a->fn == MESH_AGG_DISTINCT) {
        mesh_buf_printf(out, "mesh_distinct_count(row->%s)", c);
    } else if (a->fn == MESH_AGG_QUANTILE) {
        mesh_buf_printf(out, "mesh_quantile_of(row->%s, %.17g, %s)", c, a->q, a->arg_type.kind == MESH_GEN_INT ? "true" : "false");
    } else {
        mesh_buf_printf(out, "row->%s", c);
    }
}

void mesh_aggregate_present(void *context, const struct mesh_aggregate *a, struct mesh_buf *out)
{
    (void)context;
    if (a->fn == MESH_AGG_AVG || a->fn == MESH_AGG_VARIANCE)
        mesh_buf_printf(out, "(row->%s_n > 0)", a->cname);
    else if (a->fn == MESH_AGG_QUANTILE)
        mesh_buf_printf(out, "(row->%s.n > 0)", a->cname);
    else if (keeps_one(a))
        mesh_buf_printf(out, "row->%s_set", a->cname);
    else
        mesh_buf_puts(out, "true");
}
