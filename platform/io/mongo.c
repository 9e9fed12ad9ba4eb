/* One thread, one client. The queue is a ring of encoded rows; a bulk takes rows of one collection
 * from its head. A bulk that failed is repeated as a whole: forward-only makes repeats harmless. */
#include "io/mongo.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/vec.h"
#include "io/border.h"

#include <mongoc/mongoc.h>

#include <stdio.h>
#include <stdlib.h>

#define CODE_BSON_TOO_LARGE 10334

struct item {
    uint32_t port;
    bson_t *row;
    char *id;
    bool removed;
    uint64_t generation, n, ticket;
    size_t bytes;
};

struct mesh_mongo {
    struct mesh_mongo_conf conf;
    mongoc_client_t *client;
    char *uri;
    char *database;
    char *key; /* copy of the pseudonym key */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool stop;
    struct item *ring; /* MESH_MONGO_QUEUE_MAX */
    size_t head, n;
    size_t bytes;
    MESH_VEC(uint64_t) stored;
    struct mesh_mongo_info info;
    bool *indexed; /* per port: the TTL index was made in this run */
};

static void item_deinit(struct item *item)
{
    bson_destroy(item->row);
    free(item->id);
}

bool mesh_mongo_room(const struct mesh_mongo *mongo)
{
    struct mesh_mongo *m = (struct mesh_mongo *)(uintptr_t)mongo;
    pthread_mutex_lock(&m->lock);
    bool room = m->n < MESH_MONGO_QUEUE_MAX && m->bytes < MESH_MONGO_QUEUE_BYTES_MAX;
    pthread_mutex_unlock(&m->lock);
    return room;
}

void mesh_mongo_put(struct mesh_mongo *mongo, const struct mesh_mongo_document *document)
{
    const struct mesh_product *product = mongo->conf.product;
    struct item item = {.port = document->port,
                        .removed = document->removed,
                        .generation = document->generation,
                        .n = document->n,
                        .ticket = document->ticket,
                        .row = bson_new()};
    mesh_mongo_encode(product, document->port, mongo->conf.pseudonym_key, document->removed ? NULL : document->out, item.row);
    struct mesh_buf id = MESH_BUF_NULL;
    mesh_mongo_id(product, document->port, mongo->conf.pseudonym_key, document->id, &id);
    item.id = mesh_buf_take(&id);
    item.bytes = item.row->len + strlen(item.id);
    pthread_mutex_lock(&mongo->lock);
    mesh_assert(mongo->n < MESH_MONGO_QUEUE_MAX);
    mongo->ring[(mongo->head + mongo->n++) % MESH_MONGO_QUEUE_MAX] = item;
    mongo->bytes += item.bytes;
    if (mongo->n == 1)
        pthread_cond_signal(&mongo->cond);
    pthread_mutex_unlock(&mongo->lock);
}

size_t mesh_mongo_stored(struct mesh_mongo *mongo, uint64_t *tickets, size_t max)
{
    pthread_mutex_lock(&mongo->lock);
    size_t n = mongo->stored.n < max ? mongo->stored.n : max;
    if (n > 0) {
        size_t rest = mongo->stored.n - n;
        memcpy(tickets, mongo->stored.v + rest, n * sizeof *tickets);
        mongo->stored.n = rest;
    }
    pthread_mutex_unlock(&mongo->lock);
    return n;
}

void mesh_mongo_info(struct mesh_mongo *mongo, struct mesh_mongo_info *ret)
{
    pthread_mutex_lock(&mongo->lock);
    *ret = mongo->info;
    ret->queued = mongo->n;
    pthread_mutex_unlock(&mongo->lock);
}

/* ---- the thread ---- */

static void set_away(struct mesh_mongo *mongo, const char *why)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_mongo_hide(mongo->uri, why == NULL ? "" : why, &text);
    pthread_mutex_lock(&mongo->lock);
    mongo->info.away = why != NULL;
    snprintf(mongo->info.why, sizeof mongo->info.why, "%s", text.p);
    pthread_mutex_unlock(&mongo->lock);
    mesh_wake_ring(mongo->conf.wake);
}

static int64_t expires_at_ms(const struct mesh_mongo *mongo, const struct item *item)
{
    int64_t now_ms = mesh_clock_wall_us() / 1000;
    if (item->removed)
        return now_ms + INT64_C(1000) * MESH_MONGO_TOMBSTONE_S;
    const struct mesh_product *product = mongo->conf.product;
    const struct mesh_view *view = &product->views[product->ports[item->port].view];
    int64_t keep_us = product->states[view->state].keep_us;
    if (keep_us == 0)
        return 0;
    return now_ms + (keep_us + view->size_us + view->grace_us) / 1000;
}

