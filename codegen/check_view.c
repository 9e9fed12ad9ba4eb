/* Views: sources, key, columns. */
#include "codegen/check.h"
#include "codegen/yaml.h"

#include <string.h>

struct fold {
    struct mesh_checker *c;
    struct mesh_model_view *view;
    struct mesh_scope base;
    struct mesh_scope records; /* the record at hand: bare when there is one source, and under the source's name */
    bool ok;
};

static const char *place(struct fold *f, const char *what, const char *name)
{
    return mesh_arena_printf(f->c->arena, "views.%s.%s%s%s", f->view->name, what, name == NULL ? "" : ".",
                             name == NULL ? "" : name);
}

static void add_sources(struct fold *f)
{
    struct mesh_model_view *view = f->view;
    f->records = (struct mesh_scope){.parent = &f->base, .c_prefix = "r->"};
    for (uint32_t i = 0; i < view->from.n; i++) {
        const char *const *narrowed = NULL;
        size_t n = 0;
        const struct mesh_gen_shape *shape = mesh_check_source(&view->from.v[i], &narrowed, &n);
        if (shape == NULL) {
            f->ok = false;
            return;
        }
        if (view->from.n == 1) {
            f->records.shape = shape;
            mesh_scope_narrow(f->c, &f->records, NULL, narrowed, n);
        }
        mesh_scope_namespace(f->c, &f->records, view->from.v[i].name, shape, "r->", view->from.v[i].at);
        f->records.entries.v[f->records.entries.n - 1].is_source = true;
        f->records.entries.v[f->records.entries.n - 1].source = i;
        mesh_scope_narrow(f->c, &f->records, view->from.v[i].name, narrowed, n);
    }
}

/* ---- the key ---- */

static void missing_key(struct fold *f, size_t by, const struct mesh_model_from *from, const struct mesh_gen_shape *shape)
{
    struct mesh_checker *c = f->c;
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG017", f->view->by_at.v[by], "'%s' has no member '%s'",
                                           from->name, f->view->by.v[by]);
    const char *near = mesh_shape_near(c, shape, f->view->by.v[by]);
    if (near != NULL)
        mesh_diag_hint(c->diags, diag, "did you mean '%s'?", near);
    mesh_diag_why(c->diags, diag, "a view finds the row of a record by its key, so every source must have every field of 'by'");
    mesh_diag_fix(c->diags, diag, "name a member of '%s', or give it one with 'set'", from->name);
    mesh_diag_note(c->diags, diag, from->at, "'%s' is read here", from->name);
}

static bool is_narrowed(const char *const *narrowed, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(narrowed[i], name) == 0)
            return true;
    }
    return false;
}

static void unfit_key(struct fold *f, size_t by, const struct mesh_gen_member *member, bool null)
{
    struct mesh_checker *c = f->c;
    struct mesh_diag *diag;
    if (null) {
        diag = mesh_diag_add(c->diags, MESH_ERROR, "MG019", f->view->by_at.v[by], "'%s' may be null and is part of a key",
                             member->name);
        mesh_diag_why(c->diags, diag, "records without a key belong to no row");
        mesh_diag_fix(c->diags, diag, "read a stream that ends with '- where: has(%s)'", member->name);
    } else {
        diag = mesh_diag_add(c->diags, MESH_ERROR, "MG019", f->view->by_at.v[by], "'%s' cannot be a key: it is %s", member->name,
                             mesh_type_a(c, &member->type));
        mesh_diag_why(c->diags, diag, "keys are compared for equality");
        mesh_diag_fix(c->diags, diag, "use a string, a whole number, a decimal, a time or an enum");
    }
    mesh_diag_note(c->diags, diag, member->at, "'%s' is declared here", member->name);
}

