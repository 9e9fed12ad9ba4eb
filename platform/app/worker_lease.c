/* The worker's side of the lease (io/kafka_lease.h): when it is asked for, and what follows when it is refused. */
#include "app/worker_int.h"

#include "base/clock.h"

#define RENEWAL_US_MAX   INT64_C(1000000)
#define RENEWALS         4 /* within a session */
#define AGAIN_US         INT64_C(100000)
#define FROZEN_MARGIN_US INT64_C(5000000)
#define PAUSE_US         INT64_C(500000)
#define PAUSE_MARGIN_US  INT64_C(2000000)

_Static_assert(MESH_ENGINE_CLAIM_TEXT == MESH_CLAIM_TEXT, "the engine's claims are the lease's");

static struct mesh_lease_own own_claims(const struct mesh_worker *worker)
{
    struct mesh_lease_own own = {
        .mark = {.generation = mesh_engine_generation(worker->engine), .n = mesh_engine_commits(worker->engine)}};
    own.claims = mesh_engine_claims(worker->engine, &own.n_claims);
    if (own.n_claims > 0)
        memcpy(own.mark.claim, own.claims[own.n_claims - 1], sizeof own.mark.claim);
    memcpy(own.replaces, worker->replaces, sizeof own.replaces);
    return own;
}

static int stale(struct mesh_worker *worker, const struct mesh_lease_mark *found, struct mesh_err *err)
{
    return mesh_err_set(
        err, MESH_ERR_FATAL, "state.stale",
        "%s is not the state that group '%s' has gone on with (claim %s, commit %llu): it is an older copy, or another "
        "process has taken over with a copy of it. Going on would give wrong answers. Start the instance that went on, "
        "restore its folder, or begin anew from the earliest records with MESH_STATE_RESET=1",
        worker->dir, worker->group, found->claim, (unsigned long long)found->n);
}

int mesh_worker_may_follow(struct mesh_worker *worker, struct mesh_err *err)
{
    const struct mesh_lease_mark *found = &worker->link_info.mark;
    if (worker->reset)
        memcpy(worker->replaces, found->claim, sizeof worker->replaces); /* on purpose */
    struct mesh_lease_own own = own_claims(worker);
    return mesh_lease_may_follow(&own, found) ? 0 : stale(worker, found, err);
}

static rd_kafka_topic_partition_list_t *positions(struct mesh_worker *worker, const struct mesh_lease_own *own)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_lease_mark_write(&own->mark, &text);
    return mesh_kafka_source_positions(worker->source, text.p);
}

int mesh_worker_renew(struct mesh_worker *worker, struct mesh_err *err)
{
    struct mesh_lease_info info = {0};
    if (!worker->sharded)
        mesh_lease_info(worker->lease, &info);
    int64_t now_us = mesh_clock_mono_us();
    if (worker->looked_us != 0 && now_us - worker->looked_us > INT64_C(1000) * worker->kafka.session_timeout_ms / 2) {
        /* It was frozen. The group may have gone on without this member: librdkafka has to find out first, and to join again. */
        worker->back_us = mesh_clock_wall_us() + FROZEN_MARGIN_US;
        mesh_engine_was_away(worker->engine, worker->back_us, true);
        mesh_log(MESH_LOG_WARN, "this process stood still for a while; sends nothing until it knows that its state still counts",
                 "product", worker->name, NULL);
    } else if (worker->looked_us != 0 &&
               now_us - worker->looked_us > PAUSE_US) /* what came meanwhile has not been fetched: silence says nothing */
        mesh_engine_was_away(worker->engine, mesh_clock_wall_us() + PAUSE_MARGIN_US, false);
    worker->looked_us = now_us;
    if (worker->sharded)
        return 0;
    worker->held_until_us = info.held_until_us;
    if (info.stale)
        return stale(worker, &info.found, err);
    /* A commit under the member's old id fences the member itself: none while the broker is away, or membership may have been lost. */
    if (info.busy || worker->said_away || mesh_clock_wall_us() <= worker->back_us ||
        mesh_kafka_source_state(worker->source) != MESH_SOURCE_OWNER)
        return 0;
    int64_t every_us = INT64_C(1000) * worker->kafka.session_timeout_ms / RENEWALS;
    every_us = every_us < RENEWAL_US_MAX ? every_us : RENEWAL_US_MAX;
    if (now_us - worker->lease_asked_us < (now_us < worker->held_until_us ? every_us : AGAIN_US))
        return 0;
    worker->lease_asked_us = now_us;
    struct mesh_lease_own own = own_claims(worker);
    mesh_lease_ask(worker->lease, &own, positions(worker, &own));
    return 0;
}

bool mesh_worker_holds(const struct mesh_worker *worker)
{
    /* In Kafka a commit that is durable was looked at: no newer claim lies before it. Whoever goes on has it, and sends the same. */
    return worker->sharded || mesh_clock_mono_us() < worker->held_until_us;
}

void mesh_worker_last_mark(struct mesh_worker *worker)
{
    struct mesh_lease_own own = own_claims(worker);
    rd_kafka_topic_partition_list_t *list = positions(worker, &own);
    if (list->cnt > 0 && mesh_worker_holds(worker))
        (void)rd_kafka_commit(mesh_kafka_source_client(worker->source), list, 1);
    rd_kafka_topic_partition_list_destroy(list);
}
