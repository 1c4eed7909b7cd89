/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill load: a training job without the training: what a loader gives, and how fast. */
#include "load.h"
#include "command.h"
#include "digest.h"
#include "issues.h"
#include "outcome.h"
#include "pipe.h"
#include "place.h"
#include "screen.h"
#include "signals.h"
#include "text.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define AT(member) .offset = offsetof(cli_load_args, member)
static const cli_option options[] = {
    {.name = "pipe",
     .kind = CLI_TEXT,
     AT(pipe),
     .value = "TEXT",
     .help = "the pipeline: transforms joined by '|', ending in tensors of one size; \"\" keeps samples as "
             "they are (required)"},
    {.name = "batch",
     .letter = 'b',
     .kind = CLI_COUNT,
     AT(batch),
     .value = "N",
     .min = 1,
     .max = 1 << 24,
     .fallback = "32",
     .help = "samples of a batch of one rank"},
    {.name = "epochs",
     .kind = CLI_COUNT,
     AT(epochs),
     .value = "N",
     .min = 1,
     .max = INT64_MAX,
     .fallback = "1",
     .help = "epochs in all, those before --state included"},
    {.name = "shuffle",
     .kind = CLI_MAYBE,
     AT(shuffle),
     .value = "[HOW]",
     .choices = "window|global",
     .fallback = "off; alone: window",
     .help = "permute shards and each window of samples, or all samples"},
    {.name = "window",
     .kind = CLI_COUNT,
     AT(window),
     .value = "N",
     .min = 1,
     .max = INT64_MAX / 2,
     .fallback = "8192",
     .help = "samples of a window"},
    {.name = "seed",
     .kind = CLI_COUNT,
     AT(seed),
     .value = "N",
     .max = INT64_MAX,
     .fallback = "0",
     .help = "seed of the order and of the random transforms"},
    {.name = "mix",
     .kind = CLI_TEXT,
     AT(mix),
     .value = "HOW[:ALPHA]",
     .fallback = "off; ALPHA: 1",
     .help = "mix neighbours in a batch: mixup or cutmix, their shares drawn from Beta(ALPHA, ALPHA)"},
    {.name = "drop-last",
     .kind = CLI_FLAG,
     AT(drop_last),
     .help = "leave out the samples of an epoch that do not fill a batch of all ranks"},
    {.name = "first",
     .kind = CLI_COUNT,
     AT(first),
     .value = "N",
     .min = 1,
     .max = INT64_MAX / 2,
     .fallback = "all",
     .help = "only the first samples of the data set"},
    {.name = "repeat",
     .kind = CLI_COUNT,
     AT(repeat),
     .value = "N",
     .min = 1,
     .max = 1 << 24,
     .fallback = "1",
     .help = "each sample so often in an epoch"},
    {.name = "rank",
     .kind = CLI_COUNT,
     AT(rank),
     .value = "R",
     .max = INT32_MAX,
     .fallback = "what the launcher's environment says, else 0 of 1",
     .help = "which of the processes this one is"},
    {.name = "world-size",
     .kind = CLI_COUNT,
     AT(world_size),
     .value = "W",
     .min = 1,
     .max = INT32_MAX,
     .fallback = "likewise",
     .help = "of how many"},
    {.name = "step-ms",
     .kind = CLI_NUMBER,
     AT(step_ms),
     .value = "X",
     .max = 3600000,
     .fallback = "0",
     .help = "sleep so long with each batch, in place of an accelerator that works on it"},
    {.name = "max-batches",
     .kind = CLI_COUNT,
     AT(most_batches),
     .value = "N",
     .min = 1,
     .max = INT64_MAX,
     .fallback = "to the end",
     .help = "stop after so many of them"},
    {.name = "state",
     .kind = CLI_TEXT,
     AT(state),
     .value = "FILE",
     .help = "continue from there if it exists; keep there, at the end or at a signal, where this run is"},
    {.name = "digest",
     .kind = CLI_MAYBE,
     AT(digest),
     .value = "[OF]",
     .choices = "all|batches",
     .fallback = "none; alone: all",
     .help = "print a checksum of every byte of every batch, in order; see above"},
    {.name = "prefetch",
     .kind = CLI_COUNT,
     AT(prefetch),
     .value = "N",
     .min = 1,
     .max = 1024,
     .fallback = "4",
     .help = "batches made ahead"},
    {.name = "fields",
     .kind = CLI_TEXT,
     AT(fields),
     .value = "TEXT",
     .fallback = "json",
     .help = "fields of samples to bring along, blanks between them"},
    {.name = "index",
     .kind = CLI_TEXT,
     AT(index),
     .value = "auto|none|DIR",
     .fallback = "auto: beside the shards, else in the user's cache folder",
     .help = "where indexes of shards are looked for and kept"},
    {.name = "on-error",
     .kind = CLI_CHOICE,
     AT(on_error),
     .value = "POLICY",
     .choices = "fail|skip|substitute",
     .fallback = "fail",
     .help = "what becomes of a bad sample; skip takes the next one instead, substitute zeros"},
    {.name = "max-errors",
     .kind = CLI_COUNT,
     AT(max_errors),
     .value = "N",
     .min = 1,
     .max = INT64_MAX,
     .fallback = "any number",
     .help = "with skip and substitute: fail at more bad samples"},
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
     .help = "JSON lines on standard output: \"issue\", \"progress\", \"batch\", \"epoch\" and at last "
             "\"total\""},
    CLI_ENGINE_OPTIONS(cli_load_args)};

