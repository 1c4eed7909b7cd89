/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill run: a data set through a pipeline into output shards. */
#include "command.h"
#include "engine_args.h"
#include "issues.h"
#include "outcome.h"
#include "pipe.h"
#include "progress.h"
#include "screen.h"
#include "signals.h"
#include "summary.h"
#include "text.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MOST 20 /* issues shown on standard error */

typedef struct run_args {
    cli_operands operands;
    const char *pipe, *out, *sink, *on_error, *report, *subsampling;
    cli_budget max_errors;
    int64_t seed, epoch, quality, max_pixels;
    bool json;
    cli_engine_args engine;
} run_args;

#define AT(member) .offset = offsetof(run_args, member)
static const cli_option options[] = {
    {.name = "pipe",
     .kind = CLI_TEXT,
     AT(pipe),
     .value = "TEXT",
     .help = "the pipeline: transforms joined by '|'; \"\" keeps samples as they are (required)"},
    {.name = "out",
     .letter = 'o',
     .kind = CLI_TEXT,
     AT(out),
     .value = "DIR",
     .help = "the output folder; made if absent (required but for --as null)"},
    {.name = "as",
     .kind = CLI_NAME,
     AT(sink),
     .value = "SINK",
     .choices = "sink",
     .fallback = "npy",
     .help = "what to write"},
    {.name = "on-error",
     .kind = CLI_CHOICE,
     AT(on_error),
     .value = "POLICY",
     .choices = "fail|skip|substitute",
     .fallback = "fail",
     .help = "what becomes of a bad sample"},
    {.name = "max-errors",
     .kind = CLI_BUDGET,
     AT(max_errors),
     .value = "N|P%",
     .fallback = "any number",
     .help = "with skip and substitute: fail at more than N errors, or more errors than P percent of the "
             "samples"},
    {.name = "report",
     .kind = CLI_TEXT,
     AT(report),
     .value = "FILE",
     .help = "write all that is wrong with shards and samples as JSON lines, instead of the first few to "
             "standard "
             "error"},
    {.name = "json",
     .kind = CLI_FLAG,
     AT(json),
     .help = "JSON lines on standard output: \"issue\", \"progress\" and at last \"total\""},
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
    {.name = "jpeg-quality",
     .kind = CLI_COUNT,
     AT(quality),
     .value = "N",
     .min = 1,
     .max = 100,
     .fallback = "90",
     .help = "of images that --as tar encodes"},
    {.name = "jpeg-subsampling",
     .kind = CLI_CHOICE,
     AT(subsampling),
     .value = "S",
     .choices = "420|422|444",
     .fallback = "420",
     .help = "likewise"},
    {.name = "max-pixels",
     .kind = CLI_COUNT,
     AT(max_pixels),
     .value = "N",
     .min = 1,
     .max = INT64_MAX,
     .fallback = "178956970",
     .help = "refuse images of more"},
    CLI_ENGINE_OPTIONS(run_args)};

typedef struct running {
    const run_args *args;
    cli_progress progress;
    FILE *report;
    int report_error;
    int64_t nissues; /* shown or not */
    bool explained, said_stopping;
} running;

static mill_policy policy(const run_args *a)
{
    if (!a->on_error || !strcmp(a->on_error, "fail"))
        return MILL_POLICY_FAIL;
    return strcmp(a->on_error, "skip") ? MILL_POLICY_SUBSTITUTE : MILL_POLICY_SKIP;
}

/* ---- callbacks ---- */

static void say_stopping(running *r)
{
    if (r->said_stopping || r->args->engine.quiet)
        return;
    r->said_stopping = true;
    cli_progress_hide(&r->progress);
    cli_warn(CLI_SAY_NOTE, "stopping; a second signal ends at once");
}

static int on_progress(void *user, const mill_stats *stats)
{
    running *r = user;
    if (r->args->engine.verbose && !r->explained) {
        r->explained = true;
        cli_progress_hide(&r->progress);
        cli_engine_explain(&r->args->engine, stats);
    }
    cli_progress_show(&r->progress, stats);
    if (!cli_signals_caught())
        return 0;
    say_stopping(r);
    return 1;
}

