/* One Kafka record on its way out, and the encoders that fill it: Confluent framing (00, schema id) and Avro binary.
 *
 * The layouts are written by hand for speed; sim_contracts_read() compares them with the contracts of the tree, so that a contract
 * that changed is a message, not a wrong byte.
 */
#ifndef SIM_RECORD_H
#define SIM_RECORD_H

#include "mesh/err.h"
#include "sim/ads.h"
#include "sim/customers.h"
#include "sim/payments.h"
#include "sim/stock.h"

#define SIM_KEY_MAX   32
#define SIM_VALUE_MAX 384 /* the longest record has about 160 bytes */

struct sim_record {
    enum sim_topic topic;
    int32_t partition;
    int64_t timestamp_ms;
    uint32_t key_n, value_n;
    uint32_t channel_at; /* payments: where the channel stands in value, for the one who breaks it */
    char key[SIM_KEY_MAX];
    uint8_t value[SIM_VALUE_MAX];
};

struct sim_contracts {
    uint32_t ids[SIM_TOPIC_COUNT];
    uint32_t unknown_id; /* belongs to none of them */
};

/* Read the contracts below `folder` and compare them with what the encoders write. */
int sim_contracts_read(const char *folder, struct sim_contracts *ret, struct mesh_err *err);

/* Each fills topic, key and value. */
void sim_encode_payment(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_payment *payment,
                        const char *currency);
void sim_encode_rate(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_rate *rate);
void sim_encode_customer(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_customer_event *event);
void sim_encode_consent(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_consent_event *event);
void sim_encode_order(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_order *order);
void sim_encode_stock(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_stock_event *event);
void sim_encode_product(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_stock *stock,
                        uint32_t product, int64_t changed_ms);
void sim_encode_ad(struct sim_record *record, const struct sim_contracts *contracts, const struct sim_ad *ad);

#endif
