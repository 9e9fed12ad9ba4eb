/* Messages wait in a chain per task, in order, until they are acknowledged. Three marks move along it: what is in no commit yet, what
 * was not handed out yet (and may be, once its commit is durable), and the oldest unacknowledged one, which the log must keep. */
#include "flow/task_int.h"

#include "base/hash.h"
#include "flow/cutover_int.h"

static char *copy(char **to, struct mesh_str s)
{
    char *at = *to;
    if (s.n > 0)
        memcpy(at, s.p, s.n);
    *to += s.n;
    return at;
}

/* Everything but where it belongs: a letter with room for `n_headers` and its bytes behind them. */
static struct mesh_flow_letter *new_letter(struct mesh_task *task, size_t bytes, uint32_t n_headers, char **ret_bytes)
{
    size_t head = sizeof(struct mesh_flow_letter) + n_headers * sizeof(struct mesh_header);
    mesh_assert(head + bytes < UINT32_MAX);
    struct mesh_flow_letter *letter = mesh_store_chain_add(&task->outbox.chain, head + bytes);
    *letter = (struct mesh_flow_letter){.task = task, .bytes = (uint32_t)(head + bytes), .n_headers = n_headers};
    *ret_bytes = (char *)letter + head;
    task->engine->outbox_bytes += letter->bytes;
    return letter;
}

static void enter(struct mesh_task *task, struct mesh_flow_letter *letter)
{
    struct mesh_flow_outbox *outbox = &task->outbox;
    if (outbox->unlogged == NULL && !task->engine->restoring)
        outbox->unlogged = letter;
    if (outbox->unsent == NULL)
        outbox->unsent = letter;
    task->engine->unsent_letters++;
    if (!task->engine->restoring) {
        task->engine->unlogged_letters++;
        mesh_flow_mark_dirty(task);
    }
}

static uint64_t next_sequence(struct mesh_task *task, uint32_t dest, int32_t partition)
{
    struct mesh_engine *engine = task->engine;
    mesh_assert(dest < engine->n_dests && partition >= 0 && partition < engine->dest_partitions[dest]);
    return ++task->sequences[engine->dest_first[dest] + (uint32_t)partition];
}

static struct mesh_flow_origin origin_of(const struct mesh_task *task, uint32_t dest, uint64_t sequence)
{
    const struct mesh_engine *engine = task->engine;
    return (struct mesh_flow_origin){
        .product = mesh_str_of(engine->product_name),
        .generation = dest < engine->product->n_ports ? mesh_flow_voice(engine) : engine->generation,
        .topology = task->topology,
        .partition = task->partition,
        .sequence = sequence,
    };
}

static bool is_internal(const struct mesh_engine *engine, uint32_t dest)
{
    return dest >= engine->product->n_ports && dest < mesh_engine_dest_dlq(engine->product);
}

struct own { /* headers */
    struct mesh_str mesh, succeeds;
};

/* How many of those a message has. The first one of a voice says whom it succeeds. */
static uint32_t n_own(const struct mesh_engine *engine, uint32_t dest, uint64_t sequence)
{
    if (is_internal(engine, dest))
        return 0;
    return dest < engine->product->n_ports && engine->conf.voice != 0 && sequence == 1 ? 2 : 1;
}

/* Fill a letter from parts; `headers` without the mesh's own. */
static void fill(struct mesh_flow_letter *letter, char *to, struct mesh_str key, struct mesh_str head, struct mesh_str body,
                 struct own own, const struct mesh_header *headers, uint32_t n_headers)
{
    letter->key = (struct mesh_str){key.p == NULL ? NULL : to, key.n};
    copy(&to, key);
    letter->value = (struct mesh_str){head.p == NULL && body.p == NULL ? NULL : to, head.n + body.n};
    copy(&to, head);
    copy(&to, body);
    uint32_t n = 0;
    for (; letter->n_headers > n_headers + n; n++) { /* the mesh's own */
        struct mesh_str value = n == 0 ? own.mesh : own.succeeds;
        letter->headers[n].name = n == 0 ? MESH_STR(MESH_FLOW_HEADER) : MESH_STR(MESH_FLOW_SUCCEEDS);
        letter->headers[n].value = (struct mesh_str){to, value.n};
        copy(&to, value);
    }
    for (uint32_t i = 0; i < n_headers; i++, n++) {
        letter->headers[n].name = (struct mesh_str){to, headers[i].name.n};
        copy(&to, headers[i].name);
        letter->headers[n].value = (struct mesh_str){headers[i].value.p == NULL ? NULL : to, headers[i].value.n};
        copy(&to, headers[i].value);
    }
}

