static void payment_v2_from_v1(struct mesh_in *in, struct payment_v2 *r)
{
    /* payment_id: nobody reads it */
    mesh_skip_bytes(in);
    r->card_id = mesh_in_string(in);
    switch (mesh_in_enum(in, 2)) {
    case 0: /* WEB */
        r->channel = 2;
        break;
    case 1: /* SHOP */
        r->channel = 1;
        break;
    default:
        break;
    }
    r->country_set = true;
    r->country = mesh_in_string(in);
    r->amount = mesh_in_decimal(in, 12);
    /* currency: nobody reads it */
    mesh_skip_bytes(in);
    /* campaign_id: nobody reads it */
    switch (mesh_in_union(in, 2)) {
    case 0:
        break;
    case 1:
        mesh_skip_bytes(in);
        break;
    default:
        break;
    }
    r->items = mesh_in_int(in);
    r->paid_at = mesh_in_millis(in);
    /* shop/payment@1 does not have them: the defaults */
    r->fee = 256;
    r->till = MESH_STR("shop \"1\"");
}
static void payment_v2_from_v3(struct mesh_in *in, struct payment_v2 *r)
{
    /* payment_id: nobody reads it */
    mesh_skip_bytes(in);
    r->card_id = mesh_in_string(in);
    switch (mesh_in_enum(in, 4)) {
    case 0: /* SHOP */
        r->channel = 1;
        break;
    case 1: /* WEB */
        r->channel = 2;
        break;
    case 2: /* KIOSK: OTHER, the default */
        r->channel = 0;
        break;
    case 3: /* OTHER */
        r->channel = 0;
        break;
    default:
        break;
    }
    r->country_set = mesh_in_union(in, 2) == 1;
    if (r->country_set)
        r->country = mesh_in_string(in);
    r->amount = mesh_in_decimal(in, 12);
    /* currency: nobody reads it */
    mesh_skip_bytes(in);
    /* tags: nobody reads it */
    for (int64_t n = mesh_in_block(in); n > 0; n = mesh_in_block(in))
        for (int64_t i = 0; i < n && in->fault == MESH_AVRO_OK; i++) {
            mesh_skip_bytes(in);
        }
    r->items = mesh_in_long(in);
    r->fee = mesh_in_decimal(in, 9);
    switch (mesh_in_union(in, 2)) {
    case 0:
        mesh_in_fail(in, MESH_AVRO_UNION_RANGE); /* null: in shop/payment@2 'till' is always there */
        break;
    case 1:
        r->till = mesh_in_string(in);
        break;
    default:
        break;
    }
    r->paid_at = mesh_in_millis(in);
}
