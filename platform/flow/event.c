/* What SSE ports say. Each task keeps the newest events of each port in a ring, as the text that readers get: a record of the log that
 * outlives changes of the declaration must not need it to be read. What a changed port says no more, or protects otherwise, is not
 * shown again: an event carries the hash of the shape that it was written in.
 *
 * The ring is what is left when the oldest go, first those beyond `replay`, then those beyond MESH_FLOW_EVENTS_BYTES_MAX: a function
 * of the events alone, so that a log that holds them again makes it again. */
#include "flow/task_int.h"

#include "base/hash.h"
#include "base/json.h"

#include <stdlib.h>

struct told {
    uint64_t n; /* commit that holds it; 0: none yet */
    int64_t time_us;
    uint32_t text_n;
    bool removed;
    char text[];
};

struct mesh_flow_ring {
    uint64_t shape;
    struct mesh_store_chain chain; /* serial: the sequence */
    size_t bytes;                  /* of the texts */
    struct told *unlogged, *unsent;
    MESH_VEC(uint64_t) gone; /* forgotten since the last commit */
};

static uint64_t mix(uint64_t h, uint64_t v)
{
    const uint64_t both[2] = {h, v};
    return mesh_hash64(both, sizeof both);
}

static uint64_t mix_text(uint64_t h, const char *text)
{
    return text == NULL ? mix(h, 0) : mix(h, mesh_hash64(text, strlen(text)));
}

/* Of everything that decides how a value is shown. */
static uint64_t shape_of(const struct mesh_port *port)
{
    uint64_t h = port->emit;
    for (uint32_t i = 0; i < port->n_out; i++) {
        const struct mesh_field *field = &port->out[i];
        h = mix_text(h, field->name);
        h = mix_text(h, field->subject);
        h = mix(h, (uint64_t)field->type << 16 | field->scale);
        h = mix(h, (uint64_t)(port->protect != NULL ? port->protect[i] : field->protect));
    }
    return h;
}

static struct mesh_flow_ring *ring_of(struct mesh_task *task, uint32_t port)
{
    if (task->rings[port] == NULL) {
        task->rings[port] = mesh_xcalloc(1, sizeof *task->rings[port]);
        task->rings[port]->shape = shape_of(&task->product->ports[port]);
    }
    return task->rings[port];
}

void mesh_flow_rings_free(struct mesh_task *task)
{
    for (uint32_t i = 0; i < task->product->n_ports; i++) {
        if (task->rings[i] != NULL) {
            mesh_store_chain_deinit(&task->rings[i]->chain);
            mesh_vec_deinit(&task->rings[i]->gone);
        }
        free(task->rings[i]);
    }
    free(task->rings);
}

uint64_t mesh_flow_rings_bytes(const struct mesh_task *task)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < task->product->n_ports; i++)
        if (task->rings[i] != NULL)
            bytes += task->rings[i]->bytes;
    return bytes;
}

static void drop(struct mesh_task *task, struct mesh_flow_ring *ring, struct told *told)
{
    struct told *after = mesh_store_chain_after(&ring->chain, told);
    if (ring->unsent != NULL && mesh_store_chain_serial(told) >= mesh_store_chain_serial(ring->unsent))
        task->engine->unsent_events--;
    if (told == ring->unlogged)
        ring->unlogged = after;
    if (told == ring->unsent)
        ring->unsent = after;
    ring->bytes -= told->text_n;
    mesh_store_chain_free(&ring->chain, told);
}

static void add(struct mesh_task *task, uint32_t port, uint64_t n, int64_t time_us, bool removed, struct mesh_str text)
{
    struct mesh_flow_ring *ring = ring_of(task, port);
    struct told *told = mesh_store_chain_add(&ring->chain, sizeof *told + text.n);
    *told = (struct told){.n = n, .time_us = time_us, .text_n = text.n, .removed = removed};
    if (text.n > 0)
        memcpy(told->text, text.p, text.n);
    ring->bytes += text.n;
    if (ring->unsent == NULL)
        ring->unsent = told;
    if (n == 0 && ring->unlogged == NULL)
        ring->unlogged = told;
    task->engine->unsent_events++;
    while (ring->chain.live > task->product->ports[port].replay ||
           (ring->bytes > MESH_FLOW_EVENTS_BYTES_MAX && ring->chain.live > 1))
        drop(task, ring, mesh_store_chain_first(&ring->chain));
}

