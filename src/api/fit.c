/* SPDX-License-Identifier: Apache-2.0 */
/* api/fit.c: principal components and whitening. All in float64: the covariance is, and of its condition
 * number float32 would see only what is below 10^7. */
#include "api/fit_state.h"
#include "api/stats_state.h"
#include "base/eigen.h"
#include "base/error.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

mill_fit_options mill_fit_options_default(void)
{
    mill_fit_options options = {.struct_nbytes = sizeof options};
    return options;
}

/* ---- what is asked for ---- */

static mill_status check_kind(mill_model_view *v, const char *kind, const char *method, mill_error *err)
{
    if (strcmp(kind, "pca") != 0 && strcmp(kind, "whiten") != 0)
        return mill_fail(err, MILL_USAGE, "option", "a model is \"pca\" or \"whiten\", not \"%s\"", kind);
    v->model = kind[0] == 'p' ? "pca" : "whiten";
    if (kind[0] == 'p')
        return method ? mill_fail(err, MILL_USAGE, "option", "only whiten has methods, pca has none")
                      : MILL_OK;
    if (method && strcmp(method, "zca") != 0 && strcmp(method, "pca") != 0)
        return mill_fail(err, MILL_USAGE, "option", "whitening is by \"zca\" or \"pca\", not \"%s\"", method);
    v->method = method && method[0] == 'p' ? "pca" : "zca";
    return MILL_OK;
}

static bool is_zca(const mill_model_view *v)
{
    return v->method && v->method[0] == 'z';
}

static mill_status check_options(mill_model_view *v, const char *kind, const mill_fit_options *given,
                                 mill_error *err)
{
    mill_fit_options o = mill_fit_options_default();
    if (given && (given->struct_nbytes == 0 || given->struct_nbytes > sizeof o))
        return mill_fail(err, MILL_USAGE, "option", "options come from mill_fit_options_default()");
    if (given)
        memcpy(&o, given, given->struct_nbytes);
    mill_status status = check_kind(v, kind, o.method, err);
    if (status)
        return status;
    v->components = o.components ? o.components : v->features;
    v->regularisation = o.regularisation;
    if (v->components > v->features)
        return mill_fail(err, MILL_USAGE, "option",
                         "%zu components were asked for, and there are %zu features", v->components,
                         v->features);
    if (is_zca(v) && v->components < v->features)
        return mill_fail(
            err, MILL_USAGE, "option",
            "zca gives as many numbers as there are features (%zu): fewer components are for whiten "
            "by method pca, and for pca",
            v->features);
    if (!v->method && o.regularisation != 0)
        return mill_fail(err, MILL_USAGE, "option", "pca divides by nothing: regularisation is for whiten");
    if (!(o.regularisation >= 0) || !isfinite(o.regularisation))
        return mill_fail(err, MILL_USAGE, "option", "regularisation is %g, but must be 0 or more",
                         o.regularisation);
    return MILL_OK;
}

/* ---- what it is fitted to ---- */

static mill_status too_few(const mill_statistics *s, const mill__partial *p, mill_error *err)
{
    const char *what = s->channels ? "channel" : "feature";
    for (size_t k = 0; k < s->features; k++)
        if (!(p->n[k] > 0) && p->nan[k] + p->above[k] + p->below[k] > 0)
            return mill_fail(
                err, MILL_USAGE, "statistics",
                "%s %zu has no value that is finite, so no sample counts: leave it out by select", what, k);
    return mill_fail(err, MILL_USAGE, "statistics",
                     "a covariance needs 2 vectors of finite values at least, and there %s %.0f",
                     *p->vectors == 1 ? "is" : "are", *p->vectors);
}

static mill_status check_statistics(const mill_statistics *s, mill_error *err)
{
    if (!s->covariance)
        return mill_fail(err, MILL_USAGE, "statistics",
                         "these statistics have no covariance: gather them with it (shardmill stats "
                         "--covariance)");
    const mill__partial p = mill__statistics_partial(s);
    if (*p.vectors < 2)
        return too_few(s, &p, err);
    for (size_t i = 0; i < s->features * (s->features + 1) / 2; i++)
        if (!isfinite(p.products[i]))
            return mill_fail(err, MILL_BAD_DATA, "statistics",
                             "the covariance is not finite: values beyond 1e150 are too large to be squared");
    return MILL_OK;
}

/* ---- variances ---- */

/* A covariance has none below 0, but rounding can give some; nor does it tell the small ones from 0. */
static mill_status judge_variances(mill_model *m, double *l, mill_error *err)
{
    mill_model_view *v = &m->view;
    size_t n = v->features;
    double rounding = v->precise ? (double)n * DBL_EPSILON : 2 * FLT_EPSILON, least = rounding * l[0];
    double most = v->precise ? 1e-8 : 1e-4; /* more is no rounding: docs/statistics.md, Covariance */
    if (l[n - 1] < -most * fmax(l[0], 0) || l[0] < 0)
        return mill_fail(err, MILL_BAD_DATA, "statistics",
                         "this is no covariance: along one direction the variance would be %g", l[n - 1]);
    for (size_t c = n; c-- > 0;) {
        v->clipped += l[c] < 0;
        l[c] = fmax(l[c], 0.0);
        v->total_variance += l[c]; /* from the smallest on */
        v->rank += l[c] > least;
    }
    return MILL_OK;
}