static void add_key(struct fold *f, struct mesh_gen_shape *row, size_t by)
{
    struct mesh_checker *c = f->c;
    struct mesh_model_view *view = f->view;
    struct mesh_gen_member key = {.name = view->by.v[by]};
    for (size_t i = 0; i < view->from.n; i++) {
        const char *const *narrowed = NULL;
        size_t n = 0;
        const struct mesh_gen_shape *shape = mesh_check_source(&view->from.v[i], &narrowed, &n);
        struct mesh_gen_member *member = mesh_gen_shape_member(shape, view->by.v[by]);
        if (member == NULL) {
            missing_key(f, by, &view->from.v[i], shape);
            f->ok = false;
            return;
        }
        if (member->type.kind == MESH_GEN_ERROR) {
            f->ok = false;
            return;
        }
        member->used = true;
        bool null = member->type.nullable && !is_narrowed(narrowed, n, member->name);
        if (null || !mesh_type_can_be_key(&member->type)) {
            unfit_key(f, by, member, null);
            f->ok = false;
        }
        struct mesh_gen_type type = member->type;
        type.nullable = false;
        if (i == 0) {
            key = *member;
            key.type = type;
            key.at = view->by_at.v[by];
            key.origin = mesh_arena_printf(c->arena, "views.%s.%s", view->name, key.name);
            key.used = true;
        } else if (!mesh_gen_type_eq(&key.type, &type)) {
            struct mesh_diag *diag =
                mesh_diag_add(c->diags, MESH_ERROR, "MG018", view->by_at.v[by], "'%s' is %s in '%s', but %s in '%s'", key.name,
                              mesh_type_a(c, &key.type), view->from.v[0].name, mesh_type_a(c, &type), view->from.v[i].name);
            mesh_diag_why(c->diags, diag, "equal keys must be equal values, so they must have one type");
            mesh_diag_fix(c->diags, diag, "convert one of them with 'set', in a stream of its own");
            mesh_diag_note(c->diags, diag, member->at, "'%s' of '%s'", member->name, view->from.v[i].name);
            f->ok = false;
        }
        if (mesh_label_join(key.label, member->label) != key.label) {
            key.label = member->label;
            key.subject = member->subject;
        }
        *mesh_vec_push_in(c->arena, &c->edges) = (struct mesh_check_edge){key.origin, member};
    }
    mesh_shape_put(c, row, key);
}

/* ---- columns ---- */

static void check_let(struct fold *f, struct mesh_gen_shape *row)
{
    struct mesh_checker *c = f->c;
    struct mesh_model_view *view = f->view;
    struct mesh_scope columns = {.parent = &f->base};
    const char *origin = mesh_arena_printf(c->arena, "views.%s", view->name);
    for (size_t i = 0; i < view->let.n; i++) {
        struct mesh_model_assign *let = &view->let.v[i];
        let->type = (struct mesh_gen_type){.kind = MESH_GEN_ERROR};
        if (let->expr != NULL)
            let->type = mesh_expr_check(let->expr, c->arena, c->diags, &columns, &f->records, NULL, place(f, "let", let->name),
                                        &view->aggregates);
        struct mesh_gen_member member = mesh_shape_assigned(c, let, origin);
        mesh_shape_put(c, row, member);
        *mesh_vec_push_in(c->arena, &columns.entries) = (struct mesh_scope_entry){
            .name = let->name,
            .type = let->type,
            .c_value = mesh_arena_printf(c->arena, "out->%s", member.cname),
            .c_present = let->type.nullable ? mesh_arena_printf(c->arena, "out->%s_set", member.cname) : NULL,
            .member = mesh_arena_new(c->arena, struct mesh_gen_member),
            .at = let->at,
        };
        *columns.entries.v[columns.entries.n - 1].member = member;
    }
}

static void check_init(struct fold *f, struct mesh_model_state *state)
{
    struct mesh_checker *c = f->c;
    if (state->type.kind == MESH_GEN_ERROR)
        return;
    if (state->init == NULL) {
        const struct mesh_yaml *map = mesh_yaml_get(mesh_yaml_get(f->view->yaml, "state"), state->name);
        if (state->type.nullable || mesh_yaml_entry(map, "init") != NULL)
            return;
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG035", state->at, "'%s' has no first value", state->name);
        mesh_diag_why(c->diags, diag, "without 'init' it begins as null, which its type does not allow");
        mesh_diag_fix(c->diags, diag, "add 'init: ...', or put a ? behind the type");
        return;
    }
    struct mesh_scope nothing = {0};
    struct mesh_gen_type type =
        mesh_expr_check(state->init, c->arena, c->diags, &nothing, NULL, &state->type, place(f, "state", state->name), NULL);
    if (type.kind == MESH_GEN_ERROR || mesh_expr_constant(state->init))
        return;
    struct mesh_diag *diag =
        mesh_diag_add(c->diags, MESH_ERROR, "MG035", mesh_expr_at(state->init), "the first value must be a constant");
    mesh_diag_why(c->diags, diag, "it is there before any record");
    mesh_diag_fix(c->diags, diag, "write a literal");
}

