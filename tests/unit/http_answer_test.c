/* Answers without a socket: a backend that knows one row, and fails when told to. */
#include "../check.h"

#include "../embedded/shop.h"
#include "base/check.h"
#include "http/answer.h"
#include "http/encode.h"
#include "io/border.h"

#include <stdlib.h>

static const char key_text[] = "a key of the tests only";

struct fake {
    int result;
    struct mesh_read seen;
    bool ready;
    size_t rows;
    int asked;
    bool silent; /* never answers */
    bool committed;
    uint64_t min_position;
    int (*audit)(void *context, const struct mesh_http_disclosure *disclosure);
    int told, audit_result;
    char told_what[256];
};

static const struct mesh_service *asked = &shop_service;

/* Answers at once. */
static void fake_ask(void *context, struct mesh_http_question *question)
{
    struct fake *fake = context;
    struct mesh_rows *ret = &question->rows;
    const struct mesh_read *read = &question->read;
    CHECK_EQ_I64(question->product, 0);
    fake->seen = *read;
    fake->asked++;
    fake->committed = question->committed;
    fake->min_position = question->min_position;
    question->result = fake->result;
    if (fake->result < 0) {
        (void)mesh_err_set(&question->err, MESH_ERR_FATAL, "x", "broken");
        return;
    }
    for (size_t i = 0; i < fake->rows; i++) {
        struct shop_customers_out customer = {.customer = MESH_STR("ann"), .orders = 2};
        struct shop_totals_out totals = {.country = MESH_STR("D\"E"), .total = -1205, .n = 3};
        if (read->view == SHOP_VIEW_CUSTOMERS)
            mesh_buf_add(&ret->rows, &customer, sizeof customer);
        else
            mesh_buf_add(&ret->rows, &totals, sizeof totals);
        ret->n++;
    }
    ret->count = fake->rows;
    ret->as_of_us = INT64_MIN;
    if (fake->rows > 1) {
        ret->more = true;
        mesh_buf_puts(&ret->last, "place");
    }
}

static bool fake_health(void *context, enum mesh_http_health which, struct mesh_buf *out)
{
    mesh_buf_puts(out, "{}");
    return which == MESH_HTTP_LIVE || ((struct fake *)context)->ready;
}

static void fake_metrics(void *context, struct mesh_buf *out)
{
    (void)context;
    mesh_buf_puts(out, "metric 1\n");
}

static const char *accept; /* of the next request */

static struct mesh_http_response ask(struct fake *fake, const char *method, const char *uri, const char *body, const char *match)
{
    struct mesh_http_backend backend = {fake, fake_ask, fake_health, fake_metrics, NULL, NULL, fake->audit};
    struct mesh_str key = mesh_str_of(key_text);
    struct mesh_http_site *site = NULL;
    struct mesh_err err = {0};
    struct mesh_http_response response = {0};
    CHECK_EQ_I64(mesh_http_site_new(asked, &key, &backend, &site, &err), 0);
    struct mesh_http_request request = {.method = method, .uri = uri, .if_none_match = match, .accept = accept};
    request.traceparent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
    if (body != NULL)
        request.body = mesh_str_of(body);
    struct mesh_http_exchange *exchange = mesh_http_begin(site, &request, &response);
    if (exchange != NULL) {
        struct mesh_http_question *question = mesh_http_take_question(exchange);
        mesh_http_ask(site, question);
        mesh_http_finish(exchange, fake->silent ? NULL : question, &response);
        mesh_http_question_free(question);
    }
    mesh_buf_putc(&response.body, '\0');
    mesh_http_site_free(site);
    return response;
}

static int status_of(struct fake *fake, const char *method, const char *uri, const char *body)
{
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response r = ask(fake, method, uri, body, NULL);
    return r.status;
}

CASE(a_list_and_its_token)
{
    struct fake fake = {.rows = 2};
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response r = ask(&fake, "GET", "/totals?limit=2", NULL, NULL);
    CHECK_EQ_I64(r.status, 200);
    CHECK_CONTAINS(r.body.p, "{\"items\":[{\"country\":\"D\\\"E\",\"window_start\":\"1970-01-01T00:00:00Z\"");
    CHECK_CONTAINS(r.body.p, "\"total\":\"-12.05\",\"n\":3}");
    CHECK_CONTAINS(r.body.p, "\"count\":2,\"next\":\"");
    CHECK(fake.seen.windows == MESH_READ_LATEST && fake.seen.limit == 2 && fake.seen.key == NULL);
    /* under other parameters, the token is refused */
    char uri[512], token[256];
    const char *at = strstr(r.body.p, "\"next\":\"") + 8;
    snprintf(token, sizeof token, "%.*s", (int)strcspn(at, "\""), at);
    snprintf(uri, sizeof uri, "/totals?after=%s", token);
    CHECK_EQ_I64(status_of(&fake, "GET", uri, NULL), 200);
    snprintf(uri, sizeof uri, "/totals?window=all&after=%s", token);
    CHECK_EQ_I64(status_of(&fake, "GET", uri, NULL), 400);
}

