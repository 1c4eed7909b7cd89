/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/augment.h: inner loops of the augmentations, one table a level. u8 pixels, channels interleaved;
 * the arithmetic is Pillow's, so that the bytes are its bytes, at every level. */
#ifndef MILL_KERNEL_AUGMENT_H
#define MILL_KERNEL_AUGMENT_H

#include "kernel/kernel.h"

/* A place and its step from pixel to pixel, in 16.16 fixed point. */
typedef struct mill__fixed_line {
    uint32_t x, y, step_x, step_y; /* steps modulo 2^32 */
} mill__fixed_line;

typedef struct mill__augment_kernels {
    /* Between two images, or beyond one of them: from + factor * (to - from) in float, clipped, then cut to a
     * whole number. n bytes; out may equal either. blend_value: from one value. */
    void (*blend)(uint8_t *out, const uint8_t *from, const uint8_t *to, size_t n, float factor);
    void (*blend_value)(uint8_t *out, uint8_t from, const uint8_t *to, size_t n, float factor);

    /* n RGB pixels; out may equal rgb where it has as many channels. Luma is (19595 R + 38470 G + 7471 B +
     * 2^15) / 2^16. */
    void (*luma)(uint8_t *out, const uint8_t *rgb, size_t n);
    void (*luma_rgb)(uint8_t *out, const uint8_t *rgb, size_t n); /* the same in three channels */
    void (*saturate)(uint8_t *out, const uint8_t *rgb, size_t n, float factor);  /* blend from luma */
    void (*turn_hue)(uint8_t *out, const uint8_t *rgb, size_t n, uint8_t shift); /* by shift / 255 */
    uint64_t (*sum)(const uint8_t *in, size_t n);

    /* counts[channel * 256 + value], added to; and through a table of that shape. c is 1 or 3; out may equal
     * in, here and in the next two. */
    void (*histogram)(uint32_t *counts, const uint8_t *in, size_t npixels, size_t c);
    void (*look_up)(uint8_t *out, const uint8_t *in, size_t npixels, size_t c, const uint8_t *table);
    void (*mask)(uint8_t *out, const uint8_t *in, size_t n, uint8_t kept,
                 uint8_t turned);                                               /* in & kept ^ turned */
    void (*solarize)(uint8_t *out, const uint8_t *in, size_t n, int threshold); /* 255 - in from it on */

    /* One row of width pixels of c channels: (sum of the 3x3 pixels around, the middle one 5 times) / 13,
     * rounded to nearest, and from that blended towards the pixel itself. The first and the last pixel stay.
     */
    void (*sharpen)(uint8_t *out, const uint8_t *above, const uint8_t *row, const uint8_t *below,
                    size_t width, size_t c, float factor);

    /* Symmetric weights: those of the middle, and of both neighbours at each distance up to reach. Down:
     * rows[reach] is the middle one of 2 reach + 1. Across: pixel i stands at in[i * c]; reach * c floats
     * before and behind are read. Rounded to nearest, ties to even. */
    void (*blur_down)(float *out, const uint8_t *const *rows, size_t n, const float *weights, size_t reach);
    void (*blur_across)(uint8_t *out, const float *in, size_t n, size_t c, const float *weights,
                        size_t reach);

    /* Both at once: x becomes share x + (1 - share) y, and y the other way round. n floats. */
    void (*mix)(float *x, float *y, size_t n, float share);

    /* n pixels in a row, each the pixel of in at (x >> 16, y >> 16), both of which take a step from one to
     * the next. All of them lie within the image of width x height, which is smaller than 4 GiB. */
    void (*warp_nearest)(uint8_t *out, size_t n, const uint8_t *in, size_t width, size_t height, size_t c,
                         const mill__fixed_line *line);

    /* The n pixels of row y of what an image of width x height is seen as through a matrix: the centre of an
     * output pixel, from (x, y) to (m[0] x + m[1] y + m[2], m[3] x + m[4] y + m[5]), and the four pixels
     * around that, weighed in double and cut to a whole number. Pixels that come from outside are left alone.
     */
    void (*warp_bilinear)(uint8_t *out, size_t n, const uint8_t *in, size_t width, size_t height, size_t c,
                          const double *m, size_t y);
} mill__augment_kernels;

/* The functions of a table's level. */
const mill__augment_kernels *mill__augment_get(const mill__kernels *kernels);

#endif
