/* The order is one list of members: those of `sort`, then the begin of the window and the key, which no two rows share. */
#include "http/select.h"

#include "base/check.h"
#include "base/diag.h"
#include "base/text.h"
#include "io/border.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const op_names[] = {[MESH_HTTP_EQ] = "eq",   [MESH_HTTP_NE] = "ne", [MESH_HTTP_LT] = "lt",
                                       [MESH_HTTP_LTE] = "lte", [MESH_HTTP_GT] = "gt", [MESH_HTTP_GTE] = "gte"};

/* ---- values ---- */
static struct mesh_http_value value_of(const struct mesh_field *field, const void *row)
{
    struct mesh_http_value v = {.there = mesh_member_present(field, row)};
    if (!v.there)
        return v;
    switch (field->type) {
    case MESH_BOOL:
        v.n = mesh_member_bool(field, row);
        break;
    case MESH_DOUBLE:
        v.d = mesh_member_double(field, row);
        v.there = isfinite(v.d); /* shown as null */
        break;
    case MESH_DECIMAL:
        v.dec = mesh_member_dec(field, row);
        break;
    case MESH_STRING:
    case MESH_BYTES:
        v.text = mesh_member_str(field, row);
        break;
    case MESH_ENUM: {
        int32_t symbol = 0;
        memcpy(&symbol, (const char *)row + field->offset, sizeof symbol);
        v.n = symbol;
        break;
    }
    case MESH_INT:
    case MESH_LONG:
    case MESH_TIMESTAMP:
    case MESH_DURATION:
    case MESH_DATE:
    case MESH_TYPE_COUNT:
        v.n = mesh_member_long(field, row);
        break;
    }
    return v;
}

static int compare(enum mesh_type type, const struct mesh_http_value *a, const struct mesh_http_value *b)
{
    switch (type) {
    case MESH_DOUBLE:
        return (a->d > b->d) - (a->d < b->d);
    case MESH_DECIMAL:
        return (a->dec > b->dec) - (a->dec < b->dec);
    case MESH_STRING:
    case MESH_BYTES:
        return mesh_str_cmp(a->text, b->text);
    case MESH_BOOL:
    case MESH_INT:
    case MESH_LONG:
    case MESH_ENUM:
    case MESH_TIMESTAMP:
    case MESH_DURATION:
    case MESH_DATE:
    case MESH_TYPE_COUNT:
        break;
    }
    return (a->n > b->n) - (a->n < b->n);
}

/* What a value of this member must be; NULL: it was one. */
static const char *parse(const struct mesh_field *field, struct mesh_str text, struct mesh_http_value *ret)
{
    int64_t sign = 1;
    ret->there = true;
    switch (field->type) {
    case MESH_BOOL:
        ret->n = mesh_str_eq(text, MESH_STR("true"));
        return ret->n == 1 || mesh_str_eq(text, MESH_STR("false")) ? NULL : "true or false";
    case MESH_INT:
    case MESH_LONG:
        return mesh_text_parse_long(text, &ret->n) == 0 ? NULL : "a whole number";
    case MESH_DOUBLE:
        return mesh_text_parse_double(text, &ret->d) == 0 && isfinite(ret->d) ? NULL : "a number";
    case MESH_DECIMAL:
        return mesh_text_parse_dec(text, field->scale, &ret->dec) == 0 ? NULL : "a decimal with no more digits than the rows show";
    case MESH_STRING:
        ret->text = text;
        return NULL;
    case MESH_ENUM:
        for (int32_t i = 0; field->symbols[i] != NULL; i++)
            if (mesh_str_eq(text, mesh_str_of(field->symbols[i]))) {
                ret->n = i;
                return NULL;
            }
        return "one of its symbols (/openapi.json)";
    case MESH_TIMESTAMP:
        return mesh_text_parse_time(text, &ret->n) == 0 ? NULL : "a time as 2026-11-21T00:00:00Z";
    case MESH_DATE:
        return text.n == 10 && mesh_text_parse_time(text, &ret->n) == 0 ? NULL : "a day as 2026-11-21";
    case MESH_DURATION:
        if (text.n > 0 && text.p[0] == '-') {
            sign = -1;
            text = (struct mesh_str){text.p + 1, text.n - 1};
        }
        if (mesh_text_parse_duration(text, &ret->n) != 0)
            return "a duration as 1h30m";
        ret->n *= sign;
        return NULL;
    case MESH_BYTES:
    case MESH_TYPE_COUNT:
        break;
    }
    return "nothing: bytes are not compared";
}