/* ---- forgetting ---- */
static bool shows(const struct told *told, const char *quoted)
{
    return told->text_n > 0 && memmem(told->text, told->text_n, quoted, strlen(quoted)) != NULL;
}

uint64_t mesh_flow_rings_forget(struct mesh_task *task, const struct mesh_flow_subject *subject)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf id = MESH_BUF_NULL; /* as it stands in JSON */
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf pseudonym = MESH_BUF_NULL;
    uint64_t n = 0;
    mesh_json_string(&id, subject->id);
    mesh_json_string(&pseudonym, subject->pseudonym);
    for (uint32_t p = 0; p < task->product->n_ports; p++) {
        struct mesh_flow_ring *ring = task->rings[p];
        for (struct told *told = ring == NULL ? NULL : mesh_store_chain_first(&ring->chain); told != NULL;) {
            struct told *next = mesh_store_chain_after(&ring->chain, told);
            if (shows(told, id.p) || shows(told, pseudonym.p)) {
                *mesh_vec_push(&ring->gone) = mesh_store_chain_serial(told);
                drop(task, ring, told);
                n++;
            }
            told = next;
        }
    }
    return n;
}

/* ---- telling ---- */
void mesh_flow_tell(struct mesh_task *task, uint32_t port, const void *out, int64_t time_us, bool removed)
{
    const struct mesh_engine_conf *conf = &task->engine->conf;
    if (conf->event_text == NULL)
        return;
    struct mesh_buf *text = &task->engine->out;
    mesh_buf_reset(text);
    conf->event_text(conf->event_context, port, out, removed, text);
    add(task, port, 0, time_us, removed, (struct mesh_str){text->p, (uint32_t)text->n});
    if (task->committing)
        return;
    task->engine->unlogged_letters++; /* readers wait for the commit */
    mesh_flow_mark_dirty(task);
}

void mesh_tell(struct mesh_task *task, uint32_t port, const struct mesh_event *event, const void *record)
{
    mesh_flow_tell(task, port, record, event->time_us, false);
}

bool mesh_engine_next_event(struct mesh_engine *engine, struct mesh_live_event *ret)
{
    for (uint32_t i = 0; engine->unsent_events > 0 && i < engine->n_tasks; i++) {
        struct mesh_task *task = engine->tasks[i];
        for (uint32_t p = 0; p < engine->product->n_ports; p++) {
            struct mesh_flow_ring *ring = task->rings[p];
            const struct told *told = ring == NULL ? NULL : ring->unsent;
            if (told == NULL || told->n == 0 || told->n > task->durable_n)
                continue;
            ring->unsent = mesh_store_chain_after(&ring->chain, told);
            engine->unsent_events--;
            *ret = (struct mesh_live_event){
                .port = p,
                .task = task->place,
                .sequence = mesh_store_chain_serial(told),
                .oldest = mesh_store_chain_serial(mesh_store_chain_first(&ring->chain)),
                .time_us = told->time_us,
                .removed = told->removed,
                .text = {told->text, told->text_n},
            };
            return true;
        }
    }
    return false;
}

/* ---- the log ---- */
static void write_told(struct mesh_flow_writer *writer, uint32_t port, struct told *told)
{
    const struct mesh_task *task = writer->task;
    struct mesh_buf *ops = mesh_flow_writer_ops(writer);
    if (told->n == 0)
        told->n = task->n;
    mesh_buf_u8(ops, MESH_FLOW_OP_TOLD);
    mesh_buf_slice(ops, mesh_str_of(task->product->ports[port].name)); /* ports may come to stand in another order */
    mesh_buf_u64(ops, task->rings[port]->shape);
    mesh_buf_varint(ops, mesh_store_chain_serial(told));
    mesh_buf_zigzag(ops, told->time_us);
    mesh_buf_u8(ops, told->removed);
    mesh_buf_slice(ops, (struct mesh_str){told->text, told->text_n});
    mesh_flow_writer_op(writer);
}

