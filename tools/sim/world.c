/* Prices end at 450 euro and begin at 3: with rates that wander by 2.5 % no ordinary payment comes near the limits of the fraud
 * rules (2 and 500 euro). What is called ordinary here is relied upon by faults.c and proven by tests/sim. */
#include "sim/world.h"

#include "base/check.h"

const struct sim_topic_info sim_topics[SIM_TOPIC_COUNT] = {
    [SIM_CARD_PAYMENTS] = {"omnishop.sales.card-payments", "sales_fraud/payment.v1.avsc", SIM_DOMAIN_SALES_FRAUD},
    [SIM_SHOP_PAYMENTS] = {"omnishop.sales.shop-payments", "sales_fraud/payment.v1.avsc", SIM_DOMAIN_SALES_FRAUD},
    [SIM_RATES] = {"omnishop.finance.rates", "finance/rate.v1.avsc", SIM_DOMAIN_SALES_FRAUD},
    [SIM_CUSTOMERS] = {"omnishop.crm.customers", "customer/customer_record.v1.avsc", SIM_DOMAIN_CUSTOMER},
    [SIM_CONSENTS] = {"omnishop.crm.consents", "customer/consent.v1.avsc", SIM_DOMAIN_CUSTOMER},
    [SIM_ORDERS] = {"omnishop.sales.orders", "customer/order.v2.avsc", SIM_DOMAIN_CUSTOMER},
    [SIM_MOVEMENTS] = {"omnishop.stock.movements", "product_stock/movement.v1.avsc", SIM_DOMAIN_PRODUCT_STOCK},
    [SIM_COUNTS] = {"omnishop.stock.counts", "product_stock/stock_count.v1.avsc", SIM_DOMAIN_PRODUCT_STOCK},
    [SIM_PRODUCTS_TOPIC] = {"omnishop.stock.products", "product_stock/product.v1.avsc", SIM_DOMAIN_PRODUCT_STOCK},
    [SIM_AD_EVENTS] = {"omnishop.marketing.ad-events", "marketing/ad_event.v1.avsc", SIM_DOMAIN_MARKETING},
};

const struct sim_country sim_countries[SIM_COUNTRIES] = {
    {"DE", SIM_EUR, 210, 120}, {"FR", SIM_EUR, 140, 90}, {"GB", SIM_GBP, 130, 80}, {"IT", SIM_EUR, 100, 70},
    {"ES", SIM_EUR, 90, 60},   {"PL", SIM_PLN, 70, 50},  {"NL", SIM_EUR, 60, 40},  {"US", SIM_USD, 50, 30},
    {"BE", SIM_EUR, 36, 24},   {"SE", SIM_SEK, 32, 20},  {"AT", SIM_EUR, 32, 20},  {"CH", SIM_CHF, 28, 18},
    {"CZ", SIM_CZK, 20, 14},   {"DK", SIM_DKK, 14, 10},  {"IE", SIM_EUR, 12, 8},
};

const struct sim_category sim_categories[SIM_CATEGORIES] = {
    {"groceries", 300, 300, 12000},   {"fashion", 160, 900, 18000}, {"home", 110, 700, 25000}, {"beauty", 90, 400, 9000},
    {"electronics", 90, 1200, 45000}, {"books", 70, 500, 6000},     {"toys", 64, 600, 9000},   {"sports", 60, 900, 22000},
    {"garden", 40, 600, 19000},       {"pets", 40, 400, 8000},
};

const char *const sim_methods[SIM_METHOD_COUNT] = {"CREDIT", "DEBIT", "WALLET", "GIFT_CARD"};

const char *const sim_currencies[SIM_CURRENCY_COUNT] = {"EUR", "GBP", "USD", "CHF", "PLN", "SEK", "DKK", "CZK"};

const int32_t sim_currency_eur_e6[SIM_CURRENCY_COUNT] = {
    1000000, 1170000, 920000, 1040000, 232000, 88000, 134000, 40000,
};

void sim_world_init(struct sim_world *world, uint64_t seed, int64_t start_ms)
{
    world->run = sim_mix(sim_mix(seed + UINT64_C(0x9e3779b97f4a7c15)) ^ (uint64_t)start_ms) | (UINT64_C(1) << 63);
    size_t n = 0;
    for (unsigned i = 0; i < SIM_COUNTRIES; i++) {
        mesh_assert(sim_countries[i].terminals <= SIM_TERMINALS_MAX);
        for (uint16_t w = 0; w < sim_countries[i].weight; w++) {
            world->country_of[n++] = (uint8_t)i;
        }
    }
    mesh_assert(n == sizeof world->country_of);
    n = 0;
    for (unsigned i = 0; i < SIM_CATEGORIES; i++) {
        for (uint16_t w = 0; w < sim_categories[i].weight; w++) {
            world->category_of[n++] = (uint8_t)i;
        }
    }
    mesh_assert(n == sizeof world->category_of);
}

void sim_rng_init(struct mesh_rng *rng, uint64_t seed, const char *subject)
{
    uint64_t h = seed;
    for (const char *p = subject; *p != '\0'; p++) {
        h = sim_mix(h * 31 + (uint8_t)*p + 1);
    }
    mesh_rng_seed(rng, h);
}

char *sim_put_token(char *to, const char prefix[4], uint64_t number)
{
    static const char hex[] = "0123456789abcdef";
    uint64_t x = sim_mix(number);
    memcpy(to, prefix, 4);
    for (int i = 19; i >= 4; i--) {
        to[i] = hex[x & 15];
        x >>= 4;
    }
    return to + SIM_TOKEN_BYTES;
}

char *sim_put_digits(char *to, uint64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        to[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return to + digits;
}

char *sim_put_text(char *to, const char *text)
{
    size_t n = strlen(text);
    memcpy(to, text, n);
    return to + n;
}

char *sim_put_customer(char *to, uint32_t customer)
{
    return sim_put_digits(sim_put_text(to, "cus-"), customer, 7);
}

char *sim_put_product(char *to, uint32_t product)
{
    return sim_put_digits(sim_put_text(to, "sku-"), product, 5);
}

char *sim_put_store(char *to, uint32_t store)
{
    return sim_put_digits(sim_put_text(to, "sto-"), store, 2);
}

char *sim_put_campaign(char *to, uint32_t campaign)
{
    return sim_put_digits(sim_put_text(to, "CMP-"), campaign, 3);
}

char *sim_put_terminal(char *to, uint32_t country, enum sim_channel channel, uint32_t number)
{
    *to++ = channel == SIM_WEB ? 'W' : 'T';
    *to++ = '-';
    to = sim_put_text(to, sim_countries[country].code);
    *to++ = '-';
    return sim_put_digits(to, number, 4);
}
