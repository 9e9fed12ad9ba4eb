/* The loop does everything that can be done without waiting, then sleeps on the bell. What only the
 * clock brings (idle sources, a commit that falls due) is why the sleep has an end. */
#include "app/worker_int.h"

#include "app/variant.h"
#include "base/clock.h"
#include "flow/erase.h"
#include "flow/retry.h"

#include <stdio.h>
#include <stdlib.h>

/* After an outage every connection comes back in its own time; until then silence says nothing, and the group is still being joined. */
#define BACK_MARGIN_US INT64_C(5000000)

#define SLEEP_US         INT64_C(20000)
#define SLEEP_WAITING_US INT64_C(200000)

static char *joined(const char *before, const char *between, const struct mesh_product *product, const char *variant)
{
    struct mesh_buf text = MESH_BUF_NULL;
    mesh_buf_printf(&text, "%s%s%s%s%s%s", before, product->domain, between, product->name, variant[0] == '\0' ? "" : between,
                    variant);
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
        .instance = worker->sharded ? NULL : worker->group,
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
    worker->m_read_wait_seconds =
        mesh_metric_histogram(m, "mesh_read_wait_seconds", "From a question for rows until the worker comes to it",
                              mesh_metric_seconds, "product", p, NULL);
    worker->m_broker_up = mesh_metric_gauge(m, "mesh_broker_up", "1 while a broker can be reached", "product", p, NULL);
    if (worker->config->mongo_uri[0] != '\0')
        worker->m_mongo_up = mesh_metric_gauge(m, "mesh_mongo_up", "1 while MongoDB takes writes", "product", p, NULL);
}

int mesh_worker_new(const struct mesh_product *product, const struct mesh_config *config, struct mesh_str pseudonym_key,
                    struct mesh_metrics *metrics, const struct mesh_worker_shard *shard, struct mesh_worker **ret,
                    struct mesh_err *err)
{
    struct mesh_worker *worker = mesh_xcalloc(1, sizeof *worker);
    worker->config = config;
    worker->pseudonym_key = pseudonym_key;
    worker->metrics = metrics;
    if (shard != NULL) {
        char number[16];
        snprintf(number, sizeof number, "%d", (int)shard->shard);
        worker->sharded = true;
        worker->shard = *shard;
        atomic_init(&worker->standby, shard->standby);
        worker->metrics = worker->part = mesh_metrics_part(metrics, "shard", number);
    }
    worker->name = joined("", "/", product, "");
    worker->group = joined("mesh.", ".", product, config->variant);
    struct mesh_buf dir = MESH_BUF_NULL;
    mesh_buf_printf(&dir, "%s/%s%s%s", config->state_dir, product->name, config->variant[0] == '\0' ? "" : ".", config->variant);
    worker->dir = mesh_buf_take(&dir);
    mesh_assert(pthread_mutex_init(&worker->lock, NULL) == 0);
    mesh_wake_init(&worker->wake);
    mesh_mailbox_init(&worker->mailbox, &worker->wake);
    int role = mesh_worker_open_role(worker, err);
    worker->product =
        mesh_variant_product(&worker->arena, mesh_flow_with_erasure(&worker->arena, mesh_flow_with_retry(&worker->arena, product)),
                             config->variant, mesh_worker_is_muted(worker));
    worker->status.role = worker->cutover.role.word;
    worker->status.from_us = worker->cutover.role.from_us;
    mesh_worker_list_topics(worker);
    register_metrics(worker);
    if (role < 0 || mesh_worker_open_schemas(worker, err) < 0 || mesh_worker_open_state(worker, err) < 0) {
        mesh_worker_free(worker);
        return -1;
    }
    mesh_worker_set_phase(worker, worker->engine == NULL ? MESH_WORKER_WAITING : MESH_WORKER_LOADED);
    *ret = worker;
    return 0;
}