static size_t headers_bytes(const struct mesh_header *headers, uint32_t n)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < n; i++)
        bytes += headers[i].name.n + headers[i].value.n;
    return bytes;
}

static struct mesh_flow_letter *compose(struct mesh_task *task, uint32_t dest, int32_t partition, uint64_t sequence,
                                        struct mesh_str key, struct mesh_str head, struct mesh_str body,
                                        const struct mesh_header *headers, uint32_t n_headers, int64_t time_us)
{
    struct mesh_engine *engine = task->engine;
    struct mesh_buf *text = &engine->out;
    mesh_buf_reset(text);
    uint32_t n = n_own(engine, dest, sequence);
    if (n > 0 && dest < engine->product->n_ports) {
        if (task->origin.n == 0) {
            struct mesh_flow_origin origin = origin_of(task, dest, 0);
            mesh_flow_origin_begin(&task->origin, &origin);
        }
        mesh_buf_add(text, task->origin.p, task->origin.n);
        mesh_buf_varint(text, sequence);
    } else if (n > 0) {
        struct mesh_flow_origin origin = origin_of(task, dest, sequence);
        mesh_flow_origin_write(text, &origin);
    }
    size_t mesh_n = text->n;
    if (n == 2)
        mesh_flow_succeeds_write(engine, text);
    struct own own = {{text->p, (uint32_t)mesh_n}, {text->p + mesh_n, (uint32_t)(text->n - mesh_n)}};
    size_t bytes = (size_t)key.n + head.n + body.n + text->n + headers_bytes(headers, n_headers);
    char *to = NULL;
    struct mesh_flow_letter *letter = new_letter(task, bytes, n_headers + n, &to);
    letter->dest = dest;
    letter->partition = partition;
    letter->sequence = sequence;
    letter->time_us = time_us;
    fill(letter, to, key, head, body, own, headers, n_headers);
    enter(task, letter);
    return letter;
}

void mesh_flow_outbox_add(struct mesh_task *task, uint32_t dest, int32_t partition, struct mesh_str key, struct mesh_str head,
                          struct mesh_str body, const struct mesh_header *headers, uint32_t n_headers, int64_t time_us)
{
    compose(task, dest, partition, next_sequence(task, dest, partition), key, head, body, headers, n_headers, time_us);
}

void mesh_flow_outbox_internal(struct mesh_task *task, uint32_t internal, int32_t partition, struct mesh_str key,
                               enum mesh_flow_envelope_kind kind, int64_t watermark_us, bool idle, struct mesh_str payload,
                               int64_t time_us)
{
    uint32_t dest = mesh_engine_dest_internal(task->product, internal);
    uint64_t sequence = next_sequence(task, dest, partition);
    task->beat_undone |= task->beat_idle && kind != MESH_FLOW_HEARTBEAT; /* a letter that came back, while all inputs are idle */
    struct mesh_flow_envelope envelope = {
        .kind = kind, .origin = origin_of(task, dest, sequence), .watermark_us = watermark_us, .idle = idle};
    struct mesh_buf *head = &task->engine->envelope;
    mesh_buf_reset(head);
    mesh_flow_envelope_write(head, &envelope);
    compose(task, dest, partition, sequence, key, (struct mesh_str){head->p, (uint32_t)head->n}, payload, NULL, 0, time_us);
}

