/* The folder of a product's state: <MESH_STATE_DIR>/<product>. Nothing in it is ever deleted here:
 * what must make room is renamed beside it, and a line says where to. */
#include "app/worker_int.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define SHOW_FRAMES 256

static bool has_state(const struct mesh_worker *worker)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf path = MESH_BUF_NULL;
    mesh_buf_printf(&path, "%s/IDENTITY", worker->dir);
    return mesh_fs_exists(path.p);
}

static int make_writable(const struct mesh_worker *worker, struct mesh_err *err)
{
    if (mesh_fs_mkdirs(worker->dir, err) < 0)
        return mesh_err_prefix(err, "MESH_STATE_DIR");
    if (access(worker->dir, W_OK | X_OK) != 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.unwritable",
                            "%s cannot be written to: %s; set MESH_STATE_DIR to a folder of this user", worker->dir,
                            strerror(errno));
    return 0;
}

/* MESH_STATE_RESET: rename the folder. */
static int reset_state(struct mesh_worker *worker, struct mesh_err *err)
{
    worker->reset = true;
    if (!has_state(worker))
        return 0;
    struct mesh_store_log *lock = NULL; /* whose lock it is owns the state: a running service keeps its own */
    if (mesh_store_log_lock(worker->dir, &lock, err) < 0)
        return -1;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf aside = MESH_BUF_NULL;
    mesh_buf_printf(&aside, "%s.before-reset-%lld", worker->dir, (long long)(mesh_clock_wall_us() / 1000000));
    int moved = rename(worker->dir, aside.p);
    int reason = errno;
    mesh_store_log_close(lock);
    if (moved != 0)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.unwritable", "cannot rename %s to %s: %s", worker->dir, aside.p,
                            strerror(reason));
    mesh_log(MESH_LOG_WARN,
             "MESH_STATE_RESET: the state is set aside; begins from the earliest "
             "records. Unset it before the next start",
             "product", worker->name, "kept_in", aside.p, NULL);
    return 0;
}

static int open_log(struct mesh_worker *worker, struct mesh_err *err)
{
    struct mesh_store_identity identity = {worker->name, worker->known.cluster_id};
    if (mesh_store_log_open(worker->dir, &identity, worker->config->state_fsync, &worker->log, err) != 0)
        return -1;
    worker->journal = mesh_store_log_journal(worker->log);
    return 0;
}

static bool accepts(void *context, const char *input)
{
    const struct mesh_worker *worker = context;
    return mesh_config_lists(worker->config->accept_errors, input);
}

