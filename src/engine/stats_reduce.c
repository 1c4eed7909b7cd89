/* SPDX-License-Identifier: Apache-2.0 */
/* Rows are gone through in blocks of doubles that stay in the cache: once for sums, which give the means, and
 * once for the squares of the differences from them. */
#include "engine/stats_reduce.h"
#include "base/error.h"
#include "base/memory.h"
#include "kernel/convert.h"
#include "kernel/moments.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 4096, /* elements, or as many as a sample has features */
    LANES = 8,    /* few features: so many sums run side by side */
    MOST_FEATURES = 1 << 20,
    MOST_COVARIANCE = 2048,  /* 16 MiB a partial result */
    UNIT_ELEMENTS = 1 << 18, /* of rows that are reduced together */
    UNIT_ROWS = 1024
};

typedef struct mill__tally_scratch {
    struct mill__tally_scratch *next;
    double *block, *vectors; /* a block each */
    double *sums[4];         /* of each lane */
    double *means;
    mill__sketch sketch;
} scratch;

/* What is reduced, as planes of elements that lie on end: one for each channel of a chw image, else one in
 * which the features come round. */
typedef struct view {
    mill__tally *tally;
    scratch *scratch;
    const mill__moments *moments;
    const mill_tensor *tensor;
    const mill__row *rows;
    size_t planes, features, lanes; /* features and lanes of a plane; lanes is a multiple of features */
    size_t plane_length;            /* elements of one sample's */
    const mill__partial *partial;   /* that is being made */
    bool finite;                    /* all values are */
} view;

static size_t lanes_of(size_t features)
{
    return features < LANES ? LANES / features * features : features;
}

static bool is_planar(const mill_type *type)
{
    return type->layout == MILL_CHW && type->rank == 3;
}

static view view_of(mill__tally *tally, const mill_tensor *tensor, const mill__row *rows)
{
    const mill_type *type = &tensor->type;
    view v = {.tally = tally, .tensor = tensor, .rows = rows, .finite = true};
    size_t elements = (size_t)mill__type_nbytes(type) / mill_dtype_nbytes(type->dtype);
    v.planes = is_planar(type) ? tally->features : 1;
    v.features = tally->features / v.planes;
    v.lanes = lanes_of(v.features);
    v.plane_length = elements / v.planes;
    v.moments = mill__moments_get(tally->kernels);
    return v;
}

/* ---- going through ---- */

typedef void on_block(view *v, const double *x, size_t n, size_t plane);

static size_t block_length(const view *v)
{
    return v->lanes < BLOCK ? BLOCK / v->lanes * v->lanes : v->lanes;
}

static void each_block_of(view *v, size_t at, size_t n, size_t plane, on_block *take)
{
    const mill_tensor *t = v->tensor;
    const char *data = (const char *)t->data + at * mill_dtype_nbytes(t->type.dtype);
    mill__convert *convert = mill__convert_get(v->tally->kernels);
    for (size_t most = block_length(v), done = 0; done < n; done += most) {
        size_t m = n - done < most ? n - done : most;
        const char *from = data + done * mill_dtype_nbytes(t->type.dtype);
        if (t->type.dtype != MILL_F64)
            convert(v->scratch->block, MILL_F64, from, t->type.dtype, m);
        take(v, t->type.dtype == MILL_F64 ? (const double *)(const void *)from : v->scratch->block, m, plane);
    }
}

static void each_block(view *v, on_block *take)
{
    size_t n = (size_t)v->tensor->n;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && !v->rows[end].status && (v->planes == 1 || end == i); end++)
            continue;
        for (size_t p = 0; p < v->planes && end > i; p++)
            each_block_of(v, (i * v->planes + p) * v->plane_length, (end - i) * v->plane_length, p, take);
        if (end == i)
            end++; /* a bad one */
    }
}

/* ---- sums ---- */

