/* SPDX-License-Identifier: Apache-2.0 */
/* api/stats_gather.c: mill_statistics_gather(): compute threads reduce rows, the calling thread merges what
 * they made in a fixed tree: the rows of each shard by their ordinals, then the shards. */
#include "api/issues.h"
#include "api/options.h"
#include "api/stats_state.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/trace.h"
#include "engine/stats_reduce.h"
#include <stdlib.h>
#include <string.h>

/* A shard that is under way. Few are at a time. */
typedef struct part {
    struct part *next;
    size_t shard;
    mill__partial_tree tree;
    mill__issues issues;
    uint64_t walked;
    bool bad;
} part;

typedef struct gathering {
    mill_statistics_options options;
    mill__format_ops format; /* that is asked for by name */
    mill__shard_name *shards;
    size_t nshards;
    mill__plan plan;
    mill__tally tally;
    bool tallying;
    mill__trace *trace;
    mill__engine *engine;
    mill__issue_order order;
    part *parts;
    mill__partial_tree tree; /* of the shards */
    mill_statistics *result;
    mill_stats stats;
    int64_t begin_ns, progress_ns;
    size_t bad_shard; /* policy fail: the first shard with an error; SIZE_MAX: none */
    mill_error bad;
} gathering;

/* ---- shards ---- */

static mill__partial_tree empty_tree(const gathering *g)
{
    return mill__partial_tree_of(g->tally.features, g->tally.covariance, g->plan.kernels);
}

static part *find_part(gathering *g, size_t shard)
{
    for (part *p = g->parts; p; p = p->next)
        if (p->shard == shard)
            return p;
    part *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->shard = shard;
    p->tree = empty_tree(g);
    p->next = g->parts;
    return g->parts = p;
}

static void drop_part(gathering *g, part *p)
{
    part **at = &g->parts;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    mill__partial_tree_free(&p->tree);
    mill__issues_free(&p->issues);
    free(p);
}

/* What compute threads made of the batch's rows; it is used up. */
static bool add_partials(const gathering *g, part *p, const mill__batch *batch)
{
    size_t unit = g->tally.reduction.unit;
    return mill__partial_tree_add(&p->tree, (size_t)batch->first / unit, (double *)(void *)batch->partials,
                                  (batch->n + unit - 1) / unit);
}

static bool count_rows(gathering *g, part *p, const mill__batch *batch)
{
    bool fits = true;
    for (size_t i = 0; i < batch->n && fits; i++) {
        const mill__row *row = &batch->rows[i];
        if (row->status)
            g->result->skipped++;
        else if (row->label < 0)
            g->result->unlabelled++;
        else
            fits = mill__classes_add(&g->result->classes, row->label, 1);
        g->result->samples += !row->status;
    }
    g->stats.samples += (int64_t)batch->n;
    g->stats.skipped = g->result->skipped;
    g->stats.bytes_in += batch->walked - p->walked;
    p->walked = batch->walked;
    if (!g->stats.first_sample_ns && batch->n)
        g->stats.first_sample_ns = mill__now_ns() - g->begin_ns;
    return fits;
}

static void count_issues(gathering *g, part *p, size_t first)
{
    for (size_t i = first; i < p->issues.n; i++) {
        bool error = p->issues.list[i].severity == MILL_ERROR;
        p->bad |= error;
        g->stats.errors += error;
        g->stats.warnings += !error;
    }
}

/* Policy fail: the first error of the earliest bad shard is what the run ends with. */
static void note_failure(gathering *g, part *p)
{
    mill__issues_sort(&p->issues);
    size_t i = 0;
    while (p->issues.list[i].severity != MILL_ERROR)
        i++;
    p->issues.n = i + 1;
    const mill_issue *issue = &p->issues.list[i];
    g->bad_shard = g->order.last = p->shard;
    mill_fail(&g->bad, strcmp(issue->kind, "io") ? MILL_BAD_DATA : MILL_IO, issue->kind, "%s", issue->reason);
    mill__error_where(&g->bad, issue->shard, issue->key, issue->offset);
    mill__engine_stop_after(g->engine, p->shard);
}

