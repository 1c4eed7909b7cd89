/* SPDX-License-Identifier: Apache-2.0 */
/* Inner loops of the augmentations, compiled once a level (-DMILL__LEVEL): plain loops that the compiler
 * vectorises, over planes of a block of pixels where channels matter.
 *
 * Blending and hue are in float with one rounding an operation, as Pillow computes them, or so that all
 * possible inputs give what its doubles give: tests/unit/test_augment_kernels.c goes through all 2^24. */
#if defined(__GNUC__) && !defined(__clang__)
/* Else gcc keeps branches for the sake of the exception flags, which nobody reads, and does not vectorise
 * them. */
#pragma GCC optimize("no-trapping-math")
#endif

#include "kernel/augment.h"
#include <string.h>

#define JOIN2(a, b) a##_##b
#define JOIN(a, b)  JOIN2(a, b)

void JOIN(mill__warp_nearest, MILL__LEVEL)(uint8_t *out, size_t n, const uint8_t *in, size_t width,
                                           size_t height, size_t c, const mill__fixed_line *line);
void JOIN(mill__warp_bilinear, MILL__LEVEL)(uint8_t *out, size_t n, const uint8_t *in, size_t width,
                                            size_t height, size_t c, const double *m,
                                            size_t y); /* warp_levels.c */

enum { BLOCK = 128 };

/* ---- planes of a block ---- */

typedef struct planes {
    uint8_t r[BLOCK], g[BLOCK], b[BLOCK];
} planes;

static inline void split(planes *p, const uint8_t *restrict rgb, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p->r[i] = rgb[3 * i];
        p->g[i] = rgb[3 * i + 1];
        p->b[i] = rgb[3 * i + 2];
    }
}

static inline void join(uint8_t *restrict rgb, const planes *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rgb[3 * i] = p->r[i];
        rgb[3 * i + 1] = p->g[i];
        rgb[3 * i + 2] = p->b[i];
    }
}

static inline size_t block_size(size_t left)
{
    return left < BLOCK ? left : BLOCK;
}

/* ---- blending ---- */

static inline uint8_t between(int from, int to, float factor)
{
    float v = (float)from + factor * (float)(to - from);
    v = v < 0 ? 0 : v;
    v = v > 255 ? 255 : v;
    return (uint8_t)(int)v;
}

static void blend(uint8_t *out, const uint8_t *from, const uint8_t *to, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++)
        out[i] = between(from[i], to[i], factor);
}

static void blend_value(uint8_t *out, uint8_t from, const uint8_t *to, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++)
        out[i] = between(from, to[i], factor);
}

/* ---- luma ---- */

static inline void luma_block(uint8_t *restrict out, const planes *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)((p->r[i] * 19595u + p->g[i] * 38470u + p->b[i] * 7471u + 0x8000u) >> 16);
}

static void luma(uint8_t *out, const uint8_t *rgb, size_t n)
{
    planes p;
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t m = block_size(n - i);
        split(&p, rgb + 3 * i, m);
        luma_block(out + i, &p, m);
    }
}

static void luma_rgb(uint8_t *out, const uint8_t *rgb, size_t n)
{
    planes p;
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t m = block_size(n - i);
        split(&p, rgb + 3 * i, m);
        luma_block(p.r, &p, m);
        memcpy(p.g, p.r, m);
        memcpy(p.b, p.r, m);
        join(out + 3 * i, &p, m);
    }
}

static void saturate(uint8_t *out, const uint8_t *rgb, size_t n, float factor)
{
    planes p;
    uint8_t grey[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t m = block_size(n - i);
        split(&p, rgb + 3 * i, m);
        luma_block(grey, &p, m);
        blend(p.r, grey, p.r, m, factor);
        blend(p.g, grey, p.g, m, factor);
        blend(p.b, grey, p.b, m, factor);
        join(out + 3 * i, &p, m);
    }
}

static uint64_t sum(const uint8_t *in, size_t n)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n;) {
        size_t end = n - i < 1 << 20 ? n : i + (1 << 20);
        uint32_t part = 0;
        for (; i < end; i++)
            part += in[i];
        total += part;
    }
    return total;
}

/* ---- hue ---- */

static inline int most(int a, int b)
{
    return a > b ? a : b;
}

static inline int least(int a, int b)
{
    return a < b ? a : b;
}

/* To hue, saturation, value. Hue is the sextant's corner plus or minus the share of the middle channel. The
 * greatest channel is the first of those that tie; the least one's share is exactly 1, so that one rounding
 * is left of Pillow's two. */
