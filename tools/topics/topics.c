/* mesh-topics: makes the topics of a topic file exist, and says for each whether it was created,
 * was there, or could not be had. Running it twice changes nothing.
 *
 * A topic that exists with another number of partitions is refused, and then nothing at all is
 * created: keys would go to other partitions than the state that was built from them, and Kafka
 * cannot take partitions away. A clean-up policy or a retention that differs is only reported,
 * because an operator may have changed it on purpose. */
#include "io/kafka_security.h"
#include "topics/topic_file.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EXIT_OK = 0, EXIT_FINDINGS = 1, EXIT_USAGE = 2, EXIT_INTERNAL = 3 };

#define TIMEOUT_MS_DEFAULT 15000
#define METADATA_TRIES_MAX 1000
#define CONTROLLER_WAIT_MS 2000
#define DESCRIBE_WAIT_MS   5000
#define ASK_MS             500 /* between two looks at whether the broker refuses us */
#define ERROR_TEXT_MAX     512

enum topic_state { MISSING, EXISTS, CREATED, REFUSED, FAILED };

struct options {
    const char *brokers;
    const char *file;
    int replication;
    int timeout_ms;
    bool quiet;
};

struct run {
    struct options options;
    struct mesh_topic_file file;
    enum topic_state *states; /* one for each topic of the file */
    rd_kafka_t *client;
    struct mesh_kafka_security security;
    char refused[MESH_KAFKA_REFUSAL_MAX]; /* why; "": not */
};

static const char usage_text[] =
    "usage: mesh-topics --brokers HOST:PORT[,...] --file FILE [options]\n"
    "\n"
    "Creates the topics of FILE that do not exist yet. Lines of FILE:\n"
    "  <topic> <partitions> <delete|compact> [retention_ms]     # comment\n"
    "\n"
    "  --replication N   copies of each partition (default: the broker's own)\n"
    "  --timeout-ms N    how long to wait for the broker (default: 15000)\n"
    "  --set KEY=VALUE   a setting of the Kafka client, e.g. socket.timeout.ms=5000\n"
    "  --quiet           print only what is wrong\n"
    "\n"
    "TLS and SASL come from the environment, as for the services: MESH_KAFKA_SECURITY, MESH_KAFKA_CA_FILE,\n"
    "MESH_KAFKA_CERT_FILE, MESH_KAFKA_KEY_FILE, MESH_KAFKA_KEY_PASSWORD_FILE, MESH_KAFKA_SASL_MECHANISM,\n"
    "MESH_KAFKA_USER, MESH_KAFKA_PASSWORD_FILE.\n"
    "\n"
    "Exit: 0 all are there, 1 one is not or differs in partitions, 2 usage, 3 internal.\n";

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What librdkafka would log reaches the user as our own error texts instead. */
static void drop_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    (void)client;
    (void)level;
    (void)facility;
    (void)text;
}

static void on_error(rd_kafka_t *client, int code, const char *reason, void *opaque)
{
    struct run *run = opaque;
    (void)client;
    (void)mesh_kafka_refusal(&run->security, code, reason, run->refused);
}

static void describe_topic(const struct mesh_topic_decl *topic, char *text, size_t size)
{
    int n = snprintf(text, size, "%d partition%s, %s", topic->partitions, topic->partitions == 1 ? "" : "s",
                     topic->compact ? "compact" : "delete");
    if (topic->retention_ms != MESH_TOPIC_RETENTION_BROKER && n > 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, ", retention %" PRId64 " ms", topic->retention_ms);
}

