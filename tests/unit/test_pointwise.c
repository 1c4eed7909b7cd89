/* SPDX-License-Identifier: Apache-2.0 */
/* The element-wise transforms and layout against naive references. */
#include "base/memory.h"
#include "kernel/convert.h"
#include "kernel/elementwise.h"
#include "registry.h"
#include "transform/context.h"
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ck_assert tells the parent process of every check: too slow for millions. */
#define EXPECT_MSG(condition, ...) ((condition) ? (void)0 : ck_abort_msg(__VA_ARGS__))
#define EXPECT(condition)          EXPECT_MSG(condition, "%s", #condition)

/* ---- random input ---- */

static uint64_t seed = 42;

static uint32_t random_u32(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 32);
}

static int64_t random_below(int64_t n)
{
    return (int64_t)(random_u32() % (uint64_t)n);
}

static void random_bytes(void *data, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++)
        ((uint8_t *)data)[i] = (uint8_t)random_u32();
}

/* ---- values as numbers, one at a time ---- */

static long double decode_binary(unsigned bits, int exponent_bits, int fraction_bits)
{
    unsigned fraction = bits & ((1u << fraction_bits) - 1);
    int exponent = (int)(bits >> fraction_bits & ((1u << exponent_bits) - 1));
    int bias = (1 << (exponent_bits - 1)) - 1;
    long double sign = bits >> 15 ? -1 : 1;
    if (exponent == (1 << exponent_bits) - 1)
        return fraction ? (long double)NAN : sign * (long double)INFINITY;
    if (!exponent)
        return sign * ldexpl(fraction, 1 - bias - fraction_bits);
    return sign * ldexpl((long double)fraction + (1u << fraction_bits), exponent - bias - fraction_bits);
}

#define AT(type) ((long double)((const type *)data)[i])
static long double value_at(const void *data, mill_dtype dtype, size_t i)
{
    switch (dtype) {
    case MILL_U8:
        return AT(uint8_t);
    case MILL_I8:
        return AT(int8_t);
    case MILL_U16:
        return AT(uint16_t);
    case MILL_I16:
        return AT(int16_t);
    case MILL_U32:
        return AT(uint32_t);
    case MILL_I32:
        return AT(int32_t);
    case MILL_U64:
        return AT(uint64_t);
    case MILL_I64:
        return AT(int64_t);
    case MILL_F16:
        return decode_binary(((const uint16_t *)data)[i], 5, 10);
    case MILL_BF16:
        return decode_binary(((const uint16_t *)data)[i], 8, 7);
    case MILL_F32:
        return AT(float);
    case MILL_F64:
        return AT(double);
    }
    abort();
}

/* The nearest of all values of a 16-bit float by search: ties to even, infinity as if one value further. */
static long double nearest_half(long double x, mill_dtype dtype)
{
    int e = dtype == MILL_F16 ? 5 : 8, f = dtype == MILL_F16 ? 10 : 7;
    unsigned low = 0, high = ((1u << e) - 1) << f; /* infinity */
    long double a = fabsl(x), top = 2 * decode_binary(high - 1, e, f) - decode_binary(high - 2, e, f);
    if (isnan(x) || isinf(x))
        return x;
    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        *(decode_binary(middle, e, f) <= a ? &low : &high) = middle;
    }
    long double below = decode_binary(low, e, f);
    long double above = isinf(decode_binary(high, e, f)) ? top : decode_binary(high, e, f);
    bool up = a - below > above - a || (a - below == above - a && low % 2);
    return copysignl(up ? decode_binary(high, e, f) : below, x);
}

static long double clipped(long double x, long double low, long double high)
{
    if (isnan(x))
        return 0;
    x = nearbyintl(x);
    return x < low ? low : x > high ? high : x;
}

static long double reference_cast(long double x, mill_dtype to)
{
    switch (to) {
    case MILL_U8:
        return clipped(x, 0, UINT8_MAX);
    case MILL_I8:
        return clipped(x, INT8_MIN, INT8_MAX);
    case MILL_U16:
        return clipped(x, 0, UINT16_MAX);
    case MILL_I16:
        return clipped(x, INT16_MIN, INT16_MAX);
    case MILL_U32:
        return clipped(x, 0, UINT32_MAX);
    case MILL_I32:
        return clipped(x, INT32_MIN, INT32_MAX);
    case MILL_U64:
        return clipped(x, 0, (long double)UINT64_MAX);
    case MILL_I64:
        return clipped(x, (long double)INT64_MIN, (long double)INT64_MAX);
    case MILL_F16:
    case MILL_BF16:
        return nearest_half(x, to);
    case MILL_F32:
        return (float)x;
    case MILL_F64:
        return (double)x;
    }
    abort();
}

