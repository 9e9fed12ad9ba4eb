/* Rows on their way to MongoDB. A document waits as the image its commit wrote, so that nothing leaves before it is durable; a newer
 * change of the same row takes the older one's place. What is not stored yet is counted by commit: the log says from where on rows must
 * be handed out again. */
#include "flow/state.h"

#include "base/hash.h"
#include "store/image.h"

#include <stdlib.h>

struct doc {
    struct mesh_flow_docs *docs;
    uint64_t n, first_n; /* newest and oldest commit that waits in it */
    char *image;
    uint32_t image_n;
    bool removed;
    bool handed, again; /* out there; and changed meanwhile: first_n is then of the change */
    uint64_t handed_first_n;
    void *block; /* row and out struct of what was handed out */
    char *id;
    struct mesh_arena text;
};

struct count {
    uint64_t n, waiting;
};

struct mesh_flow_docs {
    struct mesh_flow_state *state;
    uint32_t port;
    struct mesh_store_table table;
    MESH_VEC(uint32_t) queue;
    size_t queue_head;
    MESH_VEC(struct count) counts;
    size_t counts_head;
    uint64_t restored_as; /* while recovering: what is found counts as of this commit */
};

static void take_back(struct mesh_flow_docs *docs, struct doc *doc)
{
    if (doc->block != NULL)
        mesh_store_image_free(docs->state->decl->fields, docs->state->decl->n_fields, (struct mesh_flow_view_row *)doc->block + 1);
    free(doc->block);
    free(doc->id);
    mesh_arena_deinit(&doc->text);
    doc->block = NULL;
    doc->id = NULL;
    doc->text = MESH_ARENA_NULL;
    doc->handed = false;
}

static void drop(void *context, void *payload)
{
    struct doc *doc = payload;
    take_back(context, doc);
    free(doc->image);
}

struct mesh_flow_docs *mesh_flow_docs_new(struct mesh_flow_state *state, uint32_t port)
{
    struct mesh_flow_docs *docs = mesh_xcalloc(1, sizeof *docs);
    docs->state = state;
    docs->port = port;
    mesh_store_table_init(&docs->table, sizeof(struct doc), drop, docs);
    return docs;
}

void mesh_flow_docs_free(struct mesh_flow_docs *docs)
{
    if (docs == NULL)
        return;
    mesh_store_table_deinit(&docs->table);
    mesh_vec_deinit(&docs->queue);
    mesh_vec_deinit(&docs->counts);
    free(docs);
}

static void count_up(struct mesh_flow_docs *docs, uint64_t n)
{
    for (size_t i = docs->counts.n; i > docs->counts_head; i--) {
        if (docs->counts.v[i - 1].n == n) {
            docs->counts.v[i - 1].waiting++;
            return;
        }
        if (docs->counts.v[i - 1].n < n)
            break;
    }
    *mesh_vec_push(&docs->counts) = (struct count){n, 1};
}

static void count_down(struct mesh_flow_docs *docs, uint64_t n)
{
    for (size_t i = docs->counts_head; i < docs->counts.n; i++) {
        if (docs->counts.v[i].n == n && docs->counts.v[i].waiting > 0) {
            docs->counts.v[i].waiting--;
            break;
        }
    }
    while (docs->counts_head < docs->counts.n && docs->counts.v[docs->counts_head].waiting == 0)
        docs->counts_head++;
    if (docs->counts_head == docs->counts.n)
        docs->counts_head = docs->counts.n = 0;
}

uint64_t mesh_flow_docs_lowest(const struct mesh_flow_docs *docs)
{
    uint64_t lowest = UINT64_MAX;
    for (size_t i = docs->counts_head; i < docs->counts.n; i++)
        if (docs->counts.v[i].waiting > 0 && docs->counts.v[i].n < lowest)
            lowest = docs->counts.v[i].n;
    return lowest;
}

static void enqueue(struct mesh_flow_docs *docs, uint32_t index)
{
    if (docs->queue_head == docs->queue.n)
        docs->queue_head = docs->queue.n = 0;
    if (docs->queue_head > 1024 && docs->queue_head > docs->queue.n / 2) {
        docs->queue.n -= docs->queue_head;
        memmove(docs->queue.v, docs->queue.v + docs->queue_head, docs->queue.n * sizeof *docs->queue.v);
        docs->queue_head = 0;
    }
    *mesh_vec_push(&docs->queue) = index;
}

