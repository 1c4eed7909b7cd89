/* SPDX-License-Identifier: Apache-2.0 */
/* bench/engine.c: what the engine costs. Five workloads of simulated read latency and burned CPU; wall time
 * over the ideal, CPU time over the useful, idle CPU. Both executors; bench/engine.sh runs the builds of both
 * runtimes.
 *
 *   ideal = max(read latency + useful CPU / threads, I/O bound + one shard's compute)
 *
 * where the I/O bound is (shards / depth) * latency. The useful CPU is burned by the thread's own clock. On a
 * machine that is busy with other things it takes longer than its own time, without any engine: so before
 * each run plain threads burn as much, and what they take over that stretches the compute of the ideal.
 * Printed: medians of REPEATS runs. That correction is measured beside a run and not in it: where other load
 * comes and goes a ratio may be below 1, and overhead may hide in it. So "bare" stands beside it,
 * uncorrected: the least wall time over the ideal of a quiet machine. Where the two differ, only a quiet
 * machine decides. */
#include "engine/engine.h"
#include "../tests/fake.h"
#include "engine/plan.h"
#include "registry.h"
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

/* The clock costs a system call: ask it every few microseconds only. */
static void burn_seconds(double cpu)
{
    double end = seconds(CLOCK_THREAD_CPUTIME_ID) + cpu;
    while (seconds(CLOCK_THREAD_CPUTIME_ID) < end)
        for (volatile int i = 0; i < 2000; i++)
            continue;
}

static mill_status burn_run(const void *self, void *state, const mill_context *ctx, const mill_tensor *in,
                            mill_tensor *out, mill_error *err)
{
    (void)state, (void)ctx, (void)err;
    burn_seconds(*(const double *)self);
    memcpy(out->data, in->data, 4);
    return MILL_OK;
}

static const mill_transform_ops burn = {.struct_nbytes = sizeof(mill_transform_ops),
                                        .name = "burn",
                                        .summary = "uses CPU time",
                                        .plan = burn_plan,
                                        .run = burn_run};

static void *burn_thread(void *arg)
{
    burn_seconds(*(double *)arg);
    return NULL;
}

/* What the machine makes of useful CPU seconds just now: wall time of plain threads over their own. */
static double slowdown(double useful)
{
    pthread_t threads[THREADS];
    double each = (useful < 0.4 ? useful : 0.4) / THREADS, begin = seconds(CLOCK_MONOTONIC);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, burn_thread, &each))
            exit(1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    double factor = (seconds(CLOCK_MONOTONIC) - begin) / each;
    return factor > 1 ? factor : 1;
}

typedef struct result {
    double wall, cpu, idle_cpu; /* idle: CPU seconds of a second in which nobody takes batches */
} result;

static void check(mill_status status, const mill_error *err)
{
    if (status && status != MILL_END) {
        fprintf(stderr, "bench engine: %s\n", err->message);
        exit(1);
    }
}

static void open_engine(mill__engine **engine, mill__engine_config *config, fake *source, mill__plan *plan,
                        const char *executor, int depth)
{
    mill_error err;
    *config = (mill__engine_config){.shards = config->shards,
                                    .nshards = config->nshards,
                                    .source = &fake_source,
                                    .source_user = source,
                                    .format = mill__format_named("npy"),
                                    .job.plan = plan,
                                    .threads = THREADS,
                                    .depth = depth,
                                    .io = "threads",
                                    .executor = executor,
                                    .memory_nbytes = 256u << 20};
    check(mill__engine_open(engine, config, &err), &err);
}

static void compile_burn(mill__plan *plan, double *sample_s)
{
    mill_error err;
    mill_type type = {.dtype = MILL_I32, .rank = 1, .shape = {1}};
    mill_pipeline *p = mill_pipeline_new();
    check(mill_pipeline_register(p, &burn, sample_s, &err), &err);
    check(mill_pipeline_parse(p, "burn", &err), &err);
    check(mill__plan_compile(p, &type, plan, &err), &err);
    mill_pipeline_free(p);
}

static void drain(mill__engine *engine)
{
    mill__batch *batch;
    mill_error err;
    mill_status status;
    while ((status = mill__engine_next(engine, &batch, -1, &err)) == MILL_OK)
        mill__engine_release(engine, batch);
    check(status, &err);
}

