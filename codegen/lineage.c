/* A walk back over places: fields of streams, columns of views, conditions. What was met is a place of the result, so that what is
 * read on many ways is followed once; the edge is noted each time. An expression hands out members, not names; a member belongs to
 * the shape of the place where the expression stands, or to a joined table, which is known by the member's address. */
#include "codegen/lineage.h"

#include <string.h>

#define STEP_EMIT SIZE_MAX /* behind the pattern, or the last step */

struct walk {
    struct mesh_arena *arena;
    const struct mesh_model_product *product;
    struct mesh_lineage *ret;
    size_t at; /* the place that reads */
};

/* Where an expression stands. */
struct reader {
    struct walk *walk;
    const struct mesh_model_stream *stream; /* with the record as it is in front of step `step` ... */
    size_t step;
    const struct mesh_model_view *view; /* ... or a view, in an expression over the records of `from` (NULL: over columns) */
    const struct mesh_model_from *from;
    bool direct;
};

static void stream_field(struct walk *w, const struct mesh_model_stream *stream, size_t step, const char *name, bool direct);
static void stream_decides(struct walk *w, const struct mesh_model_stream *stream);
static void view_field(struct walk *w, const struct mesh_model_view *view, const char *name, bool direct);
static void view_decides(struct walk *w, const struct mesh_model_view *view);

static void add_edge(struct walk *w, size_t from, bool direct)
{
    for (size_t i = 0; i < w->ret->edges.n; i++) {
        struct mesh_lineage_edge *edge = &w->ret->edges.v[i];
        if (edge->from == from && edge->to == w->at) {
            edge->direct = edge->direct || direct;
            return;
        }
    }
    *mesh_vec_push_in(w->arena, &w->ret->edges) = (struct mesh_lineage_edge){from, w->at, direct};
}

/* The reader at hand reads this place. True: it is new, or new as a direct one, and what it reads is still to be followed, with
 * w->at = *ret_at. */
static bool enter(struct walk *w, const struct mesh_lineage_place *place, size_t *ret_at)
{
    size_t at = 0;
    while (at < w->ret->places.n &&
           (w->ret->places.v[at].owner != place->owner || strcmp(w->ret->places.v[at].name, place->name) != 0))
        at++;
    bool is_new = at == w->ret->places.n;
    if (is_new)
        *mesh_vec_push_in(w->arena, &w->ret->places) = *place;
    add_edge(w, at, place->direct);
    *ret_at = at; /* may be &w->at */
    if (is_new || w->ret->places.v[at].direct || !place->direct)
        return is_new;
    w->ret->places.v[at].direct = true;
    return true;
}

static const char *printed(struct walk *w, const struct mesh_expr *expr)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (expr == NULL)
        return NULL;
    mesh_expr_print(expr, &text);
    return mesh_arena_strdup(w->arena, text.p);
}

static void input_field(struct walk *w, const struct mesh_model_input *input, const char *name, bool direct)
{
    if (name == NULL || mesh_gen_shape_member(input->shape, name) == NULL)
        return;
    size_t at = 0;
    enter(w,
          &(struct mesh_lineage_place){.kind = MESH_LINEAGE_INPUT,
                                       .name = mesh_arena_printf(w->arena, "inputPorts.%s.%s", input->name, name),
                                       .at = input->at,
                                       .input = input,
                                       .field = name,
                                       .owner = input,
                                       .direct = direct},
          &at);
    for (size_t i = 0; i < w->ret->sources.n; i++) {
        struct mesh_lineage_source *source = &w->ret->sources.v[i];
        if (source->input == input && strcmp(source->field, name) == 0) {
            source->direct = source->direct || direct;
            return;
        }
    }
    *mesh_vec_push_in(w->arena, &w->ret->sources) = (struct mesh_lineage_source){input, name, direct};
}

/* ---- sources of streams and views ---- */

static void from_field(struct walk *w, const struct mesh_model_from *from, const char *name, bool direct)
{
    if (from->kind == MESH_FROM_INPUT)
        input_field(w, from->input, name, direct);
    else if (from->kind == MESH_FROM_STREAM)
        stream_field(w, from->stream, STEP_EMIT, name, direct);
    else
        view_field(w, from->view, name, direct);
}

