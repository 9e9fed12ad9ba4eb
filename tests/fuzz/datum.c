/* Data that somebody sent, by the frame, by the schema, and as another version reads it. The first byte chooses the schemas. What can be
 * read becomes JSON, and the JSON becomes a datum that reads the same; what the reader's version gets is a datum of its own schema. */
#include "fuzz.h"

#include "contract/datum.h"
#include "contract/framing.h"
#include "contract/resolve.h"

#include <string.h>

static const char *const pairs[][2] = {
    {"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"s\",\"type\":\"string\"},"
     "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\",\"C\"]}},"
     "{\"name\":\"u\",\"type\":[\"null\",\"long\",\"string\"]},{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}}]}",
     "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"s\",\"type\":\"bytes\"},{\"name\":\"b\",\"aliases\":[\"a\"],\"type\":\"double\"},"
     "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"B\",\"A\"],\"default\":\"B\"}},"
     "{\"name\":\"u\",\"type\":[\"string\",\"null\",\"double\"]},{\"name\":\"n\",\"type\":\"string\",\"default\":\"new\"}]}"},
    {"{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"v\",\"type\":\"long\"},{\"name\":\"next\",\"type\":[\"null\",\"L\"]},"
     "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":{\"type\":\"array\",\"items\":\"int\"}}}]}",
     "{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"next\",\"type\":[\"null\",\"L\"]},{\"name\":\"v\",\"type\":\"float\"}]}"},
    {"{\"type\":\"record\",\"name\":\"D\",\"fields\":[{\"name\":\"m\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":12,"
     "\"scale\":2}},{\"name\":\"t\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},{\"name\":\"z\",\"type\":"
     "{\"type\":\"array\",\"items\":\"boolean\"}},{\"name\":\"b\",\"type\":\"boolean\"},{\"name\":\"x\",\"type\":\"double\"},{\"name\":\"y\",\"type\":"
     "\"float\"}]}",
     "{\"type\":\"record\",\"name\":\"D\",\"fields\":[{\"name\":\"x\",\"type\":[\"null\",\"double\"]},{\"name\":\"y\",\"type\":\"double\"},"
     "{\"name\":\"m\",\"type\":[\"null\",{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":12,\"scale\":2}]}]}"},
};
enum { PAIRS = sizeof pairs / sizeof pairs[0], WITH_MAP = 1 /* bytes may have a key twice, or one with a NUL; JSON may not */ };

static struct mesh_arena arena;
static const struct mesh_schema *schemas[PAIRS][2];
static struct mesh_resolve *plans[PAIRS];

static const struct mesh_schema *parse(const char *text)
{
    struct mesh_diags diags = {.arena = &arena};
    const struct mesh_schema *schema = mesh_schema_parse(&arena, mesh_source_new(&arena, "pair.avsc", text, strlen(text)), &diags);
    FUZZ_HOLDS(schema != NULL);
    return schema;
}

static void prepare(void)
{
    for (int i = 0; i < PAIRS && plans[i] == NULL; i++) {
        struct mesh_err err = {0};
        schemas[i][0] = parse(pairs[i][0]);
        schemas[i][1] = parse(pairs[i][1]);
        FUZZ_HOLDS(mesh_resolve_new(schemas[i][0], schemas[i][1], &plans[i], &err) == 0);
    }
}

static void read_back(const struct mesh_schema *schema, const struct mesh_buf *json)
{
    struct mesh_buf bytes = MESH_BUF_NULL, again = MESH_BUF_NULL;
    struct mesh_err err = {0};
    FUZZ_HOLDS(mesh_datum_from_json(schema, (struct mesh_str){json->p, (uint32_t)json->n}, &bytes, &err) == 0);
    FUZZ_HOLDS(mesh_datum_to_json(schema, bytes.p, bytes.n, &again, &err) == 0);
    FUZZ_HOLDS(json->n == again.n && memcmp(json->p, again.p, json->n) == 0);
    mesh_buf_deinit(&bytes);
    mesh_buf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    prepare();
    if (n == 0)
        return 0;
    struct mesh_frame frame;
    const struct mesh_str payload = {(const char *)bytes + 1, (uint32_t)n - 1};
    if (mesh_frame_read(payload, (struct mesh_str){0}, &frame) == MESH_FRAME_OK)
        FUZZ_HOLDS(frame.datum.p >= payload.p && frame.datum.p + frame.datum.n == payload.p + payload.n);
    mesh_frame_read(payload, payload, &frame);
    int i = bytes[0] % PAIRS;
    struct mesh_buf json = MESH_BUF_NULL, result = MESH_BUF_NULL, shown = MESH_BUF_NULL;
    struct mesh_err err = {0};
    bool readable = mesh_datum_to_json(schemas[i][0], payload.p, payload.n, &json, &err) == 0;
    if (readable && i != WITH_MAP)
        read_back(schemas[i][0], &json);
    bool resolved = mesh_resolve_run(plans[i], payload.p, payload.n, &result, &err) == 0;
    if (resolved && readable) /* resolution looks at the shape, and leaves the digits of a decimal to who reads it */
        FUZZ_HOLDS(mesh_datum_to_json(schemas[i][1], result.p, result.n, &shown, &err) == 0);
    FUZZ_HOLDS(resolved || result.n == 0);
    mesh_buf_deinit(&json);
    mesh_buf_deinit(&result);
    mesh_buf_deinit(&shown);
    return 0;
}
