/* A decoder that meshgen wrote, on bytes that nobody vouches for: what it takes, the slow reader that walks the schema takes too. */
#include "fuzz.h"
#include "fuzz_gen.h" /* made when the code below is there */

#include "fuzz-gen/sales_fraud/sales_fraud_records.c"

#include "base/fs.h"
#include "contract/datum.h"
#include "contract/schema.h"

static const struct mesh_schema *payment(void)
{
    static struct mesh_arena arena;
    static const struct mesh_schema *schema;
    if (schema != NULL)
        return schema;
    struct mesh_buf text = MESH_BUF_NULL;
    struct mesh_err err = {0};
    struct mesh_diags diags = {.arena = &arena};
    FUZZ_HOLDS(mesh_fs_read(MESH_ROOT "/contracts/sales_fraud/payment.v1.avsc", 1 << 20, &text, &err) == 0);
    schema = mesh_schema_parse(&arena, mesh_source_new(&arena, "payment.v1.avsc", text.p, text.n), &diags);
    FUZZ_HOLDS(schema != NULL);
    return schema;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct payment_v1 record = {0};
    struct mesh_in in = {.p = bytes, .end = bytes + n};
    struct mesh_buf json = MESH_BUF_NULL;
    struct mesh_err err = {0};
    sales_fraud_decode_payment_v1(&in, 1, &record);
    if (in.fault == MESH_AVRO_OK && in.p == in.end)
        FUZZ_HOLDS(mesh_datum_to_json(payment(), bytes, n, &json, &err) == 0);
    mesh_buf_deinit(&json);
    return 0;
}
