/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/pixels_levels.c: resampling and storing of u8 pixels; compiled once a level (see kernel.c).
 *
 * All sums are of int32 products, so that their order does not matter and every level gives the same bytes.
 * They cannot overflow: the weights' absolute values add up to less than 2 * 2^22, pixels are below 2^8. */
#include "kernel/kernel.h"
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define PASTE2(name, level) mill__##name##_##level
#define PASTE(name, level)  PASTE2(name, level)
#define KERNEL(name)        PASTE(name, MILL__LEVEL)

#define HALF (1 << (MILL__RESAMPLE_BITS - 1))

void KERNEL(resample_row)(uint8_t *out, const uint8_t *in, size_t n, int c, const int32_t *bounds,
                          const int32_t *weights, size_t taps);
void KERNEL(resample_column)(uint8_t *out, const uint8_t *const *rows, size_t n, const int32_t *weights,
                             size_t taps);
void KERNEL(store_hwc)(void *out, const uint8_t *in, size_t n, int c, const void *table, size_t entry_nbytes,
                       int reverse);
void KERNEL(store_chw)(void *out, size_t plane, const uint8_t *in, size_t n, int c, const void *table,
                       size_t entry_nbytes, int reverse);

static inline uint8_t settle(int32_t sum)
{
    int32_t v = sum >> MILL__RESAMPLE_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* ---- horizontal ---- */

static void resample_row1(uint8_t *out, const uint8_t *in, size_t n, const int32_t *bounds,
                          const int32_t *weights, size_t taps)
{
    for (size_t i = 0; i < n; i++, weights += taps) {
        const uint8_t *p = in + bounds[2 * i];
        int32_t sum = HALF;
        for (int32_t t = 0; t < bounds[2 * i + 1]; t++)
            sum += p[t] * weights[t];
        out[i] = settle(sum);
    }
}

#if defined(__AVX512BW__)

/* Four pixels a step, one in each 128-bit lane: (r, g, b, 0) as int32, times its weight in every place. */
static inline __m512i weigh_group(const uint8_t *in, const int32_t *weights)
{
    const __m512i spread =
        _mm512_set_epi8(-1, -1, -1, -1, -1, -1, -1, 11, -1, -1, -1, 10, -1, -1, -1, 9, -1, -1, -1, -1, -1, -1,
                        -1, 8, -1, -1, -1, 7, -1, -1, -1, 6, -1, -1, -1, -1, -1, -1, -1, 5, -1, -1, -1, 4, -1,
                        -1, -1, 3, -1, -1, -1, -1, -1, -1, -1, 2, -1, -1, -1, 1, -1, -1, -1, 0);
    const __m512i lane = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    __m512i pixels = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)in));
    __m512i w = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)weights));
    return _mm512_mullo_epi32(_mm512_shuffle_epi8(pixels, spread), _mm512_permutexvar_epi32(lane, w));
}

static inline __m128i weigh(const uint8_t *in, const int32_t *weights, int32_t count)
{
    __m512i sum = weigh_group(in, weights);
    for (int32_t t = 4; t < count; t += 4)
        sum = _mm512_add_epi32(sum, weigh_group(in + (size_t)t * 3, weights + t));
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

#elif defined(__AVX2__)

/* Two pixels a vector, as above. */
static inline __m256i weigh_group(const uint8_t *in, const int32_t *weights)
{
    const __m256i spread_low = _mm256_set_epi8(-1, -1, -1, -1, -1, -1, -1, 5, -1, -1, -1, 4, -1, -1, -1, 3,
                                               -1, -1, -1, -1, -1, -1, -1, 2, -1, -1, -1, 1, -1, -1, -1, 0);
    const __m256i spread_high = _mm256_set_epi8(-1, -1, -1, -1, -1, -1, -1, 11, -1, -1, -1, 10, -1, -1, -1, 9,
                                                -1, -1, -1, -1, -1, -1, -1, 8, -1, -1, -1, 7, -1, -1, -1, 6);
    const __m256i lane_low = _mm256_set_epi32(1, 1, 1, 1, 0, 0, 0, 0);
    const __m256i lane_high = _mm256_set_epi32(3, 3, 3, 3, 2, 2, 2, 2);
    __m256i pixels = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)in));
    __m256i w = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)weights));
    return _mm256_add_epi32(
        _mm256_mullo_epi32(_mm256_shuffle_epi8(pixels, spread_low), _mm256_permutevar8x32_epi32(w, lane_low)),
        _mm256_mullo_epi32(_mm256_shuffle_epi8(pixels, spread_high),
                           _mm256_permutevar8x32_epi32(w, lane_high)));
}

