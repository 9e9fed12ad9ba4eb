/* The ceiling: the least that a C program can do to have the records of some topics in its hands.
 *
 *     ceiling --brokers B [--to TOPIC] TOPIC...
 *
 * librdkafka's batch consume of all partitions of the topics from their beginning to the end they had at the start, and nothing
 * else: no group, no commits, not one byte of a record is looked at. With --to each record is also produced to TOPIC, as it is, by
 * an idempotent lz4 producer whose acknowledgements are waited for: the ceiling of products that send on what they read. Library,
 * allocator (mimalloc) and client settings are those of the services (platform/io/kafka_source.c, kafka_sink.c); where a setting
 * differs it is in favour of the ceiling. CPU is user + system of the whole process from its start to the last record (and
 * acknowledgement): librdkafka's threads and the connection count, as they do for a service. Prints a JSON object.
 */
#include "bench.h"

#include <getopt.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>

#define BATCH      1000
#define BATCH_MS   20
#define ASK_MS     10000
#define SILENCE_NS INT64_C(30000000000)
#define TOPICS_MAX 16

struct ceiling {
    const char *brokers, *to;
    rd_kafka_t *consumer, *producer;
    rd_kafka_topic_t *target;
    rd_kafka_topic_t *topics[TOPICS_MAX];
    int64_t wanted, got, bytes, acked, lost;
};

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char reason[512];
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) != RD_KAFKA_CONF_OK)
        bench_die("ceiling: %s", reason);
}

static rd_kafka_t *client(struct ceiling *c, rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char reason[512];
    set(conf, "bootstrap.servers", c->brokers);
    set(conf, "log_level", "2");
    rd_kafka_t *rk = rd_kafka_new(type, conf, reason, sizeof reason);
    if (rk == NULL)
        bench_die("ceiling: %s", reason);
    return rk;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct ceiling *c = opaque;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        c->acked++;
    else
        c->lost++;
}

static void connect_broker(struct ceiling *c)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "enable.auto.commit", "false");
    set(conf, "queued.min.messages", "1000000");
    set(conf, "fetch.wait.max.ms", "10");
    set(conf, "fetch.message.max.bytes", "4194304");
    set(conf, "check.crcs", "false");
    /* Not in librdkafka 2.0.2; where it is, its second of standing still is no work, but time on the clock. */
    (void)rd_kafka_conf_set(conf, "fetch.queue.backoff.ms", "5", NULL, 0);
    c->consumer = client(c, RD_KAFKA_CONSUMER, conf);
    if (c->to == NULL)
        return;
    conf = rd_kafka_conf_new();
    set(conf, "enable.idempotence", "true");
    set(conf, "compression.codec", "lz4");
    set(conf, "linger.ms", "5");
    set(conf, "queue.buffering.max.messages", "1000000");
    set(conf, "queue.buffering.max.kbytes", "262144");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, c);
    c->producer = client(c, RD_KAFKA_PRODUCER, conf);
    c->target = rd_kafka_topic_new(c->producer, c->to, NULL);
}

/* Start all partitions of a topic on one queue, and count what they hold. */
static rd_kafka_topic_t *start(struct ceiling *c, const char *name, rd_kafka_queue_t *queue)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(c->consumer, name, NULL);
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t err = rd_kafka_metadata(c->consumer, 0, topic, &metadata, ASK_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1 || metadata->topics[0].partition_cnt == 0)
        bench_die("ceiling: %s: %s", name, err == RD_KAFKA_RESP_ERR_NO_ERROR ? "no such topic" : rd_kafka_err2str(err));
    for (int32_t p = 0; p < metadata->topics[0].partition_cnt; p++) {
        int64_t low = 0, high = 0;
        err = rd_kafka_query_watermark_offsets(c->consumer, name, p, &low, &high, ASK_MS);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
            bench_die("ceiling: %s/%d: %s", name, p, rd_kafka_err2str(err));
        c->wanted += high - low;
        if (high > low && rd_kafka_consume_start_queue(topic, p, RD_KAFKA_OFFSET_BEGINNING, queue) != 0)
            bench_die("ceiling: %s/%d cannot be read", name, p);
    }
    rd_kafka_metadata_destroy(metadata);
    return topic;
}

static void pass_on(struct ceiling *c, const rd_kafka_message_t *m)
{
    while (rd_kafka_produce(c->target, m->partition, RD_KAFKA_MSG_F_COPY, m->payload, m->len, m->key, m->key_len, NULL) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            bench_die("ceiling: %s", rd_kafka_err2str(rd_kafka_last_error()));
        rd_kafka_poll(c->producer, 5);
    }
}

static void consume(struct ceiling *c, rd_kafka_queue_t *queue)
{
    static rd_kafka_message_t *messages[BATCH];
    int64_t last_ns = bench_now_ns();
    while (c->got < c->wanted) {
        ssize_t n = rd_kafka_consume_batch_queue(queue, BATCH_MS, messages, BATCH);
        for (ssize_t i = 0; i < n; i++) {
            if (messages[i]->err != RD_KAFKA_RESP_ERR_NO_ERROR)
                continue;
            c->got++;
            c->bytes += (int64_t)messages[i]->len;
            if (c->to != NULL)
                pass_on(c, messages[i]);
        }
        for (ssize_t i = 0; i < n; i++)
            rd_kafka_message_destroy(messages[i]);
        if (c->to != NULL)
            rd_kafka_poll(c->producer, 0);
        if (n > 0)
            last_ns = bench_now_ns();
        else if (bench_now_ns() - last_ns > SILENCE_NS)
            bench_die("ceiling: %" PRId64 " of %" PRId64 " records, then nothing for 30 s", c->got, c->wanted);
    }
    if (c->to != NULL && rd_kafka_flush(c->producer, ASK_MS * 3) != RD_KAFKA_RESP_ERR_NO_ERROR)
        bench_die("ceiling: the broker did not take everything");
    if (c->lost > 0)
        bench_die("ceiling: %" PRId64 " records were not delivered", c->lost);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"brokers", 1, NULL, 'b'}, {"to", 1, NULL, 't'}, {NULL, 0, NULL, 0}};
    int64_t begin_ns = bench_now_ns();
    struct ceiling c = {.brokers = NULL};
    for (int o = getopt_long(argc, argv, "", longs, NULL); o != -1; o = getopt_long(argc, argv, "", longs, NULL)) {
        if (o == 'b')
            c.brokers = optarg;
        else if (o == 't')
            c.to = optarg;
        else
            return 2;
    }
    if (c.brokers == NULL || optind == argc || argc - optind > TOPICS_MAX) {
        fprintf(stderr, "usage: ceiling --brokers B [--to TOPIC] TOPIC...\n");
        return 2;
    }
    connect_broker(&c);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c.consumer);
    for (int i = optind; i < argc; i++)
        c.topics[i - optind] = start(&c, argv[i], queue);
    consume(&c, queue);
    printf("{\"events\":%" PRId64 ",\"wall_s\":%.3f,\"cpu_s\":%.3f,\"rss_mb\":%.1f,\"bytes\":%" PRId64 ",\"sent\":%" PRId64
           ",\"librdkafka\":\"%s\"}\n",
           c.got, (double)(bench_now_ns() - begin_ns) / 1e9, bench_cpu_s(), bench_rss_peak_mb(), c.bytes, c.acked,
           rd_kafka_version_str());
    fflush(stdout);
    /* What a clean end costs is not part of it. */
    quick_exit(0);
}
