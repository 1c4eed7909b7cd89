/* SPDX-License-Identifier: Apache-2.0 */
/* bench/eval.c: the evaluation pipeline of image classifiers through mill_run, against a loop that does
 * nothing but decode the same images (bare.h). The two take turns, so that whatever else the machine does
 * slows both; the ratio is that of the medians. eval THREADS ROUNDS FOLDER FILE.tar ...; FOLDER is for the
 * runs' manifests. */
#include "bare.h"
#include <shardmill/shardmill.h>
#include <unistd.h>

#define PIPELINE "decode | resize 256 | center_crop 224 | normalize imagenet | layout chw"
#define TARGET   0.80
enum { ROUNDS_MOST = 99 };

typedef struct bench {
    int threads;
    const char *folder;
    char *spec;
    mill_pipeline *pipeline;
    mill_stats stats;
} bench;

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
static double mill(bench *b)
{
    char manifest[4096];
    mill_options options = mill_options_default();
    mill_error err;
    options.threads = b->threads;
    options.sink = "null";
    snprintf(manifest, sizeof manifest, "%s/manifest.json", b->folder);
    unlink(manifest);
    double begin = bare_seconds();
    mill_status status = mill_run(b->spec, b->pipeline, b->folder, &options, &b->stats, &err);
    double seconds = bare_seconds() - begin;
    if (status)
        fprintf(stderr, "eval: %s: %s %s: %s\n", mill_status_name(status), err.shard, err.key, err.message);
    return status ? -1 : seconds;
}

int main(int argc, char **argv)
{
    bare_set set = {0};
    double ours[ROUNDS_MOST], bare[ROUNDS_MOST];
    int rounds = argc > 2 ? atoi(argv[2]) : 0;
    if (argc < 5 || rounds < 1 || rounds > ROUNDS_MOST)
        return 2;
    bench b = {.threads = atoi(argv[1]), .folder = argv[3], .spec = join_spec(argv + 4, argc - 4)};
    b.pipeline = mill_pipeline_new();
    if (!b.spec || !b.pipeline || mill_pipeline_parse(b.pipeline, PIPELINE, NULL))
        return 1;
    for (int i = 4; i < argc; i++)
        if (bare_load(&set, argv[i]))
            return 1;
    bare_run(&set, b.threads); /* once each to warm up */
    if (mill(&b) < 0 || (size_t)b.stats.written != set.n) {
        fprintf(stderr, "eval: %lld of %zu images came out\n", (long long)b.stats.written, set.n);
        return 1;
    }
    for (int r = 0; r < rounds; r++) {
        bare[r] = bare_run(&set, b.threads);
        ours[r] = mill(&b);
        if (ours[r] < 0)
            return 1;
    }
    double n = (double)set.n, t = median(ours, rounds), u = median(bare, rounds);
    printf("%zu images, %d threads, medians of %d alternating rounds\n", set.n, b.threads, rounds);
    printf("bare libjpeg-turbo loop, full size  %8.1f images/s\n", n / u);
    printf("mill_run: %s  %8.1f images/s (%s, %s)\n", PIPELINE, n / t, b.stats.io, b.stats.executor);
    printf("compute threads busy %.1f %% of the time\n",
           100 * (double)b.stats.busy_ns / ((double)b.stats.elapsed_ns * b.threads));
    printf("eval ratio=%.3f target=%.2f\n", u / t, TARGET);
    mill_pipeline_free(b.pipeline);
    free(b.spec);
    return 0;
}
