/* Fills the topic of the small products, and says what the right answers are.
 *
 *     fill --brokers B --contract event.v1.avsc --topic T --partitions N --events N [--datums FILE]
 *
 * Event i (0, 1, ...) is a function of i, 1 ms of event time after event i-1. Every tenth is the copy of an earlier event, up to a
 * million back, with its own time: same id, same visitor. The key is the visitor, the partition murmur2 of the key's text, the
 * value Confluent framing and Avro binary, lz4, idempotent producer. FILE gets the first 1,000,000 bare datums, each behind its
 * length (32 bits, of this machine), for the decoders. Prints a JSON object of right answers.
 */
#include "bench.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/hash.h"
#include "contract/framing.h"
#include "contract/schema.h"
#include "mesh/avro.h"

#include <getopt.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <string.h>

#define DATUMS_MAX      1000000
#define WINDOW_MS       60000
#define FLUSH_WAIT_MS   60000
#define BACK_EVENTS_MAX 100000 /* tens of events */

struct event {
    int64_t id, ts_ms, user, item, kind, qty;
    double amount, price;
    const char *country;
    char page[32], referrer[40];
    bool mobile, has_referrer;
};

struct fill {
    const char *brokers, *contract, *topic, *datums;
    int32_t partitions;
    int64_t events;
    rd_kafka_t *rk;
    rd_kafka_topic_t *rkt;
    int64_t lost;
};

struct truth {
    int64_t unique, passed, groups, bytes;
    double passed_revenue, amount;
    uint8_t *seen; /* of the current window: a bit per visitor */
    int64_t window;
};

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static bool is_again(int64_t i)
{
    return i % 10 == 9;
}

/* Index of the event that event i repeats: never itself a repetition. */
static int64_t original(int64_t i)
{
    if (!is_again(i))
        return i;
    uint64_t tens = (uint64_t)(i / 10) + 1;
    uint64_t back = mix((uint64_t)i) % (tens < BACK_EVENTS_MAX ? tens : BACK_EVENTS_MAX);
    return i - 5 - 10 * (int64_t)back;
}

static void make(int64_t i, struct event *e)
{
    static const char *const countries[] = {"DE", "FR", "GB", "IT", "ES", "PL", "NL", "US", "BE", "SE",
                                            "AT", "CH", "DK", "CZ", "PT", "FI", "IE", "NO", "GR", "HU"};
    static const char *const referrers[] = {"https://news.example/", "https://search.example/", "https://mail.example/"};
    int64_t of = original(i);
    uint64_t a = mix((uint64_t)of), b = mix(a), c = mix(b);
    e->id = of;
    e->ts_ms = BENCH_START_MS + i;
    e->user = (int64_t)(a % BENCH_USERS);
    e->item = (int64_t)(b % 1000000);
    e->amount = (double)(c % 10000) / 100;
    e->price = (double)(b >> 32 & 0xffff) / 100;
    e->country = countries[(c >> 40) % 20];
    snprintf(e->page, sizeof e->page, "/p/%" PRIu64, a >> 20 & 0xfffff);
    e->kind = (int64_t)(a >> 60 & 3);
    e->mobile = (a >> 59 & 1) != 0;
    e->has_referrer = (a >> 58 & 1) != 0;
    snprintf(e->referrer, sizeof e->referrer, "%s", referrers[(a >> 48) % 3]);
    e->qty = (int64_t)(b % 5) + 1;
}

static void encode(struct mesh_out *out, const struct event *e)
{
    mesh_out_long(out, e->id);
    mesh_out_long(out, e->ts_ms);
    mesh_out_long(out, e->user);
    mesh_out_long(out, e->item);
    mesh_out_double(out, e->amount);
    mesh_out_double(out, e->price);
    mesh_out_bytes(out, mesh_str_of(e->country));
    mesh_out_bytes(out, mesh_str_of(e->page));
    mesh_out_long(out, e->kind);
    mesh_out_bool(out, e->mobile);
    mesh_out_long(out, e->has_referrer ? 1 : 0);
    if (e->has_referrer)
        mesh_out_bytes(out, mesh_str_of(e->referrer));
    mesh_out_long(out, e->qty);
}

static void count(struct truth *t, int64_t i, const struct event *e)
{
    t->unique += is_again(i) ? 0 : 1;
    t->amount += e->amount;
    if (e->amount >= BENCH_PASSES) {
        t->passed++;
        t->passed_revenue += e->amount * e->price;
    }
    if (e->ts_ms / WINDOW_MS != t->window) {
        t->window = e->ts_ms / WINDOW_MS;
        memset(t->seen, 0, BENCH_USERS);
    }
    t->groups += t->seen[e->user] == 0 ? 1 : 0;
    t->seen[e->user] = 1;
}

static uint32_t schema_id(const char *path)
{
    struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_diags diags = {.arena = &arena};
    struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    if (mesh_fs_read(path, 1u << 20, &text, &err) < 0)
        bench_die("fill: %s", err.text);
    const struct mesh_schema *schema = mesh_schema_parse(&arena, mesh_source_new(&arena, path, text.p, text.n), &diags);
    if (schema == NULL)
        bench_die("fill: %s is not a schema", path);
    uint32_t id = mesh_schema_local_id(schema);
    mesh_buf_deinit(&text);
    mesh_arena_deinit(&arena);
    return id;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct fill *fill = opaque;
    fill->lost += message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : 1;
}

