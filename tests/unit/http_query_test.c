/* Requests taken apart: URIs, parameters, keys, tokens; and what is wrong with them. */
#include "../check.h"

#include "../embedded/shop.h"
#include "base/check.h"
#include "http/answer.h"
#include "http/encode.h"
#include "http/limit.h"
#include "http/query.h"
#include "http/token.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static struct mesh_arena arena;

static int read_uri(const char *text, struct mesh_http_uri *uri)
{
    struct mesh_http_problem problem = {0};
    return mesh_http_uri_read(&arena, text, uri, &problem);
}

CASE(a_uri_is_decoded_once)
{
    struct mesh_http_uri uri;
    CHECK_EQ_I64(read_uri("/a%2Fb//c%20d/?x=1%262&y&z=a+b", &uri), 0);
    CHECK_EQ_I64(uri.n_segments, 2);
    CHECK(mesh_str_eq(uri.segments[0], MESH_STR("a/b")));
    CHECK(mesh_str_eq(uri.segments[1], MESH_STR("c d")));
    CHECK_EQ_I64(uri.n_params, 3);
    CHECK(mesh_str_eq(uri.params[0].value, MESH_STR("1&2")));
    CHECK(mesh_str_eq(uri.params[2].value, MESH_STR("a b")));
    CHECK_EQ_I64(read_uri("/%zz", &uri), 400);
    CHECK_EQ_I64(read_uri("/%4", &uri), 400);
    CHECK_EQ_I64(read_uri("/%", &uri), 400);
    CHECK_EQ_I64(read_uri("/%00", &uri), 400);
    CHECK_EQ_I64(read_uri("/%ff", &uri), 400);
    CHECK_EQ_I64(read_uri("/?a=%ff", &uri), 400);
    static char long_uri[MESH_HTTP_URI_BYTES_MAX + 2];
    memset(long_uri, '/', MESH_HTTP_URI_BYTES_MAX + 1);
    CHECK_EQ_I64(read_uri(long_uri, &uri), 414);
    static char parts[2 * MESH_HTTP_SEGMENTS_MAX + 3];
    for (size_t i = 0; i < sizeof parts - 1; i++)
        parts[i] = i % 2 == 0 ? '/' : 'a';
    CHECK_EQ_I64(read_uri(parts, &uri), 400);
}

static int query(const char *text, bool list, struct mesh_http_query *ret, struct mesh_http_problem *problem)
{
    struct mesh_http_uri uri;
    *problem = (struct mesh_http_problem){0};
    mesh_http_uri_read(&arena, text, &uri, problem);
    struct mesh_http_shape shape = mesh_http_shape_of(&shop_product.views[SHOP_VIEW_TOTALS], NULL, (struct mesh_str){0});
    return mesh_http_query_read(&shape, list, &uri, ret, problem);
}

CASE(parameters_have_defaults_and_limits)
{
    struct mesh_http_query q;
    struct mesh_http_problem p;
    CHECK_EQ_I64(query("/t", true, &q, &p), 0);
    CHECK(q.limit == 100 && q.windows == MESH_READ_LATEST && q.from_us == INT64_MIN);
    CHECK_EQ_I64(query("/t?limit=1001", true, &q, &p), 400);
    CHECK_EQ_I64(query("/t?limit=1000&window=closed", true, &q, &p), 0);
    CHECK(q.limit == 1000 && q.windows == MESH_READ_CLOSED);
    CHECK_EQ_I64(query("/t?from=2025-11-21&to=2025-11-22T00:00:00%2B01:00", true, &q, &p), 0);
    CHECK(q.windows == MESH_READ_ALL && q.to_us - q.from_us == INT64_C(82800000000));
    CHECK_EQ_I64(query("/t/DE", false, &q, &p), 0);
    CHECK(q.windows == MESH_READ_ALL);
    CHECK_EQ_I64(query("/t?limit=0", true, &q, &p), 400);
    CHECK_STR(p.items[0].pointer, "/query/limit");
    CHECK_EQ_I64(query("/t?limit=x&window=soon&from=never", true, &q, &p), 400);
    CHECK_EQ_I64(p.n_items, 3);
    CHECK_EQ_I64(query("/t?windw=all", true, &q, &p), 400);
    CHECK_CONTAINS(p.items[0].detail, "did you mean 'window'?");
    CHECK_EQ_I64(query("/t?limit=1&limit=2", true, &q, &p), 400);
    CHECK_EQ_I64(query("/t?from=2025-11-22&to=2025-11-21", true, &q, &p), 400);
    CHECK_EQ_I64(query("/t?from=2025-11-22&to=2025-11-22", true, &q, &p), 0); /* no window begins in there */
    CHECK_EQ_I64(query("/t/DE?limit=1", false, &q, &p), 400);
    CHECK_EQ_I64(query("/t?to=0", true, &q, &p), 400);
    CHECK_EQ_I64(query("/t?to=-5", true, &q, &p), 400);
    CHECK_EQ_I64(query("/t?to=", true, &q, &p), 400);
    CHECK_EQ_I64(query("/t?from=20251121", true, &q, &p), 400);
}