static void sum_block(view *v, const double *x, size_t n, size_t plane)
{
    double *s[4];
    for (int i = 0; i < 4; i++)
        s[i] = v->scratch->sums[i] + plane * v->lanes;
    size_t nrows = n / v->lanes, rest = n - nrows * v->lanes;
    v->moments->sum(x, nrows, v->lanes, s[0], s[1], s[2], s[3]);
    if (rest)
        v->moments->sum(x + nrows * v->lanes, rest / v->features, v->features, s[0], s[1], s[2], s[3]);
}

static void deviate_block(view *v, const double *x, size_t n, size_t plane)
{
    double *deviation = v->scratch->sums[0] + plane * v->lanes;
    double *square = v->scratch->sums[1] + plane * v->lanes;
    const double *mean = v->scratch->means + plane * v->lanes;
    size_t nrows = n / v->lanes, rest = n - nrows * v->lanes;
    v->moments->deviate(x, nrows, v->lanes, mean, deviation, square);
    if (rest)
        v->moments->deviate(x + nrows * v->lanes, rest / v->features, v->features, mean, deviation, square);
}

static void preset(view *v, bool extremes)
{
    for (size_t i = 0; i < v->planes * v->lanes; i++) {
        v->scratch->sums[0][i] = v->scratch->sums[1][i] = 0.0;
        if (!extremes)
            continue;
        v->scratch->sums[2][i] = INFINITY;
        v->scratch->sums[3][i] = -INFINITY;
    }
}

/* What the lanes of feature k added up. */
static double fold(const view *v, const double *sums, size_t k)
{
    double sum = 0.0;
    const double *lane = sums + k / v->features * v->lanes + k % v->features;
    for (size_t i = 0; i < v->lanes; i += v->features)
        sum += lane[i];
    return sum;
}

static double fold_extreme(const view *v, const double *sums, size_t k, bool low)
{
    const double *lane = sums + k / v->features * v->lanes + k % v->features;
    double most = lane[0];
    for (size_t i = v->features; i < v->lanes; i += v->features)
        most = low ? fmin(most, lane[i]) : fmax(most, lane[i]);
    return most;
}

static double good_rows(const view *v)
{
    double n = 0;
    for (int64_t i = 0; i < v->tensor->n; i++)
        n += !v->rows[i].status;
    return n;
}

static void find_means(view *v, const mill__partial *p)
{
    size_t of_a_row = v->plane_length / v->features;
    double values = good_rows(v) * (double)of_a_row;
    preset(v, true);
    each_block(v, sum_block);
    for (size_t k = 0; k < v->tally->features; k++) {
        p->n[k] = fold(v, v->scratch->sums[1], k);
        v->finite &= p->n[k] == values;
        if (p->n[k] == 0)
            continue;
        p->mean[k] = fold(v, v->scratch->sums[0], k) / p->n[k];
        p->low[k] = fold_extreme(v, v->scratch->sums[2], k, true);
        p->high[k] = fold_extreme(v, v->scratch->sums[3], k, false);
    }
    for (size_t i = 0; i < v->planes * v->lanes; i++)
        v->scratch->means[i] = p->mean[i / v->lanes * v->features + i % v->lanes % v->features];
}

/* The differences from a mean that was rounded do not add up to 0; what they do add up to mends both. */
static void find_squares(view *v, const mill__partial *p)
{
    preset(v, false);
    each_block(v, deviate_block);
    for (size_t k = 0; k < v->tally->features; k++) {
        if (p->n[k] == 0)
            continue;
        double deviation = fold(v, v->scratch->sums[0], k), square = fold(v, v->scratch->sums[1], k);
        p->m2[k] = fmax(square - deviation * (deviation / p->n[k]), 0.0);
        double mean = p->mean[k], step = deviation / p->n[k]; /* far less than the mean, or it is 0 */
        p->mean[k] += step;
        p->rest[k] = isfinite(p->mean[k]) ? step - (p->mean[k] - mean) : 0.0;
    }
}

/* ---- what is not finite; quantiles ---- */

static void count_odd(view *v, const double *x, size_t n, size_t plane)
{
    const mill__partial *p = v->partial;
    for (size_t i = 0; i < n; i++) {
        size_t k = plane * v->features + i % v->features;
        if (isnan(x[i]))
            p->nan[k]++;
        else if (isinf(x[i]))
            (x[i] > 0 ? p->above : p->below)[k]++;
    }
}

