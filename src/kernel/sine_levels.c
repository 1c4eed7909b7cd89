/* SPDX-License-Identifier: Apache-2.0 */
/* The sine of floats, compiled once a level (-DMILL__LEVEL): within 1.49 units in the last place of the exact
 * value for every float up to 102943, where k below is less than 2^16 (SIN_STEP=1 test_pointwise). The C
 * library does larger ones.
 *
 * x = k pi/2 + r, |r| <= pi/4, with pi/2 as the sum of three floats; k times the first of them, subtracted
 * from x, is exact (Cody and Waite, "Software Manual for the Elementary Functions", 1980). Then sin x is
 * sin r or cos r, as k is even or odd, but for its sign:
 *
 *   sin r = r + r y S(y),  cos r = 1 + y C(y),  y = r^2
 *
 * where S and C interpolate at the 4 Chebyshev nodes of [0, (pi/4)^2]. Both are a + a y P(y), so one chain of
 * fused multiply-adds serves both, with numbers that are selected. All levels do the same operations and give
 * the same bits. In double and rounded once it would be within 0.501, at half the pace. */
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

/* That many vectors at once: one does not wait for its own results meanwhile, and each constant is loaded
 * once for all of them. */
enum { VECTORS = VECTOR_NBYTES == 64 ? 4 : 2, STRIP = VECTORS * f32_lanes, TERMS = 4 };
#define EACH UNROLL for (int v = 0; v < VECTORS; v++)

/* None is negative, so that r is -0 for -0. */
#define HALF_PI_HEAD   0x1.921fb4p+0f
#define HALF_PI_MIDDLE 0x1.4442dp-24f
#define HALF_PI_TAIL   0x1.84698ap-48f
#define INV_HALF_PI    0x1.45f306p-1f
/* 3 x 2^22 + 2^16. Adding it rounds to an integer, which then stands in the low 17 bits, 2^16 added; the bits
 * above are always these, unless the integer does not fit. */
#define ROUNDER 0x1.82p23f
enum { ROUNDED = 0x4b400000, ABOVE = ~0x1ffff };

static const float sine[TERMS] = {0x1.6dbe08p-19f, -0x1.a013a8p-13f, 0x1.11110ep-7f, -0x1.555556p-3f};
static const float cosine[TERMS] = {0x1.9a6f2cp-16f, -0x1.6c0e08p-10f, 0x1.55554cp-5f, -0x1p-1f};

typedef floats anywhere __attribute__((aligned(sizeof(float)), may_alias));

/* Whether none of them is too large; those that are become nonsense. */
static inline __attribute__((always_inline)) int sines(floats x[VECTORS])
{
    floats y[VECTORS], p[VECTORS];
    floats_mask k[VECTORS], others = {0};
    floats_choice odd[VECTORS];
    EACH
    {
        const floats shifted = FMA_FLOATS(x[v], SPLAT_FLOATS(INV_HALF_PI), SPLAT_FLOATS(ROUNDER));
        const floats whole = shifted - SPLAT_FLOATS(ROUNDER);
        k[v] = (floats_mask)shifted;
        others |= k[v] ^ ROUNDED;
        odd[v] = IS_ODD(k[v]);
        x[v] = FMA_FLOATS(whole, SPLAT_FLOATS(-HALF_PI_HEAD), x[v]);
        x[v] = FMA_FLOATS(whole, SPLAT_FLOATS(-HALF_PI_MIDDLE), x[v]);
        x[v] = FMA_FLOATS(whole, SPLAT_FLOATS(-HALF_PI_TAIL), x[v]);
        y[v] = x[v] * x[v];
        p[v] = SELECT_FLOATS(odd[v], SPLAT_FLOATS(cosine[0]), SPLAT_FLOATS(sine[0]));
    }
    UNROLL
    for (int i = 1; i < TERMS; i++) {
        EACH
        {
            p[v] =
                FMA_FLOATS(p[v], y[v], SELECT_FLOATS(odd[v], SPLAT_FLOATS(cosine[i]), SPLAT_FLOATS(sine[i])));
        }
    }
    EACH
    {
        const floats a = SELECT_FLOATS(odd[v], SPLAT_FLOATS(1.0f), x[v]);
        const floats_mask made = (floats_mask)FMA_FLOATS(a * y[v], p[v], a);
        /* its sign is that of a, also where it is 0 */
        x[v] = (floats)((made | ((floats_mask)a & INT32_MIN)) ^ (k[v] << 30 & INT32_MIN));
    }
    return !HAS_BITS(others, ABOVE);
}

static inline __attribute__((always_inline)) int load_and_do(floats x[VECTORS], const float *in)
{
    EACH
    {
        x[v] = *(const anywhere *)(in + v * f32_lanes);
    }
    return sines(x);
}

static inline __attribute__((always_inline)) void store(float *out, const floats x[VECTORS])
{
    EACH
    {
        *(anywhere *)(out + v * f32_lanes) = x[v];
    }
}

/* Strips of n elements, as far as they are whole and none in them is too large; how many elements that are.
 * Apart from all that calls functions, so that the constants stay in registers. */
static __attribute__((noinline)) size_t small_sines(float *out, const float *in, size_t n)
{
    size_t i = 0;
    floats x[VECTORS];
    for (; i + STRIP <= n && load_and_do(x, in + i); i += STRIP)
        store(out + i, x);
    return i;
}

/* As sines() has it. */
static inline int is_large(float x)
{
    float shifted = fmaf(x, INV_HALF_PI, ROUNDER);
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return ((bits ^ ROUNDED) & ABOVE) != 0;
}

/* A strip or less. */
static void any_sines(float *out, const float *in, size_t n)
{
    float kept[STRIP] = {0}, made[STRIP];
    floats x[VECTORS];
    memcpy(kept, in, n * sizeof *kept);
    load_and_do(x, kept);
    store(made, x);
    for (size_t i = 0; i < n; i++)
        out[i] = is_large(kept[i]) ? (float)sin((double)kept[i]) : made[i];
}

void JOIN(mill__f32_sin, MILL__LEVEL)(float *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n;) {
        i += small_sines(out + i, in + i, n - i);
        const size_t m = n - i < STRIP ? n - i : STRIP;
        if (m)
            any_sines(out + i, in + i, m);
        i += m;
    }
}
