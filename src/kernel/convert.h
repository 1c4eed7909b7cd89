/* SPDX-License-Identifier: Apache-2.0 */
/* kernel/convert.h: elements of any dtype to any other. */
#ifndef MILL_KERNEL_CONVERT_H
#define MILL_KERNEL_CONVERT_H

#include "kernel/kernel.h"
#include <shardmill/types.h>

/* n elements; out may equal in when both element sizes are equal, and must not overlap it otherwise.
 *
 * To an integer: rounded to the nearest (ties to even) and clipped to its range; NaN gives 0. Between
 * integers: clipped. To a float: one rounding to nearest even, whatever the input; beyond the range gives an
 * infinity; NaN stays NaN. Every level gives the same bits. */
typedef void mill__convert(void *out, mill_dtype out_dtype, const void *in, mill_dtype in_dtype, size_t n);

mill__convert mill__convert_base;
#if defined(__x86_64__)
mill__convert mill__convert_x86_64_v3;
mill__convert mill__convert_x86_64_v4;
#endif

/* The function of a table's level. */
mill__convert *mill__convert_get(const mill__kernels *kernels);

#endif
