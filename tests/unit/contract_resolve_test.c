#include "contract/resolve.h"

#include "contract/datum.h"
#include "contract/helpers.h"

/* The datum, given as JSON of the writer's schema, as JSON of the reader's; or "code: text". */
static const char *read_as(const char *writer, const char *json, const char *reader)
{
    struct mesh_buf in = MESH_BUF_NULL, out = MESH_BUF_NULL, shown = MESH_BUF_NULL;
    struct mesh_err err = {0};
    struct mesh_resolve *resolve = NULL;
    const struct mesh_schema *w = parse(writer), *r = parse(reader);
    if (w == NULL || r == NULL)
        return "not a schema";
    int result = mesh_datum_from_json(w, mesh_str_of(quotes(json)), &in, &err);
    if (result == 0)
        result = mesh_resolve_new(w, r, &resolve, &err);
    if (result == 0)
        result = mesh_resolve_run(resolve, in.p, in.n, &out, &err);
    if (result == 0)
        result = mesh_datum_to_json(r, out.p, out.n, &shown, &err);
    CHECK(result == 0 || (err.class == MESH_ERR_REJECT && out.n == 0));
    const char *text =
        result == 0 ? mesh_arena_printf(&arena, "%s", shown.p) : mesh_arena_printf(&arena, "%s: %s", err.code, err.text);
    mesh_resolve_free(resolve);
    mesh_buf_deinit(&in);
    mesh_buf_deinit(&out);
    mesh_buf_deinit(&shown);
    return text;
}

#define CHECK_READ(writer, json, reader, wanted)  CHECK_STR(read_as((writer), (json), (reader)), quotes(wanted))
#define CHECK_REFUSED(writer, json, reader, code) CHECK(strncmp(read_as((writer), (json), (reader)), (code), strlen(code)) == 0)

#define R(fields)  "{'type':'record','name':'R','fields':[" fields "]}"
#define E(symbols) "{'type':'enum','name':'E','symbols':[" symbols "]}"

CASE(numbers_widen)
{
    CHECK_READ("'int'", "-7", "'long'", "-7");
    CHECK_READ("'int'", "7", "'float'", "7");
    CHECK_READ("'int'", "-2147483648", "'double'", "-2147483648");
    CHECK_READ("'long'", "9007199254740993", "'double'", "9007199254740992");
    CHECK_READ("'long'", "16777217", "'float'", "16777216");
    CHECK_READ("'float'", "0.5", "'double'", "0.5");
    CHECK_READ("'float'", "'NaN'", "'double'", "'NaN'");
    CHECK_REFUSED("'long'", "1", "'int'", "resolve.incompatible");
    CHECK_REFUSED("'boolean'", "true", "'int'", "resolve.incompatible");
}

CASE(text_and_bytes_become_each_other)
{
    CHECK_READ("'string'", "'hé'", "'bytes'", "'aMOp'");
    CHECK_READ("'bytes'", "'aMOp'", "'string'", "'hé'");
    CHECK_REFUSED("'bytes'", "'/w=='", "'string'", "avro.utf8");
}

CASE(fields_are_found_by_name_whatever_their_order)
{
    CHECK_READ(R("{'name':'a','type':'int'},{'name':'b','type':'string'},{'name':'c','type':'long'}"), "{'a':1,'b':'x','c':3}",
               R("{'name':'c','type':'long'},{'name':'a','type':'double'}"), "{'c':3,'a':1}");
    CHECK_READ(R("{'name':'a','type':'int'},{'name':'b','type':{'type':'record','name':'S','fields':["
                 "{'name':'x','type':'int'},{'name':'y','type':'string'}]}}"),
               "{'a':1,'b':{'x':2,'y':'z'}}",
               R("{'name':'b','type':{'type':'record','name':'S','fields':["
                 "{'name':'y','type':'string'},{'name':'n','type':'string','default':'new'},{'name':'x','type':'int'}]}},"
                 "{'name':'m','type':'int','default':9},{'name':'a','type':'int'}"),
               "{'b':{'y':'z','n':'new','x':2},'m':9,'a':1}");
}

CASE(what_only_the_writer_has_is_skipped)
{
    CHECK_READ(R("{'name':'a','type':{'type':'array','items':{'type':'map','values':['null','string']}}},"
                 "{'name':'f','type':{'type':'fixed','name':'F','size':3}},{'name':'e','type':" E(
                     "'A','B'") "},"
                                "{'name':'r','type':['null','R']},{'name':'z','type':'boolean'}"),
               "{'a':[{'k':'v'},{}],'f':'AAAA','e':'B','r':{'a':[],'f':'AAAA','e':'A','r':null,'z':false},'z':true}",
               R("{'name':'z','type':'boolean'}"), "{'z':true}");
}