/* Metadata of all topics: asking for one by name would create it on brokers that do so. */
static const rd_kafka_metadata_t *fetch_metadata(struct run *run, int timeout_ms)
{
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_resp_err_t code;
    int64_t deadline_ms = now_ms() + timeout_ms;
    do {
        int64_t left_ms = deadline_ms - now_ms();
        code = rd_kafka_metadata(run->client, 1, NULL, &metadata, left_ms < 1 ? 1 : left_ms < ASK_MS ? (int)left_ms : ASK_MS);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return metadata;
        rd_kafka_poll(run->client, 0);
    } while (run->refused[0] == '\0' && now_ms() < deadline_ms);
    if (run->refused[0] != '\0') {
        fprintf(stderr, "mesh-topics: %s: %s\n", run->options.brokers, run->refused);
        return NULL;
    }
    fprintf(stderr,
            "mesh-topics: no answer from %s within %d ms: %s; is the broker up, and the address "
            "right?\n",
            run->options.brokers, timeout_ms, rd_kafka_err2str(code));
    return NULL;
}

static const rd_kafka_metadata_topic_t *find_topic(const rd_kafka_metadata_t *metadata, const char *name)
{
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, name) == 0 && metadata->topics[i].err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            return &metadata->topics[i];
    return NULL;
}

/* Sort the declared topics into MISSING, EXISTS and REFUSED. Returns the number refused. */
static int compare_with_broker(struct run *run, const rd_kafka_metadata_t *metadata)
{
    int refused = 0;
    for (size_t i = 0; i < run->file.n; i++) {
        const struct mesh_topic_decl *topic = &run->file.topics[i];
        const rd_kafka_metadata_topic_t *found = find_topic(metadata, topic->name);
        if (found == NULL) {
            run->states[i] = MISSING;
            continue;
        }
        run->states[i] = EXISTS;
        if (found->partition_cnt == topic->partitions)
            continue;
        run->states[i] = REFUSED;
        refused++;
        fprintf(stderr,
                "mesh-topics: %s:%d: topic %s exists with %d partitions, the file says %d; correct "
                "the file, or move the data to a topic of another name\n",
                run->options.file, topic->line, topic->name, found->partition_cnt, topic->partitions);
    }
    return refused;
}

/* Topics are created by the controller. The embedded broker names one that is not there, and the
 * request would wait for it until it times out. */
static bool has_controller(const struct run *run, const rd_kafka_metadata_t *metadata)
{
    int32_t id = rd_kafka_controllerid(run->client, CONTROLLER_WAIT_MS);
    for (int i = 0; i < metadata->broker_cnt; i++)
        if (metadata->brokers[i].id == id)
            return true;
    return false;
}

static rd_kafka_NewTopic_t *new_topic(const struct run *run, const struct mesh_topic_decl *topic)
{
    char text[ERROR_TEXT_MAX], retention[32];
    rd_kafka_NewTopic_t *request =
        rd_kafka_NewTopic_new(topic->name, topic->partitions, run->options.replication, text, sizeof text);
    if (request == NULL) {
        fprintf(stderr, "mesh-topics: topic %s: %s\n", topic->name, text);
        exit(EXIT_INTERNAL);
    }
    rd_kafka_NewTopic_set_config(request, "cleanup.policy", topic->compact ? "compact" : "delete");
    if (topic->retention_ms != MESH_TOPIC_RETENTION_BROKER) {
        snprintf(retention, sizeof retention, "%" PRId64, topic->retention_ms);
        rd_kafka_NewTopic_set_config(request, "retention.ms", retention);
    }
    return request;
}

static struct mesh_topic_decl *declared(struct run *run, const char *name)
{
    for (size_t i = 0; i < run->file.n; i++)
        if (strcmp(run->file.topics[i].name, name) == 0)
            return &run->file.topics[i];
    return NULL;
}

static void mark(struct run *run, const struct mesh_topic_decl *topic, enum topic_state state)
{
    run->states[topic - run->file.topics] = state;
}

/* The broker's answer, topic by topic. Another process may have created one meanwhile: that is
 * CREATED too, and its partitions are looked at again by await_topics. */