static void from_decides(struct walk *w, const struct mesh_model_from *from)
{
    if (from->kind == MESH_FROM_STREAM)
        stream_decides(w, from->stream);
    else if (from->kind == MESH_FROM_CHANGES)
        view_decides(w, from->view);
}

static void event_times(struct walk *w, const struct mesh_model_from *from, size_t n, bool direct)
{
    for (size_t i = 0; i < n; i++) {
        if (from[i].kind == MESH_FROM_INPUT)
            input_field(w, from[i].input, from[i].input->event_time.text, direct);
        else if (from[i].kind == MESH_FROM_STREAM)
            event_times(w, from[i].stream->from.v, from[i].stream->from.n, direct);
        else
            event_times(w, from[i].view->from.v, from[i].view->from.n, direct);
    }
}

/* ---- expressions ---- */

static bool is_of(const struct mesh_gen_shape *shape, const struct mesh_gen_member *member)
{
    return shape != NULL && mesh_gen_shape_member(shape, member->name) == member;
}

/* The table of a join in front of the reader's step whose row has this member. */
static const struct mesh_model_input *joined(const struct reader *r, const struct mesh_gen_member *member)
{
    const struct mesh_model_stream *stream = r->stream;
    for (size_t i = 0; i < stream->steps.n && i < r->step; i++) {
        const struct mesh_model_step *step = &stream->steps.v[i];
        if (step->kind == MESH_STEP_JOIN && step->table != NULL &&
            (is_of(step->shape_joined, member) || is_of(step->table->shape, member)))
            return step->table;
    }
    return NULL;
}

/* The stream of such a join. */
static const struct mesh_model_stream *joined_stream(const struct reader *r, const struct mesh_gen_member *member)
{
    for (size_t i = 0; i < r->stream->steps.n && i < r->step; i++)
        if (mesh_model_joins_stream(&r->stream->steps.v[i]) && is_of(r->stream->steps.v[i].shape_joined, member))
            return r->stream->steps.v[i].other.stream;
    return NULL;
}

/* The array whose items have this member. */
static const char *flattened(const struct reader *r, const struct mesh_gen_member *member)
{
    for (size_t i = 0; i < r->stream->steps.n && i < r->step; i++)
        if (r->stream->steps.v[i].kind == MESH_STEP_FLATTEN && is_of(r->stream->steps.v[i].shape_joined, member))
            return r->stream->steps.v[i].array.text;
    return NULL;
}

/* `old` and `new` of a stream that reads the changes of a view. */
static const struct mesh_model_view *changed(const struct mesh_model_stream *stream, const struct mesh_gen_member *member)
{
    const struct mesh_model_from *from = &stream->from.v[0];
    if (stream->from.n != 1 || from->kind != MESH_FROM_CHANGES)
        return NULL;
    return is_of(stream->shape_old, member) || is_of(from->view->shape, member) ? from->view : NULL;
}

static void read_member(void *context, const struct mesh_gen_member *member)
{
    const struct reader *r = context;
    struct walk *w = r->walk;
    if (member->origin != NULL && strncmp(member->origin, "meta.", 5) == 0) {
        if (strcmp(member->origin, "meta.time") != 0)
            return;
        if (r->stream != NULL)
            event_times(w, r->stream->from.v, r->stream->from.n, r->direct);
        else if (r->from != NULL)
            event_times(w, r->from, 1, r->direct);
    } else if (r->stream != NULL) {
        const struct mesh_model_input *table = joined(r, member);
        const struct mesh_model_stream *other = joined_stream(r, member);
        const struct mesh_model_view *view = changed(r->stream, member);
        const char *array = flattened(r, member);
        if (array != NULL)
            stream_field(w, r->stream, r->step, array, r->direct);
        else if (other != NULL)
            stream_field(w, other, STEP_EMIT, member->name, r->direct);
        else if (table != NULL)
            input_field(w, table, member->name, r->direct);
        else if (view != NULL)
            view_field(w, view, member->name, r->direct);
        else
            stream_field(w, r->stream, r->step, member->name, r->direct);
    } else if (r->from == NULL || is_of(r->view->shape, member)) {
        view_field(w, r->view, member->name, r->direct);
    } else {
        from_field(w, r->from, member->name, r->direct);
    }
}

static void read_expr(struct reader r, const struct mesh_expr *expr)
{
    const char *subject = NULL;
    if (expr != NULL)
        mesh_expr_label(expr, &subject, read_member, &r);
}

