/* SPDX-License-Identifier: Apache-2.0 */
/* api/run.c: mill_run(): the engine's batches into a sink, shard by shard, with a manifest of what is
 * finished. Runs on the calling thread, which mostly waits: it is none of the compute threads. */
#include "api/issues.h"
#include "api/options.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/trace.h"
#include "registry.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A shard that is being written. Few are at a time. */
typedef struct output {
    struct output *next;
    size_t shard;
    void *writer; /* the sink's */
    int64_t samples, written, skipped, substituted;
    uint64_t walked;
    mill__issues issues;
} output;

typedef struct run {
    mill_options options;
    mill__shard_name *shards;
    size_t nshards;
    const char *folder;
    mill__plan plan;
    const mill__sink_ops *sink;
    mill__sink_config sink_config;
    mill__trace *trace;
    mill__engine *engine;

    pthread_mutex_t manifest_lock; /* the engine's I/O threads ask the manifest too */
    mill__manifest *manifest;
    mill__manifest_shard **kept; /* one a shard: what an earlier run made of it */

    output *outputs;
    mill__issue_order order;
    mill_stats stats;
    int64_t begin_ns, progress_ns, saved_ns;

    size_t bad_shard; /* policy fail: the first shard with an error, SIZE_MAX: none */
    mill_error bad;
} run;

/* ---- opening ---- */

static mill_status make_folder(const char *path, mill_error *err)
{
    char *partial = strdup(path);
    if (!partial)
        return mill__no_memory(err, strlen(path), "a path");
    int os_error = 0;
    for (char *at = partial + 1; !os_error; at++) {
        if (*at && *at != '/')
            continue;
        char was = *at;
        *at = 0;
        if (mkdir(partial, 0777) && errno != EEXIST)
            os_error = errno;
        *at = was;
        if (!was)
            break;
    }
    struct stat st;
    if (!os_error && (stat(partial, &st) || !S_ISDIR(st.st_mode)))
        os_error = ENOTDIR;
    free(partial);
    return os_error ? mill__fail_os(err, os_error, "cannot make the output folder \"%s\"", path) : MILL_OK;
}

/* Asked on I/O threads, once a shard. */
static bool is_finished(void *user, size_t shard, const mill_shard_info *info)
{
    run *r = user;
    const mill__shard_name *name = &r->shards[shard];
    mill__manifest_shard *found = malloc(sizeof *found);
    if (!found)
        return false;
    pthread_mutex_lock(&r->manifest_lock);
    bool finished =
        mill__manifest_finished(r->manifest, name->name, name->locator, info->nbytes, info->mtime_ns, found);
    pthread_mutex_unlock(&r->manifest_lock);
    if (finished)
        r->kept[shard] = found;
    else
        free(found);
    return finished;
}

static mill_status open_manifest(run *r, const char *spec, mill_error *err)
{
    static const char *const policies[] = {"fail", "skip", "substitute"};
    char numbers[4][24];
    const mill_options *o = &r->options;
    snprintf(numbers[0], sizeof numbers[0], "%llu", (unsigned long long)o->seed);
    snprintf(numbers[1], sizeof numbers[1], "%llu", (unsigned long long)o->epoch);
    snprintf(numbers[2], sizeof numbers[2], "%d", o->jpeg_quality);
    snprintf(numbers[3], sizeof numbers[3], "%llu", (unsigned long long)o->max_pixels);
    const char *settings[] = {"spec",
                              spec,
                              "pipeline",
                              r->plan.text,
                              "sink",
                              r->sink->name,
                              "on_error",
                              policies[o->policy],
                              "seed",
                              numbers[0],
                              "epoch",
                              numbers[1],
                              "jpeg_quality",
                              numbers[2],
                              "jpeg_subsampling",
                              o->jpeg_subsampling,
                              "max_pixels",
                              numbers[3],
                              "format",
                              o->format ? o->format : "by extension",
                              NULL};
    mill_status status = mill__manifest_open(&r->manifest, r->folder, settings, err);
    return status ? status : mill__manifest_save(r->manifest, false, err);
}

static mill_status open_sink(run *r, mill_error *err)
{
    const mill_options *o = &r->options;
    r->sink = mill__sink_named(o->sink);
    if (!r->sink)
        return mill_fail(err, MILL_USAGE, "option", "there is no sink \"%s\"", o->sink);
    if (!r->folder && r->sink != &mill__sink_null)
        return mill_fail(err, MILL_USAGE, "argument", "the sink \"%s\" needs an output folder", o->sink);
    r->sink_config = (mill__sink_config){.folder = r->folder,
                                         .fixed = r->plan.fixed,
                                         .policy = o->policy,
                                         .jpeg_quality = o->jpeg_quality,
                                         .jpeg_subsampling = atoi(o->jpeg_subsampling)};
    if (r->plan.has_tensor)
        r->sink_config.type = r->plan.output;
    return r->sink->check ? r->sink->check(&r->sink_config, err) : MILL_OK;
}

