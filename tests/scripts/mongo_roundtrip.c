/* mongo_roundtrip URI insert N | count: inserts {_id: N} if asked to, prints how many documents can
 * be found. Exit 1 if the server does not do it. */
#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int insert(mongoc_collection_t *collection, int id, bson_error_t *error)
{
    bson_t *document = BCON_NEW("_id", BCON_INT32(id), "name", BCON_UTF8("mesh"));
    bool done = mongoc_collection_insert_one(collection, document, NULL, NULL, error);
    bson_destroy(document);
    return done ? 0 : -1;
}

static int count(mongoc_collection_t *collection, bson_error_t *error)
{
    int n = 0;
    const bson_t *document;
    bson_t *filter = BCON_NEW("name", BCON_UTF8("mesh"));
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, filter, NULL, NULL);
    while (mongoc_cursor_next(cursor, &document))
        n++;
    if (mongoc_cursor_error(cursor, error))
        n = -1;
    mongoc_cursor_destroy(cursor);
    bson_destroy(filter);
    return n;
}

int main(int argc, char **argv)
{
    bson_error_t error = {0};
    int n = -1;
    if (argc < 3)
        return 2;
    mongoc_init();
    mongoc_uri_t *uri = mongoc_uri_new(argv[1]);
    if (uri == NULL)
        return 2;
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, 2000);
    mongoc_client_t *client = mongoc_client_new_from_uri(uri);
    mongoc_collection_t *collection = mongoc_client_get_collection(client, "mesh_test", "roundtrip");
    if (strcmp(argv[2], "insert") != 0 || (argc == 4 && insert(collection, atoi(argv[3]), &error) == 0))
        n = count(collection, &error);
    if (n < 0)
        fprintf(stderr, "%s\n", error.message);
    else
        printf("%d\n", n);
    mongoc_collection_destroy(collection);
    mongoc_client_destroy(client);
    mongoc_uri_destroy(uri);
    mongoc_cleanup();
    return n < 0;
}