static inline __m128i weigh(const uint8_t *in, const int32_t *weights, int32_t count)
{
    __m256i sum = weigh_group(in, weights);
    for (int32_t t = 4; t < count; t += 4)
        sum = _mm256_add_epi32(sum, weigh_group(in + (size_t)t * 3, weights + t));
    return _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
}

#endif

#if defined(__AVX2__)

/* The window's (r, g, b, 0) sums, rounded and shifted but not clipped. */
static inline __m128i window3(const uint8_t *in, const int32_t *bounds, const int32_t *weights)
{
    __m128i sum = weigh(in + (size_t)bounds[0] * 3, weights, bounds[1]);
    return _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(HALF)), MILL__RESAMPLE_BITS);
}

static void resample_row3(uint8_t *out, const uint8_t *in, size_t n, const int32_t *bounds,
                          const int32_t *weights, size_t taps)
{
    const __m128i join = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    size_t i = 0;
    for (; i + 4 <= n; i += 4, bounds += 8, weights += 4 * taps) {
        __m128i a = window3(in, bounds, weights), b = window3(in, bounds + 2, weights + taps);
        __m128i c = window3(in, bounds + 4, weights + 2 * taps);
        __m128i d = window3(in, bounds + 6, weights + 3 * taps);
        __m128i bytes = _mm_packus_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
        _mm_storeu_si128((__m128i *)(out + 3 * i), _mm_shuffle_epi8(bytes, join));
    }
    for (; i < n; i++, bounds += 2, weights += taps) {
        __m128i words = _mm_packs_epi32(window3(in, bounds, weights), _mm_setzero_si128());
        int32_t pixel = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
        memcpy(out + 3 * i, &pixel, 3);
    }
}

#else

static void resample_row3(uint8_t *out, const uint8_t *in, size_t n, const int32_t *bounds,
                          const int32_t *weights, size_t taps)
{
    for (size_t i = 0; i < n; i++, weights += taps) {
        const uint8_t *p = in + (size_t)bounds[2 * i] * 3;
        int32_t r = HALF, g = HALF, b = HALF;
        for (int32_t t = 0; t < bounds[2 * i + 1]; t++, p += 3) {
            r += p[0] * weights[t];
            g += p[1] * weights[t];
            b += p[2] * weights[t];
        }
        out[3 * i] = settle(r);
        out[3 * i + 1] = settle(g);
        out[3 * i + 2] = settle(b);
    }
}

#endif

void KERNEL(resample_row)(uint8_t *out, const uint8_t *in, size_t n, int c, const int32_t *bounds,
                          const int32_t *weights, size_t taps)
{
    if (c == 3)
        resample_row3(out, in, n, bounds, weights, taps);
    else
        resample_row1(out, in, n, bounds, weights, taps);
}

/* ---- vertical ---- */

#define STRIP 64 /* columns whose sums stay in registers or at least in the first cache */

static inline void column_strip(uint8_t *out, const uint8_t *const *rows, size_t at, const int32_t *weights,
                                size_t taps)
{
    int32_t sums[STRIP];
    for (size_t i = 0; i < STRIP; i++)
        sums[i] = HALF;
    for (size_t t = 0; t < taps; t++) {
        const uint8_t *row = rows[t] + at;
        int32_t w = weights[t];
        for (size_t i = 0; i < STRIP; i++)
            sums[i] += row[i] * w;
    }
    for (size_t i = 0; i < STRIP; i++)
        out[at + i] = settle(sums[i]);
}

void KERNEL(resample_column)(uint8_t *out, const uint8_t *const *rows, size_t n, const int32_t *weights,
                             size_t taps)
{
    size_t at = 0;
    for (; at + STRIP <= n; at += STRIP)
        column_strip(out, rows, at, weights, taps);
    for (; at < n; at++) {
        int32_t sum = HALF;
        for (size_t t = 0; t < taps; t++)
            sum += rows[t][at] * weights[t];
        out[at] = settle(sum);
    }
}