static bool same(long double a, long double b)
{
    return (isnan(a) && isnan(b)) || a == b;
}

/* Random elements of a dtype: any bits, numbers of moderate size, and the awkward ones. */
static void random_elements(void *data, mill_dtype dtype, size_t n)
{
    static const double awkward[] = {0.0,        -0.0,      0.5,     1.5,     2.5,     -0.5,     254.5,
                                     255.5,      65504.0,   65519.9, 65520.0, 65536.0, 0x1p-14,  0x1.8p-25,
                                     1e-9,       0x1p-24,   0x1p63,  0x1p64,  -0x1p63, -129.0,   0x1p31,
                                     0x1.fffep9, 1e300,     -1e300,  -1.0,    2047.5,  0x1p-149, 1e-40,
                                     INFINITY,   -INFINITY, NAN,     3e38};
    random_bytes(data, n * mill_dtype_nbytes(dtype));
    for (size_t i = 0; i < n; i++) {
        uint32_t kind = random_u32() % 4;
        double x = kind == 1 ? awkward[random_u32() % (sizeof awkward / sizeof *awkward)]
                             : ((double)random_u32() - 0x1p31) / 0x1p22;
        if (dtype == MILL_F32 && kind)
            ((float *)data)[i] = (float)x;
        if (dtype == MILL_F64 && kind)
            ((double *)data)[i] = x;
        if (dtype == MILL_I64 && kind == 1)
            ((int64_t *)data)[i] >>= random_u32() % 60;
        if (dtype == MILL_U64 && kind == 1) /* just above or below a tie of a short float */
            ((uint64_t *)data)[i] = (UINT64_C(0x101) << (random_u32() % 55)) + random_u32() % 3 - 1;
    }
}

/* ---- using a transform ---- */

static mill_value number(double f)
{
    return (mill_value){.f = f, .n = 1, .text = ""};
}

static mill_value numbers(const double *list, int n)
{
    return (mill_value){.list = list, .n = n, .text = ""};
}

static mill_value choice(int64_t i)
{
    return (mill_value){.i = i, .n = 1, .text = ""};
}

static const mill_value absent = {.text = ""};

static size_t elements(const mill_tensor *t)
{
    size_t n = (size_t)t->n;
    for (int i = 0; i < t->type.rank; i++)
        n *= (size_t)t->type.shape[i];
    return n;
}

/* Plan for in's type, run on n samples; fresh memory unless in_place. Free the result's data. */
static mill_tensor apply(const mill_transform_ops *ops, const mill_value *values, const mill_tensor *in,
                         bool in_place)
{
    mill_error err = {0};
    mill_tensor out = {.type = in->type, .n = in->n};
    void *self = NULL;
    EXPECT_MSG(!ops->plan(values, NULL, &in->type, &out.type, &self, &err), "%s", err.message);
    size_t nbytes = elements(in) * mill_dtype_nbytes(out.type.dtype);
    out.data = mill__alloc(nbytes);
    if (in_place) {
        ck_assert_uint_eq(mill_dtype_nbytes(in->type.dtype), mill_dtype_nbytes(out.type.dtype));
        memcpy(out.data, in->data, nbytes);
    }
    mill_tensor from = *in;
    from.data = in_place ? out.data : in->data;
    EXPECT_MSG(!ops->run(self, NULL, NULL, &from, &out, &err), "%s", err.message);
    if (ops->drop)
        ops->drop(self);
    return out;
}

static mill_status plan_only(const mill_transform_ops *ops, const mill_value *values, mill_type in,
                             char *message)
{
    mill_error err = {0};
    mill_type out = in;
    void *self = NULL;
    mill_status status = ops->plan(values, NULL, &in, &out, &self, &err);
    if (!status)
        ops->drop(self);
    strcpy(message, err.message);
    return status;
}

static mill_tensor random_tensor(mill_dtype dtype, mill_layout layout)
{
    mill_tensor t = {.type = {.dtype = dtype, .layout = layout, .rank = 3}, .n = 1 + random_below(3)};
    if (layout == MILL_PLAIN)
        t.type.rank = (int)random_below(4);
    for (int i = 0; i < t.type.rank; i++)
        t.type.shape[i] = 1 + random_below(i + 1 == t.type.rank && !random_below(4) ? 1500 : 40);
    if (layout == MILL_HWC)
        t.type.shape[2] = random_below(2) ? 3 : 1;
    if (layout == MILL_CHW)
        t.type.shape[0] = random_below(2) ? 3 : 1;
    size_t n = elements(&t);
    t.data = mill__alloc(n * 8);
    random_elements(t.data, dtype, n);
    return t;
}

