/* Answers about views. The order of a list is (window start, key bytes) over all tasks; a page is found with a bounded heap of the
 * smallest rows behind `after`, window by window, so that memory is bounded by the page and work by the windows that it touches. */
#include "flow/state.h"

#include "base/hash.h"

#include <stdlib.h>

#define PLACE_WINDOW_BYTES 8

struct found {
    struct mesh_flow_state *state;
    struct mesh_store_row *row;
};

struct page {
    const struct mesh_read *read;
    struct found *heap; /* the largest on top */
    size_t n, cap;
    bool more;
    int64_t after_window;
    struct mesh_str after_key;
    bool has_after;
};

void mesh_rows_deinit(struct mesh_rows *rows)
{
    mesh_buf_deinit(&rows->rows);
    mesh_buf_deinit(&rows->text);
    mesh_buf_deinit(&rows->last);
    mesh_buf_deinit(&rows->places);
}

static struct mesh_str key_of(const struct mesh_store_row *row)
{
    return (struct mesh_str){(const char *)mesh_store_row_key(row), row->key_n};
}

static int by_place(const struct mesh_store_row *a, const struct mesh_store_row *b)
{
    if (a->window != b->window)
        return a->window < b->window ? -1 : 1;
    return mesh_str_cmp(key_of(a), key_of(b));
}

static int by_place_sort(const void *a, const void *b)
{
    return by_place(((const struct found *)a)->row, ((const struct found *)b)->row);
}

/* ---- out ---- */
/* Append the out struct; strings go to `text`, their place there stands in for the pointer until fix_up(). */
static void add_row(struct mesh_rows *ret, const struct mesh_read *read, struct found found)
{
    struct mesh_flow_state *state = found.state;
    const struct mesh_view *view = state->view;
    const struct mesh_flow_view_row *head = mesh_store_row_payload(found.row);
    char *out = mesh_buf_reserve(&ret->rows, view->out_size);
    mesh_flow_view_out(state, found.row->window, mesh_store_row_key(found.row), found.row->key_n, head, &state->task->scratch, out);
    if (read->withhold)
        (void)mesh_flow_withhold(state->task->engine, read->port, out);
    for (uint32_t i = 0; i < view->n_out; i++) {
        if (view->out[i].type != MESH_STRING && view->out[i].type != MESH_BYTES)
            continue;
        struct mesh_str s;
        memcpy(&s, out + view->out[i].offset, sizeof s);
        size_t at = ret->text.n;
        mesh_buf_str(&ret->text, s);
        s.p = (const char *)(uintptr_t)at;
        memcpy(out + view->out[i].offset, &s, sizeof s);
    }
    ret->rows.n += view->out_size;
    ret->n++;
    mesh_arena_reset(&state->task->scratch);
}

static void fix_up(struct mesh_rows *ret, const struct mesh_view *view)
{
    for (size_t r = 0; r < ret->n; r++) {
        char *out = ret->rows.p + r * view->out_size;
        for (uint32_t i = 0; i < view->n_out; i++) {
            if (view->out[i].type != MESH_STRING && view->out[i].type != MESH_BYTES)
                continue;
            struct mesh_str s;
            memcpy(&s, out + view->out[i].offset, sizeof s);
            s.p = ret->text.p == NULL ? NULL : ret->text.p + (uintptr_t)s.p;
            memcpy(out + view->out[i].offset, &s, sizeof s);
        }
    }
}

/* Bytes that sort as the rows do. */
static void add_place(struct mesh_buf *to, const struct mesh_store_row *row)
{
    uint64_t window = (uint64_t)row->window ^ (UINT64_C(1) << 63);
    for (int i = PLACE_WINDOW_BYTES - 1; i >= 0; i--)
        mesh_buf_u8(to, (uint8_t)(window >> (8 * i)));
    mesh_buf_str(to, key_of(row));
}

static void set_last(struct mesh_rows *ret, const struct mesh_store_row *row)
{
    mesh_buf_reset(&ret->last);
    add_place(&ret->last, row);
}