static void check_update(struct fold *f, struct mesh_model_update *update, const struct mesh_gen_shape *row)
{
    struct mesh_checker *c = f->c;
    const struct mesh_model_view *view = f->view;
    const char **names = mesh_arena_alloc(c->arena, (view->from.n + view->state.n + 1) * sizeof *names);
    for (size_t i = 0; i < view->from.n; i++)
        names[i] = view->from.v[i].name;
    if (update->source == UINT32_MAX) {
        const char *name = mesh_arena_printf(c->arena, "%.*s", (int)(update->at.end - update->at.begin),
                                             update->at.source->text + update->at.begin);
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG010", update->at, "'%s' is not a source of this view", name);
        const char *near = mesh_did_you_mean(name, names, view->from.n);
        if (near != NULL)
            mesh_diag_hint(c->diags, diag, "did you mean '%s'?", near);
        mesh_diag_why(c->diags, diag, "'update' says, for each source in 'from', what one of its records does");
        mesh_diag_fix(c->diags, diag, "name a source, or add it to 'from'");
        f->ok = false;
        return;
    }
    struct mesh_scope scope = {.parent = &f->records};
    mesh_scope_namespace(c, &scope, "self", row, "row->", view->at);
    for (size_t i = 0; i < view->from.n; i++) {
        if (i == update->source)
            continue; /* only the record at hand can be read */
        mesh_scope_namespace(c, &scope, view->from.v[i].name, mesh_shape_new(c, view->from.v[i].name), "r->", view->from.v[i].at);
    }
    for (size_t i = 0; i < update->assigns.n; i++) {
        struct mesh_model_assign *assign = &update->assigns.v[i];
        const struct mesh_model_state *state = NULL;
        for (size_t k = 0; k < view->state.n; k++) {
            names[k] = view->state.v[k].name;
            if (strcmp(view->state.v[k].name, assign->name) == 0)
                state = &view->state.v[k];
        }
        if (state == NULL) {
            struct mesh_diag *diag =
                mesh_diag_add(c->diags, MESH_ERROR, "MG010", assign->at, "there is no variable '%s'", assign->name);
            const char *near = mesh_did_you_mean(assign->name, names, view->state.n);
            if (near != NULL)
                mesh_diag_hint(c->diags, diag, "did you mean '%s'?", near);
            mesh_diag_why(c->diags, diag, "'update' assigns the variables of 'state'");
            mesh_diag_fix(c->diags, diag, "declare it under 'state', with its type and first value");
            continue;
        }
        assign->type = state->type;
        if (assign->expr != NULL)
            mesh_expr_check(assign->expr, c->arena, c->diags, &scope, NULL,
                            state->type.kind == MESH_GEN_ERROR ? NULL : &state->type, place(f, "update", assign->name), NULL);
    }
}

/* Variables take the labels of whatever is assigned to them; a variable may feed another, so until nothing changes. */
static void label_state(struct fold *f, struct mesh_gen_shape *row)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t u = 0; u < f->view->updates.n; u++) {
            const struct mesh_model_update *update = &f->view->updates.v[u];
            for (size_t i = 0; i < update->assigns.n; i++) {
                struct mesh_gen_member *member = mesh_gen_shape_member(row, update->assigns.v[i].name);
                const char *subject = NULL;
                if (member == NULL || update->assigns.v[i].expr == NULL ||
                    mesh_expr_type(update->assigns.v[i].expr).kind == MESH_GEN_ERROR)
                    continue;
                enum mesh_label label = mesh_expr_label(update->assigns.v[i].expr, &subject, NULL, NULL);
                if (mesh_label_join(member->label, label) == member->label)
                    continue;
                struct mesh_gen_member probe =
                    mesh_shape_assigned(f->c, &update->assigns.v[i], mesh_arena_printf(f->c->arena, "views.%s", f->view->name));
                member->label = label;
                member->subject = probe.subject;
                changed = true;
            }
        }
    }
}