/* ---- before ---- */

static void on_issue(void *user, const mill_issue *issue)
{
    cli_loading *l = user;
    cli_load_progress_hide(&l->progress);
    cli_issue_log_add(&l->issues, issue);
}

static int check(const cli_load_args *a)
{
    if (!a->pipe)
        return cli_usage(&cli_load, "load needs --pipe TEXT, e.g. --pipe \"decode | resize 224x224\"; "
                                    "--pipe \"\" keeps samples as they are");
    if (a->rank >= 0 && !a->world_size)
        return cli_usage(&cli_load, "--rank needs --world-size");
    if (a->rank < 0 && a->world_size > 1)
        return cli_usage(&cli_load, "--world-size needs --rank, or all processes would take rank 0");
    if (a->max_errors && cli_policy(a->on_error) == MILL_POLICY_FAIL)
        return cli_usage(&cli_load, "--max-errors needs --on-error skip or --on-error substitute");
    if (a->window && (!a->shuffle || !strcmp(a->shuffle, "global")))
        return cli_usage(&cli_load, "--window needs --shuffle window");
    return CLI_OK;
}

/* HOW, or HOW:ALPHA. */
static int take_mix(const char *text, mill_loader_options *o)
{
    static const char *const names[] = {[MILL_MIX_MIXUP] = "mixup", [MILL_MIX_CUTMIX] = "cutmix"};
    const size_t n = text ? strcspn(text, ":") : 0;
    if (!text)
        return CLI_OK;
    for (int mix = MILL_MIX_MIXUP; mix <= MILL_MIX_CUTMIX; mix++)
        if (strlen(names[mix]) == n && !memcmp(text, names[mix], n))
            o->mix = (mill_mix)mix;
    if (!o->mix)
        return cli_usage(&cli_load, "--mix is \"%s\"; expected mixup or cutmix, :ALPHA behind it or not",
                         text);
    if (!text[n])
        return CLI_OK;
    char *end;
    const char *alpha = text + n + 1;
    o->mix_alpha = strtod(alpha, &end);
    if (alpha[strspn(alpha, "0123456789.eE+-")] || end == alpha || *end ||
        !(o->mix_alpha >= 1e-3 && o->mix_alpha <= 1e3))
        return cli_usage(&cli_load, "--mix is \"%s\"; expected a number from 0.001 to 1000 behind the colon",
                         text);
    return CLI_OK;
}

