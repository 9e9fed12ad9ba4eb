/* Shapes are never changed once an expression was checked against them: expressions hold pointers to members. What alters a record
 * makes a new shape. */
#include "codegen/check.h"

#include <string.h>

struct mesh_gen_shape *mesh_shape_new(struct mesh_checker *c, const char *cname)
{
    struct mesh_gen_shape *shape = mesh_arena_new(c->arena, struct mesh_gen_shape);
    shape->cname = cname;
    return shape;
}

struct mesh_gen_shape *mesh_shape_copy(struct mesh_checker *c, const struct mesh_gen_shape *from, const char *cname, bool nullable)
{
    struct mesh_gen_shape *shape = mesh_shape_new(c, cname);
    for (size_t i = 0; i < from->members.n; i++) {
        struct mesh_gen_member *member = mesh_vec_push_in(c->arena, &shape->members);
        *member = from->members.v[i];
        member->used = false;
        member->type.nullable = member->type.nullable || nullable;
    }
    return shape;
}

void mesh_shape_put(struct mesh_checker *c, struct mesh_gen_shape *shape, struct mesh_gen_member member)
{
    struct mesh_gen_member *there = mesh_gen_shape_member(shape, member.name);
    if (there == NULL)
        there = mesh_vec_push_in(c->arena, &shape->members);
    *there = member;
}

enum mesh_label mesh_label_join(enum mesh_label a, enum mesh_label b)
{
    static const int rank[MESH_LABEL_COUNT] = {
        [MESH_PUBLIC] = 0, [MESH_INTERNAL] = 1, [MESH_PSEUDONYMOUS] = 2, [MESH_PERSONAL] = 3, [MESH_SPECIAL] = 4};
    return rank[a] >= rank[b] ? a : b;
}

struct hops {
    struct mesh_checker *c;
    const char *to;
};

static void add_hop(void *context, const struct mesh_gen_member *member)
{
    const struct hops *hops = context;
    if (member->origin != NULL && strcmp(member->origin, hops->to) != 0)
        *mesh_vec_push_in(hops->c->arena, &hops->c->edges) = (struct mesh_check_edge){hops->to, member};
}

struct mesh_gen_member mesh_shape_assigned(struct mesh_checker *c, const struct mesh_model_assign *assign, const char *origin)
{
    struct mesh_gen_member member = {
        .name = assign->name,
        .cname = mesh_names_c(c->arena, assign->name),
        .type = assign->type,
        .label = MESH_PUBLIC,
        .at = assign->at,
        .origin = mesh_arena_printf(c->arena, "%s.%s", origin, assign->name),
    };
    struct hops hops = {c, member.origin};
    if (assign->expr != NULL && assign->type.kind != MESH_GEN_ERROR)
        member.label = mesh_expr_label(assign->expr, &member.subject, add_hop, &hops);
    const struct mesh_gen_member *same =
        assign->expr == NULL || assign->type.kind == MESH_GEN_ERROR ? NULL : mesh_expr_member(assign->expr);
    if (same != NULL)
        member.doc = same->doc;
    return member;
}

bool mesh_shape_same(const struct mesh_gen_shape *a, const struct mesh_gen_shape *b, const char **ret_differs)
{
    for (size_t i = 0; i < a->members.n; i++) {
        const struct mesh_gen_member *other = mesh_gen_shape_member(b, a->members.v[i].name);
        if (other != NULL && (mesh_gen_type_eq(&a->members.v[i].type, &other->type) || other->type.kind == MESH_GEN_ERROR ||
                              a->members.v[i].type.kind == MESH_GEN_ERROR))
            continue;
        *ret_differs = a->members.v[i].name;
        return false;
    }
    for (size_t i = 0; i < b->members.n; i++) {
        if (mesh_gen_shape_member(a, b->members.v[i].name) != NULL)
            continue;
        *ret_differs = b->members.v[i].name;
        return false;
    }
    return true;
}

bool mesh_type_can_be_key(const struct mesh_gen_type *type)
{
    return type->kind != MESH_GEN_DOUBLE && type->kind != MESH_GEN_LIST && type->kind != MESH_GEN_RECORD &&
           type->kind != MESH_GEN_NULL;
}

const char *mesh_type_text(struct mesh_checker *c, const struct mesh_gen_type *type)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_gen_type_describe(type, &text);
    return mesh_arena_strdup(c->arena, text.p == NULL ? "" : text.p);
}

const char *mesh_shape_near(struct mesh_checker *c, const struct mesh_gen_shape *shape, const char *name)
{
    const char **names = mesh_arena_alloc(c->arena, (shape->members.n + 1) * sizeof *names);
    for (size_t i = 0; i < shape->members.n; i++)
        names[i] = shape->members.v[i].name;
    return mesh_did_you_mean(name, names, shape->members.n);
}

const char *mesh_type_a(struct mesh_checker *c, const struct mesh_gen_type *type)
{
    const char *text = mesh_type_text(c, type);
    return mesh_arena_printf(c->arena, "%s %s", strchr("aeiou", text[0]) != NULL ? "an" : "a", text);
}

