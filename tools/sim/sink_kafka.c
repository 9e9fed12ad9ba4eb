/* librdkafka's own log lines about lost connections come by the dozen; they are shown at debug level, and this file says once that
 * the broker is away and once that it is back. The partition is chosen here, by murmur2 like Kafka's Java clients, because
 * librdkafka's own default (CRC32) would send a key elsewhere than the mesh looks for it. */
#include "sim/sink.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/kafka_security.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>

#define ASK_TIMEOUT_MS 1000
#define POLL_EVERY     1024 /* records, a power of two */
#define FULL_WAIT_MS   50

struct kafka_sink {
    struct sim_sink sink; /* first */
    rd_kafka_t *producer;
    rd_kafka_topic_t *topics[SIM_TOPIC_COUNT];
    const volatile sig_atomic_t *stop;
    const char *brokers;
    struct mesh_kafka_security security;
    bool away, refused;
    uint64_t n_sent, n_lost;
    int64_t give_up_us; /* 0: stop was not seen yet */
    rd_kafka_resp_err_t first_loss;
};

static void set_away(struct kafka_sink *kafka, bool away)
{
    kafka->refused = kafka->refused && away;
    if (away != kafka->away) {
        kafka->away = away;
        mesh_log(away ? MESH_LOG_WARN : MESH_LOG_INFO, away ? "broker is away; waiting" : "broker answers", "brokers",
                 kafka->brokers, NULL);
    }
}

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    struct kafka_sink *kafka = opaque;
    (void)producer;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        set_away(kafka, false);
        return;
    }
    kafka->n_lost++;
    if (kafka->first_loss == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka->first_loss = message->err;
    }
}

static void on_error(rd_kafka_t *producer, int code, const char *reason, void *opaque)
{
    struct kafka_sink *kafka = opaque;
    char why[MESH_KAFKA_REFUSAL_MAX];
    (void)producer;
    if (mesh_kafka_refusal(&kafka->security, code, reason, why)) {
        if (!kafka->refused) {
            mesh_log(MESH_LOG_ERROR, "broker and simulator do not accept each other; waiting", "brokers", kafka->brokers, "why",
                     why, NULL);
        }
        kafka->refused = kafka->away = true;
    } else if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        set_away(kafka, true);
    } else {
        mesh_log(MESH_LOG_DEBUG, "kafka", "reason", reason, NULL);
    }
}

static void on_log(const rd_kafka_t *producer, int level, const char *facility, const char *text)
{
    (void)producer;
    (void)level;
    mesh_log(MESH_LOG_DEBUG, "kafka", "facility", facility, "text", text, NULL);
}

/* False when stop was set SIM_FLUSH_MAX_S ago. */
static bool may_wait(struct kafka_sink *kafka)
{
    if (!*kafka->stop) {
        return true;
    }
    int64_t now_us = mesh_clock_mono_us();
    if (kafka->give_up_us == 0) {
        kafka->give_up_us = now_us + SIM_FLUSH_MAX_S * INT64_C(1000000);
    }
    return now_us < kafka->give_up_us;
}

static int check_loss(const struct kafka_sink *kafka, struct mesh_err *err)
{
    if (kafka->first_loss == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return 0;
    }
    return mesh_err_set(err, MESH_ERR_FATAL, "sim.delivery", "%s: %llu records were refused: %s%s", kafka->brokers,
                        (unsigned long long)kafka->n_lost, rd_kafka_err2str(kafka->first_loss),
                        kafka->first_loss == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP
                            ? "; event time has run ahead of the broker's clock: give an earlier --start"
                            : "");
}

static int kafka_idle(struct sim_sink *sink, struct mesh_err *err)
{
    struct kafka_sink *kafka = (struct kafka_sink *)sink;
    rd_kafka_poll(kafka->producer, 0);
    return check_loss(kafka, err);
}

/* The array form, because the macros of the variadic one are statement expressions. */
static rd_kafka_resp_err_t produce(struct kafka_sink *kafka, const struct sim_record *record)
{
    const rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = kafka->topics[record->topic]},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = record->partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)record->key, record->key_n}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)record->value, record->value_n}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = record->timestamp_ms},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(kafka->producer, arguments, MESH_LEN(arguments));
    rd_kafka_resp_err_t code = error == NULL ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error);
    if (error != NULL) {
        rd_kafka_error_destroy(error);
    }
    return code;
}

static int kafka_send(struct sim_sink *sink, const struct sim_record *record, struct mesh_err *err)
{
    struct kafka_sink *kafka = (struct kafka_sink *)sink;
    if ((++kafka->n_sent & (POLL_EVERY - 1)) == 0 && kafka_idle(sink, err) != 0) {
        return -1;
    }
    for (;;) {
        rd_kafka_resp_err_t code = produce(kafka, record);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            return 0;
        }
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            return mesh_err_set(err, MESH_ERR_FATAL, "sim.delivery", "%s: %s: %s", kafka->brokers, sim_topics[record->topic].name,
                                rd_kafka_err2str(code));
        }
        rd_kafka_poll(kafka->producer, FULL_WAIT_MS);
        if (check_loss(kafka, err) != 0) {
            return -1;
        }
        if (!may_wait(kafka)) {
            kafka->n_lost++;
            return 0;
        }
    }
}

static int kafka_flush(struct sim_sink *sink, uint64_t *ret_lost, struct mesh_err *err)
{
    struct kafka_sink *kafka = (struct kafka_sink *)sink;
    while (rd_kafka_flush(kafka->producer, 200) == RD_KAFKA_RESP_ERR__TIMED_OUT && may_wait(kafka)) {
    }
    *ret_lost = kafka->n_lost + (uint64_t)rd_kafka_outq_len(kafka->producer);
    return check_loss(kafka, err);
}

