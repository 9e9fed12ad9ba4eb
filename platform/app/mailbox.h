/* Questions to a worker: closures that other threads post and its thread runs between two batches.
 *
 * Who asks waits, but not for ever: after the time-out the errand is abandoned. It then belongs to
 * the mailbox, whose thread drops it when it comes to it, so errands are heap objects with a drop().
 */
#ifndef MESH_APP_MAILBOX_H
#define MESH_APP_MAILBOX_H

#include "io/wake.h"

#define MESH_MAILBOX_MAX 4096 /* waiting errands; beyond: refused as if timed out */

enum mesh_errand_state {
    MESH_ERRAND_WAITING,
    MESH_ERRAND_DONE,
    MESH_ERRAND_ABANDONED, /* by who asked */
    MESH_ERRAND_REFUSED,   /* by the owner, who has closed */
};

struct mesh_errand {
    void (*run)(struct mesh_errand *errand, void *owner);
    void (*drop)(struct mesh_errand *errand);
    struct mesh_errand *next;
    pthread_cond_t cond;
    enum mesh_errand_state state;
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

/* Post, ring, wait. True: it was run, and is the caller's again. False: it is not, do not touch. */
bool mesh_mailbox_ask(struct mesh_mailbox *mailbox, struct mesh_errand *errand, int64_t timeout_us);
/* The owner's thread: run what is there. */
void mesh_mailbox_run(struct mesh_mailbox *mailbox, void *owner);
/* The owner ends: what waits is answered no more. */
void mesh_mailbox_close(struct mesh_mailbox *mailbox);

#endif
