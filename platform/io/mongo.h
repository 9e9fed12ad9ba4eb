/* Rows of views into MongoDB: one writer thread per product, off without MESH_MONGO_URI.
 *
 * The worker hands over rows as the engine gives them out; they are encoded on the worker's thread
 * (the out struct is borrowed), written by the thread in unordered bulks of upserts, and their
 * tickets come back through mesh_mongo_stored(). A document is
 *
 *     { _id, <members of the view's out, protected as the port says>,
 *       deleted: false, expires_at: null or date, seq: { g, n } }
 *
 * decimals as Decimal128, longs as int64, times as UTC date-times (milliseconds), enums by symbol,
 * missing values as null. A removed row becomes a tombstone: all members null, `deleted: true`, and
 * an `expires_at` MESH_MONGO_TOMBSTONE_S ahead, longer than any other writer of older rows can live.
 * Rows of views with a `keep` carry an `expires_at` too (keep + window size + grace after they were
 * written), so that they go although the service is gone; the collection's TTL index does it.
 *
 * Forward only: an update takes effect when its (generation, commit) is greater than the document's,
 * in one statement, so that repeats and zombies change nothing (DESIGN 9, rule 15). When a member of
 * the key is protected, `_id` is a keyed hash of the engine's id, which would show the raw key.
 *
 * While MongoDB is away the thread retries with back-off and keeps what it has; at the queue's limit
 * mesh_mongo_room() is false, the engine's own limit is then reached and input pauses.
 * Errors of single documents that no retry can mend (too large) stop the port: text in the info.
 */
#ifndef MESH_IO_MONGO_H
#define MESH_IO_MONGO_H

#include "base/buf.h"
#include "io/wake.h"
#include "mesh/err.h"
#include "mesh/product.h"

#include <bson/bson.h>

#define MESH_MONGO_BULK_MAX        1000
#define MESH_MONGO_QUEUE_MAX       20000
#define MESH_MONGO_QUEUE_BYTES_MAX (32u << 20)
#define MESH_MONGO_RETRY_MIN_MS    100
#define MESH_MONGO_RETRY_MAX_MS    5000
#define MESH_MONGO_TOMBSTONE_S     (7 * 86400)

struct mesh_mongo_conf {
    const char *uri;
    const char *database; /* when the URI names none */
    const struct mesh_product *product;
    struct mesh_str pseudonym_key;
    struct mesh_wake *wake; /* rung when documents were stored, or it went away or came back */
};

struct mesh_mongo_document {
    uint32_t port;
    struct mesh_str id;
    bool removed;
    uint64_t generation, n;
    const void *out; /* not when removed */
    uint64_t ticket;
};

struct mesh_mongo_info {
    bool away;
    size_t queued;
    uint64_t written;
    char why[512]; /* away or stopped: what the server said */
    bool stopped;
};

struct mesh_mongo;

/* FATAL "config.mongo" when the URI is wrong; the server need not be there. */
int mesh_mongo_new(const struct mesh_mongo_conf *conf, struct mesh_mongo **ret, struct mesh_err *err);
bool mesh_mongo_room(const struct mesh_mongo *mongo);
void mesh_mongo_put(struct mesh_mongo *mongo, const struct mesh_mongo_document *document);
/* Tickets of stored documents, at most `max`; each once. */
size_t mesh_mongo_stored(struct mesh_mongo *mongo, uint64_t *tickets, size_t max);
void mesh_mongo_info(struct mesh_mongo *mongo, struct mesh_mongo_info *ret);
/* Takes NULL. What is queued is forgotten (and written again after the next start). */
struct mesh_mongo *mesh_mongo_free(struct mesh_mongo *mongo);

/* ---- mongo_uri.c: what of a URI may be seen ---- */
/* The URI without user, password and options that are secrets. */
void mesh_mongo_mask(const char *uri, struct mesh_buf *ret);
/* A text of libmongoc about this URI, without its user and password. */
void mesh_mongo_hide(const char *uri, const char *text, struct mesh_buf *ret);

/* ---- mongo_bson.c, for tests too ---- */
/* The members of a row (NULL: a removed one), without _id and the writer's own fields. */
void mesh_mongo_encode(const struct mesh_product *product, uint32_t port, struct mesh_str pseudonym_key, const void *out,
                       bson_t *ret);
/* The value of _id. */
void mesh_mongo_id(const struct mesh_product *product, uint32_t port, struct mesh_str pseudonym_key, struct mesh_str id,
                   struct mesh_buf *ret);
/* The pipeline that moves the document forward to `row` at (generation, n), or leaves it. */
void mesh_mongo_pipeline(const bson_t *row, bool removed, int64_t expires_at_ms /* 0: never */, uint64_t generation, uint64_t n,
                         bson_t *ret);

#endif
