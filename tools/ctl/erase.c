#include "ctl/erase.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "base/vec.h"
#include "ctl/child.h"
#include "io/kafka.h"
#include "io/kafka_security.h"

#include <dirent.h>
#include <getopt.h>
#include <librdkafka/rdkafka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_SOME = 1, EXIT_USAGE = 2 };
#define POLL_MS     100
#define ASK_MS      10000
#define FILE_MAX    (1u << 20)
#define TEXTS_MAX   16
#define FOLDERS_MAX 16

static const char usage[] =
    "usage: meshctl erase SUBJECT ID [options]        ask all products to erase a person, and wait for their receipts\n"
    "       meshctl erase --verify TEXT ... [options]  where these bytes still are: topics, and folders of --state\n"
    "\n"
    "  --mesh DIR       folder of mesh.yaml (default: the current one)\n"
    "  --brokers LIST   (default: MESH_KAFKA_BROKERS)\n"
    "  --request NAME   of the request, which receipts carry (default: a random one); naming an old one asks again\n"
    "  --state DIR      with --verify: a state folder to look into; may be repeated\n"
    "  --timeout SEC    how long to wait for receipts (default 60)\n"
    "\n"
    "exit: 0 all products have erased and nothing is left, 1 something is missing or left, 2 usage or no broker\n";

struct product {
    char *name;
    uint64_t tasks, state, log, removed, emptied, waiting, events, left;
    MESH_VEC(char *) seen; /* "task stage" */
};

struct erase {
    const char *mesh, *brokers, *request;
    const char *texts[TEXTS_MAX], *folders[FOLDERS_MAX];
    size_t n_texts, n_folders;
    int timeout_s;
    bool verify;
    char *topic, *receipts;
    MESH_VEC(struct product) products;
    MESH_VEC(char *) sources;
    struct mesh_kafka_security security;
    bool delivered;
    rd_kafka_resp_err_t failure;
};

static int fail(const char *text)
{
    fprintf(stderr, "meshctl: %s\n", text);
    return EXIT_USAGE;
}

/* ---- what there is ---- */
static void take_line(struct erase *e, char *line)
{
    char *name = strchr(line, ' ');
    if (name == NULL)
        return;
    *name++ = '\0';
    if (strcmp(line, "erasure") == 0)
        e->topic = mesh_xstrdup(name);
    else if (strcmp(line, "receipts") == 0)
        e->receipts = mesh_xstrdup(name);
    else if (strcmp(line, "product") == 0)
        *mesh_vec_push(&e->products) = (struct product){.name = mesh_xstrdup(name)};
    else if (strcmp(line, "source") == 0)
        *mesh_vec_push(&e->sources) = mesh_xstrdup(name);
}

static int read_mesh(struct erase *e)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n < 0 ? 0 : n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL)
        *slash = '\0';
    char folder[] = "/tmp/meshctl-XXXXXX";
    if (mkdtemp(folder) == NULL)
        return fail("no room in /tmp");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf program = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf log = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_printf(&program, "%s/meshgen", self);
    mesh_buf_printf(&out, "%s/subjects", folder);
    mesh_buf_printf(&log, "%s/log", folder);
    struct mesh_child child = {.name = "meshgen", .log_path = log.p};
    const char *argv[] = {program.p, "subjects", "--format", "list", "--mesh", e->mesh, NULL};
    struct mesh_err err = {0};
    int status = mesh_child_run(&child, argv, out.p, &err);
    bool ok = status == 0 && mesh_fs_read(out.p, FILE_MAX, &text, &err) == 0;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf why = MESH_BUF_NULL;
    struct mesh_err ignored;
    if (!ok && mesh_fs_read(log.p, FILE_MAX, &why, &ignored) == 0 && why.n > 0)
        fputs(why.p, stderr);
    unlink(out.p);
    unlink(log.p);
    rmdir(folder);
    if (!ok)
        return fail("meshgen subjects does not say who is to be asked; is --mesh the folder of mesh.yaml, and is 'erasure' in it?");
    for (char *line = text.p, *next; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        take_line(e, line);
    }
    return e->topic == NULL || e->receipts == NULL ? fail("mesh.yaml says nothing about erasure") : 0;
}

