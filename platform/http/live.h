/* Server-sent events between workers, who tell, and connections, which read.
 *
 * A channel is one SSE port: of each task the events that its state keeps (flow/event.c), as the bytes that readers get, once for all
 * readers. A reader is no queue: it is a place in the channel, one sequence per task. So a slow one costs nothing; when events go
 * that it has not read, it is cut, and comes back.
 *
 *     retry: 2000                     how long a client waits before it comes back
 *     id: 65f2ab10.0:1f.3:2           the place behind what was read: generation, then task:sequence, all hex, without those at 0
 *     data: {...}                     an event; "event: removed" with the key alone when a row is gone
 *
 * A reader that names an id gets what came behind it, in the order of each task. If that is not all there any more, or the id is of
 * another state, it first gets "event: reset" and then everything that is kept, from the oldest on. Silence is broken by a comment
 * every MESH_HTTP_LIVE_BEAT_US.
 *
 * Which events are kept, and that a restart brings the same ones under the same numbers, is the engine's matter. Here nothing is
 * ever on disk.
 *
 * Threads: begin, put and flush are the worker's and hold a channel's lock for moments. Readers belong to HTTP threads. A thread of
 * its own wakes sleeping readers, some at a time, as waking a thousand would hold up the worker.
 */
#ifndef MESH_HTTP_LIVE_H
#define MESH_HTTP_LIVE_H

#include "flow/engine.h"
#include "http/encode.h"

#include <sys/types.h>

#define MESH_HTTP_LIVE_READERS_MAX 1024 /* of a service */
#define MESH_HTTP_LIVE_BEAT_US     INT64_C(15000000)
#define MESH_HTTP_LIVE_RETRY_MS    2000
#define MESH_HTTP_LIVE_TYPE        "text/event-stream"

struct mesh_http_live;

/* `metrics` and `service` are borrowed. */
struct mesh_http_live *mesh_http_live_new(const struct mesh_service *service, struct mesh_metrics *metrics, int64_t beat_us);
/* Without readers. Takes NULL. */
struct mesh_http_live *mesh_http_live_free(struct mesh_http_live *live);

/* The text of an event, for mesh_engine_conf.event_text. Of a removed row of a view: its key alone. */
void mesh_http_live_text(const struct mesh_port *port, const struct mesh_view *view, struct mesh_str pseudonym_key,
                         const void *shown, bool removed, struct mesh_buf *out);

/* ---- the worker of a product ---- */
/* A state begins: of another generation than before, and readers are told by a reset. */
void mesh_http_live_begin(struct mesh_http_live *live, uint32_t product, uint64_t generation, uint32_t n_tasks);
/* In order of each task and port. What was put before is passed over. */
void mesh_http_live_put(struct mesh_http_live *live, uint32_t product, const struct mesh_live_event *event);
/* Behind some puts. The first one after begin() says that all of the restored state is there: until then readers wait. */
void mesh_http_live_flush(struct mesh_http_live *live, uint32_t product);

/* ---- readers ---- */
struct mesh_http_live_reader;

/* From behind `last_id`; NULL: from now on, or, with `replay`, from the oldest that is kept. NULL: there are too many. */
struct mesh_http_live_reader *mesh_http_live_join(struct mesh_http_live *live, uint32_t product, uint32_t port, const char *last_id,
                                                  bool replay);
/* Before the first read: how its thread is let go, and called back. Both are called under a lock. */
void mesh_http_live_bind(struct mesh_http_live_reader *reader, void (*sleep)(void *context), void (*wake)(void *context),
                         void *context);
enum { MESH_HTTP_LIVE_END = -1, MESH_HTTP_LIVE_CUT = -2 };
/* At most n bytes of what comes next. 0: nothing now; sleep() was called, and wake() will be, once. */
ssize_t mesh_http_live_read(struct mesh_http_live_reader *reader, char *to, size_t n);
void mesh_http_live_leave(struct mesh_http_live_reader *reader); /* takes NULL */
/* Count one that its connection cut, as it took nothing for too long. */
void mesh_http_live_count_cut(struct mesh_http_live_reader *reader);

/* From now on every reader is at its end, also one that joins yet. */
void mesh_http_live_stop(struct mesh_http_live *live);

#endif
