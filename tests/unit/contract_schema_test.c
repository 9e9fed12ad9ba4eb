#include "contract/helpers.h"

static const char *canonical(const struct mesh_schema *schema)
{
    struct mesh_buf out = MESH_BUF_NULL;
    mesh_schema_canonical(schema, &out);
    const char *text = mesh_arena_printf(&arena, "%s", out.p);
    mesh_buf_deinit(&out);
    return text;
}

static const char *normal(const struct mesh_schema *schema)
{
    struct mesh_buf out = MESH_BUF_NULL;
    mesh_schema_normal(schema, &out);
    const char *text = mesh_arena_printf(&arena, "%s", out.p);
    mesh_buf_deinit(&out);
    return text;
}

static const char *describe(const char *text)
{
    struct mesh_buf out = MESH_BUF_NULL;
    const struct mesh_schema *schema = parse(text);
    if (schema == NULL)
        return "not a schema";
    mesh_schema_describe(schema, &out);
    const char *copy = mesh_arena_printf(&arena, "%s", out.p);
    mesh_buf_deinit(&out);
    return copy;
}

/* A field of one record around a type. */
static struct mesh_schema *field(const char *field_text)
{
    return parse(mesh_arena_printf(&arena, "{'type':'record','name':'R','fields':[%s]}", field_text));
}

/* Inputs, canonical forms and CRC-64-AVRO values as the Avro project publishes them (its
 * share/test/data/schema-tests.txt); fastavro 1.13 and Java agree. */
CASE(canonical_form_and_fingerprint_are_those_of_avro)
{
    static const struct {
        const char *input, *canonical;
        int64_t fingerprint;
    } vectors[] = {
        {"'null'", "'null'", 7195948357588979594},
        {"{'type':'null'}", "'null'", 7195948357588979594},
        {"'boolean'", "'boolean'", -6970731678124411036},
        {"'int'", "'int'", 8247732601305521295},
        {"'long'", "'long'", -3434872931120570953},
        {"'float'", "'float'", 5583340709985441680},
        {"'double'", "'double'", -8181574048448539266},
        {"'bytes'", "'bytes'", 5746618253357095269},
        {"'string'", "'string'", -8142146995180207161},
        {"[  ]", "[]", -1241056759729112623},
        {"[ 'int'  ]", "['int']", -5232228896498058493},
        {"[ 'int' , {'type':'boolean'} ]", "['int','boolean']", 5392556393470105090},
        {"{'fields':[], 'type':'record', 'name':'foo'}", "{'name':'foo','type':'record','fields':[]}", -4824392279771201922},
        {"{'fields':[], 'type':'record', 'name':'foo', 'namespace':'x.y'}", "{'name':'x.y.foo','type':'record','fields':[]}",
         5916914534497305771},
        {"{'fields':[], 'type':'record', 'name':'a.b.foo', 'namespace':'x.y'}", "{'name':'a.b.foo','type':'record','fields':[]}",
         -4616218487480524110},
        {"{'fields':[], 'type':'record', 'name':'foo', 'doc':'foo', 'aliases':['foo','bar']}",
         "{'name':'foo','type':'record','fields':[]}", -4824392279771201922},
        {"{'fields':[{'type':{'type':'boolean'}, 'name':'f1'}], 'type':'record', 'name':'foo'}",
         "{'name':'foo','type':'record','fields':[{'name':'f1','type':'boolean'}]}", 7843277075252814651},
        {"{'fields':[{'type':'boolean','aliases':[],'name':'f1','default':true},"
         "{'order':'descending','name':'f2','doc':'Hello','type':'int'}],'type':'record','name':'foo'}",
         "{'name':'foo','type':'record','fields':[{'name':'f1','type':'boolean'},"
         "{'name':'f2','type':'int'}]}",
         -4860222112080293046},
        {"{'type':'enum', 'name':'foo', 'symbols':['A1']}", "{'name':'foo','type':'enum','symbols':['A1']}", -6342190197741309591},
        {"{'namespace':'x.y.z','type':'enum','name':'foo','doc':'foo bar','symbols':['A1', 'A2']}",
         "{'name':'x.y.z.foo','type':'enum','symbols':['A1','A2']}", -4448647247586288245},
        {"{'name':'foo','type':'fixed','size':15}", "{'name':'foo','type':'fixed','size':15}", 1756455273707447556},
        {"{'namespace':'x.y.z','type':'fixed','name':'foo','doc':'foo bar','size':32}",
         "{'name':'x.y.z.foo','type':'fixed','size':32}", -3064184465700546786},
        {"{ 'items':{'type':'null'}, 'type':'array'}", "{'type':'array','items':'null'}", -589620603366471059},
        {"{ 'values':'string', 'type':'map'}", "{'type':'map','values':'string'}", -8732877298790414990},
        {"{'name':'PigValue','type':'record','fields':[{'name':'value','type':['null','int','long',"
         "'PigValue']}]}",
         "{'name':'PigValue','type':'record','fields':[{'name':'value','type':['null','int','long',"
         "'PigValue']}]}",
         -1759257747318642341},
    };
    for (size_t i = 0; i < MESH_LEN(vectors); i++) {
        const struct mesh_schema *schema = parse(vectors[i].input);
        REQUIRE(schema != NULL);
        CHECK_STR(canonical(schema), quotes(vectors[i].canonical));
        CHECK_EQ_I64((int64_t)mesh_schema_fingerprint(schema), vectors[i].fingerprint);
    }
}