int mesh_worker_build_engine(struct mesh_worker *worker, uint64_t generation, struct mesh_engine **ret, struct mesh_err *err)
{
    const struct mesh_product *product = worker->product;
    struct mesh_arena arena = MESH_ARENA_NULL;
    int32_t *inputs = mesh_arena_alloc(&arena, (product->n_inputs + 1) * sizeof *inputs);
    int32_t *dests = mesh_arena_alloc(&arena, (mesh_engine_n_dests(product) + 1) * sizeof *dests);
    mesh_assert(mesh_worker_partitions(worker, inputs, dests));
    const uint32_t **wire = mesh_arena_alloc(&arena, (product->n_inputs + 1) * sizeof(const uint32_t *));
    for (uint32_t i = 0; i < product->n_inputs; i++) {
        uint32_t *ids = mesh_arena_alloc(&arena, (product->inputs[i].n_contracts + 1) * sizeof *ids);
        for (uint32_t c = 0; c < product->inputs[i].n_contracts; c++)
            ids[c] = product->inputs[i].contracts[c].local_id;
        wire[i] = ids;
    }
    uint32_t *port_ids = mesh_arena_alloc(&arena, (product->n_ports + 1) * sizeof *port_ids);
    for (uint32_t p = 0; p < product->n_ports; p++)
        if (product->ports[p].contract != NULL)
            port_ids[p] = product->ports[p].contract->local_id;
    if (worker->schemas != NULL)
        (void)mesh_schemas_ready(worker->schemas, port_ids);
    uint8_t random[(MESH_ENGINE_CLAIM_TEXT - 1) / 2];
    char claim[MESH_ENGINE_CLAIM_TEXT] = "";
    if (getrandom(random, sizeof random, 0) == (ssize_t)sizeof random)
        mesh_hex(random, sizeof random, claim);
    struct mesh_engine_conf conf = {
        .product = product,
        .claim = claim,
        .input_partitions = inputs,
        .port_partitions = dests,
        .pseudonym_key = worker->pseudonym_key,
        .seal = mesh_letters_hook(&worker->config->letters),
        .wire_ids = wire,
        .written = mesh_schemas_hook(worker->schemas),
        .port_ids = port_ids,
        .event_text = mesh_worker_event_text,
        .event_context = worker,
        .spill = worker->memory.spill,
        .mongo = worker->config->mongo_uri[0] != '\0',
        .generation = generation,
        .voice = worker->cutover.role.word == MESH_ROLE_ACTIVE ? worker->cutover.role.voice : 0,
        .succeeds = worker->cutover.role.succeeds,
        .n_succeeds = worker->cutover.role.n_succeeds,
        .documents_again = mesh_worker_has_to_announce(worker),
        .sharded = worker->sharded,
        .shard = worker->shard.shard,
        .commit_interval_us = worker->config->commit_interval_ms * 1000,
        .metrics = worker->metrics,
        .accepts = accepts,
        .accepts_context = worker,
        .between = mesh_worker_breathe,
        .between_context = worker,
    };
    int result = mesh_engine_new(&conf, ret, err);
    mesh_arena_deinit(&arena);
    return result;
}

static int restore_frame(void *context, struct mesh_str frame, struct mesh_err *err)
{
    struct mesh_worker *worker = context;
    mesh_memory_loading(&worker->memory, worker->restoring, worker->name);
    return mesh_engine_restore(worker->restoring, frame, err);
}

int mesh_worker_restore_frame(void *context, struct mesh_str payload, struct mesh_err *err)
{
    struct mesh_worker *worker = context;
    if (++worker->frames_read % SHOW_FRAMES == 0) { /* a long restore is no standstill, and others may ask meanwhile */
        mesh_worker_show(worker, false);
        if (worker->sharded && !atomic_load(&worker->standby))
            mesh_worker_breathe(worker);
    }
    return mesh_store_cipher_open(worker->cipher, payload, restore_frame, worker, err);
}

static void say_loaded(const struct mesh_worker *worker, int64_t us)
{
    char ms[32], bytes[32], frames[32], rate[64], shard[16];
    double seconds = us > 0 ? (double)us / 1e6 : 1e-6;
    snprintf(ms, sizeof ms, "%lld", (long long)us / 1000);
    snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)worker->log_bytes);
    snprintf(frames, sizeof frames, "%llu", (unsigned long long)worker->frames_read);
    snprintf(rate, sizeof rate, "%.0f records/s, %.1f MB/s", (double)worker->frames_read / seconds,
             (double)worker->log_bytes / 1e6 / seconds);
    snprintf(shard, sizeof shard, "%d", (int)worker->shard.shard);
    mesh_log(MESH_LOG_INFO, "state loaded", "product", worker->name, "ms", ms, "bytes", bytes, "records", frames, "rate", rate,
             worker->sharded ? "shard" : NULL, shard, NULL);
}

int mesh_worker_restore(struct mesh_worker *worker, uint64_t generation, struct mesh_err *err)
{
    int64_t begun_us = mesh_clock_mono_us();
    worker->frames_read = 0;
    if (worker->restoring == NULL && mesh_worker_build_engine(worker, generation, &worker->restoring, err) < 0)
        return -1;
    int r = mesh_journal_read(&worker->journal, mesh_worker_restore_frame, worker, err);
    if (r == 0)
        r = mesh_engine_restored(worker->restoring, err);
    if (r != 0) {
        worker->restoring = mesh_engine_free(worker->restoring);
        return r;
    }
    worker->engine = worker->restoring;
    worker->restoring = NULL;
    worker->log_bytes = mesh_journal_bytes(&worker->journal);
    if (!worker->journal.ops->empty(worker->journal.log))
        say_loaded(worker, mesh_clock_mono_us() - begun_us);
    return 0;
}

