/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices, compiled once a level (-DMILL__LEVEL). The template gemm_tile.h is taken twice: for
 * floats and for doubles. */
#include "kernel/gemm.h"
#include "kernel/vector.h"
#include <string.h>

#define JOIN2(a, b) a##_##b
#define JOIN(a, b)  JOIN2(a, b)

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__AVX512F__)
#define ROWS      14 /* 28 of 32 registers are sums */
#define GRAM_ROWS 8  /* 24 of 32 */
#elif defined(__FMA__)
#define ROWS      6 /* 12 of 16 */
#define GRAM_ROWS 4 /* 12 of 16 */
#else
#define ROWS      8
#define GRAM_ROWS 4
#endif
#define GRAM_VECTORS 3

static inline floats clean_floats(floats x)
{
    const floats_mask bad = x != x; /* NOLINT(misc-redundant-expression) */
    return (floats)(((floats_mask)x & ~bad) | (bad & 0x7fc00000));
}

static inline doubles clean_doubles(doubles x)
{
    const doubles_mask bad = x != x; /* NOLINT(misc-redundant-expression) */
    return (doubles)(((doubles_mask)x & ~bad) | (bad & 0x7ff8000000000000));
}

#define REAL    float
#define NAME(x) f32_##x
#define VECTOR  floats
#define FMA     FMA_FLOATS
#define SPLAT   SPLAT_FLOATS
#define CLEAN   clean_floats
#include "kernel/gemm_tile.h"
#undef REAL
#undef NAME
#undef VECTOR
#undef FMA
#undef SPLAT
#undef CLEAN

#define REAL    double
#define NAME(x) f64_##x
#define VECTOR  doubles
#define FMA     FMA_DOUBLES
#define SPLAT   SPLAT_DOUBLES
#define CLEAN   clean_doubles
#include "kernel/gemm_tile.h"

const mill__gemm JOIN(mill__gemm, MILL__LEVEL) = {.f32_panel = f32_panel,
                                                  .f64_panel = f64_panel,
                                                  .f32 = f32_multiply,
                                                  .f64 = f64_multiply,
                                                  .gram_f32 = f32_gram,
                                                  .gram_f64 = f64_gram};
