/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill stats: mean, deviation, extremes and more of what a pipeline makes of a data set. */
#include "command.h"
#include "engine_args.h"
#include "issues.h"
#include "outcome.h"
#include "pipe.h"
#include "progress.h"
#include "screen.h"
#include "signals.h"
#include "text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MOST = 32 }; /* features and classes that are shown to people */

typedef struct stats_args {
    cli_operands operands;
    const char *pipe, *out, *on_error;
    cli_budget max_errors;
    int64_t seed, epoch, max_pixels;
    bool covariance, quantiles, merge, json;
    cli_engine_args engine;
} stats_args;

#define AT(member) .offset = offsetof(stats_args, member)
static const cli_option options[] = {
    {.name = "pipe",
     .kind = CLI_TEXT,
     AT(pipe),
     .value = "TEXT",
     .fallback = "\"\": samples as they are",
     .help = "the pipeline: transforms joined by '|'; statistics are of what it gives"},
    {.name = "covariance", .kind = CLI_FLAG, AT(covariance), .help = "also the covariance of the features"},
    {.name = "quantiles", .kind = CLI_FLAG, AT(quantiles), .help = "also quantiles, within 1/128 of each"},
    {.name = "out",
     .letter = 'o',
     .kind = CLI_TEXT,
     AT(out),
     .value = "FILE",
     .help = "write the statistics as JSON, for normalize, standardize and --merge"},
    {.name = "merge",
     .kind = CLI_FLAG,
     AT(merge),
     .help = "the operands are files that --out wrote: put them together"},
    {.name = "on-error",
     .kind = CLI_CHOICE,
     AT(on_error),
     .value = "POLICY",
     .choices = "fail|skip",
     .fallback = "fail",
     .help = "what becomes of a bad sample"},
    {.name = "max-errors",
     .kind = CLI_BUDGET,
     AT(max_errors),
     .value = "N|P%",
     .fallback = "any number",
     .help = "with skip: fail at more than N errors, or more errors than P percent of the samples"},
    {.name = "seed",
     .kind = CLI_COUNT,
     AT(seed),
     .value = "N",
     .max = INT64_MAX,
     .fallback = "0",
     .help = "seed of the random transforms"},
    {.name = "epoch",
     .kind = CLI_COUNT,
     AT(epoch),
     .value = "N",
     .max = INT64_MAX,
     .fallback = "0",
     .help = "epoch: another one draws other random numbers"},
    {.name = "max-pixels",
     .kind = CLI_COUNT,
     AT(max_pixels),
     .value = "N",
     .min = 1,
     .max = INT64_MAX,
     .fallback = "178956970",
     .help = "refuse images of more"},
    {.name = "json",
     .kind = CLI_FLAG,
     AT(json),
     .help = "JSON lines: \"issue\", \"progress\" and at last \"total\", which has the statistics"},
    CLI_ENGINE_OPTIONS(stats_args)};

typedef struct counting {
    const stats_args *args;
    cli_progress progress;
    cli_issue_log issues;
    bool explained;
} counting;

static int on_progress(void *user, const mill_stats *stats)
{
    counting *c = user;
    if (c->args->engine.verbose && !c->explained) {
        c->explained = true;
        cli_progress_hide(&c->progress);
        cli_engine_explain(&c->args->engine, stats);
    }
    cli_progress_show(&c->progress, stats);
    return cli_signals_caught();
}

static void on_issue(void *user, const mill_issue *issue)
{
    counting *c = user;
    if (!c->args->json && cli_policy(c->args->on_error) == MILL_POLICY_FAIL && issue->severity == MILL_ERROR)
        return; /* it is what the run ends with */
    cli_progress_hide(&c->progress);
    cli_issue_log_add(&c->issues, issue);
}

/* ---- what is printed ---- */

static void print_features(const mill_statistics *s, const mill_statistics_view *v)
{
    printf("%-8s %12s %14s %14s %14s %14s\n", v->channels ? "channel" : "feature", "count", "mean", "std",
           "min", "max");
    for (size_t k = 0; k < v->features && k < LINES_MOST; k++)
        printf("%-8zu %12.0f %14.7g %14.7g %14.7g %14.7g\n", k, v->count[k], v->mean[k], v->std[k], v->min[k],
               v->max[k]);
    for (size_t k = 0; v->quantiles && k < v->features && k < LINES_MOST; k++)
        printf("%s%zu: quantiles 5%% %.4g, 25%% %.4g, 50%% %.4g, 75%% %.4g, 95%% %.4g\n", k ? "" : "\n", k,
               mill_statistics_quantile(s, k, 0.05), mill_statistics_quantile(s, k, 0.25),
               mill_statistics_quantile(s, k, 0.5), mill_statistics_quantile(s, k, 0.75),
               mill_statistics_quantile(s, k, 0.95));
    if (v->features > LINES_MOST)
        printf("... and %zu more; --out and --json have them all\n", v->features - LINES_MOST);
}

