#include "sim/stream.h"

#include "base/check.h"
#include "base/hash.h"

#define MASTER_BEFORE_MS   SIM_HOUR_MS
#define NO_EVENT_TIME      INT64_MIN
#define TRUTH_BUFFERED_MAX (1u << 16)

static const struct {
    enum sim_domain domain;
    unsigned share;
} arrivals[SIM_ARRIVAL_COUNT] = {
    [SIM_ARRIVAL_PAYMENT] = {SIM_DOMAIN_SALES_FRAUD, 60}, [SIM_ARRIVAL_AD] = {SIM_DOMAIN_MARKETING, 20},
    [SIM_ARRIVAL_ORDER] = {SIM_DOMAIN_CUSTOMER, 8},       [SIM_ARRIVAL_STOCK] = {SIM_DOMAIN_PRODUCT_STOCK, 8},
    [SIM_ARRIVAL_CUSTOMER] = {SIM_DOMAIN_CUSTOMER, 4},
};

static bool wanted(const struct sim_stream *stream, enum sim_domain domain)
{
    return (stream->options->domains & domain) != 0;
}

/* Returns the share of payments among the arrivals. */
static double init_shares(struct sim_stream *stream)
{
    unsigned all = 0;
    for (enum sim_arrival a = 0; a < SIM_ARRIVAL_COUNT; a++) {
        all += wanted(stream, arrivals[a].domain) ? arrivals[a].share : 0;
    }
    uint64_t sum = 0;
    for (enum sim_arrival a = 0; a < SIM_ARRIVAL_COUNT; a++) {
        sum += wanted(stream, arrivals[a].domain) ? arrivals[a].share : 0;
        stream->below[a] = (sum << 32) / all;
    }
    return wanted(stream, SIM_DOMAIN_SALES_FRAUD) ? (double)arrivals[SIM_ARRIVAL_PAYMENT].share / all : 0;
}

void sim_stream_init(struct sim_stream *stream, const struct sim_options *options, const struct sim_contracts *contracts,
                     const int32_t *partitions, struct sim_sink *sink, struct sim_truth *truth)
{
    uint64_t seed = options->seed;
    memset(stream, 0, sizeof *stream);
    stream->options = options;
    stream->contracts = contracts;
    stream->partitions = partitions;
    stream->sink = sink;
    stream->truth = truth;
    stream->now_ns = options->start_ms * SIM_MS_NS;
    sim_rng_init(&stream->rng, seed, "stream");
    double payments = init_shares(stream);
    sim_world_init(&stream->world, seed, options->start_ms);
    sim_day_init(&stream->day, seed, stream->now_ns, options->density, options->flat);
    sim_rates_init(&stream->rates, seed, options->start_ms);
    sim_payments_init(&stream->payments, seed, &stream->world, &stream->day, options->density * payments);
    sim_customers_init(&stream->customers, seed, &stream->world);
    sim_stock_init(&stream->stock, seed, &stream->world);
    sim_ads_init(&stream->ads, seed, &stream->world);
    sim_faults_init(&stream->faults, seed, options->fraud, options->duplicates, options->late, options->malformed);
    sim_schedule_init(&stream->schedule);
    for (size_t topic = 0; topic < SIM_TOPIC_COUNT; topic++) {
        for (size_t i = 0; i < SIM_PARTITIONS_MAX; i++) {
            stream->newest_ms[topic][i] = NO_EVENT_TIME;
        }
    }
}

void sim_stream_deinit(struct sim_stream *stream)
{
    sim_payments_deinit(&stream->payments);
    sim_customers_deinit(&stream->customers);
    sim_schedule_deinit(&stream->schedule);
}

static int32_t partition_of(const struct sim_stream *stream, enum sim_topic topic, const char *key, size_t key_n)
{
    return mesh_hash_partition(key, key_n, stream->partitions[topic]);
}

