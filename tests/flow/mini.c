/* One task, and a log in memory. */
#include "mini.h"

#include "again.h"
#include "base/check.h"
#include "base/rng.h"

#include <stddef.h>

const struct mesh_field mini_fields[2] = {
    {.name = "id", .type = MESH_LONG, .offset = offsetof(struct mini_event, id)},
    {.name = "at", .type = MESH_LONG, .offset = offsetof(struct mini_event, at)},
};
const struct mesh_contract mini_contract = {.name = "c", .local_id = 1};
const uint32_t mini_indexes[MINI_STATES] = {0, 1, 2, 3, 4, 5, 6, 7};

void mini_decode(struct mesh_in *in, uint32_t version, void *record)
{
    (void)version;
    struct mini_event *e = record;
    e->id = mesh_in_long(in);
    e->key = mesh_in_long(in);
    e->value = mesh_in_long(in);
    e->at = mesh_in_micros(in);
}

int64_t mini_time(const void *record)
{
    return ((const struct mini_event *)record)->at;
}

static void make_engine(struct mini *m)
{
    static const int32_t ones[] = {1, 1, 1, 1, 1, 1};
    static const uint32_t ids[] = {1, 1, 1, 1};
    static const uint32_t *const wires[] = {ids, ids, ids};
    mesh_metrics_free(m->metrics);
    m->metrics = mesh_metrics_new();
    struct mesh_engine_conf conf = {.product = m->product,
                                    .input_partitions = ones,
                                    .port_partitions = ones,
                                    .wire_ids = wires,
                                    .port_ids = ids,
                                    .pseudonym_key = MESH_STR("a key of at least 32 bytes, for tests"),
                                    .event_text = m->event_text,
                                    .mongo = true,
                                    .generation = 1,
                                    .commit_interval_us = 1,
                                    .metrics = m->metrics,
                                    .spill = m->spill};
    struct mesh_err err = {0};
    mesh_assert(mesh_engine_new(&conf, &m->engine, &err) == 0);
}

void mini_start_with(struct mini *m, const struct mesh_product *product)
{
    *m = (struct mini){.product = product, .spill = m->spill, .event_text = m->event_text};
    make_engine(m);
    mesh_engine_claim(m->engine, &m->log);
}

void mini_start(struct mini *m, const struct mesh_product *product)
{
    *m = (struct mini){0};
    mini_start_with(m, product);
}

void mini_stop(struct mini *m)
{
    mesh_engine_free(m->engine);
    mesh_metrics_free(m->metrics);
    mesh_buf_deinit(&m->log);
}

void mini_feed(struct mini *m, uint32_t input, const struct mini_event *event)
{
    struct mesh_out value = {0};
    struct mesh_err err = {0};
    mesh_out_raw(&value, "\0\0\0\0\1", 5);
    mesh_out_long(&value, event->id);
    mesh_out_long(&value, event->key);
    mesh_out_long(&value, event->value);
    mesh_out_long(&value, event->at);
    struct mesh_record record = {
        .offset = m->offsets[input]++, .key = {"k", 1}, .value = {(const char *)value.p, (uint32_t)value.n}};
    mesh_assert(mesh_engine_feed(m->engine, input, 0, &record, 1, record.offset, &err) == 0);
    mesh_out_deinit(&value);
}

void mini_crash(struct mini *m)
{
    struct mesh_err err = {0};
    mesh_assert(mesh_engine_commit(m->engine, 0, &m->log));
    mesh_engine_durable(m->engine);
    mesh_engine_free(m->engine);
    make_engine(m);
    mesh_assert(engine_again(m->engine, &m->log, m->log.n, &err) == 0);
}

void mini_run(const struct mesh_product *product, const struct mini_event *events, size_t n, uint64_t seed, int crash)
{
    struct mini m = {0};
    struct mesh_rng rng;
    size_t next[2] = {0, product->n_inputs == 1 ? n : 0};
    mesh_rng_seed(&rng, seed);
    mini_start(&m, product);
    for (int fed = 0; next[0] < n || next[1] < n;) {
        uint32_t side = product->n_inputs == 1 ? 0 : (uint32_t)mesh_rng_below(&rng, 2);
        while (product->n_inputs == 2 && next[side] < n && events[next[side]].side != side)
            next[side]++;
        if (next[side] == n)
            continue;
        mini_feed(&m, side, &events[next[side]++]);
        if (crash > 0 && ++fed % crash == 0)
            mini_crash(&m);
    }
    mini_stop(&m);
}
