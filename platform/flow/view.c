/* Views: keyed folds, with or without windows.
 *
 * A row is one payload: what the engine knows of it (revision, newest event, last commit), then the generated struct. Late is judged by
 * the record's own source alone: a window that has closed for the record's source refuses it. A window that the task closed because
 * other sources were idle still takes records that are on time for their own source: corrections, counted as idle-late. */
#include "flow/state.h"

#include "store/image.h"

#include <stdlib.h>

static size_t payload_bytes(const struct mesh_state *decl)
{
    return sizeof(struct mesh_flow_view_row) + decl->row_size;
}

static void drop(void *context, void *payload)
{
    struct mesh_flow_state *state = context;
    if (state->sessions != NULL)
        mesh_flow_session_drop(state, (struct mesh_store_row *)payload - 1);
    mesh_store_image_free(state->decl->fields, state->decl->n_fields, (struct mesh_flow_view_row *)payload + 1);
}

static void write(const struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_buf *out)
{
    const struct mesh_flow_view_row *head = mesh_store_row_payload(row);
    mesh_buf_zigzag(out, head->revision);
    mesh_buf_zigzag(out, head->time_us);
    mesh_buf_varint(out, head->n);
    mesh_store_image_write(out, state->decl->fields, state->decl->n_fields, mesh_flow_view_data(row));
}

static bool read(struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_cursor *in)
{
    struct mesh_flow_view_row *head = mesh_store_row_payload(row);
    head->revision = mesh_get_zigzag(in);
    head->time_us = mesh_get_zigzag(in);
    head->n = mesh_get_varint(in);
    mesh_store_image_read(in, state->decl->fields, state->decl->n_fields, mesh_flow_view_data(row));
    return !in->bad;
}

static int64_t newest(const struct mesh_flow_state *state, struct mesh_store_row *row)
{
    (void)state;
    return ((const struct mesh_flow_view_row *)mesh_store_row_payload(row))->time_us;
}

/* A row about something else, which kept who it was last, or the like. */
static uint32_t forget(struct mesh_flow_state *state, struct mesh_store_row *row, const struct mesh_flow_subject *subject,
                       bool *ret_gone)
{
    char *data = mesh_flow_view_data(row);
    uint32_t n = 0;
    *ret_gone = false;
    if (state->view->min_people > 0)
        n += mesh_flow_people_forget((struct mesh_str *)(void *)(data + state->view->people), subject->pseudonym);
    for (uint32_t i = 0; i < state->decl->n_fields; i++) {
        const struct mesh_field *field = &state->decl->fields[i];
        if (!mesh_flow_is_subject(subject, field, data))
            continue;
        mesh_row_set_str((struct mesh_str *)(void *)(data + field->offset), (struct mesh_str){0});
        if (field->nullable)
            *((bool *)data + field->present) = false;
        n++;
    }
    return n;
}

const struct mesh_flow_kind mesh_flow_kind_view = {
    .name = "view",
    .payload_bytes = payload_bytes,
    .drop = drop,
    .write = write,
    .read = read,
    .newest = newest,
    .restored = mesh_flow_view_restored,
    .due = mesh_flow_session_due,
    .forget = forget,
};

void mesh_row_set_str(struct mesh_str *member, struct mesh_str v)
{
    char *old = (char *)(uintptr_t)member->p;
    if (member->n == v.n) {
        if (v.n > 0 && old != v.p)
            memcpy(old, v.p, v.n);
        return;
    }
    char *to = NULL;
    if (v.n > 0) {
        to = mesh_xmalloc(v.n);
        memcpy(to, v.p, v.n);
    }
    free(old);
    *member = (struct mesh_str){to, v.n};
}

