/* Types of Avro schemas, and how they are described and compared. */
#include "../check.h"
#include "codegen/type.h"

#include <stdlib.h>

static struct mesh_arena arena;

static struct mesh_schema *parse(const char *json)
{
    struct mesh_diags diags = {.arena = &arena};
    const struct mesh_source *source = mesh_source_new(&arena, "t.avsc", json, strlen(json));
    struct mesh_schema *schema = mesh_schema_parse(&arena, source, &diags);
    if (schema == NULL)
        mesh_diag_print(&diags, stdout, MESH_DIAG_TEXT, false);
    return schema;
}

static const char *text_of(const struct mesh_gen_type *type)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    mesh_gen_type_describe(type, &text);
    return mesh_arena_strdup(&arena, text.p);
}

/* "no" when the language has no such type. */
static const char *described(const char *json)
{
    struct mesh_gen_type type;
    struct mesh_schema *schema = parse(json);
    if (schema == NULL)
        return "no schema";
    return mesh_gen_type_of_schema(schema, &arena, &type) ? text_of(&type) : "no";
}

CASE(types_of_schemas)
{
    static const char *const table[][2] = {
        {"\"boolean\"", "bool"},
        {"\"int\"", "int"},
        {"\"long\"", "int"},
        {"\"float\"", "double"},
        {"\"double\"", "double"},
        {"\"string\"", "string"},
        {"\"bytes\"", "bytes"},
        {"\"null\"", "no"},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":4}", "bytes"},
        {"{\"type\":\"enum\",\"name\":\"a.Channel\",\"symbols\":[\"WEB\",\"SHOP\"]}", "enum Channel"},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":12,\"scale\":2}", "decimal(12,2)"},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":38,\"scale\":38}", "decimal(38,38)"},
        {"{\"type\":\"fixed\",\"name\":\"D\",\"size\":8,\"logicalType\":\"decimal\",\"precision\":9,\"scale\":3}", "decimal(9,3)"},
        {"{\"type\":\"int\",\"logicalType\":\"date\"}", "date"},
        {"{\"type\":\"int\",\"logicalType\":\"time-millis\"}", "int (milliseconds of the day)"},
        {"{\"type\":\"long\",\"logicalType\":\"time-micros\"}", "int (microseconds of the day)"},
        {"{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "timestamp"},
        {"{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}", "timestamp"},
        {"{\"type\":\"long\",\"logicalType\":\"timestamp-nanos\"}", "timestamp"},
        {"{\"type\":\"long\",\"logicalType\":\"local-timestamp-millis\"}", "timestamp"},
        {"{\"type\":\"long\",\"logicalType\":\"local-timestamp-micros\"}", "timestamp"},
        {"{\"type\":\"string\",\"logicalType\":\"uuid\"}", "string"},
        {"{\"type\":\"fixed\",\"name\":\"U\",\"size\":12,\"logicalType\":\"duration\"}", "no"},
        {"[\"null\",\"string\"]", "string or null"},
        {"[\"long\",\"null\"]", "int or null"},
        {"[\"null\",{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":4,\"scale\":1}]", "decimal(4,1) or null"},
        {"[\"string\",\"long\"]", "no"},
        {"[\"null\",\"string\",\"long\"]", "no"},
        {"[\"string\"]", "no"},
        {"{\"type\":\"map\",\"values\":\"string\"}", "no"},
        {"{\"type\":\"array\",\"items\":\"string\"}", "list of string"},
        {"{\"type\":\"array\",\"items\":[\"null\",\"long\"]}", "list of int or null"},
        {"{\"type\":\"array\",\"items\":{\"type\":\"map\",\"values\":\"string\"}}", "no"},
        {"{\"type\":\"record\",\"name\":\"HomeAddress\",\"fields\":[{\"name\":\"city\",\"type\":\"string\"}]}",
         "record home_address"},
        {"[\"null\",{\"type\":\"record\",\"name\":\"A\",\"fields\":[]}]", "record a or null"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        CHECK_STR(described(table[i][0]), table[i][1]);
    mesh_arena_deinit(&arena);
}

CASE(a_decimal_of_39_digits_has_no_type)
{
    struct mesh_schema schema = {.kind = MESH_AVRO_BYTES, .logical = MESH_LOGICAL_DECIMAL, .precision = 39, .scale = 2};
    struct mesh_gen_type type;
    CHECK(!mesh_gen_type_of_schema(&schema, &arena, &type));
    CHECK(type.kind == MESH_GEN_ERROR);
    schema.precision = 38;
    CHECK(mesh_gen_type_of_schema(&schema, &arena, &type));
}

CASE(an_avro_int_has_32_bits)
{
    struct mesh_gen_type narrow;
    struct mesh_gen_type wide;
    REQUIRE(mesh_gen_type_of_schema(parse("\"int\""), &arena, &narrow) &&
            mesh_gen_type_of_schema(parse("\"long\""), &arena, &wide));
    CHECK(narrow.int32 && !wide.int32);
    CHECK(!mesh_gen_type_eq(&narrow, &wide));
    mesh_arena_deinit(&arena);
}

static const char record[] =
    "{\"type\":\"record\",\"name\":\"shop.Payment\",\"label\":\"internal\",\"fields\":["
    "{\"name\":\"card_id\",\"type\":\"string\",\"label\":\"personal\",\"subject\":\"customer\",\"doc\":\"Token.\"},"
    "{\"name\":\"default\",\"type\":\"long\"},"
    "{\"name\":\"tags\",\"type\":{\"type\":\"map\",\"values\":\"string\"}},"
    "{\"name\":\"place\",\"type\":{\"type\":\"record\",\"name\":\"GPSPlace\",\"fields\":[{\"name\":\"lat\",\"type\":\"double\"}]}}]"
    "}";

CASE(members_of_a_record)
{
    struct mesh_gen_type type;
    REQUIRE(mesh_gen_type_of_schema(parse(record), &arena, &type));
    const struct mesh_gen_shape *shape = type.shape;
    REQUIRE(shape != NULL);
    CHECK_STR(shape->cname, "payment");
    CHECK_EQ_I64((int64_t)shape->members.n, 3); /* the map is left out */
    const struct mesh_gen_member *card = mesh_gen_shape_member(shape, "card_id");
    REQUIRE(card != NULL);
    CHECK(card->label == MESH_PERSONAL);
    CHECK_STR(card->subject, "customer");
    CHECK_STR(card->doc, "Token.");
    CHECK_STR(card->origin, "Payment.card_id");
    CHECK(card->at.source != NULL && card->at.begin > 0);
    CHECK(!card->used);
    CHECK_STR(mesh_gen_shape_member(shape, "default")->cname, "default_");
    CHECK(mesh_gen_shape_member(shape, "default")->label == MESH_INTERNAL);
    CHECK_STR(mesh_gen_shape_member(shape, "place")->type.shape->cname, "gps_place");
    CHECK(mesh_gen_shape_member(shape, "tags") == NULL);
    CHECK(mesh_gen_shape_member(NULL, "tags") == NULL);
    mesh_arena_deinit(&arena);
}

CASE(a_record_inside_itself_is_left_out)
{
    struct mesh_gen_type type;
    REQUIRE(mesh_gen_type_of_schema(parse("{\"type\":\"record\",\"name\":\"Node\",\"fields\":[{\"name\":\"v\",\"type\":\"long\"},"
                                          "{\"name\":\"next\",\"type\":[\"null\",\"Node\"]}]}"),
                                    &arena, &type));
    CHECK_EQ_I64((int64_t)type.shape->members.n, 1);
    mesh_arena_deinit(&arena);
}

CASE(equal_types)
{
    const char *web = "{\"type\":\"enum\",\"name\":\"a.C\",\"symbols\":[\"WEB\",\"SHOP\"]}";
    const char *shop = "{\"type\":\"enum\",\"name\":\"a.C\",\"symbols\":[\"SHOP\",\"WEB\"]}";
    const char *other = "{\"type\":\"enum\",\"name\":\"a.D\",\"symbols\":[\"WEB\",\"SHOP\"]}";
    struct {
        const char *a, *b;
        bool equal;
    } table[] = {
        {"\"string\"", "\"string\"", true},
        {"\"string\"", "\"bytes\"", false},
        {"\"string\"", "[\"null\",\"string\"]", false},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":12,\"scale\":2}",
         "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":12,\"scale\":2}", true},
        {"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":12,\"scale\":2}",
         "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":12,\"scale\":3}", false},
        {"{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}",
         true},
        {web, web, true},
        {web, shop, false},
        {web, other, false},
        {"{\"type\":\"array\",\"items\":\"string\"}", "{\"type\":\"array\",\"items\":\"string\"}", true},
        {"{\"type\":\"array\",\"items\":\"string\"}", "{\"type\":\"array\",\"items\":\"long\"}", false},
        {record, record, true},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct mesh_gen_type a;
        struct mesh_gen_type b;
        REQUIRE(mesh_gen_type_of_schema(parse(table[i].a), &arena, &a) && mesh_gen_type_of_schema(parse(table[i].b), &arena, &b));
        CHECK_EQ_I64(mesh_gen_type_eq(&a, &b), table[i].equal);
    }
    mesh_arena_deinit(&arena);
}

CASE(types_that_no_schema_has)
{
    CHECK_STR(text_of(&(struct mesh_gen_type){.kind = MESH_GEN_NULL}), "null");
    CHECK_STR(text_of(&(struct mesh_gen_type){.kind = MESH_GEN_ERROR}), "an error");
    CHECK_STR(text_of(&(struct mesh_gen_type){.kind = MESH_GEN_DURATION, .nullable = true}), "duration or null");
    mesh_arena_deinit(&arena);
}
