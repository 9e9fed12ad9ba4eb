/* The group, seen from one member. Everything here runs on the members' thread; what takes long is asked through a queue. */
#include "app/members_int.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH        16
#define CALL_MS      1000
#define LOOK_US      INT64_C(500000)   /* who owns what */
#define TELL_US      INT64_C(1000000)  /* where the shards are */
#define COUNT_US     INT64_C(10000000) /* whether topics have grown */
#define AGAIN_US     INT64_C(200000)
#define REBALANCE_MS "60000" /* how long others wait for a member that drains */

static void ring(rd_kafka_t *rk, void *opaque)
{
    (void)rk;
    mesh_wake_ring(&((struct mesh_members *)opaque)->wake);
}

void mesh_members_fail(struct mesh_members *members, const struct mesh_err *err)
{
    pthread_mutex_lock(&members->lock);
    if (!members->failed)
        members->err = *err;
    members->failed = true;
    pthread_mutex_unlock(&members->lock);
}

static void fail(struct mesh_members *members, const char *code, const char *text)
{
    struct mesh_err err;
    mesh_err_set(&err, MESH_ERR_FATAL, code, "group '%s': %s", members->group, text);
    mesh_members_fail(members, &err);
}

static void look_at_fatal(struct mesh_members *members)
{
    char text[256];
    rd_kafka_resp_err_t err = rd_kafka_fatal_error(members->rk, text, sizeof text);
    if (err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
        fail(
            members, "group.fenced",
            "another instance has joined under the same MESH_INSTANCE; give each its own name. This one stops and sends nothing more");
    else if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(members, "kafka.fatal", text);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    struct mesh_members *members = opaque;
    if (code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
        look_at_fatal(members);
    } else if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !members->away && !members->closing) {
        members->away = true;
        if (members->link != NULL)
            mesh_link_away(members->link);
        mesh_log(MESH_LOG_WARN, "no broker can be reached; waits", "product", members->name, "brokers",
                 members->config->kafka_brokers, "why", reason, NULL);
    }
}

/* ---- what is given and taken ---- */
static void set_given(struct mesh_members *members, const rd_kafka_topic_partition_list_t *list, bool given)
{
    pthread_mutex_lock(&members->lock);
    for (int i = 0; i < list->cnt; i++) {
        int32_t p = list->elems[i].partition;
        if (p < 0 || p >= members->n_shards)
            continue;
        members->shards[p].given = given;
        members->shards[p].confirmed = false;
        members->shards[p].not_before_us = 0;
    }
    members->has_assignment = true;
    pthread_mutex_unlock(&members->lock);
}

static void say(const struct mesh_members *members, const char *what, const rd_kafka_topic_partition_list_t *list)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_puts(&text, "");
    for (int i = 0; i < list->cnt; i++)
        mesh_buf_printf(&text, "%s%" PRId32, i == 0 ? "" : ",", list->elems[i].partition);
    if (list->cnt > 0)
        mesh_log(MESH_LOG_INFO, what, "product", members->name, "shards", text.p, NULL);
}

/* Assigned, so that the group goes on, at its end and paused: the members read nothing of it. */
static void take(struct mesh_members *members, rd_kafka_topic_partition_list_t *given)
{
    for (int i = 0; i < given->cnt; i++)
        given->elems[i].offset = RD_KAFKA_OFFSET_END;
    rd_kafka_error_t *error = rd_kafka_incremental_assign(members->rk, given);
    if (error != NULL) {
        fail(members, "kafka.assign", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        return;
    }
    (void)rd_kafka_pause_partitions(members->rk, given);
    say(members, "the group gives it shards", given);
    set_given(members, given, true);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct mesh_members *members = opaque;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !members->closing) {
        take(members, list);
        return;
    }
    if (code != RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        (void)rd_kafka_assign(rk, NULL);
        return;
    }
    if (members->revoked == NULL)
        members->revoked = rd_kafka_topic_partition_list_new(list->cnt);
    for (int i = 0; i < list->cnt; i++)
        if (rd_kafka_topic_partition_list_find(members->revoked, list->elems[i].topic, list->elems[i].partition) == NULL)
            rd_kafka_topic_partition_list_add(members->revoked, list->elems[i].topic, list->elems[i].partition);
    members->lost = rd_kafka_assignment_lost(rk) != 0;
    say(members, members->lost ? "the group has given its shards to others" : "the group takes shards back", list);
    set_given(members, list, false);
}

