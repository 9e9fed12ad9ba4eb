/* What changed between two states of a mesh, as its readers notice it.
 *
 * Compared is what consumers hold on to: output ports with their topic, key, partitions, contract, route; the rows of the views
 * behind them; how long they are kept; service levels, purpose, protection; and the versions of contracts, which never change. What
 * a product computes is its own affair.
 *
 * A finding is an error, or, when the product has raised its major version or waivers.yaml beside mesh.yaml names it, a warning:
 * then it is meant. Products that were proposed or draft before may change at will. A waiver has a reason and a last day; one that
 * has nothing to waive is told. Each finding stands where the declaration is now (or was, when it is gone), shows how it was, and
 * names the products of the mesh that read it, with their fields and what these feed.
 *
 * Both models are checked and may have errors (a reader of a port that is gone has one). Fields of a product with errors are not
 * compared: the diagnostics of the models must still be there.
 */
#ifndef MESH_CODEGEN_BREAKING_H
#define MESH_CODEGEN_BREAKING_H

#include "codegen/model.h"

/* `today_us`: the time by which waivers end. */
void mesh_breaking_find(struct mesh_arena *arena, struct mesh_diags *diags, const struct mesh_model *before,
                        const struct mesh_model *now, int64_t today_us);

/* It was proposed, draft or retired: nobody counts on it. */
bool mesh_breaking_may_change(const struct mesh_model_product *product);

#endif