static fake source_of(const struct workload *w)
{
    return (fake){.rows = w->rows,
                  .rows_of = w->rows ? NULL : mixed_rows,
                  .elements = 1,
                  .latency_ns = (int64_t)(w->read_s * 1e9),
                  .fail_open = -1,
                  .fail_read = -1,
                  .shrink = -1};
}

static result run_once(const struct workload *w, const char *executor, bool stall)
{
    fake source = source_of(w);
    double sample_s = w->sample_s;
    mill_error err;
    char spec[64];
    mill__plan plan;
    mill__shard_name *shards;
    mill__engine_config config = {0};
    mill__engine *engine;
    result r = {0};
    snprintf(spec, sizeof spec, "fake-{000..%03d}", w->shards - 1);
    check(mill__spec_expand(spec, ".npy", true, &shards, &config.nshards, &err), &err);
    config.shards = shards;
    compile_burn(&plan, &sample_s);
    double cpu = cpu_seconds(), wall = seconds(CLOCK_MONOTONIC);
    open_engine(&engine, &config, &source, &plan, executor, w->depth);
    if (stall) {
        fake_sleep(1000000000);
        double before = cpu_seconds();
        fake_sleep(1000000000);
        r.idle_cpu = cpu_seconds() - before;
    }
    drain(engine);
    r.wall = seconds(CLOCK_MONOTONIC) - wall;
    r.cpu = cpu_seconds() - cpu;
    mill__engine_close(engine);
    mill__plan_free(&plan);
    mill__spec_free(shards, config.nshards);
    return r;
}

static double ideal_of(const struct workload *w, double stretch, double *useful)
{
    double largest = 0;
    *useful = 0;
    for (int i = 0; i < w->shards; i++) {
        double shard = (w->rows ? w->rows : mixed_rows(i)) * w->sample_s;
        *useful += shard;
        largest = shard > largest ? shard : largest;
    }
    double compute = w->read_s + stretch * *useful / THREADS;
    double io = (double)((w->shards + w->depth - 1) / w->depth) * w->read_s +
                stretch * (w->rows == 1 ? largest : largest / THREADS);
    return compute > io ? compute : io;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, REPEATS, sizeof *values, by_value);
    return values[REPEATS / 2];
}

/* The median of wall over ideal, over its target. */
static double measure(const struct workload *w, const char *executor)
{
    double useful, bare = ideal_of(w, 1, &useful), least = 1e9, walls[REPEATS], ideals[REPEATS],
                   ratios[REPEATS], cpus[REPEATS];
    for (int i = 0; i < REPEATS; i++) {
        ideals[i] = ideal_of(w, slowdown(useful), &useful);
        result r = run_once(w, executor, false);
        walls[i] = r.wall;
        ratios[i] = r.wall / ideals[i];
        cpus[i] = r.cpu / useful;
        least = r.wall < least ? r.wall : least;
    }
    double ratio = median(ratios), cpu = median(cpus);
    printf("%-38s %-6s %8.3f %8.3f %7.3f %7.2f %7.3f %10.3f\n", w->name, executor, median(ideals),
           median(walls), ratio, w->target, least / bare, cpu);
    return ratio / w->target;
}

int main(void)
{
    static const char *const executors[] = {"tasks", "loop"};
    static const struct workload stalled = {"stalled", 400, 8, 64, 0, 0, 0};
    double worst = 0;
    printf("%-38s %-6s %8s %8s %7s %7s %7s %10s\n", "workload, 2 threads", "exec", "ideal s", "wall s",
           "ratio", "target", "bare", "cpu/useful");
    for (size_t k = 0; k < sizeof workloads / sizeof *workloads; k++)
        for (int e = 0; e < 2; e++) {
            double share = measure(&workloads[k], executors[e]);
            worst = share > worst ? share : worst;
        }
    for (int e = 0; e < 2; e++)
        printf("idle, %s: %.4f CPU seconds in a second in which no batch is taken\n", executors[e],
               run_once(&stalled, executors[e], true).idle_cpu);
    printf("worst of wall/ideal over its target: %.3f\n", worst);
    return 0;
}
