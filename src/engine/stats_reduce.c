/* SPDX-License-Identifier: Apache-2.0 */
/* Values are gone through once for sums of their differences from a shift, the mean of their first quarter;
 * the sums tell how far it is from the mean. A mean of a quarter is within sqrt(3) deviations of the whole's,
 * however they are ordered, so that little cancels. Where something is not finite, they are gone through once
 * for the means and once for the squares. */
#include "engine/stats_reduce.h"
#include "base/error.h"
#include "engine/stats_unit.h"
#include <math.h>
#include <shardmill/stats.h>
#include <string.h>

enum {
    MOST_FEATURES = 1 << 20,
    MOST_COVARIANCE = 2048,  /* 16 MiB a partial result */
    UNIT_ELEMENTS = 1 << 18, /* of rows that are reduced together */
    UNIT_ROWS = 1024,
    FEW = 16 /* features of which products in double take no longer: there is room in a vector */
};

typedef mill__tally_unit unit;

/* a + b in two parts, without loss (Knuth's TwoSum). */
static void put_sum(double a, double b, double *sum, double *rest)
{
    double s = a + b, part = s - a;
    *sum = s;
    *rest = isfinite(s) ? (a - (s - part)) + (b - part) : 0.0;
}

/* ---- where all is finite ---- */

static void clear_sums(unit *u)
{
    size_t n = u->planes * u->lanes;
    for (size_t i = 0; i < n; i++)
        u->scratch->sums[0][i] = u->scratch->sums[1][i] = 0.0;
}

static void clear_extremes(unit *u, bool wide)
{
    double *low = u->scratch->sums[2], *high = u->scratch->sums[3];
    for (size_t i = 0; i < u->planes * u->lanes; i++)
        if (wide) {
            low[i] = INFINITY;
            high[i] = -INFINITY;
        } else {
            ((float *)low)[i] = INFINITY;
            ((float *)high)[i] = -INFINITY;
        }
}

static void add_rows(unit *u, const void *x, size_t nrows, size_t width, double *sums)
{
    if (u->wide)
        u->moments->add_f64(x, nrows, width, sums);
    else
        u->moments->add_f32(x, nrows, width, sums);
}

static const void *behind(const unit *u, const void *x, size_t n)
{
    return (const char *)x + n * (u->wide ? sizeof(double) : sizeof(float));
}

static void add_block(unit *u, const void *x, size_t n, size_t plane)
{
    double *sums = u->scratch->sums[0] + plane * u->lanes;
    size_t nrows = n / u->lanes, rest = n - nrows * u->lanes;
    add_rows(u, x, nrows, u->lanes, sums);
    add_rows(u, behind(u, x, nrows * u->lanes), rest / u->features, u->features, sums);
}

static void find_shift(unit *u)
{
    size_t nrows = u->good < 4 ? u->good : u->good / 4, vectors = u->plane_length / u->features;
    double *means = u->partial->mean;
    vectors = u->good < 4 ? (vectors + 3) / 4 : vectors;
    clear_sums(u);
    mill__unit_blocks(u, u->wide, nrows, vectors * u->features, add_block);
    for (size_t k = 0; k < u->tally->features; k++)
        means[k] = mill__unit_sum(u, u->scratch->sums[0], k) / (double)(nrows * vectors);
    mill__unit_set_shift(u, means);
}

static void shift_rows(unit *u, const void *x, size_t nrows, size_t width, size_t plane, void *kept)
{
    const mill__tally_scratch *s = u->scratch;
    size_t at = plane * u->lanes;
    if (u->wide)
        u->moments->shifted_f64(x, nrows, width, s->shift + at, s->sums[0] + at, s->sums[1] + at,
                                s->sums[2] + at, s->sums[3] + at, kept);
    else
        u->moments->shifted_f32(x, nrows, width, s->shift + at, s->sums[0] + at, s->sums[1] + at,
                                (float *)s->sums[2] + at, (float *)s->sums[3] + at, kept);
}

static void shift_vectors(unit *u, const void *x, size_t n, size_t plane, void *kept)
{
    size_t nrows = n / u->lanes, most = nrows * u->lanes, rest = n - most;
    shift_rows(u, x, nrows, u->lanes, plane, kept);
    if (rest)
        shift_rows(u, behind(u, x, most), rest / u->features, u->features, plane,
                   kept ? (void *)(uintptr_t)behind(u, kept, most) : NULL);
}

