/* Erasing a person. Whoever answers such requests writes them to the topic that mesh.yaml names (`erasure.topic`), one JSON text each:
 *
 *     {"request": "r-17", "subject": "customer", "id": "cus-0000001"}
 *
 * The topic has one partition, which every task of every product reads that holds people. A task takes a request where it stands, in one
 * commit:
 *
 *     rows whose key holds the person are removed, as `remove` of a view would: documents are deleted, compacted topics get a null value
 *     rows, versions, captured and kept records of which a member is the person go; in a row that is about something else the member is
 *       emptied
 *     records that wait in the order buffer are emptied, events kept for server-sent events are forgotten
 *     the pseudonym of the person stays, with the time of the request: records with an event time up to it that come later, from a topic that
 *       is read again, from another task, from the dead letters, are dropped and counted (mesh_erased_records_total)
 *
 * The person is the text itself, or its pseudonym, in members that are labelled with the subject; nothing is searched by likeness.
 * Then the state is searched for the text's bytes wherever it may be, labels or not: `left` of the receipt, by state.
 *
 * The log still holds what was removed, and that it was. So behind that commit a round begins, and when it is through a second receipt says so.
 * Receipts go to `erasure.receipts`, under the request as key, one for each task and stage; they do not hold the person:
 *
 *     {"request":"r-17","product":"customer/customer","task":"records/0","tasks":8,"stage":"state","removed":2,"emptied":0,"waiting":0,
 *      "events":0,"left":0,"places":[{"state":"profile","removed":1,"emptied":0,"left":0}],"at":"2026-11-21T22:00:00Z"}
 *     {"request":"r-17","product":"customer/customer","task":"records/0","tasks":8,"stage":"log","at":"..."}
 *
 * Decision: docs/decisions/036-erasure-is-a-topic.md.
 */
#ifndef MESH_FLOW_ERASE_H
#define MESH_FLOW_ERASE_H

#include "base/arena.h"
#include "flow/engine.h"

#define MESH_FLOW_ERASE_TEXT_MAX 512 /* bytes of a subject, an id and a request each */

/* The product as the engine runs it: its last input is the erasure topic, its last state who was erased. Behind
 * mesh_flow_with_retry(). Without an erasure topic: the product itself. */
const struct mesh_product *mesh_flow_with_erasure(struct mesh_arena *arena, const struct mesh_product *product);

#endif
