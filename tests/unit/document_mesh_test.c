/* From a declaration to its documents: what the product says of itself, where its fields come from, and its OpenAPI. */
#include "base/fs.h"
#include "base/json.h"
#include "codegen/emit_int.h"

#include "../check.h"

#include <stdlib.h>
#include <unistd.h>

static const char mesh_yaml[] = "apiVersion: mesh/v1\n"
                                "kind: Mesh\n"
                                "name: acme\n"
                                "pseudonym: { keyRef: env:MESH_PSEUDONYM_KEY }\n"
                                "topics: { partitions: 3 }\n";

static const char payment_avsc[] =
    "{\"type\": \"record\", \"name\": \"Payment\", \"doc\": \"A \\\"payment\\\".\", \"label\": \"internal\", \"fields\": [\n"
    " {\"name\": \"id\", \"type\": \"string\", \"doc\": \"Unique.\"},\n"
    " {\"name\": \"card\", \"type\": \"string\", \"label\": \"personal\", \"subject\": \"customer\", \"doc\": \"The card.\"},\n"
    " {\"name\": \"belief\", \"type\": [\"null\", \"string\"], \"default\": null, \"label\": \"special\", \"subject\": "
    "\"customer\"},\n"
    " {\"name\": \"method\", \"type\": {\"type\": \"enum\", \"name\": \"Method\", \"symbols\": [\"CASH\", \"CARD\"]}, \"doc\": "
    "\"How.\"},\n"
    " {\"name\": \"amount\", \"type\": {\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 12, \"scale\": 2}},\n"
    " {\"name\": \"currency\", \"type\": \"string\"},\n"
    " {\"name\": \"at\", \"type\": {\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}}]}\n";

static const char rate_avsc[] =
    "{\"type\": \"record\", \"name\": \"Rate\", \"label\": \"public\", \"fields\": [\n"
    " {\"name\": \"currency\", \"type\": \"string\"},\n"
    " {\"name\": \"since\", \"type\": {\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}},\n"
    " {\"name\": \"eur\", \"type\": {\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 12, \"scale\": 4}}]}\n";

static const char sale_avsc[] =
    "{\"type\": \"record\", \"name\": \"Sale\", \"doc\": \"A sale.\", \"label\": \"internal\", \"fields\": [\n"
    " {\"name\": \"id\", \"type\": \"string\"},\n"
    " {\"name\": \"card\", \"type\": \"string\", \"label\": \"pseudonymous\", \"subject\": \"customer\", \"doc\": \"A "
    "pseudonym.\"},\n"
    " {\"name\": \"eur\", \"type\": {\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 14, \"scale\": 2}},\n"
    " {\"name\": \"belief\", \"type\": [\"null\", \"string\"], \"default\": null},\n"
    " {\"name\": \"at\", \"type\": {\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}}]}\n";

static const char minute_avsc[] =
    "{\"type\": \"record\", \"name\": \"Minute\", \"label\": \"internal\", \"fields\": [\n"
    " {\"name\": \"method\", \"type\": {\"type\": \"enum\", \"name\": \"Method\", \"symbols\": [\"CASH\", \"CARD\"]}},\n"
    " {\"name\": \"window_start\", \"type\": {\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}},\n"
    " {\"name\": \"n\", \"type\": \"long\"}]}\n";

