/* What goes wrong, on purpose.
 *
 * Fraud. A campaign uses a card of its own on one topic, and completes exactly one pattern of domains/sales_fraud once:
 *   velocity  six payments of 21 to 85 euro within 50 seconds (the rule: six within one minute)
 *   probes    three of less than 1.60 euro, then one of more than 580, within 8 minutes (the rule: 2, 500, 10 minutes)
 * Late. One payment of a card of its own, 20 minutes to 2 hours behind the newest payment already sent to its partition.
 * Malformed. One record with a key of its own that no reader may accept, broken in one of SIM_MALFORMED_COUNT ways. time_range and
 *   unknown_currency are valid Avro: the time is 150 years away, the currency has no rate.
 * Duplicates. An ordinary payment (or advertisement) is sent again, the same bytes, 1 second to 30 minutes later.
 */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include "sim/record.h"
#include "sim/schedule.h"

#define SIM_LATE_MIN_MS      (20 * SIM_MINUTE_MS)
#define SIM_LATE_MAX_MS      (2 * SIM_HOUR_MS)
#define SIM_DUPLICATE_MIN_MS 1000
#define SIM_DUPLICATE_MAX_MS (30 * SIM_MINUTE_MS)
#define SIM_UNKNOWN_CURRENCY "XTS"

enum sim_malformed {
    SIM_TRUNCATED,
    SIM_UNKNOWN_SCHEMA,
    SIM_ABSURD_LENGTH,
    SIM_INVALID_UTF8,
    SIM_WRONG_MAGIC,
    SIM_ENUM_RANGE,
    SIM_TRAILING_BYTES,
    SIM_TIME_RANGE,
    SIM_NO_RATE,
    SIM_MALFORMED_COUNT
};

extern const char *const sim_malformed_names[SIM_MALFORMED_COUNT];
extern const char *const sim_rule_names[SIM_RULE_COUNT];

enum sim_fate { SIM_FATE_ORDINARY, SIM_FATE_LATE, SIM_FATE_MALFORMED };

struct sim_faults {
    struct mesh_rng rng;
    uint64_t fraud, duplicates, late, malformed; /* probabilities in 1/2^32 */
};

void sim_faults_init(struct sim_faults *faults, uint64_t seed, double fraud, double duplicates, double late, double malformed);

/* What becomes of the next payment. */
enum sim_fate sim_faults_fate(struct sim_faults *faults);
/* Perhaps begin a campaign: its payments are put into the schedule. */
void sim_faults_maybe_fraud(struct sim_faults *faults, struct sim_payments *payments, struct sim_schedule *schedule,
                            int64_t now_ns);
/* INT64_MIN, or when to send a record sent now again. */
int64_t sim_faults_maybe_again_ns(struct sim_faults *faults, const struct sim_schedule *schedule, int64_t now_ns);
int64_t sim_faults_late_ms(struct sim_faults *faults, int64_t newest_ms);
/* Encode the payment, broken in a random way. */
enum sim_malformed sim_faults_break(struct sim_faults *faults, const struct sim_contracts *contracts, struct sim_payment *payment,
                                    struct sim_record *record);

#endif
