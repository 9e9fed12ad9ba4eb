/* Names: fields of the record at hand, values of the scope, and the namespaces in front of a dot. A name that means
 * nothing is worth the most care: it is the mistake that everybody makes. */
#include "codegen/expr_internal.h"

#include <string.h>

#define NAMES_SHOWN_MAX 12

/* ---- lookup ---- */

static const struct mesh_scope_entry *find_entry(const struct mesh_scope *scope, const char *name, bool is_namespace)
{
    for (size_t i = 0; i < scope->entries.n; i++) {
        const struct mesh_scope_entry *entry = &scope->entries.v[i];
        if (entry->is_namespace == is_namespace && strcmp(entry->name, name) == 0)
            return entry;
    }
    return NULL;
}

const struct mesh_scope_entry *mesh_ex_namespace(const struct mesh_scope *scope, const char *name)
{
    for (; scope != NULL; scope = scope->parent) {
        const struct mesh_scope_entry *entry = find_entry(scope, name, true);
        if (entry != NULL)
            return entry;
    }
    return NULL;
}

static bool has_value(const struct mesh_scope *scope, const char *name)
{
    for (; scope != NULL; scope = scope->parent) {
        if (find_entry(scope, name, false) != NULL || mesh_gen_shape_member(scope->shape, name) != NULL)
            return true;
    }
    return false;
}

static bool is_narrowed(const struct mesh_ex_checker *checker, const char *path)
{
    if (mesh_ex_fact_known(checker->facts, path))
        return true;
    for (const struct mesh_scope *s = checker->scope; s != NULL; s = s->parent) {
        for (size_t i = 0; i < s->narrowed.n; i++) {
            if (strcmp(s->narrowed.v[i], path) == 0)
                return true;
        }
    }
    return false;
}

/* ---- references ---- */

static struct mesh_ex_core *reference(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_gen_type type,
                                      const char *path, const char *c_value, const char *c_present, struct mesh_gen_member *member)
{
    bool nullable = type.nullable && !is_narrowed(checker, path);
    struct mesh_ex_core *core =
        mesh_ex_core_new(checker, type.kind == MESH_GEN_ERROR ? MESH_CORE_ERROR : MESH_CORE_REF, type, expr, NULL, NULL, NULL);
    core->path = path;
    core->c_value = c_value;
    core->c_present = type.nullable ? c_present : NULL;
    if (type.nullable && c_present == NULL)
        core->c_present = mesh_arena_printf(checker->arena, "%s_set", c_value);
    core->type.nullable = nullable;
    core->member = member;
    if (member != NULL)
        member->used = true;
    return core;
}

static struct mesh_ex_core *member_of_shape(struct mesh_ex_checker *checker, struct mesh_expr *expr, struct mesh_gen_member *member,
                                            const char *path, const char *c_prefix)
{
    const char *prefix = c_prefix == NULL ? "" : c_prefix;
    const char *c_value = mesh_arena_printf(checker->arena, "%s%s", prefix, member->cname);
    const char *c_present = mesh_arena_printf(checker->arena, "%s%s_set", prefix, member->cname);
    return reference(checker, expr, member->type, path, c_value, c_present, member);
}

/* Inside an aggregate every source but the first is a mistake. */
static bool use_source(struct mesh_ex_checker *checker, const struct mesh_scope_entry *entry, const struct mesh_expr *at)
{
    if (!entry->is_source || checker->aggregate == NULL)
        return true;
    if (!checker->has_source) {
        checker->has_source = true;
        checker->source = entry->source;
        checker->source_at = at->at;
        checker->source_name = entry->name;
        return true;
    }
    if (checker->source == entry->source)
        return true;
    struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME009", at->at,
                                           "%s() reads '%s' and '%s'; an aggregate folds the records of one source",
                                           checker->aggregate->name, checker->source_name, entry->name);
    mesh_diag_note(checker->diags, diag, checker->source_at, "'%s' is read here", checker->source_name);
    mesh_diag_fix(checker->diags, diag, "write one aggregate per source, each on its own line, and combine them in a third");
    return false;
}

/* ---- unknown names ---- */

struct names {
    const char *v[256];
    size_t n;
};

