/* One lock guards the registry's structure and is taken to register, find and render; numbers are
 * relaxed atomics beside it. Each series has cache lines of its own, so that two writers never
 * share one. Families and series are kept sorted as they come: registering is rare, rendering is
 * not, and sorted output makes goldens and diffs readable.
 *
 * A series is known by its labels as they will be printed, sorted by label: equal text, equal
 * series. */
#include "metrics/metrics.h"

#include "base/check.h"
#include "base/text.h"
#include "base/vec.h"

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64u

enum metric_type { COUNTER, GAUGE, HISTOGRAM, TYPE_COUNT };

struct family {
    char *name;
    char *help;
    enum metric_type type;
    size_t n_bounds;
    double bounds[MESH_METRIC_BUCKETS_MAX];
    MESH_VEC(struct mesh_metric *) series;
};

struct mesh_metric {
    const struct family *family;
    char *labels;               /* a="1",b="2" */
    _Atomic uint64_t number;    /* a counter */
    _Atomic double real;        /* a gauge; the sum of a histogram */
    _Atomic uint64_t buckets[]; /* a histogram: n_bounds + 1, each its own, not yet summed up */
};

struct mesh_metrics {
    pthread_mutex_t lock;
    MESH_VEC(struct family *) families;
    size_t n_series;
    size_t n_dropped;
    struct family *overflow[TYPE_COUNT]; /* one series each, for what came after the limit */
    /* a part */
    struct mesh_metrics *whole; /* NULL: it is the whole */
    char *label, *value;
    MESH_VEC(struct mesh_metric *) gauges; /* under the lock of the whole */
};

static const double seconds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                 0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30,    60};
static const double sizes[] = {1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576};
const struct mesh_metric_bounds mesh_metric_seconds = {seconds, MESH_LEN(seconds)};
const struct mesh_metric_bounds mesh_metric_sizes = {sizes, MESH_LEN(sizes)};

static struct family *family_new(const char *name, const char *help, enum metric_type type, struct mesh_metric_bounds bounds)
{
    struct family *family = mesh_xcalloc(1, sizeof *family);
    family->name = mesh_xstrdup(name);
    family->help = mesh_xstrdup(help);
    family->type = type;
    family->n_bounds = bounds.n;
    for (size_t i = 0; i < bounds.n; i++)
        family->bounds[i] = bounds.v[i];
    return family;
}

static void family_free(struct family *family)
{
    for (size_t i = 0; i < family->series.n; i++) {
        free(family->series.v[i]->labels);
        free(family->series.v[i]);
    }
    mesh_vec_deinit(&family->series);
    free(family->name);
    free(family->help);
    free(family);
}

