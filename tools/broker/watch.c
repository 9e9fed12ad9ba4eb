/* Defines calloc() for the whole program, forwards it to the next one in line (glibc's, a
 * sanitizer's, an allocator's that was preloaded), and writes down what the watch asks for.
 * Only blocks allocated by librdkafka's mock thread count: that is the thread which makes topics. */
#include "broker/watch.h"

#include "broker/prompt.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct {
    size_t n; /* 0: no watch */
    size_t element_bytes;
    size_t found;
    struct mesh_broker_block blocks[MESH_BROKER_WATCH_MAX];
} watch;
static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;

static void __attribute__((unused)) note_block(void *start, size_t n, size_t element_bytes)
{
    char name[16] = "";
    if (pthread_getname_np(pthread_self(), name, sizeof name) != 0)
        return;
    if (strcmp(name, MESH_BROKER_MOCK_THREAD) != 0)
        return;
    pthread_mutex_lock(&watch_lock);
    if (watch.n == n && (watch.element_bytes == 0 ? element_bytes >= 2 * sizeof(size_t) : element_bytes == watch.element_bytes)) {
        if (watch.found < MESH_BROKER_WATCH_MAX)
            watch.blocks[watch.found] = (struct mesh_broker_block){.start = start, .element_bytes = element_bytes};
        watch.found++;
    }
    pthread_mutex_unlock(&watch_lock);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
bool mesh_broker_watch_works(void)
{
    return false;
}
#else
bool mesh_broker_watch_works(void)
{
    return true;
}

typedef void *calloc_fn(size_t n, size_t size);

void *calloc(size_t n, size_t size)
{
    static calloc_fn *next; /* every thread would store the same value */
    static _Thread_local bool resolving;
    calloc_fn *forward = __atomic_load_n(&next, __ATOMIC_RELAXED);
    if (forward == NULL) {
        /* dlsym() itself may ask for memory; it copes with getting none. */
        if (resolving)
            return NULL;
        resolving = true;
        void *symbol = dlsym(RTLD_NEXT, "calloc");
        resolving = false;
        memcpy(&forward, &symbol, sizeof forward);
        __atomic_store_n(&next, forward, __ATOMIC_RELAXED);
    }
    void *start = forward(n, size);
    size_t wanted = __atomic_load_n(&watch.n, __ATOMIC_RELAXED);
    if (wanted != 0 && wanted == n && start != NULL)
        note_block(start, n, size);
    return start;
}
#endif

void mesh_broker_watch_start(size_t n, size_t element_bytes)
{
    pthread_mutex_lock(&watch_lock);
    watch.found = 0;
    watch.element_bytes = element_bytes;
    __atomic_store_n(&watch.n, n, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&watch_lock);
}

size_t mesh_broker_watch_stop(struct mesh_broker_block *ret)
{
    pthread_mutex_lock(&watch_lock);
    size_t found = watch.found;
    size_t kept = found < MESH_BROKER_WATCH_MAX ? found : MESH_BROKER_WATCH_MAX;
    __atomic_store_n(&watch.n, 0, __ATOMIC_RELAXED);
    memcpy(ret, watch.blocks, kept * sizeof *ret);
    pthread_mutex_unlock(&watch_lock);
    return found;
}
