/* A whole service, as a process, on a broker in memory. */
#include "harness.h"

#include "../check.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fs.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

static void orders(struct broker *broker, int from, int to)
{
    for (int i = from; i < to; i++)
        broker_order(broker, i, 0);
    broker_flush(broker);
}

/* How many of the first n are large. */
static int large_of(int n)
{
    char scratch[64];
    int large = 0;
    for (int i = 0; i < n; i++)
        large += order_of(i, scratch).amount >= SHOP_LARGE_CENTS;
    return large;
}

static long long number_in(const struct answer *answer, const char *header)
{
    const char *at = answer->head.p == NULL ? NULL : strstr(answer->head.p, header);
    return at == NULL ? -1 : atoll(at + strlen(header));
}

/* committed=1 and min-position= answer when it is so, and not before. */
static void waits(struct broker *broker, int port)
{
    char path[96];
    for (int from = 20000; from < 25000; from += 1000) {
        mesh_cleanup(answer_deinit) struct answer before =
            http_get(port, "/totals/DE?committed=1", NULL); /* nothing is pending there */
        long long position = number_in(&before, "Mesh-Position: ");
        CHECK(position > 0);
        orders(broker, from, from + 1000);
        snprintf(path, sizeof path, "/totals/DE?min-position=%lld", position + 1); /* which these orders bring */
        mesh_cleanup(answer_deinit) struct answer later = http_get(port, path, NULL);
        CHECK_EQ_I64(later.status, 200);
        CHECK(number_in(&later, "Mesh-Position: ") > position);
        mesh_cleanup(answer_deinit) struct answer durable = http_get(port, "/totals/DE?committed=1", NULL);
        CHECK_EQ_I64(durable.status, 200);
        CHECK(number_in(&durable, "Mesh-Position: ") > position);
        CHECK_EQ_I64(number_in(&durable, "Mesh-Durable: "), number_in(&durable, "Mesh-Position: "));
    }
    mesh_cleanup(answer_deinit) struct answer never = http_get(port, "/totals?min-position=1000000000", NULL);
    CHECK(never.status == 409 && strstr(never.body.p, "is not reached yet") != NULL);
}

