/* The thread that opens and closes shards. It owns the pointers to their workers; others use them under the lock. */
#include "app/members_int.h"

#include "base/clock.h"
#include "base/json.h"
#include "flow/erase.h"
#include "flow/retry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SLEEP_US INT64_C(100000)
#define SOON_US  INT64_C(5000)
#define AGAIN_US INT64_C(500000) /* a shard that had to be closed is not opened again before */
#define LEAVE_US (MESH_WORKER_DRAIN_US + INT64_C(1000000))
#define ALIVE_US INT64_C(30000000)

static char *joined(const char *before, const char *between, const struct mesh_product *product, const char *after)
{
    struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_printf(&text, "%s%s%s%s%s", before, product->domain, between, product->name, after);
    return mesh_buf_take(&text);
}

static void set_phase(struct mesh_members *members, enum mesh_worker_phase phase)
{
    pthread_mutex_lock(&members->lock);
    members->phase = phase;
    pthread_mutex_unlock(&members->lock);
}

/* ---- making ---- */
/* The topics of a worker, and the state's own. */
static void list_topics(struct mesh_members *members)
{
    struct mesh_arena arena = MESH_ARENA_NULL;
    struct mesh_worker lister = {.product = mesh_flow_with_erasure(&arena, mesh_flow_with_retry(&arena, members->product))};
    mesh_worker_list_topics(&lister);
    members->topics = mesh_xcalloc(lister.n_topics + 1, sizeof *members->topics);
    memcpy(members->topics, lister.topics, lister.n_topics * sizeof *members->topics);
    members->n_topics = lister.n_topics;
    for (uint32_t i = 0; i < lister.product->n_inputs; i++)
        if (!lister.product->inputs[i].copy_all)
            members->topics[lister.topic_of_input[i]].counts = true;
    members->topics[members->n_topics++] =
        (struct mesh_link_topic){.topic = members->topic, .ours = true, .most = true, .retention_ms = -1};
    free(lister.topics);
    free(lister.reads);
    free(lister.topic_of_input);
    members->arena = arena;
}

int mesh_members_new(const struct mesh_product *product, uint32_t index, const struct mesh_config *config,
                     struct mesh_str pseudonym_key, struct mesh_metrics *metrics, struct mesh_members **ret, struct mesh_err *err)
{
    struct mesh_members *members = mesh_xcalloc(1, sizeof *members);
    members->product = product;
    members->index = index;
    members->config = config;
    members->pseudonym_key = pseudonym_key;
    members->metrics = metrics;
    mesh_assert(pthread_mutex_init(&members->lock, NULL) == 0);
    mesh_wake_init(&members->wake);
    if (!config->state_kafka) {
        if (mesh_worker_new(product, config, pseudonym_key, metrics, NULL, &members->whole, err) < 0) {
            mesh_members_free(members);
            return -1;
        }
        *ret = members;
        return 0;
    }
    members->name = joined("", "/", product, "");
    members->group = joined("mesh.", ".", product, "");
    members->topic = joined("mesh.", ".", product, ".state");
    members->phase = MESH_WORKER_WAITING;
    members->kafka = (struct mesh_kafka_conf){.brokers = config->kafka_brokers,
                                              .security = &config->kafka_security,
                                              .group = members->group,
                                              .client = members->name,
                                              .wake = &members->wake};
    members->m_held = mesh_metric_gauge(metrics, "mesh_shards_held", "Shards of the product that this instance works on", "product",
                                        members->name, NULL);
    list_topics(members);
    if (mesh_members_connect(members, err) < 0) {
        mesh_members_free(members);
        return -1;
    }
    *ret = members;
    return 0;
}

/* ---- the broker ---- */
static int32_t found(const struct mesh_members *members, const char *topic)
{
    for (uint32_t i = 0; i < members->n_topics; i++)
        if (strcmp(members->topics[i].topic, topic) == 0)
            return members->topics[i].found;
    return 0;
}

static int count_shards(struct mesh_members *members, struct mesh_err *err)
{
    int32_t *inputs = mesh_xcalloc(members->product->n_inputs + 1, sizeof *inputs);
    for (uint32_t i = 0; i < members->product->n_inputs; i++)
        inputs[i] = found(members, members->product->inputs[i].topic);
    int32_t n = mesh_engine_n_shards(members->product, inputs);
    int32_t has = found(members, members->topic);
    const char *largest = "";
    for (uint32_t i = 0; i < members->product->n_inputs; i++)
        if (inputs[i] == n && !members->product->inputs[i].copy_all)
            largest = members->product->inputs[i].topic;
    if (n != has) {
        free(inputs);
        return mesh_err_set(
            err, MESH_ERR_FATAL, "partitions.changed",
            "%s has %d partitions, one for each shard, and %s has %d now: keys lie in other partitions than their state. "
            "Give the topics the number they had, or begin anew: stop all instances, delete %s, and start one with "
            "MESH_STATE_RESET=1",
            members->topic, (int)has, largest, (int)n, members->topic);
    }
    pthread_mutex_lock(&members->lock);
    members->inputs = inputs;
    members->shards = mesh_xcalloc((size_t)n + 1, sizeof *members->shards);
    members->n_shards = n;
    pthread_mutex_unlock(&members->lock);
    return 0;
}