static void shift_block(unit *u, const void *x, size_t n, size_t plane)
{
    if (!u->tally->covariance) {
        shift_vectors(u, x, n, plane, NULL);
        return;
    }
    for (size_t left = n / u->features, m; left; left -= m, x = behind(u, x, m * u->features)) {
        void *room = mill__products_room(u, &m);
        m = left < m ? left : m;
        shift_vectors(u, x, m * u->features, plane, room);
        mill__products_put(u, m, left > m ? behind(u, x, m * u->features) : NULL);
    }
}

typedef enum outcome { DONE, NOT_FINITE, TOO_WIDE } outcome;

/* Sums of each feature, instead of each lane, to scratch->sums. */
static outcome fold(unit *u)
{
    mill__tally_scratch *s = u->scratch;
    const mill__partial *p = u->partial;
    bool fits = true;
    for (size_t k = 0; k < u->tally->features; k++) {
        s->sums[0][k] = mill__unit_sum(u, s->sums[0], k);
        s->sums[1][k] = mill__unit_sum(u, s->sums[1], k);
        if (!isfinite(s->sums[0][k]))
            return NOT_FINITE;
        p->low[k] = mill__unit_extreme(u, u->wide, s->sums[2], k, true);
        p->high[k] = mill__unit_extreme(u, u->wide, s->sums[3], k, false);
        fits = fits && (u->wide || mill__products_fit(u, k, p->low[k], p->high[k]));
    }
    return fits || !u->tally->covariance ? DONE : TOO_WIDE;
}

static outcome find_shifted(unit *u)
{
    const mill__partial *p = u->partial;
    const double *sums = u->scratch->sums[0], *squares = u->scratch->sums[1];
    const size_t values = u->good * (u->plane_length / u->features); /* of a feature */
    const double n = (double)values;
    find_shift(u);
    clear_sums(u);
    clear_extremes(u, u->wide);
    mill__unit_all_blocks(u, u->wide, shift_block);
    outcome is = fold(u);
    for (size_t k = 0; k < u->tally->features && is == DONE; k++) {
        double step = sums[k] / n;
        p->n[k] = n;
        p->m2[k] = fmax(squares[k] - sums[k] * step, 0.0);
        put_sum(p->mean[k], step, &p->mean[k], &p->rest[k]);
    }
    if (is == DONE && u->tally->covariance) {
        *p->vectors = n;
        memcpy(p->centre, p->mean, u->features * sizeof *p->mean);
        memcpy(p->centre_rest, p->rest, u->features * sizeof *p->rest);
        mill__products_end(u, sums, values);
    }
    return is;
}

/* ---- where it is not ---- */

static void sum_block(unit *u, const void *x, size_t n, size_t plane)
{
    double *s[4];
    for (int i = 0; i < 4; i++)
        s[i] = u->scratch->sums[i] + plane * u->lanes;
    size_t nrows = n / u->lanes, rest = n - nrows * u->lanes;
    const double *last = (const double *)x + nrows * u->lanes;
    u->moments->sum(x, nrows, u->lanes, s[0], s[1], s[2], s[3]);
    if (rest)
        u->moments->sum(last, rest / u->features, u->features, s[0], s[1], s[2], s[3]);
}

static void deviate_block(unit *u, const void *x, size_t n, size_t plane)
{
    double *deviation = u->scratch->sums[0] + plane * u->lanes;
    double *square = u->scratch->sums[1] + plane * u->lanes;
    const double *mean = u->scratch->shift + plane * u->lanes;
    size_t nrows = n / u->lanes, rest = n - nrows * u->lanes;
    const double *last = (const double *)x + nrows * u->lanes;
    u->moments->deviate(x, nrows, u->lanes, mean, deviation, square);
    if (rest)
        u->moments->deviate(last, rest / u->features, u->features, mean, deviation, square);
}

static void find_means(unit *u)
{
    const mill__partial *p = u->partial;
    const mill__tally_scratch *s = u->scratch;
    clear_sums(u);
    clear_extremes(u, true);
    mill__unit_all_blocks(u, true, sum_block);
    for (size_t k = 0; k < u->tally->features; k++) {
        p->n[k] = mill__unit_sum(u, s->sums[1], k);
        bool any = p->n[k] > 0;
        p->mean[k] = any ? mill__unit_sum(u, s->sums[0], k) / p->n[k] : 0.0;
        p->low[k] = any ? mill__unit_extreme(u, true, s->sums[2], k, true) : 0.0;
        p->high[k] = any ? mill__unit_extreme(u, true, s->sums[3], k, false) : 0.0;
    }
    mill__unit_set_shift(u, p->mean);
}

