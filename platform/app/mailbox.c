/* The lock covers the list alone and is held for a few instructions. Errands are taken one by one, so that those behind the budget
 * simply stay where they are. */
#include "app/mailbox.h"

#include "base/check.h"
#include "base/clock.h"

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

void mesh_mailbox_post(struct mesh_mailbox *mailbox, struct mesh_errand *errand)
{
    errand->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    bool taken = !mailbox->closed && atomic_load_explicit(&mailbox->n, memory_order_relaxed) < MESH_MAILBOX_MAX;
    if (taken) {
        *mailbox->last = errand;
        mailbox->last = &errand->next;
        atomic_fetch_add_explicit(&mailbox->n, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&mailbox->lock);
    if (taken)
        mesh_wake_ring(mailbox->wake);
    else
        errand->refuse(errand);
}

static struct mesh_errand *take(struct mesh_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    struct mesh_errand *errand = mailbox->first;
    if (errand != NULL) {
        mailbox->first = errand->next;
        if (mailbox->first == NULL)
            mailbox->last = &mailbox->first;
        atomic_fetch_sub_explicit(&mailbox->n, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&mailbox->lock);
    return errand;
}

void mesh_mailbox_run(struct mesh_mailbox *mailbox, void *owner, int64_t budget_us)
{
    if (!mesh_mailbox_any(mailbox))
        return;
    int64_t until_us = mesh_clock_mono_us() + budget_us;
    struct mesh_errand *errand = take(mailbox);
    while (errand != NULL) {
        errand->run(errand, owner);
        errand = mesh_clock_mono_us() < until_us ? take(mailbox) : NULL;
    }
}

void mesh_mailbox_close(struct mesh_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    mailbox->closed = true;
    struct mesh_errand *errand = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    atomic_store_explicit(&mailbox->n, 0, memory_order_relaxed);
    pthread_mutex_unlock(&mailbox->lock);
    while (errand != NULL) {
        struct mesh_errand *next = errand->next;
        errand->refuse(errand);
        errand = next;
    }
}
