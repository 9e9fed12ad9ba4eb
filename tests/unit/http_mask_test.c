/* Masks: what each shows, and that no way of asking shows more to who has not the role. */
#include "../check.h"

#include "base/check.h"
#include "base/fs.h"
#include "base/hash.h"
#include "http/answer.h"
#include "io/border.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define CARE "care-0123456789abcdef0123456789abcdef"
#define DESK "desk-0123456789abcdef0123456789abcdef"

/* ---- one rule, one value ---- */
struct value {
    struct mesh_str text;
    int64_t us;
};
static const struct mesh_field text_field = {.name = "t", .type = MESH_STRING, .offset = offsetof(struct value, text)};
static const struct mesh_field time_field = {.name = "t", .type = MESH_TIMESTAMP, .offset = offsetof(struct value, us)};
static const struct mesh_field date_field = {.name = "t", .type = MESH_DATE, .offset = offsetof(struct value, us)};

static const char *masked(enum mesh_protect rule, const struct mesh_field *field, const char *text, int64_t us)
{
    static struct mesh_buf out;
    struct value value = {mesh_str_of(text), us};
    mesh_buf_reset(&out);
    mesh_border_mask(rule, field, &value, &out);
    mesh_buf_putc(&out, '\0');
    return out.p;
}

CASE(what_is_shown_of_a_text)
{
    static const struct {
        const char *text, *first, *last;
    } cases[] = {
        {"", "***", "***"},
        {"1234567", "***", "***"}, /* seven: four of them would be most of it */
        {"12345678", "1234***", "***5678"},
        {"4000 1234 5678 9010", "4000***", "***9010"},
        {"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", "***", "***"}, /* four characters in eight bytes */
        {"\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f"
         "abcde\xe2\x82\xac",
         "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f***", "***cde\xe2\x82\xac"},
        {"\xf0\x9f\x99\x82\xf0\x9f\x99\x82\xf0\x9f\x99\x82\xf0\x9f\x99\x82"
         "abcd",
         "\xf0\x9f\x99\x82\xf0\x9f\x99\x82\xf0\x9f\x99\x82\xf0\x9f\x99\x82***", "***abcd"},
    };
    for (size_t i = 0; i < MESH_LEN(cases); i++) {
        CHECK_STR(masked(MESH_REDACT, &text_field, cases[i].text, 0), "***");
        CHECK_STR(masked(MESH_FIRST4, &text_field, cases[i].text, 0), cases[i].first);
        CHECK_STR(masked(MESH_LAST4, &text_field, cases[i].text, 0), cases[i].last);
    }
}

CASE(what_is_shown_of_a_time)
{
    static const struct {
        int64_t s;
        const char *year;
    } cases[] = {{0, "1970"}, {-1, "1969"}, {1798761599, "2026"}, {1798761600, "2027"}, {-2208988801, "1899"}};
    for (size_t i = 0; i < MESH_LEN(cases); i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "%s-01-01T00:00:00Z", cases[i].year);
        CHECK_STR(masked(MESH_YEAR, &time_field, "", cases[i].s * 1000000), wanted);
        snprintf(wanted, sizeof wanted, "%s-01-01", cases[i].year);
        CHECK_STR(masked(MESH_YEAR, &date_field, "", cases[i].s * 1000000), wanted);
    }
}

/* ---- a port with a mask of each kind ---- */
struct out {
    struct mesh_str id, city, mail, card, name, phone, secret;
    int64_t revision, born, salary;
    bool salary_set;
};
#define FIELD(name_, type_, ...)                                                                                                   \
    {                                                                                                                              \
        .name = #name_, .type = (type_), .offset = offsetof(struct out, name_), __VA_ARGS__                                        \
    }
