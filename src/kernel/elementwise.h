/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/elementwise.h: the element-wise kernels of every level, for the table of kernel.c. Signatures and
 * meaning are those of mill__kernels; every level gives the same bits. */
#ifndef MILL_KERNEL_ELEMENTWISE_H
#define MILL_KERNEL_ELEMENTWISE_H

#include <stddef.h>

#define MILL__ELEMENTWISE_LEVEL(level)                                                                       \
    void mill__f32_scale_add_##level(float *out, const float *in, size_t n, float scale, float add);         \
    void mill__f32_clip_##level(float *out, const float *in, size_t n, float low, float high);               \
    void mill__f32_sin_##level(float *out, const float *in, size_t n);                                       \
    void mill__f32_log1p_##level(float *out, const float *in, size_t n);                                     \
    void mill__f32_standardize_##level(float *out, const float *in, size_t n, const float *mean,             \
                                       const float *std, size_t period);

MILL__ELEMENTWISE_LEVEL(base)
#if defined(__x86_64__)
MILL__ELEMENTWISE_LEVEL(x86_64_v3)
MILL__ELEMENTWISE_LEVEL(x86_64_v4)
#endif

#endif
