/* Counters, gauges and histograms, and their text for Prometheus.
 *
 * A registry holds families (one name, type and help), a family holds series (one set of label
 * values). A series is registered once, at start-up, and its pointer is kept by whoever updates it;
 * updating takes no lock and no lookup:
 *
 *     m = mesh_metric_counter(metrics, "mesh_records_total", "Records read", "input", "orders", NULL);
 *     ...
 *     mesh_metric_add(m, 1);
 *
 * Labels are fixed at registration, so what arrives in records can never add a series. A registry
 * holds at most MESH_METRIC_SERIES_MAX series; a further registration returns a series that can be
 * updated but is not shown; the gauge mesh_metrics_series_dropped then appears and tells how many
 * there were.
 *
 * Registering the same name again with other label values adds a series to the family; with the
 * same label values (in whatever order) it returns the same series. It is a programming error, and
 * aborts, to register a name with another type or other buckets, or a name or label that Prometheus
 * would refuse. Of different help texts the first stays.
 *
 * Threads: registering, finding and rendering may be done by any thread at any time.
 * mesh_metric_add, _set and _observe expect one writing thread per series (a plain load and store,
 * as cheap as an increment); the _shared ones may be called by any number of threads. A scrape that
 * comes in the middle sees each number whole; a histogram's count always equals its buckets.
 *
 * Names follow Prometheus: base units (seconds, bytes), counters end in _total.
 */
#ifndef MESH_METRICS_METRICS_H
#define MESH_METRICS_METRICS_H

#include "base/buf.h"

#include <stdint.h>

#define MESH_METRIC_SERIES_MAX    4096
#define MESH_METRIC_LABELS_MAX    8
#define MESH_METRIC_BUCKETS_MAX   32
#define MESH_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct mesh_metrics;
struct mesh_metric; /* one series; owned by the registry, valid as long as it */

/* Upper bounds of buckets, ascending, without the infinite one, which is always there. */
struct mesh_metric_bounds {
    const double *v;
    size_t n; /* 1..MESH_METRIC_BUCKETS_MAX */
};

extern const struct mesh_metric_bounds mesh_metric_seconds; /* 100 us to 60 s: latencies */
extern const struct mesh_metric_bounds mesh_metric_sizes;   /* 1 to 1 Mi, by fours: batches and bytes */

struct mesh_metrics *mesh_metrics_new(void);
void mesh_metrics_free(struct mesh_metrics *metrics);
/* The same registry for one part of the program of which there are several: what is registered through it has one label more. Of a part's
 * part there is none. When it is freed, its series stay, as a registry forgets nothing; its gauges go to 0. */
struct mesh_metrics *mesh_metrics_part(struct mesh_metrics *metrics, const char *label, const char *value);

/* Labels follow as pairs of name and value, ended by NULL. Everything is copied. Never NULL. */
struct mesh_metric *mesh_metric_counter(struct mesh_metrics *metrics, const char *name, const char *help,
                                        ... /* const char *label, const char *value, ..., NULL */) __attribute__((sentinel));
struct mesh_metric *mesh_metric_gauge(struct mesh_metrics *metrics, const char *name, const char *help, ...)
    __attribute__((sentinel));
struct mesh_metric *mesh_metric_histogram(struct mesh_metrics *metrics, const char *name, const char *help,
                                          struct mesh_metric_bounds bounds, ...) __attribute__((sentinel));

void mesh_metric_add(struct mesh_metric *counter, uint64_t n);
void mesh_metric_add_shared(struct mesh_metric *counter, uint64_t n);
/* A gauge; or a counter that shows a total which somebody else keeps (librdkafka's statistics). Any
 * thread; the last one wins. */
void mesh_metric_set(struct mesh_metric *metric, double v);
/* NaN is not counted. */
void mesh_metric_observe(struct mesh_metric *histogram, double v);
void mesh_metric_observe_shared(struct mesh_metric *histogram, double v);

/* Reading, for tests and health checks. The value of a histogram is its count. */
double mesh_metric_value(const struct mesh_metric *metric);
double mesh_metric_sum(const struct mesh_metric *histogram);
/* How many observations were <= bounds.v[i]; i == bounds.n: all. */
uint64_t mesh_metric_bucket(const struct mesh_metric *histogram, size_t i);
/* The series registered with these labels, or NULL. */
struct mesh_metric *mesh_metric_find(struct mesh_metrics *metrics, const char *name, ...) __attribute__((sentinel));

/* Appends the text exposition format 0.0.4: families by name, series by labels, each family's HELP
 * and TYPE once. */
void mesh_metrics_render(struct mesh_metrics *metrics, struct mesh_buf *out);
size_t mesh_metrics_series_dropped(struct mesh_metrics *metrics);

#endif