/* The place of element i in lists. */
static size_t place(const mill_type *type, size_t i)
{
    if (!type->rank)
        return 0;
    if (type->layout == MILL_CHW)
        return i / (size_t)(type->shape[1] * type->shape[2]) % (size_t)type->shape[0];
    return i % (size_t)type->shape[type->rank - 1];
}

static int list_length(const mill_type *type)
{
    return type->rank ? (int)type->shape[type->layout == MILL_CHW ? 0 : type->rank - 1] : 1;
}

/* ---- kernels ---- */

typedef struct level {
    void (*scale_add)(float *, const float *, size_t, float, float);
    void (*clip)(float *, const float *, size_t, float, float);
    void (*sin)(float *, const float *, size_t);
    void (*log1p)(float *, const float *, size_t);
    void (*standardize)(float *, const float *, size_t, const float *, const float *, size_t);
    mill__convert *convert;
} level;

#define LEVEL(name)                                                                                          \
    (level)                                                                                                  \
    {                                                                                                        \
        mill__f32_scale_add_##name, mill__f32_clip_##name, mill__f32_sin_##name, mill__f32_log1p_##name,     \
            mill__f32_standardize_##name, mill__convert_##name                                               \
    }

static int usable_levels(level levels[3])
{
    int n = 0;
    levels[n++] = LEVEL(base);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        levels[n++] = LEVEL(x86_64_v3);
    if (n == 2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        levels[n++] = LEVEL(x86_64_v4);
#endif
    return n;
}

enum { MANY = 5000 };

START_TEST(all_levels_give_the_same_bits)
{
    static float in[MANY], out[3][MANY], mean[700], std[700];
    level levels[3];
    int n = usable_levels(levels);
    random_elements(mean, MILL_F32, 700);
    random_elements(std, MILL_F32, 700);
    for (int round = 0; round < 40; round++) {
        size_t skip = random_u32() % 17, m = random_u32() % (MANY - skip), period = 1 + random_u32() % 600;
        random_elements(in, MILL_F32, MANY);
        for (int kernel = 0; kernel < 5; kernel++) {
            for (int l = 0; l < n; l++) {
                float *to = out[l] + skip;
                memset(out[l], 0xaa, sizeof out[l]);
                if (kernel == 0)
                    levels[l].scale_add(to, in + skip, m, 1.7f, -0.3f);
                if (kernel == 1)
                    levels[l].clip(to, in + skip, m, -3, 100);
                if (kernel == 2)
                    levels[l].sin(to, in + skip, m);
                if (kernel == 3)
                    levels[l].log1p(to, in + skip, m);
                if (kernel == 4)
                    levels[l].standardize(to, in + skip, m, mean, std, round % 2 ? period : 1 + period % 4);
                for (size_t i = 0; i < MANY && l; i++) /* a NaN's sign and payload are free */
                    EXPECT_MSG(!memcmp(&out[0][i], &out[l][i], 4) || (isnan(out[0][i]) && isnan(out[l][i])),
                               "kernel %d level %d: %a gave %a and %a", kernel, l, in[i], out[0][i],
                               out[l][i]);
            }
        }
    }
}
END_TEST

/* Error of got in units in the last place of the float nearest to want. */
static double ulps(float got, double want)
{
    if (isnan(want) || isinf((float)want))
        return same(got, (float)want) ? 0 : 1e9;
    int exponent;
    frexp(want, &exponent);
    return fabs((double)got - want) / ldexp(1, exponent < -125 ? -149 : exponent - 24);
}

START_TEST(sin_and_log1p_are_accurate)
{
    static float in[MANY], out[MANY];
    level levels[3];
    int n = usable_levels(levels);
    for (int round = 0; round < 60; round++) {
        random_elements(in, MILL_F32, MANY);
        if (round % 2)
            for (int i = 0; i < MANY; i++)
                in[i] = (float)(((double)random_u32() / 0x1p31 - 1.0) * (round % 4 == 1 ? 1e4 : 4.0));
        levels[round % n].sin(out, in, MANY);
        for (int i = 0; i < MANY; i++)
            EXPECT_MSG(ulps(out[i], sin((double)in[i])) < 1.5, "sin %a is %a", in[i], out[i]);
        levels[round % n].log1p(out, in, MANY);
        for (int i = 0; i < MANY; i++)
            EXPECT_MSG(ulps(out[i], log1p((double)in[i])) < 0.51, "log1p %a is %a", in[i], out[i]);
    }
}
END_TEST

/* Neighbours in a vector are of the same size here. SIN_STEP in the environment: every how manieth float; 1
 * is all of them, for minutes. */
START_TEST(sin_is_the_same_at_all_levels_over_all_floats)
{
    const char *asked = getenv("SIN_STEP");
    const uint64_t step = asked && atoi(asked) > 0 ? (uint64_t)atoi(asked) : 2053;
    static float in[MANY], out[3][MANY];
    level levels[3];
    int n = usable_levels(levels);
    for (uint64_t bits = random_u32() % step; bits <= UINT32_MAX;) {
        for (int i = 0; i < MANY; i++, bits += step) {
            uint32_t of_float = (uint32_t)bits;
            memcpy(&in[i], &of_float, sizeof of_float);
        }
        for (int l = 0; l < n; l++)
            levels[l].sin(out[l], in, MANY);
        for (int i = 0; i < MANY; i++) {
            EXPECT_MSG(ulps(out[0][i], sin((double)in[i])) < 1.5, "sin %a is %a", in[i], out[0][i]);
            for (int l = 1; l < n; l++)
                EXPECT_MSG(same(out[0][i], out[l][i]), "level %d: sin %a is %a and %a", l, in[i], out[0][i],
                           out[l][i]);
        }
    }
}
END_TEST

START_TEST(sin_of_large_ones_among_others_in_place)
{
    static float in[MANY], out[MANY];
    level levels[3];
    int n = usable_levels(levels);
    for (int round = 0; round < 30; round++) {
        size_t m = 1 + random_u32() % MANY;
        for (size_t i = 0; i < m; i++)
            in[i] = (float)random_u32() / 0x1p28F;
        in[random_u32() % m] = 3e7F;
        in[random_u32() % m] = INFINITY;
        in[random_u32() % m] = NAN;
        memcpy(out, in, sizeof out);
        levels[round % n].sin(out, out, m);
        for (size_t i = 0; i < m; i++)
            EXPECT_MSG(ulps(out[i], sin((double)in[i])) < 1.5, "sin %a is %a", in[i], out[i]);
        for (size_t i = m; i < MANY; i++)
            EXPECT(same(out[i], in[i]));
    }
}
END_TEST

START_TEST(edges_of_sin_and_log1p)
{
    const float in[] = {0.0f, -0.0f, -1.0f, -1.0000001f, INFINITY, -INFINITY, NAN, 1e-45f};
    float out[8];
    mill__f32_log1p_base(out, in, 8);
    EXPECT(out[0] == 0 && !signbit(out[0]) && out[1] == 0 && signbit(out[1]));
    EXPECT(out[2] == -INFINITY && isnan(out[3]) && out[4] == INFINITY && isnan(out[5]) && isnan(out[6]));
    EXPECT(out[7] == 1e-45f);
    level levels[3];
    for (int l = usable_levels(levels); l--;) {
        levels[l].sin(out, in, 8);
        EXPECT(out[0] == 0 && !signbit(out[0]) && out[1] == 0 && signbit(out[1]));
        EXPECT(isnan(out[4]) && isnan(out[5]) && isnan(out[6]) && out[7] == 1e-45f);
    }
}
END_TEST

/* ---- cast ---- */

START_TEST(every_cast_rounds_once_and_clips)
{
    enum { N = 1500 };
    static uint64_t in[N], out[N], place_of[N];
    level levels[3];
    int n = usable_levels(levels);
    for (int from = MILL_U8; from <= MILL_F64; from++) {
        for (int to = MILL_U8; to <= MILL_F64; to++) {
            random_elements(in, (mill_dtype)from, N);
            for (int l = 0; l < n; l++) {
                levels[l].convert(out, (mill_dtype)to, in, (mill_dtype)from, N);
                for (size_t i = 0; i < N; i++) {
                    long double x = value_at(in, (mill_dtype)from, i), got = value_at(out, (mill_dtype)to, i);
                    long double want = from == to ? x : reference_cast(x, (mill_dtype)to);
                    EXPECT_MSG(same(got, want), "%s to %s, level %d: %La gave %La, not %La",
                               mill_dtype_name((mill_dtype)from), mill_dtype_name((mill_dtype)to), l, x, got,
                               want);
                }
                if (mill_dtype_nbytes((mill_dtype)from) != mill_dtype_nbytes((mill_dtype)to))
                    continue;
                memcpy(place_of, in, sizeof in);
                levels[l].convert(place_of, (mill_dtype)to, place_of, (mill_dtype)from, N);
                EXPECT(!memcmp(place_of, out, N * mill_dtype_nbytes((mill_dtype)to)));
            }
        }
    }
}
END_TEST

START_TEST(every_half_survives_the_way_through_float)
{
    static uint16_t halves[65536], back[65536];
    static float floats[65536];
    for (int i = 0; i < 65536; i++)
        halves[i] = (uint16_t)i;
    for (int k = 0; k < 2; k++) {
        mill_dtype dtype = k ? MILL_BF16 : MILL_F16;
        mill__convert_base(floats, MILL_F32, halves, dtype, 65536);
        mill__convert_base(back, dtype, floats, MILL_F32, 65536);
        for (size_t i = 0; i < 65536; i++) {
            EXPECT(same(floats[i], value_at(halves, dtype, i)));
            EXPECT(back[i] == halves[i] || isnan(floats[i]));
        }
    }
}
END_TEST

START_TEST(cast_keeps_shape_and_works_in_batches_and_in_place)
{
    for (int round = 0; round < 60; round++) {
        mill_dtype from = (mill_dtype)(1 + random_below(12)), to = (mill_dtype)(1 + random_below(12));
        mill_tensor in = random_tensor(from, (mill_layout)(round % 3 ? MILL_PLAIN : MILL_HWC));
        mill_value value = choice(to - 1);
        bool in_place = mill_dtype_nbytes(from) == mill_dtype_nbytes(to) && round % 2;
        mill_tensor out = apply(&mill__cast_ops, &value, &in, in_place);
        EXPECT(out.type.dtype == to && out.type.rank == in.type.rank && out.type.layout == in.type.layout);
        for (size_t i = 0; i < elements(&in); i++)
            EXPECT(same(value_at(out.data, to, i), from == to
                                                       ? value_at(in.data, from, i)
                                                       : reference_cast(value_at(in.data, from, i), to)));
        mill__free(in.data);
        mill__free(out.data);
    }
}
END_TEST

/* ---- arithmetic ---- */

enum operation { SCALE, ADD, MUL, CLIP, STANDARDIZE, SIN, LOG1P };
static const mill_transform_ops *const operations[] = {
    &mill__scale_ops,       &mill__add_ops, &mill__mul_ops,  &mill__clip_ops,
    &mill__standardize_ops, &mill__sin_ops, &mill__log1p_ops};

static float in_float(enum operation op, float x, float a, float b)
{
    float clip = x < a ? a : x > b ? b : x;
    return op == ADD           ? x + a
           : op == CLIP        ? clip
           : op == STANDARDIZE ? (x - a) / b
           : op == SIN         ? (float)sin((double)x)
           : op == LOG1P       ? (float)log1p((double)x)
                               : x * a;
}

static double in_double(enum operation op, double x, double a, double b)
{
    double clip = x < a ? a : x > b ? b : x;
    return op == ADD           ? x + a
           : op == CLIP        ? clip
           : op == STANDARDIZE ? (x - a) / b
           : op == SIN         ? sin(x)
           : op == LOG1P       ? log1p(x)
                               : x * a;
}

/* Arguments for op: a and b filled with what applies to each place. */
static void arguments(enum operation op, int length, mill_value values[2], double *a, double *b)
{
    bool listed = (op == ADD || op == MUL || op == STANDARDIZE) && random_below(3);
    for (int i = 0; i < length; i++) {
        a[i] = listed || !i ? ((double)random_u32() - 0x1p31) / 0x1p28 : a[0];
        double step = ((double)random_u32() + 1) / 0x1p28;
        b[i] = !listed && i ? b[0] : op == CLIP ? a[i] + step : step;
    }
    bool list_type = op == ADD || op == MUL || op == STANDARDIZE;
    values[0] = list_type ? numbers(a, listed ? length : 1) : number(a[0]);
    values[1] = list_type ? numbers(b, listed ? length : 1) : number(b[0]);
}

static void check_operation(enum operation op, mill_dtype dtype, mill_layout layout)
{
    static double a[1600], b[1600];
    mill_value values[2];
    mill_tensor in = random_tensor(dtype, layout);
    arguments(op, list_length(&in.type), values, a, b);
    bool in_place = (mill_dtype_nbytes(dtype) == 4 || dtype == MILL_F64) && random_below(2);
    mill_tensor out = apply(operations[op], values, &in, in_place);
    EXPECT(out.type.dtype == (dtype == MILL_F64 ? MILL_F64 : MILL_F32) && out.type.layout == layout);
    for (size_t i = 0; i < elements(&in); i++) {
        long double x = value_at(in.data, dtype, i), got = value_at(out.data, out.type.dtype, i);
        size_t k = place(&in.type, i);
        long double want = dtype == MILL_F64 ? (long double)in_double(op, (double)x, a[k], b[k])
                                             : (long double)in_float(op, (float)x, (float)a[k], (float)b[k]);
        bool close =
            op >= SIN && dtype != MILL_F64 && ulps((float)got, (double)want) <= (op == SIN ? 2.01 : 1.01);
        EXPECT_MSG(same(got, want) || close, "%s of %La (%s) gave %La, not %La", operations[op]->name, x,
                   mill_dtype_name(dtype), got, want);
    }
    mill__free(in.data);
    mill__free(out.data);
}

START_TEST(arithmetic_matches_the_naive_loop)
{
    for (int dtype = MILL_U8; dtype <= MILL_F64; dtype++)
        for (int round = 0; round < 6; round++)
            check_operation((enum operation)_i, (mill_dtype)dtype,
                            round % 3 == 0   ? MILL_PLAIN
                            : round % 3 == 1 ? MILL_HWC
                                             : MILL_CHW);
}
END_TEST

START_TEST(normalize_matches_the_naive_loop)
{
    static const double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225}, half[] = {0.5};
    for (int round = 0; round < 40; round++) {
        mill_tensor in = random_tensor(MILL_U8, round % 2 ? MILL_HWC : MILL_CHW);
        int n = list_length(&in.type), form = n == 3 ? round % 3 : 2;
        mill_value values[3] = {absent, numbers(mean, n), numbers(std, n)};
        if (form) {
            values[0] = choice(form == 1 ? 0 : 4);
            values[1] = values[2] = absent;
        }
        mill_tensor out = apply(&mill__normalize_ops, values, &in, false);
        EXPECT(out.type.dtype == MILL_F32 && out.type.layout == in.type.layout);
        for (size_t i = 0; i < elements(&in); i++) {
            size_t c = form == 2 ? 0 : place(&in.type, i);
            float m = (float)(form == 2 ? half : mean)[c], s = (float)(form == 2 ? half : std)[c];
            float want = ((float)((uint8_t *)in.data)[i] / 255.0f - m) / s;
            EXPECT(((float *)out.data)[i] == want);
        }
        mill__free(in.data);
        mill__free(out.data);
    }
}
END_TEST