static void kafka_free(struct sim_sink *sink)
{
    struct kafka_sink *kafka = (struct kafka_sink *)sink;
    for (size_t i = 0; i < SIM_TOPIC_COUNT; i++) {
        if (kafka->topics[i] != NULL) {
            rd_kafka_topic_destroy(kafka->topics[i]);
        }
    }
    if (kafka->producer != NULL) {
        rd_kafka_purge(kafka->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
        rd_kafka_destroy(kafka->producer);
    }
    mesh_kafka_security_deinit(&kafka->security);
    mesh_freep(&kafka);
}

static int open_producer(struct kafka_sink *kafka, struct mesh_err *err)
{
    static const char *const settings[][2] = {
        {"client.id", "mesh-sim"},
        {"enable.idempotence", "true"},
        {"linger.ms", "10"},
        {"message.timeout.ms", "0"},
        {"compression.codec", "lz4"},
        {"queue.buffering.max.messages", "500000"},
        {"queue.buffering.max.kbytes", "262144"},
        {"reconnect.backoff.ms", "50"},
        {"reconnect.backoff.max.ms", "1000"},
        {"topic.metadata.refresh.interval.ms", "30000"},
    };
    char text[512];
    if (mesh_kafka_security_from_environment(&kafka->security, kafka->brokers, err) < 0) {
        return -1;
    }
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (mesh_kafka_security_set(conf, &kafka->security, err) < 0) {
        rd_kafka_conf_destroy(conf);
        return -1;
    }
    rd_kafka_conf_res_t set = rd_kafka_conf_set(conf, "bootstrap.servers", kafka->brokers, text, sizeof text);
    for (size_t i = 0; i < MESH_LEN(settings) && set == RD_KAFKA_CONF_OK; i++) {
        set = rd_kafka_conf_set(conf, settings[i][0], settings[i][1], text, sizeof text);
    }
    rd_kafka_conf_set_opaque(conf, kafka);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    kafka->producer = set == RD_KAFKA_CONF_OK ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text) : NULL;
    if (kafka->producer == NULL) {
        rd_kafka_conf_destroy(conf);
        return mesh_err_set(err, MESH_ERR_FATAL, "sim.brokers", "--brokers %s: %s", kafka->brokers, text);
    }
    return 0;
}

/* 0: known; 1: ask again; -1. */
static int ask_partitions(struct kafka_sink *kafka, enum sim_topic topic, int32_t *ret, bool *ret_answered, struct mesh_err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(kafka->producer, 0, kafka->topics[topic], &metadata, ASK_TIMEOUT_MS);
    *ret_answered = code == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!*ret_answered) {
        return 1;
    }
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    int n = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || n > SIM_PARTITIONS_MAX) {
        return mesh_err_set(err, MESH_ERR_FATAL, "sim.topic", "%s: %s", sim_topics[topic].name,
                            n > SIM_PARTITIONS_MAX ? "has more than 1024 partitions" : rd_kafka_err2str(code));
    }
    *ret = n;
    return code == RD_KAFKA_RESP_ERR_NO_ERROR && n > 0 ? 0 : 1;
}

static int wait_topic(struct kafka_sink *kafka, enum sim_topic topic, int32_t *ret, struct mesh_err *err)
{
    int64_t since_us = mesh_clock_mono_us();
    while (!*kafka->stop) {
        bool answered = false;
        int state = ask_partitions(kafka, topic, ret, &answered, err);
        set_away(kafka, !answered);
        if (state <= 0) {
            return state;
        }
        if (!answered) {
            since_us = mesh_clock_mono_us();
        } else if (mesh_clock_mono_us() - since_us > SIM_TOPIC_WAIT_MAX_S * INT64_C(1000000)) {
            return mesh_err_set(err, MESH_ERR_FATAL, "sim.topic", "%s: the broker has no such topic; create it first",
                                sim_topics[topic].name);
        }
        rd_kafka_poll(kafka->producer, 100);
    }
    return 1;
}

struct sim_sink *sim_sink_kafka_new(const char *brokers, unsigned domains, const volatile sig_atomic_t *stop,
                                    int32_t ret_partitions[SIM_TOPIC_COUNT], struct mesh_err *err)
{
    struct kafka_sink *kafka = mesh_xcalloc(1, sizeof *kafka);
    *kafka = (struct kafka_sink){
        .sink = {.send = kafka_send, .idle = kafka_idle, .flush = kafka_flush, .free = kafka_free},
        .brokers = brokers,
        .stop = stop,
    };
    int failed = open_producer(kafka, err);
    for (enum sim_topic topic = 0; topic < SIM_TOPIC_COUNT && failed == 0; topic++) {
        ret_partitions[topic] = 1;
        if ((sim_topics[topic].domain & domains) == 0) {
            continue;
        }
        kafka->topics[topic] = rd_kafka_topic_new(kafka->producer, sim_topics[topic].name, NULL);
        if (kafka->topics[topic] == NULL) {
            failed = mesh_err_set(err, MESH_ERR_FATAL, "sim.topic", "%s: %s", sim_topics[topic].name,
                                  rd_kafka_err2str(rd_kafka_last_error()));
        } else {
            failed = wait_topic(kafka, topic, &ret_partitions[topic], err);
        }
    }
    if (failed != 0) {
        kafka_free(&kafka->sink);
        return NULL;
    }
    return &kafka->sink;
}
