/* Requests for rows: the URI, its parameters, its key, and what the client accepts. */
#include "fuzz.h"

#include "base/json.h"
#include "http/query.h"
#include "shop.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct mesh_arena arena = {0};
    const char *text = mesh_arena_str(&arena, (struct mesh_str){(const char *)bytes, (uint32_t)n});
    const struct mesh_view *view = &shop_product.views[SHOP_VIEW_TOTALS];
    const struct mesh_http_shape shape = mesh_http_shape_of(view, NULL, (struct mesh_str){0});
    struct mesh_http_problem problem = {0};
    struct mesh_http_uri uri;
    struct mesh_http_query query;
    struct mesh_key key = {0};
    enum mesh_http_format format;
    if (mesh_http_uri_read(&arena, text, &uri, &problem) == 0) {
        FUZZ_HOLDS(uri.n_segments <= MESH_HTTP_SEGMENTS_MAX && uri.n_params <= MESH_HTTP_PARAMS_MAX);
        if (mesh_http_query_read(&shape, true, &uri, &query, &problem) == 0)
            FUZZ_HOLDS(query.limit >= 1 && query.limit <= MESH_HTTP_LIMIT_MAX);
        mesh_http_query_read(&shape, false, &uri, &query, &problem);
        mesh_http_key_read(view, uri.segments, uri.n_segments, &key, &problem);
    }
    mesh_http_key_read_body(&arena, view, (struct mesh_str){text, (uint32_t)n}, &key, &problem);
    mesh_http_format_read(text, &format, &problem);
    mesh_arena_deinit(&arena);
    return 0;
}
