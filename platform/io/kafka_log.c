/* Two clients: a producer for the life of the log, and a consumer while something is read. */
#include "io/kafka_log.h"

#include "base/check.h"
#include "base/log.h"
#include "base/vec.h"
#include "io/log_record.h"
#include "store/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define POLL_MS      50
#define ADMIN_MS     10000
#define READ_BATCH   1024
#define FETCH_KBYTES "65536"

struct mesh_kafka_log {
    struct mesh_kafka_log_conf conf;
    struct mesh_kafka_conf kafka;
    rd_kafka_t *producer, *consumer;
    rd_kafka_queue_t *queue; /* of the consumer */
    atomic_bool interrupted;

    /* the append under way: an offset of each record */
    MESH_VEC(int64_t) offsets;
    size_t unacknowledged;
    rd_kafka_resp_err_t failed;

    struct mesh_log_reader reader;
    struct mesh_log_writer writer;
    int64_t epoch; /* of the own claim; -1: none */
    uint64_t generation;
    uint64_t bytes; /* of the log as it is now, about */
    bool broken;

    uint64_t cuts, cut_bytes;
    int64_t cut_at; /* first record behind the last cut */
    bool cut_now, untrimmed;
};

/* ---- clients ---- */
static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct mesh_kafka_log *log = opaque;
    size_t at = (size_t)(uintptr_t)message->_private;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        log->failed = message->err;
    else if (at < log->offsets.n)
        log->offsets.v[at] = message->offset;
    log->unacknowledged--;
}

static int client(const struct mesh_kafka_log *log, rd_kafka_type_t type, rd_kafka_conf_t *rc, rd_kafka_t **ret,
                  struct mesh_err *err)
{
    char text[256];
    *ret = NULL;
    if (mesh_kafka_set_common(rc, &log->kafka, err) == 0) {
        *ret = rd_kafka_new(type, rc, text, sizeof text);
        if (*ret != NULL)
            return 0;
        mesh_err_set(err, MESH_ERR_FATAL, "kafka.client", "cannot make a client for the commit log: %s", text);
    }
    rd_kafka_conf_destroy(rc);
    return -1;
}

static int make_producer(struct mesh_kafka_log *log, struct mesh_err *err)
{
    rd_kafka_conf_t *rc = rd_kafka_conf_new();
    mesh_kafka_set(rc, "enable.idempotence", "true"); /* with it come acks=all and the order */
    mesh_kafka_set(rc, "message.timeout.ms", "0");
    mesh_kafka_set(rc, "linger.ms", "0");
    mesh_kafka_set(rc, "compression.codec", "lz4");
    mesh_kafka_set(rc, "queue.buffering.max.kbytes", "262144");
    rd_kafka_conf_set_opaque(rc, log);
    rd_kafka_conf_set_dr_msg_cb(rc, on_report);
    return client(log, RD_KAFKA_PRODUCER, rc, &log->producer, err);
}

static int make_consumer(struct mesh_kafka_log *log, struct mesh_err *err)
{
    if (log->consumer != NULL)
        return 0;
    rd_kafka_conf_t *rc = rd_kafka_conf_new();
    mesh_kafka_set(rc, "group.id", log->kafka.group); /* which it does not join */
    mesh_kafka_set(rc, "enable.auto.commit", "false");
    mesh_kafka_set(rc, "enable.auto.offset.store", "false");
    mesh_kafka_set(rc, "enable.partition.eof", "true");
    mesh_kafka_set(rc, "auto.offset.reset", "error");
    mesh_kafka_set(rc, "check.crcs", "true");
    mesh_kafka_set(rc, "isolation.level", "read_uncommitted");
    mesh_kafka_set(rc, "queued.max.messages.kbytes", FETCH_KBYTES);
    mesh_kafka_set(rc, "fetch.wait.max.ms", "10");
    if (client(log, RD_KAFKA_CONSUMER, rc, &log->consumer, err) < 0)
        return -1;
    rd_kafka_poll_set_consumer(log->consumer);
    log->queue = rd_kafka_queue_get_consumer(log->consumer);
    return 0;
}

