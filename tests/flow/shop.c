/* The shop, by hand. */
#include "shop.h"

#include "base/check.h"

#include <stddef.h>

#define SITE(text)                                                                                                                 \
    {                                                                                                                              \
        "tests/flow/shop.yaml", __LINE__, text                                                                                     \
    }

static const struct mesh_site joined = SITE("streams.sold.steps[1] join");

/* ---- records ---- */
static void decode(struct mesh_in *in, uint32_t version, void *record)
{
    (void)version;
    struct shop_record *r = record;
    r->id = mesh_in_string(in);
    r->card = mesh_in_string(in);
    r->store = mesh_in_string(in);
    r->amount = mesh_in_long(in);
    r->at = mesh_in_micros(in);
}

void shop_write(struct mesh_out *out, const struct shop_record *r)
{
    mesh_out_bytes(out, r->id);
    mesh_out_bytes(out, r->card);
    mesh_out_bytes(out, r->store);
    mesh_out_long(out, r->amount);
    mesh_out_long(out, r->at);
}

static int64_t event_time(const void *record)
{
    return ((const struct shop_record *)record)->at;
}

static struct mesh_str key_card(const void *record, char *scratch)
{
    (void)scratch;
    return ((const struct shop_record *)record)->card;
}

static void key_of(struct mesh_key *key, struct mesh_str v)
{
    mesh_key_begin(key);
    mesh_key_str(key, v);
}

/* ---- rows ---- */
struct rate_row {
    int64_t factor;
};
static const struct mesh_field rate_fields[] = {{.name = "factor", .type = MESH_LONG, .offset = offsetof(struct rate_row, factor)}};

struct cards_row {
    int64_t n, sum, order, spent;
    struct mesh_str last_id;
};
static const struct mesh_field cards_fields[] = {
    {.name = "n", .type = MESH_LONG, .offset = offsetof(struct cards_row, n)},
    {.name = "sum", .type = MESH_LONG, .offset = offsetof(struct cards_row, sum)},
    {.name = "order", .type = MESH_LONG, .offset = offsetof(struct cards_row, order)},
    {.name = "spent", .type = MESH_LONG, .offset = offsetof(struct cards_row, spent)},
    {.name = "last_id", .type = MESH_STRING, .offset = offsetof(struct cards_row, last_id)},
};

struct totals_row {
    int64_t n, sum, order;
};
static const struct mesh_field totals_fields[] = {
    {.name = "n", .type = MESH_LONG, .offset = offsetof(struct totals_row, n)},
    {.name = "sum", .type = MESH_LONG, .offset = offsetof(struct totals_row, sum)},
    {.name = "order", .type = MESH_LONG, .offset = offsetof(struct totals_row, order)},
};

struct minute_row {
    int64_t n, sum, largest;
};
static const struct mesh_field minute_fields[] = {
    {.name = "n", .type = MESH_LONG, .offset = offsetof(struct minute_row, n)},
    {.name = "sum", .type = MESH_LONG, .offset = offsetof(struct minute_row, sum)},
    {.name = "largest", .type = MESH_LONG, .offset = offsetof(struct minute_row, largest)},
};

struct probe_run {
    struct mesh_str first_id, last_id;
};
static const struct mesh_field probe_fields[] = {
    {.name = "first_id", .type = MESH_STRING, .offset = offsetof(struct probe_run, first_id)},
    {.name = "last_id", .type = MESH_STRING, .offset = offsetof(struct probe_run, last_id)},
};
static const uint16_t probe_times[] = {2, 1};
static const uint16_t quiet_times[] = {1, 0, 1, 0}; /* small, not large, small, absent */

static void probe_capture(struct mesh_task *task, void *run, uint32_t step, const void *record)
{
    (void)task;
    struct probe_run *to = run;
    const struct shop_record *r = record;
    if (step == 0 && to->first_id.n == 0)
        mesh_row_set_str(&to->first_id, r->id);
    if (step == 1)
        mesh_row_set_str(&to->last_id, r->id);
}