static void add_name(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++) {
        if (strcmp(names->v[i], name) == 0)
            return;
    }
    if (names->n < MESH_LEN(names->v))
        names->v[names->n++] = name;
}

static void add_shape(struct names *names, const struct mesh_gen_shape *shape)
{
    for (size_t i = 0; shape != NULL && i < shape->members.n; i++)
        add_name(names, shape->members.v[i].name);
}

static struct names names_of(const struct mesh_scope *scope)
{
    struct names names = {0};
    for (; scope != NULL; scope = scope->parent) {
        add_shape(&names, scope->shape);
        for (size_t i = 0; i < scope->entries.n; i++)
            add_name(&names, scope->entries.v[i].name);
    }
    return names;
}

static const char *list_text(struct mesh_ex_checker *checker, const struct names *names)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    for (size_t i = 0; i < names->n && i < NAMES_SHOWN_MAX; i++)
        mesh_buf_printf(&text, "%s%s", i == 0 ? "" : ", ", names->v[i]);
    if (names->n > NAMES_SHOWN_MAX)
        mesh_buf_printf(&text, " and %zu more", names->n - NAMES_SHOWN_MAX);
    return mesh_arena_strdup(checker->arena, text.n == 0 ? "none" : text.p);
}

/* The namespace of the scope that has such a member, or NULL. */
static const struct mesh_scope_entry *owner_of(const struct mesh_scope *scope, const char *name)
{
    for (; scope != NULL; scope = scope->parent) {
        for (size_t i = 0; i < scope->entries.n; i++) {
            const struct mesh_scope_entry *entry = &scope->entries.v[i];
            if (entry->is_namespace && mesh_gen_shape_member(entry->shape, name) != NULL)
                return entry;
        }
    }
    return NULL;
}

static bool shape_has_symbol(const struct mesh_gen_shape *shape, const char *word)
{
    for (size_t i = 0; shape != NULL && i < shape->members.n; i++) {
        const struct mesh_gen_type *type = &shape->members.v[i].type;
        for (size_t j = 0; type->kind == MESH_GEN_ENUM && j < type->schema->n_symbols; j++) {
            if (strcmp(type->schema->symbols[j], word) == 0)
                return true;
        }
    }
    return false;
}

static bool is_symbol(const struct mesh_scope *scope, const char *word)
{
    for (; scope != NULL; scope = scope->parent) {
        if (shape_has_symbol(scope->shape, word))
            return true;
        for (size_t i = 0; i < scope->entries.n; i++) {
            const struct mesh_scope_entry *entry = &scope->entries.v[i];
            if (entry->is_namespace
                    ? shape_has_symbol(entry->shape, word)
                    : entry->type.kind == MESH_GEN_ENUM &&
                          shape_has_symbol(
                              &(struct mesh_gen_shape){.members = {&(struct mesh_gen_member){.type = entry->type}, 1, 1}}, word))
                return true;
        }
    }
    return false;
}

static bool is_function(const char *name)
{
    static const char *const functions[] = {"has", "size", "timestamp", "duration", "int", "double", "string", "decimal", "ratio"};
    enum mesh_aggregate_fn ignored;
    for (size_t i = 0; i < MESH_LEN(functions); i++) {
        if (strcmp(functions[i], name) == 0)
            return true;
    }
    return mesh_ex_is_aggregate_name(name, &ignored);
}

