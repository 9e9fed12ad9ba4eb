/* Interval joins. A key has two rows: what is kept of the other stream's records, and records that wait for theirs. Both are lists in the
 * order of event time, and of arrival among equal times.
 *
 * A record at t finds the others in [t + from, t + to]. All that were on time are here once the task's place in the order has passed
 * t + to: a record that comes when it has is answered at once, any other waits, with a timer. So the answer is the same whichever of
 * two records of one time came first. A late record is answered by what is still kept.
 *
 * What is kept is a function of the task's place in the order, too: the others that a record could still find, and of these, when the
 * last one is picked, none that another one will always be picked before. Additions are logged as deltas; the list of those that wait
 * is short, and logged as an image. */
#include "flow/state.h"

#include "store/image.h"

#include <stdlib.h>

#define KEPT    0 /* the `window` of the two rows of a key */
#define WAITING 1

struct list {
    uint32_t head, n, cap;
    int64_t *times; /* [head, head + n) */
    uint8_t *items; /* rows, or pointers to what waits */
};

static size_t payload_bytes(const struct mesh_state *decl)
{
    (void)decl;
    return sizeof(struct list);
}

int64_t mesh_flow_interval_reach(const struct mesh_state *decl)
{
    return (decl->to_us > 0 ? decl->to_us : 0) - (decl->from_us < 0 ? decl->from_us : 0) + 1;
}

static size_t item_bytes(const struct mesh_flow_state *state, const struct mesh_store_row *row)
{
    return row->window == WAITING ? sizeof(struct mesh_flow_kept *) : state->decl->row_size;
}

static void *item_at(const struct mesh_flow_state *state, struct mesh_store_row *row, uint32_t place)
{
    struct list *list = mesh_store_row_payload(row);
    return list->items + place * item_bytes(state, row);
}

static struct mesh_flow_kept *waiting_at(const struct mesh_flow_state *state, struct mesh_store_row *row, uint32_t place)
{
    struct mesh_flow_kept *waiting;
    memcpy(&waiting, item_at(state, row, place), sizeof(struct mesh_flow_kept *));
    return waiting;
}

static void waiting_free(struct mesh_flow_state *state, struct mesh_flow_kept *waiting)
{
    state->owned_bytes -= mesh_flow_kept_bytes(waiting);
    mesh_store_image_free(state->decl->waits, state->decl->n_waits, mesh_flow_kept_room(waiting));
    free(waiting);
}

/* ---- lists ---- */
/* Number of items at or before `time_us`, as an absolute place. */
static uint32_t until(const struct list *list, int64_t time_us)
{
    return mesh_flow_times_until(list->times, list->head, list->head + list->n, time_us);
}

static void forget_before(struct mesh_flow_state *state, struct mesh_store_row *row, uint32_t place)
{
    struct list *list = mesh_store_row_payload(row);
    for (; list->head < place; list->head++, list->n--) {
        if (row->window == WAITING)
            waiting_free(state, waiting_at(state, row, list->head));
        else
            mesh_store_image_free(state->decl->fields, state->decl->n_fields, item_at(state, row, list->head));
    }
}

static void drop(void *context, void *payload)
{
    struct mesh_flow_state *state = context;
    struct mesh_store_row *row = (struct mesh_store_row *)payload - 1;
    struct list *list = payload;
    forget_before(state, row, list->head + list->n);
    state->owned_bytes -= list->cap * (sizeof *list->times + item_bytes(state, row));
    mesh_flow_own(state, list->times, list->cap * sizeof *list->times, 0);
    mesh_flow_own(state, list->items, list->cap * item_bytes(state, row), 0);
    *list = (struct list){0};
}