static bool make_index(struct mesh_mongo *mongo, uint32_t port, bson_error_t *error)
{
    if (mongo->indexed[port])
        return true;
    const char *collection = mongo->conf.product->ports[port].collection;
    bson_t *command = BCON_NEW("createIndexes", BCON_UTF8(collection), "indexes", "[", "{", "key", "{", "expires_at", BCON_INT32(1),
                               "}", "name", BCON_UTF8("mesh_expires_at"), "expireAfterSeconds", BCON_INT32(0), "}", "]");
    mongo->indexed[port] = mongoc_client_write_command_with_opts(mongo->client, mongo->database, command, NULL, NULL, error);
    bson_destroy(command);
    return mongo->indexed[port];
}

/* Write `items`, all of one port. True: stored. */
static bool write_bulk(struct mesh_mongo *mongo, const struct item *items, size_t n, bson_error_t *error)
{
    uint32_t port = items[0].port;
    if (!make_index(mongo, port, error))
        return false;
    mongoc_collection_t *collection =
        mongoc_client_get_collection(mongo->client, mongo->database, mongo->conf.product->ports[port].collection);
    bson_t unordered = BSON_INITIALIZER, upsert = BSON_INITIALIZER;
    BSON_APPEND_BOOL(&unordered, "ordered", false);
    BSON_APPEND_BOOL(&upsert, "upsert", true);
    mongoc_bulk_operation_t *bulk = mongoc_collection_create_bulk_operation_with_opts(collection, &unordered);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        bson_t selector = BSON_INITIALIZER, pipeline = BSON_INITIALIZER;
        BSON_APPEND_UTF8(&selector, "_id", items[i].id);
        mesh_mongo_pipeline(items[i].row, items[i].removed, expires_at_ms(mongo, &items[i]), items[i].generation, items[i].n,
                            &pipeline);
        ok = mongoc_bulk_operation_update_one_with_opts(bulk, &selector, &pipeline, &upsert, error);
        bson_destroy(&selector);
        bson_destroy(&pipeline);
    }
    bson_t reply = BSON_INITIALIZER;
    if (ok) {
        bson_destroy(&reply);
        ok = mongoc_bulk_operation_execute(bulk, &reply, error) != 0;
    }
    bson_destroy(&reply);
    mongoc_bulk_operation_destroy(bulk);
    mongoc_collection_destroy(collection);
    bson_destroy(&unordered);
    bson_destroy(&upsert);
    return ok;
}

/* Waits for work; copies the rows of the next bulk, which stay in the ring. 0: time to end. */
static size_t take(struct mesh_mongo *mongo, struct item *items)
{
    pthread_mutex_lock(&mongo->lock);
    while (!mongo->stop && mongo->n == 0)
        pthread_cond_wait(&mongo->cond, &mongo->lock);
    size_t n = 0;
    while (!mongo->stop && n < mongo->n && n < MESH_MONGO_BULK_MAX) {
        items[n] = mongo->ring[(mongo->head + n) % MESH_MONGO_QUEUE_MAX];
        if (items[n].port != items[0].port)
            break;
        n++;
    }
    pthread_mutex_unlock(&mongo->lock);
    return n;
}

static void give_back(struct mesh_mongo *mongo, struct item *items, size_t n)
{
    pthread_mutex_lock(&mongo->lock);
    for (size_t i = 0; i < n; i++) {
        *mesh_vec_push(&mongo->stored) = items[i].ticket;
        mongo->bytes -= items[i].bytes;
        item_deinit(&items[i]);
    }
    mongo->head = (mongo->head + n) % MESH_MONGO_QUEUE_MAX;
    mongo->n -= n;
    mongo->info.written += n;
    pthread_mutex_unlock(&mongo->lock);
    mesh_wake_ring(mongo->conf.wake);
}

/* True: time to end. */
static bool pause_ms(struct mesh_mongo *mongo, int64_t ms)
{
    struct timespec at = mesh_wake_deadline(ms * 1000);
    pthread_mutex_lock(&mongo->lock);
    while (!mongo->stop && pthread_cond_timedwait(&mongo->cond, &mongo->lock, &at) == 0)
        ;
    bool stop = mongo->stop;
    pthread_mutex_unlock(&mongo->lock);
    return stop;
}

/* No retry mends it: the server does not take this very document. */
static bool is_permanent(const bson_error_t *error)
{
    return error->domain == MONGOC_ERROR_BSON || error->code == CODE_BSON_TOO_LARGE;
}