CASE(records_become_answers)
{
    struct broker *broker = broker_start(0, 4);
    struct child shop;
    child_init(&shop, "answers");
    orders(broker, 0, 20000);
    REQUIRE(child_start(&shop, broker_port(broker), NULL));
    printf("# spawn to ready line: %lld us\n", (long long)(shop.ready_us - shop.started_us));
    CHECK(totals_until(shop.port, 20000, 30));

    mesh_cleanup(answer_deinit) struct answer point = http_get(shop.port, "/totals/DE", NULL);
    CHECK(point.status == 200);
    CHECK(strstr(point.body.p, "\"country\":\"DE\",\"window_start\":\"2025-11-21T00:00:00Z\"") != NULL);
    CHECK(strstr(point.head.p, "Mesh-Product: shop@1.0.0") != NULL);
    CHECK(strstr(point.head.p, "Mesh-As-Of: ") != NULL);
    CHECK(strstr(point.head.p, "Mesh-Durable: ") != NULL);

    /* personal keys: pseudonyms in the list, no raw key in a path, the raw key in a body */
    mesh_cleanup(answer_deinit) struct answer list = http_get(shop.port, "/customers?limit=2", NULL);
    CHECK(list.status == 200 && strstr(list.body.p, "customer-") == NULL);
    mesh_cleanup(answer_deinit) struct answer raw = http_get(shop.port, "/customers/customer-7", NULL);
    CHECK(raw.status == 403 && strstr(raw.body.p, "/customers/lookup") != NULL);
    mesh_cleanup(answer_deinit) struct answer found = http_post(shop.port, "/customers/lookup", "{\"key\":\"customer-7\"}");
    CHECK(found.status == 200 && strstr(found.body.p, "\"orders\":40") != NULL);
    CHECK(strstr(found.body.p, "customer-7") == NULL);
    mesh_cleanup(answer_deinit) struct answer none = http_post(shop.port, "/customers/lookup", "{\"key\":\"nobody\"}");
    CHECK(none.status == 404);

    /* wrong questions */
    mesh_cleanup(answer_deinit) struct answer wrong = http_get(shop.port, "/totals?limt=3", NULL);
    CHECK(wrong.status == 400 && strstr(wrong.body.p, "did you mean 'limit'?") != NULL);
    mesh_cleanup(answer_deinit) struct answer lost = http_get(shop.port, "/total", NULL);
    CHECK(lost.status == 404 && strstr(lost.body.p, "did you mean /totals?") != NULL);

    /* rows without an envelope */
    mesh_cleanup(answer_deinit) struct answer csv =
        http_get(shop.port, "/customers?limit=3&fields=orders,customer", "Accept: text/csv\r\n");
    CHECK(csv.status == 200 && strncmp(csv.body.p, "orders,customer\r\n40,", 20) == 0 && strstr(csv.body.p, "customer-") == NULL);
    CHECK(number_in(&csv, "Mesh-Count: ") == 500);
    mesh_cleanup(answer_deinit) struct answer counted = http_get(shop.port, "/customers?count=1", NULL);
    CHECK(counted.status == 200 && strstr(counted.body.p, "{\"count\":500}") != NULL);

    /* the same body again is not sent again */
    CHECK(http_until(shop.port, "/readyz", "\"group\":\"owner\"", 10));
    mesh_cleanup(answer_deinit) struct answer all = http_get(shop.port, "/totals?window=all", NULL);
    const char *tag = strstr(all.head.p, "ETag: ");
    REQUIRE(tag != NULL);
    char header[64];
    snprintf(header, sizeof header, "If-None-Match: %.18s\r\n", tag + 6);
    mesh_cleanup(answer_deinit) struct answer same = http_get(shop.port, "/totals?window=all", header);
    CHECK(same.status == 304 || same.status == 200);

    CHECK(http_until(shop.port, "/readyz", "at_least_once (embedded)", 5));
    CHECK(http_until(shop.port, "/metrics", "mesh_http_requests_total", 5));
    CHECK(http_until(shop.port, "/openapi.json", "3.1.0", 5));
    CHECK(http_until(shop.port, "/.well-known/data-product", "DataProduct", 5));
    int distinct = 0, count = 0;
    int64_t until_us = mesh_clock_mono_us() + INT64_C(20000000); /* what was read may be answered before it is sent on */
    do
        broker_count_large(broker, &distinct, &count);
    while (distinct != large_of(20000) && mesh_clock_mono_us() < until_us);
    CHECK_EQ_I64(distinct, large_of(20000));
    CHECK_EQ_I64(count, distinct);
    int64_t begun_us = mesh_clock_mono_us();
    CHECK_EQ_I64(child_end(&shop, SIGTERM), 0);
    printf("# SIGTERM took %lld ms\n", (long long)(mesh_clock_mono_us() - begun_us) / 1000);

    /* a restart serves before the broker gave it anything, and goes on */
    REQUIRE(child_start(&shop, broker_port(broker), NULL));
    printf("# restart to ready line: %lld us\n", (long long)(shop.ready_us - shop.started_us));
    CHECK(totals_until(shop.port, 20000, 0));
    CHECK(http_until(shop.port, "/readyz", "\"group\":\"owner\"", 30));
    waits(broker, shop.port);
    orders(broker, 25000, 30000);
    CHECK(totals_until(shop.port, 30000, 30));
    CHECK_EQ_I64(child_end(&shop, SIGTERM), 0);
    broker_stop(broker);
}

/* The log says `text` as often as this, within some seconds; not more often is checked at the end. */
static bool log_until(const struct child *child, const char *text, int n, int seconds)
{
    int64_t end_us = mesh_clock_mono_us() + (int64_t)seconds * 1000000;
    while (child_log_count(child, text) < n) {
        if (mesh_clock_mono_us() > end_us)
            return false;
        (void)poll(NULL, 0, 10);
    }
    return true;
}

