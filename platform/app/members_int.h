/* What the files of the members share. Private to app/.
 *
 *     members.c        the thread: opens and closes shards; what it shows
 *     members_group.c  the group: what it gives and takes, who owns what
 *     members_ask.c    questions: to the shard that has the key, or to all
 */
#ifndef MESH_APP_MEMBERS_INT_H
#define MESH_APP_MEMBERS_INT_H

#include "app/members.h"
#include "app/worker_int.h"

#define MESH_MEMBERS_URL_MAX 256

struct mesh_members_shard {
    struct mesh_worker *worker;     /* NULL: not open */
    bool given;                     /* by the group */
    bool confirmed, asked;          /* that it still counts; being asked */
    bool leaving;                   /* the worker was told to stop */
    bool standby;                   /* the worker reads along; somebody else owns the shard */
    int64_t not_before_us;          /* monotonic: open it then */
    char url[MESH_MEMBERS_URL_MAX]; /* of who owns it; "": nobody known */
};

struct mesh_members {
    const struct mesh_product *product;
    uint32_t index;
    const struct mesh_config *config;
    struct mesh_str pseudonym_key;
    struct mesh_metrics *metrics;
    struct mesh_http_live *live;
    void (*ended)(void *context);
    void *ended_context;
    struct mesh_worker *whole; /* MESH_STATE=file; the rest is not used then */

    struct mesh_arena arena; /* the inputs' names, of its own input too */
    char *name, *group, *topic;
    pthread_t thread;
    bool started;
    atomic_bool stop;
    _Atomic(int64_t) round_us;
    struct mesh_wake wake;
    struct mesh_kafka_conf kafka;
    struct mesh_link_topic *topics; /* those of the product, as a worker lists them, and the state's at the end */
    uint32_t n_topics;
    struct mesh_kafka_link *link;
    struct mesh_link_info link_info;

    /* the group */
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue, *answers;
    rd_kafka_topic_partition_list_t *revoked; /* not let go yet; NULL: none */
    bool lost, subscribed, closing, away;
    bool has_assignment;
    int64_t looked_us, told_us, counted_us;
    bool failed;

    pthread_mutex_t lock; /* what follows is read by others */
    struct mesh_members_shard *shards;
    int32_t n_shards; /* 0: not known yet */
    int32_t *inputs;  /* partitions of each input */
    enum mesh_worker_phase phase;
    struct mesh_err err;
    char grown[320]; /* an input topic has got more partitions: a sentence; "": none */
    struct mesh_metric *m_held;
};

/* members_group.c */
int mesh_members_connect(struct mesh_members *members, struct mesh_err *err);
int mesh_members_subscribe(struct mesh_members *members, struct mesh_err *err);
/* Rebalances, answers. Returns whether something happened. */
bool mesh_members_poll(struct mesh_members *members);
/* Ask the group to take the offset that says that this instance owns the shard. */
void mesh_members_confirm(struct mesh_members *members, int32_t shard);
/* Now and then: who owns what, where the shards are, whether inputs have grown. */
void mesh_members_look(struct mesh_members *members, int64_t now_us);
/* All shards that were taken away are closed: let them go. */
void mesh_members_let_go(struct mesh_members *members);
void mesh_members_leave(struct mesh_members *members);
bool mesh_members_left(const struct mesh_members *members);
void mesh_members_disconnect(struct mesh_members *members);
void mesh_members_fail(struct mesh_members *members, const struct mesh_err *err);

#endif
