/* Defines poll() for the whole program and shortens the time-out in the mock's thread only. */
#include "broker/prompt.h"

#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#define PROMPT_TIMEOUT_MS 3

static bool prompt;

static bool in_mock_thread(void)
{
    char name[16] = "";
    return pthread_getname_np(pthread_self(), name, sizeof name) == 0 && strcmp(name, MESH_BROKER_MOCK_THREAD) == 0;
}

typedef int poll_fn(struct pollfd *fds, nfds_t n, int timeout_ms);

int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    static poll_fn *next; /* every thread would store the same value */
    poll_fn *forward = __atomic_load_n(&next, __ATOMIC_RELAXED);
    if (forward == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "poll");
        memcpy(&forward, &symbol, sizeof forward);
        __atomic_store_n(&next, forward, __ATOMIC_RELAXED);
    }
    bool is_long = timeout_ms < 0 || timeout_ms > PROMPT_TIMEOUT_MS;
    if (is_long && __atomic_load_n(&prompt, __ATOMIC_RELAXED) && in_mock_thread())
        timeout_ms = PROMPT_TIMEOUT_MS;
    return forward(fds, n, timeout_ms);
}

void mesh_broker_prompt_set(bool on)
{
    __atomic_store_n(&prompt, on, __ATOMIC_RELAXED);
}