static int fill(cli_loading *l, mill_loader_options *o)
{
    const cli_load_args *a = l->args;
    *o = mill_loader_options_default();
    o->batch_size = a->batch;
    o->epochs = a->epochs;
    o->shuffle = !a->shuffle                    ? MILL_SHUFFLE_NONE
                 : strcmp(a->shuffle, "global") ? MILL_SHUFFLE_WINDOW
                                                : MILL_SHUFFLE_GLOBAL;
    o->window = a->window;
    o->drop_last = a->drop_last;
    o->first_samples = a->first;
    o->repeat = a->repeat;
    o->rank = a->rank > 0 ? (int)a->rank : 0;
    o->world_size = (int)a->world_size;
    o->prefetch = (int)a->prefetch;
    o->fields = a->fields;
    o->index = a->index;
    o->run.seed = (uint64_t)a->seed;
    o->run.policy = cli_policy(a->on_error);
    o->run.max_errors = a->max_errors;
    o->run.max_pixels = (uint64_t)a->max_pixels;
    o->run.user = l;
    o->run.on_issue = on_issue;
    int code = take_mix(a->mix, o);
    return code ? code : cli_engine_fill(&cli_load, &a->engine, &o->run);
}

static int load_state(cli_loading *l, mill_loader_options *o)
{
    if (!l->args->state)
        return CLI_OK;
    int code = cli_place_load(l->args->state, l->state, &l->resumed);
    if (l->resumed)
        o->state = l->state;
    return code;
}

static void explain(const cli_loading *l, const mill_loader_options *o, mill_pipeline *pipeline)
{
    mill_rank_info ranks;
    if (!l->args->engine.verbose)
        return;
    cli_pipe_explain(pipeline);
    cli_engine_explain(&l->args->engine, NULL);
    if (!mill_ranks(o->rank, o->world_size, &ranks, NULL))
        fprintf(stderr, "shardmill: ranks: %s\n", ranks.reason);
    if (l->resumed)
        fprintf(stderr, "shardmill: continues from %s\n", l->args->state);
}

static void explain_machinery(const cli_loading *l)
{
    const mill_loader_stats *s = &l->pace.stats;
    const mill_stats chosen = {.io = s->io, .executor = s->executor, .memory_nbytes = l->args->engine.memory};
    if (l->args->engine.verbose)
        cli_engine_explain(&l->args->engine, &chosen);
}

/* ---- after ---- */

static void print_rest(const cli_loading *l, mill_status status)
{
    const char *state = l->args->state;
    bool quiet = l->args->engine.quiet;
    if (status == MILL_CANCELED && state)
        cli_warn(CLI_SAY_NOTE, "interrupted after %" PRId64 " batch%s; the same command goes on from \"%s\"",
                 l->pace.batches, l->pace.batches == 1 ? "" : "es", state);
    else if (status == MILL_CANCELED)
        cli_warn(CLI_SAY_NOTE,
                 "interrupted after %" PRId64 " batch%s; with --state FILE the same command could go on",
                 l->pace.batches, l->pace.batches == 1 ? "" : "es");
    else if (!status && !l->pace.batches && l->resumed && !quiet)
        cli_warn(CLI_SAY_NOTE, "nothing is left to do: all %" PRId64 " epochs were done when \"%s\" was kept",
                 l->args->epochs, state);
}

static int finish(cli_loading *l, mill_status status, const mill_error *err)
{
    const cli_load_args *a = l->args;
    int code = cli_outcome_code(status, err);
    char hex[20];
    snprintf(hex, sizeof hex, "%016" PRIx64, cli_digest_end(&l->digest));
    cli_load_progress_hide(&l->progress);
    cli_issue_log_end(&l->issues);
    int kept = a->state && l->state[0] ? cli_place_save(a->state, l->state) : CLI_OK;
    code = kept ? kept : code;
    if (a->json) {
        cli_json json = cli_json_begin(stdout, "total");
        cli_outcome_json(&json, status, err, code);
        cli_load_json(&json, &l->pace, &a->engine);
        cli_json_text(&json, "digest", a->digest ? hex : NULL);
        cli_json_text(&json, "state", l->state[0] ? l->state : NULL);
        cli_json_end(&json);
    } else {
        if (!a->engine.quiet)
            cli_load_print(&l->pace, &a->engine);
        if (a->digest)
            printf("digest %s of %" PRId64 " batch%s\n", hex, l->digest.batches,
                   l->digest.batches == 1 ? "" : "es");
    }
    fflush(stdout);
    cli_outcome_print(status, err);
    if (!kept)
        print_rest(l, status);
    return code;
}