static void read_stream_expr(struct walk *w, const struct mesh_model_stream *stream, size_t step, const struct mesh_expr *expr,
                             bool direct)
{
    read_expr((struct reader){.walk = w, .stream = stream, .step = step, .direct = direct}, expr);
}

/* ---- aggregates: the emitter names those of an expression ---- */

struct used {
    struct mesh_arena *arena;
    MESH_VEC(const struct mesh_aggregate *) list;
};

static void use_aggregate(void *context, const struct mesh_aggregate *aggregate, struct mesh_buf *out)
{
    struct used *used = context;
    mesh_buf_putc(out, '0');
    *mesh_vec_push_in(used->arena, &used->list) = aggregate;
}

static struct used aggregates_of(struct walk *w, const struct mesh_expr *expr)
{
    struct used used = {.arena = w->arena};
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_expr_aggregate_c c = {use_aggregate, use_aggregate, &used};
    mesh_expr_emit_let(expr, &c, &text);
    mesh_expr_emit_let_present(expr, &c, &text);
    return used;
}

/* A member that the expression reads beside its aggregates: an earlier name of the same `let`. */
struct earlier {
    struct walk *walk;
    const char *origin; /* "views.sales." */
    MESH_VEC(const char *) names;
};

static void find_earlier(void *context, const struct mesh_gen_member *member)
{
    struct earlier *earlier = context;
    if (member->origin != NULL && strncmp(member->origin, earlier->origin, strlen(earlier->origin)) == 0)
        *mesh_vec_push_in(earlier->walk->arena, &earlier->names) = member->name;
}

/* ---- streams ---- */

static const struct mesh_model_assign *assign_of(const struct mesh_model_assign *assigns, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(assigns[i].name, name) == 0)
            return &assigns[i];
    return NULL;
}

/* "n_d7" of a fold: its let "n", over the window "d7". */
static const struct mesh_model_assign *fold_assign_of(struct walk *w, const struct mesh_model_step *step, const char *name)
{
    for (size_t i = 0; i < step->windows.n; i++)
        for (size_t k = 0; k < step->assigns.n; k++)
            if (strcmp(name, mesh_arena_printf(w->arena, "%s_%s", step->assigns.v[k].name, step->windows.v[i].name)) == 0)
                return &step->assigns.v[k];
    return NULL;
}

static void fold_field(struct walk *w, const struct mesh_model_stream *stream, size_t at, const struct mesh_expr *expr, bool direct)
{
    const struct mesh_model_step *step = &stream->steps.v[at];
    struct used used = aggregates_of(w, expr);
    for (size_t i = 0; i < used.list.n; i++) {
        read_stream_expr(w, stream, at, used.list.v[i]->arg, direct);
        read_stream_expr(w, stream, at, used.list.v[i]->cond, false);
    }
    for (size_t i = 0; i < step->by.n; i++)
        read_stream_expr(w, stream, at, step->by.v[i], false);
    event_times(w, stream->from.v, stream->from.n, false);
}

/* Where the stream computes a member: the assignment, and the step it stands in (steps.n: the pattern's emit). False: it comes with
 * the record. */
struct origin {
    const struct mesh_model_assign *assign;
    size_t step;
    bool fold, emit;
};

static bool computed(struct walk *w, const struct mesh_model_stream *stream, size_t step, const char *name, struct origin *ret)
{
    *ret = (struct origin){.step = stream->steps.n, .emit = step == STEP_EMIT && stream->has_pattern};
    if (ret->emit) {
        ret->assign = assign_of(stream->emit.v, stream->emit.n, name);
        return true;
    }
    for (size_t at = step < stream->steps.n ? step : stream->steps.n; at > 0; at--) {
        const struct mesh_model_step *one = &stream->steps.v[at - 1];
        ret->step = at - 1;
        if (one->kind == MESH_STEP_SET || one->kind == MESH_STEP_SELECT)
            ret->assign = assign_of(one->assigns.v, one->assigns.n, name);
        else if (one->kind == MESH_STEP_FOLD)
            ret->assign = fold_assign_of(w, one, name);
        ret->fold = one->kind == MESH_STEP_FOLD;
        if (ret->assign != NULL || one->kind == MESH_STEP_SELECT)
            return true;
    }
    return false;
}