static struct mesh_metric *series_new(const struct family *family, const char *labels)
{
    size_t n_buckets = family->type == HISTOGRAM ? family->n_bounds + 1 : 0;
    size_t bytes = sizeof(struct mesh_metric) + n_buckets * sizeof(_Atomic uint64_t);
    bytes = (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct mesh_metric *metric = aligned_alloc(CACHE_LINE, bytes);
    mesh_assert(metric != NULL);
    metric->family = family;
    metric->labels = mesh_xstrdup(labels);
    atomic_init(&metric->number, 0);
    atomic_init(&metric->real, 0);
    for (size_t i = 0; i < n_buckets; i++)
        atomic_init(&metric->buckets[i], 0);
    return metric;
}

struct mesh_metrics *mesh_metrics_new(void)
{
    struct mesh_metrics *metrics = mesh_xcalloc(1, sizeof *metrics);
    pthread_mutex_init(&metrics->lock, NULL);
    for (size_t type = 0; type < TYPE_COUNT; type++) {
        struct family *family = family_new("", "", (enum metric_type)type, mesh_metric_sizes);
        *mesh_vec_push(&family->series) = series_new(family, "");
        metrics->overflow[type] = family;
    }
    return metrics;
}

struct mesh_metrics *mesh_metrics_part(struct mesh_metrics *metrics, const char *label, const char *value)
{
    mesh_assert(metrics->whole == NULL);
    struct mesh_metrics *part = mesh_xcalloc(1, sizeof *part);
    part->whole = metrics;
    part->label = mesh_xstrdup(label);
    part->value = mesh_xstrdup(value);
    return part;
}

void mesh_metrics_free(struct mesh_metrics *metrics)
{
    if (metrics == NULL)
        return;
    if (metrics->whole != NULL) {
        for (size_t i = 0; i < metrics->gauges.n; i++)
            mesh_metric_set(metrics->gauges.v[i], 0);
        mesh_vec_deinit(&metrics->gauges);
        free(metrics->label);
        free(metrics->value);
        free(metrics);
        return;
    }
    for (size_t i = 0; i < metrics->families.n; i++)
        family_free(metrics->families.v[i]);
    for (size_t type = 0; type < TYPE_COUNT; type++)
        family_free(metrics->overflow[type]);
    mesh_vec_deinit(&metrics->families);
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

static bool is_name(const char *name, const char *also)
{
    for (const char *p = name; *p != '\0'; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_';
        bool digit = *p >= '0' && *p <= '9' && p != name;
        if (!letter && !digit && strchr(also, *p) == NULL)
            return false;
    }
    return name[0] != '\0';
}

/* Escaped as the format wants it; `quotes` in label values, not in help. */
static void add_escaped(struct mesh_buf *out, const char *text, bool quotes)
{
    size_t n = strlen(text);
    size_t valid = mesh_utf8_valid(text, n);
    for (size_t i = 0; i < n; i++) {
        if (i >= valid) {
            mesh_buf_puts(out, "\xef\xbf\xbd");
            valid = i + 1 + mesh_utf8_valid(text + i + 1, n - i - 1);
        } else if (text[i] == '\\') {
            mesh_buf_puts(out, "\\\\");
        } else if (text[i] == '\n') {
            mesh_buf_puts(out, "\\n");
        } else if (text[i] == '"' && quotes) {
            mesh_buf_puts(out, "\\\"");
        } else {
            mesh_buf_putc(out, text[i]);
        }
    }
}

static void add_labels(const struct mesh_metrics *metrics, struct mesh_buf *out, va_list args)
{
    struct {
        const char *name, *value;
    } labels[MESH_METRIC_LABELS_MAX];
    size_t n = 0;
    bool own = metrics->label != NULL;
    for (const char *name; (name = own ? metrics->label : va_arg(args, const char *)) != NULL; n++) {
        const char *value = own ? metrics->value : va_arg(args, const char *);
        own = false;
        mesh_assert(n < MESH_METRIC_LABELS_MAX && value != NULL);
        mesh_assert(is_name(name, "") && strncmp(name, "__", 2) != 0 && strcmp(name, "le") != 0);
        size_t to = n;
        for (; to > 0 && strcmp(labels[to - 1].name, name) >= 0; to--) {
            mesh_assert(strcmp(labels[to - 1].name, name) != 0);
            labels[to] = labels[to - 1];
        }
        labels[to].name = name;
        labels[to].value = value;
    }
    mesh_buf_puts(out, "");
    for (size_t i = 0; i < n; i++) {
        mesh_buf_printf(out, "%s%s=\"", i == 0 ? "" : ",", labels[i].name);
        add_escaped(out, labels[i].value, true);
        mesh_buf_putc(out, '"');
    }
}

/* Where the family is, or belongs. */
static size_t family_at(const struct mesh_metrics *metrics, const char *name, bool *ret_found)
{
    size_t i = 0;
    int c = 1;
    while (i < metrics->families.n && (c = strcmp(metrics->families.v[i]->name, name)) < 0)
        i++;
    *ret_found = i < metrics->families.n && c == 0;
    return i;
}

static size_t series_at(const struct family *family, const char *labels, bool *ret_found)
{
    size_t i = 0;
    int c = 1;
    while (i < family->series.n && (c = strcmp(family->series.v[i]->labels, labels)) < 0)
        i++;
    *ret_found = i < family->series.n && c == 0;
    return i;
}

static struct family *get_family(struct mesh_metrics *metrics, const char *name, const char *help, enum metric_type type,
                                 struct mesh_metric_bounds bounds)
{
    bool found;
    size_t at = family_at(metrics, name, &found);
    if (found) {
        struct family *family = metrics->families.v[at];
        mesh_assert(family->type == type && family->n_bounds == bounds.n);
        for (size_t i = 0; i < bounds.n; i++)
            mesh_assert(!(family->bounds[i] < bounds.v[i] || family->bounds[i] > bounds.v[i]));
        return family;
    }
    mesh_assert(is_name(name, ":"));
    mesh_assert(bounds.n <= MESH_METRIC_BUCKETS_MAX && (type != HISTOGRAM || bounds.n > 0));
    for (size_t i = 0; i < bounds.n; i++)
        mesh_assert(isfinite(bounds.v[i]) && (i == 0 || bounds.v[i - 1] < bounds.v[i]));
    struct family *family = family_new(name, help, type, bounds);
    (void)mesh_vec_push(&metrics->families);
    struct family **slot = metrics->families.v + at;
    memmove(slot + 1, slot, (metrics->families.n - 1 - at) * sizeof(*slot));
    *slot = family;
    return family;
}

static struct mesh_metric *get_series(struct mesh_metrics *metrics, struct family *family, const char *labels)
{
    bool found;
    size_t at = series_at(family, labels, &found);
    if (found)
        return family->series.v[at];
    metrics->n_series++;
    struct mesh_metric *metric = series_new(family, labels);
    (void)mesh_vec_push(&family->series);
    struct mesh_metric **slot = family->series.v + at;
    memmove(slot + 1, slot, (family->series.n - 1 - at) * sizeof(*slot));
    *slot = metric;
    return metric;
}

static struct mesh_metric *find(const struct mesh_metrics *metrics, const char *name, const char *labels)
{
    bool found;
    size_t at = family_at(metrics, name, &found);
    if (!found)
        return NULL;
    const struct family *family = metrics->families.v[at];
    at = series_at(family, labels, &found);
    return found ? family->series.v[at] : NULL;
}

static void remember(struct mesh_metrics *part, struct mesh_metric *gauge)
{
    for (size_t i = 0; i < part->gauges.n; i++)
        if (part->gauges.v[i] == gauge)
            return;
    *mesh_vec_push(&part->gauges) = gauge;
}

static struct mesh_metric *get(struct mesh_metrics *metrics, const char *name, const char *help, enum metric_type type,
                               struct mesh_metric_bounds bounds, va_list args)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf labels = MESH_BUF_NULL;
    add_labels(metrics, &labels, args);
    struct mesh_metrics *part = metrics->whole == NULL ? NULL : metrics;
    metrics = metrics->whole == NULL ? metrics : metrics->whole;
    struct mesh_metric *metric;
    pthread_mutex_lock(&metrics->lock);
    if (metrics->n_series >= MESH_METRIC_SERIES_MAX && find(metrics, name, labels.p) == NULL) {
        metrics->n_dropped++;
        metric = metrics->overflow[type]->series.v[0];
    } else {
        metric = get_series(metrics, get_family(metrics, name, help, type, bounds), labels.p);
        if (part != NULL && type == GAUGE)
            remember(part, metric);
    }
    pthread_mutex_unlock(&metrics->lock);
    return metric;
}

struct mesh_metric *mesh_metric_counter(struct mesh_metrics *metrics, const char *name, const char *help, ...)
{
    va_list args;
    va_start(args, help);
    struct mesh_metric *metric = get(metrics, name, help, COUNTER, (struct mesh_metric_bounds){0}, args);
    va_end(args);
    return metric;
}

struct mesh_metric *mesh_metric_gauge(struct mesh_metrics *metrics, const char *name, const char *help, ...)
{
    va_list args;
    va_start(args, help);
    struct mesh_metric *metric = get(metrics, name, help, GAUGE, (struct mesh_metric_bounds){0}, args);
    va_end(args);
    return metric;
}

struct mesh_metric *mesh_metric_histogram(struct mesh_metrics *metrics, const char *name, const char *help,
                                          struct mesh_metric_bounds bounds, ...)
{
    va_list args;
    va_start(args, bounds);
    struct mesh_metric *metric = get(metrics, name, help, HISTOGRAM, bounds, args);
    va_end(args);
    return metric;
}

struct mesh_metric *mesh_metric_find(struct mesh_metrics *metrics, const char *name, ...)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf labels = MESH_BUF_NULL;
    va_list args;
    va_start(args, name);
    add_labels(metrics, &labels, args);
    va_end(args);
    metrics = metrics->whole == NULL ? metrics : metrics->whole;
    pthread_mutex_lock(&metrics->lock);
    struct mesh_metric *metric = find(metrics, name, labels.p);
    pthread_mutex_unlock(&metrics->lock);
    return metric;
}