/* ---- windows ---- */
int64_t mesh_flow_window_end(const struct mesh_flow_state *state, int64_t window, int64_t newest_us)
{
    if (state->view->zone != NULL) {
        int64_t from = state->near_from_us;
        int64_t to = state->near_to_us;
        if (window != from || to <= from)
            mesh_flow_zone_day(state->view->zone, window, &from, &to);
        return to;
    }
    return (state->sessions == NULL ? window : newest_us) + state->view->size_us;
}

/* The start of the window-th window that holds this time, counted from the newest one; false: there are no more. */
static bool window_of(struct mesh_flow_state *state, int64_t time_us, uint32_t window, int64_t *ret)
{
    const struct mesh_view *view = state->view;
    *ret = 0;
    if (view->window == MESH_WINDOW_NONE)
        return window == 0;
    if (view->window == MESH_WINDOW_TUMBLING) {
        bool near = time_us >= state->near_from_us && time_us < state->near_to_us;
        if (!near && view->zone != NULL) {
            mesh_flow_zone_day(view->zone, time_us, &state->near_from_us, &state->near_to_us);
        } else if (!near) {
            state->near_from_us = mesh_flow_floor(time_us, view->size_us);
            state->near_to_us = state->near_from_us + view->size_us;
        }
        *ret = state->near_from_us;
        return window == 0;
    }
    *ret = mesh_flow_floor(time_us, view->advance_us) - (int64_t)window * view->advance_us;
    return *ret + view->size_us > time_us;
}

void mesh_flow_view_remember(struct mesh_flow_state *state, struct mesh_store_row *row, bool is_new)
{
    state->changed_row = row->index;
    state->has_old = !is_new;
    if (is_new)
        return;
    struct mesh_arena *scratch = &state->task->scratch;
    const struct mesh_flow_view_row *head = mesh_store_row_payload(row);
    mesh_flow_view_out(state, row->window, mesh_store_row_key(row), row->key_n, head, scratch, state->old);
    /* Its strings belong to the row, which is about to change. */
    for (uint32_t i = 0; i < state->view->n_out; i++) {
        const struct mesh_field *field = &state->view->out[i];
        if (field->type != MESH_STRING && field->type != MESH_BYTES)
            continue;
        struct mesh_str s;
        memcpy(&s, (char *)state->old + field->offset, sizeof s);
        if (s.n == 0)
            continue;
        char *copy = mesh_arena_alloc(scratch, s.n);
        memcpy(copy, s.p, s.n);
        s.p = copy;
        memcpy((char *)state->old + field->offset, &s, sizeof s);
    }
}

struct mesh_store_row *mesh_flow_view_touch(struct mesh_flow_state *state, int64_t window, const void *key, size_t key_n,
                                            int64_t time_us, uint64_t folded)
{
    struct mesh_task *task = state->task;
    bool is_new = false;
    int64_t bucket = mesh_flow_state_bucket(state, window, time_us);
    struct mesh_store_row *row = mesh_store_table_make(&state->table, window, key, key_n, bucket, &is_new);
    struct mesh_flow_view_row *head = mesh_store_row_payload(row);
    if (!is_new && mesh_flow_state_expired(state, head->time_us)) {
        mesh_flow_state_reset(state, row);
        mesh_store_table_move(&state->table, row, bucket);
        is_new = true;
    }
    if (is_new) {
        head->time_us = time_us;
        if (state->view->init != NULL)
            state->view->init(mesh_flow_view_data(row));
        int64_t closes_us = state->windowed ? mesh_flow_window_end(state, window, 0) + state->view->grace_us : INT64_MAX;
        if (!state->decl->partial && closes_us < state->next_close_us && closes_us > task->closed_us) {
            state->next_close_us = closes_us;
            state->next_window = window;
            if (state->next_close_us < task->next_close_us)
                task->next_close_us = state->next_close_us;
        }
    }
    if (state->windowed && mesh_flow_window_closed(state, window, 0, task->closed_us))
        row->flags |= MESH_STORE_FLAG4; /* a correction of what a CLOSE port has sent */
    if (state->old != NULL)
        mesh_flow_view_remember(state, row, is_new);
    head->revision += (int64_t)folded;
    if (time_us > head->time_us) {
        head->time_us = time_us;
        if (state->slice_us != 0)
            mesh_store_table_move(&state->table, row, bucket);
    }
    mesh_flow_state_touch(state, row);
    return row;
}

