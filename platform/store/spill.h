/* Memory of tables that can go to a file and stay where it is.
 *
 * A table's large blocks are 2 MB each. When the memory for state is short, the block that was not asked for longest is written to a file
 * and the file is mapped over the same addresses: pointers into it stay what they are, nothing is looked up anew, and the kernel's page
 * cache, which knows what is used and what else needs memory, decides what of it is in memory. What is asked for again comes back
 * page by page, by itself.
 *
 *     block in memory   anonymous pages, huge ones where the kernel has them
 *     block out         pages of the file; changes go to the file when the kernel writes them
 *
 * The file has no name: it is gone with the process, however that ends. It is no copy of the state to start from; that is the log.
 * Space is written before it is mapped, so that a full disk is an error here and not a signal later. A disk that cannot read it any
 * more ends the process (SIGBUS), and the next start restores from the log.
 *
 * Not thread-safe; one file for all tables of an engine. Decision 043 says why the kernel does it.
 */
#ifndef MESH_STORE_SPILL_H
#define MESH_STORE_SPILL_H

#include "mesh/err.h"

#include <stddef.h>
#include <stdint.h>

#define MESH_STORE_BLOCK_BYTES ((size_t)2 << 20) /* of a huge page */
#define MESH_STORE_IN_MEMORY   INT64_C(-1)
#define MESH_STORE_BLOCKS_OUT  30000 /* 60 GB; Linux maps 65,530 pieces of files for a process unless told otherwise */

struct mesh_store_spill;

/* A file without a name in this folder. FATAL "state.spill" when there can be none. */
int mesh_store_spill_open(const char *dir, struct mesh_store_spill **ret, struct mesh_err *err);
/* All blocks are freed. Takes NULL, returns NULL. */
struct mesh_store_spill *mesh_store_spill_close(struct mesh_store_spill *spill);

/* Zeroed, aligned to its size. Aborts when there is no memory. */
void *mesh_store_block_new(void);
/* `place` as block_out gave it, or MESH_STORE_IN_MEMORY, and then `spill` may be NULL. */
void mesh_store_block_free(void *block, struct mesh_store_spill *spill, int64_t place);
/* Write the block and map it. RETRY "state.spill" when the file cannot take it: the block is as it was. */
int mesh_store_block_out(struct mesh_store_spill *spill, void *block, int64_t *ret_place, struct mesh_err *err);
/* Nobody needs the pages of this block, which is out, in memory. */
void mesh_store_block_chill(void *block);

#endif