static const char product_yaml[] =
    "apiVersion: mesh/v1\n"
    "kind: DataProduct\n"
    "name: till\n"
    "domain: shop\n"
    "version: 1.2.0\n"
    "type: source-aligned\n"
    "description:\n"
    "  purpose: \"Say \\\"hi\\\" \\\\ </script> \\a \\u00fc\\n{{x}} %s\"\n"
    "team: { name: tills, members: [ { username: ana@acme.example, role: owner } ] }\n"
    "support: [ { channel: \"#till\", tool: slack } ]\n"
    "slaProperties: { latency: 90s, availability: 99.95%, retention: 30d }\n"
    "protect: { personal: pseudonym, special: drop }\n"
    "inputPorts:\n"
    "  web: { topic: acme.web, contract: shop/payment@1, key: card, eventTime: at }\n"
    "  store: { topic: acme.store, contract: shop/payment@1, key: card, eventTime: at }\n"
    "  rates: { topic: acme.rates, contract: shop/rate@1, key: currency, eventTime: since, table: { by: currency } }\n"
    "streams:\n"
    "  sold:\n"
    "    from: [web, store]\n"
    "    steps:\n"
    "      - where: amount > 0.0\n"
    "      - join: { table: rates, key: currency, missing: skip }\n"
    "      - set:\n"
    "          eur: decimal(amount * rates.eur, 14, 2)\n"
    "  busy:\n"
    "    from: sold\n"
    "    steps:\n"
    "      - fold:\n"
    "          by: card\n"
    "          windows: { h1: { sliding: 1h } }\n"
    "          let:\n"
    "            total: sum(eur)\n"
    "            n: count()\n"
    "  turned:\n"
    "    from: { changes: cards }\n"
    "    steps:\n"
    "      - rises:\n"
    "          when: new.n > 5\n"
    "      - select:\n"
    "          id: '\"row\"'\n"
    "          card: new.card\n"
    "          eur: decimal(new.spent, 14, 2)\n"
    "          belief: new.belief\n"
    "          at: meta.time\n"
    "views:\n"
    "  minutes:\n"
    "    from: sold\n"
    "    by: method\n"
    "    window: { tumbling: 1m }\n"
    "    keep: 1d\n"
    "    let:\n"
    "      n: count()\n"
    "      euros: sum(eur)\n"
    "      cash: sum(eur, currency == \"EUR\")\n"
    "      mean: ratio(euros, n)\n"
    "  cards:\n"
    "    description: What a card did.\n"
    "    from: busy\n"
    "    by: card\n"
    "    keep: 30d\n"
    "    let:\n"
    "      n: count()\n"
    "      spent: sum(eur)\n"
    "      hour: last(total_h1)\n"
    "      belief: last(belief)\n"
    "  tally:\n"
    "    from: [web, store]\n"
    "    by: [method, currency]\n"
    "    keep: 30d\n"
    "    state:\n"
    "      much: { type: \"decimal(20,2)\", init: 0 }\n"
    "    update:\n"
    "      web:\n"
    "        much: decimal(self.much + web.amount, 20, 2)\n"
    "outputPorts:\n"
    "  sales: { kind: kafka, from: sold, topic: acme.sales, contract: shop/sale@1, key: card }\n"
    "  per_minute: { kind: kafka, from: minutes, emit: close, topic: acme.minutes, contract: shop/minute@1, key: method }\n"
    "  turned: { kind: kafka, from: turned, topic: acme.turned, contract: shop/sale@1, key: card }\n"
    "  minutes: { kind: http, from: minutes, path: /minutes }\n"
    "  cards: { kind: http, from: cards, path: /cards }\n"
    "  tally: { kind: http, from: tally, path: /tally }\n"
    "  cards_docs: { kind: mongo, from: cards, collection: cards, release: { fields: [card], purpose: service, basis: contract } "
    "}\n";

/* ---- making it ---- */

static struct {
    struct mesh_arena arena;
    bool made;
    struct mesh_buf document, openapi, asyncapi, contract;
    const struct mesh_json *doc, *api, *async, *odcs; /* odcs: of the port `minutes` */
} made;

static void put(const char *root, const char *path, const char *text)
{
    struct mesh_err err = {0};
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    *strrchr(full, '/') = '\0';
    CHECK(mesh_fs_mkdirs(full, &err) == 0);
    snprintf(full, sizeof full, "%s/%s", root, path);
    CHECK(mesh_fs_write_atomic(full, text, strlen(text), &err) == 0);
}

static void drop(const char *root)
{
    static const char *const paths[] = {
        "mesh.yaml",
        "contracts/shop/payment.v1.avsc",
        "contracts/shop/rate.v1.avsc",
        "contracts/shop/sale.v1.avsc",
        "contracts/shop/minute.v1.avsc",
        "domains/shop/product.yaml",
        "contracts/shop",
        "contracts",
        "domains/shop",
        "domains",
        "",
    };
    for (size_t i = 0; i < MESH_LEN(paths); i++) {
        char full[512];
        snprintf(full, sizeof full, "%s/%s", root, paths[i]);
        CHECK(remove(full) == 0);
    }
}

static const struct mesh_json *parse(const char *name, const struct mesh_buf *text)
{
    struct mesh_diags diags = {.arena = &made.arena};
    const struct mesh_json *json = mesh_json_parse(&made.arena, mesh_source_new(&made.arena, name, text->p, text->n), &diags, "T");
    if (json == NULL)
        mesh_diag_print(&diags, stdout, MESH_DIAG_TEXT, false);
    CHECK(json != NULL);
    return json;
}

