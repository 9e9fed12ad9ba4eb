/* The signature of a contract is its fields in order with type, logical type, scale and symbols: all that decides about bytes and
 * their meaning, and nothing that does not. */
#include "sim/record.h"

#include "base/check.h"
#include "base/fs.h"
#include "contract/schema.h"

#include <stdio.h>

#define CONTRACT_BYTES_MAX (1u << 20)

#define PAYMENT                                                                                                                    \
    "payment_id:string card_id:string terminal_id:string channel:enum(WEB,SHOP,)"                                                  \
    " method:enum(CREDIT,DEBIT,WALLET,GIFT_CARD,) country:string category:string amount:decimal(2)"                                \
    " currency:string campaign_id:union(null,string,) paid_at:timestamp-millis "

static const char *const written[SIM_TOPIC_COUNT] = {
    [SIM_CARD_PAYMENTS] = PAYMENT,
    [SIM_SHOP_PAYMENTS] = PAYMENT,
    [SIM_RATES] = "currency:string valid_from:timestamp-millis eur:decimal(6) ",
    [SIM_CUSTOMERS] = "customer_id:string email:union(null,string,) country:string segment:string deleted:boolean"
                      " updated_at:timestamp-millis ",
    [SIM_CONSENTS] = "customer_id:string purpose:string granted:boolean decided_at:timestamp-millis ",
    [SIM_ORDERS] = "order_id:string customer_id:string channel:enum(WEB,SHOP,) amount_eur:decimal(2)"
                   " placed_at:timestamp-millis lines:array(product_id:string pieces:long amount_eur:decimal(2) ) ",
    [SIM_MOVEMENTS] = "movement_id:string product_id:string store_id:string qty:long moved_at:timestamp-millis ",
    [SIM_COUNTS] = "product_id:string store_id:string counted:long counted_at:timestamp-millis ",
    [SIM_PRODUCTS_TOPIC] = "product_id:string name:string category:string reorder_point:long"
                           " changed_at:timestamp-millis ",
    [SIM_AD_EVENTS] = "event_id:string campaign_id:string kind:enum(IMPRESSION,CLICK,) cost_eur:decimal(4)"
                      " at:timestamp-millis ",
};

static void add_fields(struct mesh_buf *out, const struct mesh_schema *schema);

static void add_type(struct mesh_buf *out, const struct mesh_schema *type)
{
    mesh_buf_puts(out,
                  type->logical != MESH_LOGICAL_NONE ? mesh_avro_logical_name(type->logical) : mesh_avro_kind_name(type->kind));
    if (type->logical == MESH_LOGICAL_DECIMAL) {
        mesh_buf_printf(out, "(%d)", type->scale);
    } else if (type->kind == MESH_AVRO_ENUM) {
        mesh_buf_putc(out, '(');
        for (size_t i = 0; i < type->n_symbols; i++) {
            mesh_buf_printf(out, "%s,", type->symbols[i]);
        }
        mesh_buf_putc(out, ')');
    } else if (type->kind == MESH_AVRO_UNION) {
        mesh_buf_putc(out, '(');
        for (size_t i = 0; i < type->n_branches; i++) {
            mesh_buf_printf(out, "%s,", mesh_avro_kind_name(type->branches[i]->kind));
        }
        mesh_buf_putc(out, ')');
    } else if (type->kind == MESH_AVRO_ARRAY && type->items->kind == MESH_AVRO_RECORD) {
        mesh_buf_putc(out, '(');
        add_fields(out, type->items);
        mesh_buf_putc(out, ')');
    }
}

static void add_fields(struct mesh_buf *out, const struct mesh_schema *schema)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        mesh_buf_printf(out, "%s:", schema->fields[i].name);
        add_type(out, schema->fields[i].type);
        mesh_buf_putc(out, ' ');
    }
}

static int check(const char *path, const struct mesh_schema *schema, const char *expected, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf found = MESH_BUF_NULL;
    mesh_buf_puts(&found, "");
    add_fields(&found, schema);
    if (strcmp(found.p, expected) != 0) {
        return mesh_err_set(err, MESH_ERR_FATAL, "sim.contract",
                            "%s: the encoder writes\n  %s\nand the contract says\n  %s\nadapt tools/sim/encode.c and contracts.c",
                            path, expected, found.p);
    }
    return 0;
}

static int read_one(struct mesh_arena *arena, const char *path, const char *expected, uint32_t *ret_id, struct mesh_err *err)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf text = MESH_BUF_NULL;
    if (mesh_fs_read(path, CONTRACT_BYTES_MAX, &text, err) != 0) {
        return -1;
    }
    struct mesh_diags diags = {.arena = arena};
    const struct mesh_schema *schema =
        mesh_schema_parse(arena, mesh_source_new(arena, path, text.p == NULL ? "" : text.p, text.n), &diags);
    if (schema == NULL) {
        mesh_diag_print(&diags, stderr, MESH_DIAG_TEXT, false);
        return mesh_err_set(err, MESH_ERR_FATAL, "sim.contract", "%s: not a valid contract; mend what is reported above", path);
    }
    *ret_id = mesh_schema_local_id(schema);
    return check(path, schema, expected, err);
}

static uint32_t unused_id(const struct sim_contracts *contracts)
{
    uint32_t id = 0x7fffffff;
    for (size_t i = 0; i < SIM_TOPIC_COUNT;) {
        if (contracts->ids[i] == id) {
            id--;
            i = 0;
        } else {
            i++;
        }
    }
    return id;
}

int sim_contracts_read(const char *folder, struct sim_contracts *ret, struct mesh_err *err)
{
    mesh_cleanup(mesh_arena_deinit) struct mesh_arena arena = MESH_ARENA_NULL;
    for (enum sim_topic topic = 0; topic < SIM_TOPIC_COUNT; topic++) {
        const char *path = mesh_arena_printf(&arena, "%s/%s", folder, sim_topics[topic].contract);
        if (read_one(&arena, path, written[topic], &ret->ids[topic], err) != 0) {
            return -1;
        }
    }
    ret->unknown_id = unused_id(ret);
    return 0;
}