static void connect_broker(struct fill *fill)
{
    static const char *const settings[][2] = {
        {"enable.idempotence", "true"},
        {"compression.codec", "lz4"},
        {"linger.ms", "20"},
        {"log_level", "2"},
        {"queue.buffering.max.messages", "500000"},
    };
    char reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], reason, sizeof reason) != RD_KAFKA_CONF_OK)
            bench_die("fill: %s", reason);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", fill->brokers, reason, sizeof reason) != RD_KAFKA_CONF_OK)
        bench_die("fill: %s", reason);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, fill);
    fill->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (fill->rk == NULL)
        bench_die("fill: %s", reason);
    fill->rkt = rd_kafka_topic_new(fill->rk, fill->topic, NULL);
}

static void send_event(struct fill *fill, const struct event *e, const struct mesh_buf *value)
{
    char key[24];
    int key_n = snprintf(key, sizeof key, "%" PRId64, e->user);
    int32_t partition = mesh_hash_partition(key, (size_t)key_n, fill->partitions);
    for (;;) {
        rd_kafka_resp_err_t r =
            rd_kafka_producev(fill->rk, RD_KAFKA_V_RKT(fill->rkt), RD_KAFKA_V_PARTITION(partition),
                              RD_KAFKA_V_KEY(key, (size_t)key_n), RD_KAFKA_V_VALUE(value->p, value->n),
                              RD_KAFKA_V_TIMESTAMP(e->ts_ms), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (r == RD_KAFKA_RESP_ERR_NO_ERROR)
            return;
        if (r != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            bench_die("fill: %s", rd_kafka_err2str(r));
        rd_kafka_poll(fill->rk, 10);
    }
}

static void read_options(int argc, char **argv, struct fill *fill)
{
    static const struct option longs[] = {{"brokers", 1, NULL, 'b'}, {"contract", 1, NULL, 'c'},   {"topic", 1, NULL, 't'},
                                          {"events", 1, NULL, 'e'},  {"partitions", 1, NULL, 'p'}, {"datums", 1, NULL, 'd'},
                                          {NULL, 0, NULL, 0}};
    for (int c = getopt_long(argc, argv, "", longs, NULL); c != -1; c = getopt_long(argc, argv, "", longs, NULL)) {
        switch (c) {
        case 'b':
            fill->brokers = optarg;
            break;
        case 'c':
            fill->contract = optarg;
            break;
        case 't':
            fill->topic = optarg;
            break;
        case 'e':
            fill->events = atoll(optarg);
            break;
        case 'p':
            fill->partitions = atoi(optarg);
            break;
        case 'd':
            fill->datums = optarg;
            break;
        default:
            exit(2);
        }
    }
    if (fill->brokers == NULL || fill->contract == NULL || fill->topic == NULL || fill->events <= 0 || fill->partitions <= 0) {
        fprintf(stderr, "usage: fill --brokers B --contract FILE --topic T --partitions N --events N [--datums FILE]\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct fill fill = {.partitions = 0};
    read_options(argc, argv, &fill);
    FILE *datums = fill.datums == NULL ? NULL : fopen(fill.datums, "wb");
    if (fill.datums != NULL && datums == NULL)
        bench_die("fill: cannot write %s", fill.datums);
    uint32_t id = schema_id(fill.contract);
    connect_broker(&fill);
    struct truth truth = {.seen = calloc(1, BENCH_USERS), .window = -1};
    struct mesh_out datum = {0};
    struct mesh_buf value = MESH_BUF_NULL;
    if (truth.seen == NULL)
        bench_die("fill: out of memory");
    for (int64_t i = 0; i < fill.events; i++) {
        struct event e;
        make(i, &e);
        datum.n = 0;
        encode(&datum, &e);
        count(&truth, i, &e);
        truth.bytes += (int64_t)datum.n;
        uint32_t length = (uint32_t)datum.n;
        if (datums != NULL && i < DATUMS_MAX &&
            (fwrite(&length, sizeof length, 1, datums) != 1 || fwrite(datum.p, 1, datum.n, datums) != datum.n))
            bench_die("fill: cannot write %s", fill.datums);
        mesh_buf_reset(&value);
        mesh_frame_write_id(&value, id);
        mesh_buf_add(&value, datum.p, datum.n);
        send_event(&fill, &e, &value);
        if (i % 1000 == 0)
            rd_kafka_poll(fill.rk, 0);
    }
    if (rd_kafka_flush(fill.rk, FLUSH_WAIT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR || fill.lost > 0)
        bench_die("fill: the broker did not take everything");
    if (datums != NULL && fclose(datums) != 0)
        bench_die("fill: cannot write %s", fill.datums);
    printf("{\"events\":%" PRId64 ",\"unique\":%" PRId64 ",\"passed\":%" PRId64
           ",\"passed_revenue\":%.2f,\"amount\":%.2f,\"groups\":%" PRId64 ",\"bytes_per_event\":%.1f}\n",
           fill.events, truth.unique, truth.passed, truth.passed_revenue, truth.amount, truth.groups,
           (double)truth.bytes / (double)fill.events);
    rd_kafka_topic_destroy(fill.rkt);
    rd_kafka_destroy(fill.rk);
    mesh_out_deinit(&datum);
    mesh_buf_deinit(&value);
    free(truth.seen);
    return 0;
}
