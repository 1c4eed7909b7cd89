/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices, compiled once a level (-DMILL__LEVEL). The template gemm_tile.h is taken twice: for
 * floats and for doubles. */
#include "kernel/gemm.h"
#include <math.h>
#include <string.h>
#if defined(__FMA__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define JOIN2(a, b) a##_##b
#define JOIN(a, b)  JOIN2(a, b)

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__AVX512F__)
enum { VECTOR_NBYTES = 64 };
#define ROWS      14 /* 28 of 32 registers are sums */
#define GRAM_ROWS 8  /* 24 of 32 */
#elif defined(__FMA__)
enum { VECTOR_NBYTES = 32 };
#define ROWS      6 /* 12 of 16 */
#define GRAM_ROWS 4 /* 12 of 16 */
#else
enum { VECTOR_NBYTES = 16 };
#define ROWS      8
#define GRAM_ROWS 4
#endif
#define GRAM_VECTORS 3
enum { f32_lanes = VECTOR_NBYTES / sizeof(float), f64_lanes = VECTOR_NBYTES / sizeof(double) };

typedef float floats __attribute__((vector_size(VECTOR_NBYTES)));
typedef double doubles __attribute__((vector_size(VECTOR_NBYTES)));
typedef int32_t floats_mask __attribute__((vector_size(VECTOR_NBYTES)));
typedef int64_t doubles_mask __attribute__((vector_size(VECTOR_NBYTES)));

/* Not x * y + z: whether a compiler fuses that is its own choice. */
#if defined(__AVX512F__)
#define FMA_FLOATS(x, y, z)  ((floats)_mm512_fmadd_ps((__m512)(x), (__m512)(y), (__m512)(z)))
#define FMA_DOUBLES(x, y, z) ((doubles)_mm512_fmadd_pd((__m512d)(x), (__m512d)(y), (__m512d)(z)))
#define SPLAT_FLOATS(x)      ((floats)_mm512_set1_ps(x))
#define SPLAT_DOUBLES(x)     ((doubles)_mm512_set1_pd(x))
#elif defined(__FMA__)
#define FMA_FLOATS(x, y, z)  ((floats)_mm256_fmadd_ps((__m256)(x), (__m256)(y), (__m256)(z)))
#define FMA_DOUBLES(x, y, z) ((doubles)_mm256_fmadd_pd((__m256d)(x), (__m256d)(y), (__m256d)(z)))
#define SPLAT_FLOATS(x)      ((floats)_mm256_set1_ps(x))
#define SPLAT_DOUBLES(x)     ((doubles)_mm256_set1_pd(x))
#elif defined(__aarch64__)
#define FMA_FLOATS(x, y, z)  ((floats)vfmaq_f32((float32x4_t)(z), (float32x4_t)(x), (float32x4_t)(y)))
#define FMA_DOUBLES(x, y, z) ((doubles)vfmaq_f64((float64x2_t)(z), (float64x2_t)(x), (float64x2_t)(y)))
#define SPLAT_FLOATS(x)      ((floats)vdupq_n_f32(x))
#define SPLAT_DOUBLES(x)     ((doubles)vdupq_n_f64(x))
#else
static inline floats FMA_FLOATS(floats x, floats y, floats z)
{
    return (floats){fmaf(x[0], y[0], z[0]), fmaf(x[1], y[1], z[1]), fmaf(x[2], y[2], z[2]),
                    fmaf(x[3], y[3], z[3])};
}
static inline doubles FMA_DOUBLES(doubles x, doubles y, doubles z)
{
    return (doubles){fma(x[0], y[0], z[0]), fma(x[1], y[1], z[1])};
}
#define SPLAT_FLOATS(x)  ((floats){x, x, x, x})
#define SPLAT_DOUBLES(x) ((doubles){x, x})
#endif

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