CASE(broker_away_at_start_and_later)
{
    struct broker *probe = broker_start(0, 4);
    int port = broker_port(probe);
    broker_stop(probe);
    struct child shop;
    child_init(&shop, "away");
    REQUIRE(child_start(&shop, port, NULL));
    CHECK(http_until(shop.port, "/readyz", "waiting for the broker", 5));
    mesh_cleanup(answer_deinit) struct answer ready = http_get(shop.port, "/readyz", NULL);
    CHECK_EQ_I64(ready.status, 200);
    mesh_cleanup(answer_deinit) struct answer early = http_get(shop.port, "/totals", NULL);
    CHECK_EQ_I64(early.status, 503);
    long idle_kb = child_rss_kb(&shop);
    printf("# idle RSS without a broker: %ld kB\n", idle_kb);

    CHECK(log_until(&shop, "no broker can be reached", 1, 15)); /* before there is one */
    struct broker *broker = broker_start(port, 4);
    orders(broker, 0, 1000);
    CHECK(totals_until(shop.port, 1000, 30));
    CHECK(log_until(&shop, "the broker is back", 1, 15));
    broker_down(broker, true);
    CHECK(http_until(shop.port, "/readyz", "\"status\":\"away\"", 15));
    CHECK(totals_until(shop.port, 1000, 1));
    mesh_cleanup(answer_deinit) struct answer still = http_get(shop.port, "/readyz", NULL);
    CHECK_EQ_I64(still.status, 200);
    broker_down(broker, false);
    CHECK(http_until(shop.port, "/readyz", "\"broker\":{\"status\":\"ok\"", 15));
    orders(broker, 1000, 2000);
    CHECK(totals_until(shop.port, 2000, 30));
    CHECK(log_until(&shop, "the broker is back", 2, 15));
    CHECK_EQ_I64(child_log_count(&shop, "no broker can be reached"), 2);
    CHECK_EQ_I64(child_log_count(&shop, "the broker is back"), 2);
    printf("# RSS at work: %ld kB\n", child_rss_kb(&shop));
    CHECK_EQ_I64(child_end(&shop, SIGTERM), 0);
    broker_stop(broker);
}

CASE(killed_again_and_again_equals_undisturbed)
{
    struct broker *broker = broker_start(0, 4);
    struct child shop;
    child_init(&shop, "killed");
    for (int round = 0; round < 5; round++) {
        REQUIRE(child_start(&shop, broker_port(broker), NULL));
        orders(broker, round * 8000, (round + 1) * 8000);
        /* when it has seen something of this round, but hardly all of it */
        char text[64];
        snprintf(text, sizeof text, "2025-11-21T00:0%d:", (round * 8000 + 100) / 6000);
        CHECK(http_until(shop.port, "/totals?window=all&limit=1000", text, 30));
        CHECK_EQ_I64(child_end(&shop, SIGKILL), 128 + SIGKILL);
    }
    REQUIRE(child_start(&shop, broker_port(broker), NULL));
    CHECK(totals_until(shop.port, 40000, 30));
    /* The state may have been whole when it was killed last, and what it has to send can wait for its group longer than for us. */
    CHECK(http_until(shop.port, "/metrics", "\nmesh_outbox_messages 0\n", 30));
    CHECK_EQ_I64(child_end(&shop, SIGTERM), 0);
    int distinct = 0, count = 0;
    broker_count_large(broker, &distinct, &count);
    printf("# large: %d distinct, %d sent\n", distinct, count);
    CHECK_EQ_I64(distinct, large_of(40000));
    broker_stop(broker);
}