/* What sales find of counts, and sales themselves, which may wait. */
struct count_row {
    int64_t amount;
    struct mesh_str id;
};
static const struct mesh_field count_fields[] = {
    {.name = "amount", .type = MESH_LONG, .offset = offsetof(struct count_row, amount)},
    {.name = "id", .type = MESH_STRING, .offset = offsetof(struct count_row, id)},
};
static const struct mesh_field sale_fields[] = {
    {.name = "id", .type = MESH_STRING, .offset = offsetof(struct shop_record, id)},
    {.name = "card", .type = MESH_STRING, .offset = offsetof(struct shop_record, card)},
    {.name = "amount", .type = MESH_LONG, .offset = offsetof(struct shop_record, amount)},
};

static void quiet_capture(struct mesh_task *task, void *run, uint32_t step, const void *record)
{
    (void)task;
    struct probe_run *to = run;
    mesh_row_set_str(step == 0 ? &to->first_id : &to->last_id,
                     step == 0 ? ((const struct shop_record *)record)->id : ((const struct shop_record *)record)->card);
}

/* ---- views ---- */
static const struct mesh_field cards_out[] = {
    {.name = "card", .type = MESH_STRING, .offset = offsetof(struct shop_cards_out, card)},
    {.name = "n", .type = MESH_LONG, .offset = offsetof(struct shop_cards_out, n)},
    {.name = "sum", .type = MESH_LONG, .offset = offsetof(struct shop_cards_out, sum)},
    {.name = "order", .type = MESH_LONG, .offset = offsetof(struct shop_cards_out, order)},
    {.name = "spent", .type = MESH_LONG, .offset = offsetof(struct shop_cards_out, spent)},
    {.name = "last_id", .type = MESH_STRING, .offset = offsetof(struct shop_cards_out, last_id)},
};

static void cards_finish(const void *row, void *out)
{
    const struct cards_row *r = row;
    struct shop_cards_out *o = out;
    o->n = r->n;
    o->sum = r->sum;
    o->order = r->order;
    o->spent = r->spent;
    o->last_id = r->last_id;
}

static const struct mesh_field totals_out[] = {
    {.name = "store", .type = MESH_STRING, .offset = offsetof(struct shop_totals_out, store)},
    {.name = "n", .type = MESH_LONG, .offset = offsetof(struct shop_totals_out, n)},
    {.name = "sum", .type = MESH_LONG, .offset = offsetof(struct shop_totals_out, sum)},
    {.name = "order", .type = MESH_LONG, .offset = offsetof(struct shop_totals_out, order)},
};

static void totals_finish(const void *row, void *out)
{
    const struct totals_row *r = row;
    struct shop_totals_out *o = out;
    o->n = r->n;
    o->sum = r->sum;
    o->order = r->order;
}

static void send_alert(struct mesh_task *task, struct mesh_str what, struct mesh_str key, int64_t amount,
                       const struct mesh_event *event)
{
    struct mesh_out *value = mesh_value(task);
    mesh_out_bytes(value, what);
    mesh_out_bytes(value, key);
    mesh_out_long(value, amount);
    mesh_send(task, SHOP_ALERTS, key, event);
}

static void probed(struct mesh_task *task, const struct mesh_event *event, const void *run, const void *record)
{
    const struct shop_record *r = record;
    send_alert(task, ((const struct probe_run *)run)->first_id, r->card, r->amount, event);
}

/* Two small sales, no large one between, and then none that fives divide, for half a minute. */
static void quiet(struct mesh_task *task, const struct mesh_event *event, const void *run, const void *record)
{
    const struct probe_run *r = run;
    mesh_assert(record == NULL);
    send_alert(task, r->first_id, r->last_id, event->time_us, event);
}