/* ---- scopes ---- */

static struct mesh_gen_shape *meta_shape(struct mesh_checker *c)
{
    static const struct {
        const char *name, *cname;
        enum mesh_gen_kind kind;
    } members[] = {
        {"time", "event->time_us", MESH_GEN_TIMESTAMP},
        {"topic", "mesh_str_of(event->topic)", MESH_GEN_STRING},
        {"partition", "event->partition", MESH_GEN_INT},
        {"offset", "event->offset", MESH_GEN_INT},
    };
    struct mesh_gen_shape *shape = mesh_shape_new(c, "meta");
    for (size_t i = 0; i < MESH_LEN(members); i++)
        mesh_shape_put(c, shape,
                       (struct mesh_gen_member){.name = members[i].name,
                                                .cname = members[i].cname,
                                                .type = {.kind = members[i].kind},
                                                .label = MESH_INTERNAL,
                                                .origin = mesh_arena_printf(c->arena, "meta.%s", members[i].name)});
    return shape;
}

void mesh_scope_base(struct mesh_checker *c, struct mesh_scope *scope)
{
    if (c->meta == NULL)
        c->meta = meta_shape(c);
    *scope = (struct mesh_scope){0};
    mesh_scope_namespace(c, scope, "meta", c->meta, "", (struct mesh_srcref){0});
}

void mesh_scope_namespace(struct mesh_checker *c, struct mesh_scope *scope, const char *name, const struct mesh_gen_shape *shape,
                          const char *c_prefix, struct mesh_srcref at)
{
    *mesh_vec_push_in(c->arena, &scope->entries) =
        (struct mesh_scope_entry){.name = name, .is_namespace = true, .shape = shape, .c_prefix = c_prefix, .at = at};
}

void mesh_scope_narrow(struct mesh_checker *c, struct mesh_scope *scope, const char *prefix, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *mesh_vec_push_in(c->arena, &scope->narrowed) =
            prefix == NULL ? names[i] : mesh_arena_printf(c->arena, "%s.%s", prefix, names[i]);
}

/* ---- expressions ---- */

struct mesh_gen_type mesh_check_expr(struct mesh_checker *c, struct mesh_expr *expr, const struct mesh_scope *scope,
                                     enum mesh_gen_kind want, const char *place)
{
    struct mesh_gen_type type = {.kind = want};
    if (expr == NULL)
        return (struct mesh_gen_type){.kind = MESH_GEN_ERROR};
    return mesh_expr_check(expr, c->arena, c->diags, scope, NULL, want == MESH_GEN_ERROR ? NULL : &type, place, NULL);
}

bool mesh_check_keys(struct mesh_checker *c, struct mesh_expr *const *by, size_t n, const struct mesh_scope *scope,
                     const char *place)
{
    bool ok = n > 0;
    for (size_t i = 0; i < n; i++) {
        struct mesh_gen_type type = mesh_check_expr(c, by[i], scope, MESH_GEN_ERROR, place);
        struct mesh_srcref at = mesh_expr_at(by[i]);
        if (type.kind == MESH_GEN_ERROR) {
            ok = false;
            continue;
        }
        const struct mesh_gen_member *member = mesh_expr_member(by[i]);
        if (member == NULL || scope->shape == NULL || mesh_gen_shape_member(scope->shape, member->name) != member) {
            struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG017", at, "%s must name a field of the record", place);
            mesh_diag_why(c->diags, diag, "the key decides which task sees the record, so it must be in the record");
            mesh_diag_fix(c->diags, diag, "compute it with 'set' in a step before, and name it here");
            ok = false;
        } else if (!mesh_type_can_be_key(&type)) {
            struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG019", at, "'%s' cannot be a key: it is %s",
                                                   member->name, mesh_type_a(c, &type));
            mesh_diag_why(c->diags, diag, "keys are compared for equality");
            mesh_diag_fix(c->diags, diag, "use a string, a whole number, a decimal, a time or an enum");
            ok = false;
        } else if (type.nullable) {
            struct mesh_diag *diag =
                mesh_diag_add(c->diags, MESH_ERROR, "MG019", at, "'%s' may be null and is part of a key", member->name);
            mesh_diag_why(c->diags, diag, "records without a key belong to nobody");
            mesh_diag_fix(c->diags, diag, "put '- where: has(%s)' in front of this step", member->name);
            ok = false;
        }
    }
    return ok;
}

void mesh_check_assigns(struct mesh_checker *c, struct mesh_model_assign *assigns, size_t n, const struct mesh_scope *scope,
                        const char *place, const char *origin, struct mesh_gen_shape *into)
{
    for (size_t i = 0; i < n; i++) {
        struct mesh_model_assign *assign = &assigns[i];
        assign->type =
            mesh_check_expr(c, assign->expr, scope, MESH_GEN_ERROR, mesh_arena_printf(c->arena, "%s.%s", place, assign->name));
        mesh_shape_put(c, into, mesh_shape_assigned(c, assign, origin));
    }
}
