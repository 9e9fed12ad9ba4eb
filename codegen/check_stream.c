/* Streams: the record's shape from step to step. */
#include "codegen/check.h"
#include "codegen/yaml.h"

#include <string.h>

struct flow {
    struct mesh_checker *c;
    struct mesh_model_stream *stream;
    struct mesh_scope scope;      /* what expressions of the next step see */
    struct mesh_gen_shape *shape; /* the record now; NULL: it could not be checked */
    size_t n_made;                /* shapes of this stream so far */
};

static const char *place(struct flow *f, size_t step, const char *what)
{
    return mesh_arena_printf(f->c->arena, "streams.%s.steps[%zu].%s", f->stream->name, step + 1, what);
}

static struct mesh_gen_shape *changed(struct flow *f, const struct mesh_gen_shape *from)
{
    const char *cname = mesh_arena_printf(f->c->arena, "%s_%zu", f->stream->name, ++f->n_made);
    return from == NULL ? mesh_shape_new(f->c, cname) : mesh_shape_copy(f->c, from, cname, false);
}

static void goes_on(struct flow *f, struct mesh_model_step *step, struct mesh_gen_shape *shape)
{
    mesh_names_check_shape(f->c, shape);
    step->shape_after = shape;
    f->shape = shape;
    f->scope.shape = shape;
}

/* ---- steps ---- */

static void step_where(struct flow *f, struct mesh_model_step *step, size_t i)
{
    struct mesh_gen_type type = mesh_check_expr(f->c, step->where, &f->scope, MESH_GEN_BOOL, place(f, i, "where"));
    if (type.kind != MESH_GEN_ERROR)
        mesh_expr_narrows(step->where, f->c->arena, &f->scope);
}

static struct mesh_diag *bad_join(struct flow *f, struct mesh_srcref at, const char *text)
{
    return mesh_diag_add(f->c->diags, MESH_ERROR, "MG020", at, "%s", text);
}

static struct mesh_model_input *find_table(struct flow *f, const struct mesh_model_step *step)
{
    struct mesh_checker *c = f->c;
    const struct mesh_model_product *product = c->product;
    const char **names = mesh_arena_alloc(c->arena, (product->inputs.n + 1) * sizeof *names);
    size_t n = 0;
    for (size_t i = 0; i < product->inputs.n; i++) {
        struct mesh_model_input *input = product->inputs.v[i];
        if (input->is_table)
            names[n++] = input->name;
        if (strcmp(input->name, step->alias) != 0)
            continue;
        if (input->is_table)
            return input;
        struct mesh_diag *diag = bad_join(f, step->alias_at, mesh_arena_printf(c->arena, "'%s' is not a table", input->name));
        mesh_diag_why(c->diags, diag, "a join looks rows up; an input port keeps rows only when it has 'table'");
        mesh_diag_fix(c->diags, diag, "add 'table: { by: %s }' to inputPorts.%s", input->key.text == NULL ? "key" : input->key.text,
                      input->name);
        mesh_diag_note(c->diags, diag, input->at, "'%s' is declared here", input->name);
        return NULL;
    }
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG010", step->alias_at, "there is no table '%s'", step->alias);
    const char *near = mesh_did_you_mean(step->alias, names, n);
    if (near != NULL)
        mesh_diag_hint(c->diags, diag, "did you mean '%s'?", near);
    mesh_diag_why(c->diags, diag, "a join reads an input port that has 'table'");
    if (near != NULL)
        mesh_diag_fix(c->diags, diag, "write '%s'", near);
    else
        mesh_diag_fix(c->diags, diag, "declare it under inputPorts, with 'table: { by: ... }'");
    return NULL;
}