/* A sale and the count that it found: "sale/count". One without goes nowhere when its id ends in 7, to the dead letters when in 9. */
static void found(struct mesh_task *task, const struct mesh_event *event, const void *record, const void *other)
{
    const struct shop_record *r = record;
    const struct count_row *count = other;
    static const struct mesh_site site = SITE("streams.found join counts");
    if (count == NULL && r->id.n > 0 && (r->id.p[r->id.n - 1] == '7' || r->id.p[r->id.n - 1] == '9')) {
        if (r->id.p[r->id.n - 1] == '7')
            mesh_skipped(task, &site);
        else
            mesh_reject(task, event, &site, MESH_FAULT_MISSING);
        return;
    }
    struct mesh_str id = count == NULL ? MESH_STR("none") : count->id;
    char *text = mesh_scratch(task, r->id.n + 1 + id.n);
    memcpy(text, r->id.p, r->id.n);
    text[r->id.n] = '/';
    memcpy(text + r->id.n + 1, id.p, id.n);
    send_alert(task, (struct mesh_str){text, r->id.n + 1 + id.n}, r->card, event->time_us, event);
}

static void totals_changed(struct mesh_task *task, const struct mesh_event *event, const void *old, const void *now)
{
    const struct shop_totals_out *was = old;
    const struct shop_totals_out *is = now;
    struct mesh_key key;
    key_of(&key, is->store);
    if (was != NULL && was->n + 1 != is->n)
        return; /* never: one record at a time */
    if (mesh_rises(task, SHOP_HIGH, &key, event, is->sum % 1000 >= 700, is->sum % 1000 < 300))
        send_alert(task, MESH_STR("high"), is->store, is->sum, event);
}

static const struct mesh_field minute_out[] = {
    {.name = "store", .type = MESH_STRING, .offset = offsetof(struct shop_minute_out, store)},
    {.name = "n", .type = MESH_LONG, .offset = offsetof(struct shop_minute_out, n)},
    {.name = "sum", .type = MESH_LONG, .offset = offsetof(struct shop_minute_out, sum)},
    {.name = "largest", .type = MESH_LONG, .offset = offsetof(struct shop_minute_out, largest)},
};

static void minute_finish(const void *row, void *out)
{
    const struct minute_row *r = row;
    struct shop_minute_out *o = out;
    o->n = r->n;
    o->sum = r->sum;
    o->largest = r->largest;
}

static void minute_merge(void *into, const void *from)
{
    struct minute_row *a = into;
    const struct minute_row *b = from;
    a->n += b->n;
    a->sum += b->sum;
    a->largest = b->largest > a->largest ? b->largest : a->largest;
}

static const struct mesh_field visited_out[] = {
    {.name = "card", .type = MESH_STRING, .offset = offsetof(struct shop_minute_out, store)},
    {.name = "n", .type = MESH_LONG, .offset = offsetof(struct shop_minute_out, n)},
    {.name = "sum", .type = MESH_LONG, .offset = offsetof(struct shop_minute_out, sum)},
    {.name = "order", .type = MESH_LONG, .offset = offsetof(struct shop_minute_out, largest)},
};

static void visited_finish(const void *row, void *out)
{
    const struct totals_row *r = row;
    struct shop_minute_out *o = out;
    o->n = r->n;
    o->sum = r->sum;
    o->largest = r->order;
}

