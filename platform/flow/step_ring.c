/* A ring holds the events of one key in time order: times, and for each cell a column.
 *
 * Exact cells (long, decimal) are kept as running totals modulo 2^128, so that the sum over any window is one subtraction: exact, and
 * free of the window's length. Doubles are kept as they are and added up in time order: subtracting them would let rounding errors of
 * events that left long ago stay. Events nearly always arrive at the end; a late one moves those behind it.
 *
 * Column j, place i stands at cells[i * n_cells + j]. Place 0 of an exact column is the total before the oldest event.
 */
#include "flow/state.h"

#include <stdlib.h>

#define EVENTS_MIN 4u

__extension__ typedef unsigned __int128 u128;

struct mesh_ring {
    const struct mesh_flow_state *state;
    int64_t *times;         /* [head, head + n) */
    union mesh_cell *cells; /* [head, head + n] rows of n_cells: one more than times */
    uint32_t head, n, cap;
};

static size_t payload_bytes(const struct mesh_state *decl)
{
    (void)decl;
    return sizeof(struct mesh_ring);
}

static size_t event_bytes(const struct mesh_flow_state *state)
{
    return sizeof(int64_t) + state->decl->n_cells * sizeof(union mesh_cell);
}

static size_t cells_bytes(const struct mesh_flow_state *state, uint32_t cap)
{
    return cap == 0 ? 0 : ((size_t)cap + 1) * state->decl->n_cells * sizeof(union mesh_cell);
}

static void drop(void *context, void *payload)
{
    struct mesh_flow_state *state = context;
    struct mesh_ring *ring = payload;
    state->owned_bytes -= ring->cap * event_bytes(state);
    mesh_flow_own(state, ring->times, ring->cap * sizeof *ring->times, 0);
    mesh_flow_own(state, ring->cells, cells_bytes(state, ring->cap), 0);
    *ring = (struct mesh_ring){0};
}

static bool exact(const struct mesh_flow_state *state, uint32_t cell)
{
    return state->decl->cells[cell] != MESH_DOUBLE;
}

static union mesh_cell *cells_at(const struct mesh_ring *ring, uint32_t place)
{
    return ring->cells + (size_t)place * ring->state->decl->n_cells;
}

static mesh_dec difference(mesh_dec a, mesh_dec b)
{
    return (mesh_dec)((u128)a - (u128)b);
}

static mesh_dec total(mesh_dec a, mesh_dec b)
{
    return (mesh_dec)((u128)a + (u128)b);
}

/* Number of events at or before `time_us`, as an absolute place. */
static uint32_t until(const struct mesh_ring *ring, int64_t time_us)
{
    return mesh_flow_times_until(ring->times, ring->head, ring->head + ring->n, time_us);
}

static void make_room(struct mesh_flow_state *state, struct mesh_ring *ring)
{
    if (ring->head + ring->n < ring->cap)
        return;
    size_t cell_bytes = state->decl->n_cells * sizeof(union mesh_cell);
    if (ring->head > ring->n) { /* mostly forgotten ones in front */
        memmove(ring->times, ring->times + ring->head, ring->n * sizeof *ring->times);
        if (cell_bytes > 0)
            memmove(ring->cells, cells_at(ring, ring->head), (ring->n + 1) * cell_bytes);
        ring->head = 0;
        return;
    }
    uint32_t cap = ring->cap == 0 ? EVENTS_MIN : ring->cap * 2;
    ring->times = mesh_flow_own(state, ring->times, ring->cap * sizeof *ring->times, cap * sizeof *ring->times);
    ring->cells = mesh_flow_own(state, ring->cells, cells_bytes(state, ring->cap), cells_bytes(state, cap));
    if (ring->cap == 0 && cell_bytes > 0)
        memset(ring->cells, 0, cell_bytes);
    state->owned_bytes += (cap - ring->cap) * event_bytes(state);
    ring->cap = cap;
}

static void insert(struct mesh_flow_state *state, struct mesh_ring *ring, int64_t time_us, const union mesh_cell *cells)
{
    make_room(state, ring);
    mesh_flow_use(state, ring->times, ring->cap * sizeof *ring->times);
    mesh_flow_use(state, ring->cells, cells_bytes(state, ring->cap));
    uint32_t n_cells = state->decl->n_cells;
    uint32_t end = ring->head + ring->n;
    uint32_t at = until(ring, time_us);
    memmove(ring->times + at + 1, ring->times + at, (end - at) * sizeof *ring->times);
    ring->times[at] = time_us;
    if (n_cells > 0)
        memmove(cells_at(ring, at + 2), cells_at(ring, at + 1), (end - at) * n_cells * sizeof(union mesh_cell));
    ring->n++;
    for (uint32_t j = 0; j < n_cells; j++) {
        if (!exact(state, j)) {
            cells_at(ring, at + 1)[j].f = cells[j].f;
            continue;
        }
        cells_at(ring, at + 1)[j].d = total(cells_at(ring, at)[j].d, cells[j].d);
        for (uint32_t i = at + 2; i <= end + 1; i++)
            cells_at(ring, i)[j].d = total(cells_at(ring, i)[j].d, cells[j].d);
    }
}

