/* Time zones, as this machine's tzdata has them: when the local clock of a zone changes, and by how much it is ahead of UTC then.
 *
 * Read once, at compile time, from TZif files (RFC 8536) below TZDIR or /usr/share/zoneinfo, and written into the generated code as a table
 * that reaches to the end of the times that records may have. So days are the same on every machine that runs the service, and in every
 * replay (docs/decisions/016-windows-of-no-fixed-length.md).
 */
#ifndef MESH_CODEGEN_ZONE_H
#define MESH_CODEGEN_ZONE_H

#include "base/arena.h"
#include "base/vec.h"

#include <stdint.h>

struct mesh_zone_step {
    int64_t at_s;     /* from then on; of the first: INT64_MIN, always */
    int32_t offset_s; /* local time - UTC */
};

struct mesh_zone_table {
    const char *name; /* "Europe/Berlin" */
    MESH_VEC(struct mesh_zone_step) steps;
};

/* NULL: *ret_why says why, as half a sentence. */
struct mesh_zone_table *mesh_zone_load(struct mesh_arena *arena, const char *name, const char **ret_why);
/* The same from bytes, for tests. */
struct mesh_zone_table *mesh_zone_parse(struct mesh_arena *arena, const char *name, const void *bytes, size_t n,
                                        const char **ret_why);

#endif
