/* The loop does everything that can be done without waiting, then sleeps on the bell. What only the
 * clock brings (idle sources, a commit that falls due) is why the sleep has an end. */
#include "app/worker_int.h"

#include "base/clock.h"
#include "http/answer.h"

#include <stdio.h>
#include <stdlib.h>

/* After an outage every connection comes back in its own time; until then silence says nothing, and the group is still being joined. */
#define BACK_MARGIN_US INT64_C(5000000)

#define SLEEP_US         INT64_C(20000)
#define SLEEP_WAITING_US INT64_C(200000)

static char *joined(const char *before, const char *between, const struct mesh_product *product)
{
    struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_printf(&text, "%s%s%s%s", before, product->domain, between, product->name);
    return mesh_buf_take(&text);
}

static void fill_kafka(struct mesh_worker *worker)
{
    const struct mesh_config *config = worker->config;
    int32_t n = 0;
    for (uint32_t i = 0; i < worker->n_reads; i++) {
        int32_t known = mesh_known_partitions(&worker->known, worker->topics[i].topic);
        n += known > 0 ? known : 4;
    }
    worker->kafka = (struct mesh_kafka_conf){
        .brokers = config->kafka_brokers,
        .security = &config->kafka_security,
        .refused = mesh_worker_broker_refused,
        .refused_context = worker,
        .group = worker->group,
        .instance = worker->group,
        .client = worker->name,
        .session_timeout_ms = (int)config->kafka_session_timeout_ms,
        .fetch_wait_ms = (int)config->kafka_fetch_wait_ms,
        .linger_ms = (int)config->kafka_linger_ms,
        .fetch_bytes = (size_t)config->kafka_fetch_mb << 20,
        .n_partitions = (uint32_t)n,
        .wake = &worker->wake,
    };
}

static void register_metrics(struct mesh_worker *worker)
{
    struct mesh_metrics *m = worker->metrics;
    const char *p = worker->name;
    worker->m_commit_seconds =
        mesh_metric_histogram(m, "mesh_commit_duration_seconds", "From handing over a commit until it is durable",
                              mesh_metric_seconds, "product", p, NULL);
    worker->m_broker_up = mesh_metric_gauge(m, "mesh_broker_up", "1 while a broker can be reached", "product", p, NULL);
    if (worker->config->mongo_uri[0] != '\0')
        worker->m_mongo_up = mesh_metric_gauge(m, "mesh_mongo_up", "1 while MongoDB takes writes", "product", p, NULL);
}

int mesh_worker_new(const struct mesh_product *product, const struct mesh_config *config, struct mesh_str pseudonym_key,
                    struct mesh_metrics *metrics, struct mesh_worker **ret, struct mesh_err *err)
{
    struct mesh_worker *worker = mesh_xcalloc(1, sizeof *worker);
    worker->product = product;
    worker->config = config;
    worker->pseudonym_key = pseudonym_key;
    worker->metrics = metrics;
    worker->name = joined("", "/", product);
    worker->group = joined("mesh.", ".", product);
    struct mesh_buf dir = MESH_BUF_NULL;
    mesh_buf_printf(&dir, "%s/%s", config->state_dir, product->name);
    worker->dir = mesh_buf_take(&dir);
    mesh_assert(pthread_mutex_init(&worker->lock, NULL) == 0);
    mesh_wake_init(&worker->wake);
    mesh_mailbox_init(&worker->mailbox, &worker->wake);
    mesh_worker_list_topics(worker);
    register_metrics(worker);
    if (mesh_worker_open_state(worker, err) < 0) {
        mesh_worker_free(worker);
        return -1;
    }
    mesh_worker_set_phase(worker, worker->engine == NULL ? MESH_WORKER_WAITING : MESH_WORKER_LOADED);
    *ret = worker;
    return 0;
}

