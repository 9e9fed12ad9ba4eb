/* Test tool: records of a topic as they are, in and out.
 *
 *     mesh-records put BROKERS TOPIC PARTITION KEY HEX TIME_MS [NAME=VALUE ...]    one record with headers; TIME_MS 0: now
 *     mesh-records dump BROKERS TOPIC PARTITIONS    a line of JSON each, to the end that the topic has now; key, value, headers in
 * hex
 *     mesh-records grow BROKERS TOPIC PARTITIONS    the topic gets more partitions: so many
 *     mesh-records delete BROKERS TOPIC             the topic is deleted
 */
#include "base/buf.h"
#include "base/check.h"

#include <librdkafka/rdkafka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 15000

static void die(const char *what, const char *detail)
{
    fprintf(stderr, "mesh-records: %s: %s\n", what, detail);
    exit(1);
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    (void)opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("not delivered", rd_kafka_err2str(message->err));
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *brokers)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text) != RD_KAFKA_CONF_OK)
        die("brokers", text);
    if (type == RD_KAFKA_PRODUCER)
        rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (rk == NULL)
        die("client", text);
    return rk;
}

static void put(char **argv, int n_headers)
{
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, argv[0]);
    struct mesh_buf value = MESH_BUF_NULL;
    for (const char *p = argv[4]; p[0] != 0 && p[1] != 0; p += 2) {
        char two[3] = {p[0], p[1], 0};
        mesh_buf_u8(&value, (uint8_t)strtoul(two, NULL, 16));
    }
    rd_kafka_headers_t *headers = rd_kafka_headers_new((size_t)n_headers);
    for (int i = 0; i < n_headers; i++) {
        const char *pair = argv[6 + i];
        const char *equals = strchr(pair, '=');
        if (equals == NULL)
            die("no NAME=VALUE", pair);
        (void)rd_kafka_header_add(headers, pair, equals - pair, equals + 1, -1);
    }
    rd_kafka_vu_t vus[7] = {{.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = argv[1]},
                            {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = atoi(argv[2])},
                            {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {argv[3], strlen(argv[3])}},
                            {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value.p, value.n}},
                            {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = strtoll(argv[5], NULL, 10)},
                            {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
                            {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY}};
    rd_kafka_error_t *error = rd_kafka_produceva(rk, vus, MESH_LEN(vus));
    if (error != NULL)
        die("produce", rd_kafka_error_string(error));
    if (rd_kafka_flush(rk, WAIT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("produce", "the broker did not take it");
    rd_kafka_destroy(rk);
    mesh_buf_deinit(&value);
}

static void hex(const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        printf("%02x", ((const uint8_t *)p)[i]);
}

static void print(const rd_kafka_message_t *m)
{
    rd_kafka_timestamp_type_t type;
    printf("{\"partition\":%d,\"offset\":%lld,\"time\":%lld,\"key\":\"", (int)m->partition, (long long)m->offset,
           (long long)rd_kafka_message_timestamp(m, &type));
    hex(m->key, m->key_len);
    printf("\",\"value\":\"");
    hex(m->payload, m->len);
    printf("\",\"headers\":[");
    rd_kafka_headers_t *headers = NULL;
    const char *name;
    const void *value;
    size_t n;
    if (rd_kafka_message_headers(m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
        for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &n) == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
            printf("%s[\"%s\",\"", i == 0 ? "" : ",", name);
            hex(value, n);
            printf("\"]");
        }
    puts("]}");
}

static void dump(char **argv)
{
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, argv[0]);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, argv[1], NULL);
    for (int32_t p = 0; p < atoi(argv[2]); p++) {
        int64_t low = 0;
        int64_t high = 0;
        rd_kafka_resp_err_t rc = rd_kafka_query_watermark_offsets(rk, argv[1], p, &low, &high, WAIT_MS);
        if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
            die("end of the topic", rd_kafka_err2str(rc));
        if (low == high)
            continue;
        rd_kafka_consume_start(topic, p, low);
        for (bool end = false; !end;) {
            rd_kafka_message_t *m = rd_kafka_consume(topic, p, WAIT_MS);
            if (m == NULL)
                die("read", "no record came");
            end = m->offset >= high - 1;
            if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
                print(m);
            rd_kafka_message_destroy(m);
        }
        rd_kafka_consume_stop(topic, p);
    }
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
}

/* Waits for the answer to an admin request. */
static void settle(rd_kafka_t *rk, rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("the broker", event == NULL ? "did not answer" : rd_kafka_event_error_string(event));
    size_t n = 0;
    const rd_kafka_topic_result_t **results = NULL;
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DELETETOPICS_RESULT)
        results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);
    else
        results = rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &n);
    for (size_t i = 0; i < n; i++)
        if (rd_kafka_topic_result_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
            die(rd_kafka_topic_result_name(results[i]), rd_kafka_err2str(rd_kafka_topic_result_error(results[i])));
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
}

static void grow(char **argv)
{
    char text[256];
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, argv[0]);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_NewPartitions_t *more = rd_kafka_NewPartitions_new(argv[1], (size_t)atoi(argv[2]), text, sizeof text);
    if (more == NULL)
        die("partitions", text);
    rd_kafka_CreatePartitions(rk, &more, 1, NULL, queue);
    settle(rk, queue);
    rd_kafka_NewPartitions_destroy(more);
}

static void delete_topic(char **argv)
{
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, argv[0]);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(argv[1]);
    rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
    settle(rk, queue);
    rd_kafka_DeleteTopic_destroy(topic);
}

int main(int argc, char **argv)
{
    if (argc >= 8 && strcmp(argv[1], "put") == 0)
        put(argv + 2, argc - 8);
    else if (argc == 5 && strcmp(argv[1], "dump") == 0)
        dump(argv + 2);
    else if (argc == 5 && strcmp(argv[1], "grow") == 0)
        grow(argv + 2);
    else if (argc == 4 && strcmp(argv[1], "delete") == 0)
        delete_topic(argv + 2);
    else
        die("usage", "put BROKERS TOPIC PARTITION KEY HEX TIME_MS [NAME=VALUE ...] | dump BROKERS TOPIC PARTITIONS | "
                     "grow BROKERS TOPIC PARTITIONS | delete BROKERS TOPIC");
    return 0;
}
