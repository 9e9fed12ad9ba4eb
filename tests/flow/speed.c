/* What a record costs in the engine, without Kafka and disk: nanoseconds per record of a few paths, commits in memory included.
 *   cc ... tests/flow/speed.c tests/flow/shop.c libmesh && ./speed [records]
 * Not a test: it measures. */
#include "flow/engine.h"
#include "shop.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH    256
#define START_US (1700000000 * SHOP_SECOND)

struct row {
    int64_t n, sum;
};
struct out {
    int64_t key, start, end;
    bool final;
    int64_t revision, n, sum;
};
static const struct mesh_field fields[] = {{.name = "n", .type = MESH_LONG, .offset = offsetof(struct row, n)},
                                           {.name = "sum", .type = MESH_LONG, .offset = offsetof(struct row, sum)}};
static const struct mesh_field outs[] = {{.name = "key", .type = MESH_LONG, .offset = offsetof(struct out, key)},
                                         {.name = "n", .type = MESH_LONG, .offset = offsetof(struct out, n)},
                                         {.name = "sum", .type = MESH_LONG, .offset = offsetof(struct out, sum)}};

static void finish(const void *row, void *out)
{
    const struct row *r = row;
    struct out *o = out;
    o->n = r->n;
    o->sum = r->sum;
}

struct record {
    int64_t id, key, amount, at;
};

static void decode(struct mesh_in *in, uint32_t version, void *record)
{
    (void)version;
    struct record *r = record;
    r->id = mesh_in_long(in);
    r->key = mesh_in_long(in);
    r->amount = mesh_in_long(in);
    r->at = mesh_in_micros(in);
}

static int64_t event_time(const void *record)
{
    return ((const struct record *)record)->at;
}

static const struct mesh_view view = {.name = "v",
                                      .out = outs,
                                      .n_out = 3,
                                      .n_key = 1,
                                      .out_size = sizeof(struct out),
                                      .window = MESH_WINDOW_TUMBLING,
                                      .size_us = 60 * SHOP_SECOND,
                                      .grace_us = 10 * SHOP_SECOND,
                                      .window_start = offsetof(struct out, start),
                                      .window_end = offsetof(struct out, end),
                                      .final = offsetof(struct out, final),
                                      .revision = offsetof(struct out, revision),
                                      .finish = finish,
                                      .state = 1};
static const enum mesh_type cells[] = {MESH_LONG};
static const struct mesh_state states[] = {
    {.name = "seen", .kind = MESH_STATE_DEDUPE, .within_us = 3600 * SHOP_SECOND},
    {.name = "v",
     .kind = MESH_STATE_VIEW,
     .fields = fields,
     .n_fields = 2,
     .row_size = sizeof(struct row),
     .keep_us = 600 * SHOP_SECOND,
     .view = &view},
    {.name = "ring", .kind = MESH_STATE_RING, .keep_us = 60 * SHOP_SECOND, .cells = cells, .n_cells = 1},
};

static enum { NOTHING = 0, DEDUPE = 1, FOLD = 2, RING = 4, SEND = 8 } what;

static void process(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct record *r = record;
    struct mesh_key key;
    if ((what & DEDUPE) != 0) {
        mesh_key_begin(&key);
        mesh_key_long(&key, r->id);
        if (!mesh_dedupe(task, 0, &key, event))
            return;
    }
    mesh_key_begin(&key);
    mesh_key_long(&key, r->key);
    if ((what & FOLD) != 0) {
        struct row *row = mesh_view_row(task, 1, &key, event);
        if (row != NULL) {
            row->n++;
            row->sum += r->amount;
        }
    }
    if ((what & RING) != 0) {
        union mesh_cell cell = {.d = r->amount};
        struct mesh_ring *ring = mesh_ring_add(task, 2, &key, event, &cell);
        mesh_ring_sum(ring, event->time_us - 60 * SHOP_SECOND, event->time_us, &cell);
    }
    if ((what & SEND) != 0) {
        struct mesh_out *value = mesh_value(task);
        mesh_out_long(value, r->id);
        mesh_out_long(value, r->amount);
        mesh_send(task, 0, (struct mesh_str){(const char *)key.bytes, key.n}, event);
    }
}

static const struct mesh_contract contract = {.name = "c", .local_id = 7};
#define INPUT(text)                                                                                                                \
    {                                                                                                                              \
        .name = text, .topic = text, .kind = MESH_INPUT_STREAM, .contracts = &contract, .n_contracts = 1,                          \
        .record_size = sizeof(struct record), .decode = decode, .event_time = event_time, .process = process,                      \
        .delay_us = SHOP_SECOND                                                                                                    \
    }
static const struct mesh_input inputs[] = {INPUT("a"), INPUT("b")};
static const struct mesh_port ports[] = {{.name = "p", .kind = MESH_PORT_KAFKA, .topic = "p", .emit = MESH_EMIT_EVENT}};
static const uint32_t both[] = {0, 1};
static const uint32_t all[] = {0, 1, 2};