CASE(what_only_the_reader_has_takes_its_default)
{
    CHECK_READ(
        R("{'name':'k','type':'int'}"), "{'k':1}",
        R("{'name':'a','type':['null','string'],'default':null},{'name':'k','type':'int'},"
          "{'name':'b','type':'bytes','default':'\\u00ff'},{'name':'c','type':{'type':'array','items':'int'},'default':[1,2]},"
          "{'name':'d','type':" E("'A','B'") ",'default':'B'},"
                                             "{'name':'e','type':{'type':'record','name':'S','fields':[{'name':'x','type':'double',"
                                             "'default':1.5}]},'default':{}}"),
        "{'a':null,'k':1,'b':'/w==','c':[1,2],'d':'B','e':{'x':1.5}}");
    CHECK_REFUSED(R(""), "{}", R("{'name':'a','type':'int'}"), "resolve.incompatible");
    CHECK_REFUSED(R(""), "{}", R("{'name':'a','type':['R','null'],'default':{}}"), "schema.default");
}

CASE(aliases_find_what_was_renamed)
{
    CHECK_READ(R("{'name':'old','type':'int'},{'name':'b','type':'int'}"), "{'old':1,'b':2}",
               R("{'name':'b','type':'int'},{'name':'new','aliases':['older','old'],'type':'int'}"), "{'b':2,'new':1}");
    CHECK_READ("{'type':'record','name':'a.Old','fields':[{'name':'x','type':'int'}]}", "{'x':1}",
               "{'type':'record','name':'b.New','aliases':['a.Old'],'fields':[{'name':'x','type':'int'}]}", "{'x':1}");
    CHECK_READ("{'type':'record','name':'a.R','fields':[]}", "{}", "{'type':'record','name':'b.R','fields':[]}", "{}");
    CHECK_REFUSED("{'type':'record','name':'a.Old','fields':[]}", "{}", "{'type':'record','name':'b.New','fields':[]}",
                  "resolve.incompatible");
    CHECK_REFUSED(R("{'name':'a','type':'int'},{'name':'b','type':'int'}"), "{'a':1,'b':2}",
                  R("{'name':'b','aliases':['a'],'type':'int'}"), "resolve.incompatible");
}

CASE(enums_go_by_symbol)
{
    CHECK_READ(E("'A','B','C'"), "'C'", E("'C','A'"), "'C'");
    CHECK_READ(E("'A','B','C'"), "'A'", E("'C','A'"), "'A'");
    CHECK_REFUSED(E("'A','B','C'"), "'B'", E("'C','A'"), "resolve.symbol");
    CHECK_READ(E("'A','B','C'"), "'B'", "{'type':'enum','name':'E','symbols':['C','A'],'default':'A'}", "'A'");
}

CASE(unions_go_by_type)
{
    CHECK_READ("'int'", "1", "['null','int']", "1");
    CHECK_READ("'int'", "1", "['null','double']", "1");
    CHECK_READ("['null','string']", "'x'", "['string','null']", "'x'");
    CHECK_READ("['null','string']", "null", "['string','null']", "null");
    CHECK_READ("['null','string']", "'x'", "'string'", "'x'");
    CHECK_REFUSED("['null','string']", "null", "'string'", "resolve.mismatch");
    CHECK_READ("['int','string']", "1", "['string','int','long']", "1");
    CHECK_REFUSED("['int','string']", "'x'", "['int','long']", "resolve.mismatch");
    CHECK_REFUSED("['null','string']", "null", "['int','boolean']", "resolve.incompatible");
    /* of several, the one of the same type: a string does not become bytes because they come first */
    CHECK_READ("'string'", "'x'", "['bytes','string']", "'x'");
    /* of records, the one of the same name; of those with the same last name, the one that fits */
    CHECK_READ("{'type':'record','name':'a.R','fields':[{'name':'x','type':'int'}]}", "{'x':1}",
               "['null',{'type':'record','name':'b.R','fields':[{'name':'y','type':'int'}]},"
               "{'type':'record','name':'c.R','fields':[{'name':'x','type':'int'}]}]",
               "{'x':1}");
}

CASE(recursion_is_followed_and_bounded)
{
    const char *writer = "{'type':'record','name':'L','fields':[{'name':'v','type':'int'},{'name':'next','type':['null','L']}]}";
    const char *reader = "{'type':'record','name':'L','fields':[{'name':'next','type':['null','L']},{'name':'v','type':'long'},"
                         "{'name':'w','type':'string','default':'w'}]}";
    CHECK_READ(writer, "{'v':1,'next':{'v':2,'next':{'v':3,'next':null}}}", reader,
               "{'next':{'next':{'next':null,'v':3,'w':'w'},'v':2,'w':'w'},'v':1,'w':'w'}");
    struct mesh_resolve *resolve = NULL;
    struct mesh_err err = {0};
    struct mesh_buf out = MESH_BUF_NULL;
    char deep[200000];
    REQUIRE(mesh_resolve_new(parse(writer), parse(reader), &resolve, &err) == 0);
    memset(deep, 2, sizeof deep);
    CHECK(mesh_resolve_run(resolve, deep, sizeof deep, &out, &err) == -1);
    CHECK_STR(err.code, "avro.depth");
    mesh_resolve_free(resolve);
    mesh_buf_deinit(&out);
}