void mesh_worker_tell(struct mesh_worker *worker, struct mesh_http_live *live, uint32_t product)
{
    worker->live = live;
    worker->live_product = product;
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
    for (uint32_t i = 0; worker->sharded && i < worker->n_reads; i++) {
        worker->reads[i].one = true;
        worker->reads[i].only = worker->shard.shard;
    }
    for (uint32_t i = 0; worker->sharded && i < worker->product->n_inputs; i++)
        if (worker->product->inputs[i].copy_all)
            worker->reads[worker->topic_of_input[i]].one = false;
    if (mesh_kafka_source_open(worker->source, worker->reads, worker->n_reads, err) < 0)
        return -1;
    if (worker->sharded)
        return 0;
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
            mesh_engine_was_away(worker->engine, worker->back_us, true);
        mesh_log(MESH_LOG_INFO, "the broker is back", "product", worker->name, NULL);
    }
    if (info->phase == MESH_LINK_TOPICS && strcmp(worker->said_waiting, info->waiting_for) != 0) {
        snprintf(worker->said_waiting, sizeof worker->said_waiting, "%s", info->waiting_for);
        mesh_log(MESH_LOG_WARN, "a topic is not there yet; waits for it", "product", worker->name, "topic", info->waiting_for,
                 NULL);
    }
    if (info->phase != MESH_LINK_READY || worker->link_done || !mesh_schemas_ready(worker->schemas, NULL))
        return 0;
    if (atomic_load(&worker->standby))
        return mesh_worker_follow(worker, err);
    worker->link_done = true;
    int bound = worker->sharded ? mesh_worker_take_over(worker, err) : mesh_worker_bind_state(worker, err);
    if (bound == MESH_LOG_STOPPED)
        return 0;
    if (bound < 0 || mesh_worker_begin_role(worker, err) < 0 || open_source(worker, err) < 0)
        return -1;
    worker->running = true;
    mesh_worker_show(worker, true); /* who sees it running sees its sources too */
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
    worker->link_info.mark = (struct mesh_lease_mark){0};
    if (mesh_worker_bind_state(worker, err) < 0)
        return -1;
    mesh_kafka_source_reassign(worker->source);
    return 0;
}

/* ---- reading ---- */
struct errand {
    struct mesh_errand errand;
    struct mesh_http_question *question;
    struct mesh_worker *worker;
    int64_t asked_us;
    bool has_read;
};

static void errand_done(struct errand *errand)
{
    struct mesh_http_question *question = errand->question;
    free(errand);
    question->answered(question);
}

static void errand_refuse(struct mesh_errand *e)
{
    struct errand *errand = (struct errand *)e;
    errand->question->result = atomic_load(&errand->worker->stop) ? MESH_HTTP_ENDING : MESH_HTTP_BUSY;
    errand_done(errand);
}

/* Reads when the position is reached, and is done when what was read is durable. All tasks commit together, so the sum over them says it.
 * False: it has to be looked at again. */
static bool answer(struct mesh_worker *worker, struct errand *errand)
{
    struct mesh_http_question *q = errand->question;
    uint64_t commit = 0;
    uint64_t durable = 0;
    if (atomic_load(&q->given_up)) {
        q->result = MESH_HTTP_BUSY;
        return true;
    }
    if (worker->engine == NULL) {
        q->result = MESH_HTTP_NOT_LOADED;
        return true;
    }
    mesh_engine_marks(worker->engine, q->read.view, &commit, &durable);
    if (!errand->has_read) {
        if (commit < q->min_position)
            return false;
        q->result = q->read.key != NULL ? mesh_engine_point(worker->engine, &q->read, &q->rows, &q->err)
                                        : mesh_engine_list(worker->engine, &q->read, &q->rows, &q->err);
        errand->has_read = true;
    }
    if (!q->committed || q->result != 0)
        return true;
    if (durable < q->rows.commit)
        return false;
    q->rows.durable = q->rows.commit;
    return true;
}

static void errand_run(struct mesh_errand *e, void *owner)
{
    struct errand *errand = (struct errand *)e;
    struct mesh_worker *worker = owner;
    mesh_metric_observe(worker->m_read_wait_seconds, (double)(mesh_clock_mono_us() - errand->asked_us) / 1e6);
    if (answer(worker, errand)) {
        errand_done(errand);
    } else if (worker->n_waiting == MESH_MAILBOX_MAX) {
        errand_refuse(e);
    } else {
        e->next = worker->waiting;
        worker->waiting = e;
        worker->n_waiting++;
    }
}