/* Send the record that was encoded. NO_EVENT_TIME: no reader accepts one from it. */
static int emit(struct sim_stream *stream, int64_t event_ms, struct mesh_err *err)
{
    struct sim_record *record = &stream->record;
    record->partition = partition_of(stream, record->topic, record->key, record->key_n);
    record->timestamp_ms = stream->now_ns / SIM_MS_NS;
    int64_t *newest_ms = &stream->newest_ms[record->topic][record->partition];
    if (event_ms > *newest_ms) {
        *newest_ms = event_ms;
    }
    stream->truth->n_records[record->topic]++;
    if (stream->truth->lines.n > TRUTH_BUFFERED_MAX && sim_truth_flush(stream->truth, err) != 0) {
        return -1;
    }
    return stream->sink->send(stream->sink, record, err);
}

static int64_t behind_ms(const struct sim_stream *stream, int64_t event_ms)
{
    return stream->newest_ms[stream->record.topic][stream->record.partition] - event_ms;
}

static int send_payment(struct sim_stream *stream, const struct sim_payment *payment, struct mesh_err *err)
{
    sim_encode_payment(&stream->record, stream->contracts, payment, sim_currencies[payment->currency]);
    return emit(stream, payment->paid_at_ms, err);
}

static void tell_sale(struct sim_stream *stream, const struct sim_payment *payment, bool late)
{
    int64_t eur = sim_rates_to_eur(&stream->rates, payment->amount, payment->currency, payment->paid_at_ms);
    sim_truth_sale(stream->truth, payment, eur, late);
}

static int step_ordinary(struct sim_stream *stream, struct mesh_err *err)
{
    struct sim_payment payment = sim_payments_draw(&stream->payments, stream->now_ns / SIM_MS_NS);
    int64_t again_ns = sim_faults_maybe_again_ns(&stream->faults, &stream->schedule, stream->now_ns);
    if (again_ns != INT64_MIN) {
        *sim_schedule_put(&stream->schedule, again_ns) =
            (struct sim_pending){.kind = SIM_PENDING_PAYMENT_AGAIN, .payment = payment};
    }
    tell_sale(stream, &payment, false);
    return send_payment(stream, &payment, err);
}

/* On time when its partition has seen nothing yet, or nothing for so long that the rates of then may be forgotten. */
static int step_late(struct sim_stream *stream, struct mesh_err *err)
{
    int64_t now_ms = stream->now_ns / SIM_MS_NS;
    uint64_t card = sim_payments_card_once(&stream->payments);
    struct sim_payment payment = sim_payments_draw_of(&stream->payments, card, now_ms);
    enum sim_topic topic = sim_payment_topic(&payment);
    char key[SIM_KEY_MAX];
    char *end = sim_put_token(key, "crd-", card);
    int64_t newest_ms = stream->newest_ms[topic][partition_of(stream, topic, key, (size_t)(end - key))];
    bool late = newest_ms != NO_EVENT_TIME && newest_ms > now_ms - SIM_LATE_MAX_MS;
    if (late) {
        payment.paid_at_ms = sim_faults_late_ms(&stream->faults, newest_ms);
    }
    tell_sale(stream, &payment, late);
    if (send_payment(stream, &payment, err) != 0) {
        return -1;
    }
    if (late) {
        sim_truth_late(stream->truth, &payment, &stream->record, behind_ms(stream, payment.paid_at_ms));
    }
    return 0;
}

static int step_malformed(struct sim_stream *stream, struct mesh_err *err)
{
    uint64_t card = sim_payments_card_once(&stream->payments);
    struct sim_payment payment = sim_payments_draw_of(&stream->payments, card, stream->now_ns / SIM_MS_NS);
    enum sim_malformed how = sim_faults_break(&stream->faults, stream->contracts, &payment, &stream->record);
    /* A payment without a rate still moves its partition's watermark; the others are never read so far. */
    if (emit(stream, how == SIM_NO_RATE ? payment.paid_at_ms : NO_EVENT_TIME, err) != 0) {
        return -1;
    }
    sim_truth_malformed(stream->truth, &stream->record, how);
    return 0;
}