static void stream_field(struct walk *w, const struct mesh_model_stream *stream, size_t step, const char *name, bool direct)
{
    struct origin origin;
    size_t reader = w->at;
    struct mesh_lineage_place place = {.kind = MESH_LINEAGE_STREAM,
                                       .name = mesh_arena_printf(w->arena, "streams.%s.%s", stream->name, name),
                                       .at = stream->at,
                                       .owner = stream,
                                       .direct = direct};
    if (computed(w, stream, step, name, &origin)) {
        if (origin.assign == NULL)
            return; /* `select` and `emit` name all that there is */
        place.text = printed(w, origin.assign->expr);
        place.at = origin.assign->at;
        place.owner = origin.assign;
        place.aggregate = origin.fold;
        if (enter(w, &place, &w->at)) {
            if (origin.fold)
                fold_field(w, stream, origin.step, origin.assign->expr, direct);
            else
                read_stream_expr(w, stream, origin.step, origin.assign->expr, direct);
        }
    } else if (step != STEP_EMIT || enter(w, &place, &w->at)) { /* a step of its own reads what came with the record */
        for (size_t i = 0; i < stream->from.n; i++)
            from_field(w, &stream->from.v[i], name, direct);
    }
    w->at = reader;
}

/* A condition: what is read until w->at is what it was decides for the reader at hand. */
static bool decides(struct walk *w, const void *owner, struct mesh_srcref at, const struct mesh_expr *expr, const char *name)
{
    struct mesh_lineage_place place = {
        .kind = MESH_LINEAGE_DECIDES, .name = name, .text = printed(w, expr), .at = at, .owner = owner};
    size_t reader = w->at;
    bool is_new = enter(w, &place, &w->at);
    if (!is_new)
        w->at = reader;
    return is_new;
}

static const char *step_word(enum mesh_step_kind kind)
{
    static const char *const words[] = {
        [MESH_STEP_WHERE] = "where",   [MESH_STEP_DEDUPE] = "dedupe", [MESH_STEP_JOIN] = "join",   [MESH_STEP_SET] = "set",
        [MESH_STEP_SELECT] = "select", [MESH_STEP_FOLD] = "fold",     [MESH_STEP_RISES] = "rises", [MESH_STEP_FLATTEN] = "flatten"};
    return words[kind];
}

static void step_decides(struct walk *w, const struct mesh_model_stream *stream, size_t i)
{
    const struct mesh_model_step *step = &stream->steps.v[i];
    size_t reader = w->at;
    bool sets = step->kind == MESH_STEP_SET || step->kind == MESH_STEP_SELECT || step->kind == MESH_STEP_FOLD;
    const char *word = step_word(step->kind);
    const char *name = step->kind == MESH_STEP_JOIN ? mesh_arena_printf(w->arena, "streams.%s join %s", stream->name, step->alias)
                                                    : mesh_arena_printf(w->arena, "streams.%s %s", stream->name, word);
    if (sets || !decides(w, step, step->at, step->where, name))
        return;
    read_stream_expr(w, stream, i, step->where, false);
    read_stream_expr(w, stream, i, step->rearm, false);
    read_stream_expr(w, stream, i, step->as_of, false);
    for (size_t k = 0; k < step->by.n; k++)
        read_stream_expr(w, stream, i, step->by.v[k], false);
    if (mesh_model_joins_stream(step)) {
        stream_field(w, step->other.stream, STEP_EMIT, step->other_by, false);
        stream_decides(w, step->other.stream);
        event_times(w, step->other.stream->from.v, step->other.stream->from.n, false);
        event_times(w, stream->from.v, stream->from.n, false);
    } else if (step->kind == MESH_STEP_JOIN) {
        input_field(w, step->table, step->table->table_by.text, false);
        input_field(w, step->table, step->table->versioned.text, false);
    } else if (step->kind == MESH_STEP_FLATTEN) {
        stream_field(w, stream, i, step->array.text, false);
    } else if (step->kind == MESH_STEP_DEDUPE) {
        event_times(w, stream->from.v, stream->from.n, false);
    }
    w->at = reader;
}