static int parse_after(const struct mesh_read *read, struct page *page, struct mesh_err *err)
{
    page->has_after = read->after.n > 0;
    if (!page->has_after)
        return 0;
    if (read->after.n < PLACE_WINDOW_BYTES)
        return mesh_err_set(err, MESH_ERR_REJECT, "read.after", "the place to go on from is not one of a row");
    uint64_t window = 0;
    for (int i = 0; i < PLACE_WINDOW_BYTES; i++)
        window = window << 8 | (uint8_t)read->after.p[i];
    page->after_window = (int64_t)(window ^ (UINT64_C(1) << 63));
    page->after_key = (struct mesh_str){read->after.p + PLACE_WINDOW_BYTES, read->after.n - PLACE_WINDOW_BYTES};
    return 0;
}

/* ---- which rows ---- */
/* The tasks here that keep the view, [first, first + n). */
static void tasks_of(const struct mesh_engine *engine, uint32_t state, uint32_t *ret_first, uint32_t *ret_n)
{
    *ret_first = *ret_n = 0;
    for (uint32_t t = 0; t < engine->product->n_topologies; t++) {
        const struct mesh_topology *topology = &engine->product->topologies[t];
        for (uint32_t i = 0; i < topology->n_states; i++) {
            if (topology->states[i] == state) {
                *ret_first = engine->topology_first[t];
                *ret_n = engine->topology_tasks[t];
                return;
            }
        }
    }
}

static void set_marks(const struct mesh_engine *engine, uint32_t first, uint32_t n, struct mesh_rows *ret)
{
    ret->as_of_us = n == 0 ? INT64_MIN : INT64_MAX;
    for (uint32_t i = first; i < first + n; i++) {
        const struct mesh_task *task = engine->tasks[i];
        /* In the middle of a batch the watermark is ahead of what was processed; closed_us never is. */
        int64_t done_us = task->closed_us < task->wm_us ? task->closed_us : task->wm_us;
        ret->as_of_us = done_us < ret->as_of_us ? done_us : ret->as_of_us;
        ret->commit += task->n + (task->dirty && !task->committing ? 1 : 0);
        ret->durable += task->durable_n;
    }
}

void mesh_engine_marks(const struct mesh_engine *engine, uint32_t view, uint64_t *ret_commit, uint64_t *ret_durable)
{
    struct mesh_rows marks = {0};
    uint32_t first = 0;
    uint32_t n = 0;
    tasks_of(engine, engine->product->views[view].state, &first, &n);
    set_marks(engine, first, n, &marks);
    *ret_commit = marks.commit;
    *ret_durable = marks.durable;
}

static bool window_wanted(const struct mesh_read *read, const struct mesh_flow_state *state, int64_t window, int64_t newest_us)
{
    if (!state->windowed)
        return true;
    if (window < read->from_us || window >= read->to_us)
        return false;
    bool closed = mesh_flow_window_closed(state, window, newest_us, state->task->closed_us);
    if (read->windows == MESH_READ_OPEN)
        return !closed;
    return read->windows != MESH_READ_CLOSED || closed;
}

static bool hidden(const struct mesh_read *read, const struct mesh_flow_state *state, struct mesh_store_row *row)
{
    return !read->hidden && mesh_flow_view_hidden(state->view, mesh_store_row_payload(row));
}

static bool shown(const struct mesh_read *read, const struct mesh_flow_state *state, struct mesh_store_row *row)
{
    if (hidden(read, state, row))
        return false;
    if (state->slice_us == 0)
        return true;
    int64_t at = state->task->discard_us;
    const struct mesh_flow_view_row *head = mesh_store_row_payload(row);
    return at <= INT64_MIN + state->ttl_us || head->time_us >= at - state->ttl_us;
}