/* Where an item of this time goes, behind those of the same time; zeroed. */
static void *insert(struct mesh_flow_state *state, struct mesh_store_row *row, int64_t time_us)
{
    struct list *list = mesh_store_row_payload(row);
    size_t size = item_bytes(state, row);
    if (list->head > 0 && list->head >= list->n) { /* more forgotten than kept */
        memmove(list->times, list->times + list->head, list->n * sizeof *list->times);
        memmove(list->items, list->items + list->head * size, list->n * size);
        list->head = 0;
    }
    if (list->head + list->n == list->cap) {
        uint32_t cap = list->cap == 0 ? 2 : list->cap * 2;
        list->times = mesh_flow_own(state, list->times, list->cap * sizeof *list->times, cap * sizeof *list->times);
        list->items = mesh_flow_own(state, list->items, list->cap * size, cap * size);
        state->owned_bytes += (cap - list->cap) * (sizeof *list->times + size);
        list->cap = cap;
    }
    uint32_t at = until(list, time_us);
    uint32_t behind = list->head + list->n - at;
    memmove(list->times + at + 1, list->times + at, behind * sizeof *list->times);
    memmove(list->items + (at + 1) * size, list->items + at * size, behind * size);
    list->times[at] = time_us;
    list->n++;
    memset(list->items + at * size, 0, size);
    return list->items + at * size;
}

/* ---- what is kept ---- */
/* Let go what no record can find any more. */
static void prune(struct mesh_flow_state *state, struct mesh_store_row *row)
{
    const struct mesh_state *decl = state->decl;
    struct list *list = mesh_store_row_payload(row);
    int64_t at = state->task->release_us;
    int64_t reach = mesh_flow_interval_reach(decl);
    if (at <= INT64_MIN + reach)
        return;
    forget_before(state, row, until(list, at - reach - 1));
    if (decl->pick == MESH_PICK_LAST) { /* those who ask now reach so far, or further, and find the last one */
        uint32_t known = until(list, decl->to_us < 0 ? at + decl->to_us : at);
        if (known > list->head + 1)
            forget_before(state, row, known - 1);
    }
}

static void keep(struct mesh_flow_state *state, struct mesh_store_row *row, int64_t time_us, bool is_new)
{
    const struct list *list = mesh_store_row_payload(row);
    if (list->n == MESH_FLOW_INTERVAL_MAX) {
        forget_before(state, row, list->head + 1);
        if (!state->task->engine->restoring)
            mesh_metric_add(state->task->engine->m_interval_dropped, 1);
    }
    int64_t bucket = mesh_flow_state_bucket(state, KEPT, time_us);
    if (is_new || row->bucket < bucket)
        mesh_store_table_move(&state->table, row, bucket);
}

/* A record that comes again because a later step had failed: it may be kept already. */
static bool is_kept(const struct mesh_flow_state *state, struct mesh_store_row *row, int64_t time_us, const void *record)
{
    const struct mesh_state *decl = state->decl;
    const struct list *list = mesh_store_row_payload(row);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf wanted = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf have = MESH_BUF_NULL;
    mesh_store_image_write(&wanted, decl->fields, decl->n_fields, record);
    for (uint32_t i = until(list, time_us - 1); i < until(list, time_us); i++) {
        mesh_buf_reset(&have);
        mesh_store_image_write(&have, decl->fields, decl->n_fields, item_at(state, row, i));
        if (have.n == wanted.n && memcmp(have.p, wanted.p, wanted.n) == 0)
            return true;
    }
    return false;
}

void mesh_interval_add(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, const struct mesh_event *event,
                       const void *record)
{
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    const struct mesh_state *decl = state->decl;
    if (!mesh_flow_key_ok(task, key, &decl->site))
        return;
    bool is_new = false;
    struct mesh_store_row *row = mesh_store_table_make(&state->table, KEPT, key->bytes, key->n,
                                                       mesh_flow_state_bucket(state, KEPT, event->time_us), &is_new);
    prune(state, row);
    if (event->again && is_kept(state, row, event->time_us, record))
        return;
    keep(state, row, event->time_us, is_new);
    if (event->time_us <= state->answered_us && !event->late && (!task->ordered || task->sole != NULL))
        mesh_metric_add(task->engine->m_idle_late, 1); /* elsewhere order.c has counted it */
    mesh_store_image_copy(decl->fields, decl->n_fields, decl->row_size, record, insert(state, row, event->time_us));
    mesh_flow_state_delta(state, MESH_FLOW_OP_DELTA);
    mesh_buf_slice(&state->deltas, (struct mesh_str){(const char *)key->bytes, key->n});
    mesh_buf_zigzag(&state->deltas, event->time_us);
    mesh_store_image_write(&state->deltas, decl->fields, decl->n_fields, record);
}