size_t mesh_metrics_series_dropped(struct mesh_metrics *metrics)
{
    pthread_mutex_lock(&metrics->lock);
    size_t n = metrics->n_dropped;
    pthread_mutex_unlock(&metrics->lock);
    return n;
}

static uint64_t load(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static void bump(_Atomic uint64_t *number, uint64_t n)
{
    atomic_store_explicit(number, load(number) + n, memory_order_relaxed);
}

void mesh_metric_add(struct mesh_metric *counter, uint64_t n)
{
    mesh_assert(counter->family->type == COUNTER);
    bump(&counter->number, n);
}

void mesh_metric_add_shared(struct mesh_metric *counter, uint64_t n)
{
    mesh_assert(counter->family->type == COUNTER);
    atomic_fetch_add_explicit(&counter->number, n, memory_order_relaxed);
}

void mesh_metric_set(struct mesh_metric *metric, double v)
{
    mesh_assert(metric->family->type != HISTOGRAM);
    if (metric->family->type == GAUGE)
        atomic_store_explicit(&metric->real, v, memory_order_relaxed);
    else
        atomic_store_explicit(&metric->number, v > 0 && v < 0x1p64 ? (uint64_t)v : 0, memory_order_relaxed);
}

static _Atomic uint64_t *bucket_of(struct mesh_metric *histogram, double v)
{
    const struct family *family = histogram->family;
    mesh_assert(family->type == HISTOGRAM);
    size_t i = 0;
    while (i < family->n_bounds && v > family->bounds[i])
        i++;
    return &histogram->buckets[i];
}

void mesh_metric_observe(struct mesh_metric *histogram, double v)
{
    if (isnan(v))
        return;
    bump(bucket_of(histogram, v), 1);
    double sum = atomic_load_explicit(&histogram->real, memory_order_relaxed);
    atomic_store_explicit(&histogram->real, sum + v, memory_order_relaxed);
}

void mesh_metric_observe_shared(struct mesh_metric *histogram, double v)
{
    if (isnan(v))
        return;
    atomic_fetch_add_explicit(bucket_of(histogram, v), 1, memory_order_relaxed);
    double sum = atomic_load_explicit(&histogram->real, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&histogram->real, &sum, sum + v, memory_order_relaxed, memory_order_relaxed))
        continue;
}