static const struct mesh_field fields[] = {
    FIELD(id, MESH_STRING, .label = MESH_PERSONAL, .subject = "customer"),
    FIELD(revision, MESH_LONG),
    FIELD(city, MESH_STRING),
    FIELD(mail, MESH_STRING, .label = MESH_PERSONAL, .subject = "customer"),
    FIELD(card, MESH_STRING, .label = MESH_PERSONAL, .subject = "customer"),
    FIELD(name, MESH_STRING, .label = MESH_PERSONAL, .subject = "customer"),
    FIELD(phone, MESH_STRING, .label = MESH_PERSONAL, .subject = "customer"),
    FIELD(secret, MESH_STRING, .label = MESH_PERSONAL, .subject = "customer"),
    FIELD(born, MESH_DATE, .label = MESH_PERSONAL, .subject = "customer"),
    FIELD(salary, MESH_LONG, .label = MESH_PERSONAL, .subject = "customer", .nullable = true,
          .present = offsetof(struct out, salary_set)),
};
enum { N_FIELDS = sizeof fields / sizeof fields[0] };
static const struct out row = {.id = {"c-17", 4},
                               .revision = 1,
                               .city = {"Graz", 4},
                               .mail = {"ana.moreno@example.org", 22},
                               .card = {"4000123456789010", 16},
                               .name = {"Moreno, Ana", 11},
                               .phone = {"+43316872", 9},
                               .secret = {"never-told", 10},
                               .born = INT64_C(631152000000000) + INT64_C(86400000000) * 40, /* 10 February 1990 */
                               .salary = 54321,
                               .salary_set = true};
static const char *const masked_texts[] = {"moreno@example.org", "400012345678", "Moreno, Ana", "+43316872",
                                           "never-told",         "1990-02-10",   "54321"};
static const char *const masked_names[] = {"mail", "card", "name", "phone", "secret", "born", "salary"};

static const char *const care[] = {"care"};
#define MASK(member_, rule_)                                                                                                       \
    {                                                                                                                              \
        .member = (member_), .rule = (rule_), .unless = care, .n_unless = 1                                                        \
    }
static const struct mesh_mask masks[] = {MASK(3, MESH_FIRST4), MASK(4, MESH_LAST4), MASK(5, MESH_REDACT), MASK(6, MESH_PSEUDONYM),
                                         MASK(7, MESH_DROP),   MASK(8, MESH_YEAR),  MASK(9, MESH_NULLIFY)};
static const enum mesh_protect protect[N_FIELDS] = {MESH_PSEUDONYM};
static void finish(const void *kept, void *shown)
{
    (void)kept;
    (void)shown;
}
static const struct mesh_view view = {
    .name = "people", .out = fields, .n_out = N_FIELDS, .n_key = 1, .out_size = sizeof(struct out), .finish = finish};
static const struct mesh_port port = {.name = "people",
                                      .kind = MESH_PORT_HTTP,
                                      .path = "/people",
                                      .protect = protect,
                                      .masks = masks,
                                      .n_masks = sizeof masks / sizeof masks[0],
                                      .lookup = care,
                                      .n_lookup = 1};
static const struct mesh_product product = {.domain = "d",
                                            .name = "p",
                                            .version = "1",
                                            .document = "{}",
                                            .openapi = "{}",
                                            .views = &view,
                                            .n_views = 1,
                                            .ports = &port,
                                            .n_ports = 1};
static const struct mesh_product *const products[] = {&product};
static const struct mesh_service service = {.domain = "d", .products = products, .n_products = 1};

static struct {
    char keys[64];
    struct mesh_http_auth *auth;
    char told[256];
    int n_told;
    int64_t told_rows;
    bool empty;
} it;

static void answer(void *context, struct mesh_http_question *question)
{
    (void)context;
    for (uint32_t i = 0; i < 2 && !it.empty; i++, question->rows.n++)
        mesh_buf_add(&question->rows.rows, &row, sizeof row);
    if (question->read.key != NULL && question->rows.n > 1)
        question->rows.n = 1;
    question->rows.count = question->rows.n;
    question->rows.more = question->read.key == NULL && question->read.limit <= 2;
    mesh_buf_puts(&question->rows.last, "place");
}

static int tell(void *context, const struct mesh_http_disclosure *disclosure)
{
    (void)context;
    snprintf(it.told, sizeof it.told, "%s%.*s", disclosure->denied == NULL ? "" : disclosure->denied, (int)disclosure->fields.n,
             disclosure->fields.n == 0 ? "" : disclosure->fields.p);
    it.told_rows = disclosure->rows;
    it.n_told++;
    return 0;
}

static void add_key(struct mesh_buf *out, const char *key, const char *role)
{
    uint8_t hash[32];
    char hex[65];
    mesh_sha256(key, strlen(key), hash);
    mesh_hex(hash, sizeof hash, hex);
    mesh_buf_printf(out, "{\"name\":\"%s\",\"sha256\":\"%s\",\"roles\":[\"%s\"]}", role, hex, role);
}