static void show_issue(running *r, const mill_issue *issue)
{
    if (policy(r->args) == MILL_POLICY_FAIL && issue->severity == MILL_ERROR)
        return; /* it ends the run, and is what the run ends with */
    if (r->args->engine.quiet || (r->nissues > LINES_MOST && !r->args->engine.verbose))
        return;
    cli_progress_hide(&r->progress);
    cli_word(issue->severity == MILL_ERROR ? CLI_SAY_ERROR : CLI_SAY_WARNING);
    cli_issue_print(stderr, issue);
}

static void on_issue(void *user, const mill_issue *issue)
{
    running *r = user;
    r->nissues++;
    if (r->args->json)
        cli_issue_json(stdout, issue);
    if (r->report && !r->report_error) {
        errno = 0;
        cli_issue_json(r->report, issue);
        if (ferror(r->report))
            r->report_error = errno ? errno : EIO;
    }
    if (!r->args->json && !r->report)
        show_issue(r, issue);
}

/* ---- before ---- */

static int check(const run_args *a)
{
    if (!a->pipe)
        return cli_usage(&cli_run, "run needs --pipe TEXT, e.g. --pipe \"decode | resize 224x224\"; "
                                   "--pipe \"\" keeps samples as they are");
    bool null = a->sink && !strcmp(a->sink, "null");
    if (!null && !(a->out && a->out[0]))
        return cli_usage(&cli_run, "run needs --out DIR, the folder to write into");
    if (cli_policy(a->on_error) == MILL_POLICY_FAIL && (a->max_errors.count || a->max_errors.fraction > 0))
        return cli_usage(&cli_run, "--max-errors needs --on-error skip or --on-error substitute");
    return CLI_OK;
}

static int fill(running *r, mill_options *o)
{
    const run_args *a = r->args;
    *o = mill_options_default();
    o->seed = (uint64_t)a->seed;
    o->epoch = (uint64_t)a->epoch;
    o->policy = cli_policy(a->on_error);
    o->max_errors = a->max_errors.count;
    o->max_errors_fraction = a->max_errors.fraction;
    o->max_pixels = (uint64_t)a->max_pixels;
    o->sink = a->sink;
    o->jpeg_quality = (int)a->quality;
    o->jpeg_subsampling = a->subsampling;
    o->user = r;
    o->on_progress = on_progress;
    o->on_issue = on_issue;
    return cli_engine_fill(&cli_run, &a->engine, o);
}

static int open_report(running *r)
{
    if (!r->args->report)
        return CLI_OK;
    r->report = fopen(r->args->report, "we");
    if (r->report)
        return CLI_OK;
    cli_warn(CLI_SAY_ERROR, "cannot write the report \"%s\": %s", r->args->report, strerror(errno));
    return CLI_SYSTEM;
}

/* ---- after ---- */

static int close_report(running *r)
{
    if (!r->report)
        return CLI_OK;
    errno = 0;
    if (fclose(r->report) && !r->report_error)
        r->report_error = errno ? errno : EIO;
    if (!r->report_error)
        return CLI_OK;
    cli_warn(CLI_SAY_ERROR, "cannot write the report \"%s\": %s", r->args->report, strerror(r->report_error));
    return CLI_SYSTEM;
}

static void print_more_issues(const running *r)
{
    if (r->args->json || r->args->engine.quiet || !r->nissues)
        return;
    if (r->report)
        cli_warn(CLI_SAY_NOTE, "%lld issue%s written to %s", (long long)r->nissues, cli_plural(r->nissues),
                 r->args->report);
    else if (r->nissues > LINES_MOST && !r->args->engine.verbose)
        cli_warn(CLI_SAY_NOTE,
                 "%lld more issues are not shown; --report FILE writes all of them, -v shows them",
                 (long long)r->nissues - LINES_MOST);
}

