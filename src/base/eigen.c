/* SPDX-License-Identifier: Apache-2.0 */
/* LAPACK's dsyevd (divide and conquer) and BLAS's dsyrk, out of OpenBLAS, which is loaded when it is first
 * needed: a program that links it gets its threads when it starts, and its BLAS in place of another one that
 * the program may have, and a training job wants neither. They are called by their Fortran names, which every
 * build has; LAPACKE, where it is there at all, prints when it runs out of memory. Matrices are by columns
 * there: a row here is a column there, and a symmetric matrix is the same either way. */
#include "base/eigen.h"
#include "base/error.h"
#include <dlfcn.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

/* Behind the arguments come the lengths of those that are text, as gfortran passes them. */
typedef void dsyevd_fn(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w,
                       double *work, const int *lwork, int *iwork, const int *liwork, int *info,
                       size_t jobz_length, size_t uplo_length);
typedef void dsyrk_fn(const char *uplo, const char *trans, const int *n, const int *k, const double *alpha,
                      const double *a, const int *lda, const double *beta, double *c, const int *ldc,
                      size_t uplo_length, size_t trans_length);

/* It stays loaded: its threads could not be unloaded safely. */
static mill_status find(const char *name, void **function, mill_error *err)
{
    void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    *function = library ? dlsym(library, name) : NULL;
    if (!*function)
        return mill_fail(err, MILL_IO, "openblas",
                         "OpenBLAS, which does the linear algebra, is needed: %.300s", dlerror());
    return MILL_OK;
}

/* C does not turn the one kind of pointer into the other; POSIX lets both be the same bytes. */
typedef union dsyevd_pointer {
    void *found;
    dsyevd_fn *call;
} dsyevd_pointer;

typedef union dsyrk_pointer {
    void *found;
    dsyrk_fn *call;
} dsyrk_pointer;

static int solve(dsyevd_fn *dsyevd, double *matrix, int n, double *values, double *work, int lwork,
                 int *iwork, int liwork)
{
    int info = 0;
    dsyevd("V", "L", &n, matrix, &n, values, work, &lwork, iwork, &liwork, &info, 1, 1);
    return info;
}

static mill_status solve_with_room(double *matrix, int n, double *values, mill_error *err)
{
    double lwork = 0;
    int liwork = 0;
    dsyevd_pointer dsyevd;
    mill_status status = find("dsyevd_", &dsyevd.found, err);
    if (status)
        return status;
    if (solve(dsyevd.call, matrix, n, values, &lwork, -1, &liwork, -1) || lwork > INT_MAX)
        return mill_fail(err, MILL_INTERNAL, "lapack", "dsyevd has no work space for %d features", n);
    double *work = malloc((size_t)lwork * sizeof *work);
    int *iwork = malloc((size_t)liwork * sizeof *iwork);
    int info = work && iwork ? solve(dsyevd.call, matrix, n, values, work, (int)lwork, iwork, liwork) : 0;
    if (!work || !iwork)
        status = mill__no_memory(err, (size_t)lwork * sizeof *work, "the eigenvectors");
    else if (info)
        status = mill_fail(err, MILL_INTERNAL, "lapack", "dsyevd found no eigenvectors (info %d)", info);
    free(work);
    free(iwork);
    return status;
}

static void swap(double *a, double *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

static void fix_sign(double *vector, size_t n)
{
    double most = 0;
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(vector[i]));
    while (at + 1 < n && fabs(vector[at]) < most * (1 - 1e-6))
        at++;
    for (size_t i = 0; i < n && vector[at] < 0; i++)
        if (i != at)
            vector[i] = -vector[i];
    vector[at] = fabs(vector[at]);
}

mill_status mill__eigen_symmetric(double *matrix, size_t n, double *values, mill_error *err)
{
    mill_status status = n && n <= 32768 ? solve_with_room(matrix, (int)n, values, err)
                                         : mill_fail(err, MILL_LIMIT, "limit", "%zu features", n);
    for (size_t c = 0; c < n / 2 && !status; c++) { /* they ascend there */
        swap(values + c, values + n - 1 - c, 1);
        swap(matrix + c * n, matrix + (n - 1 - c) * n, n);
    }
    for (size_t c = 0; c < n && !status; c++)
        fix_sign(matrix + c * n, n);
    return status;
}

mill_status mill__eigen_gram(const double *rows, size_t k, size_t n, double *gram, mill_error *err)
{
    dsyrk_pointer dsyrk;
    mill_status status = find("dsyrk_", &dsyrk.found, err);
    if (status)
        return status;
    const double one = 1, zero = 0;
    const int columns = (int)n, sums = (int)k;
    dsyrk.call("L", "N", &columns, &sums, &one, rows, &columns, &zero, gram, &columns, 1, 1);
    for (size_t i = 0; i < n; i++) /* "L" there are the elements right of the diagonal here */
        for (size_t j = i + 1; j < n; j++)
            gram[j * n + i] = gram[i * n + j];
    return MILL_OK;
}