CASE(names_live_in_namespaces)
{
    const struct mesh_schema *schema = parse("{'type':'record','name':'shop.Order','namespace':'ignored','fields':["
                                             "{'name':'a','type':{'type':'enum','name':'Channel','symbols':['WEB']}},"
                                             "{'name':'b','type':{'type':'record','name':'Line','namespace':'shop.parts',"
                                             "'aliases':['OldLine','x.Older'],'fields':["
                                             "{'name':'c','type':'shop.Channel'},{'name':'d','type':['null','Line']}]}},"
                                             "{'name':'e','type':{'type':'fixed','name':'Top','namespace':'','size':2}},"
                                             "{'name':'f','type':{'type':'Channel'}},"
                                             "{'name':'g','type':{'type':'array','items':'Order'}}]}");
    REQUIRE(schema != NULL);
    CHECK_STR(schema->name, "shop.Order");
    CHECK_STR(schema->short_name, "Order");
    const struct mesh_schema *channel = schema->fields[0].type, *line = schema->fields[1].type;
    CHECK_STR(channel->name, "shop.Channel");
    CHECK_STR(line->name, "shop.parts.Line");
    CHECK_EQ_I64((int64_t)line->n_aliases, 2);
    CHECK_STR(line->aliases[0], "shop.parts.OldLine");
    CHECK_STR(line->aliases[1], "x.Older");
    CHECK(line->fields[0].type == channel);
    CHECK(line->fields[1].type->branches[1] == line); /* recursion is the same node */
    CHECK_STR(schema->fields[2].type->name, "Top");
    CHECK(schema->fields[3].type == channel);
    CHECK(schema->fields[4].type->items == schema);
    CHECK_STR(describe("['null','string']"), "null or string");
}

CASE(a_type_without_namespace_cannot_be_named_inside_one)
{
    CHECK(parse("{'type':'record','name':'a.R','fields':["
                "{'name':'x','type':{'type':'fixed','name':'F','namespace':'','size':1}},"
                "{'name':'y','type':'F'}]}") == NULL);
    CHECK_STR(found(0), "MC003 \"F\"");
    CHECK_STR(diags.list.v[0]->fix, "give 'F' a namespace");
}

CASE(ids_number_the_nodes)
{
    const struct mesh_schema *schema = field("{'name':'a','type':['null',{'type':'array','items':'int'}]}");
    REQUIRE(schema != NULL);
    CHECK_EQ_I64(schema->id, 0);
    CHECK_EQ_I64(schema->fields[0].type->id, 1);
    CHECK_EQ_I64(schema->fields[0].type->branches[0]->id, 2);
    CHECK_EQ_I64(schema->fields[0].type->branches[1]->items->id, 4);
}

CASE(unknown_types_are_explained)
{
    CHECK(field("{'name':'a','type':'strng'},{'name':'b','type':'Chanel'},"
                "{'name':'c','type':{'type':'enum','name':'Channel','symbols':['A']}},"
                "{'name':'d','type':'array'},{'name':'e','type':'9x'}") == NULL);
    CHECK_EQ_I64((int64_t)diags.n_errors, 4);
    CHECK_STR(found(0), "MC003 \"9x\"");
    CHECK_STR(found(1), "MC003 \"strng\"");
    CHECK_STR(diags.list.v[1]->hint, "did you mean 'string'?");
    CHECK_STR(diags.list.v[2]->hint, "did you mean 'Channel'?");
    CHECK_CONTAINS(diags.list.v[3]->fix, "\"items\"");
}

