/* The row structs are laid out here as a C compiler lays them out: members in their order, each at a multiple of its alignment. */
#include "codegen/plan_bytes.h"

#include "codegen/emit_int.h"

#include <string.h>

#define SLAB_ROWS   128u
#define SLABS_ALONE 64u
#define BLOCK_BYTES ((uint64_t)2 << 20)
#define SLOT_BYTES  8u
#define SLOTS_MIN   64u
#define SLOTS_SHARE 16u

struct layout {
    size_t bytes, align, texts;
    size_t sketches; /* bytes that the row owns for them */
};

static void add(struct layout *layout, size_t size, size_t align)
{
    layout->bytes = (layout->bytes + align - 1) / align * align + size;
    layout->align = align > layout->align ? align : layout->align;
}

static void add_type(struct layout *layout, const char *c_type)
{
    static const struct {
        const char *c;
        size_t size, align;
    } types[] = {
        {"bool ", sizeof(bool), _Alignof(bool)},
        {"int32_t ", sizeof(int32_t), _Alignof(int32_t)},
        {"int64_t ", sizeof(int64_t), _Alignof(int64_t)},
        {"double ", sizeof(double), _Alignof(double)},
        {"mesh_dec ", sizeof(mesh_dec), _Alignof(mesh_dec)},
        {"struct mesh_str ", sizeof(struct mesh_str), _Alignof(struct mesh_str)},
    };
    for (size_t i = 0; i < MESH_LEN(types); i++) {
        if (strcmp(types[i].c, c_type) != 0)
            continue;
        add(layout, types[i].size, types[i].align);
        layout->texts += c_type[0] == 's' ? 1 : 0;
        return;
    }
    mesh_assert(!"a C type of members");
}

static void add_member(struct layout *layout, const struct mesh_gen_type *type, bool set)
{
    add_type(layout, mesh_emit_c_type(type));
    if (set)
        add_type(layout, "bool ");
}

static size_t size_of(const struct layout *layout)
{
    return layout->bytes == 0 ? 1 : (layout->bytes + layout->align - 1) / layout->align * layout->align;
}

/* As row_struct() of emit_views.c. */
static struct layout view_row(const struct mesh_model_view *view)
{
    struct layout layout = {.align = 1};
    for (size_t i = 0; i < view->aggregates.list.n; i++) {
        const struct mesh_aggregate *a = &view->aggregates.list.v[i];
        if (a->shared)
            continue;
        if (a->fn == MESH_AGG_DISTINCT || a->fn == MESH_AGG_QUANTILE) {
            add_type(&layout, "struct mesh_str ");
            layout.texts--; /* it is no text, and longer */
            layout.sketches += a->fn == MESH_AGG_DISTINCT ? MESH_PLAN_DISTINCT_BYTES : MESH_PLAN_QUANTILE_BYTES;
            continue;
        }
        bool one = a->fn == MESH_AGG_MIN || a->fn == MESH_AGG_MAX || a->fn == MESH_AGG_FIRST || a->fn == MESH_AGG_LAST;
        if (one) {
            add_member(&layout, &a->arg_type, true);
            continue;
        }
        if (a->fn == MESH_AGG_SUM || a->fn == MESH_AGG_AVG)
            add_type(&layout, a->arg_type.kind == MESH_GEN_DOUBLE ? "double " : "mesh_dec ");
        for (int k = 0; k < 2 && a->fn == MESH_AGG_VARIANCE; k++)
            add_type(&layout, "double ");
        if (a->fn != MESH_AGG_SUM)
            add_type(&layout, "int64_t ");
    }
    for (size_t i = 0; i < view->state.n; i++)
        add_member(&layout, &view->state.v[i].type, view->state.v[i].type.nullable);
    if (view->min_people > 0) {
        add_type(&layout, "struct mesh_str ");
        layout.texts--;
        layout.sketches += MESH_PLAN_PEOPLE_HEAD + MESH_PLAN_PERSON_BYTES * ((size_t)view->min_people - 1);
    }
    return layout;
}

