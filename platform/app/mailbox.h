/* Questions to a worker: errands that other threads post and its thread runs in between its work.
 *
 * Who posts gives the errand away and does not wait. Exactly one of its two functions is called, once, and disposes of it: run() on
 * the owner's thread, or refuse() when the mailbox is full (at once, on the poster's thread) or closed. Nothing is locked
 * meanwhile. An errand whose poster has lost patience is run all the same; it is its own matter to know that and to be brief.
 */
#ifndef MESH_APP_MAILBOX_H
#define MESH_APP_MAILBOX_H

#include "io/wake.h"

#define MESH_MAILBOX_MAX 4096 /* waiting errands; beyond: refused */

struct mesh_errand {
    void (*run)(struct mesh_errand *errand, void *owner);
    void (*refuse)(struct mesh_errand *errand);
    struct mesh_errand *next;
};

struct mesh_mailbox {
    pthread_mutex_t lock;
    struct mesh_errand *first, **last;
    atomic_uint n;
    bool closed;
    struct mesh_wake *wake;
};

void mesh_mailbox_init(struct mesh_mailbox *mailbox, struct mesh_wake *wake);
void mesh_mailbox_deinit(struct mesh_mailbox *mailbox);

/* Any thread: post and ring. */
void mesh_mailbox_post(struct mesh_mailbox *mailbox, struct mesh_errand *errand);
/* Whether something waits: as cheap as can be, for the owner to look often. */
static inline bool mesh_mailbox_any(struct mesh_mailbox *mailbox)
{
    return atomic_load_explicit(&mailbox->n, memory_order_relaxed) != 0;
}
/* The owner's thread: run what waits, in order, until none is left or `budget_us` is over (at least one). */
void mesh_mailbox_run(struct mesh_mailbox *mailbox, void *owner, int64_t budget_us);
/* The owner ends: what waits, and what comes yet, is refused. */
void mesh_mailbox_close(struct mesh_mailbox *mailbox);

#endif
