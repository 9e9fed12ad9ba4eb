/* What the programs of the benchmark share: clocks, the end of a run, and the events they all speak of.
 *
 * An event is a function of its index alone, so the one who fills the topic knows every right answer without asking anybody.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define BENCH_START_MS INT64_C(1704700800000) /* 2024-01-08T08:00:00Z */
#define BENCH_USERS    10000
#define BENCH_PASSES   99.0 /* bench_filter: amount >= this */

static inline int64_t bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* User and system seconds of this whole process, all threads, since it began. */
static inline double bench_cpu_s(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static inline double bench_rss_peak_mb(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)r.ru_maxrss / 1024;
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void bench_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

#endif
