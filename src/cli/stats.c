/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill stats: mean, deviation, extremes and more of what a pipeline makes of a data set. */
#include "command.h"
#include "gather.h"
#include "screen.h"
#include "text.h"
#include <inttypes.h>
#include <string.h>

enum { LINES_MOST = 32 }; /* features and classes that are shown to people */

typedef struct stats_args {
    cli_operands operands;
    const char *out;
    const char *covariance;
    bool quantiles, merge;
    cli_gather_args gather;
    cli_engine_args engine;
} stats_args;

#define AT(member) .offset = offsetof(stats_args, member)
static const cli_option options[] = {
    CLI_PIPE_OPTION(stats_args),
    {.name = "covariance",
     .kind = CLI_MAYBE,
     AT(covariance),
     .value = "[HOW]",
     .choices = "fast|precise",
     .fallback = "none; alone: fast",
     .help = "also the covariance of the features; fast sums products of f32 in float, 256 at a time, which "
             "is good to 10^-7 of the largest variance"},
    {.name = "quantiles", .kind = CLI_FLAG, AT(quantiles), .help = "also quantiles, within 1/128 of each"},
    {.name = "out",
     .letter = 'o',
     .kind = CLI_TEXT,
     AT(out),
     .value = "FILE",
     .help = "write the statistics as JSON, for normalize, standardize, fit and --merge"},
    {.name = "merge",
     .kind = CLI_FLAG,
     AT(merge),
     .help = "the operands are files that --out wrote: put them together"},
    CLI_GATHER_OPTIONS(stats_args),
    CLI_ENGINE_OPTIONS(stats_args)};

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

static void total_json(const cli_gathering *g)
{
    cli_json json = cli_json_begin(stdout, "total");
    cli_gather_json(g, &json);
    const char *text = g->statistics ? mill_statistics_json(g->statistics) : NULL;
    if (text) /* its members: {"version":1,...} */
        printf(",%.*s", (int)strlen(text) - 2, text + 1);
    cli_json_end(&json);
}

static int finish(cli_gathering *g, const char *out)
{
    mill_statistics *s = g->statistics;
    if (s && out)
        g->status = mill_statistics_write(s, out, &g->err);
    if (s)
        warn_of_odd(s);
    if (g->args->json)
        total_json(g);
    else if (s && !g->engine->quiet)
        print_statistics(s);
    return cli_gather_end(g);
}

/* ---- the work ---- */

static void merge(cli_gathering *g, const cli_operands *files)
{
    cli_gather_read(g, files->words[0]);
    for (int i = 1; i < files->n && !g->status; i++) {
        mill_statistics *more;
        g->status = mill_statistics_read(&more, files->words[i], &g->err);
        if (!g->status)
            g->status = mill_statistics_merge(g->statistics, more, &g->err);
        mill_statistics_free(more);
    }
    if (g->status) {
        mill_statistics_free(g->statistics);
        g->statistics = NULL;
    }
}

static int stats_main(void *args)
{
    const stats_args *a = args;
    cli_gathering g;
    mill_statistics_options o = mill_statistics_options_default();
    o.covariance = !a->covariance                      ? MILL_COVARIANCE_NONE
                   : !strcmp(a->covariance, "precise") ? MILL_COVARIANCE_PRECISE
                                                       : MILL_COVARIANCE_FAST;
    o.quantiles = a->quantiles;
    cli_gather_begin(&g, &a->gather, &a->engine);
    if (a->merge && (a->gather.pipe || a->covariance || a->quantiles || a->gather.on_error))
        return cli_usage(&cli_stats, "--merge puts files together that are there: no pipeline is run");
    int code = CLI_OK;
    if (a->merge)
        merge(&g, &a->operands);
    else
        code = cli_gather(&g, &cli_stats, &a->operands, &o);
    return code ? code : finish(&g, a->out);
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