void mesh_flow_docs_put(struct mesh_flow_docs *docs, int64_t window, const void *key, size_t key_n, uint64_t n, bool removed,
                        struct mesh_str image)
{
    bool is_new = false;
    struct mesh_store_row *row = mesh_store_table_make(&docs->table, window, key, key_n, 0, &is_new);
    struct doc *doc = mesh_store_row_payload(row);
    if (is_new || (doc->handed && !doc->again)) {
        doc->docs = docs;
        doc->first_n = docs->restored_as != 0 ? docs->restored_as : n;
        count_up(docs, doc->first_n);
        doc->again = !is_new;
        if (is_new) {
            enqueue(docs, row->index);
            docs->state->task->engine->documents++;
        }
    }
    doc->n = n;
    doc->removed = removed;
    free(doc->image);
    doc->image = mesh_xmalloc((size_t)image.n + 1);
    doc->image_n = image.n;
    if (image.n > 0)
        memcpy(doc->image, image.p, image.n);
}

void mesh_flow_docs_log_removed(const struct mesh_flow_docs *docs, struct mesh_buf *out)
{
    for (uint32_t i = 0; i < docs->table.n_rows; i++) {
        struct mesh_store_row *row = mesh_store_table_row(&docs->table, i);
        const struct doc *doc = mesh_store_row_payload(row);
        if ((row->flags & MESH_STORE_LIVE) == 0 || !doc->removed)
            continue;
        mesh_buf_u8(out, MESH_FLOW_OP_GONE_DOC);
        mesh_buf_varint(out, docs->port);
        mesh_buf_zigzag(out, row->window);
        mesh_buf_slice(out, (struct mesh_str){(const char *)mesh_store_row_key(row), row->key_n});
        mesh_buf_varint(out, doc->n);
    }
}

/* ---- the driver ---- */
static void make_id(struct doc *doc, const struct mesh_flow_state *state, const struct mesh_store_row *row)
{
    uint8_t bytes[8];
    uint32_t n = 0;
    if (state->windowed) {
        uint64_t w = (uint64_t)row->window ^ (UINT64_C(1) << 63);
        for (; n < 8; n++)
            bytes[n] = (uint8_t)(w >> (56 - 8 * n));
    }
    doc->id = mesh_xmalloc(2 * ((size_t)n + row->key_n) + 1);
    mesh_hex(bytes, n, doc->id);
    mesh_hex(mesh_store_row_key(row), row->key_n, doc->id + 2 * (size_t)n);
}

static void hand_out(struct mesh_flow_docs *docs, struct mesh_store_row *row, struct mesh_document *ret)
{
    struct mesh_flow_state *state = docs->state;
    struct doc *doc = mesh_store_row_payload(row);
    size_t out_at = (sizeof(struct mesh_flow_view_row) + state->decl->row_size + 15) / 16 * 16;
    make_id(doc, state, row);
    doc->handed = true;
    doc->again = false;
    doc->handed_first_n = doc->first_n;
    *ret = (struct mesh_document){
        .port = docs->port,
        .id = mesh_str_of(doc->id),
        .removed = doc->removed,
        .generation = state->task->engine->generation,
        .n = doc->n,
        .ticket = (uint64_t)(uintptr_t)row,
    };
    if (doc->removed)
        return;
    doc->block = mesh_xcalloc(1, out_at + state->view->out_size);
    struct mesh_cursor in = mesh_cursor_of(doc->image, doc->image_n);
    struct mesh_flow_view_row *head = doc->block;
    head->revision = mesh_get_zigzag(&in);
    head->time_us = mesh_get_zigzag(&in);
    bool final = mesh_get_u8(&in) != 0;
    mesh_store_image_read(&in, state->decl->fields, state->decl->n_fields, head + 1);
    mesh_assert(!in.bad);
    void *out = (char *)doc->block + out_at;
    mesh_flow_view_out(state, row->window, mesh_store_row_key(row), row->key_n, head, &doc->text, out);
    if (state->windowed)
        *((bool *)out + state->view->final) = final;
    ret->out = out;
    if (mesh_flow_withhold(state->task->engine, docs->port, out) != MESH_FLOW_SHOWN) {
        ret->removed = true; /* also one that never was: to remove it does no harm */
        ret->out = NULL;
    }
}

