/* Replay and discard. A letter is marked only when the broker has acknowledged its return; who is killed in between sends it again
 * the next time, and the service drops it by its identity. So the order is all there is to the guarantee. */
#include "ctl/dlq.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"
#include "io/kafka.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IN_FLIGHT_MAX    1000
#define REFUSED_SHOWN    20
#define MARK_HEADERS_MAX 6
#define REPORT_WAIT_MS   50

struct sending {
    struct mesh_dlq_kafka *kafka;
    rd_kafka_t *producer;
    const struct mesh_dlq_letter *letters; /* by id */
    size_t n, next;
    MESH_VEC(size_t) to_mark; /* acknowledged, not marked yet */
    size_t in_flight, returned, marked, expired;
    rd_kafka_resp_err_t failure; /* the first; nothing is sent after it */
    char who[128];
    int64_t begun_us;
    struct mesh_dlq_progress progress;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* A ticket is twice the letter's index, plus one for a mark. */
static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct mesh_dlq_kafka *kafka = opaque;
    struct sending *s = kafka->sending;
    size_t ticket = (size_t)(uintptr_t)message->_private;
    s->in_flight--;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (s->failure == RD_KAFKA_RESP_ERR_NO_ERROR)
            s->failure = message->err;
        return;
    }
    if (ticket % 2 == 1) {
        s->marked++;
        return;
    }
    s->returned++;
    *mesh_vec_push(&s->to_mark) = ticket / 2;
}

static void set_bytes(rd_kafka_vu_t *vu, rd_kafka_vtype_t type, struct mesh_str bytes)
{
    vu->vtype = type;
    vu->u.mem.ptr = (void *)(uintptr_t)bytes.p;
    vu->u.mem.size = bytes.n;
}

static void produce(struct sending *s, const char *topic, int32_t partition, struct mesh_str key, struct mesh_str value,
                    int64_t time_us, const struct mesh_header *headers, uint32_t n_headers, size_t ticket)
{
    rd_kafka_headers_t *list = rd_kafka_headers_new(n_headers);
    for (uint32_t i = 0; i < n_headers; i++)
        (void)rd_kafka_header_add(list, headers[i].name.p, headers[i].name.n, headers[i].value.p, headers[i].value.n);
    rd_kafka_vu_t vus[8];
    vus[0].vtype = RD_KAFKA_VTYPE_TOPIC;
    vus[0].u.cstr = topic;
    vus[1].vtype = RD_KAFKA_VTYPE_PARTITION;
    vus[1].u.i32 = partition;
    set_bytes(&vus[2], RD_KAFKA_VTYPE_KEY, key);
    set_bytes(&vus[3], RD_KAFKA_VTYPE_VALUE, value);
    vus[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    vus[4].u.i64 = time_us > 0 ? time_us / 1000 : 0; /* 0: now */
    vus[5].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    vus[5].u.i = RD_KAFKA_MSG_F_COPY;
    vus[6].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vus[6].u.ptr = (void *)(uintptr_t)ticket;
    vus[7].vtype = RD_KAFKA_VTYPE_HEADERS;
    vus[7].u.headers = list;
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_produceva(s->producer, vus, MESH_LEN(vus));
        if (error == NULL) {
            s->in_flight++;
            return;
        }
        rd_kafka_resp_err_t code = rd_kafka_error_code(error);
        rd_kafka_error_destroy(error);
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            rd_kafka_poll(s->producer, REPORT_WAIT_MS);
            continue;
        }
        rd_kafka_headers_destroy(list);
        if (s->failure == RD_KAFKA_RESP_ERR_NO_ERROR)
            s->failure = code;
        return;
    }
}