static int restore(struct mesh_worker *worker, struct mesh_err *err)
{
    if (mesh_worker_restore(worker, (uint64_t)(mesh_clock_wall_us() / 1000000), err) != 0)
        return -1;
    if (mesh_store_log_torn(worker->log) > 0)
        mesh_log(MESH_LOG_WARN, "the last commit was cut by a crash; it is left out", "product", worker->name, NULL);
    return 0;
}

int mesh_worker_open_state(struct mesh_worker *worker, struct mesh_err *err)
{
    worker->cipher = mesh_store_cipher_new(&worker->config->state_keys, worker->name);
    const char *dir = worker->config->state_keys.n > 0 ? NULL : worker->dir;
    if (worker->sharded) { /* its folder holds nothing but what memory has no room for */
        uint64_t budget = worker->config->state_bytes / (uint64_t)worker->shard.n_shards;
        if (budget > 0 && dir != NULL && make_writable(worker, err) < 0)
            return -1;
        return mesh_memory_init(&worker->memory, budget, dir, err);
    }
    if (worker->config->state_reset && reset_state(worker, err) < 0)
        return -1;
    if (make_writable(worker, err) < 0 || mesh_memory_init(&worker->memory, worker->config->state_bytes, dir, err) < 0)
        return -1;
    if (!has_state(worker) || mesh_known_read(worker->dir, &worker->known) != 0)
        return 0;
    const struct mesh_product *product = worker->product;
    int32_t *inputs = mesh_xcalloc(product->n_inputs + 1, sizeof *inputs);
    int32_t *dests = mesh_xcalloc(mesh_engine_n_dests(product) + 1, sizeof *dests);
    bool known = mesh_worker_partitions(worker, inputs, dests);
    free(inputs);
    free(dests);
    if (open_log(worker, err) < 0)
        return -1;
    if (known)
        return restore(worker, err);
    /* The declaration has topics now that the last run did not know: the broker must tell. */
    mesh_journal_close(&worker->journal);
    worker->log = NULL;
    return 0;
}

static void close_state(struct mesh_worker *worker)
{
    mesh_worker_drop_outputs(worker);
    mesh_worker_drop_held_back(worker);
    worker->committer = mesh_committer_free(worker->committer);
    worker->engine = mesh_engine_free(worker->engine);
    worker->told = false;
    mesh_journal_close(&worker->journal);
    worker->log = NULL;
    worker->log_bytes = 0;
    worker->cut_in_flight = false;
    worker->segment = 0;
}

int mesh_worker_set_aside(struct mesh_worker *worker, const char *why, struct mesh_err *err)
{
    close_state(worker);
    mesh_cleanup(mesh_freep) char *where = NULL;
    if (mesh_store_log_set_aside(worker->dir, &where, err) < 0)
        return -1;
    mesh_log(MESH_LOG_INFO, why, "product", worker->name, "kept_in", where, NULL);
    mesh_known_deinit(&worker->known);
    return 0;
}

static bool is_mock(const char *cluster_id)
{
    return strncmp(cluster_id, MESH_KAFKA_MOCK_PREFIX, strlen(MESH_KAFKA_MOCK_PREFIX)) == 0;
}

/* The state belongs to another cluster than the broker's. */
static int other_cluster(struct mesh_worker *worker, const char *old, struct mesh_err *err)
{
    if (mesh_worker_embedded(worker) && (is_mock(old) || worker->config->kafka_embedded))
        return mesh_worker_set_aside(worker, "the embedded broker is a new one, so the state of the old one is set aside", err);
    return mesh_err_set(err, MESH_ERR_FATAL, "state.other_cluster",
                        "%s belongs to cluster '%s', the broker is of cluster '%s': offsets of one "
                        "mean nothing in the other. Point MESH_KAFKA_BROKERS at the right cluster, "
                        "give this one another MESH_STATE_DIR, or begin anew with "
                        "MESH_STATE_RESET=1 (the old state is kept beside)",
                        worker->dir, old, worker->link_info.cluster_id);
}