static void print_classes(const mill_statistics_view *v)
{
    if (!v->classes)
        return;
    printf("\n%zu class%s:", v->classes, v->classes == 1 ? "" : "es");
    for (size_t i = 0; i < v->classes && i < LINES_MOST; i++)
        printf("%s %" PRId64 " (%" PRId64 ")", i ? "," : "", v->labels[i], v->label_counts[i]);
    printf("%s", v->classes > LINES_MOST ? ", ..." : "");
    if (v->unlabelled)
        printf("; %" PRId64 " sample%s without a class", v->unlabelled, cli_plural(v->unlabelled));
    printf("\n");
}

static void print_statistics(const mill_statistics *s)
{
    mill_statistics_view v;
    mill_statistics_look(s, &v);
    printf("%" PRId64 " sample%s of %s", v.samples, cli_plural(v.samples), mill_dtype_name(v.dtype));
    if (v.skipped)
        printf(", %" PRId64 " bad one%s left out", v.skipped, cli_plural(v.skipped));
    printf("\n");
    print_features(s, &v);
    print_classes(&v);
}

/* Values that no mean can have are never passed over in silence. */
static void warn_of_odd(const mill_statistics *s)
{
    mill_statistics_view v;
    double nan = 0, infinite = 0;
    size_t features = 0;
    mill_statistics_look(s, &v);
    for (size_t k = 0; k < v.features; k++) {
        nan += v.nan[k];
        infinite += v.above[k] + v.below[k];
        features += v.nan[k] + v.above[k] + v.below[k] > 0;
    }
    if (features)
        cli_warn(CLI_SAY_WARNING,
                 "%.0f NaN and %.0f infinite values in %zu of %zu %s are left out of all else", nan, infinite,
                 features, v.features, v.channels ? "channels" : "features");
}

static void total_json(const mill_stats *stats, mill_statistics *s, mill_status status, const mill_error *err,
                       int code)
{
    cli_json json = cli_json_begin(stdout, "total");
    cli_outcome_json(&json, status, err, code);
    cli_json_int(&json, "shards", stats->shards);
    cli_json_int(&json, "shards_done", stats->shards_done);
    cli_json_int(&json, "errors", stats->errors);
    cli_json_int(&json, "warnings", stats->warnings);
    cli_json_uint(&json, "bytes_in", stats->bytes_in);
    cli_json_number(&json, "elapsed_s", (double)stats->elapsed_ns / 1e9);
    const char *text = s ? mill_statistics_json(s) : NULL;
    if (text) /* its members: {"version":1,...} */
        printf(",%.*s", (int)strlen(text) - 2, text + 1);
    cli_json_end(&json);
}

static int finish(counting *c, mill_statistics *s, const mill_stats *stats, mill_status status,
                  mill_error *err)
{
    const stats_args *a = c->args;
    cli_progress_hide(&c->progress);
    cli_issue_log_end(&c->issues);
    if (a->engine.verbose && !c->explained && stats->io)
        cli_engine_explain(&a->engine, stats);
    if (s && !status && a->out)
        status = mill_statistics_write(s, a->out, err);
    int code = cli_outcome_code(status, err);
    if (s)
        warn_of_odd(s);
    if (a->json)
        total_json(stats, s, status, err, code);
    else if (s && !a->engine.quiet)
        print_statistics(s);
    fflush(stdout);
    cli_outcome_print(status, err);
    if (status == MILL_CANCELED)
        cli_warn(CLI_SAY_NOTE, "interrupted with %lld of %lld shard%s done", (long long)stats->shards_done,
                 (long long)stats->shards, cli_plural(stats->shards));
    mill_statistics_free(s);
    return code;
}

/* ---- the work ---- */