/* Up to where windows may not look any more: events at or before it do not count. */
static int64_t horizon(const struct mesh_flow_state *state)
{
    int64_t at = state->task->release_us;
    if (state->ttl_us <= 0 || at <= INT64_MIN + state->ttl_us)
        return INT64_MIN;
    return at - state->ttl_us;
}

static void forget(struct mesh_flow_state *state, struct mesh_ring *ring)
{
    uint32_t keep = until(ring, horizon(state));
    if (horizon(state) == INT64_MIN)
        return;
    ring->n -= keep - ring->head;
    ring->head = keep;
}

static void put_cell(struct mesh_buf *out, bool is_exact, union mesh_cell cell)
{
    if (is_exact && cell.d >= INT64_MIN / 2 && cell.d <= INT64_MAX / 2) {
        mesh_buf_u8(out, 1);
        mesh_buf_zigzag(out, (int64_t)cell.d);
        return;
    }
    mesh_buf_u8(out, 0);
    if (is_exact) {
        mesh_buf_dec(out, cell.d);
    } else {
        uint64_t bits;
        memcpy(&bits, &cell.f, 8);
        mesh_buf_u64(out, bits);
    }
}

static union mesh_cell get_cell(struct mesh_cursor *in, bool is_exact)
{
    union mesh_cell cell = {.d = 0};
    if (mesh_get_u8(in) == 1) {
        cell.d = mesh_get_zigzag(in);
    } else if (is_exact) {
        cell.d = mesh_get_dec(in);
    } else {
        uint64_t bits = mesh_get_u64(in);
        memcpy(&cell.f, &bits, 8);
    }
    return cell;
}

static union mesh_cell value_at(const struct mesh_ring *ring, uint32_t place, uint32_t cell)
{
    union mesh_cell v = cells_at(ring, place + 1)[cell];
    if (exact(ring->state, cell))
        v.d = difference(v.d, cells_at(ring, place)[cell].d);
    return v;
}

static void write(const struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_buf *out)
{
    const struct mesh_ring *ring = mesh_store_row_payload(row);
    mesh_buf_varint(out, ring->n);
    for (uint32_t i = ring->head; i < ring->head + ring->n; i++) {
        mesh_buf_zigzag(out, ring->times[i]);
        for (uint32_t j = 0; j < state->decl->n_cells; j++)
            put_cell(out, exact(state, j), value_at(ring, i, j));
    }
}

static void read_event(struct mesh_flow_state *state, struct mesh_ring *ring, struct mesh_cursor *in)
{
    union mesh_cell cells[UINT8_MAX];
    mesh_assert(state->decl->n_cells <= MESH_LEN(cells));
    int64_t time = mesh_get_zigzag(in);
    for (uint32_t j = 0; j < state->decl->n_cells; j++)
        cells[j] = get_cell(in, exact(state, j));
    ring->state = state;
    if (!in->bad)
        insert(state, ring, time, cells);
}

static bool read(struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_cursor *in)
{
    struct mesh_ring *ring = mesh_store_row_payload(row);
    ring->state = state;
    uint64_t n = mesh_get_varint(in);
    for (uint64_t i = 0; i < n && !in->bad; i++)
        read_event(state, ring, in);
    return !in->bad;
}

static int64_t newest(const struct mesh_flow_state *state, struct mesh_store_row *row)
{
    (void)state;
    const struct mesh_ring *ring = mesh_store_row_payload(row);
    return ring->n == 0 ? INT64_MIN / 2 : ring->times[ring->head + ring->n - 1];
}

static bool apply(struct mesh_flow_state *state, struct mesh_cursor *in)
{
    struct mesh_str key = mesh_get_slice(in);
    struct mesh_cursor peek = *in;
    int64_t time = mesh_get_zigzag(&peek);
    if (peek.bad || key.n > MESH_KEY_BYTES_MAX)
        return false;
    bool is_new = false;
    struct mesh_store_row *row =
        mesh_store_table_make(&state->table, 0, key.p, key.n, mesh_flow_state_bucket(state, 0, time), &is_new);
    read_event(state, mesh_store_row_payload(row), in);
    if (!in->bad)
        mesh_store_table_move(&state->table, row, mesh_flow_state_bucket(state, 0, newest(state, row)));
    return !in->bad;
}