CASE(an_etag_saves_a_body)
{
    struct fake fake = {.rows = 1};
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response r = ask(&fake, "GET", "/totals", NULL, NULL);
    const char *tag = NULL;
    for (unsigned i = 0; i < r.n_headers; i++)
        if (strcmp(r.headers[i].name, "ETag") == 0)
            tag = r.headers[i].value;
    REQUIRE(tag != NULL);
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response again = ask(&fake, "GET", "/totals", NULL, tag);
    CHECK_EQ_I64(again.status, 304);
    CHECK_STR(again.body.p, "");
}

CASE(protected_keys_stay_out_of_paths)
{
    struct fake fake = {.rows = 1};
    char pseudonym[MESH_BORDER_PSEUDONYM_CHARS + 1];
    mesh_border_pseudonym(mesh_str_of(key_text), "customer", MESH_STR("ann"), pseudonym);
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response list = ask(&fake, "GET", "/customers", NULL, NULL);
    CHECK_CONTAINS(list.body.p, pseudonym);
    CHECK(strstr(list.body.p, "ann") == NULL);
    CHECK_CONTAINS(list.body.p, "\"largest\":null");
    CHECK_EQ_I64(status_of(&fake, "GET", "/customers/ann", NULL), 403);
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response one =
        ask(&fake, "POST", "/customers/lookup", "{\"key\":\"ann\"}", NULL);
    CHECK_EQ_I64(one.status, 200);
    CHECK(fake.seen.key != NULL);
    CHECK(strstr(one.body.p, "ann") == NULL);
    CHECK_EQ_I64(status_of(&fake, "POST", "/customers/lookup", "{}"), 400);
    CHECK_EQ_I64(status_of(&fake, "POST", "/customers", NULL), 405);
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response put = ask(&fake, "PUT", "/customers/lookup", NULL, NULL);
    CHECK_EQ_I64(put.status, 405);
    CHECK_EQ_I64(status_of(&fake, "GET", "/customers/lookup", NULL), 405);
    CHECK_CONTAINS(put.body.p, "here is only POST");
}

static const char *header(const struct mesh_http_response *r, const char *name)
{
    for (unsigned i = 0; i < r->n_headers; i++)
        if (strcmp(r->headers[i].name, name) == 0)
            return r->headers[i].value;
    return NULL;
}

CASE(fields_are_shown_as_asked_for)
{
    struct fake fake = {.rows = 2};
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response r = ask(&fake, "GET", "/totals?fields=n,country", NULL, NULL);
    CHECK_CONTAINS(r.body.p, "{\"items\":[{\"n\":3,\"country\":\"D\\\"E\"},{\"n\":3,");
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response wrong = ask(&fake, "GET", "/totals?fields=m", NULL, NULL);
    CHECK_EQ_I64(wrong.status, 400);
    CHECK_CONTAINS(wrong.body.p, "\"pointer\":\"/query/fields\"");
    /* a field asked for by name is protected as ever */
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response one =
        ask(&fake, "POST", "/customers/lookup?fields=customer", "{\"key\":\"ann\"}", NULL);
    CHECK_EQ_I64(one.status, 200);
    CHECK(strstr(one.body.p, "ann") == NULL && strstr(one.body.p, "orders") == NULL);
}