static void *run(void *context)
{
    struct mesh_mongo *mongo = context;
    struct item *items = mesh_xcalloc(MESH_MONGO_BULK_MAX, sizeof *items);
    int64_t back_off_ms = MESH_MONGO_RETRY_MIN_MS;
    for (size_t n; (n = take(mongo, items)) > 0;) {
        bson_error_t error = {0};
        if (write_bulk(mongo, items, n, &error)) {
            if (mongo->info.away)
                set_away(mongo, NULL);
            back_off_ms = MESH_MONGO_RETRY_MIN_MS;
            give_back(mongo, items, n);
            continue;
        }
        if (is_permanent(&error)) {
            pthread_mutex_lock(&mongo->lock);
            mongo->info.stopped = true;
            pthread_mutex_unlock(&mongo->lock);
        }
        set_away(mongo, error.message);
        if (pause_ms(mongo, back_off_ms))
            break;
        back_off_ms *= 2;
        if (back_off_ms > MESH_MONGO_RETRY_MAX_MS)
            back_off_ms = MESH_MONGO_RETRY_MAX_MS;
    }
    free(items);
    return NULL;
}

static void init_library(void)
{
    mongoc_init();
}

static void silent(mongoc_log_level_t level, const char *domain, const char *message, void *data)
{
    (void)level;
    (void)domain;
    (void)message;
    (void)data;
}

int mesh_mongo_new(const struct mesh_mongo_conf *conf, struct mesh_mongo **ret, struct mesh_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
    mongoc_log_set_handler(silent, NULL);
    bson_error_t error = {0};
    mongoc_uri_t *uri = mongoc_uri_new_with_error(conf->uri, &error);
    if (uri == NULL) {
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf why = MESH_BUF_NULL;
        mesh_mongo_hide(conf->uri, error.message, &why);
        return mesh_err_set(err, MESH_ERR_FATAL, "config.mongo", "MESH_MONGO_URI is not a MongoDB URI: %s", why.p);
    }
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, 2000);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, 2000);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS, 30000);
    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_SERVERSELECTIONTRYONCE, false);
    struct mesh_mongo *mongo = mesh_xcalloc(1, sizeof *mongo);
    const char *database = mongoc_uri_get_database(uri);
    mongo->conf = *conf;
    mongo->conf.uri = mongo->uri = mesh_xstrdup(conf->uri);
    mongo->database = mesh_xstrdup(database != NULL ? database : conf->database);
    mongo->key = mesh_xmalloc(conf->pseudonym_key.n + 1u);
    if (conf->pseudonym_key.n > 0)
        memcpy(mongo->key, conf->pseudonym_key.p, conf->pseudonym_key.n);
    mongo->conf.pseudonym_key.p = mongo->key;
    mongo->client = mongoc_client_new_from_uri(uri);
    mongoc_uri_destroy(uri);
    if (mongo->client == NULL) {
        mesh_secret_free(mongo->uri);
        free(mongo->database);
        free(mongo->key);
        free(mongo);
        return mesh_err_set(err, MESH_ERR_FATAL, "config.mongo",
                            "MESH_MONGO_URI asks for what this libmongoc cannot do (TLS, SASL?)");
    }
    mongoc_client_set_appname(mongo->client, conf->product->name);
    mongoc_client_set_error_api(mongo->client, MONGOC_ERROR_API_VERSION_2);
    mongo->ring = mesh_xcalloc(MESH_MONGO_QUEUE_MAX, sizeof *mongo->ring);
    mongo->indexed = mesh_xcalloc(conf->product->n_ports, sizeof *mongo->indexed);
    mesh_assert(pthread_mutex_init(&mongo->lock, NULL) == 0);
    mesh_wake_cond_init(&mongo->cond);
    mesh_assert(pthread_create(&mongo->thread, NULL, run, mongo) == 0);
    *ret = mongo;
    return 0;
}

struct mesh_mongo *mesh_mongo_free(struct mesh_mongo *mongo)
{
    if (mongo == NULL)
        return NULL;
    pthread_mutex_lock(&mongo->lock);
    mongo->stop = true;
    pthread_cond_signal(&mongo->cond);
    pthread_mutex_unlock(&mongo->lock);
    pthread_join(mongo->thread, NULL);
    for (size_t i = 0; i < mongo->n; i++)
        item_deinit(&mongo->ring[(mongo->head + i) % MESH_MONGO_QUEUE_MAX]);
    mesh_vec_deinit(&mongo->stored);
    mongoc_client_destroy(mongo->client);
    pthread_cond_destroy(&mongo->cond);
    pthread_mutex_destroy(&mongo->lock);
    free(mongo->ring);
    free(mongo->indexed);
    mesh_secret_free(mongo->uri);
    free(mongo->database);
    free(mongo->key);
    free(mongo);
    return NULL;
}
