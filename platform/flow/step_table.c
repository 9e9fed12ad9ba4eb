/* Tables: the newest record by key, or all of them by the time from which they hold. Rows are copies that own their strings. */
#include "flow/state.h"

#include "store/image.h"

#include <stdlib.h>

/* ---- TABLE ---- */
static size_t table_payload_bytes(const struct mesh_state *decl)
{
    return decl->row_size;
}

static void table_drop(void *context, void *payload)
{
    const struct mesh_flow_state *state = context;
    mesh_store_image_free(state->decl->fields, state->decl->n_fields, payload);
}

static void table_write(const struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_buf *out)
{
    mesh_store_image_write(out, state->decl->fields, state->decl->n_fields, mesh_store_row_payload(row));
}

static bool table_read(struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_cursor *in)
{
    mesh_store_image_read(in, state->decl->fields, state->decl->n_fields, mesh_store_row_payload(row));
    return !in->bad;
}

const struct mesh_flow_kind mesh_flow_kind_table = {
    .name = "table",
    .payload_bytes = table_payload_bytes,
    .drop = table_drop,
    .write = table_write,
    .read = table_read,
};

/* ---- VERSIONS ---- */
struct versions {
    uint32_t n, cap;
    int64_t *from; /* ascending */
    uint8_t *rows; /* n * row_size */
};

static size_t versions_payload_bytes(const struct mesh_state *decl)
{
    (void)decl;
    return sizeof(struct versions);
}

static size_t version_bytes(const struct mesh_flow_state *state)
{
    return sizeof(int64_t) + state->decl->row_size;
}

static uint8_t *version_at(const struct mesh_flow_state *state, const struct versions *all, uint32_t i)
{
    return all->rows + (size_t)i * state->decl->row_size;
}

static void versions_drop(void *context, void *payload)
{
    struct mesh_flow_state *state = context;
    struct versions *all = payload;
    for (uint32_t i = 0; i < all->n; i++)
        mesh_store_image_free(state->decl->fields, state->decl->n_fields, version_at(state, all, i));
    state->owned_bytes -= all->cap * version_bytes(state);
    mesh_flow_own(state, all->from, all->cap * sizeof *all->from, 0);
    mesh_flow_own(state, all->rows, all->cap * (size_t)state->decl->row_size, 0);
    *all = (struct versions){0};
}

/* Number of versions that hold from `time_us` or before. */
static uint32_t versions_until(const struct versions *all, int64_t time_us)
{
    return mesh_flow_times_until(all->from, 0, all->n, time_us);
}

/* Where the version of this time goes: emptied if there was one, otherwise made. */
static void *version_slot(struct mesh_flow_state *state, struct versions *all, int64_t from_us)
{
    size_t size = state->decl->row_size;
    uint32_t at = versions_until(all, from_us);
    if (at > 0 && all->from[at - 1] == from_us) {
        void *row = version_at(state, all, at - 1);
        mesh_store_image_free(state->decl->fields, state->decl->n_fields, row);
        memset(row, 0, size);
        return row;
    }
    if (all->n == all->cap) {
        uint32_t cap = all->cap == 0 ? 2 : all->cap * 2;
        all->from = mesh_flow_own(state, all->from, all->cap * sizeof *all->from, cap * sizeof *all->from);
        all->rows = mesh_flow_own(state, all->rows, all->cap * size, cap * size);
        state->owned_bytes += (cap - all->cap) * version_bytes(state);
        all->cap = cap;
    }
    memmove(all->from + at + 1, all->from + at, (all->n - at) * sizeof *all->from);
    uint8_t *row = version_at(state, all, at);
    memmove(row + size, row, (all->n - at) * size);
    all->n++;
    all->from[at] = from_us;
    memset(row, 0, size);
    return row;
}

static void versions_write(const struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_buf *out)
{
    const struct versions *all = mesh_store_row_payload(row);
    mesh_buf_varint(out, all->n);
    for (uint32_t i = 0; i < all->n; i++) {
        mesh_buf_zigzag(out, all->from[i]);
        mesh_store_image_write(out, state->decl->fields, state->decl->n_fields, version_at(state, all, i));
    }
}

