/* SPDX-License-Identifier: Apache-2.0 */
/* api/run.c: mill_run(): the engine's batches into a sink, shard by shard, with a manifest of what is
 * finished. Runs on the calling thread, which mostly waits: it is none of the compute threads. */
#include "api/output_folder.h"
#include "api/run_state.h"
#include "base/clock.h"
#include "base/error.h"
#include <stdlib.h>
#include <string.h>

/* ---- outputs ---- */

/* NULL: *status says why it cannot be. */
static mill__output *find_output(mill__run *r, size_t shard, mill_status *status, mill_error *err)
{
    for (mill__output *o = r->outputs; o; o = o->next)
        if (o->shard == shard)
            return o;
    mill__output *o = calloc(1, sizeof *o);
    if (!o) {
        *status = mill__no_memory(err, sizeof *o, "an output shard");
        return NULL;
    }
    o->shard = shard;
    const char *name = r->shards[shard].name;
    *status = r->manifest ? mill__manifest_redo(r->manifest, name, err) : MILL_OK;
    if (!*status)
        *status = r->sink->begin(&r->sink_config, name, &o->writer, err);
    if (*status) {
        free(o);
        return NULL;
    }
    o->next = r->outputs;
    return r->outputs = o;
}

/* What was made of a shard that did not come to its end is thrown away, and does not count. */
static void drop_output(mill__run *r, mill__output *o)
{
    mill__output **at = &r->outputs;
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    if (!o->finished) {
        r->stats.samples -= o->samples;
        r->stats.written -= o->written;
        r->stats.skipped -= o->skipped;
        r->stats.substituted -= o->substituted;
        r->stats.errors -= o->errors;
        r->stats.warnings -= o->warnings;
    }
    if (o->writer)
        r->sink->abandon(o->writer);
    mill__issues_free(&o->issues);
    free(o);
}

/* ---- counting ---- */

static void count_rows(mill__run *r, mill__output *o, const mill__batch *batch)
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
    if (!r->stats.first_sample_ns && n)
        r->stats.first_sample_ns = mill__now_ns() - r->begin_ns;
}

static void count_issues(mill__run *r, mill__output *o, size_t first)
{
    for (size_t i = first; i < o->issues.n; i++) {
        bool error = o->issues.list[i].severity == MILL_ERROR;
        o->errors += error;
        o->warnings += !error;
        r->stats.errors += error;
        r->stats.warnings += !error;
    }
}

/* Policy fail: of the earliest bad shard the first error is what the run ends with, and the last issue that
 * is shown. Only earlier shards go on. That is the same for any number of threads. */
static bool note_failure(mill__run *r, mill__output *o)
{
    if (r->options.policy != MILL_POLICY_FAIL || !o->errors)
        return false;
    mill__issues_sort(&o->issues);
    size_t i = 0;
    while (o->issues.list[i].severity != MILL_ERROR)
        i++;
    o->issues.n = i + 1;
    const mill_issue *issue = &o->issues.list[i];
    r->bad_shard = r->order.last = o->shard;
    mill_fail(&r->bad, strcmp(issue->kind, "io") ? MILL_BAD_DATA : MILL_IO, issue->kind, "%s", issue->reason);
    mill__error_where(&r->bad, issue->shard, issue->key, issue->offset);
    mill__engine_stop_after(r->engine, o->shard);
    return true;
}

static bool over_count(const mill__run *r)
{
    const mill_options *o = &r->options;
    return o->policy != MILL_POLICY_FAIL && o->max_errors > 0 && r->stats.errors > o->max_errors;
}

static bool over_fraction(const mill__run *r)
{
    const mill_options *o = &r->options;
    return o->policy != MILL_POLICY_FAIL && o->max_errors_fraction > 0 &&
           (double)r->stats.errors > o->max_errors_fraction * (double)r->stats.samples;
}

/* ---- shards that end ---- */

static mill_status take_kept(mill__run *r, const mill__batch *batch, mill_error *err)
{
    mill__manifest_entry entry = {0};
    mill__issues issues = {0};
    mill_status status =
        mill__manifest_keep(r->manifest, batch->shard, r->shards[batch->shard].name, &entry, err);
    const mill__manifest_shard *shard = &entry.shard;
    bool fits = true;
    for (size_t i = 0; i < shard->nissues && fits; i++)
        fits = mill__issues_add(&issues, &shard->issues[i], r->shards[batch->shard].locator);
    if (!status && (!fits || !mill__issue_order_end(&r->order, batch->shard, &issues)))
        status = mill__no_memory(err, shard->nissues, "issues");
    mill__issues_free(&issues);
    r->stats.shards_done++;
    r->stats.shards_kept++;
    r->stats.samples += shard->samples;
    r->stats.samples_kept += shard->samples;
    r->stats.written += shard->written;
    r->stats.skipped += shard->skipped;
    r->stats.substituted += shard->substituted;
    r->stats.errors += shard->errors;
    r->stats.warnings += shard->warnings;
    mill__manifest_entry_free(&entry);
    return status;
}

static mill_status record(mill__run *r, const mill__output *o, const mill__batch *batch,
                          const mill__output_file *files, size_t nfiles, mill_error *err)
{
    const mill__shard_name *name = &r->shards[o->shard];
    const mill__manifest_shard entry = {.name = name->name,
                                        .locator = name->locator,
                                        .nbytes = batch->stored_nbytes,
                                        .mtime_ns = batch->shard_mtime_ns,
                                        .samples = o->samples,
                                        .written = o->written,
                                        .skipped = o->skipped,
                                        .substituted = o->substituted,
                                        .errors = o->errors,
                                        .warnings = o->warnings,
                                        .files = files,
                                        .nfiles = nfiles,
                                        .issues = o->issues.list,
                                        .nissues = o->issues.n};
    for (size_t i = 0; i < nfiles; i++)
        r->stats.bytes_out += files[i].nbytes;
    r->stats.shards_done++;
    return r->manifest ? mill__manifest_add(r->manifest, o->shard, &entry, err) : MILL_OK;
}

