/* What a worker sleeps on: everything that can have news for it (a partition's queue, a delivery
 * report, a durable commit, a stored document, a question) rings here.
 *
 * A ring between the last look and the sleep is not lost: the sleep then ends at once.
 */
#ifndef MESH_IO_WAKE_H
#define MESH_IO_WAKE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct mesh_wake {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    atomic_bool rung;
};

void mesh_wake_init(struct mesh_wake *wake);
void mesh_wake_deinit(struct mesh_wake *wake);
/* Any thread, any number of times; cheap when it was rung already. */
void mesh_wake_ring(struct mesh_wake *wake);
/* Sleep until rung or for `timeout_us`; clears the ring. One sleeper. */
void mesh_wake_wait(struct mesh_wake *wake, int64_t timeout_us);

/* A condition variable on the monotonic clock, and the point in time `timeout_us` from now for it. */
void mesh_wake_cond_init(pthread_cond_t *cond);
struct timespec mesh_wake_deadline(int64_t timeout_us);

#endif