static const struct mesh_view views[SHOP_N_VIEWS] = {
    [SHOP_VIEW_CARDS] = {.name = "cards",
                         .state = SHOP_CARDS,
                         .out = cards_out,
                         .n_out = 6,
                         .n_key = 1,
                         .out_size = sizeof(struct shop_cards_out),
                         .revision = offsetof(struct shop_cards_out, revision),
                         .finish = cards_finish},
    [SHOP_VIEW_TOTALS] = {.name = "totals",
                          .state = SHOP_TOTALS,
                          .out = totals_out,
                          .n_out = 4,
                          .n_key = 1,
                          .out_size = sizeof(struct shop_totals_out),
                          .revision = offsetof(struct shop_totals_out, revision),
                          .finish = totals_finish,
                          .changed = totals_changed},
    [SHOP_VIEW_MINUTE] = {.name = "minute",
                          .state = SHOP_MINUTE,
                          .out = minute_out,
                          .n_out = 4,
                          .n_key = 1,
                          .out_size = sizeof(struct shop_minute_out),
                          .window = MESH_WINDOW_TUMBLING,
                          .size_us = 60 * SHOP_SECOND,
                          .grace_us = 10 * SHOP_SECOND,
                          .window_start = offsetof(struct shop_minute_out, window_start),
                          .window_end = offsetof(struct shop_minute_out, window_end),
                          .final = offsetof(struct shop_minute_out, final),
                          .revision = offsetof(struct shop_minute_out, revision),
                          .finish = minute_finish,
                          .merge = minute_merge},
    [SHOP_VIEW_VISITED] = {.name = "visited",
                           .state = SHOP_VISITED,
                           .out = visited_out,
                           .n_out = 4,
                           .n_key = 1,
                           .out_size = sizeof(struct shop_minute_out),
                           .window = MESH_WINDOW_TUMBLING,
                           .size_us = 20 * SHOP_SECOND,
                           .window_start = offsetof(struct shop_minute_out, window_start),
                           .window_end = offsetof(struct shop_minute_out, window_end),
                           .final = offsetof(struct shop_minute_out, final),
                           .revision = offsetof(struct shop_minute_out, revision),
                           .finish = visited_finish},
};

/* ---- streams ---- */
static void process_sales(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct shop_record *r = record;
    struct mesh_key id;
    struct mesh_key card;
    struct mesh_key store;
    key_of(&id, r->id);
    key_of(&card, r->card);
    key_of(&store, r->store);
    if (!mesh_dedupe(task, SHOP_SEEN, &id, event))
        return;
    const struct rate_row *rate = mesh_lookup_as_of(task, SHOP_RATE, &store, r->at);
    if (rate == NULL) {
        mesh_reject(task, event, &joined, MESH_FAULT_MISSING);
        return;
    }
    int64_t amount = r->amount * rate->factor;

    union mesh_cell cell = {.d = amount};
    union mesh_cell spent = {.d = 0};
    struct mesh_ring *ring = mesh_ring_add(task, SHOP_SPENT, &card, event, &cell);
    mesh_ring_sum(ring, event->time_us - 60 * SHOP_SECOND, event->time_us, &spent);

    mesh_pattern(task, SHOP_PROBE, &card, event, (amount < 20 ? 1u : 0u) | (amount > 80 ? 2u : 0u), r);
    uint64_t small = amount < 40 ? 1 : 0;
    mesh_pattern(task, SHOP_QUIET, &card, event, small | (amount > 60 ? 2u : 0u) | small << 2 | (amount % 5 == 0 ? 8u : 0u), r);

    struct cards_row *row = mesh_view_row(task, SHOP_CARDS, &card, event);
    if (row != NULL) {
        row->n++;
        row->sum += amount;
        row->order = (row->order * 31 + amount) % 1000003;
        row->spent = (int64_t)spent.d;
        mesh_row_set_str(&row->last_id, r->id);
    }
    struct minute_row *minute = mesh_view_row(task, SHOP_MINUTE_PART, &store, event);
    if (minute != NULL) {
        minute->n++;
        minute->sum += amount;
        minute->largest = amount > minute->largest ? amount : minute->largest;
    }
    mesh_interval_join(task, SHOP_BEFORE, &card, event, r);
    mesh_interval_join(task, SHOP_AROUND, &card, event, r);
    struct shop_record out = *r;
    out.amount = amount;
    shop_write(mesh_value(task), &out);
    mesh_send_internal(task, SHOP_INTERNAL_BY_STORE, r->store, event);
}

