/* Ports may be added, moved and removed without touching the state: what is still to be sent, and the numbers that receivers count by,
 * follow the topic, not its place in the declaration. */
#include "again.h"
#include "flow/engine.h"
#include "flow/sequence.h"

#include "../check.h"
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

#define PORTS_MAX 4
#define SHOWN_MAX 64
#define BEGIN_US  INT64_C(1700000000000000)

struct record {
    int64_t id;
};

static const struct mesh_product *running; /* for process(), which generated code knows by its constants */

static void decode(struct mesh_in *in, uint32_t version, void *to)
{
    (void)version;
    ((struct record *)to)->id = mesh_in_long(in);
}

static int64_t event_time(const void *record)
{
    return BEGIN_US + ((const struct record *)record)->id;
}

/* One message to each port; to `b` two, so that no two ports count alike. */
static void process(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    for (uint32_t i = 0; i < running->n_ports; i++) {
        for (int n = 0; n < (running->ports[i].topic[0] == 'b' ? 2 : 1); n++) {
            mesh_out_long(mesh_value(task), ((const struct record *)record)->id);
            mesh_send(task, i, (struct mesh_str){"k", 1}, event);
        }
    }
}

static const struct mesh_contract contract = {.name = "c", .local_id = 7};
static const struct mesh_input input = {.name = "in",
                                        .topic = "in",
                                        .kind = MESH_INPUT_STREAM,
                                        .contracts = &contract,
                                        .n_contracts = 1,
                                        .record_size = sizeof(struct record),
                                        .decode = decode,
                                        .event_time = event_time,
                                        .process = process};
static const uint32_t zero[] = {0};
static const struct mesh_topology topology = {.name = "t", .inputs = zero, .n_inputs = 1};

struct sender {
    struct mesh_port ports[PORTS_MAX];
    struct mesh_product product;
    struct mesh_engine *engine;
    struct mesh_metrics *metrics;
    struct mesh_buf log;
    size_t durable, cut;
    int64_t offset;
    char shown[SHOWN_MAX * 8];
};

/* `topics`: a port each, by one letter; `partitions` of each. */
static void start(struct sender *s, const char *topics, int32_t partitions)
{
    static const uint32_t ids[] = {7, 7, 7, 7};
    static const uint32_t *const wires[] = {ids};
    static const char names[] = "a\0b\0c\0d\0";
    static const int32_t one[] = {1};
    int32_t numbers[PORTS_MAX + 2];
    for (size_t i = 0; i < MESH_LEN(numbers); i++)
        numbers[i] = partitions;
    for (size_t i = 0; topics[i] != '\0'; i++) {
        const char *name = names + (ptrdiff_t)(topics[i] - 'a') * 2;
        s->ports[i] = (struct mesh_port){
            .name = name, .kind = MESH_PORT_KAFKA, .topic = name, .contract = &contract, .emit = MESH_EMIT_EVENT};
    }
    s->product = (struct mesh_product){.abi = MESH_ABI,
                                       .domain = "d",
                                       .name = "p",
                                       .state_hash = "x",
                                       .inputs = &input,
                                       .n_inputs = 1,
                                       .ports = s->ports,
                                       .n_ports = (uint32_t)strlen(topics),
                                       .topologies = &topology,
                                       .n_topologies = 1,
                                       .dlq_topic = "dlq",
                                       .late_topic = "late"};
    running = &s->product;
    s->metrics = mesh_metrics_new();
    struct mesh_engine_conf conf = {.product = &s->product,
                                    .input_partitions = one,
                                    .port_partitions = numbers,
                                    .wire_ids = wires,
                                    .port_ids = ids,
                                    .metrics = s->metrics,
                                    .generation = 1,
                                    .commit_interval_us = 200000,
                                    .round_log_bytes = 1};
    struct mesh_err err = {0};
    CHECK(mesh_engine_new(&conf, &s->engine, &err) == 0);
    int r = engine_again(s->engine, &s->log, s->durable, &err);
    CHECK_STR(r == 0 ? "" : err.text, "");
    s->durable = s->log.n;
}

static void stop(struct sender *s)
{
    mesh_engine_free(s->engine);
    mesh_metrics_free(s->metrics);
    s->engine = NULL;
}

static void restart(struct sender *s, const char *topics, int32_t partitions)
{
    stop(s);
    start(s, topics, partitions);
}