CASE(a_type_used_before_its_definition_is_told_from_a_misspelt_one)
{
    CHECK(field("{'name':'a','type':'Later'},"
                "{'name':'b','type':{'type':'fixed','name':'Later','size':1}}") == NULL);
    REQUIRE(diags.list.n == 1);
    CHECK_STR(found(0), "MC003 \"Later\"");
    CHECK_CONTAINS(diags.list.v[0]->why, "top to bottom");
    CHECK_EQ_I64((int64_t)diags.list.v[0]->n_notes, 1);
}

CASE(errors_point_at_the_token)
{
    static const struct {
        const char *schema, *found;
    } cases[] = {
        {"{'type':'record','name':'R','fields':[],}", "MC001 "},
        {"12", "MC002 12"},
        {"null", "MC002 null"},
        {"{'name':'R'}", "MC002 {"},
        {"{'type':{'type':'int'}}", "MC002 {'type':'int'}"},
        {"{'type':'record','name':'R'}", "MC002 {"},
        {"{'type':'record','name':'R','feilds':[]}", "MC002 'feilds'"},
        {"{'type':'record','name':'R','fields':{}}", "MC002 {}"},
        {"{'type':'record','name':'R','fields':[1]}", "MC002 1"},
        {"{'type':'record','name':'R','fields':[{'name':'a'}]}", "MC002 {"},
        {"{'type':'record','name':'R','doc':1,'fields':[]}", "MC002 1"},
        {"{'type':'record','name':'R','fields':[{'name':'a','type':'int','order':'up'}]}", "MC002 'up'"},
        {"{'type':'record','name':'R','aliases':'x','fields':[]}", "MC002 'x'"},
        {"{'type':'record','name':'R','aliases':['a b'],'fields':[]}", "MC004 'a b'"},
        {"{'type':'record','name':'R','fields':[{'name':'a','type':'int','aliases':['a.b']}]}", "MC004 'a.b'"},
        {"{'type':'record','name':'R','fields':[{'name':'b','type':'int','aliases':['a']},{'name':'a','type':'int'}]}",
         "MC004 'a'"},
        {"{'type':'record','name':'R','fields':[{'name':'a','type':'int'},{'name':'b','type':'int','aliases':['x','a']}]}",
         "MC004 'a'"},
        {"{'type':'record','name':'R','fields':[{'name':'a','type':'int','aliases':['x']},{'name':'b','type':'int','aliases':['x']}]}",
         "MC004 'x'"},
        {"{'type':'record','name':'1R','fields':[]}", "MC004 '1R'"},
        {"{'type':'record','name':'R-','fields':[]}", "MC004 'R-'"},
        {"{'type':'record','name':'a..R','fields':[]}", "MC004 'a..R'"},
        {"{'type':'record','name':'string','fields':[]}", "MC004 'string'"},
        {"{'type':'record','name':'R','namespace':'a b','fields':[]}", "MC004 'a b'"},
        {"{'type':'record','name':'R','fields':[{'name':'é','type':'int'}]}", "MC004 'é'"},
        {"{'type':'record','name':'R','fields':[{'name':'a','type':'int'},{'name':'a','type':'int'}]}", "MC004 'a'"},
        {"{'type':'record','name':'R\\u0000x','fields':[]}", "MC002 'R\\u0000x'"},
        {"['int','int']", "MC002 'int'"},
        {"['int',{'type':'int','logicalType':'date'}]", "MC002 {'type':'int','logicalType':'date'}"},
        {"['null',['int']]", "MC002 ['int']"},
        {"[{'type':'fixed','name':'F','size':1},'F']", "MC002 'F'"},
        {"{'type':'enum','name':'E','symbols':[]}", "MC002 []"},
        {"{'type':'enum','name':'E','symbols':['A','A']}", "MC004 'A'"},
        {"{'type':'enum','name':'E','symbols':['A-B']}", "MC004 'A-B'"},
        {"{'type':'enum','name':'E','symbols':['A'],'default':'B'}", "MC005 'B'"},
        {"{'type':'enum','name':'E','symbols':['A'],'default':1}", "MC005 1"},
        {"{'type':'fixed','name':'F','size':-1}", "MC002 -1"},
        {"{'type':'fixed','name':'F','size':1.5}", "MC002 1.5"},
        {"{'type':'fixed','name':'F','size':'16'}", "MC002 '16'"},
        {"{'type':'fixed','name':'F','size':99999999}", "MC007 99999999"},
        {"{'type':'array'}", "MC002 {"},
        {"{'type':'map','value':'int'}", "MC002 'value'"},
        {"{'type':'bytes','logicalType':'decimal','precision':39}", "MC007 39"},
        {"{'type':'record','name':'R','label':'secret','fields':[]}", "MC008 'secret'"},
        {"{'type':'record','name':'R','fields':[{'name':'a','type':'int','label':true}]}", "MC008 true"},
    };
    for (size_t i = 0; i < MESH_LEN(cases); i++) {
        CHECK(parse(cases[i].schema) == NULL);
        CHECK_EQ_I64((int64_t)diags.n_errors, 1);
        if (i == 0)
            CHECK(strncmp(found(0), "MC001", 5) == 0);
        else
            CHECK_STR(found(0), quotes(cases[i].found));
    }
}

