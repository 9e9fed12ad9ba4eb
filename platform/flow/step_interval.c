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

struct waiting { /* behind it: the record, then key and value */
    struct mesh_event event;
    void *record;
};

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
    return row->window == WAITING ? sizeof(struct waiting *) : state->decl->row_size;
}

static void *item_at(const struct mesh_flow_state *state, struct mesh_store_row *row, uint32_t place)
{
    struct list *list = mesh_store_row_payload(row);
    return list->items + place * item_bytes(state, row);
}

static struct waiting *waiting_at(const struct mesh_flow_state *state, struct mesh_store_row *row, uint32_t place)
{
    struct waiting *waiting;
    memcpy(&waiting, item_at(state, row, place), sizeof(struct waiting *));
    return waiting;
}

static size_t waiting_bytes(const struct mesh_flow_state *state, const struct mesh_event *event)
{
    return sizeof(struct waiting) + (state->decl->wait_size + 15) / 16 * 16 + event->key.n + event->value.n;
}

static void waiting_free(struct mesh_flow_state *state, struct waiting *waiting)
{
    state->owned_bytes -= waiting_bytes(state, &waiting->event);
    mesh_store_image_free(state->decl->waits, state->decl->n_waits, waiting->record);
    free(waiting);
}

/* ---- lists ---- */
/* Number of items at or before `time_us`, as an absolute place. */
static uint32_t until(const struct list *list, int64_t time_us)
{
    uint32_t low = list->head;
    uint32_t high = list->head + list->n;
    if (low == high || list->times[high - 1] <= time_us)
        return high;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (list->times[mid] <= time_us)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
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
    free(list->times);
    free(list->items);
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
        list->times = mesh_xrealloc(list->times, cap * sizeof *list->times);
        list->items = mesh_xrealloc(list->items, cap * (size == 0 ? 1 : size));
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
        mesh_metric_add(state->task->engine->m_interval_dropped, 1);
    }
    int64_t bucket = mesh_flow_state_bucket(state, KEPT, time_us);
    if (is_new || row->bucket < bucket)
        mesh_store_table_move(&state->table, row, bucket);
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

static void wait(struct mesh_flow_state *state, const struct mesh_key *key, const struct mesh_event *event, const void *record)
{
    const struct mesh_state *decl = state->decl;
    size_t bytes = waiting_bytes(state, event);
    struct waiting *waiting = mesh_xcalloc(1, bytes);
    state->owned_bytes += bytes;
    waiting->event = *event;
    waiting->event.headers = NULL;
    waiting->record = waiting + 1;
    mesh_store_image_copy(decl->waits, decl->n_waits, decl->wait_size, record, waiting->record);
    char *to = (char *)waiting->record + (decl->wait_size + 15) / 16 * 16;
    if (event->key.p != NULL)
        waiting->event.key.p = event->key.n > 0 ? memcpy(to, event->key.p, event->key.n) : to;
    if (event->value.p != NULL)
        waiting->event.value.p = event->value.n > 0 ? memcpy(to + event->key.n, event->value.p, event->value.n) : to;
    bool is_new = false;
    int64_t bucket = mesh_flow_state_bucket(state, WAITING, event->time_us);
    struct mesh_store_row *row = mesh_store_table_make(&state->table, WAITING, key->bytes, key->n, bucket, &is_new);
    if (row->bucket < bucket)
        mesh_store_table_move(&state->table, row, bucket);
    void *place = insert(state, row, event->time_us);
    memcpy(place, &waiting, sizeof(struct waiting *));
    mesh_flow_timer_set(state, row, event->time_us + decl->to_us);
    mesh_flow_state_touch(state, row);
}