static struct mesh_ex_core *unknown(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    const char *name = expr->name;
    struct mesh_diags *diags = checker->diags;
    bool whole = strlen(name) == expr->unit->n;
    if (mesh_ex_fact_known(*checker->told, name))
        return mesh_ex_check_error(checker, expr);
    struct mesh_ex_fact *once = mesh_arena_new(checker->arena, struct mesh_ex_fact);
    *once = (struct mesh_ex_fact){*checker->told, name};
    *checker->told = once;
    if (whole && mesh_ex_unit_cut_quotes(expr->unit, diags))
        return mesh_ex_check_error(checker, expr);
    struct mesh_diag *diag = mesh_diag_add(diags, MESH_ERROR, "ME002", expr->at, "'%s' is not known here", name);
    struct names names = names_of(checker->scope);
    const char *meant = mesh_did_you_mean(name, names.v, names.n);
    const struct mesh_scope_entry *owner = owner_of(checker->scope, name);
    mesh_diag_why(diags, diag, "known are %s", list_text(checker, &names));
    bool in_let = checker->aggregates != NULL && checker->aggregate == NULL && checker->record_scope != NULL;
    if (in_let && has_value(checker->record_scope, name)) {
        mesh_diag_why(diags, diag, "in 'let', fields of records stand only inside aggregates");
        mesh_diag_fix(diags, diag, "write last(%s), sum(%s) or the like", name, name);
    } else if (in_let && mesh_ex_namespace(checker->record_scope, name) != NULL) {
        mesh_diag_why(diags, diag, "in 'let', fields of records stand only inside aggregates");
        mesh_diag_fix(diags, diag, "write last(%s.name), count(%s) or the like", name, name);
    } else if (in_let && owner_of(checker->record_scope, name) != NULL) {
        mesh_diag_why(diags, diag, "in 'let', fields of records stand only inside aggregates");
        mesh_diag_fix(diags, diag, "write last(%s.%s) or the like", owner_of(checker->record_scope, name)->name, name);
    } else if (checker->aggregate != NULL && checker->record_scope != NULL && owner != NULL) {
        mesh_diag_fix(diags, diag, "say of which source: %s.%s", owner->name, name);
    } else if (owner != NULL) {
        mesh_diag_fix(diags, diag, "write %s.%s", owner->name, name);
    } else if (is_symbol(checker->scope, name)) {
        mesh_diag_fix(diags, diag, "symbols of an enum stand in quotes: \"%s\"", name);
    } else if (meant != NULL) {
        mesh_diag_hint(diags, diag, "did you mean '%s'?", meant);
    } else if (is_function(name)) {
        mesh_diag_fix(diags, diag, "%s is a function: write %s(...)", name, name);
    } else if (strcmp(name, "True") == 0 || strcmp(name, "False") == 0 || strcmp(name, "None") == 0 || strcmp(name, "nil") == 0) {
        mesh_diag_fix(diags, diag, "write %s", name[0] == 'T' ? "true" : name[0] == 'F' ? "false" : "null");
    } else if (strcmp(name, "now") == 0) {
        mesh_diag_fix(diags, diag, "there is no clock, so that the same input gives the same answer; use meta.time");
    }
    return mesh_ex_check_error(checker, expr);
}

static struct mesh_ex_core *not_a_value(struct mesh_ex_checker *checker, struct mesh_expr *expr,
                                        const struct mesh_scope_entry *entry)
{
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_ERROR, "ME003", expr->at, "'%s' is a record, not a value", entry->name);
    struct names names = {0};
    add_shape(&names, entry->shape);
    mesh_diag_why(checker->diags, diag, "its fields are %s", list_text(checker, &names));
    if (names.n > 0)
        mesh_diag_fix(checker->diags, diag, "name one of them: %s.%s", entry->name, names.v[0]);
    return mesh_ex_check_error(checker, expr);
}

/* ---- the two forms ---- */

struct mesh_ex_core *mesh_ex_check_name(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    for (const struct mesh_scope *s = checker->scope; s != NULL; s = s->parent) {
        const struct mesh_scope_entry *entry = find_entry(s, expr->name, false);
        if (entry != NULL) {
            if (!use_source(checker, entry, expr))
                return mesh_ex_check_error(checker, expr);
            return reference(checker, expr, entry->type, entry->name, entry->c_value, entry->c_present, entry->member);
        }
        struct mesh_gen_member *member = mesh_gen_shape_member(s->shape, expr->name);
        if (member != NULL)
            return member_of_shape(checker, expr, member, member->name, s->c_prefix);
    }
    const struct mesh_scope_entry *space = mesh_ex_namespace(checker->scope, expr->name);
    return space != NULL ? not_a_value(checker, expr, space) : unknown(checker, expr);
}

static bool may_be_absent(const struct mesh_scope_entry *space)
{
    return space->type.nullable && space->c_present != NULL;
}

struct mesh_ex_core *mesh_ex_check_namespace_ref(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    if (expr->kind != MESH_EX_NAME || has_value(checker->scope, expr->name))
        return NULL;
    const struct mesh_scope_entry *space = mesh_ex_namespace(checker->scope, expr->name);
    if (space == NULL || !may_be_absent(space))
        return NULL;
    struct mesh_gen_type type = {.kind = MESH_GEN_RECORD, .nullable = true, .shape = space->shape};
    return reference(checker, expr, type, space->name, space->name, space->c_present, NULL);
}