/* ---- the broker ---- */
static void broker_away(void *context, const char *why)
{
    struct mesh_worker *worker = context;
    char refused[MESH_KAFKA_REFUSAL_MAX];
    if (!worker->said_away && worker->link_info.phase == MESH_LINK_BROKER &&
        mesh_kafka_other_listener(&worker->config->kafka_security, why, refused)) {
        mesh_worker_broker_refused(worker, MESH_KAFKA_SOURCE, refused);
        return;
    }
    if (worker->link != NULL)
        mesh_link_away(worker->link);
    if (worker->said_away)
        return;
    worker->said_away = true;
    mesh_log(MESH_LOG_WARN, "no broker can be reached; waits", "product", worker->name, "brokers", worker->config->kafka_brokers,
             "why", why, NULL);
}

static int open_source(struct mesh_worker *worker, struct mesh_err *err)
{
    for (uint32_t i = 0; i < worker->n_reads; i++)
        worker->reads[i].partitions = worker->topics[i].found;
    if (mesh_kafka_source_open(worker->source, worker->reads, worker->n_reads, err) < 0)
        return -1;
    mesh_log(MESH_LOG_INFO, "broker found, joins its group", "product", worker->name, "cluster", worker->link_info.cluster_id,
             "group", worker->group, NULL);
    return 0;
}

static int look_at_link(struct mesh_worker *worker, struct mesh_err *err)
{
    mesh_link_info(worker->link, &worker->link_info);
    const struct mesh_link_info *info = &worker->link_info;
    bool up = info->phase != MESH_LINK_BROKER && !info->away;
    mesh_metric_set(worker->m_broker_up, up ? 1 : 0);
    if (up && worker->said_away) {
        worker->said_away = false;
        worker->refused[MESH_KAFKA_SOURCE][0] = '\0';
        worker->back_us = mesh_clock_wall_us() + BACK_MARGIN_US;
        if (worker->engine != NULL)
            mesh_engine_was_away(worker->engine, worker->back_us);
        mesh_log(MESH_LOG_INFO, "the broker is back", "product", worker->name, NULL);
    }
    if (info->phase == MESH_LINK_TOPICS && strcmp(worker->said_waiting, info->waiting_for) != 0) {
        snprintf(worker->said_waiting, sizeof worker->said_waiting, "%s", info->waiting_for);
        mesh_log(MESH_LOG_WARN, "a topic is not there yet; waits for it", "product", worker->name, "topic", info->waiting_for,
                 NULL);
    }
    if (info->phase != MESH_LINK_READY || worker->link_done)
        return 0;
    worker->link_done = true;
    if (mesh_worker_bind_state(worker, err) < 0 || open_source(worker, err) < 0)
        return -1;
    worker->running = true;
    mesh_worker_set_phase(worker, MESH_WORKER_RUNNING);
    return 1;
}

/* The log ends before the state. A real one: fatal. The embedded one: it is a new one after all. */
static int truncated(struct mesh_worker *worker, struct mesh_err *err)
{
    if (strcmp(err->code, "log.truncated") != 0 || !mesh_worker_embedded(worker))
        return -1;
    if (mesh_worker_set_aside(worker, "the embedded broker's log ends before the state, which is set aside", err) < 0)
        return -1;
    worker->link_info.group_has_offsets = false;
    if (mesh_worker_bind_state(worker, err) < 0)
        return -1;
    mesh_kafka_source_reassign(worker->source);
    return 0;
}

/* ---- the loop ---- */
static void between(void *context)
{
    struct mesh_worker *worker = context;
    mesh_mailbox_run(&worker->mailbox, worker);
}

