/* Test tool: the documents of a collection as lines of JSON, sorted by _id.   mongo-dump URI DATABASE COLLECTION */
#include <mongoc/mongoc.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    mongoc_init();
    mongoc_client_t *client = mongoc_client_new(argv[1]);
    mongoc_collection_t *collection = mongoc_client_get_collection(client, argv[2], argv[3]);
    bson_t *filter = bson_new();
    bson_t *options = BCON_NEW("sort", "{", "_id", BCON_INT32(1), "}");
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, filter, options, NULL);
    const bson_t *document = NULL;
    while (mongoc_cursor_next(cursor, &document)) {
        char *text = bson_as_relaxed_extended_json(document, NULL);
        puts(text);
        bson_free(text);
    }
    bson_error_t error;
    int code = 0;
    if (mongoc_cursor_error(cursor, &error)) {
        fprintf(stderr, "mongo-dump: %s\n", error.message);
        code = 1;
    }
    mongoc_cursor_destroy(cursor);
    bson_destroy(options);
    bson_destroy(filter);
    mongoc_collection_destroy(collection);
    mongoc_client_destroy(client);
    mongoc_cleanup();
    return code;
}
