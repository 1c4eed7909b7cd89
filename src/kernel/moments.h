/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/moments.h: sums over the rows of a matrix, column by column, in double. Each column is added up from
 * the first row to the last, so every level gives the same bits. */
#ifndef MILL_KERNEL_MOMENTS_H
#define MILL_KERNEL_MOMENTS_H

#include "kernel/kernel.h"

typedef struct mill__moments {
    void (*add_f32)(const float *x, size_t nrows, size_t width, double *sum);
    void (*add_f64)(const double *x, size_t nrows, size_t width, double *sum);
    /* One pass for all that is asked of values which are finite: add d = x - shift to sum and its square to
     * square, and take note of the extremes. kept, unless it is NULL, gets d, rounded to the type of x. A
     * value that is not finite shows in its column's sum, which is not finite either. */
    void (*shifted_f32)(const float *x, size_t nrows, size_t width, const double *shift, double *sum,
                        double *square, float *low, float *high, float *kept);
    void (*shifted_f64)(const double *x, size_t nrows, size_t width, const double *shift, double *sum,
                        double *square, double *low, double *high, double *kept);

    /* to += factor x, or, unless from is NULL, to += from + factor x. */
    void (*add_scaled)(double *to, const double *from, double factor, const double *x, size_t n);

    /* Means and squares in steps, for values of which some are not finite: those are left out of all. */
    /* Add to sum, and to finite how many there are. */
    void (*sum)(const double *x, size_t nrows, size_t width, double *sum, double *finite, double *low,
                double *high);
    /* Add x - mean to deviation and its square to square. */
    void (*deviate)(const double *x, size_t nrows, size_t width, const double *mean, double *deviation,
                    double *square);
    /* Replace each row by its difference from mean. */
    void (*centre)(double *x, size_t nrows, size_t width, const double *mean);
} mill__moments;

extern const mill__moments mill__moments_base;
#if defined(__x86_64__)
extern const mill__moments mill__moments_x86_64_v3;
extern const mill__moments mill__moments_x86_64_v4;
#endif

/* Those of a table's level. */
const mill__moments *mill__moments_get(const mill__kernels *kernels);

#endif
