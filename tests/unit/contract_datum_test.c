#include "contract/datum.h"

#include "contract/helpers.h"

/* What a call gave: its bytes in hex or its JSON, or "code: text" of the error. */
static const char *encode(const struct mesh_schema *schema, const char *json)
{
    struct mesh_buf out = MESH_BUF_NULL;
    struct mesh_err err = {0};
    const char *text;
    if (mesh_datum_from_json(schema, mesh_str_of(json), &out, &err) == 0)
        text = hex(out.p, out.n);
    else
        text = mesh_arena_printf(&arena, "%s: %s", err.code, err.text);
    CHECK(err.code == NULL || (err.class == MESH_ERR_REJECT && out.n == 0));
    mesh_buf_deinit(&out);
    return text;
}

static const char *decode(const struct mesh_schema *schema, const char *hex_text)
{
    struct mesh_buf out = MESH_BUF_NULL;
    struct mesh_err err = {0};
    size_t n;
    const char *bytes = unhex(hex_text, &n);
    const char *text;
    if (mesh_datum_to_json(schema, bytes, n, &out, &err) == 0)
        text = mesh_arena_printf(&arena, "%s", out.p);
    else
        text = mesh_arena_printf(&arena, "%s: %s", err.code, err.text);
    CHECK(err.code == NULL || (err.class == MESH_ERR_REJECT && out.n == 0));
    mesh_buf_deinit(&out);
    return text;
}

static const char *written(const char *schema, const char *json)
{
    const struct mesh_schema *parsed = parse(schema);
    return parsed == NULL ? "not a schema" : encode(parsed, quotes(json));
}

static const char *read_(const char *schema, const char *hex_text)
{
    const struct mesh_schema *parsed = parse(schema);
    return parsed == NULL ? "not a schema" : decode(parsed, hex_text);
}

/* Bytes written by fastavro 1.13. */
CASE(bytes_of_another_implementation)
{
    const struct mesh_json *cases = fixture("data.json");
    REQUIRE(cases != NULL && cases->n > 30);
    for (uint32_t i = 0; i < cases->n; i++) {
        const struct mesh_json *one = cases->items[i];
        const struct mesh_schema *schema = parse(raw(mesh_json_get(one, "schema")));
        const char *hex_text = mesh_json_get(one, "hex")->text;
        const char *json = raw(mesh_json_get(one, "datum"));
        REQUIRE(schema != NULL);
        CHECK_STR(decode(schema, hex_text), json);
        CHECK_STR(encode(schema, json), hex_text);
    }
}

/* Every cut of every datum is refused: nothing is read past the end, nothing is made up. */
CASE(truncated_data_is_refused)
{
    const struct mesh_json *cases = fixture("data.json");
    REQUIRE(cases != NULL);
    for (uint32_t i = 0; i < cases->n; i++) {
        const struct mesh_json *one = cases->items[i];
        const struct mesh_schema *schema = parse(raw(mesh_json_get(one, "schema")));
        size_t n;
        const char *bytes = unhex(mesh_json_get(one, "hex")->text, &n);
        for (size_t cut = 0; cut < n; cut++) {
            struct mesh_buf out = MESH_BUF_NULL;
            struct mesh_err err = {0};
            char *copy = malloc(cut + 1); /* a block of its own, for the address sanitizer */
            memcpy(copy + 1, bytes, cut);
            CHECK(mesh_datum_to_json(schema, copy + 1, cut, &out, &err) == -1);
            CHECK_STR(err.code, "avro.truncated");
            free(copy);
            mesh_buf_deinit(&out);
        }
    }
}

CASE(hostile_bytes_are_refused_by_name)
{
    static const struct {
        const char *schema, *hex, *wanted;
    } cases[] = {
        {"'int'", "0200", "avro.trailing"},
        {"'int'", "ffffffffffffffffffff01", "avro.varint"},
        {"'long'", "ffffffffffffffffff02", "avro.varint"},
        {"'int'", "8080808010", "avro.varint"}, /* 2^31 */
        {"'boolean'", "02", "avro.boolean"},
        {"'string'", "01", "avro.length"}, /* -1 */
        {"'string'", "8080808080808080", "avro.truncated"},
        {"'string'", "0a61", "avro.truncated"},
        {"'string'", "02ff", "avro.utf8"},
        {"{'type':'map','values':'null'}", "0202ff00", "avro.utf8"},
        {"{'type':'enum','name':'E','symbols':['A','B']}", "04", "avro.enum"},
        {"{'type':'enum','name':'E','symbols':['A','B']}", "01", "avro.enum"},
        {"['null','int']", "04", "avro.union"},
        {"['null','int']", "01", "avro.union"},
        {"[]", "00", "avro.union"},
        {"{'type':'bytes','logicalType':'decimal','precision':2}", "0264", "avro.decimal"}, /* 100 */
        {"{'type':'bytes','logicalType':'decimal','precision':2}", "00", "avro.decimal"},
        {"{'type':'array','items':'null'}", "8080808080808001", "avro.depth"},
        {"{'type':'array','items':'null'}", "ffffffffffffffffff01", "avro.truncated"}, /* -2^63 */
        {"{'type':'array','items':'null'}", "ffffffffffffffffff0100", "avro.length"},
        {"{'type':'array','items':'int'}", "010402", "avro.truncated"},  /* a block of 2 bytes, 1 there */
        {"{'type':'array','items':'int'}", "0104020000", "avro.length"}, /* 1 item of 1 byte in 2 */
        {"{'type':'array','items':'int'}", "010100", "avro.length"},
        {"{'type':'record','name':'L','fields':[{'name':'n','type':['null','L']}]}", "02", "avro.truncated"},
    };
    for (size_t i = 0; i < MESH_LEN(cases); i++) {
        const char *got = read_(cases[i].schema, cases[i].hex);
        CHECK(strncmp(got, cases[i].wanted, strlen(cases[i].wanted)) == 0);
        if (strncmp(got, cases[i].wanted, strlen(cases[i].wanted)) != 0)
            printf("# %s of %s: %s\n", cases[i].hex, cases[i].schema, got);
    }
    CHECK_STR(read_("{'type':'array','items':'int'}", "0304020400"), "[1,2]"); /* -2 items, 2 bytes */
}