static bool versions_read(struct mesh_flow_state *state, struct mesh_store_row *row, struct mesh_cursor *in)
{
    struct versions *all = mesh_store_row_payload(row);
    uint64_t n = mesh_get_varint(in);
    for (uint64_t i = 0; i < n && !in->bad; i++) {
        int64_t from = mesh_get_zigzag(in);
        if (!in->bad)
            mesh_store_image_read(in, state->decl->fields, state->decl->n_fields, version_slot(state, all, from));
    }
    return !in->bad;
}

static bool versions_apply(struct mesh_flow_state *state, struct mesh_cursor *in)
{
    struct mesh_str key = mesh_get_slice(in);
    int64_t from = mesh_get_zigzag(in);
    if (in->bad || key.n > MESH_KEY_BYTES_MAX)
        return false;
    bool is_new = false;
    struct mesh_store_row *row = mesh_store_table_make(&state->table, 0, key.p, key.n, 0, &is_new);
    mesh_store_image_read(in, state->decl->fields, state->decl->n_fields, version_slot(state, mesh_store_row_payload(row), from));
    return !in->bad;
}

const struct mesh_flow_kind mesh_flow_kind_versions = {
    .name = "versions",
    .payload_bytes = versions_payload_bytes,
    .drop = versions_drop,
    .write = versions_write,
    .read = versions_read,
    .apply = versions_apply,
};

/* ---- the ABI ---- */
const void *mesh_lookup(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key)
{
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    if (!mesh_flow_key_ok(task, key, &state->decl->site))
        return NULL;
    struct mesh_store_row *row = mesh_store_table_find(&state->table, 0, key->bytes, key->n);
    if (row == NULL)
        return NULL;
    if (state->decl->kind == MESH_STATE_TABLE)
        return mesh_store_row_payload(row);
    const struct versions *all = mesh_store_row_payload(row);
    return all->n == 0 ? NULL : version_at(state, all, all->n - 1);
}

const void *mesh_lookup_as_of(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, int64_t time_us)
{
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    mesh_assert(state->decl->kind == MESH_STATE_VERSIONS);
    if (!mesh_flow_key_ok(task, key, &state->decl->site))
        return NULL;
    struct mesh_store_row *row = mesh_store_table_find(&state->table, 0, key->bytes, key->n);
    if (row == NULL)
        return NULL;
    const struct versions *all = mesh_store_row_payload(row);
    uint32_t n = versions_until(all, time_us);
    return n == 0 ? NULL : version_at(state, all, n - 1);
}

void mesh_table_put(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, const struct mesh_event *event,
                    int64_t valid_from_us, const void *row_struct)
{
    (void)event;
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    const struct mesh_state *decl = state->decl;
    if (!mesh_flow_key_ok(task, key, &decl->site))
        return;
    bool is_new = false;
    struct mesh_store_row *row = mesh_store_table_make(&state->table, 0, key->bytes, key->n, 0, &is_new);
    if (decl->kind == MESH_STATE_TABLE) {
        if (!is_new)
            mesh_flow_state_reset(state, row);
        mesh_store_image_copy(decl->fields, decl->n_fields, decl->row_size, row_struct, mesh_store_row_payload(row));
        mesh_flow_state_touch(state, row);
        return;
    }
    mesh_assert(decl->kind == MESH_STATE_VERSIONS);
    void *to = version_slot(state, mesh_store_row_payload(row), valid_from_us);
    mesh_store_image_copy(decl->fields, decl->n_fields, decl->row_size, row_struct, to);
    mesh_flow_state_delta(state, MESH_FLOW_OP_DELTA);
    mesh_buf_slice(&state->deltas, (struct mesh_str){(const char *)key->bytes, key->n});
    mesh_buf_zigzag(&state->deltas, valid_from_us);
    mesh_store_image_write(&state->deltas, decl->fields, decl->n_fields, row_struct);
}

void mesh_table_remove(struct mesh_task *task, uint32_t state_index, const struct mesh_key *key, const struct mesh_event *event)
{
    (void)event;
    struct mesh_flow_state *state = mesh_flow_state_at(task, state_index);
    if (!mesh_flow_key_ok(task, key, &state->decl->site))
        return;
    struct mesh_store_row *row = mesh_store_table_find(&state->table, 0, key->bytes, key->n);
    if (row != NULL)
        mesh_flow_state_remove(state, row);
}
