/* Settings of a service: one table gives environment names, options, defaults, --help and
 * --print-config.
 *
 *     MESH_KAFKA_BROKERS=...  or  --kafka-brokers ...  or  --kafka-brokers=...
 *
 * The option wins over the environment. A value that is not understood stops the start; all such
 * values are reported at once. Secrets have no option (arguments show in process lists) and are
 * masked by --print-config; better, a setting names the file that holds them (base/secret.h).
 */
#ifndef MESH_APP_CONFIG_H
#define MESH_APP_CONFIG_H

#include "app/letters.h"
#include "base/arena.h"
#include "base/log.h"
#include "contract/registry.h"
#include "http/tls.h"
#include "io/kafka_security.h"
#include "mesh/product.h"
#include "store/cipher.h"

#include <stdio.h>

#define MESH_LETTER_KEY_FILE_NAME "MESH_LETTER_KEY_FILE"
#define MESH_STATE_KEY_FILE_NAME  "MESH_STATE_KEY_FILE"

struct mesh_config {
    const char *kafka_brokers;
    bool kafka_embedded;
    int64_t kafka_session_timeout_ms;
    int64_t kafka_fetch_wait_ms;
    int64_t kafka_fetch_mb;
    int64_t kafka_linger_ms;
    struct mesh_kafka_security kafka_security; /* loaded */
    struct mesh_registry_conf registry;        /* loaded; url "": none */
    bool registry_registers;
    const char *registry_subjects; /* topic, record, topic_record */
    const char *mongo_uri;         /* "": none; also when it came from the file */
    const char *mongo_uri_file;    /* "": none */
    const char *mongo_database;
    const char *variant; /* "": none */
    const char *http_listen;
    bool http_insecure;
    const char *http_cert_file, *http_key_file; /* "": plain HTTP */
    const char *http_client_ca_file;            /* "": clients show no certificates */
    bool http_client_cert_required;
    const char *http_keys_file, *http_jwks_file, *http_issuer, *http_audience;
    struct mesh_http_tls http_tls;          /* of the two files */
    int64_t http_client_rate;               /* 0: no limit */
    const char *audit_dir, *audit_key_file; /* "": no audit */
    const char *state;                      /* "file" or "kafka" */
    bool state_kafka;
    const char *instance; /* static member of the groups; "": none */
    bool standby;         /* follows the shards that others have */
    const char *http_url; /* where other instances find this one */
    const char *state_dir;
    int64_t state_mb;
    uint64_t state_bytes;      /* what it means for each product; 0: no limit */
    const char *accept_errors; /* inputs that go on although too many of their records became dead letters; "": none */
    bool state_reset;
    bool state_fsync;
    int64_t commit_interval_ms;
    enum mesh_log_level log_level;
    const char *state_key_file;        /* "": state is readable */
    struct mesh_store_keys state_keys; /* the keys in it */
    struct mesh_str *pseudonym_keys;   /* per product; empty: none */
    const char *letter_key_file;       /* "": none */
    struct mesh_letters letters;       /* the key in it; the struct must stay where it is */

    struct mesh_arena arena;
};

/* Whether this word is in a list with commas. */
bool mesh_config_lists(const char *list, const char *word);

enum mesh_config_action {
    MESH_CONFIG_RUN,
    MESH_CONFIG_DONE,   /* --help, --version, --print-config: printed; exit 0 */
    MESH_CONFIG_HEALTH, /* --health */
    MESH_CONFIG_WRONG,  /* printed to `problems`; exit 2 */
};

/* `environment`: how to look a variable up (getenv). */
enum mesh_config_action mesh_config_load(const struct mesh_service *service, int argc, char *const *argv,
                                         const char *(*environment)(const char *name), FILE *out, FILE *problems,
                                         struct mesh_config *ret);
void mesh_config_deinit(struct mesh_config *config);

#endif
