/* SPDX-License-Identifier: Apache-2.0 */
/* bench/blas.h: the machine's BLAS, looked for when a bench runs: nothing here is linked with one. BLAS names
 * the file ("libopenblas.so.0" when it is not set). */
#ifndef MILL_BENCH_BLAS_H
#define MILL_BENCH_BLAS_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* As in every cblas.h. */
enum { BLAS_ROWS = 101, BLAS_PLAIN = 111, BLAS_TURNED = 112, BLAS_UPPER = 121 };

typedef struct blas {
    void (*sgemm)(int order, int turn_a, int turn_b, int m, int n, int k, float alpha, const float *a,
                  int lda, const float *b, int ldb, float beta, float *c, int ldc);
    void (*dgemm)(int order, int turn_a, int turn_b, int m, int n, int k, double alpha, const double *a,
                  int lda, const double *b, int ldb, double beta, double *c, int ldc);
    void (*ssyrk)(int order, int half, int turn, int n, int k, float alpha, const float *a, int lda,
                  float beta, float *c, int ldc);
    void (*dsyrk)(int order, int half, int turn, int n, int k, double alpha, const double *a, int lda,
                  double beta, double *c, int ldc);
    void (*threads)(int n); /* NULL: it has no such setting */
    const char *file, *config;
} blas;

static inline bool blas_open(blas *b)
{
    const char *file = getenv("BLAS");
    b->file = file && file[0] ? file : "libopenblas.so.0";
    void *library = dlopen(b->file, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return false;
    *(void **)&b->sgemm = dlsym(library, "cblas_sgemm");
    *(void **)&b->dgemm = dlsym(library, "cblas_dgemm");
    *(void **)&b->ssyrk = dlsym(library, "cblas_ssyrk");
    *(void **)&b->dsyrk = dlsym(library, "cblas_dsyrk");
    *(void **)&b->threads = dlsym(library, "openblas_set_num_threads");
    const char *(*config)(void);
    *(void **)&config = dlsym(library, "openblas_get_config");
    b->config = config ? config() : b->file;
    return b->sgemm && b->dgemm && b->ssyrk && b->dsyrk;
}

#endif
