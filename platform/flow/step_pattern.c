/* Runs of one key, oldest first. A run says how far it came; what it captured lies in a parallel array of generated structs, so that
 * growing moves both with memmove: strings in them are pointers, which may move.
 *
 * A run that has only an absence before it keeps its last record, with which it will go on. It is complete when time has passed the end of
 * the absence, before any record with a later time; a record of that very time still comes before. A key has one timer, for the earliest
 * of its runs that wait, or for one that has ended since: then it is set anew when it goes off. So records that end runs and begin others
 * leave nothing behind.
 *
 * A key has at most MESH_FLOW_RUNS_MAX runs; one more lets the oldest go, which would have expired first, and counts it. */
#include "flow/state.h"

#include "store/image.h"

#include <stdlib.h>

#define MESH_FLOW_RUNS_MAX 1024

struct run {
    int64_t first_us;
    uint16_t step, hits;         /* `hits` matches of `step` so far */
    struct mesh_flow_kept *last; /* the record behind which the absence begins; NULL: not so far */
};

struct runs {
    uint32_t n, cap;
    struct run *runs;
    uint8_t *captured; /* n * row_size */
    int64_t timer_us;  /* not after the end of any absence */
    bool has_timer;
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

static void let_last_go(struct mesh_flow_state *state, struct run *run)
{
    if (run->last != NULL)
        state->owned_bytes -= mesh_flow_kept_bytes(run->last);
    free(run->last);
    run->last = NULL;
}

static void forget_all(struct mesh_flow_state *state, struct runs *all)
{
    for (uint32_t i = 0; i < all->n; i++) {
        mesh_store_image_free(state->decl->fields, state->decl->n_fields, captured_at(state, all, i));
        let_last_go(state, &all->runs[i]);
    }
    all->n = 0;
}

static void drop(void *context, void *payload)
{
    struct mesh_flow_state *state = context;
    struct runs *all = payload;
    forget_all(state, all);
    state->owned_bytes -= all->cap * run_bytes(state);
    mesh_flow_own(state, all->runs, all->cap * sizeof *all->runs, 0);
    mesh_flow_own(state, all->captured, all->cap * (size_t)state->decl->row_size, 0);
    *all = (struct runs){0};
}

static void forget_at(struct mesh_flow_state *state, struct runs *all, uint32_t at)
{
    size_t size = state->decl->row_size;
    mesh_store_image_free(state->decl->fields, state->decl->n_fields, captured_at(state, all, at));
    let_last_go(state, &all->runs[at]);
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
        all->runs = mesh_flow_own(state, all->runs, all->cap * sizeof *all->runs, cap * sizeof *all->runs);
        all->captured = mesh_flow_own(state, all->captured, all->cap * size, cap * size);
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
        mesh_buf_u8(out, all->runs[i].last != NULL);
        if (all->runs[i].last != NULL)
            mesh_flow_kept_write(all->runs[i].last, out);
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
        if (mesh_get_u8(in) != 0) {
            run.last = mesh_flow_kept_read(state->task->product, 0, in);
            if (run.last == NULL)
                return false;
            state->owned_bytes += mesh_flow_kept_bytes(run.last);
        }
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

static int64_t due_us(const struct mesh_flow_state *state, const struct run *run)
{
    return run->last->event.time_us + state->decl->absent_us;
}

/* A run waits; or its timer went off, and others wait. */
static void set_timer(struct mesh_flow_state *state, struct mesh_store_row *row)
{
    struct runs *all = mesh_store_row_payload(row);
    int64_t first_us = INT64_MAX;
    for (uint32_t i = 0; i < all->n; i++)
        if (all->runs[i].last != NULL && due_us(state, &all->runs[i]) < first_us)
            first_us = due_us(state, &all->runs[i]);
    if (first_us == INT64_MAX || (all->has_timer && all->timer_us <= first_us))
        return;
    all->has_timer = true;
    all->timer_us = first_us;
    mesh_flow_timer_set(state, row, first_us);
}

static void restored(struct mesh_flow_state *state)
{
    for (uint32_t i = 0; i < state->table.n_rows && state->decl->absent_us > 0; i++) {
        struct mesh_store_row *row = mesh_store_table_row(&state->table, i);
        if ((row->flags & MESH_STORE_LIVE) != 0)
            set_timer(state, row);
    }
}

/* ---- a run's way ---- */
static void capture(const struct mesh_flow_state *state, const struct runs *all, uint32_t run, uint32_t step, const void *record)
{
    if (state->decl->capture != NULL)
        state->decl->capture(state->task, captured_at(state, all, run), step, record);
}

/* The next step from `step` on that a record must satisfy; n_steps: there is none. */
static uint16_t positive(const struct mesh_state *decl, uint32_t step)
{
    while (step < decl->n_steps && decl->times[step] == 0)
        step++;
    return (uint16_t)step;
}

/* Does the record satisfy a step that must not come before the one that the run waits for? */
static bool forbidden(const struct mesh_flow_state *state, const struct run *run, const struct mesh_event *event, uint64_t hits)
{
    if (run->last != NULL && event->time_us > due_us(state, run))
        return false; /* it comes too late to be in time */
    for (uint32_t step = run->step; step > 0 && state->decl->times[step - 1] == 0; step--)
        if ((hits >> (step - 1) & 1) != 0)
            return true;
    return false;
}

enum moved { WENT_ON, COMPLETED, BEGAN_TO_WAIT };

/* The record matched the run's step once more. */
static enum moved move_on(struct mesh_flow_state *state, struct run *run, const struct mesh_event *event)
{
    const struct mesh_state *decl = state->decl;
    if (++run->hits < decl->times[run->step])
        return WENT_ON;
    run->step = positive(decl, run->step + 1u);
    run->hits = 0;
    if (run->step < decl->n_steps)
        return WENT_ON;
    if (decl->absent_us == 0)
        return COMPLETED;
    run->last = mesh_flow_keep(event, 0);
    state->owned_bytes += mesh_flow_kept_bytes(run->last);
    return BEGAN_TO_WAIT;
}

/* An absence was complete: what had begun by then ends. In a task that is not sorted others may have begun since, and time passed only
 * now. */
static void end_begun(struct mesh_flow_state *state, struct runs *all, int64_t until_us)
{
    for (uint32_t i = 0; i < all->n;)
        if (all->runs[i].first_us <= until_us)
            forget_at(state, all, i);
        else
            i++;
}

/* A new run replaces what is not complete; an absence may be, and only time has not passed it yet. */
static void replace(struct mesh_flow_state *state, struct runs *all, int64_t at_us)
{
    for (uint32_t i = 0; i < all->n;)
        if (all->runs[i].last == NULL || due_us(state, &all->runs[i]) >= at_us)
            forget_at(state, all, i);
        else
            i++;
}

/* The run ends, and its captured struct goes on. */
static void complete(struct mesh_flow_state *state, struct runs *all, uint32_t at, const struct mesh_event *event,
                     const void *record)
{
    const struct mesh_state *decl = state->decl;
    struct mesh_task *task = state->task;
    void *captured = mesh_arena_alloc(&task->scratch, decl->row_size + 1u);
    if (decl->row_size > 0) {
        memcpy(captured, captured_at(state, all, at), decl->row_size);
        memset(captured_at(state, all, at), 0, decl->row_size); /* its strings moved */
    }
    forget_at(state, all, at);
    if (decl->overlap != MESH_OVERLAP_ALL && record == NULL)
        end_begun(state, all, event->time_us);
    else if (decl->overlap != MESH_OVERLAP_ALL)
        forget_all(state, all);
    decl->complete(task, event, captured, record);
    mesh_store_image_free(decl->fields, decl->n_fields, captured);
}

/* Behind a change of its runs. */
static void settle(struct mesh_flow_state *state, struct mesh_store_row *row)
{
    const struct runs *all = mesh_store_row_payload(row);
    if (all->n == 0) {
        mesh_flow_state_remove(state, row);
        return;
    }
    mesh_store_table_move(&state->table, row, mesh_flow_state_bucket(state, 0, newest(state, row)));
    mesh_flow_state_touch(state, row);
}

/* Moves a run at this record; true: it is still there, at the same place. */
static bool step(struct mesh_flow_state *state, struct mesh_store_row *row, uint32_t at, const struct mesh_event *event,
                 const void *record)
{
    struct runs *all = mesh_store_row_payload(row);
    capture(state, all, at, all->runs[at].step, record);
    switch (move_on(state, &all->runs[at], event)) {
    case WENT_ON:
        break;
    case BEGAN_TO_WAIT:
        set_timer(state, row);
        break;
    case COMPLETED:
        complete(state, all, at, event, record);
        return false;
    }
    return true;
}

/* What the record does to the runs that are there; false: a run completed, and the others ended with it. */
static bool walk(struct mesh_flow_state *state, struct mesh_store_row *row, const struct mesh_event *event, uint64_t hits,
                 const void *record, bool *ret_changed)
{
    const struct mesh_state *decl = state->decl;
    struct runs *all = mesh_store_row_payload(row);
    int64_t now = state->task->release_us > event->time_us ? state->task->release_us : event->time_us;
    for (uint32_t i = 0; i < all->n;) {
        struct run *run = &all->runs[i];
        bool over = run->last == NULL && now - run->first_us > decl->within_us;
        if (over || forbidden(state, run, event, hits)) {
            forget_at(state, all, i);
            *ret_changed = true;
            continue;
        }
        if (run->last == NULL && (hits >> run->step & 1) != 0) {
            *ret_changed = true;
            if (!step(state, row, i, event, record)) {
                if (decl->overlap != MESH_OVERLAP_ALL)
                    return false;
                continue;
            }
        }
        i++;
    }
    return true;
}

static void begin(struct mesh_flow_state *state, struct mesh_store_row *row, const struct mesh_event *event, const void *record)
{
    struct runs *all = mesh_store_row_payload(row);
    if (state->decl->overlap == MESH_OVERLAP_LATEST)
        replace(state, all, event->time_us);
    uint32_t at = add_run(state, all, (struct run){.first_us = event->time_us});
    step(state, row, at, event, record);
}

void mesh_pattern(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, const struct mesh_event *event,
                  uint64_t hits, const void *record)
{
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    if (!mesh_flow_key_ok(task, key, &state->decl->site))
        return;
    struct mesh_store_row *row = mesh_store_table_find(&state->table, 0, key->bytes, key->n);
    if (hits == 0 || (row == NULL && (hits & 1) == 0))
        return;
    bool changed = row == NULL;
    if (row == NULL)
        row =
            mesh_store_table_make(&state->table, 0, key->bytes, key->n, mesh_flow_state_bucket(state, 0, event->time_us), &changed);
    if (walk(state, row, event, hits, record, &changed) && (hits & 1) != 0) {
        changed = true;
        begin(state, row, event, record);
    }
    if (changed)
        settle(state, row);
}

/* Absences that are complete. */
static void due(struct mesh_flow_state *state, struct mesh_store_row *row, int64_t at_us)
{
    struct mesh_task *task = state->task;
    struct runs *all = mesh_store_row_payload(row);
    bool any = false;
    if (!all->has_timer || all->timer_us != at_us)
        return; /* of another key, whose place this is now, or of a time that is not its first any more */
    all->has_timer = false;
    for (uint32_t i = 0; i < all->n;) {
        if (all->runs[i].last == NULL || due_us(state, &all->runs[i]) > at_us) {
            i++;
            continue;
        }
        struct mesh_flow_kept *last = all->runs[i].last;
        all->runs[i].last = NULL;
        state->owned_bytes -= mesh_flow_kept_bytes(last);
        if (at_us > task->release_us)
            task->release_us = at_us;
        last->event.time_us = at_us;
        last->event.late = at_us < last->event.source_wm_us;
        mesh_flow_begin(task, &last->event);
        complete(state, all, i, &last->event, NULL);
        mesh_flow_end(task);
        free(last);
        any = true;
        if (state->decl->overlap != MESH_OVERLAP_ALL)
            break; /* the others ended with it */
    }
    set_timer(state, row);
    if (any)
        settle(state, row);
}

const struct mesh_flow_kind mesh_flow_kind_pattern = {
    .name = "pattern",
    .payload_bytes = payload_bytes,
    .drop = drop,
    .write = write,
    .read = read,
    .newest = newest,
    .restored = restored,
    .due = due,
    .prefetch = prefetch,
};