static void check_as_of(struct flow *f, const struct mesh_model_step *step, size_t i)
{
    bool versioned = step->table->versioned.text != NULL;
    if (versioned && step->as_of == NULL) {
        struct mesh_diag *diag = bad_join(f, step->at, "the join does not say as of when");
        mesh_diag_why(f->c->diags, diag, "the table '%s' keeps all versions of a row, each from its '%s' on", step->alias,
                      step->table->versioned.text);
        mesh_diag_fix(f->c->diags, diag, "add 'asOf: TIMESTAMP', for example the record's event time");
        mesh_diag_note(f->c->diags, diag, step->table->versioned.at, "the table is versioned here");
    } else if (!versioned && step->as_of != NULL) {
        struct mesh_diag *diag = bad_join(f, mesh_expr_at(step->as_of), "the table is not versioned");
        mesh_diag_why(f->c->diags, diag, "'%s' keeps only the newest row of each key", step->alias);
        mesh_diag_fix(f->c->diags, diag, "remove 'asOf', or add 'versioned: FIELD' to inputPorts.%s.table", step->alias);
        mesh_diag_note(f->c->diags, diag, step->table->at, "the table is declared here");
    }
    if (step->as_of == NULL)
        return;
    struct mesh_gen_type type = mesh_check_expr(f->c, step->as_of, &f->scope, MESH_GEN_TIMESTAMP, place(f, i, "join.asOf"));
    (void)type;
}

/* ---- joins of streams ---- */

/* Keys that the other kind of join has. */
static void not_here(struct flow *f, const struct mesh_model_step *step, const char *key, const char *why)
{
    struct mesh_srcref none = {0};
    struct mesh_srcref at = mesh_check_key_at(step->yaml, key, none);
    if (at.source == NULL)
        return;
    struct mesh_diag *diag = mesh_diag_add(f->c->diags, MESH_ERROR, "MG005", at, "'%s' does not go with '%s'", key,
                                           step->other.name != NULL ? "stream" : "table");
    mesh_diag_why(f->c->diags, diag, "%s", why);
    mesh_diag_fix(f->c->diags, diag, "remove '%s'", key);
}

static bool between_is_fine(struct flow *f, const struct mesh_model_step *step)
{
    const struct mesh_yaml *between = mesh_yaml_get(step->yaml, "between");
    struct mesh_diag *diag = NULL;
    if (between == NULL)
        diag = mesh_diag_add(f->c->diags, MESH_ERROR, "MG002", step->at, "the join does not say how far apart the records may be");
    else if (between->bad)
        return false;
    else if (between->items.n != 2)
        diag = bad_join(f, between->at, "'between' has two ends");
    else if (step->from_us > step->to_us)
        diag = bad_join(f, between->at, "'between' ends before it begins");
    if (diag == NULL)
        return true;
    mesh_diag_why(f->c->diags, diag, "records of '%s' are kept as long as one may still find them", step->alias);
    mesh_diag_fix(f->c->diags, diag, "write 'between: [-7d, 0s]' for those up to seven days before the record");
    return false;
}

/* The field of the other stream that must be equal. */
static void check_other_by(struct flow *f, struct mesh_model_step *step, const struct mesh_gen_shape *other,
                           const char *const *narrowed, size_t n_narrowed)
{
    const struct mesh_gen_member *key = step->by.n == 1 ? mesh_expr_member(step->by.v[0]) : NULL;
    if (key == NULL)
        return; /* reported */
    struct mesh_srcref at = mesh_check_key_at(step->yaml, step->other_by == NULL ? "key" : "by", step->at);
    if (step->other_by == NULL)
        step->other_by = key->name;
    const struct mesh_gen_member *by = mesh_gen_shape_member(other, step->other_by);
    struct mesh_diag *diag = NULL;
    if (by == NULL) {
        diag = bad_join(f, at, mesh_arena_printf(f->c->arena, "'%s' has no field '%s'", step->alias, step->other_by));
        const char *near = mesh_shape_near(f->c, other, step->other_by);
        if (near != NULL)
            mesh_diag_hint(f->c->diags, diag, "did you mean '%s'?", near);
        mesh_diag_why(f->c->diags, diag, "a record finds those of '%s' whose field is equal to its key", step->alias);
        mesh_diag_fix(f->c->diags, diag, "name the field: 'by: %s'", near != NULL ? near : "FIELD");
        return;
    }
    bool known = !by->type.nullable;
    for (size_t i = 0; i < n_narrowed; i++)
        known = known || strcmp(narrowed[i], by->name) == 0;
    struct mesh_gen_type a = key->type;
    struct mesh_gen_type b = by->type;
    a.nullable = b.nullable = false;
    if (!mesh_gen_type_eq(&a, &b)) {
        diag = bad_join(f, at,
                        mesh_arena_printf(f->c->arena, "'%s' is %s, and '%s' of '%s' %s", key->name, mesh_type_a(f->c, &a),
                                          by->name, step->alias, mesh_type_a(f->c, &b)));
        mesh_diag_why(f->c->diags, diag, "only values of one type are equal");
        mesh_diag_fix(f->c->diags, diag, "compute one of them with 'set' in a step before");
    } else if (!known) {
        diag = mesh_diag_add(f->c->diags, MESH_ERROR, "MG019", at, "'%s' of '%s' may be null and is part of a key", by->name,
                             step->alias);
        mesh_diag_why(f->c->diags, diag, "records without a key belong to nobody");
        mesh_diag_fix(f->c->diags, diag, "put '- where: has(%s)' into the stream '%s'", by->name, step->alias);
    }
}