CASE(what_to_show_and_when)
{
    static struct mesh_http_query q;
    struct mesh_http_problem p;
    CHECK_EQ_I64(query("/t?fields=total,country&committed=1&min-position=7&count=1", true, &q, &p), 0);
    CHECK(q.fields.n == 2 && q.committed && q.count_only && q.min_position == 7);
    CHECK_STR(shop_product.views[SHOP_VIEW_TOTALS].out[q.fields.v[0]].name, "total");
    CHECK_EQ_I64(query("/t/DE?fields=n&committed=0", false, &q, &p), 0);
    CHECK(q.fields.n == 1 && !q.committed);
    CHECK_EQ_I64(query("/t/DE?count=1", false, &q, &p), 400);
    CHECK_EQ_I64(query("/t?fields=totl", true, &q, &p), 400);
    CHECK_CONTAINS(p.items[0].detail, "did you mean 'total'?");
    CHECK_EQ_I64(query("/t?fields=n,n", true, &q, &p), 400);
    CHECK_CONTAINS(p.items[0].detail, "twice");
    CHECK_EQ_I64(query("/t?fields=", true, &q, &p), 400);
    CHECK_EQ_I64(query("/t?fields=n,", true, &q, &p), 400);
    CHECK_EQ_I64(query("/t?committed=yes", true, &q, &p), 400);
    CHECK_EQ_I64(query("/t?min-position=-1", true, &q, &p), 400);
    CHECK_EQ_I64(query("/t?comitted=1", true, &q, &p), 400);
    CHECK_CONTAINS(p.items[0].detail, "did you mean 'committed'?");
}

static int format(const char *accept)
{
    enum mesh_http_format f = MESH_HTTP_JSON;
    struct mesh_http_problem p = {0};
    int status = mesh_http_format_read(accept, &f, &p);
    return status != 0 ? status : (int)f;
}

CASE(accept_is_read_as_rfc_9110_says)
{
    CHECK_EQ_I64(format(NULL), MESH_HTTP_JSON);
    CHECK_EQ_I64(format("*/*"), MESH_HTTP_JSON);
    CHECK_EQ_I64(format("text/csv"), MESH_HTTP_CSV);
    CHECK_EQ_I64(format("Text/CSV; charset=utf-8"), MESH_HTTP_CSV);
    CHECK_EQ_I64(format("text/*"), MESH_HTTP_CSV);
    CHECK_EQ_I64(format("application/x-ndjson, application/json;q=0.9"), MESH_HTTP_NDJSON);
    CHECK_EQ_I64(format("text/csv;q=0.5, application/json;q=0.50"), MESH_HTTP_JSON);
    CHECK_EQ_I64(format("text/csv;q=0.501, application/json;q=0.5"), MESH_HTTP_CSV);
    CHECK_EQ_I64(format("*/*, application/json;q=0"), MESH_HTTP_CSV);
    CHECK_EQ_I64(format("text/html,application/xhtml+xml,*/*;q=0.8"), MESH_HTTP_JSON);
    CHECK_EQ_I64(format("text/html"), 406);
    CHECK_EQ_I64(format("text/csv;q=0"), 406);
    CHECK_EQ_I64(format(";,;q=,q=9;;"), 406);
}

