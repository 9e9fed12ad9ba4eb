#include "../check.h"

#include "base/check.h"
#include "metrics/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

static void freep(struct mesh_metrics **metrics)
{
    mesh_metrics_free(*metrics);
}

static bool is(double a, double b)
{
    return !(a < b) && !(a > b);
}

CASE(counters_and_gauges)
{
    mesh_cleanup(freep) struct mesh_metrics *metrics = mesh_metrics_new();
    struct mesh_metric *c = mesh_metric_counter(metrics, "mesh_records_total", "Records", NULL);
    struct mesh_metric *g = mesh_metric_gauge(metrics, "mesh_lag", "Lag", NULL);
    CHECK(is(mesh_metric_value(c), 0) && is(mesh_metric_value(g), 0));
    mesh_metric_add(c, 3);
    mesh_metric_add_shared(c, 4);
    CHECK(is(mesh_metric_value(c), 7));
    mesh_metric_set(c, 1000); /* a total kept elsewhere */
    CHECK(is(mesh_metric_value(c), 1000));
    mesh_metric_set(c, -5);
    CHECK(is(mesh_metric_value(c), 0));
    mesh_metric_set(g, -1.5);
    CHECK(is(mesh_metric_value(g), -1.5));
}

CASE(histograms)
{
    mesh_cleanup(freep) struct mesh_metrics *metrics = mesh_metrics_new();
    static const double bounds[] = {1, 2.5, 10};
    struct mesh_metric *h = mesh_metric_histogram(metrics, "h", "H", (struct mesh_metric_bounds){bounds, 3}, NULL);
    mesh_metric_observe(h, 1); /* on the bound: in the bucket */
    mesh_metric_observe(h, 1.5);
    mesh_metric_observe_shared(h, 10.5);
    mesh_metric_observe(h, -3);
    mesh_metric_observe(h, (double)NAN);
    CHECK_EQ_U64(mesh_metric_bucket(h, 0), 2);
    CHECK_EQ_U64(mesh_metric_bucket(h, 1), 3);
    CHECK_EQ_U64(mesh_metric_bucket(h, 2), 3);
    CHECK_EQ_U64(mesh_metric_bucket(h, 3), 4);
    CHECK(is(mesh_metric_value(h), 4));
    CHECK(is(mesh_metric_sum(h), 10));
    CHECK(mesh_metric_seconds.n <= MESH_METRIC_BUCKETS_MAX && mesh_metric_sizes.n <= MESH_METRIC_BUCKETS_MAX);
}

CASE(the_exposition)
{
    mesh_cleanup(freep) struct mesh_metrics *metrics = mesh_metrics_new();
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    static const double bounds[] = {0.1, 1};
    mesh_metric_add(mesh_metric_counter(metrics, "z_total", "Last \\ of\nall \"names\"", NULL), UINT64_MAX);
    mesh_metric_add(mesh_metric_counter(metrics, "r_total", "R", "port", "orders", "app", "x", NULL), 2);
    mesh_metric_set(mesh_metric_gauge(metrics, "g", "G", "a", "q\"b\\s\nn\xff", NULL), 0.1);
    mesh_metric_add(mesh_metric_counter(metrics, "r_total", "other help", "port", "clicks", "app", "x", NULL), 1);
    mesh_metric_set(mesh_metric_gauge(metrics, "g", "G", NULL), -(double)INFINITY);
    mesh_metric_set(mesh_metric_gauge(metrics, "g", "G", "a", "nan", NULL), (double)NAN);
    struct mesh_metric *h =
        mesh_metric_histogram(metrics, "h_seconds", "H", (struct mesh_metric_bounds){bounds, 2}, "k", "v", NULL);
    mesh_metric_observe(h, 0.05);
    mesh_metric_observe(h, 0.25);
    mesh_metric_observe(h, 7);
    mesh_metric_histogram(metrics, "h_seconds", "H", (struct mesh_metric_bounds){bounds, 2}, NULL);
    mesh_metrics_render(metrics, &out);
    CHECK_STR(out.p, "# HELP g G\n"
                     "# TYPE g gauge\n"
                     "g -Inf\n"
                     "g{a=\"nan\"} NaN\n"
                     "g{a=\"q\\\"b\\\\s\\nn\xef\xbf\xbd\"} 0.1\n"
                     "# HELP h_seconds H\n"
                     "# TYPE h_seconds histogram\n"
                     "h_seconds_bucket{le=\"0.1\"} 0\n"
                     "h_seconds_bucket{le=\"1\"} 0\n"
                     "h_seconds_bucket{le=\"+Inf\"} 0\n"
                     "h_seconds_sum 0\n"
                     "h_seconds_count 0\n"
                     "h_seconds_bucket{k=\"v\",le=\"0.1\"} 1\n"
                     "h_seconds_bucket{k=\"v\",le=\"1\"} 2\n"
                     "h_seconds_bucket{k=\"v\",le=\"+Inf\"} 3\n"
                     "h_seconds_sum{k=\"v\"} 7.3\n"
                     "h_seconds_count{k=\"v\"} 3\n"
                     "# HELP r_total R\n"
                     "# TYPE r_total counter\n"
                     "r_total{app=\"x\",port=\"clicks\"} 1\n"
                     "r_total{app=\"x\",port=\"orders\"} 2\n"
                     "# HELP z_total Last \\\\ of\\nall \"names\"\n"
                     "# TYPE z_total counter\n"
                     "z_total 18446744073709551615\n");
}

