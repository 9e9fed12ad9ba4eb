/* `meshctl dlq`: the dead letters of a product, for the person who mends what broke.
 *
 *     meshctl dlq list    PRODUCT [ID ...] [filter]     open letters, and how many of each code
 *     meshctl dlq show    PRODUCT ID                    one letter: where it failed, headers, value
 *     meshctl dlq replay  PRODUCT [ID ...] [filter]     send letters to mesh.<product>.retry (flow/retry.h), then mark them
 *     meshctl dlq discard PRODUCT [ID ...] [filter]     mark them as not worth processing
 *
 * A letter's id is its place in mesh.<product>.dlq, "partition:offset". Its identity is what it is about: the record's topic,
 * partition and offset, the stage that refused it, the attempt. The service may write a letter twice (it was killed before the
 * acknowledgement): copies have one identity, and the first of them is the letter.
 *
 * What was done with a letter is a mark, a record of its own in the same partition of the same topic
 * (docs/decisions/014-marks-among-the-dead-letters.md):
 *
 *     key                      the identity as text, "topic/partition/offset/stage/attempt"
 *     __mesh.letter.done       replayed | discarded
 *     __mesh.letter.id, .generation, .by, .at, .reason
 *
 * "replayed" holds for the generation of the service's state that wrote the letter: a service whose state was reset and that
 * refuses the record again writes a letter that is open again. "discarded" holds for good.
 *
 * dlq.c the command line, dlq_kafka.c the broker, dlq_letter.c what a record of the topic says, dlq_index.c which letters there
 * are, dlq_list.c, dlq_show.c and dlq_value.c for people, dlq_send.c replay and discard. Nothing here is shared between threads.
 */
#ifndef MESH_CTL_DLQ_H
#define MESH_CTL_DLQ_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "flow/engine.h"
#include "io/kafka_security.h"
#include "mesh/err.h"

#include <librdkafka/rdkafka.h>

#include <limits.h>

#define MESH_DLQ_LETTERS_MAX 2000000u /* that match a filter, and as many marks: 200 MB */
#define MESH_DLQ_HEADERS_MAX 256
#define MESH_DLQ_PREFIX      "__mesh.errors."
#define MESH_DLQ_MARK_PREFIX "__mesh.letter."
#define MESH_DLQ_TIMEOUT_MS  10000
#define MESH_DLQ_LIST_LIMIT  100
#define MESH_DLQ_PROGRESS_US 2000000 /* what takes longer says how far it is */

enum mesh_dlq_verb { MESH_DLQ_LIST, MESH_DLQ_SHOW, MESH_DLQ_REPLAY, MESH_DLQ_DISCARD };
enum mesh_dlq_done { MESH_DLQ_OPEN, MESH_DLQ_REPLAYED, MESH_DLQ_DISCARDED };
enum { MESH_DLQ_EXIT_OK = 0, MESH_DLQ_EXIT_SOME = 1, MESH_DLQ_EXIT_USAGE = 2 };

struct mesh_dlq_id {
    int32_t partition;
    int64_t offset;
};

struct mesh_dlq_options {
    enum mesh_dlq_verb verb;
    const char *product, *brokers, *contracts, *reason;
    const char *code, *input, *stage; /* NULL: any */
    int64_t since_us, until_us;       /* of the record's Kafka time: since <= time < until */
    MESH_VEC(struct mesh_dlq_id) ids; /* none: any */
    long limit;                       /* 0: none */
    long rate;                        /* letters a second; 0: as fast as it goes */
    int timeout_ms;
    bool all, json, clear, dry_run, yes;
};

/* A record of the topic, borrowed from the message. `own_*` are what the service wrote, `headers` what the record had. */
struct mesh_dlq_record {
    struct mesh_dlq_id at;
    struct mesh_str key, value;
    struct mesh_str topic, partition, offset, stage, code, site, time, cut, attempt; /* p == NULL: no such header */
    struct mesh_str unknown;                                                         /* an own header that we do not know */
    struct mesh_str done, mark_generation;                                           /* of a mark */
    uint64_t generation;
    struct mesh_header headers[MESH_DLQ_HEADERS_MAX];
    uint32_t n_headers;
};

/* What is kept of it. Texts live in the index. */
struct mesh_dlq_letter {
    struct mesh_dlq_id at;
    const char *topic, *stage, *code, *site;
    int32_t partition;
    uint32_t attempt;
    int64_t offset, time_us;
    uint64_t generation, identity;
    uint32_t bytes;
    int64_t cut; /* the value's length before it was cut; 0: whole */
    bool unknown;
    enum mesh_dlq_done done;
};

struct mesh_dlq_mark {
    uint64_t identity, generation;
    enum mesh_dlq_done done;
};

struct mesh_dlq_index {
    struct mesh_arena arena;
    struct mesh_map texts;
    MESH_VEC(struct mesh_dlq_letter) letters; /* after build(): by id, each identity once, as the filter says */
    MESH_VEC(struct mesh_dlq_mark) marks;
    uint64_t n_foreign; /* records that are neither letters nor marks */
};

