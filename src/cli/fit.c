/* SPDX-License-Identifier: Apache-2.0 */
/* shardmill fit: principal components and whitening, fitted to what a pipeline makes of a data set. */
#include "command.h"
#include "gather.h"
#include "screen.h"
#include "text.h"
#include <string.h>

enum { LINES_MOST = 24, BAR = 32 }; /* components that are shown to people, columns of a bar */

typedef struct fit_args {
    cli_operands operands;
    const char *out, *plot, *stats, *method;
    int64_t components;
    double regularisation;
    cli_gather_args gather;
    cli_engine_args engine;
} fit_args;

#define AT(member) .offset = offsetof(fit_args, member)
static const cli_option options[] = {
    CLI_PIPE_OPTION(fit_args),
    {.name = "out",
     .letter = 'o',
     .kind = CLI_TEXT,
     AT(out),
     .value = "FILE",
     .help = "write the model as JSON, for the transforms whiten and project"},
    {.name = "method",
     .kind = CLI_CHOICE,
     AT(method),
     .value = "METHOD",
     .choices = "zca|pca",
     .fallback = "zca",
     .help = "of whiten: as close to the data as can be, or along the principal components"},
    {.name = "components",
     .kind = CLI_COUNT,
     AT(components),
     .value = "K",
     .min = 1,
     .max = 1 << 20,
     .fallback = "all",
     .help = "keep K components, those of the largest variance (not with zca)"},
    {.name = "regularise",
     .kind = CLI_NUMBER,
     AT(regularisation),
     .value = "EPS",
     .max = INT64_MAX,
     .fallback = "0",
     .help = "of whiten: add EPS to each variance before dividing by its root"},
    {.name = "plot",
     .kind = CLI_TEXT,
     AT(plot),
     .value = "FILE",
     .help = "draw the variances and their sum as SVG"},
    {.name = "stats",
     .kind = CLI_TEXT,
     AT(stats),
     .value = "FILE",
     .help = "instead of SPEC: fit what stats --covariance --out, or stats --merge, wrote"},
    CLI_GATHER_OPTIONS(fit_args),
    CLI_ENGINE_OPTIONS(fit_args)};

/* ---- what is printed ---- */

static void print_components(const mill_model_view *v)
{
    double sum = 0, most = v->variances[0];
    printf("%9s %14s %9s %11s\n", "component", "variance", "share", "cumulative");
    for (size_t c = 0; c < v->components && c < LINES_MOST; c++) {
        static const char bar[] = "################################";
        sum += v->variances[c];
        double total = v->total_variance > 0 ? v->total_variance : 1;
        int columns = most > 0 ? (int)(v->variances[c] / most * BAR + 0.5) : 0;
        printf("%9zu %14.7g %7.2f %% %9.2f %%%s%.*s\n", c + 1, v->variances[c], 100 * v->variances[c] / total,
               100 * sum / total, columns ? "  " : "", columns, bar);
    }
    if (v->components > LINES_MOST)
        printf("... and %zu more; --out, --plot and --json have them all\n", v->components - LINES_MOST);
}

static void print_model(const mill_model *m)
{
    mill_model_view v;
    mill_model_look(m, &v);
    printf("%s%s%s, fitted to %.0f vectors of %zu feature%s\n", v.model, v.method ? " by " : "",
           v.method ? v.method : "", v.samples, v.features, cli_plural((int64_t)v.features));
    print_components(&v);
    size_t n = mill_model_explain(m, 0.9);
    if (n)
        printf("%zu component%s explain%s 90 %% of the variance, %zu 95 %%, %zu 99 %%\n", n,
               cli_plural((int64_t)n), n == 1 ? "s" : "", mill_model_explain(m, 0.95),
               mill_model_explain(m, 0.99));
}

static void json_list(cli_json *json, const char *key, const mill_model_view *v, double divisor, bool add)
{
    double sum = 0;
    cli_json_open(json, key, '[');
    for (size_t c = 0; c < v->components; c++) {
        sum = add ? sum + v->variances[c] : v->variances[c];
        cli_json_number(json, NULL, sum / divisor);
    }
    cli_json_close(json, ']');
}

static void total_json(const cli_gathering *g, const mill_model *m)
{
    mill_model_view v;
    cli_json json = cli_json_begin(stdout, "total");
    cli_gather_json(g, &json);
    if (m) {
        mill_model_look(m, &v);
        cli_json_text(&json, "model", v.model);
        cli_json_text(&json, "method", v.method);
        cli_json_int(&json, "features", (int64_t)v.features);
        cli_json_int(&json, "components", (int64_t)v.components);
        cli_json_number(&json, "samples", v.samples);
        cli_json_number(&json, "left_out", v.left_out);
        cli_json_int(&json, "rank", (int64_t)v.rank);
        cli_json_int(&json, "clipped", (int64_t)v.clipped);
        cli_json_number(&json, "regularisation", v.regularisation);
        cli_json_number(&json, "total_variance", v.total_variance);
        json_list(&json, "explained_variance", &v, 1, false);
        json_list(&json, "explained_variance_ratio", &v, v.total_variance, false);
        json_list(&json, "cumulative_ratio", &v, v.total_variance, true);
        cli_json_int(&json, "components_90", (int64_t)mill_model_explain(m, 0.9));
        cli_json_int(&json, "components_95", (int64_t)mill_model_explain(m, 0.95));
        cli_json_int(&json, "components_99", (int64_t)mill_model_explain(m, 0.99));
    }
    cli_json_end(&json);
}

/* ---- what should be known of it ---- */

