/* The Kafka sink against librdkafka's mock cluster: in every partition the very records that --out
 * writes for as many partitions, once, in order, with key, value and timestamp.
 *
 * Environment: MESH_SIM, path of the program. Runs in the source root. The mock keeps 5 MB of a
 * partition, so the run is small. */
#include "../check.h"

#include "base/buf.h"
#include "base/fs.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVENTS             "20000"
#define PARTITIONS         3
#define TOPICS             10
#define RATES              2
#define MESSAGE_TIMEOUT_MS 20000
#define BYTES_MAX          (64u << 20)

extern char **environ;

static const char *const topics[TOPICS] = {
    "omnishop.sales.card-payments", "omnishop.sales.shop-payments", "omnishop.finance.rates",   "omnishop.crm.customers",
    "omnishop.crm.consents",        "omnishop.sales.orders",        "omnishop.stock.movements", "omnishop.stock.counts",
    "omnishop.stock.products",      "omnishop.marketing.ad-events",
};

static int run_sim(const char *target, const char *where, const char *more, const char *value)
{
    const char *const arguments[] = {getenv("MESH_SIM"),
                                     target,
                                     where,
                                     "--start",
                                     "2026-11-21T08:00:00Z",
                                     "--events",
                                     EVENTS,
                                     more,
                                     value,
                                     more == NULL ? NULL : "--format=binary",
                                     NULL};
    pid_t pid;
    int status = -1;
    if (posix_spawn(&pid, arguments[0], NULL, NULL, (char *const *)(uintptr_t)arguments, environ) != 0)
        return -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static rd_kafka_t *new_consumer(const char *brokers)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text);
    rd_kafka_conf_set(conf, "group.id", "kafka_test", text, sizeof text);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", text, sizeof text);
    rd_kafka_conf_set(conf, "fetch.wait.max.ms", "10", text, sizeof text);
    return rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
}

static void assign(rd_kafka_t *consumer, const char *topic, int32_t partition)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
    CHECK(rd_kafka_assign(consumer, list) == RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);
}

struct written {
    uint8_t topic;
    int32_t partition;
    int64_t timestamp_ms;
    struct mesh_str key, value;
};

static struct mesh_cursor skip_head(const struct mesh_buf *file)
{
    struct mesh_cursor in = mesh_cursor_of(file->p, file->n);
    CHECK(mesh_str_eq(mesh_get_bytes(&in, 8), MESH_STR("MESHSIM1")));
    uint8_t n = mesh_get_u8(&in);
    CHECK_EQ_I64(n, TOPICS);
    for (uint8_t i = 0; i < n && i < TOPICS; i++) {
        CHECK(mesh_str_eq(mesh_get_slice(&in), mesh_str_of(topics[i])));
        CHECK_EQ_U64(mesh_get_varint(&in), i == RATES ? 1 : PARTITIONS);
    }
    return in;
}

static bool next_of(struct mesh_cursor *in, uint8_t topic, int32_t partition, struct written *ret)
{
    while (in->p < in->end && !in->bad) {
        ret->topic = mesh_get_u8(in);
        ret->partition = (int32_t)mesh_get_varint(in);
        ret->timestamp_ms = mesh_get_zigzag(in);
        ret->key = mesh_get_slice(in);
        ret->value = mesh_get_slice(in);
        if (ret->topic == topic && ret->partition == partition)
            return true;
    }
    return false;
}

static bool equal(const rd_kafka_message_t *message, const struct written *written)
{
    struct mesh_str key = {message->key, (uint32_t)message->key_len};
    struct mesh_str value = {message->payload, (uint32_t)message->len};
    return message->err == RD_KAFKA_RESP_ERR_NO_ERROR && mesh_str_eq(key, written->key) && mesh_str_eq(value, written->value) &&
           rd_kafka_message_timestamp(message, NULL) == written->timestamp_ms;
}

/* How many records were alike; the partition must end with the file. */
static int64_t compare(rd_kafka_t *consumer, const struct mesh_buf *file, uint8_t topic, int32_t partition)
{
    struct mesh_cursor in = skip_head(file);
    struct written written;
    int64_t n = 0;
    bool good = true;
    assign(consumer, topics[topic], partition);
    while (good && next_of(&in, topic, partition, &written)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, MESSAGE_TIMEOUT_MS);
        good = message != NULL && equal(message, &written);
        n += good;
        if (message != NULL)
            rd_kafka_message_destroy(message);
    }
    CHECK(good && !in.bad);
    rd_kafka_message_t *last = rd_kafka_consumer_poll(consumer, MESSAGE_TIMEOUT_MS);
    CHECK(last != NULL && last->err == RD_KAFKA_RESP_ERR__PARTITION_EOF);
    if (last != NULL)
        rd_kafka_message_destroy(last);
    return n;
}

CASE(kafka_gets_the_records_of_the_file)
{
    REQUIRE(getenv("MESH_SIM") != NULL);
    char text[256];
    rd_kafka_t *host = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof text);
    REQUIRE(host != NULL);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(host, 1);
    const char *brokers = rd_kafka_mock_cluster_bootstraps(cluster);
    for (int i = 0; i < TOPICS; i++)
        rd_kafka_mock_topic_create(cluster, topics[i], i == RATES ? 1 : PARTITIONS, 1);

    char path[] = "/tmp/mesh_sim_kafka_XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    close(fd);
    CHECK_EQ_I64(run_sim("--brokers", brokers, NULL, NULL), 0);
    CHECK_EQ_I64(run_sim("--out", path, "--partitions", "3"), 0);
    struct mesh_buf file = MESH_BUF_NULL;
    struct mesh_err err = {0};
    CHECK_EQ_I64(mesh_fs_read(path, BYTES_MAX, &file, &err), 0);
    unlink(path);

    rd_kafka_t *consumer = new_consumer(brokers);
    REQUIRE(consumer != NULL);
    int64_t n = 0;
    for (uint8_t topic = 0; topic < TOPICS; topic++) {
        for (int32_t partition = 0; partition < (topic == RATES ? 1 : PARTITIONS); partition++)
            n += compare(consumer, &file, topic, partition);
    }
    CHECK(n > 20000);
    printf("# %lld records\n", (long long)n);
    mesh_buf_deinit(&file);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
}
