/* SPDX-License-Identifier: Apache-2.0 */
#include "api/options.h"
#include "base/error.h"
#include "base/limits.h"
#include "engine/team.h"
#include "registry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mill_options mill_options_default(void)
{
    mill_options options = {.struct_nbytes = sizeof options};
    return options;
}

mill_inspect_options mill_inspect_options_default(void)
{
    mill_inspect_options options = {.struct_nbytes = sizeof options, .run = mill_options_default()};
    return options;
}

static int smaller(int a, int b)
{
    return b > 0 && (a <= 0 || b < a) ? b : a;
}

mill_threads_info mill_threads(int requested)
{
    mill_threads_info info = {.requested = requested > 0 ? requested : 0,
                              .openmp = mill__team_max_threads(),
                              .affinity = mill__affinity_cpus(),
                              .quota = mill__quota_cpus()};
    const char *limit = "OpenMP (OMP_NUM_THREADS or all CPUs)";
    info.chosen = info.openmp;
    if (smaller(info.chosen, info.affinity) != info.chosen)
        limit = "the affinity mask";
    info.chosen = smaller(info.chosen, info.affinity);
    if (smaller(info.chosen, info.quota) != info.chosen)
        limit = "the cgroup CPU quota";
    info.chosen = smaller(info.chosen, info.quota);
    if (smaller(info.chosen, mill__slurm_cpus()) != info.chosen)
        limit = "SLURM_CPUS_PER_TASK";
    info.chosen = smaller(info.chosen, mill__slurm_cpus());
    if (info.requested) {
        info.chosen = info.requested;
        limit = "the request";
    }
    if (info.chosen < 1)
        info.chosen = 1;
    char quota[24] = "none";
    if (info.quota)
        snprintf(quota, sizeof quota, "%d", info.quota);
    snprintf(info.reason, sizeof info.reason,
             "%d compute threads, by %s; OpenMP %d, affinity %d, cgroup quota %s", info.chosen, limit,
             info.openmp, info.affinity, quota);
    return info;
}

static bool one_of(const char *word, const char *a, const char *b, const char *c)
{
    return !strcmp(word, a) || !strcmp(word, b) || (c && !strcmp(word, c));
}

static mill_status unknown_sink(const char *name, mill_error *err)
{
    char list[128] = "";
    for (const mill__sink_ops *const *s = mill__sinks; *s; s++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", (*s)->name);
    }
    return mill_fail(err, MILL_USAGE, "option", "sink is one of %s, not \"%s\"", list, name);
}

static mill_status check_words(const mill_options *o, mill_error *err)
{
    if (!one_of(o->io, "auto", "uring", "threads"))
        return mill_fail(err, MILL_USAGE, "option", "io is auto, uring or threads, not \"%s\"", o->io);
    if (!one_of(o->executor, "tasks", "loop", NULL))
        return mill_fail(err, MILL_USAGE, "option", "executor is tasks or loop, not \"%s\"", o->executor);
    if (!one_of(o->jpeg_subsampling, "420", "422", "444"))
        return mill_fail(err, MILL_USAGE, "option", "jpeg_subsampling is 420, 422 or 444, not \"%s\"",
                         o->jpeg_subsampling);
    if (!mill__sink_named(o->sink))
        return unknown_sink(o->sink, err);
    mill__format_ops format;
    return o->format ? mill__format_parse(o->format, &format, err) : MILL_OK;
}

static mill_status check_range(const char *name, int64_t value, int64_t least, int64_t most, mill_error *err)
{
    if (value >= least && value <= most)
        return MILL_OK;
    return mill_fail(err, MILL_USAGE, "option", "%s is %lld to %lld, not %lld", name, (long long)least,
                     (long long)most, (long long)value);
}

static mill_status check_numbers(const mill_options *o, mill_error *err)
{
    mill_status status = check_range("threads", o->threads, 0, 4096, err);
    if (!status)
        status = check_range("io_depth", o->io_depth, 0, 1024, err);
    if (!status)
        status = check_range("jpeg_quality", o->jpeg_quality, 1, 100, err);
    if (!status)
        status = check_range("policy", (int64_t)o->policy, MILL_POLICY_FAIL, MILL_POLICY_SUBSTITUTE, err);
    if (!status && !(o->max_errors_fraction >= 0 && o->max_errors_fraction <= 1))
        status = mill_fail(err, MILL_USAGE, "option", "max_errors_fraction is 0 to 1, not %g",
                           o->max_errors_fraction);
    return status;
}