static void feed(struct sender *s, int n)
{
    struct mesh_err err = {0};
    for (; n > 0; n--) {
        struct mesh_out value = {0};
        mesh_out_raw(&value, "\0\0\0\0\7", 5);
        mesh_out_long(&value, s->offset);
        struct mesh_record record = {
            .offset = s->offset++, .kafka_time_us = BEGIN_US, .key = {"k", 1}, .value = {(const char *)value.p, (uint32_t)value.n}};
        CHECK(mesh_engine_feed(s->engine, 0, 0, &record, 1, 1, &err) == 0);
        mesh_out_deinit(&value);
    }
    if (!mesh_engine_commit(s->engine, 1, &s->log))
        return;
    s->durable = s->log.n;
    mesh_engine_durable(s->engine);
}

/* "a1 b1 b2 ": what is handed out now, by topic and number; the first `acked` of them are acknowledged, which the next commit logs. */
static const char *sent(struct sender *s, size_t acked)
{
    struct mesh_message m;
    size_t n = 0;
    for (size_t i = 0; mesh_engine_next_message(s->engine, &m); i++) {
        struct mesh_flow_origin origin = {0};
        CHECK(m.n_headers > 0 && mesh_flow_origin_read(m.headers[0].value, &origin));
        CHECK(mesh_engine_n_dests(&s->product) > m.dest && strcmp(s->ports[m.dest].topic, m.topic) == 0);
        n += (size_t)snprintf(s->shown + n, sizeof s->shown - n, "%s%llu ", m.topic, (unsigned long long)origin.sequence);
        if (i < acked)
            mesh_engine_acked(s->engine, m.ticket);
    }
    s->shown[n] = '\0';
    return s->shown;
}

static double orphans(struct sender *s)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_metrics_render(s->metrics, &text);
    mesh_buf_putc(&text, '\0');
    const char *at = strstr(text.p, "\nmesh_orphan_messages_total ");
    return at == NULL ? -1 : strtod(at + strlen("\nmesh_orphan_messages_total "), NULL);
}

/* Everything again in a new segment, and the older ones are gone. */
static void round_trip(struct sender *s)
{
    size_t cut = s->durable;
    CHECK(mesh_engine_round_begin(s->engine, UINT64_MAX));
    for (int i = 0; i < 100 && !mesh_engine_round_done(s->engine); i++)
        feed(s, 1);
    memmove(s->log.p, s->log.p + cut, s->log.n - cut);
    s->log.n -= cut;
    s->durable = s->log.n;
}

static void end(struct sender *s)
{
    stop(s);
    mesh_buf_deinit(&s->log);
}

CASE(messages_and_numbers_follow_their_topic)
{
    struct sender s = {0};
    start(&s, "ab", 1);
    feed(&s, 2);
    CHECK_STR(sent(&s, 2), "a1 b1 b2 a2 b3 b4 ");
    feed(&s, 1);
    restart(&s, "cba", 1); /* one is new, and the others stand elsewhere */
    CHECK_STR(sent(&s, 0), "b2 a2 b3 b4 a3 b5 b6 ");
    feed(&s, 1);
    CHECK_STR(sent(&s, 0), "c1 b7 b8 a4 ");
    restart(&s, "acb", 1);
    CHECK_STR(sent(&s, 0), "b2 a2 b3 b4 a3 b5 b6 c1 b7 b8 a4 ");
    CHECK(orphans(&s) == 0);
    end(&s);
}

CASE(a_topic_that_comes_back_goes_on_with_its_numbers)
{
    for (int with_round = 0; with_round < 2; with_round++) {
        struct sender s = {0};
        start(&s, "ab", 1);
        feed(&s, 3);
        CHECK_STR(sent(&s, 4), "a1 b1 b2 a2 b3 b4 a3 b5 b6 ");
        feed(&s, 1); /* whose commit says what was acknowledged */
        restart(&s, "b", 1);
        CHECK(orphans(&s) == 2); /* a3 and a4; what was acknowledged is none */
        CHECK_STR(sent(&s, 100), "b3 b4 b5 b6 b7 b8 ");
        if (with_round)
            round_trip(&s);
        (void)sent(&s, 100);
        feed(&s, 1);
        restart(&s, "ba", 1);
        CHECK(orphans(&s) == 0);
        (void)sent(&s, 100);
        feed(&s, 1);
        CHECK_CONTAINS(sent(&s, 0), " a5 ");
        end(&s);
    }
}