static void sketch_block(view *v, const double *x, size_t n, size_t plane)
{
    bool fits = true;
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i]))
            fits &= mill__sketch_add(&v->scratch->sketch, plane * v->features + i % v->features, x[i]);
    if (fits)
        return;
    pthread_mutex_lock(&v->tally->lock);
    v->tally->no_memory = true;
    pthread_mutex_unlock(&v->tally->lock);
}

/* ---- covariance ---- */

/* Those of n vectors that are finite wholly, to v->scratch->vectors; how many. */
static size_t take_vectors(view *v, const double *x, size_t n)
{
    double *to = v->scratch->vectors;
    size_t width = v->features, taken = 0;
    if (v->finite) {
        memcpy(to, x, n * width * sizeof *x);
        return n;
    }
    for (size_t i = 0; i < n; i++, x += width) {
        bool whole = true;
        for (size_t k = 0; k < width; k++)
            whole &= isfinite(x[k]) != 0;
        if (whole)
            memcpy(to + taken++ * width, x, width * sizeof *x);
    }
    return taken;
}

static void centre_block(view *v, const double *x, size_t n, size_t plane)
{
    (void)plane;
    size_t taken = take_vectors(v, x, n / v->features);
    v->scratch->sums[1][0] += (double)taken;
    v->moments->sum(v->scratch->vectors, taken, v->features, v->scratch->sums[0], v->scratch->means,
                    v->scratch->sums[2], v->scratch->sums[3]);
}

static void products_block(view *v, const double *x, size_t n, size_t plane)
{
    (void)plane;
    size_t taken = take_vectors(v, x, n / v->features);
    v->moments->centre(v->scratch->vectors, taken, v->features, v->scratch->means);
    v->moments->products(v->scratch->vectors, taken, v->features, v->partial->products);
}

static void find_products(view *v, const mill__partial *p)
{
    size_t width = v->features;
    if (v->finite) {
        *p->vectors = p->n[0];
        memcpy(p->centre, p->mean, width * sizeof *p->mean);
        memcpy(p->centre_rest, p->rest, width * sizeof *p->rest);
    } else {
        preset(v, true);
        each_block(v, centre_block);
        *p->vectors = v->scratch->sums[1][0];
        for (size_t k = 0; k<width && * p->vectors> 0; k++)
            p->centre[k] = v->scratch->sums[0][k] / *p->vectors;
    }
    memcpy(v->scratch->means, p->centre, width * sizeof *p->centre);
    each_block(v, products_block);
}

/* ---- scratch ---- */

static void free_scratch(scratch *s)
{
    mill__free(s->block);
    mill__sketch_free(&s->sketch);
    free(s);
}

static scratch *make_scratch(const mill__tally *tally, size_t planes, size_t lanes)
{
    size_t block = lanes < BLOCK ? BLOCK : lanes, all = planes * lanes;
    scratch *s = calloc(1, sizeof *s);
    double *numbers = mill__alloc((2 * block + 5 * all) * sizeof *numbers);
    if (s)
        s->block = numbers;
    if (!s || !numbers || (tally->quantiles && !mill__sketch_open(&s->sketch, tally->features))) {
        if (s)
            free_scratch(s);
        else
            mill__free(numbers);
        return NULL;
    }
    s->vectors = numbers + block;
    for (int i = 0; i < 4; i++)
        s->sums[i] = numbers + 2 * block + (size_t)i * all;
    s->means = numbers + 2 * block + 4 * all;
    return s;
}

static scratch *take_scratch(view *v)
{
    mill__tally *tally = v->tally;
    pthread_mutex_lock(&tally->lock);
    scratch *s = tally->scratch;
    if (s)
        tally->scratch = s->next;
    pthread_mutex_unlock(&tally->lock);
    return s ? s : make_scratch(tally, v->planes, v->lanes);
}

static void give_scratch(mill__tally *tally, scratch *s)
{
    pthread_mutex_lock(&tally->lock);
    if (s) {
        s->next = tally->scratch;
        tally->scratch = s;
    } else {
        tally->no_memory = true;
    }
    pthread_mutex_unlock(&tally->lock);
}

