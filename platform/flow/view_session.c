/* Session windows: the records of a key with less than `gap` from one to the next.
 *
 * A session is one row, found by the key and the time of its first record. Besides, each key has a list of its sessions from the newest
 * to the oldest, and each session that is open a timer. Both follow from the rows and are in no log.
 *
 * What a record joins is judged by its own source, as lateness is everywhere: sessions that have closed for that source are over. A
 * record that even alone would have closed is late. From these two rules follows that the times of a key's sessions, from the first
 * record to the last, never overlap, that those a record joins are neighbours, and that no two begin at the same time.
 *
 * A session that goes on leaves its timer where it is, and sets it anew when that time comes. So a record costs no more than the row. */
#include "flow/state.h"

#include <stdlib.h>

enum { HAS_TIMER = 1 }; /* a row's `owner` */

struct mesh_flow_sessions {
    struct mesh_store_table keys; /* payload: the newest session's row index + 1 */
};

struct mesh_flow_sessions *mesh_flow_sessions_new(void)
{
    struct mesh_flow_sessions *sessions = mesh_xcalloc(1, sizeof *sessions);
    mesh_store_table_init(&sessions->keys, sizeof(uint32_t), NULL, NULL);
    return sessions;
}

void mesh_flow_sessions_free(struct mesh_flow_sessions *sessions)
{
    if (sessions == NULL)
        return;
    mesh_store_table_deinit(&sessions->keys);
    free(sessions);
}

size_t mesh_flow_sessions_bytes(const struct mesh_flow_sessions *sessions)
{
    return sessions->keys.bytes;
}

static struct mesh_flow_view_row *head_of(struct mesh_store_row *row)
{
    return mesh_store_row_payload(row);
}

static int64_t closes_at(const struct mesh_flow_state *state, struct mesh_store_row *row)
{
    return head_of(row)->time_us + state->view->size_us + state->view->grace_us;
}

/* ---- the sessions of a key ---- */
static struct mesh_store_row *row_at(const struct mesh_flow_state *state, uint32_t link)
{
    return link == 0 ? NULL : mesh_store_table_row(&state->table, link - 1);
}

struct mesh_store_row *mesh_flow_session_newest(const struct mesh_flow_state *state, const void *key, size_t key_n)
{
    struct mesh_store_row *of_key = mesh_store_table_find(&state->sessions->keys, 0, key, key_n);
    return of_key == NULL ? NULL : row_at(state, *(const uint32_t *)mesh_store_row_payload(of_key));
}

struct mesh_store_row *mesh_flow_session_older(const struct mesh_flow_state *state, struct mesh_store_row *row)
{
    return row_at(state, head_of(row)->older);
}

struct mesh_store_row *mesh_flow_session_newer(const struct mesh_flow_state *state, struct mesh_store_row *row)
{
    return row_at(state, head_of(row)->newer);
}

static void enlist(struct mesh_flow_state *state, struct mesh_store_row *row)
{
    bool is_new = false;
    struct mesh_store_row *of_key =
        mesh_store_table_make(&state->sessions->keys, 0, mesh_store_row_key(row), row->key_n, 0, &is_new);
    uint32_t *newest = mesh_store_row_payload(of_key);
    struct mesh_store_row *newer = NULL;
    struct mesh_store_row *older = row_at(state, *newest);
    for (; older != NULL && older->window > row->window; older = mesh_flow_session_older(state, older))
        newer = older;
    head_of(row)->older = older == NULL ? 0 : older->index + 1;
    head_of(row)->newer = newer == NULL ? 0 : newer->index + 1;
    if (older != NULL)
        head_of(older)->newer = row->index + 1;
    if (newer != NULL)
        head_of(newer)->older = row->index + 1;
    else
        *newest = row->index + 1;
}

static void strike_off(struct mesh_flow_state *state, struct mesh_store_row *row)
{
    struct mesh_store_row *older = mesh_flow_session_older(state, row);
    struct mesh_store_row *newer = mesh_flow_session_newer(state, row);
    if (older != NULL)
        head_of(older)->newer = head_of(row)->newer;
    if (newer != NULL) {
        head_of(newer)->older = head_of(row)->older;
        return;
    }
    struct mesh_store_table *keys = &state->sessions->keys;
    struct mesh_store_row *of_key = mesh_store_table_find(keys, 0, mesh_store_row_key(row), row->key_n);
    if (older == NULL)
        mesh_store_table_remove(keys, of_key);
    else
        *(uint32_t *)mesh_store_row_payload(of_key) = older->index + 1;
}

/* ---- closing ---- */
/* A timer of this time is due when the time has passed it: one before that at which the session closes. */
static void set_timer(struct mesh_flow_state *state, struct mesh_store_row *row)
{
    row->owner = HAS_TIMER;
    mesh_flow_timer_set(state, row, closes_at(state, row) - 1);
}

void mesh_flow_session_due(struct mesh_flow_state *state, struct mesh_store_row *row, int64_t at_us)
{
    if (row->owner != HAS_TIMER)
        return; /* of a row that was here before */
    if (closes_at(state, row) - 1 > at_us) {
        set_timer(state, row); /* it went on */
        return;
    }
    row->owner = 0;
    mesh_flow_view_close(state, row, mesh_arena_alloc(&state->task->scratch, state->view->out_size));
}

