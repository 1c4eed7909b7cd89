/* SPDX-License-Identifier: Apache-2.0 */
/* One row of an image seen through a matrix; compiled once a level. See kernel/augment.h. A block of pixels
 * goes through loops that the compiler vectorises: where they come from; for bilinear also the four pixels
 * around that, and for each channel what these weigh. */
#if defined(__GNUC__) && !defined(__clang__)
/* Else gcc keeps branches for the sake of the exception flags, which nobody reads. */
#pragma GCC optimize("no-trapping-math")
#endif

#include "kernel/augment.h"
#include <stdbool.h>
#include <string.h>

#define JOIN2(a, b) a##_##b
#define JOIN(a, b)  JOIN2(a, b)

void JOIN(mill__warp_nearest, MILL__LEVEL)(uint8_t *out, size_t n, const uint8_t *in, size_t width,
                                           size_t height, size_t c, const mill__fixed_line *line);
void JOIN(mill__warp_bilinear, MILL__LEVEL)(uint8_t *out, size_t n, const uint8_t *in, size_t width,
                                            size_t height, size_t c, const double *m, size_t y);

enum { BLOCK = 64 };

/* ---- nearest ---- */

/* Where the pixels of a block lie in an image. */
static inline void find_offsets(uint32_t *offsets, const mill__fixed_line *line, uint32_t first, uint32_t n,
                                uint32_t stride, uint32_t c)
{
    const uint32_t x = line->x + first * line->step_x, y = line->y + first * line->step_y;
    const uint32_t step_x = line->step_x, step_y = line->step_y;
    for (uint32_t i = 0; i < n; i++)
        offsets[i] = ((y + i * step_y) >> 16) * stride + ((x + i * step_x) >> 16) * c;
}

/* By four bytes, the fourth of which is overwritten next; so the last one, and any that may be an image's
 * last, come by three. */
static inline void copy_colours(uint8_t *out, const uint8_t *in, const uint32_t *offsets, uint32_t n,
                                bool last_row)
{
    const uint32_t whole = last_row ? 0 : n - 1;
    for (uint32_t i = 0; i < whole; i++)
        memcpy(out + 3 * (size_t)i, in + offsets[i], 4);
    for (uint32_t i = whole; i < n; i++)
        for (int k = 0; k < 3; k++)
            out[3 * (size_t)i + k] = in[offsets[i] + (uint32_t)k];
}

void JOIN(mill__warp_nearest, MILL__LEVEL)(uint8_t *out, size_t npixels, const uint8_t *in, size_t width,
                                           size_t height, size_t c, const mill__fixed_line *line)
{
    uint32_t offsets[BLOCK];
    const uint32_t count = (uint32_t)npixels, stride = (uint32_t)(width * c);
    for (uint32_t first = 0; first < count; first += BLOCK) {
        const uint32_t n = count - first < BLOCK ? count - first : BLOCK;
        const uint32_t begin = line->y + first * line->step_y, end = begin + (n - 1) * line->step_y;
        if (c == 1) {
            find_offsets(offsets, line, first, n, stride, 1);
            for (uint32_t i = 0; i < n; i++)
                out[first + i] = in[offsets[i]];
        } else {
            find_offsets(offsets, line, first, n, stride, 3);
            copy_colours(out + 3 * (size_t)first, in, offsets, n,
                         begin >> 16 >= height - 1 || end >> 16 >= height - 1);
        }
    }
}

/* ---- bilinear ---- */

typedef struct image {
    const uint8_t *in;
    int width, height, c;
} image;

typedef struct places {
    int32_t column[BLOCK], row[BLOCK]; /* of the upper left pixel: -1 and more */
    double across[BLOCK], down[BLOCK]; /* how near the later ones are */
    int32_t inside[BLOCK];             /* 0 or 1 */
    uint32_t around[4][BLOCK];         /* upper left and right, lower left and right, channels in bytes */
    uint8_t made[3][BLOCK];
} places;

