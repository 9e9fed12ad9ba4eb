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
    return a->fn == MESH_AGG_DISTINCT || a->fn == MESH_AGG_QUANTILE || a->fn == MESH_AGG_TOP;
}

static bool keeps_one(const struct mesh_aggregate *a)
{
    return a->fn == MESH_AGG_MIN || a->fn == MESH_AGG_MAX || a->fn == MESH_AGG_FIRST || a->fn == MESH_AGG_LAST;
}

static bool keeps_with(const struct mesh_aggregate *a)
{
    return a->fn == MESH_AGG_MIN_BY || a->fn == MESH_AGG_MAX_BY;
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
    } else if (a->fn == MESH_AGG_COLLECT) {
        mesh_emit_line(out, 1, "struct mesh_str %s; /* a JSON array */", a->cname);
        mesh_emit_line(out, 1, "int64_t %s_n;", a->cname);
    } else if (a->fn == MESH_AGG_EWMA) {
        mesh_emit_line(out, 1, "double %s;", a->cname);
        mesh_emit_line(out, 1, "double %s_w;", a->cname);
        mesh_emit_line(out, 1, "int64_t %s_at;", a->cname);
    } else if (keeps_one(a) || keeps_with(a)) {
        mesh_emit_line(out, 1, "%s%s;", mesh_emit_c_type(&a->arg_type), a->cname);
        mesh_emit_line(out, 1, "bool %s_set;", a->cname);
        if (keeps_with(a))
            mesh_emit_line(out, 1, "%s%s_by;", mesh_emit_c_type(&a->by_type), a->cname);
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

static void fold_top(struct mesh_buf *out, const struct mesh_aggregate *a, int level)
{
    const char *c = a->cname;
    mesh_buf_printf(out, "%*smesh_top_add%s(&row->%s, of_%s, ", 4 * level, "", mesh_view_is_text(&a->arg_type) ? "" : "_long", c,
                    c);
    mesh_buf_printf(out, a->by == NULL ? "1);\n" : "by_%s);\n", c);
}

static void fold_collect(struct mesh_buf *out, const struct mesh_aggregate *a, int level)
{
    const char *c = a->cname;
    enum mesh_gen_kind kind = a->arg_type.kind;
    const char *of = mesh_view_is_text(&a->arg_type) ? "str"
                     : kind == MESH_GEN_DOUBLE       ? "double"
                     : kind == MESH_GEN_BOOL         ? "bool"
                     : kind == MESH_GEN_DECIMAL      ? "dec"
                                                     : "long";
    if (kind == MESH_GEN_DECIMAL)
        mesh_emit_line(out, level, "mesh_collect_dec(&row->%s, &row->%s_n, %d, of_%s, %d);", c, c, (int)a->q, c, a->arg_type.scale);
    else
        mesh_emit_line(out, level, "mesh_collect_%s(&row->%s, &row->%s_n, %d, of_%s);", of, c, c, (int)a->q, c);
}

static void fold_ewma(struct mesh_buf *out, const struct mesh_aggregate *a, int level)
{
    const char *c = a->cname;
    mesh_buf_printf(out, "%*smesh_ewma_add(&row->%s, &row->%s_w, &row->%s_at, ", 4 * level, "", c, c, c);
    if (a->arg_type.kind == MESH_GEN_DECIMAL)
        mesh_buf_printf(out, "mesh_dec_double(of_%s, %d)", c, a->arg_type.scale);
    else
        mesh_buf_printf(out, "(double)of_%s", c);
    mesh_buf_printf(out, ", 1.0, event->time_us, %.17g);\n", a->q);
}

/* "a->x = b->x" where texts are owned */
static void take(struct mesh_buf *out, int level, const struct mesh_gen_type *type, const char *to, const char *from)
{
    mesh_emit_line(out, level, mesh_view_is_text(type) ? "mesh_row_set_str(&%s, %s);" : "%s = %s;", to, from);
}

static const char *comes_before(struct view_emit *v, const struct mesh_aggregate *a, const char *left, const char *right)
{
    const char *better = a->fn == MESH_AGG_MIN_BY ? "<" : ">";
    if (mesh_view_is_text(&a->by_type))
        return mesh_arena_printf(v->e->arena, "mesh_str_cmp(%s, %s) %s 0", left, right, better);
    return mesh_arena_printf(v->e->arena, "%s %s %s", left, better, right);
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
    if (a->by != NULL && mesh_expr_type(a->by).nullable)
        mesh_buf_printf(&guard, "%s%s", guard.n > 0 ? " && " : "", mesh_view_text_of(v->e, a->by, true));
    const char *c = a->cname;
    const char *row = mesh_arena_printf(v->e->arena, "row->%s", c);
    const char *row_by = mesh_arena_printf(v->e->arena, "row->%s_by", c);
    const char *by = mesh_arena_printf(v->e->arena, "by_%s", c);
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
    } else if (keeps_with(a)) {
        mesh_emit_line(out, level, guard.n > 0 ? "if ((%s) && (!row->%s_set || %s)) {" : "if (%s!row->%s_set || %s) {",
                       guard.n > 0 ? guard.p : "", c, comes_before(v, a, by, row_by));
    } else if (guard.n > 0) {
        mesh_emit_line(out, level, "if (%s) {", guard.p);
    }
    bool braces = guard.n > 0 || keeps_with(a) || a->fn == MESH_AGG_MIN || a->fn == MESH_AGG_MAX || a->fn == MESH_AGG_FIRST;
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
    case MESH_AGG_TOP:
        fold_top(out, a, in);
        break;
    case MESH_AGG_COLLECT:
        fold_collect(out, a, in);
        break;
    case MESH_AGG_EWMA:
        fold_ewma(out, a, in);
        break;
    case MESH_AGG_MIN_BY:
    case MESH_AGG_MAX_BY:
        take(out, in, &a->arg_type, row, mesh_arena_printf(v->e->arena, "of_%s", c));
        take(out, in, &a->by_type, row_by, by);
        mesh_emit_line(out, in, "row->%s_set = true;", c);
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
    case MESH_AGG_TOP:
        mesh_emit_line(out, 1, "mesh_%s_merge(&a->%s, b->%s);", mesh_expr_aggregate_name(a->fn), c, c);
        return;
    case MESH_AGG_COLLECT:
        mesh_emit_line(out, 1, "mesh_collect_merge(&a->%s, &a->%s_n, %d, b->%s);", c, c, (int)a->q, c);
        return;
    case MESH_AGG_EWMA:
        mesh_emit_line(out, 1, "if (b->%s_w > 0)", c);
        mesh_emit_line(out, 2, "mesh_ewma_add(&a->%s, &a->%s_w, &a->%s_at, b->%s, b->%s_w, b->%s_at, %.17g);", c, c, c, c, c, c,
                       a->q);
        return;
    case MESH_AGG_MIN_BY:
    case MESH_AGG_MAX_BY: {
        const char *mine = mesh_arena_printf(v->e->arena, "a->%s_by", c);
        const char *other = mesh_arena_printf(v->e->arena, "b->%s_by", c);
        mesh_emit_line(out, 1, "if (b->%s_set && (!a->%s_set || %s)) {", c, c, comes_before(v, a, other, mine));
        take(out, 2, &a->by_type, mine, other);
        break;
    }
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
        mesh_buf_printf(out,
                        a->q > 0 ? "(row->%s_n == 0 ? 0.0 : sqrt(row->%s_m2 / (double)row->%s_n))"
                                 : "(row->%s_n == 0 ? 0.0 : row->%s_m2 / (double)row->%s_n)",
                        c, c, c);
    } else if (a->fn == MESH_AGG_EWMA) {
        mesh_buf_printf(out, "(row->%s_w > 0 ? row->%s / row->%s_w : 0.0)", c, c, c);
    } else if (a->fn == MESH_AGG_TOP && a->q < 0) {
        bool whole = a->by == NULL || a->by_type.kind == MESH_GEN_INT;
        mesh_buf_printf(out, whole ? "mesh_dec_clamp(mesh_top_weight(row->%s, %d))" : "mesh_top_weight(row->%s, %d)", c,
                        -(int)a->q);
    } else if (a->fn == MESH_AGG_TOP) {
        const char *cast = a->arg_type.kind == MESH_GEN_ENUM ? "(int32_t)" : a->arg_type.kind == MESH_GEN_BOOL ? "(bool)" : "";
        mesh_buf_printf(out, "%smesh_top_%s(row->%s, %d)", cast, mesh_view_is_text(&a->arg_type) ? "str" : "long", c, (int)a->q);
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
    else if (a->fn == MESH_AGG_QUANTILE || a->fn == MESH_AGG_COLLECT)
        mesh_buf_printf(out, "(row->%s.n > 0)", a->cname);
    else if (a->fn == MESH_AGG_EWMA)
        mesh_buf_printf(out, "(row->%s_w > 0)", a->cname);
    else if (a->fn == MESH_AGG_TOP)
        mesh_buf_printf(out, "mesh_top_has(row->%s, %d)", a->cname, a->q < 0 ? -(int)a->q : (int)a->q);
    else if (keeps_one(a) || keeps_with(a))
        mesh_buf_printf(out, "row->%s_set", a->cname);
    else
        mesh_buf_puts(out, "true");
}
