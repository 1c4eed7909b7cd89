/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/resample_levels.c: weighted sums of u8 pixels; compiled once a level (see kernel.c).
 *
 * All sums are of int32 products, so that their order does not matter and every level gives the same bytes.
 * They cannot overflow: the weights' absolute values add up to less than 2 * 2^22, pixels are below 2^8.
 *
 * The wide versions multiply pairs of 16-bit numbers (pmaddwd): a pixel and its neighbour in the window by
 * their weights' low parts, and again by the high parts. Horizontally each 128-bit lane belongs to a row of
 * its own and holds one pixel's channels, so that no sum crosses lanes; vertically a lane holds columns. */
#include "kernel/kernel.h"
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define PASTE2(name, level) mill__##name##_##level
#define PASTE(name, level)  PASTE2(name, level)
#define KERNEL(name)        PASTE(name, MILL__LEVEL)

#define HALF (1 << (MILL__RESAMPLE_BITS - 1))

void KERNEL(resample_rows)(uint8_t *const *out, const uint8_t *const *in, size_t nrows, size_t n, int c,
                           const int32_t *bounds, const int16_t *weights, size_t taps);
void KERNEL(resample_column)(uint8_t *out, const uint8_t *const *rows, size_t n, const int16_t *weights,
                             size_t taps);

static inline uint8_t settle(int32_t sum)
{
    int32_t v = sum >> MILL__RESAMPLE_BITS;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void resample_row1(uint8_t *out, const uint8_t *in, size_t n, const int32_t *bounds,
                          const int16_t *weights, size_t taps)
{
    for (size_t i = 0; i < n; i++, weights += 2 * taps) {
        const uint8_t *p = in + bounds[2 * i];
        int32_t sum = HALF;
        for (int32_t t = 0; t < bounds[2 * i + 1]; t++)
            sum += p[t] * mill__weight(weights, (size_t)t);
        out[i] = settle(sum);
    }
}

#if defined(__AVX2__)

#if defined(__AVX512BW__)
typedef __m512i vector;
#define V(name)      _mm512_##name
#define ZERO         _mm512_setzero_si512()
#define LOAD(p)      _mm512_loadu_si512((const void *)(p))
#define PUT(p, x)    _mm512_storeu_si512((void *)(p), x)
#define EACH_LANE(x) _mm512_broadcast_i32x4(x)
#else
typedef __m256i vector;
#define V(name)      _mm256_##name
#define ZERO         _mm256_setzero_si256()
#define LOAD(p)      _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define PUT(p, x)    _mm256_storeu_si256((__m256i *)(void *)(p), x)
#define EACH_LANE(x) _mm256_broadcastsi128_si256(x)
#endif
enum { NBYTES = sizeof(vector), LANES = NBYTES / 16 };

/* Two neighbouring weight parts, everywhere. */
static inline vector pair(const int16_t *parts)
{
    int32_t both;
    memcpy(&both, parts, sizeof both);
    return V(set1_epi32)(both);
}

static inline vector settled(vector low, vector high)
{
    return V(srai_epi32)(V(add_epi32)(low, V(slli_epi32)(high, MILL__RESAMPLE_LOW_BITS)),
                         MILL__RESAMPLE_BITS);
}

/* ---- horizontal ---- */

/* 16 bytes from the same place of each lane's row. */
static inline vector gather(const uint8_t *const *in, size_t at)
{
    const __m128i *rows[LANES];
    for (int k = 0; k < LANES; k++)
        rows[k] = (const __m128i *)(const void *)(in[k] + at);
#if defined(__AVX512BW__)
    __m512i x = _mm512_castsi128_si512(_mm_loadu_si128(rows[0]));
    x = _mm512_inserti32x4(x, _mm_loadu_si128(rows[1]), 1);
    x = _mm512_inserti32x4(x, _mm_loadu_si128(rows[2]), 2);
    return _mm512_inserti32x4(x, _mm_loadu_si128(rows[3]), 3);
#else
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(rows[0])), _mm_loadu_si128(rows[1]),
                                   1);
#endif
}

