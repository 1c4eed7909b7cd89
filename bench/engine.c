/* SPDX-License-Identifier: Apache-2.0 */
/* bench/engine.c: what the engine costs. Five workloads of simulated read latency and burned CPU; wall time
 * over the ideal, CPU time over the useful, idle CPU. Both executors; build with CC=gcc and CC=clang for both
 * runtimes.
 *
 *   ideal = max(read latency + useful CPU / threads, I/O bound + one shard's compute)
 *
 * where the I/O bound is (shards / depth) * latency. Printed: the median of REPEATS runs. */
#include "../tests/fake.h"
#include <sys/resource.h>

enum { THREADS = 2, REPEATS = 5 };

static int mixed_rows(int shard)
{
    return 8 + (shard * 29) % 57; /* 8 .. 64 */
}

static const struct workload {
    const char *name;
    int shards, depth, rows;
    double read_s, sample_s, target;
} workloads[] = {
    {"4 shards, 0.1 s read, 10 ms", 4, 4, 1, 0.1, 0.010, 1.10},
    {"4 shards, 0.1 s read, 50 ms", 4, 4, 1, 0.1, 0.050, 1.10},
    {"64 shards, 20 ms read, 8-64 x 2 ms", 64, 8, 0, 0.02, 0.002, 1.10},
    {"64 shards, 20 ms read, 8-64 x 0.25 ms", 64, 8, 0, 0.02, 0.00025, 1.10},
    {"64 shards, 20 ms read, 8-64 x 0.05 ms", 64, 8, 0, 0.02, 0.00005, 1.20},
};

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           1e-6 * ((double)u.ru_utime.tv_usec + (double)u.ru_stime.tv_usec);
}

static mill_status burn_plan(const mill_value *values, void *user, const mill_type *in, mill_type *out,
                             void **self, mill_error *err)
{
    (void)values, (void)in, (void)out, (void)err;
    *self = user;
    return MILL_OK;
}

static mill_status burn_run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                            mill_tensor *out, mill_error *err)
{
    (void)state, (void)ctx, (void)err;
    double end = seconds(CLOCK_THREAD_CPUTIME_ID) + *(const double *)self;
    while (seconds(CLOCK_THREAD_CPUTIME_ID) < end)
        continue;
    memcpy(out->data, in->data, 4);
    return MILL_OK;
}

static const mill_transform_ops burn = {.struct_nbytes = sizeof(mill_transform_ops),
                                        .name = "burn",
                                        .summary = "uses CPU time",
                                        .plan = burn_plan,
                                        .run = burn_run};

typedef struct result {
    double wall, cpu;
} result;

static result run_once(const struct workload *w, const char *executor, const char *out)
{
    fake source = {.rows = w->rows,
                   .rows_of = w->rows ? NULL : mixed_rows,
                   .elements = 1,
                   .latency_ns = (int64_t)(w->read_s * 1e9),
                   .fail_open = -1,
                   .fail_read = -1,
                   .shrink = -1};
    double sample_s = w->sample_s;
    mill_error err;
    char spec[64], manifest[512];
    mill_pipeline *p = mill_pipeline_new();
    mill_options o = mill_options_default();
    o.threads = THREADS;
    o.io_depth = w->depth;
    o.io = "threads";
    o.executor = executor;
    o.sink = "null";
    o.source = &fake_source;
    o.source_user = &source;
    o.format = "npy";
    snprintf(spec, sizeof spec, "fake-{000..%03d}", w->shards - 1);
    snprintf(manifest, sizeof manifest, "%s/manifest.json", out);
    remove(manifest);
    mill_status status = mill_pipeline_register(p, &burn, &sample_s, &err);
    if (!status)
        status = mill_pipeline_parse(p, "burn", &err);
    /* the first read tells the type of the samples; it is not part of what is measured */
    double cpu = cpu_seconds(), wall = seconds(CLOCK_MONOTONIC);
    if (!status)
        status = mill_run(spec, p, out, &o, NULL, &err);
    result r = {seconds(CLOCK_MONOTONIC) - wall - w->read_s, cpu_seconds() - cpu};
    if (status) {
        fprintf(stderr, "bench engine: %s\n", err.message);
        exit(1);
    }
    mill_pipeline_free(p);
    return r;
}

static double ideal_of(const struct workload *w, double *useful)
{
    double largest = 0;
    *useful = 0;
    for (int i = 0; i < w->shards; i++) {
        double shard = (w->rows ? w->rows : mixed_rows(i)) * w->sample_s;
        *useful += shard;
        largest = shard > largest ? shard : largest;
    }
    double compute = w->read_s + *useful / THREADS;
    double io = (double)((w->shards + w->depth - 1) / w->depth) * w->read_s +
                (w->rows == 1 ? largest : largest / THREADS);
    return compute > io ? compute : io;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    const char *out = argc > 1 ? argv[1] : "build/bench-engine";
    static const char *const executors[] = {"tasks", "loop"};
    double worst = 0;
    printf("%-38s %-6s %8s %8s %6s %10s\n", "workload, 2 threads", "exec", "ideal s", "wall s", "ratio",
           "cpu/useful");
    for (size_t k = 0; k < sizeof workloads / sizeof *workloads; k++)
        for (int e = 0; e < 2; e++) {
            const struct workload *w = &workloads[k];
            double useful, ideal = ideal_of(w, &useful), walls[REPEATS], cpus[REPEATS];
            for (int i = 0; i < REPEATS; i++) {
                result r = run_once(w, executors[e], out);
                walls[i] = r.wall;
                cpus[i] = r.cpu;
            }
            qsort(walls, REPEATS, sizeof *walls, by_value);
            qsort(cpus, REPEATS, sizeof *cpus, by_value);
            double ratio = walls[REPEATS / 2] / ideal;
            printf("%-38s %-6s %8.3f %8.3f %6.3f %10.3f\n", w->name, executors[e], ideal, walls[REPEATS / 2],
                   ratio, cpus[REPEATS / 2] / useful);
            double share = ratio / w->target;
            worst = share > worst ? share : worst;
        }
    printf("worst of wall/ideal over its target (1.10 on the first four workloads, 1.20 on the last)\n");
    printf("engine ratio=%.3f target=1.00\n", worst);
    return 0;
}