/* ---- records ---- */
/* The sessions of this key that the record joins, from *ret_oldest to *ret_newest. */
static bool find_joined(const struct mesh_flow_state *state, const struct mesh_key *key, const struct mesh_event *event,
                        struct mesh_store_row **ret_oldest, struct mesh_store_row **ret_newest)
{
    int64_t gap_us = state->view->size_us;
    *ret_newest = *ret_oldest = NULL;
    struct mesh_store_row *row = mesh_flow_session_newest(state, key->bytes, key->n);
    for (; row != NULL; row = mesh_flow_session_older(state, row)) {
        if (head_of(row)->time_us + gap_us <= event->time_us || closes_at(state, row) <= event->source_wm_us)
            break;
        if (row->window - gap_us >= event->time_us)
            continue;
        *ret_newest = *ret_newest == NULL ? row : *ret_newest;
        *ret_oldest = row;
    }
    return *ret_oldest != NULL;
}

/* What the newer ones up to `last` hold goes into `to`, and they are gone. */
static void merge(struct mesh_flow_state *state, struct mesh_store_row *to, const struct mesh_store_row *last,
                  const struct mesh_event *event)
{
    for (bool done = to == last; !done;) {
        struct mesh_store_row *from = mesh_flow_session_newer(state, to);
        done = from == last;
        state->view->merge(mesh_flow_view_data(to), mesh_flow_view_data(from));
        head_of(to)->revision += head_of(from)->revision;
        head_of(to)->time_us = head_of(from)->time_us;
        mesh_flow_view_gone(state, from, event);
        mesh_flow_state_remove(state, from);
    }
}

static struct mesh_store_row *begin(struct mesh_flow_state *state, const void *key, size_t key_n, int64_t time_us)
{
    bool is_new = false;
    struct mesh_store_row *row =
        mesh_store_table_make(&state->table, time_us, key, key_n, mesh_flow_state_bucket(state, time_us, time_us), &is_new);
    mesh_assert(is_new);
    head_of(row)->time_us = time_us;
    return row;
}

/* A session whose first record comes late is another row: one with what this row holds. */
static struct mesh_store_row *begin_earlier(struct mesh_flow_state *state, struct mesh_store_row *row,
                                            const struct mesh_event *event)
{
    struct mesh_store_row *earlier = begin(state, mesh_store_row_key(row), row->key_n, event->time_us);
    mesh_flow_view_gone(state, row, event);
    head_of(earlier)->revision = head_of(row)->revision;
    head_of(earlier)->time_us = head_of(row)->time_us;
    memcpy(mesh_flow_view_data(earlier), mesh_flow_view_data(row), state->decl->row_size);
    memset(mesh_flow_view_data(row), 0, state->decl->row_size);
    mesh_flow_state_remove(state, row);
    enlist(state, earlier);
    return earlier;
}

struct mesh_store_row *mesh_flow_session_row(struct mesh_flow_state *state, const struct mesh_key *key,
                                             const struct mesh_event *event)
{
    struct mesh_task *task = state->task;
    struct mesh_store_row *row = NULL;
    struct mesh_store_row *last = NULL;
    state->changed_row = MESH_STORE_NONE;
    int64_t alone_us = event->time_us + state->view->size_us + state->view->grace_us;
    if (alone_us <= event->source_wm_us) {
        mesh_flow_late(task, state, event);
        return NULL;
    }
    bool joins = find_joined(state, key, event, &row, &last);
    if ((joins ? closes_at(state, row) : alone_us) <= task->closed_us)
        mesh_metric_add(task->engine->m_idle_late, 1);
    bool is_new = !joins || event->time_us < row->window;
    if (!is_new && state->old != NULL)
        mesh_flow_view_remember(state, row, false);
    if (!joins) {
        row = last = begin(state, key->bytes, key->n, event->time_us);
        enlist(state, row);
    } else if (is_new) {
        bool alone = row == last;
        row = begin_earlier(state, row, event);
        last = alone ? row : last;
    }
    merge(state, row, last, event);
    if (is_new && state->old != NULL)
        mesh_flow_view_remember(state, row, true);
    state->changed_row = row->index;
    head_of(row)->revision++;
    if (event->time_us > head_of(row)->time_us)
        head_of(row)->time_us = event->time_us;
    mesh_store_table_move(&state->table, row, mesh_flow_state_bucket(state, row->window, head_of(row)->time_us));
    row->flags &= (uint8_t)~MESH_STORE_FLAG4;
    if (closes_at(state, row) <= task->closed_us)
        row->flags |= MESH_STORE_FLAG4; /* a correction of what a CLOSE port has sent */
    else if (row->owner != HAS_TIMER)
        set_timer(state, row);
    mesh_flow_state_touch(state, row);
    return row;
}

void mesh_flow_session_drop(struct mesh_flow_state *state, struct mesh_store_row *row)
{
    if (!state->task->engine->restoring) /* else there are no lists yet */
        strike_off(state, row);
}

static int by_start(const void *a, const void *b)
{
    const struct mesh_store_row *x = *(struct mesh_store_row *const *)a;
    const struct mesh_store_row *y = *(struct mesh_store_row *const *)b;
    return x->window < y->window ? -1 : x->window > y->window;
}

void mesh_flow_sessions_restored(struct mesh_flow_state *state)
{
    struct mesh_store_row **rows = mesh_xmalloc((state->table.count + 1) * sizeof(struct mesh_store_row *));
    size_t n = 0;
    for (uint32_t i = 0; i < state->table.n_rows; i++) {
        struct mesh_store_row *row = mesh_store_table_row(&state->table, i);
        if ((row->flags & MESH_STORE_LIVE) != 0)
            rows[n++] = row;
    }
    qsort(rows, n, sizeof(struct mesh_store_row *), by_start); /* so each goes to the front of its key's list */
    for (size_t i = 0; i < n; i++) {
        enlist(state, rows[i]);
        if (closes_at(state, rows[i]) > state->task->closed_us)
            set_timer(state, rows[i]);
    }
    free(rows);
}
