/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/moments.h: sums over the rows of a matrix of doubles, column by column. Each column is added up from
 * the first row to the last, so every level gives the same bits. */
#ifndef MILL_KERNEL_MOMENTS_H
#define MILL_KERNEL_MOMENTS_H

#include "kernel/kernel.h"

typedef struct mill__moments {
    /* Add to sum, and to finite how many there are; values that are not finite are left out of all. */
    void (*sum)(const double *x, size_t nrows, size_t width, double *sum, double *finite, double *low,
                double *high);
    /* Of the finite values: add x - mean to deviation and its square to square. */
    void (*deviate)(const double *x, size_t nrows, size_t width, const double *mean, double *deviation,
                    double *square);
    /* Replace each row by its difference from mean. */
    void (*centre)(double *x, size_t nrows, size_t width, const double *mean);
    /* Add x^T x to the upper triangle of a symmetric matrix, packed row after row. */
    void (*products)(const double *x, size_t nrows, size_t width, double *triangle);
} mill__moments;

extern const mill__moments mill__moments_base;
#if defined(__x86_64__)
extern const mill__moments mill__moments_x86_64_v3;
extern const mill__moments mill__moments_x86_64_v4;
#endif

/* Those of a table's level. */
const mill__moments *mill__moments_get(const mill__kernels *kernels);

#endif
