/* A list of a product whose tasks are in several engines, and which of them has a key. */
#include "flow/task_int.h"

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct part {
    struct mesh_rows *rows;
    size_t row; /* the next one */
    size_t at;  /* its place in `places` */
    struct mesh_str place;
};

static bool look(struct part *part)
{
    if (part->row == part->rows->n)
        return false;
    uint32_t n = 0;
    memcpy(&n, part->rows->places.p + part->at, sizeof n);
    part->place = (struct mesh_str){part->rows->places.p + part->at + sizeof n, n};
    return true;
}

static struct part *smallest(struct part *parts, size_t n)
{
    struct part *best = NULL;
    for (size_t i = 0; i < n; i++)
        if (look(&parts[i]) && (best == NULL || mesh_str_cmp(parts[i].place, best->place) < 0))
            best = &parts[i];
    return best;
}

/* The row's strings lie in its part's text; they move to the end of the new one, and their place stands in for the pointer. */
static void take_row(const struct mesh_view *view, struct part *part, struct mesh_rows *ret)
{
    char *out = mesh_buf_reserve(&ret->rows, view->out_size);
    memcpy(out, part->rows->rows.p + part->row * view->out_size, view->out_size);
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
    mesh_buf_reset(&ret->last);
    mesh_buf_str(&ret->last, part->place);
    part->at += sizeof(uint32_t) + part->place.n;
    part->row++;
}

static void fix_up(struct mesh_rows *ret, const struct mesh_view *view)
{
    for (size_t r = 0; r < ret->n; r++) {
        for (uint32_t i = 0; i < view->n_out; i++) {
            if (view->out[i].type != MESH_STRING && view->out[i].type != MESH_BYTES)
                continue;
            struct mesh_str s;
            char *at = ret->rows.p + r * view->out_size + view->out[i].offset;
            memcpy(&s, at, sizeof s);
            s.p = ret->text.p == NULL ? NULL : ret->text.p + (uintptr_t)s.p;
            memcpy(at, &s, sizeof s);
        }
    }
}

void mesh_rows_merge(const struct mesh_view *view, struct mesh_rows *rows, size_t n, uint32_t limit, struct mesh_rows *ret)
{
    struct part *parts = mesh_xcalloc(n + 1, sizeof *parts);
    *ret = (struct mesh_rows){.as_of_us = n == 0 ? INT64_MIN : INT64_MAX};
    for (size_t i = 0; i < n; i++) {
        parts[i].rows = &rows[i];
        ret->count += rows[i].count;
        ret->commit += rows[i].commit;
        ret->durable += rows[i].durable;
        ret->more = ret->more || rows[i].more;
        ret->as_of_us = rows[i].as_of_us < ret->as_of_us ? rows[i].as_of_us : ret->as_of_us;
    }
    struct part *next;
    while ((next = smallest(parts, n)) != NULL && ret->n < limit)
        take_row(view, next, ret);
    ret->more = ret->more || next != NULL;
    fix_up(ret, view);
    for (size_t i = 0; i < n; i++) {
        mesh_rows_deinit(&rows[i]);
        rows[i] = (struct mesh_rows){0};
    }
    free(parts);
}

int32_t mesh_engine_view_partitions(const struct mesh_product *product, uint32_t view, const int32_t *input_partitions)
{
    uint32_t state = product->views[view].state;
    for (uint32_t t = 0; t < product->n_topologies; t++) {
        const struct mesh_topology *topology = &product->topologies[t];
        for (uint32_t i = 0; i < topology->n_states; i++)
            if (topology->states[i] == state)
                return input_partitions[topology->inputs[0]];
    }
    return 0;
}

int32_t mesh_engine_place_of(const struct mesh_product *product, uint32_t view_index, const struct mesh_key *key,
                             int32_t partitions)
{
    const struct mesh_view *view = &product->views[view_index];
    if (partitions <= 1)
        return partitions - 1;
    if (view->placed_by == 0)
        return mesh_hash_partition((const char *)key->bytes, key->n, partitions);
    struct mesh_arena scratch = MESH_ARENA_NULL;
    char *out = mesh_arena_alloc(&scratch, view->out_size + 1);
    memset(out, 0, view->out_size);
    const uint8_t *at = key->bytes;
    bool ok = view->placed_by <= view->n_key;
    for (uint32_t i = 0; ok && i < view->placed_by; i++)
        ok = mesh_flow_key_member(&at, key->bytes + key->n, &view->out[i], &scratch, out);
    int32_t place = -1;
    const struct mesh_field *field = ok ? &view->out[view->placed_by - 1] : NULL;
    if (ok && field->type == MESH_STRING) {
        struct mesh_str s;
        memcpy(&s, out + field->offset, sizeof s);
        place = mesh_hash_partition(s.p, s.n, partitions);
    } else if (ok && field->type == MESH_ENUM) {
        int32_t e = 0;
        memcpy(&e, out + field->offset, sizeof e);
        for (int32_t i = 0; i <= e; i++)
            ok = ok && field->symbols[i] != NULL;
        if (ok && e >= 0)
            place = mesh_hash_partition(field->symbols[e], strlen(field->symbols[e]), partitions);
    } else if (ok && (field->type == MESH_INT || field->type == MESH_LONG)) {
        int64_t v = 0;
        char text[24];
        memcpy(&v, out + field->offset, sizeof v);
        place = mesh_hash_partition(text, (size_t)snprintf(text, sizeof text, "%" PRId64, v), partitions);
    }
    mesh_arena_deinit(&scratch);
    return place;
}