/* ---- the broker ---- */
static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct erase *e = opaque;
    e->delivered = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    e->failure = message->err;
}

static rd_kafka_t *connect_as(struct erase *e, rd_kafka_type_t type)
{
    rd_kafka_conf_t *rc = rd_kafka_conf_new();
    struct mesh_err err = {0};
    struct mesh_kafka_conf common = {.brokers = e->brokers, .client = "meshctl"};
    char text[256];
    if (mesh_kafka_set_common(rc, &common, &err) < 0 || mesh_kafka_security_set(rc, &e->security, &err) < 0) {
        fprintf(stderr, "meshctl: %s\n", err.text);
        rd_kafka_conf_destroy(rc);
        return NULL;
    }
    rd_kafka_conf_set_opaque(rc, e);
    if (type == RD_KAFKA_PRODUCER) {
        mesh_kafka_set(rc, "enable.idempotence", "true");
        rd_kafka_conf_set_dr_msg_cb(rc, on_report);
    } else {
        mesh_kafka_set(rc, "enable.partition.eof", "true");
        mesh_kafka_set(rc, "fetch.wait.max.ms", "10"); /* most partitions are at their end */
        mesh_kafka_set(rc, "auto.offset.reset", "earliest");
        mesh_kafka_set(rc, "allow.auto.create.topics", "false");
        mesh_kafka_set(rc, "isolation.level", "read_uncommitted");
    }
    rd_kafka_t *client = rd_kafka_new(type, rc, text, sizeof text);
    if (client == NULL) {
        rd_kafka_conf_destroy(rc);
        fail(text);
    }
    return client;
}

static int send_request(struct erase *e, const char *subject, const char *id)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_puts(&text, "{\"request\":");
    mesh_json_string(&text, mesh_str_of(e->request));
    mesh_buf_puts(&text, ",\"subject\":");
    mesh_json_string(&text, mesh_str_of(subject));
    mesh_buf_puts(&text, ",\"id\":");
    mesh_json_string(&text, mesh_str_of(id));
    mesh_buf_puts(&text, "}");
    rd_kafka_t *producer = connect_as(e, RD_KAFKA_PRODUCER);
    if (producer == NULL)
        return EXIT_USAGE;
    rd_kafka_resp_err_t code = rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(e->topic), RD_KAFKA_V_PARTITION(0),
                                                 RD_KAFKA_V_KEY(e->request, strlen(e->request)), RD_KAFKA_V_VALUE(text.p, text.n),
                                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        (void)rd_kafka_flush(producer, ASK_MS);
    rd_kafka_destroy(producer);
    if (e->delivered)
        return 0;
    fprintf(stderr, "meshctl: %s did not take the request for %s: %s\n", e->brokers, e->topic,
            rd_kafka_err2str(e->failure != RD_KAFKA_RESP_ERR_NO_ERROR ? e->failure : code));
    return EXIT_USAGE;
}

/* Every record of a partition from `from` on, until `each` says enough, or (until_us: 0) its end. */
static int read_partition(rd_kafka_t *consumer, const char *name, int32_t partition, int64_t from, int64_t until_us,
                          bool (*each)(void *context, const rd_kafka_message_t *message), void *context)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer, name, NULL);
    int result = 0;
    if (topic == NULL || rd_kafka_consume_start(topic, partition, from) != 0) {
        if (topic != NULL)
            rd_kafka_topic_destroy(topic);
        return -1;
    }
    int64_t heard_us = mesh_clock_mono_us();
    for (bool enough = false; !enough;) {
        rd_kafka_message_t *message = rd_kafka_consume(topic, partition, POLL_MS);
        int64_t now_us = mesh_clock_mono_us();
        if (message == NULL) {
            bool silent = until_us == 0 && now_us - heard_us > ASK_MS * INT64_C(1000);
            result = silent ? -1 : 0;
            enough = silent || (until_us != 0 && now_us > until_us);
            continue;
        }
        heard_us = now_us;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            enough = until_us == 0;
        else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            enough = each(context, message);
        enough = enough || (until_us != 0 && now_us > until_us);
        rd_kafka_message_destroy(message);
    }
    (void)rd_kafka_consume_stop(topic, partition);
    rd_kafka_topic_destroy(topic);
    return result;
}

