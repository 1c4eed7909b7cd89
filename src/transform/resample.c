/* SPDX-License-Identifier: Apache-2.0 */
/* transform/resample.c: weights as Pillow's 8-bit resize has them (documented behaviour: the filter is
 * stretched by the scale when shrinking, evaluated at pixel centres in double, normalised, and rounded to
 * 22-bit fixed point, halves away from zero), so that resized images are the same bytes. */
#include "transform/resample.h"
#include "base/error.h"
#include "base/memory.h"
#include "kernel/kernel.h"
#include <math.h>
#include <string.h>

static double box(double x)
{
    return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* The two numbers are single precision in Pillow, and a weight's last bit can hang on it. */
static double hamming(double x)
{
    x = fabs(x);
    if (x == 0.0)
        return 1.0;
    if (x >= 1.0)
        return 0.0;
    x *= M_PI;
    return sin(x) / x * ((double)0.54F + (double)0.46F * cos(x));
}

/* Keys's cubic convolution with a = -1/2. */
static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

static double sinc(double x)
{
    if (x == 0.0)
        return 1.0;
    x *= M_PI;
    return sin(x) / x;
}

static double lanczos3(double x)
{
    return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
}

static const struct {
    double (*at)(double x);
    double support; /* half the width on which it is not 0 */
} filters[] = {
    [MILL_NEAREST] = {NULL, 0},      [MILL_BOX] = {box, 0.5},       [MILL_BILINEAR] = {triangle, 1.0},
    [MILL_HAMMING] = {hamming, 1.0}, [MILL_BICUBIC] = {cubic, 2.0}, [MILL_LANCZOS] = {lanczos3, 3.0},
};

typedef struct window {
    double center;
    int64_t first, count;
} window;

static window window_of(const mill__coefficients *c, int64_t i, double scale, double support)
{
    int64_t in = c->in;
    window w = {.center = (double)c->from + ((double)i + 0.5) * scale};
    double low = w.center - support + 0.5, high = w.center + support + 0.5;
    w.first = low < 0 ? 0 : (int64_t)low;
    int64_t end = high > (double)in ? in : (int64_t)high;
    if (w.first >= in)
        w.first = in - 1;
    w.count = end > w.first ? end - w.first : 1;
    return w;
}

static int32_t fixed_point(double weight)
{
    double scaled = weight * (1 << MILL__RESAMPLE_BITS);
    return (int32_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

/* Weight t of output i, in the form that kernels take (kernel/kernel.h). */
static void set_weight(mill__coefficients *c, int64_t i, int64_t t, int32_t weight)
{
    int16_t *group =
        c->weights + 2 * ((size_t)i * c->taps + (size_t)t / MILL__RESAMPLE_GROUP * MILL__RESAMPLE_GROUP);
    int32_t low = weight & ((1 << MILL__RESAMPLE_LOW_BITS) - 1);
    group[t % MILL__RESAMPLE_GROUP] = (int16_t)low;
    group[MILL__RESAMPLE_GROUP + t % MILL__RESAMPLE_GROUP] =
        (int16_t)((weight - low) / (1 << MILL__RESAMPLE_LOW_BITS));
}

/* Fill one row of weights. The window loses the zeros at its end, which say nothing and cost time; not those
 * at its beginning, which must not decrease from row to row. */
static void fill_window(mill__coefficients *c, int64_t i, const window *w, double inverse, double *real)
{
    double total = 0;
    for (int64_t t = 0; t < w->count; t++) {
        real[t] = filters[c->filter].at(((double)(t + w->first) - w->center + 0.5) * inverse);
        total += real[t];
    }
    int64_t n = 1;
    for (int64_t t = 0; t < w->count; t++) {
        int32_t weight = fixed_point(total != 0.0 ? real[t] / total : real[t]);
        set_weight(c, i, t, weight);
        n = weight ? t + 1 : n;
    }
    c->bounds[2 * i] = (int32_t)w->first;
    c->bounds[2 * i + 1] = (int32_t)n;
}

/* A sum of steps, not a product, because Pillow walks the row that way and rounds as it goes. */
static void fill_nearest(mill__coefficients *c)
{
    double step = (double)(c->to - c->from) / (double)c->out, at = (double)c->from + step * 0.5;
    for (int64_t i = 0; i < c->out; i++, at += step) {
        c->bounds[2 * i] = (int32_t)(at < (double)c->in ? (int64_t)at : c->in - 1);
        c->bounds[2 * i + 1] = 1;
        set_weight(c, i, 0, 1 << MILL__RESAMPLE_BITS);
    }
}

/* One block: real numbers for a window, bounds, weights. A little more than asked for is taken, so that the
 * next sizes fit too. */
static mill_status take_memory(mill__coefficients *c, uint64_t limit_nbytes, mill_error *err)
{
    uint64_t line = 2 * sizeof *c->bounds + 2 * c->taps * sizeof *c->weights, nbytes;
    uint64_t window_nbytes = c->taps * sizeof(double);
    if (__builtin_mul_overflow(line, (uint64_t)c->out, &nbytes) ||
        __builtin_add_overflow(nbytes, window_nbytes, &nbytes) || nbytes > limit_nbytes)
        return mill_fail(
            err, MILL_LIMIT, "limit",
            "resizing %lld to %lld pixels needs weights beyond the memory that a thread may use; "
            "raise the memory budget",
            (long long)c->in, (long long)c->out);
    if (nbytes > c->nbytes) {
        uint64_t wanted = nbytes + nbytes / 4;
        mill__free(c->memory);
        c->nbytes = 0;
        wanted = wanted > limit_nbytes ? nbytes : wanted;
        c->memory = mill__alloc((size_t)wanted);
        if (!c->memory)
            return mill__no_memory(err, (size_t)wanted, "resize weights");
        c->nbytes = wanted;
    }
    c->bounds = (int32_t *)((double *)c->memory + c->taps);
    c->weights = (int16_t *)(c->bounds + 2 * c->out);
    memset(c->weights, 0, (size_t)c->out * 2 * c->taps * sizeof *c->weights);
    return MILL_OK;
}

mill_status mill__coefficients_make(mill__coefficients *c, int64_t in, int64_t out, mill_filter filter,
                                    uint64_t limit_nbytes, mill_error *err)
{
    return mill__coefficients_make_part(c, in, 0, (float)in, out, filter, limit_nbytes, err);
}

mill_status mill__coefficients_make_part(mill__coefficients *c, int64_t in, float from, float to, int64_t out,
                                         mill_filter filter, uint64_t limit_nbytes, mill_error *err)
{
    *c = (mill__coefficients){.in = in,
                              .out = out,
                              .from = from,
                              .to = to,
                              .filter = filter,
                              .longest = 1,
                              .memory = c->memory,
                              .nbytes = c->nbytes};
    double scale = (double)(to - from) / (double)out, stretch = scale < 1.0 ? 1.0 : scale;
    double support = filters[filter].support * stretch, inverse = 1.0 / stretch;
    for (int64_t i = 0; i < out && filter != MILL_NEAREST; i++) {
        size_t count = (size_t)window_of(c, i, scale, support).count;
        c->longest = count > c->longest ? count : c->longest;
    }
    c->taps = (c->longest + MILL__RESAMPLE_GROUP - 1) / MILL__RESAMPLE_GROUP * MILL__RESAMPLE_GROUP;
    mill_status status = take_memory(c, limit_nbytes, err);
    if (status) {
        mill__coefficients_free(c);
        return status;
    }
    if (filter == MILL_NEAREST)
        fill_nearest(c);
    for (int64_t i = 0; i < out && filter != MILL_NEAREST; i++) {
        window w = window_of(c, i, scale, support);
        fill_window(c, i, &w, inverse, c->memory);
    }
    return MILL_OK;
}

void mill__coefficients_free(mill__coefficients *c)
{
    mill__free(c->memory);
    *c = (mill__coefficients){0};
}
