/* SPDX-License-Identifier: Apache-2.0 */
/* One row of an image seen through a matrix, bilinear; compiled once a level. See kernel/augment.h. */
/* Below AVX such vectors pass otherwise: of no concern, for they only pass between inlined functions. */
#pragma GCC diagnostic ignored "-Wpsabi"

#include "kernel/augment.h"
#include <stdbool.h>
#include <string.h>

#define JOIN2(a, b) a##_##b
#define JOIN(a, b)  JOIN2(a, b)

void JOIN(mill__warp_bilinear, MILL__LEVEL)(uint8_t *out, const uint8_t *in, size_t width, size_t height,
                                            size_t c, const double *m, size_t y);

/* The channels of one pixel, and one more. */
typedef double four __attribute__((vector_size(32)));
typedef uint8_t four_bytes __attribute__((vector_size(4)));
typedef int32_t four_ints __attribute__((vector_size(16)));

/* The four pixels around a place, as offsets in the image, and how near the later ones are. */
typedef struct corners {
    size_t upper, lower, left, right;
    double across, down;
} corners;

typedef struct extent {
    double width, height;
    ptrdiff_t right, bottom; /* the last column and row */
} extent;

static inline ptrdiff_t floor_of(double x) /* x >= -1 */
{
    return x < 0 ? -1 : (ptrdiff_t)(int)x;
}

static inline size_t within(ptrdiff_t i, ptrdiff_t last)
{
    return (size_t)(i < 0 ? 0 : i > last ? last : i);
}

static inline bool find(corners *k, const extent *e, double x, double y)
{
    if (!(x >= 0 && x < e->width && y >= 0 && y < e->height))
        return false;
    x -= 0.5;
    y -= 0.5;
    ptrdiff_t column = floor_of(x), row = floor_of(y);
    k->across = x - (double)column;
    k->down = y - (double)row;
    k->left = within(column, e->right);
    k->right = within(column + 1, e->right);
    k->upper = within(row, e->bottom);
    k->lower = within(row + 1, e->bottom);
    return true;
}

/* Three bytes and one more, where there is one. */
static inline four load(const uint8_t *pixel, const uint8_t *end)
{
    four_bytes bytes = {0};
    memcpy(&bytes, pixel, end - pixel >= 4 ? 4 : 3);
    return __builtin_convertvector(__builtin_convertvector(bytes, four_ints), four);
}

static inline void rgb(uint8_t *out, const uint8_t *in, const uint8_t *end, const corners *k, size_t stride)
{
    const uint8_t *upper = in + k->upper * stride, *lower = in + k->lower * stride;
    four a = load(upper + 3 * k->left, end), b = load(upper + 3 * k->right, end);
    four c = load(lower + 3 * k->left, end), d = load(lower + 3 * k->right, end);
    a += (b - a) * k->across;
    c += (d - c) * k->across;
    a += (c - a) * k->down;
    four_ints whole = __builtin_convertvector(a, four_ints);
    for (int i = 0; i < 3; i++)
        out[i] = (uint8_t)whole[i];
}

static inline void grey(uint8_t *out, const uint8_t *in, const corners *k, size_t stride)
{
    const uint8_t *upper = in + k->upper * stride, *lower = in + k->lower * stride;
    double a = upper[k->left], c = lower[k->left];
    a += (double)(upper[k->right] - upper[k->left]) * k->across;
    c += (double)(lower[k->right] - lower[k->left]) * k->across;
    *out = (uint8_t)(int)(a + (c - a) * k->down);
}

void JOIN(mill__warp_bilinear, MILL__LEVEL)(uint8_t *out, const uint8_t *in, size_t width, size_t height,
                                            size_t c, const double *m, size_t y)
{
    const extent e = {(double)width, (double)height, (ptrdiff_t)width - 1, (ptrdiff_t)height - 1};
    const uint8_t *end = in + width * height * c;
    double down = (double)y + 0.5;
    corners k;
    for (size_t x = 0; x < width; x++, out += c) {
        double across = (double)x + 0.5;
        if (!find(&k, &e, m[0] * across + m[1] * down + m[2], m[3] * across + m[4] * down + m[5]))
            continue;
        if (c == 3)
            rgb(out, in, end, &k, 3 * width);
        else
            grey(out, in, &k, width);
    }
}
