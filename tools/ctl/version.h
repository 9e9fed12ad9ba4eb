/* Two versions of a product beside each other: `meshctl replay`, `compare`, `cutover`, `rollback`.
 *
 * meshctl knows them by the folders of their states, which lie beside each other in one MESH_STATE_DIR: <state>/PRODUCT and
 * <state>/PRODUCT.v2. There it finds what each is (ROLE), where it is served (ADDRESS), and leaves what each is to do (ORDER); the files
 * are described in flow/role.h. Whatever is killed, meshctl too, the same command goes on where things stand.
 *
 * version.c folders, orders, questions; version_kafka.c topics; replay.c, compare.c and cutover.c the commands.
 */
#ifndef MESH_CTL_VERSION_H
#define MESH_CTL_VERSION_H

#include "base/arena.h"
#include "base/json.h"
#include "flow/role.h"
#include "io/kafka_security.h"

#include <librdkafka/rdkafka.h>

#include <limits.h>

enum { MESH_VERSION_EXIT_OK = 0, MESH_VERSION_EXIT_DIFFERS = 1, MESH_VERSION_EXIT_USAGE = 2 };

struct mesh_version_options {
    const char *product, *variant; /* variant: "base" is the version without a name */
    const char *state, *service, *listen, *brokers;
    int64_t from_us; /* INT64_MIN: the earliest */
    int64_t timeout_ms;
    int examples;
    bool wait, json;
};

struct mesh_version { /* one of the two */
    const char *name; /* "v2", "base" */
    char dir[PATH_MAX];
    struct mesh_role role; /* as the file says; without one: active or muted, by its name */
    bool exists;           /* it has a folder */
    struct mesh_arena arena;
    const struct mesh_json *ready; /* its part of /readyz; NULL: nobody answered */
    int port;
};

int mesh_version_open(struct mesh_version *version, const struct mesh_version_options *options, const char *name,
                      struct mesh_err *err);
void mesh_version_close(struct mesh_version *version);
/* Read its role again. */
int mesh_version_look(struct mesh_version *version, struct mesh_err *err);
/* Ask it how it is; RETRY when it does not answer. */
int mesh_version_ask(struct mesh_version *version, const struct mesh_version_options *options, struct mesh_err *err);
/* GET a path: the status; the body is JSON, in the arena. Negative: nobody answered, or it is no JSON. */
int mesh_version_get(struct mesh_version *version, const char *path, struct mesh_arena *arena, const struct mesh_json **ret,
                     struct mesh_err *err);
/* Leave an order, under a new number. */
int mesh_version_order(struct mesh_version *version, struct mesh_role *order, struct mesh_err *err);
/* Which other version of the product is active; NULL in *ret: none. Its name lies in the arena. */
int mesh_version_active(struct mesh_arena *arena, const struct mesh_version_options *options, const char **ret,
                        struct mesh_err *err);
void mesh_version_nap(int ms);

/* ---- version_kafka.c ---- */
struct mesh_version_kafka {
    rd_kafka_t *rk;
    struct mesh_kafka_security security;
    int64_t timeout_ms;
};
int mesh_version_kafka_open(struct mesh_version_kafka *kafka, const struct mesh_version_options *options, struct mesh_err *err);
void mesh_version_kafka_close(struct mesh_version_kafka *kafka);
int mesh_version_kafka_ends(struct mesh_version_kafka *kafka, const char *topic, int32_t partition, int64_t *ret_low,
                            int64_t *ret_end, struct mesh_err *err);
/* Where the first record at or behind this time is; the end when there is none. */
int mesh_version_kafka_at_time(struct mesh_version_kafka *kafka, const char *topic, int32_t partition, int64_t time_us,
                               int64_t *ret, struct mesh_err *err);
int32_t mesh_version_kafka_partitions(struct mesh_version_kafka *kafka, const char *topic); /* 0: there is no such topic */
/* All records of a topic up to its present end, partition by partition. */
int mesh_version_kafka_read(struct mesh_version_kafka *kafka, const char *topic,
                            void (*each)(void *context, const rd_kafka_message_t *message), void *context, struct mesh_err *err);

/* ---- commands ---- */
int mesh_ctl_replay(int argc, char **argv);
int mesh_ctl_compare(int argc, char **argv);
int mesh_ctl_cutover(int argc, char **argv);
int mesh_ctl_rollback(int argc, char **argv);
/* Fill options from the command line; `takes`: letters of the options that the command knows. 0; else the exit code is in *ret_exit. */
int mesh_version_options(int argc, char **argv, const char *takes, const char *usage, struct mesh_version_options *ret,
                         int *ret_exit);
int mesh_version_fail(const struct mesh_err *err);

#endif