static const char *const symbols[] = {"WEB", "SHOP", NULL};

static int key_of(enum mesh_type type, const char *text, struct mesh_key *key)
{
    struct mesh_field field = {.name = "k", .type = type, .scale = 2, .symbols = symbols};
    struct mesh_http_problem problem = {0};
    mesh_key_begin(key);
    return mesh_http_key_add(&field, mesh_str_of(text), "/path/0", key, &problem);
}

CASE(keys_are_typed)
{
    struct mesh_key key, same;
    CHECK_EQ_I64(key_of(MESH_LONG, "-7", &key), 0);
    mesh_key_begin(&same);
    mesh_key_long(&same, -7);
    CHECK(key.n == same.n && memcmp(key.bytes, same.bytes, key.n) == 0);
    CHECK_EQ_I64(key_of(MESH_LONG, "7x", &key), 400);
    CHECK_EQ_I64(key_of(MESH_INT, "3000000000", &key), 400);
    CHECK_EQ_I64(key_of(MESH_ENUM, "SHOP", &key), 0);
    CHECK_EQ_I64(key_of(MESH_ENUM, "MAIL", &key), 400);
    CHECK_EQ_I64(key_of(MESH_BOOL, "true", &key), 0);
    CHECK_EQ_I64(key_of(MESH_BOOL, "1", &key), 400);
    CHECK_EQ_I64(key_of(MESH_TIMESTAMP, "2025-11-21T00:00:00Z", &key), 0);
    CHECK_EQ_I64(key_of(MESH_DATE, "2025-11-21", &key), 0);
    CHECK_EQ_I64(key_of(MESH_DATE, "2025-11-21T01:00:00Z", &key), 400);
    CHECK_EQ_I64(key_of(MESH_DECIMAL, "1.25", &key), 0);
    CHECK_EQ_I64(key_of(MESH_DECIMAL, "1.255", &key), 400);
    static char big[2000];
    memset(big, 'a', sizeof big - 1);
    CHECK_EQ_I64(key_of(MESH_STRING, big, &key), 400);
}

static int body_key(const char *body, struct mesh_key *key)
{
    struct mesh_http_problem problem = {0};
    return mesh_http_key_read_body(&arena, &shop_product.views[SHOP_VIEW_CUSTOMERS], mesh_str_of(body), key, &problem);
}

CASE(a_key_in_a_body_has_three_forms)
{
    struct mesh_key a, b, c;
    CHECK_EQ_I64(body_key("{\"key\":\"x\"}", &a), 0);
    CHECK_EQ_I64(body_key("{\"key\":[\"x\"]}", &b), 0);
    CHECK_EQ_I64(body_key("{\"key\":{\"customer\":\"x\"}}", &c), 0);
    CHECK(a.n == b.n && b.n == c.n && memcmp(a.bytes, c.bytes, a.n) == 0);
    CHECK_EQ_I64(body_key("{\"key\":[\"x\",\"y\"]}", &a), 400);
    CHECK_EQ_I64(body_key("{\"key\":{\"custmer\":\"x\"}}", &a), 400);
    CHECK_EQ_I64(body_key("{\"key\":null}", &a), 400);
    CHECK_EQ_I64(body_key("{\"kex\":1}", &a), 400);
    CHECK_EQ_I64(body_key("{", &a), 400);
    CHECK_EQ_I64(body_key("", &a), 400);
}

CASE(tokens_open_only_where_they_were_made)
{
    struct mesh_http_token_key key, other;
    mesh_http_token_key_init(&key, MESH_STR("secret"));
    mesh_http_token_key_init(&other, (struct mesh_str){0});
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf token = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf place = MESH_BUF_NULL;
    mesh_http_token_seal(&key, MESH_STR("customer-7"), MESH_STR("a"), &token);
    struct mesh_str text = {token.p, (uint32_t)token.n};
    CHECK(memmem(token.p, token.n, "customer", 8) == NULL);
    CHECK_EQ_I64(mesh_http_token_open(&key, text, MESH_STR("a"), &place), 0);
    CHECK(place.n == 10 && memcmp(place.p, "customer-7", 10) == 0);
    CHECK_EQ_I64(mesh_http_token_open(&key, text, MESH_STR("b"), &place), 1);
    CHECK_EQ_I64(mesh_http_token_open(&other, text, MESH_STR("a"), &place), 1);
    CHECK_EQ_I64(mesh_http_token_open(&key, MESH_STR("abc"), MESH_STR("a"), &place), 1);
    CHECK_EQ_I64(mesh_http_token_open(&key, MESH_STR("%%%"), MESH_STR("a"), &place), 1);
    for (size_t i = 0; i < token.n; i++) {
        char was = token.p[i];
        token.p[i] = was == 'A' ? 'B' : 'A';
        CHECK_EQ_I64(mesh_http_token_open(&key, text, MESH_STR("a"), &place), 1);
        token.p[i] = was;
    }
}