CASE(the_same_series_is_one)
{
    mesh_cleanup(freep) struct mesh_metrics *metrics = mesh_metrics_new();
    struct mesh_metric *a = mesh_metric_counter(metrics, "c_total", "C", "x", "1", "y", "2", NULL);
    struct mesh_metric *b = mesh_metric_counter(metrics, "c_total", "C", "y", "2", "x", "1", NULL);
    struct mesh_metric *c = mesh_metric_counter(metrics, "c_total", "C", "y", "1", "x", "2", NULL);
    CHECK(a == b && a != c);
    CHECK(mesh_metric_find(metrics, "c_total", "y", "2", "x", "1", NULL) == a);
    CHECK(mesh_metric_find(metrics, "c_total", NULL) == NULL);
    CHECK(mesh_metric_find(metrics, "d_total", NULL) == NULL);
}

CASE(a_part_has_a_label_of_its_own)
{
    mesh_cleanup(freep) struct mesh_metrics *metrics = mesh_metrics_new();
    struct mesh_metrics *one = mesh_metrics_part(metrics, "shard", "1");
    struct mesh_metrics *two = mesh_metrics_part(metrics, "shard", "2");
    mesh_metric_add(mesh_metric_counter(one, "mesh_records_total", "Records", "input", "a", NULL), 3);
    mesh_metric_add(mesh_metric_counter(two, "mesh_records_total", "Records", "input", "a", NULL), 4);
    mesh_metric_set(mesh_metric_gauge(one, "mesh_lag", "Lag", NULL), 5);
    CHECK(is(mesh_metric_value(mesh_metric_find(metrics, "mesh_records_total", "input", "a", "shard", "1", NULL)), 3));
    CHECK(is(mesh_metric_value(mesh_metric_find(two, "mesh_records_total", "input", "a", NULL)), 4));
    mesh_metrics_free(one);
    mesh_metrics_free(two);
    CHECK(is(mesh_metric_value(mesh_metric_find(metrics, "mesh_records_total", "input", "a", "shard", "1", NULL)), 3));
    CHECK(is(mesh_metric_value(mesh_metric_find(metrics, "mesh_lag", "shard", "1", NULL)), 0));
}

CASE(series_beyond_the_limit_are_counted_not_kept)
{
    mesh_cleanup(freep) struct mesh_metrics *metrics = mesh_metrics_new();
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    char value[16];
    for (int i = 0; i < MESH_METRIC_SERIES_MAX; i++) {
        snprintf(value, sizeof value, "%d", i);
        mesh_metric_counter(metrics, "c_total", "C", "i", value, NULL);
    }
    CHECK_EQ_U64(mesh_metrics_series_dropped(metrics), 0);
    mesh_metric_add(mesh_metric_counter(metrics, "c_total", "C", "i", "one more", NULL), 1);
    mesh_metric_set(mesh_metric_gauge(metrics, "g", "G", NULL), 1);
    mesh_metric_observe(mesh_metric_histogram(metrics, "h", "H", mesh_metric_seconds, NULL), 1);
    CHECK_EQ_U64(mesh_metrics_series_dropped(metrics), 3);
    CHECK(mesh_metric_counter(metrics, "c_total", "C", "i", "7", NULL) == mesh_metric_find(metrics, "c_total", "i", "7", NULL));
    mesh_metrics_render(metrics, &out);
    CHECK(strstr(out.p, "one more") == NULL && strstr(out.p, "# TYPE g ") == NULL);
    CHECK_CONTAINS(out.p, "\nmesh_metrics_series_dropped 3\n");
}

struct work {
    struct mesh_metrics *metrics;
    struct mesh_metric *own, *shared, *histogram;
    int id;
};

static atomic_int running;

static void *update(void *argument)
{
    struct work *work = argument;
    char id[16];
    snprintf(id, sizeof id, "%d", work->id);
    work->own = mesh_metric_counter(work->metrics, "own_total", "Own", "thread", id, NULL);
    for (int i = 0; i < 20000; i++) {
        mesh_metric_add(work->own, 1);
        mesh_metric_add_shared(work->shared, 1);
        mesh_metric_observe_shared(work->histogram, 0.5);
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

CASE(threads_lose_nothing)
{
    mesh_cleanup(freep) struct mesh_metrics *metrics = mesh_metrics_new();
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    struct work work[4];
    pthread_t threads[4];
    atomic_store(&running, 4);
    for (int i = 0; i < 4; i++) {
        work[i] = (struct work){
            .metrics = metrics,
            .shared = mesh_metric_counter(metrics, "shared_total", "Shared", NULL),
            .histogram = mesh_metric_histogram(metrics, "h", "H", mesh_metric_seconds, NULL),
            .id = i,
        };
        REQUIRE(pthread_create(&threads[i], NULL, update, &work[i]) == 0);
    }
    while (atomic_load(&running) > 0) {
        mesh_buf_reset(&out);
        mesh_metrics_render(metrics, &out);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        CHECK(is(mesh_metric_value(work[i].own), 20000));
    }
    CHECK(is(mesh_metric_value(work[0].shared), 80000));
    CHECK(is(mesh_metric_value(work[0].histogram), 80000));
    CHECK(is(mesh_metric_sum(work[0].histogram), 40000));
}

CASE(an_empty_registry)
{
    mesh_cleanup(freep) struct mesh_metrics *metrics = mesh_metrics_new();
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf out = MESH_BUF_NULL;
    mesh_metrics_render(metrics, &out);
    CHECK_EQ_U64(out.n, 0);
    mesh_metrics_free(NULL);
}
