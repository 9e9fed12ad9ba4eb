/* Finding, proving and raising the limits; retention.h says by which rules. */
#include "broker/retention.h"

#include "broker/watch.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A prime that nothing else in librdkafka counts to. */
#define SCRATCH_PARTITIONS 61
#define SCRATCH_TOPIC      "proof"
/* Seven records of 900 kB are more than the limit and each is less than a message may be. */
#define PROOF_RECORDS      7
#define PROOF_RECORD_BYTES 900000
#define PROOF_TIMEOUT_MS   10000
/* The scratch topic is raised to this, not to infinity, to prove that the value itself counts. */
#define PROOF_LIMIT_BYTES ((size_t)64 * 1024 * 1024)
#define PROOF_LIMIT_SETS  ((size_t)1000000)

enum { RAISED = 0, CONTROL = 1 }; /* partitions of the scratch topic */

#define unproven(err, ...) mesh_err_set((err), MESH_ERR_REJECT, "broker.retention", __VA_ARGS__)

/* Are both limits at `at`, still the mock's own? */
static bool holds_limits(const char *at)
{
    size_t words[2];
    memcpy(words, at, sizeof words);
    return words[0] == MESH_BROKER_BYTES_DEFAULT && words[1] == MESH_BROKER_SETS_DEFAULT;
}

/* Is this offset the place of the limits in all elements of the block? */
static bool in_all_elements(const struct mesh_broker_block *block, size_t n, size_t offset)
{
    for (size_t i = 0; i < n; i++)
        if (!holds_limits((const char *)block->start + i * block->element_bytes + offset))
            return false;
    return true;
}

/* The one place in the elements that holds the limits: its offset, or SIZE_MAX if none or two. */
static size_t find_limits(const struct mesh_broker_block *block, size_t n)
{
    size_t found = SIZE_MAX;
    if (block->element_bytes % sizeof(size_t) != 0)
        return SIZE_MAX;
    for (size_t at = 0; at + 2 * sizeof(size_t) <= block->element_bytes; at += sizeof(size_t)) {
        if (!in_all_elements(block, n, at))
            continue;
        if (found != SIZE_MAX)
            return SIZE_MAX;
        found = at;
    }
    return found;
}

/* Write the limits of one partition, if the old ones are still there. The mock's thread reads them
 * when a record comes in, hence the atomic stores. */
static bool raise_partition(const struct mesh_broker_block *block, size_t partition, size_t offset, size_t bytes_max,
                            size_t sets_max)
{
    char *at = (char *)block->start + partition * block->element_bytes + offset;
    if (!holds_limits(at))
        return false;
    size_t *limits = (size_t *)(void *)at;
    __atomic_store_n(&limits[0], bytes_max, __ATOMIC_RELAXED);
    __atomic_store_n(&limits[1], sets_max, __ATOMIC_RELAXED);
    return true;
}

static int create_topic(rd_kafka_mock_cluster_t *cluster, const char *topic, int partitions, struct mesh_err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(cluster, topic, partitions, 1);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    return mesh_err_set(err, MESH_ERR_FATAL, "broker.topic", "topic %s was not created: %s", topic, rd_kafka_err2str(code));
}

/* Create the scratch topic and learn from it. */
static int learn(struct mesh_broker_retention *ret, struct mesh_broker_block *partitions, struct mesh_err *err)
{
    struct mesh_broker_block blocks[MESH_BROKER_WATCH_MAX];
    int matches = 0;

    mesh_broker_watch_start(SCRATCH_PARTITIONS, 0);
    int rc = create_topic(ret->scratch, SCRATCH_TOPIC, SCRATCH_PARTITIONS, err);
    size_t n = mesh_broker_watch_stop(blocks);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < n && n <= MESH_BROKER_WATCH_MAX; i++) {
        size_t at = find_limits(&blocks[i], SCRATCH_PARTITIONS);
        if (at == SIZE_MAX)
            continue;
        matches++;
        *partitions = blocks[i];
        ret->element_bytes = blocks[i].element_bytes;
        ret->limits_at = at;
    }
    if (matches == 1)
        return 0;
    return unproven(err,
                    "librdkafka %s keeps its limits where they cannot be told (%zu blocks, %d "
                    "of them fit)",
                    rd_kafka_version_str(), n, matches);
}

/* The same records into the raised partition and into the one beside it. */
static int produce_proof(rd_kafka_t *producer, struct mesh_err *err)
{
    static char record[PROOF_RECORD_BYTES];
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, SCRATCH_TOPIC, NULL);
    if (topic == NULL)
        return unproven(err, "the trial topic cannot be written");
    for (int i = 0; i < 2 * PROOF_RECORDS; i++) {
        int32_t partition = i < PROOF_RECORDS ? RAISED : CONTROL;
        if (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, record, sizeof record, NULL, 0, NULL) != 0) {
            rd_kafka_topic_destroy(topic);
            return unproven(err, "the trial records were not taken: %s", rd_kafka_err2str(rd_kafka_last_error()));
        }
    }
    rd_kafka_topic_destroy(topic);
    rd_kafka_resp_err_t code = rd_kafka_flush(producer, PROOF_TIMEOUT_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    return unproven(err, "the trial records were not written: %s", rd_kafka_err2str(code));
}