CASE(base64url_reads_what_it_writes)
{
    for (size_t n = 0; n < 40; n++) {
        char bytes[40];
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(i * 37 + n);
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
        mesh_cleanup(mesh_buf_deinit) struct mesh_buf back = MESH_BUF_NULL;
        mesh_http_base64url(bytes, n, &text);
        CHECK_EQ_I64(mesh_http_base64url_read((struct mesh_str){text.p, (uint32_t)text.n}, &back), 0);
        CHECK(back.n == n && (n == 0 || memcmp(back.p, bytes, n) == 0));
    }
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf padded = MESH_BUF_NULL;
    mesh_http_base64("ab", 2, &padded);
    CHECK(padded.n == 4 && memcmp(padded.p, "YWI=", 4) == 0);
}

/* ---- the rate of a client ---- */
static int take(struct mesh_http_limit *limit, const char *address, int64_t now_us)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, address, &four.sin_addr) == 1)
        return mesh_http_limit_take(limit, (struct sockaddr *)&four, now_us);
    mesh_assert(inet_pton(AF_INET6, address, &six.sin6_addr) == 1);
    return mesh_http_limit_take(limit, (struct sockaddr *)&six, now_us);
}

CASE(a_second_of_requests_and_then_as_they_come)
{
    struct mesh_http_limit *limit = mesh_http_limit_new(10);
    int64_t now = INT64_C(1000000000);
    for (int i = 0; i < 10; i++)
        CHECK_EQ_I64(take(limit, "10.0.0.1", now), 0);
    CHECK_EQ_I64(take(limit, "10.0.0.1", now), 1);
    CHECK_EQ_I64(take(limit, "10.0.0.1", now), 1); /* asking in vain costs nothing */
    CHECK_EQ_I64(take(limit, "10.0.0.2", now), 0);
    CHECK_EQ_I64(take(limit, "::ffff:10.0.0.1", now), 1); /* the same client */
    CHECK_EQ_I64(take(limit, "10.0.0.1", now + 99999), 1);
    CHECK_EQ_I64(take(limit, "10.0.0.1", now + 100000), 0);
    CHECK_EQ_I64(take(limit, "10.0.0.1", now + 100000), 1);
    int allowed = 0;
    for (int i = 1; i <= 1000; i++) /* a hundred a second for ten seconds */
        allowed += take(limit, "10.0.0.1", now + 100000 + i * 10000) == 0;
    CHECK_EQ_I64(allowed, 100);
    for (int i = 0; i < 10; i++)
        CHECK_EQ_I64(take(limit, i % 2 == 0 ? "2001:db8:0:1::1" : "2001:db8:0:1:ffff::2", now), 0);
    CHECK_EQ_I64(take(limit, "2001:db8:0:1::3", now), 1); /* one network, one client */
    CHECK_EQ_I64(take(limit, "2001:db8:0:2::3", now), 0);
    mesh_http_limit_free(limit);
}

/* More clients than there is room for: nobody is refused for another's sake, and memory stays what it is. */
CASE(many_clients_are_forgotten_and_begin_anew)
{
    struct mesh_http_limit *limit = mesh_http_limit_new(1);
    char address[32];
    for (int i = 0; i < 4 * MESH_HTTP_LIMIT_CLIENTS; i++) {
        snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16 & 255, i >> 8 & 255, i & 255);
        CHECK_EQ_I64(take(limit, address, 1000000 + i), 0);
    }
    mesh_http_limit_free(limit);
}
