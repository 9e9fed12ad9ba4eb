/* What OmniShop is made of: topics, countries, currencies, categories, and how its things are called.
 *
 * Everything here is fixed, except the run number: 64 bits drawn from seed and start. Things that exist once (a payment, an order,
 * a fraudster's card) carry it in their identifier, so that two runs into the same broker never speak of the same payment. Things
 * that last (products, customers, ordinary cards, campaigns) are called the same in every run.
 *
 * An identifier is a prefix of four letters and 16 hexadecimal digits of sim_mix(number), a bijection: different numbers never
 * meet.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/rng.h"
#include "mesh/value.h"

#include <stddef.h>

#define SIM_TOKEN_BYTES   20 /* "pay-" and 16 digits */
#define SIM_PRODUCTS      500
#define SIM_STORES        12
#define SIM_CAMPAIGNS     40
#define SIM_TERMINALS_MAX 120 /* of one country and channel */

#define SIM_MINUTE_MS INT64_C(60000)
#define SIM_HOUR_MS   (60 * SIM_MINUTE_MS)
#define SIM_DAY_MS    (24 * SIM_HOUR_MS)
#define SIM_MS_NS     INT64_C(1000000)
#define SIM_SECOND_NS INT64_C(1000000000)

enum sim_topic {
    SIM_CARD_PAYMENTS, /* payments of channel WEB */
    SIM_SHOP_PAYMENTS, /* payments of channel SHOP */
    SIM_RATES,
    SIM_CUSTOMERS,
    SIM_CONSENTS,
    SIM_ORDERS,
    SIM_MOVEMENTS,
    SIM_COUNTS,
    SIM_PRODUCTS_TOPIC,
    SIM_AD_EVENTS,
    SIM_TOPIC_COUNT
};

enum sim_domain {
    SIM_DOMAIN_CUSTOMER = 1,
    SIM_DOMAIN_PRODUCT_STOCK = 2,
    SIM_DOMAIN_SALES_FRAUD = 4,
    SIM_DOMAIN_MARKETING = 8,
    SIM_DOMAIN_ALL = 15
};

struct sim_topic_info {
    const char *name;
    const char *contract; /* below the contracts folder */
    enum sim_domain domain;
};

enum sim_channel { SIM_WEB, SIM_SHOP };
enum sim_method { SIM_CREDIT, SIM_DEBIT, SIM_WALLET, SIM_GIFT_CARD, SIM_METHOD_COUNT };
enum sim_currency { SIM_EUR, SIM_GBP, SIM_USD, SIM_CHF, SIM_PLN, SIM_SEK, SIM_DKK, SIM_CZK, SIM_CURRENCY_COUNT };

enum { SIM_COUNTRIES = 15, SIM_CATEGORIES = 10 };

struct sim_country {
    const char *code;
    enum sim_currency currency;
    uint16_t weight; /* share of the cards, in 1/1024; all together 1024 */
    uint16_t terminals;
};

struct sim_category {
    const char *name;
    uint16_t weight;              /* in 1/1024, all together 1024 */
    int32_t price_min, price_max; /* cents of euro */
};

extern const struct sim_topic_info sim_topics[SIM_TOPIC_COUNT];
extern const struct sim_country sim_countries[SIM_COUNTRIES];
extern const struct sim_category sim_categories[SIM_CATEGORIES];
extern const char *const sim_methods[SIM_METHOD_COUNT];
extern const char *const sim_currencies[SIM_CURRENCY_COUNT];
extern const int32_t sim_currency_eur_e6[SIM_CURRENCY_COUNT]; /* millionths of a euro, about which the rates wander */

struct sim_world {
    uint64_t run;             /* the run number; its top bit is set */
    uint8_t country_of[1024]; /* a random 10-bit number -> country, by weight */
    uint8_t category_of[1024];
};

void sim_world_init(struct sim_world *world, uint64_t seed, int64_t start_ms);

/* An own random stream for each subject, so that one does not move the other. */
void sim_rng_init(struct mesh_rng *rng, uint64_t seed, const char *subject);

/* A bijection of 64-bit numbers that looks random (splitmix64's finalizer). */
static inline uint64_t sim_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* True with probability `threshold` / 2^32. */
static inline bool sim_chance(struct mesh_rng *rng, uint64_t threshold)
{
    return (mesh_rng_next(rng) >> 32) < threshold;
}

static inline int64_t sim_between(struct mesh_rng *rng, int64_t min, int64_t max)
{
    return min + (int64_t)mesh_rng_below(rng, (uint64_t)(max - min) + 1);
}

/* Names, written at `to` without a NUL; each returns where it stopped and writes at most SIM_TOKEN_BYTES. */
char *sim_put_token(char *to, const char prefix[4], uint64_t number);
char *sim_put_digits(char *to, uint64_t value, int digits); /* with leading zeros */
char *sim_put_text(char *to, const char *text);
char *sim_put_customer(char *to, uint32_t customer);                                           /* "cus-0000042" */
char *sim_put_product(char *to, uint32_t product);                                             /* "sku-00042" */
char *sim_put_store(char *to, uint32_t store);                                                 /* "sto-07" */
char *sim_put_campaign(char *to, uint32_t campaign);                                           /* "CMP-007" */
char *sim_put_terminal(char *to, uint32_t country, enum sim_channel channel, uint32_t number); /* "T-DE-0042" */

#endif