static void step_join_stream(struct flow *f, struct mesh_model_step *step, size_t i)
{
    struct mesh_checker *c = f->c;
    not_here(f, step, "table", "a join looks up a row of a table, or finds records of a stream");
    not_here(f, step, "asOf", "which records of a stream count is said by 'between'");
    if (step->other.input != NULL) {
        struct mesh_diag *diag = bad_join(f, step->alias_at, mesh_arena_printf(c->arena, "'%s' is an input port", step->alias));
        mesh_diag_why(c->diags, diag, "a join finds records of a stream, which may leave out what nobody looks for");
        mesh_diag_fix(c->diags, diag, "declare a stream 'from: %s', and join it", step->alias);
        mesh_diag_note(c->diags, diag, step->other.input->at, "'%s' is declared here", step->alias);
    }
    const char *const *narrowed = NULL;
    size_t n = 0;
    const struct mesh_gen_shape *other = step->other.stream == NULL ? NULL : mesh_check_source(&step->other, &narrowed, &n);
    bool fine = between_is_fine(f, step);
    if (f->shape->members.n == 0) {
        struct mesh_diag *diag = bad_join(f, step->at, "a change of a view is no record yet");
        mesh_diag_why(c->diags, diag, "the record may have to wait for those that it finds");
        mesh_diag_fix(c->diags, diag, "put a 'select' step in front of the join");
        fine = false;
    } else {
        fine = mesh_check_keys(c, step->by.v, step->by.n, &f->scope, place(f, i, "join.key")) && fine;
    }
    if (other == NULL || !fine) {
        f->shape = NULL;
        return;
    }
    check_other_by(f, step, other, narrowed, n);
    bool keep = step->missing == MESH_MISSING_KEEP;
    step->shape_joined = mesh_shape_copy(c, other, mesh_arena_printf(c->arena, "%s_%s", f->stream->name, step->alias), keep);
    for (size_t k = 0; k < step->shape_joined->members.n; k++)
        step->shape_joined->members.v[k].used = false; /* what others read of that stream need not be kept here */
    mesh_scope_namespace(c, &f->scope, step->alias, step->shape_joined, mesh_arena_printf(c->arena, "%s->", step->alias), step->at);
    if (!keep)
        mesh_scope_narrow(c, &f->scope, step->alias, narrowed, n);
}

static void joined_before(struct flow *f, const struct mesh_model_step *step, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        const struct mesh_model_step *before = &f->stream->steps.v[k];
        if (before->kind != MESH_STEP_JOIN || before->alias == NULL || strcmp(before->alias, step->alias) != 0)
            continue;
        struct mesh_diag *diag = mesh_diag_add(f->c->diags, MESH_ERROR, "MG009", step->at, "'%s' is joined twice", step->alias);
        mesh_diag_why(f->c->diags, diag, "the row is read under this name, which can mean only one row");
        mesh_diag_fix(f->c->diags, diag, "do the second join in a stream of its own");
        mesh_diag_note(f->c->diags, diag, before->at, "it is joined first here");
    }
}