static int step_payment(struct sim_stream *stream, struct mesh_err *err)
{
    sim_faults_maybe_fraud(&stream->faults, &stream->payments, &stream->schedule, stream->now_ns);
    switch (sim_faults_fate(&stream->faults)) {
    case SIM_FATE_LATE:
        return step_late(stream, err);
    case SIM_FATE_MALFORMED:
        return step_malformed(stream, err);
    case SIM_FATE_ORDINARY:
        break;
    }
    return step_ordinary(stream, err);
}

static int step_ad(struct sim_stream *stream, struct mesh_err *err)
{
    struct sim_ad ad = sim_ads_draw(&stream->ads, stream->now_ns / SIM_MS_NS);
    int64_t again_ns = sim_faults_maybe_again_ns(&stream->faults, &stream->schedule, stream->now_ns);
    if (again_ns != INT64_MIN) {
        *sim_schedule_put(&stream->schedule, again_ns) = (struct sim_pending){.kind = SIM_PENDING_AD_AGAIN, .ad = ad};
    }
    sim_encode_ad(&stream->record, stream->contracts, &ad);
    return emit(stream, ad.at_ms, err);
}

static int step_order(struct sim_stream *stream, struct mesh_err *err)
{
    struct sim_order order = sim_customers_order(&stream->customers, stream->now_ns / SIM_MS_NS);
    sim_encode_order(&stream->record, stream->contracts, &order);
    return emit(stream, order.at_ms, err);
}

static int step_stock(struct sim_stream *stream, struct mesh_err *err)
{
    struct sim_stock_event event = sim_stock_draw(&stream->stock, stream->now_ns / SIM_MS_NS);
    sim_encode_stock(&stream->record, stream->contracts, &event);
    return emit(stream, event.at_ms, err);
}

static int step_customer(struct sim_stream *stream, struct mesh_err *err)
{
    int64_t now_ms = stream->now_ns / SIM_MS_NS;
    if (sim_chance(&stream->rng, UINT64_C(1) << 31)) {
        struct sim_consent_event consent = sim_customers_decide(&stream->customers, now_ms);
        sim_encode_consent(&stream->record, stream->contracts, &consent);
    } else {
        struct sim_customer_event customer = sim_customers_change(&stream->customers, now_ms);
        sim_encode_customer(&stream->record, stream->contracts, &customer);
    }
    return emit(stream, now_ms, err);
}

static int step_arrival(struct sim_stream *stream, struct mesh_err *err)
{
    uint64_t r = mesh_rng_next(&stream->rng) >> 32;
    sim_day_advance(&stream->day);
    if (r < stream->below[SIM_ARRIVAL_PAYMENT]) {
        return step_payment(stream, err);
    }
    if (r < stream->below[SIM_ARRIVAL_AD]) {
        return step_ad(stream, err);
    }
    if (r < stream->below[SIM_ARRIVAL_ORDER]) {
        return step_order(stream, err);
    }
    return r < stream->below[SIM_ARRIVAL_STOCK] ? step_stock(stream, err) : step_customer(stream, err);
}

static int step_pending(struct sim_stream *stream, struct mesh_err *err)
{
    struct sim_pending pending = sim_schedule_take(&stream->schedule);
    switch (pending.kind) {
    case SIM_PENDING_AD_AGAIN:
        sim_encode_ad(&stream->record, stream->contracts, &pending.ad);
        if (emit(stream, pending.ad.at_ms, err) != 0) {
            return -1;
        }
        sim_truth_again_ad(stream->truth, &pending.ad, &stream->record, behind_ms(stream, pending.ad.at_ms));
        return 0;
    case SIM_PENDING_PAYMENT_AGAIN:
        if (send_payment(stream, &pending.payment, err) != 0) {
            return -1;
        }
        sim_truth_again_payment(stream->truth, &pending.payment, &stream->record, behind_ms(stream, pending.payment.paid_at_ms));
        return 0;
    case SIM_PENDING_FRAUD:
        break;
    }
    tell_sale(stream, &pending.payment, false);
    if (send_payment(stream, &pending.payment, err) != 0) {
        return -1;
    }
    if (pending.completes != SIM_RULE_NONE) {
        sim_truth_fraud(stream->truth, &pending.payment, &stream->record, pending.completes);
    }
    return 0;
}