CASE(null_is_an_absent_attribute)
{
    CHECK(parse("{'type':'record','name':'R','namespace':null,'doc':null,'fields':[{'name':'a','doc':null,'type':"
                "{'type':'enum','name':'E','symbols':['A'],'default':null}}]}") != NULL);
    CHECK_EQ_I64((int64_t)diags.list.n, 0);
}

CASE(defining_a_name_twice_shows_both_places)
{
    CHECK(field("{'name':'a','type':{'type':'fixed','name':'F','size':1}},"
                "{'name':'b','type':{'type':'fixed','name':'F','size':1}}") == NULL);
    REQUIRE(diags.list.n == 1);
    CHECK_STR(found(0), "MC004 \"F\"");
    REQUIRE(diags.list.v[0]->n_notes == 1);
    CHECK(diags.list.v[0]->notes[0].at.begin < diags.list.v[0]->at.begin);
}

CASE(all_errors_come_in_one_run)
{
    CHECK(field("{'name':'a','type':'strng'},{'name':'b','type':'int','default':'x'},"
                "{'name':'c','type':['int','int']},{'name':'d-','type':'long'}") == NULL);
    CHECK_EQ_I64((int64_t)diags.n_errors, 4);
}

CASE(defaults_must_fit_their_type)
{
    static const struct {
        const char *type, *default_;
        bool fits;
    } cases[] = {
        {"'null'", "null", true},
        {"'null'", "0", false},
        {"'boolean'", "true", true},
        {"'boolean'", "'true'", false},
        {"'int'", "-2147483648", true},
        {"'int'", "2147483648", false},
        {"'int'", "1.0", false},
        {"'int'", "null", false},
        {"'long'", "9223372036854775807", true},
        {"'long'", "9223372036854775808", false},
        {"'float'", "1", true},
        {"'float'", "1e300", false},
        {"'double'", "1e300", true},
        {"'double'", "1e400", false},
        {"'double'", "'1'", false},
        {"'bytes'", "'\\u00ff\\u0000a'", true},
        {"'bytes'", "'\\u0100'", false},
        {"'bytes'", "'\u20ac'", false},
        {"'string'", "'\u20ac'", true},
        {"'string'", "1", false},
        {"{'type':'fixed','name':'F','size':2}", "'\\u00ffa'", true},
        {"{'type':'fixed','name':'F','size':2}", "'a'", false},
        {"{'type':'enum','name':'E','symbols':['A','B']}", "'B'", true},
        {"{'type':'enum','name':'E','symbols':['A','B']}", "'C'", false},
        {"{'type':'array','items':'int'}", "[1,2]", true},
        {"{'type':'array','items':'int'}", "[1,'2']", false},
        {"{'type':'array','items':'int'}", "{}", false},
        {"{'type':'map','values':'int'}", "{'a':1}", true},
        {"{'type':'map','values':'int'}", "{'a':null}", false},
        {"{'type':'record','name':'S','fields':[{'name':'x','type':'int'}]}", "{'x':1}", true},
        {"{'type':'record','name':'S','fields':[{'name':'x','type':'int'}]}", "{}", false},
        {"{'type':'record','name':'S','fields':[{'name':'x','type':'int','default':1}]}", "{}", true},
        {"{'type':'record','name':'S','fields':[{'name':'x','type':'int'}]}", "{'x':'a'}", false},
        {"['null','R']", "null", true},
        {"['null','string']", "1", false},
        {"{'type':'long','logicalType':'timestamp-millis'}", "0", true},
        {"{'type':'long','logicalType':'timestamp-millis'}", "'2026-11-21T00:00:00Z'", false},
    };
    for (size_t i = 0; i < MESH_LEN(cases); i++) {
        bool ok = field(mesh_arena_printf(&arena, "{'name':'f','type':%s,'default':%s}", cases[i].type, cases[i].default_)) != NULL;
        CHECK(ok == cases[i].fits);
        CHECK(ok || (diags.n_errors == 1 && strncmp(found(0), "MC005", 5) == 0));
        if (ok != cases[i].fits)
            printf("# %s default %s\n", cases[i].type, cases[i].default_);
    }
}

