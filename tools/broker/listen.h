/* A fixed address for the mock cluster, which by itself listens on a port of the kernel's choice.
 *
 * Three steps, because the order matters: `claim` takes the port first (so that a port in use is an
 * error before anything else happens), `attach` makes a cluster that calls itself by that address,
 * and `open` lets clients in. Between the last two the topics are created: a client that came
 * earlier would have the mock create them by itself, with four partitions each.
 */
#ifndef MESH_BROKER_LISTEN_H
#define MESH_BROKER_LISTEN_H

#include "mesh/err.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

struct mesh_broker_listen {
    char address[32]; /* host:port, with the port that was really taken */
    int own_fd;       /* bound to the address, not yet listening; -1 once the cluster has it */
    int mock_fd;      /* the cluster's own listening socket, owned by the cluster */
};

/* Take HOST:PORT (port 0: the kernel chooses). Only addresses of this machine's loopback are
 * accepted: the broker knows neither passwords nor encryption. */
int mesh_broker_listen_claim(struct mesh_broker_listen *listen, const char *address, struct mesh_err *err);

/* Make a cluster of one broker under that address. The caller destroys it. NULL and `err` if this
 * librdkafka does it in a way that we do not know. */
rd_kafka_mock_cluster_t *mesh_broker_listen_attach(struct mesh_broker_listen *listen, rd_kafka_t *client, struct mesh_err *err);

/* From now on clients are served. Call it while prompt.h is on. */
int mesh_broker_listen_open(struct mesh_broker_listen *listen, struct mesh_err *err);

void mesh_broker_listen_deinit(struct mesh_broker_listen *listen);

#endif