/* ---- reading ---- */
/* The member of this name that the port shows; n_out: none. */
static uint32_t member_of(const struct mesh_http_shape *shape, struct mesh_str name)
{
    uint32_t i = 0;
    while (i < shape->n_out && (!mesh_http_shows(shape, i) || !mesh_str_eq(name, mesh_str_of(shape->out[i].name))))
        i++;
    return i;
}

/* Whether it may decide about rows. */
static bool may_decide(const struct mesh_http_shape *shape, uint32_t i, const char *pointer, struct mesh_http_problem *problem)
{
    if (mesh_border_rule(shape->out, shape->protect, i) != MESH_AS_IS) {
        mesh_http_problem_add(problem, pointer, "'%s' is protected here: rows are neither chosen nor sorted by it",
                              shape->out[i].name);
        return false;
    }
    if (shape->out[i].type == MESH_BYTES) {
        mesh_http_problem_add(problem, pointer, "'%s' is bytes, which are not compared", shape->out[i].name);
        return false;
    }
    return true;
}

static void no_member(const struct mesh_http_shape *shape, struct mesh_str name, struct mesh_http_problem *problem)
{
    const char *shown[MESH_HTTP_FIELDS_MAX];
    size_t n = 0;
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(name.n > 60 ? 60 : name.n), name.p);
    for (uint32_t i = 0; i < shape->n_out && n < MESH_HTTP_FIELDS_MAX; i++)
        if (mesh_http_shows(shape, i))
            shown[n++] = shape->out[i].name;
    const char *meant = mesh_did_you_mean(word, shown, n);
    if (meant != NULL)
        mesh_http_problem_add(problem, "/query/sort", "there is no field '%s', did you mean '%s'?", word, meant);
    else
        mesh_http_problem_add(problem, "/query/sort", "there is no field '%s' at this port", word);
}

static void add_sort(const struct mesh_http_shape *shape, struct mesh_str name, struct mesh_http_select *ret,
                     struct mesh_http_problem *problem)
{
    bool down = name.n > 0 && name.p[0] == '-';
    if (down)
        name = (struct mesh_str){name.p + 1, name.n - 1};
    uint32_t i = member_of(shape, name);
    if (i == shape->n_out) {
        no_member(shape, name, problem);
        return;
    }
    if (!may_decide(shape, i, "/query/sort", problem))
        return;
    for (uint32_t k = 0; k < ret->n_sort; k++)
        if (ret->sort[k].i == i)
            return; /* what comes first has decided; OpenAPI cannot say that n and -n exclude each other */
    if (ret->n_sort == MESH_HTTP_SORT_MAX) {
        mesh_http_problem_add(problem, "/query/sort", "names more than %d fields", MESH_HTTP_SORT_MAX);
        return;
    }
    ret->sort[ret->n_sort].i = (uint16_t)i;
    ret->sort[ret->n_sort++].down = down;
}

void mesh_http_select_sort(const struct mesh_http_shape *shape, struct mesh_str text, struct mesh_http_select *ret,
                           struct mesh_http_problem *problem)
{
    for (uint32_t at = 0; at <= text.n;) {
        uint32_t end = at;
        while (end < text.n && text.p[end] != ',')
            end++;
        add_sort(shape, (struct mesh_str){text.p + at, end - at}, ret, problem);
        at = end + 1;
    }
}

/* Takes ".gte" off the end of the name. */
static enum mesh_http_op take_op(struct mesh_str *name)
{
    for (size_t op = 0; op < MESH_LEN(op_names); op++) {
        uint32_t n = (uint32_t)strlen(op_names[op]);
        if (name->n > n + 1 && name->p[name->n - n - 1] == '.' && memcmp(name->p + name->n - n, op_names[op], n) == 0) {
            name->n -= n + 1;
            return (enum mesh_http_op)op;
        }
    }
    return MESH_HTTP_EQ;
}