static struct layout record(const struct mesh_emitter *e, const struct mesh_gen_shape *shape)
{
    struct layout layout = {.align = 1};
    const struct mesh_emit_struct *s = mesh_emit_struct_of(e, shape);
    for (size_t i = 0; i < s->members.n; i++)
        add_member(&layout, &s->members.v[i]->type, s->members.v[i]->type.nullable);
    return layout;
}

static struct layout captured(struct mesh_emitter *e, const struct mesh_plan_flow *flow)
{
    struct layout layout = {.align = 1};
    struct mesh_emit_capture *captures = NULL;
    size_t n = mesh_emit_captures(e, flow, &captures);
    for (size_t i = 0; i < n; i++)
        add_member(&layout, &captures[i].member->type, captures[i].member->type.nullable);
    return layout;
}

/* ---- keys ---- */

static void add_key(struct mesh_plan_bytes *bytes, const struct mesh_gen_type *type, bool first)
{
    uint64_t values = type->kind == MESH_GEN_BOOL ? 2 : type->kind == MESH_GEN_ENUM ? type->schema->n_symbols : 0;
    bytes->key += mesh_emit_key_bytes(type, MESH_PLAN_TEXT_BYTES);
    if (first)
        bytes->keys_max = values;
    else
        bytes->keys_max *= values;
}

static void add_exprs(struct mesh_plan_bytes *bytes, struct mesh_expr *const *by, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct mesh_gen_type type = mesh_expr_type(by[i]);
        add_key(bytes, &type, i == 0);
    }
}

static void add_view_key(struct mesh_plan_bytes *bytes, const struct mesh_model_view *view)
{
    for (size_t i = 0; i < view->by.n; i++)
        add_key(bytes, &mesh_gen_shape_member(view->shape, view->by.v[i])->type, i == 0);
}

/* ---- states ---- */

static void items(struct mesh_plan_bytes *bytes, size_t head, size_t item, size_t first, size_t fixed)
{
    bytes->payload = head;
    bytes->item = item;
    bytes->items_first = first;
    bytes->items_fixed = fixed;
}

static void of_state(struct mesh_emitter *e, const struct mesh_plan_state *state, struct mesh_plan_bytes *bytes)
{
    struct layout row = {0};
    switch (state->kind) {
    case MESH_STATE_VIEW:
        row = view_row(state->view->model);
        bytes->payload = MESH_PLAN_VIEW_HEAD + size_of(&row);
        bytes->items_fixed = row.sketches + (state->view->model->window == MESH_WINDOW_SESSION ? MESH_PLAN_SESSION_BYTES : 0);
        add_view_key(bytes, state->view->model);
        break;
    case MESH_STATE_DEDUPE:
        bytes->payload = sizeof(int64_t);
        add_exprs(bytes, state->step->by.v, state->step->by.n);
        break;
    case MESH_STATE_TABLE:
    case MESH_STATE_VERSIONS:
        row = record(e, state->table->model->shape);
        bytes->payload = size_of(&row);
        if (state->kind == MESH_STATE_VERSIONS)
            items(bytes, MESH_PLAN_VERSIONS_BYTES, MESH_PLAN_EVENT_BYTES + size_of(&row), MESH_PLAN_VERSIONS_FIRST, 0);
        add_key(bytes, &mesh_gen_shape_member(state->table->model->shape, state->table->model->table_by.text)->type, true);
        break;
    case MESH_STATE_RING: {
        size_t cells = 0;
        for (size_t i = 0; i < state->step->aggregates.list.n; i++)
            cells += mesh_emit_cells(&state->step->aggregates.list.v[i]);
        cells *= MESH_PLAN_CELL_BYTES;
        items(bytes, MESH_PLAN_RING_BYTES, MESH_PLAN_EVENT_BYTES + cells, MESH_PLAN_RING_FIRST, cells);
        add_exprs(bytes, state->step->by.v, state->step->by.n);
        break;
    }
    case MESH_STATE_PATTERN:
        row = captured(e, state->flow);
        items(bytes, MESH_PLAN_RUNS_BYTES, MESH_PLAN_RUN_BYTES + (row.bytes == 0 ? 0 : size_of(&row)), MESH_PLAN_RUNS_FIRST, 0);
        add_exprs(bytes, state->flow->stream->pattern_by.v, state->flow->stream->pattern_by.n);
        break;
    case MESH_STATE_INTERVAL:
        row = record(e, state->step->shape_joined);
        items(bytes, MESH_PLAN_INTERVAL_BYTES, MESH_PLAN_EVENT_BYTES + size_of(&row), MESH_PLAN_INTERVAL_FIRST, 0);
        add_exprs(bytes, state->step->by.v, state->step->by.n);
        break;
    case MESH_STATE_LATCH:
        add_view_key(bytes, state->flow->changes_of);
        break;
    }
    bytes->texts = row.texts;
    bytes->stride = (MESH_PLAN_ROW_HEAD + bytes->payload + 15) / 16 * 16;
}

