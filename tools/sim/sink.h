/* Where records go: Kafka or a file.
 *
 * File, ndjson: one line a record,
 *     {"topic":"omnishop.finance.rates","partition":0,"timestamp_ms":1763712000000,"key":"EUR","value":"<Base64>"}
 * File, binary: "MESHSIM1", a byte n, n topics as slice (varint length, bytes) and varint partitions, then records to the end:
 *     byte topic (index), varint partition, zigzag timestamp_ms, slice key, slice value.   (mesh_get_* of base/buf.h read it)
 *
 * Kafka: idempotent and in order. The partition is set by the caller, the record's timestamp too. Nothing is given up: while no
 * broker answers, sending waits, which is said once. Once `stop` is set, waiting ends after SIM_FLUSH_MAX_S and what was not
 * delivered is counted.
 */
#ifndef SIM_SINK_H
#define SIM_SINK_H

#include "mesh/err.h"
#include "sim/options.h"
#include "sim/record.h"

#include <signal.h>

#define SIM_FLUSH_MAX_S      10
#define SIM_TOPIC_WAIT_MAX_S 30 /* for a topic that a reachable broker does not have */

struct sim_sink {
    int (*send)(struct sim_sink *sink, const struct sim_record *record, struct mesh_err *err);
    /* Called while there is nothing to send. */
    int (*idle)(struct sim_sink *sink, struct mesh_err *err);
    /* Everything out. *ret_lost: records that could not be delivered. */
    int (*flush)(struct sim_sink *sink, uint64_t *ret_lost, struct mesh_err *err);
    void (*free)(struct sim_sink *sink);
};

struct sim_sink *sim_sink_file_new(const char *path, enum sim_format format, const int32_t partitions[SIM_TOPIC_COUNT],
                                   struct mesh_err *err);
/* Waits for a broker and asks it for the partitions of the topics of `domains`. NULL: failed, or *stop was set (then err is clear).
 */
struct sim_sink *sim_sink_kafka_new(const char *brokers, unsigned domains, const volatile sig_atomic_t *stop,
                                    int32_t ret_partitions[SIM_TOPIC_COUNT], struct mesh_err *err);

#endif