static mill_status check_invertible(const mill_model_view *v, mill_error *err)
{
    if (!v->method || v->components <= v->rank || v->regularisation > 0)
        return MILL_OK;
    if (!v->rank)
        return mill_fail(err, MILL_USAGE, "singular",
                         "all features are constant: there is nothing to whiten");
    return mill_fail(
        err, MILL_USAGE, "singular",
        "the covariance of %zu features has rank %zu, so %zu of their combinations are constant and "
        "cannot be whitened: regularise (by %.1g, say), or keep at most %zu components by method pca%s",
        v->features, v->rank, v->features - v->rank, 0.001 * v->total_variance / (double)v->features, v->rank,
        v->precise ? "" : "; a precise covariance may tell more of them (stats --covariance=precise)");
}

/* ---- the matrix ---- */

static void scale_rows(const mill_model_view *v, double *vectors, double power)
{
    for (size_t c = 0; c < v->components; c++) {
        double factor = pow(v->variances[c] + v->regularisation, power);
        for (size_t k = 0; k < v->features; k++)
            vectors[c * v->features + k] *= factor;
    }
}

/* Rows v[c] (l[c] + e)^(-1/4): the sum of their outer products is what is wanted, and symmetric. */
static mill_status mix_zca(mill_model *m, mill_error *err)
{
    size_t n = m->view.features;
    double *mixed = malloc(n * n * sizeof *mixed);
    if (!mixed)
        return mill__no_memory(err, n * n * sizeof *mixed, "the model");
    scale_rows(&m->view, m->matrix, -0.25);
    mill_status status = mill__eigen_gram(m->matrix, n, n, mixed, err);
    free(m->matrix);
    m->view.matrix = m->matrix = mixed;
    return status;
}

static mill_status fill_matrix(mill_model *m, mill_error *err)
{
    if (is_zca(&m->view))
        return mix_zca(m, err);
    if (m->view.method)
        scale_rows(&m->view, m->matrix, -0.5);
    size_t kept = m->view.components * m->view.features;
    double *smaller = kept ? realloc(m->matrix, kept * sizeof *smaller) : NULL;
    if (smaller)
        m->view.matrix = m->matrix = smaller;
    return MILL_OK;
}

/* ---- making and freeing ---- */

static bool copy_statistics(mill_model *m, const mill_statistics *s)
{
    const mill__partial p = mill__statistics_partial(s);
    mill_statistics_view seen;
    size_t n = s->features;
    mill_statistics_look(s, &seen);
    m->mean = malloc(n * sizeof *m->mean);
    m->variances = malloc(n * sizeof *m->variances);
    m->matrix = malloc(n * n * sizeof *m->matrix);
    m->pipeline = strdup(s->pipeline);
    if (!m->mean || !m->variances || !m->matrix || !m->pipeline)
        return false;
    memcpy(m->mean, p.centre, n * sizeof *m->mean);
    memcpy(m->matrix, seen.covariance, n * n * sizeof *m->matrix);
    m->view.pipeline = m->pipeline;
    m->view.mean = m->mean;
    m->view.matrix = m->matrix;
    m->view.variances = m->variances;
    m->view.precise = s->precise;
    m->view.samples = *p.vectors;
    m->view.left_out = p.n[0] + p.nan[0] + p.above[0] + p.below[0] - *p.vectors;
    return true;
}

static mill_status fit(mill_model *m, const mill_statistics *s, mill_error *err)
{
    if (!copy_statistics(m, s))
        return mill__no_memory(err, s->features * s->features * sizeof(double), "the model");
    mill_status status = mill__eigen_symmetric(m->matrix, s->features, m->variances, err);
    if (!status)
        status = judge_variances(m, m->variances, err);
    if (!status)
        status = check_invertible(&m->view, err);
    return status ? status : fill_matrix(m, err);
}

mill_status mill_model_fit(mill_model **model, const mill_statistics *statistics, const char *kind,
                           const mill_fit_options *options, mill_error *err)
{
    mill__error_clear(err);
    if (!model || !statistics || !kind)
        return mill_fail(err, MILL_USAGE, "argument",
                         "statistics, a kind and a place for the model are needed");
    *model = NULL;
    mill_model_view view = {.features = statistics->features};
    mill_status status = check_options(&view, kind, options, err);
    if (!status)
        status = check_statistics(statistics, err);
    if (status)
        return status;
    mill_model *m = calloc(1, sizeof *m);
    if (!m)
        return mill__no_memory(err, sizeof *m, "the model");
    m->view = view;
    status = fit(m, statistics, err);
    if (status)
        mill_model_free(m);
    else
        *model = m;
    return status;
}

void mill_model_free(mill_model *m)
{
    if (!m)
        return;
    free(m->pipeline);
    free(m->mean);
    free(m->matrix);
    free(m->variances);
    free(m);
}

void mill_model_look(const mill_model *m, mill_model_view *view)
{
    *view = m->view;
}

size_t mill_model_explain(const mill_model *m, double share)
{
    const mill_model_view *v = &m->view;
    double sum = 0, wanted = share * v->total_variance * (1 - 1e-12); /* sums are rounded */
    size_t n = 0;
    if (!(v->total_variance > 0) || !(share > 0 && share <= 1))
        return 0;
    while (n < v->features && sum < wanted)
        sum += v->variances[n++];
    return n;
}
