/* mesh-broker: an embedded Kafka broker for first runs and for tests, from librdkafka's mock
 * cluster. It lives in memory and forgets everything at its end; README.md says what it does not
 * do. Topics come from a file, with the stated partitions, before the first client is served. */
#include "broker/listen.h"
#include "broker/prompt.h"
#include "broker/retention.h"
#include "topics/topic_file.h"

#include <errno.h>
#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_OK = 0, EXIT_USAGE = 2, EXIT_INTERNAL = 3 };

#define LISTEN_DEFAULT    "127.0.0.1:9092"
#define ANSWER_TIMEOUT_MS 15000
#define STREAM_MIB_MAX    65536

/* Newer versions of librdkafka can shorten the 3 s that a new group waits for its members; the
 * symbol is absent in Debian's 2.0.2. */
extern void rd_kafka_mock_group_initial_rebalance_delay_ms(rd_kafka_mock_cluster_t *cluster, int32_t delay_ms)
    __attribute__((weak));

struct options {
    const char *listen;
    const char *topics;
    const char *ready_file;
    size_t stream_bytes; /* 0: the mock's own limit */
};

static const char usage_text[] = "usage: mesh-broker [options]\n"
                                 "\n"
                                 "  --listen HOST:PORT  loopback address (default: " LISTEN_DEFAULT "; port 0: any)\n"
                                 "  --topics FILE       create these topics; lines: <topic> <partitions> <delete|compact>\n"
                                 "                      [retention_ms]. Records of compact topics are never trimmed\n"
                                 "  --stream-mib N      keep N MiB of each partition of the other topics (default: 5)\n"
                                 "  --ready-file PATH   write host:port there once clients are served\n"
                                 "\n"
                                 "Ends on SIGINT and SIGTERM. Exit: 0 ended as asked, 2 usage, topic file or address, 3 other.\n";

/* Only what the user can act on: librdkafka's levels 0 to 3. */
static void print_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    (void)client;
    if (level <= 3)
        fprintf(stderr, "mesh-broker: librdkafka: %s: %s\n", facility, text);
}

/* Without this librdkafka prints that the broker is down when it is we who end it. */
static void drop_error(rd_kafka_t *client, int code, const char *reason, void *opaque)
{
    (void)client;
    (void)code;
    (void)reason;
    (void)opaque;
}

static rd_kafka_t *new_client(struct mesh_err *err)
{
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, print_log);
    rd_kafka_conf_set_error_cb(conf, drop_error);
    rd_kafka_conf_set(conf, "log_level", "3", text, sizeof text);
    rd_kafka_conf_set(conf, "client.id", "mesh-broker", text, sizeof text);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (client == NULL) {
        rd_kafka_conf_destroy(conf);
        mesh_err_set(err, MESH_ERR_FATAL, "broker.client", "cannot make a client: %s", text);
    }
    return client;
}

static bool wants_limits(const struct options *options, const struct mesh_topic_file *file)
{
    if (options->stream_bytes != 0)
        return file->n > 0;
    for (size_t i = 0; i < file->n; i++)
        if (file->topics[i].compact)
            return true;
    return false;
}

static void warn_limits_kept(const struct mesh_err *err)
{
    fprintf(stderr,
            "mesh-broker: limits kept, partitions above 5 MiB are trimmed, also those of compact "
            "topics: %s\n",
            err->text);
}

static int create_topics(const struct options *options, const struct mesh_topic_file *file, struct mesh_broker_retention *retention,
                         rd_kafka_mock_cluster_t *cluster, struct mesh_err *err)
{
    if (wants_limits(options, file) && mesh_broker_retention_prove(retention, err) != 0)
        warn_limits_kept(err);
    for (size_t i = 0; i < file->n; i++) {
        const struct mesh_topic_decl *topic = &file->topics[i];
        size_t bytes = topic->compact ? SIZE_MAX : options->stream_bytes;
        rd_kafka_resp_err_t code;
        if (bytes != 0 && retention->element_bytes != 0) {
            if (mesh_broker_retention_create(retention, cluster, topic->name, topic->partitions, bytes, SIZE_MAX, err) == 0)
                continue;
            if (err->class == MESH_ERR_FATAL)
                return -1;
            warn_limits_kept(err);
            continue;
        }
        code = rd_kafka_mock_topic_create(cluster, topic->name, topic->partitions, 1);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return mesh_err_set(err, MESH_ERR_FATAL, "broker.topic", "%s:%d: topic %s: %s", options->topics, topic->line,
                                topic->name, rd_kafka_err2str(code));
    }
    return 0;
}

/* Ask it for its metadata, over the network like any client. */
static int await_answer(rd_kafka_t *client, const char *address, struct mesh_err *err)
{
    const rd_kafka_metadata_t *metadata;
    rd_kafka_brokers_add(client, address);
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 1, NULL, &metadata, ANSWER_TIMEOUT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return mesh_err_set(err, MESH_ERR_FATAL, "broker.answer", "%s does not answer itself: %s", address, rd_kafka_err2str(code));
    rd_kafka_metadata_destroy(metadata);
    return 0;
}

