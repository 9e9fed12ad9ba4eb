/* What leaves a view: the out struct of a row, the messages of its CHANGE and CLOSE ports, and its documents. */
#include "flow/state.h"

#include "base/hash.h"
#include "store/image.h"

#include <stdlib.h>

void mesh_flow_view_out(const struct mesh_flow_state *state, int64_t window, const uint8_t *key, size_t key_n,
                        const struct mesh_flow_view_row *head, struct mesh_arena *scratch, void *out)
{
    const struct mesh_view *view = state->view;
    memset(out, 0, view->out_size);
    const uint8_t *p = key;
    for (uint32_t i = 0; i < view->n_key; i++)
        mesh_assert(mesh_flow_key_member(&p, key + key_n, &view->out[i], scratch, out));
    memcpy((char *)out + view->revision, &head->revision, sizeof head->revision);
    if (state->windowed) {
        int64_t end = mesh_flow_window_end(state, window, head->time_us);
        memcpy((char *)out + view->window_start, &window, sizeof window);
        memcpy((char *)out + view->window_end, &end, sizeof end);
        *((bool *)out + view->final) = mesh_flow_window_closed(state, window, head->time_us, state->task->closed_us);
    }
    view->finish(head + 1, out);
}

static const struct mesh_flow_view_row *empty_row(const struct mesh_flow_state *state, struct mesh_arena *scratch)
{
    return mesh_arena_alloc(scratch, sizeof(struct mesh_flow_view_row) + state->decl->row_size);
}

void mesh_flow_view_out_gone(const struct mesh_flow_state *state, int64_t window, const uint8_t *key, size_t key_n,
                             struct mesh_arena *scratch, void *out)
{
    mesh_flow_view_out(state, window, key, key_n, empty_row(state, scratch), scratch, out);
    memcpy((char *)out + state->view->window_end, &window, sizeof window);
    *((bool *)out + state->view->final) = true;
}

static void row_out(const struct mesh_flow_state *state, struct mesh_store_row *row, void *out)
{
    const struct mesh_flow_view_row *head = mesh_store_row_payload(row);
    mesh_flow_view_out(state, row->window, mesh_store_row_key(row), row->key_n, head, &state->task->scratch, out);
}

/* ---- messages ---- */
static struct mesh_str out_str(const struct mesh_out *out)
{
    static const char empty[1];
    return (struct mesh_str){out->p == NULL ? empty : (const char *)out->p, (uint32_t)out->n};
}

static void send_row(struct mesh_flow_state *state, uint32_t port_index, const void *out, int64_t time_us, bool removed)
{
    struct mesh_task *task = state->task;
    struct mesh_engine *engine = task->engine;
    const struct mesh_port *port = &engine->product->ports[port_index];
    uint32_t id = engine->conf.port_ids[port_index];
    char head[5] = {0, (char)(uint8_t)(id >> 24), (char)(uint8_t)(id >> 16), (char)(uint8_t)(id >> 8), (char)(uint8_t)id};
    task->value.n = task->key.n = 0;
    port->encode(task, out, &task->value, &task->key);
    struct mesh_str key = out_str(&task->key);
    int32_t partition = mesh_hash_partition(key.p, key.n, engine->dest_partitions[port_index]);
    if (removed)
        mesh_flow_outbox_add(task, port_index, partition, key, (struct mesh_str){0}, (struct mesh_str){0}, NULL, 0, time_us);
    else
        mesh_flow_outbox_add(task, port_index, partition, key, (struct mesh_str){head, sizeof head}, out_str(&task->value), NULL, 0,
                             time_us);
}