CASE(rows_without_an_envelope)
{
    struct fake fake = {.rows = 2};
    accept = "text/csv";
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response csv =
        ask(&fake, "GET", "/totals?fields=country,total,final", NULL, NULL);
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response people = ask(&fake, "GET", "/customers", NULL, NULL);
    accept = "application/x-ndjson";
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response lines =
        ask(&fake, "GET", "/totals?fields=country,n", NULL, NULL);
    accept = "image/png";
    CHECK_EQ_I64(status_of(&fake, "GET", "/totals", NULL), 406);
    accept = NULL;
    CHECK_STR(csv.type, "text/csv; charset=utf-8; header=present");
    CHECK_STR(csv.body.p, "country,total,final\r\n\"D\"\"E\",-12.05,false\r\n\"D\"\"E\",-12.05,false\r\n");
    CHECK_STR(header(&csv, "Mesh-Count"), "2");
    CHECK_STR(header(&csv, "Vary"), "Accept");
    REQUIRE(header(&csv, "Mesh-Next") != NULL);
    char uri[2048];
    snprintf(uri, sizeof uri, "/totals?after=%s", header(&csv, "Mesh-Next"));
    CHECK_EQ_I64(status_of(&fake, "GET", uri, NULL), 200); /* the token is the same in all formats */
    CHECK_STR(lines.type, "application/x-ndjson");
    CHECK_STR(lines.body.p, "{\"country\":\"D\\\"E\",\"n\":3}\n{\"country\":\"D\\\"E\",\"n\":3}\n");
    CHECK(strstr(people.body.p, "ann") == NULL); /* pseudonyms here, too; and a missing value is empty */
    CHECK_CONTAINS(people.body.p, ",\r\n");
}

CASE(only_the_count)
{
    struct fake fake = {.rows = 2};
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response r = ask(&fake, "GET", "/totals?count=1", NULL, NULL);
    CHECK_STR(r.body.p, "{\"count\":2}\n");
    CHECK_EQ_I64(fake.seen.limit, 0);
}

CASE(when_to_answer_is_part_of_the_question)
{
    struct fake fake = {.rows = 1};
    CHECK_EQ_I64(status_of(&fake, "GET", "/totals/DE?committed=1&min-position=9", NULL), 200);
    CHECK(fake.committed && fake.min_position == 9);
    fake.silent = true;
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response r =
        ask(&fake, "GET", "/totals/DE?min-position=9", NULL, NULL);
    CHECK_EQ_I64(r.status, 409);
    CHECK_CONTAINS(r.body.p, "position 9 is not reached yet");
    CHECK_STR(header(&r, "Retry-After"), "1");
}

/* Who finds nothing gets 404, also below a document. */
CASE(documents)
{
    struct fake fake = {.ready = true};
    static const char *const there[] = {"/.well-known/data-product",
                                        "/openapi.json",
                                        "/asyncapi.json",
                                        "/products/shop/data-product",
                                        "/products/shop/asyncapi.json",
                                        "/contracts/mesh.shop.shop.large",
                                        "/contracts",
                                        "/schemas",
                                        "/schemas/shop/order@1"};
    static const char *const not_there[] = {"/data-product",           "/products/shap/asyncapi.json",
                                            "/contracts/shop/order@1", "/lineage",
                                            "/products/asyncapi.json", "/contracts/large",
                                            "/schemas/shop/order@2",   "/schemas/shop"};
    for (size_t i = 0; i < MESH_LEN(there); i++) {
        CHECK_EQ_I64(status_of(&fake, "GET", there[i], NULL), 200);
        CHECK_EQ_I64(status_of(&fake, "POST", there[i], "{}"), 405);
    }
    for (size_t i = 0; i < MESH_LEN(not_there); i++)
        CHECK_EQ_I64(status_of(&fake, "GET", not_there[i], NULL), 404);
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response list = ask(&fake, "GET", "/contracts", NULL, NULL);
    CHECK_STR(list.body.p, "{\"contracts\":[\"mesh.shop.shop.large\"]}\n");
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response one =
        ask(&fake, "GET", "/products/shop/asyncapi.json", NULL, NULL);
    CHECK_STR(one.body.p, "{\"asyncapi\":\"3.0.0\"}");
    CHECK_STR(header(&one, "Mesh-Product"), "shop@1.0.0");
    CHECK(header(&one, "ETag") != NULL);
}