static void process_counts(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct shop_record *r = record;
    struct mesh_key card;
    key_of(&card, r->card);
    const struct count_row count = {r->amount, r->id};
    mesh_interval_add(task, SHOP_BEFORE, &card, event, &count);
    mesh_interval_add(task, SHOP_AROUND, &card, event, &count);
    if (r->amount == 13) { /* thirteen: forget the card */
        mesh_view_remove(task, SHOP_CARDS, &card, event);
        return;
    }
    struct cards_row *row = mesh_view_row(task, SHOP_CARDS, &card, event);
    if (row != NULL)
        row->order = (row->order * 37 + r->amount) % 1000003;
}

static void process_rates(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct shop_record *r = record;
    struct mesh_key store;
    key_of(&store, r->store);
    struct rate_row row = {r->amount};
    mesh_table_put(task, SHOP_RATE, &store, event, r->at, &row);
}

static void process_by_store(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct shop_record *r = record;
    struct mesh_key store;
    key_of(&store, r->store);
    struct totals_row *row = mesh_view_row(task, SHOP_TOTALS, &store, event);
    if (row == NULL)
        return;
    row->n++;
    row->sum += r->amount;
    row->order = (row->order * 31 + r->amount) % 1000003;
    mesh_view_changed(task, SHOP_TOTALS, event);
}

static void process_signs(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct shop_record *r = record;
    struct mesh_key card;
    key_of(&card, r->card);
    struct rate_row row = {r->amount};
    mesh_table_put(task, SHOP_SIGN, &card, event, r->at, &row);
}

static void removed_signs(struct mesh_task *task, const struct mesh_event *event)
{
    struct mesh_key card;
    key_of(&card, event->key);
    mesh_table_remove(task, SHOP_SIGN, &card, event);
}

static void process_visits(struct mesh_task *task, const struct mesh_event *event, const void *record)
{
    const struct shop_record *r = record;
    struct mesh_key card;
    key_of(&card, r->card);
    const struct rate_row *sign = mesh_lookup(task, SHOP_SIGN, &card);
    struct totals_row *row = mesh_view_row(task, SHOP_VISITED, &card, event);
    if (row == NULL)
        return;
    row->n++;
    row->sum += sign == NULL ? 0 : sign->factor;
    row->order = (row->order * 31 + r->amount + 1000 * (sign == NULL ? 0 : sign->factor)) % 1000003;
}

/* ---- ports ---- */
static void encode_totals(struct mesh_task *task, const void *out, struct mesh_out *value, struct mesh_out *key)
{
    (void)task;
    const struct shop_totals_out *o = out;
    mesh_out_raw(key, o->store.p, o->store.n);
    mesh_out_long(value, o->n);
    mesh_out_long(value, o->sum);
    mesh_out_long(value, o->order);
    mesh_out_long(value, o->revision);
}

static void encode_minute(struct mesh_task *task, const void *out, struct mesh_out *value, struct mesh_out *key)
{
    (void)task;
    const struct shop_minute_out *o = out;
    mesh_out_raw(key, o->store.p, o->store.n);
    mesh_out_long(value, o->window_start);
    mesh_out_long(value, o->n);
    mesh_out_long(value, o->sum);
    mesh_out_long(value, o->largest);
    mesh_out_long(value, o->revision);
    mesh_out_bool(value, o->final);
}

/* ---- tables ---- */
static const struct mesh_contract contract = {.name = "shop/record@1", .subject = "record-value", .local_id = 7, .fingerprint = 77};
static const enum mesh_type spent_cells[] = {MESH_LONG};