/* How many trial records come back from offset 0 on, in order and whole. */
static int read_back(rd_kafka_t *consumer)
{
    int64_t expected = 0;
    time_t deadline = time(NULL) + PROOF_TIMEOUT_MS / 1000;
    rd_kafka_topic_partition_list_t *from_zero = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(from_zero, SCRATCH_TOPIC, RAISED)->offset = 0;
    rd_kafka_assign(consumer, from_zero);
    rd_kafka_topic_partition_list_destroy(from_zero);
    while (expected < PROOF_RECORDS && time(NULL) < deadline) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (message == NULL)
            continue;
        bool good = message->err == RD_KAFKA_RESP_ERR_NO_ERROR && message->offset == expected && message->len == PROOF_RECORD_BYTES;
        rd_kafka_message_destroy(message);
        if (!good)
            break;
        expected++;
    }
    return (int)expected;
}

static int check_proof(rd_kafka_t *consumer, struct mesh_err *err)
{
    int64_t low = -1, high = -1;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(consumer, SCRATCH_TOPIC, CONTROL, &low, &high, PROOF_TIMEOUT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return unproven(err, "the trial cluster does not tell its offsets: %s", rd_kafka_err2str(code));
    if (low <= 0 || high != PROOF_RECORDS)
        return unproven(err,
                        "librdkafka %s does not trim where it is known to (offsets %lld to "
                        "%lld), so a trial proves nothing",
                        rd_kafka_version_str(), (long long)low, (long long)high);
    int n = read_back(consumer);
    if (n != PROOF_RECORDS)
        return unproven(err, "with raised limits only %d of %d trial records came back", n, PROOF_RECORDS);
    return 0;
}

/* A client of the scratch cluster that logs nothing: what goes wrong is in our own error. */
static rd_kafka_t *scratch_client(rd_kafka_type_t type, const char *brokers, struct mesh_err *err)
{
    static const char *const settings[][2] = {
        {"log_level", "0"},          {"linger.ms", "0"},
        {"group.id", SCRATCH_TOPIC}, {"enable.auto.commit", "false"},
        {"fetch.wait.max.ms", "10"}, {"auto.offset.reset", "error"},
    };
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        rd_kafka_conf_set(conf, settings[i][0], settings[i][1], text, sizeof text);
    if (brokers != NULL)
        rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text);
    rd_kafka_t *client = rd_kafka_new(type, conf, text, sizeof text);
    if (client == NULL) {
        rd_kafka_conf_destroy(conf);
        unproven(err, "no client for the trial: %s", text);
    }
    return client;
}

static int prove_on(struct mesh_broker_retention *ret, struct mesh_err *err)
{
    struct mesh_broker_block partitions = {0};
    const char *address = rd_kafka_mock_cluster_bootstraps(ret->scratch);
    if (learn(ret, &partitions, err) != 0)
        return -1;
    if (!raise_partition(&partitions, RAISED, ret->limits_at, PROOF_LIMIT_BYTES, PROOF_LIMIT_SETS))
        return unproven(err, "the limits of the trial topic changed by themselves");
    rd_kafka_brokers_add(ret->client, address);
    if (produce_proof(ret->client, err) != 0)
        return -1;
    rd_kafka_t *consumer = scratch_client(RD_KAFKA_CONSUMER, address, err);
    if (consumer == NULL)
        return -1;
    int rc = check_proof(consumer, err);
    rd_kafka_destroy_flags(consumer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return rc;
}

int mesh_broker_retention_prove(struct mesh_broker_retention *ret, struct mesh_err *err)
{
    *ret = (struct mesh_broker_retention){0};
    if (!mesh_broker_watch_works())
        return unproven(err, "this is a build with a sanitizer, which does not let calloc() be "
                             "watched");
    ret->client = scratch_client(RD_KAFKA_PRODUCER, NULL, err);
    if (ret->client == NULL)
        return -1;
    ret->scratch = rd_kafka_mock_cluster_new(ret->client, 1);
    if (ret->scratch == NULL)
        return unproven(err, "no mock cluster for the trial");
    if (prove_on(ret, err) == 0)
        return 0;
    ret->element_bytes = 0;
    return -1;
}

void mesh_broker_retention_deinit(struct mesh_broker_retention *retention)
{
    if (retention->scratch != NULL)
        rd_kafka_mock_cluster_destroy(retention->scratch);
    if (retention->client != NULL)
        rd_kafka_destroy(retention->client);
    *retention = (struct mesh_broker_retention){0};
}

int mesh_broker_retention_create(const struct mesh_broker_retention *retention, rd_kafka_mock_cluster_t *cluster, const char *topic,
                                 int partitions, size_t bytes_max, size_t sets_max, struct mesh_err *err)
{
    struct mesh_broker_block blocks[MESH_BROKER_WATCH_MAX];
    const struct mesh_broker_block *match = NULL;
    size_t n = 0, n_partitions = (size_t)partitions;
    int matches = 0;

    if (retention->element_bytes != 0)
        mesh_broker_watch_start(n_partitions, retention->element_bytes);
    int rc = create_topic(cluster, topic, partitions, err);
    if (retention->element_bytes != 0)
        n = mesh_broker_watch_stop(blocks);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < n && n <= MESH_BROKER_WATCH_MAX; i++) {
        if (!in_all_elements(&blocks[i], n_partitions, retention->limits_at))
            continue;
        match = &blocks[i];
        matches++;
    }
    if (matches != 1)
        return unproven(err,
                        "the partitions of topic %s were not found (%zu blocks, %d of them "
                        "fit)",
                        topic, n, matches);
    for (size_t i = 0; i < n_partitions; i++)
        if (!raise_partition(match, i, retention->limits_at, bytes_max, sets_max))
            return unproven(err, "partition %zu of topic %s changed by itself", i, topic);
    return 0;
}