static inline void add_group(vector *low, vector *high, vector pixels, const int16_t *weights)
{
    /* (r0 r1 g0 g1 b0 b1 0 0) as words, and the same of the next two pixels */
    const vector first = EACH_LANE(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    const vector second =
        EACH_LANE(_mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));
    vector a = V(shuffle_epi8)(pixels, first), b = V(shuffle_epi8)(pixels, second);
    *low = V(add_epi32)(*low,
                        V(add_epi32)(V(madd_epi16)(a, pair(weights)), V(madd_epi16)(b, pair(weights + 2))));
    *high = V(add_epi32)(
        *high, V(add_epi32)(V(madd_epi16)(a, pair(weights + 4)), V(madd_epi16)(b, pair(weights + 6))));
}

/* One pixel of each lane's row: its (r, g, b, 0) sums, shifted but not clipped. */
static inline vector window3(const uint8_t *const *in, const int32_t *bounds, const int16_t *weights)
{
    vector low = V(set1_epi32)(HALF), high = ZERO;
    size_t at = (size_t)bounds[0] * 3;
    add_group(&low, &high, gather(in, at), weights);
    for (int32_t t = MILL__RESAMPLE_GROUP; t < bounds[1]; t += MILL__RESAMPLE_GROUP) {
        at += (size_t)3 * MILL__RESAMPLE_GROUP;
        weights += 2 * MILL__RESAMPLE_GROUP;
        add_group(&low, &high, gather(in, at), weights);
    }
    return settled(low, high);
}