static void stream_decides(struct walk *w, const struct mesh_model_stream *stream)
{
    for (size_t i = 0; i < stream->from.n; i++)
        from_decides(w, &stream->from.v[i]);
    for (size_t i = 0; i < stream->steps.n; i++)
        step_decides(w, stream, i);
    size_t reader = w->at;
    if (!stream->has_pattern ||
        !decides(w, stream, stream->at, NULL, mesh_arena_printf(w->arena, "streams.%s pattern", stream->name)))
        return;
    for (size_t i = 0; i < stream->pattern_by.n; i++)
        read_stream_expr(w, stream, stream->steps.n, stream->pattern_by.v[i], false);
    event_times(w, stream->from.v, stream->from.n, false);
    w->at = reader;
    for (size_t i = 0; i < stream->pattern.n; i++) {
        const struct mesh_model_pattern_step *step = &stream->pattern.v[i];
        const char *name = mesh_arena_printf(w->arena, "streams.%s pattern step %s", stream->name, step->name);
        if (step->where == NULL || !decides(w, step, step->at, step->where, name))
            continue;
        read_stream_expr(w, stream, stream->steps.n, step->where, false);
        w->at = reader;
    }
}

/* ---- views ---- */

static void let_field(struct walk *w, const struct mesh_model_view *view, const struct mesh_model_assign *let, bool direct)
{
    struct used used = aggregates_of(w, let->expr);
    for (size_t i = 0; i < used.list.n; i++) {
        const struct mesh_aggregate *aggregate = used.list.v[i];
        const struct mesh_model_from *from = &view->from.v[aggregate->source < view->from.n ? aggregate->source : 0];
        read_expr((struct reader){.walk = w, .view = view, .from = from, .direct = direct}, aggregate->arg);
        read_expr((struct reader){.walk = w, .view = view, .from = from, .direct = false}, aggregate->cond);
        bool ordered = aggregate->fn == MESH_AGG_FIRST || aggregate->fn == MESH_AGG_LAST;
        event_times(w, from, ordered ? 1 : 0, false);
    }
    struct earlier earlier = {.walk = w, .origin = mesh_arena_printf(w->arena, "views.%s.", view->name)};
    const char *subject = NULL;
    mesh_expr_label(let->expr, &subject, find_earlier, &earlier);
    for (size_t i = 0; i < earlier.names.n; i++)
        view_field(w, view, earlier.names.v[i], direct);
}

static void update_field(struct walk *w, const struct mesh_model_view *view, const char *name, bool direct)
{
    for (size_t i = 0; i < view->updates.n; i++) {
        const struct mesh_model_update *update = &view->updates.v[i];
        const struct mesh_model_assign *assign = assign_of(update->assigns.v, update->assigns.n, name);
        const struct mesh_model_from *from = &view->from.v[update->source < view->from.n ? update->source : 0];
        if (assign == NULL)
            continue;
        read_expr((struct reader){.walk = w, .view = view, .from = from, .direct = direct}, assign->expr);
        event_times(w, from, 1, false);
    }
}

/* What a column says of itself: its line, and the expressions that make it. */
static struct mesh_lineage_place column(struct walk *w, const struct mesh_model_view *view, const char *name, bool direct)
{
    struct mesh_lineage_place place = {.kind = MESH_LINEAGE_VIEW,
                                       .name = mesh_arena_printf(w->arena, "views.%s.%s", view->name, name),
                                       .at = view->at,
                                       .owner = view,
                                       .direct = direct};
    const struct mesh_model_assign *let = assign_of(view->let.v, view->let.n, name);
    if (let != NULL) {
        place.text = printed(w, let->expr);
        place.at = let->at;
    }
    for (size_t i = 0; i < view->by.n; i++)
        if (strcmp(view->by.v[i], name) == 0)
            place.at = view->by_at.v[i];
    for (size_t i = 0; i < view->updates.n; i++) {
        const struct mesh_model_update *update = &view->updates.v[i];
        const struct mesh_model_assign *assign = assign_of(update->assigns.v, update->assigns.n, name);
        if (assign == NULL)
            continue;
        const char *text = printed(w, assign->expr);
        place.at = place.text == NULL ? assign->at : place.at;
        place.text = place.text == NULL ? text : mesh_arena_printf(w->arena, "%s; %s", place.text, text);
    }
    place.aggregate = place.text != NULL;
    return place;
}