static void check_state(struct fold *f, struct mesh_gen_shape *row)
{
    struct mesh_checker *c = f->c;
    struct mesh_model_view *view = f->view;
    for (size_t i = 0; i < view->state.n; i++) {
        struct mesh_model_state *state = &view->state.v[i];
        check_init(f, state);
        mesh_shape_put(c, row,
                       (struct mesh_gen_member){.name = state->name,
                                                .cname = mesh_names_c(c->arena, state->name),
                                                .type = state->type,
                                                .label = MESH_PUBLIC,
                                                .at = state->at,
                                                .origin = mesh_arena_printf(c->arena, "views.%s.%s", view->name, state->name)});
    }
    if (view->updates.n == 0) {
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG035", mesh_check_key_at(view->yaml, "state", view->at),
                                               "nothing updates the variables");
        mesh_diag_why(c->diags, diag, "'state' declares variables, and 'update' says what a record of each source does to them");
        mesh_diag_fix(c->diags, diag, "add 'update:' with a part for every source");
    }
    for (size_t i = 0; i < view->updates.n; i++)
        check_update(f, &view->updates.v[i], row);
    for (size_t i = 0; i < view->from.n && view->updates.n > 0; i++) {
        bool updated = false;
        for (size_t k = 0; k < view->updates.n; k++)
            updated = updated || view->updates.v[k].source == i || view->updates.v[k].source == UINT32_MAX;
        if (updated)
            continue;
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_WARNING, "MG035", view->from.v[i].at,
                                               "records of '%s' change nothing", view->from.v[i].name);
        mesh_diag_why(c->diags, diag, "'update' has no part for this source");
        mesh_diag_fix(c->diags, diag, "add '%s:' under 'update', or remove it from 'from'", view->from.v[i].name);
    }
    if (f->ok)
        label_state(f, row);
}

/* ---- remove ---- */

struct found {
    const struct mesh_model_view *view;
    uint32_t source;
    bool several;
};

static void find_source(void *context, const struct mesh_gen_member *member)
{
    struct found *found = context;
    for (uint32_t i = 0; i < found->view->from.n; i++) {
        const char *const *narrowed = NULL;
        size_t n = 0;
        const struct mesh_gen_shape *shape = mesh_check_source(&found->view->from.v[i], &narrowed, &n);
        if (mesh_gen_shape_member(shape, member->name) != member)
            continue;
        if (found->source != UINT32_MAX && found->source != i)
            found->several = true;
        found->source = i;
        return;
    }
}

static void check_remove(struct fold *f)
{
    struct mesh_checker *c = f->c;
    struct mesh_model_view *view = f->view;
    if (view->remove == NULL)
        return;
    struct mesh_gen_type type = mesh_check_expr(c, view->remove, &f->records, MESH_GEN_BOOL, place(f, "remove", NULL));
    if (type.kind == MESH_GEN_ERROR)
        return;
    struct found found = {view, UINT32_MAX, false};
    const char *subject = NULL;
    mesh_expr_label(view->remove, &subject, find_source, &found);
    view->remove_source = found.source == UINT32_MAX ? 0 : found.source;
    if (view->window != MESH_WINDOW_NONE) {
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG005", mesh_check_key_at(view->yaml, "remove", view->at),
                                               "'remove' and 'window' do not go together");
        mesh_diag_why(c->diags, diag, "a row of a window says what happened in it, and ends with 'keep'");
        mesh_diag_fix(c->diags, diag, "remove one of them");
    }
    if (!found.several)
        return;
    struct mesh_diag *diag =
        mesh_diag_add(c->diags, MESH_ERROR, "MG022", mesh_expr_at(view->remove), "'remove' reads several sources");
    mesh_diag_why(c->diags, diag, "it is asked of one record, and a record is of one source");
    mesh_diag_fix(c->diags, diag, "use fields of one source only");
}