CASE(a_default_is_refused_at_its_innermost_wrong_value)
{
    CHECK(field("{'name':'f','type':{'type':'array','items':{'type':'map','values':'int'}},"
                "'default':[{'a':1},{'b':'x'}]}") == NULL);
    CHECK_STR(found(0), "MC005 \"x\"");
}

CASE(a_default_of_a_later_branch_is_warned_of)
{
    CHECK(field("{'name':'f','type':['null','string'],'default':'x'}") != NULL);
    REQUIRE(diags.list.n == 1);
    CHECK_STR(found(0), "MC005 \"x\"");
    CHECK_EQ_I64(diags.list.v[0]->severity, MESH_WARNING);
    CHECK(field("{'name':'f','type':['null','string'],'default':'null'}") != NULL);
    CHECK_STR(diags.list.v[0]->fix, "write null without quotes");
    CHECK(field("{'name':'f','type':['string','null'],'default':'x'}") != NULL);
    CHECK_EQ_I64((int64_t)diags.list.n, 0);
}

CASE(logical_types_are_kept_when_they_fit)
{
    static const struct {
        const char *schema, *described;
    } cases[] = {
        {"{'type':'bytes','logicalType':'decimal','precision':9,'scale':2}", "decimal(9,2)"},
        {"{'type':'bytes','logicalType':'decimal','precision':9}", "decimal(9,0)"},
        {"{'type':'fixed','name':'F','size':4,'logicalType':'decimal','precision':9}", "decimal(9,0)"},
        {"{'type':'fixed','name':'F','size':16,'logicalType':'decimal','precision':38}", "decimal(38,0)"},
        {"{'type':'string','logicalType':'uuid'}", "uuid"},
        {"{'type':'fixed','name':'F','size':16,'logicalType':'uuid'}", "uuid"},
        {"{'type':'int','logicalType':'date'}", "date"},
        {"{'type':'int','logicalType':'time-millis'}", "time-millis"},
        {"{'type':'long','logicalType':'time-micros'}", "time-micros"},
        {"{'type':'long','logicalType':'timestamp-nanos'}", "timestamp-nanos"},
        {"{'type':'long','logicalType':'local-timestamp-micros'}", "local-timestamp-micros"},
        {"{'type':'fixed','name':'F','size':12,'logicalType':'duration'}", "duration"},
        {"{'type':'array','items':['null','string']}", "array<null or string>"},
        {"{'type':'enum','name':'a.E','symbols':['A']}", "enum a.E"},
        {"{'type':'fixed','name':'F','size':12}", "fixed F(12)"},
    };
    for (size_t i = 0; i < MESH_LEN(cases); i++) {
        CHECK_STR(describe(cases[i].schema), cases[i].described);
        CHECK_EQ_I64((int64_t)diags.list.n, 0);
    }
}

