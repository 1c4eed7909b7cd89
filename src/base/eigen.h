/* SPDX-License-Identifier: Apache-2.0 */
/* base/eigen.h: symmetric matrices, by LAPACK and BLAS on the calling thread, in whatever setting (number of
 * threads, ...) the program gave them; none is changed. */
#ifndef MILL_BASE_EIGEN_H
#define MILL_BASE_EIGEN_H

#include <shardmill/types.h>

/* The eigenvalues of a symmetric matrix (n x n, finite), descending, and its eigenvectors, of length 1: row c
 * of matrix becomes that of values[c]. Of a vector and its negative, the one is given whose largest element
 * is positive; among elements that differ by rounding alone the first is the largest. */
mill_status mill__eigen_symmetric(double *matrix, size_t n, double *values, mill_error *err);

/* The sum over rows r (k of them, n numbers each) of the outer products r' r: n x n, symmetric. */
mill_status mill__eigen_gram(const double *rows, size_t k, size_t n, double *gram, mill_error *err);

#endif