/* ---- the whole ---- */

static void reduce(void *self, const mill_tensor *tensor, const mill__row *rows, void *partial)
{
    mill__tally *tally = self;
    mill__partial p = mill__partial_of(partial, tally->features, tally->covariance);
    view v = view_of(tally, tensor, rows);
    v.partial = &p;
    v.scratch = take_scratch(&v);
    if (v.scratch) {
        find_means(&v, &p);
        find_squares(&v, &p);
        if (!v.finite)
            each_block(&v, count_odd);
        if (tally->quantiles)
            each_block(&v, sketch_block);
        if (tally->covariance)
            find_products(&v, &p);
    }
    give_scratch(tally, v.scratch);
}

static mill_status count_features(const mill__plan *plan, size_t *features, mill_error *err)
{
    const mill_type *type = &plan->output;
    if (!plan->has_tensor)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "statistics are of numbers, and the samples are encoded files: put decode into the "
                         "pipeline");
    int64_t n = is_planar(type) ? type->shape[0] : type->rank ? type->shape[type->rank - 1] : 1;
    if (n < 1 || n > MOST_FEATURES)
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "statistics need a last axis of a fixed length of 1 to %d, not %lld", MOST_FEATURES,
                         (long long)n);
    if (plan->fixed && !plan->row_nbytes)
        return mill_fail(err, MILL_USAGE, "pipeline", "statistics need values, and the samples have none");
    *features = (size_t)n;
    return MILL_OK;
}

static mill_status check(const mill__tally *tally, const mill_type *type, mill_error *err)
{
    if (tally->covariance && is_planar(type))
        return mill_fail(err, MILL_USAGE, "pipeline",
                         "the covariance of channels needs them side by side: leave out layout chw");
    if (tally->covariance && tally->features > MOST_COVARIANCE)
        return mill_fail(err, MILL_LIMIT, "limit", "covariance is for at most %d features, not %zu",
                         MOST_COVARIANCE, tally->features);
    if (tally->quantiles && tally->features > MILL__SKETCH_FEATURES)
        return mill_fail(err, MILL_LIMIT, "limit", "quantiles are for at most %d features, not %zu",
                         MILL__SKETCH_FEATURES, tally->features);
    return MILL_OK;
}

mill_status mill__tally_open(mill__tally *tally, const mill__plan *plan, bool covariance, bool quantiles,
                             mill_error *err)
{
    *tally = (mill__tally){.covariance = covariance, .quantiles = quantiles, .kernels = plan->kernels};
    pthread_mutex_init(&tally->lock, NULL);
    mill_status status = count_features(plan, &tally->features, err);
    if (!status)
        status = check(tally, &plan->output, err);
    if (status)
        return status;
    size_t elements = plan->fixed ? plan->row_nbytes / mill_dtype_nbytes(plan->output.dtype) : UNIT_ELEMENTS;
    size_t unit = UNIT_ROWS;
    while (unit > 1 && unit * elements > UNIT_ELEMENTS)
        unit /= 2;
    tally->reduction =
        (mill__reduction){.unit = unit,
                          .nbytes = mill__partial_length(tally->features, covariance) * sizeof(double),
                          .run = reduce,
                          .self = tally};
    return MILL_OK;
}

bool mill__tally_complete(mill__tally *tally)
{
    pthread_mutex_lock(&tally->lock);
    bool complete = !tally->no_memory;
    pthread_mutex_unlock(&tally->lock);
    return complete;
}

bool mill__tally_sketch(mill__tally *tally, mill__sketch *sketch)
{
    bool fits = true;
    for (const scratch *s = tally->scratch; s && fits; s = s->next)
        fits = mill__sketch_merge(sketch, &s->sketch);
    return fits;
}

void mill__tally_close(mill__tally *tally)
{
    for (scratch *s = tally->scratch, *next; s; s = next) {
        next = s->next;
        free_scratch(s);
    }
    pthread_mutex_destroy(&tally->lock);
    tally->scratch = NULL;
}
