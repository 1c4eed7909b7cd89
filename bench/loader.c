/* SPDX-License-Identifier: Apache-2.0 */
/* bench/loader.c: what batches cost. Throughput of the loader, in order and shuffled, over that of mill_run()
 * without output on the same pipeline and shards, in turns; and how long mill_loader_next() and
 * mill_batch_release() take when a batch is ready.
 *
 *   loader SPEC INDEX_FOLDER ROUNDS */
#include "measure.h"

enum { BATCH = 64, EPOCHS = 12, CALLS = 200 };

static const char text[] = "decode | random_resized_crop 224 | hflip | normalize imagenet | layout chw";

static double offline(const char *spec, const mill_pipeline *p)
{
    mill_error err;
    mill_stats stats;
    mill_options o = mill_options_default();
    o.sink = "null";
    double begin = now_s();
    int64_t samples = 0;
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        o.epoch = (uint64_t)epoch;
        must(mill_run(spec, p, NULL, &o, &stats, &err), &err);
        samples += stats.samples;
    }
    return (double)samples / (now_s() - begin);
}

static mill_loader_options options_of(const char *index, mill_shuffle shuffle)
{
    mill_loader_options o = mill_loader_options_default();
    o.batch_size = BATCH;
    o.epochs = EPOCHS;
    o.shuffle = shuffle;
    o.index = index;
    o.world_size = 1;
    return o;
}

static double online(const char *spec, mill_pipeline *p, const char *index, mill_shuffle shuffle)
{
    const mill_loader_options o = options_of(index, shuffle);
    double begin = now_s();
    mill_loader *l = loader_of(spec, p, &o);
    int64_t rows = drain(l);
    double rate = (double)rows / (now_s() - begin);
    mill_loader_close(l);
    return rate;
}

/* Microseconds of next() and of release(), each time with a batch that is ready. */
static void time_calls(const char *spec, mill_pipeline *p, const char *index, double *next, double *release)
{
    mill_loader_options o = options_of(index, MILL_SHUFFLE_WINDOW);
    o.epochs = -1;
    mill_loader *l = loader_of(spec, p, &o);
    for (int i = 0; i < CALLS;) {
        mill_loader_stats stats;
        mill_error err;
        mill_batch *b;
        for (mill_loader_stats_get(l, &stats); stats.ready < 2; mill_loader_stats_get(l, &stats))
            sleep_s(0.001);
        double begin = now_s();
        mill_status status = mill_loader_next(l, &b, &err);
        next[i] = (now_s() - begin) * 1e6;
        if (status == MILL_END)
            continue;
        must(status, &err);
        begin = now_s();
        mill_batch_release(b);
        release[i++] = (now_s() - begin) * 1e6;
    }
    mill_loader_close(l);
}

int main(int argc, char **argv)
{
    enum { MOST = 99 };
    double ordered[MOST], shuffled[MOST], runs[MOST], orders[MOST], shuffles[MOST];
    double next[CALLS], release[CALLS];
    if (argc != 4)
        return 2;
    const char *spec = argv[1], *index = argv[2];
    int rounds = atoi(argv[3]) < MOST ? atoi(argv[3]) : MOST;
    mill_pipeline *p = pipeline_of(text);
    online(spec, p, index, MILL_SHUFFLE_WINDOW); /* indexes, caches, threads */
    for (int i = 0; i < rounds; i++) {
        runs[i] = offline(spec, p);
        orders[i] = online(spec, p, index, MILL_SHUFFLE_NONE);
        shuffles[i] = online(spec, p, index, MILL_SHUFFLE_WINDOW);
        double again = offline(spec, p), base = (runs[i] + again) / 2;
        ordered[i] = orders[i] / base;
        shuffled[i] = shuffles[i] / base;
        runs[i] = base;
    }
    time_calls(spec, p, index, next, release);
    printf("%s\n%d threads, batches of %d, medians of %d rounds of %d epochs\n", text, mill_threads(0).chosen,
           BATCH, rounds, EPOCHS);
    printf("%-34s %10s %8s\n", "", "samples/s", "ratio");
    printf("%-34s %10.0f %8s\n", "mill_run, nothing written", median(runs, rounds), "1");
    printf("%-34s %10.0f %8.3f\n", "loader, in order", median(orders, rounds), median(ordered, rounds));
    printf("%-34s %10.0f %8.3f\n", "loader, shuffled", median(shuffles, rounds), median(shuffled, rounds));
    printf("a batch is ready: next() takes %.1f us, release() %.1f us (medians; 99 %%: %.1f and %.1f)\n",
           median(next, CALLS), median(release, CALLS), quantile(next, CALLS, 0.99),
           quantile(release, CALLS, 0.99));
    double a = median(ordered, rounds), b = median(shuffled, rounds);
    printf("loader ratio=%.3f target=0.97\n", a < b ? a : b);
    mill_pipeline_free(p);
    return 0;
}