static bool apply(struct mesh_flow_state *state, struct mesh_cursor *in)
{
    struct mesh_str key = mesh_get_slice(in);
    int64_t time_us = mesh_get_zigzag(in);
    if (in->bad || key.n > MESH_KEY_BYTES_MAX)
        return false;
    bool is_new = false;
    struct mesh_store_row *row =
        mesh_store_table_make(&state->table, KEPT, key.p, key.n, mesh_flow_state_bucket(state, KEPT, time_us), &is_new);
    keep(state, row, time_us, is_new);
    mesh_store_image_read(in, state->decl->fields, state->decl->n_fields, insert(state, row, time_us));
    return !in->bad;
}

/* ---- the answer ---- */
static void answer(struct mesh_flow_state *state, const void *key, size_t key_n, const struct mesh_event *event, const void *record)
{
    const struct mesh_state *decl = state->decl;
    struct mesh_task *task = state->task;
    struct mesh_event at = *event;
    if (decl->to_us > 0) {
        at.time_us += decl->to_us;
        at.late = at.time_us < at.source_wm_us;
    }
    struct mesh_store_row *row = mesh_store_table_find(&state->table, KEPT, key, key_n);
    uint32_t from = 0;
    uint32_t to = 0;
    if (row != NULL) {
        prune(state, row);
        const struct list *list = mesh_store_row_payload(row);
        from = until(list, event->time_us + decl->from_us - 1);
        to = until(list, event->time_us + decl->to_us);
    }
    if (from == to)
        decl->matched(task, &at, record, NULL);
    else if (decl->pick == MESH_PICK_LAST)
        decl->matched(task, &at, record, item_at(state, row, to - 1));
    else
        for (uint32_t i = from; i < (decl->pick == MESH_PICK_ALL ? to : from + 1); i++)
            decl->matched(task, &at, record, item_at(state, row, i));
}

static void put_waiting(struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_flow_kept *waiting)
{
    void *place = insert(state, row, waiting->event.time_us);
    memcpy(place, &waiting, sizeof(struct mesh_flow_kept *));
    state->owned_bytes += mesh_flow_kept_bytes(waiting);
}

static void wait(struct mesh_flow_state *state, const struct mesh_key *key, const struct mesh_event *event, const void *record)
{
    const struct mesh_state *decl = state->decl;
    struct mesh_flow_kept *waiting = mesh_flow_keep(event, decl->wait_size);
    mesh_store_image_copy(decl->waits, decl->n_waits, decl->wait_size, record, mesh_flow_kept_room(waiting));
    bool is_new = false;
    int64_t bucket = mesh_flow_state_bucket(state, WAITING, event->time_us);
    struct mesh_store_row *row = mesh_store_table_make(&state->table, WAITING, key->bytes, key->n, bucket, &is_new);
    if (row->bucket < bucket)
        mesh_store_table_move(&state->table, row, bucket);
    put_waiting(state, row, waiting);
    mesh_flow_timer_set(state, row, event->time_us + decl->to_us);
    mesh_flow_state_touch(state, row);
}

/* In a sorted task a record goes when nothing before it can come. If no other one of its time is held, and none of them waits, nothing of
 * its time comes either: most records need not wait. */
static bool all_is_here(const struct mesh_flow_state *state, int64_t due_us)
{
    const struct mesh_task *task = state->task;
    return state->decl->to_us <= 0 && task->ordered && task->sole == NULL && due_us < task->wm_us &&
           (state->n_timers == 0 || state->timers[0].due_us > due_us) && mesh_flow_first_held(task) > due_us;
}

void mesh_interval_join(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, const struct mesh_event *event,
                        const void *record)
{
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    if (!mesh_flow_key_ok(task, key, &state->decl->site))
        return;
    int64_t due_us = event->time_us + state->decl->to_us;
    if (due_us < task->release_us || all_is_here(state, due_us))
        answer(state, key->bytes, key->n, event, record);
    else
        wait(state, key, event, record);
}

/* Those up to this time go on. */
static void let_go(struct mesh_flow_state *state, struct mesh_store_row *row, int64_t until_us)
{
    struct mesh_task *task = state->task;
    struct list *list = mesh_store_row_payload(row);
    while (list->n > 0 && list->times[list->head] <= until_us) {
        struct mesh_flow_kept *waiting = waiting_at(state, row, list->head);
        list->head++;
        list->n--;
        mesh_flow_begin(task, &waiting->event);
        answer(state, mesh_store_row_key(row), row->key_n, &waiting->event, mesh_flow_kept_room(waiting));
        mesh_flow_end(task);
        waiting_free(state, waiting);
    }
    mesh_flow_state_touch(state, row);
}

