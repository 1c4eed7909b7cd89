/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/gemm.h: products of matrices, for blocks of samples against a matrix that was made ready once, and
 * for the sums of products of features (X^T X).
 *
 * These are our own and not a BLAS's because of what is promised here: an element of a product is the chain
 * of fused multiply-adds over k = 0, 1, 2, ... that starts at 0, whatever the number of rows of a call, the
 * level of instruction sets, the compiler or the number of threads, so the bytes are the same in all of these
 * cases. A BLAS sums a row in another order when the call has another number of rows, or starts threads of
 * its own. (bench/gemm.c shows both, and what the promise costs.) Where the processor has no fused
 * multiply-add the C library's fma() stands in: the same bytes, slowly. A NaN in a result is always the
 * positive quiet one without payload, since which of several NaNs an instruction passes on depends on how the
 * compiler wrote it. */
#ifndef MILL_KERNEL_GEMM_H
#define MILL_KERNEL_GEMM_H

#include "kernel/kernel.h"

/* Rows of X whose products are summed in the type of X before the sums go on in double: fixed, since it
 * decides the bits. */
#define MILL__GRAM_RUN 256

typedef struct mill__gemm {
    size_t f32_panel, f64_panel; /* columns of a panel, see mill__gemm_pack */

    /* out = (a - mean) * b. a: rows x depth, b: depth x columns in panels, out: rows x columns; strides in
     * elements. mean: depth numbers or NULL; it is subtracted in double, and the difference rounded once, so
     * that values that lie close together far from 0 keep what they have. out must not overlap a. */
    void (*f32)(float *out, size_t out_stride, const float *a, size_t a_stride, size_t rows,
                const double *mean, const float *b, size_t depth, size_t columns);
    void (*f64)(double *out, size_t out_stride, const double *a, size_t a_stride, size_t rows,
                const double *mean, const double *b, size_t depth, size_t columns);

    /* triangle += x^T x, or, if it begins, = x^T x: the upper triangle, packed row after row, n (n + 1) / 2
     * numbers. x: rows x n, at least one row. Rows are taken in runs of MILL__GRAM_RUN (the last may be
     * shorter): a run's sums are chains of fused multiply-adds from 0 in the type of x, which are then added
     * to triangle in double. So a number of rows that is split at multiples of MILL__GRAM_RUN over several
     * calls gives the same bytes as one call. work: as many bytes as mill__gram_work_nbytes says, 64-byte
     * aligned; what is in it does not matter. ahead: what is wanted next; about as many bytes of it as x
     * takes are brought into the caches meanwhile. NULL: nothing. */
    void (*gram_f32)(double *triangle, bool begins, const float *x, size_t stride, size_t rows, size_t n,
                     void *work, const void *ahead);
    void (*gram_f64)(double *triangle, bool begins, const double *x, size_t stride, size_t rows, size_t n,
                     void *work, const void *ahead);
} mill__gemm;

extern const mill__gemm mill__gemm_base;
#if defined(__x86_64__)
extern const mill__gemm mill__gemm_x86_64_v3;
extern const mill__gemm mill__gemm_x86_64_v4;
#endif

/* Those of a table's level. */
const mill__gemm *mill__gemm_get(const mill__kernels *kernels);

/* Bytes of a depth x columns matrix made ready, elements of element_nbytes (4: f32, 8: f64); SIZE_MAX when
 * that is too many. */
size_t mill__gemm_packed_nbytes(const mill__gemm *gemm, size_t element_nbytes, size_t depth, size_t columns);
/* Make it ready: b[k * row_step + j * column_step] is element (k, j). panels: 64-byte aligned. It fits the
 * gemm of the same level alone. */
void mill__gemm_pack_f32(const mill__gemm *gemm, float *panels, const double *b, size_t row_step,
                         size_t column_step, size_t depth, size_t columns);
void mill__gemm_pack_f64(const mill__gemm *gemm, double *panels, const double *b, size_t row_step,
                         size_t column_step, size_t depth, size_t columns);

/* For gram_f32 (element_nbytes 4) or gram_f64 (8); SIZE_MAX when that is too many. */
size_t mill__gram_work_nbytes(const mill__gemm *gemm, size_t element_nbytes, size_t n);

#endif
