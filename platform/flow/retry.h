/* Dead letters that come back. An operator who has mended the cause (a rate, a contract, a declaration) sends letters to the product's
 * private topic `mesh.<product>.retry`; never to the shared input, which has other readers.
 *
 *     key, value, timestamp     as the record had them
 *     __mesh.retry.topic, .partition, .offset, .stage    where it came from, and where it failed: together the letter's identity
 *     __mesh.retry.attempt      how often it was tried, 1 or more
 *     other headers             as the record had them
 *     __mesh.sealed             of a sealed letter, whose value comes as it is: the service opens it (flow/sealed.h)
 *
 * The topic has one partition, which every task reads; the task of the original partition takes the letter, all others pass it by.
 * It is processed where the task stands, as a record that is late: it moves no watermark, windows that have closed refuse it. A letter
 * is processed once, however often it is sent (MESH_FLOW_RETRY_WITHIN_US). One that fails again becomes a letter with the next
 * attempt. Of a record that was flattened only the item that had failed is processed. One that had failed inside a stream is no duplicate of itself; but what it had been added to before it failed (a fold in
 * front of the step that refused it) counts it again.
 */
#ifndef MESH_FLOW_RETRY_H
#define MESH_FLOW_RETRY_H

#include "base/arena.h"
#include "flow/engine.h"

#define MESH_FLOW_RETRY_PREFIX    "__mesh.retry."
#define MESH_FLOW_ITEM_MARK       " #" /* behind a stage: the item of the record's array that failed, from 1 */
#define MESH_FLOW_RETRY_WITHIN_US (INT64_C(90) * 86400 * 1000000) /* of event time: longer than letters are kept */

/* The first header of this name, p == NULL when there is none: what the mesh says of a letter stands before what the record had. */
struct mesh_str mesh_flow_letter_header(const struct mesh_record *letter, const char *name);

/* The product as the engine runs it: its last input is the retry topic, its last state the identities of letters that came. */
const struct mesh_product *mesh_flow_with_retry(struct mesh_arena *arena, const struct mesh_product *product);

#endif
