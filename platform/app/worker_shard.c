/* A shard's state is in Kafka: claim its log, read it, go on. What is refused here would give wrong answers: a log that is older than what
 * others were told of it, or that belongs to another product or generation. */
#include "app/worker_int.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

#define CALL_MS 3000

struct mesh_lease_mark mesh_worker_mark(const struct mesh_worker *worker)
{
    struct mesh_lease_mark mark = {.generation = mesh_engine_generation(worker->engine), .n = mesh_engine_commits(worker->engine)};
    size_t n = 0;
    const char(*claims)[MESH_ENGINE_CLAIM_TEXT] = mesh_engine_claims(worker->engine, &n);
    if (n > 0)
        memcpy(mark.claim, claims[n - 1], sizeof mark.claim);
    return mark;
}

/* Inputs of which this shard alone reads partition `shard`; for a topic that every shard reads, the first one speaks. */
static bool speaks_for(const struct mesh_worker *worker, uint32_t input, int32_t partition)
{
    return worker->product->inputs[input].copy_all ? worker->shard.shard == 0 : partition == worker->shard.shard;
}

void mesh_worker_positions(struct mesh_worker *worker, struct rd_kafka_topic_partition_list_s *list)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    pthread_mutex_lock(&worker->lock);
    const struct mesh_worker_status *status = &worker->status;
    if (status->mark.claim[0] != '\0')
        mesh_lease_mark_write(&status->mark, &text);
    for (size_t i = 0; text.n > 0 && i < status->sources.n; i++) {
        const struct mesh_source_info *s = &status->sources.v[i];
        const char *topic = worker->product->inputs[s->input].topic;
        if (!speaks_for(worker, s->input, s->partition) || rd_kafka_topic_partition_list_find(list, topic, s->partition) != NULL)
            continue;
        rd_kafka_topic_partition_t *to = rd_kafka_topic_partition_list_add(list, topic, s->partition);
        to->offset = s->position < 0 ? 0 : s->position;
        to->metadata = strdup(text.p); /* librdkafka frees it */
        to->metadata_size = to->metadata == NULL ? 0 : text.n;
    }
    pthread_mutex_unlock(&worker->lock);
}