static void mark(struct sending *s, size_t i)
{
    const struct mesh_dlq_options *o = s->kafka->options;
    const struct mesh_dlq_letter *l = &s->letters[i];
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf identity = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf at = MESH_BUF_NULL;
    char id[48], generation[24];
    mesh_dlq_identity(&identity, l);
    int64_t now_us = mesh_clock_wall_us();
    mesh_text_time(&at, now_us);
    snprintf(id, sizeof id, "%d:%lld", (int)l->at.partition, (long long)l->at.offset);
    snprintf(generation, sizeof generation, "%" PRIu64, l->generation);
    struct mesh_header headers[MARK_HEADERS_MAX] = {
        {MESH_STR(MESH_DLQ_MARK_PREFIX "done"), mesh_str_of(o->verb == MESH_DLQ_REPLAY ? "replayed" : "discarded")},
        {MESH_STR(MESH_DLQ_MARK_PREFIX "id"), mesh_str_of(id)},
        {MESH_STR(MESH_DLQ_MARK_PREFIX "generation"), mesh_str_of(generation)},
        {MESH_STR(MESH_DLQ_MARK_PREFIX "by"), mesh_str_of(s->who)},
        {MESH_STR(MESH_DLQ_MARK_PREFIX "at"), {at.p, (uint32_t)at.n}},
    };
    uint32_t n = MARK_HEADERS_MAX - 1;
    if (o->reason != NULL)
        headers[n++] = (struct mesh_header){MESH_STR(MESH_DLQ_MARK_PREFIX "reason"), mesh_str_of(o->reason)};
    produce(s, s->kafka->topic, l->at.partition, (struct mesh_str){identity.p, (uint32_t)identity.n}, MESH_STR(""), now_us, headers,
            n, 2 * i + 1);
}

/* Serve reports, and mark what they acknowledge. */
static void serve(struct sending *s, int wait_ms)
{
    rd_kafka_poll(s->producer, wait_ms);
    rd_kafka_poll(s->kafka->consumer, 0);
    while (s->to_mark.n > 0)
        mark(s, s->to_mark.v[--s->to_mark.n]);
    mesh_dlq_progress_at(&s->progress, (int64_t)s->marked);
}

/* Not before its turn (--rate), and not while too much is on its way. */
static void wait_for_turn(struct sending *s, size_t turn)
{
    long rate = s->kafka->options->rate;
    int64_t at_us = s->begun_us + (rate == 0 ? 0 : (int64_t)turn * 1000000 / rate);
    serve(s, 0);
    while (!stopped && s->failure == RD_KAFKA_RESP_ERR_NO_ERROR) {
        int64_t left_us = at_us - mesh_clock_mono_us();
        if (left_us <= 0 && s->in_flight < IN_FLIGHT_MAX)
            return;
        serve(s, left_us > 0 && left_us < REPORT_WAIT_MS * INT64_C(1000) ? (int)(left_us / 1000) + 1 : REPORT_WAIT_MS);
    }
}