static void read_create_results(struct run *run, rd_kafka_event_t *event)
{
    size_t n = 0;
    const rd_kafka_topic_result_t **results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    for (size_t i = 0; i < n; i++) {
        const struct mesh_topic_decl *topic = declared(run, rd_kafka_topic_result_name(results[i]));
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        if (topic == NULL)
            continue;
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            mark(run, topic, CREATED);
            continue;
        }
        const char *why = rd_kafka_topic_result_error_string(results[i]);
        mark(run, topic, FAILED);
        fprintf(stderr, "mesh-topics: %s:%d: topic %s was not created: %s\n", run->options.file, topic->line, topic->name,
                why != NULL ? why : rd_kafka_err2str(code));
    }
}

static int create_missing(struct run *run, int timeout_ms)
{
    char text[ERROR_TEXT_MAX];
    size_t n = 0;
    rd_kafka_NewTopic_t **requests = calloc(run->file.n, sizeof *requests);
    if (requests == NULL)
        abort();
    for (size_t i = 0; i < run->file.n; i++)
        if (run->states[i] == MISSING)
            requests[n++] = new_topic(run, &run->file.topics[i]);

    rd_kafka_queue_t *queue = rd_kafka_queue_new(run->client);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(run->client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text, sizeof text);
    rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, text, sizeof text);
    rd_kafka_CreateTopics(run->client, requests, n, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    int failed = event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (failed)
        fprintf(stderr, "mesh-topics: %zu topics were not created at %s: %s\n", n, run->options.brokers,
                event != NULL ? rd_kafka_event_error_string(event) : "no answer in time");
    else
        read_create_results(run, event);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy_array(requests, n);
    free(requests);
    return failed ? -1 : 0;
}

static bool has_leaders(const rd_kafka_metadata_topic_t *topic)
{
    for (int i = 0; i < topic->partition_cnt; i++)
        if (topic->partitions[i].leader < 0)
            return false;
    return topic->partition_cnt > 0;
}

/* Created means usable: wait until each created topic has all its partitions, with leaders. */
static int await_topics(struct run *run, int64_t deadline_ms)
{
    for (int tries = 0; tries < METADATA_TRIES_MAX; tries++) {
        const rd_kafka_metadata_t *metadata = fetch_metadata(run, run->options.timeout_ms);
        const char *waiting_for = NULL;
        if (metadata == NULL)
            return -1;
        for (size_t i = 0; i < run->file.n && waiting_for == NULL; i++) {
            const rd_kafka_metadata_topic_t *found;
            if (run->states[i] != CREATED)
                continue;
            found = find_topic(metadata, run->file.topics[i].name);
            if (found == NULL || !has_leaders(found))
                waiting_for = run->file.topics[i].name;
        }
        int refused = waiting_for == NULL ? 0 : -1;
        for (size_t i = 0; i < run->file.n && refused == 0; i++) {
            const struct mesh_topic_decl *topic = &run->file.topics[i];
            if (run->states[i] == CREATED && find_topic(metadata, topic->name)->partition_cnt != topic->partitions) {
                mark(run, topic, FAILED);
                fprintf(stderr,
                        "mesh-topics: %s:%d: topic %s was created by someone else with another "
                        "number of partitions\n",
                        run->options.file, topic->line, topic->name);
            }
        }
        rd_kafka_metadata_destroy(metadata);
        if (refused == 0)
            return 0;
        if (now_ms() >= deadline_ms) {
            fprintf(stderr, "mesh-topics: topic %s was created but has no leader after %d ms\n", waiting_for,
                    run->options.timeout_ms);
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return -1;
}

/* Report a setting of an existing topic that is not what the file says. */
static void compare_setting(const struct run *run, const struct mesh_topic_decl *topic, const char *name, const char *value)
{
    char wanted[32];
    if (value == NULL)
        return;
    if (strcmp(name, "cleanup.policy") == 0)
        snprintf(wanted, sizeof wanted, "%s", topic->compact ? "compact" : "delete");
    else if (strcmp(name, "retention.ms") == 0 && topic->retention_ms != MESH_TOPIC_RETENTION_BROKER)
        snprintf(wanted, sizeof wanted, "%" PRId64, topic->retention_ms);
    else
        return;
    if (strcmp(value, wanted) != 0)
        fprintf(stderr, "mesh-topics: %s:%d: note: topic %s has %s=%s, the file says %s; not changed\n", run->options.file,
                topic->line, topic->name, name, value, wanted);
}

/* Best effort: a broker that does not describe its settings is no error. */
static void compare_settings(struct run *run)
{
    char text[ERROR_TEXT_MAX];
    size_t n = 0;
    rd_kafka_ConfigResource_t **asked = calloc(run->file.n, sizeof *asked);
    if (asked == NULL)
        abort();
    for (size_t i = 0; i < run->file.n; i++)
        if (run->states[i] == EXISTS)
            asked[n++] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, run->file.topics[i].name);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(run->client);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(run->client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(options, DESCRIBE_WAIT_MS, text, sizeof text);
    rd_kafka_DescribeConfigs(run->client, asked, n, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, DESCRIBE_WAIT_MS + 1000);
    if (event != NULL && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        size_t answers = 0;
        const rd_kafka_ConfigResource_t **resources =
            rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &answers);
        for (size_t i = 0; i < answers; i++) {
            size_t entries = 0;
            const rd_kafka_ConfigEntry_t **configs = rd_kafka_ConfigResource_configs(resources[i], &entries);
            const struct mesh_topic_decl *topic = declared(run, rd_kafka_ConfigResource_name(resources[i]));
            for (size_t j = 0; topic != NULL && j < entries; j++)
                compare_setting(run, topic, rd_kafka_ConfigEntry_name(configs[j]), rd_kafka_ConfigEntry_value(configs[j]));
        }
    }
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy_array(asked, n);
    free(asked);
}

static size_t count(const struct run *run, enum topic_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < run->file.n; i++)
        n += run->states[i] == state;
    return n;
}