/* ---- store ---- */

/* Entries are moved, not looked at: a float's bits travel in a uint32_t. */
typedef uint8_t entry1;
typedef uint16_t __attribute__((may_alias)) entry2;
typedef uint32_t __attribute__((may_alias)) entry4;
typedef uint64_t __attribute__((may_alias)) entry8;

/* For entries of one type. Planes are written one pixel at a time over all channels, so that the input is
 * read once. */
#define STORE(type)                                                                                          \
    static void hwc_##type(type *out, const uint8_t *in, size_t n, int c, const type *table, int reverse)    \
    {                                                                                                        \
        ptrdiff_t step = reverse ? -c : c;                                                                   \
        const uint8_t *p = reverse && n ? in + (n - 1) * (size_t)c : in;                                     \
        if (c == 3)                                                                                          \
            for (size_t i = 0; i < n; i++, p += step, out += 3) {                                            \
                out[0] = table[p[0]];                                                                        \
                out[1] = table[256 + p[1]];                                                                  \
                out[2] = table[512 + p[2]];                                                                  \
            }                                                                                                \
        else                                                                                                 \
            for (size_t i = 0; i < n; i++, p += step)                                                        \
                out[i] = table[*p];                                                                          \
    }                                                                                                        \
    static void chw_##type(type *out, size_t plane, const uint8_t *in, size_t n, int c, const type *table,   \
                           int reverse)                                                                      \
    {                                                                                                        \
        if (c == 1) {                                                                                        \
            hwc_##type(out, in, n, 1, table, reverse);                                                       \
            return;                                                                                          \
        }                                                                                                    \
        ptrdiff_t step = reverse ? -3 : 3;                                                                   \
        const uint8_t *p = reverse && n ? in + (n - 1) * 3 : in;                                             \
        type *green = out + plane, *blue = green + plane;                                                    \
        for (size_t i = 0; i < n; i++, p += step) {                                                          \
            out[i] = table[p[0]];                                                                            \
            green[i] = table[256 + p[1]];                                                                    \
            blue[i] = table[512 + p[2]];                                                                     \
        }                                                                                                    \
    }

STORE(entry1)
STORE(entry2)
STORE(entry4)
STORE(entry8)

static void copy_hwc(uint8_t *out, const uint8_t *in, size_t n, int c, int reverse)
{
    if (!reverse) {
        memcpy(out, in, n * (size_t)c);
        return;
    }
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < c; k++)
            out[i * (size_t)c + (size_t)k] = in[(n - 1 - i) * (size_t)c + (size_t)k];
}

static void copy_chw(uint8_t *out, size_t plane, const uint8_t *in, size_t n, int c, int reverse)
{
    for (int k = 0; k < c; k++)
        for (size_t i = 0; i < n; i++)
            out[(size_t)k * plane + i] = in[(reverse ? n - 1 - i : i) * (size_t)c + (size_t)k];
}

void KERNEL(store_hwc)(void *out, const uint8_t *in, size_t n, int c, const void *table, size_t entry_nbytes,
                       int reverse)
{
    if (!table)
        copy_hwc(out, in, n, c, reverse);
    else if (entry_nbytes == 1)
        hwc_entry1(out, in, n, c, table, reverse);
    else if (entry_nbytes == 2)
        hwc_entry2(out, in, n, c, table, reverse);
    else if (entry_nbytes == 4)
        hwc_entry4(out, in, n, c, table, reverse);
    else
        hwc_entry8(out, in, n, c, table, reverse);
}

void KERNEL(store_chw)(void *out, size_t plane, const uint8_t *in, size_t n, int c, const void *table,
                       size_t entry_nbytes, int reverse)
{
    if (!table)
        copy_chw(out, plane, in, n, c, reverse);
    else if (entry_nbytes == 1)
        chw_entry1(out, plane, in, n, c, table, reverse);
    else if (entry_nbytes == 2)
        chw_entry2(out, plane, in, n, c, table, reverse);
    else if (entry_nbytes == 4)
        chw_entry4(out, plane, in, n, c, table, reverse);
    else
        chw_entry8(out, plane, in, n, c, table, reverse);
}
