/* SPDX-License-Identifier: Apache-2.0 */
/* bench/first.c: from the start of a process to its first finished sample.
 *
 *   first SPEC PIPELINE      starts itself again, several times; prints the median in milliseconds, and how
 *                            many shards had been opened by then */
#include "engine/engine.h"
#include "engine/plan.h"
#include "registry.h"
#include <shardmill/shardmill.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REPEATS = 15 };

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int stop_at_first(void *user, const mill_stats *stats)
{
    (void)user;
    return stats->first_sample_ns != 0;
}

static int fail(const mill_error *err)
{
    fprintf(stderr, "bench first: %s\n", err->message);
    return 1;
}

/* begun: when the parent started us. */
static int child(int64_t begun, const char *spec, const char *pipeline)
{
    char out[] = "/tmp/shardmill-first-XXXXXX", manifest[64];
    mill_error err;
    mill_stats stats;
    mill_options o = mill_options_default();
    mill_pipeline *p = mill_pipeline_new();
    o.sink = "null";
    o.on_progress = stop_at_first;
    if (mill_pipeline_parse(p, pipeline, &err) || !mkdtemp(out))
        return fail(&err);
    int64_t before = now_ns();
    mill_status status = mill_run(spec, p, out, &o, &stats, &err);
    snprintf(manifest, sizeof manifest, "%s/manifest.json", out);
    unlink(manifest);
    rmdir(out);
    mill_pipeline_free(p);
    if (status && status != MILL_CANCELED)
        return fail(&err);
    printf("%.3f\n", (double)(before - begun + stats.first_sample_ns) * 1e-6);
    return 0;
}

static double start(char **argv)
{
    char begun[32], line[64] = "";
    int ends[2];
    if (pipe(ends))
        exit(1);
    snprintf(begun, sizeof begun, "%lld", (long long)now_ns());
    pid_t pid = fork();
    if (!pid) {
        dup2(ends[1], 1);
        execl("/proc/self/exe", argv[0], begun, argv[1], argv[2], (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], line, sizeof line - 1);
    close(ends[0]);
    int status;
    if (n <= 0 || waitpid(pid, &status, 0) != pid || status)
        exit(1);
    return strtod(line, NULL);
}

static int count_opened(const char *spec, const char *pipeline)
{
    mill_error err;
    mill_type type;
    mill__plan plan;
    mill__shard_name *shards;
    mill__engine_config config = {.threads = 2, .depth = 8, .executor = "tasks", .memory_nbytes = 256u << 20};
    mill__engine *engine;
    mill__batch *batch;
    mill__engine_stats stats;
    mill_pipeline *p = mill_pipeline_new();
    if (mill_pipeline_parse(p, pipeline, &err) ||
        mill__spec_expand(spec, ".tar .npy", false, &shards, &config.nshards, &err))
        return fail(&err);
    config.shards = shards;
    config.job.plan = &plan;
    config.job.max_pixels = 178956970;
    if (mill__engine_peek(&config, &type, &err) || mill__plan_compile(p, &type, &plan, &err) ||
        mill__engine_open(&engine, &config, &err) || mill__engine_next(engine, &batch, -1, &err))
        return fail(&err);
    mill__engine_stats_get(engine, &stats);
    printf("shards opened when the first batch is there: %zu of %zu\n", stats.opened, config.nshards);
    mill__engine_close(engine);
    mill__plan_free(&plan);
    mill_pipeline_free(p);
    mill__spec_free(shards, config.nshards);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc == 4)
        return child(strtoll(argv[1], NULL, 10), argv[2], argv[3]);
    if (argc != 3)
        return 2;
    double times[REPEATS];
    for (int i = 0; i < REPEATS; i++)
        times[i] = start(argv);
    qsort(times, REPEATS, sizeof *times, by_value);
    int failed = count_opened(argv[1], argv[2]);
    printf("process start to first finished sample: median %.1f ms, least %.1f, most %.1f\n",
           times[REPEATS / 2], times[0], times[REPEATS - 1]);
    printf("%.1f\n", times[REPEATS / 2]);
    return failed;
}