static void begin(void)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    if (it.auth != NULL)
        return;
    snprintf(it.keys, sizeof it.keys, "/tmp/mesh-mask-%d.json", (int)getpid());
    mesh_buf_puts(&text, "{\"keys\":[");
    add_key(&text, CARE, "care");
    mesh_buf_putc(&text, ',');
    add_key(&text, DESK, "desk");
    mesh_buf_puts(&text, "]}");
    mesh_assert(mesh_fs_write_atomic(it.keys, text.p, text.n, &err) == 0);
    mesh_assert(
        mesh_http_auth_new(&(struct mesh_http_auth_conf){.keys_file = it.keys, .jwks_file = "", .issuer = "", .audience = ""},
                           &it.auth, &err) == 0);
    unlink(it.keys);
}

/* Who NULL: nobody is asked who he is. */
static struct mesh_http_response ask(const char *who, const char *method, const char *uri, const char *accept, const char *body)
{
    begin();
    struct mesh_http_backend backend = {.ask = answer, .auth = who == NULL ? NULL : it.auth, .disclosed = tell};
    struct mesh_str key = mesh_str_of("a key of the tests only");
    struct mesh_http_site *site = NULL;
    struct mesh_err err = {0};
    struct mesh_http_response response = {0};
    mesh_assert(mesh_http_site_new(&service, &key, &backend, &site, &err) == 0);
    struct mesh_http_request request = {.method = method, .uri = uri, .accept = accept, .api_key = who, .client = "test"};
    if (body != NULL)
        request.body = mesh_str_of(body);
    struct mesh_http_exchange *exchange = mesh_http_begin(site, &request, &response);
    if (exchange != NULL) {
        struct mesh_http_question *question = mesh_http_take_question(exchange);
        mesh_http_ask(site, question);
        mesh_http_finish(exchange, question, &response);
        mesh_http_question_free(question);
    }
    mesh_buf_putc(&response.body, '\0');
    mesh_http_site_free(site);
    return response;
}

static const char *header(const struct mesh_http_response *r, const char *name)
{
    for (unsigned i = 0; i < r->n_headers; i++)
        if (strcmp(r->headers[i].name, name) == 0)
            return r->headers[i].value;
    return "";
}

static const char *const formats[] = {"application/json", "application/x-ndjson", "text/csv"};
static const char *const uris[] = {"/people", "/people?limit=2", "/people?sort=city", "/people?city=Graz",
                                   "/people?fields=city,mail,card,name,phone,born,salary"};

CASE(no_format_and_no_way_of_asking_shows_more)
{
    for (size_t f = 0; f < MESH_LEN(formats); f++)
        for (size_t u = 0; u < MESH_LEN(uris); u++)
            for (int who = 0; who < 3; who++) {
                mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response r = ask(who == 0   ? NULL
                                                                                          : who == 1 ? DESK
                                                                                                     : CARE,
                                                                                          "GET", uris[u], formats[f], NULL);
                CHECK_EQ_I64(r.status, 200);
                CHECK_CONTAINS(r.body.p, "Graz");
                for (size_t i = 0; i < MESH_LEN(masked_texts); i++) {
                    bool dropped = i == 4 && u == 4; /* not asked for */
                    bool seen = strstr(r.body.p, masked_texts[i]) != NULL;
                    if (seen != (who == 2 && !dropped))
                        printf("# %s %s %d: %s\n", formats[f], uris[u], who, masked_texts[i]);
                    CHECK(seen == (who == 2 && !dropped));
                }
                CHECK(strstr(r.body.p, "c-17") == NULL);
                if (who < 2) {
                    CHECK_CONTAINS(r.body.p, "ana.***");
                    CHECK_CONTAINS(r.body.p, "***9010");
                    CHECK_CONTAINS(r.body.p, "1990-01-01");
                    CHECK(strstr(r.body.p, "secret") == NULL);
                }
            }
}