CASE(trimmed_records_are_reported)
{
    struct broker *broker = broker_start(0, 1);
    struct child shop;
    child_init(&shop, "trimmed");
    orders(broker, 0, 100);
    REQUIRE(child_start(&shop, broker_port(broker), NULL));
    CHECK(totals_until(shop.port, 100, 30));
    CHECK_EQ_I64(child_end(&shop, SIGTERM), 0);
    for (int i = 100; i < 1100; i++) /* ten megabytes; five are kept */
        broker_order(broker, i, 10000);
    broker_flush(broker);
    REQUIRE(child_start(&shop, broker_port(broker), NULL));
    CHECK(http_until(shop.port, "/readyz", "\"position\":1100,\"lag\":0", 30));
    mesh_cleanup(answer_deinit) struct answer ready = http_get(shop.port, "/readyz", NULL);
    const char *source = strstr(ready.body.p, "\"input\":\"orders\"");
    const char *trimmed = source == NULL ? NULL : strstr(source, "\"trimmed\":");
    CHECK(ready.status == 200 && trimmed != NULL && trimmed[strlen("\"trimmed\":")] != '0');
    CHECK(strstr(ready.body.p, "\"status\":\"degraded\"") != NULL);
    CHECK(child_log_has(&shop, "the broker deleted records before they were read"));
    CHECK(http_until(shop.port, "/metrics", "mesh_trimmed_records_total{", 5));
    CHECK_EQ_I64(child_end(&shop, SIGTERM), 0);
    broker_stop(broker);
}

CASE(another_embedded_broker_sets_the_state_aside)
{
    struct broker *broker = broker_start(0, 4);
    struct child shop;
    child_init(&shop, "aside");
    orders(broker, 0, 500);
    REQUIRE(child_start(&shop, broker_port(broker), NULL));
    CHECK(totals_until(shop.port, 500, 30));
    CHECK_EQ_I64(child_end(&shop, SIGTERM), 0);
    struct broker *other = broker_start(0, 4);
    orders(other, 0, 200);
    REQUIRE(child_start(&shop, broker_port(other), NULL));
    CHECK(totals_until(shop.port, 200, 30));
    CHECK_EQ_I64(child_log_count(&shop, "is set aside"), 1);
    CHECK_EQ_I64(child_end(&shop, SIGTERM), 0);
    broker_stop(other);
    broker_stop(broker);
}

CASE(lost_state_is_no_fresh_start)
{
    struct broker *broker = broker_start(0, 4);
    struct child shop;
    child_init(&shop, "lost");
    orders(broker, 0, 500);
    REQUIRE(child_start(&shop, broker_port(broker), NULL));
    CHECK(totals_until(shop.port, 500, 30));
    CHECK_EQ_I64(child_end(&shop, SIGTERM), 0);
    char state[320], aside[330];
    snprintf(state, sizeof state, "%s/state", shop.dir);
    snprintf(aside, sizeof aside, "%s.away", state);
    REQUIRE(rename(state, aside) == 0);
    REQUIRE(child_start(&shop, broker_port(broker), NULL));
    CHECK_EQ_I64(child_wait(&shop), 2);
    CHECK(child_log_has(&shop, "state.lost"));
    /* ... also not at the second attempt */
    REQUIRE(child_start(&shop, broker_port(broker), NULL));
    CHECK_EQ_I64(child_wait(&shop), 2);
    static const char *const reset[] = {"MESH_STATE_RESET=1", NULL};
    REQUIRE(child_start(&shop, broker_port(broker), reset));
    CHECK(totals_until(shop.port, 500, 30));
    CHECK_EQ_I64(child_end(&shop, SIGTERM), 0);
    broker_stop(broker);
}

CASE(what_cannot_start_says_why)
{
    struct child shop, second;
    child_init(&shop, "taken");
    child_init(&second, "second");
    REQUIRE(child_start(&shop, 1, NULL));
    char listen[64];
    snprintf(listen, sizeof listen, "MESH_HTTP_LISTEN=127.0.0.1:%d", shop.port);
    const char *taken[] = {listen, NULL};
    CHECK(!child_start(&second, 1, taken));
    CHECK_EQ_I64(child_wait(&second), 2);
    CHECK(child_log_has(&second, "http.port_taken"));
    static const char *const open_address[] = {"MESH_HTTP_LISTEN=0.0.0.0:0", NULL};
    CHECK(!child_start(&second, 1, open_address));
    CHECK_EQ_I64(child_wait(&second), 2);
    CHECK(child_log_has(&second, "MESH_HTTP_INSECURE=1"));
    static const char *const short_key[] = {"MESH_PSEUDONYM_KEY=short", NULL};
    CHECK(!child_start(&second, 1, short_key));
    CHECK_EQ_I64(child_wait(&second), 2);
    static const char *const bad_dir[] = {"MESH_STATE_DIR=/proc/nowhere", NULL};
    CHECK(!child_start(&second, 1, bad_dir));
    CHECK_EQ_I64(child_wait(&second), 2);
    CHECK_EQ_I64(child_end(&shop, SIGTERM), 0);
}