/* Both ends: where the next event goes and where the longest window begins. */
static void prefetch(const struct mesh_flow_state *state, struct mesh_store_row *row)
{
    const struct mesh_ring *ring = mesh_store_row_payload(row);
    if (ring->n == 0)
        return;
    __builtin_prefetch(ring->times + ring->head);
    __builtin_prefetch(ring->times + ring->head + ring->n / 2);
    __builtin_prefetch(ring->times + ring->head + ring->n - 1);
    if (state->decl->n_cells == 0)
        return;
    __builtin_prefetch(cells_at(ring, ring->head));
    __builtin_prefetch(cells_at(ring, ring->head + ring->n));
}

const struct mesh_flow_kind mesh_flow_kind_ring = {
    .name = "ring",
    .payload_bytes = payload_bytes,
    .drop = drop,
    .write = write,
    .read = read,
    .apply = apply,
    .newest = newest,
    .prefetch = prefetch,
};

/* ---- the ABI ---- */
struct mesh_ring *mesh_ring_add(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key,
                                const struct mesh_event *event, const union mesh_cell *cells)
{
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    if (!mesh_flow_key_ok(task, key, &state->decl->site))
        return NULL;
    bool is_new = false;
    struct mesh_store_row *row =
        mesh_store_table_make(&state->table, 0, key->bytes, key->n, mesh_flow_state_bucket(state, 0, event->time_us), &is_new);
    struct mesh_ring *ring = mesh_store_row_payload(row);
    ring->state = state;
    forget(state, ring);
    insert(state, ring, event->time_us, cells);
    if (!is_new)
        mesh_store_table_move(&state->table, row, mesh_flow_state_bucket(state, 0, newest(state, row)));

    mesh_flow_state_delta(state, MESH_FLOW_OP_DELTA);
    mesh_buf_slice(&state->deltas, (struct mesh_str){(const char *)key->bytes, key->n});
    mesh_buf_zigzag(&state->deltas, event->time_us);
    for (uint32_t j = 0; j < state->decl->n_cells; j++)
        put_cell(&state->deltas, exact(state, j), cells[j]);
    return ring;
}

/* Places [*ret_from, *ret_to) of the events in (from_us, to_us]. */
static void window(const struct mesh_ring *ring, int64_t from_us, int64_t to_us, uint32_t *ret_from, uint32_t *ret_to)
{
    int64_t oldest = horizon(ring->state);
    *ret_from = until(ring, from_us > oldest ? from_us : oldest);
    *ret_to = until(ring, to_us);
    if (*ret_to < *ret_from)
        *ret_to = *ret_from;
}

int64_t mesh_ring_sum(const struct mesh_ring *ring, int64_t from_us, int64_t to_us, union mesh_cell *ret_sums)
{
    uint32_t n_cells = ring->state->decl->n_cells;
    uint32_t from = 0;
    uint32_t to = 0;
    window(ring, from_us, to_us, &from, &to);
    for (uint32_t j = 0; j < n_cells; j++) {
        if (exact(ring->state, j)) {
            ret_sums[j].d = difference(cells_at(ring, to)[j].d, cells_at(ring, from)[j].d);
            continue;
        }
        double sum = 0;
        for (uint32_t i = from; i < to; i++)
            sum += cells_at(ring, i + 1)[j].f;
        ret_sums[j].f = sum;
    }
    return (int64_t)(to - from);
}

bool mesh_ring_range(const struct mesh_ring *ring, int64_t from_us, int64_t to_us, uint32_t cell, union mesh_cell *ret_min,
                     union mesh_cell *ret_max)
{
    uint32_t from = 0;
    uint32_t to = 0;
    window(ring, from_us, to_us, &from, &to);
    if (from == to)
        return false;
    bool is_exact = exact(ring->state, cell);
    *ret_min = *ret_max = value_at(ring, from, cell);
    for (uint32_t i = from + 1; i < to; i++) {
        union mesh_cell v = value_at(ring, i, cell);
        if (is_exact ? v.d < ret_min->d : v.f < ret_min->f)
            *ret_min = v;
        if (is_exact ? v.d > ret_max->d : v.f > ret_max->f)
            *ret_max = v;
    }
    return true;
}
