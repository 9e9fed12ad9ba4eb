/* librdkafka writes its own lines to standard error, in its own form and several for one event. They
 * are silenced here: what matters comes through error callbacks and results. MESH_LOG_LEVEL=debug
 * does not bring them back; librdkafka's `debug` contexts are for its developers. */
#include "io/kafka.h"

#include "base/check.h"

#include <stdio.h>

void mesh_kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    mesh_assert(rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK);
}

void mesh_kafka_set_long(rd_kafka_conf_t *conf, const char *name, long value)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", value);
    mesh_kafka_set(conf, name, text);
}

void mesh_kafka_set_maybe(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    (void)rd_kafka_conf_set(conf, name, value, text, sizeof text);
}

static void silent(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    (void)level;
    (void)facility;
    (void)text;
}

int mesh_kafka_set_common(rd_kafka_conf_t *conf, const struct mesh_kafka_conf *from, struct mesh_err *err)
{
    char text[256];
    if (from->brokers[0] == '\0')
        return mesh_err_set(err, MESH_ERR_FATAL, "config.brokers",
                            "no brokers: set MESH_KAFKA_BROKERS to host:port, or several with "
                            "commas between");
    if (rd_kafka_conf_set(conf, "bootstrap.servers", from->brokers, text, sizeof text) != RD_KAFKA_CONF_OK)
        return mesh_err_set(err, MESH_ERR_FATAL, "config.brokers", "MESH_KAFKA_BROKERS '%s': %s", from->brokers, text);
    if (mesh_kafka_security_set(conf, from->security, err) < 0)
        return -1;
    mesh_kafka_set(conf, "client.id", from->client);
    mesh_kafka_set(conf, "reconnect.backoff.ms", "50");
    mesh_kafka_set(conf, "reconnect.backoff.max.ms", "500");
    mesh_kafka_set(conf, "socket.keepalive.enable", "true");
    mesh_kafka_set(conf, "socket.nagle.disable", "true");
    /* The first look at a topic that has just been made must not wait for five minutes. */
    mesh_kafka_set(conf, "topic.metadata.refresh.interval.ms", "30000");
    rd_kafka_conf_set_log_cb(conf, silent);
    return 0;
}

bool mesh_kafka_tell_refused(const struct mesh_kafka_conf *conf, enum mesh_kafka_client client, int code, const char *reason)
{
    char why[MESH_KAFKA_REFUSAL_MAX];
    if (!mesh_kafka_refusal(conf->security, code, reason, why))
        return false;
    if (conf->refused != NULL)
        conf->refused(conf->refused_context, client, why);
    return true;
}