static int send_rate(struct sim_stream *stream, const struct sim_rate *rate, struct mesh_err *err)
{
    sim_encode_rate(&stream->record, stream->contracts, rate);
    return emit(stream, rate->valid_from_ms, err);
}

static int64_t rates_next_ns(const struct sim_stream *stream, enum sim_currency *ret_currency)
{
    if (!wanted(stream, SIM_DOMAIN_SALES_FRAUD)) {
        return INT64_MAX;
    }
    return (sim_rates_next_ms(&stream->rates, ret_currency) - SIM_RATES_LEAD_MS) * SIM_MS_NS;
}

int64_t sim_stream_next_ns(const struct sim_stream *stream)
{
    enum sim_currency currency;
    int64_t at_ns = stream->day.next_ns;
    int64_t pending_ns = sim_schedule_next_ns(&stream->schedule);
    int64_t rate_ns = rates_next_ns(stream, &currency);
    at_ns = pending_ns < at_ns ? pending_ns : at_ns;
    return rate_ns < at_ns ? rate_ns : at_ns;
}

int sim_stream_step(struct sim_stream *stream, struct mesh_err *err)
{
    enum sim_currency currency = SIM_EUR;
    int64_t pending_ns = sim_schedule_next_ns(&stream->schedule);
    int64_t rate_ns = rates_next_ns(stream, &currency);
    stream->now_ns = sim_stream_next_ns(stream);
    struct sim_truth *truth = stream->truth;
    truth->last_ms = stream->now_ns / SIM_MS_NS;
    truth->first_ms = truth->first_ms == INT64_MIN ? truth->last_ms : truth->first_ms;
    if (rate_ns == stream->now_ns) {
        return send_rate(stream, sim_rates_change(&stream->rates, currency), err);
    }
    return pending_ns == stream->now_ns ? step_pending(stream, err) : step_arrival(stream, err);
}

static int send_first_rates(struct sim_stream *stream, struct mesh_err *err)
{
    for (enum sim_currency c = SIM_EUR; c < SIM_CURRENCY_COUNT; c++) {
        if (send_rate(stream, sim_rates_first(&stream->rates, c), err) != 0) {
            return -1;
        }
    }
    for (enum sim_currency c; rates_next_ns(stream, &c) <= stream->now_ns;) {
        if (send_rate(stream, sim_rates_change(&stream->rates, c), err) != 0) {
            return -1;
        }
    }
    return 0;
}

int sim_stream_master_data(struct sim_stream *stream, struct mesh_err *err)
{
    int64_t at_ms = stream->options->start_ms - MASTER_BEFORE_MS;
    if (wanted(stream, SIM_DOMAIN_SALES_FRAUD) && send_first_rates(stream, err) != 0) {
        return -1;
    }
    for (uint32_t i = 0; wanted(stream, SIM_DOMAIN_PRODUCT_STOCK) && i < SIM_PRODUCTS; i++) {
        sim_encode_product(&stream->record, stream->contracts, &stream->stock, i, at_ms + i);
        if (emit(stream, at_ms + i, err) != 0) {
            return -1;
        }
    }
    for (uint32_t i = 0; wanted(stream, SIM_DOMAIN_CUSTOMER) && i < SIM_CUSTOMERS_FIRST; i++) {
        struct sim_customer_event customer = sim_customers_join(&stream->customers, at_ms + i);
        sim_encode_customer(&stream->record, stream->contracts, &customer);
        if (emit(stream, customer.at_ms, err) != 0) {
            return -1;
        }
    }
    return 0;
}