static bool next_of(struct mesh_flow_docs *docs, struct mesh_document *ret)
{
    if (docs == NULL || docs->queue_head == docs->queue.n)
        return false;
    struct mesh_store_row *row = mesh_store_table_row(&docs->table, docs->queue.v[docs->queue_head]);
    const struct doc *doc = mesh_store_row_payload(row);
    if (doc->n > docs->state->task->durable_n)
        return false;
    docs->queue_head++;
    hand_out(docs, row, ret);
    return true;
}

bool mesh_engine_next_document(struct mesh_engine *engine, struct mesh_document *ret)
{
    if (engine->documents == 0)
        return false;
    uint32_t n_ports = engine->product->n_ports;
    for (uint32_t i = 0; i < engine->n_tasks; i++) {
        struct mesh_task *task = engine->tasks[(engine->document_task + i) % engine->n_tasks];
        for (uint32_t p = 0; p < n_ports; p++) {
            if (next_of(task->docs[p], ret)) {
                engine->document_task = task->index;
                return true;
            }
        }
    }
    return false;
}

void mesh_engine_stored(struct mesh_engine *engine, uint64_t ticket)
{
    struct mesh_store_row *row = (struct mesh_store_row *)(uintptr_t)ticket;
    struct doc *doc = mesh_store_row_payload(row);
    struct mesh_flow_docs *docs = doc->docs;
    mesh_assert(docs->state->task->engine == engine);
    mesh_assert(doc->handed);
    count_down(docs, doc->handed_first_n);
    take_back(docs, doc);
    if (doc->again) {
        doc->again = false;
        enqueue(docs, row->index);
        return;
    }
    mesh_store_table_remove(&docs->table, row);
    engine->documents--;
}

/* ---- recovery ---- */
void mesh_flow_docs_restored(struct mesh_task *task)
{
    for (uint32_t p = 0; p < task->product->n_ports; p++) {
        struct mesh_flow_docs *docs = task->docs[p];
        if (docs == NULL)
            continue;
        struct mesh_flow_state *state = docs->state;
        docs->restored_as = task->docs_acked + 1;
        /* Removals that the log told of, as long as they are not stored. */
        docs->queue.n = docs->queue_head = docs->counts.n = docs->counts_head = 0;
        for (uint32_t i = 0; i < docs->table.n_rows; i++) {
            struct mesh_store_row *row = mesh_store_table_row(&docs->table, i);
            struct doc *doc = mesh_store_row_payload(row);
            if ((row->flags & MESH_STORE_LIVE) == 0)
                continue;
            if (doc->n <= task->docs_acked ||
                mesh_store_table_find(&state->table, row->window, mesh_store_row_key(row), row->key_n) != NULL) {
                mesh_store_table_remove(&docs->table, row);
                task->engine->documents--;
                continue;
            }
            doc->first_n = docs->restored_as;
            count_up(docs, doc->first_n);
            enqueue(docs, row->index);
        }
        for (uint32_t i = 0; i < state->table.n_rows; i++) {
            struct mesh_store_row *row = mesh_store_table_row(&state->table, i);
            if ((row->flags & MESH_STORE_LIVE) == 0)
                continue;
            const struct mesh_flow_view_row *head = mesh_store_row_payload(row);
            if (head->n <= task->docs_acked || mesh_flow_view_hidden(state->view, head))
                continue;
            struct mesh_buf *image = &task->engine->out;
            mesh_buf_reset(image);
            mesh_buf_zigzag(image, head->revision);
            mesh_buf_zigzag(image, head->time_us);
            mesh_buf_u8(image, state->windowed && mesh_flow_window_closed(state, row->window, head->time_us, task->closed_us));
            mesh_store_image_write(image, state->decl->fields, state->decl->n_fields, mesh_flow_view_data(row));
            mesh_flow_docs_put(docs, row->window, mesh_store_row_key(row), row->key_n, head->n, false,
                               (struct mesh_str){image->p, (uint32_t)image->n});
        }
        docs->restored_as = 0;
    }
}