CASE(what_is_masked_decides_nothing)
{
    static const char *const tails[][2] = {{"sort=", ""},  {"sort=-city,", ""}, {"", "=x"},           {"", ".ne=x"},
                                           {"", ".gte=1"}, {"", ".lt=1"},       {"count=1&", ".eq=1"}};
    for (size_t i = 0; i < MESH_LEN(masked_names); i++)
        for (size_t t = 0; t < MESH_LEN(tails); t++) {
            char uri[128];
            snprintf(uri, sizeof uri, "/people?%s%s%s", tails[t][0], masked_names[i], tails[t][1]);
            mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response r = ask(DESK, "GET", uri, NULL, NULL);
            CHECK_EQ_I64(r.status, 400);
            for (size_t k = 0; k < MESH_LEN(masked_texts); k++)
                CHECK(strstr(r.body.p, masked_texts[k]) == NULL);
        }
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response mine =
        ask(CARE, "GET", "/people?sort=mail&salary.gte=1", NULL, NULL);
    CHECK_EQ_I64(mine.status, 200);
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response gone = ask(DESK, "GET", "/people?fields=secret", NULL, NULL);
    CHECK_EQ_I64(gone.status, 400);
    CHECK(strstr(gone.body.p, "did you mean 'secret'") == NULL);
}

static void copy_next(const char *who, const char *uri, char ret[256])
{
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response r = ask(who, "GET", uri, NULL, NULL);
    const char *at = strstr(r.body.p, "\"next\":\"");
    *ret = '\0';
    if (at != NULL)
        snprintf(ret, 256, "%.*s", (int)strcspn(at + 8, "\""), at + 8);
}

CASE(tags_and_tokens_belong_to_what_was_shown)
{
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response a = ask(CARE, "GET", "/people", NULL, NULL);
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response b = ask(DESK, "GET", "/people", NULL, NULL);
    CHECK(strcmp(header(&a, "ETag"), header(&b, "ETag")) != 0 && header(&a, "ETag")[0] == '"');
    CHECK_CONTAINS(header(&a, "Vary"), "X-API-Key");
    char token[256];
    char uri[512];
    copy_next(CARE, "/people?limit=2", token);
    REQUIRE(token[0] != '\0');
    snprintf(uri, sizeof uri, "/people?limit=2&after=%s", token);
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response own = ask(CARE, "GET", uri, NULL, NULL);
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response other = ask(DESK, "GET", uri, NULL, NULL);
    CHECK_EQ_I64(own.status, 200);
    CHECK_EQ_I64(other.status, 400);
}

CASE(the_audit_names_what_was_seen_unmasked)
{
    it.n_told = 0;
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response desk = ask(DESK, "GET", "/people", NULL, NULL);
    CHECK_EQ_I64(it.n_told, 0);
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response some =
        ask(CARE, "GET", "/people?fields=city,born,mail", NULL, NULL);
    CHECK_STR(it.told, "mail,born");
    CHECK_EQ_I64(it.told_rows, 2);
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response all = ask(CARE, "GET", "/people", NULL, NULL);
    CHECK_STR(it.told, "mail,card,name,phone,secret,born,salary");
    CHECK_EQ_I64(it.n_told, 2);
}

CASE(lookups_are_for_some_and_leave_a_trace)
{
    it.n_told = 0;
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response desk =
        ask(DESK, "POST", "/people/lookup", NULL, "{\"key\":\"c-17\"}");
    CHECK_EQ_I64(desk.status, 403);
    CHECK_STR(it.told, "role for lookups");
    CHECK(strstr(desk.body.p, "c-17") == NULL);
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response found =
        ask(CARE, "POST", "/people/lookup?fields=city", NULL, "{\"key\":\"c-17\"}");
    CHECK_EQ_I64(found.status, 200);
    CHECK_STR(it.told, "id?"); /* he named somebody, whatever he was shown */
    CHECK_EQ_I64(it.told_rows, 1);
    it.empty = true;
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response none =
        ask(CARE, "POST", "/people/lookup", NULL, "{\"key\":\"c-18\"}");
    it.empty = false;
    CHECK_EQ_I64(none.status, 404);
    CHECK_EQ_I64(it.n_told, 3);
    CHECK_EQ_I64(it.told_rows, 0);
    CHECK(strstr(none.body.p, "c-18") == NULL);
    mesh_cleanup(mesh_http_response_deinit) struct mesh_http_response path = ask(CARE, "GET", "/people/c-17", NULL, NULL);
    CHECK_EQ_I64(path.status, 403);
}

CASE(a_masked_hash_needs_the_key)
{
    struct mesh_port bare = port;
    struct mesh_product with = product;
    static const enum mesh_protect none[N_FIELDS] = {MESH_AS_IS};
    bare.protect = none;
    with.ports = &bare;
    CHECK(mesh_border_needs_key(&with));
    bare.n_masks = 3;
    CHECK(!mesh_border_needs_key(&with));
}