static void measure(const char *name, int flags, uint32_t n_inputs, size_t n, uint64_t keys, int64_t jitter_us)
{
    what = flags;
    const struct mesh_topology topology = {
        .name = "t", .inputs = both, .n_inputs = n_inputs, .states = all, .n_states = 3, .ordered = true};
    const struct mesh_product product = {.abi = MESH_ABI,
                                         .domain = "d",
                                         .name = "p",
                                         .state_hash = "x",
                                         .inputs = inputs,
                                         .n_inputs = n_inputs,
                                         .states = states,
                                         .n_states = 3,
                                         .views = &view,
                                         .n_views = 1,
                                         .ports = ports,
                                         .n_ports = 1,
                                         .topologies = &topology,
                                         .n_topologies = 1,
                                         .dlq_topic = "dlq",
                                         .late_topic = "late"};
    static const uint32_t ids[] = {7};
    static const uint32_t *const wires[] = {ids, ids};
    static const int32_t ones[] = {1, 1, 1, 1, 1};
    struct mesh_engine_conf conf = {.product = &product,
                                    .input_partitions = ones,
                                    .port_partitions = ones,
                                    .wire_ids = wires,
                                    .port_ids = ids,
                                    .generation = 1,
                                    .commit_interval_us = 200000};
    struct mesh_engine *engine = NULL;
    struct mesh_err err;
    if (mesh_engine_new(&conf, &engine, &err) < 0)
        abort();
    struct mesh_buf log = MESH_BUF_NULL;
    mesh_engine_claim(engine, &log);
    struct mesh_rng rng;
    mesh_rng_seed(&rng, 1);
    struct mesh_out bytes = {0};
    size_t *starts = malloc((n + 1) * sizeof *starts);
    for (size_t i = 0; i < n; i++) { /* 100,000 records a second of event time */
        starts[i] = bytes.n;
        mesh_out_raw(&bytes, "\0\0\0\0\7", 5);
        mesh_out_long(&bytes, (int64_t)(i * 7919));
        mesh_out_long(&bytes, (int64_t)mesh_rng_below(&rng, keys));
        mesh_out_long(&bytes, (int64_t)mesh_rng_below(&rng, 10000));
        mesh_out_long(&bytes,
                      START_US + (int64_t)i * 10 - (jitter_us > 0 ? (int64_t)mesh_rng_below(&rng, (uint64_t)jitter_us) : 0));
    }
    starts[n] = bytes.n;
    struct mesh_record records[BATCH];
    uint64_t logged = 0;
    int64_t fed_us = 0;
    int64_t begin = mesh_clock_cpu_us();
    for (size_t i = 0; i < n; i += BATCH) {
        uint32_t input = (uint32_t)(i / BATCH) % n_inputs;
        size_t have = n - i < BATCH ? n - i : BATCH;
        for (size_t k = 0; k < have; k++)
            records[k] = (struct mesh_record){
                .offset = (int64_t)(i + k),
                .kafka_time_us = START_US,
                .key = {"k", 1},
                .value = {(const char *)bytes.p + starts[i + k], (uint32_t)(starts[i + k + 1] - starts[i + k])}};
        int64_t at = mesh_clock_cpu_us();
        if (mesh_engine_feed(engine, input, 0, records, have, (int64_t)i, &err) < 0)
            abort();
        fed_us += mesh_clock_cpu_us() - at;
        if (i % (BATCH * 400) == 0 && mesh_engine_commit(engine, (int64_t)i, &log)) {
            mesh_engine_durable(engine);
            logged += log.n;
            log.n = 0;
            struct mesh_message m;
            while (mesh_engine_next_message(engine, &m))
                mesh_engine_acked(engine, m.ticket);
        }
    }
    int64_t cpu = mesh_clock_cpu_us() - begin;
    printf("%-46s %6.0f ns/record, %6.0f of it feed, %5.0f bytes of log\n", name, (double)cpu * 1000 / (double)n,
           (double)fed_us * 1000 / (double)n, (double)logged / (double)n);
    free(starts);
    mesh_out_deinit(&bytes);
    mesh_buf_deinit(&log);
    mesh_engine_free(engine);
}

int main(int argc, char **argv)
{
    int m = 0;
    size_t n = argc > 1 ? (size_t)atol(argv[1]) : 2000000;
    if (argc < 3 || strchr(argv[2], 97 + m++))
        measure("decode only", NOTHING, 1, n, 10000, 0);
    if (argc < 3 || strchr(argv[2], 97 + m++))
        measure("fold", FOLD, 1, n, 10000, 0);
    if (argc < 3 || strchr(argv[2], 97 + m++))
        measure("dedupe + fold", DEDUPE | FOLD, 1, n, 10000, 0);
    if (argc < 3 || strchr(argv[2], 97 + m++))
        measure("order buffer, sorted", NOTHING, 2, n, 10000, 0);
    if (argc < 3 || strchr(argv[2], 97 + m++))
        measure("order buffer, shuffled within 1 s", NOTHING, 2, n, 10000, SHOP_SECOND);
    if (argc < 3 || strchr(argv[2], 97 + m++))
        measure("order buffer + dedupe + fold", DEDUPE | FOLD, 2, n, 10000, 1000);
    if (argc < 3 || strchr(argv[2], 97 + m++))
        measure("order buffer + dedupe + fold, 1 M keys", DEDUPE | FOLD, 2, n, 1000000, 1000);
    if (argc < 3 || strchr(argv[2], 97 + m++))
        measure("ring: add and sum", RING, 1, n, 10000, 0);
    if (argc < 3 || strchr(argv[2], 97 + m++))
        measure("send", SEND, 1, n, 10000, 0);
    return 0;
}
