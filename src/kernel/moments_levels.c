/* SPDX-License-Identifier: Apache-2.0 */
/* Sums for statistics, compiled once a level (-DMILL__LEVEL): plain loops over columns that the compiler
 * vectorises. The template moments_type.h is taken twice: for floats and for doubles. */
#if defined(__GNUC__) && !defined(__clang__)
/* Else gcc keeps branches for the sake of the exception flags, which nobody reads. */
#pragma GCC optimize("no-trapping-math")
#endif

#include "kernel/moments.h"

#define JOIN2(a, b) a##_##b
#define JOIN(a, b)  JOIN2(a, b)

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

static void sum_rows(const double *restrict x, size_t nrows, size_t width, double *restrict sum,
                     double *restrict finite, double *restrict low, double *restrict high)
{
    for (size_t i = 0; i < nrows; i++, x += width)
        for (size_t k = 0; k < width; k++) {
            double v = x[k];
            int is_finite = v - v == 0.0;
            sum[k] += is_finite ? v : 0.0;
            finite[k] += is_finite ? 1.0 : 0.0;
            low[k] = (is_finite & (v < low[k])) ? v : low[k];
            high[k] = (is_finite & (v > high[k])) ? v : high[k];
        }
}

static void deviate(const double *restrict x, size_t nrows, size_t width, const double *restrict mean,
                    double *restrict deviation, double *restrict square)
{
    for (size_t i = 0; i < nrows; i++, x += width)
        for (size_t k = 0; k < width; k++) {
            double v = x[k], d = v - mean[k];
            d = v - v == 0.0 ? d : 0.0;
            deviation[k] += d;
            square[k] += d * d;
        }
}

static void centre(double *restrict x, size_t nrows, size_t width, const double *restrict mean)
{
    for (size_t i = 0; i < nrows; i++, x += width)
        for (size_t k = 0; k < width; k++)
            x[k] -= mean[k];
}

static void add_scaled(double *restrict to, const double *restrict from, double factor,
                       const double *restrict x, size_t n)
{
    if (from)
        for (size_t k = 0; k < n; k++)
            to[k] += from[k] + factor * x[k];
    else
        for (size_t k = 0; k < n; k++)
            to[k] += factor * x[k];
}

#define REAL    float
#define NAME(x) f32_##x
#include "kernel/moments_type.h"
#undef REAL
#undef NAME

#define REAL    double
#define NAME(x) f64_##x
#include "kernel/moments_type.h"

const mill__moments JOIN(mill__moments, MILL__LEVEL) = {.add_f32 = f32_add,
                                                        .add_f64 = f64_add,
                                                        .shifted_f32 = f32_shifted,
                                                        .shifted_f64 = f64_shifted,
                                                        .add_scaled = add_scaled,
                                                        .sum = sum_rows,
                                                        .deviate = deviate,
                                                        .centre = centre};