CASE(recursion_is_bounded_in_both_directions)
{
    const struct mesh_schema *list =
        parse("{'type':'record','name':'L','fields':[{'name':'n','type':['null','L'],'default':null}]}");
    REQUIRE(list != NULL);
    char deep[2 * 100000 + 1];
    for (size_t i = 0; i < 100000; i++)
        memcpy(deep + 2 * i, "02", 3);
    CHECK(strncmp(decode(list, deep), "avro.depth", 10) == 0);
    memcpy(deep + 2 * (MESH_DATUM_DEPTH_MAX - 1), "00", 3);
    const char *json = decode(list, deep);
    CHECK_STR(encode(list, json), deep);
    memcpy(deep + 2 * (MESH_DATUM_DEPTH_MAX - 1), "0200", 5);
    CHECK(strncmp(decode(list, deep), "avro.depth", 10) == 0);

    const struct mesh_schema *endless =
        parse("{'type':'record','name':'L','fields':[{'name':'n','type':['L','null'],'default':{}}]}");
    REQUIRE(endless != NULL);
    CHECK(strncmp(encode(endless, "{}"), "schema.default", 14) == 0);
}

CASE(the_place_of_a_fault_is_named)
{
    const char *schema = "{'type':'record','name':'R','fields':[{'name':'items','type':{'type':'array',"
                         "'items':{'type':'record','name':'I','fields':[{'name':'price','type':"
                         "{'type':'map','values':'boolean'}}]}}}]}";
    CHECK_STR(read_(schema, "04000202610101010000"), "avro.length: at /items/1/price: a length is "
                                                     "negative or not what is there");
    CHECK_CONTAINS(read_(schema, "02020261020000"), "at /items/0/price/a: ");
    CHECK_CONTAINS(read_(schema, "0202020a020000"), "at /items/0/price/?: "); /* no controls */
    CHECK_CONTAINS(written(schema, "{'items':[{'price':{}},{'price':{'k':1}}]}"), "at /items/1/price/k: ");
}