/* ---- receipts ---- */
static uint64_t number(const struct mesh_json *json, const char *name)
{
    const struct mesh_json *value = mesh_json_get(json, name);
    return value == NULL || value->kind != MESH_JSON_NUMBER ? 0 : strtoull(value->text, NULL, 10);
}

static const char *text_of(const struct mesh_json *json, const char *name)
{
    const struct mesh_json *value = mesh_json_get(json, name);
    return value == NULL || value->kind != MESH_JSON_STRING ? "" : value->text;
}

static bool is_done(const struct product *p)
{
    return p->tasks > 0 && p->state == p->tasks && p->log == p->tasks;
}

static void take_receipt(struct erase *e, const struct mesh_json *json)
{
    struct product *p = NULL;
    for (size_t i = 0; i < e->products.n; i++)
        if (strcmp(e->products.v[i].name, text_of(json, "product")) == 0)
            p = &e->products.v[i];
    if (p == NULL || strcmp(text_of(json, "request"), e->request) != 0)
        return;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf what = MESH_BUF_NULL;
    mesh_buf_printf(&what, "%s %s", text_of(json, "task"), text_of(json, "stage"));
    for (size_t i = 0; i < p->seen.n; i++)
        if (strcmp(p->seen.v[i], what.p) == 0)
            return; /* sent again after a crash */
    *mesh_vec_push(&p->seen) = mesh_xstrdup(what.p);
    p->tasks = number(json, "tasks");
    if (strcmp(text_of(json, "stage"), "log") == 0) {
        p->log++;
        return;
    }
    p->state++;
    p->removed += number(json, "removed");
    p->emptied += number(json, "emptied");
    p->waiting += number(json, "waiting");
    p->events += number(json, "events");
    p->left += number(json, "left");
}

static bool each_receipt(void *context, const rd_kafka_message_t *message)
{
    struct erase *e = context;
    struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_diags diags = {.arena = &arena};
    if (message->payload != NULL && message->len > 0) {
        const char *kept = mesh_arena_str(&arena, (struct mesh_str){message->payload, (uint32_t)message->len});
        const struct mesh_json *json =
            mesh_json_parse(&arena, mesh_source_new(&arena, "receipt", kept, message->len), &diags, "receipt");
        if (json != NULL)
            take_receipt(e, json);
    }
    mesh_arena_deinit(&arena);
    bool all = true;
    for (size_t i = 0; i < e->products.n; i++)
        all = all && is_done(&e->products.v[i]);
    return all;
}

static int show_receipts(const struct erase *e)
{
    int result = 0;
    printf("request %s\n\n%-36s %6s %8s %8s %8s %7s %5s  %s\n", e->request, "product", "tasks", "removed", "emptied", "waiting",
           "events", "left", "log");
    for (size_t i = 0; i < e->products.n; i++) {
        const struct product *p = &e->products.v[i];
        result = is_done(p) && p->left == 0 ? result : EXIT_SOME;
        if (p->state == 0) {
            printf("%-36s no answer; does the service run, and does it read %s?\n", p->name, e->topic);
            continue;
        }
        printf("%-36s %3llu/%-2llu %8llu %8llu %8llu %7llu %5llu  %s\n", p->name, (unsigned long long)p->state,
               (unsigned long long)p->tasks, (unsigned long long)p->removed, (unsigned long long)p->emptied,
               (unsigned long long)p->waiting, (unsigned long long)p->events, (unsigned long long)p->left,
               p->log == p->tasks ? "rewritten" : "still holds it; the round is not through");
    }
    printf(
        "\nTopics keep what was sent until they forget it, those of the outside first of all: meshctl erase --verify ID looks.\n");
    return result;
}

