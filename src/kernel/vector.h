/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/vector.h: the widest vectors of the level that a *_levels.c file is compiled for, and x * y + z
 * rounded once on them: in hardware where the level has it (MILL__FUSED), else in the C library; the same
 * bits. */
#ifndef MILL_KERNEL_VECTOR_H
#define MILL_KERNEL_VECTOR_H

#include <stdint.h>
#if defined(__FMA__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#else
#include <math.h>
#endif

#if defined(__FMA__) || defined(__aarch64__)
#define MILL__FUSED 1
#else
#define MILL__FUSED 0
#endif

#if defined(__AVX512F__)
enum { VECTOR_NBYTES = 64 };
#elif defined(__FMA__)
enum { VECTOR_NBYTES = 32 };
#else
enum { VECTOR_NBYTES = 16 };
#endif
enum { f32_lanes = VECTOR_NBYTES / sizeof(float), f64_lanes = VECTOR_NBYTES / sizeof(double) };

typedef float floats __attribute__((vector_size(VECTOR_NBYTES)));
typedef double doubles __attribute__((vector_size(VECTOR_NBYTES)));
typedef int32_t floats_mask __attribute__((vector_size(VECTOR_NBYTES)));
#if defined(__AVX512F__)
typedef __mmask16 floats_choice;
#else
typedef floats_mask floats_choice;
#endif
typedef int64_t doubles_mask __attribute__((vector_size(VECTOR_NBYTES)));

/* SELECT_FLOATS: x where the choice is so, y elsewhere. HAS_BITS: whether any lane has any of the bits.
 * FMA_*, not x * y + z: whether a compiler fuses that is its own choice. */
#if defined(__AVX512F__)
#define FMA_FLOATS(x, y, z)         ((floats)_mm512_fmadd_ps((__m512)(x), (__m512)(y), (__m512)(z)))
#define FMA_DOUBLES(x, y, z)        ((doubles)_mm512_fmadd_pd((__m512d)(x), (__m512d)(y), (__m512d)(z)))
#define SPLAT_FLOATS(x)             ((floats)_mm512_set1_ps(x))
#define IS_ODD(x)                   _mm512_test_epi32_mask((__m512i)(x), _mm512_set1_epi32(1))
#define SELECT_FLOATS(choice, x, y) ((floats)_mm512_mask_blend_ps(choice, (__m512)(y), (__m512)(x)))
#define HAS_BITS(x, bits)           (_mm512_test_epi32_mask((__m512i)(x), _mm512_set1_epi32(bits)) != 0)
#define SPLAT_DOUBLES(x)            ((doubles)_mm512_set1_pd(x))
#elif defined(__FMA__)
#define FMA_FLOATS(x, y, z)         ((floats)_mm256_fmadd_ps((__m256)(x), (__m256)(y), (__m256)(z)))
#define FMA_DOUBLES(x, y, z)        ((doubles)_mm256_fmadd_pd((__m256d)(x), (__m256d)(y), (__m256d)(z)))
#define SPLAT_FLOATS(x)             ((floats)_mm256_set1_ps(x))
#define IS_ODD(x)                   (-((floats_mask)(x)&1))
#define SELECT_FLOATS(choice, x, y) ((floats)_mm256_blendv_ps((__m256)(y), (__m256)(x), (__m256)(choice)))
#define HAS_BITS(x, bits)           (!_mm256_testz_si256((__m256i)(x), _mm256_set1_epi32(bits)))
#define SPLAT_DOUBLES(x)            ((doubles)_mm256_set1_pd(x))
#elif defined(__aarch64__)
#define FMA_FLOATS(x, y, z)  ((floats)vfmaq_f32((float32x4_t)(z), (float32x4_t)(x), (float32x4_t)(y)))
#define FMA_DOUBLES(x, y, z) ((doubles)vfmaq_f64((float64x2_t)(z), (float64x2_t)(x), (float64x2_t)(y)))
#define SPLAT_FLOATS(x)      ((floats)vdupq_n_f32(x))
#define IS_ODD(x)            (-((floats_mask)(x)&1))
#define SELECT_FLOATS(choice, x, y)                                                                          \
    ((floats)vbslq_f32((uint32x4_t)(choice), (float32x4_t)(x), (float32x4_t)(y)))
#define HAS_BITS(x, bits) (vmaxvq_u32((uint32x4_t)((x) & (bits))) != 0)
#define SPLAT_DOUBLES(x)  ((doubles)vdupq_n_f64(x))
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
static inline int HAS_BITS(floats_mask x, int32_t bits)
{
    return ((x[0] | x[1] | x[2] | x[3]) & bits) != 0;
}
#define IS_ODD(x)                   (-((floats_mask)(x)&1))
#define SELECT_FLOATS(choice, x, y) ((floats)(((choice) & (floats_mask)(x)) | (~(choice) & (floats_mask)(y))))
#define SPLAT_FLOATS(x)             ((floats){x, x, x, x})
#define SPLAT_DOUBLES(x)            ((doubles){x, x})
#endif

#endif