CASE(json_that_does_not_fit_is_refused)
{
    static const struct {
        const char *schema, *json, *wanted;
    } cases[] = {
        {"'int'", "2147483648", "json.type"},
        {"'int'", "1.0", "json.type"},
        {"'long'", "'1'", "json.type"},
        {"'float'", "1e39", "json.type"},
        {"'double'", "'nan'", "json.type"},
        {"'string'", "null", "json.type"},
        {"'bytes'", "'a'", "json.type"},
        {"'bytes'", "'YQ=a'", "json.type"},
        {"'bytes'", "'YR=='", "json.type"}, /* bits behind the last byte */
        {"{'type':'fixed','name':'F','size':2}", "'YQ=='", "json.type"},
        {"{'type':'enum','name':'E','symbols':['WEB']}", "'WEBB'", "json.type"},
        {"{'type':'bytes','logicalType':'decimal','precision':4,'scale':2}", "'100.00'", "json.type"},
        {"{'type':'bytes','logicalType':'decimal','precision':4,'scale':2}", "'1.001'", "json.type"},
        {"{'type':'fixed','name':'F','size':1,'logicalType':'decimal','precision':2}", "'100'", "json.type"},
        {"{'type':'long','logicalType':'timestamp-millis'}", "'2026-11-21'", ""},
        {"{'type':'long','logicalType':'timestamp-millis'}", "'2026-11-21T02:59:29+01:00'", ""},
        {"{'type':'long','logicalType':'timestamp-millis'}", "'2026-11-21T02:59:29.1234Z'", "json.type"},
        {"{'type':'long','logicalType':'timestamp-micros'}", "'2026-11-21T02:59:29.1234567Z'", "json.type"},
        {"{'type':'long','logicalType':'timestamp-nanos'}", "'2026-11-21T02:59:29.123456789Z'", ""},
        {"{'type':'long','logicalType':'timestamp-nanos'}", "'2300-01-01T00:00:00Z'", "json.type"},
        {"{'type':'long','logicalType':'local-timestamp-millis'}", "'2026-11-21T02:59:29'", ""},
        {"{'type':'long','logicalType':'local-timestamp-millis'}", "'2026-11-21T02:59:29Z'", "json.type"},
        {"{'type':'int','logicalType':'date'}", "'2026-11-21T02:59:29Z'", "json.type"},
        {"{'type':'fixed','name':'F','size':16,'logicalType':'uuid'}", "'x'", "json.type"},
        {"['null','int','string']", "1.5", "json.type"},
        {"{'type':'array','items':'int'}", "{}", "json.type"},
        {"{'type':'map','values':'int'}", "[]", "json.type"},
        {"{'type':'record','name':'R','fields':[]}", "[]", "json.type"},
        {"{'type':'record','name':'R','fields':[{'name':'a','type':'int'}]}", "{}", "json.missing"},
        {"{'type':'record','name':'R','fields':[]}", "{'a':1}", "json.unknown"},
        {"'int'", "{", "json.syntax"},
        {"{'type':'map','values':'int'}", "{'a':1,'a':1}", "json.syntax"},
    };
    for (size_t i = 0; i < MESH_LEN(cases); i++) {
        const char *got = written(cases[i].schema, cases[i].json);
        CHECK(strncmp(got, cases[i].wanted, strlen(cases[i].wanted)) == 0);
        CHECK(*cases[i].wanted != '\0' || strncmp(got, "json", 4) != 0);
        if (strncmp(got, cases[i].wanted, strlen(cases[i].wanted)) != 0)
            printf("# %s of %s: %s\n", cases[i].json, cases[i].schema, got);
    }
    CHECK_CONTAINS(written("{'type':'enum','name':'E','symbols':['WEB']}", "'WEBB'"), "did you mean \"WEB\"?");
    CHECK_CONTAINS(written("{'type':'record','name':'R','fields':[{'name':'price','type':'int'}]}", "{'prise':1}"),
                   "did you mean 'price'?");
}

CASE(missing_fields_take_their_defaults)
{
    const char *schema = "{'type':'record','name':'R','fields':["
                         "{'name':'a','type':['null','string'],'default':null},"
                         "{'name':'b','type':'bytes','default':'\\u00ff\\u0000'},"
                         "{'name':'c','type':{'type':'enum','name':'E','symbols':['X','Y']},'default':'Y'},"
                         "{'name':'d','type':{'type':'array','items':'int'},'default':[1,2]},"
                         "{'name':'e','type':{'type':'record','name':'S','fields':["
                         "{'name':'p','type':'long','default':3},{'name':'q','type':'boolean'}]},"
                         "'default':{'q':true}},"
                         "{'name':'f','type':{'type':'map','values':'float'},'default':{'k':1}},"
                         "{'name':'g','type':['string','int'],'default':5}]}";
    CHECK_STR(written(schema, "{}"), "00"
                                     "04ff00"
                                     "02"
                                     "04020400"
                                     "0601"
                                     "02026b0000803f00"
                                     "020a");
}

CASE(a_union_takes_the_first_branch_that_fits)
{
    const char *schema = "['null','int','long','double',{'type':'bytes','logicalType':'decimal','precision':4,"
                         "'scale':1},{'type':'enum','name':'E','symbols':['A']},'string',"
                         "{'type':'record','name':'R','fields':[{'name':'x','type':'int'}]},"
                         "{'type':'map','values':'int'}]";
    CHECK_STR(written(schema, "null"), "00");
    CHECK_STR(written(schema, "1"), "0202");
    CHECK_STR(written(schema, "2147483648"), "048080808010");
    CHECK_STR(written(schema, "'1.5'"), "08020f");
    CHECK_STR(written(schema, "'A'"), "0a00");
    CHECK_STR(written(schema, "'B'"), "0c0242");
    CHECK_STR(written(schema, "{'x':1}"), "0e02");
    CHECK_STR(written(schema, "{'y':1}"), "100202790200");
    CHECK(strncmp(written(schema, "true"), "json.type", 9) == 0);
}

/* Branches inside branches: 3^20 ways to fail, without the bound on steps. */
CASE(trying_branches_is_bounded)
{
    struct mesh_buf json = MESH_BUF_NULL;
    const struct mesh_schema *schema = parse("{'type':'record','name':'A','fields':[{'name':'n','type':['int','A',"
                                             "{'type':'record','name':'B','fields':[{'name':'n','type':['int','A','B']}]},"
                                             "{'type':'record','name':'C','fields':[{'name':'n','type':['int','A','B','C']}]}]}]}");
    REQUIRE(schema != NULL);
    for (int i = 0; i < 40; i++)
        mesh_buf_puts(&json, "{\"n\":");
    mesh_buf_puts(&json, "true");
    for (int i = 0; i < 40; i++)
        mesh_buf_putc(&json, '}');
    CHECK(strncmp(encode(schema, json.p), "json.limit", 10) == 0);
    mesh_buf_deinit(&json);
}