void mesh_members_let_go(struct mesh_members *members)
{
    if (members->revoked == NULL)
        return;
    for (int i = 0; i < members->revoked->cnt; i++) {
        int32_t p = members->revoked->elems[i].partition;
        if (p >= 0 && p < members->n_shards && members->shards[p].worker != NULL && !members->shards[p].standby)
            return;
    }
    rd_kafka_error_t *error = rd_kafka_incremental_unassign(members->rk, members->revoked);
    if (error != NULL) {
        mesh_log(MESH_LOG_WARN, "shards could not be let go one by one; lets all go", "product", members->name, "why",
                 rd_kafka_error_string(error), NULL);
        rd_kafka_error_destroy(error);
        (void)rd_kafka_assign(members->rk, NULL);
    }
    rd_kafka_topic_partition_list_destroy(members->revoked);
    members->revoked = NULL;
}

/* ---- joining and leaving ---- */
int mesh_members_connect(struct mesh_members *members, struct mesh_err *err)
{
    rd_kafka_conf_t *rc = rd_kafka_conf_new();
    if (mesh_kafka_set_common(rc, &members->kafka, err) < 0) {
        rd_kafka_conf_destroy(rc);
        return -1;
    }
    mesh_kafka_set(rc, "group.id", members->group);
    if (members->config->instance[0] != '\0')
        mesh_kafka_set(rc, "group.instance.id", members->config->instance);
    mesh_kafka_set_long(rc, "session.timeout.ms", members->config->kafka_session_timeout_ms);
    mesh_kafka_set_long(rc, "heartbeat.interval.ms", members->config->kafka_session_timeout_ms / 10);
    mesh_kafka_set(rc, "max.poll.interval.ms", members->config->kafka_session_timeout_ms > 60000 ? "300000" : REBALANCE_MS);
    mesh_kafka_set(rc, "partition.assignment.strategy", "cooperative-sticky");
    mesh_kafka_set(rc, "enable.auto.commit", "false");
    mesh_kafka_set(rc, "enable.auto.offset.store", "false");
    mesh_kafka_set(rc, "auto.offset.reset", "latest");
    mesh_kafka_set(rc, "allow.auto.create.topics", "false");
    mesh_kafka_set(rc, "queued.max.messages.kbytes", "1024");
    rd_kafka_conf_set_opaque(rc, members);
    rd_kafka_conf_set_rebalance_cb(rc, on_rebalance);
    rd_kafka_conf_set_error_cb(rc, on_error);
    char text[256];
    members->rk = rd_kafka_new(RD_KAFKA_CONSUMER, rc, text, sizeof text);
    if (members->rk == NULL) {
        rd_kafka_conf_destroy(rc);
        return mesh_err_set(err, MESH_ERR_FATAL, "kafka.client", "cannot make a Kafka consumer: %s", text);
    }
    rd_kafka_poll_set_consumer(members->rk);
    members->queue = rd_kafka_queue_get_consumer(members->rk);
    members->answers = rd_kafka_queue_new(members->rk);
    rd_kafka_queue_cb_event_enable(members->queue, ring, members);
    rd_kafka_queue_cb_event_enable(members->answers, ring, members);
    return 0;
}