CASE(statuses)
{
    struct fake fake = {.ready = true, .rows = 1};
    CHECK_EQ_I64(status_of(&fake, "GET", "/livez", NULL), 200);
    CHECK_EQ_I64(status_of(&fake, "GET", "/readyz", NULL), 200);
    CHECK_EQ_I64(status_of(&fake, "GET", "/startupz", NULL), 200);
    CHECK_EQ_I64(status_of(&fake, "GET", "/metrics", NULL), 200);
    CHECK_EQ_I64(status_of(&fake, "GET", "/openapi.json", NULL), 200);
    CHECK_EQ_I64(status_of(&fake, "GET", "/.well-known/data-product", NULL), 200);
    CHECK_EQ_I64(status_of(&fake, "GET", "/products/shop/openapi.json", NULL), 200);
    CHECK_EQ_I64(status_of(&fake, "GET", "/", NULL), 200);
    CHECK_EQ_I64(status_of(&fake, "DELETE", "/readyz", NULL), 405);
    CHECK_EQ_I64(status_of(&fake, "GET", "/nowhere", NULL), 404);
    CHECK_EQ_I64(status_of(&fake, "GET", "/totals/DE/FR", NULL), 404);
    CHECK_EQ_I64(status_of(&fake, "GET", "/totals/%zz", NULL), 400);
    fake.ready = false;
    CHECK_EQ_I64(status_of(&fake, "GET", "/readyz", NULL), 503);
    CHECK_EQ_I64(status_of(&fake, "GET", "/livez", NULL), 200);
    fake.result = MESH_HTTP_BUSY;
    CHECK_EQ_I64(status_of(&fake, "GET", "/totals", NULL), 503);
    fake.result = MESH_HTTP_NOT_LOADED;
    CHECK_EQ_I64(status_of(&fake, "GET", "/totals", NULL), 503);
    fake.result = MESH_HTTP_ENDING;
    CHECK_EQ_I64(status_of(&fake, "GET", "/totals", NULL), 503);
    fake.result = -1;
    CHECK_EQ_I64(status_of(&fake, "GET", "/totals", NULL), 500);
    fake = (struct fake){.rows = 1, .silent = true};
    CHECK_EQ_I64(status_of(&fake, "GET", "/totals", NULL), 503);
    fake = (struct fake){.rows = 0};
    CHECK_EQ_I64(status_of(&fake, "GET", "/totals/DE", NULL), 404);
    CHECK_EQ_I64(status_of(&fake, "GET", "/totals", NULL), 200);
}

CASE(a_problem_names_trace_and_place)
{
    struct fake fake = {0};
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response r = ask(&fake, "GET", "/totals?x=1", NULL, NULL);
    CHECK_STR(r.type, "application/problem+json");
    CHECK_CONTAINS(r.body.p, "\"trace_id\":\"0123456789abcdef0123456789abcdef\"");
    CHECK_CONTAINS(r.body.p, "\"instance\":\"/totals\"");
    CHECK_CONTAINS(r.body.p, "\"pointer\":\"/query/x\"");
}

static int keep(void *context, const struct mesh_http_disclosure *d)
{
    struct fake *fake = context;
    fake->told++;
    snprintf(fake->told_what, sizeof fake->told_what, "%s %s/%s %.*s %lld", d->method, d->product, d->port, (int)d->fields.n,
             d->fields.p, (long long)d->rows);
    return fake->audit_result;
}

CASE(what_is_shown_of_people_is_told_first)
{
    /* The shop, with a personal member that its port shows as it is. */
    struct mesh_product product = *shop_service.products[0];
    struct mesh_view *views = mesh_xcalloc(product.n_views, sizeof *views);
    memcpy(views, product.views, product.n_views * sizeof *views);
    struct mesh_view *customers = &views[SHOP_VIEW_CUSTOMERS];
    struct mesh_field *out = mesh_xcalloc(customers->n_out, sizeof *out);
    memcpy(out, customers->out, customers->n_out * sizeof *out);
    out[customers->n_out - 1].label = MESH_PERSONAL;
    customers->out = out;
    product.views = views;
    const struct mesh_product *products[] = {&product};
    struct mesh_service service = shop_service;
    service.products = products;
    asked = &service;

    struct fake fake = {.rows = 2, .audit = keep};
    struct mesh_http_response response = ask(&fake, "GET", "/customers", NULL, NULL);
    CHECK_EQ_I64(response.status, 200);
    CHECK_STR(fake.told_what, "GET shop/customers largest 2");
    mesh_http_response_deinit(&response);
    static const char *const silent[] = {"/customers?fields=orders", "/customers?count=1", "/totals"};
    for (size_t i = 0; i < MESH_LEN(silent); i++) {
        response = ask(&fake, "GET", silent[i], NULL, NULL);
        CHECK_EQ_I64(response.status, 200);
        CHECK_EQ_I64(fake.told, 1);
        mesh_http_response_deinit(&response);
    }
    fake.audit_result = 1;
    response = ask(&fake, "GET", "/customers", NULL, NULL);
    CHECK_EQ_I64(response.status, 503);
    CHECK_CONTAINS(response.body.p, "the audit cannot take another entry");
    mesh_http_response_deinit(&response);

    asked = &shop_service;
    free(out);
    free(views);
}
