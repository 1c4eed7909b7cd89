/* SPDX-License-Identifier: Apache-2.0 */
/* Sums for statistics, compiled once a level (-DMILL__LEVEL): plain loops over columns that the compiler
 * vectorises. */
#if defined(__GNUC__) && !defined(__clang__)
/* Else gcc keeps branches for the sake of the exception flags, which nobody reads. */
#pragma GCC optimize("no-trapping-math")
#endif

#include "kernel/moments.h"

#define JOIN2(a, b) a##_##b
#define JOIN(a, b)  JOIN2(a, b)

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

/* Eight rows of x at a time, so that an entry of the triangle is loaded and stored once for eight products.
 */
static void products(const double *restrict x, size_t nrows, size_t width, double *restrict triangle)
{
    for (; nrows >= 8; nrows -= 8, x += 8 * width) {
        double *to = triangle;
        for (size_t i = 0; i < width; to += width - i, i++) {
            const double a = x[i], b = x[width + i], c = x[2 * width + i], d = x[3 * width + i],
                         e = x[4 * width + i], f = x[5 * width + i], g = x[6 * width + i],
                         h = x[7 * width + i];
            const double *row = x + i;
            for (size_t k = 0; k < width - i; k++)
                to[k] +=
                    ((a * row[k] + b * row[width + k]) + (c * row[2 * width + k] + d * row[3 * width + k])) +
                    ((e * row[4 * width + k] + f * row[5 * width + k]) +
                     (g * row[6 * width + k] + h * row[7 * width + k]));
        }
    }
    for (; nrows; nrows--, x += width) {
        double *to = triangle;
        for (size_t i = 0; i < width; to += width - i, i++)
            for (size_t k = 0; k < width - i; k++)
                to[k] += x[i] * x[i + k];
    }
}

const mill__moments JOIN(mill__moments, MILL__LEVEL) = {
    .sum = sum_rows, .deviate = deviate, .centre = centre, .products = products};