/* Four pixels a lane, their bytes in front. */
static inline vector join(vector a, vector b, vector c, vector d)
{
    const vector order = EACH_LANE(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
    return V(shuffle_epi8)(V(packus_epi16)(V(packs_epi32)(a, b), V(packs_epi32)(c, d)), order);
}

static void resample_lanes(uint8_t *const *out, const uint8_t *const *in, size_t n, const int32_t *bounds,
                           const int16_t *weights, size_t taps)
{
    _Alignas(64) uint8_t lanes[NBYTES];
    size_t i = 0, step = 2 * taps;
    for (; i + 4 <= n; i += 4, bounds += 8, weights += 4 * step) {
        vector bytes =
            join(window3(in, bounds, weights), window3(in, bounds + 2, weights + step),
                 window3(in, bounds + 4, weights + 2 * step), window3(in, bounds + 6, weights + 3 * step));
#if defined(__AVX512BW__)
        _mm_storeu_si128((__m128i *)(out[0] + 3 * i), _mm512_castsi512_si128(bytes));
        _mm_storeu_si128((__m128i *)(out[1] + 3 * i), _mm512_extracti32x4_epi32(bytes, 1));
        _mm_storeu_si128((__m128i *)(out[2] + 3 * i), _mm512_extracti32x4_epi32(bytes, 2));
        _mm_storeu_si128((__m128i *)(out[3] + 3 * i), _mm512_extracti32x4_epi32(bytes, 3));
#else
        _mm_storeu_si128((__m128i *)(out[0] + 3 * i), _mm256_castsi256_si128(bytes));
        _mm_storeu_si128((__m128i *)(out[1] + 3 * i), _mm256_extracti128_si256(bytes, 1));
#endif
    }
    for (; i < n; i++, bounds += 2, weights += step) {
        PUT(lanes, join(window3(in, bounds, weights), ZERO, ZERO, ZERO));
        for (int k = 0; k < LANES; k++)
            memcpy(out[k] + 3 * i, lanes + 16 * k, 3);
    }
}

/* Missing rows are made by making the last one several times over. */
static void resample_rows3(uint8_t *const *out, const uint8_t *const *in, size_t nrows, size_t n,
                           const int32_t *bounds, const int16_t *weights, size_t taps)
{
    for (size_t y = 0; y < nrows; y += LANES) {
        uint8_t *to[LANES];
        const uint8_t *from[LANES];
        for (size_t k = 0; k < LANES; k++) {
            size_t row = y + k < nrows ? y + k : nrows - 1;
            to[k] = out[row];
            from[k] = in[row];
        }
        resample_lanes(to, from, n, bounds, weights, taps);
    }
}

#else

static void resample_row3(uint8_t *out, const uint8_t *in, size_t n, const int32_t *bounds,
                          const int16_t *weights, size_t taps)
{
    for (size_t i = 0; i < n; i++, weights += 2 * taps) {
        const uint8_t *p = in + (size_t)bounds[2 * i] * 3;
        int32_t r = HALF, g = HALF, b = HALF;
        for (int32_t t = 0; t < bounds[2 * i + 1]; t++, p += 3) {
            int32_t w = mill__weight(weights, (size_t)t);
            r += p[0] * w;
            g += p[1] * w;
            b += p[2] * w;
        }
        out[3 * i] = settle(r);
        out[3 * i + 1] = settle(g);
        out[3 * i + 2] = settle(b);
    }
}

static void resample_rows3(uint8_t *const *out, const uint8_t *const *in, size_t nrows, size_t n,
                           const int32_t *bounds, const int16_t *weights, size_t taps)
{
    for (size_t y = 0; y < nrows; y++)
        resample_row3(out[y], in[y], n, bounds, weights, taps);
}

#endif

void KERNEL(resample_rows)(uint8_t *const *out, const uint8_t *const *in, size_t nrows, size_t n, int c,
                           const int32_t *bounds, const int16_t *weights, size_t taps)
{
    if (c == 3) {
        resample_rows3(out, in, nrows, n, bounds, weights, taps);
        return;
    }
    for (size_t y = 0; y < nrows; y++)
        resample_row1(out[y], in[y], n, bounds, weights, taps);
}

/* ---- vertical ---- */

#if defined(__AVX2__)

/* Bytes of two rows, interleaved, times their weights. sums are four vectors of low and four of high sums. */
static inline void add_rows(vector low[4], vector high[4], vector a, vector b, vector w_low, vector w_high)
{
    vector first = V(unpacklo_epi8)(a, b), second = V(unpackhi_epi8)(a, b);
    vector words[4] = {V(unpacklo_epi8)(first, ZERO), V(unpackhi_epi8)(first, ZERO),
                       V(unpacklo_epi8)(second, ZERO), V(unpackhi_epi8)(second, ZERO)};
    for (int k = 0; k < 4; k++) {
        low[k] = V(add_epi32)(low[k], V(madd_epi16)(words[k], w_low));
        high[k] = V(add_epi32)(high[k], V(madd_epi16)(words[k], w_high));
    }
}

static inline void column_strip(uint8_t *out, const uint8_t *const *rows, size_t at, const int16_t *weights,
                                size_t taps)
{
    vector low[4], high[4];
    for (int k = 0; k < 4; k++) {
        low[k] = V(set1_epi32)(HALF);
        high[k] = ZERO;
    }
    size_t t = 0;
    for (; t + 2 <= taps; t += 2) {
        const int16_t *w = weights + t / 4 * 8 + t % 4;
        add_rows(low, high, LOAD(rows[t] + at), LOAD(rows[t + 1] + at), pair(w), pair(w + 4));
    }
    if (t < taps) { /* the weight behind the last is 0 */
        const int16_t *w = weights + t / 4 * 8 + t % 4;
        add_rows(low, high, LOAD(rows[t] + at), ZERO, pair(w), pair(w + 4));
    }
    PUT(out + at, V(packus_epi16)(V(packs_epi32)(settled(low[0], high[0]), settled(low[1], high[1])),
                                  V(packs_epi32)(settled(low[2], high[2]), settled(low[3], high[3]))));
}

void KERNEL(resample_column)(uint8_t *out, const uint8_t *const *rows, size_t n, const int16_t *weights,
                             size_t taps)
{
    for (size_t at = 0; at < n; at += NBYTES)
        column_strip(out, rows, at, weights, taps);
}

#else

static inline void column_strip(uint8_t *out, const uint8_t *const *rows, size_t at, const int16_t *weights,
                                size_t taps)
{
    int32_t sums[MILL__RESAMPLE_STRIP];
    for (size_t i = 0; i < MILL__RESAMPLE_STRIP; i++)
        sums[i] = HALF;
    for (size_t t = 0; t < taps; t++) {
        const uint8_t *row = rows[t] + at;
        int32_t w = mill__weight(weights, t);
        for (size_t i = 0; i < MILL__RESAMPLE_STRIP; i++)
            sums[i] += row[i] * w;
    }
    for (size_t i = 0; i < MILL__RESAMPLE_STRIP; i++)
        out[at + i] = settle(sums[i]);
}

void KERNEL(resample_column)(uint8_t *out, const uint8_t *const *rows, size_t n, const int16_t *weights,
                             size_t taps)
{
    for (size_t at = 0; at < n; at += MILL__RESAMPLE_STRIP)
        column_strip(out, rows, at, weights, taps);
}

#endif
