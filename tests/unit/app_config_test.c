/* Settings: where they come from, what is wrong with them, what is shown of them. */
#include "../check.h"

#include "../embedded/shop.h"
#include "app/config.h"
#include "app/known.h"
#include "app/mailbox.h"
#include "base/check.h"
#include "base/fs.h"

#include <stdlib.h>
#include <sys/stat.h>

static const char *const *given; /* "NAME=value", ended by NULL */

static const char *environment(const char *name)
{
    size_t n = strlen(name);
    for (const char *const *p = given; *p != NULL; p++)
        if (strncmp(*p, name, n) == 0 && (*p)[n] == '=')
            return *p + n + 1;
    return NULL;
}

#define KEY "MESH_PSEUDONYM_KEY=sixteen bytes or more"

/* Runs with options up to NULL; returns the action, what was printed in *ret_out. */
static int load(const char *const *env, char *const *options, struct mesh_config *config, char **ret_out, char **ret_problems)
{
    char *argv[16] = {(char *)(uintptr_t) "shop"};
    int argc = 1;
    while (options != NULL && options[argc - 1] != NULL) {
        argv[argc] = options[argc - 1];
        argc++;
    }
    given = env;
    size_t n = 0, m = 0;
    FILE *out = open_memstream(ret_out, &n), *problems = open_memstream(ret_problems, &m);
    int action = (int)mesh_config_load(&shop_service, argc, argv, environment, out, problems, config);
    fclose(out);
    fclose(problems);
    return action;
}

CASE(defaults_environment_and_options)
{
    struct mesh_config c;
    mesh_cleanup(mesh_freep) char *out = NULL;
    mesh_cleanup(mesh_freep) char *problems = NULL;
    static const char *const env[] = {KEY, "MESH_KAFKA_BROKERS=a:1", "MESH_LOG_LEVEL=debug", "MESH_STATE_DIR=", NULL};
    static char one[] = "--kafka-brokers", two[] = "b:2", three[] = "--kafka-linger-ms=9";
    char *const options[] = {one, two, three, NULL};
    CHECK_EQ_I64(load(env, options, &c, &out, &problems), MESH_CONFIG_RUN);
    CHECK_STR(c.kafka_brokers, "b:2");
    CHECK_EQ_I64(c.kafka_linger_ms, 9);
    CHECK_EQ_I64(c.http_client_rate, 0);
    CHECK_STR(c.http_listen, "127.0.0.1:8099");
    CHECK_STR(c.state_dir, "state/shop");
    CHECK(c.log_level == MESH_LOG_DEBUG && c.state_fsync && !c.state_reset);
    CHECK_EQ_I64(c.kafka_session_timeout_ms, 6000);
    CHECK_EQ_I64(c.pseudonym_keys[0].n, 21);
    mesh_config_deinit(&c);
}

CASE(all_problems_at_once)
{
    struct mesh_config c;
    mesh_cleanup(mesh_freep) char *out = NULL;
    mesh_cleanup(mesh_freep) char *problems = NULL;
    static const char *const env[] = {"MESH_LOG_LEVEL=loud", "MESH_KAFKA_FETCH_MB=0", "MESH_STATE_RESET=perhaps", "MESH_VARIANT=base", NULL};
    static char one[] = "--kafka-broker=x", two[] = "stray", three[] = "--mongo-uri=x";
    char *const options[] = {one, two, three, NULL};
    CHECK_EQ_I64(load(env, options, &c, &out, &problems), MESH_CONFIG_WRONG);
    CHECK_CONTAINS(problems, "MESH_LOG_LEVEL must be");
    CHECK_CONTAINS(problems, "MESH_KAFKA_FETCH_MB must be a number from 1 to 65536");
    CHECK_CONTAINS(problems, "MESH_STATE_RESET must be");
    CHECK_CONTAINS(problems, "MESH_VARIANT must be lower case letters");
    CHECK_CONTAINS(problems, "did you mean --kafka-brokers?");
    CHECK_CONTAINS(problems, "'stray' is not an option");
    CHECK_CONTAINS(problems, "secrets are not for the command line");
    CHECK_CONTAINS(problems, "shows pseudonyms");
    mesh_config_deinit(&c);
}

