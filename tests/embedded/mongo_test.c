/* The MongoDB writer against a real server (MESH_TEST_MONGO_URI); the encoding without one. */
#include "../check.h"

#include "base/check.h"
#include "base/clock.h"
#include "io/border.h"
#include "io/mongo.h"
#include "shop.h"

#include <mongoc/mongoc.h>

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static const struct mesh_str key = {"a key of the tests only", 23};

CASE(a_row_becomes_bson)
{
    struct shop_totals_out out = {
        .country = MESH_STR("$DE"), .window_start = 60000000, .window_end = 120000000, .revision = 4, .total = -1205, .n = 3};
    bson_t row = BSON_INITIALIZER;
    mesh_mongo_encode(&shop_product, SHOP_PORT_DOCS, key, &out, &row);
    mesh_cleanup(mesh_freep) char *json = bson_as_canonical_extended_json(&row, NULL);
    CHECK_CONTAINS(json, "\"country\" : \"$DE\"");
    CHECK_CONTAINS(json, "\"total\" : { \"$numberDecimal\" : \"-12.05\" }");
    CHECK_CONTAINS(json, "\"n\" : { \"$numberLong\" : \"3\" }");
    CHECK_CONTAINS(json, "\"window_start\" : { \"$date\" : { \"$numberLong\" : \"60000\" } }");
    bson_destroy(&row);
    /* a removed row has its members, without values */
    bson_t none = BSON_INITIALIZER;
    mesh_mongo_encode(&shop_product, SHOP_PORT_DOCS, key, NULL, &none);
    CHECK_EQ_I64(bson_count_keys(&none), 7);
    bson_destroy(&none);
}

/* ---- with a server ---- */
struct rig {
    struct mesh_mongo *mongo;
    struct mesh_wake wake;
    mongoc_client_t *client;
    mongoc_collection_t *totals;
    char database[64];
    uint64_t ticket;
};

static bool rig_init(struct rig *rig)
{
    const char *uri = getenv("MESH_TEST_MONGO_URI");
    if (uri == NULL) {
        printf("# skipped: MESH_TEST_MONGO_URI is not set\n");
        return false;
    }
    *rig = (struct rig){0};
    snprintf(rig->database, sizeof rig->database, "mesh_test_%d_%lld", (int)getpid(), (long long)mesh_clock_mono_us());
    mesh_wake_init(&rig->wake);
    struct mesh_mongo_conf conf = {uri, rig->database, &shop_product, key, &rig->wake};
    struct mesh_err err;
    CHECK_EQ_I64(mesh_mongo_new(&conf, &rig->mongo, &err), 0);
    rig->client = mongoc_client_new(uri);
    rig->totals = mongoc_client_get_collection(rig->client, rig->database, "totals");
    return true;
}

static void rig_deinit(struct rig *rig)
{
    mesh_mongo_free(rig->mongo);
    mongoc_database_t *database = mongoc_client_get_database(rig->client, rig->database);
    mongoc_database_drop(database, NULL);
    mongoc_database_destroy(database);
    mongoc_collection_destroy(rig->totals);
    mongoc_client_destroy(rig->client);
    mesh_wake_deinit(&rig->wake);
}

static void put(struct rig *rig, const char *id, uint64_t generation, uint64_t n, int64_t count, bool removed)
{
    struct shop_totals_out out = {.country = MESH_STR("$DE"), .total = count * 100, .n = count};
    struct mesh_mongo_document d = {.port = SHOP_PORT_DOCS,
                                    .id = mesh_str_of(id),
                                    .removed = removed,
                                    .generation = generation,
                                    .n = n,
                                    .out = removed ? NULL : &out,
                                    .ticket = ++rig->ticket};
    while (!mesh_mongo_room(rig->mongo))
        (void)poll(NULL, 0, 1);
    mesh_mongo_put(rig->mongo, &d);
}

/* Until `n` more are stored. */
static bool stored(struct rig *rig, size_t n)
{
    uint64_t tickets[256];
    int64_t until_us = mesh_clock_mono_us() + 30000000;
    while (n > 0 && mesh_clock_mono_us() < until_us) {
        size_t got = mesh_mongo_stored(rig->mongo, tickets, 256);
        n -= got < n ? got : n;
        if (got == 0)
            mesh_wake_wait(&rig->wake, 100000);
    }
    struct mesh_mongo_info info;
    mesh_mongo_info(rig->mongo, &info);
    if (n > 0)
        printf("# not stored: %s\n", info.why);
    return n == 0;
}

