/* The whole cluster's metadata is asked for in one call: asking by topic would make a broker that
 * creates topics on demand create them, with its partition count instead of ours. Only the embedded
 * broker, which has no admin API, is asked by topic for what is ours and missing. */
#include "io/kafka_link.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mesh_kafka_link {
    rd_kafka_t *rk;
    struct mesh_link_topic *topics;
    uint32_t n_topics;
    struct mesh_wake *wake;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct mesh_link_info info;
    bool stop;
};

/* True when it is time to end. */
static bool sleep_ms(struct mesh_kafka_link *link, int64_t ms)
{
    struct timespec at = mesh_wake_deadline(ms * 1000);
    pthread_mutex_lock(&link->lock);
    while (!link->stop && pthread_cond_timedwait(&link->cond, &link->lock, &at) == 0)
        ;
    bool stop = link->stop;
    pthread_mutex_unlock(&link->lock);
    return stop;
}

static bool stopping(struct mesh_kafka_link *link)
{
    pthread_mutex_lock(&link->lock);
    bool stop = link->stop;
    pthread_mutex_unlock(&link->lock);
    return stop;
}

static void set_phase(struct mesh_kafka_link *link, enum mesh_link_phase phase, const char *text)
{
    pthread_mutex_lock(&link->lock);
    link->info.phase = phase;
    link->info.away = false;
    snprintf(link->info.waiting_for, sizeof link->info.waiting_for, "%s", text);
    pthread_mutex_unlock(&link->lock);
    mesh_wake_ring(link->wake);
}

static void learn_cluster(struct mesh_kafka_link *link)
{
    char *id = rd_kafka_clusterid(link->rk, MESH_LINK_CALL_MS);
    pthread_mutex_lock(&link->lock);
    snprintf(link->info.cluster_id, sizeof link->info.cluster_id, "%s", id == NULL ? "" : id);
    link->info.embedded = id != NULL && strncmp(id, MESH_KAFKA_MOCK_PREFIX, strlen(MESH_KAFKA_MOCK_PREFIX)) == 0;
    pthread_mutex_unlock(&link->lock);
    if (id != NULL)
        rd_kafka_mem_free(link->rk, id);
}

static int32_t find(const struct rd_kafka_metadata *metadata, const char *topic)
{
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, topic) == 0)
            return metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR ? metadata->topics[i].partition_cnt : 0;
    return 0;
}

/* Fill `found`. Returns the first topic that is missing and not ours, else the first that is
 * missing, else NULL; false in *ret_ok: nobody answered. */
static const struct mesh_link_topic *look(struct mesh_kafka_link *link, bool *ret_ok)
{
    const struct rd_kafka_metadata *metadata = NULL;
    *ret_ok = rd_kafka_metadata(link->rk, 1, NULL, &metadata, MESH_LINK_CALL_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!*ret_ok)
        return NULL;
    const struct mesh_link_topic *foreign = NULL, *own = NULL;
    for (uint32_t i = 0; i < link->n_topics; i++) {
        struct mesh_link_topic *t = &link->topics[i];
        t->found = find(metadata, t->topic);
        if (t->found > 0)
            continue;
        if (t->ours && own == NULL)
            own = t;
        if (!t->ours && foreign == NULL)
            foreign = t;
    }
    rd_kafka_metadata_destroy(metadata);
    return foreign != NULL ? foreign : own;
}

static int32_t wanted(const struct mesh_kafka_link *link, const struct mesh_link_topic *t)
{
    int32_t n = t->partitions > 0 ? t->partitions : link->topics[t->like].found;
    for (uint32_t i = 0; t->most && i < link->n_topics; i++) {
        const struct mesh_link_topic *other = &link->topics[i];
        int32_t has = !other->counts ? 0 : other->found > 0 ? other->found : wanted(link, other);
        n = has > n ? has : n;
    }
    return n > 0 ? n : 1;
}