static void emit(struct mesh_model *model, struct mesh_buf *document, struct mesh_buf *openapi)
{
    struct mesh_model_product *product = model->products.v[0];
    struct mesh_emitter e = {.arena = model->arena, .product = product, .p = product->name.text};
    mesh_emit_document(&e, document);
    mesh_emit_openapi(&e, openapi);
}

static bool make(void)
{
    if (made.made)
        return made.doc != NULL && made.api != NULL;
    made.made = true;
    char root[] = "/tmp/mesh-document-XXXXXX";
    CHECK(mkdtemp(root) != NULL);
    put(root, "mesh.yaml", mesh_yaml);
    put(root, "contracts/shop/payment.v1.avsc", payment_avsc);
    put(root, "contracts/shop/rate.v1.avsc", rate_avsc);
    put(root, "contracts/shop/sale.v1.avsc", sale_avsc);
    put(root, "contracts/shop/minute.v1.avsc", minute_avsc);
    put(root, "domains/shop/product.yaml", product_yaml);
    struct mesh_diags diags = {.arena = &made.arena};
    struct mesh_model *model = NULL;
    struct mesh_err err = {0};
    CHECK(mesh_model_load(&made.arena, &diags, root, &model, &err) == 0);
    drop(root);
    mesh_check(model);
    if (diags.n_errors > 0)
        mesh_diag_print(&diags, stdout, MESH_DIAG_TEXT, false);
    CHECK_EQ_U64(diags.n_errors, 0);
    if (diags.n_errors > 0)
        return false;
    emit(model, &made.document, &made.openapi);
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf again = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf again_api = MESH_BUF_NULL;
    emit(model, &again, &again_api);
    CHECK_STR(again.p, made.document.p); /* the same, every time */
    CHECK_STR(again_api.p, made.openapi.p);
    struct mesh_emitter e = {.arena = model->arena, .product = model->products.v[0], .p = "till"};
    mesh_emit_asyncapi(&e, &made.asyncapi);
    mesh_emit_contract(&e, model->products.v[0]->ports.v[3], &made.contract);
    made.async = parse("asyncapi", &made.asyncapi);
    made.odcs = parse("contract", &made.contract);
    made.doc = parse("document", &made.document);
    made.api = parse("openapi", &made.openapi);
    return made.doc != NULL && made.api != NULL;
}

/* ---- reading it ---- */

static const struct mesh_json *custom(const struct mesh_json *json, const char *property)
{
    const struct mesh_json *list = mesh_json_get(json, "customProperties");
    for (uint32_t i = 0; list != NULL && i < list->n; i++)
        if (strcmp(mesh_json_get(list->items[i], "property")->text, property) == 0)
            return mesh_json_get(list->items[i], "value");
    return NULL;
}

/* "@fields|sales|0|name": members and indexes; @ is a custom property. NULL when there is no such thing. */
static const struct mesh_json *at(const struct mesh_json *json, const char *path)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", path);
    char *save = NULL;
    for (char *part = strtok_r(copy, "|", &save); part != NULL && json != NULL; part = strtok_r(NULL, "|", &save)) {
        size_t i = (size_t)strtoul(part, NULL, 10);
        if (json->kind == MESH_JSON_ARRAY)
            json = i < json->n ? json->items[i] : NULL;
        else
            json = *part == '@' ? custom(json, part + 1) : mesh_json_get(json, part);
    }
    return json;
}

static const char *text_at(const struct mesh_json *json, const char *path)
{
    const struct mesh_json *value = at(json, path);
    return value == NULL ? NULL : value->text;
}

/* "web.id store.id ~rates.eur": indirect ones with ~. */
static const char *sources(const char *path)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    const struct mesh_json *list = at(made.doc, path);
    if (list == NULL)
        return NULL;
    for (uint32_t i = 0; i < list->n; i++)
        mesh_buf_printf(&text, "%s%s%s.%s", i == 0 ? "" : " ", strcmp(text_at(list->items[i], "kind"), "direct") == 0 ? "" : "~",
                        text_at(list->items[i], "port"), text_at(list->items[i], "field"));
    return mesh_arena_strdup(&made.arena, text.p == NULL ? "" : text.p);
}

