/* Where messages go, over changes of the declaration.
 *
 * The log names destinations by number, and ports may be added, removed and moved without changing the shape of the state. So each claim
 * carries a table: which name each number stood for. What follows it is read through that table. A sequence must never begin anew:
 * receivers would take new messages for repetitions. So the numbers of a destination that is gone are kept, and go on when it
 * comes back. What was still to be sent to it is counted and left out. */
#include "flow/state.h"

#include <stdlib.h>

#define DESTS_MAX (1u << 16)

/* A name that stays when ports move: the topic, or of a port without one its own name, which is no topic. */
static struct mesh_str name_of(const struct mesh_engine *engine, uint32_t dest, struct mesh_buf *scratch)
{
    const struct mesh_product *product = engine->product;
    if (dest >= engine->n_dests)
        return mesh_str_of(engine->gone.v[dest - engine->n_dests].name);
    if (dest < product->n_ports && product->ports[dest].topic == NULL) {
        mesh_buf_reset(scratch);
        mesh_buf_printf(scratch, "port/%s", product->ports[dest].name);
        return (struct mesh_str){scratch->p, (uint32_t)scratch->n};
    }
    const char *topic = mesh_flow_dest_topic(product, dest);
    if (dest < product->n_ports && engine->conf.voice != 0) { /* no topic has this name; each voice counts for itself */
        mesh_buf_reset(scratch);
        mesh_buf_printf(scratch, "%s@%llu", topic, (unsigned long long)engine->conf.voice);
        return (struct mesh_str){scratch->p, (uint32_t)scratch->n};
    }
    return mesh_str_of(topic == NULL ? "" : topic);
}

static uint32_t partitions_of(const struct mesh_engine *engine, uint32_t dest)
{
    return dest < engine->n_dests ? (uint32_t)engine->dest_partitions[dest] : engine->gone.v[dest - engine->n_dests].partitions;
}

static uint32_t first_of(const struct mesh_engine *engine, uint32_t dest)
{
    return dest < engine->n_dests ? engine->dest_first[dest] : engine->gone.v[dest - engine->n_dests].first;
}

void mesh_flow_dests_init(struct mesh_engine *engine)
{
    engine->n_dests = mesh_engine_n_dests(engine->product);
    engine->dest_partitions = mesh_xcalloc(engine->n_dests, sizeof *engine->dest_partitions);
    engine->dest_first = mesh_xcalloc(engine->n_dests, sizeof *engine->dest_first);
    for (uint32_t i = 0; i < engine->n_dests; i++) {
        int32_t partitions = engine->conf.port_partitions[i];
        engine->dest_partitions[i] = partitions < 0 ? 0 : partitions;
        engine->dest_first[i] = engine->n_sequences;
        engine->n_sequences += (uint32_t)engine->dest_partitions[i];
    }
}

void mesh_flow_dests_deinit(struct mesh_engine *engine)
{
    for (size_t i = 0; i < engine->gone.n; i++)
        free(engine->gone.v[i].name);
    mesh_vec_deinit(&engine->gone);
    mesh_vec_deinit(&engine->logged);
    free(engine->dest_partitions);
    free(engine->dest_first);
}

void mesh_flow_dests_write(const struct mesh_engine *engine, struct mesh_buf *out)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf scratch = MESH_BUF_NULL;
    uint32_t n = engine->n_dests + (uint32_t)engine->gone.n;
    mesh_buf_varint(out, n);
    for (uint32_t i = 0; i < n; i++) {
        mesh_buf_slice(out, name_of(engine, i, &scratch));
        mesh_buf_varint(out, partitions_of(engine, i));
    }
}

/* Room for the sequences of a destination that is no more. */
static uint32_t add_gone(struct mesh_engine *engine, struct mesh_str name, uint32_t partitions)
{
    char *text = mesh_xmalloc(name.n + 1);
    memcpy(text, name.p, name.n);
    text[name.n] = '\0';
    *mesh_vec_push(&engine->gone) = (struct mesh_flow_gone){text, partitions, engine->n_sequences};
    uint32_t before = engine->n_sequences;
    engine->n_sequences += partitions;
    for (uint32_t t = 0; t < engine->n_tasks; t++) {
        struct mesh_task *task = engine->tasks[t];
        task->sequences = mesh_xrealloc(task->sequences, (engine->n_sequences + 1) * sizeof *task->sequences);
        memset(task->sequences + before, 0, (partitions + 1) * sizeof *task->sequences);
    }
    return engine->n_dests + (uint32_t)engine->gone.n - 1;
}

static uint32_t find(const struct mesh_engine *engine, struct mesh_str name)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf scratch = MESH_BUF_NULL;
    uint32_t n = engine->n_dests + (uint32_t)engine->gone.n;
    uint32_t i = 0;
    while (i < n && !mesh_str_eq(name_of(engine, i, &scratch), name))
        i++;
    return i;
}

bool mesh_flow_dests_read(struct mesh_engine *engine, struct mesh_cursor *in)
{
    engine->logged.n = 0;
    uint64_t n = mesh_get_varint(in);
    uint32_t first = 0;
    for (uint64_t i = 0; i < n && i < DESTS_MAX && !in->bad; i++) {
        struct mesh_str name = mesh_get_slice(in);
        uint64_t partitions = mesh_get_varint(in);
        if (in->bad || partitions > DESTS_MAX)
            return false;
        uint32_t now = find(engine, name);
        if (now == engine->n_dests + engine->gone.n)
            now = add_gone(engine, name, (uint32_t)partitions);
        *mesh_vec_push(&engine->logged) = (struct mesh_flow_logged_dest){now, first, (uint32_t)partitions};
        first += (uint32_t)partitions;
    }
    return !in->bad && n <= DESTS_MAX;
}

uint32_t mesh_flow_dest_now(const struct mesh_engine *engine, uint32_t logged)
{
    if (engine->logged.n == 0) /* a claim of before there were tables */
        return logged;
    return logged < engine->logged.n ? engine->logged.v[logged].now : UINT32_MAX;
}

uint64_t *mesh_flow_dest_sequence(const struct mesh_task *task, uint64_t logged, bool *ret_ok)
{
    const struct mesh_engine *engine = task->engine;
    *ret_ok = true;
    if (engine->logged.n == 0) {
        *ret_ok = logged < engine->n_sequences;
        return *ret_ok ? &task->sequences[logged] : NULL;
    }
    for (size_t i = 0; i < engine->logged.n; i++) {
        const struct mesh_flow_logged_dest *dest = &engine->logged.v[i];
        if (logged < dest->first || logged - dest->first >= dest->partitions)
            continue;
        uint64_t partition = logged - dest->first; /* fewer than before: nobody reads that one any more */
        return partition < partitions_of(engine, dest->now) ? &task->sequences[first_of(engine, dest->now) + partition] : NULL;
    }
    *ret_ok = false;
    return NULL;
}