static int report(const struct run *run)
{
    static const char *const words[] = {"missing", "exists", "created", "refused", "failed"};
    size_t good = count(run, CREATED) + count(run, EXISTS);
    if (!run->options.quiet) {
        for (size_t i = 0; i < run->file.n; i++) {
            char text[96];
            describe_topic(&run->file.topics[i], text, sizeof text);
            printf("%-8s %s (%s)\n", words[run->states[i]], run->file.topics[i].name, text);
        }
        printf("mesh-topics: %zu created, %zu existed, %zu not there\n", count(run, CREATED), count(run, EXISTS),
               run->file.n - good);
    }
    return good == run->file.n ? EXIT_OK : EXIT_FINDINGS;
}

static int make_topics(struct run *run)
{
    int64_t deadline_ms = now_ms() + run->options.timeout_ms;
    const rd_kafka_metadata_t *metadata = fetch_metadata(run, run->options.timeout_ms);
    if (metadata == NULL)
        return EXIT_FINDINGS;
    int refused = compare_with_broker(run, metadata);
    bool can_create = has_controller(run, metadata);
    rd_kafka_metadata_destroy(metadata);
    if (can_create && count(run, EXISTS) > 0)
        compare_settings(run);
    if (refused > 0) {
        fprintf(stderr, "mesh-topics: nothing was created\n");
        return EXIT_FINDINGS;
    }
    if (count(run, MISSING) > 0) {
        if (!can_create) {
            fprintf(stderr,
                    "mesh-topics: %zu topics are missing and %s cannot create topics; the embedded "
                    "broker makes them when it starts: mesh-broker --topics %s\n",
                    count(run, MISSING), run->options.brokers, run->options.file);
            return report(run);
        }
        if (create_missing(run, run->options.timeout_ms) != 0)
            return report(run);
        if (count(run, CREATED) > 0 && await_topics(run, deadline_ms) != 0)
            return EXIT_FINDINGS;
    }
    return report(run);
}

static int parse_positive(const char *text, int *ret)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 1 || value > 3600000)
        return -1;
    *ret = (int)value;
    return 0;
}

static void set_client(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[ERROR_TEXT_MAX];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK)
        return;
    fprintf(stderr, "mesh-topics: --set %s: %s\n", name, text);
    exit(EXIT_USAGE);
}