/* "name classification protection" of a field. */
static const char *field(const char *port, uint32_t i)
{
    const struct mesh_json *f = at(made.doc, mesh_arena_printf(&made.arena, "@fields|%s|%u", port, i));
    if (f == NULL)
        return NULL;
    return mesh_arena_printf(&made.arena, "%s %s%s %s %s", text_at(f, "name"), text_at(f, "type"),
                             at(f, "nullable")->boolean ? "?" : "", text_at(f, "classification"), text_at(f, "protection"));
}

/* ---- the document ---- */

CASE(the_document_says_who_and_what)
{
    REQUIRE(make());
    CHECK_STR(text_at(made.doc, "apiVersion"), "v1.0.0");
    CHECK_STR(text_at(made.doc, "kind"), "DataProduct");
    CHECK_STR(text_at(made.doc, "id"), "acme.shop.till");
    CHECK_STR(text_at(made.doc, "status"), "active");
    CHECK_STR(text_at(made.doc, "@type"), "sourceAligned");
    CHECK_STR(text_at(made.doc, "team|members|0|role"), "owner");
    CHECK_STR(text_at(made.doc, "@supportChannel"), "#till");
    CHECK_STR(text_at(made.doc, "@slaProperties|0|value"), "90");
    CHECK_STR(text_at(made.doc, "@slaProperties|0|unit"), "s");
    CHECK_STR(text_at(made.doc, "@slaProperties|1|value"), "99.95");
    CHECK_STR(text_at(made.doc, "@slaProperties|2|unit"), "d");
}

CASE(what_people_wrote_comes_through_unchanged)
{
    static const char purpose[] = "Say \"hi\" \\ </script> \a \xc3\xbc\n{{x}} %s";
    REQUIRE(make());
    CHECK_STR(text_at(made.doc, "description|purpose"), purpose);
    CHECK_STR(text_at(made.api, "info|description"), purpose);
    CHECK_STR(text_at(made.doc, "inputPorts|0|@description"), "A \"payment\".");
    CHECK(at(made.doc, "description|usage") == NULL);
}

CASE(ports_say_where_they_are)
{
    REQUIRE(make());
    CHECK_STR(text_at(made.doc, "inputPorts|1|contractId"), "shop/payment@1");
    CHECK_STR(text_at(made.doc, "inputPorts|1|@topic"), "acme.store");
    CHECK(at(made.doc, "inputPorts|2|@table")->boolean);
    CHECK_STR(text_at(made.doc, "outputPorts|0|@topic"), "acme.sales");
    CHECK_STR(text_at(made.doc, "outputPorts|0|contractId"), "acme.shop.till.sales");
    CHECK_STR(text_at(made.doc, "outputPorts|0|@schema"), "shop/sale@1");
    CHECK_EQ_U64(at(made.doc, "outputPorts|0|inputContracts")->n, 2);
    CHECK_STR(text_at(made.doc, "outputPorts|0|inputContracts|1|id"), "shop/rate@1");
    CHECK_EQ_U64(at(made.doc, "outputPorts|5|inputContracts")->n, 1); /* no rate in it */
    CHECK_STR(text_at(made.doc, "outputPorts|0|@partitions"), "3");
    CHECK_STR(text_at(made.doc, "outputPorts|1|@emit"), "close");
    CHECK_STR(text_at(made.doc, "outputPorts|1|@window|size"), "1m");
    CHECK_STR(text_at(made.doc, "outputPorts|3|@path"), "/minutes");
    CHECK_STR(text_at(made.doc, "outputPorts|5|@rowKey|1"), "currency");
    CHECK_STR(text_at(made.doc, "outputPorts|6|@collection"), "cards");
    CHECK_STR(text_at(made.doc, "managementPorts|0|url"), "/.well-known/data-product");
}

