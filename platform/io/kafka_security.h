/* How a client proves itself to Kafka, and the broker to the client: TLS, client certificates, SASL.
 *
 * Every program of the project that talks to Kafka has the same settings (docs/OPERATIONS.md, "Kafka security"): a service reads
 * them through its table of settings, a tool from the environment. Secrets are files that the settings name (base/secret.h). All of
 * it is read once, at the start: a new password needs a restart, one that is mended at the broker does not.
 *
 *     struct mesh_kafka_security s = {.protocol = "sasl_tls", .mechanism = "SCRAM-SHA-512", ...};    "" or NULL: not set
 *     mesh_kafka_security_load(&s, brokers, say, context)     every contradiction is said, not only the first
 *     mesh_kafka_security_set(conf, &s, err)                  into a client's configuration
 *
 * The texts are borrowed for the life of the struct. Nothing here is written after load(), so threads may share it.
 */
#ifndef MESH_IO_KAFKA_SECURITY_H
#define MESH_IO_KAFKA_SECURITY_H

#include "mesh/err.h"

#include <librdkafka/rdkafka.h>

#include <stdbool.h>
#include <stddef.h>

#define MESH_KAFKA_SECURITY_NAME          "MESH_KAFKA_SECURITY"
#define MESH_KAFKA_CA_FILE_NAME           "MESH_KAFKA_CA_FILE"
#define MESH_KAFKA_CERT_FILE_NAME         "MESH_KAFKA_CERT_FILE"
#define MESH_KAFKA_KEY_FILE_NAME          "MESH_KAFKA_KEY_FILE"
#define MESH_KAFKA_KEY_PASSWORD_FILE_NAME "MESH_KAFKA_KEY_PASSWORD_FILE"
#define MESH_KAFKA_SASL_MECHANISM_NAME    "MESH_KAFKA_SASL_MECHANISM"
#define MESH_KAFKA_USER_NAME              "MESH_KAFKA_USER"
#define MESH_KAFKA_PASSWORD_FILE_NAME     "MESH_KAFKA_PASSWORD_FILE"

#define MESH_KAFKA_REFUSAL_MAX 640 /* bytes of the sentence for the operator */

struct mesh_kafka_security {
    const char *protocol; /* plaintext (also when not set), tls, sasl_plaintext, sasl_tls */
    const char *ca_file;  /* PEM; not set: the CAs of the system */
    const char *cert_file, *key_file, *key_password_file;
    const char *mechanism; /* PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 */
    const char *user, *password_file;

    bool tls, sasl; /* these by load() */
    char *key_password, *password;
};

typedef void mesh_kafka_security_say(void *context, const char *text);

/* Checks, and reads the secrets. Says every problem; returns how many there were. */
int mesh_kafka_security_load(struct mesh_kafka_security *security, const char *brokers, mesh_kafka_security_say *say,
                             void *context);
/* The same from the environment, for tools. Negative: FATAL "config.kafka_security" with the first problem. */
int mesh_kafka_security_from_environment(struct mesh_kafka_security *ret, const char *brokers, struct mesh_err *err);
/* What is allowed and not well: records that travel readable, a certificate that has expired. Each once. */
void mesh_kafka_security_warn(const struct mesh_kafka_security *security, const char *brokers, mesh_kafka_security_say *say,
                              void *context);
/* NULL: plaintext. FATAL "config.kafka_security" when this librdkafka cannot do what is asked. Files are read by rd_kafka_new(). */
int mesh_kafka_security_set(rd_kafka_conf_t *conf, const struct mesh_kafka_security *security, struct mesh_err *err);
void mesh_kafka_security_deinit(struct mesh_kafka_security *security);

/* What an error callback of librdkafka was told, as a sentence that says what to look at. False: it is no matter of security (a
 * broker that is away, say), and `ret` is not written. */
bool mesh_kafka_refusal(const struct mesh_kafka_security *security, int code, const char *reason, char ret[MESH_KAFKA_REFUSAL_MAX]);
/* The same for "all brokers are down" of a client that never had an answer, with what it heard before ("": nothing, connections
 * were closed). A listener of another protocol does that; a broker that is away refuses connections or lets them time out. */
bool mesh_kafka_other_listener(const struct mesh_kafka_security *security, const char *why, char ret[MESH_KAFKA_REFUSAL_MAX]);

#endif
