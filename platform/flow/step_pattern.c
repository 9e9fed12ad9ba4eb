/* Runs of one key, oldest first. A run says how far it came; what it captured lies in a parallel array of generated structs, so that
 * growing moves both with memmove: strings in them are pointers, which may move.
 *
 * A key has at most MESH_FLOW_RUNS_MAX runs; one more lets the oldest go, which would have expired first, and counts it. */
#include "flow/state.h"

#include "store/image.h"

#include <stdlib.h>

#define MESH_FLOW_RUNS_MAX 1024

struct run {
    int64_t first_us;
    uint16_t step, hits; /* `hits` matches of `step` so far */
};

struct runs {
    uint32_t n, cap;
    struct run *runs;
    uint8_t *captured; /* n * row_size */
};

static size_t payload_bytes(const struct mesh_state *decl)
{
    (void)decl;
    return sizeof(struct runs);
}

static size_t run_bytes(const struct mesh_flow_state *state)
{
    return sizeof(struct run) + state->decl->row_size;
}

static void *captured_at(const struct mesh_flow_state *state, const struct runs *all, uint32_t i)
{
    return all->captured + (size_t)i * state->decl->row_size;
}

static void forget_all(struct mesh_flow_state *state, struct runs *all)
{
    for (uint32_t i = 0; i < all->n; i++)
        mesh_store_image_free(state->decl->fields, state->decl->n_fields, captured_at(state, all, i));
    all->n = 0;
}

static void drop(void *context, void *payload)
{
    struct mesh_flow_state *state = context;
    struct runs *all = payload;
    forget_all(state, all);
    state->owned_bytes -= all->cap * run_bytes(state);
    free(all->runs);
    free(all->captured);
    *all = (struct runs){0};
}

static void forget_at(struct mesh_flow_state *state, struct runs *all, uint32_t at)
{
    size_t size = state->decl->row_size;
    mesh_store_image_free(state->decl->fields, state->decl->n_fields, captured_at(state, all, at));
    memmove(all->runs + at, all->runs + at + 1, (all->n - at - 1) * sizeof *all->runs);
    if (size > 0)
        memmove(captured_at(state, all, at), captured_at(state, all, at + 1), (all->n - at - 1) * size);
    all->n--;
}

static uint32_t add_run(struct mesh_flow_state *state, struct runs *all, struct run run)
{
    size_t size = state->decl->row_size;
    if (all->n == MESH_FLOW_RUNS_MAX) {
        forget_at(state, all, 0);
        mesh_metric_add(state->task->engine->m_runs_dropped, 1);
    }
    if (all->n == all->cap) {
        uint32_t cap = all->cap == 0 ? 2 : all->cap * 2;
        all->runs = mesh_xrealloc(all->runs, cap * sizeof *all->runs);
        if (size > 0)
            all->captured = mesh_xrealloc(all->captured, cap * size);
        state->owned_bytes += (cap - all->cap) * run_bytes(state);
        all->cap = cap;
    }
    all->runs[all->n] = run;
    if (size > 0)
        memset(captured_at(state, all, all->n), 0, size);
    return all->n++;
}

static void write(const struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_buf *out)
{
    const struct runs *all = mesh_store_row_payload(row);
    mesh_buf_varint(out, all->n);
    for (uint32_t i = 0; i < all->n; i++) {
        mesh_buf_zigzag(out, all->runs[i].first_us);
        mesh_buf_varint(out, all->runs[i].step);
        mesh_buf_varint(out, all->runs[i].hits);
        mesh_store_image_write(out, state->decl->fields, state->decl->n_fields, captured_at(state, all, i));
    }
}

static bool read(struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_cursor *in)
{
    struct runs *all = mesh_store_row_payload(row);
    uint64_t n = mesh_get_varint(in);
    if (n > MESH_FLOW_RUNS_MAX)
        return false;
    for (uint64_t i = 0; i < n && !in->bad; i++) {
        struct run run = {.first_us = mesh_get_zigzag(in)};
        run.step = (uint16_t)mesh_get_varint(in);
        run.hits = (uint16_t)mesh_get_varint(in);
        uint32_t at = add_run(state, all, run);
        mesh_store_image_read(in, state->decl->fields, state->decl->n_fields, captured_at(state, all, at));
    }
    return !in->bad;
}