static void print_interrupted(const running *r, const mill_stats *stats)
{
    bool kept = r->args->out && r->args->out[0];
    cli_warn(CLI_SAY_NOTE, "interrupted with %lld of %lld shard%s finished; %s",
             (long long)stats->shards_done, (long long)stats->shards, cli_plural(stats->shards),
             kept ? "run the same command again to do the rest" : "nothing was to be kept");
}

static int finish(running *r, mill_status status, const mill_error *err, const mill_stats *stats)
{
    const run_args *a = r->args;
    int code = cli_outcome_code(status, err);
    cli_progress_hide(&r->progress);
    if (a->engine.verbose && !r->explained && stats->io)
        cli_engine_explain(&a->engine, stats);
    int reported = close_report(r);
    code = code ? code : reported;
    if (!reported)
        print_more_issues(r);
    if (a->json) {
        cli_json json = cli_json_begin(stdout, "total");
        cli_outcome_json(&json, status, err, code);
        cli_summary_json(&json, stats);
        cli_json_end(&json);
    } else if (!a->engine.quiet && stats->shards_done) {
        cli_summary_print(stats, a->out, a->sink ? a->sink : "npy");
        fflush(stdout);
    }
    cli_outcome_print(status, err);
    if (status == MILL_CANCELED)
        print_interrupted(r, stats);
    return code;
}

static int process(running *r, const mill_options *o, mill_pipeline *pipeline)
{
    mill_error err = {.offset = MILL_NO_OFFSET};
    mill_stats stats = {0};
    char *spec = cli_spec_join(&r->args->operands);
    if (!spec) {
        cli_warn(CLI_SAY_ERROR, "out of memory");
        return CLI_SYSTEM;
    }
    if (r->args->engine.verbose) {
        cli_pipe_explain(pipeline);
        cli_engine_explain(&r->args->engine, NULL);
    }
    cli_progress_begin(&r->progress, r->args->engine.quiet ? CLI_PROGRESS_NONE
                                     : r->args->json       ? CLI_PROGRESS_JSON
                                                           : CLI_PROGRESS_AUTO);
    cli_signals_catch();
    signal(SIGPIPE, SIG_IGN); /* hours of work do not end because nobody reads along any more */
    mill_status status = mill_run(spec, pipeline, r->args->out, o, &stats, &err);
    free(spec);
    return finish(r, status, &err, &stats);
}

static int run_main(void *args)
{
    const run_args *a = args;
    running r = {.args = a};
    mill_options o;
    mill_pipeline *pipeline = NULL;
    int code = check(a);
    code = code ? code : fill(&r, &o);
    code = code ? code : cli_pipe_open(&pipeline, a->pipe);
    code = code ? code : open_report(&r);
    code = code ? code : process(&r, &o, pipeline);
    mill_pipeline_free(pipeline);
    return code;
}

const cli_command cli_run = {
    .name = "run",
    .summary = "process a data set through a pipeline into output shards",
    .operands = "SPEC...",
    .fewest_operands = 1,
    .most_operands = -1,
    .about =
        "Reads every shard that SPEC names (a file, a folder, a glob, braces such as train-{000..005}.tar, "
        "@list.txt; several are joined), sends each sample through the pipeline and writes output shards "
        "into DIR: DIR/SHARD.FIELD.npy and DIR/SHARD.keys.txt, or DIR/SHARD.tar; always DIR/manifest.json. "
        "Files appear when they are complete. Run the same command again after an interruption to do the "
        "rest.\n\n"
        "exit status: 0 done, 1 more bad data than is allowed, 2 usage, 3 I/O error, 75 interrupted",
    .example = "shardmill run 'data/demo/train-{000000..000003}.tar' --out out --as npy \\\n"
               "    --pipe 'decode | resize 256 | center_crop 224 | normalize imagenet | layout chw'",
    .options = options,
    .noptions = sizeof options / sizeof *options,
    .args_nbytes = sizeof(run_args),
    .main = run_main};
