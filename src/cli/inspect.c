/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill inspect: what is in these shards, and what is wrong with them. */
#include "command.h"
#include "engine_args.h"
#include "issues.h"
#include "outcome.h"
#include "progress.h"
#include "screen.h"
#include "signals.h"
#include "summary.h"
#include "tally.h"
#include "text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct inspect_args {
    cli_operands operands;
    bool json, samples, deep;
    cli_engine_args engine;
} inspect_args;

#define AT(member) .offset = offsetof(inspect_args, member)
static const cli_option options[] = {
    {.name = "json",
     .kind = CLI_FLAG,
     AT(json),
     .help = "JSON lines: \"issue\", \"shard\", \"progress\" and at last \"total\""},
    {.name = "samples", .kind = CLI_FLAG, AT(samples), .help = "list every sample"},
    {.name = "deep",
     .kind = CLI_FLAG,
     AT(deep),
     .help = "decode every image wholly, instead of looking at its header"},
    CLI_ENGINE_OPTIONS(inspect_args)};

typedef struct inspecting {
    const inspect_args *args;
    cli_progress progress;
    cli_tally shard, all;
    char *issues; /* lines that wait for their shard's heading */
    size_t nissue_bytes;
    FILE *issue_file;
    int64_t bad, errors, warnings;
    bool explained, no_memory;
} inspecting;

/* ---- samples ---- */

static void print_sample(const mill_sample_info *s)
{
    cli_plain(stdout, s->shard);
    printf(": sample ");
    cli_short(stdout, s->key);
    printf(", byte %" PRIu64 ":", s->offset);
    for (int i = 0; i < s->nfields; i++) {
        printf(" ");
        cli_plain(stdout, s->fields[i].name);
        printf(" %" PRIu64, s->fields[i].nbytes);
    }
    if (s->width)
        printf("; image %dx%dx%d", s->width, s->height, s->channels);
    if (s->label >= 0)
        printf("; label %" PRId64, s->label);
    printf("\n");
}

static void sample_json(const mill_sample_info *s)
{
    cli_json json = cli_json_begin(stdout, "sample");
    cli_json_text(&json, "shard", s->shard);
    cli_json_text(&json, "key", s->key);
    cli_json_int(&json, "sample", s->sample);
    cli_json_uint(&json, "offset", s->offset);
    if (s->label >= 0)
        cli_json_int(&json, "label", s->label);
    else
        cli_json_null(&json, "label");
    cli_json_open(&json, "fields", '[');
    for (int i = 0; i < s->nfields; i++) {
        cli_json_open(&json, NULL, '{');
        cli_json_text(&json, "name", s->fields[i].name);
        cli_json_uint(&json, "nbytes", s->fields[i].nbytes);
        cli_json_uint(&json, "offset", s->fields[i].offset);
        cli_json_close(&json, '}');
    }
    cli_json_close(&json, ']');
    if (s->width) {
        cli_json_int(&json, "width", s->width);
        cli_json_int(&json, "height", s->height);
        cli_json_int(&json, "channels", s->channels);
    }
    if (s->type.dtype) {
        cli_json_text(&json, "dtype", mill_dtype_name(s->type.dtype));
        cli_json_open(&json, "shape", '[');
        for (int i = 0; i < s->type.rank; i++)
            cli_json_int(&json, NULL, s->type.shape[i]);
        cli_json_close(&json, ']');
    }
    cli_json_end(&json);
}

static void on_sample(void *user, const mill_sample_info *sample)
{
    inspecting *in = user;
    in->no_memory |= !cli_tally_add(&in->shard, sample) || !cli_tally_add(&in->all, sample);
    if (!in->args->samples)
        return;
    cli_progress_hide(&in->progress);
    if (in->args->json)
        sample_json(sample);
    else
        print_sample(sample);
}

/* ---- issues and shards ---- */