static int send_back(void *context, const rd_kafka_message_t *message, struct mesh_err *err)
{
    static struct mesh_dlq_record r;
    static struct mesh_header headers[MESH_DLQ_HEADERS_MAX + 5];
    struct sending *s = context;
    (void)err;
    const struct mesh_dlq_letter *l = &s->letters[s->next];
    while (s->next < s->n && l->at.partition == message->partition && l->at.offset < message->offset) {
        s->expired++; /* between the two readings */
        l = &s->letters[++s->next];
    }
    if (s->next == s->n || l->at.partition != message->partition)
        return 1;
    if (l->at.offset > message->offset)
        return 0;
    wait_for_turn(s, s->next);
    if (stopped || s->failure != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 1;
    (void)mesh_dlq_message_read(&r, message);
    uint32_t n = mesh_dlq_return_headers(&r, headers);
    produce(s, s->kafka->retry, 0, r.key, r.value, l->time_us, headers, n, 2 * s->next);
    s->next++;
    return 0;
}

static int replay(struct sending *s, struct mesh_err *err)
{
    while (s->next < s->n && !stopped && s->failure == RD_KAFKA_RESP_ERR_NO_ERROR) {
        size_t first = s->next;
        int32_t partition = s->letters[first].at.partition;
        size_t end = first;
        while (end < s->n && s->letters[end].at.partition == partition)
            end++;
        if (mesh_dlq_kafka_read(s->kafka, partition, s->letters[first].at.offset, s->letters[end - 1].at.offset + 1, send_back, s,
                                err) < 0)
            return -1;
        if (!stopped && s->failure == RD_KAFKA_RESP_ERR_NO_ERROR && s->next < end) {
            s->expired += end - s->next;
            s->next = end;
        }
    }
    return 0;
}

static void discard(struct sending *s)
{
    for (; s->next < s->n && !stopped && s->failure == RD_KAFKA_RESP_ERR_NO_ERROR; s->next++) {
        wait_for_turn(s, s->next);
        if (!stopped)
            mark(s, s->next);
    }
}

static int open_producer(struct sending *s, struct mesh_err *err)
{
    rd_kafka_conf_t *rc = NULL;
    if (mesh_dlq_kafka_conf(s->kafka, &rc, err) < 0)
        return -1;
    mesh_kafka_set(rc, "enable.idempotence", "true");
    mesh_kafka_set(rc, "enable.gapless.guarantee", "true");
    mesh_kafka_set_long(rc, "message.timeout.ms", s->kafka->options->timeout_ms);
    mesh_kafka_set(rc, "linger.ms", "5");
    mesh_kafka_set(rc, "compression.codec", "lz4");
    mesh_kafka_set(rc, "message.max.bytes", "67108864"); /* what a letter may weigh is the topic's business */
    rd_kafka_conf_set_dr_msg_cb(rc, on_report);
    char text[256];
    s->producer = rd_kafka_new(RD_KAFKA_PRODUCER, rc, text, sizeof text);
    if (s->producer != NULL)
        return 0;
    rd_kafka_conf_destroy(rc);
    return mesh_err_set(err, MESH_ERR_FATAL, "kafka.client", "cannot make a Kafka producer: %s", text);
}

static void sign(struct sending *s)
{
    char host[64] = "";
    const char *user = getenv("USER");
    (void)gethostname(host, sizeof host - 1);
    if (user != NULL && user[0] != '\0')
        snprintf(s->who, sizeof s->who, "%.60s@%s", user, host);
    else
        snprintf(s->who, sizeof s->who, "uid %ld@%s", (long)getuid(), host);
}

/* Takes out what cannot be sent again and says so. Returns how many. */
static size_t refuse(const struct mesh_dlq_kafka *kafka, struct mesh_dlq_letter *letters, size_t *n)
{
    char why[MESH_ERR_TEXT_MAX];
    size_t kept = 0;
    size_t refused = 0;
    for (size_t i = 0; i < *n; i++) {
        if (mesh_dlq_refusal(&letters[i], mesh_dlq_kafka_partitions(kafka, letters[i].topic), why) == NULL)
            letters[kept++] = letters[i];
        else if (refused++ < REFUSED_SHOWN)
            fprintf(stderr, "meshctl: refused: letter %d:%lld (%s, partition %d, offset %lld): %s\n", (int)letters[i].at.partition,
                    (long long)letters[i].at.offset, letters[i].topic, (int)letters[i].partition, (long long)letters[i].offset,
                    why);
    }
    if (refused > REFUSED_SHOWN)
        fprintf(stderr, "meshctl: refused: %zu more\n", refused - REFUSED_SHOWN);
    *n = kept;
    return refused;
}

static int confirm(const struct mesh_dlq_kafka *kafka, const char *does, size_t n, const char *codes)
{
    if (kafka->options->yes)
        return 0;
    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr, "meshctl: this would %s %zu letters (%s). Nobody is there to ask: give --yes, or --dry-run to look\n", does,
                n, codes);
        return -1;
    }
    printf("%s %zu letters of %s (%s)? [y/N] ", does, n, kafka->topic, codes);
    fflush(stdout);
    char answer[16] = "";
    if (fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
        return 0;
    puts("nothing was done");
    return 1;
}

