/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/kernel.h: inner loops behind a table, one table per instruction set. Kernels see pointers, sizes and
 * strides; they allocate nothing and know no struct of ours. All levels give the same bytes
 * (-ffp-contract=off). */
#ifndef MILL_KERNEL_KERNEL_H
#define MILL_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Weights are 22-bit fixed point: 32 bits less 8 of the pixel less 2 for a filter that overshoots (Pillow's
 * choice, so that our bytes are its bytes). Such a number does not fit the 16-bit factors that processors
 * multiply fastest, so it is kept as two: weight = high * 2^11 + low, 0 <= low < 2^11. The sums of low and of
 * high products are exact, and so is what they add up to. A window's weights stand in groups of four: four
 * low parts, then the four high ones. */
#define MILL__RESAMPLE_BITS     22
#define MILL__RESAMPLE_LOW_BITS 11
#define MILL__RESAMPLE_GROUP    4
#define MILL__RESAMPLE_ROWS     4  /* at once */
#define MILL__RESAMPLE_SLACK    16 /* bytes */
#define MILL__RESAMPLE_STRIP    64 /* bytes */

/* Weight t of a window. */
static inline int32_t mill__weight(const int16_t *weights, size_t t)
{
    const int16_t *group = weights + t / MILL__RESAMPLE_GROUP * 2 * MILL__RESAMPLE_GROUP;
    t %= MILL__RESAMPLE_GROUP;
    return group[t + MILL__RESAMPLE_GROUP] * (1 << MILL__RESAMPLE_LOW_BITS) + group[t];
}

/* A colour table (see transform/image.h), made ready for the kernels of one level. */
typedef struct mill__store_table {
    const void *entries; /* as given */
    size_t entry_nbytes;
    _Alignas(
        64) uint8_t planes[3 * 256 * 4]; /* of short entries the first bytes, the second ones, and so on */
} mill__store_table;

/* What the functions are compiled for that go with a table but stand in none. */
typedef enum mill__compiled { MILL__BASE, MILL__X86_64_V3, MILL__X86_64_V4 } mill__compiled;

typedef struct mill__kernels {
    const char *level; /* "c", "x86-64-v3", "x86-64-v4", ... */
    mill__compiled others;

    /* Horizontal resample of nrows (1..MILL__RESAMPLE_ROWS) rows of u8 pixels with c (1 or 3) interleaved
     * channels: output i is the sum of the bounds[2i+1] pixels from bounds[2i] on, weighted by
     * weights[i * 2 * taps ...], rounded and clipped. taps is a multiple of MILL__RESAMPLE_GROUP and weights
     * behind a window's end are 0. Rows must be readable, and outputs writable, for MILL__RESAMPLE_SLACK
     * bytes behind the last pixel used. */
    void (*resample_rows)(uint8_t *const *out, const uint8_t *const *in, size_t nrows, size_t n, int c,
                          const int32_t *bounds, const int16_t *weights, size_t taps);
    /* Vertical: one output row of n bytes from taps (any number from 1) input rows. Rows must be readable,
     * and out writable, up to a multiple of MILL__RESAMPLE_STRIP bytes. */
    void (*resample_column)(uint8_t *out, const uint8_t *const *rows, size_t n, const int16_t *weights,
                            size_t taps);

    /* table: 256 entries of 1, 2, 4 or 8 bytes a channel, which must outlive t; NULL (with entries of 1
     * byte): u8 as it is. */
    void (*store_prepare)(mill__store_table *t, const void *table, int c, size_t entry_nbytes);
    /* Through the table: n pixels of c (1 or 3) interleaved channels to interleaved or planar (plane stride
     * in elements) output; reverse mirrors. */
    void (*store_hwc)(void *out, const uint8_t *in, size_t n, int c, const mill__store_table *table,
                      int reverse);
    void (*store_chw)(void *out, size_t plane, const uint8_t *in, size_t n, int c,
                      const mill__store_table *table, int reverse);

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
/* The cap that the environment asks for (SHARDMILL_CPU); NULL: none. Read when a pipeline is compiled or an
 * engine opened, on the caller's thread. */
const char *mill__kernels_cap(void);
bool mill__kernels_known(const char *level);
/* "c, x86-64-v3 or ...": the levels that this library was built with. */
const char *mill__kernels_levels(void);

#endif