/* ---- the broker ---- */
struct mesh_dlq_kafka {
    const struct mesh_dlq_options *options;
    struct mesh_kafka_security security;
    rd_kafka_t *consumer;
    const rd_kafka_metadata_t *metadata;
    char topic[256], retry[256]; /* mesh.<product>.dlq and .retry */
    int32_t n_partitions;        /* of the first */
    int64_t n_expired;           /* records of it that retention has deleted, as far as it was read */
    char refused[MESH_KAFKA_REFUSAL_MAX];
    struct sending *sending; /* while dlq_send.c sends */
};

/* Connects and looks for the topic. The caller calls close(), also after a failure. */
int mesh_dlq_kafka_open(struct mesh_dlq_kafka *kafka, const struct mesh_dlq_options *options, struct mesh_err *err);
void mesh_dlq_kafka_close(struct mesh_dlq_kafka *kafka);
/* The partitions of a topic, 0 when there is none. */
int32_t mesh_dlq_kafka_partitions(const struct mesh_dlq_kafka *kafka, const char *topic);
/* Settings that consumer and producer share. */
int mesh_dlq_kafka_conf(struct mesh_dlq_kafka *kafka, rd_kafka_conf_t **ret, struct mesh_err *err);
/* Sets why the broker is away or says no. Returns -1. */
int mesh_dlq_kafka_failed(struct mesh_dlq_kafka *kafka, const char *doing, rd_kafka_resp_err_t code, struct mesh_err *err);

/* Reads a partition from `from` to before `to`; negative: from its beginning, to the end it has now. What `each` returns ends it
 * unless 0, and is returned. */
typedef int mesh_dlq_each(void *context, const rd_kafka_message_t *message, struct mesh_err *err);
int mesh_dlq_kafka_read(struct mesh_dlq_kafka *kafka, int32_t partition, int64_t from, int64_t to, mesh_dlq_each *each,
                        void *context, struct mesh_err *err);

/* ---- records ---- */
enum mesh_dlq_kind { MESH_DLQ_FOREIGN, MESH_DLQ_LETTER, MESH_DLQ_MARK };
/* Of a key, value and headers as Kafka has them. */
enum mesh_dlq_kind mesh_dlq_record_read(struct mesh_dlq_record *ret, const struct mesh_header *headers, uint32_t n);
enum mesh_dlq_kind mesh_dlq_message_read(struct mesh_dlq_record *ret, const rd_kafka_message_t *message);
void mesh_dlq_identity(struct mesh_buf *out, const struct mesh_dlq_letter *letter);
/* NULL: it may be sent again. Otherwise why not. `partitions` is what its topic has now. */
const char *mesh_dlq_refusal(const struct mesh_dlq_letter *letter, int32_t partitions, char ret[MESH_ERR_TEXT_MAX]);
/* The headers of the return; texts are borrowed from the record. */
uint32_t mesh_dlq_return_headers(const struct mesh_dlq_record *record, struct mesh_header ret[MESH_DLQ_HEADERS_MAX + 5]);

/* ---- the index ---- */
bool mesh_dlq_matches(const struct mesh_dlq_options *options, const struct mesh_dlq_letter *letter);
int mesh_dlq_index_add(struct mesh_dlq_index *index, const struct mesh_dlq_options *options, const struct mesh_dlq_record *record,
                       enum mesh_dlq_kind kind, struct mesh_err *err);
/* After the last add(): leaves out copies and, unless options->all, what is done. */
void mesh_dlq_index_build(struct mesh_dlq_index *index, const struct mesh_dlq_options *options);
/* The whole topic. */
int mesh_dlq_index_read(struct mesh_dlq_index *index, struct mesh_dlq_kafka *kafka, struct mesh_err *err);
void mesh_dlq_index_deinit(struct mesh_dlq_index *index);

/* ---- commands ---- each returns the exit code, or negative with err */
int mesh_dlq_main(int argc, char **argv); /* argv[0] is "dlq"; always an exit code */
int mesh_dlq_list(struct mesh_dlq_kafka *kafka, struct mesh_dlq_index *index);
int mesh_dlq_show(struct mesh_dlq_kafka *kafka, struct mesh_dlq_index *index, struct mesh_err *err);
int mesh_dlq_send(struct mesh_dlq_kafka *kafka, struct mesh_dlq_index *index, struct mesh_err *err);

/* The value for people: decoded when its contract is below options->contracts, personal fields hidden unless options->clear. */
void mesh_dlq_show_value(struct mesh_buf *out, const struct mesh_dlq_options *options, const struct mesh_dlq_record *record);
/* A table, with the letters' state when asked for. */
void mesh_dlq_table(const struct mesh_dlq_letter *letters, size_t n, bool states);
/* "join.missing 10, avro.utf8 2", most frequent first. */
void mesh_dlq_codes(struct mesh_buf *out, const struct mesh_dlq_letter *letters, size_t n, bool json);
/* Text of others on a terminal: control characters as \xNN. */
void mesh_dlq_clean(struct mesh_buf *out, struct mesh_str text);
const char *mesh_dlq_done_text(enum mesh_dlq_done done);

/* "what: 12,000 of 40,000" on standard error, about once a second, when it takes longer than MESH_DLQ_PROGRESS_US. */
struct mesh_dlq_progress {
    const char *what;
    int64_t total, begun_us, said_us;
};
struct mesh_dlq_progress mesh_dlq_progress_begin(const char *what, int64_t total);
void mesh_dlq_progress_at(struct mesh_dlq_progress *progress, int64_t n);
void mesh_dlq_progress_end(struct mesh_dlq_progress *progress);

#endif