/* ---- window ---- */

#define DAY_US INT64_C(86400000000)

static void check_zone(struct fold *f)
{
    struct mesh_checker *c = f->c;
    struct mesh_model_view *view = f->view;
    const char *why = NULL;
    if (view->zone_name.text == NULL)
        return;
    if (view->window != MESH_WINDOW_TUMBLING || view->size_us != DAY_US) {
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG005", view->zone_name.at, "'zone' belongs to windows of a day");
        mesh_diag_why(c->diags, diag, "it says when days begin; of other windows every time zone has the same");
        mesh_diag_fix(c->diags, diag, "write 'window: { tumbling: 1d, zone: %s }', or remove 'zone'", view->zone_name.text);
        return;
    }
    view->zone = mesh_zone_load(c->arena, view->zone_name.text, &why);
    if (view->zone != NULL)
        return;
    struct mesh_diag *diag =
        mesh_diag_add(c->diags, MESH_ERROR, "MG067", view->zone_name.at, "the time zone '%s' is not known", view->zone_name.text);
    mesh_diag_why(c->diags, diag, "%s", why);
    mesh_diag_fix(c->diags, diag, "name a zone of the IANA time zone database, as Europe/Berlin, or install the package tzdata");
}

static void check_keys_of_view(struct fold *f)
{
    struct mesh_checker *c = f->c;
    const struct mesh_model_view *view = f->view;
    const struct mesh_yaml_entry *let = mesh_yaml_entry(view->yaml, "let");
    const struct mesh_yaml_entry *state = mesh_yaml_entry(view->yaml, "state");
    const struct mesh_yaml_entry *update = mesh_yaml_entry(view->yaml, "update");
    struct mesh_diag *diag = NULL;
    if (let == NULL && state == NULL)
        diag = mesh_diag_add(c->diags, MESH_ERROR, "MG005", view->at, "view '%s' has no columns", view->name);
    else if (let != NULL && state != NULL)
        diag = mesh_diag_add(c->diags, MESH_ERROR, "MG005", state->key_at, "'let' and 'state' do not go together");
    else if (state == NULL && update != NULL)
        diag = mesh_diag_add(c->diags, MESH_ERROR, "MG005", update->key_at, "'update' needs 'state'");
    else if (state != NULL && view->window == MESH_WINDOW_SESSION)
        diag = mesh_diag_add(c->diags, MESH_ERROR, "MG005", state->key_at, "'state' and sessions do not go together");
    if (diag == NULL)
        return;
    f->ok = false;
    if (let == NULL && state != NULL && view->window == MESH_WINDOW_SESSION) {
        mesh_diag_why(c->diags, diag, "a late record can make two sessions one, and what was assigned in each has no sum");
        mesh_diag_fix(c->diags, diag, "use aggregates under 'let', or another window");
        return;
    }
    mesh_diag_why(c->diags, diag, "a view folds records with 'let' (aggregates), or with 'state' and 'update' (assignments)");
    mesh_diag_fix(c->diags, diag,
                  let != NULL && state != NULL ? "make two views"
                  : update != NULL             ? "declare the variables under 'state', or remove 'update'"
                                               : "for example 'let:' with the line 'n: count()'");
}

void mesh_check_view(struct mesh_checker *c, struct mesh_model_view *view)
{
    struct fold f = {.c = c, .view = view, .ok = view->from.n > 0 && view->by.n > 0};
    mesh_scope_base(c, &f.base);
    check_zone(&f);
    check_keys_of_view(&f);
    if (f.ok)
        add_sources(&f);
    if (!f.ok)
        return;
    struct mesh_gen_shape *row = mesh_shape_new(c, view->name);
    for (size_t i = 0; i < view->by.n; i++)
        add_key(&f, row, i);
    if (view->state.n > 0)
        check_state(&f, row);
    else
        check_let(&f, row);
    check_remove(&f);
    mesh_check_people(c, view, row);
    for (size_t i = 0; i < row->members.n; i++)
        row->members.v[i].used = true; /* a row is served as a whole */
    mesh_names_check_shape(c, row);
    if (f.ok)
        view->shape = row;
}
