/* The flag is taken without the lock by those who ring, so that a burst of rings costs one lock. */
#include "io/wake.h"

#include "base/check.h"

#include <time.h>

void mesh_wake_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    mesh_assert(pthread_condattr_init(&attr) == 0);
    mesh_assert(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    mesh_assert(pthread_cond_init(cond, &attr) == 0);
    pthread_condattr_destroy(&attr);
}

struct timespec mesh_wake_deadline(int64_t timeout_us)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t ns = at.tv_nsec + timeout_us % 1000000 * 1000;
    at.tv_sec += (time_t)(timeout_us / 1000000 + ns / 1000000000);
    at.tv_nsec = (long)(ns % 1000000000);
    return at;
}

void mesh_wake_init(struct mesh_wake *wake)
{
    mesh_assert(pthread_mutex_init(&wake->lock, NULL) == 0);
    mesh_wake_cond_init(&wake->cond);
    atomic_init(&wake->rung, false);
}

void mesh_wake_deinit(struct mesh_wake *wake)
{
    pthread_cond_destroy(&wake->cond);
    pthread_mutex_destroy(&wake->lock);
}

void mesh_wake_ring(struct mesh_wake *wake)
{
    if (atomic_exchange_explicit(&wake->rung, true, memory_order_acq_rel))
        return;
    pthread_mutex_lock(&wake->lock);
    pthread_cond_signal(&wake->cond);
    pthread_mutex_unlock(&wake->lock);
}

void mesh_wake_wait(struct mesh_wake *wake, int64_t timeout_us)
{
    if (atomic_exchange_explicit(&wake->rung, false, memory_order_acq_rel))
        return;
    struct timespec at = mesh_wake_deadline(timeout_us);
    pthread_mutex_lock(&wake->lock);
    while (!atomic_load_explicit(&wake->rung, memory_order_acquire) && pthread_cond_timedwait(&wake->cond, &wake->lock, &at) == 0)
        ;
    pthread_mutex_unlock(&wake->lock);
    (void)atomic_exchange_explicit(&wake->rung, false, memory_order_acq_rel);
}