bool mesh_http_select_condition(const struct mesh_http_shape *shape, struct mesh_str name, struct mesh_str value,
                                struct mesh_http_select *ret, struct mesh_http_problem *problem)
{
    char pointer[96];
    snprintf(pointer, sizeof pointer, "/query/%.*s", (int)(name.n > 80 ? 80 : name.n), name.p);
    enum mesh_http_op op = take_op(&name);
    uint32_t i = member_of(shape, name);
    if (i == shape->n_out)
        return false;
    const struct mesh_field *field = &shape->out[i];
    if (!may_decide(shape, i, pointer, problem))
        return true;
    struct mesh_http_value v = {0};
    const char *must_be = parse(field, value, &v);
    if (must_be != NULL)
        mesh_http_problem_add(problem, pointer, "must be %s", must_be);
    else if (field->type == MESH_ENUM && op > MESH_HTTP_NE)
        mesh_http_problem_add(problem, pointer, "symbols are compared with eq and ne alone");
    else if (ret->n_conditions == MESH_HTTP_CONDITIONS_MAX)
        mesh_http_problem_add(problem, pointer, "is one condition more than %d", MESH_HTTP_CONDITIONS_MAX);
    else {
        ret->conditions[ret->n_conditions].i = (uint16_t)i;
        ret->conditions[ret->n_conditions].op = op;
        ret->conditions[ret->n_conditions].value = v;
        ret->conditions[ret->n_conditions++].text = value;
    }
    return true;
}

void mesh_http_select_purpose(const struct mesh_http_select *select, struct mesh_buf *out)
{
    for (uint32_t i = 0; i < select->n_sort; i++)
        mesh_buf_printf(out, " %s%u", select->sort[i].down ? "-" : "", (unsigned)select->sort[i].i);
    for (uint32_t i = 0; i < select->n_conditions; i++) {
        mesh_buf_printf(out, " %u %s %u ", (unsigned)select->conditions[i].i, op_names[select->conditions[i].op],
                        (unsigned)select->conditions[i].text.n);
        mesh_buf_str(out, select->conditions[i].text);
    }
}

/* ---- the order ---- */
struct order {
    const struct mesh_view *view;
    struct {
        const struct mesh_field *field;
        bool down;
    } by[MESH_HTTP_SORT_MAX + 1 + MESH_HTTP_KEY_MEMBERS_MAX];
    uint32_t n;
};

static void add_member(struct order *order, const struct mesh_field *field, bool down)
{
    mesh_assert(order->n < MESH_LEN(order->by));
    order->by[order->n].field = field;
    order->by[order->n++].down = down;
}

static struct order order_of(const struct mesh_http_select *select, const struct mesh_view *view)
{
    struct order order = {.view = view};
    for (uint32_t i = 0; i < select->n_sort; i++)
        add_member(&order, &view->out[select->sort[i].i], select->sort[i].down);
    if (view->window != MESH_WINDOW_NONE)
        add_member(&order, &view->out[view->n_key], false); /* window_start, behind the key */
    for (uint32_t i = 0; i < view->n_key; i++)
        add_member(&order, &view->out[i], false);
    return order;
}

static int compare_member(const struct order *order, uint32_t i, const struct mesh_http_value *a, const struct mesh_http_value *b)
{
    if (!a->there || !b->there)
        return (int)b->there - (int)a->there;
    int c = compare(order->by[i].field->type, a, b);
    return order->by[i].down ? -c : c;
}

static int compare_rows(const struct order *order, const void *a, const void *b)
{
    for (uint32_t i = 0; i < order->n; i++) {
        struct mesh_http_value x = value_of(order->by[i].field, a), y = value_of(order->by[i].field, b);
        int c = compare_member(order, i, &x, &y);
        if (c != 0)
            return c;
    }
    return 0;
}