static int look_at_link(struct mesh_members *members, struct mesh_err *err)
{
    mesh_link_info(members->link, &members->link_info);
    const struct mesh_link_info *info = &members->link_info;
    if (members->away && !info->away && info->phase != MESH_LINK_BROKER) {
        members->away = false;
        mesh_log(MESH_LOG_INFO, "the broker is back", "product", members->name, NULL);
    }
    if (info->phase != MESH_LINK_READY || members->subscribed)
        return 0;
    if (info->embedded)
        return mesh_err_set(
            err, MESH_ERR_FATAL, "config.state",
            "MESH_STATE=kafka needs a real Kafka, and %s is the embedded broker, which keeps the last 5 MB of a partition",
            members->config->kafka_brokers);
    if (members->n_shards == 0 && count_shards(members, err) < 0)
        return -1;
    int r = mesh_members_subscribe(members, err);
    if (r == 0)
        set_phase(members, MESH_WORKER_LOADED);
    return r < 0 ? -1 : 0;
}

/* ---- shards ---- */
static void on_worker_ended(void *context)
{
    mesh_wake_ring(&((struct mesh_members *)context)->wake);
}

static int open_shard(struct mesh_members *members, int32_t p, bool standby, struct mesh_err *err)
{
    struct mesh_worker_shard conf = {p, members->n_shards, members->topic, standby};
    struct mesh_worker *worker = NULL;
    if (mesh_worker_new(members->product, members->config, members->pseudonym_key, members->metrics, &conf, &worker, err) < 0)
        return -1;
    mesh_worker_tell(worker, members->live, members->index);
    mesh_worker_start(worker, on_worker_ended, members);
    pthread_mutex_lock(&members->lock);
    members->shards[p].worker = worker;
    members->shards[p].leaving = false;
    members->shards[p].standby = standby;
    pthread_mutex_unlock(&members->lock);
    return 0;
}

/* What goes by itself: somebody else was faster, or the broker could not say what became of a commit. */
static bool may_go_on(const struct mesh_err *err)
{
    return strcmp(err->code, "state.fenced") == 0 || strcmp(err->code, "state.write") == 0;
}

static int close_shard(struct mesh_members *members, int32_t p, struct mesh_err *err)
{
    struct mesh_members_shard *shard = &members->shards[p];
    struct mesh_worker *worker = shard->worker;
    bool failed = mesh_worker_phase(worker) == MESH_WORKER_FAILED;
    struct mesh_err why = {0};
    if (failed)
        mesh_worker_error(worker, &why);
    pthread_mutex_lock(&members->lock);
    shard->worker = NULL;
    shard->leaving = shard->confirmed = shard->standby = false;
    pthread_mutex_unlock(&members->lock);
    mesh_worker_free(worker);
    shard->not_before_us = mesh_clock_mono_us() + AGAIN_US;
    if (!failed || may_go_on(&why))
        return 0;
    *err = why;
    return -1;
}

/* It has read along; now it claims, and reads the rest. */
static void promote(struct mesh_members *members, struct mesh_members_shard *shard)
{
    pthread_mutex_lock(&members->lock);
    shard->standby = false;
    pthread_mutex_unlock(&members->lock);
    mesh_worker_promote(shard->worker);
}

static int look_at_shard(struct mesh_members *members, int32_t p, int64_t now_us, struct mesh_err *err)
{
    struct mesh_members_shard *shard = &members->shards[p];
    bool ends = members->closing || atomic_load(&members->stop);
    bool wanted = shard->given && !ends;
    bool follows = members->config->standby && members->has_assignment && !shard->given && !ends;
    if (shard->worker != NULL && mesh_worker_phase(shard->worker) >= MESH_WORKER_STOPPED)
        return close_shard(members, p, err);
    if (shard->worker != NULL && !wanted && !shard->leaving && !(shard->standby && follows)) {
        shard->leaving = true;
        if (members->lost && !shard->given)
            mesh_worker_abandon(shard->worker);
        else
            mesh_worker_stop(shard->worker);
    }
    bool opens = shard->worker == NULL || (shard->standby && !shard->leaving);
    if (!opens || now_us < shard->not_before_us)
        return 0;
    if (!wanted)
        return shard->worker == NULL && follows ? open_shard(members, p, true, err) : 0;
    if (shard->confirmed && shard->worker != NULL)
        promote(members, shard);
    else if (shard->confirmed)
        return open_shard(members, p, false, err);
    else if (!shard->asked)
        mesh_members_confirm(members, p);
    return 0;
}