/* What the group was told of this shard last. Best effort: a broker that does not answer now has refused nothing. */
static struct mesh_lease_mark told_before(struct mesh_worker *worker)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    for (uint32_t i = 0; i < worker->product->n_inputs; i++) {
        const struct mesh_link_topic *topic = &worker->topics[worker->topic_of_input[i]];
        if (!worker->product->inputs[i].copy_all && worker->shard.shard < topic->found &&
            rd_kafka_topic_partition_list_find(list, topic->topic, worker->shard.shard) == NULL)
            rd_kafka_topic_partition_list_add(list, topic->topic, worker->shard.shard);
    }
    struct mesh_lease_mark mark = {0};
    if (list->cnt > 0 && rd_kafka_committed(mesh_kafka_source_client(worker->source), list, CALL_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
        mark = mesh_lease_newest(list);
    rd_kafka_topic_partition_list_destroy(list);
    return mark;
}

static int check_generation(const struct mesh_worker *worker, struct mesh_err *err)
{
    uint64_t agreed = mesh_kafka_log_generation(worker->kafka_log);
    uint64_t own = mesh_engine_generation(worker->engine);
    if (own == agreed)
        return 0;
    return mesh_err_set(err, MESH_ERR_FATAL, "state.generation",
                        "shard %" PRId32 " of %s is of generation %" PRIu64 ", shard 0 of %" PRIu64
                        ": parts of the topic were deleted or restored. Stop all instances, delete the topic, and begin anew with "
                        "MESH_STATE_RESET=1",
                        worker->shard.shard, worker->shard.topic, own, agreed);
}

static int check_told(const struct mesh_worker *worker, const struct mesh_lease_mark *told, struct mesh_err *err)
{
    uint64_t n = mesh_engine_commits(worker->engine);
    if (told->claim[0] == '\0' || told->generation != mesh_engine_generation(worker->engine) || told->n <= n)
        return 0;
    return mesh_err_set(
        err, MESH_ERR_FATAL, "state.stale",
        "the log of shard %" PRId32 " in %s ends with commit %" PRIu64 ", and group '%s' has heard of commit %" PRIu64
        ": its end was lost (an unclean leader election?), and going on would give messages of before new contents. Stop all "
        "instances, delete the topic, and begin anew with MESH_STATE_RESET=1",
        worker->shard.shard, worker->shard.topic, n, worker->group, told->n);
}

int mesh_worker_open_shard(struct mesh_worker *worker, struct mesh_err *err)
{
    struct mesh_kafka_log_conf conf = {.kafka = &worker->kafka,
                                       .topic = worker->shard.topic,
                                       .partition = worker->shard.shard,
                                       .owner = worker->config->http_url,
                                       .generation = (uint64_t)(mesh_clock_wall_us() / 1000000),
                                       .stop = &worker->stop};
    if (mesh_kafka_log_open(&conf, &worker->kafka_log, err) < 0)
        return -1;
    worker->journal = mesh_kafka_log_journal(worker->kafka_log);
    return 0;
}

int mesh_worker_follow(struct mesh_worker *worker, struct mesh_err *err)
{
    if (worker->known.cluster_id[0] == '\0')
        mesh_known_set(&worker->known, worker->link_info.cluster_id, worker->topics, worker->n_topics);
    if (worker->restoring == NULL) {
        worker->frames_read = 0;
        if (mesh_worker_build_engine(worker, (uint64_t)(mesh_clock_wall_us() / 1000000), &worker->restoring, err) < 0)
            return -1;
    }
    int r = mesh_kafka_log_follow(worker->kafka_log, mesh_worker_restore_frame, worker, err);
    if (r == MESH_JOURNAL_AGAIN || r < 0)
        worker->restoring = mesh_engine_free(worker->restoring);
    return r < 0 ? -1 : 0;
}

int mesh_worker_take_over(struct mesh_worker *worker, struct mesh_err *err)
{
    int64_t begun_us = mesh_clock_mono_us();
    mesh_known_set(&worker->known, worker->link_info.cluster_id, worker->topics, worker->n_topics);
    struct mesh_lease_mark told = told_before(worker); /* before the claim: what is told later, the log has */
    int64_t told_us = mesh_clock_mono_us();
    int r = mesh_kafka_log_claim(worker->kafka_log, err);
    int64_t claimed_us = mesh_clock_mono_us();
    if (worker->frames_read == 0) /* nothing was followed: the engine must begin with the generation that was agreed on */
        worker->restoring = mesh_engine_free(worker->restoring);
    if (r != 0)
        return r;
    do {
        r = mesh_worker_restore(worker, mesh_kafka_log_generation(worker->kafka_log), err);
    } while (r == MESH_JOURNAL_AGAIN);
    if (r != 0)
        return r;
    if (check_generation(worker, err) < 0 || check_told(worker, &told, err) < 0 || mesh_worker_begin_log(worker, err) < 0)
        return -1;
    char shard[16], epoch[32], ms[32], told_ms[32], claim_ms[32];
    snprintf(shard, sizeof shard, "%" PRId32, worker->shard.shard);
    snprintf(epoch, sizeof epoch, "%" PRId64, mesh_kafka_log_epoch(worker->kafka_log));
    snprintf(ms, sizeof ms, "%lld", (long long)(mesh_clock_mono_us() - begun_us) / 1000);
    snprintf(told_ms, sizeof told_ms, "%lld", (long long)(told_us - begun_us) / 1000);
    snprintf(claim_ms, sizeof claim_ms, "%lld", (long long)(claimed_us - told_us) / 1000);
    mesh_log(MESH_LOG_INFO, "took over a shard", "product", worker->name, "shard", shard, "epoch", epoch, "ms", ms, "group_ms",
             told_ms, "claim_ms", claim_ms, NULL);
    return 0;
}