CASE(state_in_kafka)
{
    struct mesh_config c;
    static const char *const env[] = {KEY, "MESH_STATE=kafka", "MESH_HTTP_LISTEN=:8123", NULL};
    mesh_cleanup(mesh_freep) char *out = NULL;
    mesh_cleanup(mesh_freep) char *problems = NULL;
    CHECK_EQ_I64(load(env, NULL, &c, &out, &problems), MESH_CONFIG_RUN);
    CHECK(c.state_kafka && !c.standby);
    CHECK_STR(c.http_url, "http://127.0.0.1:8123");
    CHECK_STR(c.instance, "");
    mesh_config_deinit(&c);

    static const struct {
        const char *one, *two, *says;
    } wrong[] = {
        {"MESH_STATE=s3", "MESH_HTTP_URL=http://a:1", "MESH_STATE must be file or kafka, not 's3'"},
        {"MESH_STATE=kafka", "MESH_KAFKA_EMBEDDED=1", "needs a real Kafka"},
        {"MESH_STATE=kafka", "MESH_HTTP_URL=a:1", "MESH_HTTP_URL 'a:1'"},
        {"MESH_STATE=kafka", "MESH_HTTP_URL=http://a:1/", "MESH_HTTP_URL"},
        {"MESH_STATE=kafka", "MESH_HTTP_LISTEN=0.0.0.0:80", "http://0.0.0.0:80"},
        {"MESH_STATE=kafka", "MESH_HTTP_LISTEN=127.0.0.1:0", "127.0.0.1:0"},
    };
    for (size_t i = 0; i < MESH_LEN(wrong); i++) {
        const char *const bad[] = {KEY, wrong[i].one, wrong[i].two, NULL};
        mesh_cleanup(mesh_freep) char *shown = NULL;
        mesh_cleanup(mesh_freep) char *said = NULL;
        CHECK_EQ_I64(load(bad, NULL, &c, &shown, &said), MESH_CONFIG_WRONG);
        CHECK_CONTAINS(said, wrong[i].says);
        mesh_config_deinit(&c);
    }
}

CASE(tls_of_http_is_whole_or_not_there)
{
    struct mesh_config c;
    mesh_cleanup(mesh_freep) char *out = NULL;
    mesh_cleanup(mesh_freep) char *problems = NULL;
    static const char *const env[] = {KEY, "MESH_HTTP_CERT_FILE=/nowhere/cert.pem", NULL};
    CHECK_EQ_I64(load(env, NULL, &c, &out, &problems), MESH_CONFIG_WRONG);
    CHECK_CONTAINS(problems, "MESH_HTTP_CERT_FILE and MESH_HTTP_KEY_FILE belong together");
    mesh_config_deinit(&c);
}

CASE(secrets_are_masked)
{
    struct mesh_config c;
    mesh_cleanup(mesh_freep) char *out = NULL;
    mesh_cleanup(mesh_freep) char *problems = NULL;
    static const char *const env[] = {KEY, "MESH_MONGO_URI=mongodb://ann:secret@host/x", NULL};
    static char one[] = "--print-config";
    char *const options[] = {one, NULL};
    CHECK_EQ_I64(load(env, options, &c, &out, &problems), MESH_CONFIG_DONE);
    CHECK_CONTAINS(out, "MESH_MONGO_URI=mongodb://****@host/x");
    CHECK_CONTAINS(out, "MESH_PSEUDONYM_KEY=****");
    CHECK(strstr(out, "secret") == NULL && strstr(out, "sixteen") == NULL);
    mesh_config_deinit(&c);
}

/* ---- Kafka security ---- */
struct files {
    char dir[32];
    char ca[64], cert[64], key[64], password[64], open[64], empty[64], uri[64];
    char env[12][128]; /* "NAME=value" */
    const char *list[14];
    int n;
};

static void write_file(struct files *f, char path[64], const char *name, const char *text, mode_t mode)
{
    snprintf(path, 64, "%s/%s", f->dir, name);
    FILE *out = fopen(path, "w");
    REQUIRE(out != NULL);
    fputs(text, out);
    fclose(out);
    chmod(path, mode);
}

static void files_init(struct files *f)
{
    *f = (struct files){.dir = "/tmp/mesh-config-XXXXXX", .list = {KEY}, .n = 0};
    REQUIRE(mkdtemp(f->dir) != NULL);
    write_file(f, f->ca, "ca.pem", "a CA\n", 0644);
    write_file(f, f->cert, "cert.pem", "a certificate\n", 0644);
    write_file(f, f->key, "key.pem", "a private key\n", 0600);
    write_file(f, f->password, "password", "geheim\r\n", 0640);
    write_file(f, f->open, "open", "geheim\n", 0644);
    write_file(f, f->empty, "empty", "\n", 0600);
    write_file(f, f->uri, "uri", "mongodb://ann:geheim@host/?tlsCertificateKeyFilePassword=geheim&tls=true\n", 0600);
}

