/* One slot: a second commit cannot be asked for before the first has landed, so a queue would only
 * hide that the disk is slow. */
#include "app/committer.h"

#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

enum phase { IDLE, SUBMITTED, LANDED };

struct mesh_committer {
    struct mesh_journal journal;
    struct mesh_store_cipher *cipher;
    struct mesh_wake *wake;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    enum phase phase;
    struct mesh_buf frames;
    bool cut;
    uint64_t trim; /* 0: nothing to delete */
    bool stop, failed;
    struct mesh_committer_result result;
    struct mesh_err err;
};

static int land(struct mesh_committer *committer, struct mesh_err *err)
{
    int64_t begun_us = mesh_clock_mono_us();
    uint64_t segment = 0;
    if (committer->cut)
        segment = committer->journal.ops->cut(committer->journal.log);
    struct mesh_str frames =
        mesh_store_cipher_seal(committer->cipher, (struct mesh_str){committer->frames.p, (uint32_t)committer->frames.n});
    if (mesh_journal_append(&committer->journal, frames, err) < 0)
        return -1;
    committer->result =
        (struct mesh_committer_result){mesh_journal_bytes(&committer->journal), segment, mesh_clock_mono_us() - begun_us};
    return 0;
}

static void *run(void *context)
{
    struct mesh_committer *c = context;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (c->phase != SUBMITTED && c->trim == 0 && !c->stop)
            pthread_cond_wait(&c->cond, &c->lock);
        if (c->phase != SUBMITTED && c->trim == 0)
            break;
        bool submitted = c->phase == SUBMITTED;
        uint64_t trim = c->trim;
        c->trim = 0;
        struct mesh_err err = {0};
        pthread_mutex_unlock(&c->lock);
        int result = submitted ? land(c, &err) : 0;
        if (result == 0 && trim != 0)
            result = c->journal.ops->trim(c->journal.log, trim, &err);
        pthread_mutex_lock(&c->lock);
        if (submitted)
            c->phase = LANDED;
        if (result < 0) {
            c->failed = true;
            c->err = err;
        }
        mesh_wake_ring(c->wake);
        if (result < 0)
            break;
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct mesh_committer *mesh_committer_new(const struct mesh_journal *journal, struct mesh_store_cipher *cipher,
                                          struct mesh_wake *wake)
{
    struct mesh_committer *committer = mesh_xcalloc(1, sizeof *committer);
    committer->journal = *journal;
    committer->cipher = cipher;
    committer->wake = wake;
    mesh_assert(pthread_mutex_init(&committer->lock, NULL) == 0);
    mesh_wake_cond_init(&committer->cond);
    mesh_assert(pthread_create(&committer->thread, NULL, run, committer) == 0);
    return committer;
}

bool mesh_committer_busy(struct mesh_committer *committer)
{
    pthread_mutex_lock(&committer->lock);
    bool busy = committer->phase != IDLE;
    pthread_mutex_unlock(&committer->lock);
    return busy;
}

void mesh_committer_submit(struct mesh_committer *committer, struct mesh_buf *frames, bool cut)
{
    pthread_mutex_lock(&committer->lock);
    mesh_assert(committer->phase == IDLE);
    struct mesh_buf empty = committer->frames;
    mesh_buf_reset(&empty);
    committer->frames = *frames;
    *frames = empty; /* the two buffers take turns */
    committer->cut = cut;
    committer->phase = SUBMITTED;
    pthread_cond_signal(&committer->cond);
    pthread_mutex_unlock(&committer->lock);
}

void mesh_committer_trim(struct mesh_committer *committer, uint64_t segment)
{
    pthread_mutex_lock(&committer->lock);
    committer->trim = segment;
    pthread_cond_signal(&committer->cond);
    pthread_mutex_unlock(&committer->lock);
}

int mesh_committer_poll(struct mesh_committer *committer, struct mesh_committer_result *ret, struct mesh_err *err)
{
    pthread_mutex_lock(&committer->lock);
    int result = 0;
    if (committer->failed) {
        *err = committer->err;
        result = -1;
    } else if (committer->phase == LANDED) {
        *ret = committer->result;
        committer->phase = IDLE;
        result = 1;
    }
    pthread_mutex_unlock(&committer->lock);
    return result;
}

struct mesh_committer *mesh_committer_free(struct mesh_committer *committer)
{
    if (committer == NULL)
        return NULL;
    pthread_mutex_lock(&committer->lock);
    committer->stop = true;
    pthread_cond_signal(&committer->cond);
    pthread_mutex_unlock(&committer->lock);
    pthread_join(committer->thread, NULL);
    mesh_buf_deinit(&committer->frames);
    pthread_cond_destroy(&committer->cond);
    pthread_mutex_destroy(&committer->lock);
    free(committer);
    return NULL;
}