static void step_join(struct flow *f, struct mesh_model_step *step, size_t i)
{
    if (step->alias == NULL) {
        struct mesh_diag *diag =
            mesh_diag_add(f->c->diags, MESH_ERROR, "MG002", step->at, "the join names neither a table nor a stream");
        mesh_diag_why(f->c->diags, diag, "it finds what belongs to the record there");
        mesh_diag_fix(f->c->diags, diag, "write 'join: { table: NAME, key: FIELD }'");
        f->shape = NULL;
        return;
    }
    joined_before(f, step, i);
    if (mesh_model_joins_stream(step)) {
        step_join_stream(f, step, i);
        return;
    }
    not_here(f, step, "between", "a table has one row for a key at a time");
    not_here(f, step, "pick", "a table has one row for a key at a time");
    not_here(f, step, "by", "a table says itself what it is looked up by");
    step->table = find_table(f, step);
    if (step->table == NULL || step->table->shape == NULL) {
        f->shape = NULL;
        return;
    }
    const struct mesh_gen_member *by =
        step->table->table_by.text == NULL ? NULL : mesh_gen_shape_member(step->table->shape, step->table->table_by.text);
    if (step->by.n > 0 && by != NULL) {
        struct mesh_gen_type want = by->type;
        want.nullable = false;
        mesh_expr_check(step->by.v[0], f->c->arena, f->c->diags, &f->scope, NULL, &want, place(f, i, "join.key"), NULL);
    }
    check_as_of(f, step, i);
    step->shape_joined = step->table->shape;
    if (step->missing == MESH_MISSING_KEEP)
        step->shape_joined =
            mesh_shape_copy(f->c, step->table->shape, mesh_arena_printf(f->c->arena, "%s_%s", f->stream->name, step->alias), true);
    mesh_scope_namespace(f->c, &f->scope, step->alias, step->shape_joined, mesh_arena_printf(f->c->arena, "%s->", step->alias),
                         step->at);
}

/* What a `where` said of a member that is assigned now says nothing of its new value. */
static void forget(struct flow *f, const struct mesh_model_assign *assigns, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->scope.narrowed.n; i++) {
        bool assigned = false;
        for (size_t k = 0; k < n; k++)
            assigned = assigned || strcmp(assigns[k].name, f->scope.narrowed.v[i]) == 0;
        if (!assigned)
            f->scope.narrowed.v[kept++] = f->scope.narrowed.v[i];
    }
    f->scope.narrowed.n = kept;
}

static void step_assign(struct flow *f, struct mesh_model_step *step, size_t i)
{
    bool select = step->kind == MESH_STEP_SELECT;
    struct mesh_gen_shape *shape = changed(f, select ? NULL : f->shape);
    mesh_check_assigns(f->c, step->assigns.v, step->assigns.n, &f->scope, place(f, i, select ? "select" : "set"),
                       mesh_arena_printf(f->c->arena, "streams.%s", f->stream->name), shape);
    if (select) {
        size_t kept = 0; /* joined rows are still there, the record is not */
        for (size_t k = 0; k < f->scope.narrowed.n; k++) {
            if (strchr(f->scope.narrowed.v[k], '.') != NULL)
                f->scope.narrowed.v[kept++] = f->scope.narrowed.v[k];
        }
        f->scope.narrowed.n = kept;
    } else {
        forget(f, step->assigns.v, step->assigns.n);
    }
    goes_on(f, step, shape);
}