START_TEST(a_plan_for_chw_fills_colour_tables)
{
    const double mean[] = {0.1, 0.2, 0.3}, std[] = {0.5, 0.25, 0.125};
    mill_value values[3] = {absent, numbers(mean, 3), numbers(std, 3)};
    mill_type in = {.dtype = MILL_U8, .layout = MILL_CHW, .rank = 3, .shape = {3, 32, -1}}, out = in;
    void *self = NULL;
    EXPECT(!mill__normalize_ops.plan(values, NULL, &in, &out, &self, NULL));
    uint8_t pixels[256 * 3];
    float table[256 * 3];
    for (int i = 0; i < 256 * 3; i++)
        pixels[i] = (uint8_t)(i / 3);
    mill_tensor from = {.type = {MILL_U8, MILL_HWC, 3, {256, 1, 3}}, .n = 1, .data = pixels};
    mill_tensor to = {.type = {MILL_F32, MILL_HWC, 3, {256, 1, 3}}, .n = 1, .data = table};
    EXPECT(!mill__normalize_ops.run(self, NULL, NULL, &from, &to, NULL));
    for (int i = 0; i < 256 * 3; i++)
        EXPECT(table[i] == ((float)(i / 3) / 255.0f - (float)mean[i % 3]) / (float)std[i % 3]);
    mill__normalize_ops.drop(self);
}
END_TEST

