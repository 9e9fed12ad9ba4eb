/* The one stream of everything that happens at OmniShop, in the order of the event clock.
 *
 * Arrivals come as the day has it, and each becomes one record: of 100, about 60 payments, 20 advertisements, 8 orders, 8 of the
 * stock and 4 of customers or consents. Between them come rate changes, the payments of fraud campaigns, and duplicates when they
 * are due. So every step is exactly one record.
 *
 * The event clock of a step is the event time of its record and its Kafka timestamp, except: late payments and duplicates carry an
 * older event time, rate changes a newer one; their Kafka timestamp is the event clock too. Master data comes first, stamped with
 * the start: rates (valid from two days before), products and customers (from an hour before).
 */
#ifndef SIM_STREAM_H
#define SIM_STREAM_H

#include "sim/options.h"
#include "sim/sink.h"
#include "sim/truth.h"

enum sim_arrival {
    SIM_ARRIVAL_PAYMENT,
    SIM_ARRIVAL_AD,
    SIM_ARRIVAL_ORDER,
    SIM_ARRIVAL_STOCK,
    SIM_ARRIVAL_CUSTOMER,
    SIM_ARRIVAL_COUNT
};

struct sim_stream {
    const struct sim_options *options;
    const struct sim_contracts *contracts;
    const int32_t *partitions;
    struct sim_sink *sink;
    struct sim_truth *truth;
    struct mesh_rng rng;
    uint64_t below[SIM_ARRIVAL_COUNT]; /* cumulated shares of the arrivals in 1/2^32 */
    struct sim_world world;
    struct sim_day day;
    struct sim_rates rates;
    struct sim_payments payments;
    struct sim_customers customers;
    struct sim_stock stock;
    struct sim_ads ads;
    struct sim_faults faults;
    struct sim_schedule schedule;
    struct sim_record record; /* the one being made */
    int64_t now_ns;
    int64_t newest_ms[SIM_TOPIC_COUNT][SIM_PARTITIONS_MAX]; /* event time already sent; INT64_MIN: none */
};

/* Large: allocate it. Everything pointed to outlives the stream. */
void sim_stream_init(struct sim_stream *stream, const struct sim_options *options, const struct sim_contracts *contracts,
                     const int32_t *partitions, struct sim_sink *sink, struct sim_truth *truth);
void sim_stream_deinit(struct sim_stream *stream);

int sim_stream_master_data(struct sim_stream *stream, struct mesh_err *err);
/* When the next step happens. */
int64_t sim_stream_next_ns(const struct sim_stream *stream);
int sim_stream_step(struct sim_stream *stream, struct mesh_err *err);

#endif