static void *fold_into(struct mesh_flow_state *state, const struct mesh_key *key, const struct mesh_event *event, int64_t window)
{
    struct mesh_task *task = state->task;
    state->changed_row = MESH_STORE_NONE;
    if (!mesh_flow_key_ok(task, key, &state->decl->site))
        return NULL;
    if (state->windowed && mesh_flow_window_closed(state, window, 0, event->source_wm_us)) {
        mesh_flow_late(task, state, event);
        return NULL;
    }
    if (state->windowed && !state->decl->partial && mesh_flow_window_closed(state, window, 0, task->closed_us))
        mesh_metric_add(task->engine->m_idle_late, 1);
    struct mesh_store_row *row = mesh_flow_view_touch(state, window, key->bytes, key->n, event->time_us, 1);
    return mesh_flow_view_data(row);
}

void *mesh_view_row(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, const struct mesh_event *event)
{
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    if (state->sessions != NULL) {
        struct mesh_store_row *row =
            mesh_flow_key_ok(task, key, &state->decl->site) ? mesh_flow_session_row(state, key, event) : NULL;
        return row == NULL ? NULL : mesh_flow_view_data(row);
    }
    int64_t window = 0;
    window_of(state, event->time_us, 0, &window);
    return fold_into(state, key, event, window);
}

void *mesh_view_row_hop(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, const struct mesh_event *event,
                        uint32_t window_index, bool *ret_done)
{
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    int64_t window = 0;
    *ret_done = !window_of(state, event->time_us, window_index, &window);
    return *ret_done ? NULL : fold_into(state, key, event, window);
}

void mesh_flow_view_notify(struct mesh_flow_state *state, const struct mesh_event *event)
{
    if (state->old == NULL || state->changed_row == MESH_STORE_NONE)
        return;
    struct mesh_store_row *row = mesh_store_table_row(&state->table, state->changed_row);
    state->changed_row = MESH_STORE_NONE;
    const struct mesh_flow_view_row *head = mesh_store_row_payload(row);
    void *now = (char *)state->old + state->view->out_size;
    mesh_flow_view_out(state, row->window, mesh_store_row_key(row), row->key_n, head, &state->task->scratch, now);
    state->view->changed(state->task, event, state->has_old ? state->old : NULL, now);
}

void mesh_view_changed(struct mesh_task *task, uint32_t state_index, const struct mesh_event *event)
{
    mesh_flow_view_notify(mesh_flow_state_at(task, state_index), event);
}

static struct mesh_store_row *find(struct mesh_flow_state *state, const struct mesh_key *key, const struct mesh_event *event)
{
    int64_t window = 0;
    window_of(state, event->time_us, 0, &window);
    struct mesh_store_row *row = mesh_store_table_find(&state->table, window, key->bytes, key->n);
    if (row != NULL && mesh_flow_state_expired(state, ((struct mesh_flow_view_row *)mesh_store_row_payload(row))->time_us))
        return NULL;
    return row;
}

void mesh_view_remove(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, const struct mesh_event *event)
{
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    if (!mesh_flow_key_ok(task, key, &state->decl->site))
        return;
    struct mesh_store_row *row = find(state, key, event);
    if (row == NULL)
        return;
    if (state->changed_row == row->index)
        state->changed_row = MESH_STORE_NONE;
    mesh_flow_state_remove(state, row);
}

const void *mesh_view_peek(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, const struct mesh_event *event)
{
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    if (key->too_long)
        return NULL;
    struct mesh_store_row *row = find(state, key, event);
    return row == NULL ? NULL : mesh_flow_view_data(row);
}