/* ---- layout ---- */

START_TEST(layout_permutes_and_back)
{
    for (int round = 0; round < 60; round++) {
        mill_dtype dtype = (mill_dtype)(1 + random_below(12));
        mill_tensor in = random_tensor(dtype, MILL_HWC);
        size_t height = (size_t)in.type.shape[0], width = (size_t)in.type.shape[1];
        size_t channels = (size_t)in.type.shape[2], nbytes = mill_dtype_nbytes(dtype);
        mill_value chw = choice(1), hwc = choice(0);
        mill_tensor out = apply(&mill__layout_ops, &chw, &in, false);
        EXPECT(out.type.layout == MILL_CHW && (size_t)out.type.shape[0] == channels &&
               (size_t)out.type.shape[1] == height && (size_t)out.type.shape[2] == width);
        for (size_t i = 0; i < elements(&in); i++) {
            size_t c = i % channels, pixel = i / channels % (height * width),
                   s = i / channels / (height * width);
            size_t j = (s * channels + c) * height * width + pixel;
            EXPECT(!memcmp((char *)in.data + i * nbytes, (char *)out.data + j * nbytes, nbytes));
        }
        mill_tensor same_again = apply(&mill__layout_ops, &chw, &out, false);
        EXPECT(!memcmp(same_again.data, out.data, elements(&in) * nbytes));
        mill_tensor back = apply(&mill__layout_ops, &hwc, &out, false);
        EXPECT(!memcmp(back.data, in.data, elements(&in) * nbytes) && back.type.layout == MILL_HWC);
        mill__free(in.data);
        mill__free(out.data);
        mill__free(same_again.data);
        mill__free(back.data);
    }
}
END_TEST

