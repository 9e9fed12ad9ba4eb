/* A value is written by a pointer that moves; SIM_VALUE_MAX is far above the longest record, and every string put here is one of
 * ours with a known bound. */
#include "sim/record.h"

#include "base/check.h"

static uint8_t *put_long(uint8_t *to, int64_t v)
{
    uint64_t z = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    while (z >= 0x80) {
        *to++ = (uint8_t)(z | 0x80);
        z >>= 7;
    }
    *to++ = (uint8_t)z;
    return to;
}

static uint8_t *put_text(uint8_t *to, const char *text)
{
    size_t n = strlen(text);
    to = put_long(to, (int64_t)n);
    memcpy(to, text, n);
    return to + n;
}

/* Strings written in place by a sim_put_ function: all are shorter than 64 bytes, so the length takes one byte. */
static uint8_t *end_string(uint8_t *begin, char *end)
{
    ptrdiff_t n = end - (char *)begin - 1;
    mesh_assert(n < 64);
    *begin = (uint8_t)(n * 2);
    return (uint8_t *)end;
}

static char *body(uint8_t *begin)
{
    return (char *)begin + 1;
}

/* A decimal: the fewest bytes of two's complement, big-endian. */
static uint8_t *put_decimal(uint8_t *to, int64_t v)
{
    int n = 1;
    while (n < 8 && (v >> (8 * n - 1)) != 0 && (v >> (8 * n - 1)) != -1) {
        n++;
    }
    *to++ = (uint8_t)(n * 2);
    for (int i = n - 1; i >= 0; i--) {
        *to++ = (uint8_t)((uint64_t)v >> (8 * i));
    }
    return to;
}

static uint8_t *begin_value(struct sim_record *record, const struct sim_contracts *contracts, enum sim_topic topic)
{
    uint32_t id = contracts->ids[topic];
    record->topic = topic;
    uint8_t *to = record->value;
    to[0] = 0;
    to[1] = (uint8_t)(id >> 24);
    to[2] = (uint8_t)(id >> 16);
    to[3] = (uint8_t)(id >> 8);
    to[4] = (uint8_t)id;
    return to + 5;
}

static void end_value(struct sim_record *record, const uint8_t *end)
{
    record->value_n = (uint32_t)(end - record->value);
    mesh_assert(record->value_n <= SIM_VALUE_MAX);
}

static void end_key(struct sim_record *record, const char *end)
{
    record->key_n = (uint32_t)(end - record->key);
}

void sim_encode_payment(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_payment *payment,
                        const char *currency)
{
    end_key(record, sim_put_token(record->key, "crd-", payment->card));
    uint8_t *to = begin_value(record, contracts, sim_payment_topic(payment));
    to = end_string(to, sim_put_token(body(to), "pay-", payment->number));
    *to++ = (uint8_t)(record->key_n * 2);
    memcpy(to, record->key, SIM_TOKEN_BYTES);
    to += SIM_TOKEN_BYTES;
    to = end_string(to, sim_put_terminal(body(to), payment->country, payment->channel, payment->terminal));
    record->channel_at = (uint32_t)(to - record->value);
    to = put_long(to, payment->channel);
    to = put_long(to, payment->method);
    to = put_text(to, sim_countries[payment->country].code);
    to = put_text(to, sim_categories[payment->category].name);
    to = put_decimal(to, payment->amount);
    to = put_text(to, currency);
    if (payment->campaign < 0) {
        to = put_long(to, 0);
    } else {
        to = put_long(to, 1);
        to = end_string(to, sim_put_campaign(body(to), (uint32_t)payment->campaign));
    }
    end_value(record, put_long(to, payment->paid_at_ms));
}

void sim_encode_rate(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_rate *rate)
{
    const char *currency = sim_currencies[rate->currency];
    end_key(record, sim_put_text(record->key, currency));
    uint8_t *to = begin_value(record, contracts, SIM_RATES);
    to = put_text(to, currency);
    to = put_long(to, rate->valid_from_ms);
    end_value(record, put_decimal(to, rate->eur_e6));
}

void sim_encode_customer(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_customer_event *event)
{
    end_key(record, sim_put_customer(record->key, event->customer));
    uint8_t *to = begin_value(record, contracts, SIM_CUSTOMERS);
    to = end_string(to, sim_put_customer(body(to), event->customer));
    if (event->customer % 8 == 7 || event->state->deleted) {
        to = put_long(to, 0);
    } else {
        to = put_long(to, 1);
        to = end_string(to, sim_put_text(sim_put_customer(body(to), event->customer), "@mail.example"));
    }
    to = put_text(to, sim_countries[event->state->country].code);
    to = put_text(to, sim_segments[event->state->segment]);
    *to++ = event->state->deleted;
    end_value(record, put_long(to, event->at_ms));
}

void sim_encode_consent(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_consent_event *event)
{
    end_key(record, sim_put_customer(record->key, event->customer));
    uint8_t *to = begin_value(record, contracts, SIM_CONSENTS);
    to = end_string(to, sim_put_customer(body(to), event->customer));
    to = put_text(to, sim_purposes[event->purpose]);
    *to++ = event->granted;
    end_value(record, put_long(to, event->at_ms));
}

void sim_encode_order(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_order *order)
{
    end_key(record, sim_put_customer(record->key, order->customer));
    uint8_t *to = begin_value(record, contracts, SIM_ORDERS);
    to = end_string(to, sim_put_token(body(to), "ord-", order->number));
    to = end_string(to, sim_put_customer(body(to), order->customer));
    to = put_long(to, order->channel);
    to = put_decimal(to, order->amount_cents);
    to = put_long(to, order->at_ms);
    to = put_long(to, order->n_lines);
    for (uint32_t i = 0; i < order->n_lines; i++) {
        to = end_string(to, sim_put_product(body(to), order->lines[i].product));
        to = put_long(to, order->lines[i].pieces);
        to = put_decimal(to, order->lines[i].amount_cents);
    }
    end_value(record, put_long(to, 0));
}

void sim_encode_stock(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_stock_event *event)
{
    end_key(record, sim_put_product(record->key, event->product));
    uint8_t *to = begin_value(record, contracts, event->count ? SIM_COUNTS : SIM_MOVEMENTS);
    if (!event->count) {
        to = end_string(to, sim_put_token(body(to), "mov-", event->number));
    }
    to = end_string(to, sim_put_product(body(to), event->product));
    to = end_string(to, sim_put_store(body(to), event->store));
    to = put_long(to, event->pieces);
    end_value(record, put_long(to, event->at_ms));
}

void sim_encode_product(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_stock *stock,
                        uint32_t product, int64_t changed_ms)
{
    end_key(record, sim_put_product(record->key, product));
    uint8_t *to = begin_value(record, contracts, SIM_PRODUCTS_TOPIC);
    to = end_string(to, sim_put_product(body(to), product));
    to = end_string(to, sim_stock_put_name(body(to), stock, product));
    to = put_text(to, sim_categories[stock->products[product].category].name);
    to = put_long(to, stock->products[product].reorder_point);
    end_value(record, put_long(to, changed_ms));
}

void sim_encode_ad(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_ad *ad)
{
    end_key(record, sim_put_campaign(record->key, ad->campaign));
    uint8_t *to = begin_value(record, contracts, SIM_AD_EVENTS);
    to = end_string(to, sim_put_token(body(to), "adv-", ad->number));
    to = end_string(to, sim_put_campaign(body(to), ad->campaign));
    to = put_long(to, ad->kind);
    to = put_decimal(to, ad->cost_e4);
    end_value(record, put_long(to, ad->at_ms));
}