static void put(struct files *f, const char *name, const char *value)
{
    snprintf(f->env[f->n], sizeof f->env[0], "%s=%s", name, value);
    f->list[f->n + 1] = f->env[f->n];
    f->n++;
}

static void files_deinit(struct files *f)
{
    CHECK_EQ_I64(mesh_fs_remove_tree(f->dir, NULL), 0);
}

/* One load; the settings are forgotten. */
static int load_files(struct files *f, bool print, struct mesh_config *c, char **ret_out, char **ret_problems)
{
    static char option[] = "--print-config";
    char *const options[] = {print ? option : NULL, NULL};
    f->list[f->n + 1] = NULL;
    f->n = 0;
    return load(f->list, options, c, ret_out, ret_problems);
}

CASE(kafka_security_is_loaded_and_never_shown)
{
    mesh_cleanup(files_deinit) struct files f;
    struct mesh_config c;
    mesh_cleanup(mesh_freep) char *out = NULL;
    mesh_cleanup(mesh_freep) char *problems = NULL;
    files_init(&f);
    put(&f, "MESH_KAFKA_SECURITY", "sasl_tls");
    put(&f, "MESH_KAFKA_CA_FILE", f.ca);
    put(&f, "MESH_KAFKA_CERT_FILE", f.cert);
    put(&f, "MESH_KAFKA_KEY_FILE", f.key);
    put(&f, "MESH_KAFKA_KEY_PASSWORD_FILE", f.password);
    put(&f, "MESH_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512");
    put(&f, "MESH_KAFKA_USER", "ann");
    put(&f, "MESH_KAFKA_PASSWORD_FILE", f.password);
    CHECK_EQ_I64(load_files(&f, true, &c, &out, &problems), MESH_CONFIG_DONE);
    CHECK_STR(problems, "");
    CHECK(c.kafka_security.tls && c.kafka_security.sasl);
    CHECK_STR(c.kafka_security.password, "geheim");
    CHECK_STR(c.kafka_security.key_password, "geheim");
    CHECK_CONTAINS(out, "MESH_KAFKA_SECURITY=sasl_tls\n");
    CHECK_CONTAINS(out, "MESH_KAFKA_USER=ann\n");
    CHECK_CONTAINS(out, f.password);
    CHECK(strstr(out, "geheim") == NULL);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct mesh_err err = {0};
    CHECK_EQ_I64(mesh_kafka_security_set(conf, &c.kafka_security, &err), 0);
    char value[64];
    size_t n = sizeof value;
    CHECK(rd_kafka_conf_get(conf, "security.protocol", value, &n) == RD_KAFKA_CONF_OK && strcmp(value, "sasl_ssl") == 0);
    n = sizeof value;
    CHECK(rd_kafka_conf_get(conf, "sasl.password", value, &n) == RD_KAFKA_CONF_OK && strcmp(value, "geheim") == 0);
    n = sizeof value;
    CHECK(rd_kafka_conf_get(conf, "ssl.endpoint.identification.algorithm", value, &n) == RD_KAFKA_CONF_OK &&
          strcmp(value, "https") == 0);
    rd_kafka_conf_destroy(conf);
    mesh_config_deinit(&c);
}

/* Loads what was put; it must be refused with this text, and show no secret. */
static void refused(struct files *f, const char *text)
{
    struct mesh_config c;
    mesh_cleanup(mesh_freep) char *out = NULL;
    mesh_cleanup(mesh_freep) char *problems = NULL;
    CHECK_EQ_I64(load_files(f, false, &c, &out, &problems), MESH_CONFIG_WRONG);
    CHECK_CONTAINS(problems, text);
    CHECK(strstr(problems, "geheim") == NULL);
    mesh_config_deinit(&c);
}

static void put_scram(struct files *f, const char *mechanism, const char *user, const char *password)
{
    put(f, "MESH_KAFKA_SECURITY", "sasl_tls");
    put(f, "MESH_KAFKA_SASL_MECHANISM", mechanism);
    put(f, "MESH_KAFKA_USER", user);
    put(f, "MESH_KAFKA_PASSWORD_FILE", password);
}