/* A restored engine was built for these numbers. */
static int check_partitions(struct mesh_worker *worker, struct mesh_err *err)
{
    bool changed = false;
    for (uint32_t i = 0; i < worker->n_topics; i++) {
        const struct mesh_link_topic *t = &worker->topics[i];
        int32_t was = mesh_known_partitions(&worker->known, t->topic);
        if (was == t->found)
            continue;
        if (t->read)
            return mesh_err_set(err, MESH_ERR_FATAL, "partitions.changed",
                                "%s has %d partitions now and had %d: its keys have moved between "
                                "partitions, and the state is kept by partition. Begin anew with "
                                "MESH_STATE_RESET=1 (the old state is kept beside)",
                                t->topic, t->found, was);
        mesh_log(MESH_LOG_WARN,
                 "an output topic has another number of partitions; this run keeps "
                 "to the old one, the next start takes it up",
                 "product", worker->name, "topic", t->topic, NULL);
        changed = true;
    }
    if (!changed)
        return 0;
    mesh_known_set(&worker->known, worker->link_info.cluster_id, worker->topics, worker->n_topics);
    return mesh_known_write(worker->dir, &worker->known, err);
}

static int begin_state(struct mesh_worker *worker, struct mesh_err *err)
{
    struct mesh_known old;
    if (has_state(worker) && mesh_known_read(worker->dir, &old) == 0) {
        bool same = strcmp(old.cluster_id, worker->link_info.cluster_id) == 0;
        int result = same ? 0 : other_cluster(worker, old.cluster_id, err);
        mesh_known_deinit(&old);
        if (result < 0)
            return -1;
    }
    mesh_known_set(&worker->known, worker->link_info.cluster_id, worker->topics, worker->n_topics);
    if (make_writable(worker, err) < 0 || mesh_known_write(worker->dir, &worker->known, err) < 0)
        return -1;
    if (open_log(worker, err) < 0)
        return -1;
    return restore(worker, err);
}

int mesh_worker_begin_log(struct mesh_worker *worker, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf claim = MESH_BUF_NULL;
    mesh_engine_claim(worker->engine, &claim);
    struct mesh_str frames = mesh_store_cipher_seal(worker->cipher, (struct mesh_str){claim.p, (uint32_t)claim.n});
    if (mesh_journal_append(&worker->journal, frames, err) < 0)
        return -1;
    worker->log_bytes = mesh_journal_bytes(&worker->journal);
    worker->committer = mesh_committer_new(&worker->journal, worker->cipher, &worker->wake);
    if (mesh_store_cipher_is_behind(worker->cipher)) {
        mesh_log(MESH_LOG_INFO, "a part of the state is not under the first key of MESH_STATE_KEY_FILE: all of it is written again",
                 "product", worker->name, NULL);
        mesh_engine_round_want(worker->engine);
    }
    return 0;
}

int mesh_worker_bind_state(struct mesh_worker *worker, struct mesh_err *err)
{
    if (worker->engine != NULL && strcmp(worker->known.cluster_id, worker->link_info.cluster_id) != 0 &&
        other_cluster(worker, worker->known.cluster_id, err) < 0)
        return -1;
    if (worker->engine != NULL) {
        if (check_partitions(worker, err) < 0)
            return -1;
    } else if (begin_state(worker, err) < 0) {
        return -1;
    }
    if (mesh_store_log_empty(worker->log) && worker->link_info.group_has_offsets && !worker->reset)
        return mesh_err_set(err, MESH_ERR_FATAL, "state.lost",
                            "group '%s' has committed offsets on this cluster, but %s is empty: the "
                            "state is lost or elsewhere, and going on without it would give wrong "
                            "answers. Restore the folder, point MESH_STATE_DIR at it, or begin anew "
                            "from the earliest records with MESH_STATE_RESET=1",
                            worker->group, worker->dir);
    if (mesh_worker_may_follow(worker, err) < 0)
        return -1;
    return mesh_worker_begin_log(worker, err);
}
