/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions between dtypes, compiled once a level (-DMILL__LEVEL): plain loops that the compiler
 * vectorises.
 *
 * Twelve dtypes make 144 pairs; instead of that many loops there are three intermediate types, each chosen so
 * that the way to it loses nothing: int64 between integers, float from what a float holds exactly, double
 * from the rest. Where double cannot hold a 64-bit integer it is rounded to odd, after which the second
 * rounding, to a shorter float, comes out as a single one would (Boldo and Melquiond, "Emulation of a FMA and
 * correctly rounded sums: proved algorithms using rounding to odd", IEEE Trans. Computers, 2008). */
#if defined(__GNUC__) && !defined(__clang__)
/* Else gcc keeps branches for the sake of the exception flags, which nobody reads, and does not vectorise
 * them. */
#pragma GCC optimize("no-trapping-math")
#endif

#include "kernel/convert.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define JOIN2(a, b) a##_##b
#define JOIN(a, b)  JOIN2(a, b)

enum { BLOCK = 512 };

static inline uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ---- half precision ---- */

/* The 15 bits under the sign, put where a float has them, are a value too small by 2^112: the difference of
 * the exponents' biases. The product is exact, subnormals included. */
static inline float from_f16(uint16_t h)
{
    uint32_t rest = (uint32_t)(h & 0x7fff) << 13;
    uint32_t bits = bits_of(float_of(rest) * 0x1p112f);
    bits = (h & 0x7fff) >= 0x7c00 ? rest | 0x7f800000 : bits;
    return float_of(bits | (uint32_t)(h & 0x8000) << 16);
}

static inline uint16_t to_f16(float x)
{
    uint32_t sign = bits_of(x) >> 16 & 0x8000, rest = bits_of(x) & 0x7fffffff;
    /* Normal: move the bias (112 less), then round away 13 bits; a carry may reach infinity, as it should. */
    uint32_t normal = (rest - (112u << 23) + 0xfff + (rest >> 13 & 1)) >> 13;
    /* Below 2^-14 the unit is 2^-24, that of floats in [0.5, 1): let the addition round. */
    uint32_t subnormal = bits_of(float_of(rest) + 0.5f) - bits_of(0.5f);
    uint32_t special = rest > 0x7f800000 ? 0x7e00 | (rest >> 13 & 0x3ff) : 0x7c00;
    uint32_t h = rest < 113u << 23 ? subnormal : normal;
    h = rest >= 143u << 23 ? special : h; /* 65536 and more */
    return (uint16_t)(sign | h);
}

static inline float from_bf16(uint16_t h)
{
    return float_of((uint32_t)h << 16);
}

static inline uint16_t to_bf16(float x)
{
    uint32_t bits = bits_of(x);
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? bits >> 16 | 0x40 : rounded);
}

/* To float, rounded to odd: toward zero, and the last bit set if that lost anything. */
static inline float to_odd(double x)
{
    float nearest = (float)x;
    uint32_t bits = bits_of(nearest);
    uint32_t toward_zero = bits - (fabs((double)nearest) > fabs(x));
    return x == x && (double)nearest != x ? float_of(toward_zero | 1) : nearest;
}

/* An integer whose double is exact: of those beyond 53 bits the last 11 go, a lost one marked in bit 11. */
static inline int64_t odd_i64(int64_t x)
{
    bool wide = x > (INT64_C(1) << 53) || x < -(INT64_C(1) << 53);
    int64_t cut = x & ~INT64_C(0x7ff);
    return wide && cut != x ? cut | 0x800 : x;
}

static inline uint64_t odd_u64(uint64_t x)
{
    uint64_t cut = x & ~UINT64_C(0x7ff);
    return x > (UINT64_C(1) << 53) && cut != x ? cut | 0x800 : x;
}

/* ---- to an integer ---- */

/* Adding and subtracting rounds to the nearest integer; the sum is exact to one for the ranges in question.
 */
static inline float round_clip_f32(float x, float low, float high)
{
    x = x == x ? x : 0.0f;
    x = x < low ? low : x;
    x = x > high ? high : x;
    return (x + 0x1.8p23f) - 0x1.8p23f;
}

static inline double round_clip_f64(double x, double low, double high)
{
    x = x == x ? x : 0.0;
    x = x < low ? low : x;
    x = x > high ? high : x;
    return (x + 0x1.8p52) - 0x1.8p52;
}

static inline int64_t to_i64(double x)
{
    if (!(x == x))
        return 0;
    return x >= 0x1p63 ? INT64_MAX : x < -0x1p63 ? INT64_MIN : (int64_t)rint(x);
}