void mesh_plan_bytes_of(struct mesh_plan *plan, struct mesh_plan_bytes **ret)
{
    struct mesh_arena *arena = plan->product->mesh->arena;
    struct mesh_emitter e = {.arena = arena, .product = plan->product, .plan = plan, .p = plan->product->name.text};
    mesh_emit_structs_make(&e);
    *ret = mesh_arena_alloc(arena, (plan->states.n + 1) * sizeof **ret);
    for (size_t i = 0; i < plan->states.n; i++)
        of_state(&e, plan->states.v[i], &(*ret)[i]);
}

/* ---- sums ---- */

uint64_t mesh_plan_table_bytes(uint64_t rows, const struct mesh_plan_bytes *bytes)
{
    if (rows == 0)
        return 0;
    uint64_t slots = SLOTS_MIN;
    while (rows > ((slots - 1) >> 1) + ((slots - 1) >> 3)) /* 62 % full */
        slots *= 2;
    uint64_t slab = (uint64_t)bytes->stride * SLAB_ROWS;
    uint64_t slabs = (rows + SLAB_ROWS - 1) / SLAB_ROWS;
    uint64_t total = slots * SLOT_BYTES;
    if (slabs <= SLABS_ALONE || slab > BLOCK_BYTES) {
        total += slabs * slab;
    } else {
        uint64_t in_block = BLOCK_BYTES / slab;
        total += SLABS_ALONE * slab + (slabs - SLABS_ALONE + in_block - 1) / in_block * BLOCK_BYTES;
    }
    uint64_t pointers = 4;
    while (pointers < slabs)
        pointers *= 2;
    total += pointers * sizeof(void *);
    return total + (bytes->key > MESH_PLAN_KEY_INLINE ? rows * bytes->key : 0);
}

uint64_t mesh_plan_owned_bytes(uint64_t rows, const struct mesh_plan_bytes *bytes)
{
    uint64_t one = bytes->items_first * bytes->item + bytes->items_fixed;
    uint64_t texts = bytes->texts * MESH_PLAN_TEXT_BYTES * (bytes->item > 0 ? bytes->items_first : 1);
    return rows * (one + texts);
}

uint64_t mesh_plan_row_bytes(const struct mesh_plan_bytes *bytes)
{
    return bytes->stride + SLOTS_SHARE + (bytes->key > MESH_PLAN_KEY_INLINE ? bytes->key : 0) + mesh_plan_owned_bytes(1, bytes);
}

uint64_t mesh_plan_rows_per_key(const struct mesh_plan_state *state)
{
    if (state->kind != MESH_STATE_VIEW || state->partial || state->view->model->window == MESH_WINDOW_NONE)
        return 1;
    const struct mesh_model_view *view = state->view->model;
    if (view->keep_us == 0)
        return 0;
    int64_t every = view->window == MESH_WINDOW_HOPPING ? view->advance_us : view->size_us;
    return (uint64_t)((view->keep_us + view->size_us + every - 1) / every) + 1;
}