CASE(fields_are_labelled_as_they_leave)
{
    REQUIRE(make());
    CHECK_STR(field("sales", 0), "id string internal none");
    CHECK_STR(field("sales", 1), "card string pseudonymous pseudonym");
    CHECK_STR(field("sales", 2), "eur decimal(14,2) internal none");
    CHECK_STR(field("sales", 3), "belief string? special drop");
    CHECK_STR(text_at(made.doc, "@fields|sales|1|doc"), "A pseudonym.");
    CHECK_STR(text_at(made.doc, "@fields|sales|1|subject"), "customer");
    CHECK_STR(field("cards", 0), "card string pseudonymous pseudonym");
    CHECK_STR(field("cards", 1), "revision int internal none");
    CHECK_STR(field("cards", 5), "belief string? special drop");
    CHECK_STR(field("cards_docs", 0), "card string personal none");
    CHECK_STR(text_at(made.doc, "@fields|cards_docs|0|release|basis"), "contract");
    CHECK(at(made.doc, "@fields|cards|0|release") == NULL);
}

CASE(rows_have_the_members_of_their_window)
{
    static const char *const names[] = {"method", "window_start", "window_end", "final", "revision", "n", "euros", "cash", "mean"};
    REQUIRE(make());
    for (uint32_t i = 0; i < MESH_LEN(names); i++)
        CHECK_STR(text_at(made.doc, mesh_arena_printf(&made.arena, "@fields|minutes|%u|name", i)), names[i]);
    CHECK_EQ_U64(at(made.doc, "@fields|minutes")->n, MESH_LEN(names));
    CHECK_STR(text_at(made.doc, "@fields|minutes|6|doc"), "sum(eur)");
    CHECK_STR(field("per_minute", 1), "window_start timestamp public none");
}

/* ---- lineage ---- */

CASE(lineage_goes_through_unions_joins_and_assignments)
{
    REQUIRE(make());
    CHECK_STR(sources("@lineage|sales|fields|id"), "web.id store.id");
    CHECK_STR(sources("@lineage|sales|fields|eur"), "web.amount store.amount rates.eur");
    CHECK_STR(sources("@lineage|sales|fields|belief"), "web.belief store.belief");
    CHECK_STR(sources("@lineage|turned|fields|id"), ""); /* a constant */
    CHECK_STR(sources("@lineage|sales|all"), "~web.amount ~web.currency ~store.amount ~store.currency ~rates.currency");
    CHECK_STR(text_at(made.doc, "@lineage|sales|fields|eur|2|contract"), "shop/rate@1");
}

CASE(lineage_goes_through_aggregates_and_earlier_columns)
{
    REQUIRE(make());
    CHECK_STR(sources("@lineage|minutes|fields|n"), "");
    CHECK_STR(sources("@lineage|minutes|fields|euros"), "web.amount store.amount rates.eur");
    CHECK_STR(sources("@lineage|minutes|fields|mean"), "web.amount store.amount rates.eur");
    CHECK_STR(sources("@lineage|minutes|fields|window_start"), "web.at store.at");
    CHECK_STR(sources("@lineage|minutes|fields|final"), "");
    CHECK_STR(sources("@lineage|per_minute|fields|window_start"), "web.at store.at");
    CHECK_STR(sources("@lineage|minutes|all"),
              "~web.method ~web.amount ~web.currency ~web.at ~store.method ~store.amount ~store.currency "
              "~store.at ~rates.currency");
}

CASE(lineage_goes_through_folds_changes_and_state)
{
    REQUIRE(make());
    CHECK_STR(sources("@lineage|cards|fields|hour"), "web.amount store.amount rates.eur");
    CHECK_STR(sources("@lineage|cards|fields|belief"), "web.belief store.belief");
    CHECK_STR(sources("@lineage|turned|fields|card"), "web.card store.card");
    CHECK_STR(sources("@lineage|turned|fields|eur"), "web.amount store.amount rates.eur");
    CHECK_STR(sources("@lineage|turned|fields|at"), "web.at store.at");
    CHECK_STR(sources("@lineage|tally|fields|much"), "web.amount");
    CHECK_STR(sources("@lineage|tally|fields|method"), "web.method store.method");
}

/* ---- contracts and AsyncAPI; whether the standards accept them: tests/documents ---- */

CASE(a_contract_says_what_a_port_shows)
{
    REQUIRE(make());
    CHECK_STR(text_at(made.odcs, "id"), "acme.shop.till.minutes");
    CHECK_STR(text_at(made.odcs, "schema|0|properties|0|name"), "method");
    CHECK_STR(text_at(made.odcs, "schema|0|properties|0|primaryKeyPosition"), "1");
    CHECK_STR(text_at(made.odcs, "schema|0|properties|0|@symbols|1"), "CARD");
    CHECK_STR(text_at(made.odcs, "schema|0|properties|1|primaryKeyPosition"), "2"); /* the window */
    CHECK_STR(text_at(made.odcs, "schema|0|properties|6|logicalType"), "number");
    CHECK_STR(text_at(made.odcs, "schema|0|properties|6|description"), "sum(eur)");
    CHECK_STR(text_at(made.odcs, "schema|0|properties|6|transformSourceObjects|2"), "rates.eur");
    CHECK_STR(text_at(made.odcs, "support|0|channel"), "#till");
    CHECK_STR(text_at(made.odcs, "slaProperties|1|unit"), "percent");
}