/* Whether nothing was ever written to the state's topic. 0, 1: it is so; 2: nobody answers; */
static int never_written(struct mesh_members *members)
{
    for (int32_t p = 0; p < members->n_shards; p++) {
        int64_t low = 0;
        int64_t high = 0;
        if (rd_kafka_query_watermark_offsets(members->rk, members->topic, p, &low, &high, 3 * CALL_MS) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
            return 2;
        if (high > 0)
            return 0;
    }
    return 1;
}

/* State is never begun anew in silence, and never thrown away here. */
static int check_state(struct mesh_members *members, struct mesh_err *err)
{
    int never = never_written(members);
    if (never == 2)
        return 1;
    if (never == 1 && members->link_info.group_has_offsets && !members->config->state_reset)
        return mesh_err_set(
            err, MESH_ERR_FATAL, "state.lost",
            "group '%s' has committed offsets on this cluster, but topic %s is empty: the state is lost, or it is in a "
            "folder (MESH_STATE=file), and going on without it would give wrong answers. Go on with what holds the state, or begin "
            "anew from the earliest records with MESH_STATE_RESET=1",
            members->group, members->topic);
    if (never == 0 && members->config->state_reset)
        return mesh_err_set(
            err, MESH_ERR_FATAL, "state.reset",
            "MESH_STATE_RESET: the state is in topic %s, which other instances may be using: stop all of them, delete the "
            "topic, and start again; when it has begun anew, unset MESH_STATE_RESET",
            members->topic);
    return 0;
}

int mesh_members_subscribe(struct mesh_members *members, struct mesh_err *err)
{
    int r = check_state(members, err);
    if (r != 0)
        return r;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, members->topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(members->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return mesh_err_set(err, MESH_ERR_FATAL, "kafka.subscribe", "cannot join the group '%s': %s", members->group,
                            rd_kafka_err2str(code));
    members->subscribed = true;
    mesh_log(MESH_LOG_INFO, "broker found, joins its group", "product", members->name, "cluster", members->link_info.cluster_id,
             "group", members->group, NULL);
    return 0;
}

void mesh_members_leave(struct mesh_members *members)
{
    if (members->closing)
        return;
    members->closing = true;
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(members->rk, members->queue);
    if (error != NULL)
        rd_kafka_error_destroy(error);
}

bool mesh_members_left(const struct mesh_members *members)
{
    return rd_kafka_consumer_closed(members->rk) != 0;
}

void mesh_members_disconnect(struct mesh_members *members)
{
    if (members->revoked != NULL)
        rd_kafka_topic_partition_list_destroy(members->revoked);
    members->revoked = NULL;
    if (members->queue != NULL) {
        rd_kafka_queue_cb_event_enable(members->queue, NULL, NULL);
        rd_kafka_queue_destroy(members->queue);
    }
    if (members->answers != NULL) {
        rd_kafka_queue_cb_event_enable(members->answers, NULL, NULL);
        rd_kafka_queue_destroy(members->answers);
    }
    if (members->rk != NULL)
        rd_kafka_destroy_flags(members->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    members->rk = NULL;
}

/* ---- offsets ---- */
static void add_owner(const struct mesh_members *members, rd_kafka_topic_partition_list_t *list, int32_t shard)
{
    rd_kafka_topic_partition_t *to = rd_kafka_topic_partition_list_add(list, members->topic, shard);
    to->offset = 0;
    to->metadata = strdup(members->config->http_url); /* librdkafka frees it */
    to->metadata_size = to->metadata == NULL ? 0 : strlen(members->config->http_url);
}

void mesh_members_confirm(struct mesh_members *members, int32_t shard)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    add_owner(members, list, shard);
    members->shards[shard].asked = true;
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(members->rk, list, members->answers, NULL, (void *)(uintptr_t)(shard + 1));
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        members->shards[shard].asked = false;
}

static void answered(struct mesh_members *members, rd_kafka_event_t *event)
{
    uintptr_t opaque = (uintptr_t)rd_kafka_event_opaque(event);
    if (opaque == 0 || opaque > (uintptr_t)members->n_shards)
        return;
    struct mesh_members_shard *shard = &members->shards[opaque - 1];
    shard->asked = false;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && list != NULL && i < list->cnt; i++)
        code = list->elems[i].err;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        shard->confirmed = shard->given;
    else
        shard->not_before_us = mesh_clock_mono_us() + AGAIN_US;
}

bool mesh_members_poll(struct mesh_members *members)
{
    rd_kafka_message_t *messages[BATCH];
    bool any = false;
    ssize_t n = rd_kafka_consume_batch_queue(members->queue, 0, messages, BATCH);
    for (ssize_t i = 0; i < n; i++) {
        if (messages[i]->err == RD_KAFKA_RESP_ERR__FATAL)
            look_at_fatal(members);
        else if (messages[i]->err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)
            fail(members, "kafka.denied", rd_kafka_message_errstr(messages[i]));
        rd_kafka_message_destroy(messages[i]);
        any = true;
    }
    look_at_fatal(members); /* nobody is called for every one of them */
    for (rd_kafka_event_t *event; (event = rd_kafka_queue_poll(members->answers, 0)) != NULL; any = true) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT)
            answered(members, event);
        rd_kafka_event_destroy(event);
    }
    return any;
}

