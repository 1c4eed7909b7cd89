/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise float kernels, compiled once a level (-DMILL__LEVEL): plain loops that the compiler
 * vectorises.
 *
 * log1p computes in double and rounds once, so that its error against the exact value stays below 0.51 units
 * in the last place, and so that no level needs fused operations to be accurate:
 *
 *   log1p  1 + x = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt 2). f is x itself when k is 0, so that nothing is
 * lost near 0. log(1 + f) = 2 atanh(s) = 2 s Q(s^2), s = f / (2 + f), where Q interpolates atanh(sqrt z)/sqrt
 * z at the 5 Chebyshev nodes of [0, (3 - 2 sqrt 2)^2]: relative error 2^-37. */
#if defined(__GNUC__) && !defined(__clang__)
/* Else gcc keeps branches for the sake of the exception flags, which nobody reads, and does not vectorise
 * them. */
#pragma GCC optimize("no-trapping-math")
#endif

#include "kernel/elementwise.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

#define JOIN2(a, b)  a##_##b
#define JOIN(a, b)   JOIN2(a, b)
#define KERNEL(name) JOIN(mill__f32_##name, MILL__LEVEL)

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

void KERNEL(scale_add)(float *out, const float *in, size_t n, float scale, float add)
{
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] * scale + add;
}

void KERNEL(clip)(float *out, const float *in, size_t n, float low, float high)
{
    for (size_t i = 0; i < n; i++) {
        float x = in[i];
        x = x < low ? low : x;
        out[i] = x > high ? high : x;
    }
}

/* ---- log1p ---- */

#define LN2            0x1.62e42fefa39efp-1
#define SQRT_HALF_BITS 0x3fe6a09e667f3bcdull
#define ONE_BITS       0x3ff0000000000000ull
#define FRACTION_BITS  0x000fffffffffffffull
#define TWO52_BITS     0x4330000000000000ull

static inline double finite_log1p(double x)
{
    /* Move sqrt(1/2) to 1: then the exponent field is k + 1023, and the fraction, moved back, 1 + f. */
    uint64_t moved = bits_of(1.0 + x) + (ONE_BITS - SQRT_HALF_BITS);
    double k = double_of(moved >> 52 | TWO52_BITS) - (0x1p52 + 1023.0);
    double scaled = double_of((moved & FRACTION_BITS) + SQRT_HALF_BITS) - 1.0;
    double f = k == 0.0 ? x : scaled;
    double s = f / (2.0 + f);
    double z = s * s;
    double q = 0x1.e3a9d01c3c793p-4;
    q = q * z + 0x1.2432ec177a04cp-3;
    q = q * z + 0x1.999a9bc1d55a1p-3;
    q = q * z + 0x1.555554db6bfc6p-2;
    q = q * z + 0x1.0000000004989p+0;
    double log_f = 2.0 * s * q;
    double sum = k * LN2 + log_f;
    return k == 0.0 ? log_f : sum; /* keeps the sign of -0 */
}

void KERNEL(log1p)(float *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double x = in[i];
        double inside = finite_log1p(x);
        double beyond = x == -1.0 ? -(double)INFINITY : (double)NAN;
        inside = x < (double)INFINITY ? inside : x;
        out[i] = (float)(x > -1.0 ? inside : beyond);
    }
}

/* ---- standardize ---- */

/* n numbers, of which the first period are repeated. */
static void repeat(float *out, const float *in, size_t period, size_t n)
{
    memcpy(out, in, period * sizeof *out);
    for (size_t done = period, more; done < n; done += more) {
        more = done < n - done ? done : n - done;
        memcpy(out + done, out, more * sizeof *out);
    }
}

static void standardize_alike(float *out, const float *in, size_t n, float mean, float std)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (in[i] - mean) / std;
}

void KERNEL(standardize)(float *out, const float *in, size_t n, const float *mean, const float *std,
                         size_t period)
{
    /* Short patterns are repeated, so that the inner loop is long enough to be worth vectorising. */
    enum { ROOM = 384 };
    float means[ROOM], stds[ROOM];
    if (period == 1) {
        standardize_alike(out, in, n, *mean, *std);
        return;
    }
    if (period < ROOM / 4 && n > period) {
        size_t whole = ROOM / period * period;
        whole = whole < n ? whole : n;
        repeat(means, mean, period, whole);
        repeat(stds, std, period, whole);
        mean = means;
        std = stds;
        period = whole;
    }
    for (size_t i = 0; i < n; i += period) {
        size_t m = n - i < period ? n - i : period;
        for (size_t j = 0; j < m; j++)
            out[i + j] = (in[i + j] - mean[j]) / std[j];
    }
}