static int ask(struct erase *e, const char *subject, const char *id)
{
    char random[33];
    uint8_t bytes[8];
    if (e->request == NULL) {
        mesh_assert(getrandom(bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes);
        mesh_hex(bytes, sizeof bytes, random);
        e->request = random;
    }
    rd_kafka_t *consumer = connect_as(e, RD_KAFKA_CONSUMER);
    if (consumer == NULL)
        return EXIT_USAGE;
    int64_t low = 0;
    int64_t high = 0;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(consumer, e->receipts, 0, &low, &high, ASK_MS);
    int result = 0;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(stderr, "meshctl: %s: cannot read %s: %s; services make it when they start\n", e->brokers, e->receipts,
                rd_kafka_err2str(code));
        result = EXIT_USAGE;
    } else {
        result = send_request(e, subject, id);
    }
    if (result == 0) {
        int64_t until_us = mesh_clock_mono_us() + e->timeout_s * INT64_C(1000000);
        (void)read_partition(consumer, e->receipts, 0, high, until_us, each_receipt, e);
        result = show_receipts(e);
    }
    rd_kafka_destroy(consumer);
    return result;
}

/* ---- verify ---- */
struct looking {
    const struct erase *e;
    uint64_t n;
};

static bool holds(const struct erase *e, const void *bytes, size_t n)
{
    for (size_t i = 0; i < e->n_texts; i++)
        if (bytes != NULL && memmem(bytes, n, e->texts[i], strlen(e->texts[i])) != NULL)
            return true;
    return false;
}

static bool each_record(void *context, const rd_kafka_message_t *message)
{
    struct looking *looking = context;
    bool found = holds(looking->e, message->payload, message->len) || holds(looking->e, message->key, message->key_len);
    rd_kafka_headers_t *headers = NULL;
    if (!found && rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char *name = NULL;
        const void *value = NULL;
        size_t n = 0;
        for (size_t i = 0; !found && rd_kafka_header_get_all(headers, i, &name, &value, &n) == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
            found = holds(looking->e, value, n);
    }
    looking->n += found;
    return false;
}

static bool is_source(const struct erase *e, const char *topic)
{
    for (size_t i = 0; i < e->sources.n; i++)
        if (strcmp(e->sources.v[i], topic) == 0)
            return true;
    return false;
}

static int verify_topics(const struct erase *e, rd_kafka_t *consumer, bool *ret_found)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(consumer, 1, NULL, &metadata, ASK_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        fprintf(stderr, "meshctl: no answer from %s: %s\n", e->brokers, rd_kafka_err2str(code));
        return EXIT_USAGE;
    }
    int result = 0;
    for (int i = 0; i < metadata->topic_cnt && result == 0; i++) {
        const rd_kafka_metadata_topic_t *topic = &metadata->topics[i];
        struct looking looking = {.e = e};
        if (strncmp(topic->topic, "__", 2) == 0)
            continue; /* the broker's own */
        for (int p = 0; p < topic->partition_cnt && result == 0; p++) {
            int64_t low = 0;
            int64_t high = 0;
            if (rd_kafka_query_watermark_offsets(consumer, topic->topic, topic->partitions[p].id, &low, &high, ASK_MS) == 0 &&
                low == high)
                continue;
            if (read_partition(consumer, topic->topic, topic->partitions[p].id, RD_KAFKA_OFFSET_BEGINNING, 0, each_record,
                               &looking) < 0) {
                fprintf(stderr, "meshctl: %s cannot be read to its end\n", topic->topic);
                result = EXIT_USAGE;
            }
        }
        bool source = is_source(e, topic->topic);
        bool request = e->topic != NULL && strcmp(topic->topic, e->topic) == 0;
        if (looking.n > 0)
            printf("topic %-52s %llu records%s\n", topic->topic, (unsigned long long)looking.n,
                   source    ? "; a source: whoever writes it erases there"
                   : request ? "; the requests themselves, for 30 days"
                             : "");
        *ret_found |= looking.n > 0 && !source && !request;
    }
    rd_kafka_metadata_destroy(metadata);
    return result;
}

