/* The difference of two texts, line by line, as `diff -u` writes it: for `generate --diff` and for generated files that were edited. */
#ifndef MESH_CODEGEN_TEXT_DIFF_H
#define MESH_CODEGEN_TEXT_DIFF_H

#include "base/arena.h"
#include "base/buf.h"

/* Appends nothing when the texts are equal. Texts that differ in more than some thousand lines are shown as replaced from the first
 * difference to the last. */
void mesh_text_diff(struct mesh_arena *arena, struct mesh_buf *out, const char *old_name, struct mesh_str old, const char *new_name,
                    struct mesh_str new);

#endif