static void on_issue(void *user, const mill_issue *issue)
{
    inspecting *in = user;
    in->errors += issue->severity == MILL_ERROR;
    in->warnings += issue->severity == MILL_WARNING;
    cli_progress_hide(&in->progress);
    if (in->args->json) {
        cli_issue_json(stdout, issue);
        return;
    }
    FILE *file = in->issue_file ? in->issue_file : stdout;
    fprintf(file, "%s: ", cli_severity(issue->severity));
    cli_issue_print(file, issue);
}

static void print_counts(int64_t samples, int64_t bad, int64_t errors, int64_t warnings)
{
    printf("%" PRId64 " sample%s", samples, cli_plural(samples));
    if (bad)
        printf(", %" PRId64 " bad", bad);
    if (errors || warnings)
        printf("; %" PRId64 " error%s, %" PRId64 " warning%s\n", errors, cli_plural(errors), warnings,
               cli_plural(warnings));
    else
        printf("; sound\n");
}

static void print_shard(inspecting *in, const mill_shard_summary *s)
{
    if (!in->args->engine.quiet) {
        cli_plain(stdout, s->shard);
        printf(": %s, %s, ", s->format[0] ? s->format : "no known format", cli_size(s->nbytes).s);
        print_counts(s->samples, s->bad_samples, s->errors, s->warnings);
        cli_tally_print(&in->shard);
    }
    if (!in->issue_file)
        return;
    fflush(in->issue_file);
    fwrite(in->issues, 1, in->nissue_bytes, stdout);
    rewind(in->issue_file);
}

static void shard_json(const inspecting *in, const mill_shard_summary *s)
{
    cli_json json = cli_json_begin(stdout, "shard");
    cli_json_text(&json, "shard", s->shard);
    cli_json_text(&json, "format", s->format[0] ? s->format : NULL);
    cli_json_uint(&json, "nbytes", s->nbytes);
    cli_json_uint(&json, "nbytes_walked", s->nbytes_walked);
    cli_json_int(&json, "samples", s->samples);
    cli_json_int(&json, "bad_samples", s->bad_samples);
    cli_json_int(&json, "errors", s->errors);
    cli_json_int(&json, "warnings", s->warnings);
    cli_tally_json(&in->shard, &json);
    cli_json_end(&json);
}

static void on_shard(void *user, const mill_shard_summary *summary)
{
    inspecting *in = user;
    in->bad += summary->bad_samples;
    cli_progress_hide(&in->progress);
    if (in->args->json)
        shard_json(in, summary);
    else
        print_shard(in, summary);
    cli_tally_clear(&in->shard);
}

static int on_progress(void *user, const mill_stats *stats)
{
    inspecting *in = user;
    if (in->args->engine.verbose && !in->explained) {
        in->explained = true;
        cli_engine_explain(&in->args->engine, stats);
    }
    cli_progress_show(&in->progress, stats);
    return cli_signals_caught() || in->no_memory || ferror(stdout);
}

/* ---- the whole ---- */

static void print_total(const inspecting *in, const mill_stats *s)
{
    if (in->args->engine.quiet || s->shards < 2)
        return;
    printf("%" PRId64 " of %" PRId64 " shards, %s in %s: ", s->shards_done, s->shards,
           cli_size(s->bytes_in).s, cli_duration(s->elapsed_ns).s);
    print_counts(s->samples, in->bad, in->errors, in->warnings);
    cli_tally_print(&in->all);
}

static void total_json(const inspecting *in, const mill_stats *s, mill_status status, const mill_error *err,
                       int code)
{
    cli_json json = cli_json_begin(stdout, "total");
    cli_outcome_json(&json, status, err, code);
    cli_json_int(&json, "shards", s->shards);
    cli_json_int(&json, "shards_done", s->shards_done);
    cli_json_int(&json, "samples", s->samples);
    cli_json_int(&json, "bad_samples", in->bad);
    cli_json_int(&json, "errors", in->errors);
    cli_json_int(&json, "warnings", in->warnings);
    cli_json_uint(&json, "nbytes_walked", s->bytes_in);
    cli_json_number(&json, "elapsed_s", (double)s->elapsed_ns / 1e9);
    cli_tally_json(&in->all, &json);
    cli_json_end(&json);
}