/* ---- state at rest ---- */
static bool folder_shows(const struct child *shop, const char *text)
{
    char command[512];
    snprintf(command, sizeof command, "grep -rqaF --include='*.log' -e '%s' %s/state", text, shop->dir);
    return system(command) == 0;
}

static void write_keys(const char *path, const char *keys)
{
    FILE *f = fopen(path, "w");
    mesh_assert(f != NULL && fputs(keys, f) >= 0 && fclose(f) == 0 && chmod(path, 0600) == 0);
}

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define KEY_B "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"

/* Readable, then under a key, then under another one: the old bytes go without anything coming in. */
CASE(state_is_sealed_and_keys_change)
{
    struct broker *broker = broker_start(0, 4);
    struct child shop;
    char path[300], setting[340];
    child_init(&shop, "sealed");
    snprintf(path, sizeof path, "%s/keys", shop.dir);
    snprintf(setting, sizeof setting, "MESH_STATE_KEY_FILE=%s", path);
    const char *const with_keys[] = {setting, NULL};
    orders(broker, 0, 2000);
    REQUIRE(child_start(&shop, broker_port(broker), NULL));
    CHECK(totals_until(shop.port, 2000, 30));
    CHECK(http_until(shop.port, "/readyz", "\"group\":\"owner\"", 30));
    CHECK_EQ_I64(child_end(&shop, SIGTERM), 0);
    CHECK(folder_shows(&shop, "customer-7"));

    write_keys(path, KEY_A);
    REQUIRE(child_start(&shop, broker_port(broker), with_keys));
    CHECK(totals_until(shop.port, 2000, 30));
    int64_t until_us = mesh_clock_mono_us() + INT64_C(20000000);
    while (folder_shows(&shop, "customer-7") && mesh_clock_mono_us() < until_us)
        (void)poll(NULL, 0, 50);
    CHECK(!folder_shows(&shop, "customer-7"));
    CHECK_EQ_I64(child_end(&shop, SIGKILL), 128 + SIGKILL);

    CHECK(!child_start(&shop, broker_port(broker), NULL)); /* nobody reads it without its key */
    CHECK(child_log_has(&shop, "is sealed with the key 630dcd2966c43366, and no key is set"));
    write_keys(path, KEY_B);
    CHECK(!child_start(&shop, broker_port(broker), with_keys));
    CHECK(child_log_has(&shop, "and it is none of those that are there"));

    write_keys(path, KEY_B KEY_A);
    CHECK(folder_shows(&shop, "630dcd2966c43366"));
    REQUIRE(child_start(&shop, broker_port(broker), with_keys));
    CHECK(totals_until(shop.port, 2000, 30));
    orders(broker, 2000, 4000);
    CHECK(totals_until(shop.port, 4000, 30));
    until_us = mesh_clock_mono_us() + INT64_C(20000000);
    while (folder_shows(&shop, "630dcd2966c43366") && mesh_clock_mono_us() < until_us)
        (void)poll(NULL, 0, 50);
    CHECK(!folder_shows(&shop, "630dcd2966c43366"));
    CHECK_EQ_I64(child_end(&shop, SIGTERM), 0);
    write_keys(path, KEY_B); /* the old key is not needed any more */
    REQUIRE(child_start(&shop, broker_port(broker), with_keys));
    CHECK(totals_until(shop.port, 4000, 30));
    CHECK_EQ_I64(child_end(&shop, SIGTERM), 0);
    broker_stop(broker);
}