static bool end_part(gathering *g, part *p)
{
    mill__issues_sort(&p->issues);
    double *numbers = mill__partial_tree_end(&p->tree);
    if (!numbers)
        numbers = calloc(1, g->tally.reduction.nbytes);
    bool fits = numbers && mill__partial_tree_add(&g->tree, p->shard, numbers, 1) &&
                mill__issue_order_end(&g->order, p->shard, &p->issues);
    free(numbers);
    g->stats.shards_done++;
    drop_part(g, p);
    return fits;
}

static mill_status take(gathering *g, const mill__batch *batch, mill_error *err)
{
    if (batch->shard >= g->bad_shard)
        return MILL_OK;
    part *p = find_part(g, batch->shard);
    size_t before = p ? p->issues.n : 0;
    bool fits = p && mill__issues_add_batch(&p->issues, batch, g->shards[batch->shard].locator) &&
                count_rows(g, p, batch) && add_partials(g, p, batch);
    if (fits)
        count_issues(g, p, before);
    if (fits && p->bad && g->options.run.policy == MILL_POLICY_FAIL) {
        note_failure(g, p);
        fits = mill__issue_order_end(&g->order, p->shard, &p->issues);
        drop_part(g, p);
    } else if (fits && batch->last) {
        fits = end_part(g, p);
    }
    return fits ? MILL_OK : mill__no_memory(err, g->tally.reduction.nbytes, "partial results");
}

/* ---- the loop ---- */

static bool wants_to_go_on(gathering *g)
{
    int64_t now = mill__now_ns();
    const mill_options *o = &g->options.run;
    if (!o->on_progress || now - g->progress_ns < 100000000)
        return true;
    g->progress_ns = now;
    g->stats.elapsed_ns = now - g->begin_ns;
    mill__options_stats(&g->stats, g->engine);
    return !o->on_progress(o->user, &g->stats);
}

static mill_status judge(const gathering *g, bool finally, mill_error *err)
{
    const mill_options *o = &g->options.run;
    if (o->policy == MILL_POLICY_FAIL)
        return MILL_OK;
    if (o->max_errors > 0 && g->stats.errors > o->max_errors)
        return mill_fail(err, MILL_TOO_MANY_BAD, "budget",
                         "more than %lld errors, the most that max_errors allows", (long long)o->max_errors);
    if (finally && o->max_errors_fraction > 0 &&
        (double)g->stats.errors > o->max_errors_fraction * (double)g->stats.samples)
        return mill_fail(err, MILL_TOO_MANY_BAD, "budget",
                         "%lld errors in %lld samples: more than the %g %% that max_errors_fraction allows",
                         (long long)g->stats.errors, (long long)g->stats.samples,
                         100 * o->max_errors_fraction);
    return MILL_OK;
}

static mill_status work(gathering *g, mill_error *err)
{
    for (;;) {
        mill__batch *batch;
        mill_status status = mill__engine_next(g->engine, &batch, 100, err);
        if (status == MILL_END)
            break;
        if (status == MILL_OK) {
            status = take(g, batch, err);
            mill__engine_release(g->engine, batch);
        }
        if (status && status != MILL_AGAIN)
            return status;
        if (!wants_to_go_on(g))
            return mill_fail(err, MILL_CANCELED, "canceled", "stopped on request");
        if ((status = judge(g, false, err)))
            return status;
    }
    if (g->bad_shard == SIZE_MAX)
        return judge(g, true, err);
    if (err)
        *err = g->bad;
    return g->bad.status;
}

/* ---- open and end ---- */

static mill_status prepare(gathering *g, mill__engine_config *config, const char *spec,
                           const mill_pipeline *pipeline, mill_error *err)
{
    mill_options *o = &g->options.run;
    mill_status status = mill__options_expand(o, spec, &g->shards, &g->nshards, err);
    config->shards = g->shards;
    config->nshards = g->nshards;
    if (!status)
        status = mill__engine_compile(config, pipeline, &g->plan, err);
    if (status)
        return status;
    g->tallying = true;
    status = mill__tally_open(&g->tally, &g->plan, g->options.covariance, g->options.quantiles, err);
    if (status)
        return status;
    config->job.plan = &g->plan;
    config->job.reduction = &g->tally.reduction;
    if (o->trace)
        status = mill__trace_open(&g->trace, o->trace, err);
    if (!status && mill__issue_order_open(&g->order, g->nshards, o->on_issue, o->user))
        status = mill__no_memory(err, g->nshards * sizeof *g->order.waiting, "the list of shards");
    return status;
}

