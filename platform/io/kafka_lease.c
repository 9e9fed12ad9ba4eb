/* One exchange: read, compare, commit. Both calls block, so they have a thread of their own. */
#include "io/kafka_lease.h"

#include "base/check.h"
#include "base/clock.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MS 3000

struct mesh_lease {
    rd_kafka_t *rk;
    struct mesh_wake *wake;
    int64_t session_us;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool stop;
    struct mesh_lease_info info;
    struct mesh_lease_own own; /* of the exchange under way; its claims are a copy */
    rd_kafka_topic_partition_list_t *positions;
};

/* ---- marks ---- */
int mesh_lease_mark_read(struct mesh_str text, struct mesh_lease_mark *ret)
{
    char copy[128];
    int end = 0;
    if (text.n >= sizeof copy)
        return 1;
    memcpy(copy, text.n == 0 ? "" : text.p, text.n);
    copy[text.n] = '\0';
    struct mesh_lease_mark mark = {0};
    if (sscanf(copy, "mesh 1 %32[0-9a-f] %" SCNu64 " %" SCNu64 "%n", mark.claim, &mark.generation, &mark.n, &end) != 3 ||
        copy[end] != '\0' || strlen(mark.claim) != MESH_CLAIM_TEXT - 1)
        return 1;
    *ret = mark;
    return 0;
}

void mesh_lease_mark_write(const struct mesh_lease_mark *mark, struct mesh_buf *out)
{
    mesh_buf_printf(out, "mesh 1 %s %" PRIu64 " %" PRIu64, mark->claim, mark->generation, mark->n);
}

bool mesh_lease_may_follow(const struct mesh_lease_own *own, const struct mesh_lease_mark *found)
{
    if (found->claim[0] == '\0' || strcmp(found->claim, own->replaces) == 0)
        return true;
    for (size_t i = 0; i < own->n_claims; i++)
        if (strcmp(own->claims[i], found->claim) == 0)
            return found->generation != own->mark.generation || found->n <= own->mark.n;
    return false;
}

struct mesh_lease_mark mesh_lease_newest(const rd_kafka_topic_partition_list_t *list)
{
    struct mesh_lease_mark newest = {0};
    for (int i = 0; i < list->cnt; i++) {
        struct mesh_lease_mark mark;
        struct mesh_str text = {list->elems[i].metadata, (uint32_t)list->elems[i].metadata_size};
        if (text.p != NULL && mesh_lease_mark_read(text, &mark) == 0 && (newest.claim[0] == '\0' || mark.n > newest.n))
            newest = mark;
    }
    return newest;
}

/* ---- the thread ---- */
static rd_kafka_resp_err_t read_mark(struct mesh_lease *lease, struct mesh_lease_mark *ret)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(lease->positions->cnt);
    for (int i = 0; i < lease->positions->cnt; i++)
        rd_kafka_topic_partition_list_add(list, lease->positions->elems[i].topic, lease->positions->elems[i].partition);
    rd_kafka_resp_err_t err = rd_kafka_committed(lease->rk, list, CALL_MS);
    for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++)
        err = list->elems[i].err;
    *ret = mesh_lease_newest(list);
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

static void exchange(struct mesh_lease *lease)
{
    int64_t begun_us = mesh_clock_mono_us();
    struct mesh_lease_mark found;
    rd_kafka_resp_err_t err = read_mark(lease, &found);
    bool follows = mesh_lease_may_follow(&lease->own, &found);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && follows)
        err = rd_kafka_commit(lease->rk, lease->positions, 0);
    pthread_mutex_lock(&lease->lock);
    lease->info.why[0] = '\0';
    lease->info.found = found;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        snprintf(lease->info.why, sizeof lease->info.why, "%s", rd_kafka_err2str(err));
    else if (!follows)
        lease->info.stale = true;
    else
        lease->info.held_until_us = begun_us + lease->session_us;
    pthread_mutex_unlock(&lease->lock);
}

static void clear(struct mesh_lease *lease)
{
    if (lease->positions != NULL)
        rd_kafka_topic_partition_list_destroy(lease->positions);
    lease->positions = NULL;
    free((void *)(uintptr_t)lease->own.claims);
    lease->own.claims = NULL;
}

static void *run(void *context)
{
    struct mesh_lease *lease = context;
    pthread_mutex_lock(&lease->lock);
    while (!lease->stop) {
        if (!lease->info.busy) {
            pthread_cond_wait(&lease->cond, &lease->lock);
            continue;
        }
        pthread_mutex_unlock(&lease->lock);
        exchange(lease);
        clear(lease);
        pthread_mutex_lock(&lease->lock);
        lease->info.busy = false;
        mesh_wake_ring(lease->wake);
    }
    pthread_mutex_unlock(&lease->lock);
    return NULL;
}

struct mesh_lease *mesh_lease_start(rd_kafka_t *rk, int session_timeout_ms, struct mesh_wake *wake)
{
    struct mesh_lease *lease = mesh_xcalloc(1, sizeof *lease);
    lease->rk = rk;
    lease->wake = wake;
    lease->session_us = INT64_C(1000) * session_timeout_ms;
    mesh_assert(pthread_mutex_init(&lease->lock, NULL) == 0);
    mesh_assert(pthread_cond_init(&lease->cond, NULL) == 0);
    mesh_assert(pthread_create(&lease->thread, NULL, run, lease) == 0);
    return lease;
}

void mesh_lease_ask(struct mesh_lease *lease, const struct mesh_lease_own *own, rd_kafka_topic_partition_list_t *positions)
{
    pthread_mutex_lock(&lease->lock);
    if (lease->info.busy || positions->cnt == 0) {
        rd_kafka_topic_partition_list_destroy(positions);
    } else {
        char(*claims)[MESH_CLAIM_TEXT] = mesh_xcalloc(own->n_claims + 1, sizeof *claims);
        memcpy(claims, own->claims, own->n_claims * sizeof *claims);
        lease->own = *own;
        lease->own.claims = (const char(*)[MESH_CLAIM_TEXT])claims;
        lease->positions = positions;
        lease->info.busy = true;
        pthread_cond_signal(&lease->cond);
    }
    pthread_mutex_unlock(&lease->lock);
}

void mesh_lease_info(struct mesh_lease *lease, struct mesh_lease_info *ret)
{
    pthread_mutex_lock(&lease->lock);
    *ret = lease->info;
    pthread_mutex_unlock(&lease->lock);
}

struct mesh_lease *mesh_lease_stop(struct mesh_lease *lease)
{
    if (lease == NULL)
        return NULL;
    pthread_mutex_lock(&lease->lock);
    lease->stop = true;
    pthread_cond_signal(&lease->cond);
    pthread_mutex_unlock(&lease->lock);
    pthread_join(lease->thread, NULL);
    clear(lease);
    pthread_cond_destroy(&lease->cond);
    pthread_mutex_destroy(&lease->lock);
    free(lease);
    return NULL;
}