/* Those that wait for a commit, or have lost patience with it. */
static void look_at_waiting(struct mesh_worker *worker)
{
    for (struct mesh_errand **at = &worker->waiting; *at != NULL;) {
        struct errand *errand = (struct errand *)*at;
        if (!answer(worker, errand)) {
            at = &errand->errand.next;
            continue;
        }
        *at = errand->errand.next;
        worker->n_waiting--;
        errand_done(errand);
    }
}

static void refuse_waiting(struct mesh_worker *worker)
{
    while (worker->waiting != NULL) {
        struct mesh_errand *errand = worker->waiting;
        worker->waiting = errand->next;
        errand->refuse(errand);
    }
    worker->n_waiting = 0;
}

void mesh_worker_ask(struct mesh_worker *worker, struct mesh_http_question *question)
{
    struct errand *errand = mesh_xcalloc(1, sizeof *errand);
    *errand = (struct errand){{.run = errand_run, .refuse = errand_refuse}, question, worker, mesh_clock_mono_us(), false};
    mesh_mailbox_post(&worker->mailbox, &errand->errand);
}

/* ---- the loop ---- */
/* In the middle of a leg. Questions take at most half of the time while there is other work: as long as they took, they then wait. */
void mesh_worker_breathe(void *context)
{
    struct mesh_worker *worker = context;
    if (!mesh_mailbox_any(&worker->mailbox))
        return;
    int64_t begun_us = mesh_clock_mono_us();
    if (begun_us < worker->questions_from_us)
        return;
    mesh_mailbox_run(&worker->mailbox, worker, MESH_WORKER_QUESTIONS_US);
    int64_t now_us = mesh_clock_mono_us();
    worker->questions_from_us = now_us + (now_us - begun_us);
}

/* Returns whether something moved; negative: fatal. */
static int run_once(struct mesh_worker *worker, bool reads, struct mesh_err *err)
{
    int schemas = mesh_worker_look_at_schemas(worker, err);
    int linked = schemas < 0 ? -1 : look_at_link(worker, err);
    if (linked < 0)
        return -1;
    mesh_mailbox_run(&worker->mailbox, worker, MESH_WORKER_QUESTIONS_US);
    look_at_waiting(worker);
    int read = reads || !worker->running ? mesh_kafka_source_poll(worker->source, mesh_worker_breathe, err) : 0;
    if (read < 0 && truncated(worker, err) < 0)
        return -1;
    bool told = mesh_worker_send_events(worker);
    if (!worker->running)
        return linked;
    if (mesh_worker_renew(worker, err) < 0)
        return -1;
    mesh_memory_mind(&worker->memory, worker->engine, worker->name);
    int64_t now_us = mesh_clock_wall_us();
    if (!worker->said_away)
        mesh_engine_tick(worker->engine, now_us);
    int committed = mesh_worker_commit(worker, now_us, err);
    int sent = committed < 0 ? -1 : mesh_worker_send(worker, err);
    int ordered = sent < 0 ? -1 : mesh_worker_follow_orders(worker, now_us, err);
    if (ordered < 0)
        return -1;
    return read > 0 || committed > 0 || sent > 0 || linked > 0 || ordered > 0 || told || schemas > 0;
}

static int connect_broker(struct mesh_worker *worker, struct mesh_err *err)
{
    fill_kafka(worker);
    if (worker->sharded && mesh_worker_open_shard(worker, err) < 0)
        return -1;
    if (mesh_kafka_source_new(&worker->kafka, &mesh_worker_source_ops, worker, broker_away, &worker->source, err) < 0)
        return -1;
    worker->link = mesh_link_start(mesh_kafka_source_client(worker->source), worker->topics, worker->n_topics, &worker->wake);
    if (!worker->sharded)
        worker->lease = mesh_lease_start(mesh_kafka_source_client(worker->source), worker->kafka.session_timeout_ms, &worker->wake);
    struct mesh_mongo_conf conf = {worker->config->mongo_uri, worker->config->mongo_database, worker->product,
                                   worker->pseudonym_key, &worker->wake};
    bool wanted = false;
    for (uint32_t i = 0; i < worker->product->n_ports; i++)
        wanted = wanted || worker->product->ports[i].kind == MESH_PORT_MONGO;
    return wanted && conf.uri[0] != '\0' ? mesh_mongo_new(&conf, &worker->mongo, err) : 0;
}