CASE(contradictions_of_kafka_security)
{
    mesh_cleanup(files_deinit) struct files f;
    files_init(&f);
    put(&f, "MESH_KAFKA_SECURITY", "SASL_SSL");
    refused(&f, "MESH_KAFKA_SECURITY must be plaintext, tls, sasl_plaintext or sasl_tls, not 'SASL_SSL'; what Kafka calls SSL is");
    put(&f, "MESH_KAFKA_CA_FILE", f.ca);
    refused(&f, "MESH_KAFKA_CA_FILE is set, but MESH_KAFKA_SECURITY is plaintext");
    put(&f, "MESH_KAFKA_SECURITY", "tls");
    put(&f, "MESH_KAFKA_USER", "ann");
    refused(&f, "MESH_KAFKA_USER is set, but MESH_KAFKA_SECURITY is tls, which makes no use of it: set that to sasl_tls");
    put_scram(&f, "", "ann", f.password);
    refused(&f, "MESH_KAFKA_SASL_MECHANISM must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
    put_scram(&f, "GSSAPI", "ann", f.password);
    refused(&f, "not 'GSSAPI'");
    put_scram(&f, "PLAIN", "", f.password);
    refused(&f, "MESH_KAFKA_USER is not set");
    put_scram(&f, "PLAIN", "ann", "");
    refused(&f, "MESH_KAFKA_PASSWORD_FILE is not set");
    put_scram(&f, "PLAIN", "ann", f.open);
    refused(&f, "(mode 644), so it keeps no secret; chmod 600 it");
    put_scram(&f, "PLAIN", "ann", f.empty);
    refused(&f, "is empty; write the secret into it");
    put_scram(&f, "PLAIN", "ann", "/none/such");
    refused(&f, "MESH_KAFKA_PASSWORD_FILE: cannot read /none/such: No such file");
    put_scram(&f, "PLAIN", "ann", f.dir);
    refused(&f, "is a folder");
    put(&f, "MESH_KAFKA_SECURITY", "tls");
    put(&f, "MESH_KAFKA_CERT_FILE", f.cert);
    refused(&f, "MESH_KAFKA_CERT_FILE is set without MESH_KAFKA_KEY_FILE");
    put(&f, "MESH_KAFKA_SECURITY", "tls");
    put(&f, "MESH_KAFKA_CERT_FILE", f.cert);
    put(&f, "MESH_KAFKA_KEY_FILE", f.open);
    refused(&f, "MESH_KAFKA_KEY_FILE: every user of the machine may read");
    put(&f, "MESH_KAFKA_SECURITY", "tls");
    put(&f, "MESH_KAFKA_KEY_PASSWORD_FILE", f.password);
    refused(&f, "MESH_KAFKA_KEY_PASSWORD_FILE is set without MESH_KAFKA_KEY_FILE");
    put(&f, "MESH_KAFKA_SECURITY", "tls");
    put(&f, "MESH_KAFKA_CA_FILE", "/none/such");
    refused(&f, "MESH_KAFKA_CA_FILE: cannot read /none/such");
}

static void count(void *context, const char *text)
{
    CHECK_CONTAINS(text, "MESH_KAFKA_SECURITY=sasl_plaintext");
    ++*(int *)context;
}

CASE(sasl_without_tls)
{
    static const struct {
        const char *brokers, *mechanism;
        int problems, warnings;
    } all[] = {
        {"127.0.0.1:9092, localhost:9093,[::1]:1", "PLAIN", 0, 0},
        {"127.0.0.1:9092,kafka:9092", "SCRAM-SHA-256", 0, 1},
        {"127.0.0.1:9092,kafka:9092", "PLAIN", 1, 1},
        {"localhost.example.com:9092", "PLAIN", 1, 1},
    };
    mesh_cleanup(files_deinit) struct files f;
    files_init(&f);
    for (size_t i = 0; i < MESH_LEN(all); i++) {
        struct mesh_kafka_security s = {
            .protocol = "sasl_plaintext", .mechanism = all[i].mechanism, .user = "ann", .password_file = f.password};
        int problems = 0, warnings = 0;
        CHECK_EQ_I64(mesh_kafka_security_load(&s, all[i].brokers, count, &problems), all[i].problems);
        mesh_kafka_security_warn(&s, all[i].brokers, count, &warnings);
        CHECK_EQ_I64(problems, all[i].problems);
        CHECK_EQ_I64(warnings, all[i].warnings);
        mesh_kafka_security_deinit(&s);
    }
}

CASE(key_of_dead_letters)
{
    static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
    mesh_cleanup(files_deinit) struct files f;
    struct mesh_config c;
    mesh_cleanup(mesh_freep) char *out = NULL;
    mesh_cleanup(mesh_freep) char *problems = NULL;
    char path[64];
    files_init(&f);
    write_file(&f, path, "letters", hex, 0600);
    put(&f, "MESH_LETTER_KEY_FILE", path);
    CHECK_EQ_I64(load_files(&f, true, &c, &out, &problems), MESH_CONFIG_DONE);
    REQUIRE(mesh_letters_hook(&c.letters) != NULL);
    CHECK_STR(mesh_letters_hook(&c.letters)->key_id, "630dcd2966c43366");
    CHECK_CONTAINS(out, "MESH_LETTER_KEY_FILE=/tmp/");
    CHECK(strstr(out, "0a0b") == NULL);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf warning = MESH_BUF_NULL;
    struct mesh_input inputs[] = {{.name = "sales"}, {.name = "people", .personal = true}, {.name = "calls", .personal = true}};
    struct mesh_product product = {
        .name = "shop", .inputs = inputs, .n_inputs = 3, .dlq_topic = "mesh.shop.dlq", .late_topic = "mesh.shop.late"};
    CHECK(!mesh_letters_warning(&c.letters, &product, "KEY", &warning));
    mesh_config_deinit(&c);
    CHECK(mesh_letters_hook(&c.letters) == NULL);
    REQUIRE(mesh_letters_warning(&c.letters, &product, "KEY", &warning));
    CHECK_STR(warning.p,
              "people, calls of shop: personal records that cannot be processed go readable to mesh.shop.dlq and mesh.shop.late; "
              "KEY seals them");
    product.n_inputs = 1;
    CHECK(!mesh_letters_warning(&c.letters, &product, "KEY", &warning));
    put(&f, "MESH_LETTER_KEY_FILE", f.password);
    refused(&f, "a key is 64 hex digits, in one line; openssl rand -hex 32 makes one");
}

CASE(mongo_uri_from_a_file)
{
    mesh_cleanup(files_deinit) struct files f;
    struct mesh_config c;
    mesh_cleanup(mesh_freep) char *out = NULL;
    mesh_cleanup(mesh_freep) char *problems = NULL;
    files_init(&f);
    put(&f, "MESH_MONGO_URI_FILE", f.uri);
    CHECK_EQ_I64(load_files(&f, true, &c, &out, &problems), MESH_CONFIG_DONE);
    CHECK_STR(c.mongo_uri, "mongodb://ann:geheim@host/?tlsCertificateKeyFilePassword=geheim&tls=true");
    CHECK_CONTAINS(out, "MESH_MONGO_URI=mongodb://****@host/?tlsCertificateKeyFilePassword=****&tls=true\n");
    CHECK(strstr(out, "geheim") == NULL);
    mesh_config_deinit(&c);
    put(&f, "MESH_MONGO_URI_FILE", f.uri);
    put(&f, "MESH_MONGO_URI", "mongodb://host/");
    refused(&f, "MESH_MONGO_URI and MESH_MONGO_URI_FILE are both set");
    put(&f, "MESH_MONGO_URI_FILE", f.open);
    refused(&f, "MESH_MONGO_URI_FILE: every user");
}

CASE(what_was_known_is_read_back)
{
    char dir[] = "/tmp/mesh-known-XXXXXX";
    REQUIRE(mkdtemp(dir) != NULL);
    struct mesh_known known = {0}, back;
    struct mesh_err err;
    struct mesh_link_topic topics[] = {{.topic = "a.b", .found = 4}, {.topic = "c", .found = 1}};
    CHECK_EQ_I64(mesh_known_read(dir, &back), 1);
    mesh_known_set(&known, "cluster-1", topics, 2);
    CHECK_EQ_I64(mesh_known_write(dir, &known, &err), 0);
    REQUIRE(mesh_known_read(dir, &back) == 0);
    CHECK_STR(back.cluster_id, "cluster-1");
    CHECK_EQ_I64(mesh_known_partitions(&back, "a.b"), 4);
    CHECK_EQ_I64(mesh_known_partitions(&back, "none"), 0);
    mesh_known_deinit(&known);
    mesh_known_deinit(&back);
}

/* ---- mailbox ---- */
struct errand {
    struct mesh_errand errand;
    atomic_int *runs, *refusals;
};

static void errand_run(struct mesh_errand *e, void *owner)
{
    (void)owner;
    ++*((struct errand *)e)->runs;
    free(e);
}

static void errand_refuse(struct mesh_errand *e)
{
    ++*((struct errand *)e)->refusals;
    free(e);
}

static void post(struct mesh_mailbox *mailbox, atomic_int *runs, atomic_int *refusals)
{
    struct errand *e = mesh_xcalloc(1, sizeof *e);
    *e = (struct errand){{.run = errand_run, .refuse = errand_refuse}, runs, refusals};
    mesh_mailbox_post(mailbox, &e->errand);
}

struct owner {
    struct mesh_mailbox mailbox;
    struct mesh_wake wake;
    atomic_bool stop;
};

static void *serve(void *context)
{
    struct owner *owner = context;
    while (!atomic_load(&owner->stop)) {
        mesh_mailbox_run(&owner->mailbox, owner, 500);
        if (!mesh_mailbox_any(&owner->mailbox))
            mesh_wake_wait(&owner->wake, 1000000);
    }
    mesh_mailbox_close(&owner->mailbox);
    return NULL;
}

CASE(errands_are_run_in_order_until_the_budget_is_over)
{
    struct owner owner;
    atomic_int runs = 0, refusals = 0;
    mesh_wake_init(&owner.wake);
    mesh_mailbox_init(&owner.mailbox, &owner.wake);
    CHECK(!mesh_mailbox_any(&owner.mailbox));
    for (int i = 0; i < MESH_MAILBOX_MAX + 3; i++)
        post(&owner.mailbox, &runs, &refusals);
    CHECK(runs == 0 && refusals == 3);
    mesh_mailbox_run(&owner.mailbox, NULL, 0); /* no time: one all the same */
    CHECK_EQ_I64(runs, 1);
    CHECK(mesh_mailbox_any(&owner.mailbox));
    mesh_mailbox_run(&owner.mailbox, NULL, INT64_C(60000000));
    CHECK_EQ_I64(runs, MESH_MAILBOX_MAX);
    post(&owner.mailbox, &runs, &refusals);
    mesh_mailbox_close(&owner.mailbox);
    post(&owner.mailbox, &runs, &refusals);
    CHECK_EQ_I64(refusals, 5);
    mesh_mailbox_run(&owner.mailbox, NULL, 0);
    CHECK_EQ_I64(runs, MESH_MAILBOX_MAX);
    mesh_mailbox_deinit(&owner.mailbox);
    mesh_wake_deinit(&owner.wake);
}

struct poster {
    pthread_t thread;
    struct mesh_mailbox *mailbox;
    atomic_int runs, refusals;
};

static void *post_many(void *context)
{
    struct poster *poster = context;
    for (int i = 0; i < 2000; i++)
        post(poster->mailbox, &poster->runs, &poster->refusals);
    return NULL;
}

/* Every errand gets one of its two ends, also when the owner closes while others post. */
CASE(no_errand_is_lost_between_threads)
{
    struct owner owner = {.stop = false};
    struct poster posters[3];
    pthread_t thread;
    mesh_wake_init(&owner.wake);
    mesh_mailbox_init(&owner.mailbox, &owner.wake);
    pthread_create(&thread, NULL, serve, &owner);
    for (size_t i = 0; i < MESH_LEN(posters); i++) {
        posters[i] = (struct poster){.mailbox = &owner.mailbox};
        pthread_create(&posters[i].thread, NULL, post_many, &posters[i]);
    }
    pthread_join(posters[0].thread, NULL);
    atomic_store(&owner.stop, true);
    mesh_wake_ring(&owner.wake);
    for (size_t i = 1; i < MESH_LEN(posters); i++)
        pthread_join(posters[i].thread, NULL);
    pthread_join(thread, NULL);
    for (size_t i = 0; i < MESH_LEN(posters); i++)
        CHECK_EQ_I64(posters[i].runs + posters[i].refusals, 2000);
    mesh_mailbox_deinit(&owner.mailbox);
    mesh_wake_deinit(&owner.wake);
}