static int merge(counting *c)
{
    const cli_operands *files = &c->args->operands;
    mill_error err = {.offset = MILL_NO_OFFSET};
    const mill_stats stats = {0};
    mill_statistics *s = NULL;
    mill_status status = mill_statistics_read(&s, files->words[0], &err);
    for (int i = 1; i < files->n && !status; i++) {
        mill_statistics *more;
        status = mill_statistics_read(&more, files->words[i], &err);
        if (!status)
            status = mill_statistics_merge(s, more, &err);
        mill_statistics_free(more);
    }
    if (status) {
        mill_statistics_free(s);
        s = NULL;
    }
    return finish(c, s, &stats, status, &err);
}

static int gather(counting *c, const mill_statistics_options *o, mill_pipeline *pipeline)
{
    const stats_args *a = c->args;
    mill_error err = {.offset = MILL_NO_OFFSET};
    mill_stats stats = {0};
    mill_statistics *s = NULL;
    char *spec = cli_spec_join(&a->operands);
    if (!spec) {
        cli_warn(CLI_SAY_ERROR, "out of memory");
        return CLI_SYSTEM;
    }
    if (a->engine.verbose) {
        cli_pipe_explain(pipeline);
        cli_engine_explain(&a->engine, NULL);
    }
    cli_progress_begin(&c->progress, a->engine.quiet ? CLI_PROGRESS_NONE
                                     : a->json       ? CLI_PROGRESS_JSON
                                                     : CLI_PROGRESS_AUTO);
    cli_signals_catch();
    mill_status status = mill_statistics_gather(&s, spec, pipeline, o, &stats, &err);
    free(spec);
    return finish(c, s, &stats, status, &err);
}

static int check(const stats_args *a)
{
    if (a->merge && (a->pipe || a->covariance || a->quantiles || a->on_error))
        return cli_usage(&cli_stats, "--merge puts files together that are there: no pipeline is run");
    if (cli_policy(a->on_error) == MILL_POLICY_FAIL && (a->max_errors.count || a->max_errors.fraction > 0))
        return cli_usage(&cli_stats, "--max-errors needs --on-error skip");
    return CLI_OK;
}

static int fill(counting *c, mill_statistics_options *o)
{
    const stats_args *a = c->args;
    *o = mill_statistics_options_default();
    o->covariance = a->covariance;
    o->quantiles = a->quantiles;
    o->run.seed = (uint64_t)a->seed;
    o->run.epoch = (uint64_t)a->epoch;
    o->run.policy = cli_policy(a->on_error);
    o->run.max_errors = a->max_errors.count;
    o->run.max_errors_fraction = a->max_errors.fraction;
    o->run.max_pixels = (uint64_t)a->max_pixels;
    o->run.user = c;
    o->run.on_progress = on_progress;
    o->run.on_issue = on_issue;
    return cli_engine_fill(&cli_stats, &a->engine, &o->run);
}

static int stats_main(void *args)
{
    const stats_args *a = args;
    counting c = {.args = a,
                  .issues = {.json = a->json, .quiet = a->engine.quiet, .verbose = a->engine.verbose}};
    mill_statistics_options o;
    mill_pipeline *pipeline = NULL;
    int code = check(a);
    code = code ? code : fill(&c, &o);
    if (!code && a->merge)
        return merge(&c);
    code = code ? code : cli_pipe_open(&pipeline, a->pipe ? a->pipe : "");
    code = code ? code : gather(&c, &o, pipeline);
    mill_pipeline_free(pipeline);
    return code;
}

const cli_command cli_stats = {
    .name = "stats",
    .summary = "mean, deviation, extremes and more of a data set, for normalisation",
    .operands = "SPEC...",
    .fewest_operands = 1,
    .most_operands = -1,
    .about = "Sends every sample that SPEC names through the pipeline and gathers statistics of what comes "
             "out: of each channel of images, or each place on the last axis of other tensors. NaN and "
             "infinities are counted and left out. The numbers are the same, to the last bit, for any number "
             "of threads. normalize FILE and standardize FILE use what --out FILE wrote; --merge puts the "
             "files of several machines together.\n\n"
             "exit status: 0 done, 1 more bad data than is allowed, 2 usage, 3 I/O error, 75 interrupted",
    .example = "shardmill stats 'data/demo/train-{000000..000003}.tar' --out stats.json \\\n"
               "    --pipe 'decode | resize 256 | center_crop 224'",
    .options = options,
    .noptions = sizeof options / sizeof *options,
    .args_nbytes = sizeof(stats_args),
    .main = stats_main};