static void drop_consumer(struct mesh_kafka_log *log)
{
    if (log->queue != NULL)
        rd_kafka_queue_destroy(log->queue);
    if (log->consumer != NULL)
        rd_kafka_destroy_flags(log->consumer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    log->queue = NULL;
    log->consumer = NULL;
}

int mesh_kafka_log_open(const struct mesh_kafka_log_conf *conf, struct mesh_kafka_log **ret, struct mesh_err *err)
{
    struct mesh_kafka_log *log = mesh_xcalloc(1, sizeof *log);
    log->conf = *conf;
    log->kafka = *conf->kafka;
    log->reader = MESH_LOG_READER_NEW;
    log->epoch = -1;
    if (make_producer(log, err) < 0) {
        mesh_kafka_log_close(log);
        return -1;
    }
    *ret = log;
    return 0;
}

static bool gives_up(const struct mesh_kafka_log *log)
{
    return (log->epoch < 0 && atomic_load(log->conf.stop)) || atomic_load(&log->interrupted);
}

/* ---- writing ---- */
static int write_failed(struct mesh_kafka_log *log, rd_kafka_resp_err_t code, struct mesh_err *err)
{
    log->broken = true;
    return mesh_err_set(err, MESH_ERR_FATAL, "state.write",
                        "the commit log, topic %s partition %" PRId32
                        ", cannot be written to: %s. The last commit that was acknowledged is kept",
                        log->conf.topic, log->conf.partition, rd_kafka_err2str(code));
}

static rd_kafka_resp_err_t produce(struct mesh_kafka_log *log, int32_t partition, const struct mesh_log_head *head,
                                   struct mesh_str value)
{
    char key[MESH_LOG_HEAD_BYTES];
    mesh_log_head_write(head, key);
    rd_kafka_vu_t vus[6];
    size_t n = 0;
    vus[n].vtype = RD_KAFKA_VTYPE_TOPIC;
    vus[n++].u.cstr = log->conf.topic;
    vus[n].vtype = RD_KAFKA_VTYPE_PARTITION;
    vus[n++].u.i32 = partition;
    vus[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    vus[n++].u.i = RD_KAFKA_MSG_F_COPY;
    vus[n].vtype = RD_KAFKA_VTYPE_KEY;
    vus[n].u.mem.ptr = key;
    vus[n++].u.mem.size = sizeof key;
    vus[n].vtype = RD_KAFKA_VTYPE_VALUE;
    vus[n].u.mem.ptr = (void *)(uintptr_t)value.p;
    vus[n++].u.mem.size = value.n;
    vus[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vus[n++].u.ptr = (void *)(uintptr_t)log->offsets.n;
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_produceva(log->producer, vus, n);
        rd_kafka_resp_err_t code = error == NULL ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error);
        if (error != NULL)
            rd_kafka_error_destroy(error);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || gives_up(log)) {
            if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
                *mesh_vec_push(&log->offsets) = -1;
                log->unacknowledged++;
            }
            return code;
        }
        rd_kafka_poll(log->producer, POLL_MS);
    }
}