static void show(struct mesh_members *members)
{
    int32_t held = 0;
    for (int32_t p = 0; p < members->n_shards; p++)
        held += members->shards[p].worker != NULL && mesh_worker_phase(members->shards[p].worker) == MESH_WORKER_RUNNING;
    mesh_metric_set(members->m_held, held);
    if (members->has_assignment && members->phase == MESH_WORKER_LOADED)
        set_phase(members, MESH_WORKER_RUNNING);
    atomic_store_explicit(&members->round_us, mesh_clock_mono_us(), memory_order_relaxed);
}

/* ---- the loop ---- */
static int look_at_shards(struct mesh_members *members, struct mesh_err *err)
{
    int64_t now_us = mesh_clock_mono_us();
    int result = 0;
    for (int32_t p = 0; p < members->n_shards; p++)
        if (look_at_shard(members, p, now_us, err) < 0)
            result = -1;
    mesh_members_let_go(members);
    show(members);
    return result;
}

static int run_once(struct mesh_members *members, struct mesh_err *err)
{
    if (look_at_link(members, err) < 0)
        return -1;
    bool any = mesh_members_poll(members);
    if (members->failed) {
        *err = members->err;
        return -1;
    }
    if (look_at_shards(members, err) < 0)
        return -1;
    mesh_members_look(members, mesh_clock_mono_us());
    return any;
}

static bool any_open(const struct mesh_members *members)
{
    for (int32_t p = 0; p < members->n_shards; p++)
        if (members->shards[p].worker != NULL)
            return true;
    return false;
}

/* Drains all shards, then leaves the group, all within a time. */
static int drain(struct mesh_members *members, struct mesh_err *err)
{
    set_phase(members, MESH_WORKER_DRAINING);
    int64_t until_us = mesh_clock_mono_us() + LEAVE_US;
    int result = 0;
    while (any_open(members)) {
        (void)mesh_members_poll(members);
        if (look_at_shards(members, err) < 0)
            result = -1;
        mesh_wake_wait(&members->wake, SOON_US);
    }
    if (!members->subscribed || members->away || members->failed)
        return result;
    mesh_members_leave(members);
    while (!mesh_members_left(members) && mesh_clock_mono_us() < until_us) {
        (void)mesh_members_poll(members);
        mesh_members_let_go(members);
        mesh_wake_wait(&members->wake, SOON_US);
    }
    return result;
}

static void *run(void *context)
{
    struct mesh_members *members = context;
    struct mesh_err err = {0};
    int r = 0;
    members->link = mesh_link_start(members->rk, members->topics, members->n_topics, &members->wake);
    while (r >= 0 && !atomic_load(&members->stop)) {
        r = run_once(members, &err);
        if (r == 0)
            mesh_wake_wait(&members->wake, SLEEP_US);
    }
    struct mesh_err later = {0};
    atomic_store(&members->stop, true);
    if (drain(members, &later) < 0 && r >= 0) {
        err = later;
        r = -1;
    }
    if (r < 0)
        mesh_log_err(MESH_LOG_ERROR, "cannot go on; stops, the last commits are kept", &err);
    pthread_mutex_lock(&members->lock);
    members->err = err;
    members->phase = r < 0 ? MESH_WORKER_FAILED : MESH_WORKER_STOPPED;
    pthread_mutex_unlock(&members->lock);
    members->ended(members->ended_context);
    return NULL;
}

void mesh_members_start(struct mesh_members *members, struct mesh_http_live *live, void (*ended)(void *context), void *context)
{
    if (members->whole != NULL) {
        mesh_worker_tell(members->whole, live, members->index);
        mesh_worker_start(members->whole, ended, context);
        return;
    }
    members->live = live;
    members->ended = ended;
    members->ended_context = context;
    members->started = true;
    mesh_assert(pthread_create(&members->thread, NULL, run, members) == 0);
}

void mesh_members_stop(struct mesh_members *members)
{
    if (members->whole != NULL) {
        mesh_worker_stop(members->whole);
        return;
    }
    atomic_store(&members->stop, true);
    mesh_wake_ring(&members->wake);
}

enum mesh_worker_phase mesh_members_phase(struct mesh_members *members)
{
    if (members->whole != NULL)
        return mesh_worker_phase(members->whole);
    pthread_mutex_lock(&members->lock);
    enum mesh_worker_phase phase = members->phase;
    pthread_mutex_unlock(&members->lock);
    return phase;
}