static void fold_aggregates(struct flow *f, const struct mesh_model_step *step)
{
    for (size_t i = 0; i < step->aggregates.list.n; i++) {
        const struct mesh_aggregate *a = &step->aggregates.list.v[i];
        if (a->fn <= MESH_AGG_MAX)
            continue;
        struct mesh_diag *diag =
            mesh_diag_add(f->c->diags, MESH_ERROR, "MG022", a->at, "a sliding window has no %s", mesh_expr_aggregate_name(a->fn));
        mesh_diag_why(f->c->diags, diag, "a fold keeps numbers per record: count, sum, avg, min and max");
        mesh_diag_fix(f->c->diags, diag, "use one of these, or a view");
    }
}

static void step_fold(struct flow *f, struct mesh_model_step *step, size_t i)
{
    struct mesh_checker *c = f->c;
    mesh_check_keys(c, step->by.v, step->by.n, &f->scope, place(f, i, "fold.by"));
    struct mesh_scope records = f->scope;
    for (size_t k = 0; k < step->assigns.n; k++) {
        struct mesh_model_assign *assign = &step->assigns.v[k];
        assign->type = (struct mesh_gen_type){.kind = MESH_GEN_ERROR};
        if (assign->expr != NULL)
            assign->type =
                mesh_expr_check(assign->expr, c->arena, c->diags, &f->scope, &records, NULL,
                                place(f, i, mesh_arena_printf(c->arena, "fold.let.%s", assign->name)), &step->aggregates);
    }
    fold_aggregates(f, step);
    struct mesh_gen_shape *shape = changed(f, f->shape);
    for (size_t w = 0; w < step->windows.n; w++) {
        for (size_t k = 0; k < step->assigns.n; k++) {
            struct mesh_model_assign named = step->assigns.v[k];
            named.name = mesh_arena_printf(c->arena, "%s_%s", named.name, step->windows.v[w].name);
            const struct mesh_gen_member *taken = mesh_gen_shape_member(shape, named.name);
            if (taken != NULL) {
                struct mesh_diag *diag =
                    mesh_diag_add(c->diags, MESH_ERROR, "MG009", named.at, "the record has a member '%s' already", named.name);
                mesh_diag_why(c->diags, diag, "'%s' over window '%s' is the member '%s'", step->assigns.v[k].name,
                              step->windows.v[w].name, named.name);
                mesh_diag_fix(c->diags, diag, "rename the value or the window");
                mesh_diag_note(c->diags, diag, taken->at, "'%s' comes from here", named.name);
            }
            mesh_shape_put(c, shape, mesh_shape_assigned(c, &named, mesh_arena_printf(c->arena, "streams.%s", f->stream->name)));
        }
    }
    goes_on(f, step, shape);
}

static void step_rises(struct flow *f, struct mesh_model_step *step, size_t i)
{
    if (f->stream->from.n != 1 || f->stream->from.v[0].kind != MESH_FROM_CHANGES) {
        struct mesh_diag *diag =
            mesh_diag_add(f->c->diags, MESH_ERROR, "MG022", step->at, "'rises' works on the changes of a view only");
        mesh_diag_why(f->c->diags, diag, "it remembers, per row of the view, whether the condition held");
        mesh_diag_fix(f->c->diags, diag, "read 'from: { changes: VIEW }'");
    }
    mesh_check_expr(f->c, step->where, &f->scope, MESH_GEN_BOOL, place(f, i, "rises.when"));
    if (step->rearm != NULL)
        mesh_check_expr(f->c, step->rearm, &f->scope, MESH_GEN_BOOL, place(f, i, "rises.rearm"));
}

static void check_step(struct flow *f, struct mesh_model_step *step, size_t i)
{
    step->shape_after = f->shape;
    switch (step->kind) {
    case MESH_STEP_WHERE:
        step_where(f, step, i);
        break;
    case MESH_STEP_DEDUPE:
        mesh_check_keys(f->c, step->by.v, step->by.n, &f->scope, place(f, i, "dedupe.by"));
        break;
    case MESH_STEP_JOIN:
        step_join(f, step, i);
        break;
    case MESH_STEP_SET:
    case MESH_STEP_SELECT:
        step_assign(f, step, i);
        break;
    case MESH_STEP_FOLD:
        step_fold(f, step, i);
        break;
    case MESH_STEP_RISES:
        step_rises(f, step, i);
        break;
    case MESH_STEP_FLATTEN:
        if (!mesh_check_flatten(f->c, f->stream, step, f->shape, &f->scope))
            f->shape = NULL;
        break;
    }
}