/* ---- places ---- */
void mesh_http_select_place(const struct mesh_http_select *select, const struct mesh_view *view, const void *row,
                            struct mesh_buf *out)
{
    struct order order = order_of(select, view);
    for (uint32_t i = 0; i < order.n; i++) {
        struct mesh_http_value v = value_of(order.by[i].field, row);
        mesh_buf_u8(out, v.there);
        mesh_buf_zigzag(out, v.n);
        mesh_buf_add(out, &v.d, sizeof v.d);
        mesh_buf_add(out, &v.dec, sizeof v.dec);
        mesh_buf_slice(out, v.text);
    }
}

static bool read_place(const struct order *order, struct mesh_str place, struct mesh_http_value *ret)
{
    struct mesh_cursor in = mesh_cursor_of(place.p, place.n);
    for (uint32_t i = 0; i < order->n; i++) {
        ret[i].there = mesh_get_u8(&in) != 0;
        ret[i].n = mesh_get_zigzag(&in);
        if (in.bad || (size_t)(in.end - in.p) < sizeof ret[i].d + sizeof ret[i].dec)
            return false;
        memcpy(&ret[i].d, in.p, sizeof ret[i].d);
        memcpy(&ret[i].dec, in.p + sizeof ret[i].d, sizeof ret[i].dec);
        in.p += sizeof ret[i].d + sizeof ret[i].dec;
        ret[i].text = mesh_get_slice(&in);
    }
    return !in.bad && in.p == in.end;
}

/* ---- choosing ---- */
static bool holds(enum mesh_http_op op, int c)
{
    switch (op) {
    case MESH_HTTP_EQ:
        return c == 0;
    case MESH_HTTP_NE:
        return c != 0;
    case MESH_HTTP_LT:
        return c < 0;
    case MESH_HTTP_LTE:
        return c <= 0;
    case MESH_HTTP_GT:
        return c > 0;
    case MESH_HTTP_GTE:
        return c >= 0;
    }
    return false;
}

static bool meets(const struct mesh_http_select *select, const struct mesh_view *view, const void *row)
{
    for (uint32_t i = 0; i < select->n_conditions; i++) {
        const struct mesh_field *field = &view->out[select->conditions[i].i];
        struct mesh_http_value v = value_of(field, row);
        bool ok = v.there ? holds(select->conditions[i].op, compare(field->type, &v, &select->conditions[i].value))
                          : select->conditions[i].op == MESH_HTTP_NE;
        if (!ok)
            return false;
    }
    return true;
}

static bool is_behind(const struct order *order, const void *row, const struct mesh_http_value *place)
{
    for (uint32_t i = 0; i < order->n; i++) {
        struct mesh_http_value v = value_of(order->by[i].field, row);
        int c = compare_member(order, i, &v, &place[i]);
        if (c != 0)
            return c > 0;
    }
    return false;
}

struct candidate {
    const void *row;
    const struct order *order;
    uint32_t i;
};

static int by_order(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return compare_rows(x->order, x->row, y->row);
}

bool mesh_http_select_rows(const struct mesh_http_select *select, const struct mesh_view *view, const struct mesh_rows *rows,
                           struct mesh_str after, uint32_t limit, struct mesh_arena *arena, struct mesh_http_selected *ret)
{
    struct order order = order_of(select, view);
    struct mesh_http_value place[MESH_LEN(order.by)];
    *ret = (struct mesh_http_selected){0};
    if (after.n > 0 && !read_place(&order, after, place))
        return false;
    struct candidate *all = mesh_xmalloc((rows->n + 1) * sizeof *all);
    size_t n = 0;
    for (size_t i = 0; i < rows->n; i++) {
        const void *row = rows->rows.p + i * view->out_size;
        if (!meets(select, view, row))
            continue;
        ret->count++;
        if (after.n == 0 || is_behind(&order, row, place))
            all[n++] = (struct candidate){row, &order, (uint32_t)i};
    }
    if (n > 0)
        qsort(all, n, sizeof *all, by_order);
    ret->more = n > limit;
    ret->n = n < limit ? n : limit;
    ret->rows = mesh_arena_alloc(arena, (ret->n + 1) * sizeof *ret->rows);
    for (size_t i = 0; i < ret->n; i++)
        ret->rows[i] = all[i].i;
    free(all);
    return true;
}