/* ---- the ABI ---- */
struct mesh_out *mesh_value(struct mesh_task *task)
{
    task->value.n = 0;
    return &task->value;
}

static struct mesh_str bytes_of(const struct mesh_out *out)
{
    static const char empty[1];
    return (struct mesh_str){out->p == NULL ? empty : (const char *)out->p, (uint32_t)out->n};
}

static void port_head(const struct mesh_engine *engine, uint32_t port, char head[5])
{
    uint32_t id = engine->conf.port_ids[port];
    head[0] = 0;
    for (int i = 0; i < 4; i++)
        head[1 + i] = (char)(uint8_t)(id >> (24 - 8 * i));
}

void mesh_send(struct mesh_task *task, uint32_t port, struct mesh_str key_text, const struct mesh_event *event)
{
    char head[5];
    port_head(task->engine, port, head);
    int32_t partition = mesh_hash_partition(key_text.p, key_text.n, task->engine->dest_partitions[port]);
    mesh_flow_outbox_add(task, port, partition, key_text, (struct mesh_str){head, sizeof head}, bytes_of(&task->value), NULL, 0,
                         event->time_us);
}

void mesh_send_internal(struct mesh_task *task, uint32_t internal, struct mesh_str key_text, const struct mesh_event *event)
{
    uint32_t dest = mesh_engine_dest_internal(task->product, internal);
    int32_t partition = mesh_hash_partition(key_text.p, key_text.n, task->engine->dest_partitions[dest]);
    mesh_flow_outbox_internal(task, internal, partition, key_text, MESH_FLOW_RECORD, task->release_us, false,
                              bytes_of(&task->value), event->time_us);
}

/* ---- the log ---- */
void mesh_flow_outbox_log(struct mesh_task *task, const struct mesh_flow_letter *letter, struct mesh_buf *out)
{
    uint32_t own = n_own(task->engine, letter->dest, letter->sequence); /* the mesh's headers are made again */
    mesh_buf_varint(out, mesh_store_chain_serial(letter));
    mesh_buf_varint(out, letter->dest);
    mesh_buf_varint(out, (uint32_t)letter->partition);
    mesh_buf_varint(out, letter->sequence);
    mesh_buf_zigzag(out, letter->time_us);
    mesh_buf_u8(out, (uint8_t)((letter->key.p != NULL ? 1 : 0) | (letter->value.p != NULL ? 2 : 0)));
    mesh_buf_slice(out, letter->key);
    mesh_buf_slice(out, letter->value);
    mesh_buf_varint(out, letter->n_headers - own);
    for (uint32_t i = own; i < letter->n_headers; i++) {
        mesh_buf_slice(out, letter->headers[i].name);
        mesh_buf_u8(out, letter->headers[i].value.p != NULL);
        mesh_buf_slice(out, letter->headers[i].value);
    }
}

#define HEADERS_MAX 1024

static struct mesh_str present(struct mesh_str s, bool there)
{
    static const char empty[1];
    return (struct mesh_str){there ? (s.p == NULL ? empty : s.p) : NULL, s.n};
}

