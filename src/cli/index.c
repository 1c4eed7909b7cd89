/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill index: index files beside shards, so that a loader need not walk them first. */
#include "command.h"
#include "engine_args.h"
#include "issues.h"
#include "outcome.h"
#include "screen.h"
#include "text.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct index_args {
    cli_operands operands;
    bool dali, json;
    const char *into;
    cli_engine_args engine;
} index_args;

#define AT(member) .offset = offsetof(index_args, member)
static const cli_option options[] = {
    {.name = "dali",
     .kind = CLI_FLAG,
     AT(dali),
     .help = "write SHARD.idx in the text of NVIDIA DALI's wds2idx (v1.2) instead of SHARD.tar.index"},
    {.name = "into",
     .kind = CLI_TEXT,
     AT(into),
     .value = "DIR",
     .fallback = "beside each shard",
     .help = "keep index files there; load finds them by --index DIR"},
    {.name = "json",
     .kind = CLI_FLAG,
     AT(json),
     .help = "JSON lines: \"issue\", \"shard\" and at last \"total\""},
    CLI_SHARD_OPTIONS(index_args)};

typedef struct indexing {
    const index_args *args;
    cli_issue_log issues;
    int64_t told, written; /* issues of the shards before; index files */
} indexing;

static void on_issue(void *user, const mill_issue *issue)
{
    indexing *in = user;
    cli_issue_log_add(&in->issues, issue);
}

static void shard_json(const char *shard, int64_t samples, const char *path, bool unsound)
{
    cli_json json = cli_json_begin(stdout, "shard");
    cli_json_text(&json, "shard", shard);
    cli_json_int(&json, "samples", samples);
    cli_json_text(&json, "index", path);
    cli_json_text(&json, "none_because", path ? NULL : unsound ? "issues" : "not needed");
    cli_json_end(&json);
}

/* A shard's issues come before it. */
static void on_shard(void *user, const char *shard, int64_t samples, const char *path)
{
    indexing *in = user;
    bool unsound = in->issues.n > in->told;
    in->told = in->issues.n;
    in->written += path != NULL;
    if (in->args->json) {
        shard_json(shard, samples, path, unsound);
    } else if (!in->args->engine.quiet) {
        cli_plain(stdout, shard);
        printf(": %" PRId64 " sample%s", samples, cli_plural(samples));
        printf("%s", path      ? ", "
                     : unsound ? "; not indexed, because something is wrong with it"
                               : "; needs no index");
        if (path)
            cli_plain(stdout, path);
        printf("\n");
    }
}

static int finish(const indexing *in, mill_status status, const mill_error *err, const mill_stats *s)
{
    int code = cli_outcome_code(status, err);
    if (!code && in->issues.n)
        code = CLI_BAD_DATA;
    cli_issue_log_end(&in->issues);
    if (in->args->json) {
        cli_json json = cli_json_begin(stdout, "total");
        cli_outcome_json(&json, status, err, code);
        cli_json_int(&json, "shards", s->shards);
        cli_json_int(&json, "shards_done", s->shards_done);
        cli_json_int(&json, "written", in->written);
        cli_json_int(&json, "samples", s->samples);
        cli_json_uint(&json, "bytes_in", s->bytes_in);
        cli_json_int(&json, "errors", s->errors);
        cli_json_int(&json, "warnings", s->warnings);
        cli_json_number(&json, "elapsed_s", (double)s->elapsed_ns / 1e9);
        cli_json_end(&json);
    } else if (!in->args->engine.quiet && s->shards_done) {
        printf("%" PRId64 " of %" PRId64 " shard%s, %" PRId64 " sample%s; %" PRId64
               " index%s written in %s\n",
               s->shards_done, s->shards, cli_plural(s->shards), s->samples, cli_plural(s->samples),
               in->written, in->written == 1 ? "" : "es", cli_duration(s->elapsed_ns).s);
    }
    fflush(stdout);
    cli_outcome_print(status, err);
    return code;
}

static int index_main(void *args)
{
    indexing in = {.args = args};
    const index_args *a = args;
    mill_index_options o = mill_index_options_default();
    mill_error err = {.offset = MILL_NO_OFFSET};
    mill_stats stats = {0};
    in.issues = (cli_issue_log){.json = a->json, .quiet = a->engine.quiet, .verbose = a->engine.verbose};
    if (a->dali && a->into)
        return cli_usage(&cli_index, "--dali writes beside each shard, where its readers look; "
                                     "--into is for shardmill's own");
    o.folder = a->into;
    o.dali = a->dali;
    o.on_shard = on_shard;
    o.run.on_issue = on_issue;
    o.run.user = &in;
    int code = cli_engine_fill(&cli_index, &a->engine, &o.run);
    if (code)
        return code;
    char *spec = cli_spec_join(&a->operands);
    if (!spec) {
        cli_warn(CLI_SAY_ERROR, "out of memory");
        return CLI_SYSTEM;
    }
    mill_status status = mill_index(spec, &o, &stats, &err);
    free(spec);
    return finish(&in, status, &err, &stats);
}

const cli_command cli_index = {
    .name = "index",
    .summary = "write index files, so that a loader need not walk shards first",
    .operands = "SPEC...",
    .fewest_operands = 1,
    .most_operands = -1,
    .about =
        "Walks every shard that SPEC names once and writes down where its samples lie. A loader that finds "
        "the index opens at once, shuffles globally without reading everything, and continues from a "
        "state without reading what it skips. An index is believed only if size, time and checksum are "
        "right. Shards in .npy and folders need none. A shard with which something is wrong gets none.\n\n"
        "exit status: 0 done, 1 something is wrong with a shard, 2 usage, 3 I/O error",
    .example = "shardmill index 'data/demo/train-{000000..000003}.tar' --into index",
    .options = options,
    .noptions = sizeof options / sizeof *options,
    .args_nbytes = sizeof(index_args),
    .main = index_main};