/* How many rows of the bucket count. Where rows may be hidden each is looked at. */
static uint64_t count_of(const struct mesh_read *read, const struct mesh_flow_state *state, const struct mesh_store_bucket *bucket)
{
    if (state->view->min_people == 0 || read->hidden)
        return bucket->n;
    uint64_t n = 0;
    for (uint32_t i = bucket->head; i != MESH_STORE_NONE;) {
        struct mesh_store_row *row = mesh_store_table_row(&state->table, i);
        n += hidden(read, state, row) ? 0 : 1;
        i = row->next;
    }
    return n;
}

/* Sessions have no window in common: the latest is each key's own. */
static bool session_wanted(const struct mesh_read *read, const struct mesh_flow_state *state, struct mesh_store_row *row)
{
    const struct mesh_flow_view_row *head = mesh_store_row_payload(row);
    if (!shown(read, state, row) || !window_wanted(read, state, row->window, head->time_us))
        return false;
    const struct mesh_store_row *newer = mesh_flow_session_newer(state, row);
    return read->windows != MESH_READ_LATEST || newer == NULL || newer->window >= read->to_us;
}

/* The newest window that has rows, over these tasks. */
static bool latest_window(const struct mesh_engine *engine, const struct mesh_read *read, uint32_t state, uint32_t first,
                          uint32_t n, int64_t *ret)
{
    bool any = false;
    for (uint32_t i = first; i < first + n; i++) {
        const struct mesh_flow_state *kept = engine->tasks[i]->states[state];
        const struct mesh_store_table *table = &kept->table;
        size_t at = mesh_store_table_bucket_from(table, read->to_us);
        while (at > table->first_bucket && count_of(read, kept, &table->buckets[at - 1]) == 0)
            at--;
        if (at == table->first_bucket || table->buckets[at - 1].id < read->from_us)
            continue;
        int64_t id = table->buckets[at - 1].id;
        *ret = !any || id > *ret ? id : *ret;
        any = true;
    }
    return any;
}

/* ---- lists ---- */
static void sift_down(struct page *page)
{
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= page->n)
            return;
        if (child + 1 < page->n && by_place(page->heap[child + 1].row, page->heap[child].row) > 0)
            child++;
        if (by_place(page->heap[child].row, page->heap[at].row) <= 0)
            return;
        struct found swap = page->heap[child];
        page->heap[child] = page->heap[at];
        page->heap[at] = swap;
        at = child;
    }
}

static void offer(struct page *page, struct found found)
{
    if (page->has_after) {
        if (found.row->window < page->after_window ||
            (found.row->window == page->after_window && mesh_str_cmp(key_of(found.row), page->after_key) <= 0))
            return;
    }
    if (page->n < page->cap) {
        size_t at = page->n++;
        page->heap[at] = found;
        while (at > 0 && by_place(page->heap[at].row, page->heap[(at - 1) / 2].row) > 0) {
            struct found swap = page->heap[at];
            page->heap[at] = page->heap[(at - 1) / 2];
            page->heap[(at - 1) / 2] = swap;
            at = (at - 1) / 2;
        }
        return;
    }
    page->more = true;
    if (page->cap > 0 && by_place(found.row, page->heap[0].row) < 0) {
        page->heap[0] = found;
        sift_down(page);
    }
}

static void offer_bucket(struct page *page, struct mesh_flow_state *state, const struct mesh_store_bucket *bucket)
{
    if (page->cap == 0)
        return; /* only the count is wanted */
    for (uint32_t i = bucket->head; i != MESH_STORE_NONE;) {
        struct mesh_store_row *row = mesh_store_table_row(&state->table, i);
        if (shown(page->read, state, row))
            offer(page, (struct found){state, row});
        i = row->next;
    }
}