static mill_status compile(run *r, mill__engine_config *config, const mill_pipeline *pipeline,
                           mill_error *err)
{
    mill_type type;
    mill_status status = mill__engine_peek(config, &type, err);
    return status ? status : mill__plan_compile(pipeline, &type, &r->plan, err);
}

static mill_status open_run(run *r, const char *spec, const mill_pipeline *pipeline, mill_error *err)
{
    mill__engine_config config;
    mill__options_engine(&r->options, &config);
    mill_status status = mill__options_expand(&r->options, spec, &r->shards, &r->nshards, err);
    config.shards = r->shards;
    config.nshards = r->nshards;
    if (!status)
        status = compile(r, &config, pipeline, err);
    if (!status)
        status = open_sink(r, err);
    if (!status && r->folder)
        status = make_folder(r->folder, err);
    if (!status && r->folder)
        status = open_manifest(r, spec, err);
    if (!status && r->options.trace)
        status = mill__trace_open(&r->trace, r->options.trace, err);
    r->kept = calloc(r->nshards + 1, sizeof *r->kept);
    if (!status &&
        (!r->kept || mill__issue_order_open(&r->order, r->nshards, r->options.on_issue, r->options.user)))
        status = mill__no_memory(err, r->nshards * sizeof *r->kept, "the list of shards");
    if (status)
        return status;
    config.job.plan = &r->plan;
    config.job.encode = r->sink->wants_encoded;
    config.job.quality = r->options.jpeg_quality;
    config.job.subsampling = r->sink_config.jpeg_subsampling;
    config.carry_all = r->sink->wants_encoded;
    config.carry_json = r->sink->carries_json;
    config.trace = r->trace;
    config.keep = r->manifest ? is_finished : NULL;
    config.user = r;
    r->stats.shards = (int64_t)r->nshards;
    r->stats.memory_nbytes = r->options.memory_nbytes;
    return mill__engine_open(&r->engine, &config, err);
}

/* ---- writing ---- */

static mill_status find_output(run *r, size_t shard, output **found, mill_error *err)
{
    for (output *o = r->outputs; o; o = o->next)
        if (o->shard == shard) {
            *found = o;
            return MILL_OK;
        }
    output *o = calloc(1, sizeof *o);
    if (!o)
        return mill__no_memory(err, sizeof *o, "an output shard");
    o->shard = shard;
    mill_status status = r->sink->begin(&r->sink_config, r->shards[shard].name, &o->writer, err);
    if (status) {
        free(o);
        return status;
    }
    o->next = r->outputs;
    *found = r->outputs = o;
    return MILL_OK;
}

static void drop_output(run *r, output *o)
{
    output **at = &r->outputs;
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    if (o->writer)
        r->sink->abandon(o->writer);
    mill__issues_free(&o->issues);
    free(o);
}

static void count_rows(run *r, output *o, const mill__batch *batch)
{
    int64_t bad = 0;
    for (size_t i = 0; i < batch->n; i++)
        bad += batch->rows[i].status != MILL_OK;
    bool substitute = r->options.policy == MILL_POLICY_SUBSTITUTE;
    int64_t n = (int64_t)batch->n, written = substitute ? n : n - bad;
    o->samples += n;
    o->written += written;
    o->skipped += n - written;
    o->substituted += substitute ? bad : 0;
    r->stats.samples += n;
    r->stats.written += written;
    r->stats.skipped += n - written;
    r->stats.substituted += substitute ? bad : 0;
    r->stats.bytes_in += batch->walked - o->walked;
    o->walked = batch->walked;
}

static void count_issues(run *r, const mill_issue *issues, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        r->stats.errors += issues[i].severity == MILL_ERROR;
        r->stats.warnings += issues[i].severity == MILL_WARNING;
    }
}

/* Policy fail: remember the first bad thing of the earliest shard, and let only earlier shards go on. */
static void note_failure(run *r, const output *o)
{
    if (r->options.policy != MILL_POLICY_FAIL || o->shard >= r->bad_shard)
        return;
    for (size_t i = 0; i < o->issues.n; i++) {
        const mill_issue *issue = &o->issues.list[i];
        if (issue->severity != MILL_ERROR)
            continue;
        r->bad_shard = o->shard;
        mill_fail(&r->bad, strcmp(issue->kind, "io") ? MILL_BAD_DATA : MILL_IO, issue->kind, "%s",
                  issue->reason);
        mill__error_where(&r->bad, issue->shard, issue->key, issue->offset);
        mill__engine_stop_after(r->engine, o->shard);
        return;
    }
}

