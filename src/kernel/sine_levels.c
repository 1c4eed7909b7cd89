/* SPDX-License-Identifier: Apache-2.0 */
/* The sine of floats, compiled once a level (-DMILL__LEVEL). It computes in double and rounds once: within
 * 0.501 units in the last place of the exact value.
 *
 * x = k pi + r, |r| <= pi/2, with pi as the sum of two doubles. Then sin x = (-1)^k r P(r^2), where P
 * interpolates sin(sqrt y)/sqrt y at the 6 Chebyshev nodes of [0, (pi/2)^2]: relative error 2^-35.
 *
 * Levels with fused multiply-add use it; the one without computes the same formula unfused, with pi cut so
 * that k * PI_HEAD is exact (Cody and Waite, "Software Manual for the Elementary Functions", 1980). The
 * doubles differ in their last bits, the floats that they are rounded to do not: both forms were compared for
 * every float up to MILL__SIN_LIMIT. So whoever changes a constant or the order of operations here must
 * compare them all again; the unit test takes a sample. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-trapping-math") /* as in elementwise_levels.c */
#endif

#include "kernel/elementwise.h"
#include "kernel/vector.h"
#include <math.h>
#include <string.h>

#define JOIN2(a, b) a##_##b
#define JOIN(a, b)  JOIN2(a, b)

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

enum { BLOCK = 1024 };

#define PI     0x1.921fb54442d18p+1
#define PI_LOW 0x1.1a62633145c07p-53
#define INV_PI 0x1.45f306dc9c883p-2
/* Adding it rounds to an integer, which then stands in the low bits. */
#define ROUNDER 0x1.8p52
#define P0      0x1.ffffffffda6fcp-1
#define P1      -0x1.55555544342aap-3
#define P2      0x1.11110c0012778p-7
#define P3      -0x1.a017cff2b18bfp-13
#define P4      0x1.71701ad1427a6p-19
#define P5      -0x1.9a69d74273848p-26

#if MILL__FUSED

#define VECTORS 4
#define INLINED static inline __attribute__((always_inline))
#define EACH    UNROLL for (int v = 0; v < VECTORS; v++)

/* That many vectors at once: one does not wait for its own results meanwhile, and each constant is loaded
 * once for all of them. */
INLINED void fused_sines(doubles x[VECTORS])
{
    const double coefficients[] = {P4, P3, P2, P1, P0};
    const doubles rounder = SPLAT_DOUBLES(ROUNDER);
    doubles shifted[VECTORS], y[VECTORS], p[VECTORS];
    EACH
    {
        shifted[v] = FMA_DOUBLES(x[v], SPLAT_DOUBLES(INV_PI), rounder);
        const doubles k = shifted[v] - rounder;
        x[v] = FMA_DOUBLES(k, SPLAT_DOUBLES(-PI), x[v]);
        x[v] = FMA_DOUBLES(k, SPLAT_DOUBLES(-PI_LOW), x[v]);
        y[v] = x[v] * x[v];
        p[v] = SPLAT_DOUBLES(P5);
    }
    UNROLL
    for (int i = 0; i < 5; i++) {
        EACH
        {
            p[v] = FMA_DOUBLES(p[v], y[v], SPLAT_DOUBLES(coefficients[i]));
        }
    }
    EACH
    {
        x[v] = (doubles)((doubles_mask)(x[v] * p[v]) ^ (doubles_mask)shifted[v] << 63);
    }
}

enum { STRIP = VECTORS * f64_lanes };

typedef half_floats anywhere __attribute__((aligned(sizeof(float)), may_alias));

INLINED void strip(float *out, const float *in)
{
    doubles x[VECTORS];
    EACH
    {
        x[v] = WIDEN(*(const anywhere *)(in + v * f64_lanes));
    }
    fused_sines(x);
    EACH
    {
        *(anywhere *)(out + v * f64_lanes) = NARROW(x[v]);
    }
}

static void small_sines(float *out, const float *in, size_t n)
{
    size_t i = 0;
    for (; i + STRIP <= n; i += STRIP)
        strip(out + i, in + i);
    if (i < n) {
        float rest[STRIP] = {0};
        memcpy(rest, in + i, (n - i) * sizeof *rest);
        strip(rest, rest);
        memcpy(out + i, rest, (n - i) * sizeof *rest);
    }
}

#else

#define PI_HEAD 0x1.921fb544p+1 /* 33 bits: exact times any k below 2^20 */
#define PI_TAIL 0x1.0b4611a626331p-33

static inline uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline double unfused_sine(double x)
{
    double shifted = x * INV_PI + ROUNDER;
    double k = shifted - ROUNDER;
    double r = (x - k * PI_HEAD) - k * PI_TAIL;
    double y = r * r;
    double p = P5 * y + P4;
    p = p * y + P3;
    p = p * y + P2;
    p = p * y + P1;
    p = p * y + P0;
    return double_of(bits_of(r * p) ^ bits_of(shifted) << 63);
}

static void small_sines(float *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)unfused_sine(in[i]);
}

#endif

/* Ordered as the magnitudes are; what is not a number comes last. */
static inline int32_t magnitude(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & INT32_MAX;
}

static int32_t largest_magnitude(const float *in, size_t n)
{
    int32_t largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = magnitude(in[i]) > largest ? magnitude(in[i]) : largest;
    return largest;
}

void JOIN(mill__f32_sin, MILL__LEVEL)(float *out, const float *in, size_t n)
{
    float kept[BLOCK]; /* out may be in */
    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t m = n - i < BLOCK ? n - i : BLOCK;
        const int large = largest_magnitude(in + i, m) > magnitude(MILL__SIN_LIMIT);
        if (large)
            memcpy(kept, in + i, m * sizeof *kept);
        small_sines(out + i, in + i, m);
        for (size_t j = 0; large && j < m; j++)
            if (magnitude(kept[j]) > magnitude(MILL__SIN_LIMIT))
                out[i + j] = (float)sin((double)kept[j]);
    }
}