static const struct mesh_input inputs[SHOP_N_INPUTS] = {
    [SHOP_SALES] = {.name = "sales",
                    .topic = "sales",
                    .kind = MESH_INPUT_STREAM,
                    .site = SITE("inputPorts.sales"),
                    .contracts = &contract,
                    .n_contracts = 1,
                    .record_size = sizeof(struct shop_record),
                    .decode = decode,
                    .event_time = event_time,
                    .key = key_card,
                    .process = process_sales,
                    .delay_us = 2 * SHOP_SECOND,
                    .idle_us = 5 * SHOP_SECOND,
                    .ahead_us = 3600 * SHOP_SECOND},
    [SHOP_COUNTS] = {.name = "counts",
                     .topic = "counts",
                     .kind = MESH_INPUT_STREAM,
                     .site = SITE("inputPorts.counts"),
                     .contracts = &contract,
                     .n_contracts = 1,
                     .record_size = sizeof(struct shop_record),
                     .decode = decode,
                     .event_time = event_time,
                     .key = key_card,
                     .process = process_counts,
                     .delay_us = 2 * SHOP_SECOND,
                     .idle_us = 5 * SHOP_SECOND},
    [SHOP_RATES] = {.name = "rates",
                    .topic = "rates",
                    .kind = MESH_INPUT_TABLE,
                    .site = SITE("inputPorts.rates"),
                    .copy_all = true,
                    .contracts = &contract,
                    .n_contracts = 1,
                    .record_size = sizeof(struct shop_record),
                    .decode = decode,
                    .event_time = event_time,
                    .process = process_rates,
                    .delay_us = 40 * SHOP_SECOND,
                    .idle_us = 3 * SHOP_SECOND,
                    .wait_us = 20 * SHOP_SECOND},
    [SHOP_BY_STORE] = {.name = "by_store",
                       .topic = "mesh.shop.by_store",
                       .kind = MESH_INPUT_RECORDS,
                       .site = SITE("streams.sold"),
                       .record_size = sizeof(struct shop_record),
                       .decode = decode,
                       .event_time = event_time,
                       .process = process_by_store},
    [SHOP_PARTIALS] = {.name = "partials",
                       .topic = "mesh.shop.partials",
                       .kind = MESH_INPUT_PARTIALS,
                       .site = SITE("views.minute")},
    [SHOP_VISITS] = {.name = "visits",
                     .topic = "visits",
                     .kind = MESH_INPUT_STREAM,
                     .site = SITE("inputPorts.visits"),
                     .contracts = &contract,
                     .n_contracts = 1,
                     .record_size = sizeof(struct shop_record),
                     .decode = decode,
                     .event_time = event_time,
                     .key = key_card,
                     .process = process_visits,
                     .delay_us = 2 * SHOP_SECOND,
                     .idle_us = 5 * SHOP_SECOND},
    [SHOP_SIGNS] = {.name = "signs",
                    .topic = "signs",
                    .kind = MESH_INPUT_TABLE,
                    .site = SITE("inputPorts.signs"),
                    .contracts = &contract,
                    .n_contracts = 1,
                    .record_size = sizeof(struct shop_record),
                    .decode = decode,
                    .event_time = event_time,
                    .key = key_card,
                    .process = process_signs,
                    .delay_us = 2 * SHOP_SECOND,
                    .removed = removed_signs,
                    .idle_us = 3 * SHOP_SECOND,
                    .wait_us = 20 * SHOP_SECOND},
};

#define JOIN(name_, from, to, how)                                                                                                 \
    {                                                                                                                              \
        .name = (name_), .kind = MESH_STATE_INTERVAL, .fields = count_fields, .n_fields = 2, .row_size = sizeof(struct count_row), \
        .from_us = (from), .to_us = (to), .pick = (how), .waits = sale_fields, .n_waits = 3,                                       \
        .wait_size = sizeof(struct shop_record), .matched = found                                                                  \
    }

