/* SPDX-License-Identifier: Apache-2.0 */
/* bench/against_bare.h: a pipeline through mill_run against a loop that does nothing but decode the same
 * images (bare.h), on one thread and on two. The two take turns, so that whatever else the machine does slows
 * both. The ratio is that of the medians of wall time; beside it stands that of the CPU time that the whole
 * process took, reading included, which other programs touch less. NAME ROUNDS FOLDER FILE.tar ...; FOLDER is
 * for the runs' manifests. */
#ifndef MILL_BENCH_AGAINST_BARE_H
#define MILL_BENCH_AGAINST_BARE_H

#include "bare.h"
#include <shardmill/shardmill.h>
#include <unistd.h>

enum { ROUNDS_MOST = 99 };

typedef struct against_bare {
    const char *name, *text; /* of the pipeline */
    double target;
    const char *folder;
    char *spec;
    mill_pipeline *pipeline;
    mill_stats stats;
    bare_set set;
} against_bare;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *list, int n)
{
    qsort(list, (size_t)n, sizeof *list, by_value);
    return n % 2 ? list[n / 2] : (list[n / 2 - 1] + list[n / 2]) / 2;
}

static double process_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static char *join_spec(char **files, int n)
{
    size_t nbytes = 1;
    for (int i = 0; i < n; i++)
        nbytes += strlen(files[i]) + 1;
    char *spec = calloc(nbytes, 1);
    for (int i = 0; spec && i < n; i++) {
        strcat(spec, files[i]);
        strcat(spec, " ");
    }
    return spec;
}

/* Seconds, or < 0. A manifest of an earlier run would let this one keep what that one finished. */
static double run_mill(against_bare *b, int threads, int epoch)
{
    char manifest[4096];
    mill_options options = mill_options_default();
    mill_error err;
    options.threads = threads;
    options.sink = "null";
    options.epoch = (uint64_t)epoch;
    snprintf(manifest, sizeof manifest, "%s/manifest.json", b->folder);
    unlink(manifest);
    double begin = bare_seconds();
    mill_status status = mill_run(b->spec, b->pipeline, b->folder, &options, &b->stats, &err);
    double seconds = bare_seconds() - begin;
    if (!status && (size_t)b->stats.written == b->set.n)
        return seconds;
    fprintf(stderr, "%s: %lld of %zu images: %s: %s %s: %s\n", b->name, (long long)b->stats.written, b->set.n,
            mill_status_name(status), err.shard, err.key, err.message);
    return -1;
}

/* The ratio of speeds, or < 0. */
static double compare(against_bare *b, int threads, int rounds)
{
    double wall[2][ROUNDS_MOST], cpu[2][ROUNDS_MOST];
    bare_run(&b->set, threads); /* once each to warm up */
    if (run_mill(b, threads, 0) < 0)
        return -1;
    for (int r = 0; r < rounds; r++) {
        double begin = process_seconds();
        wall[0][r] = bare_run(&b->set, threads);
        double middle = process_seconds();
        wall[1][r] = run_mill(b, threads, r);
        cpu[1][r] = process_seconds() - middle;
        cpu[0][r] = middle - begin;
        if (wall[1][r] < 0)
            return -1;
    }
    double n = (double)b->set.n, bare = median(wall[0], rounds), mill = median(wall[1], rounds);
    double bare_cpu = median(cpu[0], rounds), mill_cpu = median(cpu[1], rounds);
    printf(
        "%d thread%s: bare loop %7.1f images/s, mill_run %7.1f images/s, ratio %.3f; by CPU time %7.1f and "
        "%7.1f us an image, ratio %.3f\n",
        threads, threads > 1 ? "s" : " ", n / bare, n / mill, bare / mill, 1e6 * bare_cpu / n,
        1e6 * mill_cpu / n, bare_cpu / mill_cpu);
    return bare / mill;
}

static int against_bare_main(against_bare *b, int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 0;
    if (argc < 4 || rounds < 1 || rounds > ROUNDS_MOST)
        return 2;
    b->folder = argv[2];
    b->spec = join_spec(argv + 3, argc - 3);
    b->pipeline = mill_pipeline_new();
    if (!b->spec || !b->pipeline || mill_pipeline_parse(b->pipeline, b->text, NULL))
        return 1;
    for (int i = 3; i < argc; i++)
        if (bare_load(&b->set, argv[i]))
            return 1;
    printf("%zu images, medians of %d alternating rounds: a bare libjpeg-turbo loop at full size, and\n%s\n",
           b->set.n, rounds, b->text);
    double one = compare(b, 1, rounds), two = one;
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
        two = compare(b, 2, rounds);
    if (one < 0 || two < 0)
        return 1;
    printf("%s ratio=%.3f target=%.2f\n", b->name, one < two ? one : two, b->target);
    mill_pipeline_free(b->pipeline);
    free(b->spec);
    return 0;
}

#endif