static int64_t newest(const struct mesh_flow_state *state, struct mesh_store_row *row)
{
    (void)state;
    const struct runs *all = mesh_store_row_payload(row);
    int64_t at = INT64_MIN / 2;
    for (uint32_t i = 0; i < all->n; i++)
        at = all->runs[i].first_us > at ? all->runs[i].first_us : at;
    return at;
}

static void prefetch(const struct mesh_flow_state *state, struct mesh_store_row *row)
{
    (void)state;
    const struct runs *all = mesh_store_row_payload(row);
    __builtin_prefetch(all->runs);
    __builtin_prefetch(all->captured);
}

const struct mesh_flow_kind mesh_flow_kind_pattern = {
    .name = "pattern",
    .payload_bytes = payload_bytes,
    .drop = drop,
    .write = write,
    .read = read,
    .newest = newest,
    .prefetch = prefetch,
};

static void capture(const struct mesh_flow_state *state, const struct runs *all, uint32_t run, uint32_t step, const void *record)
{
    if (state->decl->capture != NULL)
        state->decl->capture(state->task, captured_at(state, all, run), step, record);
}

/* The record matched the run's step once more. True: that was the last one it needed. */
static bool move_on(const struct mesh_flow_state *state, struct run *run)
{
    if (++run->hits < state->decl->times[run->step])
        return false;
    run->step++;
    run->hits = 0;
    return run->step == state->decl->n_steps;
}

/* The run is complete: its captured struct survives, everything else of the key ends. */
static const void *complete(struct mesh_flow_state *state, struct mesh_store_row *row, uint32_t run)
{
    const struct mesh_state *decl = state->decl;
    struct runs *all = mesh_store_row_payload(row);
    if (state->captured == NULL)
        state->captured = mesh_xcalloc(1, decl->row_size == 0 ? 1 : decl->row_size);
    mesh_store_image_free(decl->fields, decl->n_fields, state->captured);
    if (decl->row_size > 0) {
        memcpy(state->captured, captured_at(state, all, run), decl->row_size);
        memset(captured_at(state, all, run), 0, decl->row_size); /* its strings moved */
    }
    mesh_flow_state_remove(state, row);
    return state->captured;
}

const void *mesh_pattern(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, const struct mesh_event *event,
                         uint64_t hits, const void *record)
{
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    if (!mesh_flow_key_ok(task, key, &state->decl->site))
        return NULL;
    struct mesh_store_row *row = mesh_store_table_find(&state->table, 0, key->bytes, key->n);
    if (hits == 0 || (row == NULL && (hits & 1) == 0))
        return NULL;
    bool is_new = false;
    if (row == NULL)
        row =
            mesh_store_table_make(&state->table, 0, key->bytes, key->n, mesh_flow_state_bucket(state, 0, event->time_us), &is_new);
    struct runs *all = mesh_store_row_payload(row);
    int64_t now = task->release_us > event->time_us ? task->release_us : event->time_us;
    bool changed = false;
    for (uint32_t i = 0; i < all->n;) {
        struct run *run = &all->runs[i];
        if (now - run->first_us > state->decl->within_us) {
            forget_at(state, all, i);
            changed = true;
            continue;
        }
        if ((hits >> run->step & 1) != 0) {
            changed = true;
            capture(state, all, i, run->step, record);
            if (move_on(state, run))
                return complete(state, row, i);
        }
        i++;
    }
    if ((hits & 1) != 0) {
        changed = true;
        uint32_t at = add_run(state, all, (struct run){.first_us = event->time_us});
        capture(state, all, at, 0, record);
        if (move_on(state, &all->runs[at]))
            return complete(state, row, at);
    }
    if (all->n == 0) {
        mesh_flow_state_remove(state, row);
        return NULL;
    }
    if (changed) {
        mesh_store_table_move(&state->table, row, mesh_flow_state_bucket(state, 0, newest(state, row)));
        mesh_flow_state_touch(state, row);
    }
    return NULL;
}