/* ---- what comes in ---- */

static void report_union(struct flow *f, const struct mesh_model_from *from, const struct mesh_gen_shape *first,
                         const struct mesh_gen_shape *other, const char *name)
{
    struct mesh_checker *c = f->c;
    const struct mesh_gen_member *a = mesh_gen_shape_member(first, name);
    const struct mesh_gen_member *b = mesh_gen_shape_member(other, name);
    struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG015", from->at, "'%s' and '%s' have different members",
                                           f->stream->from.v[0].name, from->name);
    if (a == NULL || b == NULL)
        mesh_diag_why(c->diags, diag, "'%s' is only in '%s'; the records of a union are treated alike", name,
                      a == NULL ? from->name : f->stream->from.v[0].name);
    else
        mesh_diag_why(c->diags, diag, "'%s' is %s in '%s' and %s in '%s'", name, mesh_type_a(c, &a->type),
                      f->stream->from.v[0].name, mesh_type_a(c, &b->type), from->name);
    mesh_diag_fix(c->diags, diag, "give both the same members with a 'select' step, in streams of their own");
    if (a != NULL)
        mesh_diag_note(c->diags, diag, a->at, "'%s' of '%s'", name, f->stream->from.v[0].name);
    if (b != NULL)
        mesh_diag_note(c->diags, diag, b->at, "'%s' of '%s'", name, from->name);
}

static bool same_labels(const struct mesh_gen_shape *a, const struct mesh_gen_shape *b)
{
    for (size_t i = 0; i < a->members.n; i++) {
        const struct mesh_gen_member *other = mesh_gen_shape_member(b, a->members.v[i].name);
        if (other != NULL && other->label != a->members.v[i].label)
            return false;
    }
    return true;
}

/* A member of a union has the strictest label of its sources. */
static struct mesh_gen_shape *with_labels(struct flow *f, const struct mesh_gen_shape *a, const struct mesh_gen_shape *b)
{
    struct mesh_gen_shape *shape = changed(f, a);
    for (size_t i = 0; i < shape->members.n; i++) {
        struct mesh_gen_member *member = &shape->members.v[i];
        const struct mesh_gen_member *other = mesh_gen_shape_member(b, member->name);
        if (other == NULL || mesh_label_join(member->label, other->label) == member->label)
            continue;
        member->label = other->label;
        member->subject = other->subject;
        member->origin = other->origin;
        member->at = other->at;
    }
    return shape;
}

static struct mesh_gen_shape *shape_of_sources(struct flow *f)
{
    struct mesh_gen_shape *shape = NULL;
    for (size_t i = 0; i < f->stream->from.n; i++) {
        const char *const *narrowed = NULL;
        size_t n = 0;
        const struct mesh_gen_shape *source = mesh_check_source(&f->stream->from.v[i], &narrowed, &n);
        if (source == NULL)
            return NULL;
        if (i == 0) {
            shape = (struct mesh_gen_shape *)(uintptr_t)source;
            mesh_scope_narrow(f->c, &f->scope, NULL, narrowed, n);
            continue;
        }
        const char *differs = NULL;
        if (!mesh_shape_same(shape, source, &differs)) {
            report_union(f, &f->stream->from.v[i], shape, source, differs);
            return NULL;
        }
        if (!same_labels(shape, source))
            shape = with_labels(f, shape, source);
        size_t kept = 0; /* there in all of them */
        for (size_t k = 0; k < f->scope.narrowed.n; k++) {
            bool also = false;
            for (size_t m = 0; m < n; m++)
                also = also || strcmp(narrowed[m], f->scope.narrowed.v[k]) == 0;
            if (also)
                f->scope.narrowed.v[kept++] = f->scope.narrowed.v[k];
        }
        f->scope.narrowed.n = kept;
    }
    return shape;
}

