/* What others ask about a checked expression. */
#include "codegen/expr_internal.h"

#include <string.h>

struct mesh_srcref mesh_expr_at(const struct mesh_expr *expr)
{
    return expr->at;
}

struct mesh_gen_type mesh_expr_type(const struct mesh_expr *expr)
{
    return expr->core == NULL ? (struct mesh_gen_type){.kind = MESH_GEN_ERROR} : expr->core->type;
}

bool mesh_expr_constant(const struct mesh_expr *expr)
{
    return expr->core != NULL && expr->core->op == MESH_CORE_CONST;
}

bool mesh_expr_can_fault(const struct mesh_expr *expr)
{
    return expr->core != NULL && expr->core->can_fault;
}

struct mesh_gen_member *mesh_expr_member(const struct mesh_expr *expr)
{
    return expr->core != NULL && expr->core->op == MESH_CORE_REF ? expr->core->member : NULL;
}

void mesh_expr_narrows(const struct mesh_expr *expr, struct mesh_arena *arena, struct mesh_scope *into)
{
    if (expr->core == NULL)
        return;
    for (const struct mesh_ex_fact *fact = mesh_ex_facts_of(expr->core, true, NULL, arena); fact != NULL; fact = fact->next) {
        bool known = false;
        for (size_t i = 0; i < into->narrowed.n && !known; i++)
            known = strcmp(into->narrowed.v[i], fact->path) == 0;
        if (!known)
            *mesh_vec_push_in(arena, &into->narrowed) = fact->path;
    }
}

/* ---- labels ---- */

struct labels {
    enum mesh_label label;
    const char *subject;
    void (*each)(void *context, const struct mesh_gen_member *member);
    void *context;
};

static int rank(enum mesh_label label)
{
    static const int ranks[MESH_LABEL_COUNT] = {
        [MESH_PUBLIC] = 0, [MESH_INTERNAL] = 1, [MESH_PSEUDONYMOUS] = 2, [MESH_PERSONAL] = 3, [MESH_SPECIAL] = 4,
    };
    return (unsigned)label < MESH_LABEL_COUNT ? ranks[label] : 0;
}

static void join(struct labels *labels, const struct mesh_gen_member *member)
{
    if (rank(member->label) > rank(labels->label)) {
        labels->label = member->label;
        if (member->subject != NULL)
            labels->subject = member->subject;
    } else if (labels->subject == NULL && member->label == labels->label) {
        labels->subject = member->subject;
    }
    if (labels->each != NULL)
        labels->each(labels->context, member);
}

static void walk(struct labels *labels, const struct mesh_ex_core *core)
{
    if (core == NULL)
        return;
    if (core->op == MESH_CORE_REF && core->member != NULL)
        join(labels, core->member);
    if (core->op == MESH_CORE_AGGREGATE) {
        const struct mesh_aggregate *aggregate = mesh_ex_aggregate(core);
        walk(labels, aggregate->arg == NULL ? NULL : aggregate->arg->core);
        walk(labels, aggregate->by == NULL ? NULL : aggregate->by->core);
        walk(labels, aggregate->cond == NULL ? NULL : aggregate->cond->core);
        return;
    }
    walk(labels, core->a);
    walk(labels, core->b);
    walk(labels, core->c);
}

enum mesh_label mesh_expr_label(const struct mesh_expr *expr, const char **ret_subject,
                                void (*each)(void *context, const struct mesh_gen_member *member), void *context)
{
    struct labels labels = {MESH_PUBLIC, NULL, each, context};
    walk(&labels, expr->core);
    if (ret_subject != NULL)
        *ret_subject = labels.subject;
    return labels.label;
}