double mesh_metric_value(const struct mesh_metric *metric)
{
    switch (metric->family->type) {
    case COUNTER:
        return (double)load(&metric->number);
    case HISTOGRAM:
        return (double)mesh_metric_bucket(metric, metric->family->n_bounds);
    case GAUGE:
    case TYPE_COUNT:
        break;
    }
    return atomic_load_explicit(&metric->real, memory_order_relaxed);
}

double mesh_metric_sum(const struct mesh_metric *histogram)
{
    mesh_assert(histogram->family->type == HISTOGRAM);
    return atomic_load_explicit(&histogram->real, memory_order_relaxed);
}

uint64_t mesh_metric_bucket(const struct mesh_metric *histogram, size_t i)
{
    mesh_assert(histogram->family->type == HISTOGRAM && i <= histogram->family->n_bounds);
    uint64_t n = 0;
    for (size_t j = 0; j <= i; j++)
        n += load(&histogram->buckets[j]);
    return n;
}

static void add_real(struct mesh_buf *out, double v)
{
    if (isinf(v))
        mesh_buf_puts(out, v > 0 ? "+Inf" : "-Inf");
    else
        mesh_text_double(out, v);
}

/* "name_suffix{labels} " */
static void add_sample(struct mesh_buf *out, const struct mesh_metric *metric, const char *suffix)
{
    mesh_buf_printf(out, "%s%s", metric->family->name, suffix);
    if (metric->labels[0] != '\0')
        mesh_buf_printf(out, "{%s}", metric->labels);
    mesh_buf_putc(out, ' ');
}

static void add_histogram(struct mesh_buf *out, const struct mesh_metric *metric)
{
    const struct family *family = metric->family;
    const char *comma = metric->labels[0] == '\0' ? "" : ",";
    uint64_t n = 0;
    for (size_t i = 0; i <= family->n_bounds; i++) {
        n += load(&metric->buckets[i]);
        mesh_buf_printf(out, "%s_bucket{%s%sle=\"", family->name, metric->labels, comma);
        add_real(out, i < family->n_bounds ? family->bounds[i] : (double)INFINITY);
        mesh_buf_printf(out, "\"} %llu\n", (unsigned long long)n);
    }
    add_sample(out, metric, "_sum");
    add_real(out, atomic_load_explicit(&metric->real, memory_order_relaxed));
    mesh_buf_putc(out, '\n');
    add_sample(out, metric, "_count");
    mesh_buf_printf(out, "%llu\n", (unsigned long long)n);
}

static void add_head(struct mesh_buf *out, const char *name, const char *help, const char *type)
{
    mesh_buf_printf(out, "# HELP %s ", name);
    add_escaped(out, help, false);
    mesh_buf_printf(out, "\n# TYPE %s %s\n", name, type);
}

static void add_family(struct mesh_buf *out, const struct family *family)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    add_head(out, family->name, family->help, types[family->type]);
    for (size_t i = 0; i < family->series.n; i++) {
        const struct mesh_metric *metric = family->series.v[i];
        if (family->type == HISTOGRAM) {
            add_histogram(out, metric);
            continue;
        }
        add_sample(out, metric, "");
        if (family->type == COUNTER)
            mesh_buf_printf(out, "%llu", (unsigned long long)load(&metric->number));
        else
            add_real(out, mesh_metric_value(metric));
        mesh_buf_putc(out, '\n');
    }
}

void mesh_metrics_render(struct mesh_metrics *metrics, struct mesh_buf *out)
{
    pthread_mutex_lock(&metrics->lock);
    for (size_t i = 0; i < metrics->families.n; i++)
        add_family(out, metrics->families.v[i]);
    if (metrics->n_dropped > 0) {
        add_head(out, "mesh_metrics_series_dropped", "Series that are not shown: too many", "gauge");
        mesh_buf_printf(out, "mesh_metrics_series_dropped %zu\n", metrics->n_dropped);
    }
    pthread_mutex_unlock(&metrics->lock);
}