static void warn_of_left_out(const mill_statistics *s, const mill_model_view *v)
{
    mill_statistics_view of;
    size_t features = 0;
    mill_statistics_look(s, &of);
    for (size_t k = 0; k < of.features; k++)
        features += of.nan[k] + of.above[k] + of.below[k] > 0;
    if (v->left_out > 0)
        cli_warn(CLI_SAY_WARNING,
                 "%.0f of %.0f vectors are left out: they have NaN or infinities, in %zu of %zu features",
                 v->left_out, v->left_out + v->samples, features, of.features);
}

static void warn_of_rank(const mill_model_view *v)
{
    if (v->samples <= (double)v->features)
        cli_warn(CLI_SAY_WARNING, "%.0f vectors of %zu features: no more than %.0f components can be told",
                 v->samples, v->features, v->samples - 1);
    if (v->rank < v->components)
        cli_warn(CLI_SAY_WARNING, "the last %zu of %zu components have no variance", v->components - v->rank,
                 v->components);
    if (v->clipped)
        cli_warn(CLI_SAY_NOTE, "%zu variance%s that rounding had made negative %s set to 0", v->clipped,
                 cli_plural((int64_t)v->clipped), v->clipped == 1 ? "is" : "are");
    double most = v->variances[0] + v->regularisation,
           least = v->variances[v->components - 1] + v->regularisation;
    if (v->method && least < 1e-10 * most)
        cli_warn(CLI_SAY_WARNING,
                 "the least variance is %.1e of the largest, beyond what float32 tells from rounding: "
                 "--regularise, or standardize first",
                 least / most);
}

static void warn_of_model(const mill_statistics *s, const mill_model *m)
{
    mill_model_view v;
    mill_model_look(m, &v);
    warn_of_left_out(s, &v);
    warn_of_rank(&v);
}

/* ---- the work ---- */

static mill_model *fit(cli_gathering *g, const fit_args *a)
{
    mill_model *m = NULL;
    mill_fit_options o = mill_fit_options_default();
    o.method = a->method;
    o.components = (size_t)a->components;
    o.regularisation = a->regularisation;
    if (!g->status)
        g->status = mill_model_fit(&m, g->statistics, a->operands.words[0], &o, &g->err);
    if (m && a->out)
        g->status = mill_model_save(m, a->out, &g->err);
    if (m && a->plot && !g->status)
        g->status = mill_model_plot(m, a->plot, &g->err);
    return m;
}

static int finish(cli_gathering *g, const fit_args *a)
{
    mill_model *m = fit(g, a);
    if (m)
        warn_of_model(g->statistics, m);
    if (a->gather.json)
        total_json(g, m);
    else if (m && !a->engine.quiet)
        print_model(m);
    mill_model_free(m);
    return cli_gather_end(g);
}

/* What is asked for that cannot be is said before the data are read. */
static int check(const fit_args *a)
{
    const char *word = a->operands.n ? a->operands.words[0] : NULL;
    bool whiten = word && !strcmp(word, "whiten");
    if (!whiten && (!word || strcmp(word, "pca") != 0))
        return cli_usage(&cli_fit, "the first word is what to fit: whiten or pca%s%s%s",
                         word ? ", not \"" : "", word ? word : "", word ? "\"" : "");
    if (!whiten && a->method)
        return cli_usage(&cli_fit, "--method is for whiten");
    if (!whiten && a->regularisation > 0)
        return cli_usage(&cli_fit, "--regularise is for whiten: pca divides by nothing");
    if (whiten && a->components && (!a->method || a->method[0] == 'z'))
        return cli_usage(&cli_fit, "zca gives as many numbers as there are features: --components is for "
                                   "--method pca, and for fit pca");
    if (a->stats && (a->operands.n > 1 || a->gather.pipe || a->gather.on_error))
        return cli_usage(&cli_fit, "--stats fits what is in a file: no SPEC is read and no pipeline is run");
    if (!a->stats && a->operands.n < 2)
        return cli_usage(&cli_fit,
                         "fit %s needs SPEC (a file, folder, glob, braces or @list) or --stats FILE", word);
    return CLI_OK;
}

static int fit_main(void *args)
{
    const fit_args *a = args;
    cli_gathering g;
    mill_statistics_options o = mill_statistics_options_default();
    o.covariance = MILL_COVARIANCE_PRECISE;
    cli_gather_begin(&g, &a->gather, &a->engine);
    const cli_operands spec = {.n = a->operands.n - 1, .words = a->operands.words + 1};
    int code = check(a);
    if (!code && a->stats)
        cli_gather_read(&g, a->stats);
    else if (!code)
        code = cli_gather(&g, &cli_fit, &spec, &o);
    return code ? code : finish(&g, a);
}

const cli_command cli_fit = {
    .name = "fit",
    .summary = "principal components and whitening, fitted to a data set",
    .operands = "whiten|pca SPEC...",
    .most_operands = -1,
    .about =
        "Gathers mean and covariance of what the pipeline makes of the samples that SPEC names, as stats "
        "--covariance does, and fits a model to them: the principal components (pca), or a matrix that "
        "makes the covariance 1 (whiten). The transforms project FILE and whiten FILE use what --out FILE "
        "wrote. What is whitened are the features: the places on the last axis of tensors (reshape makes "
        "a vector of a patch), or the channels of images.\n\n"
        "exit status: 0 done, 1 more bad data than is allowed, 2 usage, or a covariance that cannot be "
        "whitened, 3 I/O error, 75 interrupted",
    .example = "shardmill fit pca 'data/demo/numbers-*.npy' --out pca.json --plot pca.svg",
    .options = options,
    .noptions = sizeof options / sizeof *options,
    .args_nbytes = sizeof(fit_args),
    .main = fit_main};
