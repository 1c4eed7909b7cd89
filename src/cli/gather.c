/* SPDX-License-Identifier: Apache-2.0 */
#include "gather.h"
#include "outcome.h"
#include "pipe.h"
#include "screen.h"
#include "signals.h"
#include "text.h"
#include <stdlib.h>

static int on_progress(void *user, const mill_stats *stats)
{
    cli_gathering *g = user;
    if (g->engine->verbose && !g->explained) {
        g->explained = true;
        cli_progress_hide(&g->progress);
        cli_engine_explain(g->engine, stats);
    }
    cli_progress_show(&g->progress, stats);
    return cli_signals_caught();
}

static void on_issue(void *user, const mill_issue *issue)
{
    cli_gathering *g = user;
    if (!g->args->json && cli_policy(g->args->on_error) == MILL_POLICY_FAIL && issue->severity == MILL_ERROR)
        return; /* it is what the run ends with */
    cli_progress_hide(&g->progress);
    cli_issue_log_add(&g->issues, issue);
}

void cli_gather_begin(cli_gathering *g, const cli_gather_args *args, const cli_engine_args *engine)
{
    *g = (cli_gathering){.args = args,
                         .engine = engine,
                         .issues = {.json = args->json, .quiet = engine->quiet, .verbose = engine->verbose},
                         .err = {.offset = MILL_NO_OFFSET}};
}

static int fill(cli_gathering *g, const cli_command *command, mill_statistics_options *o)
{
    const cli_gather_args *a = g->args;
    if (cli_policy(a->on_error) == MILL_POLICY_FAIL && (a->max_errors.count || a->max_errors.fraction > 0))
        return cli_usage(command, "--max-errors needs --on-error skip");
    o->run.seed = (uint64_t)a->seed;
    o->run.epoch = (uint64_t)a->epoch;
    o->run.policy = cli_policy(a->on_error);
    o->run.max_errors = a->max_errors.count;
    o->run.max_errors_fraction = a->max_errors.fraction;
    o->run.max_pixels = (uint64_t)a->max_pixels;
    o->run.user = g;
    o->run.on_progress = on_progress;
    o->run.on_issue = on_issue;
    return cli_engine_fill(command, g->engine, &o->run);
}

static void run(cli_gathering *g, const char *spec, mill_pipeline *pipeline, const mill_statistics_options *o)
{
    if (g->engine->verbose) {
        cli_pipe_explain(pipeline);
        cli_engine_explain(g->engine, NULL);
    }
    cli_progress_begin(&g->progress, g->engine->quiet ? CLI_PROGRESS_NONE
                                     : g->args->json  ? CLI_PROGRESS_JSON
                                                      : CLI_PROGRESS_AUTO);
    cli_signals_catch();
    g->status = mill_statistics_gather(&g->statistics, spec, pipeline, o, &g->stats, &g->err);
    cli_progress_hide(&g->progress);
    cli_issue_log_end(&g->issues);
    if (g->engine->verbose && !g->explained && g->stats.io)
        cli_engine_explain(g->engine, &g->stats);
}

int cli_gather(cli_gathering *g, const cli_command *command, const cli_operands *operands,
               mill_statistics_options *o)
{
    mill_pipeline *pipeline = NULL;
    int code = fill(g, command, o);
    code = code ? code : cli_pipe_open(&pipeline, g->args->pipe ? g->args->pipe : "");
    char *spec = code ? NULL : cli_spec_join(operands);
    if (spec) {
        run(g, spec, pipeline, o);
    } else if (!code) {
        cli_warn(CLI_SAY_ERROR, "out of memory");
        code = CLI_SYSTEM;
    }
    free(spec);
    mill_pipeline_free(pipeline);
    return code;
}

void cli_gather_read(cli_gathering *g, const char *path)
{
    g->status = mill_statistics_read(&g->statistics, path, &g->err);
}

void cli_gather_json(const cli_gathering *g, cli_json *json)
{
    const mill_stats *stats = &g->stats;
    cli_outcome_json(json, g->status, &g->err, cli_outcome_code(g->status, &g->err));
    cli_json_int(json, "shards", stats->shards);
    cli_json_int(json, "shards_done", stats->shards_done);
    cli_json_int(json, "errors", stats->errors);
    cli_json_int(json, "warnings", stats->warnings);
    cli_json_uint(json, "bytes_in", stats->bytes_in);
    cli_json_number(json, "elapsed_s", (double)stats->elapsed_ns / 1e9);
}

int cli_gather_end(cli_gathering *g)
{
    fflush(stdout);
    cli_outcome_print(g->status, &g->err);
    if (g->status == MILL_CANCELED)
        cli_warn(CLI_SAY_NOTE, "interrupted with %lld of %lld shard%s done", (long long)g->stats.shards_done,
                 (long long)g->stats.shards, cli_plural(g->stats.shards));
    mill_statistics_free(g->statistics);
    g->statistics = NULL;
    return cli_outcome_code(g->status, &g->err);
}