CASE(topics_are_channels_with_their_schema)
{
    REQUIRE(make());
    CHECK_STR(text_at(made.async, "operations|receive.in.web|action"), "receive");
    CHECK_STR(text_at(made.async, "operations|send.sales|channel|$ref"), "#/channels/sales");
    CHECK_STR(text_at(made.async, "channels|sales|address"), "acme.sales");
    CHECK_STR(text_at(made.async, "channels|sales|bindings|kafka|partitions"), "3");
    CHECK_STR(text_at(made.async, "channels|in.rates|bindings|kafka|topicConfiguration|cleanup.policy|0"), "compact");
    CHECK_STR(text_at(made.async, "components|messages|sales|payload|schema|fields|1|name"), "card");
    CHECK(at(made.async, "components|messages|sales|headers|properties|mesh") != NULL);
    CHECK(at(made.async, "components|messages|in.web|headers") == NULL);
    CHECK(at(made.async, "channels|minutes") == NULL); /* HTTP is in OpenAPI */
}

/* ---- OpenAPI ---- */

CASE(every_http_port_has_its_paths)
{
    REQUIRE(make());
    CHECK_STR(text_at(made.api, "openapi"), "3.1.0");
    CHECK_STR(text_at(made.api, "paths|/minutes|get|operationId"), "list_minutes");
    CHECK_STR(text_at(made.api, "paths|/minutes/{method}|get|operationId"), "get_minutes");
    CHECK(at(made.api, "paths|/tally/{method}/{currency}|get") != NULL);
    CHECK(at(made.api, "paths|/metrics|get|responses|200") != NULL);
    CHECK(at(made.api, "paths|/readyz|get|responses|503") != NULL);
    CHECK_EQ_U64(at(made.api, "paths")->n, 3 * 2 + 10);
}

CASE(a_protected_key_stands_in_no_path)
{
    REQUIRE(make());
    CHECK(at(made.api, "paths|/cards/{card}") == NULL);
    CHECK_STR(text_at(made.api, "paths|/cards/lookup|post|operationId"), "lookup_cards");
    CHECK(at(made.api, "paths|/cards/lookup|post|responses|404") != NULL);
    CHECK_STR(text_at(made.api, "components|schemas|cards|properties|card|pattern"), "^[0-9a-f]{32}$");
    CHECK(at(made.api, "components|schemas|cards|properties|belief") == NULL); /* dropped */
}

CASE(only_windows_take_window_parameters)
{
    REQUIRE(make());
    CHECK_EQ_U64(at(made.api, "paths|/minutes|get|parameters")->n, 13);
    CHECK_EQ_U64(at(made.api, "paths|/minutes/{method}|get|parameters")->n, 8);
    CHECK_EQ_U64(at(made.api, "paths|/tally|get|parameters")->n, 10);
    CHECK_EQ_U64(at(made.api, "paths|/tally/{method}/{currency}|get|parameters")->n, 6);
    CHECK_STR(text_at(made.api, "paths|/minutes/{method}|get|responses|200|content|application/json|schema|$ref"),
              "#/components/schemas/minutes.list");
    CHECK_STR(text_at(made.api, "paths|/tally/{method}/{currency}|get|responses|200|content|application/json|schema|$ref"),
              "#/components/schemas/tally");
}

