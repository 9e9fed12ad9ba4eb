/* One product at work: a thread that owns its engine, and everything around it.
 *
 *     main thread             the worker's thread                       other threads
 *     -----------             -------------------                       -------------
 *     mesh_worker_new()       open and restore happened in new()
 *     mesh_worker_start() --> source, link                              link: broker, topics
 *                             broker known: check, (build,) claim, join
 *     mesh_worker_ask() ----> between two records                       HTTP threads ask, and do not wait
 *                             records -> engine -> commit ------------> committer: fdatasync
 *                             durable: messages, documents -----------> librdkafka, MongoDB writer
 *     mesh_worker_stop() ---> drain, final commit, leave
 *
 * The thread never blocks on disk, Kafka or MongoDB; with nothing to do it sleeps until something
 * rings. Reads are answered as soon as a state is loaded, whether or not there is a broker.
 */
#ifndef MESH_APP_WORKER_H
#define MESH_APP_WORKER_H

#include "app/config.h"
#include "http/live.h"
#include "http/question.h"

#define MESH_WORKER_QUESTIONS_US INT64_C(500) /* of questions in one go */
#define MESH_WORKER_DRAIN_US     INT64_C(8000000)

enum mesh_worker_phase {
    MESH_WORKER_LOADING, /* the state is being restored */
    MESH_WORKER_WAITING, /* nothing to restore; the engine is made when the broker answers */
    MESH_WORKER_LOADED,  /* restored, the broker has not answered yet */
    MESH_WORKER_RUNNING,
    MESH_WORKER_DRAINING,
    MESH_WORKER_STOPPED,
    MESH_WORKER_FAILED,
};

struct mesh_worker;

/* A product whose state is in Kafka has a worker for each shard (app/members.h): the tasks of one partition. */
struct mesh_worker_shard {
    int32_t shard, n_shards;
    const char *topic; /* of the commit logs; borrowed */
    bool standby;      /* reads along until it is promoted, and is not the owner meanwhile */
};

/* Opens and restores the state; that of a shard is opened on its thread. An error here is for the operator: exit 2. `shard`: NULL for all of
 * the product. */
int mesh_worker_new(const struct mesh_product *product, const struct mesh_config *config, struct mesh_str pseudonym_key,
                    struct mesh_metrics *metrics, const struct mesh_worker_shard *shard, struct mesh_worker **ret,
                    struct mesh_err *err);
/* Before the start: where its events are told, and as which product of the service. */
void mesh_worker_tell(struct mesh_worker *worker, struct mesh_http_live *live, uint32_t product);
/* `ended` is called on the worker's thread when it has stopped or failed. */
void mesh_worker_start(struct mesh_worker *worker, void (*ended)(void *context), void *context);
/* Ask it to drain and stop; returns at once. */
void mesh_worker_stop(struct mesh_worker *worker);
/* A standby: the shard is to be owned from now on. */
void mesh_worker_promote(struct mesh_worker *worker);
/* As stop, and drops what is not durable: the shard belongs to somebody else already. */
void mesh_worker_abandon(struct mesh_worker *worker);
/* Any thread: where the shard stands in what it reads, each with a mark, appended to `list` (io/kafka_lease.h). */
struct rd_kafka_topic_partition_list_s;
void mesh_worker_positions(struct mesh_worker *worker, struct rd_kafka_topic_partition_list_s *list);
enum mesh_worker_phase mesh_worker_phase(struct mesh_worker *worker);
/* Once it has stopped: it wants the process to begin anew, under another role (flow/role.h). */
bool mesh_worker_again(const struct mesh_worker *worker);
/* Leave in the folder of its state where it is served. */
void mesh_worker_tell_address(struct mesh_worker *worker, struct mesh_str address);
/* Why it failed. */
void mesh_worker_error(struct mesh_worker *worker, struct mesh_err *ret);
/* Any thread: takes the question and answers it on the worker's thread, or at once when it has ended or there are too many. */
void mesh_worker_ask(struct mesh_worker *worker, struct mesh_http_question *question);
/* Any thread: append this product's part of /readyz (a JSON object). True: ready. `degraded` is set
 * when something outside is away or a part has stopped. */
bool mesh_worker_ready(struct mesh_worker *worker, struct mesh_buf *out, bool *degraded);
/* Whether the thread has gone round its loop within the last seconds. */
bool mesh_worker_alive(struct mesh_worker *worker);
/* After it has ended. Takes NULL. */
struct mesh_worker *mesh_worker_free(struct mesh_worker *worker);

#endif