bool mesh_members_alive(struct mesh_members *members)
{
    if (members->whole != NULL)
        return mesh_worker_alive(members->whole);
    int64_t at = atomic_load_explicit(&members->round_us, memory_order_relaxed);
    bool alive = at == 0 || mesh_clock_mono_us() - at < ALIVE_US;
    pthread_mutex_lock(&members->lock);
    for (int32_t p = 0; p < members->n_shards; p++)
        alive = alive && (members->shards[p].worker == NULL || mesh_worker_alive(members->shards[p].worker));
    pthread_mutex_unlock(&members->lock);
    return alive;
}

void mesh_members_tell_address(struct mesh_members *members, struct mesh_str address)
{
    if (members->whole != NULL)
        mesh_worker_tell_address(members->whole, address);
}

bool mesh_members_again(struct mesh_members *members)
{
    return members->whole != NULL && mesh_worker_phase(members->whole) == MESH_WORKER_STOPPED && mesh_worker_again(members->whole);
}

struct mesh_members *mesh_members_free(struct mesh_members *members)
{
    if (members == NULL)
        return NULL;
    if (members->started)
        pthread_join(members->thread, NULL);
    for (int32_t p = 0; p < members->n_shards; p++)
        mesh_worker_free(members->shards[p].worker);
    members->link = mesh_link_stop(members->link);
    mesh_members_disconnect(members);
    mesh_worker_free(members->whole);
    mesh_wake_deinit(&members->wake);
    pthread_mutex_destroy(&members->lock);
    free(members->topics);
    free(members->shards);
    free(members->inputs);
    free(members->name);
    free(members->group);
    free(members->topic);
    mesh_arena_deinit(&members->arena);
    free(members);
    return NULL;
}

/* ---- /readyz ---- */
static const char *const phase_words[] = {"loading", "waiting", "joining", "running", "draining", "stopped", "failed"};

static void member(struct mesh_buf *out, const char *name, const char *value)
{
    mesh_buf_printf(out, ",\"%s\":", name);
    mesh_json_string(out, mesh_str_of(value));
}

bool mesh_members_ready(struct mesh_members *members, struct mesh_buf *out, bool *degraded)
{
    if (members->whole != NULL)
        return mesh_worker_ready(members->whole, out, degraded);
    pthread_mutex_lock(&members->lock);
    bool ready = members->phase == MESH_WORKER_RUNNING;
    bool bad = members->grown[0] != '\0' || members->away || members->phase == MESH_WORKER_FAILED;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf shards = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf owners = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf standby = MESH_BUF_NULL;
    mesh_buf_puts(&standby, "");
    int32_t held = 0;
    for (int32_t p = 0; p < members->n_shards; p++) {
        struct mesh_members_shard *shard = &members->shards[p];
        mesh_buf_puts(&owners, p == 0 ? "" : ",");
        mesh_json_string(&owners, mesh_str_of(shard->given ? members->config->http_url : shard->url));
        if (shard->given && (shard->worker == NULL || shard->standby))
            ready = false;
        if (shard->standby)
            mesh_buf_printf(&standby, "%s%" PRId32, standby.n == 0 ? "" : ",", p);
        if (shard->worker == NULL || shard->standby)
            continue;
        mesh_buf_puts(&shards, held++ == 0 ? "" : ",");
        bool one = mesh_worker_ready(shard->worker, &shards, &bad);
        ready = ready && (one || !shard->given);
    }
    mesh_buf_puts(out, "{\"product\":");
    mesh_json_string(out, mesh_str_of(members->name));
    member(out, "version", members->product->version);
    mesh_buf_printf(out, ",\"ready\":%s", ready ? "true" : "false");
    member(out, "phase", phase_words[members->phase]);
    member(out, "group", members->has_assignment ? "member" : "not joined");
    member(out, "url", members->config->http_url);
    mesh_buf_printf(out, ",\"shards\":%" PRId32 ",\"owners\":[%s],\"standby\":[%s],\"held\":[%s]", members->n_shards,
                    owners.p == NULL ? "" : owners.p, standby.p, shards.p == NULL ? "" : shards.p);
    if (members->link_info.phase == MESH_LINK_TOPICS)
        member(out, "waiting_for", members->link_info.waiting_for);
    if (members->grown[0] != '\0')
        member(out, "stopped", members->grown);
    if (members->phase == MESH_WORKER_FAILED)
        member(out, "error", members->err.text);
    mesh_buf_printf(out, ",\"degraded\":%s}", bad ? "true" : "false");
    *degraded = *degraded || bad;
    pthread_mutex_unlock(&members->lock);
    return ready;
}