void mesh_interval_join(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, const struct mesh_event *event,
                        const void *record)
{
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    if (!mesh_flow_key_ok(task, key, &state->decl->site))
        return;
    if (event->time_us + state->decl->to_us < task->release_us)
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
        struct waiting *waiting = waiting_at(state, row, list->head);
        list->head++;
        list->n--;
        mesh_flow_begin(task, &waiting->event);
        answer(state, mesh_store_row_key(row), row->key_n, &waiting->event, waiting->record);
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
static void write_waiting(const struct mesh_flow_state *state, const struct waiting *waiting, struct mesh_buf *out)
{
    const struct mesh_event *event = &waiting->event;
    mesh_buf_zigzag(out, event->source_wm_us);
    mesh_buf_u8(out, (uint8_t)((event->late ? 1 : 0) | (event->again ? 2 : 0) | (event->key.p != NULL ? 4 : 0) |
                               (event->value.p != NULL ? 8 : 0)));
    mesh_buf_varint(out, event->input);
    mesh_buf_varint(out, (uint32_t)event->partition);
    mesh_buf_zigzag(out, event->offset);
    mesh_buf_zigzag(out, event->kafka_time_us);
    mesh_buf_slice(out, event->key);
    mesh_buf_slice(out, event->value);
    mesh_store_image_write(out, state->decl->waits, state->decl->n_waits, waiting->record);
}

static struct waiting *read_waiting(struct mesh_flow_state *state, int64_t time_us, struct mesh_cursor *in)
{
    const struct mesh_state *decl = state->decl;
    struct mesh_event event = {.time_us = time_us, .source_wm_us = mesh_get_zigzag(in)};
    uint8_t flags = mesh_get_u8(in);
    event.late = (flags & 1) != 0;
    event.again = (flags & 2) != 0;
    uint64_t input = mesh_get_varint(in);
    event.partition = (int32_t)mesh_get_varint(in);
    event.offset = mesh_get_zigzag(in);
    event.kafka_time_us = mesh_get_zigzag(in);
    event.key = mesh_get_slice(in);
    event.value = mesh_get_slice(in);
    if (in->bad || input >= state->task->product->n_inputs)
        return NULL;
    event.input = (uint32_t)input;
    event.topic = state->task->product->inputs[input].topic;
    size_t bytes = waiting_bytes(state, &event);
    struct waiting *waiting = mesh_xcalloc(1, bytes);
    state->owned_bytes += bytes;
    waiting->record = waiting + 1;
    char *to = (char *)waiting->record + (decl->wait_size + 15) / 16 * 16;
    if (event.key.n > 0)
        memcpy(to, event.key.p, event.key.n);
    event.key.p = (flags & 4) != 0 ? to : NULL;
    if (event.value.n > 0)
        memcpy(to + event.key.n, event.value.p, event.value.n);
    event.value.p = (flags & 8) != 0 ? to + event.key.n : NULL;
    waiting->event = event;
    mesh_store_image_read(in, decl->waits, decl->n_waits, waiting->record);
    return waiting;
}

static void write(const struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_buf *out)
{
    const struct list *list = mesh_store_row_payload(row);
    mesh_buf_varint(out, list->n);
    for (uint32_t i = list->head; i < list->head + list->n; i++) {
        mesh_buf_zigzag(out, list->times[i]);
        if (row->window == WAITING)
            write_waiting(state, waiting_at(state, row, i), out);
        else
            mesh_store_image_write(out, state->decl->fields, state->decl->n_fields, item_at(state, row, i));
    }
}

static bool read(struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_cursor *in)
{
    uint64_t n = mesh_get_varint(in);
    for (uint64_t i = 0; i < n && !in->bad; i++) {
        int64_t time_us = mesh_get_zigzag(in);
        if (row->window != WAITING) {
            mesh_store_image_read(in, state->decl->fields, state->decl->n_fields, insert(state, row, time_us));
            continue;
        }
        struct waiting *waiting = read_waiting(state, time_us, in);
        if (waiting == NULL)
            return false;
        void *place = insert(state, row, time_us);
        memcpy(place, &waiting, sizeof(struct waiting *));
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
        if ((row->flags & MESH_STORE_LIVE) == 0 || row->window != WAITING)
            continue;
        for (uint32_t k = list->head; k < list->head + list->n; k++)
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