/* ---- shapes known at run time only ---- */

static void *scratch(void *owner, size_t nbytes)
{
    return nbytes <= 4096 ? owner : NULL;
}

START_TEST(varying_shapes_get_their_memory_at_run_time)
{
    static _Alignas(64) uint8_t room[4096];
    mill_context ctx = {.scratch = scratch, .owner = room};
    mill_type planned = {.dtype = MILL_U8, .layout = MILL_HWC, .rank = 3, .shape = {-1, -1, 3}},
              out_type = planned;
    mill_value values[3] = {choice(0), absent, absent}, chw = choice(1);
    uint8_t pixels[4 * 5 * 3] = {0};
    mill_tensor in = {.type = planned, .n = 1, .data = pixels};
    in.type.shape[0] = 4;
    in.type.shape[1] = 5;
    void *self = NULL;
    EXPECT(!mill__normalize_ops.plan(values, NULL, &planned, &out_type, &self, NULL));
    mill_tensor out = {.type = out_type, .n = 1};
    EXPECT(!mill__normalize_ops.run(self, NULL, &ctx, &in, &out, NULL));
    EXPECT(out.data == room && out.type.shape[0] == 4 && out.type.shape[1] == 5 && out.type.shape[2] == 3);
    in.type.shape[0] = 400;
    out = (mill_tensor){.type = out_type, .n = 1};
    ck_assert_int_eq(mill__normalize_ops.run(self, NULL, &ctx, &in, &out, NULL), MILL_NO_MEMORY);
    mill__normalize_ops.drop(self);

    in.type.shape[0] = 4;
    out_type = planned;
    EXPECT(!mill__layout_ops.plan(&chw, NULL, &planned, &out_type, &self, NULL));
    EXPECT(out_type.shape[0] == 3 && out_type.shape[1] == -1 && out_type.shape[2] == -1);
    out = (mill_tensor){.type = out_type, .n = 1};
    EXPECT(!mill__layout_ops.run(self, NULL, &ctx, &in, &out, NULL));
    EXPECT(out.type.shape[0] == 3 && out.type.shape[1] == 4 && out.type.shape[2] == 5);
    mill__layout_ops.drop(self);
}
END_TEST