static struct mesh_ex_core *unknown_member(struct mesh_ex_checker *checker, struct mesh_expr *expr,
                                           const struct mesh_gen_shape *shape, struct mesh_srcref declared)
{
    const char *of = mesh_ex_text(checker, expr->a);
    struct mesh_diag *diag =
        mesh_diag_add(checker->diags, MESH_ERROR, "ME002", expr->op_at, "'%s' has no field '%s'", of, expr->name);
    struct names names = {0};
    add_shape(&names, shape);
    const char *meant = mesh_did_you_mean(expr->name, names.v, names.n);
    if (meant != NULL)
        mesh_diag_hint(checker->diags, diag, "did you mean '%s'?", meant);
    mesh_diag_why(checker->diags, diag, "its fields are %s", list_text(checker, &names));
    if (declared.source != NULL)
        mesh_diag_note(checker->diags, diag, declared, "'%s' is declared here", of);
    return mesh_ex_check_error(checker, expr);
}

static struct mesh_ex_core *member_of_namespace(struct mesh_ex_checker *checker, struct mesh_expr *expr,
                                                const struct mesh_scope_entry *space)
{
    struct mesh_gen_member *member = mesh_gen_shape_member(space->shape, expr->name);
    if (member == NULL)
        return unknown_member(checker, expr, space->shape, space->at);
    if (!use_source(checker, space, expr))
        return mesh_ex_check_error(checker, expr);
    const char *path = mesh_arena_printf(checker->arena, "%s.%s", space->name, member->name);
    struct mesh_ex_core *core = member_of_shape(checker, expr, member, path, space->c_prefix);
    if (!may_be_absent(space) || is_narrowed(checker, space->name))
        return core;
    core->c_present =
        member->type.nullable ? mesh_arena_printf(checker->arena, "%s && %s", space->c_present, core->c_present) : space->c_present;
    core->type.nullable = !is_narrowed(checker, path);
    core->guarded = core->type.nullable;
    return core;
}

static struct mesh_ex_core *member_of_record(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    struct mesh_ex_core *of = mesh_ex_check_node(checker, expr->a);
    if (mesh_ex_check_is_error(of))
        return mesh_ex_check_error(checker, expr);
    if (of->type.kind != MESH_GEN_RECORD || of->op != MESH_CORE_REF) {
        struct mesh_diag *diag = mesh_diag_add(checker->diags, MESH_ERROR, "ME003", expr->op_at, "%s is %s and has no fields",
                                               mesh_ex_text(checker, expr->a), mesh_ex_type_text(checker, &of->type));
        if (of->member != NULL && of->member->at.source != NULL)
            mesh_diag_note(checker->diags, diag, of->member->at, "'%s' is declared here", of->member->name);
        return mesh_ex_check_error(checker, expr);
    }
    struct mesh_gen_member *member = mesh_gen_shape_member(of->type.shape, expr->name);
    if (member == NULL)
        return unknown_member(checker, expr, of->type.shape, of->member == NULL ? (struct mesh_srcref){0} : of->member->at);
    const char *path = mesh_arena_printf(checker->arena, "%s.%s", of->path, member->name);
    const char *prefix = mesh_arena_printf(checker->arena, "%s.", of->c_value);
    struct mesh_ex_core *core = member_of_shape(checker, expr, member, path, prefix);
    if (!of->type.nullable || mesh_ex_check_is_error(core))
        return core;
    core->c_present =
        member->type.nullable ? mesh_arena_printf(checker->arena, "%s && %s", of->c_present, core->c_present) : of->c_present;
    core->type.nullable = !is_narrowed(checker, path);
    core->guarded = of->guarded;
    return core;
}

struct mesh_ex_core *mesh_ex_check_member(struct mesh_ex_checker *checker, struct mesh_expr *expr)
{
    if (expr->a->kind == MESH_EX_NAME) {
        const struct mesh_scope_entry *space = mesh_ex_namespace(checker->scope, expr->a->name);
        if (space != NULL)
            return member_of_namespace(checker, expr, space);
    }
    return member_of_record(checker, expr);
}