static int load(cli_loading *l, const mill_loader_options *o, mill_pipeline *pipeline)
{
    mill_error err = {.offset = MILL_NO_OFFSET};
    char *spec = cli_spec_join(&l->args->operands);
    if (!spec) {
        cli_warn(CLI_SAY_ERROR, "out of memory");
        return CLI_SYSTEM;
    }
    cli_load_progress_begin(&l->progress, l->args->engine.quiet, l->args->json, l->args->epochs);
    cli_digest_begin(&l->digest);
    cli_signals_catch();
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* steps as long as they were asked for */
    l->pace.begin_ns = cli_now_ns();
    mill_status status = mill_loader_open(&l->loader, spec, pipeline, o, &err);
    free(spec);
    int code = CLI_OK;
    if (status) { /* what there is of a state stays as it is */
        l->state[0] = 0;
    } else {
        cli_load_take_state(l);
        /* a place that cannot be written to is better known now than after days */
        code = l->state[0] ? cli_place_save(l->args->state, l->state) : CLI_OK;
        mill_loader_stats_get(l->loader, &l->pace.stats);
        explain_machinery(l);
        if (!code)
            status = cli_load_iterate(l, &err);
        l->pace.end_ns = cli_now_ns();
        mill_loader_stats_get(l->loader, &l->pace.stats);
    }
    mill_loader_close(l->loader);
    return code ? code : finish(l, status, &err);
}

static int load_main(void *args)
{
    cli_loading l = {.args = args};
    mill_loader_options o;
    mill_pipeline *pipeline = NULL;
    l.pace.step_ns = (int64_t)(l.args->step_ms * 1e6);
    l.issues = (cli_issue_log){
        .json = l.args->json, .quiet = l.args->engine.quiet, .verbose = l.args->engine.verbose};
    int code = check(l.args);
    code = code ? code : fill(&l, &o);
    code = code ? code : cli_pipe_open(&pipeline, l.args->pipe);
    code = code ? code : load_state(&l, &o);
    if (!code) {
        explain(&l, &o, pipeline);
        code = load(&l, &o, pipeline);
    }
    mill_pipeline_free(pipeline);
    return code;
}

static void load_defaults(void *args)
{
    cli_load_args *a = args;
    a->epochs = 1;
    a->rank = -1;
}

const cli_command cli_load = {
    .name = "load",
    .summary = "iterate batches as a training job would, and say what holds it up",
    .operands = "SPEC...",
    .fewest_operands = 1,
    .most_operands = -1,
    .about =
        "Opens a loader on the data set that SPEC names and takes batch after batch, as a training job "
        "would, with a sleep in place of the accelerator's work (--step-ms). Says samples a second, the time "
        "to the first batch, the share of the time spent waiting, accelerator utilisation (compute time over "
        "total, the first batch left out), what set the pace and what to try next.\n\n"
        "--digest prints the XXH64 of the batches' digests (8 bytes each, highest first), and a batch's "
        "digest is the XXH64 of its tensor, labels, mask, ordinals of shard and sample, label_b and lambda "
        "if rows are mixed, and for each row its key, a zero byte and the fields brought along, each behind "
        "its length as an i64. It is the same for "
        "every number of threads, way of reading and executor. --digest=batches prints each batch's as well: "
        "the lines of a run that was interrupted and continued are those of an undisturbed one.\n\n"
        "exit status: 0 done, 1 more bad data than is allowed, 2 usage, 3 I/O error, 75 interrupted",
    .example = "shardmill load 'data/demo/train-{000000..000003}.tar' --shuffle --batch 16 \\\n"
               "    --pipe 'decode | random_resized_crop 224 | hflip | normalize imagenet | layout chw'",
    .options = options,
    .noptions = sizeof options / sizeof *options,
    .args_nbytes = sizeof(cli_load_args),
    .defaults = load_defaults,
    .main = load_main};