static mill_status finish_shard(mill__run *r, mill__output *o, const mill__batch *batch, mill_error *err)
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
    mill__issues_sort(&o->issues);
    status = record(r, o, batch, files, nfiles, err);
    o->finished = !status;
    mill__output_files_free(files, nfiles);
    return status;
}

static mill_status end_output(mill__run *r, mill__output *o, mill_status status, mill_error *err)
{
    if (!status && !mill__issue_order_end(&r->order, o->shard, &o->issues))
        status = mill__no_memory(err, sizeof o->issues, "issues");
    drop_output(r, o);
    return status;
}

static mill_status take_batch(mill__run *r, const mill__batch *batch, mill_error *err)
{
    if (batch->shard >= r->bad_shard)
        return MILL_OK; /* not wanted any more */
    if (batch->kept)
        return take_kept(r, batch, err);
    mill_status status = MILL_OK;
    mill__output *o = find_output(r, batch->shard, &status, err);
    if (!o)
        return status;
    size_t before = o->issues.n;
    if (!mill__issues_add_batch(&o->issues, batch, r->shards[batch->shard].locator))
        return mill__no_memory(err, batch->n, "issues");
    count_issues(r, o, before);
    count_rows(r, o, batch);
    if (note_failure(r, o))
        return end_output(r, o, MILL_OK, err);
    int64_t begin = mill__trace_now(r->trace);
    status = r->sink->write(o->writer, batch->rows, batch->n, err);
    mill__trace_span(r->trace, "write", begin, "\"shard\":%zu,\"samples\":%zu", o->shard, batch->n);
    if (!status && batch->last)
        status = finish_shard(r, o, batch, err);
    return status || batch->last ? end_output(r, o, status, err) : MILL_OK;
}

/* ---- the loop ---- */

static bool wants_to_go_on(mill__run *r, bool finally)
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

/* The same words whichever error it was that was one too many. */
static mill_status too_many(const mill__run *r, mill_error *err)
{
    if (over_count(r))
        return mill_fail(err, MILL_TOO_MANY_BAD, "budget",
                         "more than %lld errors, the most that max_errors allows",
                         (long long)r->options.max_errors);
    return mill_fail(err, MILL_TOO_MANY_BAD, "budget",
                     "%lld errors in %lld samples: more than the %g %% that max_errors_fraction allows",
                     (long long)r->stats.errors, (long long)r->stats.samples,
                     100 * r->options.max_errors_fraction);
}

static mill_status work(mill__run *r, mill_error *err)
{
    for (;;) {
        mill__batch *batch;
        mill_status status = mill__engine_next(r->engine, &batch, 100, err);
        if (status == MILL_END)
            break;
        if (status == MILL_OK) {
            status = take_batch(r, batch, err);
            mill__engine_release(r->engine, batch);
        }
        if (status && status != MILL_AGAIN)
            return status;
        if (!wants_to_go_on(r, false))
            return canceled(err);
        if (over_count(r))
            return too_many(r, err);
    }
    if (r->bad_shard != SIZE_MAX) {
        if (err)
            *err = r->bad;
        return r->bad.status;
    }
    if (!wants_to_go_on(r, true))
        return canceled(err);
    return over_fraction(r) ? too_many(r, err) : MILL_OK;
}

static mill_status end_run(mill__run *r, mill_status status, mill_error *err)
{
    if (r->engine)
        mill__options_stats(&r->stats, r->engine);
    mill__engine_close(r->engine);
    while (r->outputs)
        drop_output(r, r->outputs);
    r->stats.errors += r->bad_shard != SIZE_MAX; /* the one that ended the run */
    mill_error late;
    mill_status saved =
        r->engine && r->manifest ? mill__manifest_save(r->manifest, status == MILL_OK, &late) : MILL_OK;
    mill_status traced = mill__trace_close(r->trace, saved ? NULL : &late);
    if (!status && (saved || traced)) {
        status = saved ? saved : traced;
        if (err)
            *err = late;
    }
    mill__issue_order_close(&r->order);
    mill__manifest_close(r->manifest);
    mill__output_folder_close(r->folder_lock);
    mill__plan_free(&r->plan);
    mill__spec_free(r->shards, r->nshards);
    r->stats.elapsed_ns = mill__now_ns() - r->begin_ns;
    return status;
}

mill_status mill_run(const char *spec, const mill_pipeline *pipeline, const char *out,
                     const mill_options *options, mill_stats *stats, mill_error *err)
{
    mill__run r = {.folder = out && out[0] ? out : NULL,
                   .folder_lock = -1,
                   .bad_shard = SIZE_MAX,
                   .begin_ns = mill__now_ns()};
    mill__error_clear(err);
    if (stats)
        *stats = (mill_stats){0};
    if (!spec || !pipeline)
        return mill_fail(err, MILL_USAGE, "argument", "a spec and a pipeline are needed");
    mill_status status = mill__options_fill(&r.options, options, err);
    if (status)
        return status;
    status = mill__run_open(&r, spec, pipeline, err);
    if (!status)
        status = work(&r, err);
    status = end_run(&r, status, err);
    if (stats)
        *stats = r.stats;
    return status;
}