/* ---- errors ---- */

static const mill_type f32_rows = {.dtype = MILL_F32, .rank = 2, .shape = {4, 7}};
static const mill_type ragged = {.dtype = MILL_F32, .rank = 1, .shape = {-1}};
static const mill_type encoded = {.dtype = MILL_U8, .layout = MILL_ENCODED, .rank = 1, .shape = {-1}};
static const mill_type image = {.dtype = MILL_U8, .layout = MILL_HWC, .rank = 3, .shape = {8, 8, 3}};
static const mill_type float_image = {.dtype = MILL_F32, .layout = MILL_HWC, .rank = 3, .shape = {8, 8, 3}};

START_TEST(lists_must_fit_the_axis)
{
    const double two[] = {1, 2}, ones[] = {1, 1, 1, 1, 1, 1, 1};
    char message[512];
    mill_value values[2] = {numbers(two, 2), numbers(ones, 1)};
    ck_assert_int_eq(plan_only(&mill__add_ops, values, f32_rows, message), MILL_USAGE);
    ck_assert_str_eq(message,
                     "add: values has 2 numbers, but there are 7 elements on the last axis: give 1 or 7");
    ck_assert_int_eq(plan_only(&mill__mul_ops, values, image, message), MILL_USAGE);
    ck_assert_str_eq(message, "mul: values has 2 numbers, but there are 3 channels: give 1 or 3");
    ck_assert_int_eq(plan_only(&mill__standardize_ops, values, ragged, message), MILL_USAGE);
    ck_assert_str_eq(message,
                     "standardize: mean has 2 numbers, but how many elements on the last axis there are "
                     "varies: give one number");
    values[0] = numbers(ones, 7);
    ck_assert_int_eq(plan_only(&mill__standardize_ops, values, f32_rows, message), MILL_OK);
}
END_TEST

START_TEST(nothing_divides_by_zero)
{
    const double mean[] = {0}, std[] = {1, 0, 1}, tiny[] = {1e-60};
    char message[512];
    mill_value values[3] = {numbers(mean, 1), numbers(std, 3), absent};
    ck_assert_int_eq(plan_only(&mill__standardize_ops, values, image, message), MILL_USAGE);
    EXPECT(strstr(message, "std is 0 at place 2") != NULL);
    values[1] = numbers(tiny, 1);
    ck_assert_int_eq(plan_only(&mill__standardize_ops, values, image, message), MILL_USAGE);
    mill_value normal[3] = {absent, numbers(mean, 1), numbers(std, 3)};
    ck_assert_int_eq(plan_only(&mill__normalize_ops, normal, image, message), MILL_USAGE);
}
END_TEST