void mesh_flow_rings_write(struct mesh_flow_writer *writer)
{
    struct mesh_task *task = writer->task;
    for (uint32_t p = 0; p < task->product->n_ports; p++) {
        struct mesh_flow_ring *ring = task->rings[p];
        if (ring == NULL)
            continue;
        struct told *told = task->carry ? mesh_store_chain_first(&ring->chain) : ring->unlogged;
        for (; told != NULL; told = mesh_store_chain_after(&ring->chain, told))
            write_told(writer, p, told);
        ring->unlogged = NULL;
        for (size_t i = 0; i < ring->gone.n; i++) {
            struct mesh_buf *ops = mesh_flow_writer_ops(writer);
            mesh_buf_u8(ops, MESH_FLOW_OP_TOLD_GONE);
            mesh_buf_slice(ops, mesh_str_of(task->product->ports[p].name));
            mesh_buf_varint(ops, ring->gone.v[i]);
            mesh_flow_writer_op(writer);
        }
        ring->gone.n = 0;
        if (!task->carry)
            continue;
        struct mesh_buf *ops = mesh_flow_writer_ops(writer);
        mesh_buf_u8(ops, MESH_FLOW_OP_TOLD_NEXT);
        mesh_buf_slice(ops, mesh_str_of(task->product->ports[p].name));
        mesh_buf_varint(ops, mesh_store_chain_next(&ring->chain));
        mesh_flow_writer_op(writer);
    }
}

/* False: the port is not there any more, or not one that says anything. */
static bool find_port(const struct mesh_product *product, struct mesh_str name, uint32_t *ret)
{
    for (*ret = 0; *ret < product->n_ports; ++*ret)
        if (product->ports[*ret].kind == MESH_PORT_SSE && mesh_str_eq(mesh_str_of(product->ports[*ret].name), name))
            return true;
    return false;
}

bool mesh_flow_ring_restore(struct mesh_task *task, struct mesh_cursor *in)
{
    struct mesh_str name = mesh_get_slice(in);
    uint64_t shape = mesh_get_u64(in);
    uint64_t sequence = mesh_get_varint(in);
    int64_t time_us = mesh_get_zigzag(in);
    bool removed = mesh_get_u8(in) != 0;
    struct mesh_str text = mesh_get_slice(in);
    uint32_t port = 0;
    if (in->bad)
        return false;
    if (!find_port(task->product, name, &port))
        return true;
    struct mesh_flow_ring *ring = ring_of(task, port);
    if (sequence < mesh_store_chain_next(&ring->chain)) /* a round repeats what is already here */
        return true;
    mesh_store_chain_skip(&ring->chain, sequence);
    if (shape == ring->shape)
        add(task, port, task->n, time_us, removed, text);
    else
        mesh_store_chain_skip(&ring->chain, sequence + 1);
    return true;
}

bool mesh_flow_ring_restore_next(struct mesh_task *task, struct mesh_cursor *in)
{
    struct mesh_str name = mesh_get_slice(in);
    uint64_t next = mesh_get_varint(in);
    uint32_t port = 0;
    if (!in->bad && find_port(task->product, name, &port))
        mesh_store_chain_skip(&ring_of(task, port)->chain, next);
    return !in->bad;
}

bool mesh_flow_ring_restore_gone(struct mesh_task *task, struct mesh_cursor *in)
{
    struct mesh_str name = mesh_get_slice(in);
    uint64_t sequence = mesh_get_varint(in);
    uint32_t port = 0;
    if (in->bad || !find_port(task->product, name, &port))
        return !in->bad;
    struct mesh_flow_ring *ring = ring_of(task, port);
    struct told *told = mesh_store_chain_from(&ring->chain, sequence);
    if (told != NULL && mesh_store_chain_serial(told) == sequence)
        drop(task, ring, told);
    return true;
}