/* It has ended, and answers readers out of what it was. */
static int answer_only(struct mesh_worker *worker, struct mesh_err *err)
{
    while (!atomic_load(&worker->stop) && !worker->cutover.again) {
        if (mesh_worker_follow_orders(worker, mesh_clock_wall_us(), err) < 0)
            return -1;
        mesh_mailbox_run(&worker->mailbox, worker, MESH_WORKER_QUESTIONS_US);
        look_at_waiting(worker);
        mesh_worker_show(worker, false);
        if (!mesh_mailbox_any(&worker->mailbox))
            mesh_wake_wait(&worker->wake, SLEEP_WAITING_US);
    }
    return 0;
}

static int work(struct mesh_worker *worker, struct mesh_err *err)
{
    if (mesh_worker_is_retired(worker))
        return answer_only(worker, err);
    if (connect_broker(worker, err) < 0)
        return -1;
    while (!atomic_load(&worker->stop) && !worker->cutover.again) {
        int moved = run_once(worker, true, err);
        if (moved < 0)
            return -1;
        mesh_worker_show(worker, moved > 0 && !worker->running);
        if (moved == 0 && !mesh_mailbox_any(&worker->mailbox))
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
    if (atomic_load(&worker->abandoned))
        return 0;
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
        if (worker->sharded && mesh_clock_mono_us() >= until_us) {
            mesh_log(MESH_LOG_WARN, "the last commit was not acknowledged in time; who goes on finds it, or does its work again",
                     "product", worker->name, NULL);
            return 0;
        }
        if (mesh_worker_commit(worker, 0, err) < 0)
            return -1;
        mesh_wake_wait(&worker->wake, SLEEP_US / 4);
    }
    if (!worker->running || worker->link_info.away || worker->sharded)
        return 0;
    mesh_worker_last_mark(worker);
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
    atomic_store(&worker->stop, true);
    mesh_mailbox_close(&worker->mailbox);
    refuse_waiting(worker);
    if (result < 0) {
        bool taken = worker->sharded && strcmp(err.code, "state.fenced") == 0;
        mesh_log_err(taken ? MESH_LOG_WARN : MESH_LOG_ERROR, "cannot go on; stops, the last commit is kept", &err);
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

void mesh_worker_promote(struct mesh_worker *worker)
{
    atomic_store(&worker->standby, false);
    mesh_wake_ring(&worker->wake);
}

void mesh_worker_abandon(struct mesh_worker *worker)
{
    atomic_store(&worker->abandoned, true);
    mesh_worker_stop(worker);
}

struct mesh_worker *mesh_worker_free(struct mesh_worker *worker)
{
    if (worker == NULL)
        return NULL;
    if (worker->started)
        pthread_join(worker->thread, NULL);
    atomic_store(&worker->stop, true);
    worker->lease = mesh_lease_stop(worker->lease);
    worker->link = mesh_link_stop(worker->link);
    mesh_worker_drop_outputs(worker);
    mesh_worker_drop_held_back(worker);
    worker->schemas = mesh_schemas_free(worker->schemas);
    worker->source = mesh_kafka_source_free(worker->source);
    if (worker->journal.ops != NULL)
        worker->journal.ops->interrupt(worker->journal.log);
    worker->committer = mesh_committer_free(worker->committer);
    worker->engine = mesh_engine_free(worker->engine);
    worker->restoring = mesh_engine_free(worker->restoring);
    mesh_memory_deinit(&worker->memory);
    mesh_journal_close(&worker->journal);
    worker->cipher = mesh_store_cipher_free(worker->cipher);
    mesh_known_deinit(&worker->known);
    mesh_worker_cutover_deinit(worker);
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
    mesh_metrics_free(worker->part);
    mesh_arena_deinit(&worker->arena);
    free(worker);
    return NULL;
}