static rd_kafka_NewTopic_t *describe(const struct mesh_kafka_link *link, const struct mesh_link_topic *t)
{
    char text[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(t->topic, wanted(link, t), -1, text, sizeof text);
    if (topic == NULL)
        return NULL;
    if (t->compact)
        (void)rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "compact");
    else if (t->most) /* whatever the broker's own defaults are: nobody but the owner cuts a commit log */
        (void)rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "delete");
    if (t->most)
        (void)rd_kafka_NewTopic_set_config(topic, "retention.bytes", "-1");
    if (t->retention_ms != 0) {
        char ms[32];
        snprintf(ms, sizeof ms, "%lld", (long long)t->retention_ms);
        (void)rd_kafka_NewTopic_set_config(topic, "retention.ms", ms);
    }
    return topic;
}

/* 0, also when some exist already; 1: the broker cannot now; text in `why`. */
static int create_missing(struct mesh_kafka_link *link, char *why, size_t why_n)
{
    rd_kafka_NewTopic_t **topics = mesh_xcalloc(link->n_topics, sizeof(rd_kafka_NewTopic_t *));
    size_t n = 0;
    for (uint32_t i = 0; i < link->n_topics; i++) {
        rd_kafka_NewTopic_t *topic = NULL;
        if (link->topics[i].ours && link->topics[i].found == 0)
            topic = describe(link, &link->topics[i]);
        if (topic != NULL)
            topics[n++] = topic;
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(link->rk);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(link->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    char text[256];
    (void)rd_kafka_AdminOptions_set_request_timeout(options, MESH_LINK_CALL_MS, text, sizeof text);
    rd_kafka_CreateTopics(link->rk, topics, n, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 2 * MESH_LINK_CALL_MS);
    int result = 1;
    snprintf(why, why_n, "the broker did not answer");
    if (event != NULL && rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        snprintf(why, why_n, "%s", rd_kafka_event_error_string(event));
    } else if (event != NULL) {
        result = 0;
        size_t n_results = 0;
        const rd_kafka_topic_result_t **results =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n_results);
        for (size_t i = 0; i < n_results; i++) {
            rd_kafka_resp_err_t err = rd_kafka_topic_result_error(results[i]);
            if (err == RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
                continue;
            snprintf(why, why_n, "%s: %s", rd_kafka_topic_result_name(results[i]), rd_kafka_err2str(err));
            result = 1;
        }
    }
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy_array(topics, n);
    free(topics);
    return result;
}

/* The embedded broker makes a topic when its metadata is asked for. */
static void ask_for_missing(struct mesh_kafka_link *link)
{
    for (uint32_t i = 0; i < link->n_topics; i++) {
        if (!link->topics[i].ours || link->topics[i].found > 0)
            continue;
        rd_kafka_topic_conf_t *none = NULL;
        rd_kafka_topic_t *rkt = rd_kafka_topic_new(link->rk, link->topics[i].topic, none);
        const struct rd_kafka_metadata *metadata = NULL;
        if (rkt != NULL && rd_kafka_metadata(link->rk, 0, rkt, &metadata, MESH_LINK_CALL_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
            rd_kafka_metadata_destroy(metadata);
        if (rkt != NULL)
            rd_kafka_topic_destroy(rkt);
    }
}

/* 0 known, 1 not now. */
static int ask_group(struct mesh_kafka_link *link)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (uint32_t i = 0; i < link->n_topics; i++)
        for (int32_t p = 0; link->topics[i].read && p < link->topics[i].found; p++)
            rd_kafka_topic_partition_list_add(list, link->topics[i].topic, p);
    rd_kafka_resp_err_t err = rd_kafka_committed(link->rk, list, MESH_LINK_CALL_MS);
    bool any = false;
    for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++) {
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            err = list->elems[i].err;
        any = any || list->elems[i].offset >= 0;
    }
    struct mesh_lease_mark mark = mesh_lease_newest(list);
    rd_kafka_topic_partition_list_destroy(list);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 1;
    pthread_mutex_lock(&link->lock);
    link->info.group_has_offsets = any;
    link->info.mark = mark;
    pthread_mutex_unlock(&link->lock);
    return 0;
}

/* One attempt to come further. True: READY. */
static bool advance(struct mesh_kafka_link *link)
{
    bool ok = false;
    const struct mesh_link_topic *missing = look(link, &ok);
    if (!ok)
        return false;
    if (link->info.cluster_id[0] == '\0')
        learn_cluster(link);
    if (missing != NULL && !missing->ours) {
        set_phase(link, MESH_LINK_TOPICS, missing->topic);
        return false;
    }
    if (missing != NULL) {
        char why[200], text[300];
        if (link->info.embedded) {
            ask_for_missing(link);
        } else if (create_missing(link, why, sizeof why) != 0) {
            snprintf(text, sizeof text, "%.40s, which cannot be created: %.190s", missing->topic, why);
            set_phase(link, MESH_LINK_TOPICS, text);
        }
        return false;
    }
    if (ask_group(link) != 0)
        return false;
    set_phase(link, MESH_LINK_READY, "");
    return true;
}

/* After READY: sleep; while brokers are away, look whether one is back. */
static void watch(struct mesh_kafka_link *link)
{
    for (;;) {
        pthread_mutex_lock(&link->lock);
        while (!link->stop && !link->info.away)
            pthread_cond_wait(&link->cond, &link->lock);
        bool stop = link->stop;
        pthread_mutex_unlock(&link->lock);
        if (stop || sleep_ms(link, MESH_LINK_RETRY_MS))
            return;
        const struct rd_kafka_metadata *metadata = NULL;
        if (rd_kafka_metadata(link->rk, 0, NULL, &metadata, MESH_LINK_CALL_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
            continue;
        rd_kafka_metadata_destroy(metadata);
        pthread_mutex_lock(&link->lock);
        link->info.away = false;
        pthread_mutex_unlock(&link->lock);
        mesh_wake_ring(link->wake);
    }
}

static void *run(void *context)
{
    struct mesh_kafka_link *link = context;
    int quick = 0;
    while (!stopping(link)) {
        if (advance(link)) {
            watch(link);
            break;
        }
        /* After a first answer the next one comes soon: topics that were just made. */
        if (sleep_ms(link, quick++ < 5 ? 20 : MESH_LINK_RETRY_MS))
            break;
    }
    return NULL;
}

struct mesh_kafka_link *mesh_link_start(rd_kafka_t *rk, struct mesh_link_topic *topics, uint32_t n_topics, struct mesh_wake *wake)
{
    struct mesh_kafka_link *link = mesh_xcalloc(1, sizeof *link);
    link->rk = rk;
    link->topics = topics;
    link->n_topics = n_topics;
    link->wake = wake;
    mesh_assert(pthread_mutex_init(&link->lock, NULL) == 0);
    mesh_wake_cond_init(&link->cond);
    mesh_assert(pthread_create(&link->thread, NULL, run, link) == 0);
    return link;
}

void mesh_link_info(struct mesh_kafka_link *link, struct mesh_link_info *ret)
{
    pthread_mutex_lock(&link->lock);
    *ret = link->info;
    pthread_mutex_unlock(&link->lock);
}

void mesh_link_away(struct mesh_kafka_link *link)
{
    pthread_mutex_lock(&link->lock);
    link->info.away = true;
    pthread_cond_signal(&link->cond);
    pthread_mutex_unlock(&link->lock);
}

struct mesh_kafka_link *mesh_link_stop(struct mesh_kafka_link *link)
{
    if (link == NULL)
        return NULL;
    pthread_mutex_lock(&link->lock);
    link->stop = true;
    pthread_cond_signal(&link->cond);
    pthread_mutex_unlock(&link->lock);
    pthread_join(link->thread, NULL);
    pthread_cond_destroy(&link->cond);
    pthread_mutex_destroy(&link->lock);
    free(link);
    return NULL;
}