static mill_status check(const mill_options *o, mill_error *err)
{
    mill_status status = check_words(o, err);
    if (!status)
        status = check_numbers(o, err);
    if (!status && o->source &&
        (o->source->struct_nbytes != sizeof *o->source || !o->source->open || !o->source->read ||
         !o->source->close))
        status =
            mill_fail(err, MILL_USAGE, "option",
                      "source needs open(), read(), close() and struct_nbytes = sizeof(mill_source_ops)");
    return status;
}

mill_status mill__options_fill(mill_options *o, const mill_options *options, mill_error *err)
{
    *o = mill_options_default();
    if (options) {
        if (options->struct_nbytes == 0 || options->struct_nbytes > sizeof *o)
            return mill_fail(err, MILL_USAGE, "option",
                             "options come from mill_options_default() of the same or an older shardmill.h");
        memcpy(o, options, options->struct_nbytes);
    }
    const uint64_t quarter = mill__memory_nbytes() / 4, most = (uint64_t)2 << 30;
    o->io = o->io ? o->io : "auto";
    o->executor = o->executor ? o->executor : "tasks";
    o->memory_nbytes = o->memory_nbytes ? o->memory_nbytes : quarter < most ? quarter : most;
    o->sink = o->sink ? o->sink : "npy";
    o->jpeg_quality = o->jpeg_quality ? o->jpeg_quality : 90;
    o->jpeg_subsampling = o->jpeg_subsampling ? o->jpeg_subsampling : "420";
    o->max_pixels = o->max_pixels ? o->max_pixels : 178956970;
    mill_status status = check(o, err);
    if (status)
        return status;
    o->threads = mill_threads(o->threads).chosen;
    o->io_depth = o->io_depth ? o->io_depth : 8;
    return MILL_OK;
}

mill_status mill__options_engine(const mill_options *o, mill__format_ops *format, mill__engine_config *config,
                                 mill_error *err)
{
    *config = (mill__engine_config){.source = o->source,
                                    .source_user = o->source_user,
                                    .format = o->format ? format : NULL,
                                    .job = {.seed = o->seed, .epoch = o->epoch, .max_pixels = o->max_pixels},
                                    .threads = o->threads,
                                    .depth = o->io_depth,
                                    .io = o->io,
                                    .executor = o->executor,
                                    .memory_nbytes = o->memory_nbytes};
    return o->format ? mill__format_parse(o->format, format, err) : MILL_OK;
}

/* Each of more, as it is and with ".gz" behind it. */
static void add_extensions(char *list, size_t nbytes, const char *more)
{
    for (size_t n; *more; more += n, more += strspn(more, " ")) {
        size_t used = strlen(list);
        n = strcspn(more, " ");
        snprintf(list + used, nbytes - used, "%s%.*s %.*s.gz", used ? " " : "", (int)n, more, (int)n, more);
    }
}

mill_status mill__options_expand(const mill_options *o, const char *spec, mill__shard_name **shards,
                                 size_t *n, mill_error *err)
{
    char extensions[512] = "";
    mill__format_ops asked = {.usual = NULL};
    mill_status status = o->format ? mill__format_parse(o->format, &asked, err) : MILL_OK;
    if (status)
        return status;
    if (asked.usual)
        add_extensions(extensions, sizeof extensions, asked.usual);
    for (const mill__format_ops *const *f = mill__formats; *f; f++)
        add_extensions(extensions, sizeof extensions, (*f)->extensions);
    return mill__spec_expand(spec, extensions, o->source != NULL, shards, n, err);
}

void mill__options_stats(mill_stats *stats, mill__engine *engine)
{
    mill__engine_stats measured;
    mill__engine_stats_get(engine, &measured);
    stats->shards_opened = (int64_t)measured.opened;
    stats->bytes_total = measured.bytes_total;
    stats->busy_ns = measured.busy_ns;
    stats->peak_nbytes = measured.peak_nbytes;
    stats->threads = measured.threads;
    stats->io = measured.io;
    stats->executor = measured.executor;
    stats->level = measured.level;
}

char *mill__options_cache(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = cache && cache[0] == '/' ? asprintf(&path, "%s/shardmill", cache)
            : home && home[0] == '/' ? asprintf(&path, "%s/.cache/shardmill", home)
                                     : -1;
    return n < 0 ? NULL : path;
}
