/* One lock for the list and for the state of all errands in it: it is held for a few instructions,
 * never while an errand runs. */
#include "app/mailbox.h"

#include "base/check.h"

void mesh_mailbox_init(struct mesh_mailbox *mailbox, struct mesh_wake *wake)
{
    mesh_assert(pthread_mutex_init(&mailbox->lock, NULL) == 0);
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    atomic_init(&mailbox->n, 0);
    mailbox->closed = false;
    mailbox->wake = wake;
}

void mesh_mailbox_deinit(struct mesh_mailbox *mailbox)
{
    mesh_mailbox_close(mailbox);
    pthread_mutex_destroy(&mailbox->lock);
}

static void drop(struct mesh_errand *errand)
{
    pthread_cond_destroy(&errand->cond);
    errand->drop(errand);
}

bool mesh_mailbox_ask(struct mesh_mailbox *mailbox, struct mesh_errand *errand, int64_t timeout_us)
{
    struct timespec at = mesh_wake_deadline(timeout_us);
    errand->next = NULL;
    errand->state = MESH_ERRAND_WAITING;
    mesh_wake_cond_init(&errand->cond);
    pthread_mutex_lock(&mailbox->lock);
    if (mailbox->closed || atomic_load(&mailbox->n) >= MESH_MAILBOX_MAX) {
        pthread_mutex_unlock(&mailbox->lock);
        pthread_cond_destroy(&errand->cond);
        errand->drop(errand);
        return false;
    }
    *mailbox->last = errand;
    mailbox->last = &errand->next;
    atomic_fetch_add(&mailbox->n, 1);
    pthread_mutex_unlock(&mailbox->lock);
    mesh_wake_ring(mailbox->wake);

    pthread_mutex_lock(&mailbox->lock);
    while (errand->state == MESH_ERRAND_WAITING && pthread_cond_timedwait(&errand->cond, &mailbox->lock, &at) == 0)
        ;
    enum mesh_errand_state state = errand->state;
    if (state == MESH_ERRAND_WAITING)
        errand->state = MESH_ERRAND_ABANDONED;
    pthread_mutex_unlock(&mailbox->lock);
    if (state == MESH_ERRAND_DONE)
        pthread_cond_destroy(&errand->cond);
    else if (state == MESH_ERRAND_REFUSED)
        drop(errand);
    return state == MESH_ERRAND_DONE;
}

void mesh_mailbox_run(struct mesh_mailbox *mailbox, void *owner)
{
    if (atomic_load_explicit(&mailbox->n, memory_order_acquire) == 0)
        return;
    pthread_mutex_lock(&mailbox->lock);
    struct mesh_errand *errand = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    atomic_store(&mailbox->n, 0);
    pthread_mutex_unlock(&mailbox->lock);
    while (errand != NULL) {
        struct mesh_errand *next = errand->next;
        pthread_mutex_lock(&mailbox->lock);
        bool abandoned = errand->state == MESH_ERRAND_ABANDONED;
        pthread_mutex_unlock(&mailbox->lock);
        if (!abandoned)
            errand->run(errand, owner);
        pthread_mutex_lock(&mailbox->lock);
        abandoned = errand->state == MESH_ERRAND_ABANDONED;
        if (!abandoned) {
            errand->state = MESH_ERRAND_DONE;
            pthread_cond_signal(&errand->cond);
        }
        pthread_mutex_unlock(&mailbox->lock);
        if (abandoned)
            drop(errand);
        errand = next;
    }
}

void mesh_mailbox_close(struct mesh_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->closed = true;
    struct mesh_errand *errand = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    while (errand != NULL) {
        struct mesh_errand *next = errand->next;
        if (errand->state == MESH_ERRAND_ABANDONED) {
            drop(errand);
        } else {
            errand->state = MESH_ERRAND_REFUSED;
            pthread_cond_signal(&errand->cond);
        }
        errand = next;
    }
    pthread_mutex_unlock(&mailbox->lock);
}