static void from_changes(struct flow *f)
{
    struct mesh_checker *c = f->c;
    const struct mesh_model_from *from = &f->stream->from.v[0];
    const struct mesh_gen_shape *row = from->view == NULL ? NULL : from->view->shape;
    f->shape = NULL;
    if (row == NULL)
        return;
    f->stream->shape_old = mesh_shape_copy(c, row, mesh_arena_printf(c->arena, "%s_old", f->stream->name), true);
    mesh_scope_namespace(c, &f->scope, "old", f->stream->shape_old, "old->", from->at);
    mesh_scope_namespace(c, &f->scope, "new", row, "now->", from->at);
    f->shape = mesh_shape_new(c, mesh_arena_printf(c->arena, "%s_in", f->stream->name));
}

static void check_end(struct flow *f)
{
    struct mesh_checker *c = f->c;
    struct mesh_model_stream *stream = f->stream;
    if (f->shape != NULL && f->shape->members.n == 0) {
        struct mesh_diag *diag =
            mesh_diag_add(c->diags, MESH_ERROR, "MG022", stream->at, "the records of '%s' are empty", stream->name);
        mesh_diag_why(c->diags, diag, "a change of a view has the rows 'old' and 'new', but is no record yet");
        mesh_diag_fix(c->diags, diag, "end with a 'select' step that says what the record is");
        f->shape = NULL;
    }
    for (size_t i = 0; i < f->scope.narrowed.n; i++) {
        if (strchr(f->scope.narrowed.v[i], '.') == NULL)
            *mesh_vec_push_in(c->arena, &stream->narrowed) = f->scope.narrowed.v[i];
    }
    if (f->shape != NULL && f->shape != stream->shape_in && f->n_made > 0)
        f->shape->cname = stream->name;
    stream->shape = f->shape;
}

/* `missing: keep` reads a copy of the table's shape: what was read of the copy is read of the table. */
static void use_tables(const struct mesh_model_stream *stream)
{
    for (size_t i = 0; i < stream->steps.n; i++) {
        const struct mesh_model_step *step = &stream->steps.v[i];
        if (step->kind != MESH_STEP_JOIN || step->shape_joined == NULL || step->table == NULL ||
            step->shape_joined == step->table->shape)
            continue;
        for (size_t k = 0; k < step->shape_joined->members.n; k++) {
            if (step->shape_joined->members.v[k].used)
                mesh_gen_shape_member(step->table->shape, step->shape_joined->members.v[k].name)->used = true;
        }
    }
}

void mesh_check_stream(struct mesh_checker *c, struct mesh_model_stream *stream)
{
    struct mesh_scope base;
    struct flow f = {.c = c, .stream = stream};
    mesh_scope_base(c, &base);
    f.scope.parent = &base;
    f.scope.c_prefix = "r->";
    if (stream->from.n == 0)
        return;
    if (stream->from.v[0].kind == MESH_FROM_CHANGES)
        from_changes(&f);
    else
        f.shape = shape_of_sources(&f);
    stream->shape_in = f.shape;
    f.scope.shape = f.shape;
    for (size_t i = 0; i < stream->steps.n && f.shape != NULL; i++)
        check_step(&f, &stream->steps.v[i], i);
    use_tables(stream);
    if (f.shape == NULL)
        return;
    if (!stream->has_pattern && stream->emit.n > 0) {
        struct mesh_diag *diag = mesh_diag_add(c->diags, MESH_ERROR, "MG005", mesh_check_key_at(stream->yaml, "emit", stream->at),
                                               "'emit' belongs to a pattern");
        mesh_diag_why(c->diags, diag, "it says what record a complete pattern gives");
        mesh_diag_fix(c->diags, diag, "write '- select:' as the last step, or add 'pattern:'");
    }
    if (stream->has_pattern)
        mesh_check_pattern(c, stream, &f.scope);
    else
        check_end(&f);
}
