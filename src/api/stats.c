/* SPDX-License-Identifier: Apache-2.0 */
/* api/stats.c: statistics as such: what they say, and merging. */
#include "api/stats_state.h"
#include "base/error.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

mill_statistics_options mill_statistics_options_default(void)
{
    mill_statistics_options options = {.struct_nbytes = sizeof options, .run = mill_options_default()};
    return options;
}

/* ---- classes ---- */

static size_t find(const mill__classes *classes, int64_t label)
{
    size_t begin = 0, end = classes->n;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (classes->labels[middle] < label)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

static bool make_room(mill__classes *classes)
{
    if (classes->n < classes->capacity)
        return true;
    size_t capacity = classes->capacity ? 2 * classes->capacity : 64;
    int64_t *labels = realloc(classes->labels, capacity * sizeof *labels);
    if (labels)
        classes->labels = labels;
    int64_t *counts = realloc(classes->counts, capacity * sizeof *counts);
    if (counts)
        classes->counts = counts;
    if (labels && counts)
        classes->capacity = capacity;
    return labels && counts;
}

bool mill__classes_add(mill__classes *classes, int64_t label, int64_t count)
{
    size_t at = classes->last;
    if (at >= classes->n || classes->labels[at] != label)
        at = find(classes, label);
    if (at == classes->n || classes->labels[at] != label) {
        if (!make_room(classes))
            return false;
        size_t behind = (classes->n - at) * sizeof *classes->labels;
        memmove(classes->labels + at + 1, classes->labels + at, behind);
        memmove(classes->counts + at + 1, classes->counts + at, behind);
        classes->labels[at] = label;
        classes->counts[at] = 0;
        classes->n++;
    }
    classes->counts[at] += count;
    classes->last = at;
    return true;
}

/* ---- making and freeing ---- */

mill_statistics *mill__statistics_new(size_t features, bool covariance, bool quantiles)
{
    mill_statistics *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->features = features;
    s->covariance = covariance;
    s->quantiles = quantiles;
    s->numbers = calloc(mill__partial_length(features, covariance), sizeof *s->numbers);
    if (s->numbers && (!quantiles || mill__sketch_open(&s->sketch, features)))
        return s;
    mill_statistics_free(s);
    return NULL;
}

void mill_statistics_free(mill_statistics *s)
{
    if (!s)
        return;
    mill__sketch_free(&s->sketch);
    mill__buffer_free(&s->json);
    free(s->classes.labels);
    free(s->classes.counts);
    free(s->pipeline);
    free(s->numbers);
    free(s->derived);
    free(s);
}

mill__partial mill__statistics_partial(const mill_statistics *s)
{
    return mill__partial_of(s->numbers, s->features, s->covariance);
}

/* ---- what they say ---- */

static void derive_covariance(const mill_statistics *s, const mill__partial *p, double *covariance)
{
    const double *product = p->products;
    for (size_t i = 0; i < s->features; i++)
        for (size_t k = i; k < s->features; k++, product++)
            covariance[i * s->features + k] = covariance[k * s->features + i] = *product / (*p->vectors - 1);
}

bool mill__statistics_derive(mill_statistics *s)
{
    size_t n = s->features;
    mill__partial p = mill__statistics_partial(s);
    free(s->derived);
    s->derived = malloc((4 * n + (s->covariance ? n * n : 0)) * sizeof *s->derived);
    if (!s->derived)
        return false;
    for (size_t k = 0; k < n; k++) {
        bool any = p.n[k] > 0;
        s->derived[k] = any ? sqrt(p.m2[k] / p.n[k]) : NAN;
        s->derived[n + k] = any ? p.low[k] : NAN;
        s->derived[2 * n + k] = any ? p.high[k] : NAN;
        s->derived[3 * n + k] = any ? p.mean[k] : NAN;
    }
    if (s->covariance)
        derive_covariance(s, &p, s->derived + 4 * n);
    return true;
}

void mill_statistics_look(const mill_statistics *s, mill_statistics_view *view)
{
    const mill__partial p = mill__statistics_partial(s);
    const double *derived = s->derived;
    bool covers = s->covariance && *p.vectors > 1;
    *view = (mill_statistics_view){.features = s->features,
                                   .channels = s->channels,
                                   .dtype = s->dtype,
                                   .pipeline = s->pipeline,
                                   .samples = s->samples,
                                   .skipped = s->skipped,
                                   .count = p.n,
                                   .nan = p.nan,
                                   .above = p.above,
                                   .below = p.below,
                                   .std = derived,
                                   .min = derived + s->features,
                                   .max = derived + 2 * s->features,
                                   .mean = derived + 3 * s->features,
                                   .covariance_count = s->covariance ? *p.vectors : 0,
                                   .covariance_precise = covers && s->precise,
                                   .covariance = covers ? derived + 4 * s->features : NULL,
                                   .classes = s->classes.n,
                                   .labels = s->classes.labels,
                                   .label_counts = s->classes.counts,
                                   .unlabelled = s->unlabelled,
                                   .quantiles = s->quantiles};
}

/* The middle of the outermost buckets may lie beyond what there is. */
double mill_statistics_quantile(const mill_statistics *s, size_t feature, double p)
{
    const mill__partial all = mill__statistics_partial(s);
    if (!s->quantiles || feature >= s->features || !(p >= 0 && p <= 1) || !(all.n[feature] > 0))
        return NAN;
    double q = mill__sketch_quantile(&s->sketch, feature, p);
    return fmin(fmax(q, all.low[feature]), all.high[feature]);
}

/* ---- merging ---- */

static mill_status check_alike(const mill_statistics *a, const mill_statistics *b, mill_error *err)
{
    if (a->features != b->features || a->channels != b->channels)
        return mill_fail(err, MILL_USAGE, "statistics",
                         "statistics of %zu %s and of %zu %s do not go together", a->features,
                         a->channels ? "channels" : "features", b->features,
                         b->channels ? "channels" : "features");
    if (a->dtype != b->dtype)
        return mill_fail(err, MILL_USAGE, "statistics", "statistics of %s and of %s do not go together",
                         mill_dtype_name(a->dtype), mill_dtype_name(b->dtype));
    if (strcmp(a->pipeline, b->pipeline) != 0)
        return mill_fail(err, MILL_USAGE, "statistics",
                         "statistics of different pipelines do not go together: \"%.150s\" and \"%.150s\"",
                         a->pipeline, b->pipeline);
    if (a->covariance != b->covariance || a->quantiles != b->quantiles)
        return mill_fail(err, MILL_USAGE, "statistics", "one has %s and the other has not",
                         a->covariance != b->covariance ? "a covariance" : "quantiles");
    return MILL_OK;
}

mill_status mill_statistics_merge(mill_statistics *s, const mill_statistics *more, mill_error *err)
{
    mill__error_clear(err);
    if (!s || !more || s == more)
        return mill_fail(err, MILL_USAGE, "argument", "two different statistics are needed");
    mill_status status = check_alike(s, more, err);
    if (status)
        return status;
    bool fits = !s->quantiles || mill__sketch_merge(&s->sketch, &more->sketch);
    for (size_t i = 0; i < more->classes.n && fits; i++)
        fits = mill__classes_add(&s->classes, more->classes.labels[i], more->classes.counts[i]);
    mill__partial a = mill__statistics_partial(s);
    const mill__partial b = mill__statistics_partial(more);
    mill__partial_merge(&a, &b, s->features);
    s->precise &= more->precise;
    s->samples += more->samples;
    s->skipped += more->skipped;
    s->unlabelled += more->unlabelled;
    mill__buffer_free(&s->json);
    return fits && mill__statistics_derive(s) ? MILL_OK : mill__no_memory(err, s->features, "statistics");
}
