/* What the last run knew about the broker: its cluster id and how many partitions each topic has.
 *
 * Kept in the state's folder, so that the state can be restored and served before a broker answers.
 * A small text file, written whole or not at all:
 *
 *     mesh-topology 1
 *     cluster lkz1...
 *     topic omnishop.sales.payments 4
 */
#ifndef MESH_APP_KNOWN_H
#define MESH_APP_KNOWN_H

#include "base/map.h"
#include "io/kafka_link.h"

#define MESH_KNOWN_FILE      "TOPOLOGY"
#define MESH_KNOWN_BYTES_MAX (1u << 20)

struct mesh_known {
    char cluster_id[128];
    struct mesh_map topics; /* name -> (void *)(intptr_t)partitions */
};

void mesh_known_deinit(struct mesh_known *known);
/* 0; 1: there is no such file, or it is not one of these. */
int mesh_known_read(const char *dir, struct mesh_known *ret);
int mesh_known_write(const char *dir, const struct mesh_known *known, struct mesh_err *err);
void mesh_known_set(struct mesh_known *known, const char *cluster_id, const struct mesh_link_topic *topics, uint32_t n);
int32_t mesh_known_partitions(const struct mesh_known *known, const char *topic); /* 0: unknown */

#endif