bool mesh_flow_outbox_restore(struct mesh_task *task, struct mesh_cursor *in)
{
    struct mesh_engine *engine = task->engine;
    uint64_t serial = mesh_get_varint(in);
    uint32_t dest = mesh_flow_dest_now(engine, (uint32_t)mesh_get_varint(in));
    int32_t partition = (int32_t)mesh_get_varint(in);
    uint64_t sequence = mesh_get_varint(in);
    int64_t time = mesh_get_zigzag(in);
    uint8_t flags = mesh_get_u8(in);
    struct mesh_str key = present(mesh_get_slice(in), (flags & 1) != 0);
    struct mesh_str value = present(mesh_get_slice(in), (flags & 2) != 0);
    uint64_t n = mesh_get_varint(in);
    bool gone = dest >= engine->n_dests && dest - engine->n_dests < engine->gone.n;
    if (in->bad || n > HEADERS_MAX || partition < 0 ||
        (!gone && (dest >= engine->n_dests || partition >= engine->dest_partitions[dest])))
        return false;
    struct mesh_header *headers = mesh_arena_alloc(&task->scratch, (n + 1) * sizeof *headers);
    for (uint64_t i = 0; i < n; i++) {
        headers[i].name = mesh_get_slice(in);
        bool there = mesh_get_u8(in) != 0;
        headers[i].value = present(mesh_get_slice(in), there);
    }
    if (in->bad)
        return false;
    if (serial >= mesh_store_chain_next(&task->outbox.chain)) { /* a sweep repeats what is already here */
        mesh_store_chain_skip(&task->outbox.chain, gone ? serial + 1 : serial);
        if (gone)
            *mesh_vec_push(&task->orphans) = serial;
        else
            compose(task, dest, partition, sequence, key, (struct mesh_str){0}, value, headers, (uint32_t)n, time)->n = task->n;
    }
    mesh_arena_reset(&task->scratch);
    return true;
}

uint64_t mesh_flow_outbox_lowest(const struct mesh_task *task)
{
    const void *first = mesh_store_chain_first(&task->outbox.chain);
    return first == NULL ? mesh_store_chain_next(&task->outbox.chain) : mesh_store_chain_serial(first);
}

/* ---- the driver ---- */
const char *mesh_flow_dest_topic(const struct mesh_product *product, uint32_t dest)
{
    if (dest < product->n_ports)
        return product->ports[dest].topic;
    if (dest < mesh_engine_dest_dlq(product))
        return product->internals[dest - product->n_ports].topic;
    if (dest == mesh_engine_dest_receipts(product))
        return product->receipts_topic;
    return dest == mesh_engine_dest_dlq(product) ? product->dlq_topic : product->late_topic;
}

static bool sendable(const struct mesh_task *task)
{
    const struct mesh_flow_letter *letter = task->outbox.unsent;
    return letter != NULL && letter->n <= task->durable_n && letter->n != 0;
}

bool mesh_engine_next_message(struct mesh_engine *engine, struct mesh_message *ret)
{
    if (engine->unsent_letters == 0)
        return false;
    for (uint32_t i = 0; i < engine->n_tasks; i++, engine->send_task = (engine->send_task + 1) % engine->n_tasks) {
        struct mesh_task *task = engine->tasks[engine->send_task];
        if (!sendable(task))
            continue;
        struct mesh_flow_letter *letter = task->outbox.unsent;
        task->outbox.unsent = mesh_store_chain_after(&task->outbox.chain, letter);
        engine->unsent_letters--;
        *ret = (struct mesh_message){
            .dest = letter->dest,
            .topic = mesh_flow_dest_topic(engine->product, letter->dest),
            .partition = letter->partition,
            .key = letter->key,
            .value = letter->value,
            .headers = letter->headers,
            .n_headers = letter->n_headers,
            .time_us = letter->time_us,
            .ticket = (uint64_t)(uintptr_t)letter,
        };
        return true;
    }
    return false;
}

void mesh_engine_acked(struct mesh_engine *engine, uint64_t ticket)
{
    struct mesh_flow_letter *letter = (struct mesh_flow_letter *)(uintptr_t)ticket;
    struct mesh_task *task = letter->task;
    mesh_assert(task->engine == engine && letter->n != 0 && letter->n <= task->durable_n);
    engine->outbox_bytes -= letter->bytes;
    mesh_store_chain_free(&task->outbox.chain, letter);
}

void mesh_engine_resend(struct mesh_engine *engine)
{
    engine->unsent_letters = 0;
    for (uint32_t i = 0; i < engine->n_tasks; i++) {
        struct mesh_flow_outbox *outbox = &engine->tasks[i]->outbox;
        outbox->unsent = mesh_store_chain_first(&outbox->chain);
        engine->unsent_letters += outbox->chain.live;
    }
}
