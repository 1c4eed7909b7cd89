/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/kernel.h: inner loops behind a table, one table per instruction set. Kernels see pointers, sizes and
 * strides; they allocate nothing and know no struct of ours. All levels give the same bytes
 * (-ffp-contract=off). */
#ifndef MILL_KERNEL_KERNEL_H
#define MILL_KERNEL_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* Weights are 22-bit fixed point: 32 bits less 8 of the pixel less 2 for a filter that overshoots (Pillow's
 * choice, so that our bytes are its bytes). They do not fit int16_t. */
#define MILL__RESAMPLE_BITS  22
#define MILL__RESAMPLE_GROUP 4
#define MILL__RESAMPLE_SLACK 16

typedef struct mill__kernels {
    const char *level; /* "c", "x86-64-v3", "x86-64-v4", ... */

    /* Horizontal resample of one row of u8 pixels with c (1 or 3) interleaved channels: output i is the sum
     * of the bounds[2i+1] pixels from bounds[2i] on, weighted by weights[i * taps ...], fixed point with
     * MILL__RESAMPLE_BITS fraction bits, rounded and clipped. taps is a multiple of MILL__RESAMPLE_GROUP and
     * weights behind a window's end are 0. in must be readable, and out writable, for MILL__RESAMPLE_SLACK
     * bytes behind the last pixel used. */
    void (*resample_row)(uint8_t *out, const uint8_t *in, size_t n, int c, const int32_t *bounds,
                         const int32_t *weights, size_t taps);
    /* Vertical: one output row of n bytes from taps input rows. */
    void (*resample_column)(uint8_t *out, const uint8_t *const *rows, size_t n, const int32_t *weights,
                            size_t taps);

    /* Through a colour table (see transform/image.h): n pixels of c (1 or 3) interleaved channels to
     * interleaved or planar (plane stride in elements) output of 1, 2, 4 or 8 byte entries; reverse mirrors.
     * table NULL: u8 as it is. */
    void (*store_hwc)(void *out, const uint8_t *in, size_t n, int c, const void *table, size_t entry_nbytes,
                      int reverse);
    void (*store_chw)(void *out, size_t plane, const uint8_t *in, size_t n, int c, const void *table,
                      size_t entry_nbytes, int reverse);

    /* Element-wise on n floats; out may equal in. */
    void (*f32_scale_add)(float *out, const float *in, size_t n, float scale,
                          float add); /* in * scale + add */
    void (*f32_clip)(float *out, const float *in, size_t n, float low, float high);
    void (*f32_sin)(float *out, const float *in, size_t n);
    void (*f32_log1p)(float *out, const float *in, size_t n);
    /* (in - mean[i % period]) / std[i % period] */
    void (*f32_standardize)(float *out, const float *in, size_t n, const float *mean, const float *std,
                            size_t period);
} mill__kernels;

/* The best table for this machine, capped by level ("c", "x86-64-v3", ...) when it is not NULL. An unknown
 * name caps nothing. */
const mill__kernels *mill__kernels_get(const char *cap);

#endif