static bool budget_exceeded(const run *r, bool finally)
{
    const mill_options *o = &r->options;
    if (o->policy == MILL_POLICY_FAIL)
        return false;
    return (o->max_errors > 0 && r->stats.errors > o->max_errors) ||
           (finally && o->max_errors_fraction > 0 &&
            (double)r->stats.errors > o->max_errors_fraction * (double)r->stats.samples);
}

static mill_status save(run *r, bool complete, mill_error *err)
{
    if (!r->manifest)
        return MILL_OK;
    pthread_mutex_lock(&r->manifest_lock);
    mill_status status = mill__manifest_save(r->manifest, complete, err);
    pthread_mutex_unlock(&r->manifest_lock);
    r->saved_ns = mill__now_ns();
    return status;
}

static mill_status record(run *r, size_t shard, const mill__manifest_shard *entry, mill_error *err)
{
    r->stats.shards_done++;
    if (!r->manifest)
        return MILL_OK;
    pthread_mutex_lock(&r->manifest_lock);
    mill_status status = mill__manifest_add(r->manifest, shard, entry, err);
    pthread_mutex_unlock(&r->manifest_lock);
    if (!status && mill__now_ns() - r->saved_ns > 1000000000)
        status = save(r, false, err);
    return status;
}

static mill_status take_kept(run *r, const mill__batch *batch, mill_error *err)
{
    mill__manifest_shard *entry = r->kept[batch->shard];
    mill__issues issues = {0};
    for (size_t i = 0; i < entry->nissues; i++)
        if (!mill__issues_add(&issues, &entry->issues[i], entry->locator))
            return mill__no_memory(err, entry->nissues, "issues");
    r->stats.shards_kept++;
    r->stats.samples += entry->samples;
    r->stats.samples_kept += entry->samples;
    r->stats.written += entry->written;
    r->stats.skipped += entry->skipped;
    r->stats.substituted += entry->substituted;
    r->stats.errors += entry->errors;
    r->stats.warnings += entry->warnings;
    if (!mill__issue_order_end(&r->order, batch->shard, &issues))
        return mill__no_memory(err, sizeof issues, "issues");
    return record(r, batch->shard, entry, err);
}

static mill_status finish_shard(run *r, output *o, const mill__batch *batch, mill_error *err)
{
    mill__output_file *files = NULL;
    size_t nfiles = 0;
    int64_t begin = mill__trace_now(r->trace);
    void *writer = o->writer;
    o->writer = NULL; /* finish() ends it, come what may */
    mill_status status = r->sink->finish(writer, &files, &nfiles, err);
    mill__trace_span(r->trace, "finish", begin, "\"shard\":%zu", o->shard);
    if (status)
        return status;
    const mill__shard_name *name = &r->shards[o->shard];
    mill__manifest_shard entry = {.name = name->name,
                                  .locator = name->locator,
                                  .nbytes = batch->shard_nbytes,
                                  .mtime_ns = batch->shard_mtime_ns,
                                  .samples = o->samples,
                                  .written = o->written,
                                  .skipped = o->skipped,
                                  .substituted = o->substituted,
                                  .files = files,
                                  .nfiles = nfiles,
                                  .issues = o->issues.list,
                                  .nissues = o->issues.n};
    for (size_t i = 0; i < o->issues.n; i++) {
        entry.errors += o->issues.list[i].severity == MILL_ERROR;
        entry.warnings += o->issues.list[i].severity == MILL_WARNING;
    }
    for (size_t i = 0; i < nfiles; i++)
        r->stats.bytes_out += files[i].nbytes;
    status = record(r, o->shard, &entry, err);
    for (size_t i = 0; i < nfiles; i++)
        free(files[i].name);
    free(files);
    return status;
}