/* The document as JSON; the caller frees. */
static char *read_back(struct rig *rig, const char *id)
{
    bson_t query = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&query, "_id", id);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(rig->totals, &query, NULL, NULL);
    const bson_t *found = NULL;
    char *json = mongoc_cursor_next(cursor, &found) ? bson_as_relaxed_extended_json(found, NULL) : mesh_xstrdup("none");
    mongoc_cursor_destroy(cursor);
    bson_destroy(&query);
    return json;
}

CASE(documents_only_move_forward)
{
    struct rig rig;
    if (!rig_init(&rig))
        return;
    put(&rig, "a", 1, 5, 50, false);
    CHECK(stored(&rig, 1));
    mesh_cleanup(mesh_freep) char *first = read_back(&rig, "a");
    CHECK_CONTAINS(first, "\"n\" : 50");
    CHECK_CONTAINS(first, "\"country\" : \"$DE\"");
    CHECK_CONTAINS(first, "\"deleted\" : false");
    put(&rig, "a", 1, 4, 40, false); /* stale */
    put(&rig, "a", 1, 5, 51, false); /* a repeat */
    CHECK(stored(&rig, 2));
    mesh_cleanup(mesh_freep) char *same = read_back(&rig, "a");
    CHECK_STR(same, first);
    put(&rig, "a", 1, 6, 60, false);
    put(&rig, "a", 2, 1, 70, false); /* a later generation wins over a higher commit */
    put(&rig, "a", 1, 9, 90, false);
    CHECK(stored(&rig, 3));
    mesh_cleanup(mesh_freep) char *last = read_back(&rig, "a");
    CHECK_CONTAINS(last, "\"n\" : 70");
    CHECK_CONTAINS(last, "\"seq\" : { \"g\" : 2, \"n\" : 1 }");
    put(&rig, "a", 2, 2, 0, true);
    put(&rig, "a", 2, 1, 70, false);
    CHECK(stored(&rig, 2));
    mesh_cleanup(mesh_freep) char *gone = read_back(&rig, "a");
    CHECK_CONTAINS(gone, "\"deleted\" : true");
    CHECK_CONTAINS(gone, "\"country\" : null");
    CHECK_CONTAINS(gone, "\"expires_at\" : { \"$date\"");
    put(&rig, "a", 2, 3, 80, false);
    CHECK(stored(&rig, 1));
    mesh_cleanup(mesh_freep) char *back = read_back(&rig, "a");
    CHECK_CONTAINS(back, "\"deleted\" : false");
    CHECK_CONTAINS(back, "\"n\" : 80");
    rig_deinit(&rig);
}

CASE(thousands_of_rows)
{
    struct rig rig;
    if (!rig_init(&rig))
        return;
    int64_t begun_us = mesh_clock_mono_us();
    for (int i = 0; i < 5000; i++) {
        char id[32];
        snprintf(id, sizeof id, "row-%d", i);
        put(&rig, id, 1, 1, i, false);
    }
    CHECK(stored(&rig, 5000));
    printf("# 5000 rows in %lld ms\n", (long long)(mesh_clock_mono_us() - begun_us) / 1000);
    bson_t all = BSON_INITIALIZER;
    bson_error_t error;
    CHECK_EQ_I64(mongoc_collection_count_documents(rig.totals, &all, NULL, NULL, NULL, &error), 5000);
    rig_deinit(&rig);
}

CASE(a_server_that_is_away_is_waited_for)
{
    struct mesh_wake wake;
    mesh_wake_init(&wake);
    struct mesh_mongo_conf conf = {"mongodb://127.0.0.1:1/", "x", &shop_product, key, &wake};
    struct mesh_mongo *mongo = NULL;
    struct mesh_err err;
    CHECK_EQ_I64(mesh_mongo_new(&conf, &mongo, &err), 0);
    struct rig rig = {.mongo = mongo};
    put(&rig, "a", 1, 1, 1, false);
    struct mesh_mongo_info info = {0};
    int64_t until_us = mesh_clock_mono_us() + 10000000;
    while (!info.away && mesh_clock_mono_us() < until_us) {
        mesh_wake_wait(&wake, 100000);
        mesh_mongo_info(mongo, &info);
    }
    CHECK(info.away && info.queued == 1 && !info.stopped && info.why[0] != '\0');
    mesh_mongo_free(mongo);
    conf.uri = "nonsense";
    CHECK(mesh_mongo_new(&conf, &mongo, &err) < 0);
    CHECK_STR(err.code, "config.mongo");
    mesh_wake_deinit(&wake);
}