CASE(logical_types_must_be_the_same)
{
#define DECIMAL(p, s) "{'type':'bytes','logicalType':'decimal','precision':" p ",'scale':" s "}"
    CHECK_READ(DECIMAL("9", "2"), "'1.50'", DECIMAL("9", "2"), "'1.50'");
    CHECK_REFUSED(DECIMAL("9", "2"), "'1.50'", DECIMAL("9", "3"), "resolve.incompatible");
    CHECK_READ("['null'," DECIMAL("9", "2") "]", "null", "['null'," DECIMAL("9", "3") "]", "null");
    CHECK_REFUSED("['null'," DECIMAL("9", "2") "]", "'1.50'", "['null'," DECIMAL("9", "3") "]", "resolve.mismatch");
}

CASE(the_reason_is_told)
{
    CHECK_STR(
        read_as(R("{'name':'a','type':'string'}"), "{'a':'x'}", R("{'name':'a','type':'int'}")),
        "resolve.incompatible: no data of the writer's schema can be read: at /fields/0/type: field 'a' is written as string and "
        "cannot be read as int");
    CHECK_STR(read_as("{'type':'array','items':['int','string']}", "[1,'x']", "{'type':'array','items':'int'}"),
              "resolve.mismatch: at /1: a value written as string cannot be read as int");
    CHECK_STR(read_as(R("{'name':'e','type':" E("'A','B'") "}"), "{'e':'B'}", R("{'name':'e','type':" E("'A'") "}")),
              "resolve.symbol: at /e: the reader has no symbol B");
}

/* A plan, run over bytes in hex; the result in hex or the code of the error. */
static const char *run(const char *writer, const char *reader, const char *hex_text)
{
    struct mesh_resolve *resolve = NULL;
    struct mesh_err err = {0};
    struct mesh_buf out = MESH_BUF_NULL;
    size_t n;
    const char *bytes = unhex(hex_text, &n);
    if (mesh_resolve_new(parse(writer), parse(reader), &resolve, &err) < 0)
        return err.code;
    const char *text = mesh_resolve_run(resolve, bytes, n, &out, &err) == 0 ? hex(out.p, out.n) : err.code;
    mesh_resolve_free(resolve);
    mesh_buf_deinit(&out);
    return text;
}

CASE(hostile_bytes_are_refused)
{
    CHECK_STR(run("'int'", "'long'", "8080808010"), "avro.varint"); /* no int */
    CHECK_STR(run("'int'", "'long'", "0202"), "avro.trailing");
    CHECK_STR(run("'int'", "'long'", ""), "avro.truncated");
    CHECK_STR(run("'string'", "'bytes'", "02ff"), "avro.utf8");
    CHECK_STR(run("'boolean'", "'boolean'", "02"), "avro.boolean");
    CHECK_STR(run("['null','int']", "['null','int']", "04"), "avro.union");
    CHECK_STR(run("{'type':'enum','name':'E','symbols':['A']}", "{'type':'enum','name':'E','symbols':['A']}", "02"), "avro.enum");
    CHECK_STR(run("{'type':'array','items':'null'}", "{'type':'array','items':'null'}", "8080808080808001"), "avro.depth");
    CHECK_STR(run("{'type':'array','items':'int'}", "{'type':'array','items':'long'}", "010602040600"), "avro.length");
    CHECK_STR(run("{'type':'array','items':'int'}", "{'type':'array','items':'long'}",
                  "03040204"
                  "02"
                  "06"
                  "00"),
              "040204020600");
    /* what is skipped is checked all the same */
    CHECK_STR(run(R("{'name':'a','type':'string'}"), R(""), "02ff"), "avro.utf8");
    CHECK_STR(run(R("{'name':'a','type':'boolean'}"), R(""), "07"), "avro.boolean");
}

/* Bytes of nothing become a long default each: the result is bounded. */
CASE(defaults_cannot_blow_up_a_datum)
{
    struct mesh_buf reader = MESH_BUF_NULL;
    mesh_buf_puts(&reader, "{'type':'array','items':{'type':'record','name':'R','fields':[{'name':'a','type':'string','default':'");
    for (int i = 0; i < 100000; i++)
        mesh_buf_putc(&reader, 'x');
    mesh_buf_puts(&reader, "'}]}}");
    CHECK_STR(run("{'type':'array','items':{'type':'record','name':'R','fields':[]}}", reader.p, "80897a00"), "resolve.limit");
    mesh_buf_deinit(&reader);
}

/* Schemas and bytes of tests/unit/contract/data.json: read as itself, a datum stays as it is. */
CASE(the_same_schema_changes_nothing)
{
    const struct mesh_json *cases = fixture("data.json");
    REQUIRE(cases != NULL);
    for (uint32_t i = 0; i < cases->n; i++) {
        const char *schema = raw(mesh_json_get(cases->items[i], "schema")), *bytes = mesh_json_get(cases->items[i], "hex")->text;
        CHECK_STR(run(schema, schema, bytes), bytes);
    }
}