static mill_status take_batch(run *r, const mill__batch *batch, mill_error *err)
{
    if (batch->kept)
        return take_kept(r, batch, err);
    if (batch->shard >= r->bad_shard && r->bad_shard != SIZE_MAX)
        return MILL_OK; /* behind the one that failed: not wanted any more */
    output *o = NULL;
    mill_status status = find_output(r, batch->shard, &o, err);
    if (status)
        return status;
    size_t before = o->issues.n;
    if (!mill__issues_add_batch(&o->issues, batch, r->shards[batch->shard].locator))
        return mill__no_memory(err, batch->n, "issues");
    count_issues(r, o->issues.list + before, o->issues.n - before);
    count_rows(r, o, batch);
    if (!r->stats.first_sample_ns && batch->n)
        r->stats.first_sample_ns = mill__now_ns() - r->begin_ns;
    note_failure(r, o);
    bool failed = r->bad_shard == o->shard;
    if (!failed) {
        int64_t begin = mill__trace_now(r->trace);
        status = r->sink->write(o->writer, batch->rows, batch->n, err);
        mill__trace_span(r->trace, "write", begin, "\"shard\":%zu,\"samples\":%zu", o->shard, batch->n);
    }
    if (!status && batch->last && !failed)
        status = finish_shard(r, o, batch, err);
    if (status || failed || batch->last) {
        if (!status && !mill__issue_order_end(&r->order, o->shard, &o->issues))
            status = mill__no_memory(err, sizeof o->issues, "issues");
        drop_output(r, o);
    }
    return status;
}

/* ---- the loop ---- */

static bool wants_to_go_on(run *r, bool finally)
{
    int64_t now = mill__now_ns();
    if (!r->options.on_progress || (!finally && now - r->progress_ns < 100000000))
        return true;
    r->progress_ns = now;
    r->stats.elapsed_ns = now - r->begin_ns;
    mill__options_stats(&r->stats, r->engine);
    return !r->options.on_progress(r->options.user, &r->stats);
}

static mill_status canceled(mill_error *err)
{
    return mill_fail(err, MILL_CANCELED, "canceled",
                     "stopped on request; run it again with the same arguments to do the rest");
}

static mill_status too_many(const run *r, mill_error *err)
{
    return mill_fail(err, MILL_TOO_MANY_BAD, "budget",
                     "%lld errors in %lld samples: more than the budget of bad samples allows",
                     (long long)r->stats.errors, (long long)r->stats.samples);
}

static mill_status work(run *r, mill_error *err)
{
    for (;;) {
        mill__batch *batch;
        mill_status status = mill__engine_next(r->engine, &batch, 100, err);
        if (status == MILL_END)
            return r->bad_shard == SIZE_MAX ? MILL_OK : r->bad.status;
        if (status == MILL_OK) {
            status = take_batch(r, batch, err);
            mill__engine_release(r->engine, batch);
        }
        if (status && status != MILL_AGAIN)
            return status;
        if (!wants_to_go_on(r, false))
            return canceled(err);
        if (budget_exceeded(r, false))
            return too_many(r, err);
    }
}

static mill_status end_run(run *r, mill_status status, mill_error *err)
{
    if (r->engine)
        mill__options_stats(&r->stats, r->engine);
    mill__engine_close(r->engine);
    while (r->outputs)
        drop_output(r, r->outputs);
    mill_error late;
    mill_status saved = r->engine ? save(r, status == MILL_OK, &late) : MILL_OK;
    mill_status traced = mill__trace_close(r->trace, saved ? NULL : &late);
    if (!status && (saved || traced)) {
        status = saved ? saved : traced;
        if (err)
            *err = late;
    }
    mill__issue_order_close(&r->order);
    for (size_t i = 0; r->kept && i < r->nshards; i++)
        free(r->kept[i]);
    free(r->kept);
    mill__manifest_close(r->manifest);
    mill__plan_free(&r->plan);
    mill__spec_free(r->shards, r->nshards);
    r->stats.elapsed_ns = mill__now_ns() - r->begin_ns;
    return status;
}

mill_status mill_run(const char *spec, const mill_pipeline *pipeline, const char *out,
                     const mill_options *options, mill_stats *stats, mill_error *err)
{
    run r = {.folder = out && out[0] ? out : NULL, .bad_shard = SIZE_MAX, .begin_ns = mill__now_ns()};
    mill__error_clear(err);
    if (stats)
        *stats = (mill_stats){0};
    if (!spec || !pipeline)
        return mill_fail(err, MILL_USAGE, "argument", "a spec and a pipeline are needed");
    mill_status status = mill__options_fill(&r.options, options, err);
    if (status)
        return status;
    pthread_mutex_init(&r.manifest_lock, NULL);
    status = open_run(&r, spec, pipeline, err);
    if (!status)
        status = work(&r, err);
    if (status == MILL_OK && !wants_to_go_on(&r, true))
        status = canceled(err);
    if (status == MILL_OK && budget_exceeded(&r, true))
        status = too_many(&r, err);
    if (r.bad_shard != SIZE_MAX && err && status == r.bad.status)
        *err = r.bad;
    status = end_run(&r, status, err);
    pthread_mutex_destroy(&r.manifest_lock);
    if (stats)
        *stats = r.stats;
    return status;
}