START_TEST(wrong_input_is_refused_by_the_plan)
{
    const double one[] = {1};
    char message[512];
    mill_value values[3] = {numbers(one, 1), numbers(one, 1), absent}, set[3] = {choice(0), absent, absent};
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        ck_assert_int_eq(plan_only(operations[i], values, encoded, message), MILL_USAGE);
        EXPECT(strstr(message, "put decode before it") != NULL || i == CLIP);
    }
    ck_assert_int_eq(plan_only(&mill__cast_ops, set, encoded, message), MILL_USAGE);
    ck_assert_int_eq(plan_only(&mill__cast_ops, set, (mill_type){0}, message), MILL_USAGE);
    ck_assert_int_eq(plan_only(&mill__layout_ops, set, f32_rows, message), MILL_USAGE);
    ck_assert_int_eq(plan_only(&mill__normalize_ops, set, float_image, message), MILL_USAGE);
    EXPECT(strstr(message, "gets f32 images") != NULL);
    ck_assert_int_eq(plan_only(&mill__normalize_ops, set, f32_rows, message), MILL_USAGE);
    ck_assert_int_eq(plan_only(&mill__normalize_ops, set, image, message), MILL_OK);
}
END_TEST

START_TEST(normalize_wants_a_set_or_both_lists)
{
    const double one[] = {1};
    char message[512];
    mill_value nothing[3] = {absent, absent, absent}, both[3] = {choice(0), numbers(one, 1), numbers(one, 1)};
    mill_value only_mean[3] = {absent, numbers(one, 1), absent};
    mill_type grey = image;
    ck_assert_int_eq(plan_only(&mill__normalize_ops, nothing, image, message), MILL_USAGE);
    ck_assert_int_eq(plan_only(&mill__normalize_ops, both, image, message), MILL_USAGE);
    ck_assert_int_eq(plan_only(&mill__normalize_ops, only_mean, image, message), MILL_USAGE);
    ck_assert_str_eq(message, "normalize has mean= but no std=: give both");
    grey.shape[2] = 1;
    both[1] = both[2] = absent;
    ck_assert_int_eq(plan_only(&mill__normalize_ops, both, grey, message), MILL_USAGE);
    EXPECT(strstr(message, "mean has 3 numbers, but there are 1 channels") != NULL);
}
END_TEST

START_TEST(numbers_must_make_sense)
{
    char message[512];
    mill_value upside_down[2] = {number(2), number(1)}, huge[2] = {number(1e300), absent};
    mill_type f64 = f32_rows;
    f64.dtype = MILL_F64;
    ck_assert_int_eq(plan_only(&mill__clip_ops, upside_down, f32_rows, message), MILL_USAGE);
    ck_assert_str_eq(message, "clip: low (2) must not be above high (1)");
    ck_assert_int_eq(plan_only(&mill__scale_ops, huge, f32_rows, message), MILL_USAGE);
    ck_assert_int_eq(plan_only(&mill__scale_ops, huge, f64, message), MILL_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pointwise");
    TCase *tests = tcase_create("pointwise");
    tcase_set_timeout(tests, getenv("SIN_STEP") ? 3600 : 240);
    tcase_add_test(tests, all_levels_give_the_same_bits);
    tcase_add_test(tests, sin_and_log1p_are_accurate);
    tcase_add_test(tests, sin_is_the_same_at_all_levels_over_all_floats);
    tcase_add_test(tests, sin_of_large_ones_among_others_in_place);
    tcase_add_test(tests, edges_of_sin_and_log1p);
    tcase_add_test(tests, every_cast_rounds_once_and_clips);
    tcase_add_test(tests, every_half_survives_the_way_through_float);
    tcase_add_test(tests, cast_keeps_shape_and_works_in_batches_and_in_place);
    tcase_add_loop_test(tests, arithmetic_matches_the_naive_loop, SCALE, LOG1P + 1);
    tcase_add_test(tests, normalize_matches_the_naive_loop);
    tcase_add_test(tests, a_plan_for_chw_fills_colour_tables);
    tcase_add_test(tests, layout_permutes_and_back);
    tcase_add_test(tests, varying_shapes_get_their_memory_at_run_time);
    tcase_add_test(tests, lists_must_fit_the_axis);
    tcase_add_test(tests, nothing_divides_by_zero);
    tcase_add_test(tests, wrong_input_is_refused_by_the_plan);
    tcase_add_test(tests, normalize_wants_a_set_or_both_lists);
    tcase_add_test(tests, numbers_must_make_sense);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