static inline void find(places *p, const image *im, const double *m, int x, int y, int n)
{
    const double width = im->width, height = im->height, down = (double)y + 0.5;
    for (int i = 0; i < n; i++) {
        double across = (double)(x + i) + 0.5;
        double from_x = m[0] * across + m[1] * down + m[2], from_y = m[3] * across + m[4] * down + m[5];
        int inside = (from_x >= 0) & (from_x < width) & (from_y >= 0) & (from_y < height);
        from_x = (inside ? from_x : 0.5) - 0.5;
        from_y = (inside ? from_y : 0.5) - 0.5;
        int column = (int)from_x - (from_x < 0), row = (int)from_y - (from_y < 0);
        p->inside[i] = inside;
        p->column[i] = column;
        p->row[i] = row;
        p->across[i] = from_x - (double)column;
        p->down[i] = from_y - (double)row;
    }
}

static inline int within(int i, int n)
{
    return i < 0 ? 0 : i < n ? i : n - 1;
}

/* Three channels; four bytes can be read of all rows but the last. */
static inline uint32_t pixel_of(const uint8_t *p, bool last)
{
    uint32_t bits;
    if (last)
        return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
    memcpy(&bits, p, sizeof bits);
    return bits;
}

static inline void fetch(places *p, const image *im, int n)
{
    const size_t c = (size_t)im->c, stride = (size_t)im->width * c;
    for (int i = 0; i < n; i++) {
        int above = within(p->row[i], im->height), below = within(p->row[i] + 1, im->height);
        size_t left = (size_t)within(p->column[i], im->width) * c;
        size_t right = (size_t)within(p->column[i] + 1, im->width) * c;
        const uint8_t *upper = im->in + (size_t)above * stride, *lower = im->in + (size_t)below * stride;
        if (c == 1) {
            p->around[0][i] = upper[left];
            p->around[1][i] = upper[right];
            p->around[2][i] = lower[left];
            p->around[3][i] = lower[right];
        } else {
            bool last = below == im->height - 1;
            p->around[0][i] = pixel_of(upper + left, last);
            p->around[1][i] = pixel_of(upper + right, last);
            p->around[2][i] = pixel_of(lower + left, last);
            p->around[3][i] = pixel_of(lower + right, last);
        }
    }
}

static inline void weigh(places *p, int channel, int n)
{
    const int shift = 8 * channel;
    int32_t whole[BLOCK];
    for (int i = 0; i < n; i++) {
        double a = (int32_t)(p->around[0][i] >> shift & 255), b = (int32_t)(p->around[1][i] >> shift & 255);
        double c = (int32_t)(p->around[2][i] >> shift & 255), d = (int32_t)(p->around[3][i] >> shift & 255);
        a += (b - a) * p->across[i];
        c += (d - c) * p->across[i];
        whole[i] = (int32_t)(a + (c - a) * p->down[i]);
    }
    for (int i = 0; i < n; i++)
        p->made[channel][i] = (uint8_t)whole[i];
}

void JOIN(mill__warp_bilinear, MILL__LEVEL)(uint8_t *out, size_t npixels, const uint8_t *in, size_t width,
                                            size_t height, size_t c, const double *m, size_t y)
{
    const image im = {in, (int)width, (int)height, (int)c};
    places p;
    for (int x = 0, end = (int)npixels; x < end; x += BLOCK) {
        int n = end - x < BLOCK ? end - x : BLOCK, ninside = 0;
        find(&p, &im, m, x, (int)y, n);
        for (int i = 0; i < n; i++)
            ninside += p.inside[i];
        if (!ninside)
            continue;
        fetch(&p, &im, n);
        for (int k = 0; k < im.c; k++)
            weigh(&p, k, n);
        for (int i = 0; i < n; i++)
            for (int k = 0; k < im.c && p.inside[i]; k++)
                out[(x + i) * im.c + k] = p.made[k][i];
    }
}
