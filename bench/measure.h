/* SPDX-License-Identifier: Apache-2.0 */
/* bench/measure.h: clocks, medians and memory, for benches of the loader. */
#ifndef MILL_BENCH_MEASURE_H
#define MILL_BENCH_MEASURE_H

#include <shardmill/shardmill.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static inline double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           1e-6 * ((double)u.ru_utime.tv_usec + (double)u.ru_stime.tv_usec);
}

static inline void sleep_s(double s)
{
    const struct timespec t = {(time_t)s, (long)((s - (double)(time_t)s) * 1e9)};
    nanosleep(&t, NULL);
}

static inline int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts them. */
static inline double quantile(double *values, int n, double q)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return values[(int)(q * (n - 1) + 0.5)];
}

static inline double median(double *values, int n)
{
    return quantile(values, n, 0.5);
}

/* A number of /proc/self/status, in bytes: "VmRSS", "VmHWM". 0: unknown. */
static inline double memory_nbytes(const char *name)
{
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, name, strlen(name)))
            kib = strtod(line + strlen(name) + 1, NULL);
    if (f)
        fclose(f);
    return kib * 1024;
}

static inline void must(mill_status status, const mill_error *err)
{
    if (!status)
        return;
    fprintf(stderr, "bench: %s: %s %s: %s\n", mill_status_name(status), err->shard, err->key, err->message);
    exit(1);
}

static inline mill_pipeline *pipeline_of(const char *text)
{
    mill_error err;
    mill_pipeline *p = mill_pipeline_new();
    must(mill_pipeline_parse(p, text, &err), &err);
    return p;
}

static inline mill_loader *loader_of(const char *spec, mill_pipeline *p, const mill_loader_options *o)
{
    mill_error err;
    mill_loader *l;
    must(mill_loader_open(&l, spec, p, o, &err), &err);
    return l;
}

/* The next batch, over the ends of epochs; NULL after the last one. */
static inline mill_batch *next_of(mill_loader *l)
{
    mill_error err;
    mill_batch *b;
    for (int ends = 0; ends < 2;) {
        mill_status status = mill_loader_next(l, &b, &err);
        if (status == MILL_OK)
            return b;
        if (status != MILL_END)
            must(status, &err);
        ends++; /* twice without a batch between them: after the last epoch */
    }
    return NULL;
}

/* Take all that is left; the rows. */
static inline int64_t drain(mill_loader *l)
{
    int64_t rows = 0;
    for (mill_batch *b; (b = next_of(l)); mill_batch_release(b))
        rows += mill_batch_size(b);
    return rows;
}

#endif