static void view_field(struct walk *w, const struct mesh_model_view *view, const char *name, bool direct)
{
    struct mesh_lineage_place place = column(w, view, name, direct);
    size_t reader = w->at;
    if (enter(w, &place, &w->at)) {
        if (view->window != MESH_WINDOW_NONE && (strcmp(name, "window_start") == 0 || strcmp(name, "window_end") == 0))
            event_times(w, view->from.v, view->from.n, direct);
        for (size_t i = 0; i < view->by.n; i++)
            for (size_t k = 0; k < view->from.n && strcmp(view->by.v[i], name) == 0; k++)
                from_field(w, &view->from.v[k], name, direct);
        const struct mesh_model_assign *let = assign_of(view->let.v, view->let.n, name);
        if (let != NULL)
            let_field(w, view, let, direct);
        update_field(w, view, name, direct);
    }
    w->at = reader;
}

static void view_decides(struct walk *w, const struct mesh_model_view *view)
{
    size_t reader = w->at;
    for (size_t i = 0; i < view->from.n; i++)
        from_decides(w, &view->from.v[i]);
    if (decides(w, view, view->at, NULL, mesh_arena_printf(w->arena, "views.%s by", view->name))) {
        for (size_t i = 0; i < view->from.n; i++)
            for (size_t k = 0; k < view->by.n; k++)
                from_field(w, &view->from.v[i], view->by.v[k], false);
        w->at = reader;
    }
    if ((view->window != MESH_WINDOW_NONE || view->keep_us > 0) &&
        decides(w, view, view->at, NULL,
                mesh_arena_printf(w->arena, view->window != MESH_WINDOW_NONE ? "views.%s window" : "views.%s keep", view->name))) {
        event_times(w, view->from.v, view->from.n, false);
        w->at = reader;
    }
    if (view->remove != NULL && view->remove_source < view->from.n &&
        decides(w, view, mesh_expr_at(view->remove), view->remove, mesh_arena_printf(w->arena, "views.%s remove", view->name))) {
        read_expr((struct reader){.walk = w, .view = view, .from = &view->from.v[view->remove_source]}, view->remove);
        w->at = reader;
    }
}

/* ---- the result ---- */

static size_t place_of(const struct walk *w, const struct mesh_lineage_source *source, size_t *ret_field)
{
    size_t input = 0;
    while (input < w->product->inputs.n && w->product->inputs.v[input] != source->input)
        input++;
    const struct mesh_gen_shape *shape = source->input->shape;
    *ret_field = 0;
    while (*ret_field < shape->members.n && strcmp(shape->members.v[*ret_field].name, source->field) != 0)
        (*ret_field)++;
    return input;
}

static bool comes_before(const struct walk *w, const struct mesh_lineage_source *a, const struct mesh_lineage_source *b)
{
    size_t field_a = 0;
    size_t field_b = 0;
    size_t input_a = place_of(w, a, &field_a);
    size_t input_b = place_of(w, b, &field_b);
    return input_a != input_b ? input_a < input_b : field_a < field_b;
}

static void sort(const struct walk *w)
{
    struct mesh_lineage *ret = w->ret;
    for (size_t i = 1; i < ret->sources.n; i++)
        for (size_t k = i; k > 0 && comes_before(w, &ret->sources.v[k], &ret->sources.v[k - 1]); k--) {
            struct mesh_lineage_source source = ret->sources.v[k];
            ret->sources.v[k] = ret->sources.v[k - 1];
            ret->sources.v[k - 1] = source;
        }
}

void mesh_lineage_of_field(struct mesh_arena *arena, const struct mesh_model_product *product, const struct mesh_model_port *port,
                           const char *field, struct mesh_lineage *ret)
{
    *ret = (struct mesh_lineage){0};
    struct walk w = {.arena = arena, .product = product, .ret = ret, .at = MESH_LINEAGE_RESULT};
    if (port->view != NULL)
        view_field(&w, port->view, field, true);
    else
        stream_field(&w, port->from.stream, STEP_EMIT, field, true);
    sort(&w);
}

void mesh_lineage_of_port(struct mesh_arena *arena, const struct mesh_model_product *product, const struct mesh_model_port *port,
                          struct mesh_lineage *ret)
{
    *ret = (struct mesh_lineage){0};
    struct walk w = {.arena = arena, .product = product, .ret = ret, .at = MESH_LINEAGE_RESULT};
    if (port->view != NULL)
        view_decides(&w, port->view);
    else
        stream_decides(&w, port->from.stream);
    sort(&w);
}