CASE(types_are_those_of_the_answers)
{
    REQUIRE(make());
    const struct mesh_json *minutes = at(made.api, "components|schemas|minutes|properties");
    CHECK_STR(text_at(minutes, "method|enum|1"), "CARD");
    CHECK_STR(text_at(minutes, "method|examples|0"), "CASH");
    CHECK_STR(text_at(minutes, "euros|pattern"), "^-?[0-9]+\\.[0-9]{2}$");
    CHECK_STR(text_at(minutes, "euros|examples|0"), "12.50");
    CHECK_STR(text_at(minutes, "mean|type|0"), "number");
    CHECK_STR(text_at(minutes, "mean|type|1"), "null");
    CHECK_STR(text_at(minutes, "window_end|format"), "date-time");
    CHECK_STR(text_at(minutes, "window_end|examples|0"), "2026-01-01T00:01:00Z");
    CHECK_STR(text_at(made.api, "paths|/tally/{method}/{currency}|get|parameters|0|schema|enum|0"), "CASH");
    CHECK_STR(text_at(made.api, "components|schemas|cards|description"), "What a card did.");
}

/* ---- what stands beside ---- */

CASE(the_image_and_the_readme_are_of_the_domain)
{
    struct mesh_err err = {0};
    struct mesh_arena *arena = &made.arena;
    struct mesh_data *data = mesh_data_map(arena);
    mesh_data_code(arena, data, "domain", "shop");
    mesh_data_code(arena, data, "port", "8081");
    mesh_data_code(arena, data, "gen", "build/gen/shop");
    struct mesh_data *product = mesh_data_add(arena, mesh_data_sub(arena, data, "products"));
    mesh_data_code(arena, product, "name", "till");
    mesh_data_prose(arena, product, "purpose", "To sell\nthings.");
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf image = MESH_BUF_NULL;
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf readme = MESH_BUF_NULL;
    REQUIRE(mesh_template_fill("Dockerfile", data, &image, &err) == 0);
    REQUIRE(mesh_template_fill("service_README.md", data, &readme, &err) == 0);
    CHECK_CONTAINS(image.p, "\nCOPY build/gen/shop /src/service\n");
    CHECK_CONTAINS(image.p, "\nUSER 65532:65532\nEXPOSE 8081\n");
    CHECK_CONTAINS(image.p, "\nENTRYPOINT [\"/usr/bin/shop\"]\n");
    CHECK_CONTAINS(readme.p, "- **till**: To sell things.\n");
}

/* What a port protects is no name of a condition or an order. */
CASE(what_is_protected_decides_nothing)
{
    REQUIRE(make());
    const struct mesh_json *parameters = at(made.api, "paths|/cards|get|parameters");
    int found = 0;
    for (uint32_t i = 0; parameters != NULL && i < parameters->n; i++) {
        const struct mesh_json *name = mesh_json_get(parameters->items[i], "name");
        const struct mesh_json *schema = mesh_json_get(parameters->items[i], "schema");
        if (name != NULL && strcmp(name->text, "conditions") == 0) {
            const struct mesh_json *properties = mesh_json_get(schema, "properties");
            CHECK(mesh_json_get(properties, "revision.gte") != NULL);
            CHECK(mesh_json_get(properties, "card_id") == NULL && mesh_json_get(properties, "card_id.gte") == NULL);
            found++;
        }
        if (name != NULL && strcmp(name->text, "sort") == 0) {
            const struct mesh_json *names = mesh_json_get(mesh_json_get(schema, "items"), "enum");
            for (uint32_t k = 0; k < names->n; k++)
                CHECK(strstr(names->items[k]->text, "card_id") == NULL);
            found++;
        }
    }
    CHECK_EQ_I64(found, 2);
}

/* The parameter `fields` names what the port shows, and no more. */
CASE(fields_that_can_be_asked_for)
{
    REQUIRE(make());
    const struct mesh_json *parameters = at(made.api, "paths|/cards|get|parameters");
    const struct mesh_json *names = NULL;
    for (uint32_t i = 0; parameters != NULL && i < parameters->n; i++) {
        const struct mesh_json *name = mesh_json_get(parameters->items[i], "name");
        if (name != NULL && strcmp(name->text, "fields") == 0)
            names = mesh_json_get(mesh_json_get(mesh_json_get(parameters->items[i], "schema"), "items"), "enum");
    }
    REQUIRE(names != NULL);
    CHECK_EQ_U64(names->n, at(made.api, "components|schemas|cards|properties")->n);
    for (uint32_t i = 0; i < names->n; i++)
        CHECK(strcmp(names->items[i]->text, "belief") != 0); /* dropped */
    CHECK(at(made.api, "paths|/cards|get|responses|200|content|text/csv") != NULL);
    CHECK(at(made.api, "paths|/cards/lookup|post|responses|406") != NULL);
}