/* Arguments show in process lists. */
static bool is_secret(const char *name)
{
    static const char *const secrets[] = {"sasl.password",         "ssl.key.password",        "ssl.key.pem",
                                          "ssl.keystore.password", "sasl.oauthbearer.config", "sasl.oauthbearer.client.secret"};
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (strcmp(name, secrets[i]) == 0)
            return true;
    return false;
}

static int wrong_use(const char *what)
{
    fprintf(stderr, "mesh-topics: %s\n%s", what, usage_text);
    return EXIT_USAGE;
}

/* 0 go on, else the exit code plus one. */
static int parse_options(int argc, char **argv, struct options *options, rd_kafka_conf_t *conf)
{
    static const struct option long_options[] = {
        {"brokers", required_argument, NULL, 'b'},
        {"file", required_argument, NULL, 'f'},
        {"replication", required_argument, NULL, 'r'},
        {"timeout-ms", required_argument, NULL, 't'},
        {"set", required_argument, NULL, 's'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        char *equals;
        switch (c) {
        case 'b':
            options->brokers = optarg;
            break;
        case 'f':
            options->file = optarg;
            break;
        case 'q':
            options->quiet = true;
            break;
        case 'r':
            if (parse_positive(optarg, &options->replication) != 0)
                return 1 + wrong_use("--replication needs a number above 0");
            break;
        case 't':
            if (parse_positive(optarg, &options->timeout_ms) != 0)
                return 1 + wrong_use("--timeout-ms needs a number from 1 to 3600000");
            break;
        case 's':
            equals = strchr(optarg, '=');
            if (equals == NULL)
                return 1 + wrong_use("--set needs KEY=VALUE");
            *equals = '\0';
            if (is_secret(optarg))
                return 1 + wrong_use("--set takes no secrets, arguments show in process lists; set MESH_KAFKA_PASSWORD_FILE or "
                                     "MESH_KAFKA_KEY_PASSWORD_FILE");
            set_client(conf, optarg, equals + 1);
            break;
        case 'h':
            fputs(usage_text, stdout);
            return 1 + EXIT_OK;
        default:
            return 1 + wrong_use("unknown option");
        }
    }
    if (options->brokers == NULL || options->file == NULL || optind != argc)
        return 1 + wrong_use("--brokers and --file are needed, and nothing else");
    return 0;
}

int main(int argc, char **argv)
{
    struct run run = {.options = {.replication = -1, .timeout_ms = TIMEOUT_MS_DEFAULT}};
    struct mesh_err err = {0};
    char text[ERROR_TEXT_MAX];

    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, drop_log);
    int rc = parse_options(argc, argv, &run.options, conf);
    if (rc != 0) {
        rd_kafka_conf_destroy(conf);
        return rc - 1;
    }
    set_client(conf, "bootstrap.servers", run.options.brokers);
    set_client(conf, "client.id", "mesh-topics");
    rd_kafka_conf_set_opaque(conf, &run);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (mesh_topic_file_read(run.options.file, &run.file, &err) != 0 ||
        mesh_kafka_security_from_environment(&run.security, run.options.brokers, &err) != 0 ||
        mesh_kafka_security_set(conf, &run.security, &err) != 0) {
        fprintf(stderr, "mesh-topics: %s\n", err.text);
        rd_kafka_conf_destroy(conf);
        mesh_kafka_security_deinit(&run.security);
        mesh_topic_file_deinit(&run.file);
        return EXIT_USAGE;
    }
    run.states = calloc(run.file.n + 1, sizeof *run.states);
    if (run.states == NULL)
        abort();
    run.client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (run.client == NULL) {
        fprintf(stderr, "mesh-topics: cannot make a Kafka client: %s\n", text);
        rc = EXIT_INTERNAL;
        rd_kafka_conf_destroy(conf);
    } else {
        rc = make_topics(&run);
        rd_kafka_destroy(run.client);
    }
    free(run.states);
    mesh_kafka_security_deinit(&run.security);
    mesh_topic_file_deinit(&run.file);
    return rc;
}