static void begin_append(struct mesh_kafka_log *log)
{
    log->offsets.n = 0;
    log->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* All records of the append are acknowledged. 0, MESH_LOG_STOPPED, negative. */
static int settle(struct mesh_kafka_log *log, struct mesh_err *err)
{
    while (log->unacknowledged > 0 && log->failed == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_poll(log->producer, POLL_MS);
        if (log->unacknowledged > 0 && gives_up(log)) {
            log->broken = true; /* what is under way may come to be written, and nobody will know */
            return MESH_LOG_STOPPED;
        }
    }
    return log->failed == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : write_failed(log, log->failed, err);
}

static int append_one(struct mesh_kafka_log *log, int32_t partition, const struct mesh_log_head *head, struct mesh_str value,
                      struct mesh_err *err)
{
    begin_append(log);
    rd_kafka_resp_err_t code = produce(log, partition, head, value);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? settle(log, err) : write_failed(log, code, err);
}

/* ---- reading ---- */
/* 0: go on; 1: enough; negative. A record is NULL at the end of the log. */
typedef int take_record(struct mesh_kafka_log *log, void *context, const rd_kafka_message_t *record, struct mesh_err *err);

static int take_batch(struct mesh_kafka_log *log, rd_kafka_message_t **records, size_t n, take_record *take, void *context,
                      struct mesh_err *err)
{
    for (size_t i = 0; i < n; i++) {
        int r = 0;
        switch ((int)records[i]->err) {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            r = take(log, context, records[i], err);
            break;
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
            r = take(log, context, NULL, err);
            break;
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
            return MESH_JOURNAL_AGAIN + 1;
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR__FATAL:
            return mesh_err_set(err, MESH_ERR_FATAL, "kafka.denied", "reading %s is not possible: %s", log->conf.topic,
                                rd_kafka_message_errstr(records[i]));
        default:
            break; /* librdkafka goes on by itself */
        }
        if (r != 0)
            return r < 0 ? -1 : 1;
    }
    return 0;
}

/* From an offset on (-1: the beginning) until `take` has enough. 0, MESH_JOURNAL_AGAIN, MESH_LOG_STOPPED, negative. */
static int scan(struct mesh_kafka_log *log, int32_t partition, int64_t from, take_record *take, void *context, struct mesh_err *err)
{
    if (make_consumer(log, err) < 0)
        return -1;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, log->conf.topic, partition)->offset = from < 0 ? RD_KAFKA_OFFSET_BEGINNING : from;
    rd_kafka_resp_err_t code = rd_kafka_assign(log->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return mesh_err_set(err, MESH_ERR_FATAL, "kafka.assign", "cannot read %s: %s", log->conf.topic, rd_kafka_err2str(code));
    rd_kafka_message_t *records[READ_BATCH];
    int r = 0;
    while (r == 0) {
        ssize_t n = rd_kafka_consume_batch_queue(log->queue, POLL_MS, records, READ_BATCH);
        r = n > 0 ? take_batch(log, records, (size_t)n, take, context, err) : 0;
        for (ssize_t i = 0; i < n; i++)
            rd_kafka_message_destroy(records[i]);
        if (r == 0 && gives_up(log))
            return MESH_LOG_STOPPED;
    }
    (void)rd_kafka_assign(log->consumer, NULL);
    return r < 0 ? -1 : r == 1 ? 0 : MESH_JOURNAL_AGAIN;
}

static struct mesh_str key_of(const rd_kafka_message_t *record)
{
    return (struct mesh_str){record->key, (uint32_t)record->key_len};
}

static struct mesh_str value_of(const rd_kafka_message_t *record)
{
    return (struct mesh_str){record->payload, (uint32_t)record->len};
}

struct reading {
    mesh_journal_each *each;
    void *context;
    int64_t to; /* exclusive; -1: the end of the log */
};

static int take_frame(struct mesh_kafka_log *log, void *context, const rd_kafka_message_t *record, struct mesh_err *err)
{
    const struct reading *reading = context;
    if (record == NULL)
        return reading->to < 0 ? 1 : 0;
    if (reading->to >= 0 && record->offset >= reading->to)
        return 1;
    struct mesh_str frame;
    int r = mesh_log_reader_take(&log->reader, record->offset, key_of(record), value_of(record), &frame, err);
    if (r > 0)
        r = reading->each(reading->context, frame, err);
    return r < 0 ? -1 : reading->to >= 0 && record->offset + 1 >= reading->to ? 1 : 0;
}

static int read_frames(struct mesh_kafka_log *log, struct reading *reading, struct mesh_err *err)
{
    if (reading->to >= 0 && log->reader.next >= reading->to)
        return 0;
    int r = scan(log, log->conf.partition, log->reader.next, take_frame, reading, err);
    if (r == MESH_JOURNAL_AGAIN) {
        mesh_log_reader_deinit(&log->reader);
        log->reader = MESH_LOG_READER_NEW;
    }
    log->bytes = log->reader.bytes;
    return r;
}

int mesh_kafka_log_follow(struct mesh_kafka_log *log, mesh_journal_each *each, void *context, struct mesh_err *err)
{
    struct reading reading = {each, context, -1};
    return read_frames(log, &reading, err);
}

static int journal_read(void *context, mesh_journal_each *each, void *each_context, struct mesh_err *err)
{
    struct mesh_kafka_log *log = context;
    struct reading reading = {each, each_context, log->epoch};
    mesh_assert(log->epoch >= 0);
    int r = read_frames(log, &reading, err);
    if (r == 0)
        drop_consumer(log);
    return r;
}

/* ---- claiming ---- */
struct first_record {
    bool any;
    uint64_t generation;
};

static int take_first(struct mesh_kafka_log *log, void *context, const rd_kafka_message_t *record, struct mesh_err *err)
{
    struct first_record *first = context;
    struct mesh_log_head head;
    if (record == NULL)
        return 1;
    if (!mesh_log_head_read(key_of(record), &head))
        return mesh_err_set(err, MESH_ERR_FATAL, "state.corrupt", "topic %s holds records that are not of a commit log",
                            log->conf.topic);
    *first = (struct first_record){true, head.generation};
    return 1;
}

/* What the first record of shard 0 says; when there is none, this shard proposes, and looks again. */
static int agree(struct mesh_kafka_log *log, struct mesh_err *err)
{
    struct first_record first = {0};
    int r = MESH_JOURNAL_AGAIN;
    while (!first.any) {
        r = scan(log, 0, -1, take_first, &first, err);
        if (r < 0 || r == MESH_LOG_STOPPED)
            return r;
        if (first.any || r == MESH_JOURNAL_AGAIN)
            continue;
        struct mesh_log_head head = {MESH_LOG_GENERATION, -1, log->conf.generation, 0};
        r = append_one(log, 0, &head, mesh_str_of(log->conf.owner), err);
        if (r != 0)
            return r;
    }
    log->generation = first.generation;
    return 0;
}

int mesh_kafka_log_claim(struct mesh_kafka_log *log, struct mesh_err *err)
{
    struct mesh_log_head head = {MESH_LOG_CLAIM, -1, log->conf.generation, 0};
    mesh_assert(log->epoch < 0);
    int r = append_one(log, log->conf.partition, &head, mesh_str_of(log->conf.owner), err);
    if (r != 0)
        return r;
    int64_t at = log->offsets.v[0];
    if (at < 0)
        return write_failed(log, RD_KAFKA_RESP_ERR__BAD_MSG, err); /* written, and the broker does not say where */
    r = agree(log, err);
    if (r != 0)
        return r;
    log->epoch = at;
    mesh_log_writer_begin(&log->writer, at);
    return 0;
}

/* ---- appending ---- */
static int take_look(struct mesh_kafka_log *log, void *context, const rd_kafka_message_t *record, struct mesh_err *err)
{
    (void)context;
    (void)err;
    if (record == NULL)
        return 0;
    mesh_log_writer_look(&log->writer, key_of(record), record->offset);
    return record->offset + 1 >= log->writer.until ? 1 : 0;
}

static int fenced(struct mesh_kafka_log *log, struct mesh_err *err)
{
    log->broken = true;
    return mesh_err_set(err, MESH_ERR_FATAL, "state.fenced",
                        "another instance has taken over shard %" PRId32
                        " of %s; what was not durable before is dropped, and nothing of it was sent",
                        log->conf.partition, log->conf.topic);
}

static int check_offsets(struct mesh_kafka_log *log, struct mesh_err *err)
{
    switch (mesh_log_writer_acked(&log->writer, log->offsets.v, log->offsets.n)) {
    case MESH_LOG_COUNTS:
        return 0;
    case MESH_LOG_UNKNOWN:
        return write_failed(log, RD_KAFKA_RESP_ERR__BAD_MSG, err);
    case MESH_LOG_LOOK:
        break;
    }
    int r = scan(log, log->conf.partition, log->writer.look_at, take_look, NULL, err);
    drop_consumer(log);
    if (r < 0 || r == MESH_LOG_STOPPED)
        return r;
    bool trimmed = r == MESH_JOURNAL_AGAIN; /* which only an owner does */
    return !trimmed && mesh_log_writer_counts(&log->writer) ? 0 : fenced(log, err);
}

static rd_kafka_resp_err_t produce_frame(struct mesh_kafka_log *log, struct mesh_str frame)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    while (frame.n > MESH_LOG_PART_BYTES && code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        struct mesh_log_head head = mesh_log_writer_head(&log->writer, MESH_LOG_PART, log->generation);
        code = produce(log, log->conf.partition, &head, (struct mesh_str){frame.p, MESH_LOG_PART_BYTES});
        frame = (struct mesh_str){frame.p + MESH_LOG_PART_BYTES, frame.n - MESH_LOG_PART_BYTES};
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return code;
    struct mesh_log_head head = mesh_log_writer_head(&log->writer, MESH_LOG_FRAME, log->generation);
    return produce(log, log->conf.partition, &head, frame);
}

static int journal_append(void *context, struct mesh_str frames, struct mesh_err *err)
{
    struct mesh_kafka_log *log = context;
    if (log->broken)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.write",
                            "the commit log %s/%" PRId32 " failed before; it has to be claimed anew", log->conf.topic,
                            log->conf.partition);
    begin_append(log);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (size_t at = 0; at < frames.n && code == RD_KAFKA_RESP_ERR_NO_ERROR;) {
        struct mesh_str frame;
        at = mesh_store_frame_next(frames, at, &frame);
        code = produce_frame(log, frame);
    }
    int r = code == RD_KAFKA_RESP_ERR_NO_ERROR ? settle(log, err) : write_failed(log, code, err);
    if (r == 0)
        r = check_offsets(log, err);
    if (r == MESH_LOG_STOPPED)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.write", "gave up a commit to %s/%" PRId32 " that no broker acknowledged",
                            log->conf.topic, log->conf.partition);
    if (r < 0)
        return r;
    if (log->cut_now && log->offsets.n > 0) {
        log->cut_at = log->offsets.v[0];
        log->cut_bytes = log->bytes;
        log->cut_now = false;
    }
    log->bytes += frames.n;
    return 0;
}

