/* Which blocks were allocated by calloc(n, ...) for a given n, while something is being done.
 * One watch at a time. */
#ifndef MESH_BROKER_WATCH_H
#define MESH_BROKER_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#define MESH_BROKER_WATCH_MAX 64 /* further blocks are counted, not kept */

struct mesh_broker_block {
    void *start;
    size_t element_bytes;
};

/* False in a build with a sanitizer, whose own calloc() must see who calls; nothing is found then. */
bool mesh_broker_watch_works(void);

/* Keep blocks of `n` elements, of `element_bytes` each (0: any size of 16 bytes or more). */
void mesh_broker_watch_start(size_t n, size_t element_bytes);

/* End it; `ret` has room for MESH_BROKER_WATCH_MAX blocks. Returns how many there were, which may be
 * more than were kept. */
size_t mesh_broker_watch_stop(struct mesh_broker_block *ret);

#endif