/* Returns whether something moved; negative: fatal. */
static int run_once(struct mesh_worker *worker, bool reads, struct mesh_err *err)
{
    int linked = look_at_link(worker, err);
    if (linked < 0)
        return -1;
    mesh_mailbox_run(&worker->mailbox, worker);
    int read = reads || !worker->running ? mesh_kafka_source_poll(worker->source, between, err) : 0;
    if (read < 0 && truncated(worker, err) < 0)
        return -1;
    if (!worker->running)
        return linked;
    int64_t now_us = mesh_clock_wall_us();
    if (!worker->said_away)
        mesh_engine_tick(worker->engine, now_us);
    int committed = mesh_worker_commit(worker, now_us, err);
    int sent = committed < 0 ? -1 : mesh_worker_send(worker, err);
    if (sent < 0)
        return -1;
    return read > 0 || committed > 0 || sent > 0 || linked > 0;
}

static int connect_broker(struct mesh_worker *worker, struct mesh_err *err)
{
    fill_kafka(worker);
    if (mesh_kafka_source_new(&worker->kafka, &mesh_worker_source_ops, worker, broker_away, &worker->source, err) < 0)
        return -1;
    worker->link = mesh_link_start(mesh_kafka_source_client(worker->source), worker->topics, worker->n_topics, &worker->wake);
    struct mesh_mongo_conf conf = {worker->config->mongo_uri, worker->config->mongo_database, worker->product,
                                   worker->pseudonym_key, &worker->wake};
    bool wanted = false;
    for (uint32_t i = 0; i < worker->product->n_ports; i++)
        wanted = wanted || worker->product->ports[i].kind == MESH_PORT_MONGO;
    return wanted && conf.uri[0] != '\0' ? mesh_mongo_new(&conf, &worker->mongo, err) : 0;
}

static int work(struct mesh_worker *worker, struct mesh_err *err)
{
    if (connect_broker(worker, err) < 0)
        return -1;
    while (!atomic_load(&worker->stop)) {
        int moved = run_once(worker, true, err);
        if (moved < 0)
            return -1;
        mesh_worker_show(worker, moved > 0 && !worker->running);
        if (moved == 0)
            mesh_wake_wait(&worker->wake, worker->running ? SLEEP_US : SLEEP_WAITING_US);
    }
    return 0;
}

/* Final commit, then what is durable leaves, then the group is told; all within a time. */
static int drain(struct mesh_worker *worker, struct mesh_err *err)
{
    mesh_worker_set_phase(worker, MESH_WORKER_DRAINING);
    mesh_worker_show(worker, true);
    int64_t until_us = mesh_clock_mono_us() + MESH_WORKER_DRAIN_US;
    while (worker->running && mesh_clock_mono_us() < until_us) {
        int moved = run_once(worker, false, err);
        if (moved < 0)
            return -1;
        /* Far in the future everything that is pending is due. */
        int64_t now_us = mesh_clock_wall_us() + INT64_C(1000) * worker->config->commit_interval_ms;
        if (moved == 0 && mesh_worker_commit(worker, now_us, err) < 0)
            return -1;
        if (moved == 0 && (mesh_worker_is_drained(worker, now_us) || worker->link_info.away))
            break;
        if (moved == 0)
            mesh_wake_wait(&worker->wake, SLEEP_US / 4);
    }
    while (worker->committer != NULL && mesh_committer_busy(worker->committer)) {
        if (mesh_worker_commit(worker, 0, err) < 0)
            return -1;
        mesh_wake_wait(&worker->wake, SLEEP_US / 4);
    }
    if (!worker->running || worker->link_info.away)
        return 0;
    mesh_kafka_source_hint(worker->source, "mesh stopped", true);
    mesh_kafka_source_close(worker->source);
    while (!mesh_kafka_source_closed(worker->source) && mesh_clock_mono_us() < until_us) {
        if (mesh_kafka_source_poll(worker->source, NULL, err) < 0)
            break;
        mesh_wake_wait(&worker->wake, SLEEP_US / 4);
    }
    return 0;
}