/* Whoever waits for the file must never see half of it, hence the rename. */
static int write_ready_file(const char *path, const char *address, struct mesh_err *err)
{
    char draft[4096];
    int n = snprintf(draft, sizeof draft, "%s.%ld", path, (long)getpid());
    FILE *out = n > 0 && (size_t)n < sizeof draft ? fopen(draft, "we") : NULL;
    bool written = out != NULL && fprintf(out, "%s\n", address) > 0;
    if (out != NULL && fclose(out) != 0)
        written = false;
    if (written && rename(draft, path) == 0)
        return 0;
    int why = errno;
    if (out != NULL)
        unlink(draft);
    return mesh_err_set(err, MESH_ERR_REJECT, "broker.ready_file", "cannot write the ready file %s: %s", path, strerror(why));
}

static int open_to_clients(const struct options *options, const struct mesh_topic_file *file, struct mesh_broker_listen *listen,
                           rd_kafka_t *client, struct mesh_err *err)
{
    if (mesh_broker_listen_open(listen, err) != 0)
        return -1;
    if (await_answer(client, listen->address, err) != 0)
        return -1;
    if (options->ready_file != NULL && write_ready_file(options->ready_file, listen->address, err) != 0)
        return -1;
    printf("mesh-broker: ready on %s with %zu topics (in memory, librdkafka %s)\n", listen->address, file->n,
           rd_kafka_version_str());
    fflush(stdout);
    return 0;
}

static int serve(const struct options *options, const struct mesh_topic_file *file, struct mesh_broker_listen *listen,
                 rd_kafka_t *client, rd_kafka_mock_cluster_t *cluster, const sigset_t *ending, struct mesh_err *err)
{
    struct mesh_broker_retention retention = {0};
    int sig;
    if (rd_kafka_mock_group_initial_rebalance_delay_ms != NULL)
        rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
    int rc = create_topics(options, file, &retention, cluster, err);
    if (rc == 0)
        rc = open_to_clients(options, file, listen, client, err);
    mesh_broker_retention_deinit(&retention);
    if (rc != 0)
        return rc;
    mesh_broker_prompt_set(false);
    while (sigwait(ending, &sig) != 0)
        continue;
    if (options->ready_file != NULL)
        unlink(options->ready_file);
    return 0;
}

/* The signals are blocked before any thread exists, so that only sigwait() sees them. */
static void block_signals(sigset_t *ending)
{
    sigemptyset(ending);
    sigaddset(ending, SIGINT);
    sigaddset(ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, ending, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* All it has is memory, which the kernel takes back; librdkafka would take up to two seconds to end
 * its threads one by one, at every Ctrl-C. */
static _Noreturn void end_at_once(void)
{
    fflush(NULL);
    _exit(EXIT_OK);
}

/* -1 if it could not serve; does not return when it is asked to end. */
static int run(const struct options *options, const struct mesh_topic_file *file, struct mesh_err *err)
{
    struct mesh_broker_listen listen;
    rd_kafka_mock_cluster_t *cluster = NULL;
    sigset_t ending;
    int rc = -1;

    block_signals(&ending);
    mesh_broker_prompt_set(true);
    if (mesh_broker_listen_claim(&listen, options->listen, err) != 0)
        return -1;
    rd_kafka_t *client = new_client(err);
    if (client != NULL)
        cluster = mesh_broker_listen_attach(&listen, client, err);
    if (cluster != NULL) {
        rc = serve(options, file, &listen, client, cluster, &ending, err);
        if (rc == 0)
            end_at_once();
        rd_kafka_mock_cluster_destroy(cluster);
    }
    if (client != NULL)
        rd_kafka_destroy(client);
    mesh_broker_listen_deinit(&listen);
    return rc;
}

static int wrong_use(const char *what)
{
    fprintf(stderr, "mesh-broker: %s\n%s", what, usage_text);
    return EXIT_USAGE;
}

/* 0 go on, else the exit code plus one. */
static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option long_options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"topics", required_argument, NULL, 't'},
        {"ready-file", required_argument, NULL, 'r'},
        {"stream-mib", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        char *end;
        unsigned long mib;
        switch (c) {
        case 'l':
            options->listen = optarg;
            break;
        case 't':
            options->topics = optarg;
            break;
        case 'r':
            options->ready_file = optarg;
            break;
        case 's':
            mib = strtoul(optarg, &end, 10);
            if (end == optarg || *end != '\0' || mib < 5 || mib > STREAM_MIB_MAX)
                return 1 + wrong_use("--stream-mib needs a number from 5 to 65536");
            options->stream_bytes = (size_t)mib * 1024 * 1024;
            break;
        case 'h':
            fputs(usage_text, stdout);
            return 1 + EXIT_OK;
        default:
            return 1 + wrong_use("unknown option");
        }
    }
    if (optind != argc)
        return 1 + wrong_use("it takes options only");
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {.listen = LISTEN_DEFAULT};
    struct mesh_topic_file file = {0};
    struct mesh_err err = {0};

    int rc = parse_options(argc, argv, &options);
    if (rc != 0)
        return rc - 1;
    if (options.ready_file != NULL)
        unlink(options.ready_file); /* left by one that was killed */
    if (options.topics == NULL || mesh_topic_file_read(options.topics, &file, &err) == 0)
        run(&options, &file, &err); /* until it fails */
    mesh_topic_file_deinit(&file);
    fprintf(stderr, "mesh-broker: %s\n", err.text);
    return err.class == MESH_ERR_REJECT ? EXIT_USAGE : EXIT_INTERNAL;
}