static mill_status open_result(gathering *g, mill_error *err)
{
    g->tree = empty_tree(g);
    mill_statistics *s = g->result =
        mill__statistics_new(g->tally.features, g->tally.covariance, g->tally.quantiles);
    if (s) {
        s->pipeline = strdup(g->plan.text);
        s->dtype = g->plan.output.dtype;
        s->precise = g->tally.wide;
        s->channels = g->plan.output.layout == MILL_HWC || g->plan.output.layout == MILL_CHW;
    }
    return s && s->pipeline ? MILL_OK : mill__no_memory(err, g->tally.reduction.nbytes, "statistics");
}

/* All batches were taken and the team is at rest. */
static mill_status end_result(gathering *g, mill_error *err)
{
    double *numbers = mill__partial_tree_end(&g->tree);
    bool fits = mill__tally_complete(&g->tally);
    if (numbers) {
        free(g->result->numbers);
        g->result->numbers = numbers;
    }
    fits = fits && (!g->tally.quantiles || mill__tally_sketch(&g->tally, &g->result->sketch)) &&
           mill__statistics_derive(g->result);
    return fits ? MILL_OK : mill__no_memory(err, g->tally.reduction.nbytes, "statistics");
}

static mill_status end(gathering *g, mill_status status, mill_error *err)
{
    if (g->engine)
        mill__options_stats(&g->stats, g->engine);
    mill__engine_close(g->engine);
    if (!status)
        status = end_result(g, err);
    mill_status traced = mill__trace_close(g->trace, status ? NULL : err);
    status = status ? status : traced;
    while (g->parts)
        drop_part(g, g->parts);
    mill__partial_tree_free(&g->tree);
    mill__issue_order_close(&g->order);
    if (g->tallying)
        mill__tally_close(&g->tally);
    mill__plan_free(&g->plan);
    mill__spec_free(g->shards, g->nshards);
    g->stats.elapsed_ns = mill__now_ns() - g->begin_ns;
    return status;
}

static mill_status fill_options(gathering *g, const mill_statistics_options *options, mill_error *err)
{
    g->options = mill_statistics_options_default();
    if (options && (options->struct_nbytes == 0 || options->struct_nbytes > sizeof g->options))
        return mill_fail(err, MILL_USAGE, "option", "options come from mill_statistics_options_default()");
    if (options)
        memcpy(&g->options, options, options->struct_nbytes);
    mill_options given = g->options.run;
    mill_status status = mill__options_fill(&g->options.run, &given, err);
    if (!status && g->options.run.policy == MILL_POLICY_SUBSTITUTE)
        status =
            mill_fail(err, MILL_USAGE, "option", "statistics count no substitutes: policy is fail or skip");
    return status;
}

mill_status mill_statistics_gather(mill_statistics **statistics, const char *spec,
                                   const mill_pipeline *pipeline, const mill_statistics_options *options,
                                   mill_stats *stats, mill_error *err)
{
    gathering g = {.begin_ns = mill__now_ns(), .bad_shard = SIZE_MAX};
    mill__error_clear(err);
    if (stats)
        *stats = (mill_stats){0};
    if (!statistics || !spec || !pipeline)
        return mill_fail(err, MILL_USAGE, "argument",
                         "a spec, a pipeline and a place for the result are needed");
    *statistics = NULL;
    mill_status status = fill_options(&g, options, err);
    if (status)
        return status;
    mill__engine_config config;
    status = mill__options_engine(&g.options.run, &g.format, &config, err);
    if (!status)
        status = prepare(&g, &config, spec, pipeline, err);
    if (!status)
        status = open_result(&g, err);
    config.trace = g.trace;
    g.stats.shards = (int64_t)g.nshards;
    g.stats.memory_nbytes = g.options.run.memory_nbytes;
    if (!status)
        status = mill__engine_open(&g.engine, &config, err);
    if (!status)
        status = work(&g, err);
    status = end(&g, status, err);
    if (status)
        mill_statistics_free(g.result);
    else
        *statistics = g.result;
    if (stats)
        *stats = g.stats;
    return status;
}