static inline uint64_t to_u64(double x)
{
    return x >= 0x1p64 ? UINT64_MAX : x > 0 ? (uint64_t)rint(x) : 0;
}

static inline int64_t clip_i64(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* ---- loops ---- */

/* A loop from in_type to out_type; x is the element. */
#define LOOP(name, out_type, in_type, expression)                                                            \
    static void name(void *restrict to, const void *restrict from, size_t n)                                 \
    {                                                                                                        \
        __typeof__(out_type) *out = to;                                                                      \
        const __typeof__(in_type) *in = from;                                                                \
        for (size_t i = 0; i < n; i++) {                                                                     \
            __typeof__(in_type) x = in[i];                                                                   \
            out[i] = (out_type)(expression);                                                                 \
        }                                                                                                    \
    }

typedef void loop(void *restrict to, const void *restrict from, size_t n);

LOOP(u8_to_i64, int64_t, uint8_t, x)
LOOP(i8_to_i64, int64_t, int8_t, x)
LOOP(u16_to_i64, int64_t, uint16_t, x)
LOOP(i16_to_i64, int64_t, int16_t, x)
LOOP(u32_to_i64, int64_t, uint32_t, x)
LOOP(i32_to_i64, int64_t, int32_t, x)
LOOP(u64_to_i64, int64_t, uint64_t, x > INT64_MAX ? INT64_MAX : (int64_t)x)
LOOP(i64_to_i64, int64_t, int64_t, x)
static loop *const to_int[] = {[MILL_U8] = u8_to_i64,   [MILL_I8] = i8_to_i64,   [MILL_U16] = u16_to_i64,
                               [MILL_I16] = i16_to_i64, [MILL_U32] = u32_to_i64, [MILL_I32] = i32_to_i64,
                               [MILL_U64] = u64_to_i64, [MILL_I64] = i64_to_i64, [MILL_F64] = NULL};

LOOP(i64_to_u8, uint8_t, int64_t, clip_i64(x, 0, UINT8_MAX))
LOOP(i64_to_i8, int8_t, int64_t, clip_i64(x, INT8_MIN, INT8_MAX))
LOOP(i64_to_u16, uint16_t, int64_t, clip_i64(x, 0, UINT16_MAX))
LOOP(i64_to_i16, int16_t, int64_t, clip_i64(x, INT16_MIN, INT16_MAX))
LOOP(i64_to_u32, uint32_t, int64_t, clip_i64(x, 0, UINT32_MAX))
LOOP(i64_to_i32, int32_t, int64_t, clip_i64(x, INT32_MIN, INT32_MAX))
LOOP(i64_to_u64, uint64_t, int64_t, clip_i64(x, 0, INT64_MAX))
static loop *const from_int[] = {
    [MILL_U8] = i64_to_u8,   [MILL_I8] = i64_to_i8,   [MILL_U16] = i64_to_u16, [MILL_I16] = i64_to_i16,
    [MILL_U32] = i64_to_u32, [MILL_I32] = i64_to_i32, [MILL_U64] = i64_to_u64, [MILL_I64] = i64_to_i64};

LOOP(u8_to_f32, float, uint8_t, x)
LOOP(i8_to_f32, float, int8_t, x)
LOOP(u16_to_f32, float, uint16_t, x)
LOOP(i16_to_f32, float, int16_t, x)
LOOP(f16_to_f32, float, uint16_t, from_f16(x))
LOOP(bf16_to_f32, float, uint16_t, from_bf16(x))
LOOP(f32_to_f32, float, float, x)
static loop *const to_float[] = {
    [MILL_U8] = u8_to_f32,   [MILL_I8] = i8_to_f32,     [MILL_U16] = u16_to_f32, [MILL_I16] = i16_to_f32,
    [MILL_F16] = f16_to_f32, [MILL_BF16] = bf16_to_f32, [MILL_F32] = f32_to_f32, [MILL_F64] = NULL};

LOOP(f32_to_u8, uint8_t, float, round_clip_f32(x, 0, UINT8_MAX))
LOOP(f32_to_i8, int8_t, float, round_clip_f32(x, INT8_MIN, INT8_MAX))
LOOP(f32_to_u16, uint16_t, float, round_clip_f32(x, 0, UINT16_MAX))
LOOP(f32_to_i16, int16_t, float, round_clip_f32(x, INT16_MIN, INT16_MAX))
LOOP(f32_to_u32, uint32_t, float, (int64_t)round_clip_f64(x, 0, UINT32_MAX))
LOOP(f32_to_i32, int32_t, float, round_clip_f64(x, INT32_MIN, INT32_MAX))
LOOP(f32_to_u64, uint64_t, float, to_u64(x))
LOOP(f32_to_i64, int64_t, float, to_i64(x))
LOOP(f32_to_f16, uint16_t, float, to_f16(x))
LOOP(f32_to_bf16, uint16_t, float, to_bf16(x))
LOOP(f32_to_f64, double, float, x)
static loop *const from_float[] = {
    [MILL_U8] = f32_to_u8,   [MILL_I8] = f32_to_i8,     [MILL_U16] = f32_to_u16, [MILL_I16] = f32_to_i16,
    [MILL_U32] = f32_to_u32, [MILL_I32] = f32_to_i32,   [MILL_U64] = f32_to_u64, [MILL_I64] = f32_to_i64,
    [MILL_F16] = f32_to_f16, [MILL_BF16] = f32_to_bf16, [MILL_F32] = f32_to_f32, [MILL_F64] = f32_to_f64};

LOOP(u32_to_f64, double, uint32_t, x)
LOOP(i32_to_f64, double, int32_t, x)
LOOP(u64_to_f64, double, uint64_t, x)
LOOP(i64_to_f64, double, int64_t, x)
LOOP(u64_to_odd, double, uint64_t, odd_u64(x))
LOOP(i64_to_odd, double, int64_t, odd_i64(x))
LOOP(f64_to_f64, double, double, x)
static loop *const to_double[] = {[MILL_U32] = u32_to_f64,
                                  [MILL_I32] = i32_to_f64,
                                  [MILL_U64] = u64_to_odd,
                                  [MILL_I64] = i64_to_odd,
                                  [MILL_F64] = f64_to_f64};

LOOP(f64_to_u8, uint8_t, double, round_clip_f64(x, 0, UINT8_MAX))
LOOP(f64_to_i8, int8_t, double, round_clip_f64(x, INT8_MIN, INT8_MAX))
LOOP(f64_to_u16, uint16_t, double, round_clip_f64(x, 0, UINT16_MAX))
LOOP(f64_to_i16, int16_t, double, round_clip_f64(x, INT16_MIN, INT16_MAX))
LOOP(f64_to_u32, uint32_t, double, (int64_t)round_clip_f64(x, 0, UINT32_MAX))
LOOP(f64_to_i32, int32_t, double, round_clip_f64(x, INT32_MIN, INT32_MAX))
LOOP(f64_to_u64, uint64_t, double, to_u64(x))
LOOP(f64_to_i64, int64_t, double, to_i64(x))
LOOP(f64_to_f16, uint16_t, double, to_f16(to_odd(x)))
LOOP(f64_to_bf16, uint16_t, double, to_bf16(to_odd(x)))
LOOP(f64_to_f32, float, double, x)
static loop *const from_double[] = {
    [MILL_U8] = f64_to_u8,   [MILL_I8] = f64_to_i8,     [MILL_U16] = f64_to_u16, [MILL_I16] = f64_to_i16,
    [MILL_U32] = f64_to_u32, [MILL_I32] = f64_to_i32,   [MILL_U64] = f64_to_u64, [MILL_I64] = f64_to_i64,
    [MILL_F16] = f64_to_f16, [MILL_BF16] = f64_to_bf16, [MILL_F32] = f64_to_f32, [MILL_F64] = f64_to_f64};

static loop *first_half(mill_dtype out, mill_dtype in)
{
    if (out == MILL_F64 && in == MILL_I64)
        return i64_to_f64;
    return out == MILL_F64 && in == MILL_U64 ? u64_to_f64 : to_double[in];
}

void JOIN(mill__convert, MILL__LEVEL)(void *out, mill_dtype out_dtype, const void *in, mill_dtype in_dtype,
                                      size_t n)
{
    size_t out_nbytes = mill_dtype_nbytes(out_dtype), in_nbytes = mill_dtype_nbytes(in_dtype);
    if (out_dtype == in_dtype) {
        if (out != in)
            memcpy(out, in, n * in_nbytes);
        return;
    }
    bool integers = to_int[in_dtype] && out_dtype <= MILL_I64;
    loop *load = integers ? to_int[in_dtype] : to_float[in_dtype];
    loop *store = integers ? from_int[out_dtype] : from_float[out_dtype];
    if (!load) {
        load = first_half(out_dtype, in_dtype);
        store = from_double[out_dtype];
    }
    _Alignas(64) unsigned char between[BLOCK * sizeof(double)];
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t m = n - i < BLOCK ? n - i : BLOCK;
        load(between, (const char *)in + i * in_nbytes, m);
        store((char *)out + i * out_nbytes, between, m);
    }
}