static const struct mesh_state states[SHOP_N_STATES] = {
    [SHOP_SEEN] = {.name = "seen", .kind = MESH_STATE_DEDUPE, .site = SITE("sold.dedupe"), .within_us = 600 * SHOP_SECOND},
    [SHOP_RATE] =
        {.name = "rates", .kind = MESH_STATE_VERSIONS, .fields = rate_fields, .n_fields = 1, .row_size = sizeof(struct rate_row)},
    [SHOP_SPENT] = {.name = "spent", .kind = MESH_STATE_RING, .keep_us = 62 * SHOP_SECOND, .cells = spent_cells, .n_cells = 1},
    [SHOP_PROBE] = {.name = "probe",
                    .kind = MESH_STATE_PATTERN,
                    .within_us = 120 * SHOP_SECOND,
                    .times = probe_times,
                    .n_steps = 2,
                    .capture = probe_capture,
                    .complete = probed,
                    .fields = probe_fields,
                    .n_fields = 2,
                    .row_size = sizeof(struct probe_run)},
    [SHOP_CARDS] = {.name = "cards",
                    .kind = MESH_STATE_VIEW,
                    .site = SITE("views.cards"),
                    .fields = cards_fields,
                    .n_fields = 5,
                    .row_size = sizeof(struct cards_row),
                    .keep_us = 900 * SHOP_SECOND,
                    .view = &views[SHOP_VIEW_CARDS]},
    [SHOP_MINUTE_PART] = {.name = "minute_part",
                          .kind = MESH_STATE_VIEW,
                          .site = SITE("views.minute"),
                          .fields = minute_fields,
                          .n_fields = 3,
                          .row_size = sizeof(struct minute_row),
                          .view = &views[SHOP_VIEW_MINUTE],
                          .partial = true,
                          .partial_of = SHOP_MINUTE},
    [SHOP_TOTALS] = {.name = "totals",
                     .kind = MESH_STATE_VIEW,
                     .site = SITE("views.totals"),
                     .fields = totals_fields,
                     .n_fields = 3,
                     .row_size = sizeof(struct totals_row),
                     .view = &views[SHOP_VIEW_TOTALS]},
    [SHOP_MINUTE] = {.name = "minute",
                     .kind = MESH_STATE_VIEW,
                     .site = SITE("views.minute"),
                     .fields = minute_fields,
                     .n_fields = 3,
                     .row_size = sizeof(struct minute_row),
                     .keep_us = 1200 * SHOP_SECOND,
                     .view = &views[SHOP_VIEW_MINUTE]},
    [SHOP_HIGH] = {.name = "high", .kind = MESH_STATE_LATCH},
    [SHOP_SIGN] =
        {.name = "signs", .kind = MESH_STATE_TABLE, .fields = rate_fields, .n_fields = 1, .row_size = sizeof(struct rate_row)},
    [SHOP_VISITED] = {.name = "visited",
                      .kind = MESH_STATE_VIEW,
                      .site = SITE("views.visited"),
                      .fields = totals_fields,
                      .n_fields = 3,
                      .row_size = sizeof(struct totals_row),
                      .view = &views[SHOP_VIEW_VISITED]},
    [SHOP_QUIET] = {.name = "quiet",
                    .kind = MESH_STATE_PATTERN,
                    .within_us = 60 * SHOP_SECOND,
                    .times = quiet_times,
                    .n_steps = 4,
                    .absent_us = 30 * SHOP_SECOND,
                    .overlap = MESH_OVERLAP_ALL,
                    .capture = quiet_capture,
                    .complete = quiet,
                    .fields = probe_fields,
                    .n_fields = 2,
                    .row_size = sizeof(struct probe_run)},
    [SHOP_BEFORE] = JOIN("before", -30 * SHOP_SECOND, 0, MESH_PICK_LAST),
    [SHOP_AROUND] = JOIN("around", -10 * SHOP_SECOND, 20 * SHOP_SECOND, MESH_PICK_ALL),
};