static void *run(void *context)
{
    struct mesh_worker *worker = context;
    struct mesh_err err = {0};
    int result = work(worker, &err);
    if (result == 0)
        result = drain(worker, &err);
    mesh_mailbox_close(&worker->mailbox);
    if (result < 0) {
        mesh_log_err(MESH_LOG_ERROR, "cannot go on; stops, the last commit is kept", &err);
        pthread_mutex_lock(&worker->lock);
        worker->status.err = err;
        worker->status.phase = MESH_WORKER_FAILED;
        pthread_mutex_unlock(&worker->lock);
    } else {
        mesh_worker_set_phase(worker, MESH_WORKER_STOPPED);
    }
    worker->ended(worker->ended_context);
    return NULL;
}

void mesh_worker_start(struct mesh_worker *worker, void (*ended)(void *context), void *context)
{
    worker->ended = ended;
    worker->ended_context = context;
    worker->started = true;
    mesh_assert(pthread_create(&worker->thread, NULL, run, worker) == 0);
}

void mesh_worker_stop(struct mesh_worker *worker)
{
    atomic_store(&worker->stop, true);
    mesh_wake_ring(&worker->wake);
}

struct mesh_worker *mesh_worker_free(struct mesh_worker *worker)
{
    if (worker == NULL)
        return NULL;
    if (worker->started)
        pthread_join(worker->thread, NULL);
    atomic_store(&worker->stop, true);
    worker->link = mesh_link_stop(worker->link);
    mesh_worker_drop_outputs(worker);
    worker->source = mesh_kafka_source_free(worker->source);
    worker->committer = mesh_committer_free(worker->committer);
    worker->engine = mesh_engine_free(worker->engine);
    worker->log = mesh_store_log_close(worker->log);
    mesh_known_deinit(&worker->known);
    mesh_worker_status_deinit(&worker->status);
    mesh_mailbox_deinit(&worker->mailbox);
    mesh_wake_deinit(&worker->wake);
    pthread_mutex_destroy(&worker->lock);
    mesh_vec_deinit(&worker->records);
    mesh_vec_deinit(&worker->headers);
    mesh_buf_deinit(&worker->frames);
    free(worker->topics);
    free(worker->reads);
    free(worker->topic_of_input);
    free(worker->name);
    free(worker->group);
    free(worker->dir);
    free(worker);
    return NULL;
}

/* ---- reading ---- */
struct question {
    struct mesh_errand errand;
    struct mesh_read read;
    struct mesh_key key;
    char *after;
    struct mesh_rows rows;
    int result;
    struct mesh_err err;
};

static void question_drop(struct mesh_errand *errand)
{
    struct question *q = (struct question *)errand;
    mesh_rows_deinit(&q->rows);
    free(q->after);
    free(q);
}

static void question_run(struct mesh_errand *errand, void *owner)
{
    struct question *q = (struct question *)errand;
    struct mesh_worker *worker = owner;
    if (worker->engine == NULL)
        q->result = MESH_HTTP_NOT_LOADED;
    else if (q->read.key != NULL)
        q->result = mesh_engine_point(worker->engine, &q->read, &q->rows, &q->err);
    else
        q->result = mesh_engine_list(worker->engine, &q->read, &q->rows, &q->err);
}

int mesh_worker_read(struct mesh_worker *worker, const struct mesh_read *read, struct mesh_rows *ret, struct mesh_err *err)
{
    struct question *q = mesh_xcalloc(1, sizeof *q);
    q->errand.run = question_run;
    q->errand.drop = question_drop;
    q->read = *read;
    if (read->key != NULL) {
        q->key = *read->key;
        q->read.key = &q->key;
    }
    if (read->after.n > 0) {
        q->after = mesh_xmalloc(read->after.n);
        memcpy(q->after, read->after.p, read->after.n);
        q->read.after.p = q->after;
    }
    if (!mesh_mailbox_ask(&worker->mailbox, &q->errand, MESH_WORKER_READ_US))
        return MESH_HTTP_BUSY;
    int result = q->result;
    *ret = q->rows;
    q->rows = (struct mesh_rows){0};
    if (err != NULL)
        *err = q->err;
    question_drop(&q->errand);
    return result;
}
