/* The abort is loud and comes with a place: an assertion that stays on must be worth reading in a
 * log of production. Everything goes straight to file descriptor 2, because stdio may be what
 * broke. */
#include "base/check.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Noreturn void mesh_assert_failed(const char *condition, const char *file, int line, const char *function)
{
    dprintf(STDERR_FILENO, "mesh: assertion failed: %s, in %s at %s:%d (a bug of mesh; please report it)\n", condition, function,
            file, line);
    abort();
}

static _Noreturn void out_of_memory(size_t bytes)
{
    dprintf(STDERR_FILENO, "mesh: out of memory: %zu bytes asked for\n", bytes);
    abort();
}

void *mesh_xmalloc(size_t bytes)
{
    void *p = malloc(bytes != 0 ? bytes : 1);
    if (p == NULL)
        out_of_memory(bytes);
    return p;
}

void *mesh_xcalloc(size_t count, size_t bytes)
{
    void *p = calloc(count != 0 ? count : 1, bytes != 0 ? bytes : 1);
    if (p == NULL)
        out_of_memory(bytes != 0 && count > SIZE_MAX / bytes ? SIZE_MAX : count * bytes);
    return p;
}

void *mesh_xrealloc(void *old, size_t bytes)
{
    void *p = realloc(old, bytes != 0 ? bytes : 1);
    if (p == NULL)
        out_of_memory(bytes);
    return p;
}

char *mesh_xstrdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(mesh_xmalloc(bytes), text, bytes);
}

void mesh_freep(void *pointer_to_pointer)
{
    void *p;
    memcpy(&p, pointer_to_pointer, sizeof p);
    free(p);
    p = NULL;
    memcpy(pointer_to_pointer, &p, sizeof p);
}

void mesh_closep(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}