CASE(logical_types_that_do_not_fit_are_ignored_with_a_warning)
{
    static const struct {
        const char *schema, *found, *described;
    } cases[] = {
        {"{'type':'int','logicalType':'timestamp-millis'}", "'timestamp-millis'", "int"},
        {"{'type':'bytes','logicalType':'decimal'}", "'decimal'", "bytes"},
        {"{'type':'bytes','logicalType':'decimal','precision':0}", "0", "bytes"},
        {"{'type':'bytes','logicalType':'decimal','precision':4,'scale':5}", "5", "bytes"},
        {"{'type':'bytes','logicalType':'decimal','precision':4,'scale':-1}", "-1", "bytes"},
        {"{'type':'fixed','name':'F','size':4,'logicalType':'decimal','precision':10}", "10", "fixed F(4)"},
        {"{'type':'fixed','name':'F','size':15,'logicalType':'uuid'}", "'uuid'", "fixed F(15)"},
        {"{'type':'long','logicalType':'timestmp-millis'}", "'timestmp-millis'", "long"},
        {"{'type':'bytes','logicalType':'big-decimal'}", "'big-decimal'", "bytes"},
        {"{'type':'long','logicalType':7}", "7", "long"},
        {"{'type':'long','logicaltype':'timestamp-millis'}", "'logicaltype'", "long"},
    };
    for (size_t i = 0; i < MESH_LEN(cases); i++) {
        CHECK_STR(describe(cases[i].schema), cases[i].described);
        CHECK_EQ_I64((int64_t)diags.n_warnings, 1);
        CHECK_STR(found(0), mesh_arena_printf(&arena, "MC006 %s", quotes(cases[i].found)));
    }
}

CASE(misspelt_attributes_are_warned_of_and_others_are_kept)
{
    const struct mesh_schema *schema = field("{'name':'f','type':'int','defualt':0,'x-owner':'us','tags':['a']}");
    REQUIRE(schema != NULL && diags.list.n == 1);
    CHECK_STR(found(0), "MC006 \"defualt\"");
    CHECK_STR(diags.list.v[0]->hint, "did you mean 'default'?");
    CHECK(mesh_json_get(schema->fields[0].json, "x-owner") != NULL);
    CHECK(field("{'name':'f','type':'long','logicalType':'date'}") != NULL);
    CHECK_STR(found(0), "MC006 \"logicalType\"");
}

CASE(labels_come_from_the_record_or_the_field)
{
    const struct mesh_schema *schema =
        parse("{'type':'record','name':'R','label':'personal','subject':'customer','fields':["
              "{'name':'a','type':'int'},{'name':'b','type':'int','label':'public'},"
              "{'name':'c','type':{'type':'record','name':'S','fields':[{'name':'d','type':'int'}]}}]}");
    REQUIRE(schema != NULL);
    CHECK_STR(schema->fields[0].label, "personal");
    CHECK_STR(schema->fields[0].subject, "customer");
    CHECK_STR(schema->fields[1].label, "public");
    CHECK_STR(schema->fields[2].type->fields[0].label, NULL);
    CHECK(schema->fields[1].label_at.begin > schema->fields[0].label_at.begin);
    CHECK(field("{'name':'f','type':{'type':'string','label':'personal'}}") != NULL);
    CHECK_STR(found(0), "MC008 \"label\"");
    CHECK(field("{'name':'f','type':'int','label':'personl'}") == NULL);
    CHECK_STR(diags.list.v[0]->hint, "did you mean 'personal'?");
}

static const char *many(const char *format, int n)
{
    struct mesh_buf out = MESH_BUF_NULL;
    for (int i = 0; i < n; i++) {
        mesh_buf_putc(&out, i > 0 ? ',' : ' ');
        for (const char *p = format; *p != '\0'; p++) {
            if (*p == '#')
                mesh_buf_printf(&out, "%d", i);
            else
                mesh_buf_putc(&out, *p);
        }
    }
    const char *text = mesh_arena_printf(&arena, "%s", out.p);
    mesh_buf_deinit(&out);
    return text;
}