/* As this port shows it; NULL: it does not. A row that was there and is withheld is removed. */
static const void *shown_at(struct mesh_flow_state *state, uint32_t port, const void *out, bool *removed)
{
    struct mesh_task *task = state->task;
    if (task->product->ports[port].n_consents == 0 || *removed)
        return out;
    void *own = mesh_arena_alloc(&task->scratch, state->view->out_size);
    memcpy(own, out, state->view->out_size);
    enum mesh_flow_withheld withheld = mesh_flow_withhold(task->engine, port, own);
    *removed = withheld == MESH_FLOW_ROW_WITHDRAWN;
    return withheld == MESH_FLOW_ROW_UNSENT ? NULL : own;
}

static void send_to_ports(struct mesh_flow_state *state, enum mesh_emit emit, const void *row, int64_t time_us, bool gone)
{
    const struct mesh_product *product = state->task->product;
    for (uint32_t i = 0; i < product->n_ports; i++) {
        const struct mesh_port *port = &product->ports[i];
        if (port->emit != emit || product->views[port->view].state != state->index)
            continue;
        bool removed = gone;
        const void *out = shown_at(state, i, row, &removed);
        if (out == NULL)
            continue;
        if (port->kind == MESH_PORT_KAFKA)
            send_row(state, i, out, time_us, removed);
        else if (port->kind == MESH_PORT_SSE)
            mesh_flow_tell(state->task, i, out, time_us, removed);
    }
}

/* ---- documents ---- */
static void put_documents(struct mesh_flow_state *state, int64_t window, const uint8_t *key, size_t key_n, uint64_t n,
                          struct mesh_store_row *row)
{
    struct mesh_task *task = state->task;
    struct mesh_buf *image = &task->engine->out;
    mesh_buf_reset(image);
    if (row != NULL) {
        const struct mesh_flow_view_row *head = mesh_store_row_payload(row);
        mesh_buf_zigzag(image, head->revision);
        mesh_buf_zigzag(image, head->time_us);
        mesh_buf_u8(image, state->windowed && mesh_flow_window_closed(state, window, head->time_us, task->closed_us));
        mesh_store_image_write(image, state->decl->fields, state->decl->n_fields, mesh_flow_view_data(row));
    }
    for (uint32_t i = 0; i < task->product->n_ports; i++)
        if (task->docs[i] != NULL && task->product->views[task->product->ports[i].view].state == state->index)
            mesh_flow_docs_put(task->docs[i], window, key, key_n, n, row == NULL, (struct mesh_str){image->p, (uint32_t)image->n});
}

/* ---- commit ---- */
/* Rows that were removed since the last commit and are not there again: tombstones. The key of a message does not tell windows apart, so
 * a session that is gone is sent once more, empty. */
static void emit_removed(struct mesh_flow_state *state, void *out)
{
    struct mesh_cursor in = mesh_cursor_of(state->deltas.p, state->deltas.n);
    if (state->deltas.n == 0)
        return;
    while (in.p < in.end && !in.bad) {
        mesh_assert(mesh_get_u8(&in) == MESH_FLOW_OP_REMOVE);
        (void)mesh_get_varint(&in);
        int64_t window = mesh_get_zigzag(&in);
        struct mesh_str key = mesh_get_slice(&in);
        if (mesh_store_table_find(&state->table, window, key.p, key.n) != NULL)
            continue;
        struct mesh_arena *scratch = &state->task->scratch;
        if (state->has_change && state->sessions != NULL) {
            mesh_flow_view_out_gone(state, window, (const uint8_t *)key.p, key.n, scratch, out);
            send_to_ports(state, MESH_EMIT_CHANGE, out, window, false);
        } else if (state->has_change) {
            mesh_flow_view_out(state, window, (const uint8_t *)key.p, key.n, empty_row(state, scratch), scratch, out);
            send_to_ports(state, MESH_EMIT_CHANGE, out, state->task->release_us, true);
        }
        if (state->has_docs)
            put_documents(state, window, (const uint8_t *)key.p, key.n, state->task->n, NULL);
    }
}