static const struct mesh_port ports[SHOP_N_PORTS] = {
    [SHOP_ALERTS] = {.name = "alerts", .kind = MESH_PORT_KAFKA, .topic = "alerts", .contract = &contract, .emit = MESH_EMIT_EVENT},
    [SHOP_TOTALS_OUT] = {.name = "totals",
                         .kind = MESH_PORT_KAFKA,
                         .topic = "totals",
                         .contract = &contract,
                         .emit = MESH_EMIT_CHANGE,
                         .encode = encode_totals,
                         .view = SHOP_VIEW_TOTALS},
    [SHOP_MINUTE_OUT] = {.name = "minute",
                         .kind = MESH_PORT_KAFKA,
                         .topic = "minute",
                         .contract = &contract,
                         .emit = MESH_EMIT_CLOSE,
                         .encode = encode_minute,
                         .view = SHOP_VIEW_MINUTE},
    [SHOP_TOTALS_DOCS] = {.name = "totals_docs", .kind = MESH_PORT_MONGO, .collection = "totals", .view = SHOP_VIEW_TOTALS},
    [SHOP_CARDS_DOCS] = {.name = "cards_docs", .kind = MESH_PORT_MONGO, .collection = "cards", .view = SHOP_VIEW_CARDS},
    [SHOP_MINUTE_DOCS] = {.name = "minute_docs", .kind = MESH_PORT_MONGO, .collection = "minute", .view = SHOP_VIEW_MINUTE},
};

static const uint32_t from_main[] = {0};
static const struct mesh_internal internals[SHOP_N_INTERNALS] = {
    [SHOP_INTERNAL_BY_STORE] =
        {.name = "by_store", .topic = "mesh.shop.by_store", .input = SHOP_BY_STORE, .from_topologies = from_main, .n_from = 1},
    [SHOP_INTERNAL_PARTIALS] =
        {.name = "partials", .topic = "mesh.shop.partials", .input = SHOP_PARTIALS, .from_topologies = from_main, .n_from = 1},
};

static const uint32_t main_inputs[] = {SHOP_SALES, SHOP_COUNTS, SHOP_RATES};
static const uint32_t main_states[] = {SHOP_SEEN,        SHOP_RATE,   SHOP_SPENT,  SHOP_PROBE, SHOP_CARDS,
                                       SHOP_MINUTE_PART, SHOP_BEFORE, SHOP_AROUND, SHOP_QUIET};
static const uint32_t store_inputs[] = {SHOP_BY_STORE, SHOP_PARTIALS};
static const uint32_t store_states[] = {SHOP_TOTALS, SHOP_MINUTE, SHOP_HIGH};
static const uint32_t visit_inputs[] = {SHOP_VISITS, SHOP_SIGNS};
static const uint32_t visit_states[] = {SHOP_SIGN, SHOP_VISITED};
static const struct mesh_topology topologies[] = {
    {.name = "main", .inputs = main_inputs, .n_inputs = 3, .states = main_states, .n_states = 9, .ordered = true},
    {.name = "stores", .inputs = store_inputs, .n_inputs = 2, .states = store_states, .n_states = 3, .ordered = true},
    {.name = "visits", .inputs = visit_inputs, .n_inputs = 2, .states = visit_states, .n_states = 2, .ordered = true},
};

const struct mesh_product shop = {
    .abi = MESH_ABI,
    .domain = "shop",
    .name = "shop",
    .version = "1.0.0",
    .state_hash = "5ca1ab1e",
    .dlq_topic = "shop.dlq",
    .late_topic = "shop.late",
    .inputs = inputs,
    .n_inputs = SHOP_N_INPUTS,
    .states = states,
    .n_states = SHOP_N_STATES,
    .views = views,
    .n_views = SHOP_N_VIEWS,
    .ports = ports,
    .n_ports = SHOP_N_PORTS,
    .internals = internals,
    .n_internals = SHOP_N_INTERNALS,
    .topologies = topologies,
    .n_topologies = 3,
};
