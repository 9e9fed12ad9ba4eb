/* Makes a broker forget the last run: deletes every topic that is not named, and waits until they are gone.
 *
 *     wipe --brokers B KEEP...
 *
 * Topics whose names begin with two underscores are Kafka's own and stay. A service that begins anew would otherwise read what its
 * predecessor had sent through the internal topics, skip it, and pay for that.
 */
#include "bench.h"

#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define ASK_MS     10000
#define TOPICS_MAX 256
#define TRIES_MAX  200

static bool is_kept(const char *topic, char **keep)
{
    if (strncmp(topic, "__", 2) == 0)
        return true;
    for (; *keep != NULL; keep++)
        if (strcmp(topic, *keep) == 0)
            return true;
    return false;
}

/* Lists what is to go; returns how many. */
static size_t list(rd_kafka_t *rk, char **keep, rd_kafka_DeleteTopic_t **ret)
{
    const struct rd_kafka_metadata *metadata;
    size_t n = 0;
    rd_kafka_resp_err_t err = rd_kafka_metadata(rk, 1, NULL, &metadata, ASK_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        bench_die("wipe: %s", rd_kafka_err2str(err));
    for (int i = 0; i < metadata->topic_cnt && n < TOPICS_MAX; i++)
        if (!is_kept(metadata->topics[i].topic, keep))
            ret[n++] = rd_kafka_DeleteTopic_new(metadata->topics[i].topic);
    rd_kafka_metadata_destroy(metadata);
    return n;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"brokers", 1, NULL, 'b'}, {NULL, 0, NULL, 0}};
    const char *brokers = NULL;
    for (int o = getopt_long(argc, argv, "", longs, NULL); o != -1; o = getopt_long(argc, argv, "", longs, NULL))
        brokers = o == 'b' ? optarg : NULL;
    if (brokers == NULL) {
        fprintf(stderr, "usage: wipe --brokers B KEEP...\n");
        return 2;
    }
    char reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, reason, sizeof reason) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "log_level", "2", reason, sizeof reason) != RD_KAFKA_CONF_OK)
        bench_die("wipe: %s", reason);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (rk == NULL)
        bench_die("wipe: %s", reason);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        rd_kafka_DeleteTopic_t *topics[TOPICS_MAX];
        size_t n = list(rk, argv + optind, topics);
        if (n == 0)
            break;
        rd_kafka_DeleteTopics(rk, topics, n, NULL, queue);
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ASK_MS);
        if (event != NULL)
            rd_kafka_event_destroy(event);
        rd_kafka_DeleteTopic_destroy_array(topics, n);
        usleep(100000);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
    return 0;
}
