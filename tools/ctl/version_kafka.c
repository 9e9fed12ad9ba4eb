/* Topics are read by partition and offset, without a consumer group: looking changes nothing. */
#include "ctl/version.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/kafka.h"

#include <stdio.h>
#include <string.h>

#define POLL_MS 100
#define BATCH   1024

int mesh_version_kafka_open(struct mesh_version_kafka *kafka, const struct mesh_version_options *options, struct mesh_err *err)
{
    *kafka = (struct mesh_version_kafka){.timeout_ms = options->timeout_ms};
    if (mesh_kafka_security_from_environment(&kafka->security, options->brokers, err) < 0)
        return -1;
    rd_kafka_conf_t *rc = rd_kafka_conf_new();
    struct mesh_kafka_conf common = {.brokers = options->brokers, .client = "meshctl"};
    if (mesh_kafka_set_common(rc, &common, err) < 0 || mesh_kafka_security_set(rc, &kafka->security, err) < 0) {
        rd_kafka_conf_destroy(rc);
        return -1;
    }
    mesh_kafka_set(rc, "enable.partition.eof", "true");
    mesh_kafka_set(rc, "auto.offset.reset", "earliest");
    mesh_kafka_set(rc, "allow.auto.create.topics", "false");
    char text[256];
    kafka->rk = rd_kafka_new(RD_KAFKA_CONSUMER, rc, text, sizeof text);
    if (kafka->rk != NULL)
        return 0;
    rd_kafka_conf_destroy(rc);
    return mesh_err_set(err, MESH_ERR_FATAL, "kafka.client", "cannot make a Kafka client: %s", text);
}

void mesh_version_kafka_close(struct mesh_version_kafka *kafka)
{
    if (kafka->rk != NULL)
        rd_kafka_destroy(kafka->rk);
    mesh_kafka_security_deinit(&kafka->security);
}

static int failed(const char *doing, const char *topic, rd_kafka_resp_err_t code, struct mesh_err *err)
{
    return mesh_err_set(err, MESH_ERR_RETRY, "version.kafka", "%s of %s: %s (--brokers, MESH_KAFKA_BROKERS)", doing, topic,
                        rd_kafka_err2str(code));
}

int mesh_version_kafka_ends(struct mesh_version_kafka *kafka, const char *topic, int32_t partition, int64_t *ret_low,
                            int64_t *ret_end, struct mesh_err *err)
{
    int64_t until_us = mesh_clock_mono_us() + kafka->timeout_ms * 1000;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    do {
        code = rd_kafka_query_watermark_offsets(kafka->rk, topic, partition, ret_low, ret_end, (int)kafka->timeout_ms);
        rd_kafka_poll(kafka->rk, code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : POLL_MS);
    } while (code != RD_KAFKA_RESP_ERR_NO_ERROR && mesh_clock_mono_us() < until_us);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : failed("cannot learn the end", topic, code, err);
}

int mesh_version_kafka_at_time(struct mesh_version_kafka *kafka, const char *topic, int32_t partition, int64_t time_us,
                               int64_t *ret, struct mesh_err *err)
{
    int64_t low = 0;
    if (mesh_version_kafka_ends(kafka, topic, partition, &low, ret, err) < 0)
        return -1;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = time_us / 1000;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(kafka->rk, list, (int)kafka->timeout_ms);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = list->elems[0].err;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && list->elems[0].offset >= 0)
        *ret = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : failed("cannot find the time in a partition", topic, code, err);
}

/* All topics are asked for: asking for one may make it. */
int32_t mesh_version_kafka_partitions(struct mesh_version_kafka *kafka, const char *topic)
{
    const struct rd_kafka_metadata *metadata = NULL;
    int32_t found = 0;
    if (rd_kafka_metadata(kafka->rk, 1, NULL, &metadata, (int)kafka->timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, topic) == 0 && metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
            found = metadata->topics[i].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return found;
}

static int read_partition(struct mesh_version_kafka *kafka, rd_kafka_topic_t *topic, int32_t partition, int64_t low, int64_t end,
                          void (*each)(void *context, const rd_kafka_message_t *message), void *context, struct mesh_err *err)
{
    const char *name = rd_kafka_topic_name(topic);
    if (rd_kafka_consume_start(topic, partition, low) != 0)
        return failed("cannot read a partition", name, rd_kafka_last_error(), err);
    int64_t heard_us = mesh_clock_mono_us();
    int64_t next = low;
    int result = 0;
    while (result == 0 && next < end) {
        rd_kafka_message_t *batch[BATCH];
        ssize_t n = rd_kafka_consume_batch(topic, partition, POLL_MS, batch, BATCH);
        rd_kafka_poll(kafka->rk, 0);
        for (ssize_t i = 0; i < n; i++) {
            if (batch[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR && batch[i]->offset < end)
                each(context, batch[i]);
            if (batch[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR)
                next = batch[i]->offset + 1;
            else if (batch[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
                next = end; /* what is left holds no records */
            rd_kafka_message_destroy(batch[i]);
        }
        if (n > 0)
            heard_us = mesh_clock_mono_us();
        else if (mesh_clock_mono_us() - heard_us > kafka->timeout_ms * 1000)
            result = failed("nothing more comes", name, RD_KAFKA_RESP_ERR__TIMED_OUT, err);
    }
    (void)rd_kafka_consume_stop(topic, partition);
    return result;
}

int mesh_version_kafka_read(struct mesh_version_kafka *kafka, const char *topic,
                            void (*each)(void *context, const rd_kafka_message_t *message), void *context, struct mesh_err *err)
{
    int32_t partitions = mesh_version_kafka_partitions(kafka, topic);
    rd_kafka_topic_conf_t *conf = rd_kafka_topic_conf_new();
    char text[256];
    (void)rd_kafka_topic_conf_set(conf, "auto.offset.reset", "earliest", text, sizeof text);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(kafka->rk, topic, conf);
    int result = 0;
    for (int32_t p = 0; result == 0 && p < partitions; p++) {
        int64_t low = 0, end = 0;
        result = mesh_version_kafka_ends(kafka, topic, p, &low, &end, err);
        if (result == 0 && low < end)
            result = read_partition(kafka, handle, p, low, end, each, context, err);
    }
    rd_kafka_topic_destroy(handle);
    return result;
}