static inline void to_hsv(planes *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int r = p->r[i], g = p->g[i], b = p->b[i];
        int high = most(r, most(g, b)), low = least(r, least(g, b)), middle = r + g + b - high - low;
        int range = high - low;
        float share = (float)(high - middle) / (float)most(range, 1);
        float if_red = g == low ? share - 1.0f : 1.0f - share;
        float if_green = b == low ? 1.0f + share : 3.0f - share;
        float if_blue = r == low ? 3.0f + share : 5.0f - share;
        float if_not_red = g == high ? if_green : if_blue;
        float turn = (r == high ? if_red : if_not_red) / 6.0f;
        float positive = turn < 0.0f ? turn + 1.0f : turn;
        int hue = (int)(positive * 255.0f);
        p->r[i] = (uint8_t)(range ? hue : 0);
        p->g[i] = (uint8_t)(int)((float)range / (float)most(high, 1) * 255.0f);
        p->b[i] = (uint8_t)high;
    }
}

/* All bits, or none. */
static inline uint8_t where(uint8_t a, uint8_t b)
{
    return (uint8_t) - (a == b);
}

/* And back. The value is the greatest channel; beyond is the way from the sextant's corner. */
static inline void from_hsv(planes *p, size_t n, int shift)
{
    uint8_t least_ones[BLOCK], middle_ones[BLOCK], corners[BLOCK];
    for (size_t i = 0; i < n; i++) {
        int sixfold = ((p->r[i] + shift) & 255) * 6;
        int corner = (sixfold + 1 + (sixfold >> 8)) >> 8; /* sixfold / 255 */
        float value = (float)p->b[i], saturation = (float)p->g[i] / 255.0f;
        float beyond = (float)sixfold / 255.0f - (float)corner;
        float odd = (float)(corner & 1), way = odd * beyond + (1.0f - odd) * (1.0f - beyond);
        corners[i] = (uint8_t)corner;
        least_ones[i] = (uint8_t)(int)(value * (1.0f - saturation) + 0.5f);
        middle_ones[i] = (uint8_t)(int)(value * (1.0f - saturation * way) + 0.5f);
    }
    for (size_t i = 0; i < n; i++) {
        uint8_t corner = corners[i], low = least_ones[i];
        uint8_t middle = middle_ones[i] - low, high = p->b[i] - low;
        p->r[i] = low + (high & (where(corner, 0) | where(corner, 5) | where(corner, 6))) +
                  (middle & (where(corner, 1) | where(corner, 4)));
        p->g[i] = low + (high & (where(corner, 1) | where(corner, 2))) +
                  (middle & (where(corner, 0) | where(corner, 3) | where(corner, 6)));
        p->b[i] = low + (high & (where(corner, 3) | where(corner, 4))) +
                  (middle & (where(corner, 2) | where(corner, 5)));
    }
}

static void turn_hue(uint8_t *out, const uint8_t *rgb, size_t n, uint8_t shift)
{
    planes p;
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t m = block_size(n - i);
        split(&p, rgb + 3 * i, m);
        to_hsv(&p, m);
        from_hsv(&p, m, shift);
        join(out + 3 * i, &p, m);
    }
}

/* ---- histograms, tables ---- */

/* Neighbours are counted apart: they are often equal, and a counter must not wait for its last change. */
static void histogram(uint32_t *counts, const uint8_t *in, size_t npixels, size_t c)
{
    uint32_t odd[3 * 256] = {0};
    const size_t green = c == 1 ? 0 : 256, blue = c == 1 ? 0 : 512, pairs = npixels / 2;
    for (size_t i = 0; i < pairs && c == 1; i++, in += 2) {
        counts[in[0]]++;
        odd[in[1]]++;
    }
    for (size_t i = 0; i < pairs && c != 1; i++, in += 6) {
        counts[in[0]]++;
        counts[green + in[1]]++;
        counts[blue + in[2]]++;
        odd[in[3]]++;
        odd[green + in[4]]++;
        odd[blue + in[5]]++;
    }
    for (size_t k = 0; npixels % 2 && k < c; k++)
        counts[256 * k + in[k]]++;
    for (size_t k = 0; k < 256 * c; k++)
        counts[k] += odd[k];
}

static void look_up(uint8_t *out, const uint8_t *in, size_t npixels, size_t c, const uint8_t *table)
{
    if (c == 1)
        for (size_t i = 0; i < npixels; i++)
            out[i] = table[in[i]];
    else
        for (size_t i = 0; i < npixels; i++, in += 3, out += 3) {
            uint8_t r = table[in[0]], g = table[256 + in[1]], b = table[512 + in[2]];
            out[0] = r;
            out[1] = g;
            out[2] = b;
        }
}