static void due(struct mesh_flow_state *state, struct mesh_store_row *row, int64_t at_us)
{
    if (row->window != WAITING)
        return; /* the place was taken by another row */
    struct mesh_task *task = state->task;
    if (at_us >= task->wm_us) /* everything is idle */
        state->answered_us = at_us > state->answered_us ? at_us : state->answered_us;
    else if (at_us > task->release_us)
        task->release_us = at_us;
    let_go(state, row, at_us - state->decl->to_us);
}

void mesh_flow_intervals_idle(struct mesh_task *task)
{
    const struct mesh_topology *topology = &task->product->topologies[task->topology];
    for (uint32_t i = 0; i < topology->n_states; i++) {
        struct mesh_flow_state *state = task->states[topology->states[i]];
        if (state->decl->kind != MESH_STATE_INTERVAL || state->decl->to_us > 0)
            continue;
        while (state->n_timers > 0)
            mesh_flow_timers_pass(state);
    }
}

/* ---- images ---- */
static void write(const struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_buf *out)
{
    const struct mesh_state *decl = state->decl;
    const struct list *list = mesh_store_row_payload(row);
    mesh_buf_varint(out, list->n);
    for (uint32_t i = list->head; i < list->head + list->n; i++) {
        if (row->window == WAITING) {
            struct mesh_flow_kept *waiting = waiting_at(state, row, i);
            mesh_flow_kept_write(waiting, out);
            mesh_store_image_write(out, decl->waits, decl->n_waits, mesh_flow_kept_room(waiting));
        } else {
            mesh_buf_zigzag(out, list->times[i]);
            mesh_store_image_write(out, decl->fields, decl->n_fields, item_at(state, row, i));
        }
    }
}

static bool read(struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_cursor *in)
{
    const struct mesh_state *decl = state->decl;
    uint64_t n = mesh_get_varint(in);
    for (uint64_t i = 0; i < n && !in->bad; i++) {
        if (row->window == WAITING) {
            struct mesh_flow_kept *waiting = mesh_flow_kept_read(state->task->product, decl->wait_size, in);
            if (waiting == NULL)
                return false;
            put_waiting(state, row, waiting);
            mesh_store_image_read(in, decl->waits, decl->n_waits, mesh_flow_kept_room(waiting));
        } else {
            int64_t time_us = mesh_get_zigzag(in);
            mesh_store_image_read(in, decl->fields, decl->n_fields, insert(state, row, time_us));
        }
    }
    return !in->bad;
}

static int64_t newest(const struct mesh_flow_state *state, struct mesh_store_row *row)
{
    (void)state;
    const struct list *list = mesh_store_row_payload(row);
    return list->n == 0 ? INT64_MIN / 2 : list->times[list->head + list->n - 1];
}

static void restored(struct mesh_flow_state *state)
{
    for (uint32_t i = 0; i < state->table.n_rows; i++) {
        struct mesh_store_row *row = mesh_store_table_row(&state->table, i);
        const struct list *list = mesh_store_row_payload(row);
        if ((row->flags & MESH_STORE_LIVE) == 0)
            continue;
        if (row->window == KEPT)
            prune(state, row); /* the log has all that was ever added */
        for (uint32_t k = list->head; row->window == WAITING && k < list->head + list->n; k++)
            mesh_flow_timer_set(state, row, list->times[k] + state->decl->to_us);
    }
}

static void prefetch(const struct mesh_flow_state *state, struct mesh_store_row *row)
{
    (void)state;
    const struct list *list = mesh_store_row_payload(row);
    if (list->n > 0) {
        __builtin_prefetch(list->times + list->head + list->n - 1);
        __builtin_prefetch(list->items);
    }
}

const struct mesh_flow_kind mesh_flow_kind_interval = {
    .name = "interval",
    .payload_bytes = payload_bytes,
    .drop = drop,
    .write = write,
    .read = read,
    .apply = apply,
    .newest = newest,
    .restored = restored,
    .due = due,
    .prefetch = prefetch,
};