/* ---- now and then ---- */
static bool holds_all(const struct mesh_members *members)
{
    for (int32_t p = 0; p < members->n_shards; p++)
        if (!members->shards[p].given)
            return false;
    return true;
}

static void look_for_owners(struct mesh_members *members)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(members->n_shards);
    for (int32_t p = 0; p < members->n_shards; p++)
        rd_kafka_topic_partition_list_add(list, members->topic, p);
    if (rd_kafka_committed(members->rk, list, CALL_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        pthread_mutex_lock(&members->lock);
        for (int i = 0; i < list->cnt; i++) {
            const rd_kafka_topic_partition_t *at = &list->elems[i];
            bool known = at->err == RD_KAFKA_RESP_ERR_NO_ERROR && at->metadata_size > 0 && at->metadata_size < MESH_MEMBERS_URL_MAX;
            snprintf(members->shards[at->partition].url, MESH_MEMBERS_URL_MAX, "%.*s", known ? (int)at->metadata_size : 0,
                     known ? (const char *)at->metadata : "");
        }
        pthread_mutex_unlock(&members->lock);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static void tell_positions(struct mesh_members *members)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (int32_t p = 0; p < members->n_shards; p++)
        if (members->shards[p].worker != NULL && members->shards[p].given && !members->shards[p].leaving)
            mesh_worker_positions(members->shards[p].worker, list);
    if (list->cnt > 0)
        (void)rd_kafka_commit(members->rk, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Never a silent rehash: what lies in new partitions is not read, and everybody is told. */
static void count_partitions(struct mesh_members *members)
{
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(members->rk, 1, NULL, &metadata, CALL_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    char text[sizeof members->grown] = "";
    for (uint32_t i = 0; i < members->n_topics; i++) {
        const struct mesh_link_topic *t = &members->topics[i];
        for (int k = 0; (t->read || t->most) && k < metadata->topic_cnt; k++)
            if (strcmp(metadata->topics[k].topic, t->topic) == 0 && metadata->topics[k].err == RD_KAFKA_RESP_ERR_NO_ERROR &&
                metadata->topics[k].partition_cnt != t->found)
                snprintf(
                    text, sizeof text,
                    "%.120s has %d partitions now and had %d: keys lie elsewhere, and the new ones are not read. Records in them wait; "
                    "begin anew (docs/OPERATIONS.md, \"More partitions\")",
                    t->topic, metadata->topics[k].partition_cnt, (int)t->found);
    }
    rd_kafka_metadata_destroy(metadata);
    if (text[0] != '\0' && strcmp(text, members->grown) != 0)
        mesh_log(MESH_LOG_ERROR, text, "product", members->name, NULL);
    pthread_mutex_lock(&members->lock);
    memcpy(members->grown, text, sizeof text);
    pthread_mutex_unlock(&members->lock);
}

void mesh_members_look(struct mesh_members *members, int64_t now_us)
{
    if (!members->subscribed || members->away || members->closing)
        return;
    if (now_us - members->told_us >= TELL_US) {
        members->told_us = now_us;
        tell_positions(members);
    }
    if (!holds_all(members) && now_us - members->looked_us >= LOOK_US) {
        look_for_owners(members);
        members->looked_us = mesh_clock_mono_us();
    }
    if (now_us - members->counted_us >= COUNT_US) {
        count_partitions(members);
        members->counted_us = mesh_clock_mono_us();
    }
}