static void mask(uint8_t *out, const uint8_t *in, size_t n, uint8_t kept, uint8_t turned)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (in[i] & kept) ^ turned;
}

static void solarize(uint8_t *out, const uint8_t *in, size_t n, int threshold)
{
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] < threshold ? in[i] : 255 - in[i];
}

/* ---- neighbourhoods ---- */

/* (s + 6) / 13 is s / 13 rounded: there are no ties. 5042 / 2^16 stands for 1 / 13: exact up to s = 3315. */
static void sharpen(uint8_t *out, const uint8_t *above, const uint8_t *row, const uint8_t *below,
                    size_t width, size_t c, float factor)
{
    uint8_t smooth[BLOCK];
    size_t n = width * c;
    memcpy(out, row, width > 1 ? c : n);
    for (size_t i = c; i + c < n; i += BLOCK) {
        size_t m = block_size(n - c - i);
        const uint8_t *a = above + i, *r = row + i, *b = below + i;
        for (size_t k = 0; k < m; k++) {
            uint16_t down = (uint16_t)(a[k] + b[k] + 5 * r[k]);
            uint16_t left = (uint16_t)(a[k - c] + r[k - c] + b[k - c]);
            uint16_t right = (uint16_t)(a[k + c] + r[k + c] + b[k + c]);
            uint16_t s = (uint16_t)(down + left + right + 6);
            smooth[k] = (uint8_t)((uint32_t)s * 5042u >> 16);
        }
        blend(out + i, smooth, r, m, factor);
    }
    if (width > 1)
        memcpy(out + n - c, row + n - c, c);
}

static void blur_down(float *out, const uint8_t *const *rows, size_t n, const float *weights, size_t reach)
{
    const uint8_t *middle = rows[reach];
    for (size_t i = 0; i < n; i++)
        out[i] = weights[0] * (float)middle[i];
    for (size_t d = 1; d <= reach; d++) {
        const uint8_t *up = rows[reach - d], *down = rows[reach + d];
        float w = weights[d];
        for (size_t i = 0; i < n; i++)
            out[i] += w * (float)(up[i] + down[i]);
    }
}

/* Adding it rounds to a whole number, which then stands in the low bits. */
#define ROUNDER 0x1.8p23f

static void blur_across(uint8_t *out, const float *in, size_t n, size_t c, const float *weights, size_t reach)
{
    float total[BLOCK];
    for (size_t i = 0; i < n * c; i += BLOCK) {
        size_t m = block_size(n * c - i);
        const float *at = in + i;
        for (size_t k = 0; k < m; k++)
            total[k] = weights[0] * at[k];
        for (size_t d = 1; d <= reach; d++) {
            const float *left = at - d * c, *right = at + d * c;
            float w = weights[d];
            for (size_t k = 0; k < m; k++)
                total[k] += w * (left[k] + right[k]);
        }
        for (size_t k = 0; k < m; k++) {
            float v = (total[k] + ROUNDER) - ROUNDER;
            out[i + k] = (uint8_t)(int)(v > 255.0f ? 255.0f : v);
        }
    }
}

static void mix(float *restrict x, float *restrict y, size_t n, float share)
{
    const float rest = 1.0f - share;
    for (size_t i = 0; i < n; i++) {
        float a = x[i], b = y[i];
        x[i] = share * a + rest * b;
        y[i] = share * b + rest * a;
    }
}

extern const mill__augment_kernels JOIN(mill__augment, MILL__LEVEL);
const mill__augment_kernels JOIN(mill__augment,
                                 MILL__LEVEL) = {.blend = blend,
                                                 .blend_value = blend_value,
                                                 .luma = luma,
                                                 .luma_rgb = luma_rgb,
                                                 .saturate = saturate,
                                                 .turn_hue = turn_hue,
                                                 .sum = sum,
                                                 .histogram = histogram,
                                                 .look_up = look_up,
                                                 .mask = mask,
                                                 .solarize = solarize,
                                                 .sharpen = sharpen,
                                                 .blur_down = blur_down,
                                                 .blur_across = blur_across,
                                                 .mix = mix,
                                                 .warp_nearest = JOIN(mill__warp_nearest, MILL__LEVEL),
                                                 .warp_bilinear = JOIN(mill__warp_bilinear, MILL__LEVEL)};