static uint64_t journal_cut(void *context)
{
    struct mesh_kafka_log *log = context;
    log->cut_now = true;
    return ++log->cuts;
}

static void not_trimmed(struct mesh_kafka_log *log, const char *why)
{
    if (!log->untrimmed)
        mesh_log(MESH_LOG_WARN, "the commit log cannot be trimmed and grows: this client needs the right to delete records of it",
                 "topic", log->conf.topic, "why", why, NULL);
    log->untrimmed = true;
}

static int journal_trim(void *context, uint64_t place, struct mesh_err *err)
{
    struct mesh_kafka_log *log = context;
    (void)err;
    if (place != log->cuts || log->cut_now || log->broken)
        return 0;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, log->conf.topic, log->conf.partition)->offset = log->cut_at;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(log->producer);
    rd_kafka_DeleteRecords(log->producer, &request, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_MS);
    const rd_kafka_DeleteRecords_result_t *result = event == NULL ? NULL : rd_kafka_event_DeleteRecords_result(event);
    rd_kafka_resp_err_t code = event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
    const rd_kafka_topic_partition_list_t *done = result == NULL ? NULL : rd_kafka_DeleteRecords_result_offsets(result);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && done != NULL && done->cnt == 1)
        code = done->elems[0].err;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        log->bytes -= log->cut_bytes;
    else
        not_trimmed(log, rd_kafka_err2str(code));
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteRecords_destroy(request);
    return 0;
}