static int run(struct sending *s, struct mesh_err *err)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    bool sends = s->kafka->options->verb == MESH_DLQ_REPLAY;
    s->begun_us = mesh_clock_mono_us();
    s->progress = mesh_dlq_progress_begin(sends ? "replaying" : "discarding", (int64_t)s->n);
    int rc = 0;
    if (sends)
        rc = replay(s, err);
    else
        discard(s);
    do
        serve(s, s->in_flight > 0 ? REPORT_WAIT_MS : 0);
    while (s->in_flight > 0 || s->to_mark.n > 0);
    mesh_dlq_progress_end(&s->progress);
    printf("%s: %zu of %zu letters %s", s->kafka->topic, s->marked, s->n, sends ? "replayed" : "discarded");
    if (s->returned > s->marked)
        printf("; %zu more were sent, but not marked: run it again, the service drops repetitions", s->returned - s->marked);
    if (s->expired > 0)
        printf("; %zu expired meanwhile", s->expired);
    if (stopped)
        printf("; stopped before the end, run it again for the others");
    putchar('\n');
    fflush(stdout);
    if (rc == 0 && s->failure != RD_KAFKA_RESP_ERR_NO_ERROR)
        rc = mesh_dlq_kafka_failed(s->kafka, "sending", s->failure, err);
    return rc < 0 ? -1 : s->marked == s->n ? MESH_DLQ_EXIT_OK : MESH_DLQ_EXIT_SOME;
}

int mesh_dlq_send(struct mesh_dlq_kafka *kafka, struct mesh_dlq_index *index, struct mesh_err *err)
{
    const struct mesh_dlq_options *o = kafka->options;
    bool sends = o->verb == MESH_DLQ_REPLAY;
    size_t n = o->limit > 0 && (size_t)o->limit < index->letters.n ? (size_t)o->limit : index->letters.n;
    if (n == 0) {
        printf("%s: no %sletter matches; nothing was done\n", kafka->topic, o->all ? "" : "open ");
        return MESH_DLQ_EXIT_SOME;
    }
    if (sends && mesh_dlq_kafka_partitions(kafka, kafka->retry) == 0)
        return mesh_err_set(
            err, MESH_ERR_REJECT, "dlq.no_retry",
            "there is no topic %s, so nobody would read what is sent; the product's service makes it when it starts (platform "
            "of this version), or make it: meshgen topics, mesh-topics",
            kafka->retry);
    size_t refused = sends ? refuse(kafka, index->letters.v, &n) : 0;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf codes = MESH_BUF_NULL;
    mesh_dlq_codes(&codes, index->letters.v, n, false);
    if (o->dry_run && n > 0) {
        mesh_dlq_table(index->letters.v, n < MESH_DLQ_LIST_LIMIT ? n : MESH_DLQ_LIST_LIMIT, o->all);
        printf("%s: %zu letters would be %s (%s); this is a dry run, nothing was done\n", kafka->topic, n,
               sends ? "replayed" : "discarded", codes.p);
    }
    if (o->dry_run || n == 0)
        return refused > 0 ? MESH_DLQ_EXIT_SOME : MESH_DLQ_EXIT_OK;
    int no = confirm(kafka, sends ? "replay" : "discard", n, codes.p);
    if (no != 0)
        return no < 0 ? MESH_DLQ_EXIT_USAGE : MESH_DLQ_EXIT_SOME;
    struct sending sending = {.kafka = kafka, .letters = index->letters.v, .n = n};
    kafka->sending = &sending;
    sign(&sending);
    int rc = open_producer(&sending, err);
    if (rc == 0)
        rc = run(&sending, err);
    if (sending.producer != NULL)
        rd_kafka_destroy(sending.producer);
    mesh_vec_deinit(&sending.to_mark);
    kafka->sending = NULL;
    return rc == 0 && refused > 0 ? MESH_DLQ_EXIT_SOME : rc;
}