static int finish(inspecting *in, mill_status status, mill_error *err, const mill_stats *stats)
{
    cli_progress_hide(&in->progress);
    if (in->no_memory)
        status = mill_fail(err, MILL_NO_MEMORY, "memory", "out of memory");
    if (status == MILL_CANCELED && !cli_signals_caught())
        status = MILL_OK; /* standard output cannot be written: that is said at the end */
    int code = cli_outcome_code(status, err);
    if (!code && in->errors + in->warnings)
        code = CLI_BAD_DATA;
    if (in->args->engine.verbose && !in->explained && stats->io)
        cli_engine_explain(&in->args->engine, stats);
    if (in->args->json)
        total_json(in, stats, status, err, code);
    else if (!status || status == MILL_CANCELED)
        print_total(in, stats);
    fflush(stdout);
    cli_outcome_print(status, err);
    if (status == MILL_CANCELED)
        cli_warn(CLI_SAY_NOTE, "interrupted with %lld of %lld shard%s looked at",
                 (long long)stats->shards_done, (long long)stats->shards, cli_plural(stats->shards));
    return code;
}

static int look(inspecting *in, const mill_inspect_options *o)
{
    mill_error err = {.offset = MILL_NO_OFFSET};
    mill_stats stats = {0};
    char *spec = cli_spec_join(&in->args->operands);
    in->issue_file = open_memstream(&in->issues, &in->nissue_bytes);
    if (!spec || !in->issue_file) {
        free(spec);
        cli_warn(CLI_SAY_ERROR, "out of memory");
        return CLI_SYSTEM;
    }
    if (in->args->engine.verbose)
        cli_engine_explain(&in->args->engine, NULL);
    cli_progress_begin(&in->progress, in->args->engine.quiet ? CLI_PROGRESS_NONE
                                      : in->args->json       ? CLI_PROGRESS_JSON
                                                             : CLI_PROGRESS_AUTO);
    cli_signals_catch();
    mill_status status = mill_inspect(spec, o, &stats, &err);
    free(spec);
    return finish(in, status, &err, &stats);
}

static int inspect_main(void *args)
{
    inspecting in = {.args = args};
    mill_inspect_options o = mill_inspect_options_default();
    o.deep = in.args->deep;
    o.on_sample = on_sample;
    o.on_shard = on_shard;
    o.run.user = &in;
    o.run.on_issue = on_issue;
    o.run.on_progress = on_progress;
    int code = cli_engine_fill(&cli_inspect, &in.args->engine, &o.run);
    code = code ? code : look(&in, &o);
    if (in.issue_file)
        fclose(in.issue_file);
    free(in.issues);
    cli_tally_free(&in.shard);
    cli_tally_free(&in.all);
    return code;
}

const cli_command cli_inspect = {.name = "inspect",
                                 .summary = "say what is in shards and what is wrong with them",
                                 .operands = "SPEC...",
                                 .fewest_operands = 1,
                                 .most_operands = -1,
                                 .about =
                                     "Walks every shard that SPEC names to its last byte and says what is "
                                     "there: samples, fields and their "
                                     "sizes, image dimensions, tensors; and what is wrong, one line each.\n\n"
                                     "exit status: 0 all is sound, 1 something is wrong with a shard, 2 "
                                     "usage, 3 I/O error, 75 interrupted",
                                 .example = "shardmill inspect 'data/demo/train-{000000..000003}.tar' --json",
                                 .options = options,
                                 .noptions = sizeof options / sizeof *options,
                                 .args_nbytes = sizeof(inspect_args),
                                 .main = inspect_main};