/* ---- the rest ---- */
static uint64_t journal_bytes(const void *context)
{
    return ((const struct mesh_kafka_log *)context)->bytes;
}

static bool journal_empty(const void *context)
{
    return !((const struct mesh_kafka_log *)context)->reader.any;
}

static void journal_interrupt(void *context)
{
    atomic_store(&((struct mesh_kafka_log *)context)->interrupted, true);
}

static void journal_close(void *context)
{
    mesh_kafka_log_close(context);
}

struct mesh_journal mesh_kafka_log_journal(struct mesh_kafka_log *log)
{
    static const struct mesh_journal_ops ops = {journal_read,  journal_append, journal_cut,       journal_trim,
                                                journal_bytes, journal_empty,  journal_interrupt, journal_close};
    return (struct mesh_journal){&ops, log};
}

uint64_t mesh_kafka_log_generation(const struct mesh_kafka_log *log)
{
    return log->generation;
}

int64_t mesh_kafka_log_epoch(const struct mesh_kafka_log *log)
{
    return log->epoch;
}

uint64_t mesh_kafka_log_skipped(const struct mesh_kafka_log *log)
{
    return log->reader.skipped;
}

struct mesh_kafka_log *mesh_kafka_log_close(struct mesh_kafka_log *log)
{
    if (log == NULL)
        return NULL;
    drop_consumer(log);
    if (log->producer != NULL) {
        rd_kafka_purge(log->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_poll(log->producer, 0);
        rd_kafka_destroy(log->producer);
    }
    mesh_log_reader_deinit(&log->reader);
    mesh_vec_deinit(&log->offsets);
    free(log);
    return NULL;
}