/* Windows in ascending order over all tasks, until the page is full and a window is done. */
static void list_windows(struct mesh_engine *engine, struct page *page, uint32_t state_index, uint32_t first, uint32_t n,
                         int64_t from, int64_t to, struct mesh_rows *ret)
{
    const struct mesh_read *read = page->read;
    size_t *at = mesh_xcalloc((size_t)n + 1, sizeof *at);
    for (uint32_t i = 0; i < n; i++)
        at[i] = mesh_store_table_bucket_from(&engine->tasks[first + i]->states[state_index]->table, from);
    for (;;) {
        int64_t window = INT64_MAX;
        bool any = false;
        for (uint32_t i = 0; i < n; i++) {
            const struct mesh_store_table *table = &engine->tasks[first + i]->states[state_index]->table;
            if (at[i] < table->n_buckets && table->buckets[at[i]].id < to && (!any || table->buckets[at[i]].id < window)) {
                window = table->buckets[at[i]].id;
                any = true;
            }
        }
        if (!any)
            break;
        bool full = page->more;
        for (uint32_t i = 0; i < n; i++) {
            struct mesh_flow_state *state = engine->tasks[first + i]->states[state_index];
            if (at[i] >= state->table.n_buckets || state->table.buckets[at[i]].id != window)
                continue;
            const struct mesh_store_bucket *bucket = &state->table.buckets[at[i]++];
            if (bucket->n == 0 || !window_wanted(read, state, window, 0))
                continue;
            ret->count += count_of(read, state, bucket);
            if (!full && (!page->has_after || window >= page->after_window))
                offer_bucket(page, state, bucket);
        }
    }
    free(at);
}

/* In no order of time: the page finds it. */
static void list_sessions(struct page *page, struct mesh_flow_state *state, struct mesh_rows *ret)
{
    for (uint32_t i = 0; i < state->table.n_rows; i++) {
        struct mesh_store_row *row = mesh_store_table_row(&state->table, i);
        if ((row->flags & MESH_STORE_LIVE) == 0 || !session_wanted(page->read, state, row))
            continue;
        ret->count++;
        if (page->cap > 0) /* not only the count is wanted */
            offer(page, (struct found){state, row});
    }
}

int mesh_engine_list(struct mesh_engine *engine, const struct mesh_read *read, struct mesh_rows *ret, struct mesh_err *err)
{
    const struct mesh_view *view = &engine->product->views[read->view];
    struct page page = {.read = read, .cap = read->limit};
    uint32_t first = 0;
    uint32_t n = 0;
    *ret = (struct mesh_rows){0};
    int r = parse_after(read, &page, err);
    if (r < 0)
        return r;
    tasks_of(engine, view->state, &first, &n);
    set_marks(engine, first, n, ret);
    page.heap = mesh_xmalloc(((size_t)read->limit + 1) * sizeof *page.heap);
    int64_t from = INT64_MIN;
    int64_t to = INT64_MAX;
    bool any = true;
    if (view->window == MESH_WINDOW_SESSION) {
        for (uint32_t i = first; i < first + n; i++)
            list_sessions(&page, engine->tasks[i]->states[view->state], ret);
    } else if (view->window != MESH_WINDOW_NONE) {
        from = read->from_us;
        to = read->to_us;
        if (read->windows == MESH_READ_LATEST) {
            any = latest_window(engine, read, view->state, first, n, &from);
            to = any ? from + 1 : to;
        }
        if (any)
            list_windows(engine, &page, view->state, first, n, from, to, ret);
    } else {
        for (uint32_t i = first; i < first + n; i++) {
            struct mesh_flow_state *state = engine->tasks[i]->states[view->state];
            for (size_t b = state->table.first_bucket; b < state->table.n_buckets; b++) {
                ret->count += count_of(read, state, &state->table.buckets[b]);
                offer_bucket(&page, state, &state->table.buckets[b]);
            }
        }
    }
    if (page.n > 0)
        qsort(page.heap, page.n, sizeof *page.heap, by_place_sort);
    for (size_t i = 0; i < page.n; i++) {
        add_row(ret, read, page.heap[i]);
        if (engine->conf.sharded) {
            uint32_t bytes = PLACE_WINDOW_BYTES + page.heap[i].row->key_n;
            mesh_buf_add(&ret->places, (const char *)&bytes, sizeof bytes);
            add_place(&ret->places, page.heap[i].row);
        }
    }
    if (page.n > 0)
        set_last(ret, page.heap[page.n - 1].row);
    ret->more = page.more;
    fix_up(ret, view);
    free(page.heap);
    return 0;
}