/* The differences from a mean that was rounded do not add up to 0; what they do add up to mends both. */
static void find_squares(unit *u)
{
    const mill__partial *p = u->partial;
    clear_sums(u);
    mill__unit_all_blocks(u, true, deviate_block);
    for (size_t k = 0; k < u->tally->features; k++) {
        if (p->n[k] == 0)
            continue;
        double deviation = mill__unit_sum(u, u->scratch->sums[0], k), step = deviation / p->n[k];
        p->m2[k] = fmax(mill__unit_sum(u, u->scratch->sums[1], k) - deviation * step, 0.0);
        put_sum(p->mean[k], step, &p->mean[k], &p->rest[k]);
    }
}

static void count_odd(unit *u, const void *x, size_t n, size_t plane)
{
    const mill__partial *p = u->partial;
    const double *values = x;
    for (size_t i = 0; i < n; i++) {
        size_t k = plane * u->features + i % u->features;
        if (isnan(values[i]))
            p->nan[k]++;
        else if (isinf(values[i]))
            (values[i] > 0 ? p->above : p->below)[k]++;
    }
}

/* ---- the whole ---- */

static void sketch_block(unit *u, const void *x, size_t n, size_t plane)
{
    const double *values = x;
    bool fits = true;
    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i]))
            fits &= mill__sketch_add(&u->scratch->sketch, plane * u->features + i % u->features, values[i]);
    if (fits)
        return;
    pthread_mutex_lock(&u->tally->lock);
    u->tally->no_memory = true;
    pthread_mutex_unlock(&u->tally->lock);
}

static void find_moments(unit *u)
{
    outcome is = find_shifted(u);
    if (is == TOO_WIDE) {
        mill__products_begin(u);
        u->wide = true;
        is = find_shifted(u);
    }
    if (is != NOT_FINITE)
        return;
    find_means(u);
    find_squares(u);
    mill__unit_all_blocks(u, true, count_odd);
    if (u->tally->covariance)
        mill__products_find(u);
}

static void reduce(void *self, const mill_tensor *tensor, const mill__row *rows, void *partial)
{
    mill__tally *tally = self;
    mill__partial p = mill__partial_of(partial, tally->features, tally->covariance);
    unit u = mill__unit_of(tally, tensor, rows);
    u.partial = &p;
    bool any = u.good && u.plane_length, fits = any && mill__unit_take_scratch(&u);
    size_t all = mill__partial_length(tally->features, tally->covariance);
    /* products begin with the first vectors: they are many numbers */
    memset(partial, 0, (fits && p.products ? (size_t)(p.products - p.n) : all) * sizeof(double));
    if (fits) {
        find_moments(&u);
        if (tally->quantiles)
            mill__unit_all_blocks(&u, true, sketch_block);
    }
    if (any)
        mill__unit_give_scratch(&u);
}

static bool is_planar(const mill_type *type)
{
    return type->layout == MILL_CHW && type->rank == 3;
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

static bool is_wide(const mill__tally *tally, mill_dtype dtype, bool fast)
{
    bool small_float = dtype == MILL_F32 || dtype == MILL_F16 || dtype == MILL_BF16;
    if (tally->covariance)
        return !fast || !small_float || tally->features < FEW;
    return !small_float && mill_dtype_nbytes(dtype) > 2;
}

mill_status mill__tally_open(mill__tally *tally, const mill__plan *plan, int covariance, bool quantiles,
                             mill_error *err)
{
    *tally = (mill__tally){
        .covariance = covariance != MILL_COVARIANCE_NONE, .quantiles = quantiles, .kernels = plan->kernels};
    pthread_mutex_init(&tally->lock, NULL);
    mill_status status = count_features(plan, &tally->features, err);
    if (!status)
        status = check(tally, &plan->output, err);
    if (status)
        return status;
    tally->wide = is_wide(tally, plan->output.dtype, covariance == MILL_COVARIANCE_FAST);
    size_t elements = plan->fixed ? plan->row_nbytes / mill_dtype_nbytes(plan->output.dtype) : UNIT_ELEMENTS;
    size_t rows = UNIT_ROWS;
    while (rows > 1 && rows * elements > UNIT_ELEMENTS)
        rows /= 2;
    tally->reduction =
        (mill__reduction){.unit = rows,
                          .nbytes = mill__partial_length(tally->features, tally->covariance) * sizeof(double),
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
    for (const mill__tally_scratch *s = tally->scratch; s && fits; s = s->next)
        fits = mill__sketch_merge(sketch, &s->sketch);
    return fits;
}

void mill__tally_close(mill__tally *tally)
{
    for (mill__tally_scratch *s = tally->scratch, *next; s; s = next) {
        next = s->next;
        mill__tally_free_scratch(s);
    }
    pthread_mutex_destroy(&tally->lock);
    tally->scratch = NULL;
}