CASE(limits_are_errors)
{
    CHECK(field(many("{'name':'f#','type':'int'}", MESH_SCHEMA_FIELDS_MAX)) != NULL);
    CHECK(field(many("{'name':'f#','type':'int'}", MESH_SCHEMA_FIELDS_MAX + 1)) == NULL);
    CHECK(strncmp(found(0), "MC007", 5) == 0);
    CHECK(parse(mesh_arena_printf(&arena, "{'type':'enum','name':'E','symbols':[%s]}",
                                  many("'S#'", MESH_SCHEMA_SYMBOLS_MAX + 1))) == NULL);
    CHECK(strncmp(found(0), "MC007", 5) == 0);
    CHECK(parse(mesh_arena_printf(&arena, "[%s]", many("{'type':'fixed','name':'F#','size':1}", 65))) == NULL);
    CHECK(strncmp(found(0), "MC007", 5) == 0);

    struct mesh_buf deep = MESH_BUF_NULL;
    for (int i = 0; i < MESH_SCHEMA_DEPTH_MAX; i++)
        mesh_buf_puts(&deep, "{'type':'array','items':");
    mesh_buf_puts(&deep, "'int'");
    for (int i = 0; i < MESH_SCHEMA_DEPTH_MAX; i++)
        mesh_buf_putc(&deep, '}');
    CHECK(parse(deep.p) == NULL);
    CHECK_STR(found(0), "MC007 \"int\"");
    mesh_buf_deinit(&deep);

    const char *record = many("{'type':'record','name':'R#','fields':[]}", 60);
    record = mesh_arena_printf(&arena, "{'name':'f#','type':[%s]}", record);
    struct mesh_buf fields = MESH_BUF_NULL; /* 400 unions of 60 records with names of their own */
    for (int i = 0; i < 400; i++) {
        mesh_buf_printf(&fields, "%s{'name':'f%d','type':[", i > 0 ? "," : "", i);
        for (int j = 0; j < 60; j++)
            mesh_buf_printf(&fields, "%s{'type':'record','name':'R%d_%d','fields':[]}", j > 0 ? "," : "", i, j);
        mesh_buf_puts(&fields, "]}");
    }
    CHECK(field(fields.p) == NULL);
    CHECK_EQ_I64((int64_t)diags.n_errors, 1);
    CHECK(strncmp(found(0), "MC007", 5) == 0);
    mesh_buf_deinit(&fields);
}

CASE(nullable_is_a_union_of_null_and_one_other)
{
    int null_branch = -1;
    const struct mesh_schema *schema = parse("['string','null']");
    REQUIRE(schema != NULL);
    CHECK(mesh_schema_nullable(schema, &null_branch) == schema->branches[0]);
    CHECK_EQ_I64(null_branch, 1);
    CHECK(mesh_schema_nullable(parse("['string','int']"), &null_branch) == NULL);
    CHECK(mesh_schema_nullable(parse("['null']"), &null_branch) == NULL);
    CHECK(mesh_schema_nullable(parse("'null'"), &null_branch) == NULL);
}

CASE(the_normal_form_keeps_what_the_contract_says)
{
    const struct mesh_schema *schema =
        parse("{ 'name':'a.R', 'doc':'x', 'label':'internal', 'type':'record', 'x-team':'y', 'fields':[\n"
              " {'type':{'precision':4,'scale':2,'logicalType':'decimal','type':'bytes'},'name':'d','doc':'y'},"
              " {'name':'e','type':{'type':'enum','name':'E','symbols':['A'],'default':'A'},'aliases':['o']},"
              " {'name':'n','type':['null','R'],'default':null},"
              " {'name':'f','type':'double','default':1.50,'label':'public'},"
              " {'name':'s','type':{'type':'record','name':'S','fields':[{'name':'p','type':'int'},"
              "{'name':'q','type':'string'}]},'default':{'q':'\\u0041','p':1}}]}");
    REQUIRE(schema != NULL);
    CHECK_STR(normal(schema), quotes("{'name':'a.R','type':'record','fields':["
                                     "{'name':'d','type':{'type':'bytes','logicalType':'decimal','precision':4,'scale':2},"
                                     "'label':'internal'},"
                                     "{'name':'e','type':{'name':'a.E','type':'enum','symbols':['A'],'default':'A'},"
                                     "'aliases':['o'],'label':'internal'},"
                                     "{'name':'n','type':['null','a.R'],'default':null,'label':'internal'},"
                                     "{'name':'f','type':'double','default':1.5,'label':'public'},"
                                     "{'name':'s','type':{'name':'a.S','type':'record','fields':[{'name':'p','type':'int'},"
                                     "{'name':'q','type':'string'}]},'default':{'p':1,'q':'A'},'label':'internal'}]}"));
    const char *first = normal(schema);
    CHECK_STR(normal(parse(first)), first); /* it is its own normal form */
}

CASE(the_local_id_changes_with_the_contract_only)
{
    uint32_t a = mesh_schema_local_id(field("{'name':'a','type':'int'}"));
    uint32_t same = mesh_schema_local_id(field(" {'type':'int', 'doc':'x', 'name':'a'}"));
    uint32_t other = mesh_schema_local_id(field("{'name':'a','type':'int','default':1}"));
    uint32_t label = mesh_schema_local_id(field("{'name':'a','type':'int','label':'personal'}"));
    CHECK_EQ_I64(a, same);
    CHECK(a != other && a != label && other != label);
    CHECK(a != 0 && a <= INT32_MAX);
}
