/* What the embedded tests need around a service: a broker in this process, the service as a child,
 * HTTP as a client, and patience with a deadline instead of sleeps.
 *
 * The broker is librdkafka's mock cluster on a port of our choice (see harness.c), so that it can be
 * away when the service starts and be where the service looks later. The service's binary is
 * `shop` beside the test program, or MESH_TEST_SHOP.
 */
#ifndef MESH_TESTS_EMBEDDED_HARNESS_H
#define MESH_TESTS_EMBEDDED_HARNESS_H

#include "base/buf.h"
#include "shop.h"

#include <sys/types.h>

/* ---- broker ---- */
struct broker;
/* port 0: any. Topics of the shop, with this many partitions of the orders. */
struct broker *broker_start(int port, int partitions);
void broker_stop(struct broker *broker);
int broker_port(const struct broker *broker);
void broker_down(struct broker *broker, bool down);
/* Order number i of a fixed sequence to its partition (by country); flush waits. */
void broker_order(struct broker *broker, int i, size_t note_bytes);
void broker_flush(struct broker *broker);
/* Number of distinct and of all records in the topic of large orders. */
void broker_count_large(struct broker *broker, int *ret_distinct, int *ret_all);

/* The order behind a number, and what the first n add up to, as /totals?window=all shows it
 * without `final` (which depends on idling). */
struct shop_order order_of(int i, char *scratch /* 64 */);
void expect_totals(int n, struct mesh_buf *out);

/* ---- service ---- */
struct child {
    pid_t pid;
    int port;
    int64_t started_us, ready_us; /* monotonic: spawned, and its line "ready" */
    char dir[256];                /* of everything: state, log */
};
/* A new folder. */
void child_init(struct child *child, const char *name);
/* `settings`: "NAME=value" ..., ended by NULL. Waits for "ready" in its log, or its end: false. */
bool child_start(struct child *child, int broker_port, const char *const *settings);
/* Signal and wait; the exit status, or 128 + signal. */
int child_end(struct child *child, int signal);
int child_wait(struct child *child);
bool child_log_has(const struct child *child, const char *text);
int child_log_count(const struct child *child, const char *text);
long child_rss_kb(const struct child *child);

/* ---- HTTP ---- */
struct answer {
    int status;
    struct mesh_buf head, body;
};
void answer_deinit(struct answer *answer);
/* 0 status: no connection. */
struct answer http_get(int port, const char *path, const char *headers);
struct answer http_post(int port, const char *path, const char *body);
/* Until the body of GET path holds (or equals, for exact) the text; false after the deadline. */
bool http_until(int port, const char *path, const char *text, int seconds);
/* "items" of all pages of /totals?window=all, "country window total n" a line, sorted. */
void http_totals(int port, struct mesh_buf *out);
/* Until http_totals() equals expect_totals(n). */
bool totals_until(int port, int n, int seconds);

#endif