static void verify_folder(const struct erase *e, const char *path, bool *ret_found)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf bytes = MESH_BUF_NULL;
        struct mesh_err err;
        if (mesh_fs_read(path, SIZE_MAX / 2, &bytes, &err) == 0 && holds(e, bytes.p, bytes.n)) {
            printf("file  %s\n", path);
            *ret_found = true;
        }
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf below = MESH_BUF_NULL;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        mesh_buf_printf(&below, "%s/%s", path, entry->d_name);
        verify_folder(e, below.p, ret_found);
    }
    closedir(dir);
}

static int verify(struct erase *e)
{
    rd_kafka_t *consumer = connect_as(e, RD_KAFKA_CONSUMER);
    bool found = false;
    if (consumer == NULL)
        return EXIT_USAGE;
    int result = verify_topics(e, consumer, &found);
    rd_kafka_destroy(consumer);
    for (size_t i = 0; result == 0 && i < e->n_folders; i++)
        verify_folder(e, e->folders[i], &found);
    if (result == 0 && !found)
        printf("nothing is left in what the mesh writes\n");
    return result != 0 ? result : found ? EXIT_SOME : 0;
}

/* ---- the command line ---- */
static void forget(struct erase *e)
{
    for (size_t i = 0; i < e->products.n; i++) {
        for (size_t k = 0; k < e->products.v[i].seen.n; k++)
            free(e->products.v[i].seen.v[k]);
        mesh_vec_deinit(&e->products.v[i].seen);
        free(e->products.v[i].name);
    }
    for (size_t i = 0; i < e->sources.n; i++)
        free(e->sources.v[i]);
    mesh_vec_deinit(&e->products);
    mesh_vec_deinit(&e->sources);
    free(e->topic);
    free(e->receipts);
    mesh_kafka_security_deinit(&e->security);
}

int mesh_erase_main(int argc, char **argv)
{
    static const struct option longs[] = {{"mesh", 1, NULL, 'm'},  {"brokers", 1, NULL, 'b'}, {"request", 1, NULL, 'r'},
                                          {"state", 1, NULL, 's'}, {"timeout", 1, NULL, 't'}, {"verify", 0, NULL, 'v'},
                                          {"help", 0, NULL, 'h'},  {NULL, 0, NULL, 0}};
    struct erase e = {.mesh = ".", .brokers = getenv("MESH_KAFKA_BROKERS"), .timeout_s = 60};
    for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (c == 'h')
            return fputs(usage, stdout), 0;
        if (c == 'm')
            e.mesh = optarg;
        else if (c == 'b')
            e.brokers = optarg;
        else if (c == 'r')
            e.request = optarg;
        else if (c == 'v')
            e.verify = true;
        else if (c == 't')
            e.timeout_s = atoi(optarg);
        else if (c == 's' && e.n_folders < FOLDERS_MAX)
            e.folders[e.n_folders++] = optarg;
        else
            return fputs(usage, stderr), EXIT_USAGE;
    }
    for (; optind < argc && e.n_texts < TEXTS_MAX; optind++)
        e.texts[e.n_texts++] = argv[optind];
    for (size_t i = 0; i < e.n_texts; i++)
        if (e.texts[i][0] == '\0')
            return fail("an empty text is found everywhere");
    if (optind < argc || e.n_texts == 0 || (!e.verify && e.n_texts != 2) || e.timeout_s <= 0)
        return fputs(usage, stderr), EXIT_USAGE;
    if (e.brokers == NULL || e.brokers[0] == '\0')
        return fail("no broker: --brokers or MESH_KAFKA_BROKERS");
    struct mesh_err err = {0};
    int result = read_mesh(&e);
    if (result == 0 && mesh_kafka_security_from_environment(&e.security, e.brokers, &err) < 0)
        result = fail(err.text);
    if (result == 0)
        result = e.verify ? verify(&e) : ask(&e, e.texts[0], e.texts[1]);
    forget(&e);
    return result;
}