void mesh_flow_view_emit(struct mesh_flow_state *state)
{
    struct mesh_task *task = state->task;
    if (!state->has_change && !state->has_close && !state->has_docs) {
        for (size_t i = 0; i < state->dirty.n; i++) {
            struct mesh_store_row *row = mesh_store_table_row(&state->table, state->dirty.v[i]);
            ((struct mesh_flow_view_row *)mesh_store_row_payload(row))->n = task->n;
        }
        return;
    }
    void *out = mesh_xcalloc(1, state->view->out_size);
    emit_removed(state, out);
    for (size_t i = 0; i < state->dirty.n; i++) {
        struct mesh_store_row *row = mesh_store_table_row(&state->table, state->dirty.v[i]);
        if ((row->flags & MESH_STORE_DIRTY) == 0 || (row->flags & MESH_STORE_FLAG8) != 0)
            continue;
        row->flags |= MESH_STORE_FLAG8; /* once, also when it is listed twice */
        struct mesh_flow_view_row *head = mesh_store_row_payload(row);
        head->n = task->n;
        if (mesh_flow_view_hidden(state->view, head)) {
            row->flags &= (uint8_t)~MESH_STORE_FLAG4;
            continue;
        }
        bool correction = (row->flags & MESH_STORE_FLAG4) != 0 && state->has_close;
        if (state->has_change || correction) {
            row_out(state, row, out);
            if (state->has_change)
                send_to_ports(state, MESH_EMIT_CHANGE, out, head->time_us, false);
            if (correction)
                send_to_ports(state, MESH_EMIT_CLOSE, out, head->time_us, false);
            row->flags &= (uint8_t)~MESH_STORE_FLAG4;
        }
        if (state->has_docs)
            put_documents(state, row->window, mesh_store_row_key(row), row->key_n, task->n, row);
        if (task->scratch.bytes_total > MESH_FLOW_CHUNK_BYTES)
            mesh_arena_reset(&task->scratch);
        mesh_flow_worked(task->engine, 1);
    }
    for (size_t i = 0; i < state->dirty.n; i++)
        mesh_store_table_row(&state->table, state->dirty.v[i])->flags &= (uint8_t)~MESH_STORE_FLAG8;
    mesh_arena_reset(&task->scratch);
    free(out);
}

/* ---- closing ---- */
static int by_key(const void *a, const void *b)
{
    const struct mesh_store_row *x = *(struct mesh_store_row *const *)a;
    const struct mesh_store_row *y = *(struct mesh_store_row *const *)b;
    return mesh_str_cmp((struct mesh_str){(const char *)mesh_store_row_key(x), x->key_n},
                        (struct mesh_str){(const char *)mesh_store_row_key(y), y->key_n});
}

void mesh_flow_view_close(struct mesh_flow_state *state, struct mesh_store_row *row, void *out)
{
    const struct mesh_flow_view_row *head = mesh_store_row_payload(row);
    if (state->has_close && !mesh_flow_view_hidden(state->view, head)) {
        row_out(state, row, out);
        send_to_ports(state, MESH_EMIT_CLOSE, out, mesh_flow_window_end(state, row->window, head->time_us), false);
    }
    row->flags &= (uint8_t)~MESH_STORE_FLAG4;
    if (state->has_change || state->has_docs)
        mesh_flow_state_touch(state, row); /* `final` changed */
}

void mesh_flow_view_gone(struct mesh_flow_state *state, struct mesh_store_row *row, const struct mesh_event *event)
{
    struct mesh_task *task = state->task;
    const struct mesh_flow_view_row *head = mesh_store_row_payload(row);
    bool was_sent = state->has_close && mesh_flow_window_closed(state, row->window, head->time_us, task->closed_us);
    if (!was_sent && state->old == NULL)
        return;
    void *out = mesh_arena_alloc(&task->scratch, state->view->out_size);
    mesh_flow_view_out_gone(state, row->window, mesh_store_row_key(row), row->key_n, &task->scratch, out);
    if (was_sent)
        send_to_ports(state, MESH_EMIT_CLOSE, out, row->window, false);
    if (state->old == NULL)
        return;
    void *old = mesh_arena_alloc(&task->scratch, state->view->out_size);
    row_out(state, row, old);
    state->view->changed(task, event, old, out);
}