/* ---- points ---- */
/* The sessions of the key in one task, oldest first. */
static void sessions_of(struct mesh_flow_state *state, const struct mesh_read *read, const struct page *page, struct mesh_rows *ret)
{
    struct mesh_store_row *row = mesh_flow_session_newest(state, read->key->bytes, read->key->n);
    while (row != NULL && mesh_flow_session_older(state, row) != NULL)
        row = mesh_flow_session_older(state, row);
    for (; row != NULL; row = mesh_flow_session_newer(state, row)) {
        if (!session_wanted(read, state, row) || (page->has_after && row->window <= page->after_window))
            continue;
        if (ret->n == read->limit) {
            ret->more = true;
            return;
        }
        add_row(ret, read, (struct found){state, row});
        set_last(ret, row);
    }
}

/* The rows of the key in one task, oldest window first; false: the limit was reached. */
static bool point_of(struct mesh_flow_state *state, const struct mesh_read *read, const struct page *page, struct mesh_rows *ret,
                     int64_t from, int64_t to)
{
    const struct mesh_key *key = read->key;
    if (!state->windowed) {
        struct mesh_store_row *row = mesh_store_table_find(&state->table, 0, key->bytes, key->n);
        if (row != NULL && shown(read, state, row)) {
            add_row(ret, read, (struct found){state, row});
            set_last(ret, row);
        }
        return true;
    }
    for (size_t b = mesh_store_table_bucket_from(&state->table, from); b < state->table.n_buckets; b++) {
        int64_t window = state->table.buckets[b].id;
        if (window >= to)
            break;
        if (state->table.buckets[b].n == 0 || !window_wanted(read, state, window, 0) ||
            (page->has_after && window <= page->after_window))
            continue;
        struct mesh_store_row *row = mesh_store_table_find(&state->table, window, key->bytes, key->n);
        if (row == NULL || hidden(read, state, row))
            continue;
        if (ret->n == read->limit) {
            ret->more = true;
            return false;
        }
        add_row(ret, read, (struct found){state, row});
        set_last(ret, row);
    }
    return true;
}

/* The newest row of the key in one task, or nothing. */
static void newest_of(struct mesh_flow_state *state, const struct mesh_read *read, struct mesh_rows *ret)
{
    for (size_t b = mesh_store_table_bucket_from(&state->table, read->to_us); b > state->table.first_bucket; b--) {
        int64_t window = state->table.buckets[b - 1].id;
        if (window < read->from_us)
            return;
        struct mesh_store_row *row = mesh_store_table_find(&state->table, window, read->key->bytes, read->key->n);
        if (row != NULL && !hidden(read, state, row)) {
            add_row(ret, read, (struct found){state, row});
            set_last(ret, row);
            return;
        }
    }
}

int mesh_engine_point(struct mesh_engine *engine, const struct mesh_read *read, struct mesh_rows *ret, struct mesh_err *err)
{
    const struct mesh_view *view = &engine->product->views[read->view];
    struct page page = {.read = read};
    uint32_t first = 0;
    uint32_t n = 0;
    *ret = (struct mesh_rows){0};
    mesh_assert(read->key != NULL);
    int r = parse_after(read, &page, err);
    if (r < 0)
        return r;
    tasks_of(engine, view->state, &first, &n);
    set_marks(engine, first, n, ret);
    /* A key belongs to one task; which one, its rows say. */
    for (uint32_t i = first; i < first + n && ret->n == 0 && read->limit > 0; i++) {
        struct mesh_flow_state *state = engine->tasks[i]->states[view->state];
        if (state->table.count == 0)
            continue;
        if (state->sessions != NULL)
            sessions_of(state, read, &page, ret);
        else if (state->windowed && read->windows == MESH_READ_LATEST)
            newest_of(state, read, ret);
        else
            point_of(state, read, &page, ret, read->from_us, read->to_us);
    }
    ret->count = ret->n;
    fix_up(ret, view);
    return 0;
}
