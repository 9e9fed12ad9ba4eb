/* A product at work on this instance.
 *
 * MESH_STATE=file: one worker (app/worker.h), which owns all of it.
 *
 * MESH_STATE=kafka: any number of instances share the product. What moves between them is a *shard*: partition p of every topology, with a
 * worker, an engine and a commit log of its own (partition p of the topic mesh.<domain>.<product>.state). A consumer of the product's group
 * subscribes to that topic and never reads it: which of its partitions the group gives to this instance says which shards it holds
 * (cooperative: those that stay do not notice). A shard that is given is opened when the group has confirmed, by taking an offset of it with
 * this instance's URL as its metadata, that this member counts; so those offsets also tell everybody who owns what. One that is
 * taken away is drained, closed, and only then let go.
 *
 *     members (1/product)  the group, who owns what, opens and closes shards
 *     worker (1/shard)     as in app/worker.h
 *
 * That nobody else writes the state of a shard does not rest on the group, but on its log (io/log_record.h). The group decides who should.
 */
#ifndef MESH_APP_MEMBERS_H
#define MESH_APP_MEMBERS_H

#include "app/worker.h"

struct mesh_members;

/* An error here is for the operator: exit 2. `index`: of the product in its service. */
int mesh_members_new(const struct mesh_product *product, uint32_t index, const struct mesh_config *config,
                     struct mesh_str pseudonym_key, struct mesh_metrics *metrics, struct mesh_members **ret, struct mesh_err *err);
/* `live`: where events are told. `ended` is called when it has stopped or failed, on a thread of its own. */
void mesh_members_start(struct mesh_members *members, struct mesh_http_live *live, void (*ended)(void *context), void *context);
void mesh_members_stop(struct mesh_members *members); /* returns at once */
enum mesh_worker_phase mesh_members_phase(struct mesh_members *members);
/* Any thread; as mesh_worker_ask(), _ready(), _alive(). */
void mesh_members_ask(struct mesh_members *members, struct mesh_http_question *question);
bool mesh_members_ready(struct mesh_members *members, struct mesh_buf *out, bool *degraded);
bool mesh_members_alive(struct mesh_members *members);
/* Of one worker that owns all; of shards neither exists: as mesh_worker_tell_address(), and whether it has stopped to begin anew. */
void mesh_members_tell_address(struct mesh_members *members, struct mesh_str address);
bool mesh_members_again(struct mesh_members *members);
struct mesh_members *mesh_members_free(struct mesh_members *members); /* after it has ended; takes NULL */

#endif
