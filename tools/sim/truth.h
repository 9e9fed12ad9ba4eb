/* What a service that reads the events must find.
 *
 * A file of JSON lines, written when --truth is given. One line for each injected thing at the moment it was sent:
 *   {"kind":"fraud","rule":"velocity","card_id":"crd-..","payment_id":"pay-..","topic":"..","partition":0,"at":"2026-11-21T08:00:00Z"}
 *       payment_id is the payment that completes the pattern; at is its event time. Campaigns cut off by the end are not there.
 *   {"kind":"duplicate","topic":"..","partition":0,"payment_id":"pay-..","at":"..","behind_ms":81234}
 *   {"kind":"duplicate","topic":"..","partition":0,"event_id":"adv-..","at":"..","behind_ms":81234}
 *       behind_ms: newest event time of that partition minus this one's.
 *   {"kind":"late","topic":"..","partition":0,"payment_id":"pay-..","at":"..","behind_ms":1534000}
 *   {"kind":"malformed","how":"truncated","topic":"..","partition":0,"key":"crd-.."}
 * and a last line {"kind":"totals", ...} at the end, also after a signal. In it:
 *   records, first_at, last_at (event clock, first event after master data and last), topics{name: records}
 *   injected{fraud{velocity,probes}, duplicate{payments,ads}, late, malformed{how: n}}
 *   sales{n, total_eur, late_n, late_eur, by_country, by_category, by_method, by_campaign}, each group with the same four numbers:
 *       all valid payments but duplicates, late ones included in n and total_eur. What closed minute windows show is n - late_n.
 *   campaigns{id: impressions, clicks, spend_eur, sales, revenue_eur}
 *   customers{id: country, segment, orders, web_orders, spend_eur, last_seen, marketing_consent}, without the deleted_customers
 *   stock{product: {store: on_hand}}, low_stock (signals)
 * The totals hold for a run that ended with exit code 0. Amounts are strings with exact decimals.
 */
#ifndef SIM_TRUTH_H
#define SIM_TRUTH_H

#include "base/buf.h"
#include "mesh/err.h"
#include "sim/faults.h"

struct sim_sum {
    int64_t n, late_n;
    mesh_dec eur, late_eur; /* cents */
};

struct sim_truth {
    const char *path; /* NULL: counts only */
    int fd;
    struct mesh_buf lines;
    uint64_t n_records[SIM_TOPIC_COUNT];
    uint64_t n_fraud[SIM_RULE_COUNT];
    uint64_t n_again_payments, n_again_ads, n_late;
    uint64_t n_malformed[SIM_MALFORMED_COUNT];
    struct sim_sum all;
    struct sim_sum by_country[SIM_COUNTRIES];
    struct sim_sum by_category[SIM_CATEGORIES];
    struct sim_sum by_method[SIM_METHOD_COUNT];
    struct sim_sum by_campaign[SIM_CAMPAIGNS];
    int64_t first_ms, last_ms; /* event clock; first_ms INT64_MIN: no event yet */
};

int sim_truth_open(struct sim_truth *truth, const char *path, struct mesh_err *err);
void sim_truth_deinit(struct sim_truth *truth);
/* Write out what is buffered. */
int sim_truth_flush(struct sim_truth *truth, struct mesh_err *err);

/* A valid payment that is no duplicate. */
void sim_truth_sale(struct sim_truth *truth, const struct sim_payment *payment, int64_t eur_cents, bool late);
void sim_truth_fraud(struct sim_truth *truth, const struct sim_payment *payment, const struct sim_record *record,
                     enum sim_rule rule);
void sim_truth_again_payment(struct sim_truth *truth, const struct sim_payment *payment, const struct sim_record *record,
                             int64_t behind_ms);
void sim_truth_again_ad(struct sim_truth *truth, const struct sim_ad *ad, const struct sim_record *record, int64_t behind_ms);
void sim_truth_late(struct sim_truth *truth, const struct sim_payment *payment, const struct sim_record *record, int64_t behind_ms);
void sim_truth_malformed(struct sim_truth *truth, const struct sim_record *record, enum sim_malformed how);

/* The last line, and flush. */
int sim_truth_totals(struct sim_truth *truth, const struct sim_customers *customers, const struct sim_stock *stock,
                     const struct sim_ads *ads, struct mesh_err *err);

#endif