static void close_bucket(struct mesh_flow_state *state, const struct mesh_store_bucket *bucket)
{
    if (bucket->n == 0 || (!state->has_close && !state->has_change && !state->has_docs))
        return;
    struct mesh_store_row **rows = mesh_xmalloc(bucket->n * sizeof(struct mesh_store_row *));
    uint32_t n = 0;
    for (uint32_t i = bucket->head; i != MESH_STORE_NONE; i = rows[n - 1]->next)
        rows[n++] = mesh_store_table_row(&state->table, i);
    qsort(rows, n, sizeof(struct mesh_store_row *), by_key);
    void *out = mesh_xcalloc(1, state->view->out_size);
    for (uint32_t i = 0; i < n; i++)
        mesh_flow_view_close(state, rows[i], out);
    free(out);
    free(rows);
}

/* The first window from this one on that has rows is the next to close. */
static void find_next(struct mesh_flow_state *state, int64_t window)
{
    size_t at = mesh_store_table_bucket_from(&state->table, window);
    state->next_close_us = INT64_MAX;
    if (at == state->table.n_buckets)
        return;
    state->next_window = state->table.buckets[at].id;
    state->next_close_us = mesh_flow_window_end(state, state->next_window, 0) + state->view->grace_us;
}

void mesh_flow_view_restored(struct mesh_flow_state *state)
{
    if (!state->windowed || state->decl->partial)
        return;
    if (state->sessions != NULL) {
        mesh_flow_sessions_restored(state);
        return;
    }
    int64_t span = mesh_flow_window_longest(state->view) + state->view->grace_us;
    int64_t closed = state->task->closed_us;
    find_next(state, closed < INT64_MIN + span ? INT64_MIN : closed - span + 1);
    while (state->next_close_us <= closed)
        find_next(state, state->next_window + 1);
    if (state->next_close_us < state->task->next_close_us)
        state->task->next_close_us = state->next_close_us;
}

static bool is_step_timer(const struct mesh_flow_state *state)
{
    return state->n_timers > 0 && state->sessions == NULL;
}

void mesh_flow_close_windows(struct mesh_task *task, int64_t until_us)
{
    const struct mesh_topology *topology = &task->product->topologies[task->topology];
    for (;;) {
        /* The earliest of all states. At the same time a timer of a step, whose record still belongs to the window, and then the one
         * that was declared first. */
        struct mesh_flow_state *next = NULL;
        for (uint32_t i = 0; i < topology->n_states; i++) {
            struct mesh_flow_state *state = task->states[topology->states[i]];
            if (state->next_close_us != INT64_MAX &&
                (next == NULL || state->next_close_us < next->next_close_us ||
                 (state->next_close_us == next->next_close_us && is_step_timer(state) && !is_step_timer(next))))
                next = state;
        }
        task->next_close_us = next == NULL ? INT64_MAX : next->next_close_us;
        if (next == NULL || next->next_close_us > until_us)
            break;
        if (is_step_timer(next)) {
            mesh_flow_timers_pass(next);
            continue;
        }
        int64_t closes = next->next_close_us;
        if (closes > task->closed_us)
            task->closed_us = closes;
        if (next->sessions != NULL) {
            mesh_flow_timers_pass(next);
            continue;
        }
        int64_t window = next->next_window;
        size_t at = mesh_store_table_bucket_from(&next->table, window);
        if (at < next->table.n_buckets && next->table.buckets[at].id == window)
            close_bucket(next, &next->table.buckets[at]);
        find_next(next, window + 1);
    }
    mesh_arena_reset(&task->scratch);
}
